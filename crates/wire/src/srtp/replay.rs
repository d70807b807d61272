//! Which packet indices were received: a sliding window of bits (RFC 3711 §3.3.2).

use super::SrtpError;

/// Packets behind the newest that are told apart. A burst of retransmissions and reordering stays far
/// below; RFC 3711 asks for at least 64.
pub(super) const WINDOW: u64 = 1024;

/// Words of the window: one more than its bits need, so that the oldest word can be cleared as a whole.
const WORDS: usize = WINDOW as usize / 64 + 1;

/// The newest index and which of those behind it were seen.
#[derive(Clone)]
pub(super) struct ReplayWindow {
    newest: Option<u64>,
    seen: [u64; WORDS],
}

impl ReplayWindow {
    pub(super) fn new() -> Self {
        Self { newest: None, seen: [0; WORDS] }
    }

    /// The highest index received.
    pub(super) fn newest(&self) -> Option<u64> {
        self.newest
    }

    fn word(index: u64) -> (usize, u64) {
        ((index / 64 % WORDS as u64) as usize, 1 << (index % 64))
    }

    /// Refuses an index that was seen or lies behind the window.
    pub(super) fn check(&self, index: u64) -> Result<(), SrtpError> {
        let Some(newest) = self.newest else { return Ok(()) };
        if index > newest {
            return Ok(());
        }
        if newest - index >= WINDOW {
            return Err(SrtpError::TooOld);
        }
        let (word, bit) = Self::word(index);
        match self.seen.get(word) {
            Some(bits) if bits & bit == 0 => Ok(()),
            _ => Err(SrtpError::Replayed),
        }
    }

    /// Notes an index that [`ReplayWindow::check`] let pass and that proved authentic.
    pub(super) fn note(&mut self, index: u64) {
        let newest = self.newest.unwrap_or(index);
        if self.newest.is_none_or(|newest| index > newest) {
            let words = (index / 64 - newest / 64).min(WORDS as u64);
            for step in 1..=words {
                let (word, _) = Self::word(newest.wrapping_add(step * 64));
                if let Some(bits) = self.seen.get_mut(word) {
                    *bits = 0;
                }
            }
            self.newest = Some(index);
        }
        let (word, bit) = Self::word(index);
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
        let mut window = ReplayWindow::new();
        let (mut seen, mut newest) = (HashSet::new(), None::<u64>);
        for turn in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let jump = match turn % 97 {
                0 => (state >> 33) % 5000,
                _ => (state >> 33) % 8,
            };
            let back = (state >> 50) % 1100;
            let index = (newest.unwrap_or(70_000) + jump).saturating_sub(if turn % 3 == 0 { back } else { 0 });
            let expected = match newest {
                Some(newest) if index <= newest && newest - index >= WINDOW => Err(SrtpError::TooOld),
                _ if seen.contains(&index) => Err(SrtpError::Replayed),
                _ => Ok(()),
            };
            assert_eq!(window.check(index), expected, "turn {turn}, index {index}, newest {newest:?}");
            if expected.is_ok() {
                window.note(index);
                seen.insert(index);
                newest = newest.max(Some(index));
            }
        }
    }
}
