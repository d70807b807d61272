//! The Pomodoro clock of a room. Told the time; what it shows follows from its state and the time alone, so that a process that
//! slept, or was started again, is where it should be. No task, no lock, no database.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::signal::messages::{Phase, PhaseKind, Timer, TimerControl, TimerState};

/// Phases of one clock.
pub(crate) const MAX_PHASES: usize = 32;
/// Shortest and longest phase.
const SHORTEST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 8 * 60 * MINUTE_MS;
const MINUTE_MS: u64 = 60_000;
/// Changes of phase that [`Clock::advance`] tells one by one. Who was away for more is told of the last one only.
const MAX_TOLD: usize = 4_096;

/// Where it is in its phases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Place {
    index: usize,
    /// How often all were gone through.
    cycle: u32,
}

const START: Place = Place { index: 0, cycle: 0 };

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Run {
    Idle,
    Running { place: Place, ends_at_ms: u64 },
    Paused { place: Place, remaining_ms: u64 },
}

/// A clock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Clock {
    /// Never empty; each of a length that is allowed.
    phases: Vec<Phase>,
    run: Run,
}

/// What somebody does to a clock.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    /// Begin with these phases; with none, begin with those it has, or go on.
    Start(Option<Phases>),
    /// Stand.
    Pause,
    /// Go on.
    Resume,
    /// To the next phase.
    Skip,
    /// Back to the beginning, and stand there.
    Reset,
}

/// There is no phase to pause, to go on with or to skip.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotStarted;

/// Phases that a clock can have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Phases(Vec<Phase>);

/// Why phases cannot be had; a sentence for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BadPhases(String);

impl fmt::Display for BadPhases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Phases {
    /// The phases of a preset.
    ///
    /// # Errors
    /// When there is no such preset.
    pub(crate) fn preset(name: &str) -> Result<Self, BadPhases> {
        // Focus, break, how many times focus, and the last break: in minutes.
        let (focus, short, times, long) = match name {
            "25/5" => (25, 5, 4, 15),
            "50/10" => (50, 10, 2, 20),
            _ => return Err(BadPhases("preset: there are \"25/5\" and \"50/10\".".to_owned())),
        };
        let phase = |kind, minutes| Phase { kind, duration_ms: minutes * MINUTE_MS };
        let mut phases = Vec::new();
        for time in 1..=times {
            phases.push(phase(PhaseKind::Focus, focus));
            let is_last = time == times;
            phases.push(if is_last { phase(PhaseKind::LongBreak, long) } else { phase(PhaseKind::ShortBreak, short) });
        }
        Ok(Self(phases))
    }

    /// Phases of somebody's own choice.
    ///
    /// # Errors
    /// When there are none or too many, or one is too short or too long.
    pub(crate) fn custom(phases: Vec<Phase>) -> Result<Self, BadPhases> {
        if phases.is_empty() || phases.len() > MAX_PHASES {
            return Err(BadPhases(format!("phases: 1 to {MAX_PHASES} of them are allowed.")));
        }
        let is_wrong = |phase: &Phase| !(SHORTEST_MS..=LONGEST_MS).contains(&phase.duration_ms);
        if let Some(index) = phases.iter().position(is_wrong) {
            return Err(BadPhases(format!(
                "phases[{index}].durationMs: {SHORTEST_MS} (one second) to {LONGEST_MS} (eight hours) are allowed."
            )));
        }
        Ok(Self(phases))
    }
}

impl Default for Clock {
    /// Stands at the beginning of the classic phases.
    fn default() -> Self {
        let Ok(Phases(phases)) = Phases::preset("25/5") else { unreachable!("it is one of the presets") };
        Self { phases, run: Run::Idle }
    }
}

