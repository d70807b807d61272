//! What was sent to one viewer and is not reported on yet; and what the viewer's transport-wide feedback says of it
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::time::{Duration, Instant};

use wire::rtcp::{TransportFeedback, reference_time_distance};
use wire::{ExtSeqNo, SeqNo};

/// Packets remembered at the start, and at most: more than a second at 50 Mbit/s. Powers of two.
const USUAL_PACKETS: usize = 256;
pub(super) const MAX_PACKETS: usize = 8192;

/// While younger packets than this would be forgotten without a report on them, more are remembered.
const KEPT: Duration = Duration::from_secs(1);

/// Ticks of 250 µs in the unit of the reference time.
const TICKS_PER_REFERENCE: i64 = 256;

/// One tick of feedback in µs.
const TICK_MICROS: i64 = 250;

/// Names a group of packets that were sent to probe for more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ProbeId(pub(crate) u32);

impl ProbeId {
    /// Tells the packets of this probe from those of the few others that can be under way; never 0.
    pub(crate) fn mark(self) -> u8 {
        (self.0 % 255) as u8 + 1
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Fate {
    /// There is no packet.
    #[default]
    None,
    Unknown,
    Lost,
    Received,
}

/// A sent packet; small, because each transport has many and each is written to once a packet.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Low half of the number.
    number: u32,
    /// When it was sent, in µs since the epoch, wrapping after 71 minutes.
    sent_at: u32,
    bytes: u16,
    /// Low byte of the probe's id; 0 of none.
    probe: u8,
    fate: Fate,
}

/// What feedback says of one packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketResult {
    pub(crate) sent_at: Instant,
    /// When it arrived, in µs on the peer's clock; `None` when it did not.
    pub(crate) received_at: Option<i64>,
    /// Size with all headers.
    pub(crate) bytes: u16,
    /// [`ProbeId::mark`] of its probe; 0 of none.
    pub(crate) probe: u8,
}

/// What was sent, by transport-wide number.
pub(crate) struct SentHistory {
    entries: Vec<Entry>,
    epoch: Option<Instant>,
    newest: Option<ExtSeqNo>,
    /// Below, the fate of every packet is known, or it is forgotten.
    open_from: ExtSeqNo,
    /// Bytes whose fate is unknown.
    in_flight: u64,
    /// The last reference time and what it is on a clock that does not wrap, in ticks.
    reference: Option<(i32, i64)>,
}

impl SentHistory {
    pub(crate) fn new() -> Self {
        Self {
            entries: vec![Entry::default(); USUAL_PACKETS],
            epoch: None,
            newest: None,
            open_from: ExtSeqNo::new(0),
            in_flight: 0,
            reference: None,
        }
    }

    /// Bytes that were sent and not reported on.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Packets that there is room for.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn room(&self) -> usize {
        self.entries.len()
    }

    fn index(&self, number: ExtSeqNo) -> usize {
        number.get() as usize & (self.entries.len() - 1)
    }

    /// Notes that a packet left.
    pub(crate) fn note(&mut self, now: Instant, seq: SeqNo, bytes: usize, probe: Option<ProbeId>) {
        let first = ExtSeqNo::new(1 << 16 | u64::from(seq.get()));
        let Some(number) = self.newest.map_or(Some(first), |newest| newest.nearest(seq)) else { return };
        if self.newest.is_none() {
            self.open_from = number;
        }
        self.newest = self.newest.max(Some(number));
        let sent_at = self.micros(now) as u32;
        let displaced = self.entries[self.index(number)];
        if displaced.fate == Fate::Unknown {
            let age = Duration::from_micros(u64::from(sent_at.wrapping_sub(displaced.sent_at)));
            if self.entries.len() < MAX_PACKETS && age < KEPT {
                self.grow();
            } else {
                self.in_flight = self.in_flight.saturating_sub(u64::from(displaced.bytes));
                self.open_from = self.open_from.max(number.offset(1 - self.entries.len() as i64));
            }
        }
        let bytes = bytes.min(usize::from(u16::MAX)) as u16;
        self.in_flight += u64::from(bytes);
        let index = self.index(number);
        let probe = probe.map_or(0, ProbeId::mark);
        self.entries[index] = Entry { number: number.get() as u32, sent_at, bytes, probe, fate: Fate::Unknown };
    }

    /// Time since the epoch, in µs.
    fn micros(&mut self, now: Instant) -> u64 {
        let epoch = *self.epoch.get_or_insert(now);
        now.saturating_duration_since(epoch).as_micros() as u64
    }

    fn grow(&mut self) {
        let grown = vec![Entry::default(); self.entries.len() * 2];
        for entry in std::mem::replace(&mut self.entries, grown) {
            let index = entry.number as usize & (self.entries.len() - 1);
            if entry.fate != Fate::None {
                self.entries[index] = entry;
            }
        }
    }

    fn entry_mut(&mut self, number: ExtSeqNo) -> Option<&mut Entry> {
        let index = self.index(number);
        let entry = &mut self.entries[index];
        (entry.fate != Fate::None && entry.number == number.get() as u32).then_some(entry)
    }

    /// Appends what `feedback` tells that was not known before, in the order of sending.
    pub(crate) fn receive(&mut self, now: Instant, feedback: &TransportFeedback<'_>, results: &mut Vec<PacketResult>) {
        let Some(newest) = self.newest else { return };
        let micros = self.micros(now);
        let now = (now, micros as u32);
        let Some(base) = newest.nearest(feedback.base_seq) else { return };
        let mut arrival = self.unwrap_reference(feedback.reference_time);
        // A few bytes can claim thousands of losses: only those are walked that are not known yet.
        let end = base.offset(i64::from(feedback.status_count));
        let mut at = base.max(self.open_from);
        for (seq, delta) in feedback.received() {
            arrival += delta;
            let Some(number) = newest.nearest(seq).filter(|number| *number <= newest) else { continue };
            at = self.lose(now, at, number, results);
            self.settle(now, number, Some(arrival * TICK_MICROS), results);
            at = at.max(number.next());
        }
        self.lose(now, at, end.min(newest.next()), results);
        while self.open_from <= newest && self.entry_mut(self.open_from).is_none_or(|entry| entry.fate != Fate::Unknown)
        {
            self.open_from = self.open_from.next();
        }
    }

    fn lose(
        &mut self,
        now: (Instant, u32),
        from: ExtSeqNo,
        end: ExtSeqNo,
        results: &mut Vec<PacketResult>,
    ) -> ExtSeqNo {
        let mut at = from;
        while at < end {
            self.settle(now, at, None, results);
            at = at.next();
        }
        at
    }

    /// Notes what became of a packet. `now` is also given in µs since the epoch, wrapping.
    fn settle(
        &mut self,
        (now, micros): (Instant, u32),
        number: ExtSeqNo,
        received_at: Option<i64>,
        results: &mut Vec<PacketResult>,
    ) {
        let Some(entry) = self.entry_mut(number) else { return };
        let fate = if received_at.is_some() { Fate::Received } else { Fate::Lost };
        let Entry { sent_at, bytes, probe, fate: before, .. } = *entry;
        if before == Fate::Received || before == fate {
            return;
        }
        entry.fate = fate;
        if before == Fate::Unknown {
            self.in_flight = self.in_flight.saturating_sub(u64::from(bytes));
        }
        let age = Duration::from_micros(u64::from(micros.wrapping_sub(sent_at)));
        let Some(sent_at) = now.checked_sub(age) else { return };
        results.push(PacketResult { sent_at, received_at, bytes, probe });
    }

    fn unwrap_reference(&mut self, reference: i32) -> i64 {
        let ticks = match self.reference {
            None => i64::from(reference) * TICKS_PER_REFERENCE,
            Some((before, ticks)) => {
                ticks + i64::from(reference_time_distance(reference, before)) * TICKS_PER_REFERENCE
            }
        };
        self.reference = Some((reference, ticks));
        ticks
    }
}

