//! One's own account: changed, given a guest's study time, handed out and removed; and the first administrator. On both databases.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::accounts::{SignedIn, ask, register, with_cookie};
use crate::client::{Client, Heard, Transport};
use crate::data::{Data, on_both};
use crate::harness::{TestServer, start_on, start_with};

/// Statements are text of the program; those of a test may be made anew.
async fn execute(data: &Data, sql: String) {
    data.execute(Box::leak(sql.into_boxed_str())).await;
}

/// One study session, one goal and one message of somebody.
async fn has_studied(data: &Data, person: &str, id: &str) {
    execute(
        data,
        format!("INSERT INTO study_sessions VALUES ('s{id}', '{person}', 'study-room-1', 1000, 61000, 60000)"),
    )
    .await;
    execute(data, format!("INSERT INTO study_phases VALUES ('s{id}', 1000, 61000, 'focus')")).await;
    execute(data, format!("INSERT INTO goals (id, person, room_id, text, set_at_ms) VALUES ('g{id}', '{person}', 'study-room-1', 'read', 1000)")).await;
    let room = "INSERT INTO rooms (id, name, capacity, policy, created_at_ms) VALUES ('study-room-1', 'Study Room 1', 50, '{}', 1) \
                ON CONFLICT (id) DO NOTHING";
    data.execute(room).await;
    execute(data, format!("INSERT INTO messages VALUES ('m{id}', 'study-room-1', '{person}', 'seat{id}', 'Zoë', 'hello {id}', 'text', 2000)")).await;
}

async fn guest(server: &TestServer) -> (String, String) {
    let made = server.post("/api/guests", &json!({ "displayName": "Zoë" }).to_string()).await.json();
    (made["token"].as_str().unwrap().to_owned(), format!("g:{}", made["guestId"].as_str().unwrap()))
}

async fn export(server: &TestServer, token: &str) -> Value {
    let response = ask(server, "GET", "/api/me/export", token, &Value::Null).await;
    assert_eq!(response.status, 200, "{response:?}");
    assert!(response.header("content-disposition").starts_with("attachment"), "{response:?}");
    response.json()
}

fn count(export: &Value, what: &str) -> usize {
    export[what].as_array().unwrap_or_else(|| panic!("{what} in {export}")).len()
}

on_both! {
    async fn an_account_is_changed_in_what_is_said_and_nothing_else(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let SignedIn { token, cookie, mut user } = register(&server, "a@b.example").await;
        let steps = [
            json!({ "timeZone": "Europe/Berlin" }),
            json!({ "onLeaderboard": true, "restDays": 96 }),
            json!({ "displayName": "don't" }),
            json!({}),
        ];
        for step in steps {
            let answer = ask(&server, "PATCH", "/api/me", &token, &step).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            for (name, value) in step.as_object().unwrap() {
                user[name] = value.clone();
            }
            assert_eq!(answer.json(), user);
        }
        let wrong = [
            (json!({ "timeZone": "Mars/Olympus" }), "timeZone"),
            (json!({ "restDays": 128 }), "restDays"),
            (json!({ "restDays": -1 }), "restDays"),
            (json!({ "displayName": "" }), "displayName"),
            (json!({ "isAdmin": true }), "isAdmin"),
            (json!({ "email": "c@d.example" }), "email"),
        ];
        for (step, field) in wrong {
            let answer = ask(&server, "PATCH", "/api/me", &token, &step).await;
            answer.assert_problem(400, "BAD_REQUEST");
            assert!(answer.json()["detail"].as_str().unwrap().contains(field), "{answer:?}");
        }
        assert_eq!(ask(&server, "GET", "/api/me", &token, &Value::Null).await.json(), user);
        // The next token carries the new name into rooms.
        let next = SignedIn::of(&with_cookie(&server, "/api/auth/refresh", &cookie).await);
        let auth = json!({ "token": next.token, "roomId": "study-room-1" });
        let mut client = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        assert_eq!(client.next().await, Heard::Connected);
        assert_eq!(client.event("room-state").await["participants"][0]["displayName"], "don't");
    }
}

#[tokio::test]
async fn who_says_not_who_they_are_or_has_no_account_is_refused() {
    let server = start_with(|_| {}).await;
    let (guest, _) = guest(&server).await;
    for (method, path) in [("GET", "/api/me"), ("PATCH", "/api/me"), ("DELETE", "/api/me"), ("GET", "/api/me/export")] {
        server.request(method, path, &[], "").await.assert_problem(401, "UNAUTHORIZED");
        for wrong in ["Basic YTpi", "Bearer", "Bearer nonsense", "Bearer a.b.c"] {
            let headers = [("authorization", wrong)];
            server.request(method, path, &headers, "").await.assert_problem(401, "UNAUTHORIZED");
        }
    }
    let body = json!({ "guestToken": guest, "code": "x" });
    for (method, path) in
        [("GET", "/api/me"), ("PATCH", "/api/me"), ("POST", "/api/me/claim-guest"), ("POST", "/api/me/administrator")]
    {
        ask(&server, method, path, &guest, &body).await.assert_problem(403, "FORBIDDEN");
    }
}

