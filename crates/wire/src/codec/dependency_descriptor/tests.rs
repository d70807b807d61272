//! Descriptors captured from Chromium, and descriptors written bit by bit for what it does not send.

use super::DecodeTargetIndication::{Discardable, NotPresent, Required, Switch};
use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The bytes of numbers that are given with their widths.
fn bits(numbers: &[(u32, u32)]) -> Vec<u8> {
    let ones: Vec<u8> =
        numbers.iter().flat_map(|&(n, width)| (0..width).rev().map(move |bit| (n >> bit & 1) as u8)).collect();
    ones.chunks(8).map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | bit << (7 - at))).collect()
}

/// Chromium's AV1 in three spatial and three temporal layers, of the key picture's lowest.
const L3T3_KEY: &str = "
    c1017280081485214eafffaaaa863cf0430c10c302afc0aaa0063c00430010c002a000a80006000040001d954926e082b04a0941b820ac128250
    3157f974000ca864330e222222eca8655304224230eca877530077004200ef008601df010d";

/// Chromium's AV1 in one spatial and two temporal layers.
const L1T2_KEY: &str = "80000180011ea85141010c04fc03bc";

#[test]
fn the_structure_of_three_by_three_layers_is_read_whole() {
    let bytes = hex(L3T3_KEY);
    let structure = Structure::parse(&bytes).unwrap().expect("it is attached");
    assert_eq!((structure.spatial_layers(), structure.temporal_layers()), (3, 3));
    assert_eq!((structure.chains(), structure.decode_targets().len()), (3, 9));
    // One decode target for each layer, protected by the chain of its spatial layer.
    let mut layers: Vec<_> = structure.decode_targets().iter().map(|t| (t.spatial, t.temporal, t.chain)).collect();
    layers.sort();
    let expected: Vec<_> = (0..9).map(|number| (number / 3, number % 3, Some(number / 3))).collect();
    assert_eq!(layers, expected);
    let sizes = [0, 1, 2, 3].map(|spatial| structure.resolution(spatial));
    assert_eq!(sizes, [Some((120, 67)), Some((240, 135)), Some((480, 270)), None]);
    assert_eq!(structure.all_decode_targets(), 0x1FF);
}

#[test]
fn the_descriptor_that_brings_a_structure_is_read_by_it() {
    let bytes = hex(L3T3_KEY);
    assert!(has_structure(&bytes));
    let descriptor = Descriptor::parse(&bytes, None).unwrap();
    let expected = MandatoryFields { start_of_frame: true, end_of_frame: true, template_id: 1, frame_number: 0x172 };
    assert_eq!((descriptor.mandatory, MandatoryFields::parse(&bytes)), (expected, Some(expected)));
    assert_eq!((descriptor.spatial, descriptor.temporal), (0, 0));
    assert_eq!(descriptor.active_decode_targets, Some(0x1FF));
    assert_eq!(descriptor.resolution, Some((120, 67)));
    assert_eq!((descriptor.frame_diffs(), descriptor.chain_diffs()), (&[][..], &[0, 0, 0][..]));
    assert!((0..9).all(|target| descriptor.indication(target) == Switch));
    assert_eq!(descriptor.indication(200), NotPresent);
    assert!(descriptor.begins_key_frame());
}

#[test]
fn descriptors_that_follow_are_read_by_the_structure_before() {
    let structure = Structure::parse(&hex(L3T3_KEY)).unwrap();
    let parse = |text| Descriptor::parse(&hex(text), structure.as_ref()).unwrap();
    // The same picture in the middle layer, in two packets; six decode targets are left.
    let first = parse("86017340fc");
    assert_eq!((first.spatial, first.temporal, first.resolution), (1, 0, Some((240, 135))));
    assert_eq!((first.frame_diffs(), first.active_decode_targets), (&[1][..], Some(0b11_1111)));
    assert!(first.mandatory.start_of_frame && !first.mandatory.end_of_frame && !first.begins_key_frame());
    let last = parse("460173");
    assert_eq!((last.mandatory.frame_number, last.active_decode_targets), (0x173, None));
    assert!(last.mandatory.end_of_frame && !last.mandatory.start_of_frame);
    // The next picture, in the highest temporal layer: nothing refers to it in the lowest spatial layer.
    let next = parse("c30175");
    assert_eq!((next.spatial, next.temporal, next.mandatory.frame_number), (0, 2, 0x175));
    assert_eq!(next.frame_diffs(), [3]);
    assert!(!next.begins_key_frame());
}

#[test]
fn one_spatial_layer_in_two_temporal_ones_is_read() {
    let bytes = hex(L1T2_KEY);
    let structure = Structure::parse(&bytes).unwrap().expect("it is attached");
    assert_eq!((structure.template_count(), structure.spatial_layers(), structure.temporal_layers()), (3, 1, 2));
    let target = |temporal| DecodeTarget { spatial: 0, temporal, chain: Some(0) };
    assert_eq!(structure.decode_targets(), [target(0), target(1)]);
    let key = Descriptor::parse(&bytes, None).unwrap();
    assert!(key.begins_key_frame() && !key.mandatory.end_of_frame);
    assert_eq!([key.indication(0), key.indication(1)], [Switch, Switch]);
    // Template 2 is the upper layer, 1 the lower.
    let upper = Descriptor::parse(&[0xC2, 0, 2], Some(&structure)).unwrap();
    assert_eq!((upper.temporal, upper.frame_diffs(), upper.chain_diffs()), (1, &[1][..], &[1][..]));
    assert_eq!([upper.indication(0), upper.indication(1)], [NotPresent, Discardable]);
}

