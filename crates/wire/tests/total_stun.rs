//! Properties of STUN over random and damaged messages: what is written comes back, and nothing that is read can
//! panic.

mod damage;

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;
use wire::stun::{Builder, Class, IntegrityKey, Message, Method, TransactionId};

use crate::damage::damaged;

/// What a message is built of.
#[derive(Clone, Debug)]
enum Part {
    Username(String),
    Priority(u32),
    UseCandidate,
    Controlled(u64),
    Controlling(u64),
    Address(SocketAddr),
    Error(u16, String),
    Unknown(Vec<u16>),
    Software(String),
}

fn key() -> IntegrityKey {
    IntegrityKey::short_term("a password of some length")
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        "[ -~]{0,40}".prop_map(Part::Username),
        any::<u32>().prop_map(Part::Priority),
        Just(Part::UseCandidate),
        any::<u64>().prop_map(Part::Controlled),
        any::<u64>().prop_map(Part::Controlling),
        (any::<IpAddr>(), any::<u16>()).prop_map(|(ip, port)| Part::Address(SocketAddr::new(ip, port))),
        (300u16..700, "\\PC{0,20}").prop_map(|(code, reason)| Part::Error(code, reason)),
        prop::collection::vec(any::<u16>(), 0..9).prop_map(Part::Unknown),
        "\\PC{0,20}".prop_map(Part::Software),
    ]
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![Just(Class::Request), Just(Class::Indication), Just(Class::Success), Just(Class::Error)]
}

fn write(class: Class, id: [u8; 12], parts: &[Part], is_signed: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let builder = Builder::new(&mut out, class, Method::BINDING, TransactionId(id));
    let builder = parts.iter().fold(builder, |builder, part| match part {
        Part::Username(name) => builder.username(name),
        Part::Priority(priority) => builder.priority(*priority),
        Part::UseCandidate => builder.use_candidate(),
        Part::Controlled(tie_breaker) => builder.ice_controlled(*tie_breaker),
        Part::Controlling(tie_breaker) => builder.ice_controlling(*tie_breaker),
        Part::Address(address) => builder.xor_mapped_address(*address),
        Part::Error(code, reason) => builder.error_code(*code, reason),
        Part::Unknown(kinds) => builder.unknown_attributes(kinds),
        Part::Software(name) => builder.software(name),
    });
    builder.finish(is_signed.then_some(&key()));
    out
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    (class(), any::<[u8; 12]>(), prop::collection::vec(part(), 0..6), any::<bool>())
        .prop_map(|(class, id, parts, is_signed)| write(class, id, &parts, is_signed))
}

/// Calls everything that reads; true when the message is whole and signed by our key.
fn read_everything(bytes: &[u8]) -> bool {
    let Ok(message) = Message::parse(bytes) else { return false };
    std::hint::black_box((message.class(), message.method().get(), message.transaction_id()));
    std::hint::black_box((message.username(), message.priority(), message.use_candidate(), message.software()));
    std::hint::black_box((message.ice_controlled(), message.ice_controlling(), message.xor_mapped_address()));
    assert!(message.error_code().is_none_or(|(code, _)| (300..700).contains(&code)));
    assert!(message.unknown_attributes().count() <= bytes.len() / 2);
    assert!(message.unknown_comprehension_required().count() <= bytes.len() / 4);
    message.verify_integrity(&key())
}

proptest! {
    #[test]
    fn what_is_written_is_read(class in class(), id: [u8; 12], parts in prop::collection::vec(part(), 0..6)) {
        let bytes = write(class, id, &parts, true);
        let message = Message::parse(&bytes).unwrap();
        prop_assert_eq!((message.class(), message.transaction_id()), (class, TransactionId(id)));
        prop_assert!(message.verify_integrity(&key()) && message.has_fingerprint());
        // Of several of a kind the first is read, so only those are compared.
        let mut seen = Vec::new();
        for part in parts {
            let kind = std::mem::discriminant(&part);
            if seen.contains(&kind) {
                continue;
            }
            seen.push(kind);
            match part {
                Part::Username(name) => prop_assert_eq!(message.username(), Some(name.as_str())),
                Part::Priority(priority) => prop_assert_eq!(message.priority(), Some(priority)),
                Part::UseCandidate => prop_assert!(message.use_candidate()),
                Part::Controlled(tie_breaker) => prop_assert_eq!(message.ice_controlled(), Some(tie_breaker)),
                Part::Controlling(tie_breaker) => prop_assert_eq!(message.ice_controlling(), Some(tie_breaker)),
                Part::Address(address) => {
                    let expected = SocketAddr::new(address.ip().to_canonical(), address.port());
                    prop_assert_eq!(message.xor_mapped_address(), Some(expected));
                }
                Part::Error(code, reason) => prop_assert_eq!(message.error_code(), Some((code, reason.as_str()))),
                Part::Unknown(kinds) => prop_assert!(message.unknown_attributes().eq(kinds)),
                Part::Software(name) => prop_assert_eq!(message.software(), Some(name.as_str())),
            }
        }
    }

    #[test]
    fn a_message_cut_at_any_length_is_refused(bytes in message()) {
        for len in 0..bytes.len() {
            prop_assert!(Message::parse(&bytes[..len]).is_err(), "{}", len);
        }
    }

    #[test]
    fn damaged_messages_never_panic(bytes in damaged(message())) {
        read_everything(&bytes);
    }

    /// Damage that the length field tells of gets further, and past FINGERPRINT where that is cut off.
    #[test]
    fn damaged_attributes_never_panic(mut bytes in damaged(message()), header in message(), cut in 0usize..2) {
        let len = bytes.len().saturating_sub(cut * 8) & !3;
        bytes.truncate(len);
        let len = len.saturating_sub(20) as u16;
        for (target, byte) in bytes.iter_mut().zip(&header[..20]) {
            *target = *byte;
        }
        if let Some(field) = bytes.get_mut(2..4) {
            field.copy_from_slice(&len.to_be_bytes());
        }
        read_everything(&bytes);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!read_everything(&bytes));
    }

    /// Every protected byte, and the signature itself: whatever changes, it is no longer ours.
    #[test]
    fn no_change_of_a_signed_byte_goes_unnoticed(
        id: [u8; 12], parts in prop::collection::vec(part(), 0..6), at: prop::sample::Index, flip in 1u8..=255
    ) {
        let mut bytes = write(Class::Request, id, &parts, true);
        let signed = bytes.len() - 8;
        let at = at.index(signed);
        bytes[at] ^= flip;
        // Without FINGERPRINT, which would find it first.
        bytes.truncate(signed);
        let len = (signed - 20) as u16;
        if (2..4).contains(&at) {
            // What is cut off must not make it right.
            prop_assume!(bytes[2..4] != len.to_be_bytes());
        } else {
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
        }
        prop_assert!(!read_everything(&bytes));
    }
}
