//! Drives everything that keeps a viewer's link from being filled with whatever a fuzzer thinks of: what is sent, what
//! feedback says of it, and how time goes on. Built with the feature `fuzzing` alone.

use std::time::{Duration, Instant};

use wire::rtcp::{FeedbackHeader, RtcpPacket, packets, write_transport_feedback};
use wire::{SeqNo, Ssrc};

use super::arrival::{Arrivals, MAX_WINDOW};
use super::downlink::{Bandwidth, BandwidthState, Downlink};
use super::estimator::BitrateLimits;
use super::pacer::{MAX_DEBT, MAX_DELAY, MAX_QUEUED, Pacer};
use super::sent::MAX_PACKETS;

/// Steps in one input; more only take longer.
const MAX_STEPS: usize = 2_000;

/// A packet that waits for its turn leaves when what left before it is paid, and then within the limit.
const MAX_WAIT: Duration = MAX_DEBT.saturating_add(MAX_DELAY.saturating_mul(2));

/// Looks at the pacer while time goes on once; it asks for one each 2 ms, and none waits for longer than the limit.
const MAX_LOOKS: usize = 100_000;

/// The least that an operator may set, in bits a second: no sound goes through less.
const MIN_RATE: u64 = 16_000;

/// Numbers out of the input, zeroes behind its end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
    }

    /// A bit rate of any size up to some Gbit/s.
    fn rate(&mut self) -> u64 {
        u64::from(self.word()) << (self.byte() % 18)
    }
}

/// A packet that waits: its size, since when, and whether something was sent past it.
struct Waiting {
    bytes: usize,
    since: Instant,
    sent_past: u64,
}

struct Link {
    limits: BitrateLimits,
    now: Instant,
    downlink: Downlink,
    pacer: Pacer<Waiting>,
    /// Packets that were sent without waiting.
    sent_past: u64,
    waiting: usize,
    arrivals: Arrivals,
    next: u16,
    ticks: i32,
}

/// Reads `data` as what happens on a link from `start` on.
///
/// # Panics
/// When something does not hold that always should.
pub fn drive(start: Instant, data: &[u8]) {
    let mut input = Input(data);
    let (a, b, c) = (input.rate(), input.rate(), input.rate());
    let min = MIN_RATE + a.min(b);
    let limits = BitrateLimits { min, start: c, max: MIN_RATE + a.max(b) };
    let mut link = Link {
        limits,
        now: start,
        downlink: Downlink::new(start, limits),
        pacer: Pacer::new(start),
        sent_past: 0,
        waiting: 0,
        arrivals: Arrivals::new(start),
        next: input.word(),
        ticks: 0,
    };
    link.check();
    for _ in 0..MAX_STEPS {
        if input.0.is_empty() {
            break;
        }
        link.step(&mut input);
        link.check();
    }
}

