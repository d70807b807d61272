//! What whoever operates the workers wants to know of each: its figures, its queue, its share of a core, and whether a packet
//! goes through it.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::RngExt;
use sfu_core::{Command, Reply, Totals};
use tokio::net::UdpSocket;
use tokio::time::timeout;
use wire::stun::{Builder, Class, IntegrityKey, Message, Method, TransactionId};

use crate::error::WorkerError;
use crate::router::WebRtcTransportOptions;
use crate::workers::Workers;

/// How long a worker may take to answer all that a probe asks.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);
/// A request that is not answered by then is sent again: the kernel may drop one when its buffer is full.
const PROBE_REPEAT: Duration = Duration::from_millis(200);
/// Longest answer that is read.
const MAX_ANSWER: usize = 1_500;

/// No packet went through a worker.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It does not make a transport.
    #[error("its thread does not serve: {0}")]
    Worker(#[from] WorkerError),
    /// The machine does not let us send to it.
    #[error("its port cannot be asked: {0}")]
    Socket(#[from] std::io::Error),
    /// Nothing came back.
    #[error("its port did not answer within {} ms", PROBE_PATIENCE.as_millis())]
    Silent,
}

/// What a worker is and has done.
#[derive(Clone, Debug, Default)]
pub struct WorkerFigures {
    /// Its own figures; `None` when it did not tell in time.
    pub totals: Option<Totals>,
    /// Commands that wait for it.
    pub waiting: usize,
    /// How long its thread was on a core since its start; `None` where the system does not tell.
    pub cpu_time: Option<Duration>,
}

/// Where Linux tells of the calling thread; `None` elsewhere.
pub(crate) fn this_thread() -> Option<PathBuf> {
    // Read here, it names the thread for everybody.
    Some(PathBuf::from("/proc").join(fs::read_link("/proc/thread-self").ok()?))
}

impl Workers {
    /// Which worker gets the next room.
    pub fn least_loaded(&self) -> usize {
        let by_load = self.slots.iter().enumerate().min_by_key(|(_, slot)| slot.link.load());
        by_load.map_or(0, |(index, _)| index)
    }

    /// How long a worker's thread was on a core since its start; `None` where the system does not tell.
    pub fn cpu_time(&self, worker: usize) -> Option<Duration> {
        let folder = self.slots.get(worker)?.folder.get()?.as_ref()?;
        let text = fs::read_to_string(folder.join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
    }

    /// Figures of a worker; `None` when there is none of this number. One that does not answer is not waited for longer than
    /// `patience`.
    pub async fn figures(&self, worker: usize, patience: Duration) -> Option<WorkerFigures> {
        let link = &self.slots.get(worker)?.link;
        let waiting = link.waiting();
        let asked = timeout(patience, link.tell(link.incarnation(), Command::Totals)).await;
        let totals = match asked {
            Ok(Ok(Reply::Totals(totals))) => Some(*totals),
            _ => None,
        };
        Some(WorkerFigures { totals, waiting, cpu_time: self.cpu_time(worker) })
    }

    /// Sends a STUN check to a worker's port as a browser does, for a transport made for it, and waits for the answer; how long
    /// that took. The packet goes the way of all packets: the kernel, the worker's poll, its tables, its outbox and back.
    ///
    /// # Errors
    /// When the worker makes no transport, or nothing comes back in time.
    pub async fn probe(&self, worker: usize) -> Result<Duration, ProbeError> {
        let began = Instant::now();
        match timeout(PROBE_PATIENCE, self.check(worker)).await {
            Ok(checked) => checked.map(|()| began.elapsed()),
            Err(_) => Err(ProbeError::Silent),
        }
    }

    async fn check(&self, worker: usize) -> Result<(), ProbeError> {
        let slot = self.slots.get(worker).ok_or(WorkerError::Stopped)?;
        let (router, _events) = self.router_on(worker).await?;
        let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await?;
        let (check, id) =
            binding_request(&transport.ice_parameters().username_fragment, &transport.ice_parameters().password);
        let target = reachable(slot.address);
        let any = if target.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(target).await?;
        let mut answer = [0; MAX_ANSWER];
        loop {
            // A port that nobody listens on is told of by an error of either call.
            socket.send(&check).await?;
            let Ok(received) = timeout(PROBE_REPEAT, socket.recv(&mut answer)).await else { continue };
            let len = received?;
            let message = answer.get(..len).map(Message::parse);
            if let Some(Ok(message)) = message
                && message.class() == Class::Success
                && message.transaction_id() == id
            {
                return Ok(());
            }
        }
    }
}

fn binding_request(ufrag: &str, password: &str) -> (Vec<u8>, TransactionId) {
    let id = TransactionId(rand::rng().random());
    let mut check = Vec::new();
    Builder::new(&mut check, Class::Request, Method::BINDING, id)
        .username(&format!("{ufrag}:probe"))
        .priority(1)
        .ice_controlling(1)
        .finish(Some(&IntegrityKey::short_term(password)));
    (check, id)
}

/// Where a socket that listens at `address` is reached from this machine.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
