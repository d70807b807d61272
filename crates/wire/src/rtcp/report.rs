//! Sender and receiver reports (RFC 3550 §6.4).

use super::writer::PacketWriter;
use super::{NtpTime, RECEIVER_REPORT, SENDER_REPORT, split_ssrc, split_u32};
use crate::{RtpTimestamp, Ssrc};

/// Most blocks of one report: a five-bit count.
pub const MAX_REPORT_BLOCKS: usize = 31;

const BLOCK_LEN: usize = 24;

/// How one stream is received.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReportBlock {
    /// The stream that is reported on.
    pub ssrc: Ssrc,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning, 24 bits with sign: duplicates count as negative loss.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with 16 bits of roll-over count above.
    pub highest_seq: u32,
    /// Jitter in ticks of the RTP clock.
    pub jitter: u32,
    /// Middle of the NTP time of the last sender report; 0 before the first.
    pub last_sr: u32,
    /// Time since the last sender report, in 2⁻¹⁶ s.
    pub delay_since_last_sr: u32,
}

/// Least and most of a 24-bit number with sign.
const CUMULATIVE_RANGE: (i32, i32) = (-0x80_0000, 0x7f_ffff);

impl ReportBlock {
    fn read(bytes: &[u8; BLOCK_LEN]) -> Self {
        let [s0, s1, s2, s3, fraction_lost, c0, c1, c2, h0, h1, h2, h3, rest @ ..] = *bytes;
        let [j0, j1, j2, j3, l0, l1, l2, l3, d0, d1, d2, d3] = rest;
        Self {
            ssrc: Ssrc::new(u32::from_be_bytes([s0, s1, s2, s3])),
            fraction_lost,
            cumulative_lost: i32::from_be_bytes([c0, c1, c2, 0]) >> 8,
            highest_seq: u32::from_be_bytes([h0, h1, h2, h3]),
            jitter: u32::from_be_bytes([j0, j1, j2, j3]),
            last_sr: u32::from_be_bytes([l0, l1, l2, l3]),
            delay_since_last_sr: u32::from_be_bytes([d0, d1, d2, d3]),
        }
    }

    fn write(&self, packet: &mut PacketWriter<'_>) {
        let (least, most) = CUMULATIVE_RANGE;
        let [_, c0, c1, c2] = self.cumulative_lost.clamp(least, most).to_be_bytes();
        packet
            .ssrc(self.ssrc)
            .bytes(&[self.fraction_lost, c0, c1, c2])
            .u32(self.highest_seq)
            .u32(self.jitter)
            .u32(self.last_sr)
            .u32(self.delay_since_last_sr);
    }
}

/// The first `count` blocks of `rest`; `None` when there are fewer. What follows is a profile's, and ignored.
fn blocks(rest: &[u8], count: usize) -> Option<&[[u8; BLOCK_LEN]]> {
    rest.as_chunks().0.get(..count)
}

/// What a sender tells about its stream, and about the streams it receives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SenderReport<'a> {
    /// The stream.
    pub sender: Ssrc,
    /// When the report was made.
    pub ntp: NtpTime,
    /// The same instant in the clock of the stream.
    pub rtp: RtpTimestamp,
    /// Packets sent, wraps.
    pub packet_count: u32,
    /// Payload bytes sent, wraps.
    pub octet_count: u32,
    blocks: &'a [[u8; BLOCK_LEN]],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        let (sender, rest) = split_ssrc(body)?;
        let (secs, rest) = split_u32(rest)?;
        let (frac, rest) = split_u32(rest)?;
        let (rtp, rest) = split_u32(rest)?;
        let (packet_count, rest) = split_u32(rest)?;
        let (octet_count, rest) = split_u32(rest)?;
        Some(Self {
            sender,
            ntp: NtpTime::from_parts(secs, frac),
            rtp: RtpTimestamp::new(rtp),
            packet_count,
            octet_count,
            blocks: blocks(rest, count)?,
        })
    }

    /// How the sender receives others.
    pub fn reports(&self) -> impl ExactSizeIterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::read)
    }
}

/// What somebody tells about the streams they receive.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub sender: Ssrc,
    blocks: &'a [[u8; BLOCK_LEN]],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(body: &'a [u8], count: usize) -> Option<Self> {
        let (sender, rest) = split_ssrc(body)?;
        Some(Self { sender, blocks: blocks(rest, count)? })
    }

    /// One block for each stream.
    pub fn reports(&self) -> impl ExactSizeIterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().map(ReportBlock::read)
    }
}

/// The sender's part of a sender report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SenderInfo {
    /// The stream.
    pub sender: Ssrc,
    /// Now.
    pub ntp: NtpTime,
    /// Now, in the clock of the stream.
    pub rtp: RtpTimestamp,
    /// Packets sent, wraps.
    pub packet_count: u32,
    /// Payload bytes sent, wraps.
    pub octet_count: u32,
}

