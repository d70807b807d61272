//! The levels of one microphone over the last second, as its sender measured them (RFC 6464).
//!
//! The voice flag is not used: browsers set it by different rules, some always. What counts as speech is told by how far
//! a level rises above the microphone's own noise floor.

use std::time::{Duration, Instant};

use wire::RtpTimestamp;
use wire::extension::AudioLevel;

/// What one level is kept for: the usual length of an Opus packet.
const FRAME: Duration = Duration::from_millis(20);

/// Frames that are kept: one second.
pub(super) const FRAMES: usize = 50;

/// Frames for which the last level stands when nothing comes: lost packets and long packets are no silence, but after
/// 300 ms it is.
const MAX_HELD: usize = 15;

/// Level of silence, in dB below full scale: the lowest that can be told.
const SILENCE: u8 = 127;

/// Between these a noise floor is believed, in dBov. Whoever talks without a pause is not noise, and after digital
/// silence a fan is soon known as one.
const FLOOR: (f32, f32) = (-75.0, -45.0);

/// How fast a noise floor rises, in dB for each frame: 2 dB a second. It falls by half the way with every frame.
const FLOOR_RISE: f32 = 0.04;

/// Height of one step of activity above the noise floor, in dB.
const ACTIVITY_STEP: f32 = 3.0;

/// Steps of activity.
pub(super) const MAX_ACTIVITY: u8 = 13;

/// Activity from which a frame is speech: 9 dB above the noise floor.
pub(super) const SPEECH_ACTIVITY: u8 = 3;

/// Loudness of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loudness {
    /// In dB below full scale, 0 to 127.
    pub(crate) dbov_below: u8,
    /// Whether it stands out of the microphone's noise.
    pub(crate) is_speech: bool,
}

#[derive(Clone, Copy)]
struct Frame {
    dbov_below: u8,
    /// Steps above the noise floor.
    activity: u8,
}

const SILENT: Frame = Frame { dbov_below: SILENCE, activity: 0 };

/// The last second of one microphone, in frames of RTP time.
pub(crate) struct Levels {
    /// A ring.
    frames: [Frame; FRAMES],
    newest: usize,
    /// Where the newest frame begins; `None` before the first packet.
    newest_from: Option<RtpTimestamp>,
    ticks_per_frame: u32,
    heard_at: Option<Instant>,
    spoke_at: Option<Instant>,
    /// In dBov.
    floor: f32,
}

impl Levels {
    /// Before the first packet, of a microphone with this RTP clock in Hz.
    pub(crate) fn new(clock_rate: u32) -> Self {
        let ticks = u64::from(clock_rate) * FRAME.as_millis() as u64 / 1000;
        Self {
            frames: [SILENT; FRAMES],
            newest: 0,
            newest_from: None,
            ticks_per_frame: u32::try_from(ticks).unwrap_or(u32::MAX).max(1),
            heard_at: None,
            spoke_at: None,
            floor: FLOOR.1,
        }
    }

    /// Notes the level of a packet. `None` when later ones were there before: it says nothing about now.
    pub(crate) fn note(&mut self, now: Instant, timestamp: RtpTimestamp, level: AudioLevel) -> Option<Loudness> {
        let dbov_below = level.dbov_below.min(SILENCE);
        let ticks = i64::from(self.ticks_per_frame);
        let steps = match self.newest_from {
            // The first packet begins what the sender starts anew far away, too.
            None => FRAMES as i64,
            Some(from) => i64::from(timestamp.wrapping_sub(from)).div_euclid(ticks),
        };
        if (1 - FRAMES as i64..0).contains(&steps) {
            self.note_late(steps.unsigned_abs() as usize, dbov_below);
            return None;
        }
        if steps == 0 {
            self.note_again(dbov_below);
        } else {
            let aligned = self.newest_from.filter(|_| (1..FRAMES as i64).contains(&steps));
            let from = aligned.map_or(timestamp, |from| from.wrapping_add((steps * ticks) as u32));
            let steps = usize::try_from(steps).unwrap_or(FRAMES).min(FRAMES);
            self.advance(steps, dbov_below);
            self.newest_from = Some(from);
        }
        self.heard_at = Some(now);
        let is_speech = self.frames[self.newest].activity >= SPEECH_ACTIVITY;
        if is_speech {
            self.spoke_at = Some(now);
        }
        Some(Loudness { dbov_below, is_speech })
    }

    /// A second packet within the newest frame.
    fn note_again(&mut self, dbov_below: u8) {
        let activity = self.activity_of(dbov_below);
        let frame = &mut self.frames[self.newest];
        frame.dbov_below = frame.dbov_below.min(dbov_below);
        frame.activity = frame.activity.max(activity);
    }

