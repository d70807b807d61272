//! Who leads the conversation: dominant speaker identification after I. Volfin and I. Cohen, "Dominant speaker
//! identification for multipoint videoconferencing", Computer Speech & Language 27 (2013).
//!
//! Activity is scored on three time scales. Only who is ahead on all three of them takes over: so neither a cough nor a
//! breath of the speaker changes anything.

use std::time::{Duration, Instant};

use super::MicId;
use super::levels::{FRAMES, Levels, MAX_ACTIVITY, SPEECH_ACTIVITY};

/// How often a decision is made; as in the paper's evaluation.
pub(crate) const DECISION_INTERVAL: Duration = Duration::from_millis(300);

/// Without speech for this long nobody leads any more.
const SILENT_FOR: Duration = Duration::from_secs(10);

/// Frames of a block, the medium scale: 100 ms.
const BLOCK: usize = 5;

/// Blocks of the long scale: one second.
const BLOCKS: usize = FRAMES / BLOCK;

/// Active frames that make a block active.
const ACTIVE_BLOCK: usize = 3;

/// Active blocks that the first speaker has to exceed, and whoever follows one that fell silent: a cough has fewer.
const COUGH_BLOCKS: usize = 3;

/// Parameters of the distribution of activity in silence, one for each scale. Above `ln(n)`, so that more activity never
/// scores less.
const RATES: [f32; 3] = [3.0, 2.0, 2.5];

/// By how much the logarithm of the ratio of two scores has to be exceeded, by scale; the paper's values.
const THRESHOLDS: [f32; 3] = [3.0, 2.0, 0.0];

/// Scores below this are silence; keeps ratios finite.
const MIN_SCORE: f32 = 1e-10;

/// Scores of one microphone: immediate, medium, long.
type Scores = [f32; 3];

/// The decision about one room.
#[derive(Default)]
pub(crate) struct Dominant {
    speaker: Option<MicId>,
}

impl Dominant {
    /// Who leads.
    pub(crate) fn speaker(&self) -> Option<MicId> {
        self.speaker
    }

    /// Decides anew. Whoever is not among `microphones` does not lead.
    pub(crate) fn decide<'a>(&mut self, now: Instant, microphones: impl Iterator<Item = (MicId, &'a Levels)> + Clone) {
        let mut all = microphones.clone();
        let current = self.speaker.and_then(|speaker| all.find(|(mic, _)| *mic == speaker));
        let speaks =
            |levels: &Levels| levels.spoke_at().is_some_and(|at| now.saturating_duration_since(at) < SILENT_FOR);
        self.speaker = current.filter(|(_, levels)| speaks(levels)).map(|(mic, _)| mic);
        let least = [MIN_SCORE, MIN_SCORE, score(2, BLOCKS, COUGH_BLOCKS)];
        let mut to_beat = current.map_or(least, |(_, levels)| scores(now, levels));
        to_beat[2] = to_beat[2].max(least[2]);
        let challengers = microphones.filter(|(mic, _)| Some(*mic) != self.speaker);
        let mut best = None;
        for (mic, levels) in challengers {
            let challenge = ratios(scores(now, levels), to_beat);
            let wins = challenge.iter().zip(THRESHOLDS).all(|(ratio, threshold)| *ratio > threshold);
            // Among several the medium scale decides, then the long one.
            let rank = (challenge[1], challenge[2]);
            if wins && best.is_none_or(|(_, best)| rank > best) {
                best = Some((mic, rank));
            }
        }
        if let Some((mic, _)) = best {
            self.speaker = Some(mic);
        }
    }

    /// A microphone is gone.
    pub(crate) fn remove(&mut self, mic: MicId) {
        self.speaker = self.speaker.filter(|speaker| *speaker != mic);
    }
}

fn ratios(challenger: Scores, current: Scores) -> [f32; 3] {
    std::array::from_fn(|scale| (challenger[scale] / current[scale]).ln())
}

fn scores(now: Instant, levels: &Levels) -> Scores {
    let (mut immediate, mut medium, mut long) = (0, 0, 0);
    let mut active_frames = 0;
    for (index, activity) in levels.activities(now).enumerate() {
        if index == 0 {
            immediate = usize::from(activity);
        }
        active_frames += usize::from(activity >= SPEECH_ACTIVITY);
        if index % BLOCK == BLOCK - 1 {
            if index < BLOCK {
                medium = active_frames;
            }
            long += usize::from(active_frames >= ACTIVE_BLOCK);
            active_frames = 0;
        }
    }
    [score(0, usize::from(MAX_ACTIVITY), immediate), score(1, BLOCK, medium), score(2, BLOCKS, long)]
}

