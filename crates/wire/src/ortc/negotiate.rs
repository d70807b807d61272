//! From what a producer sends, over what the router makes of it, to what each consumer gets.

use serde::{Deserialize, Serialize};

use crate::extension::ExtensionKind;
use crate::ids::{Mid, PayloadType, Rid, Ssrc};

use super::capabilities::{RtpCapabilities, RtpCodecCapability};
use super::error::FieldError;
use super::h264;
use super::matching::Format;
use super::parameters::{
    CodecParameters, MediaKind, RtcpFeedback, RtcpParameters, RtpCodecParameters, RtpEncodingParameters,
    RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
};
use super::scalability::ScalabilityMode;
use super::validate::validate_rtp_parameters;

/// How a producer's stream stands to the router's table.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerMapping {
    /// Audio or video.
    pub kind: MediaKind,
    /// The codec in use.
    pub codec: CodecMapping,
    /// Its RTX codec, where both ends have one.
    pub rtx: Option<CodecMapping>,
    /// The payload type under which it may send sound together with what went before (RFC 2198).
    pub red: Option<PayloadType>,
    /// Its streams, in the producer's order: smallest first.
    pub encodings: Vec<EncodingMapping>,
}

/// A codec as the producer sends it and as consumers get it.
#[derive(Clone, Debug, PartialEq)]
pub struct CodecMapping {
    /// What the producer sends it with.
    pub payload_type: PayloadType,
    /// What consumers get: the router's payload type and the producer's format parameters.
    pub consumable: RtpCodecParameters,
}

/// A stream as the producer sends it and under the number it has inside the router.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodingMapping {
    /// Its SSRC, where it was told.
    pub ssrc: Option<Ssrc>,
    /// Its RID, where it has one.
    pub rid: Option<Rid>,
    /// The SSRC of its RTX stream, where it was told.
    pub rtx_ssrc: Option<Ssrc>,
    /// Its layers as announced; what arrives may have fewer.
    pub scalability_mode: Option<ScalabilityMode>,
    /// The SSRC that stands for it in the consumable parameters.
    pub mapped_ssrc: Ssrc,
}

/// A producer's parameters cannot be taken. Always the client's fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MappingError {
    /// A field is wrong.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The router forwards none of the codecs.
    #[error("rtpParameters.codecs: the router supports none of {0}")]
    UnsupportedCodec(String),
    /// Encodings name different codecs; consumers could not switch between them.
    #[error("rtpParameters.encodings: all must use the same codec")]
    MixedCodecs,
}

/// A consumer cannot be made: its device understands no codec of the producer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("rtpCapabilities.codecs: none can receive this producer")]
pub struct NoCommonCodec;

/// What a transport gives to a new consumer.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerIds {
    /// Its media section, unique on the transport.
    pub mid: Mid,
    /// Its SSRC, unique on the transport; see [`is_usable_ssrc`].
    pub ssrc: Ssrc,
    /// The SSRC of its RTX stream, unique on the transport; unused when RTX is not negotiated.
    pub rtx_ssrc: Ssrc,
}

/// How a consumer can choose among layers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ConsumerType {
    /// One stream, all or nothing.
    Simple,
    /// Several streams of different size, or one whose temporal layers are told apart by the payload (VP8).
    Simulcast,
    /// One stream with spatial or temporal layers.
    Svc,
}

/// Whether a stream that we send may have this SSRC: mediasoup-client takes 0 for "none" and 1234 for probing.
pub const fn is_usable_ssrc(ssrc: u32) -> bool {
    ssrc != 0 && ssrc != 1234
}

