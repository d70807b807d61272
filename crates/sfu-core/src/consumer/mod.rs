//! What one participant receives of one producer: which stream of it, and under which numbers.

mod layers;
mod numbering;
#[cfg(test)]
mod properties;
mod redundant;
mod retransmit;
mod wish;
mod write;

use std::time::{Duration, Instant};

use wire::codec::dependency_descriptor::MandatoryFields;
use wire::codec::{CodecKind, vp8, vp9};
use wire::extension::ExtensionKind;
use wire::{ExtSeqNo, RtpTimestamp, Ssrc};

pub(crate) use self::layers::Shape;
use self::layers::{Selection, Verdict};
use self::numbering::Numbering;
pub(crate) use self::numbering::Shift;
use self::redundant::Redundancy;
pub(crate) use self::redundant::{MAX_REPEATED, Repeated};
pub(crate) use self::retransmit::{PlainSent, Retransmissions, Stamp};
pub use self::wish::LayersReason;
use self::wish::Wish;
pub(crate) use self::wish::{Share, View};
pub(crate) use self::write::As;
use self::write::CopiedExtensions;
use crate::command::{ConsumerSpec, ObjectId};
use crate::congestion::Raising;
use crate::producer::{Layer, Producer, StoredPacket, Stream};
use crate::quality;
use crate::rate::Rates;
use crate::router::Router;
use crate::stats::ConsumerStats;
use crate::table::Key;
use crate::trace::TraceKinds;
use crate::transport::WebRtcTransport;

/// A jump of the incoming number by more than this is a new start: it is not shown to the receiver.
const MAX_JUMP: i64 = 1000;

/// Smallest step of the timestamp over a switch whose real distance is unknown or negative, as a part of
/// a second.
const MIN_SWITCH_STEP_HZ: u32 = 1000;

/// How a packet is to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admitted {
    pub(crate) seq: ExtSeqNo,
    pub(crate) shift: Shift,
    /// Without its payload.
    pub(crate) is_empty: bool,
}

/// The newest packet sent.
#[derive(Clone, Copy, Debug)]
struct LastSent {
    stream: u8,
    /// As it came in.
    timestamp: RtpTimestamp,
    received_at: Instant,
    /// As they went out.
    pictures: Pictures,
}

/// Ids that number the pictures of a stream.
#[derive(Clone, Copy, Debug, Default)]
struct Pictures {
    /// PictureID of VP8 and VP9.
    id: Option<u16>,
    /// TL0PICIDX of VP8 and VP9.
    tl0_pic_idx: Option<u8>,
    /// Frame number of a dependency descriptor.
    frame_number: Option<u16>,
}

impl Pictures {
    fn of(codec: CodecKind, packet: &StoredPacket<'_>) -> Self {
        let mut pictures = Self::default();
        match codec {
            CodecKind::Vp8 => {
                let Ok(descriptor) = vp8::Descriptor::parse(packet.payload()) else { return pictures };
                pictures.id = descriptor.picture_id.map(|id| id.value);
                pictures.tl0_pic_idx = descriptor.tl0_pic_idx;
                return pictures;
            }
            CodecKind::Vp9 => {
                if let Ok(descriptor) = vp9::Descriptor::parse(packet.payload()) {
                    pictures.id = descriptor.picture_id.map(|id| id.value);
                    pictures.tl0_pic_idx = descriptor.tl0_pic_idx;
                }
            }
            CodecKind::Opus | CodecKind::H264 | CodecKind::Av1 => {}
        }
        let descriptor = packet.meta.extensions.get(packet.bytes, ExtensionKind::DependencyDescriptor);
        pictures.frame_number = descriptor.and_then(MandatoryFields::parse).map(|fields| fields.frame_number);
        pictures
    }

    fn shifted(self, shift: Shift) -> Self {
        Self {
            id: self.id.map(|id| id.wrapping_add(shift.picture_id)),
            tl0_pic_idx: self.tl0_pic_idx.map(|index| index.wrapping_add(shift.tl0_pic_idx)),
            frame_number: self.frame_number.map(|number| number.wrapping_add(shift.frame_number)),
        }
    }

