//! Figures of a whole worker, for whoever operates it: sums over the objects that live, and over those that are closed. A packet
//! costs nothing here: objects count for themselves already, and hand in their counts when they are closed.

use crate::consumer::Consumer;
use crate::producer::Producer;
use crate::stats::Drops;
use crate::transport::{Part, WebRtcTransport};
use crate::worker::Worker;

/// Upper bounds, in bits a second, of the classes that [`Totals::estimates`] sorts links into; the last class has none.
pub const ESTIMATE_CLASSES: [u64; 5] = [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000];

/// What only ever grows while a worker lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams from validated paths.
    pub packets_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Datagrams of RTP and RTCP that were sent.
    pub packets_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Packets that senders sent again.
    pub retransmissions_received: u64,
    /// Packets that viewers were sent again.
    pub retransmissions_sent: u64,
    /// Packets that senders were asked to send again.
    pub nacks_sent: u64,
    /// Packets that viewers asked to be sent again.
    pub nacks_received: u64,
    /// Of those, the ones that were not to be had any more.
    pub nacks_unanswered: u64,
    /// Key frames that senders were asked for.
    pub key_frame_requests_sent: u64,
    /// Key frames that viewers asked for.
    pub key_frame_requests_received: u64,
    /// Packets to viewers that their feedback reported lost.
    pub feedback_lost: u64,
    /// Packets to viewers that their feedback reported received.
    pub feedback_received: u64,
}

impl Counts {
    fn add_transport(&mut self, transport: &WebRtcTransport) {
        let counters = &transport.counters;
        let (received, sent) = (counters.received.sum(Part::Whole), counters.sent.sum(Part::Whole));
        self.packets_received += received.0;
        self.bytes_received += received.1;
        self.packets_sent += sent.0;
        self.bytes_sent += sent.1;
        self.feedback_lost += counters.feedback_lost;
        self.feedback_received += counters.feedback_received;
    }

    fn add_producer(&mut self, producer: &Producer) {
        for stream in &producer.streams {
            self.retransmissions_received += stream.retransmitted();
            self.nacks_sent += stream.nacks_sent;
            self.key_frame_requests_sent += stream.key_frame_requests;
        }
    }

    fn add_consumer(&mut self, consumer: &Consumer) {
        self.retransmissions_sent += consumer.packets_retransmitted();
        self.nacks_received += consumer.nacks_received;
        self.nacks_unanswered += consumer.nacks_unanswered;
        self.key_frame_requests_received += consumer.key_frame_requests;
    }
}

/// Figures of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Routers, transports, producers and consumers that live.
    pub objects: [usize; 4],
    /// What only ever grows.
    pub counts: Counts,
    /// Packets of the streams that live which never came. A late one makes it less.
    pub packets_missing: u64,
    /// What was dropped, by reason.
    pub drops: Drops,
    /// Links to viewers by what they are believed to carry: at most [`ESTIMATE_CLASSES`], each class without those before it.
    pub estimates: [u64; ESTIMATE_CLASSES.len() + 1],
    /// The sum of what they are believed to carry, in bits a second.
    pub estimated_bits: u64,
}

impl Worker {
    /// What is closed still counts.
    pub(crate) fn retire_transport(&mut self, transport: &WebRtcTransport) {
        self.retired.add_transport(transport);
    }

    /// What is closed still counts.
    pub(crate) fn retire_producer(&mut self, producer: &Producer) {
        self.retired.add_producer(producer);
    }

    /// What is closed still counts.
    pub(crate) fn retire_consumer(&mut self, consumer: &Consumer) {
        self.retired.add_consumer(consumer);
    }

    /// Figures of the whole worker.
    pub fn totals(&self) -> Totals {
        let mut totals =
            Totals { objects: self.object_counts(), counts: self.retired, drops: self.drops(), ..Totals::default() };
        for (_, transport) in self.transports.iter() {
            totals.counts.add_transport(transport);
            if let Some(downlink) = &transport.downlink {
                let rate = downlink.estimator.rate();
                let class = ESTIMATE_CLASSES.iter().position(|bound| rate <= *bound);
                totals.estimates[class.unwrap_or(ESTIMATE_CLASSES.len())] += 1;
                totals.estimated_bits += rate;
            }
        }
        for (_, producer) in self.producers.iter() {
            totals.counts.add_producer(producer);
            totals.packets_missing += producer.streams.iter().map(|stream| stream.lost().max(0) as u64).sum::<u64>();
        }
        for (_, consumer) in self.consumers.iter() {
            totals.counts.add_consumer(consumer);
        }
        totals
    }
}
