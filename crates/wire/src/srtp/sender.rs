//! Sealing packets of one direction.

use super::cipher::Cipher;
use super::derive::{MasterKey, Purpose};
use super::{SRTCP_ENCRYPTED, SrtpError, SrtpProfile};
use crate::{ExtSeqNo, Ssrc};

/// Seals what we send under one master key.
pub struct SrtpSender {
    rtp: Cipher,
    rtcp: Cipher,
    /// One counter for all SSRCs: no (SSRC, index) pair repeats.
    next_rtcp_index: u32,
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
            // Index 0 is left out: some peers take their first index for seen (RFC 3711 §3.2.1 begins at 0).
            next_rtcp_index: 1,
        })
    }

    /// Seals the RTP packet in `out[start..]`: encrypts what comes after `header_len` bytes and appends the tag.
    /// The caller must never use an index twice for one SSRC with another content.
    ///
    /// # Errors
    /// [`SrtpError::Short`] when there is no whole header.
    pub fn protect_rtp(
        &mut self,
        out: &mut Vec<u8>,
        start: usize,
        header_len: usize,
        index: ExtSeqNo,
    ) -> Result<(), SrtpError> {
        let packet = out.get_mut(start..).ok_or(SrtpError::Short)?;
        let ssrc = ssrc_at(packet, 8)?;
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

pub(super) fn ssrc_at(packet: &[u8], at: usize) -> Result<Ssrc, SrtpError> {
    let bytes = packet.get(at..).and_then(|rest| rest.first_chunk()).ok_or(SrtpError::Short)?;
    Ok(Ssrc::new(u32::from_be_bytes(*bytes)))
}
