//! One worker's media state: its tables, which object a datagram belongs to, and commands.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tracing::debug;
use wire::rtcp::ReportBlock;
use wire::stun::{Class, Message, Method};
use wire::{ExtSeqNo, PacketKind, SeqNo, Ssrc, classify};

use crate::command::{
    CloseReason, Command, CommandError, ConsumerSpec, Event, EventKind, MediaKind, ObjectId, ProducerSpec, Reply,
    Settings, Tile,
};
use crate::congestion::{BitrateLimits, Claim, Downlink};
use crate::consumer::{Consumer, Share, View};
use crate::outbox::{Outbox, Path};
use crate::producer::{KeyFrameRequest, Layer, Producer};
use crate::router::{MAX_WAITING, Router, Waiting};
use crate::stats::{Drops, DtlsState};
use crate::table::{Key, Table};
use crate::timers::Timers;
use crate::totals::Counts;
use crate::trace::{TraceEvent, TraceKinds};
use crate::transport::{
    Checked, Credentials, DtlsEvent, DtlsSession, DtlsShared, Ice, Part, RemoteDtls, WebRtcTransport,
};

/// Whose deadline a timer is.
#[derive(Clone, Copy)]
pub(crate) enum Due {
    Transport(Key<WebRtcTransport>),
    Router(Key<Router>),
}

/// First report after a transport connects; later ones follow about every second.
const FIRST_REPORT_AFTER: Duration = Duration::from_millis(300);

/// One received datagram.
pub struct Datagram<'a> {
    /// Where it came from, and to which of our sockets and addresses.
    pub path: Path,
    /// When the kernel received it.
    pub received_at: Instant,
    /// Its bytes; decrypted in place.
    pub bytes: &'a mut [u8],
}

/// Events that nobody has taken yet. The driver takes them after every turn; what one turn can make is bounded by the
/// objects: each ends once, changes its layers once a packet, and is told of at intervals.
#[derive(Default)]
pub(crate) struct Events(VecDeque<Event>);

impl Events {
    pub(crate) fn push(&mut self, router: ObjectId, kind: EventKind) {
        self.0.push_back(Event { router, kind });
    }
}

/// One worker's media state. It does no I/O: it is told the time, and its output goes into an [`Outbox`].
pub struct Worker {
    epoch: Instant,
    unix_at_epoch: Duration,
    consent_timeout: Duration,
    pub(crate) bitrate_limits: BitrateLimits,
    dtls: DtlsShared,
    pub(crate) rng: StdRng,
    pub(crate) routers: Table<Router>,
    pub(crate) transports: Table<WebRtcTransport>,
    pub(crate) producers: Table<Producer>,
    pub(crate) consumers: Table<Consumer>,
    pub(crate) by_path: HashMap<Path, Key<WebRtcTransport>, FixedState>,
    by_ufrag: HashMap<String, Key<WebRtcTransport>, FixedState>,
    pub(crate) timers: Timers<Due>,
    /// Scratch space of the sharing out of links.
    pub(crate) claims: Vec<Claim<Key<Consumer>>>,
    pub(crate) events: Events,
    pub(crate) drops: Drops,
    /// What closed objects counted.
    pub(crate) retired: Counts,
    /// Packets that arrived in this turn, and when the turn began.
    pub(crate) waiting: Vec<Waiting>,
    turn_at: Instant,
    /// Key frame requests to send at the end of the turn.
    pub(crate) key_frames: Vec<(Key<WebRtcTransport>, KeyFrameRequest)>,
    /// Consumers that may begin with a key frame that came a moment ago.
    pub(crate) beginning: Vec<Key<Consumer>>,
    /// Scratch space of NACKs and receiver reports.
    pub(crate) asked: Vec<SeqNo>,
    pub(crate) blocks: Vec<ReportBlock>,
}

impl Worker {
    /// A worker without objects. All its randomness comes from `rng`, which must be fit for
    /// cryptography outside of tests.
    ///
    /// # Errors
    /// When the DTLS library refuses its configuration.
    pub fn new(settings: Settings, rng: StdRng) -> Result<Self, dimpl::Error> {
        let dtls = DtlsShared::new(settings.certificate.clone(), None)?;
        Ok(Self::with(settings, dtls, rng))
    }

