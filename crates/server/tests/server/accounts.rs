//! Accounts: made, signed in to, kept signed in, and left; on both databases.

use futures_util::future::join_all;
use serde_json::{Value, json};
use server::{Server, StartError};

use crate::client::{Client, Heard, Transport};
use crate::data::{Data, Kind, on_both};
use crate::harness::{Response, TestServer, start_on, start_with};

const PASSWORD: &str = "correct horse battery";

/// Somebody who is signed in.
pub(crate) struct SignedIn {
    pub(crate) token: String,
    pub(crate) cookie: String,
    pub(crate) user: Value,
}

impl SignedIn {
    pub(crate) fn of(response: &Response) -> Self {
        let body = response.json();
        Self { token: body["token"].as_str().unwrap().to_owned(), cookie: cookie(response), user: body["user"].clone() }
    }
}

/// What the browser would send back.
pub(crate) fn cookie(response: &Response) -> String {
    response.header("set-cookie").split(';').next().unwrap().to_owned()
}

fn body(email: &str, password: &str, name: &str) -> Value {
    json!({ "email": email, "password": password, "displayName": name })
}

pub(crate) async fn register(server: &TestServer, email: &str) -> SignedIn {
    let response = server.post("/api/auth/register", &body(email, PASSWORD, "Bo").to_string()).await;
    assert_eq!(response.status, 201, "{response:?}");
    SignedIn::of(&response)
}

async fn login(server: &TestServer, email: &str, password: &str) -> Response {
    server.post("/api/auth/login", &json!({ "email": email, "password": password }).to_string()).await
}

pub(crate) async fn with_cookie(server: &TestServer, path: &str, cookie: &str) -> Response {
    server.request("POST", path, &[("cookie", cookie)], "").await
}

/// A request with a token, and JSON where there is some.
pub(crate) async fn ask(server: &TestServer, method: &str, path: &str, token: &str, body: &Value) -> Response {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.request(method, path, &headers, &body).await
}

