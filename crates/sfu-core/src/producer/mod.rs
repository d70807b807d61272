//! What a participant sends: one microphone, camera or screen, in one or more streams.

mod history;
mod keyframe;
mod nack;
mod stream;

use std::time::{Duration, Instant};

pub(crate) use history::{PacketMeta, StoredPacket};
pub(crate) use nack::MAX_PER_NACK;
pub(crate) use stream::{Arrived, Incoming, KeyFrameRequest, Stream};
use wire::codec::CodecKind;

use crate::command::{ObjectId, ProducerSpec};
use crate::consumer::Consumer;
use crate::router::Router;
use crate::speaker::MicId;
use crate::stats::ProducerStats;
use crate::table::Key;
use crate::transport::WebRtcTransport;

/// Streams of one producer: three simulcast layers are usual, four are allowed.
pub const MAX_STREAMS: usize = 4;

/// A stream is not live any more after this time without a packet, in which its siblings had this many.
const SILENT_AFTER: Duration = Duration::from_millis(500);
const SILENT_AFTER_SIBLINGS: u32 = 20;

/// One source of media and its audience.
pub struct Producer {
    pub(crate) id: ObjectId,
    pub(crate) router: Key<Router>,
    pub(crate) transport: Key<WebRtcTransport>,
    codec: CodecKind,
    pub(crate) paused: bool,
    pub(crate) streams: Vec<Stream>,
    pub(crate) audience: Vec<Key<Consumer>>,
    /// Bit `i` is set while stream `i` brings packets.
    pub(crate) live: u8,
    /// Whether it takes part in the choice of the loudest.
    pub(crate) is_microphone: bool,
    /// Its place among its router's microphones while it is not paused.
    pub(crate) microphone: Option<MicId>,
    /// Whether the last packet of the microphone was for its audience.
    pub(crate) is_heard: bool,
}

impl Producer {
    pub(crate) fn new(router: Key<Router>, transport: Key<WebRtcTransport>, spec: &ProducerSpec) -> Self {
        Self {
            id: spec.id,
            router,
            transport,
            codec: spec.codec,
            paused: spec.paused,
            streams: spec.streams.iter().map(|stream| Stream::new(spec, stream)).collect(),
            audience: Vec::new(),
            live: 0,
            is_microphone: spec.is_microphone,
            microphone: None,
            is_heard: true,
        }
    }

    /// Notes that stream `index` brought a packet; whether the set of live streams has changed by that.
    ///
    /// A simulcast sender stops its upper layers when its link gets worse. Their silence is told soonest by
    /// their siblings, which go on.
    pub(crate) fn note_live(&mut self, now: Instant, index: u8) -> bool {
        let before = self.live;
        self.live |= 1 << index;
        for (other, stream) in self.streams.iter_mut().enumerate() {
            if other == usize::from(index) {
                stream.siblings_since = 0;
            } else if self.live & 1 << other != 0 {
                stream.siblings_since = stream.siblings_since.saturating_add(1);
                if stream.siblings_since >= SILENT_AFTER_SIBLINGS && !stream.was_heard_within(now, SILENT_AFTER) {
                    self.live &= !(1 << other);
                }
            }
        }
        self.live != before
    }

    /// Which streams bring packets now, as bits.
    pub(crate) fn live_at(&self, now: Instant) -> u8 {
        self.streams
            .iter()
            .enumerate()
            .filter(|(_, stream)| stream.is_live(now))
            .fold(0, |bits, (index, _)| bits | 1 << index)
    }

    pub(crate) fn codec(&self) -> CodecKind {
        self.codec
    }

    pub(crate) fn stats(&self) -> ProducerStats {
        ProducerStats { streams: self.streams.iter().map(Stream::stats).collect(), consumers: self.audience.len() }
    }
}
