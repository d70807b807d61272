//! One datagram, received or to be sent, as every implementation of the batches sees it.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Longest datagram that is received whole; longer ones are dropped and counted. Above every Ethernet MTU that
/// reaches the Internet (1,500), below jumbo frames, which no media peer sends.
pub const MAX_DATAGRAM_BYTES: usize = 2048;

/// Segments that one message may carry: `UDP_MAX_SEGMENTS` of the kernels that have the least.
const MAX_SEGMENTS: usize = 64;

/// Payload bytes that one message may carry: what fits the 16-bit length of IPv4 and UDP together (RFC 791 §3.1).
const MAX_MESSAGE_BYTES: usize = 65_507;

/// A datagram that has arrived; its bytes are lent until the next `receive`.
#[derive(Debug, Eq, PartialEq)]
pub struct Received<'a> {
    /// Who sent it.
    pub peer: SocketAddr,
    /// The address of ours it arrived at, which a reply should leave from. The unspecified address where the socket
    /// is bound to it and the platform cannot tell.
    pub local: IpAddr,
    /// When the kernel took it from the network, where the platform tells; otherwise when it was read. Never falls
    /// within a batch; may lie shortly after the `now` that was given to `receive`.
    pub received_at: Instant,
    /// What it carried, to be decrypted in place.
    pub bytes: &'a mut [u8],
}

/// One datagram, or a run of them to one peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Outgoing<'a> {
    /// Where it goes.
    pub peer: SocketAddr,
    /// The address of ours it shall leave from; heeded where the socket is bound to the unspecified address.
    /// `None` (or the unspecified address) leaves the choice to the routing table.
    pub local: Option<IpAddr>,
    /// The payload, or several payloads end to end.
    pub bytes: &'a [u8],
    /// With a size, `bytes` are cut into datagrams of that many bytes; the last may be shorter.
    pub segment: Option<u16>,
}

impl<'a> Outgoing<'a> {
    /// Size to cut at, if there is anything to cut.
    pub(crate) fn cut(&self) -> Option<u16> {
        self.segment.filter(|&size| size > 0 && usize::from(size) < self.bytes.len())
    }

    /// Datagrams that this becomes on the network.
    pub(crate) fn datagrams(&self) -> usize {
        self.cut().map_or(1, |size| self.bytes.len().div_ceil(usize::from(size)))
    }

    /// The longest beginning of whole segments that one message may carry, and what remains after it.
    pub(crate) fn split_for_message(self) -> (Self, Option<Self>) {
        let Some(size) = self.cut() else { return (self, None) };
        let size = usize::from(size);
        let most = size * MAX_SEGMENTS.min(MAX_MESSAGE_BYTES / size).max(1);
        self.split_at(most)
    }

    /// The first segment, and what remains after it.
    pub(crate) fn split_segment(self) -> (Self, Option<Self>) {
        match self.cut() {
            Some(size) => self.split_at(usize::from(size)),
            None => (self, None),
        }
    }

    fn split_at(self, at: usize) -> (Self, Option<Self>) {
        match self.bytes.split_at_checked(at) {
            Some((first, rest)) if !rest.is_empty() => {
                (Self { bytes: first, ..self }, Some(Self { bytes: rest, ..self }))
            }
            _ => (self, None),
        }
    }
}

/// What became of a batch, counted in datagrams (each segment is one).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[must_use]
pub struct SendOutcome {
    /// Handed to the kernel.
    pub sent: usize,
    /// Refused by the kernel one by one: no route, too long, forbidden.
    pub dropped: usize,
    /// Not sent because the socket's send buffer was full; gone all the same, nothing is kept back.
    pub would_block: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(bytes: &[u8], segment: Option<u16>) -> Outgoing<'_> {
        Outgoing { peer: SocketAddr::from(([127, 0, 0, 1], 9)), local: None, bytes, segment }
    }

    #[test]
    fn a_run_is_counted_in_datagrams() {
        let bytes = [0; 100];
        let cases =
            [(None, 1), (Some(0), 1), (Some(100), 1), (Some(200), 1), (Some(50), 2), (Some(33), 4), (Some(1), 100)];
        for (segment, datagrams) in cases {
            assert_eq!(run(&bytes, segment).datagrams(), datagrams, "{segment:?}");
        }
        assert_eq!(run(&[], Some(5)).datagrams(), 1, "an empty datagram is one");
    }

    #[test]
    fn a_run_too_long_for_one_message_is_cut_between_segments() {
        let bytes = vec![7; 200_000];
        for size in [1, 100, 1_000, 1_200, 65_000] {
            let mut rest = Some(run(&bytes, Some(size)));
            let mut total = 0;
            while let Some(message) = rest {
                let (first, after) = message.split_for_message();
                assert!(first.datagrams() <= MAX_SEGMENTS && first.bytes.len() <= MAX_MESSAGE_BYTES, "segment {size}");
                assert!(
                    after.is_none() || first.bytes.len() % usize::from(size) == 0,
                    "cut inside a segment of {size}"
                );
                total += first.bytes.len();
                rest = after;
            }
            assert_eq!(total, bytes.len());
        }
    }
}
