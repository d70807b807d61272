//! Simulated time: begins somewhere and moves only when told.

use std::time::{Duration, Instant};

/// Time since the Unix epoch at which every simulation begins.
pub(crate) const UNIX_START: Duration = Duration::from_secs(1_700_000_000);

/// The clock of one simulation.
pub(crate) struct Clock {
    start: Instant,
    now: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "there is no other way to make the first instant")]
    pub(crate) fn new() -> Self {
        let start = Instant::now();
        Self { start, now: start }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Time since the simulation began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.now.duration_since(self.start)
    }

    /// Time since the simulation began, at `at`.
    pub(crate) fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    /// Moves on to `at`; never back.
    pub(crate) fn advance_to(&mut self, at: Instant) {
        self.now = self.now.max(at);
    }
}
