//! What a participant sends: one microphone, camera or screen, in one or more streams.

mod history;
mod keyframe;
mod layers;
mod nack;
mod redundant;
mod stream;
mod wanted;

use std::time::{Duration, Instant};

pub(crate) use history::{PacketMeta, StoredPacket};
#[cfg(test)]
pub(crate) use layers::FrameInfo;
pub use layers::Layer;
pub(crate) use layers::StepUp;
pub(crate) use nack::MAX_PER_NACK;
use stream::layer_index;
pub(crate) use stream::{Arrived, Incoming, KeyFrameRequest, Stream};
use wanted::Wanted;
use wire::Ssrc;
use wire::codec::CodecKind;
use wire::ortc::SpatialDependency;

use crate::command::{MediaKind, ObjectId, ProducerSpec};
use crate::consumer::{Consumer, Shape};
use crate::quality::{self, Scores};
use crate::router::Router;
use crate::speaker::MicId;
use crate::stats::{ProducerStats, StreamStats};
use crate::table::Key;
use crate::trace::TraceKinds;
use crate::transport::WebRtcTransport;

/// Streams of one producer: three simulcast layers are usual, four are allowed.
pub const MAX_STREAMS: usize = 4;

/// A layer without a packet for this long is not live: its sender has stopped it.
const LIVE_FOR: Duration = Duration::from_millis(1500);

/// It is not live either after this time without a packet, in which its siblings had this many.
const SILENT_AFTER: Duration = Duration::from_millis(500);
const SILENT_AFTER_SIBLINGS: u32 = 20;

/// One source of media and its audience.
pub struct Producer {
    pub(crate) id: ObjectId,
    pub(crate) router: Key<Router>,
    pub(crate) transport: Key<WebRtcTransport>,
    codec: CodecKind,
    kind: MediaKind,
    pub(crate) is_screen: bool,
    pub(crate) paused: bool,
    pub(crate) streams: Vec<Stream>,
    pub(crate) audience: Vec<Key<Consumer>>,
    /// Bit `i` is set while spatial layer `i` brings packets.
    pub(crate) live: u8,
    heard: [Heard; MAX_STREAMS],
    dependency: SpatialDependency,
    pub(crate) wanted: Wanted,
    /// The scores that were told.
    scores: Scores,
    /// Whether it takes part in the choice of the loudest.
    pub(crate) is_microphone: bool,
    /// Its place among its router's microphones while it is not paused.
    pub(crate) microphone: Option<MicId>,
    /// Whether the last packet of the microphone was for its audience.
    pub(crate) is_heard: bool,
    pub(crate) trace: TraceKinds,
}

/// When a spatial layer was heard last.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    at: Option<Instant>,
    /// Packets of the other layers since then.
    siblings_since: u32,
}

impl Heard {
    fn within(&self, now: Instant, time: Duration) -> bool {
        self.at.is_some_and(|at| now.saturating_duration_since(at) < time)
    }
}

impl Producer {
    pub(crate) fn new(now: Instant, router: Key<Router>, transport: Key<WebRtcTransport>, spec: &ProducerSpec) -> Self {
        Self {
            id: spec.id,
            router,
            transport,
            codec: spec.codec,
            kind: spec.kind,
            is_screen: spec.is_screen,
            paused: spec.paused,
            streams: spec.streams.iter().map(|stream| Stream::new(now, spec, stream)).collect(),
            audience: Vec::new(),
            live: 0,
            heard: [Heard::default(); MAX_STREAMS],
            dependency: spec.dependency,
            wanted: Wanted::new(),
            scores: Scores::default(),
            is_microphone: spec.is_microphone,
            microphone: None,
            is_heard: true,
            trace: TraceKinds::NONE,
        }
    }

    /// Notes that spatial layer `index` brought a packet; whether the set of live layers has changed by that.
    ///
    /// A sender stops its upper layers when its link gets worse. Their silence is told soonest by their siblings, which go
    /// on.
    pub(crate) fn note_live(&mut self, now: Instant, index: u8) -> bool {
        let before = self.live;
        self.live |= 1 << index;
        for (other, heard) in self.heard.iter_mut().enumerate() {
            if other == usize::from(index) {
                *heard = Heard { at: Some(now), siblings_since: 0 };
            } else if self.live & 1 << other != 0 {
                heard.siblings_since = heard.siblings_since.saturating_add(1);
                if heard.siblings_since >= SILENT_AFTER_SIBLINGS && !heard.within(now, SILENT_AFTER) {
                    self.live &= !(1 << other);
                }
            }
        }
        self.live != before
    }

    /// Which spatial layers bring packets now, as bits.
    pub(crate) fn live_at(&self, now: Instant) -> u8 {
        let live = self.heard.iter().enumerate().filter(|(_, heard)| heard.within(now, LIVE_FOR));
        live.fold(0, |bits, (index, _)| bits | 1 << index)
    }

