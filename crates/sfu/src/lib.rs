//! The media server as a library, in mediasoup's words: worker threads, and async handles to routers,
//! transports, producers and consumers.
//!
//! A handle closes its object on last drop. Changes that nobody asked for arrive as [`RouterEvent`]s.
//! Knows nothing of users, rooms, HTTP.

mod candidates;
mod consumer;
mod error;
mod id;
mod link;
mod operation;
mod producer;
mod router;
mod stats;
mod thread;
mod trace;
mod transport;
mod workers;

pub use consumer::Consumer;
pub use error::{ConnectError, ConsumeError, ProduceError, StartError, WorkerError};
pub use id::{ConsumerId, ProducerId, RouterId, TransportId};
pub use operation::{ProbeError, WorkerFigures};
pub use producer::{Encoding, Producer, can_consume};
pub use router::{Router, RouterEvent, RouterEvents, WebRtcTransportOptions};
pub use sfu_core::{
    AudioLevelOptions, Bandwidth, BandwidthState, BitrateLimits, CloseReason, CommandError, ConnectionQuality, Counts,
    Direction, Drops, ESTIMATE_CLASSES, EstimateReason, Layer, LayersReason, Totals, TraceEvent, TraceKinds,
};
pub use trace::Traced;
pub use transport::{ConsumerOptions, ProducerOptions, Tile, WebRtcTransport};
pub use wire::ortc;
pub use wire::ortc::{
    ConsumerType, DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm, IceCandidate, IceParameters,
    MediaKind, RtpCapabilities, RtpParameters,
};
pub use workers::{Settings, Workers};
