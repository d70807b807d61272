//! Test vectors of RFC 3711 appendix B and RFC 7714 §16 and §17. Those of RFC 7714 start from session keys, so the
//! ciphers are made of them directly.

use super::cipher::Cipher;
use super::derive::{MasterKey, Purpose, SessionKeys};
use super::{SRTCP_ENCRYPTED, SrtpError, SrtpProfile};
use crate::Ssrc;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn cipher(profile: SrtpProfile, key: &str, salt: &str) -> Cipher {
    let mut keys = SessionKeys { cipher: hex(key), auth: [0; 20], salt: [0; 14] };
    keys.salt[..profile.salt_len()].copy_from_slice(&hex(salt));
    Cipher::from_session(profile, &keys).unwrap()
}

const KEY_128: &str = "000102030405060708090a0b0c0d0e0f";
const KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SALT: &str = "517569642070726f2071756f";

/// RFC 7714 §16: "Gallia est omnis divisa in partes tres".
const RTP: &str = "
    8040f17b 8041f8d3 5501a0b2
    47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573";
const RTP_128: &str = "
    8040f17b 8041f8d3 5501a0b2
    f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf 8833
    899d7f27 beb16a91 52cf765e e4390cce";
const RTP_256: &str = "
    8040f17b 8041f8d3 5501a0b2
    32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b
    7aa3db36 dfffd6b0 f9bb7878 d7a76c13";

/// RFC 7714 §17.
const RTCP: &str = "
    81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef
    deadbeef";
const RTCP_INDEX: u32 = 0x05d4;
const RTCP_128: &str = "
    81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded
    0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4";
const RTCP_256: &str = "
    81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 c61de047
    6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4";

const CASES: [(SrtpProfile, &str, &str, &str); 2] = [
    (SrtpProfile::AeadAes128Gcm, KEY_128, RTP_128, RTCP_128),
    (SrtpProfile::AeadAes256Gcm, KEY_256, RTP_256, RTCP_256),
];

#[test]
fn rtp_is_sealed_and_opened_as_in_rfc_7714_16() {
    let ssrc = Ssrc::new(0x5501_a0b2);
    for (profile, key, sealed, _) in CASES {
        let cipher = cipher(profile, key, SALT);
        let mut packet = hex(RTP);
        let tag = cipher.seal_rtp(&mut packet, 12, ssrc, 0xf17b).unwrap();
        packet.extend_from_slice(tag.as_bytes());
        assert_eq!(packet, hex(sealed), "{profile:?}");
        let len = cipher.open_rtp(&mut packet, 12, ssrc, 0xf17b).unwrap();
        assert_eq!(packet[..len], hex(RTP), "{profile:?}");
    }
}

#[test]
fn rtcp_is_sealed_and_opened_as_in_rfc_7714_17() {
    let ssrc = Ssrc::new(0x4d61_7273);
    for (profile, key, _, sealed) in CASES {
        let cipher = cipher(profile, key, SALT);
        let mut packet = hex(RTCP);
        let tag = cipher.seal_rtcp(&mut packet, ssrc, RTCP_INDEX).unwrap();
        packet.extend_from_slice(tag.as_bytes());
        assert_eq!(packet, hex(sealed), "{profile:?}");
        let word = cipher.rtcp_word(&packet).unwrap();
        assert_eq!(word, RTCP_INDEX | SRTCP_ENCRYPTED);
        let len = cipher.open_rtcp(&mut packet, ssrc, word).unwrap();
        assert_eq!(packet[..len], hex(RTCP), "{profile:?}");
    }
}

#[test]
fn a_wrong_ssrc_index_or_header_opens_nothing() {
    for (profile, key, sealed, _) in CASES {
        let cipher = cipher(profile, key, SALT);
        for (ssrc, index, at) in [(0x5501_a0b3, 0xf17b, 13), (0x5501_a0b2, 0x1_f17b, 13), (0x5501_a0b2, 0xf17b, 1)] {
            let mut packet = hex(sealed);
            packet[at] ^= u8::from(at < 12);
            assert_eq!(cipher.open_rtp(&mut packet, 12, Ssrc::new(ssrc), index), Err(SrtpError::Auth), "{profile:?}");
        }
    }
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_appendix_b_2() {
    let profile = SrtpProfile::AesCm128HmacSha1_80;
    let cipher = cipher(profile, "2b7e151628aed2a6abf7158809cf4f3c", "f0f1f2f3f4f5f6f7f8f9fafbfcfd");
    // Of zeros the key stream itself is left; 16 bytes a block, up to block 0xff01.
    let mut packet = vec![0; 12 + 0xff02 * 16];
    cipher.seal_rtp(&mut packet, 12, Ssrc::new(0), 0).unwrap();
    let blocks = [
        (0x0000, "e03ead0935c95e80e166b16dd92b4eb4"),
        (0x0001, "d23513162b02d0f72a43a2fe4a5f97ab"),
        (0x0002, "41e95b3bb0a2e8dd477901e4fca894c0"),
        (0xfeff, "ec8cdf7398607cb0f2d21675ea9ea1e4"),
        (0xff00, "362b7c3c6773516318a077d7fc5073ae"),
        (0xff01, "6a2cc3787889374fbeb4c81b17ba6c44"),
    ];
    for (number, expected) in blocks {
        let at = 12 + number * 16;
        assert_eq!(packet[at..at + 16], hex(expected), "block {number:#x}");
    }
}

#[test]
fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
    let master = MasterKey::new(&hex("e1f97a0d3e018be0d64fa32c06de4139"), &hex("0ec675ad498afeebb6960b3aabe6"));
    let keys = SessionKeys::derive(SrtpProfile::AesCm128HmacSha1_80, &master, Purpose::Rtp).unwrap();
    assert_eq!(keys.cipher, hex("c61e7a93744f39ee10734afe3ff7a087"));
    assert_eq!(keys.salt.to_vec(), hex("30cbbc08863d8c85d49db34a9ae1"));
    assert_eq!(keys.auth.to_vec(), hex("cebe321f6ff7716b6fd4ab49af256a156d38baa4"));
}
