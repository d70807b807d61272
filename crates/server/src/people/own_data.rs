//! What is stored about somebody: taken over from a guest, given out, and removed.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use sqlx::any::AnyRow;
use sqlx::{Any, Column as _, Row as _, Transaction, TypeInfo as _, ValueRef as _};

use super::Person;
use crate::clock::rfc3339;
use crate::db::Database;

/// What stands where a name was.
pub(crate) const DELETED: &str = "(deleted)";

/// What a guest's things become an account's by: `$1` the account, `$2` the guest.
const TAKE_OVER: [&str; 3] = [
    "UPDATE study_sessions SET person = $1 WHERE person = $2",
    "UPDATE goals SET person = $1 WHERE person = $2",
    "UPDATE messages SET person = $1 WHERE person = $2",
];

/// What removes somebody; `$1` is the person.
const REMOVE: [&str; 7] = [
    "DELETE FROM passes WHERE person = $1",
    "DELETE FROM study_sessions WHERE person = $1",
    "DELETE FROM goals WHERE person = $1",
    "DELETE FROM bans WHERE kind = 'person' AND subject = $1",
    "UPDATE bans SET by_person = '' WHERE by_person = $1",
    "UPDATE invites SET created_by = '' WHERE created_by = $1",
    "UPDATE audit_log SET by_person = '' WHERE by_person = $1",
];

/// What takes somebody's name away; `$1` is the person, `$2` what stands in its place.
const ANONYMISE: [&str; 5] = [
    "UPDATE messages SET person = '', display_name = $2 WHERE person = $1",
    "UPDATE moderation_log SET by_person = '', by_name = $2 WHERE by_person = $1",
    "UPDATE moderation_log SET target_person = '', target_name = $2 WHERE target_person = $1",
    "UPDATE reports SET by_person = '', by_name = $2 WHERE by_person = $1",
    "UPDATE reports SET target_person = '', target_name = $2 WHERE target_person = $1",
];

/// What is given out, by what it is called there; `$1` is the person.
const EXPORTED: [(&str, &str); 9] = [
    (
        "studySessions",
        "SELECT id, room_id, started_at_ms, ended_at_ms, studied_ms FROM study_sessions WHERE person = $1 ORDER BY started_at_ms",
    ),
    (
        "studyPhases",
        "SELECT p.session_id, p.started_at_ms, p.ended_at_ms, p.kind FROM study_phases p \
         JOIN study_sessions s ON s.id = p.session_id WHERE s.person = $1 ORDER BY p.started_at_ms",
    ),
    (
        "goals",
        "SELECT id, room_id, text, done, recap, set_at_ms, done_at_ms FROM goals WHERE person = $1 ORDER BY set_at_ms",
    ),
    (
        "messages",
        "SELECT id, room_id, display_name, content, kind, sent_at_ms FROM messages WHERE person = $1 ORDER BY sent_at_ms",
    ),
    ("invites", "SELECT room_id, created_at_ms, expires_at_ms, uses_left FROM invites WHERE created_by = $1"),
    (
        "bans",
        "SELECT room_id, display_name, reason, created_at_ms, expires_at_ms FROM bans WHERE kind = 'person' AND subject = $1",
    ),
    (
        "moderation",
        "SELECT room_id, by_name, action, target_name, reason, at_ms FROM moderation_log \
         WHERE by_person = $1 OR target_person = $1 ORDER BY at_ms",
    ),
    // Who reported somebody is not told to them.
    ("reports", "SELECT room_id, target_name, reason, at_ms FROM reports WHERE by_person = $1 ORDER BY at_ms"),
    ("audit", "SELECT action, detail, at_ms FROM audit_log WHERE by_person = $1 ORDER BY at_ms"),
];

