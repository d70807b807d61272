//! Reading numbers of any width, highest bit first.

/// A position in bits.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.number(1).map(|bit| bit != 0)
    }

    /// A number of `width` bits, at most 32; f(n) of the AV1 specifications.
    pub(super) fn number(&mut self, width: u32) -> Option<u32> {
        debug_assert!(width <= 32, "the number is 32 bits wide");
        let end = self.at + width as usize;
        // At most five bytes, as the first and the last may be used in part.
        let used = self.bytes.get(self.at / 8..end.div_ceil(8))?;
        let gathered = used.iter().fold(0_u64, |gathered, byte| gathered << 8 | u64::from(*byte));
        let behind = end.next_multiple_of(8) - end;
        let mask = (1_u64 << width) - 1;
        self.at = end;
        Some((gathered >> behind & mask) as u32)
    }

    /// A number of at most eight bits.
    pub(super) fn byte(&mut self, width: u32) -> Option<u8> {
        debug_assert!(width <= 8, "the number is 8 bits wide");
        self.number(width).map(|number| number as u8)
    }

    /// A number below `count`, which is not 0, in as few bits as tell it apart: ns(n) of AV1 §4.10.7.
    pub(super) fn below(&mut self, count: u32) -> Option<u32> {
        let width = count.checked_ilog2()? + 1;
        // So many numbers are one bit shorter.
        let short = (1_u64 << width).checked_sub(u64::from(count))? as u32;
        let number = self.number(width - 1)?;
        if number < short {
            return Some(number);
        }
        let extra = u32::from(self.flag()?);
        Some((number << 1) - short + extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_cross_bytes_and_end_with_them() {
        let mut bits = Bits::new(&[0b1010_0111, 0b1100_0001]);
        assert_eq!((bits.flag(), bits.number(5), bits.byte(6)), (Some(true), Some(0b01001), Some(0b11_1100)));
        assert_eq!((bits.number(4), bits.number(1), bits.number(0)), (Some(1), None, Some(0)));
    }

    #[test]
    fn numbers_below_five_take_two_or_three_bits() {
        // The table of AV1 §4.10.7.
        for (number, code, len) in [(0, 0b00, 2), (1, 0b01, 2), (2, 0b10, 2), (3, 0b110, 3), (4, 0b111, 3)] {
            let bytes = [code << (8 - len)];
            let mut bits = Bits::new(&bytes);
            assert_eq!((bits.below(5), bits.at), (Some(number), len));
        }
        let mut bits = Bits::new(&[]);
        assert_eq!((bits.below(1), bits.below(0), bits.below(2)), (Some(0), None, None));
    }
}
