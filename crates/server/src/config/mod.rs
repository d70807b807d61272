//! Configuration: flags, environment and `.env`, checked before anything starts.

mod env_file;
mod oidc;
mod operations;
mod settings;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

pub use oidc::Oidc;
pub use operations::{LogFormat, Operation, Webhook};
pub use settings::InvalidSetting;
use settings::{Found, Sources};

/// A secret shorter than this can be guessed (RFC 7518 §3.2: as long as the hash's output).
const MIN_SECRET_CHARS: usize = 32;

/// Microphones of a room that are heard where only other rooms are named.
const DEFAULT_LOUDEST: u8 = 5;

/// Everything that can be chosen at start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Port of HTTP and Socket.IO; 0 takes a free one.
    pub port: u16,
    /// Address or name to listen on.
    pub host: String,
    /// What the media candidates name; empty: this machine's own addresses.
    pub announced: Vec<IpAddr>,
    /// First UDP port for media.
    pub rtc_min_port: u16,
    /// Last UDP port for media.
    pub rtc_max_port: u16,
    /// Addresses to receive media on; empty: all.
    pub listen: Vec<IpAddr>,
    /// Media workers.
    pub workers: usize,
    /// Silence after which a media connection counts as lost.
    pub consent_timeout: Duration,
    /// How long a seat is kept for somebody whose connection broke.
    pub resume_grace: Duration,
    /// Bounds of what a viewer's link is believed to carry.
    pub bitrate_limits: sfu::BitrateLimits,
    /// Where the database and the keys are kept.
    pub data_dir: PathBuf,
    /// A PostgreSQL database; `None`: SQLite in the data directory.
    pub database_url: Option<Secret>,
    /// Signs tokens; `None`: one that is made once and kept in the data directory.
    pub jwt_secret: Option<Secret>,
    /// Another site whose login is good here too.
    pub oidc: Option<Oidc>,
    /// Other sites whose pages are let in.
    pub allowed_origins: Vec<String>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Prefix>,
    /// What nobody may exceed.
    pub limits: Limits,
    /// Rooms whose media are traced into the log, by their ids.
    pub trace_rooms: Vec<String>,
    /// What is logged.
    pub log: String,
    /// What whoever operates the server can choose.
    pub operation: Operation,
}

/// What nobody may exceed.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Rooms to begin with.
    pub rooms: u32,
    /// Seats of each.
    pub room_capacity: u32,
    /// Microphones of a room that are heard at a time.
    pub loudest: Loudest,
    /// Guests of one address in a minute.
    pub guests_per_minute: u32,
    /// Passwords that one address may try in a minute.
    pub logins_per_minute: u32,
    /// Characters of a display name.
    pub display_name: usize,
    /// Connections at the same time.
    pub connections: u32,
    /// Bytes of a Socket.IO message.
    pub message_bytes: usize,
    /// Binary attachments of a Socket.IO message.
    pub attachments: usize,
    /// Transports of a participant.
    pub transports: usize,
    /// Producers of a participant.
    pub producers: usize,
    /// Consumers of a participant.
    pub consumers: usize,
    /// Media events of a participant in ten seconds.
    pub media_events_per_10s: u32,
    /// Media events of a participant at once.
    pub media_events_burst: u32,
    /// Messages of a participant in ten seconds, and at once.
    pub chat_messages_per_10s: u32,
    /// Other events of a participant in ten seconds, and at once.
    pub other_events_per_10s: u32,
    /// Rooms that people may make, all together.
    pub made_rooms: usize,
    /// Rooms that one account may have.
    pub rooms_per_account: usize,
}

/// How many microphones of each room are heard at a time, the loudest; 0: all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loudest {
    usual: u8,
    /// By the ids of rooms in which it is otherwise.
    of_rooms: HashMap<String, u8>,
}

impl Loudest {
    /// How many are heard in this room.
    pub fn of(&self, room: &str) -> u8 {
        self.of_rooms.get(room).copied().unwrap_or(self.usual)
    }