/// Checks a producer's parameters and finds the router's codec for its first supported one.
///
/// `next_ssrc` gives the SSRC under which each encoding is known inside the router. Codecs that carry no media
/// (FEC, telephone events) and further media codecs are left out.
pub fn producer_mapping(
    kind: MediaKind,
    parameters: &RtpParameters,
    capabilities: &RtpCapabilities,
    mut next_ssrc: impl FnMut() -> Ssrc,
) -> Result<ProducerMapping, MappingError> {
    validate_rtp_parameters(kind, parameters)?;
    let (codec, capability) = codec_in_use(parameters, capabilities)?;
    let rtx = find_rtx(parameters.codecs.iter(), codec.payload_type, |codec| codec.parameters.apt())
        .zip(rtx_capability(capabilities, capability))
        .and_then(|(rtx, rtx_capability)| {
            let apt = capability.preferred_payload_type?;
            codec_mapping(rtx, rtx_capability, CodecParameters::with_apt(apt))
        });
    let red = parameters.codecs.iter().find(|red| Format::from(*red).repeats(Format::from(codec)));
    let mut codec_parameters = codec.parameters.clone();
    if Format::from(codec).is_h264()
        && let Some(agreed) = h264::agreed_profile_level_id(&codec.parameters, &capability.parameters)
    {
        codec_parameters.0.insert("profile-level-id".to_owned(), agreed.as_str().into());
    }
    let mapped = codec_mapping(codec, capability, codec_parameters);
    Ok(ProducerMapping {
        kind,
        codec: mapped.ok_or_else(|| MappingError::UnsupportedCodec(codec.mime_type.clone()))?,
        rtx,
        red: red.and_then(|red| PayloadType::new(red.payload_type)),
        encodings: parameters.encodings.iter().map(|encoding| encoding_mapping(encoding, next_ssrc())).collect(),
    })
}

/// What may be consumed of a producer: the router's payload types and header extension ids, the producer's layers.
/// Of sound also RED, whether the producer sends it or not: the router repeats what it forwarded.
///
/// `cname` is what consumers are told as the canonical name. Give all producers of one participant the same, or
/// their sound and picture are not played in sync; the producer's own cannot serve, as Chromium leaves it empty
/// with simulcast. An empty `cname` keeps the producer's.
pub fn consumable_rtp_parameters(
    parameters: &RtpParameters,
    capabilities: &RtpCapabilities,
    mapping: &ProducerMapping,
    cname: &str,
) -> RtpParameters {
    let cname = if cname.is_empty() { parameters.rtcp.cname.clone() } else { Some(cname.to_owned()) };
    // Nothing else tells of the layers of AV1. Others have descriptors of their own, which are kept true when layers change.
    let is_av1 = mapping.codec.consumable.mime_type.eq_ignore_ascii_case("video/AV1");
    let header_extensions = capabilities
        .header_extensions
        .iter()
        .filter(|extension| extension.kind == mapping.kind && extension.direction.sends())
        .filter(|extension| is_av1 || extension.uri != ExtensionKind::DependencyDescriptor.uri())
        .map(|extension| RtpHeaderExtensionParameters {
            uri: extension.uri.clone(),
            id: extension.preferred_id,
            encrypt: false,
            parameters: CodecParameters::default(),
        });
    let encodings =
        parameters.encodings.iter().zip(&mapping.encodings).map(|(encoding, mapped)| RtpEncodingParameters {
            ssrc: Some(mapped.mapped_ssrc.get()),
            dtx: encoding.dtx,
            scalability_mode: encoding.scalability_mode.clone(),
            max_bitrate: encoding.max_bitrate,
            ..RtpEncodingParameters::default()
        });
    let media = &mapping.codec.consumable;
    let red = capabilities.codecs.iter().find(|red| Format::from(*red).repeats(Format::from(media)));
    let red = red.and_then(red_parameters);
    RtpParameters {
        mid: None,
        codecs: [media]
            .into_iter()
            .chain(mapping.rtx.as_ref().map(|rtx| &rtx.consumable))
            .cloned()
            .chain(red)
            .collect(),
        header_extensions: header_extensions.collect(),
        encodings: encodings.collect(),
        rtcp: RtcpParameters { cname, ..RtcpParameters::default() },
        msid: parameters.msid.clone(),
    }
}

/// Whether a device can receive what may be consumed.
pub fn can_consume(consumable: &RtpParameters, capabilities: &RtpCapabilities) -> bool {
    common_codec(consumable, capabilities).is_some()
}

