//! The frame of one RTCP packet: header first, length when it is known.

use crate::Ssrc;

/// Most body bytes that the length field can tell.
pub(super) const MAX_BODY_LEN: usize = 4 * u16::MAX as usize;

/// Appends one packet. The length is written by [`Self::finish`].
pub(super) struct PacketWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> PacketWriter<'a> {
    /// `count`: count of blocks or format, five bits.
    pub(super) fn new(out: &'a mut Vec<u8>, packet_type: u8, count: u8) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0x80 | count & 0x1f, packet_type, 0, 0]);
        Self { out, start }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    pub(super) fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_be_bytes())
    }

    pub(super) fn ssrc(&mut self, ssrc: Ssrc) -> &mut Self {
        self.u32(ssrc.get())
    }

    /// Body bytes that can still be written.
    pub(super) fn room(&self) -> usize {
        MAX_BODY_LEN.saturating_sub(self.body_len())
    }

    fn body_len(&self) -> usize {
        self.out.len().saturating_sub(self.start + 4)
    }

    /// Fills the last word with zeros and writes the length.
    pub(super) fn finish(self) {
        let len = self.body_len().next_multiple_of(4);
        debug_assert!(len <= MAX_BODY_LEN, "callers keep to `room`");
        self.out.resize(self.start + 4 + len, 0);
        if let Some([_, _, l0, l1]) = self.out.get_mut(self.start..).and_then(<[u8]>::first_chunk_mut::<4>) {
            [*l0, *l1] = ((len / 4) as u16).to_be_bytes();
        }
    }
}
