//! Who is audible and who leads, as mediasoup's observers tell it: `volumes`, `silence`, `dominantspeaker`.

use bot::{MediaKind, OpusSettings};
use sfu_core::{AudioLevelOptions, Command, EventKind, Key, ObjectId, Producer};

use crate::sim::{Conditions, PeerId, Sim, millis, seconds};

/// A microphone in a room without a sound.
const QUIET: OpusSettings = OpusSettings { packet_len: 80, talk_and_pause: None, dbov_below: 90 };

/// What was told, in short: who leads, and who is audible with which level.
#[derive(Debug, PartialEq)]
enum Told {
    Leads(Option<ObjectId>),
    Levels(Vec<(ObjectId, i8)>),
}

fn told(sim: &mut Sim) -> Vec<Told> {
    let short = |event| match event {
        EventKind::ActiveSpeaker(speaker) => Told::Leads(speaker),
        EventKind::AudioLevels(levels) => Told::Levels(levels.as_slice().to_vec()),
        other => unreachable!("{other:?} is not about voices"),
    };
    sim.take_audio_events().into_iter().map(short).collect()
}

fn levels(sim: &mut Sim) -> Vec<Vec<(ObjectId, i8)>> {
    let only_levels = |told| match told {
        Told::Levels(levels) => Some(levels),
        Told::Leads(_) => None,
    };
    told(sim).into_iter().filter_map(only_levels).collect()
}

fn room(seed: u64, speakers: usize) -> (Sim, Vec<PeerId>, Vec<ObjectId>) {
    let mut sim = Sim::seeded(seed);
    let speakers: Vec<_> = (0..speakers).map(|_| sim.join(Conditions::delay(millis(20)))).collect();
    for &speaker in &speakers {
        sim.publish_audio(speaker, QUIET);
    }
    sim.run_for(seconds(2));
    let names = speakers.iter().map(|&speaker| sim.peer(speaker).published(MediaKind::Audio).id).collect();
    assert_eq!(told(&mut sim), [], "nobody speaks");
    (sim, speakers, names)
}

fn microphone(sim: &Sim, speaker: PeerId) -> Key<Producer> {
    sim.peer(speaker).published(MediaKind::Audio).producer
}

/// Somebody speaks and then is gone in this way, while still speaking.
fn speaks_and_is_gone(seed: u64, gone: impl Fn(&mut Sim, PeerId)) {
    let (mut sim, speakers, names) = room(seed, 2);
    sim.set_level(speakers[0], 25);
    sim.run_for(seconds(3));
    let before = told(&mut sim);
    assert_eq!(before.iter().filter(|told| **told == Told::Leads(Some(names[0]))).count(), 1, "{before:?}");
    assert_eq!(before.last(), Some(&Told::Levels(vec![(names[0], -25)])), "{before:?}");
    gone(&mut sim, speakers[0]);
    sim.run_for(millis(350));
    assert_eq!(told(&mut sim), [Told::Leads(None), Told::Levels(vec![])], "both at once");
    sim.run_for(seconds(20));
    assert_eq!(told(&mut sim), [], "and only once");
    // Whoever speaks next is told of as ever.
    sim.set_level(speakers[1], 30);
    sim.run_for(seconds(3));
    assert_eq!(told(&mut sim).last(), Some(&Told::Levels(vec![(names[1], -30)])));
}

#[test]
fn silence_is_told_once_when_the_only_speaker_pauses() {
    speaks_and_is_gone(600, |sim, speaker| {
        let producer = microphone(sim, speaker);
        sim.command(Command::PauseProducer { producer, paused: true });
    });
}

#[test]
fn silence_is_told_once_when_the_only_speaker_closes_its_microphone() {
    speaks_and_is_gone(601, |sim, speaker| {
        let producer = microphone(sim, speaker);
        sim.command(Command::CloseProducer { producer });
    });
}

