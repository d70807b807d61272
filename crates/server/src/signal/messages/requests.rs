//! Client → server: what a participant asks, and what is answered.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sfu::{ConsumerType, DtlsParameters, IceCandidate, IceParameters, RtpCapabilities, RtpParameters};
#[cfg(test)]
use ts_rs::TS;

use super::{
    Action, Direction, IceServer, Kind, Message, MessageType, Phase, PolicyChange, RoomInfo, Source, Status, Timer,
};

/// What opens a room: the `auth` of the namespace `/room`.
#[derive(Clone, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomAuth {
    /// From `POST /api/guests`.
    pub(crate) token: String,
    /// Which room.
    pub(crate) room_id: String,
    /// The seat to come back to.
    pub(crate) resume: Option<Resume>,
    /// Of a private room.
    pub(crate) password: Option<String>,
    /// To a private room.
    pub(crate) invite: Option<String>,
}

/// A seat that is kept for somebody whose connection broke.
#[derive(Clone, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resume {
    /// From `room-state.self`, or the last `resumed`.
    pub(crate) resume_token: String,
    /// The `seq` of the last event that came; 0: nothing is known any more, not even the transports, and what was made
    /// on the seat is closed.
    pub(crate) last_seq: u64,
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

/// `set-viewport`: what is on the screen now. Other video is not sent.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct SetViewport {
    /// Every picture that is shown.
    pub(crate) tiles: Vec<ViewportTile>,
}

/// A picture on the screen.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ViewportTile {
    /// Whose.
    pub(crate) producer_id: String,
    /// In pixels of the device: CSS pixels times the device pixel ratio.
    pub(crate) width: f64,
    /// The same.
    pub(crate) height: f64,
    /// Whether it was chosen by its viewer: it comes before all others.
    pub(crate) pinned: Option<bool>,
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
    /// For each thing asked for one or more objects, told apart by `type`: `webrtc-transport`; `producer` and its streams as
    /// `inbound-rtp`; `consumer`, what it sends as `outbound-rtp`, and the stream that this is made of as `inbound-rtp`.
    #[cfg_attr(test, ts(type = "unknown[]"))]
    pub(crate) stats: Vec<Value>,
}

/// `send-message`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct SendMessage {
    /// 1 to 1000 characters.
    pub(crate) content: String,
    /// Text, where it is left out.
    #[serde(rename = "type")]
    pub(crate) message_type: Option<MessageType>,
}

/// Answer to `send-message`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct MessageAnswer {
    /// As everybody got it.
    pub(crate) message: Message,
}

/// `set-status`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct SetStatus {
    /// What the participant is at.
    pub(crate) status: Status,
}

/// `set-goal`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct SetGoal {
    /// 1 to 200 characters; empty: none any more.
    pub(crate) text: String,
}

/// `complete-goal`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct CompleteGoal {
    /// Whether it is done.
    pub(crate) done: bool,
    /// What came of it: up to 200 characters, for oneself.
    pub(crate) recap: Option<String>,
}

/// `raise-hand`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct RaiseHand {
    /// Up, or down again.
    pub(crate) raised: bool,
}

/// `react`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct React {
    /// One emoji.
    pub(crate) emoji: String,
}

/// `timer-start`; at most one of the two, else the clock starts with the phases it has.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct TimerStart {
    /// `25/5` or `50/10`.
    pub(crate) preset: Option<String>,
    /// 1 to 32 of them.
    pub(crate) phases: Option<Vec<Phase>>,
}

/// Answer to what changes the clock.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct TimerAnswer {
    /// As everybody got it.
    pub(crate) timer: Timer,
}

/// `moderate`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Moderate {
    /// What is done.
    pub(crate) action: Action,
    /// To whom; of `unban` the ban's id, of `admit` and `reject` the id from `waiting`.
    pub(crate) participant_id: String,
    /// Why: up to 200 characters.
    pub(crate) reason: Option<String>,
    /// How long a ban lasts; left out: for good.
    pub(crate) duration_ms: Option<u64>,
    /// Of a ban: whether also others from the same network are kept out.
    pub(crate) with_address: Option<bool>,
}

/// `report`
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Who.
    pub(crate) participant_id: String,
    /// What they did: 1 to 500 characters.
    pub(crate) reason: String,
}

/// `update-room`; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct UpdateRoom {
    /// 1 to 80 characters.
    pub(crate) name: Option<String>,
    /// Up to 200 characters.
    pub(crate) topic: Option<String>,
    /// BCP 47.
    pub(crate) language: Option<String>,
    /// Seats; who sits keeps the seat.
    pub(crate) capacity: Option<u32>,
    /// Whether nobody else is let in.
    pub(crate) locked: Option<bool>,
    /// What is allowed.
    pub(crate) policy: Option<PolicyChange>,
}

/// Answer to `update-room`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct RoomAnswer {
    /// As it is now.
    pub(crate) room: RoomInfo,
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
            pub(in crate::signal) fn typescript(cfg: &ts_rs::Config) -> Vec<(&'static str, String, String)> {
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
    "set-viewport" => SetViewport: SetViewport => Okay,
    "request-key-frame" => RequestKeyFrame: ConsumerIdOnly => Okay,
    "restart-ice" => RestartIce: TransportIdOnly => IceParametersAnswer,
    "get-stats" => GetStats: GetStats => StatsAnswer,
    "send-message" => SendMessage: SendMessage => MessageAnswer,
    "set-status" => SetStatus: SetStatus => Okay,
    "set-goal" => SetGoal: SetGoal => Okay,
    "complete-goal" => CompleteGoal: CompleteGoal => Okay,
    "raise-hand" => RaiseHand: RaiseHand => Okay,
    "react" => React: React => Okay,
    "timer-start" => TimerStart: TimerStart => TimerAnswer,
    "timer-pause" => TimerPause: () => TimerAnswer,
    "timer-resume" => TimerResume: () => TimerAnswer,
    "timer-skip" => TimerSkip: () => TimerAnswer,
    "timer-reset" => TimerReset: () => TimerAnswer,
    "moderate" => Moderate: Moderate => Okay,
    "report" => Report: Report => Okay,
    "update-room" => UpdateRoom: UpdateRoom => RoomAnswer,
    "clear-chat" => ClearChat: () => Okay,
    "leave" => Leave: () => Left,
}

impl RequestName {
    /// Whether somebody has to be there for it; programs ask for figures by themselves.
    pub(crate) fn is_sign_of_life(self) -> bool {
        self != Self::GetStats
    }

    /// Whether it is about media, which have a rate of their own.
    pub(crate) fn is_media(self) -> bool {
        matches!(
            self,
            Self::GetRtpCapabilities
                | Self::CreateTransport
                | Self::ConnectTransport
                | Self::Produce
                | Self::Consume
                | Self::ResumeConsumer
                | Self::PauseConsumer
                | Self::CloseProducer
                | Self::CloseConsumer
                | Self::PauseProducer
                | Self::ResumeProducer
                | Self::SetPreferredLayers
                | Self::SetViewport
                | Self::RequestKeyFrame
                | Self::RestartIce
                | Self::GetStats
        )
    }
}
