//! What happens in a simulated room: publishing, watching, and what the tests look at.

use bot::{Media, MediaKind, OpusSettings, Quality, SendStats, SourceSpec, StreamSpec, Vp8Settings};
use rand::RngExt;
use sfu_core::{
    Command, CommandError, Consumer, ConsumerSpec, ConsumerStats, Key, Producer, ProducerSpec, ProducerStats, Reply,
    TransportStats,
};
use wire::codec::CodecKind;
use wire::{Rid, Ssrc};

use super::peer::{Published, Watched, clock_rate};
use super::{Conditions, PeerId, Sim};

/// Names of simulcast streams, lowest quality first.
const RIDS: [&str; 3] = ["q", "h", "f"];

/// Packets that a voice sent as RED carries with each: libwebrtc's usual is one, two are for bad links.
const REPEATED: usize = 2;

impl Sim {
    /// Two participants who publish sound and picture and watch each other.
    pub(crate) fn two_in_a_room(&mut self, conditions: Conditions) -> (PeerId, PeerId) {
        let (alice, bob) = (self.join(conditions), self.join(conditions));
        for id in [alice, bob] {
            self.publish_audio(id, OpusSettings::default());
            self.publish_video(id, &[Vp8Settings::default()]);
        }
        for kind in [MediaKind::Audio, MediaKind::Video] {
            self.watch(bob, alice, kind);
            self.watch(alice, bob, kind);
        }
        (alice, bob)
    }

    /// One who publishes a picture in `encodings`, and one who watches it.
    pub(crate) fn camera_and_viewer(&mut self, conditions: Conditions, encodings: &[Vp8Settings]) -> (PeerId, PeerId) {
        let (alice, bob) = (self.join(conditions), self.join(conditions));
        self.publish_video(alice, encodings);
        self.watch(bob, alice, MediaKind::Video);
        (alice, bob)
    }

    pub(crate) fn publish_audio(&mut self, id: PeerId, settings: OpusSettings) -> Key<Producer> {
        let stream = self.stream_spec(None, None);
        self.publish(id, MediaKind::Audio, Media::Opus(stream, settings))
    }

    /// One stream under a known SSRC, or several under RIDs.
    pub(crate) fn publish_video(&mut self, id: PeerId, encodings: &[Vp8Settings]) -> Key<Producer> {
        let media = if let [settings] = encodings {
            vec![(self.stream_spec(None, None), *settings)]
        } else {
            let named = encodings.iter().zip(RIDS);
            named.map(|(settings, rid)| (self.stream_spec(Rid::new(rid), None), *settings)).collect()
        };
        self.publish(id, MediaKind::Video, Media::Vp8(media))
    }

    /// A screen.
    pub(crate) fn publish_screen(&mut self, id: PeerId, settings: Vp8Settings) -> Key<Producer> {
        let media = Media::Vp8(vec![(self.stream_spec(None, None), settings)]);
        self.publish_with(id, MediaKind::Video, media, |spec| spec.is_screen = true)
    }

    pub(crate) fn stream_spec(&mut self, rid: Option<Rid>, first_seq: Option<u16>) -> StreamSpec {
        StreamSpec { ssrc: Ssrc::new(self.rng.random()), rtx_ssrc: Some(Ssrc::new(self.rng.random())), rid, first_seq }
    }

    pub(crate) fn publish(&mut self, id: PeerId, kind: MediaKind, media: Media) -> Key<Producer> {
        self.publish_with(id, kind, media, |_| {})
    }

