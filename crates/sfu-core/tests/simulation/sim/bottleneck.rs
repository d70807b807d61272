//! The narrowest place of a path: a rate, and a queue before it that somebody else may share.

use std::time::{Duration, Instant};

/// What passes a link in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Narrow {
    /// Bits a second.
    pub(crate) rate: u64,
    /// Longest queue, as time at that rate; what comes then is lost.
    pub(crate) queue: Duration,
    /// Bytes that may pass at once after a pause: a token bucket.
    pub(crate) burst: u64,
    /// Bits a second that somebody else sends through it.
    pub(crate) other: u64,
}

impl Narrow {
    /// Bits a second that are left for us.
    pub(crate) fn left(&self) -> u64 {
        self.rate.saturating_sub(self.other).max(1)
    }
}

/// A narrow place and what passed it.
#[derive(Debug)]
pub(crate) struct Bottleneck {
    pub(crate) narrow: Narrow,
    /// When what is in the queue has passed.
    busy_until: Option<Instant>,
    /// Since the last look: bytes that passed, datagrams lost, time that each waited.
    pub(crate) passed: u64,
    pub(crate) dropped: u64,
    pub(crate) waited: Vec<Duration>,
}

impl Bottleneck {
    pub(crate) fn new(narrow: Narrow) -> Self {
        Self { narrow, busy_until: None, passed: 0, dropped: 0, waited: Vec::new() }
    }

    /// When a datagram that comes now has passed; `None` when it is lost.
    pub(crate) fn pass(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let left = self.narrow.left();
        let time = |bytes: u64| Duration::from_micros(bytes * 8_000_000 / left);
        // Tokens that were not used: the queue may begin that much in the past.
        let earliest = now.checked_sub(time(self.narrow.burst)).unwrap_or(now);
        let begins = self.busy_until.map_or(earliest, |busy| busy.max(earliest));
        let wait = begins.saturating_duration_since(now);
        if wait > self.narrow.queue {
            self.dropped += 1;
            return None;
        }
        let ends = begins + time(bytes as u64);
        self.busy_until = Some(ends);
        self.passed += bytes as u64;
        self.waited.push(ends.saturating_duration_since(now));
        Some(ends.max(now))
    }

    /// Forgets what passed so far.
    pub(crate) fn look_anew(&mut self) {
        (self.passed, self.dropped) = (0, 0);
        self.waited.clear();
    }

    /// The time that 95 % of the datagrams waited less than.
    pub(crate) fn delay_p95(&self) -> Duration {
        let mut waited = self.waited.clone();
        waited.sort_unstable();
        waited.get(waited.len() * 95 / 100).copied().unwrap_or_default()
    }
}
