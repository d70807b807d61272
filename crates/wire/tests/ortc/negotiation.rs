//! The rules by which a producer's parameters become a consumer's.

use serde_json::json;
use wire::extension::ExtensionKind;
use wire::ortc::{
    ConsumerStream, ConsumerType, FieldError, MappingError, MediaKind, NoCommonCodec, ParameterValue, ProducerStreams,
    RtcpFeedback, RtpCapabilities, RtpEncodingParameters, RtpParameters, can_consume, consumable_rtp_parameters,
    consumer_rtp_parameters, consumer_type, is_usable_ssrc, parse, producer_mapping, router_rtp_capabilities,
};
use wire::{PayloadType, Rid, Ssrc};

use crate::records::{
    CHROMIUM, CHROMIUM_NATIVE, CNAME, FIREFOX, capabilities, consumable, consumable_of, ids, mapped, produced,
};

fn mapping_error(kind: MediaKind, parameters: &RtpParameters) -> MappingError {
    producer_mapping(kind, parameters, router_rtp_capabilities(), || Ssrc::new(1)).expect_err("it is refused")
}

/// A video producer of one codec with these format parameters.
fn video(mime_type: &str, parameters: serde_json::Value) -> RtpParameters {
    let json = json!({
        "codecs": [{"mimeType": mime_type, "payloadType": 100, "clockRate": 90000, "parameters": parameters}],
        "encodings": [{"ssrc": 7}],
    });
    parse("rtpParameters", &json).expect("the shape is right")
}

/// A device with one video codec.
fn device(mime_type: &str, parameters: serde_json::Value) -> RtpCapabilities {
    let json = json!({"codecs": [
        {"kind": "video", "mimeType": mime_type, "preferredPayloadType": 50, "clockRate": 90000, "parameters": parameters},
    ]});
    parse("rtpCapabilities", &json).expect("the shape is right")
}

fn has(parameters: &RtpParameters, kind: ExtensionKind) -> bool {
    parameters.header_extensions.iter().any(|extension| extension.uri == kind.uri())
}

fn feedback_of(parameters: &RtpParameters) -> Vec<&str> {
    parameters.codecs[0].rtcp_feedback.iter().map(|feedback| feedback.feedback_type.as_str()).collect()
}

#[test]
fn firefox_gets_the_simulcast_of_chromium_as_one_stream() {
    let consumable = consumable_of(CHROMIUM, "vp8-simulcast");
    let consumer = consumer_rtp_parameters(&consumable, &capabilities(FIREFOX), &ids()).expect("Firefox has VP8");
    let expected = json!({
        "mid": "5",
        "codecs": [
            {
                "mimeType": "video/VP8", "payloadType": 97, "clockRate": 90000, "parameters": {},
                "rtcpFeedback": [
                    {"type": "nack", "parameter": ""}, {"type": "nack", "parameter": "pli"},
                    {"type": "ccm", "parameter": "fir"}, {"type": "transport-cc", "parameter": ""},
                ],
            },
            {
                "mimeType": "video/rtx", "payloadType": 98, "clockRate": 90000, "parameters": {"apt": 97},
                "rtcpFeedback": [],
            },
        ],
        "headerExtensions": [
            {"uri": ExtensionKind::Mid.uri(), "id": 1, "encrypt": false, "parameters": {}},
            {"uri": ExtensionKind::TransportWideCc.uri(), "id": 5, "encrypt": false, "parameters": {}},
            {"uri": ExtensionKind::PlayoutDelay.uri(), "id": 14, "encrypt": false, "parameters": {}},
        ],
        "encodings": [{"ssrc": 2000, "rtx": {"ssrc": 2001}, "scalabilityMode": "L3T3", "maxBitrate": 1_500_000}],
        "rtcp": {"cname": CNAME, "reducedSize": true},
        "msid": consumable.msid,
    });
    assert_eq!(serde_json::to_value(&consumer).expect("parameters are written"), expected);
}

#[test]
fn chromium_gets_the_opus_of_firefox() {
    let consumable = consumable_of(FIREFOX, "opus");
    let consumer = consumer_rtp_parameters(&consumable, &capabilities(CHROMIUM), &ids()).expect("Chromium has Opus");
    let json = serde_json::to_value(&consumer).expect("parameters are written");
    assert_eq!(
        json["codecs"],
        json!([{
            "mimeType": "audio/opus", "payloadType": 96, "clockRate": 48000, "channels": 2,
            "parameters": {"maxplaybackrate": 48000, "stereo": 1, "useinbandfec": 1},
            "rtcpFeedback": [{"type": "nack", "parameter": ""}, {"type": "transport-cc", "parameter": ""}],
        }])
    );
    assert_eq!(json["encodings"], json!([{"ssrc": 2000}]));
}

