//! Refresh tokens: each is exchanged once for its successor; one that comes again was stolen, and ends all that came of the
//! same login.
//!
//! A client whose answer was lost, and two tabs that ask at once, send the same token twice within moments. That is safe to
//! allow because the successor is made of the token itself ([`Tokens::derive`]): whoever asks twice gets the *same* successor, so
//! the chain never forks. A thief who is that quick holds what the owner holds, and the one of them who uses it second is
//! found out. Nobody is served twice once the successor was used.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};
use tracing::warn;

use super::{Tokens, hash_of, random_id, random_secret};
use crate::db::Database;

/// How long a token can be exchanged.
pub(crate) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How long the same token gets the same successor.
const AGAIN: Duration = Duration::from_secs(10);
/// Logins of one account that last at the same time; the oldest has to go.
const MAX_LOGINS: i64 = 50;
/// Attempts to revoke a family whose tokens are exchanged meanwhile.
const MAX_SWEEPS: usize = 20;

/// A new refresh token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Issued {
    pub(crate) token: String,
    /// Whose.
    pub(crate) user_id: String,
}

/// What is known of a token.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Stored {
    expires_at_ms: u64,
    used_at_ms: Option<u64>,
    revoked_at_ms: Option<u64>,
}

/// What to do about a token that cannot be exchanged in the usual way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verdict {
    /// It has ended, or was ended.
    Ended,
    /// Its successor is given out once more.
    Again,
    /// It was used before.
    Reused,
}

fn verdict(now_ms: u64, token: &Stored, successor: Option<&Stored>) -> Verdict {
    let is_over = |stored: &Stored| stored.revoked_at_ms.is_some() || stored.expires_at_ms <= now_ms;
    let Some(used_at_ms) = token.used_at_ms else { return Verdict::Ended };
    if is_over(token) {
        return Verdict::Ended;
    }
    let is_soon = now_ms.saturating_sub(used_at_ms) <= AGAIN.as_millis() as u64;
    match successor {
        Some(successor) if is_soon && successor.used_at_ms.is_none() && !is_over(successor) => Verdict::Again,
        _ => Verdict::Reused,
    }
}

/// The refresh tokens of everybody.
pub(crate) struct RefreshTokens<'a> {
    pub(crate) db: &'a Database,
    pub(crate) tokens: &'a Tokens,
}

impl RefreshTokens<'_> {
    /// The first one of a new login.
    pub(crate) async fn begin(
        &self,
        transaction: &mut Transaction<'static, Any>,
        now_ms: u64,
        user_id: &str,
    ) -> Result<Issued, sqlx::Error> {
        let issued = Issued { token: random_secret(), user_id: user_id.to_owned() };
        store(transaction, now_ms, &issued, &random_id()).await?;
        // What ended goes with the logins that are too many.
        sqlx::query(
            "DELETE FROM refresh_tokens WHERE user_id = $1 AND family NOT IN (SELECT family FROM refresh_tokens \
             WHERE user_id = $1 AND used_at_ms IS NULL AND revoked_at_ms IS NULL AND expires_at_ms > $2 \
             ORDER BY issued_at_ms DESC, token_hash LIMIT $3)",
        )
        .bind(user_id)
        .bind(now_ms as i64)
        .bind(MAX_LOGINS)
        .execute(&mut **transaction)
        .await?;
        Ok(issued)
    }

    /// The successor of a token; `None` when it is good for nothing.
    pub(crate) async fn exchange(&self, now_ms: u64, token: &str) -> Result<Option<Issued>, sqlx::Error> {
        let hash = hash_of(token);
        let successor = self.tokens.derive("refresh", token);
        let mut transaction = self.db.begin().await?;
        let used = sqlx::query(
            "UPDATE refresh_tokens SET used_at_ms = $2 WHERE token_hash = $1 AND used_at_ms IS NULL \
             AND revoked_at_ms IS NULL AND expires_at_ms > $2 RETURNING family, user_id",
        );
        let used = used.bind(&hash).bind(now_ms as i64).fetch_optional(&mut *transaction).await?;
        if let Some(row) = used {
            let issued = Issued { token: successor, user_id: row.try_get("user_id")? };
            store(&mut transaction, now_ms, &issued, &row.try_get::<String, _>("family")?).await?;
            transaction.commit().await?;
            return Ok(Some(issued));
        }
        let Some((stored, row)) = look_up(&mut transaction, &hash).await? else { return Ok(None) };
        let after = look_up(&mut transaction, &hash_of(&successor)).await?;
        let answer = match verdict(now_ms, &stored, after.as_ref().map(|(stored, _)| stored)) {
            Verdict::Ended => None,
            Verdict::Again => Some(Issued { token: successor, user_id: row.try_get("user_id")? }),
            Verdict::Reused => {
                warn!("a refresh token came a second time: all that came of its login is ended");
                revoke(&mut transaction, now_ms, &row.try_get::<String, _>("family")?).await?;
                None
            }
        };
        transaction.commit().await?;
        Ok(answer)
    }

    /// Ends the login that a token came of.
    pub(crate) async fn end(&self, now_ms: u64, token: &str) -> Result<(), sqlx::Error> {
        let mut transaction = self.db.begin().await?;
        if let Some((_, row)) = look_up(&mut transaction, &hash_of(token)).await? {
            revoke(&mut transaction, now_ms, &row.try_get::<String, _>("family")?).await?;
        }
        transaction.commit().await
    }
}

