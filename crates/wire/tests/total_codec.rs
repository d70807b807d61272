//! Properties of payload descriptors over random and damaged payloads: what is written comes back, and nothing that is
//! read can panic.

mod damage;

use proptest::prelude::*;
use wire::codec::dependency_descriptor::{
    DecodeTargetIndication, Descriptor, DescriptorError, MandatoryFields, Structure, has_structure,
};
use wire::codec::{CodecKind, av1, h264, opus, starts_key_frame, vp8, vp9};

use crate::damage::damaged;

fn bytes(len: impl Into<prop::collection::SizeRange>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), len)
}

/// Reads a payload as every codec there is; whatever is told has to lie inside the payload.
fn read_everything(payload: &[u8]) {
    for kind in [CodecKind::Opus, CodecKind::Vp8, CodecKind::Vp9, CodecKind::H264, CodecKind::Av1] {
        starts_key_frame(kind, payload);
    }
    std::hint::black_box((h264::Contents::of(payload), av1::AggregationHeader::parse(payload)));
    std::hint::black_box((opus::is_dtx(payload), opus::is_stereo(payload), opus::frame_micros(payload)));
    if let Ok(descriptor) = vp8::Descriptor::parse(payload) {
        assert!(descriptor.len <= payload.len());
        let mut changed = payload.to_vec();
        vp8::set_picture_id(&mut changed, &descriptor, 0xFFFF);
        vp8::set_tl0_pic_idx(&mut changed, &descriptor, 0xFF);
        assert_eq!(changed[descriptor.len..], payload[descriptor.len..]);
        // A shorter payload than the descriptor's own is the caller's mistake, and no reason to panic.
        (0..payload.len().min(6)).for_each(|len| {
            vp8::set_picture_id(&mut changed[..len], &descriptor, 0);
            vp8::set_tl0_pic_idx(&mut changed[..len], &descriptor, 0);
        });
    }
    if let Ok(descriptor) = vp9::Descriptor::parse(payload) {
        assert!(descriptor.len <= payload.len());
        assert!(usize::from(descriptor.p_diff_count) <= vp9::MAX_P_DIFFS);
    }
}

/// A VP8 descriptor as RFC 7741 §4.2 draws it, and what it says.
fn vp8_payload() -> impl Strategy<Value = (Vec<u8>, vp8::Descriptor)> {
    let id = prop_oneof![
        (0u16..0x80).prop_map(|value| vp8::PictureId { value, is_long: false }),
        (0u16..0x8000).prop_map(|value| vp8::PictureId { value, is_long: true }),
    ];
    let temporal = (0u8..4, any::<bool>()).prop_map(|(tid, layer_sync)| vp8::Temporal { tid, layer_sync });
    let optional =
        (prop::option::of(id), prop::option::of(any::<u8>()), prop::option::of(temporal), prop::option::of(0u8..32));
    (any::<(bool, bool)>(), 0u8..8, optional, bytes(0..20)).prop_map(
        |(
            (non_reference, start_of_partition),
            partition_index,
            (picture_id, tl0_pic_idx, temporal, key_idx),
            frame,
        )| {
            let flags = u8::from(picture_id.is_some()) << 7
                | u8::from(tl0_pic_idx.is_some()) << 6
                | u8::from(temporal.is_some()) << 5
                | u8::from(key_idx.is_some()) << 4;
            let first = u8::from(non_reference) << 5 | u8::from(start_of_partition) << 4 | partition_index;
            let mut out = if flags == 0 { vec![first] } else { vec![0x80 | first, flags] };
            match picture_id {
                Some(vp8::PictureId { value, is_long: true }) => out.extend((0x8000 | value).to_be_bytes()),
                Some(vp8::PictureId { value, is_long: false }) => out.push(value as u8),
                None => {}
            }
            out.extend(tl0_pic_idx);
            if temporal.is_some() || key_idx.is_some() {
                let layer = temporal.map_or(0, |layer| layer.tid << 6 | u8::from(layer.layer_sync) << 5);
                out.push(layer | key_idx.unwrap_or(0));
            }
            let len = out.len();
            let begins = start_of_partition && partition_index == 0;
            let is_key_frame = begins && frame.first().is_some_and(|byte| byte & 1 == 0);
            out.extend(&frame);
            let descriptor = vp8::Descriptor {
                non_reference,
                start_of_partition,
                partition_index,
                picture_id,
                tl0_pic_idx,
                temporal,
                key_idx,
                len,
                is_key_frame,
                resolution: None,
            };
            (out, descriptor)
        },
    )
}

