//! Figures of the objects, as they are told to the outside; and the worker's counters of what it drops.

use std::time::Duration;

use crate::congestion::EstimateStats;
use crate::producer::Layer;

/// Datagrams that a worker dropped, by reason. They only ever grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// No known protocol by its first byte.
    pub unknown_protocol: u64,
    /// STUN that does not parse, names no transport of ours, or is not authentic.
    pub bad_stun: u64,
    /// DTLS, RTP or RTCP from a path that ICE has not validated.
    pub unvalidated_path: u64,
    /// DTLS that the session refused.
    pub refused_dtls: u64,
    /// RTP or RTCP before the keys are there.
    pub no_keys: u64,
    /// RTP or RTCP with a broken header.
    pub malformed: u64,
    /// SRTP that is not authentic.
    pub unauthentic: u64,
    /// SRTP that was received before, or is too old to tell.
    pub replayed: u64,
    /// RTP of an SSRC that no producer claims.
    pub unknown_ssrc: u64,
}

/// Figures of one transport.
#[derive(Clone, Debug, Default)]
pub struct TransportStats {
    /// Whether at least one path is validated.
    pub ice_connected: bool,
    /// Whether the DTLS handshake is complete.
    pub dtls_connected: bool,
    /// The SRTP profile in use.
    pub srtp_profile: Option<&'static str>,
    /// Validated paths.
    pub paths: usize,
    /// Datagrams received from validated paths.
    pub datagrams_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// RTP and RTCP datagrams sent.
    pub datagrams_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// SRTP that was not authentic.
    pub unauthentic: u64,
    /// SRTP that was replayed.
    pub replayed: u64,
    /// RTP of SSRCs that no producer claims.
    pub unknown_ssrc: u64,
    /// Packets that the peer's transport-wide feedback reported lost.
    pub feedback_lost: u64,
    /// Packets that the peer's transport-wide feedback reported received.
    pub feedback_received: u64,
    /// Smoothed round trip to the peer.
    pub round_trip: Option<Duration>,
    /// What the link to the viewer is believed to carry, where the viewer tells what arrives.
    pub estimate: Option<EstimateStats>,
    /// How long a packet that is sent now waits for its turn.
    pub pacer_delay: Duration,
}

/// Figures of one stream of a producer.
#[derive(Clone, Debug, Default)]
pub struct StreamStats {
    /// SSRC, once known.
    pub ssrc: Option<u32>,
    /// Restriction identifier of a simulcast stream.
    pub rid: Option<String>,
    /// Packets received, retransmitted ones not counted twice.
    pub packets_received: u64,
    /// Their payload bytes.
    pub bytes_received: u64,
    /// Packets that never came (RFC 3550 §A.3).
    pub packets_lost: i64,
    /// Packets that came by retransmission.
    pub packets_repaired: u64,
    /// Packets that came twice.
    pub packets_duplicated: u64,
    /// Interarrival jitter (RFC 3550 §A.8), in seconds.
    pub jitter_seconds: f64,
    /// Packets asked for by NACK.
    pub nacks_sent: u64,
    /// Key frame requests sent.
    pub key_frame_requests: u64,
    /// Key frames that began.
    pub key_frames: u64,
}

/// Figures of one producer.
#[derive(Clone, Debug, Default)]
pub struct ProducerStats {
    /// Its streams, lowest quality first.
    pub streams: Vec<StreamStats>,
    /// How many consumers it has.
    pub consumers: usize,
}

/// Figures of one consumer.
#[derive(Clone, Debug, Default)]
pub struct ConsumerStats {
    /// SSRC of what it sends.
    pub ssrc: u32,
    /// Packets sent, retransmissions not counted.
    pub packets_sent: u64,
    /// Payload bytes sent, retransmissions not counted.
    pub bytes_sent: u64,
    /// Packets sent again.
    pub packets_retransmitted: u64,
    /// Packets that the receiver asked for.
    pub nacks_received: u64,
    /// Of those, the ones no longer in the history or over the budget.
    pub nacks_unanswered: u64,
    /// PLI and FIR received.
    pub key_frame_requests: u64,
    /// Share of packets lost in the last report, 0 to 1.
    pub fraction_lost: f64,
    /// Packets the receiver reported lost in total.
    pub packets_lost: i64,
    /// Round trip by the receiver's last report.
    pub round_trip: Option<Duration>,
    /// The layer that is sent.
    pub current: Option<Layer>,
    /// The layer that is to be sent.
    pub target: Option<Layer>,
}
