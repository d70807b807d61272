//! Which layer of its stream a packet belongs to, and what the layers are: their sizes and bit rates.

use std::time::{Duration, Instant};

use wire::codec::dependency_descriptor::{self as dd, DecodeTargetIndication, Descriptor, Structure};
use wire::codec::{self, CodecKind, vp8, vp9};

/// Spatial layers in one stream that are told apart; AV1 and VP9 encoders have up to three.
pub(crate) const MAX_SPATIAL: usize = 4;

/// Temporal layers that are told apart; encoders have up to three.
pub(crate) const MAX_TEMPORAL: usize = 4;

/// Bit rates are measured over this time.
const WINDOW: Duration = Duration::from_millis(500);

/// A layer of a producer in mediasoup's sense: `spatial` is the stream of a simulcast producer, or the spatial layer within
/// the only stream.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Layer {
    /// Size of the picture, 0 the smallest.
    pub spatial: u8,
    /// Rate of the pictures, 0 the lowest.
    pub temporal: u8,
}

impl Layer {
    /// More than any producer has.
    pub const HIGHEST: Self = Self { spatial: u8::MAX, temporal: u8::MAX };
}

/// What a packet says of its frame.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct FrameInfo {
    /// Layer within the stream.
    pub(crate) layer: Layer,
    /// First packet of its frame.
    pub(crate) begins: bool,
    /// Last packet of its frame.
    pub(crate) ends: bool,
    /// More temporal layers can be begun with here.
    pub(crate) step_up: Option<StepUp>,
}

/// Who gets the temporal layers up to `from` can get those up to `to` from this frame on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct StepUp {
    pub(crate) from: u8,
    pub(crate) to: u8,
}

impl StepUp {
    /// VP8 marks a frame that needs the lowest layer alone (RFC 7741 §4.2, Y).
    fn of_vp8(temporal: vp8::Temporal) -> Option<Self> {
        temporal.layer_sync.then_some(Self { from: 0, to: temporal.tid })
    }

    /// VP9 marks a frame behind which no layer above its own needs what came before (RFC 9628 §4.2, U). It may itself need
    /// what its layer had before, but browsers do not mark that: above the lowest layer they mark what needs lower layers
    /// only, be it the one next below.
    fn of_vp9(layer: vp9::Layer) -> Option<Self> {
        let step = match layer.temporal.checked_sub(1) {
            None => Self { from: 0, to: u8::MAX },
            Some(below) => Self { from: below, to: layer.temporal },
        };
        layer.switching_up.then_some(step)
    }

    /// A descriptor tells for which choices of layers everything behind the frame can be decoded, if the frame can.
    fn of_descriptor(descriptor: &Descriptor, structure: &Structure) -> Option<Self> {
        let is_switch = |(index, target): &(usize, &dd::DecodeTarget)| {
            target.spatial == descriptor.spatial
                && descriptor.indication(*index as u8) == DecodeTargetIndication::Switch
        };
        let targets = structure.decode_targets().iter().enumerate().filter(is_switch);
        let highest = targets.map(|(_, target)| target.temporal).max()?;
        Some(Self { from: descriptor.temporal, to: highest })
    }
}

/// Reads the layers of one stream's packets.
#[derive(Default)]
pub(crate) struct LayerReader {
    /// About 4 kB; there where dependency descriptors are.
    structure: Option<Box<Structure>>,
    /// Layers that were met or announced.
    pub(crate) spatial_layers: u8,
    pub(crate) temporal_layers: u8,
    /// Width and height in pixels by spatial layer.
    sizes: [Option<(u16, u16)>; MAX_SPATIAL],
}

impl LayerReader {
    /// Reads what a packet says; with whether a decoder can start at it.
    pub(crate) fn read(
        &mut self,
        codec: CodecKind,
        payload: &[u8],
        descriptor: Option<&[u8]>,
        marker: bool,
    ) -> (FrameInfo, bool) {
        if codec != CodecKind::Vp8
            && let Some(bytes) = descriptor
            && let Some(read) = self.read_descriptor(bytes)
        {
            return read;
        }
        match codec {
            CodecKind::Vp8 => self.read_vp8(payload, marker),
            CodecKind::Vp9 => self.read_vp9(payload),
            CodecKind::Opus => (FrameInfo::default(), true),
            CodecKind::H264 | CodecKind::Av1 => {
                self.note(Layer::default(), None);
                (FrameInfo { ends: marker, ..FrameInfo::default() }, codec::starts_key_frame(codec, payload))
            }
        }
    }

    /// Width and height in pixels of a spatial layer, once known.
    pub(crate) fn size(&self, spatial: u8) -> Option<(u16, u16)> {
        self.sizes.get(usize::from(spatial)).copied().flatten()
    }

