//! A transport as a handle: ICE, DTLS and RTP parameters in mediasoup's JSON, and what is made on it.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use serde_json::Value;
use sfu_core::{Command, ConsumerSpec, FingerprintHash, Key, ObjectId, ProducerSpec, RemoteDtls, Reply};
use wire::ortc::{
    self, DtlsParameters, DtlsRole, FingerprintAlgorithm, IceCandidate, IceParameters, MediaKind, RtpCapabilities,
    RtpParameters, ScalabilityMode,
};

use crate::consumer::Consumer;
use crate::error::{ConnectError, ConsumeError, ProduceError, WorkerError};
use crate::id::{self, TransportId};
use crate::link::{Guard, Incarnation, Link};
use crate::producer::{Encoding, Producer};
use crate::router::{self, Router};
use crate::stats;

/// A connection to one browser. Closes on last drop, and with it what was made on it.
#[derive(Clone)]
pub struct WebRtcTransport(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) id: TransportId,
    pub(crate) key: Key<sfu_core::WebRtcTransport>,
    pub(crate) guard: Guard,
    pub(crate) link: Link,
    pub(crate) router: Router,
    pub(crate) ice_parameters: IceParameters,
    pub(crate) ice_candidates: Vec<IceCandidate>,
    pub(crate) dtls_parameters: DtlsParameters,
    /// Canonical name of the participant behind it (RFC 3550 §6.5.1), random as RFC 7022 asks.
    pub(crate) cname: String,
    /// Counts up from a random start: an SSRC is never used twice, so no SRTP nonce is.
    pub(crate) next_ssrc: AtomicU32,
    pub(crate) next_mid: AtomicU32,
}

/// What is to be received.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// Audio or video.
    pub kind: MediaKind,
    /// As mediasoup-client's `produce` event brings them.
    pub rtp_parameters: RtpParameters,
    /// Whether it starts paused.
    pub paused: bool,
    /// Whether it is a screen: its viewers rather do without faces than without it.
    pub is_screen: bool,
    /// Whether it is a microphone, for [`Router::set_loudest`] and the events about who speaks.
    pub is_microphone: bool,
}

/// A picture on a viewer's screen.
#[derive(Clone, Copy)]
pub struct Tile<'a> {
    /// Whose.
    pub consumer: &'a Consumer,
    /// Width in pixels of the device.
    pub width: u32,
    /// Height in pixels of the device.
    pub height: u32,
    /// Whether the viewer chose it: it comes before all others.
    pub pinned: bool,
}

/// What is to be sent.
#[derive(Clone)]
pub struct ConsumerOptions {
    /// Whose media.
    pub producer: Producer,
    /// What the receiving device can take.
    pub rtp_capabilities: RtpCapabilities,
    /// Whether it starts paused.
    pub paused: bool,
}

impl WebRtcTransport {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Its name.
    pub fn id(&self) -> &TransportId {
        &self.0.id
    }

    /// Our ufrag and password at its creation.
    pub fn ice_parameters(&self) -> &IceParameters {
        &self.0.ice_parameters
    }

    /// Where to send to, best first.
    pub fn ice_candidates(&self) -> &[IceCandidate] {
        &self.0.ice_candidates
    }

    /// Our fingerprints.
    pub fn dtls_parameters(&self) -> &DtlsParameters {
        &self.0.dtls_parameters
    }

    /// Its router.
    pub fn router(&self) -> &Router {
        &self.0.router
    }

    pub(crate) fn key(&self) -> Key<sfu_core::WebRtcTransport> {
        self.0.key
    }

    pub(crate) fn of(&self) -> Incarnation {
        self.0.guard.of()
    }

    /// Tells the browser's DTLS side.
    ///
    /// # Errors
    /// When a field is wrong, it was called before, or the transport is closed.
    pub async fn connect(&self, parameters: DtlsParameters) -> Result<(), ConnectError> {
        ortc::validate_dtls_parameters(&parameters).map_err(|error| ConnectError::Invalid(error.to_string()))?;
        let remote = RemoteDtls {
            role: match parameters.role {
                DtlsRole::Client => sfu_core::DtlsRole::Client,
                // A peer that leaves it to us waits: we begin, as mediasoup does.
                DtlsRole::Server | DtlsRole::Auto => sfu_core::DtlsRole::Server,
            },
            fingerprints: parameters
                .fingerprints
                .into_iter()
                .map(|fingerprint| (hash_of(fingerprint.algorithm), fingerprint.value))
                .collect(),
        };
        let command = Command::ConnectTransport { transport: self.0.key, remote };
        self.0.link.tell(self.of(), command).await?;
        Ok(())
    }

