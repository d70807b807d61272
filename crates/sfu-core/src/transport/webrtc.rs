//! A transport to a browser: one bundled ICE, DTLS and SRTP association in both directions.

use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use wire::extension::{ExtensionKind, ExtensionMap, Extensions};
use wire::rtp::RtpHeader;
use wire::srtp::{SrtpError, SrtpProfile, SrtpReceiver, SrtpSender};
use wire::{ExtSeqNo, Mid, PayloadType, Rid, Ssrc};

use super::dtls::{DtlsSession, SrtpKeys};
use super::ice::Ice;
use crate::command::{CommandError, ObjectId, ProducerSpec};
use crate::congestion::{Arrivals, Downlink};
use crate::consumer::{Consumer, Stamp};
use crate::outbox::{Outbox, Path};
use crate::producer::Producer;
use crate::quality::Connection;
use crate::rate::Traffic;
use crate::router::Router;
use crate::stats::{Drops, DtlsState, FlowStats, TransportStats};
use crate::table::Key;
use crate::trace::TraceKinds;

/// Producers on one transport: microphone, camera, screen with its sound, and room to grow.
pub const MAX_PRODUCERS: usize = 16;

/// Consumers on one transport: a full room of 50 with two sources of picture and two of sound each, and
/// room for replacement.
pub const MAX_CONSUMERS: usize = 500;

/// SSRCs received on one transport, retransmission streams included: as many as its producers can have.
const MAX_SSRCS: usize = MAX_PRODUCERS * crate::producer::MAX_STREAMS * 2;

/// Round trip assumed before the first measurement; mediasoup assumes the same.
const INITIAL_ROUND_TRIP: Duration = Duration::from_millis(100);

/// A longer round trip is a broken measurement.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(5);

/// Which stream an incoming SSRC belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamRef {
    pub(crate) producer: Key<Producer>,
    pub(crate) stream: u8,
    pub(crate) is_rtx: bool,
}

/// Which consumer an outgoing SSRC belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerRef {
    pub(crate) consumer: Key<Consumer>,
    pub(crate) is_rtx: bool,
}

/// A producer whose SSRCs are learned from the MID and RID of its packets.
#[derive(Clone, Copy, Debug)]
struct Announced {
    mid: Option<Mid>,
    rid: Option<Rid>,
    target: StreamRef,
    rtx_payload_type: Option<PayloadType>,
    /// What was learned. Each role has one SSRC for good: two would share one numbering.
    ssrc: Option<Ssrc>,
    rtx_ssrc: Option<Ssrc>,
}

struct Srtp {
    profile: SrtpProfile,
    sender: SrtpSender,
    receiver: SrtpReceiver,
}

/// What a transport's bytes are counted as. `Whole` is every datagram as it is on the wire; the others are the plain RTP in
/// it, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Whole,
    /// Sent for the first time.
    Media,
    /// Sent again.
    Repeated,
    /// Padding that probes the link.
    Probe,
}

/// One direction of a transport, by [`Part`].
pub(crate) struct Flow(Traffic<4>);

impl Flow {
    pub(crate) fn add(&mut self, part: Part, bytes: usize) {
        self.0.add(part as usize, bytes);
    }

    /// Packets and bytes so far.
    pub(crate) fn sum(&self, part: Part) -> (u64, u64) {
        self.0.sum(part as usize)
    }

    fn stats(&self, now: Instant) -> FlowStats {
        // In the order of `Part`.
        let [all, media, repeated, probes] = self.0.stats(now);
        FlowStats { all, media, repeated, probes }
    }
}

/// Counters of one transport.
pub(crate) struct Counters {
    pub(crate) received: Flow,
    pub(crate) sent: Flow,
    pub(crate) feedback_lost: u64,
    pub(crate) feedback_received: u64,
}

/// An RTP packet that stands written but not encrypted in the outbox.
#[derive(Clone, Copy)]
pub(crate) struct Plain {
    /// Where it begins in the arena.
    pub(crate) start: usize,
    pub(crate) header_len: usize,
    /// Its SRTP index.
    pub(crate) index: ExtSeqNo,
    pub(crate) stamp: Stamp,
    /// Whether it bears a transport-wide number.
    pub(crate) is_transport_wide: bool,
    pub(crate) flow: u32,
    pub(crate) part: Part,
}

