//! Properties of RTCP over random packets: what is written comes back, and nothing that is read can panic.

mod damage;

use proptest::prelude::*;
use wire::rtcp::{self, DlrrReport, NtpTime, ReportBlock, RtcpPacket, SenderInfo, XrBlock};
use wire::{RtpTimestamp, SeqNo, Ssrc};

use crate::damage::damaged;

/// A packet that owns what it says.
#[derive(Clone, Debug, PartialEq)]
enum Owned {
    SenderReport(SenderInfo, Vec<ReportBlock>),
    ReceiverReport(Ssrc, Vec<ReportBlock>),
    Sdes(Ssrc, String),
    Bye(Vec<Ssrc>),
    Nack(Ssrc, Ssrc, Vec<SeqNo>),
    Pli(Ssrc, Ssrc),
    Fir(Ssrc, Vec<(Ssrc, u8)>),
    Remb(Ssrc, u64, Vec<Ssrc>),
    Rrtr(Ssrc, NtpTime),
    Dlrr(Ssrc, Vec<DlrrReport>),
    Feedback(Feedback),
}

#[derive(Clone, Debug, PartialEq)]
struct Feedback {
    base_seq: u16,
    reference_time: i32,
    feedback_count: u8,
    statuses: Vec<Option<i64>>,
}

const SENDER: Ssrc = Ssrc::new(0xfeed);
const MEDIA: Ssrc = Ssrc::new(0xbeef);

impl Owned {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::SenderReport(info, reports) => rtcp::write_sender_report(out, info, reports),
            Self::ReceiverReport(sender, reports) => rtcp::write_receiver_report(out, *sender, reports),
            Self::Sdes(ssrc, cname) => rtcp::write_sdes_cname(out, *ssrc, cname),
            Self::Bye(ssrcs) => rtcp::write_bye(out, ssrcs),
            Self::Nack(sender, media, seqs) => rtcp::write_nack(out, *sender, *media, seqs.iter().copied()),
            Self::Pli(sender, media) => rtcp::write_pli(out, *sender, *media),
            Self::Fir(sender, entries) => rtcp::write_fir(out, *sender, entries),
            Self::Remb(sender, bitrate, ssrcs) => rtcp::write_remb(out, *sender, *bitrate, ssrcs),
            Self::Rrtr(sender, now) => rtcp::write_xr_rrtr(out, *sender, *now),
            Self::Dlrr(sender, reports) => rtcp::write_xr_dlrr(out, *sender, reports),
            Self::Feedback(feedback) => {
                let header = rtcp::FeedbackHeader {
                    sender: SENDER,
                    media: MEDIA,
                    base_seq: SeqNo::new(feedback.base_seq),
                    reference_time: feedback.reference_time,
                    feedback_count: feedback.feedback_count,
                };
                let written = rtcp::write_transport_feedback(out, &header, &feedback.statuses);
                assert_eq!(written, Ok(feedback.statuses.len()));
            }
        }
    }

    fn read(packet: RtcpPacket<'_>) -> Self {
        match packet {
            RtcpPacket::SenderReport(report) => Self::SenderReport(
                SenderInfo {
                    sender: report.sender,
                    ntp: report.ntp,
                    rtp: report.rtp,
                    packet_count: report.packet_count,
                    octet_count: report.octet_count,
                },
                report.reports().collect(),
            ),
            RtcpPacket::ReceiverReport(report) => Self::ReceiverReport(report.sender, report.reports().collect()),
            RtcpPacket::Sdes(sdes) => {
                let (ssrc, cname) = sdes.chunks().next().expect("one chunk");
                Self::Sdes(ssrc, cname.expect("a name").to_owned())
            }
            RtcpPacket::Bye(bye) => Self::Bye(bye.ssrcs().collect()),
            RtcpPacket::Nack(nack) => Self::Nack(nack.sender, nack.media, nack.seqs().collect()),
            RtcpPacket::Pli { sender, media } => Self::Pli(sender, media),
            RtcpPacket::Fir(fir) => Self::Fir(fir.sender, fir.entries().collect()),
            RtcpPacket::Remb(remb) => Self::Remb(remb.sender, remb.bitrate, remb.ssrcs().collect()),
            RtcpPacket::Xr(xr) => match xr.blocks().next().expect("one block") {
                XrBlock::Rrtr(now) => Self::Rrtr(xr.sender, now),
                XrBlock::Dlrr(reports) => Self::Dlrr(xr.sender, reports.collect()),
                XrBlock::Unknown(block_type) => panic!("unknown block {block_type}"),
            },
            RtcpPacket::TransportFeedback(feedback) => {
                assert_eq!((feedback.sender, feedback.media), (SENDER, MEDIA));
                Self::Feedback(Feedback {
                    base_seq: feedback.base_seq.get(),
                    reference_time: feedback.reference_time,
                    feedback_count: feedback.feedback_count,
                    statuses: feedback.statuses().map(|(_, delta)| delta).collect(),
                })
            }
            RtcpPacket::Unknown { packet_type, format } => panic!("unknown type {packet_type}, format {format}"),
        }
    }
}

