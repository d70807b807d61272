//! Leaving, in every way there is: all of them end the same.

use std::time::Duration;

use serde_json::json;

use super::client::{BOTH, Client, Heard, Transport};
use super::harness::{start, start_with};
use super::media::{OPUS, consume, produce, produce_on, transport};
use super::peer::Peer;

#[tokio::test]
async fn however_a_client_goes_its_media_go_and_the_others_are_told() {
    let server = start().await;
    for (packet, reason) in [("41/room,", "left"), ("close", "left"), ("", "lost")] {
        let mut bob = Client::join(&server, "Bob", "study-room-1").await;
        let alice = Client::join(&server, "Alice", "study-room-1").await;
        bob.event("user-joined").await;
        let producer_id = produce(&alice, "audio", OPUS).await;
        let consumer = consume(&bob, &transport(&bob, "recv").await, &producer_id).await;
        if packet.is_empty() {
            drop(alice);
        } else {
            alice.raw(packet);
        }
        assert_eq!(bob.event("producer-closed").await["producerId"], producer_id);
        assert_eq!(bob.event("consumer-closed").await["consumerId"], consumer["id"]);
        let left = bob.event("user-left").await;
        assert_eq!((&left["reason"], &left["occupancy"]), (&json!(reason), &json!(1)), "{packet}");
        let gone = bob.request("get-stats", &json!({ "consumerId": consumer["id"] })).await;
        assert_eq!(gone["code"], "NOT_FOUND");
        bob.raw("close");
        super::joining::emptied(&server, "study-room-1").await;
    }
}

#[tokio::test]
async fn leave_is_acknowledged_and_then_the_socket_is_closed() {
    let server = start().await;
    for by in BOTH {
        let mut bob = Client::join(&server, "Bob", "study-room-1").await;
        let mut alice = Client::join_by(&server, by, "Alice", "study-room-1").await;
        assert_eq!(alice.request_bare("leave").await, json!({ "left": true }));
        assert_eq!(alice.closed().await, Heard::Closed, "{by:?}");
        let left = bob.event("user-left").await;
        assert_eq!((&left["reason"], &left["occupancy"]), (&json!("left"), &json!(1)));
        // Once: the end of the socket is not a second leaving.
        assert!(!bob.names_so_far().await.contains(&"user-left".to_owned()));
        drop(bob);
        super::joining::emptied(&server, "study-room-1").await;
    }
}

#[tokio::test]
async fn who_left_and_comes_again_is_somebody_new() {
    let server = start().await;
    let token = server.token("Alice").await;
    let auth = json!({ "token": token, "roomId": "study-room-1" });
    let mut alice = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    let before = alice.event("room-state").await["self"]["participantId"].clone();
    alice.raw("41/room,");
    super::joining::emptied(&server, "study-room-1").await;
    // The same connection opens the namespace again.
    alice.raw(&format!("40/room,{auth}"));
    let after = alice.event("room-state").await["self"]["participantId"].clone();
    assert_ne!(before, after);
    produce(&alice, "audio", OPUS).await;
}

#[tokio::test]
async fn lost_media_cost_what_was_on_them_and_not_the_seat() {
    let server = start_with(|config| config.consent_timeout = Duration::from_secs(2)).await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    let mut alice = Client::join(&server, "Alice", "study-room-1").await;
    let (one, two) = (Peer::connect(&alice).await, Peer::connect(&alice).await);
    let producer_id = produce_on(&alice, &json!(one.transport_id), "audio", OPUS).await;
    drop((one, two));
    assert_eq!(alice.event("error").await["code"], "MEDIA_LOST");
    assert_eq!(bob.event("producer-closed").await["producerId"], producer_id);
    bob.event_where("user-updated", |update| update["connection"] == "lost").await;
    // New ones in their place.
    let peer = Peer::connect(&alice).await;
    bob.event_where("user-updated", |update| update["connection"] == "good").await;
    produce_on(&alice, &json!(peer.transport_id), "audio", OPUS).await;
    assert!(!bob.names_so_far().await.contains(&"user-left".to_owned()));
}

