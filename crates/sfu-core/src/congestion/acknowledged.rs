//! How many bits a second arrive at the viewer, by its feedback: a Bayesian mean of short windows, which follows fast when
//! they agree and slowly when they do not.

/// The first window, which has no estimate before it, and the later ones, in µs.
const FIRST_WINDOW: i64 = 500_000;
const WINDOW: i64 = 150_000;

/// How uncertain a sample is that differs from the estimate, and one below it while less is sent than could be.
const UNCERTAINTY: f64 = 10.0;
const UNCERTAINTY_IN_ALR: f64 = 20.0;

/// A pause of this long ends the window, in µs.
const MAX_PAUSE: i64 = 2_000_000;

/// What arrived within this time or twice of it is recent, in µs.
const RECENT: i64 = 100_000;

/// The rate at which packets arrive.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    /// Beginning and bytes of the present and of the last recent time.
    recent: [(i64, u64); 2],
    window: Option<(i64, u64)>,
    /// Estimate and its variance, in kbit/s.
    estimate: Option<(f64, f64)>,
}

impl Acknowledged {
    /// Takes in that `bytes` arrived at `arrival`, in µs on the peer's clock.
    pub(crate) fn receive(&mut self, arrival: i64, bytes: u16, is_application_limited: bool) {
        self.receive_recent(arrival, bytes);
        let (from, sum) = self.window.get_or_insert((arrival, 0));
        let elapsed = arrival - *from;
        if !(0..MAX_PAUSE).contains(&elapsed) {
            self.window = Some((arrival, u64::from(bytes)));
            return;
        }
        let window = if self.estimate.is_some() { WINDOW } else { FIRST_WINDOW };
        if elapsed < window {
            *sum += u64::from(bytes);
            return;
        }
        let sample = *sum as f64 * 8000.0 / elapsed as f64;
        self.window = Some((arrival, u64::from(bytes)));
        self.update(sample, is_application_limited);
    }

    fn update(&mut self, sample: f64, is_application_limited: bool) {
        let Some((estimate, variance)) = self.estimate else {
            self.estimate = Some((sample, 50.0));
            return;
        };
        let scale = if is_application_limited && sample < estimate { UNCERTAINTY_IN_ALR } else { UNCERTAINTY };
        let uncertainty = scale * (estimate - sample).abs() / (estimate + sample.min(10.0)).max(1.0);
        let (sample_variance, predicted) = (uncertainty * uncertainty, variance + 5.0);
        let mean = (sample_variance * estimate + predicted * sample) / (sample_variance + predicted);
        self.estimate = Some((mean.max(0.0), sample_variance * predicted / (sample_variance + predicted)));
    }

    fn receive_recent(&mut self, arrival: i64, bytes: u16) {
        let elapsed = arrival - self.recent[0].0;
        if !(0..MAX_PAUSE).contains(&elapsed) {
            self.recent = [(arrival, 0); 2];
            return;
        }
        // What arrives took the time before it: the packet at a beginning belongs to what was before.
        self.recent[0].1 += u64::from(bytes);
        if elapsed >= RECENT {
            self.recent = [(arrival, 0), self.recent[0]];
        }
    }

    /// Bits a second that arrived in the last one to two tenths of a second. Where a queue has just begun to grow this is
    /// what the path carries, while the estimate still remembers that less was sent before.
    pub(crate) fn recent_rate(&self, now: i64) -> u64 {
        let [(_, present), (from, last)] = self.recent;
        let elapsed = (now - from).max(RECENT) as u64;
        (present + last) * 8_000_000 / elapsed
    }

    /// Bits a second that arrive; `None` before the first window.
    pub(crate) fn rate(&self) -> Option<u64> {
        self.estimate.map(|(estimate, _)| (estimate * 1000.0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_arrives() {
        let mut acknowledged = Acknowledged::default();
        let mut at = 0;
        let mut run = |acknowledged: &mut Acknowledged, micros: i64| {
            for _ in 0..4_000_000 / micros {
                at += micros;
                acknowledged.receive(at, 1250, false);
            }
            acknowledged.rate().expect("it has run for 4 s")
        };
        let near = |rate: u64, wanted: u64| rate.abs_diff(wanted) < wanted / 20;
        assert!(near(run(&mut acknowledged, 10_000), 1_000_000));
        assert!(near(run(&mut acknowledged, 2_500), 4_000_000));
        assert!(near(run(&mut acknowledged, 40_000), 250_000));
    }
}
