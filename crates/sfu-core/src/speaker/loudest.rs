//! Which microphones of a room are forwarded: the loudest few.
//!
//! Decided packet by packet, so that the first packet of a word already goes out. Whoever is in stays in over the pauses
//! between words.

use std::time::{Duration, Instant};

use super::MicId;
use super::levels::Loudness;

/// A microphone stays in for this long after its last speech, whoever of the same loudness wants in; longer than a
/// pause between two sentences' words, shorter than one between turns.
const STAY: Duration = Duration::from_secs(1);

/// Quietest level that takes or keeps a free place, in dB below full scale: a whisper far from the microphone.
const AUDIBLE: u8 = 70;

/// How much louder than the quietest of those who speak a newcomer has to be, in dB.
const CLEARLY_LOUDER: f32 = 6.0;

/// How fast the peak of a microphone falls, in dB a second: less than [`CLEARLY_LOUDER`] within [`STAY`].
const PEAK_FALL: f32 = 5.0;

/// Most places: what a command can name.
const MAX_PLACES: usize = u8::MAX as usize;

/// A microphone that is forwarded.
struct Place {
    mic: MicId,
    /// When it last was audible.
    heard_at: Instant,
    /// When it last spoke; `None` for one that only makes noise.
    spoke_at: Option<Instant>,
    /// In dBov, and when it was reached.
    peak: f32,
    peak_at: Instant,
}

impl Place {
    fn new(now: Instant, mic: MicId, loudness: Loudness) -> Self {
        let peak = -f32::from(loudness.dbov_below);
        Self { mic, heard_at: now, spoke_at: loudness.is_speech.then_some(now), peak, peak_at: now }
    }

    fn peak_now(&self, now: Instant) -> f32 {
        self.peak - PEAK_FALL * now.saturating_duration_since(self.peak_at).as_secs_f32()
    }

    fn note(&mut self, now: Instant, loudness: Loudness) {
        if loudness.dbov_below <= AUDIBLE {
            self.heard_at = now;
        }
        if loudness.is_speech {
            self.spoke_at = Some(now);
        }
        let level = -f32::from(loudness.dbov_below);
        if level >= self.peak_now(now) {
            (self.peak, self.peak_at) = (level, now);
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard_at) >= STAY
    }

    /// How much it is worth to keep: speakers before noise, by their peaks.
    fn worth(&self, now: Instant) -> (bool, f32) {
        let speaks = self.spoke_at.is_some_and(|at| now.saturating_duration_since(at) < STAY);
        (speaks, self.peak_now(now))
    }
}

/// The places of one room.
pub(crate) struct Loudest {
    /// Places; `None`: everybody is forwarded.
    limit: Option<usize>,
    /// At most [`MAX_PLACES`].
    places: Vec<Place>,
}

impl Loudest {
    /// `count` places; none means that everybody is forwarded.
    pub(crate) fn new(count: u8) -> Self {
        let limit = (count > 0).then_some(usize::from(count));
        Self { limit, places: Vec::with_capacity(limit.unwrap_or(0).min(MAX_PLACES)) }
    }

    /// Changes the number of places; those who are worth least lose theirs.
    pub(crate) fn set_count(&mut self, now: Instant, count: u8) {
        self.limit = (count > 0).then_some(usize::from(count));
        let limit = self.limit.unwrap_or(0);
        while self.places.len() > limit
            && let Some((index, _)) = self.weakest(now)
        {
            self.places.swap_remove(index);
        }
        self.places.reserve(limit - self.places.len());
    }

