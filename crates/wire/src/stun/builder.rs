//! Writing a message at the end of a buffer.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;

use super::fingerprint::fingerprint;
use super::{
    ATTRIBUTE_HEADER_LEN, Class, FINGERPRINT_LEN, HEADER_LEN, INTEGRITY_LEN, IntegrityKey, MAGIC_COOKIE, MAX_TEXT_LEN,
    MAX_UNKNOWN_ATTRIBUTES, MAX_USERNAME_LEN, Method, PORT_MASK, TransactionId, address_mask, attribute, join_type,
};

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
        out.extend_from_slice(&join_type(class, method).to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        out.extend_from_slice(&id.0);
        Self { out, start, id }
    }

    /// Appends an attribute whose value is these parts, and its padding. Every caller keeps the value short.
    fn attribute(self, kind: u16, parts: &[&[u8]]) -> Self {
        let begin = self.out.len();
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out.extend_from_slice(&[0, 0]);
        parts.iter().for_each(|part| self.out.extend_from_slice(part));
        self.end_attribute(begin)
    }

    /// Sets the length of the attribute that begins at `begin` and ends the buffer, and pads it.
    fn end_attribute(self, begin: usize) -> Self {
        let len = self.out.len() - begin - ATTRIBUTE_HEADER_LEN;
        debug_assert!(len <= MAX_TEXT_LEN + 4, "every value has a limit");
        if let Some(field) = self.out.get_mut(begin + 2..begin + ATTRIBUTE_HEADER_LEN) {
            field.copy_from_slice(&(len as u16).to_be_bytes());
        }
        self.out.resize(begin + ATTRIBUTE_HEADER_LEN + len.next_multiple_of(4), 0);
        self
    }

    /// USERNAME, cut to [`MAX_USERNAME_LEN`].
    pub fn username(self, name: &str) -> Self {
        self.attribute(attribute::USERNAME, &[cut(name, MAX_USERNAME_LEN)])
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

    /// XOR-MAPPED-ADDRESS. An IPv4 address in IPv6 clothes, as a socket for both gives it, is written as IPv4.
    pub fn xor_mapped_address(self, address: SocketAddr) -> Self {
        let port = (address.port() ^ PORT_MASK).to_be_bytes();
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let ip = (ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes();
                self.attribute(attribute::XOR_MAPPED_ADDRESS, &[&[0, 1], &port, &ip])
            }
            IpAddr::V6(ip) => {
                let ip = (ip.to_bits() ^ address_mask(self.id)).to_be_bytes();
                self.attribute(attribute::XOR_MAPPED_ADDRESS, &[&[0, 2], &port, &ip])
            }
        }
    }

    /// ERROR-CODE: a number from 300 to 699 and a reason, cut to [`MAX_TEXT_LEN`].
    pub fn error_code(self, code: u16, reason: &str) -> Self {
        debug_assert!((300..700).contains(&code), "RFC 8489 §14.8");
        let number = [0, 0, (code / 100 % 8) as u8, (code % 100) as u8];
        self.attribute(attribute::ERROR_CODE, &[&number, cut(reason, MAX_TEXT_LEN)])
    }

    /// UNKNOWN-ATTRIBUTES of a 420 response; the first [`MAX_UNKNOWN_ATTRIBUTES`] are written.
    pub fn unknown_attributes(self, kinds: &[u16]) -> Self {
        let begin = self.out.len();
        self.out.extend_from_slice(&attribute::UNKNOWN_ATTRIBUTES.to_be_bytes());
        self.out.extend_from_slice(&[0, 0]);
        let kinds = kinds.iter().take(MAX_UNKNOWN_ATTRIBUTES);
        kinds.for_each(|kind| self.out.extend_from_slice(&kind.to_be_bytes()));
        self.end_attribute(begin)
    }

    /// SOFTWARE, cut to [`MAX_TEXT_LEN`].
    pub fn software(self, name: &str) -> Self {
        self.attribute(attribute::SOFTWARE, &[cut(name, MAX_TEXT_LEN)])
    }

    /// An attribute that has no method of its own, cut to [`MAX_TEXT_LEN`].
    pub fn other(self, kind: u16, value: &[u8]) -> Self {
        self.attribute(kind, &[value.get(..MAX_TEXT_LEN).unwrap_or(value)])
    }

    /// Ends the message: MESSAGE-INTEGRITY where a key is given, FINGERPRINT always.
    pub fn finish(mut self, key: Option<&IntegrityKey>) {
        if let Some(key) = key {
            self.set_length(ATTRIBUTE_HEADER_LEN + INTEGRITY_LEN);
            let tag = hmac::sign(&key.0, self.written());
            self = self.attribute(attribute::MESSAGE_INTEGRITY, &[tag.as_ref()]);
        }
        self.set_length(ATTRIBUTE_HEADER_LEN + FINGERPRINT_LEN);
        let value = fingerprint(self.written());
        self.attribute(attribute::FINGERPRINT, &[&value]);
    }

    fn written(&self) -> &[u8] {
        self.out.get(self.start..).unwrap_or_default()
    }

    /// Sets the length field to what is written and `more` bytes to come.
    fn set_length(&mut self, more: usize) {
        let length = self.out.len() - self.start - HEADER_LEN + more;
        debug_assert!(length <= usize::from(u16::MAX), "every value has a limit");
        if let Some(field) = self.out.get_mut(self.start + 2..self.start + 4) {
            field.copy_from_slice(&(length as u16).to_be_bytes());
        }
    }
}

/// The beginning of a text, at most `max` bytes, cut between characters.
fn cut(text: &str, max: usize) -> &[u8] {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default().as_bytes()
}
