//! The two families of ciphers behind one face: seal and open a payload in place under a packet's index.

use aes::Aes128;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipher};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{constant_time, hmac};

use super::derive::{MasterKey, Purpose, SessionKeys};
use super::{RTCP_CLEAR_LEN, SRTCP_ENCRYPTED, SrtpError, SrtpProfile};
use crate::Ssrc;

/// Bytes of the tag of the HMAC-SHA1 profile.
const SHA1_TAG_LEN: usize = 10;

/// Bytes of a GCM tag.
const GCM_TAG_LEN: usize = 16;

/// Cipher of one direction and purpose, its key expanded.
pub(super) enum Cipher {
    Gcm { key: LessSafeKey, salt: [u8; 12] },
    CmSha1(Box<CmSha1>),
}

pub(super) struct CmSha1 {
    key: Aes128,
    salt: [u8; 14],
    auth: hmac::Key,
}

impl Cipher {
    pub(super) fn new(profile: SrtpProfile, master: &MasterKey, purpose: Purpose) -> Result<Self, SrtpError> {
        Self::from_session(profile, &SessionKeys::derive(profile, master, purpose)?)
    }

    pub(super) fn from_session(profile: SrtpProfile, keys: &SessionKeys) -> Result<Self, SrtpError> {
        let algorithm = match profile {
            SrtpProfile::AeadAes128Gcm => &AES_128_GCM,
            SrtpProfile::AeadAes256Gcm => &AES_256_GCM,
            SrtpProfile::AesCm128HmacSha1_80 => {
                return Ok(Self::CmSha1(Box::new(CmSha1 {
                    key: Aes128::new_from_slice(&keys.cipher).map_err(|_| SrtpError::KeyLength)?,
                    salt: keys.salt,
                    auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &keys.auth),
                })));
            }
        };
        let key = UnboundKey::new(algorithm, &keys.cipher).map_err(|_| SrtpError::KeyLength)?;
        let mut salt = [0; 12];
        salt.iter_mut().zip(&keys.salt).for_each(|(target, byte)| *target = *byte);
        Ok(Self::Gcm { key: LessSafeKey::new(key), salt })
    }

    /// Encrypts an RTP payload and returns what to append.
    pub(super) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: Ssrc,
        index: u64,
    ) -> Result<Tag, SrtpError> {
        let (header, payload) = packet.split_at_mut_checked(header_len).ok_or(SrtpError::Short)?;
        match self {
            Self::Gcm { key, salt } => {
                let tag = key
                    .seal_in_place_separate_tag(rtp_nonce(salt, ssrc, index), Aad::from(&*header), payload)
                    .map_err(|_| SrtpError::Short)?;
                Ok(Tag::new(tag.as_ref()))
            }
            Self::CmSha1(cm) => {
                cm.apply(payload, ssrc, index);
                let tag = cm.sign(&[header, payload, &((index >> 16) as u32).to_be_bytes()]);
                Ok(tag)
            }
        }
    }

    /// Checks and decrypts an RTP packet, its tag included; returns the plain length.
    pub(super) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: Ssrc,
        index: u64,
    ) -> Result<usize, SrtpError> {
        let len = packet.len();
        match self {
            Self::Gcm { key, salt } => {
                if len < header_len + GCM_TAG_LEN {
                    return Err(SrtpError::Short);
                }
                let (header, sealed) = packet.split_at_mut_checked(header_len).ok_or(SrtpError::Short)?;
                key.open_in_place(rtp_nonce(salt, ssrc, index), Aad::from(&*header), sealed)
                    .map_err(|_| SrtpError::Auth)?;
                Ok(len - GCM_TAG_LEN)
            }
            Self::CmSha1(cm) => {
                let plain_len = len.checked_sub(SHA1_TAG_LEN).filter(|plain| *plain >= header_len);
                let plain_len = plain_len.ok_or(SrtpError::Short)?;
                let (signed, tag) = packet.split_at_mut_checked(plain_len).ok_or(SrtpError::Short)?;
                cm.verify(&[signed, &((index >> 16) as u32).to_be_bytes()], tag)?;
                cm.apply(signed.get_mut(header_len..).unwrap_or_default(), ssrc, index);
                Ok(plain_len)
            }
        }
    }

    /// Encrypts an RTCP packet and returns what to append: tag and index word in the profile's order.
    pub(super) fn seal_rtcp(&self, packet: &mut [u8], ssrc: Ssrc, index: u32) -> Result<Tag, SrtpError> {
        let word = (index | SRTCP_ENCRYPTED).to_be_bytes();
        let (clear, payload) = packet.split_at_mut_checked(RTCP_CLEAR_LEN).ok_or(SrtpError::Short)?;
        match self {
            Self::Gcm { key, salt } => {
                let aad = rtcp_aad(clear, word).ok_or(SrtpError::Short)?;
                let tag = key
                    .seal_in_place_separate_tag(rtcp_nonce(salt, ssrc, index), Aad::from(aad), payload)
                    .map_err(|_| SrtpError::Short)?;
                Ok(Tag::new(tag.as_ref()).then(&word))
            }
            Self::CmSha1(cm) => {
                cm.apply(payload, ssrc, u64::from(index));
                let tag = cm.sign(&[clear, payload, &word]);
                Ok(Tag::new(&word).then(tag.as_bytes()))
            }
        }
    }

    /// Checks and decrypts an RTCP packet; returns the plain length. `word` is its index word.
    pub(super) fn open_rtcp(&self, packet: &mut [u8], ssrc: Ssrc, word: u32) -> Result<usize, SrtpError> {
        let index = word & !SRTCP_ENCRYPTED;
        let len = packet.len();
        match self {
            Self::Gcm { key, salt } => {
                let body_len = len.checked_sub(4).ok_or(SrtpError::Short)?;
                if body_len < RTCP_CLEAR_LEN + GCM_TAG_LEN {
                    return Err(SrtpError::Short);
                }
                let (body, _) = packet.split_at_mut_checked(body_len).ok_or(SrtpError::Short)?;
                let (clear, sealed) = body.split_at_mut_checked(RTCP_CLEAR_LEN).ok_or(SrtpError::Short)?;
                let aad = rtcp_aad(clear, word.to_be_bytes()).ok_or(SrtpError::Short)?;
                key.open_in_place(rtcp_nonce(salt, ssrc, index), Aad::from(aad), sealed)
                    .map_err(|_| SrtpError::Auth)?;
                Ok(body_len - GCM_TAG_LEN)
            }
            Self::CmSha1(cm) => {
                let signed_len = len.checked_sub(SHA1_TAG_LEN).ok_or(SrtpError::Short)?;
                let plain_len = signed_len.checked_sub(4).filter(|plain| *plain >= RTCP_CLEAR_LEN);
                let plain_len = plain_len.ok_or(SrtpError::Short)?;
                let (signed, tag) = packet.split_at_mut_checked(signed_len).ok_or(SrtpError::Short)?;
                cm.verify(&[signed], tag)?;
                let payload = signed.get_mut(RTCP_CLEAR_LEN..plain_len).unwrap_or_default();
                cm.apply(payload, ssrc, u64::from(index));
                Ok(plain_len)
            }
        }
    }

    /// The index word of an RTCP packet: at its end, or before the tag where the tag is not part of the
    /// ciphertext.
    pub(super) fn rtcp_word(&self, packet: &[u8]) -> Option<u32> {
        let behind = match self {
            Self::Gcm { .. } => 0,
            Self::CmSha1(_) => SHA1_TAG_LEN,
        };
        let end = packet.len().checked_sub(behind)?;
        let word = packet.get(end.checked_sub(4)?..end)?;
        word.try_into().ok().map(u32::from_be_bytes)
    }
}