    /// A worker for simulations: one seed, one run. Also the hello bytes and back-off times of handshakes come of
    /// `seed`, so that its DTLS protects nobody.
    ///
    /// # Errors
    /// When the DTLS library refuses its configuration.
    pub fn replayable(settings: Settings, seed: u64) -> Result<Self, dimpl::Error> {
        let dtls = DtlsShared::new(settings.certificate.clone(), Some(seed))?;
        Ok(Self::with(settings, dtls, StdRng::seed_from_u64(seed)))
    }

    fn with(settings: Settings, dtls: DtlsShared, rng: StdRng) -> Self {
        Self {
            epoch: settings.now,
            unix_at_epoch: settings.unix_now,
            consent_timeout: settings.consent_timeout,
            dtls,
            rng,
            routers: Table::default(),
            transports: Table::default(),
            producers: Table::default(),
            consumers: Table::default(),
            by_path: HashMap::default(),
            by_ufrag: HashMap::default(),
            timers: Timers::new(settings.now),
            claims: Vec::with_capacity(64),
            bitrate_limits: settings.bitrate_limits,
            events: Events::default(),
            drops: Drops::default(),
            retired: Counts::default(),
            waiting: Vec::with_capacity(MAX_WAITING),
            turn_at: settings.now,
            key_frames: Vec::with_capacity(64),
            beginning: Vec::with_capacity(64),
            asked: Vec::with_capacity(crate::producer::MAX_PER_NACK),
            blocks: Vec::with_capacity(64),
        }
    }

