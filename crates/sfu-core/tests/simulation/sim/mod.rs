//! A whole room in one thread and in no time: one worker, bots, and links between them, driven by one seed.

mod bottleneck;
mod clock;
mod link;
mod peer;
mod room;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bot::{DtlsRole, Pair, PeerConfig, Remote, RemoteIce};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sfu_core::{
    BitrateLimits, Command, CommandError, Datagram, Event, EventKind, FingerprintHash, Key, ObjectId, Outbox, Path,
    RemoteDtls, Reply, Router, Settings, WebRtcTransport, Worker,
};
use wire::{PacketKind, classify};

pub(crate) use self::bottleneck::{Bottleneck, Narrow};
use self::clock::{Clock, UNIX_START};
pub(crate) use self::link::{Conditions, Link, Tally};
pub(crate) use self::peer::{Dialect, PeerId, SimPeer};

/// The worker's address.
pub(crate) const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 10_000);

/// Turns without time going on, after which something asks for attention in vain.
const MAX_IDLE_TURNS: u32 = 10_000;

/// A worker with more objects than this is not checked after every step: it would take too long.
const MAX_CHECKED_OBJECTS: usize = 30;

pub(crate) const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Seeds to run: those that failed once, which stay for ever, and `count` more from `first` on. `SIM_SEEDS=100` in the
/// environment runs a hundred times as many.
pub(crate) fn seeds(once_failed: &[u64], first: u64, count: u64) -> impl Iterator<Item = u64> {
    let factor = std::env::var("SIM_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    once_failed.iter().copied().chain(first..first + count * factor)
}

/// A datagram on its way.
struct Flight {
    at: Instant,
    /// Breaks ties: what was sent first arrives first.
    number: u64,
    to_worker: bool,
    path: Path,
    bytes: Vec<u8>,
}

impl Flight {
    fn order(&self) -> (Instant, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Flight {}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Flight {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

/// A simulation.
pub(crate) struct Sim {
    seed: u64,
    pub(crate) rng: StdRng,
    clock: Clock,
    pub(crate) worker: Worker,
    out: Outbox,
    pub(crate) router: Key<Router>,
    certificate: bot::DtlsCertificate,
    peers: Vec<SimPeer>,
    by_public: BTreeMap<SocketAddr, PeerId>,
    flights: BinaryHeap<Reverse<Flight>>,
    next_number: u64,
    next_id: u128,
    next_port: u16,
    events: Vec<Event>,
    /// Who speaks and how loud, as the worker told it.
    audio_events: Vec<EventKind>,
    /// Of everything that was sent: when, where to, how much.
    digest: u64,
    /// Allocations that the worker made.
    allocations: u64,
    /// Packets that the worker sent.
    sent: u64,
}

impl Sim {
    /// A simulation whose every chance comes from `seed`, with one router.
    /// The links of its viewers are believed to carry everything.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self::with_limits(seed, BitrateLimits { min: 100_000_000, start: 100_000_000, max: 100_000_000 })
    }

    /// The same, where what a link carries is estimated within `bitrate_limits`.
    pub(crate) fn with_limits(seed: u64, bitrate_limits: BitrateLimits) -> Self {
        let clock = Clock::new();
        let mut rng = StdRng::seed_from_u64(seed);
        let certificate = bot::generate_self_signed_certificate().expect("a certificate can be made");
        let settings = Settings {
            now: clock.now(),
            unix_now: UNIX_START,
            consent_timeout: seconds(30),
            bitrate_limits,
            certificate: certificate.clone(),
        };
        let mut worker = Worker::replayable(settings, rng.random()).expect("the settings are right");
        let mut out = Outbox::new();
        let router = worker.handle_command(clock.now(), Command::CreateRouter { id: ObjectId(1) }, &mut out);
        let Ok(Reply::Router(router)) = router else { unreachable!("CreateRouter is answered by Router") };
        Self {
            seed,
            rng,
            clock,
            worker,
            out,
            router,
            certificate,
            peers: Vec::new(),
            by_public: BTreeMap::new(),
            flights: BinaryHeap::new(),
            next_number: 0,
            next_id: 1,
            next_port: 20_000,
            events: Vec::new(),
            audio_events: Vec::new(),
            digest: 0xCBF2_9CE4_8422_2325,
            allocations: 0,
            sent: 0,
        }
    }

    /// What to say when an expectation fails.
    pub(crate) fn replay_hint(&self) -> String {
        format!("Sim::seeded({}) at {:?}", self.seed, self.clock.elapsed())
    }

    /// Everything that was sent so far, in one number.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    /// Allocations that the worker made so far, and packets that it sent.
    pub(crate) fn allocations_and_sent(&self) -> (u64, u64) {
        (self.allocations, self.sent)
    }

    /// Events of the worker since the last call, but for those about voices.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// What the worker told about voices since the last call.
    pub(crate) fn take_audio_events(&mut self) -> Vec<EventKind> {
        std::mem::take(&mut self.audio_events)
    }

    pub(crate) fn peer(&self, id: PeerId) -> &SimPeer {
        &self.peers[id.0]
    }

    pub(crate) fn peer_mut(&mut self, id: PeerId) -> &mut SimPeer {
        &mut self.peers[id.0]
    }

    pub(crate) fn peer_count(&self) -> usize {
        self.peers.len()
    }

    pub(crate) fn fresh_id(&mut self) -> ObjectId {
        self.next_id += 1;
        ObjectId(self.next_id)
    }

    /// An address that nobody had before.
    pub(crate) fn fresh_address(&mut self) -> SocketAddr {
        self.next_port += 1;
        SocketAddr::from(([10, 0, 0, 1], self.next_port))
    }
}

/// Participants.
impl Sim {
    /// Somebody comes: signals, and begins to connect.
    pub(crate) fn join(&mut self, conditions: Conditions) -> PeerId {
        self.join_as(conditions, DtlsRole::Client)
    }

    pub(crate) fn join_as(&mut self, conditions: Conditions, role: DtlsRole) -> PeerId {
        let address = self.fresh_address();
        let config = PeerConfig {
            now: self.clock.now(),
            unix_now: UNIX_START + self.clock.elapsed(),
            seed: self.rng.random(),
            locals: vec![address],
            role,
            certificate: self.certificate.clone(),
        };
        let mut bot = bot::Peer::new(config);
        let (id, router) = (self.fresh_id(), self.router);
        let Reply::Transport(transport, credentials) = self.command(Command::CreateTransport { id, router }) else {
            unreachable!("CreateTransport is answered by Transport")
        };
        let remote = RemoteDtls {
            role: match role {
                DtlsRole::Client => sfu_core::DtlsRole::Client,
                DtlsRole::Server => sfu_core::DtlsRole::Server,
            },
            fingerprints: vec![(FingerprintHash::Sha256, bot.fingerprint())],
        };
        self.command(Command::ConnectTransport { transport, remote });
        let mut out = bot::Output::new();
        let server_ufrag = credentials.ufrag.clone();
        let ice = RemoteIce { ufrag: credentials.ufrag, password: credentials.password, candidates: vec![SERVER] };
        let fingerprints = vec![FingerprintHash::Sha256.of(&self.certificate.certificate)];
        bot.connect(self.clock.now(), Remote { ice, fingerprints }, &mut out).expect("DTLS can be configured");
        let id = PeerId(self.peers.len());
        self.by_public.insert(address, id);
        let dialect = if id.0.is_multiple_of(2) { Dialect::Chromium } else { Dialect::Firefox };
        self.peers.push(SimPeer {
            bot,
            out,
            transport,
            server_ufrag,
            address,
            public: address,
            up: Link::new(conditions, self.rng.random()),
            down: Link::new(conditions, self.rng.random()),
            published: Vec::new(),
            watched: Vec::new(),
            events: Vec::new(),
            dialect,
        });
        self.flush_peer(id);
        id
    }

    /// Changes what the network does to a participant's datagrams, in both directions.
    pub(crate) fn set_link(&mut self, id: PeerId, conditions: Conditions) {
        let peer = self.peer_mut(id);
        peer.up.conditions = conditions;
        peer.down.conditions = conditions;
    }

    /// What is sent to a participant has to pass here from now on.
    pub(crate) fn narrow(&mut self, id: PeerId, narrow: Narrow) {
        let down = &mut self.peer_mut(id).down;
        match &mut down.bottleneck {
            Some(bottleneck) => bottleneck.narrow = narrow,
            None => down.bottleneck = Some(Bottleneck::new(narrow)),
        }
    }

    /// The participant has another address from now on and knows it.
    pub(crate) fn move_peer(&mut self, id: PeerId) -> SocketAddr {
        let address = self.rebind(id);
        let now = self.clock.now();
        let peer = self.peer_mut(id);
        peer.address = address;
        peer.bot.set_locals(now, vec![address], &mut peer.out);
        self.flush_peer(id);
        address
    }

    /// The world sees the participant under another address from now on; it does not know.
    pub(crate) fn rebind(&mut self, id: PeerId) -> SocketAddr {
        let address = self.fresh_address();
        let old = std::mem::replace(&mut self.peer_mut(id).public, address);
        self.by_public.remove(&old);
        self.by_public.insert(address, id);
        address
    }

    /// The participant is gone without a word.
    pub(crate) fn vanish(&mut self, id: PeerId) {
        let public = self.peer(id).public;
        self.by_public.remove(&public);
        self.peer_mut(id).up.conditions.loss = 1.1;
    }

    /// Has a bot do something now.
    pub(crate) fn with_bot<T>(
        &mut self,
        id: PeerId,
        act: impl FnOnce(&mut bot::Peer, Instant, &mut bot::Output) -> T,
    ) -> T {
        let now = self.clock.now();
        let peer = self.peer_mut(id);
        let result = act(&mut peer.bot, now, &mut peer.out);
        self.flush_peer(id);
        result
    }

    /// Sends bytes to the worker from an address, at once.
    pub(crate) fn inject(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.deliver_to_worker(path(from), bytes.to_vec());
    }
}

/// The loop.
impl Sim {
    /// Lets simulated time go by.
    pub(crate) fn run_for(&mut self, time: Duration) {
        let end = self.clock.now() + time;
        self.run_until(end, |_| false);
    }

    /// Runs until `done`, at most until `time` has gone by; whether it was done.
    pub(crate) fn run_while_not(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.clock.now() + time;
        self.run_until(end, done)
    }

    fn run_until(&mut self, end: Instant, done: impl Fn(&Self) -> bool) -> bool {
        let mut idle_turns = 0;
        while !done(self) {
            let next = self.next_at().filter(|&at| at <= end);
            let Some(next) = next else {
                self.clock.advance_to(end);
                return done(self);
            };
            idle_turns = if next > self.clock.now() { 0 } else { idle_turns + 1 };
            assert!(idle_turns < MAX_IDLE_TURNS, "time stands still: {}", self.replay_hint());
            self.clock.advance_to(next);
            self.turn();
        }
        true
    }

    fn next_at(&self) -> Option<Instant> {
        let flight = self.flights.peek().map(|Reverse(flight)| flight.at);
        let peers = self.peers.iter().filter_map(|peer| peer.bot.poll_timeout());
        peers.chain(flight).chain(self.worker.poll_timeout()).min()
    }

    /// Everything whose time has come, once: what arrives, then the worker's deadlines, then the bots'.
    fn turn(&mut self) {
        let now = self.clock.now();
        while let Some(Reverse(flight)) = self.flights.peek()
            && flight.at <= now
        {
            let Some(Reverse(flight)) = self.flights.pop() else { break };
            if flight.to_worker {
                if let (Some(id), PacketKind::Rtp | PacketKind::Rtcp) =
                    (self.by_public.get(&flight.path.peer), classify(&flight.bytes))
                {
                    self.peers[id.0].up.delivered.note(flight.bytes.len(), false);
                }
                self.deliver_to_worker(flight.path, flight.bytes);
            } else {
                self.deliver_to_peer(flight.path, flight.bytes);
            }
        }
        if self.worker.poll_timeout().is_some_and(|at| at <= now) {
            self.with_worker(|worker, now, out| worker.handle_timeout(now, out));
        }
        for index in 0..self.peers.len() {
            if self.peers[index].bot.poll_timeout().is_some_and(|at| at <= now) {
                self.with_bot(PeerId(index), |bot, now, out| bot.handle_timeout(now, out));
            }
        }
    }

    fn deliver_to_worker(&mut self, path: Path, mut bytes: Vec<u8>) {
        self.with_worker(|worker, now, out| {
            worker.handle_datagram(now, Datagram { path, received_at: now, bytes: &mut bytes }, out);
        });
    }

    fn deliver_to_peer(&mut self, path: Path, mut bytes: Vec<u8>) {
        // Nobody is there any more.
        let Some(&id) = self.by_public.get(&path.peer) else { return };
        let pair = Pair { local: self.peer(id).address, remote: SERVER };
        self.with_bot(id, |bot, now, out| bot.handle_datagram(now, pair, &mut bytes, out));
    }

    /// Has the worker do something, counts its allocations, and lets its output leave.
    pub(crate) fn with_worker<T>(&mut self, act: impl FnOnce(&mut Worker, Instant, &mut Outbox) -> T) -> T {
        let Self { worker, out, .. } = self;
        let now = self.clock.now();
        let mut result = None;
        let counted = allocation_counter::measure(|| result = Some(act(worker, now, out)));
        self.allocations += counted.count_total;
        self.flush_worker();
        if self.worker.object_counts().iter().sum::<usize>() <= MAX_CHECKED_OBJECTS {
            self.worker.check();
        }
        while let Some(event) = self.worker.poll_event() {
            // These go on and on, and say nothing of the objects.
            if matches!(event.kind, EventKind::ActiveSpeaker(_) | EventKind::AudioLevels(_)) {
                self.audio_events.push(event.kind);
            } else {
                self.events.push(event);
            }
        }
        result.expect("set by the closure")
    }

    fn flush_worker(&mut self) {
        let out = std::mem::take(&mut self.out);
        for (path, bytes) in out.datagrams() {
            self.note(&path, bytes);
            self.sent += u64::from(classify(bytes) == PacketKind::Rtp);
            if let Some(&id) = self.by_public.get(&path.peer) {
                let arrivals = self.peers[id.0].down.carry(self.clock.now(), bytes);
                self.launch(arrivals, false, path, bytes);
            }
        }
        self.out = out;
        self.out.clear();
    }

    fn flush_peer(&mut self, id: PeerId) {
        let peer = &mut self.peers[id.0];
        let out = std::mem::take(&mut peer.out);
        let path = path(peer.public);
        while let Some(event) = peer.bot.poll_event() {
            peer.events.push(event);
        }
        for (_, bytes) in out.datagrams() {
            let arrivals = self.peers[id.0].up.carry(self.clock.now(), bytes);
            self.launch(arrivals, true, path, bytes);
        }
        let peer = &mut self.peers[id.0];
        peer.out = out;
        peer.out.clear();
    }

    fn launch(&mut self, arrivals: [Option<Instant>; 2], to_worker: bool, path: Path, bytes: &[u8]) {
        for at in arrivals.into_iter().flatten() {
            let number = self.next_number;
            self.next_number += 1;
            self.flights.push(Reverse(Flight { at, number, to_worker, path, bytes: bytes.to_vec() }));
        }
    }

    /// Takes a datagram of the worker into the digest. The sizes of DTLS records are left out: signatures differ in
    /// length by chance, which is the system's.
    fn note(&mut self, path: &Path, bytes: &[u8]) {
        let micros = self.clock.since_start(self.clock.now()).as_micros() as u64;
        let len = if classify(bytes) == PacketKind::Dtls { 0 } else { bytes.len() as u64 };
        for word in [micros, u64::from(path.peer.port()), len] {
            self.digest = (self.digest ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(23);
        }
    }
}

/// Commands.
impl Sim {
    /// A command that must succeed.
    pub(crate) fn command(&mut self, command: Command) -> Reply {
        self.try_command(command).unwrap_or_else(|error| panic!("{error}: {}", self.replay_hint()))
    }

    pub(crate) fn try_command(&mut self, command: Command) -> Result<Reply, CommandError> {
        self.with_worker(|worker, now, out| worker.handle_command(now, command, out))
    }

    /// The address that the worker sends a participant's packets to.
    pub(crate) fn selected_peer(&self, transport: Key<WebRtcTransport>) -> Option<SocketAddr> {
        self.worker.selected_peer(transport)
    }
}

fn path(peer: SocketAddr) -> Path {
    Path { socket: 0, local: SERVER.ip(), peer }
}