    /// Whether a packet of this loudness is forwarded; its microphone takes a place if it may.
    pub(crate) fn admit(&mut self, now: Instant, mic: MicId, loudness: Loudness) -> bool {
        let Some(limit) = self.limit else { return true };
        if let Some(index) = self.places.iter().position(|place| place.mic == mic) {
            let place = &mut self.places[index];
            place.note(now, loudness);
            if place.is_over(now) {
                self.places.swap_remove(index);
                return false;
            }
            return true;
        }
        if loudness.dbov_below > AUDIBLE {
            return false;
        }
        self.places.retain(|place| !place.is_over(now));
        let newcomer = Place::new(now, mic, loudness);
        if self.places.len() < limit {
            self.places.push(newcomer);
            return true;
        }
        let Some((index, (speaks, peak))) = self.weakest(now) else { return false };
        let takes_over = loudness.is_speech && (!speaks || newcomer.peak > peak + CLEARLY_LOUDER);
        if takes_over {
            self.places[index] = newcomer;
        }
        takes_over
    }

    /// Whether a packet that says nothing of its loudness is forwarded.
    pub(crate) fn has_place(&self, mic: MicId) -> bool {
        self.limit.is_none() || self.places.iter().any(|place| place.mic == mic)
    }

    /// A microphone is gone.
    pub(crate) fn remove(&mut self, mic: MicId) {
        self.places.retain(|place| place.mic != mic);
    }

