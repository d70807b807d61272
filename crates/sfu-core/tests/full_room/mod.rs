//! A room inside one worker, filled through its public face: peers that check, shake hands and seal as browsers do, with
//! nothing between them and the worker. For what measures or counts the worker's own work.

#![expect(clippy::disallowed_methods, reason = "a first instant is needed to count from")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, Output};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sfu_core::{
    BitrateLimits, Command, ConsumerSpec, Credentials, Datagram, DtlsRole, FingerprintHash, Key, MediaKind, ObjectId,
    Outbox, Path, Producer, ProducerSpec, RemoteDtls, Reply, Settings, StreamSpec, WebRtcTransport, Worker,
    generate_self_signed_certificate,
};
use wire::codec::CodecKind;
use wire::extension::{ExtensionForm, ExtensionKind, ExtensionMap, ExtensionWriter, Extensions};
use wire::rtcp::{FeedbackHeader, write_transport_feedback};
use wire::rtp::{HeaderFields, RtpHeader, write_header};
use wire::srtp::{MasterKey, SrtpProfile, SrtpSender, split_keying_material};
use wire::stun::{Builder, Class, IntegrityKey, Method, TransactionId};
use wire::{ExtSeqNo, Mid, PayloadType, RtpTimestamp, SeqNo, Ssrc};

/// Where the publisher sends from.
pub(crate) const PUBLISHER_PORT: u16 = 20_000;

/// Where the first viewer sends from; the others follow.
pub(crate) const FIRST_VIEWER_PORT: u16 = 21_000;

/// The SSRC that the first viewer gets; the others follow.
pub(crate) const FIRST_VIEWER_SSRC: u32 = 1000;

const PACKET_LEN: usize = 1200;
const TAG_LEN: usize = 16;
/// The SSRC of the first camera; the others follow.
const FIRST_SSRC: u32 = 4660;
const TRANSPORT_WIDE_ID: u8 = 5;

/// A worker with one room in it, everybody connected.
pub(crate) struct Room {
    pub(crate) worker: Worker,
    pub(crate) out: Outbox,
    pub(crate) now: Instant,
    next_id: u128,
}

impl Room {
    fn empty(bitrate_limits: BitrateLimits) -> Self {
        let now = Instant::now();
        let settings = Settings {
            now,
            unix_now: Duration::from_secs(1_700_000_000),
            // Simulated hours pass without a check.
            consent_timeout: Duration::from_secs(1 << 24),
            bitrate_limits,
            certificate: generate_self_signed_certificate().expect("a certificate"),
        };
        let worker = Worker::new(settings, StdRng::seed_from_u64(1)).expect("a worker");
        Self { worker, out: Outbox::new(), now, next_id: 1 }
    }

    fn id(&mut self) -> ObjectId {
        self.next_id += 1;
        ObjectId(self.next_id)
    }

    fn command(&mut self, command: Command) -> Reply {
        self.worker.handle_command(self.now, command, &mut self.out).expect("the command is right")
    }

