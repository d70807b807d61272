//! How good things are, in a word or a number: scores of streams in mediasoup's sense, and the connection of a peer by loss
//! and round trip over the last seconds.

use std::time::{Duration, Instant};

use crate::command::EventKind;
use crate::consumer::Consumer;
use crate::producer::{MAX_STREAMS, Producer};
use crate::table::Key;
use crate::transport::WebRtcTransport;
use crate::worker::Worker;

/// The best score, and that of a stream that brings nothing is 0.
pub(crate) const BEST: u8 = 10;

/// A peer of whom nothing was heard for so long is lost for now; browsers check their path every 2.5 s.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// Share of packets lost, of 256, and round trip from which a connection is poor, and below which it is good again.
const POOR_LOSS: u8 = 15;
const GOOD_LOSS: u8 = 6;
const POOR_ROUND_TRIP: Duration = Duration::from_millis(500);
const GOOD_ROUND_TRIP: Duration = Duration::from_millis(400);

/// Reports in a row, about a second each, that must agree before a connection is said to be poor or good again.
const AGREEING: u8 = 3;

/// The scores of a producer's streams.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Scores {
    scores: [u8; MAX_STREAMS],
    count: u8,
}

impl Scores {
    pub(crate) fn new(scores: impl Iterator<Item = u8>) -> Self {
        let mut all = Self::default();
        for (slot, score) in all.scores.iter_mut().zip(scores) {
            *slot = score;
            all.count += 1;
        }
        all
    }

    /// 0 to 10 each, in the order of the streams.
    pub fn as_slice(&self) -> &[u8] {
        self.scores.get(..usize::from(self.count)).unwrap_or_default()
    }
}

/// How well media get through between us and a peer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ConnectionQuality {
    /// As they should.
    #[default]
    Good,
    /// With much loss or delay.
    Poor,
    /// Nothing is heard of the peer now.
    Lost,
}

/// A score of 0 to 10 for a share of packets lost, of 256: what little loss costs is seen, and a third is the end.
pub(crate) fn score(lost: u8) -> u8 {
    let through = 1.0 - f64::from(lost) / 256.0;
    (through.powi(4) * f64::from(BEST)).round() as u8
}

/// The connection of one peer, judged once a report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Connection {
    told: ConnectionQuality,
    /// Reports in a row that speak for a change.
    against: u8,
    heard_at: Option<Instant>,
}

impl Connection {
    /// Something authentic came.
    pub(crate) fn note_heard(&mut self, now: Instant) {
        self.heard_at = Some(now);
    }

    /// Judges anew by the worst share of packets lost in either direction, of 256, and the round trip; what to tell, if that
    /// is new.
    pub(crate) fn review(&mut self, now: Instant, lost: u8, round_trip: Duration) -> Option<ConnectionQuality> {
        let is_lost = self.heard_at.is_some_and(|at| now.saturating_duration_since(at) >= LOST_AFTER);
        let is_poor = lost >= POOR_LOSS || round_trip >= POOR_ROUND_TRIP;
        let is_good = lost <= GOOD_LOSS && round_trip <= GOOD_ROUND_TRIP;
        let (seen, at_once) = match self.told {
            _ if is_lost => (ConnectionQuality::Lost, true),
            ConnectionQuality::Lost => (ConnectionQuality::Good, true),
            ConnectionQuality::Good if is_poor => (ConnectionQuality::Poor, false),
            ConnectionQuality::Poor if is_good => (ConnectionQuality::Good, false),
            told => (told, true),
        };
        if seen == self.told {
            self.against = 0;
            return None;
        }
        self.against += 1;
        if !at_once && self.against < AGREEING {
            return None;
        }
        (self.told, self.against) = (seen, 0);
        Some(seen)
    }
}