on_both! {
    async fn an_account_is_made_and_signed_in_to(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let made = server.post("/api/auth/register", &body("Bo@Example.org", PASSWORD, "O'Brien").to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        let attributes = "; Path=/api/auth; Max-Age=604800; HttpOnly; SameSite=Strict";
        assert!(made.header("set-cookie").ends_with(attributes), "{made:?}");
        let user = &made.json()["user"];
        assert_eq!((&user["email"], &user["displayName"]), (&"bo@example.org".into(), &"O'Brien".into()));
        assert_eq!((&user["isAdmin"], &user["timeZone"], &user["restDays"]), (&false.into(), &"UTC".into(), &0.into()));
        assert!(user["id"].as_str().unwrap().starts_with("u:"));

        let again = login(&server, "BO@example.ORG", PASSWORD).await;
        assert_eq!(again.status, 200, "{again:?}");
        assert_eq!(again.json()["user"], *user);
        let SignedIn { token, .. } = SignedIn::of(&again);
        assert_eq!(ask(&server, "GET", "/api/me", &token, &Value::Null).await.json(), *user);

        let auth = json!({ "token": token, "roomId": "study-room-1" });
        let mut client = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        assert_eq!(client.next().await, Heard::Connected);
        let state = client.event("room-state").await;
        assert_eq!(state["participants"][0]["displayName"], "O'Brien");
    }
}

on_both! {
    async fn an_address_gets_one_account_however_many_ask_at_once(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let bodies: Vec<_> = (0..8).map(|_| body("a@b.example", PASSWORD, "A").to_string()).collect();
        let answers = join_all(bodies.iter().map(|body| server.post("/api/auth/register", body))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            refused.assert_problem(409, "EMAIL_TAKEN");
        }
    }
}

on_both! {
    async fn a_wrong_password_and_an_unknown_address_read_the_same(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        register(&server, "a@b.example").await;
        let wrong = login(&server, "a@b.example", "not the password").await;
        let unknown = login(&server, "nobody@b.example", PASSWORD).await;
        wrong.assert_problem(401, "WRONG_PASSWORD");
        assert_eq!((wrong.status, &wrong.body), (unknown.status, &unknown.body));
        assert_eq!(wrong.header("set-cookie"), "");
    }
}

#[tokio::test]
async fn who_guesses_waits_whether_there_is_such_an_account_or_not() {
    let server = start_with(|_| {}).await;
    register(&server, "a@b.example").await;
    for email in ["a@b.example", "nobody@b.example"] {
        for _ in 0..5 {
            login(&server, email, "not the password").await.assert_problem(401, "WRONG_PASSWORD");
        }
        let refused = login(&server, email, PASSWORD).await;
        refused.assert_problem(429, "RATE_LIMITED");
        assert!(refused.json()["retryAfterMs"].as_u64().is_some_and(|wait| (1..=1_000).contains(&wait)));
    }
}

#[tokio::test]
async fn an_address_tries_so_many_passwords_and_codes_in_a_minute() {
    let server = start_with(|config| config.limits.logins_per_minute = 3).await;
    let SignedIn { token, .. } = register(&server, "a@b.example").await;
    let code = json!({ "code": "no such code" });
    ask(&server, "POST", "/api/me/administrator", &token, &code).await.assert_problem(403, "FORBIDDEN");
    login(&server, "nobody@b.example", PASSWORD).await.assert_problem(401, "WRONG_PASSWORD");
    login(&server, "a@b.example", PASSWORD).await.assert_problem(429, "RATE_LIMITED");
    let another = body("c@b.example", PASSWORD, "C").to_string();
    server.post("/api/auth/register", &another).await.assert_problem(429, "RATE_LIMITED");
    ask(&server, "POST", "/api/me/administrator", &token, &code).await.assert_problem(429, "RATE_LIMITED");
}

#[tokio::test]
async fn what_cannot_be_an_account_is_a_problem_that_names_the_field() {
    let server = start_with(|_| {}).await;
    let cases = [
        (body("nonsense", PASSWORD, "A"), "email"),
        (body("a@b.example", "too short", "A"), "password"),
        (body("a@b.example", &"x".repeat(201), "A"), "password"),
        (body("a@b.example", PASSWORD, " "), "displayName"),
        (json!({ "email": "a@b.example", "displayName": "A" }), "password"),
        (json!({ "email": 7, "password": PASSWORD, "displayName": "A" }), "email"),
    ];
    for (body, field) in cases {
        let refused = server.post("/api/auth/register", &body.to_string()).await;
        refused.assert_problem(400, "BAD_REQUEST");
        assert!(refused.json()["detail"].as_str().unwrap().contains(field), "{refused:?}");
        assert!(!refused.body.contains(PASSWORD), "{refused:?}");
    }
}

on_both! {
    async fn a_refresh_token_is_exchanged_once_and_one_that_comes_again_ends_the_login(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let first = register(&server, "a@b.example").await;
        let elsewhere = SignedIn::of(&login(&server, "a@b.example", PASSWORD).await);
        let second = with_cookie(&server, "/api/auth/refresh", &first.cookie).await;
        assert_eq!(second.status, 200, "{second:?}");
        let second = SignedIn::of(&second);
        assert_ne!(second.cookie, first.cookie);
        assert_eq!(ask(&server, "GET", "/api/me", &second.token, &Value::Null).await.status, 200);
        let third = SignedIn::of(&with_cookie(&server, "/api/auth/refresh", &second.cookie).await);

        let stolen = with_cookie(&server, "/api/auth/refresh", &first.cookie).await;
        stolen.assert_problem(401, "UNAUTHORIZED");
        assert!(stolen.header("set-cookie").contains("Max-Age=0"), "{stolen:?}");
        for ended in [&first, &second, &third] {
            with_cookie(&server, "/api/auth/refresh", &ended.cookie).await.assert_problem(401, "UNAUTHORIZED");
        }
        assert_eq!(with_cookie(&server, "/api/auth/refresh", &elsewhere.cookie).await.status, 200);
    }
}

on_both! {
    async fn whose_answer_was_lost_gets_the_same_one_again_but_not_later(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let first = register(&server, "a@b.example").await;
        let answers = join_all((0..6).map(|_| with_cookie(&server, "/api/auth/refresh", &first.cookie))).await;
        let successors: Vec<_> = answers.iter().map(|answer| SignedIn::of(answer).cookie).collect();
        assert!(successors.iter().all(|cookie| *cookie == successors[0]), "{successors:?}");
        data.execute("UPDATE refresh_tokens SET used_at_ms = used_at_ms - 10001 WHERE used_at_ms IS NOT NULL").await;
        with_cookie(&server, "/api/auth/refresh", &first.cookie).await.assert_problem(401, "UNAUTHORIZED");
        with_cookie(&server, "/api/auth/refresh", &successors[0]).await.assert_problem(401, "UNAUTHORIZED");
    }
}

on_both! {
    async fn a_login_that_is_ended_while_it_goes_on_ends_whole(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        for round in 0..10 {
            let first = register(&server, &format!("{round}@b.example")).await;
            let second = SignedIn::of(&with_cookie(&server, "/api/auth/refresh", &first.cookie).await);
            let third = SignedIn::of(&with_cookie(&server, "/api/auth/refresh", &second.cookie).await);
            // The first is the thief's; the third is exchanged by its owner at the same moment.
            let exchanges = [&third, &first, &third].map(|who| with_cookie(&server, "/api/auth/refresh", &who.cookie));
            join_all(exchanges).await;
            assert_eq!(data.number("SELECT COUNT(*) FROM refresh_tokens WHERE revoked_at_ms IS NULL").await, 0);
        }
    }
}

on_both! {
    async fn a_login_ends_when_it_is_left_and_after_its_time(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let first = register(&server, "a@b.example").await;
        let left = with_cookie(&server, "/api/auth/logout", &first.cookie).await;
        assert_eq!(left.status, 204, "{left:?}");
        assert!(left.header("set-cookie").contains("Max-Age=0"), "{left:?}");
        with_cookie(&server, "/api/auth/refresh", &first.cookie).await.assert_problem(401, "UNAUTHORIZED");
        // Leaving twice, or without ever having come, is no mistake.
        for cookie in [first.cookie.as_str(), "studyhall_refresh=nonsense", "other=1"] {
            assert_eq!(with_cookie(&server, "/api/auth/logout", cookie).await.status, 204);
        }
        let second = SignedIn::of(&login(&server, "a@b.example", PASSWORD).await);
        data.execute("UPDATE refresh_tokens SET expires_at_ms = 1").await;
        with_cookie(&server, "/api/auth/refresh", &second.cookie).await.assert_problem(401, "UNAUTHORIZED");
        with_cookie(&server, "/api/auth/refresh", "other=1").await.assert_problem(401, "UNAUTHORIZED");
    }
}

on_both! {
    async fn an_account_has_so_many_logins_and_the_oldest_goes(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let first = register(&server, "a@b.example").await;
        data.execute("UPDATE refresh_tokens SET issued_at_ms = 1").await;
        // As many as are allowed beside it.
        let mut last = login(&server, "a@b.example", PASSWORD).await;
        for _ in 1..49 {
            last = login(&server, "a@b.example", PASSWORD).await;
        }
        let first = SignedIn::of(&with_cookie(&server, "/api/auth/refresh", &first.cookie).await);
        data.execute("UPDATE refresh_tokens SET issued_at_ms = 1 WHERE used_at_ms IS NULL AND family IN \
                      (SELECT family FROM refresh_tokens WHERE used_at_ms IS NOT NULL)").await;
        assert_eq!(login(&server, "a@b.example", PASSWORD).await.status, 200);
        with_cookie(&server, "/api/auth/refresh", &first.cookie).await.assert_problem(401, "UNAUTHORIZED");
        assert_eq!(with_cookie(&server, "/api/auth/refresh", &cookie(&last)).await.status, 200);
    }
}

#[tokio::test]
async fn the_cookie_is_for_https_only_where_a_trusted_proxy_says_so() {
    for (proxies, expected) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        let server = start_with(|config| config.trusted_proxies = vec![proxies.parse().unwrap()]).await;
        let headers = [("content-type", "application/json"), ("x-forwarded-proto", "https")];
        let made = body("a@b.example", PASSWORD, "A").to_string();
        let made = server.request("POST", "/api/auth/register", &headers, &made).await;
        assert_eq!(made.header("set-cookie").ends_with("; Secure"), expected, "{made:?}");
    }
}

