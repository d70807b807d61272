//! The DTLS session of one transport: handshake, the peer's identity, and the keys for SRTP (RFC 5764).
//!
//! Records come in only from paths that ICE has validated. A datagram that the session refuses changes
//! nothing: before the peer's first valid flight the session is made anew, later it is counted only.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use dimpl::{Config, Dtls, DtlsCertificate, Output};
use wire::srtp::{SrtpProfile, SrtpReceiver, SrtpSender, split_keying_material};

/// Datagrams kept that arrive before the peer's parameters: the two parts of a ClientHello, twice.
const MAX_EARLY: usize = 4;

/// Sessions made anew after refused datagrams before the transport is given up.
const MAX_RESETS: u8 = 8;

/// Largest datagram that is taken in; longer ones are no handshake of a browser.
const MAX_DATAGRAM: usize = 1500;

/// Room for whatever the session puts out at once: a certificate may be as large as all the datagrams that the
/// session keeps while it is not complete.
const OUTPUT_LEN: usize = 64 * 1024;

/// Time for the whole handshake; several flights may be lost.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(20);

/// First retransmission of a lost flight; libwebrtc uses 50 ms on paths that ICE has measured.
const FLIGHT_RTO: Duration = Duration::from_millis(150);

/// Hash of a certificate fingerprint (RFC 8122 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FingerprintHash {
    /// SHA-1: allowed because old peers offer nothing else.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256: what every browser sends.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl FingerprintHash {
    /// Every hash, weakest first.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The certificate's fingerprint as SDP writes it: upper-case pairs joined by colons.
    pub fn of(self, certificate_der: &[u8]) -> String {
        let algorithm = match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        let mut text = String::new();
        for (index, byte) in digest::digest(algorithm, certificate_der).as_ref().iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(text, "{colon}{byte:02X}").expect("writing to a String cannot fail");
        }
        text
    }
}

/// Who begins the handshake, seen from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    /// The peer sends the ClientHello; browsers do.
    Client,
    /// The peer waits for ours.
    Server,
}

/// What signalling tells of the peer's DTLS side.
#[derive(Clone, Debug)]
pub struct RemoteDtls {
    /// The peer's role.
    pub role: DtlsRole,
    /// Fingerprints of its certificate; one that matches suffices, none at all is refused.
    pub fingerprints: Vec<(FingerprintHash, String)>,
}

/// The keys of a connected transport.
pub(crate) struct SrtpKeys {
    pub(crate) profile: SrtpProfile,
    pub(crate) sender: SrtpSender,
    pub(crate) receiver: SrtpReceiver,
}

/// What the session tells its transport.
pub(crate) enum DtlsEvent {
    /// The handshake is complete and the peer is who signalling says.
    Connected(Box<SrtpKeys>),
    /// The peer's certificate is not the signalled one.
    FingerprintMismatch,
    /// The handshake cannot succeed.
    Failed(String),
    /// The peer ended the session.
    Closed,
}

/// What every session of a worker shares.
#[derive(Clone)]
pub(crate) struct DtlsShared {
    config: Arc<Config>,
    certificate: DtlsCertificate,
}

impl DtlsShared {
    /// `seed` makes what is random in a handshake repeat, but keys and signatures. For simulations only.
    pub(crate) fn new(certificate: DtlsCertificate, seed: Option<u64>) -> Result<Self, dimpl::Error> {
        let mut config = Config::builder()
            .mtu(1200)
            // A path that answered a STUN check with our password needs no cookie.
            .use_server_cookie(false)
            .flight_start_rto(FLIGHT_RTO)
            .flight_retries(7)
            .handshake_timeout(HANDSHAKE_TIMEOUT);
        if let Some(seed) = seed {
            config = config.dangerously_set_rng_seed(seed);
        }
        Ok(Self { config: Arc::new(config.build()?), certificate })
    }

    /// DTLS 1.2, because the library's server side then prefers AES-GCM, whatever the client lists first.
    fn session(&self, now: Instant, we_are_client: bool) -> Dtls {
        let mut dtls = Dtls::new_12(Arc::clone(&self.config), self.certificate.clone(), now);
        if we_are_client {
            dtls.set_active(true);
        }
        dtls
    }
}

/// DTLS of one transport, from creation to close.
pub(crate) struct DtlsSession {
    shared: DtlsShared,
    state: State,
}

enum State {
    /// Signalling has not brought the peer's parameters yet.
    Waiting {
        early: Vec<Vec<u8>>,
    },
    Running(Box<Running>),
    Over,
}

