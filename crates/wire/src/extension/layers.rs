//! The video layers allocation element: which layers a sender produces at which rate and size
//! (WebRTC's `video-layers-allocation00`).

/// Most layers one element can list: four RTP streams of four spatial layers.
pub const MAX_ALLOCATED_LAYERS: usize = 16;

/// Most temporal layers of a spatial layer: a two-bit count.
pub const MAX_TEMPORAL_LAYERS: usize = 4;

/// Longest LEB128 number of 32 bits.
const MAX_LEB128_LEN: usize = 5;

/// Size and rate of the pictures of one layer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LayerResolution {
    /// Width in pixels, 1 to 65,536.
    pub width: u32,
    /// Height in pixels, 1 to 65,536.
    pub height: u32,
    /// Most frames per second.
    pub max_frame_rate: u8,
}

/// One active spatial layer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LayerAllocation {
    /// Which RTP stream it is sent in, 0 to 3.
    pub rtp_stream: u8,
    /// Number of the spatial layer within that stream, 0 to 3.
    pub spatial_id: u8,
    /// Number of temporal layers, 1 to 4.
    pub temporal_count: u8,
    /// Target in kbit/s of each temporal layer together with those below it; 0 beyond `temporal_count`.
    pub target_kbps: [u32; MAX_TEMPORAL_LAYERS],
    /// Told for all layers or for none.
    pub resolution: Option<LayerResolution>,
}

/// What a sender says about all its layers of one source.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct VideoLayersAllocation {
    /// The RTP stream that carries this element, 0 to 3.
    pub rtp_stream: u8,
    /// Number of RTP streams, 1 to 4; 0 when nothing is sent.
    pub stream_count: u8,
    layers: [LayerAllocation; MAX_ALLOCATED_LAYERS],
    len: u8,
}

impl VideoLayersAllocation {
    /// An allocation without layers.
    pub fn new(rtp_stream: u8, stream_count: u8) -> Self {
        Self { rtp_stream, stream_count, ..Self::default() }
    }

