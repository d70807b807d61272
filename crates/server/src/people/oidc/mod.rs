//! Signing in by another site's login: OpenID Connect Core 1.0 §3.1, authorization code with PKCE (RFC 7636).
//!
//! Between the two visits of the browser nothing is kept here: a signed cookie carries the state, and nonce and verifier are
//! derived from it.

mod identity_token;
mod provider;

use aws_lc_rs::{constant_time, digest};

use super::{Tokens, random_secret};
use crate::config;
use crate::error::{Code, Refusal};
pub(crate) use identity_token::Identity;
use provider::Provider;

/// How long somebody may take to sign in elsewhere.
pub(crate) const STATE_SECONDS: u64 = 10 * 60;

/// Why it did not work.
#[derive(Debug, thiserror::Error)]
enum LoginError {
    /// The other site does not answer, or not as it should.
    #[error("{0}")]
    Unreachable(String),
    /// It answers that it does not know this login, or says things that are not for us.
    #[error("{0}")]
    Refused(String),
}

impl From<LoginError> for Refusal {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Unreachable(what) => {
                tracing::warn!("signing in by another site: {what}");
                Self::busy("The other site does not answer as it should; try again in a moment.")
            }
            LoginError::Refused(what) => {
                tracing::info!("signing in by another site: {what}");
                Self::new(Code::Unauthorized, "The other site's answer is not valid; sign in again.")
            }
        }
    }
}

/// What begins a login elsewhere.
pub(crate) struct Departure {
    /// Where the browser goes.
    pub(crate) url: String,
    /// What it brings back.
    pub(crate) cookie: String,
}

/// What the browser comes back with.
pub(crate) struct Arrival<'a> {
    pub(crate) code: &'a str,
    pub(crate) state: &'a str,
    pub(crate) cookie: &'a str,
}

/// The login of another site.
pub(crate) struct Oidc {
    provider: Provider,
    client_id: String,
}

impl Oidc {
    /// Asks nobody anything yet.
    ///
    /// # Errors
    /// When this machine's certificates cannot be read.
    pub(crate) fn new(config: &config::Oidc) -> Result<Self, reqwest::Error> {
        Ok(Self { provider: Provider::new(config)?, client_id: config.client_id.clone() })
    }

    /// Where to send the browser, which has to come back to `redirect_uri`.
    pub(crate) async fn depart(
        &self,
        tokens: &Tokens,
        now_seconds: u64,
        redirect_uri: &str,
    ) -> Result<Departure, Refusal> {
        let endpoint = self.provider.endpoints().await?.authorization_endpoint.clone();
        let state = random_secret();
        let (nonce, verifier) = derived(tokens, &state);
        let challenge = base64url(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref());
        let parameters = form(&[
            ("response_type", "code"),
            ("scope", "openid email profile"),
            ("client_id", &self.client_id),
            ("redirect_uri", redirect_uri),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let separator = if endpoint.contains('?') { '&' } else { '?' };
        let cookie = state_cookie(tokens, now_seconds + STATE_SECONDS, &state);
        Ok(Departure { url: format!("{endpoint}{separator}{parameters}"), cookie })
    }

    /// Who came back. The code is exchanged at the provider, whose answer is checked.
    pub(crate) async fn arrive(
        &self,
        tokens: &Tokens,
        now_seconds: u64,
        redirect_uri: &str,
        arrival: &Arrival<'_>,
    ) -> Result<Identity, Refusal> {
        if read_state_cookie(tokens, now_seconds, arrival.cookie) != Some(arrival.state) {
            let sentence = "This login did not begin in this browser, or took too long; sign in again.";
            return Err(Refusal::new(Code::Unauthorized, sentence));
        }
        let (nonce, verifier) = derived(tokens, arrival.state);
        let token = self.provider.exchange(arrival.code, redirect_uri, &verifier).await?;
        Ok(self.provider.identity(&token, &nonce).await?)
    }
}

/// Nonce and PKCE verifier of a state: nobody without our key can tell them.
fn derived(tokens: &Tokens, state: &str) -> (String, String) {
    (tokens.derive("oidc nonce", state), tokens.derive("oidc verifier", state))
}

fn state_cookie(tokens: &Tokens, until: u64, state: &str) -> String {
    let said = format!("{until}.{state}");
    format!("{said}.{}", tokens.derive("oidc state", &said))
}

/// The state that a cookie of ours carries, if it is not over.
fn read_state_cookie<'a>(tokens: &Tokens, now_seconds: u64, cookie: &'a str) -> Option<&'a str> {
    let (said, signature) = cookie.rsplit_once('.')?;
    let expected = tokens.derive("oidc state", said);
    constant_time::verify_slices_are_equal(signature.as_bytes(), expected.as_bytes()).ok()?;
    let (until, state) = said.split_once('.')?;
    (until.parse::<u64>().ok()? > now_seconds).then_some(state)
}

/// As `application/x-www-form-urlencoded`, which is good in a query too.
fn form(parameters: &[(&str, &str)]) -> String {
    let pairs = parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// Everything but RFC 3986's unreserved characters as %XX.
fn encoded(value: &str) -> String {
    use std::fmt::Write as _;
    value.bytes().fold(String::with_capacity(value.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().chain(std::iter::repeat(&0)).take(3).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        for position in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(group >> (18 - 6 * position) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_made_as_in_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let challenge = base64url(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref());
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        // RFC 4648 §10, and the two letters that differ.
        for (bytes, expected) in [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"\xfb\xff", "-_8")]
        {
            assert_eq!(base64url(bytes), expected);
        }
    }

    #[test]
    fn values_are_encoded_for_a_query() {
        assert_eq!(form(&[("a", "b c&d=é"), ("e", "A-z.0_9~")]), "a=b%20c%26d%3D%C3%A9&e=A-z.0_9~");
    }

    #[test]
    fn a_state_is_taken_from_our_own_cookie_only_and_not_for_long() {
        let (ours, theirs) = (Tokens::new(b"one key"), Tokens::new(b"another"));
        let cookie = state_cookie(&ours, 100, "state");
        assert_eq!(read_state_cookie(&ours, 99, &cookie), Some("state"));
        assert_eq!(read_state_cookie(&ours, 100, &cookie), None);
        assert_eq!(read_state_cookie(&theirs, 99, &cookie), None);
        let longer = cookie.replacen("100", "999", 1);
        for wrong in ["", ".", "..", "100.state", &longer, &cookie[..cookie.len() - 1]] {
            assert_eq!(read_state_cookie(&ours, 99, wrong), None, "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_cookie_that_was_made_up_is_taken(cookie in "[0-9a-f.]{0,200}|\\PC*") {
            proptest::prop_assert_eq!(read_state_cookie(&Tokens::new(b"a key"), 0, &cookie), None);
        }
    }
}
