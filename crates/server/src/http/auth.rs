//! Signing in: guests by a name, accounts by e-mail and password, and the next token for who is signed in already.

use axum::extract::{Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::cookies::{self, Cookie, REFRESH};
use super::messages::{AuthMethods, CreateGuest, Guest, Login, Register, SignedIn, User};
use super::{Shared, client_address, read_json};
use crate::App;
use crate::clock::{now_ms, rfc3339};
use crate::db::Statement;
use crate::error::{Code, Refusal};
use crate::people::{self, Account, Issued, NewAccount, RefreshTokens};

/// Where the refresh token is sent to, and nowhere else.
const COOKIE_PATH: &str = "/api/auth";

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/guests", post(create_guest))
        .route("/api/auth/methods", get(methods))
        .route("/api/auth/register", post(register))
        .route("/api/auth/login", post(login))
        .route("/api/auth/refresh", post(refresh))
        .route("/api/auth/logout", post(logout))
}

/// Lets somebody in under a name, without an account.
#[utoipa::path(
    post, path = "/api/guests", tag = "accounts", request_body = CreateGuest,
    responses((status = 201, description = "Their token", body = Guest), super::openapi::Problems)
)]
pub(super) async fn create_guest(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    app.doors.guest(client_address(&request, &app.config.trusted_proxies))?;
    let body: CreateGuest = read_json(request).await?;
    let name = people::display_name(&body.display_name, app.config.limits.display_name)?;
    let now = now_ms();
    let signed = app.tokens.guest(now / 1000, name)?;
    let id = signed.person.bare_id();
    let insert = "INSERT INTO guests (id, display_name, created_at_ms) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    app.db.later().store(vec![Statement::new(insert).text(id).text(&signed.person.display_name).number(now)]);
    let guest = Guest {
        guest_id: id.to_owned(),
        expires_at: rfc3339(signed.expires_at),
        token: signed.token,
        display_name: signed.person.display_name,
    };
    Ok((StatusCode::CREATED, Json(guest)).into_response())
}

/// How one can sign in here.
#[utoipa::path(
    get, path = "/api/auth/methods", tag = "accounts",
    responses((status = 200, description = "What can be used", body = AuthMethods), super::openapi::Problems)
)]
pub(super) async fn methods(State(app): State<Shared>) -> Json<AuthMethods> {
    Json(AuthMethods { oidc: app.config.oidc.is_some() })
}

/// Makes an account.
#[utoipa::path(
    post, path = "/api/auth/register", tag = "accounts", request_body = Register,
    responses((status = 201, description = "Signed in", body = SignedIn), super::openapi::Problems)
)]
pub(super) async fn register(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    app.doors.login(client_address(&request, &app.config.trusted_proxies))?;
    let is_https = cookies::is_https(&request, &app.config.trusted_proxies);
    let body: Register = read_json(request).await?;
    let email = people::email(&body.email)?;
    let display_name = people::display_name(&body.display_name, app.config.limits.display_name)?;
    let password = people::password(&body.password)?;
    let hash = app.doors.hasher.hash(app.doors.hasher.queue()?, password).await?;
    let now = now_ms();
    let mut transaction = app.db.begin().await?;
    let new =
        NewAccount { email: Some(&email), password_hash: Some(&hash), display_name: &display_name, elsewhere: None };
    let Some(mut account) = people::create(&mut transaction, now, &new).await? else {
        return Err(Refusal::new(Code::EmailTaken, "There is an account with this e-mail; sign in instead."));
    };
    if let Some(code) = body.code.as_deref().filter(|code| !code.trim().is_empty()) {
        if !people::take_code(&mut transaction, code).await? {
            return Err(wrong_code());
        }
        people::appoint(&mut transaction, now, &account.id).await?;
        account.is_admin = true;
    }
    let issued = refresh_tokens(&app).begin(&mut transaction, now, &account.id).await?;
    transaction.commit().await?;
    let answer = signed_in(&app, now, account)?;
    Ok(with_refresh((StatusCode::CREATED, Json(answer)).into_response(), &issued, is_https))
}

pub(super) fn wrong_code() -> Refusal {
    let sentence = "This code is not right, or was used; while there is no administrator, each start prints a new one.";
    Refusal::new(Code::Forbidden, sentence)
}

