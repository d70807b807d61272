//! Redundant audio: older frames before the newest (RFC 2198 §3).

use crate::PayloadType;

/// Most blocks of one packet, the primary included. Browsers send two, up to ten when told so.
pub const MAX_BLOCKS: usize = 32;

/// Longest redundant block that ten bits can tell.
pub const MAX_REDUNDANT_LEN: usize = 0x3ff;

/// Largest timestamp offset that 14 bits can tell.
pub const MAX_TIMESTAMP_OFFSET: u16 = 0x3fff;

const FOLLOW_BIT: u8 = 0x80;

/// Why bytes are not a redundant payload, or cannot be one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RedError {
    /// The payload ends inside its headers or blocks.
    #[error("payload ends inside its headers or blocks")]
    Short,
    /// More than [`MAX_BLOCKS`].
    #[error("more than {MAX_BLOCKS} blocks")]
    TooManyBlocks,
    /// A redundant block is longer than [`MAX_REDUNDANT_LEN`], or older than [`MAX_TIMESTAMP_OFFSET`].
    #[error("redundant block is too long or too old")]
    Block,
}

/// One encoded frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Block<'a> {
    /// Codec of the frame.
    pub payload_type: PayloadType,
    /// What to subtract from the packet's timestamp; 0 for the primary.
    pub timestamp_offset: u16,
    /// The frame.
    pub bytes: &'a [u8],
}

/// A redundant payload that was walked once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Red<'a> {
    /// Headers of the redundant blocks.
    headers: &'a [[u8; 4]],
    /// The redundant blocks, one after the other.
    redundant: &'a [u8],
    primary: Block<'a>,
}

/// Reads the headers of a redundant payload.
pub fn parse(payload: &[u8]) -> Result<Red<'_>, RedError> {
    let (all_headers, _) = payload.as_chunks::<4>();
    let count = all_headers.iter().take_while(|&&[first, ..]| first & FOLLOW_BIT != 0).count();
    if count >= MAX_BLOCKS {
        return Err(RedError::TooManyBlocks);
    }
    let headers = all_headers.get(..count).ok_or(RedError::Short)?;
    let rest = payload.get(4 * count..).ok_or(RedError::Short)?;
    // Follows no whole header: either the last one, or a header that was cut off.
    let (&last, blocks) = rest.split_first().ok_or(RedError::Short)?;
    if last & FOLLOW_BIT != 0 {
        return Err(RedError::Short);
    }
    let redundant_len = headers.iter().map(block_len).sum();
    let (redundant, bytes) = blocks.split_at_checked(redundant_len).ok_or(RedError::Short)?;
    let primary = Block { payload_type: PayloadType::from_low_bits(last), timestamp_offset: 0, bytes };
    Ok(Red { headers, redundant, primary })
}

fn block_len(&[_, _, high, low]: &[u8; 4]) -> usize {
    usize::from(u16::from_be_bytes([high & 3, low]))
}

impl<'a> Red<'a> {
    /// The newest frame.
    pub fn primary(&self) -> Block<'a> {
        self.primary
    }

    /// The redundant frames in the order sent, oldest first, and the primary last.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'a>> + use<'a> {
        let mut rest = self.redundant;
        let redundant = self.headers.iter().map_while(move |header| {
            let (bytes, after) = rest.split_at_checked(block_len(header))?;
            rest = after;
            let &[first, o0, o1, _] = header;
            Some(Block {
                payload_type: PayloadType::from_low_bits(first),
                timestamp_offset: u16::from_be_bytes([o0, o1]) >> 2,
                bytes,
            })
        });
        redundant.chain(std::iter::once(self.primary))
    }
}

