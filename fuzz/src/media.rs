//! RTP with its header extensions, RTCP, RED and RTX.

use std::hint::black_box;

use wire::extension::{self, ExtensionForm, ExtensionKind, ExtensionMap, ExtensionWriter, Extensions};
use wire::rtcp::{self, FeedbackHeader, RtcpPacket, XrBlock};
use wire::rtp::{self, HeaderFields, RtpHeader};
use wire::{Mid, PayloadType, Rid, RtpTimestamp, SeqNo, Ssrc, red, rtx};

/// Ids 1 to 12 and, for the two-byte form, 20, 40 … 240.
fn maps() -> [ExtensionMap; 2] {
    [1, 20].map(|step| {
        let mut map = ExtensionMap::new();
        for (id, kind) in (1..=12).map(|n: u8| n * step).zip(ExtensionKind::ALL) {
            assert!(map.insert(id, kind));
        }
        map
    })
}

/// A packet: its header, its elements and what they say, its payload; then every setter.
pub fn rtp(data: &[u8]) {
    wire::classify(data);
    let Ok(header) = RtpHeader::parse(data) else { return };
    assert!(header.header_len <= data.len());
    assert_eq!(header.csrcs(data).count(), usize::from(header.csrc_count));
    if let Ok((payload, padding)) = header.payload(data) {
        assert_eq!(header.header_len + payload.len() + usize::from(padding), data.len());
    }
    for map in maps() {
        let extensions = Extensions::parse(data, &header, &map);
        for kind in ExtensionKind::ALL {
            assert_eq!(extensions.range(kind).is_some(), extensions.contains(kind));
            if let Some(element) = extensions.get(data, kind) {
                read_element(element);
            }
        }
        write_elements(data, &extensions, &map);
    }
    set_everything(data, &header);
}

fn read_element(element: &[u8]) {
    black_box((extension::read_u16(element), extension::read_playout_delay(element)));
    black_box((extension::read_audio_level(element), extension::read_video_orientation(element)));
    black_box((Mid::from_bytes(element), Rid::from_bytes(element)));
    if let Some(ticks) = extension::read_toffset(element) {
        assert_eq!(extension::toffset_bytes(ticks), element[..3]);
    }
    if let Some(time) = extension::read_abs_capture_time(element) {
        let mut buffer = [0; 16];
        assert!(element.starts_with(extension::write_abs_capture_time(&mut buffer, time)));
    }
    if let Some(allocation) = extension::read_video_layers_allocation(element) {
        let mut out = Vec::new();
        extension::write_video_layers_allocation(&mut out, &allocation);
        let again = extension::read_video_layers_allocation(&out).expect("what was written can be read");
        assert_eq!(again.layers(), allocation.layers());
    }
}

/// What was found can be written in the two-byte form and is found again.
fn write_elements(data: &[u8], extensions: &Extensions, map: &ExtensionMap) {
    let mut out = Vec::new();
    let (seq, timestamp, ssrc) = (SeqNo::new(1), RtpTimestamp::new(2), Ssrc::new(3));
    let payload_type = PayloadType::from_low_bits(96);
    rtp::write_header(&mut out, &HeaderFields { marker: false, payload_type, seq, timestamp, ssrc }, true, false);
    let mut writer = ExtensionWriter::new(&mut out, ExtensionForm::TwoByte);
    for (id, kind) in map.iter() {
        if let Some(element) = extensions.get(data, kind) {
            assert!(writer.write(id, element).is_some());
        }
    }
    let has_block = writer.finish();
    rtp::set_has_extension(&mut out, has_block);
    let header = RtpHeader::parse(&out).expect("what was written can be read");
    let again = Extensions::parse(&out, &header, map);
    for kind in ExtensionKind::ALL {
        assert_eq!(again.get(&out, kind), extensions.get(data, kind));
    }
}

fn set_everything(data: &[u8], before: &RtpHeader) {
    let mut packet = data.to_vec();
    rtp::set_marker(&mut packet, !before.marker);
    rtp::set_payload_type(&mut packet, PayloadType::from_low_bits(!before.payload_type.get()));
    rtp::set_seq(&mut packet, before.seq.next());
    rtp::set_timestamp(&mut packet, before.timestamp.wrapping_add(7));
    rtp::set_ssrc(&mut packet, Ssrc::new(!before.ssrc.get()));
    let after = RtpHeader::parse(&packet).expect("setters keep a packet valid");
    assert_eq!(after.seq.distance_from(before.seq), 1);
    assert_eq!(after.timestamp.wrapping_sub(before.timestamp), 7);
    assert_eq!(
        (after.header_len, after.extension, after.has_padding),
        (before.header_len, before.extension, before.has_padding)
    );
}

