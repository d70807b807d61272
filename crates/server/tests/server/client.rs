//! A Socket.IO client of its own making (Engine.IO 4, Socket.IO 5), over WebSocket or polling, that can also do what
//! a good client never does.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::harness::{TestServer, request, soon};

/// How it connects.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Transport {
    WebSocket,
    Polling,
}

/// Which one.
pub(crate) const BOTH: [Transport; 2] = [Transport::WebSocket, Transport::Polling];

/// What the server said, but acknowledgements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    /// The namespace is open.
    Connected,
    /// The namespace is refused.
    Refused(String),
    /// An event with its first argument.
    Event(String, Value),
    /// The namespace is closed by the server.
    Closed,
    /// The connection is gone.
    Gone,
}

type Acks = Arc<std::sync::Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// One connection with one namespace.
pub(crate) struct Client {
    namespace: &'static str,
    out: mpsc::UnboundedSender<String>,
    heard: mpsc::UnboundedReceiver<Heard>,
    /// Heard, but not asked for yet.
    kept: VecDeque<Heard>,
    acks: Acks,
    next_ack: AtomicU64,
}

impl Client {
    /// Opens a connection; no namespace yet.
    pub(crate) async fn open(server: &TestServer, transport: Transport, namespace: &'static str) -> Self {
        let (out, outgoing) = mpsc::unbounded_channel();
        let (tell, heard) = mpsc::unbounded_channel();
        let acks = Acks::default();
        let ear = Ear { namespace, tell, acks: Arc::clone(&acks) };
        match transport {
            Transport::WebSocket => spawn_websocket(server.address, ear, out.clone(), outgoing).await,
            Transport::Polling => spawn_polling(server.address, ear, out.clone(), outgoing).await,
        }
        Self { namespace, out, heard, kept: VecDeque::new(), acks, next_ack: AtomicU64::new(0) }
    }

    /// Opens a connection and a namespace, and waits for nothing.
    pub(crate) async fn connect(
        server: &TestServer,
        transport: Transport,
        namespace: &'static str,
        auth: &Value,
    ) -> Self {
        let client = Self::open(server, transport, namespace).await;
        client.raw(&format!("40{},{auth}", client.namespace));
        client
    }

    /// A new guest who sits in a room, and has taken note of the room as it is.
    pub(crate) async fn join(server: &TestServer, name: &str, room: &str) -> Self {
        Self::join_by(server, Transport::WebSocket, name, room).await
    }

    /// The same, over a transport.
    pub(crate) async fn join_by(server: &TestServer, transport: Transport, name: &str, room: &str) -> Self {
        let auth = json!({ "token": server.token(name).await, "roomId": room });
        let mut client = Self::connect(server, transport, "/room", &auth).await;
        assert_eq!(client.next().await, Heard::Connected);
        client.event("room-state").await;
        client
    }

    /// Sends an Engine.IO packet as it is.
    pub(crate) fn raw(&self, packet: &str) {
        // Sending into a closed connection is what some tests do.
        let _ = self.out.send(packet.to_owned());
    }

    /// Sends an event without asking for an answer.
    pub(crate) fn emit(&self, event: &str, payload: &Value) {
        self.raw(&format!("42{},{}", self.namespace, json!([event, payload])));
    }

    /// Sends an event; what comes back is the answer.
    pub(crate) fn request(&self, event: &str, payload: &Value) -> impl Future<Output = Value> + use<> {
        self.request_with(&json!([event, payload]).to_string())
    }

    /// Sends an event without any argument; what comes back is the answer.
    pub(crate) fn request_bare(&self, event: &str) -> impl Future<Output = Value> + use<> {
        self.request_with(&json!([event]).to_string())
    }

    /// Sends this text as the arguments; what comes back is the answer.
    pub(crate) fn request_with(&self, arguments: &str) -> impl Future<Output = Value> + use<> {
        let id = self.next_ack.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.acks.lock().unwrap().insert(id, answer);
        self.raw(&format!("42{},{id}{arguments}", self.namespace));
        let what = format!("an answer to {}", &arguments[..arguments.len().min(80)]);
        async move { soon(&what, answered).await.unwrap_or_else(|_| panic!("{what}: the connection is gone")) }
    }

    /// The next thing that the server says.
    pub(crate) async fn next(&mut self) -> Heard {
        if let Some(heard) = self.kept.pop_front() {
            return heard;
        }
        soon("anything", self.heard.recv()).await.unwrap_or(Heard::Gone)
    }

    /// The next event of this name; what comes before it is kept for later.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        self.event_where(name, |_| true).await
    }

    /// The next event of this name that is meant; what comes before it is kept for later.
    pub(crate) async fn event_where(&mut self, name: &str, is_meant: impl Fn(&Value) -> bool) -> Value {
        let is_it = |heard: &Heard| matches!(heard, Heard::Event(n, payload) if n == name && is_meant(payload));
        if let Some(index) = self.kept.iter().position(is_it) {
            let Some(Heard::Event(_, payload)) = self.kept.remove(index) else { unreachable!() };
            return payload;
        }
        loop {
            let heard = soon(&format!("event {name}"), self.heard.recv()).await.unwrap_or(Heard::Gone);
            match heard {
                Heard::Event(n, payload) if n == name && is_meant(&payload) => return payload,
                Heard::Gone => panic!("no {name} before the end; heard {:?}", self.kept),
                other => self.kept.push_back(other),
            }
        }
    }

    /// Everything that was said before the answer to a request that is sent now: with one order for all events, what
    /// is not there by then was not said.
    pub(crate) async fn heard_so_far(&mut self) -> Vec<(String, Value)> {
        self.request_bare("get-rtp-capabilities").await;
        while let Ok(heard) = self.heard.try_recv() {
            self.kept.push_back(heard);
        }
        let events = self.kept.drain(..).filter_map(|heard| match heard {
            Heard::Event(name, payload) => Some((name, payload)),
            _ => None,
        });
        events.collect()
    }

    /// The names of what was said until now.
    pub(crate) async fn names_so_far(&mut self) -> Vec<String> {
        self.heard_so_far().await.into_iter().map(|(name, _)| name).collect()
    }

    /// Waits for the end of the namespace or of the connection.
    pub(crate) async fn closed(&mut self) -> Heard {
        loop {
            if let end @ (Heard::Closed | Heard::Gone) = self.next().await {
                return end;
            }
        }
    }
}

