//! What the link to one viewer carries: the delay-based and the loss-based rate, and what probes show.

use std::time::{Duration, Instant};

use wire::SeqNo;
use wire::rtcp::TransportFeedback;

use super::acknowledged::Acknowledged;
use super::aimd::Aimd;
use super::alr::ApplicationLimited;
use super::loss::LossBased;
use super::probe::{Probe, Prober, Shown};
use super::sent::{PacketResult, ProbeId, SentHistory};
use super::standing::{Advice, StandingQueue};
use super::trendline::{Trendline, Usage};
use crate::trace::EstimateReason;

/// Without any feedback for so long it is no bad link but none.
const OUTAGE: Duration = Duration::from_secs(3);
/// Without feedback for this long, though something was sent, less is sent; and each time so long again.
const FEEDBACK_TIMEOUT: Duration = Duration::from_secs(2);
const FEEDBACK_TIMEOUT_STEP: Duration = Duration::from_secs(1);

/// Down to this share, in percent, at each step without feedback.
const FEEDBACK_TIMEOUT_PERCENT: u64 = 70;

/// What a full path is seen to carry counts so much less at the next feedback, in percent.
const CARRIED_PERCENT: u64 = 95;

/// A burst takes nothing back that is not this much more than what arrives, in percent.
const SHOWN_ROOM_PERCENT: u64 = 110;

/// And none where more than this share is lost: what is left of a short burst says little.
const LOSS_THAT_BLURS: f64 = 0.03;

/// Down below this share at once is a sudden drop, in percent.
const DROP_PERCENT: u64 = 66;

/// Results that there is room for from the start.
const USUAL_RESULTS: usize = 256;

/// Bounds of an estimate, in bits a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BitrateLimits {
    /// Never below: enough for sound.
    pub min: u64,
    /// Before anything is known.
    pub start: u64,
    /// Never above.
    pub max: u64,
}

impl Default for BitrateLimits {
    fn default() -> Self {
        Self { min: 30_000, start: 600_000, max: 100_000_000 }
    }
}

/// Figures of an estimate, in bits a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct EstimateStats {
    /// What the link is believed to carry.
    pub available: u64,
    /// What the delay allows.
    pub delay_based: u64,
    /// What the loss allows, where it limits.
    pub loss_based: Option<u64>,
    /// What arrives.
    pub acknowledged: Option<u64>,
    /// Share of packets lost lately, 0 to 1.
    pub loss: f64,
    /// Bytes sent and not reported on.
    pub in_flight: u64,
}

/// The estimate of one sending transport.
pub(crate) struct Estimator {
    limits: BitrateLimits,
    sent: SentHistory,
    trendline: Trendline,
    acknowledged: Acknowledged,
    aimd: Aimd,
    loss: LossBased,
    standing: StandingQueue,
    /// While a queue drains: no more than this.
    drain: Option<u64>,
    /// What the path carries while it is full, in bits a second.
    carried: Option<u64>,
    limited: ApplicationLimited,
    prober: Prober,
    round_trip: Duration,
    /// The viewer's own estimate, where it sends one.
    remb: Option<u64>,
    results: Vec<PacketResult>,
    /// The rate after the last change, for what is done at each packet.
    noted_rate: u64,
    /// Last feedback, or step down without one.
    heard_at: Option<Instant>,
    /// When a probe showed last that more fits.
    shown_at: Option<Instant>,
    /// While nothing is heard: the rate before, and when that began.
    quiet: Option<(u64, Instant)>,
    /// What was sent before this and got lost was lost to an outage.
    outage_ended_at: Option<Instant>,
}

impl Estimator {
    pub(crate) fn new(limits: BitrateLimits) -> Self {
        Self {
            limits,
            sent: SentHistory::new(),
            trendline: Trendline::new(),
            acknowledged: Acknowledged::default(),
            aimd: Aimd::new(limits.start.clamp(limits.min, limits.max)),
            loss: LossBased::new(),
            standing: StandingQueue::default(),
            drain: None,
            carried: None,
            limited: ApplicationLimited::default(),
            prober: Prober::new(),
            round_trip: Duration::from_millis(100),
            remb: None,
            results: Vec::with_capacity(USUAL_RESULTS),
            noted_rate: limits.start,
            heard_at: None,
            shown_at: None,
            quiet: None,
            outage_ended_at: None,
        }
    }