impl Clock {
    /// Does what is asked; whether that changed anything.
    ///
    /// # Errors
    /// When the clock was not started and would have to be.
    pub(crate) fn apply(&mut self, now_ms: u64, command: Command) -> Result<bool, NotStarted> {
        let before = self.run;
        let now = self.at(now_ms);
        let is_anew = matches!(command, Command::Start(Some(_)));
        self.run = match (command, now) {
            (Command::Start(phases), _) if is_anew || now == Run::Idle => {
                if let Some(Phases(phases)) = phases {
                    self.phases = phases;
                }
                self.begin(START, now_ms)
            }
            (Command::Start(_) | Command::Resume, Run::Paused { place, remaining_ms }) => {
                Run::Running { place, ends_at_ms: now_ms.saturating_add(remaining_ms) }
            }
            (Command::Start(_) | Command::Resume, running @ Run::Running { .. }) => running,
            (Command::Pause, Run::Running { place, ends_at_ms }) => {
                Run::Paused { place, remaining_ms: self.remaining(place, ends_at_ms, now_ms) }
            }
            (Command::Pause, paused @ Run::Paused { .. }) => paused,
            (Command::Skip, Run::Running { place, .. }) => self.begin(self.after(place), now_ms),
            (Command::Skip, Run::Paused { place, .. }) => {
                let place = self.after(place);
                Run::Paused { place, remaining_ms: self.phases[place.index].duration_ms }
            }
            (Command::Reset, _) => Run::Idle,
            // Beginning an idle clock was the first arm.
            (Command::Start(_) | Command::Pause | Command::Resume | Command::Skip, Run::Idle) => {
                return Err(NotStarted);
            }
        };
        Ok(is_anew || self.run != before)
    }

    /// Goes through all phases that have ended by now. Each that began is told, with when: in their order, and up to a number
    /// that only a process reaches that slept for hours.
    pub(crate) fn advance(&mut self, now_ms: u64, mut began: impl FnMut(u64, PhaseKind)) {
        for _ in 0..MAX_TOLD {
            let Run::Running { place, ends_at_ms } = self.run else { return };
            if now_ms < ends_at_ms {
                return;
            }
            self.run = self.begin(self.after(place), ends_at_ms);
            began(ends_at_ms, self.phase().kind);
        }
        let caught_up = self.at(now_ms);
        if self.run != caught_up {
            self.run = caught_up;
            let Run::Running { ends_at_ms, .. } = caught_up else { return };
            let phase = self.phase();
            began(ends_at_ms.saturating_sub(phase.duration_ms), phase.kind);
        }
    }

    /// When the phase ends by itself.
    pub(crate) fn next_change_at_ms(&self) -> Option<u64> {
        match self.run {
            Run::Running { ends_at_ms, .. } => Some(ends_at_ms),
            Run::Idle | Run::Paused { .. } => None,
        }
    }

    /// Whether it runs, and people study.
    pub(crate) fn is_focus(&self, now_ms: u64) -> bool {
        match self.at(now_ms) {
            Run::Running { place, .. } => self.phases[place.index].kind == PhaseKind::Focus,
            Run::Idle | Run::Paused { .. } => false,
        }
    }

    /// Whether it was never started, or was reset.
    pub(crate) fn is_idle(&self) -> bool {
        self.run == Run::Idle
    }

    /// As everybody sees it.
    pub(crate) fn view(&self, now_ms: u64, controlled_by: TimerControl) -> Timer {
        let (state, place, ends_at_ms, remaining_ms) = match self.at(now_ms) {
            Run::Idle => (TimerState::Idle, START, None, self.phases[0].duration_ms),
            Run::Running { place, ends_at_ms } => {
                let remaining_ms = self.remaining(place, ends_at_ms, now_ms);
                (TimerState::Running, place, Some(ends_at_ms), remaining_ms)
            }
            Run::Paused { place, remaining_ms } => (TimerState::Paused, place, None, remaining_ms),
        };
        Timer {
            state,
            phase: self.phases[place.index].kind,
            phases: self.phases.clone(),
            index: place.index as u32,
            cycle: place.cycle,
            ends_at_ms,
            remaining_ms,
            controlled_by,
            server_time_ms: now_ms,
        }
    }

