//! A rate that the loss on the path allows. Loss that comes whatever is sent is told from loss that comes of sending too
//! much: of several rates the one is taken under which what was lost at which rate is the most likely (the manner of
//! libwebrtc's loss-based estimator, version 2).

use std::time::{Duration, Instant};

/// What was sent and lost in so much time is one observation; so many are looked at.
const OBSERVATION: Duration = Duration::from_millis(250);
const WINDOW: usize = 20;

/// Each observation counts this much less than the one after it.
const AGEING: f64 = 0.9;

/// Rates that are tried, against the present one.
const CANDIDATES: [f64; 3] = [1.02, 1.0, 0.95];

/// Loss that is not of our making is usually at most this share, and so many bits a second more of a small rate. More than that
/// is believed only where less was sent and as much lost: each packet speaks so much against it.
const INHERENT: f64 = 0.05;
const INHERENT_BALANCE: f64 = 75_000.0;
const MAX_INHERENT: f64 = 0.35;
const DISBELIEF: f64 = 3.0;

/// Where less was sent for so many observations, so much less, and the loss stayed so much of what it was, loss is inherent, and
/// that is kept in mind for some time.
const TRIED: usize = 3;
const TRIED_RATE: f64 = 0.85;
const SAME_LOSS: f64 = 0.7;
const CONFIRMED_FOR: Duration = Duration::from_secs(30);

/// Loss is explained by what is inherent if that is so much of it.
const EXPLAINED: f64 = 0.7;

/// Of two rates that are as likely the higher is taken: weights of the rate and of its logarithm, in kbit/s.
const HIGHER: f64 = 0.0002;
const HIGHER_LOG: f64 = 0.02;

/// Loss above this share bounds the rate at once.
const BOUND_FROM: f64 = 0.05;
const BOUND_BALANCE: f64 = 100_000.0;

/// After it went down, the rate is not raised above this factor of what arrives for some time.
const RAMP_UP: f64 = 1.2;
const HOLD: Duration = Duration::from_millis(300);

const NEWTON_STEPS: usize = 3;

#[derive(Clone, Copy, Debug, Default)]
struct Observation {
    packets: f64,
    lost: f64,
    /// Bits a second that were sent.
    rate: f64,
}

/// The loss-based rate of one path.
pub(crate) struct LossBased {
    observations: [Observation; WINDOW],
    filled: usize,
    next: usize,
    /// The observation that is being made.
    packets: u32,
    lost: u32,
    bytes: u64,
    since: Option<Instant>,
    /// `None` while loss limits nothing.
    rate: Option<f64>,
    inherent: f64,
    decreased_at: Option<Instant>,
    /// Loss and rate before less was sent for it.
    before: Option<(f64, f64)>,
    /// Until when much loss is believed to be inherent.
    confirmed_until: Option<Instant>,
}

impl LossBased {
    pub(crate) fn new() -> Self {
        Self {
            observations: [Observation::default(); WINDOW],
            filled: 0,
            next: 0,
            packets: 0,
            lost: 0,
            bytes: 0,
            since: None,
            rate: None,
            inherent: 0.01,
            decreased_at: None,
            before: None,
            confirmed_until: None,
        }
    }

    /// What was lost has a reason that is over.
    pub(crate) fn forget(&mut self) {
        *self = Self { inherent: self.inherent, confirmed_until: self.confirmed_until, ..Self::new() };
    }

