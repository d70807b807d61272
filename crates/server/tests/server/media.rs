//! What the media events answer, to good clients and to bad ones.

use serde_json::{Value, json};

use super::client::{BOTH, Client, Heard, Transport};
use super::harness::{start, start_with};

/// What a browser sends for a microphone; `SSRC` is to be replaced.
pub(crate) const OPUS: &str = r#"{
    "mid": "0",
    "codecs": [{
        "mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2,
        "parameters": { "minptime": 10, "useinbandfec": 1 },
        "rtcpFeedback": [{ "type": "transport-cc", "parameter": "" }]
    }],
    "headerExtensions": [{ "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4, "encrypt": false, "parameters": {} }],
    "encodings": [{ "ssrc": SSRC, "dtx": false }],
    "rtcp": { "cname": "x", "reducedSize": true }
}"#;

/// What a browser sends for a camera; `SSRC` and `RTX` are to be replaced.
pub(crate) const VP8: &str = r#"{
    "mid": "1",
    "codecs": [
        {
            "mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000, "parameters": {},
            "rtcpFeedback": [{ "type": "nack", "parameter": "" }, { "type": "nack", "parameter": "pli" }]
        },
        { "mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000, "parameters": { "apt": 96 }, "rtcpFeedback": [] }
    ],
    "headerExtensions": [{ "uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4, "encrypt": false, "parameters": {} }],
    "encodings": [{ "ssrc": SSRC, "rtx": { "ssrc": RTX } }],
    "rtcp": { "cname": "x", "reducedSize": true }
}"#;

/// RTP parameters with numbers that nobody else has.
pub(crate) fn parameters(template: &str) -> Value {
    let number = || rand::random::<u32>().to_string();
    let text = template.replace("SSRC", &number()).replace("RTX", &number());
    let mut value: Value = serde_json::from_str(&text).unwrap();
    value["mid"] = json!((rand::random::<u16>()).to_string());
    value
}

/// A transport's id.
pub(crate) async fn transport(client: &Client, direction: &str) -> Value {
    let answer = client.request("create-transport", &json!({ "direction": direction })).await;
    assert!(answer["transport"]["id"].is_string(), "{answer}");
    answer["transport"]["id"].clone()
}

/// Makes a transport and a producer on it; the producer's id.
pub(crate) async fn produce(client: &Client, kind: &str, template: &str) -> Value {
    produce_on(client, &transport(client, "send").await, kind, template).await
}

/// The producer's id.
pub(crate) async fn produce_on(client: &Client, transport_id: &Value, kind: &str, template: &str) -> Value {
    let request = json!({ "transportId": transport_id, "kind": kind, "rtpParameters": parameters(template) });
    let answer = client.request("produce", &request).await;
    assert!(answer["producerId"].is_string(), "{answer}");
    answer["producerId"].clone()
}

pub(crate) async fn capabilities(client: &Client) -> Value {
    client.request_bare("get-rtp-capabilities").await["rtpCapabilities"].clone()
}

/// Consumes one producer; the consumer.
pub(crate) async fn consume(client: &Client, transport_id: &Value, producer_id: &Value) -> Value {
    let request = json!({
        "transportId": transport_id, "producerId": producer_id,
        "rtpCapabilities": capabilities(client).await,
    });
    let answer = client.request("consume", &request).await;
    assert!(answer["consumer"]["id"].is_string(), "{answer}");
    answer["consumer"].clone()
}

fn assert_refused(answer: &Value, code: &str) {
    assert_eq!(answer["code"], code, "{answer}");
    assert!(answer["error"].as_str().is_some_and(|sentence| sentence.len() > 5), "{answer}");
}

#[tokio::test]
async fn capabilities_are_told_with_and_without_a_payload() {
    let server = start().await;
    for by in BOTH {
        let client = Client::join_by(&server, by, "Alice", "study-room-1").await;
        let bare = client.request_bare("get-rtp-capabilities").await;
        let codecs = bare["rtpCapabilities"]["codecs"].as_array().unwrap();
        for mime_type in ["audio/opus", "video/VP8"] {
            assert!(codecs.iter().any(|codec| codec["mimeType"] == mime_type), "{mime_type}");
        }
        for payload in [json!({}), json!(null), json!({ "roomId": "study-room-1" })] {
            assert_eq!(client.request("get-rtp-capabilities", &payload).await, bare);
        }
    }
}

#[tokio::test]
async fn a_transport_is_told_in_the_shape_that_mediasoup_client_takes() {
    let server = start().await;
    for by in BOTH {
        let client = Client::join_by(&server, by, "Alice", "study-room-1").await;
        for direction in ["send", "recv"] {
            let answer = client.request("create-transport", &json!({ "direction": direction })).await;
            let transport = answer["transport"].as_object().unwrap();
            let mut names: Vec<_> = transport.keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(names, ["dtlsParameters", "iceCandidates", "iceParameters", "iceServers", "id"]);
            let ice = &transport["iceParameters"];
            assert!(ice["usernameFragment"].is_string() && ice["password"].is_string());
            assert_eq!(ice["iceLite"], true);
            let candidate = &transport["iceCandidates"][0];
            assert_eq!((&candidate["protocol"], &candidate["type"]), (&json!("udp"), &json!("host")));
            assert_eq!(candidate["ip"], "127.0.0.1");
            assert!(candidate["port"].is_number() && candidate["priority"].is_number());
            assert_eq!(transport["dtlsParameters"]["role"], "auto");
            assert!(transport["dtlsParameters"]["fingerprints"][0]["value"].is_string());
        }
    }
}

#[tokio::test]
async fn a_producer_is_heard_of_consumed_resumed_and_closed() {
    let server = start().await;
    for (by, room) in BOTH.into_iter().zip(["study-room-1", "study-room-2"]) {
        let alice = Client::join_by(&server, by, "Alice", room).await;
        let mut bob = Client::join_by(&server, by, "Bob", room).await;
        let producer_id = produce(&alice, "video", VP8).await;
        let heard = bob.event("new-producer").await;
        assert_eq!(heard["producerId"], producer_id);
        assert_eq!((&heard["kind"], &heard["source"]), (&json!("video"), &json!("camera")));
        assert_eq!(bob.event("user-updated").await["video"], "on");

        let consumer = consume(&bob, &transport(&bob, "recv").await, &producer_id).await;
        assert_eq!(consumer["producerId"], producer_id);
        assert_eq!(consumer["participantId"], heard["participantId"]);
        assert_eq!((&consumer["kind"], &consumer["source"]), (&json!("video"), &json!("camera")));
        assert_eq!((&consumer["type"], &consumer["producerPaused"]), (&json!("simple"), &json!(false)));
        assert_eq!(consumer["rtpParameters"]["codecs"][0]["mimeType"], "video/VP8");
        let one = json!({ "consumerId": consumer["id"] });
        assert_eq!(bob.request("resume-consumer", &one).await, json!({ "resumed": true }));
        assert_eq!(bob.request("pause-consumer", &one).await, json!({ "paused": true }));
        assert_eq!(bob.request("request-key-frame", &one).await, json!({ "ok": true }));
        let layers = json!({ "consumerId": consumer["id"], "spatialLayer": 0, "temporalLayer": 0 });
        assert_eq!(bob.request("set-preferred-layers", &layers).await, json!({ "ok": true }));

        let own = json!({ "producerId": producer_id });
        assert_eq!(alice.request("close-producer", &own).await, json!({ "closed": true }));
        assert_eq!(bob.event("producer-closed").await["producerId"], producer_id);
        assert_eq!(bob.event("consumer-closed").await["consumerId"], consumer["id"]);
        assert_eq!(bob.event("user-updated").await["video"], "off");
        assert_refused(&bob.request("resume-consumer", &one).await, "NOT_FOUND");
    }
}

#[tokio::test]
async fn pausing_is_told_to_the_others() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    let own = json!({ "producerId": produce(&alice, "audio", OPUS).await });
    for _ in 0..2 {
        assert_eq!(alice.request("pause-producer", &own).await, json!({ "paused": true }));
    }
    assert_eq!(alice.request("resume-producer", &own).await, json!({ "resumed": true }));
    assert_eq!(
        bob.names_so_far().await,
        ["new-producer", "user-updated", "producer-paused", "user-updated", "producer-resumed", "user-updated",]
    );
    alice.request("pause-producer", &own).await;
    let consumer = consume(&bob, &transport(&bob, "recv").await, &own["producerId"]).await;
    assert_eq!(consumer["producerPaused"], true);
}

#[tokio::test]
async fn a_source_is_told_as_it_was_named_and_has_to_fit() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    let transport_id = transport(&alice, "send").await;
    let sources =
        [("mic", "audio", OPUS), ("screen-audio", "audio", OPUS), ("camera", "video", VP8), ("screen", "video", VP8)];
    for (source, kind, template) in sources {
        let wrong = if kind == "audio" { "video" } else { "audio" };
        let request = |kind: &str| {
            json!({
                "transportId": transport_id, "kind": kind, "source": source, "paused": true,
                "rtpParameters": parameters(template),
            })
        };
        assert_refused(&alice.request("produce", &request(wrong)).await, "BAD_REQUEST");
        assert!(alice.request("produce", &request(kind)).await["producerId"].is_string());
        let heard = bob.event("new-producer").await;
        assert_eq!((&heard["source"], &heard["paused"]), (&json!(source), &json!(true)));
    }
}

#[tokio::test]
async fn many_are_consumed_and_resumed_at_once() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let bob = Client::join(&server, "Bob", "study-room-1").await;
    let sending = transport(&alice, "send").await;
    let one = produce_on(&alice, &sending, "audio", OPUS).await;
    let two = produce_on(&alice, &sending, "video", VP8).await;
    let ids = json!([one, "nothing", two]);
    let request = json!({
        "transportId": transport(&bob, "recv").await, "producerIds": ids,
        "rtpCapabilities": capabilities(&bob).await,
    });
    let answer = bob.request("consume", &request).await;
    let consumers = answer["consumers"].as_array().unwrap();
    assert_eq!(consumers.len(), 3);
    for (consumer, id) in consumers.iter().zip(ids.as_array().unwrap()) {
        assert_eq!(consumer["producerId"], *id);
    }
    assert_refused(&consumers[1], "NOT_FOUND");
    // One that is gone does not keep the others from being resumed.
    let made = json!({ "consumerIds": [consumers[0]["id"], "gone", consumers[2]["id"]] });
    assert_eq!(bob.request("resume-consumer", &made).await, json!({ "resumed": true }));
    assert_eq!(bob.request("pause-consumer", &made).await, json!({ "paused": true }));
    for nothing in [json!([]), json!(["gone"])] {
        let request = json!({ "consumerIds": nothing });
        assert_refused(&bob.request("resume-consumer", &request).await, "NOT_FOUND");
    }
}

