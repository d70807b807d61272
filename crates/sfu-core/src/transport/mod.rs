//! The connection to one peer: ICE, DTLS, SRTP, and which streams it carries.

mod dtls;
mod ice;
mod webrtc;

pub(crate) use dtls::{DtlsEvent, DtlsSession, DtlsShared};
pub use dtls::{DtlsRole, FingerprintHash, RemoteDtls};
pub use ice::Credentials;
pub(crate) use ice::{Checked, Ice};
pub(crate) use webrtc::{ConsumerRef, Part, PeerReference, Plain, Received};
pub use webrtc::{MAX_CONSUMERS, MAX_PRODUCERS, WebRtcTransport};
