//! The forward path of one worker without any I/O: one packet in, decrypted, stored, written and encrypted for each of
//! 1, 10, 50 and 200 consumers. The figure is per packet received; divide by the consumers for one forwarded.
//!
//! Opening the packet is part of it; making it is not.

#[expect(dead_code, reason = "a part of it is used here")]
#[path = "../tests/full_room/mod.rs"]
mod full_room;

use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use self::full_room::{PUBLISHER_PORT, Room, packet};

fn forward(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("forward");
    for consumers in [1, 10, 50, 200] {
        let (mut room, mut sender, _viewers) = Room::with_viewers(consumers);
        let mut number = 1000;
        let mut forwarded = 0;
        group.throughput(Throughput::Elements(consumers as u64));
        group.bench_function(format!("1 to {consumers}"), |bencher| {
            bencher.iter_batched_ref(
                || {
                    number += 1;
                    packet(&mut sender, number)
                },
                |bytes| {
                    room.now += Duration::from_micros(500);
                    room.hand_in(PUBLISHER_PORT, bytes);
                    room.worker.handle_timeout(room.now, &mut room.out);
                    forwarded += room.out.queued().len();
                    room.out.clear();
                },
                BatchSize::SmallInput,
            );
        });
        let drops = room.worker.drops();
        assert!(forwarded as u64 >= (number - 1000) * consumers as u64 / 2, "only {forwarded} went on: {drops:?}");
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = forward
}
criterion_main!(benches);
