//! STUN messages (RFC 8489) with the attributes of ICE (RFC 8445 §16.1): parsed in place, written into the caller's
//! buffer. Transactions, retransmission and the long-term mechanism are not here.

use std::fmt;

use aws_lc_rs::hmac;

mod attribute;
mod builder;
mod fingerprint;
mod message;
#[cfg(test)]
mod tests;

pub use builder::Builder;
pub use message::Message;

/// Attribute types in one UNKNOWN-ATTRIBUTES; more are not written.
pub const MAX_UNKNOWN_ATTRIBUTES: usize = 64;

/// Longest USERNAME in bytes (RFC 8489 §14.3 asks for fewer than 509, RFC 5389 §15.3 for fewer than 513).
pub const MAX_USERNAME_LEN: usize = 513;

/// Longest SOFTWARE and error reason in bytes (RFC 8489 §14.8, §14.14).
pub const MAX_TEXT_LEN: usize = 763;

/// Bytes before the attributes (RFC 8489 §5).
const HEADER_LEN: usize = 20;

/// Fixed second word of every message.
const MAGIC_COOKIE: u32 = 0x2112_A442;

/// The upper half of the cookie, which ports are exclusive-ored with (RFC 8489 §14.2).
const PORT_MASK: u16 = (MAGIC_COOKIE >> 16) as u16;

/// Bytes of type and length in front of every value.
const ATTRIBUTE_HEADER_LEN: usize = 4;

/// Bytes of MESSAGE-INTEGRITY's value: an HMAC-SHA1.
const INTEGRITY_LEN: usize = 20;

/// Bytes of FINGERPRINT's value: a CRC-32.
const FINGERPRINT_LEN: usize = 4;

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

/// Names a request and its response (RFC 8489 §5).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct TransactionId(pub [u8; 12]);

/// Request, indication or one of the two responses (RFC 8489 §5).
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
    /// Binding, the only method of ICE (RFC 8489 §3).
    pub const BINDING: Self = Self(1);

    /// The 12-bit number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// Class and method are woven into one another: bits 4 and 8 are the class's (RFC 8489 §5, figure 3).
const fn join_type(class: Class, method: Method) -> u16 {
    let class = match class {
        Class::Request => 0x0000,
        Class::Indication => 0x0010,
        Class::Success => 0x0100,
        Class::Error => 0x0110,
    };
    class | (method.0 & 0x000F) | (method.0 & 0x0070) << 1 | (method.0 & 0x0F80) << 2
}

const fn split_type(value: u16) -> (Class, Method) {
    let class = match value & 0x0110 {
        0x0000 => Class::Request,
        0x0010 => Class::Indication,
        0x0100 => Class::Success,
        _ => Class::Error,
    };
    (class, Method((value & 0x000F) | (value & 0x00E0) >> 1 | (value & 0x3E00) >> 2))
}

/// What an address is exclusive-ored with: the cookie, and for IPv6 the transaction id too (RFC 8489 §14.2).
fn address_mask(id: TransactionId) -> u128 {
    let mut mask = [0; 16];
    let (cookie, rest) = mask.split_at_mut(4);
    cookie.copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    rest.copy_from_slice(&id.0);
    u128::from_be_bytes(mask)
}

/// The key of MESSAGE-INTEGRITY, prepared once.
#[derive(Clone)]
pub struct IntegrityKey(hmac::Key);

impl IntegrityKey {
    /// The key of the short-term mechanism, which ICE uses: the password itself (RFC 8489 §9.1.1). A password of ICE
    /// is ASCII, so it needs no preparation.
    pub fn short_term(password: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()))
    }
}

impl fmt::Debug for IntegrityKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(..)")
    }
}