/// Appends a redundant payload: `redundant` oldest first, then the primary. Nothing is appended on error.
pub fn write(
    out: &mut Vec<u8>,
    redundant: &[Block<'_>],
    primary_type: PayloadType,
    primary: &[u8],
) -> Result<(), RedError> {
    if redundant.len() >= MAX_BLOCKS {
        return Err(RedError::TooManyBlocks);
    }
    if redundant
        .iter()
        .any(|block| block.bytes.len() > MAX_REDUNDANT_LEN || block.timestamp_offset > MAX_TIMESTAMP_OFFSET)
    {
        return Err(RedError::Block);
    }
    for block in redundant {
        let [_, b0, b1, b2] = (u32::from(block.timestamp_offset) << 10 | block.bytes.len() as u32).to_be_bytes();
        out.extend_from_slice(&[FOLLOW_BIT | block.payload_type.get(), b0, b1, b2]);
    }
    out.push(primary_type.get());
    redundant.iter().for_each(|block| out.extend_from_slice(block.bytes));
    out.extend_from_slice(primary);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2198 §3: two redundant blocks of type 5, of 2 and 1 bytes, 960 and 480 ticks old; then type 111.
    const PAYLOAD: [u8; 14] = [
        0x85, 0x0f, 0x00, 0x02, // follow bit, type 5; offset 960, length 2
        0x85, 0x07, 0x80, 0x01, // offset 480, length 1
        0x6f, // primary
        1, 2, 3, 4, 5,
    ];

    fn block(payload_type: u8, timestamp_offset: u16, bytes: &[u8]) -> Block<'_> {
        Block { payload_type: PayloadType::from_low_bits(payload_type), timestamp_offset, bytes }
    }

    #[test]
    fn blocks_come_in_the_order_sent_and_the_primary_last() {
        let red = parse(&PAYLOAD).unwrap();
        let blocks = [block(5, 960, &[1, 2]), block(5, 480, &[3]), block(111, 0, &[4, 5])];
        assert_eq!(red.blocks().collect::<Vec<_>>(), blocks);
        assert_eq!(red.primary(), blocks[2]);
    }

    #[test]
    fn a_payload_is_written_as_it_is_read() {
        let mut out = Vec::new();
        let redundant = [block(5, 960, &[1, 2]), block(5, 480, &[3])];
        write(&mut out, &redundant, PayloadType::from_low_bits(111), &[4, 5]).unwrap();
        assert_eq!(out, PAYLOAD);
    }

    #[test]
    fn a_primary_alone_may_be_empty() {
        assert_eq!(parse(&[0x6f]).map(|red| red.primary()), Ok(block(111, 0, &[])));
        assert_eq!(parse(&PAYLOAD[..12]).map(|red| red.primary()), Ok(block(111, 0, &[])));
    }

    #[test]
    fn a_payload_that_ends_early_is_refused() {
        for len in 0..12 {
            assert_eq!(parse(&PAYLOAD[..len]), Err(RedError::Short), "{len}");
        }
    }

    #[test]
    fn the_number_of_blocks_is_bounded_both_ways() {
        let one = block(5, 1, &[7]);
        let mut out = Vec::new();
        write(&mut out, &[one; MAX_BLOCKS - 1], one.payload_type, &[8]).unwrap();
        assert_eq!(parse(&out).unwrap().blocks().count(), MAX_BLOCKS);
        out.splice(0..0, [0x85, 0, 0, 0]);
        assert_eq!(parse(&out), Err(RedError::TooManyBlocks));
        assert_eq!(write(&mut Vec::new(), &[one; MAX_BLOCKS], one.payload_type, &[8]), Err(RedError::TooManyBlocks));
    }

    #[test]
    fn a_block_that_does_not_fit_its_header_is_not_written() {
        let mut out = Vec::new();
        let primary_type = PayloadType::from_low_bits(111);
        for bad in [block(5, MAX_TIMESTAMP_OFFSET + 1, &[]), block(5, 0, &[0; MAX_REDUNDANT_LEN + 1])] {
            assert_eq!(write(&mut out, &[bad], primary_type, &[]), Err(RedError::Block));
            assert!(out.is_empty());
        }
        let most = block(5, MAX_TIMESTAMP_OFFSET, &[1; MAX_REDUNDANT_LEN]);
        write(&mut out, &[most], primary_type, &[]).unwrap();
        assert_eq!(parse(&out).unwrap().blocks().next(), Some(most));
    }
}
