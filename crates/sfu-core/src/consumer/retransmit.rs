//! What keeps retransmissions to one consumer within limits, and what makes plain ones repeatable.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use wire::ExtSeqNo;

use super::redundant::Repeated;

/// Numbers whose last sending is remembered, each in the slot of its lowest bits: a burst that is repaired on the way up
/// is asked for by viewers too, and none of it shall go out twice.
const RECENT_SLOTS: usize = 256;

/// A packet is not sent again sooner than this, or than three quarters of a round trip: the receiver's own measure of it
/// may be the shorter one, and a request that is refused costs a whole round trip more.
const MIN_PAUSE: Duration = Duration::from_millis(10);

/// Bytes that may be retransmitted beyond what was sent; each byte sent allows one retransmitted, so
/// that a link that loses half can still be repaired, and a NACK flood cannot multiply.
const MAX_CREDIT: usize = 96 * 1024;

/// Packets whose changing extensions are remembered for plain retransmission.
const PLAIN_SLOTS: usize = 256;

/// A number and when it was sent last; small, because every consumer has many.
#[derive(Clone, Copy, Default)]
struct Recent {
    /// Low half of the number.
    seq: u32,
    /// Milliseconds since the epoch and one.
    sent_at: Option<NonZeroU32>,
}

/// The budget and memory of one consumer's retransmissions.
pub(crate) struct Retransmissions {
    epoch: Option<Instant>,
    recent: [Recent; RECENT_SLOTS],
    credit: usize,
}

impl Retransmissions {
    pub(crate) fn new() -> Self {
        Self { epoch: None, recent: [Recent::default(); RECENT_SLOTS], credit: MAX_CREDIT }
    }

    /// Notes that `bytes` were sent for the first time.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.credit = (self.credit + bytes).min(MAX_CREDIT);
    }

    /// Whether outgoing number `seq` of `bytes` may be sent again now.
    pub(crate) fn may_take(&mut self, now: Instant, seq: ExtSeqNo, bytes: usize, round_trip: Duration) -> bool {
        let pause = (round_trip * 3 / 4).max(MIN_PAUSE);
        let is_on_its_way = self.since_sent(now, seq).is_some_and(|since| since < pause);
        !is_on_its_way && self.credit >= bytes
    }

    /// Notes that `seq` of `bytes` is sent again.
    pub(crate) fn take(&mut self, now: Instant, seq: ExtSeqNo, bytes: usize) {
        self.credit = self.credit.saturating_sub(bytes);
        self.note_late(now, seq);
    }

    /// Notes that `seq` was sent just now though later ones went before: the receiver may have asked for it already.
    pub(crate) fn note_late(&mut self, now: Instant, seq: ExtSeqNo) {
        let sent_at = NonZeroU32::new(self.millis(now).wrapping_add(1));
        self.recent[seq.get() as usize % RECENT_SLOTS] = Recent { seq: seq.get() as u32, sent_at };
    }

    /// Whether `seq` was sent again or late already, as far back as that is remembered.
    pub(crate) fn remembers(&self, seq: ExtSeqNo) -> bool {
        let recent = self.recent[seq.get() as usize % RECENT_SLOTS];
        recent.sent_at.is_some() && recent.seq == seq.get() as u32
    }

    /// How long ago `seq` was sent again or late, if that is remembered.
    fn since_sent(&mut self, now: Instant, seq: ExtSeqNo) -> Option<Duration> {
        let recent = self.recent[seq.get() as usize % RECENT_SLOTS];
        let sent_at = recent.sent_at.filter(|_| recent.seq == seq.get() as u32)?.get().wrapping_sub(1);
        Some(Duration::from_millis(u64::from(self.millis(now).wrapping_sub(sent_at))))
    }

    /// Time since the first use, wrapping after 49 days.
    fn millis(&mut self, now: Instant) -> u32 {
        let epoch = *self.epoch.get_or_insert(now);
        now.saturating_duration_since(epoch).as_millis() as u32
    }
}

/// The extensions of sent packets that change with every sending, and what went with them.
///
/// Without RTX a packet is sent again under its own number, so under the same SRTP nonce: it must be the
/// same to the bit, or GCM's authentication breaks (RFC 7714 §8.4).
pub(crate) struct PlainSent {
    slots: Box<[Option<(ExtSeqNo, Stamp, Repeated)>]>,
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

    pub(crate) fn note(&mut self, seq: ExtSeqNo, stamp: Stamp, repeated: Repeated) {
        self.slots[seq.get() as usize % PLAIN_SLOTS] = Some((seq, stamp, repeated));
    }

    /// What was sent with the packet `seq`, so that it can be sent again as it was.
    pub(crate) fn sent(&self, seq: ExtSeqNo) -> Option<(Stamp, Repeated)> {
        let (noted, stamp, repeated) = self.slots[seq.get() as usize % PLAIN_SLOTS]?;
        (noted == seq).then_some((stamp, repeated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(all: &mut Retransmissions, now: Instant, seq: ExtSeqNo, bytes: usize, round_trip: Duration) -> bool {
        let may = all.may_take(now, seq, bytes, round_trip);
        if may {
            all.take(now, seq, bytes);
        }
        may
    }

    #[test]
    fn a_packet_is_not_sent_again_while_it_is_on_its_way() {
        let start = crate::some_instant();
        let round_trip = Duration::from_millis(50);
        let mut retransmissions = Retransmissions::new();
        let seq = ExtSeqNo::new(7);
        assert!(take(&mut retransmissions, start, seq, 100, round_trip));
        assert!(!take(&mut retransmissions, start + round_trip / 2, seq, 100, round_trip));
        assert!(take(&mut retransmissions, start + round_trip, seq, 100, round_trip));
    }

    #[test]
    fn a_packet_that_went_out_late_is_not_sent_again_for_a_request_that_crossed_it() {
        let start = crate::some_instant();
        let round_trip = Duration::from_millis(50);
        let mut retransmissions = Retransmissions::new();
        let seq = ExtSeqNo::new(7);
        retransmissions.note_late(start, seq);
        assert!(!take(&mut retransmissions, start + round_trip / 2, seq, 100, round_trip));
        assert!(take(&mut retransmissions, start + round_trip, seq, 100, round_trip));
    }

    #[test]
    fn a_whole_burst_that_went_out_late_is_remembered() {
        let start = crate::some_instant();
        let round_trip = Duration::from_millis(50);
        let mut retransmissions = Retransmissions::new();
        let burst = 1000..1000 + RECENT_SLOTS as u64;
        burst.clone().for_each(|seq| retransmissions.note_late(start, ExtSeqNo::new(seq)));
        let now = start + round_trip / 2;
        assert!(!burst.into_iter().any(|seq| take(&mut retransmissions, now, ExtSeqNo::new(seq), 100, round_trip)));
        assert!(take(&mut retransmissions, now, ExtSeqNo::new(999), 100, round_trip));
    }

    #[test]
    fn a_flood_of_requests_cannot_multiply_what_is_sent() {
        let start = crate::some_instant();
        let mut retransmissions = Retransmissions::new();
        let answered = (0..100_000_u64)
            .filter(|&seq| take(&mut retransmissions, start, ExtSeqNo::new(seq), 1000, Duration::ZERO))
            .count();
        assert_eq!(answered, MAX_CREDIT / 1000);
        retransmissions.sent(1500);
        assert!(take(&mut retransmissions, start, ExtSeqNo::new(200_000), 1000, Duration::ZERO));
        assert!(!take(&mut retransmissions, start, ExtSeqNo::new(200_001), 1000, Duration::ZERO));
    }
}