/// The same for what only accounts have; `$1` is the account's id.
const EXPORTED_OF_ACCOUNTS: [(&str, &str); 5] = [
    (
        "account",
        "SELECT id, email, display_name, is_admin, time_zone, on_leaderboard, rest_days, oidc_issuer, oidc_subject, created_at_ms \
         FROM users WHERE id = $1",
    ),
    ("guests", "SELECT id, display_name, created_at_ms FROM guests WHERE claimed_by = $1 ORDER BY created_at_ms"),
    ("memberships", "SELECT room_id, role, since_ms FROM memberships WHERE user_id = $1 ORDER BY since_ms"),
    (
        "ownRooms",
        "SELECT id, name, topic, language, visibility, capacity, created_at_ms FROM rooms WHERE owner_id = $1",
    ),
    (
        "logins",
        "SELECT issued_at_ms, expires_at_ms, used_at_ms, revoked_at_ms FROM refresh_tokens WHERE user_id = $1 ORDER BY issued_at_ms",
    ),
];

/// Gives a guest's study sessions, goals and messages to an account; false when another account has them. Doing it twice is
/// doing it once, and takes over what came meanwhile.
pub(crate) async fn claim_guest(
    db: &Database,
    now_ms: u64,
    account: &Person,
    guest: &Person,
) -> Result<bool, sqlx::Error> {
    // What a running room stored a moment ago.
    db.later().finish().await;
    let mut transaction = db.begin().await?;
    // The row is stored later, so it may not be there yet.
    let insert = "INSERT INTO guests (id, display_name, created_at_ms) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    let insert = sqlx::query(insert).bind(guest.bare_id()).bind(&guest.display_name).bind(now_ms as i64);
    insert.execute(&mut *transaction).await?;
    let claimed =
        sqlx::query("UPDATE guests SET claimed_by = $1 WHERE id = $2 AND (claimed_by IS NULL OR claimed_by = $1)");
    let claimed = claimed.bind(account.bare_id()).bind(guest.bare_id()).execute(&mut *transaction).await?;
    if claimed.rows_affected() == 0 {
        return Ok(false);
    }
    take_over(&mut transaction, &account.id, &guest.id).await?;
    transaction.commit().await?;
    Ok(true)
}