impl Worker {
    /// Judges the connection of a peer, after its reports were written.
    pub(crate) fn review_connection(&mut self, now: Instant, key: Key<WebRtcTransport>) {
        let Self { transports, producers, consumers, routers, events, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        let up = transport.producers.iter().filter_map(|&key| producers.get(key)).map(Producer::lost_share).max();
        let down = transport.consumers.iter().filter_map(|&key| consumers.get(key)).map(Consumer::lost_share).max();
        let lost = up.into_iter().chain(down).max().unwrap_or(0);
        let round_trip = transport.round_trip();
        let news = transport.connection.review(now, lost, round_trip);
        if let (Some(quality), Some(router)) = (news, routers.get(transport.router)) {
            events.push(router.id, EventKind::ConnectionQuality(transport.id, quality));
        }
    }

    /// Tells the scores of a producer's streams, if they changed, and through them those of its consumers.
    pub(crate) fn review_scores(&mut self, key: Key<Producer>) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        let Some(scores) = producer.take_new_scores() else { return };
        if let Some(router) = self.routers.get(producer.router) {
            self.events.push(router.id, EventKind::ProducerScore(producer.id, scores));
        }
        let count = self.producers.get(key).map_or(0, |producer| producer.audience.len());
        for index in 0..count {
            let consumer = self.producers.get(key).and_then(|producer| producer.audience.get(index)).copied();
            if let Some(consumer) = consumer {
                self.review_consumer_score(consumer);
            }
        }
    }

    /// Tells the score of a consumer, if it changed.
    pub(crate) fn review_consumer_score(&mut self, key: Key<Consumer>) {
        let Self { producers, consumers, routers, events, .. } = self;
        let Some(consumer) = consumers.get_mut(key) else { return };
        let Some(producer) = producers.get(consumer.spec.producer) else { return };
        if let Some((own, of_producer)) = consumer.take_new_score(producer)
            && let Some(router) = routers.get(consumer.router)
        {
            events.push(router.id, EventKind::ConsumerScore(consumer.id, own, of_producer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Duration = Duration::from_millis(30);

    #[test]
    fn scores_fall_with_loss() {
        let scores: Vec<_> = [0, 3, 13, 26, 51, 128, 255].map(score).into();
        assert_eq!(scores, [10, 10, 8, 7, 4, 1, 0]);
    }

    #[test]
    fn a_connection_is_poor_after_three_bad_reports_and_good_after_three_good_ones() {
        let start = crate::some_instant();
        let mut connection = Connection::default();
        let mut at = 0;
        let mut review = |lost, round_trip| {
            at += 1;
            let now = start + Duration::from_secs(at);
            connection.note_heard(now);
            connection.review(now, lost, round_trip)
        };
        assert_eq!([20, 20, 0].map(|lost| review(lost, NEAR)), [None; 3]);
        assert_eq!([20; 3].map(|lost| review(lost, NEAR)), [None, None, Some(ConnectionQuality::Poor)]);
        assert_eq!([10; 5].map(|lost| review(lost, NEAR)), [None; 5], "neither good nor bad");
        assert_eq!([0; 3].map(|lost| review(lost, NEAR)), [None, None, Some(ConnectionQuality::Good)]);
        let far = POOR_ROUND_TRIP;
        assert_eq!([0; 3].map(|lost| review(lost, far)), [None, None, Some(ConnectionQuality::Poor)]);
    }

    #[test]
    fn a_peer_that_is_silent_is_lost_at_once_and_back_at_once() {
        let start = crate::some_instant();
        let mut connection = Connection::default();
        assert_eq!(connection.review(start, 0, NEAR), None, "nobody was heard yet");
        connection.note_heard(start);
        assert_eq!(connection.review(start + LOST_AFTER / 2, 0, NEAR), None);
        assert_eq!(connection.review(start + LOST_AFTER, 0, NEAR), Some(ConnectionQuality::Lost));
        connection.note_heard(start + LOST_AFTER * 2);
        assert_eq!(connection.review(start + LOST_AFTER * 2, 0, NEAR), Some(ConnectionQuality::Good));
    }
}
