//! A bound, non-blocking UDP socket. Reading and writing happen in batches, by `Inbox` and `Sender`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, Socket, Type};

/// Buffers to ask the kernel for, in bytes of payload and its bookkeeping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SocketOptions {
    /// `SO_RCVBUF`.
    pub receive_buffer: usize,
    /// `SO_SNDBUF`.
    pub send_buffer: usize,
}

/// Why a socket could not be had. Each names the address and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// `EADDRINUSE`.
    #[error("UDP port {} on {} is in use: stop the program that has it, or choose another port", .address.port(), .address.ip())]
    InUse {
        /// What was to be bound.
        address: SocketAddr,
    },
    /// `EADDRNOTAVAIL`.
    #[error("{} is no address of this machine: listen on one that it has, or on 0.0.0.0 and ::", .address.ip())]
    NotOurs {
        /// What was to be bound.
        address: SocketAddr,
    },
    /// `EACCES` or `EPERM`.
    #[error("not allowed to bind UDP port {} on {}: choose a port above 1023, or grant CAP_NET_BIND_SERVICE", .address.port(), .address.ip())]
    Denied {
        /// What was to be bound.
        address: SocketAddr,
    },
    /// `EAFNOSUPPORT`: most often IPv6 switched off.
    #[error("this machine does not speak the protocol of {}: leave that address out", .address.ip())]
    NoSuchProtocol {
        /// What was to be bound.
        address: SocketAddr,
    },
    /// Anything else, in the system's words.
    #[error("UDP socket on {address} could not be set up")]
    Other {
        /// What was to be bound.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

impl BindError {
    fn new(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { address },
            io::ErrorKind::AddrNotAvailable => Self::NotOurs { address },
            io::ErrorKind::PermissionDenied => Self::Denied { address },
            _ if source.raw_os_error() == Some(libc::EAFNOSUPPORT) => Self::NoSuchProtocol { address },
            _ => Self::Other { address, source },
        }
    }
}

/// A bound UDP socket that never blocks.
#[derive(Debug)]
pub struct UdpSocket {
    socket: std::net::UdpSocket,
    local: SocketAddr,
    buffers: (usize, usize),
    /// The kernel knows `UDP_SEGMENT`. One that does not would ignore it and send a run as one datagram.
    segments: bool,
}

impl UdpSocket {
    /// Binds `address`; port 0 lets the system choose. An IPv6 socket takes no IPv4 traffic, so that both families
    /// can be bound on one port.
    pub fn bind(address: SocketAddr, options: &SocketOptions) -> Result<Self, BindError> {
        Self::try_bind(address, options).map_err(|source| BindError::new(address, source))
    }

    fn try_bind(address: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        let segments = platform::prepare(&socket, address)?;
        socket.bind(&address.into())?;
        let buffers = platform::size_buffers(&socket, options)?;
        let socket = std::net::UdpSocket::from(socket);
        let local = socket.local_addr()?;
        Ok(Self { socket, local, buffers, segments })
    }

    /// What it is bound to, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The receive and the send buffer that the kernel granted, in the measure of [`SocketOptions`].
    pub fn buffer_sizes(&self) -> (usize, usize) {
        self.buffers
    }