async fn take_over(transaction: &mut Transaction<'static, Any>, account: &str, guest: &str) -> Result<(), sqlx::Error> {
    for statement in TAKE_OVER {
        sqlx::query(statement).bind(account).bind(guest).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Removes somebody: what they said stays, without their name. False when there is no such account.
pub(crate) async fn delete(db: &Database, person: &Person) -> Result<bool, sqlx::Error> {
    db.later().finish().await;
    let mut transaction = db.begin().await?;
    if person.is_account {
        let guests = sqlx::query("SELECT id FROM guests WHERE claimed_by = $1").bind(person.bare_id());
        for row in guests.fetch_all(&mut *transaction).await? {
            let guest: String = row.try_get("id")?;
            remove(&mut transaction, &format!("g:{guest}")).await?;
            sqlx::query("DELETE FROM guests WHERE id = $1").bind(guest).execute(&mut *transaction).await?;
        }
    }
    remove(&mut transaction, &person.id).await?;
    // Refresh tokens and memberships go with the account; rooms stay, and nobody owns them.
    let sql = if person.is_account { "DELETE FROM users WHERE id = $1" } else { "DELETE FROM guests WHERE id = $1" };
    let gone = sqlx::query(sql).bind(person.bare_id()).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(gone.rows_affected() > 0)
}

async fn remove(transaction: &mut Transaction<'static, Any>, person: &str) -> Result<(), sqlx::Error> {
    remove_from_reports(transaction, person).await?;
    for statement in REMOVE {
        sqlx::query(statement).bind(person).execute(&mut **transaction).await?;
    }
    for statement in ANONYMISE {
        sqlx::query(statement).bind(person).bind(DELETED).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Reports carry the last messages of their room, with names.
async fn remove_from_reports(transaction: &mut Transaction<'static, Any>, person: &str) -> Result<(), sqlx::Error> {
    let said = sqlx::query("SELECT DISTINCT participant_id FROM messages WHERE person = $1").bind(person);
    let said = said.fetch_all(&mut **transaction).await?;
    let seats: HashSet<String> = said.iter().map(|row| row.try_get("participant_id")).collect::<Result<_, _>>()?;
    let reports = sqlx::query(
        "SELECT id, context FROM reports WHERE room_id IN (SELECT room_id FROM messages WHERE person = $1)",
    );
    for row in reports.bind(person).fetch_all(&mut **transaction).await? {
        let (id, context): (String, String) = (row.try_get("id")?, row.try_get("context")?);
        let Ok(mut value) = serde_json::from_str(&context) else { continue };
        if without_names(&mut value, &seats) {
            let update = sqlx::query("UPDATE reports SET context = $2 WHERE id = $1");
            update.bind(id).bind(value.to_string()).execute(&mut **transaction).await?;
        }
    }
    Ok(())
}

/// Takes the names off messages from these seats; whether there were some.
fn without_names(value: &mut Value, seats: &HashSet<String>) -> bool {
    match value {
        Value::Array(items) => without_names_in(items.iter_mut(), seats),
        Value::Object(fields) => {
            let is_theirs = fields.get("participantId").and_then(Value::as_str).is_some_and(|id| seats.contains(id));
            if is_theirs && fields.contains_key("displayName") {
                fields.insert("displayName".to_owned(), DELETED.into());
                return true;
            }
            without_names_in(fields.values_mut(), seats)
        }
        _ => false,
    }
}

fn without_names_in<'a>(values: impl Iterator<Item = &'a mut Value>, seats: &HashSet<String>) -> bool {
    let mut is_changed = false;
    for value in values {
        is_changed |= without_names(value, seats);
    }
    is_changed
}

/// Everything that is stored about somebody.
pub(crate) async fn export(db: &Database, now_ms: u64, person: &Person) -> Result<Value, sqlx::Error> {
    db.later().finish().await;
    let mut all = Map::new();
    all.insert("exportedAt".to_owned(), rfc3339(now_ms / 1000).into());
    all.insert("person".to_owned(), person.id.clone().into());
    let of_accounts: &[_] = if person.is_account { &EXPORTED_OF_ACCOUNTS } else { &[] };
    for (name, sql) in of_accounts {
        all.insert((*name).to_owned(), rows(db, sql, person.bare_id()).await?);
    }
    if !person.is_account {
        let sql = "SELECT id, display_name, created_at_ms, claimed_by FROM guests WHERE id = $1";
        all.insert("guest".to_owned(), rows(db, sql, person.bare_id()).await?);
    }
    for (name, sql) in EXPORTED {
        all.insert(name.to_owned(), rows(db, sql, &person.id).await?);
    }
    Ok(Value::Object(all))
}

async fn rows(db: &Database, sql: &'static str, argument: &str) -> Result<Value, sqlx::Error> {
    let rows = sqlx::query(sql).bind(argument).fetch_all(db.pool()).await?;
    Ok(Value::Array(rows.iter().map(object).collect::<Result<_, _>>()?))
}

/// A row as JSON, its columns in camelCase.
fn object(row: &AnyRow) -> Result<Value, sqlx::Error> {
    let mut fields = Map::new();
    for column in row.columns() {
        let index = column.ordinal();
        let value = row.try_get_raw(index)?;
        let value = if value.is_null() {
            Value::Null
        } else if value.type_info().name() == "BIGINT" {
            json!(row.try_get::<i64, _>(index)?)
        } else {
            json!(row.try_get::<String, _>(index)?)
        };
        fields.insert(camel_case(column.name()), value);
    }
    Ok(Value::Object(fields))
}

fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (head, tail) = word.split_at(word.len().min(1));
        name + &head.to_uppercase() + tail
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_called_as_in_the_rest_of_the_contract() {
        for (column, expected) in [("id", "id"), ("started_at_ms", "startedAtMs"), ("oidc_issuer", "oidcIssuer")] {
            assert_eq!(camel_case(column), expected);
        }
    }

    #[test]
    fn names_go_from_the_messages_of_these_seats_only() {
        let message = |id: &str, name: &str| json!({ "participantId": id, "displayName": name, "content": "hello" });
        let mut context = json!({ "messages": [message("a", "Zoë"), message("b", "Bo")] });
        assert!(without_names(&mut context, &HashSet::from(["a".to_owned()])));
        assert_eq!(context, json!({ "messages": [message("a", DELETED), message("b", "Bo")] }));
        assert!(!without_names(&mut context, &HashSet::from(["c".to_owned()])));
    }
}
