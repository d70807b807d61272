//! The VP8 payload descriptor and what stands in the clear behind it (RFC 7741 §4.2, §4.3).

pub use super::PictureId;

/// Why a payload has no descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a VP8 payload descriptor is cut off")]
pub struct Vp8Error;

/// Temporal layer of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Temporal {
    /// TID: 0 is the base layer.
    pub tid: u8,
    /// Y: depends on the base layer only, so a switch up may happen here.
    pub layer_sync: bool,
}

/// A parsed payload descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Descriptor {
    /// N: the frame may be left out without harm.
    pub non_reference: bool,
    /// S: the payload begins a partition.
    pub start_of_partition: bool,
    /// PID.
    pub partition_index: u8,
    /// PictureID.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: counts the frames of the base layer.
    pub tl0_pic_idx: Option<u8>,
    /// TID and Y.
    pub temporal: Option<Temporal>,
    /// KEYIDX.
    pub key_idx: Option<u8>,
    /// Bytes of the descriptor.
    pub len: usize,
    /// Whether this packet begins a key frame.
    pub is_key_frame: bool,
    /// Width and height of the key frame that begins here, in pixels.
    pub resolution: Option<(u16, u16)>,
}

/// Where the picture id is in a payload that has one: after the first byte and the extension byte.
const PICTURE_ID_AT: usize = 2;

impl Descriptor {
    /// Reads the descriptor at the start of an RTP payload.
    ///
    /// # Errors
    /// When it is cut off.
    pub fn parse(payload: &[u8]) -> Result<Self, Vp8Error> {
        let mut at = 0;
        let mut next = || {
            let byte = payload.get(at).copied().ok_or(Vp8Error);
            at += 1;
            byte
        };
        let first = next()?;
        let flags = if first & 0x80 != 0 { next()? } else { 0 };
        let picture_id = match flags & 0x80 {
            0 => None,
            _ => Some(match next()? {
                byte if byte & 0x80 != 0 => {
                    let low = next()?;
                    PictureId { value: u16::from(byte & 0x7F) << 8 | u16::from(low), is_long: true }
                }
                byte => PictureId { value: u16::from(byte), is_long: false },
            }),
        };
        let tl0_pic_idx = if flags & 0x40 != 0 { Some(next()?) } else { None };
        let layers = if flags & 0x30 != 0 { Some(next()?) } else { None };
        let temporal =
            layers.filter(|_| flags & 0x20 != 0).map(|byte| Temporal { tid: byte >> 6, layer_sync: byte & 0x20 != 0 });
        let key_idx = layers.filter(|_| flags & 0x10 != 0).map(|byte| byte & 0x1F);
        let len = at;
        let (start_of_partition, partition_index) = (first & 0x10 != 0, first & 0x07);
        let frame = payload.get(len..).unwrap_or_default();
        // The frame header stands at the start of the first partition; its P bit is 0 for key frames.
        let is_key_frame =
            start_of_partition && partition_index == 0 && frame.first().is_some_and(|byte| byte & 1 == 0);
        Ok(Self {
            non_reference: first & 0x20 != 0,
            start_of_partition,
            partition_index,
            picture_id,
            tl0_pic_idx,
            temporal,
            key_idx,
            len,
            is_key_frame,
            resolution: if is_key_frame { resolution(frame) } else { None },
        })
    }

    fn tl0_at(&self) -> Option<usize> {
        self.tl0_pic_idx?;
        Some(match self.picture_id {
            None => PICTURE_ID_AT,
            Some(PictureId { is_long: false, .. }) => PICTURE_ID_AT + 1,
            Some(PictureId { is_long: true, .. }) => PICTURE_ID_AT + 2,
        })
    }
}

/// Width and height behind the start code of a key frame (RFC 6386 §9.1).
fn resolution(frame: &[u8]) -> Option<(u16, u16)> {
    match frame.get(3..10)? {
        [0x9D, 0x01, 0x2A, a, b, c, d] => {
            let size = |low: u8, high: u8| u16::from_le_bytes([low, high]) & 0x3FFF;
            Some((size(*a, *b), size(*c, *d)))
        }
        _ => None,
    }
}

/// Writes another PictureID in the width that the descriptor has; bits beyond it are cut off.
pub fn set_picture_id(payload: &mut [u8], descriptor: &Descriptor, value: u16) {
    let Some(id) = descriptor.picture_id else { return };
    let [high, low] = (value & 0x7FFF).to_be_bytes();
    let bytes = payload.get_mut(PICTURE_ID_AT..).unwrap_or_default();
    match (id.is_long, bytes) {
        (true, [first, second, ..]) => (*first, *second) = (0x80 | high, low),
        (false, [first, ..]) => *first = low & 0x7F,
        _ => {}
    }
}

