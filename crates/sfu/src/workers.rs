//! The pool of workers: started once, rooms go to the least loaded one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use net::{Poller, SocketOptions, UdpSocket};
use sfu_core::{BitrateLimits, Command, Drops, FingerprintHash, Reply};
use tracing::{info, warn};
use wire::ortc::{DtlsFingerprint, FingerprintAlgorithm, RtpCapabilities};

use crate::candidates::Candidates;
use crate::error::{StartError, WorkerError};
use crate::link::{Link, Request, link};
use crate::router::{Router, RouterEvents, WorkerFacts};
use crate::thread::{self, Start};

/// Socket buffers asked of the kernel: 100 ms of a saturated worker in each direction.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// Below this a burst of key frames does not fit; worth a warning.
const SMALL_SOCKET_BUFFER: usize = 1024 * 1024;

/// How the workers are started.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many worker threads.
    pub workers: usize,
    /// Addresses to bind media sockets on; empty means all, IPv4 and, where the machine has it, IPv6.
    pub listen: Vec<IpAddr>,
    /// Addresses that browsers are told; empty means the machine's own.
    pub announced: Vec<IpAddr>,
    /// Worker `i` uses this port plus `i`.
    pub rtc_min_port: u16,
    /// The last port that may be used.
    pub rtc_max_port: u16,
    /// How long a silent peer keeps its transport: 10 to 60 s.
    pub consent_timeout: Duration,
    /// Bounds of what a viewer's link is believed to carry.
    pub bitrate_limits: BitrateLimits,
}

pub(crate) struct Slot {
    pub(crate) link: Link,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Where its first socket listens.
    pub(crate) address: SocketAddr,
    /// Where the system tells of its thread, once that runs.
    pub(crate) folder: Arc<OnceLock<Option<PathBuf>>>,
}

/// Every worker of this process.
pub struct Workers {
    pub(crate) slots: Vec<Slot>,
    candidates: Arc<Candidates>,
    fingerprints: Arc<[DtlsFingerprint]>,
}

