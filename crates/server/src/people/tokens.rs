//! Tokens: who somebody is, signed. Nothing of them is kept here but who was deleted before their token ended.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use tracing::error;

use super::{Person, hexadecimal, random_id};
use crate::error::{Code, Refusal};

/// How long a guest's token is good for.
const GUEST_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// How long an account's token is good for; the refresh token gets the next one.
const ACCOUNT_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Who tokens are for, and from.
const AUDIENCE: &str = "studyhall";
/// How far clocks may differ. All tokens are read by who wrote them.
const LEEWAY_SECONDS: u64 = 0;
/// Deleted people whose tokens are remembered as ended.
const MAX_ENDED: usize = 10_000;

/// What somebody is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Guest,
    Account,
}

/// What a token says.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Claims {
    /// Who: the guest's or the account's id.
    sub: String,
    kind: Kind,
    /// Display name.
    name: String,
    /// Whether this is an administrator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    adm: bool,
    /// When it was written, in seconds since the Unix epoch.
    iat: u64,
    /// When it ends.
    exp: u64,
    /// Who it is for.
    aud: String,
    /// Who wrote it.
    iss: String,
}

/// A token, and when it ends.
pub(crate) struct Signed {
    pub(crate) token: String,
    /// Whose it is.
    pub(crate) person: Person,
    /// In seconds since the Unix epoch.
    pub(crate) expires_at: u64,
}

/// Writes and reads tokens. The algorithm is fixed here, never taken from a token.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    /// For what is not a token.
    derivation: hmac::Key,
    /// People who were deleted, until the last of their tokens has ended.
    ended: Mutex<HashMap<String, u64>>,
}

