//! What happens to objects of which a trace was asked, for whoever looks for the cause of a bad call. An object that is not
//! traced costs one comparison where something could be told of it; packets are not told one by one but counted.

use std::fmt;
use std::time::{Duration, Instant};

use crate::command::{CommandError, EventKind, ObjectId, Reply};
use crate::consumer::{Consumer, LayersReason, Share};
use crate::producer::{Layer, Producer};
use crate::router::Router;
use crate::stats::{DtlsState, IceState};
use crate::table::{Key, Table};
use crate::transport::WebRtcTransport;
use crate::worker::{Events, Worker};

/// Traces of one router in one [`WINDOW`]; what is more is only counted. A full room that is traced as a whole has some 2,500
/// consumers, each told of about once a second.
const MAX_TRACES: u32 = 4_000;

/// The time that [`MAX_TRACES`] holds for.
const WINDOW: Duration = Duration::from_secs(1);

/// An estimate is told when it changed by so many percent since it was told last: it creeps with every feedback.
const BWE_PERCENT: u64 = 5;

/// What is traced, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceKinds(u8);

impl TraceKinds {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// What was sent and received, counted about once a second.
    pub const RTP: Self = Self(1);
    /// Key frames as they begin.
    pub const KEY_FRAME: Self = Self(1 << 1);
    /// Packets asked for again.
    pub const NACK: Self = Self(1 << 2);
    /// Key frames asked for, by PLI or FIR.
    pub const PLI_FIR: Self = Self(1 << 3);
    /// What a viewer's link is believed to carry.
    pub const BWE: Self = Self(1 << 4);
    /// Which layers are sent, and which the link was found to carry.
    pub const LAYERS: Self = Self(1 << 5);
    /// How far ICE and DTLS are.
    pub const CONNECTION: Self = Self(1 << 6);
    /// All of it.
    pub const ALL: Self = Self((1 << 7) - 1);

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of `kinds` is in it.
    pub const fn has(self, kinds: Self) -> bool {
        self.0 & kinds.0 != 0
    }
}

/// Which object is to be traced.
#[derive(Clone, Copy, Debug)]
pub enum TraceTarget {
    /// A router, and everything that is or will be in it.
    Router(Key<Router>),
    /// One transport.
    Transport(Key<WebRtcTransport>),
    /// One producer.
    Producer(Key<Producer>),
    /// One consumer.
    Consumer(Key<Consumer>),
}

/// Which object a trace is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traced {
    /// The router itself.
    Router,
    /// A transport.
    Transport(ObjectId),
    /// A producer.
    Producer(ObjectId),
    /// A consumer.
    Consumer(ObjectId),
}

/// Seen from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a browser to us.
    In,
    /// From us to a browser.
    Out,
}

/// Why an estimate is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimateReason {
    /// Packets arrive sooner or later than before.
    Delay,
    /// Packets are lost, or not any more.
    Loss,
    /// A probe showed that more fits.
    Probe,
    /// The viewer says so itself (REMB).
    Viewer,
    /// Nothing is heard of what is sent.
    Silence,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are said by the variants")]
