//! A room at work: its state, its seats' sockets and media handles under one lock that is held for lines and never
//! across an await. Events are emitted while it is held, so everybody hears them in the order of the changes.
//!
//! Who opens a room twice with the same token sits there twice, unless the second connection resumes the seat of the first.

mod about;
mod chat;
mod clock;
mod doors;
mod event_log;
mod follow;
mod keeping_order;
mod kept;
mod kept_out;
mod live;
mod media;
mod policy;
mod registry;
mod resume;
mod roles;
mod seat;
mod state;
mod studies;
mod study;
mod talk;
mod texts;
mod timing;
mod trace;
mod waiting;

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use sfu::{
    CloseReason, Consumer, ConsumerId, Layer, LayersReason, Producer, ProducerId, Router, RouterId, TransportId,
    WebRtcTransport, Workers,
};
use tracing::{info, warn};

pub(crate) use about::{About, Change};
pub(crate) use clock::Command;
pub(crate) use doors::{pass_needed, use_invite};
pub(crate) use keeping_order::{Actor, Banning};
pub(crate) use live::LiveRoom;
pub(crate) use media::{Counts, Shown, TransportViewport};
pub(crate) use registry::{Ground, Registry, is_room_id};
pub(crate) use resume::Ending;
pub(crate) use roles::is_staff;
pub(crate) use seat::{Outlet, Seat};
pub(crate) use state::{ParticipantId, ProducerFacts};
pub(crate) use studies::Studies;
pub(crate) use study::Record;
pub(crate) use talk::read_message;
pub(crate) use texts::{emoji, text};
pub(crate) use timing::start_command;

use crate::clock::now_ms;
use crate::db::Later;
use crate::error::{Refusal, error_event};
use crate::people::{Marks, Person};
use crate::signal::lobby::Bell;
use crate::signal::messages::{self, Connection, LeaveReason, RoomEvent, RoomInfo, Source};
use follow::Following;
use kept::Kept;
use media::SeatMedia;
use policy::Keeping;
use state::{Effect, Full, State, To};
use timing::Ticking;

/// A room.
pub(crate) struct Room {
    id: String,
    /// Microphones that are heard at a time; 0: all.
    loudest: u8,
    /// Whether what happens to its media goes into the log.
    is_traced: bool,
    /// How long a seat is kept for somebody whose connection broke.
    grace: Duration,
    workers: Arc<Workers>,
    bell: Arc<Bell>,
    studies: Arc<Studies>,
    /// Stores what is said and done.
    later: Later,
    /// There from the start on.
    ticking: OnceLock<Ticking>,
    keeping: OnceLock<Keeping>,
    /// Held while producers are paused and resumed.
    pausing: tokio::sync::Mutex<()>,
    inner: Mutex<Inner>,
    /// Held while a router is made, so that two who come at once do not make two.
    making_router: tokio::sync::Mutex<()>,
}

/// What the configuration says of a room.
#[derive(Clone)]
struct RoomOptions {
    loudest: u8,
    is_traced: bool,
    studies: Arc<Studies>,
    grace: Duration,
    later: Later,
}

struct Inner {
    state: State,
    seats: HashMap<ParticipantId, SeatEntry>,
    router: Option<RoomRouter>,
}

/// What a seat holds beside its state.
struct SeatEntry {
    /// There once the participant has entered, and not while the connection is lost.
    outlet: Option<Outlet>,
    /// The network that they came from, as a ban remembers it.
    mark: String,
    media: SeatMedia,
    kept: Kept,
}

struct RoomRouter {
    handle: Router,
    /// Ends with the router.
    _following: Following,
}

/// A producer of this room, for who wants to consume it.
pub(crate) struct Consumable {
    pub(crate) handle: Producer,
    pub(crate) owner: ParticipantId,
    pub(crate) source: Source,
}

impl Room {
    fn new(state: State, options: RoomOptions, workers: Arc<Workers>, bell: Arc<Bell>) -> Arc<Self> {
        let id = state.info().id;
        let inner = Inner { state, seats: HashMap::new(), router: None };
        let making_router = tokio::sync::Mutex::new(());
        let RoomOptions { loudest, is_traced, studies, later, grace } = options;
        let (inner, ticking, keeping) = (Mutex::new(inner), OnceLock::new(), OnceLock::new());
        let pausing = tokio::sync::Mutex::new(());
        let room = Arc::new(Self {
            id,
            loudest,
            is_traced,
            grace,
            workers,
            bell,
            studies,
            later,
            ticking,
            keeping,
            pausing,
            inner,
            making_router,
        });
        room.keeping.get_or_init(|| Keeping::start(Arc::downgrade(&room)));
        room.ticking.get_or_init(|| Ticking::start(Arc::downgrade(&room)));
        room
    }

