//! The clock of a room, as those in it see it, and after the server was started again.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Client, Transport};
use super::data::{Data, on_both};
use super::harness::{TestServer, start, start_on};
use super::lifecycle::{Program, env_file};

const ROOM: &str = "study-room-1";

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// What does not change with the time of looking.
fn essence(timer: &Value) -> Value {
    let names = ["state", "phase", "phases", "index", "cycle", "endsAtMs", "controlledBy"];
    names.iter().map(|name| ((*name).to_owned(), timer[*name].clone())).collect::<serde_json::Map<_, _>>().into()
}

async fn timer_of(server: &TestServer, room: &str) -> Value {
    let listed = server.get("/api/rooms").await.json();
    let rooms = listed["rooms"].as_array().unwrap();
    let timer = rooms.iter().find(|listed| listed["id"] == room).unwrap()["timer"].clone();
    assert_eq!(essence(&timer), essence(&server.get(&format!("/api/rooms/{room}")).await.json()["timer"]));
    timer
}

#[tokio::test]
async fn everybody_sees_the_same_clock_and_so_does_who_comes_later() {
    let server = start().await;
    let (mut alice, mut bob) = (Client::join(&server, "Alice", ROOM).await, Client::join(&server, "Bob", ROOM).await);
    let answer = alice.request("timer-start", &json!({ "preset": "25/5" })).await;
    let timer = &answer["timer"];
    assert_eq!((&timer["state"], &timer["phase"], &timer["index"]), (&json!("running"), &json!("focus"), &json!(0)));
    assert_eq!(timer["controlledBy"], "everyone");
    assert_eq!(timer["remainingMs"], 25 * 60_000);
    assert_eq!(timer["endsAtMs"].as_u64().unwrap(), timer["serverTimeMs"].as_u64().unwrap() + 25 * 60_000);
    for client in [&mut alice, &mut bob] {
        let mut told = client.event("timer").await;
        told.as_object_mut().unwrap().remove("seq");
        assert_eq!(told, *timer);
    }
    let auth = json!({ "token": server.token("Carol").await, "roomId": ROOM });
    let mut carol = Client::connect(&server, Transport::Polling, "/room", &auth).await;
    assert_eq!(essence(&carol.event("room-state").await["timer"]), essence(timer));
    assert_eq!(essence(&timer_of(&server, ROOM).await), essence(timer));
    assert_eq!(timer_of(&server, "study-room-2").await["state"], "idle");
}

#[tokio::test]
async fn phases_follow_each_other_by_themselves() {
    let server = start().await;
    let mut alice = Client::join(&server, "Alice", ROOM).await;
    let answer = alice.request("timer-start", &json!({ "preset": "25/5" })).await;
    let ends_at = answer["timer"]["endsAtMs"].as_u64().unwrap();
    alice.event("timer").await;
    server.pass(minutes(25));
    let timer = alice.event("timer").await;
    assert_eq!((&timer["phase"], &timer["index"]), (&json!("short-break"), &json!(1)));
    assert_eq!(timer["endsAtMs"].as_u64().unwrap(), ends_at + 5 * 60_000);
    // A machine that slept for hours.
    server.pass(minutes(130 + 30));
    let timer = alice.event("timer").await;
    assert_eq!((&timer["phase"], &timer["index"], &timer["cycle"]), (&json!("short-break"), &json!(3), &json!(1)));
}

#[tokio::test]
async fn a_phase_of_a_second_ends_after_a_second() {
    let server = start().await;
    let mut alice = Client::join(&server, "Alice", ROOM).await;
    let phases =
        json!([{ "kind": "short-break", "durationMs": 1_000 }, { "kind": "long-break", "durationMs": 28_800_000 }]);
    let answer = alice.request("timer-start", &json!({ "phases": phases })).await;
    assert_eq!(answer["timer"]["phases"], phases);
    assert_eq!(alice.event("timer").await["index"], 0);
    let timer = alice.event("timer").await;
    assert_eq!((&timer["index"], &timer["phase"]), (&json!(1), &json!("long-break")));
    let ended = answer["timer"]["endsAtMs"].as_u64().unwrap();
    assert_eq!(timer["endsAtMs"].as_u64().unwrap(), ended + 28_800_000);
}

