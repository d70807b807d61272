//! Who says nothing loses nothing.

use bot::{MediaKind, OpusSettings};

use crate::sim::{Conditions, Sim, millis, seconds};

#[test]
fn discontinuous_transmission_is_not_loss() {
    let mut sim = Sim::seeded(30);
    let link = Conditions::delay(millis(20));
    let (alice, bob) = (sim.join(link), sim.join(link));
    let talk_and_pause = Some((seconds(1), seconds(4)));
    sim.publish_audio(alice, OpusSettings { talk_and_pause, ..OpusSettings::default() });
    let consumer = sim.watch_with(bob, alice, MediaKind::Audio, |spec| spec.nack = true);
    sim.run_for(seconds(20));
    let audio = sim.audio_at(bob);
    assert!(audio.silent >= 40 && audio.decoded >= 190, "{audio:?} {}", sim.replay_hint());
    assert_eq!((audio.missing, audio.nacked, audio.faults()), (0, 0, 0), "{audio:?} {}", sim.replay_hint());
    assert_eq!(sim.sent(alice, MediaKind::Audio, 0).most_reported_lost, 0, "{}", sim.replay_hint());
    let stats = sim.consumer_stats(consumer);
    assert_eq!((stats.packets_lost, stats.fraction_lost), (0, 0), "{stats:?} {}", sim.replay_hint());
}

#[test]
fn a_source_that_stops_for_a_while_has_lost_nothing() {
    let mut sim = Sim::seeded(31);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.run_for(seconds(3));
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let source = sim.peer(alice).published(kind).source;
        sim.with_bot(alice, |bot, _, _| bot.pause_source(source, true));
    }
    sim.run_for(seconds(10));
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let source = sim.peer(alice).published(kind).source;
        sim.with_bot(alice, |bot, _, _| bot.pause_source(source, false));
    }
    sim.run_for(seconds(3));
    for kind in [MediaKind::Audio, MediaKind::Video] {
        let (seen, sent) = (sim.quality(bob, alice, kind), sim.sent(alice, kind, 0));
        assert_eq!((sent.most_reported_lost, sent.nacked), (0, 0), "{sent:?} {}", sim.replay_hint());
        assert_eq!((seen.missing, seen.nacked, seen.faults()), (0, 0, 0), "{seen:?} {}", sim.replay_hint());
        let consumer = sim.watched(bob, alice, kind).consumer;
        let stats = sim.consumer_stats(consumer);
        assert_eq!(stats.packets_lost, 0, "{stats:?} {}", sim.replay_hint());
    }
    assert_eq!(sim.video_at(bob).dropped, 0, "{}", sim.replay_hint());
}
