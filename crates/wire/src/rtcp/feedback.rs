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
