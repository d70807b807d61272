//! The first administrator: whoever can read the log has a code, good for one account.

use sqlx::{Any, Row as _, Transaction};
use tracing::info;

use super::{hash_of, random_id};
use crate::db::Database;

/// What the code's hash is called among the kept values.
const KEPT_AS: &str = "administrator-code";
/// Letters and digits that are not mistaken for each other, 32 of them: five bits each.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789_";
/// Characters of the code: 125 bits.
const LENGTH: usize = 25;

/// Prints a new code while there is no administrator; the one before is not good any more.
pub(crate) async fn offer_code(db: &Database) -> Result<(), sqlx::Error> {
    let mut transaction = db.begin().await?;
    let row = sqlx::query("SELECT COUNT(*) AS administrators FROM users WHERE is_admin = 1");
    let administrators: i64 = row.fetch_one(&mut *transaction).await?.try_get("administrators")?;
    if administrators > 0 {
        return transaction.commit().await;
    }
    let code = random_code();
    let keep =
        "INSERT INTO kept_values (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    sqlx::query(keep).bind(KEPT_AS).bind(hash_of(&code)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    info!("There is no administrator yet. The account that is made with this code, or enters it, becomes one: {code}");
    Ok(())
}

fn random_code() -> String {
    let bytes: [u8; LENGTH] = rand::random();
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

/// Takes the code, if it is the right one; then it is gone. However many come at once, one takes it.
pub(crate) async fn take_code(transaction: &mut Transaction<'static, Any>, code: &str) -> Result<bool, sqlx::Error> {
    let taken = sqlx::query("DELETE FROM kept_values WHERE name = $1 AND value = $2");
    let taken = taken.bind(KEPT_AS).bind(hash_of(code.trim())).execute(&mut **transaction).await?;
    Ok(taken.rows_affected() == 1)
}

/// Makes an account administrator, and notes that.
pub(crate) async fn appoint(
    transaction: &mut Transaction<'static, Any>,
    now_ms: u64,
    user_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE users SET is_admin = 1 WHERE id = $1").bind(user_id).execute(&mut **transaction).await?;
    let note = "INSERT INTO audit_log (id, by_person, action, detail, at_ms) VALUES ($1, $2, 'administrator-by-code', '{}', $3)";
    let note = sqlx::query(note).bind(random_id()).bind(format!("u:{user_id}")).bind(now_ms as i64);
    note.execute(&mut **transaction).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_long_and_differ() {
        let (one, other) = (random_code(), random_code());
        assert_eq!(one.len(), LENGTH);
        assert_ne!(one, other);
        let different: std::collections::HashSet<_> = ALPHABET.iter().collect();
        assert_eq!(different.len(), ALPHABET.len());
    }
}
