//! Everything that travels between a client and the server, by name: payloads, answers and events of the
//! Socket.IO namespaces. What is written here is what `web/src/protocol/generated/` is made of.
//!
//! Names are camelCase; times are milliseconds since the Unix epoch and end in `Ms`; ids are opaque strings.
//! RTP, ICE and DTLS parameters are opaque to the TypeScript side: mediasoup-client reads them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sfu::{ConsumerType, DtlsParameters, IceCandidate, IceParameters, RtpCapabilities, RtpParameters};
#[cfg(test)]
use ts_rs::TS;

/// Sound or pictures.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// What a producer shows or lets hear.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// A microphone.
    Mic,
    /// A camera.
    Camera,
    /// A shared screen, window or tab.
    Screen,
    /// The sound of what is shared.
    ScreenAudio,
}

impl From<Kind> for sfu::MediaKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Audio => Self::Audio,
            Kind::Video => Self::Video,
        }
    }
}

impl Source {
    /// What a producer is of whose client does not say.
    pub(crate) fn of_kind(kind: Kind) -> Self {
        match kind {
            Kind::Audio => Self::Mic,
            Kind::Video => Self::Camera,
        }
    }

    /// Sound or pictures.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Mic | Self::ScreenAudio => Kind::Audio,
            Self::Camera | Self::Screen => Kind::Video,
        }
    }
}

/// Which way the media of a transport go, seen from the client.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    /// The client produces on it.
    Send,
    /// The client consumes on it.
    Recv,
}

/// What a participant may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Came without an account.
    Guest,
}

/// What of a participant can be seen or heard.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Presence {
    /// Sent.
    On,
    /// There, but not sent.
    Paused,
    /// Not there.
    Off,
}

/// Why somebody is not in the room any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum LeaveReason {
    /// Wanted to.
    Left,
    /// The connection or the media broke.
    Lost,
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Participant {
    /// Of this seat: who comes again gets another one.
    pub(crate) id: String,
    /// As typed; to be escaped where it is shown.
    pub(crate) display_name: String,
    /// What they may do.
    pub(crate) role: Role,
    /// The microphone.
    pub(crate) audio: Presence,
    /// The camera.
    pub(crate) video: Presence,
    /// The shared screen.
    pub(crate) screen: Presence,
    /// When they came.
    pub(crate) joined_at_ms: u64,
}

/// A room, to those who are in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct RoomInfo {
    /// Slug, `[a-z0-9-]{1,64}`.
    pub(crate) id: String,
    /// For people.
    pub(crate) name: String,
    /// For people; may be empty.
    pub(crate) topic: String,
    /// Seats.
    pub(crate) capacity: u32,
    /// Seats taken.
    pub(crate) occupancy: u32,
    /// Whether nobody else is let in.
    pub(crate) locked: bool,
}

/// Who the receiver is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SelfInfo {
    /// Their own id.
    pub(crate) participant_id: String,
    /// What they may do.
    pub(crate) role: Role,
}

/// A STUN or TURN server, as `RTCPeerConnection` takes it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct IceServer {
    /// Such as `turn:example.org:3478`.
    pub(crate) urls: Vec<String>,
    /// TURN only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    /// TURN only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credential: Option<String>,
}

/// The first event of a seat: everything about the room but its producers, which follow one by one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomState {
    /// Who the receiver is.
    #[serde(rename = "self")]
    pub(crate) self_info: SelfInfo,
    /// The room.
    pub(crate) room: RoomInfo,
    /// Everybody in it, the receiver too.
    pub(crate) participants: Vec<Participant>,
    /// For the client's transports.
    pub(crate) ice_servers: Vec<IceServer>,
    /// The server's clock.
    pub(crate) server_time_ms: u64,
}

/// Somebody came.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct UserJoined {
    /// Who.
    pub(crate) participant: Participant,
    /// Seats taken now.
    pub(crate) occupancy: u32,
}

/// Somebody went.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserLeft {
    /// Who.
    pub(crate) participant_id: String,
    /// Seats taken now.
    pub(crate) occupancy: u32,
    /// Why.
    pub(crate) reason: LeaveReason,
}

/// Something about somebody changed; only what changed is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserUpdated {
    /// Who.
    pub(crate) participant_id: String,
    /// The microphone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio: Option<Presence>,
    /// The camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) video: Option<Presence>,
    /// The shared screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) screen: Option<Presence>,
}