#[tokio::test]
async fn an_allowed_page_may_change_and_delete_with_the_cookie() {
    let server = start_with(|config| config.allowed_origins = vec!["https://school.example".to_owned()]).await;
    let headers =
        [("host", "study.example"), ("origin", "https://school.example"), ("access-control-request-method", "PATCH")];
    let allowed = server.request("OPTIONS", "/api/me", &headers, "").await;
    assert_eq!(allowed.header("access-control-allow-credentials"), "true");
    for method in ["PATCH", "DELETE"] {
        assert!(allowed.header("access-control-allow-methods").contains(method), "{allowed:?}");
    }
}

on_both! {
    async fn tokens_are_good_after_a_restart(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        let SignedIn { token, cookie, .. } = register(&server, "a@b.example").await;
        let guest = server.token("A").await;
        server.begin_stop();
        server.stopped().await;
        let server = start_on(&data, |_| {}).await;
        assert_eq!(ask(&server, "GET", "/api/me", &token, &Value::Null).await.status, 200);
        assert_eq!(with_cookie(&server, "/api/auth/refresh", &cookie).await.status, 200);
        let auth = json!({ "token": guest, "roomId": "study-room-1" });
        let mut client = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        assert_eq!(client.next().await, Heard::Connected);
    }
}

on_both! {
    async fn what_ended_is_forgotten_and_guests_who_did_nothing_too(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        let ended = register(&server, "a@b.example").await;
        server.token("A").await;
        server.begin_stop();
        server.stopped().await;
        data.execute("UPDATE refresh_tokens SET expires_at_ms = 1").await;
        data.execute("INSERT INTO guests VALUES ('idle', 'B', 1, NULL), ('busy', 'C', 1, NULL)").await;
        data.execute("INSERT INTO goals (id, person, room_id, text, set_at_ms) VALUES ('1', 'g:busy', 'r', 'read', 1)").await;
        let mut server = start_on(&data, |_| {}).await;
        with_cookie(&server, "/api/auth/refresh", &ended.cookie).await.assert_problem(401, "UNAUTHORIZED");
        server.begin_stop();
        server.stopped().await;
        assert_eq!(data.number("SELECT COUNT(*) FROM refresh_tokens").await, 0);
        assert_eq!(data.number("SELECT COUNT(*) FROM guests").await, 2);
        assert_eq!(data.number("SELECT COUNT(*) FROM guests WHERE id = 'idle'").await, 0);
    }
}

