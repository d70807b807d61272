//! What the driver asks of a worker and what the worker tells it: plain values, so that they can be sent
//! between threads, recorded and replayed.

use std::fmt;
use std::time::{Duration, Instant};

use dimpl::DtlsCertificate;
use wire::codec::CodecKind;
use wire::extension::ExtensionMap;
use wire::ortc::SpatialDependency;
use wire::{Mid, PayloadType, Rid, Ssrc};

use crate::congestion::{Bandwidth, BitrateLimits};
use crate::consumer::{Consumer, LayersReason};
use crate::producer::{Layer, Producer};
use crate::quality::{ConnectionQuality, Scores};
use crate::router::Router;
use crate::speaker::{AudioLevelOptions, AudioLevels};
use crate::stats::{ConsumerStats, Drops, ProducerStats, TransportStats};
use crate::table::Key;
use crate::totals::Totals;
use crate::trace::{TraceEvent, TraceKinds, TraceTarget, Traced};
use crate::transport::{Credentials, RemoteDtls, WebRtcTransport};

/// Name of an object across threads and on the wire; chosen by the driver, random, never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub u128);

impl fmt::Debug for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a worker is made with.
pub struct Settings {
    /// The moment of creation.
    pub now: Instant,
    /// Time since the Unix epoch at `now`; only RTCP's NTP timestamps are made from it.
    pub unix_now: Duration,
    /// How long a path stays valid after its last authenticated check (RFC 7675 §5.1).
    pub consent_timeout: Duration,
    /// Our DTLS identity.
    pub certificate: DtlsCertificate,
    /// Bounds of what a viewer's link is believed to carry.
    pub bitrate_limits: BitrateLimits,
}

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// Sound.
    Audio,
    /// Camera or screen.
    Video,
}

/// One stream (encoding) of a producer, as negotiated.
#[derive(Clone, Debug)]
pub struct StreamSpec {
    /// Known beforehand, or learned from `rid`, or from the MID alone.
    pub ssrc: Option<Ssrc>,
    /// Restriction identifier of a simulcast stream (RFC 8852).
    pub rid: Option<Rid>,
    /// SSRC of its retransmissions, if known beforehand.
    pub rtx_ssrc: Option<Ssrc>,
}

/// A producer to be made.
#[derive(Clone, Debug)]
pub struct ProducerSpec {
    /// Its name.
    pub id: ObjectId,
    /// Audio or video.
    pub kind: MediaKind,
    /// Media description identifier under which it is sent, if any.
    pub mid: Option<Mid>,
    /// The codec of the media payload type.
    pub codec: CodecKind,
    /// Payload type of the media.
    pub payload_type: PayloadType,
    /// Payload type of retransmissions (RFC 4588).
    pub rtx_payload_type: Option<PayloadType>,
    /// Payload type of sound that comes with what was sent before (RFC 2198).
    pub red_payload_type: Option<PayloadType>,
    /// RTP clock, in Hz.
    pub clock_rate: u32,
    /// Header extension ids that the producer uses.
    pub extensions: ExtensionMap,
    /// Whether lost packets may be asked for by NACK (RFC 4585).
    pub nack: bool,
    /// Whether key frames are asked for by PLI.
    pub pli: bool,
    /// Whether key frames are asked for by FIR (RFC 5104); used when PLI is not there.
    pub fir: bool,
    /// Its streams, lowest quality first.
    pub streams: Vec<StreamSpec>,
    /// How spatial layers depend on each other, where several are in one stream.
    pub dependency: SpatialDependency,
    /// Whether it is a screen: its viewers rather do without faces than without it.
    pub is_screen: bool,
    /// Whether it starts paused.
    pub paused: bool,
    /// Whether it is a microphone: heard only while it is among the loudest of its router, and told of in
    /// [`EventKind::ActiveSpeaker`] and [`EventKind::AudioLevels`].
    pub is_microphone: bool,
}