impl CmSha1 {
    /// Applies the key stream of a packet (RFC 3711 §4.1.1).
    fn apply(&self, payload: &mut [u8], ssrc: Ssrc, index: u64) {
        let mut salt = [0; 16];
        salt.iter_mut().zip(&self.salt).for_each(|(target, byte)| *target = *byte);
        let iv = u128::from_be_bytes(salt) ^ u128::from(ssrc.get()) << 64 ^ u128::from(index) << 16;
        // The key schedule is copied, not computed again.
        let core = ctr::CtrCore::<_, ctr::flavors::Ctr128BE>::inner_iv_init(self.key.clone(), &iv.to_be_bytes().into());
        aes::cipher::StreamCipherCoreWrapper::from_core(core).apply_keystream(payload);
    }

    fn context(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.auth);
        parts.iter().for_each(|part| context.update(part));
        context.sign()
    }

    fn sign(&self, parts: &[&[u8]]) -> Tag {
        Tag::new(self.context(parts).as_ref().get(..SHA1_TAG_LEN).unwrap_or_default())
    }

    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), SrtpError> {
        let expected = self.context(parts);
        let expected = expected.as_ref().get(..SHA1_TAG_LEN).unwrap_or_default();
        constant_time::verify_slices_are_equal(expected, tag).map_err(|_| SrtpError::Auth)
    }
}

/// What is appended to a sealed packet.
pub(super) struct Tag {
    bytes: [u8; 20],
    len: usize,
}

impl Tag {
    fn new(bytes: &[u8]) -> Self {
        Self { bytes: [0; 20], len: 0 }.then(bytes)
    }

    fn then(mut self, more: &[u8]) -> Self {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        let count = free.iter_mut().zip(more).map(|(target, byte)| *target = *byte).count();
        self.len += count;
        self
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// RFC 7714 §8.1: two zero bytes, SSRC, roll-over counter, sequence number; exclusive-ored with the salt.
fn rtp_nonce(salt: &[u8; 12], ssrc: Ssrc, index: u64) -> Nonce {
    nonce(salt, u128::from(ssrc.get()) << 48 | u128::from(index & 0xFFFF_FFFF_FFFF))
}

/// RFC 7714 §9.1: two zero bytes, SSRC, two zero bytes, index; exclusive-ored with the salt.
fn rtcp_nonce(salt: &[u8; 12], ssrc: Ssrc, index: u32) -> Nonce {
    nonce(salt, u128::from(ssrc.get()) << 48 | u128::from(index))
}

fn nonce(salt: &[u8; 12], value: u128) -> Nonce {
    let [_, _, _, _, value @ ..] = value.to_be_bytes();
    let mut bytes = *salt;
    bytes.iter_mut().zip(&value).for_each(|(byte, other)| *byte ^= other);
    Nonce::assume_unique_for_key(bytes)
}

/// RFC 7714 §9.2: the clear header and the index word.
fn rtcp_aad(clear: &[u8], word: [u8; 4]) -> Option<[u8; 12]> {
    let clear: [u8; 8] = clear.try_into().ok()?;
    let [a, b, c, d, e, f, g, h] = clear;
    let [i, j, k, l] = word;
    Some([a, b, c, d, e, f, g, h, i, j, k, l])
}
