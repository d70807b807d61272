//! Where the elements of one packet's extension block are. The packet stays as it is; only places are kept.

use std::ops::Range;

use super::TWO_BYTE_PROFILE_MASK;
use super::{ExtensionKind, ExtensionMap, ONE_BYTE_PROFILE, ONE_BYTE_RESERVED_ID, TWO_BYTE_PROFILE};
use crate::rtp::{ExtensionBlock, RtpHeader};

/// The elements found in one packet, by kind.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Extensions {
    /// Bit per kind: an empty element is there all the same.
    present: u16,
    starts: [u16; ExtensionKind::COUNT],
    lens: [u8; ExtensionKind::COUNT],
}

impl Extensions {
    /// Finds the elements that `map` names. A malformed element ends the scan and what stood before it counts
    /// (RFC 8285 §4.2); a block of an unknown profile is empty. Of an element sent twice the last counts, as in
    /// browsers.
    pub fn parse(packet: &[u8], header: &RtpHeader, map: &ExtensionMap) -> Self {
        let mut found = Self::default();
        let Some(block) = header.extension else { return found };
        let start = usize::from(block.start);
        let Some(bytes) = packet.get(start..start + usize::from(block.len)) else { return found };
        match block.profile {
            ONE_BYTE_PROFILE => found.scan_one_byte(bytes, block, map),
            profile if profile & TWO_BYTE_PROFILE_MASK == TWO_BYTE_PROFILE => found.scan_two_byte(bytes, block, map),
            _ => {}
        }
        found
    }

    fn scan_one_byte(&mut self, mut rest: &[u8], block: ExtensionBlock, map: &ExtensionMap) {
        while let Some((&head, after)) = rest.split_first() {
            let (id, len_field) = (head >> 4, head & 0x0f);
            if id == 0 {
                // A padding byte; with a length it ends the block (RFC 8285 §4.2).
                if len_field != 0 {
                    return;
                }
                rest = after;
                continue;
            }
            let len = len_field + 1;
            let Some((_, next)) = after.split_at_checked(usize::from(len)) else { return };
            if id == ONE_BYTE_RESERVED_ID {
                return;
            }
            self.note(map.kind_of(id), block, after.len(), len);
            rest = next;
        }
    }

    fn scan_two_byte(&mut self, mut rest: &[u8], block: ExtensionBlock, map: &ExtensionMap) {
        while let Some((&id, after)) = rest.split_first() {
            if id == 0 {
                rest = after;
                continue;
            }
            let Some((&len, after)) = after.split_first() else { return };
            let Some((_, next)) = after.split_at_checked(usize::from(len)) else { return };
            self.note(map.kind_of(id), block, after.len(), len);
            rest = next;
        }
    }

    /// `left`: bytes of the block from the element's data on.
    #[inline]
    fn note(&mut self, kind: Option<ExtensionKind>, block: ExtensionBlock, left: usize, len: u8) {
        let Some(kind) = kind else { return };
        let at = (usize::from(block.start) + usize::from(block.len)).saturating_sub(left);
        if let (Ok(at), Some(start), Some(slot)) =
            (u16::try_from(at), self.starts.get_mut(kind.index()), self.lens.get_mut(kind.index()))
        {
            *start = at;
            *slot = len;
            self.present |= 1 << kind.index();
        }
    }

