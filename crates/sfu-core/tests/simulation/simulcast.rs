//! Several encodings of one camera: viewers change between them without a seam.

use bot::{MediaKind, Vp8Settings};
use sfu_core::{Command, EventKind, Layer};

use crate::sim::{Conditions, PeerId, Sim, millis, seconds, seeds};

/// Three encodings as browsers make them: a quarter, half and full size.
fn encodings() -> [Vp8Settings; 3] {
    [(100_000, (160, 90)), (300_000, (320, 180)), (900_000, (640, 360))].map(|(bit_rate, size)| Vp8Settings {
        bit_rate,
        size,
        frame_rate: 25,
        temporal_layers: 3,
    })
}

fn prefer(sim: &mut Sim, alice: PeerId, bob: PeerId, spatial: u8) {
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.command(Command::SetPreferredLayers { consumer, spatial, temporal: None });
}

fn current(sim: &mut Sim, alice: PeerId, bob: PeerId) -> Option<u8> {
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.consumer_stats(consumer).current.map(|layer| layer.spatial)
}

#[test]
fn each_viewer_gets_the_layer_it_asks_for() {
    let mut sim = Sim::seeded(60);
    let link = Conditions::delay(millis(20));
    let (alice, bob) = sim.camera_and_viewer(link, &encodings());
    let carol = sim.join(link);
    sim.watch(carol, alice, MediaKind::Video);
    prefer(&mut sim, alice, carol, 0);
    sim.run_for(seconds(4));
    assert_eq!(current(&mut sim, alice, bob), Some(2), "{}", sim.replay_hint());
    assert_eq!(current(&mut sim, alice, carol), Some(0), "{}", sim.replay_hint());
    let (high, low) = (sim.video_at(bob), sim.video_at(carol));
    assert!(high.packets > 2 * low.packets, "{high:?} {low:?}");
    for video in [high, low] {
        assert!(video.decoded > 80, "{video:?} {}", sim.replay_hint());
        assert_eq!((video.faults(), video.missing, video.dropped), (0, 0, 0), "{video:?} {}", sim.replay_hint());
    }
}

#[test]
fn numbers_times_and_picture_ids_go_on_over_every_switch() {
    for seed in seeds(&[], 600, 10) {
        let mut sim = Sim::seeded(seed);
        let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)).jitter(millis(10)), &encodings());
        sim.run_for(seconds(3));
        for (turn, spatial) in [0, 2, 1, 0, 1, 2, 0, 2].into_iter().enumerate() {
            prefer(&mut sim, alice, bob, spatial);
            sim.run_for(millis(2_000 + 37 * turn as u64));
            assert_eq!(current(&mut sim, alice, bob), Some(spatial), "{}", sim.replay_hint());
        }
        let video = sim.video_at(bob);
        assert!(video.switches >= 8, "{video:?} {}", sim.replay_hint());
        assert_eq!((video.missing, video.nacked, video.faults()), (0, 0, 0), "{video:?} {}", sim.replay_hint());
        assert_eq!((video.picture_id_jumps, video.cut), (0, 0), "{video:?} {}", sim.replay_hint());
        assert_eq!((video.dropped, video.decoded), (0, video.frames), "{video:?} {}", sim.replay_hint());
        // A switch waits for a key frame while the old layer goes on, so the picture never stands still.
        assert!(video.longest_gap <= millis(100), "{video:?} {}", sim.replay_hint());
    }
}

#[test]
fn switching_over_a_lossy_link_goes_on_without_a_seam() {
    for seed in seeds(&[], 620, 15) {
        let mut sim = Sim::seeded(seed);
        let clean = Conditions::delay(millis(25));
        let (alice, bob) = sim.camera_and_viewer(clean, &encodings());
        sim.run_for(seconds(2));
        for id in [alice, bob] {
            sim.set_link(id, clean.jitter(millis(15)).loss(0.05).reordering(0.05).duplication(0.02));
        }
        for turn in 0..12 {
            prefer(&mut sim, alice, bob, turn % 3);
            sim.run_for(millis(900));
        }
        for id in [alice, bob] {
            sim.set_link(id, clean);
        }
        sim.run_for(seconds(3));
        let video = sim.video_at(bob);
        assert!(video.switches >= 6, "{video:?} {}", sim.replay_hint());
        assert_eq!((video.faults(), video.picture_id_jumps), (0, 0), "{video:?} {}", sim.replay_hint());
        // What is lost right before a key frame is not asked for any more.
        assert!(video.missing <= video.key_frames, "{video:?} {}", sim.replay_hint());
        assert!(video.longest_gap < millis(500), "{video:?} {}", sim.replay_hint());
    }
}

