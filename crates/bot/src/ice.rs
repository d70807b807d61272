//! The controlling side of ICE against a lite server (RFC 8445 §6.1.1): checks every pair, nominates one, keeps it alive
//! and leaves it when it falls silent. As browsers do, and with their times.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use wire::stun::{Builder, Class, IntegrityKey, Message, Method, TransactionId};

use crate::output::{Output, Pair};

/// First pause between two checks of a pair that has not answered; libwebrtc's ping interval of weak connections.
const FIRST_RTO: Duration = Duration::from_millis(50);

/// The pause doubles up to this.
const MAX_RTO: Duration = Duration::from_millis(800);

/// Pause between two checks of a pair that answers; libwebrtc's for stable connections.
const KEEP_ALIVE: Duration = Duration::from_millis(2500);

/// A selected pair that has not answered for this long gives way to another that has.
const SILENT_AFTER: Duration = Duration::from_secs(6);

/// Without an answer for this long nothing may be sent any more (RFC 7675 §5.1).
const CONSENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Pairs at most: eight addresses of ours with eight of the server's.
const MAX_PAIRS: usize = 64;

/// Checks of one pair whose answer may still come.
const MAX_OUTSTANDING: usize = 8;

/// What signalling tells of the server's ICE side.
#[derive(Clone, Debug)]
pub struct RemoteIce {
    /// Username fragment.
    pub ufrag: String,
    /// Password: the key of the checks' integrity.
    pub password: String,
    /// Where the server listens.
    pub candidates: Vec<SocketAddr>,
}

/// What happened to the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum IceEvent {
    /// The first pair works.
    Connected,
    /// No pair has answered for the time of consent.
    Lost,
}

struct Candidate {
    pair: Pair,
    next_check_at: Instant,
    rto: Duration,
    /// Unanswered checks, newest last.
    outstanding: Vec<TransactionId>,
    answered_at: Option<Instant>,
}

struct Remote {
    username: String,
    key: IntegrityKey,
    candidates: Vec<SocketAddr>,
}

/// The ICE state of one participant.
pub(crate) struct IceAgent {
    ufrag: String,
    tie_breaker: u64,
    remote: Option<Remote>,
    locals: Vec<SocketAddr>,
    candidates: Vec<Candidate>,
    selected: Option<Pair>,
    was_connected: bool,
    /// When the last answer on any pair came, or since when one is awaited.
    consent_at: Option<Instant>,
    /// Address the server saw our last check come from.
    mapped: Option<SocketAddr>,
}

impl IceAgent {
    pub(crate) fn new(locals: Vec<SocketAddr>, rng: &mut StdRng) -> Self {
        let letter = |rng: &mut StdRng| char::from(b'a' + rng.random_range(0..26_u8));
        Self {
            ufrag: (0..8).map(|_| letter(rng)).collect(),
            tie_breaker: rng.random(),
            remote: None,
            locals,
            candidates: Vec::new(),
            selected: None,
            was_connected: false,
            consent_at: None,
            mapped: None,
        }
    }

    /// Where to send, once a pair works.
    pub(crate) fn selected(&self) -> Option<Pair> {
        self.selected
    }

