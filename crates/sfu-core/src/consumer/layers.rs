//! Which packets of its producer a consumer is sent: the stream of a simulcast producer, and within a stream the spatial
//! and temporal layers.
//!
//! A picture gets larger at a key frame only, and the old one goes on until then. Between spatial layers of one stream it
//! gets smaller at the next picture, where the lower layers do not need to be begun anew.

use wire::RtpTimestamp;
use wire::ortc::SpatialDependency;

use crate::producer::{Layer, PacketMeta, StepUp};

/// What a consumer does with its producer's packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Forwarding {
    /// Nothing is wanted.
    Off,
    /// Nothing is sent until a key frame of `stream` begins; it was asked for.
    Waiting { stream: u8 },
    /// Sends `layer` of `stream`. Changes to `next` where a key frame of that begins; it was asked for.
    Sending { stream: u8, layer: Layer, next: Option<u8> },
}

/// What to do with one packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It is of a stream that is not sent.
    Ignore,
    /// It is of the stream that is sent, but of a layer that is not.
    Drop,
    /// It is sent.
    Forward,
    /// It is sent, and is the first of its stream.
    Start,
}

/// Several streams, or several layers in one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Shape {
    /// Streams of the producer.
    pub(crate) streams: u8,
    /// How the spatial layers within the only stream depend on each other.
    pub(crate) dependency: SpatialDependency,
}

/// The choice of layers of one consumer.
#[derive(Debug)]
pub(super) struct Selection {
    shape: Shape,
    forwarding: Forwarding,
    /// The best layer that is to be sent, as the producer counts spatial layers; `None` while nothing is to be sent.
    target: Option<Layer>,
    /// Time of the newest picture that needs no earlier one, and of the newest that began.
    key_picture: Option<RtpTimestamp>,
    picture: Option<RtpTimestamp>,
}

