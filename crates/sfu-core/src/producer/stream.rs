//! One RTP stream as received: order, loss, jitter, repair, and what reports say of it.

use std::time::{Duration, Instant};

use wire::codec::CodecKind;
use wire::extension::{ExtensionKind, Extensions};
use wire::rtcp::{NtpTime, ReportBlock};
use wire::rtp::RtpHeader;
use wire::{ExtSeqNo, PayloadType, Rid, RtpTimestamp, SeqNo, Ssrc};

use super::history::{History, PacketMeta, StoredPacket};
use super::keyframe::KeyFrameRequests;
use super::layers::{FrameInfo, LayerRates, LayerReader, MAX_SPATIAL, MAX_TEMPORAL};
use super::nack::{Gap, NackGenerator};
use super::redundant::{self, Earlier, MAX_RECOVERED};
use crate::command::{MediaKind, ProducerSpec, StreamSpec};
use crate::producer::Layer;
use crate::rate::Rates;
use crate::stats::StreamStats;

/// A viewer begins with a key frame that is no older, followed by no more packets and no more bytes. One that is older costs more
/// than a new one, which comes as soon as the source may be asked again.
const MAX_BEGINNING_AGE: Duration = Duration::from_millis(600);
const MAX_BEGINNING_PACKETS: i64 = 64;
const MAX_BEGINNING_BYTES: usize = 48 * 1024;

/// What one received packet brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// A packet to forward, stored under this number.
    Packet(ExtSeqNo),
    /// A number that carries nothing to forward.
    Skipped(ExtSeqNo),
    /// Nothing new.
    Nothing,
}

/// What the sender's last report said of its clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockReport {
    pub(crate) ntp: NtpTime,
    pub(crate) rtp: RtpTimestamp,
    pub(crate) received_at: Instant,
}

/// A packet as it came off the wire, decrypted.
#[derive(Clone, Copy)]
pub(crate) struct Incoming<'a> {
    pub(crate) received_at: Instant,
    pub(crate) header: RtpHeader,
    pub(crate) extensions: Extensions,
    pub(crate) bytes: &'a [u8],
}

/// One stream of a producer.
pub(crate) struct Stream {
    pub(crate) ssrc: Option<Ssrc>,
    pub(crate) rtx_ssrc: Option<Ssrc>,
    pub(crate) rid: Option<Rid>,
    payload_type: PayloadType,
    codec: CodecKind,
    pub(crate) clock_rate: u32,
    kind: MediaKind,
    rtx_payload_type: Option<PayloadType>,
    red_payload_type: Option<PayloadType>,
    /// How many frames came with the newest packet again.
    pub(crate) repeated: u8,
    /// Lost packets that came with the one received last, oldest first.
    recovered: [Option<ExtSeqNo>; MAX_RECOVERED],
    /// The first packet for the audience after others that were not; those before it are not missed.
    pub(crate) resumed_from: Option<ExtSeqNo>,
    /// How key frames are asked for: by PLI, else by FIR with this sequence number, else not at all.
    pli: bool,
    fir: Option<u8>,
    pub(crate) layers: LayerReader,
    pub(crate) rates: LayerRates,
    pub(crate) history: History,
    pub(crate) nack: Option<NackGenerator>,
    pub(crate) key_frames: KeyFrameRequests,
    first: Option<ExtSeqNo>,
    newest: Option<ExtSeqNo>,
    newest_timestamp: RtpTimestamp,
    newest_at: Option<Instant>,
    received: u64,
    bytes: u64,
    /// Bytes of whole RTP packets by layer, and what they were.
    rtp_bytes: [u64; LAYERS],
    rates_of_rtp: Rates<LAYERS>,
    /// Retransmissions received; those that brought what was missing, and those that brought nothing.
    retransmitted: u64,
    repaired: u64,
    rtx_discarded: u64,
    duplicated: u64,
    key_frame_count: u64,
    newest_key_frame: Option<ExtSeqNo>,
    key_frame_timestamp: Option<RtpTimestamp>,
    pub(crate) key_frame_requests: u64,
    pub(crate) nack_messages: u64,
    pub(crate) nacks_sent: u64,
    /// Smoothed time from a request to the packet that it brought.
    repair_time: Option<Duration>,
    /// Share of packets lost between the last two reports, of 256, and whether anything came.
    pub(crate) lost_share: u8,
    pub(crate) brings: bool,
    /// Expected, received and repaired packets at the last report.
    reported: (u64, u64, u64),
    /// Packets expected between the last two reports, and those of them that did not come by themselves.
    pub(crate) first_tries: (u64, u64),
    /// Last transit time and jitter, in 1/16 RTP clock units (RFC 3550 §A.8).
    transit: Option<i64>,
    jitter_q4: i64,
    epoch: Option<Instant>,
    pub(crate) clock: Option<ClockReport>,
}

