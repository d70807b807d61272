//! A server for one test, and plain HTTP to talk to it.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use server::config::Config;
use server::{Server, StartError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::data::{Data, Kind};

/// What has not come by then will not come.
///
/// Longer than a heartbeat, which a poll without news waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// A server that stops when it is dropped, or when it is told to.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    here: Option<Here>,
    /// Where nobody else needs it.
    data: Option<Data>,
}

/// What there is of a server in this process.
struct Here {
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
    fail_media: Box<dyn Fn(usize) + Send + Sync>,
    pass: Box<dyn Fn(Duration) + Send + Sync>,
}

/// With the defaults, on loopback.
pub(crate) async fn start() -> TestServer {
    start_with(|_| {}).await
}

/// With some settings changed.
pub(crate) async fn start_with(change: impl Fn(&mut Config)) -> TestServer {
    let data = Data::new(Kind::Sqlite);
    let mut server = start_on(&data, change).await;
    server.data = Some(data);
    server
}

/// With what another server may have stored there, and some settings changed.
pub(crate) async fn start_on(data: &Data, change: impl Fn(&mut Config)) -> TestServer {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let mut config = Config::default().on_loopback();
    config.port = 0;
    config.workers = 2;
    config.limits.guests_per_minute = 100_000;
    config.limits.logins_per_minute = 100_000;
    // Who is gone is gone at once; tests of coming back say how long a seat is kept.
    config.resume_grace = Duration::ZERO;
    data.configure(&mut config);
    change(&mut config);
    for _ in 0..50 {
        // Below the ports that systems give out by themselves; taken ones are passed over.
        let port = 12_000 + rand::random::<u16>() % 18_000;
        (config.rtc_min_port, config.rtc_max_port) = (port, port + config.workers as u16 - 1);
        match Server::start(config.clone()).await {
            Ok(server) => return run(server),
            Err(StartError::Media(sfu::StartError::Bind(_))) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no free UDP ports");
}

fn run(server: Server) -> TestServer {
    let address = server.local_addr().unwrap();
    let fail_media = Box::new(server.media_failure());
    let pass = Box::new(server.time_machine());
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    TestServer { address, here: Some(Here { stop: Some(stop), running, fail_media, pass }), data: None }
}

impl TestServer {
    /// One that runs in another process.
    pub(crate) fn of(address: SocketAddr) -> Self {
        Self { address, here: None, data: None }
    }

    /// Begins to stop it.
    pub(crate) fn begin_stop(&mut self) {
        self.here.as_mut().unwrap().stop.take().unwrap().send(()).unwrap();
    }

    /// Waits until it has stopped.
    pub(crate) async fn stopped(self) {
        soon("the end of the server", self.here.unwrap().running).await.unwrap();
    }

    /// Has a media worker fail.
    pub(crate) fn fail_worker(&self, index: usize) {
        (self.here.as_ref().unwrap().fail_media)(index);
    }

    /// Has time pass for clocks and study.
    pub(crate) fn pass(&self, time: Duration) {
        (self.here.as_ref().unwrap().pass)(time);
    }

    /// A guest's token.
    pub(crate) async fn token(&self, name: &str) -> String {
        let body = serde_json::json!({ "displayName": name }).to_string();
        let response = self.post("/api/guests", &body).await;
        assert_eq!(response.status, 201, "{}", response.body);
        response.json()["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Response {
        self.request("POST", path, &[("content-type", "application/json")], body).await
    }

    /// One HTTP request on a connection of its own.
    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        request(self.address, method, path, headers, body).await
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Response {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// That it is a problem document with this status and code.
    pub(crate) fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 5), "{problem}");
    }
}

/// One HTTP request on a connection of its own.
pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "host") {
        text += &format!("host: {address}\r\n");
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    text += body;
    let mut bytes = Vec::new();
    soon("an HTTP response", async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // A server that refuses a body early may close before it has read all of it.
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.read_to_end(&mut bytes).await;
    })
    .await;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Response {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no response: {:?}", String::from_utf8_lossy(bytes)));
    let (head, body) = (String::from_utf8_lossy(&bytes[..end]), &bytes[end + 4..]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers: HashMap<String, String> = HashMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        // Cookies come in lines of their own.
        let said = headers.entry(name.to_lowercase()).or_default();
        *said = if said.is_empty() { value.to_owned() } else { format!("{said}\n{value}") };
    }
    let body = match headers.get("transfer-encoding").map(String::as_str) {
        Some("chunked") => unchunk(body),
        _ => body.to_vec(),
    };
    Response { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
}

fn unchunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        let chunk = &body[end + 2..];
        whole.extend_from_slice(&chunk[..size]);
        body = &chunk[size + 2..];
    }
    whole
}