/// A VP9 descriptor as RFC 9628 §4.2 draws it; its length with it.
fn vp9_payload() -> impl Strategy<Value = (Vec<u8>, usize)> {
    let references = prop::collection::vec(0u8..128, 1..=3);
    let group = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..6);
    let structure = (0u8..8, any::<bool>(), prop::option::of(group), bytes(32));
    let id = prop::option::of((0u16..0x8000, any::<bool>()));
    let layer = prop::option::of(any::<(u8, u8)>());
    (any::<u8>(), id, layer, references, prop::option::of(structure), bytes(0..9)).prop_map(
        |(flags, id, layer, references, structure, frame)| {
            // P, F, B, E and Z are free; I, L and V tell what follows.
            let first = flags & 0x5D
                | u8::from(id.is_some()) << 7
                | u8::from(layer.is_some()) << 5
                | u8::from(structure.is_some()) << 1;
            let is_flexible = first & 0x10 != 0;
            let mut out = vec![first];
            match id {
                Some((value, true)) => out.extend((0x8000 | value).to_be_bytes()),
                Some((value, false)) => out.push(value as u8 & 0x7F),
                None => {}
            }
            if let Some((byte, tl0)) = layer {
                out.push(byte);
                out.extend((!is_flexible).then_some(tl0));
            }
            if is_flexible && first & 0x40 != 0 {
                let last = references.len() - 1;
                out.extend(references.iter().enumerate().map(|(at, diff)| diff << 1 | u8::from(at != last)));
            }
            if let Some((layers, has_sizes, group, sizes)) = structure {
                out.push(layers << 5 | u8::from(has_sizes) << 4 | u8::from(group.is_some()) << 3);
                out.extend_from_slice(if has_sizes { &sizes[..4 * (usize::from(layers) + 1)] } else { &[] });
                if let Some(group) = group {
                    out.push(group.len() as u8);
                    for references in group {
                        out.push((references.len() as u8) << 2);
                        out.extend(references);
                    }
                }
            }
            let len = out.len();
            out.extend(frame);
            (out, len)
        },
    )
}

fn h264_payload() -> impl Strategy<Value = Vec<u8>> {
    let unit = || (any::<u8>(), bytes(0..12)).prop_map(|(header, rest)| [vec![header & 0x7F], rest].concat());
    let aggregate = prop::collection::vec(unit(), 0..5).prop_map(|units| {
        let units = units.into_iter().map(|unit| [(unit.len() as u16).to_be_bytes().to_vec(), unit].concat());
        std::iter::once(vec![0x78]).chain(units).collect::<Vec<_>>().concat()
    });
    let fragment = (any::<u8>(), bytes(0..12)).prop_map(|(header, rest)| [vec![0x7C, header], rest].concat());
    prop_oneof![unit(), aggregate, fragment]
}

/// Writes numbers of any width, highest bit first.
#[derive(Default)]
struct BitWriter {
    ones: Vec<bool>,
}

impl BitWriter {
    fn number(&mut self, number: u32, width: u32) {
        self.ones.extend((0..width).rev().map(|bit| number >> bit & 1 == 1));
    }

    /// ns(count) of AV1 §4.10.7.
    fn below(&mut self, number: u32, count: u32) {
        let width = count.ilog2() + 1;
        let short = (1 << width) - count;
        if number < short {
            self.number(number, width - 1);
        } else {
            self.number(number + short, width);
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |ones: &[bool]| ones.iter().enumerate().fold(0, |sum, (at, one)| sum | u8::from(*one) << (7 - at));
        self.ones.chunks(8).map(byte).collect()
    }
}

#[derive(Clone, Debug)]
struct TemplateModel {
    /// How its layer follows from that of the one before: 0 the same, 1 the next temporal, 2 the next spatial one.
    step: u32,
    indications: Vec<u32>,
    frame_diffs: Vec<u32>,
    chain_diffs: Vec<u32>,
}

#[derive(Clone, Debug)]
struct StructureModel {
    id_offset: u32,
    targets: u32,
    templates: Vec<TemplateModel>,
    /// The chain of each decode target.
    protected_by: Option<(u32, Vec<u32>)>,
    sizes: Option<Vec<(u32, u32)>>,
}

impl StructureModel {
    fn layers(&self) -> Vec<(u8, u8)> {
        let (mut spatial, mut temporal) = (0, 0);
        let follow = |template: &TemplateModel| {
            match template.step {
                0 => {}
                1 => temporal += 1,
                _ => (spatial, temporal) = (spatial + 1, 0),
            }
            (spatial, temporal)
        };
        self.templates.iter().map(follow).collect()
    }