    /// Number of spatial layers: its streams, or the layers within the only one.
    pub(crate) fn spatial_layers(&self) -> u8 {
        match self.streams.as_slice() {
            [stream] => stream.layers.spatial_layers.max(1),
            streams => streams.len() as u8,
        }
    }

    /// Number of temporal layers that were met.
    pub(crate) fn temporal_layers(&self) -> u8 {
        self.streams.iter().map(|stream| stream.layers.temporal_layers).max().unwrap_or(1).max(1)
    }

    /// Width and height in pixels of a spatial layer, once known.
    pub(crate) fn size(&self, spatial: u8) -> Option<(u16, u16)> {
        match self.streams.as_slice() {
            [stream] => stream.layers.size(spatial),
            streams => streams.get(usize::from(spatial))?.layers.size(0),
        }
    }

    /// Bits a second that are sent to a viewer of `layer`; `None` while that is not measured.
    pub(crate) fn bit_rate(&self, layer: Layer) -> Option<u64> {
        let [stream] = self.streams.as_slice() else {
            return self.streams.get(usize::from(layer.spatial))?.rates.of_spatial(0, layer.temporal);
        };
        match self.dependency {
            SpatialDependency::Full => {
                (0..=layer.spatial).map(|spatial| stream.rates.of_spatial(spatial, layer.temporal)).sum()
            }
            SpatialDependency::KeyOnly | SpatialDependency::None => {
                stream.rates.of_spatial(layer.spatial, layer.temporal)
            }
        }
    }

    /// The worst share of packets lost of any of its streams, of 256.
    pub(crate) fn lost_share(&self) -> u8 {
        self.streams.iter().map(|stream| stream.lost_share).max().unwrap_or(0)
    }

    /// Score of a stream: 0 while it brings nothing.
    pub(crate) fn score(&self, stream: u8) -> u8 {
        let stream = self.streams.get(usize::from(stream)).filter(|stream| stream.brings);
        stream.map_or(0, |stream| quality::score(stream.lost_share))
    }

    /// The scores of its streams, if they are not those that were told.
    pub(crate) fn take_new_scores(&mut self) -> Option<Scores> {
        let scores = Scores::new((0..self.streams.len()).map(|index| self.score(index as u8)));
        (std::mem::replace(&mut self.scores, scores) != scores).then_some(scores)
    }

    /// Whether a decoder of a picture can start at this packet.
    pub(crate) fn starts_key_frame(&self, packet: &StoredPacket<'_>) -> bool {
        self.kind == MediaKind::Video && packet.meta.starts_key_frame
    }

    /// SSRC and number of what arrived, if a key frame begins with it.
    pub(crate) fn key_frame_at(&self, stream: u8, arrived: Arrived) -> Option<(u32, u16)> {
        let Arrived::Packet(seq) = arrived else { return None };
        let stream = self.streams.get(usize::from(stream))?;
        let is_key_frame = self.starts_key_frame(&stream.packet(seq)?);
        is_key_frame.then_some((stream.ssrc.map_or(0, Ssrc::get), seq.truncate().get()))
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape { streams: self.streams.len() as u8, dependency: self.dependency }
    }

    pub(crate) fn kind(&self) -> MediaKind {
        self.kind
    }

    pub(crate) fn codec(&self) -> CodecKind {
        self.codec
    }

    /// Figures of one of its streams.
    pub(crate) fn stream_stats(&self, now: Instant, index: u8) -> Option<StreamStats> {
        let stats = self.streams.get(usize::from(index))?.stats(now, self.layer_rates_of(now, index));
        Some(StreamStats { score: self.score(index), ..stats })
    }

    /// Its figures, but for those of its transport.
    pub(crate) fn stats(&self, now: Instant) -> ProducerStats {
        ProducerStats {
            streams: (0..self.streams.len() as u8).filter_map(|index| self.stream_stats(now, index)).collect(),
            consumers: self.audience.len(),
            ..ProducerStats::default()
        }
    }

    /// Bits a second that a viewer of each layer of a stream is sent, of those that were met.
    fn layer_rates_of(&self, now: Instant, index: u8) -> Vec<(Layer, u64)> {
        let Some(stream) = self.streams.get(usize::from(index)).filter(|_| self.kind == MediaKind::Video) else {
            return Vec::new();
        };
        let (spatials, temporals) = (stream.layers.spatial_layers, stream.layers.temporal_layers);
        let layers = (0..spatials).flat_map(|spatial| (0..temporals).map(move |temporal| Layer { spatial, temporal }));
        let alone = stream.layer_rates(now);
        let up_to = |spatial: u8, temporal: u8| -> u64 {
            (0..=temporal).map(|temporal| alone[layer_index(Layer { spatial, temporal })]).sum()
        };
        let of = |layer: Layer| match self.dependency {
            SpatialDependency::Full => (0..=layer.spatial).map(|spatial| up_to(spatial, layer.temporal)).sum(),
            SpatialDependency::KeyOnly | SpatialDependency::None => up_to(layer.spatial, layer.temporal),
        };
        layers.map(|layer| (layer, of(layer))).collect()
    }
}