/// Layers of one stream that are counted apart.
const LAYERS: usize = MAX_SPATIAL * MAX_TEMPORAL;

/// Where a layer is counted.
pub(super) fn layer_index(layer: Layer) -> usize {
    usize::from(layer.spatial) * MAX_TEMPORAL + usize::from(layer.temporal)
}

/// How to ask this stream's sender for a key frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFrameRequest {
    Pli(Ssrc),
    Fir(Ssrc, u8),
}

impl Stream {
    pub(crate) fn new(now: Instant, producer: &ProducerSpec, spec: &StreamSpec) -> Self {
        Self {
            ssrc: spec.ssrc,
            rtx_ssrc: spec.rtx_ssrc,
            rid: spec.rid,
            payload_type: producer.payload_type,
            codec: producer.codec,
            clock_rate: producer.clock_rate,
            kind: producer.kind,
            rtx_payload_type: producer.rtx_payload_type,
            red_payload_type: producer.red_payload_type,
            repeated: 0,
            recovered: [None; MAX_RECOVERED],
            resumed_from: None,
            pli: producer.pli,
            fir: producer.fir.then_some(0),
            layers: LayerReader::default(),
            rates: LayerRates::default(),
            history: match producer.kind {
                MediaKind::Audio => History::audio(),
                MediaKind::Video => History::video(),
            },
            nack: producer.nack.then(NackGenerator::new),
            key_frames: KeyFrameRequests::default(),
            first: None,
            newest: None,
            newest_timestamp: RtpTimestamp::new(0),
            newest_at: None,
            received: 0,
            bytes: 0,
            rtp_bytes: [0; LAYERS],
            rates_of_rtp: Rates::new(now),
            retransmitted: 0,
            repaired: 0,
            rtx_discarded: 0,
            duplicated: 0,
            key_frame_count: 0,
            newest_key_frame: None,
            key_frame_timestamp: None,
            key_frame_requests: 0,
            nack_messages: 0,
            nacks_sent: 0,
            repair_time: None,
            lost_share: 0,
            brings: false,
            reported: (0, 0, 0),
            first_tries: (0, 0),
            transit: None,
            jitter_q4: 0,
            epoch: None,
            clock: None,
        }
    }

    /// Takes in a packet of the media SSRC with its extended number.
    pub(crate) fn receive(&mut self, now: Instant, seq: ExtSeqNo, packet: Incoming<'_>) -> Arrived {
        self.first.get_or_insert(seq);
        let is_newest = self.newest.is_none_or(|newest| seq > newest);
        if is_newest {
            self.newest = Some(seq);
            self.newest_timestamp = packet.header.timestamp;
            self.newest_at = Some(packet.received_at);
        }
        self.note_jitter(&packet);
        self.received += 1;
        self.key_frames.source_sends();
        self.note_number(now, seq, false);
        let Ok((payload, padding)) = packet.header.payload(packet.bytes) else {
            self.count(&packet, Layer::default());
            return Arrived::Skipped(seq);
        };
        let end = packet.bytes.len() - usize::from(padding);
        if Some(packet.header.payload_type) == self.red_payload_type {
            return self.receive_redundant(now, seq, packet, payload);
        }
        if packet.header.payload_type != self.payload_type || payload.is_empty() {
            self.count(&packet, Layer::default());
            return Arrived::Skipped(seq);
        }
        self.repeated = 0;
        self.store(seq, packet, packet.header.header_len, end)
    }

    /// Takes in a packet that carries earlier frames again (RFC 2198), and with it those of them that were lost.
    fn receive_redundant(&mut self, now: Instant, seq: ExtSeqNo, packet: Incoming<'_>, payload: &[u8]) -> Arrived {
        let first = self.first.unwrap_or(seq);
        let place = (first, seq, packet.header.timestamp);
        let Some(unwrapped) = redundant::unwrap(payload, self.payload_type, place, &self.history) else {
            self.count(&packet, Layer::default());
            return Arrived::Skipped(seq);
        };
        self.repeated = unwrapped.repeated;
        for (slot, earlier) in self.recovered.iter_mut().zip(unwrapped.missing) {
            *slot = None;
            let Some(Earlier { seq, timestamp, place }) = earlier else { continue };
            let Some(frame) = payload.get(place.from..place.from + place.len) else { continue };
            let meta = PacketMeta {
                seq,
                timestamp,
                marker: false,
                starts_key_frame: true,
                frame: FrameInfo::default(),
                payload_start: 0,
                extensions: Extensions::default(),
                received_at: packet.received_at,
            };
            if self.history.store(meta, frame) {
                *slot = Some(seq);
                self.repaired += 1;
                if let Some(nack) = &mut self.nack {
                    nack.forget(now, seq);
                }
            }
        }
        let header_len = packet.header.header_len;
        self.store(seq, packet, header_len + unwrapped.primary_from, header_len + payload.len())
    }

