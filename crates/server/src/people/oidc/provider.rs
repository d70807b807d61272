//! The other site: where its doors are, which keys it signs with, and what it says for a code.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use super::identity_token::{self, Expected, Identity, Invalid, Keys};
use super::{LoginError, encoded, form};
use crate::config::{self, Secret};
use crate::signal::limits::{Bucket, Rate};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest answer.
const MAX_ANSWER: usize = 256 * 1024;
/// How long is believed what it said of itself.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// A key that is not known may be a new one; but whoever makes keys up does not have us ask for the keys more often, in a minute.
const RENEWALS_PER_MINUTE: u32 = 2;

/// What it says of itself (OpenID Connect Discovery 1.0 §3).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Endpoints {
    issuer: String,
    pub(super) authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Clone)]
struct Known {
    endpoints: Arc<Endpoints>,
    keys: Arc<Keys>,
    at: Instant,
}

/// The other site.
pub(super) struct Provider {
    client: Client,
    issuer: String,
    client_id: String,
    client_secret: Option<Secret>,
    /// Held while it is asked, so that many who come at once have it asked once.
    known: Mutex<Option<Known>>,
    renewals: std::sync::Mutex<Bucket>,
}

fn renewal_rate() -> Rate {
    Rate::new(RENEWALS_PER_MINUTE, Duration::from_secs(60), RENEWALS_PER_MINUTE)
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

impl Provider {
    pub(super) fn new(config: &config::Oidc) -> Result<Self, reqwest::Error> {
        let client = Client::builder().timeout(PATIENCE).redirect(redirect::Policy::none()).build()?;
        Ok(Self {
            client,
            issuer: config.issuer.clone(),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            known: Mutex::default(),
            renewals: std::sync::Mutex::new(Bucket::full(Instant::now(), renewal_rate())),
        })
    }

    /// Its doors.
    pub(super) async fn endpoints(&self) -> Result<Arc<Endpoints>, LoginError> {
        Ok(self.known().await?.endpoints)
    }

    /// What it said of itself, or says now.
    async fn known(&self) -> Result<Known, LoginError> {
        let mut known = self.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.at.elapsed() < FRESH) {
            return Ok(known.clone());
        }
        let fresh = self.describe().await?;
        *known = Some(fresh.clone());
        Ok(fresh)
    }

    /// What it says of itself now; `None` when it was asked too often.
    async fn renewed(&self) -> Result<Option<Known>, LoginError> {
        let mut known = self.known.lock().await;
        let taken = self.renewals.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now(), renewal_rate());
        if taken.is_err() {
            return Ok(None);
        }
        let fresh = self.describe().await?;
        *known = Some(fresh.clone());
        Ok(Some(fresh))
    }

    async fn describe(&self) -> Result<Known, LoginError> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let endpoints: Endpoints = self.ask("its description", self.client.get(url)).await?;
        self.check(&endpoints)?;
        let set: Value = self.ask("its keys", self.client.get(&endpoints.jwks_uri)).await?;
        Ok(Known { endpoints: Arc::new(endpoints), keys: Arc::new(Keys::read(&set)), at: Instant::now() })
    }

    /// It has to be who was asked (Discovery §4.3), and all its doors as safe as that.
    fn check(&self, endpoints: &Endpoints) -> Result<(), LoginError> {
        if endpoints.issuer != self.issuer {
            let sentence = "it calls itself otherwise than STUDYHALL_OIDC_ISSUER does";
            return Err(LoginError::Unreachable(sentence.to_owned()));
        }
        let is_here = self.issuer.starts_with("http://");
        let urls = [&endpoints.authorization_endpoint, &endpoints.token_endpoint, &endpoints.jwks_uri];
        if urls.iter().all(|url| url.starts_with("https://") || (is_here && url.starts_with("http://"))) {
            return Ok(());
        }
        Err(LoginError::Unreachable("its addresses do not all begin with https://".to_owned()))
    }

    /// The identity token for a code (Core §3.1.3).
    pub(super) async fn exchange(&self, code: &str, redirect_uri: &str, verifier: &str) -> Result<String, LoginError> {
        let endpoints = self.endpoints().await?;
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ];
        let methods = endpoints.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let knows = |method: &str| methods.iter().any(|known| known == method);
        let mut request = self.client.post(&endpoints.token_endpoint);
        match &self.client_secret {
            // Both parts are encoded once more (RFC 6749 §2.3.1).
            Some(secret) if methods.is_empty() || knows("client_secret_basic") => {
                request = request.basic_auth(encoded(&self.client_id), Some(encoded(secret.reveal())));
            }
            Some(secret) => {
                parameters.extend([("client_id", self.client_id.as_str()), ("client_secret", secret.reveal())]);
            }
            None => parameters.push(("client_id", &self.client_id)),
        }
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form(&parameters));
        let answer: TokenAnswer = self.ask("a token", request).await?;
        Ok(answer.id_token)
    }

    /// Who a token is of.
    pub(super) async fn identity(&self, token: &str, nonce: &str) -> Result<Identity, LoginError> {
        let expected = Expected { issuer: &self.issuer, client_id: &self.client_id, nonce };
        let mut read = identity_token::read(token, &self.known().await?.keys, &expected);
        if read == Err(Invalid::NoSuchKey)
            && let Some(renewed) = self.renewed().await?
        {
            read = identity_token::read(token, &renewed.keys, &expected);
        }
        Ok(read?)
    }

    async fn ask<T: DeserializeOwned>(&self, what: &str, request: RequestBuilder) -> Result<T, LoginError> {
        let unreachable = |error: reqwest::Error| {
            // Addresses may carry what is nobody's business.
            LoginError::Unreachable(format!("asked for {what}: {}", error.without_url()))
        };
        let mut response = request.header(ACCEPT, "application/json").send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_client_error() {
            return Err(LoginError::Refused(format!("asked for {what}, it answers {status}")));
        }
        if !status.is_success() {
            return Err(LoginError::Unreachable(format!("asked for {what}, it answers {status}")));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(LoginError::Unreachable(format!("asked for {what}, it answers too much")));
            }
            body.extend_from_slice(&chunk);
        }
        // What it says instead may carry secrets, so only where it goes wrong is told.
        serde_json::from_slice(&body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            LoginError::Unreachable(format!("asked for {what}, it answers nonsense (line {line}, column {column})"))
        })
    }
}
