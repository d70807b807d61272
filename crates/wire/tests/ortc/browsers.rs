//! Each real set of capabilities against each real producer.

use wire::Ssrc;
use wire::extension::ExtensionKind;
use wire::ortc::{
    ConsumerStream, ConsumerType, MediaKind, ProducerStreams, RtpCapabilities, RtpHeaderExtension, RtpParameters,
    can_consume, consumer_rtp_parameters, consumer_type, parse, router_rtp_capabilities, validate_dtls_parameters,
    validate_rtp_capabilities, validate_rtp_parameters,
};

use crate::records::{CNAME, Record, consumable, ids, mapped, records};

/// Every producer of every record, with the name of its case and of its browser.
fn every_producer() -> Vec<(String, MediaKind, RtpParameters)> {
    let read = |(browser, record): &'static (&str, Record)| {
        record.produced.iter().map(move |(case, produced)| {
            let parameters = parse("rtpParameters", &produced.rtp_parameters).expect("a browser's parameters are read");
            (format!("{case} from {browser}"), produced.kind, parameters)
        })
    };
    records().iter().flat_map(read).collect()
}

/// Every device of every record, with its name.
fn every_device() -> Vec<(&'static str, RtpCapabilities)> {
    let read = |(browser, record): &(&'static str, Record)| {
        (*browser, parse("rtpCapabilities", &record.rtp_capabilities).expect(browser))
    };
    records().iter().map(read).collect()
}

fn decodes(browser: &str, mime_type: &str, profile: Option<u64>) -> bool {
    // Debian's Firefox has no H264 without a download, and Firefox has no VP9 of ten bits.
    !browser.starts_with("firefox") || (mime_type != "video/H264" && (mime_type != "video/VP9" || profile != Some(2)))
}

#[test]
fn what_browsers_say_is_right() {
    for (browser, record) in records() {
        let capabilities = parse("rtpCapabilities", &record.rtp_capabilities).expect(browser);
        assert_eq!(validate_rtp_capabilities(&capabilities), Ok(()), "{browser}");
        let dtls = parse("dtlsParameters", &record.dtls_parameters).expect(browser);
        assert_eq!(validate_dtls_parameters(&dtls), Ok(()), "{browser}");
    }
    let producers = every_producer();
    assert!(producers.len() >= 50, "{}", producers.len());
    for (name, kind, parameters) in producers {
        assert_eq!(validate_rtp_parameters(kind, &parameters), Ok(()), "{name}");
    }
}

#[test]
fn a_device_receives_exactly_the_codecs_that_it_decodes() {
    for (name, kind, parameters) in every_producer() {
        let consumable = consumable(kind, &parameters);
        let codec = &consumable.codecs[0];
        for (browser, capabilities) in every_device() {
            let expected = decodes(browser, &codec.mime_type, codec.parameters.number("profile-id"));
            assert_eq!(can_consume(&consumable, &capabilities), expected, "{name} to {browser}");
            let consumer = consumer_rtp_parameters(&consumable, &capabilities, &ids());
            assert_eq!(consumer.is_ok(), expected, "{name} to {browser}");
        }
    }
}

/// Every consumer that any browser can make of any producer.
fn every_consumer() -> Vec<(String, RtpParameters, RtpParameters)> {
    let mut consumers = Vec::new();
    for (name, kind, parameters) in every_producer() {
        let consumable = consumable(kind, &parameters);
        for (browser, capabilities) in every_device() {
            if let Ok(consumer) = consumer_rtp_parameters(&consumable, &capabilities, &ids()) {
                consumers.push((format!("{name} to {browser}"), consumable.clone(), consumer));
            }
        }
    }
    assert!(consumers.len() >= 200, "{}", consumers.len());
    consumers
}

#[test]
fn a_consumer_has_one_stream_with_rtx_for_video_and_perhaps_red_for_audio() {
    for (name, _, consumer) in every_consumer() {
        let is_video = consumer.codecs[0].mime_type.starts_with("video/");
        if is_video {
            assert_eq!(consumer.codecs.len(), 2, "{name}");
        } else {
            let beside = consumer.codecs.get(1).map(|codec| codec.mime_type.as_str());
            // Chromium reads RED, Firefox does not; the client's answers are from before it was offered.
            let reads_red = name.ends_with("to chromium, no client");
            assert_eq!(beside, reads_red.then_some("audio/red"), "{name}");
        }
        assert_eq!(consumer.encodings.len(), 1, "{name}");
        let encoding = &consumer.encodings[0];
        assert_eq!(encoding.ssrc, Some(2000), "{name}");
        assert_eq!(encoding.rtx.map(|rtx| rtx.ssrc), is_video.then_some(2001), "{name}");
        let repaired = consumer
            .codecs
            .get(1)
            .filter(|_| is_video)
            .map(|rtx| rtx.parameters.apt().expect("RTX names what it repairs"));
        assert_eq!(repaired, is_video.then_some(consumer.codecs[0].payload_type), "{name}");
        assert_eq!(consumer.mid.as_deref(), Some("5"), "{name}");
        assert_eq!(consumer.rtcp.cname.as_deref(), Some(CNAME), "{name}");
    }
}

