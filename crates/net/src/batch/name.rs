//! Socket addresses as the kernel writes them: ip(7), ipv6(7). Bytes in and out, so that a wrong length or family is
//! an answer and not a misread union.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

const V4_BYTES: usize = size_of::<libc::sockaddr_in>();
const V6_BYTES: usize = size_of::<libc::sockaddr_in6>();

/// Room for a `sockaddr_in` or a `sockaddr_in6`, aligned as either.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct Name([u8; V6_BYTES]);

impl Name {
    pub(super) const EMPTY: Self = Self([0; V6_BYTES]);
    pub(super) const BYTES: usize = V6_BYTES;

    /// The address in the first `length` bytes; `None` for another family or a short one.
    pub(super) fn read(&self, length: usize) -> Option<SocketAddr> {
        let bytes = self.0.get(..length)?;
        let family = u16::from_ne_bytes(*bytes.first_chunk()?);
        let port = u16::from_be_bytes(field(bytes, 2)?);
        match libc::c_int::from(family) {
            libc::AF_INET => Some(SocketAddrV4::new(Ipv4Addr::from(field::<4>(bytes, 4)?), port).into()),
            libc::AF_INET6 => {
                let flow = u32::from_ne_bytes(field(bytes, 4)?);
                let scope = u32::from_ne_bytes(field(bytes, 24)?);
                Some(SocketAddrV6::new(Ipv6Addr::from(field::<16>(bytes, 8)?), port, flow, scope).into())
            }
            _ => None,
        }
    }

    /// Writes `address`; the answer is how many bytes it takes.
    pub(super) fn write(&mut self, address: SocketAddr) -> usize {
        let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        self.0[..2].copy_from_slice(&(family as u16).to_ne_bytes());
        self.0[2..4].copy_from_slice(&address.port().to_be_bytes());
        match address {
            SocketAddr::V4(v4) => {
                self.0[4..8].copy_from_slice(&v4.ip().octets());
                self.0[8..V4_BYTES].fill(0);
                V4_BYTES
            }
            SocketAddr::V6(v6) => {
                self.0[4..8].copy_from_slice(&v6.flowinfo().to_ne_bytes());
                self.0[8..24].copy_from_slice(&v6.ip().octets());
                self.0[24..].copy_from_slice(&v6.scope_id().to_ne_bytes());
                V6_BYTES
            }
        }
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_the_way_through_the_kernels_form() {
        let cases = [
            SocketAddr::from(([192, 0, 2, 1], 4_000)),
            SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 65_535)),
            SocketAddrV6::new("fe80::1".parse().unwrap(), 1, 0, 7).into(),
        ];
        for address in cases {
            // What stood there before must not shine through.
            let mut name = Name([0xff; V6_BYTES]);
            let length = name.write(address);
            assert_eq!(name.read(length), Some(address));
        }
    }

    #[test]
    fn a_cut_or_foreign_name_is_no_address() {
        let mut name = Name::EMPTY;
        let length = name.write(SocketAddr::from(([1u16; 8], 9)));
        for short in 0..length {
            assert_eq!(name.read(short), None, "{short} bytes");
        }
        assert_eq!(name.read(length + 1), None, "longer than there is room");
        name.0[..2].copy_from_slice(&(libc::AF_UNIX as u16).to_ne_bytes());
        assert_eq!(name.read(length), None, "of another family");
    }
}
