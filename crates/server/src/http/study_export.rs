//! All that somebody studied as a table, for spreadsheets.

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::Row as _;

use super::Shared;
use super::study::{Asker, RangeQuery, positive, range, read, refuse};
use crate::App;
use crate::error::Refusal;

/// Rows that are read at a time.
const ROWS: i64 = 1_000;
const HEADER: &str = "started,ended,seconds,kind,room,session\r\n";

/// Where the table goes on.
#[derive(Clone, Debug, Default)]
struct Place {
    started_at_ms: i64,
    session_id: String,
}

/// Some rows of the table.
struct Rows {
    text: String,
    /// Where the next ones begin, if there may be some.
    next: Option<Place>,
}

/// `GET /api/study/export.csv`
#[utoipa::path(
    get, path = "/api/study/export.csv", tag = "study", params(RangeQuery),
    responses((status = 200, description = "CSV (RFC 4180)"), super::openapi::Problems)
)]
pub(super) async fn export(
    State(app): State<Shared>,
    headers: HeaderMap,
    query: Result<Query<RangeQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let query = read(query)?;
    let asker = Asker::of(&app, &headers, query.tz.as_deref()).await?;
    // Without bounds it is everything.
    let (from_ms, to_ms) = match (&query.from, &query.to) {
        (None, None) => (0, i64::MAX),
        _ => range(&asker, &query, app.studies.now_ms() as i64)?,
    };
    let first = rows(&app, &asker, (from_ms, to_ms), Place::default()).await?;
    // A database that goes away meanwhile breaks the download off: it does not look like the whole.
    let rest = stream::try_unfold((app, asker, first.next), move |(app, asker, next)| async move {
        let Some(place) = next else { return Ok::<_, std::io::Error>(None) };
        let rows = rows(&app, &asker, (from_ms, to_ms), place).await;
        let Rows { text, next } = rows.map_err(|refusal| std::io::Error::other(refusal.sentence))?;
        Ok(Some((text, (app, asker, next))))
    });
    let begin = stream::iter([Ok(HEADER.to_owned()), Ok(first.text)]);
    let body = Body::from_stream(futures_util::StreamExt::chain(begin, rest));
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (CONTENT_DISPOSITION, "attachment; filename=\"studyhall.csv\""),
    ];
    Ok((headers, body).into_response())
}

async fn rows(app: &App, asker: &Asker, (from_ms, to_ms): (i64, i64), after: Place) -> Result<Rows, Refusal> {
    let found = sqlx::query(
        "SELECT p.started_at_ms, p.ended_at_ms, p.kind, s.id, COALESCE(r.name, s.room_id) AS room \
         FROM study_phases p JOIN study_sessions s ON s.id = p.session_id LEFT JOIN rooms r ON r.id = s.room_id \
         WHERE s.person = $1 AND p.ended_at_ms > $2 AND p.started_at_ms < $3 \
         AND (p.started_at_ms > $4 OR (p.started_at_ms = $4 AND s.id > $5)) \
         ORDER BY p.started_at_ms, s.id LIMIT $6",
    )
    .bind(asker.person.as_str())
    .bind(from_ms)
    .bind(to_ms)
    .bind(after.started_at_ms)
    .bind(after.session_id)
    .bind(ROWS)
    .fetch_all(app.db.pool())
    .await
    .map_err(refuse)?;
    let mut text = String::new();
    let mut last = None;
    for row in &found {
        let (line, place) = line(row, &asker.zone).map_err(refuse)?;
        text.push_str(&line);
        last = Some(place);
    }
    let next = last.filter(|_| found.len() as i64 == ROWS);
    Ok(Rows { text, next })
}

fn line(row: &sqlx::any::AnyRow, zone: &TimeZone) -> Result<(String, Place), sqlx::Error> {
    let (started_at_ms, ended_at_ms): (i64, i64) = (row.try_get("started_at_ms")?, row.try_get("ended_at_ms")?);
    let (kind, room, session_id): (String, String, String) =
        (row.try_get("kind")?, row.try_get("room")?, row.try_get("id")?);
    let moment = |at_ms: i64| {
        let moment = Timestamp::from_millisecond(at_ms).unwrap_or_default().to_zoned(zone.clone());
        moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    };
    let seconds = positive(ended_at_ms - started_at_ms + 500) / 1_000;
    let cells = [moment(started_at_ms), moment(ended_at_ms), seconds.to_string(), kind, room, session_id.clone()];
    let line = cells.map(|text| cell(&text)).join(",") + "\r\n";
    Ok((line, Place { started_at_ms, session_id }))
}

/// A cell of a table (RFC 4180). What a spreadsheet would take for a formula is made text.
fn cell(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if !is_formula && !text.contains([',', '"', '\r', '\n']) {
        return text;
    }
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_have_to_be_and_never_formulas() {
        for (text, expected) in [
            ("", ""),
            ("Study Room 1", "Study Room 1"),
            ("O'Brien's", "O'Brien's"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("+49", "\"'+49\""),
            ("-x", "\"'-x\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
