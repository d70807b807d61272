//! The table of settings, and where the value of each comes from: flag, environment, `.env`, default.

use std::collections::HashMap;
use std::fmt::Write as _;

use clap::{Arg, Command};

/// One setting: how it is called everywhere and what it is when nobody says.
pub(super) struct Setting {
    /// Without the dashes; `None` for what must not stand in a process list.
    pub(super) flag: Option<&'static str>,
    /// Our environment variable.
    pub(super) ours: &'static str,
    /// The name that others use for the same; ours wins where both are set.
    pub(super) theirs: Option<&'static str>,
    /// In `--help`.
    pub(super) value: &'static str,
    /// In `--help`, and used.
    pub(super) default: &'static str,
    /// In `--help`.
    pub(super) help: &'static str,
}

macro_rules! settings {
    ($($flag:literal, $ours:literal, $theirs:expr, $value:literal, $default:literal, $help:literal;)*) => {
        &[$(Setting {
            flag: Some($flag), ours: $ours, theirs: $theirs, value: $value, default: $default, help: $help,
        }),*]
    };
}

const PUBLIC: &[Setting] = settings![
    "port", "STUDYHALL_PORT", Some("PORT"), "PORT", "8100",
        "Port of the web page, the REST interface and Socket.IO; 0 takes a free one";
    "host", "STUDYHALL_HOST", Some("HOST"), "ADDRESS", "::",
        "Address to listen on; :: means all, of IPv4 and IPv6";
    "announced-ip", "STUDYHALL_ANNOUNCED_IP", Some("MEDIASOUP_ANNOUNCED_IP"), "ADDRESSES", "",
        "Addresses that browsers are told to send media to, comma-separated; empty means this machine's own";
    "rtc-min-port", "STUDYHALL_RTC_MIN_PORT", Some("MEDIASOUP_RTC_MIN_PORT"), "PORT", "10000",
        "First UDP port for media; each worker uses one";
    "rtc-max-port", "STUDYHALL_RTC_MAX_PORT", Some("MEDIASOUP_RTC_MAX_PORT"), "PORT", "10100",
        "Last UDP port for media";
    "listen-ip", "STUDYHALL_LISTEN_IP", None, "ADDRESSES", "",
        "Addresses to receive media on, comma-separated; empty means all, of IPv4 and IPv6";
    "workers", "STUDYHALL_WORKERS", None, "COUNT", "",
        "Media workers; empty means one per CPU core";
    "consent-timeout", "STUDYHALL_CONSENT_TIMEOUT", None, "SECONDS", "60",
        "How long a browser may be silent before its media connection counts as lost, 10 to 60";
    "resume-seconds", "STUDYHALL_RESUME_SECONDS", None, "SECONDS", "30",
        "How long the seat of somebody is kept whose connection broke, 0 to 300";
    "min-bitrate", "STUDYHALL_MIN_BITRATE", None, "KBIT/S", "30",
        "Least that a viewer's link is believed to carry";
    "start-bitrate", "STUDYHALL_START_BITRATE", None, "KBIT/S", "600",
        "What a viewer's link is believed to carry before anything is known of it";
    "max-bitrate", "STUDYHALL_MAX_BITRATE", None, "KBIT/S", "100000",
        "Most that is sent to one viewer";
    "allowed-origins", "STUDYHALL_ALLOWED_ORIGINS", None, "ORIGINS", "",
        "Other sites whose pages may use this server, comma-separated, such as https://example.org";
    "trusted-proxies", "STUDYHALL_TRUSTED_PROXIES", None, "ADDRESSES", "",
        "Proxies whose X-Forwarded-For is believed: addresses or prefixes such as 10.0.0.0/8, comma-separated";
    "rooms", "STUDYHALL_ROOMS", None, "COUNT", "10",
        "Rooms to begin with";
    "room-capacity", "STUDYHALL_ROOM_CAPACITY", None, "SEATS", "50",
        "Seats of each";
    "loudest", "STUDYHALL_LOUDEST", None, "COUNT", "5",
        "Microphones of a room that are heard at a time, the loudest; 0 means all; for one room as in 5,study-room-1=0";
    "guests-per-minute", "STUDYHALL_GUESTS_PER_MINUTE", None, "COUNT", "30",
        "Guests that one address may create in a minute";
    "logins-per-minute", "STUDYHALL_LOGINS_PER_MINUTE", None, "COUNT", "10",
        "Passwords that one address may try, and accounts that it may make, in a minute";
    "oidc-issuer", "STUDYHALL_OIDC_ISSUER", None, "URL", "",
        "Another site whose login is good here too (OpenID Connect), such as https://login.example.org; empty means none";
    "oidc-client-id", "STUDYHALL_OIDC_CLIENT_ID", None, "ID", "",
        "What this server is called there";
    "max-display-name", "STUDYHALL_MAX_DISPLAY_NAME", None, "CHARACTERS", "50",
        "Longest display name";
    "max-connections", "STUDYHALL_MAX_CONNECTIONS", None, "COUNT", "10000",
        "Connections at the same time; more have to wait";
    "max-message-bytes", "STUDYHALL_MAX_MESSAGE_BYTES", None, "BYTES", "65536",
        "Largest Socket.IO message";
    "max-attachments", "STUDYHALL_MAX_ATTACHMENTS", None, "COUNT", "10",
        "Binary attachments of one Socket.IO message";
    "max-transports", "STUDYHALL_MAX_TRANSPORTS", None, "COUNT", "3",
        "Transports of one participant: one each way and a spare";
    "max-producers", "STUDYHALL_MAX_PRODUCERS", None, "COUNT", "4",
        "Producers of one participant: microphone, camera, screen and its sound";
    "max-consumers", "STUDYHALL_MAX_CONSUMERS", None, "COUNT", "250",
        "Consumers of one participant";
    "media-events-per-10s", "STUDYHALL_MEDIA_EVENTS_PER_10S", None, "COUNT", "200",
        "Media events of one participant in ten seconds";
    "media-events-burst", "STUDYHALL_MEDIA_EVENTS_BURST", None, "COUNT", "400",
        "Media events of one participant at once";
    "chat-messages-per-10s", "STUDYHALL_CHAT_MESSAGES_PER_10S", None, "COUNT", "10",
        "Messages of one participant in ten seconds, and at once";
    "max-rooms", "STUDYHALL_MAX_ROOMS", None, "COUNT", "1000",
        "Rooms that people may make, all together; 0 means none";
    "rooms-per-account", "STUDYHALL_ROOMS_PER_ACCOUNT", None, "COUNT", "10",
        "Rooms that one account may have; administrators may have more";
    "other-events-per-10s", "STUDYHALL_OTHER_EVENTS_PER_10S", None, "COUNT", "50",
        "Other events of one participant in ten seconds, and at once";
    "data-dir", "STUDYHALL_DATA_DIR", None, "DIRECTORY", "data",
        "Where the database and the keys are kept; made where it is not there";
    "trace-room", "STUDYHALL_TRACE_ROOM", None, "ROOMS", "",
        "Rooms whose media are traced into the log, by their ids with commas between, such as study-room-1";
    "log", "STUDYHALL_LOG", Some("RUST_LOG"), "FILTER", "info",
        "What is logged: error, warn, info, debug, trace, or per module as in info,sfu=debug";
    "log-format", "STUDYHALL_LOG_FORMAT", None, "FORMAT", "text",
        "How it is written: text, or json with one object a line";
    "max-worker-load", "STUDYHALL_MAX_WORKER_LOAD", None, "PERCENT", "90",
        "Share of a CPU core from which on a media worker opens no more rooms; 0 means never";
    "max-memory-mb", "STUDYHALL_MAX_MEMORY_MB", None, "MIB", "0",
        "Memory of this process from which on no more rooms are opened; 0 means never";
];

