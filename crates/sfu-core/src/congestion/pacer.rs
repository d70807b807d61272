//! Spreads what is sent to one viewer over time: a key frame that leaves in one burst fills queues on the way and pushes
//! sound aside. Sound itself never waits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets leave this much faster than the link is believed to carry, in percent: what leaves faster waits in the link instead,
/// and sound behind it; what is spread thinner waits here though the link would carry it.
const FACTOR_PERCENT: u64 = 120;

/// What may leave at once, as time at the pacing rate.
const BURST: Duration = Duration::from_millis(5);

/// And in bytes at least: a small frame is not worth waiting.
const MIN_BURST_BYTES: u64 = 3_000;

/// No packet waits longer: the rate rises with the queue.
pub(super) const MAX_DELAY: Duration = Duration::from_millis(500);

/// What left faster than the rate allows is not held against what follows for longer than this: sound and repairs do not
/// wait, and after a storm of them pictures would.
pub(super) const MAX_DEBT: Duration = Duration::from_millis(150);

/// Packets that may wait; more are sent at once.
pub(super) const MAX_QUEUED: usize = 2_048;

/// Waiting packets that there is room for from the start.
const USUAL_QUEUED: usize = 64;

/// While packets wait it is looked after them so often.
const TICK: Duration = Duration::from_millis(2);

/// Paces the packets of one transport; `T` tells how a waiting packet is to be sent.
pub(crate) struct Pacer<T> {
    /// Bits a second.
    rate: u64,
    /// Bytes that were sent faster than the rate allows.
    debt: u64,
    debt_at: Instant,
    queue: VecDeque<(T, u16)>,
    queued_bytes: u64,
    /// Bits a second at which the queue leaves in time.
    needed: u64,
    next_at: Option<Instant>,
}

