//! Opus payloads (RFC 6716 §3.1, RFC 7587): silence and frame length.

/// Whether the payload is one of discontinuous transmission: the table of contents alone, or with one byte
/// (RFC 6716 §2.1.9, RFC 7587 §3.1.3).
pub fn is_dtx(payload: &[u8]) -> bool {
    !payload.is_empty() && payload.len() <= 2
}

/// Whether the payload carries two channels (bit s of the table of contents).
pub fn is_stereo(payload: &[u8]) -> bool {
    payload.first().is_some_and(|toc| toc & 0x04 != 0)
}

/// Length of one frame, in microseconds, by the configuration number (RFC 6716 table 2).
pub fn frame_micros(payload: &[u8]) -> Option<u32> {
    let config = payload.first()? >> 3;
    Some(match config {
        0..=11 => match config & 0x03 {
            0 => 10_000,
            1 => 20_000,
            2 => 40_000,
            _ => 60_000,
        },
        12..=15 => {
            if config & 1 == 0 {
                10_000
            } else {
                20_000
            }
        }
        _ => match config & 0x03 {
            0 => 2_500,
            1 => 5_000,
            2 => 10_000,
            _ => 20_000,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_from_sound_and_from_nothing() {
        assert!(is_dtx(&[0x78]));
        assert!(is_dtx(&[0x78, 0]));
        assert!(!is_dtx(&[0x78, 1, 2]));
        assert!(!is_dtx(&[]));
    }

    #[test]
    fn frame_lengths_are_those_of_rfc_6716_table_2() {
        let voice = [10_000, 20_000, 40_000, 60_000];
        let music = [2_500, 5_000, 10_000, 20_000];
        let table = [voice, voice, voice, [10_000, 20_000, 10_000, 20_000], music, music, music, music];
        for (config, micros) in table.as_flattened().iter().enumerate() {
            // The lower three bits tell channels and number of frames.
            for low in [0, 0x07] {
                assert_eq!(frame_micros(&[(config as u8) << 3 | low]), Some(*micros), "configuration {config}");
            }
        }
        assert_eq!(frame_micros(&[]), None);
    }

    #[test]
    fn channels_are_told_by_one_bit() {
        assert!(is_stereo(&[0x7C]) && !is_stereo(&[0xFB]) && !is_stereo(&[]));
    }
}
