//! For those who run the server: what happens in it now, what was done, and two acts. Each act is noted.

use axum::extract::FromRequestParts;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::identity::Administrator;
use super::openapi::Problems;
use super::{Shared, bearer};
use crate::error::{Code, Refusal};
use crate::operations::audit::{self, AuditEntry};
use crate::room::LiveRoom;

/// Acts on one page, at most and by default.
const PAGE: u32 = 100;
/// Longest cursor: two numbers and what is between them.
const MAX_CURSOR: usize = 64;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/admin/rooms", get(rooms))
        .route("/api/admin/audit", get(acts))
        .route("/api/admin/drain", post(drain))
        .route("/api/admin/participants/{id}", delete(remove))
}

/// Somebody who runs the server.
pub(crate) struct Admin {
    /// Their account as `u:…`; empty: whoever holds the operator's token.
    pub(crate) person: String,
}

/// By the operator's token, or by that of an account which the database says is an administrator's.
impl FromRequestParts<Shared> for Admin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Refusal> {
        let token = app.config.operation.admin_token.as_ref();
        if token.is_some_and(|token| bearer::shows(&parts.headers, token)) {
            return Ok(Self { person: String::new() });
        }
        match Administrator::from_request_parts(parts, app).await {
            Ok(Administrator(person)) => Ok(Self { person: person.id }),
            Err(refusal) if refusal.code == Code::Unauthorized => Err(Refusal::new(
                Code::Unauthorized,
                "This is for administrators: show the token of an administrator's account, or the operator's, as a bearer token.",
            )),
            Err(refusal) => Err(refusal),
        }
    }
}

/// Answer to `GET /api/admin/rooms`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct LiveRooms {
    /// Those where somebody is.
    rooms: Vec<LiveRoom>,
}

/// The rooms where somebody is, with their media.
#[utoipa::path(
    get, path = "/api/admin/rooms", tag = "admin", security(("admin" = [])),
    responses(
        (status = 200, description = "They and their media", body = LiveRooms),
        Problems,
    )
)]
pub(super) async fn rooms(State(app): State<Shared>, _: Admin) -> Result<Json<LiveRooms>, Refusal> {
    let mut rooms = Vec::new();
    for room in app.rooms.iter() {
        rooms.extend(room.live().await);
    }
    Ok(Json(LiveRooms { rooms }))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActsQuery {
    /// Where the page before ended.
    #[param(pattern = "^[0-9]{1,19}-[0-9a-f]{32}$")]
    before: Option<String>,
    /// How many, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// Answer to `GET /api/admin/audit`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Acts {
    /// Newest first.
    entries: Vec<AuditEntry>,
    /// The `before` of the next page; not there on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What administrators did.
#[utoipa::path(
    get, path = "/api/admin/audit", tag = "admin", security(("admin" = [])), params(ActsQuery),
    responses(
        (status = 200, description = "One page", body = Acts),
        Problems,
    )
)]
pub(super) async fn acts(
    State(app): State<Shared>,
    _: Admin,
    query: Result<Query<ActsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Acts>, Refusal> {
    let Query(query) = query.map_err(|error| Refusal::bad_request(format!("{}.", error.body_text())))?;
    let limit = query.limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(Refusal::bad_request(format!("limit: 1 to {PAGE} are allowed.")));
    }
    let parse = |cursor: &str| {
        let (at_ms, id) = cursor.split_once('-').filter(|_| cursor.len() <= MAX_CURSOR)?;
        let is_id = id.chars().all(|c| c.is_ascii_hexdigit());
        is_id.then(|| Some((at_ms.parse::<u64>().ok()?, id.to_owned())))?
    };
    let refused = || Refusal::bad_request("before: is not one that this server gave out.");
    let before = query.before.as_deref().map(|cursor| parse(cursor).ok_or_else(refused)).transpose()?;
    let before = before.as_ref().map(|(at_ms, id)| (*at_ms, id.as_str()));
    let mut entries = audit::list(&app, before, limit + 1).await?;
    let has_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| has_more).map(|last| format!("{}-{}", last.at_ms, last.id));
    Ok(Json(Acts { entries, next }))
}

/// Answer to `POST /api/admin/drain`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Draining {
    /// Always true.
    draining: bool,
    /// How many people are still there.
    seats_taken: u32,
}

/// Takes nobody in any more: `/readyz` says so, and who is there stays until they leave or the process is stopped.
#[utoipa::path(
    post, path = "/api/admin/drain", tag = "admin", security(("admin" = [])),
    responses(
        (status = 202, description = "It drains", body = Draining),
        Problems,
    )
)]
pub(super) async fn drain(State(app): State<Shared>, admin: Admin) -> Result<(StatusCode, Json<Draining>), Refusal> {
    let seats_taken = app.rooms.iter().map(|room| room.info().occupancy).sum();
    if app.begin_draining() {
        audit::note(&app, &admin.person, "drain", &json!({ "seatsTaken": seats_taken }));
    }
    Ok((StatusCode::ACCEPTED, Json(Draining { draining: true, seats_taken })))
}

/// Sends somebody out of their room. They may come back.
#[utoipa::path(
    delete, path = "/api/admin/participants/{id}", tag = "admin", security(("admin" = [])),
    params(("id" = String, Path, description = "The participant's id, as in /api/admin/rooms")),
    responses(
        (status = 204, description = "They are gone"),
        Problems,
    )
)]
pub(super) async fn remove(
    State(app): State<Shared>,
    admin: Admin,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<StatusCode, Refusal> {
    let Path(id) = id.map_err(|_| Refusal::bad_request("The participant's id is not valid UTF-8."))?;
    let room = app.rooms.iter().find(|room| room.send_away(&id)).ok_or_else(|| Refusal::not_found("participant"))?;
    audit::note(&app, &admin.person, "remove-participant", &json!({ "participantId": id, "roomId": room.id() }));
    Ok(StatusCode::NO_CONTENT)
}
