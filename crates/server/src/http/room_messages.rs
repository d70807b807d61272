//! The JSON bodies of what is asked and told about rooms over REST. Moments are RFC 3339, UTC; lengths are in milliseconds.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
#[cfg(test)]
use ts_rs::TS;

use crate::signal::messages::{Message, PolicyChange, Visibility};

/// `POST /api/rooms`
#[derive(Deserialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateRoom {
    /// 1 to 80 characters.
    pub(crate) name: String,
    /// Up to 200 characters.
    pub(crate) topic: Option<String>,
    /// BCP 47, such as `en`.
    pub(crate) language: Option<String>,
    /// Seats, at least 1; more than the server's capacity of a room only for administrators.
    pub(crate) capacity: Option<u32>,
    /// Left out: public.
    pub(crate) visibility: Option<Visibility>,
    /// Of a private room: 4 to 200 characters.
    pub(crate) password: Option<String>,
    /// What is left out is as in other rooms.
    pub(crate) policy: Option<PolicyChange>,
}

impl fmt::Debug for CreateRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateRoom").field("name", &self.name).finish_non_exhaustive()
    }
}

/// `PATCH /api/rooms/{id}`; what is left out stays.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeRoom {
    /// 1 to 80 characters.
    pub(crate) name: Option<String>,
    /// Up to 200 characters.
    pub(crate) topic: Option<String>,
    /// BCP 47; empty: not said.
    pub(crate) language: Option<String>,
    /// Seats; who sits keeps the seat.
    pub(crate) capacity: Option<u32>,
    /// Who finds it, and who comes in.
    pub(crate) visibility: Option<Visibility>,
    /// 4 to 200 characters; null: none any more.
    #[serde(default, deserialize_with = "given")]
    #[cfg_attr(test, ts(type = "string | null"))]
    #[schema(value_type = Option<String>)]
    pub(crate) password: Option<Option<String>>,
    /// Whether nobody else is let in.
    pub(crate) locked: Option<bool>,
    /// What is allowed.
    pub(crate) policy: Option<PolicyChange>,
}

impl fmt::Debug for ChangeRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChangeRoom").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Null is something else than nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// `POST /api/rooms/{id}/invites`
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateInvite {
    /// One minute to 90 days; left out: a week.
    #[schema(minimum = 60_000, maximum = 7_776_000_000_u64)]
    pub(crate) expires_in_ms: Option<u64>,
    /// How many people it lets in, 1 to 1000; left out: 50.
    #[schema(minimum = 1, maximum = 1_000)]
    pub(crate) uses: Option<u32>,
}

/// Answer to `POST /api/rooms/{id}/invites`.
#[derive(Clone, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Invite {
    /// For `auth.invite` of the namespace `/room`, and for `?invite=` of the room's page. It is shown this once.
    pub(crate) invite: String,
    /// Until when.
    pub(crate) expires_at: String,
    /// How many people it still lets in.
    pub(crate) uses_left: u32,
}

impl fmt::Debug for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invite").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Answer to `GET /api/rooms/{id}/messages`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct MessagePage {
    /// The oldest of the page first.
    pub(crate) messages: Vec<Message>,
    /// The `before` of the page with older ones; not there on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// Whom a ban keeps out.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[serde(rename_all = "lowercase")]
pub(crate) enum BanKind {
    /// An account or a guest.
    Person,
    /// Everybody from a network.
    Address,
}

/// Somebody who may not come into a room.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ban {
    /// For `moderate` with `unban`.
    pub(crate) id: String,
    /// Whom it keeps out.
    pub(crate) kind: BanKind,
    /// As it was then; to be escaped where it is shown.
    pub(crate) display_name: String,
    /// May be empty.
    pub(crate) reason: String,
    /// Since when.
    pub(crate) created_at: String,
    /// Until when; not there: for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<String>,
}

/// Answer to `GET /api/rooms/{id}/bans`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct BanPage {
    /// The newest first; those whose time is over are not in it.
    pub(crate) bans: Vec<Ban>,
    /// The `before` of the next page; not there on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// `POST /api/rooms/{id}/bans`
#[derive(Clone, Debug, Deserialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateBan {
    /// Who sits in the room, or wrote in it.
    pub(crate) participant_id: String,
    /// Why: up to 200 characters.
    pub(crate) reason: Option<String>,
    /// How long; left out: for good.
    pub(crate) duration_ms: Option<u64>,
    /// Whether also others from the same network are kept out; only of somebody who sits there.
    pub(crate) with_address: Option<bool>,
}

/// What somebody told about somebody.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportEntry {
    /// Which.
    pub(crate) id: String,
    /// Where it was.
    pub(crate) room_id: String,
    /// Who told it; to be escaped where it is shown.
    pub(crate) by_name: String,
    /// About whom; to be escaped where it is shown.
    pub(crate) target_name: String,
    /// What they did.
    pub(crate) reason: String,
    /// The last that was said then.
    pub(crate) context: Vec<Message>,
    /// When.
    pub(crate) reported_at: String,
    /// When somebody looked after it; not there: nobody did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) handled_at: Option<String>,
}

/// Answer to `GET /api/rooms/{id}/reports`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[cfg_attr(test, derive(TS))]
#[cfg_attr(test, ts(optional_fields))]
pub(crate) struct ReportPage {
    /// The newest first.
    pub(crate) reports: Vec<ReportEntry>,
    /// The `before` of the next page; not there on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}
