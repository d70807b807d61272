//! The figures that are told are what the links really carried.

use bot::{MediaKind, Vp8Settings};
use sfu_core::{BitrateLimits, DtlsState, IceState, TrafficStats};

use crate::sim::{Conditions, Narrow, PeerId, Sim, Tally, millis, seconds, seeds};

/// What AES-GCM adds to an RTP packet (RFC 7714 §5.1).
const TAG: u64 = 16;

fn is_near(value: u64, expected: u64, percent: u64) -> bool {
    value.abs_diff(expected) * 100 <= expected * percent
}

/// RTP packets as they were before encryption.
fn plain(packets: u64, bytes: u64) -> (u64, u64) {
    (packets, bytes - packets * TAG)
}

fn counted(traffic: TrafficStats) -> (u64, u64) {
    (traffic.packets, traffic.bytes)
}

fn stop(sim: &mut Sim, publisher: PeerId) {
    let source = sim.peer(publisher).published(MediaKind::Video).source;
    sim.with_bot(publisher, |bot, _, _| bot.pause_source(source, true));
}

/// One camera and one viewer whose links lose packets in the direction of the media; stopped after a while, so that nothing is
/// under way any more.
#[test]
fn bytes_losses_and_repairs_are_those_of_the_links() {
    for seed in seeds(&[], 400, 4) {
        let mut sim = Sim::seeded(seed);
        let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(30)), &[Vp8Settings::default()]);
        let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
        sim.run_for(seconds(2));
        let before = [sim.transport_stats(alice).received.all, sim.transport_stats(bob).sent.all];
        let links: [Tally; 2] = [sim.peer(alice).up.delivered, sim.peer(bob).down.media];
        sim.peer_mut(alice).up.conditions = Conditions::delay(millis(30)).loss(0.03);
        sim.peer_mut(bob).down.conditions = Conditions::delay(millis(30)).loss(0.05);
        sim.run_for(seconds(20));
        stop(&mut sim, alice);
        sim.run_for(seconds(2));
        let hint = sim.replay_hint();

        let stream = sim.producer_stats(alice, MediaKind::Video).streams.remove(0);
        let (sent, up) = (sim.sent(alice, MediaKind::Video, 0), &sim.peer(alice).up);
        let media = up.stream(stream.ssrc.expect("it sent"));
        let repeated = up.stream(stream.rtx_ssrc.expect("it sent some again"));
        assert!(media.lost_packets > 10 && stream.packets_repaired > 10, "{media:?} {stream:?} {hint}");
        assert_eq!(stream.packets_received, media.arrived() + stream.packets_repaired, "{stream:?} {hint}");
        // What is lost after the last packet that came, nobody can know.
        let missing = sent.packets as i64 - stream.packets_received as i64;
        assert!((missing - 3..=missing).contains(&stream.packets_lost), "{missing} {stream:?} {hint}");
        assert_eq!(stream.packets_retransmitted, repeated.arrived(), "{stream:?} {hint}");
        let useless = stream.packets_retransmitted - stream.packets_repaired;
        assert_eq!((stream.rtx_packets_discarded, stream.packets_duplicated), (useless, 0), "{stream:?} {hint}");
        assert_eq!(stream.nacks_sent, sent.nacked, "{stream:?} {hint}");
        assert!(stream.nack_messages > 0 && stream.nack_messages <= stream.nacks_sent, "{stream:?} {hint}");
        assert_eq!((stream.key_frame_requests, stream.firs_sent), (sent.key_frame_requests, 0), "{stream:?} {hint}");
        let (_, from_media) = plain(media.arrived(), media.arrived_bytes());
        let (_, from_repairs) = plain(repeated.arrived(), repeated.arrived_bytes());
        assert!(stream.rtp_bytes_received > from_media, "{stream:?} {hint}");
        assert!(stream.rtp_bytes_received <= from_media + from_repairs, "{stream:?} {hint}");

        let (figures, seen) = (sim.consumer_stats(consumer), sim.quality(bob, alice, MediaKind::Video));
        let down = &sim.peer(bob).down;
        let (media, repeated) = (down.stream(figures.ssrc), down.stream(figures.rtx_ssrc.expect("it has RTX")));
        assert!(media.lost_packets > 10 && repeated.packets > 10, "{media:?} {repeated:?} {hint}");
        assert_eq!((figures.packets_sent, figures.rtp_bytes_sent), plain(media.packets, media.bytes), "{hint}");
        assert_eq!(figures.packets_retransmitted, repeated.packets, "{figures:?} {hint}");
        let twice = figures.packets_retransmitted - figures.packets_repaired;
        assert!(twice <= repeated.lost_packets + seen.redundant, "{figures:?} {repeated:?} {hint}");
        assert_eq!(figures.nacks_received, seen.nacked, "{figures:?} {seen:?} {hint}");
        assert!(figures.nack_messages <= figures.nacks_received, "{figures:?} {hint}");
        assert_eq!(figures.key_frame_requests, seen.key_frame_requests, "{figures:?} {hint}");
        assert_eq!(figures.firs_received, 0, "{figures:?} {hint}");

        let links = [sim.peer(alice).up.delivered.since(&links[0]), sim.peer(bob).down.media.since(&links[1])];
        let [received, sent] = [sim.transport_stats(alice).received, sim.transport_stats(bob).sent];
        let grown = |now: TrafficStats, before: TrafficStats| (now.packets - before.packets, now.bytes - before.bytes);
        assert_eq!(grown(received.all, before[0]), (links[0].packets, links[0].bytes), "{hint}");
        assert_eq!(grown(sent.all, before[1]), (links[1].packets, links[1].bytes), "{hint}");
        assert_eq!(counted(sent.media), plain(media.packets, media.bytes), "{hint}");
        assert_eq!(counted(sent.repeated), plain(repeated.packets, repeated.bytes), "{hint}");
        assert_eq!(counted(sent.probes), (0, 0), "the link was not to be probed, {hint}");
        assert_eq!(received.media.packets + received.repeated.packets, stream.packets_received, "{hint}");
    }
}