    fn chains(&self) -> u32 {
        self.protected_by.as_ref().map_or(0, |(chains, _)| *chains)
    }

    fn write(&self, out: &mut BitWriter) {
        out.number(self.id_offset, 6);
        out.number(self.targets - 1, 5);
        self.templates.iter().skip(1).for_each(|template| out.number(template.step, 2));
        out.number(3, 2);
        for template in &self.templates {
            template.indications.iter().for_each(|indication| out.number(*indication, 2));
        }
        for template in &self.templates {
            for diff in &template.frame_diffs {
                out.number(1, 1);
                out.number(diff - 1, 4);
            }
            out.number(0, 1);
        }
        out.below(self.chains(), self.targets + 1);
        if let Some((chains, protected_by)) = &self.protected_by {
            protected_by.iter().for_each(|chain| out.below(*chain, *chains));
            for template in &self.templates {
                template.chain_diffs.iter().for_each(|diff| out.number(*diff, 4));
            }
        }
        out.number(u32::from(self.sizes.is_some()), 1);
        for (width, height) in self.sizes.iter().flatten() {
            out.number(width - 1, 16);
            out.number(height - 1, 16);
        }
    }
}

/// Steps through layers that stay within four spatial and eight temporal ones.
fn steps() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(prop_oneof![3 => Just(0u32), 2 => Just(1), 1 => Just(2)], 0..12).prop_map(|steps| {
        let (mut spatial, mut temporal) = (0, 0);
        let keep = |step: u32| match step {
            1 if temporal < 7 => {
                temporal += 1;
                1
            }
            2 if spatial < 3 => {
                (spatial, temporal) = (spatial + 1, 0);
                2
            }
            _ => 0,
        };
        std::iter::once(0).chain(steps.into_iter().map(keep)).collect()
    })
}

fn structure_model() -> impl Strategy<Value = StructureModel> {
    (steps(), 1u32..=32, 0u32..64).prop_flat_map(|(steps, targets, id_offset)| {
        let spatial = steps.iter().filter(|step| **step == 2).count() + 1;
        (0..=targets).prop_flat_map(move |chains| {
            let templates: Vec<_> = steps
                .iter()
                .map(|step| {
                    let indications = prop::collection::vec(0u32..4, targets as usize);
                    let frame_diffs = prop::collection::vec(1u32..=16, 0..=8);
                    let chain_diffs = prop::collection::vec(0u32..16, chains as usize);
                    (Just(*step), indications, frame_diffs, chain_diffs).prop_map(
                        |(step, indications, frame_diffs, chain_diffs)| TemplateModel {
                            step,
                            indications,
                            frame_diffs,
                            chain_diffs,
                        },
                    )
                })
                .collect();
            let protected_by = prop::collection::vec(0..chains.max(1), targets as usize);
            let sizes = prop::option::of(prop::collection::vec((1u32..=65_535, 1u32..=65_535), spatial));
            (templates, protected_by, sizes).prop_map(move |(templates, protected_by, sizes)| StructureModel {
                id_offset,
                targets,
                templates,
                protected_by: (chains > 0).then_some((chains, protected_by)),
                sizes,
            })
        })
    })
}

#[derive(Clone, Debug)]
struct FrameModel {
    /// First and last packet of the frame.
    ends: (bool, bool),
    number: u32,
    template: usize,
    active: Option<u32>,
    indications: Option<Vec<u32>>,
    frame_diffs: Option<Vec<u32>>,
    chain_diffs: Option<Vec<u32>>,
}

