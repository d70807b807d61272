//! A str0m peer with its own sockets: it sends what its sources make, keeps what it receives, and lets a test
//! drop, repeat and change datagrams in both directions.

mod device;
pub(crate) mod link;
mod source;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use str0m::bwe::{Bitrate, BweKind};
use str0m::media::{KeyframeRequest, KeyframeRequestKind, MediaKind, Mid, Rid, SenderFeedback};
use str0m::net::{Protocol, Receive};
use str0m::rtp::rtcp::{Nack, Rtcp};
use str0m::rtp::{RawPacket, RtpHeader, RtpPacket, Ssrc};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc};
use tokio::net::UdpSocket;

pub(crate) use device::{Device, chromium_parameters};
use link::{Hook, is_rtp, pass, rtp_name};
pub(crate) use source::{Sent, Source, Spec, index_of, tag_of};

/// Datagrams read from one socket in one go.
const MAX_READS: usize = 256;

/// Largest datagram that is read.
const MAX_DATAGRAM: usize = 2000;

/// What a peer saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connected: bool,
    pub(crate) closed: bool,
    pub(crate) error: Option<String>,
    /// Where datagrams came from.
    pub(crate) from: HashSet<SocketAddr>,
    /// Each media packet once, in the order of arrival; what came by RTX as if it had not.
    pub(crate) rtp: Vec<RtpPacket>,
    /// Headers of all RTP packets as they came.
    pub(crate) headers: Vec<RtpHeader>,
    pub(crate) rtcp: Vec<Rtcp>,
    pub(crate) key_frame_requests: Vec<KeyframeRequest>,
    pub(crate) sender_reports: Vec<SenderFeedback>,
    /// What it last believed that it may send.
    pub(crate) estimate: Option<Bitrate>,
}

pub(crate) struct Peer {
    pub(crate) rtc: Rtc,
    sockets: Vec<UdpSocket>,
    pub(crate) sources: Vec<Source>,
    /// Applied to what is sent and to what is received.
    pub(crate) outgoing: Hook,
    pub(crate) incoming: Hook,
    pub(crate) seen: Seen,
    /// Once it is there: what was sent, encrypted, to be sent again as it is when a NACK asks for it.
    plain_repair: Option<HashMap<(u32, u16), Vec<u8>>>,
    /// It does nothing more, like a device whose battery is empty.
    pub(crate) is_gone: bool,
    destination: Option<SocketAddr>,
    wake_at: Instant,
}

impl Peer {
    /// A peer with a socket on `local`, a free port of it when the port is 0.
    pub(crate) async fn new(device: Device, local: SocketAddr) -> Self {
        let now = Instant::now();
        let mut rtc = device.build(now);
        rtc.direct_api().set_ice_controlling(true);
        let mut peer = Self {
            rtc,
            sockets: Vec::new(),
            sources: Vec::new(),
            outgoing: pass(),
            incoming: pass(),
            seen: Seen::default(),
            plain_repair: None,
            is_gone: false,
            destination: None,
            wake_at: now,
        };
        peer.open(local).await;
        peer
    }

    /// Opens one more socket and lets ICE use it.
    pub(crate) async fn open(&mut self, local: SocketAddr) -> SocketAddr {
        let socket = UdpSocket::bind(local).await.expect("a free port of the machine");
        let local = socket.local_addr().expect("it is bound");
        self.sockets.push(socket);
        let candidate = Candidate::host(local, "udp").expect("a host address");
        self.rtc.add_local_candidate(candidate);
        self.pump();
        local
    }

    /// Gives up all sockets for a new one, as a device does that changes its network.
    pub(crate) async fn change_port(&mut self) -> SocketAddr {
        let old: Vec<_> = self.sockets.iter().map(|socket| socket.local_addr().expect("it is bound")).collect();
        let new = self.open(SocketAddr::new(old[0].ip(), 0)).await;
        for address in old {
            let candidate = Candidate::host(address, "udp").expect("a host address");
            assert!(self.rtc.direct_api().invalidate_candidate(&candidate));
            self.pump();
            self.sockets.retain(|socket| socket.local_addr().expect("it is bound") != address);
        }
        new
    }

