//! Tells from arrival times whether a queue on the way grows: the delay gradient of groups of packets, its trend over the
//! last groups, and a threshold that adapts to the path (draft-ietf-rmcat-gcc-02 §5.2 to §5.4; the trend line is libwebrtc's
//! successor of the Kalman filter there).

use std::time::{Duration, Instant};

/// Packets sent within this time belong to one group (§5.2).
const GROUP: Duration = Duration::from_millis(5);

/// Packets that arrive in one burst belong together, if the burst is no longer than this, in µs.
const MAX_BURST: i64 = 100_000;

/// A change of the peer's clock by more than this starts all anew, in µs.
const MAX_CLOCK_STEP: i64 = 3_000_000;

/// Groups that the trend is taken over.
const WINDOW: usize = 20;

/// Weight of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;

/// The trend is scaled by the number of groups, up to this, and by the gain.
const MAX_GROUPS: f64 = 60.0;
const GAIN: f64 = 4.0;

/// The threshold at the start, and its bounds, in ms.
const THRESHOLD: f64 = 12.5;
const MIN_THRESHOLD: f64 = 6.0;
const MAX_THRESHOLD: f64 = 600.0;

/// How fast the threshold rises and falls, per ms (§5.4).
const RISE: f64 = 0.0087;
const FALL: f64 = 0.039;

/// An outlier this far beyond the threshold, in ms, does not move it.
const MAX_ADAPT_OFFSET: f64 = 15.0;

/// The threshold must be passed for this long, in ms, to count (§5.4).
const OVERUSE_TIME: f64 = 10.0;

/// What a path is used for, against what it carries.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Usage {
    /// A queue drains.
    Under,
    /// No queue changes.
    #[default]
    Normal,
    /// A queue grows.
    Over,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: Instant,
    last_sent: Instant,
    first_arrival: i64,
    last_arrival: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Point {
    /// Arrival in ms since the first group.
    at: f64,
    delay: f64,
}

/// The delay-based detector of one path.
pub(crate) struct Trendline {
    current: Option<Group>,
    previous: Option<Group>,
    first_arrival: Option<i64>,
    groups: f64,
    accumulated: f64,
    smoothed: f64,
    points: [Point; WINDOW],
    filled: usize,
    next: usize,
    threshold: f64,
    threshold_at: Option<i64>,
    over_for: Option<f64>,
    over_count: u32,
    trend: f64,
    usage: Usage,
}

