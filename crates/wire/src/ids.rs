//! Numbers and names that identify things on the wire, one type each, so that none is taken for another.

use std::fmt;
use std::hash::{Hash, Hasher};

/// Synchronisation source of an RTP stream (RFC 3550 §3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Ssrc(u32);

impl Ssrc {
    /// The source with this number.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The number as sent.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// RTP payload type: seven bits (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PayloadType(u8);

impl PayloadType {
    /// `None` when the value does not fit seven bits.
    pub const fn new(value: u8) -> Option<Self> {
        if value < 128 { Some(Self(value)) } else { None }
    }

    /// The low seven bits of a byte whose top bit means something else.
    pub const fn from_low_bits(byte: u8) -> Self {
        Self(byte & 0x7f)
    }

    /// The number as sent, below 128.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for PayloadType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Sequence number as sent: 16 bits, wraps (RFC 3550 §5.1). Not `Ord`: a wrap makes order a lie.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SeqNo(u16);

impl SeqNo {
    /// The sequence number with this value.
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// The number as sent.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The number after this one.
    pub const fn next(self) -> Self {
        self.wrapping_add(1)
    }

    /// The number `count` after this one.
    pub const fn wrapping_add(self, count: u16) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// `self - other` by the shorter way round; positive when `self` is newer. Half the circle counts as older.
    pub const fn distance_from(self, other: Self) -> i16 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// Whether `self` was sent after `other`, if they are less than half the circle apart.
    pub const fn is_newer_than(self, other: Self) -> bool {
        self.distance_from(other) > 0
    }
}

/// Sequence number with its roll-over count; never wraps (RFC 3711 §3.3.1).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ExtSeqNo(u64);

impl ExtSeqNo {
    /// The number with this whole value, roll-over count included.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The whole value, roll-over count included.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The start of a stream: roll-over count 0.
    pub const fn first(seq: SeqNo) -> Self {
        Self(seq.0 as u64)
    }

