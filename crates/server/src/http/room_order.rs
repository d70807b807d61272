//! What those who keep order in a room see and do over REST: invitations, what was said, bans, and what was reported.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use sqlx::Row as _;

use super::openapi::Problems;
use super::room_messages::{
    Ban, BanKind, BanPage, CreateBan, CreateInvite, Invite, MessagePage, ReportEntry, ReportPage,
};
use super::rooms::{RoomId, room_of};
use super::{Shared, client_address, read_json};
use crate::clock::{now_ms, rfc3339};
use crate::db::Database;
use crate::error::{Code, Refusal};
use crate::people::{Person, hash_of, random_secret};
use crate::room::{Actor, Banning, Room, is_staff, read_message, text};

/// Entries on one page, at most and by default.
const PAGE: u32 = 100;
/// Longest reason, in characters.
const MAX_REASON: usize = 200;
/// How long an invitation may be good.
const INVITE_MS: std::ops::RangeInclusive<u64> = 60_000..=90 * 24 * 3_600_000;
const USUAL_INVITE_MS: u64 = 7 * 24 * 3_600_000;
/// How many people one invitation may let in.
const INVITE_USES: std::ops::RangeInclusive<u32> = 1..=1_000;
const USUAL_INVITE_USES: u32 = 50;
/// Invitations of one room that are good at the same time.
const MAX_INVITES: i64 = 100;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/rooms/{id}/invites", post(invite))
        .route("/api/rooms/{id}/messages", get(messages))
        .route("/api/rooms/{id}/bans", get(bans).post(ban).delete(unban_by_query))
        .route("/api/rooms/{id}/bans/{ban_id}", delete(unban))
        .route("/api/rooms/{id}/reports", get(reports))
        .route("/api/rooms/{id}/reports/{report_id}/handled", post(handled))
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Where the page before ended: its `next`.
    #[param(pattern = "^[0-9]{1,19}-[0-9a-f]{32}$")]
    before: Option<String>,
    /// How many, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u32>,
}

/// A page that is asked for: before which moment and id, and how many.
struct Wanted {
    at_ms: i64,
    id: String,
    limit: usize,
}

impl Wanted {
    fn read(query: Result<Query<PageQuery>, QueryRejection>) -> Result<Self, Refusal> {
        let Query(query) = query.map_err(|error| Refusal::bad_request(format!("{}.", error.body_text())))?;
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=PAGE).contains(&limit) {
            return Err(Refusal::bad_request(format!("limit: 1 to {PAGE} are allowed.")));
        }
        let limit = limit as usize;
        let Some(before) = query.before else { return Ok(Self { at_ms: i64::MAX, id: String::new(), limit }) };
        let parsed = before.split_once('-').and_then(|(at_ms, id)| Some((at_ms.parse().ok()?, id)));
        let is_id = |id: &str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let (at_ms, id) = parsed
            .filter(|(at_ms, id)| *at_ms >= 0 && is_id(id))
            .ok_or_else(|| Refusal::bad_request("before: is not one that this server gave out."))?;
        Ok(Self { at_ms, id: id.to_owned(), limit })
    }
}

fn cursor(at_ms: i64, id: &str) -> String {
    format!("{at_ms}-{id}")
}

/// In seconds, as everywhere in REST.
fn moment(at_ms: u64) -> String {
    rfc3339(at_ms / 1_000)
}

fn staff(room: &Room, person: &Person) -> Result<Actor, Refusal> {
    let actor = room.actor(person);
    if is_staff(actor.role) {
        return Ok(actor);
    }
    Err(Refusal::new(Code::Forbidden, "Only the host and moderators of this room can do this."))
}

