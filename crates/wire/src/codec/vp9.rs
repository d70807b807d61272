//! The VP9 payload descriptor (RFC 9628 §4.2).

pub use super::PictureId;
use super::reader::Reader;

/// Reference differences in one descriptor (P_DIFF, at most three).
pub const MAX_P_DIFFS: usize = 3;

/// Spatial layers of a scalability structure (N_S is 3 bits, minus one).
pub const MAX_SPATIAL_LAYERS: usize = 8;

/// Why a payload has no descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a VP9 payload descriptor is cut off or has too many references")]
pub struct Vp9Error;

/// Layer of a packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Layer {
    /// TID.
    pub temporal: u8,
    /// U: higher temporal layers may be switched to from here on.
    pub switching_up: bool,
    /// SID.
    pub spatial: u8,
    /// D: depends on the next lower spatial layer of the same picture.
    pub inter_layer: bool,
}

/// The scalability structure, as far as a server needs it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Structure {
    /// How many spatial layers there are.
    pub spatial_layers: u8,
    /// Width and height of each, in pixels, where they are given.
    pub resolutions: [Option<(u16, u16)>; MAX_SPATIAL_LAYERS],
    /// Pictures in the group, where it is given.
    pub pictures: Option<u8>,
}

/// A parsed payload descriptor.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Descriptor {
    /// PictureID, same for all layers of a picture.
    pub picture_id: Option<PictureId>,
    /// P: predicted from earlier pictures.
    pub inter_picture: bool,
    /// Layer, where layers are there.
    pub layer: Option<Layer>,
    /// F: references are given for each frame.
    pub flexible: bool,
    /// B: first packet of a frame.
    pub begins_frame: bool,
    /// E: last packet of a frame.
    pub ends_frame: bool,
    /// Z: no frame of a higher spatial layer refers to this one.
    pub not_reference_for_upper: bool,
    /// TL0PICIDX, in non-flexible mode with layers.
    pub tl0_pic_idx: Option<u8>,
    /// How far back the references are, in pictures; the first `p_diff_count` count.
    pub p_diffs: [u8; MAX_P_DIFFS],
    /// How many references are given.
    pub p_diff_count: u8,
    /// The scalability structure, where it is repeated.
    pub structure: Option<Structure>,
    /// Bytes of the descriptor.
    pub len: usize,
}

impl Descriptor {
    /// Reads the descriptor at the start of an RTP payload.
    ///
    /// # Errors
    /// When it is cut off or names more references than allowed.
    pub fn parse(payload: &[u8]) -> Result<Self, Vp9Error> {
        let mut reader = Reader::new(payload);
        let first = reader.byte().ok_or(Vp9Error)?;
        let (inter_picture, flexible) = (first & 0x40 != 0, first & 0x10 != 0);
        let picture_id = if first & 0x80 != 0 { Some(picture_id(&mut reader)?) } else { None };
        let (mut layer, mut tl0_pic_idx) = (None, None);
        if first & 0x20 != 0 {
            let byte = reader.byte().ok_or(Vp9Error)?;
            layer = Some(Layer {
                temporal: byte >> 5,
                switching_up: byte & 0x10 != 0,
                spatial: byte >> 1 & 0x07,
                inter_layer: byte & 1 != 0,
            });
            if !flexible {
                tl0_pic_idx = Some(reader.byte().ok_or(Vp9Error)?);
            }
        }
        let (mut p_diffs, mut p_diff_count) = ([0; MAX_P_DIFFS], 0);
        if flexible && inter_picture {
            loop {
                let byte = reader.byte().ok_or(Vp9Error)?;
                *p_diffs.get_mut(usize::from(p_diff_count)).ok_or(Vp9Error)? = byte >> 1;
                p_diff_count += 1;
                if byte & 1 == 0 {
                    break;
                }
            }
        }
        let structure = if first & 0x02 != 0 { Some(structure(&mut reader)?) } else { None };
        Ok(Self {
            picture_id,
            inter_picture,
            layer,
            flexible,
            begins_frame: first & 0x08 != 0,
            ends_frame: first & 0x04 != 0,
            not_reference_for_upper: first & 0x01 != 0,
            tl0_pic_idx,
            p_diffs,
            p_diff_count,
            structure,
            len: reader.position(),
        })
    }

