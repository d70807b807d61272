//! A wrong field is named by its path; every limit is reached and passed.

use serde_json::{Value, json};
use wire::ortc::{
    DtlsFingerprint, DtlsParameters, DtlsRole, FieldError, FingerprintAlgorithm, IceCandidate, IceParameters,
    MAX_CNAME_LEN, MAX_CODEC_PARAMETERS, MAX_CODECS, MAX_ENCODINGS, MAX_FEEDBACK_LEN, MAX_FINGERPRINTS,
    MAX_HEADER_EXTENSIONS, MAX_MIME_TYPE_LEN, MAX_MSID_LEN, MAX_PARAMETER_LEN, MAX_PARAMETER_NAME_LEN,
    MAX_RTCP_FEEDBACK, MAX_SCALABILITY_MODE_LEN, MAX_URI_LEN, MediaKind, ParameterValue, RtpCapabilities,
    RtpParameters, parse, validate_dtls_parameters, validate_rtp_capabilities, validate_rtp_parameters,
};

use crate::records::{CHROMIUM, record};

/// Chromium's VP8 simulcast, as it comes.
fn producer() -> Value {
    record(CHROMIUM).produced.get("vp8-simulcast").expect("the record has it").rtp_parameters.clone()
}

/// Chromium's capabilities, as they come.
fn device() -> Value {
    record(CHROMIUM).rtp_capabilities.clone()
}

/// `json` with the value at a JSON pointer replaced, or put there where the last step is new.
fn with(mut json: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').expect("a pointer has a slash");
    match json.pointer_mut(parent).expect("the parent is there") {
        Value::Object(fields) => drop(fields.insert(field.to_owned(), value)),
        Value::Array(items) => items[field.parse::<usize>().expect("an index")] = value,
        _ => panic!("{parent} has no fields"),
    }
    json
}

fn check_producer(json: &Value) -> Result<(), FieldError> {
    let parameters: RtpParameters = parse("rtpParameters", json)?;
    validate_rtp_parameters(MediaKind::Video, &parameters)
}

fn check_device(json: &Value) -> Result<(), FieldError> {
    let capabilities: RtpCapabilities = parse("rtpCapabilities", json)?;
    validate_rtp_capabilities(&capabilities)
}

fn check_dtls(json: &Value) -> Result<(), FieldError> {
    let parameters: DtlsParameters = parse("dtlsParameters", json)?;
    validate_dtls_parameters(&parameters)
}

#[track_caller]
fn refused(result: Result<(), FieldError>, path: &str) {
    let error = result.expect_err("it is refused");
    assert_eq!(error.path, path, "{error}");
}

