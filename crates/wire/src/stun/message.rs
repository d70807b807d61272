//! Reading a message where it lies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str;

use aws_lc_rs::{constant_time, hmac};

use super::fingerprint::fingerprint;
use super::{
    ATTRIBUTE_HEADER_LEN, Class, HEADER_LEN, INTEGRITY_LEN, IntegrityKey, MAGIC_COOKIE, MAX_TEXT_LEN, MAX_USERNAME_LEN,
    Method, PORT_MASK, StunError, TransactionId, address_mask, attribute, split_type,
};

/// A parsed message; borrows the datagram.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    class: Class,
    method: Method,
    transaction_id: TransactionId,
    /// Where the attributes that count end: at MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256, whichever comes first,
    /// or at the message's end. Nothing vouches for what comes after (RFC 8489 §14.5, §14.6).
    end: usize,
    has_integrity: bool,
    has_fingerprint: bool,
}

impl<'a> Message<'a> {
    /// Parses one datagram. The whole of it must be the message.
    ///
    /// # Errors
    /// When lengths, magic cookie, attribute bounds or FINGERPRINT are wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StunError> {
        let header: &[u8; HEADER_LEN] = bytes.first_chunk().ok_or(StunError::Length)?;
        let &[t0, t1, l0, l1, c0, c1, c2, c3, ref id @ ..] = header;
        let kind = u16::from_be_bytes([t0, t1]);
        if kind & 0xC000 != 0 || u32::from_be_bytes([c0, c1, c2, c3]) != MAGIC_COOKIE {
            return Err(StunError::NotStun);
        }
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if length != bytes.len() - HEADER_LEN || !length.is_multiple_of(4) {
            return Err(StunError::Length);
        }
        let (class, method) = split_type(kind);
        let mut message = Self {
            bytes,
            class,
            method,
            transaction_id: TransactionId(*id),
            end: bytes.len(),
            has_integrity: false,
            has_fingerprint: false,
        };
        message.scan()?;
        Ok(message)
    }

    /// Walks all attributes once, to know their bounds and where those that count end.
    fn scan(&mut self) -> Result<(), StunError> {
        let mut at = HEADER_LEN;
        while at < self.bytes.len() {
            let (kind, value, next) = attribute_at(self.bytes, at).ok_or(StunError::Attribute)?;
            if self.has_fingerprint {
                return Err(StunError::Fingerprint);
            }
            let is_first_integrity = self.end == self.bytes.len();
            match kind {
                attribute::MESSAGE_INTEGRITY if is_first_integrity => {
                    if value.len() != INTEGRITY_LEN {
                        return Err(StunError::Attribute);
                    }
                    self.has_integrity = true;
                    self.end = at;
                }
                attribute::MESSAGE_INTEGRITY_SHA256 if is_first_integrity => self.end = at,
                attribute::FINGERPRINT => {
                    if value != fingerprint(self.bytes.get(..at).unwrap_or_default()) {
                        return Err(StunError::Fingerprint);
                    }
                    self.has_fingerprint = true;
                }
                _ => {}
            }
            at = next;
        }
        Ok(())
    }

    fn attributes(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let (bytes, end) = (self.bytes, self.end);
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

    /// The first attribute of a kind; later ones may be ignored (RFC 8489 §14).
    fn find(&self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|(other, _)| *other == kind).map(|(_, value)| value)
    }

    fn text(&self, kind: u16, max: usize) -> Option<&'a str> {
        let value = self.find(kind)?;
        if value.len() > max { None } else { str::from_utf8(value).ok() }
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

    /// USERNAME, of at most [`MAX_USERNAME_LEN`] bytes: in ICE the receiver's ufrag, a colon, the sender's ufrag.
    pub fn username(&self) -> Option<&'a str> {
        self.text(attribute::USERNAME, MAX_USERNAME_LEN)
    }

    /// PRIORITY of the candidate that a response would make known (RFC 8445 §7.1.1).
    pub fn priority(&self) -> Option<u32> {
        self.find(attribute::PRIORITY)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// USE-CANDIDATE: the controlling side nominates this pair (RFC 8445 §7.1.2).
    pub fn use_candidate(&self) -> bool {
        self.find(attribute::USE_CANDIDATE).is_some()
    }

    /// The tie-breaker of a sender that believes itself controlled.
    pub fn ice_controlled(&self) -> Option<u64> {
        self.find(attribute::ICE_CONTROLLED)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// The tie-breaker of a sender that believes itself controlling.
    pub fn ice_controlling(&self) -> Option<u64> {
        self.find(attribute::ICE_CONTROLLING)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// XOR-MAPPED-ADDRESS: where the request came from (RFC 8489 §14.2).
    pub fn xor_mapped_address(&self) -> Option<SocketAddr> {
        let (&[_, family, p0, p1], address) = self.find(attribute::XOR_MAPPED_ADDRESS)?.split_first_chunk()?;
        let ip = match family {
            1 => {
                let bits = u32::from_be_bytes(address.try_into().ok()?);
                IpAddr::V4(Ipv4Addr::from_bits(bits ^ MAGIC_COOKIE))
            }
            2 => {
                let bits = u128::from_be_bytes(address.try_into().ok()?);
                IpAddr::V6(Ipv6Addr::from_bits(bits ^ address_mask(self.transaction_id)))
            }
            _ => return None,
        };
        Some(SocketAddr::new(ip, u16::from_be_bytes([p0, p1]) ^ PORT_MASK))
    }

    /// ERROR-CODE: a number from 300 to 699 and a reason (RFC 8489 §14.8). A reason that is too long or no text is
    /// given as empty: the number is what counts.
    pub fn error_code(&self) -> Option<(u16, &'a str)> {
        let (&[_, _, class, number], reason) = self.find(attribute::ERROR_CODE)?.split_first_chunk()?;
        let class = class & 0x07;
        if !(3..=6).contains(&class) || number > 99 {
            return None;
        }
        let reason = if reason.len() > MAX_TEXT_LEN { "" } else { str::from_utf8(reason).unwrap_or_default() };
        Some((u16::from(class) * 100 + u16::from(number), reason))
    }

    /// UNKNOWN-ATTRIBUTES of a 420 response (RFC 8489 §14.9).
    pub fn unknown_attributes(&self) -> impl Iterator<Item = u16> + use<'a> {
        let value = self.find(attribute::UNKNOWN_ATTRIBUTES).unwrap_or_default();
        value.as_chunks().0.iter().map(|kind| u16::from_be_bytes(*kind))
    }

    /// SOFTWARE, of at most [`MAX_TEXT_LEN`] bytes: what the sender calls itself.
    pub fn software(&self) -> Option<&'a str> {
        self.text(attribute::SOFTWARE, MAX_TEXT_LEN)
    }

    /// Attributes that we do not know and must not ignore (RFC 8489 §6.3.1): a request with one is answered by 420.
    pub fn unknown_comprehension_required(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.attributes().map(|(kind, _)| kind).filter(|kind| attribute::is_unknown_and_required(*kind))
    }

    /// Whether a FINGERPRINT is there; if so, it is right.
    pub fn has_fingerprint(&self) -> bool {
        self.has_fingerprint
    }

    /// Whether a MESSAGE-INTEGRITY is there; whether it is right, [`Message::verify_integrity`] tells.
    pub fn has_integrity(&self) -> bool {
        self.has_integrity
    }

    /// Whether MESSAGE-INTEGRITY is there and made with `key`; compares in constant time (RFC 8489 §14.5).
    pub fn verify_integrity(&self, key: &IntegrityKey) -> bool {
        if !self.has_integrity {
            return false;
        }
        let Some((_, value, after)) = attribute_at(self.bytes, self.end) else { return false };
        let (Some(kind), Some(rest)) = (self.bytes.get(..2), self.bytes.get(4..self.end)) else { return false };
        // The length that was signed ends with MESSAGE-INTEGRITY, whatever follows.
        let Ok(length) = u16::try_from(after - HEADER_LEN) else { return false };
        let mut context = hmac::Context::with_key(&key.0);
        context.update(kind);
        context.update(&length.to_be_bytes());
        context.update(rest);
        constant_time::verify_slices_are_equal(context.sign().as_ref(), value).is_ok()
    }
}

/// Type and value of the attribute at `at`, and where the next one begins.
fn attribute_at(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let (&[k0, k1, l0, l1], rest) = bytes.get(at..)?.split_first_chunk()?;
    let len = usize::from(u16::from_be_bytes([l0, l1]));
    let padded = len.next_multiple_of(4);
    let value = rest.get(..padded)?.get(..len)?;
    Some((u16::from_be_bytes([k0, k1]), value, at + ATTRIBUTE_HEADER_LEN + padded))
}
