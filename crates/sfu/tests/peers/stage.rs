//! Workers on free ports of the machine, and the peers of a test, driven until something has come about.

use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use sfu::ortc::{RtpEncodingParameters, RtxParameters};
use sfu::{
    Consumer, ConsumerOptions, DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm, MediaKind, Producer,
    ProducerOptions, Router, RouterEvent, RouterEvents, RtpParameters, Settings, StartError, WebRtcTransport,
    WebRtcTransportOptions, Workers,
};
use str0m::IceCreds;
use str0m::rtp::{RtpPacket, Ssrc};

use crate::peer::{Device, Peer, Source, Spec, chromium_parameters};

/// A test that has come this far has failed; nothing is measured by it.
const FAILSAFE: Duration = Duration::from_secs(60);

/// Longest wait without looking at the test's condition again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Port ranges tried until one is free.
const MAX_TRIES: usize = 64;

/// A peer on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat(usize);

/// What a peer publishes.
pub(crate) struct Published {
    pub(crate) seat: Seat,
    pub(crate) producer: Producer,
    /// Its sources at the peer, lowest quality first.
    pub(crate) sources: Vec<usize>,
}

/// What a peer watches.
pub(crate) struct Watched {
    pub(crate) seat: Seat,
    pub(crate) consumer: Consumer,
    pub(crate) ssrc: Ssrc,
    pub(crate) rtx_ssrc: Option<Ssrc>,
}

pub(crate) struct Stage {
    pub(crate) workers: Workers,
    pub(crate) router: Router,
    pub(crate) events: RouterEvents,
    peers: Vec<(Peer, Option<WebRtcTransport>)>,
    began_at: Instant,
    next_ssrc: u32,
}

/// Settings for workers on 127.0.0.1 with the shortest reports a test can want; the ports are chosen later.
pub(crate) fn settings() -> Settings {
    Settings {
        workers: 1,
        listen: vec![Ipv4Addr::LOCALHOST.into()],
        announced: Vec::new(),
        rtc_min_port: 0,
        rtc_max_port: 0,
        consent_timeout: Duration::from_secs(30),
        // What is tested here is not what a link carries.
        bitrate_limits: sfu::BitrateLimits { min: 100_000_000, start: 100_000_000, max: 100_000_000 },
    }
}

