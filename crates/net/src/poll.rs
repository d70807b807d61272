//! Waiting for datagrams, for a deadline, or for another thread, whichever comes first.
//!
//! poll(2) and not epoll: a worker has a handful of sockets, for which one call with the list is as quick, and every
//! Unix has it. On Linux it is ppoll, which takes nanoseconds.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::UdpSocket;

/// Longest single wait; a longer one returns early with nothing ready, which every caller of a poll allows for.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// Position of the waker's stream in the list that is polled; sockets follow it.
const WAKER: usize = 0;

/// Waits for sockets, wakers and time.
#[derive(Debug)]
pub struct Poller {
    polled: Vec<libc::pollfd>,
    /// The socket and token of `polled[i + 1]`. Own descriptors, so that none can be closed while it is polled.
    sockets: Vec<(std::net::UdpSocket, usize)>,
    woken: UnixStream,
    waker: Waker,
}

impl Poller {
    /// A poller with no sockets, only its waker.
    pub fn new() -> io::Result<Self> {
        let (woken, stream) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        stream.set_nonblocking(true)?;
        let waker = Waker(Arc::new(Wake { pending: AtomicBool::new(false), stream }));
        let polled = vec![readable(&woken)];
        Ok(Self { polled, sockets: Vec::new(), woken, waker })
    }

    /// Reports `socket` as `token` whenever it has something to read. It stays bound until both it and the poller
    /// are dropped.
    pub fn add(&mut self, socket: &UdpSocket, token: usize) -> io::Result<()> {
        let socket = socket.as_std().try_clone()?;
        self.polled.push(readable(&socket));
        self.sockets.push((socket, token));
        Ok(())
    }

    /// A handle that ends the current or the next `wait` from any thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Returns when a socket can be read, when woken, or after `timeout` (`None`: never). Linux honours timeouts below
    /// a millisecond, other systems round them up. May return early with nothing ready. What a thread did before it
    /// called `wake` is visible after the `wait` that it ended.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let answer = wait(&mut self.polled, timeout.map(|timeout| timeout.min(MAX_WAIT)));
        if let Err(error) = answer {
            self.polled.iter_mut().for_each(|entry| entry.revents = 0);
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        if self.polled[WAKER].revents != 0 {
            self.waker.0.acknowledge(&self.woken);
        }
        Ok(())
    }

    /// Tokens of the sockets that could be read when the last `wait` returned.
    pub fn ready(&self) -> impl Iterator<Item = usize> {
        let sockets = self.polled.iter().skip(WAKER + 1).zip(&self.sockets);
        sockets.filter(|(entry, _)| entry.revents != 0).map(|(_, &(_, token))| token)
    }
}

/// Ends a [`Poller`]'s wait. Many wakes before the poller looks are one wake, and cost one atomic swap each.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Wake>);

impl Waker {
    /// Ends the current wait, or the next if there is none now.
    pub fn wake(&self) {
        // Release: what this thread did before is seen by the poller's thread after its own swap.
        if self.0.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        // A full stream (`WouldBlock`) wakes as well as one more byte; a closed one has nobody left to wake.
        let _woken_anyway = (&self.0.stream).write(&[1]);
    }
}

#[derive(Debug)]
struct Wake {
    /// A byte is in the stream, or about to be. An atomic beside the stream, because the system call is what a
    /// producer of many commands must not pay for each.
    pending: AtomicBool,
    stream: UnixStream,
}

impl Wake {
    /// Empties the stream first, lowers the flag second: a wake in between writes nothing, but it came before this
    /// `wait` returns, so the caller sees what it was about.
    fn acknowledge(&self, mut woken: &UnixStream) {
        let mut bytes = [0; 16];
        while woken.read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        self.pending.swap(false, Ordering::AcqRel);
    }
}

fn readable(descriptor: &impl AsRawFd) -> libc::pollfd {
    libc::pollfd { fd: descriptor.as_raw_fd(), events: libc::POLLIN, revents: 0 }
}

#[cfg(target_os = "linux")]
fn wait(polled: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `polled` is writable for its length; `timeout` is null or points to a local of this function; a null
    // signal mask changes none.
    let answer = unsafe { libc::ppoll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, timeout, std::ptr::null()) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(target_os = "linux"))]
fn wait(polled: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    // Rounded up: a wait that ends before its deadline would be repeated at once, and burn a core.
    let milliseconds = timeout.map_or(-1, |timeout| timeout.as_nanos().div_ceil(1_000_000) as libc::c_int);
    // SAFETY: `polled` is writable for its length.
    let answer = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, milliseconds) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
