//! A publisher as browsers are: it makes frames of which it is known what they need, and writes them into packets whose
//! descriptors tell of it as libwebrtc's do.

use std::fmt;

use wire::codec::CodecKind;
use wire::extension::{ExtensionForm, ExtensionKind, ExtensionMap, ExtensionWriter};
use wire::ortc::SpatialDependency;
use wire::rtp::{HeaderFields, set_has_extension, write_header};
use wire::{ExtSeqNo, PayloadType, RtpTimestamp, Ssrc};

use crate::producer::Layer;

/// Ticks of the media clock between two pictures.
pub(super) const PICTURE_TICKS: u32 = 3_000;

/// Id of the dependency descriptor.
const DESCRIPTOR_ID: u8 = 12;

/// Bytes at the end of each payload that name its frame and the packet's place in it.
const NAME_LEN: usize = 5;

pub(super) const PAYLOAD_TYPE: PayloadType = PayloadType::from_low_bits(96);

/// Header extensions as publisher and viewer number them.
pub(super) fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::new();
    assert!(map.insert(DESCRIPTOR_ID, ExtensionKind::DependencyDescriptor));
    map
}

/// One picture of a temporal pattern: its layer, how many pictures back those are that it needs, and whether it is marked as a
/// switching point.
type Step = (u8, &'static [u32], bool);

/// What repeats from a key frame on, by the marks of its codec.
///
/// VP8: Y is set where only the base layer is needed. VP9: U is set where no later picture of the layers above needs one from
/// before; in flexible mode where only lower layers are needed. Descriptors tell it by themselves.
pub(super) const SINGLE: &[Step] = &[(0, &[1], true)];
pub(super) const VP8_TWO: &[Step] = &[(0, &[2], false), (1, &[1], true), (0, &[2], false), (1, &[1, 2], false)];
pub(super) const VP8_THREE: &[Step] = &[
    (0, &[4], false),
    (2, &[1], true),
    (1, &[2], true),
    (2, &[3, 1], false),
    (0, &[4], false),
    (2, &[3, 1], false),
    (1, &[4, 2], false),
    (2, &[3, 1], false),
];
pub(super) const VP8_THREE_SHORT: &[Step] = &[(0, &[4], false), (2, &[1], true), (1, &[2], true), (2, &[2, 1], false)];
pub(super) const TWO: &[Step] = &[(0, &[2], true), (1, &[1], true)];
pub(super) const THREE: &[Step] = &[(0, &[4], true), (2, &[1], true), (1, &[2], true), (2, &[1], true)];
pub(super) const TWO_FLEXIBLE: &[Step] = &[(0, &[2], false), (1, &[1], true)];
pub(super) const THREE_FLEXIBLE: &[Step] = &[(0, &[4], false), (2, &[1], true), (1, &[2], true), (2, &[1], true)];

/// How a publisher encodes.
#[derive(Clone, Copy)]
pub(super) struct Mode {
    /// As the test names it.
    pub(super) name: &'static str,
    pub(super) codec: CodecKind,
    /// Simulcast streams.
    pub(super) streams: u8,
    /// Spatial layers within a stream.
    pub(super) spatial: u8,
    pub(super) pattern: &'static [Step],
    pub(super) dependency: SpatialDependency,
    /// VP8: the PictureID has 15 bits. VP9: flexible mode.
    pub(super) wide: bool,
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Mode {
    pub(super) fn temporal(&self) -> u8 {
        self.pattern.iter().map(|(tid, ..)| tid + 1).max().expect("no pattern is empty")
    }

    fn has_descriptor(&self) -> bool {
        self.codec == CodecKind::Av1
    }
}

/// A frame: one spatial layer of one picture.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) stream: u8,
    /// Within the stream.
    pub(super) layer: Layer,
    pub(super) picture: u32,
    pub(super) is_key: bool,
    /// The frames that it needs.
    pub(super) needs: Vec<usize>,
    pub(super) packets: u8,
}

/// A packet as it is sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) stream: u8,
    pub(super) seq: ExtSeqNo,
    pub(super) name: Name,
    pub(super) bytes: Vec<u8>,
}

/// Which packet of which frame.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Name {
    pub(super) frame: usize,
    pub(super) packet: u8,
}

impl Name {
    pub(super) fn read(payload: &[u8]) -> Self {
        let (_, name) = payload.split_last_chunk::<NAME_LEN>().expect("every payload has a name");
        let [a, b, c, d, packet] = *name;
        Self { frame: u32::from_be_bytes([a, b, c, d]) as usize, packet }
    }
}