#[test]
fn a_consumer_stream_has_the_numbers_of_its_parameters() {
    let consumable = consumable_of(CHROMIUM, "vp8-simulcast");
    let consumer = consumer_rtp_parameters(&consumable, &capabilities(FIREFOX), &ids()).expect("Firefox has VP8");
    let stream = ConsumerStream::new(&consumer).expect("the parameters are whole");
    assert_eq!((stream.ssrc.get(), stream.codec.payload_type.get(), stream.codec.clock_rate), (2000, 97, 90_000));
    assert_eq!(stream.rtx.map(|rtx| (rtx.ssrc.get(), rtx.payload_type.get())), Some((2001, 98)));
    assert_eq!(stream.extensions.id_of(ExtensionKind::TransportWideCc), Some(5));
    assert_eq!(stream.extensions.id_of(ExtensionKind::AbsSendTime), None);
    assert_eq!((stream.mid.map(|mid| mid.to_string()).as_deref(), stream.cname.as_str()), (Some("5"), CNAME));
}

#[test]
fn producer_streams_tell_simulcast_by_rid() {
    let (kind, parameters) = produced(CHROMIUM, "vp8-simulcast");
    let streams = ProducerStreams::new(&parameters, &mapped(kind, &parameters)).expect("the parameters are whole");
    let rids: Vec<Option<Rid>> = streams.streams.iter().map(|stream| stream.rid).collect();
    assert_eq!(rids, [Rid::new("r0"), Rid::new("r1"), Rid::new("r2")]);
    assert!(streams.streams.iter().all(|stream| stream.ssrc.is_none() && stream.rtx_ssrc.is_none()));
    assert!(streams.streams.iter().all(|stream| stream.scalability_mode.temporal_layers == 3));
    let mapped: Vec<u32> = streams.streams.iter().map(|stream| stream.mapped_ssrc.get()).collect();
    assert_eq!(mapped, [1000, 1001, 1002]);
}

#[test]
fn producer_streams_know_what_opus_does() {
    let streams = |case| {
        let (kind, parameters) = produced(CHROMIUM, case);
        ProducerStreams::new(&parameters, &mapped(kind, &parameters)).expect("the parameters are whole").codec
    };
    assert_eq!((streams("opus").in_band_fec, streams("opus").dtx), (true, false));
    assert_eq!((streams("opus-dtx-stereo").in_band_fec, streams("opus-dtx-stereo").dtx), (true, true));
    assert_eq!((streams("vp8").in_band_fec, streams("vp8").dtx), (false, false));
}

#[test]
fn codecs_without_media_are_passed_over() {
    for (kind, codecs) in [("audio", ["audio/opus", "audio/red"]), ("video", ["video/VP8", "video/rtx"])] {
        let consumable = consumable_of(CHROMIUM_NATIVE, kind);
        let consumed: Vec<_> = consumable.codecs.iter().map(|codec| codec.mime_type.as_str()).collect();
        assert_eq!(consumed, codecs);
    }
}

#[test]
fn red_is_told_of_to_whom_it_concerns() {
    let (kind, parameters) = produced(CHROMIUM_NATIVE, "audio");
    let sent = parameters.codecs.iter().find(|codec| codec.mime_type == "audio/red").expect("Chromium has it");
    let streams = ProducerStreams::new(&parameters, &mapped(kind, &parameters)).expect("the parameters are whole");
    assert_eq!(streams.red_payload_type.map(PayloadType::get), Some(sent.payload_type));
    let mut without = parameters.clone();
    without.codecs.retain(|codec| codec.mime_type != "audio/red");
    let streams = ProducerStreams::new(&without, &mapped(kind, &without)).expect("the parameters are whole");
    assert_eq!(streams.red_payload_type, None);
    let mut of_mono = parameters;
    for red in of_mono.codecs.iter_mut().filter(|codec| codec.mime_type == "audio/red") {
        red.channels = Some(1);
    }
    assert_eq!(mapped(kind, &of_mono).red, None, "it carries another sound");
}

#[test]
fn media_after_red_is_found() {
    let (kind, mut parameters) = produced(CHROMIUM_NATIVE, "audio");
    parameters.codecs.sort_by_key(|codec| codec.mime_type != "audio/red");
    let mapping = mapped(kind, &parameters);
    assert_eq!(mapping.codec.payload_type.get(), 111);
}

