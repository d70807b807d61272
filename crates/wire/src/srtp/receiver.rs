//! Opening packets of one direction.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::cipher::Cipher;
use super::derive::{MasterKey, Purpose};
use super::replay::ReplayWindow;
use super::{MAX_INDEX, SRTCP_ENCRYPTED, SrtpError, SrtpProfile, ssrc_at};
use crate::rtp::RtpHeader;
use crate::{ExtSeqNo, SeqNo, Ssrc};

/// SSRCs remembered under one key, for RTP and RTCP each. They are never forgotten: an SSRC that comes back must not
/// start its index anew (RFC 3711 §3.3.1). A browser with camera, screen and
/// voice uses about ten, and six more each time that its camera is made anew.
pub const MAX_SSRCS: usize = 2048;

/// Replay windows by SSRC. At most [`MAX_SSRCS`], all of the peer that holds the key, so a fixed seed does no harm.
type Windows = HashMap<Ssrc, ReplayWindow, FixedState>;

/// Opens what we receive under one master key.
pub struct SrtpReceiver {
    rtp: Cipher,
    rtcp: Cipher,
    rtp_windows: Windows,
    rtcp_windows: Windows,
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
            rtp_windows: Windows::default(),
            rtcp_windows: Windows::default(),
        })
    }

    /// Opens an RTP packet in place. Returns its plain length and its extended sequence number. `header` is the
    /// packet's own.
    ///
    /// # Errors
    /// When it was received before, is not authentic, or brings one SSRC too many; nothing has changed then, though
    /// the packet's bytes may have.
    pub fn unprotect_rtp(&mut self, packet: &mut [u8], header: &RtpHeader) -> Result<(usize, ExtSeqNo), SrtpError> {
        if let Some(window) = self.rtp_windows.get_mut(&header.ssrc) {
            let index = guess_index(window.newest(), header.seq);
            window.check(index.get())?;
            let len = self.rtp.open_rtp(packet, header.header_len, header.ssrc, index.get())?;
            window.note(index.get());
            return Ok((len, index));
        }
        let index = ExtSeqNo::first(header.seq);
        check_room(&self.rtp_windows)?;
        let len = self.rtp.open_rtp(packet, header.header_len, header.ssrc, index.get())?;
        self.rtp_windows.insert(header.ssrc, ReplayWindow::new(index.get()));
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
        if let Some(window) = self.rtcp_windows.get_mut(&ssrc) {
            window.check(index)?;
            let len = self.rtcp.open_rtcp(packet, ssrc, word)?;
            window.note(index);
            return Ok(len);
        }
        check_room(&self.rtcp_windows)?;
        let len = self.rtcp.open_rtcp(packet, ssrc, word)?;
        self.rtcp_windows.insert(ssrc, ReplayWindow::new(index));
        Ok(len)
    }
}

#[cfg(test)]
impl SrtpReceiver {
    /// As if `index` were the only packet received of `ssrc`.
    pub(super) fn start_at(&mut self, ssrc: Ssrc, index: u64) {
        self.rtp_windows.insert(ssrc, ReplayWindow::new(index));
    }
}

fn check_room(windows: &Windows) -> Result<(), SrtpError> {
    if windows.len() < MAX_SSRCS { Ok(()) } else { Err(SrtpError::TooManySsrcs) }
}

/// The index that a packet most likely has: the number nearest to the newest one (RFC 3711 §3.3.1, appendix A). Before
/// the first wrap there is no lower roll-over count, after the last no higher one.
fn guess_index(newest: u64, seq: SeqNo) -> ExtSeqNo {
    let nearest = ExtSeqNo::new(newest).nearest(seq).filter(|index| index.get() <= MAX_INDEX);
    nearest.unwrap_or_else(|| ExtSeqNo::new(newest & !0xFFFF | u64::from(seq.get())))
}
