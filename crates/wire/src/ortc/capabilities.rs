//! What an endpoint can receive: codecs and header extensions, in mediasoup's JSON shape.

use serde::{Deserialize, Serialize};

use super::lenient::null_is_default;
use super::parameters::{CodecParameters, MediaKind, RtcpFeedback};

/// What a router or a device can receive.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCapabilities {
    /// Media and RTX codecs, best first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub codecs: Vec<RtpCodecCapability>,
    /// Header extensions; the same URI stands once for each kind of media.
    #[serde(default, deserialize_with = "null_is_default")]
    pub header_extensions: Vec<RtpHeaderExtension>,
}

/// One codec with the parameters that set it apart from others of the same name.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpCodecCapability {
    /// Audio or video; agrees with `mime_type`.
    pub kind: MediaKind,
    /// Such as `video/VP8`; compared without regard to case.
    pub mime_type: String,
    /// The payload type its owner would like to receive it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_payload_type: Option<u8>,
    /// Clock of the RTP timestamps, in hertz.
    pub clock_rate: u32,
    /// Audio channels; `None` means one for audio and nothing for video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
    /// Format parameters (SDP `a=fmtp`).
    #[serde(default, deserialize_with = "null_is_default")]
    pub parameters: CodecParameters,
    /// RTCP feedback that is understood.
    #[serde(default, deserialize_with = "null_is_default")]
    pub rtcp_feedback: Vec<RtcpFeedback>,
}

/// A header extension that an endpoint understands (RFC 8285).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RtpHeaderExtension {
    /// The media it is understood in.
    pub kind: MediaKind,
    /// What it is.
    pub uri: String,
    /// The id its owner would like to receive it with.
    pub preferred_id: u8,
    /// Whether its owner would like it encrypted (RFC 6904). We never do.
    #[serde(default, deserialize_with = "null_is_default")]
    pub preferred_encrypt: bool,
    /// Which ways it may travel, seen from its owner.
    #[serde(default, deserialize_with = "null_is_default")]
    pub direction: HeaderExtensionDirection,
}

/// Which ways a header extension may travel, seen from the owner of the capabilities.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderExtensionDirection {
    /// Both ways.
    #[default]
    SendRecv,
    /// The owner writes it and does not read it.
    SendOnly,
    /// The owner reads it and does not write it.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl HeaderExtensionDirection {
    /// Whether the owner may write it.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the owner reads it.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}