#[test]
fn an_encoding_may_choose_a_later_codec() {
    let (kind, mut parameters) = produced(CHROMIUM_NATIVE, "video");
    let vp9 = parameters.codecs.iter().find(|codec| codec.mime_type == "video/VP9").expect("Chromium has VP9");
    parameters.encodings[0].codec_payload_type = Some(vp9.payload_type);
    let consumable = consumable(kind, &parameters);
    let codecs: Vec<&str> = consumable.codecs.iter().map(|codec| codec.mime_type.as_str()).collect();
    assert_eq!(codecs, ["video/VP9", "video/rtx"]);
}

#[test]
fn encodings_of_different_codecs_are_refused() {
    let (kind, mut parameters) = produced(CHROMIUM_NATIVE, "video");
    let types: Vec<u8> = parameters
        .codecs
        .iter()
        .filter(|codec| codec.mime_type == "video/VP9")
        .map(|codec| codec.payload_type)
        .collect();
    parameters.encodings = [(1, types[0]), (2, types[1])]
        .map(|(ssrc, payload_type)| RtpEncodingParameters {
            ssrc: Some(ssrc),
            codec_payload_type: Some(payload_type),
            ..RtpEncodingParameters::default()
        })
        .to_vec();
    assert_eq!(mapping_error(kind, &parameters), MappingError::MixedCodecs);
}

#[test]
fn a_producer_without_a_codec_that_we_forward_is_refused_by_name() {
    let error = mapping_error(MediaKind::Video, &video("video/H265", json!({})));
    assert_eq!(error, MappingError::UnsupportedCodec("video/H265".to_owned()));
    let other_clock = RtpParameters {
        codecs: vec![wire::ortc::RtpCodecParameters {
            clock_rate: 48_000,
            ..video("video/VP8", json!({})).codecs[0].clone()
        }],
        ..video("video/VP8", json!({}))
    };
    assert_eq!(mapping_error(MediaKind::Video, &other_clock), MappingError::UnsupportedCodec("video/VP8".to_owned()));
}

#[test]
fn a_producer_is_checked_before_it_is_mapped() {
    let mut parameters = video("video/VP8", json!({}));
    parameters.encodings.clear();
    let error = mapping_error(MediaKind::Video, &parameters);
    assert!(matches!(error, MappingError::Field(FieldError { path, .. }) if path == "rtpParameters.encodings"));
}

#[test]
fn opus_must_agree_in_channels() {
    let (kind, mut parameters) = produced(CHROMIUM, "opus");
    parameters.codecs[0].channels = None;
    assert_eq!(mapping_error(kind, &parameters), MappingError::UnsupportedCodec("audio/opus".to_owned()));
}

#[test]
fn codec_names_are_compared_without_regard_to_case() {
    let parameters = video("Video/vp8", json!({}));
    assert_eq!(consumable(MediaKind::Video, &parameters).codecs[0].mime_type, "video/VP8");
}

#[test]
fn profiles_decide_who_receives_whom() {
    let h264 = |profile: &str, mode: u32| json!({"profile-level-id": profile, "packetization-mode": mode});
    let table = [
        ("video/H264", h264("42e01f", 1), h264("42e01f", 1), true),
        ("video/H264", h264("42e034", 1), h264("42e01f", 1), true),
        ("video/H264", h264("42e01f", 1), h264("4de028", 1), true),
        ("video/H264", h264("42e01f", 1), json!({"packetization-mode": "1"}), true),
        ("video/H264", h264("42e01f", 1), h264("42e01f", 0), false),
        ("video/H264", h264("42e01f", 0), json!({}), true),
        ("video/H264", h264("42e01f", 1), h264("42001f", 1), false),
        ("video/H264", h264("42001f", 1), h264("4d001f", 1), false),
        ("video/H264", h264("4d001f", 1), h264("64001f", 1), false),
        ("video/H264", h264("64001f", 1), h264("640c1f", 1), false),
        ("video/H264", h264("42e01f", 1), h264("nonsense", 1), false),
        ("video/VP9", json!({"profile-id": 0}), json!({}), true),
        ("video/VP9", json!({}), json!({"profile-id": "0"}), true),
        ("video/VP9", json!({"profile-id": 2}), json!({"profile-id": 2}), true),
        ("video/VP9", json!({"profile-id": 2}), json!({}), false),
        ("video/VP9", json!({}), json!({"profile-id": 2}), false),
        ("video/VP9", json!({"profile-id": 0}), json!({"profile-id": "x"}), false),
        ("video/H264", h264("42e01f", 0), json!({"packetization-mode": "x"}), false),
        ("video/AV1", json!({}), json!({"profile": "x"}), false),
        ("video/AV1", json!({}), json!({}), true),
        ("video/AV1", json!({"profile": 0}), json!({"profile": 1}), true),
        ("video/AV1", json!({"profile": 1}), json!({"profile": 0}), false),
        ("video/AV1", json!({"profile": 1, "level-idx": 5}), json!({}), true),
    ];
    for (mime_type, sent, received, expected) in table {
        let consumable = consumable(MediaKind::Video, &video(mime_type, sent.clone()));
        let found = can_consume(&consumable, &device(mime_type, received.clone()));
        assert_eq!(found, expected, "{mime_type} {sent} to {received}");
    }
}

