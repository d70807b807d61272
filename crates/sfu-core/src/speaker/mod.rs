//! Who of a room is heard and who leads the conversation, told by the levels that senders write beside their audio. Pure:
//! told the time, bounded by the number of microphones, without allocation on the way of a packet.

mod dominant;
mod levels;
mod loudest;
mod report;
#[cfg(test)]
mod simulation;

use std::time::Instant;

use wire::RtpTimestamp;
use wire::extension::AudioLevel;

pub(crate) use dominant::DECISION_INTERVAL;
use dominant::Dominant;
use levels::Levels;
use loudest::Loudest;
pub use report::{AudioLevelOptions, AudioLevels, MAX_AUDIO_LEVELS};

use crate::command::ObjectId;

/// Names a microphone within its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MicId(u32);

impl MicId {
    fn index(self) -> usize {
        self.0 as usize
    }
}

struct Microphone {
    producer: ObjectId,
    levels: Levels,
    /// Whether it ever told a level: one that does not is always forwarded.
    tells: bool,
}

/// What one packet means for its microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) is_forwarded: bool,
    pub(crate) is_speech: bool,
}

/// What changed since the last observation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Observation {
    /// Who leads from now on.
    pub(crate) active_speaker: Option<Option<ObjectId>>,
    pub(crate) levels: Option<AudioLevels>,
}

/// The microphones of one room.
pub(crate) struct Speakers {
    microphones: Vec<Option<Microphone>>,
    loudest: Loudest,
    dominant: Dominant,
    /// Who was last told to lead.
    announced: Option<ObjectId>,
    /// Whether the last levels told of somebody.
    was_audible: bool,
    options: AudioLevelOptions,
    /// Observations since levels were to be told.
    waited: u32,
}

impl Speakers {
    /// A room in which everybody is forwarded.
    pub(crate) fn new() -> Self {
        Self {
            microphones: Vec::new(),
            loudest: Loudest::new(0),
            dominant: Dominant::default(),
            announced: None,
            was_audible: false,
            options: AudioLevelOptions::default(),
            waited: 0,
        }
    }

    /// How many are forwarded at a time; 0 is all.
    pub(crate) fn set_count(&mut self, now: Instant, count: u8) {
        self.loudest.set_count(now, count);
    }

    /// How levels are told from now on.
    pub(crate) fn set_options(&mut self, options: AudioLevelOptions) {
        self.options = options;
    }

