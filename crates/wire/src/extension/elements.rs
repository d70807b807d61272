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
