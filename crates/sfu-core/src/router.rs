//! A room's media: who is in it, and the loop that hands one received packet to its audience.

use std::time::Instant;

use wire::ExtSeqNo;

use crate::command::{EventKind, ObjectId};
use crate::congestion::Paced;
use crate::consumer::{Admitted, As, Consumer, LayersReason};
use crate::outbox::{Outbox, Path};
use crate::producer::{Arrived, Incoming, KeyFrameRequest, Layer, Producer, StoredPacket, Stream};
use crate::speaker::Speakers;
use crate::table::{Key, Table};
use crate::trace::{self, Direction, TraceEvent, TraceKinds, Traced, Tracer};
use crate::transport::{Part, Plain, Received, WebRtcTransport};
use crate::worker::{Events, Worker, arm};

/// Packets that may wait for the end of a turn. Small, so that what was stored is still in the cache.
pub(crate) const MAX_WAITING: usize = 16;

/// What arrived in this turn and was not handed on yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    producer: Key<Producer>,
    stream: u8,
    arrived: Arrived,
}

/// The same, looked up once for the whole audience.
enum Ready<'a> {
    Packet(u8, StoredPacket<'a>),
    Skipped(u8, ExtSeqNo),
}

/// One room's media.
pub struct Router {
    pub(crate) id: ObjectId,
    pub(crate) transports: Vec<Key<WebRtcTransport>>,
    pub(crate) speakers: Speakers,
    /// When the microphones are observed next, as the timers count; `None` while all are quiet.
    pub(crate) observe_tick: Option<u64>,
    /// Where the one who leads the conversation publishes.
    pub(crate) led_from: Option<Key<WebRtcTransport>>,
    pub(crate) tracer: Tracer,
}

impl Router {
    pub(crate) fn new(id: ObjectId) -> Self {
        let speakers = Speakers::new();
        Self { id, transports: Vec::new(), speakers, observe_tick: None, led_from: None, tracer: Tracer::default() }
    }
}

