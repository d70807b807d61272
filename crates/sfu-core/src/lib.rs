//! One worker's media state, sans-IO: what arrives is told to it together with the time, what is to be
//! sent comes out as bytes and paths. It opens no socket, reads no clock, starts no thread.
//!
//! The objects bear mediasoup's names: a [`Worker`] holds [`Router`]s, a router holds
//! [`WebRtcTransport`]s, a transport carries [`Producer`]s and [`Consumer`]s.

mod command;
mod congestion;
mod consumer;
mod observer;
mod outbox;
mod producer;
mod quality;
mod rate;
mod router;
mod rtcp_in;
mod rtcp_out;
mod sharing;
mod speaker;
mod stats;
mod table;
mod timers;
mod totals;
mod trace;
mod transport;
mod worker;

pub use command::{
    CloseReason, Command, CommandError, ConsumerSpec, Event, EventKind, MediaKind, ObjectId, ProducerSpec, Reply,
    Settings, StreamSpec, Tile,
};
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use congestion::drive as drive_congestion;
pub use congestion::{Bandwidth, BandwidthState, BitrateLimits, EstimateStats};
pub use consumer::{Consumer, LayersReason};
pub use dimpl::certificate::generate_self_signed_certificate;
pub use dimpl::{DtlsCertificate, Error as SetupError};
pub use outbox::{Outbox, Path, Queued};
pub use producer::{Layer, MAX_STREAMS, Producer};
pub use quality::{ConnectionQuality, Scores};
pub use rate::TrafficStats;
pub use router::Router;
pub use speaker::{AudioLevelOptions, AudioLevels, MAX_AUDIO_LEVELS};
pub use stats::{ConsumerStats, Drops, DtlsState, FlowStats, IceState, ProducerStats, StreamStats, TransportStats};
pub use table::Key;
pub use totals::{Counts, ESTIMATE_CLASSES, Totals};
pub use trace::{Direction, EstimateReason, TraceEvent, TraceKinds, TraceTarget, Traced};
pub use transport::{
    Credentials, DtlsRole, FingerprintHash, MAX_CONSUMERS, MAX_PRODUCERS, RemoteDtls, WebRtcTransport,
};
pub use worker::{Datagram, Worker};

/// Any instant, for tests whose time is counted from it.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "there is no other way to make the first instant")]
fn some_instant() -> std::time::Instant {
    std::time::Instant::now()
}
