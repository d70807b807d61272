//! A seat as its owner holds it, and the way from the room to the one who sits there.

use std::sync::{Arc, Weak};

use serde::Serialize;
use socketioxide::extract::SocketRef;
use tracing::debug;

use super::resume::Ending;
use super::{ParticipantId, Room};
use crate::error::error_event;
use crate::signal::messages::{LeaveReason, RoomEvent};

/// A seat as one connection holds it. When the last clone goes the connection is gone, whatever happened before it was
/// complete; who leaves in an orderly way gives the seat back earlier.
#[derive(Clone)]
pub(crate) struct Seat(Arc<Held>);

struct Held {
    room: Arc<Room>,
    id: ParticipantId,
    /// Which of the connections that held the seat.
    connection: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.let_go(&self.id, self.connection, Ending::Lost);
    }
}

impl Seat {
    pub(super) fn new(room: Arc<Room>, id: ParticipantId, connection: u64) -> Self {
        Self(Arc::new(Held { room, id, connection }))
    }

    /// Where it is.
    pub(crate) fn room(&self) -> &Arc<Room> {
        &self.0.room
    }

    /// Whose it is.
    pub(crate) fn id(&self) -> &ParticipantId {
        &self.0.id
    }

    /// Which of the connections that held the seat this is.
    pub(crate) fn connection(&self) -> u64 {
        self.0.connection
    }

    /// The participant can hear from now on, through this socket.
    pub(crate) fn enter(&self, socket: SocketRef) {
        let outlet =
            Outlet { socket, room: Arc::downgrade(self.room()), id: self.id().clone(), connection: self.0.connection };
        if !self.room().enter(self.id(), self.0.connection, outlet.clone()) {
            outlet.replaced();
        }
    }

    /// The connection is gone.
    pub(crate) fn let_go(&self, ending: Ending) {
        self.room().let_go(self.id(), self.0.connection, ending);
    }
}

/// The way to a participant.
#[derive(Clone)]
pub(crate) struct Outlet {
    socket: SocketRef,
    room: Weak<Room>,
    id: ParticipantId,
    connection: u64,
}

/// An event with its number in it.
#[derive(Serialize)]
struct Numbered<'a> {
    #[serde(flatten)]
    event: &'a RoomEvent,
    seq: u64,
}

impl Outlet {
    /// Queues an event; false when the participant takes none any more and must be let go.
    pub(crate) fn emit(&self, event: &RoomEvent) -> bool {
        self.send(event.name(), event)
    }

    /// The same for an event that has a number.
    pub(super) fn emit_numbered(&self, seq: u64, event: &RoomEvent) -> bool {
        self.send(event.name(), &Numbered { event, seq })
    }

    fn send(&self, name: &str, payload: &impl Serialize) -> bool {
        match self.socket.emit(name, payload) {
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
        let Self { room, id, .. } = self.clone();
        self.close();
        tokio::spawn(async move {
            if let Some(room) = room.upgrade() {
                room.leave(&id, LeaveReason::Lost);
            }
        });
    }

    /// Lets a client go that does not take its events; its seat is kept for a while.
    pub(super) fn cut(&self) {
        let Self { room, id, connection, .. } = self.clone();
        self.close();
        tokio::spawn(async move {
            if let Some(room) = room.upgrade() {
                room.let_go(&id, connection, Ending::Lost);
            }
        });
    }

    /// Another connection has the seat now.
    pub(super) fn replaced(&self) {
        let message = "You have come into this room from somewhere else, and are there now.";
        self.emit(&RoomEvent::Error(error_event("REPLACED", message, None)));
        self.close();
    }

    /// Closes the namespace, soon: the caller may hold the room's lock.
    pub(super) fn close(&self) {
        let socket = self.socket.clone();
        tokio::spawn(async move {
            if socket.disconnect().is_err() {
                // Its queue is full; the next heartbeat finds the same and ends the connection.
                debug!("a socket could not be told that it is closed");
            }
        });
    }
}
