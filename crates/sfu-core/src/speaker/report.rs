//! Levels of those who are audible, as they are told to the outside: a value without memory of its own, so that telling it
//! several times a second allocates nothing.

use crate::command::ObjectId;

/// Most microphones that one report tells of.
pub const MAX_AUDIO_LEVELS: usize = 10;

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
