//! A media peer that only connects and stays: str0m over a real socket, for what a room does when media come and go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc};
use tokio::net::UdpSocket;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::client::Client;
use super::harness::soon;

/// A transport of a client, connected to the media server until it is dropped.
pub(crate) struct Peer {
    pub(crate) transport_id: String,
    running: JoinHandle<()>,
    start: Arc<Notify>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Without a word: the socket is closed and nobody answers any more.
        self.running.abort();
    }
}

impl Peer {
    /// Makes a transport for the client and connects it.
    pub(crate) async fn connect(client: &Client) -> Self {
        let (peer, connected) = Self::prepare(client, |_| {}).await;
        peer.go();
        soon("the media connection", connected).await.unwrap();
        peer
    }

    /// Makes a transport for the client, and announces a certificate that is not the one it will show.
    pub(crate) async fn with_wrong_fingerprint(client: &Client) -> Self {
        let wrong = ["AB"; 32].join(":");
        Self::prepare(client, |dtls| dtls["fingerprints"][0]["value"] = json!(wrong)).await.0
    }

    async fn prepare(client: &Client, change: impl Fn(&mut Value)) -> (Self, oneshot::Receiver<()>) {
        let answer = client.request("create-transport", &json!({ "direction": "send" })).await;
        let transport = &answer["transport"];
        let transport_id = transport["id"].as_str().unwrap().to_owned();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let (rtc, mut dtls_parameters) = rtc(transport, local);
        change(&mut dtls_parameters);
        let request = json!({ "transportId": transport_id, "dtlsParameters": dtls_parameters });
        let answer = client.request("connect-transport", &request).await;
        assert_eq!(answer, json!({ "connected": true }));
        let (connected, is_connected) = oneshot::channel();
        let start = Arc::new(Notify::new());
        let started = Arc::clone(&start);
        let running = tokio::spawn(async move {
            started.notified().await;
            run(rtc, socket, local, connected).await;
        });
        (Self { transport_id, running, start }, is_connected)
    }

    /// Begins to talk to the server.
    pub(crate) fn go(&self) {
        self.start.notify_one();
    }
}

fn rtc(transport: &Value, local: SocketAddr) -> (Rtc, Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut rtc = Rtc::new(Instant::now());
    rtc.add_local_candidate(Candidate::host(local, "udp").unwrap()).unwrap();
    let candidate = &transport["iceCandidates"][0];
    let port = candidate["port"].as_u64().unwrap() as u16;
    let remote = SocketAddr::new(text(&candidate["address"]).parse().unwrap(), port);
    rtc.add_remote_candidate(Candidate::host(remote, "udp").unwrap());
    let fingerprints = transport["dtlsParameters"]["fingerprints"].as_array().unwrap();
    let sha256 = fingerprints.iter().find(|fingerprint| fingerprint["algorithm"] == "sha-256").unwrap();
    let ice = &transport["iceParameters"];
    let credentials = IceCreds { ufrag: text(&ice["usernameFragment"]), pass: text(&ice["password"]) };
    let mut api = rtc.direct_api();
    api.set_ice_controlling(true);
    api.set_remote_ice_credentials(credentials);
    api.set_remote_fingerprint(format!("sha-256 {}", text(&sha256["value"])).parse().unwrap());
    let own = api.local_dtls_fingerprint().to_string();
    api.start_dtls(true).unwrap();
    let (algorithm, value) = own.split_once(' ').unwrap();
    let fingerprints = json!([{ "algorithm": algorithm, "value": value }]);
    (rtc, json!({ "role": "client", "fingerprints": fingerprints }))
}

async fn run(mut rtc: Rtc, socket: UdpSocket, local: SocketAddr, connected: oneshot::Sender<()>) {
    let mut connected = Some(connected);
    let mut buffer = vec![0; 2_000];
    while rtc.is_alive() {
        let deadline = match rtc.poll_output().unwrap() {
            Output::Timeout(deadline) => deadline,
            Output::Transmit(transmit) => {
                socket.send_to(&transmit.contents, transmit.destination).await.unwrap();
                continue;
            }
            Output::Event(Event::Connected) => {
                let _ = connected.take().map(|connected| connected.send(()));
                continue;
            }
            Output::Event(_) => continue,
        };
        tokio::select! {
            () = tokio::time::sleep_until(deadline.into()) => {
                rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            }
            received = socket.recv_from(&mut buffer) => {
                let Ok((length, source)) = received else { continue };
                let contents = (&buffer[..length]).try_into().unwrap();
                let receive = Receive { proto: Protocol::Udp, source, destination: local, contents };
                rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
            }
        }
    }
}
