//! STUN, and SRTP as its receiver meets it.

use std::hint::black_box;

use wire::rtp::RtpHeader;
use wire::srtp::{MasterKey, SrtpProfile, SrtpReceiver, SrtpSender};
use wire::stun::{Builder, Class, IntegrityKey, Message, Method};
use wire::{ExtSeqNo, SeqNo, Ssrc, rtp};

/// The password that the seeds are made with.
pub const STUN_PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// A STUN message: every accessor, its integrity, and an answer that has to be read again.
pub fn stun(data: &[u8]) {
    let Ok(message) = Message::parse(data) else { return };
    let key = IntegrityKey::short_term(STUN_PASSWORD);
    let authentic = message.verify_integrity(&key);
    assert!(!authentic || message.has_integrity());
    black_box((message.method(), message.username(), message.priority(), message.use_candidate()));
    black_box((message.ice_controlled(), message.ice_controlling(), message.software(), message.error_code()));
    let unknown: Vec<_> = message.unknown_comprehension_required().take(8).collect();
    assert!(message.unknown_comprehension_required().count() <= data.len() / 4);
    assert!(message.unknown_attributes().count() <= data.len() / 2);

    let mut out = Vec::new();
    let mut builder = Builder::new(&mut out, Class::Error, Method::BINDING, message.transaction_id())
        .error_code(420, "Unknown Attribute")
        .unknown_attributes(&unknown);
    if let Some(address) = message.xor_mapped_address() {
        builder = builder.xor_mapped_address(address);
    }
    if let Some(name) = message.username() {
        builder = builder.username(name);
    }
    builder.finish(Some(&key));
    let answer = Message::parse(&out).expect("what was written can be read");
    assert!(answer.verify_integrity(&key) && answer.has_fingerprint());
    assert_eq!(answer.transaction_id(), message.transaction_id());
    assert_eq!(answer.xor_mapped_address(), message.xor_mapped_address());
    assert_eq!(answer.username(), message.username());
    assert_eq!(answer.error_code(), Some((420, "Unknown Attribute")));
    assert!(answer.unknown_attributes().eq(unknown));
}

/// A play of packets between a sender and a receiver that share a key. The first byte chooses the profile; then every
/// four bytes are a step: what is done, an index, and where damage is done. What follows a step of its own kind is
/// taken as a datagram.
pub fn srtp(data: &[u8]) {
    let Some((&first, mut steps)) = data.split_first() else { return };
    let profile = match first % 3 {
        0 => SrtpProfile::AeadAes128Gcm,
        1 => SrtpProfile::AeadAes256Gcm,
        _ => SrtpProfile::AesCm128HmacSha1_80,
    };
    let master = MasterKey::new(&[0x5a; 32][..profile.key_len()], &[0xa5; 14][..profile.salt_len()]);
    let mut sender = SrtpSender::new(profile, &master).expect("lengths are the profile's");
    let mut receiver = SrtpReceiver::new(profile, &master).expect("lengths are the profile's");
    // Where the receiver's window of each stream must be, to know what it has to accept.
    let mut newest = [None::<u64>; 4];
    while let Some((&[what, i0, i1, at], rest)) = steps.split_first_chunk::<4>() {
        steps = rest;
        let number = u16::from_be_bytes([i0, i1]);
        match what % 8 {
            0..=3 => {
                let stream = usize::from(what % 4);
                let near = newest[stream].unwrap_or(u64::from(number % 0x8000));
                let index =
                    ExtSeqNo::new(near).nearest(SeqNo::new(number)).unwrap_or(ExtSeqNo::first(SeqNo::new(number)));
                let packet = seal_rtp(&mut sender, stream as u32, index);
                let is_new = newest[stream].is_none_or(|newest| index.get() > newest);
                if deliver_rtp(&mut receiver, &packet, usize::from(at), is_new, index, profile) {
                    newest[stream] = newest[stream].max(Some(index.get()));
                }
            }
            4 | 5 => deliver_rtcp(&mut sender, &mut receiver, usize::from(at), u32::from(number % 4)),
            _ => {
                deliver_raw(&mut receiver, steps);
                return;
            }
        }
    }
}

