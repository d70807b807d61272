//! Once everybody is there and has been for a while, the worker allocates nothing: not for media, retransmissions,
//! feedback or reports.

use bot::{MediaKind, OpusSettings, Vp8Settings};
use sfu_core::Command;

use crate::sim::{Conditions, Sim, millis, seconds};

#[test]
fn a_room_of_one_and_fifty_runs_without_allocation() {
    let mut sim = Sim::seeded(95);
    let router = sim.router;
    sim.command(Command::SetLoudest { router, count: 5 });
    let link = Conditions::delay(millis(20));
    let alice = sim.join(link);
    sim.publish_audio(alice, OpusSettings::default());
    sim.publish_video(alice, &[Vp8Settings::default()]);
    for _ in 0..50 {
        let viewer = sim.join(link);
        sim.watch(viewer, alice, MediaKind::Audio);
        sim.watch(viewer, alice, MediaKind::Video);
    }
    sim.run_for(seconds(2));
    let bad = link.jitter(millis(10)).loss(0.03).reordering(0.03);
    for index in 0..sim.peer_count() {
        sim.set_link(crate::sim::PeerId(index), bad);
    }
    sim.run_for(seconds(20));
    let (allocations_before, sent_before) = sim.allocations_and_sent();
    sim.take_audio_events();
    sim.run_for(seconds(10));
    let (allocations, sent) = sim.allocations_and_sent();
    // 50 packets of sound and some 70 of picture a second, to each of fifty.
    assert!(sent - sent_before > 50_000, "{} packets were sent, {}", sent - sent_before, sim.replay_hint());
    assert_eq!(allocations - allocations_before, 0, "for {} packets, {}", sent - sent_before, sim.replay_hint());
    assert!(sim.take_audio_events().len() > 30, "her level was told all the time");
    let stats = sim.producer_stats(alice, MediaKind::Video);
    assert!(stats.streams[0].packets_repaired > 10, "{stats:?}");
}
