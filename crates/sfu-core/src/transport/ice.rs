//! The ICE-lite side of one transport (RFC 8445 §2.5): answers checks, knows which paths are validated,
//! which of them is selected, and when consent to send has run out (RFC 7675).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt};
use wire::stun::{Builder, Class, IntegrityKey, Message, Method, TransactionId};

use crate::outbox::Path;
use crate::stats::IceState;

/// Validated paths of one transport at a time; a browser with several interfaces and both IP versions
/// uses four to eight.
pub(crate) const MAX_PATHS: usize = 16;

/// Transactions remembered: those of several seconds, and then some.
const MAX_RECENT: usize = 64;

/// A selected path that saw no check for this long gives way to another that did: the peer has moved
/// without nominating. libwebrtc checks every path at least every 2.5 s.
const STALE_AFTER: Duration = Duration::from_secs(6);

/// Characters of ufrag and password (RFC 8445 §5.3: at least 4 and 22).
const UFRAG_LEN: usize = 16;
const PASSWORD_LEN: usize = 32;

/// What ufrag and password are made of (RFC 8839 §5.4, `ice-char`).
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Unknown attributes named in one 420 response.
const MAX_UNKNOWN: usize = 8;

/// Our ufrag and password of one ICE generation.
#[derive(Clone)]
pub struct Credentials {
    /// Username fragment: what incoming checks are found by.
    pub ufrag: String,
    /// Password: the key of the checks' integrity.
    pub password: String,
}

impl Credentials {
    /// Fresh credentials; 6 bits of randomness a character.
    pub fn generate(rng: &mut impl Rng) -> Self {
        let mut text = |len| (0..len).map(|_| char::from(ICE_CHARS[rng.random_range(0..ICE_CHARS.len())])).collect();
        Self { ufrag: text(UFRAG_LEN), password: text(PASSWORD_LEN) }
    }
}

struct Generation {
    credentials: Credentials,
    key: IntegrityKey,
}

impl Generation {
    fn new(credentials: Credentials) -> Self {
        let key = IntegrityKey::short_term(&credentials.password);
        Self { credentials, key }
    }
}

struct Tuple {
    path: Path,
    checked_at: Instant,
}

/// What a check did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Not answered: not authentic, or not a check at all.
    Ignored,
    /// Answered with an error; no state changed.
    Refused,
    /// The path is validated. `added`: it was not before; `evicted`: it took the place of that one.
    Valid { added: bool, evicted: Option<Path>, restarted: bool },
}

/// The ICE state of one transport.
pub(crate) struct Ice {
    current: Generation,
    /// Valid until the first check with the current credentials arrives (RFC 8445 §9).
    previous: Option<Generation>,
    tuples: Vec<Tuple>,
    selected: Option<Path>,
    /// Whether the peer chose the selected path, which was the first one before.
    is_nominated: bool,
    /// The last valid check on any path, also on one that was lost to another transport since.
    checked_at: Option<Instant>,
    /// Transactions of late, to tell a check that somebody else sends again from elsewhere.
    recent: VecDeque<(TransactionId, Path)>,
    consent_timeout: Duration,
}

impl Ice {
    pub(crate) fn new(credentials: Credentials, consent_timeout: Duration) -> Self {
        Self {
            current: Generation::new(credentials),
            previous: None,
            tuples: Vec::new(),
            selected: None,
            is_nominated: false,
            checked_at: None,
            recent: VecDeque::with_capacity(MAX_RECENT),
            consent_timeout,
        }
    }

    /// Where to send.
    pub(crate) fn selected(&self) -> Option<Path> {
        self.selected
    }

    /// Every validated path.
    pub(crate) fn paths(&self) -> impl Iterator<Item = Path> {
        self.tuples.iter().map(|tuple| tuple.path)
    }

    /// The ufrags under which checks for this transport may arrive.
    pub(crate) fn ufrags(&self) -> impl Iterator<Item = &str> {
        let previous = self.previous.as_ref().map(|old| old.credentials.ufrag.as_str());
        std::iter::once(self.current.credentials.ufrag.as_str()).chain(previous)
    }

