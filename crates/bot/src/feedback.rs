//! Transport-wide feedback of a viewer: when each packet of the connection arrived
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wire::rtcp::{FeedbackHeader, write_transport_feedback};
use wire::{ExtSeqNo, SeqNo, Ssrc};

/// Time between two feedback messages.
const INTERVAL: Duration = Duration::from_millis(50);

/// Arrival times are counted in this.
const TICK_MICROS: u128 = 250;

/// Ticks in one unit of the reference time.
const TICKS_PER_REFERENCE: i64 = 256;

/// Packets that one message reports on.
const MAX_STATUSES: usize = 500;

/// Arrivals are remembered for this long, so that one that comes late is reported together with those around it; as libwebrtc
/// does.
const MEMORY_TICKS: i64 = 2_000;

/// What arrived lately, and from which number on it is to be reported.
pub(crate) struct Arrivals {
    started_at: Instant,
    newest: Option<ExtSeqNo>,
    known: BTreeMap<ExtSeqNo, i64>,
    /// `None` before the first arrival.
    report_from: Option<ExtSeqNo>,
    count: u8,
    due_at: Option<Instant>,
}

impl Arrivals {
    pub(crate) fn new(started_at: Instant) -> Self {
        Self { started_at, newest: None, known: BTreeMap::new(), report_from: None, count: 0, due_at: None }
    }

    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    pub(crate) fn receive(&mut self, now: Instant, seq: SeqNo) {
        let number = match self.newest {
            Some(newest) => newest.nearest(seq),
            // Room below for numbers that were overtaken.
            None => Some(ExtSeqNo::new(1 << 16 | u64::from(seq.get()))),
        };
        let Some(number) = number else { return };
        let ticks = (now.saturating_duration_since(self.started_at).as_micros() / TICK_MICROS) as i64;
        if self.known.contains_key(&number) {
            return;
        }
        self.newest = self.newest.max(Some(number));
        self.known.insert(number, ticks);
        let from = self.report_from.get_or_insert(number);
        *from = number.min(*from);
        self.due_at.get_or_insert(now + INTERVAL);
    }

    /// Appends what is to be reported.
    pub(crate) fn write(&mut self, out: &mut Vec<u8>, sender: Ssrc, media: Ssrc) {
        self.due_at = None;
        let (Some(newest), Some(mut base)) = (self.newest, self.report_from) else { return };
        while base <= newest {
            let Some((&first, &first_ticks)) = self.known.range(base..).next() else { break };
            if first.distance_from(base) >= MAX_STATUSES as i64 {
                base = first;
            }
            let reference = first_ticks.div_euclid(TICKS_PER_REFERENCE);
            let mut previous = reference * TICKS_PER_REFERENCE;
            let len = (newest.distance_from(base) + 1).clamp(1, MAX_STATUSES as i64);
            let statuses: Vec<_> = (0..len)
                .map(|step| {
                    let ticks = *self.known.get(&base.offset(step))?;
                    Some(ticks - std::mem::replace(&mut previous, ticks))
                })
                .collect();
            let header = FeedbackHeader {
                sender,
                media,
                base_seq: base.truncate(),
                reference_time: ((reference as i32) << 8) >> 8,
                feedback_count: self.count,
            };
            let Ok(count @ 1..) = write_transport_feedback(out, &header, &statuses) else { break };
            self.count = self.count.wrapping_add(1);
            base = base.offset(count as i64);
        }
        self.report_from = Some(newest.next());
        let latest = self.known.values().copied().max().unwrap_or_default();
        self.known.retain(|_, ticks| *ticks + MEMORY_TICKS >= latest);
    }
}

#[cfg(test)]
mod tests {
    use wire::rtcp::{RtcpPacket, packets};

    use super::*;

    #[test]
    fn every_arrival_is_reported_once_and_what_is_missing_too() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start);
        for (seq, ms) in [(65_534, 10), (65_535, 20), (2, 30), (1, 31)] {
            arrivals.receive(start + Duration::from_millis(ms), SeqNo::new(seq));
        }
        assert_eq!(arrivals.due_at(), Some(start + Duration::from_millis(60)));
        let mut out = Vec::new();
        arrivals.write(&mut out, Ssrc::new(1), Ssrc::new(2));
        let mut all = Vec::new();
        for packet in packets(&out) {
            let Ok(RtcpPacket::TransportFeedback(feedback)) = packet else { panic!("only feedback was written") };
            let mut at = feedback.reference_ticks();
            for (seq, delta) in feedback.statuses() {
                at += delta.unwrap_or(0);
                all.push((seq.get(), delta.map(|_| at)));
            }
        }
        assert_eq!(all, [(65_534, Some(40)), (65_535, Some(80)), (0, None), (1, Some(124)), (2, Some(120))]);
        assert_eq!(arrivals.due_at(), None);
        // One that comes late is reported with those after it, which are known.
        arrivals.receive(start + Duration::from_millis(70), SeqNo::new(0));
        out.clear();
        arrivals.write(&mut out, Ssrc::new(1), Ssrc::new(2));
        let again: Vec<_> = packets(&out)
            .flat_map(|packet| {
                let Ok(RtcpPacket::TransportFeedback(feedback)) = packet else { panic!("only feedback was written") };
                feedback.statuses().map(|(seq, delta)| (seq.get(), delta.is_some())).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(again, [(0, true), (1, true), (2, true)]);
    }
}
