//! Random loss on every link and in both directions, repaired by NACK and RTX, or by NACK alone.

use std::cell::RefCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use sfu::DtlsRole;
use str0m::rtp::rtcp::Rtcp;

use crate::peer::link::{is_rtp, lossy, pass, rtp_name};
use crate::peer::{Device, Source, Spec, index_of, tag_of};
use crate::stage::{Seat, Stage};

/// Packets of a test's video; 480 a second.
const PACKETS: usize = 480;

/// Packets sent before and after them, so that none of them is first or last.
const MARGIN: usize = 60;

/// Which links lose datagrams of every kind, in both directions.
#[derive(Clone, Copy)]
struct Loss {
    publisher: f64,
    viewer: f64,
}

async fn seat_on_lossy_link(stage: &mut Stage, device: Device, seed: u64, loss: f64) -> Seat {
    let seat = stage.seat(device).await;
    stage.peer_mut(seat).outgoing = lossy(seed, loss);
    stage.peer_mut(seat).incoming = lossy(seed + 1, loss);
    stage.connect(seat, DtlsRole::Client).await;
    stage.connected(seat).await;
    seat
}

/// Sends video over lossy links; how many packets of it never arrived.
async fn missing_after(seed: u64, loss: Loss) -> usize {
    let mut stage = Stage::new().await;
    let alice = seat_on_lossy_link(&mut stage, Device::publisher(), seed, loss.publisher).await;
    let bob = seat_on_lossy_link(&mut stage, Device::viewer(), seed + 2, loss.viewer).await;
    let spec = Spec { packets_per_frame: 16, ..stage.camera_spec() };
    let camera = stage.publish(alice, sfu::MediaKind::Video, vec![Source::new(spec)]).await;
    let picture = stage.watch(bob, &camera).await;
    // Until the round trip is known it is taken for 100 ms, and a packet is not sent again sooner.
    stage
        .until_async("a round trip", async |stage| {
            let stats = stage.transport(bob).stats().await.expect("it is open");
            stats["roundTripTime"].is_number() && stage.count(&picture) > 0
        })
        .await;
    let first = stage.source(&camera, 0).sent.len() + MARGIN;
    let last = first + PACKETS;
    let newest = |stage: &Stage| stage.received(&picture).last().map_or(0, |packet| index_of(&packet.payload));
    stage.until("the video", |stage| newest(stage) > last + MARGIN).await;
    let mut arrived = HashSet::new();
    for packet in stage.received(&picture) {
        let index = index_of(&packet.payload);
        assert_eq!(packet.payload[..], stage.source(&camera, 0).sent[index].payload[..]);
        assert!(arrived.insert(index), "seed {seed}: packet {index} came twice");
    }
    let stats = camera.producer.stats().await.expect("it is open").swap_remove(0);
    let repaired = stats["streams"][0]["packetsRepaired"].as_u64().expect("a number");
    assert!(repaired > 0 || loss.publisher == 0.0, "seed {seed}: {stats}");
    let stats = picture.consumer.stats().await.expect("it is open").swap_remove(0);
    let repeated = stats["retransmittedPacketsSent"].as_u64().expect("a number");
    assert!(repeated > 0 || loss.viewer == 0.0, "seed {seed}: {stats}");

    (first..last).filter(|index| !arrived.contains(index)).count()
}

/// We ask ten times for a packet. With a fifth lost each way a request brings it with 0.64, so one packet in a hundred
/// thousand stays missing; more where the machine lets our thread wait.
#[tokio::test]
async fn twenty_percent_loss_at_a_publisher_is_repaired() {
    let missing = missing_after(20, Loss { publisher: 0.2, viewer: 0.0 }).await;
    assert!(missing <= PACKETS / 100, "{missing} of {PACKETS} packets are missing");
}

/// str0m asks five times for a packet, in 165 ms at this short a round trip: 0.36 to the fifth of the fifth that was
/// lost stay missing, 0.12 %; more where the machine lets our thread wait for longer than that.
#[tokio::test]
async fn twenty_percent_loss_at_a_viewer_is_repaired_to_what_five_requests_can() {
    let missing = missing_after(30, Loss { publisher: 0.0, viewer: 0.2 }).await;
    assert!(missing <= PACKETS / 50, "{missing} of {PACKETS} packets are missing");
}

/// What is lost on both links was asked for by the viewer, some times in vain, before we had it ourselves.
#[tokio::test]
async fn twenty_percent_loss_on_both_links_is_repaired_to_what_five_requests_can() {
    let missing = missing_after(40, Loss { publisher: 0.2, viewer: 0.2 }).await;
    assert!(missing <= PACKETS / 20, "{missing} of {PACKETS} packets are missing");
}

