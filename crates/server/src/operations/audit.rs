//! Who of those who run the server did what, and when.

use serde::Serialize;
use serde_json::Value;
use sqlx::Row as _;

use crate::App;
use crate::clock::now_ms;
use crate::db::Statement;
use crate::error::Refusal;

/// One act, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuditEntry {
    /// Of this act.
    pub(crate) id: String,
    /// A person, as in `u:` and an account's id; empty: whoever holds the operator's token.
    pub(crate) by: String,
    /// What was done, such as `drain`.
    pub(crate) action: String,
    /// More of it.
    pub(crate) detail: Value,
    /// In milliseconds since the Unix epoch.
    pub(crate) at_ms: u64,
}

/// Notes an act. It is written even when the database is away now.
pub(crate) fn note(app: &App, by: &str, action: &str, detail: &Value) {
    let insert =
        Statement::new("INSERT INTO audit_log (id, by_person, action, detail, at_ms) VALUES ($1, $2, $3, $4, $5)")
            .text(format!("{:032x}", rand::random::<u128>()))
            .text(by)
            .text(action)
            .text(detail.to_string())
            .number(now_ms());
    app.db.later().store(vec![insert]);
    tracing::info!(action, "an administrator acted");
}

/// The acts before this one, or the last ones; newest first.
pub(crate) async fn list(app: &App, before: Option<(u64, &str)>, limit: u32) -> Result<Vec<AuditEntry>, Refusal> {
    let (at_ms, id) = before.map_or((i64::MAX, ""), |(at_ms, id)| (i64::try_from(at_ms).unwrap_or(i64::MAX), id));
    let rows = sqlx::query(
        "SELECT id, by_person, action, detail, at_ms FROM audit_log WHERE at_ms < $1 OR (at_ms = $2 AND id < $3) \
         ORDER BY at_ms DESC, id DESC LIMIT $4",
    )
    .bind(at_ms)
    .bind(at_ms)
    .bind(id.to_owned())
    .bind(i64::from(limit))
    .fetch_all(app.db.pool())
    .await;
    let read = |row: &sqlx::any::AnyRow| -> Result<AuditEntry, sqlx::Error> {
        let detail: String = row.try_get("detail")?;
        Ok(AuditEntry {
            id: row.try_get("id")?,
            by: row.try_get("by_person")?,
            action: row.try_get("action")?,
            detail: serde_json::from_str(&detail).unwrap_or(Value::Null),
            at_ms: row.try_get::<i64, _>("at_ms")?.unsigned_abs(),
        })
    };
    rows.and_then(|rows| rows.iter().map(read).collect()).map_err(|error| {
        tracing::warn!(%error, "the audit log cannot be read");
        Refusal::busy("The database does not answer now; try again.")
    })
}