/// Starts workers on ports that nobody has.
pub(crate) fn start(settings: Settings) -> Workers {
    for _ in 0..MAX_TRIES {
        let any = SocketAddr::new(settings.listen[0], 0);
        let free = UdpSocket::bind(any).and_then(|socket| socket.local_addr()).expect("the machine has a free port");
        let Some(last) = free.port().checked_add(settings.workers as u16 - 1) else { continue };
        let settings = Settings { rtc_min_port: free.port(), rtc_max_port: last, ..settings.clone() };
        match Workers::start(settings) {
            Ok(workers) => return workers,
            // Somebody was quicker.
            Err(StartError::Bind(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("no free ports");
}

impl Stage {
    /// One worker, one router.
    pub(crate) async fn new() -> Self {
        Self::with(settings()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let workers = start(settings);
        let (router, events) = workers.create_router().await.expect("a worker runs");
        Self { workers, router, events, peers: Vec::new(), began_at: Instant::now(), next_ssrc: 1000 }
    }

    pub(crate) fn peer(&self, seat: Seat) -> &Peer {
        &self.peers[seat.0].0
    }

    pub(crate) fn peer_mut(&mut self, seat: Seat) -> &mut Peer {
        &mut self.peers[seat.0].0
    }

    pub(crate) fn transport(&self, seat: Seat) -> &WebRtcTransport {
        self.peers[seat.0].1.as_ref().expect("it has not left")
    }

    /// Drops the transport's handle.
    pub(crate) fn leave(&mut self, seat: Seat) {
        self.peers[seat.0].1 = None;
    }

    /// A peer that publishes, connected.
    pub(crate) async fn publisher(&mut self) -> Seat {
        let seat = self.seat(Device::publisher()).await;
        self.connect(seat, DtlsRole::Client).await;
        self.connected(seat).await;
        seat
    }

    /// A peer that watches, connected.
    pub(crate) async fn viewer(&mut self) -> Seat {
        let seat = self.seat(Device::viewer()).await;
        self.connect(seat, DtlsRole::Client).await;
        self.connected(seat).await;
        seat
    }

    /// A peer with a transport, not connected.
    pub(crate) async fn seat(&mut self, device: Device) -> Seat {
        let router = self.router.clone();
        self.seat_at(&router, device, Ipv4Addr::LOCALHOST.into()).await
    }

    pub(crate) async fn seat_at(&mut self, router: &Router, device: Device, local: IpAddr) -> Seat {
        let options = WebRtcTransportOptions::default();
        let transport = router.create_webrtc_transport(options).await.expect("the router is open");
        let peer = Peer::new(device, SocketAddr::new(local, 0)).await;
        self.peers.push((peer, Some(transport)));
        Seat(self.peers.len() - 1)
    }

    /// Exchanges parameters; `role` is the peer's.
    pub(crate) async fn connect(&mut self, seat: Seat, role: DtlsRole) {
        let fingerprint = self.peer_mut(seat).fingerprint();
        self.connect_as(seat, role, &fingerprint).await;
    }

    /// The same with a fingerprint of the test's choice.
    pub(crate) async fn connect_as(&mut self, seat: Seat, role: DtlsRole, fingerprint: &str) {
        self.begin(seat, role == DtlsRole::Client);
        self.tell_as(seat, role, fingerprint).await;
    }

    /// Lets the peer begin without telling our side of it.
    pub(crate) fn begin(&mut self, seat: Seat, as_client: bool) {
        let (peer, transport) = &mut self.peers[seat.0];
        let transport = transport.as_ref().expect("it has not left");
        let candidates: Vec<_> = addresses(transport).filter(|to| to.is_ipv4() == peer.address().is_ipv4()).collect();
        let ours = &transport.dtls_parameters().fingerprints;
        let ours =
            ours.iter().find(|ours| ours.algorithm == FingerprintAlgorithm::Sha256).expect("every hash is there");
        peer.connect(credentials(transport.ice_parameters()), &candidates, &ours.value, as_client);
    }

    /// Tells our side of the peer.
    pub(crate) async fn tell(&mut self, seat: Seat, role: DtlsRole) {
        let fingerprint = self.peer_mut(seat).fingerprint();
        self.tell_as(seat, role, &fingerprint).await;
    }

    async fn tell_as(&mut self, seat: Seat, role: DtlsRole, fingerprint: &str) {
        let fingerprint = DtlsFingerprint { algorithm: FingerprintAlgorithm::Sha256, value: fingerprint.to_owned() };
        let parameters = DtlsParameters { role, fingerprints: vec![fingerprint] };
        self.transport(seat).connect(parameters).await.expect("the parameters are right");
    }

    /// Where a peer's transport is reached.
    pub(crate) fn server_address(&self, seat: Seat) -> SocketAddr {
        addresses(self.transport(seat)).next().expect("there is a candidate")
    }

    pub(crate) async fn connected(&mut self, seat: Seat) {
        self.until("a connection", |stage| stage.peer(seat).seen.connected).await;
    }

    /// An SSRC that no other stream of this stage has.
    fn take_ssrc(&mut self) -> Ssrc {
        self.next_ssrc += 1;
        self.next_ssrc.into()
    }

    /// A microphone.
    pub(crate) async fn microphone(&mut self, seat: Seat) -> Published {
        let ssrc = self.take_ssrc();
        let spec = Spec {
            mid: "0".into(),
            rid: None,
            ssrc,
            rtx_ssrc: None,
            payload_type: chromium_parameters("audio").codecs[0].payload_type,
            tag: 1,
            clock_rate: 48_000,
            frame_interval: Duration::from_millis(20),
            packets_per_frame: 1,
            first_seq: 65_500,
        };
        self.publish(seat, MediaKind::Audio, vec![Source::new(spec)]).await
    }

    /// A camera with one stream.
    pub(crate) async fn camera(&mut self, seat: Seat) -> Published {
        let source = Source::new(self.camera_spec());
        self.publish(seat, MediaKind::Video, vec![source]).await
    }

    pub(crate) fn camera_spec(&mut self) -> Spec {
        Spec {
            mid: "1".into(),
            rid: None,
            ssrc: self.take_ssrc(),
            rtx_ssrc: Some(self.take_ssrc()),
            payload_type: chromium_parameters("video").codecs[0].payload_type,
            tag: 10,
            clock_rate: 90_000,
            frame_interval: Duration::from_millis(33),
            packets_per_frame: 4,
            first_seq: 65_400,
        }
    }

    /// A camera with three streams of one, two and four packets a frame, tagged 10, 11 and 12; told apart by RID, or
    /// by SSRC.
    pub(crate) async fn simulcast(&mut self, seat: Seat, by_rid: bool) -> Published {
        let sources = (0..3_u8).map(|layer| {
            let spec = self.camera_spec();
            // str0m tells streams of one section apart by RID only; SSRCs that were signalled need no section.
            let mid = if by_rid { "1".to_owned() } else { format!("{}", 1 + layer) };
            let rid = by_rid.then(|| format!("r{layer}").as_str().into());
            let packets_per_frame = 1 << layer;
            Source::new(Spec { mid: mid.as_str().into(), rid, tag: 10 + layer, packets_per_frame, ..spec })
        });
        let sources = sources.collect();
        self.publish(seat, MediaKind::Video, sources).await
    }

    /// Announces sources as one producer and lets them run.
    pub(crate) async fn publish(&mut self, seat: Seat, kind: MediaKind, sources: Vec<Source>) -> Published {
        let rtp_parameters = parameters(kind, &sources);
        let is_microphone = kind == MediaKind::Audio;
        let options = ProducerOptions { kind, rtp_parameters, paused: false, is_screen: false, is_microphone };
        let producer = self.transport(seat).produce(options).await.expect("the parameters are right");
        let peer = self.peer_mut(seat);
        let sources = sources.into_iter().map(|source| peer.add_source(source)).collect();
        Published { seat, producer, sources }
    }

    /// How often the sender of a stream was asked for a key frame.
    pub(crate) fn key_frame_requests(&self, published: &Published, index: usize) -> usize {
        let spec = self.source(published, index).spec;
        self.peer(published.seat).key_frame_requests(spec.mid, spec.rid)
    }

    /// Drives every peer until a stream has sent `count` packets more and all of them have reached the worker.
    pub(crate) async fn sent_more(&mut self, published: &Published, count: usize) {
        let wanted = self.source(published, 0).sent.len() + count;
        self.until("packets sent", |stage| stage.source(published, 0).sent.len() >= wanted).await;
        self.until_async("packets received", async |_| {
            let stats = published.producer.stats().await.expect("it is open").swap_remove(0);
            stats["streams"][0]["packetsReceived"].as_u64().expect("a number") as usize >= wanted
        })
        .await;
    }

    /// Watches what another peer publishes.
    pub(crate) async fn watch(&mut self, seat: Seat, published: &Published) -> Watched {
        self.watch_as(seat, published, false).await
    }

    pub(crate) async fn watch_as(&mut self, seat: Seat, published: &Published, paused: bool) -> Watched {
        let mut rtp_capabilities = Workers::rtp_capabilities().clone();
        // These peers drop what they do not know.
        rtp_capabilities.codecs.retain(|codec| codec.mime_type != "audio/red");
        let options = ConsumerOptions { producer: published.producer.clone(), rtp_capabilities, paused };
        let consumer = self.transport(seat).consume(options).await.expect("the device can receive it");
        let parameters = consumer.rtp_parameters();
        let encoding = &parameters.encodings[0];
        let ssrc: Ssrc = encoding.ssrc.expect("a consumer has one").into();
        let rtx_ssrc = encoding.rtx.map(|rtx| rtx.ssrc.into());
        let mid = parameters.mid.as_deref().expect("a consumer has one").into();
        let kind = match consumer.kind() {
            MediaKind::Audio => str0m::media::MediaKind::Audio,
            MediaKind::Video => str0m::media::MediaKind::Video,
        };
        self.peer_mut(seat).expect(kind, mid, ssrc, rtx_ssrc);
        Watched { seat, consumer, ssrc, rtx_ssrc }
    }

    /// The source `index` of what is published.
    pub(crate) fn source(&self, published: &Published, index: usize) -> &Source {
        &self.peer(published.seat).sources[published.sources[index]]
    }

    /// The same, to change it.
    pub(crate) fn source_mut(&mut self, published: &Published, index: usize) -> &mut Source {
        let source = published.sources[index];
        &mut self.peer_mut(published.seat).sources[source]
    }

    /// What a viewer has received so far.
    pub(crate) fn received(&self, watched: &Watched) -> Vec<&RtpPacket> {
        self.peer(watched.seat).packets(watched.ssrc).collect()
    }

    /// How many packets a viewer has received so far.
    pub(crate) fn count(&self, watched: &Watched) -> usize {
        self.peer(watched.seat).packets(watched.ssrc).count()
    }

    /// Drives every peer until `done` says so.
    pub(crate) async fn until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) {
        while !done(self) {
            self.step(what).await;
        }
    }

    /// The same with a condition that asks the workers.
    pub(crate) async fn until_async(&mut self, what: &str, mut done: impl AsyncFnMut(&Self) -> bool) {
        while !done(self).await {
            self.step(what).await;
        }
    }

    /// Drives every peer until the viewer has received `count` packets more.
    pub(crate) async fn more(&mut self, watched: &Watched, count: usize) {
        let wanted = self.count(watched) + count;
        self.until("more packets", |stage| stage.count(watched) >= wanted).await;
    }

    /// Drives every peer until the router says what is waited for; other events are passed over.
    pub(crate) async fn event(&mut self, what: &str, mut is_it: impl FnMut(&RouterEvent) -> bool) -> RouterEvent {
        loop {
            while let Some(event) = self.try_event() {
                if is_it(&event) {
                    return event;
                }
            }
            self.step(what).await;
        }
    }

    /// An event that is there already.
    pub(crate) fn try_event(&mut self) -> Option<RouterEvent> {
        Self::ready(self.events.next()).flatten()
    }

    /// What a future has at once.
    pub(crate) fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(future).poll(&mut context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    /// Does what is due at every peer and waits for the next thing to do.
    async fn step(&mut self, what: &str) {
        assert!(self.began_at.elapsed() < FAILSAFE, "waited in vain for {what}");
        let due = self.peers.iter_mut().map(|(peer, _)| peer.advance()).min();
        let at = due.unwrap_or_else(Instant::now).min(Instant::now() + LOOK_AGAIN);
        let readable = poll_fn(|context| {
            // Each socket is asked, so that each wakes.
            let ready = self.peers.iter().filter(|(peer, _)| peer.poll_readable(context).is_ready()).count();
            if ready > 0 { Poll::Ready(()) } else { Poll::Pending }
        });
        // Passing time is no failure here: it only means that nothing arrived.
        let _ = tokio::time::timeout_at(at.into(), readable).await;
    }
}

/// Where a transport says that it can be reached.
pub(crate) fn addresses(transport: &WebRtcTransport) -> impl Iterator<Item = SocketAddr> {
    transport
        .ice_candidates()
        .iter()
        .map(|candidate| SocketAddr::new(candidate.address.parse().expect("candidates have addresses"), candidate.port))
}

/// Our ICE parameters as str0m wants them.
pub(crate) fn credentials(parameters: &sfu::IceParameters) -> IceCreds {
    IceCreds { ufrag: parameters.username_fragment.clone(), pass: parameters.password.clone() }
}

/// RTP parameters as Chromium has them, with the streams of `sources`: by RID where they have one.
fn parameters(kind: MediaKind, sources: &[Source]) -> RtpParameters {
    let encodings = sources.iter().map(|source| match source.spec.rid {
        Some(rid) => RtpEncodingParameters { rid: Some(rid.to_string()), ..RtpEncodingParameters::default() },
        None => RtpEncodingParameters {
            ssrc: Some(*source.spec.ssrc),
            rtx: source.spec.rtx_ssrc.map(|rtx| RtxParameters { ssrc: *rtx }),
            ..RtpEncodingParameters::default()
        },
    });
    let chromium = chromium_parameters(kind.as_str());
    RtpParameters { mid: Some(sources[0].spec.mid.to_string()), encodings: encodings.collect(), ..chromium }
}

/// Asserts that packets came in order and without a gap in their numbers.
pub(crate) fn assert_gapless(received: &[&RtpPacket]) {
    for pair in received.windows(2) {
        assert_eq!(*pair[1].seq_no, *pair[0].seq_no + 1);
    }
}
