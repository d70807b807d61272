//! What a room allows of sound and pictures, enforced in the media, whatever a client does.

use serde_json::{Value, json};

use crate::client::Client;
use crate::data::{Data, Kind};
use crate::harness::{TestServer, soon, start_on, start_with};
use crate::media::{OPUS, VP8, parameters, produce, transport};
use crate::peer::Peer;
use crate::people::{make_room, sign_up, sit};

async fn room_with(server: &TestServer, policy: &Value) -> (Client, String) {
    let owner = sign_up(server, "Olga").await;
    let room = make_room(server, &owner, &json!({ "name": "Library", "policy": policy })).await;
    (sit(server, &owner, &room).await.0, room)
}

/// Waits until nobody, or somebody, is heard.
async fn heard(client: &mut Client, is_heard: bool) {
    let what = if is_heard { "sound" } else { "silence" };
    let is_meant = move |levels: &Value| levels.as_array().is_some_and(|levels| levels.is_empty() != is_heard);
    soon(what, client.event_where("audio-levels", is_meant)).await;
}

#[tokio::test]
async fn when_focus_begins_every_microphone_is_paused_and_none_opens_before_the_break() {
    let server = start_with(|_| {}).await;
    let (mut host, room) = room_with(&server, &json!({ "mics": "breaks-only" })).await;
    let mut alice = Client::join(&server, "Alice", &room).await;
    let (peer, mic) = Peer::speak(&alice, -20).await;
    heard(&mut host, true).await;
    let phases = json!({ "phases": [{ "kind": "focus", "durationMs": 60_000 }, { "kind": "short-break", "durationMs": 60_000 }] });
    host.request("timer-start", &phases).await;
    assert_eq!(alice.event("producer-paused").await["producerId"], mic);
    let told = alice.event("moderated").await;
    assert_eq!((&told["action"], &told["by"]), (&json!("mute"), &json!("Library")));
    host.event("producer-paused").await;
    heard(&mut host, false).await;
    // She cannot get round it: neither by resuming nor by another microphone.
    let resume = json!({ "producerId": mic });
    assert_eq!(alice.request("resume-producer", &resume).await["code"], "POLICY");
    let second = produce(&alice, "audio", OPUS).await;
    assert_eq!(alice.event("producer-paused").await["producerId"], second);
    assert_eq!(alice.request("resume-producer", &json!({ "producerId": second })).await["code"], "POLICY");
    let announced = host.event_where("new-producer", |event| event["producerId"] == second).await;
    assert_eq!(announced["paused"], true);
    // In the break she opens it herself, and is heard.
    host.request_bare("timer-skip").await;
    assert_eq!(alice.request("resume-producer", &resume).await, json!({ "resumed": true }));
    heard(&mut host, true).await;
    // The next focus begins by itself.
    server.pass(std::time::Duration::from_secs(61));
    assert_eq!(alice.event("producer-paused").await["producerId"], mic);
    heard(&mut host, false).await;
    drop(peer);
}

#[tokio::test]
async fn microphones_and_cameras_that_a_host_closes_are_closed_for_everybody() {
    let server = start_with(|_| {}).await;
    let (mut host, room) = room_with(&server, &json!({})).await;
    let mut alice = Client::join(&server, "Alice", &room).await;
    let send = transport(&alice, "send").await;
    let mic = crate::media::produce_on(&alice, &send, "audio", OPUS).await;
    let camera = crate::media::produce_on(&alice, &send, "video", VP8).await;
    host.request("update-room", &json!({ "policy": { "mics": "closed", "camera": "closed" } })).await;
    assert_eq!(alice.event("producer-paused").await["producerId"], mic);
    assert_eq!(alice.event("producer-closed").await["producerId"], camera);
    assert_eq!(host.event("producer-closed").await["producerId"], camera);
    for (kind, template, source) in [("audio", OPUS, "mic"), ("audio", OPUS, "screen-audio"), ("video", VP8, "camera")]
    {
        let request =
            json!({ "transportId": send, "kind": kind, "source": source, "rtpParameters": parameters(template) });
        let answer = alice.request("produce", &request).await;
        assert_eq!(answer["code"], "POLICY", "{source}: {answer}");
    }
    assert_eq!(alice.request("resume-producer", &json!({ "producerId": mic })).await["code"], "POLICY");
    // A screen is no camera.
    let screen = json!({ "transportId": send, "kind": "video", "source": "screen", "rtpParameters": parameters(VP8) });
    assert!(alice.request("produce", &screen).await["producerId"].is_string());
    host.request("update-room", &json!({ "policy": { "mics": "open", "camera": "optional" } })).await;
    assert_eq!(alice.request("resume-producer", &json!({ "producerId": mic })).await, json!({ "resumed": true }));
}

