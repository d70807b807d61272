//! What a transport is told regularly: sender reports of its consumers, receiver reports of its
//! producers, arrival feedback, and what is missing.

use std::time::{Duration, Instant};

use rand::RngExt;
use wire::RtpTimestamp;
use wire::rtcp::{
    DlrrReport, NtpTime, SenderInfo, write_nack, write_receiver_report, write_sdes_cname, write_sender_report,
    write_xr_dlrr, write_xr_rrtr,
};

use crate::consumer::Consumer;
use crate::outbox::Outbox;
use crate::producer::{Producer, Stream};
use crate::table::{Key, Table};
use crate::trace::{self, Direction, TraceEvent, TraceKinds, Traced};
use crate::transport::WebRtcTransport;
use crate::worker::Worker;

/// Mean time between two reports; each waits between half and one and a half of it (RFC 3550 §6.3.1).
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// A compound packet of this size is closed: one more report and the longest name still fit a datagram.
const FULL_COMPOUND: usize = 800;

/// Report blocks in one packet (5-bit count, RFC 3550 §6.4).
const MAX_BLOCKS: usize = 31;

/// A source that sends media but no report of its clock for this long gets one from arrival times.
const WAIT_FOR_CLOCK: Duration = Duration::from_secs(3);

impl Worker {
    /// Does what is due on one transport.
    pub(crate) fn send_due_rtcp(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if transport.feedback_at.is_some_and(|at| at <= now) {
            transport.feedback_at = None;
            send_feedback(transport, key.index(), out);
        }
        if transport.repair_at.is_some_and(|at| at <= now) {
            self.send_repair(now, key, out);
        }
        let Some(transport) = self.transports.get_mut(key) else { return };
        if transport.report_at.is_some_and(|at| at <= now) {
            let spread = self.rng.random_range(0.5..1.5);
            transport.report_at = Some(now + REPORT_INTERVAL.mul_f64(spread));
            self.note_traffic(now, key);
            self.trace_rtp(now, key);
            self.review_streams(now, key);
            self.send_sender_reports(now, key, out);
            self.send_receiver_reports(now, key, out);
            self.review_connection(now, key);
            self.review_all_scores(key);
        }
    }