/// How much more likely it is that `active` of `all` parts are active in speech than in silence, as a logarithm: binomial
/// with one half against exponential.
fn score(scale: usize, all: usize, active: usize) -> f32 {
    let rate = RATES[scale];
    let ln_choices: f32 = (0..active).map(|k| ((all - k) as f32 / (k + 1) as f32).ln()).sum();
    let in_speech = ln_choices - all as f32 * std::f32::consts::LN_2;
    let in_silence = rate.ln() - rate * active as f32;
    (in_speech - in_silence).max(MIN_SCORE)
}

#[cfg(test)]
mod tests {
    use super::super::simulation::{Conversation, Voice};
    use super::*;

    #[test]
    fn more_activity_never_scores_less_on_any_scale() {
        for (scale, all) in [usize::from(MAX_ACTIVITY), BLOCK, BLOCKS].into_iter().enumerate() {
            let scores: Vec<_> = (0..=all).map(|active| score(scale, all, active)).collect();
            assert!(scores.is_sorted(), "{scores:?}");
            assert!(scores[0] <= MIN_SCORE && scores[all] > 1.0, "{scores:?}");
        }
    }

    #[test]
    fn whoever_begins_to_speak_leads_within_a_second() {
        let mut room = Conversation::seeded(1, 4);
        room.run(2000);
        assert_eq!(room.leader(), None);
        room.voices[2] = Voice::Speech(28);
        room.run(1000);
        assert_eq!(room.leader(), Some(2));
    }

    #[test]
    fn the_lead_follows_turns_and_changes_once_for_each() {
        let mut room = Conversation::seeded(2, 4);
        room.run(1000);
        for turn in 0..12 {
            let speaker = [0, 1, 3][turn % 3];
            room.voices[speaker] = Voice::Speech(25 + turn as u8);
            room.run(4000);
            assert_eq!(room.leader(), Some(speaker), "turn {turn}");
            room.voices[speaker] = Voice::Quiet;
        }
        assert_eq!(room.changes(), 12);
    }

    #[test]
    fn coughs_and_doors_do_not_take_the_lead() {
        let mut room = Conversation::seeded(3, 3);
        room.voices[0] = Voice::Speech(30);
        room.run(3000);
        for _ in 0..20 {
            room.voices[1] = Voice::Steady(5);
            room.run(240);
            room.voices[1] = Voice::Quiet;
            room.run(1700);
            assert_eq!(room.leader(), Some(0));
        }
        room.voices[0] = Voice::Quiet;
        room.run(2000);
        room.voices[2] = Voice::Steady(5);
        room.run(260);
        room.voices[2] = Voice::Quiet;
        room.run(1000);
        assert_eq!((room.leader(), room.changes()), (Some(0), 1), "in a pause of the speaker neither");
    }

    #[test]
    fn steady_noise_never_leads() {
        let mut room = Conversation::seeded(4, 10);
        room.voices = vec![Voice::Noise(50); 10];
        room.run(20_000);
        assert_eq!(room.leader(), None);
        room.voices[7] = Voice::Speech(30);
        room.run(1200);
        assert_eq!(room.leader(), Some(7));
    }

    #[test]
    fn of_two_who_speak_at_once_the_first_keeps_the_lead_mostly() {
        let mut room = Conversation::seeded(5, 5);
        room.voices[0] = Voice::Speech(28);
        room.run(2000);
        room.voices[1] = Voice::Speech(28);
        room.run(20_000);
        assert!(room.changes() <= 8, "{} changes in 20 s", room.changes());
        room.voices[0] = Voice::Quiet;
        room.run(1500);
        assert_eq!(room.leader(), Some(1));
    }

    #[test]
    fn nobody_leads_after_long_silence_or_when_the_leader_is_gone() {
        let mut room = Conversation::seeded(6, 3);
        room.voices[1] = Voice::Speech(30);
        room.run(2000);
        room.voices[1] = Voice::Quiet;
        room.run(8000);
        assert_eq!(room.leader(), Some(1));
        room.run(4000);
        assert_eq!(room.leader(), None);
        room.voices[1] = Voice::Speech(30);
        room.run(2000);
        assert_eq!(room.leader(), Some(1));
        room.remove(1);
        assert_eq!(room.leader(), None);
    }

    #[test]
    fn one_voice_among_fifty_is_found() {
        let mut room = Conversation::seeded(7, 50);
        for (index, voice) in room.voices.iter_mut().enumerate() {
            *voice = if index % 2 == 0 { Voice::Noise(48) } else { Voice::Silent };
        }
        room.run(5000);
        for speaker in [13, 48, 0, 25] {
            room.voices[speaker] = Voice::Speech(27);
            room.run(2000);
            assert_eq!(room.leader(), Some(speaker));
            room.voices[speaker] = Voice::Quiet;
        }
    }

    #[test]
    fn the_same_conversation_has_the_same_leaders() {
        let run = || {
            let mut room = Conversation::seeded(8, 6);
            room.voices = (0..6).map(|n| Voice::Speech(25 + 2 * n)).collect();
            (0..50)
                .map(|_| {
                    room.run(300);
                    room.leader()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }
}
