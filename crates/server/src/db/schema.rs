//! Brings the database up to date: numbered steps, forward only, each in a transaction that nobody else can begin meanwhile.

use sqlx::{AnyPool, Executor as _, Row as _};

use super::{Dialect, OpenError};

/// In their order; the first is version 1. One that was released is never changed.
const STEPS: &[&str] = &[include_str!("../../migrations/0001_first.sql")];

/// Any number that no other program uses for the same database.
const ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(7483920175)";

/// The version of this program.
pub(super) const fn newest() -> i64 {
    STEPS.len() as i64
}

/// Applies what lacks; how many steps that were. Two who start at once wait for each other.
pub(super) async fn migrate(pool: &AnyPool, dialect: Dialect) -> Result<usize, OpenError> {
    let mut applied = 0;
    loop {
        let mut transaction = match dialect {
            Dialect::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await,
            Dialect::Postgres => pool.begin().await,
        }
        .map_err(OpenError::Unreachable)?;
        if dialect == Dialect::Postgres {
            transaction.execute(ADVISORY_LOCK).await.map_err(OpenError::Unreachable)?;
        }
        let create = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";
        transaction.execute(create).await.map_err(OpenError::Unreachable)?;
        let row = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM schema_version")
            .fetch_one(&mut *transaction)
            .await
            .map_err(OpenError::Unreachable)?;
        let version: i64 = row.try_get("version").map_err(OpenError::Unreachable)?;
        if version > newest() {
            return Err(OpenError::Newer { found: version, known: newest() });
        }
        let Some(step) = STEPS.get(version as usize) else {
            transaction.commit().await.map_err(OpenError::Unreachable)?;
            return Ok(applied);
        };
        let version = version + 1;
        let failed = |source| OpenError::Migration { version, source };
        sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(failed)?;
        let note = sqlx::query("INSERT INTO schema_version (version) VALUES ($1)").bind(version);
        note.execute(&mut *transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        applied += 1;
    }
}
