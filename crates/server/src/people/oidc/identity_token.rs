//! Checks identity tokens (OpenID Connect Core 1.0 §3.1.3.7). The algorithm is chosen by the provider's key, among those we
//! allow; what the token says of it only has to agree.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::LoginError;

/// Keys of a provider that are looked at.
const MAX_KEYS: usize = 50;
/// How far the provider's clock may differ from ours.
const LEEWAY_SECONDS: u64 = 60;
/// Longest subject (Core §2).
const MAX_SUBJECT: usize = 255;

/// One key, and the one algorithm that it is good for.
struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// The keys of a provider.
pub(super) struct Keys(Vec<Key>);

impl Keys {
    /// Those of a JSON Web Key Set that we can use; others are passed over (RFC 7517 §5).
    pub(super) fn read(set: &Value) -> Self {
        let keys = set.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self(keys.iter().take(MAX_KEYS).filter_map(Key::read).collect())
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(parameters) if parameters.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            _ => return None,
        };
        let is_for_another = jwk.common.key_algorithm.is_some_and(|said| said != KeyAlgorithm::from(algorithm));
        let is_for_signing = jwk.common.public_key_use.as_ref().is_none_or(|said| *said == PublicKeyUse::Signature);
        if is_for_another || !is_for_signing {
            return None;
        }
        Some(Self { key: DecodingKey::from_jwk(&jwk).ok()?, id: jwk.common.key_id, algorithm })
    }
}

/// What a token has to say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
}

/// Why a token is not good.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("its identity token is signed with a key that it does not name among its own")]
    NoSuchKey,
    #[error("its identity token is not good: {0}")]
    Token(String),
}

impl From<Invalid> for LoginError {
    fn from(error: Invalid) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Somebody, as the provider says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    pub(crate) issuer: String,
    /// Never another's, at this issuer.
    pub(crate) subject: String,
    /// Only where the provider has seen that it is theirs.
    pub(crate) email: Option<String>,
    pub(crate) name: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    nonce: Option<String>,
    email: Option<String>,
    /// Some providers write it as text.
    email_verified: Option<Value>,
    name: Option<String>,
    preferred_username: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    Many(Vec<String>),
    /// Which one is checked with the signature.
    One(IgnoredAny),
}

/// Who a token is of.
pub(super) fn read(token: &str, keys: &Keys, expected: &Expected<'_>) -> Result<Identity, Invalid> {
    let wrong = |what: &str| Invalid::Token(what.to_owned());
    let header = jsonwebtoken::decode_header(token).map_err(|error| wrong(&error.to_string()))?;
    let fits = |key: &&Key| key.algorithm == header.alg && (header.kid.is_none() || key.id == header.kid);
    let key = keys.0.iter().find(fits).ok_or(Invalid::NoSuchKey)?;
    let mut validation = Validation::new(key.algorithm);
    validation.leeway = LEEWAY_SECONDS;
    validation.set_audience(&[expected.client_id]);
    validation.set_issuer(&[expected.issuer]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    let decoded = jsonwebtoken::decode::<Claims>(token, &key.key, &validation);
    let claims = decoded.map_err(|error| wrong(&error.to_string()))?.claims;
    let is_for_others_too = matches!(&claims.aud, Audience::Many(all) if all.len() > 1);
    if claims.azp.as_deref().map_or(is_for_others_too, |party| party != expected.client_id) {
        return Err(wrong("it was made for somebody else"));
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(wrong("it belongs to another login"));
    }
    if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT {
        return Err(wrong("its subject is empty or too long"));
    }
    let is_verified = match &claims.email_verified {
        Some(Value::Bool(is_verified)) => *is_verified,
        Some(Value::String(text)) => text == "true",
        _ => false,
    };
    Ok(Identity {
        issuer: claims.iss,
        subject: claims.sub,
        email: claims.email.filter(|_| is_verified),
        name: claims.name.or(claims.preferred_username),
    })
}
