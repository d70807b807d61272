//! What happens to the media of a traced room, as lines of the log: for whoever runs the server and looks for the cause of a bad
//! call. They bear ids, which say nothing to others, and neither names nor addresses.

use sfu::{CloseReason, TraceEvent, TraceKinds, Traced, TransportId};
use tracing::info;

use super::Room;
use crate::error::Refusal;

impl Room {
    /// Has the media server tell of a new router's objects, if this room is traced.
    pub(super) async fn begin_trace(&self, router: &sfu::Router) -> Result<(), Refusal> {
        if self.is_traced {
            router.enable_trace_event(TraceKinds::ALL).await?;
        }
        Ok(())
    }

    /// Writes down what happened.
    pub(super) fn trace(&self, of: &Traced, what: TraceEvent) {
        let (room, inner) = (&self.id, self.lock());
        match of {
            Traced::Router => info!(target: "studyhall::trace", room, "trace: {what}"),
            Traced::Transport(transport) => {
                let owner = inner.seats.iter().find(|(_, entry)| entry.media.has_transport(transport));
                let participant = owner.map(|(id, _)| tracing::field::display(id));
                info!(target: "studyhall::trace", room, participant, %transport, "trace: {what}");
            }
            Traced::Producer(producer) => {
                let found = inner.state.producer(producer.as_ref());
                let participant = found.map(|(id, _)| tracing::field::display(id));
                let source = found.map(|(_, facts)| tracing::field::debug(facts.source));
                info!(target: "studyhall::trace", room, participant, source, %producer, "trace: {what}");
            }
            Traced::Consumer(consumer) => {
                let found = inner.seats.iter().find_map(|(id, entry)| {
                    let handle = entry.media.consumer(consumer.as_ref())?;
                    Some((tracing::field::display(id), tracing::field::display(handle.producer_id())))
                });
                let (participant, producer) = found.unzip();
                info!(target: "studyhall::trace", room, participant, producer, %consumer, "trace: {what}");
            }
        }
    }

    /// Writes down that a transport closed by itself, if this room is traced.
    pub(super) fn trace_closed(&self, transport: &TransportId, reason: &CloseReason) {
        if self.is_traced {
            info!(target: "studyhall::trace", room = self.id, %transport, ?reason, "trace: closed");
        }
    }
}
