//! The loop of one worker thread: commands, datagrams and time in, datagrams and events out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use net::{Inbox, Outgoing, Poller, Sender, UdpSocket};
use rand::rngs::StdRng;
use sfu_core::{BitrateLimits, Datagram, DtlsCertificate, EventKind, ObjectId, Outbox, Path, Worker};
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use crate::link::{Answer, Incarnation, Inlet, Load, Request, Undo};
use crate::operation;
use crate::router::{MAX_EVENTS, RouterEvent};

/// Datagrams taken from one socket in one turn.
const RECEIVE_BATCH: usize = 64;

/// Datagrams in one system call for sending.
const SEND_BATCH: usize = 64;

/// Receive batches from one socket before commands and time get their turn.
const MAX_BATCHES_PER_TURN: usize = 8;

/// Commands answered in one turn.
const MAX_COMMANDS_PER_TURN: usize = 64;

/// How often the figures of a worker that drops datagrams are logged, at most.
const DROP_LOG_INTERVAL: Duration = Duration::from_secs(10);

/// A worker that failed is not started again sooner than this after its start.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// What a worker thread is started with.
pub(crate) struct Start {
    pub(crate) index: usize,
    pub(crate) sockets: Vec<UdpSocket>,
    pub(crate) poller: Poller,
    pub(crate) inlet: Inlet,
    pub(crate) certificate: DtlsCertificate,
    pub(crate) consent_timeout: Duration,
    pub(crate) bitrate_limits: BitrateLimits,
    /// Where the system tells of this thread, once it runs.
    pub(crate) folder: Arc<OnceLock<Option<PathBuf>>>,
}

/// Who is told of the events of one router.
struct Subscriber {
    router: ObjectId,
    events: mpsc::Sender<RouterEvent>,
}

/// Why the loop ended without a panic.
enum End {
    Stopped,
    Broken(std::io::Error),
}

/// Runs a worker until it is stopped. A panic ends the worker's objects, not the thread: the next
/// incarnation takes over the sockets.
pub(crate) fn run(start: Start) {
    start.folder.get_or_init(operation::this_thread);
    let mut thread = Thread {
        index: start.index,
        sockets: start.sockets,
        poller: start.poller,
        inlet: start.inlet,
        subscribers: Vec::new(),
        inbox: Inbox::new(RECEIVE_BATCH),
        sender: Sender::new(SEND_BATCH),
        unsent: 0,
        unsent_logged_at: None,
    };
    loop {
        let (incarnation, began) = (thread.inlet.incarnation(), Instant::now());
        let worker = match new_worker(&start.certificate, start.consent_timeout, start.bitrate_limits) {
            Ok(worker) => worker,
            Err(error) => {
                error!(worker = start.index, %error, "media worker cannot start");
                break;
            }
        };
        let result = catch_unwind(AssertUnwindSafe(|| thread.run_incarnation(worker, incarnation)));
        let died = !matches!(result, Ok(End::Stopped));
        thread.end_incarnation(died);
        match result {
            Ok(End::Stopped) => break,
            Ok(End::Broken(error)) => {
                error!(worker = start.index, %error, "media worker's sockets failed, starting anew");
            }
            Err(_) => error!(worker = start.index, "media worker panicked, starting anew"),
        }
        // One that fails at once would otherwise fill the log and a core.
        std::thread::sleep(SHORTEST_LIFE.saturating_sub(began.elapsed()));
    }
    info!(worker = start.index, "media worker stopped");
}

fn new_worker(
    certificate: &DtlsCertificate,
    consent_timeout: Duration,
    bitrate_limits: BitrateLimits,
) -> Result<Worker, sfu_core::SetupError> {
    let settings = sfu_core::Settings {
        now: Instant::now(),
        unix_now: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        consent_timeout,
        certificate: certificate.clone(),
        bitrate_limits,
    };
    Worker::new(settings, rand::make_rng::<StdRng>())
}

