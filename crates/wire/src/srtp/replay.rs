//! Which packet indices were received: a sliding window of bits (RFC 3711 §3.3.2).

use super::SrtpError;

/// Packets behind the newest that are told apart. A burst of retransmissions and reordering stays far
/// below; RFC 3711 asks for at least 64.
pub(super) const WINDOW: u64 = 1024;

/// Words of the window: one more than its bits need, so that the oldest word can be cleared as a whole.
const WORDS: usize = WINDOW as usize / 64 + 1;

/// The newest index and which of those behind it were seen.
pub(super) struct ReplayWindow {
    newest: u64,
    seen: [u64; WORDS],
}

impl ReplayWindow {
    /// A window in which `first` was seen.
    pub(super) fn new(first: u64) -> Self {
        let mut window = Self { newest: first, seen: [0; WORDS] };
        window.note(first);
        window
    }

    /// The highest index received.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// The word and the bit of an index; words are used round and round.
    fn place(index: u64) -> (usize, u64) {
        ((index / 64 % WORDS as u64) as usize, 1 << (index % 64))
    }

    /// Refuses an index that was seen or lies behind the window.
    pub(super) fn check(&self, index: u64) -> Result<(), SrtpError> {
        if index > self.newest {
            return Ok(());
        }
        if self.newest - index >= WINDOW {
            return Err(SrtpError::TooOld);
        }
        let (word, bit) = Self::place(index);
        match self.seen.get(word) {
            Some(bits) if bits & bit == 0 => Ok(()),
            _ => Err(SrtpError::Replayed),
        }
    }

    /// Notes an index that [`ReplayWindow::check`] let pass and that proved authentic.
    pub(super) fn note(&mut self, index: u64) {
        if index > self.newest {
            // Words that the window moves into hold what lies far behind it now.
            let first = self.newest / 64 + 1;
            let last = index / 64;
            for number in first..=last.min(first + WORDS as u64 - 1) {
                if let Some(bits) = self.seen.get_mut((number % WORDS as u64) as usize) {
                    *bits = 0;
                }
            }
            self.newest = index;
        }
        let (word, bit) = Self::place(index);
        if let Some(bits) = self.seen.get_mut(word) {
            *bits |= bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_window_tells_what_a_set_of_all_indices_tells() {
        // A walk with steps from far back to far ahead, from a small fixed generator.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut newest = 70_000;
        let mut window = ReplayWindow::new(newest);
        let mut seen = HashSet::from([newest]);
        for turn in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let jump = match turn % 97 {
                0 => (state >> 33) % 5000,
                _ => (state >> 33) % 8,
            };
            let back = (state >> 50) % 1100;
            let index = (newest + jump).saturating_sub(if turn % 3 == 0 { back } else { 0 });
            let expected = match () {
                () if index <= newest && newest - index >= WINDOW => Err(SrtpError::TooOld),
                () if seen.contains(&index) => Err(SrtpError::Replayed),
                () => Ok(()),
            };
            assert_eq!(window.check(index), expected, "turn {turn}, index {index}, newest {newest}");
            if expected.is_ok() {
                window.note(index);
                seen.insert(index);
                newest = newest.max(index);
            }
        }
    }

    #[test]
    fn the_oldest_index_of_the_window_is_told_and_the_one_before_it_is_not() {
        let mut window = ReplayWindow::new(5_000);
        window.note(5_000 + WINDOW - 1);
        assert_eq!(window.check(5_000), Err(SrtpError::Replayed));
        assert_eq!(window.check(5_001), Ok(()));
        window.note(5_000 + WINDOW);
        assert_eq!(window.check(5_000), Err(SrtpError::TooOld));
        assert_eq!(window.check(5_001), Ok(()));
    }

    #[test]
    fn a_leap_of_any_length_leaves_nothing_behind() {
        for leap in [63, 64, 65, WINDOW, WINDOW + 64, WINDOW + 65, 1 << 32] {
            let mut window = ReplayWindow::new(0);
            (1..2_000).for_each(|index| window.note(index));
            let newest = 1_999 + leap;
            window.note(newest);
            for back in 1..WINDOW.min(leap) {
                assert_eq!(window.check(newest - back), Ok(()), "leap {leap}, back {back}");
            }
        }
    }
}
