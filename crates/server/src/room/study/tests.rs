use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// Everything that is to be stored, as a database keeps it.
#[derive(Default)]
struct Kept {
    sessions: BTreeMap<String, Record>,
    stretches: BTreeMap<(String, u64), Stretch>,
}

impl Kept {
    fn take(&mut self, records: Vec<Record>) {
        for record in records {
            for stretch in &record.stretches {
                self.stretches.insert((record.session_id.clone(), stretch.started_at_ms), *stretch);
            }
            if let Some(known) = self.sessions.insert(record.session_id.clone(), record.clone()) {
                assert!(!known.is_finished, "{known:?} was finished before {record:?}");
                assert_eq!((known.person, known.started_at_ms), (record.person, record.started_at_ms));
            }
        }
        for (id, session) in &self.sessions {
            let stretches = self.stretches.range((id.clone(), 0)..=(id.clone(), u64::MAX));
            let sum: u64 = stretches.map(|(_, stretch)| stretch.length()).sum();
            assert_eq!(sum, session.studied_ms, "{session:?}");
        }
    }

    fn total(&self, person: &str) -> u64 {
        self.sessions.values().filter(|session| session.person == person).map(|session| session.studied_ms).sum()
    }

    fn of(&self, person: &str) -> Vec<Stretch> {
        let mut stretches: Vec<_> = self
            .stretches
            .iter()
            .filter(|((id, _), stretch)| self.sessions[id].person == person && stretch.length() > 0)
            .map(|(_, stretch)| *stretch)
            .collect();
        stretches.sort_by_key(|stretch| stretch.started_at_ms);
        stretches
    }
}

/// A study with what it has said.
struct Desk {
    study: Study,
    kept: Kept,
}

impl Desk {
    fn new() -> Self {
        Self { study: Study::new(Rules::default()), kept: Kept::default() }
    }

    fn sit(&mut self, now: u64, person: &str, room: &str) -> ParticipantId {
        let id = ParticipantId::random();
        let records = self.study.seat_taken(now, person, room, &id);
        self.kept.take(records);
        id
    }

    fn tell(&mut self, event: impl FnOnce(&mut Study) -> Vec<Record>) {
        let records = event(&mut self.study);
        self.kept.take(records);
    }

    /// As the server does it, every few seconds.
    fn tick_until(&mut self, from: u64, until: u64) {
        for now in (from..=until).step_by(8_000) {
            self.tell(|study| study.tick(now));
        }
        self.tell(|study| study.tick(until));
    }
}

#[test]
fn focus_counts_and_breaks_do_not() {
    let mut desk = Desk::new();
    desk.tell(|study| study.clock_changed(0, "r", Mode::Focus));
    desk.sit(10 * MINUTE, "p", "r");
    desk.tell(|study| study.clock_changed(25 * MINUTE, "r", Mode::Rest));
    desk.tell(|study| study.clock_changed(30 * MINUTE, "r", Mode::Focus));
    desk.tell(|study| study.finish(40 * MINUTE));
    assert_eq!(desk.kept.total("p"), 25 * MINUTE);
    assert_eq!(desk.kept.sessions.len(), 1);
    let kinds: Vec<_> = desk.kept.of("p").iter().map(|stretch| stretch.kind).collect();
    assert_eq!(kinds, [StudyKind::Focus, StudyKind::Focus]);
}

#[test]
fn who_is_away_studies_nothing_and_who_takes_a_break_studies_only_by_the_clock() {
    let cases = [
        (Mode::Focus, Status::Away, 0),
        (Mode::Focus, Status::Break, 10),
        (Mode::Focus, Status::Dnd, 10),
        (Mode::Free, Status::Away, 0),
        (Mode::Free, Status::Break, 0),
        (Mode::Free, Status::Focusing, 10),
        (Mode::Rest, Status::Focusing, 0),
    ];
    for (mode, status, minutes) in cases {
        let mut desk = Desk::new();
        desk.tell(|study| study.clock_changed(0, "r", mode));
        let id = desk.sit(0, "p", "r");
        desk.tell(|study| study.status_changed(0, &id, status));
        desk.tell(|study| study.finish(10 * MINUTE));
        assert_eq!(desk.kept.total("p"), minutes * MINUTE, "{mode:?} {status:?}");
    }
}

