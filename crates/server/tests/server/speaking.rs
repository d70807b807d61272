//! Everybody in a room is told who speaks and how loud.

use serde_json::{Value, json};

use super::client::{BOTH, Client, Transport};
use super::harness::{TestServer, soon, start};
use super::peer::Peer;

/// An event among levels that never end; so the wait for it has a limit of its own.
async fn event(client: &mut Client, name: &str, expected: Value) {
    soon(&format!("{name} {expected}"), client.event_where(name, |payload| *payload == expected)).await;
}

async fn talk_and_pause(server: &TestServer, by: Transport, room: &str) {
    let mut alice = Client::join_by(server, by, "Alice", room).await;
    let mut bob = Client::join_by(server, by, "Bob", room).await;
    let (_peer, producer_id) = Peer::speak(&alice, -20).await;
    let id = bob.event("new-producer").await["participantId"].clone();
    let (leads, level) = (json!({ "participantId": id }), json!([{ "participantId": id, "dbov": -20 }]));
    for client in [&mut alice, &mut bob] {
        event(client, "active-speaker", leads.clone()).await;
        event(client, "audio-levels", level.clone()).await;
    }
    let mut carol = Client::join_by(server, by, "Carol", room).await;
    event(&mut carol, "active-speaker", leads).await;

    let paused = alice.request("pause-producer", &json!({ "producerId": producer_id })).await;
    assert_eq!(paused, json!({ "paused": true }));
    event(&mut bob, "active-speaker", json!({ "participantId": null })).await;
    event(&mut bob, "audio-levels", json!([])).await;
}

#[tokio::test]
async fn everybody_is_told_who_leads_and_who_is_audible() {
    let server = start().await;
    for (by, room) in BOTH.into_iter().zip(["study-room-1", "study-room-2"]) {
        talk_and_pause(&server, by, room).await;
    }
}

#[tokio::test]
async fn nobody_leads_a_room_that_its_speaker_has_left() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    let (_peer, _) = Peer::speak(&alice, -20).await;
    let id = bob.event("new-producer").await["participantId"].clone();
    event(&mut bob, "active-speaker", json!({ "participantId": id })).await;
    assert_eq!(alice.request_bare("leave").await["code"], Value::Null);
    event(&mut bob, "active-speaker", json!({ "participantId": null })).await;
}
