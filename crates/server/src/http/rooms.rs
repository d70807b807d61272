//! The list of rooms.

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;

use super::Shared;
use super::messages::RoomList;
use crate::error::Refusal;
use crate::signal::messages::RoomInfo;

/// Rooms on one page.
const PAGE: usize = 50;
/// Longest search, in characters: no room is called more.
const MAX_QUERY: usize = 80;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/rooms", get(list)).route("/api/rooms/{id}", get(one))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// What the name, the topic or the id has to contain.
    #[param(max_length = 80)]
    q: Option<String>,
    /// Where the page before ended.
    cursor: Option<String>,
}

/// The public rooms, page by page.
#[utoipa::path(
    get, path = "/api/rooms", tag = "rooms", params(ListQuery),
    responses((status = 200, description = "One page", body = RoomList), super::openapi::Problems)
)]
pub(super) async fn list(
    State(app): State<Shared>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<RoomList>, Refusal> {
    let Query(query) = query.map_err(|error| Refusal::bad_request(format!("{}.", error.body_text())))?;
    let q = query.q.unwrap_or_default().to_lowercase();
    if q.chars().count() > MAX_QUERY {
        return Err(Refusal::bad_request(format!("q: at most {MAX_QUERY} characters are allowed.")));
    }
    let start = match &query.cursor {
        None => 0,
        Some(cursor) => app
            .rooms
            .position(cursor)
            .map(|last| last + 1)
            .ok_or_else(|| Refusal::bad_request("cursor: is not one that this server gave out."))?,
    };
    let matches =
        |room: &RoomInfo| [&room.name, &room.topic, &room.id].iter().any(|text| text.to_lowercase().contains(&q));
    let mut found = app.rooms.iter().skip(start).map(|room| room.info_with_timer()).filter(matches);
    let rooms: Vec<_> = found.by_ref().take(PAGE).collect();
    let next = found.next().and_then(|_| rooms.last().map(|room| room.id.clone()));
    Ok(Json(RoomList { rooms, next }))
}

/// One room.
#[utoipa::path(
    get, path = "/api/rooms/{id}", tag = "rooms", params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$")),
    responses((status = 200, description = "The room", body = RoomInfo), super::openapi::Problems)
)]
pub(super) async fn one(
    State(app): State<Shared>,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Json<RoomInfo>, Refusal> {
    let Path(id) = id.map_err(|_| Refusal::bad_request("The room id is not valid UTF-8."))?;
    Ok(Json(app.rooms.find(&id)?.info_with_timer()))
}