    /// Takes new credentials and returns the ufrag that is no longer valid, if one was left from before.
    pub(crate) fn restart(&mut self, credentials: Credentials) -> Option<String> {
        let old = std::mem::replace(&mut self.current, Generation::new(credentials));
        self.previous.replace(old).map(|older| older.credentials.ufrag)
    }

    /// Forgets the credentials from before the restart; returns their ufrag.
    pub(crate) fn finish_restart(&mut self) -> Option<String> {
        self.previous.take().map(|old| old.credentials.ufrag)
    }

    /// Forgets a path that another transport proved to be behind.
    pub(crate) fn forget(&mut self, path: &Path) {
        self.tuples.retain(|tuple| tuple.path != *path);
        if self.selected == Some(*path) {
            let newest = self.tuples.iter().max_by_key(|tuple| tuple.checked_at);
            self.selected = newest.map(|tuple| tuple.path);
        }
    }

    /// Handles a binding request whose USERNAME named this transport; appends the answer to `out`.
    pub(crate) fn receive_check(
        &mut self,
        now: Instant,
        path: Path,
        check: &Message<'_>,
        out: &mut Vec<u8>,
    ) -> Checked {
        let ours = check.username().and_then(|name| name.split(':').next()).unwrap_or_default();
        let is_current = ours == self.current.credentials.ufrag;
        let generation = match &self.previous {
            _ if is_current => &self.current,
            Some(old) if ours == old.credentials.ufrag => old,
            _ => return Checked::Ignored,
        };
        if !check.verify_integrity(&generation.key) {
            return Checked::Ignored;
        }
        let id = check.transaction_id();
        if self.recent.iter().any(|&(known, from)| known == id && from != path) {
            return Checked::Ignored;
        }
        if self.recent.len() == MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((id, path));
        let mut unknown = [0; MAX_UNKNOWN];
        let mut count = 0;
        for (slot, kind) in unknown.iter_mut().zip(check.unknown_comprehension_required()) {
            *slot = kind;
            count += 1;
        }
        if count > 0 {
            Builder::new(out, Class::Error, Method::BINDING, id)
                .error_code(420, "Unknown Attribute")
                .unknown_attributes(&unknown[..count])
                .finish(Some(&generation.key));
            return Checked::Refused;
        }
        if check.ice_controlled().is_some() {
            // We are lite, so always controlled; a peer that believes the same has to switch
            // (RFC 8445 §7.3.1.1).
            Builder::new(out, Class::Error, Method::BINDING, id)
                .error_code(487, "Role Conflict")
                .finish(Some(&generation.key));
            return Checked::Refused;
        }
        Builder::new(out, Class::Success, Method::BINDING, id)
            .xor_mapped_address(path.peer)
            .finish(Some(&generation.key));
        self.checked_at = Some(now);
        let (added, evicted) = self.validate(now, path);
        self.is_nominated |= check.use_candidate();
        if self.selected.is_none() || check.use_candidate() {
            self.selected = Some(path);
        } else {
            self.leave_stale_path(now);
        }
        Checked::Valid { added, evicted, restarted: is_current && self.previous.is_some() }
    }

    fn validate(&mut self, now: Instant, path: Path) -> (bool, Option<Path>) {
        if let Some(tuple) = self.tuples.iter_mut().find(|tuple| tuple.path == path) {
            tuple.checked_at = now;
            return (false, None);
        }
        let mut evicted = None;
        if self.tuples.len() >= MAX_PATHS {
            let oldest = self
                .tuples
                .iter()
                .enumerate()
                .filter(|(_, tuple)| Some(tuple.path) != self.selected)
                .min_by_key(|(_, tuple)| tuple.checked_at)
                .map(|(index, _)| index);
            evicted = oldest.map(|index| self.tuples.swap_remove(index).path);
        }
        self.tuples.push(Tuple { path, checked_at: now });
        (true, evicted)
    }