    /// A microphone with this RTP clock, in Hz.
    pub(crate) fn add(&mut self, producer: ObjectId, clock_rate: u32) -> MicId {
        let microphone = Some(Microphone { producer, levels: Levels::new(clock_rate), tells: false });
        let free = self.microphones.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.microphones.push(None);
            self.microphones.len() - 1
        });
        self.microphones[index] = microphone;
        MicId(u32::try_from(index).expect("a room has fewer than 2^32 microphones"))
    }

    /// It is paused or closed.
    pub(crate) fn remove(&mut self, mic: MicId) {
        self.loudest.remove(mic);
        self.dominant.remove(mic);
        if let Some(slot) = self.microphones.get_mut(mic.index()) {
            *slot = None;
        }
    }

    /// The producer of a microphone.
    pub(crate) fn producer(&self, mic: MicId) -> Option<ObjectId> {
        self.microphones.get(mic.index())?.as_ref().map(|microphone| microphone.producer)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.microphones.iter().flatten().count()
    }

    /// Takes in what a packet says of its loudness, and decides on it.
    pub(crate) fn hear(&mut self, now: Instant, mic: MicId, at: RtpTimestamp, level: Option<AudioLevel>) -> Heard {
        let unknown = Heard { is_forwarded: true, is_speech: false };
        let Some(Some(microphone)) = self.microphones.get_mut(mic.index()) else { return unknown };
        let Some(level) = level else {
            return Heard { is_forwarded: !microphone.tells || self.loudest.has_place(mic), is_speech: false };
        };
        microphone.tells = true;
        match microphone.levels.note(now, at, level) {
            Some(loudness) => {
                let is_forwarded = self.loudest.admit(now, mic, loudness);
                Heard { is_forwarded, is_speech: loudness.is_speech }
            }
            None => Heard { is_forwarded: self.loudest.has_place(mic), is_speech: false },
        }
    }

    /// Decides who leads and measures who is audible. To be asked every [`DECISION_INTERVAL`] until
    /// [`Speakers::is_quiet`].
    pub(crate) fn observe(&mut self, now: Instant) -> Observation {
        let all = self.microphones.iter().enumerate();
        let all = all.filter_map(|(index, slot)| slot.as_ref().map(|microphone| (MicId(index as u32), microphone)));
        self.dominant.decide(now, all.map(|(mic, microphone)| (mic, &microphone.levels)));
        let leader = self.dominant.speaker().and_then(|mic| self.producer(mic));
        let active_speaker = (leader != self.announced).then_some(leader);
        self.announced = leader;
        Observation { active_speaker, levels: self.observe_levels(now) }
    }

    /// Who is audible, if it is time to say so and anybody is; once more, and empty, when nobody is any more.
    fn observe_levels(&mut self, now: Instant) -> Option<AudioLevels> {
        self.waited += 1;
        if self.waited < self.options.observations() {
            return None;
        }
        self.waited = 0;
        let AudioLevelOptions { max_entries, threshold, interval } = self.options;
        let mut levels = AudioLevels::default();
        for microphone in self.microphones.iter().flatten() {
            let mean = microphone.levels.mean_dbov(now, interval.max(DECISION_INTERVAL));
            if let Some(dbov) = mean.filter(|&dbov| dbov >= threshold) {
                levels.insert(microphone.producer, dbov);
            }
        }
        levels.truncate(max_entries);
        let was_audible = std::mem::replace(&mut self.was_audible, !levels.is_empty());
        (was_audible || self.was_audible).then_some(levels)
    }

    /// Whether nothing changes until somebody speaks.
    pub(crate) fn is_quiet(&self) -> bool {
        self.announced.is_none() && !self.was_audible && self.waited == 0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn id(number: u128) -> ObjectId {
        ObjectId(number)
    }

    /// Microphones that are told a level every 20 ms, and what was observed every 300 ms.
    struct Room {
        speakers: Speakers,
        now: Instant,
        frames: u32,
    }

    impl Room {
        fn new() -> Self {
            Self { speakers: Speakers::new(), now: crate::some_instant(), frames: 0 }
        }

        fn run(&mut self, observations: u32, told: &[(MicId, u8)]) -> Vec<Observation> {
            let mut all = Vec::new();
            for frame in 1..=observations * 15 {
                self.now += Duration::from_millis(20);
                self.frames += 1;
                for &(mic, dbov_below) in told {
                    let level = AudioLevel { voice: false, dbov_below };
                    self.speakers.hear(self.now, mic, RtpTimestamp::new(self.frames * 960), Some(level));
                }
                if frame % 15 == 0 {
                    all.push(self.speakers.observe(self.now));
                }
            }
            all
        }
    }

    #[test]
    fn levels_are_told_while_somebody_is_audible_and_once_after() {
        let mut room = Room::new();
        let (a, b) = (room.speakers.add(id(1), 48_000), room.speakers.add(id(2), 48_000));
        assert!(room.run(3, &[(a, 127), (b, 127)]).iter().all(|seen| seen.levels.is_none()));
        assert!(room.speakers.is_quiet());
        let seen = room.run(3, &[(a, 30), (b, 20)]);
        let levels = seen.last().and_then(|seen| seen.levels.as_ref()).expect("both are audible");
        assert_eq!(levels.as_slice(), [(id(2), -20), (id(1), -30)], "the loudest first");
        assert!(!room.speakers.is_quiet());
        let seen = room.run(40, &[(a, 127), (b, 127)]);
        assert!(seen[0].levels.as_ref().is_some_and(AudioLevels::is_empty), "{:?}", seen[0]);
        assert!(seen[1..].iter().all(|seen| seen.levels.is_none()));
        assert!(room.speakers.is_quiet());
    }

    #[test]
    fn the_leader_is_told_when_it_changes_and_when_it_is_gone() {
        let mut room = Room::new();
        let (a, b) = (room.speakers.add(id(1), 48_000), room.speakers.add(id(2), 48_000));
        let changes = |seen: Vec<Observation>| seen.into_iter().filter_map(|seen| seen.active_speaker).collect();
        let seen: Vec<_> = changes(room.run(10, &[(a, 30), (b, 127)]));
        assert_eq!(seen, [Some(id(1))]);
        let seen: Vec<_> = changes(room.run(10, &[(a, 127), (b, 30)]));
        assert_eq!(seen, [Some(id(2))]);
        room.speakers.remove(b);
        let again = room.speakers.add(id(3), 48_000);
        assert_eq!(again, b, "the place is used again");
        let seen: Vec<_> = changes(room.run(10, &[(a, 127), (again, 127)]));
        assert_eq!(seen, [None]);
    }

    #[test]
    fn who_tells_no_levels_is_forwarded_beside_the_loudest() {
        let mut room = Room::new();
        room.speakers.set_count(room.now, 1);
        let (a, b, mute) = {
            let speakers = &mut room.speakers;
            (speakers.add(id(1), 48_000), speakers.add(id(2), 48_000), speakers.add(id(3), 48_000))
        };
        room.run(1, &[(a, 20), (b, 30)]);
        let at = RtpTimestamp::new(0);
        let forwarded = |room: &mut Room, mic| room.speakers.hear(room.now, mic, at, None).is_forwarded;
        assert!(forwarded(&mut room, mute) && forwarded(&mut room, a));
        assert!(!forwarded(&mut room, b), "it told levels before");
    }
}
