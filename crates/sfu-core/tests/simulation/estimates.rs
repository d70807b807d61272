//! Whose word decides what is believed of a viewer's link: its own, and nobody else's.

use bot::{MediaKind, Vp8Settings};
use sfu_core::{BitrateLimits, Command, Tile};
use wire::extension::{ExtensionKind, ExtensionMap};

use crate::sim::{Conditions, Narrow, PeerId, Sim, millis, seconds};

/// A camera in three sizes.
const CAMERA: [(u32, (u16, u16)); 3] = [(120_000, (320, 180)), (450_000, (640, 360)), (1_400_000, (1280, 720))];

fn camera() -> [Vp8Settings; 3] {
    CAMERA.map(|(bit_rate, size)| Vp8Settings { bit_rate, size, frame_rate: 25, temporal_layers: 3 })
}

fn show(sim: &mut Sim, viewer: PeerId) {
    let transport = sim.peer(viewer).transport;
    let tile = |consumer| Tile { consumer, width: 1280, height: 720, pinned: false };
    let tiles = sim.peer(viewer).watched.iter().map(|watched| tile(watched.consumer)).collect();
    sim.command(Command::SetViewport { transport, tiles });
}

fn estimate(sim: &mut Sim, viewer: PeerId) -> Option<u64> {
    sim.transport_stats(viewer).estimate.map(|estimate| estimate.available)
}

/// Without transport-wide numbers a viewer estimates by itself (draft-alvestrand-rmcat-remb-03), and is believed.
#[test]
fn a_viewer_that_tells_its_own_estimate_is_sent_no_more_than_that() {
    let mut sim = Sim::with_limits(950, BitrateLimits::default());
    let (publisher, viewer) = (sim.join(Conditions::delay(millis(20))), sim.join(Conditions::delay(millis(20))));
    sim.publish_video(publisher, &camera());
    sim.watch_with(viewer, publisher, MediaKind::Video, |spec| {
        let mut extensions = ExtensionMap::new();
        for (id, kind) in spec.extensions.iter().filter(|(_, kind)| *kind != ExtensionKind::TransportWideCc) {
            assert!(extensions.insert(id, kind), "each id and kind once");
        }
        spec.extensions = extensions;
    });
    show(&mut sim, viewer);
    sim.run_for(seconds(5));
    assert_eq!(estimate(&mut sim, viewer), None, "nobody told anything of this link yet");

    // What it says, and what is sent then at least.
    for (told, sent) in [(5_000_000, 1_300_000), (900_000, 420_000), (250_000, 110_000), (5_000_000, 1_300_000)] {
        for _ in 0..20 {
            sim.with_bot(viewer, |bot, _, out| bot.send_remb(told, out));
            sim.run_for(seconds(1));
            assert_eq!(estimate(&mut sim, viewer), Some(told), "{}", sim.replay_hint());
        }
        let before = sim.video_at(viewer);
        let arrived = |sim: &Sim| sim.peer(viewer).down.stream(sim.peer(viewer).watched[0].ssrc.get()).bytes;
        let bytes = arrived(&sim);
        sim.run_for(seconds(5));
        let (after, rate) = (sim.video_at(viewer), (arrived(&sim) - bytes) * 8 / 5);
        assert!((sent..=told).contains(&rate), "{rate} of {told} {}", sim.replay_hint());
        assert!(after.decoded >= before.decoded + 60, "{after:?} {}", sim.replay_hint());
        assert_eq!((after.freezes, after.faults()), (before.freezes, 0), "{after:?} {}", sim.replay_hint());
    }
}

/// What is believed of a link of 6 Mbit/s over which four publishers are watched, of whom the first may lose some on the way to
/// us: the mean share of it that is counted on, and the largest share of packets that was believed to be lost on it.
fn watch_four(publisher_loss: f64) -> (f64, f64) {
    const LINK: u64 = 6_000_000;
    let mut sim = Sim::with_limits(960, BitrateLimits::default());
    let viewer = sim.join(Conditions::delay(millis(20)));
    for index in 0..4 {
        let up = Conditions::delay(millis(20));
        let publisher = sim.join(if index == 0 { up.loss(publisher_loss) } else { up });
        sim.publish_video(publisher, &camera());
        sim.watch(viewer, publisher, MediaKind::Video);
    }
    show(&mut sim, viewer);
    sim.narrow(viewer, Narrow { rate: LINK, queue: millis(300), burst: 0, other: 0 });
    sim.run_for(seconds(15));
    let (mut shares, mut lost) = (Vec::new(), 0.0_f64);
    for _ in 0..40 {
        sim.run_for(seconds(1));
        let estimate = sim.transport_stats(viewer).estimate.expect("there is one");
        shares.push(estimate.available.min(LINK) as f64 / LINK as f64);
        lost = lost.max(estimate.loss);
    }
    (shares.iter().sum::<f64>() / shares.len() as f64, lost)
}

/// What is counted on of a link that nothing is wrong with, however its packets happen to fall.
const LEAST_SHARE: f64 = 0.9;

#[test]
fn what_a_publisher_loses_changes_nothing_for_its_viewers_link() {
    let (clean, _) = watch_four(0.0);
    assert!(clean > LEAST_SHARE, "{clean}");
    for loss in [0.05, 0.2] {
        let (share, lost) = watch_four(loss);
        assert!(share > LEAST_SHARE, "{loss}: {share} of the link, and without loss {clean}");
        assert!(lost < 0.01, "{loss}: {lost} were believed to be lost on the viewer's link");
    }
}