#[tokio::test]
async fn one_lost_transport_of_two_costs_what_is_on_it_and_not_the_seat() {
    let server = start_with(|config| config.consent_timeout = Duration::from_secs(2)).await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    let mut alice = Client::join(&server, "Alice", "study-room-1").await;
    let (keeps, loses) = (Peer::connect(&alice).await, Peer::connect(&alice).await);
    let kept = produce_on(&alice, &json!(keeps.transport_id), "audio", OPUS).await;
    let lost = produce_on(&alice, &json!(loses.transport_id), "audio", OPUS).await;
    let lost_id = loses.transport_id.clone();
    let consumer = consume(&alice, &json!(lost_id), &kept).await;
    drop(loses);
    assert_eq!(bob.event("producer-closed").await["producerId"], lost);
    assert_eq!(alice.event("consumer-closed").await["consumerId"], consumer["id"]);
    let gone = alice.request("restart-ice", &json!({ "transportId": lost_id })).await;
    assert_eq!(gone["code"], "NOT_FOUND");
    let stats = alice.request("get-stats", &json!({ "producerId": kept })).await;
    assert!(stats["stats"][0].is_object(), "{stats}");
    assert!(!bob.names_so_far().await.contains(&"user-left".to_owned()));
}

#[tokio::test]
async fn a_transport_of_the_wrong_peer_is_closed_and_costs_nobody_the_seat() {
    let server = start().await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let wrong = Peer::with_wrong_fingerprint(&alice).await;
    let producer_id = produce_on(&alice, &json!(wrong.transport_id), "audio", OPUS).await;
    wrong.go();
    assert_eq!(bob.event("producer-closed").await["producerId"], producer_id);
    let gone = alice.request("restart-ice", &json!({ "transportId": wrong.transport_id })).await;
    assert_eq!(gone["code"], "NOT_FOUND");
    // A good one in its place.
    let peer = Peer::connect(&alice).await;
    produce_on(&alice, &json!(peer.transport_id), "audio", OPUS).await;
    assert!(!bob.names_so_far().await.contains(&"user-left".to_owned()));
}

#[tokio::test]
async fn a_failing_media_worker_keeps_the_seats_and_media_can_be_made_anew() {
    let server = start_with(|config| config.workers = 1).await;
    let mut alice = Client::join(&server, "Alice", "study-room-1").await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    let before = produce(&alice, "audio", OPUS).await;
    consume(&bob, &transport(&bob, "recv").await, &before).await;
    server.fail_worker(0);
    for client in [&mut alice, &mut bob] {
        assert_eq!(client.event("error").await["code"], "MEDIA_RESTARTED");
    }
    assert_eq!(bob.event("producer-closed").await["producerId"], before);
    let gone = alice.request("close-producer", &json!({ "producerId": before })).await;
    assert_eq!(gone["code"], "NOT_FOUND");
    let after = produce(&alice, "audio", OPUS).await;
    bob.event_where("new-producer", |producer| producer["producerId"] == after).await;
    consume(&bob, &transport(&bob, "recv").await, &after).await;
    let names = bob.names_so_far().await;
    assert!(!names.contains(&"user-left".to_owned()), "{names:?}");
}

#[tokio::test]
async fn rooms_of_other_workers_do_not_notice_a_failing_one() {
    let server = start().await;
    // Two rooms on two workers: each takes the least loaded one.
    let mut clients = Vec::new();
    for room in ["study-room-1", "study-room-2"] {
        let client = Client::join(&server, "Alice", room).await;
        let producer_id = produce(&client, "audio", OPUS).await;
        clients.push((client, producer_id));
    }
    server.fail_worker(0);
    let mut hit = 0;
    for (client, producer_id) in &mut clients {
        let stats = client.request("get-stats", &json!({ "producerId": producer_id })).await;
        hit += usize::from(stats["stats"].is_null());
    }
    assert_eq!(hit, 1);
}

#[tokio::test]
async fn an_emptied_room_starts_anew() {
    let server = start().await;
    for _ in 0..5 {
        let client = Client::join(&server, "Alice", "study-room-1").await;
        produce(&client, "audio", OPUS).await;
        drop(client);
        super::joining::emptied(&server, "study-room-1").await;
    }
}
