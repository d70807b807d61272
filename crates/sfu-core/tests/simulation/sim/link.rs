//! One direction of a path through the network: delays, loses, repeats and reorders datagrams, all by one seed.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::rtp::RtpHeader;
use wire::{PacketKind, Ssrc, classify};

use super::bottleneck::Bottleneck;

/// Datagrams that whoever listens keeps.
const MAX_TAPPED: usize = 2000;

/// What a link does to datagrams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// One-way delay.
    pub(crate) delay: Duration,
    /// Up to this much more delay, evenly spread, without changing the order.
    pub(crate) jitter: Duration,
    /// Share of datagrams lost.
    pub(crate) loss: f64,
    /// Share of datagrams that are overtaken by those of the next 5 to 30 ms.
    pub(crate) reordering: f64,
    /// Share of datagrams that come twice.
    pub(crate) duplication: f64,
}

impl Conditions {
    /// A link that only delays.
    pub(crate) fn delay(delay: Duration) -> Self {
        Self { delay, jitter: Duration::ZERO, loss: 0.0, reordering: 0.0, duplication: 0.0 }
    }

    pub(crate) fn jitter(self, jitter: Duration) -> Self {
        Self { jitter, ..self }
    }

    pub(crate) fn loss(self, loss: f64) -> Self {
        Self { loss, ..self }
    }

    pub(crate) fn reordering(self, reordering: f64) -> Self {
        Self { reordering, ..self }
    }

    pub(crate) fn duplication(self, duplication: f64) -> Self {
        Self { duplication, ..self }
    }
}

/// What was handed to a link, and what of it was lost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) lost_packets: u64,
    pub(crate) lost_bytes: u64,
}

impl Tally {
    pub(crate) fn note(&mut self, bytes: usize, is_lost: bool) {
        self.packets += 1;
        self.bytes += bytes as u64;
        self.lost_packets += u64::from(is_lost);
        self.lost_bytes += if is_lost { bytes as u64 } else { 0 };
    }

    /// Packets that arrive.
    pub(crate) fn arrived(&self) -> u64 {
        self.packets - self.lost_packets
    }

    /// Their bytes.
    pub(crate) fn arrived_bytes(&self) -> u64 {
        self.bytes - self.lost_bytes
    }

    /// What came since `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            packets: self.packets - before.packets,
            bytes: self.bytes - before.bytes,
            lost_packets: self.lost_packets - before.lost_packets,
            lost_bytes: self.lost_bytes - before.lost_bytes,
        }
    }
}

/// One direction.
pub(crate) struct Link {
    pub(crate) conditions: Conditions,
    rng: StdRng,
    /// When the last datagram arrives that keeps its order.
    busy_until: Option<Instant>,
    /// RTP of these streams is lost, so many packets of each.
    lose_next: Vec<(Ssrc, u32)>,
    /// Datagrams lost so far.
    pub(crate) lost: u64,
    /// What was handed in, where somebody listens: the newest [`MAX_TAPPED`].
    tapped: Option<VecDeque<Vec<u8>>>,
    /// RTP and RTCP, and RTP by its stream.
    pub(crate) media: Tally,
    /// RTP and RTCP that the worker was handed.
    pub(crate) delivered: Tally,
    streams: BTreeMap<u32, Tally>,
    pub(crate) bottleneck: Option<Bottleneck>,
}

impl Link {
    pub(crate) fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            rng: StdRng::seed_from_u64(seed),
            busy_until: None,
            lose_next: Vec::new(),
            lost: 0,
            tapped: None,
            media: Tally::default(),
            delivered: Tally::default(),
            streams: BTreeMap::new(),
            bottleneck: None,
        }
    }

    /// Loses the next `count` RTP packets of a stream.
    pub(crate) fn lose_next(&mut self, ssrc: Ssrc, count: u32) {
        self.lose_next.push((ssrc, count));
    }

    /// Begins to listen.
    pub(crate) fn tap(&mut self) {
        self.tapped.get_or_insert_default();
    }

    /// What was heard, oldest first.
    pub(crate) fn tapped(&self) -> &VecDeque<Vec<u8>> {
        self.tapped.as_ref().expect("somebody listens")
    }

    /// What was handed in of one stream.
    pub(crate) fn stream(&self, ssrc: u32) -> Tally {
        self.streams.get(&ssrc).copied().unwrap_or_default()
    }

    /// When a datagram sent now arrives: never, once or twice.
    pub(crate) fn carry(&mut self, now: Instant, bytes: &[u8]) -> [Option<Instant>; 2] {
        let arrivals = self.pass(now, bytes);
        let (kind, is_lost) = (classify(bytes), arrivals == [None, None]);
        if matches!(kind, PacketKind::Rtp | PacketKind::Rtcp) {
            self.media.note(bytes.len(), is_lost);
        }
        if let (PacketKind::Rtp, Ok(header)) = (kind, RtpHeader::parse(bytes)) {
            self.streams.entry(header.ssrc.get()).or_default().note(bytes.len(), is_lost);
        }
        arrivals
    }

    fn pass(&mut self, now: Instant, bytes: &[u8]) -> [Option<Instant>; 2] {
        let Conditions { delay, jitter, loss, reordering, duplication } = self.conditions;
        if let Some(tapped) = &mut self.tapped {
            if tapped.len() == MAX_TAPPED {
                tapped.pop_front();
            }
            tapped.push_back(bytes.to_vec());
        }
        if self.is_to_be_lost(bytes) || self.happens(loss) {
            self.lost += 1;
            return [None, None];
        }
        let passed = match &mut self.bottleneck {
            None => Some(now),
            Some(bottleneck) => bottleneck.pass(now, bytes.len()),
        };
        let Some(now) = passed else {
            self.lost += 1;
            return [None, None];
        };
        let jitter = jitter.mul_f64(self.rng.random());
        let arrival = if self.happens(reordering) {
            now + delay + jitter + Duration::from_micros(self.rng.random_range(5_000..30_000))
        } else {
            let at = self.busy_until.map_or(now + delay + jitter, |busy| busy.max(now + delay + jitter));
            self.busy_until = Some(at);
            at
        };
        let again = self.happens(duplication);
        let later = Duration::from_micros(self.rng.random_range(0..10_000));
        [Some(arrival), again.then_some(arrival + later)]
    }

    fn happens(&mut self, probability: f64) -> bool {
        // Drawn even if it cannot happen, so that the same seed meets the same chances in every scenario.
        self.rng.random::<f64>() < probability
    }

    fn is_to_be_lost(&mut self, bytes: &[u8]) -> bool {
        if self.lose_next.is_empty() || classify(bytes) != PacketKind::Rtp {
            return false;
        }
        let Ok(header) = RtpHeader::parse(bytes) else { return false };
        let Some(index) = self.lose_next.iter().position(|(ssrc, _)| *ssrc == header.ssrc) else { return false };
        self.lose_next[index].1 -= 1;
        if self.lose_next[index].1 == 0 {
            self.lose_next.swap_remove(index);
        }
        true
    }
}
