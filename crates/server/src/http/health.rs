//! Whether the process runs, and whether media can flow.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Shared;
use crate::error::Refusal;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

async fn healthz() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

async fn readyz(State(app): State<Shared>) -> Result<Json<Value>, Refusal> {
    if app.is_draining() {
        return Err(Refusal::busy("The server is stopping."));
    }
    let alive = app.workers.alive();
    if alive == 0 {
        return Err(Refusal::busy("No media worker runs."));
    }
    Ok(Json(json!({ "status": "ok", "workers": alive })))
}
