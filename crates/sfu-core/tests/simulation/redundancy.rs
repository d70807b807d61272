//! Sound over links that lose much: it is sent again with what follows it, to those who can read that (RFC 2198).

use bot::{Media, MediaKind, OpusSettings, Quality};
use wire::PayloadType;

use crate::sim::{Conditions, PeerId, Sim, millis, seconds, seeds};

/// RED in both browsers' dialects.
const RED: Option<PayloadType> = PayloadType::new(63);

const VOICE: OpusSettings = OpusSettings { packet_len: 80, talk_and_pause: None, dbov_below: 30 };

const LOSSY: Conditions = Conditions { loss: 0.3, ..QUICK };
const QUICK: Conditions =
    Conditions { delay: millis(20), jitter: millis(0), loss: 0.0, reordering: 0.0, duplication: 0.0 };

/// One who speaks and one who listens.
struct Call {
    sim: Sim,
    speaker: PeerId,
    listener: PeerId,
}

/// Who of them reads and writes RED, and whether the listener asks for lost packets.
#[derive(Clone, Copy, Default)]
struct Means {
    speaker_red: bool,
    speaker_nack: bool,
    listener_red: bool,
    listener_nack: bool,
}

impl Call {
    fn new(seed: u64, (up, down): (Conditions, Conditions), means: Means) -> Self {
        let mut sim = Sim::seeded(seed);
        let (speaker, listener) = (sim.join(up), sim.join(down));
        let media = Media::Opus(sim.stream_spec(None, None), VOICE);
        sim.publish_with(speaker, MediaKind::Audio, media, |spec| {
            spec.red_payload_type = RED.filter(|_| means.speaker_red);
            spec.nack = means.speaker_nack;
        });
        sim.watch_with(listener, speaker, MediaKind::Audio, |spec| {
            spec.red_payload_type = RED.filter(|_| means.listener_red);
            spec.nack = means.listener_nack;
        });
        Self { sim, speaker, listener }
    }

    /// Runs, and says what was heard meanwhile; the first seconds, in which losses become known, do not count.
    fn run(&mut self, settling: u64, judged: u64) -> Heard {
        self.sim.run_for(seconds(settling));
        let (sent, heard) = self.counts();
        self.sim.run_for(seconds(judged));
        let (sent_after, heard_after) = self.counts();
        let share = (heard_after.packets - heard.packets) as f64 / (sent_after - sent) as f64;
        Heard { share, quality: heard_after, hint: self.sim.replay_hint() }
    }

    fn counts(&self) -> (u64, Quality) {
        let sent = self.sim.sent(self.speaker, MediaKind::Audio, 0).packets;
        (sent, self.sim.quality(self.listener, self.speaker, MediaKind::Audio))
    }
}

/// What the listener heard.
struct Heard {
    /// Of all that was said.
    share: f64,
    quality: Quality,
    hint: String,
}

impl Heard {
    fn check(&self, at_least: f64) {
        let Self { share, quality, hint } = self;
        assert!(*share >= at_least && *share < 1.001, "heard {share} {quality:?} {hint}");
        assert_eq!(quality.faults(), 0, "{quality:?} {hint}");
    }
}

#[test]
fn a_listener_who_loses_a_third_hears_nearly_every_word_whatever_the_speaker_sends() {
    for (seed, speaker_red) in seeds(&[], 400, 4).flat_map(|seed| [(seed, false), (seed, true)]) {
        let means = Means { speaker_red, listener_red: true, ..Means::default() };
        Call::new(seed, (QUICK, LOSSY), means).run(15, 60).check(0.97);
    }
}

#[test]
fn what_a_speaker_repeats_is_heard_by_those_who_cannot_read_it() {
    // Two packets with each: 2.7 % are lost for good.
    let means = Means { speaker_red: true, ..Means::default() };
    let heard = Call::new(410, (LOSSY, QUICK), means).run(2, 240);
    heard.check(0.97);
    assert_eq!(heard.quality.carriers, 0, "{}", heard.hint);
    let means = Means { speaker_nack: true, ..means };
    Call::new(411, (LOSSY, QUICK), means).run(2, 60).check(0.995);
}

#[test]
fn without_any_means_a_third_is_lost() {
    let heard = Call::new(420, (QUICK, LOSSY), Means::default()).run(5, 60);
    assert!((0.65..0.75).contains(&heard.share), "{} {}", heard.share, heard.hint);
}

#[test]
fn nothing_is_repeated_to_who_loses_nothing_unless_the_speaker_does() {
    let plain = Means { listener_red: true, ..Means::default() };
    let heard = Call::new(430, (QUICK, QUICK), plain).run(2, 20);
    heard.check(1.0);
    assert_eq!(heard.quality.carriers, 0, "{}", heard.hint);
    let forwarded = Means { speaker_red: true, ..plain };
    let heard = Call::new(431, (QUICK, QUICK), forwarded).run(2, 20);
    heard.check(1.0);
    assert!(heard.quality.carriers + 2 >= heard.quality.packets, "{:?} {}", heard.quality, heard.hint);
}

#[test]
fn what_is_sent_again_as_it_was_is_the_same_with_all_that_went_with_it() {
    for seed in seeds(&[], 440, 3) {
        let means = Means { speaker_red: true, speaker_nack: true, listener_red: true, listener_nack: true };
        let rough = LOSSY.jitter(millis(15)).reordering(0.05).duplication(0.02);
        let mut call = Call::new(seed, (rough, rough), means);
        let heard = call.run(10, 60);
        heard.check(0.995);
        let repaired = heard.quality.repaired + heard.quality.redundant;
        assert!(repaired > 0, "{:?} {}", heard.quality, heard.hint);
        let stats = call.sim.consumer_stats(call.sim.watched(call.listener, call.speaker, MediaKind::Audio).consumer);
        assert!(stats.packets_retransmitted > 50, "{stats:?} {}", heard.hint);
    }
}

#[test]
fn a_link_that_has_no_room_is_not_filled_with_repetition() {
    use sfu_core::BitrateLimits;
    let limits = BitrateLimits { min: 40_000, start: 60_000, max: 60_000 };
    let mut sim = Sim::with_limits(450, limits);
    let (speaker, listener) = (sim.join(QUICK), sim.join(LOSSY));
    sim.publish_audio(speaker, VOICE);
    sim.watch_with(listener, speaker, MediaKind::Audio, |spec| spec.red_payload_type = RED);
    sim.run_for(seconds(20));
    let heard = sim.quality(listener, speaker, MediaKind::Audio);
    assert_eq!(heard.carriers, 0, "{heard:?} {}", sim.replay_hint());
}