    /// The lost packets that came with the one received last, oldest first.
    pub(crate) fn take_recovered(&mut self) -> [Option<ExtSeqNo>; MAX_RECOVERED] {
        std::mem::take(&mut self.recovered)
    }

    /// Takes in a packet of the RTX SSRC: the original number stands before the payload (RFC 4588 §4).
    pub(crate) fn receive_rtx(&mut self, now: Instant, packet: Incoming<'_>) -> Arrived {
        let Some(newest) = self.newest else { return Arrived::Nothing };
        if Some(packet.header.payload_type) != self.rtx_payload_type {
            return Arrived::Nothing;
        }
        let Ok((payload, padding)) = packet.header.payload(packet.bytes) else {
            return Arrived::Nothing;
        };
        // Without a payload it is padding that probes the path.
        let Some((original, [_, ..])) = wire::rtx::read_osn(payload) else {
            return Arrived::Nothing;
        };
        self.retransmitted += 1;
        self.rtx_discarded += 1;
        let Some(seq) = newest.nearest(original) else { return Arrived::Nothing };
        if seq > newest {
            return Arrived::Nothing;
        }
        let end = packet.bytes.len() - usize::from(padding);
        let arrived = self.store(seq, packet, packet.header.header_len + 2, end);
        if arrived != Arrived::Nothing {
            self.received += 1;
            self.repaired += 1;
            self.rtx_discarded -= 1;
            self.note_number(now, seq, true);
        }
        arrived
    }

    fn store(&mut self, seq: ExtSeqNo, packet: Incoming<'_>, payload_start: usize, end: usize) -> Arrived {
        let (Some(bytes), Ok(start)) = (packet.bytes.get(..end), u16::try_from(payload_start)) else {
            return Arrived::Nothing;
        };
        let payload = bytes.get(payload_start..).unwrap_or_default();
        let descriptor = packet.extensions.get(bytes, ExtensionKind::DependencyDescriptor);
        let (frame, starts_key_frame) = self.layers.read(self.codec, payload, descriptor, packet.header.marker);
        let meta = PacketMeta {
            seq,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            starts_key_frame,
            frame,
            payload_start: start,
            extensions: packet.extensions,
            received_at: packet.received_at,
        };
        if !self.history.store(meta, bytes) {
            self.duplicated += 1;
            return Arrived::Nothing;
        }
        self.count(&packet, frame.layer);
        self.bytes += payload.len() as u64;
        if starts_key_frame && self.kind == MediaKind::Video {
            self.key_frame_timestamp = Some(meta.timestamp);
        }
        // A key frame is a burst, not what the layer takes.
        if self.key_frame_timestamp != Some(meta.timestamp) {
            let wrapping = payload_start - packet.header.header_len;
            self.rates.add(packet.received_at, frame.layer, bytes.len() - wrapping);
        }
        if starts_key_frame && self.kind == MediaKind::Video {
            self.key_frame_count += 1;
            self.newest_key_frame = self.newest_key_frame.max(Some(seq));
            self.key_frames.arrived();
            if let Some(nack) = &mut self.nack {
                // What came before a key frame is not needed to go on.
                nack.forget_before(seq);
            }
        }
        Arrived::Packet(seq)
    }

    fn count(&mut self, packet: &Incoming<'_>, layer: Layer) {
        if let Some(sum) = self.rtp_bytes.get_mut(layer_index(layer)) {
            *sum += packet.bytes.len() as u64;
        }
    }

    fn note_number(&mut self, now: Instant, seq: ExtSeqNo, retransmitted: bool) {
        let Some(nack) = &mut self.nack else { return };
        let (gap, round_trip) = nack.receive(now, seq, retransmitted);
        if let Some(sample) = round_trip {
            self.repair_time = Some(self.repair_time.map_or(sample, |old| (old * 7 + sample) / 8));
        }
        if gap == Gap::TooLarge && self.kind == MediaKind::Video {
            self.key_frames.wish(now);
        }
    }

