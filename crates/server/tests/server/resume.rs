//! Coming back: who loses the connection finds the seat, the media and what was said, when they come in time and with the
//! right token.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Heard, Transport};
use super::harness::{TestServer, soon, start_with};
use super::media::{OPUS, consume, produce, produce_on, transport};
use super::peer::Peer;

const ROOM: &str = "study-room-1";
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(300);
const SHORT: Duration = Duration::from_millis(500);

/// Somebody who notes what is needed to come back.
struct Sitter {
    client: Client,
    token: String,
    id: Value,
    resume_token: Value,
    last_seq: u64,
}

impl Sitter {
    async fn sit(server: &TestServer, name: &str) -> Self {
        let token = server.token(name).await;
        let auth = json!({ "token": token, "roomId": ROOM });
        let mut client = Client::connect(server, Transport::WebSocket, "/room", &auth).await;
        let state = client.event("room-state").await;
        let own = &state["self"];
        let (id, resume_token) = (own["participantId"].clone(), own["resumeToken"].clone());
        Self { client, token, id, resume_token, last_seq: state["seq"].as_u64().unwrap() }
    }

    /// Notes the number of everything that came.
    async fn catch_up(&mut self) -> Vec<String> {
        let heard = self.client.heard_so_far().await;
        self.last_seq = heard.iter().filter_map(|(_, event)| event["seq"].as_u64()).max().unwrap_or(self.last_seq);
        heard.into_iter().map(|(name, _)| name).collect()
    }

    fn auth(&self) -> Value {
        let resume = json!({ "resumeToken": self.resume_token, "lastSeq": self.last_seq });
        json!({ "token": self.token, "roomId": ROOM, "resume": resume })
    }

    /// Another connection with the same token.
    async fn come_back(&self, server: &TestServer, by: Transport) -> Client {
        Client::connect(server, by, "/room", &self.auth()).await
    }
}

async fn start(grace: Duration) -> TestServer {
    start_with(move |config| config.resume_grace = grace).await
}

async fn connection(client: &mut Client, id: &Value, connection: &str) {
    client
        .event_where("user-updated", |update| update["participantId"] == *id && update["connection"] == connection)
        .await;
}

async fn occupancy(server: &TestServer) -> Value {
    server.get(&format!("/api/rooms/{ROOM}")).await.json()["occupancy"].clone()
}

#[tokio::test]
async fn who_comes_back_has_the_same_seat_with_all_that_was_made_on_it() {
    let server = start(LONG).await;
    for by in super::client::BOTH {
        let mut bob = Client::join(&server, "Bob", ROOM).await;
        let from_bob = produce(&bob, "audio", OPUS).await;
        let mut alice = Sitter::sit(&server, "Alice").await;
        let peer = Peer::connect(&alice.client).await;
        let producer_id = produce_on(&alice.client, &json!(peer.transport_id), "audio", OPUS).await;
        let from_alice = consume(&bob, &transport(&bob, "recv").await, &producer_id).await;
        let consumer = consume(&alice.client, &json!(peer.transport_id), &from_bob).await;
        alice.catch_up().await;
        bob.names_so_far().await;

        alice.client = Client::open(&server, by, "/room").await;
        connection(&mut bob, &alice.id, "lost").await;
        assert_eq!(occupancy(&server).await, 2);
        alice.client.raw(&format!("40/room,{}", alice.auth()));
        let resumed = alice.client.event("resumed").await;
        assert_eq!(resumed["participantId"], alice.id);
        assert_ne!(resumed["resumeToken"], alice.resume_token);
        connection(&mut bob, &alice.id, "good").await;

        for (what, id) in [("producerId", &producer_id), ("consumerId", &consumer["id"])] {
            let stats = alice.client.request("get-stats", &json!({ what: id })).await;
            assert!(stats["stats"][0].is_object(), "{stats}");
        }
        let ice = alice.client.request("restart-ice", &json!({ "transportId": peer.transport_id })).await;
        assert!(ice["iceParameters"].is_object(), "{ice}");
        let stats = bob.request("get-stats", &json!({ "consumerId": from_alice["id"] })).await;
        assert!(stats["stats"][0].is_object(), "{stats}");
        let names = bob.names_so_far().await;
        let unwanted = ["user-left", "user-joined", "producer-closed", "consumer-closed", "new-producer"];
        assert!(names.iter().all(|name| !unwanted.contains(&name.as_str())), "{names:?}");

        for client in [&alice.client, &bob] {
            client.raw("41/room,");
        }
        super::joining::emptied(&server, ROOM).await;
    }
}