impl Tokens {
    /// Signs with this key.
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // A key of its own for each use (NIST SP 800-57 §5.2).
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), b"studyhall derived values");
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
            derivation: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()),
            ended: Mutex::default(),
        }
    }

    /// A token for a new guest, written at `now` (seconds since the Unix epoch).
    pub(crate) fn guest(&self, now: u64, display_name: String) -> Result<Signed, Refusal> {
        let id = format!("g:{}", random_id());
        self.sign(now, Person { id, display_name, is_account: false, is_admin: false })
    }

    /// A token for an account, written at `now` (seconds since the Unix epoch).
    pub(crate) fn account(&self, now: u64, id: &str, name: String, is_admin: bool) -> Result<Signed, Refusal> {
        self.sign(now, Person { id: format!("u:{id}"), display_name: name, is_account: true, is_admin })
    }

    fn sign(&self, now: u64, person: Person) -> Result<Signed, Refusal> {
        let (kind, lifetime) =
            if person.is_account { (Kind::Account, ACCOUNT_LIFETIME) } else { (Kind::Guest, GUEST_LIFETIME) };
        let claims = Claims {
            sub: person.bare_id().to_owned(),
            kind,
            name: person.display_name.clone(),
            adm: person.is_admin,
            iat: now,
            exp: now + lifetime.as_secs(),
            aud: AUDIENCE.to_owned(),
            iss: AUDIENCE.to_owned(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding);
        let token = token.map_err(|error| {
            error!(%error, "a token cannot be signed");
            Refusal::internal()
        })?;
        Ok(Signed { token, person, expires_at: claims.exp })
    }

    /// Who a token is of.
    ///
    /// # Errors
    /// When it is not ours, has ended, or is of somebody who was deleted.
    pub(crate) fn verify(&self, token: &str) -> Result<Person, Refusal> {
        let claims = match jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation) {
            Ok(data) => data.claims,
            Err(error) => {
                let sentence = match error.kind() {
                    jsonwebtoken::errors::ErrorKind::ExpiredSignature => "This token has ended; get a new one.",
                    _ => "This token is not valid here; get a new one.",
                };
                return Err(Refusal::new(Code::Unauthorized, sentence));
            }
        };
        let is_account = claims.kind == Kind::Account;
        let id = format!("{}:{}", if is_account { 'u' } else { 'g' }, claims.sub);
        if self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id) {
            return Err(Refusal::new(Code::Unauthorized, "Whoever this token is of was deleted."));
        }
        Ok(Person { id, display_name: claims.name, is_account, is_admin: is_account && claims.adm })
    }

    /// No token of this person is valid any more, for as long as this process runs.
    pub(crate) fn end(&self, now: u64, person: &Person) {
        let lifetime = if person.is_account { ACCOUNT_LIFETIME } else { GUEST_LIFETIME };
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= MAX_ENDED {
            ended.retain(|_, until| *until > now);
        }
        // Should that many people go within a token's life, the tokens of the last ones end by themselves.
        if ended.len() < MAX_ENDED {
            ended.insert(person.id.clone(), now + lifetime.as_secs());
        }
    }

    /// What only this server can make of `from`, always the same: 256 bits as text.
    pub(crate) fn derive(&self, purpose: &str, from: &str) -> String {
        // The length keeps two pairs from reading the same.
        let text = format!("{}:{purpose}:{from}", purpose.len());
        hexadecimal(hmac::sign(&self.derivation, text.as_bytes()).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::now_ms;

    fn tokens() -> Tokens {
        Tokens::new(&rand::random::<[u8; 32]>())
    }

    fn now() -> u64 {
        now_ms() / 1000
    }

    #[test]
    fn a_token_says_who_it_is_of() {
        let tokens = tokens();
        let guest = tokens.guest(now(), "Zoë".into()).unwrap();
        let person = tokens.verify(&guest.token).unwrap();
        assert_eq!(person, guest.person);
        assert_eq!((person.display_name.as_str(), person.is_account, person.is_admin), ("Zoë", false, false));
        assert!(person.id.starts_with("g:"));
        let account = tokens.account(now(), "7", "Bo".into(), true).unwrap();
        let person = tokens.verify(&account.token).unwrap();
        assert_eq!((person.id.as_str(), person.is_account, person.is_admin), ("u:7", true, true));
    }

    #[test]
    fn a_token_ends() {
        let tokens = tokens();
        let lifetime = GUEST_LIFETIME.as_secs();
        assert!(tokens.verify(&tokens.guest(now() - lifetime + 60, "A".into()).unwrap().token).is_ok());
        let ended = tokens.guest(now() - lifetime - 2, "A".into()).unwrap().token;
        let refusal = tokens.verify(&ended).unwrap_err();
        assert_eq!(refusal.code, Code::Unauthorized);
        assert!(refusal.sentence.contains("ended"));
    }

    #[test]
    fn a_token_of_another_start_is_refused() {
        let token = tokens().guest(now(), "A".into()).unwrap().token;
        assert_eq!(tokens().verify(&token).unwrap_err().code, Code::Unauthorized);
    }

    fn claims() -> Claims {
        let text = || AUDIENCE.to_owned();
        Claims {
            sub: text(),
            kind: Kind::Guest,
            adm: false,
            name: text(),
            iat: now(),
            exp: now() + 60,
            aud: text(),
            iss: text(),
        }
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
        for name in ["exp", "aud", "iss", "sub", "name", "kind"] {
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

    #[test]
    fn a_guest_who_says_to_be_an_administrator_is_none() {
        let tokens = tokens();
        let claims = Claims { adm: true, ..claims() };
        assert!(!tokens.verify(&sign(Algorithm::HS256, &claims, &tokens.encoding)).unwrap().is_admin);
    }

    #[test]
    fn an_accounts_token_ends_after_a_quarter_of_an_hour() {
        let tokens = tokens();
        let written = |ago: u64| tokens.account(now() - ago, "7", "Bo".into(), false).unwrap().token;
        assert!(tokens.verify(&written(14 * 60)).is_ok());
        assert!(tokens.verify(&written(15 * 60 + 2)).is_err());
    }

    #[test]
    fn the_tokens_of_who_was_deleted_end_and_their_memory_is_bounded() {
        let tokens = tokens();
        let guest = tokens.guest(now(), "A".into()).unwrap();
        tokens.end(now(), &guest.person);
        assert!(tokens.verify(&guest.token).unwrap_err().sentence.contains("deleted"));
        let end = |now: u64, id: usize| {
            tokens.end(now, &Person { id: format!("u:{id}"), ..guest.person.clone() });
            tokens.ended.lock().unwrap().len()
        };
        for id in 0..MAX_ENDED * 2 {
            assert!(end(now(), id) <= MAX_ENDED);
        }
        assert_eq!(end(now() + GUEST_LIFETIME.as_secs(), 0), 1);
    }

    #[test]
    fn derived_values_differ_by_purpose_by_source_and_by_key() {
        let (one, other) = (tokens(), tokens());
        let values = [one.derive("a", "b:c"), one.derive("a:b", "c"), one.derive("a", "b"), other.derive("a", "b:c")];
        let different: std::collections::HashSet<_> = values.iter().collect();
        assert_eq!(different.len(), values.len());
        assert_eq!(one.derive("a", "b"), values[2]);
    }
}