/// What one consumer gets: one stream with the router's payload types, cut down to what the device understands.
pub fn consumer_rtp_parameters(
    consumable: &RtpParameters,
    capabilities: &RtpCapabilities,
    ids: &ConsumerIds,
) -> Result<RtpParameters, NoCommonCodec> {
    let (media, capability) = common_codec(consumable, capabilities).ok_or(NoCommonCodec)?;
    let mut codec = media.clone();
    codec.rtcp_feedback.retain(|feedback| capability.rtcp_feedback.contains(feedback));
    let mut header_extensions = common_extensions(consumable, capabilities);
    reduce_bandwidth_feedback(&mut header_extensions, &mut codec.rtcp_feedback);

    let rtx = find_rtx(consumable.codecs.iter(), media.payload_type, |codec| codec.parameters.apt())
        .filter(|_| rtx_capability(capabilities, capability).is_some());
    let red = consumable.codecs.iter().find(|red| Format::from(*red).repeats(Format::from(media)));
    let red =
        red.filter(|red| capabilities.codecs.iter().any(|known| Format::from(known).receives(Format::from(*red))));
    let encoding = RtpEncodingParameters {
        ssrc: Some(ids.ssrc.get()),
        rtx: rtx.map(|_| RtxParameters { ssrc: ids.rtx_ssrc.get() }),
        dtx: consumable.encodings.iter().any(|encoding| encoding.dtx),
        scalability_mode: consumer_scalability_mode(&consumable.encodings),
        max_bitrate: consumable.encodings.iter().filter_map(|encoding| encoding.max_bitrate).max(),
        ..RtpEncodingParameters::default()
    };
    Ok(RtpParameters {
        mid: Some(ids.mid.as_str().to_owned()),
        codecs: [codec].into_iter().chain(rtx.cloned()).chain(red.cloned()).collect(),
        header_extensions,
        encodings: vec![encoding],
        rtcp: consumable.rtcp.clone(),
        msid: consumable.msid.clone(),
    })
}

/// How a consumer of this will be able to choose among layers.
pub fn consumer_type(consumable: &RtpParameters) -> ConsumerType {
    let is_layered = |encoding: &RtpEncodingParameters| mode_of(encoding).is_some_and(ScalabilityMode::is_layered);
    match consumable.encodings.as_slice() {
        [_, _, ..] => ConsumerType::Simulcast,
        [encoding] if is_layered(encoding) => {
            let has_svc = consumable.codecs.first().is_some_and(|codec| Format::from(codec).has_svc());
            if has_svc { ConsumerType::Svc } else { ConsumerType::Simulcast }
        }
        _ => ConsumerType::Simple,
    }
}

/// The codec that all encodings use, with the router's codec for it.
fn codec_in_use<'a>(
    parameters: &'a RtpParameters,
    capabilities: &'a RtpCapabilities,
) -> Result<(&'a RtpCodecParameters, &'a RtpCodecCapability), MappingError> {
    let supported = || {
        parameters.codecs.iter().filter_map(|codec| {
            let capability = capabilities.codecs.iter().find(|known| can_receive(known, codec))?;
            Some((codec, capability))
        })
    };
    let Some(first) = supported().next() else {
        return Err(MappingError::UnsupportedCodec(media_names(parameters)));
    };
    let mut chosen = None;
    for encoding in &parameters.encodings {
        let codec = match encoding.codec_payload_type {
            None => first,
            Some(payload_type) => supported()
                .find(|(codec, _)| codec.payload_type == payload_type)
                .ok_or_else(|| MappingError::UnsupportedCodec(format!("payload type {payload_type}")))?,
        };
        match chosen {
            None => chosen = Some(codec),
            Some((other, _)) if other.payload_type == codec.0.payload_type => {}
            Some(_) => return Err(MappingError::MixedCodecs),
        }
    }
    Ok(chosen.unwrap_or(first))
}

fn media_names(parameters: &RtpParameters) -> String {
    let names: Vec<&str> = parameters
        .codecs
        .iter()
        .filter(|codec| Format::from(*codec).is_media())
        .map(|codec| codec.mime_type.as_str())
        .collect();
    names.join(", ")
}

fn codec_mapping(
    codec: &RtpCodecParameters,
    capability: &RtpCodecCapability,
    parameters: CodecParameters,
) -> Option<CodecMapping> {
    let consumable = RtpCodecParameters {
        mime_type: capability.mime_type.clone(),
        payload_type: capability.preferred_payload_type?,
        clock_rate: capability.clock_rate,
        channels: capability.channels,
        parameters,
        rtcp_feedback: capability.rtcp_feedback.clone(),
    };
    Some(CodecMapping { payload_type: PayloadType::new(codec.payload_type)?, consumable })
}

/// RED as consumers get it.
fn red_parameters(red: &RtpCodecCapability) -> Option<RtpCodecParameters> {
    Some(RtpCodecParameters {
        mime_type: red.mime_type.clone(),
        payload_type: red.preferred_payload_type?,
        clock_rate: red.clock_rate,
        channels: red.channels,
        parameters: red.parameters.clone(),
        rtcp_feedback: Vec::new(),
    })
}

