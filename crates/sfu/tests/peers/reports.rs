//! RTCP: what publishers are told of their packets and viewers of their senders' clocks.

use std::time::{Instant, SystemTime};

use sfu::DtlsRole;
use str0m::bwe::Bitrate;
use str0m::rtp::rtcp::Rtcp;

use crate::peer::link::is_rtp;
use crate::peer::{Device, index_of};
use crate::stage::{Published, Stage, Watched};

#[tokio::test]
async fn a_publisher_hears_what_arrived() {
    let mut stage = Stage::new().await;
    let alice = stage.publisher().await;
    let camera = stage.camera(alice).await;
    let ssrc = stage.source(&camera, 0).spec.ssrc;
    // From the second report on it knows of a sender report of ours.
    let blocks = |stage: &Stage| {
        let reports = stage.peer(alice).seen.rtcp.iter().filter_map(|rtcp| match rtcp {
            Rtcp::ReceiverReport(report) => Some(report.reports.iter().copied().collect::<Vec<_>>()),
            _ => None,
        });
        reports.flatten().filter(|block| block.ssrc == ssrc && block.last_sr_time != 0).collect::<Vec<_>>()
    };
    stage.until("two reports", |stage| blocks(stage).len() >= 2).await;
    let block = blocks(&stage)[1];
    let spec = stage.source(&camera, 0).spec;
    let highest = u64::from(spec.first_seq) + stage.source(&camera, 0).sent.len() as u64;
    assert_eq!((block.fraction_lost, block.packets_lost), (0, 0));
    assert!(u64::from(block.max_seq) > u64::from(spec.first_seq) && u64::from(block.max_seq) < highest);
}

#[tokio::test]
async fn a_publisher_hears_of_losses() {
    let mut stage = Stage::new().await;
    let alice = stage.publisher().await;
    let microphone = stage.microphone(alice).await;
    let mut count = 0;
    stage.peer_mut(alice).outgoing = Box::new(move |datagram| {
        count += usize::from(is_rtp(datagram));
        if is_rtp(datagram) && count % 4 == 0 { Vec::new() } else { vec![datagram.to_vec()] }
    });
    let ssrc = stage.source(&microphone, 0).spec.ssrc;
    let hears = |rtcp: &Rtcp| {
        let Rtcp::ReceiverReport(report) = rtcp else { return false };
        // A quarter is 64 of 256; the ends of the interval blur it.
        let is_quarter = |fraction| (40..90).contains(&fraction);
        report
            .reports
            .iter()
            .any(|block| block.ssrc == ssrc && is_quarter(block.fraction_lost) && block.packets_lost > 5)
    };
    stage.until("the loss in a report", |stage| stage.peer(alice).seen.rtcp.iter().any(hears)).await;
}

#[tokio::test]
async fn a_publisher_gets_transport_wide_feedback_about_every_packet() {
    let mut stage = Stage::new().await;
    let alice = stage.publisher().await;
    let microphone = stage.microphone(alice).await;
    let camera = stage.camera(alice).await;
    let feedback = |stage: &Stage| {
        let all = stage.peer(alice).seen.rtcp.iter().filter_map(|rtcp| match rtcp {
            Rtcp::Twcc(feedback) => Some((feedback.feedback_count, feedback.base_seq, feedback.status_count)),
            _ => None,
        });
        all.collect::<Vec<_>>()
    };
    stage.until("feedback", |stage| feedback(stage).len() >= 10).await;
    let feedback = feedback(&stage);
    let sent = stage.source(&microphone, 0).sent.len() + stage.source(&camera, 0).sent.len();
    let reported: usize = feedback.iter().map(|(_, _, count)| usize::from(*count)).sum();
    assert!(reported <= sent && reported + 40 >= sent, "{reported} of {sent}");
    for pair in feedback.windows(2) {
        assert_eq!(pair[1].0, pair[0].0.wrapping_add(1));
        assert_eq!(pair[1].1, pair[0].1.wrapping_add(pair[0].2));
    }
}

#[tokio::test]
async fn a_publishers_own_estimator_grows_on_our_feedback() {
    let initial = Bitrate::kbps(300);
    let mut stage = Stage::new().await;
    let alice = stage.seat(Device::publisher().with_estimator(initial)).await;
    stage.connect(alice, DtlsRole::Client).await;
    stage.connected(alice).await;
    let _camera = stage.camera(alice).await;
    stage.peer_mut(alice).rtc.bwe().set_bitrate(Bitrate::kbps(300), Bitrate::mbps(3));
    stage.peer_mut(alice).pump();
    let wanted = Bitrate::kbps(900);
    stage.until("growth", |stage| stage.peer(alice).seen.estimate.is_some_and(|estimate| estimate >= wanted)).await;
}

#[tokio::test]
async fn a_viewers_feedback_and_reports_reach_us() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.camera(alice).await;
    let picture = stage.watch(bob, &camera).await;
    stage
        .until_async("feedback and a round trip", async |stage| {
            let stats = stage.transport(bob).stats().await.expect("it is open");
            stats["feedbackReceived"].as_u64() > Some(50) && stats["roundTripTime"].is_number()
        })
        .await;
    let stats = picture.consumer.stats().await.expect("it is open").swap_remove(0);
    assert_eq!((&stats["packetsLost"], &stats["fractionLost"]), (&0.into(), &0.0.into()));
}

/// By how much the last report maps RTP time to wall time otherwise than the camera did, in seconds.
fn clock_error(stage: &Stage, published: &Published, watched: &Watched) -> Option<f64> {
    let mid = watched.consumer.rtp_parameters().mid.as_deref().expect("a consumer has one");
    let report = stage.peer(watched.seat).seen.sender_reports.iter().rev().find(|report| *report.mid == *mid)?;
    let info = report.sender_info;
    let packet = stage.received(watched)[0];
    let source = stage.source(published, 0);
    let captured_at = source.sent[index_of(&packet.payload)].captured_at;
    let captured_at = SystemTime::now() - Instant::now().saturating_duration_since(captured_at);
    let ticks = (info.rtp_time.numer() as u32).wrapping_sub(packet.header.timestamp) as i32;
    let by_rtp = f64::from(ticks) / f64::from(source.spec.clock_rate);
    let by_ntp = info.ntp_time.duration_since(captured_at).expect("reports follow packets").as_secs_f64();
    Some(by_rtp - by_ntp)
}

#[tokio::test]
async fn a_viewer_can_play_sound_and_picture_together() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let camera = stage.camera(alice).await;
    let (sound, picture) = (stage.watch(bob, &microphone).await, stage.watch(bob, &camera).await);
    assert_eq!(sound.consumer.rtp_parameters().rtcp.cname, picture.consumer.rtp_parameters().rtcp.cname);
    stage
        .until("reports", |stage| {
            clock_error(stage, &microphone, &sound).is_some() && clock_error(stage, &camera, &picture).is_some()
        })
        .await;
    let errors = [(&microphone, &sound), (&camera, &picture)]
        .map(|(published, watched)| clock_error(&stage, published, watched).expect("both were waited for"));
    // One machine, one clock: what is left is the time that the publisher's report took, the same for both.
    assert!(errors.iter().all(|error| error.abs() < 1.0), "{errors:?}");
    assert!((errors[0] - errors[1]).abs() < 0.1, "{errors:?}");
}
