//! The codecs and header extensions that a router forwards, and the capabilities made of them.

use std::sync::OnceLock;

use crate::extension::ExtensionKind;

use super::capabilities::{HeaderExtensionDirection, RtpCapabilities, RtpCodecCapability, RtpHeaderExtension};
use super::matching::Format;
use super::parameters::{CodecParameters, MediaKind, ParameterValue, RtcpFeedback};

/// A codec that a router forwards; its payload types are given out when the capabilities are made.
#[derive(Clone, Copy, Debug)]
pub struct CodecEntry {
    /// Such as `video/VP8`.
    pub mime_type: &'static str,
    /// Audio or video; agrees with `mime_type`.
    pub kind: MediaKind,
    /// Clock of the RTP timestamps, in hertz.
    pub clock_rate: u32,
    /// Audio channels; `None` for video.
    pub channels: Option<u8>,
    /// Format parameters (SDP `a=fmtp`).
    pub parameters: &'static [(&'static str, EntryParameter)],
    /// RTCP feedback as type and parameter.
    pub rtcp_feedback: &'static [(&'static str, &'static str)],
    /// Whether an RTX codec goes with it.
    pub rtx: bool,
}

/// Name of RED's format parameter: none, as `a=fmtp:121 96/96` has none (RFC 2198 §5). mediasoup-client writes `=96/96` for
/// it, which libwebrtc reads as it should; without the line it refuses to receive RED.
const RED_PARAMETER: &str = "";

/// A format parameter of a [`CodecEntry`].
#[derive(Clone, Copy, Debug)]
pub enum EntryParameter {
    /// mediasoup-client compares `packetization-mode`, `profile-id` and `apt` as numbers.
    Number(u32),
    /// Anything that is not a number.
    Text(&'static str),
}

/// Capabilities cannot be made of a codec table.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CodecTableError {
    /// More codecs than dynamic payload types.
    #[error("the codec table needs more payload types than there are")]
    NoPayloadTypeLeft,
}

/// Payload types in the order they are given out: 96 to 126, then the lower dynamic range (RFC 3551 §6).
///
/// 127 stays free: mediasoup-client takes it for the stream with which it lets the bandwidth be probed, and a
/// browser refuses two codecs under one payload type.
fn dynamic_payload_types() -> impl Iterator<Item = u8> {
    (96..127).chain(35..64)
}

/// Feedback for audio. Browsers repair Opus by NACK only where the client asks for it (`opusNack`).
const AUDIO_FEEDBACK: &[(&str, &str)] = &[("nack", ""), ("transport-cc", "")];

/// Feedback for video.
const VIDEO_FEEDBACK: &[(&str, &str)] =
    &[("nack", ""), ("nack", "pli"), ("ccm", "fir"), ("goog-remb", ""), ("transport-cc", "")];

/// Opus (RFC 7587). In silence nothing needs to be sent (`usedtx`); stereo is the publisher's choice, so it is not named.
const OPUS: CodecEntry = CodecEntry {
    mime_type: "audio/opus",
    kind: MediaKind::Audio,
    clock_rate: 48_000,
    channels: Some(2),
    parameters: &[
        ("minptime", EntryParameter::Number(10)),
        ("useinbandfec", EntryParameter::Number(1)),
        ("usedtx", EntryParameter::Number(1)),
    ],
    rtcp_feedback: AUDIO_FEEDBACK,
    rtx: false,
};

/// Opus together with what went before (RFC 2198). It stands last: a client that names no codec must send the first, and a
/// browser sends this one only beside Opus.
///
/// Its format parameter is the payload type of what it carries, under [`RED_PARAMETER`].
const RED: CodecEntry = CodecEntry {
    mime_type: "audio/red",
    kind: MediaKind::Audio,
    clock_rate: 48_000,
    channels: Some(2),
    parameters: &[],
    rtcp_feedback: &[],
    rtx: false,
};

/// The codecs of every router. A client that names no codec sends the first of a kind that it knows.
pub const SUPPORTED_CODECS: &[CodecEntry] = &[
    OPUS,
    video("video/VP8", &[]),
    video("video/H264", &h264("42e01f", 1)),
    video("video/H264", &h264("42001f", 1)),
    video("video/H264", &h264("4d001f", 1)),
    video("video/H264", &h264("64001f", 1)),
    video("video/H264", &h264("640c1f", 1)),
    video("video/H264", &h264("42e01f", 0)),
    video("video/H264", &h264("42001f", 0)),
    video("video/H264", &h264("4d001f", 0)),
    video("video/VP9", &[("profile-id", EntryParameter::Number(0))]),
    video("video/VP9", &[("profile-id", EntryParameter::Number(2))]),
    video("video/AV1", &[]),
    RED,
];

