//! How much went by, and how many bits a second lately. A packet costs additions only: with every report the sums are noted,
//! and the rate is how far they have come since the note of two seconds ago.

use std::time::{Duration, Instant};

/// Notes that are kept. Reports are at least half a second apart, so these reach back for [`WINDOW`] and more.
const NOTES: usize = 6;

/// Rates go over this time at least, so that a key frame, which comes as a burst, does not stand out of it.
const WINDOW: Duration = Duration::from_secs(2);

/// What began just now counts as if it had taken this long, and is no flood.
const LEAST_TIME: Duration = Duration::from_millis(200);

/// What sums were before, of `KINDS` kinds of bytes.
#[derive(Clone, Debug)]
pub(crate) struct Rates<const KINDS: usize> {
    /// A ring.
    notes: [(Instant, [u64; KINDS]); NOTES],
    newest: usize,
}

impl<const KINDS: usize> Rates<KINDS> {
    /// All sums are zero now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { notes: [(now, [0; KINDS]); NOTES], newest: 0 }
    }

    /// Notes the sums; to be called with every report.
    pub(crate) fn note(&mut self, now: Instant, sums: [u64; KINDS]) {
        self.newest = (self.newest + 1) % NOTES;
        self.notes[self.newest] = (now, sums);
    }

    /// Bits a second of each kind, whose sums are these now.
    pub(crate) fn since(&self, now: Instant, sums: [u64; KINDS]) -> [u64; KINDS] {
        let newest_first = (0..NOTES).map(|back| &self.notes[(self.newest + NOTES - back) % NOTES]);
        let oldest = &self.notes[(self.newest + 1) % NOTES];
        let mut old_enough = newest_first.filter(|(at, _)| now.saturating_duration_since(*at) >= WINDOW);
        let (at, before) = old_enough.next().unwrap_or(oldest);
        let micros = now.saturating_duration_since(*at).max(LEAST_TIME).as_micros() as u64;
        std::array::from_fn(|kind| sums[kind].saturating_sub(before[kind]) * 8_000_000 / micros)
    }
}

/// What went one way, of `KINDS` kinds.
#[derive(Clone, Debug)]
pub(crate) struct Traffic<const KINDS: usize> {
    packets: [u64; KINDS],
    bytes: [u64; KINDS],
    rates: Rates<KINDS>,
}

impl<const KINDS: usize> Traffic<KINDS> {
    /// Nothing yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self { packets: [0; KINDS], bytes: [0; KINDS], rates: Rates::new(now) }
    }

    /// Takes in one packet.
    pub(crate) fn add(&mut self, kind: usize, bytes: usize) {
        self.packets[kind] += 1;
        self.bytes[kind] += bytes as u64;
    }

    /// Packets and bytes of one kind.
    pub(crate) fn sum(&self, kind: usize) -> (u64, u64) {
        (self.packets[kind], self.bytes[kind])
    }

    /// Notes the sums; to be called with every report.
    pub(crate) fn note(&mut self, now: Instant) {
        self.rates.note(now, self.bytes);
    }

    /// Figures of each kind.
    pub(crate) fn stats(&self, now: Instant) -> [TrafficStats; KINDS] {
        let rates = self.rates.since(now, self.bytes);
        std::array::from_fn(|kind| TrafficStats {
            packets: self.packets[kind],
            bytes: self.bytes[kind],
            bit_rate: rates[kind],
        })
    }
}

/// What went one way, in all and lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficStats {
    /// Packets so far.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bits a second over the last two to three seconds.
    pub bit_rate: u64,
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// A flow of 1,000 bits a millisecond, noted as reports are: half a second to one and a half apart.
    struct Flow {
        rng: StdRng,
        now: Instant,
        traffic: Traffic<2>,
        report_at: Instant,
    }

    impl Flow {
        fn new(seed: u64) -> Self {
            let now = crate::some_instant();
            Self { rng: StdRng::seed_from_u64(seed), now, traffic: Traffic::new(now), report_at: now }
        }

        fn run(&mut self, millis: u64, bytes: usize) {
            for _ in 0..millis {
                self.now += Duration::from_millis(1);
                if bytes > 0 {
                    self.traffic.add(0, bytes);
                }
                if self.now >= self.report_at {
                    self.traffic.note(self.now);
                    self.report_at = self.now + Duration::from_millis(self.rng.random_range(500..1500));
                }
            }
        }

        fn rate(&self) -> u64 {
            self.traffic.stats(self.now)[0].bit_rate
        }
    }

    #[test]
    fn a_steady_flow_has_its_rate_at_any_moment() {
        for seed in 0..20 {
            let mut flow = Flow::new(seed);
            assert_eq!(flow.rate(), 0);
            flow.run(300, 125);
            for _ in 0..200 {
                assert_eq!(flow.rate(), 1_000_000, "seed {seed}");
                flow.run(73, 125);
            }
        }
    }

    #[test]
    fn what_began_just_now_is_no_flood() {
        let mut flow = Flow::new(0);
        flow.traffic.add(0, 1_250);
        assert_eq!(flow.rate(), 50_000);
    }

    #[test]
    fn silence_brings_it_down_and_then_to_nothing() {
        for seed in 0..20 {
            let mut flow = Flow::new(seed);
            flow.run(10_000, 125);
            let mut last = flow.rate();
            for _ in 0..35 {
                flow.run(100, 0);
                // The time that is looked at may become shorter with a report.
                assert!(flow.rate() <= last + last / 2, "seed {seed}");
                last = flow.rate();
            }
            assert_eq!(last, 0, "seed {seed}");
            flow.run(1_000, 125);
            assert!((250_000..=500_000).contains(&flow.rate()), "seed {seed}: {}", flow.rate());
            flow.run(3_000, 125);
            assert_eq!(flow.rate(), 1_000_000, "seed {seed}");
        }
    }

    #[test]
    fn kinds_are_told_apart() {
        let mut flow = Flow::new(0);
        flow.run(4_000, 125);
        flow.traffic.add(1, 77);
        let [media, other] = flow.traffic.stats(flow.now);
        assert_eq!((media.packets, media.bytes), (4_000, 500_000));
        assert_eq!((other.packets, other.bytes), (1, 77));
        assert!(other.bit_rate < 310, "{other:?}");
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_does_no_harm() {
        let start = crate::some_instant() + Duration::from_secs(100);
        let mut rates = Rates::<1>::new(start);
        for back in 0..100 {
            rates.note(start - Duration::from_millis(back % 7), [back]);
        }
        assert_eq!(rates.since(start - Duration::from_secs(50), [100 + 5]), [11 * 8 * 5]);
        assert_eq!(rates.since(start, [0]), [0], "sums do not shrink, but if they did");
    }
}