/// Signs somebody in.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "accounts", request_body = Login,
    responses((status = 200, description = "Signed in", body = SignedIn), super::openapi::Problems)
)]
pub(super) async fn login(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    app.doors.login(client_address(&request, &app.config.trusted_proxies))?;
    let is_https = cookies::is_https(&request, &app.config.trusted_proxies);
    let body: Login = read_json(request).await?;
    // What cannot be right costs no hash and tells nothing: the shape is known to who asks.
    let email = people::email(&body.email)?;
    let password = people::password(&body.password)?;
    let turn = app.doors.hasher.queue()?;
    app.doors.attempt(now_ms(), &email)?;
    let (account, hash) = people::find_by_email(&app.db, &email).await?.unzip();
    let is_right = app.doors.hasher.verify(turn, password, hash.flatten()).await?;
    let Some(account) = account.filter(|_| is_right) else {
        return Err(Refusal::new(Code::WrongPassword, "This e-mail and this password do not belong together."));
    };
    app.doors.was_right(&email);
    begin_login(&app, account, is_https).await
}

/// Signs in whoever has shown who they are.
pub(super) async fn begin_login(app: &App, account: Account, is_https: bool) -> Result<Response, Refusal> {
    let now = now_ms();
    let issued = issue(app, now, &account).await?;
    let answer = signed_in(app, now, account)?;
    Ok(with_refresh(Json(answer).into_response(), &issued, is_https))
}

/// The first refresh token of a login.
pub(super) async fn issue(app: &App, now_ms: u64, account: &Account) -> Result<Issued, Refusal> {
    let mut transaction = app.db.begin().await?;
    let issued = refresh_tokens(app).begin(&mut transaction, now_ms, &account.id).await?;
    transaction.commit().await?;
    Ok(issued)
}

/// The next token, by the refresh cookie.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "accounts",
    responses((status = 200, description = "The next token", body = SignedIn), super::openapi::Problems)
)]
pub(super) async fn refresh(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let is_https = cookies::is_https(&request, &app.config.trusted_proxies);
    let ended = || Refusal::new(Code::Unauthorized, "This login has ended; sign in again.");
    let token = cookies::find(request.headers(), REFRESH).ok_or_else(ended)?;
    let now = now_ms();
    let Some(issued) = refresh_tokens(&app).exchange(now, token).await? else {
        return Ok(without_refresh(ended().into_response(), is_https));
    };
    let account = people::find(&app.db, &issued.user_id).await?.ok_or_else(ended)?;
    let answer = signed_in(&app, now, account)?;
    Ok(with_refresh(Json(answer).into_response(), &issued, is_https))
}

/// Signs out, everywhere that this login came to.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "accounts",
    responses((status = 204, description = "Signed out"), super::openapi::Problems)
)]
pub(super) async fn logout(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let is_https = cookies::is_https(&request, &app.config.trusted_proxies);
    if let Some(token) = cookies::find(request.headers(), REFRESH) {
        refresh_tokens(&app).end(now_ms(), token).await?;
    }
    Ok(without_refresh(StatusCode::NO_CONTENT.into_response(), is_https))
}

fn refresh_tokens(app: &App) -> RefreshTokens<'_> {
    RefreshTokens { db: &app.db, tokens: &app.tokens }
}

fn signed_in(app: &App, now_ms: u64, account: Account) -> Result<SignedIn, Refusal> {
    let name = account.display_name.clone();
    let signed = app.tokens.account(now_ms / 1000, &account.id, name, account.is_admin)?;
    Ok(SignedIn { token: signed.token, expires_at: rfc3339(signed.expires_at), user: user(account) })
}

/// An account, to its owner.
pub(super) fn user(account: Account) -> User {
    User {
        id: format!("u:{}", account.id),
        email: account.email,
        display_name: account.display_name,
        is_admin: account.is_admin,
        time_zone: account.time_zone,
        on_leaderboard: account.on_leaderboard,
        rest_days: account.rest_days,
        created_at: rfc3339(account.created_at_ms / 1000),
    }
}

pub(super) fn with_refresh(mut response: Response, issued: &Issued, is_secure: bool) -> Response {
    set_refresh(response.headers_mut(), &issued.token, people::REFRESH_LIFETIME.as_secs(), is_secure);
    response
}

pub(super) fn without_refresh(mut response: Response, is_secure: bool) -> Response {
    set_refresh(response.headers_mut(), "", 0, is_secure);
    response
}

fn set_refresh(headers: &mut HeaderMap, value: &str, seconds: u64, is_secure: bool) {
    let cookie = Cookie { name: REFRESH, value, path: COOKIE_PATH, seconds, same_site: "Strict", is_secure };
    if let Some(cookie) = cookie.header() {
        headers.append(SET_COOKIE, cookie);
    }
}