/// Makes an invitation to a private room.
#[utoipa::path(
    post, path = "/api/rooms/{id}/invites", tag = "rooms", request_body = CreateInvite, security(("person" = [])),
    params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$")),
    responses((status = 201, description = "It is shown this once", body = Invite), Problems)
)]
pub(super) async fn invite(
    State(app): State<Shared>,
    person: Person,
    id: RoomId,
    request: Request,
) -> Result<(StatusCode, Json<Invite>), Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let room = room_of(&app, id)?;
    staff(&room, &person)?;
    let is_empty = request.headers().get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    let has_type = request.headers().contains_key(CONTENT_TYPE);
    let body: CreateInvite = if is_empty && !has_type { CreateInvite::default() } else { read_json(request).await? };
    let (for_ms, uses) = (body.expires_in_ms.unwrap_or(USUAL_INVITE_MS), body.uses.unwrap_or(USUAL_INVITE_USES));
    if !INVITE_MS.contains(&for_ms) {
        return Err(Refusal::bad_request("expiresInMs: one minute to 90 days are allowed."));
    }
    if !INVITE_USES.contains(&uses) {
        return Err(Refusal::bad_request("uses: 1 to 1000 are allowed."));
    }
    let now_ms = now_ms();
    let (secret, expires_at_ms) = (random_secret(), now_ms + for_ms);
    let mut transaction = app.db.begin().await?;
    // Those that are not good any more make room.
    sqlx::query("DELETE FROM invites WHERE room_id = $1 AND (uses_left <= 0 OR expires_at_ms <= $2)")
        .bind(room.id().to_owned())
        .bind(now_ms as i64)
        .execute(&mut *transaction)
        .await?;
    let count = sqlx::query("SELECT COUNT(*) AS count FROM invites WHERE room_id = $1").bind(room.id().to_owned());
    let count: i64 = count.fetch_one(&mut *transaction).await?.try_get("count")?;
    if count >= MAX_INVITES {
        let sentence =
            format!("This room has {count} invitations that are still good; wait until some of them are used.");
        return Err(Refusal::new(Code::RateLimited, sentence));
    }
    let sql = "INSERT INTO invites (token_hash, room_id, created_by, created_at_ms, expires_at_ms, uses_left) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(hash_of(&secret))
        .bind(room.id().to_owned())
        .bind(person.id)
        .bind(now_ms as i64)
        .bind(expires_at_ms as i64)
        .bind(i64::from(uses))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let invite = Invite { invite: secret, expires_at: moment(expires_at_ms), uses_left: uses };
    Ok((StatusCode::CREATED, Json(invite)))
}

