//! Extended reports: the receiver's reference time and the answer to it, from which one who only receives
//! measures the round trip (RFC 3611 §4.4, §4.5).

use super::writer::PacketWriter;
use super::{EXTENDED_REPORT, NtpTime, split_ssrc};
use crate::Ssrc;

const REFERENCE_TIME_BLOCK: u8 = 4;
const DELAY_BLOCK: u8 = 5;
const REPORT_LEN: usize = 12;

/// Extended reports of one source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Xr<'a> {
    /// Who reports.
    pub sender: Ssrc,
    /// Blocks that were walked once.
    blocks: &'a [u8],
}

/// One block of an extended report.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum XrBlock<'a> {
    /// The receiver's time.
    Rrtr(NtpTime),
    /// Delays since such times.
    Dlrr(DlrrReports<'a>),
    /// A block type that we do not know, or one of ours with a wrong length.
    Unknown(u8),
}

/// When the last reference time of a receiver came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DlrrReport {
    /// The receiver.
    pub ssrc: Ssrc,
    /// Middle of the reference time; 0 before the first.
    pub last_rr: u32,
    /// Time since it came, in 2⁻¹⁶ s.
    pub delay: u32,
}

/// Iterator over the reports of one block.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DlrrReports<'a> {
    rest: &'a [[u8; REPORT_LEN]],
}

impl Iterator for DlrrReports<'_> {
    type Item = DlrrReport;

    fn next(&mut self) -> Option<DlrrReport> {
        let (&[s0, s1, s2, s3, l0, l1, l2, l3, d0, d1, d2, d3], rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(DlrrReport {
            ssrc: Ssrc::new(u32::from_be_bytes([s0, s1, s2, s3])),
            last_rr: u32::from_be_bytes([l0, l1, l2, l3]),
            delay: u32::from_be_bytes([d0, d1, d2, d3]),
        })
    }
}

impl<'a> Xr<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (sender, blocks) = split_ssrc(body)?;
        let mut rest = blocks;
        while !rest.is_empty() {
            (_, rest) = split_block(rest)?;
        }
        Some(Self { sender, blocks })
    }

    /// The blocks in the order sent.
    pub fn blocks(&self) -> impl Iterator<Item = XrBlock<'a>> + use<'a> {
        let mut rest = self.blocks;
        std::iter::from_fn(move || {
            let block;
            (block, rest) = split_block(rest)?;
            Some(block)
        })
    }
}

fn split_block(bytes: &[u8]) -> Option<(XrBlock<'_>, &[u8])> {
    let (&[block_type, _, l0, l1], after) = bytes.split_first_chunk::<4>()?;
    let (body, rest) = after.split_at_checked(4 * usize::from(u16::from_be_bytes([l0, l1])))?;
    let block = match (block_type, <[u8; 8]>::try_from(body), body.as_chunks()) {
        (REFERENCE_TIME_BLOCK, Ok(time), _) => XrBlock::Rrtr(NtpTime::new(u64::from_be_bytes(time))),
        (DELAY_BLOCK, _, (reports, [])) => XrBlock::Dlrr(DlrrReports { rest: reports }),
        _ => XrBlock::Unknown(block_type),
    };
    Some((block, rest))
}

/// Appends our reference time.
pub fn write_xr_rrtr(out: &mut Vec<u8>, sender: Ssrc, now: NtpTime) {
    let mut packet = PacketWriter::new(out, EXTENDED_REPORT, 0);
    packet.ssrc(sender).bytes(&[REFERENCE_TIME_BLOCK, 0, 0, 2]).bytes(&now.get().to_be_bytes());
    packet.finish();
}

/// Most reports of one packet that its length can tell.
const MAX_DLRR_REPORTS: usize = (super::writer::MAX_BODY_LEN - 8) / REPORT_LEN;

