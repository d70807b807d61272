//! Figures in the shape of WebRTC's statistics (W3C webrtc-stats): one JSON object an object.

use std::time::Duration;

use serde_json::{Value, json};
use sfu_core::{ConsumerStats, Layer, ProducerStats, TransportStats};

use crate::id::{ConsumerId, ProducerId, TransportId};

fn seconds(time: Option<Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64())
}

pub(crate) fn transport(id: &TransportId, figures: &TransportStats) -> Value {
    json!({
        "type": "transport",
        "transportId": id,
        "iceState": if figures.ice_connected { "connected" } else { "new" },
        "dtlsState": if figures.dtls_connected { "connected" } else { "connecting" },
        "srtpProfile": figures.srtp_profile,
        "paths": figures.paths,
        "packetsReceived": figures.datagrams_received,
        "bytesReceived": figures.bytes_received,
        "packetsSent": figures.datagrams_sent,
        "bytesSent": figures.bytes_sent,
        "packetsUnauthentic": figures.unauthentic,
        "packetsReplayed": figures.replayed,
        "packetsOfUnknownSsrc": figures.unknown_ssrc,
        "feedbackReceived": figures.feedback_received,
        "feedbackLost": figures.feedback_lost,
        "roundTripTime": seconds(figures.round_trip),
        "availableOutgoingBitrate": figures.estimate.map(|estimate| estimate.available),
        "bandwidthEstimate": figures.estimate.map(|estimate| json!({
            "delayBased": estimate.delay_based,
            "lossBased": estimate.loss_based,
            "acknowledged": estimate.acknowledged,
            "loss": estimate.loss,
            "bytesInFlight": estimate.in_flight,
        })),
        "pacerDelay": figures.pacer_delay.as_secs_f64(),
    })
}

pub(crate) fn producer(id: &ProducerId, figures: &ProducerStats) -> Value {
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
    json!({
        "type": "producer",
        "producerId": id,
        "consumers": figures.consumers,
        "streams": streams,
    })
}

fn layers(layer: Layer) -> Value {
    json!({ "spatialLayer": layer.spatial, "temporalLayer": layer.temporal })
}

pub(crate) fn consumer(id: &ConsumerId, figures: &ConsumerStats) -> Value {
    json!({
        "type": "consumer",
        "consumerId": id,
        "ssrc": figures.ssrc,
        "packetsSent": figures.packets_sent,
        "bytesSent": figures.bytes_sent,
        "retransmittedPacketsSent": figures.packets_retransmitted,
        "nackCount": figures.nacks_received,
        "nackUnanswered": figures.nacks_unanswered,
        "pliCount": figures.key_frame_requests,
        "fractionLost": figures.fraction_lost,
        "packetsLost": figures.packets_lost,
        "roundTripTime": seconds(figures.round_trip),
        "currentLayers": figures.current.map(layers),
        "targetLayers": figures.target.map(layers),
    })
}