#[tokio::test]
async fn a_damaged_key_stops_the_start() {
    let data = Data::new(Kind::Sqlite);
    let directory = data.directory().join("data");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("signing.key"), "nonsense").unwrap();
    let mut config = server::config::Config::default().on_loopback();
    config.port = 0;
    data.configure(&mut config);
    match Server::start(config).await {
        Err(error @ StartError::Key(_)) => assert!(error.to_string().contains("is damaged"), "{error}"),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test]
async fn without_the_database_nobody_signs_in_and_whoever_has_a_token_comes_in() {
    let mut data = Data::new(Kind::Postgres);
    let server = start_on(&data, |_| {}).await;
    let SignedIn { token, cookie, .. } = register(&server, "a@b.example").await;
    data.postgres().end();
    login(&server, "a@b.example", PASSWORD).await.assert_problem(503, "SERVER_BUSY");
    with_cookie(&server, "/api/auth/refresh", &cookie).await.assert_problem(503, "SERVER_BUSY");
    let guest = server.token("A").await;
    for token in [token, guest.clone()] {
        let auth = json!({ "token": token, "roomId": "study-room-1" });
        let mut client = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        assert_eq!(client.next().await, Heard::Connected);
    }
    data.postgres().begin();
    // What was to be stored meanwhile is stored first.
    let export = ask(&server, "GET", "/api/me/export", &guest, &Value::Null).await;
    assert_eq!(export.json()["guest"][0]["displayName"], "A", "{export:?}");
    assert_eq!(with_cookie(&server, "/api/auth/refresh", &cookie).await.status, 200);
}
