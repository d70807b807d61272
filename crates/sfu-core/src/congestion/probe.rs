//! Asks the path whether it carries more: a short burst at a higher rate, and what its arrival tells.

use std::time::{Duration, Instant};

use super::sent::{PacketResult, ProbeId};

/// The first bursts, against the start value.
const FIRST_FACTORS: [u64; 2] = [3, 6];

/// After a burst came through, the next is so much higher; it came through with this share of its rate, in percent.
const NEXT_FACTOR: u64 = 2;
const SUCCESS_PERCENT: u64 = 70;

/// While more is wanted, a burst goes out this often, so much higher than the rate. What is sent anyway tells only that the
/// path carries that, and a rate that grows by itself takes long after a path got better.
const PERIOD: Duration = Duration::from_secs(3);
const PERIOD_PERCENT: u64 = 150;

/// After one that showed no more than is known, in percent of that, the next waits longer: it left a queue for nothing.
const GAIN_PERCENT: u64 = 115;
const LONG_PERIOD: Duration = Duration::from_secs(5);

/// A queue that grew this time ago says that the path is full.
const FULL_FOR: Duration = Duration::from_millis(1500);

/// A burst after a sudden drop tells whether the drop was over soon: this long after it, at this share of before.
const RECOVERY_AFTER: Duration = Duration::from_millis(1500);
const RECOVERY_PERCENT: u64 = 85;

/// Shortest time between two bursts that nobody waits for.
const MIN_GAP: Duration = Duration::from_millis(1000);

/// More than what is wanted is asked for, in percent, so that what is wanted has room.
const WANTED_PERCENT: u64 = 150;

/// How long a burst is, and how many packets and bytes it has at least. Fewer bytes fit into what shapers let through at once,
/// and what came behind so much of the bytes, in percent, is what counts.
const DURATION: Duration = Duration::from_millis(15);
const MIN_PACKETS: u32 = 5;
const MIN_BYTES: u64 = 6_000;
const TAIL_PERCENT: u64 = 60;
const TAIL_MICROS: u64 = 10_000;

/// A burst without answer for this long had none.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Share of the packets and bytes whose fate must be known, and of those that must have arrived, in percent. Less than nearly all
/// would let what came in one clump behind a delayed packet speak for the whole.
const KNOWN_PERCENT: u64 = 80;
const ARRIVED_PERCENT: u64 = 60;

/// A burst that arrives at less than this share of its rate, in percent, shows the capacity; a bit below is safe.
const SATURATED_PERCENT: u64 = 90;
const SAFE_PERCENT: u64 = 95;

/// A path that did not keep what a burst had shown, as it fell below this share of it within this time, lets short bursts
/// through (a token bucket): for some time no burst is believed beyond what was left then and a bit more; each time longer, up
/// to so many times the first, until what was shown once stands.
const BROKEN_PERCENT: u64 = 60;
const TRIAL: Duration = Duration::from_secs(6);
const DISTRUST: Duration = Duration::from_secs(8);
const MAX_BROKEN: u32 = 4;
const CEILING_PERCENT: u64 = 125;

/// What the answer to a burst tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Shown {
    /// Bits a second.
    pub(crate) rate: u64,
    /// Whether the path carries no more.
    pub(crate) is_all: bool,
}

/// A burst to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Probe {
    pub(crate) id: ProbeId,
    /// Bits a second.
    pub(crate) rate: u64,
    pub(crate) min_packets: u32,
    pub(crate) min_bytes: u64,
}

/// A burst whose arrival is awaited.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    probe: Probe,
    asked_at: Instant,
    /// When the last packet before the end arrived, and the bytes until then.
    tail: Option<(i64, u64)>,
    /// Packets and bytes whose fate is known.
    known: (u32, u64),
    packets: u32,
    first_sent: Option<Instant>,
    last_sent: Option<Instant>,
    last_bytes: u64,
    first_arrival: i64,
    last_arrival: i64,
    first_bytes: u64,
    bytes: u64,
}