impl FrameModel {
    fn write(&self, structure: &StructureModel, attach: bool) -> Vec<u8> {
        let mut out = BitWriter::default();
        out.number(u32::from(self.ends.0), 1);
        out.number(u32::from(self.ends.1), 1);
        out.number((structure.id_offset + self.template as u32) % 64, 6);
        out.number(self.number, 16);
        out.number(u32::from(attach), 1);
        out.number(u32::from(self.active.is_some()), 1);
        out.number(u32::from(self.indications.is_some()), 1);
        out.number(u32::from(self.frame_diffs.is_some()), 1);
        out.number(u32::from(self.chain_diffs.is_some()), 1);
        if attach {
            structure.write(&mut out);
        }
        if let Some(active) = self.active {
            out.number(active, structure.targets);
        }
        self.indications.iter().flatten().for_each(|indication| out.number(*indication, 2));
        if let Some(diffs) = &self.frame_diffs {
            for diff in diffs {
                let nibbles = (32 - (diff - 1).leading_zeros()).div_ceil(4).max(1);
                out.number(nibbles, 2);
                out.number(diff - 1, 4 * nibbles);
            }
            out.number(0, 2);
        }
        self.chain_diffs.iter().flatten().for_each(|diff| out.number(*diff, 8));
        out.bytes()
    }
}

fn model() -> impl Strategy<Value = (StructureModel, FrameModel)> {
    structure_model().prop_flat_map(|structure| {
        let targets = structure.targets;
        let frame = (
            any::<(bool, bool)>(),
            any::<u16>(),
            0..structure.templates.len(),
            prop::option::of(any::<u32>().prop_map(move |mask| mask >> (32 - targets))),
            prop::option::of(prop::collection::vec(0u32..4, targets as usize)),
            prop::option::of(prop::collection::vec(1u32..=4096, 0..=8)),
            prop::option::of(prop::collection::vec(0u32..256, structure.chains() as usize)),
        );
        frame.prop_map(move |(ends, number, template, active, indications, frame_diffs, chain_diffs)| {
            let number = u32::from(number);
            let frame = FrameModel { ends, number, template, active, indications, frame_diffs, chain_diffs };
            (structure.clone(), frame)
        })
    })
}

fn indication(number: u32) -> DecodeTargetIndication {
    match number {
        0 => DecodeTargetIndication::NotPresent,
        1 => DecodeTargetIndication::Discardable,
        2 => DecodeTargetIndication::Switch,
        _ => DecodeTargetIndication::Required,
    }
}

/// Whether a descriptor says what it was made of.
fn check(descriptor: &Descriptor, structure: &StructureModel, frame: &FrameModel) {
    let template = &structure.templates[frame.template];
    let (spatial, temporal) = structure.layers()[frame.template];
    assert_eq!((descriptor.spatial, descriptor.temporal), (spatial, temporal));
    let mandatory = descriptor.mandatory;
    assert_eq!((mandatory.start_of_frame, mandatory.end_of_frame), frame.ends);
    assert_eq!(u32::from(mandatory.frame_number), frame.number);
    let indications = frame.indications.as_ref().unwrap_or(&template.indications);
    for (target, expected) in indications.iter().enumerate() {
        assert_eq!(descriptor.indication(target as u8), indication(*expected), "decode target {target}");
    }
    let frame_diffs = frame.frame_diffs.as_ref().unwrap_or(&template.frame_diffs);
    assert!(descriptor.frame_diffs().iter().map(|diff| u32::from(*diff)).eq(frame_diffs.iter().copied()));
    let chain_diffs = frame.chain_diffs.as_ref().unwrap_or(&template.chain_diffs);
    assert!(descriptor.chain_diffs().iter().map(|diff| u32::from(*diff)).eq(chain_diffs.iter().copied()));
    let size = structure.sizes.as_ref().map(|sizes| sizes[usize::from(spatial)]);
    assert_eq!(descriptor.resolution.map(|(width, height)| (width.into(), height.into())), size);
}

fn read_descriptor(bytes: &[u8], structure: Option<&Structure>) {
    MandatoryFields::parse(bytes);
    if let Ok(Some(attached)) = Structure::parse(bytes) {
        assert!(has_structure(bytes));
        assert!((1..=32).contains(&attached.decode_targets().len()));
        assert!((1..=64).contains(&attached.template_count()));
        assert_eq!(attached.all_decode_targets().count_ones() as usize, attached.decode_targets().len());
    }
    if let Ok(descriptor) = Descriptor::parse(bytes, structure) {
        assert!(descriptor.frame_diffs().len() <= 8 && descriptor.chain_diffs().len() <= 32);
        assert!(!descriptor.begins_key_frame() || has_structure(bytes));
        (0..=255).for_each(|target| {
            descriptor.indication(target);
        });
    }
}

