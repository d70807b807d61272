//! What was studied: sums, streaks, single sessions, and who studied most.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use sqlx::Row as _;
use tracing::error;

use super::Shared;
use super::study_messages::{
    Leaderboard, LeaderboardEntry, LeaderboardPeriod, StudySession, StudySessions, StudySummary,
};
use super::study_summary::{Day, Piece, date_of, days, monday_of, periods, start_of, streaks, sum};
use crate::App;
use crate::clock::rfc3339;
use crate::db::{Database, is_away};
use crate::error::{Code, Refusal};
use crate::room::is_room_id;

/// Longest time that is summed up.
const MAX_DAYS: i64 = 366;
/// Days of a summary where nothing else is asked for.
const USUAL_DAYS: i64 = 30;
/// How far back streaks are looked for.
const STREAK_DAYS: i64 = 3 * 366;
/// Stretches that one summary looks at: far more than anybody studies in that time.
const MAX_PIECES: i64 = 100_000;
/// Sessions on one page, at most and usually.
const MAX_PAGE: u32 = 100;
const USUAL_PAGE: u32 = 20;
/// Names on a leaderboard.
const MAX_ENTRIES: i64 = 50;
const DAY_MS: i64 = 24 * 3_600_000;

pub(super) fn router() -> Router<Shared> {
    Router::new()
        .route("/api/study/summary", get(summary))
        .route("/api/study/sessions", get(sessions))
        .route("/api/study/leaderboard", get(leaderboard))
        .route("/api/study/export.csv", get(super::study_export::export))
}

/// Who asks.
pub(super) struct Asker {
    /// As in the database.
    pub(super) person: String,
    /// Where their days begin.
    pub(super) zone: TimeZone,
    /// Its IANA name.
    zone_name: String,
    /// Bit 0 is Monday.
    rest_days: i64,
}

/// Who asks, by the token that comes with it.
fn person_of(app: &App, headers: &HeaderMap) -> Result<String, Refusal> {
    let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = value.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        return Err(Refusal::new(Code::Unauthorized, "Send your token: Authorization: Bearer <token>."));
    };
    Ok(app.tokens.verify(token.trim())?.id)
}

impl Asker {
    /// Guests have no settings; a time zone that is asked for comes before the one that is set.
    pub(super) async fn of(app: &App, headers: &HeaderMap, asked_zone: Option<&str>) -> Result<Self, Refusal> {
        let person = person_of(app, headers)?;
        let (set_zone, rest_days) = settings_of(&app.db, &person).await.map_err(refuse)?;
        let zone = match asked_zone {
            Some(name) => TimeZone::get(name)
                .map_err(|_| Refusal::bad_request("tz: is not the name of a time zone, such as Europe/Berlin."))?,
            // One that was renamed since must not keep its owner from what they studied.
            None => TimeZone::get(&set_zone).unwrap_or(TimeZone::UTC),
        };
        let zone_name = zone.iana_name().unwrap_or("UTC").to_owned();
        Ok(Self { person, zone, zone_name, rest_days })
    }

    fn today(&self, now_ms: i64) -> Result<Date, Refusal> {
        date_of(now_ms, &self.zone).map_err(no_such_time)
    }

    fn start_of(&self, date: Date) -> Result<i64, Refusal> {
        start_of(date, &self.zone).map_err(no_such_time)
    }
}

/// Time zone and days of rest.
async fn settings_of(db: &Database, person: &str) -> Result<(String, i64), sqlx::Error> {
    if let Some(account) = person.strip_prefix("u:") {
        let query = sqlx::query("SELECT time_zone, rest_days FROM users WHERE id = $1").bind(account);
        if let Some(row) = query.fetch_optional(db.pool()).await? {
            return Ok((row.try_get("time_zone")?, row.try_get("rest_days")?));
        }
    }
    Ok(("UTC".to_owned(), 0))
}

/// The database is away, or we asked it for nonsense.
pub(super) fn refuse(error: sqlx::Error) -> Refusal {
    if is_away(&error) {
        return Refusal::busy("What was studied cannot be looked up now; try again in a moment.");
    }
    error!(%error, "the database refuses a question about study");
    Refusal::internal()
}

/// Calendars end somewhere.
fn no_such_time(_: jiff::Error) -> Refusal {
    Refusal::bad_request("from, to: such a time cannot be counted with.")
}

pub(super) fn read<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refusal> {
    query.map(|Query(query)| query).map_err(|error| Refusal::bad_request(format!("{}.", error.body_text())))
}

