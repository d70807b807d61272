//! ORTC: the JSON model of media that mediasoup-client speaks, and the negotiation between its ends.
//!
//! A producer's [`RtpParameters`] are checked and mapped onto the router's table ([`producer_mapping`]); what may
//! be consumed of it ([`consumable_rtp_parameters`]) uses the router's payload types and extension ids; each
//! consumer gets the part that its device understands ([`consumer_rtp_parameters`]). [`ProducerStreams`] and
//! [`ConsumerStream`] are the same facts for the packet path. Sockets, SSRC choice and closing are not here.

mod capabilities;
mod error;
mod h264;
mod lenient;
mod matching;
mod negotiate;
mod parameters;
mod scalability;
mod streams;
mod supported;
mod transport;
mod validate;

pub use capabilities::{HeaderExtensionDirection, RtpCapabilities, RtpCodecCapability, RtpHeaderExtension};
pub use error::{FieldError, parse};
pub use h264::{H264Level, H264Profile, ProfileLevelId};
pub use negotiate::{
    CodecMapping, ConsumerIds, ConsumerType, EncodingMapping, MappingError, NoCommonCodec, ProducerMapping,
    can_consume, consumable_rtp_parameters, consumer_rtp_parameters, consumer_type, is_usable_ssrc, producer_mapping,
};
pub use parameters::{
    CodecParameters, MediaKind, ParameterValue, RtcpFeedback, RtcpParameters, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
};
pub use scalability::{ScalabilityMode, SpatialDependency};
pub use streams::{ConsumerStream, Feedback, ProducerStream, ProducerStreams, RtxStream, StreamCodec};
pub use supported::{
    CodecEntry, CodecTableError, EntryParameter, SUPPORTED_CODECS, router_rtp_capabilities, rtp_capabilities_from,
};
pub use transport::{
    DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm, IceCandidate, IceCandidateType, IceParameters,
    IceProtocol, TcpCandidateType,
};
pub use validate::{
    MAX_CNAME_LEN, MAX_CODEC_PARAMETERS, MAX_CODECS, MAX_ENCODINGS, MAX_FEEDBACK_LEN, MAX_FINGERPRINTS,
    MAX_HEADER_EXTENSIONS, MAX_MIME_TYPE_LEN, MAX_MSID_LEN, MAX_PARAMETER_LEN, MAX_PARAMETER_NAME_LEN,
    MAX_RTCP_FEEDBACK, MAX_SCALABILITY_MODE_LEN, MAX_URI_LEN, validate_dtls_parameters, validate_rtp_capabilities,
    validate_rtp_parameters,
};