#[tokio::test]
async fn a_device_without_the_codec_cannot_consume() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let bob = Client::join(&server, "Bob", "study-room-1").await;
    let producer_id = produce(&alice, "video", VP8).await;
    let mut capabilities = capabilities(&bob).await;
    let codecs = capabilities["codecs"].as_array_mut().unwrap();
    codecs.retain(|codec| codec["kind"] == "audio");
    let request = json!({
        "transportId": transport(&bob, "recv").await, "producerId": producer_id,
        "rtpCapabilities": capabilities,
    });
    assert_refused(&bob.request("consume", &request).await, "CANNOT_CONSUME");
}

#[tokio::test]
async fn producers_of_another_room_cannot_be_consumed() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let bob = Client::join(&server, "Bob", "study-room-2").await;
    let request = json!({
        "transportId": transport(&bob, "recv").await, "producerId": produce(&alice, "audio", OPUS).await,
        "rtpCapabilities": capabilities(&bob).await,
    });
    assert_refused(&bob.request("consume", &request).await, "NOT_FOUND");
}

#[tokio::test]
async fn what_belongs_to_another_is_answered_like_what_does_not_exist() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let mallory = Client::join(&server, "Mallory", "study-room-1").await;
    let transport_id = transport(&alice, "send").await;
    let producer_id = produce_on(&alice, &transport_id, "audio", OPUS).await;
    let consumer_id = consume(&alice, &transport_id, &producer_id).await["id"].clone();
    let (own, dtls) = (transport(&mallory, "send").await, dtls_parameters());
    let opus = parameters(OPUS);
    let caps = capabilities(&mallory).await;
    let requests = |transport: &Value, producer: &Value, consumer: &Value| {
        [
            ("connect-transport", json!({ "transportId": transport, "dtlsParameters": dtls })),
            ("restart-ice", json!({ "transportId": transport })),
            ("get-stats", json!({ "transportId": transport })),
            ("get-stats", json!({ "producerId": producer })),
            ("get-stats", json!({ "consumerId": consumer })),
            ("produce", json!({ "transportId": transport, "kind": "audio", "rtpParameters": opus })),
            ("consume", json!({ "transportId": transport, "producerId": producer, "rtpCapabilities": caps })),
            ("close-producer", json!({ "producerId": producer })),
            ("pause-producer", json!({ "producerId": producer })),
            ("resume-producer", json!({ "producerId": producer })),
            ("close-consumer", json!({ "consumerId": consumer })),
            ("resume-consumer", json!({ "consumerId": consumer })),
            ("resume-consumer", json!({ "consumerIds": [consumer] })),
            ("pause-consumer", json!({ "consumerId": consumer })),
            ("request-key-frame", json!({ "consumerId": consumer })),
            ("set-preferred-layers", json!({ "consumerId": consumer, "spatialLayer": 0 })),
        ]
    };
    let nothing = json!("00000000000000000000000000000000");
    let foreign = requests(&transport_id, &producer_id, &consumer_id);
    for ((event, foreign), (_, missing)) in foreign.into_iter().zip(requests(&nothing, &nothing, &nothing)) {
        let (one, two) = (mallory.request(event, &foreign).await, mallory.request(event, &missing).await);
        assert_refused(&one, "NOT_FOUND");
        assert_eq!(one, two, "{event}");
    }
    // Nothing of it did anything: all is as it was.
    assert!(alice.request("get-stats", &json!({ "consumerId": consumer_id })).await["stats"][0].is_object());
    assert!(mallory.request("get-stats", &json!({ "transportId": own })).await["stats"][0].is_object());
}