const fn video(mime_type: &'static str, parameters: &'static [(&'static str, EntryParameter)]) -> CodecEntry {
    CodecEntry {
        mime_type,
        kind: MediaKind::Video,
        clock_rate: 90_000,
        channels: None,
        parameters,
        rtcp_feedback: VIDEO_FEEDBACK,
        rtx: true,
    }
}

const fn h264(profile_level_id: &'static str, packetization_mode: u32) -> [(&'static str, EntryParameter); 3] {
    [
        ("level-asymmetry-allowed", EntryParameter::Number(1)),
        ("packetization-mode", EntryParameter::Number(packetization_mode)),
        ("profile-level-id", EntryParameter::Text(profile_level_id)),
    ]
}

/// A header extension of every router: kind, media, id, direction seen from the router.
type ExtensionEntry = (ExtensionKind, &'static [MediaKind], u8, HeaderExtensionDirection);

const BOTH: &[MediaKind] = &[MediaKind::Audio, MediaKind::Video];
const AUDIO: &[MediaKind] = &[MediaKind::Audio];
const VIDEO: &[MediaKind] = &[MediaKind::Video];

/// Ids are mediasoup's where it has the extension, and below 15, so that the one-byte form always suffices.
///
/// What would be wrong after forwarding is only read: rid and repaired-rid name streams of the publisher, the
/// transmission offset is that of its own pacer, and the layers allocation speaks of streams that the viewer does not
/// get.
const SUPPORTED_EXTENSIONS: &[ExtensionEntry] = &[
    (ExtensionKind::Mid, BOTH, 1, HeaderExtensionDirection::SendRecv),
    (ExtensionKind::Rid, VIDEO, 2, HeaderExtensionDirection::RecvOnly),
    (ExtensionKind::RepairedRid, VIDEO, 3, HeaderExtensionDirection::RecvOnly),
    (ExtensionKind::AbsSendTime, BOTH, 4, HeaderExtensionDirection::SendRecv),
    (ExtensionKind::TransportWideCc, BOTH, 5, HeaderExtensionDirection::SendRecv),
    (ExtensionKind::VideoLayersAllocation, VIDEO, 6, HeaderExtensionDirection::RecvOnly),
    (ExtensionKind::DependencyDescriptor, VIDEO, 8, HeaderExtensionDirection::SendRecv),
    (ExtensionKind::AudioLevel, AUDIO, 10, HeaderExtensionDirection::SendRecv),
    (ExtensionKind::VideoOrientation, VIDEO, 11, HeaderExtensionDirection::SendRecv),
    (ExtensionKind::TransmissionOffset, VIDEO, 12, HeaderExtensionDirection::RecvOnly),
    (ExtensionKind::AbsCaptureTime, BOTH, 13, HeaderExtensionDirection::SendRecv),
    (ExtensionKind::PlayoutDelay, VIDEO, 14, HeaderExtensionDirection::SendRecv),
];

/// The capabilities of every router.
pub fn router_rtp_capabilities() -> &'static RtpCapabilities {
    static CAPABILITIES: OnceLock<RtpCapabilities> = OnceLock::new();
    CAPABILITIES
        .get_or_init(|| rtp_capabilities_from(SUPPORTED_CODECS).expect("the table of 14 codecs needs 26 payload types"))
}

/// Capabilities for the given codecs, payload types given out in their order, with every extension we forward.
pub fn rtp_capabilities_from(codecs: &[CodecEntry]) -> Result<RtpCapabilities, CodecTableError> {
    let mut free = dynamic_payload_types();
    let mut capabilities = RtpCapabilities::default();
    for entry in codecs {
        let payload_type = free.next().ok_or(CodecTableError::NoPayloadTypeLeft)?;
        let mut capability = media_capability(entry, payload_type);
        let carried = capabilities.codecs.iter().find(|codec| Format::from(&capability).repeats(Format::from(*codec)));
        if let Some(carried) = carried.and_then(|codec| codec.preferred_payload_type) {
            let value = format!("{carried}/{carried}").as_str().into();
            capability.parameters.0.insert(RED_PARAMETER.to_owned(), value);
        }
        capabilities.codecs.push(capability);
        if entry.rtx {
            let rtx_payload_type = free.next().ok_or(CodecTableError::NoPayloadTypeLeft)?;
            capabilities.codecs.push(rtx_capability(entry, payload_type, rtx_payload_type));
        }
    }
    capabilities.header_extensions = SUPPORTED_EXTENSIONS.iter().flat_map(extension_capabilities).collect();
    Ok(capabilities)
}

fn media_capability(entry: &CodecEntry, payload_type: u8) -> RtpCodecCapability {
    let value = |parameter: &EntryParameter| match *parameter {
        EntryParameter::Number(number) => ParameterValue::from(number),
        EntryParameter::Text(text) => ParameterValue::from(text),
    };
    RtpCodecCapability {
        kind: entry.kind,
        mime_type: entry.mime_type.to_owned(),
        preferred_payload_type: Some(payload_type),
        clock_rate: entry.clock_rate,
        channels: entry.channels,
        parameters: entry.parameters.iter().map(|(name, parameter)| ((*name).to_owned(), value(parameter))).collect(),
        rtcp_feedback: entry
            .rtcp_feedback
            .iter()
            .map(|&(kind, parameter)| RtcpFeedback::new(kind, parameter))
            .collect(),
    }
}

fn rtx_capability(entry: &CodecEntry, payload_type: u8, rtx_payload_type: u8) -> RtpCodecCapability {
    RtpCodecCapability {
        kind: entry.kind,
        mime_type: format!("{}/rtx", entry.kind),
        preferred_payload_type: Some(rtx_payload_type),
        clock_rate: entry.clock_rate,
        channels: entry.channels,
        parameters: CodecParameters::with_apt(payload_type),
        rtcp_feedback: Vec::new(),
    }
}

fn extension_capabilities(
    &(extension, kinds, id, direction): &ExtensionEntry,
) -> impl Iterator<Item = RtpHeaderExtension> {
    kinds.iter().map(move |&kind| RtpHeaderExtension {
        kind,
        uri: extension.uri().to_owned(),
        preferred_id: id,
        preferred_encrypt: false,
        direction,
    })
}