    /// The same, with a change to what is negotiated.
    pub(crate) fn publish_with(
        &mut self,
        id: PeerId,
        kind: MediaKind,
        media: Media,
        change: impl FnOnce(&mut ProducerSpec),
    ) -> Key<Producer> {
        let (dialect, transport) = (self.peer(id).dialect, self.peer(id).transport);
        let mid = self.peer(id).published.len().to_string();
        let mut negotiated = dialect.negotiated(kind, &mid, "cname");
        let streams: Vec<StreamSpec> = match &media {
            Media::Opus(stream, _) => vec![stream.clone()],
            Media::Vp8(encodings) => encodings.iter().map(|(stream, _)| stream.clone()).collect(),
        };
        let has_rids = streams.iter().any(|stream| stream.rid.is_some());
        let known = |ssrc: Ssrc| (!has_rids).then_some(ssrc);
        let mut spec = ProducerSpec {
            id: self.fresh_id(),
            kind: match kind {
                MediaKind::Audio => sfu_core::MediaKind::Audio,
                MediaKind::Video => sfu_core::MediaKind::Video,
            },
            mid: negotiated.mid,
            codec: match kind {
                MediaKind::Audio => CodecKind::Opus,
                MediaKind::Video => CodecKind::Vp8,
            },
            payload_type: negotiated.payload_type,
            rtx_payload_type: negotiated.rtx_payload_type,
            red_payload_type: None,
            clock_rate: clock_rate(kind),
            extensions: negotiated.extensions,
            nack: kind == MediaKind::Video,
            pli: kind == MediaKind::Video,
            fir: false,
            streams: streams
                .iter()
                .map(|stream| sfu_core::StreamSpec {
                    ssrc: known(stream.ssrc),
                    rid: stream.rid,
                    rtx_ssrc: stream.rtx_ssrc.and_then(known).filter(|_| kind == MediaKind::Video),
                })
                .collect(),
            dependency: wire::ortc::SpatialDependency::Full,
            is_screen: false,
            paused: false,
            is_microphone: kind == MediaKind::Audio,
        };
        change(&mut spec);
        negotiated.red = spec.red_payload_type.map(|payload_type| (payload_type, REPEATED));
        let name = spec.id;
        let Reply::Producer(producer) = self.command(Command::Produce { transport, spec: Box::new(spec) }) else {
            unreachable!("Produce is answered by Producer")
        };
        let source = self.with_bot(id, |bot, now, _| bot.add_source(now, SourceSpec { negotiated, media }));
        let ssrcs = streams.iter().map(|stream| stream.ssrc).collect();
        self.peer_mut(id).published.push(Published { kind, source, producer, id: name, ssrcs });
        producer
    }

    /// Has `viewer` watch what `publisher` publishes of this kind.
    pub(crate) fn watch(&mut self, viewer: PeerId, publisher: PeerId, kind: MediaKind) -> Key<Consumer> {
        self.watch_with(viewer, publisher, kind, |_| {})
    }

    /// The same, with a change to what is negotiated.
    pub(crate) fn watch_with(
        &mut self,
        viewer: PeerId,
        publisher: PeerId,
        kind: MediaKind,
        change: impl FnOnce(&mut ConsumerSpec),
    ) -> Key<Consumer> {
        let (dialect, transport) = (self.peer(viewer).dialect, self.peer(viewer).transport);
        let rtx_payload_type = dialect.rtx_payload_type(kind);
        let mut spec = ConsumerSpec {
            id: self.fresh_id(),
            producer: self.peer(publisher).published(kind).producer,
            ssrc: Ssrc::new(self.rng.random()),
            rtx_ssrc: rtx_payload_type.map(|_| Ssrc::new(self.rng.random())),
            payload_type: dialect.payload_type(kind),
            rtx_payload_type,
            red_payload_type: None,
            mid: wire::Mid::new("7"),
            cname: "cname".to_owned(),
            extensions: dialect.extensions(),
            nack: kind == MediaKind::Video,
            paused: false,
        };
        change(&mut spec);
        let (ssrc, rtx_ssrc, nack, red_payload_type) = (spec.ssrc, spec.rtx_ssrc, spec.nack, spec.red_payload_type);
        let Reply::Consumers(made) = self.command(Command::Consume { transport, specs: vec![spec] }) else {
            unreachable!("Consume is answered by Consumers")
        };
        let (consumer, _) = made.into_iter().next().expect("one was asked for").expect("it can be made");
        let sink = bot::SinkSpec { nack, red_payload_type, ..dialect.sink(kind, ssrc, rtx_ssrc) };
        let sink = self.with_bot(viewer, |bot, _, _| bot.add_sink(sink));
        self.peer_mut(viewer).watched.push(Watched { kind, publisher, sink, consumer, ssrc });
        consumer
    }