/// A received RTP packet after decryption.
pub(crate) struct Received {
    pub(crate) header: RtpHeader,
    pub(crate) extensions: Extensions,
    pub(crate) seq: ExtSeqNo,
    /// Length without the authentication tag.
    pub(crate) len: usize,
    pub(crate) target: StreamRef,
}

/// The peer's reference time to answer with DLRR (RFC 3611 §4.5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerReference {
    pub(crate) ssrc: Ssrc,
    pub(crate) ntp_middle: u32,
    pub(crate) received_at: Instant,
}

/// A transport to one browser.
pub struct WebRtcTransport {
    pub(crate) id: ObjectId,
    pub(crate) router: Key<Router>,
    pub(crate) ice: Ice,
    pub(crate) dtls: DtlsSession,
    srtp: Option<Srtp>,
    pub(crate) producers: Vec<Key<Producer>>,
    pub(crate) consumers: Vec<Key<Consumer>>,
    streams: HashMap<Ssrc, StreamRef, FixedState>,
    outgoing: HashMap<Ssrc, ConsumerRef, FixedState>,
    announced: Vec<Announced>,
    receive_map: ExtensionMap,
    next_transport_wide: u16,
    epoch: Instant,
    pub(crate) arrivals: Option<Arrivals>,
    /// What keeps the way to the viewer from being filled; there once the viewer can tell what arrives.
    pub(crate) downlink: Option<Box<Downlink>>,
    /// Media SSRC named in transport-wide feedback: the last that was heard.
    pub(crate) feedback_ssrc: Option<Ssrc>,
    /// Our own SSRC in RTCP.
    pub(crate) rtcp_ssrc: Ssrc,
    pub(crate) feedback_at: Option<Instant>,
    pub(crate) report_at: Option<Instant>,
    pub(crate) repair_at: Option<Instant>,
    /// The tick of the wheel at which this transport is looked at next; other entries were overtaken.
    pub(crate) armed_tick: Option<u64>,
    pub(crate) round_trip: Option<Duration>,
    /// How far our clock is ahead of the peer's, in µs, at the quickest report so far.
    pub(crate) clock_ahead: Option<i64>,
    pub(crate) peer_reference: Option<PeerReference>,
    pub(crate) counters: Counters,
    pub(crate) connection: Connection,
    pub(crate) trace: TraceKinds,
    /// The estimate that was traced last, in bits a second.
    pub(crate) traced_estimate: u64,
    drops: Drops,
}

impl WebRtcTransport {
    pub(crate) fn new(
        now: Instant,
        id: ObjectId,
        router: Key<Router>,
        (ice, dtls): (Ice, DtlsSession),
        rtcp_ssrc: Ssrc,
    ) -> Self {
        Self {
            id,
            router,
            ice,
            dtls,
            srtp: None,
            producers: Vec::new(),
            consumers: Vec::new(),
            streams: HashMap::with_hasher(FixedState::default()),
            outgoing: HashMap::with_hasher(FixedState::default()),
            announced: Vec::new(),
            receive_map: ExtensionMap::new(),
            next_transport_wide: 1,
            epoch: now,
            arrivals: None,
            downlink: None,
            feedback_ssrc: None,
            rtcp_ssrc,
            feedback_at: None,
            report_at: None,
            repair_at: None,
            armed_tick: None,
            round_trip: None,
            clock_ahead: None,
            peer_reference: None,
            counters: Counters {
                received: Flow(Traffic::new(now)),
                sent: Flow(Traffic::new(now)),
                feedback_lost: 0,
                feedback_received: 0,
            },
            connection: Connection::default(),
            trace: TraceKinds::NONE,
            traced_estimate: 0,
            drops: Drops::default(),
        }
    }

    /// Takes the keys of the completed handshake.
    pub(crate) fn set_keys(&mut self, keys: SrtpKeys) {
        self.srtp = Some(Srtp { profile: keys.profile, sender: keys.sender, receiver: keys.receiver });
    }

    /// Whether media can be sent.
    pub(crate) fn is_connected(&self) -> bool {
        self.srtp.is_some() && self.ice.selected().is_some()
    }