/// There is something to consume.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewProducer {
    /// What.
    pub(crate) producer_id: String,
    /// Whose.
    pub(crate) participant_id: String,
    /// Sound or pictures.
    pub(crate) kind: Kind,
    /// Of what.
    pub(crate) source: Source,
    /// Whether nothing is sent for now.
    pub(crate) paused: bool,
}

/// A producer, and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProducerOf {
    /// Which.
    pub(crate) producer_id: String,
    /// Whose.
    pub(crate) participant_id: String,
}

/// A consumer of the receiver is gone, because its producer or its transport is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerClosed {
    /// Which.
    pub(crate) consumer_id: String,
}

/// The room is so full that cameras cost more than they give.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct RecommendAudioOnly {
    /// For people.
    pub(crate) message: String,
    /// Seats taken now.
    pub(crate) occupancy: u32,
}

/// Something went wrong that is not the answer to a request.
///
/// `MEDIA_RESTARTED`: all transports, producers and consumers of the room are gone, the seat is not; make them
/// anew. `MEDIA_LOST`: the media connection broke and with it the seat; the socket is closed next.
/// `TOO_SLOW`: the client does not take its events; the socket is closed next.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorEvent {
    /// For programs.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
}

/// The server stops; the socket is closed next.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerDraining {
    /// When to come again, at the earliest.
    pub(crate) reconnect_in_ms: u64,
}

/// A room, to those who look for one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct LobbyState {
    /// All rooms.
    pub(crate) rooms: Vec<RoomInfo>,
}

/// How full a room is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomOccupancy {
    /// Which.
    pub(crate) room_id: String,
    /// Seats taken.
    pub(crate) occupancy: u32,
    /// Seats.
    pub(crate) capacity: u32,
}

/// Declares the events of a namespace: their names, and what each carries.
macro_rules! events {
    ($(#[$doc:meta])* $name:ident { $($event:literal => $variant:ident($payload:ty),)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        pub(crate) enum $name {
            $(#[doc = concat!("`", $event, "`")] $variant($payload),)*
        }

        impl $name {
            /// As it is emitted.
            pub(crate) fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $event,)* }
            }

            /// Each name with the TypeScript type of what it carries.
            #[cfg(test)]
            pub(super) fn typescript(cfg: &ts_rs::Config) -> Vec<(&'static str, String)> {
                vec![$(($event, <$payload as TS>::name(cfg)),)*]
            }
        }
    };
}

events! {
    /// Server → client, in a room.
    RoomEvent {
        "room-state" => RoomState(Box<RoomState>),
        "user-joined" => UserJoined(UserJoined),
        "user-left" => UserLeft(UserLeft),
        "user-updated" => UserUpdated(UserUpdated),
        "new-producer" => NewProducer(NewProducer),
        "producer-closed" => ProducerClosed(ProducerOf),
        "producer-paused" => ProducerPaused(ProducerOf),
        "producer-resumed" => ProducerResumed(ProducerOf),
        "consumer-closed" => ConsumerClosed(ConsumerClosed),
        "recommend-audio-only" => RecommendAudioOnly(RecommendAudioOnly),
        "error" => Error(ErrorEvent),
        "server-draining" => ServerDraining(ServerDraining),
    }
}

events! {
    /// Server → client, in the lobby.
    LobbyEvent {
        "lobby-state" => LobbyState(LobbyState),
        "room-occupancy" => RoomOccupancy(RoomOccupancy),
        "server-draining" => ServerDraining(ServerDraining),
    }
}

/// What opens a room: the `auth` of the namespace `/room`.
#[derive(Clone, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomAuth {
    /// From `POST /api/guests`.
    pub(crate) token: String,
    /// Which room.
    pub(crate) room_id: String,
}

impl fmt::Debug for RoomAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomAuth").field("room_id", &self.room_id).finish_non_exhaustive()
    }
}

/// `create-transport`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct CreateTransport {
    /// Which way the media go.
    pub(crate) direction: Direction,
}

/// `connect-transport`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConnectTransport {
    /// Which.
    pub(crate) transport_id: String,
    /// As mediasoup-client gives them.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub(crate) dtls_parameters: DtlsParameters,
}

