//! FINGERPRINT (RFC 8489 §14.7): tells STUN from what only looks like it.

/// What the CRC is exclusive-ored with, so that it differs from the CRC of a protocol inside.
const XOR: u32 = 0x5354_554E;

/// The value of FINGERPRINT behind these bytes.
pub(super) fn fingerprint(bytes: &[u8]) -> [u8; 4] {
    (crc32(bytes) ^ XOR).to_be_bytes()
}

/// CRC-32 of ITU-T V.42.
fn crc32(bytes: &[u8]) -> u32 {
    static TABLE: [u32; 256] = table();
    let mut crc = u32::MAX;
    for byte in bytes {
        let [low, ..] = crc.to_le_bytes();
        let entry = TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default();
        crc = crc >> 8 ^ entry;
    }
    !crc
}

#[allow(clippy::indexing_slicing, reason = "evaluated at compile time, where an index out of range does not compile")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_every_other_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
