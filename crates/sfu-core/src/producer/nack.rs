//! Which packets of one stream are missing, and when to ask for each of them again.

use std::time::{Duration, Instant};

use wire::{ExtSeqNo, SeqNo};

/// Packets that may be missing at a time; libwebrtc keeps as many. Beyond it a key frame is cheaper.
pub(crate) const MAX_MISSING: usize = 1000;

/// A jump of the sequence number by more than this is a new start, not a loss.
const MAX_GAP: i64 = 1000;

/// Requests for one packet.
const MAX_REQUESTS: u8 = 10;

/// A packet missing for longer is no longer wanted by anybody.
const MAX_AGE: Duration = Duration::from_secs(2);

/// A packet missing for longer than this and [`OVERDUE_ROUND_TRIPS`] may come too late: libwebrtc's viewers ask ten times,
/// one round trip apart, and then stand still for 3 s. So a key frame is asked for beside it.
const OVERDUE_AFTER: Duration = Duration::from_millis(500);

/// The same in round trips, for long ways.
const OVERDUE_ROUND_TRIPS: u32 = 4;

/// Shortest time between two requests for one packet.
const MIN_INTERVAL: Duration = Duration::from_millis(20);

/// Added to the round trip before a request is repeated: libwebrtc sends no packet again within the round trip that it
/// measures itself and 5 ms, so a request that comes too soon is in vain.
const SENDER_MARGIN: Duration = Duration::from_millis(5);

/// Wait before the first request while packets of this stream arrive out of order.
const REORDER_WAIT: Duration = Duration::from_millis(15);

/// How long a seen reordering keeps [`REORDER_WAIT`] in force.
const REORDER_MEMORY: Duration = Duration::from_secs(5);

/// Requests collected into one NACK at most; what is left follows at the next look.
pub(crate) const MAX_PER_NACK: usize = 128;

#[derive(Clone, Copy)]
struct Missing {
    seq: ExtSeqNo,
    since: Instant,
    next_request_at: Instant,
    last_request_at: Instant,
    requests: u8,
    is_overdue: bool,
}

/// What a newly received number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// In order, or late.
    None,
    /// Numbers are missing before it and will be asked for.
    Missing,
    /// Too many are missing to ask for them: decoding has to start anew.
    TooLarge,
}

/// The missing packets of one stream.
pub(crate) struct NackGenerator {
    missing: Vec<Missing>,
    newest: Option<ExtSeqNo>,
    next_at: Option<Instant>,
    reordered_at: Option<Instant>,
    /// Numbers that were given up: lost for good.
    given_up: u64,
}

impl NackGenerator {
    pub(crate) fn new() -> Self {
        Self { missing: Vec::with_capacity(64), newest: None, next_at: None, reordered_at: None, given_up: 0 }
    }

    /// When [`NackGenerator::due`] has something to ask for.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// Packets that were asked for in vain.
    #[cfg(test)]
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Notes a received packet. `retransmitted`: it came by RTX, so it says nothing of reordering.
    /// The second value is the round trip of the one request that it answers.
    pub(crate) fn receive(&mut self, now: Instant, seq: ExtSeqNo, retransmitted: bool) -> (Gap, Option<Duration>) {
        let Some(newest) = self.newest else {
            self.newest = Some(seq);
            return (Gap::None, None);
        };
        let step = seq.distance_from(newest);
        if step <= 0 {
            return (Gap::None, self.fill(now, seq, retransmitted));
        }
        self.newest = Some(seq);
        if step > MAX_GAP || self.missing.len() + step as usize - 1 > MAX_MISSING {
            self.given_up += self.missing.len() as u64;
            self.missing.clear();
            self.next_at = None;
            return (Gap::TooLarge, None);
        }
        if step == 1 {
            return (Gap::None, None);
        }
        let wait = match self.reordered_at {
            Some(at) if now.saturating_duration_since(at) < REORDER_MEMORY => REORDER_WAIT,
            _ => Duration::ZERO,
        };
        let next_request_at = now + wait;
        for ahead in 1..step {
            self.missing.push(Missing {
                seq: newest.offset(ahead),
                since: now,
                next_request_at,
                last_request_at: now,
                requests: 0,
                is_overdue: false,
            });
        }
        self.next_at = Some(self.next_at.map_or(next_request_at, |at| at.min(next_request_at)));
        (Gap::Missing, None)
    }

