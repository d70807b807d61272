//! Attribute types (RFC 8489 §18.3, RFC 8445 §20.1).

pub(super) const MAPPED_ADDRESS: u16 = 0x0001;
pub(super) const USERNAME: u16 = 0x0006;
pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
pub(super) const ERROR_CODE: u16 = 0x0009;
pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000A;
pub(super) const REALM: u16 = 0x0014;
pub(super) const NONCE: u16 = 0x0015;
pub(super) const MESSAGE_INTEGRITY_SHA256: u16 = 0x001C;
pub(super) const PASSWORD_ALGORITHM: u16 = 0x001D;
pub(super) const USERHASH: u16 = 0x001E;
pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub(super) const PRIORITY: u16 = 0x0024;
pub(super) const USE_CANDIDATE: u16 = 0x0025;
pub(super) const SOFTWARE: u16 = 0x8022;
pub(super) const FINGERPRINT: u16 = 0x8028;
pub(super) const ICE_CONTROLLED: u16 = 0x8029;
pub(super) const ICE_CONTROLLING: u16 = 0x802A;

/// From here on an attribute may be ignored by who does not know it (RFC 8489 §14).
const COMPREHENSION_OPTIONAL: u16 = 0x8000;

/// Whether a message must be refused for an attribute of this type: it has to be understood, and is not.
/// Those of the long-term mechanism are known well enough to leave them alone.
pub(super) const fn is_unknown_and_required(kind: u16) -> bool {
    let is_known = matches!(
        kind,
        MAPPED_ADDRESS
            | USERNAME
            | MESSAGE_INTEGRITY
            | ERROR_CODE
            | UNKNOWN_ATTRIBUTES
            | REALM
            | NONCE
            | MESSAGE_INTEGRITY_SHA256
            | PASSWORD_ALGORITHM
            | USERHASH
            | XOR_MAPPED_ADDRESS
            | PRIORITY
            | USE_CANDIDATE
    );
    kind < COMPREHENSION_OPTIONAL && !is_known
}
