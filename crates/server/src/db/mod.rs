//! The database: SQLite in one file, or PostgreSQL. One text of SQL for both, so it keeps to what they share: `$1` for
//! arguments, TEXT and BIGINT, `ON CONFLICT`, `RETURNING`; sums are `CAST(SUM(x) AS BIGINT)`.
//!
//! What requests need is asked for here and waited for; what a running room has to store goes through [`Later`] and waits for
//! nobody.

mod later;
mod schema;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor as _, Row as _, Transaction};
use tracing::info;

use crate::config::Secret;
pub(crate) use later::{Later, Statement, is_away};

/// Longest wait for a connection, and for SQLite's one writer.
const PATIENCE: Duration = Duration::from_secs(5);
const SQLITE_CONNECTIONS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;

/// The file in the data directory.
const FILE: &str = "studyhall.db";

/// Which of the two it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made, or written to.
    #[error("the data directory {} cannot be used: {source}; choose another one with --data-dir", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The server, or the file, does not answer.
    #[error("the database cannot be opened: {0}; see that STUDYHALL_DATABASE_URL or --data-dir is right")]
    Unreachable(#[source] sqlx::Error),
    /// SQLite finds it damaged.
    #[error(
        "the database {} is damaged ({what}); nothing was changed: put a backup in its place, or move it away to begin anew",
        path.display()
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What SQLite says.
        what: String,
    },
    /// A newer version wrote it.
    #[error(
        "the database is of version {found}, and this program knows versions up to {known}: a newer program wrote it; \
         nothing was changed: start that one again"
    )]
    Newer {
        /// In the database.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// Bringing it up to date failed.
    #[error("the database cannot be brought to version {version}: {source}; nothing of that version was applied")]
    Migration {
        /// Which.
        version: i64,
        /// What the database says.
        source: sqlx::Error,
    },
}

/// Where the database is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a file of this directory.
    Directory(PathBuf),
    /// At a URL, which may contain a password.
    Url(Secret),
}

/// The database.
#[derive(Clone)]
pub(crate) struct Database {
    pool: AnyPool,
    dialect: Dialect,
    later: Later,
}

impl Database {
    /// Opens it, creates it where it is not there, and brings it up to date.
    ///
    /// # Errors
    /// When it cannot be reached, is damaged, or a newer program wrote it.
    pub(crate) async fn open(place: &Place) -> Result<Self, OpenError> {
        install_default_drivers();
        let (pool, dialect) = match place {
            Place::Directory(directory) => (open_file(directory).await?, Dialect::Sqlite),
            Place::Url(url) => (open_postgres(url).await?, Dialect::Postgres),
        };
        let applied = schema::migrate(&pool, dialect).await?;
        if applied > 0 {
            info!("The database was brought to version {}", schema::newest());
        }
        let later = Later::start(pool.clone());
        Ok(Self { pool, dialect, later })
    }

    /// For queries.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins a transaction that may write: on SQLite the only one at a time.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.dialect {
            Dialect::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await,
            Dialect::Postgres => self.pool.begin().await,
        }
    }

    /// For what has to be stored without waiting for it.
    pub(crate) fn later(&self) -> &Later {
        &self.later
    }

    /// Whether it answers.
    pub(crate) async fn is_there(&self) -> bool {
        let asked = sqlx::query("SELECT 1").fetch_one(&self.pool);
        matches!(tokio::time::timeout(PATIENCE, asked).await, Ok(Ok(_)))
    }

    /// Writes what waits, as far as that goes in a moment, and closes.
    pub(crate) async fn close(&self) {
        self.later.finish().await;
        self.pool.close().await;
    }
}

async fn open_file(directory: &Path) -> Result<AnyPool, OpenError> {
    let refuse = |source| OpenError::Directory { path: directory.to_owned(), source };
    fs::create_dir_all(directory).map_err(refuse)?;
    let path = directory.join(FILE);
    let is_new = !path.exists();
    if is_new {
        // Nobody else on this machine needs to read who studies here.
        create_private(&path).map_err(refuse)?;
    }
    let absolute = fs::canonicalize(&path).map_err(refuse)?;
    let url = format!("sqlite://{}", absolute.display());
    check_file(&url).await.map_err(|what| OpenError::Damaged { path, what })?;
    let pool = AnyPoolOptions::new().max_connections(SQLITE_CONNECTIONS).acquire_timeout(PATIENCE).after_connect(
        |connection, _| {
            Box::pin(async move {
                connection.execute("PRAGMA busy_timeout = 5000").await?;
                connection.execute("PRAGMA journal_mode = WAL").await?;
                connection.execute("PRAGMA synchronous = NORMAL").await?;
                connection.execute("PRAGMA foreign_keys = ON").await?;
                Ok(())
            })
        },
    );
    pool.connect(&url).await.map_err(OpenError::Unreachable)
}

/// Whether SQLite finds nothing wrong with a file; else what.
async fn check_file(url: &str) -> Result<(), String> {
    // Not through a pool, which would try again and again.
    let mut connection = AnyConnection::connect(url).await.map_err(|error| error.to_string())?;
    let checked = sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
    let answer = checked.and_then(|row| row.try_get::<String, _>(0)).map_err(|error| error.to_string())?;
    connection.close().await.map_err(|error| error.to_string())?;
    if answer == "ok" { Ok(()) } else { Err(answer) }
}

/// A file that only its owner may read.
fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

async fn open_postgres(url: &Secret) -> Result<AnyPool, OpenError> {
    let options = AnyPoolOptions::new().max_connections(POSTGRES_CONNECTIONS).acquire_timeout(PATIENCE);
    options.connect(url.reveal()).await.map_err(OpenError::Unreachable)
}
