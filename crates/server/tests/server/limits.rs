//! What one client may use up, and that the others do not notice.

use serde_json::{Value, json};

use super::client::{BOTH, Client, Heard, Transport};
use super::harness::{start, start_with};
use super::media::{OPUS, capabilities, consume, parameters, produce, produce_on, transport};

fn assert_limited(answer: &Value) {
    assert_eq!(answer["code"], "RATE_LIMITED", "{answer}");
    assert!(answer["retryAfterMs"].as_u64().is_some_and(|ms| ms >= 1), "{answer}");
}

#[tokio::test]
async fn transports_are_limited_to_one_each_way_and_a_spare() {
    let server = start().await;
    let client = Client::join(&server, "Alice", "study-room-1").await;
    for _ in 0..3 {
        transport(&client, "send").await;
    }
    assert_limited(&client.request("create-transport", &json!({ "direction": "send" })).await);
}

#[tokio::test]
async fn producers_are_limited_and_a_closed_one_makes_room() {
    let server = start().await;
    let client = Client::join(&server, "Alice", "study-room-1").await;
    let transport_id = transport(&client, "send").await;
    let mut last = Value::Null;
    for _ in 0..4 {
        last = produce_on(&client, &transport_id, "audio", OPUS).await;
    }
    let fifth = json!({ "transportId": transport_id, "kind": "audio", "rtpParameters": parameters(OPUS) });
    assert_limited(&client.request("produce", &fifth).await);
    client.request("close-producer", &json!({ "producerId": last })).await;
    assert!(client.request("produce", &fifth).await["producerId"].is_string());
}

#[tokio::test]
async fn consumers_are_limited_one_by_one_and_many_at_once() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    // By polling, where an answer this large has to come through too.
    let bob = Client::join_by(&server, Transport::Polling, "Bob", "study-room-1").await;
    let producer_id = produce(&alice, "audio", OPUS).await;
    let transport_id = transport(&bob, "recv").await;
    let rtp_capabilities = capabilities(&bob).await;
    let many = |count: usize| {
        json!({
            "transportId": transport_id, "producerIds": vec![&producer_id; count],
            "rtpCapabilities": rtp_capabilities,
        })
    };
    let made = async |count: usize| {
        let answer = bob.request("consume", &many(count)).await;
        let consumers = answer["consumers"].as_array().unwrap().clone();
        for refused in consumers.iter().filter(|consumer| consumer["id"].is_null()) {
            assert_eq!(refused["code"], "RATE_LIMITED", "{refused}");
        }
        consumers.iter().filter(|consumer| consumer["id"].is_string()).count()
    };
    assert_eq!(made(240).await, 240);
    assert_eq!(made(20).await, 10);
    let one = json!({
        "transportId": transport_id, "producerId": producer_id, "rtpCapabilities": rtp_capabilities,
    });
    assert_limited(&bob.request("consume", &one).await);
}

#[tokio::test]
async fn a_message_of_more_than_64_kib_ends_the_connection() {
    let server = start().await;
    for transport in BOTH {
        let mut witness = Client::join(&server, "Witness", "study-room-1").await;
        let mut client = Client::join_by(&server, transport, "Alice", "study-room-1").await;
        witness.event("user-joined").await;
        let fits = json!({ "x": "x".repeat(65_536 - 100) });
        assert_eq!(client.request("nonsense", &fits).await["code"], "UNKNOWN_EVENT");
        client.emit("nonsense", &json!({ "x": "x".repeat(65_537) }));
        assert_eq!(client.closed().await, Heard::Gone, "{transport:?}");
        witness.event("user-left").await;
    }
}

#[tokio::test]
async fn eleven_attachments_end_the_connection() {
    let server = start().await;
    let mut client = Client::join(&server, "Alice", "study-room-1").await;
    client.raw("4511-/room,[\"produce\",{\"_placeholder\":true,\"num\":0}]");
    assert_eq!(client.closed().await, Heard::Gone);
}

#[tokio::test]
async fn attachments_that_never_come_end_the_connection() {
    let server = start().await;
    let mut client = Client::join(&server, "Alice", "study-room-1").await;
    client.raw("451-/room,[\"produce\",{\"_placeholder\":true,\"num\":0}]");
    client.raw("42/room,1[\"get-stats\"]");
    assert_eq!(client.closed().await, Heard::Gone);
}