#[tokio::test]
async fn what_was_missed_is_told_again_once_and_in_order() {
    let server = start(LONG).await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let mut alice = Sitter::sit(&server, "Alice").await;
    let seen = produce(&bob, "audio", OPUS).await;
    assert_eq!(alice.catch_up().await, ["new-producer", "user-updated"]);
    alice.client = Client::open(&server, Transport::WebSocket, "/room").await;
    connection(&mut bob, &alice.id, "lost").await;
    bob.request("pause-producer", &json!({ "producerId": seen })).await;
    bob.request("close-producer", &json!({ "producerId": seen })).await;
    let carol = Sitter::sit(&server, "Carol").await;

    alice.client.raw(&format!("40/room,{}", alice.auth()));
    assert_eq!(alice.client.next().await, Heard::Connected);
    let heard = alice.client.heard_so_far().await;
    let names: Vec<_> = heard.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "resumed",
            // That she herself was lost.
            "user-updated",
            "producer-paused",
            "user-updated",
            "producer-closed",
            "user-updated",
            "user-joined",
            "user-updated",
        ]
    );
    let numbers: Vec<_> = heard.iter().filter_map(|(_, event)| event["seq"].as_u64()).collect();
    let expected: Vec<_> = (1..=7).map(|missed| alice.last_seq + missed).collect();
    assert_eq!(numbers, expected);
    assert_eq!(heard[6].1["participant"]["id"], carol.id);
    assert_eq!(heard[7].1["connection"], "good");
}

#[tokio::test]
async fn who_missed_too_much_is_told_the_room_anew_and_keeps_the_media() {
    let server = start(LONG).await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let from_bob = produce(&bob, "audio", OPUS).await;
    let mut alice = Sitter::sit(&server, "Alice").await;
    let own = produce(&alice.client, "audio", OPUS).await;
    alice.catch_up().await;
    alice.client = Client::open(&server, Transport::WebSocket, "/room").await;
    connection(&mut bob, &alice.id, "lost").await;
    // Each is told as two events; more than 400 are not kept.
    for _ in 0..110 {
        bob.request("pause-producer", &json!({ "producerId": from_bob })).await;
        bob.request("resume-producer", &json!({ "producerId": from_bob })).await;
    }
    alice.client.raw(&format!("40/room,{}", alice.auth()));
    let state = alice.client.event("room-state").await;
    assert_eq!(state["self"]["participantId"], alice.id);
    assert!(state["seq"].as_u64().unwrap() > alice.last_seq + 400, "{}", state["seq"]);
    let mut producers = Vec::new();
    for _ in 0..2 {
        producers.push(alice.client.event("new-producer").await["producerId"].clone());
    }
    // Their own too, so that they know which of them are still there.
    assert!(producers.contains(&own) && producers.contains(&from_bob), "{producers:?}");
    let stats = alice.client.request("get-stats", &json!({ "producerId": own })).await;
    assert!(stats["stats"][0].is_object(), "{stats}");
    assert!(!alice.client.names_so_far().await.contains(&"resumed".to_owned()));
    // The token of that state is good.
    alice.resume_token = state["self"]["resumeToken"].clone();
    alice.last_seq = state["seq"].as_u64().unwrap();
    let mut again = alice.come_back(&server, Transport::WebSocket).await;
    assert_eq!(again.event("resumed").await["participantId"], alice.id);
}