    /// The place that is worth least.
    fn weakest(&self, now: Instant) -> Option<(usize, (bool, f32))> {
        let worths = self.places.iter().map(|place| place.worth(now)).enumerate();
        worths.min_by(|(_, (a, x)), (_, (b, y))| a.cmp(b).then(x.total_cmp(y)))
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> impl Iterator<Item = MicId> {
        self.places.iter().map(|place| place.mic)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::super::simulation::{Conversation, Voice};
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn speech(dbov_below: u8) -> Loudness {
        Loudness { dbov_below, is_speech: true }
    }

    fn noise(dbov_below: u8) -> Loudness {
        Loudness { dbov_below, is_speech: false }
    }

    #[test]
    fn a_lone_speaker_always_gets_in_with_the_first_packet() {
        for (count, level) in [(1, 0), (1, 70), (5, 40), (255, 30), (0, 127)] {
            let mut loudest = Loudest::new(count);
            assert!(loudest.admit(crate::some_instant(), MicId(3), speech(level)), "{count} {level}");
        }
    }

    #[test]
    fn silence_takes_no_place() {
        let mut loudest = Loudest::new(5);
        assert!(!loudest.admit(crate::some_instant(), MicId(3), noise(71)));
        assert!(!loudest.admit(crate::some_instant(), MicId(3), noise(127)));
    }

    #[test]
    fn a_speaker_replaces_noise_at_once() {
        let mut loudest = Loudest::new(2);
        let now = crate::some_instant();
        assert!(loudest.admit(now, MicId(0), noise(30)) && loudest.admit(now, MicId(1), noise(35)));
        assert!(!loudest.admit(now, MicId(2), noise(10)), "noise replaces nobody");
        assert!(loudest.admit(now, MicId(2), speech(50)));
        assert!(loudest.admit(now, MicId(0), noise(30)), "the louder noise stays");
        assert!(!loudest.admit(now, MicId(1), noise(35)));
    }

    #[test]
    fn who_pauses_for_less_than_a_second_stays_in() {
        let mut loudest = Loudest::new(1);
        let start = crate::some_instant();
        assert!(loudest.admit(start, MicId(0), speech(30)));
        for frame in 1..50 {
            let now = start + FRAME * frame;
            assert!(loudest.admit(now, MicId(0), noise(90)), "{frame}");
            assert!(!loudest.admit(now, MicId(1), speech(30)), "{frame}");
        }
        let now = start + STAY;
        assert!(loudest.admit(now, MicId(1), speech(60)), "after that anybody who speaks");
        assert!(!loudest.admit(now, MicId(0), noise(90)));
    }

    #[test]
    fn who_is_clearly_louder_replaces_the_quietest() {
        let mut loudest = Loudest::new(3);
        let now = crate::some_instant();
        for (mic, level) in [(0, 30), (1, 40), (2, 35)] {
            assert!(loudest.admit(now, MicId(mic), speech(level)));
        }
        assert!(!loudest.admit(now, MicId(3), speech(34)));
        assert!(loudest.admit(now, MicId(3), speech(33)));
        assert_eq!(loudest.taken().collect::<Vec<_>>(), [MicId(0), MicId(3), MicId(2)]);
        assert!(!loudest.admit(now, MicId(1), speech(31)), "and is not replaced in turn");
    }

    #[test]
    fn a_microphone_that_went_leaves_its_place() {
        let mut loudest = Loudest::new(1);
        let now = crate::some_instant();
        assert!(loudest.admit(now, MicId(0), speech(30)));
        loudest.remove(MicId(0));
        assert!(!loudest.has_place(MicId(0)));
        assert!(loudest.admit(now, MicId(1), noise(60)));
    }

    #[test]
    fn fewer_places_keep_those_who_speak_loudest() {
        let mut loudest = Loudest::new(4);
        let now = crate::some_instant();
        for (mic, loudness) in [noise(20), speech(40), speech(30), speech(35)].into_iter().enumerate() {
            assert!(loudest.admit(now, MicId(mic as u32), loudness));
        }
        loudest.set_count(now, 2);
        assert!(loudest.has_place(MicId(2)) && loudest.has_place(MicId(3)));
        assert_eq!(loudest.taken().count(), 2);
        loudest.set_count(now, 0);
        assert!(loudest.has_place(MicId(0)) && loudest.admit(now, MicId(9), noise(127)));
    }

    #[test]
    fn whatever_comes_never_more_than_the_limit_are_in() {
        for seed in 0..50 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut count: u8 = rng.random_range(1..8);
            let mut loudest = Loudest::new(count);
            let mut now = crate::some_instant();
            for _ in 0..3_000 {
                now += Duration::from_millis(rng.random_range(0..40));
                let mic = MicId(rng.random_range(0..20));
                match rng.random_range(0..200) {
                    0 => {
                        count = rng.random();
                        loudest.set_count(now, count);
                    }
                    1 => loudest.remove(mic),
                    _ => {
                        let loudness = Loudness { dbov_below: rng.random_range(0..=127), is_speech: rng.random() };
                        let admitted = loudest.admit(now, mic, loudness);
                        assert_eq!(admitted, loudest.has_place(mic), "seed {seed}");
                    }
                }
                let taken = loudest.taken().count();
                assert!(taken <= usize::from(count), "{taken} of {count}, seed {seed}");
            }
        }
    }

    #[test]
    fn in_a_conversation_of_fifty_each_turn_is_heard_from_its_first_packet() {
        let mut room = Conversation::seeded(20, 50);
        for (index, voice) in room.voices.iter_mut().enumerate() {
            *voice = if index % 3 == 0 { Voice::Noise(50) } else { Voice::Quiet };
        }
        room.run(3000);
        for turn in 0..30 {
            let speaker = turn * 17 % 50;
            let before = std::mem::replace(&mut room.voices[speaker], Voice::Speech(30));
            room.run(20);
            assert!(room.is_forwarded(speaker), "turn {turn}");
            let heard = room.cut_packets(speaker);
            room.run(2500);
            assert_eq!(room.cut_packets(speaker), heard, "turn {turn}");
            room.voices[speaker] = before;
        }
        assert!(room.most_forwarded() <= 5);
    }

    #[test]
    fn of_eight_who_speak_at_once_the_loudest_are_heard_without_flutter() {
        let mut room = Conversation::seeded(21, 8);
        room.voices = (0..8).map(|n| Voice::Speech(20 + 8 * (n / 4))).collect();
        room.run(3000);
        let before: Vec<_> = (0..4).map(|mic| room.cut_packets(mic)).collect();
        room.run(20_000);
        let after: Vec<_> = (0..4).map(|mic| room.cut_packets(mic)).collect();
        assert_eq!(before, after, "the four loud ones keep their places");
    }
}