struct Running {
    dtls: Dtls,
    remote: RemoteDtls,
    verified: bool,
    connected: bool,
    resets: u8,
    /// Something was sent, so the peer may have gone on from its ClientHello.
    answered: bool,
    /// The peer said good-bye in the datagram that completed the handshake.
    closed: bool,
    /// The library panicked; the session is not to be touched again.
    broken: bool,
    keys: Option<(Vec<u8>, dimpl::SrtpProfile)>,
    timeout_at: Option<Instant>,
}

impl DtlsSession {
    pub(crate) fn new(shared: DtlsShared) -> Self {
        Self { shared, state: State::Waiting { early: Vec::new() } }
    }

    /// Whether signalling has brought the peer's parameters.
    pub(crate) fn is_started(&self) -> bool {
        !matches!(self.state, State::Waiting { .. })
    }

    /// Starts the handshake; packets come out of [`DtlsSession::poll`].
    pub(crate) fn start(&mut self, now: Instant, remote: RemoteDtls) {
        let State::Waiting { early } = &mut self.state else { return };
        let early = std::mem::take(early);
        let we_are_client = remote.role == DtlsRole::Server;
        self.state = State::Running(Box::new(Running {
            dtls: self.shared.session(now, we_are_client),
            remote,
            verified: false,
            connected: false,
            resets: 0,
            answered: false,
            closed: false,
            broken: false,
            keys: None,
            timeout_at: Some(now),
        }));
        for datagram in early {
            self.receive(now, &datagram);
        }
    }

    /// Takes one datagram in. Returns whether the session accepted it.
    pub(crate) fn receive(&mut self, now: Instant, datagram: &[u8]) -> bool {
        match &mut self.state {
            State::Waiting { early } => {
                if early.len() < MAX_EARLY && datagram.len() <= MAX_DATAGRAM {
                    early.push(datagram.to_vec());
                }
                true
            }
            State::Over => false,
            State::Running(running) => running.receive(now, datagram, &self.shared),
        }
    }

    /// When [`DtlsSession::poll`] must be called next.
    pub(crate) fn timeout_at(&self) -> Option<Instant> {
        match &self.state {
            State::Running(running) => running.timeout_at,
            _ => None,
        }
    }

    /// Advances time and writes what is to be sent through `send`; returns what happened, once each.
    pub(crate) fn poll(&mut self, now: Instant, send: &mut impl FnMut(&[u8])) -> Option<DtlsEvent> {
        let State::Running(running) = &mut self.state else { return None };
        let event = running.poll(now, send);
        if !matches!(event, None | Some(DtlsEvent::Connected(_))) {
            self.state = State::Over;
        }
        event
    }

    /// Says good-bye to a connected peer.
    pub(crate) fn close(&mut self, now: Instant, send: &mut impl FnMut(&[u8])) {
        if let State::Running(running) = &mut self.state
            && running.connected
            && !running.broken
            && running.dtls.close().is_ok()
        {
            running.poll(now, send);
        }
        self.state = State::Over;
    }
}

impl Running {
    fn receive(&mut self, now: Instant, datagram: &[u8], shared: &DtlsShared) -> bool {
        if datagram.len() > MAX_DATAGRAM {
            return false;
        }
        self.timeout_at = Some(now);
        // The session works by the time it was last told.
        let dtls = &mut self.dtls;
        let taken = contained(|| dtls.handle_timeout(now).and_then(|()| dtls.handle_packet(datagram)));
        match taken {
            Some(Ok(())) => return true,
            Some(Err(_)) => {}
            None => self.broken = true,
        }
        let we_are_client = self.remote.role == DtlsRole::Server;
        if !self.answered && !we_are_client && self.resets < MAX_RESETS {
            // A forged or broken ClientHello must not spoil the session for the real one, which the peer sends
            // again. Once it was answered, the peer has gone on and the session has to as well.
            self.resets += 1;
            self.dtls = shared.session(now, false);
            self.keys = None;
            self.broken = false;
        }
        false
    }

    fn poll(&mut self, now: Instant, send: &mut impl FnMut(&[u8])) -> Option<DtlsEvent> {
        if self.broken {
            return Some(DtlsEvent::Failed("the session broke over what the peer sent".to_owned()));
        }
        let completed = match self.drain(now, send) {
            Ok(completed) => completed,
            Err(reason) => return Some(DtlsEvent::Failed(reason)),
        };
        // Judged only now: a certificate that nobody has proven to own says nothing of the peer.
        if completed && !self.connected {
            self.connected = true;
            if self.closed {
                // To be told at the next look, which is at once.
                self.timeout_at = Some(now);
            }
            return Some(self.connect());
        }
        self.closed.then_some(DtlsEvent::Closed)
    }

