//! What the requests of a participant do. Each handler reads its payload, checks the limits, asks the media server
//! with nothing locked, and gives what came of it to the room.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sfu::{Consumer, ProducerOptions, WebRtcTransportOptions, Workers};
use tracing::debug;

use super::messages::{
    Closed, CompleteGoal, ConnectTransport, Connected, Consume, ConsumeAnswer, ConsumeOutcome, ConsumeRefusal,
    ConsumerIdOnly, ConsumerIds, ConsumerOptions, CreateTransport, GetStats, IceParametersAnswer, LeaveReason, Left,
    Message, MessageAnswer, MessageType, Moderate, Okay, Paused, Produce, ProduceAnswer, ProducerIdOnly, RaiseHand,
    React, Report, RequestName, Resumed, RoomAnswer, RtpCapabilitiesAnswer, SendMessage, SetGoal, SetPreferredLayers,
    SetStatus, SetViewport, Source, StatsAnswer, TimerAnswer, TransportAnswer, TransportIdOnly, TransportOptions,
};
use crate::App;
use crate::error::Refusal;
use crate::room::{
    Change, Command, Consumable, ParticipantId, ProducerFacts, Room, Shown, TransportViewport, emoji, start_command,
    text,
};

/// Largest width and height of a tile: no screen has more pixels.
const MAX_TILE_PIXELS: f64 = 16_384.0;

/// Longest texts, in characters.
const MAX_MESSAGE: usize = 1_000;
const MAX_GOAL: usize = 200;
const MAX_REASON: usize = 200;
const MAX_REPORT: usize = 500;

/// A participant who asks for something.
pub(super) struct Caller {
    app: Arc<App>,
    room: Arc<Room>,
    id: ParticipantId,
    /// Whether their token says that they run the server.
    is_admin: bool,
    /// Held while the media server is told what is shown: the newest must be the last that it hears.
    telling_viewport: tokio::sync::Mutex<()>,
}

impl Caller {
    pub(super) fn new(app: Arc<App>, room: Arc<Room>, id: ParticipantId, is_admin: bool) -> Self {
        Self { app, room, id, is_admin, telling_viewport: tokio::sync::Mutex::new(()) }
    }

