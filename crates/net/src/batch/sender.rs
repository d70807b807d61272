//! Sending: `sendmmsg`, each message a datagram or a run of equal segments (udp(7), `UDP_SEGMENT`).

use std::io;
use std::mem;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::ptr;

use super::control::Control;
use super::name::Name;
use super::slab::Slab;
use crate::{Outgoing, SendOutcome, UdpSocket};

/// Most headers that one call takes (`UIO_MAXIOV`).
const MAX_BATCH: usize = 1024;

/// Runs refused one after the other until segmentation is taken for broken here. One alone can be about its peer: a
/// path with a small MTU, or one through IPsec.
const MAX_REFUSALS: u8 = 8;

/// Scratch for batches of messages to send, allocated once.
#[derive(Debug)]
pub struct Sender {
    headers: Slab<libc::mmsghdr>,
    names: Slab<Name>,
    controls: Slab<Control>,
    vectors: Slab<libc::iovec>,
    /// Datagrams in each message.
    datagrams: Slab<u32>,
    /// The segment size of each message; 0 for none.
    segments: Slab<u16>,
    /// Runs that the kernel refused since it last took one.
    refusals: u8,
}

// SAFETY: the pointers in the headers lead into slabs of the same sender, which move with it; those in the vectors to
// callers' bytes are read only within the `send` that wrote them.
unsafe impl Send for Sender {}

impl Sender {
    /// Scratch for `batch` messages (1 to 1,024) a call.
    pub fn new(batch: usize) -> Self {
        let batch = batch.clamp(1, MAX_BATCH);
        let names = Slab::new(Name::EMPTY, batch);
        let controls = Slab::new(Control::EMPTY, batch);
        let vectors = Slab::new(libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }, batch);
        // SAFETY: an mmsghdr is integers and pointers, for which zero is a value.
        let mut headers = Slab::new(unsafe { mem::zeroed::<libc::mmsghdr>() }, batch);
        for index in 0..batch {
            let header = &mut headers.at_mut(index).msg_hdr;
            header.msg_name = names.pointer(index).cast();
            header.msg_iov = vectors.pointer(index);
            header.msg_iovlen = 1;
            header.msg_control = controls.pointer(index).cast();
        }
        let (datagrams, segments) = (Slab::new(0, batch), Slab::new(0, batch));
        Self { headers, names, controls, vectors, datagrams, segments, refusals: 0 }
    }

    /// Hands `messages` to the kernel in order, without waiting and without allocating. A message that the kernel
    /// refuses is dropped and the next one tried; once the socket's buffer is full, all the rest is dropped.
    pub fn send<'a>(&mut self, socket: &UdpSocket, messages: impl Iterator<Item = Outgoing<'a>>) -> SendOutcome {
        self.send_through(messages, socket.only_address().is_none(), socket.segments(), |headers, from, to| {
            hand_over(socket, headers, from, to)
        })
    }

    /// The kernel has not shown itself unable to cut runs into segments.
    pub fn segments(&self) -> bool {
        self.refusals < MAX_REFUSALS
    }

    /// The bookkeeping of `send`, apart from what `hand_over` asks of the kernel.
    fn send_through<'a>(
        &mut self,
        messages: impl Iterator<Item = Outgoing<'a>>,
        wildcard: bool,
        segments: bool,
        mut hand_over: impl HandOver,
    ) -> SendOutcome {
        let mut outcome = SendOutcome::default();
        let mut filled = 0;
        for message in messages {
            if outcome.would_block > 0 {
                outcome.would_block += message.datagrams();
                continue;
            }
            let mut rest = Some(message);
            while let Some(message) = rest {
                let whole = segments && self.segments();
                let (first, after) = if whole { message.split_for_message() } else { message.split_segment() };
                rest = after;
                self.fill(filled, &first, wildcard);
                filled += 1;
                if filled == self.headers.len() {
                    self.flush(filled, &mut outcome, &mut hand_over);
                    filled = 0;
                }
            }
        }
        self.flush(filled, &mut outcome, &mut hand_over);
        outcome
    }

    /// Writes header `index` for `message`, whose bytes outlive the `send` that calls this.
    fn fill(&mut self, index: usize, message: &Outgoing<'_>, wildcard: bool) {
        let segment = message.cut();
        let local = message.local.filter(|local: &IpAddr| wildcard && !local.is_unspecified());
        *self.vectors.at_mut(index) =
            libc::iovec { iov_base: message.bytes.as_ptr().cast_mut().cast(), iov_len: message.bytes.len() };
        *self.datagrams.at_mut(index) = message.datagrams() as u32;
        *self.segments.at_mut(index) = segment.unwrap_or(0);
        let name_length = self.names.at_mut(index).write(message.peer);
        let control_length = self.controls.at_mut(index).write(local, segment);
        let header = &mut self.headers.at_mut(index).msg_hdr;
        header.msg_namelen = name_length as _;
        header.msg_controllen = control_length as _;
    }

    /// Sends the first `filled` messages; drops them if the buffer was found full before.
    fn flush(&mut self, filled: usize, outcome: &mut SendOutcome, hand_over: &mut impl HandOver) {
        let mut next = 0;
        // An error of the socket that an earlier send left behind is told once, in place of sending.
        let mut retried = false;
        while next < filled && outcome.would_block == 0 {
            match hand_over(&mut self.headers, next, filled) {
                Ok(count) => {
                    for index in next..next + count {
                        outcome.sent += *self.datagrams.at(index) as usize;
                        if *self.segments.at(index) != 0 {
                            self.refusals = 0;
                        }
                    }
                    next += count;
                    retried = false;
                }
                Err(libc::EINTR) => {}
                Err(libc::EAGAIN) => break,
                Err(libc::ECONNREFUSED) if !retried => retried = true,
                Err(code) => {
                    match *self.segments.at(next) {
                        0 => outcome.dropped += *self.datagrams.at(next) as usize,
                        segment => self.send_cut(next, (segment, code), outcome, hand_over),
                    }
                    next += 1;
                    retried = false;
                }
            }
        }
        for index in next..filled {
            outcome.would_block += *self.datagrams.at(index) as usize;
        }
    }

    /// Sends run `index` datagram by datagram, because the kernel refused it whole with `code`.
    fn send_cut(
        &mut self,
        index: usize,
        (segment, code): (u16, i32),
        outcome: &mut SendOutcome,
        hand_over: &mut impl HandOver,
    ) {
        let refused_whole = matches!(code, libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP);
        if !refused_whole {
            outcome.dropped += *self.datagrams.at(index) as usize;
            return;
        }
        self.refusals = self.refusals.saturating_add(1);
        let run = *self.vectors.at(index);
        // The segment size was written last, so cutting it off leaves the packet info.
        let header = &mut self.headers.at_mut(index).msg_hdr;
        header.msg_controllen = Control::length_without_segment(header.msg_controllen as _) as _;
        let mut start = 0;
        while start < run.iov_len {
            let length = (run.iov_len - start).min(usize::from(segment));
            let base = run.iov_base.cast::<u8>().wrapping_add(start).cast();
            *self.vectors.at_mut(index) = libc::iovec { iov_base: base, iov_len: length };
            match hand_over(&mut self.headers, index, index + 1) {
                Ok(_) => outcome.sent += 1,
                Err(libc::EINTR) => continue,
                Err(libc::EAGAIN) => {
                    outcome.would_block += (run.iov_len - start).div_ceil(usize::from(segment));
                    return;
                }
                Err(_) => outcome.dropped += 1,
            }
            start += length;
        }
    }
}