fn dtls_parameters() -> Value {
    let value = ["AB"; 32].join(":");
    json!({ "role": "client", "fingerprints": [{ "algorithm": "sha-256", "value": value }] })
}

/// Payloads that are wrong for each event, whatever the ids in them.
fn malformed() -> Vec<(&'static str, Vec<Value>)> {
    let rtp = |change: &dyn Fn(&mut Value)| {
        let mut rtp = parameters(OPUS);
        change(&mut rtp);
        json!({ "transportId": "TRANSPORT", "kind": "audio", "rtpParameters": rtp })
    };
    let connect = |dtls: Value| json!({ "transportId": "TRANSPORT", "dtlsParameters": dtls });
    let fingerprint = |algorithm: &str, value: &str| {
        connect(json!({ "role": "auto", "fingerprints": [{ "algorithm": algorithm, "value": value }] }))
    };
    let ids = ["consumerId", "consumerIds"];
    let both = json!({ ids[0]: "a", ids[1]: ["a"] });
    let one_or_many = || vec![json!({ ids[0]: 1 }), json!({ ids[1]: "a" }), json!({ ids[1]: [1] }), both.clone()];
    let only = |name: &str| vec![json!({ name: 1 }), json!({ name: null }), json!({ name: ["a"] })];
    vec![
        ("create-transport", vec![json!({ "direction": "up" }), json!({ "direction": 1 })]),
        (
            "connect-transport",
            vec![
                json!({ "transportId": "TRANSPORT" }),
                connect(json!({})),
                connect(json!({ "role": "auto" })),
                connect(json!({ "role": "auto", "fingerprints": [] })),
                connect(json!({ "role": "boss", "fingerprints": [] })),
                connect(json!({ "role": "auto", "fingerprints": "AB:CD" })),
                fingerprint("md5", "AB:CD"),
                fingerprint("sha-256", ""),
                fingerprint("sha-256", "AB:CD"),
                fingerprint("sha-256", "zz"),
            ],
        ),
        (
            "produce",
            vec![
                json!({ "kind": "audio", "rtpParameters": parameters(OPUS) }),
                json!({ "transportId": "TRANSPORT", "kind": "audio" }),
                json!({ "transportId": "TRANSPORT", "kind": "smell", "rtpParameters": parameters(OPUS) }),
                json!({ "transportId": "TRANSPORT", "kind": "video", "rtpParameters": parameters(OPUS) }),
                json!({ "transportId": "TRANSPORT", "kind": "audio", "source": "cam", "rtpParameters": {} }),
                rtp(&|rtp| rtp["codecs"] = json!([])),
                rtp(&|rtp| rtp["codecs"] = json!({})),
                rtp(&|rtp| rtp["codecs"][0]["mimeType"] = json!("audio/tape")),
                rtp(&|rtp| rtp["codecs"][0]["mimeType"] = json!(7)),
                rtp(&|rtp| rtp["codecs"][0]["payloadType"] = json!(300)),
                rtp(&|rtp| rtp["codecs"][0]["payloadType"] = json!(-1)),
                rtp(&|rtp| rtp["codecs"][0]["clockRate"] = json!("fast")),
                rtp(&|rtp| rtp["encodings"] = json!([])),
                rtp(&|rtp| rtp["encodings"] = json!([{ "ssrc": -1 }])),
                rtp(&|rtp| rtp["headerExtensions"] = json!([{ "uri": "x", "id": 0 }])),
                rtp(&|rtp| rtp["headerExtensions"] = json!("none")),
            ],
        ),
        (
            "consume",
            vec![
                json!({ "transportId": "TRANSPORT", "producerId": "a" }),
                json!({ "transportId": "TRANSPORT", "rtpCapabilities": {} }),
                json!({ "transportId": "TRANSPORT", "producerId": 1, "rtpCapabilities": { "codecs": [] } }),
                json!({ "transportId": "TRANSPORT", "producerIds": "a", "rtpCapabilities": { "codecs": [] } }),
                json!({ "transportId": "TRANSPORT", "producerId": "a", "producerIds": ["a"],
                    "rtpCapabilities": { "codecs": [] } }),
                json!({ "transportId": "TRANSPORT", "producerId": "a", "rtpCapabilities": { "codecs": 1 } }),
                json!({ "transportId": "TRANSPORT", "producerIds": vec!["a"; 251], "rtpCapabilities": { "codecs": [] } }),
            ],
        ),
        ("resume-consumer", one_or_many()),
        ("pause-consumer", one_or_many()),
        ("close-producer", only("producerId")),
        ("pause-producer", only("producerId")),
        ("resume-producer", only("producerId")),
        ("close-consumer", only("consumerId")),
        ("request-key-frame", only("consumerId")),
        ("restart-ice", only("transportId")),
        (
            "set-preferred-layers",
            vec![
                json!({ "consumerId": "a" }),
                json!({ "consumerId": "a", "spatialLayer": -1 }),
                json!({ "consumerId": "a", "spatialLayer": "high" }),
                json!({ "consumerId": "a", "spatialLayer": 0, "temporalLayer": 999 }),
            ],
        ),
        ("set-viewport", {
            let tile = |width: Value, height: Value| json!({ "tiles": [{ "producerId": "a", "width": width, "height": height }] });
            vec![
                json!([]),
                json!({ "tiles": {} }),
                json!({ "tiles": [{ "producerId": 1, "width": 1, "height": 1 }] }),
                json!({ "tiles": [{ "producerId": "a", "width": 1 }] }),
                json!({ "tiles": [{ "producerId": "a", "width": 1, "height": 1, "pinned": "yes" }] }),
                tile(json!(-1), json!(1)),
                tile(json!(1), json!(16_385)),
                tile(json!("1"), json!(1)),
                tile(json!(null), json!(1)),
                json!({ "tiles": vec![json!({ "producerId": "a", "width": 1, "height": 1 }); 251] }),
            ]
        }),
        ("get-stats", vec![json!({ "transportId": 1 }), json!("a")]),
    ]
}

