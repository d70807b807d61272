//! Whether the process runs, whether media can flow, and how much of it does.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::{Peer, Shared, bearer};
use crate::error::{Code, Refusal};
use crate::operations::metrics;

/// What proxies write about those whom they ask for.
const FORWARDED: [HeaderName; 3] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
];

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(figures))
}

/// That the process runs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct Health {
    /// `ok`
    status: &'static str,
}

/// Whether the process runs.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, description = "It runs", body = Health)))]
pub(super) async fn healthz() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether a packet goes through every media worker, and the database answers.
#[utoipa::path(
    get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, description = "Media can flow", body = crate::operations::Readiness),
        (status = 503, description = "What is wrong, or that the server drains", body = crate::operations::Readiness),
    )
)]
pub(super) async fn readyz(State(app): State<Shared>) -> Response {
    let readiness = app.operations.ready.ask(&app).await;
    let status = if readiness.problems.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

/// Figures for Prometheus, in the text format of OpenMetrics.
#[utoipa::path(
    get, path = "/metrics", tag = "operations", security((), ("metrics" = [])),
    responses(
        (status = 200, description = "Figures", content_type = "application/openmetrics-text", body = String),
        super::openapi::Problems,
    )
)]
pub(super) async fn figures(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    let is_allowed = match &app.config.operation.metrics_token {
        Some(token) => bearer::shows(request.headers(), token),
        None => is_this_machine(&request),
    };
    if !is_allowed {
        let sentence = "The metrics are for this machine, or for who shows STUDYHALL_METRICS_TOKEN as a bearer token.";
        return Err(Refusal::new(Code::Unauthorized, sentence));
    }
    let text = metrics::render(&app).await.map_err(|_| Refusal::internal())?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

/// Whether a program on this machine asks for itself: a proxy here that asks for others says so.
fn is_this_machine(request: &Request) -> bool {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    peer.as_ref().is_some_and(IpAddr::is_loopback) && !FORWARDED.iter().any(|name| request.headers().contains_key(name))
}
