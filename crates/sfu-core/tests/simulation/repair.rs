//! Single losses, and what comes of asking for packets again.

use bot::{Media, MediaKind, Vp8Settings};
use wire::rtcp::write_nack;
use wire::{SeqNo, Ssrc};

use crate::sim::{Conditions, Sim, millis, seconds, seeds};

/// A packet lost on its way from the publisher comes back within two round trips of that path.
#[test]
fn a_packet_lost_on_the_way_up_comes_back_within_two_round_trips() {
    let mut sim = Sim::seeded(7);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(40)));
    sim.run_for(seconds(2));
    sim.lose_next_from(alice, MediaKind::Video, 1);
    sim.run_for(millis(40));
    assert_eq!(sim.peer(alice).up.lost, 1, "{}", sim.replay_hint());
    // From here on: what is left of the way up, and twice there and back.
    sim.run_for(millis(40 + 160 + 40));
    let video = sim.video_at(bob);
    assert_eq!((video.missing, video.dropped, video.skipped), (0, 0, 0), "{video:?} {}", sim.replay_hint());
    assert_eq!(sim.sent(alice, MediaKind::Video, 0).retransmitted, 1, "{}", sim.replay_hint());
}

#[test]
fn a_packet_lost_on_the_way_down_comes_back_within_two_round_trips() {
    let mut sim = Sim::seeded(8);
    let (alice, bob) = sim.two_in_a_room(Conditions::delay(millis(40)));
    sim.run_for(seconds(2));
    sim.lose_next_to(bob, alice, MediaKind::Video, 1);
    sim.run_for(millis(40 + 160 + 40));
    let video = sim.video_at(bob);
    assert_eq!(sim.peer(bob).down.lost, 1, "{}", sim.replay_hint());
    assert_eq!((video.missing, video.dropped, video.skipped), (0, 0, 0), "{video:?} {}", sim.replay_hint());
    assert_eq!(video.repaired, 1, "{video:?} {}", sim.replay_hint());
    assert_eq!(sim.sent(alice, MediaKind::Video, 0).nacked, 0, "the worker answers by itself");
}

#[test]
fn a_viewer_without_rtx_gets_the_same_packet_again() {
    let mut sim = Sim::seeded(9);
    let link = Conditions::delay(millis(20));
    let (alice, bob) = (sim.join(link), sim.join(link));
    sim.publish_video(alice, &[Vp8Settings::default()]);
    sim.watch_with(bob, alice, MediaKind::Video, |spec| (spec.rtx_ssrc, spec.rtx_payload_type) = (None, None));
    sim.run_for(seconds(2));
    sim.lose_next_to(bob, alice, MediaKind::Video, 3);
    sim.run_for(seconds(1));
    let video = sim.video_at(bob);
    assert_eq!(sim.peer(bob).down.lost, 3, "{}", sim.replay_hint());
    assert_eq!((video.missing, video.faults(), video.dropped), (0, 0, 0), "{video:?} {}", sim.replay_hint());
    assert_eq!(sim.peer(bob).bot.stats().unauthentic, 0, "{}", sim.replay_hint());
}

#[test]
fn what_is_lost_for_longer_than_anybody_waits_brings_a_key_frame_and_the_picture_goes_on() {
    let mut sim = Sim::seeded(10);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)), &[Vp8Settings::default()]);
    let near = Conditions::delay(millis(13));
    sim.set_link(alice, near);
    sim.run_for(seconds(2));
    sim.set_link(alice, near.loss(1.0));
    sim.run_for(seconds(4));
    sim.set_link(alice, near);
    let before = sim.video_at(bob);
    sim.run_for(seconds(3));
    let after = sim.video_at(bob);
    assert!(after.decoded > before.decoded + 40, "{before:?} {after:?} {}", sim.replay_hint());
    assert_eq!(after.faults(), 0, "{after:?} {}", sim.replay_hint());
    // What was repaired on the way up comes late, but only once.
    assert!(after.late > 50, "{after:?} {}", sim.replay_hint());
    assert_eq!(after.redundant, 0, "{after:?} {}", sim.replay_hint());
}

#[test]
fn numbers_wrap_and_roll_over_in_the_middle_of_a_call_without_notice() {
    for seed in seeds(&[], 0, 10) {
        let mut sim = Sim::seeded(seed);
        let clean = Conditions::delay(millis(20));
        let (alice, bob) = (sim.join(clean), sim.join(clean));
        let stream = sim.stream_spec(None, Some(65_400));
        // 220 packets a second: the number wraps after 0.6 s, and SRTP's roll-over count with it.
        let fast = Vp8Settings { bit_rate: 2_000_000, frame_rate: 30, ..Vp8Settings::default() };
        sim.publish(alice, MediaKind::Video, Media::Vp8(vec![(stream, fast)]));
        sim.watch(bob, alice, MediaKind::Video);
        sim.run_for(millis(400));
        assert!(sim.sent(alice, MediaKind::Video, 0).packets < 136, "the wrap is still to come");
        for id in [alice, bob] {
            sim.set_link(id, clean.jitter(millis(10)).loss(0.03).reordering(0.05));
        }
        sim.run_for(seconds(8));
        for id in [alice, bob] {
            sim.set_link(id, clean);
        }
        sim.run_for(seconds(2));
        let video = sim.video_at(bob);
        assert!(video.decoded > 250, "{video:?} {}", sim.replay_hint());
        assert_eq!((video.missing, video.faults(), video.skipped), (0, 0, 0), "{video:?} {}", sim.replay_hint());
        let stats = sim.producer_stats(alice, MediaKind::Video);
        assert_eq!(stats.streams[0].packets_lost, 0, "{}", sim.replay_hint());
    }
}

