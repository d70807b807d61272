//! Retransmission payload format: the original sequence number before the original payload (RFC 4588 §4).

use crate::SeqNo;

/// Bytes before the original payload.
pub const OSN_LEN: usize = 2;

/// Splits a retransmission's payload into the original sequence number and the original payload. `None` when the
/// packet is too short, as one that carries padding alone to probe the path.
pub fn read_osn(payload: &[u8]) -> Option<(SeqNo, &[u8])> {
    let (&osn, original) = payload.split_first_chunk::<OSN_LEN>()?;
    Some((SeqNo::new(u16::from_be_bytes(osn)), original))
}

/// Appends what stands before the original payload in a retransmission.
pub fn write_osn(out: &mut Vec<u8>, original: SeqNo) {
    out.extend_from_slice(&original.get().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_number_stands_before_the_payload() {
        assert_eq!(read_osn(&[0x12, 0x34, 7, 8]), Some((SeqNo::new(0x1234), &[7, 8][..])));
        assert_eq!(read_osn(&[0x12, 0x34]), Some((SeqNo::new(0x1234), &[][..])));
        let mut out = Vec::new();
        write_osn(&mut out, SeqNo::new(0xfffe));
        assert_eq!(out, [0xff, 0xfe]);
    }

    #[test]
    fn a_payload_without_a_whole_number_is_none() {
        assert_eq!(read_osn(&[]), None);
        assert_eq!(read_osn(&[1]), None);
    }
}
