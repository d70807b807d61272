//! What has to be stored while rooms go on: a bounded queue, written in its order by one task, which waits for the database when
//! that is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::AnyPool;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

/// Changes that may wait: ten minutes of a busy server without its database.
const MAX_WAITING: usize = 100_000;
/// Written in one transaction.
const BATCH: usize = 100;
/// Waits between attempts.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long the end of the server waits for what is queued.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// An argument of a statement.
#[derive(Clone, Debug, PartialEq)]
enum Argument {
    Text(String),
    Number(i64),
    NoText,
    NoNumber,
}

/// One statement that changes something.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    sql: &'static str,
    arguments: Vec<Argument>,
}

impl Statement {
    /// Its arguments follow, `$1` first.
    pub(crate) fn new(sql: &'static str) -> Self {
        Self { sql, arguments: Vec::new() }
    }

    /// The next argument.
    #[must_use]
    pub(crate) fn text(mut self, value: impl Into<String>) -> Self {
        self.arguments.push(Argument::Text(value.into()));
        self
    }

    /// The next argument.
    #[must_use]
    pub(crate) fn number(mut self, value: impl TryInto<i64>) -> Self {
        self.arguments.push(Argument::Number(value.try_into().unwrap_or(i64::MAX)));
        self
    }

    /// The next argument, or NULL.
    #[must_use]
    pub(crate) fn text_or_null(mut self, value: Option<impl Into<String>>) -> Self {
        self.arguments.push(value.map_or(Argument::NoText, |value| Argument::Text(value.into())));
        self
    }

    /// The next argument, or NULL.
    #[must_use]
    pub(crate) fn number_or_null(self, value: Option<impl TryInto<i64>>) -> Self {
        match value {
            Some(value) => self.number(value),
            None => {
                let mut this = self;
                this.arguments.push(Argument::NoNumber);
                this
            }
        }
    }

    /// Does it now.
    pub(crate) async fn execute(&self, connection: &mut sqlx::AnyConnection) -> Result<(), sqlx::Error> {
        let mut query = sqlx::query(self.sql);
        for argument in &self.arguments {
            query = match argument {
                Argument::Text(text) => query.bind(text.clone()),
                Argument::Number(number) => query.bind(*number),
                Argument::NoText => query.bind(None::<String>),
                Argument::NoNumber => query.bind(None::<i64>),
            };
        }
        query.execute(connection).await.map(drop)
    }
}

enum Item {
    Change(Vec<Statement>),
    /// Everything before it is written.
    Mark(oneshot::Sender<()>),
}

/// Stores things later, in their order.
#[derive(Clone)]
pub(crate) struct Later {
    queue: mpsc::Sender<Item>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Changes that found no room in the queue.
    dropped: AtomicU64,
    /// Changes that the database refused.
    refused: AtomicU64,
    is_away: AtomicBool,
}

impl Later {
    pub(super) fn start(pool: AnyPool) -> Self {
        let (queue, items) = mpsc::channel(MAX_WAITING);
        let counts = Arc::new(Counts::default());
        tokio::spawn(write_all(pool, items, Arc::clone(&counts)));
        Self { queue, counts }
    }

    /// Stores what belongs together. What finds no room is dropped and counted.
    pub(crate) fn store(&self, statements: Vec<Statement>) {
        if self.queue.try_send(Item::Change(statements)).is_err()
            && self.counts.dropped.fetch_add(1, Ordering::Relaxed) == 0
        {
            error!("the database is away for so long that changes are lost from now on");
        }
    }

    /// Changes that wait.
    pub(crate) fn waiting(&self) -> usize {
        MAX_WAITING - self.queue.capacity()
    }

    /// Changes that were lost, because too many waited or the database refused them.
    pub(crate) fn lost(&self) -> u64 {
        self.counts.dropped.load(Ordering::Relaxed) + self.counts.refused.load(Ordering::Relaxed)
    }

    /// Whether the last attempt to write failed.
    pub(crate) fn is_away(&self) -> bool {
        self.counts.is_away.load(Ordering::Relaxed)
    }

    /// Everything that was stored before this is in the database, if that is to be had in a moment.
    pub(crate) async fn finish(&self) {
        let (mark, reached) = oneshot::channel();
        let written = async {
            if self.queue.send(Item::Mark(mark)).await.is_ok() {
                // An error means that the task is gone, and with it the queue.
                let _ = reached.await;
            }
        };
        if tokio::time::timeout(LAST_PATIENCE, written).await.is_err() {
            warn!(waiting = self.waiting(), "the database does not take what is left to store");
        }
    }
}

async fn write_all(pool: AnyPool, mut items: mpsc::Receiver<Item>, counts: Arc<Counts>) {
    let mut batch = Vec::new();
    while items.recv_many(&mut batch, BATCH).await > 0 {
        let mut changes = Vec::new();
        let mut marks = Vec::new();
        for item in batch.drain(..) {
            match item {
                Item::Change(statements) => changes.push(statements),
                Item::Mark(mark) => marks.push(mark),
            }
        }
        write(&pool, &changes, &counts).await;
        for mark in marks {
            // Nobody waits any more.
            let _ = mark.send(());
        }
    }
}

/// All in one transaction; where the database refuses something, one by one, so that only that is lost.
async fn write(pool: &AnyPool, changes: &[Vec<Statement>], counts: &Counts) {
    if changes.is_empty() {
        return;
    }
    if attempt_until_there(pool, &changes.concat(), counts).await.is_ok() {
        return;
    }
    for change in changes {
        if let Err(error) = attempt_until_there(pool, change, counts).await {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            error!(%error, sql = change.first().map_or("", |statement| statement.sql), "the database refuses a change");
        }
    }
}

/// Tries until the database answers.
///
/// # Errors
/// When it answers that it does not want this.
async fn attempt_until_there(pool: &AnyPool, statements: &[Statement], counts: &Counts) -> Result<(), sqlx::Error> {
    let mut wait = FIRST_WAIT;
    loop {
        match attempt(pool, statements).await {
            Err(error) if is_away(&error) => {
                if !counts.is_away.swap(true, Ordering::Relaxed) {
                    warn!(%error, "the database is away; what has to be stored waits");
                }
            }
            result => {
                if counts.is_away.swap(false, Ordering::Relaxed) {
                    info!("the database is back");
                }
                return result;
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn attempt(pool: &AnyPool, statements: &[Statement]) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    for statement in statements {
        statement.execute(&mut transaction).await?;
    }
    transaction.commit().await
}

/// Whether nobody is at the other end, or cannot write now; else it is the statement that is wrong.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => {
            // PostgreSQL: connection trouble, no room, shutting down, a deadlock. SQLite: busy, locked, I/O, full, read-only.
            let code = error.code().unwrap_or_default();
            ["08", "53", "57", "40"].iter().any(|class| code.len() == 5 && code.starts_with(class))
                || code
                    .parse::<u32>()
                    .is_ok_and(|code| code < 10_000 && matches!(code & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
        }
        _ => false,
    }
}
