//! Figures as JSON: objects in mediasoup's shape (`webrtc-transport`, `inbound-rtp`, `outbound-rtp`), with its names and units,
//! and beside them our own (`producer`, `consumer`), which say what mediasoup has no name for in the units of W3C webrtc-stats.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sfu_core::{ConsumerStats, DtlsState, FlowStats, IceState, Layer, ProducerStats, StreamStats, TransportStats};
use wire::ortc::IceCandidate;

use crate::id::{ConsumerId, ProducerId, TransportId};

fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64())
}

/// Milliseconds with what follows the point, as far as it says anything.
fn millis(seconds: f64) -> f64 {
    (seconds * 100_000.0).round() / 100.0
}

fn layers(layer: Layer) -> Value {
    json!({ "spatialLayer": layer.spatial, "temporalLayer": layer.temporal })
}

/// Puts fields into an object; those that are `null` are left out, as mediasoup does.
fn put(object: &mut Map<String, Value>, fields: Value) {
    if let Value::Object(fields) = fields {
        object.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
}

/// One direction of a transport; `way` names it as in `bytesSent`, `verb` as in `sendBitrate`.
fn flow(object: &mut Map<String, Value>, flow: &FlowStats, (way, verb): (&str, &str)) {
    for (prefix, traffic) in [("rtp", flow.media), ("rtx", flow.repeated)] {
        object.insert(format!("{prefix}Bytes{way}"), traffic.bytes.into());
        object.insert(format!("{prefix}{verb}Bitrate"), traffic.bit_rate.into());
        object.insert(format!("{prefix}Packets{way}"), traffic.packets.into());
    }
    object.insert(format!("packets{way}"), flow.all.packets.into());
    object.insert(format!("bytes{way}"), flow.all.bytes.into());
    object.insert(format!("{}Bitrate", verb.to_lowercase()), flow.all.bit_rate.into());
}

/// Of the addresses that the browser was told, the one that it uses. What it is to us, behind a NAT, is nobody's business.
fn announced(local: IpAddr, candidates: &[IceCandidate]) -> Option<&IceCandidate> {
    let parsed = |candidate: &IceCandidate| candidate.address.parse::<IpAddr>().ok();
    let same = candidates.iter().find(|candidate| parsed(candidate) == Some(local));
    same.or_else(|| {
        candidates.iter().find(|candidate| parsed(candidate).is_some_and(|ip| ip.is_ipv4() == local.is_ipv4()))
    })
}

pub(crate) fn transport(id: &TransportId, figures: &TransportStats, candidates: &[IceCandidate]) -> Value {
    let tuple = figures.local.and_then(|local| announced(local, candidates)).map(|candidate| {
        json!({ "protocol": "udp", "localAddress": candidate.address, "localIp": candidate.ip, "localPort": candidate.port })
    });
    let mut object = Map::new();
    flow(&mut object, &figures.received, ("Received", "Recv"));
    flow(&mut object, &figures.sent, ("Sent", "Send"));
    put(
        &mut object,
        json!({
            "iceSelectedTuple": tuple,
            "rtpPacketLossReceived": figures.loss_received,
            "rtpPacketLossSent": figures.estimate.map(|estimate| estimate.loss),
        }),
    );
    object.extend(
        [
            ("type", json!("webrtc-transport")),
            ("transportId", json!(id)),
            ("timestamp", json!(figures.time.as_millis() as u64)),
            ("iceRole", json!("controlled")),
            ("iceState", json!(ice_state(figures.ice))),
            ("dtlsState", json!(dtls_state(figures.dtls))),
            ("srtpProfile", json!(figures.srtp_profile)),
            ("paths", json!(figures.paths)),
            ("probationBytesSent", json!(figures.sent.probes.bytes)),
            ("probationSendBitrate", json!(figures.sent.probes.bit_rate)),
            ("probationPacketsSent", json!(figures.sent.probes.packets)),
            ("packetsUnauthentic", json!(figures.unauthentic)),
            ("packetsReplayed", json!(figures.replayed)),
            ("packetsOfUnknownSsrc", json!(figures.unknown_ssrc)),
            ("feedbackReceived", json!(figures.feedback_received)),
            ("feedbackLost", json!(figures.feedback_lost)),
            ("roundTripTime", json!(seconds(figures.round_trip))),
            ("availableOutgoingBitrate", json!(figures.estimate.map(|estimate| estimate.available))),
            ("bandwidthEstimate", estimate(figures)),
            ("pacerDelay", json!(figures.pacer_delay.as_secs_f64())),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Value::Object(object)
}

fn ice_state(state: IceState) -> &'static str {
    match state {
        IceState::New => "new",
        IceState::Connected => "connected",
        IceState::Completed => "completed",
        IceState::Disconnected => "disconnected",
    }
}

fn dtls_state(state: DtlsState) -> &'static str {
    match state {
        DtlsState::New => "new",
        DtlsState::Connecting => "connecting",
        DtlsState::Connected => "connected",
    }
}

fn estimate(figures: &TransportStats) -> Value {
    let Some(estimate) = figures.estimate else { return Value::Null };
    json!({
        "delayBased": estimate.delay_based,
        "lossBased": estimate.loss_based,
        "acknowledged": estimate.acknowledged,
        "loss": estimate.loss,
        "bytesInFlight": estimate.in_flight,
    })
}

/// A producer: itself, then its streams that bring or brought something.
pub(crate) fn producer(id: &ProducerId, figures: &ProducerStats) -> Vec<Value> {
    let streams: Vec<_> = figures
        .streams
        .iter()
        .map(|stream| {
            json!({
                "ssrc": stream.ssrc,
                "rid": stream.rid,
                "packetsReceived": stream.packets_received,
                "bytesReceived": stream.bytes_received,
                "packetsLost": stream.packets_lost,
                "packetsRepaired": stream.packets_repaired,
                "packetsDuplicated": stream.packets_duplicated,
                "jitter": stream.jitter_seconds,
                "nackCount": stream.nacks_sent,
                "pliCount": stream.key_frame_requests,
                "keyFramesReceived": stream.key_frames,
            })
        })
        .collect();
    let own = json!({
        "type": "producer",
        "producerId": id,
        "timestamp": figures.time.as_millis() as u64,
        "consumers": figures.consumers,
        "streams": streams,
    });
    let inbound = figures.streams.iter().filter_map(|stream| inbound(figures.time, stream, figures.round_trip));
    std::iter::once(own).chain(inbound).collect()
}

/// A stream that we receive; `None` before its first packet.
fn inbound(time: Duration, stream: &StreamStats, round_trip: Option<Duration>) -> Option<Value> {
    let ssrc = stream.ssrc.filter(|_| stream.packets_received > 0)?;
    let by_layer =
        stream.layers.iter().map(|(layer, rate)| (format!("{}.{}", layer.spatial, layer.temporal), json!(rate)));
    let mut object = Map::new();
    put(
        &mut object,
        json!({
            "type": "inbound-rtp",
            "timestamp": time.as_millis() as u64,
            "ssrc": ssrc,
            "rtxSsrc": stream.rtx_ssrc,
            "rid": stream.rid,
            "kind": kind(stream.codec.mime_type()),
            "mimeType": stream.codec.mime_type(),
            "packetsLost": stream.packets_lost,
            "fractionLost": stream.fraction_lost,
            "packetsDiscarded": stream.packets_duplicated,
            "packetsRetransmitted": stream.packets_retransmitted,
            "packetsRepaired": stream.packets_repaired,
            "nackCount": stream.nack_messages,
            "nackPacketCount": stream.nacks_sent,
            "pliCount": stream.key_frame_requests - stream.firs_sent,
            "firCount": stream.firs_sent,
            "score": stream.score,
            "packetCount": stream.packets_received,
            "byteCount": stream.rtp_bytes_received,
            "bitrate": stream.bit_rate,
            "roundTripTime": seconds(round_trip).map(millis),
            "rtxPacketsDiscarded": stream.rtx_ssrc.map(|_| stream.rtx_packets_discarded),
            "jitter": millis(stream.jitter_seconds),
            "bitrateByLayer": by_layer.collect::<Map<_, _>>(),
        }),
    );
    Some(Value::Object(object))
}

/// A consumer: itself, then what it sends, then the stream of its producer that this is made of.
pub(crate) fn consumer(id: &ConsumerId, figures: &ConsumerStats) -> Vec<Value> {
    let own = json!({
        "type": "consumer",
        "consumerId": id,
        "timestamp": figures.time.as_millis() as u64,
        "ssrc": figures.ssrc,
        "packetsSent": figures.packets_sent,
        "bytesSent": figures.bytes_sent,
        "retransmittedPacketsSent": figures.packets_retransmitted,
        "nackCount": figures.nacks_received,
        "nackUnanswered": figures.nacks_unanswered,
        "pliCount": figures.key_frame_requests,
        "fractionLost": f64::from(figures.fraction_lost) / 256.0,
        "packetsLost": figures.packets_lost,
        "roundTripTime": seconds(figures.round_trip),
        "currentLayers": figures.current.map(layers),
        "targetLayers": figures.target.map(layers),
        "availableOutgoingBitrate": figures.available,
        "pacerDelay": figures.pacer_delay.as_secs_f64(),
    });
    let source = figures.source.as_ref().and_then(|source| inbound(figures.time, source, figures.source_round_trip));
    [own, outbound(figures)].into_iter().chain(source).collect()
}

/// A stream that we send.
fn outbound(figures: &ConsumerStats) -> Value {
    let mut object = Map::new();
    put(
        &mut object,
        json!({
            "type": "outbound-rtp",
            "timestamp": figures.time.as_millis() as u64,
            "ssrc": figures.ssrc,
            "rtxSsrc": figures.rtx_ssrc,
            "kind": kind(figures.codec.mime_type()),
            "mimeType": figures.codec.mime_type(),
            "packetsLost": figures.packets_lost,
            "fractionLost": figures.fraction_lost,
            "packetsDiscarded": 0,
            "packetsRetransmitted": figures.packets_retransmitted,
            "packetsRepaired": figures.packets_repaired,
            "nackCount": figures.nack_messages,
            "nackPacketCount": figures.nacks_received,
            "pliCount": figures.key_frame_requests - figures.firs_received,
            "firCount": figures.firs_received,
            "score": figures.score,
            "packetCount": figures.packets_sent,
            "byteCount": figures.rtp_bytes_sent,
            "bitrate": figures.bit_rate,
            "roundTripTime": seconds(figures.measured_round_trip).map(millis),
            "rtxPacketsDiscarded": figures.rtx_ssrc.map(|_| 0),
            "jitter": millis(figures.jitter_seconds),
        }),
    );
    Value::Object(object)
}

fn kind(mime_type: &str) -> &str {
    mime_type.split('/').next().unwrap_or_default()
}
