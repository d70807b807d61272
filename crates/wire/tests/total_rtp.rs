//! Properties of RTP headers, their extensions, RED and RTX over random packets: what is written comes back, and
//! nothing that is read can panic.

mod damage;

use proptest::prelude::*;
use wire::extension::{self, ExtensionForm, ExtensionKind, ExtensionMap, ExtensionWriter, Extensions};
use wire::rtp::{self, HeaderFields, RtpHeader};
use wire::{ExtSeqNo, Mid, PayloadType, Rid, RtpTimestamp, SeqNo, Ssrc, red, rtx};

use crate::damage::damaged;

#[derive(Clone, Debug)]
struct Packet {
    fields: HeaderFields,
    csrcs: Vec<u32>,
    form: ExtensionForm,
    /// Elements by id, ids rising.
    elements: Vec<(u8, Vec<u8>)>,
    payload: Vec<u8>,
    padding: u8,
}

impl Packet {
    fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        rtp::write_header(&mut out, &self.fields, !self.elements.is_empty(), false);
        rtp::write_csrcs(&mut out, 0, self.csrcs.iter().copied().map(Ssrc::new));
        let mut writer = ExtensionWriter::new(&mut out, self.form);
        for (id, data) in &self.elements {
            writer.write(*id, data).expect("the strategy keeps to the form");
        }
        assert_eq!(writer.finish(), !self.elements.is_empty());
        out.extend_from_slice(&self.payload);
        rtp::write_padding(&mut out, 0, self.padding);
        out
    }
}

fn fields() -> impl Strategy<Value = HeaderFields> {
    (any::<bool>(), 0u8..128, any::<u16>(), any::<u32>(), any::<u32>()).prop_map(
        |(marker, payload_type, seq, timestamp, ssrc)| HeaderFields {
            marker,
            payload_type: PayloadType::new(payload_type).expect("below 128"),
            seq: SeqNo::new(seq),
            timestamp: RtpTimestamp::new(timestamp),
            ssrc: Ssrc::new(ssrc),
        },
    )
}

fn elements() -> impl Strategy<Value = (ExtensionForm, Vec<(u8, Vec<u8>)>)> {
    let data = |len| prop::collection::vec(any::<u8>(), len);
    let one = prop::collection::btree_map(1u8..=14, data(1..17), 0..8);
    let two = prop::collection::btree_map(1u8..=255, data(0..60), 0..8);
    prop_oneof![
        one.prop_map(|map| (ExtensionForm::OneByte, map.into_iter().collect())),
        two.prop_map(|map| (ExtensionForm::TwoByte, map.into_iter().collect())),
    ]
}

fn packet() -> impl Strategy<Value = Packet> {
    let csrcs = prop::collection::vec(any::<u32>(), 0..=15);
    let payload = prop::collection::vec(any::<u8>(), 0..60);
    (fields(), csrcs, elements(), payload, prop_oneof![2 => Just(0), 1 => any::<u8>()]).prop_map(
        |(fields, csrcs, (form, elements), payload, padding)| Packet {
            fields,
            csrcs,
            form,
            elements,
            payload,
            padding,
        },
    )
}

/// A map that gives kinds to `ids`, as far as there are kinds.
fn map_of(ids: impl IntoIterator<Item = u8>) -> ExtensionMap {
    let mut map = ExtensionMap::new();
    for (id, kind) in ids.into_iter().zip(ExtensionKind::ALL) {
        assert!(map.insert(id, kind));
    }
    map
}

/// Reads everything that a packet of these bytes can say.
fn read_all(bytes: &[u8]) {
    wire::classify(bytes);
    read_values(bytes);
    let _ = rtx::read_osn(bytes);
    if let Ok(red) = red::parse(bytes) {
        let total: usize = red.blocks().map(|block| block.bytes.len()).sum();
        assert!(total < bytes.len());
    }
    let Ok(header) = RtpHeader::parse(bytes) else { return };
    assert!(header.header_len <= bytes.len());
    assert_eq!(header.csrcs(bytes).count(), usize::from(header.csrc_count));
    if let Ok((payload, padding)) = header.payload(bytes) {
        assert_eq!(header.header_len + payload.len() + usize::from(padding), bytes.len());
    }
    for map in [map_of(1..=12), map_of((1..=12).map(|n| 20 * n))] {
        let extensions = Extensions::parse(bytes, &header, &map);
        for kind in ExtensionKind::ALL {
            let data = extensions.get(bytes, kind);
            assert_eq!(data.is_some(), extensions.contains(kind));
            if let Some(range) = extensions.range(kind) {
                assert!(range.end <= header.header_len);
            }
            read_values(data.unwrap_or_default());
        }
    }
}