    /// Takes new ICE credentials; media goes on meanwhile.
    ///
    /// # Errors
    /// When the transport is closed.
    pub async fn restart_ice(&self) -> Result<IceParameters, WorkerError> {
        let command = Command::RestartIce { transport: self.0.key };
        match self.0.link.tell(self.of(), command).await? {
            Reply::Ice(credentials) => Ok(router::ice_parameters(credentials)),
            _ => unreachable!("RestartIce is answered by Ice"),
        }
    }

    /// Tells what the viewer at this transport shows now: other video is not sent to it, and what is shown is sent in the
    /// smallest layer that fills its tile.
    ///
    /// # Errors
    /// When the transport is closed.
    pub async fn set_viewport(&self, tiles: &[Tile<'_>]) -> Result<(), WorkerError> {
        let tiles = tiles.iter().map(|tile| sfu_core::Tile {
            consumer: tile.consumer.key(),
            width: tile.width,
            height: tile.height,
            pinned: tile.pinned,
        });
        let command = Command::SetViewport { transport: self.0.key, tiles: tiles.collect() };
        self.0.link.tell(self.of(), command).await?;
        Ok(())
    }

    /// Makes a producer.
    ///
    /// # Errors
    /// When a field is wrong, the router knows no such codec, an SSRC is in use, or the transport is
    /// closed.
    pub async fn produce(&self, options: ProducerOptions) -> Result<Producer, ProduceError> {
        let ProducerOptions { kind, rtp_parameters, paused, is_screen, is_microphone } = options;
        let invalid = |error: &dyn std::fmt::Display| ProduceError::Invalid(error.to_string());
        let capabilities = ortc::router_rtp_capabilities();
        let mapping = ortc::producer_mapping(kind, &rtp_parameters, capabilities, || self.take_ssrc())
            .map_err(|error| invalid(&error))?;
        let streams = ortc::ProducerStreams::new(&rtp_parameters, &mapping)
            .ok_or_else(|| invalid(&"the codec cannot be forwarded"))?;
        // All that comes by one transport is one participant's: played in sync.
        let consumable = ortc::consumable_rtp_parameters(&rtp_parameters, capabilities, &mapping, &self.0.cname);
        let encodings = streams.streams.iter().map(|stream| Encoding {
            rid: stream.rid.map(|rid| rid.as_str().to_owned()),
            max_bitrate: stream.max_bitrate,
        });
        let encodings = encodings.collect();
        let id = id::fresh();
        let spec = ProducerSpec { paused, is_screen, is_microphone, ..producer_spec(id, kind, streams) };
        let command = Command::Produce { transport: self.0.key, spec: Box::new(spec) };
        let (result, pending) = self.0.link.ask(self.of(), command).await?;
        let Reply::Producer(key) = result.map_err(WorkerError::from)? else {
            unreachable!("Produce is answered by Producer")
        };
        let close = Command::CloseProducer { producer: key };
        let guard = Guard::new(self.0.link.clone(), self.of(), close);
        pending.keep();
        Ok(Producer::new(crate::producer::Parts {
            id: id.into(),
            key,
            kind,
            consumable,
            encodings,
            guard,
            transport: self.clone(),
        }))
    }

    /// Makes a consumer.
    ///
    /// # Errors
    /// As [`WebRtcTransport::consume_many`], for the one.
    pub async fn consume(&self, options: ConsumerOptions) -> Result<Consumer, ConsumeError> {
        let mut results = self.consume_many(vec![options]).await?;
        results.pop().expect("one option has one result")
    }

    /// Makes consumers in one round trip; each has its own result.
    ///
    /// # Errors
    /// When the transport is closed. A single one fails when its capabilities are wrong, share no codec
    /// with the producer, or the producer is closed.
    pub async fn consume_many(
        &self,
        options: Vec<ConsumerOptions>,
    ) -> Result<Vec<Result<Consumer, ConsumeError>>, WorkerError> {
        let mut specs = Vec::new();
        let prepared: Vec<_> = options
            .into_iter()
            .map(|options| {
                let (spec, parts) = self.prepare(options)?;
                specs.push(spec);
                Ok(parts)
            })
            .collect();
        if specs.is_empty() {
            return Ok(prepared.into_iter().map(|result| result.map(|_| unreachable!("no spec"))).collect());
        }
        let command = Command::Consume { transport: self.0.key, specs };
        let (result, pending) = self.0.link.ask(self.of(), command).await?;
        let Reply::Consumers(replies) = result? else { unreachable!("Consume is answered by Consumers") };
        let mut replies = replies.into_iter();
        let consumers = prepared
            .into_iter()
            .map(|prepared| {
                let parts = prepared?;
                let reply = replies.next().expect("each spec has its reply");
                let (key, producer_paused) = reply.map_err(WorkerError::from)?;
                let close = Command::CloseConsumer { consumer: key };
                let guard = Guard::new(self.0.link.clone(), self.of(), close);
                Ok(Consumer::new(parts, key, guard, producer_paused, self.clone()))
            })
            .collect();
        pending.keep();
        Ok(consumers)
    }

    /// Negotiates one consumer; a pure computation but for the numbers that it takes.
    fn prepare(&self, options: ConsumerOptions) -> Result<(ConsumerSpec, crate::consumer::Facts), ConsumeError> {
        let ConsumerOptions { producer, rtp_capabilities, paused } = options;
        ortc::validate_rtp_capabilities(&rtp_capabilities).map_err(|error| ConsumeError::Invalid(error.to_string()))?;
        let mid = router::take(&self.0.next_mid).to_string();
        let mid = wire::Mid::new(&mid).expect("the digits of a 32-bit number fit");
        let ids = ortc::ConsumerIds { mid, ssrc: self.take_ssrc(), rtx_ssrc: self.take_ssrc() };
        let rtp_parameters = ortc::consumer_rtp_parameters(producer.consumable(), &rtp_capabilities, &ids)
            .map_err(|_| ConsumeError::NoCommonCodec)?;
        let stream = ortc::ConsumerStream::new(&rtp_parameters).ok_or(ConsumeError::NoCommonCodec)?;
        let id = id::fresh();
        let spec = ConsumerSpec {
            id,
            producer: producer.key(),
            ssrc: stream.ssrc,
            rtx_ssrc: stream.rtx.map(|rtx| rtx.ssrc),
            payload_type: stream.codec.payload_type,
            rtx_payload_type: stream.rtx.map(|rtx| rtx.payload_type),
            red_payload_type: stream.red,
            mid: stream.mid,
            cname: stream.cname,
            extensions: stream.extensions,
            nack: stream.codec.feedback.nack,
            paused,
        };
        let consumer_type = ortc::consumer_type(producer.consumable());
        Ok((spec, crate::consumer::Facts { id: id.into(), producer, rtp_parameters, consumer_type }))
    }

    /// Its figures.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn stats(&self) -> Result<Value, WorkerError> {
        let command = Command::TransportStats { transport: self.0.key };
        match self.0.link.tell(self.of(), command).await? {
            Reply::TransportStats(figures) => Ok(stats::transport(&self.0.id, &figures, &self.0.ice_candidates)),
            _ => unreachable!("TransportStats is answered by TransportStats"),
        }
    }

