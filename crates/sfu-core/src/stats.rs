//! Figures of the objects, as they are told to the outside; and the worker's counters of what it drops.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use wire::codec::CodecKind;

use crate::command::{CommandError, Reply};
use crate::congestion::EstimateStats;
use crate::consumer::Consumer;
use crate::producer::{Layer, Producer, Stream};
use crate::rate::TrafficStats;
use crate::table::Key;
use crate::transport::WebRtcTransport;
use crate::worker::Worker;

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

/// How far ICE is, in mediasoup's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IceState {
    /// No check came yet.
    #[default]
    New,
    /// A path is validated, and the peer chose none yet.
    Connected,
    /// The peer chose a path.
    Completed,
    /// No path is left.
    Disconnected,
}

/// How far DTLS is, in mediasoup's words. A transport whose handshake failed is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsState {
    /// The peer's parameters are not known yet.
    #[default]
    New,
    /// The handshake goes on.
    Connecting,
    /// Media can flow.
    Connected,
}

/// One direction of a transport. `all` counts datagrams as they are on the wire, RTCP and DTLS included; the others count the
/// RTP packets in them, without what encryption adds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowStats {
    /// Everything.
    pub all: TrafficStats,
    /// Media that went for the first time.
    pub media: TrafficStats,
    /// Media that went again.
    pub repeated: TrafficStats,
    /// Padding that probes the link; only counted where we send.
    pub probes: TrafficStats,
}

