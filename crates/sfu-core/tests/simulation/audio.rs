//! Of many microphones the loudest are heard, from the first packet of a word on; of the others nothing is sent.

use bot::{Media, MediaKind, OpusSettings};
use sfu_core::{Command, EventKind, ObjectId};

use crate::sim::{Conditions, PeerId, Sim, millis, seconds, seeds};

/// A quiet room behind a microphone.
const QUIET: OpusSettings = OpusSettings { packet_len: 80, talk_and_pause: None, dbov_below: 90 };

/// Some who speak, all quiet at first, and one who listens to all.
struct Lecture {
    sim: Sim,
    speakers: Vec<PeerId>,
    listener: PeerId,
}

impl Lecture {
    fn new(seed: u64, speakers: usize, loudest: u8) -> Self {
        let mut sim = Sim::seeded(seed);
        let router = sim.router;
        sim.command(Command::SetLoudest { router, count: loudest });
        let link = Conditions::delay(millis(20));
        let listener = sim.join(link);
        let speakers: Vec<_> = (0..speakers).map(|_| sim.join(link)).collect();
        for &speaker in &speakers {
            sim.publish_audio(speaker, QUIET);
            sim.watch_with(listener, speaker, MediaKind::Audio, |spec| spec.nack = true);
        }
        sim.run_for(seconds(2));
        Self { sim, speakers, listener }
    }

    fn say(&mut self, speaker: usize, dbov_below: u8) {
        self.sim.set_level(self.speakers[speaker], dbov_below);
    }

    /// Packets sent by a speaker, and packets of it that were heard.
    fn packets(&self, speaker: usize) -> (u64, u64) {
        let speaker = self.speakers[speaker];
        let heard = self.sim.quality(self.listener, speaker, MediaKind::Audio);
        (self.sim.sent(speaker, MediaKind::Audio, 0).packets, heard.packets)
    }

    /// Runs, and says of each speaker how many packets were sent and how many heard meanwhile.
    fn run(&mut self, millis: u64) -> Vec<(u64, u64)> {
        let all = 0..self.speakers.len();
        let before: Vec<_> = all.clone().map(|speaker| self.packets(speaker)).collect();
        self.sim.run_for(crate::sim::millis(millis));
        let after = all.map(|speaker| self.packets(speaker));
        after.zip(before).map(|(after, before)| (after.0 - before.0, after.1 - before.1)).collect()
    }

    fn name(&self, speaker: usize) -> ObjectId {
        self.sim.peer(self.speakers[speaker]).published(MediaKind::Audio).id
    }

    /// That the listener saw nothing wrong of anybody.
    fn check(&mut self) {
        for &speaker in &self.speakers {
            let seen = self.sim.quality(self.listener, speaker, MediaKind::Audio);
            let hint = self.sim.replay_hint();
            assert_eq!((seen.missing, seen.nacked, seen.faults()), (0, 0, 0), "{seen:?} {hint}");
        }
    }
}

#[test]
fn exactly_the_loudest_are_heard_and_the_others_cost_nothing() {
    let mut lecture = Lecture::new(110, 8, 3);
    for (speaker, level) in [(0, 40), (1, 22), (2, 38), (3, 20), (4, 36), (5, 24), (6, 42)] {
        lecture.say(speaker, level);
    }
    // The loudest have taken the places of those who began before them.
    lecture.run(500);
    let heard = lecture.run(5000);
    for (speaker, (sent, heard)) in heard.into_iter().enumerate() {
        let expected = if [1, 3, 5].contains(&speaker) { sent } else { 0 };
        assert_eq!(heard, expected, "of speaker {speaker}, {}", lecture.sim.replay_hint());
    }
    let silent = lecture.sim.watched(lecture.listener, lecture.speakers[7], MediaKind::Audio).consumer;
    let stats = lecture.sim.consumer_stats(silent);
    assert_eq!((stats.packets_sent, stats.bytes_sent), (0, 0), "{stats:?}");
    assert_eq!(lecture.packets(7).1, 0);
    lecture.check();
}

