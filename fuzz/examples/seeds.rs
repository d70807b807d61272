//! Writes the seed corpora: valid packets of every kind, made by the crate's own writers or taken from the diagrams
//! of their specifications. Run `cargo run --example seeds` in this folder after a format has been added.

use std::path::Path;
use std::{fs, io};

use serde_json::Value;
use wire::extension::{ExtensionForm, ExtensionWriter};
use wire::rtcp::{self, NtpTime, ReportBlock};
use wire::rtp::{self, HeaderFields};
use wire::stun::{Builder, Class, IntegrityKey, Method, TransactionId};
use wire::{PayloadType, RtpTimestamp, SeqNo, Ssrc, red};

type Seed = (&'static str, Vec<u8>);

fn main() -> io::Result<()> {
    let corpora = [
        ("rtp", rtp_seeds()),
        ("rtcp", rtcp_seeds()),
        ("red_rtx", red_rtx_seeds()),
        ("stun", stun_seeds()),
        ("srtp", srtp_seeds()),
        ("vp8", vp8_seeds()),
        ("vp9", vp9_seeds()),
        ("h264", h264_seeds()),
        ("av1_opus", av1_opus_seeds()),
        ("dependency_descriptor", dependency_descriptor_seeds()),
        ("ortc", ortc_seeds()),
        ("congestion", congestion_seeds()),
    ];
    for (target, seeds) in corpora {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in seeds {
            fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}

fn packet(csrcs: usize, form: ExtensionForm, elements: &[(u8, &[u8])], payload: &[u8], padding: u8) -> Vec<u8> {
    let fields = HeaderFields {
        marker: true,
        payload_type: PayloadType::from_low_bits(96),
        seq: SeqNo::new(0xfffe),
        timestamp: RtpTimestamp::new(0x0102_0304),
        ssrc: Ssrc::new(0xaabb_ccdd),
    };
    let mut out = Vec::new();
    rtp::write_header(&mut out, &fields, !elements.is_empty(), false);
    rtp::write_csrcs(&mut out, 0, (0..csrcs as u32).map(Ssrc::new));
    let mut writer = ExtensionWriter::new(&mut out, form);
    for (id, data) in elements {
        writer.write(*id, data).expect("the form carries it");
    }
    writer.finish();
    out.extend_from_slice(payload);
    rtp::write_padding(&mut out, 0, padding);
    out
}

/// Ids are places in `ExtensionKind::ALL`, from 1; in the two-byte form twenty times that.
fn rtp_seeds() -> Vec<Seed> {
    use ExtensionForm::{OneByte, TwoByte};
    let capture = [0xe0, 1, 2, 3, 4, 5, 6, 7, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 0];
    // Stream 1 of 3; spatial layers 0 and 1, 0, and 2; one temporal layer each; rates, then sizes.
    let sizes =
        [[1, 0x3f, 0, 0xb3, 15], [2, 0x7f, 1, 0x67, 30], [4, 0xff, 2, 0xcf, 30], [7, 0x7f, 4, 0x37, 60]].concat();
    let layers = [&[0x60, 0x31, 0x40, 0, 100, 0xac, 0x02, 0xe8, 0x07, 50][..], &sizes].concat();
    let audio: [(u8, &[u8]); 4] = [(1, b"0"), (4, &[1, 2, 3]), (5, &[0xff, 0xff]), (6, &[0xaa])];
    let video: [(u8, &[u8]); 6] =
        [(1, b"1"), (2, b"q"), (5, &[0, 7]), (7, &[1]), (8, &[0xff, 0xff, 0x80]), (10, &[0, 0x10, 0x20])];
    let rtx: [(u8, &[u8]); 3] = [(1, b"1"), (3, b"q"), (9, &capture)];
    let long: [(u8, &[u8]); 4] = [(20, b"1"), (180, &capture[..8]), (220, &[0x80, 0, 1]), (240, &layers)];
    vec![
        ("plain", packet(0, OneByte, &[], b"payload", 0)),
        ("csrcs_and_padding", packet(15, OneByte, &[], b"payload", 4)),
        ("padding_alone", packet(0, OneByte, &[(5, &[0, 9])], &[], 255)),
        ("audio", packet(0, OneByte, &audio, b"opus", 0)),
        ("video", packet(1, OneByte, &video, b"vp8", 0)),
        ("rtx", packet(0, OneByte, &rtx, &[0, 5, 1], 0)),
        ("two_byte", packet(0, TwoByte, &long, b"av1", 0)),
        ("empty_elements", packet(0, TwoByte, &[(20, &[]), (40, &[])], b"x", 0)),
    ]
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

fn feedback(statuses: &[Option<i64>]) -> Vec<u8> {
    let header = rtcp::FeedbackHeader {
        sender: Ssrc::new(1),
        media: Ssrc::new(2),
        base_seq: SeqNo::new(0xfff0),
        reference_time: -3,
        feedback_count: 255,
    };
    written(|out| {
        rtcp::write_transport_feedback(out, &header, statuses).expect("deltas fit");
    })
}

fn rtcp_seeds() -> Vec<Seed> {
    let (sender, media) = (Ssrc::new(1), Ssrc::new(2));
    let block = ReportBlock {
        ssrc: media,
        fraction_lost: 12,
        cumulative_lost: -3,
        highest_seq: 0x1_0004,
        jitter: 5,
        last_sr: 6,
        delay_since_last_sr: 7,
    };
    let info = rtcp::SenderInfo {
        sender,
        ntp: NtpTime::new(0xe000_0000_8000_0000),
        rtp: RtpTimestamp::new(3),
        packet_count: 4,
        octet_count: 5,
    };
    let runs = [&[Some(1); 20][..], &[None; 30], &[Some(-300); 20]].concat();
    let vectors = [Some(4), None, Some(0), Some(700), None, Some(-1), None, Some(9), Some(8), None].repeat(3);
    let compound = written(|out| {
        rtcp::write_sender_report(out, &info, &[block]);
        rtcp::write_sdes_cname(out, sender, "studyhall");
    });
    let delays = [rtcp::DlrrReport { ssrc: media, last_rr: 3, delay: 4 }; 2];
    vec![
        ("compound", compound),
        ("receiver_report", written(|out| rtcp::write_receiver_report(out, sender, &[block, block]))),
        ("bye", written(|out| rtcp::write_bye(out, &[sender, media]))),
        ("nack", written(|out| rtcp::write_nack(out, sender, media, [65_534, 0, 1, 15, 40].map(SeqNo::new)))),
        ("pli", written(|out| rtcp::write_pli(out, sender, media))),
        ("fir", written(|out| rtcp::write_fir(out, sender, &[(media, 255)]))),
        ("remb", written(|out| rtcp::write_remb(out, sender, 2_500_000, &[media, sender]))),
        ("rrtr", written(|out| rtcp::write_xr_rrtr(out, sender, info.ntp))),
        ("dlrr", written(|out| rtcp::write_xr_dlrr(out, sender, &delays))),
        ("feedback_runs", feedback(&runs)),
        ("feedback_vectors", feedback(&vectors)),
        ("feedback_small", feedback(&[Some(3), None, Some(255), Some(0), None, None, Some(1)])),
        ("padded", vec![0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4]),
        ("unknown", vec![0x83, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e']),
    ]
}

/// Limits of 30 kbit/s to 100 Mbit/s, a start at 600 kbit/s, and the first number; then rounds of steps.
fn link(rounds: usize, round: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let start = [[0x75, 0x30, 0], [0xbe, 0xbc, 11], [0x92, 0x7c, 4]].concat();
    [start, vec![0xff, 0xf0], (0..rounds).flat_map(round).collect()].concat()
}

/// Ten packets of 1,200 bytes, 64 ms, and what became of them; a sharing every eighth time.
fn round(index: usize, fates: [u8; 10]) -> Vec<u8> {
    let mut steps = vec![3, 10, 0x04, 0xb0, 0, 1, 0x01, 0x00, 4, 10, 10, 1];
    steps.extend(fates);
    if index.is_multiple_of(8) {
        steps.extend([9, 0x20, 0, 8, 0x40, 0, 9, 5, 0, 0, 10]);
    }
    steps
}

fn congestion_seeds() -> Vec<Seed> {
    let remb = written(|out| rtcp::write_remb(out, Ssrc::new(1), 2_500_000, &[]));
    let told = feedback(&[Some(3), None, Some(255), Some(0), None, None, Some(1)]);
    let rtcp = |bytes: &[u8]| [&[6, bytes.len() as u8], bytes].concat();
    vec![
        ("steady", link(60, |index| round(index, [65; 10]))),
        ("a_queue_grows", link(60, |index| round(index, [65 + (index as u8).min(60) * 2; 10]))),
        ("every_third_is_lost", link(60, |index| round(index, [65, 0, 90, 65, 0, 90, 65, 0, 90, 65]))),
        // Three seconds without a word, again and again.
        (
            "silence",
            link(20, |index| [round(index, [65; 10]), vec![3, 9, 4, 0, 0, 3, 0, 3, 9, 0, 0, 0, 0, 0]].concat()),
        ),
        // A key frame of 200 packets; then 10 ms at a time.
        ("a_burst_waits", link(3, |_| [vec![11, 0x04, 0xb0, 200], [0, 2, 0, 1].repeat(20)].concat())),
        ("told_by_the_viewer", link(10, |index| [round(index, [65; 10]), rtcp(&remb), rtcp(&told)].concat())),
        ("the_other_direction", link(10, |index| vec![12, 0, index as u8, 100, index as u8, 0, 1, 1, 0])),
        // Round trips, estimates and sharings of any size.
        (
            "figures",
            link(10, |index| vec![8, 0xff, 0xff, 7, 0xff, 0xff, 17, index as u8 * 3, 9, 255, 255, 17, 255, 255, 17, 7]),
        ),
    ]
}

fn red_rtx_seeds() -> Vec<Seed> {
    let opus = PayloadType::from_low_bits(111);
    let block = |timestamp_offset, bytes| red::Block { payload_type: opus, timestamp_offset, bytes };
    let two = [block(1_920, &b"oldest"[..]), block(960, &b"older"[..])];
    vec![
        ("primary", written(|out| red::write(out, &[], opus, b"newest").expect("fits"))),
        ("two_older", written(|out| red::write(out, &two, opus, b"newest").expect("fits"))),
        ("limits", written(|out| red::write(out, &[block(0x3fff, &[7; 0x3ff])], opus, &[]).expect("fits"))),
        ("rtx", vec![0x12, 0x34, 0x10, 0, 0, 0x9d, 0x01, 0x2a]),
    ]
}

const OPEN_NAMES: [&str; 7] = [
    "controlling_open",
    "controlled_open",
    "success_v4_open",
    "success_v6_open",
    "unknown_attribute_open",
    "role_conflict_open",
    "indication_open",
];

fn stun_seeds() -> Vec<Seed> {
    let id = TransactionId(*b"transaction!");
    let key = IntegrityKey::short_term(fuzz::STUN_PASSWORD);
    let message = |class, fill: fn(Builder<'_>) -> Builder<'_>, key: Option<&IntegrityKey>| {
        written(|out| fill(Builder::new(out, class, Method::BINDING, id)).finish(key))
    };
    let v4 = |builder: Builder<'_>| builder.xor_mapped_address(([192, 0, 2, 1], 32_853).into()).finish(None);
    let v6 = |builder: Builder<'_>| {
        let address = [0x2001, 0xdb8, 0x1234, 0x5678, 0x11, 0x2233, 0x4455, 0x6677];
        builder.xor_mapped_address((address, 32_853).into()).software("test vector").finish(None);
    };
    let whole = vec![
        (
            "controlling",
            message(
                Class::Request,
                |builder| builder.username("evtj:h6vY").priority(0x6e00_01ff).ice_controlling(7).use_candidate(),
                Some(&key),
            ),
        ),
        (
            "controlled",
            message(Class::Request, |builder| builder.username("a:b").priority(1).ice_controlled(u64::MAX), Some(&key)),
        ),
        ("success_v4", written(|out| v4(Builder::new(out, Class::Success, Method::BINDING, id)))),
        ("success_v6", written(|out| v6(Builder::new(out, Class::Success, Method::BINDING, id)))),
        (
            "unknown_attribute",
            message(
                Class::Error,
                |builder| builder.error_code(420, "Unknown Attribute").unknown_attributes(&[0x0030, 0x0031]),
                Some(&key),
            ),
        ),
        ("role_conflict", message(Class::Error, |builder| builder.error_code(487, "Role Conflict"), Some(&key))),
        ("indication", message(Class::Indication, |builder| builder, None)),
    ];
    // Without the fingerprint, so that a changed message is not refused at once for its check sum.
    let open = whole.iter().zip(OPEN_NAMES).map(|((_, message), name)| {
        let mut message = message[..message.len() - 8].to_vec();
        let len = u16::try_from(message.len() - 20).expect("messages are short");
        message[2..4].copy_from_slice(&len.to_be_bytes());
        (name, message)
    });
    let open: Vec<_> = open.collect();
    [whole, open].concat()
}

/// Steps of four bytes: what is done, an index, where damage is done. 255 is outside of every packet.
fn srtp_seeds() -> Vec<Seed> {
    let play = |profile: u8, steps: &[[u8; 4]]| [&[profile], steps.concat().as_slice()].concat();
    let wrap = [[0, 0xff, 0xfe, 255], [0, 0, 1, 255], [0, 0xff, 0xff, 255], [0, 0, 0, 255], [0, 0, 1, 255]];
    let damage =
        [[1, 0, 1, 0], [1, 0, 2, 3], [2, 0, 1, 9], [3, 0, 1, 13], [1, 0, 3, 25], [1, 0x10, 0, 255], [1, 0, 4, 255]];
    let rtcp = [[4, 0, 0, 255], [4, 0, 1, 0], [5, 0, 1, 9], [4, 0, 2, 20], [4, 0, 0, 30]];
    let raw = |profile| {
        [play(profile, &[[0, 0, 1, 255], [7, 0, 0, 0]]), packet(0, ExtensionForm::OneByte, &[], &[7; 40], 0)].concat()
    };
    vec![
        ("wrap_gcm128", play(0, &wrap)),
        ("wrap_gcm256", play(1, &wrap)),
        ("wrap_cm", play(2, &wrap)),
        ("damage_gcm128", play(0, &damage)),
        ("damage_cm", play(2, &damage)),
        ("rtcp_gcm256", play(1, &rtcp)),
        ("rtcp_cm", play(2, &rtcp)),
        ("raw_gcm128", raw(0)),
        ("raw_cm", raw(2)),
    ]
}

fn vp8_seeds() -> Vec<Seed> {
    vec![
        ("key_frame", vec![0x90, 0xf0, 0x92, 0x34, 9, 0x63, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 7]),
        ("short_picture_id", vec![0x90, 0x80, 0x17, 0x11, 0, 0]),
        ("temporal_layer", vec![0xb0, 0xe0, 0x80, 0x01, 5, 0xa0, 0x31, 0, 0]),
        ("without_extension", vec![0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0]),
        ("second_partition", vec![0x01, 1, 2, 3]),
    ]
}

fn vp9_seeds() -> Vec<Seed> {
    let structure = [0x38, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 2, 0x04, 1, 0x38, 1, 2];
    vec![
        ("key_frame", [&[0xaa, 0x81, 0x2c, 0x10, 7][..], &structure, &[0x82, 0x49]].concat()),
        ("flexible", vec![0xf8, 0x92, 0x34, 0x22, 0x03, 0x05, 0x08, 0x86]),
        ("upper_layer", vec![0xa8, 0x80, 0x01, 0x33, 9, 0x86]),
        ("plain", vec![0x0c, 0x82]),
    ]
}

fn h264_seeds() -> Vec<Seed> {
    vec![
        ("slice", vec![0x61, 0xe0, 1, 2]),
        ("idr", vec![0x65, 0x88, 1, 2]),
        ("parameter_sets", vec![0x78, 0, 4, 0x67, 0x42, 0xe0, 0x1f, 0, 2, 0x68, 0xce, 0, 2, 0x65, 0x88]),
        ("first_fragment", vec![0x7c, 0x85, 0x88, 1]),
        ("last_fragment", vec![0x7c, 0x45, 1, 2]),
    ]
}

fn av1_opus_seeds() -> Vec<Seed> {
    vec![
        ("av1_new_sequence", vec![0x28, 0x0a, 0x0b, 0, 0, 0, 0x2d]),
        ("av1_continued", vec![0xc0, 3, 1, 2, 3]),
        ("opus_stereo_20_ms", vec![0xfc, 0xff, 0xfe]),
        ("opus_code_3", vec![0x7b, 0x43, 1, 2, 3]),
        ("opus_dtx", vec![0xf8]),
    ]
}

fn ortc_seeds() -> Vec<Seed> {
    let record = include_str!("../../crates/wire/tests/data/ortc/chromium-156-mediasoup-client-3.24.1.json");
    let chromium: Value = serde_json::from_str(record).expect("the record is JSON");
    let record = include_str!("../../crates/wire/tests/data/ortc/firefox-esr-153-mediasoup-client-3.24.1.json");
    let firefox: Value = serde_json::from_str(record).expect("the record is JSON");
    let seed = |what: u8, json: &Value| [&[what], json.to_string().as_bytes()].concat();
    let produced = |what, browser: &Value, case: &str| seed(what, &browser["produced"][case]["rtpParameters"]);
    vec![
        ("opus", produced(b'a', &chromium, "opus")),
        ("opus_dtx_firefox", produced(b'a', &firefox, "opus-dtx-stereo")),
        ("vp8_simulcast", produced(b'v', &chromium, "vp8-simulcast")),
        ("h264", produced(b'v', &chromium, "h264-42e0")),
        ("vp9_svc", produced(b'v', &chromium, "vp9-svc")),
        ("av1", produced(b'v', &chromium, "av1")),
        ("vp8_firefox", produced(b'v', &firefox, "vp8")),
        ("capabilities", seed(b'c', &chromium["rtpCapabilities"])),
        ("capabilities_firefox", seed(b'c', &firefox["rtpCapabilities"])),
        ("dtls", seed(b'd', &chromium["dtlsParameters"])),
        ("scalability_mode", b"sL3T3_KEY".to_vec()),
        ("profile_level_id", b"s42e01f".to_vec()),
    ]
}

/// As Chromium sends them with L1T2: a key frame with its structure of two temporal layers, and a later frame.
fn dependency_descriptor_seeds() -> Vec<Seed> {
    let key_frame = [0x80, 0x00, 0x01, 0x80, 0x01, 0x1e, 0xa8, 0x51, 0x41, 0x01, 0x0c, 0x13, 0xfc, 0x0b, 0x3c];
    vec![
        ("key_frame_and_next", [&[15][..], &key_frame, &[0xc2, 0x00, 0x02]].concat()),
        ("key_frame_alone", [&[15][..], &key_frame].concat()),
        ("mandatory_only", vec![0, 0xc0, 0x00, 0x01]),
        ("everything_own", vec![0, 0xc0, 0x00, 0x03, 0x78, 0xff, 0x12, 0x34, 0x56, 0x78]),
    ]
}
