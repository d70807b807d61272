//! Who speaks is told.

use sfu::RouterEvent;

use crate::stage::Stage;

#[tokio::test]
async fn who_leads_and_who_is_audible_is_told_until_they_are_gone() {
    let mut stage = Stage::new().await;
    let alice = stage.publisher().await;
    let microphone = stage.microphone(alice).await;
    let camera = stage.camera(alice).await;
    let id = microphone.producer.id().clone();
    let leads = RouterEvent::ActiveSpeaker { producer: Some(id.clone()) };
    let audible = |event: &RouterEvent| matches!(event, RouterEvent::AudioLevels { levels } if levels.len() == 1 && levels[0].0 == id);
    stage.event("the first levels", audible).await;
    stage.event("the leader", |event| *event == leads).await;
    stage.event("more levels", audible).await;
    microphone.producer.close();
    stage.event("silence", |event| *event == RouterEvent::AudioLevels { levels: Vec::new() }).await;
    drop(camera);
}

#[tokio::test]
async fn of_two_microphones_only_the_loudest_is_forwarded() {
    let mut stage = Stage::new().await;
    stage.router.set_loudest(1).await.expect("the router is open");
    let (alice, bob, carol) = (stage.publisher().await, stage.publisher().await, stage.viewer().await);
    let first = stage.microphone(alice).await;
    let watched = stage.watch(carol, &first).await;
    stage.more(&watched, 20).await;
    let second = stage.microphone(bob).await;
    let other = stage.watch(carol, &second).await;
    stage.source_mut(&first, 0).run(false);
    // After a second of silence the other one has the place.
    stage.more(&other, 20).await;
    let before = stage.count(&watched);
    stage.more(&other, 20).await;
    assert_eq!(stage.count(&watched), before);
}
