//! What the elements of fixed shape say, read from and written as the element's data.

use std::time::Duration;

use crate::rtcp::NtpTime;

/// Loudness of the audio of one packet (RFC 6464 §3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AudioLevel {
    /// The sender believes this is speech.
    pub voice: bool,
    /// Level in decibels below full scale: 0 is loudest, 127 is silence.
    pub dbov_below: u8,
}

/// Reads [`AudioLevel`].
pub fn read_audio_level(data: &[u8]) -> Option<AudioLevel> {
    let &byte = data.first()?;
    Some(AudioLevel { voice: byte & 0x80 != 0, dbov_below: byte & 0x7f })
}

/// Data of an audio level element; levels below 127 are written as 127.
pub fn audio_level_bytes(level: AudioLevel) -> [u8; 1] {
    [level.dbov_below.min(127) | if level.voice { 0x80 } else { 0 }]
}

/// Reads the sending time: seconds as 6.18 fixed point, wrapping every 64 s.
pub fn read_abs_send_time(data: &[u8]) -> Option<u32> {
    read_u24(data)
}

/// Data of a sending time element; only the low 24 bits are sent.
pub fn abs_send_time_bytes(time: u32) -> [u8; 3] {
    let [_, a, b, c] = time.to_be_bytes();
    [a, b, c]
}

/// Reads a 16-bit number: the transport-wide sequence number.
pub fn read_u16(data: &[u8]) -> Option<u16> {
    data.first_chunk().map(|&bytes| u16::from_be_bytes(bytes))
}

fn read_u24(data: &[u8]) -> Option<u32> {
    let &[a, b, c] = data.first_chunk()?;
    Some(u32::from_be_bytes([0, a, b, c]))
}

/// Bounds that the sender asks of the receiver's buffer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PlayoutDelay {
    /// Least delay.
    pub min: Duration,
    /// Most delay.
    pub max: Duration,
}

/// Longest delay that twelve bits of 10 ms can tell.
pub const MAX_PLAYOUT_DELAY: Duration = Duration::from_millis(40_950);

/// Reads [`PlayoutDelay`]; `None` too when the least is above the most.
pub fn read_playout_delay(data: &[u8]) -> Option<PlayoutDelay> {
    let bits = read_u24(data)?;
    let (min, max) = (bits >> 12, bits & 0xfff);
    let ticks = |count: u32| Duration::from_millis(10 * u64::from(count));
    (min <= max).then(|| PlayoutDelay { min: ticks(min), max: ticks(max) })
}

/// Data of a playout delay element, in steps of 10 ms; more than [`MAX_PLAYOUT_DELAY`] is written as that.
pub fn playout_delay_bytes(delay: PlayoutDelay) -> [u8; 3] {
    // At most 4,095 after the bound.
    let ticks = |delay: Duration| (delay.min(MAX_PLAYOUT_DELAY).as_millis() / 10) as u32;
    let [_, a, b, c] = (ticks(delay.min) << 12 | ticks(delay.max)).to_be_bytes();
    [a, b, c]
}

/// How the picture has to be turned for display (3GPP TS 26.114 §7.4.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VideoOrientation {
    /// The camera faces the far side.
    pub back_camera: bool,
    /// The picture is mirrored left to right.
    pub flip: bool,
    /// Quarter turns clockwise, 0 to 3.
    pub quarter_turns: u8,
}

/// Reads [`VideoOrientation`].
pub fn read_video_orientation(data: &[u8]) -> Option<VideoOrientation> {
    let &byte = data.first()?;
    Some(VideoOrientation { back_camera: byte & 8 != 0, flip: byte & 4 != 0, quarter_turns: byte & 3 })
}

/// Data of a video orientation element; whole turns are left out.
pub fn video_orientation_bytes(orientation: VideoOrientation) -> [u8; 1] {
    let camera = if orientation.back_camera { 8 } else { 0 };
    let flip = if orientation.flip { 4 } else { 0 };
    [camera | flip | orientation.quarter_turns & 3]
}

/// Reads the transmission offset in ticks of the RTP clock, 24 bits with sign (RFC 5450 §3).
pub fn read_toffset(data: &[u8]) -> Option<i32> {
    read_u24(data).map(|bits| (bits << 8).cast_signed() >> 8)
}

/// Data of a transmission offset element; only the low 24 bits are sent.
pub fn toffset_bytes(ticks: i32) -> [u8; 3] {
    let [_, a, b, c] = ticks.to_be_bytes();
    [a, b, c]
}

/// When the media of a packet was captured.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AbsCaptureTime {
    /// In the clock of whoever captured it.
    pub captured_at: NtpTime,
    /// What to add to get from the capturer's clock to that of the sender of this packet: seconds as 32.32 fixed
    /// point.
    pub clock_offset: Option<i64>,
}

