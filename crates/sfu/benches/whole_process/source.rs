//! A publisher's packets, encrypted as they go out, at a steady rate in bursts.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use wire::rtp::{HeaderFields, write_header};
use wire::srtp::SrtpSender;
use wire::{ExtSeqNo, PayloadType, RtpTimestamp, Ssrc};

use crate::peer::Peer;

/// Bytes of a packet on the wire, as Chromium's video has them.
pub(crate) const PACKET_LEN: usize = 1200;

/// What the publisher negotiated: its SSRC and payload type are below.
pub(crate) const RTP_PARAMETERS: &str = r#"{
  "mid": "0",
  "codecs": [
    {"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000, "parameters": {},
     "rtcpFeedback": [{"type": "nack"}, {"type": "nack", "parameter": "pli"}, {"type": "transport-cc"}]},
    {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000, "parameters": {"apt": 96}, "rtcpFeedback": []}
  ],
  "headerExtensions": [{"uri": "urn:ietf:params:rtp-hdrext:sdes:mid", "id": 4, "encrypt": false, "parameters": {}}],
  "encodings": [{"ssrc": 4660, "rtx": {"ssrc": 4661}}],
  "rtcp": {"cname": "bench", "reducedSize": true}
}"#;

/// Where VP8's descriptor says that a key frame begins, and that an ordinary frame does.
const KEY_FRAME: [u8; 2] = [0x10, 0x00];
const INTER_FRAME: [u8; 2] = [0x10, 0x01];

/// The first sequence number.
const FIRST: u64 = 1000;

/// Bytes of a GCM tag.
const TAG_LEN: usize = 16;

pub(crate) struct Source {
    socket: UdpSocket,
    sender: SrtpSender,
    burst: usize,
    pause: Duration,
    next: u64,
}

impl Source {
    /// `rate`: packets a second.
    pub(crate) fn new(peer: &Peer, burst: usize, rate: usize) -> Self {
        Self::with(peer.socket.try_clone().expect("a socket can be shared"), peer.sender(), burst, rate)
    }

    pub(crate) fn with(socket: UdpSocket, sender: SrtpSender, burst: usize, rate: usize) -> Self {
        let pause = Duration::from_secs_f64(burst as f64 / rate.max(1) as f64);
        Self { socket, sender, burst, pause, next: FIRST }
    }

    /// Sends for `time`, in bursts at even distances, and does `after_each` after each, told how many packets were sent so far.
    pub(crate) fn run(&mut self, time: Duration, mut after_each: impl FnMut(u64)) {
        let started = Instant::now();
        let mut due = started;
        let mut packet = Vec::with_capacity(PACKET_LEN);
        while started.elapsed() < time {
            for _ in 0..self.burst {
                self.write(&mut packet);
                // A full buffer loses a packet; the figures count what was forwarded.
                let _ = self.socket.send(&packet);
            }
            after_each(self.next - FIRST);
            due += self.pause;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }

    fn write(&mut self, packet: &mut Vec<u8>) {
        let index = ExtSeqNo::new(self.next);
        packet.clear();
        let fields = HeaderFields {
            marker: true,
            payload_type: PayloadType::new(96).expect("below 128"),
            seq: index.truncate(),
            timestamp: RtpTimestamp::new((self.next as u32).wrapping_mul(3000)),
            ssrc: Ssrc::new(4660),
        };
        write_header(packet, &fields, false, false);
        packet.extend_from_slice(if self.next.is_multiple_of(500) { &KEY_FRAME } else { &INTER_FRAME });
        packet.resize(PACKET_LEN - TAG_LEN, self.next as u8);
        self.sender.protect_rtp(packet, 0, 12, index).expect("a whole packet");
        self.next += 1;
    }
}