#[tokio::test]
async fn who_floods_is_limited_and_the_others_are_not() {
    let server = start().await;
    let flooder = Client::join(&server, "Flooder", "study-room-1").await;
    let good = Client::join(&server, "Good", "study-room-1").await;
    let flood: Vec<_> = (0..900).map(|_| flooder.request_bare("get-stats")).collect();
    for _ in 0..20 {
        assert_eq!(good.request_bare("get-stats").await, json!({ "stats": [] }));
    }
    let answers = futures_util::future::join_all(flood).await;
    let (passed, limited): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer["stats"].is_array());
    // The burst, and what comes back at twenty a second while the flood goes on.
    assert!((400..600).contains(&passed.len()), "{}", passed.len());
    for answer in limited {
        assert_limited(answer);
    }
}

#[tokio::test]
async fn what_is_not_about_media_has_a_rate_of_its_own() {
    let server = start().await;
    let client = Client::join(&server, "Alice", "study-room-1").await;
    let answers: Vec<_> = (0..120).map(|_| client.request_bare("nonsense")).collect();
    let answers = futures_util::future::join_all(answers).await;
    let limited = answers.iter().filter(|answer| answer["code"] == "RATE_LIMITED").count();
    assert!((30..=70).contains(&limited), "{limited}");
    assert_eq!(client.request_bare("get-stats").await, json!({ "stats": [] }));
}

#[tokio::test]
async fn the_lobby_is_limited_too() {
    let server = start().await;
    let mut client = Client::connect(&server, Transport::WebSocket, "/", &json!({})).await;
    // Who asks before the namespace is open is no client, and is cut off.
    assert_eq!(client.next().await, Heard::Connected);
    let answers: Vec<_> = (0..120).map(|_| client.request_bare("nonsense")).collect();
    let answers = futures_util::future::join_all(answers).await;
    assert!(answers.iter().any(|answer| answer["code"] == "RATE_LIMITED"));
}

#[tokio::test]
async fn limits_are_as_they_were_set() {
    let server = start_with(|config| {
        config.limits.producers = 1;
        config.limits.consumers = 1;
        config.limits.transports = 2;
        config.limits.room_capacity = 1;
    })
    .await;
    let client = Client::join(&server, "Alice", "study-room-1").await;
    let transport_id = transport(&client, "send").await;
    let producer_id = produce_on(&client, &transport_id, "audio", OPUS).await;
    consume(&client, &transport_id, &producer_id).await;
    let more = [
        ("produce", json!({ "transportId": transport_id, "kind": "audio", "rtpParameters": parameters(OPUS) })),
        (
            "consume",
            json!({ "transportId": transport_id, "producerId": producer_id,
                    "rtpCapabilities": capabilities(&client).await }),
        ),
    ];
    for (event, request) in more {
        assert_limited(&client.request(event, &request).await);
    }
    transport(&client, "recv").await;
    assert_limited(&client.request("create-transport", &json!({ "direction": "recv" })).await);
}

#[tokio::test]
async fn who_takes_no_events_is_let_go() {
    let server = start_with(|config| {
        config.limits.media_events_burst = 10_000;
        config.limits.media_events_per_10s = 10_000;
    })
    .await;
    let mut alice = Client::join(&server, "Alice", "study-room-1").await;
    let producer_id = produce(&alice, "audio", OPUS).await;
    // Opens the namespace by polling, and never polls again.
    let open = server.get("/socket.io/?EIO=4&transport=polling").await;
    let handshake: Value = serde_json::from_str(&open.body[1..]).unwrap();
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", handshake["sid"].as_str().unwrap());
    let auth = json!({ "token": server.token("Silent").await, "roomId": "study-room-1" });
    let packet = format!("40/room,{auth}");
    let posted = server.request("POST", &path, &[("content-type", "text/plain")], &packet).await;
    assert_eq!(posted.status, 200);
    alice.event("user-joined").await;
    let own = json!({ "producerId": producer_id });
    // Each turn is two events to the others; the queue holds 1,024.
    for _ in 0..300 {
        alice.request("pause-producer", &own).await;
        alice.request("resume-producer", &own).await;
    }
    let left = alice.event("user-left").await;
    assert_eq!((&left["reason"], &left["occupancy"]), (&json!("lost"), &json!(1)));
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_others_to_end() {
    let server = start_with(|config| config.limits.connections = 2).await;
    // Two that stay, one of them a WebSocket.
    let auth = json!({ "token": server.token("Alice").await, "roomId": "study-room-1" });
    let mut alice = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    alice.event("room-state").await;
    let other = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let waiting = server.get("/healthz");
    tokio::pin!(waiting);
    tokio::select! {
        biased;
        response = &mut waiting => panic!("answered although the server is full: {response:?}"),
        () = async {
            for _ in 0..50 {
                alice.request_bare("get-stats").await;
            }
        } => {}
    }
    drop(other);
    assert_eq!(waiting.await.status, 200);
}