    /// Its name in addresses.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What can be told to anybody.
    pub(crate) fn info(&self) -> RoomInfo {
        self.lock().state.info()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held broke one request; the values are still those of a room.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat for a person; the returned value is the connection that holds it.
    pub(crate) fn take_seat(self: &Arc<Self>, person: Person, marks: Marks) -> Result<Seat, Refusal> {
        let id = ParticipantId::random();
        let mut inner = self.lock();
        self.check_door(&mut inner, &person, &marks)?;
        let person_id = person.id.clone();
        inner.state.take_seat(now_ms(), id.clone(), person).map_err(|Full { capacity }| {
            Refusal::new(crate::error::Code::RoomFull, format!("All {capacity} seats of this room are taken."))
        })?;
        self.studies.seat_taken(&person_id, &self.id, &id);
        let kept = Kept::new(person_id);
        let connection = kept.connection();
        inner
            .seats
            .insert(id.clone(), SeatEntry { outlet: None, mark: marks.present, media: SeatMedia::default(), kept });
        // Told under the lock, so in the order in which it happened.
        self.bell.came(&self.id, &id.to_string(), inner.seats.len() as u32);
        drop(inner);
        self.bell.ring(&self.id);
        Ok(Seat::new(Arc::clone(self), id, connection))
    }

    /// Gives the seat back and closes all that was made on it. Doing it twice is doing it once.
    pub(crate) fn leave(&self, id: &ParticipantId, reason: LeaveReason) {
        let mut inner = self.lock();
        let Some(effects) = inner.state.leave(id, reason) else { return };
        self.studies.seat_left(id);
        let entry = inner.seats.remove(id);
        for effect in &effects {
            if let RoomEvent::ProducerClosed(producer) = &effect.event {
                inner.close_consumers_of(self, &producer.producer_id);
            }
        }
        inner.emit(self, effects);
        self.bell.went(&self.id, &id.to_string(), inner.seats.len() as u32, reason);
        // An empty room needs no router; the next one to come gets one on the least loaded worker.
        let router = if inner.seats.is_empty() { inner.router.take() } else { None };
        drop(inner);
        if let Some(entry) = entry {
            entry.media.close();
        }
        drop(router);
        self.bell.ring(&self.id);
    }

    /// Tells everybody that the server stops, and closes their sockets.
    pub(crate) fn drain(&self, reconnect_in_ms: u64) {
        let mut inner = self.lock();
        inner.emit(self, vec![state::draining(reconnect_in_ms)]);
        for outlet in inner.seats.values().filter_map(|entry| entry.outlet.as_ref()) {
            outlet.disconnect();
        }
    }

    /// The room's router, made when it is needed first.
    pub(crate) async fn router(self: &Arc<Self>) -> Result<Router, Refusal> {
        if let Some(router) = self.live_router() {
            return Ok(router);
        }
        let _turn = self.making_router.lock().await;
        if let Some(router) = self.live_router() {
            return Ok(router);
        }
        // One that failed is still there when the word of its end has not come yet.
        let failed = self.lock().router.as_ref().map(|router| router.handle.id().clone());
        if let Some(failed) = failed {
            self.router_died(&failed);
        }
        let (router, events) = self.workers.create_router().await?;
        let loudest = self.lock().state.about.policy.loudest.unwrap_or(self.loudest);
        router.set_loudest(loudest).await?;
        self.begin_trace(&router).await?;
        let following = Following::start(Arc::downgrade(self), router.id().clone(), events);
        let mut inner = self.lock();
        if inner.seats.is_empty() {
            return Err(gone());
        }
        inner.router = Some(RoomRouter { handle: router.clone(), _following: following });
        Ok(router)
    }

    fn live_router(&self) -> Option<Router> {
        let inner = self.lock();
        let router = &inner.router.as_ref()?.handle;
        (!router.is_closed()).then(|| router.clone())
    }

    /// How much somebody has made.
    pub(crate) fn counts(&self, id: &ParticipantId) -> Result<Counts, Refusal> {
        Ok(self.lock().entry(id)?.media.counts())
    }

    /// Somebody's own transport.
    pub(crate) fn transport(&self, id: &ParticipantId, transport_id: &str) -> Result<WebRtcTransport, Refusal> {
        let inner = self.lock();
        let found = inner.entry(id)?.media.transport(transport_id).cloned();
        found.ok_or_else(|| Refusal::not_found("transport"))
    }

    /// All of somebody's own transports.
    pub(crate) fn transports(&self, id: &ParticipantId) -> Result<Vec<WebRtcTransport>, Refusal> {
        Ok(self.lock().entry(id)?.media.transports().cloned().collect())
    }

    /// Somebody's own producer.
    pub(crate) fn producer(&self, id: &ParticipantId, producer_id: &str) -> Result<Producer, Refusal> {
        let inner = self.lock();
        let found = inner.entry(id)?.media.producer(producer_id).cloned();
        found.ok_or_else(|| Refusal::not_found("producer"))
    }

    /// Somebody's own consumer.
    pub(crate) fn consumer(&self, id: &ParticipantId, consumer_id: &str) -> Result<Consumer, Refusal> {
        let inner = self.lock();
        let found = inner.entry(id)?.media.consumer(consumer_id).cloned();
        found.ok_or_else(|| Refusal::not_found("consumer"))
    }

    /// Anybody's producer, if it is in this room.
    pub(crate) fn consumable(&self, producer_id: &str) -> Result<Consumable, Refusal> {
        let inner = self.lock();
        let found = inner.state.producer(producer_id).and_then(|(owner, facts)| {
            let handle = inner.seats.get(owner)?.media.producer(producer_id)?.clone();
            Some(Consumable { handle, owner: owner.clone(), source: facts.source })
        });
        found.ok_or_else(|| Refusal::not_found("producer"))
    }

    /// Gives somebody a transport that was made for them.
    pub(crate) fn add_transport(&self, id: &ParticipantId, transport: WebRtcTransport) -> Result<(), Refusal> {
        let mut inner = self.lock();
        inner.check_router(transport.router().id())?;
        inner.entry_mut(id)?.media.add_transport(transport);
        Ok(())
    }

    /// Gives somebody a producer that was made for them; the others hear of it.
    pub(crate) fn add_producer(
        &self,
        id: &ParticipantId,
        transport_id: &TransportId,
        producer: Producer,
        facts: ProducerFacts,
    ) -> Result<(), Refusal> {
        let mut inner = self.lock();
        inner.check_transport(id, transport_id)?;
        inner.entry_mut(id)?.media.add_producer(transport_id.clone(), producer);
        let effects = inner.state.add_producer(id, facts).ok_or_else(gone)?;
        inner.emit(self, effects);
        // It may have become forbidden while it was made.
        self.wake_policy();
        Ok(())
    }

    /// Gives somebody a consumer that was made for them, if its producer is still there; whether that is paused.
    pub(crate) fn add_consumer(
        &self,
        id: &ParticipantId,
        transport_id: &TransportId,
        consumer: Consumer,
    ) -> Result<bool, Refusal> {
        let mut inner = self.lock();
        inner.check_transport(id, transport_id)?;
        let producer = inner.state.producer(consumer.producer_id().as_ref());
        let (_, facts) = producer.ok_or_else(|| Refusal::not_found("producer"))?;
        let producer_paused = facts.paused;
        inner.entry_mut(id)?.media.add_consumer(transport_id.clone(), consumer);
        Ok(producer_paused)
    }

    /// Closes somebody's own producer; the others hear of it.
    pub(crate) fn close_producer(&self, id: &ParticipantId, producer_id: &str) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let removed = inner.entry_mut(id)?.media.remove_producer(producer_id);
        let producer = removed.ok_or_else(|| Refusal::not_found("producer"))?;
        producer.close();
        inner.producer_gone(self, id, producer_id);
        Ok(())
    }