    /// Does what is asked; the answer, or why not.
    pub(super) async fn answer(&self, name: RequestName, payload: Option<Value>) -> Result<Value, Refusal> {
        let payload = Payload { name, value: payload };
        if name.is_sign_of_life() {
            self.app.studies.sign_of_life(&self.id);
        }
        match name {
            RequestName::GetRtpCapabilities => {
                json(&RtpCapabilitiesAnswer { rtp_capabilities: Workers::rtp_capabilities() })
            }
            RequestName::CreateTransport => json(&self.create_transport(payload.read()?).await?),
            RequestName::ConnectTransport => json(&self.connect_transport(payload.read()?).await?),
            RequestName::Produce => json(&self.produce(payload.read()?).await?),
            RequestName::Consume => json(&self.consume(payload.read()?).await?),
            RequestName::ResumeConsumer => {
                self.set_consumers_paused(payload.read()?, false).await?;
                json(&Resumed::DONE)
            }
            RequestName::PauseConsumer => {
                self.set_consumers_paused(payload.read()?, true).await?;
                json(&Paused::DONE)
            }
            RequestName::CloseProducer => {
                let request: ProducerIdOnly = payload.read()?;
                self.room.close_producer(&self.id, &request.producer_id)?;
                json(&Closed::DONE)
            }
            RequestName::CloseConsumer => {
                let request: ConsumerIdOnly = payload.read()?;
                self.room.close_consumer(&self.id, &request.consumer_id)?;
                json(&Closed::DONE)
            }
            RequestName::PauseProducer => {
                self.set_producer_paused(payload.read()?, true).await?;
                json(&Paused::DONE)
            }
            RequestName::ResumeProducer => {
                self.set_producer_paused(payload.read()?, false).await?;
                json(&Resumed::DONE)
            }
            RequestName::SetPreferredLayers => json(&self.set_preferred_layers(payload.read()?).await?),
            RequestName::SetViewport => json(&self.set_viewport(payload.read()?).await?),
            RequestName::RequestKeyFrame => {
                let request: ConsumerIdOnly = payload.read()?;
                self.room.consumer(&self.id, &request.consumer_id)?.request_key_frame().await?;
                json(&Okay::DONE)
            }
            RequestName::RestartIce => {
                let request: TransportIdOnly = payload.read()?;
                let transport = self.room.transport(&self.id, &request.transport_id)?;
                json(&IceParametersAnswer { ice_parameters: transport.restart_ice().await? })
            }
            RequestName::GetStats => json(&self.stats(payload.read_or_default()?).await?),
            RequestName::SendMessage => {
                let SendMessage { content, message_type } = payload.read()?;
                let message = self.say(&content, message_type.unwrap_or_default())?;
                json(&MessageAnswer { message })
            }
            RequestName::SetStatus => {
                let request: SetStatus = payload.read()?;
                self.room.set_status(&self.id, request.status)?;
                json(&Okay::DONE)
            }
            RequestName::SetGoal => {
                let request: SetGoal = payload.read()?;
                self.room.set_goal(&self.id, text("text", &request.text, 0..=MAX_GOAL)?)?;
                json(&Okay::DONE)
            }
            RequestName::CompleteGoal => {
                let CompleteGoal { done, recap } = payload.read()?;
                let recap = recap.map(|recap| text("recap", &recap, 0..=MAX_GOAL)).transpose()?;
                self.room.complete_goal(&self.id, done, recap)?;
                json(&Okay::DONE)
            }
            RequestName::RaiseHand => {
                let request: RaiseHand = payload.read()?;
                self.room.raise_hand(&self.id, request.raised)?;
                json(&Okay::DONE)
            }
            RequestName::React => {
                let request: React = payload.read()?;
                self.room.react(&self.id, emoji("emoji", &request.emoji)?)?;
                json(&Okay::DONE)
            }
            RequestName::Moderate => {
                let mut request: Moderate = payload.read()?;
                request.reason = request.reason.map(|reason| text("reason", &reason, 0..=MAX_REASON)).transpose()?;
                self.room.moderate(&self.id, request).await?;
                json(&Okay::DONE)
            }
            RequestName::Report => {
                let request: Report = payload.read()?;
                let reason = text("reason", &request.reason, 1..=MAX_REPORT)?;
                self.room.report(&self.id, &request.participant_id, &reason)?;
                json(&Okay::DONE)
            }
            RequestName::ClearChat => {
                self.room.clear_chat(&self.id)?;
                json(&Okay::DONE)
            }
            RequestName::UpdateRoom => {
                let change = Change::of_update(payload.read()?, &self.app.config.limits, self.is_admin)?;
                json(&RoomAnswer { room: self.room.update(&self.id, change)? })
            }
            RequestName::TimerStart => self.control_timer(start_command(payload.read_or_default()?)?),
            RequestName::TimerPause => self.control_timer(Command::Pause),
            RequestName::TimerResume => self.control_timer(Command::Resume),
            RequestName::TimerSkip => self.control_timer(Command::Skip),
            RequestName::TimerReset => self.control_timer(Command::Reset),
            RequestName::Leave => {
                self.room.leave(&self.id, LeaveReason::Left);
                json(&Left::DONE)
            }
        }
    }

    fn say(&self, content: &str, message_type: MessageType) -> Result<Message, Refusal> {
        let content = match message_type {
            MessageType::Text => text("content", content, 1..=MAX_MESSAGE)?,
            MessageType::Emoji => emoji("content", content)?,
        };
        self.room.say(&self.id, content, message_type)
    }

    fn control_timer(&self, command: Command) -> Result<Value, Refusal> {
        json(&TimerAnswer { timer: self.room.control_timer(&self.id, command)? })
    }

