//! Rooms: which there are, and making, changing and removing them.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;

use super::identity::Account;
use super::messages::RoomList;
use super::openapi::Problems;
use super::room_messages::{ChangeRoom, CreateRoom};
use super::{Shared, client_address, read_json};
use crate::App;
use crate::error::{Code, Refusal};
use crate::operations::audit;
use crate::people::Person;
use crate::room::{About, Change, is_staff};
use crate::signal::messages::{Role, RoomInfo, Visibility};

/// Rooms on one page.
const PAGE: usize = 50;
/// Longest search, in characters: no room is called more.
const MAX_QUERY: usize = 80;
/// A room's password, in characters.
const PASSWORD: std::ops::RangeInclusive<usize> = 4..=200;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/rooms", get(list).post(create))
        .route("/api/rooms/{id}", get(one).patch(change).delete(remove))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// What the name, the topic or the id has to contain.
    #[param(max_length = 80)]
    q: Option<String>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// Only those that who asks has made or is a member of, also those that nobody else finds; for accounts.
    mine: Option<bool>,
}

/// The public rooms, or one's own, page by page.
#[utoipa::path(
    get, path = "/api/rooms", tag = "rooms", params(ListQuery), security((), ("person" = [])),
    responses((status = 200, description = "One page", body = RoomList), Problems)
)]
pub(super) async fn list(
    State(app): State<Shared>,
    person: Result<Person, Refusal>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<RoomList>, Refusal> {
    let Query(query) = query.map_err(|error| Refusal::bad_request(format!("{}.", error.body_text())))?;
    let q = query.q.unwrap_or_default().to_lowercase();
    if q.chars().count() > MAX_QUERY {
        return Err(Refusal::bad_request(format!("q: at most {MAX_QUERY} characters are allowed.")));
    }
    let mine = match query.mine {
        Some(true) => Some(person?),
        _ => None,
    };
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
    let rooms = app.rooms.iter().skip(start);
    let rooms = rooms.filter(|room| mine.as_ref().is_none_or(|person| room.belongs_to(&person.id)));
    let found = rooms.map(|room| match &mine {
        Some(person) => RoomInfo { role: Some(room.actor(person).role), ..room.info_with_timer() },
        None => room.info_with_timer(),
    });
    let is_shown = |room: &RoomInfo| mine.is_some() || room.visibility == Visibility::Public;
    let mut found = found.filter(|room| is_shown(room) && matches(room));
    let rooms: Vec<_> = found.by_ref().take(PAGE).collect();
    let next = found.next().and_then(|_| rooms.last().map(|room| room.id.clone()));
    Ok(Json(RoomList { rooms, next }))
}

/// The id in the address.
pub(super) type RoomId = Result<Path<String>, PathRejection>;

pub(super) fn room_of(app: &App, id: RoomId) -> Result<std::sync::Arc<crate::room::Room>, Refusal> {
    let Path(id) = id.map_err(|_| Refusal::bad_request("The room id is not valid UTF-8."))?;
    app.rooms.find(&id)
}

/// One room. Whoever knows its id may know of it.
#[utoipa::path(
    get, path = "/api/rooms/{id}", tag = "rooms", security((), ("person" = [])), params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$")),
    responses((status = 200, description = "The room", body = RoomInfo), Problems)
)]
pub(super) async fn one(
    State(app): State<Shared>,
    person: Result<Person, Refusal>,
    id: RoomId,
) -> Result<Json<RoomInfo>, Refusal> {
    let room = room_of(&app, id)?;
    let role = person.ok().map(|person| room.actor(&person).role);
    Ok(Json(RoomInfo { role, ..room.info_with_timer() }))
}

/// Makes a room; who makes it is its host.
#[utoipa::path(
    post, path = "/api/rooms", tag = "rooms", request_body = CreateRoom, security(("person" = [])),
    responses((status = 201, description = "The room", body = RoomInfo), Problems)
)]
pub(super) async fn create(
    State(app): State<Shared>,
    Account(owner): Account,
    request: Request,
) -> Result<(StatusCode, Json<RoomInfo>), Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let body: CreateRoom = read_json(request).await?;
    let visibility = body.visibility.unwrap_or_default();
    let password_hash = match body.password {
        Some(password) => Some(Some(hash(&app, visibility, password).await?)),
        None => None,
    };
    let wanted = ChangeRoom {
        name: Some(body.name),
        topic: body.topic,
        language: body.language,
        capacity: body.capacity,
        visibility: Some(visibility),
        policy: body.policy,
        ..ChangeRoom::default()
    };
    let change = Change::of_patch(wanted, password_hash, &app.config.limits, owner.is_admin)?;
    let mut about = About::named("");
    about.apply(change);
    let room = app.rooms.create(&app.db, &owner, about).await?;
    Ok((StatusCode::CREATED, Json(room.info_with_timer())))
}

async fn hash(app: &App, visibility: Visibility, password: String) -> Result<String, Refusal> {
    if visibility != Visibility::Private {
        return Err(Refusal::bad_request("password: only a private room has one."));
    }
    if !PASSWORD.contains(&password.chars().count()) {
        let (least, most) = (PASSWORD.start(), PASSWORD.end());
        return Err(Refusal::bad_request(format!("password: {least} to {most} characters are allowed.")));
    }
    app.doors.hasher.hash(app.doors.hasher.queue()?, password).await
}

/// Changes a room. Hosts and moderators say what is allowed; who finds it and its password are the host's.
#[utoipa::path(
    patch, path = "/api/rooms/{id}", tag = "rooms", request_body = ChangeRoom, security(("person" = [])),
    params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$")),
    responses((status = 200, description = "As it is now", body = RoomInfo), Problems)
)]
pub(super) async fn change(
    State(app): State<Shared>,
    person: Person,
    id: RoomId,
    request: Request,
) -> Result<Json<RoomInfo>, Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let room = room_of(&app, id)?;
    let actor = room.actor(&person);
    if !is_staff(actor.role) {
        return Err(Refusal::new(Code::Forbidden, "Only the host and moderators of this room can change it."));
    }
    let mut body: ChangeRoom = read_json(request).await?;
    if actor.role != Role::Host && (body.visibility.is_some() || body.password.is_some()) {
        return Err(Refusal::new(Code::Forbidden, "Only the host says who finds this room and by which password."));
    }
    let visibility = body.visibility.unwrap_or_else(|| room.info().visibility);
    let password_hash = match body.password.take() {
        Some(Some(password)) => Some(Some(hash(&app, visibility, password).await?)),
        Some(None) => Some(None),
        None if visibility != Visibility::Private => Some(None),
        None => None,
    };
    let change = Change::of_patch(body, password_hash, &app.config.limits, person.is_admin)?;
    room.log_change(&actor);
    room.change(change);
    Ok(Json(room.info_with_timer()))
}

/// Removes a room and all that was said in it. What was studied there stays.
#[utoipa::path(
    delete, path = "/api/rooms/{id}", tag = "rooms", security(("person" = [])),
    params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$")),
    responses((status = 204, description = "It is gone"), Problems)
)]
pub(super) async fn remove(
    State(app): State<Shared>,
    Account(person): Account,
    id: RoomId,
) -> Result<StatusCode, Refusal> {
    let room = room_of(&app, id)?;
    if !room.is_owned_by(&person.id) && !person.is_admin {
        return Err(Refusal::new(Code::Forbidden, "Only who made this room, or an administrator, can delete it."));
    }
    app.rooms.delete(&app.db, &room).await?;
    audit::note(&app, &person.id, "delete-room", &json!({ "roomId": room.id() }));
    Ok(StatusCode::NO_CONTENT)
}