#[tokio::test]
async fn a_viewport_may_name_what_is_not_there_and_what_comes_later() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let bob = Client::join(&server, "Bob", "study-room-1").await;
    let producer = produce(&alice, "video", VP8).await;
    let tile = |producer: &Value, size: f64| json!({ "producerId": producer, "width": size, "height": size });
    let tiles = |tiles: Value| json!({ "tiles": tiles });
    let nothing = json!("00000000000000000000000000000000");
    // Before anything is received, of what is not there, of what is somebody's own, twice the same, nothing at all.
    for shown in [
        json!([tile(&producer, 320.5), tile(&nothing, 0.0)]),
        json!([tile(&producer, 16_384.0), tile(&producer, 1.0)]),
        json!([]),
    ] {
        assert_eq!(bob.request("set-viewport", &tiles(shown.clone())).await, json!({ "ok": true }));
        assert_eq!(alice.request("set-viewport", &tiles(shown)).await, json!({ "ok": true }));
    }
    let consumer = consume(&bob, &transport(&bob, "recv").await, &producer).await;
    assert_eq!(consumer["producerId"], producer);
    assert_eq!(bob.request("set-viewport", &tiles(json!([tile(&producer, 640.0)]))).await, json!({ "ok": true }));
}

#[tokio::test]
async fn every_malformed_payload_is_answered_with_a_code() {
    let server = start_with(|config| config.limits.media_events_burst = 5_000).await;
    for by in BOTH {
        let client = Client::join_by(&server, by, "Alice", "study-room-1").await;
        let transport_id = transport(&client, "send").await;
        for (event, payloads) in malformed() {
            for mut payload in payloads {
                if payload["transportId"] == "TRANSPORT" {
                    payload["transportId"] = transport_id.clone();
                }
                let answer = client.request(event, &payload).await;
                assert_eq!(answer["code"], "BAD_REQUEST", "{event} {payload}: {answer}");
                assert!(answer["error"].as_str().is_some_and(|text| text.len() > 5), "{event}: {answer}");
            }
            // What is no object at all.
            for payload in [json!(7), json!("x"), json!([1]), json!(true)] {
                let answer = client.request(event, &payload).await;
                assert_eq!(answer["code"], "BAD_REQUEST", "{event} {payload}: {answer}");
            }
        }
        assert_eq!(client.request("leave", &json!(null)).await, json!({ "left": true }));
    }
}

