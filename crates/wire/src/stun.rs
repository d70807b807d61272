//! STUN messages (RFC 8489) with the attributes of ICE (RFC 8445 §16.1): parsed in place, written into the caller's
//! buffer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str;

use aws_lc_rs::hmac;

/// Bytes before the attributes (RFC 8489 §5).
const HEADER_LEN: usize = 20;

/// Fixed second word of every message.
const MAGIC_COOKIE: u32 = 0x2112_A442;

/// What a CRC is exclusive-ored with to become FINGERPRINT (§14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554E;

/// Longest USERNAME in bytes (§14.3).
const MAX_USERNAME: usize = 513;

/// Longest SOFTWARE and error reason in bytes (§14.8, §14.14).
const MAX_TEXT: usize = 763;

/// Bytes of MESSAGE-INTEGRITY's value: an HMAC-SHA1.
const INTEGRITY_LEN: usize = 20;

mod attribute {
    pub(super) const MAPPED_ADDRESS: u16 = 0x0001;
    pub(super) const USERNAME: u16 = 0x0006;
    pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(super) const ERROR_CODE: u16 = 0x0009;
    pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
    pub(super) const REALM: u16 = 0x0014;
    pub(super) const NONCE: u16 = 0x0015;
    pub(super) const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
    pub(super) const PASSWORD_ALGORITHM: u16 = 0x001D;
    pub(super) const USERHASH: u16 = 0x001E;
    pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(super) const PRIORITY: u16 = 0x0024;
    pub(super) const USE_CANDIDATE: u16 = 0x0025;
    pub(super) const SOFTWARE: u16 = 0x8022;
    pub(super) const FINGERPRINT: u16 = 0x8028;
    pub(super) const ICE_CONTROLLED: u16 = 0x8029;
    pub(super) const ICE_CONTROLLING: u16 = 0x802A;

    /// Those below 0x8000 that we understand or may ignore knowingly.
    pub(super) const KNOWN_REQUIRED: [u16; 13] = [
        MAPPED_ADDRESS,
        USERNAME,
        MESSAGE_INTEGRITY,
        ERROR_CODE,
        UNKNOWN_ATTRIBUTES,
        REALM,
        NONCE,
        MESSAGE_INTEGRITY_SHA256,
        PASSWORD_ALGORITHM,
        USERHASH,
        XOR_MAPPED_ADDRESS,
        PRIORITY,
        USE_CANDIDATE,
    ];
}

/// Why bytes are not a STUN message.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StunError {
    /// Shorter than a header, or its length field disagrees with the datagram.
    #[error("the length of a STUN message is wrong")]
    Length,
    /// The first two bits or the magic cookie are not STUN's.
    #[error("not a STUN message")]
    NotStun,
    /// An attribute does not fit the message.
    #[error("an attribute of a STUN message is cut off")]
    Attribute,
    /// FINGERPRINT is wrong or not the last attribute.
    #[error("the FINGERPRINT of a STUN message is wrong")]
    Fingerprint,
}

/// Names a request and its response (§5).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TransactionId(pub [u8; 12]);

/// Request, indication or one of the two responses (§5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Wants a response.
    Request,
    /// Wants none.
    Indication,
    /// All went well.
    Success,
    /// An ERROR-CODE says what did not.
    Error,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Method(u16);

impl Method {
    /// Binding, the only method of ICE (§3).
    pub const BINDING: Self = Self(1);

    /// The 12-bit number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

fn message_type(class: Class, method: Method) -> u16 {
    let class = match class {
        Class::Request => 0x0000,
        Class::Indication => 0x0010,
        Class::Success => 0x0100,
        Class::Error => 0x0110,
    };
    let m = method.0;
    class | (m & 0x000F) | (m & 0x0070) << 1 | (m & 0x0F80) << 2
}

fn split_type(value: u16) -> (Class, Method) {
    let class = match value & 0x0110 {
        0x0000 => Class::Request,
        0x0010 => Class::Indication,
        0x0100 => Class::Success,
        _ => Class::Error,
    };
    (class, Method((value & 0x000F) | (value & 0x00E0) >> 1 | (value & 0x3E00) >> 2))
}

/// The key of MESSAGE-INTEGRITY, prepared once.
pub struct IntegrityKey(hmac::Key);

impl IntegrityKey {
    /// The key of the short-term mechanism, which ICE uses: the password itself (§9.1.1).
    pub fn short_term(password: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()))
    }
}

/// A parsed message; borrows the datagram.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: Method,
    transaction_id: TransactionId,
    /// Where MESSAGE-INTEGRITY begins; what comes after it is not protected and not looked at.
    integrity_at: Option<usize>,
    has_fingerprint: bool,
}

