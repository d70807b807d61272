//! The root namespace: who looks for a room sees how full each one is.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef};
use tokio::sync::Notify;
use tracing::debug;

use super::limits::{EventKind, ParticipantRates};
use super::messages::{LeaveReason, LobbyEvent, LobbyState, RoomOccupancy, ServerDraining, Visibility};
use crate::App;
use crate::error::{Code, Refusal};
use crate::operations::metrics::Counted;
use crate::operations::webhooks::Webhooks;

/// However many come and go, nobody hears of a room more often than this.
const MIN_GAP: Duration = Duration::from_millis(100);

/// Rings when somebody takes a seat or gives it back: the lobby hears that a room changed, the receiver of webhooks who came and
/// went.
#[derive(Default)]
pub(crate) struct Bell {
    webhooks: Webhooks,
    changed: Mutex<BTreeSet<String>>,
    notify: Notify,
}

impl Bell {
    /// One that these webhooks hear too.
    pub(crate) fn heard_by(webhooks: Webhooks) -> Self {
        Self { webhooks, ..Self::default() }
    }

    /// Somebody took a seat; how many are taken now.
    pub(crate) fn came(&self, room_id: &str, participant_id: &str, occupancy: u32) {
        if occupancy == 1 {
            self.webhooks.room_started(room_id);
        }
        self.webhooks.participant_joined(room_id, participant_id, occupancy);
    }

    /// Somebody gave their seat back; how many are taken now.
    pub(crate) fn went(&self, room_id: &str, participant_id: &str, occupancy: u32, reason: LeaveReason) {
        self.webhooks.participant_left(room_id, participant_id, occupancy, reason);
        if occupancy == 0 {
            self.webhooks.room_ended(room_id);
        }
    }

    /// The occupancy of this room changed.
    pub(crate) fn ring(&self, room_id: &str) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if !changed.contains(room_id) {
            changed.insert(room_id.to_owned());
        }
        drop(changed);
        self.notify.notify_one();
    }

    /// The rooms that changed since the last call, once there are some.
    async fn changed(&self) -> BTreeSet<String> {
        self.notify.notified().await;
        std::mem::take(&mut *self.changed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets anybody look.
pub(super) fn open(app: &Arc<App>, io: &SocketIo) {
    let app = Arc::clone(app);
    // What is before the async block runs before the connection is read on, so the greeting comes first.
    io.ns("/", move |socket: SocketRef| {
        greet(&app, &socket);
        async {}
    });
}

fn greet(app: &Arc<App>, socket: &SocketRef) {
    socket.extensions.insert(Counted::one(&app.operations.metrics.lobby_sockets));
    emit(socket, &LobbyEvent::LobbyState(LobbyState { rooms: app.rooms.list() }));
    let rates = ParticipantRates::new(Instant::now(), &app.config.limits);
    let rates = Arc::new(Mutex::new(rates));
    socket.on_fallback(move |ack: AckSender| {
        let taken = rates.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now(), EventKind::Other);
        let refusal = match taken {
            Ok(()) => Refusal::new(Code::UnknownEvent, "The lobby takes no events."),
            Err(wait) => Refusal::rate_limited(wait),
        };
        super::acknowledge(ack, &refusal.answer());
        async {}
    });
}

fn emit(socket: &SocketRef, event: &LobbyEvent) {
    if let Err(error) = socket.emit(event.name(), event) {
        debug!(%error, "the lobby cannot greet");
    }
}

/// Tells everybody in the lobby how full rooms are, for as long as the server runs.
pub(crate) async fn publish(app: Arc<App>, io: SocketIo) {
    loop {
        for id in app.bell.changed().await {
            let Ok(room) = app.rooms.find(&id) else { continue };
            let info = room.info();
            if info.visibility != Visibility::Public {
                continue;
            }
            let (occupancy, capacity) = (info.occupancy, info.capacity);
            let event = RoomOccupancy { room_id: info.id, occupancy, capacity };
            broadcast(&io, &LobbyEvent::RoomOccupancy(event)).await;
        }
        tokio::time::sleep(MIN_GAP).await;
    }
}

/// Tells everybody in the lobby that the server stops.
pub(crate) async fn drain(io: &SocketIo, reconnect_in_ms: u64) {
    broadcast(io, &LobbyEvent::ServerDraining(ServerDraining { reconnect_in_ms })).await;
}

async fn broadcast(io: &SocketIo, event: &LobbyEvent) {
    let Some(lobby) = io.of("/") else { return };
    // Who takes nothing any more is found by the heartbeat.
    if let Err(error) = lobby.emit(event.name(), event).await {
        debug!(%error, "somebody in the lobby does not take events");
    }
}