    /// Closes somebody's own consumer.
    pub(crate) fn close_consumer(&self, id: &ParticipantId, consumer_id: &str) -> Result<(), Refusal> {
        let removed = self.lock().entry_mut(id)?.media.remove_consumer(consumer_id);
        removed.ok_or_else(|| Refusal::not_found("consumer"))?.close();
        Ok(())
    }

    /// Tells the others that somebody's own producer pauses or goes on.
    pub(crate) fn set_producer_paused(
        &self,
        id: &ParticipantId,
        producer_id: &str,
        paused: bool,
    ) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let effects = inner.state.set_producer_paused(id, producer_id, paused);
        let effects = effects.ok_or_else(|| Refusal::not_found("producer"))?;
        inner.emit(self, effects);
        Ok(())
    }

    /// ICE and DTLS of a transport are through.
    fn transport_connected(&self, transport: &TransportId) {
        let mut inner = self.lock();
        let Some((id, entry)) = inner.seats.iter_mut().find(|(_, entry)| entry.media.has_transport(transport)) else {
            return;
        };
        entry.media.note_connected(transport);
        let (id, connection) = (id.clone(), entry.media.connection());
        let effects = inner.state.set_connection(&id, connection).into_iter().collect();
        inner.emit(self, effects);
    }

    /// The network side of a transport ended, and with it what was on it. Where no connected transport is left the
    /// owner is told, to make new ones on the same seat.
    fn transport_closed(&self, transport: &TransportId, reason: &CloseReason) {
        let mut inner = self.lock();
        let owner = inner.seats.iter().find(|(_, entry)| entry.media.has_transport(transport));
        let Some(id) = owner.map(|(id, _)| id.clone()) else { return };
        let Ok(entry) = inner.entry_mut(&id) else { return };
        let gone = entry.media.remove_transport(transport);
        let is_lost = *reason == CloseReason::ConsentLost && gone.was_connected && !entry.media.is_connected();
        if is_lost {
            entry.media.note_lost();
        }
        let connection = entry.media.connection();
        let consumers = gone.consumers.iter();
        let effects = consumers.map(|c| state::consumer_closed(&id, c.id().as_ref())).collect();
        inner.emit(self, effects);
        for producer in &gone.producers {
            inner.producer_gone(self, &id, producer.id().as_ref());
        }
        let mut effects: Vec<_> = inner.state.set_connection(&id, connection).into_iter().collect();
        if is_lost {
            info!(room = self.id, participant = %id, "a participant's media connection is lost");
            let message = "Your media connection was lost. It is made anew as soon as your network lets it.";
            let event = RoomEvent::Error(error_event("MEDIA_LOST", message, None));
            effects.push(Effect { to: To::One(id), event });
        }
        inner.emit(self, effects);
    }

    /// A producer ended with its transport.
    fn producer_closed(&self, producer: &ProducerId) {
        let mut inner = self.lock();
        let owner = inner.state.producer(producer.as_ref()).map(|(owner, _)| owner.clone());
        let Some(owner) = owner else { return };
        if let Ok(entry) = inner.entry_mut(&owner) {
            entry.media.remove_producer(producer.as_ref());
        }
        inner.producer_gone(self, &owner, producer.as_ref());
    }

    /// A consumer ended with its producer or its transport.
    fn consumer_closed(&self, consumer: &ConsumerId) {
        let mut inner = self.lock();
        let owner = inner
            .seats
            .iter_mut()
            .find_map(|(id, entry)| entry.media.remove_consumer(consumer.as_ref()).map(|_| id.clone()));
        if let Some(owner) = owner {
            inner.emit(self, vec![state::consumer_closed(&owner, consumer.as_ref())]);
        }
    }

    /// Notes what somebody shows.
    pub(crate) fn set_viewport(&self, id: &ParticipantId, viewport: HashMap<String, Shown>) -> Result<(), Refusal> {
        self.lock().entry_mut(id)?.media.set_viewport(viewport);
        Ok(())
    }

    /// What somebody shows at each of their transports, if they ever said.
    pub(crate) fn viewports(&self, id: &ParticipantId) -> Result<Vec<TransportViewport>, Refusal> {
        Ok(self.lock().entry(id)?.media.viewports())
    }

    /// Tells which layer a consumer's owner gets.
    fn consumer_layers(&self, consumer: &ConsumerId, layer: Option<Layer>, reason: LayersReason) {
        let mut inner = self.lock();
        let owner = inner.seats.iter().find(|(_, entry)| entry.media.has_consumer(consumer));
        let Some(owner) = owner.map(|(id, _)| id.clone()) else { return };
        let event = RoomEvent::ConsumerLayers(messages::ConsumerLayers {
            consumer_id: consumer.to_string(),
            spatial_layer: layer.map(|layer| layer.spatial),
            temporal_layer: layer.map(|layer| layer.temporal),
            reason: reason.into(),
        });
        inner.emit(self, vec![Effect { to: To::One(owner), event }]);
    }

    /// Tells a publisher which layers anybody watches.
    fn publish_layers(&self, producer: &ProducerId, active: &[bool]) {
        let mut inner = self.lock();
        let owner = inner.state.producer(producer.as_ref()).map(|(owner, _)| owner.clone());
        let Some(owner) = owner else { return };
        let handle = inner.seats.get(&owner).and_then(|entry| entry.media.producer(producer.as_ref()));
        let encodings = handle.map(Producer::encodings).unwrap_or_default();
        let layers = active.iter().enumerate().map(|(index, &active)| {
            let encoding = encodings.get(index);
            messages::PublishLayer {
                rid: encoding.and_then(|encoding| encoding.rid.clone()),
                active,
                max_bitrate: encoding.and_then(|encoding| encoding.max_bitrate),
            }
        });
        let layers = layers.collect();
        let event = RoomEvent::PublishLayers(messages::PublishLayers { producer_id: producer.to_string(), layers });
        inner.emit(self, vec![Effect { to: To::One(owner), event }]);
    }

    /// Tells a publisher how well its streams get to us.
    fn producer_score(&self, producer: &ProducerId, scores: &[u8]) {
        let mut inner = self.lock();
        let owner = inner.state.producer(producer.as_ref()).map(|(owner, _)| owner.clone());
        let Some(owner) = owner else { return };
        let handle = inner.seats.get(&owner).and_then(|entry| entry.media.producer(producer.as_ref()));
        let encodings = handle.map(Producer::encodings).unwrap_or_default();
        let scores = scores.iter().enumerate().map(|(index, &score)| messages::StreamScore {
            rid: encodings.get(index).and_then(|encoding| encoding.rid.clone()),
            score,
        });
        let scores = scores.collect();
        let event = RoomEvent::ProducerScore(messages::ProducerScore { producer_id: producer.to_string(), scores });
        inner.emit(self, vec![Effect { to: To::One(owner), event }]);
    }

    /// Tells a viewer how well what it is sent gets through.
    fn consumer_score(&self, consumer: &ConsumerId, score: u8, producer_score: u8) {
        let mut inner = self.lock();
        let owner = inner.seats.iter().find(|(_, entry)| entry.media.has_consumer(consumer));
        let Some(owner) = owner.map(|(id, _)| id.clone()) else { return };
        let consumer_id = consumer.to_string();
        let event = RoomEvent::ConsumerScore(messages::ConsumerScore { consumer_id, score, producer_score });
        inner.emit(self, vec![Effect { to: To::One(owner), event }]);
    }

    /// Tells how well somebody's media get through: as well as on the worst of their transports.
    fn connection(&self, transport: &TransportId, connection: Connection) {
        let mut inner = self.lock();
        let owner = inner.seats.iter_mut().find(|(_, entry)| entry.media.has_transport(transport));
        let Some((id, entry)) = owner else { return };
        let (id, worst) = (id.clone(), entry.media.set_connection(transport, connection));
        let effects = inner.state.set_connection(&id, worst).into_iter().collect();
        inner.emit(self, effects);
    }

    /// Tells a viewer what their link carries.
    fn bandwidth(&self, transport: &TransportId, bandwidth: sfu::Bandwidth) {
        let mut inner = self.lock();
        let owner = inner.seats.iter().find(|(_, entry)| entry.media.has_transport(transport));
        let Some(owner) = owner.map(|(id, _)| id.clone()) else { return };
        inner.emit(self, vec![Effect { to: To::One(owner), event: RoomEvent::Bandwidth(bandwidth.into()) }]);
    }

    /// Tells who leads the conversation.
    fn active_speaker(&self, producer: Option<&ProducerId>) {
        let mut inner = self.lock();
        let effects = inner.state.set_active_speaker(producer.map(AsRef::as_ref)).into_iter().collect();
        inner.emit(self, effects);
    }

    /// Tells who is audible.
    fn audio_levels(&self, levels: &[(ProducerId, i8)]) {
        let mut inner = self.lock();
        let levels = levels.iter().map(|(producer, dbov)| (producer.as_ref(), *dbov));
        let effects = vec![inner.state.audio_levels(levels)];
        inner.emit(self, effects);
    }

    /// The room's worker failed: everybody keeps their seat and makes their transports anew, on a new router.
    fn router_died(&self, router: &RouterId) {
        let mut inner = self.lock();
        if inner.router.as_ref().is_none_or(|current| current.handle.id() != router) {
            return;
        }
        warn!(room = self.id, "the media worker of a room failed; its participants make their media anew");
        let dead = inner.router.take();
        let media: Vec<_> = inner.seats.values_mut().map(|entry| mem::take(&mut entry.media)).collect();
        let message = "The media server had to restart. Your camera and microphone will be back in a moment.";
        let told = error_event("MEDIA_RESTARTED", message, None);
        let effects = inner.state.lose_media(told);
        inner.emit(self, effects);
        drop(inner);
        drop((media, dead));
    }
}