/// Reads [`AbsCaptureTime`], with or without the clock offset.
pub fn read_abs_capture_time(data: &[u8]) -> Option<AbsCaptureTime> {
    let (&timestamp, rest) = data.split_first_chunk::<8>()?;
    Some(AbsCaptureTime {
        captured_at: NtpTime::new(u64::from_be_bytes(timestamp)),
        clock_offset: rest.first_chunk().map(|&offset| i64::from_be_bytes(offset)),
    })
}

/// Fills `buffer` with the data of a capture time element and returns the used part.
pub fn write_abs_capture_time(buffer: &mut [u8; 16], time: AbsCaptureTime) -> &[u8] {
    let (timestamp, offset) = buffer.split_at_mut(8);
    timestamp.copy_from_slice(&time.captured_at.get().to_be_bytes());
    offset.copy_from_slice(&time.clock_offset.unwrap_or_default().to_be_bytes());
    match time.clock_offset {
        Some(_) => buffer,
        None => buffer.first_chunk::<8>().map_or(&[], <[u8; 8]>::as_slice),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_levels_have_a_voice_bit_and_seven_bits_of_level() {
        for (data, voice, dbov_below) in
            [([0x00], false, 0), ([0x80], true, 0), ([0xff], true, 127), ([0x2a], false, 42)]
        {
            let level = AudioLevel { voice, dbov_below };
            assert_eq!(read_audio_level(&data), Some(level));
            assert_eq!(audio_level_bytes(level), data);
        }
        assert_eq!(audio_level_bytes(AudioLevel { voice: false, dbov_below: 200 }), [127]);
    }

    #[test]
    fn sending_times_have_24_bits() {
        assert_eq!(read_abs_send_time(&[0x12, 0x34, 0x56]), Some(0x12_3456));
        assert_eq!(abs_send_time_bytes(0xff12_3456), [0x12, 0x34, 0x56]);
    }

    #[test]
    fn playout_delays_are_two_times_twelve_bits_of_ten_milliseconds() {
        let delay = PlayoutDelay { min: Duration::from_millis(10), max: Duration::from_millis(40_950) };
        assert_eq!(read_playout_delay(&[0x00, 0x1f, 0xff]), Some(delay));
        assert_eq!(playout_delay_bytes(delay), [0x00, 0x1f, 0xff]);
        assert_eq!(read_playout_delay(&[0x00, 0x20, 0x01]), None, "least above most");
        let long = PlayoutDelay { min: Duration::ZERO, max: Duration::MAX };
        assert_eq!(playout_delay_bytes(long), [0x00, 0x0f, 0xff]);
    }

    #[test]
    fn orientations_have_camera_flip_and_turns() {
        let orientation = VideoOrientation { back_camera: true, flip: false, quarter_turns: 3 };
        assert_eq!(read_video_orientation(&[0xfb]), Some(orientation));
        assert_eq!(video_orientation_bytes(orientation), [0x0b]);
        assert_eq!(video_orientation_bytes(VideoOrientation { back_camera: false, flip: true, quarter_turns: 4 }), [4]);
    }

    #[test]
    fn transmission_offsets_have_a_sign() {
        for (data, ticks) in
            [([0, 0, 1], 1), ([0xff, 0xff, 0xff], -1), ([0x80, 0, 0], -0x80_0000), ([0x7f, 0xff, 0xff], 0x7f_ffff)]
        {
            assert_eq!(read_toffset(&data), Some(ticks));
            assert_eq!(toffset_bytes(ticks), data);
        }
    }

    #[test]
    fn capture_times_come_with_or_without_the_clock_offset() {
        let data = [1, 2, 3, 4, 5, 6, 7, 8, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        let captured_at = NtpTime::new(0x0102_0304_0506_0708);
        let mut buffer = [0; 16];
        for (data, clock_offset) in [(&data[..8], None), (&data[..], Some(-1 << 32))] {
            let time = AbsCaptureTime { captured_at, clock_offset };
            assert_eq!(read_abs_capture_time(data), Some(time));
            assert_eq!(write_abs_capture_time(&mut buffer, time), data);
        }
    }

    #[test]
    fn an_element_that_is_too_short_says_nothing() {
        let data = [0; 7];
        assert_eq!(read_audio_level(&data[..0]), None);
        assert_eq!(read_abs_send_time(&data[..2]), None);
        assert_eq!(read_u16(&data[..1]), None);
        assert_eq!(read_playout_delay(&data[..2]), None);
        assert_eq!(read_video_orientation(&data[..0]), None);
        assert_eq!(read_toffset(&data[..2]), None);
        assert_eq!(read_abs_capture_time(&data), None);
    }
}