struct Thread {
    index: usize,
    sockets: Vec<UdpSocket>,
    poller: Poller,
    inlet: Inlet,
    subscribers: Vec<Subscriber>,
    inbox: Inbox,
    sender: Sender,
    /// Datagrams the kernel did not take since the last log line.
    unsent: usize,
    unsent_logged_at: Option<Instant>,
}

impl Thread {
    fn run_incarnation(&mut self, mut worker: Worker, incarnation: Incarnation) -> End {
        let mut out = Outbox::new();
        loop {
            let now = Instant::now();
            let timeout = worker.poll_timeout().map(|at| at.saturating_duration_since(now));
            let timeout = if self.inlet.is_empty() { timeout } else { Some(Duration::ZERO) };
            if let Err(error) = self.poller.wait(timeout) {
                return End::Broken(error);
            }
            // The only clock of this turn.
            let now = Instant::now();
            for _ in 0..MAX_COMMANDS_PER_TURN {
                let Some(request) = self.inlet.take() else { break };
                if !self.answer(now, request, incarnation, &mut worker, &mut out) {
                    self.send(&mut out, now);
                    return End::Stopped;
                }
            }
            if let Err(error) = self.receive(now, &mut worker, &mut out) {
                return End::Broken(error);
            }
            worker.handle_timeout(now, &mut out);
            self.send(&mut out, now);
            self.publish(&mut worker);
        }
    }