#[test]
fn a_wrong_field_of_a_producer_is_named() {
    let rid_only = json!([{"rid": "a"}]);
    let table: Vec<(&str, Value, &str)> = vec![
        ("/mid", json!(7), "mid"),
        ("/mid", json!(""), "mid"),
        ("/mid", json!("with space"), "mid"),
        ("/mid", json!("m".repeat(33)), "mid"),
        ("/codecs", json!([]), "codecs"),
        ("/codecs", json!({}), "codecs"),
        ("/codecs", Value::Null, "codecs"),
        ("/codecs/0", json!("VP8"), "codecs[0]"),
        ("/codecs/0/mimeType", json!(8), "codecs[0].mimeType"),
        ("/codecs/0/mimeType", json!(""), "codecs[0].mimeType"),
        ("/codecs/0/mimeType", json!("video/"), "codecs[0].mimeType"),
        ("/codecs/0/mimeType", json!("VP8"), "codecs[0].mimeType"),
        ("/codecs/0/mimeType", json!("audio/opus"), "codecs[0].mimeType"),
        ("/codecs/0/mimeType", json!("application/VP8"), "codecs[0].mimeType"),
        ("/codecs/0/mimeType", json!("video/VP8\r\na=x"), "codecs[0].mimeType"),
        ("/codecs/0/payloadType", json!("96"), "codecs[0].payloadType"),
        ("/codecs/0/payloadType", json!(128), "codecs[0].payloadType"),
        ("/codecs/0/payloadType", json!(256), "codecs[0].payloadType"),
        ("/codecs/0/payloadType", json!(-1), "codecs[0].payloadType"),
        ("/codecs/0/payloadType", json!(97), "codecs[1].payloadType"),
        ("/codecs/0/clockRate", json!(0), "codecs[0].clockRate"),
        ("/codecs/0/clockRate", json!("90000"), "codecs[0].clockRate"),
        ("/codecs/0/channels", json!(0), "codecs[0].channels"),
        ("/codecs/0/parameters", json!([]), "codecs[0].parameters"),
        ("/codecs/0/parameters", json!({"a": {}}), "codecs[0].parameters.a"),
        ("/codecs/0/parameters", json!({"a": null}), "codecs[0].parameters.a"),
        ("/codecs/0/parameters", json!({"a": true}), "codecs[0].parameters.a"),
        ("/codecs/0/parameters", json!({"a": "1;b=2"}), "codecs[0].parameters.a"),
        ("/codecs/0/parameters", json!({"a": "1\r\na=x"}), "codecs[0].parameters.a"),
        ("/codecs/0/parameters", json!({"a=1": ""}), "codecs[0].parameters"),
        ("/codecs/0/rtcpFeedback", json!("nack"), "codecs[0].rtcpFeedback"),
        ("/codecs/0/rtcpFeedback/0", json!("nack"), "codecs[0].rtcpFeedback[0]"),
        ("/codecs/0/rtcpFeedback/0/type", json!(""), "codecs[0].rtcpFeedback[0].type"),
        ("/codecs/0/rtcpFeedback/0/type", json!("na ck"), "codecs[0].rtcpFeedback[0].type"),
        ("/codecs/0/rtcpFeedback/0/parameter", json!(1), "codecs[0].rtcpFeedback[0].parameter"),
        ("/codecs/0/rtcpFeedback/0/parameter", json!("p\n"), "codecs[0].rtcpFeedback[0].parameter"),
        ("/codecs/1/parameters", json!({}), "codecs[1].parameters.apt"),
        ("/codecs/1/parameters/apt", json!("x"), "codecs[1].parameters.apt"),
        ("/codecs/1/parameters/apt", json!(50), "codecs[1].parameters.apt"),
        ("/codecs/1/parameters/apt", json!(97), "codecs[1].parameters.apt"),
        ("/codecs/0/mimeType", json!("video/red"), "codecs"),
        ("/headerExtensions", json!(1), "headerExtensions"),
        ("/headerExtensions/0/uri", json!(""), "headerExtensions[0].uri"),
        ("/headerExtensions/0/uri", json!("urn: x"), "headerExtensions[0].uri"),
        ("/headerExtensions/0/id", json!(0), "headerExtensions[0].id"),
        ("/headerExtensions/0/id", json!(256), "headerExtensions[0].id"),
        ("/headerExtensions/0/id", json!(10), "headerExtensions[1].id"),
        ("/headerExtensions/0/encrypt", json!(true), "headerExtensions[0].encrypt"),
        ("/headerExtensions/0/encrypt", json!("no"), "headerExtensions[0].encrypt"),
        ("/headerExtensions/0/parameters", json!({"a": []}), "headerExtensions[0].parameters.a"),
        ("/headerExtensions", json!([]), "headerExtensions"),
        ("/encodings", json!([]), "encodings"),
        ("/encodings", Value::Null, "encodings"),
        ("/encodings/0", json!(1), "encodings[0]"),
        ("/encodings/0/ssrc", json!("1"), "encodings[0].ssrc"),
        ("/encodings/0/ssrc", json!(0), "encodings[0].ssrc"),
        ("/encodings/0/ssrc", json!(4_294_967_296_u64), "encodings[0].ssrc"),
        ("/encodings", json!([{"ssrc": 1}, {"ssrc": 1}]), "encodings[1].ssrc"),
        ("/encodings", json!([{"ssrc": 1, "rtx": {"ssrc": 1}}]), "encodings[0].rtx.ssrc"),
        ("/encodings", json!([{"ssrc": 1, "rtx": {"ssrc": 0}}]), "encodings[0].rtx.ssrc"),
        ("/encodings", json!([{"ssrc": 1, "rtx": {}}]), "encodings[0].rtx"),
        ("/encodings/1/rid", json!("r0"), "encodings[1].rid"),
        ("/encodings/1/rid", json!(""), "encodings[1].rid"),
        ("/encodings/1/rid", json!("r.0"), "encodings[1].rid"),
        ("/encodings/1/rid", json!("r".repeat(33)), "encodings[1].rid"),
        ("/encodings/1/rid", Value::Null, "encodings[1]"),
        ("/encodings/0/codecPayloadType", json!(50), "encodings[0].codecPayloadType"),
        ("/encodings/0/codecPayloadType", json!(97), "encodings[0].codecPayloadType"),
        ("/encodings/0/scalabilityMode", json!(3), "encodings[0].scalabilityMode"),
        ("/encodings/0/scalabilityMode", json!("L1 T3"), "encodings[0].scalabilityMode"),
        ("/encodings/0/scaleResolutionDownBy", json!(0.5), "encodings[0].scaleResolutionDownBy"),
        ("/encodings/0/maxBitrate", json!(-1), "encodings[0].maxBitrate"),
        ("/encodings/0/maxBitrate", json!("1"), "encodings[0].maxBitrate"),
        ("/encodings/0/maxBitrate", json!(1e300), "encodings[0].maxBitrate"),
        ("/encodings/0/maxFramerate", json!(-1), "encodings[0].maxFramerate"),
        ("/encodings/0/dtx", json!(1), "encodings[0].dtx"),
        ("/rtcp", json!("x"), "rtcp"),
        ("/rtcp/cname", json!(5), "rtcp.cname"),
        ("/rtcp/cname", json!("a b"), "rtcp.cname"),
        ("/rtcp/cname", json!("a\r\na=x"), "rtcp.cname"),
        ("/rtcp/mux", json!(false), "rtcp.mux"),
        ("/rtcp/reducedSize", json!("yes"), "rtcp.reducedSize"),
        ("/msid", json!("a\nb"), "msid"),
        ("/msid", json!("a b c"), "msid"),
        ("/msid", json!("a  b"), "msid"),
        ("/msid", json!(" "), "msid"),
        ("/msid", json!("a/b c"), "msid"),
    ];
    for (pointer, value, path) in table {
        refused(check_producer(&with(producer(), pointer, value)), &format!("rtpParameters.{path}"));
    }
    refused(check_producer(&json!([])), "rtpParameters");
    refused(check_producer(&json!({})), "rtpParameters");
    let lost = with(with(producer(), "/encodings", rid_only), "/headerExtensions", json!([]));
    refused(check_producer(&lost), "rtpParameters.headerExtensions");
    let nameless = with(with(producer(), "/encodings", json!([{}])), "/mid", Value::Null);
    refused(check_producer(&nameless), "rtpParameters.encodings[0]");
}

