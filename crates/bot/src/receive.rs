//! One RTP stream as received: order, loss, jitter, what is asked for again, and what reports say of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wire::rtcp::{NtpTime, ReportBlock};
use wire::{ExtSeqNo, RtpTimestamp, SeqNo, Ssrc};

/// A gap of more packets than this is not asked for; libwebrtc asks for as many at a time.
const MAX_GAP: i64 = 1000;

/// Missing numbers remembered; older ones are only counted.
const MAX_HOLES: usize = 10_000;

/// Requests for one packet, as in libwebrtc.
const MAX_REQUESTS: u8 = 10;

/// Shortest time between two requests for one packet.
const MIN_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Clone, Copy)]
struct Missing {
    next_request_at: Instant,
    requests: u8,
}

/// What a received number means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// It goes on where the last one ended.
    Next,
    /// Numbers before it are missing.
    AfterGap,
    /// It fills a gap.
    Late,
    /// It was there before.
    Duplicate,
}

/// The state of one incoming stream.
pub(crate) struct Reception {
    first: Option<ExtSeqNo>,
    newest: Option<ExtSeqNo>,
    /// Packets received, duplicates counted as RTCP wants it.
    received: u64,
    unique: u64,
    /// Every number that was never received, and whether it is still asked for.
    holes: BTreeMap<ExtSeqNo, Option<Missing>>,
    /// Numbers never received that are not remembered any more.
    forgotten: usize,
    nacks: bool,
    asked: u64,
    clock_rate: u32,
    started_at: Option<Instant>,
    transit: Option<i64>,
    jitter_q4: i64,
    last_report: Option<(NtpTime, Instant)>,
    reported: (u64, u64),
}

impl Reception {
    pub(crate) fn new(clock_rate: u32, nacks: bool) -> Self {
        Self {
            first: None,
            newest: None,
            received: 0,
            unique: 0,
            holes: BTreeMap::new(),
            forgotten: 0,
            nacks,
            asked: 0,
            clock_rate,
            started_at: None,
            transit: None,
            jitter_q4: 0,
            last_report: None,
            reported: (0, 0),
        }
    }

    pub(crate) fn newest(&self) -> Option<ExtSeqNo> {
        self.newest
    }

    /// Packets received, each counted once.
    pub(crate) fn unique(&self) -> u64 {
        self.unique
    }

    /// Numbers between the first and the newest that have not come.
    pub(crate) fn missing(&self) -> usize {
        self.holes.len() + self.forgotten
    }

    /// Packets asked for by NACK.
    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    /// Notes a received number.
    pub(crate) fn receive(&mut self, now: Instant, seq: ExtSeqNo) -> Place {
        self.received += 1;
        let (Some(first), Some(newest)) = (self.first, self.newest) else {
            (self.first, self.newest) = (Some(seq), Some(seq));
            self.unique += 1;
            return Place::Next;
        };
        if seq > newest {
            self.note_holes(now, newest.next(), seq);
            self.newest = Some(seq);
            self.unique += 1;
            return if seq == newest.next() { Place::Next } else { Place::AfterGap };
        }
        if seq < first {
            // What was sent before the packet that was the first to come.
            self.note_holes(now, seq.next(), first);
            self.first = Some(seq);
            self.unique += 1;
            return Place::Late;
        }
        if self.holes.remove(&seq).is_none() {
            return Place::Duplicate;
        }
        self.unique += 1;
        Place::Late
    }

    /// Notes a number that came as a part of a later packet; whether it was missing.
    pub(crate) fn recover(&mut self, seq: ExtSeqNo) -> bool {
        let was_missing = self.holes.remove(&seq).is_some();
        self.unique += u64::from(was_missing);
        was_missing
    }

    /// The numbers from `from` up to but not including `to` are missing.
    fn note_holes(&mut self, now: Instant, from: ExtSeqNo, to: ExtSeqNo) {
        let wanted = self.nacks && to.distance_from(from) <= MAX_GAP;
        let mut number = from;
        while number < to {
            self.holes.insert(number, wanted.then_some(Missing { next_request_at: now, requests: 0 }));
            number = number.next();
        }
        while self.holes.len() > MAX_HOLES {
            self.holes.pop_first();
            self.forgotten += 1;
        }
    }

    /// Notes when a packet came, for the jitter (RFC 3550 §A.8).
    pub(crate) fn note_time(&mut self, now: Instant, timestamp: RtpTimestamp) {
        let started_at = *self.started_at.get_or_insert(now);
        let micros = now.saturating_duration_since(started_at).as_micros() as i64;
        let arrival = micros * i64::from(self.clock_rate) / 1_000_000;
        let transit = i64::from((arrival as u32).wrapping_sub(timestamp.get()).cast_signed());
        if let Some(last) = self.transit.replace(transit) {
            let difference = i64::from(((transit - last) as u32).cast_signed()).abs();
            self.jitter_q4 += difference - ((self.jitter_q4 + 8) >> 4);
        }
    }