async fn store(
    transaction: &mut Transaction<'static, Any>,
    now_ms: u64,
    issued: &Issued,
    family: &str,
) -> Result<(), sqlx::Error> {
    let insert = sqlx::query(
        "INSERT INTO refresh_tokens (token_hash, family, user_id, issued_at_ms, expires_at_ms) VALUES ($1, $2, $3, $4, $5)",
    );
    insert
        .bind(hash_of(&issued.token))
        .bind(family)
        .bind(&issued.user_id)
        .bind(now_ms as i64)
        .bind((now_ms + LIFETIME.as_millis() as u64) as i64)
        .execute(&mut **transaction)
        .await
        .map(drop)
}

async fn look_up(
    transaction: &mut Transaction<'static, Any>,
    hash: &str,
) -> Result<Option<(Stored, AnyRow)>, sqlx::Error> {
    let query = sqlx::query(
        "SELECT family, user_id, expires_at_ms, used_at_ms, revoked_at_ms FROM refresh_tokens WHERE token_hash = $1",
    );
    let Some(row) = query.bind(hash).fetch_optional(&mut **transaction).await? else { return Ok(None) };
    let at = |column: &str| row.try_get::<Option<i64>, _>(column).map(|at| at.map(|at| at as u64));
    let stored = Stored {
        expires_at_ms: at("expires_at_ms")?.unwrap_or_default(),
        used_at_ms: at("used_at_ms")?,
        revoked_at_ms: at("revoked_at_ms")?,
    };
    Ok(Some((stored, row)))
}

/// Ends all tokens of a family. PostgreSQL lets another transaction exchange one of them meanwhile, and what that stores is not
/// seen by the statement that waited for it: so until nothing is left to end.
async fn revoke(transaction: &mut Transaction<'static, Any>, now_ms: u64, family: &str) -> Result<(), sqlx::Error> {
    for _ in 0..MAX_SWEEPS {
        let sweep =
            sqlx::query("UPDATE refresh_tokens SET revoked_at_ms = $2 WHERE family = $1 AND revoked_at_ms IS NULL");
        if sweep.bind(family).bind(now_ms as i64).execute(&mut **transaction).await?.rows_affected() == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn a_token_that_comes_again_gets_the_same_or_ends_its_family() {
        let fresh = Stored { expires_at_ms: NOW + 1, ..Stored::default() };
        let used = |ago| Stored { used_at_ms: Some(NOW - ago), ..fresh.clone() };
        let revoked = Stored { revoked_at_ms: Some(NOW), ..used(1) };
        let cases = [
            (fresh.clone(), None, Verdict::Ended),
            (used(0), Some(fresh.clone()), Verdict::Again),
            (used(10_000), Some(fresh.clone()), Verdict::Again),
            (used(10_001), Some(fresh.clone()), Verdict::Reused),
            (used(1), Some(used(0)), Verdict::Reused),
            (used(1), None, Verdict::Reused),
            (used(1), Some(revoked.clone()), Verdict::Reused),
            (revoked.clone(), Some(fresh.clone()), Verdict::Ended),
            (Stored { expires_at_ms: NOW, ..used(1) }, Some(fresh.clone()), Verdict::Ended),
        ];
        for (token, successor, expected) in cases {
            assert_eq!(verdict(NOW, &token, successor.as_ref()), expected, "{token:?} {successor:?}");
        }
    }
}