impl Trendline {
    pub(crate) fn new() -> Self {
        Self {
            current: None,
            previous: None,
            first_arrival: None,
            groups: 0.0,
            accumulated: 0.0,
            smoothed: 0.0,
            points: [Point::default(); WINDOW],
            filled: 0,
            next: 0,
            threshold: THRESHOLD,
            threshold_at: None,
            over_for: None,
            over_count: 0,
            trend: 0.0,
            usage: Usage::Normal,
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes in that a packet sent at `sent_at` arrived at `arrival`, in µs on the peer's clock.
    pub(crate) fn receive(&mut self, sent_at: Instant, arrival: i64) {
        let Some(group) = &mut self.current else {
            self.begin_group(sent_at, arrival);
            return;
        };
        if sent_at < group.first_sent {
            return;
        }
        if (arrival - group.last_arrival).abs() > MAX_CLOCK_STEP {
            let threshold = self.threshold;
            *self = Self { threshold, ..Self::new() };
            self.begin_group(sent_at, arrival);
            return;
        }
        let sent_later = sent_at.saturating_duration_since(group.last_sent).as_micros() as i64;
        let arrived_later = arrival - group.last_arrival;
        let is_burst = arrived_later <= GROUP.as_micros() as i64
            && arrived_later < sent_later
            && arrival - group.first_arrival < MAX_BURST;
        if is_burst || sent_at.saturating_duration_since(group.first_sent) <= GROUP {
            group.last_sent = group.last_sent.max(sent_at);
            group.last_arrival = group.last_arrival.max(arrival);
            return;
        }
        let done = *group;
        if let Some(previous) = self.previous.replace(done) {
            let sent = done.last_sent.saturating_duration_since(previous.last_sent).as_secs_f64() * 1000.0;
            let arrived = (done.last_arrival - previous.last_arrival) as f64 / 1000.0;
            if arrived >= 0.0 {
                self.update(sent, arrived, done.last_arrival);
            }
        }
        self.begin_group(sent_at, arrival);
    }

    fn begin_group(&mut self, sent_at: Instant, arrival: i64) {
        self.current =
            Some(Group { first_sent: sent_at, last_sent: sent_at, first_arrival: arrival, last_arrival: arrival });
    }

    fn update(&mut self, sent: f64, arrived: f64, arrival: i64) {
        let first = *self.first_arrival.get_or_insert(arrival);
        self.groups = (self.groups + 1.0).min(1000.0);
        self.accumulated += arrived - sent;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        self.points[self.next] = Point { at: (arrival - first) as f64 / 1000.0, delay: self.smoothed };
        self.next = (self.next + 1) % WINDOW;
        self.filled = (self.filled + 1).min(WINDOW);
        let before = self.trend;
        if self.filled == WINDOW
            && let Some(slope) = slope(&self.points)
        {
            self.trend = slope;
        }
        self.detect(before, sent, arrival);
    }

    fn detect(&mut self, before: f64, sent: f64, arrival: i64) {
        if self.groups < 2.0 {
            self.usage = Usage::Normal;
            return;
        }
        let trend = self.groups.min(MAX_GROUPS) * self.trend * GAIN;
        if trend > self.threshold {
            let over_for = self.over_for.map_or(sent / 2.0, |time| time + sent);
            self.over_for = Some(over_for);
            self.over_count += 1;
            if over_for > OVERUSE_TIME && self.over_count > 1 && self.trend >= before {
                self.over_for = Some(0.0);
                self.over_count = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_for = None;
            self.over_count = 0;
            self.usage = if trend < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.adapt(trend, arrival);
    }

    fn adapt(&mut self, trend: f64, arrival: i64) {
        let millis =
            self.threshold_at.replace(arrival).map_or(0.0, |at| (arrival - at) as f64 / 1000.0).clamp(0.0, 100.0);
        let beyond = trend.abs() - self.threshold;
        if beyond > MAX_ADAPT_OFFSET {
            return;
        }
        let rate = if beyond < 0.0 { FALL } else { RISE };
        self.threshold = (self.threshold + rate * beyond * millis).clamp(MIN_THRESHOLD, MAX_THRESHOLD);
    }
}

/// Slope of the line with the least squares through the points.
fn slope(points: &[Point; WINDOW]) -> Option<f64> {
    let count = points.len() as f64;
    let mean_at = points.iter().map(|point| point.at).sum::<f64>() / count;
    let mean_delay = points.iter().map(|point| point.delay).sum::<f64>() / count;
    let (mut up, mut down) = (0.0, 0.0);
    for point in points {
        up += (point.at - mean_at) * (point.delay - mean_delay);
        down += (point.at - mean_at).powi(2);
    }
    (down > 0.0).then(|| up / down)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet each 10 ms; each arrives `growth` µs later than the one before. Every state that was met.
    fn run(growth: &[i64]) -> Vec<Usage> {
        let start = crate::some_instant();
        let mut trendline = Trendline::new();
        let mut delay = 0;
        let mut met = Vec::new();
        for (step, growth) in growth.iter().enumerate() {
            delay += growth;
            let sent = Duration::from_millis(10 * step as u64);
            trendline.receive(start + sent, sent.as_micros() as i64 + delay);
            if met.last() != Some(&trendline.usage()) {
                met.push(trendline.usage());
            }
        }
        met
    }

    #[test]
    fn a_steady_path_is_normal() {
        assert_eq!(run(&[0; 200]), [Usage::Normal]);
        let jitter: Vec<_> = (0..400).map(|step| if step % 2 == 0 { 3000 } else { -3000 }).collect();
        assert_eq!(run(&jitter), [Usage::Normal]);
    }

    #[test]
    fn a_growing_queue_is_overuse_and_a_draining_one_underuse() {
        let mut growth = vec![0; 100];
        growth.extend([1500; 60]);
        growth.extend([-1500; 60]);
        growth.extend([0; 200]);
        let met = run(&growth);
        assert_eq!(met.first(), Some(&Usage::Normal));
        assert!(met.contains(&Usage::Over) && met.contains(&Usage::Under), "{met:?}");
        assert_eq!(met.last(), Some(&Usage::Normal));
    }

    #[test]
    fn a_clock_that_is_set_is_no_queue() {
        let mut growth = vec![0; 100];
        growth.push(60_000_000);
        growth.extend([0; 100]);
        assert_eq!(run(&growth), [Usage::Normal]);
    }
}