/// Appends a sender report. Blocks beyond [`MAX_REPORT_BLOCKS`] are left out.
pub fn write_sender_report(out: &mut Vec<u8>, info: &SenderInfo, reports: &[ReportBlock]) {
    let count = reports.len().min(MAX_REPORT_BLOCKS);
    let mut packet = PacketWriter::new(out, SENDER_REPORT, count as u8);
    packet
        .ssrc(info.sender)
        .bytes(&info.ntp.get().to_be_bytes())
        .u32(info.rtp.get())
        .u32(info.packet_count)
        .u32(info.octet_count);
    reports.iter().take(count).for_each(|report| report.write(&mut packet));
    packet.finish();
}

/// Appends a receiver report. Blocks beyond [`MAX_REPORT_BLOCKS`] are left out.
pub fn write_receiver_report(out: &mut Vec<u8>, sender: Ssrc, reports: &[ReportBlock]) {
    let count = reports.len().min(MAX_REPORT_BLOCKS);
    let mut packet = PacketWriter::new(out, RECEIVER_REPORT, count as u8);
    packet.ssrc(sender);
    reports.iter().take(count).for_each(|report| report.write(&mut packet));
    packet.finish();
}

#[cfg(test)]
mod tests {
    use super::super::{RtcpError, RtcpPacket, packets};
    use super::*;

    /// RFC 3550 §6.4.1, one block.
    const REPORT: [u8; 52] = [
        0x81, 200, 0, 12, // version 2, one block, 13 words
        0, 0, 0, 9, // sender
        0xb4, 0x4d, 0xb7, 0x05, 0x20, 0, 0, 0, // NTP
        0, 0, 0x10, 0, // RTP timestamp
        0, 0, 0, 100, // packets
        0, 1, 0, 0, // octets
        0, 0, 0, 7, // stream
        0x80, 0xff, 0xff, 0xfe, // half lost; two more received than sent
        0, 1, 0, 2, // one wrap, number 2
        0, 0, 0, 50, // jitter
        0xb7, 0x05, 0x20, 0, // last report
        0, 5, 0x40, 0, // 5.25 s ago
    ];

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: Ssrc::new(7),
            fraction_lost: 128,
            cumulative_lost: -2,
            highest_seq: 0x1_0002,
            jitter: 50,
            last_sr: 0xb705_2000,
            delay_since_last_sr: 0x5_4000,
        }
    }

    fn info() -> SenderInfo {
        SenderInfo {
            sender: Ssrc::new(9),
            ntp: NtpTime::from_parts(0xb44d_b705, 0x2000_0000),
            rtp: RtpTimestamp::new(0x1000),
            packet_count: 100,
            octet_count: 0x1_0000,
        }
    }

    #[test]
    fn a_sender_report_is_read_field_by_field() {
        let Some(Ok(RtcpPacket::SenderReport(report))) = packets(&REPORT).next() else { panic!("not a report") };
        let SenderInfo { sender, ntp, rtp, packet_count, octet_count } = info();
        assert_eq!((report.sender, report.ntp, report.rtp), (sender, ntp, rtp));
        assert_eq!((report.packet_count, report.octet_count), (packet_count, octet_count));
        assert_eq!(report.reports().collect::<Vec<_>>(), [block()]);
    }

    #[test]
    fn reports_are_written_as_they_are_read() {
        let mut out = Vec::new();
        write_sender_report(&mut out, &info(), &[block()]);
        assert_eq!(out, REPORT);
        out.clear();
        write_receiver_report(&mut out, Ssrc::new(9), &[block()]);
        assert_eq!(out[..8], [0x81, 201, 0, 7, 0, 0, 0, 9]);
        assert_eq!(out[8..], REPORT[28..]);
    }

    #[test]
    fn a_report_has_at_most_31_blocks() {
        let mut out = Vec::new();
        write_receiver_report(&mut out, Ssrc::new(9), &[block(); 32]);
        let Some(Ok(RtcpPacket::ReceiverReport(report))) = packets(&out).next() else { panic!("not a report") };
        assert_eq!(report.reports().len(), MAX_REPORT_BLOCKS);
        assert_eq!(out.len(), 8 + 31 * 24);
    }

    #[test]
    fn a_count_beyond_the_body_is_refused() {
        let mut report = REPORT;
        report[0] = 0x82;
        assert_eq!(packets(&report).next(), Some(Err(RtcpError::Malformed { packet_type: 200 })));
    }

    #[test]
    fn what_a_profile_adds_after_the_blocks_is_ignored() {
        let mut report = REPORT;
        report[0] = 0x80;
        let Some(Ok(RtcpPacket::SenderReport(report))) = packets(&report).next() else { panic!("not a report") };
        assert_eq!(report.reports().len(), 0);
    }

    #[test]
    fn the_loss_count_stops_at_the_ends_of_its_24_bits() {
        for (lost, sent) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1)] {
            let mut out = Vec::new();
            write_receiver_report(&mut out, Ssrc::new(9), &[ReportBlock { cumulative_lost: lost, ..block() }]);
            let Some(Ok(RtcpPacket::ReceiverReport(report))) = packets(&out).next() else { panic!("not a report") };
            assert_eq!(report.reports().next().map(|block| block.cumulative_lost), Some(sent));
        }
    }
}
