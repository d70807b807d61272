//! A camera that speaks VP8: real payload descriptors (RFC 7741 §4.2) before frames that are filled with stamps.

use rand::RngExt;
use rand::rngs::StdRng;

use super::stamp::{MIN_LEN, Stamp};

/// RTP clock of video.
pub(crate) const CLOCK_RATE: u32 = 90_000;

/// Payload bytes of a packet at most, descriptor included; with headers it stays below browsers' 1,200.
const MAX_PAYLOAD: usize = 1100;

/// Longest descriptor and frame header together.
const MAX_HEAD: usize = 16;

/// A key frame is so many times as large as an ordinary one.
const KEY_FRAME_FACTOR: usize = 5;

/// Temporal layer of each frame of the repeating pattern, by number of layers; as libwebrtc orders them.
const PATTERNS: [&[u8]; 3] = [&[0], &[0, 1], &[0, 2, 1, 2]];

/// How one stream of a VP8 source looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Vp8Settings {
    /// Bits a second, headers of RTP not counted.
    pub bit_rate: u32,
    /// Frames a second.
    pub frame_rate: u32,
    /// Width and height in pixels.
    pub size: (u16, u16),
    /// Temporal layers, 1 to 3.
    pub temporal_layers: u8,
}

impl Default for Vp8Settings {
    fn default() -> Self {
        Self { bit_rate: 500_000, frame_rate: 25, size: (640, 360), temporal_layers: 1 }
    }
}

/// The encoder's state for one stream.
#[derive(Debug)]
pub(crate) struct Camera {
    settings: Vp8Settings,
    frame: u32,
    /// 15 bits.
    picture_id: u16,
    tl0_pic_idx: u8,
    /// Place in the pattern of temporal layers.
    position: usize,
    /// Newest frame of each temporal layer.
    newest: [Option<u32>; 3],
    key_wanted: bool,
}

/// One frame: what all its packets share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    stamp: Stamp,
    tid: u8,
    layer_sync: bool,
    /// Bytes of each packet but the last, descriptor included.
    packet_len: usize,
    last_len: usize,
}

impl Frame {
    pub(crate) fn packets(&self) -> u16 {
        self.stamp.packets
    }

    pub(crate) fn is_key(&self) -> bool {
        self.stamp.is_key()
    }
}

impl Camera {
    /// Picture ids begin at random places, as in browsers.
    pub(crate) fn new(settings: Vp8Settings, rng: &mut StdRng) -> Self {
        Self {
            settings,
            frame: 0,
            picture_id: rng.random_range(0..1 << 15),
            tl0_pic_idx: rng.random(),
            position: 0,
            newest: [None; 3],
            key_wanted: true,
        }
    }

    /// The next frame will be a key frame.
    pub(crate) fn want_key_frame(&mut self) {
        self.key_wanted = true;
    }

    pub(crate) fn settings(&self) -> &Vp8Settings {
        &self.settings
    }

    fn layers(&self) -> usize {
        usize::from(self.settings.temporal_layers).clamp(1, PATTERNS.len())
    }

    /// Begins the next frame; its packets are written by [`Camera::write`].
    pub(crate) fn encode(&mut self, stream: u32, captured_at: u64, rng: &mut StdRng) -> Frame {
        let is_key = std::mem::take(&mut self.key_wanted);
        if is_key {
            self.position = 0;
        }
        let pattern = PATTERNS[self.layers() - 1];
        let tid = pattern[self.position % pattern.len()];
        self.position += 1;
        self.frame = self.frame.wrapping_add(1);
        self.picture_id = (self.picture_id + 1) & 0x7FFF;
        if tid == 0 {
            self.tl0_pic_idx = self.tl0_pic_idx.wrapping_add(1);
        }
        // A frame refers to the newest one of its own layer or below.
        let below = self.newest.iter().take(usize::from(tid) + 1).flatten().max().copied();
        let depends_on = if is_key { self.frame } else { below.unwrap_or(self.frame) };
        let base = self.newest.first().copied().flatten();
        if is_key {
            self.newest = [None; 3];
        }
        if let Some(slot) = self.newest.get_mut(usize::from(tid)) {
            *slot = Some(self.frame);
        }
        let mean = self.settings.bit_rate as usize / 8 / self.settings.frame_rate.max(1) as usize;
        let len = rng.random_range(mean * 4 / 5..=mean * 6 / 5) * if is_key { KEY_FRAME_FACTOR } else { 1 };
        let packets = len.div_ceil(MAX_PAYLOAD).clamp(1, 500);
        let packet_len = len.div_ceil(packets).clamp(MIN_LEN + MAX_HEAD, MAX_PAYLOAD);
        let last_len = len.saturating_sub(packet_len * (packets - 1)).clamp(MIN_LEN + MAX_HEAD, MAX_PAYLOAD);
        let packets = packets as u16;
        Frame {
            stamp: Stamp { stream, frame: self.frame, depends_on, packet: 0, packets, captured_at },
            tid,
            layer_sync: tid > 0 && base == Some(depends_on),
            packet_len,
            last_len,
        }
    }