    pub(crate) fn watched(&self, viewer: PeerId, publisher: PeerId, kind: MediaKind) -> Watched {
        let all = &self.peer(viewer).watched;
        let found = all.iter().rev().find(|watched| watched.publisher == publisher && watched.kind == kind);
        *found.expect("it watches this")
    }

    /// What `viewer` sees or hears of `publisher`.
    pub(crate) fn quality(&self, viewer: PeerId, publisher: PeerId, kind: MediaKind) -> Quality {
        let sink = self.watched(viewer, publisher, kind).sink;
        self.peer(viewer).bot.quality(sink).expect("the sink is there")
    }

    fn first(&self, viewer: PeerId, kind: MediaKind) -> Quality {
        let publisher = self.peer(viewer).watched.iter().find(|watched| watched.kind == kind).expect("it watches one");
        self.quality(viewer, publisher.publisher, kind)
    }

    /// The first picture that a participant watches.
    pub(crate) fn video_at(&self, viewer: PeerId) -> Quality {
        self.first(viewer, MediaKind::Video)
    }

    /// The first voice that a participant hears.
    pub(crate) fn audio_at(&self, viewer: PeerId) -> Quality {
        self.first(viewer, MediaKind::Audio)
    }

    /// Whether a participant's transport is open.
    pub(crate) fn try_stats(&mut self, id: PeerId) -> Result<(), CommandError> {
        let transport = self.peer(id).transport;
        self.try_command(Command::TransportStats { transport }).map(drop)
    }

    /// What a participant's source knows of its own stream.
    pub(crate) fn sent(&self, publisher: PeerId, kind: MediaKind, stream: usize) -> SendStats {
        let peer = self.peer(publisher);
        peer.bot.send_stats(peer.published(kind).source, stream).expect("the stream is there")
    }

    pub(crate) fn producer_stats(&mut self, publisher: PeerId, kind: MediaKind) -> ProducerStats {
        let producer = self.peer(publisher).published(kind).producer;
        match self.command(Command::ProducerStats { producer }) {
            Reply::ProducerStats(stats) => *stats,
            _ => unreachable!("ProducerStats is answered by ProducerStats"),
        }
    }

    pub(crate) fn transport_stats(&mut self, id: PeerId) -> TransportStats {
        let transport = self.peer(id).transport;
        match self.command(Command::TransportStats { transport }) {
            Reply::TransportStats(stats) => *stats,
            _ => unreachable!("TransportStats is answered by TransportStats"),
        }
    }

    pub(crate) fn consumer_stats(&mut self, consumer: Key<Consumer>) -> ConsumerStats {
        match self.command(Command::ConsumerStats { consumer }) {
            Reply::ConsumerStats(stats) => *stats,
            _ => unreachable!("ConsumerStats is answered by ConsumerStats"),
        }
    }

    /// Changes how loud a participant's voice is, in dB below full scale.
    pub(crate) fn set_level(&mut self, publisher: PeerId, dbov_below: u8) {
        let source = self.peer(publisher).published(MediaKind::Audio).source;
        self.peer_mut(publisher).bot.set_level(source, dbov_below);
    }

    /// The next `count` packets of a participant's first stream of a kind are lost on their way to the worker.
    pub(crate) fn lose_next_from(&mut self, publisher: PeerId, kind: MediaKind, count: u32) {
        let ssrc = self.peer(publisher).published(kind).ssrcs[0];
        self.peer_mut(publisher).up.lose_next(ssrc, count);
    }

    /// The next `count` packets that a participant should see are lost on their way from the worker.
    pub(crate) fn lose_next_to(&mut self, viewer: PeerId, publisher: PeerId, kind: MediaKind, count: u32) {
        let ssrc = self.watched(viewer, publisher, kind).ssrc;
        self.peer_mut(viewer).down.lose_next(ssrc, count);
    }
}
