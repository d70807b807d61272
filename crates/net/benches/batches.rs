//! Processor time of a datagram of 1,200 bytes through the batches, over loopback: user and system together, sending
//! and receiving apart. Loopback hands a datagram to its receiver within the sender's call, so sending here costs what
//! sending and the receiver's half of the kernel's work cost on a network.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use net::{Inbox, Outgoing, Sender, SocketOptions, UdpSocket, portable, thread_cpu_time};

const BYTES: usize = 1_200;

/// Datagrams in a round, as many as a worker's batch.
const BATCH: usize = 64;

struct Pair {
    from: UdpSocket,
    to: UdpSocket,
}

impl Pair {
    fn new() -> Self {
        let options = SocketOptions { receive_buffer: 1 << 22, send_buffer: 1 << 22 };
        let bind = || UdpSocket::bind("127.0.0.1:0".parse().expect("an address"), &options).expect("a free port");
        Self { from: bind(), to: bind() }
    }

    /// A batch of messages of `run` datagrams each.
    fn messages<'a>(&self, bytes: &'a [u8], run: usize) -> impl Iterator<Item = Outgoing<'a>> + use<'a> {
        let segment = (run > 1).then_some(BYTES as u16);
        let message = Outgoing { peer: self.to.local_addr(), local: None, bytes: &bytes[..run * BYTES], segment };
        std::iter::repeat_n(message, BATCH / run)
    }
}

fn cpu() -> Duration {
    thread_cpu_time().expect("every platform tells a thread its time")
}

/// The time that `measured` takes in `rounds` rounds, without what stands `before` and `after` it.
fn time(rounds: u64, mut before: impl FnMut(), mut measured: impl FnMut(), mut after: impl FnMut()) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        before();
        let started = cpu();
        measured();
        total += cpu() - started;
        after();
    }
    total
}

fn send(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("send 1,200 bytes");
    group.throughput(Throughput::Elements(BATCH as u64));
    let bytes = vec![7; BATCH * BYTES];
    for run in [1, 2, 4, 8, 16, 32] {
        let (pair, mut sender, mut inbox) = (Pair::new(), Sender::new(BATCH), Inbox::new(BATCH));
        group.bench_function(format!("in runs of {run}"), |bencher| {
            bencher.iter_custom(|rounds| {
                let send = || assert_eq!(sender.send(&pair.from, pair.messages(&bytes, run)).sent, BATCH);
                let drain = || assert_eq!(inbox.receive(&pair.to, Instant::now()).expect("no error"), BATCH);
                time(rounds, || (), send, drain)
            });
        });
    }
    let (pair, mut sender, mut inbox) = (Pair::new(), portable::Sender::new(BATCH), Inbox::new(BATCH));
    group.bench_function("portable, one by one", |bencher| {
        bencher.iter_custom(|rounds| {
            let send = || assert_eq!(sender.send(&pair.from, pair.messages(&bytes, 1)).sent, BATCH);
            let drain = || assert_eq!(inbox.receive(&pair.to, Instant::now()).expect("no error"), BATCH);
            time(rounds, || (), send, drain)
        });
    });
    group.finish();
}

fn receive(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("receive 1,200 bytes");
    group.throughput(Throughput::Elements(BATCH as u64));
    let bytes = vec![7; BATCH * BYTES];
    for batch in [1, 8, 64] {
        let (pair, mut sender, mut inbox) = (Pair::new(), Sender::new(BATCH), Inbox::new(batch));
        group.bench_function(format!("{batch} a call"), |bencher| {
            bencher.iter_custom(|rounds| {
                let fill = || assert_eq!(sender.send(&pair.from, pair.messages(&bytes, 16)).sent, BATCH);
                let receive = || {
                    for _ in 0..BATCH / batch {
                        assert_eq!(inbox.receive(&pair.to, Instant::now()).expect("no error"), batch);
                        assert_eq!(
                            inbox.datagrams().map(|datagram| datagram.bytes.len()).sum::<usize>(),
                            batch * BYTES
                        );
                    }
                };
                time(rounds, fill, receive, || ())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, send, receive);
criterion_main!(benches);