    /// The rooms in which it is otherwise than usual.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.of_rooms.keys().map(String::as_str)
    }

    fn from_found(found: &Found) -> Result<Self, InvalidSetting> {
        let one = |text: &str| match text.split_once('=') {
            None => Some((None, text.parse().ok()?)),
            Some((room, count)) => Some((Some(room_id(room.trim())?), count.trim().parse().ok()?)),
        };
        let wanted = "a number from 0 to 255, and after it rooms in which it is otherwise, such as 5,study-room-1=0";
        let all: Vec<(Option<String>, u8)> = found.list(one, wanted)?;
        let (usual, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(room, _)| room.is_none());
        let usual = match usual.as_slice() {
            [] => DEFAULT_LOUDEST,
            [(_, count)] => *count,
            _ => return Err(found.refuse(wanted.to_owned())),
        };
        Ok(Self { usual, of_rooms: others.into_iter().filter_map(|(room, count)| Some((room?, count))).collect() })
    }
}

/// Never shown, not even by accident.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Of this text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A network: all addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    bits: u8,
}

impl Prefix {
    /// Whether `address` is in it. An IPv4 address that came mapped into IPv6 is the IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        let leading =
            |bits: u8, width: u8, x: u128, y: u128| bits == 0 || (x ^ y) >> (u32::from(width) - u32::from(bits)) == 0;
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(x), IpAddr::V4(y)) => leading(self.bits, 32, u128::from(x.to_bits()), u128::from(y.to_bits())),
            (IpAddr::V6(x), IpAddr::V6(y)) => leading(self.bits, 128, x.to_bits(), y.to_bits()),
            _ => false,
        }
    }
}

impl FromStr for Prefix {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().map_err(|_| ())?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(width);
        if bits > width { Err(()) } else { Ok(Self { address, bits }) }
    }
}

/// A configuration, and what whoever starts the server should know about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings, to be logged once there is a log.
    pub notes: Vec<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The command line is wrong, or asked for help.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// A value is wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidSetting),
}

impl Config {
    /// Reads the command line, the environment, and the text of a `.env` file where there is one.
    ///
    /// # Errors
    /// When the command line or a value is wrong, or help was asked for.
    pub fn load(
        arguments: impl IntoIterator<Item = OsString>,
        environment: &dyn Fn(&str) -> Option<String>,
        env_file: Option<&str>,
    ) -> Result<Loaded, LoadError> {
        let matches = settings::command().try_get_matches_from(arguments)?;
        let (file, unread) = env_file.map(env_file::parse).unwrap_or_default();
        let notes = unread.iter().map(|line| format!("line {line} of .env cannot be read")).collect();
        let mut sources = Sources { flags: settings::flags_of(&matches), environment, file, notes };
        sources.note_unknown();
        let config = Self::from_sources(&mut sources)?;
        let mut notes = sources.notes;
        notes.extend(config.unreachable_announcements());
        Ok(Loaded { config, notes })
    }

    fn from_sources(sources: &mut Sources<'_>) -> Result<Self, InvalidSetting> {
        let announced = addresses(&sources.find("STUDYHALL_ANNOUNCED_IP"))?;
        let listen = addresses(&sources.find("STUDYHALL_LISTEN_IP"))?;
        let workers = workers(&sources.find("STUDYHALL_WORKERS"))?;
        let (rtc_min_port, rtc_max_port) = rtc_ports(sources, workers)?;
        let origins = sources.find("STUDYHALL_ALLOWED_ORIGINS");
        let proxies = sources.find("STUDYHALL_TRUSTED_PROXIES");
        Ok(Self {
            port: sources.find("STUDYHALL_PORT").number(0..=65_535)?,
            host: sources.find("STUDYHALL_HOST").read(host, "an IP address, or the name of this machine")?,
            announced,
            rtc_min_port,
            rtc_max_port,
            listen,
            workers,
            consent_timeout: Duration::from_secs(sources.find("STUDYHALL_CONSENT_TIMEOUT").number(10..=60)?),
            resume_grace: Duration::from_secs(sources.find("STUDYHALL_RESUME_SECONDS").number(0..=300)?),
            bitrate_limits: bitrate_limits(sources)?,
            data_dir: sources.find("STUDYHALL_DATA_DIR").value.into(),
            database_url: database_url(&sources.find("STUDYHALL_DATABASE_URL"))?,
            jwt_secret: secret(&sources.find("STUDYHALL_JWT_SECRET"))?,
            oidc: Oidc::from_sources(sources)?,
            allowed_origins: origins.list(origin, "a comma-separated list of origins such as https://example.org")?,
            trusted_proxies: proxies.list(
                |text| text.parse().ok(),
                "a comma-separated list of IP addresses or prefixes such as 10.0.0.0/8",
            )?,
            limits: Limits::from_sources(sources)?,
            trace_rooms: sources
                .find("STUDYHALL_TRACE_ROOM")
                .list(room_id, "a comma-separated list of room ids such as study-room-1")?,
            log: sources.find("STUDYHALL_LOG").read(log_filter, "a filter such as info,sfu=debug")?,
            operation: Operation::from_sources(sources)?,
        })
    }

