//! Ends: what closes with what, who is told, and what a closed object answers.

use sfu::{
    CloseReason, CommandError, ConnectError, ConsumeError, ConsumerOptions, DtlsParameters, DtlsRole, MediaKind,
    ProduceError, ProducerOptions, RouterEvent, Settings, WebRtcTransportOptions, WorkerError, Workers,
};

use crate::peer::chromium_parameters;
use crate::stage::{Stage, settings, start};

#[tokio::test]
async fn a_peer_that_says_good_bye_ends_its_transport_and_what_others_see_of_it() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    stage.more(&sound, 5).await;
    stage.peer_mut(alice).rtc.close().expect("it is open");
    stage.peer_mut(alice).pump();
    let transport = stage.transport(alice).id().clone();
    let (producer, consumer) = (microphone.producer.id().clone(), sound.consumer.id().clone());
    let mut left = vec![
        RouterEvent::TransportClosed { transport, reason: CloseReason::PeerClosed },
        RouterEvent::ProducerClosed { producer },
        RouterEvent::ConsumerClosed { consumer },
    ];
    while !left.is_empty() {
        let event = stage.event("every notice", |event| left.contains(event)).await;
        left.retain(|other| *other != event);
    }
    assert_eq!(sound.consumer.stats().await, Err(WorkerError::Refused(CommandError::NoConsumer)));
    assert_eq!(microphone.producer.stats().await, Err(WorkerError::Refused(CommandError::NoProducer)));
    assert!(!stage.peer(bob).seen.closed);
}

#[tokio::test]
async fn dropping_the_handles_of_a_participant_closes_everything_below() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let camera = stage.camera(alice).await;
    let picture = stage.watch(bob, &camera).await;
    stage.more(&picture, 5).await;
    let consumer = picture.consumer.id().clone();
    drop(camera);
    stage.leave(alice);
    stage
        .event("the viewer's notice", |event| *event == RouterEvent::ConsumerClosed { consumer: consumer.clone() })
        .await;
    stage.until("the good-bye", |stage| stage.peer(alice).seen.closed).await;
    assert_eq!(picture.consumer.resume().await, Err(WorkerError::Refused(CommandError::NoConsumer)));
}

#[tokio::test]
async fn dropping_a_producer_closes_it_and_its_consumers_only() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let (microphone, camera) = (stage.microphone(alice).await, stage.camera(alice).await);
    let (sound, picture) = (stage.watch(bob, &microphone).await, stage.watch(bob, &camera).await);
    stage.more(&picture, 5).await;
    drop(camera.producer);
    let consumer = picture.consumer.id().clone();
    stage
        .event("the viewer's notice", |event| *event == RouterEvent::ConsumerClosed { consumer: consumer.clone() })
        .await;
    stage.more(&sound, 10).await;
    assert!(sound.consumer.stats().await.is_ok());
}

#[tokio::test]
async fn dropping_a_consumer_stops_its_packets_and_no_others() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let (microphone, camera) = (stage.microphone(alice).await, stage.camera(alice).await);
    let (sound, picture) = (stage.watch(bob, &microphone).await, stage.watch(bob, &camera).await);
    stage.more(&picture, 5).await;
    let ssrc = picture.ssrc;
    drop(picture.consumer);
    // The next command is answered after the close.
    let stats = camera.producer.stats().await.expect("it is open").swap_remove(0);
    assert_eq!(stats["consumers"], 0);
    stage.more(&sound, 2).await;
    let before = stage.peer(bob).packets(ssrc).count();
    stage.more(&sound, 20).await;
    assert_eq!(stage.peer(bob).packets(ssrc).count(), before);
}

