//! Server → client: what a room and the lobby tell.

use serde::Serialize;
#[cfg(test)]
use ts_rs::TS;

use super::{
    Action, Connection, Goal, IceServer, Kind, LeaveReason, Message, Participant, Presence, Role, RoomInfo, Source,
    Status, Timer,
};

/// Who the receiver is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SelfInfo {
    /// Their own id.
    pub(crate) participant_id: String,
    /// What they may do.
    pub(crate) role: Role,
    /// To come back to this seat with, when the connection broke; for nobody else.
    pub(crate) resume_token: String,
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
    /// The clock.
    pub(crate) timer: Timer,
    /// The last that was said, oldest first.
    pub(crate) messages: Vec<Message>,
    /// For the client's transports.
    pub(crate) ice_servers: Vec<IceServer>,
    /// The server's clock.
    pub(crate) server_time_ms: u64,
}

/// The receiver is back on their seat, with all that was made on it; what was missed comes next.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeatResumed {
    /// Their own id, the same as before.
    pub(crate) participant_id: String,
    /// To come back with the next time; the one before is dead with the first request.
    pub(crate) resume_token: String,
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
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserUpdated {
    /// Who.
    pub(crate) participant_id: String,
    /// What they may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Role>,
    /// What they are at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Status>,
    /// What they want to get done; null: nothing any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional, type = "Goal | null"))]
    pub(crate) goal: Option<Option<Goal>>,
    /// Whether they want to say something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hand_raised: Option<bool>,
    /// The microphone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio: Option<Presence>,
    /// The camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) video: Option<Presence>,
    /// The shared screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) screen: Option<Presence>,
    /// How well their media get through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connection: Option<Connection>,
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

/// Who leads the conversation.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActiveSpeaker {
    /// Nobody, when null.
    pub(crate) participant_id: Option<String>,
}

/// How loud somebody is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParticipantLevel {
    /// Who.
    pub(crate) participant_id: String,
    /// Mean level of the last 300 ms, from -127 (silence) to 0.
    pub(crate) dbov: i8,
}

/// A consumer of the receiver is gone, because its producer or its transport is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerClosed {
    /// Which.
    pub(crate) consumer_id: String,
}

/// Why a layer is sent and no better one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum LayersReason {
    /// The receiver's link carries no more.
    Bandwidth,
    /// It is shown so small, or not at all.
    Viewport,
    /// No more was asked for.
    Preferred,
    /// No more is produced.
    Producer,
}

impl From<sfu::LayersReason> for LayersReason {
    fn from(reason: sfu::LayersReason) -> Self {
        match reason {
            sfu::LayersReason::Bandwidth => Self::Bandwidth,
            sfu::LayersReason::Viewport => Self::Viewport,
            sfu::LayersReason::Preferred => Self::Preferred,
            sfu::LayersReason::Producer => Self::Producer,
        }
    }
}

/// Another layer is sent to a consumer of the receiver.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerLayers {
    /// Which.
    pub(crate) consumer_id: String,
    /// 0 is the smallest; null: nothing is sent.
    pub(crate) spatial_layer: Option<u8>,
    /// 0 is the slowest; null: nothing is sent.
    pub(crate) temporal_layer: Option<u8>,
    /// Why no better one.
    pub(crate) reason: LayersReason,
}

/// Which layers of a producer of the receiver anybody watches: the others need not be encoded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublishLayers {
    /// Which.
    pub(crate) producer_id: String,
    /// Each, smallest first.
    pub(crate) layers: Vec<PublishLayer>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct PublishLayer {
    /// Its RID; null where there is only one stream.
    pub(crate) rid: Option<String>,
    /// Whether anybody watches it.
    pub(crate) active: bool,
    /// Upper bound that the producer was made with, in bits a second.
    pub(crate) max_bitrate: Option<u64>,
}

/// How much of what the receiver shows its link carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BandwidthState {
    /// All of it.
    Ok,
    /// Some of it, or in smaller layers.
    Limited,
    /// Only sound.
    AudioOnly,
}

/// What the receiver's link carries, at most once a second.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bandwidth {
    /// In bits a second.
    pub(crate) available_outgoing_bitrate: u64,
    /// What all that is shown would take, in bits a second.
    pub(crate) desired_bitrate: u64,
    /// How that fits.
    pub(crate) state: BandwidthState,
}

impl From<sfu::Bandwidth> for Bandwidth {
    fn from(bandwidth: sfu::Bandwidth) -> Self {
        Self {
            available_outgoing_bitrate: bandwidth.available,
            desired_bitrate: bandwidth.desired,
            state: match bandwidth.state {
                sfu::BandwidthState::Ok => BandwidthState::Ok,
                sfu::BandwidthState::Limited => BandwidthState::Limited,
                sfu::BandwidthState::AudioOnly => BandwidthState::AudioOnly,
            },
        }
    }
}

/// How well a stream gets through, 0 to 10.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamScore {
    /// Its RID; null where there is only one stream.
    pub(crate) rid: Option<String>,
    /// 10 is perfect, 0: nothing comes.
    pub(crate) score: u8,
}

