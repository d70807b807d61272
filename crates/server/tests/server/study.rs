//! Time studied: counted by the server, and told over REST.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::client::{Client, Heard, Transport};
use super::data::{Data, Kind, on_both};
use super::harness::{Response, TestServer, start, start_on};

const ROOM: &str = "study-room-1";

/// A new guest: token, and who that is in the database.
async fn guest(server: &TestServer, name: &str) -> (String, String) {
    let body = json!({ "displayName": name }).to_string();
    let guest = server.post("/api/guests", &body).await.json();
    (guest["token"].as_str().unwrap().to_owned(), format!("g:{}", guest["guestId"].as_str().unwrap()))
}

async fn ask(server: &TestServer, token: &str, path: &str) -> Response {
    server.request("GET", path, &[("authorization", &format!("Bearer {token}"))], "").await
}

async fn answer(server: &TestServer, token: &str, path: &str) -> Value {
    let response = ask(server, token, path).await;
    assert_eq!(response.status, 200, "{path}: {}", response.body);
    response.json()
}

async fn sit(server: &TestServer, token: &str) -> Client {
    let auth = json!({ "token": token, "roomId": ROOM });
    let mut client = Client::connect(server, Transport::WebSocket, "/room", &auth).await;
    assert_eq!(client.next().await, Heard::Connected);
    client.event("room-state").await;
    client
}