    /// Asks a publisher for what is missing, and for key frames that are due.
    fn send_repair(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let Self { transports, producers, routers, events, key_frames, asked, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        let round_trip = transport.round_trip();
        for index in 0..transport.producers.len() {
            let Some(producer) = producers.get_mut(transport.producers[index]) else { continue };
            for stream in &mut producer.streams {
                asked.clear();
                stream.due_nacks(now, round_trip, asked);
                if let (Some(media), false) = (stream.ssrc, asked.is_empty()) {
                    stream.nack_messages += 1;
                    let (sender, (arena, start)) = (transport.rtcp_ssrc, out.begin());
                    write_nack(arena, sender, media, asked.iter().copied());
                    transport.send_rtcp(out, start, key.index());
                    if producer.trace.has(TraceKinds::NACK) {
                        let (ssrc, packets) = (media.get(), asked.len() as u32);
                        let what = TraceEvent::Nack { direction: Direction::Out, ssrc, packets, answered: None };
                        trace::tell(now, (routers, events), producer.router, Traced::Producer(producer.id), what);
                    }
                }
                let request = stream.due_key_frame_request(now);
                key_frames.extend(request.map(|request| (key, request)));
            }
        }
        self.send_key_frame_requests(now, out);
        self.plan_repair(key);
    }

    fn review_all_scores(&mut self, key: Key<WebRtcTransport>) {
        let count = self.transports.get(key).map_or(0, |transport| transport.producers.len());
        for index in 0..count {
            let producer = self.transports.get(key).and_then(|transport| transport.producers.get(index)).copied();
            if let Some(producer) = producer {
                self.review_scores(producer);
            }
        }
    }

    /// Leaves layers that their sender stopped, and gives up those that nobody uses.
    fn review_streams(&mut self, now: Instant, key: Key<WebRtcTransport>) {
        let count = self.transports.get(key).map_or(0, |transport| transport.producers.len());
        for index in 0..count {
            let Some(&producer_key) = self.transports.get(key).and_then(|transport| transport.producers.get(index))
            else {
                return;
            };
            let Some(producer) = self.producers.get_mut(producer_key) else { continue };
            let live = producer.live_at(now);
            if producer.live != live {
                producer.live = live;
                self.aim_audience(now, producer_key);
            } else {
                self.review_layers(now, producer_key);
            }
        }
    }

    fn send_sender_reports(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let unix_now = self.unix_at(now);
        let Self { transports, producers, consumers, .. } = self;
        let Some(count) = transports.get(key).map(|transport| transport.consumers.len()) else {
            return;
        };
        let (_, mut start) = out.begin();
        for index in 0..count {
            let Some(consumer_key) = transports.get(key).and_then(|transport| transport.consumers.get(index)) else {
                break;
            };
            let Some(consumer) = consumers.get(*consumer_key) else { continue };
            let Some(rtp) = media_time(now, unix_now, consumer, producers, transports) else {
                continue;
            };
            let (packets, bytes) = consumer.sent();
            let info = SenderInfo {
                sender: consumer.spec.ssrc,
                ntp: NtpTime::from_system(unix_now),
                rtp,
                packet_count: packets as u32,
                octet_count: bytes as u32,
            };
            let (arena, _) = out.begin();
            write_sender_report(arena, &info, &[]);
            write_sdes_cname(arena, consumer.spec.ssrc, &consumer.spec.cname);
            if arena.len() - start >= FULL_COMPOUND
                && let Some(transport) = transports.get_mut(key)
            {
                transport.send_rtcp(out, start, key.index());
                start = out.begin().1;
            }
        }
        if let Some(transport) = transports.get_mut(key) {
            transport.send_rtcp(out, start, key.index());
        }
    }

    fn send_receiver_reports(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let unix_now = self.unix_at(now);
        let Self { transports, producers, blocks, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        blocks.clear();
        for producer in &transport.producers {
            let Some(producer) = producers.get_mut(*producer) else { continue };
            blocks.extend(producer.streams.iter_mut().filter_map(|stream| stream.report(now)));
        }
        let reference = transport.peer_reference.take();
        if blocks.is_empty() && reference.is_none() {
            return;
        }
        let sender = transport.rtcp_ssrc;
        let mut chunks = blocks.chunks(MAX_BLOCKS);
        let first = chunks.next().unwrap_or_default();
        for chunk in chunks {
            let (arena, start) = out.begin();
            write_receiver_report(arena, sender, chunk);
            transport.send_rtcp(out, start, key.index());
        }
        let (arena, start) = out.begin();
        write_receiver_report(arena, sender, first);
        write_xr_rrtr(arena, sender, NtpTime::from_system(unix_now));
        if let Some(reference) = reference {
            let delay = now.saturating_duration_since(reference.received_at);
            let report = DlrrReport {
                ssrc: reference.ssrc,
                last_rr: reference.ntp_middle,
                delay: (delay.as_micros() * 65_536 / 1_000_000) as u32,
            };
            write_xr_dlrr(arena, sender, &[report]);
        }
        transport.send_rtcp(out, start, key.index());
    }
}

fn send_feedback(transport: &mut WebRtcTransport, flow: u32, out: &mut Outbox) {
    let (sender, media) = (transport.rtcp_ssrc, transport.feedback_ssrc);
    loop {
        let (Some(arrivals), Some(media)) = (&mut transport.arrivals, media) else { return };
        let (arena, start) = out.begin();
        let more = arrivals.write_feedback(arena, sender, media);
        transport.send_rtcp(out, start, flow);
        if !more {
            return;
        }
    }
}

/// What the consumer's outgoing RTP clock shows now.
///
/// The source's own reports say which RTP time belongs to which of its NTP times; the difference of the
/// two NTP clocks is measured once for all streams of the source, so that sound and picture stay
/// together (RFC 3550 §6.4.1).
fn media_time(
    now: Instant,
    unix_now: Duration,
    consumer: &Consumer,
    producers: &Table<Producer>,
    transports: &Table<WebRtcTransport>,
) -> Option<RtpTimestamp> {
    let producer = producers.get(consumer.spec.producer)?;
    let stream: &Stream = producer.streams.get(usize::from(consumer.current_stream()?))?;
    let rate = stream.clock_rate;
    let source_clock_ahead = transports.get(producer.transport)?.clock_ahead;
    let rtp = match (stream.clock, source_clock_ahead) {
        (Some(clock), Some(ahead)) => {
            let source_now = unix_now.as_micros() as i64 - ahead;
            let since = source_now - clock.ntp.to_unix().as_micros() as i64;
            clock.rtp.wrapping_add(ticks(since, rate))
        }
        _ => {
            let (timestamp, at) = stream.newest_time()?;
            if !stream.has_run_for(now, WAIT_FOR_CLOCK) {
                return None;
            }
            let since = now.saturating_duration_since(at).as_micros() as i64;
            timestamp.wrapping_add(ticks(since, rate))
        }
    };
    Some(rtp.wrapping_add(consumer.timestamp_shift()))
}

/// Microseconds as ticks of an RTP clock, modulo 2^32. Wide, because a peer's clock may be years off.
fn ticks(micros: i64, rate: u32) -> u32 {
    (i128::from(micros) * i128::from(rate) / 1_000_000) as u32
}