    /// Selects the most recently checked path when the selected one has fallen silent.
    fn leave_stale_path(&mut self, now: Instant) {
        let is_stale = self
            .tuples
            .iter()
            .find(|tuple| Some(tuple.path) == self.selected)
            .is_none_or(|tuple| now.saturating_duration_since(tuple.checked_at) > STALE_AFTER);
        if is_stale {
            self.selected = self.tuples.iter().max_by_key(|tuple| tuple.checked_at).map(|tuple| tuple.path);
        }
    }

    /// When consent runs out altogether; `None` before the first valid check.
    pub(crate) fn consent_ends_at(&self) -> Option<Instant> {
        self.checked_at.map(|at| at + self.consent_timeout)
    }

    /// Whether this path was checked a moment ago.
    pub(crate) fn is_fresh(&self, now: Instant, path: &Path) -> bool {
        let tuple = self.tuples.iter().find(|tuple| tuple.path == *path);
        tuple.is_some_and(|tuple| now.saturating_duration_since(tuple.checked_at) <= STALE_AFTER)
    }

    /// Removes paths without consent, one a call. When none is left, consent is lost.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Path> {
        let timeout = self.consent_timeout;
        let index = self.tuples.iter().position(|tuple| now >= tuple.checked_at + timeout)?;
        let path = self.tuples.swap_remove(index).path;
        if self.selected == Some(path) {
            self.selected = None;
            self.leave_stale_path(now);
        }
        Some(path)
    }

    /// How far it is.
    pub(crate) fn state(&self) -> IceState {
        match self.checked_at {
            None => IceState::New,
            Some(_) if self.tuples.is_empty() => IceState::Disconnected,
            Some(_) if self.is_nominated => IceState::Completed,
            Some(_) => IceState::Connected,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, SocketAddr};

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn path(port: u16) -> Path {
        let local = IpAddr::from([127, 0, 0, 1]);
        Path { socket: 0, local, peer: SocketAddr::new(local, port) }
    }

    /// Credentials of a first generation and of a second one.
    fn credentials() -> [Credentials; 2] {
        let mut rng = StdRng::seed_from_u64(1);
        [(); 2].map(|()| Credentials::generate(&mut rng))
    }

    /// A check as a browser sends it; `more` adds to it.
    fn check(to: &Credentials, number: u8, more: impl Fn(Builder<'_>) -> Builder<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let builder = Builder::new(&mut bytes, Class::Request, Method::BINDING, TransactionId([number; 12]))
            .username(&format!("{}:peer", to.ufrag));
        more(builder).finish(Some(&IntegrityKey::short_term(&to.password)));
        bytes
    }

    /// Hands a check in; what it did and the code of an error that answers it.
    fn hand_in(ice: &mut Ice, now: Instant, port: u16, bytes: &[u8]) -> (Checked, Option<u16>) {
        let mut out = Vec::new();
        let message = Message::parse(bytes).expect("written by us");
        let checked = ice.receive_check(now, path(port), &message, &mut out);
        let answer = Message::parse(&out).ok();
        (checked, answer.and_then(|answer| answer.error_code()).map(|(code, _)| code))
    }

    #[test]
    fn only_an_authentic_check_that_is_understood_validates_its_path() {
        let [ours, others] = credentials();
        let (now, mut ice) = (crate::some_instant(), Ice::new(ours.clone(), TIMEOUT));
        let forged = Credentials { password: others.password.clone(), ..ours.clone() };
        assert_eq!(hand_in(&mut ice, now, 1, &check(&forged, 1, |b| b)), (Checked::Ignored, None));
        assert_eq!(hand_in(&mut ice, now, 1, &check(&others, 2, |b| b)), (Checked::Ignored, None));
        let unknown = check(&ours, 3, |builder| builder.other(0x7777, &[1]));
        assert_eq!(hand_in(&mut ice, now, 1, &unknown), (Checked::Refused, Some(420)));
        let controlled = check(&ours, 4, |builder| builder.ice_controlled(1));
        assert_eq!(hand_in(&mut ice, now, 1, &controlled), (Checked::Refused, Some(487)));
        assert_eq!((ice.selected(), ice.consent_ends_at()), (None, None));
        let valid = Checked::Valid { added: true, evicted: None, restarted: false };
        assert_eq!(hand_in(&mut ice, now, 1, &check(&ours, 5, |builder| builder.ice_controlling(1))), (valid, None));
        assert_eq!(ice.selected(), Some(path(1)));
    }

    #[test]
    fn a_nomination_selects_and_a_silent_path_gives_way() {
        let [ours, _] = credentials();
        let (now, mut ice) = (crate::some_instant(), Ice::new(ours.clone(), TIMEOUT));
        hand_in(&mut ice, now, 1, &check(&ours, 1, |b| b));
        hand_in(&mut ice, now, 2, &check(&ours, 2, |b| b));
        assert_eq!(ice.selected(), Some(path(1)));
        hand_in(&mut ice, now, 2, &check(&ours, 3, |builder| builder.use_candidate()));
        assert_eq!(ice.selected(), Some(path(2)));
        let later = now + STALE_AFTER + Duration::from_secs(1);
        hand_in(&mut ice, later, 3, &check(&ours, 4, |b| b));
        assert_eq!(ice.selected(), Some(path(3)));
    }

    #[test]
    fn a_check_that_is_sent_again_from_elsewhere_is_not_answered() {
        let [ours, _] = credentials();
        let (now, mut ice) = (crate::some_instant(), Ice::new(ours.clone(), TIMEOUT));
        let nomination = check(&ours, 1, |builder| builder.use_candidate());
        hand_in(&mut ice, now, 1, &nomination);
        assert_eq!(hand_in(&mut ice, now, 666, &nomination), (Checked::Ignored, None));
        assert_eq!(ice.selected(), Some(path(1)));
        let again = Checked::Valid { added: false, evicted: None, restarted: false };
        assert_eq!(hand_in(&mut ice, now, 1, &nomination), (again, None), "the same path may repeat itself");
    }

    #[test]
    fn no_more_paths_are_kept_than_the_limit_and_the_selected_one_stays() {
        let [ours, _] = credentials();
        let (now, mut ice) = (crate::some_instant(), Ice::new(ours.clone(), TIMEOUT));
        for port in 0..3 * MAX_PATHS as u16 {
            let at = now + Duration::from_millis(u64::from(port));
            hand_in(&mut ice, at, port, &check(&ours, port as u8, |b| b));
        }
        assert_eq!(ice.paths().count(), MAX_PATHS);
        assert!(ice.paths().any(|kept| kept == path(0)) && ice.selected() == Some(path(0)));
        assert!(ice.recent.len() <= MAX_RECENT);
    }

    #[test]
    fn old_credentials_are_valid_until_the_first_check_with_the_new_ones() {
        let [ours, new] = credentials();
        let (now, mut ice) = (crate::some_instant(), Ice::new(ours.clone(), TIMEOUT));
        hand_in(&mut ice, now, 1, &check(&ours, 1, |b| b));
        ice.restart(new.clone());
        let same = Checked::Valid { added: false, evicted: None, restarted: false };
        assert_eq!(hand_in(&mut ice, now, 1, &check(&ours, 2, |b| b)).0, same);
        let restarted = Checked::Valid { added: false, evicted: None, restarted: true };
        assert_eq!(hand_in(&mut ice, now, 1, &check(&new, 3, |b| b)).0, restarted);
        assert_eq!(ice.finish_restart(), Some(ours.ufrag.clone()));
        assert_eq!(hand_in(&mut ice, now, 1, &check(&ours, 4, |b| b)).0, Checked::Ignored);
    }

    #[test]
    fn consent_ends_a_timeout_after_the_last_check_even_without_a_path() {
        let [ours, _] = credentials();
        let (now, mut ice) = (crate::some_instant(), Ice::new(ours.clone(), TIMEOUT));
        hand_in(&mut ice, now, 1, &check(&ours, 1, |b| b));
        assert_eq!(ice.expire(now + TIMEOUT - Duration::from_millis(1)), None);
        ice.forget(&path(1));
        assert_eq!(ice.state(), IceState::Disconnected);
        assert_eq!(ice.consent_ends_at(), Some(now + TIMEOUT));
    }
}