impl<'a> Message<'a> {
    /// Parses one datagram. The whole of it must be the message.
    ///
    /// # Errors
    /// When lengths, magic cookie, attribute bounds or FINGERPRINT are wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StunError> {
        let (header, body) = bytes.split_at_checked(HEADER_LEN).ok_or(StunError::Length)?;
        let word = |at| read_u16(header, at).ok_or(StunError::Length);
        let (kind, length) = (word(0)?, usize::from(word(2)?));
        if kind & 0xC000 != 0 || header.get(4..8) != Some(&MAGIC_COOKIE.to_be_bytes()) {
            return Err(StunError::NotStun);
        }
        if length != body.len() || length % 4 != 0 {
            return Err(StunError::Length);
        }
        let id = header.get(8..20).and_then(|id| id.try_into().ok()).ok_or(StunError::Length)?;
        let (class, method) = split_type(kind);
        let mut message = Self {
            bytes,
            class,
            method,
            transaction_id: TransactionId(id),
            integrity_at: None,
            has_fingerprint: false,
        };
        message.scan()?;
        Ok(message)
    }

    /// Walks all attributes once, to know their bounds and where the protected ones end.
    fn scan(&mut self) -> Result<(), StunError> {
        let mut at = HEADER_LEN;
        while at < self.bytes.len() {
            let (kind, value, next) = attribute_at(self.bytes, at).ok_or(StunError::Attribute)?;
            if self.has_fingerprint {
                return Err(StunError::Fingerprint);
            }
            if kind == attribute::MESSAGE_INTEGRITY && self.integrity_at.is_none() {
                if value.len() != INTEGRITY_LEN {
                    return Err(StunError::Attribute);
                }
                self.integrity_at = Some(at);
            }
            if kind == attribute::FINGERPRINT {
                let before = self.bytes.get(..at).unwrap_or_default();
                let crc = crc32(before) ^ FINGERPRINT_XOR;
                if value != crc.to_be_bytes() {
                    return Err(StunError::Fingerprint);
                }
                self.has_fingerprint = true;
            }
            at = next;
        }
        Ok(())
    }

    /// Attributes that count: those before MESSAGE-INTEGRITY, or all where there is none (§14.5).
    fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        let end = self.integrity_at.unwrap_or(bytes.len());
        let mut at = HEADER_LEN;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let (kind, value, next) = attribute_at(bytes, at)?;
            at = next;
            Some((kind, value))
        })
    }

    fn find(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|(other, _)| *other == kind).map(|(_, value)| value)
    }

    /// Request, indication or response.
    pub fn class(&self) -> Class {
        self.class
    }

    /// What it is about.
    pub fn method(&self) -> Method {
        self.method
    }

    /// Names the transaction.
    pub fn transaction_id(&self) -> TransactionId {
        self.transaction_id
    }

    /// USERNAME: in ICE the receiver's ufrag, a colon, the sender's ufrag.
    pub fn username(&self) -> Option<&'a str> {
        let value = self.find(attribute::USERNAME)?;
        if value.len() > MAX_USERNAME { None } else { str::from_utf8(value).ok() }
    }

    /// PRIORITY of the candidate that a response would make known (RFC 8445 §7.1.1).
    pub fn priority(&self) -> Option<u32> {
        self.find(attribute::PRIORITY).and_then(read_exact_u32)
    }

    /// USE-CANDIDATE: the controlling side nominates this pair (RFC 8445 §7.1.2).
    pub fn use_candidate(&self) -> bool {
        self.find(attribute::USE_CANDIDATE).is_some()
    }

    /// The tie-breaker of a sender that believes itself controlled.
    pub fn ice_controlled(&self) -> Option<u64> {
        self.find(attribute::ICE_CONTROLLED).and_then(|v| v.try_into().ok()).map(u64::from_be_bytes)
    }

    /// The tie-breaker of a sender that believes itself controlling.
    pub fn ice_controlling(&self) -> Option<u64> {
        self.find(attribute::ICE_CONTROLLING).and_then(|v| v.try_into().ok()).map(u64::from_be_bytes)
    }

    /// XOR-MAPPED-ADDRESS: where the request came from (§14.2).
    pub fn xor_mapped_address(&self) -> Option<SocketAddr> {
        let value = self.find(attribute::XOR_MAPPED_ADDRESS)?;
        let mask = xor_mask(self.transaction_id);
        let port = read_u16(value, 2)? ^ (MAGIC_COOKIE >> 16) as u16;
        let address = value.get(4..)?;
        match (value.get(1)?, address.len()) {
            (1, 4) => {
                let bits = read_exact_u32(address)? ^ MAGIC_COOKIE;
                Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::from_bits(bits)), port))
            }
            (2, 16) => {
                let bits = u128::from_be_bytes(address.try_into().ok()?) ^ mask;
                Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from_bits(bits)), port))
            }
            _ => None,
        }
    }

    /// ERROR-CODE: number and reason (§14.8).
    pub fn error_code(&self) -> Option<(u16, &'a str)> {
        let value = self.find(attribute::ERROR_CODE)?;
        let (class, number) = (value.get(2)? & 0x07, value.get(3)?);
        let reason = value.get(4..).filter(|reason| reason.len() <= MAX_TEXT)?;
        Some((u16::from(class) * 100 + u16::from(*number), str::from_utf8(reason).unwrap_or_default()))
    }

    /// UNKNOWN-ATTRIBUTES of a 420 response (§14.9).
    pub fn unknown_attributes(&self) -> impl Iterator<Item = u16> + use<'a> {
        let value = self.find(attribute::UNKNOWN_ATTRIBUTES).unwrap_or_default();
        value.chunks_exact(2).filter_map(|pair| read_u16(pair, 0))
    }

    /// SOFTWARE: what the sender calls itself.
    pub fn software(&self) -> Option<&'a str> {
        let value = self.find(attribute::SOFTWARE)?;
        if value.len() > MAX_TEXT { None } else { str::from_utf8(value).ok() }
    }

    /// Attributes that we do not know and must not ignore (§15): a request with one is answered by 420.
    pub fn unknown_comprehension_required(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.attributes()
            .map(|(kind, _)| kind)
            .filter(|kind| *kind < 0x8000 && !attribute::KNOWN_REQUIRED.contains(kind))
    }

    /// Whether a FINGERPRINT is there; if so, it is right.
    pub fn has_fingerprint(&self) -> bool {
        self.has_fingerprint
    }

    /// Whether a MESSAGE-INTEGRITY is there; whether it is right, [`Message::verify_integrity`] tells.
    pub fn has_integrity(&self) -> bool {
        self.integrity_at.is_some()
    }

    /// Whether MESSAGE-INTEGRITY is there and made with `key`; compares in constant time (§14.5).
    pub fn verify_integrity(&self, key: &IntegrityKey) -> bool {
        let Some(at) = self.integrity_at else { return false };
        let value = attribute_at(self.bytes, at).map(|(_, value, _)| value);
        let (Some(value), Some(first), Some(rest)) = (value, self.bytes.get(..2), self.bytes.get(4..at)) else {
            return false;
        };
        // The length counts the attributes up to and including MESSAGE-INTEGRITY.
        let Some(length) = integrity_length(at) else { return false };
        let mut context = hmac::Context::with_key(&key.0);
        context.update(first);
        context.update(&length.to_be_bytes());
        context.update(rest);
        aws_lc_rs::constant_time::verify_slices_are_equal(context.sign().as_ref(), value).is_ok()
    }
}

