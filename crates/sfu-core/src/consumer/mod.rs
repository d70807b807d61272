//! What one participant receives of one producer: which stream of it, and under which numbers.

mod numbering;
mod retransmit;
mod write;

use std::time::Instant;

use wire::codec::{CodecKind, vp8};
use wire::{ExtSeqNo, RtpTimestamp};

use self::numbering::Numbering;
pub(crate) use self::numbering::Shift;
pub(crate) use self::retransmit::{PlainSent, Retransmissions, Stamp};
pub(crate) use self::write::As;
use self::write::CopiedExtensions;
use crate::command::{ConsumerSpec, ObjectId};
use crate::producer::{PacketMeta, Producer, StoredPacket, Stream};
use crate::router::Router;
use crate::stats::ConsumerStats;
use crate::table::Key;
use crate::transport::WebRtcTransport;

/// A jump of the incoming number by more than this is a new start: it is not shown to the receiver.
const MAX_JUMP: i64 = 1000;

/// Smallest step of the timestamp over a switch whose real distance is unknown or negative, as a part of
/// a second.
const MIN_SWITCH_STEP_HZ: u32 = 1000;

/// What a consumer does with its producer's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forwarding {
    /// The consumer or the producer is paused.
    Paused,
    /// Nothing is sent until a key frame of `stream` begins; it was asked for.
    Waiting { stream: u8 },
    /// Sends `stream`. Changes to `next` where a key frame of that begins; it was asked for.
    Sending { stream: u8, next: Option<u8> },
}

/// What to do with one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ignore,
    Continue,
    /// This packet is the first of its stream that is sent.
    Start,
}

/// The newest packet sent.
#[derive(Clone, Copy, Debug)]
struct LastSent {
    stream: u8,
    /// As it came in.
    timestamp: RtpTimestamp,
    received_at: Instant,
    /// As they went out.
    picture_id: u16,
    tl0_pic_idx: u8,
}

/// What the receiver said in its last report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReceiverView {
    pub(crate) fraction_lost: u8,
    pub(crate) cumulative_lost: i32,
}

/// One participant's view of one producer.
pub struct Consumer {
    pub(crate) id: ObjectId,
    pub(crate) router: Key<Router>,
    pub(crate) transport: Key<WebRtcTransport>,
    pub(crate) spec: ConsumerSpec,
    codec: CodecKind,
    /// Several streams: switches happen, so picture ids have to be kept continuous.
    switches: bool,
    copied: CopiedExtensions,
    forwarding: Forwarding,
    paused: bool,
    producer_paused: bool,
    /// Highest stream wanted; `None` means the best there is.
    preferred: Option<u8>,
    numbering: Numbering,
    last: Option<LastSent>,
    rtx_next: ExtSeqNo,
    plain: Option<PlainSent>,
    pub(crate) retransmissions: Retransmissions,
    pub(crate) view: ReceiverView,
    packets_sent: u64,
    bytes_sent: u64,
    packets_retransmitted: u64,
    pub(crate) nacks_received: u64,
    pub(crate) nacks_unanswered: u64,
    pub(crate) key_frame_requests: u64,
}

impl Consumer {
    /// `first_seq` and `first_rtx_seq` are the first outgoing numbers.
    pub(crate) fn new(
        transport: Key<WebRtcTransport>,
        producer: &Producer,
        codec: CodecKind,
        spec: ConsumerSpec,
        (first_seq, first_rtx_seq): (ExtSeqNo, ExtSeqNo),
    ) -> Self {
        let plain = (spec.nack && spec.rtx_ssrc.is_none()).then(PlainSent::new);
        Self {
            id: spec.id,
            router: producer.router,
            transport,
            codec,
            switches: producer.streams.len() > 1,
            copied: CopiedExtensions::new(&spec.extensions),
            forwarding: Forwarding::Paused,
            paused: spec.paused,
            producer_paused: producer.paused,
            preferred: None,
            numbering: Numbering::new(first_seq),
            last: None,
            rtx_next: first_rtx_seq,
            plain,
            retransmissions: Retransmissions::new(),
            view: ReceiverView::default(),
            packets_sent: 0,
            bytes_sent: 0,
            packets_retransmitted: 0,
            nacks_received: 0,
            nacks_unanswered: 0,
            key_frame_requests: 0,
            spec,
        }
    }

    /// The stream that is sent now.
    pub(crate) fn current_stream(&self) -> Option<u8> {
        match self.forwarding {
            Forwarding::Sending { stream, .. } => Some(stream),
            _ => None,
        }
    }

    /// The streams of which a key frame is of use to this consumer.
    pub(crate) fn watched_streams(&self) -> impl Iterator<Item = u8> + use<> {
        let (current, next) = match self.forwarding {
            Forwarding::Paused => (None, None),
            Forwarding::Waiting { stream } => (Some(stream), None),
            Forwarding::Sending { stream, next } => (Some(stream), next),
        };
        current.into_iter().chain(next)
    }

    /// The stream it waits for, if it sends nothing meanwhile or something else.
    pub(crate) fn awaited_stream(&self) -> Option<u8> {
        match self.forwarding {
            Forwarding::Paused => None,
            Forwarding::Waiting { stream } => Some(stream),
            Forwarding::Sending { next, .. } => next,
        }
    }

