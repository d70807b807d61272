//! Which spatial layers of a producer are of use to anybody: the others need not be encoded.

use std::time::{Duration, Instant};

use super::MAX_STREAMS;

/// A layer that nobody uses is given up after this time: who looks away looks back soon.
const HOLD: Duration = Duration::from_secs(2);

/// The layer that is always wanted: whoever looks sees something at once.
const LOWEST: u8 = 0b1;

/// What the publisher was told to encode.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Bit `i` for spatial layer `i`.
    told: u8,
    unused_since: [Option<Instant>; MAX_STREAMS],
}

impl Wanted {
    /// A publisher begins with everything.
    pub(crate) fn new() -> Self {
        Self { told: u8::MAX, unused_since: [None; MAX_STREAMS] }
    }

    /// Takes in which layers are in use now, bit `i` for layer `i`; returns what to tell, if that is new.
    pub(crate) fn review(&mut self, now: Instant, used: u8) -> Option<u8> {
        let used = used | LOWEST;
        let mut wanted = self.told | used;
        for (layer, since) in self.unused_since.iter_mut().enumerate() {
            if used & 1 << layer != 0 {
                *since = None;
            } else if now.saturating_duration_since(*since.get_or_insert(now)) >= HOLD {
                wanted &= !(1 << layer);
            }
        }
        (std::mem::replace(&mut self.told, wanted) != wanted).then_some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_uses_is_given_up_after_a_while_and_wanted_again_at_once() {
        let start = crate::some_instant();
        let mut wanted = Wanted::new();
        assert_eq!(wanted.review(start, 0b010), None);
        assert_eq!(wanted.review(start + HOLD / 2, 0b010), None);
        assert_eq!(wanted.review(start + HOLD, 0b010).map(|told| told & 0b111), Some(0b011));
        assert_eq!(wanted.review(start + HOLD * 2, 0b100).map(|told| told & 0b111), Some(0b111));
        assert_eq!(wanted.review(start + HOLD * 5 / 2, 0b100), None, "it was used a moment ago");
        assert_eq!(wanted.review(start + HOLD * 3, 0b100).map(|told| told & 0b111), Some(0b101));
        assert_eq!(wanted.review(start + HOLD * 8, 0).map(|told| told & 0b111), None);
        assert_eq!(wanted.review(start + HOLD * 9, 0).map(|told| told & 0b111), Some(0b001), "the lowest stays");
    }
}