impl Selection {
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape, forwarding: Forwarding::Off, target: None, key_picture: None, picture: None }
    }

    /// The stream that is sent.
    pub(super) fn stream(&self) -> Option<u8> {
        match self.forwarding {
            Forwarding::Sending { stream, .. } => Some(stream),
            _ => None,
        }
    }

    /// What is sent, as the producer counts layers.
    pub(super) fn current(&self) -> Option<Layer> {
        match self.forwarding {
            Forwarding::Sending { stream, layer, .. } => Some(self.of_producer(stream, layer)),
            _ => None,
        }
    }

    /// The layer within the stream that is sent.
    pub(super) fn limit(&self) -> Layer {
        match self.forwarding {
            Forwarding::Sending { layer, .. } => layer,
            _ => Layer::HIGHEST,
        }
    }

    pub(super) fn target(&self) -> Option<Layer> {
        self.target
    }

    /// The streams of which a key frame is of use.
    pub(super) fn watched(&self) -> impl Iterator<Item = u8> + use<> {
        let (current, next) = match self.forwarding {
            Forwarding::Off => (None, None),
            Forwarding::Waiting { stream } => (Some(stream), None),
            Forwarding::Sending { stream, next, .. } => (Some(stream), next),
        };
        current.into_iter().chain(next)
    }

    /// The stream whose key frame is waited for.
    pub(super) fn awaited(&self) -> Option<u8> {
        match self.forwarding {
            Forwarding::Off => None,
            Forwarding::Waiting { stream } => Some(stream),
            Forwarding::Sending { next: Some(next), .. } => Some(next),
            Forwarding::Sending { stream, layer, next: None } => {
                let wanted = self.wanted_in(stream).spatial;
                let by_key_frame = wanted > layer.spatial || self.shape.dependency != SpatialDependency::Full;
                (self.shape.streams == 1 && wanted != layer.spatial && by_key_frame).then_some(stream)
            }
        }
    }

    /// Waits for a key frame of `stream` in place of another, where nothing is sent.
    pub(super) fn wait_for(&mut self, stream: u8) {
        if let Forwarding::Waiting { stream: awaited } = &mut self.forwarding {
            *awaited = stream;
        }
    }

    /// Aims at `target`; bit `i` of `live` is set while stream `i` brings packets.
    pub(super) fn aim(&mut self, target: Option<Layer>, live: u8) {
        self.target = target;
        let Some(target) = target else {
            self.forwarding = Forwarding::Off;
            return;
        };
        let stream = self.choose_stream(target, live);
        if self.shape.streams <= 1 && live != 0 {
            let spatial = nearest_live(target.spatial, live).unwrap_or(target.spatial);
            self.target = Some(Layer { spatial, ..target });
        }
        self.forwarding = match self.forwarding {
            Forwarding::Off | Forwarding::Waiting { .. } => Forwarding::Waiting { stream },
            Forwarding::Sending { stream: current, layer, .. } => {
                // Of streams that all fell silent the current one is as good as any.
                let next = (live != 0 && stream != current).then_some(stream);
                Forwarding::Sending { stream: current, layer, next }
            }
        };
    }

    /// The highest live stream up to the target, else the lowest live one, else the lowest.
    fn choose_stream(&self, target: Layer, live: u8) -> u8 {
        if self.shape.streams <= 1 {
            return 0;
        }
        nearest_live(target.spatial, live).unwrap_or(0)
    }

    fn of_producer(&self, stream: u8, layer: Layer) -> Layer {
        if self.shape.streams > 1 { Layer { spatial: stream, ..layer } } else { layer }
    }

    /// The best layer wanted within `stream`.
    fn wanted_in(&self, stream: u8) -> Layer {
        let target = self.target.unwrap_or_default();
        if self.shape.streams <= 1 {
            return target;
        }
        // Another stream than the target goes on as it is until that begins.
        let temporal = if stream == target.spatial { target.temporal } else { u8::MAX };
        // Their packets have no spatial layer of their own.
        Layer { spatial: u8::MAX, temporal }
    }

    /// Decides on a packet that is newer than all before of its stream.
    pub(super) fn judge(&mut self, stream: u8, meta: &PacketMeta) -> Verdict {
        match self.forwarding {
            // A smaller picture now is better than the wanted one later.
            Forwarding::Waiting { stream: awaited } if stream <= awaited && meta.starts_key_frame => {
                self.begin(stream, (stream != awaited).then_some(awaited), meta);
                Verdict::Start
            }
            Forwarding::Sending { next: Some(awaited), .. } if awaited == stream => {
                if !meta.starts_key_frame {
                    return Verdict::Ignore;
                }
                self.begin(stream, None, meta);
                Verdict::Start
            }
            Forwarding::Sending { stream: current, .. } if current == stream => self.judge_layer(meta),
            _ => Verdict::Ignore,
        }
    }

    fn begin(&mut self, stream: u8, next: Option<u8>, meta: &PacketMeta) {
        let layer = self.wanted_in(stream);
        self.forwarding = Forwarding::Sending { stream, layer, next };
        self.key_picture = Some(meta.timestamp);
        self.picture = Some(meta.timestamp);
    }

    fn judge_layer(&mut self, meta: &PacketMeta) -> Verdict {
        let Forwarding::Sending { stream, mut layer, next } = self.forwarding else { return Verdict::Ignore };
        let (wanted, frame) = (self.wanted_in(stream), meta.frame);
        let begins_picture = self.picture != Some(meta.timestamp);
        self.picture = Some(meta.timestamp);
        if meta.starts_key_frame {
            self.key_picture = Some(meta.timestamp);
            layer = wanted;
        }
        if begins_picture && self.shape.dependency == SpatialDependency::Full {
            layer.spatial = layer.spatial.min(wanted.spatial);
        }
        if frame.begins {
            if layer.temporal > wanted.temporal {
                layer.temporal = wanted.temporal;
            } else if let Some(StepUp { from, to }) = frame.step_up
                && from <= layer.temporal
                && layer.temporal < to
                && self.fits(Layer { temporal: 0, ..frame.layer }, layer, false)
            {
                layer.temporal = to.min(wanted.temporal);
            }
        }
        self.forwarding = Forwarding::Sending { stream, layer, next };
        if self.fits(frame.layer, layer, self.is_of_key_picture(meta)) { Verdict::Forward } else { Verdict::Drop }
    }

    /// Whether a packet is part of the newest picture that needs no earlier one.
    pub(super) fn is_of_key_picture(&self, meta: &PacketMeta) -> bool {
        self.key_picture == Some(meta.timestamp)
    }

    /// Whether packets of `layer` are part of what is sent under `limit`.
    pub(super) fn fits(&self, layer: Layer, limit: Layer, is_key_picture: bool) -> bool {
        let spatial = if self.shape.streams > 1 {
            true
        } else {
            match self.shape.dependency {
                SpatialDependency::Full => layer.spatial <= limit.spatial,
                SpatialDependency::KeyOnly => {
                    layer.spatial == limit.spatial || is_key_picture && layer.spatial < limit.spatial
                }
                SpatialDependency::None => layer.spatial == limit.spatial,
            }
        };
        spatial && layer.temporal <= limit.temporal
    }
}