#[tokio::test]
async fn a_clock_can_be_paused_gone_on_with_skipped_and_reset() {
    let server = start().await;
    let mut alice = Client::join(&server, "Alice", ROOM).await;
    alice.request("timer-start", &json!({ "preset": "50/10" })).await;
    let paused = alice.request_bare("timer-pause").await["timer"].clone();
    assert_eq!((&paused["state"], &paused["endsAtMs"]), (&json!("paused"), &Value::Null));
    server.pass(minutes(90));
    let resumed = alice.request_bare("timer-resume").await["timer"].clone();
    assert_eq!((&resumed["state"], &resumed["remainingMs"]), (&json!("running"), &paused["remainingMs"]));
    let skipped = alice.request_bare("timer-skip").await["timer"].clone();
    assert_eq!((&skipped["phase"], &skipped["remainingMs"]), (&json!("short-break"), &json!(600_000)));
    let reset = alice.request_bare("timer-reset").await["timer"].clone();
    assert_eq!((&reset["state"], &reset["phases"]), (&json!("idle"), &paused["phases"]));
    for expected in ["running", "paused", "running", "running", "idle"] {
        assert_eq!(alice.event("timer").await["state"], expected);
    }
    // What changes nothing is told to nobody.
    assert_eq!(alice.request_bare("timer-reset").await["timer"]["state"], "idle");
    assert!(!alice.names_so_far().await.contains(&"timer".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_done_to_a_clock_is_refused_in_a_sentence() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", ROOM).await;
    for event in ["timer-pause", "timer-resume", "timer-skip"] {
        let refused = alice.request_bare(event).await;
        assert_eq!(refused["code"], "BAD_REQUEST", "{event}");
        assert!(refused["error"].as_str().unwrap().contains("not started"), "{refused}");
    }
    let focus = |duration: Value| json!({ "kind": "focus", "durationMs": duration });
    for (payload, part) in [
        (json!({ "preset": "1/1" }), "preset"),
        (json!({ "preset": 25 }), "preset"),
        (json!({ "preset": "25/5", "phases": [focus(json!(1_000))] }), "at most one"),
        (json!({ "phases": [] }), "1 to 32"),
        (json!({ "phases": vec![focus(json!(1_000)); 33] }), "1 to 32"),
        (json!({ "phases": [focus(json!(1_000)), focus(json!(999))] }), "phases[1].durationMs"),
        (json!({ "phases": [focus(json!(28_800_001))] }), "phases[0].durationMs"),
        (json!({ "phases": [focus(json!(-1))] }), "durationMs"),
        (json!({ "phases": [{ "kind": "nap", "durationMs": 1_000 }] }), "kind"),
        (json!([]), "timer-start"),
    ] {
        let refused = alice.request("timer-start", &payload).await;
        assert_eq!(refused["code"], "BAD_REQUEST", "{payload}");
        assert!(refused["error"].as_str().unwrap().contains(part), "{payload}: {refused}");
    }
    assert_eq!(timer_of(&server, ROOM).await["state"], "idle");
}

on_both! {
    async fn a_server_that_is_started_again_shows_the_same_phases(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        let alice = Client::join(&server, "Alice", ROOM).await;
        let running = alice.request("timer-start", &json!({ "preset": "25/5" })).await["timer"].clone();
        let bob = Client::join(&server, "Bob", "study-room-2").await;
        bob.request("timer-start", &json!({ "preset": "50/10" })).await;
        bob.request_bare("timer-skip").await;
        let paused = bob.request_bare("timer-pause").await["timer"].clone();
        server.begin_stop();
        server.stopped().await;
        let mut server = start_on(&data, |_| {}).await;
        assert_eq!(essence(&timer_of(&server, ROOM).await), essence(&running));
        let found = timer_of(&server, "study-room-2").await;
        assert_eq!((essence(&found), &found["remainingMs"]), (essence(&paused), &paused["remainingMs"]));
        // It goes on by itself there.
        let mut carol = Client::join(&server, "Carol", ROOM).await;
        server.pass(minutes(25));
        assert_eq!(carol.event("timer").await["index"], 1);
        server.begin_stop();
        server.stopped().await;
        data.execute("UPDATE clocks SET state = 'damaged' WHERE room_id = 'study-room-2'").await;
        let server = start_on(&data, |_| {}).await;
        assert_eq!(timer_of(&server, "study-room-2").await["state"], "idle");
        assert_eq!(timer_of(&server, ROOM).await["state"], "running");
    }
}

on_both! {
    async fn a_server_that_was_killed_shows_the_same_phase(kind: Kind) {
        let data = Data::new(kind);
        let mut settings = format!("{}STUDYHALL_DATA_DIR={}\n", env_file(), data.directory().join("data").display());
        if let Some(url) = data.database_url() {
            settings += &format!("STUDYHALL_DATABASE_URL={url}\n");
        }
        let mut program = Program::start(&["--host", "127.0.0.1"], &settings);
        let server = TestServer::of(format!("127.0.0.1:{}", program.port().await).parse().unwrap());
        let alice = Client::join(&server, "Alice", ROOM).await;
        let timer = alice.request("timer-start", &json!({ "preset": "50/10" })).await["timer"].clone();
        let stored = "SELECT state FROM clocks WHERE room_id = 'study-room-1'";
        data.text_where(stored, |state| state.contains("running")).await;
        program.signal("KILL").await;
        program.end().await;
        let mut program = Program::start(&["--host", "127.0.0.1"], &settings);
        let server = TestServer::of(format!("127.0.0.1:{}", program.port().await).parse().unwrap());
        assert_eq!(essence(&timer_of(&server, ROOM).await), essence(&timer));
    }
}
