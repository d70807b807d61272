//! Batches over loopback, the same claims for the platform's own implementation and for the portable one.

#![expect(clippy::unwrap_used, reason = "helpers of tests, not only tests")]

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use net::{MAX_DATAGRAM_BYTES, Outgoing, Poller, SocketOptions, UdpSocket};

const OPTIONS: SocketOptions = SocketOptions { receive_buffer: 1 << 20, send_buffer: 1 << 20 };

/// Far beyond what loopback ever takes: it ends a broken test, and decides no good one.
const PATIENCE: Duration = Duration::from_secs(20);

fn bind(address: &str) -> UdpSocket {
    UdpSocket::bind(address.parse().unwrap(), &OPTIONS).unwrap()
}

fn to(peer: &UdpSocket, bytes: &'static [u8]) -> Outgoing<'static> {
    Outgoing { peer: peer.local_addr(), local: None, bytes, segment: None }
}

fn poller(socket: &UdpSocket) -> Poller {
    let mut poller = Poller::new().unwrap();
    poller.add(socket, 0).unwrap();
    poller
}

/// What a test looks at after the slab is used again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    peer: SocketAddr,
    local: IpAddr,
    received_at: Instant,
    bytes: Vec<u8>,
}

macro_rules! suite {
    ($name:ident, $inbox:ty, $sender:ty) => {
        mod $name {
            use super::*;

            /// Receives until `count` datagrams are there.
            fn take(inbox: &mut $inbox, socket: &UdpSocket, count: usize) -> Vec<Seen> {
                let mut poller = poller(socket);
                let mut seen = Vec::new();
                while seen.len() < count {
                    poller.wait(Some(PATIENCE)).unwrap();
                    assert_eq!(poller.ready().count(), 1, "only {} of {count} arrived", seen.len());
                    inbox.receive(socket, Instant::now()).unwrap();
                    seen.extend(inbox.datagrams().map(|datagram| Seen {
                        peer: datagram.peer,
                        local: datagram.local,
                        received_at: datagram.received_at,
                        bytes: datagram.bytes.to_vec(),
                    }));
                }
                seen
            }

            fn echo_over(address: &str) {
                let (alice, bob) = (bind(address), bind(address));
                let mut sender = <$sender>::new(8);
                let outcome = sender.send(&alice, [to(&bob, b"to bob")].into_iter());
                assert_eq!((outcome.sent, outcome.dropped, outcome.would_block), (1, 0, 0));
                let seen = take(&mut <$inbox>::new(8), &bob, 1);
                assert_eq!(seen[0].bytes, b"to bob");
                assert_eq!(seen[0].peer, alice.local_addr());
                assert_eq!(seen[0].local, bob.local_addr().ip());
            }

            #[test]
            fn a_datagram_arrives_with_its_peer_over_ipv4() {
                echo_over("127.0.0.1:0");
            }

            #[test]
            fn a_datagram_arrives_with_its_peer_over_ipv6() {
                echo_over("[::1]:0");
            }

            #[test]
            fn nothing_waiting_is_no_error() {
                let socket = bind("127.0.0.1:0");
                let mut inbox = <$inbox>::new(4);
                assert_eq!(inbox.receive(&socket, Instant::now()).unwrap(), 0);
                assert_eq!(inbox.datagrams().count(), 0);
            }

            #[test]
            fn more_than_one_call_holds_arrives_in_order() {
                let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
                let payloads: Vec<[u8; 2]> = (0..150u16).map(u16::to_be_bytes).collect();
                let messages = payloads.iter().map(|payload| Outgoing {
                    peer: bob.local_addr(),
                    local: None,
                    bytes: payload,
                    segment: None,
                });
                assert_eq!(<$sender>::new(16).send(&alice, messages).sent, payloads.len());
                let seen = take(&mut <$inbox>::new(7), &bob, payloads.len());
                let order: Vec<_> = seen.iter().map(|seen| seen.bytes.clone()).collect();
                assert_eq!(order, payloads);
            }

            #[test]
            fn a_full_inbox_tells_that_more_may_wait() {
                let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
                let _sent = <$sender>::new(8).send(&alice, (0..5).map(|_| to(&bob, b"x")));
                let mut inbox = <$inbox>::new(3);
                // Loopback delivers within the sender's call, so all five are waiting.
                assert_eq!(inbox.receive(&bob, Instant::now()).unwrap(), 3);
                assert_eq!(inbox.receive(&bob, Instant::now()).unwrap(), 2);
                assert_eq!(inbox.datagrams().count(), 2, "only what the last call read");
            }

            #[test]
            fn lent_bytes_can_be_written_in_place() {
                let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
                let _sent = <$sender>::new(8).send(&alice, [to(&bob, b"abc"), to(&bob, b"xyz")].into_iter());
                let mut inbox = <$inbox>::new(8);
                assert_eq!(inbox.receive(&bob, Instant::now()).unwrap(), 2);
                let mut both: Vec<_> = inbox.datagrams().collect();
                for datagram in &mut both {
                    datagram.bytes.reverse();
                }
                assert_eq!(both[0].bytes, b"cba");
                assert_eq!(both[1].bytes, b"zyx");
            }

            #[test]
            fn a_run_arrives_as_its_segments() {
                for address in ["127.0.0.1:0", "[::1]:0"] {
                    let (alice, bob) = (bind(address), bind(address));
                    let bytes: Vec<u8> = (0..=255).cycle().take(1_000 * 7 + 300).collect();
                    let run = Outgoing { peer: bob.local_addr(), local: None, bytes: &bytes, segment: Some(1_000) };
                    let outcome = <$sender>::new(4).send(&alice, [run].into_iter());
                    assert_eq!((outcome.sent, outcome.dropped), (8, 0));
                    let seen = take(&mut <$inbox>::new(16), &bob, 8);
                    for (index, segment) in bytes.chunks(1_000).enumerate() {
                        assert_eq!(seen[index].bytes, segment, "segment {index} over {address}");
                    }
                }
            }

            #[test]
            fn runs_of_different_segment_sizes_share_a_batch_with_single_datagrams() {
                let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
                let bytes = [5; 600];
                let run = |segment| Outgoing { peer: bob.local_addr(), local: None, bytes: &bytes, segment };
                let messages = [run(Some(300)), run(None), run(Some(200)), run(Some(600)), run(Some(400))];
                assert_eq!(<$sender>::new(8).send(&alice, messages.into_iter()).sent, 9);
                let seen = take(&mut <$inbox>::new(16), &bob, 9);
                let lengths: Vec<_> = seen.iter().map(|seen| seen.bytes.len()).collect();
                assert_eq!(lengths, [300, 300, 600, 200, 200, 200, 600, 400, 200]);
            }

            #[test]
            fn a_run_longer_than_any_message_arrives_whole() {
                let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
                let bytes: Vec<u8> = (0..200u8).flat_map(|number| [number; 500]).collect();
                let run = Outgoing { peer: bob.local_addr(), local: None, bytes: &bytes, segment: Some(500) };
                assert_eq!(<$sender>::new(2).send(&alice, [run].into_iter()).sent, 200);
                let seen = take(&mut <$inbox>::new(64), &bob, 200);
                for (number, seen) in seen.iter().enumerate() {
                    assert_eq!(seen.bytes, [number as u8; 500]);
                }
            }

            #[test]
            fn arrival_times_rise_and_lie_between_sending_and_reading() {
                let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
                let mut inbox = <$inbox>::new(8);
                let mut sender = <$sender>::new(8);
                let before = Instant::now();
                let _sent = sender.send(&alice, (0..8).map(|_| to(&bob, b"tick")));
                let seen = take(&mut inbox, &bob, 8);
                let after = Instant::now();
                assert!(seen.is_sorted_by_key(|seen| seen.received_at), "{seen:?}");
                // The wall clock may be corrected meanwhile, by a little.
                let correction = Duration::from_millis(100);
                assert!(seen[0].received_at + correction >= before, "before it was sent");
                assert!(seen[7].received_at <= after, "after it was read");
            }

            #[test]
            fn a_send_to_a_closed_port_breaks_neither_sending_nor_receiving() {
                let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
                let closed = bind("127.0.0.1:0");
                let nobody = closed.local_addr();
                drop(closed);
                let mut sender = <$sender>::new(8);
                let mut inbox = <$inbox>::new(8);
                for _ in 0..20 {
                    let refused = Outgoing { peer: nobody, local: None, bytes: b"anyone?", segment: None };
                    let outcome = sender.send(&alice, [refused, to(&bob, b"hello")].into_iter());
                    assert_eq!(outcome.sent, 2);
                    let _read = inbox.receive(&alice, Instant::now()).unwrap();
                    assert_eq!(take(&mut inbox, &bob, 1)[0].bytes, b"hello");
                }
            }

            #[test]
            fn a_message_that_cannot_be_sent_costs_only_itself() {
                let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
                let too_long = vec![0; 65_536];
                // Broadcast is not allowed to this socket, IPv6 is not spoken by it, and the third fits no datagram.
                let forbidden: SocketAddr = "255.255.255.255:9".parse().unwrap();
                let foreign: SocketAddr = "[2001:db8::1]:9".parse().unwrap();
                let bad = |peer, bytes| Outgoing { peer, local: None, bytes, segment: None };
                let messages = [
                    to(&bob, b"first"),
                    bad(forbidden, b"x"),
                    to(&bob, b"second"),
                    bad(foreign, b"x"),
                    bad(bob.local_addr(), &too_long),
                    to(&bob, b"third"),
                ];
                let outcome = <$sender>::new(8).send(&alice, messages.into_iter());
                assert_eq!((outcome.sent, outcome.dropped, outcome.would_block), (3, 3, 0));
                let seen = take(&mut <$inbox>::new(8), &bob, 3);
                let order: Vec<_> = seen.iter().map(|seen| seen.bytes.as_slice()).collect();
                assert_eq!(order, [b"first".as_slice(), b"second", b"third"]);
            }

            #[test]
            fn a_datagram_longer_than_a_slot_is_left_out_and_counted() {
                let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
                let bytes = vec![1; MAX_DATAGRAM_BYTES + 1];
                let long = Outgoing { peer: bob.local_addr(), local: None, bytes: &bytes, segment: None };
                let longest = Outgoing { bytes: &bytes[..MAX_DATAGRAM_BYTES], ..long };
                let empty = Outgoing { bytes: &[], ..long };
                let _sent = <$sender>::new(8).send(&alice, [long, longest, empty, to(&bob, b"after")].into_iter());
                let mut inbox = <$inbox>::new(8);
                let seen = take(&mut inbox, &bob, 3);
                let lengths: Vec<_> = seen.iter().map(|seen| seen.bytes.len()).collect();
                assert_eq!(lengths, [MAX_DATAGRAM_BYTES, 0, 5]);
                assert_eq!(inbox.truncated(), 1);
            }
        }
    };
}

