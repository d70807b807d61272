//! What strangers and repeaters send, and that the call goes on.

use std::cell::RefCell;
use std::net::{Ipv4Addr, UdpSocket};
use std::rc::Rc;

use sfu::DtlsRole;

use crate::peer::Device;
use crate::peer::link::{capture, is_client_hello, is_dtls, is_rtcp, is_rtp, pass};
use crate::stage::{Stage, assert_gapless};

#[tokio::test]
async fn replayed_packets_are_dropped_and_counted() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.camera(alice).await;
    let picture = stage.watch(bob, &camera).await;
    let twice = Rc::new(RefCell::new(0_u64));
    let count = Rc::clone(&twice);
    stage.peer_mut(alice).outgoing = Box::new(move |datagram| {
        if is_rtp(datagram) || is_rtcp(datagram) {
            *count.borrow_mut() += 1;
            return vec![datagram.to_vec(); 2];
        }
        vec![datagram.to_vec()]
    });
    stage.more(&picture, 100).await;
    stage.source_mut(&camera, 0).run(false);
    stage
        .until_async("the count", async |stage| {
            let stats = stage.transport(alice).stats().await.expect("it is open");
            stats["packetsReplayed"].as_u64() == Some(*twice.borrow())
        })
        .await;
    assert_gapless(&stage.received(&picture));
    // Not even the headers of a second copy went out.
    let headers = stage.peer(bob).seen.headers.iter().filter(|header| header.ssrc == picture.ssrc).count();
    assert_eq!(headers, stage.count(&picture));
}

#[tokio::test]
async fn a_stranger_who_repeats_true_datagrams_is_ignored_and_counted() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    let (hook, captured) = capture(|datagram| is_rtp(datagram) || is_rtcp(datagram) || is_client_hello(datagram));
    stage.peer_mut(alice).outgoing = hook;
    stage.connect(alice, DtlsRole::Client).await;
    stage.connected(alice).await;
    let bob = stage.viewer().await;
    let camera = stage.camera(alice).await;
    let picture = stage.watch(bob, &camera).await;
    let is_there = |kind: fn(&[u8]) -> bool| {
        let captured = Rc::clone(&captured);
        move || captured.borrow().iter().any(|datagram| kind(datagram))
    };
    let (rtp, rtcp, hello) = (is_there(is_rtp), is_there(is_rtcp), is_there(is_client_hello));
    stage.until("one of each kind", |_| rtp() && rtcp() && hello()).await;

    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let to = stage.server_address(alice);
    let before = stage.workers.drops(0).await.expect("the worker runs");
    let stats = stage.transport(alice).stats().await.expect("it is open");
    let stolen: Vec<_> = captured.borrow().iter().take(50).cloned().collect();
    for datagram in &stolen {
        stranger.send_to(datagram, to).expect("loopback takes it");
    }
    stage
        .until_async("their refusal", async |stage| {
            let drops = stage.workers.drops(0).await.expect("the worker runs");
            drops.unvalidated_path == before.unvalidated_path + stolen.len() as u64
        })
        .await;
    stage.more(&picture, 50).await;
    assert_gapless(&stage.received(&picture));
    let now = stage.transport(alice).stats().await.expect("it is open");
    assert_eq!((&now["packetsReplayed"], &now["paths"]), (&stats["packetsReplayed"], &stats["paths"]));
    let mut buffer = [0; 1500];
    stranger.set_nonblocking(true).expect("a socket can");
    assert!(stranger.recv_from(&mut buffer).is_err(), "nobody answers a stranger");
}

#[tokio::test]
async fn a_strangers_check_without_the_password_opens_no_path() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 5).await;
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let before = stage.workers.drops(0).await.expect("the worker runs").bad_stun;
    let username = format!("{}:abcd", stage.transport(alice).ice_parameters().username_fragment);
    let mut check = Vec::new();
    let id = wire::stun::TransactionId([7; 12]);
    wire::stun::Builder::new(&mut check, wire::stun::Class::Request, wire::stun::Method::BINDING, id)
        .username(&username)
        .priority(1)
        .ice_controlling(1)
        .use_candidate()
        .finish(Some(&wire::stun::IntegrityKey::short_term("not the password of anybody")));
    stranger.send_to(&check, stage.server_address(alice)).expect("loopback takes it");
    stage
        .until_async("its refusal", async |stage| {
            stage.workers.drops(0).await.expect("the worker runs").bad_stun == before + 1
        })
        .await;
    assert_eq!(stage.transport(alice).stats().await.expect("it is open")["paths"], 1);
    stage.more(&sound, 20).await;
}

#[tokio::test]
async fn damaged_packets_are_counted_and_the_rest_goes_on() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    let damaged = Rc::new(RefCell::new(0_u64));
    let count = Rc::clone(&damaged);
    stage.peer_mut(alice).outgoing = Box::new(move |datagram| {
        let mut broken = datagram.to_vec();
        if !is_rtp(datagram) {
            return vec![broken];
        }
        *count.borrow_mut() += 1;
        let last = broken.len() - 1;
        broken[last] ^= 1;
        vec![broken, datagram.to_vec()]
    });
    stage.more(&sound, 40).await;
    stage.source_mut(&microphone, 0).run(false);
    stage
        .until_async("the count", async |stage| {
            let stats = stage.transport(alice).stats().await.expect("it is open");
            stats["packetsUnauthentic"].as_u64() == Some(*damaged.borrow())
        })
        .await;
    assert_gapless(&stage.received(&sound));
}

#[tokio::test]
async fn one_participant_cannot_speak_for_another() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let (hook, captured) = capture(is_rtp);
    stage.peer_mut(alice).outgoing = hook;
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 20).await;
    let stolen: Vec<_> = captured.borrow().iter().take(10).cloned().collect();
    let to = stage.server_address(bob);
    for datagram in &stolen {
        stage.peer(bob).send_raw(datagram, to);
    }
    stage
        .until_async("their refusal", async |stage| {
            let stats = stage.transport(bob).stats().await.expect("it is open");
            stats["packetsUnauthentic"].as_u64() == Some(stolen.len() as u64)
        })
        .await;
    stage.more(&sound, 20).await;
    assert_gapless(&stage.received(&sound));
}

#[tokio::test]
async fn media_before_the_handshake_is_dropped_and_counted() {
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher()).await;
    let _microphone = stage.microphone(alice).await;
    stage.peer_mut(alice).outgoing = Box::new(|datagram| match is_dtls(datagram) {
        true => Vec::new(),
        false => vec![datagram.to_vec()],
    });
    stage.connect(alice, DtlsRole::Client).await;
    stage
        .until_async("a path", async |stage| stage.transport(alice).stats().await.expect("it is open")["paths"] == 1)
        .await;
    let to = stage.server_address(alice);
    let ssrc = *stage.peer(alice).sources[0].spec.ssrc;
    let mut rtp = vec![0x80, 111, 0, 1, 0, 0, 0, 1];
    rtp.extend(ssrc.to_be_bytes());
    rtp.extend([0; 40]);
    stage.peer(alice).send_raw(&rtp, to);
    stage
        .until_async("its refusal", async |stage| stage.workers.drops(0).await.expect("the worker runs").no_keys == 1)
        .await;
    stage.peer_mut(alice).outgoing = pass();
    stage.connected(alice).await;
}
