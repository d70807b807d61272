//! One participant: connects by ICE and DTLS, sends its sources, watches its sinks, speaks RTCP as a browser does.
//!
//! It is told the time and its datagrams, and its output is pushed; signalling is the caller's, and hands over plain
//! values.

mod reports;
mod sink;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dimpl::DtlsCertificate;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::rtp::RtpHeader;
use wire::srtp::{SrtpProfile, SrtpSender};
use wire::{PacketKind, Ssrc, classify};

use self::sink::Sink;
pub use self::sink::SinkSpec;
use crate::dtls::{DtlsEvent, DtlsRole, Session};
use crate::feedback::Arrivals;
use crate::ice::{IceAgent, IceEvent, RemoteIce};
use crate::output::{Output, Pair};
use crate::quality::Quality;
use crate::secure::{Secure, WallClock};
use crate::send::SendStats;
use crate::source::{Source, SourceSpec};

/// Round trip assumed before the first measurement.
const INITIAL_ROUND_TRIP: Duration = Duration::from_millis(100);

/// First report after the connection stands.
const FIRST_REPORT_AFTER: Duration = Duration::from_millis(200);

/// What a participant is made with.
#[derive(Clone)]
pub struct PeerConfig {
    /// The moment of creation.
    pub now: Instant,
    /// Time since the Unix epoch at `now`. Delays are measured with it, so viewers and sources need the same clock.
    pub unix_now: Duration,
    /// Everything random comes of it.
    pub seed: u64,
    /// Our addresses.
    pub locals: Vec<SocketAddr>,
    /// Who begins the DTLS handshake.
    pub role: DtlsRole,
    /// Our DTLS identity.
    pub certificate: DtlsCertificate,
}

/// What signalling tells of the server's transport.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Its ICE credentials and addresses.
    pub ice: RemoteIce,
    /// SHA-256 fingerprints of its certificate, as SDP writes them.
    pub fingerprints: Vec<String>,
}

/// Something happened to the connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PeerEvent {
    /// A pair of addresses works.
    IceConnected,
    /// DTLS is through; media flows.
    Connected,
    /// It is over; says why.
    Closed(String),
}

/// Names a source of one participant.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SourceId(u32);

/// Names a sink of one participant.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SinkId(u32);

/// Figures of the connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerStats {
    /// Datagrams received.
    pub datagrams: u64,
    /// SRTP that was received before.
    pub replayed: u64,
    /// SRTP that is not authentic.
    pub unauthentic: u64,
    /// RTP of an SSRC that no sink claims.
    pub unknown_ssrc: u64,
    /// RTP or RTCP that does not parse.
    pub malformed: u64,
    /// Our packets that the server's transport-wide feedback reported received.
    pub feedback_received: u64,
    /// Our packets that it reported lost.
    pub feedback_lost: u64,
    /// Measured round trip.
    pub round_trip: Option<Duration>,
}

/// One participant.
pub struct Peer {
    rng: StdRng,
    clock: WallClock,
    certificate: DtlsCertificate,
    role: DtlsRole,
    ice: IceAgent,
    dtls: Option<Session>,
    secure: Option<Secure>,
    sources: BTreeMap<SourceId, Source>,
    sinks: BTreeMap<SinkId, Sink>,
    next_id: u32,
    arrivals: Arrivals,
    /// SSRC of our reports while we send nothing.
    rtcp_ssrc: Ssrc,
    report_at: Option<Instant>,
    round_trip: Option<Duration>,
    /// The server's reference time to answer with DLRR: SSRC, middle of the NTP time, arrival.
    reference: Option<(Ssrc, u32, Instant)>,
    events: VecDeque<PeerEvent>,
    stats: PeerStats,
}

impl Peer {
    /// A participant that does nothing until [`Peer::connect`].
    pub fn new(config: PeerConfig) -> Self {
        let mut rng = StdRng::seed_from_u64(config.seed);
        Self {
            clock: WallClock::new(config.now, config.unix_now),
            certificate: config.certificate,
            role: config.role,
            ice: IceAgent::new(config.locals, &mut rng),
            dtls: None,
            secure: None,
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
            next_id: 0,
            arrivals: Arrivals::new(config.now),
            rtcp_ssrc: Ssrc::new(rng.random()),
            report_at: None,
            round_trip: None,
            reference: None,
            events: VecDeque::new(),
            stats: PeerStats::default(),
            rng,
        }
    }

    /// SHA-256 fingerprint of our certificate, as SDP writes it.
    pub fn fingerprint(&self) -> String {
        self.certificate.fingerprint_str()
    }

