//! What whoever operates the server sees and does: figures, readiness, admission, the administrator's interface.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use server::config::Secret;

use crate::client::{Client, Heard, Transport};
use crate::data::{Data, Kind, on_both};
use crate::harness::{Response, TestServer, soon, start, start_on, start_with};
use crate::peer::Peer;

/// For whoever asks for what is not for everybody.
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn with_token(server: &TestServer, method: &str, path: &str) -> Response {
    server.request(method, path, &[("authorization", &format!("Bearer {TOKEN}"))], "").await
}

/// A figure with its labels; `None` when it is not told.
fn figure(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn metrics(server: &TestServer) -> String {
    let response = server.get("/metrics").await;
    assert_eq!(response.status, 200, "{response:?}");
    assert!(response.header("content-type").starts_with("application/openmetrics-text"), "{response:?}");
    assert!(response.body.ends_with("# EOF\n"));
    response.body
}

/// Asks for the figures until they are right.
async fn until(server: &TestServer, what: &str, is_right: impl Fn(&str) -> bool) -> String {
    soon(what, async {
        loop {
            let text = metrics(server).await;
            if is_right(&text) {
                return text;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[tokio::test]
async fn rooms_seats_joins_and_refusals_are_counted_and_no_label_is_a_users() {
    let server = start_with(|config| config.limits.room_capacity = 1).await;
    let _lobby = Client::connect(&server, Transport::WebSocket, "/", &json!({})).await;
    let name = "Mallory\"} 1\nevil";
    assert_eq!(server.post("/api/guests", &json!({ "displayName": name }).to_string()).await.status, 400);
    let alice = Client::join(&server, "Alice-unmistakable", "study-room-1").await;
    let auth = json!({ "token": server.token("Bob-unmistakable").await, "roomId": "study-room-1" });
    let mut refused = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    assert!(matches!(refused.next().await, Heard::Refused(_)));
    let auth = json!({ "token": "no token", "roomId": "made-up-by-somebody" });
    let mut refused = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    assert!(matches!(refused.next().await, Heard::Refused(_)));

    let text =
        until(&server, "both sockets", |text| figure(text, "studyhall_sockets{namespace=\"lobby\"}") == Some(1.0))
            .await;
    for (name, value) in [
        ("studyhall_rooms", 10.0),
        ("studyhall_rooms_occupied", 1.0),
        ("studyhall_seats", 10.0),
        ("studyhall_seats_taken", 1.0),
        ("studyhall_joins_total", 1.0),
        ("studyhall_join_refusals_total{code=\"ROOM_FULL\"}", 1.0),
        ("studyhall_join_refusals_total{code=\"UNAUTHORIZED\"}", 1.0),
        ("studyhall_join_refusals_total{code=\"SERVER_BUSY\"}", 0.0),
        ("studyhall_sockets{namespace=\"room\"}", 1.0),
        ("studyhall_http_requests_total{status=\"4xx\"}", 1.0),
        ("studyhall_draining", 0.0),
        ("studyhall_database_lost_total", 0.0),
    ] {
        assert_eq!(figure(&text, name), Some(value), "{name} in {text}");
    }
    assert!(figure(&text, "studyhall_connections").unwrap() >= 3.0, "{text}");
    let keys: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once('{')?.1.split_once('}')?.0))
        .flat_map(|labels| labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)))
        .collect();
    let ours = ["code", "le", "namespace", "outcome", "reason", "status", "up_to", "worker"];
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ours);
    for theirs in ["unmistakable", "made-up-by-somebody", "evil"] {
        assert!(!text.contains(theirs), "{text}");
    }
    drop(alice);
    until(&server, "the empty room", |text| figure(text, "studyhall_sockets{namespace=\"room\"}") == Some(0.0)).await;
}

#[tokio::test]
async fn packets_bits_and_cpu_of_each_worker_are_told() {
    let server = start_with(|config| config.workers = 1).await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let (_peer, _) = Peer::speak(&alice, -20).await;
    let of = |name: &str| format!("studyhall_worker_{name}{{worker=\"0\"}}");
    let received = of("packets_received_total");
    let text = until(&server, "packets", |text| figure(text, &received).is_some_and(|count| count > 20.0)).await;
    assert!(figure(&text, &of("received_bits_total")).unwrap() > 20.0 * 8.0 * 20.0, "{text}");
    assert!(figure(&text, &of("sent_bits_total")).unwrap() > 0.0, "{text}");
    assert_eq!(figure(&text, &of("producers")), Some(1.0), "{text}");
    assert_eq!(figure(&text, &of("answers")), Some(1.0), "{text}");
    assert_eq!(figure(&text, &of("commands_waiting")), Some(0.0), "{text}");
    for name in ["nacks_sent_total", "key_frame_requests_received_total", "retransmissions_sent_total"] {
        assert_eq!(figure(&text, &of(name)), Some(0.0), "{text}");
    }
    if cfg!(target_os = "linux") {
        assert!(figure(&text, &of("cpu_seconds_total")).unwrap() > 0.0, "{text}");
        assert!(figure(&text, "studyhall_memory_bytes").unwrap() > 1e6, "{text}");
    }
    until(&server, "the delay of the loop", |text| {
        figure(text, "studyhall_event_loop_delay_seconds_count").is_some_and(|count| count > 0.0)
            && figure(text, "studyhall_database_latency_seconds_count").is_some_and(|count| count > 0.0)
    })
    .await;
}

#[tokio::test]
async fn the_metrics_are_for_this_machine_or_for_who_shows_the_token() {
    let open = start().await;
    assert_eq!(open.get("/metrics").await.status, 200);
    for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let forwarded = open.request("GET", "/metrics", &[(header, "203.0.113.9")], "").await;
        forwarded.assert_problem(401, "UNAUTHORIZED");
    }
    let closed = start_with(|config| config.operation.metrics_token = Some(Secret::new(TOKEN.to_owned()))).await;
    closed.get("/metrics").await.assert_problem(401, "UNAUTHORIZED");
    let wrong = [("authorization", "Bearer 0123456789abcdef0123456789abcdeX")];
    closed.request("GET", "/metrics", &wrong, "").await.assert_problem(401, "UNAUTHORIZED");
    assert_eq!(with_token(&closed, "GET", "/metrics").await.status, 200);
}