    /// Where it sends from.
    pub(crate) fn address(&self) -> SocketAddr {
        self.sockets[0].local_addr().expect("it is bound")
    }

    /// Starts ICE and DTLS towards an SFU.
    pub(crate) fn connect(&mut self, creds: IceCreds, candidates: &[SocketAddr], fingerprint: &str, active: bool) {
        self.rtc.direct_api().set_remote_ice_credentials(creds);
        self.pump();
        for candidate in candidates {
            self.rtc.add_remote_candidate(Candidate::host(*candidate, "udp").expect("a host address"));
            self.pump();
        }
        let bytes = fingerprint.split(':').map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal"));
        let fingerprint = str0m::config::Fingerprint { hash_func: "sha-256".to_owned(), bytes: bytes.collect() };
        self.rtc.direct_api().set_remote_fingerprint(fingerprint);
        self.rtc.direct_api().start_dtls(active).expect("it is not started yet");
        self.pump();
        // ICE has no deadline of its own before it was first told the time.
        self.input(Input::Timeout(Instant::now()));
    }

    /// Its SHA-256 fingerprint as signalling has it.
    pub(crate) fn fingerprint(&mut self) -> String {
        let api = self.rtc.direct_api();
        let pairs: Vec<_> = api.local_dtls_fingerprint().bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }

