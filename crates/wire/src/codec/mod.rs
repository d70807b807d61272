//! What payloads tell a server that never decodes them: where key frames begin, which layer a packet belongs to.

pub mod av1;
mod bits;
pub mod dependency_descriptor;
pub mod h264;
pub mod opus;
mod reader;
pub mod vp8;
pub mod vp9;

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
        let known = [
            ("audio/opus", Self::Opus),
            ("video/vp8", Self::Vp8),
            ("video/vp9", Self::Vp9),
            ("video/h264", Self::H264),
            ("video/av1", Self::Av1),
        ];
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(mime_type)).map(|(_, kind)| kind)
    }
}

/// Whether a decoder can start at this packet. Of audio it can at every packet.
pub fn starts_key_frame(codec: CodecKind, payload: &[u8]) -> bool {
    match codec {
        CodecKind::Opus => true,
        CodecKind::Vp8 => vp8::Descriptor::parse(payload).is_ok_and(|descriptor| descriptor.is_key_frame),
        CodecKind::Vp9 => vp9::Descriptor::parse(payload).is_ok_and(|descriptor| descriptor.is_key_frame()),
        CodecKind::H264 => h264::Contents::of(payload).begins_key_frame(),
        CodecKind::Av1 => av1::AggregationHeader::parse(payload).is_some_and(|header| header.begins_sequence),
    }
}
