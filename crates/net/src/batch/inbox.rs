//! Receiving: one `recvmmsg` into a slab, with the address and the time of each datagram's arrival.

use std::io;
use std::mem;
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::ptr;
use std::slice;
use std::time::{Duration, Instant, SystemTime};

use super::control::Control;
use super::name::Name;
use super::slab::Slab;
use crate::{MAX_DATAGRAM_BYTES, Received, UdpSocket};

/// Most headers that one call takes (`UIO_MAXIOV`).
const MAX_BATCH: usize = 1024;

/// A datagram cannot have waited longer than this before it is read; a stamp that says so means that the wall clock
/// was set in between.
const MAX_AGE: Duration = Duration::from_secs(2);

/// Errors about earlier sends that may stand in front of what has arrived, before giving up for this turn.
const MAX_ERRORS_PER_CALL: usize = 16;

type Buffer = [u8; MAX_DATAGRAM_BYTES];

/// Room for a batch of received datagrams, allocated once.
#[derive(Debug)]
pub struct Inbox {
    headers: Slab<libc::mmsghdr>,
    names: Slab<Name>,
    controls: Slab<Control>,
    buffers: Slab<Buffer>,
    /// Pointed to by `headers`, kept alive for them.
    _vectors: Slab<libc::iovec>,
    /// The first of `headers` that hold a datagram.
    filled: usize,
    /// What `filled` says about datagrams without their own word.
    clocks: Clocks,
    local: IpAddr,
    errors: u64,
    truncated: u64,
}

// SAFETY: the pointers in the headers and vectors lead into slabs of the same inbox, which move with it; nothing else
// keeps them, and no thread is named in them.
unsafe impl Send for Inbox {}

impl Inbox {
    /// Room for `capacity_datagrams` (1 to 1,024) at a time.
    pub fn new(capacity_datagrams: usize) -> Self {
        let capacity = capacity_datagrams.clamp(1, MAX_BATCH);
        let names = Slab::new(Name::EMPTY, capacity);
        let controls = Slab::new(Control::EMPTY, capacity);
        let buffers: Slab<Buffer> = Slab::new([0; MAX_DATAGRAM_BYTES], capacity);
        let mut vectors = Slab::new(libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }, capacity);
        // SAFETY: an mmsghdr is integers and pointers, for which zero is a value.
        let mut headers = Slab::new(unsafe { mem::zeroed::<libc::mmsghdr>() }, capacity);
        for index in 0..capacity {
            *vectors.at_mut(index) =
                libc::iovec { iov_base: buffers.pointer(index).cast(), iov_len: MAX_DATAGRAM_BYTES };
            let header = &mut headers.at_mut(index).msg_hdr;
            header.msg_name = names.pointer(index).cast();
            header.msg_iov = vectors.pointer(index);
            header.msg_iovlen = 1;
            header.msg_control = controls.pointer(index).cast();
        }
        let mut inbox = Self {
            headers,
            names,
            controls,
            buffers,
            _vectors: vectors,
            filled: capacity,
            clocks: Clocks::read(Instant::now()),
            local: IpAddr::from([0; 4]),
            errors: 0,
            truncated: 0,
        };
        inbox.clear();
        inbox
    }

    /// Reads what has arrived at `socket`, as much as there is room for, without waiting; the answer is how many
    /// datagrams that were, as many as there is room for if more may be waiting. What was there before is gone.
    /// `now` stands in for stamps that are missing or cannot be true.
    pub fn receive(&mut self, socket: &UdpSocket, now: Instant) -> io::Result<usize> {
        self.clear();
        for _ in 0..MAX_ERRORS_PER_CALL {
            // SAFETY: every header points to a name, a vector of one buffer and a control buffer of this inbox with
            // their true sizes (`new`, `clear`); `&mut self` keeps all references into them away.
            let count = unsafe {
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    self.headers.pointer(0),
                    self.headers.len() as _,
                    libc::MSG_DONTWAIT as _,
                    ptr::null_mut(),
                )
            };
            if let Ok(count) = usize::try_from(count) {
                self.filled = count;
                self.clocks = Clocks::read(now);
                self.local = socket.local_addr().ip();
                return Ok(count);
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EAGAIN) => return Ok(0),
                Some(libc::EINTR) => {}
                Some(code) if is_about_a_send(code) => self.errors += 1,
                _ => return Err(error),
            }
        }
        Ok(0)
    }

    /// The datagrams of the last `receive` in their order. Ones longer than [`MAX_DATAGRAM_BYTES`] are left out.
    pub fn datagrams(&mut self) -> impl Iterator<Item = Received<'_>> {
        let mut index = 0;
        let mut latest = None;
        let inbox = self;
        std::iter::from_fn(move || {
            while index < inbox.filled {
                let received = inbox.datagram(index, &mut latest);
                index += 1;
                if received.is_some() {
                    return received;
                }
            }
            None
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

    /// Datagram `index`, lent for `'a`. The caller asks for each index once, and for none after `'a`.
    fn datagram<'a>(&mut self, index: usize, latest: &mut Option<Instant>) -> Option<Received<'a>> {
        let header = self.headers.at(index);
        let length = (header.msg_len as usize).min(MAX_DATAGRAM_BYTES);
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            self.truncated += 1;
            return None;
        }
        let peer = self.names.at(index).read(header.msg_hdr.msg_namelen as usize)?;
        let arrival = self.controls.at(index).read(header.msg_hdr.msg_controllen as _);
        let stamped = arrival.stamp.map_or(self.clocks.now, |stamp| self.clocks.at(stamp));
        // Several receive queues may stamp out of order by microseconds; the order read is the order kept.
        let received_at = latest.map_or(stamped, |latest: Instant| stamped.max(latest));
        *latest = Some(received_at);
        let start = self.buffers.pointer(index).cast::<u8>();
        // SAFETY: the first `length` bytes of buffer `index`, initialised by `new`. The only caller, `datagrams`, holds
        // the inbox borrowed for as long as the slice lives and asks for each index once, so no other reference to
        // these bytes and no system call comes in between.
        let bytes = unsafe { slice::from_raw_parts_mut(start, length) };
        Some(Received { peer, local: arrival.local.unwrap_or(self.local), received_at, bytes })
    }

    /// Gives the kernel back the sizes that it overwrote in the headers that it filled.
    fn clear(&mut self) {
        for index in 0..self.filled {
            let header = &mut self.headers.at_mut(index).msg_hdr;
            header.msg_namelen = Name::BYTES as _;
            header.msg_controllen = Control::BYTES as _;
            header.msg_flags = 0;
        }
        self.filled = 0;
    }
}

