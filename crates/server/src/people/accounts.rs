//! Accounts, as they are stored.

use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};
use unicode_normalization::UnicodeNormalization as _;

use super::random_id;
use crate::db::Database;
use crate::error::Refusal;

/// Longest address of e-mail, in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
const MAX_EMAIL: usize = 254;
/// Longest part before the @ (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Longest label of a domain (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// An account.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) display_name: String,
    pub(crate) is_admin: bool,
    /// IANA name.
    pub(crate) time_zone: String,
    pub(crate) on_leaderboard: bool,
    /// Bit 0 is Monday.
    pub(crate) rest_days: u8,
    pub(crate) created_at_ms: u64,
}

/// What a new account begins with.
pub(crate) struct NewAccount<'a> {
    pub(crate) email: Option<&'a str>,
    pub(crate) password_hash: Option<&'a str>,
    pub(crate) display_name: &'a str,
    /// Issuer and subject of another site's login.
    pub(crate) elsewhere: Option<(&'a str, &'a str)>,
}

/// What is to become different; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) display_name: Option<String>,
    pub(crate) time_zone: Option<String>,
    pub(crate) on_leaderboard: Option<bool>,
    pub(crate) rest_days: Option<u8>,
}

impl Account {
    fn read(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            email: row.try_get("email")?,
            display_name: row.try_get("display_name")?,
            is_admin: row.try_get::<i64, _>("is_admin")? != 0,
            time_zone: row.try_get("time_zone")?,
            on_leaderboard: row.try_get::<i64, _>("on_leaderboard")? != 0,
            rest_days: (row.try_get::<i64, _>("rest_days")? & 0x7f) as u8,
            created_at_ms: row.try_get::<i64, _>("created_at_ms")? as u64,
        })
    }
}

/// The address as it is stored: trimmed, in lower case and normalization form C.
///
/// # Errors
/// When no mail can go there. Whether one arrives nobody asks.
pub(crate) fn email(typed: &str) -> Result<String, Refusal> {
    let wrong = || Refusal::bad_request("email: an address such as name@example.org is wanted.");
    if typed.len() > MAX_EMAIL * 4 {
        return Err(wrong());
    }
    let email: String = typed.trim().to_lowercase().nfc().collect();
    let (local, domain) = email.rsplit_once('@').ok_or_else(wrong)?;
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '@' | '"' | '<' | '>' | ',' | ';');
    let is_label = |label: &str| {
        (1..=MAX_LABEL).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_good = email.len() <= MAX_EMAIL
        && (1..=MAX_LOCAL).contains(&local.len())
        && local.chars().all(is_plain)
        && domain.split('.').all(is_label);
    if is_good { Ok(email) } else { Err(wrong()) }
}

/// Makes an account; `None` when the address, or the login elsewhere, has one already. However many ask at once, one gets it.
pub(crate) async fn create(
    transaction: &mut Transaction<'static, Any>,
    now_ms: u64,
    account: &NewAccount<'_>,
) -> Result<Option<Account>, sqlx::Error> {
    let (issuer, subject) = account.elsewhere.unzip();
    let row = sqlx::query(
        "INSERT INTO users (id, email, password_hash, display_name, oidc_issuer, oidc_subject, created_at_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING \
         RETURNING id, email, display_name, is_admin, time_zone, on_leaderboard, rest_days, created_at_ms",
    )
    .bind(random_id())
    .bind(account.email.map(str::to_owned))
    .bind(account.password_hash.map(str::to_owned))
    .bind(account.display_name.to_owned())
    .bind(issuer.map(str::to_owned))
    .bind(subject.map(str::to_owned))
    .bind(now_ms as i64)
    .fetch_optional(&mut **transaction)
    .await?;
    row.as_ref().map(Account::read).transpose()
}

/// The account with this id.
pub(crate) async fn find(db: &Database, id: &str) -> Result<Option<Account>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT id, email, display_name, is_admin, time_zone, on_leaderboard, rest_days, created_at_ms \
         FROM users WHERE id = $1",
    )
    .bind(id)
    .fetch_optional(db.pool())
    .await?;
    row.as_ref().map(Account::read).transpose()
}