    /// What is not told by this packet is as it was.
    fn or(self, before: Self) -> Self {
        Self {
            id: self.id.or(before.id),
            tl0_pic_idx: self.tl0_pic_idx.or(before.tl0_pic_idx),
            frame_number: self.frame_number.or(before.frame_number),
        }
    }
}

/// What the receiver said in its last report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReceiverView {
    pub(crate) fraction_lost: u8,
    pub(crate) cumulative_lost: i32,
    /// In units of the media clock.
    pub(crate) jitter: u32,
}

/// One participant's view of one producer.
pub struct Consumer {
    pub(crate) id: ObjectId,
    pub(crate) router: Key<Router>,
    pub(crate) transport: Key<WebRtcTransport>,
    pub(crate) spec: ConsumerSpec,
    codec: CodecKind,
    /// Several streams: switches between them happen, so picture ids have to be kept continuous.
    switches: bool,
    copied: CopiedExtensions,
    selection: Selection,
    wish: Wish,
    paused: bool,
    pub(crate) trace: TraceKinds,
    /// The scores that were told: its own and its stream's.
    scores: Option<(u8, u8)>,
    /// What the driver was told of the layer that is sent.
    told: Option<Layer>,
    numbering: Numbering,
    last: Option<LastSent>,
    /// Time of the newest frame that was left out.
    left_out: Option<RtpTimestamp>,
    rtx_next: ExtSeqNo,
    plain: Option<PlainSent>,
    redundancy: Option<Redundancy>,
    /// What came of sending its viewer a better layer.
    pub(crate) raising: Raising,
    pub(crate) retransmissions: Retransmissions,
    pub(crate) view: ReceiverView,
    packets_sent: u64,
    bytes_sent: u64,
    /// Bytes of whole RTP packets, retransmissions not counted, and what they were.
    rtp_bytes_sent: u64,
    rate: Rates<1>,
    packets_retransmitted: u64,
    /// Of those, the ones sent again for the first time.
    packets_repaired: u64,
    pub(crate) nack_messages: u64,
    pub(crate) nacks_received: u64,
    pub(crate) nacks_unanswered: u64,
    pub(crate) key_frame_requests: u64,
    pub(crate) firs_received: u64,
}

impl Consumer {
    /// `first_seq` and `first_rtx_seq` are the first outgoing numbers.
    pub(crate) fn new(
        now: Instant,
        transport: Key<WebRtcTransport>,
        producer: &Producer,
        spec: ConsumerSpec,
        (first_seq, first_rtx_seq): (ExtSeqNo, ExtSeqNo),
    ) -> Self {
        let codec = producer.codec();
        let plain = (spec.nack && spec.rtx_ssrc.is_none()).then(PlainSent::new);
        Self {
            id: spec.id,
            router: producer.router,
            transport,
            codec,
            switches: producer.streams.len() > 1,
            copied: CopiedExtensions::new(&spec.extensions, codec),
            selection: Selection::new(producer.shape()),
            wish: Wish::default(),
            paused: spec.paused,
            trace: TraceKinds::NONE,
            scores: None,
            told: None,
            numbering: Numbering::new(first_seq),
            last: None,
            left_out: None,
            rtx_next: first_rtx_seq,
            plain,
            raising: Raising::of_one(),
            redundancy: spec.red_payload_type.map(Redundancy::new),
            retransmissions: Retransmissions::new(),
            view: ReceiverView::default(),
            packets_sent: 0,
            bytes_sent: 0,
            rtp_bytes_sent: 0,
            rate: Rates::new(now),
            packets_retransmitted: 0,
            packets_repaired: 0,
            nack_messages: 0,
            nacks_received: 0,
            nacks_unanswered: 0,
            key_frame_requests: 0,
            firs_received: 0,
            spec,
        }
    }

    /// The stream that is sent now.
    pub(crate) fn current_stream(&self) -> Option<u8> {
        self.selection.stream()
    }

    /// The streams of which a key frame is of use to this consumer.
    pub(crate) fn watched_streams(&self) -> impl Iterator<Item = u8> + use<> {
        self.selection.watched()
    }

    /// The stream whose key frame it waits for, if it sends nothing meanwhile or something else.
    pub(crate) fn awaited_stream(&self) -> Option<u8> {
        self.selection.awaited()
    }