    fn note_jitter(&mut self, packet: &Incoming<'_>) {
        let epoch = *self.epoch.get_or_insert(packet.received_at);
        let micros = packet.received_at.saturating_duration_since(epoch).as_micros() as i64;
        let arrival = micros * i64::from(self.clock_rate) / 1_000_000;
        // 32-bit arithmetic: only the difference to the last transit matters, modulo 2^32.
        let transit = i64::from((arrival as u32).wrapping_sub(packet.header.timestamp.get()) as i32);
        if let Some(last) = self.transit {
            let difference = i64::from((transit.wrapping_sub(last)) as i32).abs();
            // A jump of the sender's clock is not jitter.
            if difference < i64::from(self.clock_rate) * 5 {
                self.jitter_q4 += difference - ((self.jitter_q4 + 8) >> 4);
            }
        }
        self.transit = Some(transit);
    }

    /// Numbers to ask for now; a video stream that lost some for good wants a key frame.
    pub(crate) fn due_nacks(&mut self, now: Instant, round_trip: Duration, ask: &mut Vec<SeqNo>) {
        let Some(nack) = &mut self.nack else { return };
        // What requests really took is better known than the path's round trip.
        let hopeless = nack.due(now, self.repair_time.unwrap_or(round_trip), ask);
        self.nacks_sent += ask.len() as u64;
        if hopeless > 0 && self.kind == MediaKind::Video {
            self.key_frames.wish(now);
        }
    }

    /// Whether a packet that a viewer misses can come back only as a new beginning: it is not here, nobody asks for it any
    /// more, and no key frame has begun after it.
    pub(crate) fn is_lost_for_good(&self, seq: ExtSeqNo) -> bool {
        let Some(nack) = &self.nack else { return false };
        self.kind == MediaKind::Video
            && self.newest.is_some_and(|newest| seq < newest)
            && self.newest_key_frame.is_none_or(|key_frame| key_frame < seq)
            && !nack.is_awaited(seq)
            && self.history.get(seq).is_none()
    }

    /// From where to where a viewer can be sent what came since the newest key frame, if that is cheap: it came a moment ago, and
    /// nothing of it is missing. The source would not be asked for another so soon.
    pub(crate) fn recent_beginning(&self, now: Instant) -> Option<(ExtSeqNo, ExtSeqNo)> {
        let (from, to) = (self.newest_key_frame?, self.newest?);
        let age = now.saturating_duration_since(self.packet(from)?.meta.received_at);
        let steps = to.distance_from(from);
        if age > MAX_BEGINNING_AGE || steps > MAX_BEGINNING_PACKETS {
            return None;
        }
        let mut bytes = 0;
        for step in 0..=steps {
            bytes += self.packet(from.offset(step))?.bytes.len();
        }
        (bytes <= MAX_BEGINNING_BYTES).then_some((from, to))
    }

    /// Somebody needs a key frame. Returns the request to send now, if it is time for one.
    pub(crate) fn want_key_frame(&mut self, now: Instant) -> Option<KeyFrameRequest> {
        if self.kind == MediaKind::Audio {
            return None;
        }
        self.key_frames.wish(now);
        self.due_key_frame_request(now)
    }

    /// The key frame request that is due, if any.
    pub(crate) fn due_key_frame_request(&mut self, now: Instant) -> Option<KeyFrameRequest> {
        let ssrc = self.ssrc?;
        if !(self.pli || self.fir.is_some()) || !self.key_frames.take_due(now) {
            return None;
        }
        self.key_frame_requests += 1;
        if self.pli {
            return Some(KeyFrameRequest::Pli(ssrc));
        }
        let number = self.fir.as_mut()?;
        *number = number.wrapping_add(1);
        Some(KeyFrameRequest::Fir(ssrc, *number))
    }