impl Inner {
    fn entry(&self, id: &ParticipantId) -> Result<&SeatEntry, Refusal> {
        self.seats.get(id).ok_or_else(gone)
    }

    fn entry_mut(&mut self, id: &ParticipantId) -> Result<&mut SeatEntry, Refusal> {
        self.seats.get_mut(id).ok_or_else(gone)
    }

    /// What was made on a router that has been replaced since is worth nothing.
    fn check_router(&self, router: &RouterId) -> Result<(), Refusal> {
        match &self.router {
            Some(current) if current.handle.id() == router => Ok(()),
            _ => Err(Refusal::busy("The media server is restarting; try again.")),
        }
    }

    /// A transport may have gone while the worker was asked.
    fn check_transport(&self, id: &ParticipantId, transport_id: &TransportId) -> Result<(), Refusal> {
        let is_there = self.entry(id)?.media.has_transport(transport_id);
        if is_there { Ok(()) } else { Err(Refusal::not_found("transport")) }
    }

    fn producer_gone(&mut self, room: &Room, owner: &ParticipantId, producer_id: &str) {
        self.close_consumers_of(room, producer_id);
        if let Some(effects) = self.state.remove_producer(owner, producer_id) {
            self.emit(room, effects);
        }
    }

    /// Without waiting for the worker to say the same, so that nobody finds a consumer of nothing.
    fn close_consumers_of(&mut self, room: &Room, producer_id: &str) {
        let mut effects = Vec::new();
        for (owner, entry) in &mut self.seats {
            for consumer in entry.media.take_consumers_of(producer_id) {
                effects.push(state::consumer_closed(owner, consumer.id().as_ref()));
            }
        }
        self.emit(room, effects);
    }

