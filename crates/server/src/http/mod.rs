//! HTTP: the REST interface, health, and the embedded web client.

mod admin;
mod assets;
mod auth;
mod bearer;
mod cookies;
mod health;
pub(crate) mod identity;
pub(crate) mod listen;
mod me;
pub(crate) mod messages;
mod oidc;
mod openapi;
mod origin;
mod request_id;
pub(crate) mod room_messages;
mod room_order;
mod rooms;
mod study;
mod study_export;
pub(crate) mod study_messages;
mod study_summary;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use socketioxide::layer::SocketIoLayer;
use tokio::time::timeout;

use crate::App;
use crate::config::Prefix;
use crate::error::{Code, Refusal};
use crate::signal;

pub(crate) type Shared = Arc<App>;

/// Largest body of a REST request.
const MAX_BODY: usize = 16 * 1024;
/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// The address of the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Everything that is served, outermost last.
pub(crate) fn router(app: Shared, socket_io: SocketIoLayer) -> Router {
    let api = Router::new()
        .merge(auth::router())
        .merge(me::router())
        .merge(oidc::router())
        .merge(rooms::router())
        .merge(room_order::router())
        .merge(study::router())
        .merge(health::router())
        .merge(admin::router())
        .merge(openapi::router())
        .method_not_allowed_fallback(method_not_allowed);
    Router::new()
        .merge(api)
        .merge(assets::router())
        .with_state(Arc::clone(&app))
        .layer(socket_io)
        .layer(middleware::from_fn(signal::with_join_rate))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), origin::check))
        .layer(tower_http::timeout::RequestBodyTimeoutLayer::new(BODY_PATIENCE))
        .layer(middleware::from_fn(secure))
        .layer(middleware::from_fn_with_state(app, request_id::give))
}

async fn method_not_allowed() -> Refusal {
    Refusal::new(Code::MethodNotAllowed, "This address does not take this method.")
}

/// Headers that keep a page from being more than it is.
async fn secure(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).cloned();
    let mut response = next.run(request).await;
    let is_unmodified = response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    let is_html = headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let policy = if is_html { page_policy(host.as_ref()) } else { API_POLICY.to_owned() };
    // What is not modified keeps the policy that it came with: headers of a 304 replace those in the browser's cache
    // (RFC 9111 §3.2).
    if !is_unmodified && let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static(PERMISSIONS));
    // What changes must not come out of a cache; files say for themselves how long they are good for.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// A study room needs to see, to hear and to show; nothing else.
const PERMISSIONS: &str = "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), \
                           fullscreen=(self), picture-in-picture=(self), screen-wake-lock=(self), \
                           geolocation=(), payment=(), usb=(), serial=(), midi=()";

/// For what is no page.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// For pages: only what came with the client; its own WebSocket by name, because older browsers do not count it as
/// `'self'`; workers and pictures that it makes itself.
fn page_policy(host: Option<&HeaderValue>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
    let host = host
        .and_then(|host| host.to_str().ok())
        .filter(|host| host.chars().all(is_plain))
        .map(|host| format!(" ws://{host} wss://{host}"))
        .unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; \
         media-src 'self' blob:; connect-src 'self'{host}; worker-src 'self' blob:; manifest-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// Who asks: the other end of the connection, or whom a trusted proxy names.
fn client_address(request: &Request, trusted: &[Prefix]) -> IpAddr {
    let peer = request.extensions().get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0);
    forwarded_for(peer, request.headers(), trusted)
}

/// Whether the other end of the connection is a proxy that is believed.
fn is_trusted_peer(request: &Request, trusted: &[Prefix]) -> bool {
    let peer = request.extensions().get::<Peer>();
    peer.is_some_and(|peer| trusted.iter().any(|prefix| prefix.contains(peer.0)))
}

/// Each proxy appends whom it saw: from the right, the first who is not one of ours. What stands left of that was
/// written by whoever wanted to.
pub(crate) fn forwarded_for(peer: IpAddr, headers: &HeaderMap, trusted: &[Prefix]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|prefix| prefix.contains(address));
    let mut address = peer;
    let hops = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = hops.flat_map(|value| value.split(',')).map(str::trim).collect();
    for hop in hops.iter().rev() {
        if !is_trusted(address) {
            break;
        }
        let Ok(seen) = hop.parse::<IpAddr>() else { break };
        address = seen;
    }
    address
}

/// The body of a request as JSON.
async fn read_json<T: DeserializeOwned>(request: Request) -> Result<T, Refusal> {
    let is_json = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(';').next().is_some_and(|kind| kind.trim() == "application/json"));
    if !is_json {
        return Err(Refusal::bad_request("The body has to be application/json."));
    }
    let bytes = match timeout(BODY_PATIENCE, axum::body::to_bytes(request.into_body(), MAX_BODY)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let sentence = format!("The body is not complete, or larger than {MAX_BODY} bytes.");
            return Err(Refusal::new(Code::TooLarge, sentence));
        }
        Err(_) => return Err(Refusal::new(Code::Timeout, "The body did not come in time.")),
    };
    let value: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|error| Refusal::bad_request(format!("The body is not JSON: {error}.")))?;
    sfu::ortc::parse("body", &value).map_err(|error| Refusal::bad_request(format!("{error}.")))
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.log("an HTTP request");
        let mut response = (self.code.status(), Json(self.problem())).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_trusted_proxy_wrote_is_believed() {
        let trusted: Vec<Prefix> = ["10.0.0.0/8", "2001:db8::/32"].map(|p| p.parse().unwrap()).into();
        let cases = [
            // peer, header, who it is
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
            ("2001:db8::1", "198.51.100.1", "198.51.100.1"),
            ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ];
        for (peer, header, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(header));
            let address = forwarded_for(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(address, expected.parse::<IpAddr>().unwrap(), "{peer} {header:?}");
        }
    }

    #[test]
    fn a_host_that_is_no_host_stays_out_of_the_policy() {
        let good = HeaderValue::from_static("study.example:8100");
        assert!(page_policy(Some(&good)).contains("connect-src 'self' ws://study.example:8100 wss://"));
        let bad = HeaderValue::from_static("x; script-src *");
        assert!(page_policy(Some(&bad)).contains("connect-src 'self';"));
    }
}
