//! Pause and resume, late viewers, and key frames: what a viewer sees of them.

use sfu::{DtlsRole, MediaKind};
use str0m::media::KeyframeRequestKind;

use crate::peer::{Device, Source, index_of};
use crate::stage::{Published, Stage, Watched, assert_gapless};

/// Asserts that nothing of what was sent from `from` to before `until` arrived, and that what follows begins with a
/// key frame and takes up the numbers.
fn assert_paused(stage: &Stage, published: &Published, watched: &Watched, from: usize, until: usize) {
    let received = stage.received(watched);
    assert_gapless(&received);
    let indices = received.iter().map(|packet| index_of(&packet.payload));
    assert!(indices.clone().all(|index| index < from || index >= until));
    let next = indices.clone().find(|index| *index >= until).expect("it went on");
    let source = stage.source(published, 0);
    assert!(!source.spec.is_video() || source.sent[next].key_frame, "packet {next}");
    let packet = &source.sent[next];
    assert!(next == 0 || source.sent[next - 1].timestamp != packet.timestamp, "packet {next} is within a frame");
}

#[tokio::test]
async fn a_viewer_that_pauses_goes_on_with_a_key_frame_and_gapless_numbers() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.camera(alice).await;
    let picture = stage.watch(bob, &camera).await;
    for _ in 0..2 {
        stage.more(&picture, 30).await;
        picture.consumer.pause().await.expect("it is open");
        let from = stage.source(&camera, 0).sent.len();
        stage.sent_more(&camera, 60).await;
        let (until, requests) = (stage.source(&camera, 0).sent.len(), stage.key_frame_requests(&camera, 0));
        picture.consumer.resume().await.expect("it is open");
        stage.more(&picture, 30).await;
        assert_paused(&stage, &camera, &picture, from, until);
        assert!(stage.key_frame_requests(&camera, 0) > requests);
    }
}

#[tokio::test]
async fn a_producer_that_pauses_goes_on_with_a_key_frame_and_gapless_numbers() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.camera(alice).await;
    let picture = stage.watch(bob, &camera).await;
    stage.more(&picture, 30).await;
    camera.producer.pause().await.expect("it is open");
    let from = stage.source(&camera, 0).sent.len();
    stage.sent_more(&camera, 60).await;
    let (until, requests) = (stage.source(&camera, 0).sent.len(), stage.key_frame_requests(&camera, 0));
    camera.producer.resume().await.expect("it is open");
    stage.more(&picture, 30).await;
    assert_paused(&stage, &camera, &picture, from, until);
    assert!(stage.key_frame_requests(&camera, 0) > requests);
}

#[tokio::test]
async fn sound_goes_on_at_once_with_gapless_numbers() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 10).await;
    sound.consumer.pause().await.expect("it is open");
    let from = stage.source(&microphone, 0).sent.len();
    stage.sent_more(&microphone, 20).await;
    let until = stage.source(&microphone, 0).sent.len();
    sound.consumer.resume().await.expect("it is open");
    stage.more(&sound, 10).await;
    assert_paused(&stage, &microphone, &sound, from, until);
}

#[tokio::test]
async fn a_consumer_paused_on_both_sides_waits_for_both() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    microphone.producer.pause().await.expect("it is open");
    let sound = stage.watch_as(bob, &microphone, true).await;
    assert!(sound.consumer.producer_paused());
    microphone.producer.resume().await.expect("it is open");
    stage.sent_more(&microphone, 10).await;
    microphone.producer.pause().await.expect("it is open");
    sound.consumer.resume().await.expect("it is open");
    stage.sent_more(&microphone, 10).await;
    let until = stage.source(&microphone, 0).sent.len();
    microphone.producer.resume().await.expect("it is open");
    stage.more(&sound, 10).await;
    assert_paused(&stage, &microphone, &sound, 0, until);
}

/// So many packets after a key frame, a picture does not begin with that one any more.
const MORE_THAN_A_BEGINNING: usize = 100;

#[tokio::test]
async fn a_late_viewer_gets_a_key_frame_first_because_it_was_asked_for() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.camera(alice).await;
    let picture = stage.watch(bob, &camera).await;
    stage.more(&picture, MORE_THAN_A_BEGINNING).await;
    let carol = stage.viewer().await;
    let (began, requests) = (stage.source(&camera, 0).sent.len(), stage.key_frame_requests(&camera, 0));
    let late = stage.watch(carol, &camera).await;
    stage.more(&late, 30).await;
    assert!(stage.key_frame_requests(&camera, 0) > requests);
    let first = index_of(&stage.received(&late)[0].payload);
    assert!(first >= began && stage.source(&camera, 0).sent[first].key_frame, "packet {first}");
    assert_gapless(&stage.received(&late));
    assert_gapless(&stage.received(&picture));
}

#[tokio::test]
async fn a_viewer_that_connects_after_it_consumed_gets_a_key_frame_first() {
    let mut stage = Stage::new().await;
    let alice = stage.publisher().await;
    let camera = stage.camera(alice).await;
    let bob = stage.seat(Device::viewer()).await;
    let picture = stage.watch(bob, &camera).await;
    stage.sent_more(&camera, MORE_THAN_A_BEGINNING).await;
    let began = stage.source(&camera, 0).sent.len();
    stage.connect(bob, DtlsRole::Client).await;
    stage.more(&picture, 30).await;
    let first = index_of(&stage.received(&picture)[0].payload);
    assert!(first >= began && stage.source(&camera, 0).sent[first].key_frame, "packet {first}");
    assert_gapless(&stage.received(&picture));
}

#[tokio::test]
async fn a_camera_that_begins_without_a_key_frame_is_asked_for_one() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let source = Source::new(stage.camera_spec()).without_first_key_frame();
    let camera = stage.publish(alice, MediaKind::Video, vec![source]).await;
    let picture = stage.watch(bob, &camera).await;
    stage.more(&picture, 10).await;
    let first = index_of(&stage.received(&picture)[0].payload);
    assert!(stage.source(&camera, 0).sent[first].key_frame, "packet {first}");
}

async fn asks_for_a_key_frame_by(kind: KeyframeRequestKind) {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.camera(alice).await;
    let picture = stage.watch(bob, &camera).await;
    stage.more(&picture, 30).await;
    let (sent, requests) = (stage.source(&camera, 0).sent.len(), stage.key_frame_requests(&camera, 0));
    stage.peer_mut(bob).ask_key_frame(picture.ssrc, kind);
    stage.until("the request", |stage| stage.key_frame_requests(&camera, 0) > requests).await;
    let is_new_key = |stage: &Stage, index: usize| index >= sent && stage.source(&camera, 0).sent[index].key_frame;
    stage
        .until("the key frame", |stage| {
            stage.received(&picture).iter().any(|packet| is_new_key(stage, index_of(&packet.payload)))
        })
        .await;
    assert_gapless(&stage.received(&picture));
}

#[tokio::test]
async fn a_viewers_picture_loss_indication_reaches_the_publisher() {
    asks_for_a_key_frame_by(KeyframeRequestKind::Pli).await;
}

#[tokio::test]
async fn a_viewers_full_intra_request_reaches_the_publisher() {
    asks_for_a_key_frame_by(KeyframeRequestKind::Fir).await;
}
