//! Socket.IO: the namespaces, who may open them, and the way of a request to its answer.
//!
//! The requests of a participant are answered one after the other, in the order of their coming; those of
//! different participants do not wait for each other. Every request that asks for an answer gets one.

pub(crate) mod limits;
pub(crate) mod lobby;
mod media;
pub(crate) mod messages;
#[cfg(test)]
mod typescript;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request as HttpRequest;
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;
use serde_json::Value;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, Event, SocketRef, TryData};
use socketioxide::handler::{ConnectHandler, FromMessage, FromMessageParts};
use socketioxide::layer::SocketIoLayer;
use socketioxide::socket::{DisconnectReason, Socket};
use socketioxide::{ParserConfig, SocketIo};
use tokio::sync::mpsc;
use tracing::{Instrument as _, debug, info_span};

use crate::App;
use crate::clock::now_ms;
use crate::config::Limits;
use crate::error::{Code, Refusal};
use crate::http::Peer;
use crate::operations::metrics::Counted;
use crate::people::Person;
use crate::room::{Ending, Room, Seat, pass_needed, use_invite};
use limits::{Bucket, EventKind, ParticipantRates, Rate};
use media::Caller;
use messages::{RequestName, RoomAuth};

/// Events that may wait for a slow client: a newcomer to a full room gets some 200 at once.
const MAX_QUEUED_EVENTS: usize = 1_024;
/// Requests of one participant that may wait for their turn; the rates let fewer through at once by default.
const MAX_QUEUED_REQUESTS: usize = 512;
/// How often a client is asked for a sign of life, and how long it has for the answer: so long a connection that broke
/// without a word can go unnoticed. With a seat that is kept, one that is given up too early costs nothing.
const HEARTBEAT: Duration = Duration::from_secs(5);
const HEARTBEAT_PATIENCE: Duration = Duration::from_secs(7);
/// Longest password that is looked at, in characters.
const MAX_PASSWORD: usize = 200;
/// Time to open a namespace, and to send all attachments of a message.
const PATIENCE: Duration = Duration::from_secs(10);

/// Socket.IO as a layer of the HTTP service, and the handle to emit through.
pub(crate) fn layer(limits: &Limits) -> (SocketIoLayer, SocketIo) {
    let parser = ParserConfig::common()
        .max_incoming_binaries(limits.attachments)
        .max_incoming_binary_buf_size(limits.message_bytes)
        .packet_completion_timeout(PATIENCE);
    SocketIo::builder()
        .max_payload(limits.message_bytes as u64)
        .ws_max_message_size(limits.message_bytes)
        .ws_max_frame_size(limits.message_bytes)
        .max_buffer_size(MAX_QUEUED_EVENTS)
        .connect_timeout(PATIENCE)
        .ping_interval(HEARTBEAT)
        .ping_timeout(HEARTBEAT_PATIENCE)
        .with_parser(parser)
        .build_layer()
}

/// Opens the namespaces.
pub(crate) fn open(app: &Arc<App>, io: &SocketIo) {
    lobby::open(app, io);
    let for_check = Arc::clone(app);
    let check = move |socket: SocketRef, TryData(auth): TryData<RoomAuth>| {
        let app = Arc::clone(&for_check);
        async move { take_seat(&app, &socket, auth.ok()).await }
    };
    let for_entry = Arc::clone(app);
    // Requests that come before this runs wait in the queue that `take_seat` made: the room's events come first.
    let enter = move |socket: SocketRef| {
        enter(&for_entry, socket);
        async {}
    };
    io.ns("/room", enter.with(check));
}

/// Seats that one connection may take in ten seconds: each is told to everybody in the room.
const JOINS_PER_10S: u32 = 20;

/// How often one connection takes a seat; lives as long as the connection.
#[derive(Clone)]
struct JoinRate(Arc<Mutex<Bucket>>);

impl JoinRate {
    fn rate() -> Rate {
        Rate::new(JOINS_PER_10S, Duration::from_secs(10), JOINS_PER_10S)
    }

    fn take(&self) -> Result<(), Refusal> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(Instant::now(), Self::rate()).map_err(Refusal::rate_limited)
    }
}

/// Gives each Engine.IO connection its rate of joining: its first request is kept with it.
pub(crate) async fn with_join_rate(mut request: HttpRequest<Body>, next: Next) -> Response {
    if request.uri().path().starts_with("/socket.io") {
        let bucket = Bucket::full(Instant::now(), JoinRate::rate());
        request.extensions_mut().insert(JoinRate(Arc::new(Mutex::new(bucket))));
    }
    next.run(request).await
}

