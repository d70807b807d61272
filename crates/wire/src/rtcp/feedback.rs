//! Feedback about one stream: NACK, PLI and FIR, and the receiver's bandwidth estimate
//! (RFC 4585 §6, RFC 5104 §4.3.1, draft-alvestrand-rmcat-remb-03 §2.2).

use super::writer::PacketWriter;
use super::{
    APPLICATION_FORMAT, FIR_FORMAT, NACK_FORMAT, PAYLOAD_FEEDBACK, PLI_FORMAT, TRANSPORT_FEEDBACK, feedback_head,
    ssrcs_of,
};
use crate::{SeqNo, Ssrc};

/// Packets that the receiver misses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Nack<'a> {
    /// Who asks.
    pub sender: Ssrc,
    /// The stream with the gap.
    pub media: Ssrc,
    entries: &'a [[u8; 4]],
}

impl<'a> Nack<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (sender, media, rest) = feedback_head(body)?;
        Some(Self { sender, media, entries: rest.as_chunks().0 })
    }

    /// The missing packets in the order named; each entry names up to 17.
    pub fn seqs(&self) -> impl Iterator<Item = SeqNo> + use<'a> {
        self.entries.iter().flat_map(|&[p0, p1, b0, b1]| {
            let first = SeqNo::new(u16::from_be_bytes([p0, p1]));
            let mask = u16::from_be_bytes([b0, b1]);
            let following = (0..16).filter(move |bit| mask >> bit & 1 != 0);
            std::iter::once(first).chain(following.map(move |bit| first.wrapping_add(bit + 1)))
        })
    }
}

/// Appends a NACK of packets that are given in sending order. Without packets nothing is written.
pub fn write_nack(out: &mut Vec<u8>, sender: Ssrc, media: Ssrc, seqs: impl IntoIterator<Item = SeqNo>) {
    let mut seqs = seqs.into_iter();
    let Some(mut first) = seqs.next() else { return };
    let mut mask = 0u16;
    let mut packet = PacketWriter::new(out, TRANSPORT_FEEDBACK, NACK_FORMAT);
    packet.ssrc(sender).ssrc(media);
    for seq in seqs {
        match seq.get().wrapping_sub(first.get()) {
            0 => {}
            ahead @ 1..=16 => mask |= 1 << (ahead - 1),
            _ => {
                // The last entry needs its place too.
                if packet.room() < 8 {
                    break;
                }
                packet.u16(first.get()).u16(mask);
                (first, mask) = (seq, 0);
            }
        }
    }
    packet.u16(first.get()).u16(mask);
    packet.finish();
}

/// Appends a picture loss indication.
pub fn write_pli(out: &mut Vec<u8>, sender: Ssrc, media: Ssrc) {
    let mut packet = PacketWriter::new(out, PAYLOAD_FEEDBACK, PLI_FORMAT);
    packet.ssrc(sender).ssrc(media);
    packet.finish();
}

/// Requests for key frames. The media source of the header is not used (RFC 5104 §4.3.1.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fir<'a> {
    /// Who asks.
    pub sender: Ssrc,
    entries: &'a [[u8; 8]],
}

impl<'a> Fir<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (sender, _, rest) = feedback_head(body)?;
        Some(Self { sender, entries: rest.as_chunks().0 })
    }

    /// Each stream with the number of the request; a repeated number is the same request.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (Ssrc, u8)> + use<'a> {
        self.entries
            .iter()
            .map(|&[s0, s1, s2, s3, seq_nr, ..]| (Ssrc::new(u32::from_be_bytes([s0, s1, s2, s3])), seq_nr))
    }
}

/// Appends requests for key frames: stream and number of the request. Without entries nothing is written.
pub fn write_fir(out: &mut Vec<u8>, sender: Ssrc, entries: &[(Ssrc, u8)]) {
    if entries.is_empty() {
        return;
    }
    let mut packet = PacketWriter::new(out, PAYLOAD_FEEDBACK, FIR_FORMAT);
    packet.ssrc(sender).u32(0);
    for &(ssrc, seq_nr) in entries {
        if packet.room() < 8 {
            break;
        }
        packet.ssrc(ssrc).bytes(&[seq_nr, 0, 0, 0]);
    }
    packet.finish();
}

