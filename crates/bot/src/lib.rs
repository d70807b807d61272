//! A participant without a browser, sans-IO: it is told the time and its datagrams, and what it sends comes out as bytes
//! and addresses. Simulations drive it by a virtual clock, load tests by real sockets.
//!
//! It knows the protocols, never the server's insides: what it proves is what any peer would see.

mod dtls;
mod feedback;
mod ice;
mod media;
mod output;
mod peer;
mod quality;
mod receive;
mod sealed;
mod secure;
mod send;
mod source;

pub use dimpl::certificate::generate_self_signed_certificate;
pub use dimpl::{DtlsCertificate, Error as SetupError};
pub use dtls::DtlsRole;
pub use ice::RemoteIce;
pub use media::{OpusSettings, Stamp, Vp8Settings};
pub use output::{Output, Pair};
pub use peer::{Peer, PeerConfig, PeerEvent, PeerStats, Remote, SinkId, SinkSpec, SourceId};
pub use quality::{MediaKind, Quality};
pub use sealed::SealedPackets;
pub use send::{Negotiated, SendStats, StreamSpec};
pub use source::{Media, SourceSpec};