#[tokio::test]
async fn who_was_muted_is_silent_in_the_media_and_when_they_come_again() {
    let data = Data::new(Kind::Sqlite);
    let server = start_on(&data, |_| {}).await;
    let (mut host, room) = room_with(&server, &json!({})).await;
    let token = server.token("Mallory").await;
    let (mut mallory, state) = sit(&server, &token, &room).await;
    let (peer, mic) = Peer::speak(&mallory, -20).await;
    heard(&mut host, true).await;
    let mute = json!({ "action": "mute", "participantId": state["self"]["participantId"], "reason": "music" });
    assert_eq!(host.request("moderate", &mute).await, json!({ "ok": true }));
    let told = mallory.event("moderated").await;
    assert_eq!((&told["action"], &told["by"], &told["reason"]), (&json!("mute"), &json!("Olga"), &json!("music")));
    assert_eq!(mallory.event("producer-paused").await["producerId"], mic);
    heard(&mut host, false).await;
    drop((peer, mallory));
    host.event("user-left").await;
    let (mut again, _) = sit(&server, &token, &room).await;
    let begun = produce(&again, "audio", OPUS).await;
    assert_eq!(again.event("producer-paused").await["producerId"], begun);
    // They may speak again, if they say so.
    assert_eq!(again.request("resume-producer", &json!({ "producerId": begun })).await, json!({ "resumed": true }));
    let second = produce(&again, "audio", OPUS).await;
    let announced = host.event_where("new-producer", |event| event["producerId"] == second).await;
    assert_eq!(announced["paused"], false);
}

#[tokio::test]
async fn the_chat_is_as_slow_and_as_closed_as_the_room_says() {
    let server = start_with(|_| {}).await;
    let (host, room) = room_with(&server, &json!({ "chat": "breaks-only", "slowModeSeconds": 30 })).await;
    let alice = Client::join(&server, "Alice", &room).await;
    let say = |client: &Client| client.request("send-message", &json!({ "content": "hello" }));
    assert_eq!(say(&alice).await["message"]["content"], "hello");
    let slow = say(&alice).await;
    assert_eq!(slow["code"], "RATE_LIMITED");
    assert!(slow["retryAfterMs"].as_u64().is_some_and(|ms| (1..=30_000).contains(&ms)), "{slow}");
    server.pass(std::time::Duration::from_secs(31));
    assert_eq!(say(&alice).await["message"]["content"], "hello");
    host.request("timer-start", &json!({ "preset": "25/5" })).await;
    assert_eq!(say(&alice).await["code"], "CHAT_CLOSED");
    assert_eq!(say(&host).await["message"]["content"], "hello");
    // The chat has a rate of its own.
    let bob = Client::join(&server, "Bob", "study-room-1").await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(say(&bob).await["code"].clone());
    }
    let refused = answers.iter().filter(|code| **code == "RATE_LIMITED").count();
    assert!((1..=2).contains(&refused), "{answers:?}");
    assert_eq!(bob.request("raise-hand", &json!({ "raised": true })).await, json!({ "ok": true }));
}