    /// The element's data.
    pub fn get<'a>(&self, packet: &'a [u8], kind: ExtensionKind) -> Option<&'a [u8]> {
        packet.get(self.range(kind)?)
    }

    /// The element's data, to be overwritten in place.
    pub fn get_mut<'a>(&self, packet: &'a mut [u8], kind: ExtensionKind) -> Option<&'a mut [u8]> {
        packet.get_mut(self.range(kind)?)
    }

    /// Where the element's data is, counted from the packet's start.
    pub fn range(&self, kind: ExtensionKind) -> Option<Range<usize>> {
        if !self.contains(kind) {
            return None;
        }
        let start = usize::from(*self.starts.get(kind.index())?);
        let len = usize::from(*self.lens.get(kind.index())?);
        Some(start..start + len)
    }

    /// Whether the packet has the element.
    pub const fn contains(&self, kind: ExtensionKind) -> bool {
        self.present & (1 << kind as u16) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> ExtensionMap {
        let mut map = ExtensionMap::new();
        assert!(map.insert(1, ExtensionKind::AudioLevel));
        assert!(map.insert(4, ExtensionKind::Mid));
        assert!(map.insert(5, ExtensionKind::TransportWideCc));
        assert!(map.insert(15, ExtensionKind::Rid));
        assert!(map.insert(200, ExtensionKind::DependencyDescriptor));
        map
    }

    fn packet(profile: u16, elements: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x90, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        packet.extend_from_slice(&profile.to_be_bytes());
        let words = elements.len().div_ceil(4);
        packet.extend_from_slice(&(words as u16).to_be_bytes());
        packet.extend_from_slice(elements);
        packet.resize(16 + 4 * words, 0);
        packet.extend_from_slice(b"payload");
        packet
    }

    fn found(profile: u16, elements: &[u8]) -> Vec<(ExtensionKind, Vec<u8>)> {
        let packet = packet(profile, elements);
        let header = RtpHeader::parse(&packet).unwrap();
        let extensions = Extensions::parse(&packet, &header, &map());
        let data = |kind| extensions.get(&packet, kind).map(|data| (kind, data.to_vec()));
        ExtensionKind::ALL.into_iter().filter_map(data).collect()
    }

    use ExtensionKind::{AudioLevel, DependencyDescriptor, Mid, Rid, TransportWideCc};

    #[test]
    fn one_byte_elements_are_found_between_padding_and_unknown_ones() {
        // RFC 8285 §4.2: id in the high half, length minus one in the low.
        let elements = [0x10, 0x85, 0, 0x41, b'a', b'b', 0, 0, 0x92, 1, 2, 3, 0x51, 0x12, 0x34, 0];
        assert_eq!(
            found(0xbede, &elements),
            [(Mid, b"ab".to_vec()), (TransportWideCc, vec![0x12, 0x34]), (AudioLevel, vec![0x85])]
        );
    }

    #[test]
    fn two_byte_elements_may_be_empty_or_long_and_have_any_id() {
        // RFC 8285 §4.3: id, then length; the low four bits of the profile are the application's.
        let mut elements = vec![1, 0, 0, 0, 15, 1, b'h', 200, 20];
        elements.extend(0..20);
        for profile in [0x1000, 0x100f] {
            assert_eq!(
                found(profile, &elements),
                [(Rid, b"h".to_vec()), (AudioLevel, vec![]), (DependencyDescriptor, (0..20).collect())]
            );
        }
    }

    #[test]
    fn a_malformed_element_ends_the_scan_and_keeps_what_was_before() {
        let mid = |rest: &[u8]| [&[0x40, b'm'], rest].concat();
        let table = [
            (0xbede, mid(&[0x10]), "no data at the block's end"),
            (0xbede, mid(&[0x13, 1]), "data beyond the block"),
            (0xbede, mid(&[0xf0, 1, 0x10, 5]), "id 15"),
            (0xbede, mid(&[0x02, 1, 2, 3, 0x10, 5]), "id 0 with a length"),
        ];
        for (profile, mut elements, why) in table {
            // Whole words, so that nothing is filled up with zeros.
            while elements.len() % 4 != 0 {
                elements.insert(0, 0);
            }
            assert_eq!(found(profile, &elements), [(Mid, b"m".to_vec())], "{why}");
        }
        for rest in [&[1][..], &[1, 3, 0]] {
            let mut elements = [&[4, 1, b'm'], rest].concat();
            while elements.len() % 4 != 0 {
                elements.insert(0, 0);
            }
            assert_eq!(found(0x1000, &elements), [(Mid, b"m".to_vec())], "{rest:?}");
        }
    }

    #[test]
    fn of_an_element_sent_twice_the_last_counts() {
        assert_eq!(found(0xbede, &[0x40, b'a', 0x40, b'b']), [(Mid, b"b".to_vec())]);
    }

    #[test]
    fn an_unknown_profile_has_no_elements() {
        for profile in [0, 0xbedf, 0x0fff, 0x1010] {
            assert_eq!(found(profile, &[0x40, b'a', 0, 0]), []);
        }
    }

    #[test]
    fn a_packet_without_a_block_has_no_elements() {
        let packet = [0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        let header = RtpHeader::parse(&packet).unwrap();
        assert_eq!(Extensions::parse(&packet, &header, &map()), Extensions::default());
    }

    #[test]
    fn an_element_can_be_overwritten_where_it_is() {
        let mut packet = packet(0xbede, &[0x51, 0, 0, 0]);
        let header = RtpHeader::parse(&packet).unwrap();
        let extensions = Extensions::parse(&packet, &header, &map());
        extensions.get_mut(&mut packet, TransportWideCc).unwrap().copy_from_slice(&[0xab, 0xcd]);
        assert_eq!(packet[16..20], [0x51, 0xab, 0xcd, 0]);
        assert_eq!(extensions.range(TransportWideCc), Some(17..19));
    }

    #[test]
    fn the_places_of_another_packet_never_reach_outside() {
        let long = packet(0xbede, &[0x51, 0, 0, 0]);
        let header = RtpHeader::parse(&long).unwrap();
        let extensions = Extensions::parse(&long, &header, &map());
        assert_eq!(extensions.get(&long[..18], TransportWideCc), None);
        assert_eq!(Extensions::parse(&long[..18], &header, &map()), Extensions::default());
    }
}
