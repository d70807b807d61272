//! Sealing and opening: vectors, wraps, replays, limits.

use super::*;
use crate::rtp::{HeaderFields, RtpHeader, write_header};
use crate::{ExtSeqNo, PayloadType, RtpTimestamp, Ssrc};

const PROFILES: [SrtpProfile; 3] =
    [SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm, SrtpProfile::AesCm128HmacSha1_80];

fn pair(profile: SrtpProfile) -> (SrtpSender, SrtpReceiver) {
    let key: Vec<u8> = (0..profile.key_len() as u8).collect();
    let salt: Vec<u8> = (100..100 + profile.salt_len() as u8).collect();
    let master = MasterKey::new(&key, &salt);
    let sender = SrtpSender::new(profile, &master).expect("lengths fit");
    (sender, SrtpReceiver::new(profile, &master).expect("lengths fit"))
}

fn rtp(ssrc: u32, index: u64) -> Vec<u8> {
    let mut packet = Vec::new();
    let fields = HeaderFields {
        marker: false,
        payload_type: PayloadType::new(96).expect("below 128"),
        seq: ExtSeqNo::new(index).truncate(),
        timestamp: RtpTimestamp::new(index as u32),
        ssrc: Ssrc::new(ssrc),
    };
    write_header(&mut packet, &fields, false, false);
    packet.extend((0..40 + index % 50).map(|i| (i * 7 + index) as u8));
    packet
}

fn seal(sender: &mut SrtpSender, ssrc: u32, index: u64) -> Vec<u8> {
    let mut packet = rtp(ssrc, index);
    sender.protect_rtp(&mut packet, 0, 12, ExtSeqNo::new(index)).expect("a whole packet");
    packet
}

fn open(receiver: &mut SrtpReceiver, packet: &mut [u8]) -> Result<(usize, u64), SrtpError> {
    let header = RtpHeader::parse(packet).expect("a whole header");
    receiver.unprotect_rtp(packet, &header).map(|(len, index)| (len, index.get()))
}

#[test]
fn what_is_sealed_opens_to_what_it_was_and_only_once() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let sealed = seal(&mut sender, 1, 5);
        assert_eq!(sealed.len(), rtp(1, 5).len() + profile.rtp_overhead());
        let mut packet = sealed.clone();
        let (len, index) = open(&mut receiver, &mut packet).expect("authentic");
        assert_eq!((&packet[..len], index), (&rtp(1, 5)[..], 5));
        assert_eq!(open(&mut receiver, &mut sealed.clone()), Err(SrtpError::Replayed));
    }
}

#[test]
fn any_flipped_bit_is_noticed_and_changes_no_state() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let sealed = seal(&mut sender, 1, 5);
        for bit in 0..sealed.len() * 8 {
            let mut packet = sealed.clone();
            packet[bit / 8] ^= 1 << (bit % 8);
            let Ok(header) = RtpHeader::parse(&packet) else { continue };
            assert!(receiver.unprotect_rtp(&mut packet, &header).is_err(), "{profile:?}, bit {bit}");
        }
        assert!(open(&mut receiver, &mut sealed.clone()).is_ok());
    }
}

#[test]
fn the_roll_over_is_right_across_wraps_whatever_the_order() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut indices: Vec<u64> = (65_000..65_000 + 140_000).step_by(37).collect();
        for chunk in indices.chunks_mut(20) {
            chunk.reverse();
        }
        // The first decides the roll-over count, so it comes first.
        indices.insert(0, 64_990);
        for index in indices {
            let mut packet = seal(&mut sender, 9, index);
            assert_eq!(open(&mut receiver, &mut packet).map(|(_, index)| index), Ok(index));
        }
    }
}

