//! Who may not come back: for a minute after they were sent away, or as long as a ban lasts. Told the time.

use std::collections::HashMap;

/// How long somebody stays out who was sent away.
pub(super) const KICKED_FOR_MS: u64 = 60_000;
/// People that one room keeps out; further bans are refused.
pub(super) const MAX_KEPT_OUT: usize = 10_000;

/// Until when somebody is kept out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Until {
    /// Milliseconds since the Unix epoch.
    Time(u64),
    /// For good.
    Ever,
}

/// Persons, as the database knows them.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptOut {
    people: HashMap<String, Until>,
}

/// As many as there can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooMany;

impl KeptOut {
    /// Keeps somebody out; the longer of two times counts.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn add(&mut self, now_ms: u64, person: &str, until: Until) -> Result<(), TooMany> {
        if !self.people.contains_key(person) && self.people.len() >= MAX_KEPT_OUT {
            self.people.retain(|_, until| is_on(*until, now_ms));
            if self.people.len() >= MAX_KEPT_OUT {
                return Err(TooMany);
            }
        }
        let entry = self.people.entry(person.to_owned()).or_insert(until);
        *entry = match (*entry, until) {
            (Until::Time(a), Until::Time(b)) => Until::Time(a.max(b)),
            _ => Until::Ever,
        };
        Ok(())
    }

    /// Lets somebody in again.
    pub(super) fn remove(&mut self, person: &str) {
        self.people.remove(person);
    }

    /// Until when somebody is kept out, if they are.
    pub(super) fn until(&self, now_ms: u64, person: &str) -> Option<Until> {
        self.people.get(person).copied().filter(|until| is_on(*until, now_ms))
    }
}

fn is_on(until: Until, now_ms: u64) -> bool {
    match until {
        Until::Time(end_ms) => now_ms < end_ms,
        Until::Ever => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_sent_away_may_come_back_later_and_who_is_banned_not() {
        let mut out = KeptOut::default();
        out.add(0, "g:1", Until::Time(KICKED_FOR_MS)).unwrap();
        assert_eq!(out.until(KICKED_FOR_MS - 1, "g:1"), Some(Until::Time(KICKED_FOR_MS)));
        assert_eq!(out.until(KICKED_FOR_MS, "g:1"), None);
        out.add(0, "g:1", Until::Ever).unwrap();
        out.add(0, "g:1", Until::Time(5)).unwrap();
        assert_eq!(out.until(u64::MAX, "g:1"), Some(Until::Ever));
        out.remove("g:1");
        assert_eq!(out.until(0, "g:1"), None);
    }

    #[test]
    fn there_are_so_many_at_most_and_those_whose_time_is_over_make_room() {
        let mut out = KeptOut::default();
        for number in 0..MAX_KEPT_OUT {
            out.add(0, &number.to_string(), Until::Time(10)).unwrap();
        }
        assert_eq!(out.add(9, "one more", Until::Ever), Err(TooMany));
        assert_eq!(out.add(10, "one more", Until::Ever), Ok(()));
        assert_eq!(out.people.len(), 1);
    }
}