/// A consumer to be made.
#[derive(Clone, Debug)]
pub struct ConsumerSpec {
    /// Its name.
    pub id: ObjectId,
    /// What it forwards.
    pub producer: Key<Producer>,
    /// SSRC of what it sends.
    pub ssrc: Ssrc,
    /// SSRC of its retransmissions; `None` where RTX is not negotiated.
    pub rtx_ssrc: Option<Ssrc>,
    /// Payload type of what it sends.
    pub payload_type: PayloadType,
    /// Payload type of its retransmissions.
    pub rtx_payload_type: Option<PayloadType>,
    /// Payload type under which sound may be sent with what was sent before (RFC 2198).
    pub red_payload_type: Option<PayloadType>,
    /// Written into every packet, so that the receiver finds the media section.
    pub mid: Option<Mid>,
    /// Canonical name in SDES; the same for all consumers of one participant's producers.
    pub cname: String,
    /// Header extension ids that the receiver knows.
    pub extensions: ExtensionMap,
    /// Whether the receiver may ask for lost packets by NACK.
    pub nack: bool,
    /// Whether it starts paused.
    pub paused: bool,
}

/// A picture on a viewer's screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Whose.
    pub consumer: Key<Consumer>,
    /// Width in pixels of the device.
    pub width: u32,
    /// Height in pixels of the device.
    pub height: u32,
    /// Whether the viewer chose it: it comes before all others.
    pub pinned: bool,
}

/// What can be asked of a worker. Each is answered at once.
#[expect(missing_docs, reason = "the fields are said by the variants")]
#[derive(Debug)]
pub enum Command {
    /// Makes a router.
    CreateRouter { id: ObjectId },
    /// Closes a router and everything in it.
    CloseRouter { router: Key<Router> },
    /// Of the microphones that tell their levels, forwards only the `count` loudest; 0 forwards all, as at the start.
    SetLoudest { router: Key<Router>, count: u8 },
    /// How the levels of a router's microphones are told ([`EventKind::AudioLevels`]).
    SetAudioLevels { router: Key<Router>, options: AudioLevelOptions },
    /// Makes a transport that waits for checks.
    CreateTransport { id: ObjectId, router: Key<Router> },
    /// Tells the peer's DTLS side; the handshake starts.
    ConnectTransport { transport: Key<WebRtcTransport>, remote: RemoteDtls },
    /// Takes new ICE credentials; media goes on meanwhile.
    RestartIce { transport: Key<WebRtcTransport> },
    /// Closes a transport, its producers and consumers.
    CloseTransport { transport: Key<WebRtcTransport> },
    /// Makes a producer.
    Produce { transport: Key<WebRtcTransport>, spec: Box<ProducerSpec> },
    /// Stops or starts forwarding a producer's media to anybody.
    PauseProducer { producer: Key<Producer>, paused: bool },
    /// Closes a producer and its consumers.
    CloseProducer { producer: Key<Producer> },
    /// Makes consumers on one transport, all in one step.
    Consume { transport: Key<WebRtcTransport>, specs: Vec<ConsumerSpec> },
    /// Stops or starts forwarding to one consumer.
    PauseConsumer { consumer: Key<Consumer>, paused: bool },
    /// The highest layer a consumer wants; it decides instead of the size of its tile.
    SetPreferredLayers { consumer: Key<Consumer>, spatial: u8, temporal: Option<u8> },
    /// What the viewer at a transport shows; other video is not sent to it.
    SetViewport { transport: Key<WebRtcTransport>, tiles: Vec<Tile> },
    /// Asks the source for a key frame on a consumer's behalf.
    RequestKeyFrame { consumer: Key<Consumer> },
    /// Closes a consumer.
    CloseConsumer { consumer: Key<Consumer> },
    /// Begins or ends to tell what happens to an object ([`EventKind::Trace`]).
    Trace { target: TraceTarget, kinds: TraceKinds },
    /// What the worker dropped so far.
    Drops,
    /// Figures of the whole worker.
    Totals,
    /// Figures of a transport.
    TransportStats { transport: Key<WebRtcTransport> },
    /// Figures of a producer.
    ProducerStats { producer: Key<Producer> },
    /// Figures of a consumer.
    ConsumerStats { consumer: Key<Consumer> },
}

