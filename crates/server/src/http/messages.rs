//! The JSON bodies of the REST interface. Errors are problem documents (RFC 9457) with a `code`.

use std::fmt;

use serde::{Deserialize, Serialize};
#[cfg(test)]
use ts_rs::TS;

use crate::signal::messages::RoomInfo;

/// `POST /api/guests`
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateGuest {
    /// 1 to 50 characters.
    #[schema(min_length = 1)]
    pub(crate) display_name: String,
}

/// Answer to `POST /api/guests`.
#[derive(Clone, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Guest {
    /// For the `auth` of the namespace `/room`.
    pub(crate) token: String,
    /// Who.
    pub(crate) guest_id: String,
    /// As it will be shown: trimmed, in Unicode's normalization form C.
    pub(crate) display_name: String,
    /// When the token ends: RFC 3339, UTC.
    pub(crate) expires_at: String,
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("guest_id", &self.guest_id).finish_non_exhaustive()
    }
}

/// Answer to `GET /api/rooms`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct RoomList {
    /// One page of them.
    pub(crate) rooms: Vec<RoomInfo>,
    /// The `cursor` of the next page; not there on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// A refused HTTP request (RFC 9457).
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    /// Always `about:blank`: the title says what the status says.
    #[serde(rename = "type")]
    pub(crate) problem_type: &'static str,
    /// Of the status.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// A sentence for people.
    pub(crate) detail: String,
    /// For programs.
    pub(crate) code: &'static str,
    /// When to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
}