    async fn create_transport(&self, request: CreateTransport) -> Result<TransportAnswer, Refusal> {
        let limit = self.app.config.limits.transports;
        if self.room.counts(&self.id)?.transports >= limit {
            return Err(Refusal::limit_reached(limit, "transports"));
        }
        let router = self.room.router().await?;
        let transport = router.create_webrtc_transport(WebRtcTransportOptions::default()).await?;
        let options = TransportOptions {
            id: transport.id().to_string(),
            ice_parameters: transport.ice_parameters().clone(),
            ice_candidates: transport.ice_candidates().to_vec(),
            dtls_parameters: transport.dtls_parameters().clone(),
            ice_servers: Vec::new(),
        };
        self.room.add_transport(&self.id, transport)?;
        // The direction is the client's own affair, as in mediasoup: here each transport can do both.
        debug!(transport = options.id, direction = ?request.direction, "a transport was made");
        Ok(TransportAnswer { transport: options })
    }

    async fn connect_transport(&self, request: ConnectTransport) -> Result<Connected, Refusal> {
        let transport = self.room.transport(&self.id, &request.transport_id)?;
        transport.connect(request.dtls_parameters).await?;
        Ok(Connected::DONE)
    }

    async fn produce(&self, request: Produce) -> Result<ProduceAnswer, Refusal> {
        let transport = self.room.transport(&self.id, &request.transport_id)?;
        let source = request.source.unwrap_or_else(|| Source::of_kind(request.kind));
        if source.kind() != request.kind {
            return Err(Refusal::bad_request("produce.source: does not fit the kind."));
        }
        let limit = self.app.config.limits.producers;
        if self.room.counts(&self.id)?.producers >= limit {
            return Err(Refusal::limit_reached(limit, "producers"));
        }
        let must_pause = self.room.check_produce(&self.id, source)?;
        let wants_pause = request.paused.unwrap_or(false);
        let paused = wants_pause || must_pause;
        let options = ProducerOptions {
            kind: request.kind.into(),
            rtp_parameters: request.rtp_parameters,
            paused,
            is_screen: source == Source::Screen,
            is_microphone: source == Source::Mic,
        };
        let producer = transport.produce(options).await?;
        let producer_id = producer.id().to_string();
        let facts = ProducerFacts { id: producer_id.clone(), source, paused };
        self.room.add_producer(&self.id, transport.id(), producer, facts)?;
        if must_pause && !wants_pause {
            self.room.tell_paused(&self.id, &producer_id);
        }
        Ok(ProduceAnswer { producer_id })
    }

    async fn consume(&self, request: Consume) -> Result<ConsumeAnswer, Refusal> {
        let many = match (request.producer_id, request.producer_ids) {
            (Some(producer_id), None) => {
                let outcomes = self.consume_all(&request.transport_id, vec![producer_id], &request.rtp_capabilities);
                let outcome = outcomes.await?.pop().ok_or_else(Refusal::internal)?;
                return outcome.map(|consumer| ConsumeAnswer::One { consumer: Box::new(consumer) });
            }
            (None, Some(producer_ids)) => producer_ids,
            _ => {
                return Err(Refusal::bad_request(
                    "consume: exactly one of producerId and producerIds has to be there.",
                ));
            }
        };
        let ids = many.clone();
        let outcomes = self.consume_all(&request.transport_id, many, &request.rtp_capabilities).await?;
        let consumers = outcomes.into_iter().zip(ids).map(|(outcome, producer_id)| match outcome {
            Ok(consumer) => ConsumeOutcome::Consumer(Box::new(consumer)),
            Err(refusal) => {
                let answer = refusal.answer();
                ConsumeOutcome::Refusal(ConsumeRefusal { producer_id, error: answer.error, code: answer.code })
            }
        });
        Ok(ConsumeAnswer::Many { consumers: consumers.collect() })
    }

