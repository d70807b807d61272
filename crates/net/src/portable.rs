//! The same [`Inbox`] and [`Sender`] with what every system has: one datagram a call, runs cut by hand.
//!
//! What is lost against Linux: datagrams carry the time of their reading, and a socket bound to the unspecified
//! address neither tells which address of ours a datagram arrived at nor lets a reply choose it; the routing table
//! does. On a machine with several addresses, bind each of them there. Compiled and tested on Linux too.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::{MAX_DATAGRAM_BYTES, Outgoing, Received, SendOutcome, UdpSocket};

/// One byte more than is taken, so that a datagram too long for us is told from one that just fits.
const SLOT_BYTES: usize = MAX_DATAGRAM_BYTES + 1;

/// Most datagrams to read at a time, as on Linux.
const MAX_BATCH: usize = 1024;

/// Errors about earlier sends that may stand in front of what has arrived, before giving up for this turn.
const MAX_ERRORS_PER_CALL: usize = 16;

/// Room for a batch of received datagrams, allocated once.
#[derive(Debug)]
pub struct Inbox {
    slots: Vec<Slot>,
    buffers: Vec<[u8; SLOT_BYTES]>,
    filled: usize,
    local: IpAddr,
    errors: u64,
    truncated: u64,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    peer: SocketAddr,
    received_at: Instant,
    length: usize,
}

impl Inbox {
    /// Room for `capacity_datagrams` (1 to 1,024) at a time.
    pub fn new(capacity_datagrams: usize) -> Self {
        let capacity = capacity_datagrams.clamp(1, MAX_BATCH);
        let empty = Slot { peer: SocketAddr::from(([0; 4], 0)), received_at: Instant::now(), length: 0 };
        Self {
            slots: vec![empty; capacity],
            buffers: vec![[0; SLOT_BYTES]; capacity],
            filled: 0,
            local: IpAddr::from([0; 4]),
            errors: 0,
            truncated: 0,
        }
    }

    /// Reads what has arrived at `socket`, as much as there is room for, without waiting; the answer is how many
    /// datagrams that were, as many as there is room for if more may be waiting. What was there before is gone.
    /// No datagram is said to have been received before `now`.
    pub fn receive(&mut self, socket: &UdpSocket, now: Instant) -> io::Result<usize> {
        self.filled = 0;
        self.local = socket.local_addr().ip();
        let mut errors = 0;
        while self.filled < self.slots.len() {
            match socket.as_std().recv_from(&mut self.buffers[self.filled]) {
                Ok((length, peer)) => {
                    self.slots[self.filled] = Slot { peer, received_at: Instant::now().max(now), length };
                    self.filled += 1;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_about_a_send(&error) => {
                    self.errors += 1;
                    errors += 1;
                    if errors == MAX_ERRORS_PER_CALL {
                        break;
                    }
                }
                // What was read before is not lost; the error comes again with the next call.
                Err(_) if self.filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(self.filled)
    }

    /// The datagrams of the last `receive` in their order. Ones longer than [`MAX_DATAGRAM_BYTES`] are left out.
    pub fn datagrams(&mut self) -> impl Iterator<Item = Received<'_>> {
        let Self { slots, buffers, filled, local, truncated, .. } = self;
        slots.iter().zip(buffers).take(*filled).filter_map(|(slot, buffer)| {
            if slot.length > MAX_DATAGRAM_BYTES {
                *truncated += 1;
                return None;
            }
            let bytes = &mut buffer[..slot.length];
            Some(Received { peer: slot.peer, local: *local, received_at: slot.received_at, bytes })
        })
    }

    /// Errors about earlier sends (ICMP: port or host unreachable) that the kernel told on receiving.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Datagrams left out because they were too long.
    pub fn truncated(&self) -> u64 {
        self.truncated
    }
}

/// Sends datagram by datagram; has no scratch.
#[derive(Debug)]
pub struct Sender(());

impl Sender {
    /// `batch` is heeded where batches are to be had.
    pub fn new(_batch: usize) -> Self {
        Self(())
    }

    /// Hands `messages` to the kernel in order, without waiting and without allocating. A datagram that the kernel
    /// refuses is dropped and the next one tried; once the socket's buffer is full, all the rest is dropped.
    pub fn send<'a>(&mut self, socket: &UdpSocket, messages: impl Iterator<Item = Outgoing<'a>>) -> SendOutcome {
        send_through(messages, |datagram| send_one(socket, datagram))
    }

    /// Never: runs are cut by hand.
    pub fn segments(&self) -> bool {
        false
    }
}

/// The bookkeeping of `send`, apart from what `send_one` asks of the system.
fn send_through<'a>(
    messages: impl Iterator<Item = Outgoing<'a>>,
    mut send_one: impl FnMut(&Outgoing<'a>) -> Result<(), ErrorKind>,
) -> SendOutcome {
    let mut outcome = SendOutcome::default();
    for message in messages {
        let mut rest = Some(message);
        while let Some(message) = rest {
            let (datagram, after) = message.split_segment();
            rest = after;
            if outcome.would_block > 0 {
                outcome.would_block += 1;
                continue;
            }
            match send_one(&datagram) {
                Ok(()) => outcome.sent += 1,
                Err(ErrorKind::WouldBlock) => outcome.would_block += 1,
                Err(_) => outcome.dropped += 1,
            }
        }
    }
    outcome
}

fn send_one(socket: &UdpSocket, datagram: &Outgoing<'_>) -> Result<(), ErrorKind> {
    // An error of the socket that an earlier send left behind is told once, in place of sending.
    let mut retried = false;
    loop {
        match socket.as_std().send_to(datagram.bytes, datagram.peer) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionRefused && !retried => retried = true,
            Err(error) => return Err(error.kind()),
        }
    }
}

/// Errors that ICMP brought (RFC 1122 §4.1.3.3): about a peer, not about this socket.
fn is_about_a_send(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_send_buffer_drops_the_rest() {
        let bytes = [0; 100];
        let run =
            Outgoing { peer: SocketAddr::from(([127, 0, 0, 1], 9)), local: None, bytes: &bytes, segment: Some(30) };
        let mut room = 6;
        let outcome = send_through([run, run, run].into_iter(), |datagram| {
            assert!(datagram.bytes.len() <= 30);
            room -= 1;
            match room {
                4 => Err(ErrorKind::NetworkUnreachable),
                0 => Err(ErrorKind::WouldBlock),
                _ => Ok(()),
            }
        });
        assert_eq!(outcome, SendOutcome { sent: 4, dropped: 1, would_block: 7 });
        assert_eq!(room, 0, "nothing is tried after that");
    }
}
