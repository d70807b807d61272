//! When transport-wide numbered packets arrived, and the feedback that reports it
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::rtcp::{FeedbackHeader, write_transport_feedback};
use wire::{ExtSeqNo, SeqNo, Ssrc};

/// Time between two feedback messages; libwebrtc's receivers send every 50 to 250 ms.
pub(crate) const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);

/// Numbers remembered at most: reported ones, in case an older one still arrives, and unreported ones.
pub(super) const MAX_WINDOW: usize = 4096;

/// Reported numbers kept, so that a late packet can still be reported.
const KEPT_REPORTED: i64 = 256;

/// Statuses in one message; keeps it far below any path's MTU even with two-byte deltas.
const MAX_STATUSES: usize = 400;

/// The unit of arrival times (§3.1.5).
const TICK: Duration = Duration::from_micros(250);

/// Ticks in one unit of the reference time (64 ms).
const TICKS_PER_REFERENCE: i64 = 256;

/// Arrival times of one transport's packets.
pub(crate) struct Arrivals {
    epoch: Instant,
    /// Number of the front of `times`.
    begin: ExtSeqNo,
    /// Arrival in ticks since the epoch.
    times: VecDeque<Option<i64>>,
    /// The first number that no feedback has covered, or that arrived after it was reported missing.
    report_from: ExtSeqNo,
    unreported: bool,
    feedback_count: u8,
    statuses: Vec<Option<i64>>,
}

impl Arrivals {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self {
            epoch,
            begin: ExtSeqNo::new(0),
            times: VecDeque::with_capacity(MAX_WINDOW),
            report_from: ExtSeqNo::new(0),
            unreported: false,
            feedback_count: 0,
            statuses: Vec::with_capacity(MAX_STATUSES),
        }
    }

    /// Whether something arrived that no feedback has reported.
    pub(crate) fn has_unreported(&self) -> bool {
        self.unreported
    }

    /// Notes the arrival of number `seq` at `at`.
    pub(crate) fn receive(&mut self, seq: SeqNo, at: Instant) {
        let ticks = (at.saturating_duration_since(self.epoch).as_micros() / TICK.as_micros()) as i64;
        let Some(number) = self.extend(seq) else { return };
        let ahead = number.distance_from(self.begin);
        if ahead < 0 {
            return;
        }
        if ahead >= MAX_WINDOW as i64 {
            self.restart(number);
        }
        let index = number.distance_from(self.begin) as usize;
        while self.times.len() <= index {
            self.times.push_back(None);
        }
        let slot = &mut self.times[index];
        if slot.is_some() {
            return;
        }
        *slot = Some(ticks);
        if number < self.report_from {
            self.report_from = number;
        }
        self.unreported = true;
    }

    fn extend(&mut self, seq: SeqNo) -> Option<ExtSeqNo> {
        if self.times.is_empty() {
            // Room below, so that numbers that overtook each other at the start still fit.
            let number = ExtSeqNo::new(1 << 16 | u64::from(seq.get()));
            self.restart(number);
            return Some(number);
        }
        self.begin.offset(self.times.len() as i64 - 1).nearest(seq)
    }

    fn restart(&mut self, number: ExtSeqNo) {
        self.times.clear();
        self.begin = number;
        self.report_from = number;
    }

    /// Appends one feedback packet, small enough for a datagram; whether more is left to report.
    pub(crate) fn write_feedback(&mut self, out: &mut Vec<u8>, sender: Ssrc, media: Ssrc) -> bool {
        self.unreported = self.unreported && self.write_one(out, sender, media);
        let reported = self.report_from.distance_from(self.begin);
        for _ in KEPT_REPORTED..reported {
            self.times.pop_front();
            self.begin = self.begin.next();
        }
        self.unreported
    }

    fn write_one(&mut self, out: &mut Vec<u8>, sender: Ssrc, media: Ssrc) -> bool {
        let from = self.report_from.distance_from(self.begin).max(0) as usize;
        let Some(first) = self.times.iter().skip(from).find_map(|time| *time) else { return false };
        let reference = first.div_euclid(TICKS_PER_REFERENCE);
        let mut previous = reference * TICKS_PER_REFERENCE;
        self.statuses.clear();
        for time in self.times.iter().skip(from).take(MAX_STATUSES) {
            let delta = time.map(|time| {
                let delta = time - previous;
                previous = time;
                delta
            });
            self.statuses.push(delta);
        }
        while self.statuses.last().is_some_and(Option::is_none) {
            self.statuses.pop();
        }
        let header = FeedbackHeader {
            sender,
            media,
            base_seq: self.report_from.truncate(),
            // 24 bits, signed, wrapping (§3.1.1).
            reference_time: ((reference as i32) << 8) >> 8,
            feedback_count: self.feedback_count,
        };
        let Ok(count @ 1..) = write_transport_feedback(out, &header, &self.statuses) else {
            // Nothing but missing numbers before the first arrival within one message: skip them.
            self.report_from = self.report_from.offset(MAX_STATUSES as i64);
            return true;
        };
        self.feedback_count = self.feedback_count.wrapping_add(1);
        self.report_from = self.report_from.offset(count as i64);
        (from + count) < self.times.len()
    }
}

