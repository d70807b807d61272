//! The DTLS session of a participant: either role, the server's fingerprint checked, keys for SRTP (RFC 5764).

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output};
use wire::srtp::{MasterKey, SrtpProfile, split_keying_material};

/// Largest datagram that is read or written.
const MAX_DATAGRAM: usize = 2048;

/// First retransmission of a lost flight.
const FLIGHT_RTO: Duration = Duration::from_millis(150);

/// Who begins the handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DtlsRole {
    /// We send the ClientHello; browsers do.
    Client,
    /// We wait for the server's.
    Server,
}

/// Keys of a connected participant.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) profile: SrtpProfile,
    pub(crate) ours: MasterKey,
    pub(crate) theirs: MasterKey,
}

/// What happened to the session.
pub(crate) enum DtlsEvent {
    Connected(Box<Keys>),
    /// It cannot succeed; says why.
    Failed(String),
    /// The server ended it.
    Closed,
}

/// The session of one participant.
pub(crate) struct Session {
    dtls: Dtls,
    role: DtlsRole,
    /// SHA-256 fingerprints of the server's certificate, as SDP writes them.
    fingerprints: Vec<String>,
    verified: bool,
    connected: bool,
    keys: Option<Box<Keys>>,
    timeout_at: Option<Instant>,
}

impl Session {
    pub(crate) fn new(
        now: Instant,
        role: DtlsRole,
        certificate: DtlsCertificate,
        fingerprints: Vec<String>,
        seed: u64,
    ) -> Result<Self, dimpl::Error> {
        let config = Config::builder()
            .mtu(1200)
            .flight_start_rto(FLIGHT_RTO)
            .flight_retries(8)
            // Only back-off and hello bytes come of it: keys and signatures have the system's randomness.
            .dangerously_set_rng_seed(seed)
            .build()?;
        let mut dtls = Dtls::new_12(Arc::new(config), certificate, now);
        if role == DtlsRole::Client {
            dtls.set_active(true);
        }
        Ok(Self { dtls, role, fingerprints, verified: false, connected: false, keys: None, timeout_at: Some(now) })
    }

    /// Takes one datagram in; what comes of it is told by [`Session::poll`].
    pub(crate) fn receive(&mut self, now: Instant, datagram: &[u8]) {
        // A datagram that the session refuses changes nothing.
        let _ = self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(datagram));
        self.timeout_at = Some(now);
    }

    pub(crate) fn timeout_at(&self) -> Option<Instant> {
        self.timeout_at
    }

    /// Ends the session politely.
    pub(crate) fn close(&mut self, now: Instant, send: &mut impl FnMut(&[u8])) {
        if self.connected && self.dtls.close().is_ok() {
            self.poll(now, send);
        }
        self.timeout_at = None;
    }

    /// Advances time and writes what is to be sent through `send`.
    pub(crate) fn poll(&mut self, now: Instant, send: &mut impl FnMut(&[u8])) -> Option<DtlsEvent> {
        if let Err(error) = self.dtls.handle_timeout(now) {
            self.timeout_at = None;
            return Some(DtlsEvent::Failed(error.to_string()));
        }
        let mut buffer = [0; MAX_DATAGRAM];
        let (mut closed, mut completed) = (false, false);
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(bytes) => send(bytes),
                Output::PeerCert(der) => {
                    let ours = dimpl::certificate::calculate_fingerprint(der);
                    let text = dimpl::certificate::format_fingerprint(&ours);
                    self.verified = self.fingerprints.iter().any(|known| known.eq_ignore_ascii_case(&text));
                }
                Output::KeyingMaterial(material, profile) => {
                    self.keys = keys(&material, profile, self.role).map(Box::new);
                }
                Output::Connected => completed = true,
                Output::CloseNotify => closed = true,
                Output::Timeout(at) => {
                    self.timeout_at = Some(at);
                    break;
                }
                Output::ApplicationData(_) => {}
                _ => break,
            }
        }
        if completed && !self.connected {
            self.connected = true;
            return Some(match self.keys.take() {
                _ if !self.verified => DtlsEvent::Failed("the server's certificate is another".to_owned()),
                Some(keys) => DtlsEvent::Connected(keys),
                None => DtlsEvent::Failed("no SRTP profile in common".to_owned()),
            });
        }
        closed.then_some(DtlsEvent::Closed)
    }
}

fn keys(material: &[u8], profile: dimpl::SrtpProfile, role: DtlsRole) -> Option<Keys> {
    let profile = match profile {
        dimpl::SrtpProfile::AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
        dimpl::SrtpProfile::AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
        dimpl::SrtpProfile::AES128_CM_SHA1_80 => SrtpProfile::AesCm128HmacSha1_80,
        _ => return None,
    };
    let (client, server) = split_keying_material(profile, material)?;
    let (ours, theirs) = match role {
        DtlsRole::Client => (client, server),
        DtlsRole::Server => (server, client),
    };
    Some(Keys { profile, ours, theirs })
}
