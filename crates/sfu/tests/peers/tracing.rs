//! Who asked for a trace is told what happened.

use sfu::{Direction, RouterEvent, TraceEvent, TraceKinds, Traced};

use crate::stage::Stage;

#[tokio::test]
async fn a_traced_camera_tells_its_key_frames_and_nothing_else() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.camera(alice).await;
    camera.producer.enable_trace_event(TraceKinds::KEY_FRAME.and(TraceKinds::PLI_FIR)).await.expect("it is open");
    let picture = stage.watch(bob, &camera).await;
    stage.more(&picture, 10).await;
    let wanted = |what: &TraceEvent| matches!(what, TraceEvent::KeyFrame { direction: Direction::In, .. });
    let is_key_frame = |event: &RouterEvent| matches!(event, RouterEvent::Trace { what, .. } if wanted(what));
    picture.consumer.request_key_frame().await.expect("it is open");
    let event = stage.event("a key frame", is_key_frame).await;
    let RouterEvent::Trace { of, .. } = event else { unreachable!("that was waited for") };
    assert_eq!(of, Traced::Producer(camera.producer.id().clone()));
    camera.producer.enable_trace_event(TraceKinds::NONE).await.expect("it is open");
    while stage.try_event().is_some() {}
    stage.more(&picture, 10).await;
    while let Some(event) = stage.try_event() {
        assert!(!matches!(event, RouterEvent::Trace { .. }), "{event:?}");
    }
}