/// The answer to a [`Command`].
#[derive(Debug)]
pub enum Reply {
    /// Done; nothing to tell.
    Done,
    /// The new router.
    Router(Key<Router>),
    /// The new transport and its ICE credentials.
    Transport(Key<WebRtcTransport>, Credentials),
    /// The new ICE credentials.
    Ice(Credentials),
    /// The new producer.
    Producer(Key<Producer>),
    /// The new consumers, each or its error, in the order asked, with whether the producer is paused.
    Consumers(Vec<Result<(Key<Consumer>, bool), CommandError>>),
    /// What the worker dropped so far.
    Drops(Drops),
    /// Figures of the whole worker.
    Totals(Box<Totals>),
    /// Figures of a transport.
    TransportStats(Box<TransportStats>),
    /// Figures of a producer.
    ProducerStats(Box<ProducerStats>),
    /// Figures of a consumer.
    ConsumerStats(Box<ConsumerStats>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.ufrag)
    }
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The router is closed.
    #[error("the router is closed")]
    NoRouter,
    /// The transport is closed.
    #[error("the transport is closed")]
    NoTransport,
    /// The producer is closed.
    #[error("the producer is closed")]
    NoProducer,
    /// The consumer is closed.
    #[error("the consumer is closed")]
    NoConsumer,
    /// `ConnectTransport` was called before.
    #[error("the transport is connected already")]
    AlreadyConnected,
    /// The SSRC is in use on this transport.
    #[error("SSRC {0} is in use on this transport already")]
    SsrcInUse(u32),
    /// The MID and RIDs are in use on this transport.
    #[error("another producer of this transport has the same mid and no SSRC to tell them apart")]
    MidInUse,
    /// A producer without streams, or with too many.
    #[error("a producer has between 1 and {} streams", crate::producer::MAX_STREAMS)]
    BadStreamCount,
    /// The transport carries as many producers as it may.
    #[error("the transport has {} producers already", crate::transport::MAX_PRODUCERS)]
    TooManyProducers,
    /// The transport carries as many consumers as it may.
    #[error("the transport has {} consumers already", crate::transport::MAX_CONSUMERS)]
    TooManyConsumers,
    /// Producer and consumer belong to different routers.
    #[error("the producer belongs to another router")]
    OtherRouter,
}

/// Why a transport closed by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// No path has the peer's consent any more.
    ConsentLost,
    /// The handshake failed; the text says how.
    DtlsFailed(String),
    /// The peer's certificate is not the one that signalling announced.
    FingerprintMismatch,
    /// The peer ended its DTLS session.
    PeerClosed,
}

/// Something happened that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The router in which it happened.
    pub router: ObjectId,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "levels are told several times a second, without allocation")]
pub enum EventKind {
    /// ICE and DTLS are through; media flows.
    TransportConnected(ObjectId),
    /// A transport closed by itself, and with it all that it carried.
    TransportClosed(ObjectId, CloseReason),
    /// A producer closed because its transport did.
    ProducerClosed(ObjectId),
    /// A consumer closed because its producer or transport did.
    ConsumerClosed(ObjectId),
    /// Another layer of its producer is sent to a consumer, or none any more; and why no better one.
    ConsumerLayers(ObjectId, Option<Layer>, LayersReason),
    /// Which spatial layers of a producer are of use to anybody, smallest first: the others need not be encoded.
    PublishLayers(ObjectId, Vec<bool>),
    /// What the link to the viewer at a transport carries, when that changed.
    Bandwidth(ObjectId, Bandwidth),
    /// The producer that leads the conversation changed; `None` when nobody does.
    ActiveSpeaker(Option<ObjectId>),
    /// Who is audible, about every 300 ms or as [`Command::SetAudioLevels`] says, while somebody is; empty once when nobody is any more.
    AudioLevels(AudioLevels),
    /// The scores of a producer's streams changed.
    ProducerScore(ObjectId, Scores),
    /// The score of a consumer changed: its own, and that of the stream it is sent.
    ConsumerScore(ObjectId, u8, u8),
    /// The connection to the peer of a transport got better or worse.
    ConnectionQuality(ObjectId, ConnectionQuality),
    /// Something happened to an object that is traced.
    Trace(Traced, TraceEvent),
    /// The router itself is closed; nothing follows.
    RouterClosed,
}
