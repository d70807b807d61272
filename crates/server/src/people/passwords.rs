//! Passwords: hashed with argon2id, no more at once than there are cores, and no more waiting than can be served soon.

use std::sync::Arc;
use std::thread::available_parallelism;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::error;
use unicode_normalization::UnicodeNormalization as _;

use crate::error::Refusal;

/// Shortest password, in characters (OWASP ASVS 5.0, 6.2.1 asks for eight at least).
const MIN_CHARACTERS: usize = 10;
/// Longest: no reason to hash a book.
const MAX_CHARACTERS: usize = 200;
/// Who waits for a core. Each takes some 20 to 50 ms there, so this is a few seconds.
const MAX_WAITING: usize = 64;

/// Work for whom there is no hash of: of the same cost as a real one, and of no password.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c3R1ZHloYWxsIG5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The password as it is hashed: in normalization form C, as keyboards differ in how they type the same letter.
///
/// # Errors
/// When it is too short or too long.
pub(crate) fn password(typed: &str) -> Result<String, Refusal> {
    let password: String = if typed.len() > MAX_CHARACTERS * 32 { String::new() } else { typed.nfc().collect() };
    if (MIN_CHARACTERS..=MAX_CHARACTERS).contains(&password.chars().count()) {
        return Ok(password);
    }
    Err(Refusal::bad_request(format!("password: {MIN_CHARACTERS} to {MAX_CHARACTERS} characters are allowed.")))
}

/// Hashes and checks passwords.
pub(crate) struct Hasher {
    /// One for each core.
    cores: Arc<Semaphore>,
    /// Those who hash and those who wait.
    places: Arc<Semaphore>,
}

/// A place in the queue.
pub(crate) struct Turn {
    _place: OwnedSemaphorePermit,
}

impl Hasher {
    /// Nobody waits.
    pub(crate) fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self { cores: Arc::new(Semaphore::new(cores)), places: Arc::new(Semaphore::new(cores + MAX_WAITING)) }
    }

    /// Takes a place in the queue.
    ///
    /// # Errors
    /// When all are taken.
    pub(crate) fn queue(&self) -> Result<Turn, Refusal> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place
            .map(|place| Turn { _place: place })
            .map_err(|_| Refusal::busy("Too many people sign in right now; try again in a moment."))
    }

    /// The hash of a password, as a PHC string.
    pub(crate) async fn hash(&self, turn: Turn, password: String) -> Result<String, Refusal> {
        let hashed = self.on_a_core(turn, move || Argon2::default().hash_password(password.as_bytes())).await?;
        hashed.map(|hash| hash.to_string()).map_err(|error| {
            error!(%error, "a password cannot be hashed");
            Refusal::internal()
        })
    }

    /// Whether a password belongs to a hash. Without one it is wrong, after just as much work.
    pub(crate) async fn verify(&self, turn: Turn, password: String, hash: Option<String>) -> Result<bool, Refusal> {
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
        let checked = self.on_a_core(turn, move || {
            let parsed = PasswordHash::new(&hash).map_err(|error| {
                error!(%error, "a password's hash in the database cannot be read");
                Refusal::internal()
            })?;
            Ok::<_, Refusal>(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
        });
        Ok(checked.await?? && is_somebody)
    }

    /// The turn lasts until the work is done, also when nobody waits for it any more.
    async fn on_a_core<T: Send + 'static>(
        &self,
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(|_| Refusal::internal())?;
        let done = tokio::task::spawn_blocking(move || {
            let _held = (turn, core);
            work()
        });
        done.await.map_err(|error| {
            error!(%error, "hashing failed");
            Refusal::internal()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn passwords_have_ten_to_two_hundred_characters() {
        for typed in ["0123456789", "pässwörter", "👩‍👩‍👧👩‍👩‍👧", "          ", &"x".repeat(200)]
        {
            assert!(password(typed).is_ok(), "{typed}");
        }
        for typed in ["", "012345678", &"x".repeat(201), &"x".repeat(100_000)] {
            let refusal = password(typed).unwrap_err();
            assert!(refusal.sentence.starts_with("password: "), "{}", refusal.sentence);
        }
        assert_eq!(
            password("Zoe\u{308}Zoe\u{308}Zoe\u{308}abc").unwrap(),
            password("Zo\u{eb}Zo\u{eb}Zo\u{eb}abc").unwrap()
        );
    }

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let hasher = Hasher::new();
        let hash = hasher.hash(hasher.queue().unwrap(), "correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$"), "{hash}");
        for (typed, expected) in [("correct horse", true), ("correct hors", false)] {
            let checked = hasher.verify(hasher.queue().unwrap(), typed.into(), Some(hash.clone())).await;
            assert_eq!(checked, Ok(expected), "{typed}");
        }
        assert_eq!(hasher.verify(hasher.queue().unwrap(), "correct horse".into(), None).await, Ok(false));
    }

    #[tokio::test]
    async fn nobody_costs_as_much_as_somebody() {
        let hasher = Hasher::new();
        let hash = hasher.hash(hasher.queue().unwrap(), "correct horse".into()).await.unwrap();
        let (somebody, nobody) = (PasswordHash::new(&hash).unwrap(), PasswordHash::new(NOBODY).unwrap());
        assert_eq!((&somebody.algorithm, &somebody.version), (&nobody.algorithm, &nobody.version));
        assert_eq!(somebody.params, nobody.params);
        assert_eq!(somebody.hash.unwrap().len(), nobody.hash.unwrap().len());
    }

    #[test]
    fn more_than_can_wait_are_sent_away() {
        let hasher = Hasher::new();
        let cores = hasher.cores.available_permits();
        let mut turns: Vec<_> = (0..cores + MAX_WAITING).map(|_| hasher.queue().unwrap()).collect();
        assert_eq!(hasher.queue().map(drop).unwrap_err().code, Code::ServerBusy);
        turns.pop();
        assert!(hasher.queue().is_ok());
    }
}