/// Both clocks, read together, so that the kernel's wall time becomes ours.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    /// For stamps that cannot be believed.
    now: Instant,
    read_at: Instant,
    /// The wall clock at `read_at`, since the Unix epoch.
    wall: Duration,
}

impl Clocks {
    fn read(now: Instant) -> Self {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { now, read_at: Instant::now(), wall }
    }

    fn at(&self, stamp: Duration) -> Instant {
        let age = self.wall.checked_sub(stamp).filter(|&age| age < MAX_AGE);
        age.and_then(|age| self.read_at.checked_sub(age)).unwrap_or(self.now)
    }
}

/// Errors that ICMP brought (RFC 1122 §4.1.3.3): about a peer, not about this socket.
fn is_about_a_send(code: i32) -> bool {
    matches!(
        code,
        libc::ECONNREFUSED
            | libc::ECONNRESET
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::EMSGSIZE
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::ENOPROTOOPT
            | libc::EOPNOTSUPP
            | libc::EPROTO
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_becomes_the_instant_as_long_before_the_reading() {
        let read_at = Instant::now();
        let now = read_at - Duration::from_millis(5);
        let clocks = Clocks { now, read_at, wall: Duration::from_secs(1_000) };
        assert_eq!(clocks.at(Duration::from_millis(999_999)), read_at - Duration::from_millis(1));
        assert_eq!(clocks.at(Duration::from_secs(1_000)), read_at);
    }

    #[test]
    fn a_stamp_from_before_the_wall_clock_was_set_is_not_believed() {
        let read_at = Instant::now();
        let now = read_at - Duration::from_millis(5);
        let clocks = Clocks { now, read_at, wall: Duration::from_secs(1_000) };
        assert_eq!(clocks.at(Duration::from_secs(400)), now, "set forward");
        assert_eq!(clocks.at(Duration::from_secs(1_001)), now, "set back");
    }
}