    /// Adds a source; it starts to send once connected and started.
    pub(crate) fn add_source(&mut self, source: Source) -> usize {
        let kind = if source.spec.is_video() { MediaKind::Video } else { MediaKind::Audio };
        let mid = source.spec.mid;
        if self.rtc.media(mid).is_none() {
            self.rtc.direct_api().declare_media(mid, kind);
            self.pump();
        }
        let mut api = self.rtc.direct_api();
        let stream = api.declare_stream_tx(source.spec.ssrc, source.spec.rtx_ssrc, mid, source.spec.rid);
        // Whatever is asked for is sent again: the limit of the share of retransmissions is off.
        stream.set_rtx_cache(2048, Duration::from_secs(5), None);
        stream.set_unpaced(true);
        self.pump();
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// Expects what a consumer sends.
    pub(crate) fn expect(&mut self, kind: MediaKind, mid: Mid, ssrc: Ssrc, rtx: Option<Ssrc>) {
        self.rtc.direct_api().declare_media(mid, kind);
        self.pump();
        self.rtc.direct_api().expect_stream_rx(ssrc, rtx, mid, None);
        self.pump();
        self.rtc.direct_api().enable_twcc_feedback();
        self.pump();
    }

    /// Asks for a key frame.
    pub(crate) fn ask_key_frame(&mut self, ssrc: Ssrc, kind: KeyframeRequestKind) {
        let mut api = self.rtc.direct_api();
        api.stream_rx(&ssrc).expect("it was expected").request_keyframe(kind);
        self.pump();
    }

    /// Media packets of one SSRC in the order of arrival.
    pub(crate) fn packets(&self, ssrc: Ssrc) -> impl Iterator<Item = &RtpPacket> + Clone {
        self.seen.rtp.iter().filter(move |packet| packet.header.ssrc == ssrc)
    }

    /// How often a key frame of a stream was asked for.
    pub(crate) fn key_frame_requests(&self, mid: Mid, rid: Option<Rid>) -> usize {
        self.seen.key_frame_requests.iter().filter(|request| request.mid == mid && request.rid == rid).count()
    }

    /// Answers NACKs by the packets themselves; str0m knows only RTX.
    pub(crate) fn repair_plainly(&mut self) {
        self.plain_repair = Some(HashMap::new());
    }

    fn repair(&self, nack: &Nack) {
        let (Some(sent), Some(to)) = (&self.plain_repair, self.destination) else { return };
        for entry in nack.reports.iter() {
            let following = (0..16).filter(|bit| entry.blp & 1 << bit != 0).map(|bit| entry.pid.wrapping_add(bit + 1));
            for seq in following.chain([entry.pid]) {
                if let Some(datagram) = sent.get(&(*nack.ssrc, seq)) {
                    self.send_raw(datagram, to);
                }
            }
        }
    }

    /// Sends bytes as they are from its own socket.
    pub(crate) fn send_raw(&self, bytes: &[u8], to: SocketAddr) {
        // A full socket buffer loses a datagram as any network may.
        let _ = self.sockets[0].try_send_to(bytes, to);
    }

    /// Does all that is due; returns when to come back at the latest.
    pub(crate) fn advance(&mut self) -> Instant {
        if self.is_gone {
            return Instant::now() + Duration::from_secs(1);
        }
        self.receive();
        let now = Instant::now();
        if self.seen.connected {
            self.send_media(now);
        }
        if now >= self.wake_at {
            self.input(Input::Timeout(now));
        }
        let media = self.sources.iter().filter_map(Source::due_at).filter(|_| self.seen.connected);
        media.chain([self.wake_at]).min().expect("one is there")
    }

    /// Whether a datagram waits.
    pub(crate) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.is_gone {
            return Poll::Pending;
        }
        match self.sockets.iter().any(|socket| socket.poll_recv_ready(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn send_media(&mut self, now: Instant) {
        let mut any = false;
        for index in 0..self.sources.len() {
            if let Some(writes) = self.sources[index].next_frame(now) {
                let ssrc = self.sources[index].spec.ssrc;
                for write in writes {
                    let mut api = self.rtc.direct_api();
                    api.stream_tx(&ssrc).expect("declared when the source was added").write_rtp(write);
                    self.pump();
                    any = true;
                }
            }
        }
        if any {
            self.input(Input::Timeout(now));
        }
    }

    fn receive(&mut self) {
        let mut buffer = [0; MAX_DATAGRAM];
        for index in 0..self.sockets.len() {
            for _ in 0..MAX_READS {
                let socket = &self.sockets[index];
                let destination = socket.local_addr().expect("it is bound");
                let Ok((len, source)) = socket.try_recv_from(&mut buffer) else { break };
                self.seen.from.insert(source);
                for datagram in (self.incoming)(&buffer[..len]) {
                    if let Ok(receive) = Receive::new(Protocol::Udp, source, destination, &datagram) {
                        self.input(Input::Receive(Instant::now(), receive));
                    }
                }
            }
        }
    }

    fn input(&mut self, input: Input<'_>) {
        if let Err(error) = self.rtc.handle_input(input) {
            self.seen.error.get_or_insert(error.to_string());
        }
        self.pump();
    }

    /// Takes all output; str0m wants that after every change.
    pub(crate) fn pump(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.wake_at = at;
                    return;
                }
                Ok(Output::Transmit(transmit)) => {
                    self.destination = Some(transmit.destination);
                    if let Some(sent) = &mut self.plain_repair
                        && is_rtp(&transmit.contents)
                    {
                        sent.insert(rtp_name(&transmit.contents), transmit.contents.to_vec());
                    }
                    for datagram in (self.outgoing)(&transmit.contents) {
                        let from = |socket: &&UdpSocket| socket.local_addr().is_ok_and(|at| at == transmit.source);
                        if let Some(socket) = self.sockets.iter().find(from) {
                            let _ = socket.try_send_to(&datagram, transmit.destination);
                        }
                    }
                }
                Ok(Output::Event(event)) => self.note(event),
                Err(error) => {
                    self.seen.error.get_or_insert(error.to_string());
                    self.wake_at = Instant::now() + Duration::from_secs(1);
                    return;
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Connected => self.seen.connected = true,
            Event::Closed => self.seen.closed = true,
            Event::RtpPacket(packet) => self.seen.rtp.push(packet),
            Event::KeyframeRequest(request) => {
                for source in &mut self.sources {
                    if source.spec.mid == request.mid && source.spec.rid == request.rid {
                        source.make_key_frame();
                    }
                }
                self.seen.key_frame_requests.push(request);
            }
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => self.seen.estimate = Some(estimate),
            Event::SenderFeedback(report) => self.seen.sender_reports.push(report),
            Event::RawPacket(packet) => match *packet {
                RawPacket::RtcpRx(rtcp) => {
                    if let Rtcp::Nack(nack) = &rtcp {
                        self.repair(nack);
                    }
                    self.seen.rtcp.push(rtcp);
                }
                RawPacket::RtpRx(header, _) => self.seen.headers.push(header),
                RawPacket::RtcpTx(_) | RawPacket::RtpTx(..) => {}
            },
            _ => {}
        }
    }
}