    /// One round trip to the worker, however many they are; an outcome for each, in their order.
    async fn consume_all(
        &self,
        transport_id: &str,
        producer_ids: Vec<String>,
        capabilities: &sfu::RtpCapabilities,
    ) -> Result<Vec<Result<ConsumerOptions, Refusal>>, Refusal> {
        let transport = self.room.transport(&self.id, transport_id)?;
        let limit = self.app.config.limits.consumers;
        if producer_ids.len() > limit {
            return Err(Refusal::bad_request(format!("consume.producerIds: not more than {limit} at a time.")));
        }
        let mut left = limit.saturating_sub(self.room.counts(&self.id)?.consumers);
        let found: Vec<Result<Consumable, Refusal>> = producer_ids
            .iter()
            .map(|producer_id| {
                let consumable = self.room.consumable(producer_id)?;
                left = left.checked_sub(1).ok_or_else(|| Refusal::limit_reached(limit, "consumers"))?;
                Ok(consumable)
            })
            .collect();
        let options = found.iter().flatten().map(|consumable| sfu::ConsumerOptions {
            producer: consumable.handle.clone(),
            rtp_capabilities: capabilities.clone(),
            paused: true,
        });
        let made = transport.consume_many(options.collect()).await?;
        let mut made = made.into_iter();
        let outcomes = found.into_iter().map(|consumable| {
            let consumable = consumable?;
            let consumer = made.next().ok_or_else(Refusal::internal)??;
            self.keep_consumer(transport.id(), consumer, &consumable)
        });
        let outcomes = outcomes.collect();
        // A picture that is not shown yet is not sent.
        self.tell_viewport().await?;
        Ok(outcomes)
    }

    fn keep_consumer(
        &self,
        transport_id: &sfu::TransportId,
        consumer: Consumer,
        of: &Consumable,
    ) -> Result<ConsumerOptions, Refusal> {
        let producer_id = consumer.producer_id().to_string();
        let options = ConsumerOptions {
            id: consumer.id().to_string(),
            participant_id: of.owner.to_string(),
            kind: of.source.kind(),
            source: of.source,
            rtp_parameters: consumer.rtp_parameters().clone(),
            consumer_type: consumer.consumer_type(),
            producer_paused: self.room.add_consumer(&self.id, transport_id, consumer)?,
            producer_id,
        };
        Ok(options)
    }

