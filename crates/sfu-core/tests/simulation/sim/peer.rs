//! A participant of a simulated room: a bot, its links, and what signalling agreed with the worker.

use std::net::SocketAddr;

use bot::{MediaKind, Negotiated, Output, Peer, PeerEvent, SinkId, SinkSpec, SourceId};
use sfu_core::{Consumer, Key, ObjectId, Producer, WebRtcTransport};
use wire::extension::{ExtensionKind, ExtensionMap};
use wire::{Mid, PayloadType, Ssrc};

use super::link::Link;

/// Names a participant of a simulation.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct PeerId(pub(crate) usize);

/// Something that a participant sends.
pub(crate) struct Published {
    pub(crate) kind: MediaKind,
    pub(crate) source: SourceId,
    pub(crate) producer: Key<Producer>,
    pub(crate) id: ObjectId,
    /// SSRC of each stream.
    pub(crate) ssrcs: Vec<Ssrc>,
}

/// Something that a participant receives.
#[derive(Clone, Copy)]
pub(crate) struct Watched {
    pub(crate) kind: MediaKind,
    pub(crate) publisher: PeerId,
    pub(crate) sink: SinkId,
    pub(crate) consumer: Key<Consumer>,
    pub(crate) ssrc: Ssrc,
}

/// One participant.
pub(crate) struct SimPeer {
    pub(crate) bot: Peer,
    pub(crate) out: Output,
    pub(crate) transport: Key<WebRtcTransport>,
    /// What the worker's side of its ICE is called.
    pub(crate) server_ufrag: String,
    /// The address that it believes to have.
    pub(crate) address: SocketAddr,
    /// The address that the world sees.
    pub(crate) public: SocketAddr,
    pub(crate) up: Link,
    pub(crate) down: Link,
    pub(crate) published: Vec<Published>,
    pub(crate) watched: Vec<Watched>,
    pub(crate) events: Vec<PeerEvent>,
    pub(crate) dialect: Dialect,
}

impl SimPeer {
    pub(crate) fn published(&self, kind: MediaKind) -> &Published {
        self.published.iter().find(|published| published.kind == kind).expect("it publishes this kind")
    }
}

/// Payload types and extension ids: no two browsers agree, so every second participant speaks the other way.
#[derive(Clone, Copy)]
pub(crate) enum Dialect {
    Chromium,
    Firefox,
}

impl Dialect {
    fn payload_types(self, kind: MediaKind) -> (u8, Option<u8>) {
        match (self, kind) {
            (Self::Chromium, MediaKind::Audio) => (111, None),
            (Self::Chromium, MediaKind::Video) => (96, Some(97)),
            (Self::Firefox, MediaKind::Audio) => (109, None),
            (Self::Firefox, MediaKind::Video) => (120, Some(124)),
        }
    }

    pub(crate) fn payload_type(self, kind: MediaKind) -> PayloadType {
        PayloadType::new(self.payload_types(kind).0).expect("below 128")
    }

    pub(crate) fn rtx_payload_type(self, kind: MediaKind) -> Option<PayloadType> {
        self.payload_types(kind).1.and_then(PayloadType::new)
    }

    pub(crate) fn extensions(self) -> ExtensionMap {
        use ExtensionKind::{AbsSendTime, AudioLevel, Mid, RepairedRid, Rid, TransportWideCc};
        let pairs = match self {
            Self::Chromium => {
                [(1, AudioLevel), (2, AbsSendTime), (3, TransportWideCc), (4, Mid), (10, Rid), (11, RepairedRid)]
            }
            Self::Firefox => {
                [(1, AudioLevel), (3, Mid), (4, AbsSendTime), (7, TransportWideCc), (8, Rid), (9, RepairedRid)]
            }
        };
        let mut map = ExtensionMap::new();
        for (id, kind) in pairs {
            assert!(map.insert(id, kind), "each id and kind once");
        }
        map
    }

    pub(crate) fn negotiated(self, kind: MediaKind, mid: &str, cname: &str) -> Negotiated {
        Negotiated {
            mid: Mid::new(mid),
            payload_type: self.payload_type(kind),
            rtx_payload_type: self.rtx_payload_type(kind),
            red: None,
            extensions: self.extensions(),
            cname: cname.to_owned(),
        }
    }

    pub(crate) fn sink(self, kind: MediaKind, ssrc: Ssrc, rtx_ssrc: Option<Ssrc>) -> SinkSpec {
        SinkSpec {
            kind,
            ssrc,
            rtx_ssrc,
            payload_type: self.payload_type(kind),
            rtx_payload_type: rtx_ssrc.and(self.rtx_payload_type(kind)),
            red_payload_type: None,
            clock_rate: clock_rate(kind),
            extensions: self.extensions(),
            nack: true,
        }
    }
}

pub(crate) fn clock_rate(kind: MediaKind) -> u32 {
    match kind {
        MediaKind::Audio => 48_000,
        MediaKind::Video => 90_000,
    }
}