suite!(native, net::Inbox, net::Sender);
suite!(portable, net::portable::Inbox, net::portable::Sender);

#[cfg(target_os = "linux")]
mod wildcard {
    //! A socket bound to all addresses, where the platform tells which one was meant.

    use super::*;

    /// Asks at `address` of a server on `wildcard`, and tells where it was asked and where the answer came from.
    fn ask(wildcard: &str, client: &str, address: &str) -> (IpAddr, SocketAddr) {
        let (server, client) = (bind(wildcard), bind(client));
        let asked = SocketAddr::new(address.parse().unwrap(), server.local_addr().port());
        let question = Outgoing { peer: asked, local: None, bytes: b"question", segment: None };
        assert_eq!(net::Sender::new(4).send(&client, [question].into_iter()).sent, 1);
        poller(&server).wait(Some(PATIENCE)).unwrap();
        let mut inbox = net::Inbox::new(4);
        assert_eq!(inbox.receive(&server, Instant::now()).unwrap(), 1);
        let datagram = inbox.datagrams().next().unwrap();
        let (peer, local) = (datagram.peer, datagram.local);
        let answer = Outgoing { peer, local: Some(local), bytes: b"twotwotwo", segment: Some(3) };
        assert_eq!(net::Sender::new(4).send(&server, [answer].into_iter()).sent, 3);
        poller(&client).wait(Some(PATIENCE)).unwrap();
        assert_eq!(inbox.receive(&client, Instant::now()).unwrap(), 3);
        let answer = inbox.datagrams().next().unwrap();
        (local, answer.peer)
    }

