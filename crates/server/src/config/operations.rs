//! What whoever operates the server can choose.

use super::settings::{InvalidSetting, Sources};
use super::{Secret, secret};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What whoever operates the server can choose.
#[derive(Clone, Debug)]
pub struct Operation {
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Share of a core, in percent, from which on a media worker opens no more rooms; 0: never.
    pub max_worker_load: u32,
    /// Memory, in MiB, from which on no more rooms are opened; 0: never.
    pub max_memory_mb: u64,
    /// Lets in to the metrics; `None`: only this machine.
    pub metrics_token: Option<Secret>,
    /// Lets in to the administrator's interface; `None`: nobody by a token.
    pub admin_token: Option<Secret>,
    /// Who is told what happens; `None`: nobody.
    pub webhook: Option<Webhook>,
}

/// Who is told what happens.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where to; may contain a password.
    pub url: Secret,
    /// Signs what is told.
    pub secret: Secret,
}

impl Operation {
    pub(super) fn from_sources(sources: &mut Sources<'_>) -> Result<Self, InvalidSetting> {
        let log_format = |text: &str| match text {
            "text" => Some(LogFormat::Text),
            "json" => Some(LogFormat::Json),
            _ => None,
        };
        Ok(Self {
            log_format: sources.find("STUDYHALL_LOG_FORMAT").read(log_format, "text or json")?,
            max_worker_load: sources.find("STUDYHALL_MAX_WORKER_LOAD").number(0..=100)?,
            max_memory_mb: sources.find("STUDYHALL_MAX_MEMORY_MB").number(0..=1_000_000_000)?,
            metrics_token: secret(&sources.find("STUDYHALL_METRICS_TOKEN"))?,
            admin_token: secret(&sources.find("STUDYHALL_ADMIN_TOKEN"))?,
            webhook: webhook(sources)?,
        })
    }
}

fn webhook(sources: &mut Sources<'_>) -> Result<Option<Webhook>, InvalidSetting> {
    let found = sources.find("STUDYHALL_WEBHOOK_URL");
    let signed_with = sources.find("STUDYHALL_WEBHOOK_SECRET");
    let signed_by = secret(&signed_with)?;
    if found.value.is_empty() {
        return Ok(None);
    }
    let is_http = |url: &reqwest::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    let read = |text: &str| reqwest::Url::parse(text).ok().filter(is_http).map(|_| Secret::new(text.to_owned()));
    let url = found.read(read, "a URL such as https://example.org/studyhall")?;
    let allowed = "a secret of at least 32 characters that the receiver knows too, as a webhook is set";
    Ok(Some(Webhook { url, secret: signed_by.ok_or_else(|| signed_with.refuse(allowed))? }))
}