    /// Hands each event to whom it is for, in order. Who does not take their events any more is let go; who is away
    /// for a moment hears them when they are back.
    fn emit(&mut self, room: &Room, effects: Vec<Effect>) {
        let mut stuck = Vec::new();
        for Effect { to, event } in effects {
            let event = Arc::new(event);
            let bytes = event.json_bytes();
            for (id, entry) in &mut self.seats {
                let hears = match &to {
                    To::One(one) => one == id,
                    To::Others(one) => one != id,
                    To::All => true,
                };
                if !hears || !entry.kept.has_entered {
                    continue;
                }
                let seq = entry.kept.log.note(&event, bytes);
                let Some(outlet) = &entry.outlet else { continue };
                let is_queued = seq.map_or_else(|| outlet.emit(&event), |seq| outlet.emit_numbered(seq, &event));
                // Levels are stale when the next ones come: who misses some has missed nothing.
                let matters = !matches!(*event, RoomEvent::AudioLevels(_));
                if !is_queued && matters && !stuck.contains(id) {
                    stuck.push(id.clone());
                }
            }
        }
        for id in stuck {
            if let Some(outlet) = self.seats.get(&id).and_then(|entry| entry.outlet.clone()) {
                warn!(room = room.id, participant = %id, "a client does not take its events and is let go");
                outlet.cut();
            }
        }
    }
}

/// To who is not in the room any more.
fn gone() -> Refusal {
    Refusal::not_found("seat: you have left this room")
}
