//! Taking a seat: who may, in what order the room is told, and that seats are exact.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::client::{BOTH, Client, Heard, Transport};
use super::harness::{TestServer, soon, start, start_with};
use super::media::{OPUS, produce};

async fn attempt(server: &TestServer, transport: Transport, auth: &Value) -> Heard {
    Client::connect(server, transport, "/room", auth).await.next().await
}

#[tokio::test]
async fn a_refusal_says_its_code_and_a_sentence() {
    let server = start().await;
    let token = server.token("Alice").await;
    let (head, rest) = token.split_once('.').unwrap();
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", rest.split('.').next().unwrap());
    let cases = [
        (json!({ "token": token, "roomId": "nowhere" }), "ROOM_NOT_FOUND"),
        (json!({ "token": token, "roomId": "" }), "BAD_REQUEST"),
        (json!({ "token": token, "roomId": "Study Room 1" }), "BAD_REQUEST"),
        (json!({ "token": token, "roomId": "x".repeat(65) }), "BAD_REQUEST"),
        (json!({ "token": token, "roomId": 7 }), "BAD_REQUEST"),
        (json!({ "token": token }), "BAD_REQUEST"),
        (json!({ "roomId": "study-room-1" }), "BAD_REQUEST"),
        (json!([1, 2]), "BAD_REQUEST"),
        (json!("x"), "BAD_REQUEST"),
        (json!({ "token": "", "roomId": "study-room-1" }), "UNAUTHORIZED"),
        (json!({ "token": "nonsense", "roomId": "study-room-1" }), "UNAUTHORIZED"),
        (json!({ "token": none, "roomId": "study-room-1" }), "UNAUTHORIZED"),
        (json!({ "token": format!("{head}.{rest}x"), "roomId": "study-room-1" }), "UNAUTHORIZED"),
    ];
    for transport in BOTH {
        for (auth, code) in &cases {
            let heard = attempt(&server, transport, auth).await;
            let Heard::Refused(message) = heard else { panic!("{auth}: {heard:?}") };
            let (found, sentence) = message.split_once(": ").unwrap();
            assert_eq!(found, *code, "{auth}: {message}");
            assert!(sentence.len() > 10 && sentence.ends_with('.'), "{message}");
        }
    }
    let room = server.get("/api/rooms/study-room-1").await.json();
    assert_eq!(room["occupancy"], 0);
}

#[tokio::test]
async fn a_namespace_without_auth_is_refused_and_an_unknown_one_too() {
    let server = start().await;
    let mut bare = Client::open(&server, Transport::WebSocket, "/room").await;
    bare.raw("40/room,");
    assert!(matches!(bare.next().await, Heard::Refused(message) if message.starts_with("BAD_REQUEST: ")));
    let mut unknown = Client::open(&server, Transport::WebSocket, "/nowhere").await;
    unknown.raw("40/nowhere,");
    assert!(matches!(unknown.next().await, Heard::Refused(_)));
}