    fn fill(&mut self, now: Instant, seq: ExtSeqNo, retransmitted: bool) -> Option<Duration> {
        let index = self.missing.binary_search_by_key(&seq, |missing| missing.seq).ok()?;
        let missing = self.missing.remove(index);
        if !retransmitted && missing.requests == 0 {
            self.reordered_at = Some(now);
        }
        if self.missing.is_empty() {
            self.next_at = None;
        }
        // Only what comes by RTX is an answer; what was merely overtaken comes when it likes.
        (retransmitted && missing.requests == 1).then(|| now.saturating_duration_since(missing.last_request_at))
    }

    /// A packet that was missing is here after all, as part of another.
    pub(crate) fn forget(&mut self, now: Instant, seq: ExtSeqNo) {
        self.fill(now, seq, true);
    }

    /// Whether this number is missing and still asked for.
    pub(crate) fn is_awaited(&self, seq: ExtSeqNo) -> bool {
        self.missing.binary_search_by_key(&seq, |missing| missing.seq).is_ok()
    }

    /// Appends the numbers to ask for now, in ascending order, and plans when to ask for them again.
    /// Returns how many were given up, or became overdue, just now.
    pub(crate) fn due(&mut self, now: Instant, round_trip: Duration, ask: &mut Vec<SeqNo>) -> usize {
        let before = self.missing.len();
        self.missing.retain(|missing| {
            missing.requests < MAX_REQUESTS && now.saturating_duration_since(missing.since) < MAX_AGE
        });
        let given_up = before - self.missing.len();
        self.given_up += given_up as u64;
        let overdue_after = OVERDUE_AFTER.max(round_trip * OVERDUE_ROUND_TRIPS);
        let mut overdue = 0;
        let mut next_at: Option<Instant> = None;
        let mut asked = 0;
        for missing in &mut self.missing {
            if !missing.is_overdue && now.saturating_duration_since(missing.since) >= overdue_after {
                missing.is_overdue = true;
                overdue += 1;
            }
            if missing.next_request_at <= now && asked < MAX_PER_NACK {
                ask.push(missing.seq.truncate());
                asked += 1;
                missing.requests += 1;
                missing.last_request_at = now;
                // Each request in vain makes the next one wait a quarter longer.
                let backed_off = round_trip.max(MIN_INTERVAL) * (4 + u32::from(missing.requests)) / 4;
                missing.next_request_at = now + backed_off + SENDER_MARGIN;
            }
            let at = missing.next_request_at;
            next_at = Some(next_at.map_or(at, |next| next.min(at)));
        }
        self.next_at = next_at;
        given_up + overdue
    }

