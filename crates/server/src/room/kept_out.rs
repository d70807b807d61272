//! Who may not come back: for a minute after they were sent away, or as long as a ban lasts. Told the time.

use std::collections::HashMap;

/// How long somebody stays out who was sent away.
pub(super) const KICKED_FOR_MS: u64 = 60_000;
/// People and networks that one room keeps out; further bans are refused.
pub(super) const MAX_KEPT_OUT: usize = 10_000;

/// Until when somebody is kept out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Until {
    /// Milliseconds since the Unix epoch.
    Time(u64),
    /// For good.
    Ever,
}

impl Until {
    /// The time; `None`: for good.
    pub(super) fn time_ms(self) -> Option<u64> {
        match self {
            Self::Time(end_ms) => Some(end_ms),
            Self::Ever => None,
        }
    }

    fn is_on(self, now_ms: u64) -> bool {
        self.time_ms().is_none_or(|end_ms| now_ms < end_ms)
    }

    fn longest(self, other: Self) -> Self {
        match (self, other) {
            (Self::Time(a), Self::Time(b)) => Self::Time(a.max(b)),
            _ => Self::Ever,
        }
    }
}

/// A ban, as it is listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BanFacts {
    pub(crate) id: String,
    /// Whether it is a network and not a person.
    pub(crate) is_address: bool,
    pub(crate) display_name: String,
    pub(crate) reason: String,
    pub(crate) created_at_ms: u64,
}

#[derive(Clone, Debug)]
struct Kept {
    until: Until,
    /// Not there for who was only sent away for a moment.
    ban: Option<BanFacts>,
}

/// Persons, as the database knows them, and marks of networks.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptOut {
    subjects: HashMap<String, Kept>,
}

/// As many as there can be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooMany;

impl KeptOut {
    /// Keeps somebody out; the longer of two times counts, the newer of two bans.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn add(
        &mut self,
        now_ms: u64,
        subject: &str,
        until: Until,
        ban: Option<BanFacts>,
    ) -> Result<(), TooMany> {
        if !self.subjects.contains_key(subject) && self.subjects.len() >= MAX_KEPT_OUT {
            self.subjects.retain(|_, kept| kept.until.is_on(now_ms));
            if self.subjects.len() >= MAX_KEPT_OUT {
                return Err(TooMany);
            }
        }
        let kept = self.subjects.entry(subject.to_owned()).or_insert(Kept { until, ban: None });
        kept.until = kept.until.longest(until);
        kept.ban = ban.or_else(|| kept.ban.take());
        Ok(())
    }

    /// Ends a ban by its id; whom it kept out by which name.
    pub(super) fn end_ban(&mut self, ban_id: &str) -> Option<(String, BanFacts)> {
        let is_it = |kept: &Kept| kept.ban.as_ref().is_some_and(|ban| ban.id == ban_id);
        let subject = self.subjects.iter().find(|(_, kept)| is_it(kept)).map(|(subject, _)| subject.clone())?;
        let ban = self.subjects.remove(&subject)?.ban?;
        Some((subject, ban))
    }

    /// Until when somebody is kept out, if they are.
    pub(super) fn until(&self, now_ms: u64, subject: &str) -> Option<Until> {
        self.subjects.get(subject).map(|kept| kept.until).filter(|until| until.is_on(now_ms))
    }

    /// The bans that are on, the newest first.
    pub(super) fn bans(&self, now_ms: u64) -> Vec<(BanFacts, Until)> {
        let on = self.subjects.values().filter(|kept| kept.until.is_on(now_ms));
        let mut bans: Vec<_> = on.filter_map(|kept| Some((kept.ban.clone()?, kept.until))).collect();
        bans.sort_by(|(a, _), (b, _)| (b.created_at_ms, &b.id).cmp(&(a.created_at_ms, &a.id)));
        bans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(id: &str, created_at_ms: u64) -> Option<BanFacts> {
        let (display_name, reason) = (id.to_uppercase(), String::new());
        Some(BanFacts { id: id.into(), is_address: false, display_name, reason, created_at_ms })
    }

    #[test]
    fn who_is_sent_away_may_come_back_later_and_who_is_banned_not() {
        let mut out = KeptOut::default();
        out.add(0, "g:1", Until::Time(KICKED_FOR_MS), None).unwrap();
        assert_eq!(out.until(KICKED_FOR_MS - 1, "g:1"), Some(Until::Time(KICKED_FOR_MS)));
        assert_eq!(out.until(KICKED_FOR_MS, "g:1"), None);
        out.add(0, "g:1", Until::Ever, ban("b", 0)).unwrap();
        out.add(0, "g:1", Until::Time(5), None).unwrap();
        assert_eq!(out.until(u64::MAX, "g:1"), Some(Until::Ever));
        assert_eq!(out.end_ban("other"), None);
        assert_eq!(out.end_ban("b").map(|(subject, _)| subject).as_deref(), Some("g:1"));
        assert_eq!(out.until(0, "g:1"), None);
        assert_eq!(out.end_ban("b"), None);
    }

    #[test]
    fn bans_are_listed_and_those_who_were_only_sent_away_are_not() {
        let mut out = KeptOut::default();
        out.add(0, "g:1", Until::Time(50), ban("a", 1)).unwrap();
        out.add(0, "g:2", Until::Ever, ban("b", 2)).unwrap();
        out.add(0, "g:3", Until::Time(50), None).unwrap();
        let ids = |now_ms| out.bans(now_ms).into_iter().map(|(ban, _)| ban.id).collect::<Vec<_>>();
        assert_eq!(ids(49), ["b", "a"]);
        assert_eq!(ids(50), ["b"]);
    }

    #[test]
    fn there_are_so_many_at_most_and_those_whose_time_is_over_make_room() {
        let mut out = KeptOut::default();
        for number in 0..MAX_KEPT_OUT {
            out.add(0, &number.to_string(), Until::Time(10), None).unwrap();
        }
        assert_eq!(out.add(9, "one more", Until::Ever, None), Err(TooMany));
        assert_eq!(out.add(10, "one more", Until::Ever, None), Ok(()));
        assert_eq!(out.subjects.len(), 1);
    }
}