    /// Takes in one datagram. What it is and whose is decided by its first byte and its path.
    ///
    /// Media may wait until [`Worker::handle_timeout`], which is due at once then: so the packets of a batch
    /// are handed on together.
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut Outbox) {
        self.turn_at = now;
        let Datagram { path, received_at, bytes } = datagram;
        let kind = classify(bytes);
        if kind == PacketKind::Stun {
            self.receive_stun(now, path, bytes, out);
            return;
        }
        if kind == PacketKind::Other {
            self.drops.unknown_protocol += 1;
            return;
        }
        let Some(key) = self.transport_at(&path) else {
            self.drops.unvalidated_path += 1;
            return;
        };
        if let Some(transport) = self.transports.get_mut(key) {
            transport.counters.received.add(Part::Whole, bytes.len());
            transport.connection.note_heard(now);
        }
        match kind {
            PacketKind::Rtp => self.receive_rtp((now, received_at), key, bytes, out),
            PacketKind::Rtcp => self.receive_rtcp(now, key, bytes, out),
            _ => self.receive_dtls(now, key, bytes, out),
        }
        if !self.key_frames.is_empty() || !self.beginning.is_empty() {
            self.send_key_frame_requests(now, out);
        }
    }

    /// Does everything whose time has come.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        self.forward_waiting(now, out);
        while let Some((tick, due)) = self.timers.pop_due(now) {
            let key = match due {
                Due::Transport(key) => key,
                Due::Router(key) => {
                    self.observe(now, key, tick);
                    continue;
                }
            };
            let Some(transport) = self.transports.get_mut(key) else { continue };
            if transport.armed_tick != Some(tick) {
                continue;
            }
            transport.armed_tick = None;
            if transport.dtls.timeout_at().is_some_and(|at| at <= now) {
                self.poll_dtls(now, key, out);
            }
            self.expire_paths(now, key);
            self.send_due_rtcp(now, key, out);
            self.send_due_media(now, key, out);
            self.rearm(key);
        }
    }

    /// When [`Worker::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if !self.waiting.is_empty() {
            return Some(self.turn_at);
        }
        self.timers.next_at()
    }

    /// Takes the oldest event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.0.pop_front()
    }

    /// What was dropped so far, by reason.
    pub fn drops(&self) -> Drops {
        self.drops
    }

    /// How many routers, transports, producers and consumers live.
    pub fn object_counts(&self) -> [usize; 4] {
        [self.routers.len(), self.transports.len(), self.producers.len(), self.consumers.len()]
    }

    /// Time since the Unix epoch at `now`.
    pub(crate) fn unix_at(&self, now: Instant) -> Duration {
        self.unix_at_epoch + now.saturating_duration_since(self.epoch)
    }

    /// Has the wheel know the transport's deadline, if that is sooner than what it knows.
    pub(crate) fn rearm(&mut self, key: Key<WebRtcTransport>) {
        if let Some(transport) = self.transports.get_mut(key) {
            arm(&mut self.timers, key, transport);
        }
    }

    fn receive_stun(&mut self, now: Instant, path: Path, bytes: &[u8], out: &mut Outbox) {
        let Ok(message) = Message::parse(bytes) else {
            self.drops.bad_stun += 1;
            return;
        };
        let ours = message.username().and_then(|name| name.split(':').next());
        let key = ours.and_then(|ufrag| self.by_ufrag.get(ufrag)).copied();
        let is_request = message.class() == Class::Request && message.method() == Method::BINDING;
        let (Some(key), true) = (key, is_request) else {
            // An indication only keeps a path open (RFC 8445 §11) and asks for nothing.
            let is_indication = message.class() == Class::Indication;
            self.drops.bad_stun += u64::from(!is_indication);
            return;
        };
        if self.is_taken(now, &path, key) {
            self.drops.bad_stun += 1;
            return;
        }
        let Some(transport) = self.transports.get_mut(key) else { return };
        let (was_connected, ice_before) = (transport.is_connected(), transport.ice.state());
        let (arena, start) = out.begin();
        let checked = transport.ice.receive_check(now, path, &message, arena);
        out.commit(start, path, key.index());
        match checked {
            Checked::Ignored => self.drops.bad_stun += 1,
            Checked::Refused => {}
            Checked::Valid { added, evicted, restarted } => {
                transport.connection.note_heard(now);
                if let Some(evicted) = evicted {
                    self.by_path.remove(&evicted);
                }
                if added {
                    self.take_path(path, key);
                }
                if restarted && let Some(transport) = self.transports.get_mut(key) {
                    let old = transport.ice.finish_restart();
                    old.map(|ufrag| self.by_ufrag.remove(&ufrag));
                }
                self.trace_ice(now, key, ice_before);
                if added && !was_connected {
                    self.poll_dtls(now, key, out);
                }
                self.rearm(key);
            }
        }
    }

    /// Whether another transport proved a moment ago to be behind this path: a check with a forged source
    /// address must not take it away.
    fn is_taken(&self, now: Instant, path: &Path, key: Key<WebRtcTransport>) -> bool {
        self.by_path
            .get(path)
            .filter(|other| **other != key)
            .and_then(|other| self.transports.get(*other))
            .is_some_and(|transport| transport.ice.is_fresh(now, path))
    }

    /// Gives a path to the transport that proved to be behind it, also if another one had it long ago.
    fn take_path(&mut self, path: Path, key: Key<WebRtcTransport>) {
        if let Some(other) = self.by_path.insert(path, key)
            && other != key
            && let Some(transport) = self.transports.get_mut(other)
        {
            transport.ice.forget(&path);
        }
    }

    fn receive_dtls(&mut self, now: Instant, key: Key<WebRtcTransport>, bytes: &[u8], out: &mut Outbox) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if !transport.dtls.receive(now, bytes) {
            self.drops.refused_dtls += 1;
        }
        self.poll_dtls(now, key, out);
        self.rearm(key);
    }

    fn poll_dtls(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        // Nothing can be sent before ICE has found a path; the handshake waits for it.
        let Some(path) = transport.ice.selected() else { return };
        let event = transport.dtls.poll(now, &mut |bytes: &[u8]| out.push(path, key.index(), bytes));
        let reason = match event {
            None => return,
            Some(DtlsEvent::Connected(keys)) => {
                transport.set_keys(*keys);
                transport.report_at = Some(now + FIRST_REPORT_AFTER);
                self.media_can_flow(now, key, out);
                return;
            }
            Some(DtlsEvent::FingerprintMismatch) => CloseReason::FingerprintMismatch,
            Some(DtlsEvent::Failed(error)) => CloseReason::DtlsFailed(error),
            Some(DtlsEvent::Closed) => CloseReason::PeerClosed,
        };
        self.close_transport_itself(key, reason);
    }

    fn media_can_flow(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let Some(transport) = self.transports.get(key) else { return };
        let id = transport.id;
        let consumers = transport.consumers.clone();
        self.trace_transport(now, key, TraceKinds::CONNECTION, TraceEvent::Dtls(DtlsState::Connected));
        let Some(transport) = self.transports.get(key) else { return };
        if let Some(router) = self.routers.get(transport.router) {
            self.events.push(router.id, EventKind::TransportConnected(id));
        }
        for consumer in consumers {
            self.begin_picture(now, consumer);
        }
        self.send_key_frame_requests(now, out);
    }

    fn expire_paths(&mut self, now: Instant, key: Key<WebRtcTransport>) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let before = transport.ice.state();
        while let Some(path) = transport.ice.expire(now) {
            self.by_path.remove(&path);
        }
        self.trace_ice(now, key, before);
        let Some(transport) = self.transports.get(key) else { return };
        if transport.ice.consent_ends_at().is_some_and(|at| at <= now) {
            self.close_transport_itself(key, CloseReason::ConsentLost);
        }
    }

    fn close_transport_itself(&mut self, key: Key<WebRtcTransport>, reason: CloseReason) {
        let Some(transport) = self.transports.get(key) else { return };
        debug!(transport = %transport.id, ?reason, "transport closed");
        let id = transport.id;
        if let Some(router) = self.routers.get(transport.router) {
            self.events.push(router.id, EventKind::TransportClosed(id, reason));
        }
        self.close_transport(key);
    }
}

