//! The RTCP of a participant: what it reports and asks for, and what the server reports and asks for.

use std::time::{Duration, Instant};

use rand::RngExt;
use wire::rtcp::{
    DlrrReport, NtpTime, ReportBlock, RtcpPacket, XrBlock, packets, write_nack, write_pli, write_receiver_report,
    write_remb, write_sdes_cname, write_sender_report, write_xr_dlrr, write_xr_rrtr,
};
use wire::{SeqNo, Ssrc};

use super::Peer;
use crate::output::Output;

/// Mean time between two reports; each waits between half and one and a half of it (RFC 3550 §6.3.1).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Blocks in one report (RFC 3550 §6.4).
const MAX_BLOCKS: usize = 31;

/// A longer round trip is a broken measurement.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(10);

impl Peer {
    /// Sends reports, feedback and requests that are due.
    pub(super) fn send_due_rtcp(&mut self, now: Instant, out: &mut Output) {
        self.send_requests(now, out);
        if self.arrivals.due_at().is_some_and(|at| at <= now) {
            let (sender, media) = (self.reporter(), self.sinks.values().next().map(|sink| sink.spec.ssrc));
            let Self { arrivals, secure, .. } = self;
            if let (Some(secure), Some(media)) = (secure, media) {
                secure.send_rtcp(out, |arena| arrivals.write(arena, sender, media));
            }
        }
        if self.report_at.is_some_and(|at| at <= now) {
            self.report_at = Some(now + REPORT_INTERVAL.mul_f64(self.rng.random_range(0.5..1.5)));
            self.send_sender_reports(now, out);
            self.send_receiver_reports(now, out);
        }
    }

    /// NACKs and key frame requests.
    fn send_requests(&mut self, now: Instant, out: &mut Output) {
        let (sender, round_trip) = (self.reporter(), self.round_trip());
        let Some(secure) = &mut self.secure else { return };
        for sink in self.sinks.values_mut() {
            let media = sink.spec.ssrc;
            if sink.reception.next_nack_at().is_some_and(|at| at <= now) {
                let due: Vec<SeqNo> = sink.reception.due_nacks(now, round_trip);
                secure.send_rtcp(out, |arena| write_nack(arena, sender, media, due));
            }
            if sink.viewer.handle_timeout(now) {
                secure.send_rtcp(out, |arena| write_pli(arena, sender, media));
            }
        }
    }

    fn send_sender_reports(&mut self, now: Instant, out: &mut Output) {
        let unix_now = self.clock.unix_at(now);
        let Some(secure) = &mut self.secure else { return };
        for source in self.sources.values() {
            for stream in &source.streams {
                let Some(info) = stream.sender_info(unix_now, source.rtp_time(stream, now)) else { continue };
                secure.send_rtcp(out, |arena| {
                    write_sender_report(arena, &info, &[]);
                    write_sdes_cname(arena, info.sender, &source.negotiated().cname);
                });
            }
        }
    }

    fn send_receiver_reports(&mut self, now: Instant, out: &mut Output) {
        let (sender, unix_now) = (self.reporter(), self.clock.unix_at(now));
        let reference = self.reference.take();
        let Some(secure) = &mut self.secure else { return };
        let blocks: Vec<ReportBlock> =
            self.sinks.values_mut().filter_map(|sink| sink.reception.report(now, sink.spec.ssrc)).collect();
        secure.send_rtcp(out, |arena| {
            let mut chunks = blocks.chunks(MAX_BLOCKS);
            write_receiver_report(arena, sender, chunks.next().unwrap_or_default());
            chunks.for_each(|chunk| write_receiver_report(arena, sender, chunk));
            write_xr_rrtr(arena, sender, NtpTime::from_system(unix_now));
            if let Some((ssrc, last_rr, at)) = reference {
                let delay = (now.saturating_duration_since(at).as_micros() * 65_536 / 1_000_000) as u32;
                write_xr_dlrr(arena, sender, &[DlrrReport { ssrc, last_rr, delay }]);
            }
        });
    }

    /// Tells the server what this peer reckons that its link carries, in bits a second
    /// (draft-alvestrand-rmcat-remb-03 §2.2).
    pub fn send_remb(&mut self, bit_rate: u64, out: &mut Output) {
        let sender = self.reporter();
        let sources: Vec<Ssrc> = self.sinks.values().map(|sink| sink.spec.ssrc).collect();
        if let Some(secure) = &mut self.secure {
            secure.send_rtcp(out, |arena| write_remb(arena, sender, bit_rate, &sources));
        }
    }