    /// The number nearest to `self` that is sent as `seq`; `None` before the stream's start.
    pub const fn nearest(self, seq: SeqNo) -> Option<Self> {
        let step = seq.distance_from(self.truncate());
        match self.0.checked_add_signed(step as i64) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// The 16 bits that are sent.
    pub const fn truncate(self) -> SeqNo {
        SeqNo(self.0 as u16)
    }

    /// How often the sent number has wrapped, modulo 2³² as SRTP counts it (RFC 3711 §3.3.1).
    pub const fn roll_over(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// The number after this one.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number `count` away; stops at both ends of the range.
    pub const fn offset(self, count: i64) -> Self {
        Self(self.0.saturating_add_signed(count))
    }

    /// `self - other`; stops at both ends of `i64`.
    pub const fn distance_from(self, other: Self) -> i64 {
        if self.0 >= other.0 {
            let ahead = self.0 - other.0;
            if ahead > i64::MAX as u64 { i64::MAX } else { ahead as i64 }
        } else {
            let behind = other.0 - self.0;
            if behind > i64::MAX as u64 { i64::MIN } else { -(behind as i64) }
        }
    }
}

/// RTP timestamp: 32 bits in the clock of the codec, wraps (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RtpTimestamp(u32);

impl RtpTimestamp {
    /// The timestamp with this value.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The number as sent.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The timestamp `ticks` later.
    pub const fn wrapping_add(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// Ticks from `other` to `self` by the shorter way round; positive when `self` is later.
    pub const fn wrapping_sub(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }
}

/// Longest [`Mid`] and [`Rid`] that is accepted, in bytes. RFC 8285's one-byte form carries 16; browsers use
/// fewer than ten.
pub const MAX_NAME_LEN: usize = 32;

/// ASCII text kept in place; bytes behind `len` are zero.
#[derive(Clone, Copy)]
struct Name {
    bytes: [u8; MAX_NAME_LEN],
    len: u8,
}

impl Name {
    fn new(text: &[u8], allowed: fn(u8) -> bool) -> Option<Self> {
        if text.is_empty() || !text.iter().all(|&byte| allowed(byte)) {
            return None;
        }
        let mut bytes = [0; MAX_NAME_LEN];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self { bytes, len: u8::try_from(text.len()).ok()? })
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// `token-char` of RFC 4566 §9: what an SDP `mid` may contain.
const fn is_token_char(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d..=0x2e | 0x30..=0x39 | 0x41..=0x5a | 0x5e..=0x7e)
}

/// RFC 8852 §3.1 allows letters and digits; `-` and `_` are RFC 8851's, and browsers accept them.
const fn is_rid_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $allowed:path) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name(Name);

        impl $name {
            /// `None` when empty, longer than [`MAX_NAME_LEN`] or with a character that is not allowed.
            pub fn new(text: &str) -> Option<Self> {
                Self::from_bytes(text.as_bytes())
            }

            /// As [`Self::new`], from the bytes of a header extension.
            pub fn from_bytes(text: &[u8]) -> Option<Self> {
                Name::new(text, $allowed).map(Self)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }

            /// The text as it is sent.
            pub fn as_bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_bytes().hash(state);
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.as_str())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

name_type!(
    /// Identification of a media section (RFC 9143 §4).
    Mid,
    is_token_char
);
name_type!(
    /// Identification of one encoding of a simulcast source (RFC 8851, RFC 8852).
    Rid,
    is_rid_char
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_type_has_seven_bits() {
        assert_eq!(PayloadType::new(127).map(PayloadType::get), Some(127));
        assert_eq!(PayloadType::new(128), None);
        assert_eq!(PayloadType::from_low_bits(0xe0).get(), 0x60);
    }

    #[test]
    fn sequence_numbers_are_compared_by_the_shorter_way_round() {
        let table = [
            (1, 0, 1),
            (0, 1, -1),
            (0, 65_535, 1),
            (65_535, 0, -1),
            (0x7fff, 0, 0x7fff),
            (0x8000, 0, -0x8000),
            (0, 0x8000, -0x8000),
        ];
        for (a, b, distance) in table {
            let (a, b) = (SeqNo::new(a), SeqNo::new(b));
            assert_eq!(a.distance_from(b), distance, "{a:?} {b:?}");
            assert_eq!(a.is_newer_than(b), distance > 0, "{a:?} {b:?}");
        }
        assert_eq!(SeqNo::new(65_535).next(), SeqNo::new(0));
    }

    #[test]
    fn the_nearest_extended_number_follows_the_wrap_both_ways() {
        let table = [
            (5, 7, Some(7)),
            (65_535, 0, Some(65_536)),
            (65_536, 65_535, Some(65_535)),
            (0, 65_535, None),
            (10, 65_530, None),
            (0x1_0000, 0x8000, Some(0x8000)),
            (u64::MAX, 0, None),
        ];
        for (reference, seq, nearest) in table {
            assert_eq!(
                ExtSeqNo::new(reference).nearest(SeqNo::new(seq)),
                nearest.map(ExtSeqNo::new),
                "{reference} {seq}"
            );
        }
    }

    #[test]
    fn extended_numbers_split_into_roll_over_and_sent_part() {
        let index = ExtSeqNo::new(0x3_fffe);
        assert_eq!((index.roll_over(), index.truncate()), (3, SeqNo::new(0xfffe)));
        assert_eq!(index.offset(2).roll_over(), 4);
        assert_eq!(ExtSeqNo::first(SeqNo::new(9)).get(), 9);
    }

    #[test]
    fn extended_arithmetic_stops_at_the_ends() {
        let (zero, last) = (ExtSeqNo::new(0), ExtSeqNo::new(u64::MAX));
        assert_eq!(last.next(), last);
        assert_eq!(zero.offset(-1), zero);
        assert_eq!(last.offset(i64::MAX), last);
        assert_eq!(zero.distance_from(last), i64::MIN);
        assert_eq!(last.distance_from(zero), i64::MAX);
        assert_eq!(ExtSeqNo::new(3).distance_from(ExtSeqNo::new(5)), -2);
    }

    #[test]
    fn timestamps_wrap() {
        let late = RtpTimestamp::new(u32::MAX);
        assert_eq!(late.wrapping_add(3).get(), 2);
        assert_eq!(late.wrapping_add(3).wrapping_sub(late), 3);
        assert_eq!(late.wrapping_sub(late.wrapping_add(3)), -3);
    }

    #[test]
    fn names_keep_what_is_allowed_and_refuse_the_rest() {
        assert_eq!(Mid::new("audio+1").map(|mid| mid.to_string()), Some("audio+1".to_owned()));
        assert_eq!(Rid::new("q_1-x").map(|rid| rid.as_str().len()), Some(5));
        for bad in ["", "a b", "a\0", "ü", "a\"b"] {
            assert_eq!(Mid::new(bad), None, "{bad:?}");
        }
        assert_eq!(Rid::new("a+1"), None);
        assert!(Mid::new(&"x".repeat(MAX_NAME_LEN)).is_some());
        assert_eq!(Mid::new(&"x".repeat(MAX_NAME_LEN + 1)), None);
    }

    #[test]
    fn equal_names_are_equal_however_they_were_made() {
        assert_eq!(Mid::new("0"), Mid::from_bytes(b"0"));
        assert_ne!(Mid::new("0"), Mid::new("00"));
        assert_eq!(format!("{:?}", Rid::new("hi")), r#"Some(Rid("hi"))"#);
    }
}