/// A session of one stretch.
async fn store(data: &Data, id: &str, person: &str, kind: &str, (from, to): (i64, i64)) {
    let length = to - from;
    data.execute(&format!(
        "INSERT INTO study_sessions (id, person, room_id, started_at_ms, ended_at_ms, studied_ms) \
         VALUES ('{id}', '{person}', '{ROOM}', {from}, {to}, {length})"
    ))
    .await;
    data.execute(&format!(
        "INSERT INTO study_phases (session_id, started_at_ms, ended_at_ms, kind) VALUES ('{id}', {from}, {to}, '{kind}')"
    ))
    .await;
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// 2026-10-24T22:00:00Z: midnight in Berlin, and the beginning of a day of 25 hours.
const LONG_DAY: i64 = 1_792_879_200_000;

on_both! {
    async fn what_is_studied_is_stored_while_it_goes_on_and_once(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        let (token, _) = guest(&server, "Alice").await;
        let alice = sit(&server, &token).await;
        let _other_tab = sit(&server, &token).await;
        server.pass(Duration::from_secs(90));
        // Nobody has left: that is what a server that is killed now leaves.
        let total = "SELECT CAST(studied_ms AS TEXT) FROM study_sessions";
        let is_of = |minimum: i64| move |text: &str| (minimum..minimum + MINUTE).contains(&text.parse().unwrap());
        data.text_where(total, is_of(90_000)).await;
        alice.request("timer-start", &json!({ "preset": "25/5" })).await;
        // Twenty-five minutes of focus, and two of the break.
        server.pass(Duration::from_secs(27 * 60));
        data.text_where(total, is_of(90_000 + 25 * MINUTE)).await;
        drop(alice);
        let again = sit(&server, &token).await;
        again.request_bare("timer-reset").await;
        server.pass(Duration::from_secs(10 * 60));
        data.text_where(total, is_of(90_000 + 35 * MINUTE)).await;
        server.begin_stop();
        server.stopped().await;
        assert_eq!(data.texts("SELECT kind FROM study_phases ORDER BY started_at_ms").await, ["free", "focus", "free"]);
        assert_eq!(data.texts(total).await.len(), 1);
        let differing = "SELECT s.id FROM study_sessions s WHERE s.studied_ms <> \
            (SELECT SUM(p.ended_at_ms - p.started_at_ms) FROM study_phases p WHERE p.session_id = s.id)";
        assert_eq!(data.texts(differing).await, [] as [&str; 0]);
    }
}

on_both! {
    async fn a_summary_counts_in_the_days_of_a_time_zone(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let (token, person) = guest(&server, "Alice").await;
        // Half an hour before midnight to twenty minutes after it; then the whole of the long day but the first hour.
        store(&data, "a", &person, "focus", (LONG_DAY - 30 * MINUTE, LONG_DAY + 20 * MINUTE)).await;
        store(&data, "b", &person, "free", (LONG_DAY + HOUR, LONG_DAY + 25 * HOUR)).await;
        store(&data, "c", "g:somebody else", "free", (LONG_DAY, LONG_DAY + HOUR)).await;
        for (id, of, done, at) in [("1", &*person, 1, LONG_DAY), ("2", &*person, 0, LONG_DAY), ("3", "g:x", 1, LONG_DAY), ("4", &*person, 1, 5)] {
            data.execute(&format!(
                "INSERT INTO goals (id, person, room_id, text, done, set_at_ms, done_at_ms) \
                 VALUES ('{id}', '{of}', '{ROOM}', 'x', {done}, {at}, {at})"
            ))
            .await;
        }
        let path = "/api/study/summary?tz=Europe/Berlin&from=2026-10-24&to=2026-10-26";
        let summary = answer(&server, &token, path).await;
        let day = |start: &str, focus: i64, free: i64| {
            json!({ "start": start, "totalMs": focus + free, "focusMs": focus, "freeMs": free })
        };
        let (focus, free) = (50 * MINUTE, 24 * HOUR);
        let days = [day("2026-10-24", 30 * MINUTE, 0), day("2026-10-25", 20 * MINUTE, free), day("2026-10-26", 0, 0)];
        assert_eq!(summary["days"], json!(days));
        assert_eq!(summary["weeks"], json!([day("2026-10-19", focus, free), day("2026-10-26", 0, 0)]));
        assert_eq!(summary["months"], json!([day("2026-10-01", focus, free)]));
        assert_eq!((&summary["from"], &summary["to"]), (&json!("2026-10-23T22:00:00Z"), &json!("2026-10-26T23:00:00Z")));
        assert_eq!((&summary["goalsDone"], &summary["timeZone"]), (&json!(1), &json!("Europe/Berlin")));
        assert_eq!(summary["totalMs"], json!(focus + free));
        // By the moment.
        let path = "/api/study/summary?from=2026-10-24T21:50:00Z&to=2026-10-24T22:10:00Z";
        let summary = answer(&server, &token, path).await;
        assert_eq!((&summary["focusMs"], &summary["timeZone"]), (&json!(20 * MINUTE), &json!("UTC")));
    }
}

on_both! {
    async fn a_streak_goes_back_from_today(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let (token, person) = guest(&server, "Alice").await;
        let noon = now_ms() / (24 * HOUR) * 24 * HOUR - 12 * HOUR;
        for (index, day) in [0, 1, 2, 5, 6, 7, 8, 400].into_iter().enumerate() {
            let at = noon - day * 24 * HOUR;
            store(&data, &index.to_string(), &person, "focus", (at, at + HOUR)).await;
        }
        let summary = answer(&server, &token, "/api/study/summary").await;
        assert_eq!((&summary["currentStreakDays"], &summary["longestStreakDays"]), (&json!(3), &json!(4)));
        assert_eq!(summary["days"].as_array().unwrap().len(), 30);
        assert_eq!(summary["focusMs"], json!(7 * HOUR));
    }
}

on_both! {
    async fn sessions_come_page_by_page_the_newest_first(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let (token, person) = guest(&server, "Alice").await;
        // Two that began at the same moment, one of them at each side of a page's end.
        for (id, begins) in [("a", 0), ("b", 5), ("c", 5), ("d", 9), ("e", 20)] {
            let at = LONG_DAY + begins * HOUR;
            store(&data, id, &person, if id == "d" { "free" } else { "focus" }, (at, at + HOUR)).await;
        }
        store(&data, "z", "g:somebody else", "free", (LONG_DAY, LONG_DAY + HOUR)).await;
        let (mut seen, mut path) = (Vec::new(), "/api/study/sessions?limit=3".to_owned());
        for _ in 0..3 {
            let page = answer(&server, &token, &path).await;
            seen.extend(page["sessions"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/study/sessions?limit=3&cursor={next}");
        }
        let ids: Vec<_> = seen.iter().map(|session| session["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["e", "d", "c", "b", "a"]);
        assert_eq!((&seen[1]["freeMs"], &seen[1]["focusMs"]), (&json!(HOUR), &json!(0)));
        assert_eq!((&seen[4]["startedAt"], &seen[4]["endedAt"]), (&json!("2026-10-24T22:00:00Z"), &json!("2026-10-24T23:00:00Z")));
        assert_eq!((&seen[4]["roomId"], &seen[4]["totalMs"]), (&json!(ROOM), &json!(HOUR)));
        for wrong in ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=x-y"] {
            ask(&server, &token, &format!("/api/study/sessions?{wrong}")).await.assert_problem(400, "BAD_REQUEST");
        }
    }
}

on_both! {
    async fn only_who_wants_to_is_on_the_leaderboard(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let (token, guest) = guest(&server, "Guest").await;
        for (id, name, wants) in [("1", "Zoe", 1), ("2", "Shy", 0), ("3", "O''Brien", 1), ("4", "Ann", 1), ("5", "Lazy", 1)] {
            data.execute(&format!(
                "INSERT INTO users (id, display_name, on_leaderboard, created_at_ms) VALUES ('{id}', '{name}', {wants}, 0)"
            ))
            .await;
        }
        let now = now_ms();
        for (id, person, minutes) in [("a", "u:1", 10), ("b", "u:1", 10), ("c", "u:2", 90), ("d", "u:3", 30), ("e", "u:4", 20), ("f", &*guest, 50)] {
            // From now on: midnight makes no difference.
            store(&data, id, person, "focus", (now, now + minutes * MINUTE)).await;
        }
        // Last year, and until a minute after the month began.
        store(&data, "g", "u:4", "focus", (LONG_DAY - 400 * 24 * HOUR, LONG_DAY - 400 * 24 * HOUR + HOUR)).await;
        for period in ["day", "week", "month"] {
            for room in ["", "&room=study-room-1"] {
                let board = answer(&server, &token, &format!("/api/study/leaderboard?period={period}{room}")).await;
                let entries: Vec<_> = board["entries"].as_array().unwrap().iter().map(|entry| {
                    (entry["rank"].as_i64().unwrap(), entry["displayName"].as_str().unwrap(), entry["totalMs"].as_i64().unwrap() / MINUTE)
                }).collect();
                assert_eq!(entries, [(1, "O'Brien", 30), (2, "Zoe", 20), (2, "Ann", 20)], "{period}");
                assert_eq!(board["entries"][0]["isSelf"], false);
            }
        }
        let elsewhere = answer(&server, &token, "/api/study/leaderboard?period=day&room=study-room-2").await;
        assert_eq!(elsewhere["entries"], json!([]));
        for wrong in ["", "period=year", "period=day&room=No", "period=day&tz=Mars/Base"] {
            ask(&server, &token, &format!("/api/study/leaderboard?{wrong}")).await.assert_problem(400, "BAD_REQUEST");
        }
    }
}

on_both! {
    async fn the_export_has_every_stretch_and_no_formulas(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let (token, person) = guest(&server, "Alice").await;
        data.execute(
            "INSERT INTO rooms (id, name, capacity, policy, created_at_ms) VALUES ('study-room-1', '=1+1,\"x\"', 50, '{}', 0) \
             ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        )
        .await;
        store(&data, "a", &person, "focus", (LONG_DAY + 2 * HOUR, LONG_DAY + 3 * HOUR)).await;
        // More than are read at a time.
        data.execute(&format!(
            "INSERT INTO study_phases (session_id, started_at_ms, ended_at_ms, kind) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
             SELECT 'a', {} + i * 1000, {} + i * 1000 + 500, 'free' FROM n", LONG_DAY + 3 * HOUR, LONG_DAY + 3 * HOUR
        ))
        .await;
        store(&data, "z", "g:somebody else", "free", (LONG_DAY, LONG_DAY + HOUR)).await;
        let response = ask(&server, &token, "/api/study/export.csv?tz=Europe/Berlin").await;
        assert_eq!((response.status, response.header("content-type")), (200, "text/csv; charset=utf-8; header=present"));
        assert!(response.header("content-disposition").contains("attachment"));
        let lines: Vec<_> = response.body.split("\r\n").collect();
        assert_eq!(lines.len(), 1 + 2_501 + 1);
        assert_eq!(lines[0], "started,ended,seconds,kind,room,session");
        // Two hours after midnight it is two for the second time.
        let expected = "2026-10-25T02:00:00+02:00,2026-10-25T02:00:00+01:00,3600,focus,\"'=1+1,\"\"x\"\"\",a";
        assert_eq!(lines[1], expected);
        assert_eq!(lines.last(), Some(&""));
        let mut rows = lines[1..2_502].to_vec();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), 2_501);
        let none = ask(&server, &token, "/api/study/export.csv?from=2025-01-01&to=2025-01-31").await;
        assert_eq!(none.body, "started,ended,seconds,kind,room,session\r\n");
    }
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_in_a_sentence() {
    let server = start().await;
    for path in ["summary", "sessions", "leaderboard?period=day", "export.csv"] {
        server.get(&format!("/api/study/{path}")).await.assert_problem(401, "UNAUTHORIZED");
        ask(&server, "nonsense", &format!("/api/study/{path}")).await.assert_problem(401, "UNAUTHORIZED");
    }
    let token = server.token("Alice").await;
    for query in [
        "tz=Mars/Base",
        "from=yesterday",
        "to=2026-02-30",
        "from=2026-02-01T00",
        "from=2026-02-02&to=2026-02-01",
        "from=2026-02-02T00:00:00Z&to=2026-02-02T00:00:00Z",
        "from=2025-01-01&to=2026-06-01",
        "from=9999-12-01&to=9999-12-31",
        "to=-9999-01-01",
        "from=%FF",
    ] {
        for path in ["summary", "export.csv"] {
            ask(&server, &token, &format!("/api/study/{path}?{query}")).await.assert_problem(400, "BAD_REQUEST");
        }
    }
    let year = answer(&server, &token, "/api/study/summary?from=2024-01-01&to=2024-12-31&tz=Europe/Berlin").await;
    assert_eq!((year["days"].as_array().unwrap().len(), year["months"].as_array().unwrap().len()), (366, 12));
    assert_eq!((&year["totalMs"], &year["longestStreakDays"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn while_the_database_is_away_clocks_go_on_and_study_is_counted() {
    let mut data = Data::new(Kind::Postgres);
    let server = start_on(&data, |_| {}).await;
    let (token, _) = guest(&server, "Alice").await;
    let alice = sit(&server, &token).await;
    data.postgres().end();
    ask(&server, &token, "/api/study/summary").await.assert_problem(503, "SERVER_BUSY");
    assert_eq!(alice.request("timer-start", &json!({})).await["timer"]["state"], "running");
    server.pass(Duration::from_secs(20 * 60));
    alice.request_bare("timer-pause").await;
    data.postgres().begin();
    let total = "SELECT CAST(studied_ms AS TEXT) FROM study_sessions";
    data.text_where(total, |text| text.parse::<i64>().unwrap() >= 20 * MINUTE).await;
    data.text_where("SELECT state FROM clocks", |state| state.contains("paused")).await;
}