#[test]
fn a_word_is_heard_from_its_first_packet_to_a_second_after_its_last() {
    let mut lecture = Lecture::new(111, 8, 3);
    for turn in 0..24 {
        let speaker = turn * 3 % 8;
        let (sent_before, heard_before) = lecture.packets(speaker);
        lecture.say(speaker, 30);
        lecture.run(400);
        lecture.say(speaker, 90);
        let (sent, _) = lecture.packets(speaker);
        lecture.run(1100);
        let (_, heard) = lecture.packets(speaker);
        let word = sent - sent_before;
        // Then the pause, in which somebody else would have had to speak.
        let after = (heard - heard_before).checked_sub(word).expect("the whole word was heard");
        assert!((48..=52).contains(&after), "turn {turn}: {after} packets after it");
    }
    lecture.check();
    let begins: u64 =
        (0..8).map(|n| lecture.sim.quality(lecture.listener, lecture.speakers[n], MediaKind::Audio).talkspurts).sum();
    // The first word of each begins its stream, every other one goes on in it.
    assert_eq!(begins, 24 - 8, "packets with the marker bit");
}

#[test]
fn a_newcomer_who_is_clearly_louder_is_heard_at_once_in_a_full_discussion() {
    let mut lecture = Lecture::new(112, 8, 3);
    (0..3).for_each(|speaker| lecture.say(speaker, 40 + speaker as u8));
    lecture.run(3000);
    for newcomer in 3..6 {
        let (sent_before, heard_before) = lecture.packets(newcomer);
        lecture.say(newcomer, 25);
        lecture.run(1000);
        let (sent, heard) = lecture.packets(newcomer);
        let under_way = (sent - sent_before) - (heard - heard_before);
        assert!(under_way <= 3, "{under_way} packets of {newcomer} were not heard");
    }
    let heard = lecture.run(1000);
    assert!(heard[..3].iter().all(|&(_, heard)| heard == 0), "{heard:?}");
    lecture.check();
}

#[test]
fn what_is_lost_of_an_unheard_microphone_is_missed_by_nobody() {
    let mut lecture = Lecture::new(113, 3, 1);
    for turn in 0..6 {
        let speaker = turn % 3;
        lecture.say(speaker, 30);
        lecture.run(500);
        lecture.say(speaker, 90);
        lecture.run(1500);
        let publisher = lecture.speakers[speaker];
        lecture.sim.lose_next_from(publisher, MediaKind::Audio, 7);
        lecture.run(500);
    }
    lecture.check();
}

#[test]
fn the_first_packet_of_a_word_can_be_repaired() {
    let mut lecture = Lecture::new(114, 2, 1);
    let (listener, speaker) = (lecture.listener, lecture.speakers[0]);
    for _ in 0..3 {
        lecture.say(0, 30);
        lecture.run(500);
        lecture.say(0, 90);
        lecture.run(2000);
        lecture.sim.lose_next_to(listener, speaker, MediaKind::Audio, 1);
    }
    let seen = lecture.sim.quality(listener, speaker, MediaKind::Audio);
    assert_eq!((seen.missing, seen.nacked, seen.faults()), (0, 2, 0), "{seen:?}");
    assert_eq!(seen.talkspurts, 2, "with its marker bit, {seen:?}");
}

#[test]
fn on_bad_links_too_only_the_loudest_are_heard_and_nothing_is_wrong() {
    for seed in seeds(&[], 120, 4) {
        let mut lecture = Lecture::new(seed, 10, 3);
        let bad = Conditions::delay(millis(30)).jitter(millis(15)).loss(0.05).reordering(0.05);
        for index in 0..lecture.sim.peer_count() {
            lecture.sim.set_link(PeerId(index), bad);
        }
        for turn in 0..20 {
            let speaker = turn * 7 % 10;
            lecture.say(speaker, 30);
            lecture.run(700);
            assert!(lecture.run(500)[speaker].1 >= 15, "turn {turn}, {}", lecture.sim.replay_hint());
            lecture.say(speaker, 90);
            lecture.run(200);
        }
        lecture.run(2000);
        let heard = lecture.run(2000);
        assert!(heard.iter().all(|&(_, heard)| heard == 0), "{heard:?} {}", lecture.sim.replay_hint());
        for &speaker in &lecture.speakers {
            let seen = lecture.sim.quality(lecture.listener, speaker, MediaKind::Audio);
            assert_eq!(seen.faults(), 0, "{seen:?} {}", lecture.sim.replay_hint());
            // Lost on the way up and never repaired; not the two thousand packets that nobody was to hear.
            assert!(seen.missing <= 25, "{seen:?} {}", lecture.sim.replay_hint());
        }
    }
}

