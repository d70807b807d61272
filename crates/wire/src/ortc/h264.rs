//! `profile-level-id` of H264 (RFC 6184 §8.1): which profile it names, and which level two ends agree on.

use std::fmt;

use super::parameters::CodecParameters;

/// What a stream is that names no profile. RFC 6184 says Baseline at level 1; browsers say this, and they are
/// whom we talk to.
const DEFAULT: ProfileLevelId = ProfileLevelId { profile: H264Profile::ConstrainedBaseline, level: H264Level(31 * 10) };

/// `profile_idc` and level of an H264 stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProfileLevelId {
    /// Set of coding tools.
    pub profile: H264Profile,
    /// Upper bound of size and rate.
    pub level: H264Level,
}

/// Set of coding tools.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum H264Profile {
    /// Baseline without what Main lacks: what every browser decodes.
    ConstrainedBaseline,
    /// Baseline.
    Baseline,
    /// Main.
    Main,
    /// High without interlacing and B pictures.
    ConstrainedHigh,
    /// High.
    High,
    /// High 4:4:4 Predictive.
    PredictiveHigh444,
}

/// A level as a hundredth of its number, so that 1b (105) lies between 1 (100) and 1.1 (110).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct H264Level(u16);

/// Level 1b, which has no number of its own.
const LEVEL_1B: H264Level = H264Level(105);

/// `level_idc` of every level (ITU-T H.264 table A-1), 1b left out.
const LEVELS: [u8; 16] = [10, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52];

/// `constraint_set3_flag`, which together with `level_idc` 11 means level 1b.
const CONSTRAINT_SET3: u8 = 0x10;

/// Profiles by `profile_idc` and by the bits of `profile-iop` that count: mask, then value (RFC 6184 table 5).
const PROFILES: [(u8, u8, u8, H264Profile); 9] = [
    (0x42, 0b0100_1111, 0b0100_0000, H264Profile::ConstrainedBaseline),
    (0x4d, 0b1000_1111, 0b1000_0000, H264Profile::ConstrainedBaseline),
    (0x58, 0b1100_1111, 0b1100_0000, H264Profile::ConstrainedBaseline),
    (0x42, 0b0100_1111, 0b0000_0000, H264Profile::Baseline),
    (0x58, 0b1100_1111, 0b1000_0000, H264Profile::Baseline),
    (0x4d, 0b1010_1111, 0b0000_0000, H264Profile::Main),
    (0x64, 0b1111_1111, 0b0000_0000, H264Profile::High),
    (0x64, 0b1111_1111, 0b0000_1100, H264Profile::ConstrainedHigh),
    (0xf4, 0b1111_1111, 0b0000_0000, H264Profile::PredictiveHigh444),
];

impl ProfileLevelId {
    /// Reads six hexadecimal digits; `None` when they are not, or name an unknown profile or level.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 6 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let [_, profile_idc, profile_iop, level_idc] = u32::from_str_radix(text, 16).ok()?.to_be_bytes();
        let (.., profile) =
            PROFILES.into_iter().find(|&(idc, mask, value, _)| idc == profile_idc && profile_iop & mask == value)?;
        if !LEVELS.contains(&level_idc) {
            return None;
        }
        // 1b exists in the three oldest profiles only (ITU-T H.264 §A.3.1).
        let is_1b = level_idc == 11 && profile_iop & CONSTRAINT_SET3 != 0 && matches!(profile_idc, 0x42 | 0x4d | 0x58);
        let level = if is_1b { LEVEL_1B } else { H264Level(u16::from(level_idc) * 10) };
        Some(Self { profile, level })
    }

    /// That of a codec's parameters, or the usual one where they name none.
    pub fn of(parameters: &CodecParameters) -> Option<Self> {
        match parameters.text("profile-level-id") {
            Some(text) => Self::parse(&text),
            None => Some(DEFAULT),
        }
    }
}