impl Workers {
    /// Binds the sockets and starts the threads.
    ///
    /// # Errors
    /// When there are fewer ports than workers, an address or port cannot be bound, or the system refuses
    /// a thread. Nothing is left running then.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        let ports = usize::from(settings.rtc_max_port.saturating_sub(settings.rtc_min_port)) + 1;
        if settings.workers == 0 {
            return Err(StartError::NoWorkers);
        }
        if settings.workers > ports || settings.rtc_max_port < settings.rtc_min_port {
            return Err(StartError::TooFewPorts {
                workers: settings.workers,
                min: settings.rtc_min_port,
                max: settings.rtc_max_port,
                ports: if settings.rtc_max_port < settings.rtc_min_port { 0 } else { ports },
            });
        }
        let certificate =
            sfu_core::generate_self_signed_certificate().map_err(|error| StartError::Certificate(error.to_string()))?;
        let fingerprints = fingerprints(&certificate.certificate);
        let listen = listen_addresses(&settings.listen);
        let mut workers = Self {
            slots: Vec::with_capacity(settings.workers),
            candidates: Arc::new(Candidates::new(
                settings.announced,
                listen.iter().map(|(address, _)| *address).collect(),
                settings.rtc_min_port,
            )),
            fingerprints: fingerprints.into(),
        };
        let mut small_buffer = None;
        for index in 0..settings.workers {
            let port = settings.rtc_min_port + index as u16;
            let sockets = bind_all(&listen, port)?;
            let smallest = sockets.iter().map(UdpSocket::buffer_sizes).map(|(r, s)| r.min(s)).min();
            small_buffer = small_buffer.min(smallest).or(smallest);
            let mut poller = Poller::new()?;
            for (token, socket) in sockets.iter().enumerate() {
                poller.add(socket, token)?;
            }
            let (link, inlet) = link(poller.waker());
            let folder = Arc::new(OnceLock::new());
            let start = Start {
                index,
                sockets,
                poller,
                inlet,
                certificate: certificate.clone(),
                consent_timeout: settings.consent_timeout,
                bitrate_limits: settings.bitrate_limits,
                folder: Arc::clone(&folder),
            };
            let thread =
                std::thread::Builder::new().name(format!("media-{index}")).spawn(move || thread::run(start))?;
            let address = SocketAddr::new(listen[0].0, port);
            workers.slots.push(Slot { link, thread: Mutex::new(Some(thread)), address, folder });
            info!("Media worker {}/{} created (UDP port {port})", index + 1, settings.workers);
        }
        if let Some(size) = small_buffer.filter(|size| *size < SMALL_SOCKET_BUFFER) {
            warn!(
                "the kernel grants socket buffers of only {} KiB; large rooms want more: \
                 sysctl -w net.core.rmem_max={SOCKET_BUFFER} net.core.wmem_max={SOCKET_BUFFER}",
                size / 1024
            );
        }
        Ok(workers)
    }

    /// How many workers there are.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// How many of them run; one that failed and starts anew counts.
    pub fn alive(&self) -> usize {
        let runs = |slot: &&Slot| {
            let thread = slot.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            thread.as_ref().is_some_and(|thread| !thread.is_finished())
        };
        self.slots.iter().filter(runs).count()
    }

    /// Where browsers are told to send, of the first worker.
    pub fn local_candidates(&self) -> Vec<SocketAddr> {
        self.candidates.addresses(0)
    }

    /// What may be sent into any router.
    pub fn rtp_capabilities() -> &'static RtpCapabilities {
        wire::ortc::router_rtp_capabilities()
    }

    /// Makes a router on the least loaded worker.
    ///
    /// # Errors
    /// When the worker was stopped or failed just now.
    pub async fn create_router(&self) -> Result<(Router, RouterEvents), WorkerError> {
        let index = self.least_loaded();
        self.slots[index].link.expect_load();
        self.router_on(index).await
    }

    /// Makes a router on this worker.
    pub(crate) async fn router_on(&self, index: usize) -> Result<(Router, RouterEvents), WorkerError> {
        let slot = self.slots.get(index).ok_or(WorkerError::Stopped)?;
        Router::create(WorkerFacts {
            index,
            link: slot.link.clone(),
            candidates: Arc::clone(&self.candidates),
            fingerprints: Arc::clone(&self.fingerprints),
        })
        .await
    }

    /// What a worker dropped since it began its present life, by reason: strangers, replays, nonsense.
    ///
    /// # Errors
    /// When there is no such worker, or it was stopped or failed just now.
    pub async fn drops(&self, worker: usize) -> Result<Drops, WorkerError> {
        let Some(slot) = self.slots.get(worker) else { return Err(WorkerError::Stopped) };
        match slot.link.tell(slot.link.incarnation(), Command::Drops).await? {
            Reply::Drops(drops) => Ok(drops),
            _ => unreachable!("Drops is answered by Drops"),
        }
    }

    /// Has a worker fail, so that its replacement can be tested.
    #[doc(hidden)]
    pub fn fail_worker(&self, index: usize) {
        if let Some(slot) = self.slots.get(index) {
            slot.link.push(Request::Fail);
        }
    }

    /// Stops every worker and waits until their threads have ended; peers are told good-bye.
    pub fn close(&self) {
        for slot in &self.slots {
            slot.link.push(Request::Stop);
        }
        for slot in &self.slots {
            let thread = slot.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
            if thread.is_some_and(|thread| thread.join().is_err()) {
                warn!("a media worker did not end cleanly");
            }
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.close();
    }
}

/// What to bind, and whether its absence is an error.
fn listen_addresses(listen: &[IpAddr]) -> Vec<(IpAddr, bool)> {
    if !listen.is_empty() {
        return listen.iter().map(|address| (*address, true)).collect();
    }
    vec![
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), true),
        // A machine without IPv6 is served by IPv4 alone.
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), false),
    ]
}

fn bind_all(listen: &[(IpAddr, bool)], port: u16) -> Result<Vec<UdpSocket>, StartError> {
    let options = SocketOptions { receive_buffer: SOCKET_BUFFER, send_buffer: SOCKET_BUFFER };
    let mut sockets = Vec::new();
    for &(address, required) in listen {
        match UdpSocket::bind(SocketAddr::new(address, port), &options) {
            Ok(socket) => sockets.push(socket),
            Err(error) if required => return Err(error.into()),
            Err(error) => info!(%error, "no media over this address family"),
        }
    }
    Ok(sockets)
}

fn fingerprints(certificate: &[u8]) -> Vec<DtlsFingerprint> {
    // mediasoup-client takes the last one. It is the one that every browser knows.
    let others = FingerprintHash::ALL.into_iter().filter(|hash| *hash != FingerprintHash::Sha256);
    others
        .chain([FingerprintHash::Sha256])
        .map(|hash| DtlsFingerprint {
            algorithm: match hash {
                FingerprintHash::Sha1 => FingerprintAlgorithm::Sha1,
                FingerprintHash::Sha224 => FingerprintAlgorithm::Sha224,
                FingerprintHash::Sha256 => FingerprintAlgorithm::Sha256,
                FingerprintHash::Sha384 => FingerprintAlgorithm::Sha384,
                FingerprintHash::Sha512 => FingerprintAlgorithm::Sha512,
            },
            value: hash.of(certificate),
        })
        .collect()
}
