//! RTP packets, read and written in place (RFC 3550 §5). Header extensions are in [`crate::extension`].

use crate::{PayloadType, RtpTimestamp, SeqNo, Ssrc};

/// Length of the part of the header that every packet has, in bytes.
pub const FIXED_HEADER_LEN: usize = 12;

/// Most contributing sources that the four-bit count can tell.
pub const MAX_CSRCS: usize = 15;

const VERSION: u8 = 0x80;
const VERSION_MASK: u8 = 0xc0;
const PADDING_BIT: u8 = 0x20;
const EXTENSION_BIT: u8 = 0x10;
const CSRC_COUNT_MASK: u8 = 0x0f;
const MARKER_BIT: u8 = 0x80;

/// Why bytes are not an RTP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RtpError {
    /// The packet ends inside its header.
    #[error("packet ends inside its header")]
    Short,
    /// Larger than any UDP datagram.
    #[error("packet is longer than 65,535 bytes")]
    TooLong,
    /// Not RTP version 2.
    #[error("version is not 2")]
    Version,
    /// The padding count is zero or larger than what follows the header.
    #[error("padding count is zero or larger than the payload")]
    Padding,
}

/// Where the elements of a header extension are (RFC 3550 §5.3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExtensionBlock {
    /// What the elements look like: 0xBEDE, 0x100x, or a profile we do not know.
    pub profile: u16,
    /// First element byte, counted from the packet's start.
    pub start: u16,
    /// Number of element bytes, a multiple of four.
    pub len: u16,
}

/// The header of one packet, without its extension elements.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RtpHeader {
    /// Meaning depends on the codec: last packet of a video frame, first of a talk spurt.
    pub marker: bool,
    /// Names the codec.
    pub payload_type: PayloadType,
    /// Sequence number.
    pub seq: SeqNo,
    /// Sampling instant in the clock of the codec.
    pub timestamp: RtpTimestamp,
    /// The stream this packet is of.
    pub ssrc: Ssrc,
    /// Number of contributing sources, at most [`MAX_CSRCS`].
    pub csrc_count: u8,
    /// The last byte of the decrypted packet counts padding bytes.
    pub has_padding: bool,
    /// The header extension, if there is one.
    pub extension: Option<ExtensionBlock>,
    /// Bytes before the payload: fixed part, contributing sources and the whole extension.
    pub header_len: usize,
}

impl RtpHeader {
    /// Reads the header. The payload may still be encrypted, so padding is not looked at.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, RtpError> {
        let fixed = bytes.first_chunk::<FIXED_HEADER_LEN>().ok_or(RtpError::Short)?;
        let &[flags, marker_and_type, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = fixed;
        if flags & VERSION_MASK != VERSION {
            return Err(RtpError::Version);
        }
        if bytes.len() > usize::from(u16::MAX) {
            return Err(RtpError::TooLong);
        }
        let csrc_count = flags & CSRC_COUNT_MASK;
        let mut header_len = FIXED_HEADER_LEN + 4 * usize::from(csrc_count);
        let mut extension = None;
        if flags & EXTENSION_BIT != 0 {
            let block = bytes.get(header_len..).and_then(<[u8]>::first_chunk::<4>).ok_or(RtpError::Short)?;
            let &[p0, p1, w0, w1] = block;
            let start = header_len + 4;
            let len = 4 * usize::from(u16::from_be_bytes([w0, w1]));
            header_len = start + len;
            // Both fit once the block is known to lie inside the datagram.
            if header_len > bytes.len() {
                return Err(RtpError::Short);
            }
            extension =
                Some(ExtensionBlock { profile: u16::from_be_bytes([p0, p1]), start: start as u16, len: len as u16 });
        }
        if header_len > bytes.len() {
            return Err(RtpError::Short);
        }
        Ok(Self {
            marker: marker_and_type & MARKER_BIT != 0,
            payload_type: PayloadType::from_low_bits(marker_and_type),
            seq: SeqNo::new(u16::from_be_bytes([s0, s1])),
            timestamp: RtpTimestamp::new(u32::from_be_bytes([t0, t1, t2, t3])),
            ssrc: Ssrc::new(u32::from_be_bytes([c0, c1, c2, c3])),
            csrc_count,
            has_padding: flags & PADDING_BIT != 0,
            extension,
            header_len,
        })
    }