/// Before the namespace is open: who, which room, and a seat in it. A client that has not heard that it is open sends nothing.
async fn take_seat(app: &App, socket: &SocketRef, auth: Option<RoomAuth>) -> Result<(), Refusal> {
    if let Some(rate) = socket.req_parts().extensions.get::<JoinRate>() {
        rate.take().inspect_err(|refusal| note_refused(app, refusal))?;
    }
    let address = client_address(app, socket);
    let (seat, is_admin) = check(app, auth, address).await.inspect_err(|refusal| note_refused(app, refusal))?;
    socket.extensions.insert(RunsTheServer(is_admin));
    app.operations.metrics.joins.inc();
    socket.extensions.insert(Counted::one(&app.operations.metrics.room_sockets));
    // Should the connection end before the namespace is open, dropping the socket lets the seat go.
    let leaver = seat.clone();
    socket.on_disconnect(move |reason: DisconnectReason| async move { leaver.let_go(ending(reason)) });
    socket.extensions.insert(seat);
    // Already here, because a quick client asks before the namespace's handler has run.
    let (queue, requests) = mpsc::channel(MAX_QUEUED_REQUESTS);
    let rates = ParticipantRates::new(Instant::now(), &app.config.limits);
    let inlet = Arc::new(Inlet { rates: Mutex::new(rates), queue });
    socket.on_fallback(move |packet: Packet| {
        inlet.admit(packet);
        async {}
    });
    socket.extensions.insert(Requests(Arc::new(Mutex::new(Some(requests)))));
    Ok(())
}

fn note_refused(app: &App, refusal: &Refusal) {
    app.operations.metrics.join_refused(refusal.code);
    refusal.log("join");
}

/// Whether the token of a socket is an administrator's.
#[derive(Clone, Copy)]
struct RunsTheServer(bool);

/// The requests of a participant, until somebody answers them.
#[derive(Clone)]
struct Requests(Arc<Mutex<Option<mpsc::Receiver<Request>>>>);

/// From where the connection of this socket came.
fn client_address(app: &App, socket: &SocketRef) -> IpAddr {
    let parts = socket.req_parts();
    let peer = parts.extensions.get::<Peer>().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0);
    crate::http::forwarded_for(peer, &parts.headers, &app.config.trusted_proxies)
}

async fn check(app: &App, auth: Option<RoomAuth>, address: IpAddr) -> Result<(Seat, bool), Refusal> {
    if app.is_draining() {
        return Err(Refusal::busy("The server is restarting; come back in a moment."));
    }
    let auth = auth
        .ok_or_else(|| Refusal::bad_request("auth: open this namespace with { token, roomId }, both of them text."))?;
    let person = app.tokens.verify(&auth.token)?;
    let room = app.rooms.find(&auth.room_id)?;
    let room = &room;
    // Who cannot come back to a seat, because it is gone or was never theirs, takes another one.
    if let Some(seat) = auth.resume.as_ref().and_then(|resume| room.resume(&person.id, resume)) {
        return Ok((seat, person.is_admin));
    }
    crate::operations::admit_to_room(app, room.info().occupancy == 0)?;
    if room.needs_pass(&person) {
        show_pass(app, room, &person, &auth, address).await?;
    }
    let is_admin = person.is_admin;
    Ok((room.take_seat(person, app.marking.marks(now_ms(), address))?, is_admin))
}

/// A private room: the invitation or the password is looked at, and need not be shown again.
async fn show_pass(app: &App, room: &Room, person: &Person, auth: &RoomAuth, address: IpAddr) -> Result<(), Refusal> {
    if let Some(invite) = auth.invite.as_deref().filter(|invite| !invite.is_empty()) {
        app.doors.visit(address)?;
        if !use_invite(&app.db, room.id(), invite, now_ms()).await? {
            let sentence = "This invitation is not good any more; ask for another one.";
            return Err(Refusal::new(Code::InviteInvalid, sentence));
        }
        return room.give_pass(person);
    }
    let (Some(password), Some(hash)) = (auth.password.as_deref(), room.password_hash()) else {
        return Err(pass_needed());
    };
    app.doors.login(address)?;
    // Who guesses at one room waits there, and keeps nobody else out.
    let attempt = format!("{} {}", room.id(), limits::household(address));
    app.doors.attempt(now_ms(), &attempt)?;
    let turn = app.doors.hasher.queue()?;
    let password = password.chars().take(MAX_PASSWORD).collect();
    if !app.doors.hasher.verify(turn, password, Some(hash)).await? {
        return Err(Refusal::new(Code::WrongPassword, "This is not the password of this room."));
    }
    app.doors.was_right(&attempt);
    room.give_pass(person)
}

fn ending(reason: DisconnectReason) -> Ending {
    match reason {
        DisconnectReason::ClientNSDisconnect => Ending::Left,
        DisconnectReason::TransportClose => Ending::Goodbye,
        _ => Ending::Lost,
    }
}