#[tokio::test]
async fn deep_and_strange_json_is_answered_too() {
    let server = start().await;
    let client = Client::join(&server, "Alice", "study-room-1").await;
    let deep = format!("[\"produce\",{}{}]", "[".repeat(20_000), "]".repeat(20_000));
    for arguments in [
        deep.as_str(),
        r#"["produce"]"#,
        r#"["produce",null,null,null]"#,
        r#"["produce",{"transportId":"\ud800"}]"#,
        r#"["produce",{"transportId":1e999}]"#,
        r#"["produce",{"_placeholder":true,"num":0}]"#,
    ] {
        let answer = client.request_with(arguments).await;
        assert_eq!(answer["code"], "BAD_REQUEST", "{answer}");
    }
}

#[tokio::test]
async fn a_packet_that_is_no_json_ends_its_own_connection_only() {
    let server = start().await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    for arguments in ["[\"produce\",{]", "[\"produce\",nonsense]", "[7]", "[]", "{}", "nonsense", ""] {
        let mut mallory = Client::join(&server, "Mallory", "study-room-1").await;
        bob.event("user-joined").await;
        mallory.raw(&format!("42/room,1{arguments}"));
        assert_eq!(mallory.closed().await, Heard::Gone, "{arguments}");
        assert_eq!(bob.event("user-left").await["occupancy"], 1);
    }
}

