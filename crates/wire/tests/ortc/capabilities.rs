//! The capabilities of our own routers.

use std::collections::HashSet;

use wire::extension::ExtensionKind;
use wire::ortc::{
    CodecEntry, CodecTableError, MediaKind, SUPPORTED_CODECS, router_rtp_capabilities, rtp_capabilities_from,
    validate_rtp_capabilities,
};

#[test]
fn the_router_offers_opus_and_every_video_codec_with_rtx() {
    let codecs = &router_rtp_capabilities().codecs;
    let offered: Vec<String> = codecs
        .iter()
        .filter(|codec| !codec.mime_type.ends_with("/rtx"))
        .map(|codec| {
            let detail = ["profile-level-id", "packetization-mode", "profile-id"]
                .iter()
                .filter_map(|name| codec.parameters.text(name))
                .fold(String::new(), |all, value| format!("{all} {value}"));
            format!("{}{detail}", codec.mime_type)
        })
        .collect();
    let expected = [
        "audio/opus",
        "video/VP8",
        "video/H264 42e01f 1",
        "video/H264 42001f 1",
        "video/H264 4d001f 1",
        "video/H264 64001f 1",
        "video/H264 640c1f 1",
        "video/H264 42e01f 0",
        "video/H264 42001f 0",
        "video/H264 4d001f 0",
        "video/VP9 0",
        "video/VP9 2",
        "video/AV1",
        "audio/red",
    ];
    assert_eq!(offered, expected);
    for codec in codecs.iter().filter(|codec| codec.kind == MediaKind::Video && !codec.mime_type.ends_with("/rtx")) {
        let repairs = codecs.iter().filter(|rtx| rtx.parameters.apt() == codec.preferred_payload_type).count();
        assert_eq!(repairs, 1, "{}", codec.mime_type);
    }
}

#[test]
fn the_router_capabilities_are_right() {
    assert_eq!(validate_rtp_capabilities(router_rtp_capabilities()), Ok(()));
}

#[test]
fn red_carries_opus() {
    let codecs = &router_rtp_capabilities().codecs;
    let red = codecs.iter().find(|codec| codec.mime_type == "audio/red").expect("RED is offered");
    let opus = codecs[0].preferred_payload_type.expect("every codec has one");
    assert_eq!(red.parameters.text(""), Some(format!("{opus}/{opus}")));
    assert_eq!((red.clock_rate, red.channels), (48_000, Some(2)));
}

#[test]
fn payload_types_are_dynamic_unique_and_never_the_one_for_probing() {
    let types: Vec<u8> =
        router_rtp_capabilities().codecs.iter().filter_map(|codec| codec.preferred_payload_type).collect();
    assert_eq!(types.len(), router_rtp_capabilities().codecs.len());
    assert_eq!(types.iter().collect::<HashSet<_>>().len(), types.len());
    assert!(types.iter().all(|&payload_type| (96..127).contains(&payload_type) || (35..64).contains(&payload_type)));
}

#[test]
fn every_extension_is_offered_with_an_id_of_the_one_byte_form() {
    let extensions = &router_rtp_capabilities().header_extensions;
    let mut uris_by_id = std::collections::BTreeMap::new();
    for extension in extensions {
        assert!((1..=14).contains(&extension.preferred_id), "{}", extension.uri);
        let uri = uris_by_id.entry(extension.preferred_id).or_insert(&extension.uri);
        assert_eq!(*uri, &extension.uri, "id {} means two things", extension.preferred_id);
    }
    for kind in ExtensionKind::ALL {
        assert!(extensions.iter().any(|extension| extension.uri == kind.uri()), "{kind:?}");
    }
}

#[test]
fn what_would_be_wrong_after_forwarding_is_only_read() {
    let only_read: HashSet<&str> = router_rtp_capabilities()
        .header_extensions
        .iter()
        .filter(|extension| extension.direction.receives() && !extension.direction.sends())
        .map(|extension| extension.uri.as_str())
        .collect();
    let expected = [
        ExtensionKind::Rid,
        ExtensionKind::RepairedRid,
        ExtensionKind::VideoLayersAllocation,
        ExtensionKind::TransmissionOffset,
    ];
    assert_eq!(only_read, expected.into_iter().map(ExtensionKind::uri).collect());
}

#[test]
fn the_json_has_the_shape_that_clients_check() {
    let json = serde_json::to_value(router_rtp_capabilities()).expect("capabilities are written");
    assert_eq!(
        json["codecs"][0],
        serde_json::json!({
            "kind": "audio", "mimeType": "audio/opus", "preferredPayloadType": 96, "clockRate": 48000, "channels": 2,
            "parameters": {"minptime": 10, "usedtx": 1, "useinbandfec": 1},
            "rtcpFeedback": [{"type": "nack", "parameter": ""}, {"type": "transport-cc", "parameter": ""}],
        })
    );
    assert_eq!(
        json["codecs"][2],
        serde_json::json!({
            "kind": "video", "mimeType": "video/rtx", "preferredPayloadType": 98, "clockRate": 90000,
            "parameters": {"apt": 97}, "rtcpFeedback": [],
        })
    );
    assert_eq!(
        json["headerExtensions"][0],
        serde_json::json!({
            "kind": "audio", "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "preferredId": 1,
            "preferredEncrypt": false, "direction": "sendrecv",
        })
    );
}

#[test]
fn a_codec_table_that_needs_more_payload_types_than_there_are_is_refused() {
    let opus = SUPPORTED_CODECS[0];
    assert_eq!(rtp_capabilities_from(&[opus; 60]).map(|made| made.codecs.len()), Ok(60));
    assert_eq!(rtp_capabilities_from(&[opus; 61]), Err(CodecTableError::NoPayloadTypeLeft));
    let with_rtx = CodecEntry { rtx: true, ..opus };
    assert_eq!(rtp_capabilities_from(&[with_rtx; 31]), Err(CodecTableError::NoPayloadTypeLeft));
}
