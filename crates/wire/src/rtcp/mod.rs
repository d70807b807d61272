//! RTCP, read in place and written packet by packet (RFC 3550 §6, RFC 4585, RFC 5506).
//!
//! A packet is checked as a whole when it is met, so that what iterates over it cannot fail. Rules about the order
//! within a compound packet are not enforced: reduced-size RTCP has none (RFC 5506 §3.1).

mod feedback;
mod ntp;
mod report;
mod sdes;
mod twcc;
mod writer;
mod xr;

use crate::Ssrc;

pub use feedback::{Fir, Nack, Remb, write_fir, write_nack, write_pli, write_remb};
pub use ntp::NtpTime;
pub use report::{
    MAX_REPORT_BLOCKS, ReceiverReport, ReportBlock, SenderInfo, SenderReport, write_receiver_report,
    write_sender_report,
};
pub use sdes::{Bye, MAX_BYE_SOURCES, Sdes, write_bye, write_sdes_cname};
pub use twcc::{
    FeedbackError, FeedbackHeader, Statuses, TransportFeedback, reference_time_distance, write_transport_feedback,
};
pub use xr::{DlrrReport, DlrrReports, Xr, XrBlock, write_xr_dlrr, write_xr_rrtr};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const EXTENDED_REPORT: u8 = 207;

/// Formats of transport layer feedback (RFC 4585 §6.2, draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
const NACK_FORMAT: u8 = 1;
const TRANSPORT_CC_FORMAT: u8 = 15;

/// Formats of payload-specific feedback (RFC 4585 §6.3, RFC 5104 §4.3.1).
const PLI_FORMAT: u8 = 1;
const FIR_FORMAT: u8 = 4;
const APPLICATION_FORMAT: u8 = 15;

/// Why bytes are not an RTCP packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RtcpError {
    /// The bytes end inside a packet.
    #[error("bytes end inside a packet")]
    Short,
    /// Not RTP version 2.
    #[error("version is not 2")]
    Version,
    /// The padding count is zero or larger than the packet.
    #[error("padding count is zero or larger than the packet")]
    Padding,
    /// The body is shorter than it says, or contradicts itself.
    #[error("body of packet type {packet_type} is malformed")]
    Malformed {
        /// Packet type of the packet.
        packet_type: u8,
    },
}