fn encoding_mapping(encoding: &RtpEncodingParameters, mapped_ssrc: Ssrc) -> EncodingMapping {
    EncodingMapping {
        ssrc: encoding.ssrc.map(Ssrc::new),
        rid: encoding.rid.as_deref().and_then(Rid::new),
        rtx_ssrc: encoding.rtx.map(|rtx| Ssrc::new(rtx.ssrc)),
        scalability_mode: mode_of(encoding),
        mapped_ssrc,
    }
}

/// The consumable media codec and the device's codec that receives it.
fn common_codec<'a>(
    consumable: &'a RtpParameters,
    capabilities: &'a RtpCapabilities,
) -> Option<(&'a RtpCodecParameters, &'a RtpCodecCapability)> {
    consumable.codecs.iter().find_map(|codec| {
        let capability = capabilities.codecs.iter().find(|known| can_receive(known, codec))?;
        Some((codec, capability))
    })
}

fn can_receive(capability: &RtpCodecCapability, codec: &RtpCodecParameters) -> bool {
    let (receiver, sender) = (Format::from(capability), Format::from(codec));
    sender.is_media() && receiver.receives(sender)
}

/// The RTX codec that repairs `payload_type` (RFC 4588 §8.1).
fn find_rtx<'a, C>(
    mut codecs: impl Iterator<Item = &'a C>,
    payload_type: u8,
    apt: impl Fn(&C) -> Option<u8>,
) -> Option<&'a C>
where
    Format<'a>: From<&'a C>,
{
    codecs.find(|&codec| Format::from(codec).is_rtx() && apt(codec) == Some(payload_type))
}

fn rtx_capability<'a>(capabilities: &'a RtpCapabilities, media: &RtpCodecCapability) -> Option<&'a RtpCodecCapability> {
    find_rtx(capabilities.codecs.iter(), media.preferred_payload_type?, |codec| codec.parameters.apt())
}

/// The consumable extensions that the device knows under the same id.
///
/// The kind of media is not compared: mediasoup-client lists an extension of both kinds under one of them.
fn common_extensions(consumable: &RtpParameters, capabilities: &RtpCapabilities) -> Vec<RtpHeaderExtensionParameters> {
    let known = |extension: &&RtpHeaderExtensionParameters| {
        let same = |known: &super::RtpHeaderExtension| known.uri == extension.uri && known.preferred_id == extension.id;
        capabilities.header_extensions.iter().any(same)
    };
    consumable.header_extensions.iter().filter(known).cloned().collect()
}

/// Leaves one way of telling the sender what arrives: transport-wide feedback before REMB, and neither without the
/// header extension that it needs.
///
/// The codec's `transport-cc` decides whether the device answers for this kind of media. Without it packets that
/// carry the extension would look lost, so the extension goes; with it abs-send-time has no use, so that one goes.
fn reduce_bandwidth_feedback(extensions: &mut Vec<RtpHeaderExtensionParameters>, feedback: &mut Vec<RtcpFeedback>) {
    let is = |extension: &RtpHeaderExtensionParameters, kind: ExtensionKind| extension.uri == kind.uri();
    let has = |kind| extensions.iter().any(|extension| is(extension, kind));
    let answers = feedback.iter().any(|feedback| feedback.is("transport-cc", ""));
    if answers && has(ExtensionKind::TransportWideCc) {
        extensions.retain(|extension| !is(extension, ExtensionKind::AbsSendTime));
        feedback.retain(|feedback| !feedback.is("goog-remb", ""));
        return;
    }
    let estimates = has(ExtensionKind::AbsSendTime);
    extensions.retain(|extension| !is(extension, ExtensionKind::TransportWideCc));
    feedback.retain(|feedback| !feedback.is("transport-cc", "") && (estimates || !feedback.is("goog-remb", "")));
}

fn mode_of(encoding: &RtpEncodingParameters) -> Option<ScalabilityMode> {
    encoding.scalability_mode.as_deref().and_then(ScalabilityMode::parse)
}

/// The layers that a consumer can choose from: those of the stream, or one spatial layer for each simulcast stream.
fn consumer_scalability_mode(encodings: &[RtpEncodingParameters]) -> Option<String> {
    let announced = encodings.iter().find_map(mode_of)?;
    match u8::try_from(encodings.len()) {
        Ok(streams @ 2..) => {
            let mode = ScalabilityMode { spatial_layers: streams, ..ScalabilityMode::SINGLE };
            Some(ScalabilityMode { temporal_layers: announced.temporal_layers, ..mode }.to_string())
        }
        _ => encodings.iter().find_map(|encoding| encoding.scalability_mode.clone()),
    }
}
