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
    let redundant_len = headers.iter().map(|header| block_len(header)).sum();
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