    fn note_late(&mut self, back: usize, dbov_below: u8) {
        let activity = self.activity_of(dbov_below);
        self.frames[(self.newest + FRAMES - back) % FRAMES] = Frame { dbov_below, activity };
    }

    /// Goes on by `steps` frames, up to [`FRAMES`], the last of which has this level.
    fn advance(&mut self, steps: usize, dbov_below: u8) {
        let missing = steps.saturating_sub(1);
        let between = if missing <= MAX_HELD { self.frames[self.newest] } else { SILENT };
        for _ in 0..missing {
            self.newest = (self.newest + 1) % FRAMES;
            self.frames[self.newest] = between;
        }
        self.newest = (self.newest + 1) % FRAMES;
        self.follow_floor(steps.min(MAX_HELD), dbov_below);
        self.frames[self.newest] = Frame { dbov_below, activity: self.activity_of(dbov_below) };
    }

    fn follow_floor(&mut self, steps: usize, dbov_below: u8) {
        let level = -f32::from(dbov_below);
        let floor = if self.heard_at.is_none() {
            level
        } else if level < self.floor {
            f32::midpoint(level, self.floor)
        } else {
            (self.floor + FLOOR_RISE * steps as f32).min(level)
        };
        self.floor = floor.clamp(FLOOR.0, FLOOR.1);
    }

    fn activity_of(&self, dbov_below: u8) -> u8 {
        let steps = (-f32::from(dbov_below) - self.floor) / ACTIVITY_STEP;
        steps.clamp(0.0, f32::from(MAX_ACTIVITY)) as u8
    }

    /// When it last stood out of its noise.
    pub(crate) fn spoke_at(&self) -> Option<Instant> {
        self.spoke_at
    }

    /// The last second, newest frame first.
    fn recent(&self, now: Instant) -> impl Iterator<Item = Frame> {
        let elapsed = self.heard_at.map_or(FRAMES, |at| {
            let frames = now.saturating_duration_since(at).as_millis() / FRAME.as_millis();
            usize::try_from(frames).unwrap_or(FRAMES)
        });
        let silent = if elapsed <= MAX_HELD { 0 } else { elapsed.min(FRAMES) };
        let known = (0..FRAMES - silent).map(|back| self.frames[(self.newest + FRAMES - back) % FRAMES]);
        std::iter::repeat_n(SILENT, silent).chain(known)
    }

    /// Steps of activity of the last second's frames, newest first.
    pub(super) fn activities(&self, now: Instant) -> impl Iterator<Item = u8> {
        self.recent(now).map(|frame| frame.activity)
    }

