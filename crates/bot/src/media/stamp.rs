//! What each synthetic payload carries, so that a viewer can prove that it arrived whole and tell what it is part of.

/// Bytes before the filling.
const HEAD_LEN: usize = 32;

/// Bytes of the check value at the end.
const CHECK_LEN: usize = 8;

/// Least length of a stamped payload.
pub(crate) const MIN_LEN: usize = HEAD_LEN + CHECK_LEN;

const MAGIC: [u8; 4] = *b"bot1";

/// What one payload is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// Names the stream (encoding) it was made for: its SSRC at the sender.
    pub stream: u32,
    /// Counts the frames of that stream.
    pub frame: u32,
    /// The frame that has to be decoded before this one; itself when a decoder can start here.
    pub depends_on: u32,
    /// Place of the packet in its frame.
    pub packet: u16,
    /// Packets of the frame.
    pub packets: u16,
    /// When it was captured, in µs since the Unix epoch of the sender's clock.
    pub captured_at: u64,
}

impl Stamp {
    /// Whether a decoder can start at this frame.
    pub fn is_key(&self) -> bool {
        self.depends_on == self.frame
    }

    /// Appends the payload, `len` bytes or [`MIN_LEN`] if that is more.
    pub(crate) fn write(&self, out: &mut Vec<u8>, len: usize) {
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&self.frame.to_be_bytes());
        out.extend_from_slice(&self.depends_on.to_be_bytes());
        out.extend_from_slice(&self.packet.to_be_bytes());
        out.extend_from_slice(&self.packets.to_be_bytes());
        out.extend_from_slice(&(len.max(MIN_LEN) as u32).to_be_bytes());
        out.extend_from_slice(&self.captured_at.to_be_bytes());
        let mut word = u64::from(self.stream) << 32 | u64::from(self.frame);
        let end = start + len.max(MIN_LEN) - CHECK_LEN;
        while out.len() < end {
            word = word.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23) ^ u64::from(self.packet);
            let left = (end - out.len()).min(8);
            out.extend_from_slice(word.to_be_bytes().get(..left).unwrap_or_default());
        }
        let check = check(out.get(start..).unwrap_or_default());
        out.extend_from_slice(&check.to_be_bytes());
    }

    /// Reads a whole payload back; `None` when a byte of it is missing, added or changed.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (body, &sum) = payload.split_last_chunk::<CHECK_LEN>()?;
        if check(body) != u64::from_be_bytes(sum) {
            return None;
        }
        let (magic, rest) = body.split_first_chunk::<4>()?;
        let (&stream, rest) = rest.split_first_chunk()?;
        let (&frame, rest) = rest.split_first_chunk()?;
        let (&depends_on, rest) = rest.split_first_chunk()?;
        let (&packet, rest) = rest.split_first_chunk()?;
        let (&packets, rest) = rest.split_first_chunk()?;
        let (&len, rest) = rest.split_first_chunk()?;
        let (&captured_at, _) = rest.split_first_chunk()?;
        if *magic != MAGIC || u32::from_be_bytes(len) as usize != payload.len() {
            return None;
        }
        Some(Self {
            stream: u32::from_be_bytes(stream),
            frame: u32::from_be_bytes(frame),
            depends_on: u32::from_be_bytes(depends_on),
            packet: u16::from_be_bytes(packet),
            packets: u16::from_be_bytes(packets),
            captured_at: u64::from_be_bytes(captured_at),
        })
    }
}

/// FNV-1a over words of eight bytes: not against malice, only against mistakes.
fn check(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let step = |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x0000_0100_0000_01B3).rotate_left(29);
    let sum = words.iter().fold(0xCBF2_9CE4_8422_2325, |sum, word| step(sum, u64::from_be_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| step(sum, u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp =
        Stamp { stream: 7, frame: 1000, depends_on: 999, packet: 2, packets: 5, captured_at: 1_700_000_000_000_000 };

    #[test]
    fn a_payload_of_any_length_is_read_back() {
        for len in [0, MIN_LEN, MIN_LEN + 1, 100, 1100, 1107] {
            let mut payload = Vec::new();
            STAMP.write(&mut payload, len);
            assert_eq!(payload.len(), len.max(MIN_LEN));
            assert_eq!(Stamp::read(&payload), Some(STAMP));
        }
    }

    #[test]
    fn every_changed_missing_or_added_byte_is_noticed() {
        let mut payload = Vec::new();
        STAMP.write(&mut payload, 99);
        for at in 0..payload.len() {
            let mut changed = payload.clone();
            changed[at] ^= 0x10;
            assert_eq!(Stamp::read(&changed), None, "{at}");
            assert_eq!(Stamp::read(&payload[..at]), None, "{at}");
        }
        payload.push(0);
        assert_eq!(Stamp::read(&payload), None);
    }
}
