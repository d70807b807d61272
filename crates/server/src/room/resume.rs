//! Seats outlive their connections: who loses the network finds place, media and what was said again, when they come
//! back in time.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tracing::info;

use super::seat::{Outlet, Seat};
use super::state::Effect;
use super::{Inner, ParticipantId, Room};
use crate::clock::now_ms;
use crate::signal::messages::{LeaveReason, Resume, RoomEvent, SeatResumed, Timer};

/// How long a seat is kept for somebody whose browser has closed the connection in an orderly way: a page that is
/// loaded again does that too, and is back by then.
const GOODBYE_GRACE: Duration = Duration::from_secs(3);

/// How a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Ending {
    /// The participant left.
    Left,
    /// The page was closed, or loaded again.
    Goodbye,
    /// Without a word.
    Lost,
}

impl Ending {
    fn reason(self) -> LeaveReason {
        match self {
            Self::Left | Self::Goodbye => LeaveReason::Left,
            Self::Lost => LeaveReason::Lost,
        }
    }
}

impl Room {
    /// Takes the seat again that is kept for this person; `None` when there is none, or the token is another one's.
    /// The connection that still holds it is closed: the newest wins.
    pub(crate) fn resume(self: &Arc<Self>, person: &str, resume: &Resume) -> Option<Seat> {
        let mut inner = self.lock();
        // All are compared, so that the time tells nothing.
        let opened = inner.seats.iter_mut().filter(|(_, entry)| entry.kept.opens_with(person, &resume.resume_token));
        let (id, entry) = opened.last()?;
        let connection = entry.kept.take_again(&resume.resume_token, resume.last_seq);
        let id = id.clone();
        if let Some(old) = entry.outlet.take() {
            old.replaced();
        }
        Some(Seat::new(Arc::clone(self), id, connection))
    }

    /// The participant can hear from now on, for the first time or again. False when the seat is not this
    /// connection's any more.
    pub(crate) fn enter(&self, id: &ParticipantId, connection: u64, outlet: Outlet) -> bool {
        let mut inner = self.lock();
        let Some(entry) = inner.seats.get_mut(id).filter(|entry| entry.kept.is_held_by(connection)) else {
            return false;
        };
        if entry.kept.has_entered {
            self.enter_again(&mut inner, id, outlet);
            return true;
        }
        entry.kept.has_entered = true;
        entry.outlet = Some(outlet);
        let mut effects = inner.state.enter(self.studies.now_ms(), id);
        if !inner.state.waiting.is_empty() {
            effects.extend(inner.state.waiting_told());
        }
        inner.put_token(id, &mut effects);
        inner.emit(self, effects);
        true
    }

    /// Tells what was missed, or everything anew when that is too much or the client has forgotten it all.
    fn enter_again(&self, inner: &mut Inner, id: &ParticipantId, outlet: Outlet) {
        let Some(entry) = inner.seats.get_mut(id) else { return };
        let last_seq = entry.kept.last_seq;
        let missed = if last_seq == 0 { None } else { entry.kept.log.since(last_seq) };
        info!(room = self.id, replayed = missed.as_ref().map(Vec::len), "a participant is back on their seat");
        if last_seq == 0 {
            // A page that was loaded again has nothing of what it made before.
            entry.kept.log.forget_standing();
            let media = mem::take(&mut entry.media);
            for producer in media.producer_ids() {
                inner.producer_gone(self, id, &producer);
            }
            media.close();
        }
        if let Some(missed) = missed {
            inner.tell_again(id, &outlet, &missed);
        } else {
            if let Some(entry) = inner.seats.get_mut(id) {
                entry.outlet = Some(outlet.clone());
            }
            let mut effects = inner.state.greeting(self.studies.now_ms(), id);
            inner.put_token(id, &mut effects);
            inner.emit(self, effects);
        }
        if let Some(entry) = inner.seats.get_mut(id) {
            for event in entry.kept.log.standing() {
                outlet.emit(event);
            }
            entry.outlet = Some(outlet);
        }
        let effects = inner.state.set_away(id, false).into_iter().collect();
        inner.emit(self, effects);
    }

