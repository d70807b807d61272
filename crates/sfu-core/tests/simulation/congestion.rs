//! What viewers see and hear over links that carry less than everything: a table of scenarios, kept beside the tests as
//! `scoreboard.txt`. `STUDYHALL_WRITE_SCOREBOARD=1` writes it anew; `STUDYHALL_TRACE_SCENARIO=<name>` prints how one went
//! (with `--no-capture`).

use std::fmt::Write as _;
use std::time::Duration;

use bot::{MediaKind, OpusSettings, Vp8Settings};
use sfu_core::{BitrateLimits, Command, EventKind, Reply, Tile};

use crate::sim::{Conditions, Narrow, PeerId, Sim, millis, seconds};

/// A camera as browsers send it: three sizes, three temporal layers.
const CAMERA: [(u32, (u16, u16)); 3] = [(120_000, (320, 180)), (450_000, (640, 360)), (1_400_000, (1280, 720))];

/// Width and height of each tile of a grid.
const fn tile_size(tiles: usize) -> (u32, u32) {
    match tiles {
        1 => (1280, 720),
        2..=9 => (480, 270),
        10..=25 => (280, 158),
        _ => (200, 113),
    }
}

/// What happens.
struct Scenario {
    name: &'static str,
    tiles: usize,
    screen: bool,
    conditions: Conditions,
    /// The narrow place from each time on, in seconds.
    narrow: &'static [(u64, Narrow)],
    /// What is judged, in seconds.
    judged: (u64, u64),
}

const SEEDS: std::ops::Range<u64> = 900..903;

const fn narrow(rate: u64) -> Narrow {
    Narrow { rate, queue: Duration::from_millis(300), burst: 0, other: 0 }
}

const fn link(delay: u64) -> Conditions {
    Conditions { delay: millis(delay), jitter: Duration::ZERO, loss: 0.0, reordering: 0.0, duplication: 0.0 }
}

const fn steady(
    name: &'static str,
    tiles: usize,
    conditions: Conditions,
    narrow: &'static [(u64, Narrow)],
) -> Scenario {
    Scenario { name, tiles, screen: false, conditions, narrow, judged: (10, 40) }
}

const SCENARIOS: &[Scenario] = &[
    steady("one tile, 300 kbit/s", 1, link(25), &[(1, narrow(300_000))]),
    steady("one tile, 500 kbit/s", 1, link(25), &[(1, narrow(500_000))]),
    steady("one tile, 1 Mbit/s", 1, link(25), &[(1, narrow(1_000_000))]),
    steady("one tile, 2 Mbit/s", 1, link(25), &[(1, narrow(2_000_000))]),
    steady("nine tiles, 500 kbit/s", 9, link(25), &[(1, narrow(500_000))]),
    steady("nine tiles, 1 Mbit/s", 9, link(25), &[(1, narrow(1_000_000))]),
    steady("nine tiles, 2 Mbit/s", 9, link(25), &[(1, narrow(2_000_000))]),
    steady("nine tiles, 5 Mbit/s", 9, link(25), &[(1, narrow(5_000_000))]),
    Scenario { screen: true, ..steady("nine tiles and a screen, 500 kbit/s", 9, link(25), &[(1, narrow(500_000))]) },
    Scenario { screen: true, ..steady("nine tiles and a screen, 2 Mbit/s", 9, link(25), &[(1, narrow(2_000_000))]) },
    steady("25 tiles, 2 Mbit/s", 25, link(25), &[(1, narrow(2_000_000))]),
    Scenario { judged: (10, 20), ..steady("49 tiles, 5 Mbit/s", 49, link(25), &[(1, narrow(5_000_000))]) },
    steady("nine tiles, 2 Mbit/s, 1 % loss", 9, Conditions { loss: 0.01, ..link(25) }, &[(1, narrow(2_000_000))]),
    steady("nine tiles, 2 Mbit/s, 5 % loss", 9, Conditions { loss: 0.05, ..link(25) }, &[(1, narrow(2_000_000))]),
    steady("nine tiles, 2 Mbit/s, 20 % loss", 9, Conditions { loss: 0.2, ..link(25) }, &[(1, narrow(2_000_000))]),
    steady("nine tiles, 2 Mbit/s, 200 ms there and back", 9, link(100), &[(1, narrow(2_000_000))]),
    steady("nine tiles, 2 Mbit/s, 400 ms there and back", 9, link(200), &[(1, narrow(2_000_000))]),
    steady("nine tiles, 2 Mbit/s, jitter", 9, Conditions { jitter: millis(20), ..link(25) }, &[(1, narrow(2_000_000))]),
    steady(
        "nine tiles, 2 Mbit/s, reordering",
        9,
        Conditions { reordering: 0.02, ..link(25) },
        &[(1, narrow(2_000_000))],
    ),
    steady(
        "nine tiles, 2 Mbit/s, half of it taken",
        9,
        link(25),
        &[(1, Narrow { other: 1_000_000, ..narrow(2_000_000) })],
    ),
    steady(
        "nine tiles, 2 Mbit/s, shallow queue",
        9,
        link(25),
        &[(1, Narrow { queue: millis(50), ..narrow(2_000_000) })],
    ),
    steady("nine tiles, 2 Mbit/s, deep queue", 9, link(25), &[(1, Narrow { queue: seconds(1), ..narrow(2_000_000) })]),
    steady("nine tiles, 2 Mbit/s, token bucket", 9, link(25), &[(1, Narrow { burst: 30_000, ..narrow(2_000_000) })]),
    Scenario {
        judged: (25, 40),
        ..steady(
            "nine tiles, 2 Mbit/s down to 400 kbit/s",
            9,
            link(25),
            &[(1, narrow(2_000_000)), (20, narrow(400_000))],
        )
    },
    Scenario {
        judged: (30, 40),
        ..steady("nine tiles, 400 kbit/s up to 2 Mbit/s", 9, link(25), &[(1, narrow(400_000)), (20, narrow(2_000_000))])
    },
    Scenario {
        judged: (25, 40),
        ..steady(
            "nine tiles, 5 Mbit/s down to 1 Mbit/s",
            9,
            link(25),
            &[(1, narrow(5_000_000)), (20, narrow(1_000_000))],
        )
    },
];

