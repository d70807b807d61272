//! Participants who move, restart or are gone.

use bot::{MediaKind, RemoteIce};
use sfu_core::{CloseReason, Command, ConnectionQuality, EventKind, Reply};

use crate::sim::{Conditions, SERVER, Sim, millis, seconds};

#[test]
fn a_participant_who_moves_to_another_address_goes_on_sending_and_receiving() {
    let mut sim = Sim::seeded(70);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.run_for(seconds(3));
    for mover in [alice, bob] {
        let address = sim.move_peer(mover);
        sim.run_for(millis(200));
        assert_eq!(sim.selected_peer(sim.peer(mover).transport), Some(address), "{}", sim.replay_hint());
    }
    let before = [sim.video_at(alice), sim.video_at(bob)];
    sim.run_for(seconds(4));
    for (id, before) in [alice, bob].into_iter().zip(before) {
        let (after, audio) = (sim.video_at(id), sim.audio_at(id));
        assert!(after.decoded >= before.decoded + 95, "{after:?} {}", sim.replay_hint());
        assert_eq!((after.missing, after.faults()), (0, 0), "{after:?} {}", sim.replay_hint());
        assert_eq!(audio.faults(), 0, "{audio:?} {}", sim.replay_hint());
    }
}

/// A router on the way that gives out another port: the participant knows nothing of it and checks in its own time.
#[test]
fn a_participant_whose_address_changes_under_way_is_followed_at_its_next_check() {
    let mut sim = Sim::seeded(71);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.run_for(seconds(3));
    let address = sim.rebind(bob);
    // Checks of a pair in use come every 2.5 s.
    sim.run_for(millis(2_600));
    assert_eq!(sim.selected_peer(sim.peer(bob).transport), Some(address), "{}", sim.replay_hint());
    let before = [sim.video_at(alice), sim.video_at(bob)];
    sim.run_for(seconds(5));
    for (id, before) in [alice, bob].into_iter().zip(before) {
        let after = sim.video_at(id);
        assert!(after.decoded >= before.decoded + 95, "{before:?} {after:?} {}", sim.replay_hint());
        assert_eq!(after.faults(), 0, "{after:?} {}", sim.replay_hint());
    }
}

#[test]
fn who_vanishes_is_closed_when_consent_runs_out_and_everybody_is_told() {
    let mut sim = Sim::seeded(72);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.run_for(seconds(3));
    sim.take_events();
    sim.vanish(alice);
    sim.run_for(seconds(27));
    let told: Vec<_> = sim.take_events().into_iter().map(|event| event.kind).collect();
    let is_lost = |kind: &EventKind| matches!(kind, EventKind::ConnectionQuality(_, ConnectionQuality::Lost));
    assert!(told.iter().any(is_lost), "{told:?} {}", sim.replay_hint());
    let is_end = |kind: &EventKind| matches!(kind, EventKind::TransportClosed(..) | EventKind::ProducerClosed(_));
    assert!(!told.iter().any(is_end), "consent is still valid, {told:?} {}", sim.replay_hint());
    sim.run_for(seconds(4));
    let kinds: Vec<_> = sim.take_events().into_iter().map(|event| event.kind).collect();
    let count = |wanted: fn(&EventKind) -> bool| kinds.iter().filter(|kind| wanted(kind)).count();
    assert_eq!(count(|kind| matches!(kind, EventKind::TransportClosed(_, CloseReason::ConsentLost))), 1, "{kinds:?}");
    assert_eq!(count(|kind| matches!(kind, EventKind::ProducerClosed(_))), 2, "{kinds:?}");
    // Bob's consumers of Alice; her own are gone with her.
    assert_eq!(count(|kind| matches!(kind, EventKind::ConsumerClosed(_))), 2, "{kinds:?}");
    // A router, Bob's transport and his two producers are left.
    assert_eq!(sim.worker.object_counts(), [1, 1, 2, 0], "{}", sim.replay_hint());
    sim.run_for(seconds(60));
    assert!(sim.peer(bob).bot.is_connected(), "{}", sim.replay_hint());
}

#[test]
fn who_says_good_bye_is_closed_at_once() {
    let mut sim = Sim::seeded(73);
    let (alice, _bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.run_for(seconds(3));
    sim.take_events();
    sim.with_bot(alice, |bot, now, out| bot.close(now, out));
    sim.run_for(millis(50));
    let closed = sim
        .take_events()
        .into_iter()
        .any(|event| matches!(event.kind, EventKind::TransportClosed(_, CloseReason::PeerClosed)));
    assert!(closed, "{}", sim.replay_hint());
}

#[test]
fn a_closed_transport_says_good_bye_to_its_participant() {
    let mut sim = Sim::seeded(74);
    let (alice, _bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.run_for(seconds(3));
    let transport = sim.peer(alice).transport;
    sim.command(Command::CloseTransport { transport });
    sim.run_for(millis(50));
    assert!(!sim.peer(alice).bot.is_connected(), "{}", sim.replay_hint());
}

#[test]
fn media_goes_on_while_ice_restarts() {
    let mut sim = Sim::seeded(75);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.run_for(seconds(3));
    for _ in 0..3 {
        let transport = sim.peer(bob).transport;
        let Reply::Ice(credentials) = sim.command(Command::RestartIce { transport }) else {
            unreachable!("RestartIce is answered by Ice")
        };
        sim.run_for(millis(500));
        let ice = RemoteIce { ufrag: credentials.ufrag, password: credentials.password, candidates: vec![SERVER] };
        sim.with_bot(bob, |bot, now, out| bot.restart_ice(now, ice, out));
        sim.run_for(seconds(3));
    }
    // Long enough for consent to have run out, had the new credentials not been accepted.
    sim.run_for(seconds(40));
    for id in [alice, bob] {
        let video = sim.video_at(id);
        assert!(video.decoded > 1_250, "{video:?} {}", sim.replay_hint());
        assert_eq!((video.missing, video.faults(), video.freezes), (0, 0, 0), "{video:?} {}", sim.replay_hint());
    }
}

#[test]
fn of_two_addresses_the_one_that_works_is_used() {
    let mut sim = Sim::seeded(76);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.run_for(seconds(2));
    let (address, dead) = (sim.peer(bob).address, sim.fresh_address());
    sim.with_bot(bob, |bot, now, out| bot.set_locals(now, vec![dead, address], out));
    sim.run_for(seconds(5));
    let before = sim.video_at(bob);
    sim.run_for(seconds(2));
    let after = sim.quality(bob, alice, MediaKind::Video);
    assert_eq!(after.decoded, before.decoded + 50, "{}", sim.replay_hint());
}
