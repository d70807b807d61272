//! Who guesses passwords waits longer and longer.
//!
//! A table of fixed size: each account has its place in it by a hash that nobody outside can foresee, and shares it with others.
//! So it cannot grow, and nobody can push somebody else's entry out of it.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Places; a power of two. With 16 bytes each this is a megabyte.
const PLACES: usize = 65_536;
/// Wrong passwords that cost nothing: people mistype.
const FREE: u32 = 5;
/// The first wait; each one after is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest: some 300 guesses a day, while the owner is kept out for minutes and not for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);
/// After so long without an attempt all is forgotten.
const FORGET: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Copy, Default)]
struct Place {
    attempts: u32,
    last_ms: u64,
}

/// The attempts of all accounts, also of those that do not exist.
pub(super) struct Backoff {
    places: Vec<Place>,
    hasher: RandomState,
}

impl Backoff {
    /// Nobody tried yet.
    pub(super) fn new(hasher: RandomState) -> Self {
        Self { places: vec![Place::default(); PLACES], hasher }
    }

    /// One attempt, which counts as a wrong one until [`Backoff::was_right`]: many at once are as many as one after the other.
    ///
    /// # Errors
    /// When it comes too early: how long to wait. It is not counted then.
    pub(super) fn attempt(&mut self, now_ms: u64, account: &str) -> Result<(), Duration> {
        let place = self.place(account);
        let passed = Duration::from_millis(now_ms.saturating_sub(place.last_ms));
        if passed >= FORGET {
            *place = Place::default();
        }
        let wait = wait_after(place.attempts);
        if passed < wait {
            return Err(wait - passed);
        }
        *place = Place { attempts: place.attempts.saturating_add(1), last_ms: now_ms };
        Ok(())
    }

    /// The last attempt was right.
    pub(super) fn was_right(&mut self, account: &str) {
        *self.place(account) = Place::default();
    }

    fn place(&mut self, account: &str) -> &mut Place {
        let index = self.hasher.hash_one(account) as usize % PLACES;
        &mut self.places[index]
    }
}

fn wait_after(attempts: u32) -> Duration {
    match attempts.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(above) => FIRST_WAIT.saturating_mul(1 << above.min(16)).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: u64 = 1_700_000_000_000;

    fn backoff() -> Backoff {
        Backoff::new(RandomState::new())
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = backoff();
        let mut now = START;
        let mut waits = Vec::new();
        for _ in 0..20 {
            if let Err(wait) = backoff.attempt(now, "a@b") {
                waits.push(wait.as_secs());
                now += wait.as_millis() as u64;
                assert!(backoff.attempt(now, "a@b").is_ok());
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300, 300, 300]);
    }

    #[test]
    fn the_right_password_and_a_quiet_hour_forget_everything() {
        for is_right in [true, false] {
            let mut backoff = backoff();
            for _ in 0..FREE {
                assert!(backoff.attempt(START, "a@b").is_ok());
            }
            assert!(backoff.attempt(START, "a@b").is_err());
            let mut later = START;
            if is_right {
                backoff.was_right("a@b");
            } else {
                later += FORGET.as_millis() as u64;
            }
            for _ in 0..FREE {
                assert!(backoff.attempt(later, "a@b").is_ok(), "{is_right}");
            }
            assert!(backoff.attempt(later, "a@b").is_err());
        }
    }

    #[test]
    fn however_many_accounts_are_tried_the_table_stays_as_large_and_the_tried_one_waits() {
        let mut backoff = backoff();
        for _ in 0..FREE {
            assert!(backoff.attempt(START, "victim@b").is_ok());
        }
        for other in 0..PLACES * 2 {
            // Some share a place and wait for each other; that is the price.
            let _ = backoff.attempt(START, &format!("{other}@b"));
        }
        assert_eq!(backoff.places.len(), PLACES);
        assert!(backoff.attempt(START, "victim@b").is_err());
    }

    proptest! {
        #[test]
        fn no_order_of_attempts_gets_more_than_the_waits_allow(gaps in proptest::collection::vec(0_u64..400_000, 1..60)) {
            let mut backoff = backoff();
            let (mut now, mut passed, mut last) = (START, 0_u32, START);
            for gap in gaps {
                now += gap;
                if backoff.attempt(now, "a@b").is_ok() {
                    prop_assert!(passed < FREE || now - last >= wait_after(passed).as_millis() as u64);
                    passed += 1;
                    last = now;
                }
            }
        }
    }
}
