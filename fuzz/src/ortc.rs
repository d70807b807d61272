//! The JSON of a client: parameters, capabilities and certificates, through the whole negotiation.

use std::hint::black_box;
use std::sync::OnceLock;

use serde_json::Value;
use wire::ortc::{
    ConsumerIds, ConsumerStream, DtlsParameters, MediaKind, ProducerStreams, ProfileLevelId, RtpCapabilities,
    RtpParameters, ScalabilityMode, can_consume, consumable_rtp_parameters, consumer_rtp_parameters, consumer_type,
    parse, producer_mapping, router_rtp_capabilities, validate_dtls_parameters, validate_rtp_capabilities,
    validate_rtp_parameters,
};
use wire::{Mid, Ssrc};

/// What a browser says, with which the other side of the negotiation is played.
const BROWSER: &str = include_str!("../../crates/wire/tests/data/ortc/chromium-156-mediasoup-client-3.24.1.json");

/// The first byte tells what the JSON behind it is taken for.
pub fn ortc(data: &[u8]) {
    let Some((&what, text)) = data.split_first() else { return };
    match what {
        b's' => {
            let text = String::from_utf8_lossy(text);
            black_box((ScalabilityMode::parse(&text), ProfileLevelId::parse(&text)));
        }
        b'a' | b'v' | b'c' | b'd' => {
            let Ok(json) = serde_json::from_slice::<Value>(text) else { return };
            match what {
                b'a' => produce(MediaKind::Audio, &json, devices()),
                b'v' => produce(MediaKind::Video, &json, devices()),
                b'c' => consume(&json),
                _ => connect(&json),
            }
        }
        _ => {}
    }
}

fn browser() -> &'static Value {
    static BROWSER_JSON: OnceLock<Value> = OnceLock::new();
    BROWSER_JSON.get_or_init(|| serde_json::from_str(BROWSER).expect("the record is JSON"))
}

/// The browser, and one that can receive all that the router has.
fn devices() -> &'static [RtpCapabilities] {
    static DEVICES: OnceLock<Vec<RtpCapabilities>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let browser = parse("rtpCapabilities", &browser()["rtpCapabilities"]).expect("a browser's capabilities");
        vec![browser, router_rtp_capabilities().clone()]
    })
}

fn produce(kind: MediaKind, json: &Value, devices: &[RtpCapabilities]) {
    let Ok(parameters) = parse::<RtpParameters>("rtpParameters", json) else { return };
    let valid = validate_rtp_parameters(kind, &parameters);
    let mut ssrcs = 1000..;
    let next_ssrc = || Ssrc::new(ssrcs.next().expect("endless"));
    let mapping = producer_mapping(kind, &parameters, router_rtp_capabilities(), next_ssrc);
    assert!(valid.is_ok() || mapping.is_err(), "what is not valid was mapped");
    let Ok(mapping) = mapping else { return };
    let streams = ProducerStreams::new(&parameters, &mapping).expect("what was mapped has streams");
    assert_eq!(streams.streams.len(), parameters.encodings.len());
    let consumable = consumable_rtp_parameters(&parameters, router_rtp_capabilities(), &mapping, "fuzz");
    black_box(consumer_type(&consumable));
    let ids = ConsumerIds { mid: Mid::new("5").expect("a mid"), ssrc: Ssrc::new(2000), rtx_ssrc: Ssrc::new(2001) };
    for device in devices {
        let consumer = consumer_rtp_parameters(&consumable, device, &ids);
        assert_eq!(consumer.is_ok(), can_consume(&consumable, device));
        let Ok(consumer) = consumer else { continue };
        assert_eq!(validate_rtp_parameters(kind, &consumer), Ok(()), "what we send is right");
        assert!(ConsumerStream::new(&consumer).is_some());
        let json = serde_json::to_value(&consumer).expect("parameters are written");
        assert_eq!(parse::<RtpParameters>("rtpParameters", &json).as_ref(), Ok(&consumer));
    }
}

fn consume(json: &Value) {
    let Ok(device) = parse::<RtpCapabilities>("rtpCapabilities", json) else { return };
    let _ = black_box(validate_rtp_capabilities(&device));
    for produced in browser()["produced"].as_object().expect("a record has producers").values() {
        let kind = if produced["kind"] == "audio" { MediaKind::Audio } else { MediaKind::Video };
        produce(kind, &produced["rtpParameters"], std::slice::from_ref(&device));
    }
}

fn connect(json: &Value) {
    let Ok(parameters) = parse::<DtlsParameters>("dtlsParameters", json) else { return };
    if validate_dtls_parameters(&parameters).is_ok() {
        assert!(!parameters.fingerprints.is_empty());
        assert!(parameters.fingerprints.iter().all(|fingerprint| fingerprint.hash().is_some()));
    }
}