#[test]
fn rates_losses_and_round_trips_are_those_of_the_last_seconds() {
    let mut sim = Sim::seeded(410);
    let settings = Vp8Settings { bit_rate: 1_000_000, ..Vp8Settings::default() };
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(30)), &[settings]);
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.peer_mut(alice).up.conditions.loss = 0.04;
    sim.peer_mut(bob).down.conditions.delay = millis(60);
    sim.run_for(seconds(10));
    let stream = sim.producer_stats(alice, MediaKind::Video).streams.remove(0);
    let ssrc = stream.ssrc.expect("it sends");
    let tallies = |sim: &mut Sim| {
        let sent_as = sim.consumer_stats(consumer).ssrc;
        let (up, down) = (&sim.peer(alice).up, &sim.peer(bob).down);
        (up.stream(ssrc), down.stream(sent_as), up.media, down.media)
    };
    let before = tallies(&mut sim);
    sim.run_for(seconds(2));
    let (after, hint) = (tallies(&mut sim), sim.replay_hint());
    let rate = |now: &Tally, before: &Tally| (now.since(before).arrived_bytes() * 8) / 2;

    let stream = sim.producer_stats(alice, MediaKind::Video).streams.remove(0);
    assert!(is_near(stream.bit_rate, rate(&after.0, &before.0), 8), "{stream:?} {after:?} {hint}");
    let figures = sim.consumer_stats(consumer);
    assert!(is_near(figures.bit_rate, rate(&after.1, &before.1), 5), "{figures:?} {after:?} {hint}");
    let (up, down) = (sim.transport_stats(alice), sim.transport_stats(bob));
    assert!(is_near(up.received.all.bit_rate, rate(&after.2, &before.2), 5), "{up:?} {after:?} {hint}");
    assert!(is_near(down.sent.all.bit_rate, rate(&after.3, &before.3), 5), "{down:?} {after:?} {hint}");
    assert!(is_near(down.sent.media.bit_rate, figures.bit_rate, 1), "{down:?} {figures:?} {hint}");
    let loss = up.loss_received.expect("it sends");
    assert!((0.005..0.1).contains(&loss), "{loss} {hint}");
    assert_eq!(down.loss_received, None, "nothing comes from there");

    let round_trip = |told: Option<std::time::Duration>| told.expect("it was measured").as_millis() as u64;
    assert!(is_near(round_trip(up.round_trip), 60, 10), "{up:?} {hint}");
    assert!(is_near(round_trip(down.round_trip), 90, 10), "{down:?} {hint}");
    assert!(is_near(round_trip(figures.measured_round_trip), 90, 10), "{figures:?} {hint}");
    assert!(is_near(round_trip(figures.source_round_trip), 60, 10), "{figures:?} {hint}");
    assert_eq!((up.ice, up.dtls), (IceState::Completed, DtlsState::Connected));
    let source = figures.source.expect("one is sent");
    assert_eq!((source.ssrc, source.score), (Some(ssrc), stream.score), "{hint}");
    assert_eq!(figures.score, 10, "nothing is lost on that way");

    stop(&mut sim, alice);
    sim.run_for(seconds(4));
    let stream = sim.producer_stats(alice, MediaKind::Video).streams.remove(0);
    assert_eq!((stream.bit_rate, sim.consumer_stats(consumer).bit_rate), (0, 0), "nothing comes any more");
}

#[test]
fn the_rate_of_each_layer_is_told_as_its_viewer_gets_it() {
    let mut sim = Sim::seeded(411);
    let small = Vp8Settings { bit_rate: 200_000, temporal_layers: 3, ..Vp8Settings::default() };
    let (alice, _) =
        sim.camera_and_viewer(Conditions::delay(millis(20)), &[small, Vp8Settings { bit_rate: 800_000, ..small }]);
    sim.run_for(seconds(10));
    let streams = sim.producer_stats(alice, MediaKind::Video).streams;
    assert_eq!(streams.len(), 2);
    for (stream, wanted) in streams.iter().zip([200_000, 800_000]) {
        let rates: Vec<_> = stream.layers.iter().map(|&(layer, rate)| (layer.spatial, layer.temporal, rate)).collect();
        let [(0, 0, low), (0, 1, middle), (0, 2, high)] = rates[..] else { panic!("{rates:?}") };
        assert!(low > 0 && low < middle && middle < high, "{rates:?}");
        assert!(high.abs_diff(stream.bit_rate) <= 2, "all of it together: {rates:?} {}", stream.bit_rate);
        // Headers come on top of what the encoder makes.
        assert!(is_near(high, wanted + wanted / 20, 12), "{rates:?} of {wanted}");
    }
}