fn read_values(data: &[u8]) {
    let _ = (extension::read_audio_level(data), extension::read_abs_send_time(data), extension::read_u16(data));
    let _ = (extension::read_playout_delay(data), extension::read_video_orientation(data));
    let _ = (extension::read_toffset(data), extension::read_abs_capture_time(data));
    let _ = extension::read_video_layers_allocation(data);
    let _ = (Mid::from_bytes(data), Rid::from_bytes(data));
}

proptest! {
    #[test]
    fn a_packet_comes_back_as_it_was_written(packet in packet()) {
        let bytes = packet.write();
        let header = RtpHeader::parse(&bytes).unwrap();
        let fields = packet.fields;
        prop_assert_eq!(
            (header.marker, header.payload_type, header.seq, header.timestamp, header.ssrc),
            (fields.marker, fields.payload_type, fields.seq, fields.timestamp, fields.ssrc)
        );
        prop_assert!(header.csrcs(&bytes).map(Ssrc::get).eq(packet.csrcs.iter().copied()));
        prop_assert_eq!(header.payload(&bytes), Ok((&packet.payload[..], packet.padding)));

        let map = map_of(packet.elements.iter().map(|(id, _)| *id));
        let extensions = Extensions::parse(&bytes, &header, &map);
        for (id, data) in &packet.elements {
            let kind = map.kind_of(*id).expect("fewer elements than kinds");
            prop_assert_eq!(extensions.get(&bytes, kind), Some(&data[..]));
        }
        prop_assert_eq!(
            ExtensionKind::ALL.into_iter().filter(|&kind| extensions.contains(kind)).count(),
            packet.elements.len()
        );
    }

    #[test]
    fn setters_write_what_the_parser_reads(packet in packet(), fields in fields()) {
        let mut bytes = packet.write();
        let before = RtpHeader::parse(&bytes).unwrap();
        rtp::set_marker(&mut bytes, fields.marker);
        rtp::set_payload_type(&mut bytes, fields.payload_type);
        rtp::set_seq(&mut bytes, fields.seq);
        rtp::set_timestamp(&mut bytes, fields.timestamp);
        rtp::set_ssrc(&mut bytes, fields.ssrc);
        let HeaderFields { marker, payload_type, seq, timestamp, ssrc } = fields;
        let expected = RtpHeader { marker, payload_type, seq, timestamp, ssrc, ..before };
        prop_assert_eq!(RtpHeader::parse(&bytes), Ok(expected));
        prop_assert_eq!(&bytes[12..], &packet.write()[12..]);
    }

    #[test]
    fn a_packet_cut_anywhere_is_read_without_panic(packet in packet()) {
        let bytes = packet.write();
        let header_len = RtpHeader::parse(&bytes).unwrap().header_len;
        for len in 0..=bytes.len() {
            read_all(&bytes[..len]);
            prop_assert_eq!(RtpHeader::parse(&bytes[..len]).is_ok(), len >= header_len);
        }
    }

    #[test]
    fn a_damaged_packet_is_read_without_panic(bytes in damaged(packet().prop_map(|packet| packet.write()))) {
        read_all(&bytes);
    }

    #[test]
    fn random_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&bytes);
    }

    #[test]
    fn the_header_of_another_packet_never_reaches_outside(packet in packet(), other in prop::collection::vec(any::<u8>(), 0..80)) {
        let header = RtpHeader::parse(&packet.write()).unwrap();
        let extensions = Extensions::parse(&other, &header, &map_of(1..=12));
        for kind in ExtensionKind::ALL {
            let _ = extensions.get(&other, kind);
        }
        let _ = header.payload(&other);
        prop_assert!(header.csrcs(&other).count() <= 15);
    }

    #[test]
    fn the_nearest_extended_number_is_within_half_a_circle(reference in any::<u64>(), seq in any::<u16>()) {
        let reference = ExtSeqNo::new(reference);
        if let Some(nearest) = reference.nearest(SeqNo::new(seq)) {
            prop_assert_eq!(nearest.truncate().get(), seq);
            prop_assert!((-0x8000..0x8000).contains(&nearest.distance_from(reference)));
        }
    }

    #[test]
    fn numbers_that_follow_each_other_unwrap_in_order(
        start in 0u64..1 << 40,
        steps in prop::collection::vec(-0x7fffi64..0x8000, 0..60),
    ) {
        let mut index = ExtSeqNo::new(start);
        for step in steps {
            let expected = index.offset(step);
            if let Some(next) = index.nearest(expected.truncate()) {
                prop_assert_eq!(next, expected);
                index = next;
            } else {
                prop_assert!(index.get() < step.unsigned_abs());
            }
        }
    }

    #[test]
    fn fixed_values_come_back(level in 0u8..128, flags in any::<[bool; 3]>(), bits in any::<u32>(), offset in any::<Option<i64>>()) {
        use extension::{AbsCaptureTime, AudioLevel, VideoOrientation};
        let [voice, back_camera, flip] = flags;
        let audio = AudioLevel { voice, dbov_below: level };
        prop_assert_eq!(extension::read_audio_level(&extension::audio_level_bytes(audio)), Some(audio));
        let orientation = VideoOrientation { back_camera, flip, quarter_turns: level & 3 };
        let bytes = extension::video_orientation_bytes(orientation);
        prop_assert_eq!(extension::read_video_orientation(&bytes), Some(orientation));
        let bytes = extension::abs_send_time_bytes(bits);
        prop_assert_eq!(extension::read_abs_send_time(&bytes), Some(bits & 0xff_ffff));
        let ticks = bits.cast_signed() >> 8;
        prop_assert_eq!(extension::read_toffset(&extension::toffset_bytes(ticks)), Some(ticks));
        let captured = AbsCaptureTime { captured_at: wire::rtcp::NtpTime::from_parts(bits, !bits), clock_offset: offset };
        let mut buffer = [0; 16];
        let bytes = extension::write_abs_capture_time(&mut buffer, captured);
        prop_assert_eq!(extension::read_abs_capture_time(bytes), Some(captured));
    }

    #[test]
    fn an_allocation_that_is_read_is_written_the_same(head in any::<u8>(), rest in prop::collection::vec(any::<u8>(), 0..120)) {
        let bytes = [&[head][..], &rest].concat();
        if let Some(allocation) = extension::read_video_layers_allocation(&bytes) {
            let mut out = Vec::new();
            extension::write_video_layers_allocation(&mut out, &allocation);
            let again = extension::read_video_layers_allocation(&out).expect("just written");
            prop_assert_eq!(again.layers(), allocation.layers());
        }
    }

    #[test]
    fn redundant_payloads_come_back_and_survive_cuts(
        redundant in prop::collection::vec((0u8..128, 0u16..=red::MAX_TIMESTAMP_OFFSET, prop::collection::vec(any::<u8>(), 0..30)), 0..6),
        primary_type in 0u8..128,
        primary in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let block = |(payload_type, timestamp_offset, bytes): &(u8, u16, Vec<u8>)| {
            (PayloadType::from_low_bits(*payload_type), *timestamp_offset, bytes.clone())
        };
        let owned: Vec<_> = redundant.iter().map(block).collect();
        let blocks: Vec<_> = owned
            .iter()
            .map(|(payload_type, timestamp_offset, bytes)| red::Block {
                payload_type: *payload_type,
                timestamp_offset: *timestamp_offset,
                bytes,
            })
            .collect();
        let primary_type = PayloadType::from_low_bits(primary_type);
        let mut out = Vec::new();
        red::write(&mut out, &blocks, primary_type, &primary).unwrap();
        let read = red::parse(&out).unwrap();
        let last = red::Block { payload_type: primary_type, timestamp_offset: 0, bytes: &primary };
        prop_assert!(read.blocks().eq(blocks.into_iter().chain([last])));
        for len in 0..out.len() {
            read_all(&out[..len]);
            prop_assert_eq!(red::parse(&out[..len]).is_ok(), len + primary.len() >= out.len());
        }
    }
}