    /// Closes it now, before its last handle goes.
    pub fn close(&self) {
        let command = Command::CloseTransport { transport: self.0.key };
        self.0.link.push(crate::link::Request::Close { of: self.of(), command });
    }

    /// An SSRC that was never used on this transport.
    fn take_ssrc(&self) -> wire::Ssrc {
        loop {
            let ssrc = router::take(&self.0.next_ssrc);
            if ortc::is_usable_ssrc(ssrc) {
                return wire::Ssrc::new(ssrc);
            }
        }
    }

    pub(crate) fn link(&self) -> &Link {
        &self.0.link
    }
}

fn hash_of(algorithm: FingerprintAlgorithm) -> FingerprintHash {
    match algorithm {
        FingerprintAlgorithm::Sha1 => FingerprintHash::Sha1,
        FingerprintAlgorithm::Sha224 => FingerprintHash::Sha224,
        FingerprintAlgorithm::Sha256 => FingerprintHash::Sha256,
        FingerprintAlgorithm::Sha384 => FingerprintHash::Sha384,
        FingerprintAlgorithm::Sha512 => FingerprintHash::Sha512,
    }
}

fn producer_spec(id: ObjectId, kind: MediaKind, streams: ortc::ProducerStreams) -> ProducerSpec {
    let mode = streams.streams.first().map_or(ScalabilityMode::SINGLE, |stream| stream.scalability_mode);
    ProducerSpec {
        id,
        kind: match kind {
            MediaKind::Audio => sfu_core::MediaKind::Audio,
            MediaKind::Video => sfu_core::MediaKind::Video,
        },
        mid: streams.mid,
        codec: streams.codec.kind,
        payload_type: streams.codec.payload_type,
        rtx_payload_type: streams.rtx_payload_type,
        red_payload_type: streams.red_payload_type,
        clock_rate: streams.codec.clock_rate,
        extensions: streams.extensions,
        nack: streams.codec.feedback.nack,
        pli: streams.codec.feedback.pli,
        fir: streams.codec.feedback.fir,
        streams: streams
            .streams
            .into_iter()
            .map(|stream| sfu_core::StreamSpec { ssrc: stream.ssrc, rid: stream.rid, rtx_ssrc: stream.rtx_ssrc })
            .collect(),
        dependency: mode.dependency,
        is_screen: false,
        paused: false,
        is_microphone: false,
    }
}