    /// Whether this packet begins a picture that needs no earlier one: its lowest spatial layer.
    pub fn is_key_frame(&self) -> bool {
        !self.inter_picture && self.begins_frame && self.layer.is_none_or(|layer| layer.spatial == 0)
    }
}

/// Where the fields behind the picture id begin.
fn behind_picture_id(descriptor: &Descriptor) -> usize {
    1 + descriptor.picture_id.map_or(0, |id| if id.is_long { 2 } else { 1 })
}

/// Writes another PictureID over that of `payload`, which `descriptor` was parsed from, in the same width.
pub fn set_picture_id(payload: &mut [u8], descriptor: &Descriptor, value: u16) {
    let Some(old) = descriptor.picture_id else { return };
    let [high, low] = (value | 0x8000).to_be_bytes();
    match payload.get_mut(1..) {
        Some([first, second, ..]) if old.is_long => (*first, *second) = (high, low),
        Some([first, ..]) if !old.is_long => *first = low & 0x7F,
        _ => {}
    }
}

/// Writes another TL0PICIDX over that of `payload`, which `descriptor` was parsed from.
pub fn set_tl0_pic_idx(payload: &mut [u8], descriptor: &Descriptor, value: u8) {
    if descriptor.tl0_pic_idx.is_some()
        && let Some(index) = payload.get_mut(behind_picture_id(descriptor) + 1)
    {
        *index = value;
    }
}

fn picture_id(reader: &mut Reader<'_>) -> Result<PictureId, Vp9Error> {
    let high = reader.byte().ok_or(Vp9Error)?;
    if high & 0x80 == 0 {
        return Ok(PictureId { value: u16::from(high), is_long: false });
    }
    let low = reader.byte().ok_or(Vp9Error)?;
    Ok(PictureId { value: u16::from(high & 0x7F) << 8 | u16::from(low), is_long: true })
}

