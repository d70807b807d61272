//! SRTP and SRTCP in place: AES-GCM (RFC 7714) and AES-CM with HMAC-SHA1 (RFC 3711). Keys are expanded once.

mod cipher;
mod derive;
mod receiver;
mod replay;
mod sender;

pub use derive::{MasterKey, split_keying_material};
pub use receiver::{MAX_SSRCS, SrtpReceiver};
pub use sender::SrtpSender;

use crate::Ssrc;

/// Protection profile, as negotiated by DTLS (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SrtpProfile {
    /// AES-128 in Galois/counter mode: the cheapest.
    AeadAes128Gcm,
    /// AES-256 in Galois/counter mode.
    AeadAes256Gcm,
    /// AES-128 in counter mode with an 80-bit HMAC-SHA1: what every peer knows.
    AesCm128HmacSha1_80,
}

/// Bytes of the E bit and index after an SRTCP packet (RFC 3711 §3.4).
const SRTCP_INDEX_LEN: usize = 4;

/// Set in the index word of an SRTCP packet that is encrypted.
const SRTCP_ENCRYPTED: u32 = 1 << 31;

/// Bytes of an RTCP packet that are never encrypted: header and sender SSRC.
const RTCP_CLEAR_LEN: usize = 8;

/// Highest index of an RTP packet: 32 bits of roll-over count and 16 of sequence number (RFC 3711 §3.3.1).
const MAX_INDEX: u64 = (1 << 48) - 1;

impl SrtpProfile {
    /// Master and session key, in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Master and session salt, in bytes.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::AesCm128HmacSha1_80 => 14,
        }
    }

    /// Authentication tag, in bytes.
    const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::AesCm128HmacSha1_80 => 10,
        }
    }

    /// How many bytes an RTP packet grows by.
    pub const fn rtp_overhead(self) -> usize {
        self.tag_len()
    }

    /// How many bytes an RTCP packet grows by.
    pub const fn rtcp_overhead(self) -> usize {
        self.tag_len() + SRTCP_INDEX_LEN
    }

    /// What DTLS exports for both directions together, in bytes (RFC 5764 §4.2).
    pub const fn keying_material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }
}

/// Why a packet was not opened or not sealed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SrtpError {
    /// Too short to be protected by this profile.
    #[error("the packet is too short")]
    Short,
    /// It was received before.
    #[error("the packet was received before")]
    Replayed,
    /// It lies behind the replay window.
    #[error("the packet is too old to tell whether it was received before")]
    TooOld,
    /// Its authentication tag is wrong.
    #[error("the packet is not authentic")]
    Auth,
    /// An RTCP packet whose E bit says that it is not encrypted.
    #[error("the RTCP packet is not encrypted")]
    NotEncrypted,
    /// As many SSRCs as are remembered were seen under this key.
    #[error("more than {MAX_SSRCS} SSRCs under one key")]
    TooManySsrcs,
    /// The key has protected as many packets as it may (RFC 3711 §9.2).
    #[error("the key is used up")]
    KeyUsedUp,
    /// The key or salt has another length than the profile's.
    #[error("the key or salt has the wrong length")]
    KeyLength,
}

/// The SSRC that stands at this place of a packet.
fn ssrc_at(packet: &[u8], at: usize) -> Result<Ssrc, SrtpError> {
    let bytes = packet.get(at..).and_then(|rest| rest.first_chunk()).ok_or(SrtpError::Short)?;
    Ok(Ssrc::new(u32::from_be_bytes(*bytes)))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
