//! How a connection begins: DTLS roles, the SRTP profile, and ClientHellos that come in unusual ways.

use sfu::{CloseReason, DtlsRole, RouterEvent};

use crate::peer::link::{
    capture, forged_alert, in_two_datagrams, is_client_hello, is_dtls, is_rtp, with_unknown_cipher,
};
use crate::peer::{Device, index_of};
use crate::stage::{Seat, Stage};

/// Sound flows from the seat to a new viewer.
async fn assert_sound_flows(stage: &mut Stage, alice: Seat) {
    let microphone = stage.microphone(alice).await;
    let bob = stage.viewer().await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 10).await;
    let packet = stage.received(&sound)[5];
    assert_eq!(packet.payload[..], stage.source(&microphone, 0).sent[index_of(&packet.payload)].payload[..]);
}

async fn connect_as(role: DtlsRole) {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    stage.connect(alice, role).await;
    stage.connected(alice).await;
    let stats = stage.transport(alice).stats().await.expect("it is open");
    assert_eq!(stats["dtlsState"], "connected");
    // Six times cheaper than AES-CM with HMAC-SHA1.
    assert_eq!(stats["srtpProfile"], "AEAD_AES_256_GCM");
    let id = stage.transport(alice).id().clone();
    stage.event("the event", |event| *event == RouterEvent::TransportConnected { transport: id.clone() }).await;
    assert_sound_flows(&mut stage, alice).await;
}

#[tokio::test]
async fn a_dtls_client_connects_and_gets_aes_gcm() {
    connect_as(DtlsRole::Client).await;
}

#[tokio::test]
async fn a_dtls_server_connects_and_gets_aes_gcm() {
    connect_as(DtlsRole::Server).await;
}

#[tokio::test]
async fn a_client_that_offers_dtls_1_3_too_connects() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher().with_dtls_1_3()).await;
    stage.connect(alice, DtlsRole::Client).await;
    stage.connected(alice).await;
    assert_sound_flows(&mut stage, alice).await;
}

#[tokio::test]
async fn a_client_hello_in_two_datagrams_is_put_together() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    stage.peer_mut(alice).outgoing = Box::new(|datagram| match is_client_hello(datagram) {
        true => in_two_datagrams(datagram).into(),
        false => vec![datagram.to_vec()],
    });
    stage.connect(alice, DtlsRole::Client).await;
    stage.connected(alice).await;
    assert_sound_flows(&mut stage, alice).await;
}

#[tokio::test]
async fn the_parts_of_a_client_hello_may_come_in_the_wrong_order() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    stage.peer_mut(alice).outgoing = Box::new(|datagram| match is_client_hello(datagram) {
        true => in_two_datagrams(datagram).into_iter().rev().collect(),
        false => vec![datagram.to_vec()],
    });
    stage.connect(alice, DtlsRole::Client).await;
    stage.connected(alice).await;
}

#[tokio::test]
async fn a_handshake_that_begins_before_signalling_is_not_lost() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    let (hook, hellos) = capture(is_client_hello);
    stage.peer_mut(alice).outgoing = hook;
    stage.begin(alice, true);
    stage.until("a ClientHello", |_| !hellos.borrow().is_empty()).await;
    stage.tell(alice, DtlsRole::Client).await;
    stage.connected(alice).await;
    assert_sound_flows(&mut stage, alice).await;
}

#[tokio::test]
async fn a_wrong_fingerprint_closes_the_transport_before_any_media() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    let microphone = stage.microphone(alice).await;
    let bob = stage.viewer().await;
    let sound = stage.watch(bob, &microphone).await;
    let (hook, sent) = capture(is_rtp);
    stage.peer_mut(alice).outgoing = hook;
    let mut fingerprint = stage.peer_mut(alice).fingerprint();
    let last = if fingerprint.ends_with('0') { "1" } else { "0" };
    fingerprint.replace_range(fingerprint.len() - 1.., last);
    stage.connect_as(alice, DtlsRole::Client, &fingerprint).await;
    let id = stage.transport(alice).id().clone();
    let closed = stage.event("the end", |event| matches!(event, RouterEvent::TransportClosed { .. })).await;
    assert_eq!(closed, RouterEvent::TransportClosed { transport: id, reason: CloseReason::FingerprintMismatch });
    // The peer believes itself connected and speaks.
    let drops = stage.workers.drops(0).await.expect("the worker runs").unvalidated_path;
    stage.until("media into the void", |_| sent.borrow().len() >= 5).await;
    stage
        .until_async("its refusal", async |stage| {
            stage.workers.drops(0).await.expect("the worker runs").unvalidated_path >= drops + 5
        })
        .await;
    assert_eq!(stage.count(&sound), 0);
    assert!(stage.transport(alice).stats().await.is_err());
}

#[tokio::test]
async fn forged_handshakes_before_the_true_one_change_nothing() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    stage.peer_mut(alice).outgoing = Box::new(|datagram| match is_client_hello(datagram) {
        true => vec![with_unknown_cipher(datagram), forged_alert(), datagram.to_vec()],
        false => vec![datagram.to_vec()],
    });
    stage.connect(alice, DtlsRole::Client).await;
    stage.connected(alice).await;
    let drops = stage.workers.drops(0).await.expect("the worker runs");
    assert!(drops.refused_dtls >= 1, "{drops:?}");
    assert_sound_flows(&mut stage, alice).await;
}

#[tokio::test]
async fn forged_handshakes_in_the_middle_of_the_true_one_change_nothing() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    let mut hello = None;
    stage.peer_mut(alice).outgoing = Box::new(move |datagram| {
        if is_client_hello(datagram) {
            hello = Some(datagram.to_vec());
        } else if let (true, Some(hello)) = (is_dtls(datagram), &hello) {
            return vec![with_unknown_cipher(hello), forged_alert(), datagram.to_vec()];
        }
        vec![datagram.to_vec()]
    });
    stage.connect(alice, DtlsRole::Client).await;
    stage.connected(alice).await;
    assert_sound_flows(&mut stage, alice).await;
}

#[tokio::test]
async fn forged_handshakes_after_the_true_one_change_nothing() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    let (hook, hellos) = capture(is_client_hello);
    stage.peer_mut(alice).outgoing = hook;
    stage.connect(alice, DtlsRole::Client).await;
    stage.connected(alice).await;
    let to = stage.server_address(alice);
    let before = stage.transport(alice).stats().await.expect("it is open")["packetsReceived"].as_u64();
    let hello = hellos.borrow()[0].clone();
    for forged in [with_unknown_cipher(&hello), hello, forged_alert()] {
        stage.peer(alice).send_raw(&forged, to);
    }
    stage
        .until_async("their arrival", async |stage| {
            let stats = stage.transport(alice).stats().await.expect("it stays open");
            stats["packetsReceived"].as_u64() >= before.map(|before| before + 3)
        })
        .await;
    assert_sound_flows(&mut stage, alice).await;
    assert!(!stage.peer(alice).seen.closed);
    // The session itself is the true one still: it understands the peer's good-bye.
    stage.peer_mut(alice).rtc.close().expect("it is open");
    stage.peer_mut(alice).pump();
    let transport = stage.transport(alice).id().clone();
    let closed = RouterEvent::TransportClosed { transport, reason: CloseReason::PeerClosed };
    stage.event("the good-bye", |event| *event == closed).await;
}