#[test]
fn what_clients_leave_out_or_write_as_null_is_no_error() {
    let table: Vec<(&str, Value)> = vec![
        ("/mid", Value::Null),
        ("/headerExtensions/0/encrypt", Value::Null),
        ("/headerExtensions/0/parameters", Value::Null),
        ("/codecs/0/parameters", Value::Null),
        ("/codecs/0/rtcpFeedback", Value::Null),
        ("/codecs/0/rtcpFeedback/0/parameter", Value::Null),
        ("/codecs/0/channels", Value::Null),
        ("/rtcp", Value::Null),
        ("/rtcp/cname", Value::Null),
        ("/rtcp/reducedSize", Value::Null),
        ("/msid", Value::Null),
        ("/msid", json!("")),
        ("/msid", json!("{6c4a0393} -")),
        ("/encodings/0/active", Value::Null),
        ("/encodings/0/dtx", Value::Null),
        ("/encodings/0/maxBitrate", Value::Null),
        ("/encodings/0/maxBitrate", json!(150_000.5)),
        ("/encodings/0/priority", json!("high")),
        ("/encodings", json!([{}])),
        ("/encodings", json!([{"ssrc": 1, "scalabilityMode": ""}])),
        ("/codecs/0/parameters", json!({"max-fr": 29.97, "x-google-start-bitrate": 1000})),
        ("/something", json!({"new": true})),
    ];
    for (pointer, value) in table {
        assert_eq!(check_producer(&with(producer(), pointer, value.clone())), Ok(()), "{pointer} {value}");
    }
    let bare = json!({
        "codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000.0}],
        "encodings": [{"ssrc": 1}],
    });
    refused(check_producer(&bare), "rtpParameters.codecs[0].clockRate");
    assert_eq!(check_producer(&with(bare, "/codecs/0/clockRate", json!(90_000))), Ok(()));
}