    /// Begins to check and to shake hands.
    ///
    /// # Errors
    /// When the DTLS library refuses its configuration.
    pub fn connect(&mut self, now: Instant, remote: Remote, out: &mut Output) -> Result<(), dimpl::Error> {
        let seed = self.rng.random();
        let session = Session::new(now, self.role, self.certificate.clone(), remote.fingerprints, seed)?;
        self.dtls = Some(session);
        self.ice.start(now, remote.ice);
        self.handle_timeout(now, out);
        Ok(())
    }

    /// Goes on with new credentials of the server; media flows meanwhile.
    pub fn restart_ice(&mut self, now: Instant, remote: RemoteIce, out: &mut Output) {
        self.ice.start(now, remote);
        self.handle_timeout(now, out);
    }

    /// Goes on from these addresses; what is not among them is gone, as after a change of network.
    pub fn set_locals(&mut self, now: Instant, locals: Vec<SocketAddr>, out: &mut Output) {
        self.ice.set_locals(now, locals);
        self.handle_timeout(now, out);
    }

    /// Takes in a datagram that came from `pair.remote` to `pair.local`; SRTP is opened in place.
    pub fn handle_datagram(&mut self, now: Instant, pair: Pair, bytes: &mut [u8], out: &mut Output) {
        self.stats.datagrams += 1;
        match classify(bytes) {
            PacketKind::Stun => {
                if self.ice.receive(now, pair, bytes) == Some(IceEvent::Connected) {
                    self.events.push_back(PeerEvent::IceConnected);
                    self.poll_dtls(now, out);
                }
            }
            PacketKind::Rtp => self.receive_rtp(now, bytes),
            PacketKind::Rtcp => self.receive_rtcp(now, bytes, out),
            PacketKind::Other => {}
            _ => {
                if let Some(dtls) = &mut self.dtls {
                    dtls.receive(now, bytes);
                }
                self.poll_dtls(now, out);
            }
        }
    }

    fn receive_rtp(&mut self, now: Instant, bytes: &mut [u8]) {
        let Some(secure) = &mut self.secure else { return };
        let Ok(header) = RtpHeader::parse(bytes) else {
            self.stats.malformed += 1;
            return;
        };
        let Some((len, seq)) = secure.open_rtp(bytes, &header) else { return };
        let Some(sink) = self.sinks.values_mut().find(|sink| sink.claims(header.ssrc)) else {
            self.stats.unknown_ssrc += 1;
            return;
        };
        let Some(packet) = bytes.get(..len) else { return };
        if let Some(number) = sink.transport_wide(packet, &header) {
            self.arrivals.receive(now, number);
        }
        sink.receive(now, self.clock.unix_at(now), packet, (&header, seq));
    }