#[tokio::test]
async fn an_unknown_event_is_answered() {
    let server = start().await;
    let client = Client::join(&server, "Alice", "study-room-1").await;
    for name in ["nonsense", "", "constructor", "__proto__", "room-state"] {
        assert_refused(&client.request(name, &json!({})).await, "UNKNOWN_EVENT");
    }
}

#[tokio::test]
async fn events_without_an_acknowledgement_break_nothing() {
    let server = start().await;
    for by in BOTH {
        let client = Client::join_by(&server, by, "Alice", "study-room-1").await;
        for (event, payloads) in malformed() {
            for payload in payloads {
                client.emit(event, &payload);
            }
            client.emit(event, &json!(null));
        }
        client.emit("nonsense", &json!(null));
        client.emit("get-rtp-capabilities", &json!(null));
        client.emit("create-transport", &json!({ "direction": "send" }));
        let stats = client.request_bare("get-stats").await;
        assert_eq!(stats["stats"].as_array().unwrap().len(), 1, "{stats}");
    }
}

#[tokio::test]
async fn closing_a_producer_needs_no_acknowledgement() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    let producer_id = produce(&alice, "audio", OPUS).await;
    alice.emit("close-producer", &json!({ "producerId": producer_id }));
    assert_eq!(bob.event("producer-closed").await["producerId"], producer_id);
}

