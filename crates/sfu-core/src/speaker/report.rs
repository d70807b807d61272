//! Levels of those who are audible, as they are told to the outside: a value without memory of its own, so that telling it
//! several times a second allocates nothing.

use std::time::Duration;

use super::dominant::DECISION_INTERVAL;
use crate::command::ObjectId;

/// Longest time from one report to the next; mediasoup's limit.
const MAX_INTERVAL: Duration = Duration::from_secs(5);

/// Most microphones that one report tells of.
pub const MAX_AUDIO_LEVELS: usize = 10;

/// How levels are told: mediasoup's `AudioLevelObserverOptions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevelOptions {
    /// Most microphones in one report, up to [`MAX_AUDIO_LEVELS`].
    pub max_entries: usize,
    /// Quietest mean level that is told, in dBov, −127 to 0.
    pub threshold: i8,
    /// Time from one report to the next, in steps of 300 ms up to five seconds. Levels are the mean over it, over a second at
    /// most.
    pub interval: Duration,
}

impl Default for AudioLevelOptions {
    /// Whoever stands out of their own noise, as soon as it is known.
    fn default() -> Self {
        Self { max_entries: MAX_AUDIO_LEVELS, threshold: -127, interval: DECISION_INTERVAL }
    }
}

impl AudioLevelOptions {
    /// Observations from one report to the next.
    pub(super) fn observations(&self) -> u32 {
        let interval = self.interval.min(MAX_INTERVAL).as_millis();
        let steps = (interval + DECISION_INTERVAL.as_millis() / 2) / DECISION_INTERVAL.as_millis();
        u32::try_from(steps).unwrap_or(1).max(1)
    }
}

/// Mean levels of the microphones that were audible in the last 300 ms, the loudest first. Empty: all are silent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioLevels {
    len: usize,
    levels: [(ObjectId, i8); MAX_AUDIO_LEVELS],
}

impl Default for AudioLevels {
    fn default() -> Self {
        Self { len: 0, levels: [(ObjectId(0), 0); MAX_AUDIO_LEVELS] }
    }
}

impl AudioLevels {
    /// Producers and their levels in dBov, −127 to 0.
    pub fn as_slice(&self) -> &[(ObjectId, i8)] {
        &self.levels[..self.len]
    }

    /// Whether all are silent.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keeps only the loudest.
    pub(super) fn truncate(&mut self, count: usize) {
        self.len = self.len.min(count);
    }

    /// Puts a level in its place; the quietest gives way when there are too many.
    pub(super) fn insert(&mut self, producer: ObjectId, dbov: i8) {
        let at = self.as_slice().partition_point(|&(_, other)| other >= dbov);
        if at == MAX_AUDIO_LEVELS {
            return;
        }
        self.len = (self.len + 1).min(MAX_AUDIO_LEVELS);
        self.levels[at..self.len].rotate_right(1);
        self.levels[at] = (producer, dbov);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_are_told_of_however_many_there_are() {
        let mut levels = AudioLevels::default();
        for number in 0..50_u8 {
            levels.insert(ObjectId(u128::from(number)), -((u32::from(number) * 37 % 50) as i8));
        }
        let told: Vec<_> = levels.as_slice().iter().map(|&(_, dbov)| dbov).collect();
        assert_eq!(told, [0, -1, -2, -3, -4, -5, -6, -7, -8, -9]);
    }
}