impl fmt::Display for ProfileLevelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match (self.profile, self.level) {
            (H264Profile::ConstrainedBaseline, LEVEL_1B) => "42f0",
            (H264Profile::Baseline, LEVEL_1B) => "4210",
            (H264Profile::Main, LEVEL_1B) => "4d10",
            (H264Profile::ConstrainedBaseline, _) => "42e0",
            (H264Profile::Baseline, _) => "4200",
            (H264Profile::Main, _) => "4d00",
            (H264Profile::ConstrainedHigh, _) => "640c",
            (H264Profile::High, _) => "6400",
            (H264Profile::PredictiveHigh444, _) => "f400",
        };
        // 1b is written as 1.1, and the prefix tells them apart.
        let level_idc = if self.level == LEVEL_1B { 11 } else { self.level.0 / 10 };
        write!(f, "{prefix}{level_idc:02x}")
    }
}

/// Whether a stream of `sender` can be read by `receiver`: the same profile and packetization mode.
///
/// The level is not compared: it bounds what a sender may choose, and browsers decode above it.
pub(super) fn receives(receiver: &CodecParameters, sender: &CodecParameters) -> bool {
    let mode = |parameters: &CodecParameters| parameters.number_or("packetization-mode", 0);
    let (Some(receiver_id), Some(sender_id)) = (ProfileLevelId::of(receiver), ProfileLevelId::of(sender)) else {
        return false;
    };
    mode(receiver).is_some() && mode(receiver) == mode(sender) && receiver_id.profile == sender_id.profile
}

/// The `profile-level-id` that a stream of `sender` is announced with after `router` accepted it (RFC 6184 §8.2.2):
/// the sender's own level where both allow asymmetry, else the lower one. `None` when neither names one.
pub(super) fn agreed_profile_level_id(sender: &CodecParameters, router: &CodecParameters) -> Option<String> {
    if sender.text("profile-level-id").is_none() && router.text("profile-level-id").is_none() {
        return None;
    }
    let (sent, accepted) = (ProfileLevelId::of(sender)?, ProfileLevelId::of(router)?);
    let asymmetric = sender.is_one("level-asymmetry-allowed") && router.is_one("level-asymmetry-allowed");
    let level = if asymmetric { sent.level } else { sent.level.min(accepted.level) };
    Some(ProfileLevelId { profile: sent.profile, level }.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_levels_are_read() {
        let table = [
            ("42e01f", H264Profile::ConstrainedBaseline, 310),
            ("42E01F", H264Profile::ConstrainedBaseline, 310),
            ("42c02a", H264Profile::ConstrainedBaseline, 420),
            ("4de01f", H264Profile::ConstrainedBaseline, 310),
            ("58f01f", H264Profile::ConstrainedBaseline, 310),
            ("42001f", H264Profile::Baseline, 310),
            ("42a01f", H264Profile::Baseline, 310),
            ("58a01f", H264Profile::Baseline, 310),
            ("4d001f", H264Profile::Main, 310),
            ("4d400a", H264Profile::Main, 100),
            ("640034", H264Profile::High, 520),
            ("640c1f", H264Profile::ConstrainedHigh, 310),
            ("f4001f", H264Profile::PredictiveHigh444, 310),
            ("42f00b", H264Profile::ConstrainedBaseline, 105),
            ("42e00b", H264Profile::ConstrainedBaseline, 110),
            ("4d100b", H264Profile::Main, 105),
        ];
        for (text, profile, level) in table {
            assert_eq!(
                ProfileLevelId::parse(text),
                Some(ProfileLevelId { profile, level: H264Level(level) }),
                "{text}"
            );
        }
    }

    #[test]
    fn what_names_no_profile_and_level_is_none() {
        for text in ["", "42e01", "42e01f0", "42e0zz", "42e000", "42e0ff", "00001f", "640b1f", "+2e01f", "42é01"] {
            assert_eq!(ProfileLevelId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for text in ["42e01f", "42f00b", "42001f", "42100b", "4d001f", "4d100b", "640034", "640c2a", "f4001f", "42e00a"]
        {
            assert_eq!(ProfileLevelId::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn level_1b_lies_between_1_and_1_1() {
        let level = |text| ProfileLevelId::parse(text).expect(text).level;
        assert!(level("42e00a") < level("42f00b") && level("42f00b") < level("42e00b"));
    }
}
