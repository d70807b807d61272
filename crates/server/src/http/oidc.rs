//! Signing in by another site's login: the browser leaves by `/api/auth/oidc` and comes back by its callback, which ends on the
//! front page, signed in or with a reason.

use std::net::IpAddr;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::header::{HOST, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use super::auth::{issue, with_refresh};
use super::cookies::{self, Cookie};
use super::{Shared, client_address};
use crate::App;
use crate::clock::now_ms;
use crate::error::{Code, Refusal};
use crate::people::{self, Account, Arrival, Identity, Issued, NewAccount, Oidc, STATE_SECONDS};

const CALLBACK: &str = "/api/auth/oidc/callback";
/// What ties the way back to the way there.
const STATE_COOKIE: &str = "studyhall_oidc";
const STATE_PATH: &str = "/api/auth/oidc";
/// Whom the other site gives no name.
const NAMELESS: &str = "Somebody";

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/auth/oidc", get(depart)).route(CALLBACK, get(arrive))
}

/// To the other site that signs people in.
#[utoipa::path(
    get, path = "/api/auth/oidc", tag = "accounts",
    responses((status = 303, description = "To the other site"), super::openapi::Problems)
)]
pub(super) async fn depart(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    app.doors.visit(client_address(&request, &app.config.trusted_proxies))?;
    let oidc = configured(&app)?;
    let is_https = cookies::is_https(&request, &app.config.trusted_proxies);
    let redirect_uri = redirect_uri(request.headers(), is_https)?;
    let departure = oidc.depart(&app.tokens, now_ms() / 1000, &redirect_uri).await?;
    Ok(with_state(see_other(&departure.url), &departure.cookie, STATE_SECONDS, is_https))
}

fn configured(app: &App) -> Result<&Oidc, Refusal> {
    app.oidc.as_ref().ok_or_else(|| Refusal::not_found("login: this server knows no other site's"))
}

/// What the provider sends the browser back with (RFC 6749 §4.1.2).
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[derive(Deserialize)]
pub(super) struct Returned {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Back from it.
#[utoipa::path(
    get, path = "/api/auth/oidc/callback", tag = "accounts", params(Returned),
    responses((status = 303, description = "Back to our page, signed in or not"), super::openapi::Problems)
)]
pub(super) async fn arrive(
    State(app): State<Shared>,
    returned: Result<Query<Returned>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Response {
    let is_https = cookies::is_https(&request, &app.config.trusted_proxies);
    let address = client_address(&request, &app.config.trusted_proxies);
    let visitor = Visitor { address, is_https, headers: request.headers().clone() };
    let response = match sign_in(&app, returned.ok().map(|Query(returned)| returned), &visitor).await {
        Ok(issued) => with_refresh(see_other("/"), &issued, is_https),
        // A person is looking, so it ends on a page.
        Err(refusal) => {
            refusal.log("signing in by another site");
            see_other(&format!("/?signInError={}", refusal.code.as_str()))
        }
    };
    with_state(response, "", 0, is_https)
}

/// Who comes back.
struct Visitor {
    address: IpAddr,
    is_https: bool,
    headers: HeaderMap,
}

async fn sign_in(app: &App, returned: Option<Returned>, visitor: &Visitor) -> Result<Issued, Refusal> {
    app.doors.visit(visitor.address)?;
    let oidc = configured(app)?;
    let returned = returned.ok_or_else(|| Refusal::bad_request("The other site's answer cannot be read."))?;
    if returned.error.is_some() {
        return Err(Refusal::new(Code::Forbidden, "The other site did not let them in."));
    }
    let (Some(code), Some(state)) = (&returned.code, &returned.state) else {
        return Err(Refusal::bad_request("The other site's answer lacks its code or its state."));
    };
    let cookie = cookies::find(&visitor.headers, STATE_COOKIE).unwrap_or_default();
    let now = now_ms();
    let arrival = Arrival { code, state, cookie };
    let redirect_uri = redirect_uri(&visitor.headers, visitor.is_https)?;
    let identity = oidc.arrive(&app.tokens, now / 1000, &redirect_uri, &arrival).await?;
    let account = account_of(app, now, &identity).await?;
    issue(app, now, &account).await
}

async fn account_of(app: &App, now_ms: u64, identity: &Identity) -> Result<Account, Refusal> {
    let longest = app.config.limits.display_name;
    let name: String = identity.name.as_deref().unwrap_or(NAMELESS).chars().take(longest).collect();
    let display_name = people::display_name(&name, longest).unwrap_or_else(|_| NAMELESS.to_owned());
    let email = identity.email.as_deref().and_then(|email| people::email(email).ok());
    let elsewhere = (identity.issuer.as_str(), identity.subject.as_str());
    let new = NewAccount {
        email: email.as_deref(),
        password_hash: None,
        display_name: &display_name,
        elsewhere: Some(elsewhere),
    };
    let account = people::of_elsewhere(&app.db, now_ms, &new, elsewhere).await?;
    account.ok_or_else(|| Refusal::busy("The account is being made; sign in again in a moment."))
}

/// Where the browser comes back to: as it called us now. The provider knows which addresses are ours.
fn redirect_uri(headers: &HeaderMap, is_https: bool) -> Result<String, Refusal> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let host = host.filter(|host| !host.is_empty() && host.chars().all(is_plain));
    let host = host.ok_or_else(|| Refusal::bad_request("Host: the address of this server is wanted."))?;
    Ok(format!("{}://{host}{CALLBACK}", if is_https { "https" } else { "http" }))
}

fn see_other(url: &str) -> Response {
    match HeaderValue::try_from(url) {
        Ok(url) => (StatusCode::SEE_OTHER, [(LOCATION, url)]).into_response(),
        Err(_) => Refusal::busy("The other site has an address that no browser takes.").into_response(),
    }
}

/// Sent back with a visit from the other site, which `Strict` would not be.
fn with_state(mut response: Response, value: &str, seconds: u64, is_secure: bool) -> Response {
    let cookie = Cookie { name: STATE_COOKIE, value, path: STATE_PATH, seconds, same_site: "Lax", is_secure };
    if let Some(cookie) = cookie.header() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}