#[test]
fn a_layer_whose_sender_stops_is_left_and_taken_again_when_it_comes_back() {
    let mut sim = Sim::seeded(61);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)), &encodings());
    sim.run_for(seconds(3));
    assert_eq!(current(&mut sim, alice, bob), Some(2), "{}", sim.replay_hint());
    sim.take_events();
    let source = sim.peer(alice).published(MediaKind::Video).source;
    sim.with_bot(alice, |bot, _, _| bot.stop_stream(source, 2, true));
    sim.run_for(seconds(4));
    assert_eq!(current(&mut sim, alice, bob), Some(1), "{}", sim.replay_hint());
    sim.with_bot(alice, |bot, _, _| bot.stop_stream(source, 2, false));
    sim.run_for(seconds(3));
    assert_eq!(current(&mut sim, alice, bob), Some(2), "{}", sim.replay_hint());
    let video = sim.video_at(bob);
    assert_eq!((video.missing, video.faults(), video.dropped), (0, 0, 0), "{video:?} {}", sim.replay_hint());
    assert!(video.longest_gap < seconds(4), "{video:?} {}", sim.replay_hint());
    let layers: Vec<_> = sim
        .take_events()
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::ConsumerLayers(_, layer, _) => layer.map(|layer| layer.spatial),
            _ => None,
        })
        .collect();
    assert_eq!(layers, [1, 2], "{}", sim.replay_hint());
}

/// A browser that begins with little bandwidth sends the lowest layer alone for some time.
#[test]
fn whichever_layer_comes_first_is_shown_until_a_better_one_comes() {
    let mut sim = Sim::seeded(62);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)), &encodings());
    let source = sim.peer(alice).published(MediaKind::Video).source;
    sim.with_bot(alice, |bot, _, _| {
        bot.stop_stream(source, 1, true);
        bot.stop_stream(source, 2, true);
    });
    sim.run_for(seconds(2));
    assert_eq!(current(&mut sim, alice, bob), Some(0), "{}", sim.replay_hint());
    assert!(sim.video_at(bob).decoded > 30, "{}", sim.replay_hint());
    sim.with_bot(alice, |bot, _, _| bot.stop_stream(source, 1, false));
    sim.run_for(seconds(2));
    assert_eq!(current(&mut sim, alice, bob), Some(1), "{}", sim.replay_hint());
    sim.with_bot(alice, |bot, _, _| bot.stop_stream(source, 2, false));
    sim.run_for(seconds(2));
    assert_eq!(current(&mut sim, alice, bob), Some(2), "{}", sim.replay_hint());
    let video = sim.video_at(bob);
    assert_eq!((video.missing, video.faults(), video.dropped), (0, 0, 0), "{video:?} {}", sim.replay_hint());
}

#[test]
fn each_size_comes_at_each_rate_that_is_asked_for() {
    let mut sim = Sim::seeded(690);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)), &encodings());
    sim.run_for(seconds(3));
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    for (spatial, temporal) in [(2, 0), (0, 2), (2, 1), (1, 0), (2, 2), (0, 0)] {
        sim.command(Command::SetPreferredLayers { consumer, spatial, temporal: Some(temporal) });
        sim.run_for(seconds(3));
        let current = sim.consumer_stats(consumer).current;
        assert_eq!(current, Some(Layer { spatial, temporal }), "{}", sim.replay_hint());
    }
    let video = sim.video_at(bob);
    assert_eq!((video.missing, video.faults()), (0, 0), "{video:?} {}", sim.replay_hint());
}