/// Has the wheel know a transport's deadline, if that is sooner than what it knows.
pub(crate) fn arm(timers: &mut Timers<Due>, key: Key<WebRtcTransport>, transport: &mut WebRtcTransport) {
    let Some(at) = transport.deadline() else { return };
    let tick = timers.tick(at);
    if transport.armed_tick.is_none_or(|armed| tick < armed) {
        transport.armed_tick = Some(tick);
        timers.arm(Due::Transport(key), tick);
    }
}

/// Commands.
impl Worker {
    /// Answers a command at once.
    ///
    /// # Errors
    /// When it names an object that is closed, or asks for what the limits forbid; nothing has changed then.
    pub fn handle_command(&mut self, now: Instant, command: Command, out: &mut Outbox) -> Result<Reply, CommandError> {
        self.forward_waiting(now, out);
        let reply = match command {
            Command::CreateRouter { id } => Reply::Router(self.routers.insert(Router::new(id))),
            Command::CloseRouter { router } => {
                self.close_router(now, router, out);
                Reply::Done
            }
            Command::SetLoudest { router, count } => self.set_loudest(now, router, count)?,
            Command::SetAudioLevels { router, options } => self.set_audio_levels(router, options)?,
            Command::CreateTransport { id, router } => self.create_transport(now, id, router)?,
            Command::ConnectTransport { transport, remote } => self.connect_transport(now, transport, remote, out)?,
            Command::RestartIce { transport } => self.restart_ice(transport)?,
            Command::CloseTransport { transport } => {
                self.say_goodbye(now, transport, out);
                self.close_transport(transport);
                Reply::Done
            }
            Command::Produce { transport, spec } => self.produce(now, transport, &spec)?,
            Command::PauseProducer { producer, paused } => self.pause_producer(now, producer, paused)?,
            Command::CloseProducer { producer } => {
                self.close_producer(producer, true);
                Reply::Done
            }
            Command::Consume { transport, specs } => {
                let mut results = Vec::with_capacity(specs.len());
                for spec in specs {
                    results.push(self.consume(now, transport, spec));
                }
                Reply::Consumers(results)
            }
            Command::PauseConsumer { consumer, paused } => self.pause_consumer(now, consumer, paused)?,
            Command::SetPreferredLayers { consumer, spatial, temporal } => {
                let layer = Layer { spatial, temporal: temporal.unwrap_or(u8::MAX) };
                self.set_preferred(now, consumer, layer)?
            }
            Command::SetViewport { transport, tiles } => self.set_viewport(now, transport, &tiles)?,
            Command::RequestKeyFrame { consumer } => {
                self.consumers.get(consumer).ok_or(CommandError::NoConsumer)?;
                self.want_key_frames(now, consumer, true);
                Reply::Done
            }
            Command::CloseConsumer { consumer } => {
                self.close_consumer(consumer, false);
                Reply::Done
            }
            Command::Trace { target, kinds } => self.trace(target, kinds)?,
            Command::Drops => Reply::Drops(self.drops),
            Command::Totals => Reply::Totals(Box::new(self.totals())),
            Command::TransportStats { transport } => self.transport_stats(now, transport)?,
            Command::ProducerStats { producer } => self.producer_stats(now, producer)?,
            Command::ConsumerStats { consumer } => self.consumer_stats(now, consumer)?,
        };
        self.send_key_frame_requests(now, out);
        Ok(reply)
    }

