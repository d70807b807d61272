//! What a viewer's link costs with 1, 10 and 100 pictures on one transport: its estimate by what the viewer reports twenty times
//! a second, its pacer, and what is shared out, together with the forwarding itself. The figure is per packet forwarded, and must
//! not grow with the pictures.
//!
//! 24 Mbit/s go over the link in each case, in bursts of twenty packets.

#![expect(clippy::disallowed_methods, reason = "a benchmark measures time")]

#[expect(dead_code, reason = "a part of it is used here")]
#[path = "../tests/full_room/mod.rs"]
mod full_room;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use sfu_core::BitrateLimits;
use wire::srtp::SrtpSender;

use self::full_room::{Arrivals, FIRST_VIEWER_PORT, PUBLISHER_PORT, Room, packet_of};

/// Packets that arrive together, and time until the next.
const BURST: u64 = 20;
const GAP: u64 = 8;

/// Milliseconds between two reports.
const REPORT_EVERY: u64 = 48;

struct Link {
    room: Room,
    start: Instant,
    publishers: Vec<SrtpSender>,
    viewer: SrtpSender,
    arrivals: Arrivals,
    millis: u64,
    handed_in: u64,
    forwarded: u64,
}

impl Link {
    fn new(cameras: usize) -> Self {
        let limits = BitrateLimits { start: 40_000_000, max: 40_000_000, ..BitrateLimits::default() };
        let (room, publishers, viewer) = Room::with_cameras(cameras, limits);
        let start = room.now;
        let arrivals = Arrivals::default();
        Self { room, start, publishers, viewer, arrivals, millis: 0, handed_in: 0, forwarded: 0 }
    }

    /// Forwards one burst and all that comes with it; the time that the worker took.
    fn burst(&mut self) -> Duration {
        let cameras = self.publishers.len() as u64;
        let mut media: Vec<_> = (0..BURST)
            .map(|nth| {
                let (camera, number) = ((self.handed_in + nth) % cameras, 1000 + (self.handed_in + nth) / cameras);
                (camera, packet_of(&mut self.publishers[camera as usize], camera as u32, number))
            })
            .collect();
        self.handed_in += BURST;
        let is_due = self.millis.is_multiple_of(REPORT_EVERY);
        let mut report = if is_due { self.arrivals.report(&mut self.viewer) } else { None };
        let mut taken = Duration::ZERO;
        for step in 0..GAP {
            self.millis += 1;
            self.room.now += Duration::from_millis(1);
            let began = Instant::now();
            if step == 0 {
                for (camera, bytes) in &mut media {
                    self.room.hand_in(PUBLISHER_PORT + *camera as u16, bytes);
                }
                if let Some(report) = &mut report {
                    self.room.hand_in(FIRST_VIEWER_PORT, report);
                }
            }
            self.room.worker.handle_timeout(self.room.now, &mut self.room.out);
            taken += began.elapsed();
            self.forwarded += self.arrivals.receive(&self.room, self.start, Duration::from_millis(20));
            self.room.out.clear();
        }
        taken
    }
}

fn downlink(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("downlink");
    for cameras in [1, 10, 100] {
        let mut link = Link::new(cameras);
        (0..2_000).for_each(|_| {
            link.burst();
        });
        link.forwarded = 0;
        let before = link.handed_in;
        group.bench_function(format!("{cameras} pictures"), |bencher| {
            bencher.iter_custom(|packets| (0..packets.div_ceil(BURST)).map(|_| link.burst()).sum());
        });
        let handed_in = link.handed_in - before;
        assert!(link.forwarded * 10 >= handed_in * 9, "only {} of {handed_in} went on", link.forwarded);
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = downlink
}
criterion_main!(benches);