/// Figures of one transport.
#[derive(Clone, Debug, Default)]
pub struct TransportStats {
    /// Since the Unix epoch.
    pub time: Duration,
    /// How far ICE is.
    pub ice: IceState,
    /// How far DTLS is.
    pub dtls: DtlsState,
    /// The address of ours on the selected path.
    pub local: Option<IpAddr>,
    /// The SRTP profile in use.
    pub srtp_profile: Option<&'static str>,
    /// Validated paths.
    pub paths: usize,
    /// What came from validated paths.
    pub received: FlowStats,
    /// RTP and RTCP that was sent.
    pub sent: FlowStats,
    /// Share of the RTP packets to us that did not come by themselves between the last two reports, 0 to 1.
    pub loss_received: Option<f64>,
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
#[derive(Clone, Debug)]
pub struct StreamStats {
    /// Its codec.
    pub codec: CodecKind,
    /// SSRC, once known.
    pub ssrc: Option<u32>,
    /// SSRC of its retransmissions, once known.
    pub rtx_ssrc: Option<u32>,
    /// Restriction identifier of a simulcast stream.
    pub rid: Option<String>,
    /// Packets received, retransmitted ones not counted twice.
    pub packets_received: u64,
    /// Their payload bytes.
    pub bytes_received: u64,
    /// Bytes of the whole RTP packets.
    pub rtp_bytes_received: u64,
    /// Bits a second of the whole RTP packets lately.
    pub bit_rate: u64,
    /// The same by layer, as a viewer of that layer is sent it. Of sound there are none.
    pub layers: Vec<(Layer, u64)>,
    /// Packets that never came (RFC 3550 §A.3).
    pub packets_lost: i64,
    /// Share of packets lost between the last two reports, of 256.
    pub fraction_lost: u8,
    /// Packets that came by retransmission, needed or not.
    pub packets_retransmitted: u64,
    /// Of those, the ones that brought what was missing.
    pub packets_repaired: u64,
    /// Of those, the ones that brought nothing.
    pub rtx_packets_discarded: u64,
    /// Packets that came twice.
    pub packets_duplicated: u64,
    /// Interarrival jitter (RFC 3550 §A.8), in seconds.
    pub jitter_seconds: f64,
    /// NACKs sent.
    pub nack_messages: u64,
    /// Packets asked for by them.
    pub nacks_sent: u64,
    /// Key frame requests sent.
    pub key_frame_requests: u64,
    /// Of those, the FIRs.
    pub firs_sent: u64,
    /// Key frames that began.
    pub key_frames: u64,
    /// 0 to 10; 0 while nothing comes.
    pub score: u8,
}

/// Figures of one producer.
#[derive(Clone, Debug, Default)]
pub struct ProducerStats {
    /// Since the Unix epoch.
    pub time: Duration,
    /// Its streams, lowest quality first.
    pub streams: Vec<StreamStats>,
    /// How many consumers it has.
    pub consumers: usize,
    /// Smoothed round trip to its peer, once measured.
    pub round_trip: Option<Duration>,
}

/// Figures of one consumer.
#[derive(Clone, Debug)]
pub struct ConsumerStats {
    /// Since the Unix epoch.
    pub time: Duration,
    /// Its codec.
    pub codec: CodecKind,
    /// SSRC of what it sends.
    pub ssrc: u32,
    /// SSRC of its retransmissions.
    pub rtx_ssrc: Option<u32>,
    /// Packets sent, retransmissions not counted.
    pub packets_sent: u64,
    /// Payload bytes sent, retransmissions not counted.
    pub bytes_sent: u64,
    /// Bytes of the whole RTP packets sent, retransmissions not counted.
    pub rtp_bytes_sent: u64,
    /// Bits a second of the same lately.
    pub bit_rate: u64,
    /// Packets sent again.
    pub packets_retransmitted: u64,
    /// Of those, the ones sent again for the first time.
    pub packets_repaired: u64,
    /// NACKs received.
    pub nack_messages: u64,
    /// Packets that the receiver asked for by them.
    pub nacks_received: u64,
    /// Of those, the ones no longer in the history or over the budget.
    pub nacks_unanswered: u64,
    /// PLI and FIR received.
    pub key_frame_requests: u64,
    /// Of those, the FIRs.
    pub firs_received: u64,
    /// Share of packets lost in the last report, of 256.
    pub fraction_lost: u8,
    /// Packets the receiver reported lost in total.
    pub packets_lost: i64,
    /// Interarrival jitter by the receiver's last report, in seconds.
    pub jitter_seconds: f64,
    /// 0 to 10, by the receiver's last report.
    pub score: u8,
    /// Round trip to the receiver, measured or assumed.
    pub round_trip: Option<Duration>,
    /// The same, once measured.
    pub measured_round_trip: Option<Duration>,
    /// What its transport's link is believed to carry, in bits a second.
    pub available: Option<u64>,
    /// How long a picture's packet waits for its turn now.
    pub pacer_delay: Duration,
    /// The layer that is sent.
    pub current: Option<Layer>,
    /// The layer that is to be sent.
    pub target: Option<Layer>,
    /// Figures of the stream that is sent; `None` while none is.
    pub source: Option<StreamStats>,
    /// Smoothed round trip to the source's peer, once measured.
    pub source_round_trip: Option<Duration>,
}

/// Questions.
impl Worker {
    /// Notes what went over a transport, for the rates; with every report.
    pub(crate) fn note_traffic(&mut self, now: Instant, key: Key<WebRtcTransport>) {
        let Self { transports, producers, consumers, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        transport.note_traffic(now);
        for producer in &transport.producers {
            let streams = producers.get_mut(*producer).map(|producer| producer.streams.iter_mut());
            streams.into_iter().flatten().for_each(|stream| stream.note_traffic(now));
        }
        for consumer in &transport.consumers {
            consumers.get_mut(*consumer).into_iter().for_each(|consumer| consumer.note_traffic(now));
        }
    }

    pub(crate) fn transport_stats(&self, now: Instant, key: Key<WebRtcTransport>) -> Result<Reply, CommandError> {
        let transport = self.transports.get(key).ok_or(CommandError::NoTransport)?;
        let streams = transport.producers.iter().filter_map(|&key| self.producers.get(key)).flat_map(|p| &p.streams);
        let add = |(all, lost), stream: &Stream| (all + stream.first_tries.0, lost + stream.first_tries.1);
        let (expected, lost) = streams.fold((0, 0), add);
        let mut stats = transport.stats(now);
        stats.time = self.unix_at(now);
        stats.loss_received = (expected > 0).then(|| lost as f64 / expected as f64);
        Ok(Reply::TransportStats(Box::new(stats)))
    }

    pub(crate) fn producer_stats(&self, now: Instant, key: Key<Producer>) -> Result<Reply, CommandError> {
        let producer = self.producers.get(key).ok_or(CommandError::NoProducer)?;
        let mut stats = producer.stats(now);
        stats.time = self.unix_at(now);
        stats.round_trip = self.transports.get(producer.transport).and_then(|transport| transport.round_trip);
        Ok(Reply::ProducerStats(Box::new(stats)))
    }

    pub(crate) fn consumer_stats(&self, now: Instant, key: Key<Consumer>) -> Result<Reply, CommandError> {
        let consumer = self.consumers.get(key).ok_or(CommandError::NoConsumer)?;
        let producer = self.producers.get(consumer.spec.producer).ok_or(CommandError::NoProducer)?;
        let mut stats = consumer.stats(now, producer);
        stats.time = self.unix_at(now);
        stats.source_round_trip = self.transports.get(producer.transport).and_then(|transport| transport.round_trip);
        if let Some(transport) = self.transports.get(consumer.transport) {
            stats.round_trip = Some(transport.round_trip());
            stats.measured_round_trip = transport.round_trip;
            if let Some(downlink) = &transport.downlink {
                stats.available = Some(downlink.estimator.rate());
                stats.pacer_delay = if consumer.is_sound() { Duration::ZERO } else { downlink.pacer.delay() };
            }
        }
        Ok(Reply::ConsumerStats(Box::new(stats)))
    }
}