    fn create_transport(&mut self, now: Instant, id: ObjectId, router: Key<Router>) -> Result<Reply, CommandError> {
        self.routers.get(router).ok_or(CommandError::NoRouter)?;
        let credentials = self.fresh_credentials();
        let ice = Ice::new(credentials.clone(), self.consent_timeout);
        let dtls = DtlsSession::new(self.dtls.clone());
        let rtcp_ssrc = Ssrc::new(self.rng.random());
        let mut transport = WebRtcTransport::new(now, id, router, (ice, dtls), rtcp_ssrc);
        transport.trace = self.traced_in(router);
        let key = self.transports.insert(transport);
        self.by_ufrag.insert(credentials.ufrag.clone(), key);
        if let Some(router) = self.routers.get_mut(router) {
            router.transports.push(key);
        }
        Ok(Reply::Transport(key, credentials))
    }

    /// Credentials whose ufrag no transport has: checks are told apart by it.
    fn fresh_credentials(&mut self) -> Credentials {
        loop {
            let credentials = Credentials::generate(&mut self.rng);
            if !self.by_ufrag.contains_key(&credentials.ufrag) {
                return credentials;
            }
        }
    }

    fn connect_transport(
        &mut self,
        now: Instant,
        key: Key<WebRtcTransport>,
        remote: RemoteDtls,
        out: &mut Outbox,
    ) -> Result<Reply, CommandError> {
        let transport = self.transports.get_mut(key).ok_or(CommandError::NoTransport)?;
        if transport.dtls.is_started() {
            return Err(CommandError::AlreadyConnected);
        }
        transport.dtls.start(now, remote);
        self.trace_transport(now, key, TraceKinds::CONNECTION, TraceEvent::Dtls(DtlsState::Connecting));
        self.poll_dtls(now, key, out);
        self.rearm(key);
        Ok(Reply::Done)
    }

    fn restart_ice(&mut self, key: Key<WebRtcTransport>) -> Result<Reply, CommandError> {
        self.transports.get(key).ok_or(CommandError::NoTransport)?;
        let credentials = self.fresh_credentials();
        let transport = self.transports.get_mut(key).ok_or(CommandError::NoTransport)?;
        if let Some(old) = transport.ice.restart(credentials.clone()) {
            self.by_ufrag.remove(&old);
        }
        self.by_ufrag.insert(credentials.ufrag.clone(), key);
        Ok(Reply::Ice(credentials))
    }

    fn produce(&mut self, now: Instant, key: Key<WebRtcTransport>, spec: &ProducerSpec) -> Result<Reply, CommandError> {
        let epoch = self.epoch;
        let transport = self.transports.get_mut(key).ok_or(CommandError::NoTransport)?;
        transport.check_producer(spec)?;
        let (router, producer) =
            (transport.router, self.producers.insert(Producer::new(now, transport.router, key, spec)));
        transport.add_producer(producer, spec, epoch);
        let kinds = self.traced_in(router);
        self.producers.get_mut(producer).into_iter().for_each(|producer| producer.trace = kinds);
        self.update_microphone(producer);
        Ok(Reply::Producer(producer))
    }

    fn pause_producer(&mut self, now: Instant, key: Key<Producer>, paused: bool) -> Result<Reply, CommandError> {
        let producer = self.producers.get_mut(key).ok_or(CommandError::NoProducer)?;
        producer.paused = paused;
        self.aim_audience(now, key);
        self.update_microphone(key);
        Ok(Reply::Done)
    }