/// What came of it.
struct Outcome {
    /// Share of the link that was used, in percent.
    used: f64,
    /// Estimate against the link, in percent.
    estimate: f64,
    /// In milliseconds.
    queue_p95: f64,
    /// A minute and tile.
    freezes: f64,
    /// Share of the time that tiles stood still, in percent.
    frozen: f64,
    switches: f64,
    /// Share of voice packets that never came, in percent.
    voice_lost: f64,
}

fn show(sim: &mut Sim, viewer: PeerId, tiles: usize) {
    let (transport, (width, height)) = (sim.peer(viewer).transport, tile_size(tiles));
    let videos: Vec<_> = sim.peer(viewer).watched.iter().filter(|watched| watched.kind == MediaKind::Video).collect();
    let tiles =
        videos.iter().map(|watched| Tile { consumer: watched.consumer, width, height, pinned: false }).collect();
    sim.command(Command::SetViewport { transport, tiles });
}

/// The mean of what came of it with each of [`SEEDS`]: one packet more or less can make a picture come or go.
fn mean(scenario: &Scenario) -> Outcome {
    let all: Vec<_> = SEEDS.map(|seed| run(scenario, seed)).collect();
    let count = all.len() as f64;
    let of = |value: fn(&Outcome) -> f64| all.iter().map(value).sum::<f64>() / count;
    Outcome {
        used: of(|one| one.used),
        estimate: of(|one| one.estimate),
        queue_p95: of(|one| one.queue_p95),
        freezes: of(|one| one.freezes),
        frozen: of(|one| one.frozen),
        switches: of(|one| one.switches),
        voice_lost: of(|one| one.voice_lost),
    }
}