    /// Takes out all that the session has to say; whether the handshake is complete.
    fn drain(&mut self, now: Instant, send: &mut impl FnMut(&[u8])) -> Result<bool, String> {
        let panicked = || "the session broke over what the peer sent".to_owned();
        let dtls = &mut self.dtls;
        contained(|| dtls.handle_timeout(now)).ok_or_else(panicked)?.map_err(|error| error.to_string())?;
        let mut buffer = [0; OUTPUT_LEN];
        let mut completed = false;
        loop {
            let dtls = &mut self.dtls;
            match contained(|| dtls.poll_output(&mut buffer)).ok_or_else(panicked)? {
                Output::Packet(bytes) => {
                    self.answered = true;
                    send(bytes);
                }
                Output::PeerCert(der) => {
                    let is_signalled =
                        |(hash, value): &(FingerprintHash, String)| hash.of(der).eq_ignore_ascii_case(value);
                    self.verified = self.remote.fingerprints.iter().any(is_signalled);
                }
                Output::KeyingMaterial(material, profile) => self.keys = Some((material.to_vec(), profile)),
                Output::Connected => completed = true,
                Output::CloseNotify => self.closed = true,
                Output::Timeout(at) => {
                    self.timeout_at = Some(at);
                    return Ok(completed);
                }
                // Data channels are not negotiated; what comes in their place is not for us.
                Output::ApplicationData(_) => {}
                _ => return Err("the session puts out what was not expected".to_owned()),
            }
        }
    }

    fn connect(&mut self) -> DtlsEvent {
        if !self.verified {
            return DtlsEvent::FingerprintMismatch;
        }
        let Some((material, profile)) = self.keys.take() else {
            return DtlsEvent::Failed("the peer negotiated no SRTP profile".to_owned());
        };
        let we_are_client = self.remote.role == DtlsRole::Server;
        match srtp_keys(&material, profile, we_are_client) {
            Some(keys) => DtlsEvent::Connected(Box::new(keys)),
            None => DtlsEvent::Failed(format!("SRTP profile {profile} has unusable keys")),
        }
    }
}

/// Runs the library so that a panic of it costs one session and not the worker; `None` after one.
fn contained<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn srtp_keys(material: &[u8], profile: dimpl::SrtpProfile, we_are_client: bool) -> Option<SrtpKeys> {
    let profile = match profile {
        dimpl::SrtpProfile::AEAD_AES_128_GCM => SrtpProfile::AeadAes128Gcm,
        dimpl::SrtpProfile::AEAD_AES_256_GCM => SrtpProfile::AeadAes256Gcm,
        dimpl::SrtpProfile::AES128_CM_SHA1_80 => SrtpProfile::AesCm128HmacSha1_80,
        _ => return None,
    };
    let (client, server) = split_keying_material(profile, material)?;
    let (ours, theirs) = if we_are_client { (client, server) } else { (server, client) };
    Some(SrtpKeys {
        profile,
        sender: SrtpSender::new(profile, &ours).ok()?,
        receiver: SrtpReceiver::new(profile, &theirs).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_the_standards() {
        // "abc" of FIPS 180-4's examples; the beginning of each.
        let cases = [
            (FingerprintHash::Sha1, "A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D", 20),
            (FingerprintHash::Sha224, "23:09:7D:22:34:05:D8:22:86:42:A4:77:BD:A2:55:B3", 28),
            (FingerprintHash::Sha256, "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23", 32),
            (FingerprintHash::Sha384, "CB:00:75:3F:45:A3:5E:8B:B5:A0:3D:69:9A:C6:50:07", 48),
            (FingerprintHash::Sha512, "DD:AF:35:A1:93:61:7A:BA:CC:41:73:49:AE:20:41:31", 64),
        ];
        for (hash, beginning, len) in cases {
            let text = hash.of(b"abc");
            assert!(text.starts_with(beginning), "{hash:?}: {text}");
            assert_eq!(text.len(), 3 * len - 1);
        }
    }

    #[test]
    fn only_so_many_datagrams_wait_for_the_peers_parameters() {
        let certificate = dimpl::certificate::generate_self_signed_certificate().expect("it can be made");
        let shared = DtlsShared::new(certificate, Some(1)).expect("the configuration is right");
        let mut session = DtlsSession::new(shared);
        let now = crate::some_instant();
        for _ in 0..3 * MAX_EARLY {
            assert!(session.receive(now, &[22; 100]));
            assert!(session.receive(now, &[22; MAX_DATAGRAM + 1]));
        }
        let State::Waiting { early } = &session.state else { panic!("nobody told the parameters") };
        assert_eq!(early.len(), MAX_EARLY);
    }
}
