//! People: guests by a name, accounts by e-mail and password or by another site's login, and what a token says of them.
//!
//! What comes in over HTTP is in `http::auth`, `http::me` and `http::oidc`; here is what it means.

mod accounts;
mod address_marks;
mod administrator;
mod backoff;
mod key;
mod names;
mod oidc;
mod own_data;
mod passwords;
mod refresh;
mod tokens;
mod upkeep;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;

use crate::config::Config;
use crate::error::Refusal;
use crate::signal::limits::{AddressRates, Rate};
use backoff::Backoff;

pub(crate) use accounts::{Account, Change, NewAccount, change, create, email, find, find_by_email, of_elsewhere};
pub(crate) use address_marks::{MARKS_LAST_MS, Marking, Marks};
pub(crate) use administrator::{appoint, offer_code, take_code};
pub use key::KeyError;
pub(crate) use key::signing_key;
pub(crate) use names::display_name;
pub(crate) use oidc::{Arrival, Identity, Oidc, STATE_SECONDS};
pub(crate) use own_data::{claim_guest, delete, export};
pub(crate) use passwords::{Hasher, password};
pub(crate) use refresh::{Issued, LIFETIME as REFRESH_LIFETIME, RefreshTokens};
pub(crate) use tokens::Tokens;
pub(crate) use upkeep::keep_up;

/// Requests of one address in a minute that need no password: a whole school may be behind it.
const VISITS_PER_MINUTE: u32 = 600;

/// Somebody, as their token says.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Person {
    /// `u:` and an account's id, or `g:` and a guest's.
    pub(crate) id: String,
    /// As typed; to be escaped where it is shown.
    pub(crate) display_name: String,
    /// Whether there is an account.
    pub(crate) is_account: bool,
    /// Whether they were administrator when the token was written. What changes something for others asks the database too.
    pub(crate) is_admin: bool,
}

impl Person {
    /// The id without what says which kind it is.
    pub(crate) fn bare_id(&self) -> &str {
        self.id.get(2..).unwrap_or_default()
    }
}

/// Names stay out of the log.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person").field("id", &self.id).field("is_admin", &self.is_admin).finish_non_exhaustive()
    }
}

/// What stands between strangers and the doors: rates, waits, and the passwords' queue.
pub(crate) struct Doors {
    guests: Mutex<AddressRates>,
    logins: Mutex<AddressRates>,
    visits: Mutex<AddressRates>,
    backoff: Mutex<Backoff>,
    pub(crate) hasher: Hasher,
}

impl Doors {
    /// Nobody came yet.
    pub(crate) fn new(config: &Config) -> Self {
        let rates = |count| Mutex::new(AddressRates::new(Rate::new(count, Duration::from_secs(60), count)));
        Self {
            guests: rates(config.limits.guests_per_minute),
            logins: rates(config.limits.logins_per_minute),
            visits: rates(VISITS_PER_MINUTE),
            backoff: Mutex::new(Backoff::new(std::hash::RandomState::new())),
            hasher: Hasher::new(),
        }
    }

    /// Somebody at this address wants to be a guest.
    pub(crate) fn guest(&self, address: IpAddr) -> Result<(), Refusal> {
        take(&self.guests, address)
    }

    /// Somebody at this address tries a password, a code, or makes an account.
    pub(crate) fn login(&self, address: IpAddr) -> Result<(), Refusal> {
        take(&self.logins, address)
    }

    /// Somebody at this address wants what costs a look into the database.
    pub(crate) fn visit(&self, address: IpAddr) -> Result<(), Refusal> {
        take(&self.visits, address)
    }

    /// A password is tried for this account, which may be none. It counts as wrong until [`Doors::was_right`].
    pub(crate) fn attempt(&self, now_ms: u64, account: &str) -> Result<(), Refusal> {
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        backoff.attempt(now_ms, account).map_err(|wait| Refusal {
            sentence: "Too many wrong passwords; wait before the next one.".to_owned(),
            ..Refusal::rate_limited(wait)
        })
    }

    /// It was right.
    pub(crate) fn was_right(&self, account: &str) {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner).was_right(account);
    }
}

fn take(rates: &Mutex<AddressRates>, address: IpAddr) -> Result<(), Refusal> {
    let mut rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
    rates.take(Instant::now(), address).map_err(Refusal::rate_limited)
}

/// A new id: nobody guesses it, and it says nothing.
pub(crate) fn random_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A secret of 256 bits, as text.
pub(crate) fn random_secret() -> String {
    hexadecimal(&rand::random::<[u8; 32]>())
}

/// SHA-256 of a secret that nobody can guess: all that is stored of it.
pub(crate) fn hash_of(secret: &str) -> String {
    hexadecimal(digest::digest(&digest::SHA256, secret.as_bytes()).as_ref())
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_of_a_secret_is_its_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn an_address_may_look_into_the_database_so_often_and_others_as_often() {
        let doors = Doors::new(&Config::default());
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        for _ in 0..VISITS_PER_MINUTE {
            assert_eq!(doors.visit(one), Ok(()));
        }
        assert_eq!(doors.visit(one).unwrap_err().code, crate::error::Code::RateLimited);
        assert_eq!(doors.visit(other), Ok(()));
    }

    #[test]
    fn a_person_in_the_log_has_no_name() {
        let person = Person { id: "g:1".into(), display_name: "Zoë".into(), is_account: false, is_admin: false };
        assert!(!format!("{person:?}").contains("Zoë"));
        assert_eq!(person.bare_id(), "1");
    }
}