/// Decides when to probe.
pub(crate) struct Prober {
    next_id: u32,
    planned: [Option<u64>; 2],
    /// What is wanted since a moment, which is asked for when the last burst is not too near.
    risen: Option<u64>,
    awaited: Option<Awaited>,
    last_at: Option<Instant>,
    began: bool,
    /// The rate before a sudden drop, and when that was.
    dropped: Option<(Instant, u64)>,
    wanted: u64,
    period: Duration,
    /// The rate when the last burst was asked for.
    known: u64,
    /// What the last burst that was believed showed, and when; and how often the path did not keep that.
    believed: Option<(Instant, u64)>,
    broken: u32,
    /// Until when no burst is believed beyond which rate.
    ceiling: Option<(Instant, u64)>,
}

impl Prober {
    pub(crate) fn new() -> Self {
        Self {
            next_id: 0,
            planned: [None; 2],
            risen: None,
            awaited: None,
            last_at: None,
            began: false,
            dropped: None,
            wanted: 0,
            period: PERIOD,
            known: 0,
            believed: None,
            broken: 0,
            ceiling: None,
        }
    }

    /// Sets what could be used at most, in bits a second. A rise asks for a burst.
    pub(crate) fn set_wanted(&mut self, wanted: u64, rate: u64) {
        let rises = wanted > self.wanted.saturating_mul(5) / 4 && wanted > rate;
        self.wanted = wanted;
        if rises && self.began {
            self.risen = Some(wanted * WANTED_PERCENT / 100);
        }
    }

    /// A feedback came: bursts can be answered, and the first are due.
    pub(crate) fn begin(&mut self, rate: u64) {
        if !std::mem::replace(&mut self.began, true) {
            self.plan(FIRST_FACTORS.map(|factor| Some(rate * factor)));
        }
    }

    /// The rate fell at once from `before`.
    pub(crate) fn note_drop(&mut self, now: Instant, before: u64) {
        (self.planned, self.risen) = ([None; 2], None);
        if self.dropped.is_none_or(|(at, _)| now.saturating_duration_since(at) > PERIOD) {
            self.dropped = Some((now, before));
        }
    }

    /// The rate had to go down to `rate`.
    pub(crate) fn note_decrease(&mut self, now: Instant, rate: u64) {
        let Some((at, shown)) = self.believed else { return };
        if now.saturating_duration_since(at) < TRIAL && rate < shown * BROKEN_PERCENT / 100 {
            self.broken = (self.broken + 1).min(MAX_BROKEN);
            self.believed = None;
            self.ceiling = Some((now + DISTRUST * self.broken, rate * CEILING_PERCENT / 100));
        }
    }

    /// The rate was raised to what a burst showed.
    pub(crate) fn note_believed(&mut self, now: Instant, rate: u64) {
        self.believed = Some((now, rate));
    }

    fn plan(&mut self, rates: [Option<u64>; 2]) {
        let most = self.wanted * WANTED_PERCENT / 100;
        self.planned = rates.map(|rate| rate.map(|rate| rate.min(most)));
    }