    /// What it would be now, had it been told the time until now.
    fn at(&self, now_ms: u64) -> Run {
        let Run::Running { mut place, mut ends_at_ms } = self.run else { return self.run };
        if now_ms >= ends_at_ms {
            // Whole rounds at once: it may have stood in a database for years.
            let round: u64 = self.phases.iter().map(|phase| phase.duration_ms).sum();
            let rounds = (now_ms - ends_at_ms) / round;
            ends_at_ms += rounds * round;
            place.cycle = place.cycle.saturating_add(u32::try_from(rounds).unwrap_or(u32::MAX));
        }
        while now_ms >= ends_at_ms {
            place = self.after(place);
            ends_at_ms = ends_at_ms.saturating_add(self.phases[place.index].duration_ms);
        }
        Run::Running { place, ends_at_ms }
    }

    fn begin(&self, place: Place, now_ms: u64) -> Run {
        Run::Running { place, ends_at_ms: now_ms.saturating_add(self.phases[place.index].duration_ms) }
    }

    fn after(&self, place: Place) -> Place {
        if place.index + 1 < self.phases.len() {
            return Place { index: place.index + 1, ..place };
        }
        Place { index: 0, cycle: place.cycle.saturating_add(1) }
    }

    /// Should the time have been set back, the phase does not get longer than it is.
    fn remaining(&self, place: Place, ends_at_ms: u64, now_ms: u64) -> u64 {
        ends_at_ms.saturating_sub(now_ms).min(self.phases[place.index].duration_ms)
    }

    fn phase(&self) -> Phase {
        match self.run {
            Run::Idle => self.phases[0],
            Run::Running { place, .. } | Run::Paused { place, .. } => self.phases[place.index],
        }
    }
}

/// How it is stored.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    phases: Vec<Phase>,
    run: StoredRun,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "state", rename_all = "lowercase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum StoredRun {
    Idle,
    Running { index: usize, cycle: u32, ends_at_ms: u64 },
    Paused { index: usize, cycle: u32, remaining_ms: u64 },
}

/// What was stored is no clock.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damaged {
    /// It is not what a clock is stored as.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// No clock has such phases.
    #[error("{0}")]
    Phases(BadPhases),
    /// It is in none of its phases.
    #[error("it is in phase {index} of {count}")]
    Index {
        /// As stored.
        index: usize,
        /// Phases.
        count: usize,
    },
}

impl Clock {
    /// For the database.
    pub(crate) fn to_stored(&self) -> String {
        let run = match self.run {
            Run::Idle => StoredRun::Idle,
            Run::Running { place: Place { index, cycle }, ends_at_ms } => {
                StoredRun::Running { index, cycle, ends_at_ms }
            }
            Run::Paused { place: Place { index, cycle }, remaining_ms } => {
                StoredRun::Paused { index, cycle, remaining_ms }
            }
        };
        // Numbers and names only: there is nothing that JSON cannot say.
        serde_json::to_string(&Stored { phases: self.phases.clone(), run }).unwrap_or_default()
    }

