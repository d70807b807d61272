//! The `studyhall` program: configuration, log, signals, exit code.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::{env, fs, io};

use server::Server;
use server::config::{Config, LoadError, Loaded, LogFormat};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The configuration is wrong; also what a wrong command line ends with.
const EXIT_CONFIG: u8 = 2;

fn main() -> ExitCode {
    let env_file = match fs::read_to_string(".env") {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            eprintln!("studyhall: .env cannot be read: {error}");
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let environment = |name: &str| env::var(name).ok();
    match Config::load(env::args_os(), &environment, env_file.as_deref()) {
        Ok(loaded) => start(loaded),
        Err(LoadError::CommandLine(error)) => error.exit(),
        Err(LoadError::Invalid(error)) => {
            eprintln!("studyhall: {error}");
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

fn start(Loaded { config, notes }: Loaded) -> ExitCode {
    open_log(&config.log, config.operation.log_format);
    for note in notes {
        warn!("{note}");
    }
    raise_file_limit();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("the system refuses threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(serve(config));
    // Whatever still runs after a bounded stop is not waited for.
    runtime.shutdown_background();
    code
}

async fn serve(config: Config) -> ExitCode {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        error!("the system refuses to pass on signals");
        return ExitCode::FAILURE;
    };
    let host = config.host.clone();
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => {
            error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    match server.local_addr() {
        Ok(address) => {
            info!("Server listening on port {}", address.port());
            info!("Open http://{}:{}", page_host(&host), address.port());
        }
        Err(error) => error!("the system does not say where we listen: {error}"),
    }
    server
        .run(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    ExitCode::SUCCESS
}

/// The host of the address to open on this machine: all addresses are no address.
fn page_host(host: &str) -> String {
    match host.parse::<std::net::IpAddr>() {
        Ok(address) if address.is_unspecified() => "localhost".to_owned(),
        Ok(std::net::IpAddr::V6(address)) => format!("[{address}]"),
        _ => host.to_owned(),
    }
}

fn open_log(filter: &str, format: LogFormat) {
    let filter: Targets = filter.parse().unwrap_or_else(|_| Targets::new());
    let is_colourful = io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt::layer().with_target(false);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(is_colourful).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    tracing_subscriber::registry().with(lines).with(filter).init();
}

/// Each connection is an open file; many systems allow only 1,024 unless they are asked for more.
fn raise_file_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        warn!("the limit of open files cannot be raised: {error}");
    }
}