on_both! {
    async fn a_guests_study_time_becomes_one_accounts(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let (guest_token, guest_id) = guest(&server).await;
        has_studied(&data, &guest_id, "1").await;
        let (one, other) = (register(&server, "a@b.example").await, register(&server, "c@d.example").await);
        let claim = json!({ "guestToken": guest_token });
        let claims = [&one, &other].map(|who| ask(&server, "POST", "/api/me/claim-guest", &who.token, &claim));
        let answers = join_all(claims).await;
        let (winner, loser) = if answers[0].status == 204 { (0, 1) } else { (1, 0) };
        assert_eq!(answers[winner].status, 204, "{answers:?}");
        answers[loser].assert_problem(409, "ALREADY_CLAIMED");
        let owner = [&one, &other][winner];
        // Whose answer was lost asks again; what was studied meanwhile comes along.
        has_studied(&data, &guest_id, "2").await;
        assert_eq!(ask(&server, "POST", "/api/me/claim-guest", &owner.token, &claim).await.status, 204);
        let theirs = export(&server, &owner.token).await;
        for what in ["studySessions", "studyPhases", "goals", "messages"] {
            assert_eq!(count(&theirs, what), 2, "{what}");
        }
        assert_eq!(theirs["studySessions"][0]["studiedMs"], 60_000);
        assert_eq!(theirs["guests"][0]["id"], guest_id[2..]);
        let others = export(&server, &[&one, &other][loser].token).await;
        assert_eq!(count(&others, "studySessions"), 0);

        let of_account = json!({ "guestToken": one.token });
        ask(&server, "POST", "/api/me/claim-guest", &other.token, &of_account).await.assert_problem(400, "BAD_REQUEST");
        let nonsense = json!({ "guestToken": "nonsense" });
        ask(&server, "POST", "/api/me/claim-guest", &one.token, &nonsense).await.assert_problem(401, "UNAUTHORIZED");
    }
}

on_both! {
    async fn what_is_given_out_is_what_is_stored_and_no_secret(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let SignedIn { token, cookie, user } = register(&server, "a@b.example").await;
        has_studied(&data, user["id"].as_str().unwrap(), "1").await;
        let all = export(&server, &token).await;
        assert_eq!(all["account"][0]["email"], "a@b.example");
        assert_eq!(all["messages"][0]["content"], "hello 1");
        assert_eq!(all["goals"][0]["recap"], Value::Null);
        assert_eq!(count(&all, "logins"), 1);
        let text = all.to_string();
        assert!(!text.contains("argon2") && !text.contains(cookie.split('=').nth(1).unwrap()), "{text}");
    }
}

on_both! {
    async fn who_is_deleted_leaves_their_words_and_nothing_else(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let (guest_token, guest_id) = guest(&server).await;
        let gone = register(&server, "a@b.example").await;
        let stays = register(&server, "c@d.example").await;
        let id = gone.user["id"].as_str().unwrap();
        has_studied(&data, &guest_id, "1").await;
        let claim = json!({ "guestToken": guest_token });
        assert_eq!(ask(&server, "POST", "/api/me/claim-guest", &gone.token, &claim).await.status, 204);
        has_studied(&data, &guest_id, "2").await;
        has_studied(&data, id, "3").await;
        has_studied(&data, stays.user["id"].as_str().unwrap(), "4").await;
        execute(&data, format!("INSERT INTO memberships VALUES ('study-room-1', '{}', 'host', 1)", &id[2..])).await;
        execute(&data, format!("INSERT INTO moderation_log VALUES ('l1', 'study-room-1', '{id}', 'Zoë', 'mute', '{id}', 'Zoë', '', 1)")).await;
        let context = json!([{ "participantId": "seat3", "displayName": "Zoë", "content": "hello" },
                             { "participantId": "seat4", "displayName": "Bo", "content": "hello" }]);
        execute(&data, format!("INSERT INTO reports VALUES ('r1', 'study-room-1', 'g:x', 'Al', '{id}', 'Zoë', 'rude', '{context}', 1, NULL, NULL)")).await;

        let answer = ask(&server, "DELETE", "/api/me", &gone.token, &Value::Null).await;
        assert_eq!(answer.status, 204, "{answer:?}");
        ask(&server, "GET", "/api/me", &gone.token, &Value::Null).await.assert_problem(401, "UNAUTHORIZED");
        with_cookie(&server, "/api/auth/refresh", &gone.cookie).await.assert_problem(401, "UNAUTHORIZED");
        let auth = json!({ "token": gone.token, "roomId": "study-room-1" });
        let mut client = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        assert!(matches!(client.next().await, Heard::Refused(refusal) if refusal.starts_with("UNAUTHORIZED: ")));

        let rows = async |sql: &'static str| data.number(sql).await;
        assert_eq!(rows("SELECT COUNT(*) FROM users").await, 1);
        assert_eq!(rows("SELECT COUNT(*) FROM guests").await, 0);
        assert_eq!(rows("SELECT COUNT(*) FROM refresh_tokens").await, 1);
        assert_eq!(rows("SELECT COUNT(*) FROM memberships").await, 0);
        assert_eq!(rows("SELECT COUNT(*) FROM study_sessions").await, 1);
        assert_eq!(rows("SELECT COUNT(*) FROM study_phases").await, 1);
        assert_eq!(rows("SELECT COUNT(*) FROM goals").await, 1);
        assert_eq!(rows("SELECT COUNT(*) FROM messages WHERE person = '' AND display_name = '(deleted)' AND content <> ''").await, 3);
        assert_eq!(rows("SELECT COUNT(*) FROM messages WHERE display_name = 'Zoë'").await, 1);
        assert_eq!(rows("SELECT COUNT(*) FROM moderation_log WHERE by_name = '(deleted)' AND target_name = '(deleted)'").await, 1);
        assert_eq!(rows("SELECT COUNT(*) FROM reports WHERE target_name = '(deleted)' AND context NOT LIKE '%Zoë%' \
                         AND context LIKE '%\"Bo\"%'").await, 1);
        // The address is free again.
        register(&server, "a@b.example").await;
    }
}

