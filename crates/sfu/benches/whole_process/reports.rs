//! What viewers report of what they were sent, as browsers do twenty times a second: all of it arrived, evenly
//! (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
//!
//! Nobody reads what is sent, so the reports say what the source sent meanwhile.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use wire::rtcp::{FeedbackHeader, write_transport_feedback};
use wire::srtp::SrtpSender;
use wire::{SeqNo, Ssrc};

use crate::peer::Peer;

/// Time between two reports of a viewer.
const INTERVAL: Duration = Duration::from_millis(50);

/// Arrival times are told in units of this many µs, and in 256 of them.
const TICK: u128 = 250;

struct Viewer {
    socket: UdpSocket,
    sender: SrtpSender,
    /// Packets reported, and until when in ticks.
    reported: (u64, i64),
    count: u8,
}

/// The reports of an audience, one viewer after the other.
pub(crate) struct Reports {
    start: Instant,
    viewers: Vec<Viewer>,
    next: usize,
    due: Instant,
}

impl Reports {
    pub(crate) fn new<'a>(peers: impl Iterator<Item = &'a Peer>) -> Self {
        let start = Instant::now();
        let viewer = |peer: &Peer| {
            let socket = peer.socket.try_clone().expect("a socket can be shared");
            Viewer { socket, sender: peer.sender(), reported: (0, 0), count: 0 }
        };
        Self { start, viewers: peers.map(viewer).collect(), next: 0, due: start }
    }

    /// Sends what is due, when each viewer was sent `sent` packets.
    pub(crate) fn send_due(&mut self, sent: u64) {
        let now = Instant::now();
        let ticks = (now.duration_since(self.start).as_micros() / TICK) as i64;
        while self.due <= now {
            self.due += INTERVAL / self.viewers.len() as u32;
            if let Some(viewer) = self.viewers.get_mut(self.next) {
                viewer.report(sent, ticks);
            }
            self.next = (self.next + 1) % self.viewers.len();
        }
    }
}

impl Viewer {
    fn report(&mut self, sent: u64, now: i64) {
        let (reported, since) = std::mem::replace(&mut self.reported, (sent, now));
        let packets = (sent - reported) as i64;
        if packets == 0 {
            return;
        }
        let mut previous = since / 256 * 256;
        let arrivals = (1..=packets).map(|packet| since + (now - since) * packet / packets);
        let statuses: Vec<_> = arrivals.map(|at| Some(at - std::mem::replace(&mut previous, at))).collect();
        let header = FeedbackHeader {
            sender: Ssrc::new(1),
            media: Ssrc::new(2),
            // The first number of a transport is 1.
            base_seq: SeqNo::new((reported + 1) as u16),
            reference_time: (since / 256) as i32,
            feedback_count: self.count,
        };
        self.count = self.count.wrapping_add(1);
        let mut bytes = Vec::new();
        write_transport_feedback(&mut bytes, &header, &statuses).expect("it fits");
        self.sender.protect_rtcp(&mut bytes, 0).expect("a whole packet");
        // A full buffer loses a report, as a network would.
        let _ = self.socket.send(&bytes);
    }
}
