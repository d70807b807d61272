//! Sound that came together with what was sent before (RFC 2198): what was lost is taken from there.

use wire::red::{MAX_BLOCKS, parse};
use wire::{ExtSeqNo, PayloadType, RtpTimestamp};

use super::history::History;

/// Frames that are taken out of one packet at most.
pub(super) const MAX_RECOVERED: usize = 8;

/// Packets before a frame whose times are compared with its own.
const NEIGHBOURS: i64 = 4;

/// Where a frame lies in a packet's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) from: usize,
    pub(super) len: usize,
}

/// A frame that came with a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Earlier {
    pub(super) seq: ExtSeqNo,
    pub(super) timestamp: RtpTimestamp,
    pub(super) place: Place,
}

/// What one packet carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unwrapped {
    /// Where the newest frame begins in the payload; it ends with it.
    pub(super) primary_from: usize,
    /// How many frames went with it.
    pub(super) repeated: u8,
    /// Those that are not known yet, oldest first.
    pub(super) missing: [Option<Earlier>; MAX_RECOVERED],
}

/// Reads a redundant payload of packet `seq`, sent at `timestamp`. `None` where it is broken, or of another codec.
///
/// A block tells its time, not its number. It is taken for the packet as many numbers before as there are blocks after it,
/// where that fits with the times of its neighbours. Nothing is taken from before the `first` packet.
pub(super) fn unwrap(
    payload: &[u8],
    payload_type: PayloadType,
    (first, seq, timestamp): (ExtSeqNo, ExtSeqNo, RtpTimestamp),
    history: &History,
) -> Option<Unwrapped> {
    let red = parse(payload).ok()?;
    let primary = red.primary();
    if primary.payload_type != payload_type || primary.bytes.is_empty() {
        return None;
    }
    let count = red.blocks().take(MAX_BLOCKS).count() - 1;
    let primary_from = payload.len() - primary.bytes.len();
    let mut unwrapped = Unwrapped { primary_from, repeated: count as u8, ..Unwrapped::default() };
    let mut from = primary_from - red.blocks().take(count).map(|block| block.bytes.len()).sum::<usize>();
    let mut offset_before = None;
    let mut slots = unwrapped.missing.iter_mut();
    for (index, block) in red.blocks().take(count).enumerate() {
        let place = Place { from, len: block.bytes.len() };
        from += place.len;
        let offset = block.timestamp_offset;
        let in_order = offset > 0 && offset_before.replace(offset).is_none_or(|before| offset < before);
        let earlier = seq.offset(-((count - index) as i64));
        let time = timestamp.wrapping_add(u32::from(offset).wrapping_neg());
        let is_of_use = in_order && block.payload_type == payload_type && place.len > 0;
        if !is_of_use || earlier <= first || history.get(earlier).is_some() || !fits(history, earlier, time) {
            continue;
        }
        if let Some(slot) = slots.next() {
            *slot = Some(Earlier { seq: earlier, timestamp: time, place });
        }
    }
    Some(unwrapped)
}

/// Whether a packet of this number may have been sent at this time, by the ones before it.
fn fits(history: &History, seq: ExtSeqNo, time: RtpTimestamp) -> bool {
    let mut known = (1..=NEIGHBOURS).filter_map(|back| history.get(seq.offset(-back)));
    known.all(|packet| time.wrapping_sub(packet.meta.timestamp) > 0)
}

#[cfg(test)]
mod tests {
    use wire::extension::Extensions;
    use wire::red::{Block, write};

    use super::super::history::PacketMeta;
    use super::super::layers::FrameInfo;
    use super::*;

    const OPUS: PayloadType = PayloadType::from_low_bits(111);
    const START: u32 = 10_000;

    fn seq(number: u64) -> ExtSeqNo {
        ExtSeqNo::new(number)
    }

