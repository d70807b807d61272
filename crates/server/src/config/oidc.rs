//! Another site whose login is good here too (OpenID Connect).

use axum::http::Uri;

use super::Secret;
use super::settings::{InvalidSetting, Sources};

/// Where people may sign in, and what we are called there.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// Its address, as it calls itself.
    pub issuer: String,
    /// Ours, there.
    pub client_id: String,
    /// What shows that it is us; `None`: nothing does.
    pub client_secret: Option<Secret>,
}

impl Oidc {
    pub(super) fn from_sources(sources: &mut Sources<'_>) -> Result<Option<Self>, InvalidSetting> {
        let found = sources.find("STUDYHALL_OIDC_ISSUER");
        let client_id = sources.find("STUDYHALL_OIDC_CLIENT_ID");
        let secret = sources.find("STUDYHALL_OIDC_CLIENT_SECRET").value;
        if found.value.trim().is_empty() {
            return Ok(None);
        }
        let issuer = found.read(issuer, "a URL such as https://login.example.org, and http:// on this machine only")?;
        let client_id = client_id.read(
            |text| (!text.is_empty()).then(|| text.to_owned()),
            "the name of this server at the site of STUDYHALL_OIDC_ISSUER",
        )?;
        Ok(Some(Self { issuer, client_id, client_secret: (!secret.is_empty()).then(|| Secret::new(secret)) }))
    }
}

/// Without TLS whoever is on the way could sign in as anybody.
fn issuer(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let host = uri.host()?;
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let is_good = match uri.scheme_str()? {
        "https" => true,
        "http" => is_here,
        _ => false,
    };
    let is_bare = uri.query().is_none() && !text.contains(['#', '@']);
    (is_good && is_bare).then(|| text.to_owned())
}
