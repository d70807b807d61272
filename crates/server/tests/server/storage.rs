//! The database: made at the first start, brought up to date by two at once, and never overwritten.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use server::{Server, StartError};

use crate::data::{Data, Kind, on_both};
use crate::harness::{soon, start_on};
use crate::people::{administrator, ask, enter, make_room, refused, sit};

on_both! {
    async fn what_was_made_at_the_first_start_is_found_at_the_next(kind: Kind) {
        let data = Data::new(kind);
        for _ in 0..2 {
            let mut server = start_on(&data, |_| {}).await;
            assert_eq!(server.get("/api/rooms").await.status, 200);
            server.begin_stop();
            server.stopped().await;
        }
    }
}

on_both! {
    async fn two_may_start_at_once(kind: Kind) {
        let data = Data::new(kind);
        let (one, other) = tokio::join!(start_on(&data, |_| {}), start_on(&data, |_| {}));
        assert_eq!(one.get("/healthz").await.status, 200);
        assert_eq!(other.get("/healthz").await.status, 200);
    }
}

async fn refusal(data: &Data) -> String {
    let mut config = server::config::Config::default().on_loopback();
    config.port = 0;
    data.configure(&mut config);
    match Server::start(config).await {
        Err(error @ StartError::Database(_)) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test]
async fn a_damaged_file_stops_the_start_and_is_left_alone() {
    let data = Data::new(Kind::Sqlite);
    let path = data.directory().join("data/studyhall.db");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let nonsense = "no database ".repeat(1_000);
    fs::write(&path, &nonsense).unwrap();
    let sentence = refusal(&data).await;
    assert!(sentence.contains("is damaged") && sentence.contains("backup"), "{sentence}");
    assert_eq!(fs::read_to_string(&path).unwrap(), nonsense);
}

on_both! {
    async fn a_database_of_a_newer_program_stops_the_start(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        server.begin_stop();
        server.stopped().await;
        data.execute("UPDATE schema_version SET version = 1000").await;
        let sentence = refusal(&data).await;
        assert!(sentence.contains("of version 1000") && sentence.contains("newer program"), "{sentence}");
    }
}

#[tokio::test]
async fn rooms_go_on_while_the_database_is_away_for_ten_minutes_and_all_is_stored_when_it_is_back() {
    let mut data = Data::new(Kind::Postgres);
    let server = start_on(&data, |_| {}).await;
    let host_token = administrator(&server, &data, "Hanna").await;
    let body = json!({ "name": "Secret", "visibility": "private", "password": "open sesame" });
    let private = make_room(&server, &host_token, &body).await;
    let (ada_token, bob_token) = (server.token("Ada").await, server.token("Bob").await);
    let (mut ada, _) = sit(&server, &ada_token, "study-room-1").await;

    data.postgres().end();
    // Whoever has a token comes in, also as a new guest, and also into a private room.
    let (host, _) = sit(&server, &host_token, "study-room-1").await;
    let (bob, state) = sit(&server, &bob_token, "study-room-1").await;
    let with_password = json!({ "token": server.token("Carol").await, "roomId": private, "password": "open sesame" });
    let (carol, _) = enter(&server, &with_password).await.unwrap();
    ask(&server, &host_token, "POST", "/api/rooms", &json!({ "name": "Now" })).await.assert_problem(503, "SERVER_BUSY");
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    assert!(ready.body.contains("database"), "{}", ready.body);
    ada.request("set-goal", &json!({ "text": "Finish while it's away" })).await;
    ada.request("send-message", &json!({ "content": "Is anybody there?" })).await;
    assert_eq!(bob.request("timer-start", &json!({ "preset": "25/5" })).await["timer"]["state"], "running");
    server.pass(Duration::from_secs(600));
    ada.request("complete-goal", &json!({ "done": true, "recap": "It is." })).await;
    let ban = json!({ "action": "ban", "participantId": state["self"]["participantId"], "reason": "noise" });
    assert_eq!(host.request("moderate", &ban).await, json!({ "ok": true }));
    ada.event_where("user-left", |event| event["reason"] == "banned").await;
    let update = json!({ "topic": "Made while it was away" });
    assert_eq!(host.request("update-room", &update).await["room"]["topic"], "Made while it was away");

    data.postgres().begin();
    data.text_where("SELECT topic FROM rooms", |topic| topic == "Made while it was away").await;
    for (sql, expected) in [
        ("SELECT COUNT(*) FROM messages WHERE content = 'Is anybody there?'", 1),
        ("SELECT COUNT(*) FROM goals WHERE done = 1 AND recap = 'It is.'", 1),
        ("SELECT COUNT(*) FROM bans WHERE reason = 'noise'", 1),
        ("SELECT COUNT(*) FROM moderation_log WHERE action = 'ban'", 1),
        ("SELECT COUNT(*) FROM passes", 1),
        ("SELECT COUNT(*) FROM study_sessions WHERE studied_ms >= 600000", 4),
    ] {
        assert_eq!(data.number(sql).await, expected, "{sql}");
    }
    assert!(refused(&server, &json!({ "token": bob_token, "roomId": "study-room-1" })).await.starts_with("BANNED: "));
    soon("readiness", async {
        while server.get("/readyz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    assert_eq!(ask(&server, &host_token, "POST", "/api/rooms", &json!({ "name": "Now" })).await.status, 201);
    assert_eq!(carol.request("raise-hand", &json!({ "raised": true })).await, json!({ "ok": true }));
    assert_eq!(ask(&server, &host_token, "GET", "/api/rooms?mine=true", &Value::Null).await.status, 200);
}

on_both! {
    async fn of_what_is_said_and_reported_the_newest_is_kept(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        server.begin_stop();
        server.stopped().await;
        let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100)";
        data.execute(&format!(
            "{numbers} INSERT INTO messages (id, room_id, person, participant_id, display_name, content, kind, sent_at_ms) \
             SELECT 'm' || i, 'study-room-1', 'g:1', 'p', 'Ada', 'x', 'text', i FROM n"
        ))
        .await;
        data.execute(&format!(
            "{numbers} INSERT INTO reports (id, room_id, by_person, by_name, target_person, target_name, reason, context, at_ms) \
             SELECT 'r' || i, 'study-room-2', 'g:1', 'Ada', 'g:2', 'Bob', 'x', '[]', i FROM n"
        ))
        .await;
        let server = start_on(&data, |_| {}).await;
        data.text_where("SELECT CAST(COUNT(*) AS TEXT) FROM messages", |count| count == "10000").await;
        data.text_where("SELECT CAST(COUNT(*) AS TEXT) FROM reports", |count| count == "1000").await;
        assert_eq!(data.number("SELECT CAST(MIN(sent_at_ms) AS BIGINT) FROM messages").await, 101);
        assert_eq!(server.get("/healthz").await.status, 200);
    }
}
