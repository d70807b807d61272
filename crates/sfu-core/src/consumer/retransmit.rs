//! What keeps retransmissions to one consumer within limits, and what makes plain ones repeatable.

use std::time::{Duration, Instant};

use wire::ExtSeqNo;

/// Retransmissions remembered, so that none is repeated while it is still on its way.
const MAX_RECENT: usize = 64;

/// A packet is not sent again sooner than this, or than three quarters of a round trip: the receiver's own measure of it
/// may be the shorter one, and a request that is refused costs a whole round trip more.
const MIN_PAUSE: Duration = Duration::from_millis(10);

/// Bytes that may be retransmitted beyond what was sent; each byte sent allows one retransmitted, so
/// that a link that loses half can still be repaired, and a NACK flood cannot multiply.
const MAX_CREDIT: usize = 96 * 1024;

/// Packets whose changing extensions are remembered for plain retransmission.
const PLAIN_SLOTS: usize = 256;

/// The budget and memory of one consumer's retransmissions.
pub(crate) struct Retransmissions {
    recent: [(ExtSeqNo, Option<Instant>); MAX_RECENT],
    next: usize,
    credit: usize,
}

impl Retransmissions {
    pub(crate) fn new() -> Self {
        Self { recent: [(ExtSeqNo::new(0), None); MAX_RECENT], next: 0, credit: MAX_CREDIT }
    }

    /// Notes that `bytes` were sent for the first time.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.credit = (self.credit + bytes).min(MAX_CREDIT);
    }

    /// Whether outgoing number `seq` of `bytes` may be sent again now; then notes that it was.
    pub(crate) fn take(&mut self, now: Instant, seq: ExtSeqNo, bytes: usize, round_trip: Duration) -> bool {
        let pause = (round_trip * 3 / 4).max(MIN_PAUSE);
        let on_its_way = self
            .recent
            .iter()
            .any(|&(recent, at)| recent == seq && at.is_some_and(|at| now.saturating_duration_since(at) < pause));
        if on_its_way || self.credit < bytes {
            return false;
        }
        self.credit -= bytes;
        self.note_late(now, seq);
        true
    }

    /// Notes that `seq` was sent just now though later ones went before: the receiver may have asked for it already.
    pub(crate) fn note_late(&mut self, now: Instant, seq: ExtSeqNo) {
        self.recent[self.next] = (seq, Some(now));
        self.next = (self.next + 1) % MAX_RECENT;
    }
}

/// The extensions of sent packets that change with every sending.
///
/// Without RTX a packet is sent again under its own number, so under the same SRTP nonce: it must be the
/// same to the bit, or GCM's authentication breaks (RFC 7714 §8.4).
pub(crate) struct PlainSent {
    slots: Box<[Option<(ExtSeqNo, Stamp)>]>,
}

/// Values of the extensions that change with every sending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Transport-wide sequence number.
    pub(crate) transport_wide: u16,
    /// Absolute send time, 24 bits.
    pub(crate) abs_send_time: u32,
}

impl PlainSent {
    pub(crate) fn new() -> Self {
        Self { slots: vec![None; PLAIN_SLOTS].into_boxed_slice() }
    }

    pub(crate) fn note(&mut self, seq: ExtSeqNo, stamp: Stamp) {
        self.slots[seq.get() as usize % PLAIN_SLOTS] = Some((seq, stamp));
    }

    pub(crate) fn stamp(&self, seq: ExtSeqNo) -> Option<Stamp> {
        let (noted, stamp) = self.slots[seq.get() as usize % PLAIN_SLOTS]?;
        (noted == seq).then_some(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_not_sent_again_while_it_is_on_its_way() {
        let start = crate::some_instant();
        let round_trip = Duration::from_millis(50);
        let mut retransmissions = Retransmissions::new();
        let seq = ExtSeqNo::new(7);
        assert!(retransmissions.take(start, seq, 100, round_trip));
        assert!(!retransmissions.take(start + round_trip / 2, seq, 100, round_trip));
        assert!(retransmissions.take(start + round_trip, seq, 100, round_trip));
    }

    #[test]
    fn a_packet_that_went_out_late_is_not_sent_again_for_a_request_that_crossed_it() {
        let start = crate::some_instant();
        let round_trip = Duration::from_millis(50);
        let mut retransmissions = Retransmissions::new();
        let seq = ExtSeqNo::new(7);
        retransmissions.note_late(start, seq);
        assert!(!retransmissions.take(start + round_trip / 2, seq, 100, round_trip));
        assert!(retransmissions.take(start + round_trip, seq, 100, round_trip));
    }

    #[test]
    fn a_flood_of_requests_cannot_multiply_what_is_sent() {
        let start = crate::some_instant();
        let mut retransmissions = Retransmissions::new();
        let answered = (0..100_000_u64)
            .filter(|&seq| retransmissions.take(start, ExtSeqNo::new(seq), 1000, Duration::ZERO))
            .count();
        assert_eq!(answered, MAX_CREDIT / 1000);
        retransmissions.sent(1500);
        assert!(retransmissions.take(start, ExtSeqNo::new(200_000), 1000, Duration::ZERO));
        assert!(!retransmissions.take(start, ExtSeqNo::new(200_001), 1000, Duration::ZERO));
    }
}
