//! All that keeps one viewer's link from being filled: its estimate, its pacer, the probe that is being sent, and what was
//! shared out last.

use std::time::{Duration, Instant};

use wire::{ExtSeqNo, SeqNo};

use super::estimator::{BitrateLimits, Estimator};
use super::pacer::Pacer;
use super::probe::Probe;
use super::raising::Raising;
use crate::consumer::{Admitted, Consumer};
use crate::table::Key;

/// What the link carries is shared out anew this often at least, while there is video.
const REVIEW_INTERVAL: Duration = Duration::from_millis(200);

/// The viewer is told of its link no more often than this.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// A link that carries less is spoken of when it has for so long: it begins with little, until it was probed.
const LIMITED_FOR: Duration = Duration::from_secs(3);

/// And only when what it carries changed by so many percent, or the state did.
const TELL_PERCENT: u64 = 10;

/// Repairs take no more of the link than this, in percent; what they did not take may be taken within this time, and this many
/// bytes always.
const REPAIR_PERCENT: u64 = 40;
const REPAIR_SPAN: Duration = Duration::from_millis(400);
const MIN_REPAIR_CREDIT: u64 = 6_000;

/// A picture gets better when the link is believed to carry that for so long at least: a burst may promise too much, and the
/// next one takes it back.
const STEADY_FOR: Duration = Duration::from_millis(1000);

/// It is looked this often how much is lost.
const LOSS_INTERVAL: Duration = Duration::from_secs(1);

/// While a probe is sent it is looked after this often.
const PROBE_TICK: Duration = Duration::from_millis(2);

/// A packet that waits for its turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paced {
    pub(crate) consumer: Key<Consumer>,
    pub(crate) stream: u8,
    /// Its number in the producer's stream.
    pub(crate) source: ExtSeqNo,
    pub(crate) admitted: Admitted,
}

/// How much of what a viewer shows its link carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BandwidthState {
    /// All of it.
    Ok,
    /// Some of it, or in smaller layers.
    Limited,
    /// Only sound.
    AudioOnly,
}

/// What a viewer is told of its link, in bits a second.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bandwidth {
    /// What it is believed to carry.
    pub available: u64,
    /// What all that is shown would take.
    pub desired: u64,
    /// How that fits.
    pub state: BandwidthState,
}

#[derive(Clone, Copy, Debug)]
struct RunningProbe {
    probe: Probe,
    since: Instant,
    bytes: u64,
    packets: u32,
}

/// The sending side of one transport.
pub(crate) struct Downlink {
    pub(crate) estimator: Estimator,
    pub(crate) pacer: Pacer<Paced>,
    probe: Option<RunningProbe>,
    review_at: Option<Instant>,
    /// The least estimate since a time, and in such a time before it.
    steady: (Instant, u64, u64),
    /// Bits a second that were shared out.
    used: u64,
    raising: Raising,
    told: Option<(Instant, Bandwidth)>,
    limited_since: Option<Instant>,
    /// Bytes sent again since the last review, and bits a second that this took lately.
    repeated: u64,
    repeat_rate: u64,
    reviewed_at: Option<Instant>,
    /// When it was looked how much is lost.
    loss_at: Option<Instant>,
    /// Bytes that may be sent again, and since when they are reckoned.
    repair_credit: u64,
    repaired_at: Option<Instant>,
}

impl Downlink {
    pub(crate) fn new(now: Instant, limits: BitrateLimits) -> Self {
        let estimator = Estimator::new(limits);
        let estimator_rate = estimator.rate();
        let mut pacer = Pacer::new(now);
        pacer.set_link_rate(now, estimator_rate);
        Self {
            estimator,
            pacer,
            probe: None,
            review_at: None,
            steady: (now, estimator_rate, estimator_rate),
            used: 0,
            raising: Raising::of_all(),
            told: None,
            limited_since: None,
            repeated: 0,
            repeat_rate: 0,
            reviewed_at: None,
            loss_at: None,
            repair_credit: 0,
            repaired_at: None,
        }
    }

    /// Notes that a packet left under a transport-wide number; `None` where it has none.
    pub(crate) fn note_sent(&mut self, now: Instant, seq: Option<u16>, bytes: usize) {
        self.pacer.note_sent(now, bytes);
        if let Some(running) = &mut self.probe {
            running.bytes += bytes as u64;
            running.packets += 1;
        }
        if let Some(seq) = seq {
            let probe = self.probe.map(|running| running.probe.id);
            self.estimator.note_sent(now, SeqNo::new(seq), bytes, probe);
        }
    }

    /// Whether a packet of `bytes` may be sent again now; then notes that it was. What is lost because a queue is full is asked
    /// for at once, and would fill it again.
    pub(crate) fn take_repair(&mut self, now: Instant, bytes: usize) -> bool {
        let since = self.repaired_at.replace(now).map_or(REPAIR_SPAN, |at| now.saturating_duration_since(at));
        let earned = |time: Duration| {
            self.estimator.rate() * REPAIR_PERCENT / 100 * time.min(REPAIR_SPAN).as_micros() as u64 / 8_000_000
        };
        self.repair_credit = (self.repair_credit + earned(since)).min(earned(REPAIR_SPAN).max(MIN_REPAIR_CREDIT));
        let bytes = bytes as u64;
        if self.repair_credit < bytes {
            return false;
        }
        self.repair_credit -= bytes;
        self.repeated += bytes;
        true
    }