    /// Numbers to ask for now.
    pub(crate) fn due_nacks(&mut self, now: Instant, round_trip: Duration) -> Vec<SeqNo> {
        let mut due = Vec::new();
        for (seq, slot) in &mut self.holes {
            let Some(missing) = slot else { continue };
            if missing.next_request_at > now {
                continue;
            }
            if missing.requests == MAX_REQUESTS {
                *slot = None;
                continue;
            }
            missing.requests += 1;
            missing.next_request_at = now + round_trip.max(MIN_INTERVAL);
            due.push(seq.truncate());
        }
        self.asked += due.len() as u64;
        due
    }

    pub(crate) fn next_nack_at(&self) -> Option<Instant> {
        self.holes.values().flatten().map(|missing| missing.next_request_at).min()
    }

    /// What is before `seq` is not asked for any more: a decoder started at a key frame.
    pub(crate) fn give_up_before(&mut self, seq: ExtSeqNo) {
        self.holes.range_mut(..seq).for_each(|(_, slot)| *slot = None);
    }

    /// Notes the sender's report, to be referred to by ours.
    pub(crate) fn receive_sender_report(&mut self, now: Instant, ntp: NtpTime) {
        self.last_report = Some((ntp, now));
    }

    /// The report block about this stream; `None` before its first packet.
    pub(crate) fn report(&mut self, now: Instant, ssrc: Ssrc) -> Option<ReportBlock> {
        let (first, newest) = (self.first?, self.newest?);
        let expected = newest.distance_from(first).unsigned_abs() + 1;
        let (expected_before, received_before) = std::mem::replace(&mut self.reported, (expected, self.received));
        let expected_now = expected - expected_before;
        let lost_now = expected_now.saturating_sub(self.received - received_before);
        let (last_sr, delay_since_last_sr) = self.last_report.map_or((0, 0), |(ntp, at)| {
            (ntp.middle(), (now.saturating_duration_since(at).as_micros() * 65_536 / 1_000_000) as u32)
        });
        Some(ReportBlock {
            ssrc,
            fraction_lost: (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8,
            cumulative_lost: (expected as i64 - self.received as i64) as i32,
            highest_seq: newest.get() as u32,
            jitter: (self.jitter_q4 >> 4) as u32,
            last_sr,
            delay_since_last_sr,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_asked_for_until_they_are_filled() {
        let start = Instant::now();
        let round_trip = Duration::from_millis(100);
        let mut reception = Reception::new(90_000, true);
        let n = ExtSeqNo::new;
        assert_eq!(reception.receive(start, n(65_534)), Place::Next);
        assert_eq!(reception.receive(start, n(65_537)), Place::AfterGap);
        assert_eq!(reception.due_nacks(start, round_trip), [SeqNo::new(65_535), SeqNo::new(0)]);
        assert!(reception.due_nacks(start + round_trip / 2, round_trip).is_empty());
        assert_eq!(reception.receive(start, n(65_535)), Place::Late);
        assert_eq!(reception.receive(start, n(65_535)), Place::Duplicate);
        assert_eq!(reception.due_nacks(start + round_trip, round_trip), [SeqNo::new(0)]);
        assert_eq!((reception.missing(), reception.unique(), reception.asked()), (1, 3, 3));
        reception.give_up_before(n(65_537));
        assert_eq!(reception.next_nack_at(), None);
        assert_eq!(reception.missing(), 1);
    }

    #[test]
    fn jumps_without_end_are_counted_in_bounded_memory() {
        let start = Instant::now();
        let mut reception = Reception::new(90_000, true);
        for jump in 0..10 {
            reception.receive(start, ExtSeqNo::new(jump * 20_000));
        }
        assert_eq!(reception.missing(), 9 * 19_999);
        assert!(reception.holes.len() <= MAX_HOLES);
        assert!(reception.due_nacks(start, Duration::ZERO).is_empty(), "too much to ask for");
    }

    #[test]
    fn a_report_tells_what_is_missing() {
        let start = Instant::now();
        let mut reception = Reception::new(48_000, false);
        for seq in [10, 11, 13, 14] {
            reception.receive(start, ExtSeqNo::new(seq));
        }
        let block = reception.report(start, Ssrc::new(5)).expect("packets came");
        assert_eq!((block.cumulative_lost, block.fraction_lost, block.highest_seq), (1, 51, 14));
        let block = reception.report(start, Ssrc::new(5)).expect("packets came");
        assert_eq!((block.cumulative_lost, block.fraction_lost), (1, 0));
    }
}