/// `produce`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Produce {
    /// On which transport.
    pub(crate) transport_id: String,
    /// Sound or pictures.
    pub(crate) kind: Kind,
    /// As mediasoup-client gives them.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub(crate) rtp_parameters: RtpParameters,
    /// Of what; left out: the microphone or the camera, by the kind.
    pub(crate) source: Option<Source>,
    /// Whether to begin without sending.
    pub(crate) paused: Option<bool>,
}

/// `consume`; exactly one of `producerId` and `producerIds`.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Consume {
    /// On which transport.
    pub(crate) transport_id: String,
    /// What; answered by one consumer.
    pub(crate) producer_id: Option<String>,
    /// What; answered by one consumer or refusal for each, in this order.
    pub(crate) producer_ids: Option<Vec<String>>,
    /// Of mediasoup-client's device.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub(crate) rtp_capabilities: RtpCapabilities,
}

/// `resume-consumer`, `pause-consumer`; exactly one of the two.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerIds {
    /// One.
    pub(crate) consumer_id: Option<String>,
    /// Several; those that are gone already are passed over, unless all are.
    pub(crate) consumer_ids: Option<Vec<String>>,
}

/// `close-producer`, `pause-producer`, `resume-producer`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProducerIdOnly {
    /// Which.
    pub(crate) producer_id: String,
}

/// `close-consumer`, `request-key-frame`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerIdOnly {
    /// Which.
    pub(crate) consumer_id: String,
}

/// `set-preferred-layers`: the upper bound of what is sent.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SetPreferredLayers {
    /// Which.
    pub(crate) consumer_id: String,
    /// 0 is the smallest.
    pub(crate) spatial_layer: u8,
    /// 0 is the slowest; left out: the fastest.
    pub(crate) temporal_layer: Option<u8>,
}

/// `restart-ice`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransportIdOnly {
    /// Which.
    pub(crate) transport_id: String,
}

/// `get-stats`: of what is named, or of all own transports when nothing is.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct GetStats {
    /// An own transport.
    pub(crate) transport_id: Option<String>,
    /// An own producer.
    pub(crate) producer_id: Option<String>,
    /// An own consumer.
    pub(crate) consumer_id: Option<String>,
}

/// Answer to `get-rtp-capabilities`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct RtpCapabilitiesAnswer {
    /// For `device.load`.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub(crate) rtp_capabilities: &'static RtpCapabilities,
}

/// What `createSendTransport` and `createRecvTransport` take.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransportOptions {
    /// Which.
    pub(crate) id: String,
    /// The server's.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub(crate) ice_parameters: IceParameters,
    /// The server's.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub(crate) ice_candidates: Vec<IceCandidate>,
    /// The server's.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub(crate) dtls_parameters: DtlsParameters,
    /// May be empty.
    pub(crate) ice_servers: Vec<IceServer>,
}

/// Answer to `create-transport`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct TransportAnswer {
    /// The transport.
    pub(crate) transport: TransportOptions,
}

/// Answer to `produce`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProduceAnswer {
    /// For mediasoup-client's callback.
    pub(crate) producer_id: String,
}

/// What `recvTransport.consume` takes, and more; made paused.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerOptions {
    /// Which.
    pub(crate) id: String,
    /// Of what.
    pub(crate) producer_id: String,
    /// Whose.
    pub(crate) participant_id: String,
    /// Sound or pictures.
    pub(crate) kind: Kind,
    /// Of what.
    pub(crate) source: Source,
    /// For mediasoup-client.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub(crate) rtp_parameters: RtpParameters,
    /// `simple`, `simulcast` or `svc`.
    #[serde(rename = "type")]
    #[cfg_attr(test, ts(type = "\"simple\" | \"simulcast\" | \"svc\""))]
    pub(crate) consumer_type: ConsumerType,
    /// Whether its producer sends nothing for now.
    pub(crate) producer_paused: bool,
}

/// Why one of several producers cannot be consumed.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumeRefusal {
    /// Which.
    pub(crate) producer_id: String,
    /// For people.
    pub(crate) error: String,
    /// For programs.
    pub(crate) code: String,
}

/// One of several.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(untagged)]
pub(crate) enum ConsumeOutcome {
    /// Can be resumed.
    Consumer(Box<ConsumerOptions>),
    /// Cannot be had.
    Refusal(ConsumeRefusal),
}

