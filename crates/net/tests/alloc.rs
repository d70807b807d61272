//! After the start, a batch received, a batch sent and a wait allocate nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::{Duration, Instant};

use net::{Inbox, Outgoing, Poller, Sender, SocketOptions, UdpSocket};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, counting for each thread.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting touches a thread-local without a destructor,
// which allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, so from the system, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn sending_receiving_and_waiting_allocate_nothing() {
    let options = SocketOptions { receive_buffer: 1 << 20, send_buffer: 1 << 20 };
    let alice = UdpSocket::bind("0.0.0.0:0".parse().unwrap(), &options).unwrap();
    let bob = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &options).unwrap();
    let mut poller = Poller::new().unwrap();
    poller.add(&bob, 0).unwrap();
    let waker = poller.waker();
    let (mut inbox, mut sender) = (Inbox::new(32), Sender::new(32));
    let (mut spare_inbox, mut spare_sender) = (net::portable::Inbox::new(32), net::portable::Sender::new(32));
    let bytes = [7; 5_000];
    let local = Some("127.0.0.1".parse().unwrap());
    let run = Outgoing { peer: bob.local_addr(), local, bytes: &bytes, segment: Some(1_200) };
    let single = Outgoing { bytes: &bytes[..100], segment: None, ..run };
    let refused = Outgoing { peer: "255.255.255.255:9".parse().unwrap(), ..single };

    let mut turn = || {
        let outcome = sender.send(&alice, [run, single, refused, run, single].into_iter());
        assert_eq!((outcome.sent, outcome.dropped), (12, 1));
        waker.wake();
        poller.wait(Some(Duration::from_secs(20))).unwrap();
        assert_eq!(poller.ready().count(), 1);
        assert_eq!(inbox.receive(&bob, Instant::now()).unwrap(), 12);
        assert_eq!(inbox.datagrams().map(|datagram| datagram.bytes.len()).sum::<usize>(), 10_200);
        assert_eq!(spare_sender.send(&alice, [run, single].into_iter()).sent, 6);
        assert_eq!(spare_inbox.receive(&bob, Instant::now()).unwrap(), 6);
        assert_eq!(spare_inbox.datagrams().count(), 6);
    };
    turn();
    let before = ALLOCATIONS.get();
    for _ in 0..100 {
        turn();
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    // The counter counts.
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(ALLOCATIONS.get() - before, 1);
}
