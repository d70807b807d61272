//! What a room is beside pictures and sound: its policy, its clock, what is said, and who is doing what.

use serde::{Deserialize, Serialize};
#[cfg(test)]
use ts_rs::TS;

/// When something is allowed in a room.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Openness {
    /// Always.
    #[default]
    Open,
    /// Not while the clock says focus.
    BreaksOnly,
    /// Never.
    Closed,
}

/// What a room wants of cameras.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum CameraPolicy {
    /// Everybody as they like.
    #[default]
    Optional,
    /// Everybody is asked to show themselves.
    Required,
    /// Nobody.
    Closed,
}

/// Who controls the clock.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum TimerControl {
    /// Host and moderators.
    Host,
    /// Whoever is there.
    #[default]
    Everyone,
}

/// What is allowed in a room.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Policy {
    /// Microphones.
    pub(crate) mics: Openness,
    /// Cameras.
    pub(crate) camera: CameraPolicy,
    /// The chat.
    pub(crate) chat: Openness,
    /// Who controls the clock.
    pub(crate) timer_control: TimerControl,
    /// Whether people without an account are let in.
    pub(crate) guests: bool,
    /// Whether a host or moderator lets everybody in.
    pub(crate) waiting_room: bool,
    /// Microphones that are heard at a time, the loudest; 0: all; null: as configured.
    pub(crate) loudest: Option<u8>,
    /// Seconds between two messages of one person; 0: as fast as the limits allow.
    pub(crate) slow_mode_seconds: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mics: Openness::default(),
            camera: CameraPolicy::default(),
            chat: Openness::default(),
            timer_control: TimerControl::default(),
            guests: true,
            waiting_room: false,
            loudest: None,
            slow_mode_seconds: 0,
        }
    }
}

/// What a change of the policy says; what is left out stays.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PolicyChange {
    /// Microphones.
    pub(crate) mics: Option<Openness>,
    /// Cameras.
    pub(crate) camera: Option<CameraPolicy>,
    /// The chat.
    pub(crate) chat: Option<Openness>,
    /// Who controls the clock.
    pub(crate) timer_control: Option<TimerControl>,
    /// Whether people without an account are let in.
    pub(crate) guests: Option<bool>,
    /// Whether a host or moderator lets everybody in.
    pub(crate) waiting_room: Option<bool>,
    /// Microphones that are heard at a time, the loudest; 0: all.
    pub(crate) loudest: Option<u8>,
    /// Seconds between two messages of one person.
    pub(crate) slow_mode_seconds: Option<u32>,
}

/// Who finds a room, and who comes in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Visibility {
    /// In the list.
    #[default]
    Public,
    /// Whoever knows its address.
    Unlisted,
    /// Who was invited, or knows its password.
    Private,
}

impl Visibility {
    /// As it is stored and sent.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Private => "private",
        }
    }
}

/// What somebody is at.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Studies.
    #[default]
    Focusing,
    /// Takes a break.
    Break,
    /// Is not at the desk; nothing is counted.
    Away,
    /// Studies, and wants no questions.
    Dnd,
}

/// What somebody wants to get done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct Goal {
    /// As typed.
    pub(crate) text: String,
    /// Whether it is.
    pub(crate) done: bool,
}

/// What a phase of the clock is for.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PhaseKind {
    /// Studying.
    #[default]
    Focus,
    /// A moment.
    ShortBreak,
    /// Longer.
    LongBreak,
}

/// One phase of the clock.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Phase {
    /// What for.
    pub(crate) kind: PhaseKind,
    /// One second to eight hours.
    pub(crate) duration_ms: u64,
}

/// Whether the clock runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum TimerState {
    /// It was not started, or was reset.
    #[default]
    Idle,
    /// It does.
    Running,
    /// It stands.
    Paused,
}

/// The clock of a room, at `serverTimeMs`.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timer {
    /// Whether it runs.
    pub(crate) state: TimerState,
    /// What for.
    pub(crate) phase: PhaseKind,
    /// All of its phases; after the last comes the first.
    pub(crate) phases: Vec<Phase>,
    /// Which of them it is in.
    pub(crate) index: u32,
    /// How often all were gone through.
    pub(crate) cycle: u32,
    /// When the phase ends, by the server's clock; only while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ends_at_ms: Option<u64>,
    /// How much is left of the phase.
    pub(crate) remaining_ms: u64,
    /// Who may control it.
    pub(crate) controlled_by: TimerControl,
    /// The server's clock.
    pub(crate) server_time_ms: u64,
}

/// What a message is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum MessageType {
    /// Something written.
    #[default]
    Text,
    /// A picture of a feeling, shown large.
    Emoji,
}

/// Something that was said in the chat.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// Of this message.
    pub(crate) id: String,
    /// Of the seat it was sent from.
    pub(crate) participant_id: String,
    /// As typed; to be escaped where it is shown.
    pub(crate) display_name: String,
    /// As typed; to be escaped where it is shown.
    pub(crate) content: String,
    /// What it is.
    #[serde(rename = "type")]
    pub(crate) message_type: MessageType,
    /// When it came.
    pub(crate) sent_at_ms: u64,
}

/// What a host or moderator does to somebody.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Their microphone is paused.
    Mute,
    /// Their camera is closed.
    StopVideo,
    /// Their screen is closed.
    StopScreen,
    /// They have to go.
    Kick,
    /// They have to go, and do not come back.
    Ban,
    /// They may come back.
    Unban,
    /// They become moderator.
    Promote,
    /// They are a member again.
    Demote,
    /// They become host, in the place of who was.
    TransferHost,
    /// They are let in from the waiting room.
    Admit,
    /// They are not.
    Reject,
}
