//! Transport-wide feedback: when each packet of a transport arrived
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).

use super::writer::PacketWriter;
use super::{TRANSPORT_CC_FORMAT, TRANSPORT_FEEDBACK, feedback_head};
use crate::{SeqNo, Ssrc};

/// Packet status symbols.
const NOT_RECEIVED: u8 = 0;
const SMALL_DELTA: u8 = 1;
const LARGE_DELTA: u8 = 2;

/// Statuses in a vector chunk of one-bit and of two-bit symbols.
const ONE_BIT_SYMBOLS: usize = 14;
const TWO_BIT_SYMBOLS: usize = 7;

/// Longest run of one chunk: 13 bits.
const MAX_RUN: usize = 0x1fff;

/// First bit of a vector chunk, and the bit that says that its symbols have two bits.
const VECTOR_CHUNK: u16 = 0x8000;
const TWO_BIT_CHUNK: u16 = 0x4000;

/// Ticks of 250 µs in one step of the reference time, 64 ms.
const TICKS_PER_REFERENCE: i64 = 256;

/// Arrival of a range of packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TransportFeedback<'a> {
    /// Who received.
    pub sender: Ssrc,
    /// A stream of the transport; the feedback is about all.
    pub media: Ssrc,
    /// Transport-wide number of the first packet reported on.
    pub base_seq: SeqNo,
    /// Number of packets reported on.
    pub status_count: u16,
    /// Steps of 64 ms, 24 bits with sign; wraps every 12 days. Differences: [`reference_time_distance`].
    pub reference_time: i32,
    /// Number of this feedback, wraps.
    pub feedback_count: u8,
    /// Just the chunks that `status_count` needs.
    chunks: &'a [[u8; 2]],
    /// All the deltas that the chunks announce.
    deltas: &'a [u8],
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (sender, media, rest) = feedback_head(body)?;
        let (&[b0, b1, c0, c1, r0, r1, r2, feedback_count], rest) = rest.split_first_chunk::<8>()?;
        let status_count = u16::from_be_bytes([c0, c1]);
        let mut statuses_left = usize::from(status_count);
        let (mut chunk_count, mut deltas_len) = (0, 0);
        let (all_chunks, _) = rest.as_chunks::<2>();
        while statuses_left > 0 {
            let chunk = Chunk::read(*all_chunks.get(chunk_count)?).first(statuses_left);
            deltas_len += chunk.deltas_len()?;
            statuses_left -= chunk.len;
            chunk_count += 1;
        }
        let (chunks, _) = all_chunks.split_at_checked(chunk_count)?;
        let deltas = rest.get(2 * chunk_count..)?.get(..deltas_len)?;
        Some(Self {
            sender,
            media,
            base_seq: SeqNo::new(u16::from_be_bytes([b0, b1])),
            status_count,
            reference_time: i32::from_be_bytes([r0, r1, r2, 0]) >> 8,
            feedback_count,
            chunks,
            deltas,
        })
    }

    /// The reference time in the ticks of the deltas, 250 µs.
    pub fn reference_ticks(&self) -> i64 {
        i64::from(self.reference_time) * TICKS_PER_REFERENCE
    }

    /// Every packet reported on, with the ticks of 250 µs between its arrival and that of the received packet
    /// before it (for the first: the reference time); `None` where it has not arrived.
    ///
    /// A few bytes can report 65,535 packets lost; [`Self::received`] does not walk through them.
    pub fn statuses(&self) -> Statuses<'a> {
        Statuses {
            seq: self.base_seq,
            left: usize::from(self.status_count),
            chunk: Chunk { bits: 0, width: 0, len: 0 },
            chunks: self.chunks,
            deltas: self.deltas,
        }
    }

    /// Only the packets that arrived, with the same deltas, in time proportional to the bytes of the feedback.
    pub fn received(&self) -> impl Iterator<Item = (SeqNo, i64)> + use<'a> {
        let mut statuses = self.statuses();
        std::iter::from_fn(move || {
            loop {
                statuses.skip_lost_run();
                if let (seq, Some(delta)) = statuses.next()? {
                    return Some((seq, delta));
                }
            }
        })
    }
}

/// `later - earlier` of two reference times, in steps of 64 ms by the shorter way round their 24 bits.
pub const fn reference_time_distance(later: i32, earlier: i32) -> i32 {
    later.wrapping_sub(earlier) << 8 >> 8
}

