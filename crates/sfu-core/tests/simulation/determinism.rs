//! One seed, one run: what failed once can be looked at again.

use bot::{MediaKind, OpusSettings, Vp8Settings};

use crate::sim::{Conditions, Sim, millis, seconds};

fn eventful(seed: u64) -> u64 {
    let mut sim = Sim::seeded(seed);
    let link = Conditions::delay(millis(25)).jitter(millis(20)).loss(0.05).reordering(0.05).duplication(0.02);
    let (alice, bob) = sim.two_in_a_room(link);
    sim.run_for(seconds(4));
    let carol = sim.join(link);
    sim.publish_audio(carol, OpusSettings::default());
    sim.publish_video(carol, &[Vp8Settings::default(); 3]);
    for viewer in [alice, bob] {
        sim.watch(viewer, carol, MediaKind::Video);
    }
    sim.run_for(seconds(4));
    sim.move_peer(alice);
    sim.run_for(seconds(4));
    sim.digest()
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_seed_another() {
    let first = eventful(90);
    assert_eq!(first, eventful(90));
    assert_ne!(first, eventful(91));
}