impl Worker {
    /// The way of one RTP packet: decrypt, store, hand to the audience.
    pub(crate) fn receive_rtp(
        &mut self,
        (now, received_at): (Instant, Instant),
        key: Key<WebRtcTransport>,
        bytes: &mut [u8],
        out: &mut Outbox,
    ) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let received = transport.receive_rtp(received_at, bytes, &mut self.drops);
        // Also for a packet that nobody wants: the sender's estimator counts on every number.
        if transport.feedback_at.is_none() && transport.arrivals.as_ref().is_some_and(|all| all.has_unreported()) {
            transport.feedback_at = Some(now + crate::congestion::FEEDBACK_INTERVAL);
        }
        let Some(Received { header, extensions, seq, len, target }) = received else {
            self.rearm(key);
            return;
        };
        let Some(producer) = self.producers.get_mut(target.producer) else { return };
        let Some(stream) = producer.streams.get_mut(usize::from(target.stream)) else { return };
        let packet = Incoming { received_at, header, extensions, bytes: &bytes[..len] };
        let arrived = if target.is_rtx {
            stream.rtx_ssrc.get_or_insert(header.ssrc);
            stream.receive_rtx(now, packet)
        } else {
            stream.ssrc.get_or_insert(header.ssrc);
            stream.receive(now, seq, packet)
        };
        let (recovered, was_heard) = (stream.take_recovered(), producer.is_heard);
        if arrived != Arrived::Nothing {
            let part = if target.is_rtx { Part::Repeated } else { Part::Media };
            transport.counters.received.add(part, len);
        }
        if let Some(at) = stream.deadline() {
            transport.repair_at = Some(transport.repair_at.map_or(at, |old| old.min(at)));
        }
        let spatial = match (producer.streams.len(), arrived) {
            (1, Arrived::Packet(seq)) => {
                producer.streams[0].packet(seq).map_or(0, |packet| packet.meta.frame.layer.spatial)
            }
            (1, _) => 0,
            _ => target.stream,
        };
        if producer.trace.has(TraceKinds::KEY_FRAME) {
            let key_frame = producer.key_frame_at(target.stream, arrived);
            let what = key_frame.map(|(ssrc, seq)| TraceEvent::KeyFrame { direction: Direction::In, ssrc, seq });
            if let Some(what) = what {
                let Self { routers, events, .. } = self;
                trace::tell(now, (routers, events), producer.router, Traced::Producer(producer.id), what);
            }
        }
        if !target.is_rtx && producer.note_live(received_at, spatial) {
            self.aim_audience(now, target.producer);
        }
        if arrived != Arrived::Nothing && self.is_heard(now, target.producer, target.stream, arrived) {
            let waiting = |arrived| Waiting { producer: target.producer, stream: target.stream, arrived };
            // What was lost before a word began was not to be heard.
            for seq in recovered.into_iter().flatten().filter(|_| was_heard) {
                self.wait_for_turn(now, waiting(Arrived::Packet(seq)), out);
            }
            self.wait_for_turn(now, waiting(arrived), out);
        }
        self.rearm(key);
    }

    fn wait_for_turn(&mut self, now: Instant, waiting: Waiting, out: &mut Outbox) {
        self.waiting.push(waiting);
        if self.waiting.len() == MAX_WAITING {
            self.forward_waiting(now, out);
        }
    }

    /// Hands the packets that arrived in this turn to their audiences, consumer by consumer: so the packets of
    /// one destination lie side by side in the outbox and can be sent in one go.
    pub(crate) fn forward_waiting(&mut self, now: Instant, out: &mut Outbox) {
        let mut waiting = std::mem::take(&mut self.waiting);
        while let Some(first) = waiting.first() {
            let producer = first.producer;
            self.forward(now, producer, &waiting, out);
            waiting.retain(|packet| packet.producer != producer);
        }
        self.waiting = waiting;
    }

    /// Hands those of `waiting` that are `key`'s to its audience.
    fn forward(&mut self, now: Instant, key: Key<Producer>, waiting: &[Waiting], out: &mut Outbox) {
        let Self { producers, consumers, transports, routers, events, timers, .. } = self;
        let Some(producer) = producers.get(key) else { return };
        if producer.paused {
            return;
        }
        let mut batch: [Option<Ready<'_>>; MAX_WAITING] = [const { None }; MAX_WAITING];
        let ours = waiting.iter().filter(|packet| packet.producer == key);
        let mut count = 0;
        for (slot, packet) in batch.iter_mut().zip(ours) {
            let stream = producer.streams.get(usize::from(packet.stream));
            *slot = match packet.arrived {
                Arrived::Packet(seq) => {
                    stream.and_then(|stream| stream.packet(seq)).map(|stored| Ready::Packet(packet.stream, stored))
                }
                Arrived::Skipped(seq) => Some(Ready::Skipped(packet.stream, seq)),
                Arrived::Nothing => None,
            };
            count += 1;
        }
        for &key in &producer.audience {
            let Some(consumer) = consumers.get_mut(key) else { continue };
            let Some(transport) = transports.get_mut(consumer.transport) else { continue };
            if !transport.is_connected() {
                continue;
            }
            for ready in batch[..count].iter().flatten() {
                let (stream, packet) = match ready {
                    Ready::Packet(stream, packet) => (*stream, packet),
                    Ready::Skipped(stream, seq) => {
                        consumer.skip(*stream, *seq);
                        continue;
                    }
                };
                let Some(admitted) = consumer.admit(stream, packet, &producer.streams) else { continue };
                let Some(source) = producer.streams.get(usize::from(stream)) else { continue };
                if consumer.trace.has(TraceKinds::KEY_FRAME) && producer.starts_key_frame(packet) {
                    let (ssrc, seq) = (consumer.spec.ssrc.get(), admitted.seq.truncate().get());
                    let what = TraceEvent::KeyFrame { direction: Direction::Out, ssrc, seq };
                    trace::tell(now, (routers, events), consumer.router, Traced::Consumer(consumer.id), what);
                }
                if send_media(now, (key, &mut *consumer), transport, (stream, source, packet), admitted, out) {
                    arm(timers, consumer.transport, transport);
                }
            }
            if let Some((layer, reason)) = consumer.take_news(producer) {
                tell_layers(now, (routers, events), consumer, (layer, reason));
            }
        }
    }

    /// Has every consumer of a producer choose its layer anew.
    pub(crate) fn aim_audience(&mut self, now: Instant, key: Key<Producer>) {
        let count = self.producers.get(key).map_or(0, |producer| producer.audience.len());
        for index in 0..count {
            let consumer = self.producers.get(key).and_then(|producer| producer.audience.get(index)).copied();
            if let Some(consumer) = consumer {
                self.aim_one(now, consumer);
            }
        }
        self.review_layers(now, key);
    }

    /// Has a consumer choose its layer anew, after its wish or its share changed.
    pub(crate) fn aim(&mut self, now: Instant, key: Key<Consumer>) {
        self.aim_one(now, key);
        if let Some(producer) = self.consumers.get(key).map(|consumer| consumer.spec.producer) {
            self.review_layers(now, producer);
        }
    }

    /// Tells which layers of a producer are of use to anybody, if others are than before.
    pub(crate) fn review_layers(&mut self, now: Instant, key: Key<Producer>) {
        let Self { producers, consumers, routers, events, .. } = self;
        let Some(producer) = producers.get_mut(key) else { return };
        let count = producer.spatial_layers();
        if count < 2 {
            return;
        }
        let used = producer.audience.iter().filter_map(|&key| consumers.get(key)).fold(0, |used, consumer| {
            let layers = [consumer.desired(producer), consumer.target_layer(), consumer.current_layer()];
            layers.iter().flatten().fold(used, |used, layer| used | 1 << layer.spatial.min(count - 1))
        });
        if let Some(wanted) = producer.wanted.review(now, used)
            && let Some(router) = routers.get(producer.router)
        {
            let active = (0..count).map(|layer| wanted & 1 << layer != 0).collect();
            events.push(router.id, EventKind::PublishLayers(producer.id, active));
        }
    }

    /// Has a consumer choose its layer anew, and asks for the key frame that it needs for it.
    fn aim_one(&mut self, now: Instant, key: Key<Consumer>) {
        let Self { producers, consumers, routers, events, .. } = self;
        let Some(consumer) = consumers.get_mut(key) else { return };
        let Some(producer) = producers.get(consumer.spec.producer) else { return };
        let awaited = consumer.awaited_stream();
        if let Some((layer, reason)) = consumer.aim(producer) {
            tell_layers(now, (routers, events), consumer, (layer, reason));
        }
        // What it waited for already was asked for already.
        if consumer.awaited_stream() != awaited {
            self.begin_picture(now, key);
        }
    }

    /// Has a consumer that sends nothing begin with a key frame that came a moment ago, if one did, or asks for the one that it
    /// needs.
    pub(crate) fn begin_picture(&mut self, now: Instant, key: Key<Consumer>) {
        let Some(consumer) = self.consumers.get(key) else { return };
        let is_ready = self.transports.get(consumer.transport).is_some_and(|transport| transport.is_connected());
        let producer = self.producers.get(consumer.spec.producer).filter(|producer| !producer.paused);
        if is_ready && producer.is_some_and(|producer| consumer.recent_beginning(now, producer).is_some()) {
            self.beginning.push(key);
        } else {
            self.want_key_frames(now, key, false);
        }
    }

    /// Sends what came since a key frame of a moment ago to those who begin with it.
    fn send_beginnings(&mut self, now: Instant, out: &mut Outbox) {
        if self.beginning.is_empty() {
            return;
        }
        // What waits for the end of this turn is stored already, and would be sent twice.
        self.forward_waiting(now, out);
        while let Some(key) = self.beginning.pop() {
            let Self { producers, consumers, transports, timers, .. } = self;
            let Some(consumer) = consumers.get_mut(key) else { continue };
            let Some(producer) = producers.get(consumer.spec.producer) else { continue };
            let Some(transport) = transports.get_mut(consumer.transport) else { continue };
            if let Some((index, from, to)) = consumer.recent_beginning(now, producer)
                && let Some(stream) = producer.streams.get(usize::from(index))
            {
                consumer.begin_with(index);
                for packet in (0..=to.distance_from(from)).filter_map(|step| stream.packet(from.offset(step))) {
                    let Some(admitted) = consumer.admit(index, &packet, &producer.streams) else { continue };
                    if send_media(now, (key, &mut *consumer), transport, (index, stream, &packet), admitted, out) {
                        arm(timers, consumer.transport, transport);
                    }
                }
                // It may have begun with less than it is to get.
                consumer.aim(producer);
            }
            self.want_key_frames(now, key, false);
        }
    }

    /// Asks for the key frames that a consumer can use: all it watches, or only the one it waits for.
    pub(crate) fn want_key_frames(&mut self, now: Instant, consumer: Key<Consumer>, all: bool) {
        let Some(consumer) = self.consumers.get(consumer) else { return };
        let ready = self.transports.get(consumer.transport).is_some_and(|t| t.is_connected());
        let Some(producer) = self.producers.get_mut(consumer.spec.producer) else { return };
        if !ready || producer.paused {
            return;
        }
        let watched = consumer.watched_streams().filter(|_| all);
        for stream in watched.chain(consumer.awaited_stream().filter(|_| !all)) {
            let stream = producer.streams.get_mut(usize::from(stream));
            let request = stream.and_then(|stream| stream.want_key_frame(now));
            self.key_frames.extend(request.map(|request| (producer.transport, request)));
        }
        let transport = producer.transport;
        self.plan_repair(transport);
    }

    /// Brings a transport's repair deadline up to date with its producers' streams.
    pub(crate) fn plan_repair(&mut self, key: Key<WebRtcTransport>) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let producers = transport.producers.iter().filter_map(|&key| self.producers.get(key));
        transport.repair_at = producers.flat_map(|producer| &producer.streams).filter_map(|s| s.deadline()).min();
        self.rearm(key);
    }

    /// Sends the key frame requests that were found to be due.
    pub(crate) fn send_key_frame_requests(&mut self, now: Instant, out: &mut Outbox) {
        self.send_beginnings(now, out);
        while let Some((key, request)) = self.key_frames.pop() {
            let Some(transport) = self.transports.get_mut(key) else { continue };
            let sender = transport.rtcp_ssrc;
            let (arena, start) = out.begin();
            let direction = Direction::Out;
            let (media, what) = match request {
                KeyFrameRequest::Pli(media) => {
                    wire::rtcp::write_pli(arena, sender, media);
                    (media, TraceEvent::Pli { direction, ssrc: media.get() })
                }
                KeyFrameRequest::Fir(media, number) => {
                    wire::rtcp::write_fir(arena, sender, &[(media, number)]);
                    (media, TraceEvent::Fir { direction, ssrc: media.get() })
                }
            };
            transport.send_rtcp(out, start, key.index());
            if let Some(target) = transport.stream_of(media) {
                self.trace_producer(now, target.producer, TraceKinds::PLI_FIR, what);
            }
        }
    }

    /// The transport that a datagram's path belongs to.
    pub(crate) fn transport_at(&self, path: &Path) -> Option<Key<WebRtcTransport>> {
        self.by_path.get(path).copied()
    }
}