#[tokio::test]
async fn closed_objects_say_so() {
    let mut stage = Stage::new().await;
    let (alice, bob) = (stage.publisher().await, stage.viewer().await);
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    let transport = stage.transport(alice).clone();
    let parameters = DtlsParameters { role: DtlsRole::Client, ..transport.dtls_parameters().clone() };
    let refused = WorkerError::Refused;
    let again = transport.connect(parameters.clone()).await;
    assert_eq!(again, Err(ConnectError::Worker(refused(CommandError::AlreadyConnected))));

    sound.consumer.close();
    let gone = refused(CommandError::NoConsumer);
    assert_eq!(sound.consumer.pause().await, Err(gone.clone()));
    assert_eq!(sound.consumer.resume().await, Err(gone.clone()));
    assert_eq!(sound.consumer.set_preferred_layers(0, None).await, Err(gone.clone()));
    assert_eq!(sound.consumer.request_key_frame().await, Err(gone.clone()));
    assert_eq!(sound.consumer.stats().await, Err(gone));
    sound.consumer.close();

    microphone.producer.close();
    let gone = refused(CommandError::NoProducer);
    assert_eq!(microphone.producer.pause().await, Err(gone.clone()));
    assert_eq!(microphone.producer.stats().await, Err(gone.clone()));
    let options = ConsumerOptions {
        producer: microphone.producer.clone(),
        rtp_capabilities: Workers::rtp_capabilities().clone(),
        paused: false,
    };
    let consumed = stage.transport(bob).consume(options.clone()).await.err();
    assert_eq!(consumed, Some(ConsumeError::Worker(gone)));

    transport.close();
    let gone = refused(CommandError::NoTransport);
    assert_eq!(transport.connect(parameters).await, Err(ConnectError::Worker(gone.clone())));
    assert_eq!(transport.restart_ice().await, Err(gone.clone()));
    assert_eq!(transport.stats().await, Err(gone.clone()));
    assert_eq!(transport.consume_many(vec![options]).await.err(), None, "each option has its own answer");
    let mut rtp_parameters = chromium_parameters("audio");
    rtp_parameters.encodings.push(sfu::ortc::RtpEncodingParameters { ssrc: Some(7), ..Default::default() });
    let produced = transport
        .produce(ProducerOptions {
            kind: MediaKind::Audio,
            rtp_parameters,
            paused: false,
            is_screen: false,
            is_microphone: true,
        })
        .await;
    assert_eq!(produced.err(), Some(ProduceError::Worker(gone)));
}

#[tokio::test]
async fn stopped_workers_say_so_and_their_peers_hear_of_it() {
    let mut stage = Stage::new().await;
    let alice = stage.publisher().await;
    let microphone = stage.microphone(alice).await;
    stage.workers.close();
    assert_eq!(microphone.producer.pause().await, Err(WorkerError::Stopped));
    assert_eq!(stage.transport(alice).stats().await, Err(WorkerError::Stopped));
    let made = stage.router.create_webrtc_transport(WebRtcTransportOptions::default()).await;
    assert_eq!(made.err(), Some(WorkerError::Stopped));
    assert_eq!(stage.workers.create_router().await.err(), Some(WorkerError::Stopped));
    stage.until("the good-bye", |stage| stage.peer(alice).seen.closed).await;
}

#[tokio::test]
async fn the_events_of_a_dropped_router_end() {
    let stage = Stage::new().await;
    let (router, mut events) = stage.workers.create_router().await.expect("a worker runs");
    let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.expect("it is open");
    drop(router);
    // What was made of a router keeps it.
    assert!(transport.stats().await.is_ok());
    assert!(Stage::ready(events.next()).is_none());
    drop(transport);
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn the_events_of_a_stopped_worker_end_without_talk_of_a_failure() {
    let mut stage = Stage::new().await;
    stage.workers.close();
    assert_eq!(stage.events.next().await, None);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_closed_again() {
    let workers = start(Settings { workers: 2, ..settings() });
    let (router, _events) = workers.create_router().await.expect("a worker runs");
    let (other, _events) = workers.create_router().await.expect("a worker runs");
    assert_eq!([router.worker(), other.worker()], [0, 1]);
    for _ in 0..10 {
        let made = router.create_webrtc_transport(WebRtcTransportOptions::default());
        // Asked for, and then the caller goes away.
        drop(Stage::ready(made));
    }
    // An answer now says that all that was asked before is done and undone.
    let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await.expect("it is open");
    drop(transport);
    workers.drops(0).await.expect("the worker runs");
    let (third, _events) = workers.create_router().await.expect("a worker runs");
    assert_eq!(third.worker(), 0, "the first worker has no more to do than the second");
}