#[test]
fn a_structure_that_begins_at_another_id_names_the_same_templates() {
    // As above, but numbered from 6 on: what Chromium sends after the next key frame.
    let bytes = hex("8600b580c11ea85141010c09fc077c");
    let structure = Structure::parse(&bytes).unwrap().expect("it is attached");
    assert!(Descriptor::parse(&bytes, None).unwrap().begins_key_frame());
    let upper = Descriptor::parse(&[0xC8, 0, 2], Some(&structure)).unwrap();
    assert_eq!((upper.temporal, upper.frame_diffs()), (1, &[1][..]));
    for id in [0, 5, 9, 63] {
        let result = Descriptor::parse(&[0xC0 | id, 0, 2], Some(&structure));
        assert_eq!(result.err(), Some(DescriptorError::UnknownTemplate), "{id}");
    }
}

/// Two templates of one layer, two decode targets, one chain; ids from 63 on, so that they wrap.
fn small_structure() -> Vec<(u32, u32)> {
    vec![
        (63, 6), // template_id_offset
        (1, 5),  // two decode targets
        (0, 2),  // another template of the same layer
        (3, 2),  // no more
        (2, 2),
        (2, 2),
        (3, 2),
        (1, 2), // indications: SS, RD
        (0, 1), // first template: no reference
        (1, 1),
        (0, 4),
        (1, 1),
        (15, 4),
        (0, 1), // second: 1 and 16 back
        (1, 2), // of 0, 1 or 2 chains: 1, written as 10
    ]
}

fn small(extended: &[(u32, u32)], template_id: u32) -> Vec<u8> {
    let mut numbers = vec![(1, 1), (0, 1), (template_id, 6), (0xABCD, 16)];
    numbers.extend_from_slice(extended);
    bits(&numbers)
}

fn with_small_structure(flags: u32, behind: &[(u32, u32)], template_id: u32) -> Vec<u8> {
    let mut numbers = vec![(flags, 5)];
    numbers.extend(small_structure());
    // ns(3) of 1 is the two bits 10; both targets are protected by chain 0, which takes no bits.
    let last = numbers.len() - 1;
    numbers[last] = (0b10, 2);
    numbers.extend([(0, 4), (7, 4), (0, 1)]); // chain differences; no resolutions
    numbers.extend_from_slice(behind);
    small(&numbers, template_id)
}

#[test]
fn ids_of_templates_wrap() {
    let first = Descriptor::parse(&with_small_structure(0b10000, &[], 63), None).unwrap();
    assert_eq!((first.frame_diffs(), first.chain_diffs()), (&[][..], &[0][..]));
    let second = Descriptor::parse(&with_small_structure(0b10000, &[], 0), None).unwrap();
    assert_eq!((second.frame_diffs(), second.chain_diffs()), (&[1, 16][..], &[7][..]));
    assert_eq!([second.indication(0), second.indication(1)], [Required, Discardable]);
    assert_eq!((second.resolution, second.active_decode_targets), (None, Some(0b11)));
    assert!(first.begins_key_frame() && !second.begins_key_frame());
}

#[test]
fn what_a_frame_says_itself_takes_the_place_of_its_template() {
    let structure = Structure::parse(&with_small_structure(0b10000, &[], 63)).unwrap().expect("it is attached");
    let custom = [
        (0b01111, 5),
        (0b01, 2), // active: the first target
        (0, 2),
        (2, 2), // indications: -S
        (1, 2),
        (4, 4),
        (2, 2),
        (0x80, 8),
        (3, 2),
        (0xFFF, 12),
        (0, 2),   // references in 4, 8 and 12 bits
        (200, 8), // chain
    ];
    let descriptor = Descriptor::parse(&small(&custom, 0), Some(&structure)).unwrap();
    assert_eq!(descriptor.active_decode_targets, Some(0b01));
    assert_eq!([descriptor.indication(0), descriptor.indication(1)], [NotPresent, Switch]);
    assert_eq!((descriptor.frame_diffs(), descriptor.chain_diffs()), (&[5, 0x81, 0x1000][..], &[200][..]));
    assert!(!descriptor.has_structure);
    // With a structure of its own all the same.
    let both = with_small_structure(0b10001, &[(99, 8)], 63);
    assert_eq!(Descriptor::parse(&both, Some(&structure)).unwrap().chain_diffs(), [99]);
}

#[test]
fn a_descriptor_without_a_structure_waits_for_one() {
    assert_eq!(Descriptor::parse(&[0xC0, 0, 1], None).err(), Some(DescriptorError::NoStructure));
    assert_eq!(Structure::parse(&[0xC0, 0, 1]), Ok(None));
    assert_eq!(Structure::parse(&hex("86017340fc")), Ok(None));
    assert_eq!(Structure::parse(&[]), Ok(None));
}

