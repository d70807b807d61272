//! Shared study rooms: people, rooms, HTTP and Socket.IO over the media server of the `sfu` crate.
//!
//! [`Server::start`] opens the sockets and starts the media workers, [`Server::run`] serves until it is told to stop.

mod clock;
pub mod config;
mod db;
mod error;
mod http;
mod operations;
mod people;
mod room;
mod signal;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socketioxide::SocketIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use config::Config;
pub use db::OpenError;
use db::{Database, Place};
use operations::Operations;
use operations::webhooks::Webhooks;
pub use people::KeyError;
use people::{Doors, Marking, Oidc, Tokens};
use room::{Ground, Registry, Studies};
use signal::lobby::{self, Bell};

/// When clients are asked to come back after a restart, at the earliest.
const RECONNECT_IN: Duration = Duration::from_secs(2);
/// Time for the last events to leave, before connections are closed.
const FLUSH: Duration = Duration::from_millis(300);
/// Each step of stopping ends after this, come what may.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// What every part of the server may need.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) db: Database,
    pub(crate) rooms: Registry,
    pub(crate) tokens: Tokens,
    pub(crate) doors: Doors,
    pub(crate) marking: Marking,
    pub(crate) oidc: Option<Oidc>,
    pub(crate) workers: Arc<sfu::Workers>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) studies: Arc<Studies>,
    pub(crate) operations: Operations,
    /// Set once, when stopping begins.
    draining: AtomicBool,
}