#[test]
fn what_a_narrow_link_carries_is_told_with_its_probes_and_queue() {
    let limits = BitrateLimits { min: 30_000, start: 600_000, max: 10_000_000 };
    let mut sim = Sim::with_limits(412, limits);
    let settings = Vp8Settings { bit_rate: 500_000, ..Vp8Settings::default() };
    let (alice, bob) = sim
        .camera_and_viewer(Conditions::delay(millis(20)), &[settings, Vp8Settings { bit_rate: 1_500_000, ..settings }]);
    sim.narrow(bob, Narrow { rate: 1_000_000, queue: millis(300), burst: 0, other: 0 });
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.run_for(seconds(20));
    let (figures, transport, hint) = (sim.consumer_stats(consumer), sim.transport_stats(bob), sim.replay_hint());
    let estimate = transport.estimate.expect("it is estimated");
    assert_eq!(figures.available, Some(estimate.available));
    assert!((500_000..=1_300_000).contains(&estimate.available), "{estimate:?} {hint}");
    let (current, target) = (figures.current.expect("one is sent"), figures.target.expect("one is aimed at"));
    assert_eq!((current.spatial, target.spatial), (0, 0), "the larger one does not fit, {figures:?} {hint}");
    assert!(figures.pacer_delay < millis(500), "{figures:?} {hint}");
    let repeated = sim.peer(bob).down.stream(figures.rtx_ssrc.expect("it has RTX"));
    let both = transport.sent.repeated.packets + transport.sent.probes.packets;
    assert!(transport.sent.probes.bytes > 0, "{transport:?} {hint}");
    assert_eq!(both, repeated.packets, "padding and repairs share a stream, {hint}");
}

/// The sums over all objects are those of each, and what is closed goes on counting.
#[test]
fn the_totals_of_a_worker_are_its_objects_figures_and_never_shrink() {
    let mut sim = Sim::seeded(420);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(30)).loss(0.03), &[Vp8Settings::default()]);
    let consumer = sim.watched(bob, alice, MediaKind::Video).consumer;
    sim.run_for(seconds(10));
    stop(&mut sim, alice);
    sim.run_for(seconds(2));
    let hint = sim.replay_hint();
    let stream = sim.producer_stats(alice, MediaKind::Video).streams.remove(0);
    let (up, down, figures) = (sim.transport_stats(alice), sim.transport_stats(bob), sim.consumer_stats(consumer));
    let totals = sim.worker.totals();
    let counts = totals.counts;
    assert_eq!(totals.objects, [1, 2, 1, 1]);
    assert_eq!(counts.packets_received, up.received.all.packets + down.received.all.packets, "{hint}");
    assert_eq!(counts.bytes_received, up.received.all.bytes + down.received.all.bytes, "{hint}");
    assert_eq!(counts.packets_sent, up.sent.all.packets + down.sent.all.packets, "{hint}");
    assert_eq!(counts.bytes_sent, up.sent.all.bytes + down.sent.all.bytes, "{hint}");
    assert!(stream.nacks_sent > 0 && figures.nacks_received > 0, "{stream:?} {figures:?} {hint}");
    assert_eq!((counts.nacks_sent, counts.nacks_received), (stream.nacks_sent, figures.nacks_received), "{hint}");
    assert_eq!(counts.retransmissions_received, stream.packets_retransmitted, "{hint}");
    assert_eq!(counts.retransmissions_sent, figures.packets_retransmitted, "{hint}");
    assert_eq!(counts.key_frame_requests_sent, stream.key_frame_requests, "{hint}");
    assert_eq!(counts.feedback_lost, down.feedback_lost, "{hint}");
    assert!(counts.feedback_received > 100, "{counts:?} {hint}");
    assert_eq!(totals.packets_missing, stream.packets_lost as u64, "{hint}");
    assert_eq!(totals.estimates.iter().sum::<u64>(), 1, "one link is estimated, {hint}");
    assert_eq!(Some(totals.estimated_bits), down.estimate.map(|estimate| estimate.available), "{hint}");

    for peer in [alice, bob] {
        let transport = sim.peer(peer).transport;
        sim.command(sfu_core::Command::CloseTransport { transport });
    }
    let after = sim.worker.totals();
    assert_eq!((after.objects, after.counts), ([1, 0, 0, 0], counts), "{hint}");
    assert_eq!((after.estimates, after.packets_missing), ([0; 6], 0), "{hint}");
}