    /// Bits a second; `None` while loss limits nothing.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.rate.map(|rate| rate as u64)
    }

    /// Share of packets lost lately.
    pub(crate) fn share(&self) -> f64 {
        let (mut packets, mut lost) = (0.0, 0.0);
        for (observation, weight) in self.weighted() {
            packets += observation.packets * weight;
            lost += observation.lost * weight;
        }
        if packets > 0.0 { lost / packets } else { 0.0 }
    }

    /// The observations, newest first, each with its weight.
    fn weighted(&self) -> impl Iterator<Item = (Observation, f64)> + '_ {
        (1..=self.filled).map(|age| {
            let observation = self.observations[(self.next + WINDOW - age) % WINDOW];
            (observation, AGEING.powi(age as i32 - 1))
        })
    }

    /// Takes in the fate of one packet.
    pub(crate) fn note(&mut self, bytes: u16, lost: bool) {
        self.packets += 1;
        self.lost += u32::from(lost);
        self.bytes += u64::from(bytes);
    }

    /// Looks whether an observation is complete, and judges anew then. `delay_based` is the rate that the delay allows.
    pub(crate) fn update(&mut self, now: Instant, delay_based: u64, acknowledged: Option<u64>) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if elapsed < OBSERVATION || self.packets == 0 {
            return;
        }
        self.observations[self.next] = Observation {
            packets: f64::from(self.packets),
            lost: f64::from(self.lost),
            rate: self.bytes as f64 * 8.0 / elapsed.as_secs_f64(),
        };
        self.next = (self.next + 1) % WINDOW;
        self.filled = (self.filled + 1).min(WINDOW);
        (self.packets, self.lost, self.bytes, self.since) = (0, 0, 0, Some(now));
        self.judge(now, delay_based as f64, acknowledged.map(|acknowledged| acknowledged as f64));
    }

    fn judge(&mut self, now: Instant, delay_based: f64, acknowledged: Option<f64>) {
        let share = self.share();
        if self.rate.is_none() && share < 0.01 {
            return;
        }
        self.confirm(now);
        let present = self.rate.unwrap_or(delay_based).min(delay_based);
        let tried = CANDIDATES.iter().map(|factor| present * factor);
        let tried = tried.chain(acknowledged.filter(|rate| *rate < present)).chain([delay_based]);
        let mut best: Option<(f64, f64, f64)> = None;
        for rate in tried {
            let rate = rate.min(delay_based).max(1.0);
            let (inherent, likelihood) = self.likelihood(rate);
            if best.is_none_or(|(.., before)| likelihood > before) {
                best = Some((rate, inherent, likelihood));
            }
        }
        let Some((mut rate, inherent, _)) = best else { return };
        if share > BOUND_FROM && inherent < share * EXPLAINED {
            rate = rate.min(BOUND_BALANCE / (share - BOUND_FROM));
        }
        // What arrives under random loss is a lower bound: it came through.
        if rate < present {
            rate = rate.max(acknowledged.map_or(0.0, |acknowledged| acknowledged.min(present)) * 0.95);
            self.decreased_at = Some(now);
            let sent = self.weighted().next().map_or(0.0, |(observation, _)| observation.rate);
            self.before.get_or_insert((share, sent));
        } else if self.decreased_at.is_some_and(|at| now.saturating_duration_since(at) < HOLD) {
            rate = rate.min(acknowledged.map_or(present, |acknowledged| (acknowledged * RAMP_UP).max(present)));
        }
        self.inherent = inherent;
        self.rate = (share >= 0.01 || rate < delay_based).then_some(rate);
    }

    /// Looks whether less was sent in vain.
    fn confirm(&mut self, now: Instant) {
        self.confirmed_until = self.confirmed_until.filter(|until| now < *until);
        let Some((share, rate)) = self.before else { return };
        let (mut packets, mut lost, mut all_low) = (0.0, 0.0, self.filled >= TRIED);
        for (observation, _) in self.weighted().take(TRIED) {
            packets += observation.packets;
            lost += observation.lost;
            all_low &= observation.rate < rate * TRIED_RATE;
        }
        if all_low {
            self.before = None;
            if lost >= packets * share * SAME_LOSS && share > INHERENT {
                self.confirmed_until = Some(now + CONFIRMED_FOR);
            }
        }
    }

    /// The likelihood of what was observed if the path carries `rate`, with the inherent loss that makes it greatest.
    fn likelihood(&self, rate: f64) -> (f64, f64) {
        let usual = match self.confirmed_until {
            None => (INHERENT + INHERENT_BALANCE / rate).min(0.9),
            Some(_) => MAX_INHERENT,
        };
        let most = usual.max(MAX_INHERENT);
        let mut inherent = self.inherent.clamp(1e-4, most);
        for _ in 0..NEWTON_STEPS {
            let (mut first, mut second) = (0.0, 0.0);
            for (observation, weight) in self.weighted() {
                let through = 1.0 - excess(observation.rate, rate);
                let loss = probability(inherent, observation.rate, rate);
                let kept = observation.packets - observation.lost;
                first += weight * through * (observation.lost / loss - kept / (1.0 - loss));
                second -= weight
                    * through
                    * through
                    * (observation.lost / (loss * loss) + kept / ((1.0 - loss) * (1.0 - loss)));
            }
            if second >= 0.0 {
                break;
            }
            inherent = (inherent - 0.75 * first / second).clamp(1e-4, most);
        }
        let kbits = rate / 1000.0;
        let preference = HIGHER * kbits + HIGHER_LOG * (1.0 + kbits).ln() - DISBELIEF * (inherent - usual).max(0.0);
        let mut likelihood = 0.0;
        for (observation, weight) in self.weighted() {
            let loss = probability(inherent, observation.rate, rate);
            let kept = observation.packets - observation.lost;
            likelihood +=
                weight * (observation.lost * loss.ln() + kept * (1.0 - loss).ln() + preference * observation.packets);
        }
        (inherent, likelihood)
    }
}