/// RFC 9628 §4.2.1.
fn structure(reader: &mut Reader<'_>) -> Result<Structure, Vp9Error> {
    let byte = reader.byte().ok_or(Vp9Error)?;
    let spatial_layers = (byte >> 5) + 1;
    let mut resolutions = [None; MAX_SPATIAL_LAYERS];
    if byte & 0x10 != 0 {
        for resolution in resolutions.iter_mut().take(usize::from(spatial_layers)) {
            *resolution = Some((reader.word().ok_or(Vp9Error)?, reader.word().ok_or(Vp9Error)?));
        }
    }
    let mut pictures = None;
    if byte & 0x08 != 0 {
        let count = reader.byte().ok_or(Vp9Error)?;
        pictures = Some(count);
        for _ in 0..count {
            let references = reader.byte().ok_or(Vp9Error)? >> 2 & 0x03;
            for _ in 0..references {
                reader.byte().ok_or(Vp9Error)?;
            }
        }
    }
    Ok(Structure { spatial_layers, resolutions, pictures })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_picture_with_its_structure_is_read_whole() {
        // I, L, B, V; 15-bit id 300; TID 0, U, SID 0; TL0PICIDX 7; 2 layers with sizes, group of 1 with 1 reference.
        let payload =
            [0xAA, 0x81, 0x2C, 0x10, 7, 0x38, 0x01, 0x40, 0x00, 0xB4, 0x02, 0x80, 0x01, 0x68, 1, 0x04, 1, 0xFF];
        let descriptor = Descriptor::parse(&payload).expect("whole");
        assert_eq!(descriptor.picture_id, Some(PictureId { value: 300, is_long: true }));
        let layer = Layer { temporal: 0, switching_up: true, spatial: 0, inter_layer: false };
        assert_eq!((descriptor.layer, descriptor.tl0_pic_idx), (Some(layer), Some(7)));
        let structure = descriptor.structure.expect("V is set");
        assert_eq!(structure.spatial_layers, 2);
        assert_eq!(structure.resolutions[..2], [Some((320, 180)), Some((640, 360))]);
        assert_eq!((structure.pictures, descriptor.len), (Some(1), 17));
        assert!(descriptor.is_key_frame());
        for len in 0..17 {
            assert_eq!(Descriptor::parse(&payload[..len]), Err(Vp9Error), "{len}");
        }
    }

    #[test]
    fn ids_are_written_in_the_width_they_have() {
        for mut payload in [vec![0xA8, 0x81, 0x2C, 0x10, 7, 1], vec![0xA8, 0x05, 0x10, 7, 1]] {
            let before = Descriptor::parse(&payload).expect("whole");
            set_picture_id(&mut payload, &before, 0x7FFF + 4);
            set_tl0_pic_idx(&mut payload, &before, 250);
            let after = Descriptor::parse(&payload).expect("still whole");
            let id = PictureId { value: 3, ..before.picture_id.expect("I is set") };
            assert_eq!(after, Descriptor { picture_id: Some(id), tl0_pic_idx: Some(250), ..before });
        }
    }

    #[test]
    fn references_of_flexible_mode_are_read_and_bounded() {
        let descriptor = Descriptor::parse(&[0x58, 0x03, 0x05, 0x08]).expect("whole");
        assert_eq!((descriptor.p_diffs, descriptor.p_diff_count), ([1, 2, 4], 3));
        assert!(!descriptor.is_key_frame());
        assert_eq!(Descriptor::parse(&[0x58, 0x03, 0x05, 0x09, 0x08]), Err(Vp9Error));
    }

    #[test]
    fn a_later_packet_of_flexible_mode_has_no_tl0_index() {
        // I, P, L, F, E, Z; 7-bit id; TID 2, SID 1, D; one reference, 3 back.
        let descriptor = Descriptor::parse(&[0xF5, 0x7F, 0x43, 0x06, 0xAA]).expect("whole");
        assert_eq!(descriptor.picture_id, Some(PictureId { value: 127, is_long: false }));
        let layer = Layer { temporal: 2, switching_up: false, spatial: 1, inter_layer: true };
        assert_eq!((descriptor.layer, descriptor.tl0_pic_idx), (Some(layer), None));
        assert_eq!((descriptor.p_diffs, descriptor.p_diff_count, descriptor.len), ([3, 0, 0], 1, 4));
        assert!(descriptor.flexible && descriptor.inter_picture && descriptor.not_reference_for_upper);
        assert!(descriptor.ends_frame && !descriptor.begins_frame);
    }

    #[test]
    fn without_layers_there_is_one() {
        let key = Descriptor::parse(&[0x8C, 0x01]).expect("whole");
        assert_eq!((key.layer, key.tl0_pic_idx, key.len), (None, None, 2));
        assert!(key.is_key_frame());
        assert!(!Descriptor::parse(&[0xCC, 0x01]).expect("whole").is_key_frame());
        assert!(!Descriptor::parse(&[0x84, 0x01]).expect("whole").is_key_frame(), "a later packet of the frame");
        assert_eq!(Descriptor::parse(&[]), Err(Vp9Error));
    }

    #[test]
    fn the_largest_structure_is_read_and_refused_when_cut_off() {
        // V; eight layers with sizes; a group of 255 pictures with three references each.
        let mut payload = vec![0x02, 0xF8];
        for layer in 1..=8u16 {
            payload.extend_from_slice(&(layer * 160).to_be_bytes());
            payload.extend_from_slice(&(layer * 90).to_be_bytes());
        }
        payload.push(255);
        payload.extend([0x0C, 1, 2, 3].repeat(255));
        let descriptor = Descriptor::parse(&payload).expect("whole");
        let structure = descriptor.structure.expect("V is set");
        assert_eq!((structure.spatial_layers, structure.pictures), (8, Some(255)));
        assert_eq!(structure.resolutions[7], Some((1280, 720)));
        assert_eq!(descriptor.len, payload.len());
        for len in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..len]), Err(Vp9Error), "{len}");
        }
    }

    #[test]
    fn a_structure_may_tell_neither_sizes_nor_pictures() {
        let structure = Descriptor::parse(&[0x02, 0x40]).expect("whole").structure.expect("V is set");
        assert_eq!((structure.spatial_layers, structure.pictures), (3, None));
        assert!(structure.resolutions.iter().all(Option::is_none));
    }

    #[test]
    fn an_upper_spatial_layer_begins_no_key_frame() {
        assert!(!Descriptor::parse(&[0x28, 0x03, 0]).expect("whole").is_key_frame());
    }
}
