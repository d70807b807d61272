//! Sealing packets of one direction.

use super::cipher::Cipher;
use super::derive::{MasterKey, Purpose};
use super::{MAX_INDEX, SRTCP_ENCRYPTED, SrtpError, SrtpProfile, ssrc_at};
use crate::ExtSeqNo;
use crate::rtp::FIXED_HEADER_LEN;

/// Seals what we send under one master key.
pub struct SrtpSender {
    rtp: Cipher,
    pub(super) rtcp: Cipher,
    /// One counter for all SSRCs: no (SSRC, index) pair repeats.
    pub(super) next_rtcp_index: u32,
}

impl SrtpSender {
    /// Derives and expands the session keys.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`] when key or salt do not fit the profile.
    pub fn new(profile: SrtpProfile, master: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self {
            rtp: Cipher::new(profile, master, Purpose::Rtp)?,
            rtcp: Cipher::new(profile, master, Purpose::Rtcp)?,
            // RFC 3711 §3.4 counts from 0; libsrtp sends 1 first, so that is what peers have been tried with.
            next_rtcp_index: 1,
        })
    }

    /// Seals the RTP packet in `out[start..]`: encrypts what comes after `header_len` bytes and appends the tag. The
    /// caller must never use an index twice for one SSRC with another content: with GCM that gives the key away.
    ///
    /// # Errors
    /// [`SrtpError::Short`] when there is no whole header, [`SrtpError::KeyUsedUp`] for an index beyond 48 bits; the
    /// packet is as it was then.
    pub fn protect_rtp(
        &mut self,
        out: &mut Vec<u8>,
        start: usize,
        header_len: usize,
        index: ExtSeqNo,
    ) -> Result<(), SrtpError> {
        if header_len < FIXED_HEADER_LEN {
            return Err(SrtpError::Short);
        }
        if index.get() > MAX_INDEX {
            return Err(SrtpError::KeyUsedUp);
        }
        let packet = out.get_mut(start..).ok_or(SrtpError::Short)?;
        let ssrc = ssrc_at(packet, 8)?;
        debug_assert_eq!(
            packet.get(2..4),
            Some(&index.truncate().get().to_be_bytes()[..]),
            "another index than the header's is authentic to nobody"
        );
        let tag = self.rtp.seal_rtp(packet, header_len, ssrc, index.get())?;
        out.extend_from_slice(tag.as_bytes());
        Ok(())
    }

    /// Seals the RTCP packet in `out[start..]` and appends tag and index.
    ///
    /// # Errors
    /// [`SrtpError::Short`] when there is no whole header, [`SrtpError::KeyUsedUp`] after 2^31 packets.
    pub fn protect_rtcp(&mut self, out: &mut Vec<u8>, start: usize) -> Result<(), SrtpError> {
        let packet = out.get_mut(start..).ok_or(SrtpError::Short)?;
        let ssrc = ssrc_at(packet, 4)?;
        let index = self.next_rtcp_index;
        if index >= SRTCP_ENCRYPTED {
            return Err(SrtpError::KeyUsedUp);
        }
        let tag = self.rtcp.seal_rtcp(packet, ssrc, index)?;
        self.next_rtcp_index = index + 1;
        out.extend_from_slice(tag.as_bytes());
        Ok(())
    }
}