#[test]
fn a_person_in_three_tabs_and_two_rooms_studies_once() {
    let mut desk = Desk::new();
    desk.tell(|study| study.clock_changed(0, "b", Mode::Focus));
    let first = desk.sit(0, "p", "a");
    desk.sit(5 * MINUTE, "p", "b");
    desk.sit(6 * MINUTE, "p", "b");
    desk.tell(|study| study.seat_left(10 * MINUTE, &first));
    desk.tell(|study| study.finish(20 * MINUTE));
    assert_eq!(desk.kept.total("p"), 20 * MINUTE);
    let kinds: Vec<_> = desk.kept.of("p").iter().map(|stretch| stretch.kind).collect();
    assert_eq!(kinds, [StudyKind::Free, StudyKind::Focus]);
}

#[test]
fn half_an_hour_without_a_sign_of_life_ends_free_study_until_the_next_one() {
    let mut desk = Desk::new();
    let id = desk.sit(0, "p", "r");
    desk.tell(|study| study.sign_of_life(20 * MINUTE, &id));
    desk.tick_until(20 * MINUTE, 90 * MINUTE);
    assert_eq!(desk.kept.total("p"), 50 * MINUTE);
    desk.tell(|study| study.sign_of_life(100 * MINUTE, &id));
    desk.tell(|study| study.finish(110 * MINUTE));
    assert_eq!(desk.kept.total("p"), 60 * MINUTE);
    assert_eq!(desk.kept.sessions.len(), 2);
}

#[test]
fn a_focus_phase_needs_no_sign_of_life() {
    let mut desk = Desk::new();
    desk.tell(|study| study.clock_changed(0, "r", Mode::Focus));
    desk.sit(0, "p", "r");
    desk.tell(|study| study.finish(120 * MINUTE));
    assert_eq!(desk.kept.total("p"), 120 * MINUTE);
}

#[test]
fn a_session_ends_after_six_hours_and_who_is_active_begins_another() {
    for (is_active, hours) in [(false, 6), (true, 8)] {
        let mut desk = Desk::new();
        desk.tell(|study| study.clock_changed(0, "r", Mode::Focus));
        let id = desk.sit(0, "p", "r");
        for quarter in 0..32 {
            desk.tick_until(quarter * 15 * MINUTE, quarter * 15 * MINUTE + 1);
            if is_active {
                desk.tell(|study| study.sign_of_life(quarter * 15 * MINUTE, &id));
            }
        }
        desk.tell(|study| study.finish(480 * MINUTE));
        assert_eq!(desk.kept.total("p"), hours * 60 * MINUTE, "{is_active}");
        assert!(desk.kept.sessions.values().all(|session| session.studied_ms <= 360 * MINUTE));
    }
}

#[test]
fn less_than_a_minute_is_not_kept() {
    let mut desk = Desk::new();
    let id = desk.sit(0, "p", "r");
    desk.tick_until(0, MINUTE - 1);
    desk.tell(|study| study.seat_left(MINUTE - 1, &id));
    desk.tick_until(MINUTE, 10 * MINUTE);
    assert!(desk.kept.sessions.is_empty());
    assert!(desk.study.people.is_empty() && desk.study.seats.is_empty());
}

#[test]
fn who_comes_back_in_time_goes_on_with_the_session_and_who_comes_later_does_not() {
    for (gap, sessions) in [(30 * SECOND, 1), (31 * SECOND, 2)] {
        let mut desk = Desk::new();
        let id = desk.sit(0, "p", "r");
        desk.tell(|study| study.seat_left(5 * MINUTE, &id));
        desk.tick_until(5 * MINUTE, 5 * MINUTE + gap);
        desk.sit(5 * MINUTE + gap, "p", "r");
        desk.tell(|study| study.finish(10 * MINUTE + gap));
        assert_eq!(desk.kept.sessions.len(), sessions, "{gap}");
        assert_eq!(desk.kept.total("p"), 10 * MINUTE);
    }
}

