//! Who asks for a trace is told what happened, and nobody else is.

use std::collections::BTreeMap;

use bot::{MediaKind, Vp8Settings};
use sfu_core::{
    BitrateLimits, Command, CommandError, Direction, DtlsState, EstimateReason, EventKind, IceState, TraceEvent,
    TraceKinds, TraceTarget, Traced,
};

use crate::sim::{Conditions, Narrow, Sim, millis, seconds};

fn trace(sim: &mut Sim, target: TraceTarget, kinds: TraceKinds) {
    sim.command(Command::Trace { target, kinds });
}

fn traces(sim: &mut Sim) -> Vec<(Traced, TraceEvent)> {
    let told = sim.take_events().into_iter().filter_map(|event| match event.kind {
        EventKind::Trace(of, what) => Some((of, what)),
        _ => None,
    });
    told.collect()
}

/// How often each word begins a trace.
fn words(traces: &[(Traced, TraceEvent)]) -> BTreeMap<String, usize> {
    let mut words = BTreeMap::new();
    for (_, what) in traces {
        let word = what.to_string().split(['=', ' ']).take(2).collect::<Vec<_>>().join(" ");
        *words.entry(word).or_default() += 1;
    }
    words
}

#[test]
fn a_call_that_nobody_traces_tells_nothing() {
    let mut sim = Sim::seeded(500);
    sim.two_in_a_room(Conditions::delay(millis(20)).loss(0.02));
    sim.run_for(seconds(5));
    assert_eq!(traces(&mut sim), []);
}

#[test]
fn a_traced_room_tells_of_all_that_comes_into_it() {
    let mut sim = Sim::seeded(501);
    let router = sim.router;
    trace(&mut sim, TraceTarget::Router(router), TraceKinds::ALL);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)), &[Vp8Settings::default()]);
    sim.run_for(seconds(3));
    sim.lose_next_from(alice, MediaKind::Video, 2);
    sim.run_for(seconds(1));
    sim.lose_next_to(bob, alice, MediaKind::Video, 3);
    sim.run_for(seconds(2));
    let (told, hint) = (traces(&mut sim), sim.replay_hint());
    let words = words(&told);
    let count = |word: &str| words.get(word).copied().unwrap_or(0);
    for state in ["ice completed", "dtls connecting", "dtls connected"] {
        assert_eq!(count(state), 2, "{words:?} {hint}");
    }
    assert!(count("pli out") >= 1 && count("keyframe in") >= 1 && count("keyframe out") >= 1, "{words:?} {hint}");
    assert!((4..=14).contains(&count("rtp in")) && (4..=14).contains(&count("rtp out")), "{words:?} {hint}");
    assert!(count("layers current") >= 1, "{words:?} {hint}");
    let asked = |wanted| {
        let nacks = told.iter().filter_map(move |&(_, what)| match what {
            TraceEvent::Nack { direction, packets, answered, .. } if direction == wanted => Some((packets, answered)),
            _ => None,
        });
        nacks.fold((0, 0), |sum, (packets, answered)| (sum.0 + packets, sum.1 + answered.unwrap_or(0)))
    };
    let (sent, seen) = (sim.sent(alice, MediaKind::Video, 0), sim.quality(bob, alice, MediaKind::Video));
    assert_eq!(u64::from(asked(Direction::Out).0), sent.nacked, "{words:?} {hint}");
    assert_eq!(u64::from(asked(Direction::In).0), seen.nacked, "{words:?} {hint}");
    assert!(asked(Direction::In).1 >= 3, "the viewer got them: {words:?} {hint}");
}

#[test]
fn only_the_object_and_the_kinds_that_were_asked_for_are_told() {
    let mut sim = Sim::seeded(502);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(20)).loss(0.05));
    sim.run_for(seconds(2));
    let producer = sim.peer(alice).published(MediaKind::Video).producer;
    let name = sim.peer(alice).published(MediaKind::Video).id;
    trace(&mut sim, TraceTarget::Producer(producer), TraceKinds::NACK.and(TraceKinds::RTP));
    sim.run_for(seconds(5));
    let told = traces(&mut sim);
    assert!(told.len() > 5, "{told:?} {}", sim.replay_hint());
    for (of, what) in &told {
        assert_eq!(*of, Traced::Producer(name));
        assert!(matches!(what, TraceEvent::Nack { .. } | TraceEvent::Rtp { .. }), "{what}");
    }
    trace(&mut sim, TraceTarget::Producer(producer), TraceKinds::NONE);
    sim.run_for(seconds(5));
    assert_eq!(traces(&mut sim), []);
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.command(Command::CloseConsumer { consumer });
    let gone = sim.try_command(Command::Trace { target: TraceTarget::Consumer(consumer), kinds: TraceKinds::ALL });
    assert_eq!(gone.err(), Some(CommandError::NoConsumer));
}

#[test]
fn the_way_of_an_estimate_can_be_followed_with_what_it_did_to_the_picture() {
    let limits = BitrateLimits { min: 30_000, start: 600_000, max: 10_000_000 };
    let mut sim = Sim::with_limits(503, limits);
    let router = sim.router;
    trace(&mut sim, TraceTarget::Router(router), TraceKinds::BWE.and(TraceKinds::LAYERS).and(TraceKinds::CONNECTION));
    let small = Vp8Settings { bit_rate: 300_000, ..Vp8Settings::default() };
    let link = Conditions::delay(millis(20));
    let (_, bob) = sim.camera_and_viewer(link, &[small, Vp8Settings { bit_rate: 1_200_000, ..small }]);
    sim.run_for(seconds(10));
    sim.narrow(bob, Narrow { rate: 80_000, queue: millis(300), burst: 0, other: 0 });
    sim.run_for(seconds(15));
    let (told, hint) = (traces(&mut sim), sim.replay_hint());
    let estimates: Vec<_> = told
        .iter()
        .filter_map(|&(_, what)| match what {
            TraceEvent::Estimate { available, before, reason } => Some((available, before, reason)),
            _ => None,
        })
        .collect();
    assert!(estimates.windows(2).all(|pair| pair[1].1 == pair[0].0), "one after the other: {estimates:?} {hint}");
    assert!(estimates.iter().any(|step| step.2 == EstimateReason::Probe && step.0 > step.1), "{estimates:?} {hint}");
    let falls = estimates.iter().filter(|step| step.0 < step.1);
    assert!(falls.clone().any(|step| matches!(step.2, EstimateReason::Delay | EstimateReason::Loss)), "{hint}");
    let paused = told.iter().position(|(_, what)| *what == TraceEvent::Granted { layer: None });
    let paused = paused.unwrap_or_else(|| panic!("it was not paused: {:?} {hint}", words(&told)));
    let ends = |what: &TraceEvent| matches!(what, TraceEvent::Layers { current: None, .. });
    assert!(told[paused..].iter().any(|(_, what)| ends(what)), "{:?} {hint}", words(&told));
    assert!(told.iter().any(|(_, what)| *what == TraceEvent::Ice(IceState::Completed)));
    assert!(told.iter().any(|(_, what)| *what == TraceEvent::Dtls(DtlsState::Connected)));
}
