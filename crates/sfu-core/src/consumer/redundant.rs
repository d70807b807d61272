//! Sound that is sent again with what follows it (RFC 2198), so that a viewer who loses packets still hears every word.
//!
//! Each hop repeats by itself: what came with redundancy is unwrapped, what goes to a viewer is wrapped by what that viewer
//! loses. So a publisher need not know of RED, nor pay for the worst link of its audience. What a listener asks for goes with the
//! next packet too.

use std::time::{Duration, Instant};

use wire::red::{Block, MAX_REDUNDANT_LEN, MAX_TIMESTAMP_OFFSET};
use wire::{ExtSeqNo, PayloadType};

use super::{Consumer, Shift};
use crate::producer::{StoredPacket, Stream};

/// Packets that are repeated at most: at 30 % loss fewer than one of a hundred is lost with three.
pub(crate) const MAX_REPEATED: usize = 3;

/// Loss, of 256, from which on one, two and three packets are repeated: 2, 8 and 20 %.
const LOSS_FROM: [u8; MAX_REPEATED] = [5, 20, 51];

/// Fewer are repeated only after so many reports that would do with fewer: loss comes in bursts.
const CALM_REPORTS: u8 = 3;

/// How far back a packet may be that goes with another: 160 ms of usual sound.
const MAX_DISTANCE: usize = 8;

/// Where nothing was sent for this long, the next packet may be far.
const MAX_PAUSE: Duration = Duration::from_millis(60);

/// A packet longer than this is sent alone.
const MAX_PAYLOAD: usize = 1000;

/// Which of the packets before one go with it: bit `k - 1` stands for the one `k` numbers before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repeated(u8);

impl Repeated {
    fn distances(self) -> impl Iterator<Item = i64> {
        (1..=MAX_DISTANCE as i64).rev().filter(move |distance| self.0 & 1 << (distance - 1) != 0)
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// How many packets go with each that is sent to one consumer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Redundancy {
    payload_type: PayloadType,
    by_loss: u8,
    /// Reports since one that asked for as many.
    calm: u8,
    /// How many the link has room for.
    allowed: u8,
    /// The newest number that was sent, and of those before it, bit by bit as in [`Repeated`], the ones that were asked for.
    newest: Option<ExtSeqNo>,
    asked: u8,
}

impl Redundancy {
    pub(super) fn new(payload_type: PayloadType) -> Self {
        Self { payload_type, by_loss: 0, calm: 0, allowed: MAX_REPEATED as u8, newest: None, asked: 0 }
    }

    /// Takes in a receiver's report of the share of packets lost, of 256.
    fn note_loss(&mut self, fraction_lost: u8) {
        let needed = LOSS_FROM.iter().filter(|&&from| fraction_lost >= from).count() as u8;
        if needed >= self.by_loss {
            self.by_loss = needed;
            self.calm = 0;
        } else {
            self.calm += 1;
            if self.calm == CALM_REPORTS {
                self.by_loss -= 1;
                self.calm = 0;
            }
        }
    }

    /// Notes that `seq` is sent next; which of those before it were asked for.
    fn advance(&mut self, seq: ExtSeqNo) -> u8 {
        let step = self.newest.map_or(0, |newest| seq.distance_from(newest));
        let asked = match u32::try_from(step) {
            // One that was overtaken.
            Err(_) => return 0,
            Ok(step) => self.asked.checked_shl(step.saturating_sub(1)).unwrap_or(0),
        };
        (self.newest, self.asked) = (Some(seq), 0);
        asked
    }

    /// Has `seq` go with the next packet; whether it is near enough.
    fn ask(&mut self, seq: ExtSeqNo) -> bool {
        let back = self.newest.map_or(-1, |newest| newest.distance_from(seq));
        // Of the next packet it is one further.
        let is_near = (0..MAX_DISTANCE as i64).contains(&back);
        if is_near {
            self.asked |= 1 << back;
        }
        is_near
    }

    /// How many to repeat, where `received` came with the packet itself.
    fn count(&self, received: u8) -> u8 {
        self.by_loss.max(received).min(self.allowed)
    }
}

impl Consumer {
    /// Takes in a report of its receiver.
    pub(crate) fn note_loss(&mut self, fraction_lost: u8) {
        if let Some(redundancy) = &mut self.redundancy {
            redundancy.note_loss(fraction_lost);
        }
    }

    /// Has `seq`, which the receiver misses, go with the next packet; whether one is to come soon and near enough.
    pub(crate) fn ask_repeated(&mut self, now: Instant, seq: ExtSeqNo) -> bool {
        let flows = self.last.is_some_and(|last| now.saturating_duration_since(last.received_at) < MAX_PAUSE);
        flows && self.redundancy.as_mut().is_some_and(|redundancy| redundancy.ask(seq))
    }

    /// Sets how many packets may go with each.
    pub(crate) fn allow_repeats(&mut self, allowed: u8) {
        if let Some(redundancy) = &mut self.redundancy {
            redundancy.allowed = allowed;
        }
    }

    /// How many packets go with each of `stream` now.
    pub(crate) fn repeats(&self, stream: &Stream) -> u8 {
        self.redundancy.map_or(0, |redundancy| redundancy.count(stream.repeated))
    }

