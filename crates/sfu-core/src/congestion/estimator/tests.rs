//! The estimate in a closed loop: what it lets through a link decides what it is told.

use std::collections::VecDeque;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::Ssrc;
use wire::rtcp::{FeedbackHeader, RtcpPacket, packets, write_transport_feedback};

use super::*;

const PACKET: usize = 1_000;
const PADDING: usize = 250;
const STEP: Duration = Duration::from_millis(5);
const FEEDBACK_EVERY: Duration = Duration::from_millis(50);

#[derive(Clone, Copy)]
struct Path {
    /// Bits a second.
    rate: u64,
    /// One way.
    delay: Duration,
    jitter: Duration,
    loss: f64,
    /// Longest queue.
    queue: Duration,
    /// Bits a second that somebody else sends.
    other: u64,
}

const fn path(rate: u64) -> Path {
    Path {
        rate,
        delay: Duration::from_millis(25),
        jitter: Duration::ZERO,
        loss: 0.0,
        queue: Duration::from_millis(500),
        other: 0,
    }
}

struct Loop {
    estimator: Estimator,
    rng: StdRng,
    start: Instant,
    now: Instant,
    path: Path,
    /// What the application could send.
    demand: u64,
    busy_until: Instant,
    seq: u16,
    credit: f64,
    probe: Option<(Probe, Instant, u64, u32)>,
    /// Number and arrival of what arrives, in order.
    arriving: VecDeque<(u16, Instant)>,
    reported: u16,
    feedback_at: Instant,
    answers: VecDeque<(Instant, Vec<u8>)>,
    /// Queueing delays, bytes that arrived since the last look.
    queueing: Vec<Duration>,
    passed: u64,
}

impl Loop {
    fn new(path: Path, demand: u64) -> Self {
        let start = crate::some_instant();
        let mut estimator = Estimator::new(BitrateLimits::default());
        estimator.set_wanted(demand);
        Self {
            estimator,
            rng: StdRng::seed_from_u64(5),
            start,
            now: start,
            path,
            demand,
            busy_until: start,
            seq: 65_000,
            credit: 0.0,
            probe: None,
            arriving: VecDeque::new(),
            reported: 65_000,
            feedback_at: start + FEEDBACK_EVERY,
            answers: VecDeque::new(),
            queueing: Vec::new(),
            passed: 0,
        }
    }

    fn send(&mut self, bytes: usize, probe: Option<ProbeId>) {
        self.estimator.note_sent(self.now, SeqNo::new(self.seq), bytes, probe);
        let seq = self.seq;
        self.seq = self.seq.wrapping_add(1);
        let available = self.path.rate.saturating_sub(self.path.other).max(1);
        let begins = self.busy_until.max(self.now);
        let queueing = begins - self.now;
        if queueing > self.path.queue || self.rng.random::<f64>() < self.path.loss {
            return;
        }
        self.queueing.push(queueing);
        self.busy_until = begins + Duration::from_secs_f64(bytes as f64 * 8.0 / available as f64);
        self.passed += bytes as u64;
        let jitter = self.path.jitter.mul_f64(self.rng.random());
        let at = self.busy_until + self.path.delay + jitter;
        // In order, as on most paths.
        let at = self.arriving.back().map_or(at, |(_, last)| at.max(*last));
        self.arriving.push_back((seq, at));
    }

