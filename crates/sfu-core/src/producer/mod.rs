//! What a participant sends: one microphone, camera or screen, in one or more streams.

mod history;
mod keyframe;
mod nack;
mod stream;

use std::time::Instant;

pub(crate) use history::{PacketMeta, StoredPacket};
pub(crate) use nack::MAX_PER_NACK;
pub(crate) use stream::{Arrived, Incoming, KeyFrameRequest, Stream};
use wire::codec::CodecKind;

use crate::command::{ObjectId, ProducerSpec};
use crate::consumer::Consumer;
use crate::router::Router;
use crate::stats::ProducerStats;
use crate::table::Key;
use crate::transport::WebRtcTransport;

/// Streams of one producer: three simulcast layers are usual, four are allowed.
pub const MAX_STREAMS: usize = 4;

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
        }
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