    fn note(&mut self, layer: Layer, size: Option<(u16, u16)>) {
        self.spatial_layers = self.spatial_layers.max(layer.spatial + 1);
        self.temporal_layers = self.temporal_layers.max(layer.temporal + 1);
        if let Some(size) = size
            && let Some(known) = self.sizes.get_mut(usize::from(layer.spatial))
        {
            *known = Some(size);
        }
    }

    fn read_descriptor(&mut self, bytes: &[u8]) -> Option<(FrameInfo, bool)> {
        if dd::has_structure(bytes)
            && let Ok(Some(structure)) = Structure::parse(bytes)
        {
            // What an earlier structure had more is not sent any more.
            (self.spatial_layers, self.temporal_layers) = (structure.spatial_layers(), structure.temporal_layers());
            for (spatial, size) in self.sizes.iter_mut().enumerate() {
                *size = structure.resolution(spatial as u8).or(*size);
            }
            match &mut self.structure {
                Some(kept) => **kept = structure,
                None => self.structure = Some(Box::new(structure)),
            }
        }
        let structure = self.structure.as_deref()?;
        let descriptor = Descriptor::parse(bytes, Some(structure)).ok()?;
        let layer = clamp(descriptor.spatial, descriptor.temporal);
        let info = FrameInfo {
            layer,
            begins: descriptor.mandatory.start_of_frame,
            ends: descriptor.mandatory.end_of_frame,
            step_up: StepUp::of_descriptor(&descriptor, structure),
        };
        Some((info, descriptor.begins_key_frame()))
    }

    fn read_vp8(&mut self, payload: &[u8], marker: bool) -> (FrameInfo, bool) {
        let Ok(descriptor) = vp8::Descriptor::parse(payload) else {
            return (FrameInfo { ends: marker, ..FrameInfo::default() }, false);
        };
        let layer = clamp(0, descriptor.temporal.map_or(0, |temporal| temporal.tid));
        self.note(layer, descriptor.resolution);
        let info = FrameInfo {
            layer,
            begins: descriptor.start_of_partition && descriptor.partition_index == 0,
            ends: marker,
            step_up: descriptor.temporal.and_then(StepUp::of_vp8),
        };
        (info, descriptor.is_key_frame)
    }

    fn read_vp9(&mut self, payload: &[u8]) -> (FrameInfo, bool) {
        let Ok(descriptor) = vp9::Descriptor::parse(payload) else { return (FrameInfo::default(), false) };
        let layer = descriptor.layer.map_or(Layer::default(), |layer| clamp(layer.spatial, layer.temporal));
        self.note(layer, None);
        if let Some(structure) = &descriptor.structure {
            self.spatial_layers = structure.spatial_layers.min(MAX_SPATIAL as u8);
            for (known, size) in self.sizes.iter_mut().zip(structure.resolutions) {
                *known = size.or(*known);
            }
        }
        let info = FrameInfo {
            layer,
            begins: descriptor.begins_frame,
            ends: descriptor.ends_frame,
            step_up: descriptor.layer.and_then(StepUp::of_vp9),
        };
        (info, descriptor.is_key_frame())
    }
}

fn clamp(spatial: u8, temporal: u8) -> Layer {
    Layer { spatial: spatial.min(MAX_SPATIAL as u8 - 1), temporal: temporal.min(MAX_TEMPORAL as u8 - 1) }
}

/// Bit rates of one stream's layers.
#[derive(Default)]
pub(crate) struct LayerRates {
    window_from: Option<Instant>,
    bytes: [[u32; MAX_TEMPORAL]; MAX_SPATIAL],
    /// Bits a second of each layer alone, smoothed.
    rates: [[u32; MAX_TEMPORAL]; MAX_SPATIAL],
    measured: bool,
}

impl LayerRates {
    /// Takes in `bytes` of `layer`, received at `at`.
    pub(crate) fn add(&mut self, at: Instant, layer: Layer, bytes: usize) {
        let from = *self.window_from.get_or_insert(at);
        let elapsed = at.saturating_duration_since(from);
        if elapsed >= WINDOW {
            self.close_window(elapsed);
            self.window_from = Some(at);
        }
        if let Some(sum) =
            self.bytes.get_mut(usize::from(layer.spatial)).and_then(|sums| sums.get_mut(usize::from(layer.temporal)))
        {
            *sum = sum.saturating_add(bytes as u32);
        }
    }