/// One packet of a compound packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RtcpPacket<'a> {
    /// What a sender has sent and received.
    SenderReport(SenderReport<'a>),
    /// What a receiver has received.
    ReceiverReport(ReceiverReport<'a>),
    /// Names of sources.
    Sdes(Sdes<'a>),
    /// Sources that have ended.
    Bye(Bye<'a>),
    /// Packets that are missing.
    Nack(Nack<'a>),
    /// Picture loss: a key frame is needed (RFC 4585 §6.3.1).
    Pli {
        /// Who asks.
        sender: Ssrc,
        /// The stream that is broken.
        media: Ssrc,
    },
    /// A key frame is wanted.
    Fir(Fir<'a>),
    /// How much the receiver can take.
    Remb(Remb<'a>),
    /// When the packets of a transport arrived.
    TransportFeedback(TransportFeedback<'a>),
    /// Extended reports.
    Xr(Xr<'a>),
    /// A type or format that we do not know.
    Unknown {
        /// The packet type.
        packet_type: u8,
        /// The five bits that are a count or a format.
        format: u8,
    },
}

/// The packets in `bytes`, compound or reduced-size. Ends after the first error.
pub fn packets(bytes: &[u8]) -> Packets<'_> {
    Packets { rest: bytes }
}

/// Iterator over the packets of a compound packet.
#[derive(Clone, Copy, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<RtcpPacket<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match split_packet(self.rest) {
            Ok((head, body, rest)) => {
                let packet = RtcpPacket::parse(head, body);
                self.rest = if packet.is_ok() { rest } else { &[] };
                Some(packet)
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// Second byte and count or format of a packet's header (RFC 3550 §6.4.1).
#[derive(Clone, Copy)]
struct Head {
    packet_type: u8,
    /// Count of blocks, or format; five bits.
    count: u8,
}

/// Takes the first packet off: its header, its body without padding, and what follows.
fn split_packet(bytes: &[u8]) -> Result<(Head, &[u8], &[u8]), RtcpError> {
    let (&[flags, packet_type, l0, l1], after) = bytes.split_first_chunk::<4>().ok_or(RtcpError::Short)?;
    if flags >> 6 != 2 {
        return Err(RtcpError::Version);
    }
    let len = 4 * usize::from(u16::from_be_bytes([l0, l1]));
    let (mut body, rest) = after.split_at_checked(len).ok_or(RtcpError::Short)?;
    if flags & 0x20 != 0 {
        let &padding = body.last().ok_or(RtcpError::Padding)?;
        let end = body.len().checked_sub(usize::from(padding)).ok_or(RtcpError::Padding)?;
        body = body.get(..end).filter(|_| padding != 0).ok_or(RtcpError::Padding)?;
    }
    Ok((Head { packet_type, count: flags & 0x1f }, body, rest))
}

impl<'a> RtcpPacket<'a> {
    fn parse(head: Head, body: &'a [u8]) -> Result<Self, RtcpError> {
        let count = usize::from(head.count);
        let packet = match (head.packet_type, head.count) {
            (SENDER_REPORT, _) => SenderReport::parse(body, count).map(Self::SenderReport),
            (RECEIVER_REPORT, _) => ReceiverReport::parse(body, count).map(Self::ReceiverReport),
            (SOURCE_DESCRIPTION, _) => Sdes::parse(body, count).map(Self::Sdes),
            (GOODBYE, _) => Bye::parse(body, count).map(Self::Bye),
            (TRANSPORT_FEEDBACK, NACK_FORMAT) => Nack::parse(body).map(Self::Nack),
            (TRANSPORT_FEEDBACK, TRANSPORT_CC_FORMAT) => TransportFeedback::parse(body).map(Self::TransportFeedback),
            (PAYLOAD_FEEDBACK, PLI_FORMAT) => feedback_head(body).map(|(sender, media, _)| Self::Pli { sender, media }),
            (PAYLOAD_FEEDBACK, FIR_FORMAT) => Fir::parse(body).map(Self::Fir),
            (PAYLOAD_FEEDBACK, APPLICATION_FORMAT) if Remb::is_remb(body) => Remb::parse(body).map(Self::Remb),
            (EXTENDED_REPORT, _) => Xr::parse(body).map(Self::Xr),
            (packet_type, format) => Some(Self::Unknown { packet_type, format }),
        };
        packet.ok_or(RtcpError::Malformed { packet_type: head.packet_type })
    }
}

/// Splits the two sources off that every feedback packet starts with (RFC 4585 §6.1).
fn feedback_head(body: &[u8]) -> Option<(Ssrc, Ssrc, &[u8])> {
    let (sender, rest) = split_ssrc(body)?;
    let (media, rest) = split_ssrc(rest)?;
    Some((sender, media, rest))
}

fn split_ssrc(bytes: &[u8]) -> Option<(Ssrc, &[u8])> {
    let (ssrc, rest) = split_u32(bytes)?;
    Some((Ssrc::new(ssrc), rest))
}

fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (&value, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(value), rest))
}

/// The whole words of `bytes` as sources.
fn ssrcs_of(bytes: &[u8]) -> impl ExactSizeIterator<Item = Ssrc> {
    bytes.as_chunks::<4>().0.iter().map(|&ssrc| Ssrc::new(u32::from_be_bytes(ssrc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLI: [u8; 12] = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];

    fn parse(bytes: &[u8]) -> Vec<Result<RtcpPacket<'_>, RtcpError>> {
        packets(bytes).collect()
    }

    fn pli() -> Result<RtcpPacket<'static>, RtcpError> {
        Ok(RtcpPacket::Pli { sender: Ssrc::new(1), media: Ssrc::new(2) })
    }

    #[test]
    fn packets_follow_each_other_with_or_without_a_report_first() {
        assert_eq!(parse(&[]), []);
        assert_eq!(parse(&PLI), [pli()]);
        let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 1];
        let compound = [&receiver_report[..], &PLI, &PLI].concat();
        assert!(matches!(parse(&compound)[..], [Ok(RtcpPacket::ReceiverReport(_)), _, _]));
        assert_eq!(parse(&compound)[1..], [pli(), pli()]);
    }

    #[test]
    fn nothing_is_read_after_the_first_error() {
        let mut bad = PLI;
        bad[0] = 0x41;
        assert_eq!(parse(&[bad, PLI].concat()), [Err(RtcpError::Version)]);
        let short_pli = [0x81, 206, 0, 1, 0, 0, 0, 1];
        assert_eq!(
            parse(&[&PLI, &short_pli[..], &PLI].concat()),
            [pli(), Err(RtcpError::Malformed { packet_type: 206 })]
        );
    }

    #[test]
    fn a_packet_that_is_cut_off_is_an_error_at_every_length() {
        for len in 1..PLI.len() {
            assert_eq!(parse(&PLI[..len]), [Err(RtcpError::Short)], "{len}");
            assert_eq!(parse(&[&PLI, &PLI[..len]].concat()), [pli(), Err(RtcpError::Short)], "{len}");
        }
    }

    #[test]
    fn padding_is_taken_off() {
        let mut padded = [&PLI[..], &[0, 0, 0, 4]].concat();
        padded[0] |= 0x20;
        padded[3] = 3;
        assert_eq!(parse(&padded), [pli()]);
        for (count, error) in [(0, RtcpError::Padding), (13, RtcpError::Padding)] {
            padded[15] = count;
            assert_eq!(parse(&padded), [Err(error)], "{count}");
        }
        padded[15] = 12;
        assert_eq!(parse(&padded), [Err(RtcpError::Malformed { packet_type: 206 })]);
        assert_eq!(parse(&[0xa0, 203, 0, 0]), [Err(RtcpError::Padding)], "padding of an empty body");
    }

    #[test]
    fn unknown_types_and_formats_are_told_and_stepped_over() {
        let application = [0x83, 204, 0, 2, 0, 0, 0, 1, b'n', b'a', b'm', b'e'];
        let slice_loss = [0x82, 206, 0, 0];
        let unknown_feedback = [0x8f, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, b'G', b'O', b'O', b'G'];
        let compound = [&application[..], &slice_loss, &unknown_feedback, &PLI].concat();
        assert_eq!(
            parse(&compound),
            [
                Ok(RtcpPacket::Unknown { packet_type: 204, format: 3 }),
                Ok(RtcpPacket::Unknown { packet_type: 206, format: 2 }),
                Ok(RtcpPacket::Unknown { packet_type: 206, format: 15 }),
                pli(),
            ]
        );
    }
}