    /// Bits a second that repairs take: they come off what is shared out.
    pub(crate) fn repeat_rate(&mut self, now: Instant) -> u64 {
        let since = self.reviewed_at.replace(now).map_or(REVIEW_INTERVAL, |at| now.saturating_duration_since(at));
        let micros = (since.as_micros() as u64).max(1);
        let sample = std::mem::take(&mut self.repeated) * 8_000_000 / micros;
        // One that follows on another at once says little.
        if since >= REVIEW_INTERVAL / 2 {
            self.repeat_rate = (self.repeat_rate * 3 + sample) / 4;
        }
        self.repeat_rate
    }

    /// The estimate changed.
    pub(crate) fn note_rate(&mut self, now: Instant) {
        let rate = self.estimator.rate();
        self.note_steady(now, rate);
        self.pacer.set_link_rate(now, rate);
        if rate < self.used {
            self.review_soon(now);
        }
    }

    /// The least that the link was believed to carry in the last moment; what it is believed to carry now where it never failed.
    pub(crate) fn steady_rate(&mut self, now: Instant) -> u64 {
        let rate = self.estimator.rate();
        self.note_steady(now, rate);
        let (_, least, before) = self.steady;
        if self.estimator.is_untested() { rate } else { least.min(before) }
    }

    fn note_steady(&mut self, now: Instant, rate: u64) {
        let (since, least, _) = &mut self.steady;
        if now.saturating_duration_since(*since) >= STEADY_FOR {
            self.steady = (now, rate, *least);
        } else {
            *least = rate.min(*least);
        }
    }

    /// The share of packets lost lately, now and then.
    pub(crate) fn take_loss(&mut self, now: Instant) -> Option<f64> {
        let is_due = self.loss_at.is_none_or(|at| now.saturating_duration_since(at) >= LOSS_INTERVAL);
        is_due.then(|| {
            self.loss_at = Some(now);
            self.estimator.lost_share()
        })
    }

    /// What is to be shared, or among whom, changed.
    pub(crate) fn review_soon(&mut self, now: Instant) {
        self.review_at = Some(now);
    }

    /// Whether to share out now; then the next time is planned, if anybody is there to share.
    pub(crate) fn take_review(&mut self, now: Instant, anybody: bool) -> bool {
        let is_due = self.review_at.is_some_and(|at| at <= now);
        if is_due {
            self.review_at = anybody.then(|| now + REVIEW_INTERVAL);
        }
        is_due
    }

    /// Whether somebody may be raised to a better layer.
    pub(crate) fn may_raise(&self, now: Instant, nothing: bool) -> bool {
        self.raising.is_allowed(now, self.estimator.rate(), nothing)
    }

    /// Notes what was shared out.
    pub(crate) fn note_shared(&mut self, now: Instant, used: u64, wanted: u64, (raised, lowered): (bool, bool)) {
        self.used = used;
        self.raising.note(now, self.estimator.rate(), raised, lowered);
        self.estimator.set_wanted(wanted);
    }

    /// What to tell the viewer, if it is time to tell it something new.
    pub(crate) fn take_news(&mut self, now: Instant, news: Bandwidth) -> Option<Bandwidth> {
        if news.state == BandwidthState::Ok {
            self.limited_since = None;
        } else if now.saturating_duration_since(*self.limited_since.get_or_insert(now)) < LIMITED_FOR {
            return None;
        }
        let is_new = match &self.told {
            None => news.state != BandwidthState::Ok,
            Some((at, told)) => {
                let differs = told.available.abs_diff(news.available) * 100 > told.available * TELL_PERCENT;
                let is_worth = told.state != news.state || (differs && news.state != BandwidthState::Ok);
                is_worth && now.saturating_duration_since(*at) >= TELL_INTERVAL
            }
        };
        if !is_new {
            return None;
        }
        self.told = Some((now, news));
        Some(news)
    }

    /// Bytes of padding to be sent now for a probe.
    pub(crate) fn padding_due(&mut self, now: Instant) -> u64 {
        if self.probe.is_none() {
            let probe = self.estimator.take_probe(now);
            self.probe = probe.map(|probe| RunningProbe { probe, since: now, bytes: 0, packets: 0 });
        }
        let Some(running) = &self.probe else { return 0 };
        let Probe { rate, min_bytes, min_packets, .. } = running.probe;
        if running.bytes >= min_bytes && running.packets >= min_packets {
            self.probe = None;
            return 0;
        }
        let elapsed = now.saturating_duration_since(running.since) + PROBE_TICK;
        // A link may fall silent in the middle of a probe, for hours.
        let due = rate.saturating_mul(elapsed.as_micros() as u64) / 8_000_000;
        due.saturating_sub(running.bytes)
    }

    /// When this side wants to be looked after.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let probe = self.probe.map(|running| {
            let ticks = (running.bytes * 8_000_000 / running.probe.rate.max(1)).max(1);
            running.since + Duration::from_micros(ticks)
        });
        [self.pacer.poll_timeout(), self.review_at, probe].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sent::ProbeId;
    use super::*;

    #[test]
    fn a_probe_that_was_left_alone_for_days_goes_on() {
        let start = crate::some_instant();
        let mut downlink = Downlink::new(start, BitrateLimits::default());
        let probe = Probe { id: ProbeId(1), rate: 150_000_000, min_packets: 5, min_bytes: 300_000 };
        downlink.probe = Some(RunningProbe { probe, since: start, bytes: 0, packets: 0 });
        assert!(downlink.padding_due(start + Duration::from_hours(48)) > 0);
    }
}
