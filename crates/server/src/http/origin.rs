//! Which sites' pages may use this server: our own, and those that were allowed. Checked in one place for the REST
//! interface and for Socket.IO, over polling and WebSocket alike; WebSockets know no CORS.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::App;
use crate::error::{Code, Refusal};

/// How long a browser may remember the answer to a preflight, in seconds.
const PREFLIGHT_SECONDS: &str = "600";

enum Origin {
    /// No page asks, or one of ours.
    Own,
    /// A page of a site that was allowed.
    Allowed(HeaderValue),
    /// Any other page.
    Foreign,
}

pub(super) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !path.starts_with("/api/") && !path.starts_with("/socket.io") {
        return next.run(request).await;
    }
    let allowed = match origin_of(request.headers(), &app.config.allowed_origins) {
        Origin::Own => return next.run(request).await,
        Origin::Foreign => {
            let sentence = "Pages of this site may not use this server; STUDYHALL_ALLOWED_ORIGINS lets them in.";
            return Refusal::new(Code::OriginNotAllowed, sentence).into_response();
        }
        Origin::Allowed(origin) => origin,
    };
    let is_preflight =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
    // The refresh token is a cookie.
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.append(VARY, HeaderValue::from_static("origin"));
    if is_preflight {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, authorization"));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_SECONDS));
    }
    response
}

fn origin_of(headers: &HeaderMap, allowed: &[String]) -> Origin {
    let Some(origin) = headers.get(ORIGIN) else { return Origin::Own };
    let Ok(text) = origin.to_str() else { return Origin::Foreign };
    let text = text.to_ascii_lowercase();
    // The scheme is not ours to know: behind a proxy that ends TLS, a page came by https and we are asked by http.
    let own = headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_ascii_lowercase);
    let authority = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    if authority.is_some() && authority == own.as_deref() {
        return Origin::Own;
    }
    if allowed.contains(&text) { Origin::Allowed(origin.clone()) } else { Origin::Foreign }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_ours_or_allowed_or_foreign() {
        let allowed = ["https://school.example".to_owned()];
        let cases = [
            ("study.example", None, "own"),
            ("study.example", Some("https://study.example"), "own"),
            ("study.example:8100", Some("http://study.example:8100"), "own"),
            ("Study.Example", Some("https://study.example"), "own"),
            ("study.example", Some("https://school.example"), "allowed"),
            ("study.example", Some("http://school.example"), "foreign"),
            ("study.example", Some("https://study.example:8443"), "foreign"),
            ("study.example", Some("https://study.example.evil.example"), "foreign"),
            ("study.example", Some("null"), "foreign"),
            ("study.example", Some("study.example"), "foreign"),
        ];
        for (host, origin, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            if let Some(origin) = origin {
                headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            let found = match origin_of(&headers, &allowed) {
                Origin::Own => "own",
                Origin::Allowed(_) => "allowed",
                Origin::Foreign => "foreign",
            };
            assert_eq!(found, expected, "{origin:?} at {host}");
        }
    }
}