#[tokio::test]
async fn a_page_that_was_loaded_again_has_the_same_seat_and_none_of_its_old_media() {
    let server = start(LONG).await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let mut alice = Sitter::sit(&server, "Alice").await;
    bob.event("user-joined").await;
    let before = produce(&alice.client, "audio", OPUS).await;
    // As a browser does it with a page that goes away.
    alice.client.raw("close");
    connection(&mut bob, &alice.id, "lost").await;
    alice.last_seq = 0;
    let mut again = alice.come_back(&server, Transport::WebSocket).await;
    let state = again.event("room-state").await;
    assert_eq!(state["self"]["participantId"], alice.id);
    assert_eq!(bob.event("producer-closed").await["producerId"], before);
    connection(&mut bob, &alice.id, "good").await;
    for _ in 0..3 {
        // As many transports as at the first time.
        transport(&again, "send").await;
    }
    let names = bob.names_so_far().await;
    assert!(!names.contains(&"user-left".to_owned()) && !names.contains(&"user-joined".to_owned()), "{names:?}");
    assert_eq!(state["participants"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_newest_connection_wins() {
    let server = start(LONG).await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let mut alice = Sitter::sit(&server, "Alice").await;
    bob.event("user-joined").await;
    let producer_id = produce(&alice.client, "audio", OPUS).await;
    let mut newest = alice.come_back(&server, Transport::WebSocket).await;
    assert_eq!(newest.event("resumed").await["participantId"], alice.id);
    assert_eq!(alice.client.event("error").await["code"], "REPLACED");
    assert_eq!(alice.client.closed().await, Heard::Closed);
    let stats = newest.request("get-stats", &json!({ "producerId": producer_id })).await;
    assert!(stats["stats"][0].is_object(), "{stats}");
    // The end of the old one is nobody's leaving.
    drop(alice.client);
    let names = bob.names_so_far().await;
    assert!(names.iter().all(|name| name != "user-left" && name != "user-joined"), "{names:?}");
    assert_eq!(occupancy(&server).await, 2);
}

#[tokio::test]
async fn a_wrong_token_and_another_persons_open_no_seat_but_a_new_one() {
    let server = start(LONG).await;
    let mut alice = Sitter::sit(&server, "Alice").await;
    let mallory = server.token("Mallory").await;
    let right = alice.resume_token.clone();
    let cases = [
        (mallory.clone(), right.clone(), 1),
        (mallory, right, 0),
        (alice.token.clone(), json!("0".repeat(64)), 1),
        (alice.token.clone(), json!(""), 1),
        (alice.token.clone(), json!("x".repeat(10_000)), u64::MAX),
    ];
    for (token, resume_token, last_seq) in cases {
        let resume = json!({ "resumeToken": resume_token, "lastSeq": last_seq });
        let auth = json!({ "token": token, "roomId": ROOM, "resume": resume });
        let mut other = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        let state = other.event("room-state").await;
        assert_ne!(state["self"]["participantId"], alice.id);
        assert_ne!(state["self"]["resumeToken"], alice.resume_token);
    }
    assert!(!alice.catch_up().await.contains(&"error".to_owned()));
    // A seat of one room is none of another one.
    let mut auth = alice.auth();
    auth["roomId"] = json!("study-room-2");
    let mut elsewhere = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    assert_ne!(elsewhere.event("room-state").await["self"]["participantId"], alice.id);
    auth["resume"] = json!({ "resumeToken": 7 });
    let refused = Client::connect(&server, Transport::WebSocket, "/room", &auth).await.next().await;
    assert!(matches!(&refused, Heard::Refused(message) if message.starts_with("BAD_REQUEST: ")), "{refused:?}");
}

#[tokio::test]
async fn a_token_is_dead_once_it_was_used() {
    let server = start(LONG).await;
    let mut alice = Sitter::sit(&server, "Alice").await;
    let used = alice.auth();
    let mut second = alice.come_back(&server, Transport::WebSocket).await;
    let resumed = second.event("resumed").await;
    second.request_bare("get-rtp-capabilities").await;
    let mut thief = Client::connect(&server, Transport::WebSocket, "/room", &used).await;
    assert_ne!(thief.event("room-state").await["self"]["participantId"], alice.id);
    alice.resume_token = resumed["resumeToken"].clone();
    let mut third = alice.come_back(&server, Transport::WebSocket).await;
    assert_eq!(third.event("resumed").await["participantId"], alice.id);
}

#[tokio::test]
async fn a_seat_is_not_lost_when_the_answer_to_coming_back_is() {
    let server = start(LONG).await;
    let alice = Sitter::sit(&server, "Alice").await;
    for _ in 0..3 {
        let mut back = alice.come_back(&server, Transport::WebSocket).await;
        assert_eq!(back.event("resumed").await["participantId"], alice.id);
    }
}

#[tokio::test]
async fn after_the_grace_period_the_seat_is_free_and_all_of_it_closed() {
    let server = start(SHORT).await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let mut alice = Sitter::sit(&server, "Alice").await;
    let producer_id = produce(&alice.client, "audio", OPUS).await;
    let consumer = consume(&bob, &transport(&bob, "recv").await, &producer_id).await;
    let auth = alice.auth();
    alice.client = Client::open(&server, Transport::WebSocket, "/room").await;
    connection(&mut bob, &alice.id, "lost").await;
    assert_eq!(bob.event("producer-closed").await["producerId"], producer_id);
    assert_eq!(bob.event("consumer-closed").await["consumerId"], consumer["id"]);
    let left = bob.event("user-left").await;
    assert_eq!((&left["participantId"], &left["reason"]), (&alice.id, &json!("lost")));
    assert_eq!(left["occupancy"], 1);
    // Who comes after that is somebody new.
    alice.client.raw(&format!("40/room,{auth}"));
    assert_ne!(alice.client.event("room-state").await["self"]["participantId"], alice.id);
}

#[tokio::test]
async fn who_comes_back_and_is_lost_again_has_the_whole_time_again() {
    let server = start(SHORT).await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let alice = Sitter::sit(&server, "Alice").await;
    let id = alice.id.clone();
    let auth = alice.auth();
    drop(alice);
    for _ in 0..3 {
        connection(&mut bob, &id, "lost").await;
        let mut back = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        back.event("resumed").await;
        connection(&mut bob, &id, "good").await;
    }
    connection(&mut bob, &id, "lost").await;
    assert_eq!(bob.event("user-left").await["participantId"], id);
}

#[tokio::test]
async fn a_kept_seat_counts() {
    let server = start_with(|config| {
        config.resume_grace = LONG;
        config.limits.room_capacity = 2;
    })
    .await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let mut alice = Sitter::sit(&server, "Alice").await;
    alice.client = Client::open(&server, Transport::WebSocket, "/room").await;
    connection(&mut bob, &alice.id, "lost").await;
    let carol = json!({ "token": server.token("Carol").await, "roomId": ROOM });
    let refused = Client::connect(&server, Transport::WebSocket, "/room", &carol).await.next().await;
    assert!(matches!(&refused, Heard::Refused(message) if message.starts_with("ROOM_FULL: ")), "{refused:?}");
    // Its owner comes in.
    alice.client.raw(&format!("40/room,{}", alice.auth()));
    alice.client.event("resumed").await;
}

#[tokio::test]
async fn who_leaves_keeps_nothing() {
    let server = start(LONG).await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    for leave in ["41/room,", "42/room,[\"leave\"]"] {
        let mut alice = Sitter::sit(&server, "Alice").await;
        alice.client.raw(leave);
        let left = bob.event("user-left").await;
        assert_eq!((&left["participantId"], &left["reason"]), (&alice.id, &json!("left")));
        let auth = alice.auth();
        alice.client = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        assert_ne!(alice.client.event("room-state").await["self"]["participantId"], alice.id);
        alice.client.raw("41/room,");
        bob.event("user-left").await;
    }
}

#[tokio::test]
async fn who_closes_the_page_is_gone_long_before_the_grace_period_is() {
    let server = start(LONG).await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let alice = Sitter::sit(&server, "Alice").await;
    alice.client.raw("close");
    connection(&mut bob, &alice.id, "lost").await;
    let left = bob.event("user-left").await;
    assert_eq!((&left["participantId"], &left["reason"]), (&alice.id, &json!("left")));
}

#[tokio::test]
async fn a_failing_media_worker_is_told_to_who_was_away() {
    let server = start_with(|config| {
        config.resume_grace = LONG;
        config.workers = 1;
    })
    .await;
    let mut bob = Client::join(&server, "Bob", ROOM).await;
    let mut alice = Sitter::sit(&server, "Alice").await;
    produce(&alice.client, "audio", OPUS).await;
    alice.catch_up().await;
    alice.client = Client::open(&server, Transport::WebSocket, "/room").await;
    connection(&mut bob, &alice.id, "lost").await;
    server.fail_worker(0);
    bob.event("error").await;
    alice.client.raw(&format!("40/room,{}", alice.auth()));
    assert_eq!(alice.client.event("error").await["code"], "MEDIA_RESTARTED");
    produce(&alice.client, "audio", OPUS).await;
}

#[tokio::test]
async fn many_who_come_back_at_once_find_one_seat_each() {
    let server = start(LONG).await;
    let mut sitters = Vec::new();
    for index in 0..20 {
        sitters.push(Sitter::sit(&server, &format!("P{index}")).await);
    }
    for sitter in &mut sitters {
        sitter.catch_up().await;
    }
    // The old connections are still there: each is replaced twice, at the same time.
    let coming = sitters.iter().flat_map(|sitter| [sitter, sitter]).map(|sitter| async {
        let mut client = sitter.come_back(&server, Transport::WebSocket).await;
        assert_eq!(client.next().await, Heard::Connected);
        client
    });
    let clients = soon("the return of all", futures_util::future::join_all(coming)).await;
    assert_eq!(occupancy(&server).await, 20);
    drop(clients);
}
