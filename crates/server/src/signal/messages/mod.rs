//! Everything that travels between a client and the server, by name: payloads, answers and events of the
//! Socket.IO namespaces. What is written here is what `web/src/protocol/generated/` is made of.
//!
//! Names are camelCase; times are milliseconds since the Unix epoch and end in `Ms`; ids are opaque strings.
//! RTP, ICE and DTLS parameters are opaque to the TypeScript side: mediasoup-client reads them.

mod events;
mod requests;
mod study;

use serde::{Deserialize, Serialize};
#[cfg(test)]
use ts_rs::TS;

pub(crate) use events::*;
pub(crate) use requests::*;
pub(crate) use study::*;

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
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
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
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Owns the room.
    Host,
    /// Keeps it in order.
    Moderator,
    /// Has an account.
    Member,
    /// Came without one.
    Guest,
}

impl Role {
    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Moderator => "moderator",
            Self::Member | Self::Guest => "member",
        }
    }

    /// As it was stored.
    pub(crate) fn from_stored(text: &str) -> Self {
        match text {
            "host" => Self::Host,
            "moderator" => Self::Moderator,
            _ => Self::Member,
        }
    }

    /// The one who may do more.
    pub(crate) fn most(self, other: Self) -> Self {
        let rank = |role| match role {
            Self::Host => 3,
            Self::Moderator => 2,
            Self::Member => 1,
            Self::Guest => 0,
        };
        if rank(other) > rank(self) { other } else { self }
    }
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
    /// Was sent away.
    Kicked,
    /// Was sent away, and may not come back.
    Banned,
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Participant {
    /// Of this seat: who comes again gets another one.
    pub(crate) id: String,
    /// As typed; to be escaped where it is shown.
    pub(crate) display_name: String,
    /// What they may do.
    pub(crate) role: Role,
    /// What they are at.
    pub(crate) status: Status,
    /// What they want to get done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) goal: Option<Goal>,
    /// Whether they want to say something.
    pub(crate) hand_raised: bool,
    /// The microphone.
    pub(crate) audio: Presence,
    /// The camera.
    pub(crate) video: Presence,
    /// The shared screen.
    pub(crate) screen: Presence,
    /// When they came.
    pub(crate) joined_at_ms: u64,
    /// How well their media get through.
    pub(crate) connection: Connection,
}

/// How well somebody's media get through.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Connection {
    /// As they should.
    #[default]
    Good,
    /// With much loss or delay.
    Poor,
    /// Nothing is heard of them now.
    Lost,
}

impl From<sfu::ConnectionQuality> for Connection {
    fn from(quality: sfu::ConnectionQuality) -> Self {
        match quality {
            sfu::ConnectionQuality::Good => Self::Good,
            sfu::ConnectionQuality::Poor => Self::Poor,
            sfu::ConnectionQuality::Lost => Self::Lost,
        }
    }
}

/// A room, to those who are in it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct RoomInfo {
    /// Slug, `[a-z0-9-]{1,64}`.
    pub(crate) id: String,
    /// For people.
    pub(crate) name: String,
    /// For people; may be empty.
    pub(crate) topic: String,
    /// BCP 47, such as `en`; empty: not said.
    pub(crate) language: String,
    /// Who finds it, and who comes in.
    pub(crate) visibility: Visibility,
    /// Seats.
    pub(crate) capacity: u32,
    /// Seats taken.
    pub(crate) occupancy: u32,
    /// Whether nobody else is let in.
    pub(crate) locked: bool,
    /// What is allowed in it.
    pub(crate) policy: Policy,
    /// What who asks may do in it; only over REST, where it is asked for in somebody's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<Role>,
    /// Its clock; only where rooms are looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timer: Option<Timer>,
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