    /// Appends the payload of packet `index` of the frame begun last.
    pub(crate) fn write(&self, frame: &Frame, index: u16, out: &mut Vec<u8>) {
        let start = out.len();
        let is_first = index == 0;
        let has_layers = self.layers() > 1;
        // X, and S at the start of the only partition.
        out.push(0x80 | if is_first { 0x10 } else { 0 });
        // I, and L and T with temporal layers.
        out.push(0x80 | if has_layers { 0x60 } else { 0 });
        let [high, low] = self.picture_id.to_be_bytes();
        out.extend_from_slice(&[0x80 | high, low]);
        if has_layers {
            out.extend_from_slice(&[self.tl0_pic_idx, frame.tid << 6 | if frame.layer_sync { 0x20 } else { 0 }]);
        }
        if is_first {
            self.write_frame_header(frame.stamp.is_key(), out);
        }
        let len = if index + 1 == frame.stamp.packets { frame.last_len } else { frame.packet_len };
        let left = len.saturating_sub(out.len() - start);
        Stamp { packet: index, ..frame.stamp }.write(out, left);
    }

    /// The uncompressed part of a frame (RFC 6386 §9.1): its tag, and of a key frame the start code and the size.
    fn write_frame_header(&self, is_key: bool, out: &mut Vec<u8>) {
        // P is 0 in key frames; show_frame is set.
        out.extend_from_slice(&[if is_key { 0x10 } else { 0x11 }, 0, 0]);
        if is_key {
            let (width, height) = self.settings.size;
            let ([w0, w1], [h0, h1]) = (width.to_le_bytes(), height.to_le_bytes());
            out.extend_from_slice(&[0x9D, 0x01, 0x2A, w0, w1, h0, h1]);
        }
    }
}

/// Bytes of the frame header in the first packet of a frame, after the descriptor.
pub(crate) fn frame_header_len(is_key: bool) -> usize {
    if is_key { 10 } else { 3 }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use wire::codec::vp8::Descriptor;

    use super::*;

    fn camera(temporal_layers: u8) -> (Camera, StdRng) {
        let mut rng = StdRng::seed_from_u64(3);
        let settings = Vp8Settings { temporal_layers, ..Vp8Settings::default() };
        (Camera::new(settings, &mut rng), rng)
    }

    fn payloads(camera: &mut Camera, rng: &mut StdRng) -> (Frame, Vec<Vec<u8>>) {
        let frame = camera.encode(42, 7, rng);
        let write = |index| {
            let mut payload = Vec::new();
            camera.write(&frame, index, &mut payload);
            payload
        };
        (frame, (0..frame.packets()).map(write).collect())
    }

    #[test]
    fn the_first_frame_and_those_asked_for_are_key_frames_that_a_server_knows_as_such() {
        let (mut camera, mut rng) = camera(1);
        for turn in 0..10 {
            if turn == 5 {
                camera.want_key_frame();
            }
            let (frame, payloads) = payloads(&mut camera, &mut rng);
            assert_eq!(frame.is_key(), turn == 0 || turn == 5);
            for (index, payload) in payloads.iter().enumerate() {
                let descriptor = Descriptor::parse(payload).expect("whole");
                assert_eq!(descriptor.is_key_frame, frame.is_key() && index == 0);
                assert_eq!(descriptor.resolution, descriptor.is_key_frame.then_some((640, 360)));
                let header = if index == 0 { frame_header_len(frame.is_key()) } else { 0 };
                let stamp = Stamp::read(&payload[descriptor.len + header..]).expect("stamped");
                assert_eq!((usize::from(stamp.packet), stamp.packets), (index, frame.packets()));
                assert!(payload.len() <= MAX_PAYLOAD);
            }
        }
    }

    #[test]
    fn picture_ids_count_frames_and_layer_indices_count_the_base_layer() {
        let (mut camera, mut rng) = camera(3);
        let descriptors: Vec<_> =
            (0..9).map(|_| Descriptor::parse(&payloads(&mut camera, &mut rng).1[0]).expect("whole")).collect();
        let tids: Vec<_> = descriptors.iter().filter_map(|d| d.temporal.map(|t| t.tid)).collect();
        assert_eq!(tids, [0, 2, 1, 2, 0, 2, 1, 2, 0]);
        for pair in descriptors.windows(2) {
            let (Some(a), Some(b)) = (pair[0].picture_id, pair[1].picture_id) else { panic!("no picture id") };
            assert_eq!(b.value, (a.value + 1) & 0x7FFF);
        }
        let indices: Vec<_> = descriptors.iter().filter_map(|d| d.tl0_pic_idx).collect();
        assert_eq!(indices[8], indices[0].wrapping_add(2));
    }

    #[test]
    fn the_bit_rate_is_about_what_was_asked_for() {
        let (mut camera, mut rng) = camera(1);
        payloads(&mut camera, &mut rng);
        let bytes: usize =
            (0..250).map(|_| payloads(&mut camera, &mut rng).1.iter().map(Vec::len).sum::<usize>()).sum();
        let rate = bytes * 8 / 10;
        assert!((450_000..550_000).contains(&rate), "{rate}");
    }
}