#[test]
fn silence_is_told_once_when_the_only_speaker_leaves() {
    speaks_and_is_gone(602, |sim, speaker| {
        let transport = sim.peer(speaker).transport;
        sim.command(Command::CloseTransport { transport });
    });
}

#[test]
fn a_microphone_that_goes_on_after_a_pause_is_told_of_again() {
    let (mut sim, speakers, names) = room(603, 2);
    sim.set_level(speakers[0], 25);
    sim.run_for(seconds(2));
    let producer = microphone(&sim, speakers[0]);
    sim.command(Command::PauseProducer { producer, paused: true });
    sim.run_for(seconds(3));
    told(&mut sim);
    sim.command(Command::PauseProducer { producer, paused: false });
    sim.run_for(seconds(3));
    let after = told(&mut sim);
    assert!(after.contains(&Told::Leads(Some(names[0]))), "{after:?}");
    assert_eq!(after.last(), Some(&Told::Levels(vec![(names[0], -25)])), "{after:?}");
}

#[test]
fn who_pauses_among_others_is_left_out_of_the_next_levels() {
    let (mut sim, speakers, names) = room(604, 3);
    for (speaker, level) in [(0, 40), (1, 20), (2, 30)] {
        sim.set_level(speakers[speaker], level);
    }
    sim.run_for(seconds(3));
    let all = [(names[1], -20), (names[2], -30), (names[0], -40)];
    assert_eq!(levels(&mut sim).last().map(Vec::as_slice), Some(&all[..]), "the loudest first");
    let producer = microphone(&sim, speakers[1]);
    sim.command(Command::PauseProducer { producer, paused: true });
    sim.run_for(seconds(2));
    let after = levels(&mut sim);
    assert!(after.len() >= 6 && after.iter().all(|levels| levels[..] == all[1..]), "{after:?}");
}

#[test]
fn levels_are_told_to_as_many_from_as_loud_and_as_often_as_asked() {
    let (mut sim, speakers, names) = room(605, 4);
    let router = sim.router;
    let options = AudioLevelOptions { max_entries: 2, threshold: -45, interval: seconds(1) };
    sim.command(Command::SetAudioLevels { router, options });
    for (speaker, level) in [(0, 44), (1, 20), (2, 30)] {
        sim.set_level(speakers[speaker], level);
    }
    sim.run_for(seconds(3));
    levels(&mut sim);
    sim.run_for(seconds(9));
    let all = levels(&mut sim);
    assert_eq!(all.len(), 10, "every 900 ms: {all:?}");
    assert!(all.iter().all(|levels| *levels == [(names[1], -20), (names[2], -30)]), "{all:?}");
    // Somebody who speaks, but too softly, is silence.
    for (speaker, level) in [(0, 50), (1, 90), (2, 90)] {
        sim.set_level(speakers[speaker], level);
    }
    sim.run_for(seconds(3));
    let all = levels(&mut sim);
    assert_eq!(all.last(), Some(&vec![]), "{all:?}");
    sim.run_for(seconds(5));
    assert_eq!(levels(&mut sim), [] as [Vec<_>; 0], "told once");
}

#[test]
fn a_word_that_is_shorter_than_the_interval_is_told_of_too() {
    let (mut sim, speakers, names) = room(606, 2);
    let router = sim.router;
    let options = AudioLevelOptions { interval: seconds(1), ..AudioLevelOptions::default() };
    sim.command(Command::SetAudioLevels { router, options });
    sim.set_level(speakers[0], 20);
    sim.run_for(millis(150));
    sim.set_level(speakers[0], 90);
    sim.run_for(seconds(4));
    let all = levels(&mut sim);
    let [first, last] = &all[..] else { panic!("{all:?}") };
    assert!(first.len() == 1 && first[0].0 == names[0] && first[0].1 < -20, "a mean over the interval: {all:?}");
    assert_eq!(last[..], []);
}