fn rfc3339_ms(at_ms: i64) -> String {
    rfc3339(u64::try_from(at_ms).unwrap_or(0) / 1_000)
}

pub(super) fn positive(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[derive(Debug, Deserialize)]
pub(super) struct RangeQuery {
    /// A day, or a moment.
    pub(super) from: Option<String>,
    /// A day, which is still in it, or a moment, which is not.
    pub(super) to: Option<String>,
    /// IANA name.
    pub(super) tz: Option<String>,
}

/// A day or a moment.
enum Bound {
    Day(Date),
    Moment(i64),
}

impl Bound {
    fn parse(name: &str, text: &str) -> Result<Self, Refusal> {
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Self::Moment(moment.as_millisecond()));
        }
        // The parser also takes the beginning of what is longer, such as a date with an hour.
        match text.parse::<Date>() {
            Ok(date) if text.len() == "2026-11-23".len() => Ok(Self::Day(date)),
            _ => Err(Refusal::bad_request(format!(
                "{name}: a day such as 2026-11-23, or a moment such as 2026-11-23T08:00:00Z."
            ))),
        }
    }
}

/// The moments between which is looked.
pub(super) fn range(asker: &Asker, query: &RangeQuery, now_ms: i64) -> Result<(i64, i64), Refusal> {
    let bound = |name, text: &Option<String>| text.as_deref().map(|text| Bound::parse(name, text)).transpose();
    let to_ms = match bound("to", &query.to)?.unwrap_or(Bound::Day(asker.today(now_ms)?)) {
        Bound::Day(date) => asker.start_of(date.tomorrow().map_err(no_such_time)?)?,
        Bound::Moment(at_ms) => at_ms,
    };
    let from_ms = match bound("from", &query.from)? {
        Some(Bound::Day(date)) => asker.start_of(date)?,
        Some(Bound::Moment(at_ms)) => at_ms,
        None => {
            let last = date_of(to_ms.saturating_sub(1), &asker.zone).map_err(no_such_time)?;
            asker.start_of(last.saturating_sub(jiff::Span::new().days(USUAL_DAYS - 1)))?
        }
    };
    // A day more, for the hours that some days have more.
    if from_ms >= to_ms || to_ms - from_ms > (MAX_DAYS + 1) * DAY_MS {
        return Err(Refusal::bad_request(format!("from, to: from comes before to, by up to {MAX_DAYS} days.")));
    }
    Ok((from_ms, to_ms))
}

/// What somebody studied in this time, as it was; the oldest first.
async fn pieces(app: &App, person: &str, from_ms: i64, to_ms: i64) -> Result<Vec<Piece>, Refusal> {
    let rows = sqlx::query(
        "SELECT p.started_at_ms, p.ended_at_ms, p.kind FROM study_phases p \
         JOIN study_sessions s ON s.id = p.session_id \
         WHERE s.person = $1 AND p.ended_at_ms > $2 AND p.started_at_ms < $3 ORDER BY p.started_at_ms DESC LIMIT $4",
    )
    .bind(person)
    .bind(from_ms)
    .bind(to_ms)
    .bind(MAX_PIECES)
    .fetch_all(app.db.pool())
    .await
    .map_err(refuse)?;
    let piece = |row: &sqlx::any::AnyRow| {
        let kind: String = row.try_get("kind")?;
        Ok(Piece {
            started_at_ms: row.try_get("started_at_ms")?,
            ended_at_ms: row.try_get("ended_at_ms")?,
            is_focus: kind == "focus",
        })
    };
    rows.iter().rev().map(piece).collect::<Result<_, sqlx::Error>>().map_err(refuse)
}

async fn goals_done(app: &App, person: &str, from_ms: i64, to_ms: i64) -> Result<u64, Refusal> {
    let row = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT) AS done FROM goals \
         WHERE person = $1 AND done = 1 AND done_at_ms >= $2 AND done_at_ms < $3",
    )
    .bind(person)
    .bind(from_ms)
    .bind(to_ms)
    .fetch_one(app.db.pool())
    .await
    .map_err(refuse)?;
    Ok(positive(row.try_get("done").map_err(refuse)?))
}