/// What must not stand in a process list.
const SECRETS: &[Setting] = &[
    Setting {
        flag: None,
        ours: "STUDYHALL_JWT_SECRET",
        theirs: None,
        value: "SECRET",
        default: "",
        help: "Signs tokens, at least 32 characters; empty means one that is made once and kept in the data directory",
    },
    Setting {
        flag: None,
        ours: "STUDYHALL_OIDC_CLIENT_SECRET",
        theirs: None,
        value: "SECRET",
        default: "",
        help: "What this server shows to the site of STUDYHALL_OIDC_ISSUER; empty means that it is a public client",
    },
    Setting {
        flag: None,
        ours: "STUDYHALL_DATABASE_URL",
        theirs: None,
        value: "URL",
        default: "",
        help: "A PostgreSQL database, as in postgres://user:password@host/name; empty means a file in the data directory",
    },
    Setting {
        flag: None,
        ours: "STUDYHALL_METRICS_TOKEN",
        theirs: None,
        value: "SECRET",
        default: "",
        help: "Bearer token that lets in to /metrics, at least 32 characters; empty means only from this machine",
    },
    Setting {
        flag: None,
        ours: "STUDYHALL_ADMIN_TOKEN",
        theirs: None,
        value: "SECRET",
        default: "",
        help: "Bearer token that lets in to /api/admin, at least 32 characters; empty means that none does",
    },
    Setting {
        flag: None,
        ours: "STUDYHALL_WEBHOOK_URL",
        theirs: None,
        value: "URL",
        default: "",
        help: "Is told by POST when rooms start and end and people come and go; empty means nobody is",
    },
    Setting {
        flag: None,
        ours: "STUDYHALL_WEBHOOK_SECRET",
        theirs: None,
        value: "SECRET",
        default: "",
        help: "Signs what it is told, at least 32 characters",
    },
];

fn all() -> impl Iterator<Item = &'static Setting> {
    PUBLIC.iter().chain(SECRETS)
}

/// A setting is wrong, and so the server does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {shown}, but {allowed} is allowed")]
pub struct InvalidSetting {
    /// As the one who set it called it.
    pub name: String,
    /// The value in quotes, or a word in its place for a secret.
    pub shown: String,
    /// What would be right.
    pub allowed: String,
}

/// A value, and who said so.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) value: String,
    secret: bool,
}