/// Share of what was sent at `sent` that is too much for `rate`.
fn excess(sent: f64, rate: f64) -> f64 {
    if sent > rate { (sent - rate) / sent } else { 0.0 }
}

/// Probability that a packet sent at `sent` is lost where `rate` is carried and `inherent` lost anyway.
fn probability(inherent: f64, sent: f64, rate: f64) -> f64 {
    let excess = excess(sent, rate);
    (inherent + (1.0 - inherent) * excess).clamp(1e-6, 1.0 - 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends at the estimate over a path that carries `capacity` and loses `inherent` percent; the rate after `seconds`.
    fn run(start: u64, capacity: u64, inherent: u64, seconds: u64) -> u64 {
        let begin = crate::some_instant();
        let mut loss = LossBased::new();
        let mut rate = start;
        let mut packet = 0_u64;
        for step in 1..=seconds * 20 {
            let packets = (rate / 20 / 8 / 1000).max(1);
            let through = capacity / 20 / 8 / 1000;
            let mut arrived = 0;
            for index in 0..packets {
                packet = packet.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let lost = index >= through || (packet >> 33) % 100 < inherent;
                arrived += u64::from(!lost);
                loss.note(1000, lost);
            }
            let now = begin + Duration::from_millis(50 * step);
            loss.update(now, start, Some(arrived * 1000 * 8 * 20));
            rate = loss.rate().unwrap_or(start).min(start);
        }
        rate
    }

    #[test]
    fn without_loss_nothing_is_limited() {
        assert_eq!(run(3_000_000, 10_000_000, 0, 20), 3_000_000);
    }

    #[test]
    fn a_little_random_loss_leaves_most_of_the_rate() {
        for percent in [1, 2, 5] {
            let rate = run(2_000_000, 10_000_000, percent, 30);
            assert!(rate >= 1_700_000, "{percent} %: {rate}");
        }
    }

    #[test]
    fn much_random_loss_leaves_a_usable_rate() {
        for percent in [10, 20] {
            let rate = run(2_000_000, 10_000_000, percent, 60);
            assert!(rate >= 1_000_000, "{percent} %: {rate}");
        }
    }

    #[test]
    fn loss_of_too_much_leads_to_what_the_path_carries() {
        let rate = run(2_000_000, 1_000_000, 0, 20);
        assert!((800_000..=1_150_000).contains(&rate), "{rate}");
    }
}
