//! What a viewer gets to see and hear of one source: every packet is proven whole, put in order, made into frames, and
//! judged as a decoder and a person would.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use wire::codec::{opus, vp8};
use wire::{ExtSeqNo, RtpTimestamp};

use crate::media::{Stamp, frame_header_len};
use crate::receive::Place;

/// A packet that is missing for longer is not waited for any more.
const MAX_WAIT: Duration = Duration::from_millis(1500);

/// Pause between two requests for a key frame while none comes; as libwebrtc.
const KEY_FRAME_RETRY: Duration = Duration::from_millis(200);

/// Frames whose numbers are remembered, to tell whether others that depend on them can be decoded.
const MAX_DECODED: usize = 64;

/// Packets held while one before them is missing.
const MAX_HELD: usize = 4096;

/// Frames whose mean distance tells what a freeze is (W3C webrtc-stats, `freezeCount`).
const FREEZE_WINDOW: usize = 30;

/// A freeze is longer than the mean distance of frames by at least this (same place).
const FREEZE_MARGIN: Duration = Duration::from_millis(150);

/// Sound or picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MediaKind {
    /// Opus.
    Audio,
    /// VP8.
    Video,
}

/// What a viewer has seen so far. All are counts since the beginning, so two of them can be subtracted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Quality {
    /// Packets received, each once.
    pub packets: u64,
    /// Numbers between the first and the newest that never came.
    pub missing: u64,
    /// Packets that came twice, in whatever way.
    pub duplicates: u64,
    /// Packets that came as media after a later one.
    pub reordered: u64,
    /// Packets that came by retransmission.
    pub repaired: u64,
    /// Packets that this viewer asked for by NACK.
    pub nacked: u64,
    /// Payloads with a wrong check value.
    pub damaged: u64,
    /// Packets without any payload.
    pub empty: u64,
    /// Audio packets that say that it is silent.
    pub silent: u64,
    /// Frames (of audio: packets of speech) that arrived whole.
    pub frames: u64,
    /// Of those, frames at which a decoder can start.
    pub key_frames: u64,
    /// Frames that could be decoded.
    pub decoded: u64,
    /// Whole frames that refer to something this viewer does not have.
    pub undecodable: u64,
    /// Frames whose packets do not fit together, though no number is missing.
    pub torn: u64,
    /// Numbers that were no longer waited for.
    pub skipped: u64,
    /// Frames whose timestamp is not later than that of the frame before, or packets with another than their frame's.
    pub timestamp_errors: u64,
    /// Frames whose picture id does not follow the one before, though no number is missing between.
    pub picture_id_errors: u64,
    /// The same of the index of base layer frames.
    pub tl0_pic_idx_errors: u64,
    /// Times that the picture stood still.
    pub freezes: u64,
    /// How long it stood still, all together.
    pub frozen: Duration,
    /// Longest time between two decoded frames.
    pub longest_gap: Duration,
    /// Sum of the times from capture to decoding.
    pub delay_sum: Duration,
    /// Longest time from capture to decoding.
    pub longest_delay: Duration,
    /// Requests for key frames that this viewer sent.
    pub key_frame_requests: u64,
    /// Changes from one of the source's streams to another.
    pub switches: u64,
}

impl Quality {
    /// Mean time from capture to decoding.
    pub fn mean_delay(&self) -> Duration {
        u32::try_from(self.decoded).ok().and_then(|count| self.delay_sum.checked_div(count)).unwrap_or_default()
    }

    /// Everything that must never be, whatever the network does.
    pub fn faults(&self) -> u64 {
        self.duplicates
            + self.damaged
            + self.empty
            + self.torn
            + self.timestamp_errors
            + self.picture_id_errors
            + self.tl0_pic_idx_errors
    }
}

/// A packet of media as it reached the viewer.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) seq: ExtSeqNo,
    pub(crate) timestamp: RtpTimestamp,
    pub(crate) marker: bool,
    pub(crate) payload: &'a [u8],
    pub(crate) repaired: bool,
    pub(crate) place: Place,
    /// Time since the Unix epoch.
    pub(crate) unix_now: Duration,
}