#[test]
fn numbers_are_kept_as_they_were_meant() {
    let json = with(producer(), "/codecs/0/parameters", json!({"a": 1.0, "b": 29.97, "c": -3, "d": "07"}));
    let parameters: RtpParameters = parse("rtpParameters", &json).expect("the shape is right");
    let found = &parameters.codecs[0].parameters;
    assert_eq!(found.0.get("a"), Some(&ParameterValue::from(1)));
    assert_eq!(
        (found.number("a"), found.number("b"), found.number("c"), found.number("d")),
        (Some(1), None, None, Some(7))
    );
    assert_eq!((found.text("b").as_deref(), found.text("d").as_deref()), (Some("29.97"), Some("07")));
}

#[test]
fn a_wrong_field_of_a_device_is_named() {
    let table: Vec<(&str, Value, &str)> = vec![
        ("/codecs", json!(1), "codecs"),
        ("/codecs/0/kind", json!("video"), "codecs[0].kind"),
        ("/codecs/0/kind", json!("text"), "codecs[0].kind"),
        ("/codecs/0/mimeType", json!("opus"), "codecs[0].mimeType"),
        ("/codecs/0/preferredPayloadType", json!(128), "codecs[0].preferredPayloadType"),
        ("/codecs/0/preferredPayloadType", json!("x"), "codecs[0].preferredPayloadType"),
        ("/codecs/0/clockRate", json!(0), "codecs[0].clockRate"),
        ("/codecs/0/channels", json!(0), "codecs[0].channels"),
        ("/codecs/0/parameters", json!({"a": "\u{0}"}), "codecs[0].parameters.a"),
        ("/codecs/0/rtcpFeedback/0/type", json!(""), "codecs[0].rtcpFeedback[0].type"),
        ("/headerExtensions", json!("x"), "headerExtensions"),
        ("/headerExtensions/0/kind", json!(""), "headerExtensions[0].kind"),
        ("/headerExtensions/0/uri", json!(""), "headerExtensions[0].uri"),
        ("/headerExtensions/0/preferredId", json!(0), "headerExtensions[0].preferredId"),
        ("/headerExtensions/0/preferredEncrypt", json!("x"), "headerExtensions[0].preferredEncrypt"),
        ("/headerExtensions/0/direction", json!("both"), "headerExtensions[0].direction"),
    ];
    for (pointer, value, path) in table {
        refused(check_device(&with(device(), pointer, value)), &format!("rtpCapabilities.{path}"));
    }
    assert_eq!(check_device(&json!({})), Ok(()), "a device that receives nothing");
    assert_eq!(check_device(&json!({"codecs": null, "headerExtensions": null})), Ok(()));
}