#[test]
fn the_level_is_the_senders_where_both_allow_asymmetry_and_the_lower_one_else() {
    let table = [
        (json!({"profile-level-id": "42e034", "packetization-mode": 1, "level-asymmetry-allowed": 1}), "42e034"),
        (json!({"profile-level-id": "42e034", "packetization-mode": 1}), "42e01f"),
        (json!({"profile-level-id": "42e00b", "packetization-mode": 1}), "42e00b"),
        (json!({"profile-level-id": "4D0028", "packetization-mode": 1, "level-asymmetry-allowed": "1"}), "4d0028"),
        (json!({"profile-level-id": 420_014, "packetization-mode": 1}), "420014"),
    ];
    for (sent, agreed) in table {
        let consumable = consumable(MediaKind::Video, &video("video/H264", sent.clone()));
        assert_eq!(consumable.codecs[0].parameters.text("profile-level-id").as_deref(), Some(agreed), "{sent}");
    }
}

#[test]
fn the_producers_format_parameters_reach_the_consumer() {
    let consumable = consumable_of(CHROMIUM, "opus-dtx-stereo");
    let consumer = consumer_rtp_parameters(&consumable, &capabilities(FIREFOX), &ids()).expect("Firefox has Opus");
    assert_eq!(consumer.codecs[0].parameters, produced(CHROMIUM, "opus-dtx-stereo").1.codecs[0].parameters);
    assert_eq!(consumer.codecs[0].parameters.0.get("usedtx"), Some(&ParameterValue::from(1)));
}

#[test]
fn an_empty_cname_keeps_the_producers_own() {
    let (kind, parameters) = produced(CHROMIUM, "opus");
    let consumable = consumable_rtp_parameters(&parameters, router_rtp_capabilities(), &mapped(kind, &parameters), "");
    assert_eq!(consumable.rtcp.cname, parameters.rtcp.cname);
    assert_eq!(consumable.msid, parameters.msid);
}

#[test]
fn without_transport_wide_feedback_remb_is_used() {
    let mut device = capabilities(CHROMIUM);
    device.header_extensions.retain(|extension| extension.uri != ExtensionKind::TransportWideCc.uri());
    let consumer = consumer_rtp_parameters(&consumable_of(CHROMIUM, "vp8"), &device, &ids()).expect("VP8 is common");
    assert_eq!(feedback_of(&consumer), ["nack", "nack", "ccm", "goog-remb"]);
    assert!(has(&consumer, ExtensionKind::AbsSendTime));
    let feedback = ConsumerStream::new(&consumer).expect("the parameters are whole").codec.feedback;
    assert!(feedback.remb && !feedback.transport_cc);
}

#[test]
fn a_device_that_reports_no_arrivals_gets_no_extension_to_report_on() {
    let mut device = capabilities(CHROMIUM);
    for codec in &mut device.codecs {
        codec.rtcp_feedback.retain(|feedback| *feedback != RtcpFeedback::new("transport-cc", ""));
    }
    for case in ["vp8", "opus"] {
        let consumer = consumer_rtp_parameters(&consumable_of(CHROMIUM, case), &device, &ids()).expect("it is common");
        assert!(!has(&consumer, ExtensionKind::TransportWideCc), "{case}");
        assert!(has(&consumer, ExtensionKind::AbsSendTime), "{case}");
    }
}

#[test]
fn without_either_extension_neither_feedback_is_left() {
    let mut device = capabilities(CHROMIUM);
    device.header_extensions.clear();
    let consumer = consumer_rtp_parameters(&consumable_of(CHROMIUM, "vp8"), &device, &ids()).expect("VP8 is common");
    assert_eq!(feedback_of(&consumer), ["nack", "nack", "ccm"]);
    assert!(consumer.header_extensions.is_empty());
}

