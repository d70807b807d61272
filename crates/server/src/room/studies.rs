//! Everybody's study as rooms tell of it, and how it gets into the database. A room may hold its lock while it tells; nothing
//! here ever asks for a room.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::ParticipantId;
use super::clock::Clock;
use super::study::{Mode, Record, Rules, Study};
use crate::clock::Wall;
use crate::db::{Later, Statement};
use crate::operations::webhooks::Webhooks;
use crate::signal::messages::Status;

/// How often what was counted is stored: no crash costs more than ten seconds, with two of them to write it.
const STORE_EVERY: Duration = Duration::from_secs(8);

const SESSION: &str = "INSERT INTO study_sessions (id, person, room_id, started_at_ms, ended_at_ms, studied_ms) \
    VALUES ($1, $2, $3, $4, $5, $6) \
    ON CONFLICT (id) DO UPDATE SET ended_at_ms = excluded.ended_at_ms, studied_ms = excluded.studied_ms";
const STRETCH: &str = "INSERT INTO study_phases (session_id, started_at_ms, ended_at_ms, kind) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (session_id, started_at_ms) DO UPDATE SET ended_at_ms = excluded.ended_at_ms, kind = excluded.kind";
const CLOCK: &str = "INSERT INTO clocks (room_id, state, changed_at_ms) VALUES ($1, $2, $3) \
    ON CONFLICT (room_id) DO UPDATE SET state = excluded.state, changed_at_ms = excluded.changed_at_ms";

/// The time studied in all rooms.
pub(crate) struct Studies {
    study: Mutex<Study>,
    later: Later,
    /// Hear of sessions that are over.
    webhooks: Webhooks,
    wall: Wall,
    /// The time was put forward.
    jumped: Notify,
}

impl Studies {
    /// Nobody is there yet.
    pub(crate) fn new(later: Later, webhooks: Webhooks) -> Self {
        let study = Mutex::new(Study::new(Rules::default()));
        Self { study, later, webhooks, wall: Wall::default(), jumped: Notify::new() }
    }

    /// The time that clocks and study go by.
    pub(crate) fn now_ms(&self) -> u64 {
        self.wall.now_ms()
    }

    /// Has time pass, for tests.
    pub(crate) fn put_forward(&self, ms: u64) {
        self.wall.put_forward(ms);
        self.jumped.notify_one();
    }

    /// A person sat down in a room.
    pub(super) fn seat_taken(&self, person: &str, room_id: &str, id: &ParticipantId) {
        self.tell(|study, now_ms| study.seat_taken(now_ms, person, room_id, id));
    }

    /// A seat is free again.
    pub(super) fn seat_left(&self, id: &ParticipantId) {
        self.tell(|study, now_ms| study.seat_left(now_ms, id));
    }

    /// Somebody is at something else.
    pub(crate) fn status_changed(&self, id: &ParticipantId, status: Status) {
        self.tell(|study, now_ms| study.status_changed(now_ms, id, status));
    }

    /// Somebody did something.
    pub(crate) fn sign_of_life(&self, id: &ParticipantId) {
        self.tell(|study, now_ms| study.sign_of_life(now_ms, id));
    }

    /// The clock of a room says something else, since `at_ms`.
    pub(super) fn clock_changed(&self, at_ms: u64, room_id: &str, mode: Mode) {
        self.tell(|study, _| study.clock_changed(at_ms, room_id, mode));
    }

    /// The clock of a room was changed by somebody. That it goes on by itself need not be stored.
    pub(super) fn store_clock(&self, room_id: &str, clock: &Clock) {
        let statement = Statement::new(CLOCK).text(room_id).text(clock.to_stored()).number(self.now_ms());
        self.later.store(vec![statement]);
    }

    /// Stores what was counted, again and again.
    pub(crate) async fn store_always(&self) {
        loop {
            // Whether it was the time or a jump makes no difference.
            let _ = tokio::time::timeout(STORE_EVERY, self.jumped.notified()).await;
            self.tell(Study::tick);
        }
    }

    /// A person is no more.
    pub(crate) fn forget_person(&self, person: &str) {
        self.lock().forget_person(person);
    }

    /// Ends all sessions: the server stops.
    pub(crate) fn finish(&self) {
        self.tell(Study::finish);
    }

    /// What follows is queued while the lock is held, so that it is stored in its order.
    fn tell(&self, event: impl FnOnce(&mut Study, u64) -> Vec<Record>) {
        let mut study = self.lock();
        for record in event(&mut study, self.now_ms()) {
            if record.is_finished {
                self.webhooks.session_finished(&record);
            }
            self.later.store(statements(record));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Study> {
        // A panic while it was held broke one count; the others are right.
        self.study.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn statements(record: Record) -> Vec<Statement> {
    let session = Statement::new(SESSION)
        .text(record.session_id.as_str())
        .text(record.person)
        .text(record.room_id)
        .number(record.started_at_ms)
        .number(record.ended_at_ms)
        .number(record.studied_ms);
    let stretches = record.stretches.iter().map(|stretch| {
        Statement::new(STRETCH)
            .text(record.session_id.as_str())
            .number(stretch.started_at_ms)
            .number(stretch.ended_at_ms)
            .text(stretch.kind.as_str())
    });
    std::iter::once(session).chain(stretches).collect()
}