    /// Which packets go with `packet`, whose outgoing number is `seq`: of those sent just before, under the same shift.
    pub(crate) fn choose_repeated(
        &mut self,
        (index, stream): (u8, &Stream),
        packet: &StoredPacket<'_>,
        seq: ExtSeqNo,
        shift: Shift,
    ) -> Repeated {
        let asked = self.redundancy.as_mut().map_or(0, |redundancy| redundancy.advance(seq));
        let count = self.repeats(stream);
        let wanted = asked | ((1_u16 << count) - 1) as u8;
        let mut chosen = Repeated::default();
        let mut left = MAX_PAYLOAD.saturating_sub(packet.payload().len());
        for distance in (1..=MAX_DISTANCE as i64).filter(|distance| wanted & 1 << (distance - 1) != 0) {
            let source = packet.meta.seq.offset(-distance);
            let was_sent = self.numbering.source(seq.offset(-distance)).is_some_and(|(sent_of, sent, sent_shift)| {
                sent_of == index && sent == source && sent_shift.timestamp == shift.timestamp
            });
            let Some(block) = stream.packet(source).filter(|_| was_sent) else { continue };
            let len = block.payload().len();
            if (1..=MAX_REDUNDANT_LEN.min(left)).contains(&len) && offset_of(packet, &block).is_some() {
                left -= len;
                chosen.0 |= 1 << (distance - 1);
            }
        }
        chosen
    }

    /// The payload type of packets that carry others with them.
    pub(super) fn red_payload_type(&self) -> Option<PayloadType> {
        self.redundancy.map(|redundancy| redundancy.payload_type)
    }

    /// Whether all that went with `packet` is still here, so that it can be sent again as it was.
    pub(crate) fn can_repeat(&self, stream: &Stream, packet: &StoredPacket<'_>, repeated: Repeated) -> bool {
        repeated.distances().all(|distance| stream.packet(packet.meta.seq.offset(-distance)).is_some())
    }

    /// Appends the payload of `packet` with those that go with it.
    pub(super) fn write_repeated(
        &self,
        out: &mut Vec<u8>,
        stream: &Stream,
        packet: &StoredPacket<'_>,
        repeated: Repeated,
    ) {
        let primary = Block { payload_type: self.spec.payload_type, timestamp_offset: 0, bytes: packet.payload() };
        let mut blocks = [primary; MAX_DISTANCE];
        let mut count = 0;
        let earlier = repeated.distances().filter_map(|distance| stream.packet(packet.meta.seq.offset(-distance)));
        for (slot, earlier) in blocks.iter_mut().zip(earlier) {
            let timestamp_offset = offset_of(packet, &earlier).unwrap_or_default();
            *slot = Block { timestamp_offset, bytes: earlier.payload(), ..primary };
            count += 1;
        }
        let written = wire::red::write(out, &blocks[..count], primary.payload_type, primary.bytes);
        debug_assert!(written.is_ok(), "only what fits was chosen");
    }
}

fn offset_of(packet: &StoredPacket<'_>, earlier: &StoredPacket<'_>) -> Option<u16> {
    let offset = packet.meta.timestamp.wrapping_sub(earlier.meta.timestamp);
    u16::try_from(offset).ok().filter(|offset| (1..=MAX_TIMESTAMP_OFFSET).contains(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_repeated_at_once_and_less_only_when_loss_is_over() {
        let mut redundancy = Redundancy::new(PayloadType::from_low_bits(121));
        assert_eq!(redundancy.count(0), 0);
        assert_eq!(redundancy.count(1), 1, "what came with redundancy goes on with it");
        redundancy.note_loss(80);
        assert_eq!(redundancy.count(0), 3);
        redundancy.note_loss(0);
        redundancy.note_loss(0);
        redundancy.note_loss(60);
        redundancy.note_loss(0);
        redundancy.note_loss(0);
        assert_eq!(redundancy.count(0), 3);
        redundancy.note_loss(0);
        assert_eq!(redundancy.count(0), 2);
        (0..6).for_each(|_| redundancy.note_loss(0));
        assert_eq!(redundancy.count(0), 0);
    }

    #[test]
    fn what_was_asked_for_goes_with_the_next_packet_only() {
        let mut redundancy = Redundancy::new(PayloadType::from_low_bits(121));
        let n = ExtSeqNo::new;
        assert!(!redundancy.ask(n(9)), "nothing was sent yet");
        assert_eq!(redundancy.advance(n(10)), 0);
        assert!(redundancy.ask(n(10)) && redundancy.ask(n(8)) && redundancy.ask(n(3)));
        assert!(!redundancy.ask(n(2)) && !redundancy.ask(n(11)), "too old; never sent");
        assert_eq!(redundancy.advance(n(9)), 0, "one that was overtaken");
        assert_eq!(redundancy.advance(n(11)), 0b1000_0101);
        assert_eq!(redundancy.advance(n(12)), 0);
        assert!(redundancy.ask(n(12)) && redundancy.ask(n(11)));
        assert_eq!(redundancy.advance(n(14)), 0b110, "two further back of the one after the next");
        assert!(redundancy.ask(n(14)));
        assert_eq!(redundancy.advance(n(1000)), 0);
    }

    #[test]
    fn a_narrow_link_has_no_room_for_repetition() {
        let mut redundancy = Redundancy::new(PayloadType::from_low_bits(121));
        redundancy.note_loss(255);
        redundancy.allowed = 1;
        assert_eq!(redundancy.count(2), 1);
    }
}