/// Sorts what comes in.
#[derive(Clone)]
struct Ear {
    namespace: &'static str,
    tell: mpsc::UnboundedSender<Heard>,
    acks: Acks,
}

impl Ear {
    /// Takes an Engine.IO packet; a ping wants the answer that comes back.
    fn hear(&self, packet: &str) -> Option<&'static str> {
        match packet.as_bytes().first() {
            Some(b'2') => return Some("3"),
            Some(b'4') => self.hear_message(&packet[1..]),
            _ => {}
        }
        None
    }

    fn hear_message(&self, message: &str) {
        let (kind, rest) = message.split_at(1);
        let body = match rest.strip_prefix(self.namespace) {
            Some(rest) if self.namespace != "/" => rest.strip_prefix(',').unwrap_or(rest),
            _ => rest,
        };
        let heard = match kind {
            "0" => Heard::Connected,
            "1" => Heard::Closed,
            "4" => {
                let value: Value = serde_json::from_str(body).unwrap();
                Heard::Refused(value["message"].as_str().unwrap().to_owned())
            }
            "2" => {
                let arguments: Vec<Value> = serde_json::from_str(body).unwrap();
                let payload = arguments.get(1).cloned().unwrap_or(Value::Null);
                Heard::Event(arguments[0].as_str().unwrap().to_owned(), payload)
            }
            "3" => {
                let start = body.find('[').unwrap();
                let id: u64 = body[..start].parse().unwrap();
                let arguments: Vec<Value> = serde_json::from_str(&body[start..]).unwrap();
                if let Some(answer) = self.acks.lock().unwrap().remove(&id) {
                    let _ = answer.send(arguments.into_iter().next().unwrap_or(Value::Null));
                }
                return;
            }
            other => panic!("unknown packet {other}{rest}"),
        };
        let _ = self.tell.send(heard);
    }

    fn gone(&self) {
        self.acks.lock().unwrap().clear();
        let _ = self.tell.send(Heard::Gone);
    }
}

async fn spawn_websocket(
    address: SocketAddr,
    ear: Ear,
    out: mpsc::UnboundedSender<String>,
    mut outgoing: mpsc::UnboundedReceiver<String>,
) {
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let request = url.into_client_request().unwrap();
    let (socket, _) = soon("a WebSocket", tokio_tungstenite::connect_async(request)).await.unwrap();
    let (mut sink, mut stream) = socket.split();
    // Held weakly: when the client is dropped, so is the connection, without a word.
    let pong = out.downgrade();
    drop(out);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                packet = outgoing.recv() => {
                    let Some(packet) = packet else { return };
                    if packet == "close" {
                        let _ = sink.send(Message::Close(None)).await;
                    } else if sink.send(Message::Text(packet.into())).await.is_err() {
                        return ear.gone();
                    }
                }
                message = stream.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        if let (Some(answer), Some(out)) = (ear.hear(&text), pong.upgrade()) {
                            let _ = out.send(answer.to_owned());
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return ear.gone(),
                },
            }
        }
    });
}

async fn spawn_polling(
    address: SocketAddr,
    ear: Ear,
    out: mpsc::UnboundedSender<String>,
    mut outgoing: mpsc::UnboundedReceiver<String>,
) {
    let open = request(address, "GET", "/socket.io/?EIO=4&transport=polling", &[], "").await;
    assert_eq!(open.status, 200, "{open:?}");
    let handshake: Value = serde_json::from_str(&open.body[1..]).unwrap();
    let sid = handshake["sid"].as_str().unwrap().to_owned();
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    let post_path = path.clone();
    let pong = out.downgrade();
    drop(out);
    let posting = tokio::spawn(async move {
        while let Some(mut body) = outgoing.recv().await {
            if body == "close" {
                body = "1".to_owned();
            }
            let headers = [("content-type", "text/plain;charset=UTF-8")];
            request(address, "POST", &post_path, &headers, &body).await;
        }
    });
    tokio::spawn(async move {
        loop {
            // A poll is answered by the next heartbeat at the latest.
            let response = request_patiently(address, &path).await;
            if response.is_none_or(|response| {
                for packet in response.body.split('\u{1e}') {
                    if let (Some(answer), Some(out)) = (ear.hear(packet), pong.upgrade()) {
                        let _ = out.send(answer.to_owned());
                    }
                }
                response.status != 200 || response.body.is_empty() || posting.is_finished()
            }) {
                return ear.gone();
            }
        }
    });
}

async fn request_patiently(address: SocketAddr, path: &str) -> Option<super::harness::Response> {
    tokio::spawn({
        let path = path.to_owned();
        async move { request(address, "GET", &path, &[], "").await }
    })
    .await
    .ok()
}