    /// The payload of a decrypted packet without its padding, and the number of padding bytes. A packet of
    /// padding alone has an empty payload.
    #[inline]
    pub fn payload<'a>(&self, packet: &'a [u8]) -> Result<(&'a [u8], u8), RtpError> {
        let rest = packet.get(self.header_len..).ok_or(RtpError::Short)?;
        if !self.has_padding {
            return Ok((rest, 0));
        }
        let &padding_len = rest.last().ok_or(RtpError::Padding)?;
        let payload_len = rest.len().checked_sub(usize::from(padding_len)).ok_or(RtpError::Padding)?;
        match rest.get(..payload_len) {
            Some(payload) if padding_len > 0 => Ok((payload, padding_len)),
            _ => Err(RtpError::Padding),
        }
    }

    /// The contributing sources, in the order sent.
    pub fn csrcs<'a>(&self, packet: &'a [u8]) -> impl Iterator<Item = Ssrc> + 'a {
        let end = FIXED_HEADER_LEN + 4 * usize::from(self.csrc_count);
        let bytes = packet.get(FIXED_HEADER_LEN..end).unwrap_or_default();
        bytes.as_chunks::<4>().0.iter().map(|&csrc| Ssrc::new(u32::from_be_bytes(csrc)))
    }
}

/// What the fixed part of a header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HeaderFields {
    /// Meaning depends on the codec.
    pub marker: bool,
    /// Names the codec.
    pub payload_type: PayloadType,
    /// Sequence number.
    pub seq: SeqNo,
    /// Sampling instant in the clock of the codec.
    pub timestamp: RtpTimestamp,
    /// The stream this packet is of.
    pub ssrc: Ssrc,
}

/// Appends the fixed part of a header. With `has_extension` an extension block has to follow at once, with
/// `has_padding` the packet has to end in its padding count.
#[inline]
pub fn write_header(out: &mut Vec<u8>, fields: &HeaderFields, has_extension: bool, has_padding: bool) {
    let flags = VERSION | if has_extension { EXTENSION_BIT } else { 0 } | if has_padding { PADDING_BIT } else { 0 };
    let marker = if fields.marker { MARKER_BIT } else { 0 };
    let [s0, s1] = fields.seq.get().to_be_bytes();
    let [t0, t1, t2, t3] = fields.timestamp.get().to_be_bytes();
    let [c0, c1, c2, c3] = fields.ssrc.get().to_be_bytes();
    out.extend_from_slice(&[flags, marker | fields.payload_type.get(), s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]);
}

/// Appends contributing sources to the fixed header that starts at `packet_start` and ends `out`; those beyond
/// [`MAX_CSRCS`] are left out.
pub fn write_csrcs(out: &mut Vec<u8>, packet_start: usize, csrcs: impl IntoIterator<Item = Ssrc>) {
    let mut count = 0;
    for csrc in csrcs.into_iter().take(MAX_CSRCS) {
        out.extend_from_slice(&csrc.get().to_be_bytes());
        count += 1;
    }
    if let Some(flags) = out.get_mut(packet_start) {
        *flags = *flags & !CSRC_COUNT_MASK | count;
    }
}

/// Appends `len` bytes of padding to the packet that starts at `packet_start` and ends `out`, and says so in its
/// header (RFC 3550 §5.1). Zero adds nothing.
pub fn write_padding(out: &mut Vec<u8>, packet_start: usize, len: u8) {
    if len == 0 {
        return;
    }
    out.resize(out.len() + usize::from(len) - 1, 0);
    out.push(len);
    if let Some(flags) = out.get_mut(packet_start) {
        *flags |= PADDING_BIT;
    }
}

fn fixed_part(packet: &mut [u8]) -> Option<&mut [u8; FIXED_HEADER_LEN]> {
    packet.first_chunk_mut()
}

/// Overwrites the marker. Does nothing to a packet shorter than a header, as all setters here.
#[inline]
pub fn set_marker(packet: &mut [u8], marker: bool) {
    if let Some([_, byte, ..]) = fixed_part(packet) {
        *byte = *byte & !MARKER_BIT | if marker { MARKER_BIT } else { 0 };
    }
}