impl App {
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Nobody is let in from now on; whether that is new.
    pub(crate) fn begin_draining(&self) -> bool {
        !self.draining.swap(true, Ordering::Relaxed)
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The media workers do not.
    #[error("the media workers cannot start: {0}")]
    Media(#[from] sfu::StartError),
    /// The database does not.
    #[error("{0}")]
    Database(#[from] OpenError),
    /// There is no key to sign tokens with.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// Another site's login cannot be used.
    #[error("the login of STUDYHALL_OIDC_ISSUER cannot be used: {0}; see that this machine has root certificates")]
    Oidc(#[from] reqwest::Error),
    /// The port is taken, or not ours to take.
    #[error("cannot listen on {host} port {port}: {source}")]
    Listen {
        /// As configured.
        host: String,
        /// As configured.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
}

/// A server whose sockets are open.
pub struct Server {
    app: Arc<App>,
    io: SocketIo,
    listener: TcpListener,
    router: axum::Router,
    lobby: JoinHandle<()>,
    /// Stores what is studied.
    storing: JoinHandle<()>,
    upkeep: JoinHandle<()>,
}

impl Server {
    /// Starts the media workers and opens the listening socket; nothing is answered before [`Server::run`].
    ///
    /// # Errors
    /// When a port is taken, or the machine refuses what is needed.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let (socket_layer, io) = signal::layer(&config.limits);
        info!("Socket.io server initialized for Shared Study Rooms");
        let place = match &config.database_url {
            Some(url) => Place::Url(url.clone()),
            None => Place::Directory(config.data_dir.clone()),
        };
        let key = people::signing_key(&config)?;
        let oidc = config.oidc.as_ref().map(Oidc::new).transpose()?;
        let db = Database::open(&place).await?;
        let workers = Arc::new(start_workers(&config).await?);
        let listener = http::listen::bind(&config.host, config.port).await.map_err(|source| StartError::Listen {
            host: config.host.clone(),
            port: config.port,
            source,
        })?;
        let webhooks = Webhooks::start(config.operation.webhook.as_ref());
        let bell = Arc::new(Bell::heard_by(webhooks.clone()));
        let studies = Arc::new(Studies::new(db.later().clone(), webhooks.clone()));
        let (ground_workers, ground_bell) = (Arc::clone(&workers), Arc::clone(&bell));
        let ground = Ground {
            workers: ground_workers,
            bell: ground_bell,
            studies: Arc::clone(&studies),
            later: db.later().clone(),
        };
        let rooms = Registry::load(&config, ground, &db).await.map_err(OpenError::Unreachable)?;
        rooms.restore_clocks(&db).await.map_err(OpenError::Unreachable)?;
        people::offer_code(&db).await.map_err(OpenError::Unreachable)?;
        let app = Arc::new(App {
            tokens: Tokens::new(&key),
            doors: Doors::new(&config),
            marking: Marking::new(&key),
            oidc,
            draining: AtomicBool::new(false),
            operations: Operations::new(&config, webhooks),
            config,
            db,
            rooms,
            workers,
            bell,
            studies,
        });
        signal::open(&app, &io);
        operations::watch::start(&app);
        let router = http::router(Arc::clone(&app), socket_layer);
        let lobby = tokio::spawn(lobby::publish(Arc::clone(&app), io.clone()));
        let studies = Arc::clone(&app.studies);
        let storing = tokio::spawn(async move { studies.store_always().await });
        let upkeep = tokio::spawn(people::keep_up(app.db.clone()));
        Ok(Self { app, io, listener, router, lobby, storing, upkeep })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Has a media worker fail, so that what follows can be tested.
    #[doc(hidden)]
    pub fn media_failure(&self) -> impl Fn(usize) + Send + use<> {
        let workers = Arc::clone(&self.app.workers);
        move |index| workers.fail_worker(index)
    }

    /// Has time pass for clocks and study, so that what takes hours can be tested.
    #[doc(hidden)]
    pub fn time_machine(&self) -> impl Fn(Duration) + Send + use<> {
        let app = Arc::clone(&self.app);
        move |time| {
            app.studies.put_forward(time.as_millis() as u64);
            app.rooms.iter().for_each(|room| room.wake_clock());
        }
    }

    /// Serves until `stop` is ready; then tells every client, closes every socket and stops the workers, in bounded
    /// time.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self { app, io, listener, router, lobby, storing, upkeep } = self;
        let (stop_listening, stopping) = watch::channel(false);
        let connections = app.operations.connections.clone();
        let serving = tokio::spawn(http::listen::serve(listener, router, connections, stopping));
        stop.await;
        info!("Stopping: telling clients to come back");
        app.begin_draining();
        let reconnect_in_ms = RECONNECT_IN.as_millis() as u64;
        lobby::drain(&io, reconnect_in_ms).await;
        for room in app.rooms.iter() {
            room.drain(reconnect_in_ms);
        }
        tokio::time::sleep(FLUSH).await;
        lobby.abort();
        upkeep.abort();
        bounded("closing the sockets", io.close()).await;
        // Nobody listens any more only if all serving tasks have ended already.
        let _ = stop_listening.send(true);
        bounded("ending the connections", serving).await;
        let workers = Arc::clone(&app.workers);
        bounded("stopping the media workers", tokio::task::spawn_blocking(move || workers.close())).await;
        storing.abort();
        app.studies.finish();
        app.operations.webhooks.finish().await;
        app.db.close().await;
        info!("Stopped");
    }
}

async fn bounded<T>(what: &str, step: impl Future<Output = T>) {
    if tokio::time::timeout(STOP_PATIENCE, step).await.is_err() {
        warn!("{what} took too long and was given up");
    }
}

async fn start_workers(config: &Config) -> Result<sfu::Workers, sfu::StartError> {
    let settings = sfu::Settings {
        workers: config.workers,
        listen: config.listen.clone(),
        announced: config.announced.clone(),
        rtc_min_port: config.rtc_min_port,
        rtc_max_port: config.rtc_max_port,
        consent_timeout: config.consent_timeout,
        bitrate_limits: config.bitrate_limits,
    };
    let each = if config.workers == 1 { "media worker" } else { "media workers" };
    let is_one_per_core = std::thread::available_parallelism().is_ok_and(|n| n.get() == config.workers);
    let per_core = if is_one_per_core { " (one per CPU core)" } else { "" };
    info!("Initializing {} {each}{per_core}", config.workers);
    let started = tokio::task::spawn_blocking(|| sfu::Workers::start(settings)).await;
    let workers = started.unwrap_or_else(|failed| std::panic::resume_unwind(failed.into_panic()))?;
    info!("Media workers initialized successfully");
    let candidates: Vec<_> = workers.local_candidates().iter().map(ToString::to_string).collect();
    info!("Browsers are told to send media to {}", candidates.join(", "));
    Ok(workers)
}