pub enum TraceEvent {
    /// What went under an SSRC so far, and bits a second lately.
    Rtp { direction: Direction, ssrc: u32, packets: u64, bytes: u64, bit_rate: u64 },
    /// A key frame begins with the packet `seq` of the producer's stream.
    KeyFrame { direction: Direction, ssrc: u32, seq: u16 },
    /// So many packets were asked for again; of a viewer's, how many it was sent.
    Nack { direction: Direction, ssrc: u32, packets: u32, answered: Option<u32> },
    /// A key frame was asked for by PLI.
    Pli { direction: Direction, ssrc: u32 },
    /// A key frame was asked for by FIR.
    Fir { direction: Direction, ssrc: u32 },
    /// The estimate of a viewer's link in bits a second, and what it was when it was told last.
    Estimate { available: u64, before: u64, reason: EstimateReason },
    /// Another layer is sent, or none any more.
    Layers { current: Option<Layer>, target: Option<Layer>, reason: LayersReason },
    /// The best layer that the viewer's link was found to carry; `None`: paused, for it carries none.
    Granted { layer: Option<Layer> },
    /// How far ICE is.
    Ice(IceState),
    /// How far DTLS is.
    Dtls(DtlsState),
    /// So many traces were left out, for there were too many at a time.
    LeftOut(u64),
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Rtp { direction, ssrc, packets, bytes, bit_rate } => {
                write!(f, "rtp {direction} ssrc={ssrc} packets={packets} bytes={bytes} bitrate={bit_rate}")
            }
            Self::KeyFrame { direction, ssrc, seq } => write!(f, "keyframe {direction} ssrc={ssrc} seq={seq}"),
            Self::Nack { direction, ssrc, packets, answered } => {
                write!(f, "nack {direction} ssrc={ssrc} packets={packets}")?;
                answered.map_or(Ok(()), |answered| write!(f, " answered={answered}"))
            }
            Self::Pli { direction, ssrc } => write!(f, "pli {direction} ssrc={ssrc}"),
            Self::Fir { direction, ssrc } => write!(f, "fir {direction} ssrc={ssrc}"),
            Self::Estimate { available, before, reason } => {
                write!(f, "bwe available={available} before={before} reason={}", name(reason))
            }
            Self::Layers { current, target, reason } => {
                let (current, target) = (Shown(current), Shown(target));
                write!(f, "layers current={current} target={target} reason={}", name(reason))
            }
            Self::Granted { layer: None } => f.write_str("paused by bandwidth"),
            Self::Granted { layer } => write!(f, "granted layers={}", Shown(layer)),
            Self::Ice(state) => write!(f, "ice {}", name(state)),
            Self::Dtls(state) => write!(f, "dtls {}", name(state)),
            Self::LeftOut(count) => write!(f, "left out {count} traces"),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "in",
            Self::Out => "out",
        })
    }
}

/// The name of a variant without fields, as it stands in a log.
fn name(value: impl fmt::Debug) -> String {
    format!("{value:?}").to_lowercase()
}

struct Shown(Option<Layer>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("none"),
            // All temporal layers, however many there are.
            Some(Layer { spatial, temporal: u8::MAX }) => write!(f, "{spatial}.all"),
            Some(Layer { spatial, temporal }) => write!(f, "{spatial}.{temporal}"),
        }
    }
}

/// What is traced in a router, and how much was told lately.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tracer {
    /// Of every new object.
    pub(crate) kinds: TraceKinds,
    window_ends_at: Option<Instant>,
    told: u32,
    left_out: u64,
}

impl Tracer {
    /// Whether one more may be told; and what to say first of those that were not.
    fn take(&mut self, now: Instant) -> (bool, Option<u64>) {
        let mut missed = None;
        if self.window_ends_at.is_none_or(|at| now >= at) {
            missed = Some(std::mem::take(&mut self.left_out)).filter(|&count| count > 0);
            (self.window_ends_at, self.told) = (Some(now + WINDOW), 0);
        }
        let is_told = self.told < MAX_TRACES;
        self.told += u32::from(is_told);
        self.left_out += u64::from(!is_told);
        (is_told, missed)
    }
}

/// Tells what happened to an object of which somebody wants to know it.
#[cold]
pub(crate) fn tell(
    now: Instant,
    (routers, events): (&mut Table<Router>, &mut Events),
    router: Key<Router>,
    of: Traced,
    what: TraceEvent,
) {
    let Some(router) = routers.get_mut(router) else { return };
    let (is_told, missed) = router.tracer.take(now);
    if let Some(count) = missed {
        events.push(router.id, EventKind::Trace(Traced::Router, TraceEvent::LeftOut(count)));
    }
    if is_told {
        events.push(router.id, EventKind::Trace(of, what));
    }
}

