//! Guests: a display name becomes a signed token. Nothing of it is kept here.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use tracing::error;
use unicode_normalization::UnicodeNormalization;

use super::messages::{CreateGuest, Guest};
use super::{Shared, read_json};
use crate::clock::{now_ms, rfc3339};
use crate::config::{Config, Secret};
use crate::error::{Code, Refusal};
use crate::signal::limits::{AddressRates, Rate};

/// How long a guest's token is good for.
const GUEST_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// Who tokens are for, and from.
const AUDIENCE: &str = "studyhall";
/// How far clocks may differ. All tokens are read by who wrote them.
const LEEWAY_SECONDS: u64 = 0;

pub(super) fn router() -> Router<Shared> {
    Router::new().route("/api/guests", post(create_guest))
}

/// What a token says.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Claims {
    /// Who: the guest's id.
    pub(crate) sub: String,
    /// Display name.
    pub(crate) name: String,
    /// When it was written, in seconds since the Unix epoch.
    pub(crate) iat: u64,
    /// When it ends.
    pub(crate) exp: u64,
    /// Who it is for.
    pub(crate) aud: String,
    /// Who wrote it.
    pub(crate) iss: String,
}

/// Writes and reads tokens. The algorithm is fixed here, never taken from a token.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Tokens {
    /// Signs with this secret, or with one that nobody knows.
    pub(crate) fn new(secret: Option<&Secret>) -> Self {
        let random: [u8; 32] = rand::random();
        let secret = secret.map_or(&random[..], |secret| secret.reveal().as_bytes());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        Self { encoding: EncodingKey::from_secret(secret), decoding: DecodingKey::from_secret(secret), validation }
    }

    /// A token for a new guest, written at `now` (seconds since the Unix epoch).
    fn issue(&self, now: u64, name: String) -> Result<Guest, Refusal> {
        let claims = Claims {
            sub: format!("{:032x}", rand::random::<u128>()),
            name,
            iat: now,
            exp: now + GUEST_LIFETIME.as_secs(),
            aud: AUDIENCE.to_owned(),
            iss: AUDIENCE.to_owned(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        let token = token.map_err(|error| {
            error!(%error, "a token cannot be signed");
            Refusal::internal()
        })?;
        let expires_at = rfc3339(claims.exp);
        Ok(Guest { token, guest_id: claims.sub, display_name: claims.name, expires_at })
    }

    /// Who a token is of.
    ///
    /// # Errors
    /// When it is not ours, or has ended.
    pub(crate) fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        match jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation) {
            Ok(data) => Ok(data.claims),
            Err(error) => {
                let sentence = match error.kind() {
                    jsonwebtoken::errors::ErrorKind::ExpiredSignature => "This token has ended; get a new one.",
                    _ => "This token is not valid here; get a new one.",
                };
                Err(Refusal::new(Code::Unauthorized, sentence))
            }
        }
    }
}

/// Who may have how many guests.
pub(crate) struct Guests {
    rates: Mutex<AddressRates>,
}

impl Guests {
    pub(crate) fn new(config: &Config) -> Self {
        let count = config.limits.guests_per_minute;
        let rate = Rate::new(count, Duration::from_secs(60), count);
        Self { rates: Mutex::new(AddressRates::new(rate)) }
    }

    fn take(&self, address: IpAddr) -> Result<(), Refusal> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        rates.take(Instant::now(), address).map_err(Refusal::rate_limited)
    }
}

/// Lets somebody in under a name, without an account.
#[utoipa::path(
    post, path = "/api/guests", tag = "accounts", request_body = CreateGuest,
    responses((status = 201, description = "Their token", body = Guest), super::openapi::Problems)
)]
pub(super) async fn create_guest(State(app): State<Shared>, request: Request) -> Result<Response, Refusal> {
    app.guests.take(super::client_address(&request, &app.config.trusted_proxies))?;
    let body: CreateGuest = read_json(request).await?;
    let name = display_name(&body.display_name, app.config.limits.display_name)?;
    let guest = app.tokens.issue(now_ms() / 1000, name)?;
    Ok((StatusCode::CREATED, Json(guest)).into_response())
}

/// The name as it is kept: trimmed, in Unicode's normalization form C.
///
/// # Errors
/// When it is too long, there is nothing to be seen of it, or it has characters that change what is around it.
fn display_name(typed: &str, longest: usize) -> Result<String, Refusal> {
    // Normalizing can make a text three times as long at most; far longer ones need not be looked at.
    let name: String = if typed.len() > longest * 32 { String::new() } else { typed.nfc().collect() };
    let name = name.trim().to_owned();
    let length = name.chars().count();
    if typed.len() > longest * 32 || length > longest || length == 0 || !name.chars().any(is_visible) {
        return Err(Refusal::bad_request(format!("displayName: 1 to {longest} characters are allowed.")));
    }
    if name.chars().any(|c| c.is_control() || is_disruptive(c)) {
        return Err(Refusal::bad_request("displayName: control characters are not allowed."));
    }
    Ok(name)
}