#[test]
fn what_is_counted_is_stored_as_it_grows() {
    let mut desk = Desk::new();
    desk.sit(0, "p", "r");
    for now in (0..20 * MINUTE).step_by(8_000) {
        desk.tell(|study| study.tick(now));
        // What would be left of it if the process ended here.
        assert!(now < MINUTE || desk.kept.total("p") == now, "{now}");
    }
    assert_eq!((desk.kept.sessions.len(), desk.kept.stretches.len()), (1, 1));
}

#[test]
fn a_clock_that_is_heard_of_late_takes_back_what_was_counted_since() {
    let mut desk = Desk::new();
    desk.tell(|study| study.clock_changed(0, "r", Mode::Focus));
    desk.sit(0, "p", "r");
    desk.tell(|study| study.tick(25 * MINUTE + 40));
    desk.tell(|study| study.clock_changed(25 * MINUTE, "r", Mode::Rest));
    desk.tell(|study| study.clock_changed(30 * MINUTE, "r", Mode::Focus));
    desk.tell(|study| study.finish(31 * MINUTE));
    assert_eq!(desk.kept.total("p"), 26 * MINUTE);
}

#[test]
fn a_clock_that_is_heard_of_late_counts_nothing_from_before_somebody_came() {
    let mut desk = Desk::new();
    desk.tell(|study| study.clock_changed(0, "r", Mode::Rest));
    desk.sit(10 * MINUTE, "p", "r");
    desk.tell(|study| study.clock_changed(5 * MINUTE, "r", Mode::Focus));
    desk.tell(|study| study.finish(12 * MINUTE));
    assert_eq!(desk.kept.total("p"), 2 * MINUTE);
}

#[test]
fn who_interrupts_themselves_without_end_takes_no_memory() {
    let mut desk = Desk::new();
    let id = desk.sit(0, "p", "r");
    for step in 0..u64::from(MAX_STRETCHES) * 4 {
        let status = if step % 2 == 0 { Status::Away } else { Status::Focusing };
        desk.tell(|study| study.status_changed((step + 1) * 100, &id, status));
        let sessions = &desk.study.people["p"].sessions;
        assert!(sessions.len() <= 1 && sessions[0].stretches.len() <= MAX_STRETCHES as usize);
    }
    desk.tell(|study| study.finish(u64::from(MAX_STRETCHES) * 400));
    assert_eq!(desk.kept.total("p"), u64::from(MAX_STRETCHES) * 200);
    assert!(desk.kept.sessions.len() >= 2);
}

#[test]
fn people_who_are_gone_are_remembered_up_to_a_limit() {
    let mut study = Study::new(Rules::default());
    for number in 0..MAX_PEOPLE + 100 {
        let id = ParticipantId::random();
        study.seat_taken(0, &format!("p{number}"), "r", &id);
        study.seat_left(5 * MINUTE, &id);
    }
    assert_eq!(study.people.len(), MAX_PEOPLE);
    study.tick(6 * MINUTE);
    assert!(study.people.is_empty() && study.seats.is_empty());
}

/// What can happen, in seconds and small numbers.
#[derive(Clone, Debug)]
enum Event {
    Sit { person: usize, room: usize },
    Leave { seat: usize },
    Status { seat: usize, status: Status },
    Clock { room: usize, mode: Mode },
    Sign { seat: usize },
    Tick,
}