impl Worker {
    /// Begins or ends to trace an object; of a router, all that is in it too.
    pub(crate) fn trace(&mut self, target: TraceTarget, kinds: TraceKinds) -> Result<Reply, CommandError> {
        let Self { routers, transports, producers, consumers, .. } = self;
        match target {
            TraceTarget::Router(key) => {
                let router = routers.get_mut(key).ok_or(CommandError::NoRouter)?;
                router.tracer.kinds = kinds;
                for key in &router.transports {
                    let Some(transport) = transports.get_mut(*key) else { continue };
                    transport.trace = kinds;
                    for key in &transport.producers {
                        producers.get_mut(*key).into_iter().for_each(|producer| producer.trace = kinds);
                    }
                    for key in &transport.consumers {
                        consumers.get_mut(*key).into_iter().for_each(|consumer| consumer.trace = kinds);
                    }
                }
            }
            TraceTarget::Transport(key) => transports.get_mut(key).ok_or(CommandError::NoTransport)?.trace = kinds,
            TraceTarget::Producer(key) => producers.get_mut(key).ok_or(CommandError::NoProducer)?.trace = kinds,
            TraceTarget::Consumer(key) => consumers.get_mut(key).ok_or(CommandError::NoConsumer)?.trace = kinds,
        }
        Ok(Reply::Done)
    }

    /// What a new object in a router is traced for.
    pub(crate) fn traced_in(&self, router: Key<Router>) -> TraceKinds {
        self.routers.get(router).map(|router| router.tracer.kinds).unwrap_or_default()
    }

    /// Tells of a transport, if that is asked.
    pub(crate) fn trace_transport(
        &mut self,
        now: Instant,
        key: Key<WebRtcTransport>,
        kind: TraceKinds,
        what: TraceEvent,
    ) {
        let Self { routers, transports, events, .. } = self;
        if let Some(transport) = transports.get(key).filter(|transport| transport.trace.has(kind)) {
            tell(now, (routers, events), transport.router, Traced::Transport(transport.id), what);
        }
    }

    /// Tells how far ICE is, if that is another state than before.
    pub(crate) fn trace_ice(&mut self, now: Instant, key: Key<WebRtcTransport>, before: IceState) {
        let Some(transport) = self.transports.get(key).filter(|t| t.trace.has(TraceKinds::CONNECTION)) else { return };
        let state = transport.ice.state();
        if state != before {
            self.trace_transport(now, key, TraceKinds::CONNECTION, TraceEvent::Ice(state));
        }
    }

    /// Tells of a producer, if that is asked.
    pub(crate) fn trace_producer(&mut self, now: Instant, key: Key<Producer>, kind: TraceKinds, what: TraceEvent) {
        let Self { routers, producers, events, .. } = self;
        if let Some(producer) = producers.get(key).filter(|producer| producer.trace.has(kind)) {
            tell(now, (routers, events), producer.router, Traced::Producer(producer.id), what);
        }
    }

    /// Tells of a consumer, if that is asked.
    pub(crate) fn trace_consumer(&mut self, now: Instant, key: Key<Consumer>, kind: TraceKinds, what: TraceEvent) {
        let Self { routers, consumers, events, .. } = self;
        if let Some(consumer) = consumers.get(key).filter(|consumer| consumer.trace.has(kind)) {
            tell(now, (routers, events), consumer.router, Traced::Consumer(consumer.id), what);
        }
    }

    /// Tells what the link was found to carry of a consumer.
    pub(crate) fn trace_share(&mut self, now: Instant, key: Key<Consumer>, share: Share) {
        let layer = match share {
            Share::Unlimited => Some(Layer::HIGHEST),
            Share::UpTo(layer) => Some(layer),
            Share::Nothing => None,
        };
        self.trace_consumer(now, key, TraceKinds::LAYERS, TraceEvent::Granted { layer });
    }

