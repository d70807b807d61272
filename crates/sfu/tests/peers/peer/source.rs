//! Synthetic media: Opus-like packets and frames with a true VP8 descriptor, each packet recognisable.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use str0m::media::{Mid, Pt, Rid};
use str0m::rtp::{ExtensionValues, RtpWrite, Ssrc};

/// Frames that an encoder makes before it heeds a request for a key frame.
const KEY_FRAME_DELAY: u32 = 3;

/// Bytes at the end of every payload: the source's tag and the packet's index.
const TRAILER: usize = 5;

/// What a source is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spec {
    pub(crate) mid: Mid,
    pub(crate) rid: Option<Rid>,
    pub(crate) ssrc: Ssrc,
    pub(crate) rtx_ssrc: Option<Ssrc>,
    pub(crate) payload_type: u8,
    /// Tells the packets of several sources apart.
    pub(crate) tag: u8,
    pub(crate) clock_rate: u32,
    pub(crate) frame_interval: Duration,
    pub(crate) packets_per_frame: u32,
    /// The first number; SRTP cannot start beyond one roll-over.
    pub(crate) first_seq: u16,
}

impl Spec {
    pub(crate) fn is_video(&self) -> bool {
        self.clock_rate == 90_000
    }
}

/// One packet as it was made.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) captured_at: Instant,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) key_frame: bool,
    pub(crate) audio_level: Option<i8>,
    pub(crate) payload: Vec<u8>,
}

pub(crate) struct Source {
    pub(crate) spec: Spec,
    /// Every packet, by index.
    pub(crate) sent: Vec<Sent>,
    rng: StdRng,
    started_at: Option<Instant>,
    running: bool,
    next_at: Option<Instant>,
    /// Counts by the clock; `picture` counts what was sent.
    frame: u32,
    picture: u16,
    /// Frames left until a key frame that was asked for.
    key_frame_in: Option<u32>,
}

impl Source {
    pub(crate) fn new(spec: Spec) -> Self {
        Self {
            spec,
            sent: Vec::new(),
            rng: StdRng::seed_from_u64(u64::from(spec.tag)),
            started_at: None,
            running: true,
            next_at: None,
            frame: 0,
            // Streams of one camera count their pictures from anywhere; the first one's count wraps soon.
            picture: 32_700_u16.wrapping_add(u16::from(spec.tag % 10) * 11_000),
            key_frame_in: Some(0),
        }
    }

    /// Makes a key frame soon.
    pub(super) fn make_key_frame(&mut self) {
        self.key_frame_in.get_or_insert(KEY_FRAME_DELAY);
    }

    /// Sends no key frame until one is asked for.
    pub(crate) fn without_first_key_frame(mut self) -> Self {
        self.key_frame_in = None;
        self
    }

    /// Stops or goes on.
    pub(crate) fn run(&mut self, running: bool) {
        self.running = running;
        self.next_at = None;
    }

    pub(super) fn due_at(&self) -> Option<Instant> {
        self.running.then(|| self.next_at.unwrap_or_else(Instant::now))
    }

    /// The packets of the next frame, if it is due.
    pub(super) fn next_frame(&mut self, now: Instant) -> Option<Vec<RtpWrite>> {
        if !self.running || self.next_at.is_some_and(|at| now < at) {
            return None;
        }
        let interval = self.spec.frame_interval;
        let started_at = *self.started_at.get_or_insert(now);
        // The clock goes on while nothing is sent, as a camera's does; what was missed is not made up for in a burst.
        let elapsed = now.saturating_duration_since(started_at).as_nanos() / interval.as_nanos();
        self.frame = self.frame.max(elapsed as u32);
        let captured_at = started_at + interval * self.frame;
        self.next_at = Some(captured_at + interval);
        let ticks = u128::from(self.spec.clock_rate) * interval.as_nanos() * u128::from(self.frame) / 1_000_000_000;
        // Streams of one camera have clocks of their own; the first one's wraps.
        let base = 0xFFFF_0000_u32.wrapping_add(u32::from(self.spec.tag % 10) * 0x3000_0000);
        let timestamp = base.wrapping_add(ticks as u32);
        let key_frame = self.key_frame_in == Some(0);
        self.key_frame_in = self.key_frame_in.and_then(|frames| frames.checked_sub(1));
        let count = self.spec.packets_per_frame;
        let packets = (0..count).map(|part| self.packet(part, timestamp, captured_at, key_frame)).collect();
        self.frame += 1;
        self.picture = self.picture.wrapping_add(1);
        Some(packets)
    }

    fn packet(&mut self, part: u32, timestamp: u32, captured_at: Instant, key_frame: bool) -> RtpWrite {
        let index = self.sent.len() as u32;
        let is_last = part + 1 == self.spec.packets_per_frame;
        let mut payload = Vec::new();
        if self.spec.is_video() {
            let [high, low] = (self.picture & 0x7FFF).to_be_bytes();
            let start = if part == 0 { 0x10 } else { 0 };
            // X; I, L and T; a 15-bit PictureID, TL0PICIDX, base layer (RFC 7741 §4.2).
            payload.extend([0x80 | start, 0xE0, 0x80 | high, low, self.picture as u8, 0x20]);
            if part == 0 && key_frame {
                // Frame tag with P = 0, start code, 320 by 180 (RFC 6386 §9.1).
                payload.extend([0x10, 0x02, 0x00, 0x9D, 0x01, 0x2A, 0x40, 0x01, 0xB4, 0x00]);
            } else if part == 0 {
                payload.extend([0x11, 0x02, 0x00]);
            }
        }
        let len = if self.spec.is_video() { self.rng.random_range(200..1000) } else { self.rng.random_range(40..120) };
        payload.extend((0..len).map(|_| self.rng.random::<u8>()));
        payload.push(self.spec.tag);
        payload.extend(index.to_be_bytes());
        let marker = self.spec.is_video() && is_last;
        let audio_level = (!self.spec.is_video()).then_some(-((index % 100) as i8));
        self.sent.push(Sent { captured_at, timestamp, marker, key_frame, audio_level, payload: payload.clone() });
        let seq = u64::from(self.spec.first_seq) + u64::from(index);
        let values =
            ExtensionValues { audio_level, voice_activity: audio_level.map(|_| true), ..ExtensionValues::default() };
        RtpWrite::new(Pt::from(self.spec.payload_type), seq.into(), timestamp, captured_at, payload)
            .marker(marker)
            .nackable(true)
            .ext_vals(values)
    }
}

/// The index of a packet in its source.
pub(crate) fn index_of(payload: &[u8]) -> usize {
    let at = payload.len() - 4;
    u32::from_be_bytes(payload[at..].try_into().expect("four bytes")) as usize
}

/// The tag of the source that a packet came from.
pub(crate) fn tag_of(payload: &[u8]) -> u8 {
    payload[payload.len() - TRAILER]
}
