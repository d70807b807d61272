//! Negotiated parameters as the packet path wants them: typed numbers, flags and maps instead of JSON.

use crate::codec::CodecKind;
use crate::extension::{ExtensionKind, ExtensionMap};
use crate::ids::{Mid, PayloadType, Rid, Ssrc};

use super::matching::Format;
use super::negotiate::ProducerMapping;
use super::parameters::{MediaKind, RtpCodecParameters, RtpParameters};
use super::scalability::ScalabilityMode;

/// What a producer sends, for telling its packets apart and answering them.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerStreams {
    /// Audio or video.
    pub kind: MediaKind,
    /// Its media section, where it has one.
    pub mid: Option<Mid>,
    /// Ids of the header extensions in its packets.
    pub extensions: ExtensionMap,
    /// The codec of every stream.
    pub codec: StreamCodec,
    /// The payload type of every RTX stream, where RTX is in use.
    pub rtx_payload_type: Option<PayloadType>,
    /// The payload type of packets that repeat sound (RFC 2198), where the producer may send such.
    pub red_payload_type: Option<PayloadType>,
    /// The streams, in the producer's order: smallest first.
    pub streams: Vec<ProducerStream>,
}

/// One stream of a producer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProducerStream {
    /// Its SSRC; learned from the first packet when not told.
    pub ssrc: Option<Ssrc>,
    /// Its RID, where streams are told apart by it.
    pub rid: Option<Rid>,
    /// The SSRC of its RTX stream; learned from the first packet when not told.
    pub rtx_ssrc: Option<Ssrc>,
    /// The SSRC that stands for it in the consumable parameters.
    pub mapped_ssrc: Ssrc,
    /// Its layers as announced; what arrives may have fewer.
    pub scalability_mode: ScalabilityMode,
    /// Whether no packets at all may mean silence or a still picture.
    pub dtx: bool,
    /// Upper bound that the publisher set, in bits per second.
    pub max_bitrate: Option<u64>,
}

/// What a consumer gets.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerStream {
    /// Its media section.
    pub mid: Option<Mid>,
    /// Its SSRC.
    pub ssrc: Ssrc,
    /// Its RTX stream, where RTX is negotiated.
    pub rtx: Option<RtxStream>,
    /// Its codec.
    pub codec: StreamCodec,
    /// The payload type of packets that repeat sound (RFC 2198), where the device reads such.
    pub red: Option<PayloadType>,
    /// Ids of the header extensions that may be written.
    pub extensions: ExtensionMap,
    /// Canonical name for SDES; empty when there is none.
    pub cname: String,
}

/// An RTX stream that we send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RtxStream {
    /// Its SSRC.
    pub ssrc: Ssrc,
    /// Its payload type.
    pub payload_type: PayloadType,
}

/// The codec of a stream on one transport.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StreamCodec {
    /// Which codec.
    pub kind: CodecKind,
    /// Its payload type.
    pub payload_type: PayloadType,
    /// Clock of the RTP timestamps, in hertz.
    pub clock_rate: u32,
    /// RTCP feedback in use.
    pub feedback: Feedback,
    /// Whether Opus carries the packet before at a lower rate (RFC 7587 §6.1).
    pub in_band_fec: bool,
    /// Whether Opus falls silent (RFC 7587 §6.1).
    pub dtx: bool,
}

/// RTCP feedback in use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Feedback {
    /// Missing packets are asked for (RFC 4585 §6.2.1).
    pub nack: bool,
    /// Key frames are asked for by PLI (RFC 4585 §6.3.1).
    pub pli: bool,
    /// Key frames are asked for by FIR (RFC 5104 §4.3.1).
    pub fir: bool,
    /// The receiver reports the arrival of every packet; its header extension is there too.
    pub transport_cc: bool,
    /// The receiver reports a bit rate; abs-send-time is there too. Never together with `transport_cc`.
    pub remb: bool,
}