    /// Sets one reason for being paused, or both, and aims at a stream when none is left.
    pub(crate) fn set_paused(&mut self, paused: Option<bool>, producer_paused: Option<bool>, live: u8, streams: usize) {
        self.paused = paused.unwrap_or(self.paused);
        self.producer_paused = producer_paused.unwrap_or(self.producer_paused);
        if self.paused || self.producer_paused {
            self.forwarding = Forwarding::Paused;
        } else if self.forwarding == Forwarding::Paused {
            let stream = self.choose_stream(live, streams);
            self.forwarding = Forwarding::Waiting { stream };
        }
    }

    /// Sets the highest stream wanted.
    pub(crate) fn set_preferred(&mut self, spatial: u8, live: u8, streams: usize) {
        self.preferred = Some(spatial);
        self.aim(live, streams);
    }

    /// Aims at the stream that is best now: the highest live one up to the preferred one, else the lowest
    /// live one, else the lowest.
    fn choose_stream(&self, live: u8, streams: usize) -> u8 {
        let highest = (streams.max(1) - 1) as u8;
        let wanted = self.preferred.unwrap_or(highest).min(highest);
        (0..=wanted).rev().chain(wanted + 1..=highest).find(|stream| live & 1 << stream != 0).unwrap_or(0)
    }

    /// Chooses the stream anew, after streams came or went. `live` has bit `i` set while stream `i`
    /// brings packets.
    pub(crate) fn aim(&mut self, live: u8, streams: usize) {
        if live == 0 {
            return;
        }
        let target = self.choose_stream(live, streams);
        self.forwarding = match self.forwarding {
            Forwarding::Paused => Forwarding::Paused,
            Forwarding::Waiting { .. } => Forwarding::Waiting { stream: target },
            Forwarding::Sending { stream, .. } => {
                Forwarding::Sending { stream, next: (target != stream).then_some(target) }
            }
        };
    }

    fn verdict(&self, stream: u8, meta: &PacketMeta) -> Verdict {
        match self.forwarding {
            Forwarding::Waiting { stream: awaited } if awaited == stream => {
                if meta.starts_key_frame {
                    Verdict::Start
                } else {
                    Verdict::Ignore
                }
            }
            Forwarding::Sending { next: Some(next), .. } if next == stream => {
                if meta.starts_key_frame {
                    Verdict::Start
                } else {
                    Verdict::Ignore
                }
            }
            Forwarding::Sending { stream: current, .. } if current == stream => Verdict::Continue,
            _ => Verdict::Ignore,
        }
    }

    /// Decides on a packet of `streams[stream]`: under which number it is to be sent, if at all.
    /// The last value tells that sending of this stream begins with it.
    pub(crate) fn admit(
        &mut self,
        stream: u8,
        packet: &StoredPacket<'_>,
        streams: &[Stream],
    ) -> Option<(ExtSeqNo, Shift, bool)> {
        let seq = packet.meta.seq;
        let starts = match self.verdict(stream, packet.meta) {
            Verdict::Ignore => return None,
            Verdict::Start => {
                let shift = self.shift_for(stream, packet, streams);
                self.numbering.start(stream, seq, shift);
                self.forwarding = Forwarding::Sending { stream, next: None };
                true
            }
            Verdict::Continue => {
                let resumed_from = streams.get(usize::from(stream)).and_then(|stream| stream.resumed_from);
                if let Some(from) = resumed_from.filter(|&from| from <= seq && self.numbering.is_before(from)) {
                    let shift = Shift { talkspurt: Some(from), ..self.numbering.shift() };
                    self.numbering.start(stream, from, shift);
                } else if self.numbering.is_jump(seq, MAX_JUMP) {
                    let shift = self.numbering.shift();
                    self.numbering.start(stream, seq, shift);
                }
                false
            }
        };
        let (out, shift) = self.numbering.map(stream, seq)?;
        self.note_last(stream, packet, shift);
        Some((out, shift, starts))
    }

    /// A number of `stream` will never carry anything.
    pub(crate) fn skip(&mut self, stream: u8, seq: ExtSeqNo) {
        if self.current_stream() == Some(stream) {
            self.numbering.skip(stream, seq);
        }
    }

    fn note_last(&mut self, stream: u8, packet: &StoredPacket<'_>, shift: Shift) {
        let is_newest = self
            .last
            .is_none_or(|last| last.stream != stream || packet.meta.timestamp.wrapping_sub(last.timestamp) >= 0);
        if !is_newest {
            return;
        }
        let (mut picture_id, mut tl0_pic_idx) = self.last.map_or((0, 0), |last| (last.picture_id, last.tl0_pic_idx));
        if self.switches
            && self.codec == CodecKind::Vp8
            && let Ok(descriptor) = vp8::Descriptor::parse(packet.payload())
        {
            if let Some(id) = descriptor.picture_id {
                picture_id = id.value.wrapping_add(shift.picture_id);
            }
            if let Some(index) = descriptor.tl0_pic_idx {
                tl0_pic_idx = index.wrapping_add(shift.tl0_pic_idx);
            }
        }
        self.last = Some(LastSent {
            stream,
            timestamp: packet.meta.timestamp,
            received_at: packet.meta.received_at,
            picture_id,
            tl0_pic_idx,
        });
    }