/// The namespace is open: from here on the participant hears the room and is heard.
fn enter(app: &Arc<App>, socket: SocketRef) {
    let Some(seat) = socket.extensions.get::<Seat>() else { return };
    let waiting = socket.extensions.get::<Requests>();
    let requests = waiting.and_then(|Requests(taken)| taken.lock().unwrap_or_else(PoisonError::into_inner).take());
    let Some(requests) = requests else { return };
    let is_admin = socket.extensions.get::<RunsTheServer>().is_some_and(|RunsTheServer(is)| is);
    let caller = Caller::new(Arc::clone(app), Arc::clone(seat.room()), seat.id().clone(), is_admin);
    // On every line that their requests write into the log.
    let span = info_span!("participant", id = %seat.id(), room = seat.room().id());
    let room = Arc::downgrade(seat.room());
    let (id, connection) = (seat.id().clone(), seat.connection());
    let confirm = move || {
        if let Some(room) = room.upgrade() {
            room.confirm_token(&id, connection);
        }
    };
    tokio::spawn(answer_all(caller, requests, confirm).instrument(span));
    seat.enter(socket);
}

/// An event as it came, not looked into yet.
struct Packet {
    socket: Arc<Socket<LocalAdapter>>,
    value: socketioxide::handler::Value,
    ack_id: Option<i64>,
}

impl FromMessage<LocalAdapter> for Packet {
    type Error = Infallible;

    fn from_message(
        socket: Arc<Socket<LocalAdapter>>,
        value: socketioxide::handler::Value,
        ack_id: Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self { socket, value, ack_id })
    }
}

impl Packet {
    fn read<T: FromMessageParts<LocalAdapter>>(&mut self) -> Result<T, T::Error> {
        T::from_message_parts(&self.socket, &mut self.value, &self.ack_id)
    }

    fn ack(&mut self) -> AckSender {
        let Ok(ack) = self.read::<AckSender>();
        ack
    }

    fn refuse(mut self, refusal: &Refusal) {
        refusal.log("an event");
        acknowledge(self.ack(), &refusal.answer());
    }
}

/// A request that waits for its turn.
struct Request {
    name: RequestName,
    /// The first argument, where there is one that is JSON.
    payload: Option<Value>,
    ack: AckSender,
    socket: SocketRef,
}

/// Where the requests of one participant come in.
struct Inlet {
    rates: Mutex<ParticipantRates>,
    queue: mpsc::Sender<Request>,
}

impl Inlet {
    /// Queues a request, or refuses it at once. The payload is not read before the rate is checked.
    fn admit(&self, mut packet: Packet) {
        let name = match packet.read::<Event>() {
            Ok(Event(name)) => RequestName::parse(&name),
            Err(_) => None,
        };
        let kind = match name {
            Some(RequestName::SendMessage) => EventKind::Chat,
            Some(name) if name.is_media() => EventKind::Media,
            _ => EventKind::Other,
        };
        let taken = self.rates.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now(), kind);
        if let Err(wait) = taken {
            return packet.refuse(&Refusal::rate_limited(wait));
        }
        let Some(name) = name else {
            return packet.refuse(&Refusal::new(Code::UnknownEvent, "There is no such event."));
        };
        let Ok(TryData(payload)) = packet.read::<TryData<Value>>();
        let (ack, socket) = (packet.ack(), SocketRef::from(Arc::clone(&packet.socket)));
        let request = Request { name, payload: payload.ok(), ack, socket };
        match self.queue.try_send(request) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                packet.refuse(&Refusal::rate_limited(Duration::from_secs(1)));
            }
            // Whoever answered has failed.
            Err(mpsc::error::TrySendError::Closed(_)) => packet.refuse(&Refusal::internal()),
        }
    }
}

/// Answers the requests of one participant until the socket is gone; the first shows that the client has heard us.
async fn answer_all(caller: Caller, mut requests: mpsc::Receiver<Request>, confirm: impl FnOnce() + Send) {
    let mut confirm = Some(confirm);
    while let Some(Request { name, payload, ack, socket }) = requests.recv().await {
        if let Some(confirm) = confirm.take() {
            confirm();
        }
        match caller.answer(name, payload).await {
            Ok(answer) => acknowledge(ack, &answer),
            Err(refusal) => {
                refusal.log(name.as_str());
                acknowledge(ack, &refusal.answer());
            }
        }
        if name == RequestName::Leave && socket.disconnect().is_err() {
            debug!("a socket could not be told that it is closed");
        }
    }
}

/// Sends an answer, if one was asked for.
fn acknowledge<T: Serialize>(ack: AckSender, answer: &T) {
    if let Err(error) = ack.send(answer) {
        // The client is gone, or takes nothing any more.
        debug!(%error, "an answer cannot be sent");
    }
}