on_both! {
    async fn a_guest_can_take_out_and_remove_what_is_stored_too(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let (token, id) = guest(&server).await;
        has_studied(&data, &id, "1").await;
        let all = export(&server, &token).await;
        assert_eq!((count(&all, "guest"), count(&all, "studySessions")), (1, 1));
        assert_eq!(ask(&server, "DELETE", "/api/me", &token, &Value::Null).await.status, 204);
        ask(&server, "GET", "/api/me/export", &token, &Value::Null).await.assert_problem(401, "UNAUTHORIZED");
        assert_eq!(data.number("SELECT COUNT(*) FROM guests").await, 0);
        assert_eq!(data.number("SELECT COUNT(*) FROM study_sessions").await, 0);
    }
}

/// In place of the one that only the log knows.
const CODE: &str = "the-code-of-this-test";

/// Its SHA-256, by `printf the-code-of-this-test | sha256sum`.
const KEEP_CODE: &str = "UPDATE kept_values SET value = 'e63d61f9ceeb723cc156dd3839194373bdfd380c3c4362f3fde36869019f8b69' WHERE name = 'administrator-code'";

on_both! {
    async fn the_code_makes_one_account_administrator(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        data.execute(KEEP_CODE).await;
        let wrong = json!({ "email": "a@b.example", "password": "correct horse", "displayName": "A", "code": "wrong" });
        server.post("/api/auth/register", &wrong.to_string()).await.assert_problem(403, "FORBIDDEN");
        let bodies: Vec<_> = (0..4)
            .map(|n| json!({ "email": format!("{n}@b.example"), "password": "correct horse", "displayName": "A", "code": CODE }))
            .map(|body| body.to_string())
            .collect();
        let answers = join_all(bodies.iter().map(|body| server.post("/api/auth/register", body))).await;
        let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
        assert_eq!(made.len(), 1, "{answers:?}");
        assert_eq!(made[0].json()["user"]["isAdmin"], true);
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            refused.assert_problem(403, "FORBIDDEN");
        }
        // Whoever was refused has no account either.
        assert_eq!(data.number("SELECT COUNT(*) FROM users").await, 1);
        assert_eq!(data.number("SELECT COUNT(*) FROM audit_log WHERE action = 'administrator-by-code'").await, 1);
    }
}

on_both! {
    async fn who_has_an_account_already_enters_the_code_there(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        let SignedIn { token, .. } = register(&server, "a@b.example").await;
        data.execute(KEEP_CODE).await;
        let (wrong, right) = (json!({ "code": "wrong" }), json!({ "code": format!(" {CODE}\n") }));
        ask(&server, "POST", "/api/me/administrator", &token, &wrong).await.assert_problem(403, "FORBIDDEN");
        let answer = ask(&server, "POST", "/api/me/administrator", &token, &right).await;
        assert_eq!(answer.json()["isAdmin"], true, "{answer:?}");
        ask(&server, "POST", "/api/me/administrator", &token, &right).await.assert_problem(403, "FORBIDDEN");
        // No other code is offered while there is one.
        server.begin_stop();
        server.stopped().await;
        let _server = start_on(&data, |_| {}).await;
        assert_eq!(data.number("SELECT COUNT(*) FROM kept_values WHERE name = 'administrator-code'").await, 0);
    }
}