/// How well what the receiver sends gets to the server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProducerScore {
    /// Which.
    pub(crate) producer_id: String,
    /// Each stream, smallest first.
    pub(crate) scores: Vec<StreamScore>,
}

/// How well what is sent to the receiver gets through.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerScore {
    /// Which.
    pub(crate) consumer_id: String,
    /// From the server to the receiver, 0 to 10.
    pub(crate) score: u8,
    /// From its producer to the server.
    pub(crate) producer_score: u8,
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
/// anew. `MEDIA_LOST`: all transports of the receiver broke, the seat is kept; make them anew.
/// `REPLACED`: another connection has the seat now; the socket is closed next, and must not come back.
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

/// Everything that was said is gone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct ChatCleared {
    /// Name of who cleared it.
    pub(crate) by: String,
}

/// The room is another one now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct RoomUpdated {
    /// As it is now.
    pub(crate) room: RoomInfo,
}

/// Somebody feels something, for a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Reaction {
    /// Who.
    pub(crate) participant_id: String,
    /// What.
    pub(crate) emoji: String,
}

/// Something was done to the receiver.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct Moderated {
    /// What.
    pub(crate) action: Action,
    /// Name of who did it; the room itself where its policy did.
    pub(crate) by: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// The receiver has to go; the socket is closed next.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct Kicked {
    /// Why.
    pub(crate) reason: String,
    /// Until when they may not come back, in milliseconds since the Unix epoch; not there: at once, or never after a ban.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u64>,
}

/// Who wants to be let in; to hosts and moderators.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct Waiting {
    /// All of them, who came first first.
    pub(crate) people: Vec<WaitingPerson>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaitingPerson {
    /// For `moderate` with `admit` or `reject`.
    pub(crate) id: String,
    /// As typed; to be escaped where it is shown.
    pub(crate) display_name: String,
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
            pub(in crate::signal) fn typescript(cfg: &ts_rs::Config) -> Vec<(&'static str, String)> {
                vec![$(($event, <$payload as TS>::name(cfg)),)*]
            }
        }
    };
}

events! {
    /// Server → client, in a room.
    RoomEvent {
        "room-state" => RoomState(Box<RoomState>),
        "resumed" => Resumed(SeatResumed),
        "user-joined" => UserJoined(UserJoined),
        "user-left" => UserLeft(UserLeft),
        "user-updated" => UserUpdated(UserUpdated),
        "new-producer" => NewProducer(NewProducer),
        "producer-closed" => ProducerClosed(ProducerOf),
        "producer-paused" => ProducerPaused(ProducerOf),
        "producer-resumed" => ProducerResumed(ProducerOf),
        "consumer-closed" => ConsumerClosed(ConsumerClosed),
        "consumer-layers" => ConsumerLayers(ConsumerLayers),
        "consumer-score" => ConsumerScore(ConsumerScore),
        "producer-score" => ProducerScore(ProducerScore),
        "publish-layers" => PublishLayers(PublishLayers),
        "bandwidth" => Bandwidth(Bandwidth),
        "active-speaker" => ActiveSpeaker(ActiveSpeaker),
        "audio-levels" => AudioLevels(Vec<ParticipantLevel>),
        "recommend-audio-only" => RecommendAudioOnly(RecommendAudioOnly),
        "new-message" => NewMessage(Message),
        "chat-cleared" => ChatCleared(ChatCleared),
        "timer" => Timer(Timer),
        "room-updated" => RoomUpdated(RoomUpdated),
        "reaction" => Reaction(Reaction),
        "waiting" => Waiting(Waiting),
        "moderated" => Moderated(Moderated),
        "kicked" => Kicked(Kicked),
        "error" => Error(ErrorEvent),
        "server-draining" => ServerDraining(ServerDraining),
    }
}

impl RoomEvent {
    /// Whether it has a number and is told again to who missed it. The others are stale when the next ones come.
    pub(crate) fn is_sequenced(&self) -> bool {
        match self {
            Self::RoomState(_)
            | Self::UserJoined(_)
            | Self::UserLeft(_)
            | Self::UserUpdated(_)
            | Self::NewProducer(_)
            | Self::ProducerClosed(_)
            | Self::ProducerPaused(_)
            | Self::ProducerResumed(_)
            | Self::ConsumerClosed(_)
            | Self::NewMessage(_)
            | Self::ChatCleared(_)
            | Self::Timer(_)
            | Self::RoomUpdated(_)
            | Self::Waiting(_)
            | Self::Moderated(_)
            | Self::Error(_) => true,
            Self::Resumed(_)
            | Self::ConsumerLayers(_)
            | Self::ConsumerScore(_)
            | Self::ProducerScore(_)
            | Self::PublishLayers(_)
            | Self::Bandwidth(_)
            | Self::ActiveSpeaker(_)
            | Self::AudioLevels(_)
            | Self::RecommendAudioOnly(_)
            | Self::Reaction(_)
            | Self::Kicked(_)
            | Self::ServerDraining(_) => false,
        }
    }

    /// How long it is as JSON, where that is asked for: 0 for those that have no number.
    pub(crate) fn json_bytes(&self) -> usize {
        if self.is_sequenced() { serde_json::to_vec(self).map_or(0, |json| json.len()) } else { 0 }
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