fn ssrc() -> impl Strategy<Value = Ssrc> {
    any::<u32>().prop_map(Ssrc::new)
}

fn ntp() -> impl Strategy<Value = NtpTime> {
    any::<u64>().prop_map(NtpTime::new)
}

fn report_blocks() -> impl Strategy<Value = Vec<ReportBlock>> {
    let block = (ssrc(), any::<u8>(), -0x80_0000i32..0x80_0000, any::<[u32; 4]>()).prop_map(
        |(ssrc, fraction_lost, cumulative_lost, [highest_seq, jitter, last_sr, delay_since_last_sr])| ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost,
            highest_seq,
            jitter,
            last_sr,
            delay_since_last_sr,
        },
    );
    prop::collection::vec(block, 0..=31)
}

/// Numbers in sending order, each once, within half a circle: gaps between them, from any start.
fn seqs() -> impl Strategy<Value = Vec<SeqNo>> {
    (any::<u16>(), prop::collection::vec(prop_oneof![3 => 1u16..4, 1 => 14u16..20, 1 => 1u16..300], 1..100)).prop_map(
        |(start, gaps)| {
            let following = gaps.iter().scan(SeqNo::new(start), |seq, &gap| {
                *seq = seq.wrapping_add(gap);
                Some(*seq)
            });
            std::iter::once(SeqNo::new(start)).chain(following).collect()
        },
    )
}

/// Runs of one kind and mixtures, so that every kind of chunk is met.
fn statuses() -> impl Strategy<Value = Vec<Option<i64>>> {
    let small = 0i64..=255;
    let large = prop_oneof![-0x8000i64..0, 256i64..0x8000];
    let stretch = prop_oneof![
        (1usize..60).prop_map(|len| vec![None; len]),
        (8_000usize..9_000).prop_map(|len| vec![None; len]),
        prop::collection::vec(small.clone().prop_map(Some), 1..40),
        prop::collection::vec(large.clone().prop_map(Some), 1..30),
        prop::collection::vec(prop_oneof![Just(None), small.clone().prop_map(Some)], 1..40),
        prop::collection::vec(prop_oneof![Just(None), small.prop_map(Some), large.prop_map(Some)], 1..40),
    ];
    prop::collection::vec(stretch, 1..6).prop_map(|stretches| stretches.concat())
}

fn feedback() -> impl Strategy<Value = Feedback> {
    (any::<u16>(), -0x80_0000i32..0x80_0000, any::<u8>(), statuses()).prop_map(
        |(base_seq, reference_time, feedback_count, statuses)| Feedback {
            base_seq,
            reference_time,
            feedback_count,
            statuses,
        },
    )
}

fn packet() -> impl Strategy<Value = Owned> {
    let sources = |range| prop::collection::vec(ssrc(), range);
    let info = (ssrc(), ntp(), any::<[u32; 3]>()).prop_map(|(sender, ntp, [rtp, packet_count, octet_count])| {
        SenderInfo { sender, ntp, rtp: RtpTimestamp::new(rtp), packet_count, octet_count }
    });
    let dlrr =
        (ssrc(), any::<u32>(), any::<u32>()).prop_map(|(ssrc, last_rr, delay)| DlrrReport { ssrc, last_rr, delay });
    prop_oneof![
        (info, report_blocks()).prop_map(|(info, reports)| Owned::SenderReport(info, reports)),
        (ssrc(), report_blocks()).prop_map(|(sender, reports)| Owned::ReceiverReport(sender, reports)),
        (ssrc(), "\\PC{0,60}").prop_map(|(ssrc, cname)| Owned::Sdes(ssrc, cname)),
        sources(0..=31).prop_map(Owned::Bye),
        (ssrc(), ssrc(), seqs()).prop_map(|(sender, media, seqs)| Owned::Nack(sender, media, seqs)),
        (ssrc(), ssrc()).prop_map(|(sender, media)| Owned::Pli(sender, media)),
        (ssrc(), prop::collection::vec((ssrc(), any::<u8>()), 1..20))
            .prop_map(|(sender, entries)| Owned::Fir(sender, entries)),
        (ssrc(), 0u64..1 << 18, 0u32..=46, sources(0..=255))
            .prop_map(|(sender, mantissa, exponent, ssrcs)| Owned::Remb(sender, mantissa << exponent, ssrcs)),
        (ssrc(), ntp()).prop_map(|(sender, now)| Owned::Rrtr(sender, now)),
        (ssrc(), prop::collection::vec(dlrr, 1..20)).prop_map(|(sender, reports)| Owned::Dlrr(sender, reports)),
        feedback().prop_map(Owned::Feedback),
    ]
}