#[test]
fn a_wrong_fingerprint_is_named() {
    let good = |algorithm: FingerprintAlgorithm| vec!["aB"; algorithm.hash_len()].join(":");
    for algorithm in FingerprintAlgorithm::ALL {
        let json = json!({"fingerprints": [{"algorithm": algorithm.as_str(), "value": good(algorithm)}]});
        assert_eq!(check_dtls(&json), Ok(()), "{algorithm}");
        let upper =
            json!({"fingerprints": [{"algorithm": algorithm.as_str().to_uppercase(), "value": good(algorithm)}]});
        assert_eq!(check_dtls(&upper), Ok(()), "{algorithm}");
        let long = json!({"fingerprints": [{"algorithm": algorithm.as_str(), "value": good(algorithm) + ":AB"}]});
        refused(check_dtls(&long), "dtlsParameters.fingerprints[0].value");
    }
    let sha256 = |value: &str| json!({"role": "client", "fingerprints": [{"algorithm": "sha-256", "value": value}]});
    let right = good(FingerprintAlgorithm::Sha256);
    for value in ["", "AB", &right.replace(':', ""), &right.replacen("aB", "+1", 1), &right.replacen("aB", "é", 1)] {
        refused(check_dtls(&sha256(value)), "dtlsParameters.fingerprints[0].value");
    }
    refused(check_dtls(&json!({"role": "auto"})), "dtlsParameters");
    refused(check_dtls(&json!({"fingerprints": []})), "dtlsParameters.fingerprints");
    refused(
        check_dtls(&json!({"fingerprints": [{"algorithm": "md5", "value": ""}]})),
        "dtlsParameters.fingerprints[0].algorithm",
    );
    refused(check_dtls(&json!({"role": "boss", "fingerprints": []})), "dtlsParameters.role");
}

#[test]
fn a_fingerprint_is_written_and_read() {
    let hash: Vec<u8> = (0..32).map(|byte| byte * 8).collect();
    let fingerprint = DtlsFingerprint::from_hash(FingerprintAlgorithm::Sha256, &hash);
    assert!(fingerprint.value.starts_with("00:08:10:18:20:28:30:38:40:48:50:58:60:68:70:78:80:88:90:98:A0:A8"));
    assert_eq!(fingerprint.hash(), Some(hash));
    let parameters = DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![fingerprint] };
    let json = serde_json::to_value(&parameters).expect("it is written");
    assert_eq!((&json["role"], &json["fingerprints"][0]["algorithm"]), (&json!("auto"), &json!("sha-256")));
}

#[test]
fn ice_has_the_shape_that_clients_read() {
    let json = json!({
        "foundation": "udpcandidate", "priority": 1_076_302_079, "ip": "192.0.2.1", "address": "192.0.2.1",
        "protocol": "udp", "port": 10000, "type": "host",
    });
    let candidate: IceCandidate = parse("iceCandidate", &json).expect("the shape is right");
    assert_eq!(serde_json::to_value(&candidate).expect("it is written"), json);
    let tcp = with(with(json, "/protocol", json!("tcp")), "/tcpType", json!("passive"));
    let candidate: IceCandidate = parse("iceCandidate", &tcp).expect("the shape is right");
    assert_eq!(serde_json::to_value(&candidate).expect("it is written"), tcp);
    let json = json!({"usernameFragment": "abcd", "password": "secret", "iceLite": true});
    let parameters: IceParameters = parse("iceParameters", &json).expect("the shape is right");
    assert_eq!(serde_json::to_value(&parameters).expect("it is written"), json);
    assert!(!format!("{parameters:?}").contains("secret"));
}

/// Passes with `most` and fails with one more, at `path`.
fn limit(check: impl Fn(usize) -> Result<(), FieldError>, most: usize, path: &str) {
    assert_eq!(check(most), Ok(()), "{path} with {most}");
    refused(check(most + 1), path);
}

fn text(len: usize) -> Value {
    json!("a".repeat(len))
}

