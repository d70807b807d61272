//! The records of real browsers, and what tests make of them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::Value;
use wire::ortc::{
    ConsumerIds, MediaKind, ProducerMapping, RtpCapabilities, RtpParameters, consumable_rtp_parameters, parse,
    producer_mapping, router_rtp_capabilities,
};
use wire::{Mid, Ssrc};

/// Name of every record and what it holds.
const RECORDS: [(&str, &str); 6] = [
    (CHROMIUM, include_str!("../data/ortc/chromium-156-mediasoup-client-3.24.1.json")),
    (CHROMIUM_OLD, include_str!("../data/ortc/chromium-156-mediasoup-client-3.6.82.json")),
    (CHROMIUM_NATIVE, include_str!("../data/ortc/chromium-156-native.json")),
    (FIREFOX, include_str!("../data/ortc/firefox-esr-153-mediasoup-client-3.24.1.json")),
    (FIREFOX_OLD, include_str!("../data/ortc/firefox-esr-153-mediasoup-client-3.6.82.json")),
    (FIREFOX_NATIVE, include_str!("../data/ortc/firefox-esr-153-native.json")),
];

pub(crate) const CHROMIUM: &str = "chromium";
pub(crate) const CHROMIUM_OLD: &str = "chromium, old client";
pub(crate) const CHROMIUM_NATIVE: &str = "chromium, no client";
pub(crate) const FIREFOX: &str = "firefox";
pub(crate) const FIREFOX_OLD: &str = "firefox, old client";
pub(crate) const FIREFOX_NATIVE: &str = "firefox, no client";

/// The router's name inside consumers' parameters.
pub(crate) const CNAME: &str = "participant-7";

/// What one browser said.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) rtp_capabilities: Value,
    pub(crate) dtls_parameters: Value,
    pub(crate) produced: BTreeMap<String, Produced>,
}

/// The payload of a `produce` event.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Produced {
    pub(crate) kind: MediaKind,
    pub(crate) rtp_parameters: Value,
}

/// Every record with its name.
pub(crate) fn records() -> &'static [(&'static str, Record)] {
    static PARSED: OnceLock<Vec<(&str, Record)>> = OnceLock::new();
    PARSED.get_or_init(|| RECORDS.map(|(name, text)| (name, serde_json::from_str(text).expect(name))).into())
}

pub(crate) fn record(name: &str) -> &'static Record {
    let (_, record) = records().iter().find(|(known, _)| *known == name).expect("a name of the list above");
    record
}

/// What the device called `name` can receive.
pub(crate) fn capabilities(name: &str) -> RtpCapabilities {
    parse("rtpCapabilities", &record(name).rtp_capabilities).expect("a browser's capabilities are read")
}

/// What the device called `name` sends as `case`.
pub(crate) fn produced(name: &str, case: &str) -> (MediaKind, RtpParameters) {
    let produced = record(name).produced.get(case).expect("a case of the record");
    (produced.kind, parse("rtpParameters", &produced.rtp_parameters).expect("a browser's parameters are read"))
}

/// Maps parameters that are right, with SSRCs from 1000.
pub(crate) fn mapped(kind: MediaKind, parameters: &RtpParameters) -> ProducerMapping {
    let mut ssrcs = 1000..;
    let next = || Ssrc::new(ssrcs.next().expect("the range is endless"));
    producer_mapping(kind, parameters, router_rtp_capabilities(), next).expect("parameters are right")
}

/// What may be consumed of parameters that are right.
pub(crate) fn consumable(kind: MediaKind, parameters: &RtpParameters) -> RtpParameters {
    consumable_rtp_parameters(parameters, router_rtp_capabilities(), &mapped(kind, parameters), CNAME)
}

/// What the device called `name` sends as `case`, as it may be consumed.
pub(crate) fn consumable_of(name: &str, case: &str) -> RtpParameters {
    let (kind, parameters) = produced(name, case);
    consumable(kind, &parameters)
}

pub(crate) fn ids() -> ConsumerIds {
    ConsumerIds { mid: Mid::new("5").expect("a mid"), ssrc: Ssrc::new(2000), rtx_ssrc: Ssrc::new(2001) }
}
