//! What anybody may send to the worker's port, and what it does: nothing.

use std::net::SocketAddr;

use bot::MediaKind;
use wire::stun::{Builder, Class, IntegrityKey, Method, TransactionId};

use crate::sim::{Conditions, PeerId, Sim, millis, seconds};

const STRANGER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 9)), 4444);

/// A check that names `ufrag` and is signed with `password`.
fn check(ufrag: &str, password: &str) -> Vec<u8> {
    let mut request = Vec::new();
    Builder::new(&mut request, Class::Request, Method::BINDING, TransactionId([9; 12]))
        .username(&format!("{ufrag}:stranger"))
        .priority(1)
        .ice_controlling(u64::MAX)
        .use_candidate()
        .finish(Some(&IntegrityKey::short_term(password)));
    request
}

/// A call of two for 5 s, with `disturb` once in each of 100 turns. Everything that the worker sends, as one number.
fn call(disturb: impl Fn(&mut Sim, PeerId, u64)) -> (Sim, u64) {
    let mut sim = Sim::seeded(80);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)));
    sim.peer_mut(alice).up.tap();
    for turn in 0..100 {
        disturb(&mut sim, alice, turn);
        sim.run_for(millis(50));
    }
    for id in [alice, bob] {
        let video = sim.video_at(id);
        assert!(video.decoded > 110, "{video:?} {}", sim.replay_hint());
        assert_eq!((video.missing, video.faults()), (0, 0), "{video:?} {}", sim.replay_hint());
    }
    let digest = sim.digest();
    (sim, digest)
}

fn undisturbed() -> u64 {
    call(|_, _, _| {}).1
}

#[test]
fn a_check_with_a_wrong_password_changes_nothing_and_is_not_answered() {
    let (sim, digest) = call(|sim, alice, _| {
        let ufrag = sim.peer(alice).server_ufrag.clone();
        sim.inject(STRANGER, &check(&ufrag, "not the password, not at all....."));
    });
    assert_eq!(digest, undisturbed(), "{}", sim.replay_hint());
    assert_eq!(sim.worker.drops().bad_stun, 100);
}

#[test]
fn a_check_for_nobody_changes_nothing_and_is_not_answered() {
    let (sim, digest) = call(|sim, _, turn| {
        let address = SocketAddr::new(STRANGER.ip(), 1000 + turn as u16);
        sim.inject(address, &check("nobody", "password"));
    });
    assert_eq!(digest, undisturbed(), "{}", sim.replay_hint());
}

#[test]
fn a_handshake_from_an_unvalidated_path_changes_nothing() {
    let (sim, digest) = call(|sim, alice, _| {
        // The participant's own handshake, from elsewhere.
        let records: Vec<_> = sim
            .peer(alice)
            .up
            .tapped()
            .iter()
            .filter(|b| wire::classify(b) == wire::PacketKind::Dtls)
            .cloned()
            .collect();
        records.iter().for_each(|record| sim.inject(STRANGER, record));
    });
    assert_eq!(digest, undisturbed(), "{}", sim.replay_hint());
    assert!(sim.worker.drops().unvalidated_path > 100, "{:?}", sim.worker.drops());
}

#[test]
fn media_from_an_unvalidated_path_changes_nothing() {
    let (sim, digest) = call(|sim, alice, _| {
        let newest: Vec<_> = sim.peer(alice).up.tapped().iter().rev().take(5).cloned().collect();
        newest.iter().for_each(|datagram| {
            if wire::classify(datagram) != wire::PacketKind::Stun {
                sim.inject(STRANGER, datagram);
            }
        });
    });
    assert_eq!(digest, undisturbed(), "{}", sim.replay_hint());
    assert!(sim.worker.drops().unvalidated_path > 100, "{:?}", sim.worker.drops());
}

/// Whoever listens on the way can send a participant's packets again, from its own address.
#[test]
fn media_that_is_sent_again_is_seen_once() {
    let (sim, digest) = call(|sim, alice, _| {
        let public = sim.peer(alice).public;
        let media: Vec<_> = sim
            .peer(alice)
            .up
            .tapped()
            .iter()
            .rev()
            .filter(|b| matches!(wire::classify(b), wire::PacketKind::Rtp | wire::PacketKind::Rtcp))
            .skip(20)
            .take(5)
            .cloned()
            .collect();
        media.iter().for_each(|datagram| sim.inject(public, datagram));
    });
    assert_eq!(digest, undisturbed(), "{}", sim.replay_hint());
    assert!(sim.worker.drops().replayed > 400, "{:?}", sim.worker.drops());
}

/// The same with a byte changed, and noise of every kind from the participant's own address.
#[test]
fn forged_media_and_noise_from_a_validated_path_change_nothing() {
    let (sim, digest) = call(|sim, alice, turn| {
        let public = sim.peer(alice).public;
        let newest: Vec<_> = sim.peer(alice).up.tapped().iter().rev().take(3).cloned().collect();
        for mut datagram in newest {
            if wire::classify(&datagram) == wire::PacketKind::Stun
                || wire::classify(&datagram) == wire::PacketKind::Dtls
            {
                continue;
            }
            let at = (turn as usize * 7) % datagram.len();
            datagram[at] ^= 1 << (turn % 8);
            // A changed first byte may make it another protocol; that is noise below.
            if at > 1 {
                sim.inject(public, &datagram);
            }
        }
        let noise: Vec<u8> = (0..turn * 13 % 1400).map(|i| (i * turn) as u8 | 1).collect();
        sim.inject(public, &noise);
        sim.inject(STRANGER, &noise);
        sim.inject(public, &[]);
    });
    assert_eq!(digest, undisturbed(), "{}", sim.replay_hint());
    assert!(sim.worker.drops().unauthentic > 0, "{:?}", sim.worker.drops());
}

/// Until the participant itself comes, nobody else can take its place.
#[test]
fn a_stranger_who_is_first_keeps_nobody_out() {
    let mut sim = Sim::seeded(81);
    let alice = sim.join(Conditions::delay(millis(50)));
    let ufrag = sim.peer(alice).server_ufrag.clone();
    for _ in 0..20 {
        sim.inject(STRANGER, &check(&ufrag, "wrong"));
        // What looks like a ClientHello, and like RTP.
        sim.inject(STRANGER, &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        sim.inject(STRANGER, &[0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 4, 5]);
        assert_eq!(sim.selected_peer(sim.peer(alice).transport), None);
        sim.run_for(millis(2));
    }
    sim.publish_video(alice, &[bot::Vp8Settings::default()]);
    let bob = sim.join(Conditions::delay(millis(50)));
    sim.watch(bob, alice, MediaKind::Video);
    sim.run_for(seconds(3));
    assert!(sim.video_at(bob).decoded > 50, "{}", sim.replay_hint());
}
