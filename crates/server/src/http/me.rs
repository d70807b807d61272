//! One's own account, and everything that is stored about oneself.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::tz::TimeZone;

use super::auth::{user, without_refresh, wrong_code};
use super::identity::Account;
use super::messages::{ChangeUser, ClaimGuest, TakeAdministrator, User};
use super::{Shared, client_address, cookies, read_json};
use crate::clock::now_ms;
use crate::error::{Code, Refusal};
use crate::people::{self, Change, Person};

/// All days of the week.
const MAX_REST_DAYS: u8 = 0x7f;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/me", get(read).patch(change).delete(delete))
        .route("/api/me/claim-guest", post(claim_guest))
        .route("/api/me/administrator", post(take_administrator))
        .route("/api/me/export", get(export))
}

/// One’s own account.
#[utoipa::path(
    get, path = "/api/me", tag = "accounts",
    responses((status = 200, description = "The account", body = User), super::openapi::Problems)
)]
pub(super) async fn read(
    State(app): State<Shared>,
    Account(person): Account,
    request: Request,
) -> Result<Json<User>, Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let account = people::find(&app.db, person.bare_id()).await?;
    account.map(|account| Json(user(account))).ok_or_else(gone)
}

/// Whose token is valid yet, and whose account is not there any more.
fn gone() -> Refusal {
    Refusal::new(Code::Unauthorized, "There is no such account any more.")
}

/// Changes it.
#[utoipa::path(
    patch, path = "/api/me", tag = "accounts", request_body = ChangeUser,
    responses((status = 200, description = "The account", body = User), super::openapi::Problems)
)]
pub(super) async fn change(
    State(app): State<Shared>,
    Account(person): Account,
    request: Request,
) -> Result<Json<User>, Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let body: ChangeUser = read_json(request).await?;
    let longest = app.config.limits.display_name;
    let change = Change {
        display_name: body.display_name.map(|name| people::display_name(&name, longest)).transpose()?,
        time_zone: body.time_zone.as_deref().map(time_zone).transpose()?,
        on_leaderboard: body.on_leaderboard,
        rest_days: body.rest_days.map(rest_days).transpose()?,
    };
    let account = people::change(&app.db, person.bare_id(), change).await?;
    account.map(|account| Json(user(account))).ok_or_else(gone)
}

/// The name as the time zone database writes it.
fn time_zone(name: &str) -> Result<String, Refusal> {
    let zone = TimeZone::get(name).ok();
    let name = zone.as_ref().and_then(TimeZone::iana_name).map(str::to_owned);
    name.ok_or_else(|| Refusal::bad_request("timeZone: a name such as Europe/Berlin is wanted."))
}

fn rest_days(days: u8) -> Result<u8, Refusal> {
    if days <= MAX_REST_DAYS {
        Ok(days)
    } else {
        Err(Refusal::bad_request("restDays: 0 to 127 are allowed, bit 0 is Monday."))
    }
}

/// Removes all that is stored about oneself.
#[utoipa::path(
    delete, path = "/api/me", tag = "accounts",
    responses((status = 204, description = "It is gone"), super::openapi::Problems)
)]
pub(super) async fn delete(State(app): State<Shared>, person: Person, request: Request) -> Result<Response, Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let is_https = cookies::is_https(&request, &app.config.trusted_proxies);
    // Who sits in a room gets up first, or what is counted there would be stored again.
    app.rooms.forget_person(&person.id);
    app.studies.forget_person(&person.id);
    people::delete(&app.db, &person).await?;
    app.tokens.end(now_ms() / 1000, &person);
    Ok(without_refresh(StatusCode::NO_CONTENT.into_response(), is_https))
}

/// Takes over what a guest studied.
#[utoipa::path(
    post, path = "/api/me/claim-guest", tag = "accounts", request_body = ClaimGuest,
    responses((status = 204, description = "It is theirs"), super::openapi::Problems)
)]
pub(super) async fn claim_guest(
    State(app): State<Shared>,
    Account(person): Account,
    request: Request,
) -> Result<StatusCode, Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let body: ClaimGuest = read_json(request).await?;
    let guest = app.tokens.verify(&body.guest_token)?;
    if guest.is_account {
        return Err(Refusal::bad_request("guestToken: this is the token of an account."));
    }
    // Who was deleted meanwhile cannot own anything.
    people::find(&app.db, person.bare_id()).await?.ok_or_else(gone)?;
    if people::claim_guest(&app.db, now_ms(), &person, &guest).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::new(Code::AlreadyClaimed, "Another account has the study time of this guest already."))
}

/// Becomes administrator by the one-time code.
#[utoipa::path(
    post, path = "/api/me/administrator", tag = "accounts", request_body = TakeAdministrator,
    responses((status = 200, description = "They are", body = User), super::openapi::Problems)
)]
pub(super) async fn take_administrator(
    State(app): State<Shared>,
    Account(person): Account,
    request: Request,
) -> Result<Json<User>, Refusal> {
    app.doors.login(client_address(&request, &app.config.trusted_proxies))?;
    let body: TakeAdministrator = read_json(request).await?;
    let mut transaction = app.db.begin().await?;
    if !people::take_code(&mut transaction, &body.code).await? {
        return Err(wrong_code());
    }
    people::appoint(&mut transaction, now_ms(), person.bare_id()).await?;
    transaction.commit().await?;
    let account = people::find(&app.db, person.bare_id()).await?;
    account.map(|account| Json(user(account))).ok_or_else(gone)
}

/// All that is stored about oneself.
#[utoipa::path(
    get, path = "/api/me/export", tag = "accounts",
    responses((status = 200, description = "All of it, as JSON"), super::openapi::Problems)
)]
pub(super) async fn export(State(app): State<Shared>, person: Person, request: Request) -> Result<Response, Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let everything = people::export(&app.db, now_ms(), &person).await?;
    let as_a_file = [(CONTENT_DISPOSITION, "attachment; filename=\"studyhall.json\"")];
    Ok((as_a_file, Json(everything)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_are_those_of_iana() {
        for (typed, expected) in
            [("Europe/Berlin", "Europe/Berlin"), ("america/new_york", "America/New_York"), ("UTC", "UTC")]
        {
            assert_eq!(time_zone(typed).as_deref(), Ok(expected));
        }
        for typed in ["", "Europe", "Europe/Nowhere", "+02:00", "CET-1CEST", "../../etc/passwd", &"x".repeat(10_000)] {
            assert!(time_zone(typed).unwrap_err().sentence.starts_with("timeZone: "), "{typed}");
        }
    }
}
