//! Follows what happens in a room's router.

use std::sync::{Arc, Weak};

use sfu::{RouterEvent, RouterEvents, RouterId};
use tokio::task::JoinHandle;

use super::Room;

/// Follows a router for as long as it is kept.
pub(super) struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Following {
    pub(super) fn start(room: Weak<Room>, router: RouterId, events: RouterEvents) -> Self {
        Self(tokio::spawn(follow(room, router, events)))
    }
}

async fn follow(room: Weak<Room>, router: RouterId, mut events: RouterEvents) {
    let upgrade = || -> Option<Arc<Room>> { room.upgrade() };
    while let Some(event) = events.next().await {
        let Some(room) = upgrade() else { return };
        match event {
            RouterEvent::TransportConnected { transport } => room.transport_connected(&transport),
            RouterEvent::TransportClosed { transport, reason } => {
                room.trace_closed(&transport, &reason);
                room.transport_closed(&transport, &reason);
            }
            RouterEvent::ProducerClosed { producer } => room.producer_closed(&producer),
            RouterEvent::ConsumerClosed { consumer } => room.consumer_closed(&consumer),
            RouterEvent::ActiveSpeaker { producer } => room.active_speaker(producer.as_ref()),
            RouterEvent::AudioLevels { levels } => room.audio_levels(&levels),
            RouterEvent::ConsumerLayers { consumer, layer, reason } => room.consumer_layers(&consumer, layer, reason),
            RouterEvent::PublishLayers { producer, active } => room.publish_layers(&producer, &active),
            RouterEvent::Bandwidth { transport, bandwidth } => room.bandwidth(&transport, bandwidth),
            RouterEvent::ProducerScore { producer, scores } => room.producer_score(&producer, &scores),
            RouterEvent::ConsumerScore { consumer, score, producer_score } => {
                room.consumer_score(&consumer, score, producer_score);
            }
            RouterEvent::ConnectionQuality { transport, quality } => room.connection(&transport, quality.into()),
            RouterEvent::Trace { of, what } => room.trace(&of, what),
            RouterEvent::WorkerDied => break,
            _ => {}
        }
    }
    // The stream also ends without a word when a failing worker could not say it any more.
    if let Some(room) = upgrade() {
        room.router_died(&router);
    }
}