struct StreamState {
    next_seq: ExtSeqNo,
    first_timestamp: u32,
    /// Pictures since the last key picture; `None` before the first.
    since_key: Option<u32>,
    /// Frames of the pictures since the last key picture, by spatial layer.
    made: Vec<[Option<usize>; 4]>,
    picture_id: u16,
    tl0_pic_idx: u8,
    frame_number: u16,
    /// Spatial layers, or the stream itself, that are being sent.
    active: u8,
    key_wanted: bool,
}

pub(super) struct Encoder {
    pub(super) mode: Mode,
    pub(super) frames: Vec<Frame>,
    streams: Vec<StreamState>,
    pub(super) picture: u32,
}

/// One frame about to be written.
struct Draft {
    stream: usize,
    layer: Layer,
    id: usize,
    is_key: bool,
    mark: bool,
    /// Distances of the needed pictures.
    back: Vec<u32>,
    /// Distances of the needed frames.
    frames_back: Vec<u16>,
    packets: u8,
    /// The last frame of its picture.
    is_top: bool,
}

impl Encoder {
    pub(super) fn new(mode: Mode) -> Self {
        let state = |stream: u8| StreamState {
            // Shortly before they wrap.
            next_seq: ExtSeqNo::new(65_500 - u64::from(stream) * 13),
            first_timestamp: u32::MAX - 40 * PICTURE_TICKS - u32::from(stream) * 77_777,
            since_key: None,
            made: Vec::new(),
            picture_id: if mode.wide { 0x7FE0 } else { 0x70 } + u16::from(stream) * 3,
            tl0_pic_idx: 250 - stream * 100,
            frame_number: u16::MAX - 20 + u16::from(stream) * 5,
            active: mode.spatial,
            key_wanted: false,
        };
        Self { mode, frames: Vec::new(), streams: (0..mode.streams).map(state).collect(), picture: 0 }
    }

    /// The media time of a picture in a stream.
    pub(super) fn timestamp(&self, stream: u8, picture: u32) -> RtpTimestamp {
        let first = self.streams[usize::from(stream)].first_timestamp;
        RtpTimestamp::new(first.wrapping_add(picture * PICTURE_TICKS))
    }

    pub(super) fn want_key(&mut self, stream: u8) {
        if let Some(stream) = self.streams.get_mut(usize::from(stream)) {
            stream.key_wanted = true;
        }
    }

    /// Sends `count` spatial layers from now on: simulcast streams, or layers within the only one.
    pub(super) fn set_active(&mut self, spatial: u8, is_active: bool) {
        let mode = self.mode;
        if mode.streams > 1 {
            let stream = &mut self.streams[usize::from(spatial % mode.streams)];
            stream.key_wanted |= is_active && stream.active == 0;
            stream.active = u8::from(is_active);
            return;
        }
        let stream = &mut self.streams[0];
        let count = if is_active { spatial % mode.spatial + 1 } else { spatial % mode.spatial };
        // Where layers are predicted from the one below at each picture, another one can begin anywhere.
        stream.key_wanted |=
            count > stream.active && (mode.dependency != SpatialDependency::Full || stream.active == 0);
        stream.active = count;
    }

    /// Which simulcast streams or spatial layers are being sent, as bits.
    pub(super) fn active(&self) -> u8 {
        match self.streams.as_slice() {
            [only] => ((1_u16 << only.active) - 1) as u8,
            all => all.iter().enumerate().fold(0, |bits, (index, stream)| bits | u8::from(stream.active > 0) << index),
        }
    }

    /// Makes the next picture, its frames of `packets` packets each at most.
    pub(super) fn next_picture(&mut self, packets: u8) -> Vec<Sent> {
        let mut sent = Vec::new();
        for stream in 0..self.streams.len() {
            self.encode(stream, packets, &mut sent);
        }
        self.picture += 1;
        sent
    }

