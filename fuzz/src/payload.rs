//! What payloads of each codec tell.

use std::hint::black_box;

use wire::codec::dependency_descriptor::{self as descriptor, Descriptor, Structure};
use wire::codec::{CodecKind, av1, h264 as h264_codec, opus, starts_key_frame, vp8 as vp8_codec, vp9 as vp9_codec};

/// A VP8 payload: its descriptor, and the fields that a server writes anew.
pub fn vp8(data: &[u8]) {
    let begins = starts_key_frame(CodecKind::Vp8, data);
    let Ok(descriptor) = vp8_codec::Descriptor::parse(data) else { return };
    assert_eq!(begins, descriptor.is_key_frame);
    assert!(descriptor.len <= data.len());
    let mut payload = data.to_vec();
    vp8_codec::set_picture_id(&mut payload, &descriptor, 0x5432);
    vp8_codec::set_tl0_pic_idx(&mut payload, &descriptor, 0x17);
    let after = vp8_codec::Descriptor::parse(&payload).expect("setters keep a descriptor whole");
    let expected = vp8_codec::Descriptor {
        picture_id: descriptor
            .picture_id
            .map(|id| vp8_codec::PictureId { value: if id.is_long { 0x5432 } else { 0x32 }, ..id }),
        tl0_pic_idx: descriptor.tl0_pic_idx.map(|_| 0x17),
        ..descriptor
    };
    assert_eq!(after, expected);
    assert_eq!(payload[descriptor.len..], data[descriptor.len..]);
}

/// A VP9 payload: its descriptor.
pub fn vp9(data: &[u8]) {
    let begins = starts_key_frame(CodecKind::Vp9, data);
    let Ok(descriptor) = vp9_codec::Descriptor::parse(data) else { return };
    assert_eq!(begins, descriptor.is_key_frame());
    assert!(descriptor.len <= data.len());
    assert!(usize::from(descriptor.p_diff_count) <= vp9_codec::MAX_P_DIFFS);
    // Nothing behind the descriptor changes what it says.
    assert_eq!(vp9_codec::Descriptor::parse(&data[..descriptor.len]), Ok(descriptor));
}

/// An H.264 payload: its units.
pub fn h264(data: &[u8]) {
    let contents = h264_codec::Contents::of(data);
    assert_eq!(starts_key_frame(CodecKind::H264, data), contents.begins_key_frame());
    assert!(contents.reference <= 3);
}

/// An AV1 payload, and an Opus one.
pub fn av1_opus(data: &[u8]) {
    let begins = av1::AggregationHeader::parse(data).is_some_and(|header| header.begins_sequence);
    assert_eq!(starts_key_frame(CodecKind::Av1, data), begins);
    black_box((opus::is_dtx(data), opus::is_stereo(data), opus::frame_micros(data)));
    assert!(starts_key_frame(CodecKind::Opus, data));
}

/// Two dependency descriptors, the first of the length that the first byte says: the second may refer to its structure.
pub fn dependency_descriptor(data: &[u8]) {
    let Some((len, rest)) = data.split_first() else { return };
    let (first, second) = rest.split_at(usize::from(*len).min(rest.len()));
    let structure = match Structure::parse(first) {
        Ok(structure) => structure,
        Err(error) => {
            assert!(Descriptor::parse(first, None).is_err(), "a broken structure is noticed by both: {error}");
            return;
        }
    };
    assert_eq!(structure.is_some(), descriptor::has_structure(first));
    if let Ok(read) = Descriptor::parse(first, None) {
        assert!(structure.is_some(), "without a structure nothing is known");
        look(&read);
    }
    if let Ok(read) = Descriptor::parse(second, structure.as_ref()) {
        let mandatory = descriptor::MandatoryFields::parse(second);
        assert_eq!(Some(read.mandatory), mandatory);
        look(&read);
    }
}

fn look(read: &Descriptor) {
    for target in 0..=u8::MAX {
        black_box(read.indication(target));
    }
    black_box((read.frame_diffs(), read.chain_diffs(), read.begins_key_frame()));
}
