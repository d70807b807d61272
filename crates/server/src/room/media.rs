//! The media handles of one seat. A handle closes its object when it is dropped; what is here is all there is.

use std::collections::HashMap;

use sfu::{Consumer, ConsumerId, Producer, ProducerId, TransportId, WebRtcTransport};

use crate::signal::messages::Connection;

/// What one participant has made on the media server.
#[derive(Default)]
pub(super) struct SeatMedia {
    transports: HashMap<TransportId, Transport>,
    producers: HashMap<ProducerId, On<Producer>>,
    consumers: HashMap<ConsumerId, On<Consumer>>,
    /// What the participant shows, by producer; `None` until it says.
    viewport: Option<HashMap<String, Shown>>,
    /// Whether all connected transports broke, and no new one is connected yet.
    is_lost: bool,
}

/// Where a picture is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shown {
    /// In pixels of the device.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pinned: bool,
}

/// What the viewer at one transport shows.
pub(crate) struct TransportViewport {
    pub(crate) transport: WebRtcTransport,
    pub(crate) shown: Vec<(Consumer, Shown)>,
}

struct Transport {
    handle: WebRtcTransport,
    /// Whether ICE and DTLS were through once: only then can its end mean that the participant is gone.
    connected: bool,
    quality: Connection,
}

/// A thing and the transport it is on: they go together.
struct On<T> {
    transport: TransportId,
    handle: T,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) transports: usize,
    pub(crate) producers: usize,
    pub(crate) consumers: usize,
}

/// What went with a transport.
pub(super) struct Gone {
    pub(super) was_connected: bool,
    pub(super) producers: Vec<Producer>,
    pub(super) consumers: Vec<Consumer>,
}

impl SeatMedia {
    pub(super) fn counts(&self) -> Counts {
        Counts { transports: self.transports.len(), producers: self.producers.len(), consumers: self.consumers.len() }
    }

    pub(super) fn add_transport(&mut self, handle: WebRtcTransport) {
        self.transports.insert(handle.id().clone(), Transport { handle, connected: false, quality: Connection::Good });
    }

    pub(super) fn transport(&self, id: &str) -> Option<&WebRtcTransport> {
        self.transports.get(id).map(|transport| &transport.handle)
    }

    pub(super) fn transports(&self) -> impl Iterator<Item = &WebRtcTransport> {
        self.transports.values().map(|transport| &transport.handle)
    }

    /// ICE and DTLS of one are through.
    pub(super) fn note_connected(&mut self, id: &TransportId) {
        if let Some(transport) = self.transports.get_mut(id) {
            transport.connected = true;
            self.is_lost = false;
        }
    }

    /// All that were connected broke.
    pub(super) fn note_lost(&mut self) {
        self.is_lost = true;
    }

    /// Notes how well media get through one; the worst of all.
    pub(super) fn set_connection(&mut self, id: &TransportId, quality: Connection) -> Connection {
        if let Some(transport) = self.transports.get_mut(id) {
            transport.quality = quality;
        }
        self.connection()
    }

    /// How well media get through: as well as on the worst transport.
    pub(super) fn connection(&self) -> Connection {
        if self.is_lost {
            return Connection::Lost;
        }
        self.transports.values().map(|transport| transport.quality).max().unwrap_or_default()
    }

    /// All producers.
    pub(super) fn producer_ids(&self) -> Vec<String> {
        self.producers.keys().map(ToString::to_string).collect()
    }

    pub(super) fn has_transport(&self, id: &TransportId) -> bool {
        self.transports.contains_key(id)
    }

    /// Forgets one that closed by itself, and what was on it.
    pub(super) fn remove_transport(&mut self, id: &TransportId) -> Gone {
        let was_connected = self.transports.remove(id).is_some_and(|transport| transport.connected);
        let producers = self.producers.extract_if(|_, producer| producer.transport == *id);
        let producers = producers.map(|(_, producer)| producer.handle).collect();
        let consumers = self.consumers.extract_if(|_, consumer| consumer.transport == *id);
        let consumers = consumers.map(|(_, consumer)| consumer.handle).collect();
        Gone { was_connected, producers, consumers }
    }

    /// Whether any is connected.
    pub(super) fn is_connected(&self) -> bool {
        self.transports.values().any(|transport| transport.connected)
    }

    pub(super) fn add_producer(&mut self, transport: TransportId, handle: Producer) {
        self.producers.insert(handle.id().clone(), On { transport, handle });
    }

    pub(super) fn producer(&self, id: &str) -> Option<&Producer> {
        self.producers.get(id).map(|producer| &producer.handle)
    }

    pub(super) fn remove_producer(&mut self, id: &str) -> Option<Producer> {
        self.producers.remove(id).map(|producer| producer.handle)
    }

    pub(super) fn add_consumer(&mut self, transport: TransportId, handle: Consumer) {
        self.consumers.insert(handle.id().clone(), On { transport, handle });
    }

    pub(super) fn consumer(&self, id: &str) -> Option<&Consumer> {
        self.consumers.get(id).map(|consumer| &consumer.handle)
    }

    pub(super) fn remove_consumer(&mut self, id: &str) -> Option<Consumer> {
        self.consumers.remove(id).map(|consumer| consumer.handle)
    }

    /// Notes what the participant shows.
    pub(super) fn set_viewport(&mut self, viewport: HashMap<String, Shown>) {
        self.viewport = Some(viewport);
    }

    /// What is shown at each transport that receives anything; nothing until the participant said.
    pub(super) fn viewports(&self) -> Vec<TransportViewport> {
        let Some(viewport) = &self.viewport else { return Vec::new() };
        let of_transport = |(id, transport): (&TransportId, &Transport)| {
            let mut consumers = self.consumers.values().filter(|consumer| consumer.transport == *id).peekable();
            consumers.peek()?;
            let shown = consumers.filter_map(|consumer| {
                let shown = viewport.get(consumer.handle.producer_id().as_ref())?;
                Some((consumer.handle.clone(), *shown))
            });
            Some(TransportViewport { transport: transport.handle.clone(), shown: shown.collect() })
        };
        self.transports.iter().filter_map(of_transport).collect()
    }

    pub(super) fn has_consumer(&self, id: &ConsumerId) -> bool {
        self.consumers.contains_key(id)
    }

    /// Takes out the consumers of a producer that is gone.
    pub(super) fn take_consumers_of(&mut self, producer_id: &str) -> Vec<Consumer> {
        let of_it = |consumer: &On<Consumer>| consumer.handle.producer_id().as_ref() == producer_id;
        let taken = self.consumers.extract_if(|_, consumer| of_it(consumer));
        taken.map(|(_, consumer)| consumer.handle).collect()
    }

    /// Closes everything now, whoever else still holds a handle for a moment.
    pub(super) fn close(self) {
        for transport in self.transports.values() {
            transport.handle.close();
        }
    }
}
