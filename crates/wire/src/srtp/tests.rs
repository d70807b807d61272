//! Sealing and opening: wraps, replays, limits.

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
fn packets_before_the_first_wrap_are_told_from_those_behind_it() {
    let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes128Gcm);
    // 0xFFFF lies behind the first by one, but the roll-over count has nothing below 0.
    for index in [0, 0xFFFF, 0x1_0000, 0xFFFE] {
        assert_eq!(open(&mut receiver, &mut seal(&mut sender, 1, index)).map(|(_, index)| index), Ok(index));
    }
}

#[test]
fn the_last_index_of_a_key_is_sealed_and_opened_and_the_next_is_not() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        receiver.start_at(Ssrc::new(1), MAX_INDEX - 10);
        let mut last = seal(&mut sender, 1, MAX_INDEX);
        assert_eq!(open(&mut receiver, &mut last).map(|(_, index)| index), Ok(MAX_INDEX));
        let next = ExtSeqNo::new(MAX_INDEX + 1);
        let mut packet = rtp(1, next.get());
        let before = packet.clone();
        assert_eq!(sender.protect_rtp(&mut packet, 0, 12, next), Err(SrtpError::KeyUsedUp));
        assert_eq!(packet, before);
        // Sequence number 0 can then only be the one long ago.
        let mut wrapped = seal(&mut sender, 1, 0);
        assert_eq!(open(&mut receiver, &mut wrapped), Err(SrtpError::TooOld));
    }
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
fn the_limit_of_ssrcs_holds_for_rtcp_on_its_own() {
    let (mut sender, mut receiver) = pair(SrtpProfile::AeadAes256Gcm);
    let mut deliver = |ssrc: u32| {
        let mut packet = vec![0x80, 201, 0, 1];
        packet.extend_from_slice(&ssrc.to_be_bytes());
        sender.protect_rtcp(&mut packet, 0).expect("a whole packet");
        receiver.unprotect_rtcp(&mut packet)
    };
    for ssrc in 0..MAX_SSRCS as u32 {
        assert_eq!(deliver(ssrc), Ok(8));
    }
    assert_eq!(deliver(9_999), Err(SrtpError::TooManySsrcs));
    assert_eq!(deliver(3), Ok(8));
}

#[test]
fn rtcp_of_all_ssrcs_is_counted_together_until_the_key_is_used_up() {
    for profile in PROFILES {
        let (mut sender, _) = pair(profile);
        let mut word = |ssrc: u8| {
            let mut packet = vec![0x80, 201, 0, 1, 0, 0, 0, ssrc];
            sender.protect_rtcp(&mut packet, 0).expect("a whole packet");
            sender.rtcp.rtcp_word(&packet).expect("long enough") & !SRTCP_ENCRYPTED
        };
        assert_eq!([word(1), word(2), word(1)], [1, 2, 3]);
        sender.next_rtcp_index = SRTCP_ENCRYPTED - 1;
        let mut packet = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
        assert_eq!(sender.protect_rtcp(&mut packet, 0), Ok(()));
        let mut packet = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
        assert_eq!(sender.protect_rtcp(&mut packet, 0), Err(SrtpError::KeyUsedUp));
        assert_eq!(packet.len(), 8);
    }
}

#[test]
fn keys_of_another_length_than_the_profile_wants_are_refused() {
    for profile in PROFILES {
        for (key, salt) in [(profile.key_len() - 1, profile.salt_len()), (profile.key_len(), profile.salt_len() + 1)] {
            let master = MasterKey::new(&vec![1; key], &vec![2; salt]);
            assert_eq!(SrtpSender::new(profile, &master).err(), Some(SrtpError::KeyLength));
            assert_eq!(SrtpReceiver::new(profile, &master).err(), Some(SrtpError::KeyLength));
        }
    }
}

#[test]
fn a_packet_without_a_whole_header_is_not_sealed() {
    let (mut sender, _) = pair(SrtpProfile::AesCm128HmacSha1_80);
    let mut packet = rtp(1, 1);
    for header_len in [0, 11, packet.len() + 1] {
        assert_eq!(sender.protect_rtp(&mut packet, 0, header_len, ExtSeqNo::new(1)), Err(SrtpError::Short));
    }
    let past_the_end = packet.len() + 1;
    assert_eq!(sender.protect_rtp(&mut packet, past_the_end, 12, ExtSeqNo::new(1)), Err(SrtpError::Short));
    assert_eq!(sender.protect_rtcp(&mut vec![0x80, 201, 0, 0, 1, 2, 3], 0), Err(SrtpError::Short));
    assert_eq!(packet, rtp(1, 1));
}

#[test]
fn a_packet_is_sealed_where_it_begins_and_nothing_before_it_changes() {
    for profile in PROFILES {
        let (mut sender, mut receiver) = pair(profile);
        let mut out = vec![0xEE; 7];
        out.extend(rtp(1, 3));
        sender.protect_rtp(&mut out, 7, 12, ExtSeqNo::new(3)).expect("a whole packet");
        assert_eq!(out[..7], [0xEE; 7]);
        assert_eq!(open(&mut receiver, &mut out[7..]).map(|(_, index)| index), Ok(3));
    }
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

#[test]
fn keys_are_not_shown() {
    assert_eq!(format!("{:?}", MasterKey::new(&[1; 16], &[2; 14])), "MasterKey(..)");
}