fn integrity_length(at: usize) -> Option<u16> {
    u16::try_from(at + 4 + INTEGRITY_LEN - HEADER_LEN).ok()
}

fn read_u16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|pair| u16::from_be_bytes(*pair))
}

fn read_exact_u32(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

/// Type and value of the attribute at `at`, and where the next one begins.
fn attribute_at(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let kind = read_u16(bytes, at)?;
    let len = usize::from(read_u16(bytes, at + 2)?);
    let value = bytes.get(at + 4..at + 4 + len)?;
    let next = at + 4 + len.next_multiple_of(4);
    (next <= bytes.len()).then_some((kind, value, next))
}

/// What an address is exclusive-ored with: the cookie, and for IPv6 the transaction id (§14.2).
fn xor_mask(id: TransactionId) -> u128 {
    let mut mask = [0; 16];
    let (cookie, rest) = mask.split_at_mut(4);
    cookie.copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    rest.copy_from_slice(&id.0);
    u128::from_be_bytes(mask)
}

/// Writes one message at the end of a buffer.
pub struct Builder<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    id: TransactionId,
}

impl<'a> Builder<'a> {
    /// Appends the header.
    pub fn new(out: &'a mut Vec<u8>, class: Class, method: Method, id: TransactionId) -> Self {
        let start = out.len();
        out.extend_from_slice(&message_type(class, method).to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        out.extend_from_slice(&id.0);
        Self { out, start, id }
    }

    fn attribute(self, kind: u16, parts: &[&[u8]]) -> Self {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let Ok(short) = u16::try_from(len) else { return self };
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out.extend_from_slice(&short.to_be_bytes());
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
        self.out.resize(self.out.len() + len.next_multiple_of(4) - len, 0);
        self
    }

    /// USERNAME, cut to the longest allowed.
    pub fn username(self, name: &str) -> Self {
        let name = name.as_bytes();
        self.attribute(attribute::USERNAME, &[name.get(..MAX_USERNAME).unwrap_or(name)])
    }

    /// PRIORITY.
    pub fn priority(self, priority: u32) -> Self {
        self.attribute(attribute::PRIORITY, &[&priority.to_be_bytes()])
    }

    /// USE-CANDIDATE.
    pub fn use_candidate(self) -> Self {
        self.attribute(attribute::USE_CANDIDATE, &[])
    }

    /// ICE-CONTROLLED with its tie-breaker.
    pub fn ice_controlled(self, tie_breaker: u64) -> Self {
        self.attribute(attribute::ICE_CONTROLLED, &[&tie_breaker.to_be_bytes()])
    }

    /// ICE-CONTROLLING with its tie-breaker.
    pub fn ice_controlling(self, tie_breaker: u64) -> Self {
        self.attribute(attribute::ICE_CONTROLLING, &[&tie_breaker.to_be_bytes()])
    }

    /// XOR-MAPPED-ADDRESS.
    pub fn xor_mapped_address(self, address: SocketAddr) -> Self {
        let port = (address.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes();
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let ip = (ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes();
                self.attribute(attribute::XOR_MAPPED_ADDRESS, &[&[0, 1], &port, &ip])
            }
            IpAddr::V6(ip) => {
                let ip = (ip.to_bits() ^ xor_mask(self.id)).to_be_bytes();
                self.attribute(attribute::XOR_MAPPED_ADDRESS, &[&[0, 2], &port, &ip])
            }
        }
    }

    /// ERROR-CODE: 300 to 699 and a reason.
    pub fn error_code(self, code: u16, reason: &str) -> Self {
        let number = [0, 0, (code / 100) as u8 & 0x07, (code % 100) as u8];
        self.attribute(attribute::ERROR_CODE, &[&number, reason.as_bytes()])
    }

    /// UNKNOWN-ATTRIBUTES of a 420 response.
    pub fn unknown_attributes(self, kinds: &[u16]) -> Self {
        let len = kinds.len().min(64) as u16 * 2;
        self.out.extend_from_slice(&attribute::UNKNOWN_ATTRIBUTES.to_be_bytes());
        self.out.extend_from_slice(&len.to_be_bytes());
        kinds.iter().take(64).for_each(|kind| self.out.extend_from_slice(&kind.to_be_bytes()));
        self.out.resize(self.out.len() + usize::from(len).next_multiple_of(4) - usize::from(len), 0);
        self
    }

    /// SOFTWARE.
    pub fn software(self, name: &str) -> Self {
        self.attribute(attribute::SOFTWARE, &[name.as_bytes()])
    }

    /// An attribute that has no method of its own.
    pub fn other(self, kind: u16, value: &[u8]) -> Self {
        self.attribute(kind, &[value])
    }

    /// Ends the message: MESSAGE-INTEGRITY where a key is given, FINGERPRINT always.
    pub fn finish(mut self, key: Option<&IntegrityKey>) {
        if let Some(key) = key {
            self.set_length(4 + INTEGRITY_LEN);
            let message = self.out.get(self.start..).unwrap_or_default();
            let tag = hmac::sign(&key.0, message);
            self = self.attribute(attribute::MESSAGE_INTEGRITY, &[tag.as_ref()]);
        }
        self.set_length(8);
        let crc = crc32(self.out.get(self.start..).unwrap_or_default()) ^ FINGERPRINT_XOR;
        self.attribute(attribute::FINGERPRINT, &[&crc.to_be_bytes()]);
    }

    /// Sets the length field to what is written and `more` bytes to come.
    fn set_length(&mut self, more: usize) {
        let length = (self.out.len() + more).saturating_sub(self.start + HEADER_LEN) as u16;
        if let Some(field) = self.out.get_mut(self.start + 2..self.start + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// CRC-32 of ITU-T V.42, as FINGERPRINT wants it (§14.7).
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = crc_table();
    let mut crc = u32::MAX;
    for byte in bytes {
        let entry = TABLE.get(((crc ^ u32::from(*byte)) & 0xFF) as usize).copied().unwrap_or_default();
        crc = crc >> 8 ^ entry;
    }
    !crc
}

#[allow(clippy::indexing_slicing, reason = "evaluated at compile time, where `get` cannot be called")]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { value >> 1 ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}
