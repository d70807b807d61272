//! Traces of what happens to objects, as mediasoup's `enableTraceEvent` has them.

use sfu_core::{Command, TraceKinds, TraceTarget};

use crate::consumer::Consumer;
use crate::error::WorkerError;
use crate::id::{ConsumerId, ProducerId, TransportId};
use crate::producer::Producer;
use crate::router::Router;
use crate::transport::WebRtcTransport;

/// Which object a trace is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traced {
    /// The router itself.
    Router,
    /// A transport.
    Transport(TransportId),
    /// A producer.
    Producer(ProducerId),
    /// A consumer.
    Consumer(ConsumerId),
}

impl From<sfu_core::Traced> for Traced {
    fn from(traced: sfu_core::Traced) -> Self {
        match traced {
            sfu_core::Traced::Router => Self::Router,
            sfu_core::Traced::Transport(id) => Self::Transport(id.into()),
            sfu_core::Traced::Producer(id) => Self::Producer(id.into()),
            sfu_core::Traced::Consumer(id) => Self::Consumer(id.into()),
        }
    }
}

impl Router {
    /// Has [`crate::RouterEvent::Trace`] tell what happens to everything that is or will be in it; [`TraceKinds::NONE`] ends
    /// that.
    ///
    /// # Errors
    /// When the worker is gone.
    pub async fn enable_trace_event(&self, kinds: TraceKinds) -> Result<(), WorkerError> {
        let target = TraceTarget::Router(self.key());
        self.link().tell(self.incarnation(), Command::Trace { target, kinds }).await.map(drop)
    }
}

impl WebRtcTransport {
    /// Has [`crate::RouterEvent::Trace`] tell what happens to it; [`TraceKinds::NONE`] ends that.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn enable_trace_event(&self, kinds: TraceKinds) -> Result<(), WorkerError> {
        let target = TraceTarget::Transport(self.key());
        self.link().tell(self.of(), Command::Trace { target, kinds }).await.map(drop)
    }
}

impl Producer {
    /// Has [`crate::RouterEvent::Trace`] tell what happens to it; [`TraceKinds::NONE`] ends that.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn enable_trace_event(&self, kinds: TraceKinds) -> Result<(), WorkerError> {
        let target = TraceTarget::Producer(self.key());
        self.tell(Command::Trace { target, kinds }).await.map(drop)
    }
}

impl Consumer {
    /// Has [`crate::RouterEvent::Trace`] tell what happens to it; [`TraceKinds::NONE`] ends that.
    ///
    /// # Errors
    /// When it is closed.
    pub async fn enable_trace_event(&self, kinds: TraceKinds) -> Result<(), WorkerError> {
        let target = TraceTarget::Consumer(self.key());
        self.tell(Command::Trace { target, kinds }).await.map(drop)
    }
}