    /// The burst to send now, if any. `full_at`: when the path was full last.
    pub(crate) fn take(&mut self, now: Instant, rate: u64, full_at: Option<Instant>) -> Option<Probe> {
        if self.awaited.is_some_and(|awaited| now.saturating_duration_since(awaited.asked_at) > TIMEOUT) {
            self.awaited = None;
        }
        if !self.began || self.awaited.is_some() {
            return None;
        }
        if self.believed.is_some_and(|(at, _)| now.saturating_duration_since(at) >= TRIAL) {
            (self.believed, self.broken) = (None, self.broken.saturating_sub(1));
        }
        let since_last = |time| self.last_at.is_none_or(|at| now.saturating_duration_since(at) >= time);
        let planned = self.planned[0].take().or_else(|| self.planned[1].take());
        let risen = if since_last(MIN_GAP) { self.risen.take() } else { None };
        let due = planned.or(risen).or_else(|| {
            if let Some((at, before)) = self.dropped
                && now.saturating_duration_since(at) >= RECOVERY_AFTER
                && since_last(MIN_GAP)
            {
                self.dropped = None;
                return Some(before * RECOVERY_PERCENT / 100);
            }
            let is_full = full_at.is_some_and(|at| now.saturating_duration_since(at) < FULL_FOR);
            (!is_full && rate < self.wanted && since_last(self.period)).then_some(rate * PERIOD_PERCENT / 100)
        })?;
        self.ceiling = self.ceiling.filter(|(until, _)| now < *until);
        let ceiling = self.ceiling.map_or(u64::MAX, |(_, rate)| rate);
        let due = due.min(self.wanted * WANTED_PERCENT / 100).min(ceiling);
        // A burst at what is known already tells nothing.
        if due <= rate * 11 / 10 {
            return None;
        }
        self.next_id += 1;
        self.known = rate;
        self.last_at = Some(now);
        let probe = Probe {
            id: ProbeId(self.next_id),
            rate: due,
            min_packets: MIN_PACKETS,
            min_bytes: (due * DURATION.as_micros() as u64 / 8_000_000).max(MIN_BYTES),
        };
        self.awaited = Some(Awaited {
            probe,
            asked_at: now,
            tail: None,
            known: (0, 0),
            packets: 0,
            first_sent: None,
            last_sent: None,
            last_bytes: 0,
            first_arrival: 0,
            last_arrival: 0,
            first_bytes: 0,
            bytes: 0,
        });
        Some(probe)
    }

    /// Takes in the fate of one packet of a burst; what the burst shows once enough of it arrived, if that is clearly more than
    /// was known, or all that there is. `queued`: whether a queue stands behind it; else what arrived late arrived late for
    /// another reason, and says nothing of less than was known.
    pub(crate) fn receive(&mut self, result: &PacketResult, queued: bool) -> Option<Shown> {
        let awaited = self.awaited.as_mut()?;
        if result.probe != awaited.probe.id.mark() {
            return None;
        }
        let bytes = u64::from(result.bytes);
        awaited.known = (awaited.known.0 + 1, awaited.known.1 + bytes);
        if let Some(arrival) = result.received_at {
            awaited.receive(result.sent_at, arrival, bytes);
        }
        let mut shown = awaited.shows(queued)?;
        shown.is_all &= queued || shown.rate > self.known;
        let probe = awaited.probe;
        self.awaited = None;
        let gains = shown.rate * 100 >= self.known * GAIN_PERCENT;
        self.period = if gains { PERIOD } else { LONG_PERIOD };
        if shown.rate >= probe.rate * SUCCESS_PERCENT / 100 {
            self.plan([Some(probe.rate * NEXT_FACTOR), self.planned[1]]);
        } else {
            self.planned = [None; 2];
        }
        (gains || shown.is_all).then_some(shown)
    }
}

impl Awaited {
    fn receive(&mut self, sent_at: Instant, arrival: i64, bytes: u64) {
        if self.first_sent.is_none() {
            (self.first_sent, self.first_arrival, self.first_bytes) = (Some(sent_at), arrival, bytes);
        }
        if self.last_sent.is_none_or(|at| sent_at >= at) {
            (self.last_sent, self.last_bytes) = (Some(sent_at), bytes);
        }
        self.last_arrival = self.last_arrival.max(arrival);
        self.packets += 1;
        self.bytes += bytes;
        if self.tail.is_none() && self.known.1 * 100 >= self.probe.min_bytes * TAIL_PERCENT {
            self.tail = Some((arrival, self.bytes));
        }
    }