    /// Active layers by stream and spatial id, both rising.
    pub fn layers(&self) -> &[LayerAllocation] {
        self.layers.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Adds a layer behind the others; `false` when there are [`MAX_ALLOCATED_LAYERS`] already.
    pub fn push(&mut self, layer: LayerAllocation) -> bool {
        let Some(slot) = self.layers.get_mut(usize::from(self.len)) else { return false };
        *slot = layer;
        self.len += 1;
        true
    }

    fn layers_mut(&mut self) -> &mut [LayerAllocation] {
        self.layers.get_mut(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Reads an allocation; `None` when the element ends early or contradicts itself.
pub fn read_video_layers_allocation(data: &[u8]) -> Option<VideoLayersAllocation> {
    // A single zero: nothing is sent.
    if data == [0] {
        return Some(VideoLayersAllocation::default());
    }
    let (&head, mut rest) = data.split_first()?;
    let mut allocation = VideoLayersAllocation::new(head >> 6, (head >> 4 & 3) + 1);
    if allocation.rtp_stream >= allocation.stream_count {
        return None;
    }
    for (rtp_stream, mask) in spatial_masks(head, &mut rest)?.into_iter().enumerate() {
        for spatial_id in (0..4).filter(|id| mask >> id & 1 != 0) {
            allocation.push(LayerAllocation { rtp_stream: rtp_stream as u8, spatial_id, ..Default::default() });
        }
    }
    let counts_len = usize::from(allocation.len).div_ceil(4);
    let (counts, after) = rest.split_at_checked(counts_len)?;
    rest = after;
    let counts = counts.iter().flat_map(|byte| [byte >> 6, byte >> 4 & 3, byte >> 2 & 3, byte & 3]);
    for (layer, count) in allocation.layers_mut().iter_mut().zip(counts) {
        layer.temporal_count = count + 1;
    }
    for layer in allocation.layers_mut() {
        for target in layer.target_kbps.iter_mut().take(usize::from(layer.temporal_count)) {
            *target = read_leb128(&mut rest)?;
        }
    }
    if rest.is_empty() {
        return Some(allocation);
    }
    for layer in allocation.layers_mut() {
        let (&[w0, w1, h0, h1, max_frame_rate], after) = rest.split_first_chunk::<5>()?;
        rest = after;
        layer.resolution = Some(LayerResolution {
            width: u32::from(u16::from_be_bytes([w0, w1])) + 1,
            height: u32::from(u16::from_be_bytes([h0, h1])) + 1,
            max_frame_rate,
        });
    }
    Some(allocation)
}

/// Active spatial layers of each stream: one mask for all in the head, or a nibble for each after it.
fn spatial_masks(head: u8, rest: &mut &[u8]) -> Option<[u8; 4]> {
    let stream_count = usize::from(head >> 4 & 3) + 1;
    let mut masks = [0; 4];
    let common = head & 0x0f;
    if common != 0 {
        masks.iter_mut().take(stream_count).for_each(|mask| *mask = common);
        return Some(masks);
    }
    let (nibbles, after) = rest.split_at_checked(stream_count.div_ceil(2))?;
    *rest = after;
    let nibbles = nibbles.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    for (mask, nibble) in masks.iter_mut().take(stream_count).zip(nibbles) {
        *mask = nibble;
    }
    Some(masks)
}

fn read_leb128(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0u64;
    for shift in 0..MAX_LEB128_LEN {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << (7 * shift);
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok();
        }
    }
    None
}

/// Appends the element's data. Layers have to be in the order of [`VideoLayersAllocation::layers`]; resolutions are
/// written when every layer has one.
pub fn write_video_layers_allocation(out: &mut Vec<u8>, allocation: &VideoLayersAllocation) {
    let layers = allocation.layers();
    let stream_count = allocation.stream_count.min(4);
    if layers.is_empty() || stream_count == 0 {
        out.push(0);
        return;
    }
    let mut masks = [0u8; 4];
    for layer in layers {
        if let Some(mask) = masks.get_mut(usize::from(layer.rtp_stream)) {
            *mask |= 1 << (layer.spatial_id & 3);
        }
    }
    let used = masks.get(..usize::from(stream_count)).unwrap_or_default();
    let &[first, ..] = &masks;
    let common = if used.iter().all(|&mask| mask == first) { first } else { 0 };
    out.push((allocation.rtp_stream & 3) << 6 | (stream_count - 1) << 4 | common);
    if common == 0 {
        for pair in used.chunks(2) {
            let high = pair.first().copied().unwrap_or_default();
            let low = pair.get(1).copied().unwrap_or_default();
            out.push(high << 4 | low);
        }
    }
    for four in layers.chunks(4) {
        let bits = four.iter().zip([6, 4, 2, 0]).map(|(layer, shift)| temporal_field(layer) << shift);
        out.push(bits.fold(0, |byte, bits| byte | bits));
    }
    for layer in layers {
        for &target in layer.target_kbps.iter().take(usize::from(temporal_field(layer)) + 1) {
            write_leb128(out, target);
        }
    }
    if layers.iter().all(|layer| layer.resolution.is_some()) {
        for resolution in layers.iter().filter_map(|layer| layer.resolution) {
            let side = |pixels: u32| pixels.clamp(1, 65_536) - 1;
            out.extend_from_slice(&(side(resolution.width) as u16).to_be_bytes());
            out.extend_from_slice(&(side(resolution.height) as u16).to_be_bytes());
            out.push(resolution.max_frame_rate);
        }
    }
}

fn temporal_field(layer: &LayerAllocation) -> u8 {
    layer.temporal_count.clamp(1, MAX_TEMPORAL_LAYERS as u8) - 1
}

fn write_leb128(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(rtp_stream: u8, spatial_id: u8, targets: &[u32]) -> LayerAllocation {
        let mut target_kbps = [0; MAX_TEMPORAL_LAYERS];
        target_kbps[..targets.len()].copy_from_slice(targets);
        LayerAllocation { rtp_stream, spatial_id, temporal_count: targets.len() as u8, target_kbps, resolution: None }
    }

    fn check(data: &[u8], stream: u8, stream_count: u8, layers: &[LayerAllocation]) {
        let mut allocation = VideoLayersAllocation::new(stream, stream_count);
        layers.iter().for_each(|&layer| assert!(allocation.push(layer)));
        assert_eq!(read_video_layers_allocation(data), Some(allocation));
        let mut out = Vec::new();
        write_video_layers_allocation(&mut out, &allocation);
        assert_eq!(out, data);
    }

    #[test]
    fn streams_with_the_same_layers_share_one_mask() {
        // Sent in stream 1 of 2, one spatial layer each; two and one temporal layers; 100, 300 and 1,000 kbit/s.
        let data = [0b0101_0001, 0b0100_0000, 100, 0xac, 0x02, 0xe8, 0x07];
        check(&data, 1, 2, &[layer(0, 0, &[100, 300]), layer(1, 0, &[1_000])]);
    }

    #[test]
    fn streams_with_different_layers_have_a_mask_each() {
        // Three streams: spatial layer 0; none; 0 and 2.
        let data = [0b0010_0000, 0b0001_0000, 0b0101_0000, 0, 1, 2, 3];
        check(&data, 0, 3, &[layer(0, 0, &[1]), layer(2, 0, &[2]), layer(2, 2, &[3])]);
    }

    #[test]
    fn sizes_and_frame_rates_follow_when_they_are_told() {
        let mut full = layer(0, 0, &[5]);
        full.resolution = Some(LayerResolution { width: 1_280, height: 720, max_frame_rate: 30 });
        check(&[0b0000_0001, 0, 5, 0x04, 0xff, 0x02, 0xcf, 30], 0, 1, &[full]);
    }

    #[test]
    fn a_single_zero_says_that_nothing_is_sent() {
        check(&[0], 0, 0, &[]);
    }

    #[test]
    fn the_largest_allocation_has_sixteen_layers_of_four() {
        let mut data = vec![0b1111_1111, 0xff, 0xff, 0xff, 0xff];
        for _ in 0..64 {
            data.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
        }
        let layers: Vec<_> = (0..16).map(|n| layer(n / 4, n % 4, &[u32::MAX; 4])).collect();
        check(&data, 3, 4, &layers);
        let mut allocation = read_video_layers_allocation(&data).unwrap();
        assert!(!allocation.push(layer(0, 0, &[1])));
    }

    #[test]
    fn what_ends_early_or_contradicts_itself_is_none() {
        let table: [&[u8]; 9] = [
            &[],
            &[0b0100_0001, 0, 5],                               // stream 1 of 1
            &[0b0000_0001],                                     // no temporal layers
            &[0b0000_0001, 0],                                  // no rate
            &[0b0000_0001, 0, 0x80],                            // rate cut off
            &[0b0000_0001, 0, 0xff, 0xff, 0xff, 0xff, 0x1f],    // rate above 32 bits
            &[0b0000_0001, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0], // rate of six bytes
            &[0b0000_0001, 0, 5, 1, 2, 3, 4],                   // size cut off
            &[0b0010_0000, 0b0001_0000],                        // masks cut off
        ];
        for data in table {
            assert_eq!(read_video_layers_allocation(data), None, "{data:?}");
        }
    }
}