impl ProducerStreams {
    /// The streams of a producer; `mapping` is that of the same `parameters`. `None` when they do not belong
    /// together or the codec is none that we can read.
    pub fn new(parameters: &RtpParameters, mapping: &ProducerMapping) -> Option<Self> {
        let payload_type = mapping.codec.payload_type;
        let codec = parameters.codecs.iter().find(|codec| codec.payload_type == payload_type.get())?;
        let extensions = extension_map(parameters);
        let streams = parameters.encodings.iter().zip(&mapping.encodings).map(|(encoding, mapped)| ProducerStream {
            ssrc: mapped.ssrc,
            rid: mapped.rid,
            rtx_ssrc: mapped.rtx_ssrc.filter(|_| mapping.rtx.is_some()),
            mapped_ssrc: mapped.mapped_ssrc,
            scalability_mode: mapped.scalability_mode.unwrap_or(ScalabilityMode::SINGLE),
            dtx: encoding.dtx,
            max_bitrate: encoding.max_bitrate,
        });
        Some(Self {
            kind: mapping.kind,
            mid: parameters.mid.as_deref().and_then(Mid::new),
            extensions,
            codec: stream_codec(codec, &extensions)?,
            rtx_payload_type: mapping.rtx.as_ref().map(|rtx| rtx.payload_type),
            red_payload_type: mapping.red,
            streams: streams.collect(),
        })
    }
}

impl ConsumerStream {
    /// The stream of a consumer, from what [`super::consumer_rtp_parameters`] returned.
    pub fn new(parameters: &RtpParameters) -> Option<Self> {
        let encoding = parameters.encodings.first()?;
        let codec = parameters.codecs.iter().find(|codec| Format::from(*codec).is_media())?;
        let rtx_codec = parameters
            .codecs
            .iter()
            .find(|rtx| Format::from(*rtx).is_rtx() && rtx.parameters.apt() == Some(codec.payload_type));
        let rtx = encoding.rtx.zip(rtx_codec).and_then(|(rtx, rtx_codec)| {
            Some(RtxStream { ssrc: Ssrc::new(rtx.ssrc), payload_type: PayloadType::new(rtx_codec.payload_type)? })
        });
        let red = parameters.codecs.iter().find(|red| Format::from(*red).repeats(Format::from(codec)));
        let extensions = extension_map(parameters);
        Some(Self {
            red: red.and_then(|red| PayloadType::new(red.payload_type)),
            mid: parameters.mid.as_deref().and_then(Mid::new),
            ssrc: Ssrc::new(encoding.ssrc?),
            rtx,
            codec: stream_codec(codec, &extensions)?,
            extensions,
            cname: parameters.rtcp.cname.clone().unwrap_or_default(),
        })
    }
}

/// The extensions that we understand; the first id wins where one is listed twice.
fn extension_map(parameters: &RtpParameters) -> ExtensionMap {
    let mut map = ExtensionMap::new();
    for extension in &parameters.header_extensions {
        if let Some(kind) = ExtensionKind::from_uri(&extension.uri) {
            map.insert(extension.id, kind);
        }
    }
    map
}

fn stream_codec(codec: &RtpCodecParameters, extensions: &ExtensionMap) -> Option<StreamCodec> {
    let kind = CodecKind::from_mime(&codec.mime_type)?;
    let is_opus = kind == CodecKind::Opus;
    Some(StreamCodec {
        kind,
        payload_type: PayloadType::new(codec.payload_type)?,
        clock_rate: codec.clock_rate,
        feedback: feedback(codec, extensions),
        in_band_fec: is_opus && codec.parameters.is_one("useinbandfec"),
        dtx: is_opus && codec.parameters.is_one("usedtx"),
    })
}

fn feedback(codec: &RtpCodecParameters, extensions: &ExtensionMap) -> Feedback {
    let has = |kind, parameter| codec.rtcp_feedback.iter().any(|feedback| feedback.is(kind, parameter));
    let transport_cc = has("transport-cc", "") && extensions.id_of(ExtensionKind::TransportWideCc).is_some();
    Feedback {
        nack: has("nack", ""),
        pli: has("nack", "pli"),
        fir: has("ccm", "fir"),
        transport_cc,
        remb: !transport_cc && has("goog-remb", "") && extensions.id_of(ExtensionKind::AbsSendTime).is_some(),
    }
}