/// The account of an address as it is stored, and its password's hash.
pub(crate) async fn find_by_email(
    db: &Database,
    email: &str,
) -> Result<Option<(Account, Option<String>)>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT id, email, display_name, is_admin, time_zone, on_leaderboard, rest_days, created_at_ms, password_hash \
         FROM users WHERE email = $1",
    )
    .bind(email)
    .fetch_optional(db.pool())
    .await?;
    row.as_ref().map(|row| Ok((Account::read(row)?, row.try_get("password_hash")?))).transpose()
}

/// The account of a login elsewhere; made where there is none. An address that another account has is left out: who owns it
/// here has shown so by a password, and the other site's word does not outweigh that.
pub(crate) async fn of_elsewhere(
    db: &Database,
    now_ms: u64,
    new: &NewAccount<'_>,
    (issuer, subject): (&str, &str),
) -> Result<Option<Account>, sqlx::Error> {
    let mut transaction = db.begin().await?;
    let row = sqlx::query(
        "SELECT id, email, display_name, is_admin, time_zone, on_leaderboard, rest_days, created_at_ms \
         FROM users WHERE oidc_issuer = $1 AND oidc_subject = $2",
    );
    let row = row.bind(issuer).bind(subject).fetch_optional(&mut *transaction).await?;
    let mut account = row.as_ref().map(Account::read).transpose()?;
    if account.is_none() {
        account = create(&mut transaction, now_ms, new).await?;
    }
    if account.is_none() {
        account = create(&mut transaction, now_ms, &NewAccount { email: None, ..*new }).await?;
    }
    transaction.commit().await?;
    Ok(account)
}

/// Changes an account; `None` when there is none.
pub(crate) async fn change(db: &Database, id: &str, change: Change) -> Result<Option<Account>, sqlx::Error> {
    let row = sqlx::query(
        "UPDATE users SET display_name = COALESCE($2, display_name), time_zone = COALESCE($3, time_zone), \
         on_leaderboard = COALESCE($4, on_leaderboard), rest_days = COALESCE($5, rest_days) WHERE id = $1 \
         RETURNING id, email, display_name, is_admin, time_zone, on_leaderboard, rest_days, created_at_ms",
    )
    .bind(id)
    .bind(change.display_name)
    .bind(change.time_zone)
    .bind(change.on_leaderboard.map(i64::from))
    .bind(change.rest_days.map(i64::from))
    .fetch_optional(db.pool())
    .await?;
    row.as_ref().map(Account::read).transpose()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_kept_in_lower_case() {
        let cases = [
            ("Bo@Example.ORG", "bo@example.org"),
            (" bo@example.org ", "bo@example.org"),
            ("o'brien+study@a-b.example", "o'brien+study@a-b.example"),
            ("bo@localhost", "bo@localhost"),
            ("ZOE\u{308}@BU\u{308}CHER.example", "zo\u{eb}@b\u{fc}cher.example"),
        ];
        for (typed, expected) in cases {
            assert_eq!(email(typed).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@b.example", "a".repeat(65));
        let longer = format!("a@{}.example", vec!["b".repeat(60); 5].join("."));
        let huge = format!("a@{}", "b".repeat(100_000));
        let label = format!("a@{}.example", "b".repeat(64));
        let cases = [
            "",
            "bo",
            "@",
            "bo@",
            "@b.example",
            "a b@c.example",
            "a@b@c.example",
            "a@b..example",
            "a@.example",
            "a@-b.example",
            "a@b-.example",
            "a@b_c.example",
            "a\n@b.example",
            "<a@b.example>",
            "a@b.example,c@d.example",
            "a\u{0}@b.example",
            &long,
            &longer,
            &huge,
            &label,
        ];
        for typed in cases {
            let refusal = email(typed).unwrap_err();
            assert!(refusal.sentence.starts_with("email: "), "{typed}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_refused_or_has_one_spelling(typed in "\\PC{0,12}(@\\PC{0,12})?|[a-zA-Zİßéﬁ.]{1,6}@[a-zA-ZİßÉ.-]{1,9}") {
            if let Ok(kept) = email(&typed) {
                prop_assert_eq!(email(&kept), Ok(kept.clone()));
                prop_assert_eq!(email(&typed.to_lowercase()), Ok(kept.clone()));
                prop_assert!(kept.len() <= MAX_EMAIL && kept.matches('@').count() == 1);
            }
        }
    }
}