    /// Nothing is missing any more: a key frame came, what was before it is not needed.
    pub(crate) fn forget_before(&mut self, seq: ExtSeqNo) {
        self.missing.retain(|missing| missing.seq >= seq);
        if self.missing.is_empty() {
            self.next_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(40);

    fn ask(nack: &mut NackGenerator, now: Instant) -> Vec<u16> {
        let mut seqs = Vec::new();
        nack.due(now, RTT, &mut seqs);
        seqs.into_iter().map(SeqNo::get).collect()
    }

    fn seq(number: u64) -> ExtSeqNo {
        ExtSeqNo::new(number)
    }

    #[test]
    fn a_gap_is_asked_for_at_once_then_with_growing_pauses_then_given_up() {
        let start = crate::some_instant();
        let mut nack = NackGenerator::new();
        nack.receive(start, seq(10), false);
        assert_eq!(nack.receive(start, seq(13), false).0, Gap::Missing);
        assert_eq!(ask(&mut nack, start), [11, 12]);
        assert!(ask(&mut nack, start + RTT / 2).is_empty());
        let mut times = vec![start];
        while let Some(at) = nack.next_at() {
            let asked = ask(&mut nack, at);
            if asked.is_empty() {
                break;
            }
            assert_eq!(asked, [11, 12]);
            times.push(at);
        }
        let pauses: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
        assert_eq!(times.len(), usize::from(MAX_REQUESTS));
        assert_eq!(nack.given_up(), 2);
    }

    #[test]
    fn a_returned_packet_is_not_asked_for_again_and_tells_the_round_trip() {
        let start = crate::some_instant();
        let mut nack = NackGenerator::new();
        nack.receive(start, seq(65_534), false);
        nack.receive(start, seq(65_538), false);
        assert_eq!(ask(&mut nack, start), [65_535, 0, 1]);
        let (_, round_trip) = nack.receive(start + RTT, seq(65_536), true);
        assert_eq!(round_trip, Some(RTT));
        assert_eq!(ask(&mut nack, start + 2 * RTT), [65_535, 1]);
    }

    #[test]
    fn a_packet_that_was_only_overtaken_tells_nothing_of_the_round_trip() {
        let start = crate::some_instant();
        let mut nack = NackGenerator::new();
        nack.receive(start, seq(1), false);
        nack.receive(start, seq(3), false);
        assert_eq!(ask(&mut nack, start), [2]);
        assert_eq!(nack.receive(start + RTT / 20, seq(2), false), (Gap::None, None));
    }

    #[test]
    fn a_packet_that_stays_away_becomes_overdue_once_and_is_asked_for_all_the_same() {
        let start = crate::some_instant();
        let mut nack = NackGenerator::new();
        nack.receive(start, seq(1), false);
        nack.receive(start, seq(3), false);
        let (mut overdue, mut asked) = (Vec::new(), Vec::new());
        while let Some(at) = nack.next_at()
            && at < start + MAX_AGE / 2
        {
            if nack.due(at, RTT, &mut asked) > 0 {
                overdue.push(at);
            }
        }
        assert_eq!(overdue.len(), 1);
        assert!(overdue[0] >= start + OVERDUE_AFTER);
        assert!(nack.is_awaited(seq(2)));
        // On a long way the same wait is no sign of anything.
        let mut nack = NackGenerator::new();
        nack.receive(start, seq(1), false);
        nack.receive(start, seq(3), false);
        assert_eq!(nack.due(start + OVERDUE_AFTER, OVERDUE_AFTER / 2, &mut asked), 0);
    }

    #[test]
    fn while_packets_are_reordered_the_first_request_waits() {
        let start = crate::some_instant();
        let mut nack = NackGenerator::new();
        nack.receive(start, seq(1), false);
        nack.receive(start, seq(3), false);
        nack.receive(start, seq(2), false);
        nack.receive(start, seq(5), false);
        assert!(ask(&mut nack, start).is_empty());
        assert_eq!(nack.next_at(), Some(start + REORDER_WAIT));
        nack.receive(start + REORDER_WAIT / 2, seq(4), false);
        assert_eq!(nack.next_at(), None);
    }

    #[test]
    fn a_jump_is_a_new_start_and_the_list_is_bounded() {
        let start = crate::some_instant();
        let mut nack = NackGenerator::new();
        nack.receive(start, seq(1), false);
        assert_eq!(nack.receive(start, seq(5_000), false).0, Gap::TooLarge);
        assert_eq!(nack.next_at(), None);
        assert_eq!(nack.receive(start, seq(5_900), false).0, Gap::Missing);
        assert_eq!(nack.receive(start, seq(6_100), false).0, Gap::TooLarge);
        assert!(nack.missing.len() <= MAX_MISSING);
    }
}
