//! A seat as its owner holds it, and the way from the room to the one who sits there.

use std::sync::{Arc, Weak};

use socketioxide::extract::SocketRef;
use tracing::debug;

use super::{ParticipantId, Room};
use crate::signal::messages::{LeaveReason, RoomEvent};

/// A seat that is taken. It is given back when the last clone goes, whatever happened to the connection before it
/// was complete; who leaves in an orderly way gives it back earlier.
#[derive(Clone)]
pub(crate) struct Seat(Arc<Taken>);

struct Taken {
    room: Arc<Room>,
    id: ParticipantId,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.leave(&self.id, LeaveReason::Lost);
    }
}

impl Seat {
    pub(super) fn new(room: Arc<Room>, id: ParticipantId) -> Self {
        Self(Arc::new(Taken { room, id }))
    }

    /// Where it is.
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.0.room
    }

    /// Whose it is.
    pub(crate) fn id(&self) -> &ParticipantId {
        &self.0.id
    }

    /// The participant can hear from now on, through this socket.
    pub(crate) fn enter(&self, socket: SocketRef) {
        let outlet = Outlet { socket, room: Arc::downgrade(self.room()), id: self.id().clone() };
        self.room().enter(self.id(), outlet);
    }

    /// Gives it back.
    pub(crate) fn leave(&self, reason: LeaveReason) {
        self.room().leave(self.id(), reason);
    }
}

/// The way to a participant.
#[derive(Clone)]
pub(crate) struct Outlet {
    socket: SocketRef,
    room: Weak<Room>,
    id: ParticipantId,
}

impl Outlet {
    /// Queues an event; false when the participant takes none any more and must be let go.
    pub(crate) fn emit(&self, event: &RoomEvent) -> bool {
        match self.socket.emit(event.name(), event) {
            Ok(()) => true,
            // A closed socket is on its way out already.
            Err(socketioxide::SendError::Socket(socketioxide::SocketError::Closed)) => true,
            Err(error) => {
                debug!(%error, "an event cannot be queued");
                false
            }
        }
    }

    /// Closes the namespace and gives the seat back, soon: the caller may hold the room's lock.
    pub(crate) fn disconnect(&self) {
        let Self { socket, room, id } = self.clone();
        tokio::spawn(async move {
            if socket.disconnect().is_err() {
                // Its queue is full; the next heartbeat finds the same and ends the connection.
                debug!("a socket could not be told that it is closed");
            }
            if let Some(room) = room.upgrade() {
                room.leave(&id, LeaveReason::Lost);
            }
        });
    }
}