/// Appends answers to reference times. Without reports nothing is written.
pub fn write_xr_dlrr(out: &mut Vec<u8>, sender: Ssrc, reports: &[DlrrReport]) {
    let count = reports.len().min(MAX_DLRR_REPORTS);
    if count == 0 {
        return;
    }
    let mut packet = PacketWriter::new(out, EXTENDED_REPORT, 0);
    packet.ssrc(sender).bytes(&[DELAY_BLOCK, 0]).u16((count * REPORT_LEN / 4) as u16);
    for report in reports.iter().take(count) {
        packet.ssrc(report.ssrc).u32(report.last_rr).u32(report.delay);
    }
    packet.finish();
}

#[cfg(test)]
mod tests {
    use super::super::{RtcpError, RtcpPacket, packets};
    use super::*;

    const SENDER: Ssrc = Ssrc::new(1);

    fn blocks(bytes: &[u8]) -> Option<Vec<XrBlock<'_>>> {
        match packets(bytes).next() {
            Some(Ok(RtcpPacket::Xr(xr))) => {
                assert_eq!(xr.sender, SENDER);
                Some(xr.blocks().collect())
            }
            Some(Err(RtcpError::Malformed { packet_type: 207 })) => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_reference_time_is_a_block_of_two_words() {
        let bytes = [0x80, 207, 0, 4, 0, 0, 0, 1, 4, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8];
        let time = NtpTime::new(0x0102_0304_0506_0708);
        assert_eq!(blocks(&bytes), Some(vec![XrBlock::Rrtr(time)]));
        let mut out = Vec::new();
        write_xr_rrtr(&mut out, SENDER, time);
        assert_eq!(out, bytes);
    }

    #[test]
    fn delays_are_three_words_for_each_receiver() {
        let reports = [
            DlrrReport { ssrc: Ssrc::new(2), last_rr: 0x0304_0506, delay: 0x1_0000 },
            DlrrReport { ssrc: Ssrc::new(3), last_rr: 0, delay: 0 },
        ];
        let mut out = Vec::new();
        write_xr_dlrr(&mut out, SENDER, &reports);
        assert_eq!(out[..16], [0x80, 207, 0, 8, 0, 0, 0, 1, 5, 0, 0, 6, 0, 0, 0, 2]);
        assert_eq!(out[16..24], [3, 4, 5, 6, 0, 1, 0, 0]);
        let Some([XrBlock::Dlrr(read)]) = blocks(&out).as_deref().map(|b| <[_; 1]>::try_from(b).unwrap()) else {
            panic!("not delays")
        };
        assert_eq!(read.collect::<Vec<_>>(), reports);
        out.clear();
        write_xr_dlrr(&mut out, SENDER, &[]);
        assert!(out.is_empty());
    }

    #[test]
    fn unknown_blocks_and_blocks_of_a_wrong_length_are_told_by_type() {
        let bytes = [
            0x80, 207, 0, 7, 0, 0, 0, 1, //
            6, 0, 0, 1, 0, 0, 0, 0, // statistics summary
            4, 0, 0, 1, 0, 0, 0, 0, // reference time of one word
            5, 0, 0, 1, 0, 0, 0, 0, // a third of a delay
        ];
        assert_eq!(blocks(&bytes), Some(vec![XrBlock::Unknown(6), XrBlock::Unknown(4), XrBlock::Unknown(5)]));
    }

    #[test]
    fn a_block_beyond_the_body_is_refused() {
        assert_eq!(blocks(&[0x80, 207, 0, 3, 0, 0, 0, 1, 4, 0, 0, 2, 1, 2, 3, 4]), None);
        assert_eq!(blocks(&[0x80, 207, 0, 0]), None);
    }

    #[test]
    fn delays_beyond_the_length_of_a_packet_are_cut() {
        let mut out = Vec::new();
        write_xr_dlrr(&mut out, SENDER, &[DlrrReport { ssrc: SENDER, last_rr: 1, delay: 2 }; 30_000]);
        let Some(Ok(RtcpPacket::Xr(xr))) = packets(&out).next() else { panic!("not a report") };
        let Some(XrBlock::Dlrr(reports)) = xr.blocks().next() else { panic!("not delays") };
        assert_eq!(reports.count(), MAX_DLRR_REPORTS);
    }
}