    /// The next deadline of anything on this transport.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        // A handshake without a path can send nothing, so it waits for the path, not for the time.
        let dtls = self.ice.selected().and_then(|_| self.dtls.timeout_at());
        let downlink =
            self.downlink.as_ref().filter(|_| self.is_connected()).and_then(|downlink| downlink.poll_timeout());
        [dtls, self.ice.consent_ends_at(), self.feedback_at, self.report_at, self.repair_at, downlink]
            .into_iter()
            .flatten()
            .min()
    }

    /// Makes the streams of a new producer known.
    pub(crate) fn add_producer(&mut self, producer: Key<Producer>, spec: &ProducerSpec, epoch: Instant) {
        for (index, stream) in spec.streams.iter().enumerate() {
            let target = StreamRef { producer, stream: index as u8, is_rtx: false };
            if let Some(ssrc) = stream.ssrc {
                self.streams.insert(ssrc, target);
            }
            if let Some(ssrc) = stream.rtx_ssrc {
                self.streams.insert(ssrc, StreamRef { is_rtx: true, ..target });
            }
            if stream.ssrc.is_none() {
                self.announced.push(Announced {
                    mid: spec.mid,
                    rid: stream.rid,
                    target,
                    rtx_payload_type: spec.rtx_payload_type,
                    ssrc: None,
                    rtx_ssrc: stream.rtx_ssrc,
                });
            }
        }
        for kind in ExtensionKind::ALL {
            if let Some(id) = spec.extensions.id_of(kind) {
                self.receive_map.insert(id, kind);
            }
        }
        if self.receive_map.id_of(ExtensionKind::TransportWideCc).is_some() {
            self.arrivals.get_or_insert_with(|| Arrivals::new(epoch));
        }
        self.producers.push(producer);
    }

    /// Whether the streams of `spec` can be told from those that are here already.
    pub(crate) fn check_producer(&self, spec: &ProducerSpec) -> Result<(), CommandError> {
        if self.producers.len() >= MAX_PRODUCERS {
            return Err(CommandError::TooManyProducers);
        }
        if spec.streams.is_empty() || spec.streams.len() > crate::producer::MAX_STREAMS {
            return Err(CommandError::BadStreamCount);
        }
        let ssrcs = spec.streams.iter().flat_map(|stream| [stream.ssrc, stream.rtx_ssrc]);
        let mut seen = Vec::new();
        for ssrc in ssrcs.flatten() {
            if self.streams.contains_key(&ssrc) || seen.contains(&ssrc) {
                return Err(CommandError::SsrcInUse(ssrc.get()));
            }
            seen.push(ssrc);
        }
        let unnamed = spec.streams.iter().filter(|stream| stream.ssrc.is_none());
        for stream in unnamed {
            let clashes = |other: &Announced| other.mid == spec.mid && other.rid == stream.rid;
            if self.announced.iter().any(clashes) {
                return Err(CommandError::MidInUse);
            }
        }
        Ok(())
    }

    /// Forgets a producer and every SSRC that led to it.
    pub(crate) fn remove_producer(&mut self, producer: Key<Producer>) {
        self.producers.retain(|&key| key != producer);
        self.streams.retain(|_, target| target.producer != producer);
        self.announced.retain(|announced| announced.target.producer != producer);
    }

    /// Whether a consumer with these SSRCs fits here.
    pub(crate) fn check_consumer(&self, ssrcs: [Option<Ssrc>; 2]) -> Result<(), CommandError> {
        if self.consumers.len() >= MAX_CONSUMERS {
            return Err(CommandError::TooManyConsumers);
        }
        match ssrcs.into_iter().flatten().find(|ssrc| self.outgoing.contains_key(ssrc)) {
            Some(ssrc) => Err(CommandError::SsrcInUse(ssrc.get())),
            None if ssrcs[0] == ssrcs[1] => Err(CommandError::SsrcInUse(ssrcs[0].map_or(0, Ssrc::get))),
            None => Ok(()),
        }
    }

    pub(crate) fn add_consumer(&mut self, consumer: Key<Consumer>, ssrc: Ssrc, rtx: Option<Ssrc>) {
        self.consumers.push(consumer);
        self.outgoing.insert(ssrc, ConsumerRef { consumer, is_rtx: false });
        if let Some(rtx) = rtx {
            self.outgoing.insert(rtx, ConsumerRef { consumer, is_rtx: true });
        }
    }

    /// Forgets a consumer. Its SSRCs are not given out again: their SRTP indices are spent.
    pub(crate) fn remove_consumer(&mut self, consumer: Key<Consumer>) {
        self.consumers.retain(|&key| key != consumer);
        self.outgoing.retain(|_, target| target.consumer != consumer);
    }

    /// The consumer that sends under `ssrc`.
    pub(crate) fn consumer_of(&self, ssrc: Ssrc) -> Option<ConsumerRef> {
        self.outgoing.get(&ssrc).copied()
    }

    /// The stream that is received under `ssrc`.
    pub(crate) fn stream_of(&self, ssrc: Ssrc) -> Option<StreamRef> {
        self.streams.get(&ssrc).copied()
    }

    /// Decrypts an RTP packet in place and finds the stream it belongs to. A reason to drop it is
    /// counted in `drops`.
    pub(crate) fn receive_rtp(
        &mut self,
        received_at: Instant,
        packet: &mut [u8],
        drops: &mut Drops,
    ) -> Option<Received> {
        let Some(srtp) = &mut self.srtp else {
            drops.no_keys += 1;
            return None;
        };
        let Ok(header) = RtpHeader::parse(packet) else {
            drops.malformed += 1;
            return None;
        };
        let (len, seq) = match srtp.receiver.unprotect_rtp(packet, &header) {
            Ok(opened) => opened,
            Err(error) => {
                self.count_srtp_error(error, drops);
                return None;
            }
        };
        let plain = packet.get(..len)?;
        let extensions = Extensions::parse(plain, &header, &self.receive_map);
        if let Some(arrivals) = &mut self.arrivals
            && let Some(number) =
                extensions.get(plain, ExtensionKind::TransportWideCc).and_then(wire::extension::read_u16)
        {
            arrivals.receive(wire::SeqNo::new(number), received_at);
            // A sender heeds feedback only while it names a stream that it still sends.
            self.feedback_ssrc = Some(header.ssrc);
        }
        let target = match self.streams.get(&header.ssrc) {
            Some(target) => *target,
            None => match self.learn_ssrc(plain, &header, &extensions) {
                Some(target) => target,
                None => {
                    drops.unknown_ssrc += 1;
                    self.drops.unknown_ssrc += 1;
                    return None;
                }
            },
        };
        Some(Received { header, extensions, seq, len, target })
    }

    /// Finds the stream of a new SSRC by the packet's MID and RID (RFC 8843 §9.2, RFC 8852).
    fn learn_ssrc(&mut self, packet: &[u8], header: &RtpHeader, extensions: &Extensions) -> Option<StreamRef> {
        if self.streams.len() >= MAX_SSRCS {
            return None;
        }
        let element = |kind| extensions.get(packet, kind);
        let mid = element(ExtensionKind::Mid).and_then(Mid::from_bytes);
        let rid = element(ExtensionKind::Rid).and_then(Rid::from_bytes);
        let repaired = element(ExtensionKind::RepairedRid).and_then(Rid::from_bytes);
        let found = self.announced.iter_mut().find(|announced| {
            let same_mid = announced.mid.is_none() || mid.is_none() || announced.mid == mid;
            let same_section = mid.is_some() && announced.mid == mid;
            same_mid
                && match announced.rid {
                    Some(_) => announced.rid == rid || announced.rid == repaired,
                    None => same_section,
                }
        })?;
        let is_rtx = repaired.is_some() || found.rtx_payload_type == Some(header.payload_type);
        let known = if is_rtx { &mut found.rtx_ssrc } else { &mut found.ssrc };
        if known.is_some() {
            return None;
        }
        *known = Some(header.ssrc);
        let target = StreamRef { is_rtx, ..found.target };
        self.streams.insert(header.ssrc, target);
        Some(target)
    }

    /// Decrypts an RTCP packet in place; returns its plain length.
    pub(crate) fn receive_rtcp(&mut self, packet: &mut [u8], drops: &mut Drops) -> Option<usize> {
        let Some(srtp) = &mut self.srtp else {
            drops.no_keys += 1;
            return None;
        };
        match srtp.receiver.unprotect_rtcp(packet) {
            Ok(len) => Some(len),
            Err(error) => {
                self.count_srtp_error(error, drops);
                None
            }
        }
    }

    fn count_srtp_error(&mut self, error: SrtpError, drops: &mut Drops) {
        match error {
            SrtpError::Replayed | SrtpError::TooOld => {
                drops.replayed += 1;
                self.drops.replayed += 1;
            }
            SrtpError::Short => drops.malformed += 1,
            _ => {
                drops.unauthentic += 1;
                self.drops.unauthentic += 1;
            }
        }
    }

    /// The values of the extensions that change with every sending.
    pub(crate) fn take_stamp(&mut self, now: Instant, transport_wide: bool) -> Stamp {
        let micros = now.saturating_duration_since(self.epoch).as_micros() as u64;
        let number = self.next_transport_wide;
        if transport_wide {
            self.next_transport_wide = number.wrapping_add(1);
        }
        Stamp {
            transport_wide: number,
            // 6.18 fixed point seconds, 24 bits, wrapping.
            abs_send_time: ((micros << 18) / 1_000_000) as u32 & 0x00FF_FFFF,
        }
    }

    /// Encrypts the plain RTP packet that was written into the outbox from `start` on, and queues it. `stamp` is what it
    /// bears, with whether it bears a transport-wide number.
    pub(crate) fn send_rtp(
        &mut self,
        now: Instant,
        out: &mut Outbox,
        Plain { start, header_len, index, stamp, is_transport_wide, flow, part }: Plain,
    ) -> bool {
        let (Some(srtp), Some(path)) = (&mut self.srtp, self.ice.selected()) else {
            out.abandon(start);
            return false;
        };
        let (arena, end) = out.begin();
        if srtp.sender.protect_rtp(arena, start, header_len, index).is_err() {
            debug_assert!(false, "our own packet cannot be encrypted");
            out.abandon(start);
            return false;
        }
        self.counters.sent.add(part, end - start);
        let bytes = self.finish(out, start, path, flow);
        if let Some(downlink) = &mut self.downlink {
            downlink.note_sent(now, is_transport_wide.then_some(stamp.transport_wide), bytes);
        }
        true
    }

    /// Encrypts the plain RTCP packet that was written into the outbox from `start` on, and queues it.
    pub(crate) fn send_rtcp(&mut self, out: &mut Outbox, start: usize, flow: u32) {
        let (Some(srtp), Some(path)) = (&mut self.srtp, self.ice.selected()) else {
            out.abandon(start);
            return;
        };
        let (arena, end) = out.begin();
        if end == start || srtp.sender.protect_rtcp(arena, start).is_err() {
            out.abandon(start);
            return;
        }
        self.finish(out, start, path, flow);
    }

    fn finish(&mut self, out: &mut Outbox, start: usize, path: Path, flow: u32) -> usize {
        let (_, end) = out.begin();
        self.counters.sent.add(Part::Whole, end - start);
        out.commit(start, path, flow);
        end - start
    }

    /// The round trip to the peer, measured or assumed.
    pub(crate) fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(INITIAL_ROUND_TRIP)
    }

    /// Takes one measurement of the round trip into the smoothed value (RFC 6298 §2).
    pub(crate) fn measure_round_trip(&mut self, sample: Duration) {
        if sample > MAX_ROUND_TRIP {
            return;
        }
        let smoothed = self.round_trip.map_or(sample, |old| (old * 7 + sample) / 8);
        self.round_trip = Some(smoothed);
        if let Some(downlink) = &mut self.downlink {
            downlink.estimator.note_round_trip(smoothed);
        }
    }

    /// Notes how much went by, for the rates; with every report.
    pub(crate) fn note_traffic(&mut self, now: Instant) {
        self.counters.received.0.note(now);
        self.counters.sent.0.note(now);
    }

    pub(crate) fn stats(&self, now: Instant) -> TransportStats {
        TransportStats {
            ice: self.ice.state(),
            dtls: match &self.srtp {
                Some(_) => DtlsState::Connected,
                None if self.dtls.is_started() => DtlsState::Connecting,
                None => DtlsState::New,
            },
            local: self.ice.selected().map(|path| path.local),
            srtp_profile: self.srtp.as_ref().map(|srtp| match srtp.profile {
                SrtpProfile::AeadAes128Gcm => "AEAD_AES_128_GCM",
                SrtpProfile::AeadAes256Gcm => "AEAD_AES_256_GCM",
                SrtpProfile::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            }),
            paths: self.ice.paths().count(),
            received: self.counters.received.stats(now),
            sent: self.counters.sent.stats(now),
            unauthentic: self.drops.unauthentic,
            replayed: self.drops.replayed,
            unknown_ssrc: self.drops.unknown_ssrc,
            feedback_lost: self.counters.feedback_lost,
            feedback_received: self.counters.feedback_received,
            round_trip: self.round_trip,
            estimate: self.downlink.as_ref().map(|downlink| downlink.estimator.stats()),
            pacer_delay: self.downlink.as_ref().map(|downlink| downlink.pacer.delay()).unwrap_or_default(),
            ..TransportStats::default()
        }
    }
}