#[test]
fn an_ssrc_that_returns_goes_on_with_its_index() {
    let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes128Gcm);
    for index in [60_000, 65_536 + 100] {
        open(&mut receiver, &mut seal(&mut sender, 1, index)).expect("authentic");
    }
    open(&mut receiver, &mut seal(&mut sender, 2, 1)).expect("authentic");
    let mut old = seal(&mut sender, 1, 60_000);
    assert_eq!(open(&mut receiver, &mut old), Err(SrtpError::TooOld));
    assert!(open(&mut receiver, &mut seal(&mut sender, 1, 65_536 + 101)).is_ok());
}

#[test]
fn no_more_ssrcs_are_remembered_than_the_limit_and_unauthentic_ones_are_not() {
    let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes128Gcm);
    for ssrc in 1000..1100 {
        let mut packet = seal(&mut sender, ssrc, 1);
        packet[20] ^= 1;
        assert_eq!(open(&mut receiver, &mut packet), Err(SrtpError::Auth));
    }
    for ssrc in 0..MAX_SSRCS as u32 {
        open(&mut receiver, &mut seal(&mut sender, ssrc, 1)).expect("within the limit");
    }
    let one_more = &mut seal(&mut sender, 5000, 1);
    assert_eq!(open(&mut receiver, one_more), Err(SrtpError::TooManySsrcs));
    assert!(open(&mut receiver, &mut seal(&mut sender, 0, 2)).is_ok());
}

#[test]
fn rtcp_is_sealed_opened_once_and_never_taken_in_the_clear() {
    let report = [0x80, 201, 0, 2, 0, 0, 0, 7, 1, 2, 3, 4];
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut packet = report.to_vec();
        sender.protect_rtcp(&mut packet, 0).expect("a whole packet");
        assert_eq!(packet.len(), report.len() + profile.rtcp_overhead());
        let sealed = packet.clone();
        let len = receiver.unprotect_rtcp(&mut packet).expect("authentic");
        assert_eq!(packet[..len], report);
        assert_eq!(receiver.unprotect_rtcp(&mut sealed.clone()), Err(SrtpError::Replayed));
        let word_at = match profile {
            SrtpProfile::AesCm128HmacSha1_80 => sealed.len() - 14,
            _ => sealed.len() - 4,
        };
        let mut clear = sealed.clone();
        clear[word_at] &= 0x7F;
        assert_eq!(receiver.unprotect_rtcp(&mut clear), Err(SrtpError::NotEncrypted));
    }
}

#[test]
fn too_short_packets_are_refused_at_every_length() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let sealed = seal(&mut sender, 1, 5);
        for len in 12..sealed.len() {
            let mut packet = sealed[..len].to_vec();
            assert!(open(&mut receiver, &mut packet).is_err(), "{profile:?}, {len} bytes");
            assert!(receiver.unprotect_rtcp(&mut sealed[..len].to_vec()).is_err());
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

#[test]
fn the_packet_of_rfc_7714_16_is_sealed_as_there() {
    // RFC 7714 §16.1.1 gives session keys, not master keys, so the cipher is made of them directly.
    use aws_lc_rs::aead::{AES_128_GCM, LessSafeKey, UnboundKey};

    let key = UnboundKey::new(&AES_128_GCM, &hex("000102030405060708090a0b0c0d0e0f")).expect("16 bytes");
    let salt = hex("51756964 2070726f2071756f".replace(' ', "").as_str()).try_into().expect("12 bytes");
    let cipher = cipher::Cipher::Gcm { key: LessSafeKey::new(key), salt };
    let mut packet = hex("8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e697320646976697361\
         20696e207061727465732074726573"
        .replace(' ', "")
        .as_str());
    let ssrc = Ssrc::new(0x5501_a0b2);
    let tag = cipher.seal_rtp(&mut packet, 12, ssrc, 0xf17b).expect("a whole packet");
    packet.extend_from_slice(tag.as_bytes());
    assert_eq!(
        packet,
        hex("8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833\
             899d7f27beb16a9152cf765ee4390cce")
    );
}
