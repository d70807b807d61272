//! From what DTLS exports to session keys (RFC 5764 §4.2, RFC 3711 §4.3).

use std::fmt;

use aes::cipher::{KeyIvInit, StreamCipher};
use aes::{Aes128, Aes256};

use super::{SrtpError, SrtpProfile};

type Ctr128 = ctr::Ctr128BE<Aes128>;
type Ctr256 = ctr::Ctr128BE<Aes256>;

/// Master key and salt of one direction.
#[derive(Clone)]
pub struct MasterKey {
    key: Vec<u8>,
    salt: Vec<u8>,
}

impl MasterKey {
    /// A key and salt of the lengths that the profile wants; checked when they are used.
    pub fn new(key: &[u8], salt: &[u8]) -> Self {
        Self { key: key.to_vec(), salt: salt.to_vec() }
    }
}

impl fmt::Debug for MasterKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

/// Cuts exported keying material into the keys that the DTLS client and the DTLS server send with, in this order.
/// `None` when its length is not the profile's.
pub fn split_keying_material(profile: SrtpProfile, material: &[u8]) -> Option<(MasterKey, MasterKey)> {
    if material.len() != profile.keying_material_len() {
        return None;
    }
    let (client_key, rest) = material.split_at_checked(profile.key_len())?;
    let (server_key, rest) = rest.split_at_checked(profile.key_len())?;
    let (client_salt, server_salt) = rest.split_at_checked(profile.salt_len())?;
    Some((MasterKey::new(client_key, client_salt), MasterKey::new(server_key, server_salt)))
}

/// What a session key is for: the first of its three labels (RFC 3711 §4.3.1, §4.3.2).
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    Rtp = 0,
    Rtcp = 3,
}

/// Keys of one direction and purpose.
pub(super) struct SessionKeys {
    pub(super) cipher: Vec<u8>,
    /// Only of the HMAC-SHA1 profile.
    pub(super) auth: [u8; 20],
    /// In the first `salt_len` bytes.
    pub(super) salt: [u8; 14],
}

impl SessionKeys {
    pub(super) fn derive(profile: SrtpProfile, master: &MasterKey, purpose: Purpose) -> Result<Self, SrtpError> {
        if master.key.len() != profile.key_len() || master.salt.len() != profile.salt_len() {
            return Err(SrtpError::KeyLength);
        }
        let label = purpose as u8;
        let mut keys = Self { cipher: vec![0; profile.key_len()], auth: [0; 20], salt: [0; 14] };
        fill(master, label, &mut keys.cipher)?;
        fill(master, label + 1, &mut keys.auth)?;
        fill(master, label + 2, keys.salt.get_mut(..profile.salt_len()).unwrap_or_default())?;
        Ok(keys)
    }
}

/// The key stream for `label`, at key derivation rate 0 (RFC 3711 §4.3.3; for GCM RFC 7714 §11).
fn fill(master: &MasterKey, label: u8, out: &mut [u8]) -> Result<(), SrtpError> {
    let mut iv = [0; 16];
    for (target, byte) in iv.iter_mut().zip(&master.salt) {
        *target = *byte;
    }
    // The label stands left of the 48-bit index in the right-aligned 112-bit value.
    if let Some(byte) = iv.get_mut(7) {
        *byte ^= label;
    }
    match master.key.len() {
        16 => Ctr128::new_from_slices(&master.key, &iv).map_err(|_| SrtpError::KeyLength)?.apply_keystream(out),
        32 => Ctr256::new_from_slices(&master.key, &iv).map_err(|_| SrtpError::KeyLength)?.apply_keystream(out),
        _ => return Err(SrtpError::KeyLength),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keying_material_is_cut_in_the_order_of_rfc_5764() {
        let material: Vec<u8> = (0..60).collect();
        let (client, server) =
            split_keying_material(SrtpProfile::AesCm128HmacSha1_80, &material).expect("60 bytes are right");
        assert_eq!((client.key[0], server.key[0], client.salt[0], server.salt[0]), (0, 16, 32, 46));
        assert!(split_keying_material(SrtpProfile::AesCm128HmacSha1_80, &material[1..]).is_none());
    }
}