const REMB_NAME: [u8; 4] = *b"REMB";

/// Bits of the mantissa of a bitrate.
const MANTISSA_BITS: u32 = 18;

/// Most sources of one estimate: an eight-bit count.
const MAX_REMB_SOURCES: usize = 255;

/// How much the receiver believes it can take.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Remb<'a> {
    /// Who estimates.
    pub sender: Ssrc,
    /// Total of all sources in bit/s.
    pub bitrate: u64,
    sources: &'a [u8],
}

impl<'a> Remb<'a> {
    /// Whether this application feedback is the one that we know.
    pub(super) fn is_remb(body: &[u8]) -> bool {
        feedback_head(body).is_some_and(|(_, _, rest)| rest.starts_with(&REMB_NAME))
    }

    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (sender, _, rest) = feedback_head(body)?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (&[count, b0, b1, b2], rest) = rest.split_first_chunk::<4>()?;
        let exponent = u32::from(b0 >> 2);
        let mantissa = u64::from(u32::from_be_bytes([0, b0 & 3, b1, b2]));
        let bitrate = mantissa << exponent;
        if bitrate >> exponent != mantissa {
            return None;
        }
        Some(Self { sender, bitrate, sources: rest.get(..4 * usize::from(count))? })
    }

    /// The streams that share the bitrate.
    pub fn ssrcs(&self) -> impl ExactSizeIterator<Item = Ssrc> + use<'a> {
        ssrcs_of(self.sources)
    }
}

/// Appends an estimate, rounded down to 18 significant bits. Sources beyond 255 are left out.
pub fn write_remb(out: &mut Vec<u8>, sender: Ssrc, bitrate: u64, ssrcs: &[Ssrc]) {
    let exponent = (u64::BITS - bitrate.leading_zeros()).saturating_sub(MANTISSA_BITS);
    let [.., m0, m1, m2] = (bitrate >> exponent).to_be_bytes();
    let count = ssrcs.len().min(MAX_REMB_SOURCES);
    let mut packet = PacketWriter::new(out, PAYLOAD_FEEDBACK, APPLICATION_FORMAT);
    packet.ssrc(sender).u32(0).bytes(&REMB_NAME).bytes(&[count as u8, (exponent as u8) << 2 | m0, m1, m2]);
    for &ssrc in ssrcs.iter().take(count) {
        packet.ssrc(ssrc);
    }
    packet.finish();
}

#[cfg(test)]
mod tests {
    use super::super::{RtcpError, RtcpPacket, packets};
    use super::*;

    const SENDER: Ssrc = Ssrc::new(1);
    const MEDIA: Ssrc = Ssrc::new(2);

    fn nacked(bytes: &[u8]) -> Vec<u16> {
        let Some(Ok(RtcpPacket::Nack(nack))) = packets(bytes).next() else { panic!("not a NACK") };
        assert_eq!((nack.sender, nack.media), (SENDER, MEDIA));
        nack.seqs().map(SeqNo::get).collect()
    }

    #[test]
    fn a_nack_names_a_packet_and_those_of_its_mask() {
        // RFC 4585 §6.2.1: bit 0 of the mask is the packet after the named one.
        let bytes = [0x81, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 0x80, 0x03, 0, 50, 0, 0];
        assert_eq!(nacked(&bytes), [65_534, 65_535, 0, 14, 50]);
    }

    #[test]
    fn a_nack_packs_packets_within_sixteen_of_the_first() {
        let mut out = Vec::new();
        let seqs = [65_534, 65_535, 65_535, 0, 14, 15, 50].map(SeqNo::new);
        write_nack(&mut out, SENDER, MEDIA, seqs);
        assert_eq!(out, [0x81, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xfe, 0x80, 0x03, 0, 15, 0, 0, 0, 50, 0, 0]);
    }

    #[test]
    fn a_nack_of_nothing_is_not_written() {
        let mut out = Vec::new();
        write_nack(&mut out, SENDER, MEDIA, []);
        assert!(out.is_empty());
    }

