//! The REST interface, the page, and who may use them.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::harness::{start, start_with};

#[tokio::test]
async fn a_guest_gets_a_token_under_the_name_that_was_typed() {
    let server = start().await;
    for name in ["Zoë", "O'Brien", "don't", "<script>"] {
        let response = server.post("/api/guests", &json!({ "displayName": name }).to_string()).await;
        assert_eq!(response.status, 201);
        let guest = response.json();
        assert_eq!(guest["displayName"], name);
        assert_eq!(guest["token"].as_str().unwrap().split('.').count(), 3);
        assert!(guest["guestId"].as_str().is_some_and(|id| id.len() == 32));
        assert!(guest["expiresAt"].as_str().is_some_and(|at| at.ends_with('Z')), "{guest}");
    }
}

#[tokio::test]
async fn a_wrong_body_is_a_problem_that_names_the_field() {
    let server = start().await;
    let long = json!({ "displayName": "x".repeat(51) }).to_string();
    let cases = [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "body"),
        ("null", "body"),
        ("{}", "displayName"),
        (r#"{"displayName":7}"#, "displayName"),
        (r#"{"displayName":null}"#, "displayName"),
        (r#"{"displayName":""}"#, "displayName"),
        (r#"{"displayName":"a\u0000b"}"#, "displayName"),
        (long.as_str(), "displayName"),
    ];
    for (body, part) in cases {
        let response = server.post("/api/guests", body).await;
        response.assert_problem(400, "BAD_REQUEST");
        let detail = response.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(part), "{body}: {detail}");
    }
}

#[tokio::test]
async fn a_body_of_another_kind_or_size_is_refused() {
    let server = start().await;
    let body = r#"{"displayName":"A"}"#;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    server.request("POST", "/api/guests", &form, body).await.assert_problem(400, "BAD_REQUEST");
    server.request("POST", "/api/guests", &[], body).await.assert_problem(400, "BAD_REQUEST");
    let huge = json!({ "displayName": "x".repeat(20_000) }).to_string();
    server.post("/api/guests", &huge).await.assert_problem(413, "TOO_LARGE");
}

#[tokio::test]
async fn guests_of_one_address_are_limited() {
    let server = start_with(|config| config.limits.guests_per_minute = 3).await;
    for _ in 0..3 {
        server.token("A").await;
    }
    let response = server.post("/api/guests", r#"{"displayName":"A"}"#).await;
    response.assert_problem(429, "RATE_LIMITED");
    assert!(response.json()["retryAfterMs"].as_u64().is_some_and(|ms| (1..=20_000).contains(&ms)));
    assert!(response.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds >= 1));
}

#[tokio::test]
async fn a_trusted_proxys_clients_are_limited_one_by_one() {
    let server = start_with(|config| {
        config.limits.guests_per_minute = 1;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let post = async |client: &str| {
        let headers = [("content-type", "application/json"), ("x-forwarded-for", client)];
        server.request("POST", "/api/guests", &headers, r#"{"displayName":"A"}"#).await.status
    };
    assert_eq!(post("198.51.100.1").await, 201);
    assert_eq!(post("198.51.100.1").await, 429);
    assert_eq!(post("198.51.100.2").await, 201);
    // What the client itself wrote into the header stands left of what the proxy saw.
    assert_eq!(post("203.0.113.77, 198.51.100.2").await, 429);
}

/// Of a room that nobody has changed.
pub(crate) static POLICY: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "mics": "open", "camera": "optional", "chat": "open", "timerControl": "everyone", "guests": true,
        "waitingRoom": false, "loudest": null, "slowModeSeconds": 0,
    })
});

#[tokio::test]
async fn there_are_ten_rooms_of_fifty() {
    let server = start().await;
    let mut list = server.get("/api/rooms").await.json();
    let rooms = list["rooms"].as_array_mut().unwrap();
    let without_timer = |room: &mut Value| room.as_object_mut().unwrap().remove("timer").unwrap();
    for room in &mut *rooms {
        assert_eq!(without_timer(room)["state"], "idle");
    }
    assert_eq!(rooms.len(), 10);
    for (index, room) in rooms.iter().enumerate() {
        let number = index + 1;
        let expected = json!({
            "id": format!("study-room-{number}"), "name": format!("Study Room {number}"), "topic": "",
            "capacity": 50, "occupancy": 0, "locked": false, "language": "", "visibility": "public",
            "policy": POLICY.clone(),
        });
        assert_eq!(*room, expected);
    }
    let mut one = server.get("/api/rooms/study-room-3").await.json();
    without_timer(&mut one);
    assert_eq!(one, rooms[2]);
    assert!(list.get("next").is_none());
}

#[tokio::test]
async fn rooms_are_found_by_what_they_are_called() {
    let server = start().await;
    let count = async |path: &str| server.get(path).await.json()["rooms"].as_array().unwrap().len();
    assert_eq!(count("/api/rooms?q=ROOM%201").await, 2);
    assert_eq!(count("/api/rooms?q=study-room-10").await, 1);
    assert_eq!(count("/api/rooms?q=nothing").await, 0);
    let long = format!("/api/rooms?q={}", "x".repeat(81));
    server.get(&long).await.assert_problem(400, "BAD_REQUEST");
}

#[tokio::test]
async fn many_rooms_come_in_pages() {
    let server = start_with(|config| config.limits.rooms = 120).await;
    let mut path = "/api/rooms".to_owned();
    let mut sizes = Vec::new();
    let mut last = String::new();
    loop {
        let page = server.get(&path).await.json();
        let rooms = page["rooms"].as_array().unwrap();
        sizes.push(rooms.len());
        last.clone_from(&rooms.last().unwrap()["id"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/rooms?cursor={next}");
    }
    assert_eq!(sizes, [50, 50, 20]);
    assert_eq!(last, "study-room-120");
    server.get("/api/rooms?cursor=nonsense").await.assert_problem(400, "BAD_REQUEST");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem() {
    let server = start().await;
    server.get("/api/rooms/nowhere").await.assert_problem(404, "ROOM_NOT_FOUND");
    server.get("/api/rooms/No%20Room").await.assert_problem(400, "BAD_REQUEST");
    server.get("/api/rooms/%ff").await.assert_problem(400, "BAD_REQUEST");
    server.get("/api/nothing").await.assert_problem(404, "NOT_FOUND");
    server.get("/assets/nothing.js").await.assert_problem(404, "NOT_FOUND");
    server.request("DELETE", "/api/guests", &[], "").await.assert_problem(405, "METHOD_NOT_ALLOWED");
    server.request("POST", "/room/x", &[], "").await.assert_problem(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn health_is_told() {
    let server = start().await;
    assert_eq!(server.get("/healthz").await.json()["status"], "ok");
    assert_eq!(server.get("/readyz").await.json(), json!({ "status": "ok", "workers": 2 }));
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_pages_safe() {
    let server = start().await;
    for path in ["/", "/room/study-room-1", "/api/rooms", "/healthz", "/nothing.js"] {
        let response = server.get(path).await;
        assert_eq!(response.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(response.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(response.header("referrer-policy"), "no-referrer", "{path}");
        let policy = response.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        let permissions = response.header("permissions-policy");
        for name in ["camera=(self)", "microphone=(self)", "display-capture=(self)"] {
            assert!(permissions.contains(name), "{path}: {permissions}");
        }
        assert!(!response.header("cache-control").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn the_page_is_served_wherever_the_client_draws_one() {
    let server = start().await;
    let index = server.get("/").await;
    // 503 and a page that says how to build it, when the client was not built.
    assert!(matches!(index.status, 200 | 503), "{index:?}");
    assert!(index.header("content-type").starts_with("text/html"));
    assert!(index.body.contains("<html"));
    for path in ["/room", "/room/study-room-1", "/room/a/b", "/rooms/new", "/rooms/a/edit", "/sign-in", "/study"] {
        assert_eq!(server.get(path).await.body, index.body, "{path}");
    }
    let html = [("accept", "text/html,*/*")];
    let unknown = server.request("GET", "/nowhere", &html, "").await;
    assert_eq!(unknown.body, index.body);
    assert!(matches!(unknown.status, 404 | 503), "{unknown:?}");
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let server = start().await;
    let index = server.get("/").await;
    if index.status != 200 {
        return;
    }
    assert_eq!(index.header("cache-control"), "no-cache");
    let again = server.request("GET", "/", &[("if-none-match", index.header("etag"))], "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let start = index.body.find("assets/").unwrap();
    let asset = index.body[start..].split('"').next().unwrap();
    let script = server.get(&format!("/{asset}")).await;
    assert_eq!(script.status, 200);
    assert_eq!(script.header("cache-control"), "public, max-age=31536000, immutable");
    let gzip = [("accept-encoding", "gzip")];
    let packed = server.request("GET", &format!("/{asset}"), &gzip, "").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
}

/// Own, allowed and foreign pages, and whether each is let in.
const ORIGINS: [(&str, bool); 5] = [
    ("http://study.example", true),
    ("https://study.example", true),
    ("https://school.example", true),
    ("https://evil.example", false),
    ("null", false),
];

#[tokio::test]
async fn only_our_own_pages_and_allowed_ones_may_use_the_server() {
    let server = start_with(|config| config.allowed_origins = vec!["https://school.example".to_owned()]).await;
    let paths = ["/api/rooms", "/socket.io/?EIO=4&transport=polling"];
    for (origin, is_let_in) in ORIGINS {
        for path in paths {
            let headers = [("host", "study.example"), ("origin", origin)];
            let response = server.request("GET", path, &headers, "").await;
            if is_let_in {
                assert_eq!(response.status, 200, "{origin} {path}");
            } else {
                response.assert_problem(403, "ORIGIN_NOT_ALLOWED");
            }
            let allowed = if origin == "https://school.example" { origin } else { "" };
            assert_eq!(response.header("access-control-allow-origin"), allowed, "{origin} {path}");
        }
    }
}

#[tokio::test]
async fn a_websocket_of_a_foreign_page_is_refused() {
    let server = start_with(|config| config.allowed_origins = vec!["https://school.example".to_owned()]).await;
    for (origin, is_let_in) in ORIGINS {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", server.address);
        let mut request = tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(url).unwrap();
        request.headers_mut().insert("host", "study.example".parse().unwrap());
        request.headers_mut().insert("origin", origin.parse().unwrap());
        let connected = tokio_tungstenite::connect_async(request).await;
        assert_eq!(connected.is_ok(), is_let_in, "{origin}");
    }
}

#[tokio::test]
async fn a_preflight_of_an_allowed_page_is_answered() {
    let server = start_with(|config| config.allowed_origins = vec!["https://school.example".to_owned()]).await;
    let ask = async |origin: &str| {
        let headers = [
            ("host", "study.example"),
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ];
        server.request("OPTIONS", "/api/guests", &headers, "").await
    };
    let allowed = ask("https://school.example").await;
    assert_eq!(allowed.status, 204);
    assert_eq!(allowed.header("access-control-allow-origin"), "https://school.example");
    assert!(allowed.header("access-control-allow-headers").contains("content-type"));
    assert!(allowed.header("access-control-allow-methods").contains("POST"));
    ask("https://evil.example").await.assert_problem(403, "ORIGIN_NOT_ALLOWED");
}