    /// Does everything whose time has come.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Output) {
        if self.ice.handle_timeout(now, &mut self.rng, out) == Some(IceEvent::Lost) {
            self.end("no answer for the time of consent".to_owned());
        }
        if self.dtls.as_ref().and_then(Session::timeout_at).is_some_and(|at| at <= now) {
            self.poll_dtls(now, out);
        }
        let Some(secure) = &mut self.secure else { return };
        secure.pair = self.ice.selected();
        for source in self.sources.values_mut() {
            source.handle_timeout(now, secure, out, &mut self.rng);
        }
        self.send_due_rtcp(now, out);
    }

    /// When [`Peer::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let dtls = self.ice.selected().and(self.dtls.as_ref()).and_then(Session::timeout_at);
        let own = [self.ice.poll_timeout(), dtls].into_iter().flatten();
        if self.secure.is_none() {
            return own.min();
        }
        let sources = self.sources.values().map(Source::next_at);
        let sinks = self.sinks.values().filter_map(Sink::poll_timeout);
        let rtcp = [self.report_at, self.arrivals.due_at()].into_iter().flatten();
        own.chain(sources).chain(sinks).chain(rtcp).min()
    }

    /// Takes the oldest event.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    fn poll_dtls(&mut self, now: Instant, out: &mut Output) {
        let (Some(pair), Some(dtls)) = (self.ice.selected(), &mut self.dtls) else { return };
        match dtls.poll(now, &mut |bytes: &[u8]| out.push(pair, bytes)) {
            None => {}
            Some(DtlsEvent::Connected(keys)) => match Secure::new(*keys, self.clock, pair) {
                Ok(secure) => {
                    self.secure = Some(secure);
                    self.sources.values_mut().for_each(|source| source.start(now));
                    self.report_at = Some(now + FIRST_REPORT_AFTER);
                    self.events.push_back(PeerEvent::Connected);
                }
                Err(error) => self.end(error.to_string()),
            },
            Some(DtlsEvent::Failed(error)) => self.end(error),
            Some(DtlsEvent::Closed) => self.end("the server has closed".to_owned()),
        }
    }

    fn end(&mut self, why: String) {
        self.dtls = None;
        self.secure = None;
        self.events.push_back(PeerEvent::Closed(why));
    }

    /// Says good-bye and sends nothing any more.
    pub fn close(&mut self, now: Instant, out: &mut Output) {
        if let (Some(pair), Some(dtls)) = (self.ice.selected(), &mut self.dtls) {
            dtls.close(now, &mut |bytes: &[u8]| out.push(pair, bytes));
        }
        self.end("closed by ourselves".to_owned());
        self.ice = IceAgent::new(Vec::new(), &mut self.rng);
    }

    /// Seals and sends a compound RTCP packet that the caller wrote.
    pub fn send_rtcp(&mut self, plain: &[u8], out: &mut Output) {
        if let Some(secure) = &mut self.secure {
            secure.send_rtcp(out, |arena| arena.extend_from_slice(plain));
        }
    }

    /// Whether media flows.
    pub fn is_connected(&self) -> bool {
        self.secure.is_some() && self.ice.selected().is_some()
    }

    /// The pair of addresses in use.
    pub fn selected(&self) -> Option<Pair> {
        self.ice.selected()
    }

    /// Our address as the server sees it, by its last answer.
    pub fn mapped(&self) -> Option<SocketAddr> {
        self.ice.mapped()
    }

    /// The profile that was negotiated, and a second sealer with our keys: for whoever makes packets outside, of SSRCs
    /// that no source of this participant uses.
    pub fn sealer(&self) -> Option<(SrtpProfile, SrtpSender)> {
        let keys = self.secure.as_ref()?.keys();
        Some((keys.profile, SrtpSender::new(keys.profile, &keys.ours).ok()?))
    }

    /// Figures of the connection.
    pub fn stats(&self) -> PeerStats {
        let (replayed, unauthentic) =
            self.secure.as_ref().map_or((0, 0), |secure| (secure.replayed, secure.unauthentic));
        PeerStats { replayed, unauthentic, round_trip: self.round_trip, ..self.stats }
    }

    fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(INITIAL_ROUND_TRIP)
    }
}

/// Sources and sinks.
impl Peer {
    /// Begins to send something, as soon as the connection stands.
    pub fn add_source(&mut self, now: Instant, spec: SourceSpec) -> SourceId {
        self.next_id += 1;
        let id = SourceId(self.next_id);
        self.sources.insert(id, Source::new(now, spec, &mut self.rng));
        id
    }

    /// Stops sending it for good.
    pub fn remove_source(&mut self, id: SourceId) {
        self.sources.remove(&id);
    }

    /// Stops or starts sending it.
    pub fn pause_source(&mut self, id: SourceId, paused: bool) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.set_paused(paused);
        }
    }

    /// Changes how loud a voice is, in dB below full scale.
    pub fn set_level(&mut self, id: SourceId, dbov_below: u8) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.set_level(dbov_below);
        }
    }

    /// Stops or starts one stream of a source, as a browser does that has no bandwidth for it.
    pub fn stop_stream(&mut self, id: SourceId, stream: usize, stopped: bool) {
        if let Some(source) = self.sources.get_mut(&id) {
            source.set_stopped(stream, stopped);
        }
    }

    /// Sends a packet of padding alone on one stream.
    pub fn send_padding(&mut self, now: Instant, id: SourceId, stream: usize, out: &mut Output) {
        if let (Some(source), Some(secure)) = (self.sources.get_mut(&id), &mut self.secure) {
            source.send_padding(now, stream, secure, out);
        }
    }

    /// Figures of one stream of a source.
    pub fn send_stats(&self, id: SourceId, stream: usize) -> Option<SendStats> {
        self.sources.get(&id)?.stats(stream)
    }

    /// Begins to watch something that the server sends.
    pub fn add_sink(&mut self, spec: SinkSpec) -> SinkId {
        self.next_id += 1;
        let id = SinkId(self.next_id);
        self.sinks.insert(id, Sink::new(spec));
        id
    }

    /// Stops watching it.
    pub fn remove_sink(&mut self, id: SinkId) {
        self.sinks.remove(&id);
    }

    /// What was seen of it.
    pub fn quality(&self, id: SinkId) -> Option<Quality> {
        self.sinks.get(&id).map(Sink::quality)
    }
}
