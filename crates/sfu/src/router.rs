//! A room's media as a handle, and the stream of what happens in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rand::RngExt;
use sfu_core::{
    AudioLevelOptions, Bandwidth, CloseReason, Command, ConnectionQuality, Key, Layer, LayersReason, Reply, TraceEvent,
};
use tokio::sync::mpsc;
use wire::ortc::{DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters, RtpCapabilities};

use crate::candidates::Candidates;
use crate::error::WorkerError;
use crate::id::{self, ConsumerId, ProducerId, RouterId, TransportId};
use crate::link::{Guard, Incarnation, Link};
use crate::trace::Traced;
use crate::transport::WebRtcTransport;

/// Events of one router that may wait to be taken: every object of two full rooms closing at once.
pub(crate) const MAX_EVENTS: usize = 16_384;

/// Something happened in a router that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouterEvent {
    /// ICE and DTLS of a transport are through.
    TransportConnected {
        /// Which.
        transport: TransportId,
    },
    /// A transport closed by itself, and with it its producers and consumers.
    TransportClosed {
        /// Which.
        transport: TransportId,
        /// Why.
        reason: CloseReason,
    },
    /// A producer closed because its transport did.
    ProducerClosed {
        /// Which.
        producer: ProducerId,
    },
    /// A consumer closed because its producer did.
    ConsumerClosed {
        /// Which.
        consumer: ConsumerId,
    },
    /// Another layer of its producer is sent to a consumer.
    ConsumerLayers {
        /// Which.
        consumer: ConsumerId,
        /// The layer that is sent; `None` while none is.
        layer: Option<Layer>,
        /// Why no better one.
        reason: LayersReason,
    },
    /// Other layers of a producer are of use to anybody than before.
    PublishLayers {
        /// Which.
        producer: ProducerId,
        /// For each encoding or spatial layer, smallest first, whether it is.
        active: Vec<bool>,
    },
    /// What the link to the viewer at a transport carries changed.
    Bandwidth {
        /// Which.
        transport: TransportId,
        /// What it carries.
        bandwidth: Bandwidth,
    },
    /// Who leads the conversation changed.
    ActiveSpeaker {
        /// The microphone; `None` while nobody leads.
        producer: Option<ProducerId>,
    },
    /// Who is audible, about every 300 ms while somebody is.
    AudioLevels {
        /// Microphones and their mean levels in dBov (−127 to 0), the loudest first, at most ten; empty once when all are
        /// silent.
        levels: Vec<(ProducerId, i8)>,
    },
    /// The scores of a producer's streams changed.
    ProducerScore {
        /// Which.
        producer: ProducerId,
        /// Each from 0 to 10, in the order of the encodings.
        scores: Vec<u8>,
    },
    /// The score of a consumer changed.
    ConsumerScore {
        /// Which.
        consumer: ConsumerId,
        /// Its own, 0 to 10.
        score: u8,
        /// That of the stream it is sent.
        producer_score: u8,
    },
    /// The connection to the browser at a transport got better or worse.
    ConnectionQuality {
        /// Which.
        transport: TransportId,
        /// How it is now.
        quality: ConnectionQuality,
    },
    /// Something happened to an object that is traced.
    Trace {
        /// To which.
        of: Traced,
        /// What.
        what: TraceEvent,
    },
    /// The worker failed: every object of this router is gone, make a new router.
    WorkerDied,
}

/// What happens in one router.
#[derive(Debug)]
pub struct RouterEvents(pub(crate) mpsc::Receiver<RouterEvent>);

impl RouterEvents {
    /// The next event; `None` when the router is closed, or its worker stopped.
    pub async fn next(&mut self) -> Option<RouterEvent> {
        self.0.recv().await
    }
}

/// A room's media on one worker. Closes when its last clone and the last object made from it are dropped.
#[derive(Clone)]
pub struct Router(Arc<RouterInner>);

struct RouterInner {
    id: RouterId,
    key: Key<sfu_core::Router>,
    link: Link,
    guard: Guard,
    candidates: Arc<Candidates>,
    worker: usize,
    fingerprints: Arc<[DtlsFingerprint]>,
}

/// What a new transport is to be like.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WebRtcTransportOptions {}