    /// Tells the estimate of a viewer's link, if it is clearly another than was told.
    pub(crate) fn trace_estimate(&mut self, now: Instant, key: Key<WebRtcTransport>, reason: Option<EstimateReason>) {
        let Some(transport) = self.transports.get_mut(key).filter(|t| t.trace.has(TraceKinds::BWE)) else { return };
        let Some(downlink) = &transport.downlink else { return };
        let (available, before) = (downlink.estimator.rate(), transport.traced_estimate);
        if available.abs_diff(before) * 100 < before.max(1) * BWE_PERCENT {
            return;
        }
        let reason = reason.unwrap_or_else(|| downlink.estimator.reason(now));
        transport.traced_estimate = available;
        self.trace_transport(now, key, TraceKinds::BWE, TraceEvent::Estimate { available, before, reason });
    }

    /// Tells what went over a transport, and under which SSRC; asked with each of its reports.
    pub(crate) fn trace_rtp(&mut self, now: Instant, key: Key<WebRtcTransport>) {
        let Self { transports, producers, consumers, routers, events, .. } = self;
        let Some(transport) = transports.get(key) else { return };
        for producer in transport.producers.iter().filter_map(|&key| producers.get(key)) {
            if !producer.trace.has(TraceKinds::RTP) {
                continue;
            }
            for (ssrc, [packets, bytes, bit_rate]) in producer.streams.iter().filter_map(|stream| stream.traffic(now)) {
                let what = TraceEvent::Rtp { direction: Direction::In, ssrc, packets, bytes, bit_rate };
                tell(now, (routers, events), producer.router, Traced::Producer(producer.id), what);
            }
        }
        for consumer in transport.consumers.iter().filter_map(|&key| consumers.get(key)) {
            if consumer.trace.has(TraceKinds::RTP) {
                let [packets, bytes, bit_rate] = consumer.traffic(now);
                let ssrc = consumer.spec.ssrc.get();
                let what = TraceEvent::Rtp { direction: Direction::Out, ssrc, packets, bytes, bit_rate };
                tell(now, (routers, events), consumer.router, Traced::Consumer(consumer.id), what);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_a_set() {
        let kinds = TraceKinds::NACK.and(TraceKinds::BWE);
        assert!(kinds.has(TraceKinds::NACK) && kinds.has(TraceKinds::BWE) && !kinds.has(TraceKinds::RTP));
        assert!(TraceKinds::ALL.has(TraceKinds::CONNECTION) && !TraceKinds::NONE.has(TraceKinds::ALL));
    }

    #[test]
    fn more_than_the_limit_is_counted_and_said_later() {
        let start = crate::some_instant();
        let mut tracer = Tracer::default();
        let told = (0..MAX_TRACES + 7).filter(|_| tracer.take(start).0).count();
        assert_eq!(told, MAX_TRACES as usize);
        assert_eq!(tracer.take(start + WINDOW / 2), (false, None));
        assert_eq!(tracer.take(start + WINDOW), (true, Some(8)));
        assert_eq!(tracer.take(start + WINDOW), (true, None));
    }

    #[test]
    fn a_trace_reads_as_one_line() {
        let layer = |spatial, temporal| Some(Layer { spatial, temporal });
        let lines = [
            TraceEvent::Nack { direction: Direction::In, ssrc: 7, packets: 3, answered: Some(2) },
            TraceEvent::Estimate { available: 500_000, before: 900_000, reason: EstimateReason::Delay },
            TraceEvent::Layers { current: None, target: layer(1, 2), reason: LayersReason::Bandwidth },
            TraceEvent::Granted { layer: None },
            TraceEvent::Granted { layer: layer(0, u8::MAX) },
            TraceEvent::Ice(IceState::Completed),
        ]
        .map(|event| event.to_string());
        assert_eq!(
            lines,
            [
                "nack in ssrc=7 packets=3 answered=2",
                "bwe available=500000 before=900000 reason=delay",
                "layers current=none target=1.2 reason=bandwidth",
                "paused by bandwidth",
                "granted layers=0.all",
                "ice completed",
            ]
        );
    }
}