/// Overwrites the payload type.
#[inline]
pub fn set_payload_type(packet: &mut [u8], payload_type: PayloadType) {
    if let Some([_, byte, ..]) = fixed_part(packet) {
        *byte = *byte & MARKER_BIT | payload_type.get();
    }
}

/// Overwrites the sequence number.
#[inline]
pub fn set_seq(packet: &mut [u8], seq: SeqNo) {
    if let Some([_, _, s0, s1, ..]) = fixed_part(packet) {
        [*s0, *s1] = seq.get().to_be_bytes();
    }
}

/// Overwrites the timestamp.
#[inline]
pub fn set_timestamp(packet: &mut [u8], timestamp: RtpTimestamp) {
    if let Some([_, _, _, _, t0, t1, t2, t3, ..]) = fixed_part(packet) {
        [*t0, *t1, *t2, *t3] = timestamp.get().to_be_bytes();
    }
}

/// Overwrites the stream identification.
#[inline]
pub fn set_ssrc(packet: &mut [u8], ssrc: Ssrc) {
    if let Some([.., c0, c1, c2, c3]) = fixed_part(packet) {
        [*c0, *c1, *c2, *c3] = ssrc.get().to_be_bytes();
    }
}

/// Overwrites the bit that says whether an extension block follows.
#[inline]
pub fn set_has_extension(packet: &mut [u8], has_extension: bool) {
    if let Some([flags, ..]) = fixed_part(packet) {
        *flags = *flags & !EXTENSION_BIT | if has_extension { EXTENSION_BIT } else { 0 };
    }
}

