//! Writes the extension block of one packet.

use super::{ONE_BYTE_PROFILE, ONE_BYTE_RESERVED_ID, TWO_BYTE_PROFILE};

/// The two shapes of an element (RFC 8285 §4.2, §4.3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ExtensionForm {
    /// Ids 1 to 14 and 1 to 16 bytes of data, one byte before each.
    OneByte,
    /// Ids 1 to 255 and up to 255 bytes of data, two bytes before each. Only where `extmap-allow-mixed` holds.
    TwoByte,
}

impl ExtensionForm {
    /// The smallest form that carries these ids and lengths.
    pub const fn for_ids(max_id: u8, max_len: usize) -> Self {
        if max_id < ONE_BYTE_RESERVED_ID && max_len <= MAX_ONE_BYTE_LEN { Self::OneByte } else { Self::TwoByte }
    }
}

/// Most data of one element in the one-byte form.
const MAX_ONE_BYTE_LEN: usize = 16;

/// Bytes before the elements: profile and length.
const BLOCK_HEADER_LEN: usize = 4;

/// Most element bytes of a block. The format could say four times more; no datagram could carry it.
const MAX_BLOCK_LEN: usize = 0xfffc;

/// Appends an extension block after the fixed header and the contributing sources. Nothing is written before the
/// first element, so a packet without elements gets no block; then its header must not announce one.
#[derive(Debug)]
#[must_use = "the block has no length before `finish`"]
pub struct ExtensionWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    form: ExtensionForm,
}

impl<'a> ExtensionWriter<'a> {
    /// Starts a block at the end of `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, form: ExtensionForm) -> Self {
        let start = out.len();
        Self { out, start, form }
    }

    /// Appends an element and tells where in `out` its data starts, to be overwritten later. `None`, and nothing
    /// written, when this form cannot carry it.
    #[inline]
    pub fn write(&mut self, id: u8, data: &[u8]) -> Option<usize> {
        if id == 0 || self.out.len() - self.start + 2 + data.len() > MAX_BLOCK_LEN {
            return None;
        }
        let len = u8::try_from(data.len()).ok()?;
        match self.form {
            ExtensionForm::OneByte => {
                if id >= ONE_BYTE_RESERVED_ID || data.len() > MAX_ONE_BYTE_LEN {
                    return None;
                }
                let len_field = len.checked_sub(1)?;
                self.begin(ONE_BYTE_PROFILE);
                self.out.push(id << 4 | len_field);
            }
            ExtensionForm::TwoByte => {
                self.begin(TWO_BYTE_PROFILE);
                self.out.extend_from_slice(&[id, len]);
            }
        }
        let at = self.out.len();
        self.out.extend_from_slice(data);
        Some(at)
    }

    fn begin(&mut self, profile: u16) {
        if self.out.len() == self.start {
            let [p0, p1] = profile.to_be_bytes();
            self.out.extend_from_slice(&[p0, p1, 0, 0]);
        }
    }

    /// Pads the block to whole words and writes its length. `false` when there is no block, for want of elements.
    #[inline]
    pub fn finish(self) -> bool {
        if self.out.len() == self.start {
            return false;
        }
        let len = (self.out.len() - self.start - BLOCK_HEADER_LEN).next_multiple_of(4);
        self.out.resize(self.start + BLOCK_HEADER_LEN + len, 0);
        if let Some([_, _, w0, w1]) = self.out.get_mut(self.start..).and_then(<[u8]>::first_chunk_mut::<4>) {
            [*w0, *w1] = ((len / 4) as u16).to_be_bytes();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_one_byte_elements_is_padded_to_words() {
        let mut out = vec![0xff];
        let mut writer = ExtensionWriter::new(&mut out, ExtensionForm::OneByte);
        assert_eq!(writer.write(1, &[0x85]), Some(6));
        assert_eq!(writer.write(14, &[1, 2, 3]), Some(8));
        assert!(writer.finish());
        assert_eq!(out, [0xff, 0xbe, 0xde, 0, 2, 0x10, 0x85, 0xe2, 1, 2, 3, 0, 0]);
    }

    #[test]
    fn a_block_of_two_byte_elements_carries_empty_ones() {
        let mut out = Vec::new();
        let mut writer = ExtensionWriter::new(&mut out, ExtensionForm::TwoByte);
        assert_eq!(writer.write(255, &[]), Some(6));
        assert_eq!(writer.write(15, &[9, 9]), Some(8));
        assert!(writer.finish());
        assert_eq!(out, [0x10, 0, 0, 2, 255, 0, 15, 2, 9, 9, 0, 0]);
    }

    #[test]
    fn without_elements_nothing_is_written() {
        for form in [ExtensionForm::OneByte, ExtensionForm::TwoByte] {
            let mut out = vec![0xff];
            let mut writer = ExtensionWriter::new(&mut out, form);
            assert_eq!(writer.write(0, &[1]), None);
            assert!(!writer.finish());
            assert_eq!(out, [0xff]);
        }
    }

    #[test]
    fn what_the_form_cannot_carry_is_refused() {
        let mut out = Vec::new();
        let mut writer = ExtensionWriter::new(&mut out, ExtensionForm::OneByte);
        assert_eq!(writer.write(15, &[1]), None);
        assert_eq!(writer.write(1, &[]), None);
        assert_eq!(writer.write(1, &[0; 17]), None);
        assert!(writer.write(1, &[0; 16]).is_some());
        assert!(writer.finish());
        let mut writer = ExtensionWriter::new(&mut out, ExtensionForm::TwoByte);
        assert_eq!(writer.write(1, &[0; 256]), None);
        assert!(writer.write(1, &[0; 255]).is_some());
        assert!(writer.finish());
    }

    #[test]
    fn a_block_never_outgrows_a_datagram() {
        let mut out = Vec::new();
        let mut writer = ExtensionWriter::new(&mut out, ExtensionForm::TwoByte);
        let written = std::iter::from_fn(|| writer.write(1, &[0; 255])).count();
        assert!(writer.finish());
        assert_eq!(written, (MAX_BLOCK_LEN - BLOCK_HEADER_LEN) / 257);
        assert!(out.len() <= MAX_BLOCK_LEN + BLOCK_HEADER_LEN);
    }

    #[test]
    fn the_form_follows_the_ids_and_lengths() {
        assert_eq!(ExtensionForm::for_ids(14, 16), ExtensionForm::OneByte);
        assert_eq!(ExtensionForm::for_ids(15, 1), ExtensionForm::TwoByte);
        assert_eq!(ExtensionForm::for_ids(1, 17), ExtensionForm::TwoByte);
    }
}
