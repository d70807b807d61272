//! Waiting: for sockets, for another thread, for time.

#![expect(clippy::unwrap_used, reason = "helpers of tests, not only tests")]

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use net::{Inbox, Outgoing, Poller, Sender, SocketOptions, UdpSocket};

const OPTIONS: SocketOptions = SocketOptions { receive_buffer: 1 << 18, send_buffer: 1 << 18 };

/// Far beyond what a wake ever takes: it ends a broken test, and decides no good one.
const PATIENCE: Duration = Duration::from_secs(20);

fn bind() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0".parse().unwrap(), &OPTIONS).unwrap()
}

#[test]
fn only_the_socket_with_something_to_read_is_ready() {
    let sockets = [bind(), bind(), bind()];
    let mut poller = Poller::new().unwrap();
    for (index, socket) in sockets.iter().enumerate() {
        poller.add(socket, 100 + index).unwrap();
    }
    let message = Outgoing { peer: sockets[1].local_addr(), local: None, bytes: b"x", segment: None };
    assert_eq!(Sender::new(1).send(&sockets[0], [message].into_iter()).sent, 1);
    poller.wait(Some(PATIENCE)).unwrap();
    assert_eq!(poller.ready().collect::<Vec<_>>(), [101]);

    assert_eq!(Inbox::new(4).receive(&sockets[1], Instant::now()).unwrap(), 1);
    poller.wait(Some(Duration::ZERO)).unwrap();
    assert_eq!(poller.ready().count(), 0, "read empty, so no longer ready");
}

#[test]
fn a_wait_without_end_ends_by_a_wake_from_another_thread() {
    let mut poller = Poller::new().unwrap();
    let waker = poller.waker();
    let (waiting, may_wake) = mpsc::channel();
    let other = thread::spawn(move || {
        may_wake.recv().unwrap();
        waker.wake();
    });
    waiting.send(()).unwrap();
    poller.wait(None).unwrap();
    assert_eq!(poller.ready().count(), 0);
    other.join().unwrap();
}

#[test]
fn a_wake_before_the_wait_is_not_lost() {
    let mut poller = Poller::new().unwrap();
    poller.waker().wake();
    poller.wait(None).unwrap();
}

#[test]
fn many_wakes_end_one_wait() {
    let mut poller = Poller::new().unwrap();
    let waker = poller.waker();
    for _ in 0..100_000 {
        waker.wake();
    }
    poller.wait(None).unwrap();
    let started = Instant::now();
    poller.wait(Some(Duration::from_millis(5))).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(5), "nothing is left of the wakes before");
}

#[test]
fn every_message_announced_by_a_wake_is_seen() {
    const PRODUCERS: usize = 3;
    const EACH: usize = 20_000;
    let mut poller = Poller::new().unwrap();
    let (queue, messages) = mpsc::channel();
    let threads: Vec<_> = (0..PRODUCERS)
        .map(|_| {
            let (queue, waker) = (queue.clone(), poller.waker());
            thread::spawn(move || {
                for _ in 0..EACH {
                    queue.send(()).unwrap();
                    waker.wake();
                }
            })
        })
        .collect();
    // A lost wake leaves this waiting for ever, since nothing else ends the wait.
    let mut seen = 0;
    while seen < PRODUCERS * EACH {
        poller.wait(None).unwrap();
        seen += messages.try_iter().count();
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_wait_does_not_end_before_its_time() {
    let mut poller = Poller::new().unwrap();
    for timeout in [Duration::ZERO, Duration::from_micros(300), Duration::from_micros(1_700)] {
        let started = Instant::now();
        poller.wait(Some(timeout)).unwrap();
        assert!(started.elapsed() >= timeout, "{timeout:?}");
    }
}

#[test]
fn a_poller_and_its_batches_can_move_to_their_thread() {
    let socket = bind();
    let (mut poller, mut inbox, mut sender) = (Poller::new().unwrap(), Inbox::new(4), Sender::new(4));
    poller.add(&socket, 0).unwrap();
    thread::spawn(move || {
        let to_self = Outgoing { peer: socket.local_addr(), local: None, bytes: b"me", segment: None };
        assert_eq!(sender.send(&socket, [to_self].into_iter()).sent, 1);
        poller.wait(Some(PATIENCE)).unwrap();
        assert_eq!(inbox.receive(&socket, Instant::now()).unwrap(), 1);
        assert_eq!(inbox.datagrams().next().unwrap().bytes, b"me");
    })
    .join()
    .unwrap();
}
