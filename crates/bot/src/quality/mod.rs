//! What a viewer gets to see and hear of one source: every packet is proven whole, the order is inspected, and frames are
//! put together and judged as a decoder and a person would.

mod decoder;
mod order;

use std::time::{Duration, Instant};

use wire::codec::{opus, vp8};
use wire::{ExtSeqNo, RtpTimestamp};

use self::decoder::Decoder;
use self::order::Order;
use crate::media::{Stamp, frame_header_len};
use crate::receive::Place;

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
    /// Packets that came both as media and by retransmission: lawful, but a waste. What comes twice as media never gets
    /// past SRTP; [`crate::PeerStats::replayed`] counts it.
    pub redundant: u64,
    /// Packets that carried earlier ones with them (RFC 2198).
    pub carriers: u64,
    /// Packets that came as media after a later one.
    pub late: u64,
    /// Packets that came by retransmission.
    pub repaired: u64,
    /// Packets that this viewer asked for by NACK.
    pub nacked: u64,
    /// Payloads with a wrong check value.
    pub damaged: u64,
    /// Packets without any payload: they say that nothing is missing under their number.
    pub empty: u64,
    /// Audio packets that say that it is silent.
    pub silent: u64,
    /// Audio packets that say that sound begins: the marker bit (RFC 3551 §4.1).
    pub talkspurts: u64,
    /// Frames (of audio: packets of speech) that arrived whole.
    pub frames: u64,
    /// Of those, frames at which a decoder can start.
    pub key_frames: u64,
    /// Frames that were decoded.
    pub decoded: u64,
    /// Frames of which something came, and that a later one overtook or that could never be decoded.
    pub dropped: u64,
    /// Frames whose packets do not fit together, though no number is missing.
    pub torn: u64,
    /// Frames that end before their end because a key frame begins: somebody paused or changed the stream.
    pub cut: u64,
    /// Numbers that were no longer waited for when the order was inspected.
    pub skipped: u64,
    /// Frames whose timestamp is not later than that of the frame before, or packets with another than their frame's.
    pub timestamp_errors: u64,
    /// Frames but key frames whose picture id does not follow the one before, though no number is missing between.
    pub picture_id_errors: u64,
    /// The same of the index of base layer frames.
    pub tl0_pic_idx_errors: u64,
    /// Key frames whose picture id does not follow the one before: decoders begin anew there, so they may.
    pub picture_id_jumps: u64,
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
        self.damaged + self.torn + self.timestamp_errors + self.picture_id_errors + self.tl0_pic_idx_errors
    }

    fn note_delay(&mut self, stamp: &Stamp, unix_now: Duration) {
        let delay = unix_now.saturating_sub(Duration::from_micros(stamp.captured_at));
        self.delay_sum += delay;
        self.longest_delay = self.longest_delay.max(delay);
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

/// What the packet of a picture says of itself.
#[derive(Clone, Copy)]
struct Piece {
    timestamp: RtpTimestamp,
    marker: bool,
    stamp: Stamp,
    picture_id: Option<u16>,
    tl0_pic_idx: Option<u8>,
    is_base_layer: bool,
}

/// Judges one incoming stream.
pub(crate) struct Viewer {
    kind: MediaKind,
    quality: Quality,
    order: Order,
    decoder: Decoder,
    newest_audio: Option<(ExtSeqNo, RtpTimestamp)>,
}

impl Viewer {
    pub(crate) fn new(kind: MediaKind) -> Self {
        Self {
            kind,
            quality: Quality::default(),
            order: Order::default(),
            decoder: Decoder::default(),
            newest_audio: None,
        }
    }

    pub(crate) fn quality(&self) -> &Quality {
        &self.quality
    }

    /// Takes one packet in. Returns the number before which nothing is needed any more, when a key frame was decoded.
    pub(crate) fn receive(&mut self, now: Instant, arrival: &Arrival<'_>) -> Option<ExtSeqNo> {
        let quality = &mut self.quality;
        if arrival.place == Place::Duplicate {
            quality.redundant += 1;
            return None;
        }
        quality.repaired += u64::from(arrival.repaired);
        quality.late += u64::from(arrival.place == Place::Late && !arrival.repaired);
        if arrival.payload.is_empty() {
            quality.empty += 1;
            return None;
        }
        if self.kind == MediaKind::Audio {
            self.receive_audio(arrival);
            return None;
        }
        let Some(piece) = read(arrival) else {
            quality.damaged += 1;
            return None;
        };
        self.order.receive(now, arrival.seq, piece, quality);
        self.decoder.receive(now, arrival.unix_now, (arrival.seq, &piece.stamp), quality)
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
        self.quality.talkspurts += u64::from(arrival.marker);
        if opus::is_dtx(arrival.payload) {
            self.quality.silent += 1;
            return;
        }
        match arrival.payload.get(1..).and_then(Stamp::read) {
            None => self.quality.damaged += 1,
            Some(stamp) => {
                self.quality.frames += 1;
                self.quality.decoded += 1;
                self.quality.note_delay(&stamp, arrival.unix_now);
            }
        }
    }

    /// Goes on without what is missing for too long. Returns whether to ask for a key frame now.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> bool {
        self.order.handle_timeout(now, &mut self.quality);
        let asks = self.decoder.handle_timeout(now);
        self.quality.key_frame_requests += u64::from(asks);
        asks
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.order.poll_timeout().into_iter().chain(self.decoder.poll_timeout()).min()
    }
}

/// Reads a payload of video; `None` when it is not what was sent.
fn read(arrival: &Arrival<'_>) -> Option<Piece> {
    let descriptor = vp8::Descriptor::parse(arrival.payload).ok()?;
    let header_len = match (descriptor.start_of_partition, descriptor.is_key_frame) {
        (true, is_key) => frame_header_len(is_key),
        (false, _) => 0,
    };
    let stamp = Stamp::read(arrival.payload.get(descriptor.len + header_len..)?)?;
    if descriptor.start_of_partition != (stamp.packet == 0) {
        return None;
    }
    Some(Piece {
        timestamp: arrival.timestamp,
        marker: arrival.marker,
        stamp,
        picture_id: descriptor.picture_id.map(|id| id.value),
        tl0_pic_idx: descriptor.tl0_pic_idx,
        is_base_layer: descriptor.temporal.is_none_or(|temporal| temporal.tid == 0),
    })
}
