//! A consumer as a handle.

use std::sync::Arc;

use serde_json::Value;
use sfu_core::{Command, Key, Reply};
use wire::ortc::{ConsumerType, MediaKind, RtpParameters};

use crate::error::WorkerError;
use crate::id::{ConsumerId, ProducerId};
use crate::link::{Guard, Request};
use crate::producer::Producer;
use crate::stats;
use crate::transport::WebRtcTransport;

/// What a participant receives of one producer. Closes on last drop.
#[derive(Clone)]
pub struct Consumer(Arc<Inner>);

/// What is fixed before the worker is asked.
pub(crate) struct Facts {
    pub(crate) id: ConsumerId,
    pub(crate) producer: Producer,
    pub(crate) rtp_parameters: RtpParameters,
    pub(crate) consumer_type: ConsumerType,
}

struct Inner {
    id: ConsumerId,
    producer: ProducerId,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    consumer_type: ConsumerType,
    producer_paused: bool,
    key: Key<sfu_core::Consumer>,
    guard: Guard,
    transport: WebRtcTransport,
}

impl Consumer {
    pub(crate) fn new(
        facts: Facts,
        key: Key<sfu_core::Consumer>,
        guard: Guard,
        producer_paused: bool,
        transport: WebRtcTransport,
    ) -> Self {
        Self(Arc::new(Inner {
            id: facts.id,
            producer: facts.producer.id().clone(),
            kind: facts.producer.kind(),
            rtp_parameters: facts.rtp_parameters,
            consumer_type: facts.consumer_type,
            producer_paused,
            key,
            guard,
            transport,
        }))
    }

    /// Its name.
    pub fn id(&self) -> &ConsumerId {
        &self.0.id
    }

    /// Whose media it is.
    pub fn producer_id(&self) -> &ProducerId {
        &self.0.producer
    }

    /// Audio or video.
    pub fn kind(&self) -> MediaKind {
        self.0.kind
    }

    /// What mediasoup-client's `consume` wants to know.
    pub fn rtp_parameters(&self) -> &RtpParameters {
        &self.0.rtp_parameters
    }

    /// Whether it chooses among streams or layers.
    pub fn consumer_type(&self) -> ConsumerType {
        self.0.consumer_type
    }

    /// Whether its producer was paused when it was made.
    pub fn producer_paused(&self) -> bool {
        self.0.producer_paused
    }

    pub(crate) fn key(&self) -> Key<sfu_core::Consumer> {
        self.0.key
    }

    pub(crate) async fn tell(&self, command: Command) -> Result<Reply, WorkerError> {
        self.0.transport.link().tell(self.0.guard.of(), command).await
    }

    /// Stops forwarding to it.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn pause(&self) -> Result<(), WorkerError> {
        self.tell(Command::PauseConsumer { consumer: self.0.key, paused: true }).await.map(drop)
    }

    /// Forwards to it again, video from the next key frame on, which is asked for.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn resume(&self) -> Result<(), WorkerError> {
        self.tell(Command::PauseConsumer { consumer: self.0.key, paused: false }).await.map(drop)
    }

    /// The highest layers it wants.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn set_preferred_layers(&self, spatial: u8, temporal: Option<u8>) -> Result<(), WorkerError> {
        let consumer = self.0.key;
        self.tell(Command::SetPreferredLayers { consumer, spatial, temporal }).await.map(drop)
    }

    /// Asks its producer for a key frame.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn request_key_frame(&self) -> Result<(), WorkerError> {
        self.tell(Command::RequestKeyFrame { consumer: self.0.key }).await.map(drop)
    }

    /// Its figures: of itself, of what it sends, and of the producer's stream that this is made of.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn stats(&self) -> Result<Vec<Value>, WorkerError> {
        match self.tell(Command::ConsumerStats { consumer: self.0.key }).await? {
            Reply::ConsumerStats(figures) => Ok(stats::consumer(&self.0.id, &figures)),
            _ => unreachable!("ConsumerStats is answered by ConsumerStats"),
        }
    }

    /// Closes it now, before its last handle goes.
    pub fn close(&self) {
        let command = Command::CloseConsumer { consumer: self.0.key };
        self.0.transport.link().push(Request::Close { of: self.0.guard.of(), command });
    }
}