/// The highest live layer up to `wanted`, else the lowest live one.
fn nearest_live(wanted: u8, live: u8) -> Option<u8> {
    let up_to = if wanted >= 7 { live } else { live & ((2 << wanted) - 1) };
    let nearest = if up_to != 0 { up_to.ilog2() } else { live.checked_ilog2().map(|_| live.trailing_zeros())? };
    Some(nearest as u8)
}

#[cfg(test)]
mod tests {
    use wire::ExtSeqNo;
    use wire::extension::Extensions;

    use super::*;
    use crate::producer::FrameInfo;

    /// A selection of one stream that is sent in its lowest temporal layer, of which all is wanted from now on.
    fn raised() -> Selection {
        let mut selection = Selection::new(Shape { streams: 1, dependency: SpatialDependency::Full });
        selection.aim(Some(Layer::default()), 1);
        let key = PacketMeta { starts_key_frame: true, ..picture(0, 0, None) };
        assert_eq!(selection.judge(0, &key), Verdict::Start);
        selection.aim(Some(Layer::HIGHEST), 1);
        selection
    }

    fn picture(number: u32, temporal: u8, step_up: Option<StepUp>) -> PacketMeta {
        PacketMeta {
            seq: ExtSeqNo::new(u64::from(number)),
            timestamp: RtpTimestamp::new(number),
            marker: true,
            starts_key_frame: false,
            frame: FrameInfo { layer: Layer { spatial: 0, temporal }, begins: true, ends: true, step_up },
            payload_start: 12,
            extensions: Extensions::default(),
            received_at: crate::some_instant(),
        }
    }

    #[test]
    fn behind_a_picture_that_is_sent_all_temporal_layers_can_begin() {
        let mut selection = raised();
        assert_eq!(selection.judge(0, &picture(1, 2, None)), Verdict::Drop);
        assert_eq!(selection.judge(0, &picture(2, 0, Some(StepUp { from: 0, to: 2 }))), Verdict::Forward);
        assert_eq!(selection.judge(0, &picture(3, 2, None)), Verdict::Forward);
    }

    #[test]
    fn a_picture_that_needs_a_layer_that_is_not_sent_is_no_beginning() {
        let mut selection = raised();
        assert_eq!(selection.judge(0, &picture(1, 2, Some(StepUp { from: 1, to: 2 }))), Verdict::Drop);
        assert_eq!(selection.judge(0, &picture(2, 1, Some(StepUp { from: 0, to: 1 }))), Verdict::Forward);
        assert_eq!(selection.judge(0, &picture(3, 2, Some(StepUp { from: 1, to: 2 }))), Verdict::Forward);
    }

    #[test]
    fn the_nearest_live_layer_is_below_if_there_is_one() {
        let cases =
            [(2, 0b111, Some(2)), (1, 0b101, Some(0)), (0, 0b110, Some(1)), (255, 0b011, Some(1)), (1, 0, None)];
        for (wanted, live, nearest) in cases {
            assert_eq!(nearest_live(wanted, live), nearest, "{wanted} of {live:#b}");
        }
    }
}
