//! What can go wrong between a caller and a worker, one enum an operation.

use std::io;

use sfu_core::CommandError;

/// The media workers cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// More workers than ports.
    #[error(
        "{workers} media workers need {workers} ports, but the range {min}-{max} has {ports}; widen it \
         or start fewer workers"
    )]
    TooFewPorts {
        /// Workers asked for.
        workers: usize,
        /// First port of the range.
        min: u16,
        /// Last port of the range.
        max: u16,
        /// Ports in the range.
        ports: usize,
    },
    /// No worker was asked for.
    #[error("at least one media worker is needed")]
    NoWorkers,
    /// No address was given and the machine has none.
    #[error("no address to listen on")]
    NoAddress,
    /// A socket cannot be opened.
    #[error(transparent)]
    Bind(#[from] net::BindError),
    /// The DTLS certificate cannot be made.
    #[error("the DTLS certificate cannot be made: {0}")]
    Certificate(String),
    /// The system refuses a thread or a poller.
    #[error("the system refuses what a media worker needs")]
    System(#[from] io::Error),
}

/// A worker did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// It was stopped.
    #[error("the media worker is stopped")]
    Stopped,
    /// It failed and was replaced; its objects are gone.
    #[error("the media worker failed; its transports have to be made anew")]
    Died,
    /// It refused.
    #[error(transparent)]
    Refused(#[from] CommandError),
}

impl WorkerError {
    /// Whether the caller's input is at fault rather than we.
    pub fn is_their_fault(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether what was asked for is closed meanwhile.
    pub fn is_gone(&self) -> bool {
        use CommandError::{NoConsumer, NoProducer, NoRouter, NoTransport};
        matches!(self, Self::Refused(NoRouter | NoTransport | NoProducer | NoConsumer))
    }
}

/// A transport cannot be connected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// A field of the DTLS parameters is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The worker refused or failed.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// A producer cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProduceError {
    /// A field of the RTP parameters is wrong, or the room knows no such codec.
    #[error("{0}")]
    Invalid(String),
    /// The worker refused or failed.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

/// A consumer cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsumeError {
    /// A field of the RTP capabilities is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The receiver supports no codec of the producer.
    #[error("the receiver supports no codec of this producer")]
    NoCommonCodec,
    /// The worker refused or failed.
    #[error(transparent)]
    Worker(#[from] WorkerError),
}

macro_rules! their_fault {
    ($($error:ty),*) => {$(
        impl $error {
            /// Whether the caller's input is at fault rather than we.
            pub fn is_their_fault(&self) -> bool {
                match self {
                    Self::Worker(error) => error.is_their_fault(),
                    _ => true,
                }
            }
        }
    )*};
}

their_fault!(ConnectError, ProduceError, ConsumeError);