/// Tells that another layer is sent than before, or none any more.
fn tell_layers(
    now: Instant,
    (routers, events): (&mut Table<Router>, &mut Events),
    consumer: &Consumer,
    (current, reason): (Option<Layer>, LayersReason),
) {
    if let Some(router) = routers.get(consumer.router) {
        events.push(router.id, EventKind::ConsumerLayers(consumer.id, current, reason));
    }
    if consumer.trace.has(TraceKinds::LAYERS) {
        let what = TraceEvent::Layers { current, target: consumer.target_layer(), reason };
        trace::tell(now, (routers, events), consumer.router, Traced::Consumer(consumer.id), what);
    }
}

/// Sends one packet to one consumer, or has it wait for its turn; whether it waits.
fn send_media(
    now: Instant,
    consumer: (Key<Consumer>, &mut Consumer),
    transport: &mut WebRtcTransport,
    (stream, source, packet): (u8, &Stream, &StoredPacket<'_>),
    admitted: Admitted,
    out: &mut Outbox,
) -> bool {
    let (key, consumer) = consumer;
    if let Some(downlink) = &mut transport.downlink
        && !consumer.is_sound()
        && downlink.pacer.is_busy(now)
    {
        let paced = Paced { consumer: key, stream, source: packet.meta.seq, admitted };
        downlink.pacer.push(now, paced, packet.bytes.len());
        return true;
    }
    send_now(now, consumer, transport, (stream, source, packet), admitted, out);
    false
}

/// Writes, encrypts and queues one packet for one consumer.
pub(crate) fn send_now(
    now: Instant,
    consumer: &mut Consumer,
    transport: &mut WebRtcTransport,
    (stream, source, packet): (u8, &Stream, &StoredPacket<'_>),
    Admitted { seq, shift, is_empty }: Admitted,
    out: &mut Outbox,
) {
    let is_transport_wide = consumer.is_transport_wide();
    let stamp = transport.take_stamp(now, is_transport_wide);
    let repeated = consumer.choose_repeated((stream, source), packet, seq, shift);
    let (arena, start) = out.begin();
    let header_len = consumer.write(arena, (source, packet), &As { seq, shift, is_empty, repeated, stamp, rtx: None });
    let (flow, len) = (consumer.transport.index(), arena.len() - start);
    let part = Part::Media;
    if transport.send_rtp(now, out, Plain { start, header_len, index: seq, stamp, is_transport_wide, flow, part }) {
        consumer.note_sent(now, seq, len - header_len, len);
        if let Some(plain) = consumer.plain() {
            plain.note(seq, stamp, repeated);
        }
    }
}
