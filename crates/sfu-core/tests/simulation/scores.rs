//! How well media get through, as publishers, viewers and the others are told.

use bot::{MediaKind, Vp8Settings};
use sfu_core::{ConnectionQuality, EventKind};

use crate::sim::{Conditions, Sim, millis, seconds};

#[test]
fn loss_lowers_the_score_of_whoever_has_it_and_not_of_the_others() {
    let mut sim = Sim::seeded(800);
    let clean = Conditions::delay(millis(20));
    let (alice, carol) = sim.camera_and_viewer(clean, &[Vp8Settings::default()]);
    // One for whom nothing is repaired.
    let bob = sim.join(clean);
    sim.watch_with(bob, alice, MediaKind::Video, |spec| {
        (spec.nack, spec.rtx_ssrc, spec.rtx_payload_type) = (false, None, None);
    });
    sim.run_for(seconds(4));
    let first: Vec<_> = sim.take_events().into_iter().map(|event| event.kind).collect();
    let is_perfect =
        |kind: &EventKind| matches!(kind, EventKind::ProducerScore(_, scores) if scores.as_slice() == [10]);
    assert!(first.iter().any(is_perfect), "{first:?} {}", sim.replay_hint());
    sim.set_link(bob, clean.loss(0.15));
    sim.run_for(seconds(8));
    let told: Vec<_> = sim.take_events().into_iter().map(|event| event.kind).collect();
    let bad = told.iter().filter_map(|kind| match kind {
        EventKind::ConsumerScore(id, score, of_producer) if *score < 8 => Some((*id, *of_producer)),
        _ => None,
    });
    let mut bad: Vec<_> = bad.collect();
    bad.dedup();
    assert_eq!(bad.len(), 1, "one viewer's, with the producer's as before: {told:?} {}", sim.replay_hint());
    assert_eq!(bad[0].1, 10, "{told:?} {}", sim.replay_hint());
    let poor = told.iter().filter(|kind| matches!(kind, EventKind::ConnectionQuality(..))).collect::<Vec<_>>();
    assert!(
        matches!(poor[..], [EventKind::ConnectionQuality(_, ConnectionQuality::Poor)]),
        "{poor:?} {}",
        sim.replay_hint()
    );
    assert_eq!(sim.video_at(carol).missing, 0, "{}", sim.replay_hint());
    sim.set_link(bob, clean);
    sim.run_for(seconds(8));
    let told: Vec<_> = sim.take_events().into_iter().map(|event| event.kind).collect();
    let is_good = |kind: &EventKind| matches!(kind, EventKind::ConnectionQuality(_, ConnectionQuality::Good));
    assert!(told.iter().any(is_good), "{told:?} {}", sim.replay_hint());
}
