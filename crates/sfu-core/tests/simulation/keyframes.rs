//! Many who need a key frame are one request to the source.

use bot::{MediaKind, Vp8Settings};

use sfu_core::{Command, Tile};

use crate::sim::{Conditions, PeerId, Sim, millis, seconds};

/// Requests to one source are never closer than this.
const LEAST_GAP_MILLIS: u64 = 500;

#[test]
fn forty_nine_who_come_at_once_are_one_request_to_the_source() {
    let mut sim = Sim::seeded(50);
    let link = Conditions::delay(millis(20));
    let alice = sim.join(link);
    sim.publish_video(alice, &[Vp8Settings::default()]);
    let viewers: Vec<_> = (0..49).map(|_| sim.join(link)).collect();
    sim.run_for(seconds(3));
    let before = sim.sent(alice, MediaKind::Video, 0).key_frame_requests;
    for &viewer in &viewers {
        sim.watch(viewer, alice, MediaKind::Video);
    }
    sim.run_for(seconds(2));
    let asked = sim.sent(alice, MediaKind::Video, 0).key_frame_requests - before;
    assert_eq!(asked, 1, "{}", sim.replay_hint());
    for &viewer in &viewers {
        let video = sim.video_at(viewer);
        assert!(video.decoded > 40, "{video:?} {}", sim.replay_hint());
        assert_eq!((video.dropped, video.faults()), (0, 0), "{video:?} {}", sim.replay_hint());
    }
}

#[test]
fn however_often_viewers_ask_the_source_is_asked_at_even_distances() {
    let mut sim = Sim::seeded(51);
    let link = Conditions::delay(millis(10));
    let alice = sim.join(link);
    sim.publish_video(alice, &[Vp8Settings::default()]);
    let viewers: Vec<_> = (0..8).map(|_| sim.join(link)).collect();
    for &viewer in &viewers {
        sim.watch(viewer, alice, MediaKind::Video);
    }
    sim.run_for(seconds(2));
    for turn in 0..100 {
        let viewer = viewers[turn % viewers.len()];
        let ssrc = sim.watched(viewer, alice, MediaKind::Video).ssrc;
        let mut pli = Vec::new();
        wire::rtcp::write_pli(&mut pli, wire::Ssrc::new(1), ssrc);
        sim.with_bot(viewer, |bot, _, out| bot.send_rtcp(&pli, out));
        sim.run_for(millis(50));
    }
    let sent = sim.sent(alice, MediaKind::Video, 0);
    let gap = sent.least_request_gap.expect("it was asked more than once");
    assert!(gap >= millis(LEAST_GAP_MILLIS), "{sent:?} {}", sim.replay_hint());
    // 5 s of requests: they are answered as often as the gap allows, not dropped.
    assert!((9..=12).contains(&(sent.key_frame_requests)), "{sent:?} {}", sim.replay_hint());
}

#[test]
fn a_request_that_is_lost_is_repeated_until_the_picture_comes() {
    let mut sim = Sim::seeded(52);
    let clean = Conditions::delay(millis(20));
    let alice = sim.join(clean);
    sim.publish_video(alice, &[Vp8Settings::default()]);
    let bob = sim.join(clean);
    sim.run_for(seconds(2));
    sim.peer_mut(alice).down.conditions = clean.loss(1.0);
    sim.watch(bob, alice, MediaKind::Video);
    sim.run_for(millis(800));
    assert_eq!(sim.video_at(bob).packets, 0, "{}", sim.replay_hint());
    sim.peer_mut(alice).down.conditions = clean;
    sim.run_for(seconds(1));
    assert!(sim.video_at(bob).decoded > 0, "{}", sim.replay_hint());
}

/// For longer than anybody keeps asking: whoever waits gets the picture when the source can be reached again.
#[test]
fn a_source_that_could_not_be_asked_for_long_is_asked_when_it_is_back() {
    let mut sim = Sim::seeded(53);
    let clean = Conditions::delay(millis(20));
    let alice = sim.join(clean);
    sim.publish_video(alice, &[Vp8Settings::default()]);
    let bob = sim.join(clean);
    sim.run_for(seconds(2));
    sim.peer_mut(alice).down.conditions = clean.loss(1.0);
    sim.watch(bob, alice, MediaKind::Video);
    sim.run_for(seconds(25));
    assert_eq!(sim.video_at(bob).packets, 0, "{}", sim.replay_hint());
    sim.peer_mut(alice).down.conditions = clean;
    sim.run_for(seconds(4));
    let video = sim.video_at(bob);
    assert!(video.decoded > 25, "{video:?} {}", sim.replay_hint());
}

