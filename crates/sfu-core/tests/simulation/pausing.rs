//! Pausing and resuming, by the watching and by the sending side.

use bot::{MediaKind, Vp8Settings};
use sfu_core::Command;

use crate::sim::{Conditions, PeerId, Sim, millis, seconds, seeds};

/// Pauses and resumes by `command`; checks that nothing came in between and that the picture goes on without a hole.
fn pause_and_resume(seed: u64, kind: MediaKind, command: impl Fn(&mut Sim, PeerId, PeerId, bool)) {
    let mut sim = Sim::seeded(seed);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    for _ in 0..5 {
        sim.run_for(seconds(2));
        command(&mut sim, alice, bob, true);
        // What is under way arrives.
        sim.run_for(millis(20));
        let before = sim.quality(bob, alice, kind);
        sim.run_for(seconds(3));
        assert_eq!(sim.quality(bob, alice, kind).packets, before.packets, "{}", sim.replay_hint());
        command(&mut sim, alice, bob, false);
    }
    sim.run_for(seconds(2));
    let seen = sim.quality(bob, alice, kind);
    assert_eq!((seen.missing, seen.nacked, seen.faults()), (0, 0, 0), "{seen:?} {}", sim.replay_hint());
    assert_eq!((seen.dropped, seen.skipped), (0, 0), "{seen:?} {}", sim.replay_hint());
    if kind == MediaKind::Video {
        assert_eq!(seen.decoded, seen.frames, "{seen:?} {}", sim.replay_hint());
        // The first picture, and one after each pause.
        assert!(seen.key_frames >= 6, "{seen:?} {}", sim.replay_hint());
        assert!(seen.decoded > 250, "{seen:?} {}", sim.replay_hint());
    }
    let consumer = sim.watched(bob, alice, kind).consumer;
    assert_eq!(sim.consumer_stats(consumer).packets_lost, 0, "{}", sim.replay_hint());
    let sent = sim.sent(alice, kind, 0);
    assert_eq!((sent.nacked, sent.most_reported_lost), (0, 0), "{sent:?} {}", sim.replay_hint());
}

#[test]
fn a_paused_consumer_goes_on_at_a_key_frame_with_the_next_number() {
    for (seed, kind) in [(40, MediaKind::Video), (41, MediaKind::Audio)] {
        pause_and_resume(seed, kind, |sim, alice, bob, paused| {
            let consumer = sim.watched(bob, alice, kind).consumer;
            sim.command(Command::PauseConsumer { consumer, paused });
        });
    }
}

#[test]
fn a_paused_producer_goes_on_at_a_key_frame_with_the_next_number() {
    for (seed, kind) in [(42, MediaKind::Video), (43, MediaKind::Audio)] {
        pause_and_resume(seed, kind, |sim, alice, _, paused| {
            let producer = sim.peer(alice).published(kind).producer;
            sim.command(Command::PauseProducer { producer, paused });
        });
    }
}

/// As a browser does: signalling pauses the producer, and the camera stops too.
#[test]
fn a_camera_that_is_switched_off_and_on_goes_on_without_a_hole() {
    pause_and_resume(44, MediaKind::Video, |sim, alice, _, paused| {
        let (producer, source) = {
            let published = sim.peer(alice).published(MediaKind::Video);
            (published.producer, published.source)
        };
        sim.command(Command::PauseProducer { producer, paused });
        sim.with_bot(alice, |bot, _, _| bot.pause_source(source, paused));
    });
}

/// Resuming asks for the key frame at once, so the picture is there after one round trip to the source and the way to
/// the viewer.
#[test]
fn the_picture_is_back_one_round_trip_after_resuming() {
    let mut sim = Sim::seeded(45);
    let link = Conditions::delay(millis(30));
    let (alice, bob) = sim.camera_and_viewer(link, &[Vp8Settings::default()]);
    sim.run_for(seconds(3));
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.command(Command::PauseConsumer { consumer, paused: true });
    sim.run_for(seconds(3));
    let before = sim.video_at(bob).decoded;
    sim.command(Command::PauseConsumer { consumer, paused: false });
    // Way to the source, at most one frame's time there, way back, way to the viewer.
    sim.run_for(millis(30 + 40 + 30 + 30 + 2));
    assert!(sim.video_at(bob).decoded > before, "{}", sim.replay_hint());
}

#[test]
fn pausing_over_a_lossy_link_breaks_nothing() {
    for seed in seeds(&[], 0, 10) {
        let mut sim = Sim::seeded(seed);
        let bad = Conditions::delay(millis(30)).jitter(millis(15)).loss(0.05).reordering(0.05).duplication(0.02);
        let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(30)), &[Vp8Settings::default()]);
        sim.run_for(seconds(1));
        sim.set_link(alice, bad);
        sim.set_link(bob, bad);
        let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
        for _ in 0..20 {
            for paused in [true, false] {
                sim.command(Command::PauseConsumer { consumer, paused });
                sim.run_for(millis(400));
            }
        }
        sim.set_link(alice, Conditions::delay(millis(30)));
        sim.set_link(bob, Conditions::delay(millis(30)));
        sim.run_for(seconds(3));
        let video = sim.video_at(bob);
        assert_eq!(video.faults(), 0, "{video:?} {}", sim.replay_hint());
        // What is lost right before a key frame is not asked for any more.
        assert!(video.missing <= video.key_frames, "{video:?} {}", sim.replay_hint());
        let before = video.decoded;
        sim.run_for(seconds(2));
        assert_eq!(sim.video_at(bob).decoded, before + 50, "{video:?} {}", sim.replay_hint());
    }
}