fn compound() -> impl Strategy<Value = Vec<Owned>> {
    prop::collection::vec(packet(), 0..6)
}

fn written(packets: &[Owned]) -> Vec<u8> {
    let mut out = Vec::new();
    packets.iter().for_each(|packet| packet.write(&mut out));
    out
}

/// Reads everything that these bytes can say, and checks that no iterator says more than the bytes can hold.
fn read_all(bytes: &[u8]) {
    let mut failed = false;
    for packet in rtcp::packets(bytes) {
        assert!(!failed, "nothing comes after an error");
        failed = packet.is_err();
        match packet {
            Err(_) | Ok(RtcpPacket::Pli { .. } | RtcpPacket::Unknown { .. }) => {}
            Ok(RtcpPacket::SenderReport(report)) => assert!(report.reports().count() <= 31),
            Ok(RtcpPacket::ReceiverReport(report)) => assert!(report.reports().count() <= 31),
            Ok(RtcpPacket::Sdes(sdes)) => assert!(sdes.chunks().count() <= 31),
            Ok(RtcpPacket::Bye(bye)) => assert!(bye.ssrcs().count() <= 31),
            Ok(RtcpPacket::Nack(nack)) => assert!(nack.seqs().count() <= 17 * bytes.len() / 4),
            Ok(RtcpPacket::Fir(fir)) => assert!(fir.entries().count() <= bytes.len() / 8),
            Ok(RtcpPacket::Remb(remb)) => assert!(remb.ssrcs().count() <= 255),
            Ok(RtcpPacket::Xr(xr)) => {
                for block in xr.blocks() {
                    if let XrBlock::Dlrr(reports) = block {
                        assert!(reports.count() <= bytes.len() / 12);
                    }
                }
            }
            Ok(RtcpPacket::TransportFeedback(feedback)) => {
                assert_eq!(feedback.statuses().count(), usize::from(feedback.status_count));
                assert!(feedback.received().count() <= bytes.len());
                let received = feedback.statuses().filter_map(|(seq, delta)| Some((seq, delta?)));
                assert!(feedback.received().eq(received));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_compound_packet_comes_back_as_it_was_written(packets in compound()) {
        let bytes = written(&packets);
        let read: Result<Vec<_>, _> = rtcp::packets(&bytes).map(|packet| packet.map(Owned::read)).collect();
        prop_assert_eq!(read, Ok(packets));
    }

    #[test]
    fn a_packet_cut_anywhere_is_an_error_and_never_a_panic(packet in packet()) {
        let bytes = written(&[packet]);
        for len in 1..bytes.len() {
            read_all(&bytes[..len]);
            prop_assert!(rtcp::packets(&bytes[..len]).all(|packet| packet.is_err()), "{}", len);
        }
    }

    #[test]
    fn a_packet_whose_body_ends_early_is_read_without_panic(packet in packet()) {
        // The length field agrees with what is left, so that the cut reaches the body's parser.
        let bytes = written(&[packet]);
        for words in 0..bytes.len() / 4 {
            let mut cut = bytes[..4 * (words + 1)].to_vec();
            cut[2..4].copy_from_slice(&(words as u16).to_be_bytes());
            read_all(&cut);
        }
    }

    #[test]
    fn a_damaged_packet_is_read_without_panic(bytes in damaged(compound().prop_map(|packets| written(&packets)))) {
        read_all(&bytes);
    }

    #[test]
    fn random_bodies_are_read_without_panic(count in 0u8..32, packet_type in 192u8..=223, mut body in prop::collection::vec(any::<u8>(), 0..100)) {
        body.truncate(body.len() / 4 * 4);
        let head = [0x80 | count, packet_type, 0, (body.len() / 4) as u8];
        read_all(&[&head, &body[..]].concat());
    }

    #[test]
    fn an_estimate_is_never_more_than_was_written(bitrate in any::<u64>()) {
        let mut out = Vec::new();
        rtcp::write_remb(&mut out, SENDER, bitrate, &[]);
        let Some(Ok(RtcpPacket::Remb(remb))) = rtcp::packets(&out).next() else { panic!("not an estimate") };
        prop_assert!(remb.bitrate <= bitrate);
        prop_assert!(bitrate - remb.bitrate <= bitrate >> 17);
    }

    #[test]
    fn wall_time_comes_back_to_the_nanosecond(secs in 0u64..1 << 32, nanos in 0u32..1_000_000_000) {
        let time = std::time::Duration::new(secs, nanos);
        prop_assert_eq!(NtpTime::from_system(time).to_unix(), time);
    }
}

/// When the packets of a transport arrive, in ticks of 250 µs; `None` is lost.
fn arrivals() -> impl Strategy<Value = (u16, i64, Vec<Option<i64>>)> {
    // The reference time wraps after 2²⁴ steps of 256 ticks: some starts stand just before that.
    let start =
        prop_oneof![0i64..1 << 34, ((1i64 << 31) - 20_000)..(1i64 << 31), ((1i64 << 32) - 20_000)..(1i64 << 32)];
    let gap = prop_oneof![
        20 => 0i64..40,       // paced
        4 => 200i64..300,     // about the border of one byte
        2 => -300i64..0,      // reordered
        2 => 1_000i64..40_000, // a pause, some of them longer than 16 bits
        1 => 100_000i64..10_000_000,
    ];
    let stretch = prop_oneof![
        prop::collection::vec(gap.clone().prop_map(Some), 1..60),
        prop::collection::vec(prop::option::weighted(0.8, gap), 1..60),
        (1usize..200).prop_map(|len| vec![None; len]),
    ];
    (any::<u16>(), start, prop::collection::vec(stretch, 1..12)).prop_map(|(base_seq, start, stretches)| {
        let mut now = start;
        let arrivals = stretches.concat().into_iter().map(|gap| {
            gap.map(|gap| {
                now += gap;
                now
            })
        });
        (base_seq, start, arrivals.collect())
    })
}

/// Reports on all arrivals in as many feedbacks as it takes, `most` packets in each.
fn report(base_seq: u16, start: i64, arrivals: &[Option<i64>], most: usize) -> Vec<Vec<u8>> {
    let mut feedbacks = Vec::new();
    let (mut done, mut seq) = (0, SeqNo::new(base_seq));
    while done < arrivals.len() {
        let part = &arrivals[done..arrivals.len().min(done + most)];
        let reference_time = part.iter().flatten().next().unwrap_or(&start).div_euclid(256);
        let mut previous = reference_time * 256;
        let statuses: Vec<_> = part
            .iter()
            .map(|arrival| arrival.map(|arrival| arrival - std::mem::replace(&mut previous, arrival)))
            .collect();
        let header = rtcp::FeedbackHeader {
            sender: SENDER,
            media: MEDIA,
            base_seq: seq,
            // Low bits of a time that goes on for ever.
            reference_time: reference_time as i32,
            feedback_count: feedbacks.len() as u8,
        };
        let mut out = Vec::new();
        let written = rtcp::write_transport_feedback(&mut out, &header, &statuses).expect("the first delta is small");
        assert!(out.len() <= 20 + 2 * written + 2 * written.div_ceil(7) + 3, "{} bytes for {written}", out.len());
        done += written;
        seq = seq.wrapping_add(written as u16);
        feedbacks.push(out);
    }
    feedbacks
}

proptest! {
    #[test]
    fn arrivals_are_rebuilt_from_feedback_across_every_wrap(
        (base_seq, start, arrivals) in arrivals(),
        most in prop_oneof![1usize..20, 20usize..2_000],
    ) {
        let mut expected_seq = SeqNo::new(base_seq);
        let mut rebuilt = Vec::new();
        // The first reference time is known to the test; the sender of media would take it as its zero.
        let mut reference = arrivals.iter().flatten().take(1).copied().next().unwrap_or(start).div_euclid(256);
        for bytes in report(base_seq, start, &arrivals, most) {
            let Some(Ok(RtcpPacket::TransportFeedback(feedback))) = rtcp::packets(&bytes).next() else {
                panic!("not a feedback")
            };
            if feedback.received().next().is_some() {
                reference += i64::from(rtcp::reference_time_distance(feedback.reference_time, reference as i32));
            }
            let mut arrival = reference * 256;
            for (seq, delta) in feedback.statuses() {
                prop_assert_eq!(seq, expected_seq);
                expected_seq = expected_seq.next();
                rebuilt.push(delta.map(|delta| {
                    arrival += delta;
                    arrival
                }));
            }
        }
        prop_assert_eq!(rebuilt, arrivals);
    }
}