    fn consume(
        &mut self,
        now: Instant,
        key: Key<WebRtcTransport>,
        spec: ConsumerSpec,
    ) -> Result<(Key<Consumer>, bool), CommandError> {
        let transport = self.transports.get_mut(key).ok_or(CommandError::NoTransport)?;
        let producer = self.producers.get_mut(spec.producer).ok_or(CommandError::NoProducer)?;
        if producer.router != transport.router {
            return Err(CommandError::OtherRouter);
        }
        transport.check_consumer([Some(spec.ssrc), spec.rtx_ssrc])?;
        // Far from the wrap, so that no roll-over is ambiguous at the start (RFC 3711 §3.3.1).
        let first = [0; 2].map(|_| ExtSeqNo::new(self.rng.random_range(1..1 << 14)));
        let (ssrc, rtx_ssrc) = (spec.ssrc, spec.rtx_ssrc);
        let mut consumer = Consumer::new(now, key, producer, spec, (first[0], first[1]));
        let (limits, is_transport_wide) = (self.bitrate_limits, consumer.is_transport_wide());
        if is_transport_wide {
            // The smallest is there soonest; what more the link carries is found out in this turn.
            consumer.set_share(Share::UpTo(Layer { spatial: 0, temporal: u8::MAX }));
        }
        consumer.trace = self.routers.get(transport.router).map(|router| router.tracer.kinds).unwrap_or_default();
        let producer_paused = producer.paused;
        let consumer = self.consumers.insert(consumer);
        producer.audience.push(consumer);
        transport.add_consumer(consumer, ssrc, rtx_ssrc);
        if is_transport_wide {
            transport.downlink.get_or_insert_with(|| Box::new(Downlink::new(now, limits)));
        }
        self.aim(now, consumer);
        self.share_soon(now, key);
        Ok((consumer, producer_paused))
    }

    fn pause_consumer(&mut self, now: Instant, key: Key<Consumer>, paused: bool) -> Result<Reply, CommandError> {
        let consumer = self.consumers.get_mut(key).ok_or(CommandError::NoConsumer)?;
        consumer.set_paused(paused);
        let transport = consumer.transport;
        self.aim(now, key);
        self.share_soon(now, transport);
        Ok(Reply::Done)
    }

    fn set_preferred(&mut self, now: Instant, key: Key<Consumer>, layer: Layer) -> Result<Reply, CommandError> {
        let consumer = self.consumers.get_mut(key).ok_or(CommandError::NoConsumer)?;
        consumer.set_preferred(layer);
        let transport = consumer.transport;
        self.aim(now, key);
        self.share_soon(now, transport);
        Ok(Reply::Done)
    }

    fn set_viewport(&mut self, now: Instant, key: Key<WebRtcTransport>, tiles: &[Tile]) -> Result<Reply, CommandError> {
        let transport = self.transports.get(key).ok_or(CommandError::NoTransport)?;
        for consumer_key in transport.consumers.clone() {
            let Some(consumer) = self.consumers.get_mut(consumer_key) else { continue };
            let is_video = self.producers.get(consumer.spec.producer).is_some_and(|p| p.kind() == MediaKind::Video);
            if !is_video {
                continue;
            }
            let tile = tiles.iter().find(|tile| tile.consumer == consumer_key);
            let view =
                tile.map_or(View::Hidden, |&Tile { width, height, pinned, .. }| View::Shown { width, height, pinned });
            if consumer.view() != view {
                consumer.set_view(view);
                self.aim(now, consumer_key);
            }
        }
        self.share_soon(now, key);
        Ok(Reply::Done)
    }
}

/// Closing: after `close_x`, no key of `x` resolves anywhere.
impl Worker {
    fn close_router(&mut self, now: Instant, key: Key<Router>, out: &mut Outbox) {
        let Some(router) = self.routers.remove(key) else { return };
        for transport in router.transports {
            self.say_goodbye(now, transport, out);
            self.close_transport(transport);
        }
        self.events.push(router.id, EventKind::RouterClosed);
    }

    /// Closes every router, and says good-bye to every peer.
    pub fn close_all(&mut self, now: Instant, out: &mut Outbox) {
        let routers: Vec<_> = self.routers.iter().map(|(key, _)| key).collect();
        for router in routers {
            self.close_router(now, router, out);
        }
    }

    fn say_goodbye(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(path) = transport.ice.selected() else { return };
        transport.dtls.close(now, &mut |bytes: &[u8]| out.push(path, key.index(), bytes));
    }

    fn close_transport(&mut self, key: Key<WebRtcTransport>) {
        let Some(transport) = self.transports.get(key) else { return };
        let (producers, consumers) = (transport.producers.clone(), transport.consumers.clone());
        for producer in producers {
            self.announce_producer_closed(producer);
            self.close_producer(producer, true);
        }
        for consumer in consumers {
            self.close_consumer(consumer, false);
        }
        let Some(transport) = self.transports.remove(key) else { return };
        self.retire_transport(&transport);
        for path in transport.ice.paths() {
            if self.by_path.get(&path) == Some(&key) {
                self.by_path.remove(&path);
            }
        }
        for ufrag in transport.ice.ufrags() {
            self.by_ufrag.remove(ufrag);
        }
        if let Some(router) = self.routers.get_mut(transport.router) {
            router.transports.retain(|&other| other != key);
        }
    }

