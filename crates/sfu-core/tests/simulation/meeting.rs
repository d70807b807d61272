//! The main thing: people in a room see and hear each other.

use bot::{DtlsRole, MediaKind, OpusSettings, Vp8Settings};

use crate::sim::{Conditions, Sim, millis, seconds};

#[test]
fn two_in_a_room_see_and_hear_each_other() {
    let mut sim = Sim::seeded(1);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.run_for(seconds(10));
    for id in [alice, bob] {
        let (video, audio) = (sim.video_at(id), sim.audio_at(id));
        assert!(video.decoded >= 240, "{video:?} {}", sim.replay_hint());
        assert!(audio.decoded >= 480, "{audio:?} {}", sim.replay_hint());
        for quality in [video, audio] {
            assert_eq!(quality.faults(), 0, "{quality:?} {}", sim.replay_hint());
            assert_eq!((quality.missing, quality.repaired, quality.late), (0, 0, 0), "{quality:?}");
            assert_eq!((quality.dropped, quality.freezes), (0, 0), "{quality:?}");
            assert!(quality.longest_delay <= millis(45), "{quality:?} {}", sim.replay_hint());
        }
    }
}

#[test]
fn whoever_begins_the_handshake_media_flows() {
    let mut sim = Sim::seeded(2);
    let alice = sim.join_as(Conditions::delay(millis(10)), DtlsRole::Server);
    let bob = sim.join_as(Conditions::delay(millis(10)), DtlsRole::Client);
    sim.publish_audio(alice, OpusSettings::default());
    sim.publish_video(bob, &[Vp8Settings::default()]);
    sim.watch(bob, alice, MediaKind::Audio);
    sim.watch(alice, bob, MediaKind::Video);
    sim.run_for(seconds(3));
    assert!(sim.audio_at(bob).decoded > 120, "{}", sim.replay_hint());
    assert!(sim.video_at(alice).decoded > 60, "{}", sim.replay_hint());
}