impl Found {
    /// This is not allowed.
    pub(super) fn refuse(&self, allowed: impl Into<String>) -> InvalidSetting {
        let shown = if self.secret { "not shown here".to_owned() } else { format!("{:?}", self.value) };
        InvalidSetting { name: self.name.clone(), shown, allowed: allowed.into() }
    }

    /// The value, or an error that says what is allowed.
    pub(super) fn read<T>(&self, read: impl FnOnce(&str) -> Option<T>, allowed: &str) -> Result<T, InvalidSetting> {
        read(self.value.trim()).ok_or_else(|| self.refuse(allowed))
    }

    /// A whole number in a range.
    pub(super) fn number<T>(&self, range: std::ops::RangeInclusive<T>) -> Result<T, InvalidSetting>
    where
        T: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.read(|text| text.parse().ok().filter(|number| range.contains(number)), &allowed)
    }

    /// The parts between commas.
    pub(super) fn list<T>(&self, read: impl Fn(&str) -> Option<T>, allowed: &str) -> Result<Vec<T>, InvalidSetting> {
        self.value
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| read(part).ok_or_else(|| self.refuse(allowed)))
            .collect()
    }
}

/// Where values come from, strongest first.
pub(super) struct Sources<'a> {
    pub(super) flags: HashMap<&'static str, String>,
    pub(super) environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) file: HashMap<String, String>,
    /// What whoever starts the server should know.
    pub(super) notes: Vec<String>,
}

impl Sources<'_> {
    /// The value of the setting that we call `ours`.
    pub(super) fn find(&mut self, ours: &'static str) -> Found {
        let setting = all().find(|setting| setting.ours == ours).expect("asked for what is in the table");
        let found = |name: &str, value: String| Found { name: name.to_owned(), value, secret: setting.flag.is_none() };
        if let Some((flag, value)) = setting.flag.and_then(|flag| Some((flag, self.flags.get(flag)?))) {
            return found(&format!("--{flag}"), value.clone());
        }
        let environment = self.environment;
        if let Some((name, value)) = self.pick(setting, &|name| environment(name).map(unquoted)) {
            return found(name, value);
        }
        let file = std::mem::take(&mut self.file);
        let picked = self.pick(setting, &|name| file.get(name).cloned());
        self.file = file;
        match picked {
            Some((name, value)) => found(name, value),
            None => found(setting.ours, setting.default.to_owned()),
        }
    }

    /// Our name before theirs; says so where they differ. An empty value is none.
    fn pick(&mut self, setting: &Setting, get: &dyn Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
        let get = |name: &'static str| get(name).filter(|value| !value.is_empty()).map(|value| (name, value));
        let (ours, theirs) = (get(setting.ours), setting.theirs.and_then(get));
        if let (Some((our_name, our_value)), Some((their_name, their_value))) = (&ours, &theirs)
            && our_value != their_value
        {
            self.notes
                .push(format!("{our_name} is {our_value:?} and {their_name} is {their_value:?}: {our_name} wins"));
        }
        ours.or(theirs)
    }

    /// Notes each name that looks like ours and is not: a slip of the pen would otherwise go unseen.
    pub(super) fn note_unknown(&mut self) {
        let mut unknown: Vec<_> = self
            .file
            .keys()
            .filter(|name| name.starts_with("STUDYHALL_") && !all().any(|s| s.ours == name.as_str()))
            .cloned()
            .collect();
        unknown.sort();
        for name in unknown {
            self.notes.push(format!("{name} in .env is not the name of a setting; --help lists them"));
        }
    }
}

/// Docker's `--env-file` keeps the quotes that a shell would take off.
fn unquoted(value: String) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.to_owned();
        }
    }
    value
}

/// The command line, made of the table.
pub(super) fn command() -> Command {
    let mut command = Command::new("studyhall")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Shared study rooms with video and audio: one process, nothing else needed")
        .after_help(
            "Each setting can also be given by its environment variable or by a line in a file .env in the \
             working directory. A flag wins over the environment, the environment over .env.",
        );
    for setting in PUBLIC {
        let flag = setting.flag.expect("public settings have a flag");
        command = command.arg(Arg::new(flag).long(flag).value_name(setting.value).help(help_of(setting)).num_args(1));
    }
    let mut after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    after += "\n\nEnvironment only:";
    for secret in SECRETS {
        let _ = write!(after, "\n  {}: {}", secret.ours, secret.help);
    }
    command.after_help(after)
}

fn help_of(setting: &Setting) -> String {
    let mut help = format!("{} [env: {}", setting.help, setting.ours);
    if let Some(theirs) = setting.theirs {
        let _ = write!(help, ", {theirs}");
    }
    help.push(']');
    if !setting.default.is_empty() {
        let _ = write!(help, " [default: {}]", setting.default);
    }
    help
}

/// The flags that are there.
pub(super) fn flags_of(matches: &clap::ArgMatches) -> HashMap<&'static str, String> {
    PUBLIC
        .iter()
        .filter_map(|setting| setting.flag)
        .filter_map(|flag| Some((flag, matches.get_one::<String>(flag)?.clone())))
        .collect()
}
