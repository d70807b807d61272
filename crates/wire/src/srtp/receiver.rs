//! Opening packets of one direction.

use std::collections::HashMap;

use super::cipher::Cipher;
use super::derive::{MasterKey, Purpose};
use super::replay::ReplayWindow;
use super::sender::ssrc_at;
use super::{SRTCP_ENCRYPTED, SrtpError, SrtpProfile};
use crate::rtp::RtpHeader;
use crate::{ExtSeqNo, SeqNo, Ssrc};

/// SSRCs remembered under one key, for RTP and RTCP each. They are never forgotten: an SSRC that comes back must not
/// start its index anew (RFC 3711 §3.3.1).
pub const MAX_SSRCS: usize = 256;

/// Opens what we receive under one master key.
pub struct SrtpReceiver {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_windows: HashMap<Ssrc, ReplayWindow>,
    rtcp_windows: HashMap<Ssrc, ReplayWindow>,
}

impl SrtpReceiver {
    /// Derives and expands the session keys.
    ///
    /// # Errors
    /// [`SrtpError::KeyLength`] when key or salt do not fit the profile.
    pub fn new(profile: SrtpProfile, master: &MasterKey) -> Result<Self, SrtpError> {
        Ok(Self {
            rtp: Cipher::new(profile, master, Purpose::Rtp)?,
            rtcp: Cipher::new(profile, master, Purpose::Rtcp)?,
            rtp_windows: HashMap::new(),
            rtcp_windows: HashMap::new(),
        })
    }

    /// Opens an RTP packet in place. Returns its plain length and its extended sequence number.
    ///
    /// # Errors
    /// When it was received before, is not authentic, or brings one SSRC too many; nothing has changed then, though
    /// the packet's bytes may have.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8], header: &RtpHeader) -> Result<(usize, ExtSeqNo), SrtpError> {
        let window = self.rtp_windows.get(&header.ssrc);
        let newest = window.and_then(ReplayWindow::newest);
        let index = guess_index(newest, header.seq);
        match window {
            Some(window) => window.check(index.get())?,
            None if self.rtp_windows.len() >= MAX_SSRCS => return Err(SrtpError::TooManySsrcs),
            None => {}
        }
        let len = self.rtp.open_rtp(packet, header.header_len, header.ssrc, index.get())?;
        self.rtp_windows.entry(header.ssrc).or_insert_with(ReplayWindow::new).note(index.get());
        Ok((len, index))
    }

    /// Opens an RTCP packet in place. Returns its plain length.
    ///
    /// # Errors
    /// As [`SrtpReceiver::unprotect_rtp`], and when its E bit is not set.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = ssrc_at(packet, 4)?;
        let word = self.rtcp.rtcp_word(packet).ok_or(SrtpError::Short)?;
        if word & SRTCP_ENCRYPTED == 0 {
            return Err(SrtpError::NotEncrypted);
        }
        let index = u64::from(word & !SRTCP_ENCRYPTED);
        match self.rtcp_windows.get(&ssrc) {
            Some(window) => window.check(index)?,
            None if self.rtcp_windows.len() >= MAX_SSRCS => return Err(SrtpError::TooManySsrcs),
            None => {}
        }
        let len = self.rtcp.open_rtcp(packet, ssrc, word)?;
        self.rtcp_windows.entry(ssrc).or_insert_with(ReplayWindow::new).note(index);
        Ok(len)
    }
}

/// The index that a packet most likely has: the number nearest to the newest one (RFC 3711 §3.3.1, appendix A).
fn guess_index(newest: Option<u64>, seq: SeqNo) -> ExtSeqNo {
    match newest {
        None => ExtSeqNo::first(seq),
        Some(newest) => ExtSeqNo::new(newest).nearest(seq).unwrap_or_else(|| ExtSeqNo::first(seq)),
    }
}