    fn close_window(&mut self, elapsed: Duration) {
        let was_measured = std::mem::replace(&mut self.measured, true) && elapsed < WINDOW * 4;
        let millis = elapsed.as_millis().max(1) as u64;
        for (bytes, rate) in self.bytes.as_flattened_mut().iter_mut().zip(self.rates.as_flattened_mut()) {
            let sample = (u64::from(std::mem::take(bytes)) * 8000 / millis).min(u64::from(u32::MAX)) as u32;
            *rate = if was_measured { ((u64::from(*rate) + u64::from(sample)) / 2) as u32 } else { sample };
        }
    }

    /// Bits a second of one spatial layer alone, with its temporal layers up to `temporal`; `None` while that is not
    /// measured.
    pub(crate) fn of_spatial(&self, spatial: u8, temporal: u8) -> Option<u64> {
        let rates = self.rates.get(usize::from(spatial)).filter(|_| self.measured)?;
        Some(rates.iter().take(usize::from(temporal) + 1).map(|&rate| u64::from(rate)).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vp8_tells_temporal_layers_switching_points_and_the_size() {
        let mut reader = LayerReader::default();
        // X, S; T and K; TID 2, Y; the size stands in the key frame's header.
        let upper = [0x90, 0x20, 0xA0, 0x01, 0, 0, 0, 0, 0, 0, 0];
        let (info, key) = reader.read(CodecKind::Vp8, &upper, None, true);
        assert_eq!(info.layer, Layer { spatial: 0, temporal: 2 });
        assert_eq!(info.step_up, Some(StepUp { from: 0, to: 2 }));
        assert!(info.begins && info.ends && !key);
        let key_frame = [0x10, 0x00, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01];
        let (info, key) = reader.read(CodecKind::Vp8, &key_frame, None, false);
        assert!(key && info.begins && !info.ends);
        assert_eq!(reader.size(0), Some((640, 360)));
        assert_eq!(reader.temporal_layers, 3);
    }

    #[test]
    fn vp9_tells_both_kinds_of_layers() {
        let mut reader = LayerReader::default();
        // L, B, E; TID 1, U, SID 2, D; TL0PICIDX.
        let (info, key) = reader.read(CodecKind::Vp9, &[0x6C, 0x35, 7, 0, 0], None, true);
        assert_eq!(info.layer, Layer { spatial: 2, temporal: 1 });
        assert_eq!(info.step_up, Some(StepUp { from: 0, to: 1 }));
        assert!(info.begins && info.ends && !key);
        assert_eq!((reader.spatial_layers, reader.temporal_layers), (3, 2));
    }

    #[test]
    fn a_mark_of_vp9_tells_of_the_layers_above_its_own() {
        let step_up = |temporal: u8| {
            // L, B, E; TID, U, SID 0; TL0PICIDX.
            let payload = [0x2C, temporal << 5 | 0x10, 7, 0, 0];
            LayerReader::default().read(CodecKind::Vp9, &payload, None, true).0.step_up
        };
        assert_eq!(step_up(0), Some(StepUp { from: 0, to: u8::MAX }));
        assert_eq!(step_up(2), Some(StepUp { from: 1, to: 2 }));
    }

    #[test]
    fn descriptors_of_av1_let_all_temporal_layers_begin_behind_the_lowest() {
        let mut reader = LayerReader::default();
        // Chromium's L1T2: a key frame, which brings the structure; a frame of either layer, named by its template.
        let key = [0x80, 0x00, 0x01, 0x80, 0x01, 0x1E, 0xA8, 0x51, 0x41, 0x01, 0x0C, 0x04, 0xFC, 0x03, 0xBC];
        let mut read = |descriptor: &[u8]| reader.read(CodecKind::Av1, &[0x10], Some(descriptor), true);
        assert!(read(&key).1);
        let (lowest, upper) = (read(&[0xC1, 0, 3]).0, read(&[0xC2, 0, 2]).0);
        assert_eq!((lowest.layer.temporal, upper.layer.temporal), (0, 1));
        assert_eq!((lowest.step_up, upper.step_up), (Some(StepUp { from: 0, to: 1 }), None));
    }

    #[test]
    fn the_rate_of_a_layer_is_what_came_of_it_a_second() {
        let start = crate::some_instant();
        let mut rates = LayerRates::default();
        assert_eq!(rates.of_spatial(0, 0), None);
        for step in 0..400_u64 {
            let layer = Layer { spatial: 0, temporal: (step % 2) as u8 };
            rates.add(start + Duration::from_millis(step * 10), layer, 1000);
        }
        let near = |rate: Option<u64>, wanted: u64| rate.is_some_and(|rate| rate.abs_diff(wanted) < wanted / 20);
        assert!(near(rates.of_spatial(0, 0), 400_000));
        assert!(near(rates.of_spatial(0, 1), 800_000));
        assert_eq!(rates.of_spatial(1, 3), Some(0));
    }
}
