//! Everything is made, paused and closed at random moments, also under keys that mean nothing any more: the worker's
//! tables stay whole after every step, and in the end nothing is left.

use bot::{MediaKind, OpusSettings, Vp8Settings};
use rand::RngExt;
use sfu_core::{Command, Consumer, Key, Producer, Router, WebRtcTransport};

use crate::sim::{Conditions, PeerId, Sim, millis, seconds, seeds};

/// Seeds that failed once, each with what it was.
const ONCE_FAILED: [u64; 0] = [];

/// Participants of one run at most.
const MAX_PEERS: usize = 12;

/// Every key that was ever given out; most of them are closed after a while.
#[derive(Default)]
struct Keys {
    transports: Vec<Key<WebRtcTransport>>,
    producers: Vec<Key<Producer>>,
    consumers: Vec<Key<Consumer>>,
    /// Participants whose transport is open.
    present: Vec<PeerId>,
}

fn pick<T: Copy>(sim: &mut Sim, all: &[T]) -> Option<T> {
    (!all.is_empty()).then(|| all[sim.rng.random_range(0..all.len())])
}

fn step(sim: &mut Sim, keys: &mut Keys) {
    match sim.rng.random_range(0..20) {
        0..=2 if sim.peer_count() < MAX_PEERS => {
            let link = Conditions::delay(millis(10)).jitter(millis(10)).loss(0.02).reordering(0.05).duplication(0.02);
            let id = sim.join(link);
            keys.transports.push(sim.peer(id).transport);
            keys.present.push(id);
        }
        3 | 4 => publish(sim, keys),
        5..=8 => watch(sim, keys),
        9 => {
            let Some(id) = pick(sim, &keys.present) else { return };
            if sim.rng.random_bool(0.5) {
                sim.rebind(id);
            } else {
                sim.move_peer(id);
            }
        }
        10 => {
            let Some(id) = pick(sim, &keys.present) else { return };
            if sim.rng.random_bool(0.3) {
                sim.vanish(id);
            }
        }
        // Any key, also one that is closed.
        11 => {
            let Some(consumer) = pick(sim, &keys.consumers) else { return };
            let _ = sim.try_command(Command::CloseConsumer { consumer });
        }
        12 => {
            let Some(producer) = pick(sim, &keys.producers) else { return };
            let _ = sim.try_command(Command::CloseProducer { producer });
        }
        13 => {
            let Some(transport) = pick(sim, &keys.transports) else { return };
            if sim.rng.random_bool(0.3) {
                keys.present.retain(|&id| sim.peer(id).transport != transport);
                let _ = sim.try_command(Command::CloseTransport { transport });
            }
        }
        14 => {
            let Some(producer) = pick(sim, &keys.producers) else { return };
            let paused = sim.rng.random();
            let _ = sim.try_command(Command::PauseProducer { producer, paused });
        }
        15 => {
            let Some(transport) = pick(sim, &keys.transports) else { return };
            let _ = sim.try_command(Command::RestartIce { transport });
        }
        16 => ask_for_figures(sim, keys),
        _ => steer(sim, keys),
    }
}

fn publish(sim: &mut Sim, keys: &mut Keys) {
    let Some(id) = pick(sim, &keys.present) else { return };
    if sim.peer(id).published.len() > 3 || sim.try_stats(id).is_err() {
        return;
    }
    let producer = match sim.rng.random_range(0..3) {
        0 => sim.publish_audio(id, OpusSettings::default()),
        1 => sim.publish_video(id, &[Vp8Settings::default()]),
        _ => sim.publish_video(id, &[Vp8Settings { bit_rate: 100_000, ..Vp8Settings::default() }; 3]),
    };
    keys.producers.push(producer);
}

