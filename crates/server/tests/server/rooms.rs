//! Rooms that people make, change and remove, and who comes in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Client, Heard, Transport};
use crate::data::{Data, Kind, on_both};
use crate::harness::{TestServer, start_on, start_with};
use crate::people::{administrator, ask, enter, make_room, refused, sign_up, sit};

fn auth(token: &str, room: &str) -> Value {
    json!({ "token": token, "roomId": room })
}

on_both! {
    async fn a_room_that_somebody_made_is_there_after_a_restart_as_it_was_changed(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        let owner = sign_up(&server, "Olga").await;
        let body = json!({
            "name": "O'Brien's Library", "topic": "Thesis 📚", "language": "pt-BR", "capacity": 3,
            "policy": { "mics": "breaks-only", "timerControl": "host", "slowModeSeconds": 5 },
        });
        let made = ask(&server, &owner, "POST", "/api/rooms", &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = made.json();
        assert_eq!((&made["name"], &made["topic"], &made["language"]), (&body["name"], &body["topic"], &body["language"]));
        assert_eq!((&made["capacity"], &made["visibility"], &made["locked"]), (&json!(3), &json!("public"), &json!(false)));
        assert_eq!((&made["policy"]["mics"], &made["policy"]["camera"]), (&json!("breaks-only"), &json!("optional")));
        let id = made["id"].as_str().unwrap();
        assert!(id.starts_with("o-brien-s-library-"), "{id}");

        let (host, state) = sit(&server, &owner, id).await;
        assert_eq!((&state["self"]["role"], &state["room"]["name"]), (&json!("host"), &body["name"]));
        let (mut guest, state) = sit(&server, &server.token("Gustav").await, id).await;
        assert_eq!(state["self"]["role"], "guest");
        let update = json!({ "topic": "Essay", "policy": { "mics": "open" } });
        let answer = host.request("update-room", &update).await;
        assert_eq!((&answer["room"]["topic"], &answer["room"]["policy"]["slowModeSeconds"]), (&json!("Essay"), &json!(5)));
        assert_eq!(guest.event("room-updated").await["room"], answer["room"]);
        assert_eq!(guest.request("update-room", &update).await["code"], "FORBIDDEN");

        server.begin_stop();
        server.stopped().await;
        let server = start_on(&data, |_| {}).await;
        let found = server.get("/api/rooms?q=essay").await.json();
        assert_eq!(found["rooms"].as_array().unwrap().len(), 1);
        let (_, state) = sit(&server, &owner, id).await;
        assert_eq!((&state["room"]["topic"], &state["room"]["policy"]["mics"]), (&json!("Essay"), &json!("open")));
        assert_eq!(state["self"]["role"], "host");
        assert_eq!(data.number("SELECT COUNT(*) FROM moderation_log WHERE action = 'update-room'").await, 1);
    }
}

on_both! {
    async fn a_made_room_has_exactly_its_seats_in_any_race(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let owner = sign_up(&server, "Olga").await;
        let room = make_room(&server, &owner, &json!({ "name": "Seven", "capacity": 7 })).await;
        let mut joining = Vec::new();
        for number in 0..40 {
            let token = server.token(&format!("Guest {number}")).await;
            let auth = auth(&token, &room);
            joining.push(Client::connect(&server, Transport::WebSocket, "/room", &auth).await);
        }
        let (mut seated, mut full) = (0, 0);
        for client in &mut joining {
            match client.next().await {
                Heard::Connected => seated += 1,
                Heard::Refused(why) if why.starts_with("ROOM_FULL: All 7 seats") => full += 1,
                heard => panic!("{heard:?}"),
            }
        }
        assert_eq!((seated, full), (7, 33));
    }
}

on_both! {
    async fn a_private_room_is_for_who_was_invited_or_knows_its_password(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        let owner = sign_up(&server, "Olga").await;
        let body = json!({ "name": "Secret", "visibility": "private", "password": "open sesame" });
        let room = make_room(&server, &owner, &body).await;
        assert!(server.get("/api/rooms?q=secret").await.json()["rooms"].as_array().unwrap().is_empty());
        let mine = ask(&server, &owner, "GET", "/api/rooms?mine=true", &Value::Null).await.json();
        assert_eq!((&mine["rooms"][0]["id"], &mine["rooms"][0]["role"]), (&json!(room), &json!("host")));
        sit(&server, &owner, &room).await;

        let guest = server.token("Gustav").await;
        assert!(refused(&server, &auth(&guest, &room)).await.starts_with("PASSWORD_REQUIRED: "));
        let with = |token: &str, name: &str, value: &str| json!({ "token": token, "roomId": room, name: value });
        assert!(refused(&server, &with(&guest, "password", "open")).await.starts_with("WRONG_PASSWORD: "));
        assert!(refused(&server, &with(&guest, "invite", "guessed")).await.starts_with("INVITE_INVALID: "));
        enter(&server, &with(&guest, "password", "open sesame")).await.unwrap();

        let path = format!("/api/rooms/{room}/invites");
        ask(&server, &guest, "POST", &path, &json!({})).await.assert_problem(403, "FORBIDDEN");
        let made = ask(&server, &owner, "POST", &path, &json!({ "uses": 1 })).await;
        assert_eq!((made.status, &made.json()["usesLeft"]), (201, &json!(1)), "{}", made.body);
        let invite = made.json()["invite"].as_str().unwrap().to_owned();
        let member = sign_up(&server, "Mona").await;
        enter(&server, &with(&member, "invite", &invite)).await.unwrap();
        let other = sign_up(&server, "Otto").await;
        assert!(refused(&server, &with(&other, "invite", &invite)).await.starts_with("INVITE_INVALID: "));
        let mine = ask(&server, &member, "GET", "/api/rooms?mine=true", &Value::Null).await.json();
        assert_eq!((mine["rooms"].as_array().unwrap().len(), &mine["rooms"][0]["role"]), (1, &json!("member")));
        let seen = ask(&server, &owner, "GET", &format!("/api/rooms/{room}"), &Value::Null).await.json();
        assert_eq!(seen["role"], "host");

        // Whoever was let in once needs neither again, also after a restart.
        server.begin_stop();
        server.stopped().await;
        let server = start_on(&data, |_| {}).await;
        for token in [&owner, &guest, &member] {
            sit(&server, token, &room).await;
        }
        assert!(refused(&server, &auth(&other, &room)).await.starts_with("PASSWORD_REQUIRED: "));
        assert_eq!(data.texts("SELECT password_hash FROM rooms WHERE name = 'Secret'").await[0].split('$').nth(1), Some("argon2id"));
    }
}

#[tokio::test]
async fn who_guesses_a_rooms_password_has_to_wait_and_nobody_else() {
    let server = start_with(|config| config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await;
    let owner = sign_up(&server, "Olga").await;
    let body = json!({ "name": "Secret", "visibility": "private", "password": "open sesame" });
    let room = make_room(&server, &owner, &body).await;
    let guess = async |password: &str| {
        let token = server.token("Gustav").await;
        refused(&server, &json!({ "token": token, "roomId": room, "password": password })).await
    };
    for _ in 0..5 {
        assert!(guess("wrong").await.starts_with("WRONG_PASSWORD: "));
    }
    // The sixth costs a second, and is told so.
    let mut refusals = Vec::new();
    for _ in 0..3 {
        refusals.push(guess("open sesame?").await);
    }
    assert!(refusals.iter().any(|why| why.starts_with("RATE_LIMITED: Too many wrong passwords")), "{refusals:?}");
}

on_both! {
    async fn a_waiting_room_lets_in_whom_the_host_lets_in(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let owner = sign_up(&server, "Olga").await;
        let room = make_room(&server, &owner, &json!({ "name": "Quiet", "policy": { "waitingRoom": true } })).await;
        let (ada, bob) = (server.token("Ada").await, server.token("Bob").await);
        assert!(refused(&server, &auth(&ada, &room)).await.starts_with("WAITING: "));
        // The host who comes later is told who waits.
        let (mut host, _) = sit(&server, &owner, &room).await;
        let waiting = host.event("waiting").await;
        assert_eq!((waiting["people"].as_array().unwrap().len(), &waiting["people"][0]["displayName"]), (1, &json!("Ada")));
        assert!(refused(&server, &auth(&bob, &room)).await.starts_with("WAITING: "));
        let waiting = host.event_where("waiting", |event| event["people"].as_array().unwrap().len() == 2).await;
        let ids: Vec<_> = waiting["people"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        for (action, id) in [("admit", &ids[0]), ("reject", &ids[1])] {
            let answer = host.request("moderate", &json!({ "action": action, "participantId": id })).await;
            assert_eq!(answer, json!({ "ok": true }), "{action}");
        }
        host.event_where("waiting", |event| event["people"] == json!([])).await;
        let (guest, _) = sit(&server, &ada, &room).await;
        assert!(refused(&server, &auth(&bob, &room)).await.starts_with("REJECTED: "));
        let admit = json!({ "action": "admit", "participantId": ids[1] });
        assert_eq!(host.request("moderate", &admit).await["code"], "NOT_FOUND");
        assert_eq!(guest.request("moderate", &admit).await["code"], "FORBIDDEN");
        // Who gives up is taken off the list.
        let carol = server.token("Carol").await;
        assert!(refused(&server, &auth(&carol, &room)).await.starts_with("WAITING: "));
        host.event_where("waiting", |event| event["people"][0]["displayName"] == "Carol").await;
        server.pass(Duration::from_secs(60));
        host.event_where("waiting", |event| event["people"] == json!([])).await;
        // Without a waiting room nobody waits.
        host.request("update-room", &json!({ "policy": { "waitingRoom": false } })).await;
        sit(&server, &carol, &room).await;
    }
}

#[tokio::test]
async fn a_locked_room_and_one_without_guests_let_nobody_else_in() {
    let server = start_with(|_| {}).await;
    let owner = sign_up(&server, "Olga").await;
    let room = make_room(&server, &owner, &json!({ "name": "Ours", "policy": { "guests": false } })).await;
    let (guest, member) = (server.token("Gustav").await, sign_up(&server, "Mona").await);
    assert!(refused(&server, &auth(&guest, &room)).await.starts_with("ACCOUNT_REQUIRED: "));
    let (sitting, _) = sit(&server, &member, &room).await;
    let patched = ask(&server, &owner, "PATCH", &format!("/api/rooms/{room}"), &json!({ "locked": true })).await;
    assert_eq!((patched.status, &patched.json()["locked"]), (200, &json!(true)));
    let other = sign_up(&server, "Otto").await;
    assert!(refused(&server, &auth(&other, &room)).await.starts_with("ROOM_LOCKED: "));
    sit(&server, &owner, &room).await;
    assert_eq!(sitting.request("raise-hand", &json!({ "raised": true })).await, json!({ "ok": true }));
}

#[tokio::test]
async fn a_room_that_is_deleted_is_gone_and_whoever_sat_there_is_told() {
    let data = Data::new(Kind::Sqlite);
    let mut server = start_on(&data, |_| {}).await;
    let (owner, other) = (sign_up(&server, "Olga").await, sign_up(&server, "Otto").await);
    let room = make_room(&server, &owner, &json!({ "name": "Short-lived" })).await;
    let (mut sitting, _) = sit(&server, &other, &room).await;
    sitting.request("timer-start", &json!({ "preset": "25/5" })).await;
    sitting.request("send-message", &json!({ "content": "hello" })).await;
    let path = format!("/api/rooms/{room}");
    ask(&server, &other, "DELETE", &path, &Value::Null).await.assert_problem(403, "FORBIDDEN");
    assert_eq!(ask(&server, &owner, "DELETE", &path, &Value::Null).await.status, 204);
    assert_eq!(sitting.event("kicked").await["reason"], "This room was deleted.");
    sitting.closed().await;
    server.get(&path).await.assert_problem(404, "ROOM_NOT_FOUND");
    assert!(refused(&server, &auth(&other, &room)).await.starts_with("ROOM_NOT_FOUND: "));
    let admin = administrator(&server, &data, "Anna").await;
    let seeded = ask(&server, &admin, "DELETE", "/api/rooms/study-room-1", &Value::Null).await;
    seeded.assert_problem(403, "FORBIDDEN");
    server.begin_stop();
    server.stopped().await;
    for sql in [
        "SELECT COUNT(*) FROM rooms WHERE position = 0",
        "SELECT COUNT(*) FROM clocks",
        "SELECT COUNT(*) FROM messages",
    ] {
        assert_eq!(data.number(sql).await, 0, "{sql}");
    }
}

#[tokio::test]
async fn rooms_are_made_by_accounts_within_limits_and_of_what_is_allowed() {
    let data = Data::new(Kind::Sqlite);
    let server = start_on(&data, |config| {
        (config.limits.rooms_per_account, config.limits.made_rooms) = (2, 4);
    })
    .await;
    let guest = server.token("Gustav").await;
    ask(&server, &guest, "POST", "/api/rooms", &json!({ "name": "A" })).await.assert_problem(403, "FORBIDDEN");
    server.post("/api/rooms", "{}").await.assert_problem(401, "UNAUTHORIZED");
    let owner = sign_up(&server, "Olga").await;
    for wrong in [
        json!({}),
        json!({ "name": "" }),
        json!({ "name": "x".repeat(81) }),
        json!({ "name": "a\u{0}b" }),
        json!({ "name": "A", "topic": "x".repeat(201) }),
        json!({ "name": "A", "language": "not a language" }),
        json!({ "name": "A", "capacity": 0 }),
        json!({ "name": "A", "visibility": "secret" }),
        json!({ "name": "A", "password": "open sesame" }),
        json!({ "name": "A", "visibility": "private", "password": "abc" }),
        json!({ "name": "A", "policy": { "mics": "loud" } }),
        json!({ "name": "A", "policy": { "slowModeSeconds": 3_601 } }),
        json!({ "name": "A", "policy": { "loudest": 51 } }),
        json!({ "name": "A", "colour": "red" }),
    ] {
        let answer = ask(&server, &owner, "POST", "/api/rooms", &wrong).await;
        answer.assert_problem(400, "BAD_REQUEST");
    }
    let large = json!({ "name": "Large", "capacity": 51 });
    ask(&server, &owner, "POST", "/api/rooms", &large).await.assert_problem(403, "FORBIDDEN");
    let admin = administrator(&server, &data, "Anna").await;
    make_room(&server, &admin, &large).await;
    for name in ["A", "B"] {
        make_room(&server, &owner, &json!({ "name": name })).await;
    }
    let third = ask(&server, &owner, "POST", "/api/rooms", &json!({ "name": "C" })).await;
    third.assert_problem(403, "FORBIDDEN");
    make_room(&server, &admin, &json!({ "name": "D" })).await;
    let fifth = ask(&server, &admin, "POST", "/api/rooms", &json!({ "name": "E" })).await;
    fifth.assert_problem(503, "SERVER_BUSY");
}

async fn role_in(server: &TestServer, token: &str, room: &str) -> Value {
    sit(server, token, room).await.1["self"]["role"].clone()
}

#[tokio::test]
async fn the_host_gives_the_room_to_somebody_else() {
    let data = Data::new(Kind::Sqlite);
    let mut server = start_on(&data, |_| {}).await;
    let (owner, heir) = (sign_up(&server, "Olga").await, sign_up(&server, "Henri").await);
    let room = make_room(&server, &owner, &json!({ "name": "Heirloom" })).await;
    let (host, _) = sit(&server, &owner, &room).await;
    let (next, state) = sit(&server, &heir, &room).await;
    let transfer = json!({ "action": "transfer-host", "participantId": state["self"]["participantId"] });
    assert_eq!(host.request("moderate", &transfer).await, json!({ "ok": true }));
    drop((host, next));
    server.begin_stop();
    server.stopped().await;
    let server = start_on(&data, |_| {}).await;
    assert_eq!(role_in(&server, &owner, &room).await, "moderator");
    assert_eq!(role_in(&server, &heir, &room).await, "host");
    let path = format!("/api/rooms/{room}");
    ask(&server, &owner, "DELETE", &path, &Value::Null).await.assert_problem(403, "FORBIDDEN");
    assert_eq!(ask(&server, &heir, "DELETE", &path, &Value::Null).await.status, 204);
}

on_both! {
    async fn a_room_has_so_many_invitations_at_most_and_those_that_are_over_make_room(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let owner = sign_up(&server, "Olga").await;
        let room = make_room(&server, &owner, &json!({ "name": "Secret", "visibility": "private" })).await;
        let insert = |count: u32, from: &str, expires_at_ms: &str| {
            format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
                 INSERT INTO invites (token_hash, room_id, created_by, created_at_ms, expires_at_ms, uses_left) \
                 SELECT '{from}' || i, '{room}', '', 0, {expires_at_ms}, 1 FROM n"
            )
        };
        data.execute(&insert(50, "old", "1")).await;
        data.execute(&insert(99, "new", "9000000000000")).await;
        let path = format!("/api/rooms/{room}/invites");
        assert_eq!(ask(&server, &owner, "POST", &path, &json!({})).await.status, 201);
        ask(&server, &owner, "POST", &path, &json!({})).await.assert_problem(429, "RATE_LIMITED");
        for wrong in [json!({ "uses": 0 }), json!({ "uses": 1_001 }), json!({ "expiresInMs": 59_999 }), json!({ "for": "all" })] {
            ask(&server, &owner, "POST", &path, &wrong).await.assert_problem(400, "BAD_REQUEST");
        }
    }
}

#[tokio::test]
async fn the_lobby_shows_so_many_rooms_at_most_and_the_list_has_them_all() {
    let server = start_with(|config| config.limits.rooms = 205).await;
    let mut lobby = Client::connect(&server, Transport::WebSocket, "/", &json!({})).await;
    assert_eq!(lobby.event("lobby-state").await["rooms"].as_array().unwrap().len(), 200);
    let (mut path, mut count) = ("/api/rooms".to_owned(), 0);
    loop {
        let page = server.get(&path).await.json();
        count += page["rooms"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/rooms?cursor={next}");
    }
    assert_eq!(count, 205);
}