/// Writes another TL0PICIDX.
pub fn set_tl0_pic_idx(payload: &mut [u8], descriptor: &Descriptor, value: u8) {
    if let Some(byte) = descriptor.tl0_at().and_then(|at| payload.get_mut(at)) {
        *byte = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_of_a_simulcast_key_frame_is_read_whole() {
        // X, S; I, L, T, K; 15-bit id 0x1234; TL0PICIDX 9; TID 1, Y, KEYIDX 3; key frame 640x360.
        let payload = [0x90, 0xF0, 0x92, 0x34, 9, 0x63, 0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x02, 0x68, 0x01, 7];
        let descriptor = Descriptor::parse(&payload).expect("whole");
        assert_eq!(descriptor.picture_id, Some(PictureId { value: 0x1234, is_long: true }));
        assert_eq!(descriptor.tl0_pic_idx, Some(9));
        assert_eq!(descriptor.temporal, Some(Temporal { tid: 1, layer_sync: true }));
        assert_eq!(descriptor.key_idx, Some(3));
        assert_eq!(descriptor.len, 6);
        assert!(descriptor.is_key_frame);
        assert_eq!(descriptor.resolution, Some((640, 360)));
        for len in 0..6 {
            assert_eq!(Descriptor::parse(&payload[..len]), Err(Vp8Error));
        }
    }

    #[test]
    fn every_combination_of_fields_has_its_length() {
        for flags in 0..16u8 {
            let (has_id, has_tl0, has_tid, has_key) = (flags & 8 != 0, flags & 4 != 0, flags & 2 != 0, flags & 1 != 0);
            for is_long in [false, true] {
                let id: &[u8] = if is_long { &[0x80 | 0x12, 0x34] } else { &[0x12] };
                let mut payload = vec![0x80, flags << 4];
                payload.extend_from_slice(if has_id { id } else { &[] });
                payload.extend_from_slice(if has_tl0 { &[77] } else { &[] });
                payload.extend_from_slice(if has_tid || has_key { &[0xBF] } else { &[] });
                let len = payload.len();
                payload.push(0xFF);
                let descriptor = Descriptor::parse(&payload).expect("whole");
                let value = if is_long { 0x1234 } else { 0x12 };
                assert_eq!(descriptor.len, len, "{flags:04b}");
                assert_eq!(descriptor.picture_id, has_id.then_some(PictureId { value, is_long }));
                assert_eq!(descriptor.tl0_pic_idx, has_tl0.then_some(77));
                assert_eq!(descriptor.temporal, has_tid.then_some(Temporal { tid: 2, layer_sync: true }));
                assert_eq!(descriptor.key_idx, has_key.then_some(31));
                set_tl0_pic_idx(&mut payload, &descriptor, 78);
                set_picture_id(&mut payload, &descriptor, 0x55);
                let changed = Descriptor::parse(&payload).expect("whole");
                let picture_id = descriptor.picture_id.map(|id| PictureId { value: 0x55, ..id });
                let tl0_pic_idx = descriptor.tl0_pic_idx.map(|_| 78);
                assert_eq!(changed, Descriptor { picture_id, tl0_pic_idx, ..descriptor });
            }
        }
    }

    #[test]
    fn a_descriptor_of_one_byte_and_an_empty_frame_are_read() {
        let descriptor = Descriptor::parse(&[0x35]).expect("whole");
        assert!(descriptor.non_reference && descriptor.start_of_partition && !descriptor.is_key_frame);
        assert_eq!((descriptor.partition_index, descriptor.len), (5, 1));
        assert_eq!(Descriptor::parse(&[]), Err(Vp8Error));
        assert_eq!(Descriptor::parse(&[0x80]), Err(Vp8Error));
    }

    #[test]
    fn the_size_of_a_key_frame_is_read_without_its_scale_and_only_behind_the_start_code() {
        let mut payload = [0x10, 0x10, 0, 0, 0x9D, 0x01, 0x2A, 0x80, 0x82, 0x68, 0x41];
        assert_eq!(Descriptor::parse(&payload).expect("whole").resolution, Some((640, 360)));
        assert_eq!(Descriptor::parse(&payload[..10]).expect("whole").resolution, None);
        payload[5] = 0x02;
        let descriptor = Descriptor::parse(&payload).expect("whole");
        assert!(descriptor.is_key_frame && descriptor.resolution.is_none());
    }

    #[test]
    fn an_inter_frame_and_a_later_partition_begin_no_key_frame() {
        for payload in [[0x10, 0x01], [0x00, 0x00], [0x11, 0x00]] {
            assert!(!Descriptor::parse(&payload).expect("whole").is_key_frame, "{payload:?}");
        }
    }

    #[test]
    fn picture_ids_are_written_in_their_width_and_nothing_else_changes() {
        let mut long = [0x90, 0xE0, 0x80, 0x01, 5, 0x40, 0xAA];
        let descriptor = Descriptor::parse(&long).expect("whole");
        set_picture_id(&mut long, &descriptor, 0xFFFF);
        set_tl0_pic_idx(&mut long, &descriptor, 200);
        assert_eq!(long, [0x90, 0xE0, 0xFF, 0xFF, 200, 0x40, 0xAA]);
        let mut short = [0x90, 0xC0, 0x01, 5, 0xAA];
        let descriptor = Descriptor::parse(&short).expect("whole");
        set_picture_id(&mut short, &descriptor, 0xFFFF);
        set_tl0_pic_idx(&mut short, &descriptor, 6);
        assert_eq!(short, [0x90, 0xC0, 0x7F, 6, 0xAA]);
    }
}