    /// From the database.
    ///
    /// # Errors
    /// When that is no clock.
    pub(crate) fn from_stored(text: &str, now_ms: u64) -> Result<Self, Damaged> {
        let Stored { phases, run } = serde_json::from_str(text)?;
        let Phases(phases) = Phases::custom(phases).map_err(Damaged::Phases)?;
        let count = phases.len();
        let duration =
            |index: usize| phases.get(index).map(|phase| phase.duration_ms).ok_or(Damaged::Index { index, count });
        let run = match run {
            StoredRun::Idle => Run::Idle,
            StoredRun::Running { index, cycle, ends_at_ms } => {
                // No phase ends later than that; the time may have been set back.
                let latest = now_ms.saturating_add(duration(index)?);
                Run::Running { place: Place { index, cycle }, ends_at_ms: ends_at_ms.min(latest) }
            }
            StoredRun::Paused { index, cycle, remaining_ms } => {
                Run::Paused { place: Place { index, cycle }, remaining_ms: remaining_ms.min(duration(index)?) }
            }
        };
        Ok(Self { phases, run })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_795_392_000_000;

    fn minutes(count: u64) -> u64 {
        count * MINUTE_MS
    }

    fn preset(name: &str) -> Command {
        Command::Start(Some(Phases::preset(name).unwrap()))
    }

    fn started(name: &str) -> Clock {
        let mut clock = Clock::default();
        assert_eq!(clock.apply(NOW, preset(name)), Ok(true));
        clock
    }

    fn seen(clock: &Clock, after_ms: u64) -> (TimerState, PhaseKind, u32, u32, u64) {
        let timer = clock.view(NOW + after_ms, TimerControl::Everyone);
        (timer.state, timer.phase, timer.index, timer.cycle, timer.remaining_ms)
    }

    #[test]
    fn the_long_break_comes_after_the_fourth_focus() {
        let clock = started("25/5");
        let (running, focus) = (TimerState::Running, PhaseKind::Focus);
        assert_eq!(seen(&clock, 0), (running, focus, 0, 0, minutes(25)));
        assert_eq!(seen(&clock, minutes(25)), (running, PhaseKind::ShortBreak, 1, 0, minutes(5)));
        assert_eq!(seen(&clock, minutes(30) + 1), (running, focus, 2, 0, minutes(25) - 1));
        assert_eq!(seen(&clock, minutes(115)), (running, PhaseKind::LongBreak, 7, 0, minutes(15)));
        assert_eq!(seen(&clock, minutes(130)), (running, focus, 0, 1, minutes(25)));
        let breaks = |name| started(name).phases.iter().filter(|phase| phase.kind != PhaseKind::Focus).count();
        assert_eq!((breaks("25/5"), breaks("50/10")), (4, 2));
        assert!(Phases::preset("5/25").is_err());
    }

    #[test]
    fn a_pause_keeps_what_is_left_and_a_reset_begins_anew() {
        let mut clock = started("50/10");
        assert_eq!(clock.apply(NOW + 1_000, Command::Pause), Ok(true));
        assert_eq!(clock.apply(NOW + 2_000, Command::Pause), Ok(false));
        let left = minutes(50) - 1_000;
        assert_eq!(seen(&clock, minutes(90)), (TimerState::Paused, PhaseKind::Focus, 0, 0, left));
        assert_eq!(clock.next_change_at_ms(), None);
        assert_eq!(clock.apply(NOW + minutes(100), Command::Resume), Ok(true));
        assert_eq!(clock.next_change_at_ms(), Some(NOW + minutes(100) + left));
        assert_eq!(clock.apply(NOW + minutes(101), Command::Reset), Ok(true));
        assert_eq!(clock.apply(NOW + minutes(102), Command::Reset), Ok(false));
        assert_eq!(seen(&clock, minutes(103)), (TimerState::Idle, PhaseKind::Focus, 0, 0, minutes(50)));
    }

    #[test]
    fn skipping_begins_the_next_phase_in_full_and_keeps_a_paused_clock_paused() {
        let mut clock = started("25/5");
        assert_eq!(clock.apply(NOW + 1_000, Command::Skip), Ok(true));
        assert_eq!(seen(&clock, 1_000), (TimerState::Running, PhaseKind::ShortBreak, 1, 0, minutes(5)));
        clock.apply(NOW + 2_000, Command::Pause).unwrap();
        assert_eq!(clock.apply(NOW + 3_000, Command::Skip), Ok(true));
        assert_eq!(seen(&clock, 9_000), (TimerState::Paused, PhaseKind::Focus, 2, 0, minutes(25)));
    }

    #[test]
    fn starting_without_phases_goes_on_and_never_throws_away_what_runs() {
        let mut clock = Clock::default();
        assert_eq!(clock.apply(NOW, Command::Start(None)), Ok(true));
        assert_eq!(clock.apply(NOW + 5_000, Command::Start(None)), Ok(false));
        clock.apply(NOW + 6_000, Command::Pause).unwrap();
        assert_eq!(clock.apply(NOW + 9_000, Command::Start(None)), Ok(true));
        assert_eq!(seen(&clock, 9_000).4, minutes(25) - 6_000);
        assert_eq!(clock.apply(NOW + 9_000, preset("25/5")), Ok(true));
        assert_eq!(seen(&clock, 9_000).4, minutes(25));
    }

    #[test]
    fn what_was_not_started_cannot_be_paused_gone_on_with_or_skipped() {
        let mut clock = Clock::default();
        for command in [Command::Pause, Command::Resume, Command::Skip] {
            assert_eq!(clock.apply(NOW, command), Err(NotStarted));
        }
        assert_eq!(clock, Clock::default());
    }

    #[test]
    fn phases_of_wrong_number_or_length_are_refused() {
        let of = |count: usize, duration_ms| Phases::custom(vec![Phase { kind: PhaseKind::Focus, duration_ms }; count]);
        assert!(of(1, 1_000).is_ok() && of(MAX_PHASES, LONGEST_MS).is_ok());
        for (count, duration_ms) in
            [(0, 1_000), (MAX_PHASES + 1, 1_000), (1, 999), (1, 0), (3, LONGEST_MS + 1), (1, u64::MAX)]
        {
            assert!(of(count, duration_ms).is_err(), "{count} of {duration_ms}");
        }
    }

    #[test]
    fn who_slept_for_hours_is_told_of_every_phase_with_its_time() {
        let mut clock = started("25/5");
        let mut told = Vec::new();
        clock.advance(NOW + minutes(61), |at, kind| told.push((at - NOW, kind)));
        let (focus, pause) = (PhaseKind::Focus, PhaseKind::ShortBreak);
        assert_eq!(told, [(minutes(25), pause), (minutes(30), focus), (minutes(55), pause), (minutes(60), focus)]);
        assert_eq!(seen(&clock, minutes(61)).4, minutes(24));
    }

    #[test]
    fn who_slept_for_years_is_told_of_a_limited_number_and_is_right_all_the_same() {
        let phases = vec![
            Phase { kind: PhaseKind::Focus, duration_ms: 1_000 },
            Phase { kind: PhaseKind::ShortBreak, duration_ms: 1_000 },
        ];
        let mut clock = Clock::default();
        clock.apply(NOW, Command::Start(Some(Phases::custom(phases).unwrap()))).unwrap();
        let years = 60 * 365 * 24 * minutes(60);
        let expected = clock.view(NOW + years + 1_500, TimerControl::Host);
        let mut told = Vec::new();
        clock.advance(NOW + years + 1_500, |at, _| told.push(at));
        assert_eq!(told.len(), MAX_TOLD + 1);
        assert_eq!(told.last(), Some(&(NOW + years + 1_000)));
        assert_eq!(clock.view(NOW + years + 1_500, TimerControl::Host), expected);
        assert_eq!((expected.index, expected.remaining_ms), (1, 500));
    }

    #[test]
    fn time_that_is_set_back_makes_no_phase_longer() {
        let clock = started("25/5");
        let timer = clock.view(NOW - minutes(60), TimerControl::Everyone);
        assert_eq!((timer.remaining_ms, timer.index), (minutes(25), 0));
        let stored = Clock::from_stored(&clock.to_stored(), NOW - minutes(60)).unwrap();
        assert_eq!(stored.next_change_at_ms(), Some(NOW - minutes(35)));
    }

    #[test]
    fn what_is_no_clock_is_not_read_as_one() {
        let phases = r#""phases":[{"kind":"focus","durationMs":1000}]"#;
        let cases = [
            String::new(),
            "null".to_owned(),
            "{}".to_owned(),
            format!("{{{phases}}}"),
            r#"{"phases":[],"run":{"state":"idle"}}"#.to_owned(),
            r#"{"phases":[{"kind":"focus","durationMs":1}],"run":{"state":"idle"}}"#.to_owned(),
            format!(r#"{{{phases},"run":{{"state":"running","index":1,"cycle":0,"endsAtMs":5}}}}"#),
            format!(r#"{{{phases},"run":{{"state":"running","index":0,"cycle":-1,"endsAtMs":5}}}}"#),
            format!(r#"{{{phases},"run":{{"state":"paused","index":9,"cycle":0,"remainingMs":5}}}}"#),
            format!(r#"{{{phases},"run":{{"state":"asleep"}}}}"#),
        ];
        for text in cases {
            assert!(Clock::from_stored(&text, NOW).is_err(), "{text}");
        }
        let good = format!(r#"{{{phases},"run":{{"state":"running","index":0,"cycle":4294967295,"endsAtMs":5}}}}"#);
        let clock = Clock::from_stored(&good, NOW).unwrap();
        assert_eq!(clock.view(NOW, TimerControl::Host).cycle, u32::MAX);
    }

    fn any_phases() -> impl Strategy<Value = Phases> {
        let kind = prop_oneof![Just(PhaseKind::Focus), Just(PhaseKind::ShortBreak), Just(PhaseKind::LongBreak)];
        let phase = (kind, SHORTEST_MS..20_000).prop_map(|(kind, duration_ms)| Phase { kind, duration_ms });
        prop::collection::vec(phase, 1..6).prop_map(|phases| Phases::custom(phases).unwrap())
    }

    fn any_command() -> impl Strategy<Value = Command> {
        prop_oneof![
            Just(Command::Start(None)),
            any_phases().prop_map(|phases| Command::Start(Some(phases))),
            Just(Command::Pause),
            Just(Command::Resume),
            Just(Command::Skip),
            Just(Command::Reset),
        ]
    }

    proptest! {
        #[test]
        fn it_is_always_in_one_of_its_phases_and_never_below_zero(
            steps in prop::collection::vec((0_u64..90_000, any_command(), any::<bool>()), 1..60)
        ) {
            let (mut clock, mut now) = (Clock::default(), NOW);
            for (wait, command, is_advanced) in steps {
                now += wait;
                if is_advanced {
                    clock.advance(now, |_, _| {});
                }
                let _ = clock.apply(now, command);
                let timer = clock.view(now, TimerControl::Everyone);
                let phase = timer.phases[timer.index as usize];
                prop_assert_eq!(timer.phase, phase.kind);
                prop_assert!((1..=phase.duration_ms).contains(&timer.remaining_ms), "{:?}", timer);
                prop_assert_eq!(timer.ends_at_ms.is_some(), timer.state == TimerState::Running);
                if let Some(ends_at_ms) = timer.ends_at_ms {
                    prop_assert_eq!(ends_at_ms, now + timer.remaining_ms);
                }
                let is_focus = timer.state == TimerState::Running && timer.phase == PhaseKind::Focus;
                prop_assert_eq!(clock.is_focus(now), is_focus);
                let again = Clock::from_stored(&clock.to_stored(), now).unwrap();
                for later in [now, now + 1, now + 33_333, now + 9_999_999] {
                    let (one, other) = (clock.view(later, TimerControl::Host), again.view(later, TimerControl::Host));
                    prop_assert_eq!(one, other);
                }
            }
        }

        #[test]
        fn pauses_neither_add_nor_take_time(
            phases in any_phases(),
            steps in prop::collection::vec((0_u64..15_000, 0_u64..15_000), 1..40)
        ) {
            let mut clock = Clock::default();
            clock.apply(NOW, Command::Start(Some(phases))).unwrap();
            let undisturbed = clock.clone();
            let (mut now, mut ran) = (NOW, 0);
            for (run, stand) in steps {
                (now, ran) = (now + run, ran + run);
                prop_assert_eq!(clock.apply(now, Command::Pause), Ok(true));
                now += stand;
                prop_assert_eq!(clock.apply(now, Command::Resume), Ok(true));
            }
            let (one, other) = (clock.view(now, TimerControl::Host), undisturbed.view(NOW + ran, TimerControl::Host));
            prop_assert_eq!((one.index, one.cycle, one.remaining_ms), (other.index, other.cycle, other.remaining_ms));
        }

        #[test]
        fn how_often_it_is_told_the_time_makes_no_difference(
            phases in any_phases(),
            waits in prop::collection::vec(0_u64..60_000, 1..40)
        ) {
            let mut clock = Clock::default();
            clock.apply(NOW, Command::Start(Some(phases))).unwrap();
            let (untold, mut now, mut last) = (clock.clone(), NOW, NOW);
            for wait in waits {
                now += wait;
                let mut phases = Vec::new();
                clock.advance(now, |at, kind| phases.push((at, kind)));
                for (at, kind) in phases {
                    prop_assert!(at > last && at <= now);
                    prop_assert_eq!(untold.view(at, TimerControl::Host).phase, kind);
                    prop_assert_eq!(untold.view(at - 1, TimerControl::Host).remaining_ms, 1);
                    last = at;
                }
                prop_assert_eq!(clock.view(now, TimerControl::Host), untold.view(now, TimerControl::Host));
            }
        }
    }
}
