//! What whoever operates the server needs: figures, readiness, admission, webhooks, the audit log.

pub(crate) mod admission;
pub(crate) mod audit;
mod load;
pub(crate) mod metrics;
mod ready;
pub(crate) mod watch;
pub(crate) mod webhooks;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::App;
use crate::config::Config;
use crate::error::Refusal;
use admission::{Bounds, Load, admit};
use load::Shares;
use metrics::Metrics;
pub(crate) use ready::{Readiness, Ready};
use webhooks::Webhooks;

/// What whoever operates the server needs.
pub(crate) struct Operations {
    pub(crate) metrics: Metrics,
    pub(crate) ready: Ready,
    pub(crate) webhooks: Webhooks,
    pub(crate) connections: Connections,
    bounds: Bounds,
    measured: Mutex<Measured>,
}

#[derive(Default)]
struct Measured {
    shares: Shares,
    memory: Option<u64>,
}

impl Operations {
    pub(crate) fn new(config: &Config, webhooks: Webhooks) -> Self {
        Self {
            metrics: Metrics::new(),
            ready: Ready::default(),
            webhooks,
            connections: Connections::new(config.limits.connections, crate::http::listen::HEAD_PATIENCE),
            bounds: Bounds::from(&config.operation),
            measured: Mutex::default(),
        }
    }

    /// Takes in how much there is to do.
    fn note_load(&self, now: Instant, times: Vec<Option<Duration>>, memory: Option<u64>) {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        measured.shares.note(now, times);
        measured.memory = memory;
    }

    /// How much there is to do for a worker, and for the process.
    pub(crate) fn load(&self, worker: usize) -> Load {
        let measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        Load { worker: measured.shares.of(worker), memory: measured.memory }
    }
}

/// Whether somebody may come into a room now that nobody, or somebody, is in.
///
/// # Errors
/// When nobody is in it and there is too much to do already.
pub(crate) fn admit_to_room(app: &App, is_empty: bool) -> Result<(), Refusal> {
    let load = app.operations.load(app.workers.least_loaded());
    admit(load, app.operations.bounds, is_empty).map_err(Refusal::from)
}

/// Connections at the same time: how many there may be, and how many there are.
#[derive(Clone)]
pub(crate) struct Connections {
    pub(crate) limit: u32,
    pub(crate) free: Arc<Semaphore>,
    /// How long the head of a request may take to come, and how long a connection may idle.
    pub(crate) head_patience: Duration,
}

impl Connections {
    pub(crate) fn new(limit: u32, head_patience: Duration) -> Self {
        Self { limit, free: Arc::new(Semaphore::new(limit as usize)), head_patience }
    }

    /// How many there are.
    pub(crate) fn open(&self) -> usize {
        (self.limit as usize).saturating_sub(self.free.available_permits())
    }
}