    /// The SSRC that our reports come from: a stream of ours, as in browsers, or our own.
    fn reporter(&self) -> Ssrc {
        let first = self.sources.values().flat_map(|source| &source.streams).next();
        first.map_or(self.rtcp_ssrc, |stream| stream.spec.ssrc)
    }

    /// Takes in a compound packet, still sealed.
    pub(super) fn receive_rtcp(&mut self, now: Instant, bytes: &mut [u8], out: &mut Output) {
        let Some(len) = self.secure.as_mut().and_then(|secure| secure.open_rtcp(bytes)) else { return };
        for packet in packets(bytes.get(..len).unwrap_or_default()) {
            match packet {
                Ok(packet) => self.receive_report(now, &packet, out),
                Err(_) => self.stats.malformed += 1,
            }
        }
    }

    fn receive_report(&mut self, now: Instant, packet: &RtcpPacket<'_>, out: &mut Output) {
        match packet {
            RtcpPacket::SenderReport(report) => {
                if let Some(sink) = self.sinks.values_mut().find(|sink| sink.spec.ssrc == report.sender) {
                    sink.reception.receive_sender_report(now, report.ntp);
                }
                report.reports().for_each(|block| self.receive_block(now, block));
            }
            RtcpPacket::ReceiverReport(report) => report.reports().for_each(|block| self.receive_block(now, block)),
            RtcpPacket::Nack(nack) => {
                let round_trip = self.round_trip();
                let Some(secure) = &mut self.secure else { return };
                for source in self.sources.values_mut() {
                    if source.receive_nack(now, (nack.media, nack.seqs()), round_trip, secure, out) {
                        break;
                    }
                }
            }
            RtcpPacket::Pli { media, .. } => self.receive_key_frame_request(now, *media),
            RtcpPacket::Fir(fir) => {
                for (media, _) in fir.entries() {
                    self.receive_key_frame_request(now, media);
                }
            }
            RtcpPacket::TransportFeedback(feedback) => {
                let received = feedback.received().count() as u64;
                self.stats.feedback_received += received;
                self.stats.feedback_lost += u64::from(feedback.status_count).saturating_sub(received);
            }
            RtcpPacket::Xr(report) => {
                for block in report.blocks() {
                    self.receive_extended(now, report.sender, block);
                }
            }
            RtcpPacket::Sdes(_) | RtcpPacket::Bye(_) | RtcpPacket::Remb(_) | RtcpPacket::Unknown { .. } => {}
        }
    }

    fn receive_block(&mut self, now: Instant, block: ReportBlock) {
        let mut streams = self.sources.values_mut().flat_map(|source| &mut source.streams);
        let Some(stream) = streams.find(|stream| stream.spec.ssrc == block.ssrc) else { return };
        stream.receive_report(block);
        if block.last_sr != 0 {
            self.measure_round_trip(now, block.last_sr, block.delay_since_last_sr);
        }
    }

    fn receive_extended(&mut self, now: Instant, sender: Ssrc, block: XrBlock<'_>) {
        match block {
            XrBlock::Rrtr(ntp) => self.reference = Some((sender, ntp.middle(), now)),
            XrBlock::Dlrr(reports) => {
                let ours = self.reporter();
                for report in reports.filter(|report| report.ssrc == ours && report.last_rr != 0) {
                    self.measure_round_trip(now, report.last_rr, report.delay);
                }
            }
            XrBlock::Unknown(_) => {}
        }
    }

    /// From our time that the server refers to, and how long it kept it; both in 2⁻¹⁶ s (RFC 3550 §6.4.1).
    fn measure_round_trip(&mut self, now: Instant, last: u32, delay: u32) {
        let unix_now = NtpTime::from_system(self.clock.unix_at(now)).middle();
        let units = unix_now.wrapping_sub(last).wrapping_sub(delay).cast_signed().max(0);
        let sample = Duration::from_micros(u64::from(units.cast_unsigned()) * 1_000_000 / 65_536);
        if sample < MAX_ROUND_TRIP {
            self.round_trip = Some(self.round_trip.map_or(sample, |old| (old * 7 + sample) / 8));
        }
    }

    fn receive_key_frame_request(&mut self, now: Instant, media: Ssrc) {
        for source in self.sources.values_mut() {
            if source.receive_key_frame_request(now, media) {
                return;
            }
        }
    }
}