    async fn set_consumers_paused(&self, request: ConsumerIds, paused: bool) -> Result<(), Refusal> {
        let (ids, is_one) = match (request.consumer_id, request.consumer_ids) {
            (Some(id), None) => (vec![id], true),
            (None, Some(ids)) => (without_repeats(ids), false),
            _ => {
                return Err(Refusal::bad_request("Exactly one of consumerId and consumerIds has to be there."));
            }
        };
        let limit = self.app.config.limits.consumers;
        if ids.len() > limit {
            return Err(Refusal::bad_request(format!("consumerIds: not more than {limit} at a time.")));
        }
        // One that went a moment ago, unknown to the client, must not keep the others from being seen.
        let consumers: Vec<_> = ids.iter().filter_map(|id| self.room.consumer(&self.id, id).ok()).collect();
        if consumers.is_empty() {
            return Err(Refusal::not_found("consumer"));
        }
        let all = consumers
            .iter()
            .map(|consumer| async move { if paused { consumer.pause().await } else { consumer.resume().await } });
        let results = futures_util::future::join_all(all).await;
        match results.into_iter().find_map(Result::err) {
            Some(error) if is_one || !error.is_their_fault() => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn set_producer_paused(&self, request: ProducerIdOnly, paused: bool) -> Result<(), Refusal> {
        let producer = self.room.producer(&self.id, &request.producer_id)?;
        let _turn = self.room.pausing().await;
        if !paused {
            self.room.check_resume(&self.id, &request.producer_id)?;
        }
        if paused {
            producer.pause().await?;
        } else {
            producer.resume().await?;
        }
        self.room.set_producer_paused(&self.id, &request.producer_id, paused)
    }

    async fn set_preferred_layers(&self, request: SetPreferredLayers) -> Result<Okay, Refusal> {
        let consumer = self.room.consumer(&self.id, &request.consumer_id)?;
        consumer.set_preferred_layers(request.spatial_layer, request.temporal_layer).await?;
        Ok(Okay::DONE)
    }

    async fn set_viewport(&self, request: SetViewport) -> Result<Okay, Refusal> {
        let limit = self.app.config.limits.consumers;
        if request.tiles.len() > limit {
            return Err(Refusal::bad_request(format!("set-viewport.tiles: not more than {limit}.")));
        }
        let mut viewport: HashMap<String, Shown> = HashMap::with_capacity(request.tiles.len());
        for (index, tile) in request.tiles.into_iter().enumerate() {
            let pixels = |name: &str, value: f64| match value {
                0.0..=MAX_TILE_PIXELS => Ok(value.round() as u32),
                _ => Err(Refusal::bad_request(format!(
                    "set-viewport.tiles[{index}].{name}: a number from 0 to {MAX_TILE_PIXELS}."
                ))),
            };
            let (width, height) = (pixels("width", tile.width)?, pixels("height", tile.height)?);
            let shown = Shown { width, height, pinned: tile.pinned.unwrap_or(false) };
            // Shown twice it has to fill the larger.
            viewport
                .entry(tile.producer_id)
                .and_modify(|known| {
                    known.pinned |= shown.pinned;
                    (known.width, known.height) = (known.width.max(width), known.height.max(height));
                })
                .or_insert(shown);
        }
        self.room.set_viewport(&self.id, viewport)?;
        self.tell_viewport().await?;
        Ok(Okay::DONE)
    }

    /// Tells the media server what is shown at each transport.
    async fn tell_viewport(&self) -> Result<(), Refusal> {
        let _turn = self.telling_viewport.lock().await;
        for TransportViewport { transport, shown } in &self.room.viewports(&self.id)? {
            let tiles = shown.iter().map(|(consumer, shown)| sfu::Tile {
                consumer,
                width: shown.width,
                height: shown.height,
                pinned: shown.pinned,
            });
            let tiles: Vec<_> = tiles.collect();
            transport.set_viewport(&tiles).await?;
        }
        Ok(())
    }

    async fn stats(&self, request: GetStats) -> Result<StatsAnswer, Refusal> {
        let mut stats = Vec::new();
        let GetStats { transport_id, producer_id, consumer_id } = request;
        if transport_id.is_none() && producer_id.is_none() && consumer_id.is_none() {
            for transport in self.room.transports(&self.id)? {
                stats.push(transport.stats().await?);
            }
        }
        if let Some(id) = transport_id {
            stats.push(self.room.transport(&self.id, &id)?.stats().await?);
        }
        if let Some(id) = producer_id {
            stats.extend(self.room.producer(&self.id, &id)?.stats().await?);
        }
        if let Some(id) = consumer_id {
            stats.extend(self.room.consumer(&self.id, &id)?.stats().await?);
        }
        Ok(StatsAnswer { stats })
    }
}

/// Each once, in order: what is asked for twice is not done twice.
fn without_repeats(mut ids: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    ids
}

/// The payload of a request, not looked into yet.
struct Payload {
    name: RequestName,
    value: Option<Value>,
}

impl Payload {
    fn read<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let name = self.name.as_str();
        let value = self
            .value
            .as_ref()
            .ok_or_else(|| Refusal::bad_request(format!("{name}: the payload is missing or is not JSON.")))?;
        sfu::ortc::parse(name, value).map_err(|error| Refusal::bad_request(format!("{error}.")))
    }

    fn read_or_default<T: DeserializeOwned + Default>(&self) -> Result<T, Refusal> {
        match &self.value {
            None | Some(Value::Null) => Ok(T::default()),
            Some(_) => self.read(),
        }
    }
}

fn json<T: Serialize>(answer: &T) -> Result<Value, Refusal> {
    serde_json::to_value(answer).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written as JSON");
        Refusal::internal()
    })
}