fn any_event() -> impl Strategy<Value = Event> {
    let status = prop_oneof![3 => Just(Status::Focusing), 1 => Just(Status::Away), 1 => Just(Status::Break)];
    let mode = prop_oneof![Just(Mode::Free), Just(Mode::Focus), Just(Mode::Rest)];
    prop_oneof![
        3 => (0_usize..2, 0_usize..3).prop_map(|(person, room)| Event::Sit { person, room }),
        2 => (0_usize..20).prop_map(|seat| Event::Leave { seat }),
        2 => (0_usize..20, status).prop_map(|(seat, status)| Event::Status { seat, status }),
        2 => (0_usize..3, mode).prop_map(|(room, mode)| Event::Clock { room, mode }),
        3 => (0_usize..20).prop_map(|seat| Event::Sign { seat }),
        1 => Just(Event::Tick),
    ]
}

/// Small enough that a few minutes reach them.
const TESTED: Rules = Rules { idle_ms: 40 * SECOND, longest_ms: 200 * SECOND, shortest_ms: 0, grace_ms: 15 * SECOND };

/// The same rules, looked at second by second and without any cleverness.
#[derive(Default)]
struct Naive {
    /// Person, room, status, and whether still taken.
    seats: Vec<(usize, usize, Status, bool)>,
    modes: [Mode; 3],
    people: [NaivePerson; 2],
}

#[derive(Default)]
struct NaivePerson {
    last_sign: u64,
    is_dormant: bool,
    /// Room, kind, and since when.
    current: Option<(usize, StudyKind, u64)>,
    /// When the session of each room began, and since when nobody sits there.
    sessions: BTreeMap<usize, (u64, Option<u64>)>,
    seconds: u64,
}

impl Naive {
    fn choose(&mut self, now: u64, person: usize) {
        let mine: Vec<_> = self.seats.iter().filter(|seat| seat.0 == person && seat.3).collect();
        let kind = |seat: &&&(usize, usize, Status, bool)| StudyKind::of(self.modes[seat.1], seat.2);
        let known = &mut self.people[person];
        let is_current = |room: usize| known.current.is_some_and(|current| current.0 == room);
        let pick = |wanted: StudyKind| {
            let with: Vec<_> = mine.iter().filter(|seat| kind(seat) == Some(wanted)).map(|seat| seat.1).collect();
            with.iter().copied().find(|room| is_current(*room)).or(with.first().copied()).map(|room| (room, wanted))
        };
        let wanted = if known.is_dormant { None } else { pick(StudyKind::Focus).or_else(|| pick(StudyKind::Free)) };
        if wanted == known.current.map(|(room, kind, _)| (room, kind)) {
            return;
        }
        known.current = wanted.map(|(room, kind)| (room, kind, now));
        if let Some((room, ..)) = known.current {
            let session = known.sessions.entry(room).or_insert((now, None));
            if now >= session.0 + TESTED.longest_ms / SECOND {
                *session = (now, None);
            }
        }
    }

    fn second(&mut self, now: u64) {
        for person in 0..self.people.len() {
            let known = &mut self.people[person];
            let Some((room, kind, since)) = known.current else { continue };
            let idle = TESTED.idle_ms / SECOND;
            let is_idle = kind == StudyKind::Free && now >= known.last_sign.max(since) + idle;
            if is_idle || now >= known.sessions[&room].0 + TESTED.longest_ms / SECOND {
                known.sessions.remove(&room);
                known.current = None;
                known.is_dormant = now >= known.last_sign + idle;
                self.choose(now, person);
            }
        }
    }

    fn happen(&mut self, now: u64, event: &Event) {
        match *event {
            Event::Sit { person, room } => {
                self.seats.push((person, room, Status::default(), true));
                let known = &mut self.people[person];
                known.sessions.retain(|_, (_, left)| left.is_none_or(|left| now - left <= TESTED.grace_ms / SECOND));
                if let Some(session) = known.sessions.get_mut(&room) {
                    session.1 = None;
                }
                self.sign(now, person);
            }
            Event::Leave { seat } => {
                let Some(taken) = self.seats.get_mut(seat).filter(|taken| taken.3) else { return };
                taken.3 = false;
                let person = taken.0;
                self.choose(now, person);
                let taken = |room: usize| self.seats.iter().any(|seat| seat.0 == person && seat.1 == room && seat.3);
                for (room, session) in &mut self.people[person].sessions {
                    if !taken(*room) {
                        session.1.get_or_insert(now);
                    }
                }
            }
            Event::Status { seat, status } => {
                let Some(taken) = self.seats.get_mut(seat).filter(|taken| taken.3) else { return };
                taken.2 = status;
                let person = taken.0;
                self.choose(now, person);
            }
            Event::Clock { room, mode } => {
                self.modes[room] = mode;
                (0..self.people.len()).for_each(|person| self.choose(now, person));
            }
            Event::Sign { seat } => {
                let Some(person) = self.seats.get(seat).filter(|taken| taken.3).map(|taken| taken.0) else { return };
                self.sign(now, person);
            }
            Event::Tick => {}
        }
    }

