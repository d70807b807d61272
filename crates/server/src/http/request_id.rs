//! A name for every HTTP request: in its answer, and on each line that it writes into the log. It is ours, never the asker's.

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument as _, debug, info_span};

use super::Shared;

/// Gives a request its name, and counts it.
pub(super) async fn give(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let id = format!("{:016x}", rand::random::<u64>());
    let method = request.method().clone();
    // The pattern, not the path: what stands in a path may be a secret.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let answered = async {
        let response = next.run(request).await;
        debug!(%method, route = route.as_deref().unwrap_or("-"), status = response.status().as_u16(), "answered");
        response
    };
    let mut response = answered.instrument(info_span!("request", id)).await;
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert("x-request-id", value);
    }
    app.operations.metrics.http_answered(response.status().as_u16());
    response
}