/// Answer to `consume` with `producerId` or with `producerIds`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(untagged)]
pub(crate) enum ConsumeAnswer {
    /// To `producerId`.
    One {
        /// The consumer.
        consumer: Box<ConsumerOptions>,
    },
    /// To `producerIds`.
    Many {
        /// One for each id, in the same order.
        consumers: Vec<ConsumeOutcome>,
    },
}

/// Answer to `restart-ice`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct IceParametersAnswer {
    /// For `transport.restartIce`.
    #[cfg_attr(test, ts(type = "unknown"))]
    pub(crate) ice_parameters: IceParameters,
}

/// Answer to `get-stats`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct StatsAnswer {
    /// One object for each thing asked for.
    #[cfg_attr(test, ts(type = "unknown[]"))]
    pub(crate) stats: Vec<Value>,
}

/// Declares an answer that says only that it was done.
macro_rules! done {
    ($($(#[$doc:meta])* $name:ident { $field:ident })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Serialize)]
        #[cfg_attr(test, derive(TS))]
        pub(crate) struct $name {
            /// Always true: what fails is refused.
            #[cfg_attr(test, ts(type = "true"))]
            pub(crate) $field: bool,
        }

        impl $name {
            /// It was done.
            pub(crate) const DONE: Self = Self { $field: true };
        }
    )*};
}

done! {
    /// Answer to `connect-transport`.
    Connected { connected }
    /// Answer to `pause-consumer` and `pause-producer`.
    Paused { paused }
    /// Answer to `resume-consumer` and `resume-producer`.
    Resumed { resumed }
    /// Answer to `close-producer` and `close-consumer`.
    Closed { closed }
    /// Answer to what has nothing to say.
    Okay { ok }
    /// Answer to `leave`; the socket is closed next.
    Left { left }
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefusalAnswer {
    /// For people.
    pub(crate) error: String,
    /// For programs.
    pub(crate) code: String,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
}

/// Declares the requests of a room: name, payload and answer.
macro_rules! requests {
    ($($event:literal => $variant:ident: $payload:ty => $answer:ty,)*) => {
        /// Client → server, in a room; each is answered through its acknowledgement.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum RequestName {
            $(#[doc = concat!("`", $event, "`")] $variant,)*
        }

        impl RequestName {
            /// As clients emit it.
            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $event,)* }
            }

            /// The request that clients emit as `name`.
            pub(crate) fn parse(name: &str) -> Option<Self> {
                match name {
                    $($event => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// Each name with the TypeScript types of its payload and answer.
            #[cfg(test)]
            pub(super) fn typescript(cfg: &ts_rs::Config) -> Vec<(&'static str, String, String)> {
                vec![$(($event, <$payload as TS>::name(cfg), <$answer as TS>::name(cfg)),)*]
            }
        }
    };
}

requests! {
    "get-rtp-capabilities" => GetRtpCapabilities: () => RtpCapabilitiesAnswer,
    "create-transport" => CreateTransport: CreateTransport => TransportAnswer,
    "connect-transport" => ConnectTransport: ConnectTransport => Connected,
    "produce" => Produce: Produce => ProduceAnswer,
    "consume" => Consume: Consume => ConsumeAnswer,
    "resume-consumer" => ResumeConsumer: ConsumerIds => Resumed,
    "pause-consumer" => PauseConsumer: ConsumerIds => Paused,
    "close-producer" => CloseProducer: ProducerIdOnly => Closed,
    "close-consumer" => CloseConsumer: ConsumerIdOnly => Closed,
    "pause-producer" => PauseProducer: ProducerIdOnly => Paused,
    "resume-producer" => ResumeProducer: ProducerIdOnly => Resumed,
    "set-preferred-layers" => SetPreferredLayers: SetPreferredLayers => Okay,
    "request-key-frame" => RequestKeyFrame: ConsumerIdOnly => Okay,
    "restart-ice" => RestartIce: TransportIdOnly => IceParametersAnswer,
    "get-stats" => GetStats: GetStats => StatsAnswer,
    "leave" => Leave: () => Left,
}

impl RequestName {
    /// Whether it is about media, which have a rate of their own.
    pub(crate) fn is_media(self) -> bool {
        self != Self::Leave
    }
}