    fn receive(&mut self, now: Instant, worker: &mut Worker, out: &mut Outbox) -> std::io::Result<()> {
        for index in 0..self.sockets.len() {
            for _ in 0..MAX_BATCHES_PER_TURN {
                let count = self.inbox.receive(&self.sockets[index], now)?;
                for received in self.inbox.datagrams() {
                    let path = Path { socket: index as u16, local: received.local, peer: received.peer };
                    let datagram = Datagram { path, received_at: received.received_at, bytes: received.bytes };
                    worker.handle_datagram(now, datagram, out);
                    if out.is_large() {
                        self.unsent += send(&mut self.sender, &self.sockets, out);
                    }
                }
                if count < RECEIVE_BATCH {
                    break;
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, out: &mut Outbox, now: Instant) {
        self.unsent += send(&mut self.sender, &self.sockets, out);
        let is_time = self.unsent_logged_at.is_none_or(|at| now.saturating_duration_since(at) >= DROP_LOG_INTERVAL);
        if self.unsent > 0 && is_time {
            warn!(
                worker = self.index,
                datagrams = self.unsent,
                "the kernel did not take all datagrams; raise net.core.wmem_max or lower the load"
            );
            self.unsent = 0;
            self.unsent_logged_at = Some(now);
        }
    }

    /// Answers one request; `false` means to stop.
    fn answer(
        &mut self,
        now: Instant,
        request: Request,
        incarnation: Incarnation,
        worker: &mut Worker,
        out: &mut Outbox,
    ) -> bool {
        match request {
            Request::Stop => {
                worker.close_all(now, out);
                return false;
            }
            Request::Fail => panic!("a failure was asked for, to test the replacement of a worker"),
            Request::Subscribe { router, events } => {
                self.subscribers.push(Subscriber { router, events });
            }
            Request::Command { of, .. } | Request::Close { of, .. } if of != incarnation => {
                // Of a worker that is no more: its keys mean nothing here. A dropped answer tells.
            }
            Request::Close { command, .. } => {
                // What is closed already stays so; nobody waits for an answer.
                let _ = worker.handle_command(now, command, out);
                self.inlet.note_load(Load::of(worker));
            }
            Request::Command { command, answer, .. } => {
                let result = worker.handle_command(now, command, out);
                let undo = result.as_ref().ok().and_then(Undo::of).map(|u| self.inlet.guard(u));
                // An answer that nobody waits for any more undoes what was made, on its drop.
                let _ = answer.send(Answer { result, undo });
                self.inlet.note_load(Load::of(worker));
            }
        }
        true
    }

    fn publish(&mut self, worker: &mut Worker) {
        while let Some(event) = worker.poll_event() {
            let Some(index) = self.subscribers.iter().position(|subscriber| subscriber.router == event.router) else {
                continue;
            };
            let event: RouterEvent = match event.kind {
                EventKind::TransportConnected(id) => RouterEvent::TransportConnected { transport: id.into() },
                EventKind::TransportClosed(id, reason) => RouterEvent::TransportClosed { transport: id.into(), reason },
                EventKind::ProducerClosed(id) => RouterEvent::ProducerClosed { producer: id.into() },
                EventKind::ConsumerClosed(id) => RouterEvent::ConsumerClosed { consumer: id.into() },
                EventKind::ConsumerLayers(id, layer, reason) => {
                    RouterEvent::ConsumerLayers { consumer: id.into(), layer, reason }
                }
                EventKind::PublishLayers(id, active) => RouterEvent::PublishLayers { producer: id.into(), active },
                EventKind::Bandwidth(id, bandwidth) => RouterEvent::Bandwidth { transport: id.into(), bandwidth },
                EventKind::ActiveSpeaker(id) => RouterEvent::ActiveSpeaker { producer: id.map(Into::into) },
                EventKind::AudioLevels(levels) => RouterEvent::AudioLevels {
                    levels: levels.as_slice().iter().map(|&(id, dbov)| (id.into(), dbov)).collect(),
                },
                EventKind::ProducerScore(id, scores) => {
                    RouterEvent::ProducerScore { producer: id.into(), scores: scores.as_slice().to_vec() }
                }
                EventKind::ConsumerScore(id, score, producer_score) => {
                    RouterEvent::ConsumerScore { consumer: id.into(), score, producer_score }
                }
                EventKind::ConnectionQuality(id, quality) => {
                    RouterEvent::ConnectionQuality { transport: id.into(), quality }
                }
                EventKind::Trace(of, what) => {
                    // Whoever does not keep up with them loses traces, and nothing else.
                    if self.subscribers[index].events.capacity() < MAX_EVENTS / 2 {
                        continue;
                    }
                    RouterEvent::Trace { of: of.into(), what }
                }
                EventKind::RouterClosed => {
                    // Its stream of events ends when the sender is dropped here.
                    self.subscribers.swap_remove(index);
                    continue;
                }
            };
            if let Err(mpsc::error::TrySendError::Full(event)) = self.subscribers[index].events.try_send(event) {
                error!(worker = self.index, ?event, "nobody takes the events of a router, one is lost");
            }
        }
        self.subscribers.retain(|subscriber| !subscriber.events.is_closed());
    }

    fn end_incarnation(&mut self, died: bool) {
        self.inlet.end_incarnation();
        // A full queue, or one of a worker that was stopped, ends without a word when its sender is dropped here.
        for subscriber in self.subscribers.drain(..).filter(|_| died) {
            let _ = subscriber.events.try_send(RouterEvent::WorkerDied);
        }
        self.inlet.note_load(Load::default());
    }
}

/// Sends all that is in the outbox; returns how many datagrams the kernel did not take.
fn send(sender: &mut Sender, sockets: &[UdpSocket], out: &mut Outbox) -> usize {
    if out.is_empty() {
        return 0;
    }
    let mut unsent = 0;
    for (index, socket) in sockets.iter().enumerate() {
        let runs = out.runs().filter(|(path, _, _)| usize::from(path.socket) == index);
        let messages = runs.map(|(path, segment, bytes)| Outgoing {
            peer: path.peer,
            local: Some(path.local),
            bytes,
            segment: Some(segment),
        });
        let outcome = sender.send(socket, messages);
        unsent += outcome.dropped + outcome.would_block;
    }
    out.clear();
    unsent
}
