//! What peers report and ask for: receiver and sender reports, lost packets, key frames, feedback.

use std::time::{Duration, Instant};

use wire::rtcp::{Nack, NtpTime, ReportBlock, RtcpPacket, XrBlock, packets};
use wire::{SeqNo, Ssrc};

use crate::congestion::Downlink;
use crate::consumer::{As, Repeated, Stamp};
use crate::outbox::Outbox;
use crate::table::Key;
use crate::trace::{Direction, TraceEvent, TraceKinds};
use crate::transport::{ConsumerRef, Part, PeerReference, Plain, WebRtcTransport};
use crate::worker::Worker;

/// Largest clock difference that is believed; a peer's clock may be wrong by years, not by centuries.
const MAX_CLOCK_DIFFERENCE: i64 = 100 * 365 * 24 * 3600 * 1_000_000;

/// How fast the quickest report ages, in µs a report: two clocks drift apart by up to some 50 µs/s.
const CLOCK_DRIFT: i64 = 100;

/// A report this much later than the quickest one, in µs, was not delayed: the peer's clock was set back.
const CLOCK_WAS_SET: i64 = 5_000_000;

impl Worker {
    /// Handles one compound or reduced-size RTCP packet, still encrypted.
    pub(crate) fn receive_rtcp(&mut self, now: Instant, key: Key<WebRtcTransport>, bytes: &mut [u8], out: &mut Outbox) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(len) = transport.receive_rtcp(bytes, &mut self.drops) else { return };
        for packet in packets(&bytes[..len]) {
            let Ok(packet) = packet else {
                self.drops.malformed += 1;
                break;
            };
            self.receive_report(now, key, &packet, out);
        }
        self.send_key_frame_requests(now, out);
        self.rearm(key);
    }

    fn receive_report(&mut self, now: Instant, key: Key<WebRtcTransport>, packet: &RtcpPacket<'_>, out: &mut Outbox) {
        match packet {
            RtcpPacket::SenderReport(report) => {
                // Before its first packet a sender has no media clock to tell; some report one of zero.
                if report.packet_count > 0 {
                    self.receive_sender_clock(now, key, report.sender, (report.ntp, report.rtp));
                }
                report.reports().for_each(|block| self.receive_block(now, key, &block));
            }
            RtcpPacket::ReceiverReport(report) => {
                report.reports().for_each(|block| self.receive_block(now, key, &block));
            }
            RtcpPacket::Nack(nack) => self.receive_nack(now, key, nack, out),
            RtcpPacket::Pli { media, .. } => self.receive_key_frame_request(now, key, *media, false),
            RtcpPacket::Fir(fir) => {
                for (media, _) in fir.entries() {
                    self.receive_key_frame_request(now, key, media, true);
                }
            }
            RtcpPacket::TransportFeedback(feedback) => {
                let Some(transport) = self.transports.get_mut(key) else { return };
                // Runs of lost packets are not walked: a few bytes can claim thousands.
                let received = feedback.received().count() as u64;
                transport.counters.feedback_received += received;
                transport.counters.feedback_lost += u64::from(feedback.status_count).saturating_sub(received);
                if let Some(downlink) = &mut transport.downlink {
                    downlink.estimator.receive_feedback(now, feedback);
                    downlink.note_rate(now);
                    let lost = downlink.take_loss(now);
                    self.trace_estimate(now, key, None);
                    self.repeat_by_loss(key, lost);
                }
            }
            RtcpPacket::Xr(report) => {
                for block in report.blocks() {
                    self.receive_extended(now, key, report.sender, block);
                }
            }
            RtcpPacket::Remb(remb) => {
                let limits = self.bitrate_limits;
                let Some(transport) = self.transports.get_mut(key) else { return };
                // Who reports on no transport-wide numbers tells its own estimate.
                let downlink = transport.downlink.get_or_insert_with(|| Box::new(Downlink::new(now, limits)));
                downlink.estimator.receive_remb(remb.bitrate);
                downlink.note_rate(now);
                downlink.review_soon(now);
                self.trace_estimate(now, key, None);
            }
            // A source description or a good-bye changes nothing that signalling does not say better.
            RtcpPacket::Sdes(_) | RtcpPacket::Bye(_) | RtcpPacket::Unknown { .. } => {}
        }
    }

    fn receive_sender_clock(
        &mut self,
        now: Instant,
        key: Key<WebRtcTransport>,
        ssrc: Ssrc,
        (ntp, rtp): (NtpTime, wire::RtpTimestamp),
    ) {
        let unix_now = self.unix_at(now);
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(target) = transport.stream_of(ssrc) else { return };
        if target.is_rtx {
            return;
        }
        let ahead = unix_now.as_micros() as i64 - ntp.to_unix().as_micros() as i64;
        if ahead.abs() >= MAX_CLOCK_DIFFERENCE {
            return;
        }
        // The quickest report saw the least delay, so it tells the clocks' difference best. A clock that was set
        // is believed at once.
        let aged = transport.clock_ahead.map(|old| old + CLOCK_DRIFT);
        transport.clock_ahead = Some(match aged {
            Some(aged) if ahead > aged && ahead - aged < CLOCK_WAS_SET => aged,
            _ => ahead,
        });
        let producer = self.producers.get_mut(target.producer);
        if let Some(stream) = producer.and_then(|producer| producer.streams.get_mut(usize::from(target.stream))) {
            stream.receive_sender_report(ntp, rtp, now);
        }
    }

    /// Has sound repeated by the share of packets that a viewer's link loses. Transport-wide feedback knows that better than reports
    /// of single streams: those leave out what was sent again, and count what publishers lost.
    fn repeat_by_loss(&mut self, key: Key<WebRtcTransport>, lost: Option<f64>) {
        let (Some(lost), Some(transport)) = (lost, self.transports.get(key)) else { return };
        for &consumer in &transport.consumers {
            if let Some(consumer) = self.consumers.get_mut(consumer).filter(|consumer| consumer.is_transport_wide()) {
                consumer.note_loss((lost * 256.0) as u8);
            }
        }
    }

    fn receive_block(&mut self, now: Instant, key: Key<WebRtcTransport>, block: &ReportBlock) {
        let ntp_now = NtpTime::from_system(self.unix_at(now)).middle();
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(ConsumerRef { consumer: consumer_key, is_rtx: false }) = transport.consumer_of(block.ssrc) else {
            return;
        };
        if block.last_sr != 0
            && let Some(round_trip) = round_trip(ntp_now, block.last_sr, block.delay_since_last_sr)
        {
            transport.measure_round_trip(round_trip);
        }
        let knows_better = transport.downlink.as_ref().is_some_and(|downlink| downlink.estimator.was_heard());
        if let Some(consumer) = self.consumers.get_mut(consumer_key) {
            if !(knows_better && consumer.is_transport_wide()) {
                consumer.note_loss(block.fraction_lost);
            }
            consumer.view.fraction_lost = block.fraction_lost;
            consumer.view.cumulative_lost = block.cumulative_lost;
            consumer.view.jitter = block.jitter;
        }
        self.review_consumer_score(consumer_key);
    }

    fn receive_extended(&mut self, now: Instant, key: Key<WebRtcTransport>, sender: Ssrc, block: XrBlock<'_>) {
        let ntp_now = NtpTime::from_system(self.unix_at(now)).middle();
        let Some(transport) = self.transports.get_mut(key) else { return };
        match block {
            XrBlock::Rrtr(ntp) => {
                transport.peer_reference =
                    Some(PeerReference { ssrc: sender, ntp_middle: ntp.middle(), received_at: now });
            }
            XrBlock::Dlrr(reports) => {
                for report in reports {
                    if report.ssrc != transport.rtcp_ssrc || report.last_rr == 0 {
                        continue;
                    }
                    if let Some(sample) = round_trip(ntp_now, report.last_rr, report.delay) {
                        transport.measure_round_trip(sample);
                    }
                }
            }
            XrBlock::Unknown(_) => {}
        }
    }

    fn receive_key_frame_request(&mut self, now: Instant, key: Key<WebRtcTransport>, media: Ssrc, is_fir: bool) {
        let Some(transport) = self.transports.get(key) else { return };
        let Some(target) = transport.consumer_of(media) else { return };
        if let Some(consumer) = self.consumers.get_mut(target.consumer) {
            consumer.key_frame_requests += 1;
            consumer.firs_received += u64::from(is_fir);
        }
        let (direction, ssrc) = (Direction::In, media.get());
        let what = if is_fir { TraceEvent::Fir { direction, ssrc } } else { TraceEvent::Pli { direction, ssrc } };
        self.trace_consumer(now, target.consumer, TraceKinds::PLI_FIR, what);
        self.want_key_frames(now, target.consumer, true);
    }

    fn receive_nack(&mut self, now: Instant, key: Key<WebRtcTransport>, nack: &Nack<'_>, out: &mut Outbox) {
        let Some(transport) = self.transports.get(key) else { return };
        let Some(target) = transport.consumer_of(nack.media) else { return };
        if target.is_rtx {
            return;
        }
        if let Some(consumer) = self.consumers.get_mut(target.consumer) {
            consumer.nack_messages += 1;
        }
        let (mut lost_for_good, mut asked, mut sent) = (false, 0, 0);
        for seq in nack.seqs() {
            let answered = self.retransmit(now, key, target, seq, out);
            (asked, sent) = (asked + 1, sent + u32::from(answered));
            lost_for_good |= !answered && self.is_lost_for_good(target, seq);
            if let Some(consumer) = self.consumers.get_mut(target.consumer) {
                consumer.nacks_received += 1;
                consumer.nacks_unanswered += u64::from(!answered);
            }
        }
        let (ssrc, answered) = (nack.media.get(), Some(sent));
        let what = TraceEvent::Nack { direction: Direction::In, ssrc, packets: asked, answered };
        self.trace_consumer(now, target.consumer, TraceKinds::NACK, what);
        if lost_for_good {
            // The receiver would ask for one itself after seconds of standing still.
            self.want_key_frames(now, target.consumer, true);
        }
    }

    fn is_lost_for_good(&self, target: ConsumerRef, seq: SeqNo) -> bool {
        let Some(consumer) = self.consumers.get(target.consumer) else { return false };
        let Some((stream, source, ..)) = consumer.source_of(seq) else { return false };
        let producer = self.producers.get(consumer.spec.producer);
        let stream = producer.and_then(|producer| producer.streams.get(usize::from(stream)));
        consumer.spec.nack && stream.is_some_and(|stream| stream.is_lost_for_good(source))
    }

    /// Sends a packet again, by RTX where that is negotiated (RFC 4588), else as it was.
    fn retransmit(
        &mut self,
        now: Instant,
        key: Key<WebRtcTransport>,
        target: ConsumerRef,
        seq: SeqNo,
        out: &mut Outbox,
    ) -> bool {
        let Self { consumers, producers, transports, .. } = self;
        let (Some(consumer), Some(transport)) = (consumers.get_mut(target.consumer), transports.get_mut(key)) else {
            return false;
        };
        let Some((stream, source, seq, shift)) = consumer.source_of(seq) else { return false };
        let producer = producers.get(consumer.spec.producer);
        let Some(stream) = producer.and_then(|producer| producer.streams.get(usize::from(stream))) else {
            return false;
        };
        let Some(packet) = stream.packet(source) else { return false };
        // A picture that is not sent any more needs no repair.
        if !consumer.spec.nack || consumer.is_off() {
            return false;
        }
        let rtx = match (consumer.spec.rtx_ssrc, consumer.spec.rtx_payload_type) {
            (Some(ssrc), Some(payload_type)) => Some((ssrc, payload_type)),
            _ => None,
        };
        let (stamp, repeated): (Stamp, Repeated) = match rtx {
            Some(_) => (transport.take_stamp(now, consumer.is_transport_wide()), Repeated::default()),
            None => match consumer.plain().and_then(|plain| plain.sent(seq)) {
                Some(sent) => sent,
                None => return false,
            },
        };
        if !consumer.can_repeat(stream, &packet, repeated) {
            return false;
        }
        let round_trip = transport.round_trip();
        let bytes = packet.bytes.len();
        if !consumer.retransmissions.may_take(now, seq, bytes, round_trip)
            || transport.downlink.as_mut().is_some_and(|downlink| !downlink.take_repair(now, bytes))
        {
            return false;
        }
        let is_first = !consumer.retransmissions.remembers(seq);
        consumer.retransmissions.take(now, seq, bytes);
        if consumer.ask_repeated(now, seq) {
            consumer.note_retransmitted(is_first);
            return true;
        }
        let rtx = rtx.map(|(ssrc, pt)| (ssrc, pt, consumer.take_rtx_number()));
        let index = rtx.map_or(seq, |(_, _, number)| number);
        let is_empty = consumer.is_left_out(&packet, shift);
        let (arena, start) = out.begin();
        let header_len = consumer.write(arena, (stream, &packet), &As { seq, shift, is_empty, repeated, stamp, rtx });
        consumer.note_retransmitted(is_first);
        let is_transport_wide = consumer.is_transport_wide() && rtx.is_some();
        let (flow, part) = (key.index(), Part::Repeated);
        transport.send_rtp(now, out, Plain { start, header_len, index, stamp, is_transport_wide, flow, part })
    }
}

/// Time between our timestamp's sending and now, less what the peer kept it (RFC 3550 §6.4.1). All in
/// 1/65,536 s, modulo 2^32.
fn round_trip(now: u32, last: u32, delay: u32) -> Option<Duration> {
    let units = now.wrapping_sub(last).wrapping_sub(delay);
    // A peer that rounds its delay up may make a very short round trip negative.
    let units = if units > u32::MAX / 2 { 0 } else { units };
    (units < 65_536 * 60).then(|| Duration::from_micros(u64::from(units) * 1_000_000 / 65_536))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_trip_survives_the_wrap_and_nonsense() {
        let second = Duration::from_secs(1);
        assert_eq!(round_trip(65_536 * 3, 65_536, 65_536), Some(second));
        assert_eq!(round_trip(1000, 1000_u32.wrapping_sub(65_536), 0), Some(second));
        assert_eq!(round_trip(1000, 1000, 5), Some(Duration::ZERO));
        assert_eq!(round_trip(u32::MAX / 2, 0, 0), None);
    }
}