/// A packet whose payload tells its index.
fn plain_rtp(stream: u32, index: ExtSeqNo) -> Vec<u8> {
    let fields = rtp::HeaderFields {
        marker: false,
        payload_type: wire::PayloadType::from_low_bits(96),
        seq: index.truncate(),
        timestamp: wire::RtpTimestamp::new(index.get() as u32),
        ssrc: Ssrc::new(stream),
    };
    let mut out = Vec::new();
    rtp::write_header(&mut out, &fields, false, false);
    out.extend_from_slice(&index.get().to_be_bytes());
    out
}

fn seal_rtp(sender: &mut SrtpSender, stream: u32, index: ExtSeqNo) -> Vec<u8> {
    let mut out = plain_rtp(stream, index);
    sender.protect_rtp(&mut out, 0, rtp::FIXED_HEADER_LEN, index).expect("the packet is whole");
    out
}

/// Delivers a packet, damaged where `at` lies inside it: damage has to be refused, a new packet taken, and the same
/// one refused when it comes again. `true` when it was taken.
fn deliver_rtp(
    receiver: &mut SrtpReceiver,
    packet: &[u8],
    at: usize,
    is_new: bool,
    index: ExtSeqNo,
    profile: SrtpProfile,
) -> bool {
    let plain_len = rtp::FIXED_HEADER_LEN + 8;
    assert_eq!(packet.len(), plain_len + profile.rtp_overhead());
    let mut damaged = packet.to_vec();
    if let Some(byte) = damaged.get_mut(at) {
        *byte ^= 1;
        if let Ok(header) = RtpHeader::parse(&damaged) {
            assert!(receiver.unprotect_rtp(&mut damaged, &header).is_err(), "damage goes unnoticed");
        }
    }
    let mut copy = packet.to_vec();
    let header = RtpHeader::parse(&copy).expect("the packet is whole");
    let taken = receiver.unprotect_rtp(&mut copy, &header);
    if let Ok((len, read)) = taken {
        assert_eq!((len, read), (plain_len, index));
        assert_eq!(copy[12..20], index.get().to_be_bytes());
    }
    assert!(!is_new || taken.is_ok(), "a new packet is refused: {taken:?}");
    let mut again = packet.to_vec();
    assert!(receiver.unprotect_rtp(&mut again, &header).is_err(), "a packet is taken twice");
    taken.is_ok()
}

fn deliver_rtcp(sender: &mut SrtpSender, receiver: &mut SrtpReceiver, at: usize, ssrc: u32) {
    let mut plain = Vec::new();
    wire::rtcp::write_pli(&mut plain, Ssrc::new(ssrc), Ssrc::new(9));
    let mut packet = plain.clone();
    sender.protect_rtcp(&mut packet, 0).expect("the packet is whole");
    let mut damaged = packet.clone();
    if let Some(byte) = damaged.get_mut(at) {
        *byte ^= 1;
        assert!(receiver.unprotect_rtcp(&mut damaged).is_err(), "damage goes unnoticed");
    }
    let mut copy = packet.clone();
    assert_eq!(receiver.unprotect_rtcp(&mut copy), Ok(plain.len()));
    assert_eq!(copy[..plain.len()], plain);
    assert!(receiver.unprotect_rtcp(&mut packet).is_err(), "a packet is taken twice");
}

/// Bytes without a key: whatever they are, they are refused.
fn deliver_raw(receiver: &mut SrtpReceiver, datagram: &[u8]) {
    if let Ok(header) = RtpHeader::parse(datagram) {
        assert!(receiver.unprotect_rtp(&mut datagram.to_vec(), &header).is_err(), "a forgery is taken");
    }
    assert!(receiver.unprotect_rtcp(&mut datagram.to_vec()).is_err(), "a forgery is taken");
}
