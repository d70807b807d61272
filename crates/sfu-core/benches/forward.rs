//! The forward path of one worker without any I/O: one packet in, decrypted, stored, written and encrypted for each of
//! 1, 10, 50 and 200 consumers. The figure is per packet received; divide by the consumers for one forwarded.
//!
//! Opening the packet is part of it; making it is not.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use dimpl::{Config, Dtls, Output};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sfu_core::{
    Command, ConsumerSpec, Credentials, Datagram, DtlsRole, FingerprintHash, Key, MediaKind, ObjectId, Outbox, Path,
    ProducerSpec, RemoteDtls, Reply, Settings, StreamSpec, WebRtcTransport, Worker, generate_self_signed_certificate,
};
use wire::codec::CodecKind;
use wire::extension::{ExtensionKind, ExtensionMap};
use wire::rtp::{HeaderFields, write_header};
use wire::srtp::{MasterKey, SrtpProfile, SrtpSender, split_keying_material};
use wire::stun::{Builder, Class, IntegrityKey, Method, TransactionId};
use wire::{ExtSeqNo, Mid, PayloadType, RtpTimestamp, Ssrc};

const PACKET_LEN: usize = 1200;
const TAG_LEN: usize = 16;
const SSRC: u32 = 4660;

struct Bench {
    worker: Worker,
    out: Outbox,
    now: Instant,
    next_id: u128,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let settings = Settings {
            now,
            unix_now: Duration::from_secs(1_700_000_000),
            // Simulated hours pass without a check.
            consent_timeout: Duration::from_secs(1 << 24),
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

    fn hand_in(&mut self, port: u16, bytes: &mut [u8]) {
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

    fn room(&mut self, consumers: usize) -> SrtpSender {
        let id = self.id();
        let Reply::Router(router) = self.command(Command::CreateRouter { id }) else {
            unreachable!("CreateRouter is answered by Router")
        };
        let (publisher, key) = self.connect(router, 20_000);
        let payload_type = PayloadType::new(96).expect("below 128");
        let spec = ProducerSpec {
            id: self.id(),
            kind: MediaKind::Video,
            mid: Mid::new("0"),
            codec: CodecKind::Vp8,
            payload_type,
            rtx_payload_type: None,
            clock_rate: 90_000,
            extensions: ExtensionMap::new(),
            nack: true,
            pli: true,
            fir: false,
            streams: vec![StreamSpec { ssrc: Some(Ssrc::new(SSRC)), rid: None, rtx_ssrc: None }],
            paused: false,
        };
        let Reply::Producer(producer) = self.command(Command::Produce { transport: publisher, spec: Box::new(spec) })
        else {
            unreachable!("Produce is answered by Producer")
        };
        let mut extensions = ExtensionMap::new();
        extensions.insert(1, ExtensionKind::Mid);
        extensions.insert(5, ExtensionKind::TransportWideCc);
        for index in 0..consumers as u32 {
            let (transport, _) = self.connect(router, 21_000 + index as u16);
            let spec = ConsumerSpec {
                id: self.id(),
                producer,
                ssrc: Ssrc::new(1000 + index),
                rtx_ssrc: Some(Ssrc::new(5000 + index)),
                payload_type,
                rtx_payload_type: PayloadType::new(97),
                mid: Mid::new("0"),
                cname: "bench".to_owned(),
                extensions,
                nack: true,
                paused: false,
            };
            self.command(Command::Consume { transport, specs: vec![spec] });
        }
        self.out.clear();
        SrtpSender::new(SrtpProfile::AeadAes256Gcm, &key).expect("the key fits the profile")
    }
}

/// A video packet; every 500th begins a key frame.
fn packet(sender: &mut SrtpSender, number: u64) -> Vec<u8> {
    let mut packet = Vec::with_capacity(PACKET_LEN);
    let index = ExtSeqNo::new(number);
    let fields = HeaderFields {
        marker: true,
        payload_type: PayloadType::new(96).expect("below 128"),
        seq: index.truncate(),
        timestamp: RtpTimestamp::new((number as u32).wrapping_mul(3000)),
        ssrc: Ssrc::new(SSRC),
    };
    write_header(&mut packet, &fields, false, false);
    packet.extend_from_slice(&[0x10, u8::from(number % 500 != 0)]);
    packet.resize(PACKET_LEN - TAG_LEN, number as u8);
    sender.protect_rtp(&mut packet, 0, 12, index).expect("a whole packet");
    packet
}

fn forward(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forward");
    for consumers in [1, 10, 50, 200] {
        let mut bench = Bench::new();
        let mut sender = bench.room(consumers);
        let mut number = 1000;
        let mut forwarded = 0;
        group.throughput(Throughput::Elements(consumers as u64));
        group.bench_function(format!("1 to {consumers}"), |bencher| {
            bencher.iter_batched_ref(
                || {
                    number += 1;
                    packet(&mut sender, number)
                },
                |bytes| {
                    bench.now += Duration::from_micros(500);
                    bench.hand_in(20_000, bytes);
                    bench.worker.handle_timeout(bench.now, &mut bench.out);
                    forwarded += bench.out.queued().len();
                    bench.out.clear();
                },
                BatchSize::SmallInput,
            );
        });
        let drops = bench.worker.drops();
        assert!(forwarded as u64 >= (number - 1000) * consumers as u64 / 2, "only {forwarded} went on: {drops:?}");
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = forward
}
criterion_main!(benches);