    /// Packets of these numbers, 960 ticks a number.
    fn history(numbers: &[u64]) -> History {
        let mut history = History::audio();
        for &number in numbers {
            let meta = PacketMeta {
                seq: seq(number),
                timestamp: RtpTimestamp::new(START + 960 * number as u32),
                marker: false,
                starts_key_frame: true,
                frame: FrameInfo::default(),
                payload_start: 0,
                extensions: Extensions::default(),
                received_at: crate::some_instant(),
            };
            assert!(history.store(meta, &[number as u8; 20]));
        }
        history
    }

    /// A packet with earlier frames of these offsets.
    fn packet(offsets: &[u16]) -> Vec<u8> {
        let block = |&timestamp_offset: &u16| Block { payload_type: OPUS, timestamp_offset, bytes: &[7; 9] };
        let blocks: Vec<_> = offsets.iter().map(block).collect();
        let mut payload = Vec::new();
        write(&mut payload, &blocks, OPUS, &[1, 2, 3]).expect("they fit");
        payload
    }

    /// Packet 10 with earlier frames of these offsets: the numbers and times of those that were missing.
    fn missing(offsets: &[u16], known: &[u64]) -> Vec<(u64, u32)> {
        let place = (seq(1), seq(10), RtpTimestamp::new(START + 9600));
        let unwrapped = unwrap(&packet(offsets), OPUS, place, &history(known)).expect("it is whole");
        assert_eq!(usize::from(unwrapped.repeated), offsets.len());
        unwrapped.missing.iter().flatten().map(|found| (found.seq.get(), found.timestamp.get() - START)).collect()
    }

    #[test]
    fn what_is_missing_is_found_and_nothing_else() {
        assert_eq!(missing(&[1920, 960], &[7, 8, 9]), []);
        assert_eq!(missing(&[1920, 960], &[7, 8]), [(9, 8640)]);
        assert_eq!(missing(&[1920, 960], &[7]), [(8, 7680), (9, 8640)]);
        assert_eq!(missing(&[], &[7]), []);
    }

    #[test]
    fn frames_lie_where_they_were_written() {
        let payload = packet(&[1920, 960]);
        let place = (seq(1), seq(10), RtpTimestamp::new(START + 9600));
        let unwrapped = unwrap(&payload, OPUS, place, &history(&[7])).expect("it is whole");
        assert_eq!(payload[unwrapped.primary_from..], [1, 2, 3]);
        for found in unwrapped.missing.iter().flatten() {
            assert_eq!(payload[found.place.from..][..found.place.len], [7; 9]);
        }
    }

    #[test]
    fn a_frame_that_does_not_fit_between_its_neighbours_is_left() {
        // The frame before was too long to be repeated, so the only block is of number 8, which is known.
        assert_eq!(missing(&[1920], &[7, 8]), []);
        assert_eq!(missing(&[960, 1920], &[7]), [(8, 8640)], "times must rise");
        assert_eq!(missing(&[0], &[7]), [], "that is the packet itself");
    }

    #[test]
    fn nothing_is_taken_from_before_the_first_packet() {
        let place = (seq(10), seq(10), RtpTimestamp::new(START));
        let unwrapped = unwrap(&packet(&[1920, 960]), OPUS, place, &History::audio()).expect("it is whole");
        assert_eq!(unwrapped.missing.iter().flatten().count(), 0);
    }

    #[test]
    fn what_is_broken_or_of_another_codec_is_refused() {
        let place = (seq(1), seq(10), RtpTimestamp::new(START));
        let history = history(&[7]);
        let whole = packet(&[960]);
        assert!(unwrap(&whole, PayloadType::from_low_bits(0), place, &history).is_none());
        assert!((0..14).all(|len| unwrap(&whole[..len], OPUS, place, &history).is_none()));
    }

    #[test]
    fn more_frames_than_are_ever_of_use_are_passed_over() {
        let offsets: Vec<u16> = (1..=20).rev().map(|back| back * 700).collect();
        let place = (seq(1), seq(30), RtpTimestamp::new(START + 28_800));
        let unwrapped = unwrap(&packet(&offsets), OPUS, place, &History::audio()).expect("it is whole");
        assert_eq!(unwrapped.missing.iter().flatten().count(), MAX_RECOVERED);
    }
}