/// The number that the worker sends to a viewer wraps too.
#[test]
fn the_number_sent_to_a_viewer_wraps_without_notice() {
    let mut sim = Sim::seeded(20);
    let clean = Conditions::delay(millis(5));
    let (alice, bob) = (sim.join(clean), sim.join(clean));
    // First outgoing numbers lie below 2^14: 70,000 packets pass the wrap for certain.
    let fast = Vp8Settings { bit_rate: 8_000_000, frame_rate: 60, ..Vp8Settings::default() };
    sim.publish_video(alice, &[fast]);
    sim.watch(bob, alice, MediaKind::Video);
    sim.run_for(seconds(1));
    for id in [alice, bob] {
        sim.set_link(id, clean.loss(0.02).reordering(0.02));
    }
    sim.run_for(seconds(80));
    for id in [alice, bob] {
        sim.set_link(id, clean);
    }
    sim.run_for(seconds(2));
    let video = sim.video_at(bob);
    assert!(video.packets > 70_000, "{video:?}");
    assert_eq!((video.missing, video.faults(), video.skipped), (0, 0, 0), "{video:?} {}", sim.replay_hint());
}

/// A viewer that asks for everything again and again gets no more than was sent to it, and a fixed credit.
#[test]
fn a_flood_of_requests_is_answered_within_bounds() {
    let mut sim = Sim::seeded(11);
    let link = Conditions::delay(millis(10));
    let (alice, bob) = sim.camera_and_viewer(link, &[Vp8Settings::default()]);
    sim.run_for(seconds(3));
    let (consumer, ssrc) = {
        let watched = sim.watched(bob, alice, MediaKind::Video);
        (watched.consumer, watched.ssrc)
    };
    let before = sim.consumer_stats(consumer);
    for round in 0..100_u16 {
        let asked = (0..500).map(|back| SeqNo::new(round.wrapping_mul(97).wrapping_add(back * 31)));
        let mut plain = Vec::new();
        write_nack(&mut plain, Ssrc::new(1), ssrc, asked);
        sim.with_bot(bob, |bot, _, out| bot.send_rtcp(&plain, out));
        sim.run_for(millis(10));
    }
    let after = sim.consumer_stats(consumer);
    assert!(after.nacks_received > before.nacks_received + 40_000, "{after:?}");
    let sent = after.bytes_sent - before.bytes_sent;
    let again = after.packets_retransmitted - before.packets_retransmitted;
    // 96 KiB of credit and a byte for each byte sent; the smallest packet of this source has some 1,000 bytes.
    assert!(again * 900 < 96 * 1024 + sent, "{again} packets again for {sent} bytes, {}", sim.replay_hint());
    assert!(again > 0);
    let video = sim.video_at(bob);
    assert_eq!(video.dropped, 0, "{video:?} {}", sim.replay_hint());
}

#[test]
fn packets_of_padding_alone_leave_no_hole() {
    let mut sim = Sim::seeded(12);
    let (alice, bob) = sim.camera_and_viewer(Conditions::delay(millis(20)), &[Vp8Settings::default()]);
    sim.run_for(seconds(1));
    for _ in 0..50 {
        let source = sim.peer(alice).published(MediaKind::Video).source;
        sim.with_bot(alice, |bot, now, out| bot.send_padding(now, source, 0, out));
        sim.run_for(millis(37));
    }
    let source = sim.peer(alice).published(MediaKind::Video).source;
    sim.with_bot(alice, |bot, _, _| bot.pause_source(source, true));
    sim.run_for(millis(200));
    let (video, sent) = (sim.video_at(bob), sim.sent(alice, MediaKind::Video, 0));
    assert_eq!(sent.padding, 50);
    assert_eq!(video.packets, sent.packets, "{video:?} {}", sim.replay_hint());
    assert_eq!((video.missing, video.nacked, video.faults()), (0, 0, 0), "{video:?} {}", sim.replay_hint());
}

/// Padding that is lost is asked for, and what comes in its place is no media: nothing is missing in the end.
#[test]
fn lost_and_overtaken_padding_disturbs_nobody_for_long() {
    for seed in seeds(&[], 0, 10) {
        let mut sim = Sim::seeded(seed);
        let clean = Conditions::delay(millis(20));
        let (alice, bob) = sim.camera_and_viewer(clean, &[Vp8Settings::default()]);
        sim.run_for(seconds(1));
        sim.set_link(alice, clean.jitter(millis(5)).loss(0.1).reordering(0.1));
        for _ in 0..100 {
            let source = sim.peer(alice).published(MediaKind::Video).source;
            sim.with_bot(alice, |bot, now, out| bot.send_padding(now, source, 0, out));
            sim.run_for(millis(37));
        }
        sim.set_link(alice, clean);
        sim.run_for(seconds(4));
        let video = sim.video_at(bob);
        assert_eq!(video.faults(), 0, "{video:?} {}", sim.replay_hint());
        let before = sim.video_at(bob);
        sim.run_for(seconds(2));
        let after = sim.video_at(bob);
        assert_eq!(after.decoded - before.decoded, 50, "{after:?} {}", sim.replay_hint());
    }
}