/// Whether there is something to see of a character by itself.
fn is_visible(c: char) -> bool {
    let is_blank = c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}')
        || matches!(c, '\u{2060}'..='\u{2064}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}');
    !is_blank
}

/// Line breaks, and what turns the direction of the text that follows.
fn is_disruptive(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::new(None)
    }

    fn now() -> u64 {
        now_ms() / 1000
    }

    #[test]
    fn names_are_kept_as_typed() {
        for name in ["A", "don't", "O'Brien", "<b>Bo</b>", "مريم", "李雷", "👩‍👩‍👧", "a b"] {
            assert_eq!(display_name(name, 50).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_are_trimmed_and_normalized() {
        assert_eq!(display_name("  Zoe\u{308} ", 50).as_deref(), Ok("Zo\u{eb}"));
        // Fifty letters that were typed as two characters each.
        let typed = "e\u{301}".repeat(50);
        assert_eq!(display_name(&typed, 50).unwrap().chars().count(), 50);
    }

    #[test]
    fn names_that_cannot_be_shown_are_refused() {
        let long = "a".repeat(51);
        let huge = "a".repeat(100_000);
        let names = [
            "",
            "   ",
            "\t\n",
            "\u{200b}\u{200d}",
            "\u{3164}",
            "a\nb",
            "a\u{0}b",
            "a\u{7f}",
            "a\u{85}b",
            "\u{202e}evil",
            "a\u{2028}b",
            "a\u{2066}b",
            &long,
            &huge,
        ];
        for name in names {
            let refusal = display_name(name, 50).unwrap_err();
            assert_eq!(refusal.code, Code::BadRequest, "{name:?}");
            assert!(refusal.sentence.starts_with("displayName: "), "{name:?}");
        }
    }

    #[test]
    fn a_token_says_who_it_is_of() {
        let tokens = tokens();
        let guest = tokens.issue(now(), "Zoë".into()).unwrap();
        let claims = tokens.verify(&guest.token).unwrap();
        assert_eq!(claims.sub, guest.guest_id);
        assert_eq!(claims.name, "Zoë");
    }

    #[test]
    fn a_token_ends() {
        let tokens = tokens();
        let lifetime = GUEST_LIFETIME.as_secs();
        assert!(tokens.verify(&tokens.issue(now() - lifetime + 60, "A".into()).unwrap().token).is_ok());
        let ended = tokens.issue(now() - lifetime - 2, "A".into()).unwrap().token;
        let refusal = tokens.verify(&ended).unwrap_err();
        assert_eq!(refusal.code, Code::Unauthorized);
        assert!(refusal.sentence.contains("ended"));
    }

    #[test]
    fn a_token_of_another_start_is_refused() {
        let token = tokens().issue(now(), "A".into()).unwrap().token;
        assert_eq!(tokens().verify(&token).unwrap_err().code, Code::Unauthorized);
    }

    fn claims() -> Claims {
        let text = || AUDIENCE.to_owned();
        Claims { sub: text(), name: text(), iat: now(), exp: now() + 60, aud: text(), iss: text() }
    }

    fn sign(algorithm: Algorithm, claims: &impl Serialize, key: &EncodingKey) -> String {
        jsonwebtoken::encode(&Header::new(algorithm), claims, key).unwrap()
    }

    #[test]
    fn the_algorithm_is_ours_and_not_the_tokens() {
        let tokens = tokens();
        assert!(tokens.verify(&sign(Algorithm::HS256, &claims(), &tokens.encoding)).is_ok());
        for algorithm in [Algorithm::HS384, Algorithm::HS512] {
            let token = sign(algorithm, &claims(), &tokens.encoding);
            assert!(tokens.verify(&token).is_err(), "{algorithm:?}");
        }
        // {"alg":"none","typ":"JWT"} in place of the header, with and without a signature.
        let token = sign(Algorithm::HS256, &claims(), &tokens.encoding);
        let mut parts = token.split('.').skip(1);
        let (body, signature) = (parts.next().unwrap(), parts.next().unwrap());
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        assert!(tokens.verify(&format!("{none}.{body}.")).is_err());
        assert!(tokens.verify(&format!("{none}.{body}.{signature}")).is_err());
    }

    #[test]
    fn a_token_for_somebody_else_or_without_an_end_is_refused() {
        let tokens = tokens();
        let verify =
            |claims: &serde_json::Value| tokens.verify(&sign(Algorithm::HS256, claims, &tokens.encoding)).is_ok();
        let good = serde_json::to_value(claims()).unwrap();
        assert!(verify(&good));
        for name in ["exp", "aud", "iss", "sub", "name"] {
            let mut claims = good.clone();
            claims.as_object_mut().unwrap().remove(name);
            assert!(!verify(&claims), "without {name}");
        }
        for name in ["aud", "iss"] {
            let mut claims = good.clone();
            claims[name] = "another".into();
            assert!(!verify(&claims), "another {name}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", ".", "..", "a.b.c", "eyJhbGciOiJIUzI1NiJ9.e30.", &"x".repeat(60_000)] {
            assert_eq!(tokens().verify(text).unwrap_err().code, Code::Unauthorized);
        }
    }
}