/// How much was studied.
#[utoipa::path(
    get, path = "/api/study/summary", tag = "study", params(RangeQuery),
    responses((status = 200, description = "By day, week and month", body = StudySummary), super::openapi::Problems)
)]
pub(super) async fn summary(
    State(app): State<Shared>,
    headers: HeaderMap,
    query: Result<Query<RangeQuery>, QueryRejection>,
) -> Result<Json<StudySummary>, Refusal> {
    let query = read(query)?;
    let asker = Asker::of(&app, &headers, query.tz.as_deref()).await?;
    let now_ms = app.studies.now_ms() as i64;
    let (from_ms, to_ms) = range(&asker, &query, now_ms)?;
    let today = asker.today(now_ms)?;
    let first = asker.start_of(today.saturating_sub(jiff::Span::new().days(STREAK_DAYS)))?;
    let last = asker.start_of(today.tomorrow().map_err(no_such_time)?)?;
    let goals_done = goals_done(&app, &asker.person, from_ms, to_ms).await?;
    let of_range = pieces(&app, &asker.person, from_ms, to_ms).await?;
    let of_streaks = pieces(&app, &asker.person, first, last).await?;
    let days_of = |from_ms, to_ms, pieces: &[Piece]| days(from_ms, to_ms, &asker.zone, pieces).map_err(no_such_time);
    let (current, longest) = streaks(&days_of(first, last, &of_streaks)?, asker.rest_days);
    let days: Vec<Day> = days_of(from_ms, to_ms, &of_range)?;
    let sum = sum(&days);
    Ok(Json(StudySummary {
        time_zone: asker.zone_name,
        from: rfc3339_ms(from_ms),
        to: rfc3339_ms(to_ms),
        total_ms: sum.total_ms(),
        focus_ms: sum.focus_ms,
        free_ms: sum.free_ms,
        weeks: periods(&days, monday_of),
        months: periods(&days, Date::first_of_month),
        days: periods(&days, |date| date),
        current_streak_days: current,
        longest_streak_days: longest,
        goals_done,
    }))
}

#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[derive(Debug, Deserialize)]
pub(super) struct PageQuery {
    /// Where the page before ended.
    cursor: Option<String>,
    limit: Option<u32>,
}

/// One’s own sessions, newest first.
#[utoipa::path(
    get, path = "/api/study/sessions", tag = "study", params(PageQuery),
    responses((status = 200, description = "One page", body = StudySessions), super::openapi::Problems)
)]
pub(super) async fn sessions(
    State(app): State<Shared>,
    headers: HeaderMap,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<StudySessions>, Refusal> {
    let query = read(query)?;
    let person = person_of(&app, &headers)?;
    let limit = query.limit.unwrap_or(USUAL_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Refusal::bad_request(format!("limit: 1 to {MAX_PAGE} are allowed.")));
    }
    let wrong = || Refusal::bad_request("cursor: is not one that this server gave out.");
    let (before_ms, before_id) = match &query.cursor {
        None => (i64::MAX, ""),
        Some(cursor) => {
            let (at, id) = cursor.split_once('-').ok_or_else(wrong)?;
            (at.parse().map_err(|_| wrong())?, id)
        }
    };
    let rows = sqlx::query(
        "SELECT s.id, s.room_id, COALESCE(r.name, s.room_id) AS room_name, s.started_at_ms, s.ended_at_ms, s.studied_ms, \
         (SELECT CAST(COALESCE(SUM(p.ended_at_ms - p.started_at_ms), 0) AS BIGINT) FROM study_phases p \
          WHERE p.session_id = s.id AND p.kind = 'focus') AS focus_ms \
         FROM study_sessions s LEFT JOIN rooms r ON r.id = s.room_id \
         WHERE s.person = $1 AND (s.started_at_ms < $2 OR (s.started_at_ms = $2 AND s.id < $3)) \
         ORDER BY s.started_at_ms DESC, s.id DESC LIMIT $4",
    )
    .bind(person)
    .bind(before_ms)
    .bind(before_id)
    .bind(i64::from(limit) + 1)
    .fetch_all(app.db.pool())
    .await
    .map_err(refuse)?;
    let has_more = rows.len() > limit as usize;
    let mut next = None;
    let mut sessions = Vec::with_capacity(rows.len());
    for row in rows.iter().take(limit as usize) {
        let session = session(row).map_err(refuse)?;
        let started_at_ms: i64 = row.try_get("started_at_ms").map_err(refuse)?;
        next = has_more.then(|| format!("{started_at_ms}-{}", session.id));
        sessions.push(session);
    }
    Ok(Json(StudySessions { sessions, next }))
}