impl Link {
    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 13 {
            0 | 1 => {
                let unit = [1, 250, 10_000, 1_000_000][usize::from(input.byte() % 4)];
                self.go_on(Duration::from_micros(u64::from(input.word()) * unit));
            }
            2 => self.send(input.word()),
            3 => {
                let (count, bytes) = (input.byte(), input.word() % 1500);
                (0..count).for_each(|_| self.send(bytes));
            }
            4 | 5 => self.feed(input),
            6 => {
                let len = usize::from(input.byte());
                self.receive_rtcp(input.bytes(len));
            }
            7 => self.downlink.estimator.receive_remb(input.rate() << (input.byte() % 31)),
            8 => self.downlink.estimator.note_round_trip(Duration::from_micros(u64::from(input.word()) * 1000)),
            9 => self.review(input),
            10 => self.pad(),
            11 => self.pace(input.word() % 1500, input.byte()),
            _ => self.arrive(input),
        }
    }

    fn check(&mut self) {
        let (min, max) = (self.limits.min, self.limits.max);
        let estimator = &self.downlink.estimator;
        assert!((min..=max).contains(&estimator.rate()), "{} of {min} to {max}", estimator.rate());
        let stats = estimator.stats();
        assert!((0.0..=1.0).contains(&stats.loss), "{stats:?}");
        assert!(stats.in_flight <= MAX_PACKETS as u64 * u64::from(u16::MAX), "{stats:?}");
        assert!(estimator.remembered() <= MAX_PACKETS);
        assert!(self.waiting <= MAX_QUEUED, "{} wait", self.waiting);
        self.downlink.note_rate(self.now);
        self.pacer.set_link_rate(self.now, self.downlink.estimator.rate());
    }

    /// Time goes on, and whoever asked to be looked after is.
    fn go_on(&mut self, time: Duration) {
        let end = self.now + time;
        for look in 0.. {
            assert!(look < MAX_LOOKS, "the pacer comes to an end");
            let Some(at) = self.pacer.poll_timeout().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            while let Some(waiting) = self.pacer.pop(self.now) {
                self.waiting -= 1;
                let waited = self.now.saturating_duration_since(waiting.since);
                assert!(waited <= MAX_WAIT || waiting.sent_past != self.sent_past, "waited for {waited:?}");
                self.pacer.note_sent(self.now, waiting.bytes);
            }
        }
        self.now = end;
    }

    fn send(&mut self, bytes: u16) {
        self.downlink.note_sent(self.now, Some(self.next), usize::from(bytes));
        self.next = self.next.wrapping_add(1);
    }

    /// Feedback as a receiver writes it: from some number on, each lost or arrived so much later.
    fn feed(&mut self, input: &mut Input<'_>) {
        let (back, count) = (u16::from(input.byte()), input.byte());
        self.ticks = self.ticks.wrapping_add(i32::from(input.byte().cast_signed()));
        let mut status = || match input.byte() {
            byte if byte < 40 => None,
            byte @ 40..250 => Some(i64::from(byte) - 40),
            byte => Some((i64::from(byte) - 252) * 8_000),
        };
        let statuses: Vec<_> = (0..count).map(|_| status()).collect();
        let header = FeedbackHeader {
            sender: Ssrc::new(1),
            media: Ssrc::new(2),
            base_seq: SeqNo::new(self.next.wrapping_sub(back)),
            reference_time: self.ticks << 8 >> 8,
            feedback_count: 0,
        };
        let mut out = Vec::new();
        if write_transport_feedback(&mut out, &header, &statuses).is_ok() {
            self.receive_rtcp(&out);
        }
    }

    fn receive_rtcp(&mut self, bytes: &[u8]) {
        for packet in packets(bytes) {
            match packet {
                Ok(RtcpPacket::TransportFeedback(feedback)) => {
                    self.downlink.estimator.receive_feedback(self.now, &feedback);
                }
                Ok(RtcpPacket::Remb(remb)) => self.downlink.estimator.receive_remb(remb.bitrate),
                _ => {}
            }
        }
    }

    /// What the link carries is shared out.
    fn review(&mut self, input: &mut Input<'_>) {
        let (used, wanted, flags) = (input.rate(), input.rate(), input.byte());
        self.downlink.take_repair(self.now, usize::from(input.word()));
        self.downlink.review_soon(self.now);
        assert!(self.downlink.take_review(self.now, flags & 1 != 0), "it was asked for");
        self.downlink.estimator.handle_timeout(self.now);
        self.downlink.repeat_rate(self.now);
        self.downlink.note_shared(self.now, used, wanted, (flags & 2 != 0, flags & 8 != 0));
        let state = [BandwidthState::Ok, BandwidthState::Limited][usize::from(flags >> 2 & 1)];
        let news = Bandwidth { available: self.downlink.estimator.rate(), desired: wanted, state };
        self.downlink.take_news(self.now, news);
    }

    fn pad(&mut self) {
        for _ in 0..128 {
            if self.downlink.padding_due(self.now) == 0 {
                return;
            }
            self.send(255);
        }
    }

    fn pace(&mut self, bytes: u16, count: u8) {
        for _ in 0..count {
            if self.pacer.is_busy(self.now) {
                self.waiting += 1;
                let waiting = Waiting { bytes: usize::from(bytes), since: self.now, sent_past: self.sent_past };
                self.pacer.push(self.now, waiting, usize::from(bytes));
            } else {
                self.sent_past += 1;
                self.pacer.note_sent(self.now, usize::from(bytes));
            }
        }
    }

    /// The other direction: packets arrive, and feedback on them is written, which can be read.
    fn arrive(&mut self, input: &mut Input<'_>) {
        let (first, count, step) = (input.word(), input.byte(), u16::from(input.byte()));
        for index in 0..u16::from(count) {
            self.arrivals.receive(SeqNo::new(first.wrapping_add(index.wrapping_mul(step))), self.now);
        }
        for message in 0.. {
            assert!(message <= MAX_WINDOW, "each message tells of one number at least");
            let mut out = Vec::new();
            let is_more = self.arrivals.write_feedback(&mut out, Ssrc::new(1), Ssrc::new(2));
            assert!(out.len() < 1200, "{} bytes", out.len());
            assert!(packets(&out).all(|packet| packet.is_ok()), "what was written can be read");
            self.receive_rtcp(&out);
            if !is_more {
                return;
            }
        }
    }
}
