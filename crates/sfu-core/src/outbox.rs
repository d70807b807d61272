//! Bytes to send, and where: one arena and one list, filled by the worker and emptied by its driver.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

/// Where a datagram came from or goes to: one of our sockets, our address there, the peer's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// Which of the worker's sockets, by the driver's own numbering.
    pub socket: u16,
    /// Our address that the peer sent to; replies leave from it.
    pub local: IpAddr,
    /// The peer's address.
    pub peer: SocketAddr,
}

impl Hash for Path {
    /// The peer alone decides the bucket: it differs between almost all paths, and one short hash per
    /// packet is what the look-up may cost.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.peer {
            SocketAddr::V4(peer) => {
                state.write_u64(u64::from(peer.ip().to_bits()) << 16 | u64::from(peer.port()));
            }
            SocketAddr::V6(peer) => {
                state.write_u128(peer.ip().to_bits());
                state.write_u16(peer.port());
            }
        }
    }
}

/// One datagram in the outbox.
#[derive(Clone, Copy, Debug)]
pub struct Queued {
    /// Where it goes.
    pub path: Path,
    /// Datagrams of one flow go to one path; a driver may send those of equal size together.
    pub flow: u32,
    /// Where its bytes begin in the arena.
    pub start: u32,
    /// How many bytes it has.
    pub len: u16,
}

/// Bytes the outbox may hold before the driver is asked to send: a few full socket batches.
const LARGE_BYTES: usize = 256 * 1024;

/// Datagrams the outbox may hold before the driver is asked to send.
const LARGE_COUNT: usize = 256;

/// A run of datagrams is ended beyond this: one message carries at most 64 KiB.
const MAX_RUN_BYTES: usize = 60_000;

/// Output of a worker: datagrams in the order in which they are to leave.
#[derive(Default)]
pub struct Outbox {
    arena: Vec<u8>,
    queued: Vec<Queued>,
}

impl Outbox {
    /// An outbox whose buffers never grow in ordinary use.
    pub fn new() -> Self {
        Self { arena: Vec::with_capacity(2 * LARGE_BYTES), queued: Vec::with_capacity(2 * LARGE_COUNT) }
    }

    /// Whether the driver should send now rather than after its whole batch.
    pub fn is_large(&self) -> bool {
        self.arena.len() >= LARGE_BYTES || self.queued.len() >= LARGE_COUNT
    }

    /// Whether nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// What is to be sent, in order.
    pub fn queued(&self) -> &[Queued] {
        &self.queued
    }

    /// The bytes of one queued datagram.
    pub fn bytes(&self, queued: &Queued) -> &[u8] {
        let start = queued.start as usize;
        &self.arena[start..start + usize::from(queued.len)]
    }

    /// Every datagram with its path, in order.
    pub fn datagrams(&self) -> impl Iterator<Item = (Path, &[u8])> {
        self.queued.iter().map(|queued| (queued.path, self.bytes(queued)))
    }

    /// The datagrams in runs that may be sent as one message: side by side, to one path, all of the first one's
    /// size but the last, which may be shorter. Each with that size.
    pub fn runs(&self) -> impl Iterator<Item = (Path, u16, &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let first = self.queued.get(at)?;
            let mut end = first.start as usize + usize::from(first.len);
            at += 1;
            while let Some(next) = self.queued.get(at) {
                let follows = next.start as usize == end && next.flow == first.flow && next.path == first.path;
                if !follows || next.len > first.len || end - first.start as usize > MAX_RUN_BYTES {
                    break;
                }
                end += usize::from(next.len);
                at += 1;
                if next.len < first.len {
                    break;
                }
            }
            Some((first.path, first.len, &self.arena[first.start as usize..end]))
        })
    }

    /// Forgets what was sent and keeps the buffers.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.queued.clear();
    }

    /// Begins a datagram: its bytes are to be appended to the returned arena from the returned offset.
    pub(crate) fn begin(&mut self) -> (&mut Vec<u8>, usize) {
        let start = self.arena.len();
        (&mut self.arena, start)
    }

    /// Ends the datagram begun at `start`. An empty or oversized one is dropped.
    pub(crate) fn commit(&mut self, start: usize, path: Path, flow: u32) {
        let len = self.arena.len() - start;
        let (Ok(start_u32), Ok(len @ 1..)) = (u32::try_from(start), u16::try_from(len)) else {
            debug_assert!(len == 0, "a datagram of {len} bytes was written");
            self.arena.truncate(start);
            return;
        };
        self.queued.push(Queued { path, flow, start: start_u32, len });
    }

    /// Takes back what was appended since `start`.
    pub(crate) fn abandon(&mut self, start: usize) {
        self.arena.truncate(start);
    }

    /// Queues a datagram that exists already.
    pub(crate) fn push(&mut self, path: Path, flow: u32, bytes: &[u8]) {
        let (arena, start) = self.begin();
        arena.extend_from_slice(bytes);
        self.commit(start, path, flow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        let local = IpAddr::from([127, 0, 0, 1]);
        Path { socket: 0, local, peer: SocketAddr::new(local, port) }
    }

    #[test]
    fn equal_datagrams_of_one_path_make_a_run_that_a_shorter_one_ends() {
        let mut out = Outbox::new();
        for (port, len) in [(1, 100), (1, 100), (1, 60), (1, 100), (2, 100), (2, 120), (2, 120)] {
            out.push(path(port), u32::from(port), &vec![port as u8; len]);
        }
        let runs: Vec<_> = out.runs().map(|(path, segment, bytes)| (path.peer.port(), segment, bytes.len())).collect();
        assert_eq!(runs, [(1, 100, 260), (1, 100, 100), (2, 100, 100), (2, 120, 240)]);
    }

    #[test]
    fn what_is_empty_or_too_long_for_a_datagram_is_not_queued() {
        let mut out = Outbox::new();
        out.push(path(1), 1, &[]);
        assert!(out.is_empty());
    }
}