#[derive(Clone, Copy)]
struct Held {
    timestamp: RtpTimestamp,
    marker: bool,
    stamp: Stamp,
    picture_id: Option<u16>,
    tl0_pic_idx: Option<u8>,
    is_base_layer: bool,
}

/// The frame whose packets are being put together.
#[derive(Clone, Copy)]
struct Assembly {
    timestamp: RtpTimestamp,
    stamp: Stamp,
    next_packet: u16,
}

/// The last frame that went by, whole or not.
#[derive(Clone, Copy)]
struct LastFrame {
    timestamp: RtpTimestamp,
    stream: u32,
    picture_id: Option<u16>,
    tl0_pic_idx: Option<u8>,
    decoded_at: Option<Instant>,
}

/// Judges one incoming stream.
pub(crate) struct Viewer {
    kind: MediaKind,
    quality: Quality,
    held: BTreeMap<ExtSeqNo, Held>,
    /// The number that goes on where the last one consumed ended.
    next: Option<ExtSeqNo>,
    /// Since when `next` is missing while later ones are there.
    stuck_since: Option<Instant>,
    assembly: Option<Assembly>,
    last: Option<LastFrame>,
    /// Numbers were skipped since the last frame, so counters may jump.
    jumped: bool,
    decoded: BTreeSet<(u32, u32)>,
    distances: VecDeque<Duration>,
    /// When to ask for a key frame, while one is needed.
    ask_at: Option<Instant>,
    newest_audio: Option<(ExtSeqNo, RtpTimestamp)>,
}

impl Viewer {
    pub(crate) fn new(kind: MediaKind) -> Self {
        Self {
            kind,
            quality: Quality::default(),
            held: BTreeMap::new(),
            next: None,
            stuck_since: None,
            assembly: None,
            last: None,
            jumped: false,
            decoded: BTreeSet::new(),
            distances: VecDeque::new(),
            ask_at: None,
            newest_audio: None,
        }
    }

    pub(crate) fn quality(&self) -> &Quality {
        &self.quality
    }

    /// Takes one packet in. Returns the number before which nothing is needed any more, when a key frame was decoded.
    pub(crate) fn receive(&mut self, now: Instant, arrival: &Arrival<'_>) -> Option<ExtSeqNo> {
        if arrival.place == Place::Duplicate {
            self.quality.duplicates += 1;
            return None;
        }
        self.quality.packets += 1;
        self.quality.repaired += u64::from(arrival.repaired);
        self.quality.reordered += u64::from(arrival.place == Place::Late && !arrival.repaired);
        if arrival.payload.is_empty() {
            self.quality.empty += 1;
            return None;
        }
        match self.kind {
            MediaKind::Audio => {
                self.receive_audio(arrival);
                None
            }
            MediaKind::Video => self.receive_video(now, arrival),
        }
    }

    fn receive_audio(&mut self, arrival: &Arrival<'_>) {
        if let Some((seq, timestamp)) = self.newest_audio {
            let step = arrival.timestamp.wrapping_sub(timestamp);
            if (arrival.seq > seq) != (step > 0) {
                self.quality.timestamp_errors += 1;
            }
        }
        if self.newest_audio.is_none_or(|(seq, _)| arrival.seq > seq) {
            self.newest_audio = Some((arrival.seq, arrival.timestamp));
        }
        if opus::is_dtx(arrival.payload) {
            self.quality.silent += 1;
            return;
        }
        match arrival.payload.get(1..).and_then(Stamp::read) {
            None => self.quality.damaged += 1,
            Some(stamp) => {
                self.quality.frames += 1;
                self.quality.decoded += 1;
                self.note_delay(&stamp, arrival.unix_now);
            }
        }
    }

    fn note_delay(&mut self, stamp: &Stamp, unix_now: Duration) {
        let delay = unix_now.saturating_sub(Duration::from_micros(stamp.captured_at));
        self.quality.delay_sum += delay;
        self.quality.longest_delay = self.quality.longest_delay.max(delay);
    }

