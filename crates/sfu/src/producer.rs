//! A producer as a handle.

use std::sync::Arc;

use serde_json::Value;
use sfu_core::{Command, Key, Reply};
use wire::ortc::{MediaKind, RtpCapabilities, RtpParameters};

use crate::error::WorkerError;
use crate::id::ProducerId;
use crate::link::{Guard, Request};
use crate::stats;
use crate::transport::WebRtcTransport;

/// What a participant sends. Closes on last drop.
#[derive(Clone)]
pub struct Producer(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) id: ProducerId,
    pub(crate) key: Key<sfu_core::Producer>,
    pub(crate) kind: MediaKind,
    /// What any consumer could get of it.
    pub(crate) consumable: RtpParameters,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) guard: Guard,
    pub(crate) transport: WebRtcTransport,
}

/// One of the streams that a publisher sends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Encoding {
    /// Its RID, where streams are told apart by it.
    pub rid: Option<String>,
    /// Upper bound that the publisher set, in bits a second.
    pub max_bitrate: Option<u64>,
}

/// Whether a device with these capabilities can receive `producer`.
pub fn can_consume(producer: &Producer, capabilities: &RtpCapabilities) -> bool {
    wire::ortc::can_consume(&producer.0.consumable, capabilities)
}

impl Producer {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Its name.
    pub fn id(&self) -> &ProducerId {
        &self.0.id
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.0.kind
    }

    /// What its publisher announced to send, smallest first.
    pub fn encodings(&self) -> &[Encoding] {
        &self.0.encodings
    }

    pub(crate) fn key(&self) -> Key<sfu_core::Producer> {
        self.0.key
    }

    pub(crate) fn consumable(&self) -> &RtpParameters {
        &self.0.consumable
    }

    /// Stops forwarding it to anybody.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn pause(&self) -> Result<(), WorkerError> {
        self.set_paused(true).await
    }

    /// Forwards it again, video from its next key frame on.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn resume(&self) -> Result<(), WorkerError> {
        self.set_paused(false).await
    }

    async fn set_paused(&self, paused: bool) -> Result<(), WorkerError> {
        self.tell(Command::PauseProducer { producer: self.0.key, paused }).await.map(drop)
    }

    pub(crate) async fn tell(&self, command: Command) -> Result<Reply, WorkerError> {
        self.0.transport.link().tell(self.0.guard.of(), command).await
    }

    /// Its figures: of itself, and of each stream that has brought something.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn stats(&self) -> Result<Vec<Value>, WorkerError> {
        match self.tell(Command::ProducerStats { producer: self.0.key }).await? {
            Reply::ProducerStats(figures) => Ok(stats::producer(&self.0.id, &figures)),
            _ => unreachable!("ProducerStats is answered by ProducerStats"),
        }
    }

    /// Closes it now, before its last handle goes.
    pub fn close(&self) {
        let command = Command::CloseProducer { producer: self.0.key };
        self.0.transport.link().push(Request::Close { of: self.0.guard.of(), command });
    }
}
