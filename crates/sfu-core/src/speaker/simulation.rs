//! A conversation of voices without packets, for the tests of this module.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::RtpTimestamp;
use wire::extension::AudioLevel;

use super::{DECISION_INTERVAL, Dominant, Levels, Loudest, MicId};

const FRAME: Duration = Duration::from_millis(20);

/// What a microphone picks up; levels in dB below full scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Voice {
    /// Nothing is sent.
    Silent,
    /// A quiet room.
    Quiet,
    Steady(u8),
    /// Steady, within 2 dB.
    Noise(u8),
    /// Words of 150 to 600 ms whose level varies, and short pauses.
    Speech(u8),
}

struct Speaker {
    levels: Levels,
    /// Frames left of the word, or, below zero, of the pause after it.
    word: i32,
    /// Packets of speech that were not forwarded.
    cut: u32,
    forwarded: bool,
    gone: bool,
}

pub(super) struct Conversation {
    pub(super) voices: Vec<Voice>,
    speakers: Vec<Speaker>,
    dominant: Dominant,
    loudest: Loudest,
    rng: StdRng,
    now: Instant,
    elapsed: Duration,
    changes: usize,
    most_forwarded: usize,
}

impl Conversation {
    pub(super) fn seeded(seed: u64, microphones: usize) -> Self {
        let speaker = || Speaker { levels: Levels::new(48_000), word: 0, cut: 0, forwarded: false, gone: false };
        Self {
            voices: vec![Voice::Quiet; microphones],
            speakers: (0..microphones).map(|_| speaker()).collect(),
            dominant: Dominant::default(),
            loudest: Loudest::new(5),
            rng: StdRng::seed_from_u64(seed),
            now: crate::some_instant(),
            elapsed: Duration::ZERO,
            changes: 0,
            most_forwarded: 0,
        }
    }

    pub(super) fn run(&mut self, millis: u64) {
        let end = self.elapsed + Duration::from_millis(millis);
        while self.elapsed < end {
            self.elapsed += FRAME;
            self.now += FRAME;
            self.speak();
            if self.elapsed.as_millis().is_multiple_of(DECISION_INTERVAL.as_millis()) {
                let before = self.dominant.speaker();
                let here = self.speakers.iter().enumerate().filter(|(_, speaker)| !speaker.gone);
                self.dominant.decide(self.now, here.map(|(index, speaker)| (MicId(index as u32), &speaker.levels)));
                self.changes += usize::from(self.dominant.speaker() != before);
            }
        }
    }

    fn speak(&mut self) {
        let timestamp = RtpTimestamp::new((self.elapsed.as_millis() as u32).wrapping_mul(48));
        for (index, speaker) in self.speakers.iter_mut().enumerate() {
            let (level, is_word) = match self.voices[index] {
                Voice::Silent => continue,
                Voice::Quiet => (self.rng.random_range(80..95), false),
                Voice::Steady(level) => (level, false),
                Voice::Noise(level) => (self.rng.random_range(level - 2..=level + 2), false),
                Voice::Speech(level) => word(speaker, level, &mut self.rng),
            };
            if !matches!(self.voices[index], Voice::Speech(_)) {
                speaker.word = 0;
            }
            let level = AudioLevel { voice: is_word, dbov_below: level };
            let loudness = speaker.levels.note(self.now, timestamp, level).expect("in order");
            speaker.forwarded = self.loudest.admit(self.now, MicId(index as u32), loudness);
            speaker.cut += u32::from(is_word && !speaker.forwarded);
        }
        self.most_forwarded = self.most_forwarded.max(self.loudest.taken().count());
    }

    pub(super) fn remove(&mut self, index: usize) {
        self.speakers[index].gone = true;
        self.dominant.remove(MicId(index as u32));
        self.loudest.remove(MicId(index as u32));
    }

    pub(super) fn leader(&self) -> Option<usize> {
        self.dominant.speaker().map(|mic| mic.0 as usize)
    }

    /// How often the lead went to somebody else or to nobody.
    pub(super) fn changes(&self) -> usize {
        self.changes
    }

    pub(super) fn is_forwarded(&self, index: usize) -> bool {
        self.speakers[index].forwarded
    }

    pub(super) fn cut_packets(&self, index: usize) -> u32 {
        self.speakers[index].cut
    }

    pub(super) fn most_forwarded(&self) -> usize {
        self.most_forwarded
    }
}

/// The level of the next frame of speech, and whether it is a word's.
fn word(speaker: &mut Speaker, level: u8, rng: &mut StdRng) -> (u8, bool) {
    if speaker.word == 0 {
        speaker.word = rng.random_range(8..30);
    }
    if speaker.word > 0 {
        speaker.word -= 1;
        if speaker.word == 0 {
            speaker.word = -rng.random_range(2..9);
        }
        return (rng.random_range(level - 3..=level + 6), true);
    }
    speaker.word += 1;
    (rng.random_range(75..90), false)
}