#[test]
fn an_extension_under_another_id_is_not_the_same() {
    let mut device = capabilities(CHROMIUM);
    for extension in &mut device.header_extensions {
        extension.preferred_id += 1;
    }
    let consumer = consumer_rtp_parameters(&consumable_of(CHROMIUM, "vp8"), &device, &ids()).expect("VP8 is common");
    assert!(consumer.header_extensions.is_empty());
}

#[test]
fn what_is_only_read_is_not_sent_even_where_the_device_knows_it() {
    for case in ["vp8", "opus"] {
        let consumer = consumer_rtp_parameters(&consumable_of(CHROMIUM, case), router_rtp_capabilities(), &ids());
        let consumer = consumer.expect("the router has all");
        for kind in [ExtensionKind::Rid, ExtensionKind::TransmissionOffset, ExtensionKind::DependencyDescriptor] {
            assert!(!has(&consumer, kind), "{case} {kind:?}");
        }
        assert!(has(&consumer, ExtensionKind::Mid) && has(&consumer, ExtensionKind::AbsCaptureTime), "{case}");
        assert_eq!(has(&consumer, ExtensionKind::AudioLevel), case == "opus");
    }
    // Of AV1 nothing else tells the layers.
    let consumer = consumer_rtp_parameters(&consumable_of(CHROMIUM, "av1"), router_rtp_capabilities(), &ids());
    assert!(has(&consumer.expect("the router has all"), ExtensionKind::DependencyDescriptor));
}

#[test]
fn rtx_needs_both_ends_and_the_right_pair() {
    let consumable = consumable_of(CHROMIUM, "vp8");
    let mut device = capabilities(CHROMIUM);
    let rtx_of = |device: &RtpCapabilities| {
        let consumer = consumer_rtp_parameters(&consumable, device, &ids()).expect("VP8 is common");
        (consumer.codecs.len(), consumer.encodings[0].rtx.is_some())
    };
    assert_eq!(rtx_of(&device), (2, true));
    device.codecs.retain(|codec| codec.parameters.apt() != Some(97));
    assert_eq!(rtx_of(&device), (1, false), "RTX of other codecs only");

    let (kind, mut parameters) = produced(CHROMIUM, "vp8");
    parameters.codecs.truncate(1);
    let mapping = mapped(kind, &parameters);
    assert_eq!(mapping.rtx, None);
    let streams = ProducerStreams::new(&parameters, &mapping).expect("the parameters are whole");
    assert_eq!((streams.rtx_payload_type, streams.streams[0].rtx_ssrc), (None, None));
    let consumable = consumable_rtp_parameters(&parameters, router_rtp_capabilities(), &mapping, CNAME);
    let consumer = consumer_rtp_parameters(&consumable, &capabilities(CHROMIUM), &ids()).expect("VP8 is common");
    assert_eq!((consumer.codecs.len(), consumer.encodings[0].rtx), (1, None));
}

#[test]
fn a_device_without_the_codec_is_refused() {
    let consumable = consumable_of(CHROMIUM, "h264-42e0");
    assert_eq!(consumer_rtp_parameters(&consumable, &capabilities(FIREFOX), &ids()), Err(NoCommonCodec));
    assert_eq!(consumer_rtp_parameters(&consumable, &RtpCapabilities::default(), &ids()), Err(NoCommonCodec));
    let only_rtx = device("video/rtx", json!({"apt": 97}));
    assert!(!can_consume(&consumable_of(CHROMIUM, "vp8"), &only_rtx));
}

#[test]
fn simulcast_streams_count_as_spatial_layers() {
    let mut consumable = consumable_of(CHROMIUM, "vp8-simulcast");
    assert_eq!(consumer_type(&consumable), ConsumerType::Simulcast);
    for encoding in &mut consumable.encodings {
        encoding.scalability_mode = None;
    }
    assert_eq!(consumer_type(&consumable), ConsumerType::Simulcast);
    let consumer = consumer_rtp_parameters(&consumable, &capabilities(CHROMIUM), &ids()).expect("VP8 is common");
    assert_eq!(consumer.encodings[0].scalability_mode, None);
    assert_eq!(serde_json::to_value(ConsumerType::Svc).expect("it is written"), "svc");
}

#[test]
fn ssrcs_that_mediasoup_client_reserves_are_not_usable() {
    assert!(!is_usable_ssrc(0) && !is_usable_ssrc(1234));
    assert!(is_usable_ssrc(1) && is_usable_ssrc(u32::MAX));
}
