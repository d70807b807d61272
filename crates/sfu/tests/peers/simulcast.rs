//! Three streams of one camera: the viewer gets the one that it prefers and cannot tell that it was changed.

use sfu::RouterEvent;
use str0m::rtp::RtpPacket;
use wire::codec::vp8::Descriptor;

use crate::peer::{index_of, tag_of};
use crate::stage::{Published, Stage, Watched, assert_gapless};

/// Tag of the lowest stream.
const LOWEST: u8 = 10;

/// RTP clock units in two seconds: no switch may jump further.
const TWO_SECONDS: i32 = 180_000;

fn picture_id(packet: &RtpPacket) -> u16 {
    let descriptor = Descriptor::parse(&packet.payload).expect("it is VP8");
    descriptor.picture_id.expect("every packet has one").value
}

/// Asserts that numbers, times and picture ids go on as if there were one stream only, that each part begins with a
/// key frame, and that the pictures themselves are as they were sent.
fn assert_seamless(stage: &Stage, published: &Published, watched: &Watched) {
    let received = stage.received(watched);
    assert_gapless(&received);
    for pair in received.windows(2) {
        let [before, after] = [pair[0], pair[1]];
        let step = after.header.timestamp.wrapping_sub(before.header.timestamp) as i32;
        let pictures = picture_id(after).wrapping_sub(picture_id(before)) & 0x7FFF;
        assert!((0..TWO_SECONDS).contains(&step), "timestamps {step} apart");
        assert_eq!(pictures, u16::from(step != 0), "{step} ticks and {pictures} pictures apart");
        if tag_of(&before.payload) != tag_of(&after.payload) {
            let layer = usize::from(tag_of(&after.payload) - LOWEST);
            assert!(step > 0);
            assert!(stage.source(published, layer).sent[index_of(&after.payload)].key_frame);
        }
    }
    for packet in received {
        let layer = usize::from(tag_of(&packet.payload) - LOWEST);
        let sent = &stage.source(published, layer).sent[index_of(&packet.payload)];
        assert_eq!(packet.payload[..2], sent.payload[..2]);
        // Between them are PictureID and TL0PICIDX, which are numbered anew.
        assert_eq!(packet.payload[5..], sent.payload[5..]);
        assert_eq!(packet.header.marker, sent.marker);
    }
}

async fn sees_layer(stage: &mut Stage, watched: &Watched, layer: u8) {
    let from = stage.count(watched);
    let of_layer = |packet: &&&RtpPacket| tag_of(&packet.payload) == LOWEST + layer;
    stage
        .until(&format!("layer {layer}"), |stage| stage.received(watched)[from..].iter().filter(of_layer).count() >= 20)
        .await;
}

async fn prefers_each_layer_in_turn(by_rid: bool) {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.simulcast(alice, by_rid).await;
    let picture = stage.watch(bob, &camera).await;
    sees_layer(&mut stage, &picture, 2).await;
    for layer in [0, 2, 1, 0, 1, 2] {
        picture.consumer.set_preferred_layers(layer, None).await.expect("it is open");
        sees_layer(&mut stage, &picture, layer).await;
        assert_eq!(picture.consumer.stats().await.expect("it is open")[0]["currentLayers"]["spatialLayer"], layer);
    }
    assert_seamless(&stage, &camera, &picture);
}

#[tokio::test]
async fn streams_by_rid_are_told_apart_and_switched_without_a_seam() {
    prefers_each_layer_in_turn(true).await;
}

#[tokio::test]
async fn streams_by_ssrc_are_told_apart_and_switched_without_a_seam() {
    prefers_each_layer_in_turn(false).await;
}

#[tokio::test]
async fn two_viewers_get_what_each_prefers() {
    let mut stage = Stage::new().await;
    let (alice, bob, carol) = (stage.publisher().await, stage.viewer().await, stage.viewer().await);
    let camera = stage.simulcast(alice, true).await;
    let (large, small) = (stage.watch(bob, &camera).await, stage.watch(carol, &camera).await);
    small.consumer.set_preferred_layers(0, None).await.expect("it is open");
    sees_layer(&mut stage, &large, 2).await;
    sees_layer(&mut stage, &small, 0).await;
    assert_seamless(&stage, &camera, &large);
    assert_seamless(&stage, &camera, &small);
}

#[tokio::test]
async fn a_stream_that_stops_is_replaced_by_the_next_and_taken_again_when_it_returns() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.simulcast(alice, true).await;
    let picture = stage.watch(bob, &camera).await;
    sees_layer(&mut stage, &picture, 2).await;
    stage.source_mut(&camera, 2).run(false);
    sees_layer(&mut stage, &picture, 1).await;
    stage.source_mut(&camera, 2).run(true);
    sees_layer(&mut stage, &picture, 2).await;
    assert_seamless(&stage, &camera, &picture);
    let id = picture.consumer.id().clone();
    let mut layers = Vec::new();
    while let Some(event) = stage.try_event() {
        if let RouterEvent::ConsumerLayers { consumer, layer: Some(layer), .. } = event {
            assert_eq!(consumer, id);
            layers.push(layer.spatial);
        }
    }
    assert_eq!(layers[layers.len() - 3..], [2, 1, 2], "{layers:?}");
}

#[tokio::test]
async fn a_paused_viewer_of_several_streams_goes_on_without_a_seam() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.simulcast(alice, true).await;
    let picture = stage.watch(bob, &camera).await;
    sees_layer(&mut stage, &picture, 2).await;
    picture.consumer.pause().await.expect("it is open");
    stage.sent_more(&camera, 5).await;
    picture.consumer.resume().await.expect("it is open");
    picture.consumer.set_preferred_layers(1, None).await.expect("it is open");
    sees_layer(&mut stage, &picture, 1).await;
    let received = stage.received(&picture);
    assert_gapless(&received);
}
