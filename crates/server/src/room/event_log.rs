//! What a seat was told last: numbered events that are told again to who missed them, and the newest of those that
//! only say how something stands now.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::signal::messages::RoomEvent;

/// Events that are kept for a seat. With the newest of the others they fit into the queue of a connection.
const MAX_KEPT_EVENTS: usize = 400;
/// Bytes of JSON that are kept for a seat; seats that heard the same share it.
const MAX_KEPT_BYTES: usize = 256 * 1024;
/// Events that say how something stands now: more than a participant has consumers by default.
const MAX_STANDING: usize = 300;

/// What is told again, in order.
pub(super) type Missed = Vec<(u64, Arc<RoomEvent>)>;

/// What one seat was told.
#[derive(Default)]
pub(super) struct EventLog {
    /// Number of the newest event.
    seq: u64,
    /// Number of the newest event that is not kept any more, or that nothing before it matters after.
    floor: u64,
    kept: VecDeque<Kept>,
    bytes: usize,
    /// In the order of their coming.
    standing: Vec<(Standing, Arc<RoomEvent>)>,
}

struct Kept {
    seq: u64,
    bytes: usize,
    event: Arc<RoomEvent>,
}

/// What an event says how it stands: the next of the same replaces it.
#[derive(Clone, Debug, PartialEq)]
enum Standing {
    Speaker,
    Bandwidth,
    Consumer(String),
    Producer(String),
}

impl Standing {
    fn of(event: &RoomEvent) -> Option<Self> {
        match event {
            RoomEvent::ActiveSpeaker(_) => Some(Self::Speaker),
            RoomEvent::Bandwidth(_) => Some(Self::Bandwidth),
            RoomEvent::ConsumerLayers(layers) => Some(Self::Consumer(layers.consumer_id.clone())),
            RoomEvent::PublishLayers(layers) => Some(Self::Producer(layers.producer_id.clone())),
            _ => None,
        }
    }
}

impl EventLog {
    /// Notes an event of so many bytes of JSON; its number, if it gets one.
    pub(super) fn note(&mut self, event: &Arc<RoomEvent>, bytes: usize) -> Option<u64> {
        if !event.is_sequenced() {
            self.note_standing(event);
            return None;
        }
        if let RoomEvent::ConsumerClosed(closed) = &**event {
            let gone = Standing::Consumer(closed.consumer_id.clone());
            self.standing.retain(|(standing, _)| *standing != gone);
        }
        self.seq += 1;
        // Who has not seen the whole gets the whole anew; what came before it is in it.
        if matches!(**event, RoomEvent::RoomState(_)) {
            self.kept.clear();
            self.bytes = 0;
            self.floor = self.seq;
            return Some(self.seq);
        }
        self.kept.push_back(Kept { seq: self.seq, bytes, event: Arc::clone(event) });
        self.bytes += bytes;
        while self.kept.len() > MAX_KEPT_EVENTS || self.bytes > MAX_KEPT_BYTES {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.bytes -= oldest.bytes;
            self.floor = oldest.seq;
        }
        Some(self.seq)
    }

    fn note_standing(&mut self, event: &Arc<RoomEvent>) {
        let Some(standing) = Standing::of(event) else { return };
        self.standing.retain(|(known, _)| *known != standing);
        if self.standing.len() >= MAX_STANDING {
            self.standing.remove(0);
        }
        self.standing.push((standing, Arc::clone(event)));
    }

    /// What came after this one; `None` when not all of it is kept, or there never was such a number.
    pub(super) fn since(&self, last_seq: u64) -> Option<Missed> {
        if last_seq < self.floor || last_seq > self.seq {
            return None;
        }
        let missed = self.kept.iter().filter(|kept| kept.seq > last_seq);
        Some(missed.map(|kept| (kept.seq, Arc::clone(&kept.event))).collect())
    }

    /// The newest of the events that say how something stands.
    pub(super) fn standing(&self) -> impl Iterator<Item = &RoomEvent> {
        self.standing.iter().map(|(_, event)| &**event)
    }