/// Iterator over the packets of a [`TransportFeedback`].
#[derive(Clone, Copy, Debug)]
pub struct Statuses<'a> {
    seq: SeqNo,
    left: usize,
    chunk: Chunk,
    chunks: &'a [[u8; 2]],
    deltas: &'a [u8],
}

impl Statuses<'_> {
    /// Makes sure that the chunk has a symbol; `false` at the end.
    fn fill(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        if self.chunk.len == 0 {
            let Some((&next, rest)) = self.chunks.split_first() else { return false };
            self.chunks = rest;
            self.chunk = Chunk::read(next).first(self.left);
        }
        true
    }

    /// Steps over runs of packets that have not arrived.
    fn skip_lost_run(&mut self) {
        while self.fill() && self.chunk.width == 0 && self.chunk.run_symbol() == NOT_RECEIVED {
            // A run has at most 13 bits.
            self.seq = self.seq.wrapping_add(self.chunk.len as u16);
            self.left -= self.chunk.len;
            self.chunk.len = 0;
        }
    }
}

impl Iterator for Statuses<'_> {
    type Item = (SeqNo, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.fill() {
            return None;
        }
        let delta = match self.chunk.next_symbol() {
            SMALL_DELTA => {
                let (&delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                Some(i64::from(delta))
            }
            LARGE_DELTA => {
                let (&delta, rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                Some(i64::from(i16::from_be_bytes(delta)))
            }
            _ => None,
        };
        let seq = self.seq;
        self.seq = seq.next();
        self.left -= 1;
        Some((seq, delta))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

/// Symbols of one chunk that are not yet read.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// Vector: the next symbol in the highest bits. Run: the symbol in the lowest two.
    bits: u16,
    /// Bits of a symbol: 0 for a run.
    width: u32,
    len: usize,
}

impl Chunk {
    fn read(bytes: [u8; 2]) -> Self {
        let value = u16::from_be_bytes(bytes);
        if value & VECTOR_CHUNK == 0 {
            Self { bits: value >> 13, width: 0, len: usize::from(value) & MAX_RUN }
        } else if value & TWO_BIT_CHUNK == 0 {
            Self { bits: value << 2, width: 1, len: ONE_BIT_SYMBOLS }
        } else {
            Self { bits: value << 2, width: 2, len: TWO_BIT_SYMBOLS }
        }
    }

    /// Without the symbols behind the first `count`.
    fn first(self, count: usize) -> Self {
        Self { len: self.len.min(count), ..self }
    }

    const fn run_symbol(self) -> u8 {
        self.bits as u8 & 3
    }

    fn next_symbol(&mut self) -> u8 {
        self.len = self.len.saturating_sub(1);
        if self.width == 0 {
            return self.run_symbol();
        }
        let symbol = (self.bits >> (16 - self.width)) as u8;
        self.bits <<= self.width;
        symbol
    }

    /// Bytes of all deltas that the symbols announce; `None` when one is the reserved symbol, or when there is
    /// none, because a run of nothing would let chunks go on for ever.
    fn deltas_len(mut self) -> Option<usize> {
        if self.width == 0 {
            return match (self.run_symbol(), self.len) {
                (_, 0) => None,
                (symbol, len) => Some(delta_len(symbol)? * len),
            };
        }
        let mut total = 0;
        while self.len > 0 {
            total += delta_len(self.next_symbol())?;
        }
        Some(total)
    }
}

const fn delta_len(symbol: u8) -> Option<usize> {
    match symbol {
        NOT_RECEIVED => Some(0),
        SMALL_DELTA => Some(1),
        LARGE_DELTA => Some(2),
        _ => None,
    }
}

/// What a feedback says besides the statuses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FeedbackHeader {
    /// Who received.
    pub sender: Ssrc,
    /// A stream of the transport.
    pub media: Ssrc,
    /// Transport-wide number of the first status.
    pub base_seq: SeqNo,
    /// Steps of 64 ms; the low 24 bits are sent.
    pub reference_time: i32,
    /// Number of this feedback, wraps.
    pub feedback_count: u8,
}

/// Why no feedback was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FeedbackError {
    /// There is no packet to report on.
    #[error("no packet to report on")]
    Empty,
    /// The first packet arrived more than 8.19 s away from the reference time.
    #[error("first packet is too far from the reference time")]
    FirstDelta,
}