#[tokio::test]
async fn requests_of_one_client_are_done_in_their_order() {
    let server = start().await;
    let alice = Client::join(&server, "Alice", "study-room-1").await;
    let mut bob = Client::join(&server, "Bob", "study-room-1").await;
    let own = json!({ "producerId": produce(&alice, "audio", OPUS).await });
    let answers = futures_util::future::join_all([
        alice.request("pause-producer", &own),
        alice.request("resume-producer", &own),
        alice.request("pause-producer", &own),
        alice.request("close-producer", &own),
        alice.request("resume-producer", &own),
    ]);
    let answers = answers.await;
    assert_eq!(answers[3], json!({ "closed": true }));
    assert_refused(&answers[4], "NOT_FOUND");
    let names = bob.names_so_far().await;
    let names: Vec<_> = names.iter().map(String::as_str).filter(|name| *name != "user-updated").collect();
    assert_eq!(names, ["new-producer", "producer-paused", "producer-resumed", "producer-paused", "producer-closed"]);
}

#[tokio::test]
async fn ice_is_restarted_with_new_credentials() {
    let server = start().await;
    let client = Client::join(&server, "Alice", "study-room-1").await;
    let transport = client.request("create-transport", &json!({ "direction": "send" })).await;
    let transport = &transport["transport"];
    let answer = client.request("restart-ice", &json!({ "transportId": transport["id"] })).await;
    let ice = &answer["iceParameters"];
    assert!(ice["usernameFragment"].is_string() && ice["password"].is_string());
    assert_ne!(ice["usernameFragment"], transport["iceParameters"]["usernameFragment"]);
}

#[tokio::test]
async fn a_transport_is_connected_once() {
    let server = start().await;
    let client = Client::join(&server, "Alice", "study-room-1").await;
    let transport_id = transport(&client, "send").await;
    let request = json!({ "transportId": transport_id, "dtlsParameters": dtls_parameters() });
    assert_eq!(client.request("connect-transport", &request).await, json!({ "connected": true }));
    assert_refused(&client.request("connect-transport", &request).await, "BAD_REQUEST");
}

#[tokio::test]
async fn stats_are_of_what_is_named_or_of_all_own_transports() {
    let server = start().await;
    let client = Client::join(&server, "Alice", "study-room-1").await;
    assert_eq!(client.request_bare("get-stats").await, json!({ "stats": [] }));
    let transport_id = transport(&client, "send").await;
    transport(&client, "recv").await;
    let producer_id = produce_on(&client, &transport_id, "audio", OPUS).await;
    let all = client.request("get-stats", &json!({})).await;
    assert_eq!(all["stats"].as_array().unwrap().len(), 2);
    let two = json!({ "transportId": transport_id, "producerId": producer_id });
    let two = client.request("get-stats", &two).await;
    assert_eq!(two["stats"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn sound_alone_is_recommended_above_forty() {
    let server = start().await;
    let mut clients = Vec::new();
    for index in 0..40 {
        clients.push(Client::join(&server, &format!("P{index}"), "study-room-1").await);
    }
    let fortieth = clients.last_mut().unwrap();
    produce(fortieth, "video", VP8).await;
    assert!(!fortieth.names_so_far().await.contains(&"recommend-audio-only".to_owned()));
    let mut late = Client::join_by(&server, Transport::Polling, "Late", "study-room-1").await;
    let advice = late.event("recommend-audio-only").await;
    assert_eq!(advice["occupancy"], 41);
    assert!(advice["message"].as_str().is_some_and(|text| text.contains("41")));
    let first = &mut clients[0];
    produce(first, "audio", OPUS).await;
    assert!(!first.names_so_far().await.contains(&"recommend-audio-only".to_owned()));
    produce(first, "video", VP8).await;
    assert_eq!(first.event("recommend-audio-only").await["occupancy"], 41);
}