/// What was said, for who sits in the room and those who keep order there.
#[utoipa::path(
    get, path = "/api/rooms/{id}/messages", tag = "rooms", security(("person" = [])),
    params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$"), PageQuery),
    responses((status = 200, description = "One page", body = MessagePage), Problems)
)]
pub(super) async fn messages(
    State(app): State<Shared>,
    person: Person,
    id: RoomId,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<MessagePage>, Refusal> {
    let room = room_of(&app, id)?;
    if !room.has_seat(&person.id) {
        staff(&room, &person)
            .map_err(|_| Refusal::new(Code::Forbidden, "What was said here is for those who are in the room."))?;
    }
    let wanted = Wanted::read(query)?;
    let sql = "SELECT id, participant_id, display_name, content, kind, sent_at_ms FROM messages \
               WHERE room_id = $1 AND (sent_at_ms < $2 OR (sent_at_ms = $2 AND id < $3)) \
               ORDER BY sent_at_ms DESC, id DESC LIMIT $4";
    let rows = page(&app.db, sql, &room, &wanted).await?;
    let mut messages = rows.iter().map(read_message).collect::<Result<Vec<_>, _>>()?;
    let has_more = messages.len() > wanted.limit;
    messages.truncate(wanted.limit);
    let next = messages.last().filter(|_| has_more).map(|last| cursor(last.sent_at_ms as i64, &last.id));
    messages.reverse();
    Ok(Json(MessagePage { messages, next }))
}

/// One entry more than is shown, to know whether there is a next page.
async fn page(
    db: &Database,
    sql: &'static str,
    room: &Room,
    wanted: &Wanted,
) -> Result<Vec<sqlx::any::AnyRow>, sqlx::Error> {
    let query = sqlx::query(sql).bind(room.id().to_owned()).bind(wanted.at_ms).bind(wanted.id.clone());
    query.bind(wanted.limit as i64 + 1).fetch_all(db.pool()).await
}

/// Who may not come in.
#[utoipa::path(
    get, path = "/api/rooms/{id}/bans", tag = "rooms", security(("person" = [])),
    params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$"), PageQuery),
    responses((status = 200, description = "One page", body = BanPage), Problems)
)]
pub(super) async fn bans(
    State(app): State<Shared>,
    person: Person,
    id: RoomId,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<BanPage>, Refusal> {
    let room = room_of(&app, id)?;
    staff(&room, &person)?;
    let wanted = Wanted::read(query)?;
    let is_before = |at_ms: u64, id: &str| (at_ms as i64, id) < (wanted.at_ms, wanted.id.as_str());
    let bans = room.bans();
    let mut found = bans.into_iter().filter(|(ban, _)| is_before(ban.created_at_ms, &ban.id));
    let shown: Vec<_> = found.by_ref().take(wanted.limit).collect();
    let last = shown.last().map(|(ban, _)| cursor(ban.created_at_ms as i64, &ban.id));
    let next = found.next().and(last);
    let bans = shown.into_iter().map(|(ban, until_ms)| Ban {
        id: ban.id,
        kind: if ban.is_address { BanKind::Address } else { BanKind::Person },
        display_name: ban.display_name,
        reason: ban.reason,
        created_at: moment(ban.created_at_ms),
        expires_at: until_ms.map(moment),
    });
    Ok(Json(BanPage { bans: bans.collect(), next }))
}

/// Keeps somebody out who sits in the room, or wrote in it.
#[utoipa::path(
    post, path = "/api/rooms/{id}/bans", tag = "rooms", request_body = CreateBan, security(("person" = [])),
    params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$")),
    responses((status = 201, description = "The ban", body = Ban), Problems)
)]
pub(super) async fn ban(
    State(app): State<Shared>,
    person: Person,
    id: RoomId,
    request: Request,
) -> Result<(StatusCode, Json<Ban>), Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let room = room_of(&app, id)?;
    let actor = staff(&room, &person)?;
    let body: CreateBan = read_json(request).await?;
    let reason = text("reason", &body.reason.unwrap_or_default(), 0..=MAX_REASON)?;
    let wrote = who_wrote(&app.db, &room, &body.participant_id).await?;
    let banning = Banning { reason, duration_ms: body.duration_ms, with_address: body.with_address.unwrap_or(false) };
    let id = room.ban_participant(&actor, &body.participant_id, wrote, banning)?;
    let made = room.bans().into_iter().find(|(ban, _)| ban.id == id).ok_or_else(Refusal::internal)?;
    let (ban, until_ms) = made;
    let ban = Ban {
        id: ban.id,
        kind: BanKind::Person,
        display_name: ban.display_name,
        reason: ban.reason,
        created_at: moment(ban.created_at_ms),
        expires_at: until_ms.map(moment),
    };
    Ok((StatusCode::CREATED, Json(ban)))
}

/// Who wrote from this seat.
async fn who_wrote(db: &Database, room: &Room, participant_id: &str) -> Result<Option<Person>, sqlx::Error> {
    let sql =
        "SELECT person, display_name FROM messages WHERE room_id = $1 AND participant_id = $2 AND person <> '' LIMIT 1";
    let query = sqlx::query(sql).bind(room.id().to_owned()).bind(participant_id.to_owned());
    let Some(row) = query.fetch_optional(db.pool()).await? else { return Ok(None) };
    let id: String = row.try_get("person")?;
    let is_account = id.starts_with("u:");
    Ok(Some(Person { id, display_name: row.try_get("display_name")?, is_account, is_admin: false }))
}

/// The room's id and another one in the address.
type TwoIds = Result<Path<(String, String)>, PathRejection>;

