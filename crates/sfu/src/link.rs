//! The way between async callers and a worker thread: bounded commands, a lane for closes, wake-ups.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use net::Waker;
use sfu_core::{Command, CommandError, ObjectId, Reply, Worker};
use tokio::sync::{mpsc, oneshot};

use crate::error::WorkerError;
use crate::router::RouterEvent;

/// Commands that may wait for a worker; beyond it callers wait.
const MAX_WAITING: usize = 1024;

/// Which life of a worker an object belongs to. Keys of an earlier life mean nothing in a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incarnation(u64);

/// What a worker thread is asked.
pub(crate) enum Request {
    Command {
        of: Incarnation,
        command: Command,
        answer: oneshot::Sender<Answer>,
    },
    Close {
        of: Incarnation,
        command: Command,
    },
    Subscribe {
        router: ObjectId,
        events: mpsc::Sender<RouterEvent>,
    },
    /// Panic; so that the replacement of a worker can be tested.
    Fail,
    Stop,
}

/// The answer to a command. What was made is closed again if nobody takes it.
pub(crate) struct Answer {
    pub(crate) result: Result<Reply, CommandError>,
    pub(crate) undo: Option<Guard>,
}

/// Commands that close what a reply brought.
pub(crate) struct Undo(Vec<Command>);

impl Undo {
    pub(crate) fn of(reply: &Reply) -> Option<Self> {
        let commands = match reply {
            Reply::Router(router) => vec![Command::CloseRouter { router: *router }],
            Reply::Transport(transport, _) => {
                vec![Command::CloseTransport { transport: *transport }]
            }
            Reply::Producer(producer) => vec![Command::CloseProducer { producer: *producer }],
            Reply::Consumers(consumers) => {
                consumers.iter().flatten().map(|(consumer, _)| Command::CloseConsumer { consumer: *consumer }).collect()
            }
            _ => return None,
        };
        Some(Self(commands))
    }
}

/// Closes an object when dropped, unless it was released before.
pub(crate) struct Guard {
    link: Link,
    of: Incarnation,
    commands: Vec<Command>,
}

impl Guard {
    pub(crate) fn new(link: Link, of: Incarnation, command: Command) -> Self {
        Self { link, of, commands: vec![command] }
    }

    /// Which life of the worker the object belongs to.
    pub(crate) fn of(&self) -> Incarnation {
        self.of
    }

    /// The object now has an owner that closes it.
    fn release(mut self) {
        self.commands.clear();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        for command in self.commands.drain(..) {
            // A stopped worker has closed everything.
            let _ = self.link.closes.send(Request::Close { of: self.of, command });
        }
        self.link.waker.wake();
    }
}

/// How much a worker has to do, for choosing the least loaded one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load(usize);

impl Load {
    /// Consumers cost most: each is a packet to write, encrypt and send. A router counts a little, so
    /// that empty rooms spread too.
    pub(crate) fn of(worker: &Worker) -> Self {
        let [routers, transports, producers, consumers] = worker.object_counts();
        Self(routers + transports + 2 * producers + 4 * consumers)
    }
}

#[derive(Default)]
struct Shared {
    /// Atomics, because they are hints and names, not messages: readers want the newest value only.
    incarnation: AtomicU64,
    load: AtomicUsize,
}

/// A caller's end.
#[derive(Clone)]
pub(crate) struct Link {
    commands: mpsc::Sender<Request>,
    closes: mpsc::UnboundedSender<Request>,
    waker: Waker,
    shared: Arc<Shared>,
}

/// The thread's end.
pub(crate) struct Inlet {
    commands: mpsc::Receiver<Request>,
    closes: mpsc::UnboundedReceiver<Request>,
    /// For guards of what is made here.
    link: Link,
}

/// Both ends.
pub(crate) fn link(waker: Waker) -> (Link, Inlet) {
    let (commands, take_commands) = mpsc::channel(MAX_WAITING);
    // Bounded in fact by the live objects: each is closed once.
    let (closes, take_closes) = mpsc::unbounded_channel();
    let link = Link { commands, closes, waker, shared: Arc::default() };
    let inlet = Inlet { commands: take_commands, closes: take_closes, link: link.clone() };
    (link, inlet)
}

impl Link {
    /// The worker's present life.
    pub(crate) fn incarnation(&self) -> Incarnation {
        Incarnation(self.shared.incarnation.load(Ordering::Acquire))
    }

    /// Something is about to be made there: who asks meanwhile goes elsewhere. The next answer sets it right.
    pub(crate) fn expect_load(&self) {
        self.shared.load.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn load(&self) -> usize {
        self.shared.load.load(Ordering::Relaxed)
    }

    /// Commands that wait for the worker.
    pub(crate) fn waiting(&self) -> usize {
        self.commands.max_capacity() - self.commands.capacity()
    }

    /// Asks, and waits for the answer. The guard closes what was made unless it is kept.
    pub(crate) async fn ask(
        &self,
        of: Incarnation,
        command: Command,
    ) -> Result<(Result<Reply, CommandError>, Pending), WorkerError> {
        let (answer, answered) = oneshot::channel();
        let request = Request::Command { of, command, answer };
        self.commands.send(request).await.map_err(|_| WorkerError::Stopped)?;
        self.waker.wake();
        let Answer { result, undo } = answered.await.map_err(|_| WorkerError::Died)?;
        Ok((result, Pending(undo)))
    }

    /// Asks for something that makes no object.
    pub(crate) async fn tell(&self, of: Incarnation, command: Command) -> Result<Reply, WorkerError> {
        let (result, pending) = self.ask(of, command).await?;
        pending.keep();
        result.map_err(WorkerError::Refused)
    }

    pub(crate) async fn subscribe(
        &self,
        router: ObjectId,
        events: mpsc::Sender<RouterEvent>,
    ) -> Result<(), WorkerError> {
        let request = Request::Subscribe { router, events };
        self.commands.send(request).await.map_err(|_| WorkerError::Stopped)?;
        self.waker.wake();
        Ok(())
    }

    /// Sends a request that waits for nothing and nobody.
    pub(crate) fn push(&self, request: Request) {
        // A stopped worker needs no telling.
        let _ = self.closes.send(request);
        self.waker.wake();
    }
}

/// An answer's objects before their owner exists.
pub(crate) struct Pending(Option<Guard>);

impl Pending {
    /// They have an owner now.
    pub(crate) fn keep(self) {
        if let Some(guard) = self.0 {
            guard.release();
        }
    }
}

impl Inlet {
    pub(crate) fn is_empty(&self) -> bool {
        self.closes.is_empty() && self.commands.is_empty()
    }

    /// The next request; closes first, since they only make room.
    pub(crate) fn take(&mut self) -> Option<Request> {
        self.closes.try_recv().ok().or_else(|| self.commands.try_recv().ok())
    }

    /// The worker's present life.
    pub(crate) fn incarnation(&self) -> Incarnation {
        self.link.incarnation()
    }

    /// Ends the worker's life: what was asked of it is not asked of the next one.
    pub(crate) fn end_incarnation(&mut self) {
        self.link.shared.incarnation.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn note_load(&self, load: Load) {
        self.link.shared.load.store(load.0, Ordering::Relaxed);
    }

    pub(crate) fn guard(&self, undo: Undo) -> Guard {
        Guard { link: self.link.clone(), of: self.link.incarnation(), commands: undo.0 }
    }
}
