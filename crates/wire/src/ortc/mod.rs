//! ORTC: the JSON model of media that mediasoup-client speaks, and the negotiation between its ends.
//!
//! A producer's [`RtpParameters`] are checked ([`validate_rtp_parameters`]) and mapped onto the router's table
//! ([`producer_mapping`]); what may be consumed of it ([`consumable_rtp_parameters`]) uses the router's payload
//! types and extension ids; each consumer gets the part that its device understands
//! ([`consumer_rtp_parameters`]). Sockets, SSRC choice and closing are not here.

mod capabilities;
mod error;
mod lenient;
mod parameters;
mod transport;

pub use capabilities::{
    HeaderExtensionDirection, RtpCapabilities, RtpCodecCapability, RtpHeaderExtension,
};
pub use error::{FieldError, parse};
pub use parameters::{
    CodecParameters, MediaKind, ParameterValue, RtcpFeedback, RtcpParameters, RtpCodecParameters,
    RtpEncodingParameters, RtpHeaderExtensionParameters, RtpParameters, RtxParameters,
};
pub use transport::{
    DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm, IceCandidate,
    IceCandidateType, IceParameters, IceProtocol, TcpCandidateType,
};
