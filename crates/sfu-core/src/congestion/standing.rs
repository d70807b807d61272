//! Finds a queue that neither grows nor drains, which the trend of the delay does not show, and says how long to send how
//! much less until it is empty.

use std::time::{Duration, Instant};

/// A queue of this length is to be drained, in µs.
const TOO_LONG: i64 = 80_000;

/// It is drained when it is no longer than this, in µs.
const SHORT: i64 = 30_000;

/// The least delay of this time is the delay now: jitter adds to it only.
const RECENT: Duration = Duration::from_millis(300);

/// The least delay of this time tells a queue that grows from packets that were held up on a busy machine.
const FRESH: Duration = Duration::from_millis(20);

/// Packets of the last 100 to 200 ms that waited no less than this, in µs, came one behind the other.
const MOMENT: Duration = Duration::from_millis(100);
const LONG: i64 = 60_000;

/// A queue that grows is longer than this, in µs.
const GROWN: i64 = 8_000;

/// The least delay of one to two such times is the delay of the empty path: a clock drifts, and a path changes.
const BASE: Duration = Duration::from_secs(10);

/// While a queue drains, so much of what the path carries is sent, in percent; and afterwards.
const DRAIN_PERCENT: u64 = 70;
const AFTER_PERCENT: u64 = 95;

/// Longest time that a queue is given to drain.
const MAX_DRAIN: Duration = Duration::from_millis(2500);

/// A queue that did not drain so many times is none: the path is longer now, or somebody else fills it.
const ATTEMPTS: u8 = 3;

/// What to do about a standing queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Advice {
    /// Nothing.
    Free,
    /// Send no more than this, in bits a second.
    Drain(u64),
    /// It is drained; this is what the path carries, in bits a second.
    Drained(u64),
}

#[derive(Clone, Copy, Debug)]
struct Least {
    since: Instant,
    now: i64,
    before: i64,
}

impl Least {
    fn note(this: &mut Option<Self>, at: Instant, window: Duration, delay: i64) {
        let least = this.get_or_insert(Self { since: at, now: delay, before: delay });
        if at.saturating_duration_since(least.since) >= window {
            *least = Self { since: at, now: delay, before: least.now };
        }
        least.now = least.now.min(delay);
    }

    fn value(self) -> i64 {
        self.now.min(self.before)
    }
}

/// The length of the queue of one path.
#[derive(Debug, Default)]
pub(crate) struct StandingQueue {
    epoch: Option<Instant>,
    base: Option<Least>,
    recent: Option<Least>,
    fresh: Option<Least>,
    behind: Option<Least>,
    /// While it drains: until when at most, and what the path carries.
    drain: Option<(Instant, u64)>,
    failed: u8,
}

impl StandingQueue {
    /// Takes in that a packet sent at `sent_at` arrived at `arrival`, in µs on the peer's clock.
    pub(crate) fn receive(&mut self, sent_at: Instant, arrival: i64) {
        let epoch = *self.epoch.get_or_insert(sent_at);
        let delay = arrival - sent_at.saturating_duration_since(epoch).as_micros() as i64;
        Least::note(&mut self.base, sent_at, BASE, delay);
        Least::note(&mut self.recent, sent_at, RECENT, delay);
        Least::note(&mut self.fresh, sent_at, FRESH, delay);
        Least::note(&mut self.behind, sent_at, MOMENT, delay);
    }

    /// Whether there is a queue at all.
    pub(crate) fn is_there(&self) -> bool {
        match (self.fresh, self.base) {
            (Some(fresh), Some(base)) => fresh.value() - base.value() > GROWN,
            _ => true,
        }
    }

    /// Whether all that arrived in the last moment waited in a queue, so that it came as fast as the path carries.
    pub(crate) fn is_long(&self) -> bool {
        match (self.behind, self.base) {
            (Some(behind), Some(base)) => behind.value() - base.value() > LONG,
            _ => false,
        }
    }

    /// Length of the queue in µs.
    fn length(&self) -> i64 {
        match (self.recent, self.base) {
            (Some(recent), Some(base)) => recent.value() - base.value(),
            _ => 0,
        }
    }

    /// What to do now, while `acknowledged` bits a second arrive.
    pub(crate) fn advise(&mut self, now: Instant, acknowledged: Option<u64>) -> Advice {
        let length = self.length();
        if let Some((until, carried)) = self.drain {
            if length > SHORT && now < until {
                return Advice::Drain(carried * DRAIN_PERCENT / 100);
            }
            self.drain = None;
            self.failed = if length > SHORT { self.failed + 1 } else { 0 };
            if self.failed >= ATTEMPTS {
                (self.base, self.failed) = (self.recent, 0);
            }
            return Advice::Drained(carried * AFTER_PERCENT / 100);
        }
        let Some(carried) = acknowledged.filter(|_| length > TOO_LONG) else { return Advice::Free };
        // With so much less sent the queue is empty after its length by what is left out.
        let time = Duration::from_micros(length.unsigned_abs() * 100 / (100 - DRAIN_PERCENT));
        self.drain = Some((now + (time + RECENT).min(MAX_DRAIN), carried));
        Advice::Drain(carried * DRAIN_PERCENT / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_queue_is_drained_and_a_longer_path_is_accepted() {
        let start = crate::some_instant();
        let mut queue = StandingQueue::default();
        let mut advice = Vec::new();
        for step in 0..2000_u64 {
            let now = start + Duration::from_millis(step * 10);
            let delay = match step {
                0..300 => 20_000,
                300..400 => 320_000,
                400..900 => 25_000,
                _ => 200_000,
            };
            queue.receive(now, (step * 10_000 + delay) as i64);
            let new = queue.advise(now, Some(1_000_000));
            if advice.last() != Some(&new) {
                advice.push(new);
            }
        }
        let once = [Advice::Free, Advice::Drain(700_000), Advice::Drained(950_000)];
        // The short queue once, the longer path until it is accepted.
        let free = advice.iter().filter(|advice| **advice == Advice::Free).count();
        assert_eq!(&advice[..3], once);
        let drains = advice.iter().filter(|advice| **advice == Advice::Drain(700_000)).count();
        assert_eq!((drains, advice.last()), (1 + usize::from(ATTEMPTS), Some(&Advice::Free)), "{free} of {advice:?}");
    }
}