#[cfg(test)]
mod tests {
    use wire::Ssrc;
    use wire::rtcp::{FeedbackHeader, RtcpPacket, packets, write_transport_feedback};

    use super::*;

    fn feed(history: &mut SentHistory, base: u16, reference_time: i32, statuses: &[Option<i64>]) -> Vec<PacketResult> {
        let mut bytes = Vec::new();
        let header = FeedbackHeader {
            sender: Ssrc::new(1),
            media: Ssrc::new(2),
            base_seq: SeqNo::new(base),
            reference_time,
            feedback_count: 0,
        };
        write_transport_feedback(&mut bytes, &header, statuses).expect("fits");
        let mut results = Vec::new();
        let Some(Ok(RtcpPacket::TransportFeedback(feedback))) = packets(&bytes).next() else {
            panic!("only feedback was written")
        };
        history.receive(crate::some_instant(), &feedback, &mut results);
        results
    }

    #[test]
    fn arrivals_and_losses_are_told_once_in_order() {
        let start = crate::some_instant();
        let mut history = SentHistory::new();
        for seq in 0..6_u16 {
            history.note(start, SeqNo::new(65_533_u16.wrapping_add(seq)), 100 + usize::from(seq), None);
        }
        assert_eq!(history.in_flight(), 615);
        let told = feed(&mut history, 65_533, 10, &[Some(4), None, None, Some(8)]);
        let told: Vec<_> = told.iter().map(|result| (result.bytes, result.received_at)).collect();
        let base = 10 * 64_000;
        assert_eq!(told, [(100, Some(base + 1000)), (101, None), (102, None), (103, Some(base + 3000))]);
        assert_eq!(history.in_flight(), 209);
        let told = feed(&mut history, 65_533, 11, &[Some(4), Some(0), None, Some(8), Some(1)]);
        let told: Vec<_> = told.iter().map(|result| (result.bytes, result.received_at.is_some())).collect();
        assert_eq!(told, [(101, true), (104, true)], "one came late, one is new");
        assert_eq!(history.in_flight(), 105);
    }

    #[test]
    fn what_was_never_sent_is_not_told_and_claims_of_loss_are_cheap() {
        let start = crate::some_instant();
        let mut history = SentHistory::new();
        assert!(feed(&mut history, 5, 0, &[Some(0)]).is_empty());
        history.note(start, SeqNo::new(100), 1000, None);
        assert!(feed(&mut history, 101, 0, &[Some(0), Some(0)]).is_empty());
        assert!(feed(&mut history, 40_000, 0, &[Some(0)]).is_empty());
        let mut many = vec![None; 5000];
        many.push(Some(0));
        assert_eq!(feed(&mut history, 0, 0, &many).len(), 1);
    }

    #[test]
    fn memory_is_bounded() {
        let start = crate::some_instant();
        let mut history = SentHistory::new();
        for number in 0..100_000_u32 {
            history.note(start, SeqNo::new(number as u16), 1200, None);
        }
        assert_eq!(history.room(), MAX_PACKETS);
        assert_eq!(history.in_flight(), 1200 * MAX_PACKETS as u64);
    }
}