    /// A connection that held a seat is gone. Unless its owner left, the seat is kept for a while.
    pub(crate) fn let_go(self: &Arc<Self>, id: &ParticipantId, connection: u64, ending: Ending) {
        let grace = match ending {
            Ending::Left => Duration::ZERO,
            Ending::Goodbye => GOODBYE_GRACE.min(self.grace),
            Ending::Lost => self.grace,
        };
        let mut inner = self.lock();
        let held = inner.seats.get_mut(id).filter(|entry| entry.kept.is_held_by(connection));
        let Some(entry) = held else { return };
        entry.kept.let_go();
        entry.outlet = None;
        let runtime = tokio::runtime::Handle::try_current().ok().filter(|_| !grace.is_zero());
        let Some(runtime) = runtime.filter(|_| entry.kept.has_entered) else {
            drop(inner);
            return self.leave(id, ending.reason());
        };
        let effects = inner.state.set_away(id, true).into_iter().collect();
        inner.emit(self, effects);
        drop(inner);
        let (room, id) = (Arc::downgrade(self), id.clone());
        runtime.spawn(async move {
            tokio::time::sleep(grace).await;
            if let Some(room) = room.upgrade() {
                room.expire(&id, connection, ending.reason());
            }
        });
    }

    /// Nobody came back in time.
    fn expire(&self, id: &ParticipantId, connection: u64, reason: LeaveReason) {
        let is_left = self.lock().seats.get(id).is_some_and(|entry| entry.kept.is_left_by(connection));
        if is_left {
            self.leave(id, reason);
        }
    }

    /// The client of this connection has its token.
    pub(crate) fn confirm_token(&self, id: &ParticipantId, connection: u64) {
        let mut inner = self.lock();
        if let Some(entry) = inner.seats.get_mut(id).filter(|entry| entry.kept.is_held_by(connection)) {
            entry.kept.confirm_token();
        }
    }
}

impl Inner {
    /// Each state of the room comes with the token to come back to it.
    fn put_token(&mut self, id: &ParticipantId, effects: &mut [Effect]) {
        let Some(entry) = self.seats.get_mut(id) else { return };
        for effect in effects {
            if let RoomEvent::RoomState(state) = &mut effect.event {
                state.self_info.resume_token = entry.kept.renew_token();
            }
        }
    }

    fn tell_again(&mut self, id: &ParticipantId, outlet: &Outlet, missed: &[(u64, Arc<RoomEvent>)]) {
        let Some(entry) = self.seats.get_mut(id) else { return };
        let now_ms = now_ms();
        outlet.emit(&RoomEvent::Resumed(SeatResumed {
            participant_id: id.to_string(),
            resume_token: entry.kept.renew_token(),
            server_time_ms: now_ms,
        }));
        for (seq, event) in missed {
            match &**event {
                RoomEvent::Timer(timer) => {
                    outlet.emit_numbered(*seq, &RoomEvent::Timer(told_now(now_ms, timer.clone())))
                }
                event => outlet.emit_numbered(*seq, event),
            };
        }
    }
}

/// A clock as it is told now: clients take the server's time from it.
fn told_now(now_ms: u64, timer: Timer) -> Timer {
    let remaining_ms = timer.ends_at_ms.map_or(timer.remaining_ms, |ends_at_ms| ends_at_ms.saturating_sub(now_ms));
    Timer { remaining_ms, server_time_ms: now_ms, ..timer }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::messages::{PhaseKind, TimerControl, TimerState};

    #[test]
    fn a_clock_that_is_told_again_is_told_by_the_present_time() {
        let running = Timer {
            state: TimerState::Running,
            phase: PhaseKind::Focus,
            phases: Vec::new(),
            index: 0,
            cycle: 0,
            ends_at_ms: Some(10_000),
            remaining_ms: 9_000,
            controlled_by: TimerControl::Everyone,
            server_time_ms: 1_000,
        };
        let told = told_now(4_000, running.clone());
        assert_eq!((told.remaining_ms, told.server_time_ms, told.ends_at_ms), (6_000, 4_000, Some(10_000)));
        assert_eq!(told_now(11_000, running.clone()).remaining_ms, 0);
        let paused = Timer { ends_at_ms: None, ..running };
        assert_eq!(told_now(4_000, paused).remaining_ms, 9_000);
    }
}