#[test]
fn a_descriptor_cut_at_any_length_is_refused() {
    for text in [L3T3_KEY, L1T2_KEY] {
        let bytes = hex(text);
        for len in 0..bytes.len() {
            assert!(Descriptor::parse(&bytes[..len], None).is_err(), "{len}");
            if len > MANDATORY_LEN && len < bytes.len() {
                assert_eq!(Structure::parse(&bytes[..len]).err(), Some(DescriptorError::Short), "{len}");
            }
        }
    }
}

#[test]
fn the_most_templates_and_decode_targets_are_read_and_more_are_refused() {
    let structure = |templates: u32| {
        let mut numbers = vec![(0b10000, 5), (0, 6), (31, 5)];
        numbers.extend((1..templates).map(|_| (0, 2)));
        numbers.push((3, 2));
        // Indications of 32 targets each, no references, no chains, no resolutions.
        numbers.extend((0..templates * 32).map(|_| (1, 2)));
        numbers.extend((0..templates).map(|_| (0, 1)));
        numbers.extend([(0, 5), (0, 1)]);
        small(&numbers, 0)
    };
    let largest = Structure::parse(&structure(64)).unwrap().expect("it is attached");
    assert_eq!((largest.template_count(), largest.decode_targets().len()), (MAX_TEMPLATES, MAX_DECODE_TARGETS));
    assert_eq!(largest.all_decode_targets(), u32::MAX);
    assert_eq!(Descriptor::parse(&structure(64), None).unwrap().indication(31), Discardable);
    assert_eq!(Structure::parse(&structure(65)).err(), Some(DescriptorError::TooLarge));
}

#[test]
fn as_many_chains_as_decode_targets_are_read() {
    let mut numbers = vec![(0b10000, 5), (0, 6), (31, 5), (3, 2)];
    numbers.extend((0..32).map(|_| (2, 2)));
    // ns(33) of 32 is six ones; ns(32) takes five bits.
    numbers.extend([(0, 1), (0b111111, 6)]);
    numbers.extend((0..32).map(|chain| (chain, 5)));
    numbers.extend((0..32).map(|chain| (chain % 16, 4)));
    numbers.push((0, 1));
    let bytes = small(&numbers, 0);
    let structure = Structure::parse(&bytes).unwrap().expect("it is attached");
    assert_eq!(usize::from(structure.chains()), MAX_CHAINS);
    assert!(structure.decode_targets().iter().map(|target| target.chain).eq((0..32).map(Some)));
    let expected: Vec<u8> = (0..32).map(|chain| chain % 16).collect();
    assert_eq!(Descriptor::parse(&bytes, None).unwrap().chain_diffs(), expected);
}

#[test]
fn the_most_references_are_read_and_more_are_refused() {
    let attached = |count: u32| {
        let mut numbers = vec![(0b10000, 5), (0, 6), (0, 5), (3, 2), (2, 2)];
        numbers.extend((0..count).flat_map(|_| [(1, 1), (2, 4)]));
        numbers.extend([(0, 1), (0, 1), (0, 1)]);
        small(&numbers, 0)
    };
    let structure = Structure::parse(&attached(8)).unwrap();
    assert_eq!(Structure::parse(&attached(9)).err(), Some(DescriptorError::TooLarge));
    let custom = |count: u32| {
        let mut numbers = vec![(0b00010, 5)];
        numbers.extend((0..count).flat_map(|number| [(1, 2), (number, 4)]));
        numbers.push((0, 2));
        Descriptor::parse(&small(&numbers, 0), structure.as_ref())
    };
    assert_eq!(custom(8).unwrap().frame_diffs(), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(custom(9).err(), Some(DescriptorError::TooLarge));
}

#[test]
fn the_most_layers_are_read_and_more_are_refused() {
    let structure = |steps: &[u32]| {
        let mut numbers = vec![(0b10000, 5), (0, 6), (0, 5)];
        numbers.extend(steps.iter().map(|step| (*step, 2)));
        numbers.push((3, 2));
        let templates = steps.len() + 1;
        numbers.extend((0..templates).map(|_| (2, 2)));
        numbers.extend((0..templates).map(|_| (0, 1)));
        numbers.extend([(0, 1), (1, 1)]);
        // More sizes than there can be layers.
        numbers.extend((0..10).map(|_| (0xFFFF, 16)));
        Structure::parse(&small(&numbers, 0)).map(|structure| structure.expect("it is attached"))
    };
    let most = structure(&[1, 1, 1, 1, 1, 1, 1, 2, 2, 2]).unwrap();
    assert_eq!((most.spatial_layers(), most.temporal_layers()), (4, 8));
    assert_eq!(most.resolution(3), Some((u16::MAX, u16::MAX)));
    assert_eq!(structure(&[2, 2, 2, 2]).err(), Some(DescriptorError::TooLarge));
    assert_eq!(structure(&[1; 8]).err(), Some(DescriptorError::TooLarge));
}