    fn shows(&self, queued: bool) -> Option<Shown> {
        let enough = |packets: u32, bytes: u64, percent: u64| {
            u64::from(packets) * 100 >= u64::from(self.probe.min_packets) * percent
                && bytes * 100 >= self.probe.min_bytes * percent
        };
        if !enough(self.known.0, self.known.1, KNOWN_PERCENT) || !enough(self.packets, self.bytes, ARRIVED_PERCENT) {
            return None;
        }
        let sent_in = self.last_sent?.saturating_duration_since(self.first_sent?).as_micros() as u64;
        let arrived_in = u64::try_from(self.last_arrival - self.first_arrival).ok()?;
        if sent_in == 0 || arrived_in == 0 || sent_in > 1_000_000 || arrived_in > 1_000_000 {
            return None;
        }
        // What the last packet took to send, and the first to arrive, is not seen.
        let sent = (self.bytes - self.last_bytes) * 8_000_000 / sent_in;
        let mut arrived = (self.bytes - self.first_bytes) * 8_000_000 / arrived_in;
        if let Some((from, bytes)) = self.tail.filter(|_| queued)
            && let Ok(arrived_in @ TAIL_MICROS..) = u64::try_from(self.last_arrival - from)
        {
            arrived = arrived.min((self.bytes - bytes) * 8_000_000 / arrived_in);
        }
        if arrived > sent * 2 {
            return None;
        }
        let is_all = arrived * 100 < sent * SATURATED_PERCENT;
        let rate = if is_all { arrived * SAFE_PERCENT / 100 } else { sent.min(arrived) };
        Some(Shown { rate, is_all })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends the burst over a link of `capacity`; what it shows.
    fn answer(prober: &mut Prober, probe: Probe, start: Instant, capacity: u64) -> Option<Shown> {
        let (mut arrival, mut shown) = (0, None);
        let count = (probe.min_bytes / 250).max(u64::from(probe.min_packets)) + 1;
        for packet in 0..count {
            let sent_at = start + Duration::from_micros(packet * 250 * 8_000_000 / probe.rate);
            let micros = sent_at.saturating_duration_since(start).as_micros() as i64;
            arrival = micros.max(arrival) + 250 * 8_000_000 / capacity as i64;
            let result = PacketResult { sent_at, received_at: Some(arrival), bytes: 250, probe: probe.id.mark() };
            shown = shown.or(prober.receive(&result, true));
        }
        shown
    }

    #[test]
    fn bursts_grow_until_the_link_is_full_or_all_that_is_wanted_is_there() {
        let start = crate::some_instant();
        for (capacity, expected) in [(1_000_000, 900_000..1_050_000), (20_000_000, 5_500_000..6_100_000)] {
            let mut prober = Prober::new();
            prober.set_wanted(4_000_000, 500_000);
            prober.begin(500_000);
            let (mut rate, mut now) = (500_000, start);
            for _ in 0..20 {
                now += Duration::from_millis(100);
                if let Some(probe) = prober.take(now, rate, None) {
                    rate = rate.max(answer(&mut prober, probe, now, capacity).expect("all of it arrives").rate);
                }
            }
            assert!(expected.contains(&rate), "{rate} of {capacity}");
        }
    }

    #[test]
    fn a_burst_without_answer_is_given_up() {
        let start = crate::some_instant();
        let mut prober = Prober::new();
        prober.set_wanted(4_000_000, 500_000);
        prober.begin(500_000);
        assert!(prober.take(start, 500_000, None).is_some());
        assert!(prober.take(start + TIMEOUT, 500_000, None).is_none());
        assert!(prober.take(start + TIMEOUT * 2, 500_000, None).is_some());
    }

    #[test]
    fn while_more_is_wanted_a_burst_goes_out_now_and_then_unless_the_path_is_full() {
        let start = crate::some_instant();
        let mut prober = Prober::new();
        prober.set_wanted(4_000_000, 500_000);
        prober.began = true;
        let mut at = Vec::new();
        for second in 0..20_u32 {
            let now = start + Duration::from_secs(1) * second;
            let full_at = (second == 12).then_some(now);
            if let Some(probe) = prober.take(now, 500_000, full_at) {
                assert_eq!(probe.rate, 750_000);
                at.push(second);
                prober.awaited = None;
            }
        }
        assert_eq!(at, [0, 3, 6, 9, 13, 16, 19]);
    }
}