/// A compound packet: everything that can be iterated, and transport feedback written again.
pub fn rtcp(data: &[u8]) {
    let mut failed = false;
    for packet in rtcp::packets(data) {
        assert!(!failed, "nothing comes after an error");
        failed = packet.is_err();
        match packet {
            Err(_) | Ok(RtcpPacket::Pli { .. } | RtcpPacket::Unknown { .. }) => {}
            Ok(RtcpPacket::SenderReport(report)) => {
                assert!(report.reports().count() <= rtcp::MAX_REPORT_BLOCKS);
                black_box(report.ntp.to_unix());
            }
            Ok(RtcpPacket::ReceiverReport(report)) => assert!(report.reports().count() <= rtcp::MAX_REPORT_BLOCKS),
            Ok(RtcpPacket::Sdes(sdes)) => assert!(sdes.chunks().count() <= 31),
            Ok(RtcpPacket::Bye(bye)) => assert!(bye.ssrcs().count() <= rtcp::MAX_BYE_SOURCES),
            Ok(RtcpPacket::Nack(nack)) => {
                let mut out = Vec::new();
                rtcp::write_nack(&mut out, nack.sender, nack.media, nack.seqs());
                assert!(nack.seqs().count() <= 17 * data.len() / 4);
            }
            Ok(RtcpPacket::Fir(fir)) => assert!(fir.entries().count() <= data.len() / 8),
            Ok(RtcpPacket::Remb(remb)) => check_remb(&remb),
            Ok(RtcpPacket::TransportFeedback(feedback)) => check_feedback(&feedback, data.len()),
            Ok(RtcpPacket::Xr(xr)) => xr.blocks().for_each(|block| match block {
                XrBlock::Dlrr(reports) => assert!(reports.count() <= data.len() / 12),
                XrBlock::Rrtr(time) => {
                    black_box((time.middle(), time.to_unix()));
                }
                XrBlock::Unknown(_) => {}
            }),
        }
    }
}

fn check_remb(remb: &rtcp::Remb<'_>) {
    let ssrcs: Vec<_> = remb.ssrcs().collect();
    let mut out = Vec::new();
    rtcp::write_remb(&mut out, remb.sender, remb.bitrate, &ssrcs);
    let Some(Ok(RtcpPacket::Remb(again))) = rtcp::packets(&out).next() else { panic!("what was written can be read") };
    assert_eq!(again.bitrate, remb.bitrate);
    assert!(again.ssrcs().eq(ssrcs));
}

fn check_feedback(feedback: &rtcp::TransportFeedback<'_>, len: usize) {
    assert!(feedback.received().count() <= len);
    let statuses: Vec<_> = feedback.statuses().map(|(_, delta)| delta).collect();
    assert_eq!(statuses.len(), usize::from(feedback.status_count));
    let received = feedback.statuses().filter_map(|(seq, delta)| Some((seq, delta?)));
    assert!(feedback.received().eq(received));
    if statuses.is_empty() {
        return;
    }
    let header = FeedbackHeader {
        sender: feedback.sender,
        media: feedback.media,
        base_seq: feedback.base_seq,
        reference_time: feedback.reference_time,
        feedback_count: feedback.feedback_count,
    };
    let mut out = Vec::new();
    assert_eq!(rtcp::write_transport_feedback(&mut out, &header, &statuses), Ok(statuses.len()));
    let Some(Ok(RtcpPacket::TransportFeedback(again))) = rtcp::packets(&out).next() else {
        panic!("what was written can be read")
    };
    assert!(again.statuses().eq(feedback.statuses()));
    assert_eq!(again.reference_ticks(), feedback.reference_ticks());
}

/// A redundant payload, and a retransmission's.
pub fn red_rtx(data: &[u8]) {
    if let Some((seq, original)) = rtx::read_osn(data) {
        let mut out = Vec::new();
        rtx::write_osn(&mut out, seq);
        out.extend_from_slice(original);
        assert_eq!(out, data);
    }
    let Ok(red) = red::parse(data) else { return };
    let blocks: Vec<_> = red.blocks().collect();
    let (primary, redundant) = blocks.split_last().expect("the primary is always there");
    assert_eq!(*primary, red.primary());
    let mut out = Vec::new();
    red::write(&mut out, redundant, primary.payload_type, primary.bytes).expect("what was read can be written");
    assert_eq!(out, data);
}
