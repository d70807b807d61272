//! Which protocol a datagram speaks, by its first two bytes (RFC 7983 §7, RFC 5761 §4).

/// Protocol of a datagram on a bundled transport.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PacketKind {
    /// STUN (RFC 8489).
    Stun,
    /// A DTLS record.
    Dtls,
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// ZRTP, TURN channel data, or nothing we know.
    Other,
}

/// Tells the protocol of a datagram. Looks at two bytes; the packet may still be malformed.
#[inline]
pub fn classify(bytes: &[u8]) -> PacketKind {
    let Some(&[first, second]) = bytes.first_chunk::<2>() else {
        return PacketKind::Other;
    };
    match (first, second) {
        (0..=3, _) => PacketKind::Stun,
        (20..=63, _) => PacketKind::Dtls,
        // RFC 5761 §4: RTP payload types 64 to 95 are not used, so the marker bit cannot make RTP look like RTCP.
        (128..=191, 192..=223) => PacketKind::Rtcp,
        (128..=191, _) => PacketKind::Rtp,
        _ => PacketKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_decides_by_the_ranges_of_rfc_7983() {
        for first in 0..=255u8 {
            let expected = match first {
                0..=3 => PacketKind::Stun,
                20..=63 => PacketKind::Dtls,
                128..=191 => PacketKind::Rtp,
                _ => PacketKind::Other,
            };
            assert_eq!(classify(&[first, 96, 0, 0]), expected, "{first}");
        }
    }

    #[test]
    fn the_second_byte_tells_rtcp_from_rtp() {
        for second in 0..=255u8 {
            let expected = if (192..=223).contains(&second) { PacketKind::Rtcp } else { PacketKind::Rtp };
            assert_eq!(classify(&[0x80, second]), expected, "{second}");
        }
    }

    #[test]
    fn a_datagram_too_short_to_tell_is_nothing() {
        assert_eq!(classify(&[]), PacketKind::Other);
        assert_eq!(classify(&[0x80]), PacketKind::Other);
    }
}