    fn path(port: u16) -> Path {
        let local = SocketAddr::from(([127, 0, 0, 1], 10_000));
        Path { socket: 0, local: local.ip(), peer: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    /// Hands in a datagram from the peer at `port`.
    pub(crate) fn hand_in(&mut self, port: u16, bytes: &mut [u8]) {
        let datagram = Datagram { path: Self::path(port), received_at: self.now, bytes };
        self.worker.handle_datagram(self.now, datagram, &mut self.out);
    }

    /// A connected transport, and the key that its peer sends with.
    fn connect(&mut self, router: Key<sfu_core::Router>, port: u16) -> (Key<WebRtcTransport>, MasterKey) {
        let id = self.id();
        let Reply::Transport(transport, credentials) = self.command(Command::CreateTransport { id, router }) else {
            unreachable!("CreateTransport is answered by Transport")
        };
        let certificate = generate_self_signed_certificate().expect("a certificate");
        let fingerprint = FingerprintHash::Sha256.of(&certificate.certificate);
        let remote = RemoteDtls { role: DtlsRole::Client, fingerprints: vec![(FingerprintHash::Sha256, fingerprint)] };
        self.command(Command::ConnectTransport { transport, remote });
        self.check(port, &credentials);
        let config = Arc::new(Config::builder().build().expect("the default is right"));
        let mut dtls = Dtls::new_12(config, certificate, self.now);
        dtls.set_active(true);
        (transport, self.handshake(port, &mut dtls))
    }

    fn check(&mut self, port: u16, credentials: &Credentials) {
        let mut request = Vec::new();
        Builder::new(&mut request, Class::Request, Method::BINDING, TransactionId([7; 12]))
            .username(&format!("{}:bench", credentials.ufrag))
            .ice_controlling(1)
            .use_candidate()
            .finish(Some(&IntegrityKey::short_term(&credentials.password)));
        self.hand_in(port, &mut request);
        self.out.clear();
    }

    fn handshake(&mut self, port: u16, dtls: &mut Dtls) -> MasterKey {
        let mut buffer = [0; 2048];
        for _ in 0..20 {
            dtls.handle_timeout(self.now).expect("no time passes");
            let mut keys = None;
            loop {
                match dtls.poll_output(&mut buffer) {
                    Output::Packet(bytes) => self.hand_in(port, &mut bytes.to_vec()),
                    Output::KeyingMaterial(material, _) => {
                        keys = split_keying_material(SrtpProfile::AeadAes256Gcm, &material);
                    }
                    Output::Timeout(_) => break,
                    _ => {}
                }
            }
            if let Some((client, _)) = keys {
                return client;
            }
            self.worker.handle_timeout(self.now, &mut self.out);
            for (_, bytes) in self.out.datagrams() {
                dtls.handle_packet(bytes).expect("the worker speaks DTLS");
            }
            self.out.clear();
        }
        unreachable!("a handshake needs three flights")
    }

    /// A room with one publisher at [`PUBLISHER_PORT`] and `viewers` from [`FIRST_VIEWER_PORT`] on; and what the
    /// publisher and each viewer seal with.
    pub(crate) fn with_viewers(viewers: usize) -> (Self, SrtpSender, Vec<SrtpSender>) {
        let mut room = Self::empty(BitrateLimits { start: 100_000_000, ..BitrateLimits::default() });
        let (publisher, viewers) = room.fill(viewers);
        (room, publisher, viewers)
    }

    /// A room with publishers from [`PUBLISHER_PORT`] on, whose cameras have the SSRCs from [`FIRST_SSRC`] on, and one viewer of
    /// them all; and what they seal with.
    pub(crate) fn with_cameras(cameras: usize, limits: BitrateLimits) -> (Self, Vec<SrtpSender>, SrtpSender) {
        let mut room = Self::empty(limits);
        let router = room.router();
        let (viewer, viewer_key) = room.connect(router, FIRST_VIEWER_PORT);
        let mut senders = Vec::new();
        for index in 0..cameras as u32 {
            let (publisher, key) = room.connect(router, PUBLISHER_PORT + index as u16);
            senders.push(sender(&key));
            let producer = room.publish(publisher, index);
            room.consume(viewer, producer, index);
        }
        room.out.clear();
        (room, senders, sender(&viewer_key))
    }

    fn fill(&mut self, viewers: usize) -> (SrtpSender, Vec<SrtpSender>) {
        let router = self.router();
        let (publisher, key) = self.connect(router, PUBLISHER_PORT);
        let producer = self.publish(publisher, 0);
        let mut senders = Vec::new();
        for index in 0..viewers as u32 {
            let (transport, key) = self.connect(router, FIRST_VIEWER_PORT + index as u16);
            senders.push(sender(&key));
            self.consume(transport, producer, index);
        }
        self.out.clear();
        (sender(&key), senders)
    }

    fn router(&mut self) -> Key<sfu_core::Router> {
        let id = self.id();
        match self.command(Command::CreateRouter { id }) {
            Reply::Router(router) => router,
            _ => unreachable!("CreateRouter is answered by Router"),
        }
    }

    fn publish(&mut self, transport: Key<WebRtcTransport>, index: u32) -> Key<Producer> {
        let mut transport_wide = ExtensionMap::new();
        transport_wide.insert(TRANSPORT_WIDE_ID, ExtensionKind::TransportWideCc);
        let spec = ProducerSpec {
            id: self.id(),
            kind: MediaKind::Video,
            mid: Mid::new("0"),
            codec: CodecKind::Vp8,
            payload_type: PayloadType::new(96).expect("below 128"),
            rtx_payload_type: None,
            red_payload_type: None,
            clock_rate: 90_000,
            extensions: transport_wide,
            nack: true,
            pli: true,
            fir: false,
            streams: vec![StreamSpec { ssrc: Some(Ssrc::new(FIRST_SSRC + index)), rid: None, rtx_ssrc: None }],
            dependency: wire::ortc::SpatialDependency::Full,
            is_screen: false,
            paused: false,
            is_microphone: false,
        };
        match self.command(Command::Produce { transport, spec: Box::new(spec) }) {
            Reply::Producer(producer) => producer,
            _ => unreachable!("Produce is answered by Producer"),
        }
    }

    fn consume(&mut self, transport: Key<WebRtcTransport>, producer: Key<Producer>, index: u32) {
        let mut extensions = ExtensionMap::new();
        extensions.insert(1, ExtensionKind::Mid);
        extensions.insert(TRANSPORT_WIDE_ID, ExtensionKind::TransportWideCc);
        let spec = ConsumerSpec {
            id: self.id(),
            producer,
            ssrc: Ssrc::new(FIRST_VIEWER_SSRC + index),
            rtx_ssrc: Some(Ssrc::new(5000 + index)),
            payload_type: PayloadType::new(96).expect("below 128"),
            rtx_payload_type: PayloadType::new(97),
            red_payload_type: None,
            mid: Mid::new("0"),
            cname: "bench".to_owned(),
            extensions,
            nack: true,
            paused: false,
        };
        self.command(Command::Consume { transport, specs: vec![spec] });
    }
}

/// What a viewer knows of the transport-wide numbers that it got, and reports (draft-holmer-rmcat-transport-wide-cc-extensions-01).
#[derive(Default)]
pub(crate) struct Arrivals {
    /// Number and arrival, in units of 250 µs.
    got: Vec<(u16, i64)>,
    count: u8,
}

impl Arrivals {
    /// Takes in what was sent to the viewer, as if it took `delay` on the way; how many packets that were.
    pub(crate) fn receive(&mut self, room: &Room, start: Instant, delay: Duration) -> u64 {
        let before = self.got.len();
        let mut map = ExtensionMap::new();
        map.insert(TRANSPORT_WIDE_ID, ExtensionKind::TransportWideCc);
        let at = (room.now.saturating_duration_since(start) + delay).as_micros() as i64 / 250;
        for (path, bytes) in room.out.datagrams() {
            let Ok(header) = RtpHeader::parse(bytes) else { continue };
            let extensions = Extensions::parse(bytes, &header, &map);
            if let Some(&[high, low]) = extensions.get(bytes, ExtensionKind::TransportWideCc)
                && path.peer.port() == FIRST_VIEWER_PORT
            {
                self.got.push((u16::from_be_bytes([high, low]), at));
            }
        }
        (self.got.len() - before) as u64
    }

    /// The report of what arrived since the last one, sealed; nothing where nothing did.
    pub(crate) fn report(&mut self, sender: &mut SrtpSender) -> Option<Vec<u8>> {
        let &(first, at) = self.got.first()?;
        let reference_time = at / 256;
        let mut previous = reference_time * 256;
        let deltas = self.got.drain(..).map(|(_, at)| Some(at - std::mem::replace(&mut previous, at)));
        let statuses: Vec<_> = deltas.collect();
        let header = FeedbackHeader {
            sender: Ssrc::new(1),
            media: Ssrc::new(FIRST_VIEWER_SSRC),
            base_seq: SeqNo::new(first),
            reference_time: reference_time as i32,
            feedback_count: self.count,
        };
        self.count = self.count.wrapping_add(1);
        let mut bytes = Vec::new();
        write_transport_feedback(&mut bytes, &header, &statuses).expect("all of it fits");
        sender.protect_rtcp(&mut bytes, 0).expect("a whole packet");
        Some(bytes)
    }
}

fn sender(key: &MasterKey) -> SrtpSender {
    SrtpSender::new(SrtpProfile::AeadAes256Gcm, key).expect("the key fits the profile")
}

/// A video packet of the first camera; every 500th begins a key frame.
pub(crate) fn packet(sender: &mut SrtpSender, number: u64) -> Vec<u8> {
    packet_of(sender, 0, number)
}

/// The same of `camera`.
pub(crate) fn packet_of(sender: &mut SrtpSender, camera: u32, number: u64) -> Vec<u8> {
    let mut packet = Vec::with_capacity(PACKET_LEN);
    let index = ExtSeqNo::new(number);
    let fields = HeaderFields {
        marker: true,
        payload_type: PayloadType::new(96).expect("below 128"),
        seq: index.truncate(),
        timestamp: RtpTimestamp::new((number as u32).wrapping_mul(3000)),
        ssrc: Ssrc::new(FIRST_SSRC + camera),
    };
    write_header(&mut packet, &fields, true, false);
    let mut extensions = ExtensionWriter::new(&mut packet, ExtensionForm::OneByte);
    extensions.write(TRANSPORT_WIDE_ID, &(number as u16).to_be_bytes());
    extensions.finish();
    let header_len = packet.len();
    packet.extend_from_slice(&[0x10, u8::from(!number.is_multiple_of(500))]);
    packet.resize(PACKET_LEN - TAG_LEN, number as u8);
    sender.protect_rtp(&mut packet, 0, header_len, index).expect("a whole packet");
    packet
}