#[test]
fn other_sounds_and_rooms_without_a_limit_are_heard_always() {
    let mut lecture = Lecture::new(115, 4, 1);
    let sharing = lecture.sim.join(Conditions::delay(millis(20)));
    let stream = lecture.sim.stream_spec(None, None);
    let media = Media::Opus(stream, QUIET);
    lecture.sim.publish_with(sharing, MediaKind::Audio, media, |spec| spec.is_microphone = false);
    lecture.sim.watch(lecture.listener, sharing, MediaKind::Audio);
    lecture.sim.run_for(seconds(1));
    lecture.speakers.push(sharing);
    lecture.say(0, 30);
    lecture.run(500);
    let heard = lecture.run(1000);
    assert_eq!(heard.iter().map(|&(_, heard)| heard).collect::<Vec<_>>(), [50, 0, 0, 0, 50]);
    let router = lecture.sim.router;
    lecture.sim.command(Command::SetLoudest { router, count: 0 });
    lecture.run(100);
    assert_eq!(lecture.run(1000), [(50, 50); 5]);
    lecture.check();
}

#[test]
fn who_leads_and_who_is_audible_is_told_while_somebody_speaks() {
    let mut lecture = Lecture::new(116, 4, 3);
    assert_eq!(lecture.sim.take_audio_events(), [], "all are quiet");
    for speaker in [2, 0, 3] {
        lecture.say(speaker, 25);
        lecture.run(3000);
        let events = lecture.sim.take_audio_events();
        let leaders = events.iter().filter_map(|event| match event {
            EventKind::ActiveSpeaker(speaker) => Some(*speaker),
            _ => None,
        });
        assert_eq!(leaders.collect::<Vec<_>>(), [Some(lecture.name(speaker))]);
        let levels: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                EventKind::AudioLevels(levels) => Some(levels.as_slice()),
                _ => None,
            })
            .collect();
        assert!((9..=11).contains(&levels.len()), "{levels:?}");
        assert_eq!(levels[levels.len() - 1], [(lecture.name(speaker), -25)]);
        lecture.say(speaker, 90);
    }
    lecture.run(600);
    assert!(
        matches!(lecture.sim.take_audio_events().last(), Some(EventKind::AudioLevels(levels)) if levels.is_empty())
    );
    lecture.run(5000);
    assert_eq!(lecture.sim.take_audio_events(), [], "nothing is told of silence");
    lecture.run(10_000);
    assert_eq!(lecture.sim.take_audio_events(), [EventKind::ActiveSpeaker(None)]);
}

#[test]
fn a_paused_microphone_neither_leads_nor_takes_a_place() {
    let mut lecture = Lecture::new(117, 2, 1);
    lecture.say(0, 20);
    lecture.run(2000);
    let producer = lecture.sim.peer(lecture.speakers[0]).published(MediaKind::Audio).producer;
    lecture.sim.take_audio_events();
    lecture.sim.command(Command::PauseProducer { producer, paused: true });
    lecture.say(1, 40);
    lecture.run(100);
    assert!(lecture.run(200)[1].1 >= 9, "there is a place at once");
    assert_eq!(lecture.sim.take_audio_events().first(), Some(&EventKind::ActiveSpeaker(None)));
    lecture.say(1, 90);
    lecture.run(2000);
    lecture.sim.command(Command::PauseProducer { producer, paused: false });
    lecture.run(100);
    assert_eq!(lecture.run(1000)[0], (50, 50));
    lecture.check();
}
