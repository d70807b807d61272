//! Nothing that a client can send makes the negotiation panic: real parameters with anything changed.

use std::sync::OnceLock;

use proptest::prelude::*;
use serde_json::{Map, Number, Value};
use wire::Ssrc;
use wire::ortc::{
    ConsumerStream, DtlsParameters, MediaKind, ProducerStreams, RtpCapabilities, RtpParameters, ScalabilityMode,
    can_consume, consumable_rtp_parameters, consumer_rtp_parameters, consumer_type, parse, producer_mapping,
    router_rtp_capabilities, validate_dtls_parameters, validate_rtp_capabilities, validate_rtp_parameters,
};

use crate::records::{CNAME, Record, ids, records};

/// One change: where (as a walk through the tree) and what.
#[derive(Clone, Debug)]
struct Change {
    walk: Vec<usize>,
    action: Action,
}

#[derive(Clone, Debug)]
enum Action {
    Replace(Value),
    Remove,
    Duplicate,
}

fn any_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::from),
        any::<u64>().prop_map(Number::from),
        (0..300_u64).prop_map(Number::from),
        any::<f64>().prop_map(|float| Number::from_f64(float).unwrap_or_else(|| Number::from(0))),
    ];
    let text = prop_oneof![
        ".{0,40}",
        "[ -~]{0,600}",
        Just("video/rtx".to_owned()),
        Just("video/H264".to_owned()),
        Just("L9T9_KEY".to_owned()),
        Just("\r\na=evil".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..4).prop_map(|pairs| Value::from(Map::from_iter(pairs))),
        ]
    })
}

fn any_change() -> impl Strategy<Value = Change> {
    let action = prop_oneof![
        4 => any_value().prop_map(Action::Replace),
        1 => Just(Action::Remove),
        1 => Just(Action::Duplicate),
    ];
    (prop::collection::vec(0..64_usize, 1..7), action).prop_map(|(walk, action)| Change { walk, action })
}

/// Walks down as far as the tree goes and changes what is found there.
fn apply(value: &mut Value, walk: &[usize], action: &Action) {
    let Some((&step, rest)) = walk.split_first() else {
        return;
    };
    match value {
        Value::Array(items) if !items.is_empty() => {
            let at = step % items.len();
            let goes_on = !rest.is_empty() && (items[at].is_array() || items[at].is_object());
            match action {
                _ if goes_on => apply(&mut items[at], rest, action),
                Action::Replace(new) => items[at] = new.clone(),
                Action::Remove => drop(items.remove(at)),
                Action::Duplicate => items.push(items[at].clone()),
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            let name = fields.keys().nth(step % fields.len()).cloned().expect("the rest is below the length");
            let field = fields.get_mut(&name).expect("the name is its own");
            let goes_on = !rest.is_empty() && (field.is_array() || field.is_object());
            match action {
                _ if goes_on => apply(field, rest, action),
                Action::Replace(new) => *field = new.clone(),
                Action::Remove => drop(fields.remove(&name)),
                Action::Duplicate => {
                    let copy = field.clone();
                    fields.insert(format!("{name}2"), copy);
                }
            }
        }
        _ => {}
    }
}

/// Every real device.
fn devices() -> &'static [RtpCapabilities] {
    static PARSED: OnceLock<Vec<RtpCapabilities>> = OnceLock::new();
    let read = |(name, record): &(&str, Record)| parse("rtpCapabilities", &record.rtp_capabilities).expect(name);
    PARSED.get_or_init(|| records().iter().map(read).collect())
}

/// Everything that is done with a producer, on whatever has the right shape.
fn produce_and_consume(kind: MediaKind, json: &Value, devices: &[RtpCapabilities]) {
    let Ok(parameters) = parse::<RtpParameters>("rtpParameters", json) else {
        return;
    };
    let valid = validate_rtp_parameters(kind, &parameters);
    let mapping = producer_mapping(kind, &parameters, router_rtp_capabilities(), || Ssrc::new(9));
    assert!(valid.is_ok() || mapping.is_err());
    let Ok(mapping) = mapping else {
        return;
    };
    let streams = ProducerStreams::new(&parameters, &mapping).expect("what was mapped has streams");
    assert_eq!(streams.streams.len(), parameters.encodings.len());
    let consumable = consumable_rtp_parameters(&parameters, router_rtp_capabilities(), &mapping, CNAME);
    let _ = consumer_type(&consumable);
    for device in devices {
        let consumer = consumer_rtp_parameters(&consumable, device, &ids());
        assert_eq!(consumer.is_ok(), can_consume(&consumable, device));
        let Ok(consumer) = consumer else {
            continue;
        };
        assert_eq!(validate_rtp_parameters(kind, &consumer), Ok(()), "what we send is right");
        let text = serde_json::to_string(&consumer).expect("parameters are written");
        assert!(!text.contains("\\r") && !text.contains("\\n"), "{text}");
        assert!(ConsumerStream::new(&consumer).is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_producers_are_refused_or_forwarded(changes in prop::collection::vec(any_change(), 1..4), at in 0..1000_usize, other in any::<bool>()) {
        let producers: Vec<_> = records().iter().flat_map(|(_, record)| record.produced.values()).collect();
        let producer = producers[at % producers.len()];
        let mut json = producer.rtp_parameters.clone();
        for change in &changes {
            apply(&mut json, &change.walk, &change.action);
        }
        let kind = match (producer.kind, other) {
            (MediaKind::Audio, false) | (MediaKind::Video, true) => MediaKind::Audio,
            _ => MediaKind::Video,
        };
        produce_and_consume(kind, &json, devices());
        produce_and_consume(producer.kind, &json, devices());
    }

    #[test]
    fn changed_devices_are_refused_or_served(changes in prop::collection::vec(any_change(), 1..4), at in 0..1000_usize) {
        let records = records();
        let mut json = records[at % records.len()].1.rtp_capabilities.clone();
        for change in &changes {
            apply(&mut json, &change.walk, &change.action);
        }
        let Ok(device) = parse::<RtpCapabilities>("rtpCapabilities", &json) else { return Ok(()); };
        let _ = validate_rtp_capabilities(&device);
        for producer in records[at % records.len()].1.produced.values() {
            produce_and_consume(producer.kind, &producer.rtp_parameters, std::slice::from_ref(&device));
        }
    }

    #[test]
    fn changed_certificates_are_refused_or_read(changes in prop::collection::vec(any_change(), 1..4), at in 0..1000_usize) {
        let records = records();
        let mut json = records[at % records.len()].1.dtls_parameters.clone();
        for change in &changes {
            apply(&mut json, &change.walk, &change.action);
        }
        if let Ok(parameters) = parse::<DtlsParameters>("dtlsParameters", &json) {
            let valid = validate_dtls_parameters(&parameters).is_ok();
            let whole = !parameters.fingerprints.is_empty() && parameters.fingerprints.iter().all(|fingerprint| fingerprint.hash().is_some());
            prop_assert!(!valid || whole);
        }
    }

    #[test]
    fn any_json_is_refused_or_read(json in any_value()) {
        let _ = parse::<RtpParameters>("rtpParameters", &json);
        let _ = parse::<RtpCapabilities>("rtpCapabilities", &json);
        let _ = parse::<DtlsParameters>("dtlsParameters", &json);
    }

    #[test]
    fn any_text_is_a_scalability_mode_or_not(text in "[LS]?[0-9]{0,3}T?[0-9]{0,3}.{0,6}") {
        if let Some(mode) = ScalabilityMode::parse(&text) {
            prop_assert!(mode.spatial_layers > 0 && mode.temporal_layers > 0);
        }
    }
}
