//! Where a test's server keeps what it stores: a directory of its own, or a PostgreSQL of its own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use server::config::{Config, Secret};

/// Which database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

/// Runs a test on each database: `on_both! { fn name(kind) { … } }`, where `kind` goes to [`Data::new`].
macro_rules! on_both {
    ($(#[$meta:meta])* async fn $name:ident($kind:ident: Kind) $body:block) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            $(#[$meta])*
            async fn test($kind: $crate::data::Kind) $body

            #[tokio::test]
            async fn sqlite() {
                test($crate::data::Kind::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                test($crate::data::Kind::Postgres).await;
            }
        }
    };
}
pub(crate) use on_both;

/// What a server stores, for as long as this lives; servers may come and go meanwhile.
pub(crate) struct Data {
    directory: PathBuf,
    postgres: Option<Postgres>,
}

impl Data {
    pub(crate) fn new(kind: Kind) -> Self {
        let directory = std::env::temp_dir().join(format!("studyhall-test-{:032x}", rand::random::<u128>()));
        fs::create_dir(&directory).unwrap();
        let postgres = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(Postgres::start(&directory.join("postgres"))),
        };
        Self { directory, postgres }
    }

    /// Has a server store its things here.
    pub(crate) fn configure(&self, config: &mut Config) {
        config.data_dir = self.directory.join("data");
        config.database_url = self.postgres.as_ref().map(|postgres| Secret::new(postgres.url()));
    }

    /// Changes what is stored, past the server.
    pub(crate) async fn execute(&self, sql: &str) {
        let pool = self.open().await;
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&pool).await.unwrap();
        pool.close().await;
    }

    /// The number that a query finds, past the server.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        let pool = self.open().await;
        let row = sqlx::query(sql).fetch_one(&pool).await.unwrap();
        pool.close().await;
        sqlx::Row::try_get(&row, 0).unwrap()
    }

    async fn open(&self) -> sqlx::AnyPool {
        sqlx::any::install_default_drivers();
        sqlx::AnyPool::connect(&self.url()).await.unwrap()
    }

    /// The first column of what is stored, which has to be TEXT.
    pub(crate) async fn texts(&self, sql: &'static str) -> Vec<String> {
        let pool = self.open().await;
        let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap();
        pool.close().await;
        rows.iter().map(|row| sqlx::Row::try_get(row, 0).unwrap()).collect()
    }

    /// The first of [`Data::texts`] once it is as it shall be: what is stored is stored a moment later.
    pub(crate) async fn text_where(&self, sql: &'static str, is_meant: impl Fn(&str) -> bool) -> String {
        crate::harness::soon(sql, async {
            loop {
                if let Some(text) = self.texts(sql).await.into_iter().find(|text| is_meant(text)) {
                    return text;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await
    }

    fn url(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.url(),
            None => format!("sqlite://{}", self.directory.join("data/studyhall.db").display()),
        }
    }

    /// Where it is PostgreSQL.
    pub(crate) fn database_url(&self) -> Option<String> {
        self.postgres.as_ref().map(Postgres::url)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The PostgreSQL, where it is that.
    pub(crate) fn postgres(&mut self) -> &mut Postgres {
        self.postgres.as_mut().unwrap()
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        self.postgres = None;
        fs::remove_dir_all(&self.directory).unwrap_or_default();
    }
}

/// A PostgreSQL on a free port, with nothing kept safe from a loss of power.
pub(crate) struct Postgres {
    directory: PathBuf,
    port: u16,
    running: Option<Child>,
}

impl Postgres {
    fn start(directory: &Path) -> Self {
        fs::create_dir(directory).unwrap();
        if let Some((user, group)) = other_user() {
            chown(directory, Some(user), Some(group)).unwrap();
            // The directory around it is only for us otherwise.
            let around = directory.parent().unwrap();
            fs::set_permissions(around, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut this = Self { directory: directory.to_owned(), port, running: None };
        let made = this
            .command("initdb")
            .args(["--auth=trust", "--username=studyhall", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(directory.join("data"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        this.begin();
        this
    }

    /// Starts it, or starts it again.
    pub(crate) fn begin(&mut self) {
        let port = self.port.to_string();
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.directory.join("data")).arg("-k").arg(&self.directory).args(["-p", &port]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=60"]);
        self.running = Some(command.spawn().unwrap());
        let began = Instant::now();
        while !self.command("pg_isready").args(["-q", "-h", "127.0.0.1", "-p", &port]).status().unwrap().success() {
            assert!(began.elapsed() < Duration::from_secs(60), "PostgreSQL does not start");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Takes it away, as a loss of power would.
    pub(crate) fn end(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        // SIGQUIT ends it at once, with all that it started.
        let asked = Command::new("kill").args(["-QUIT", &running.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()));
        running.wait().unwrap();
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://studyhall@127.0.0.1:{}/postgres", self.port)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(find(program));
        command.current_dir(&self.directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = other_user() {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.end();
    }
}

/// PostgreSQL refuses to run as root: the user and group that Debian's package makes for it.
fn other_user() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| -> u32 {
        let output = Command::new("id").args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim().parse().expect("the user postgres is there: Debian's package postgresql makes it")
    };
    (id(&["-u"]) == 0).then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])))
}

/// Debian keeps most of PostgreSQL's programs off the path.
fn find(program: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin").join(program)).filter(|path| path.exists()).max();
    found.unwrap_or_else(|| program.into())
}