    fn step(&mut self) {
        self.now += STEP;
        while self.answers.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, bytes) = self.answers.pop_front().expect("it is there");
            for packet in packets(&bytes) {
                if let Ok(RtcpPacket::TransportFeedback(feedback)) = packet {
                    self.estimator.receive_feedback(self.now, &feedback);
                }
            }
        }
        self.estimator.handle_timeout(self.now);
        if self.probe.is_none() {
            self.probe = self.estimator.take_probe(self.now).map(|probe| (probe, self.now, 0, 0));
        }
        let rate = self.estimator.rate().min(self.demand);
        self.credit =
            (self.credit + rate as f64 * STEP.as_secs_f64() / 8.0).min(rate as f64 / 8.0 * 0.05 + PACKET as f64);
        let id = self.probe.map(|(probe, ..)| probe.id);
        while self.credit >= PACKET as f64 {
            self.credit -= PACKET as f64;
            self.send(PACKET, id);
            if let Some((_, _, bytes, count)) = &mut self.probe {
                *bytes += PACKET as u64;
                *count += 1;
            }
        }
        while let Some((probe, since, bytes, count)) = self.probe {
            if bytes >= probe.min_bytes && count >= probe.min_packets {
                self.probe = None;
                break;
            }
            let due = (self.now - since + STEP).as_micros() as u64 * probe.rate / 8_000_000;
            if bytes >= due {
                break;
            }
            self.send(PADDING, Some(probe.id));
            self.probe = Some((probe, since, bytes + PADDING as u64, count + 1));
        }
        if self.now >= self.feedback_at {
            self.feedback_at = self.now + FEEDBACK_EVERY;
            self.report();
        }
    }

    fn report(&mut self) {
        let mut statuses = Vec::new();
        let mut previous = None;
        let base = self.reported;
        let reference = ((self.now - self.start).as_micros() / 64_000) as i64 - 10;
        while self.arriving.front().is_some_and(|(_, at)| *at <= self.now) {
            let (seq, at) = self.arriving.pop_front().expect("it is there");
            while self.reported != seq {
                statuses.push(None);
                self.reported = self.reported.wrapping_add(1);
            }
            let ticks = ((at - self.start).as_micros() / 250) as i64;
            statuses.push(Some(ticks - previous.replace(ticks).unwrap_or(reference * 256)));
            self.reported = self.reported.wrapping_add(1);
        }
        let header = FeedbackHeader {
            sender: Ssrc::new(1),
            media: Ssrc::new(2),
            base_seq: SeqNo::new(base),
            reference_time: reference as i32,
            feedback_count: 0,
        };
        let mut bytes = Vec::new();
        if !statuses.is_empty() {
            write_transport_feedback(&mut bytes, &header, &statuses).expect("it fits");
            self.answers.push_back((self.now + self.path.delay, bytes));
        }
    }

    fn run(&mut self, seconds: u64) -> &mut Self {
        for _ in 0..seconds * 200 {
            self.step();
        }
        self
    }

    /// Runs on and returns what share of the link was used, in percent, and the queueing delay that 95 % stay below, in ms.
    fn look(&mut self, seconds: u64) -> (u64, u64) {
        self.queueing.clear();
        self.passed = 0;
        self.run(seconds);
        self.queueing.sort_unstable();
        let p95 = self.queueing.get(self.queueing.len() * 95 / 100).map_or(0, |delay| delay.as_millis() as u64);
        let available = self.path.rate - self.path.other;
        (self.passed * 8 * 100 / (available * seconds), p95)
    }

    /// The estimate in the middle of the next second, in percent of the link.
    fn percent_of_link(&mut self) -> u64 {
        let mut sum = 0;
        for _ in 0..200 {
            self.step();
            sum += self.estimator.rate();
        }
        sum / 200 * 100 / (self.path.rate - self.path.other)
    }
}

const MUCH: u64 = 50_000_000;

#[test]
fn a_steady_link_is_used_without_filling_its_queue() {
    for rate in [300_000, 500_000, 1_000_000, 2_000_000, 5_000_000, 20_000_000] {
        let mut all = Loop::new(path(rate), MUCH);
        let (used, p95) = all.run(20).look(40);
        assert!(used >= 85, "{rate}: {used} % used, {p95} ms");
        assert!(p95 <= 100, "{rate}: {used} % used, {p95} ms");
    }
}

#[test]
fn long_and_shaky_paths_are_used_too() {
    for (delay, jitter) in [(25, 15), (100, 0), (200, 10)] {
        let mut all = Loop::new(path(2_000_000), MUCH);
        all.path.delay = Duration::from_millis(delay);
        all.path.jitter = Duration::from_millis(jitter);
        let (used, p95) = all.run(30).look(40);
        assert!(used >= 80 && p95 <= 120, "{delay} ms ± {jitter}: {used} % used, {p95} ms");
    }
}