    /// Mean power over the last `time`, up to a second, in dBov; `None` when nothing in it was speech.
    pub(crate) fn mean_dbov(&self, now: Instant, time: Duration) -> Option<i8> {
        let frames = usize::try_from(time.as_millis() / FRAME.as_millis()).unwrap_or(FRAMES).clamp(1, FRAMES);
        let (mut power, mut spoke) = (0.0_f32, false);
        for frame in self.recent(now).take(frames) {
            power += 10_f32.powf(f32::from(frame.dbov_below) / -10.0);
            spoke |= frame.activity >= SPEECH_ACTIVITY;
        }
        let mean = 10.0 * (power / frames as f32).log10();
        spoke.then(|| mean.round().clamp(-127.0, 0.0) as i8)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    const TICKS: u32 = 960;

    /// A microphone that is told a level every 20 ms.
    struct Told {
        levels: Levels,
        now: Instant,
        timestamp: u32,
    }

    impl Told {
        fn new() -> Self {
            Self { levels: Levels::new(48_000), now: crate::some_instant(), timestamp: 0u32.wrapping_sub(10 * TICKS) }
        }

        fn wait(&mut self, frames: u32) {
            self.now += FRAME * frames;
            self.timestamp = self.timestamp.wrapping_add(TICKS * frames);
        }

        fn at(&mut self, timestamp: u32, dbov_below: u8) -> Option<Loudness> {
            self.levels.note(self.now, RtpTimestamp::new(timestamp), AudioLevel { voice: true, dbov_below })
        }

        fn say(&mut self, dbov_below: u8, frames: u32) -> Option<Loudness> {
            let mut last = None;
            for _ in 0..frames {
                self.wait(1);
                last = self.at(self.timestamp, dbov_below);
            }
            last
        }

        fn mean(&self) -> Option<i8> {
            self.levels.mean_dbov(self.now, Duration::from_millis(300))
        }

        fn active_frames(&self) -> usize {
            self.levels.activities(self.now).filter(|&activity| activity >= SPEECH_ACTIVITY).count()
        }
    }

    #[test]
    fn a_steady_voice_has_its_own_level_as_mean() {
        let mut told = Told::new();
        assert_eq!(told.say(30, 20), Some(Loudness { dbov_below: 30, is_speech: true }));
        assert_eq!(told.mean(), Some(-30));
        // Half of the power.
        told.say(127, 7);
        assert_eq!(told.mean(), Some(-33));
        told.say(127, 15);
        assert_eq!(told.mean(), None);
    }

    #[test]
    fn no_packet_for_three_hundred_milliseconds_is_silence() {
        let mut told = Told::new();
        told.say(30, 50);
        told.wait(15);
        assert_eq!((told.mean(), told.active_frames()), (Some(-30), 50));
        told.wait(1);
        assert_eq!((told.mean(), told.active_frames()), (None, 34));
        told.wait(100);
        assert_eq!(told.active_frames(), 0);
    }

    #[test]
    fn lost_packets_are_bridged_and_transmission_gaps_are_silence() {
        let mut told = Told::new();
        told.say(30, 10);
        told.wait(3);
        told.say(30, 1);
        assert_eq!(told.active_frames(), 14);
        told.wait(19);
        told.say(90, 1);
        assert_eq!(told.active_frames(), 14);
    }

    #[test]
    fn order_and_repetition_make_no_difference() {
        let (mut in_order, mut shuffled) = (Told::new(), Told::new());
        let levels: Vec<u8> = (0..40).map(|n| if n % 7 < 4 { 30 + n } else { 100 }).collect();
        // The same floor, so that the frames are compared and not its way.
        for told in [&mut in_order, &mut shuffled] {
            told.say(127, 60);
        }
        let start = in_order.timestamp;
        let at = |n: usize| start.wrapping_add(TICKS * (n as u32 + 1));
        for (n, &level) in levels.iter().enumerate() {
            in_order.at(at(n), level);
        }
        for pair in (0..40).step_by(2) {
            assert!(shuffled.at(at(pair + 1), levels[pair + 1]).is_some());
            assert_eq!(shuffled.at(at(pair), levels[pair]), None, "it is late");
            assert_eq!(shuffled.at(at(pair), levels[pair]), None, "it is a repetition");
        }
        assert_eq!(in_order.mean(), shuffled.mean());
        assert_eq!(in_order.active_frames(), shuffled.active_frames());
    }

    #[test]
    fn a_steady_noise_is_soon_not_taken_for_speech() {
        let mut told = Told::new();
        assert_eq!(told.say(50, 1).map(|loudness| loudness.is_speech), Some(false), "from the start");
        // After digital silence it takes some seconds.
        told.say(127, 100);
        assert_eq!(told.say(50, 1).map(|loudness| loudness.is_speech), Some(true));
        assert_eq!(told.say(50, 500).map(|loudness| loudness.is_speech), Some(false));
        assert_eq!(told.say(30, 1).map(|loudness| loudness.is_speech), Some(true), "a voice above it");
    }

    #[test]
    fn whoever_talks_without_a_pause_is_not_noise() {
        let mut told = Told::new();
        assert_eq!(told.say(32, 50 * 600).map(|loudness| loudness.is_speech), Some(true));
    }

    #[test]
    fn packets_of_any_length_fill_the_same_second() {
        for (frames, per_frame) in [(1, 1), (3, 1), (6, 1), (1, 2)] {
            let mut told = Told::new();
            for _ in 0..100 {
                told.wait(frames);
                for part in 0..per_frame {
                    told.at(told.timestamp + part * TICKS / per_frame, 25);
                }
            }
            assert_eq!((told.mean(), told.active_frames()), (Some(-25), FRAMES), "{frames} {per_frame}");
        }
    }

    #[test]
    fn a_sender_that_jumps_starts_anew() {
        let mut told = Told::new();
        told.say(30, 50);
        told.timestamp = told.timestamp.wrapping_sub(1 << 30);
        assert!(told.say(30, 1).is_some());
        assert!(told.say(30, 1).is_some());
        told.timestamp = told.timestamp.wrapping_add(1 << 30);
        assert!(told.say(30, 1).is_some());
        assert_eq!(told.active_frames(), 1);
    }

    #[test]
    fn no_input_panics() {
        for seed in 0..20 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut told = Told::new();
            told.levels = Levels::new(if seed == 0 { 0 } else { rng.random() });
            for _ in 0..2_000 {
                told.now += Duration::from_millis(rng.random_range(0..500));
                let timestamp = if rng.random() { rng.random() } else { rng.random_range(0..100_000) };
                told.at(timestamp, rng.random());
                assert!(told.mean().is_none_or(|mean| mean <= 0), "seed {seed}");
                assert_eq!(told.levels.activities(told.now).count(), FRAMES, "seed {seed}");
            }
        }
    }
}