    /// Whether only this machine can reach the page.
    pub fn is_local_only(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|host| host.is_loopback())
    }

    /// What to tell about announced addresses that browsers cannot reach.
    fn unreachable_announcements(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let set = "set MEDIASOUP_ANNOUNCED_IP (or STUDYHALL_ANNOUNCED_IP) to the address by which browsers \
                   reach this machine, or leave it empty for this machine's own addresses";
        if let Some(address) = self.announced.iter().find(|address| address.is_unspecified()) {
            notes.push(format!("browsers are told to send media to {address}, which is no address: {set}"));
        }
        let only_loopback = !self.announced.is_empty() && self.announced.iter().all(IpAddr::is_loopback);
        if only_loopback && !self.is_local_only() {
            notes.push(format!(
                "browsers are told to send media to {}, so only those on this machine will see and hear \
                 anybody: {set}",
                self.announced[0]
            ));
        }
        notes
    }
}

impl Limits {
    fn from_sources(sources: &mut Sources<'_>) -> Result<Self, InvalidSetting> {
        Ok(Self {
            rooms: sources.find("STUDYHALL_ROOMS").number(1..=1_000)?,
            room_capacity: sources.find("STUDYHALL_ROOM_CAPACITY").number(1..=1_000)?,
            loudest: Loudest::from_found(&sources.find("STUDYHALL_LOUDEST"))?,
            guests_per_minute: sources.find("STUDYHALL_GUESTS_PER_MINUTE").number(1..=1_000_000)?,
            logins_per_minute: sources.find("STUDYHALL_LOGINS_PER_MINUTE").number(1..=1_000_000)?,
            display_name: sources.find("STUDYHALL_MAX_DISPLAY_NAME").number(1..=500)?,
            connections: sources.find("STUDYHALL_MAX_CONNECTIONS").number(1..=1_000_000)?,
            // Below 16 KiB the RTP capabilities of a browser do not fit.
            message_bytes: sources.find("STUDYHALL_MAX_MESSAGE_BYTES").number(16_384..=1_048_576)?,
            attachments: sources.find("STUDYHALL_MAX_ATTACHMENTS").number(0..=10)?,
            transports: sources.find("STUDYHALL_MAX_TRANSPORTS").number(2..=16)?,
            producers: sources.find("STUDYHALL_MAX_PRODUCERS").number(1..=16)?,
            consumers: sources.find("STUDYHALL_MAX_CONSUMERS").number(1..=1_000)?,
            media_events_per_10s: sources.find("STUDYHALL_MEDIA_EVENTS_PER_10S").number(1..=100_000)?,
            media_events_burst: sources.find("STUDYHALL_MEDIA_EVENTS_BURST").number(1..=100_000)?,
            chat_messages_per_10s: sources.find("STUDYHALL_CHAT_MESSAGES_PER_10S").number(1..=100_000)?,
            made_rooms: sources.find("STUDYHALL_MAX_ROOMS").number(0..=10_000)?,
            rooms_per_account: sources.find("STUDYHALL_ROOMS_PER_ACCOUNT").number(0..=10_000)?,
            other_events_per_10s: sources.find("STUDYHALL_OTHER_EVENTS_PER_10S").number(1..=100_000)?,
        })
    }
}