/// Overwrites the bit that says whether the packet ends in padding; the padding itself is the caller's.
#[inline]
pub fn set_has_padding(packet: &mut [u8], has_padding: bool) {
    if let Some([flags, ..]) = fixed_part(packet) {
        *flags = *flags & !PADDING_BIT | if has_padding { PADDING_BIT } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3550 §5.1, figure: marker, type 96, one contributing source, an extension of one word, padding of 3.
    const FULL: [u8; 31] = [
        0xb1, 0xe0, 0x12, 0x34, 0x01, 0x02, 0x03, 0x04, 0xaa, 0xbb, 0xcc, 0xdd, // fixed
        0x11, 0x22, 0x33, 0x44, // contributing source
        0xbe, 0xde, 0x00, 0x01, 0x10, 0x05, 0x00, 0x00, // extension
        0x70, 0x71, 0x72, 0x73, // payload
        0x00, 0x00, 0x03, // padding
    ];

    fn fields() -> HeaderFields {
        HeaderFields {
            marker: true,
            payload_type: PayloadType::from_low_bits(96),
            seq: SeqNo::new(0x1234),
            timestamp: RtpTimestamp::new(0x0102_0304),
            ssrc: Ssrc::new(0xaabb_ccdd),
        }
    }

    #[test]
    fn every_field_of_the_header_is_read() {
        let header = RtpHeader::parse(&FULL).unwrap();
        assert_eq!(
            header,
            RtpHeader {
                marker: true,
                payload_type: PayloadType::from_low_bits(96),
                seq: SeqNo::new(0x1234),
                timestamp: RtpTimestamp::new(0x0102_0304),
                ssrc: Ssrc::new(0xaabb_ccdd),
                csrc_count: 1,
                has_padding: true,
                extension: Some(ExtensionBlock { profile: 0xbede, start: 20, len: 4 }),
                header_len: 24,
            }
        );
        assert_eq!(header.csrcs(&FULL).collect::<Vec<_>>(), [Ssrc::new(0x1122_3344)]);
        assert_eq!(header.payload(&FULL), Ok((&FULL[24..28], 3)));
    }

    #[test]
    fn a_packet_that_ends_in_its_header_is_refused_at_every_length() {
        for len in 0..24 {
            assert_eq!(RtpHeader::parse(&FULL[..len]), Err(RtpError::Short), "{len}");
        }
        assert!(RtpHeader::parse(&FULL[..24]).is_ok());
    }

    #[test]
    fn only_version_two_is_rtp() {
        for version in [0u8, 1, 3] {
            let mut packet = FULL;
            packet[0] = version << 6 | 0x31;
            assert_eq!(RtpHeader::parse(&packet), Err(RtpError::Version), "{version}");
        }
    }

    #[test]
    fn the_largest_datagram_is_read_and_a_larger_one_refused() {
        let mut packet = FULL.to_vec();
        packet.resize(65_535, 0);
        // As many words as fit: 20 bytes before them.
        [packet[18], packet[19]] = (16_378u16).to_be_bytes();
        assert_eq!(RtpHeader::parse(&packet).unwrap().extension.unwrap().len, 65_512);
        [packet[18], packet[19]] = (16_379u16).to_be_bytes();
        assert_eq!(RtpHeader::parse(&packet), Err(RtpError::Short));
        packet.push(0);
        assert_eq!(RtpHeader::parse(&packet), Err(RtpError::TooLong));
    }

    #[test]
    fn padding_is_taken_off_only_when_it_fits() {
        let plain = [0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        let table = [
            (0x80, &[][..], Ok((0, 0))),
            (0x80, &[9], Ok((1, 0))),
            (0xa0, &[9, 1], Ok((1, 1))),
            (0xa0, &[0, 2], Ok((0, 2))),
            (0xa0, &[], Err(RtpError::Padding)),
            (0xa0, &[9, 0], Err(RtpError::Padding)),
            (0xa0, &[9, 3], Err(RtpError::Padding)),
        ];
        for (flags, rest, expected) in table {
            let mut packet = plain.to_vec();
            packet[0] = flags;
            packet.extend_from_slice(rest);
            let payload = RtpHeader::parse(&packet).unwrap().payload(&packet);
            assert_eq!(payload.map(|(payload, padding)| (payload.len(), padding)), expected, "{rest:?}");
        }
    }

    #[test]
    fn a_header_is_written_as_it_is_read() {
        let mut out = vec![0xff];
        write_header(&mut out, &fields(), true, true);
        assert_eq!(out[1..], [0xb0, 0xe0, 0x12, 0x34, 1, 2, 3, 4, 0xaa, 0xbb, 0xcc, 0xdd]);
        out.truncate(1);
        write_header(&mut out, &HeaderFields { marker: false, ..fields() }, false, false);
        assert_eq!(out[1..3], [0x80, 0x60]);
    }

    #[test]
    fn contributing_sources_and_padding_are_added_in_place() {
        let mut out = vec![0xff];
        write_header(&mut out, &fields(), false, false);
        write_csrcs(&mut out, 1, (0..20).map(Ssrc::new));
        out.extend_from_slice(b"hello");
        write_padding(&mut out, 1, 0);
        assert_eq!(out[1], 0x8f);
        write_padding(&mut out, 1, 2);
        let packet = &out[1..];
        let header = RtpHeader::parse(packet).unwrap();
        assert_eq!(header.csrcs(packet).collect::<Vec<_>>(), (0..15).map(Ssrc::new).collect::<Vec<_>>());
        assert_eq!(header.payload(packet), Ok((&b"hello"[..], 2)));
    }

    #[test]
    fn setters_change_their_field_alone() {
        let mut packet = FULL;
        set_marker(&mut packet, false);
        set_payload_type(&mut packet, PayloadType::from_low_bits(1));
        set_seq(&mut packet, SeqNo::new(2));
        set_timestamp(&mut packet, RtpTimestamp::new(3));
        set_ssrc(&mut packet, Ssrc::new(4));
        set_has_extension(&mut packet, false);
        set_has_padding(&mut packet, false);
        assert_eq!(packet[..12], [0x81, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]);
        assert_eq!(packet[12..], FULL[12..]);
        set_has_extension(&mut packet, true);
        set_has_padding(&mut packet, true);
        set_marker(&mut packet, true);
        assert_eq!(packet[..2], [0xb1, 0x81]);
    }

    #[test]
    fn setters_leave_what_is_shorter_than_a_header() {
        let mut packet = [0xff; 11];
        set_marker(&mut packet, false);
        set_payload_type(&mut packet, PayloadType::from_low_bits(1));
        set_seq(&mut packet, SeqNo::new(2));
        set_timestamp(&mut packet, RtpTimestamp::new(3));
        set_ssrc(&mut packet, Ssrc::new(4));
        set_has_extension(&mut packet, false);
        set_has_padding(&mut packet, false);
        assert_eq!(packet, [0xff; 11]);
    }
}