impl<T> Pacer<T> {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            rate: 0,
            debt: 0,
            debt_at: now,
            queue: VecDeque::with_capacity(USUAL_QUEUED),
            queued_bytes: 0,
            needed: 0,
            next_at: None,
        }
    }

    /// Sets what the link is believed to carry, in bits a second.
    pub(crate) fn set_link_rate(&mut self, now: Instant, bits: u64) {
        self.pay(now);
        self.rate = bits.saturating_mul(FACTOR_PERCENT) / 100;
    }

    /// Bits a second at which packets leave now.
    fn rate(&self) -> u64 {
        self.rate.max(self.needed).max(1)
    }

    fn pay(&mut self, now: Instant) {
        // The rate may have fallen.
        self.debt = self.debt.min(self.max_debt(MIN_BURST_BYTES));
        if self.debt == 0 || now <= self.debt_at {
            self.debt_at = now.max(self.debt_at);
            return;
        }
        let micros = now.saturating_duration_since(self.debt_at).min(Duration::from_secs(1)).as_micros() as u64;
        self.debt = self.debt.saturating_sub(self.rate().saturating_mul(micros) / 8_000_000);
        self.debt_at = now;
    }

    fn burst(&self) -> u64 {
        (self.rate() * BURST.as_micros() as u64 / 8_000_000).max(MIN_BURST_BYTES)
    }

    /// Whether a packet has to wait for its turn now.
    pub(crate) fn is_busy(&mut self, now: Instant) -> bool {
        if self.queue.is_empty() {
            self.pay(now);
            return self.debt >= self.burst();
        }
        self.queue.len() < MAX_QUEUED
    }

    /// Notes that `bytes` left, whether they waited or not.
    pub(crate) fn note_sent(&mut self, now: Instant, bytes: usize) {
        self.pay(now);
        let bytes = bytes as u64;
        self.debt = (self.debt + bytes).min(self.max_debt(self.burst() + bytes));
    }

    /// The largest debt in bytes, or `least` where that is more.
    fn max_debt(&self, least: u64) -> u64 {
        (self.rate().saturating_mul(MAX_DEBT.as_micros() as u64) / 8_000_000).max(least)
    }

    /// Has a packet of `bytes` wait.
    pub(crate) fn push(&mut self, now: Instant, packet: T, bytes: usize) {
        let bytes = bytes.min(usize::from(u16::MAX)) as u16;
        self.queue.push_back((packet, bytes));
        self.queued_bytes += u64::from(bytes);
        self.pay(now);
        self.needed = self.needed.max(self.queued_bytes * 8_000 / MAX_DELAY.as_millis() as u64);
        self.next_at.get_or_insert(now + TICK);
    }

    /// The next packet whose turn has come. Note it as sent before asking again.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<T> {
        self.pay(now);
        if self.debt >= self.burst() {
            self.next_at = (!self.queue.is_empty()).then_some(now + TICK);
            return None;
        }
        let Some((packet, bytes)) = self.queue.pop_front() else {
            self.next_at = None;
            self.needed = 0;
            return None;
        };
        self.queued_bytes -= u64::from(bytes);
        Some(packet)
    }

    /// When to ask for packets.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next_at
    }

    /// How long the last of the waiting packets will have waited.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_micros(self.queued_bytes * 8_000_000 / self.rate())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands in `packets` of 1,200 bytes at once; returns when each leaves, in milliseconds.
    fn leave(rate: u64, packets: u32) -> Vec<u64> {
        let start = crate::some_instant();
        let mut pacer = Pacer::new(start);
        pacer.set_link_rate(start, rate);
        let mut left = Vec::new();
        for packet in 0..packets {
            if pacer.is_busy(start) {
                pacer.push(start, packet, 1200);
            } else {
                pacer.note_sent(start, 1200);
                left.push(0);
            }
        }
        while let Some(at) = pacer.poll_timeout() {
            while let Some(packet) = pacer.pop(at) {
                assert_eq!(packet as usize, left.len(), "in order");
                left.push(at.saturating_duration_since(start).as_millis() as u64);
                pacer.note_sent(at, 1200);
            }
        }
        left
    }

    #[test]
    fn a_small_frame_leaves_at_once() {
        assert_eq!(leave(500_000, 2), [0, 0]);
        assert_eq!(leave(20_000_000, 12), [0; 12]);
    }

    #[test]
    fn a_large_frame_is_spread_at_a_bit_more_than_the_rate_of_the_link() {
        let left = leave(2_000_000, 50);
        assert_eq!(left.len(), 50);
        // 60 kB at 2.4 Mbit/s are 200 ms.
        let last = *left.last().expect("there are 50");
        assert!((180..=205).contains(&last), "{left:?}");
        assert!(left.iter().filter(|&&at| at == 0).count() <= 4, "{left:?}");
    }

    #[test]
    fn nothing_waits_longer_than_the_limit() {
        for (rate, packets) in [(100_000, 100), (30_000, 500), (0, 1000)] {
            let left = leave(rate, packets);
            let last = *left.last().expect("there are many");
            assert!(last <= 2 * MAX_DELAY.as_millis() as u64, "{rate}: {last}");
            assert_eq!(left.len(), packets as usize);
        }
    }

    #[test]
    fn no_debt_lasts_longer_than_its_limit() {
        let start = crate::some_instant();
        let mut pacer = Pacer::new(start);
        pacer.set_link_rate(start, 60_000);
        // Repairs of 90 kB, which take six seconds at this rate; then a small picture.
        pacer.note_sent(start, 90_000);
        pacer.set_link_rate(start, 30_000);
        pacer.push(start, (), 300);
        let mut left = None;
        while let Some(at) = pacer.poll_timeout() {
            left = pacer.pop(at).map(|()| at).or(left);
        }
        let waited = left.expect("it leaves").saturating_duration_since(start);
        assert!(waited <= 2 * MAX_DELAY, "{waited:?}");
    }

    #[test]
    fn a_full_queue_makes_nobody_wait() {
        let start = crate::some_instant();
        let mut pacer = Pacer::new(start);
        pacer.note_sent(start, 10_000);
        for packet in 0..MAX_QUEUED {
            assert!(pacer.is_busy(start));
            pacer.push(start, packet, 100);
        }
        assert!(!pacer.is_busy(start));
    }

    #[test]
    fn a_debt_is_forgotten_in_time() {
        let start = crate::some_instant();
        let mut pacer = Pacer::<u32>::new(start);
        pacer.set_link_rate(start, 1_000_000);
        pacer.note_sent(start, 15_000);
        assert!(pacer.is_busy(start + Duration::from_millis(50)));
        assert!(!pacer.is_busy(start + Duration::from_millis(100)));
        // A storm is forgotten as soon as a usual burst.
        let storm = start + Duration::from_millis(100);
        (0..1000).for_each(|_| pacer.note_sent(storm, 1200));
        assert!(pacer.is_busy(storm));
        assert!(!pacer.is_busy(storm + MAX_DEBT));
    }
}
