//! Control messages beside a datagram: cmsg(3), ip(7), ipv6(7), udp(7). The kernel's layout is read and written as
//! bytes: a `cmsghdr` is a length (size_t), a level and a type (int each), then data, all aligned to size_t.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Room for what is asked of the kernel on receiving: a timestamp (16 + 16) and the larger packet info (16 + 20),
/// each rounded up; and on sending: packet info and a segment size (16 + 2).
const CONTROL_BYTES: usize = 96;

const WORD: usize = size_of::<usize>();
const HEADER_BYTES: usize = WORD + 2 * size_of::<libc::c_int>();

/// A buffer of control messages, aligned as their headers need.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(super) struct Control([u8; CONTROL_BYTES]);

/// What the kernel told beside a datagram.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Arrival {
    /// Address of ours that it arrived at.
    pub(super) local: Option<IpAddr>,
    /// Wall time of its arrival, since the Unix epoch.
    pub(super) stamp: Option<Duration>,
}

impl Control {
    pub(super) const EMPTY: Self = Self([0; CONTROL_BYTES]);
    pub(super) const BYTES: usize = CONTROL_BYTES;

    /// Reads the messages in the first `length` bytes; what is not known or not whole is passed over.
    pub(super) fn read(&self, length: usize) -> Arrival {
        let mut arrival = Arrival::default();
        let mut rest = self.0.get(..length).unwrap_or_default();
        while let Some((message, after)) = Message::first(rest) {
            match (message.level, message.kind) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => arrival.stamp = message.timespec(),
                // `in_pktinfo`: interface, our address, the address in the header. The two differ for broadcast.
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    arrival.local = field(message.data, 4).map(|octets: [u8; 4]| Ipv4Addr::from(octets).into());
                }
                // `in6_pktinfo`: our address, interface.
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    arrival.local = field(message.data, 0).map(|octets: [u8; 16]| Ipv6Addr::from(octets).into());
                }
                _ => {}
            }
            rest = after;
        }
        arrival
    }

    /// Writes what to tell the kernel with a message to send; the answer is how many bytes that takes.
    pub(super) fn write(&mut self, local: Option<IpAddr>, segment: Option<u16>) -> usize {
        let mut end = 0;
        match local {
            Some(IpAddr::V4(v4)) => {
                // Interface 0: the routing table's choice. The third field is ignored on sending.
                let mut info = [0; size_of::<libc::in_pktinfo>()];
                info[4..8].copy_from_slice(&v4.octets());
                end = self.append(end, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            Some(IpAddr::V6(v6)) => {
                let mut info = [0; size_of::<libc::in6_pktinfo>()];
                info[..16].copy_from_slice(&v6.octets());
                end = self.append(end, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            None => {}
        }
        if let Some(segment) = segment {
            end = self.append(end, libc::SOL_UDP, libc::UDP_SEGMENT, &segment.to_ne_bytes());
        }
        end
    }

    /// How long what `write` wrote is without its last message, a segment size.
    pub(super) fn length_without_segment(length: usize) -> usize {
        length - (HEADER_BYTES + size_of::<u16>()).next_multiple_of(WORD)
    }

    fn append(&mut self, at: usize, level: libc::c_int, kind: libc::c_int, data: &[u8]) -> usize {
        let end = at + HEADER_BYTES + data.len();
        self.0[at..at + WORD].copy_from_slice(&(end - at).to_ne_bytes());
        self.0[at + WORD..at + WORD + 4].copy_from_slice(&level.to_ne_bytes());
        self.0[at + WORD + 4..at + HEADER_BYTES].copy_from_slice(&kind.to_ne_bytes());
        self.0[at + HEADER_BYTES..end].copy_from_slice(data);
        end.next_multiple_of(WORD)
    }
}

struct Message<'a> {
    level: libc::c_int,
    kind: libc::c_int,
    data: &'a [u8],
}

impl<'a> Message<'a> {
    /// The first message of `bytes`, and the bytes after it.
    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let length = usize::from_ne_bytes(field(bytes, 0)?);
        let level = libc::c_int::from_ne_bytes(field(bytes, WORD)?);
        let kind = libc::c_int::from_ne_bytes(field(bytes, WORD + 4)?);
        let data = bytes.get(HEADER_BYTES..length)?;
        let after = length.checked_next_multiple_of(WORD).and_then(|at| bytes.get(at..)).unwrap_or_default();
        Some((Self { level, kind, data }, after))
    }

    fn timespec(&self) -> Option<Duration> {
        let seconds = libc::c_long::from_ne_bytes(field(self.data, 0)?);
        let nanoseconds = libc::c_long::from_ne_bytes(field(self.data, size_of::<libc::c_long>())?);
        Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?))
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_the_c_macros_measure() {
        // SAFETY: CMSG_SPACE computes with its argument and reads nothing.
        let space = |length: usize| unsafe { libc::CMSG_SPACE(length as libc::c_uint) } as usize;
        let mut control = Control::EMPTY;
        let v4 = Some(IpAddr::from([127, 0, 0, 1]));
        let v6 = Some(IpAddr::from([1u16; 8]));
        assert_eq!(control.write(None, None), 0);
        assert_eq!(control.write(None, Some(1_200)), space(2));
        assert_eq!(control.write(v4, None), space(size_of::<libc::in_pktinfo>()));
        assert_eq!(control.write(v6, None), space(size_of::<libc::in6_pktinfo>()));
        assert_eq!(control.write(v6, Some(9)), space(size_of::<libc::in6_pktinfo>()) + space(2));
        let most_received = space(size_of::<libc::timespec>()) + space(size_of::<libc::in6_pktinfo>());
        assert!(most_received <= CONTROL_BYTES);
    }

    #[test]
    fn an_arrival_is_read_from_all_its_messages() {
        let mut control = Control::EMPTY;
        let mut stamp = Vec::new();
        stamp.extend((12 as libc::c_long).to_ne_bytes());
        stamp.extend((34 as libc::c_long).to_ne_bytes());
        let end = control.append(0, libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS, &stamp);
        let mut info = [0; size_of::<libc::in6_pktinfo>()];
        info[..16].copy_from_slice(&[3; 16]);
        let end = control.append(end, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        let arrival = control.read(end);
        assert_eq!(arrival.stamp, Some(Duration::new(12, 34)));
        assert_eq!(arrival.local, Some(IpAddr::from([3u8; 16])));
    }

    #[test]
    fn broken_messages_are_passed_over() {
        let mut control = Control::EMPTY;
        let end = control.write(Some(IpAddr::from([9u16; 8])), Some(5));
        for length in 0..=end {
            let _total = control.read(length);
        }
        for length in [0, 1, HEADER_BYTES - 1, usize::MAX, usize::MAX - 3] {
            control.0[..WORD].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(control.read(end), Arrival::default(), "a message said to be {length} bytes long");
        }
    }
}