    /// Whether it is paused by its own side.
    pub(crate) fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Sets the highest layer wanted.
    pub(crate) fn set_preferred(&mut self, layer: Layer) {
        self.wish.preferred = Some(layer);
    }

    /// Sets where its viewer shows it.
    pub(crate) fn set_view(&mut self, view: View) {
        self.wish.view = view;
    }

    /// Sets what its transport's link carries of it; whether that is new.
    pub(crate) fn set_share(&mut self, share: Share) -> bool {
        std::mem::replace(&mut self.wish.share, share) != share
    }

    pub(crate) fn share(&self) -> Share {
        self.wish.share
    }

    /// Whether nothing is to be sent.
    pub(crate) fn is_off(&self) -> bool {
        self.selection.target().is_none()
    }

    /// Whether it is sound, which never waits.
    pub(crate) fn is_sound(&self) -> bool {
        self.codec == CodecKind::Opus
    }

    pub(crate) fn view(&self) -> View {
        self.wish.view
    }

    /// The best layer that is of use to its viewer, whatever the link carries; `None` while none is.
    pub(crate) fn desired(&self, producer: &Producer) -> Option<Layer> {
        if self.paused || producer.paused { None } else { self.wish.desired(producer) }
    }

    /// While nothing is sent: a stream that is of use and began with a key frame a moment ago, from where to where; the best that
    /// is cheap to send from there.
    pub(crate) fn recent_beginning(&self, now: Instant, producer: &Producer) -> Option<(u8, ExtSeqNo, ExtSeqNo)> {
        let awaited = self.awaited_stream().filter(|_| self.current_stream().is_none())?;
        (0..=awaited).rev().filter(|index| producer.live & 1 << index != 0 || awaited == 0).find_map(|index| {
            let (from, to) = producer.streams.get(usize::from(index))?.recent_beginning(now)?;
            let key_frame = producer.streams.get(usize::from(index))?.packet(from)?;
            // Of what was sent already nothing is sent again.
            let is_new = self.last.is_none_or(|last| last.received_at < key_frame.meta.received_at);
            is_new.then_some((index, from, to))
        })
    }

    /// Has it begin with the next key frame of `stream`.
    pub(crate) fn begin_with(&mut self, stream: u8) {
        self.selection.wait_for(stream);
    }

    /// Aims at the layer that is best now. Returns the layer and the reason to tell, where what is sent ends by that.
    pub(crate) fn aim(&mut self, producer: &Producer) -> Option<(Option<Layer>, LayersReason)> {
        let target = if self.paused || producer.paused { None } else { self.wish.target(producer) };
        self.selection.aim(target, producer.live);
        if target.is_some() || self.told.is_none() {
            return None;
        }
        self.told = None;
        (self.codec != CodecKind::Opus).then(|| (None, self.wish.reason(producer, None)))
    }

    /// The layer and the reason to tell, if another layer is sent than was told.
    pub(crate) fn take_news(&mut self, producer: &Producer) -> Option<(Option<Layer>, LayersReason)> {
        let current = self.selection.current()?;
        let highest = producer.temporal_layers().saturating_sub(1);
        let current = Some(Layer { temporal: current.temporal.min(highest), ..current });
        if current == self.told || self.codec == CodecKind::Opus {
            return None;
        }
        self.told = current;
        Some((current, self.wish.reason(producer, self.selection.target())))
    }

    /// Share of packets that its receiver lost between its last reports, of 256.
    pub(crate) fn lost_share(&self) -> u8 {
        self.view.fraction_lost
    }

    /// Its score and that of the stream it is sent, if they are not those that were told.
    pub(crate) fn take_new_score(&mut self, producer: &Producer) -> Option<(u8, u8)> {
        let score = (quality::score(self.view.fraction_lost), producer.score(self.current_stream().unwrap_or(0)));
        (self.scores.replace(score) != Some(score)).then_some(score)
    }

    /// The layer that is sent now, as it was told.
    pub(crate) fn current_layer(&self) -> Option<Layer> {
        self.told
    }

    /// The best layer that is to be sent.
    pub(crate) fn target_layer(&self) -> Option<Layer> {
        self.selection.target()
    }

