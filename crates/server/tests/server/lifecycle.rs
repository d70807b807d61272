//! Starting and stopping: the program as it is run.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::client::{BOTH, Client, Heard, Transport};
use super::harness::{TestServer, request, soon, start};
use super::peer::Peer;

#[tokio::test]
async fn clients_are_told_before_the_server_stops() {
    let mut server = start().await;
    let mut clients = vec![Client::connect(&server, Transport::WebSocket, "/", &json!({})).await];
    for (index, by) in BOTH.into_iter().enumerate() {
        clients.push(Client::join_by(&server, by, &format!("P{index}"), "study-room-1").await);
    }
    clients[0].event("lobby-state").await;
    server.begin_stop();
    for (index, client) in clients.iter_mut().enumerate() {
        let told = client.event("server-draining").await;
        assert!(told["reconnectInMs"].as_u64().is_some_and(|ms| ms > 0), "{told}");
        let end = client.closed().await;
        // Those in rooms are told that the server closes them, so that they come back when it says.
        assert_eq!(end, if index == 0 { Heard::Gone } else { Heard::Closed });
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_stopping_server_closes_its_port() {
    let mut server = start().await;
    let address = server.address;
    server.begin_stop();
    server.stopped().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

/// The program in a directory of its own.
pub(crate) struct Program {
    child: Child,
    directory: PathBuf,
    /// What it has said.
    log: Vec<String>,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Program {
    pub(crate) fn start(arguments: &[&str], env_file: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("studyhall-test-{:016x}", rand::random::<u64>()));
        std::fs::create_dir(&directory).unwrap();
        std::fs::write(directory.join(".env"), env_file).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_studyhall"))
            .args(arguments)
            .current_dir(&directory)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, directory, log: Vec::new(), lines }
    }

    /// Reads the log until a line has this in it.
    async fn says(&mut self, part: &str) -> String {
        soon(part, async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                self.log.push(line.clone());
                if line.contains(part) {
                    return line;
                }
            }
            panic!("no {part:?} in {:#?}", self.log);
        })
        .await
    }

    /// The port from the log.
    pub(crate) async fn port(&mut self) -> u16 {
        let line = self.says("Server listening on port ").await;
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status().await.unwrap();
        assert!(status.success());
    }

    pub(crate) async fn end(&mut self) -> (ExitStatus, String) {
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).await.unwrap();
        (soon("the end of the program", self.child.wait()).await.unwrap(), stderr)
    }
}

/// Ports that are free, most likely.
pub(crate) fn env_file() -> String {
    let port = 30_000 + rand::random::<u16>() % 2_000;
    format!(
        "MEDIASOUP_ANNOUNCED_IP=\"127.0.0.1\"\nMEDIASOUP_RTC_MIN_PORT={port}\nMEDIASOUP_RTC_MAX_PORT={}\n\
         STUDYHALL_WORKERS=2\nPORT=0\n",
        port + 1
    )
}

#[tokio::test]
async fn what_happens_in_a_traced_room_is_in_the_log_without_names_and_addresses() {
    let mut program = Program::start(&["--trace-room", "study-room-2,nowhere"], &env_file());
    program.says("there is no such room to be traced").await;
    let port = program.port().await;
    let server = TestServer::of(format!("127.0.0.1:{port}").parse().unwrap());
    let untraced = Client::join(&server, "Carol", "study-room-1").await;
    let _unseen = Peer::speak(&untraced, -20).await;
    let mut bob = Client::join(&server, "Bob", "study-room-2").await;
    let alice = Client::join(&server, "Alice", "study-room-2").await;
    let joined = bob.event("user-joined").await;
    let participant = joined["participant"]["id"].as_str().unwrap().to_owned();
    let (peer, producer) = Peer::speak(&alice, -20).await;
    for part in ["trace: ice completed", "trace: dtls connected", "trace: rtp in ssrc="] {
        let line = program.says(part).await;
        assert!(line.contains("study-room-2") && line.contains(&participant), "{line}");
    }
    assert!(program.log.last().unwrap().contains(producer.as_str().unwrap()), "{:?}", program.log.last());
    drop(peer);
    for line in program.log.iter().filter(|line| line.contains("trace: ")) {
        assert!(!["study-room-1", "Alice", "127.0.0.1", "::"].iter().any(|part| line.contains(part)), "{line}");
    }
}

#[tokio::test]
async fn signals_stop_the_program_in_order() {
    for name in ["TERM", "INT"] {
        let mut program = Program::start(&[], &env_file());
        let port = program.port().await;
        let address = format!("127.0.0.1:{port}").parse().unwrap();
        let server = TestServer::of(address);
        let mut client = Client::join(&server, "Alice", "study-room-1").await;
        program.signal(name).await;
        client.event("server-draining").await;
        assert_eq!(client.closed().await, Heard::Closed);
        program.says("Stopped").await;
        let (status, stderr) = program.end().await;
        assert_eq!(status.code(), Some(0), "{name}: {stderr}");
        assert_eq!(stderr, "");
    }
}