    /// Bits a second that the link is believed to carry.
    pub(crate) fn rate(&self) -> u64 {
        let bounds = [self.loss.rate(), self.drain, self.remb];
        let rate = bounds.into_iter().flatten().fold(self.aimd.rate(), u64::min);
        rate.clamp(self.limits.min, self.limits.max)
    }

    /// Sets what could be used at most.
    pub(crate) fn set_wanted(&mut self, bits: u64) {
        let rate = self.rate();
        self.prober.set_wanted(bits.min(self.limits.max), rate);
    }

    /// Why the rate is what it is since the feedback of `now`.
    pub(crate) fn reason(&self, now: Instant) -> EstimateReason {
        let rate = Some(self.rate());
        match () {
            () if self.loss.rate() == rate => EstimateReason::Loss,
            () if self.drain == rate => EstimateReason::Delay,
            () if self.remb == rate => EstimateReason::Viewer,
            () if self.shown_at == Some(now) => EstimateReason::Probe,
            () => EstimateReason::Delay,
        }
    }

    /// Whether the link never showed that it carries no more.
    pub(crate) fn is_untested(&self) -> bool {
        self.aimd.decreased_at().is_none() && self.loss.rate().is_none() && self.remb.is_none()
    }

    /// Whether a queue stands before the link.
    pub(crate) fn is_full(&self) -> bool {
        self.standing.is_long()
    }

    /// Whether transport-wide feedback came.
    pub(crate) fn was_heard(&self) -> bool {
        self.heard_at.is_some()
    }

    /// Share of packets lost lately, 0 to 1.
    pub(crate) fn lost_share(&self) -> f64 {
        self.loss.share()
    }

    pub(crate) fn note_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// Notes that a packet of `bytes`, headers included, left under a transport-wide number.
    pub(crate) fn note_sent(&mut self, now: Instant, seq: SeqNo, bytes: usize, probe: Option<ProbeId>) {
        self.sent.note(now, seq, bytes, probe);
        self.limited.note(now, bytes, self.noted_rate);
    }

    /// The viewer's own estimate (draft-alvestrand-rmcat-remb-03).
    pub(crate) fn receive_remb(&mut self, bits: u64) {
        self.remb = Some(bits);
        // Where nothing else tells, this does: it may go up as far as the viewer says.
        if self.heard_at.is_none() {
            self.aimd.set_rate(bits.clamp(self.limits.min, self.limits.max));
        }
    }

