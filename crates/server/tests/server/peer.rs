//! A media peer that connects and stays, and may speak: str0m over a real socket, for what a room does when media come and go.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use str0m::media::MediaKind;
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionValues, RtpWrite, Ssrc};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::client::Client;
use super::harness::soon;

/// Ids of the header extensions that a speaker sends.
const LEVEL_ID: u8 = 1;
const MID_ID: u8 = 4;

/// A packet of speech comes this often.
const FRAME: Duration = Duration::from_millis(20);

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

    /// Makes a transport and a microphone for the client, connects it, and speaks at this level in dBov without a pause.
    /// The microphone's id comes with it.
    pub(crate) async fn speak(client: &Client, dbov: i8) -> (Self, Value) {
        let voice = Voice { ssrc: rand::random::<u32>() | 1, dbov, packets: 0 };
        let ssrc = voice.ssrc;
        let (peer, connected) = Self::prepare_with(client, |_| {}, Some(voice)).await;
        peer.go();
        soon("the media connection", connected).await.unwrap();
        let mut parameters: Value =
            serde_json::from_str(&super::media::OPUS.replace("SSRC", &ssrc.to_string())).unwrap();
        let uri = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
        let level = json!({ "uri": uri, "id": LEVEL_ID, "encrypt": false, "parameters": {} });
        parameters["headerExtensions"].as_array_mut().unwrap().push(level);
        let request = json!({ "transportId": peer.transport_id, "kind": "audio", "rtpParameters": parameters });
        let answer = client.request("produce", &request).await;
        assert!(answer["producerId"].is_string(), "{answer}");
        (peer, answer["producerId"].clone())
    }

    /// Makes a transport for the client, and announces a certificate that is not the one it will show.
    pub(crate) async fn with_wrong_fingerprint(client: &Client) -> Self {
        let wrong = ["AB"; 32].join(":");
        Self::prepare(client, |dtls| dtls["fingerprints"][0]["value"] = json!(wrong)).await.0
    }

    async fn prepare(client: &Client, change: impl Fn(&mut Value)) -> (Self, oneshot::Receiver<()>) {
        Self::prepare_with(client, change, None).await
    }

    async fn prepare_with(
        client: &Client,
        change: impl Fn(&mut Value),
        voice: Option<Voice>,
    ) -> (Self, oneshot::Receiver<()>) {
        let answer = client.request("create-transport", &json!({ "direction": "send" })).await;
        let transport = &answer["transport"];
        let transport_id = transport["id"].as_str().unwrap().to_owned();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let (mut rtc, mut dtls_parameters) = rtc(transport, local);
        if let Some(voice) = &voice {
            let mut api = rtc.direct_api();
            api.declare_media("0".into(), MediaKind::Audio);
            api.declare_stream_tx(Ssrc::from(voice.ssrc), None, "0".into(), None);
        }
        change(&mut dtls_parameters);
        let request = json!({ "transportId": transport_id, "dtlsParameters": dtls_parameters });
        let answer = client.request("connect-transport", &request).await;
        assert_eq!(answer, json!({ "connected": true }));
        let (connected, is_connected) = oneshot::channel();
        let start = Arc::new(Notify::new());
        let started = Arc::clone(&start);
        let running = tokio::spawn(async move {
            started.notified().await;
            run(rtc, socket, local, (connected, voice)).await;
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
    let config = RtcConfig::new().set_rtp_mode(true).clear_extension_map();
    let config = config.set_extension(LEVEL_ID, Extension::AudioLevel).set_extension(MID_ID, Extension::RtpMid);
    let mut rtc = config.build(Instant::now());
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

/// Somebody who speaks all the time.
struct Voice {
    ssrc: u32,
    dbov: i8,
    packets: u32,
}

impl Voice {
    fn speak(&mut self, rtc: &mut Rtc) {
        self.packets += 1;
        let values =
            ExtensionValues { audio_level: Some(self.dbov), voice_activity: Some(true), ..ExtensionValues::default() };
        let seq = u64::from(self.packets);
        let packet = RtpWrite::new(111.into(), seq.into(), self.packets * 960, Instant::now(), vec![0x78, 1, 2, 3]);
        let mut api = rtc.direct_api();
        api.stream_tx(&Ssrc::from(self.ssrc)).unwrap().write_rtp(packet.ext_vals(values));
    }
}

async fn run(
    mut rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    (connected, mut voice): (oneshot::Sender<()>, Option<Voice>),
) {
    let mut connected = Some(connected);
    let mut frames = tokio::time::interval(FRAME);
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
            _ = frames.tick(), if voice.is_some() && connected.is_none() => {
                voice.as_mut().unwrap().speak(&mut rtc);
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