/// A camera that sends nothing for long is not asked all the time, but when it sends again.
#[test]
fn a_source_that_was_silent_for_long_is_asked_when_it_sends_again() {
    let mut sim = Sim::seeded(54);
    let clean = Conditions::delay(millis(20));
    let (alice, bob) = sim.camera_and_viewer(clean, &[Vp8Settings::default()]);
    sim.run_for(seconds(2));
    let source = sim.peer(alice).published(MediaKind::Video).source;
    sim.with_bot(alice, |bot, _, _| bot.pause_source(source, true));
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.command(sfu_core::Command::PauseConsumer { consumer, paused: true });
    sim.command(sfu_core::Command::PauseConsumer { consumer, paused: false });
    sim.run_for(seconds(40));
    let asked = sim.sent(alice, MediaKind::Video, 0).key_frame_requests;
    assert!(asked <= 20, "{asked} requests to a silent source");
    let before = sim.video_at(bob).decoded;
    sim.with_bot(alice, |bot, _, _| bot.pause_source(source, false));
    sim.run_for(seconds(3));
    assert!(sim.video_at(bob).decoded > before + 25, "{}", sim.replay_hint());
}

/// Milliseconds until somebody who watches sees a new picture.
fn until_seen(sim: &mut Sim, viewer: PeerId) -> u64 {
    let before = sim.video_at(viewer).decoded;
    for waited in 1..=300 {
        sim.run_for(millis(5));
        if sim.video_at(viewer).decoded > before {
            return waited * 5;
        }
    }
    panic!("nothing was seen {}", sim.replay_hint())
}

fn median(mut all: Vec<u64>) -> u64 {
    all.sort_unstable();
    all[all.len() / 2]
}

const CAMERA: [Vp8Settings; 3] = [
    Vp8Settings { bit_rate: 120_000, size: (320, 180), frame_rate: 25, temporal_layers: 3 },
    Vp8Settings { bit_rate: 450_000, size: (640, 360), frame_rate: 25, temporal_layers: 3 },
    Vp8Settings { bit_rate: 1_400_000, size: (1280, 720), frame_rate: 25, temporal_layers: 3 },
];

/// The source may be asked every half second only: those between begin with the key frame that came last.
#[test]
fn whoever_comes_sees_a_picture_soon_however_many_come() {
    let mut sim = Sim::seeded(55);
    let lan = Conditions::delay(millis(1));
    let alice = sim.join(lan);
    sim.publish_video(alice, &CAMERA);
    let viewers: Vec<_> = (0..40).map(|_| sim.join(lan)).collect();
    sim.run_for(seconds(3));
    let before = sim.sent(alice, MediaKind::Video, 0).key_frame_requests;
    let waited = viewers.iter().map(|&viewer| {
        sim.run_for(millis(35));
        sim.watch(viewer, alice, MediaKind::Video);
        until_seen(&mut sim, viewer)
    });
    let waited: Vec<_> = waited.collect();
    assert!(median(waited.clone()) <= 50 && waited.iter().all(|&time| time <= 150), "{waited:?}");
    sim.run_for(seconds(3));
    for viewer in viewers {
        let video = sim.video_at(viewer);
        assert_eq!((video.dropped, video.faults()), (0, 0), "{video:?} {}", sim.replay_hint());
        assert!(video.decoded > 60, "{video:?} {}", sim.replay_hint());
    }
    // In two to three seconds, by forty people and for better layers too.
    let asked = sim.sent(alice, MediaKind::Video, 0).key_frame_requests - before;
    assert!(asked <= 8, "{asked} requests");
}

/// Somebody who looks at one page of tiles and then at another, and back.
#[test]
fn a_tile_that_is_shown_again_has_its_picture_soon() {
    let mut sim = Sim::seeded(56);
    let lan = Conditions::delay(millis(1));
    let (alice, bob) = (sim.join(lan), sim.join(lan));
    sim.publish_video(alice, &CAMERA);
    sim.watch(bob, alice, MediaKind::Video);
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    let transport = sim.peer(bob).transport;
    sim.run_for(seconds(3));
    let shown = vec![Tile { consumer, width: 320, height: 180, pinned: false }];
    let waited = (0..30).map(|turn| {
        sim.command(Command::SetViewport { transport, tiles: Vec::new() });
        sim.run_for(millis(150 + turn * 40));
        sim.command(Command::SetViewport { transport, tiles: shown.clone() });
        let waited = until_seen(&mut sim, bob);
        sim.run_for(millis(100));
        waited
    });
    let waited: Vec<_> = waited.collect();
    assert!(median(waited.clone()) <= 100, "{waited:?}");
    let video = sim.video_at(bob);
    assert_eq!((video.dropped, video.faults()), (0, 0), "{video:?} {}", sim.replay_hint());
}