    /// All media are gone: nothing stands any more.
    pub(super) fn forget_standing(&mut self) {
        self.standing.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signal::messages::{ActiveSpeaker, ConsumerClosed, ProducerOf};

    fn numbered(name: usize) -> Arc<RoomEvent> {
        let of = ProducerOf { producer_id: name.to_string(), participant_id: String::new() };
        Arc::new(RoomEvent::ProducerClosed(of))
    }

    fn speaker(name: &str) -> Arc<RoomEvent> {
        Arc::new(RoomEvent::ActiveSpeaker(ActiveSpeaker { participant_id: Some(name.to_owned()) }))
    }

    fn layers(consumer_id: &str) -> Arc<RoomEvent> {
        Arc::new(RoomEvent::ConsumerLayers(crate::signal::messages::ConsumerLayers {
            consumer_id: consumer_id.to_owned(),
            spatial_layer: None,
            temporal_layer: None,
            reason: crate::signal::messages::LayersReason::Bandwidth,
        }))
    }

    #[test]
    fn momentary_events_have_no_number_and_only_the_newest_is_kept() {
        let mut log = EventLog::default();
        assert_eq!(log.note(&speaker("a"), 10), None);
        assert_eq!(log.note(&Arc::new(RoomEvent::AudioLevels(Vec::new())), 10), None);
        assert_eq!(log.note(&speaker("b"), 10), None);
        assert_eq!(log.since(0), Some(Vec::new()));
        assert_eq!(log.standing().collect::<Vec<_>>(), [&*speaker("b")]);
    }

    #[test]
    fn of_a_consumer_that_is_gone_nothing_stands() {
        let mut log = EventLog::default();
        log.note(&layers("c1"), 10);
        log.note(&layers("c2"), 10);
        log.note(&Arc::new(RoomEvent::ConsumerClosed(ConsumerClosed { consumer_id: "c1".into() })), 10);
        assert_eq!(log.standing().collect::<Vec<_>>(), [&*layers("c2")]);
    }

    #[test]
    fn no_more_stands_than_the_limit() {
        let mut log = EventLog::default();
        for index in 0..MAX_STANDING + 10 {
            log.note(&layers(&index.to_string()), 10);
        }
        assert_eq!(log.standing().count(), MAX_STANDING);
        assert_eq!(log.standing().next(), Some(&*layers("10")));
    }

    #[test]
    fn more_than_the_limit_of_events_is_too_many() {
        let mut log = EventLog::default();
        for index in 0..=MAX_KEPT_EVENTS {
            log.note(&numbered(index), 10);
        }
        assert_eq!(log.since(0), None);
        assert_eq!(log.since(1).map(|missed| missed.len()), Some(MAX_KEPT_EVENTS));
    }

    #[test]
    fn more_than_the_limit_of_bytes_is_too_many() {
        let mut log = EventLog::default();
        for index in 0..3 {
            log.note(&numbered(index), MAX_KEPT_BYTES / 2);
        }
        assert_eq!(log.since(0), None);
        assert_eq!(log.since(1).map(|missed| missed.len()), Some(2));
        // One that is larger than all that may be kept is not kept itself.
        log.note(&numbered(3), MAX_KEPT_BYTES + 1);
        assert_eq!((log.since(3), log.since(4)), (None, Some(Vec::new())));
    }

    proptest! {
        /// Whoever saw the events up to one of them gets exactly the others, in order, or is told that they are gone.
        #[test]
        fn what_is_told_again_leaves_no_gap(
            sizes in prop::collection::vec(0..MAX_KEPT_BYTES / 4, 0..600),
            last_seq in 0..700_u64,
        ) {
            let mut log = EventLog::default();
            for (index, bytes) in sizes.iter().enumerate() {
                prop_assert_eq!(log.note(&numbered(index), *bytes), Some(index as u64 + 1));
            }
            prop_assert!(log.kept.len() <= MAX_KEPT_EVENTS && log.bytes <= MAX_KEPT_BYTES);
            match log.since(last_seq) {
                Some(missed) => {
                    prop_assert!(last_seq <= sizes.len() as u64);
                    let expected: Vec<_> = (last_seq as usize..sizes.len()).map(|i| (i as u64 + 1, numbered(i))).collect();
                    prop_assert_eq!(missed, expected);
                }
                None => {
                    let bytes: usize = sizes.iter().skip(last_seq as usize).sum();
                    let count = sizes.len().saturating_sub(last_seq as usize);
                    prop_assert!(
                        last_seq > sizes.len() as u64 || count > MAX_KEPT_EVENTS || bytes > MAX_KEPT_BYTES
                    );
                }
            }
        }
    }
}
