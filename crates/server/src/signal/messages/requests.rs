//! Client → server: what a participant asks, and what is answered.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sfu::{ConsumerType, DtlsParameters, IceCandidate, IceParameters, RtpCapabilities, RtpParameters};
#[cfg(test)]
use ts_rs::TS;

use super::{Direction, IceServer, Kind, Source};

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
    "leave" => Leave: () => Left,
}

impl RequestName {
    /// Whether it is about media, which have a rate of their own.
    pub(crate) fn is_media(self) -> bool {
        self != Self::Leave
    }
}