/// Ends a ban.
#[utoipa::path(
    delete, path = "/api/rooms/{id}/bans/{ban_id}", tag = "rooms", security(("person" = [])),
    params(
        ("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$"),
        ("ban_id" = String, Path, description = "The ban's id"),
    ),
    responses((status = 204, description = "They may come in again"), Problems)
)]
pub(super) async fn unban(State(app): State<Shared>, person: Person, ids: TwoIds) -> Result<StatusCode, Refusal> {
    let Path((id, ban_id)) = ids.map_err(|_| Refusal::bad_request("The address is not valid UTF-8."))?;
    let room = app.rooms.find(&id)?;
    let actor = staff(&room, &person)?;
    room.unban(&actor, &ban_id)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UnbanQuery {
    /// The ban's.
    id: String,
}

/// Ends a ban; the same as by its own address.
#[utoipa::path(
    delete, path = "/api/rooms/{id}/bans", tag = "rooms", security(("person" = [])),
    params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$"), UnbanQuery),
    responses((status = 204, description = "They may come in again"), Problems)
)]
pub(super) async fn unban_by_query(
    State(app): State<Shared>,
    person: Person,
    id: RoomId,
    query: Result<Query<UnbanQuery>, QueryRejection>,
) -> Result<StatusCode, Refusal> {
    let room = room_of(&app, id)?;
    let actor = staff(&room, &person)?;
    let Query(query) = query.map_err(|error| Refusal::bad_request(format!("{}.", error.body_text())))?;
    room.unban(&actor, &query.id)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was reported, the newest first.
#[utoipa::path(
    get, path = "/api/rooms/{id}/reports", tag = "rooms", security(("person" = [])),
    params(("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$"), PageQuery),
    responses((status = 200, description = "One page", body = ReportPage), Problems)
)]
pub(super) async fn reports(
    State(app): State<Shared>,
    person: Person,
    id: RoomId,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<ReportPage>, Refusal> {
    let room = room_of(&app, id)?;
    staff(&room, &person)?;
    let wanted = Wanted::read(query)?;
    let sql = "SELECT id, room_id, by_name, target_name, reason, context, at_ms, handled_at_ms FROM reports \
               WHERE room_id = $1 AND (at_ms < $2 OR (at_ms = $2 AND id < $3)) ORDER BY at_ms DESC, id DESC LIMIT $4";
    let rows = page(&app.db, sql, &room, &wanted).await?;
    let next = match rows.get(wanted.limit - 1).filter(|_| rows.len() > wanted.limit) {
        Some(last) => Some(cursor(last.try_get("at_ms")?, &last.try_get::<String, _>("id")?)),
        None => None,
    };
    let report = |row: &sqlx::any::AnyRow| -> Result<ReportEntry, sqlx::Error> {
        let handled_at = row.try_get::<Option<i64>, _>("handled_at_ms")?;
        Ok(ReportEntry {
            id: row.try_get("id")?,
            room_id: row.try_get("room_id")?,
            by_name: row.try_get("by_name")?,
            target_name: row.try_get("target_name")?,
            reason: row.try_get("reason")?,
            context: serde_json::from_str(&row.try_get::<String, _>("context")?).unwrap_or_default(),
            reported_at: moment(row.try_get::<i64, _>("at_ms")?.max(0) as u64),
            handled_at: handled_at.map(|at_ms| moment(at_ms.max(0) as u64)),
        })
    };
    let reports = rows.iter().take(wanted.limit).map(report).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(ReportPage { reports, next }))
}

/// Somebody looked after a report.
#[utoipa::path(
    post, path = "/api/rooms/{id}/reports/{report_id}/handled", tag = "rooms", security(("person" = [])),
    params(
        ("id" = String, Path, description = "The room's id", pattern = "^[a-z0-9-]{1,64}$"),
        ("report_id" = String, Path, description = "The report's id"),
    ),
    responses((status = 204, description = "It is noted"), Problems)
)]
pub(super) async fn handled(State(app): State<Shared>, person: Person, ids: TwoIds) -> Result<StatusCode, Refusal> {
    let Path((id, report_id)) = ids.map_err(|_| Refusal::bad_request("The address is not valid UTF-8."))?;
    let room = app.rooms.find(&id)?;
    staff(&room, &person)?;
    let sql = "UPDATE reports SET handled_at_ms = COALESCE(handled_at_ms, $1), handled_by = COALESCE(handled_by, $2) \
               WHERE id = $3 AND room_id = $4";
    let query = sqlx::query(sql).bind(now_ms() as i64).bind(person.id).bind(report_id).bind(id);
    if query.execute(app.db.pool()).await?.rows_affected() == 0 {
        return Err(Refusal::not_found("report"));
    }
    Ok(StatusCode::NO_CONTENT)
}
