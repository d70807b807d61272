//! Sealed packets of one stream made as fast as SRTP allows, for benchmarks: a header, a payload that begins a key frame
//! or goes on with one, and nothing random.

use wire::rtp::{FIXED_HEADER_LEN, HeaderFields, write_header};
use wire::srtp::{SrtpError, SrtpProfile, SrtpSender};
use wire::{ExtSeqNo, PayloadType, RtpTimestamp, SeqNo, Ssrc};

/// VP8 payloads: descriptor with S alone, then the first byte of the frame, whose lowest bit is 0 in key frames.
const KEY_FRAME: [u8; 2] = [0x10, 0x10];
const INTER_FRAME: [u8; 2] = [0x10, 0x11];

/// Timestamp step of one packet: 30 frames a second of one packet each.
const TIMESTAMP_STEP: u32 = 3000;

/// Makes the packets of one VP8 stream, one frame a packet.
pub struct SealedPackets {
    sender: SrtpSender,
    profile: SrtpProfile,
    payload_type: PayloadType,
    ssrc: Ssrc,
    next: ExtSeqNo,
    /// Every so many packets a key frame begins; the first is one.
    key_frame_every: u64,
    made: u64,
}

impl SealedPackets {
    /// `sealer` as [`crate::Peer::sealer`] gives it.
    pub fn new(
        (profile, sender): (SrtpProfile, SrtpSender),
        ssrc: Ssrc,
        payload_type: PayloadType,
        key_frame_every: u64,
    ) -> Self {
        let next = ExtSeqNo::first(SeqNo::new(1));
        Self { sender, profile, payload_type, ssrc, next, key_frame_every: key_frame_every.max(1), made: 0 }
    }

    /// Appends the next packet, `len` bytes as sent, tag included. Allocates nothing when `out` has room.
    ///
    /// # Errors
    /// When the key is used up, after 2^48 packets.
    pub fn write(&mut self, out: &mut Vec<u8>, len: usize) -> Result<(), SrtpError> {
        let start = out.len();
        let index = self.next;
        self.next = index.next();
        let fields = HeaderFields {
            marker: true,
            payload_type: self.payload_type,
            seq: index.truncate(),
            timestamp: RtpTimestamp::new((self.made as u32).wrapping_mul(TIMESTAMP_STEP)),
            ssrc: self.ssrc,
        };
        write_header(out, &fields, false, false);
        let is_key = self.made.is_multiple_of(self.key_frame_every);
        out.extend_from_slice(if is_key { &KEY_FRAME } else { &INTER_FRAME });
        let plain_len = len.saturating_sub(self.profile.rtp_overhead()).max(FIXED_HEADER_LEN + KEY_FRAME.len());
        out.resize(start + plain_len, self.made as u8);
        self.made += 1;
        self.sender.protect_rtp(out, start, FIXED_HEADER_LEN, index)
    }
}