    #[test]
    fn a_nack_longer_than_its_length_can_tell_is_cut() {
        let mut out = Vec::new();
        // Every entry names one packet.
        write_nack(&mut out, SENDER, MEDIA, (0..70_000u32).map(|n| SeqNo::new((n * 17) as u16)));
        assert_eq!(nacked(&out).len(), 65_533);
        assert_eq!(out.len(), 4 + 4 * 65_535);
    }

    #[test]
    fn a_picture_loss_is_twelve_bytes() {
        let mut out = Vec::new();
        write_pli(&mut out, SENDER, MEDIA);
        assert_eq!(out, [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
    }

    #[test]
    fn a_full_intra_request_names_streams_and_numbers() {
        // RFC 5104 §4.3.1.1: the media source of the header is zero.
        let bytes = [0x84, 206, 0, 6, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 7, 0, 0, 0, 0, 0, 0, 3, 255, 0, 0, 0];
        let entries = [(Ssrc::new(2), 7), (Ssrc::new(3), 255)];
        let Some(Ok(RtcpPacket::Fir(fir))) = packets(&bytes).next() else { panic!("not a request") };
        assert_eq!(fir.sender, SENDER);
        assert_eq!(fir.entries().collect::<Vec<_>>(), entries);
        let mut out = Vec::new();
        write_fir(&mut out, SENDER, &entries);
        assert_eq!(out, bytes);
        out.clear();
        write_fir(&mut out, SENDER, &[]);
        assert!(out.is_empty());
    }

    fn remb(bytes: &[u8]) -> Option<(u64, Vec<Ssrc>)> {
        match packets(bytes).next() {
            Some(Ok(RtcpPacket::Remb(remb))) => Some((remb.bitrate, remb.ssrcs().collect())),
            Some(Err(RtcpError::Malformed { packet_type: 206 })) => None,
            other => panic!("{other:?}"),
        }
    }

    fn remb_bytes(count: u8, rate: [u8; 3]) -> [u8; 24] {
        let [r0, r1, r2] = rate;
        let name = *b"REMB";
        [0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0, name[0], name[1], name[2], name[3], count, r0, r1, r2, 0, 0, 0, 2]
    }

    #[test]
    fn an_estimate_has_six_bits_of_exponent_and_eighteen_of_mantissa() {
        let table = [
            ([0x00, 0x00, 0x00], 0),
            ([0x03, 0xff, 0xff], 0x3_ffff),
            ([0x06, 0x00, 0x00], 0x4_0000),  // exponent 1, mantissa 0x20000
            ([0x0b, 0xd0, 0x90], 1_000_000), // exponent 2, mantissa 250,000
            ([0xbb, 0xff, 0xff], 0x3_ffff << 46),
        ];
        for (rate, bitrate) in table {
            let bytes = remb_bytes(1, rate);
            assert_eq!(remb(&bytes), Some((bitrate, vec![MEDIA])), "{rate:?}");
            let mut out = Vec::new();
            write_remb(&mut out, SENDER, bitrate, &[MEDIA]);
            assert_eq!(out, bytes, "{bitrate}");
        }
    }

    #[test]
    fn an_estimate_is_rounded_down() {
        for bitrate in [0x4_0001, 1_234_567, u64::MAX] {
            let mut out = Vec::new();
            write_remb(&mut out, SENDER, bitrate, &[]);
            let (read, _) = remb(&out).unwrap();
            assert!(read <= bitrate && bitrate - read <= bitrate >> 17, "{bitrate} {read}");
        }
    }

    #[test]
    fn an_estimate_above_64_bits_or_with_missing_sources_is_refused() {
        assert_eq!(remb(&remb_bytes(1, [0xbf, 0xff, 0xff])), None, "exponent 47");
        assert_eq!(remb(&remb_bytes(1, [0xfc, 0x00, 0x01])).map(|(rate, _)| rate), Some(1 << 63));
        assert_eq!(remb(&remb_bytes(1, [0xfc, 0x00, 0x02])), None);
        assert_eq!(remb(&remb_bytes(2, [0, 0, 1])), None);
    }

    #[test]
    fn an_estimate_has_at_most_255_sources() {
        let mut out = Vec::new();
        write_remb(&mut out, SENDER, 1, &[MEDIA; 300]);
        assert_eq!(remb(&out).map(|(_, ssrcs)| ssrcs.len()), Some(255));
    }
}