    /// When this stream has a NACK or a key frame request to send.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let nack = self.nack.as_ref().and_then(NackGenerator::next_at);
        let key_frame =
            if self.ssrc.is_some() && (self.pli || self.fir.is_some()) { self.key_frames.next_at() } else { None };
        [nack, key_frame].into_iter().flatten().min()
    }

    /// Whether its first packet came at least `time` ago.
    pub(crate) fn has_run_for(&self, now: Instant, time: Duration) -> bool {
        self.epoch.is_some_and(|at| now.saturating_duration_since(at) >= time)
    }

    /// The newest packet's time on the sender's media clock, and when it came.
    pub(crate) fn newest_time(&self) -> Option<(RtpTimestamp, Instant)> {
        self.newest_at.map(|at| (self.newest_timestamp, at))
    }

    /// The stored packet of this number.
    pub(crate) fn packet(&self, seq: ExtSeqNo) -> Option<StoredPacket<'_>> {
        self.history.get(seq)
    }

    /// Notes the sender's report of its clocks.
    pub(crate) fn receive_sender_report(&mut self, ntp: NtpTime, rtp: RtpTimestamp, at: Instant) {
        self.clock = Some(ClockReport { ntp, rtp, received_at: at });
    }

    /// The report block about this stream (RFC 3550 §6.4.1); `None` before its first packet.
    pub(crate) fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        let (ssrc, expected) = (self.ssrc?, self.expected()?);
        let (expected_before, received_before, repaired_before) = self.reported;
        self.reported = (expected, self.received, self.repaired);
        let expected_now = expected.saturating_sub(expected_before);
        let received_now = self.received.saturating_sub(received_before);
        let lost_now = expected_now.saturating_sub(received_now);
        let fraction_lost = (lost_now * 256).checked_div(expected_now).unwrap_or(0).min(255) as u8;
        let came = received_now.saturating_sub(self.repaired - repaired_before);
        self.first_tries = (expected_now, expected_now.saturating_sub(came));
        self.lost_share = fraction_lost;
        self.brings = expected_now > 0;
        let (last_sr, delay_since_last_sr) = self.clock.map_or((0, 0), |clock| {
            let delay = now.saturating_duration_since(clock.received_at);
            (clock.ntp.middle(), (delay.as_micros() * 65_536 / 1_000_000) as u32)
        });
        Some(ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost: self.lost().clamp(-(1 << 23), (1 << 23) - 1) as i32,
            highest_seq: self.newest?.get() as u32,
            jitter: (self.jitter_q4 >> 4) as u32,
            last_sr,
            delay_since_last_sr,
        })
    }

    fn expected(&self) -> Option<u64> {
        Some(self.newest?.distance_from(self.first?).unsigned_abs() + 1)
    }

    /// Packets that never came (RFC 3550 §A.3).
    pub(crate) fn lost(&self) -> i64 {
        self.expected().unwrap_or(0) as i64 - self.received as i64
    }

    /// Packets that came by retransmission, needed or not.
    pub(crate) fn retransmitted(&self) -> u64 {
        self.retransmitted
    }

    /// Notes how much came, for the rates; with every report.
    pub(crate) fn note_traffic(&mut self, now: Instant) {
        self.rates_of_rtp.note(now, self.rtp_bytes);
    }

    /// Bits a second lately of each layer alone.
    pub(crate) fn layer_rates(&self, now: Instant) -> [u64; LAYERS] {
        self.rates_of_rtp.since(now, self.rtp_bytes)
    }

    /// SSRC, and packets, bytes, and bits a second lately; `None` before its first packet.
    pub(crate) fn traffic(&self, now: Instant) -> Option<(u32, [u64; 3])> {
        Some((self.ssrc?.get(), [self.received, self.rtp_bytes.iter().sum(), self.layer_rates(now).iter().sum()]))
    }

    /// Its figures, but for those that its producer knows.
    pub(crate) fn stats(&self, now: Instant, layers: Vec<(Layer, u64)>) -> StreamStats {
        let firs = if self.pli { 0 } else { self.key_frame_requests };
        StreamStats {
            codec: self.codec,
            ssrc: self.ssrc.map(Ssrc::get),
            rtx_ssrc: self.rtx_ssrc.map(Ssrc::get),
            rtp_bytes_received: self.rtp_bytes.iter().sum(),
            bit_rate: self.layer_rates(now).iter().sum(),
            layers,
            fraction_lost: self.lost_share,
            packets_retransmitted: self.retransmitted,
            rtx_packets_discarded: self.rtx_discarded,
            nack_messages: self.nack_messages,
            firs_sent: firs,
            score: 0,
            rid: self.rid.map(|rid| rid.as_str().to_owned()),
            packets_received: self.received,
            bytes_received: self.bytes,
            packets_lost: self.lost(),
            packets_repaired: self.repaired,
            packets_duplicated: self.duplicated,
            jitter_seconds: (self.jitter_q4 >> 4) as f64 / f64::from(self.clock_rate.max(1)),
            nacks_sent: self.nacks_sent,
            key_frame_requests: self.key_frame_requests,
            key_frames: self.key_frame_count,
        }
    }
}