    pub(crate) fn mapped(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// Begins checking; also after the server restarted its ICE: then media goes on over the old pair meanwhile.
    pub(crate) fn start(&mut self, now: Instant, remote: RemoteIce) {
        self.remote = Some(Remote {
            username: format!("{}:{}", remote.ufrag, self.ufrag),
            key: IntegrityKey::short_term(&remote.password),
            candidates: remote.candidates,
        });
        self.candidates.clear();
        self.consent_at.get_or_insert(now);
        self.pair_up(now);
    }

    /// Goes on with these addresses; pairs with the others are gone at once.
    pub(crate) fn set_locals(&mut self, now: Instant, locals: Vec<SocketAddr>) {
        self.candidates.retain(|candidate| locals.contains(&candidate.pair.local));
        if self.selected.is_some_and(|pair| !locals.contains(&pair.local)) {
            self.selected = None;
        }
        self.locals = locals;
        self.pair_up(now);
    }

    fn pair_up(&mut self, now: Instant) {
        let Some(remote) = &self.remote else { return };
        for &address in &remote.candidates {
            for &local in &self.locals {
                let pair = Pair { local, remote: address };
                let known = self.candidates.iter().any(|candidate| candidate.pair == pair);
                if known || local.is_ipv4() != address.is_ipv4() || self.candidates.len() >= MAX_PAIRS {
                    continue;
                }
                self.candidates.push(Candidate {
                    pair,
                    next_check_at: now,
                    rto: FIRST_RTO,
                    outstanding: Vec::new(),
                    answered_at: None,
                });
            }
        }
    }

    /// Handles a STUN message: the answer to one of our checks, or nothing we know of.
    pub(crate) fn receive(&mut self, now: Instant, pair: Pair, bytes: &[u8]) -> Option<IceEvent> {
        let remote = self.remote.as_ref()?;
        let message = Message::parse(bytes).ok()?;
        if message.class() != Class::Success || !message.verify_integrity(&remote.key) {
            return None;
        }
        let candidate = self.candidates.iter_mut().find(|candidate| candidate.pair == pair)?;
        if !candidate.outstanding.contains(&message.transaction_id()) {
            return None;
        }
        candidate.outstanding.clear();
        candidate.answered_at = Some(now);
        candidate.rto = FIRST_RTO;
        self.consent_at = Some(now);
        self.mapped = message.xor_mapped_address();
        if self.selected.is_some() {
            candidate.next_check_at = now + KEEP_ALIVE;
            return None;
        }
        self.selected = Some(pair);
        // The next check nominates.
        candidate.next_check_at = now;
        (!std::mem::replace(&mut self.was_connected, true)).then_some(IceEvent::Connected)
    }

    /// Sends the checks that are due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, rng: &mut StdRng, out: &mut Output) -> Option<IceEvent> {
        let remote = self.remote.as_ref()?;
        if self.consent_at.is_some_and(|at| now >= at + CONSENT_TIMEOUT) {
            self.remote = None;
            self.selected = None;
            return Some(IceEvent::Lost);
        }
        if let Some(better) = self.better_pair(now) {
            self.selected = Some(better);
        }
        for candidate in &mut self.candidates {
            if candidate.next_check_at > now {
                continue;
            }
            let id = TransactionId(rng.random());
            let start = out.begin();
            let mut request = Builder::new(out.arena(), Class::Request, Method::BINDING, id)
                .username(&remote.username)
                .priority(0x7E00_00FF)
                .ice_controlling(self.tie_breaker);
            // Towards a lite server browsers nominate with every check of the pair they use.
            if self.selected == Some(candidate.pair) {
                request = request.use_candidate();
            }
            request.finish(Some(&remote.key));
            out.commit(start, candidate.pair);
            if candidate.outstanding.len() == MAX_OUTSTANDING {
                candidate.outstanding.remove(0);
            }
            candidate.outstanding.push(id);
            candidate.next_check_at = now + candidate.rto;
            candidate.rto = (candidate.rto * 2).min(MAX_RTO);
        }
        None
    }

    /// Another pair that answers, when the selected one does not any more.
    fn better_pair(&self, now: Instant) -> Option<Pair> {
        let answered = |candidate: &Candidate| candidate.answered_at;
        let selected = self.candidates.iter().find(|candidate| Some(candidate.pair) == self.selected)?;
        let at = answered(selected)?;
        if now.saturating_duration_since(at) < SILENT_AFTER {
            return None;
        }
        self.candidates
            .iter()
            .filter(|other| answered(other) > Some(at))
            .max_by_key(|other| answered(other))
            .map(|c| c.pair)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.remote.as_ref()?;
        let checks = self.candidates.iter().map(|candidate| candidate.next_check_at);
        checks.chain(self.consent_at.map(|at| at + CONSENT_TIMEOUT)).min()
    }
}