/// Gives messages `from..to` to the kernel: how many of them it took, or why it did not take the first.
trait HandOver: FnMut(&mut Slab<libc::mmsghdr>, usize, usize) -> Result<usize, i32> {}

impl<F: FnMut(&mut Slab<libc::mmsghdr>, usize, usize) -> Result<usize, i32>> HandOver for F {}

fn hand_over(socket: &UdpSocket, headers: &mut Slab<libc::mmsghdr>, from: usize, to: usize) -> Result<usize, i32> {
    assert!(from < to && to <= headers.len(), "messages {from}..{to} of {}", headers.len());
    // SAFETY: the headers of this range stand in the slab (the line above) and were written by `fill` in the running
    // `send`: they point to names, vectors and controls of the sender, and those to bytes that the caller lends to that
    // `send`; none of it is written meanwhile.
    let count = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.pointer(from),
            (to - from) as _,
            (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
        )
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const BYTES: [u8; 100] = [7; 100];

    fn message(segment: Option<u16>) -> Outgoing<'static> {
        Outgoing { peer: SocketAddr::from(([127, 0, 0, 1], 9)), local: None, bytes: &BYTES, segment }
    }

    /// Sends `messages` to a kernel that answers each call with the next of `answers`.
    fn send(sender: &mut Sender, messages: &[Outgoing<'static>], answers: &[Result<usize, i32>]) -> SendOutcome {
        let mut answers = answers.iter();
        let outcome = sender.send_through(messages.iter().copied(), false, true, |_, from, to| {
            let answer = *answers.next().expect("asked more often than expected");
            assert!(answer.is_ok_and(|count| count <= to - from) || answer.is_err());
            answer
        });
        assert_eq!(answers.count(), 0, "asked less often than expected");
        outcome
    }

    #[test]
    fn a_full_send_buffer_drops_the_rest_of_all_batches() {
        let (single, run) = (message(None), message(Some(30)));
        let messages = [single, run, single, run, single, run, single];
        let outcome = send(&mut Sender::new(3), &messages, &[Ok(1), Ok(1), Err(libc::EAGAIN)]);
        assert_eq!(outcome, SendOutcome { sent: 5, dropped: 0, would_block: 1 + 4 + 1 + 4 + 1 });
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        let outcome = send(&mut Sender::new(3), &[message(None)], &[Err(libc::EINTR), Ok(1)]);
        assert_eq!(outcome, SendOutcome { sent: 1, ..SendOutcome::default() });
    }

    #[test]
    fn an_error_left_behind_by_an_earlier_send_costs_no_message() {
        let refused = Err(libc::ECONNREFUSED);
        let outcome = send(&mut Sender::new(3), &[message(None), message(None)], &[Ok(1), refused, Ok(1)]);
        assert_eq!(outcome, SendOutcome { sent: 2, ..SendOutcome::default() });
        let outcome = send(&mut Sender::new(3), &[message(None), message(None)], &[refused, refused, Ok(1)]);
        assert_eq!(outcome, SendOutcome { sent: 1, dropped: 1, would_block: 0 });
    }

    #[test]
    fn a_full_send_buffer_within_a_refused_run_drops_what_is_left_of_it() {
        let answers = [Err(libc::EIO), Ok(1), Err(libc::ENETUNREACH), Err(libc::EAGAIN)];
        let outcome = send(&mut Sender::new(3), &[message(Some(30)), message(None)], &answers);
        assert_eq!(outcome, SendOutcome { sent: 1, dropped: 1, would_block: 2 + 1 });
    }

    #[test]
    fn a_run_without_a_route_is_not_tried_again_in_pieces() {
        let mut sender = Sender::new(3);
        let outcome = send(&mut sender, &[message(Some(30))], &[Err(libc::ENETUNREACH)]);
        assert_eq!(outcome, SendOutcome { sent: 0, dropped: 4, would_block: 0 });
        assert_eq!(sender.refusals, 0);
    }
}
