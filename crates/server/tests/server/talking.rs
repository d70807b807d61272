//! What people do in a room besides sending pictures and sound, and who keeps order.

use serde_json::{Value, json};

use crate::client::{BOTH, Client, Heard, Transport};
use crate::data::{Data, Kind, on_both};
use crate::harness::{TestServer, start, start_on};

const ROOM: &str = "study-room-1";

#[tokio::test]
async fn what_somebody_is_at_is_told_to_everybody_and_to_who_comes_later() {
    let server = start().await;
    let (mut alice, mut bob) = (Client::join(&server, "Alice", ROOM).await, Client::join(&server, "Bob", ROOM).await);
    let ok = json!({ "ok": true });
    assert_eq!(alice.request("set-status", &json!({ "status": "dnd" })).await, ok);
    assert_eq!(bob.event_where("user-updated", |e| e["status"].is_string()).await["status"], "dnd");
    assert_eq!(alice.request("set-goal", &json!({ "text": "Chapter 3: don't panic" })).await, ok);
    let goal = json!({ "text": "Chapter 3: don't panic", "done": false });
    assert_eq!(bob.event_where("user-updated", |e| e.get("goal").is_some()).await["goal"], goal);
    assert_eq!(alice.request("complete-goal", &json!({ "done": true, "recap": "all of it" })).await, ok);
    assert_eq!(bob.event_where("user-updated", |e| e["goal"]["done"] == true).await["goal"]["done"], true);
    assert_eq!(alice.request("raise-hand", &json!({ "raised": true })).await, ok);
    assert_eq!(bob.event_where("user-updated", |e| e.get("handRaised").is_some()).await["handRaised"], true);
    assert_eq!(alice.request("react", &json!({ "emoji": "👍🏽" })).await, ok);
    assert_eq!(bob.event("reaction").await["emoji"], "👍🏽");
    let auth = json!({ "token": server.token("Carol").await, "roomId": ROOM });
    let mut carol = Client::connect(&server, Transport::Polling, "/room", &auth).await;
    let state = carol.event("room-state").await;
    let seen = state["participants"].as_array().unwrap().iter().find(|p| p["displayName"] == "Alice").unwrap();
    assert_eq!(
        (&seen["status"], &seen["handRaised"], &seen["goal"]["done"]),
        (&json!("dnd"), &json!(true), &json!(true))
    );
    assert_eq!(alice.request("set-goal", &json!({ "text": "" })).await, ok);
    assert_eq!(bob.event_where("user-updated", |e| e.get("goal").is_some()).await["goal"], Value::Null);
    drop(alice.event("user-updated").await);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_sentence() {
    let server = start().await;
    for transport in BOTH {
        let alice = Client::join_by(&server, transport, "Alice", ROOM).await;
        let long = "x".repeat(1_001);
        for (event, payload) in [
            ("send-message", json!({ "content": "" })),
            ("send-message", json!({ "content": long })),
            ("send-message", json!({ "content": "a\u{0}b" })),
            ("send-message", json!({ "content": "hello", "type": "emoji" })),
            ("send-message", json!({ "content": 5 })),
            ("set-status", json!({ "status": "asleep" })),
            ("set-goal", json!({ "text": "x".repeat(201) })),
            ("complete-goal", json!({ "done": true })),
            ("react", json!({ "emoji": "<script>" })),
            ("moderate", json!({ "action": "explode", "participantId": "x" })),
        ] {
            let answer = alice.request(event, &payload).await;
            assert_eq!(answer["code"], "BAD_REQUEST", "{event} {payload}: {answer}");
            assert!(answer["error"].as_str().is_some_and(|sentence| sentence.len() > 10), "{answer}");
        }
        for (event, payload) in
            [("clear-chat", json!(null)), ("moderate", json!({ "action": "kick", "participantId": "x" }))]
        {
            assert_eq!(alice.request(event, &payload).await["code"], "FORBIDDEN", "{event}");
        }
        let nobody = json!({ "participantId": "nobody", "reason": "rude" });
        assert_eq!(alice.request("report", &nobody).await["code"], "NOT_FOUND");
    }
}

on_both! {
    async fn what_was_said_is_there_after_a_restart_as_it_was_typed(kind: Kind) {
        let data = Data::new(kind);
        let said = ["don't", "O'Brien", "👩‍👩‍👧", "مرحبا", "<b>two\nlines</b>"];
        let mut server = start_on(&data, |_| {}).await;
        let (alice, mut bob) = (Client::join(&server, "Zoë", ROOM).await, Client::join(&server, "Bob", ROOM).await);
        for text in said {
            let answer = alice.request("send-message", &json!({ "content": text })).await;
            assert_eq!(answer["message"]["content"], text);
            let mut heard = bob.event("new-message").await;
            heard.as_object_mut().unwrap().remove("seq");
            assert_eq!(heard, answer["message"]);
        }
        server.begin_stop();
        server.stopped().await;
        let server = start_on(&data, |_| {}).await;
        let auth = json!({ "token": server.token("Carol").await, "roomId": ROOM });
        let mut carol = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        let state = carol.event("room-state").await;
        let texts: Vec<_> = state["messages"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect();
        assert_eq!(texts, said);
        assert_eq!(state["messages"][0]["displayName"], "Zoë");
    }
}

/// The one who has the code of the log.
async fn administrator(server: &TestServer, data: &Data) -> String {
    let body = json!({ "email": "host@example.org", "password": "a long password", "displayName": "Hanna" });
    assert_eq!(server.post("/api/auth/register", &body.to_string()).await.status, 201);
    data.execute("UPDATE users SET is_admin = 1").await;
    let body = json!({ "email": "host@example.org", "password": "a long password" });
    let answer = server.post("/api/auth/login", &body.to_string()).await;
    answer.json()["token"].as_str().unwrap().to_owned()
}

async fn join_with(server: &TestServer, token: &str) -> (Client, Value) {
    let auth = json!({ "token": token, "roomId": ROOM });
    let mut client = Client::connect(server, Transport::WebSocket, "/room", &auth).await;
    let state = client.event("room-state").await;
    (client, state)
}

on_both! {
    async fn a_host_sends_somebody_away_for_good_and_that_is_so_after_a_restart(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        let token = administrator(&server, &data).await;
        let (host, state) = join_with(&server, &token).await;
        assert_eq!(state["self"]["role"], "host");
        let guest = server.token("Mallory").await;
        let (mut mallory, state) = join_with(&server, &guest).await;
        let mallory_id = state["self"]["participantId"].clone();
        let mut bob = Client::join(&server, "Bob", ROOM).await;
        let ban = json!({ "action": "ban", "participantId": mallory_id, "reason": "noise" });
        assert_eq!(host.request("moderate", &ban).await, json!({ "ok": true }));
        assert_eq!(mallory.event("moderated").await["by"], "Hanna");
        assert_eq!(mallory.event("kicked").await["reason"], "noise");
        let left = bob.event("user-left").await;
        assert_eq!((&left["participantId"], &left["reason"]), (&mallory_id, &json!("banned")));
        let refused = async |server: &TestServer| {
            let auth = json!({ "token": guest, "roomId": ROOM });
            let mut client = Client::connect(server, Transport::WebSocket, "/room", &auth).await;
            match client.next().await {
                Heard::Refused(why) => why,
                heard => panic!("{heard:?}"),
            }
        };
        assert!(refused(&server).await.starts_with("BANNED: "));
        server.begin_stop();
        server.stopped().await;
        let server = start_on(&data, |_| {}).await;
        assert!(refused(&server).await.starts_with("BANNED: "));
        assert_eq!(data.number("SELECT COUNT(*) FROM moderation_log WHERE action = 'ban' AND reason = 'noise'").await, 1);
    }
}

#[tokio::test]
async fn a_moderator_may_do_what_a_host_gave_them_and_no_more() {
    let data = Data::new(Kind::Sqlite);
    let server = start_on(&data, |_| {}).await;
    let token = administrator(&server, &data).await;
    let (host, state) = join_with(&server, &token).await;
    let host_id = state["self"]["participantId"].clone();
    let (alice, state) = join_with(&server, &server.token("Alice").await).await;
    let alice_id = state["self"]["participantId"].clone();
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let promote = json!({ "action": "promote", "participantId": alice_id });
    assert_eq!(host.request("moderate", &promote).await, json!({ "ok": true }));
    assert_eq!(bob.event_where("user-updated", |e| e["role"].is_string()).await["role"], "moderator");
    let kick_host = json!({ "action": "kick", "participantId": host_id });
    assert_eq!(alice.request("moderate", &kick_host).await["code"], "FORBIDDEN");
    assert_eq!(alice.request("send-message", &json!({ "content": "hello" })).await["message"]["content"], "hello");
    assert_eq!(alice.request("clear-chat", &json!(null)).await, json!({ "ok": true }));
    assert_eq!(bob.event("chat-cleared").await["by"], "Alice");
    let (_, state) = join_with(&server, &server.token("Carol").await).await;
    assert_eq!(state["messages"], json!([]));
}