proptest! {
    #[test]
    fn vp8_descriptors_are_read_as_they_are_written((payload, expected) in vp8_payload()) {
        let descriptor = vp8::Descriptor::parse(&payload).unwrap();
        prop_assert_eq!(vp8::Descriptor { resolution: None, ..descriptor }, expected);
        prop_assert!(descriptor.resolution.is_none() || descriptor.is_key_frame);
        for len in 0..descriptor.len {
            prop_assert!(vp8::Descriptor::parse(&payload[..len]).is_err());
        }
    }

    #[test]
    fn vp9_descriptors_are_read_to_their_end((payload, len) in vp9_payload()) {
        prop_assert_eq!(vp9::Descriptor::parse(&payload).unwrap().len, len);
        for len in 0..len {
            prop_assert!(vp9::Descriptor::parse(&payload[..len]).is_err());
        }
    }

    #[test]
    fn damaged_payloads_never_panic(
        vp8 in damaged(vp8_payload().prop_map(|(payload, _)| payload)),
        vp9 in damaged(vp9_payload().prop_map(|(payload, _)| payload)),
        h264 in damaged(h264_payload()),
        random in bytes(0..60),
    ) {
        for payload in [vp8, vp9, h264, random] {
            read_everything(&payload);
        }
    }

    #[test]
    fn h264_payloads_cut_at_any_length_never_panic(payload in h264_payload()) {
        for len in 0..=payload.len() {
            read_everything(&payload[..len]);
        }
    }

    #[test]
    fn dependency_descriptors_are_read_as_they_are_written((structure, frame) in model(), attach: bool) {
        let attached = frame.write(&structure, true);
        let read = Structure::parse(&attached).unwrap().unwrap();
        prop_assert_eq!(read.template_count(), structure.templates.len());
        prop_assert_eq!(read.decode_targets().len() as u32, structure.targets);
        let layers = structure.layers();
        prop_assert_eq!(read.spatial_layers(), layers.iter().map(|layer| layer.0).max().unwrap() + 1);
        prop_assert_eq!(read.temporal_layers(), layers.iter().map(|layer| layer.1).max().unwrap() + 1);
        for (at, target) in read.decode_targets().iter().enumerate() {
            let chain = structure.protected_by.as_ref().map(|(_, chains)| chains[at]);
            prop_assert_eq!(target.chain.map(u32::from), chain);
        }
        let bytes = frame.write(&structure, attach);
        let descriptor = Descriptor::parse(&bytes, (!attach).then_some(&read)).unwrap();
        check(&descriptor, &structure, &frame);
        let all = attach.then_some(read.all_decode_targets());
        prop_assert_eq!(descriptor.active_decode_targets, frame.active.or(all));
    }

    #[test]
    fn dependency_descriptors_cut_at_any_length_are_refused((structure, frame) in model()) {
        let bytes = frame.write(&structure, true);
        let read = Structure::parse(&bytes).unwrap();
        for len in 0..bytes.len() {
            prop_assert!(Descriptor::parse(&bytes[..len], None).is_err());
            read_descriptor(&bytes[..len], read.as_ref());
        }
        let expected = DescriptorError::NoStructure;
        prop_assert_eq!(Descriptor::parse(&frame.write(&structure, false), None), Err(expected));
    }

    #[test]
    fn damaged_dependency_descriptors_never_panic(
        (bytes, plain, other) in (model(), model(), any::<bool>()).prop_flat_map(|((structure, frame), other, attach)| {
            let bytes = frame.write(&structure, attach);
            (damaged(Just(bytes.clone())), Just(bytes), Just(other))
        }),
        random in bytes(0..80),
    ) {
        // A structure of another stream must do no harm either.
        let stranger = Structure::parse(&other.1.write(&other.0, true)).unwrap();
        for structure in [None, stranger.as_ref()] {
            read_descriptor(&bytes, structure);
            read_descriptor(&plain, structure);
            read_descriptor(&random, structure);
        }
    }
}