    fn encode(&mut self, index: usize, packets: u8, sent: &mut Vec<Sent>) {
        let mode = self.mode;
        let stream = &mut self.streams[index];
        if stream.active == 0 {
            // The encoder is off: its pattern begins anew with a key frame.
            stream.since_key = None;
            return;
        }
        let is_key = stream.since_key.is_none() || std::mem::take(&mut stream.key_wanted);
        stream.key_wanted = false;
        if is_key {
            stream.since_key = Some(0);
            stream.made.clear();
        }
        let since_key = stream.since_key.expect("a key picture came before");
        let (tid, back, mark) = mode.pattern[since_key as usize % mode.pattern.len()];
        stream.since_key = Some(since_key + 1);
        stream.picture_id = stream.picture_id.wrapping_add(1);
        if tid == 0 {
            stream.tl0_pic_idx = stream.tl0_pic_idx.wrapping_add(1);
        }
        let (active, mut below, mut made) = (stream.active, None, [None; 4]);
        for spatial in 0..active {
            let stream = &self.streams[index];
            let before = |distance: u32| {
                let at = stream.made.len().checked_sub(distance as usize)?;
                stream.made.get(at)?[usize::from(spatial)]
            };
            let back: Vec<u32> =
                if is_key { Vec::new() } else { back.iter().copied().filter(|&far| before(far).is_some()).collect() };
            let mut needs: Vec<usize> = back.iter().filter_map(|&far| before(far)).collect();
            let by_layer = match mode.dependency {
                SpatialDependency::Full => true,
                SpatialDependency::KeyOnly => is_key,
                SpatialDependency::None => false,
            };
            needs.extend(below.filter(|_| by_layer));
            let id = self.frames.len();
            let layer = Layer { spatial, temporal: tid };
            let of_stream =
                |frame: usize| self.frames[frame..].iter().filter(|f| usize::from(f.stream) == index).count();
            let frames_back = needs.iter().map(|&frame| of_stream(frame) as u16).collect();
            let draft = Draft {
                stream: index,
                layer,
                id,
                is_key,
                mark,
                back,
                frames_back,
                packets: 1 + (self.picture as u8).wrapping_add(spatial) % packets,
                is_top: spatial + 1 == active,
            };
            let frame =
                Frame { stream: index as u8, layer, picture: self.picture, is_key, needs, packets: draft.packets };
            self.frames.push(frame);
            self.write(&draft, sent);
            (below, made[usize::from(spatial)]) = (Some(id), Some(id));
        }
        self.streams[index].made.push(made);
    }

    fn write(&mut self, draft: &Draft, sent: &mut Vec<Sent>) {
        let timestamp = self.timestamp(draft.stream as u8, self.picture);
        for packet in 0..draft.packets {
            let (first, last) = (packet == 0, packet + 1 == draft.packets);
            let stream = &mut self.streams[draft.stream];
            let seq = stream.next_seq;
            stream.next_seq = seq.next();
            let stream = &self.streams[draft.stream];
            let fields = HeaderFields {
                marker: last && draft.is_top,
                payload_type: PAYLOAD_TYPE,
                seq: seq.truncate(),
                timestamp,
                ssrc: Ssrc::new(100 + draft.stream as u32),
            };
            let mut bytes = Vec::new();
            write_header(&mut bytes, &fields, false, false);
            if self.mode.has_descriptor() {
                let descriptor = dependency_descriptor(&self.mode, stream.frame_number, draft, (first, last));
                let mut writer = ExtensionWriter::new(&mut bytes, ExtensionForm::TwoByte);
                writer.write(DESCRIPTOR_ID, &descriptor).expect("it fits");
                let is_there = writer.finish();
                set_has_extension(&mut bytes, is_there);
            }
            match self.mode.codec {
                CodecKind::Vp8 => write_vp8(&mut bytes, &self.mode, stream, draft, first),
                CodecKind::Vp9 => write_vp9(&mut bytes, &self.mode, stream, draft, (first, last)),
                _ => bytes.push(0x10),
            }
            bytes.extend_from_slice(&(draft.id as u32).to_be_bytes());
            bytes.push(packet);
            sent.push(Sent { stream: draft.stream as u8, seq, name: Name { frame: draft.id, packet }, bytes });
        }
        let stream = &mut self.streams[draft.stream];
        stream.frame_number = stream.frame_number.wrapping_add(1);
    }
}

fn write_picture_id(bytes: &mut Vec<u8>, value: u16, is_long: bool) {
    if is_long {
        bytes.extend_from_slice(&(value | 0x8000).to_be_bytes());
    } else {
        bytes.push(value as u8 & 0x7F);
    }
}

/// RFC 7741 §4.2.
fn write_vp8(bytes: &mut Vec<u8>, mode: &Mode, stream: &StreamState, draft: &Draft, first: bool) {
    let is_layered = mode.pattern.len() > 1;
    bytes.push(0x80 | if first { 0x10 } else { 0 });
    bytes.push(if is_layered { 0xE0 } else { 0x80 });
    write_picture_id(bytes, stream.picture_id, mode.wide);
    if is_layered {
        bytes.push(stream.tl0_pic_idx);
        bytes.push(draft.layer.temporal << 6 | if draft.mark && !draft.is_key { 0x20 } else { 0 });
    }
    if first {
        bytes.push(u8::from(!draft.is_key));
        bytes.extend_from_slice(&[0, 0, 0x9D, 0x01, 0x2A, 0x40, 0x01, 0xB4, 0x00]);
    }
}

