//! What the two ends of a transport tell each other before they connect: ICE and DTLS.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::lenient::null_is_default;

/// Credentials of one end (RFC 8445 §5.3).
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IceParameters {
    /// Username fragment.
    pub username_fragment: String,
    /// Password; `Debug` leaves it out.
    pub password: String,
    /// Whether this end only answers checks (RFC 8445 §2.5).
    #[serde(default, deserialize_with = "null_is_default")]
    pub ice_lite: bool,
}

impl fmt::Debug for IceParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceParameters")
            .field("username_fragment", &self.username_fragment)
            .field("ice_lite", &self.ice_lite)
            .finish_non_exhaustive()
    }
}

/// An address where this end listens.
///
/// Written with both `ip` and `address`: clients before 3.8 read the first, newer ones the second.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// Equal for candidates of the same type, base and protocol (RFC 8445 §5.1.1.3).
    pub foundation: String,
    /// Larger is better (RFC 8445 §5.1.2).
    pub priority: u32,
    /// IP address or host name; the older name of `address`.
    pub ip: String,
    /// IP address or host name.
    #[serde(default, deserialize_with = "null_is_default")]
    pub address: String,
    /// UDP or TCP.
    pub protocol: IceProtocol,
    /// Port.
    pub port: u16,
    /// How the address came to be.
    #[serde(rename = "type")]
    pub candidate_type: IceCandidateType,
    /// Who opens a TCP connection (RFC 6544).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp_type: Option<TcpCandidateType>,
}

/// Transport protocol of a candidate.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IceProtocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// How a candidate's address came to be (RFC 8445 §4).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IceCandidateType {
    /// An address of the machine.
    Host,
    /// Seen by a STUN server.
    Srflx,
    /// Seen by the peer.
    Prflx,
    /// On a TURN server.
    Relay,
}

/// Who opens the connection of a TCP candidate (RFC 6544 §4.5).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TcpCandidateType {
    /// This end.
    Active,
    /// The other end.
    Passive,
    /// Both at once.
    So,
}

/// How to recognise this end in the DTLS handshake.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DtlsParameters {
    /// Who begins.
    #[serde(default, deserialize_with = "null_is_default")]
    pub role: DtlsRole,
    /// Hashes of the certificate, any of which is proof.
    pub fingerprints: Vec<DtlsFingerprint>,
}

/// Who begins the DTLS handshake: the client does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DtlsRole {
    /// Either.
    #[default]
    Auto,
    /// This end begins.
    Client,
    /// The other end begins.
    Server,
}

/// Hash of a certificate (RFC 8122 §5).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DtlsFingerprint {
    /// The hash function.
    pub algorithm: FingerprintAlgorithm,
    /// The hash as pairs of hexadecimal digits between colons; either case.
    pub value: String,
}

/// Hash function of a fingerprint.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum FingerprintAlgorithm {
    /// SHA-1, 20 bytes.
    #[serde(rename = "sha-1", alias = "SHA-1")]
    Sha1,
    /// SHA-224, 28 bytes.
    #[serde(rename = "sha-224", alias = "SHA-224")]
    Sha224,
    /// SHA-256, 32 bytes.
    #[serde(rename = "sha-256", alias = "SHA-256")]
    Sha256,
    /// SHA-384, 48 bytes.
    #[serde(rename = "sha-384", alias = "SHA-384")]
    Sha384,
    /// SHA-512, 64 bytes.
    #[serde(rename = "sha-512", alias = "SHA-512")]
    Sha512,
}

impl FingerprintAlgorithm {
    /// Every algorithm, weakest first.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name, as in JSON and SDP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha224 => "sha-224",
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Length of the hash in bytes.
    pub const fn hash_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for FingerprintAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl DtlsFingerprint {
    /// The fingerprint of a certificate's hash, in upper case as SDP writes it.
    pub fn from_hash(algorithm: FingerprintAlgorithm, hash: &[u8]) -> Self {
        let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        Self { algorithm, value: pairs.join(":") }
    }

    /// The hash as bytes; `None` when it is not hexadecimal or has another length than its algorithm's.
    pub fn hash(&self) -> Option<Vec<u8>> {
        let hash = self.value.split(':').map(hex_pair).collect::<Option<Vec<u8>>>()?;
        (hash.len() == self.algorithm.hash_len()).then_some(hash)
    }
}

fn hex_pair(pair: &str) -> Option<u8> {
    if pair.len() != 2 || !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(pair, 16).ok()
}