    /// Whether spatial layers may be left out of the packets of one picture.
    fn is_layered(&self) -> bool {
        !self.switches && matches!(self.codec, CodecKind::Vp9 | CodecKind::Av1)
    }

    /// Decides on a packet of `streams[stream]`: under which number it is to be sent, if at all.
    pub(crate) fn admit(&mut self, stream: u8, packet: &StoredPacket<'_>, streams: &[Stream]) -> Option<Admitted> {
        let seq = packet.meta.seq;
        if self.selection.stream() == Some(stream) && !self.numbering.is_newest(seq) {
            return self.admit_late(stream, packet);
        }
        match self.selection.judge(stream, packet.meta) {
            Verdict::Ignore => return None,
            Verdict::Drop => {
                self.leave_out(stream, packet);
                return None;
            }
            Verdict::Start => {
                let limit = self.selection.limit();
                let shift = Shift { limit, ..self.shift_for(stream, packet, streams) };
                self.numbering.start(stream, seq, shift);
                // The layer that is wanted may begin only behind this one.
                if self.is_left_out(packet, shift) {
                    self.leave_out(stream, packet);
                    return None;
                }
            }
            Verdict::Forward => {
                let limit = self.selection.limit();
                let shift = Shift { limit, ..self.numbering.shift() };
                let resumed_from = streams.get(usize::from(stream)).and_then(|stream| stream.resumed_from);
                if let Some(from) = resumed_from.filter(|&from| from <= seq && self.numbering.is_newest(from)) {
                    self.numbering.start(stream, from, Shift { talkspurt: Some(from), ..shift });
                } else if self.numbering.is_jump(seq, MAX_JUMP) {
                    self.numbering.start(stream, seq, shift);
                } else if shift != self.numbering.shift() {
                    self.numbering.change(seq, shift);
                }
            }
        }
        let (seq, shift) = self.numbering.map(stream, seq)?;
        self.note_last(stream, packet, shift);
        Some(Admitted { seq, shift, is_empty: false })
    }

    /// A packet that was overtaken is sent as its neighbours were. Of one that belongs to a layer left out only the number
    /// is sent, as the receiver misses that.
    fn admit_late(&mut self, stream: u8, packet: &StoredPacket<'_>) -> Option<Admitted> {
        let (seq, shift) = self.numbering.map(stream, packet.meta.seq)?;
        let is_empty = self.is_left_out(packet, shift);
        if !is_empty {
            self.note_last(stream, packet, shift);
        }
        Some(Admitted { seq, shift, is_empty })
    }

    /// Whether a packet is of a layer that is not sent where `shift` holds.
    pub(crate) fn is_left_out(&self, packet: &StoredPacket<'_>, shift: Shift) -> bool {
        !self.selection.fits(packet.meta.frame.layer, shift.limit, self.selection.is_of_key_picture(packet.meta))
    }

    /// Leaves a packet of the stream that is sent out.
    fn leave_out(&mut self, stream: u8, packet: &StoredPacket<'_>) {
        let limit = self.selection.limit();
        let mut shift = Shift { limit, ..self.numbering.shift() };
        let is_next_frame = self.left_out.replace(packet.meta.timestamp) != Some(packet.meta.timestamp);
        // VP8 counts frames, and decoders look for those that are missing. VP9 refers back by PictureID.
        if self.codec == CodecKind::Vp8 && is_next_frame {
            shift.picture_id = shift.picture_id.wrapping_sub(1);
        }
        self.numbering.skip(stream, packet.meta.seq, shift);
    }

    /// A number of `stream` will never carry anything.
    pub(crate) fn skip(&mut self, stream: u8, seq: ExtSeqNo) {
        if self.current_stream() == Some(stream) {
            let shift = self.numbering.shift();
            self.numbering.skip(stream, seq, shift);
        }
    }