fn run(scenario: &Scenario, seed: u64) -> Outcome {
    let mut sim = Sim::with_limits(seed, BitrateLimits::default());
    let router = sim.router;
    sim.command(Command::SetLoudest { router, count: 5 });
    let viewer = sim.join(scenario.conditions);
    let temporal_layers = 3;
    for _ in 0..scenario.tiles {
        let publisher = sim.join(link(20));
        sim.publish_audio(publisher, OpusSettings::default());
        // What nobody can use is not encoded: larger than a tile of so many.
        let encodings = CAMERA.iter().take(if scenario.tiles > 9 { 2 } else { 3 });
        let encodings: Vec<_> = encodings
            .map(|&(bit_rate, size)| Vp8Settings { bit_rate, size, frame_rate: 25, temporal_layers })
            .collect();
        sim.publish_video(publisher, &encodings);
        // As Chromium hears with mediasoup-client.
        sim.watch_with(viewer, publisher, MediaKind::Audio, |spec| {
            spec.red_payload_type = wire::PayloadType::new(63);
            spec.nack = true;
        });
        sim.watch(viewer, publisher, MediaKind::Video);
    }
    if scenario.screen {
        let publisher = sim.join(link(20));
        let screen = Vp8Settings { bit_rate: 250_000, size: (1920, 1080), frame_rate: 5, temporal_layers: 1 };
        sim.publish_screen(publisher, screen);
        sim.watch(viewer, publisher, MediaKind::Video);
    }
    show(&mut sim, viewer, scenario.tiles);
    let (mut before, mut estimates, mut looks) = (None, 0, 0);
    let is_traced =
        seed == SEEDS.start && std::env::var("STUDYHALL_TRACE_SCENARIO").is_ok_and(|name| name == scenario.name);
    for second in 0..scenario.judged.1 {
        if let Some((_, narrow)) = scenario.narrow.iter().find(|(from, _)| *from == second) {
            sim.narrow(viewer, *narrow);
        }
        if second == scenario.judged.0 {
            sim.peer_mut(viewer).down.bottleneck.as_mut().expect("it is narrow").look_anew();
            before = Some(look(&sim, viewer));
        }
        for step in 0..5 {
            sim.run_for(millis(200));
            if is_traced {
                trace(&mut sim, viewer, second * 1000 + (step + 1) * 200);
            }
            if before.is_some() {
                estimates += estimate(&mut sim, viewer);
                looks += 1;
            }
        }
        sim.take_events();
    }
    let before = before.expect("it was judged");
    let after = look(&sim, viewer);
    let time = scenario.judged.1 - scenario.judged.0;
    let bottleneck = sim.peer(viewer).down.bottleneck.as_ref().expect("it is narrow");
    let left = bottleneck.narrow.left();
    let minutes = time as f64 / 60.0 * after.videos as f64;
    Outcome {
        used: (bottleneck.passed * 8 * 100) as f64 / (left * time) as f64,
        estimate: (estimates * 100) as f64 / (looks * left) as f64,
        queue_p95: bottleneck.delay_p95().as_secs_f64() * 1000.0,
        freezes: (after.freezes - before.freezes) as f64 / minutes,
        frozen: (after.frozen - before.frozen).as_secs_f64() * 100.0 / (time as f64 * after.videos as f64),
        switches: (after.switches - before.switches) as f64 / minutes,
        voice_lost: after.lost.saturating_sub(before.lost) as f64 * 100.0 / (after.voice - before.voice).max(1) as f64,
    }
}

/// Prints what is believed of the link of a viewer, what it does, and the layer that is sent of each picture and the one aimed at.
fn trace(sim: &mut Sim, viewer: PeerId, at_millis: u64) {
    let transport = sim.peer(viewer).transport;
    let Reply::TransportStats(stats) = sim.command(Command::TransportStats { transport }) else { return };
    let estimate = stats.estimate.unwrap_or_default();
    let videos: Vec<_> = sim.peer(viewer).watched.iter().filter(|watched| watched.kind == MediaKind::Video).collect();
    let consumers: Vec<_> = videos.iter().map(|watched| watched.consumer).collect();
    let name = |layer: Option<sfu_core::Layer>| {
        layer.map_or("-".to_owned(), |layer| format!("{}.{}", layer.spatial, layer.temporal.min(9)))
    };
    let layers = consumers.into_iter().map(|consumer| {
        let stats = sim.consumer_stats(consumer);
        format!("{}>{}", name(stats.current), name(stats.target))
    });
    let layers: Vec<_> = layers.collect();
    let bottleneck = sim.peer(viewer).down.bottleneck.as_ref();
    let waits = bottleneck.and_then(|narrow| narrow.waited.last()).copied().unwrap_or_default();
    println!(
        "{at_millis:6} ms: {:5} kbit/s (delay {:5}, loss {:?}), {:5} arrive, {:2.0} % lost, {:3} ms paced, queue {:3} ms, {:4} dropped; {}",
        estimate.available / 1000,
        estimate.delay_based / 1000,
        estimate.loss_based.map(|rate| rate / 1000),
        estimate.acknowledged.unwrap_or(0) / 1000,
        estimate.loss * 100.0,
        stats.pacer_delay.as_millis(),
        waits.as_millis(),
        bottleneck.map_or(0, |narrow| narrow.dropped),
        layers.join(" ")
    );
}