fn session(row: &sqlx::any::AnyRow) -> Result<StudySession, sqlx::Error> {
    let (total_ms, focus_ms) = (positive(row.try_get("studied_ms")?), positive(row.try_get("focus_ms")?));
    Ok(StudySession {
        id: row.try_get("id")?,
        room_id: row.try_get("room_id")?,
        room_name: row.try_get("room_name")?,
        started_at: rfc3339_ms(row.try_get("started_at_ms")?),
        ended_at: rfc3339_ms(row.try_get("ended_at_ms")?),
        total_ms,
        focus_ms,
        free_ms: total_ms.saturating_sub(focus_ms),
    })
}

#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[derive(Debug, Deserialize)]
pub(super) struct LeaderboardQuery {
    /// Of this room only.
    room: Option<String>,
    period: LeaderboardPeriod,
    /// IANA name.
    tz: Option<String>,
}

/// Who studied most in a room.
#[utoipa::path(
    get, path = "/api/study/leaderboard", tag = "study", params(LeaderboardQuery),
    responses((status = 200, description = "Who wants to be on it", body = Leaderboard), super::openapi::Problems)
)]
pub(super) async fn leaderboard(
    State(app): State<Shared>,
    headers: HeaderMap,
    query: Result<Query<LeaderboardQuery>, QueryRejection>,
) -> Result<Json<Leaderboard>, Refusal> {
    let query = read(query)?;
    let asker = Asker::of(&app, &headers, query.tz.as_deref()).await?;
    if query.room.as_deref().is_some_and(|room| !is_room_id(room)) {
        return Err(Refusal::bad_request("room: is not the id of a room."));
    }
    let now_ms = app.studies.now_ms() as i64;
    let today = asker.today(now_ms)?;
    let from_ms = asker.start_of(match query.period {
        LeaderboardPeriod::Day => today,
        LeaderboardPeriod::Week => monday_of(today),
        LeaderboardPeriod::Month => today.first_of_month(),
    })?;
    // Only accounts can say that they want to be seen here.
    let rows = sqlx::query(
        "SELECT s.person, u.display_name, \
         CAST(SUM(p.ended_at_ms - CASE WHEN p.started_at_ms < $1 THEN $1 ELSE p.started_at_ms END) AS BIGINT) AS total_ms \
         FROM study_phases p JOIN study_sessions s ON s.id = p.session_id JOIN users u ON s.person = 'u:' || u.id \
         WHERE u.on_leaderboard = 1 AND p.ended_at_ms > $1 AND ($2 = '' OR s.room_id = $2) \
         GROUP BY s.person, u.display_name ORDER BY total_ms DESC, s.person LIMIT $3",
    )
    .bind(from_ms)
    .bind(query.room.unwrap_or_default())
    .bind(MAX_ENTRIES)
    .fetch_all(app.db.pool())
    .await
    .map_err(refuse)?;
    let mut entries: Vec<LeaderboardEntry> = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let total_ms = positive(row.try_get("total_ms").map_err(refuse)?);
        let as_long = entries.last().filter(|above| above.total_ms == total_ms);
        let rank = as_long.map_or(index as u32 + 1, |above| above.rank);
        let is_self = row.try_get::<String, _>("person").map_err(refuse)? == asker.person;
        let display_name = row.try_get("display_name").map_err(refuse)?;
        entries.push(LeaderboardEntry { rank, display_name, total_ms, is_self });
    }
    Ok(Json(Leaderboard { period: query.period, from: rfc3339_ms(from_ms), entries }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::Place;

    #[tokio::test]
    async fn accounts_have_settings_and_guests_have_none() {
        let directory = std::env::temp_dir().join(format!("studyhall-test-{:032x}", rand::random::<u128>()));
        let db = Database::open(&Place::Directory(directory.clone())).await.unwrap();
        let insert = "INSERT INTO users (id, display_name, time_zone, rest_days, created_at_ms) VALUES ('1', 'A', 'Asia/Tokyo', 96, 0)";
        sqlx::query(insert).execute(db.pool()).await.unwrap();
        for (person, zone, rest_days) in [("u:1", "Asia/Tokyo", 96), ("g:1", "UTC", 0), ("u:2", "UTC", 0)] {
            assert_eq!(settings_of(&db, person).await.unwrap(), (zone.to_owned(), rest_days), "{person}");
        }
        db.close().await;
        std::fs::remove_dir_all(directory).unwrap();
    }
}
