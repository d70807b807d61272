//! Datagrams that a participant sends, with the pair of addresses each goes over: one arena, one list.

use std::net::SocketAddr;

/// Our address and the server's.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Pair {
    /// One of the participant's own addresses.
    pub local: SocketAddr,
    /// One of the server's.
    pub remote: SocketAddr,
}

/// Datagrams in the order in which they are to leave.
#[derive(Debug, Default)]
pub struct Output {
    arena: Vec<u8>,
    /// Where each datagram ends in the arena.
    queued: Vec<(Pair, usize)>,
}

impl Output {
    /// Nothing to send yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is to be sent.
    pub fn is_empty(&self) -> bool {
        self.queued.is_empty()
    }

    /// Every datagram with its pair, in order.
    pub fn datagrams(&self) -> impl Iterator<Item = (Pair, &[u8])> {
        let mut start = 0;
        self.queued.iter().map(move |&(pair, end)| {
            let bytes = self.arena.get(start..end).unwrap_or_default();
            start = end;
            (pair, bytes)
        })
    }

    /// Forgets what was sent and keeps the buffers.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.queued.clear();
    }

    /// Queues a datagram that exists already.
    pub fn push(&mut self, pair: Pair, bytes: &[u8]) {
        let start = self.begin();
        self.arena.extend_from_slice(bytes);
        self.commit(start, pair);
    }

    /// Where the next datagram begins; its bytes are to be appended to [`Output::arena`].
    pub(crate) fn begin(&self) -> usize {
        self.arena.len()
    }

    pub(crate) fn arena(&mut self) -> &mut Vec<u8> {
        &mut self.arena
    }

    /// Ends the datagram begun at `start`; an empty one is not queued.
    pub(crate) fn commit(&mut self, start: usize, pair: Pair) {
        if self.arena.len() > start {
            self.queued.push((pair, self.arena.len()));
        }
    }

    /// Takes back what was appended since `start`.
    pub(crate) fn abandon(&mut self, start: usize) {
        self.arena.truncate(start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_come_out_as_they_went_in() {
        let pair = |port| Pair { local: ([10, 0, 0, 1], port).into(), remote: ([192, 0, 2, 1], 10_000).into() };
        let mut out = Output::new();
        out.push(pair(1), b"one");
        let start = out.begin();
        out.arena().extend_from_slice(b"taken back");
        out.abandon(start);
        out.push(pair(2), b"");
        out.push(pair(3), b"three");
        assert_eq!(out.datagrams().collect::<Vec<_>>(), [(pair(1), &b"one"[..]), (pair(3), b"three")]);
        out.clear();
        assert!(out.is_empty());
    }
}