    #[test]
    fn an_answer_leaves_from_the_address_that_was_asked() {
        // All of 127.0.0.0/8 is this machine; left to itself the routing table answers 127.0.0.1 from there.
        for address in ["127.0.0.1", "127.0.0.2", "127.8.9.10"] {
            let (local, from) = ask("0.0.0.0:0", "127.0.0.1:0", address);
            assert_eq!(local, address.parse::<IpAddr>().unwrap());
            assert_eq!(from.ip(), local);
        }
    }

    #[test]
    fn an_answer_over_ipv6_leaves_from_the_address_that_was_asked() {
        let own = net::local_addresses().unwrap().into_iter().filter(IpAddr::is_ipv6).map(|own| own.to_string());
        for address in own.chain(["::1".to_owned()]) {
            let (local, from) = ask("[::]:0", "[::]:0", &address);
            assert_eq!(local, address.parse::<IpAddr>().unwrap());
            assert_eq!(from.ip(), local);
        }
    }

    #[test]
    fn an_address_that_is_not_ours_cannot_be_sent_from() {
        let (server, client) = (bind("0.0.0.0:0"), bind("127.0.0.1:0"));
        let stolen = Outgoing { local: Some("203.0.113.1".parse().unwrap()), ..to(&client, b"spoofed") };
        let outcome = net::Sender::new(4).send(&server, [stolen, to(&client, b"honest")].into_iter());
        assert_eq!((outcome.sent, outcome.dropped), (1, 1));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_datagram_that_waited_to_be_read_carries_the_time_of_its_arrival() {
    let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let (mut sender, mut inbox) = (net::Sender::new(1), net::Inbox::new(1));
    // Stamping begins shortly after the first socket has asked for it, and a thread may be put aside between the
    // readings of two clocks: once in many is enough, and without stamps it is never.
    let waited = Duration::from_millis(20);
    let stamped = (0..100).any(|_| {
        assert_eq!(sender.send(&alice, [to(&bob, b"wait")].into_iter()).sent, 1);
        let sent_at = Instant::now();
        while sent_at.elapsed() < waited {
            std::hint::spin_loop();
        }
        assert_eq!(inbox.receive(&bob, Instant::now()).unwrap(), 1);
        let received_at = inbox.datagrams().next().unwrap().received_at;
        received_at < sent_at + waited / 2
    });
    assert!(stamped, "always stamped when read, never when it arrived");
}

#[cfg(target_os = "linux")]
#[test]
fn a_refused_run_goes_out_datagram_by_datagram() {
    // The kernel cuts no run for a socket that leaves its checksum out (`SO_NO_CHECK`): EINVAL, as from a device that
    // cannot segment.
    let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let mut sender = net::Sender::new(4);
    let mut inbox = net::Inbox::new(32);
    set_no_check(&alice);
    let bytes = [9; 1_100];
    let run = Outgoing { peer: bob.local_addr(), local: None, bytes: &bytes, segment: Some(500) };
    for _ in 0..20 {
        let outcome = sender.send(&alice, [to(&bob, b"before"), run, to(&bob, b"after")].into_iter());
        assert_eq!((outcome.sent, outcome.dropped), (5, 0));
        assert_eq!(inbox.receive(&bob, Instant::now()).unwrap(), 5);
        let lengths: Vec<_> = inbox.datagrams().map(|datagram| datagram.bytes.len()).collect();
        assert_eq!(lengths, [6, 500, 500, 100, 5]);
    }
    assert!(!sender.segments(), "remembered after many in a row");
}

#[cfg(target_os = "linux")]
#[test]
fn one_refused_run_does_not_end_segmentation() {
    let (alice, bob) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
    let plain = bind("127.0.0.1:0");
    set_no_check(&alice);
    let mut sender = net::Sender::new(4);
    let bytes = [9; 1_100];
    let run = Outgoing { peer: bob.local_addr(), local: None, bytes: &bytes, segment: Some(500) };
    for _ in 0..20 {
        assert_eq!(sender.send(&alice, [run].into_iter()).sent, 3);
        assert_eq!(sender.send(&plain, [run].into_iter()).sent, 3);
    }
    assert!(sender.segments());
}

#[cfg(target_os = "linux")]
fn set_no_check(socket: &UdpSocket) {
    use std::os::fd::AsRawFd;
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open, `on` lives through the call and has the size given.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NO_CHECK,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    assert_eq!(answer, 0);
}
