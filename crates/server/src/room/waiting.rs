//! Who waits to be let in, and who was. Told the time; who waits comes back again and again, and is forgotten when they do not.

use std::collections::HashMap;

use crate::signal::messages::WaitingPerson;

/// People that wait at the same time; more are sent away.
pub(super) const MAX_WAITING: usize = 100;
/// Decisions that are remembered; the one that ends first makes room.
const MAX_DECIDED: usize = 1_000;
/// Who did not come back for so long has given up.
const GIVEN_UP_MS: u64 = 10_000;
/// How long somebody who was let in may come and go.
const ADMITTED_FOR_MS: u64 = 8 * 3_600_000;
/// How long somebody who was not let in need not ask again.
const REJECTED_FOR_MS: u64 = 60_000;

/// What comes of knocking.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Knock {
    /// They were let in.
    Admitted,
    /// They were not.
    Rejected,
    /// Nobody has decided; whether the list is another one now.
    Waits { is_new: bool },
    /// Too many wait already.
    Full,
}

#[derive(Clone, Debug)]
struct Waiter {
    id: String,
    person: String,
    display_name: String,
    seen_at_ms: u64,
}

#[derive(Clone, Copy, Debug)]
struct Decision {
    admitted: bool,
    until_ms: u64,
}

/// Of one room.
#[derive(Clone, Debug, Default)]
pub(super) struct WaitingList {
    /// Who came first first.
    people: Vec<Waiter>,
    decided: HashMap<String, Decision>,
}

impl WaitingList {
    /// Somebody wants in; `id` is for them where they are new.
    pub(super) fn knock(&mut self, now_ms: u64, person: &str, display_name: &str, id: String) -> Knock {
        match self.decided.get(person) {
            Some(decision) if now_ms < decision.until_ms => {
                return if decision.admitted { Knock::Admitted } else { Knock::Rejected };
            }
            _ => {}
        }
        if let Some(waiter) = self.people.iter_mut().find(|waiter| waiter.person == person) {
            waiter.seen_at_ms = now_ms;
            return Knock::Waits { is_new: false };
        }
        if self.people.len() >= MAX_WAITING {
            return Knock::Full;
        }
        let waiter =
            Waiter { id, person: person.to_owned(), display_name: display_name.to_owned(), seen_at_ms: now_ms };
        self.people.push(waiter);
        Knock::Waits { is_new: true }
    }

    /// Somebody who waits is let in, or is not; their person and name, if they wait.
    pub(super) fn decide(&mut self, now_ms: u64, id: &str, admitted: bool) -> Option<(String, String)> {
        let index = self.people.iter().position(|waiter| waiter.id == id)?;
        let waiter = self.people.remove(index);
        if self.decided.len() >= MAX_DECIDED {
            let first = self.decided.iter().min_by_key(|(_, decision)| decision.until_ms);
            if let Some(first) = first.map(|(person, _)| person.clone()) {
                self.decided.remove(&first);
            }
        }
        let until_ms = now_ms + if admitted { ADMITTED_FOR_MS } else { REJECTED_FOR_MS };
        self.decided.insert(waiter.person.clone(), Decision { admitted, until_ms });
        Some((waiter.person, waiter.display_name))
    }

    /// Who was let in has to ask again.
    pub(super) fn forget(&mut self, person: &str) {
        self.decided.remove(person);
        self.people.retain(|waiter| waiter.person != person);
    }

    /// Takes those off who gave up; whether there were any.
    pub(super) fn prune(&mut self, now_ms: u64) -> bool {
        let before = self.people.len();
        self.people.retain(|waiter| now_ms < waiter.seen_at_ms + GIVEN_UP_MS);
        self.people.len() < before
    }

    pub(super) fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// As hosts and moderators are told.
    pub(super) fn people(&self) -> Vec<WaitingPerson> {
        let told = |waiter: &Waiter| WaitingPerson { id: waiter.id.clone(), display_name: waiter.display_name.clone() };
        self.people.iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_let_in_may_come_and_who_is_not_may_ask_again_later() {
        let mut list = WaitingList::default();
        assert_eq!(list.knock(0, "g:1", "Ada", "a".into()), Knock::Waits { is_new: true });
        assert_eq!(list.knock(2_000, "g:1", "Ada", "b".into()), Knock::Waits { is_new: false });
        assert_eq!(list.knock(2_000, "g:2", "Bob", "c".into()), Knock::Waits { is_new: true });
        assert_eq!(list.people().iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(list.decide(3_000, "a", true), Some(("g:1".into(), "Ada".into())));
        assert_eq!(list.decide(3_000, "a", true), None);
        assert_eq!(list.decide(3_000, "c", false), Some(("g:2".into(), "Bob".into())));
        assert_eq!(list.knock(4_000, "g:1", "Ada", "d".into()), Knock::Admitted);
        assert_eq!(list.knock(4_000, "g:2", "Bob", "d".into()), Knock::Rejected);
        assert_eq!(list.knock(3_000 + REJECTED_FOR_MS, "g:2", "Bob", "d".into()), Knock::Waits { is_new: true });
        list.forget("g:1");
        assert_eq!(list.knock(5_000, "g:1", "Ada", "e".into()), Knock::Waits { is_new: true });
    }

    #[test]
    fn who_does_not_come_back_is_taken_off() {
        let mut list = WaitingList::default();
        list.knock(0, "g:1", "Ada", "a".into());
        list.knock(5_000, "g:2", "Bob", "b".into());
        assert!(!list.prune(GIVEN_UP_MS - 1));
        assert!(list.prune(GIVEN_UP_MS));
        assert_eq!(list.people().len(), 1);
        assert!(list.prune(GIVEN_UP_MS + 5_000) && list.is_empty());
    }

    #[test]
    fn so_many_wait_at_most_and_so_many_decisions_are_kept() {
        let mut list = WaitingList::default();
        for number in 0..MAX_WAITING {
            list.knock(0, &format!("g:{number}"), "X", number.to_string());
        }
        assert_eq!(list.knock(0, "g:more", "X", "more".into()), Knock::Full);
        for number in 0..MAX_DECIDED + 10 {
            list.decide(number as u64, "0", true);
            list.forget(&format!("g:{}", number + 10_000));
            list.knock(number as u64, &format!("h:{number}"), "X", "0".into());
        }
        assert!(list.decided.len() <= MAX_DECIDED);
    }
}
