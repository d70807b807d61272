//! Our SRTP against libsrtp's, byte by byte and in both directions; `tests/data/srtp/generate.py` tells how its packets
//! came about and why one file shows both.

use wire::rtp::RtpHeader;
use wire::srtp::{MasterKey, SrtpProfile, SrtpReceiver, SrtpSender};
use wire::{ExtSeqNo, Ssrc};

const PACKETS: &str = include_str!("data/srtp/libsrtp.txt");

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).expect("hexadecimal") as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn profile(name: &str) -> SrtpProfile {
    match name {
        "AEAD_AES_128_GCM" => SrtpProfile::AeadAes128Gcm,
        "AEAD_AES_256_GCM" => SrtpProfile::AeadAes256Gcm,
        "AES_CM_128_HMAC_SHA1_80" => SrtpProfile::AesCm128HmacSha1_80,
        _ => panic!("unknown profile {name}"),
    }
}

/// What libsrtp did under one key.
struct Session {
    profile: SrtpProfile,
    master: MasterKey,
    /// Index, length of the header, plain and sealed packet, in the order of sending.
    rtp: Vec<(u64, usize, Vec<u8>, Vec<u8>)>,
    /// Plain and sealed packet.
    rtcp: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Session {
    fn sender(&self) -> SrtpSender {
        SrtpSender::new(self.profile, &self.master).expect("lengths are the profile's")
    }

    fn receiver(&self) -> SrtpReceiver {
        SrtpReceiver::new(self.profile, &self.master).expect("lengths are the profile's")
    }
}

fn sessions() -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    for line in PACKETS.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["session", name, key, salt] => sessions.push(Session {
                profile: profile(name),
                master: MasterKey::new(&hex(key), &hex(salt)),
                rtp: Vec::new(),
                rtcp: Vec::new(),
            }),
            ["rtp", index, header_len, plain, sealed] => {
                let number = |text: &str| text.parse::<u64>().expect("a number");
                let packet = (number(index), number(header_len) as usize, hex(plain), hex(sealed));
                sessions.last_mut().expect("a session comes first").rtp.push(packet);
            }
            ["rtcp", _, plain, sealed] => {
                sessions.last_mut().expect("a session comes first").rtcp.push((hex(plain), hex(sealed)));
            }
            _ => panic!("not a line of generate.py: {line}"),
        }
    }
    assert_eq!(sessions.len(), 3);
    sessions
}

#[test]
fn rtp_of_libsrtp_is_opened() {
    for session in sessions() {
        let mut receiver = session.receiver();
        for (index, header_len, plain, sealed) in &session.rtp {
            let mut packet = sealed.clone();
            let header = RtpHeader::parse(&packet).unwrap();
            assert_eq!((header.header_len, header.ssrc), (*header_len, Ssrc::new(0xCAFE_BABE)));
            let opened = receiver.unprotect_rtp(&mut packet, &header);
            assert_eq!(opened, Ok((plain.len(), ExtSeqNo::new(*index))), "{:?}, index {index}", session.profile);
            assert_eq!(packet[..plain.len()], plain[..], "{:?}, index {index}", session.profile);
        }
    }
}

#[test]
fn rtp_is_sealed_as_libsrtp_seals_it() {
    for session in sessions() {
        let mut sender = session.sender();
        for (index, header_len, plain, sealed) in &session.rtp {
            let mut packet = plain.clone();
            sender.protect_rtp(&mut packet, 0, *header_len, ExtSeqNo::new(*index)).unwrap();
            assert_eq!(packet, *sealed, "{:?}, index {index}", session.profile);
        }
    }
}

#[test]
fn rtcp_of_libsrtp_is_opened() {
    for session in sessions() {
        let mut receiver = session.receiver();
        for (plain, sealed) in &session.rtcp {
            let mut packet = sealed.clone();
            assert_eq!(receiver.unprotect_rtcp(&mut packet), Ok(plain.len()), "{:?}", session.profile);
            assert_eq!(packet[..plain.len()], plain[..], "{:?}", session.profile);
        }
    }
}

#[test]
fn rtcp_is_sealed_as_libsrtp_seals_it() {
    for session in sessions() {
        let mut sender = session.sender();
        for (plain, sealed) in &session.rtcp {
            let mut packet = plain.clone();
            sender.protect_rtcp(&mut packet, 0).unwrap();
            assert_eq!(packet, *sealed, "{:?}", session.profile);
        }
    }
}
