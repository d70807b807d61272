//! What payloads tell a server that never decodes them: where key frames begin, which layer a packet belongs to.

pub mod av1;
mod bits;
pub mod dependency_descriptor;
pub mod h264;
pub mod opus;
mod reader;
pub mod vp8;
pub mod vp9;

/// PictureID of VP8 and VP9, with the width it was written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PictureId {
    /// 15 or 7 bits.
    pub value: u16,
    /// Whether it takes two bytes.
    pub is_long: bool,
}

/// A codec that is forwarded knowingly.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CodecKind {
    /// Opus (RFC 7587).
    Opus,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184).
    H264,
    /// AV1 (AV1 RTP specification).
    Av1,
}

impl CodecKind {
    /// The codec of a MIME type such as `video/VP8`, whatever its case.
    pub fn from_mime(mime_type: &str) -> Option<Self> {
        let known = [Self::Opus, Self::Vp8, Self::Vp9, Self::H264, Self::Av1];
        known.into_iter().find(|kind| kind.mime_type().eq_ignore_ascii_case(mime_type))
    }

    /// The codec's MIME type, spelled as it was registered.
    pub fn mime_type(self) -> &'static str {
        match self {
            Self::Opus => "audio/opus",
            Self::Vp8 => "video/VP8",
            Self::Vp9 => "video/VP9",
            Self::H264 => "video/H264",
            Self::Av1 => "video/AV1",
        }
    }
}

/// Whether a decoder can start at this packet, by its payload alone. Of audio it can at every packet. Where a dependency
/// descriptor is there, [`dependency_descriptor::Descriptor::begins_key_frame`] tells the same of an encrypted payload.
pub fn starts_key_frame(codec: CodecKind, payload: &[u8]) -> bool {
    match codec {
        CodecKind::Opus => true,
        CodecKind::Vp8 => vp8::Descriptor::parse(payload).is_ok_and(|descriptor| descriptor.is_key_frame),
        CodecKind::Vp9 => vp9::Descriptor::parse(payload).is_ok_and(|descriptor| descriptor.is_key_frame()),
        CodecKind::H264 => h264::Contents::of(payload).begins_key_frame(),
        CodecKind::Av1 => av1::AggregationHeader::parse(payload).is_some_and(|header| header.begins_sequence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_known_by_their_mime_types_in_any_case() {
        let cases = [
            ("audio/opus", Some(CodecKind::Opus)),
            ("Audio/OPUS", Some(CodecKind::Opus)),
            ("video/VP8", Some(CodecKind::Vp8)),
            ("video/vp9", Some(CodecKind::Vp9)),
            ("VIDEO/h264", Some(CodecKind::H264)),
            ("video/AV1", Some(CodecKind::Av1)),
            ("video/rtx", None),
            ("audio/vp8", None),
            ("", None),
        ];
        for (mime, kind) in cases {
            assert_eq!(CodecKind::from_mime(mime), kind, "{mime}");
        }
    }

    #[test]
    fn a_key_frame_is_told_for_each_codec_and_never_in_an_empty_payload() {
        let cases: [(CodecKind, &[u8], &[u8]); 4] = [
            (CodecKind::Vp8, &[0x10, 0x00], &[0x10, 0x01]),
            (CodecKind::Vp9, &[0x08], &[0x48]),
            (CodecKind::H264, &[0x67], &[0x61]),
            (CodecKind::Av1, &[0x18], &[0x10]),
        ];
        for (kind, key, other) in cases {
            assert!(starts_key_frame(kind, key), "{kind:?}");
            assert!(!starts_key_frame(kind, other), "{kind:?}");
            assert!(!starts_key_frame(kind, &[]), "{kind:?}");
        }
        assert!(starts_key_frame(CodecKind::Opus, &[0x78, 1, 2]));
    }
}
