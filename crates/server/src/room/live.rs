//! A room as those who run the server see it, and how they send somebody out.

use std::time::Duration;

use serde::Serialize;

use super::{Effect, Room, To};
use crate::signal::messages::{Kicked, LeaveReason, RoomEvent};

/// How long the media worker may take to tell what the connections of a room carry.
const PATIENCE: Duration = Duration::from_secs(1);

/// A room where somebody is.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LiveRoom {
    /// Its id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Seats.
    pub(crate) capacity: u32,
    /// Seats taken.
    pub(crate) occupancy: u32,
    /// The media worker it is on; not there while no media flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) worker: Option<usize>,
    /// Streams that come in.
    pub(crate) producers: usize,
    /// Streams that go out.
    pub(crate) consumers: usize,
    /// From browsers, lately.
    pub(crate) received_bits_per_second: u64,
    /// To browsers, lately.
    pub(crate) sent_bits_per_second: u64,
    /// Who is there.
    pub(crate) participants: Vec<LiveParticipant>,
}

/// Somebody in a room.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub(crate) struct LiveParticipant {
    /// Of this seat.
    pub(crate) id: String,
    /// Connections to the media server.
    pub(crate) transports: usize,
    /// Streams that come from them.
    pub(crate) producers: usize,
    /// Streams that go to them.
    pub(crate) consumers: usize,
}

impl Room {
    /// How it is now; `None` when nobody is there.
    pub(crate) async fn live(&self) -> Option<LiveRoom> {
        let (mut live, transports) = {
            let inner = self.lock();
            if inner.seats.is_empty() {
                return None;
            }
            let info = inner.state.info();
            let participants = inner.seats.iter().map(|(id, entry)| {
                let counts = entry.media.counts();
                let (transports, producers, consumers) = (counts.transports, counts.producers, counts.consumers);
                LiveParticipant { id: id.to_string(), transports, producers, consumers }
            });
            let participants: Vec<_> = participants.collect();
            let live = LiveRoom {
                id: info.id,
                name: info.name,
                capacity: info.capacity,
                occupancy: info.occupancy,
                worker: inner.router.as_ref().map(|router| router.handle.worker()),
                producers: participants.iter().map(|one| one.producers).sum(),
                consumers: participants.iter().map(|one| one.consumers).sum(),
                received_bits_per_second: 0,
                sent_bits_per_second: 0,
                participants,
            };
            (live, inner.seats.values().flat_map(|entry| entry.media.transports().cloned()).collect::<Vec<_>>())
        };
        live.participants.sort_by(|a, b| a.id.cmp(&b.id));
        let asked = futures_util::future::join_all(transports.iter().map(|transport| transport.stats()));
        // A worker that does not tell, or a connection that is closed by now, carries nothing that could be told.
        for figures in tokio::time::timeout(PATIENCE, asked).await.unwrap_or_default().into_iter().flatten() {
            live.received_bits_per_second += figures["recvBitrate"].as_u64().unwrap_or(0);
            live.sent_bits_per_second += figures["sendBitrate"].as_u64().unwrap_or(0);
        }
        Some(live)
    }

    /// Sends somebody out and closes their socket; whether they were there.
    pub(crate) fn send_away(&self, id: &str) -> bool {
        let mut inner = self.lock();
        let Some(id) = inner.seats.keys().find(|seat| seat.to_string() == id).cloned() else { return false };
        let reason = "An administrator closed your connection.".to_owned();
        let event = RoomEvent::Kicked(Kicked { reason, until: None });
        inner.emit(self, vec![Effect { to: To::One(id.clone()), event }]);
        let outlet = inner.seats.get(&id).and_then(|entry| entry.outlet.clone());
        drop(inner);
        self.leave(&id, LeaveReason::Kicked);
        if let Some(outlet) = outlet {
            outlet.disconnect();
        }
        true
    }
}
