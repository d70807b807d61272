//! Forgets what nobody needs any more, so that what strangers leave behind does not grow for ever.

use std::time::Duration;

use crate::clock::now_ms;
use crate::db::{Database, Statement};

/// How often.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// A guest who did nothing is forgotten after this: their token has ended long before.
const GUESTS_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Messages of a room that are kept, what was reported there, and what those who keep order did: the newest.
const MESSAGES_KEPT: u64 = 10_000;
const REPORTS_KEPT: u64 = 1_000;
const MODERATION_KEPT: u64 = 10_000;

/// Forgets now and then, for as long as the server runs.
pub(crate) async fn keep_up(db: Database) {
    let mut interval = tokio::time::interval(EVERY);
    loop {
        interval.tick().await;
        db.later().store(forget(now_ms()));
    }
}

fn forget(now_ms: u64) -> Vec<Statement> {
    let guests = "DELETE FROM guests WHERE claimed_by IS NULL AND created_at_ms < $1 \
                  AND NOT EXISTS (SELECT 1 FROM study_sessions WHERE person = 'g:' || guests.id) \
                  AND NOT EXISTS (SELECT 1 FROM goals WHERE person = 'g:' || guests.id) \
                  AND NOT EXISTS (SELECT 1 FROM messages WHERE person = 'g:' || guests.id)";
    vec![
        Statement::new("DELETE FROM refresh_tokens WHERE expires_at_ms < $1").number(now_ms),
        Statement::new(guests).number(now_ms.saturating_sub(GUESTS_AFTER.as_millis() as u64)),
        Statement::new("DELETE FROM bans WHERE expires_at_ms < $1").number(now_ms),
        Statement::new("DELETE FROM invites WHERE expires_at_ms < $1 OR uses_left <= 0").number(now_ms),
        Statement::new(
            "DELETE FROM messages WHERE id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER \
             (PARTITION BY room_id ORDER BY sent_at_ms DESC, id DESC) AS place FROM messages) AS placed WHERE place > $1)",
        )
        .number(MESSAGES_KEPT),
        Statement::new(
            "DELETE FROM reports WHERE id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER \
             (PARTITION BY room_id ORDER BY at_ms DESC, id DESC) AS place FROM reports) AS placed WHERE place > $1)",
        )
        .number(REPORTS_KEPT),
        Statement::new(
            "DELETE FROM moderation_log WHERE id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER \
             (PARTITION BY room_id ORDER BY at_ms DESC, id DESC) AS place FROM moderation_log) AS placed WHERE place > $1)",
        )
        .number(MODERATION_KEPT),
    ]
}
