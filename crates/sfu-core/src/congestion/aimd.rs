//! The delay-based rate: up while no queue grows, down below what arrives when one does (draft-ietf-rmcat-gcc-02 §5.5).

use std::time::{Duration, Instant};

use super::trendline::Usage;

/// Down to this share of what arrives (§5.5). The draft has 0.85: with that a viewer of nine pictures had a tenth less of its link,
/// as a queue that stands is found and drained elsewhere.
const BETA: f64 = 0.88;

/// Up by this factor a second while the capacity is not known (§5.5).
const GROWTH: f64 = 1.08;

/// Weight of the newest sample of the capacity.
const CAPACITY_WEIGHT: f64 = 0.05;

/// Smallest steps up, in bits a second.
const MIN_GROWTH: f64 = 1_000.0;
const MIN_NEAR_GROWTH: f64 = 4_000.0;

/// And as a share of the rate, a second: a packet more in each round trip takes a minute to fill a fast link again.
const NEAR_GROWTH: f64 = 0.02;

/// Bits of one packet and pictures a second that the step near the capacity is reckoned with.
const PACKET_BITS: f64 = 1_200.0 * 8.0;
const PICTURES: f64 = 30.0;

/// The rate is no more than this much over what arrives, while all that may be sent is sent.
const MAX_OVER_ACKNOWLEDGED: f64 = 1.5;
const MAX_OVER_ACKNOWLEDGED_BITS: f64 = 10_000.0;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Hold,
    Increase,
}

/// What a link carried when its queue grew: mean and variance, in kbit/s.
#[derive(Clone, Copy, Debug)]
struct Capacity {
    mean: f64,
    variance: f64,
}

impl Capacity {
    fn deviation(self) -> f64 {
        (self.variance * self.mean).sqrt()
    }

    fn contains(self, kbits: f64) -> bool {
        (kbits - self.mean).abs() <= 3.0 * self.deviation()
    }

    fn update(before: Option<Self>, kbits: f64) -> Self {
        let Some(Self { mean, variance }) =
            before.filter(|capacity| kbits >= capacity.mean - 3.0 * capacity.deviation())
        else {
            return Self { mean: kbits, variance: 0.4 };
        };
        let mean = (1.0 - CAPACITY_WEIGHT) * mean + CAPACITY_WEIGHT * kbits;
        let error = (mean - kbits).powi(2) / mean.max(1.0);
        let variance = ((1.0 - CAPACITY_WEIGHT) * variance + CAPACITY_WEIGHT * error).clamp(0.4, 2.5);
        Self { mean, variance }
    }
}

/// The delay-based rate of one path.
pub(crate) struct Aimd {
    rate: f64,
    state: State,
    capacity: Option<Capacity>,
    updated_at: Option<Instant>,
    decreased_at: Option<Instant>,
}

impl Aimd {
    pub(crate) fn new(start: u64) -> Self {
        Self { rate: start as f64, state: State::Hold, capacity: None, updated_at: None, decreased_at: None }
    }

    /// Bits a second.
    pub(crate) fn rate(&self) -> u64 {
        self.rate as u64
    }

    /// Sets the rate from outside: a probe was successful, or another estimate holds it down.
    pub(crate) fn set_rate(&mut self, rate: u64) {
        self.rate = rate as f64;
    }

    /// A queue showed that the path carries `rate` bits a second.
    pub(crate) fn note_capacity(&mut self, now: Instant, rate: u64) {
        self.rate = self.rate.min(rate as f64);
        self.capacity = Some(Capacity::update(self.capacity, rate as f64 / 1000.0));
        self.decreased_at = Some(now);
        self.state = State::Hold;
    }

    /// When the rate went down last.
    pub(crate) fn decreased_at(&self) -> Option<Instant> {
        self.decreased_at
    }

