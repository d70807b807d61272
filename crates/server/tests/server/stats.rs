//! What a participant is told of its own transports, producers and consumers, with real packets behind it.

use serde_json::{Value, json};

use super::client::Client;
use super::harness::{soon, start};
use super::media::consume;
use super::peer::Peer;

/// Asks again with every word that is heard, until `done`.
async fn stats_when(client: &mut Client, request: &Value, done: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let asking = async {
        loop {
            let answer = client.request("get-stats", request).await;
            let stats = answer["stats"].as_array().expect("it is its own").clone();
            if done(&stats) {
                return stats;
            }
            client.event("audio-levels").await;
        }
    };
    soon("what was waited for", asking).await
}

fn of_type<'a>(stats: &'a [Value], name: &str) -> &'a Value {
    stats.iter().find(|stats| stats["type"] == name).unwrap_or_else(|| panic!("no {name} in {stats:?}"))
}

/// That each of these is a number.
fn assert_numbers(stats: &Value, names: &[&str]) {
    for name in names {
        assert!(stats[name].is_number(), "{name} of {stats}");
    }
}

const RTP: [&str; 16] = [
    "timestamp",
    "ssrc",
    "packetsLost",
    "fractionLost",
    "packetsDiscarded",
    "packetsRetransmitted",
    "packetsRepaired",
    "nackCount",
    "nackPacketCount",
    "pliCount",
    "firCount",
    "score",
    "packetCount",
    "byteCount",
    "bitrate",
    "jitter",
];

const TRANSPORT: [&str; 19] = [
    "timestamp",
    "bytesReceived",
    "recvBitrate",
    "bytesSent",
    "sendBitrate",
    "rtpBytesReceived",
    "rtpRecvBitrate",
    "rtpBytesSent",
    "rtpSendBitrate",
    "rtxBytesReceived",
    "rtxRecvBitrate",
    "rtxBytesSent",
    "rtxSendBitrate",
    "probationBytesSent",
    "probationSendBitrate",
    "packetsReceived",
    "packetsSent",
    "paths",
    "pacerDelay",
];

#[tokio::test]
async fn stats_bear_mediasoups_names_and_count_what_came() {
    let server = start().await;
    let (mut alice, mut bob) =
        (Client::join(&server, "Alice", "study-room-1").await, Client::join(&server, "Bob", "study-room-1").await);
    let (speaker, producer_id) = Peer::speak(&alice, -20).await;
    let viewer = Peer::connect(&bob).await;
    let transport_id = json!(viewer.transport_id);
    let consumer_id = consume(&bob, &transport_id, &producer_id).await["id"].clone();
    let resumed = bob.request("resume-consumer", &json!({ "consumerId": consumer_id })).await;
    assert_eq!(resumed, json!({ "resumed": true }));

    let request = json!({ "producerId": producer_id });
    let has_report =
        |stats: &[Value]| stats.iter().any(|stats| stats["score"] == 10 && stats["roundTripTime"].is_number());
    let stats = stats_when(&mut alice, &request, has_report).await;
    assert_eq!(stats.len(), 2, "{stats:?}");
    assert_eq!(stats[0]["producerId"], producer_id);
    assert_eq!(stats[0]["streams"][0]["ssrc"], stats[1]["ssrc"]);
    let inbound = of_type(&stats, "inbound-rtp");
    assert_numbers(inbound, &RTP);
    assert_eq!((&inbound["kind"], &inbound["mimeType"]), (&json!("audio"), &json!("audio/opus")));
    assert_eq!(inbound["bitrateByLayer"], json!({}), "sound has no layers");
    // Four bytes of speech, and the header: 50 times a second.
    let bytes_a_packet = inbound["byteCount"].as_f64().unwrap() / inbound["packetCount"].as_f64().unwrap();
    assert!((16.0..60.0).contains(&bytes_a_packet), "{inbound}");
    assert!(inbound["bitrate"].as_f64().unwrap() > 0.0, "{inbound}");

    let stats = stats_when(&mut bob, &json!({ "consumerId": consumer_id }), |stats| {
        stats.iter().any(|stats| stats["type"] == "outbound-rtp" && stats["packetCount"].as_u64() > Some(20))
    })
    .await;
    assert_eq!(of_type(&stats, "consumer")["consumerId"], consumer_id);
    let outbound = of_type(&stats, "outbound-rtp");
    assert_numbers(outbound, &RTP);
    assert_eq!(outbound["mimeType"], "audio/opus");
    assert_eq!(of_type(&stats, "inbound-rtp")["ssrc"], inbound["ssrc"], "what it is made of");

    let stats = stats_when(&mut alice, &json!({}), |stats| stats[0]["iceState"] == "completed").await;
    let transport = of_type(&stats, "webrtc-transport");
    assert_eq!(transport["transportId"], json!(speaker.transport_id));
    assert_numbers(transport, &TRANSPORT);
    assert_eq!((&transport["iceRole"], &transport["dtlsState"]), (&json!("controlled"), &json!("connected")));
    assert!(transport["rtpBytesReceived"].as_u64() < transport["bytesReceived"].as_u64(), "{transport}");
    assert!(transport["timestamp"].as_u64() > Some(1_600_000_000_000), "milliseconds since 1970: {transport}");
    // The browser knows its own address; in an answer that is shown or kept it has no business.
    let tuple = transport["iceSelectedTuple"].as_object().expect("there is one").clone();
    let keys: Vec<_> = tuple.keys().map(String::as_str).collect();
    assert_eq!(keys, ["localAddress", "localIp", "localPort", "protocol"]);
    assert_eq!(tuple["localAddress"], "127.0.0.1");
}
