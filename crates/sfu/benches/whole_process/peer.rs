//! The least that counts as a browser: one check, one handshake, the keys.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, Output};
use sfu::{DtlsFingerprint, DtlsParameters, DtlsRole, FingerprintAlgorithm, WebRtcTransport};
use wire::srtp::{MasterKey, SrtpProfile, SrtpSender, split_keying_material};
use wire::stun::{Builder, Class, IntegrityKey, Method, TransactionId};

/// A connected peer; nobody reads its socket any more.
pub(crate) struct Peer {
    pub(crate) socket: UdpSocket,
    key: MasterKey,
}

impl Peer {
    pub(crate) async fn connect(transport: &WebRtcTransport) -> Result<Self, Box<dyn std::error::Error>> {
        let certificate = dimpl::certificate::generate_self_signed_certificate().map_err(|e| e.to_string())?;
        let fingerprint = DtlsFingerprint {
            algorithm: FingerprintAlgorithm::Sha256,
            value: dimpl::certificate::format_fingerprint(&certificate.fingerprint()),
        };
        let parameters = DtlsParameters { role: DtlsRole::Client, fingerprints: vec![fingerprint] };
        transport.connect(parameters).await?;
        let candidate = transport.ice_candidates().first().ok_or("no candidate")?;
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(SocketAddr::new(candidate.address.parse()?, candidate.port))?;
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        let ice = transport.ice_parameters();
        check(&socket, &ice.username_fragment, &ice.password)?;
        let mut dtls = Dtls::new_12(Arc::new(Config::builder().build()?), certificate, Instant::now());
        dtls.set_active(true);
        let key = handshake(&socket, &mut dtls)?;
        Ok(Self { socket, key })
    }

    pub(crate) fn sender(&self) -> SrtpSender {
        SrtpSender::new(SrtpProfile::AeadAes256Gcm, &self.key).expect("the key fits the profile")
    }
}

fn check(socket: &UdpSocket, ufrag: &str, password: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut request = Vec::new();
    Builder::new(&mut request, Class::Request, Method::BINDING, TransactionId([7; 12]))
        .username(&format!("{ufrag}:bench"))
        .priority(1)
        .ice_controlling(1)
        .use_candidate()
        .finish(Some(&IntegrityKey::short_term(password)));
    socket.send(&request)?;
    let mut answer = [0; 1500];
    socket.recv(&mut answer)?;
    Ok(())
}

fn handshake(socket: &UdpSocket, dtls: &mut Dtls) -> Result<MasterKey, Box<dyn std::error::Error>> {
    let mut buffer = [0; 2048];
    let mut keys = None;
    let mut connected = false;
    let started = Instant::now();
    dtls.handle_timeout(started)?;
    while !connected || keys.is_none() {
        if started.elapsed() > Duration::from_secs(10) {
            return Err("no handshake within 10 s".into());
        }
        loop {
            match dtls.poll_output(&mut buffer) {
                Output::Packet(bytes) => drop(socket.send(bytes)?),
                Output::KeyingMaterial(material, profile) => {
                    if profile != dimpl::SrtpProfile::AEAD_AES_256_GCM {
                        return Err(format!("negotiated {profile}").into());
                    }
                    keys = split_keying_material(SrtpProfile::AeadAes256Gcm, &material).map(|(client, _)| client);
                }
                Output::Connected => connected = true,
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        if connected && keys.is_some() {
            break;
        }
        let mut datagram = [0; 2048];
        match socket.recv(&mut datagram) {
            // STUN's first byte is 0 or 1; only DTLS is for the session.
            Ok(len) if datagram[0] >= 20 => dtls.handle_packet(&datagram[..len])?,
            _ => {}
        }
        dtls.handle_timeout(Instant::now())?;
    }
    keys.ok_or_else(|| "no keys".into())
}
