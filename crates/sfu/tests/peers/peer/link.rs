//! What a test does to the datagrams of a peer on their way, and how it looks into DTLS.

use std::cell::RefCell;
use std::rc::Rc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::{PacketKind, classify};

/// Bytes of a DTLS 1.2 record header (RFC 6347 §4.1) and of a handshake header (§4.2.2).
const RECORD: usize = 13;
const HANDSHAKE: usize = 12;

/// First bytes of a ClientHello's record and message.
const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// A cipher suite that nobody has: reserved for private use (RFC 8446 §11).
const NO_SUITE: [u8; 2] = [0xFF, 0x5A];

/// What becomes of one datagram: none, itself, or several in its place.
pub(crate) type Hook = Box<dyn FnMut(&[u8]) -> Vec<Vec<u8>>>;

/// Datagrams that a hook has seen.
pub(crate) type Captured = Rc<RefCell<Vec<Vec<u8>>>>;

/// Lets every datagram through.
pub(crate) fn pass() -> Hook {
    Box::new(|datagram| vec![datagram.to_vec()])
}

/// Loses each datagram with this probability, the same ones for the same seed.
pub(crate) fn lossy(seed: u64, probability: f64) -> Hook {
    let mut rng = StdRng::seed_from_u64(seed);
    Box::new(move |datagram| if rng.random_bool(probability) { Vec::new() } else { vec![datagram.to_vec()] })
}

/// Lets every datagram through and keeps a copy of those that `wanted` names.
pub(crate) fn capture(mut wanted: impl FnMut(&[u8]) -> bool + 'static) -> (Hook, Captured) {
    let captured = Captured::default();
    let kept = Rc::clone(&captured);
    let hook = Box::new(move |datagram: &[u8]| {
        if wanted(datagram) {
            kept.borrow_mut().push(datagram.to_vec());
        }
        vec![datagram.to_vec()]
    });
    (hook, captured)
}

/// As [`capture`], of STUN.
pub(crate) fn capture_stun() -> (Hook, Captured) {
    capture(|datagram| classify(datagram) == PacketKind::Stun)
}

pub(crate) fn is_rtp(datagram: &[u8]) -> bool {
    classify(datagram) == PacketKind::Rtp
}

pub(crate) fn is_rtcp(datagram: &[u8]) -> bool {
    classify(datagram) == PacketKind::Rtcp
}

/// SSRC and sequence number of an RTP packet; both stand in the clear.
pub(crate) fn rtp_name(datagram: &[u8]) -> (u32, u16) {
    let seq = u16::from_be_bytes([datagram[2], datagram[3]]);
    (u32::from_be_bytes(datagram[8..12].try_into().expect("four bytes")), seq)
}

pub(crate) fn is_dtls(datagram: &[u8]) -> bool {
    classify(datagram) == PacketKind::Dtls
}

pub(crate) fn is_client_hello(datagram: &[u8]) -> bool {
    datagram.len() > RECORD + HANDSHAKE && datagram[0] == HANDSHAKE_RECORD && datagram[RECORD] == CLIENT_HELLO
}

/// The same ClientHello offering only a cipher suite that nobody has.
pub(crate) fn with_unknown_cipher(client_hello: &[u8]) -> Vec<u8> {
    let mut forged = client_hello.to_vec();
    // Version and random, then session id and cookie with a length byte each.
    let mut at = RECORD + HANDSHAKE + 2 + 32;
    at += 1 + usize::from(forged[at]);
    at += 1 + usize::from(forged[at]);
    let len = usize::from(u16::from_be_bytes([forged[at], forged[at + 1]]));
    for suite in forged[at + 2..at + 2 + len].chunks_exact_mut(2) {
        suite.copy_from_slice(&NO_SUITE);
    }
    forged
}

/// The same ClientHello in two records, each in its own datagram (RFC 6347 §4.2.3).
pub(crate) fn in_two_datagrams(client_hello: &[u8]) -> [Vec<u8>; 2] {
    let body = &client_hello[RECORD + HANDSHAKE..];
    let (first, second) = body.split_at(body.len() / 2);
    let fragment = |part: &[u8], offset: usize, record_seq: u8| {
        let mut datagram = client_hello[..RECORD + HANDSHAKE].to_vec();
        // Record sequence numbers of their own, far from the peer's.
        datagram[6] = record_seq;
        datagram[11..13].copy_from_slice(&((HANDSHAKE + part.len()) as u16).to_be_bytes());
        datagram[RECORD + 6..RECORD + 9].copy_from_slice(&(offset as u32).to_be_bytes()[1..]);
        datagram[RECORD + 9..RECORD + 12].copy_from_slice(&(part.len() as u32).to_be_bytes()[1..]);
        datagram.extend(part);
        datagram
    };
    [fragment(first, 0, 1), fragment(second, first.len(), 2)]
}

/// A fatal alert in the clear, as anybody can write it: handshake_failure (RFC 5246 §7.2).
pub(crate) fn forged_alert() -> Vec<u8> {
    vec![21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40]
}