#[tokio::test]
async fn a_database_that_is_away_is_what_is_wrong_until_it_is_back() {
    let mut data = Data::new(Kind::Postgres);
    let server = start_on(&data, |_| {}).await;
    assert_eq!(server.get("/readyz").await.status, 200);
    data.postgres().end();
    let ready = async |status: u16| {
        soon("the readiness", async {
            loop {
                let response = server.get("/readyz").await;
                if response.status == status {
                    return response.json();
                }
            }
        })
        .await
    };
    let told = ready(503).await;
    assert_eq!((&told["status"], &told["workers"]), (&json!("unavailable"), &json!(2)));
    assert_eq!(told["problems"], json!(["The database does not answer."]));
    assert_eq!(server.get("/healthz").await.status, 200);
    data.postgres().begin();
    assert_eq!(ready(200).await, json!({ "status": "ok", "workers": 2 }));
}

#[tokio::test]
async fn no_room_is_opened_when_memory_is_short() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let server = start_with(|config| config.operation.max_memory_mb = 1).await;
    until(&server, "the size of the process", |text| figure(text, "studyhall_memory_bytes").is_some()).await;
    let auth = json!({ "token": server.token("Alice").await, "roomId": "study-room-1" });
    let mut alice = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    let Heard::Refused(why) = alice.next().await else { panic!("let in") };
    assert!(why.starts_with("SERVER_BUSY: ") && why.contains("short of memory"), "{why}");
    let text = metrics(&server).await;
    assert_eq!(figure(&text, "studyhall_join_refusals_total{code=\"SERVER_BUSY\"}"), Some(1.0), "{text}");
}

fn with_admin(config: &mut server::config::Config) {
    config.operation.admin_token = Some(Secret::new(TOKEN.to_owned()));
}

#[tokio::test]
async fn only_administrators_see_and_do_what_is_theirs() {
    let doors = [
        ("GET", "/api/admin/rooms"),
        ("GET", "/api/admin/audit"),
        ("POST", "/api/admin/drain"),
        ("DELETE", "/api/admin/participants/x"),
    ];
    let (without, with) = (start().await, start_with(with_admin).await);
    let guest = format!("Bearer {}", with.token("Alice").await);
    for (method, path) in doors {
        with_token(&without, method, path).await.assert_problem(401, "UNAUTHORIZED");
        with.request(method, path, &[], "").await.assert_problem(401, "UNAUTHORIZED");
        with.request(method, path, &[("authorization", &guest)], "").await.assert_problem(403, "FORBIDDEN");
    }
    assert_eq!(with.get("/readyz").await.status, 200, "nobody drained it");
}

#[tokio::test]
async fn live_rooms_are_told_with_their_media() {
    let server = start_with(with_admin).await;
    assert_eq!(with_token(&server, "GET", "/api/admin/rooms").await.json(), json!({ "rooms": [] }));
    let alice = Client::join(&server, "Alice", "study-room-3").await;
    let _bob = Client::join(&server, "Bob", "study-room-3").await;
    let (_peer, _) = Peer::speak(&alice, -20).await;
    let room = soon("some bits", async {
        loop {
            let told = with_token(&server, "GET", "/api/admin/rooms").await.json();
            if told["rooms"][0]["receivedBitsPerSecond"].as_u64().unwrap() > 1_000 {
                return told["rooms"][0].clone();
            }
        }
    })
    .await;
    assert_eq!((&room["id"], &room["occupancy"], &room["producers"]), (&json!("study-room-3"), &json!(2), &json!(1)));
    assert!(room["worker"].as_u64().unwrap() < 2, "{room}");
    assert_eq!(room["participants"].as_array().unwrap().len(), 2, "{room}");
}

