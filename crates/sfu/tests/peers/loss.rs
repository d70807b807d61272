//! Random loss on every link and in both directions, repaired by NACK and RTX, or by NACK alone.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;

use sfu::DtlsRole;
use str0m::rtp::rtcp::Rtcp;

use crate::peer::link::{is_rtp, lossy, rtp_name};
use crate::peer::{Device, Source, Spec, index_of};
use crate::stage::{Seat, Stage};

/// Packets of a test's video; at 240 a second.
const PACKETS: usize = 900;

/// Packets sent before and after them, so that none of them is first or last.
const MARGIN: usize = 120;

async fn seat_on_lossy_link(stage: &mut Stage, device: Device, seed: u64, loss: f64) -> Seat {
    let seat = stage.seat(device).await;
    stage.peer_mut(seat).outgoing = lossy(seed, loss);
    stage.peer_mut(seat).incoming = lossy(seed + 1, loss);
    stage.connect(seat, DtlsRole::Client).await;
    stage.connected(seat).await;
    seat
}

/// Sends video from one lossy link to another; how many packets of it never arrived.
async fn missing_after(seed: u64, loss: f64) -> usize {
    let mut stage = Stage::new().await;
    let alice = seat_on_lossy_link(&mut stage, Device::publisher(), seed, loss).await;
    let bob = seat_on_lossy_link(&mut stage, Device::viewer(), seed + 2, loss).await;
    let spec = Spec { packets_per_frame: 8, ..stage.camera_spec() };
    let camera = stage.publish(alice, sfu::MediaKind::Video, vec![Source::new(spec)]).await;
    let picture = stage.watch(bob, &camera).await;
    stage.more(&picture, 1).await;
    let first = index_of(&stage.received(&picture)[0].payload) + MARGIN;
    let last = first + PACKETS;
    let newest = |stage: &Stage| stage.received(&picture).last().map_or(0, |packet| index_of(&packet.payload));
    stage.until("the video", |stage| newest(stage) > last + MARGIN).await;
    let mut arrived = HashSet::new();
    for packet in stage.received(&picture) {
        let index = index_of(&packet.payload);
        assert_eq!(packet.payload[..], stage.source(&camera, 0).sent[index].payload[..]);
        assert!(arrived.insert(index), "seed {seed}: packet {index} came twice");
    }
    let stats = camera.producer.stats().await.expect("it is open");
    let stream = &stats["streams"][0];
    assert!(stream["packetsRepaired"].as_u64() > Some(0), "seed {seed}: {stream}");
    let stats = picture.consumer.stats().await.expect("it is open");
    assert!(stats["retransmittedPacketsSent"].as_u64() > Some(0), "seed {seed}: {stats}");
    (first..last).filter(|index| !arrived.contains(index)).count()
}

#[tokio::test]
async fn five_percent_loss_is_repaired_completely() {
    assert_eq!(missing_after(5, 0.05).await, 0);
}

/// str0m asks five times for a packet. With a fifth lost each way a request brings it with 0.64, so 0.36 to the fifth
/// of the fifth that was lost first stay missing: 0.12 %.
#[tokio::test]
async fn twenty_percent_loss_is_repaired_to_what_five_requests_can() {
    let missing = missing_after(20, 0.2).await;
    assert!(missing <= PACKETS / 100, "{missing} of {PACKETS} packets are missing");
}

#[tokio::test]
async fn sound_without_rtx_is_repaired_for_a_viewer_by_the_packets_themselves() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    assert_eq!(sound.rtx_ssrc, None);
    stage.more(&sound, 5).await;
    let lost = Rc::new(RefCell::new(HashSet::new()));
    let (ssrc, seen) = (*sound.ssrc, Rc::clone(&lost));
    stage.peer_mut(bob).incoming = Box::new(move |datagram| {
        let is_sound = is_rtp(datagram) && rtp_name(datagram).0 == ssrc;
        // Each tenth number is lost when it comes for the first time.
        let is_lost =
            is_sound && rtp_name(datagram).1.is_multiple_of(10) && seen.borrow_mut().insert(rtp_name(datagram).1);
        if is_lost { Vec::new() } else { vec![datagram.to_vec()] }
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