fn estimate(sim: &mut Sim, viewer: PeerId) -> u64 {
    let transport = sim.peer(viewer).transport;
    match sim.command(Command::TransportStats { transport }) {
        Reply::TransportStats(stats) => stats.estimate.map_or(0, |estimate| estimate.available),
        _ => unreachable!("TransportStats is answered by TransportStats"),
    }
}

#[derive(Default)]
struct Look {
    videos: u64,
    freezes: u64,
    frozen: Duration,
    switches: u64,
    voice: u64,
    lost: u64,
}

fn look(sim: &Sim, viewer: PeerId) -> Look {
    let mut look = Look::default();
    for watched in &sim.peer(viewer).watched {
        let quality = sim.peer(viewer).bot.quality(watched.sink).expect("the sink is there");
        match watched.kind {
            MediaKind::Video => {
                look.videos += 1;
                look.freezes += quality.freezes;
                look.frozen += quality.frozen;
                look.switches += quality.switches;
            }
            MediaKind::Audio => {
                look.voice += quality.packets + quality.missing;
                look.lost += quality.missing;
            }
        }
    }
    look
}

#[test]
fn the_scoreboard() {
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let halves: Vec<_> = (0..2)
            .map(|half| {
                scope.spawn(move || {
                    let own = SCENARIOS.iter().enumerate().filter(|(index, _)| index % 2 == half);
                    own.map(|(index, scenario)| (index, mean(scenario))).collect::<Vec<_>>()
                })
            })
            .collect();
        let mut all: Vec<_> = halves.into_iter().flat_map(|half| half.join().expect("it ran through")).collect();
        all.sort_unstable_by_key(|(index, _)| *index);
        all
    });
    let mut text = String::new();
    let head = ["used %", "estimate %", "queue ms", "freezes/min", "frozen %", "switches/min", "voice lost %"];
    let _ = write!(text, "{:48}", "scenario");
    for name in head {
        let _ = write!(text, "{name:>14}");
    }
    text.push('\n');
    for (index, outcome) in &outcomes {
        let Outcome { used, estimate, queue_p95, freezes, frozen, switches, voice_lost } = outcome;
        let _ = writeln!(
            text,
            "{:48}{used:14.0}{estimate:14.0}{queue_p95:14.0}{freezes:14.1}{frozen:14.1}{switches:14.1}{voice_lost:14.1}",
            SCENARIOS[*index].name,
        );
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/simulation/scoreboard.txt");
    if std::env::var_os("STUDYHALL_WRITE_SCOREBOARD").is_some() {
        std::fs::write(path, text).expect("the scoreboard can be written");
        return;
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    for (old, new) in kept.lines().zip(text.lines()).filter(|(old, new)| old != new) {
        println!("was {old}\nis  {new}");
    }
    assert!(kept == text, "the scoreboard changed: if for the better, write it with STUDYHALL_WRITE_SCOREBOARD=1");
}

#[test]
fn a_viewer_is_told_when_its_link_carries_less_than_it_shows() {
    let mut sim = Sim::with_limits(901, BitrateLimits::default());
    let encodings = CAMERA.map(|(bit_rate, size)| Vp8Settings { bit_rate, size, frame_rate: 25, temporal_layers: 3 });
    let (_, bob) = sim.camera_and_viewer(link(20), &encodings);
    sim.run_for(seconds(10));
    sim.take_events();
    sim.narrow(bob, narrow(300_000));
    sim.run_for(seconds(10));
    let told = sim.take_events().into_iter().filter_map(|event| match event.kind {
        EventKind::Bandwidth(_, bandwidth) => Some(bandwidth),
        _ => None,
    });
    let told: Vec<_> = told.collect();
    assert!(told.iter().any(|told| told.state == sfu_core::BandwidthState::Limited), "{told:?} {}", sim.replay_hint());
    sim.narrow(bob, narrow(20_000_000));
    sim.run_for(seconds(20));
    let last = sim.take_events().into_iter().rev().find_map(|event| match event.kind {
        EventKind::Bandwidth(_, bandwidth) => Some(bandwidth.state),
        _ => None,
    });
    assert_eq!(last, Some(sfu_core::BandwidthState::Ok), "{}", sim.replay_hint());
}
