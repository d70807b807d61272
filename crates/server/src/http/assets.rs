//! The web client, embedded at build time. In debug builds it is read from `web/dist` at each request, so that a
//! new build of the client is seen without a new build of the server.

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::compression::CompressionLayer;

use super::Shared;
use crate::error::{Code, Refusal};

/// What `vite build` wrote; nothing when it was not run.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Client;

/// In place of a client that was not built.
const NOT_BUILT: &str = include_str!("not-built.html");
/// Vite puts a hash into the names of these files: what has the name never changes.
const HASHED: &str = "assets/";

/// Addresses that the client draws a page for; those of rooms are told by how they begin.
const PAGES: [&str; 7] = ["", "room", "rooms/new", "sign-in", "sign-up", "account", "study"];

pub(super) fn router() -> Router<Shared> {
    Router::new().fallback(serve).layer(CompressionLayer::new())
}

async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path == "api" || path.starts_with("api/") {
        return Refusal::not_found("address").into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return Refusal::new(Code::MethodNotAllowed, "Only GET and HEAD are allowed here.").into_response();
    }
    if let Some(file) = Client::get(path).filter(|_| !path.is_empty()) {
        return send(path, file, &headers, StatusCode::OK);
    }
    let is_page = path == "index.html"
        || PAGES.contains(&path.trim_end_matches('/'))
        || path.starts_with("room/")
        || (path.starts_with("rooms/") && path.ends_with("/edit"));
    let status = if is_page { StatusCode::OK } else { StatusCode::NOT_FOUND };
    if !is_page && !accepts_html(&headers) {
        return Refusal::not_found("file").into_response();
    }
    // The client draws every page, also the one that says that there is no such page.
    match Client::get("index.html") {
        Some(index) => send("index.html", index, &headers, status),
        None => (StatusCode::SERVICE_UNAVAILABLE, Html(NOT_BUILT)).into_response(),
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn send(path: &str, file: EmbeddedFile, headers: &HeaderMap, status: StatusCode) -> Response {
    let hash: String = file.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    // Weak, because the same page may be sent compressed or not (RFC 9110 §8.8.3.3).
    let etag = format!("W/\"{hash}\"");
    let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let is_known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|known| known.trim() == etag || known.trim() == "*"));
    let mut response = if is_known && status == StatusCode::OK {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut response = (status, Body::from(file.data)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, content_type(path));
        response
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

/// By the ending; what the build of the client can contain.
fn content_type(path: &str) -> HeaderValue {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
    HeaderValue::from_static(match ending {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    })
}