    fn receive_video(&mut self, now: Instant, arrival: &Arrival<'_>) -> Option<ExtSeqNo> {
        let Some(held) = read(arrival) else {
            self.quality.damaged += 1;
            return None;
        };
        let next = *self.next.get_or_insert(arrival.seq);
        if arrival.seq < next {
            // The first packets may have overtaken each other.
            if self.last.is_some() || self.assembly.is_some_and(|assembly| assembly.stamp.packet == 0) {
                return None;
            }
            self.next = Some(arrival.seq);
            self.assembly = None;
        }
        self.held.insert(arrival.seq, held);
        if self.held.len() > MAX_HELD {
            self.skip();
        }
        self.consume(now, arrival.unix_now)
    }

    /// Consumes what is there in order.
    fn consume(&mut self, now: Instant, unix_now: Duration) -> Option<ExtSeqNo> {
        let mut decoded_key = None;
        let mut consumed = false;
        while let Some(next) = self.next
            && let Some(held) = self.held.remove(&next)
        {
            self.next = Some(next.next());
            consumed = true;
            if self.place(now, unix_now, &held) {
                decoded_key = Some(next);
            }
        }
        match (self.held.is_empty(), self.stuck_since) {
            (true, _) => self.stuck_since = None,
            (false, None) => self.stuck_since = Some(now),
            // Something was consumed: what is missing now is another number.
            (false, Some(_)) if consumed => self.stuck_since = Some(now),
            _ => {}
        }
        decoded_key
    }

    /// Adds one packet, in order, to its frame. Returns whether that completed a key frame that was decoded.
    fn place(&mut self, now: Instant, unix_now: Duration, held: &Held) -> bool {
        let stamp = held.stamp;
        if stamp.packet == 0 {
            if self.assembly.take().is_some() && !self.jumped {
                self.quality.torn += 1;
            }
            self.begin_frame(held);
            self.assembly = Some(Assembly { timestamp: held.timestamp, stamp, next_packet: 0 });
        }
        let Some(assembly) = &mut self.assembly else {
            // The beginning of this frame was never to be had.
            self.need_key_frame(now);
            return false;
        };
        let same_frame = (stamp.stream, stamp.frame) == (assembly.stamp.stream, assembly.stamp.frame);
        if !same_frame || stamp.packet != assembly.next_packet {
            self.quality.torn += 1;
            self.assembly = None;
            return false;
        }
        if held.timestamp != assembly.timestamp {
            self.quality.timestamp_errors += 1;
        }
        assembly.next_packet += 1;
        let is_last = assembly.next_packet == stamp.packets;
        if is_last != held.marker {
            self.quality.torn += 1;
        }
        if !is_last {
            return false;
        }
        self.assembly = None;
        self.finish_frame(now, unix_now, &stamp)
    }

    fn begin_frame(&mut self, held: &Held) {
        let jumped = std::mem::replace(&mut self.jumped, false);
        let mut tl0_pic_idx = held.tl0_pic_idx;
        if let Some(last) = self.last {
            if held.timestamp.wrapping_sub(last.timestamp) <= 0 {
                self.quality.timestamp_errors += 1;
            }
            if let (Some(before), Some(id), false) = (last.picture_id, held.picture_id, jumped)
                && id != (before + 1) & 0x7FFF
            {
                self.quality.picture_id_errors += 1;
            }
            if let (Some(before), Some(index), false) = (last.tl0_pic_idx, held.tl0_pic_idx, jumped) {
                let expected = if held.is_base_layer { before.wrapping_add(1) } else { before };
                self.quality.tl0_pic_idx_errors += u64::from(index != expected);
            }
            tl0_pic_idx = tl0_pic_idx.or(last.tl0_pic_idx);
            self.quality.switches += u64::from(last.stream != held.stamp.stream);
        }
        self.last = Some(LastFrame {
            timestamp: held.timestamp,
            stream: held.stamp.stream,
            picture_id: held.picture_id,
            tl0_pic_idx,
            decoded_at: self.last.and_then(|last| last.decoded_at),
        });
    }

