//! Requests for key frames of one stream: many viewers ask, the source is asked rarely.

use std::time::{Duration, Instant};

/// Shortest time between two requests to one source. An encoder pays for each with a burst of bytes.
pub(crate) const MIN_GAP: Duration = Duration::from_millis(500);

/// A request that brought no key frame in this time is repeated, as long as somebody waits: it may be lost, and meanwhile
/// pictures stand still. Round trip and encoder together take less.
const RETRY_AFTER: Duration = Duration::from_millis(600);

/// Requests in vain before it is accepted that this source sends no key frame now. It is asked again when it sends
/// anything, or when somebody else comes.
const MAX_TRIES: u8 = 15;

/// Pause between requests to a source that sends, but has not answered so many of them.
const LATE_RETRY_AFTER: Duration = Duration::from_secs(2);

/// The state of asking one source for a key frame.
#[derive(Debug, Default)]
pub(crate) struct KeyFrameRequests {
    last_sent_at: Option<Instant>,
    /// Since when somebody waits for a key frame.
    wanted_since: Option<Instant>,
    tries: u8,
}

impl KeyFrameRequests {
    /// Somebody needs a key frame.
    pub(crate) fn wish(&mut self, now: Instant) {
        let gave_up = self.tries >= MAX_TRIES
            && self.last_sent_at.is_none_or(|at| now.saturating_duration_since(at) >= RETRY_AFTER);
        if self.wanted_since.is_none() || gave_up {
            self.wanted_since = Some(now);
            self.tries = 0;
        }
    }

    /// The source sends something. Whoever waits still, after the source was given up, may hope again.
    pub(crate) fn source_sends(&mut self) {
        if self.tries >= MAX_TRIES && self.wanted_since.is_some() {
            self.tries = MAX_TRIES - 1;
        }
    }

    /// A key frame began.
    pub(crate) fn arrived(&mut self) {
        self.wanted_since = None;
    }

    /// When [`KeyFrameRequests::take_due`] will say yes.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        let wanted_since = self.wanted_since?;
        if self.tries >= MAX_TRIES {
            return None;
        }
        let pause = match self.tries {
            0 => MIN_GAP,
            tries if tries < MAX_TRIES - 1 => RETRY_AFTER,
            _ => LATE_RETRY_AFTER,
        };
        Some(self.last_sent_at.map_or(wanted_since, |at| wanted_since.max(at + pause)))
    }

    /// Whether to ask the source now; then notes that it was asked.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        if self.next_at().is_none_or(|at| now < at) {
            return false;
        }
        self.last_sent_at = Some(now);
        self.tries += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(requests: &mut KeyFrameRequests, now: Instant) -> bool {
        requests.wish(now);
        requests.take_due(now)
    }

    #[test]
    fn many_wishes_are_one_request_and_never_closer_than_the_gap() {
        let start = crate::some_instant();
        let mut requests = KeyFrameRequests::default();
        assert!(want(&mut requests, start));
        assert!(!want(&mut requests, start));
        requests.arrived();
        assert!(!want(&mut requests, start + MIN_GAP / 2));
        assert_eq!(requests.next_at(), Some(start + MIN_GAP));
        assert!(requests.take_due(start + MIN_GAP));
    }

    #[test]
    fn a_request_in_vain_is_repeated_while_somebody_waits_and_then_given_up() {
        let start = crate::some_instant();
        let mut requests = KeyFrameRequests::default();
        assert!(want(&mut requests, start));
        let mut sent = 1;
        while let Some(at) = requests.next_at() {
            assert!(requests.take_due(at));
            sent += 1;
        }
        assert_eq!(sent, MAX_TRIES);
        // A new wish after a while, by somebody who comes or a sender that is back, begins anew.
        let later = start + Duration::from_secs(30);
        assert!(want(&mut requests, later));
        assert_eq!(requests.next_at(), Some(later + RETRY_AFTER));
        requests.arrived();
        assert_eq!(requests.next_at(), None);
        assert!(want(&mut requests, start + Duration::from_secs(60)));
    }
}
