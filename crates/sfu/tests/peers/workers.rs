//! Several workers: who gets a room, and what the others notice when one fails.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use sfu::{
    CommandError, ConsumeError, ConsumerOptions, DtlsRole, ProbeError, RouterEvent, Settings, StartError, WorkerError,
    Workers,
};

use crate::peer::Device;
use crate::stage::{Seat, Stage, settings, start};

/// Long enough for a worker that has nothing to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connected peer in a room of its own.
async fn seat_in(stage: &mut Stage, router: &sfu::Router, device: Device) -> Seat {
    let seat = stage.seat_at(router, device, Ipv4Addr::LOCALHOST.into()).await;
    stage.connect(seat, DtlsRole::Client).await;
    stage.connected(seat).await;
    seat
}

#[tokio::test]
async fn a_room_goes_to_the_worker_that_has_least_to_do() {
    let workers = start(Settings { workers: 3, ..settings() });
    let (first, _events) = workers.create_router().await.expect("a worker runs");
    let (second, _events) = workers.create_router().await.expect("a worker runs");
    let (third, _events) = workers.create_router().await.expect("a worker runs");
    let mut taken = [first.worker(), second.worker(), third.worker()];
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2]);
    let mut busy = Vec::new();
    for router in [&first, &third] {
        busy.push(router.create_webrtc_transport(Default::default()).await.expect("it is open"));
    }
    let (fourth, _events) = workers.create_router().await.expect("a worker runs");
    assert_eq!(fourth.worker(), second.worker());
}

#[tokio::test]
async fn workers_have_ports_of_their_own() {
    let workers = start(Settings { workers: 2, ..settings() });
    let mut ports = Vec::new();
    for _ in 0..2 {
        let (router, events) = workers.create_router().await.expect("a worker runs");
        let transport = router.create_webrtc_transport(Default::default()).await.expect("it is open");
        ports.push((router.worker(), transport.ice_candidates()[0].port, router, events));
    }
    ports.sort_by_key(|(worker, ..)| *worker);
    assert_eq!(ports[1].1, ports[0].1 + 1);
}

#[tokio::test]
async fn when_a_worker_fails_the_rooms_of_others_go_on_and_it_serves_new_ones() {
    let mut stage = Stage::with(Settings { workers: 2, ..settings() }).await;
    let doomed = stage.router.clone();
    let (safe, mut safe_events) = stage.workers.create_router().await.expect("a worker runs");
    assert_ne!(doomed.worker(), safe.worker());
    let (alice, bob) =
        (seat_in(&mut stage, &safe, Device::publisher()).await, seat_in(&mut stage, &safe, Device::viewer()).await);
    let carol = seat_in(&mut stage, &doomed, Device::publisher()).await;
    let microphone = stage.microphone(alice).await;
    let sound = stage.watch(bob, &microphone).await;
    let lost = stage.microphone(carol).await;
    stage.more(&sound, 5).await;

    stage.workers.fail_worker(doomed.worker());
    stage.event("the notice", |event| *event == RouterEvent::WorkerDied).await;
    assert!(doomed.is_closed() && !safe.is_closed());
    assert_eq!(lost.producer.stats().await, Err(WorkerError::Died));
    assert_eq!(stage.transport(carol).stats().await, Err(WorkerError::Died));
    stage.more(&sound, 30).await;
    assert!(sound.consumer.stats().await.is_ok());

    let (again, _events) = stage.workers.create_router().await.expect("it was replaced");
    assert_eq!(again.worker(), doomed.worker());
    let (dave, erin) =
        (seat_in(&mut stage, &again, Device::publisher()).await, seat_in(&mut stage, &again, Device::viewer()).await);
    let microphone = stage.microphone(dave).await;
    let sound = stage.watch(erin, &microphone).await;
    stage.more(&sound, 10).await;
    while let Some(event) = Stage::ready(safe_events.next()).flatten() {
        assert_ne!(event, RouterEvent::WorkerDied);
    }
}

#[tokio::test]
async fn the_media_of_another_room_cannot_be_consumed() {
    let mut stage = Stage::with(Settings { workers: 1, ..settings() }).await;
    let (other, _events) = stage.workers.create_router().await.expect("a worker runs");
    let alice = stage.publisher().await;
    let microphone = stage.microphone(alice).await;
    let transport = other.create_webrtc_transport(Default::default()).await.expect("it is open");
    let options = ConsumerOptions {
        producer: microphone.producer.clone(),
        rtp_capabilities: Workers::rtp_capabilities().clone(),
        paused: false,
    };
    let refused = ConsumeError::Worker(WorkerError::Refused(CommandError::OtherRouter));
    assert_eq!(transport.consume(options).await.err(), Some(refused));
}

#[tokio::test]
async fn a_packet_goes_through_every_worker_and_a_stopped_one_is_found() {
    let workers = start(Settings { workers: 2, ..settings() });
    for index in 0..2 {
        workers.probe(index).await.expect("it answers");
        let figures = workers.figures(index, PATIENCE).await.expect("there is such a worker");
        let totals = figures.totals.expect("it tells");
        // The router of the probe may not be closed yet.
        assert!(totals.objects[2..] == [0, 0] && figures.waiting == 0, "{figures:?}");
        assert!(!cfg!(target_os = "linux") || figures.cpu_time.is_some_and(|time| !time.is_zero()), "{figures:?}");
    }
    assert!(workers.figures(2, PATIENCE).await.is_none());
    workers.close();
    let refused = workers.probe(1).await;
    assert!(matches!(refused, Err(ProbeError::Worker(_))), "{refused:?}");
    assert_eq!(workers.figures(1, PATIENCE).await.expect("it was there").totals, None);
}

#[tokio::test]
async fn probes_leave_nothing_behind() {
    let workers = start(Settings { workers: 1, ..settings() });
    let (router, _events) = workers.create_router().await.expect("a worker runs");
    workers.probe(0).await.expect("it answers");
    let before = workers.figures(0, PATIENCE).await.and_then(|figures| figures.totals).expect("it tells").objects;
    drop(router);
    for _ in 0..3 {
        workers.probe(0).await.expect("it answers again");
    }
    let after = workers.figures(0, PATIENCE).await.and_then(|figures| figures.totals).expect("it tells").objects;
    assert!(after <= before, "probes leave nothing behind: {before:?} {after:?}");
}

#[test]
fn what_cannot_start_says_why() {
    let none = Workers::start(Settings { workers: 0, ..settings() });
    assert!(matches!(none.err(), Some(StartError::NoWorkers)));
    let few = Workers::start(Settings { workers: 3, rtc_min_port: 20_000, rtc_max_port: 20_001, ..settings() });
    assert!(matches!(few.err(), Some(StartError::TooFewPorts { workers: 3, ports: 2, .. })));
    let inverted = Workers::start(Settings { rtc_min_port: 20_001, rtc_max_port: 20_000, ..settings() });
    assert!(matches!(inverted.err(), Some(StartError::TooFewPorts { ports: 0, .. })));
    let taken = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
    let port = taken.local_addr().expect("it is bound").port();
    let in_use = Workers::start(Settings { rtc_min_port: port, rtc_max_port: port, ..settings() });
    assert!(matches!(in_use.err(), Some(StartError::Bind(_))));
}
