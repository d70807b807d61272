//! Whether media can flow and things can be stored: asked of the workers and the database themselves, but not more often than once
//! a second, however many ask here.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Mutex;

use crate::App;

/// An answer is good for this long.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// How long the database may take.
const DATABASE_PATIENCE: Duration = Duration::from_secs(1);

/// Whether media can flow and things can be stored, and if not, what is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub(crate) struct Readiness {
    /// `ok`, or `unavailable`.
    pub(crate) status: &'static str,
    /// Media workers through which a packet went just now.
    pub(crate) workers: usize,
    /// Sentences for people; empty when all is well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) problems: Vec<String>,
}

impl Readiness {
    fn of(workers: usize, problems: Vec<String>) -> Self {
        let status = if problems.is_empty() { "ok" } else { "unavailable" };
        Self { status, workers, problems }
    }
}

/// The last answer.
#[derive(Default)]
pub(crate) struct Ready(Mutex<Option<(Instant, Readiness)>>);

impl Ready {
    /// How it stands, now or a moment ago. Who asks while it is being found out waits for the same answer.
    pub(crate) async fn ask(&self, app: &App) -> Readiness {
        let mut last = self.0.lock().await;
        let found = match &*last {
            Some((at, readiness)) if at.elapsed() < GOOD_FOR => readiness.clone(),
            _ => {
                let readiness = find_out(app).await;
                *last = Some((Instant::now(), readiness.clone()));
                readiness
            }
        };
        drop(last);
        // Not from a moment ago: who drains wants no more visitors from now on.
        let mut problems = found.problems;
        if app.is_draining() {
            problems.insert(0, "The server is draining: it takes nobody in any more.".to_owned());
        }
        Readiness::of(found.workers, problems)
    }
}

async fn find_out(app: &App) -> Readiness {
    let probes = (0..app.workers.count()).map(|worker| app.workers.probe(worker));
    let database = tokio::time::timeout(DATABASE_PATIENCE, app.db.is_there());
    let (probes, database) = tokio::join!(futures_util::future::join_all(probes), database);
    let alive = probes.iter().filter(|probe| probe.is_ok()).count();
    let silent = probes.iter().enumerate().filter_map(|(worker, probe)| Some((worker, probe.as_ref().err()?)));
    let mut problems: Vec<_> = silent.map(|(worker, error)| format!("Media worker {worker}: {error}.")).collect();
    if database != Ok(true) {
        problems.push("The database does not answer.".to_owned());
    }
    Readiness::of(alive, problems)
}