    /// Takes in what arrived and what did not.
    pub(crate) fn receive_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        let mut results = std::mem::take(&mut self.results);
        results.clear();
        self.sent.receive(now, feedback, &mut results);
        if !results.is_empty() {
            self.end_quiet(now, &results);
            self.heard_at = Some(now);
            self.update(now, &results);
        }
        self.results = results;
        self.noted_rate = self.rate();
    }

    /// Something is heard again. After an outage it is as at the beginning: what was lost in it says nothing of what the link
    /// carries, and neither does the rate that was gone down to.
    fn end_quiet(&mut self, now: Instant, results: &[PacketResult]) {
        if results.iter().all(|result| result.received_at.is_none()) {
            return;
        }
        let Some((before, since)) = self.quiet.take() else { return };
        if now.saturating_duration_since(since) < OUTAGE {
            return;
        }
        self.outage_ended_at = Some(now);
        self.loss.forget();
        self.aimd.set_rate(self.aimd.rate().max(before.min(self.limits.start)));
    }

    fn update(&mut self, now: Instant, results: &[PacketResult]) {
        let before = self.rate();
        let is_limited = self.limited.since().is_some();
        let (mut shown, mut newest) = (None, None);
        for result in results {
            let is_lost = result.received_at.is_none();
            if !is_lost || self.outage_ended_at.is_none_or(|ended| result.sent_at >= ended) {
                self.loss.note(result.bytes, is_lost);
            }
            let Some(arrival) = result.received_at else { continue };
            newest = newest.max(Some(arrival));
            self.trendline.receive(result.sent_at, arrival);
            self.standing.receive(result.sent_at, arrival);
            self.acknowledged.receive(arrival, result.bytes, is_limited);
            shown = self.prober.receive(result, self.standing.is_there()).or(shown);
        }
        let usage = match self.trendline.usage() {
            // Delays that waver without a queue are somebody's processor, not the link.
            Usage::Over if !self.standing.is_there() => Usage::Normal,
            usage => usage,
        };
        let mut acknowledged = self.acknowledged.rate();
        if let (Some(rate), Some(newest)) = (&mut acknowledged, newest) {
            let recent = self.acknowledged.recent_rate(newest);
            // Behind a long queue all that came lately came as fast as the path carries; repairs that go uncounted make it look
            // less.
            self.carried =
                self.standing.is_long().then(|| recent.max(self.carried.unwrap_or(0) * CARRIED_PERCENT / 100));
            match self.carried {
                Some(carried) => *rate = carried,
                None if usage == Usage::Over => *rate = (*rate).max(recent),
                None => {}
            }
        }
        match self.standing.advise(now, acknowledged) {
            Advice::Free => {
                self.drain = None;
                self.aimd.update(now, usage, acknowledged, self.round_trip, is_limited);
            }
            Advice::Drain(rate) => self.drain = Some(rate),
            Advice::Drained(rate) => {
                self.drain = None;
                // What was lost was lost for the queue.
                self.loss.forget();
                self.aimd.note_capacity(now, rate);
            }
        }
        if let Some(shown) = shown.filter(|_| usage != Usage::Over && self.drain.is_none()) {
            self.take_shown(now, shown, acknowledged);
        }
        self.aimd.set_rate(self.aimd.rate().clamp(self.limits.min, self.limits.max));
        self.loss.update(now, self.aimd.rate(), acknowledged.filter(|_| !is_limited));
        let after = self.rate();
        if after < before {
            self.prober.note_decrease(now, after);
        }
        if after < before * DROP_PERCENT / 100 {
            self.prober.note_drop(now, before);
        }
        self.prober.begin(after);
    }

    /// Believes what a burst showed: more than was known, or that all that was reckoned with is not there.
    fn take_shown(&mut self, now: Instant, shown: Shown, acknowledged: Option<u64>) {
        let rate = self.aimd.rate();
        self.shown_at = Some(now);
        if shown.rate > rate {
            self.aimd.set_rate(shown.rate);
            self.prober.note_believed(now, shown.rate);
        } else if shown.is_all
            && self.loss.share() < LOSS_THAT_BLURS
            && let Some(acknowledged) = acknowledged
        {
            // Jitter pulls a short burst apart, so no less than what arrives, and some room above it.
            self.aimd.set_rate(rate.min(shown.rate.max(acknowledged * SHOWN_ROOM_PERCENT / 100)));
        }
    }

    /// Sends less while nothing is heard of what was sent.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let Some(heard_at) = self.heard_at else { return };
        if self.sent.in_flight() > 0 && now.saturating_duration_since(heard_at) >= FEEDBACK_TIMEOUT + self.round_trip {
            self.quiet.get_or_insert((self.rate(), heard_at));
            let lowered = self.rate() * FEEDBACK_TIMEOUT_PERCENT / 100;
            self.aimd.set_rate(lowered.max(self.limits.min));
            // The next step comes sooner than the first.
            let since = FEEDBACK_TIMEOUT + self.round_trip - FEEDBACK_TIMEOUT_STEP;
            self.heard_at = now.checked_sub(since);
        }
    }

    /// The burst that is to be sent now, if one is.
    pub(crate) fn take_probe(&mut self, now: Instant) -> Option<Probe> {
        let rate = self.rate();
        self.prober.take(now, rate, self.aimd.decreased_at())
    }

    /// Packets that it can remember now.
    #[cfg(feature = "fuzzing")]
    pub(super) fn remembered(&self) -> usize {
        self.sent.room()
    }

    pub(crate) fn stats(&self) -> EstimateStats {
        EstimateStats {
            available: self.rate(),
            delay_based: self.aimd.rate(),
            loss_based: self.loss.rate(),
            acknowledged: self.acknowledged.rate(),
            loss: self.loss.share(),
            in_flight: self.sent.in_flight(),
        }
    }
}

#[cfg(test)]
mod tests;
