//! The JSON bodies of what is told about time studied. Lengths are in milliseconds; moments are RFC 3339, UTC; days are
//! `YYYY-MM-DD` in the time zone that is named beside them.

use serde::{Deserialize, Serialize};
#[cfg(test)]
use ts_rs::TS;

/// Answer to `GET /api/study/summary`.
#[derive(utoipa::ToSchema, Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct StudySummary {
    /// IANA name: where its days begin and end.
    pub(crate) time_zone: String,
    /// The first moment.
    pub(crate) from: String,
    /// The end; not in it any more.
    pub(crate) to: String,
    /// All that was studied.
    pub(crate) total_ms: u64,
    /// By a clock.
    pub(crate) focus_ms: u64,
    /// Without one.
    pub(crate) free_ms: u64,
    /// Every day, also those without study.
    pub(crate) days: Vec<StudyPeriod>,
    /// Every week; they begin on Monday.
    pub(crate) weeks: Vec<StudyPeriod>,
    /// Every month.
    pub(crate) months: Vec<StudyPeriod>,
    /// Days of study, one after the other until today or yesterday; rest days in between are passed over.
    pub(crate) current_streak_days: u32,
    /// The most there ever were, as far back as is looked.
    pub(crate) longest_streak_days: u32,
    /// Goals that were ticked.
    pub(crate) goals_done: u64,
}

/// A day, week or month, as far as it is in what was asked for.
#[derive(utoipa::ToSchema, Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct StudyPeriod {
    /// Its first day.
    pub(crate) start: String,
    /// All that was studied.
    pub(crate) total_ms: u64,
    /// By a clock.
    pub(crate) focus_ms: u64,
    /// Without one.
    pub(crate) free_ms: u64,
}

/// Answer to `GET /api/study/sessions`.
#[derive(utoipa::ToSchema, Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct StudySessions {
    /// One page of them, the newest first.
    pub(crate) sessions: Vec<StudySession>,
    /// The `cursor` of the next page; not there on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// One visit to a room.
#[derive(utoipa::ToSchema, Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct StudySession {
    /// Which.
    pub(crate) id: String,
    /// Where.
    pub(crate) room_id: String,
    /// As the room is called now; its id, where there is none any more.
    pub(crate) room_name: String,
    /// When it began.
    pub(crate) started_at: String,
    /// Until when there was study.
    pub(crate) ended_at: String,
    /// All that was studied.
    pub(crate) total_ms: u64,
    /// By a clock.
    pub(crate) focus_ms: u64,
    /// Without one.
    pub(crate) free_ms: u64,
}

/// How far back a leaderboard goes: to the beginning of this one.
#[derive(utoipa::ToSchema, Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum LeaderboardPeriod {
    /// Midnight.
    Day,
    /// Monday.
    Week,
    /// The first.
    Month,
}

/// Answer to `GET /api/study/leaderboard`.
#[derive(utoipa::ToSchema, Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct Leaderboard {
    /// As asked for.
    pub(crate) period: LeaderboardPeriod,
    /// Since when.
    pub(crate) from: String,
    /// Who studied most comes first.
    pub(crate) entries: Vec<LeaderboardEntry>,
}

/// Somebody who wants to be seen there.
#[derive(utoipa::ToSchema, Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeaderboardEntry {
    /// 1 is the first; who studied as long has the same.
    pub(crate) rank: u32,
    /// As typed; to be escaped where it is shown.
    pub(crate) display_name: String,
    /// All that was studied.
    pub(crate) total_ms: u64,
    /// Whether it is who asks.
    pub(crate) is_self: bool,
}