#[cfg(test)]
mod tests {
    use wire::rtcp::{RtcpPacket, packets};

    use super::*;

    /// Every reported number with its arrival in ticks since the epoch.
    fn reported(bytes: &[u8]) -> Vec<(u16, Option<i64>)> {
        let mut all = Vec::new();
        for packet in packets(bytes) {
            let RtcpPacket::TransportFeedback(feedback) = packet.expect("written by us") else {
                panic!("only feedback was written");
            };
            let mut at = i64::from(feedback.reference_time) * TICKS_PER_REFERENCE;
            for (seq, delta) in feedback.statuses() {
                at += delta.unwrap_or(0);
                all.push((seq.get(), delta.map(|_| at)));
            }
        }
        all
    }

    fn feedback(arrivals: &mut Arrivals) -> Vec<(u16, Option<i64>)> {
        let mut out = Vec::new();
        while arrivals.write_feedback(&mut out, Ssrc::new(1), Ssrc::new(2)) {}
        reported(&out)
    }

    #[test]
    fn arrivals_and_losses_are_reported_once_with_their_times() {
        let start = crate::some_instant();
        let mut arrivals = Arrivals::new(start);
        let at = |ms: u64| start + Duration::from_millis(ms);
        arrivals.receive(SeqNo::new(65_534), at(1000));
        arrivals.receive(SeqNo::new(65_535), at(1001));
        arrivals.receive(SeqNo::new(1), at(1005));
        assert_eq!(feedback(&mut arrivals), [(65_534, Some(4000)), (65_535, Some(4004)), (0, None), (1, Some(4020))]);
        assert!(!arrivals.has_unreported());
        arrivals.receive(SeqNo::new(2), at(1006));
        assert_eq!(feedback(&mut arrivals), [(2, Some(4024))]);
    }

    #[test]
    fn a_packet_that_was_reported_missing_and_came_late_is_reported() {
        let start = crate::some_instant();
        let mut arrivals = Arrivals::new(start);
        arrivals.receive(SeqNo::new(10), start);
        arrivals.receive(SeqNo::new(12), start);
        feedback(&mut arrivals);
        arrivals.receive(SeqNo::new(11), start + Duration::from_millis(4));
        assert_eq!(feedback(&mut arrivals), [(11, Some(16)), (12, Some(0))]);
    }

    #[test]
    fn a_long_pause_and_a_huge_jump_are_reported_without_growing_memory() {
        let start = crate::some_instant();
        let mut arrivals = Arrivals::new(start);
        arrivals.receive(SeqNo::new(0), start);
        arrivals.receive(SeqNo::new(1), start + Duration::from_secs(60));
        assert_eq!(feedback(&mut arrivals), [(0, Some(0)), (1, Some(240_000))]);
        arrivals.receive(SeqNo::new(30_000), start + Duration::from_secs(61));
        assert_eq!(feedback(&mut arrivals), [(30_000, Some(244_000))]);
        for seq in 0..60_000_u32 {
            arrivals.receive(SeqNo::new((30_001 + seq) as u16), start + Duration::from_secs(62));
        }
        assert!(arrivals.times.len() <= MAX_WINDOW);
        assert!(arrivals.times.capacity() <= 2 * MAX_WINDOW);
    }
}
