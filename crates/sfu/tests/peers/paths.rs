//! Where datagrams go: several addresses of ours, a peer that moves, an ICE restart, and a peer that is gone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use sfu::{CloseReason, DtlsRole, RouterEvent, Settings};
use wire::stun::{Builder, Class, IntegrityKey, Message, Method, TransactionId};

use crate::peer::Device;
use crate::peer::link::capture_stun;
use crate::stage::{Seat, Stage, addresses, credentials, settings};

/// A connected peer on this local address.
async fn seat_on(stage: &mut Stage, device: Device, local: IpAddr) -> Seat {
    let router = stage.router.clone();
    let seat = stage.seat_at(&router, device, local).await;
    stage.connect(seat, DtlsRole::Client).await;
    stage.connected(seat).await;
    seat
}

async fn assert_sound_flows(stage: &mut Stage, alice: Seat, bob: Seat) {
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 10).await;
}

#[tokio::test]
async fn a_peer_that_changes_its_port_keeps_its_media() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.camera(alice).await;
    let picture = stage.watch(bob, &camera).await;
    stage.more(&picture, 20).await;
    for mover in [alice, bob] {
        let old = stage.peer(mover).address();
        let new = stage.peer_mut(mover).change_port().await;
        assert_ne!(old, new);
        stage.more(&picture, 60).await;
    }
    assert!(!stage.peer(alice).seen.closed && !stage.peer(bob).seen.closed);
    while let Some(event) = stage.try_event() {
        assert!(!matches!(event, RouterEvent::TransportClosed { .. }), "{event:?}");
    }
}

#[tokio::test]
async fn both_move_at_once_and_move_again() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 5).await;
    for _ in 0..3 {
        stage.peer_mut(alice).change_port().await;
        stage.peer_mut(bob).change_port().await;
        stage.more(&sound, 20).await;
    }
}

#[tokio::test]
async fn an_ice_restart_keeps_media_and_ends_the_old_credentials() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 10).await;
    let old = stage.transport(alice).ice_parameters().clone();
    let new = stage.transport(alice).restart_ice().await.expect("it is open");
    assert_ne!(old.username_fragment, new.username_fragment);
    // The old ones hold until the first check with the new ones.
    stage.more(&sound, 10).await;
    let (hook, checks) = capture_stun();
    stage.peer_mut(alice).outgoing = hook;
    stage.peer_mut(alice).rtc.direct_api().set_remote_ice_credentials(credentials(&new));
    stage.peer_mut(alice).pump();
    let has_new = |name: &str| name.split(':').next() == Some(new.username_fragment.as_str());
    stage
        .until("a check with the new credentials", |_| {
            checks.borrow().iter().any(|check| Message::parse(check).is_ok_and(|m| m.username().is_some_and(has_new)))
        })
        .await;
    stage.more(&sound, 10).await;

    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let mut check = Vec::new();
    Builder::new(&mut check, Class::Request, Method::BINDING, TransactionId([1; 12]))
        .username(&format!("{}:abcd", old.username_fragment))
        .ice_controlling(1)
        .finish(Some(&IntegrityKey::short_term(&old.password)));
    let before = stage.workers.drops(0).await.expect("the worker runs").bad_stun;
    stranger.send_to(&check, stage.server_address(alice)).expect("loopback takes it");
    stage
        .until_async("its refusal", async |stage| {
            stage.workers.drops(0).await.expect("the worker runs").bad_stun == before + 1
        })
        .await;
    assert_eq!(stage.transport(alice).stats().await.expect("it is open")["paths"], 1);
    stage.more(&sound, 10).await;
}

#[tokio::test]
async fn a_peer_that_restarts_ice_and_moves_keeps_its_media() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 10).await;
    let new = stage.transport(bob).restart_ice().await.expect("it is open");
    stage.peer_mut(bob).rtc.direct_api().set_remote_ice_credentials(credentials(&new));
    stage.peer_mut(bob).pump();
    stage.peer_mut(bob).change_port().await;
    stage.more(&sound, 20).await;
}

#[tokio::test]
async fn a_call_over_ipv6() {
    let mut stage = Stage::with(Settings { listen: vec![Ipv6Addr::LOCALHOST.into()], ..settings() }).await;
    let alice = seat_on(&mut stage, Device::publisher(), Ipv6Addr::LOCALHOST.into()).await;
    let bob = seat_on(&mut stage, Device::viewer(), Ipv6Addr::LOCALHOST.into()).await;
    assert_sound_flows(&mut stage, alice, bob).await;
}

#[tokio::test]
async fn with_several_listen_addresses_each_peer_takes_the_one_it_can_reach() {
    let listen = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let mut stage = Stage::with(Settings { listen: listen.clone(), ..settings() }).await;
    let alice = seat_on(&mut stage, Device::publisher(), Ipv4Addr::LOCALHOST.into()).await;
    let bob = seat_on(&mut stage, Device::viewer(), Ipv6Addr::LOCALHOST.into()).await;
    let offered: Vec<_> = addresses(stage.transport(alice)).map(|address| address.ip()).collect();
    assert_eq!(offered, listen);
    assert_sound_flows(&mut stage, alice, bob).await;
}

/// The whole of 127.0.0.0/8 is local on Linux only.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_leaves_from_the_address_that_was_asked() {
    let asked = Ipv4Addr::new(127, 0, 0, 2);
    let wildcard = vec![Ipv4Addr::UNSPECIFIED.into()];
    let mut stage = Stage::with(Settings { listen: wildcard, announced: vec![asked.into()], ..settings() }).await;
    let alice = seat_on(&mut stage, Device::publisher(), Ipv4Addr::LOCALHOST.into()).await;
    let bob = seat_on(&mut stage, Device::viewer(), Ipv4Addr::LOCALHOST.into()).await;
    assert_eq!(stage.server_address(bob).ip(), asked);
    assert_sound_flows(&mut stage, alice, bob).await;
    assert!(stage.peer(bob).seen.from.iter().all(|from| from.ip() == asked));
}

#[tokio::test]
async fn a_peer_that_falls_silent_loses_its_transport_and_nobody_else_does() {
    let mut stage = Stage::with(Settings { consent_timeout: Duration::from_secs(2), ..settings() }).await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 10).await;
    stage.peer_mut(alice).is_gone = true;
    let closed = stage.event("the end", |event| matches!(event, RouterEvent::TransportClosed { .. })).await;
    let transport = stage.transport(alice).id().clone();
    assert_eq!(closed, RouterEvent::TransportClosed { transport, reason: CloseReason::ConsentLost });
    let consumer = sound.consumer.id().clone();
    stage
        .event("the viewer's notice", |event| *event == RouterEvent::ConsumerClosed { consumer: consumer.clone() })
        .await;
    assert!(stage.transport(alice).stats().await.is_err());
    assert!(stage.transport(bob).stats().await.is_ok());
}