/// What every router of a worker needs to know of it.
#[derive(Clone)]
pub(crate) struct WorkerFacts {
    pub(crate) index: usize,
    pub(crate) link: Link,
    pub(crate) candidates: Arc<Candidates>,
    pub(crate) fingerprints: Arc<[DtlsFingerprint]>,
}

impl Router {
    pub(crate) async fn create(facts: WorkerFacts) -> Result<(Self, RouterEvents), WorkerError> {
        let WorkerFacts { index, link, candidates, fingerprints } = facts;
        let of = link.incarnation();
        let id = id::fresh();
        let (sender, events) = mpsc::channel(MAX_EVENTS);
        link.subscribe(id, sender).await?;
        let (result, pending) = link.ask(of, Command::CreateRouter { id }).await?;
        let Reply::Router(key) = result? else { unreachable!("CreateRouter is answered by Router") };
        let guard = Guard::new(link.clone(), of, Command::CloseRouter { router: key });
        pending.keep();
        let id = id.into();
        let inner = RouterInner { id, key, link, guard, candidates, worker: index, fingerprints };
        Ok((Self(Arc::new(inner)), RouterEvents(events)))
    }

    /// Its name.
    pub fn id(&self) -> &RouterId {
        &self.0.id
    }

    /// Which worker it runs on.
    pub fn worker(&self) -> usize {
        self.0.worker
    }

    /// What may be sent into it.
    pub fn rtp_capabilities(&self) -> &'static RtpCapabilities {
        wire::ortc::router_rtp_capabilities()
    }

    /// Whether its worker failed or was stopped since.
    pub fn is_closed(&self) -> bool {
        self.0.link.incarnation() != self.incarnation()
    }

    /// Makes a transport that waits for a browser.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn create_webrtc_transport(
        &self,
        _options: WebRtcTransportOptions,
    ) -> Result<WebRtcTransport, WorkerError> {
        let (link, of) = (&self.0.link, self.incarnation());
        let id = id::fresh();
        let command = Command::CreateTransport { id, router: self.0.key };
        let (result, pending) = link.ask(of, command).await?;
        let Reply::Transport(key, credentials) = result? else {
            unreachable!("CreateTransport is answered by Transport")
        };
        let guard = Guard::new(link.clone(), of, Command::CloseTransport { transport: key });
        pending.keep();
        Ok(WebRtcTransport::new(crate::transport::Parts {
            id: id.into(),
            key,
            guard,
            link: link.clone(),
            router: self.clone(),
            ice_parameters: ice_parameters(credentials),
            ice_candidates: self.0.candidates.of_worker(self.0.worker),
            dtls_parameters: DtlsParameters { role: DtlsRole::Auto, fingerprints: self.0.fingerprints.to_vec() },
            cname: id::fresh().to_string(),
            next_ssrc: AtomicU32::new(rand::rng().random()),
            next_mid: AtomicU32::new(0),
        }))
    }

    /// Of the microphones, forwards only the `count` loudest at a time; 0 forwards all, as at the start. One that does not
    /// tell its level (RFC 6464) is always forwarded.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn set_loudest(&self, count: u8) -> Result<(), WorkerError> {
        let command = Command::SetLoudest { router: self.0.key, count };
        self.0.link.tell(self.incarnation(), command).await.map(drop)
    }

    /// How [`RouterEvent::AudioLevels`] tells who is audible.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn set_audio_levels(&self, options: AudioLevelOptions) -> Result<(), WorkerError> {
        let command = Command::SetAudioLevels { router: self.0.key, options };
        self.0.link.tell(self.incarnation(), command).await.map(drop)
    }

    pub(crate) fn key(&self) -> Key<sfu_core::Router> {
        self.0.key
    }

    pub(crate) fn link(&self) -> &Link {
        &self.0.link
    }

    pub(crate) fn incarnation(&self) -> Incarnation {
        self.0.guard.of()
    }
}

/// Our ICE parameters as clients want them.
pub(crate) fn ice_parameters(credentials: sfu_core::Credentials) -> IceParameters {
    IceParameters { username_fragment: credentials.ufrag, password: credentials.password, ice_lite: true }
}

/// Numbers that are never given out twice by one counter.
pub(crate) fn take(counter: &AtomicU32) -> u32 {
    counter.fetch_add(1, Ordering::Relaxed)
}