    fn note_last(&mut self, stream: u8, packet: &StoredPacket<'_>, shift: Shift) {
        let is_newest = self
            .last
            .is_none_or(|last| last.stream != stream || packet.meta.timestamp.wrapping_sub(last.timestamp) >= 0);
        if !is_newest {
            return;
        }
        let mut pictures = self.last.map(|last| last.pictures).unwrap_or_default();
        if self.switches {
            pictures = Pictures::of(self.codec, packet).shifted(shift).or(pictures);
        }
        self.last =
            Some(LastSent { stream, timestamp: packet.meta.timestamp, received_at: packet.meta.received_at, pictures });
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
        let (before, after) = (last.pictures, Pictures::of(self.codec, packet));
        if let (Some(before), Some(after)) = (before.id, after.id) {
            shift.picture_id = before.wrapping_add(1).wrapping_sub(after);
        }
        if let (Some(before), Some(after)) = (before.tl0_pic_idx, after.tl0_pic_idx) {
            shift.tl0_pic_idx = before.wrapping_add(1).wrapping_sub(after);
        }
        if let (Some(before), Some(after)) = (before.frame_number, after.frame_number) {
            shift.frame_number = before.wrapping_add(1).wrapping_sub(after);
        }
        shift
    }

    /// Notes that a packet of `len` bytes, with a payload of `payload_len`, was sent for the first time, under `seq`.
    pub(crate) fn note_sent(&mut self, now: Instant, seq: ExtSeqNo, payload_len: usize, len: usize) {
        self.packets_sent += 1;
        self.bytes_sent += payload_len as u64;
        self.rtp_bytes_sent += len as u64;
        self.retransmissions.sent(payload_len);
        if seq < self.numbering.last() {
            self.retransmissions.note_late(now, seq);
        }
    }

    /// Packets and payload bytes sent, as sender reports count them.
    pub(crate) fn sent(&self) -> (u64, u64) {
        (self.packets_sent, self.bytes_sent)
    }

    /// Packets, bytes, and bits a second lately.
    pub(crate) fn traffic(&self, now: Instant) -> [u64; 3] {
        let [bit_rate] = self.rate.since(now, [self.rtp_bytes_sent]);
        [self.packets_sent, self.rtp_bytes_sent, bit_rate]
    }

    /// Notes how much was sent, for the rate; with every report.
    pub(crate) fn note_traffic(&mut self, now: Instant) {
        self.rate.note(now, [self.rtp_bytes_sent]);
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

    /// Notes that a packet was sent again, for the first time or not.
    pub(crate) fn note_retransmitted(&mut self, is_first: bool) {
        self.packets_retransmitted += 1;
        self.packets_repaired += u64::from(is_first);
    }

    /// Packets sent again.
    pub(crate) fn packets_retransmitted(&self) -> u64 {
        self.packets_retransmitted
    }

    pub(crate) fn plain(&mut self) -> Option<&mut PlainSent> {
        self.plain.as_mut()
    }

    /// Its figures, but for those of its transport.
    pub(crate) fn stats(&self, now: Instant, producer: &Producer) -> ConsumerStats {
        let highest = producer.temporal_layers() - 1;
        let clock_rate = producer.streams.first().map_or(1, |stream| stream.clock_rate.max(1));
        ConsumerStats {
            codec: self.codec,
            ssrc: self.spec.ssrc.get(),
            rtx_ssrc: self.spec.rtx_ssrc.map(Ssrc::get),
            packets_sent: self.packets_sent,
            bytes_sent: self.bytes_sent,
            rtp_bytes_sent: self.rtp_bytes_sent,
            bit_rate: self.traffic(now)[2],
            packets_retransmitted: self.packets_retransmitted,
            packets_repaired: self.packets_repaired,
            nack_messages: self.nack_messages,
            nacks_received: self.nacks_received,
            nacks_unanswered: self.nacks_unanswered,
            key_frame_requests: self.key_frame_requests,
            firs_received: self.firs_received,
            fraction_lost: self.view.fraction_lost,
            packets_lost: i64::from(self.view.cumulative_lost),
            jitter_seconds: f64::from(self.view.jitter) / f64::from(clock_rate),
            score: quality::score(self.view.fraction_lost),
            current: self.told,
            target: self.selection.target().map(|layer| Layer { temporal: layer.temporal.min(highest), ..layer }),
            source: self.current_stream().and_then(|stream| producer.stream_stats(now, stream)),
            time: Duration::ZERO,
            round_trip: None,
            measured_round_trip: None,
            available: None,
            pacer_delay: Duration::ZERO,
            source_round_trip: None,
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