    /// What to add to the fields of `stream`, so that they go on where the last packet's ended.
    fn shift_for(&self, stream: u8, packet: &StoredPacket<'_>, streams: &[Stream]) -> Shift {
        let Some(last) = self.last else { return Shift::default() };
        if last.stream == stream {
            return self.numbering.shift();
        }
        let clock_rate = streams.first().map_or(90_000, |stream| stream.clock_rate);
        let step = clock_step(&last, stream, packet, streams).unwrap_or_else(|| {
            let elapsed = packet.meta.received_at.saturating_duration_since(last.received_at);
            (elapsed.as_micros() as i64) * i64::from(clock_rate) / 1_000_000
        });
        let step = step.clamp(i64::from(clock_rate / MIN_SWITCH_STEP_HZ), i64::from(u32::MAX >> 2));
        let last_out = last.timestamp.get().wrapping_add(self.numbering.shift().timestamp);
        let out = last_out.wrapping_add(step as u32);
        let mut shift = Shift { timestamp: out.wrapping_sub(packet.meta.timestamp.get()), ..Shift::default() };
        if self.codec == CodecKind::Vp8
            && let Ok(descriptor) = vp8::Descriptor::parse(packet.payload())
        {
            if let Some(id) = descriptor.picture_id {
                shift.picture_id = last.picture_id.wrapping_add(1).wrapping_sub(id.value);
            }
            if let Some(index) = descriptor.tl0_pic_idx {
                shift.tl0_pic_idx = last.tl0_pic_idx.wrapping_add(1).wrapping_sub(index);
            }
        }
        shift
    }

    /// Notes that a packet of `bytes` was sent for the first time, under `seq`.
    pub(crate) fn note_sent(&mut self, now: Instant, seq: ExtSeqNo, bytes: usize) {
        self.packets_sent += 1;
        self.bytes_sent += bytes as u64;
        self.retransmissions.sent(bytes);
        if seq < self.numbering.last() {
            self.retransmissions.note_late(now, seq);
        }
    }

    /// Packets and payload bytes sent, as sender reports count them.
    pub(crate) fn sent(&self) -> (u64, u64) {
        (self.packets_sent, self.bytes_sent)
    }

    /// What is added to the timestamps that are sent now.
    pub(crate) fn timestamp_shift(&self) -> u32 {
        self.numbering.shift().timestamp
    }

    /// The packet that was sent under the number whose low 16 bits are `seq`.
    pub(crate) fn source_of(&self, seq: wire::SeqNo) -> Option<(u8, ExtSeqNo, ExtSeqNo, Shift)> {
        let out = self.numbering.last().nearest(seq)?;
        let (stream, source, shift) = self.numbering.source(out)?;
        Some((stream, source, out, shift))
    }

    /// The next number of the retransmission stream.
    pub(crate) fn take_rtx_number(&mut self) -> ExtSeqNo {
        let number = self.rtx_next;
        self.rtx_next = number.next();
        number
    }

    pub(crate) fn note_retransmitted(&mut self) {
        self.packets_retransmitted += 1;
    }

    pub(crate) fn plain(&mut self) -> Option<&mut PlainSent> {
        self.plain.as_mut()
    }

    pub(crate) fn stats(&self) -> ConsumerStats {
        ConsumerStats {
            ssrc: self.spec.ssrc.get(),
            packets_sent: self.packets_sent,
            bytes_sent: self.bytes_sent,
            packets_retransmitted: self.packets_retransmitted,
            nacks_received: self.nacks_received,
            nacks_unanswered: self.nacks_unanswered,
            key_frame_requests: self.key_frame_requests,
            fraction_lost: f64::from(self.view.fraction_lost) / 256.0,
            packets_lost: i64::from(self.view.cumulative_lost),
            round_trip: None,
            current_stream: self.current_stream(),
        }
    }
}

/// How far the sender's clock went between the last packet sent and this one of another stream, by the
/// sender's reports of both streams.
fn clock_step(last: &LastSent, stream: u8, packet: &StoredPacket<'_>, streams: &[Stream]) -> Option<i64> {
    let (from, to) = (streams.get(usize::from(last.stream))?, streams.get(usize::from(stream))?);
    let (from_clock, to_clock) = (from.clock?, to.clock?);
    let rate = i64::from(from.clock_rate.max(1));
    let in_from = i64::from(last.timestamp.wrapping_sub(from_clock.rtp));
    let in_to = i64::from(packet.meta.timestamp.wrapping_sub(to_clock.rtp));
    let reports_apart = to_clock.ntp.to_unix().as_micros() as i64 - from_clock.ntp.to_unix().as_micros() as i64;
    let reports_apart = i128::from(reports_apart) * i128::from(rate) / 1_000_000;
    Some(in_to - in_from + i64::try_from(reports_apart).ok()?)
}