#[test]
fn every_count_has_a_limit() {
    let codec = |at: usize| json!({"mimeType": "video/VP8", "payloadType": at % 128, "clockRate": 90000});
    let codecs = |count: usize| with(producer(), "/codecs", (0..count).map(codec).collect());
    limit(|count| check_producer(&codecs(count)), MAX_CODECS, "rtpParameters.codecs");
    let rids = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    let extension =
        |at: usize| json!({"uri": if at == 0 { rids.to_owned() } else { format!("urn:{at}") }, "id": at + 1});
    let extensions = |count: usize| with(producer(), "/headerExtensions", (0..count).map(extension).collect());
    limit(|count| check_producer(&extensions(count)), MAX_HEADER_EXTENSIONS, "rtpParameters.headerExtensions");
    let encoding = |at: usize| json!({"rid": format!("r{at}")});
    let encodings = |count: usize| with(producer(), "/encodings", (0..count).map(encoding).collect());
    limit(|count| check_producer(&encodings(count)), MAX_ENCODINGS, "rtpParameters.encodings");
    let feedback =
        |count: usize| with(producer(), "/codecs/0/rtcpFeedback", vec![json!({"type": "nack"}); count].into());
    limit(|count| check_producer(&feedback(count)), MAX_RTCP_FEEDBACK, "rtpParameters.codecs[0].rtcpFeedback");
    let parameters = |count: usize| {
        let all = (0..count).map(|at| (format!("p{at}"), json!(at))).collect::<serde_json::Map<_, _>>();
        with(producer(), "/codecs/0/parameters", all.into())
    };
    limit(|count| check_producer(&parameters(count)), MAX_CODEC_PARAMETERS, "rtpParameters.codecs[0].parameters");

    let capability = json!({"kind": "video", "mimeType": "video/VP8", "clockRate": 90000});
    let device_codecs = |count: usize| with(device(), "/codecs", vec![capability.clone(); count].into());
    limit(|count| check_device(&device_codecs(count)), MAX_CODECS, "rtpCapabilities.codecs");
    let known = json!({"kind": "video", "uri": "urn:x", "preferredId": 1});
    let device_extensions = |count: usize| with(device(), "/headerExtensions", vec![known.clone(); count].into());
    limit(|count| check_device(&device_extensions(count)), MAX_HEADER_EXTENSIONS, "rtpCapabilities.headerExtensions");

    let hash = ["00"; 20].join(":");
    let fingerprint = json!({"algorithm": "sha-1", "value": hash});
    let certificate = |count: usize| json!({"fingerprints": vec![fingerprint.clone(); count]});
    limit(|count| check_dtls(&certificate(count)), MAX_FINGERPRINTS, "dtlsParameters.fingerprints");
}

#[test]
fn every_text_has_a_limit() {
    let table = [
        ("/codecs/0/parameters/a", MAX_PARAMETER_LEN, "codecs[0].parameters.a"),
        ("/codecs/0/rtcpFeedback/0/type", MAX_FEEDBACK_LEN, "codecs[0].rtcpFeedback[0].type"),
        ("/codecs/0/rtcpFeedback/0/parameter", MAX_FEEDBACK_LEN, "codecs[0].rtcpFeedback[0].parameter"),
        ("/headerExtensions/0/uri", MAX_URI_LEN, "headerExtensions[0].uri"),
        ("/encodings/0/scalabilityMode", MAX_SCALABILITY_MODE_LEN, "encodings[0].scalabilityMode"),
        ("/encodings/0/rid", 32, "encodings[0].rid"),
        ("/mid", 32, "mid"),
        ("/rtcp/cname", MAX_CNAME_LEN, "rtcp.cname"),
        ("/msid", MAX_MSID_LEN, "msid"),
    ];
    for (pointer, most, path) in table {
        let check = |len: usize| check_producer(&with(producer(), pointer, text(len)));
        limit(check, most, &format!("rtpParameters.{path}"));
    }
    let mime = |len: usize| json!(format!("video/{}", "v".repeat(len - "video/".len())));
    let check = |len: usize| check_producer(&with(producer(), "/codecs/0/mimeType", mime(len)));
    limit(check, MAX_MIME_TYPE_LEN, "rtpParameters.codecs[0].mimeType");
    let named = |len: usize| with(producer(), "/codecs/0/parameters", json!({"n".repeat(len): 1}));
    limit(|len| check_producer(&named(len)), MAX_PARAMETER_NAME_LEN, "rtpParameters.codecs[0].parameters");
}

#[test]
fn what_is_quoted_of_a_wrong_field_is_cut_short() {
    let long = with(producer(), "/codecs/0/parameters", json!({"a": "é".repeat(200)}));
    let error = check_producer(&long).expect_err("it is refused");
    assert!(error.to_string().chars().count() < 300, "{error}");
}