fn watch(sim: &mut Sim, keys: &mut Keys) {
    let (Some(viewer), Some(publisher)) = (pick(sim, &keys.present), pick(sim, &keys.present)) else { return };
    let kind = if sim.rng.random_bool(0.3) { MediaKind::Audio } else { MediaKind::Video };
    let producer = sim.peer(publisher).published.iter().find(|published| published.kind == kind);
    let Some(producer) = producer.map(|published| published.producer) else { return };
    let is_open = sim.try_command(Command::ProducerStats { producer }).is_ok();
    if is_open && sim.try_stats(viewer).is_ok() {
        keys.consumers.push(sim.watch(viewer, publisher, kind));
    }
}

fn steer(sim: &mut Sim, keys: &Keys) {
    let Some(consumer) = pick(sim, &keys.consumers) else { return };
    let command = match sim.rng.random_range(0..4) {
        0 => Command::PauseConsumer { consumer, paused: true },
        1 => Command::PauseConsumer { consumer, paused: false },
        2 => Command::SetPreferredLayers { consumer, spatial: sim.rng.random_range(0..5), temporal: None },
        _ => Command::RequestKeyFrame { consumer },
    };
    let _ = sim.try_command(command);
}

fn ask_for_figures(sim: &mut Sim, keys: &Keys) {
    if let Some(transport) = pick(sim, &keys.transports) {
        let _ = sim.try_command(Command::TransportStats { transport });
    }
    if let Some(consumer) = pick(sim, &keys.consumers) {
        let _ = sim.try_command(Command::ConsumerStats { consumer });
    }
}

fn close_routers(sim: &mut Sim, routers: &[Key<Router>]) {
    for &router in routers {
        sim.try_command(Command::CloseRouter { router }).expect("closing is total");
        // Closing again is allowed.
        sim.try_command(Command::CloseRouter { router }).expect("closing is idempotent");
    }
}

#[test]
fn whatever_is_made_and_closed_at_random_leaves_nothing_behind() {
    for seed in seeds(&ONCE_FAILED, 2_000, 15) {
        let mut sim = Sim::seeded(seed);
        let mut keys = Keys::default();
        for _ in 0..400 {
            step(&mut sim, &mut keys);
            let pause = sim.rng.random_range(0..60);
            sim.run_for(millis(pause));
            sim.worker.check();
        }
        let router = sim.router;
        close_routers(&mut sim, &[router]);
        sim.worker.check();
        assert_eq!(sim.worker.object_counts(), [0; 4], "{}", sim.replay_hint());
        let (_, sent) = sim.allocations_and_sent();
        // What is still under way arrives, and every deadline comes.
        sim.run_for(seconds(60));
        sim.worker.check();
        assert_eq!(sim.allocations_and_sent().1, sent, "media for nobody, {}", sim.replay_hint());
        assert_eq!(sim.worker.poll_timeout(), None, "{}", sim.replay_hint());
    }
}

#[test]
fn commands_about_what_is_closed_are_refused_and_change_nothing() {
    let mut sim = Sim::seeded(96);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(10)));
    sim.run_for(seconds(1));
    let transport = sim.peer(alice).transport;
    let producer = sim.peer(alice).published(MediaKind::Video).producer;
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.command(Command::CloseTransport { transport });
    let counts = sim.worker.object_counts();
    assert_eq!(counts, [1, 1, 2, 0]);
    let refused = [
        Command::RestartIce { transport },
        Command::TransportStats { transport },
        Command::PauseProducer { producer, paused: true },
        Command::ProducerStats { producer },
        Command::PauseConsumer { consumer, paused: true },
        Command::SetPreferredLayers { consumer, spatial: 0, temporal: None },
        Command::RequestKeyFrame { consumer },
        Command::ConsumerStats { consumer },
    ];
    for command in refused {
        let text = format!("{command:?}");
        assert!(sim.try_command(command).is_err(), "{text}");
    }
    for command in [
        Command::CloseTransport { transport },
        Command::CloseProducer { producer },
        Command::CloseConsumer { consumer },
    ] {
        assert!(sim.try_command(command).is_ok(), "closing again is allowed");
    }
    assert_eq!(sim.worker.object_counts(), counts);
}