/// Of 0.05 × 0.0975⁵ nothing is left; two are allowed to a machine that lets our thread wait.
#[tokio::test]
async fn five_percent_loss_on_both_links_is_repaired() {
    let missing = missing_after(5, Loss { publisher: 0.05, viewer: 0.05 }).await;
    assert!(missing <= 2, "{missing} of {PACKETS} packets are missing");
}

/// The RTX streams of RIDs are told apart by their repaired-rid (RFC 8852 §3.2).
#[tokio::test]
async fn each_of_three_streams_by_rid_is_repaired_by_its_own_rtx() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.simulcast(alice, true).await;
    let picture = stage.watch(bob, &camera).await;
    stage.more(&picture, 1).await;
    stage.peer_mut(alice).outgoing = lossy(31, 0.1);
    stage
        .until_async("repair of each stream", async |_| {
            let stats = camera.producer.stats().await.expect("it is open").swap_remove(0);
            (0..3).all(|stream| stats["streams"][stream]["packetsRepaired"].as_u64() >= Some(3))
        })
        .await;
    stage.peer_mut(alice).outgoing = pass();
    stage
        .until_async("all of it", async |_| {
            let stats = camera.producer.stats().await.expect("it is open").swap_remove(0);
            (0..3).all(|stream| stats["streams"][stream]["packetsLost"].as_i64() == Some(0))
        })
        .await;
    for packet in stage.received(&picture) {
        let layer = usize::from(tag_of(&packet.payload) - 10);
        assert_eq!(packet.payload[5..], stage.source(&camera, layer).sent[index_of(&packet.payload)].payload[5..]);
    }
}

#[tokio::test]
async fn sound_without_rtx_is_repaired_for_a_viewer_by_the_packets_themselves() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    assert_eq!(sound.rtx_ssrc, None);
    stage.more(&sound, 5).await;
    // Each tenth number is lost when it comes for the first time; then it must come again to the bit, or its SRTP nonce
    // would be used for two different packets (RFC 7714 §8.4).
    let lost = Rc::new(RefCell::new(HashMap::new()));
    let (ssrc, seen) = (*sound.ssrc, Rc::clone(&lost));
    stage.peer_mut(bob).incoming = Box::new(move |datagram| {
        if is_rtp(datagram) && rtp_name(datagram).0 == ssrc && rtp_name(datagram).1.is_multiple_of(10) {
            match seen.borrow_mut().entry(rtp_name(datagram).1) {
                Entry::Occupied(first) => assert_eq!(first.get(), datagram),
                Entry::Vacant(slot) => {
                    slot.insert(datagram.to_vec());
                    return Vec::new();
                }
            }
        }
        vec![datagram.to_vec()]
    });
    stage.more(&sound, 60).await;
    let last = *stage.received(&sound).last().expect("it has more").seq_no;
    let is_there = |stage: &Stage, seq: u64| stage.received(&sound).iter().any(|packet| *packet.seq_no == seq);
    let first = *stage.received(&sound)[0].seq_no;
    stage.until("the repair", |stage| (first..last).all(|seq| is_there(stage, seq))).await;
    assert!(lost.borrow().len() >= 5);
    for packet in stage.received(&sound) {
        assert_eq!(packet.payload[..], stage.source(&microphone, 0).sent[index_of(&packet.payload)].payload[..]);
    }
}

#[tokio::test]
async fn sound_without_rtx_is_asked_for_at_a_publisher_by_nack() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    stage.peer_mut(alice).repair_plainly();
    let mut count = 0;
    stage.peer_mut(alice).outgoing = Box::new(move |datagram| {
        count += usize::from(is_rtp(datagram));
        if is_rtp(datagram) && count % 10 == 0 { Vec::new() } else { vec![datagram.to_vec()] }
    });
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 80).await;
    let nacks = stage.peer(alice).seen.rtcp.iter().filter(|rtcp| matches!(rtcp, Rtcp::Nack(_))).count();
    assert!(nacks >= 5, "{nacks} NACKs");
    let received = stage.received(&sound);
    let (first, last) = (index_of(&received[0].payload), index_of(&received[70].payload));
    let arrived: HashSet<_> = received.iter().map(|packet| index_of(&packet.payload)).collect();
    assert!((first..last - 10).all(|index| arrived.contains(&index)));
}