on_both! {
    async fn who_is_sent_away_is_told_and_what_was_done_is_noted(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, with_admin).await;
        let mut alice = Client::join(&server, "Alice", "study-room-1").await;
        let mut bob = Client::join(&server, "Bob", "study-room-1").await;
        let joined = alice.event("user-joined").await;
        let id = joined["participant"]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/admin/participants/{id}");
        assert_eq!(with_token(&server, "DELETE", &path).await.status, 204);
        let told = bob.event("kicked").await;
        assert!(told["reason"].as_str().unwrap().contains("administrator"), "{told}");
        assert_eq!(bob.closed().await, Heard::Closed);
        let left = alice.event("user-left").await;
        assert_eq!((&left["participantId"], &left["reason"]), (&json!(id), &json!("kicked")));
        with_token(&server, "DELETE", &path).await.assert_problem(404, "NOT_FOUND");

        let drained = with_token(&server, "POST", "/api/admin/drain").await;
        assert_eq!((drained.status, drained.json()), (202, json!({ "draining": true, "seatsTaken": 1 })));
        assert_eq!(with_token(&server, "POST", "/api/admin/drain").await.status, 202);
        let ready = server.get("/readyz").await;
        assert_eq!(ready.status, 503);
        assert!(ready.json()["problems"][0].as_str().unwrap().contains("draining"), "{ready:?}");
        let auth = json!({ "token": server.token("Carol").await, "roomId": "study-room-1" });
        let mut carol = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        assert!(matches!(carol.next().await, Heard::Refused(why) if why.starts_with("SERVER_BUSY")));
        assert!(alice.request_bare("get-rtp-capabilities").await["rtpCapabilities"].is_object(), "rooms go on");

        let acts = async |query: &str| with_token(&server, "GET", &format!("/api/admin/audit{query}")).await.json();
        let all = soon("both acts", async {
            loop {
                let all = acts("").await;
                if all["entries"].as_array().unwrap().len() == 2 {
                    return all;
                }
            }
        })
        .await;
        let entry = |at: usize| all["entries"][at].clone();
        assert_eq!((&entry(0)["action"], &entry(0)["by"]), (&json!("drain"), &json!("")));
        assert_eq!(entry(1)["action"], "remove-participant");
        assert_eq!(entry(1)["detail"], json!({ "participantId": id, "roomId": "study-room-1" }));
        assert!(all.get("next").is_none());
        let first = acts("?limit=1").await;
        assert_eq!(first["entries"], json!([entry(0)]));
        let second = acts(&format!("?limit=1&before={}", first["next"].as_str().unwrap())).await;
        assert_eq!((&second["entries"], second.get("next")), (&json!([entry(1)]), None));
        for wrong in ["?limit=0", "?limit=101", "?before=x", "?before=1-%27", "?limit=x"] {
            with_token(&server, "GET", &format!("/api/admin/audit{wrong}")).await.assert_problem(400, "BAD_REQUEST");
        }
    }
}

#[tokio::test]
async fn every_answer_bears_an_id_that_nobody_else_chose() {
    let server = start().await;
    let mut seen = BTreeSet::new();
    for path in ["/", "/healthz", "/api/rooms", "/api/nothing", "/socket.io/?EIO=4&transport=polling"] {
        let response =
            server.request("GET", path, &[("x-request-id", "mine"), ("origin", "https://evil.example")], "").await;
        let id = response.header("x-request-id").to_owned();
        assert!(id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{path}: {response:?}");
        assert!(seen.insert(id), "{path}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = start().await;
    let large = "x".repeat(40 * 1024);
    let response = server.request("GET", "/api/rooms", &[("x-large", &large)], "").await;
    assert_eq!(response.status, 431, "{response:?}");
    let many: Vec<_> = (0..150).map(|number| format!("x-{number}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(server.request("GET", "/api/rooms", &many, "").await.status, 431);
}

/// Metrics that the dashboard's queries name.
fn named(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("studyhall_"))
}

#[tokio::test]
async fn the_dashboard_asks_only_for_figures_that_are_told() {
    let server = start().await;
    let text = until(&server, "all of them", |text| text.contains("studyhall_worker_cpu_share{")).await;
    let told: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/grafana/studyhall.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            asked.extend(named(target["expr"].as_str().unwrap()).map(str::to_owned));
        }
    }
    assert!(asked.len() > 20, "{asked:?}");
    let unknown: Vec<_> = asked.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert_eq!(unknown, [] as [&String; 0], "of {told:?}");
}