    /// Bound to one address of ours; `None` when bound to all of them.
    pub(crate) fn only_address(&self) -> Option<IpAddr> {
        Some(self.local.ip()).filter(|address| !address.is_unspecified())
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn segments(&self) -> bool {
        self.segments
    }

    pub(crate) fn as_std(&self) -> &std::net::UdpSocket {
        &self.socket
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(target_os = "linux")]
mod platform {
    //! What Linux can do: arrival address, arrival time, segmentation, buffers beyond the administrator's maximum.

    use std::io;
    use std::net::SocketAddr;
    use std::os::fd::AsRawFd;

    use socket2::Socket;

    use super::SocketOptions;

    /// Turns on what `batch` reads from control messages; tells whether the kernel can segment.
    pub(super) fn prepare(socket: &Socket, address: SocketAddr) -> io::Result<bool> {
        set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
        // A socket bound to one address needs not be told that address with every datagram.
        if address.ip().is_unspecified() {
            match address {
                SocketAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?,
                SocketAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)?,
            }
        }
        // Zero is the default: no segmentation unless a message asks for it. Only the answer matters.
        Ok(set_option(socket, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok())
    }

    /// Asks past `net.core.rmem_max` first, which root may, then within it; the kernel cuts silently.
    pub(super) fn size_buffers(socket: &Socket, options: &SocketOptions) -> io::Result<(usize, usize)> {
        if set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, clamp(options.receive_buffer)).is_err() {
            socket.set_recv_buffer_size(options.receive_buffer)?;
        }
        if set_option(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, clamp(options.send_buffer)).is_err() {
            socket.set_send_buffer_size(options.send_buffer)?;
        }
        // socket(7): the kernel doubles what it is given and tells the double.
        Ok((socket.recv_buffer_size()? / 2, socket.send_buffer_size()? / 2))
    }

    fn clamp(size: usize) -> libc::c_int {
        // Doubled by the kernel, so half of the range is all there is.
        libc::c_int::try_from(size).unwrap_or(libc::c_int::MAX).min(libc::c_int::MAX / 2)
    }

    fn set_option(socket: &Socket, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        // SAFETY: the descriptor is open for the length of this borrow; `value` lives through the call and `length` is
        // its size.
        let answer = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length) };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    //! What every other system can do.

    use std::io;
    use std::net::SocketAddr;

    use socket2::Socket;

    use super::SocketOptions;

    pub(super) fn prepare(_socket: &Socket, _address: SocketAddr) -> io::Result<bool> {
        Ok(false)
    }

    /// BSD systems refuse what is above their maximum, instead of cutting: halve until it is taken.
    pub(super) fn size_buffers(socket: &Socket, options: &SocketOptions) -> io::Result<(usize, usize)> {
        let halvings =
            |size: usize| std::iter::successors(Some(size), |size| Some(size / 2)).take_while(|&size| size > 0);
        let _kept_as_it_was = halvings(options.receive_buffer).find(|&size| socket.set_recv_buffer_size(size).is_ok());
        let _kept_as_it_was = halvings(options.send_buffer).find(|&size| socket.set_send_buffer_size(size).is_ok());
        Ok((socket.recv_buffer_size()?, socket.send_buffer_size()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: SocketOptions = SocketOptions { receive_buffer: 1 << 18, send_buffer: 1 << 18 };

    #[test]
    fn a_taken_port_is_named_in_the_error() {
        let first = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &OPTIONS).unwrap();
        let error = UdpSocket::bind(first.local_addr(), &OPTIONS).unwrap_err();
        assert!(matches!(error, BindError::InUse { address } if address == first.local_addr()), "{error:?}");
        assert!(error.to_string().contains(&first.local_addr().port().to_string()), "{error}");
    }

    #[test]
    fn an_address_of_another_machine_is_refused_with_advice() {
        // TEST-NET-1 (RFC 5737 §3) is on no machine.
        let error = UdpSocket::bind(SocketAddr::from(([203, 0, 113, 1], 0)), &OPTIONS).unwrap_err();
        assert!(matches!(error, BindError::NotOurs { .. }), "{error:?}");
        assert!(error.to_string().contains("203.0.113.1"), "{error}");
    }

    #[test]
    fn both_families_can_have_one_port() {
        let v6 = UdpSocket::bind(SocketAddr::from(([0u16; 8], 0)), &OPTIONS).unwrap();
        let v4 = UdpSocket::bind(SocketAddr::from(([0; 4], v6.local_addr().port())), &OPTIONS).unwrap();
        assert_eq!(v4.local_addr().port(), v6.local_addr().port());
    }

    #[test]
    fn a_buffer_within_the_maximum_is_granted_in_full() {
        let asked = SocketOptions { receive_buffer: 50_000, send_buffer: 60_000 };
        let socket = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &asked).unwrap();
        let (receive, send) = socket.buffer_sizes();
        assert!(receive >= 50_000 && send >= 60_000, "{receive} {send}");
    }

    #[test]
    fn a_buffer_beyond_all_bounds_is_cut_and_told() {
        let asked = SocketOptions { receive_buffer: usize::MAX >> 1, send_buffer: usize::MAX >> 1 };
        if let Ok(socket) = UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &asked) {
            assert!(socket.buffer_sizes().0 < asked.receive_buffer);
        }
    }
}