    fn finish_frame(&mut self, now: Instant, unix_now: Duration, stamp: &Stamp) -> bool {
        self.quality.frames += 1;
        self.quality.key_frames += u64::from(stamp.is_key());
        if !stamp.is_key() && !self.decoded.contains(&(stamp.stream, stamp.depends_on)) {
            self.quality.undecodable += 1;
            self.need_key_frame(now);
            return false;
        }
        if stamp.is_key() {
            self.decoded.clear();
            self.ask_at = None;
        }
        self.decoded.insert((stamp.stream, stamp.frame));
        if self.decoded.len() > MAX_DECODED {
            self.decoded.pop_first();
        }
        self.quality.decoded += 1;
        self.note_delay(stamp, unix_now);
        let before = self.last.as_mut().and_then(|last| last.decoded_at.replace(now));
        if let Some(before) = before {
            self.note_distance(now.saturating_duration_since(before));
        }
        stamp.is_key()
    }

    fn note_distance(&mut self, distance: Duration) {
        self.quality.longest_gap = self.quality.longest_gap.max(distance);
        if let Ok(count @ 5..) = u32::try_from(self.distances.len()) {
            let mean = self.distances.iter().sum::<Duration>() / count;
            if distance > (mean * 3).max(mean + FREEZE_MARGIN) {
                self.quality.freezes += 1;
                self.quality.frozen += distance;
            }
        }
        if self.distances.len() == FREEZE_WINDOW {
            self.distances.pop_front();
        }
        self.distances.push_back(distance);
    }

    fn need_key_frame(&mut self, now: Instant) {
        self.ask_at.get_or_insert(now);
    }

    /// Gives the missing numbers up and goes on at the next key frame that is there, or at what is there.
    fn skip(&mut self) {
        let starts_key = |held: &Held| held.stamp.is_key() && held.stamp.packet == 0;
        let key = self.held.iter().find(|(_, held)| starts_key(held)).map(|(&seq, _)| seq);
        let Some(target) = key.or_else(|| self.held.first_key_value().map(|(&seq, _)| seq)) else { return };
        if let Some(next) = self.next {
            self.quality.skipped += target.distance_from(next).unsigned_abs();
        }
        self.held = self.held.split_off(&target);
        self.next = Some(target);
        self.assembly = None;
        self.jumped = true;
        self.stuck_since = None;
    }

    /// Goes on without what is missing for too long. Returns whether to ask for a key frame now.
    pub(crate) fn handle_timeout(&mut self, now: Instant, unix_now: Duration) -> bool {
        if self.stuck_since.is_some_and(|at| now >= at + MAX_WAIT) {
            self.skip();
            self.need_key_frame(now);
            self.consume(now, unix_now);
        }
        if self.ask_at.is_none_or(|at| now < at) {
            return false;
        }
        self.ask_at = Some(now + KEY_FRAME_RETRY);
        self.quality.key_frame_requests += 1;
        true
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let unstuck = self.stuck_since.map(|at| at + MAX_WAIT);
        unstuck.into_iter().chain(self.ask_at).min()
    }
}

/// Reads a payload of video; `None` when it is not what was sent.
fn read(arrival: &Arrival<'_>) -> Option<Held> {
    let descriptor = vp8::Descriptor::parse(arrival.payload).ok()?;
    let header_len = match (descriptor.start_of_partition, descriptor.is_key_frame) {
        (true, is_key) => frame_header_len(is_key),
        (false, _) => 0,
    };
    let stamp = Stamp::read(arrival.payload.get(descriptor.len + header_len..)?)?;
    if descriptor.start_of_partition != (stamp.packet == 0) {
        return None;
    }
    Some(Held {
        timestamp: arrival.timestamp,
        marker: arrival.marker,
        stamp,
        picture_id: descriptor.picture_id.map(|id| id.value),
        tl0_pic_idx: descriptor.tl0_pic_idx,
        is_base_layer: descriptor.temporal.is_none_or(|temporal| temporal.tid == 0),
    })
}