    fn sign(&mut self, now: u64, person: usize) {
        self.people[person].last_sign = now;
        self.people[person].is_dormant = false;
        self.choose(now, person);
    }
}

fn happen(study: &mut Study, ids: &mut Vec<ParticipantId>, now_ms: u64, event: &Event) -> Vec<Record> {
    match *event {
        Event::Sit { person, room } => {
            ids.push(ParticipantId::random());
            study.seat_taken(now_ms, &format!("p{person}"), &format!("r{room}"), &ids[ids.len() - 1])
        }
        Event::Leave { seat } => ids.get(seat).map_or_else(Vec::new, |id| study.seat_left(now_ms, id)),
        Event::Status { seat, status } => {
            ids.get(seat).map_or_else(Vec::new, |id| study.status_changed(now_ms, id, status))
        }
        Event::Clock { room, mode } => study.clock_changed(now_ms, &format!("r{room}"), mode),
        Event::Sign { seat } => ids.get(seat).map_or_else(Vec::new, |id| study.sign_of_life(now_ms, id)),
        Event::Tick => study.tick(now_ms),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn it_counts_what_somebody_counts_who_looks_every_second(
        events in prop::collection::vec((0_u64..25, any_event()), 1..80)
    ) {
        let (mut study, mut ids, mut kept) = (Study::new(TESTED), Vec::new(), Kept::default());
        let (mut naive, mut now) = (Naive::default(), 0);
        for (wait, event) in &events {
            for _ in 0..*wait {
                for known in naive.people.iter_mut().filter(|known| known.current.is_some()) {
                    known.seconds += 1;
                }
                now += 1;
                naive.second(now);
            }
            naive.happen(now, event);
            kept.take(happen(&mut study, &mut ids, now * SECOND, event));
        }
        kept.take(study.finish(now * SECOND));
        for (number, known) in naive.people.iter().enumerate() {
            let person = format!("p{number}");
            prop_assert_eq!(kept.total(&person), known.seconds * SECOND, "{}", person);
            let stretches = kept.of(&person);
            for pair in stretches.windows(2) {
                prop_assert!(pair[0].ended_at_ms <= pair[1].started_at_ms, "counted twice: {:?}", pair);
            }
        }
        for session in kept.sessions.values() {
            prop_assert!(session.ended_at_ms - session.started_at_ms <= TESTED.longest_ms, "{:?}", session);
        }
    }

    #[test]
    fn clocks_that_are_heard_of_late_never_make_more_than_the_time_that_passed(
        events in prop::collection::vec((0_u64..25_000, 0_u64..100_000, any_event()), 1..80)
    ) {
        let (mut study, mut ids, mut kept, mut now) = (Study::new(TESTED), Vec::new(), Kept::default(), 100_000);
        let began = now;
        for (wait, late, event) in &events {
            now += wait;
            let at = if matches!(event, Event::Clock { .. }) { now - late } else { now };
            kept.take(happen(&mut study, &mut ids, at, event));
        }
        kept.take(study.finish(now));
        for person in ["p0", "p1"] {
            prop_assert!(kept.total(person) <= now - began);
            for pair in kept.of(person).windows(2) {
                prop_assert!(pair[0].ended_at_ms <= pair[1].started_at_ms, "counted twice: {:?}", pair);
            }
        }
    }
}
