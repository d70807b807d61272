//! Sound and picture from one peer to another.

use crate::peer::{Sent, index_of};
use crate::stage::{Published, Stage, Watched};

/// Asserts that what arrived is what was sent, packet by packet, in order and gapless.
fn assert_intact(stage: &Stage, published: &Published, watched: &Watched) {
    let sent = &stage.source(published, 0).sent;
    let received = stage.received(watched);
    let first = index_of(&received[0].payload);
    for (offset, packet) in received.iter().enumerate() {
        let Sent { timestamp, marker, payload, audio_level, .. } = &sent[first + offset];
        assert_eq!(packet.payload[..], payload[..]);
        assert_eq!(packet.header.timestamp, *timestamp);
        assert_eq!(packet.header.marker, *marker);
        assert_eq!(packet.header.ext_vals.audio_level, *audio_level);
        assert_eq!(packet.header.ext_vals.mid.map(|mid| mid.to_string()), watched.consumer.rtp_parameters().mid);
        assert_eq!(*packet.seq_no, *received[0].seq_no + offset as u64);
    }
}

#[tokio::test]
async fn sound_and_picture_arrive_byte_by_byte() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let camera = stage.camera(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    let picture = stage.watch(bob, &camera).await;
    stage.until("media", |stage| stage.count(&sound) >= 50 && stage.count(&picture) >= 150).await;
    assert_intact(&stage, &microphone, &sound);
    assert_intact(&stage, &camera, &picture);
    assert!(stage.source(&camera, 0).sent[index_of(&stage.received(&picture)[0].payload)].key_frame);
}

#[tokio::test]
async fn two_people_see_and_hear_each_other() {
    let mut stage = Stage::new().await;
    let (mut published, mut watched) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        // A browser has one transport to send and one to receive.
        let from = stage.publisher().await;
        published.push([stage.microphone(from).await, stage.camera(from).await]);
    }
    for other in [1, 0] {
        let to = stage.viewer().await;
        for media in &published[other] {
            watched.push((other, stage.watch(to, media).await));
        }
    }
    stage.until("media both ways", |stage| watched.iter().all(|(_, watched)| stage.count(watched) >= 60)).await;
    for (other, watched) in &watched {
        let is_video = watched.consumer.kind() == sfu::MediaKind::Video;
        assert_intact(&stage, &published[*other][usize::from(is_video)], watched);
    }
}