fn addresses(found: &Found) -> Result<Vec<IpAddr>, InvalidSetting> {
    found.list(|text| text.parse().ok(), "an IP address, or several with commas between them (no names, no ports)")
}

fn workers(found: &Found) -> Result<usize, InvalidSetting> {
    if found.value.is_empty() {
        return Ok(std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    }
    found.number(1..=256)
}

fn bitrate_limits(sources: &mut Sources<'_>) -> Result<sfu::BitrateLimits, InvalidSetting> {
    let min = sources.find("STUDYHALL_MIN_BITRATE").number(10..=100_000_u64)?;
    let max = sources.find("STUDYHALL_MAX_BITRATE").number(min..=10_000_000)?;
    let start = sources.find("STUDYHALL_START_BITRATE").number(min..=max)?;
    Ok(sfu::BitrateLimits { min: min * 1000, start: start * 1000, max: max * 1000 })
}

fn rtc_ports(sources: &mut Sources<'_>, workers: usize) -> Result<(u16, u16), InvalidSetting> {
    let min = sources.find("STUDYHALL_RTC_MIN_PORT").number(1..=65_535)?;
    let max_found = sources.find("STUDYHALL_RTC_MAX_PORT");
    let max: u16 = max_found.number(1..=65_535)?;
    let needed = usize::from(min) + workers - 1;
    if usize::from(max) < needed {
        return Err(max_found
            .refuse(format!("a port from {needed} on ({workers} media workers from port {min} on, one port each)")));
    }
    Ok((min, max))
}

fn host(text: &str) -> Option<String> {
    let is_name = || {
        !text.is_empty()
            && text.len() <= 253
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
            // All digits and dots is an address gone wrong.
            && text.chars().any(|c| c.is_ascii_alphabetic())
    };
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    (bare.parse::<IpAddr>().is_ok() || is_name()).then(|| bare.to_owned())
}

fn database_url(found: &Found) -> Result<Option<Secret>, InvalidSetting> {
    if found.value.is_empty() {
        return Ok(None);
    }
    let is_postgres = |text: &str| text.starts_with("postgres://") || text.starts_with("postgresql://");
    let read = |text: &str| is_postgres(text).then(|| Some(Secret(text.to_owned())));
    found.read(read, "a URL such as postgres://user:password@host/name")
}

fn secret(found: &Found) -> Result<Option<Secret>, InvalidSetting> {
    if found.value.is_empty() {
        return Ok(None);
    }
    if found.value.chars().count() < MIN_SECRET_CHARS {
        return Err(found.refuse(format!("a secret of at least {MIN_SECRET_CHARS} characters")));
    }
    Ok(Some(Secret(found.value.clone())))
}

/// Scheme and authority as browsers send them; without the default port, in lower case.
fn origin(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    let uri: axum::http::Uri = text.parse().ok()?;
    let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
    let authority = uri.authority()?;
    if authority.as_str().contains('@') || !text.ends_with(authority.as_str()) {
        return None;
    }
    let default_port = if scheme == "https" { 443 } else { 80 };
    match authority.port_u16() {
        Some(port) if port == default_port => Some(format!("{scheme}://{}", authority.host())),
        _ => Some(text),
    }
}

fn room_id(text: &str) -> Option<String> {
    crate::room::is_room_id(text).then(|| text.to_owned())
}

fn log_filter(text: &str) -> Option<String> {
    text.parse::<tracing_subscriber::filter::Targets>().ok().map(|_| text.to_owned())
}

impl Default for Config {
    /// What `--help` says, and nothing from the outside.
    fn default() -> Self {
        let nothing = |_: &str| None;
        let loaded = Self::load([OsString::from("studyhall")], &nothing, None);
        loaded.expect("the defaults of the table are allowed").config
    }
}

impl Config {
    /// Listens on IPv4's loopback only, for what talks to it from the same machine.
    #[must_use]
    pub fn on_loopback(mut self) -> Self {
        self.host = Ipv4Addr::LOCALHOST.to_string();
        self.announced = vec![Ipv4Addr::LOCALHOST.into()];
        self.listen = vec![Ipv4Addr::LOCALHOST.into()];
        self
    }
}

#[cfg(test)]
mod tests;
