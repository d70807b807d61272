//! What is measured while the server runs: the workers' CPU time, how late the runtime wakes, how soon the database answers.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::App;

/// Between two looks at the workers and the process.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between two wake-ups whose lateness is measured.
const WAKE_EVERY: Duration = Duration::from_millis(100);
/// Between two questions to the database.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// Measures for as long as the server is there.
pub(crate) fn start(app: &Arc<App>) {
    tokio::spawn(look(Arc::downgrade(app)));
    tokio::spawn(wake(Arc::downgrade(app)));
    tokio::spawn(ask(Arc::downgrade(app)));
}

async fn look(app: Weak<App>) {
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(app) = app.upgrade() else { return };
        let times = (0..app.workers.count()).map(|worker| app.workers.cpu_time(worker)).collect();
        app.operations.note_load(Instant::now(), times, super::load::memory());
    }
}

async fn wake(app: Weak<App>) {
    loop {
        let due = Instant::now() + WAKE_EVERY;
        sleep(WAKE_EVERY).await;
        let late = Instant::now().saturating_duration_since(due);
        let Some(app) = app.upgrade() else { return };
        app.operations.metrics.event_loop_delay.observe(late.as_secs_f64());
    }
}

async fn ask(app: Weak<App>) {
    loop {
        let Some(app) = app.upgrade() else { return };
        let began = Instant::now();
        // What is away has no latency; `studyhall_database_away` tells of it.
        if app.db.is_there().await {
            app.operations.metrics.database_latency.observe(began.elapsed().as_secs_f64());
        }
        drop(app);
        sleep(ASK_EVERY).await;
    }
}
