//! The clock of a room at work: who may control it, who is told, and the task that has it go on by itself.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::Row as _;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::{error, warn};

use super::clock::{BadPhases, Clock, Command, NotStarted, Phases};
use super::state::{Effect, State, To};
use super::study::Mode;
use super::{Inner, ParticipantId, Registry, Room};
use crate::db::Database;
use crate::error::{Code, Refusal};
use crate::signal::messages::{PhaseKind, Role, RoomEvent, RoomInfo, Timer, TimerControl, TimerStart};

/// Longest sleep: the machine's clock may be set, and does not stand while the machine sleeps.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Has the clock of a room go on, for as long as it is kept.
pub(super) struct Ticking {
    wake: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ticking {
    pub(super) fn start(room: Weak<Room>) -> Self {
        let wake = Arc::new(Notify::new());
        let task = tokio::spawn(tick(room, Arc::clone(&wake)));
        Self { wake, task }
    }

    fn wake(&self) {
        self.wake.notify_one();
    }
}

/// Sleeps until the phase ends, or somebody changes the clock.
async fn tick(room: Weak<Room>, wake: Arc<Notify>) {
    loop {
        let next = match room.upgrade() {
            Some(room) => room.advance_clock(),
            None => return,
        };
        match next {
            // Either way it is looked at again.
            Some(sleep) => drop(tokio::time::timeout(sleep.min(LONGEST_SLEEP), wake.notified()).await),
            None => wake.notified().await,
        }
    }
}

/// What `timer-start` asks for.
pub(crate) fn start_command(request: TimerStart) -> Result<Command, Refusal> {
    let refuse = |why: BadPhases| Refusal::bad_request(format!("timer-start.{why}"));
    let phases = match (request.preset, request.phases) {
        (None, None) => None,
        (Some(preset), None) => Some(Phases::preset(&preset).map_err(refuse)?),
        (None, Some(phases)) => Some(Phases::custom(phases).map_err(refuse)?),
        (Some(_), Some(_)) => {
            return Err(Refusal::bad_request("timer-start: at most one of preset and phases can be there."));
        }
    };
    Ok(Command::Start(phases))
}

/// Whether somebody with this role may control the clock.
fn may_control(control: TimerControl, role: Role) -> bool {
    control == TimerControl::Everyone || matches!(role, Role::Host | Role::Moderator)
}

impl State {
    /// Who may control the clock.
    fn timer_control(&self) -> TimerControl {
        self.about.policy.timer_control
    }

    /// The clock as everybody sees it.
    pub(super) fn timer(&self, now_ms: u64) -> Timer {
        self.clock.view(now_ms, self.timer_control())
    }
}

impl Room {
    /// What can be told to anybody, with the clock.
    pub(crate) fn info_with_timer(&self) -> RoomInfo {
        let inner = self.lock();
        RoomInfo { timer: Some(inner.state.timer(self.studies.now_ms())), ..inner.state.info() }
    }

    /// Does something to the clock; everybody is told.
    pub(crate) fn control_timer(&self, id: &ParticipantId, command: Command) -> Result<Timer, Refusal> {
        let mut inner = self.lock();
        inner.entry(id)?;
        if !may_control(inner.state.timer_control(), inner.state.role_of(id)) {
            let sentence = "Only the host and moderators control the clock of this room.";
            return Err(Refusal::new(Code::Forbidden, sentence));
        }
        let now_ms = self.studies.now_ms();
        let is_advanced = self.advance(&mut inner, now_ms);
        let changed = inner.state.clock.apply(now_ms, command);
        if is_advanced || changed == Ok(true) {
            self.clock_changed(&mut inner, now_ms);
        }
        let timer = inner.state.timer(now_ms);
        if changed.map_err(|NotStarted| Refusal::bad_request("The clock was not started; start it first."))? {
            self.studies.store_clock(&self.id, &inner.state.clock);
            self.wake_clock();
        }
        Ok(timer)
    }

    /// Looks at the clock anew.
    pub(crate) fn wake_clock(&self) {
        if let Some(ticking) = self.ticking.get() {
            ticking.wake();
        }
    }

