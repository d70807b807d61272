//! How much the media workers and the process have to do: samples of CPU time, and the share of a core that follows.

use std::collections::VecDeque;
use std::fs;
use std::time::{Duration, Instant};

/// Shares go over this time.
const WINDOW: Duration = Duration::from_secs(5);
/// Below this a share says nothing yet.
const LEAST: Duration = Duration::from_millis(500);
/// Samples that are kept, however often they are taken.
const MAX_SAMPLES: usize = 64;

/// CPU times of every worker, lately.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    samples: VecDeque<(Instant, Vec<Option<Duration>>)>,
}

impl Shares {
    /// Takes in how long each worker's thread was on a core until now.
    pub(crate) fn note(&mut self, now: Instant, times: Vec<Option<Duration>>) {
        let is_old = |at: &Instant| now.saturating_duration_since(*at) >= WINDOW;
        // The newest of the old ones is what shares are counted from.
        while self.samples.len() >= MAX_SAMPLES || self.samples.get(1).is_some_and(|(at, _)| is_old(at)) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, times));
    }

    /// Share of a core of a worker over the last seconds; `None` while nobody knows.
    pub(crate) fn of(&self, worker: usize) -> Option<f64> {
        let (first, last) = (self.samples.front()?, self.samples.back()?);
        let time = last.0.saturating_duration_since(first.0);
        let spent = last.1.get(worker).copied()??.checked_sub(first.1.get(worker).copied()??)?;
        (time >= LEAST).then(|| spent.as_secs_f64() / time.as_secs_f64())
    }
}

/// Bytes of this process that are in memory; `None` where the system does not tell.
pub(crate) fn memory() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/self/status").ok()?).map(|kilobytes| kilobytes * 1024)
}

fn kilobytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_share_is_of_the_last_seconds() {
        let start = Instant::now();
        let mut shares = Shares::default();
        assert_eq!(shares.of(0), None);
        let mut spent = Duration::ZERO;
        for second in 0..=20 {
            spent += if second > 10 { millis(750) } else { millis(100) };
            shares.note(start + millis(1_000 * second), vec![Some(spent), None]);
            assert_eq!(shares.of(0).is_some(), second > 0, "{second}");
        }
        assert!((shares.of(0).unwrap() - 0.75).abs() < 1e-9, "{:?}", shares.of(0));
        assert_eq!((shares.of(1), shares.of(2)), (None, None));
    }

    #[test]
    fn a_worker_that_began_anew_and_samples_without_end_do_no_harm() {
        let start = Instant::now();
        let mut shares = Shares::default();
        for step in 0..10_000 {
            shares.note(start + Duration::from_micros(step), vec![Some(millis(10_000 - step))]);
        }
        assert_eq!(shares.of(0), None);
        assert!(shares.samples.len() <= MAX_SAMPLES);
    }

    #[test]
    fn memory_is_read_as_linux_writes_it() {
        assert_eq!(kilobytes("Name:\tx\nVmPeak:\t 9 kB\nVmRSS:\t   5324 kB\n"), Some(5_324));
        assert_eq!(kilobytes("Name:\tx\n"), None);
        assert!(!cfg!(target_os = "linux") || memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