/// Appends a feedback on `base_seq` and the packets after it, with deltas as [`TransportFeedback::statuses`] gives
/// them. Stops before a delta that does not fit 16 bits and tells how many packets it reports on; the rest needs a
/// feedback of its own. Nothing is appended on error.
///
/// The length of `statuses` bounds the size: 20 bytes, at most 2.3 for each status, and padding.
pub fn write_transport_feedback(
    out: &mut Vec<u8>,
    header: &FeedbackHeader,
    statuses: &[Option<i64>],
) -> Result<usize, FeedbackError> {
    let fits = |status: &&Option<i64>| status.is_none_or(|delta| i16::try_from(delta).is_ok());
    let count = statuses.iter().take(usize::from(u16::MAX)).take_while(fits).count();
    let statuses = match statuses.get(..count) {
        Some(fitting @ [_, ..]) => fitting,
        _ if statuses.is_empty() => return Err(FeedbackError::Empty),
        _ => return Err(FeedbackError::FirstDelta),
    };
    let [_, r0, r1, r2] = header.reference_time.to_be_bytes();
    let mut packet = PacketWriter::new(out, TRANSPORT_FEEDBACK, TRANSPORT_CC_FORMAT);
    packet.ssrc(header.sender).ssrc(header.media).u16(header.base_seq.get()).u16(count as u16).bytes(&[
        r0,
        r1,
        r2,
        header.feedback_count,
    ]);
    let mut rest = statuses;
    while !rest.is_empty() {
        let (chunk, len) = next_chunk(rest);
        packet.u16(chunk);
        rest = rest.get(len..).unwrap_or_default();
    }
    for &delta in statuses.iter().flatten() {
        match u8::try_from(delta) {
            Ok(small) => packet.bytes(&[small]),
            // Fits, because `count` ends before one that does not.
            Err(_) => packet.u16(delta as u16),
        };
    }
    packet.finish();
    Ok(count)
}

fn symbol_of(status: Option<i64>) -> u8 {
    match status {
        None => NOT_RECEIVED,
        Some(0..=255) => SMALL_DELTA,
        Some(_) => LARGE_DELTA,
    }
}

/// The chunk that says most about the first statuses, and about how many it does. `statuses` is not empty.
fn next_chunk(statuses: &[Option<i64>]) -> (u16, usize) {
    let mut symbols = statuses.iter().map(|&status| symbol_of(status));
    let first = symbols.next().unwrap_or(NOT_RECEIVED);
    let run = 1 + symbols.take(MAX_RUN - 1).take_while(|&symbol| symbol == first).count();
    let run_chunk = (u16::from(first) << 13 | run as u16, run);
    if run >= ONE_BIT_SYMBOLS || run == statuses.len() {
        return run_chunk;
    }
    let one_bit_len = statuses.len().min(ONE_BIT_SYMBOLS);
    if statuses.iter().take(one_bit_len).all(|&status| symbol_of(status) != LARGE_DELTA) {
        return (VECTOR_CHUNK | vector_bits(statuses, ONE_BIT_SYMBOLS, 1), one_bit_len);
    }
    if run >= TWO_BIT_SYMBOLS {
        return run_chunk;
    }
    let bits = vector_bits(statuses, TWO_BIT_SYMBOLS, 2);
    (VECTOR_CHUNK | TWO_BIT_CHUNK | bits, statuses.len().min(TWO_BIT_SYMBOLS))
}

/// The first `count` statuses as symbols of `width` bits; those that are not there as not received.
fn vector_bits(statuses: &[Option<i64>], count: usize, width: u32) -> u16 {
    let symbols = statuses.iter().map(|&status| symbol_of(status)).chain(std::iter::repeat(NOT_RECEIVED));
    symbols.take(count).fold(0, |bits, symbol| bits << width | u16::from(symbol))
}

#[cfg(test)]
mod tests {
    use super::super::{RtcpError, RtcpPacket, packets};
    use super::*;

    /// A feedback of `count` packets from 65,530 on, reference time −1, with these chunks and deltas.
    fn bytes(count: u16, rest: &[u8]) -> Vec<u8> {
        let [c0, c1] = count.to_be_bytes();
        let mut bytes = vec![
            0x8f, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, // sources
            0xff, 0xfa, c0, c1, 0xff, 0xff, 0xff, 9,
        ];
        bytes.extend_from_slice(rest);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes[3] = (bytes.len() / 4 - 1) as u8;
        bytes
    }

    fn header() -> FeedbackHeader {
        FeedbackHeader {
            sender: Ssrc::new(1),
            media: Ssrc::new(2),
            base_seq: SeqNo::new(65_530),
            reference_time: -1,
            feedback_count: 9,
        }
    }

