//! The limits of one transport, reached.

use sfu::ortc::RtpEncodingParameters;
use sfu::{
    CommandError, ConsumeError, ConsumerOptions, MediaKind, ProduceError, Producer, ProducerOptions, RtpCapabilities,
    WebRtcTransport, WebRtcTransportOptions, WorkerError, Workers,
};
use sfu_core::{MAX_CONSUMERS, MAX_PRODUCERS};

use crate::peer::chromium_parameters;
use crate::stage::Stage;

async fn transport(stage: &Stage) -> WebRtcTransport {
    let options = WebRtcTransportOptions::default();
    stage.router.create_webrtc_transport(options).await.expect("the router is open")
}

/// A microphone named by SSRC, or by MID alone.
async fn produce(transport: &WebRtcTransport, mid: &str, ssrc: Option<u32>) -> Result<Producer, ProduceError> {
    let mut rtp_parameters = chromium_parameters("audio");
    rtp_parameters.mid = Some(mid.to_owned());
    rtp_parameters.encodings = vec![RtpEncodingParameters { ssrc, ..RtpEncodingParameters::default() }];
    transport
        .produce(ProducerOptions {
            kind: MediaKind::Audio,
            rtp_parameters,
            paused: false,
            is_screen: false,
            is_microphone: true,
        })
        .await
}

fn options(producer: &Producer) -> ConsumerOptions {
    let rtp_capabilities = Workers::rtp_capabilities().clone();
    ConsumerOptions { producer: producer.clone(), rtp_capabilities, paused: false }
}

fn refused(error: CommandError) -> ProduceError {
    ProduceError::Worker(WorkerError::Refused(error))
}

#[tokio::test]
async fn a_transport_carries_so_many_producers_and_room_is_made_by_closing_one() {
    let stage = Stage::new().await;
    let transport = transport(&stage).await;
    let mut producers = Vec::new();
    for index in 0..MAX_PRODUCERS as u32 {
        producers.push(produce(&transport, &index.to_string(), Some(100 + index)).await.expect("there is room"));
    }
    let error = produce(&transport, "100", Some(99)).await.err();
    assert_eq!(error, Some(refused(CommandError::TooManyProducers)));
    producers.pop();
    assert!(produce(&transport, "100", Some(99)).await.is_ok());
}

#[tokio::test]
async fn a_transport_carries_so_many_consumers_and_the_rest_of_a_batch_is_told_each() {
    let stage = Stage::new().await;
    let (from, to) = (transport(&stage).await, transport(&stage).await);
    let producer = produce(&from, "0", Some(1)).await.expect("there is room");
    let batch = vec![options(&producer); MAX_CONSUMERS + 2];
    let results = to.consume_many(batch).await.expect("it is open");
    let too_many = ConsumeError::Worker(WorkerError::Refused(CommandError::TooManyConsumers));
    let refusals = results.iter().filter_map(|result| result.as_ref().err()).cloned().collect::<Vec<_>>();
    assert_eq!(refusals, [too_many.clone(), too_many]);
    assert!(results[..MAX_CONSUMERS].iter().all(Result::is_ok));
    let mut ssrcs: Vec<_> =
        results.iter().flatten().map(|consumer| consumer.rtp_parameters().encodings[0].ssrc).collect();
    ssrcs.sort_unstable();
    ssrcs.dedup();
    assert_eq!(ssrcs.len(), MAX_CONSUMERS);
    drop(results);
    assert!(to.consume(options(&producer)).await.is_ok());
}

#[tokio::test]
async fn an_ssrc_or_a_section_cannot_be_used_twice_on_one_transport() {
    let stage = Stage::new().await;
    let (one, other) = (transport(&stage).await, transport(&stage).await);
    let _first = produce(&one, "0", Some(5)).await.expect("it is free");
    assert_eq!(produce(&one, "1", Some(5)).await.err(), Some(refused(CommandError::SsrcInUse(5))));
    assert!(produce(&other, "0", Some(5)).await.is_ok(), "transports are apart");
    let _second = produce(&one, "2", None).await.expect("it is free");
    assert_eq!(produce(&one, "2", None).await.err(), Some(refused(CommandError::MidInUse)));
}

#[tokio::test]
async fn a_device_without_the_codec_gets_no_consumer() {
    let stage = Stage::new().await;
    let (from, to) = (transport(&stage).await, transport(&stage).await);
    let producer = produce(&from, "0", Some(1)).await.expect("there is room");
    let mut video_only: RtpCapabilities = Workers::rtp_capabilities().clone();
    video_only.codecs.retain(|codec| codec.kind == MediaKind::Video);
    assert!(!sfu::can_consume(&producer, &video_only));
    let consumed = to.consume(ConsumerOptions { rtp_capabilities: video_only, ..options(&producer) }).await;
    assert_eq!(consumed.err(), Some(ConsumeError::NoCommonCodec));
}