#[tokio::test]
async fn a_thousand_at_once_get_exactly_fifty_seats() {
    let server = start().await;
    let token = server.token("Alice").await;
    let auth = json!({ "token": token, "roomId": "study-room-1" });
    let mut clients = Vec::new();
    for _ in 0..1_000 {
        clients.push(Client::open(&server, Transport::WebSocket, "/room").await);
    }
    for client in &clients {
        client.raw(&format!("40/room,{auth}"));
    }
    let (mut seated, mut refused) = (0, 0);
    for client in &mut clients {
        match client.next().await {
            Heard::Connected => seated += 1,
            Heard::Refused(message) => {
                assert_eq!(message, "ROOM_FULL: All 50 seats of this room are taken.");
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((seated, refused), (50, 950));
    assert_eq!(server.get("/api/rooms/study-room-1").await.json()["occupancy"], 50);
}

#[tokio::test]
async fn a_seat_that_is_given_back_is_free_for_the_next() {
    let server = start_with(|config| config.limits.room_capacity = 2).await;
    let mut alice = Client::join(&server, "Alice", "study-room-1").await;
    let bob = Client::join(&server, "Bob", "study-room-1").await;
    let auth = json!({ "token": server.token("Carol").await, "roomId": "study-room-1" });
    assert!(matches!(attempt(&server, Transport::WebSocket, &auth).await, Heard::Refused(_)));
    drop(bob);
    alice.event("user-left").await;
    assert_eq!(attempt(&server, Transport::WebSocket, &auth).await, Heard::Connected);
}

#[tokio::test]
async fn one_connection_cannot_come_and_go_without_end() {
    let server = start().await;
    let mut alice = Client::join(&server, "Alice", "study-room-1").await;
    let auth = json!({ "token": server.token("Mallory").await, "roomId": "study-room-1" });
    let mut mallory = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    let refused = loop {
        match mallory.next().await {
            Heard::Connected => {
                mallory.raw("41/room,");
                mallory.raw(&format!("40/room,{auth}"));
            }
            Heard::Refused(refusal) => break refusal,
            _ => {}
        }
    };
    assert!(refused.to_string().contains("RATE_LIMITED"), "{refused}");
    let seen = alice.names_so_far().await;
    assert!(seen.iter().filter(|name| *name == "user-joined").count() < 100, "{seen:?}");
    // Whoever comes by a connection of their own is not concerned.
    Client::join(&server, "Bob", "study-room-1").await;
}

#[tokio::test]
async fn a_connection_that_ends_while_it_joins_keeps_no_seat() {
    let server = start().await;
    let auth = json!({ "token": server.token("Alice").await, "roomId": "study-room-1" });
    for _ in 0..100 {
        let mut client = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        client.raw("close");
        client.closed().await;
    }
    emptied(&server, "study-room-1").await;
}

/// Waits until nobody sits in a room.
pub(crate) async fn emptied(server: &TestServer, room: &str) {
    let path = format!("/api/rooms/{room}");
    soon("an empty room", async { while server.get(&path).await.json()["occupancy"] != 0 {} }).await;
}

#[tokio::test]
async fn the_first_event_is_the_room_as_it_is() {
    let server = start().await;
    for transport in BOTH {
        let token = server.token("Zoë").await;
        let auth = json!({ "token": token, "roomId": "study-room-7" });
        let mut client = Client::connect(&server, transport, "/room", &auth).await;
        assert_eq!(client.next().await, Heard::Connected);
        let Heard::Event(name, state) = client.next().await else { panic!("no event") };
        assert_eq!(name, "room-state");
        let own = &state["self"]["participantId"];
        let room = json!({
            "id": "study-room-7", "name": "Study Room 7", "topic": "", "capacity": 50, "occupancy": 1,
            "locked": false, "language": "", "visibility": "public", "policy": crate::http::POLICY.clone(),
        });
        assert_eq!(state["room"], room);
        assert_eq!(state["self"]["role"], "guest");
        assert_eq!(state["iceServers"], json!([]));
        assert!(state["serverTimeMs"].as_u64().unwrap() > 1_700_000_000_000);
        let me = &state["participants"][0];
        assert_eq!(me["id"], *own);
        assert_eq!(me["displayName"], "Zoë");
        assert_eq!((&me["audio"], &me["video"], &me["screen"]), (&json!("off"), &json!("off"), &json!("off")));
        client.raw("41/room,");
        emptied(&server, "study-room-7").await;
    }
}

#[tokio::test]
async fn the_others_hear_who_comes() {
    let server = start().await;
    let mut alice = Client::join(&server, "Alice", "study-room-1").await;
    let _bob = Client::join(&server, "Bob", "study-room-1").await;
    let joined = alice.event("user-joined").await;
    assert_eq!(joined["occupancy"], 2);
    assert_eq!(joined["participant"]["displayName"], "Bob");
    assert_eq!(joined["participant"]["role"], "guest");
}

#[tokio::test]
async fn the_same_token_twice_is_two_seats() {
    let server = start().await;
    let auth = json!({ "token": server.token("Alice").await, "roomId": "study-room-1" });
    let mut one = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    let mut two = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    let (one, two) = (one.event("room-state").await, two.event("room-state").await);
    assert_ne!(one["self"]["participantId"], two["self"]["participantId"]);
    assert_eq!(server.get("/api/rooms/study-room-1").await.json()["occupancy"], 2);
}

#[tokio::test]
async fn a_late_joiner_hears_of_every_producer_once() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let bob = Client::join(&server, "Bob", "study-room-1").await;
    let mut expected = Vec::new();
    for client in [&alice, &bob] {
        expected.push(produce(client, "audio", OPUS).await);
    }
    let mut carol = Client::join(&server, "Carol", "study-room-1").await;
    let heard = carol.heard_so_far().await;
    let mut found: Vec<_> = heard.iter().map(|(_, payload)| payload["producerId"].clone()).collect();
    assert!(heard.iter().all(|(name, _)| name == "new-producer"), "{heard:?}");
    found.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!(found, expected);
    assert_eq!(heard[0].1["kind"], "audio");
    assert_eq!(heard[0].1["source"], "mic");
    assert_eq!(heard[0].1["paused"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_joins_while_others_produce_misses_nothing_and_hears_nothing_twice() {
    let server = start().await;
    let mut producers = Vec::new();
    for index in 0..20 {
        producers.push(Client::join(&server, &format!("P{index}"), "study-room-1").await);
    }
    let token = server.token("Late").await;
    let auth = json!({ "token": token, "roomId": "study-room-1" });
    let producing = producers.iter().map(|client| produce(client, "audio", OPUS));
    let joining = (0..20).map(|_| async {
        let mut client = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        client.event("room-state").await;
        client
    });
    let (produced, joined) =
        tokio::join!(futures_util::future::join_all(producing), futures_util::future::join_all(joining));
    for mut client in joined {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for (name, payload) in client.heard_so_far().await {
            if name == "new-producer" {
                *counts.entry(payload["producerId"].to_string()).or_default() += 1;
            }
        }
        assert_eq!(counts.len(), produced.len());
        assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    }
}

#[tokio::test]
async fn the_lobby_sees_the_rooms_and_how_full_they_are() {
    let server = start().await;
    for transport in BOTH {
        let mut lobby = Client::connect(&server, transport, "/", &json!({})).await;
        let state = lobby.event("lobby-state").await;
        assert_eq!(state["rooms"].as_array().unwrap().len(), 10);
        let alice = Client::join(&server, "Alice", "study-room-4").await;
        let is_one = |room: &Value| room["roomId"] == "study-room-4" && room["occupancy"] == 1;
        let change = lobby.event_where("room-occupancy", is_one).await;
        assert_eq!(change, json!({ "roomId": "study-room-4", "occupancy": 1, "capacity": 50 }));
        drop(alice);
        let is_none = |room: &Value| room["roomId"] == "study-room-4" && room["occupancy"] == 0;
        lobby.event_where("room-occupancy", is_none).await;
        let answer = lobby.request("produce", &json!({})).await;
        assert_eq!(answer["code"], "UNKNOWN_EVENT");
    }
}