#[test]
fn a_step_down_is_followed_within_five_seconds() {
    for (from, to) in [(5_000_000, 1_000_000), (2_000_000, 400_000)] {
        let mut all = Loop::new(path(from), MUCH);
        all.run(20);
        all.path.rate = to;
        all.run(5);
        let percent = all.percent_of_link();
        assert!((75..=115).contains(&percent), "{from} to {to}: {percent} %");
    }
}

#[test]
fn a_step_up_is_followed_within_ten_seconds() {
    for (from, to) in [(400_000, 2_000_000), (1_000_000, 5_000_000)] {
        let mut all = Loop::new(path(from), MUCH);
        all.run(20);
        all.path.rate = to;
        all.run(10);
        let percent = all.percent_of_link();
        // After a queue was drained it is at 85 % of the link for a moment.
        assert!((80..=115).contains(&percent), "{from} to {to}: {percent} %");
    }
}

#[test]
fn random_loss_is_not_taken_for_a_full_link() {
    for (loss, least) in [(0.01, 80), (0.05, 60), (0.2, 15)] {
        let mut all = Loop::new(path(2_000_000), MUCH);
        all.path.loss = loss;
        let (used, _) = all.run(20).look(30);
        assert!(used >= least, "{loss}: {used} %");
    }
}

#[test]
fn a_shallow_queue_and_somebody_else_leave_a_fair_share() {
    let mut shallow = Loop::new(path(1_000_000), MUCH);
    shallow.path.queue = Duration::from_millis(50);
    let (used, p95) = shallow.run(20).look(30);
    assert!(used >= 80 && p95 <= 50, "{used} %, {p95} ms");
    let mut shared = Loop::new(path(2_000_000), MUCH);
    shared.path.other = 1_000_000;
    let (used, p95) = shared.run(20).look(30);
    assert!(used >= 80 && p95 <= 100, "{used} %, {p95} ms");
}

#[test]
fn little_to_send_keeps_the_estimate_up() {
    let mut all = Loop::new(path(5_000_000), 150_000);
    all.estimator.set_wanted(3_000_000);
    all.run(30);
    let rate = all.estimator.rate();
    assert!(rate >= 2_500_000, "{rate}");
}

#[test]
fn without_feedback_less_and_less_is_sent() {
    let mut all = Loop::new(path(2_000_000), MUCH);
    all.run(10);
    all.path.loss = 1.0;
    let before = all.estimator.rate();
    all.run(3);
    assert!(all.estimator.rate() < before);
    all.run(20);
    assert_eq!(all.estimator.rate(), BitrateLimits::default().min);
    all.path.loss = 0.0;
    all.run(20);
    assert!(all.percent_of_link() >= 60, "{}", all.estimator.rate());
}

#[test]
fn after_an_outage_the_estimate_is_as_at_the_beginning() {
    for seconds in [8, 20] {
        let mut link = Loop::new(path(2_000_000), 3_000_000);
        link.run(10);
        link.path.loss = 1.0;
        link.run(seconds);
        let lowest = link.estimator.rate();
        link.path.loss = 0.0;
        link.run(1);
        let limits = BitrateLimits::default();
        let rate = link.estimator.rate();
        assert!(lowest < limits.start && rate >= limits.start * 9 / 10, "{seconds} s: {lowest}, then {rate}");
    }
}

#[test]
fn the_viewers_own_estimate_is_an_upper_bound_and_enough_where_nothing_else_tells() {
    let mut estimator = Estimator::new(BitrateLimits::default());
    estimator.receive_remb(2_000_000);
    assert_eq!(estimator.rate(), 2_000_000);
    estimator.receive_remb(1);
    assert_eq!(estimator.rate(), BitrateLimits::default().min);
}