    /// Takes in the state of the path; `acknowledged` bits a second arrive.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        usage: Usage,
        acknowledged: Option<u64>,
        round_trip: Duration,
        is_application_limited: bool,
    ) {
        let elapsed = self.updated_at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let elapsed = elapsed.as_secs_f64().min(1.0);
        match usage {
            Usage::Over => {
                // One queue is one sign: the next counts when this decrease can have had its effect.
                let waits = self.decreased_at.is_some_and(|at| {
                    now.saturating_duration_since(at)
                        < round_trip.clamp(Duration::from_millis(10), Duration::from_millis(200))
                });
                let far_below = acknowledged.is_some_and(|acknowledged| (acknowledged as f64) < self.rate / 2.0);
                if !waits || far_below {
                    self.decrease(now, acknowledged);
                }
                self.state = State::Hold;
            }
            Usage::Under => self.state = State::Hold,
            Usage::Normal if self.state == State::Hold => self.state = State::Increase,
            Usage::Normal => self.increase(elapsed, acknowledged, round_trip, is_application_limited),
        }
    }

    fn increase(
        &mut self,
        elapsed: f64,
        acknowledged: Option<u64>,
        round_trip: Duration,
        is_application_limited: bool,
    ) {
        let arrives = acknowledged.map_or(self.rate, |acknowledged| acknowledged as f64);
        if self.capacity.is_some_and(|capacity| arrives / 1000.0 > capacity.mean + 3.0 * capacity.deviation()) {
            self.capacity = None;
        }
        let limit = arrives * MAX_OVER_ACKNOWLEDGED + MAX_OVER_ACKNOWLEDGED_BITS;
        let step = if self
            .capacity
            .is_some_and(|capacity| capacity.contains(arrives / 1000.0) || self.rate > capacity.mean * 900.0)
        {
            let picture = self.rate / PICTURES;
            let packets = (picture / PACKET_BITS).ceil().max(1.0);
            let response = (round_trip + Duration::from_millis(100)).as_secs_f64() * 2.0;
            (picture / packets / response).max(MIN_NEAR_GROWTH).max(self.rate * NEAR_GROWTH) * elapsed
        } else {
            (self.rate * (GROWTH.powf(elapsed) - 1.0)).max(MIN_GROWTH * elapsed)
        };
        // While less is sent than could be, what arrives tells nothing of what could.
        if is_application_limited || self.rate < limit {
            let increased = self.rate + step;
            self.rate = if is_application_limited { increased.min(self.rate.max(limit)) } else { increased.min(limit) };
        }
    }

    fn decrease(&mut self, now: Instant, acknowledged: Option<u64>) {
        let Some(acknowledged) = acknowledged else {
            self.rate *= BETA;
            self.decreased_at = Some(now);
            return;
        };
        let kbits = acknowledged as f64 / 1000.0;
        let mut decreased = acknowledged as f64 * BETA;
        if decreased > self.rate
            && let Some(capacity) = self.capacity
        {
            decreased = capacity.mean * 1000.0 * BETA;
        }
        self.rate = decreased.min(self.rate);
        self.capacity = Some(Capacity::update(self.capacity, kbits));
        self.decreased_at = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    #[test]
    fn it_rises_by_eight_percent_a_second_and_falls_below_what_arrives() {
        let start = crate::some_instant();
        let mut aimd = Aimd::new(1_000_000);
        let mut now = start;
        for _ in 0..101 {
            now += Duration::from_millis(50);
            aimd.update(now, Usage::Normal, Some(aimd.rate()), RTT, false);
        }
        assert!((1_400_000..1_500_000).contains(&aimd.rate()), "{}", aimd.rate());
        aimd.update(now, Usage::Over, Some(1_000_000), RTT, false);
        assert_eq!(aimd.rate(), 880_000);
    }

    #[test]
    fn near_the_capacity_it_rises_slowly() {
        let start = crate::some_instant();
        let mut aimd = Aimd::new(1_000_000);
        aimd.update(start, Usage::Over, Some(1_000_000), RTT, false);
        let mut now = start;
        for _ in 0..21 {
            now += Duration::from_millis(50);
            aimd.update(now, Usage::Normal, Some(1_000_000), RTT, false);
        }
        assert!((890_000..930_000).contains(&aimd.rate()), "{}", aimd.rate());
    }

    #[test]
    fn it_never_runs_away_from_what_arrives() {
        let mut now = crate::some_instant();
        let mut aimd = Aimd::new(500_000);
        for _ in 0..1000 {
            now += Duration::from_millis(50);
            aimd.update(now, Usage::Normal, Some(500_000), RTT, false);
        }
        assert!(aimd.rate() <= 760_000, "{}", aimd.rate());
    }
}
