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

/// `POST /api/auth/register`
#[derive(utoipa::ToSchema, Clone, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Register {
    /// Nobody checks that mail arrives there.
    pub(crate) email: String,
    /// 10 to 200 characters.
    pub(crate) password: String,
    /// 1 to 50 characters.
    pub(crate) display_name: String,
    /// The one-time code of the first administrator.
    pub(crate) code: Option<String>,
}

/// `POST /api/auth/login`
#[derive(utoipa::ToSchema, Clone, Deserialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct Login {
    /// In any case.
    pub(crate) email: String,
    /// As typed.
    pub(crate) password: String,
}

/// An account, to its owner.
#[derive(utoipa::ToSchema, Clone, Serialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    /// `u:` and the account's id.
    pub(crate) id: String,
    /// Not there where only another site's login is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    /// In rooms from the next token on.
    pub(crate) display_name: String,
    /// Whether this is an administrator.
    pub(crate) is_admin: bool,
    /// IANA name, such as `Europe/Berlin`.
    pub(crate) time_zone: String,
    /// Whether others see the time studied.
    pub(crate) on_leaderboard: bool,
    /// Days of the week that do not end a streak: bit 0 is Monday.
    pub(crate) rest_days: u8,
    /// When it was made: RFC 3339, UTC.
    pub(crate) created_at: String,
}

/// Answer to `POST /api/auth/register`, `/login` and `/refresh`; a cookie with the refresh token comes with it.
#[derive(utoipa::ToSchema, Clone, Serialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignedIn {
    /// For `Authorization: Bearer` and the `auth` of the namespace `/room`.
    pub(crate) token: String,
    /// When the token ends: RFC 3339, UTC.
    pub(crate) expires_at: String,
    /// Who.
    pub(crate) user: User,
}

/// `PATCH /api/me`; what is left out stays.
#[derive(utoipa::ToSchema, Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeUser {
    /// 1 to 50 characters.
    pub(crate) display_name: Option<String>,
    /// IANA name, such as `Europe/Berlin`.
    pub(crate) time_zone: Option<String>,
    /// Whether others see the time studied.
    pub(crate) on_leaderboard: Option<bool>,
    /// Days of the week that do not end a streak: bit 0 is Monday, so 0 to 127.
    pub(crate) rest_days: Option<u8>,
}

/// `POST /api/me/claim-guest`
#[derive(utoipa::ToSchema, Clone, Deserialize)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClaimGuest {
    /// Of the guest whose study time becomes the account's.
    pub(crate) guest_token: String,
}

/// `POST /api/me/administrator`
#[derive(utoipa::ToSchema, Clone, Deserialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct TakeAdministrator {
    /// As the server printed it into its log.
    pub(crate) code: String,
}

/// Answer to `GET /api/auth/methods`.
#[derive(utoipa::ToSchema, Clone, Debug, Serialize)]
#[cfg_attr(test, derive(TS))]
pub(crate) struct AuthMethods {
    /// Whether `GET /api/auth/oidc` leads to another site's login.
    pub(crate) oidc: bool,
}