#[test]
fn a_consumer_has_the_payload_types_and_extension_ids_of_the_router() {
    let router = router_rtp_capabilities();
    for (name, _, consumer) in every_consumer() {
        for codec in &consumer.codecs {
            let known = router.codecs.iter().find(|known| known.preferred_payload_type == Some(codec.payload_type));
            assert_eq!(known.map(|known| known.mime_type.as_str()), Some(codec.mime_type.as_str()), "{name}");
        }
        for extension in &consumer.header_extensions {
            let same = |known: &&RtpHeaderExtension| known.uri == extension.uri;
            let known = router.header_extensions.iter().find(same).expect("an extension of the router");
            assert_eq!(extension.id, known.preferred_id, "{name}");
            assert!(known.direction.sends(), "{name}: {}", extension.uri);
        }
    }
}

#[test]
fn a_consumer_of_mediasoup_client_tells_arrivals_by_transport_wide_feedback() {
    for (name, _, consumer) in every_consumer().into_iter().filter(|(name, ..)| !name.ends_with("no client")) {
        let stream = ConsumerStream::new(&consumer).expect(&name);
        assert!(stream.codec.feedback.transport_cc && !stream.codec.feedback.remb, "{name}");
        let is_video = consumer.codecs[0].mime_type.starts_with("video/");
        assert_eq!(stream.codec.feedback.pli && stream.codec.feedback.fir, is_video, "{name}");
        assert!(stream.codec.feedback.nack || !is_video, "{name}");
        assert_eq!(stream.rtx.is_some(), is_video, "{name}");
    }
}

#[test]
fn consumers_choose_among_as_many_layers_as_are_sent() {
    for (name, consumable, consumer) in every_consumer() {
        let expected = match name.split(" from ").next().expect("a case") {
            "vp8-simulcast" => (ConsumerType::Simulcast, Some("L3T3")),
            "h264-simulcast" => (ConsumerType::Simulcast, Some("L2T3")),
            "vp8-l1t3" => (ConsumerType::Simulcast, Some("L1T3")),
            "vp9-svc" => (ConsumerType::Svc, Some("L3T3_KEY")),
            "av1-svc" => (ConsumerType::Svc, Some("L1T3")),
            case if case.contains("then") && case.ends_with("video") => {
                // The old client leaves the layers of simulcast to the browser and names none.
                (ConsumerType::Simulcast, consumable.encodings[0].scalability_mode.as_deref().map(|_| "L2T3"))
            }
            _ => (ConsumerType::Simple, None),
        };
        let found = (consumer_type(&consumable), consumer.encodings[0].scalability_mode.as_deref());
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn consumer_parameters_are_right_and_read_back_the_same() {
    for (name, _, consumer) in every_consumer() {
        let kind = MediaKind::of_mime_type(&consumer.codecs[0].mime_type).expect("a kind");
        assert_eq!(validate_rtp_parameters(kind, &consumer), Ok(()), "{name}");
        let json = serde_json::to_value(&consumer).expect("parameters are written");
        assert_eq!(parse::<RtpParameters>("rtpParameters", &json).as_ref(), Ok(&consumer), "{name}");
    }
}

#[test]
fn the_streams_of_a_producer_keep_its_own_numbers() {
    for (name, kind, parameters) in every_producer() {
        let streams = ProducerStreams::new(&parameters, &mapped(kind, &parameters)).expect(&name);
        assert_eq!(streams.codec.payload_type.get(), parameters.codecs[0].payload_type, "{name}");
        let apt = streams.rtx_payload_type.map(|rtx| {
            let rtx = parameters.codecs.iter().find(|codec| codec.payload_type == rtx.get()).expect("a listed codec");
            rtx.parameters.apt().expect("an RTX codec")
        });
        let expected = (kind == MediaKind::Video).then_some(parameters.codecs[0].payload_type);
        assert_eq!(apt, expected, "{name}");
        for (stream, encoding) in streams.streams.iter().zip(&parameters.encodings) {
            assert_eq!(stream.ssrc.map(Ssrc::get), encoding.ssrc, "{name}");
            assert_eq!(stream.rid.map(|rid| rid.to_string()), encoding.rid, "{name}");
            assert_eq!(stream.rtx_ssrc.map(Ssrc::get), encoding.rtx.map(|rtx| rtx.ssrc), "{name}");
        }
        for extension in &parameters.header_extensions {
            let known = ExtensionKind::from_uri(&extension.uri);
            assert_eq!(streams.extensions.kind_of(extension.id), known, "{name}: {}", extension.uri);
        }
        assert!(streams.codec.feedback.transport_cc && !streams.codec.feedback.remb, "{name}");
        assert_eq!(streams.mid.map(|mid| mid.to_string()), parameters.mid, "{name}");
    }
}
