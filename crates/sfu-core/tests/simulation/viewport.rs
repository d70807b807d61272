//! What a viewer shows decides what it is sent.

use bot::{MediaKind, Vp8Settings};
use sfu_core::{Command, EventKind, LayersReason, Tile};

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

/// Bob shows alice's picture in this size, or not at all.
fn show(sim: &mut Sim, alice: PeerId, bob: PeerId, size: Option<(u32, u32)>) {
    let (transport, consumer) = (sim.peer(bob).transport, sim.watched(bob, alice, MediaKind::Video).consumer);
    let tiles = size.map(|(width, height)| Tile { consumer, width, height, pinned: false });
    sim.command(Command::SetViewport { transport, tiles: tiles.into_iter().collect() });
}

fn current(sim: &mut Sim, alice: PeerId, bob: PeerId) -> Option<u8> {
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.consumer_stats(consumer).current.map(|layer| layer.spatial)
}

#[test]
fn what_is_not_shown_is_not_sent_and_comes_back_at_a_key_frame() {
    let mut sim = Sim::seeded(700);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)), &encodings());
    sim.run_for(seconds(3));
    sim.take_events();
    show(&mut sim, alice, bob, None);
    sim.run_for(millis(100));
    let before = sim.video_at(bob);
    sim.run_for(seconds(3));
    assert_eq!(sim.video_at(bob).packets, before.packets, "{}", sim.replay_hint());
    let told: Vec<_> = sim.take_events().into_iter().map(|event| event.kind).collect();
    let is_end = |kind: &EventKind| matches!(kind, EventKind::ConsumerLayers(_, None, LayersReason::Viewport));
    assert!(told.iter().any(is_end), "{told:?} {}", sim.replay_hint());
    show(&mut sim, alice, bob, Some((640, 360)));
    sim.run_for(millis(300));
    let after = sim.video_at(bob);
    assert!(after.decoded > before.decoded, "{after:?} {}", sim.replay_hint());
    assert_eq!((after.faults(), after.missing, after.dropped), (0, 0, 0), "{after:?} {}", sim.replay_hint());
}

#[test]
fn a_tile_gets_the_smallest_layer_that_fills_it() {
    let mut sim = Sim::seeded(701);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)), &encodings());
    sim.run_for(seconds(3));
    let cases = [
        ((160, 90), 0),
        ((165, 90), 0),
        ((200, 90), 1),
        ((320, 180), 1),
        ((321, 400), 2),
        ((4000, 4000), 2),
        ((1, 1), 0),
    ];
    for (size, layer) in cases {
        show(&mut sim, alice, bob, Some(size));
        sim.run_for(seconds(1));
        assert_eq!(current(&mut sim, alice, bob), Some(layer), "{size:?} {}", sim.replay_hint());
    }
    let video = sim.video_at(bob);
    assert_eq!((video.faults(), video.missing, video.dropped), (0, 0, 0), "{video:?} {}", sim.replay_hint());
    assert!(video.longest_gap < millis(100), "{video:?} {}", sim.replay_hint());
}

#[test]
fn a_publisher_is_told_which_layers_nobody_uses() {
    let mut sim = Sim::seeded(702);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)), &encodings());
    let published = |sim: &mut Sim| {
        let told = sim.take_events().into_iter().filter_map(|event| match event.kind {
            EventKind::PublishLayers(_, active) => Some(active),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    sim.run_for(seconds(5));
    // Whoever shows the largest needs none between it and the lowest.
    assert_eq!(published(&mut sim), [[true, false, true]], "{}", sim.replay_hint());
    show(&mut sim, alice, bob, Some((320, 180)));
    assert_eq!(published(&mut sim), [[true, true, true]], "at once {}", sim.replay_hint());
    sim.run_for(seconds(5));
    assert_eq!(published(&mut sim), [[true, true, false]], "{}", sim.replay_hint());
    show(&mut sim, alice, bob, None);
    sim.run_for(seconds(5));
    assert_eq!(published(&mut sim), [[true, false, false]], "{}", sim.replay_hint());
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.command(Command::CloseConsumer { consumer });
    sim.run_for(seconds(5));
    assert!(published(&mut sim).is_empty(), "{}", sim.replay_hint());
}

#[test]
fn fewer_pictures_a_second_are_sent_without_a_seam() {
    for seed in seeds(&[], 710, 10) {
        let mut sim = Sim::seeded(seed);
        let clean = Conditions::delay(millis(20));
        let (alice, bob) = sim.camera_and_viewer(clean, &encodings());
        sim.run_for(seconds(2));
        for id in [alice, bob] {
            sim.set_link(id, clean.jitter(millis(10)).loss(0.03).reordering(0.03));
        }
        let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
        let mut rates = [0; 3];
        for temporal in [0, 1, 2, 0, 2, 1, 0] {
            sim.command(Command::SetPreferredLayers { consumer, spatial: 2, temporal: Some(temporal) });
            sim.run_for(millis(500));
            let before = sim.video_at(bob).decoded;
            sim.run_for(seconds(2));
            rates[usize::from(temporal)] = sim.video_at(bob).decoded - before;
        }
        for id in [alice, bob] {
            sim.set_link(id, clean);
        }
        sim.run_for(seconds(2));
        let video = sim.video_at(bob);
        // 25 pictures a second, of which a quarter and a half belong to the lower layers. Those that were repaired too late
        // are overtaken.
        for (rate, expected) in rates.into_iter().zip([12, 25, 50]) {
            assert!(rate <= expected + 2 && rate * 10 >= expected * 7, "{rates:?} {video:?} {}", sim.replay_hint());
        }
        assert_eq!(video.faults(), 0, "{video:?} {}", sim.replay_hint());
        assert!(video.missing <= video.key_frames, "{video:?} {}", sim.replay_hint());
        assert!(video.longest_gap < millis(600), "{video:?} {}", sim.replay_hint());
    }
}