/// RFC 9628 §4.2.
fn write_vp9(bytes: &mut Vec<u8>, mode: &Mode, stream: &StreamState, draft: &Draft, (first, last): (bool, bool)) {
    let is_layered = mode.pattern.len() > 1 || mode.spatial > 1;
    let is_predicted = !draft.back.is_empty();
    let structure = first && draft.is_key && draft.layer.spatial == 0;
    let flags = [
        (true, 0x80),
        (is_predicted, 0x40),
        (is_layered, 0x20),
        (mode.wide, 0x10),
        (first, 0x08),
        (last, 0x04),
        (structure, 0x02),
    ];
    bytes.push(flags.iter().filter(|(is_set, _)| *is_set).fold(0, |byte, (_, bit)| byte | bit));
    write_picture_id(bytes, stream.picture_id, true);
    if is_layered {
        let by_layer = draft.layer.spatial > 0
            && match mode.dependency {
                SpatialDependency::Full => true,
                SpatialDependency::KeyOnly => draft.is_key,
                SpatialDependency::None => false,
            };
        let layer = draft.layer;
        bytes.push(layer.temporal << 5 | u8::from(draft.mark) << 4 | layer.spatial << 1 | u8::from(by_layer));
        if !mode.wide {
            bytes.push(stream.tl0_pic_idx);
        }
    }
    if mode.wide && is_predicted {
        for (index, far) in draft.back.iter().enumerate() {
            bytes.push((*far as u8) << 1 | u8::from(index + 1 < draft.back.len()));
        }
    }
    if structure {
        bytes.push((stream.active - 1) << 5);
    }
}

/// Numbers of given widths, highest bit first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: usize,
}

impl BitWriter {
    fn push(&mut self, number: u32, width: u32) {
        for bit in (0..width).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().expect("one was pushed") |= ((number >> bit & 1) as u8) << (7 - self.used % 8);
            self.used += 1;
        }
    }
}

/// What a frame is to a decode target, as libwebrtc's structures say: 0 not present, 1 discardable, 2 switch, 3 required.
fn indication(mode: &Mode, frame: Layer, target: Layer, is_key: bool) -> u32 {
    if frame.spatial > target.spatial || frame.temporal > target.temporal {
        return 0;
    }
    if is_key {
        return if frame.spatial < target.spatial && mode.dependency == SpatialDependency::None { 0 } else { 2 };
    }
    let is_own = frame.spatial == target.spatial;
    match mode.dependency {
        SpatialDependency::KeyOnly | SpatialDependency::None if !is_own => 0,
        _ if !is_own => 3,
        _ if frame.temporal > 0 && frame.temporal == target.temporal => 1,
        _ => 2,
    }
}

/// AV1 RTP specification, appendix A.8.
fn dependency_descriptor(mode: &Mode, number: u16, draft: &Draft, (first, last): (bool, bool)) -> Vec<u8> {
    let (spatial, temporal) = (mode.spatial, mode.temporal());
    let layers = || (0..spatial).flat_map(move |s| (0..temporal).map(move |t| Layer { spatial: s, temporal: t }));
    let targets = u32::from(spatial * temporal);
    let mut bits = BitWriter::default();
    bits.push(u32::from(first), 1);
    bits.push(u32::from(last), 1);
    bits.push(u32::from(draft.layer.spatial * temporal + draft.layer.temporal), 6);
    bits.push(u32::from(number), 16);
    let structure = first && draft.is_key && draft.layer.spatial == 0;
    let flags = [structure, false, draft.is_key, !draft.frames_back.is_empty(), false];
    if flags.contains(&true) {
        flags.iter().for_each(|flag| bits.push(u32::from(*flag), 1));
    }
    if structure {
        bits.push(0, 6);
        bits.push(targets - 1, 5);
        for layer in layers().skip(1) {
            bits.push(if layer.temporal == 0 { 2 } else { 1 }, 2);
        }
        bits.push(3, 2);
        for frame in layers() {
            layers().for_each(|target| bits.push(indication(mode, frame, target, false), 2));
        }
        layers().for_each(|_| bits.push(0, 1));
        // No chains: 0 of `targets + 1` numbers, and no sizes.
        bits.push(0, (targets + 1).ilog2());
        bits.push(0, 1);
    }
    if draft.is_key {
        layers().for_each(|target| bits.push(indication(mode, draft.layer, target, true), 2));
    }
    if !draft.frames_back.is_empty() {
        for far in &draft.frames_back {
            let nibbles = if *far <= 16 { 1 } else { 2 };
            bits.push(nibbles, 2);
            bits.push(u32::from(*far) - 1, 4 * nibbles);
        }
        bits.push(0, 2);
    }
    bits.bytes
}