    /// Goes on to the phase of now; how long until the next.
    fn advance_clock(&self) -> Option<Duration> {
        let mut inner = self.lock();
        let now_ms = self.studies.now_ms();
        if self.advance(&mut inner, now_ms) {
            self.clock_changed(&mut inner, now_ms);
        }
        let next_ms = inner.state.clock.next_change_at_ms()?;
        Some(Duration::from_millis(next_ms.saturating_sub(now_ms)))
    }

    /// Goes through the phases that have ended; whether there were any.
    fn advance(&self, inner: &mut Inner, now_ms: u64) -> bool {
        let mut is_advanced = false;
        inner.state.clock.advance(now_ms, |at_ms, kind| {
            is_advanced = true;
            let mode = if kind == PhaseKind::Focus { Mode::Focus } else { Mode::Rest };
            self.studies.clock_changed(at_ms, &self.id, mode);
        });
        is_advanced
    }

    /// The clock is in another phase, runs, or stands. Whatever depends on it follows here.
    fn clock_changed(&self, inner: &mut Inner, now_ms: u64) {
        let clock = &inner.state.clock;
        let mode = match (clock.is_idle(), clock.is_focus(now_ms)) {
            (true, _) => Mode::Free,
            (false, true) => Mode::Focus,
            (false, false) => Mode::Rest,
        };
        self.studies.clock_changed(now_ms, &self.id, mode);
        let event = RoomEvent::Timer(inner.state.timer(now_ms));
        inner.emit(self, vec![Effect { to: To::All, event }]);
        self.wake_policy();
    }

    /// Takes the clock that was stored.
    fn restore_clock(&self, clock: Clock) {
        let mut inner = self.lock();
        inner.state.clock = clock;
        let now_ms = self.studies.now_ms();
        inner.state.clock.advance(now_ms, |_, _| {});
        self.clock_changed(&mut inner, now_ms);
        drop(inner);
        self.wake_clock();
    }
}

impl Registry {
    /// Sets the clocks of all rooms as they were when the server ended, and goes on with them.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn restore_clocks(&self, db: &Database) -> Result<(), sqlx::Error> {
        let rows = sqlx::query("SELECT room_id, state FROM clocks").fetch_all(db.pool()).await?;
        let mut states = HashMap::with_capacity(rows.len());
        for row in rows {
            states.insert(row.try_get::<String, _>("room_id")?, row.try_get::<String, _>("state")?);
        }
        for room in self.iter() {
            let Some(state) = states.get(room.id()) else { continue };
            match Clock::from_stored(state, room.studies.now_ms()) {
                Ok(clock) => room.restore_clock(clock),
                Err(error) => error!(room = room.id(), %error, "a stored clock is damaged; the room's clock stands"),
            }
            states.remove(room.id());
        }
        if !states.is_empty() {
            warn!(count = states.len(), "there are clocks of rooms that are not there");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::messages::Phase;

    #[test]
    fn a_clock_for_the_host_is_not_for_members_and_guests() {
        for role in [Role::Host, Role::Moderator, Role::Member, Role::Guest] {
            assert!(may_control(TimerControl::Everyone, role));
            let may = matches!(role, Role::Host | Role::Moderator);
            assert_eq!(may_control(TimerControl::Host, role), may, "{role:?}");
        }
    }

    #[test]
    fn a_start_takes_a_preset_or_phases_and_not_both() {
        let phases = || vec![Phase { kind: PhaseKind::Focus, duration_ms: 1_000 }];
        let start = |preset: Option<&str>, phases| start_command(TimerStart { preset: preset.map(Into::into), phases });
        assert_eq!(start(None, None), Ok(Command::Start(None)));
        assert!(start(Some("25/5"), None).is_ok() && start(None, Some(phases())).is_ok());
        for (preset, phases) in [(Some("25/5"), Some(phases())), (Some("25"), None), (None, Some(Vec::new()))] {
            let refusal = start(preset, phases).unwrap_err();
            assert!(refusal.code == Code::BadRequest && refusal.sentence.starts_with("timer-start"), "{refusal}");
        }
    }
}
