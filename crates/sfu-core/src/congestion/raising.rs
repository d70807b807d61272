//! When a picture may get better: the more rarely the more attempts failed. One that comes for a second and goes again is worse
//! than none.

use std::time::{Duration, Instant};

/// It is not raised for so long after it had to be lowered, at least and at most.
const MIN_PAUSE: Duration = Duration::from_secs(2);
const MAX_PAUSE: Duration = Duration::from_secs(32);

/// The same of all pictures of a viewer together.
const MAX_PAUSE_OF_ALL: Duration = Duration::from_secs(8);

/// What has to be lowered within this time after it was raised was raised in vain; what lasts for longer stands.
const TRIAL: Duration = Duration::from_secs(6);

/// A link that is believed to carry so much more than at the last failure, in percent, is another link.
const BETTER_PERCENT: u64 = 120;

/// What came of the attempts with one picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raising {
    pause: Duration,
    max_pause: Duration,
    raised_at: Option<Instant>,
    lowered_at: Option<Instant>,
    /// What the link was believed to carry when the attempt that failed last was made.
    failed_with: Option<u64>,
    raised_with: u64,
}

impl Raising {
    pub(crate) fn of_one() -> Self {
        Self::new(MAX_PAUSE)
    }

    /// Of all pictures of a viewer.
    pub(crate) fn of_all() -> Self {
        Self::new(MAX_PAUSE_OF_ALL)
    }

    fn new(max_pause: Duration) -> Self {
        Self { pause: MIN_PAUSE, max_pause, raised_at: None, lowered_at: None, failed_with: None, raised_with: 0 }
    }

    /// Whether it may be raised to a better layer on a link believed to carry `rate` bits a second.
    /// `nothing`: while there is none at all.
    pub(crate) fn is_allowed(&self, now: Instant, rate: u64, nothing: bool) -> bool {
        let Some(at) = self.lowered_at else { return true };
        let is_better = self.failed_with.is_some_and(|failed| rate > failed * BETTER_PERCENT / 100);
        let pause = if is_better || nothing { MIN_PAUSE } else { self.pause };
        now.saturating_duration_since(at) >= pause
    }

    /// Notes what it got on a link believed to carry `rate` bits a second.
    pub(crate) fn note(&mut self, now: Instant, rate: u64, raised: bool, lowered: bool) {
        let on_trial = self.raised_at.is_some_and(|at| now.saturating_duration_since(at) < TRIAL);
        if lowered {
            if on_trial {
                self.pause = (self.pause * 2).min(self.max_pause);
                self.failed_with = Some(self.raised_with);
            }
            (self.lowered_at, self.raised_at) = (Some(now), None);
        } else if self.raised_at.is_some() && !on_trial {
            (self.pause, self.failed_with) = (MIN_PAUSE, None);
        }
        if raised {
            (self.raised_at, self.raised_with) = (Some(now), rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn attempts_that_fail_become_rare_and_one_that_stands_ends_that() {
        let mut now = crate::some_instant();
        let mut raising = Raising::of_one();
        for pause in [4, 8, 16, 32, 32] {
            raising.note(now, 100, true, false);
            now += seconds(1);
            raising.note(now, 100, false, true);
            assert!(!raising.is_allowed(now + seconds(pause - 1), 100, false));
            now += seconds(pause);
            assert!(raising.is_allowed(now, 100, false));
        }
        raising.note(now, 100, true, false);
        now += seconds(7);
        raising.note(now, 100, false, false);
        raising.note(now, 100, false, true);
        assert!(raising.is_allowed(now + seconds(2), 100, false));
    }

    #[test]
    fn a_link_that_got_better_is_tried_soon() {
        let now = crate::some_instant();
        let mut raising = Raising::of_one();
        raising.note(now, 100, true, false);
        raising.note(now, 90, false, true);
        assert!(!raising.is_allowed(now + seconds(2), 110, false));
        assert!(raising.is_allowed(now + seconds(2), 121, false));
    }
}
