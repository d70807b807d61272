//! The encrypted connection: SRTP in both directions and the numbers that all packets of it share.

use std::time::{Duration, Instant};

use wire::ExtSeqNo;
use wire::rtp::RtpHeader;
use wire::srtp::{SrtpError, SrtpReceiver, SrtpSender};

use crate::dtls::Keys;
use crate::output::{Output, Pair};

/// The participant's wall clock: told once, then counted on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    started: Instant,
    unix_at_start: Duration,
}

impl WallClock {
    pub(crate) fn new(started: Instant, unix_at_start: Duration) -> Self {
        Self { started, unix_at_start }
    }

    /// Time since the Unix epoch at `now`.
    pub(crate) fn unix_at(&self, now: Instant) -> Duration {
        self.unix_at_start + now.saturating_duration_since(self.started)
    }

    /// Absolute send time: 6.18 fixed point seconds, 24 bits, wrapping.
    pub(crate) fn abs_send_time(&self, now: Instant) -> u32 {
        let micros = now.saturating_duration_since(self.started).as_micros() as u64;
        ((micros << 18) / 1_000_000) as u32 & 0x00FF_FFFF
    }
}

/// What an outgoing packet carries that changes with every sending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendStamp {
    pub(crate) transport_wide: u16,
    pub(crate) abs_send_time: u32,
}

/// SRTP of one participant.
pub(crate) struct Secure {
    keys: Keys,
    sender: SrtpSender,
    receiver: SrtpReceiver,
    next_transport_wide: u16,
    pub(crate) clock: WallClock,
    /// Where packets go; none while the participant is between two addresses.
    pub(crate) pair: Option<Pair>,
    /// Packets that SRTP had seen before.
    pub(crate) replayed: u64,
    /// Packets that were not authentic.
    pub(crate) unauthentic: u64,
}

impl Secure {
    pub(crate) fn new(keys: Keys, clock: WallClock, pair: Pair) -> Result<Self, SrtpError> {
        Ok(Self {
            sender: SrtpSender::new(keys.profile, &keys.ours)?,
            receiver: SrtpReceiver::new(keys.profile, &keys.theirs)?,
            keys,
            next_transport_wide: 1,
            clock,
            pair: Some(pair),
            replayed: 0,
            unauthentic: 0,
        })
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Sends one RTP packet: `write` appends it and returns the length of its header.
    pub(crate) fn send_rtp(
        &mut self,
        now: Instant,
        index: ExtSeqNo,
        out: &mut Output,
        write: impl FnOnce(&mut Vec<u8>, SendStamp) -> usize,
    ) {
        let Some(pair) = self.pair else { return };
        let stamp =
            SendStamp { transport_wide: self.next_transport_wide, abs_send_time: self.clock.abs_send_time(now) };
        self.next_transport_wide = self.next_transport_wide.wrapping_add(1);
        let start = out.begin();
        let header_len = write(out.arena(), stamp);
        match self.sender.protect_rtp(out.arena(), start, header_len, index) {
            Ok(()) => out.commit(start, pair),
            Err(_) => out.abandon(start),
        }
    }

    /// Sends one compound RTCP packet that `write` appends; none if it appends nothing. Without a pair it is lost, as
    /// on a network that is down.
    pub(crate) fn send_rtcp(&mut self, out: &mut Output, write: impl FnOnce(&mut Vec<u8>)) {
        let start = out.begin();
        write(out.arena());
        match self.pair {
            Some(pair) if out.begin() > start && self.sender.protect_rtcp(out.arena(), start).is_ok() => {
                out.commit(start, pair);
            }
            _ => out.abandon(start),
        }
    }

    /// Opens an RTP packet in place; its plain length and extended number.
    pub(crate) fn open_rtp(&mut self, bytes: &mut [u8], header: &RtpHeader) -> Option<(usize, ExtSeqNo)> {
        let opened = self.receiver.unprotect_rtp(bytes, header);
        self.count(opened)
    }

    /// Opens an RTCP packet in place; its plain length.
    pub(crate) fn open_rtcp(&mut self, bytes: &mut [u8]) -> Option<usize> {
        let opened = self.receiver.unprotect_rtcp(bytes);
        self.count(opened)
    }

    fn count<T>(&mut self, opened: Result<T, SrtpError>) -> Option<T> {
        match opened {
            Ok(opened) => return Some(opened),
            Err(SrtpError::Replayed | SrtpError::TooOld) => self.replayed += 1,
            Err(_) => self.unauthentic += 1,
        }
        None
    }
}