    fn announce_producer_closed(&mut self, key: Key<Producer>) {
        if let Some(producer) = self.producers.get(key)
            && let Some(router) = self.routers.get(producer.router)
        {
            self.events.push(router.id, EventKind::ProducerClosed(producer.id));
        }
    }

    fn close_producer(&mut self, key: Key<Producer>, announce: bool) {
        let Some(producer) = self.producers.remove(key) else { return };
        self.retire_producer(&producer);
        if let (Some(mic), Some(router)) = (producer.microphone, self.routers.get_mut(producer.router)) {
            router.speakers.remove(mic);
        }
        for consumer in producer.audience {
            self.close_consumer(consumer, announce);
        }
        if let Some(transport) = self.transports.get_mut(producer.transport) {
            transport.remove_producer(key);
        }
    }

    fn close_consumer(&mut self, key: Key<Consumer>, announce: bool) {
        let Some(consumer) = self.consumers.remove(key) else { return };
        self.retire_consumer(&consumer);
        if announce && let Some(router) = self.routers.get(consumer.router) {
            self.events.push(router.id, EventKind::ConsumerClosed(consumer.id));
        }
        if let Some(producer) = self.producers.get_mut(consumer.spec.producer) {
            producer.audience.retain(|&other| other != key);
        }
        if let Some(transport) = self.transports.get_mut(consumer.transport) {
            transport.remove_consumer(key);
        }
    }

    /// Panics unless every relation between objects leads both ways and every key resolves. For tests.
    pub fn check(&self) {
        for (key, transport) in self.transports.iter() {
            let router = self.routers.get(transport.router).expect("a transport has a router");
            assert!(router.transports.contains(&key), "its router knows the transport");
            for producer in &transport.producers {
                let producer = self.producers.get(*producer).expect("its producers live");
                assert_eq!(producer.transport, key);
            }
            for consumer in &transport.consumers {
                let consumer = self.consumers.get(*consumer).expect("its consumers live");
                assert_eq!(consumer.transport, key);
            }
            for path in transport.ice.paths() {
                assert_eq!(self.by_path.get(&path), Some(&key), "its paths lead to it");
            }
            for ufrag in transport.ice.ufrags() {
                assert_eq!(self.by_ufrag.get(ufrag), Some(&key), "its ufrags lead to it");
            }
        }
        for (_, router) in self.routers.iter() {
            assert!(router.transports.iter().all(|&key| self.transports.get(key).is_some()));
        }
        let mut microphones = 0;
        for (key, producer) in self.producers.iter() {
            let transport = self.transports.get(producer.transport).expect("its transport lives");
            assert!(transport.producers.contains(&key));
            assert!(producer.audience.iter().all(|&key| self.consumers.get(key).is_some()));
            if let Some(mic) = producer.microphone {
                let router = self.routers.get(producer.router).expect("its router lives");
                assert_eq!(router.speakers.producer(mic), Some(producer.id), "its router hears it");
                microphones += 1;
            }
        }
        let heard: usize = self.routers.iter().map(|(_, router)| router.speakers.len()).sum();
        assert_eq!(heard, microphones, "every microphone belongs to a producer");
        for (key, consumer) in self.consumers.iter() {
            let transport = self.transports.get(consumer.transport).expect("its transport lives");
            assert!(transport.consumers.contains(&key));
            let producer = self.producers.get(consumer.spec.producer).expect("its producer lives");
            assert!(producer.audience.contains(&key));
        }
        let paths: usize = self.transports.iter().map(|(_, t)| t.ice.paths().count()).sum();
        assert_eq!(self.by_path.len(), paths, "every path belongs to a transport");
        let ufrags: usize = self.transports.iter().map(|(_, t)| t.ice.ufrags().count()).sum();
        assert_eq!(self.by_ufrag.len(), ufrags, "every ufrag belongs to a transport");
    }

    /// Where the transport sends to; for tests and logs of the driver.
    pub fn selected_peer(&self, key: Key<WebRtcTransport>) -> Option<SocketAddr> {
        self.transports.get(key)?.ice.selected().map(|path| path.peer)
    }
}