#[tokio::test]
async fn the_log_says_what_is_started_in_plain_text() {
    let mut program = Program::start(&["--host", "127.0.0.1"], &env_file());
    let port = program.port().await;
    program.says(&format!("Open http://127.0.0.1:{port}")).await;
    let log = program.log.join("\n");
    for part in [
        "Socket.io server initialized for Shared Study Rooms",
        "Initializing 2 media workers",
        "Media worker 1/2 created",
        "Media worker 2/2 created",
        "Media workers initialized successfully",
        "Server listening on port ",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert!(!log.contains('\u{1b}'), "{log}");
    assert!(!log.contains("WARN"), "{log}");
    let health = request(format!("127.0.0.1:{port}").parse().unwrap(), "GET", "/readyz", &[], "").await;
    assert_eq!(health.status, 200);
}

#[tokio::test]
async fn the_code_in_the_log_makes_an_administrator() {
    let mut program = Program::start(&["--host", "127.0.0.1"], &env_file());
    let line = program.says("There is no administrator yet").await;
    let code = line.rsplit(' ').next().unwrap().to_owned();
    let server = TestServer::of(format!("127.0.0.1:{}", program.port().await).parse().unwrap());
    let body = json!({ "email": "a@b.example", "password": "correct horse", "displayName": "A", "code": code });
    let made = server.post("/api/auth/register", &body.to_string()).await;
    assert_eq!(made.json()["user"]["isAdmin"], true, "{made:?}");
}

#[tokio::test]
async fn a_loopback_address_that_is_announced_to_everybody_is_warned_of() {
    let mut program = Program::start(&[], &env_file());
    let warning = program.says("WARN").await;
    assert!(warning.contains("127.0.0.1") && warning.contains("set MEDIASOUP_ANNOUNCED_IP"), "{warning}");
    program.port().await;
}

#[tokio::test]
async fn a_wrong_value_stops_the_start() {
    for (arguments, env_file, parts) in [
        (&["--port", "x"][..], "", ["--port is \"x\"", "from 0 to 65535"]),
        (&[], "MEDIASOUP_RTC_MIN_PORT=99999", ["MEDIASOUP_RTC_MIN_PORT is \"99999\"", "from 1 to 65535"]),
        (&["--no-such-flag"], "", ["--no-such-flag", "Usage"]),
    ] {
        let mut program = Program::start(arguments, env_file);
        let (status, stderr) = program.end().await;
        assert_eq!(status.code(), Some(2), "{stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{part} in {stderr}");
        }
    }
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut program = Program::start(&["--host", "127.0.0.1", "--port", &port], &env_file());
    program.says(&format!("cannot listen on 127.0.0.1 port {port}")).await;
    assert_eq!(program.end().await.0.code(), Some(1));
}

#[tokio::test]
async fn help_and_version_end_well() {
    for (flag, part) in [("--help", "MEDIASOUP_ANNOUNCED_IP"), ("--version", "studyhall ")] {
        let mut program = Program::start(&[flag], "");
        program.says(part).await;
        assert_eq!(program.end().await.0.code(), Some(0));
    }
}

#[tokio::test]
async fn no_token_no_name_and_no_address_is_in_the_log_of_a_session() {
    const SECRETS: [&str; 2] = ["metrics-0123456789abcdef0123456789abcdef", "admin-0123456789abcdef0123456789abcdef"];
    let env_file = env_file()
        + &format!("STUDYHALL_METRICS_TOKEN={}\nSTUDYHALL_ADMIN_TOKEN={}\n", SECRETS[0], SECRETS[1])
        + "STUDYHALL_LOG=debug\nSTUDYHALL_LOG_FORMAT=json\n";
    let mut program = Program::start(&["--host", "127.0.0.1"], &env_file);
    let listening: Value = serde_json::from_str(&program.says("Server listening on port ").await).unwrap();
    assert_eq!(listening["level"], "INFO");
    let port = listening["message"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned();
    // It names the host that it was given.
    program.says("Open http://").await;
    let before = program.log.len();
    let server = TestServer::of(format!("127.0.0.1:{port}").parse().unwrap());

    let token = server.token("Alice-unmistakable").await;
    let auth = json!({ "token": token, "roomId": "study-room-1" });
    let mut alice = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
    let state = alice.event("room-state").await;
    let id = state["self"]["participantId"].as_str().unwrap().to_owned();
    let (peer, _) = Peer::speak(&alice, -20).await;
    assert_eq!(alice.request("close-producer", &json!({ "producerId": "nothing" })).await["code"], "NOT_FOUND");
    let wrong = json!({ "token": format!("{token}x"), "roomId": "study-room-1" });
    let mut refused = Client::connect(&server, Transport::Polling, "/room", &wrong).await;
    assert!(matches!(refused.next().await, Heard::Refused(_)));
    for (path, secret) in ["/metrics", "/api/admin/rooms"].into_iter().zip(SECRETS) {
        let bearer = format!("Bearer {secret}");
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", "203.0.113.77")];
        assert_eq!(server.request("GET", path, &headers, "").await.status, 200);
        let wrong = format!("{bearer}x");
        server.request("GET", path, &[("authorization", &wrong)], "").await.assert_problem(401, "UNAUTHORIZED");
    }
    let nowhere = server.get("/api/rooms/nowhere").await;
    drop((peer, alice));
    program.signal("TERM").await;
    program.says("Stopped").await;

    let lines = &program.log[before..];
    for line in lines {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for private in [token.as_str(), "unmistakable", "127.0.0.1", "203.0.113.77", SECRETS[0], SECRETS[1]] {
            assert!(!line.contains(private), "{private} in {line}");
        }
    }
    let with = |part: &str| lines.iter().find(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part}"));
    let refusal: Value = serde_json::from_str(with("close-producer")).unwrap();
    assert_eq!((&refusal["span"]["name"], &refusal["span"]["id"]), (&json!("participant"), &json!(id)), "{refusal}");
    let refusal: Value = serde_json::from_str(with("ROOM_NOT_FOUND")).unwrap();
    assert_eq!(
        (&refusal["span"]["name"], &refusal["span"]["id"]),
        (&json!("request"), &json!(nowhere.header("x-request-id")))
    );
}