    fn read(bytes: &[u8]) -> Option<TransportFeedback<'_>> {
        match packets(bytes).next() {
            Some(Ok(RtcpPacket::TransportFeedback(feedback))) => Some(feedback),
            Some(Err(RtcpError::Malformed { packet_type: 205 })) => None,
            other => panic!("{other:?}"),
        }
    }

    fn deltas(bytes: &[u8]) -> Option<Vec<Option<i64>>> {
        let feedback = read(bytes)?;
        assert_eq!(feedback.statuses().len_hint(), usize::from(feedback.status_count));
        Some(feedback.statuses().map(|(_, delta)| delta).collect())
    }

    impl Statuses<'_> {
        fn len_hint(&self) -> usize {
            self.size_hint().0
        }
    }

    #[test]
    fn the_header_is_read_and_its_time_has_a_sign() {
        let bytes = bytes(1, &[0x20, 0x01, 4]);
        let feedback = read(&bytes).unwrap();
        assert_eq!((feedback.sender, feedback.media), (Ssrc::new(1), Ssrc::new(2)));
        assert_eq!((feedback.base_seq, feedback.status_count), (SeqNo::new(65_530), 1));
        assert_eq!((feedback.reference_time, feedback.feedback_count), (-1, 9));
        assert_eq!(feedback.reference_ticks(), -256);
    }

    #[test]
    fn every_kind_of_chunk_is_read() {
        let check = |name: &str, count: u16, rest: &[u8], expected: &[Option<i64>]| {
            assert_eq!(deltas(&bytes(count, rest)).as_deref(), Some(expected), "{name}");
        };
        // §3.1.3: type 0, two bits of symbol, 13 of length.
        check("run of lost", 3, &[0x00, 0x03], &[None; 3]);
        check("run of small deltas", 3, &[0x20, 0x03, 1, 0, 255], &[Some(1), Some(0), Some(255)]);
        check("run of large deltas", 2, &[0x40, 0x02, 0xff, 0xff, 0x01, 0x00], &[Some(-1), Some(256)]);
        check("run longer than the count", 1, &[0x3f, 0xff, 7], &[Some(7)]);
        // §3.1.4: type 1, size 0, 14 symbols of one bit: 0100 0000 0000 01.
        let one_bit = [&[None, Some(3)][..], &[None; 11], &[Some(4)]].concat();
        check("one-bit symbols", 14, &[0b1001_0000, 0b0000_0001, 3, 4], &one_bit);
        // Type 1, size 1, seven symbols of two bits: 01 10 00 00 00 00 10.
        let two_bit = [&[Some(3), Some(-32_768)][..], &[None; 4], &[Some(32_767)]].concat();
        check("two-bit symbols", 7, &[0b1101_1000, 0b0000_0010, 3, 0x80, 0x00, 0x7f, 0xff], &two_bit);
        // Even the reserved symbol says nothing there.
        check("symbols behind the count", 2, &[0b1101_0111, 0xff, 3, 4], &[Some(3), Some(4)]);
    }

    #[test]
    fn chunks_follow_each_other_and_numbers_wrap() {
        let bytes = bytes(9, &[0x20, 0x02, 0x00, 0x05, 0xd9, 0x00, 1, 2, 3, 0, 4]);
        let numbers: Vec<_> = read(&bytes).unwrap().statuses().map(|(seq, delta)| (seq.get(), delta)).collect();
        assert_eq!(numbers[..2], [(65_530, Some(1)), (65_531, Some(2))]);
        assert!(numbers[2..7].iter().all(|(_, delta)| delta.is_none()));
        assert_eq!(numbers[7..], [(1, Some(3)), (2, Some(4))]);
        let received: Vec<_> = read(&bytes).unwrap().received().map(|(seq, delta)| (seq.get(), delta)).collect();
        assert_eq!(received, [(65_530, 1), (65_531, 2), (1, 3), (2, 4)]);
    }

    #[test]
    fn a_feedback_that_contradicts_itself_is_refused() {
        let table: [(&str, u16, &[u8]); 6] = [
            ("no chunk", 1, &[]),
            ("too few chunks", 15, &[0x00, 0x03, 0x00, 0x0b]),
            ("too few deltas", 3, &[0x20, 0x03]),
            ("half a large delta", 4, &[0x40, 0x04, 0, 1, 0, 2, 0]),
            ("reserved symbol", 1, &[0x60, 0x01, 0, 0]),
            ("run of nothing", 1, &[0x20, 0x00, 0x20, 0x01, 1]),
        ];
        for (name, count, rest) in table {
            assert_eq!(deltas(&bytes(count, rest)), None, "{name}");
        }
        assert_eq!(deltas(&bytes(2, &[0b1111_0000, 0, 0, 0, 0, 0])), None, "reserved symbol in a vector");
    }

    #[test]
    fn a_few_bytes_may_report_many_lost_and_are_stepped_over() {
        let chunks: Vec<u8> = [0x1f, 0xff].repeat(8).into_iter().chain([0x20, 0x01, 42]).collect();
        let bytes = bytes(8 * 8_191 + 1, &chunks);
        let feedback = read(&bytes).unwrap();
        assert_eq!(feedback.statuses().count(), 65_529);
        let mut received = feedback.received();
        assert_eq!(received.next(), Some((SeqNo::new(65_530).wrapping_add(65_528), 42)));
        assert_eq!(received.next(), None);
    }

    /// Writes, reads back, and returns the chunks and deltas.
    fn written(statuses: &[Option<i64>]) -> Vec<u8> {
        let mut out = Vec::new();
        assert_eq!(write_transport_feedback(&mut out, &header(), statuses), Ok(statuses.len()));
        assert_eq!(out[..3], [0x8f, 205, 0]);
        assert_eq!(deltas(&out).as_deref(), Some(statuses));
        let feedback = read(&out).unwrap();
        assert_eq!((feedback.base_seq, feedback.reference_time, feedback.feedback_count), (SeqNo::new(65_530), -1, 9));
        out.split_off(20)
    }

    #[test]
    fn the_chunk_that_says_most_is_written() {
        let small = [Some(1); 20];
        let mixed: Vec<_> = (0..14).map(|n| (n % 2 == 0).then_some(n)).collect();
        let large = [Some(0), Some(256), None, Some(0), Some(0), Some(0), Some(-1)];
        assert_eq!(written(&small)[..2], [0x20, 20], "run");
        assert_eq!(written(&[None; 13])[..2], [0x00, 13], "run to the end");
        assert_eq!(written(&mixed)[..2], [0b1010_1010, 0b1010_1010], "one-bit symbols");
        assert_eq!(written(&large)[..2], [0b1101_1000, 0b0101_0110], "two-bit symbols");
        let run_then_large = [&[Some(1); 9][..], &[Some(1_000)]].concat();
        assert_eq!(written(&run_then_large)[..4], [0x20, 9, 0x40, 1], "short run before a large delta");
    }

    #[test]
    fn a_run_longer_than_thirteen_bits_takes_two_chunks() {
        assert_eq!(written(&[None; 8_192]), [0x1f, 0xff, 0x00, 0x01]);
    }

    #[test]
    fn writing_stops_before_a_delta_that_does_not_fit() {
        let mut out = Vec::new();
        let statuses = [Some(32_767), None, Some(-32_768), Some(32_768), Some(1)];
        assert_eq!(write_transport_feedback(&mut out, &header(), &statuses), Ok(3));
        assert_eq!(deltas(&out).as_deref(), Some(&statuses[..3]));
    }

    #[test]
    fn nothing_is_written_when_nothing_can_be_said() {
        let mut out = Vec::new();
        assert_eq!(write_transport_feedback(&mut out, &header(), &[]), Err(FeedbackError::Empty));
        for first in [32_768, -32_769, i64::MAX, i64::MIN] {
            assert_eq!(write_transport_feedback(&mut out, &header(), &[Some(first)]), Err(FeedbackError::FirstDelta));
        }
        assert!(out.is_empty());
    }

    #[test]
    fn a_feedback_reports_at_most_65_535_packets() {
        let mut out = Vec::new();
        assert_eq!(write_transport_feedback(&mut out, &header(), &[Some(-1); 70_000]), Ok(65_535));
        assert_eq!(read(&out).unwrap().received().count(), 65_535);
    }

    #[test]
    fn reference_times_are_compared_across_their_wrap() {
        let table = [
            (1, 0, 1),
            (0, 1, -1),
            (-0x80_0000, 0x7f_ffff, 1),
            (0x7f_ffff, -0x80_0000, -1),
            (0x7f_ffff, -1, -0x80_0000),
            (i32::MIN, i32::MAX, 1),
        ];
        for (later, earlier, distance) in table {
            assert_eq!(reference_time_distance(later, earlier), distance, "{later} {earlier}");
        }
    }
}
