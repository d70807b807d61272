//! One attempt to tell an event: the request, its signature, and what the answer means.

use std::time::Duration;

use aws_lc_rs::hmac;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use tracing::{debug, error, warn};

use crate::clock::now_ms;
use crate::config::Webhook;

/// How long the receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Waits between attempts, each twice the one before.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// What became of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Taken,
    /// The receiver is away, or wants to be asked later.
    Failed,
    /// The receiver does not want it, however often it is asked.
    Refused,
}

/// Who is told.
pub(super) struct Receiver {
    client: reqwest::Client,
    url: reqwest::Url,
    key: hmac::Key,
}

impl Receiver {
    pub(super) fn new(webhook: &Webhook) -> Option<Self> {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            // What is signed for one receiver is not for another.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .inspect_err(|error| error!(%error, "webhooks cannot be sent"))
            .ok()?;
        let url = reqwest::Url::parse(webhook.url.reveal()).ok()?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, webhook.secret.reveal().as_bytes());
        Some(Self { client, url, key })
    }

    /// Tells one event, once.
    pub(super) async fn tell(&self, id: &str, body: &str) -> Outcome {
        let seconds = now_ms() / 1000;
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "studyhall")
            .header("x-studyhall-event", id)
            .header("x-studyhall-signature", signature(&self.key, seconds, body))
            .body(body.to_owned());
        match request.send().await {
            Ok(response) => {
                let outcome = meaning(response.status());
                debug!(status = response.status().as_u16(), event = id, ?outcome, "the receiver of webhooks answered");
                if outcome == Outcome::Refused {
                    warn!(status = response.status().as_u16(), event = id, "the receiver of webhooks refuses an event");
                }
                outcome
            }
            Err(error) => {
                // Its URL may contain a password.
                debug!(error = %error.without_url(), event = id, "the receiver of webhooks is away");
                Outcome::Failed
            }
        }
    }
}

/// `t=` seconds since the Unix epoch, `v1=` HMAC-SHA256 over those, a full stop and the body.
fn signature(key: &hmac::Key, seconds: u64, body: &str) -> String {
    let tag = hmac::sign(key, format!("{seconds}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

/// What an answer means. A receiver that is not set up rightly (401, 404, a redirect) may be mended while events wait; one that
/// cannot read an event never will.
fn meaning(status: StatusCode) -> Outcome {
    match status.as_u16() {
        200..=299 => Outcome::Taken,
        400 | 410 | 413 | 415 | 422 => Outcome::Refused,
        _ => Outcome::Failed,
    }
}

/// How long to wait after so many failures in a row, with `chance` from 0 to 1: between half and the whole of a time that doubles.
pub(super) fn wait(failures: u32, chance: f64) -> Duration {
    let whole = FIRST_WAIT.saturating_mul(1 << failures.min(16)).min(LONGEST_WAIT);
    whole.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_signature_is_what_others_compute() {
        // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef0123456789abcdef");
        assert_eq!(signature(&key, 1_700_000_000, "{\"a\":1}"), SIGNED);
    }

    const SIGNED: &str = "t=1700000000,v1=f05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177";

    #[test]
    fn only_what_can_never_be_read_is_given_up() {
        let cases = [(200, Outcome::Taken), (204, Outcome::Taken), (400, Outcome::Refused), (422, Outcome::Refused)];
        for (status, expected) in cases {
            assert_eq!(meaning(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
        for status in [302, 401, 404, 408, 429, 500, 503] {
            assert_eq!(meaning(StatusCode::from_u16(status).unwrap()), Outcome::Failed, "{status}");
        }
    }

    proptest! {
        #[test]
        fn waits_grow_up_to_a_bound(failures: u32, chance in 0.0..=1.0_f64) {
            let now = wait(failures, chance);
            prop_assert!(now >= FIRST_WAIT / 2 && now <= LONGEST_WAIT);
            prop_assert!(wait(failures.saturating_add(2), chance) >= now);
            prop_assert!(failures < 10 || now >= LONGEST_WAIT / 2);
        }
    }
}
