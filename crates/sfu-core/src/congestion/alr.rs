//! Whether less is sent than may be: then what arrives says nothing of what could.

use std::time::{Duration, Instant};

/// Less than this share of the rate, in percent, is little.
const LITTLE_PERCENT: u64 = 65;

/// The time that is looked at.
const WINDOW: Duration = Duration::from_millis(500);

/// It is looked at this often, not at each packet.
const STEP: Duration = Duration::from_millis(5);

/// With so many percent of the window's budget unused it begins, and with fewer than so many it ends.
const BEGIN_PERCENT: i64 = 80;
const END_PERCENT: i64 = 50;

/// Tells whether the application limits what is sent.
#[derive(Debug, Default)]
pub(crate) struct ApplicationLimited {
    /// Bytes that could have been sent and were not, or negative.
    unused: i64,
    at: Option<Instant>,
    since: Option<Instant>,
    /// Bytes that were not looked at yet.
    pending: usize,
}

impl ApplicationLimited {
    /// Takes in that `bytes` were sent while `rate` bits a second were allowed.
    pub(crate) fn note(&mut self, now: Instant, bytes: usize, rate: u64) {
        self.pending += bytes;
        if self.at.is_some_and(|at| now.saturating_duration_since(at) < STEP) {
            return;
        }
        let bytes = std::mem::take(&mut self.pending);
        let elapsed = self.at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at)).min(WINDOW);
        let budget = |time: Duration| (rate * LITTLE_PERCENT / 100 * time.as_micros() as u64 / 8_000_000) as i64;
        let most = budget(WINDOW).max(1);
        self.unused = (self.unused + budget(elapsed) - bytes as i64).clamp(-most, most);
        let percent = self.unused * 100 / most;
        if percent > BEGIN_PERCENT {
            self.since.get_or_insert(now);
        } else if percent < END_PERCENT {
            self.since = None;
        }
    }

    /// Since when little is sent.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_and_ends_with_what_is_sent() {
        let start = crate::some_instant();
        let mut limited = ApplicationLimited::default();
        let mut run = |from: u64, bytes| {
            for step in 0..300 {
                limited.note(start + Duration::from_millis(from + step * 10), bytes, 1_000_000);
            }
            limited.since().is_some()
        };
        assert!(!run(0, 1250), "all that may be");
        assert!(run(3000, 200), "a sixth");
        assert!(!run(6000, 1000), "four fifths");
    }
}
