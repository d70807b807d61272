//! Who studies, and since when: counts the time of each person once, however many tabs and rooms they are in. Told the time and
//! what happens; no task, no lock, no database.
//!
//! Counted is the time in which a person has a seat in a room whose clock is in a focus phase, or in free study where the clock
//! was not started. A session is one visit of a person to a room; its stretches are what was counted of it.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::ParticipantId;
use crate::signal::messages::Status;

/// People who are remembered. Above it, who leaves is forgotten at once, and not after the time of grace.
const MAX_PEOPLE: usize = 10_000;
/// Stretches of one session; who interrupts themselves more often begins another session.
const MAX_STRETCHES: u32 = 2_000;

/// How it is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Free study without a sign of life that is still counted.
    pub(crate) idle_ms: u64,
    /// Longest session.
    pub(crate) longest_ms: u64,
    /// Shortest session that is kept.
    pub(crate) shortest_ms: u64,
    /// Who comes back within this goes on with their session.
    pub(crate) grace_ms: u64,
}

impl Default for Rules {
    fn default() -> Self {
        let minute_ms = 60_000;
        Self { idle_ms: 30 * minute_ms, longest_ms: 360 * minute_ms, shortest_ms: minute_ms, grace_ms: 30_000 }
    }
}

/// What the clock of a room says of studying in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Mode {
    /// It was not started: everybody studies as they like.
    #[default]
    Free,
    /// A focus phase runs.
    Focus,
    /// A break, or the clock stands.
    Rest,
}

/// What was studied under.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StudyKind {
    /// A clock.
    Focus,
    /// None.
    Free,
}

impl StudyKind {
    /// As it is stored.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Focus => "focus",
            Self::Free => "free",
        }
    }

    fn of(mode: Mode, status: Status) -> Option<Self> {
        match (mode, status) {
            (_, Status::Away) | (Mode::Rest, _) | (Mode::Free, Status::Break) => None,
            (Mode::Focus, _) => Some(Self::Focus),
            (Mode::Free, _) => Some(Self::Free),
        }
    }
}

/// Uninterrupted study.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) started_at_ms: u64,
    pub(crate) ended_at_ms: u64,
    pub(crate) kind: StudyKind,
}

impl Stretch {
    fn length(&self) -> u64 {
        self.ended_at_ms - self.started_at_ms
    }
}

/// What has to be stored of a session: all of its numbers, and the stretches that are new or longer than before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    pub(crate) session_id: String,
    pub(crate) person: String,
    pub(crate) room_id: String,
    pub(crate) started_at_ms: u64,
    pub(crate) ended_at_ms: u64,
    pub(crate) studied_ms: u64,
    pub(crate) stretches: Vec<Stretch>,
    /// Whether nothing will be added.
    pub(crate) is_finished: bool,
}

/// Everybody's study.
pub(crate) struct Study {
    rules: Rules,
    people: HashMap<String, Person>,
    /// Whose each seat is.
    seats: HashMap<ParticipantId, String>,
    /// Rooms whose clock was started; in the others it is free.
    modes: HashMap<String, Mode>,
}

#[derive(Default)]
struct Person {
    seats: Vec<Seat>,
    /// One for each room, at most one of them running.
    sessions: Vec<Session>,
    last_sign_ms: u64,
    /// Gave no sign of life for so long that nothing is counted until the next one.
    is_dormant: bool,
    /// Nothing before it is counted, or counted again: clocks are heard of late.
    counted_until_ms: u64,
}

struct Seat {
    id: ParticipantId,
    room_id: String,
    status: Status,
}

struct Session {
    id: String,
    room_id: String,
    started_at_ms: u64,
    /// Those that were not stored in their full length yet.
    stretches: Vec<Stretch>,
    /// Of the others.
    stored_ms: u64,
    count: u32,
    /// Whether the last stretch goes on.
    is_running: bool,
    /// Whether there is something to store.
    is_changed: bool,
    /// Whether something of it is stored; that has to be kept right even where it turns out shorter.
    is_stored: bool,
    /// When the person had no seat in the room any more.
    left_at_ms: Option<u64>,
}

impl Study {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, people: HashMap::new(), seats: HashMap::new(), modes: HashMap::new() }
    }

    /// A person sat down in a room; that is a sign of life.
    pub(crate) fn seat_taken(&mut self, now_ms: u64, person: &str, room_id: &str, id: &ParticipantId) -> Vec<Record> {
        if !self.people.contains_key(person) {
            self.people.insert(person.to_owned(), Person::default());
        }
        self.seats.insert(id.clone(), person.to_owned());
        let rules = self.rules;
        self.change(now_ms, person, |known, turn| {
            known.finish_where(turn, |session| session.room_id == room_id && session.is_left(now_ms, rules));
            for session in known.sessions.iter_mut().filter(|session| session.room_id == room_id) {
                session.left_at_ms = None;
            }
            known.seats.push(Seat { id: id.clone(), room_id: room_id.to_owned(), status: Status::default() });
            known.note_sign(now_ms);
            known.counted_until_ms = known.counted_until_ms.max(now_ms);
        })
    }

    /// A seat is free again. Doing it twice is doing it once.
    pub(crate) fn seat_left(&mut self, now_ms: u64, id: &ParticipantId) -> Vec<Record> {
        let Some(person) = self.seats.remove(id) else { return Vec::new() };
        let is_crowded = self.people.len() > MAX_PEOPLE;
        let records = self.change(now_ms, &person, |known, turn| {
            known.seats.retain(|seat| seat.id != *id);
            known.recount(turn);
            let seats = &known.seats;
            let left = |session: &&mut Session| seats.iter().all(|seat| seat.room_id != session.room_id);
            for session in known.sessions.iter_mut().filter(left) {
                session.left_at_ms.get_or_insert(now_ms);
            }
            if is_crowded {
                known.finish_where(turn, |session| session.left_at_ms.is_some());
            }
        });
        self.forget(&person);
        records
    }

    /// Somebody is at something else.
    pub(crate) fn status_changed(&mut self, now_ms: u64, id: &ParticipantId, status: Status) -> Vec<Record> {
        let Some(person) = self.seats.get(id).cloned() else { return Vec::new() };
        self.change(now_ms, &person, |known, _| {
            for seat in known.seats.iter_mut().filter(|seat| seat.id == *id) {
                seat.status = status;
            }
            known.counted_until_ms = known.counted_until_ms.max(now_ms);
        })
    }

    /// Somebody did something.
    pub(crate) fn sign_of_life(&mut self, now_ms: u64, id: &ParticipantId) -> Vec<Record> {
        let Some(person) = self.seats.get(id).cloned() else { return Vec::new() };
        self.change(now_ms, &person, |known, _| known.note_sign(now_ms))
    }

    /// The clock of a room says something else, since `at_ms`.
    pub(crate) fn clock_changed(&mut self, at_ms: u64, room_id: &str, mode: Mode) -> Vec<Record> {
        let before = self.modes.get(room_id).copied().unwrap_or_default();
        if before == mode {
            return Vec::new();
        }
        let mut records = Vec::new();
        let is_there = |known: &Person| known.seats.iter().any(|seat| seat.room_id == room_id);
        // What was until now is settled before it changes.
        for (person, known) in self.people.iter_mut().filter(|(_, known)| is_there(known)) {
            known.settle(&mut Turn {
                now_ms: at_ms,
                rules: self.rules,
                modes: &self.modes,
                person,
                records: &mut records,
            });
        }
        match mode {
            Mode::Free => self.modes.remove(room_id),
            mode => self.modes.insert(room_id.to_owned(), mode),
        };
        for (person, known) in self.people.iter_mut().filter(|(_, known)| is_there(known)) {
            known.recount(&mut Turn {
                now_ms: at_ms,
                rules: self.rules,
                modes: &self.modes,
                person,
                records: &mut records,
            });
        }
        records
    }

    /// What has to be stored by now. Sessions end here whose person left and did not come back.
    pub(crate) fn tick(&mut self, now_ms: u64) -> Vec<Record> {
        let mut records = Vec::new();
        for (person, known) in &mut self.people {
            let mut turn = Turn { now_ms, rules: self.rules, modes: &self.modes, person, records: &mut records };
            known.settle(&mut turn);
            let rules = self.rules;
            known.finish_where(&mut turn, |session| session.is_left(now_ms, rules) || session.is_old(now_ms, rules));
            for session in known.sessions.iter_mut().filter(|session| session.is_changed) {
                session.record(&mut turn, false);
            }
        }
        self.people.retain(|_, known| !known.is_gone());
        records
    }

    /// A person is no more: what was counted of them and is not stored is not stored any more.
    pub(crate) fn forget_person(&mut self, person: &str) {
        self.people.remove(person);
        self.seats.retain(|_, whose| whose != person);
    }

    /// Ends everything: the server stops.
    pub(crate) fn finish(&mut self, now_ms: u64) -> Vec<Record> {
        let mut records = Vec::new();
        for (person, known) in &mut self.people {
            let mut turn = Turn { now_ms, rules: self.rules, modes: &self.modes, person, records: &mut records };
            known.settle(&mut turn);
            known.finish_where(&mut turn, |_| true);
        }
        self.people.clear();
        self.seats.clear();
        records
    }

    /// Counts until now, changes something, and counts what is so from now on.
    fn change(&mut self, now_ms: u64, person: &str, change: impl FnOnce(&mut Person, &mut Turn<'_>)) -> Vec<Record> {
        let mut records = Vec::new();
        let mut turn = Turn { now_ms, rules: self.rules, modes: &self.modes, person, records: &mut records };
        if let Some(known) = self.people.get_mut(person) {
            known.settle(&mut turn);
            change(known, &mut turn);
            known.recount(&mut turn);
        }
        records
    }

    fn forget(&mut self, person: &str) {
        if self.people.get(person).is_some_and(Person::is_gone) {
            self.people.remove(person);
        }
    }
}

/// One look at a person: what it needs, and what comes of it.
struct Turn<'a> {
    now_ms: u64,
    rules: Rules,
    modes: &'a HashMap<String, Mode>,
    person: &'a str,
    records: &'a mut Vec<Record>,
}

impl Person {
    fn is_gone(&self) -> bool {
        self.seats.is_empty() && self.sessions.is_empty()
    }

    fn note_sign(&mut self, now_ms: u64) {
        self.last_sign_ms = self.last_sign_ms.max(now_ms);
        if std::mem::take(&mut self.is_dormant) {
            self.counted_until_ms = self.counted_until_ms.max(now_ms);
        }
    }

    fn running(&self) -> Option<usize> {
        self.sessions.iter().position(|session| session.is_running)
    }

    /// Counts until now, or until the session has to end.
    fn settle(&mut self, turn: &mut Turn<'_>) {
        while let Some(index) = self.running() {
            let session = &mut self.sessions[index];
            let Some(last) = session.stretches.last_mut() else { return };
            let too_long_ms = session.started_at_ms.saturating_add(turn.rules.longest_ms);
            let quiet_ms = self.last_sign_ms.saturating_add(turn.rules.idle_ms);
            let idle_ms = match last.kind {
                StudyKind::Free => quiet_ms.max(last.started_at_ms.saturating_add(turn.rules.idle_ms)),
                StudyKind::Focus => u64::MAX,
            };
            let end_ms = too_long_ms.min(idle_ms);
            if turn.now_ms < end_ms {
                if turn.now_ms > last.ended_at_ms {
                    last.ended_at_ms = turn.now_ms;
                    session.is_changed = true;
                }
                return;
            }
            self.stop(index, end_ms);
            self.sessions.remove(index).record(turn, true);
            // Who is still active goes on with the next session.
            self.is_dormant = end_ms >= quiet_ms;
            let now_ms = std::mem::replace(&mut turn.now_ms, end_ms);
            self.recount(turn);
            turn.now_ms = now_ms;
        }
    }

    /// What shall be counted from now on.
    fn recount(&mut self, turn: &mut Turn<'_>) {
        let running = self.running();
        let wanted = self.wanted(turn.modes, running);
        let current = running.and_then(|index| {
            let session = &self.sessions[index];
            Some((session.room_id.as_str(), session.stretches.last()?.kind))
        });
        if current == wanted.as_ref().map(|(room, kind)| (room.as_str(), *kind)) {
            return;
        }
        if let Some(index) = running {
            self.stop(index, turn.now_ms);
        }
        let Some((room_id, kind)) = wanted else { return };
        let at_ms = turn.now_ms.max(self.counted_until_ms);
        let rules = turn.rules;
        self.finish_where(turn, |session| {
            session.room_id == room_id && (session.is_old(at_ms, rules) || session.count >= MAX_STRETCHES)
        });
        let found = self.sessions.iter().position(|session| session.room_id == room_id);
        let index = found.unwrap_or_else(|| {
            self.sessions.push(Session::begin(room_id, at_ms));
            self.sessions.len() - 1
        });
        self.sessions[index].start(at_ms, kind);
    }

    /// In which room, and as what. Focus comes before free study; then what is counted already, then where they sat down first.
    fn wanted(&self, modes: &HashMap<String, Mode>, running: Option<usize>) -> Option<(String, StudyKind)> {
        if self.is_dormant {
            return None;
        }
        let current = running.map(|index| self.sessions[index].room_id.as_str());
        let studying = self.seats.iter().enumerate().filter_map(|(order, seat)| {
            let mode = modes.get(&seat.room_id).copied().unwrap_or_default();
            Some((order, seat, StudyKind::of(mode, seat.status)?))
        });
        let best = studying.max_by_key(|(order, seat, kind)| {
            (*kind == StudyKind::Focus, current == Some(seat.room_id.as_str()), Reverse(*order))
        });
        best.map(|(_, seat, kind)| (seat.room_id.clone(), kind))
    }

    /// Nothing is counted any more. A clock that is heard of late may take back what was counted since.
    fn stop(&mut self, index: usize, at_ms: u64) {
        let session = &mut self.sessions[index];
        session.is_running = false;
        session.is_changed = true;
        if let Some(last) = session.stretches.last_mut() {
            last.ended_at_ms = at_ms.max(last.started_at_ms);
            self.counted_until_ms = last.ended_at_ms;
        }
    }

    fn finish_where(&mut self, turn: &mut Turn<'_>, is_over: impl Fn(&Session) -> bool) {
        let mut index = 0;
        while index < self.sessions.len() {
            if is_over(&self.sessions[index]) {
                self.sessions.remove(index).record(turn, true);
            } else {
                index += 1;
            }
        }
    }
}

impl Session {
    fn begin(room_id: String, at_ms: u64) -> Self {
        Self {
            id: format!("{:032x}", rand::random::<u128>()),
            room_id,
            started_at_ms: at_ms,
            stretches: Vec::new(),
            stored_ms: 0,
            count: 0,
            is_running: false,
            is_changed: false,
            is_stored: false,
            left_at_ms: None,
        }
    }

    fn start(&mut self, at_ms: u64, kind: StudyKind) {
        // One that never took any time is none.
        self.stretches.pop_if(|last| last.started_at_ms == at_ms);
        self.stretches.push(Stretch { started_at_ms: at_ms, ended_at_ms: at_ms, kind });
        self.is_running = true;
        self.count += 1;
    }

    /// Its person went, and did not come back in time.
    fn is_left(&self, now_ms: u64, rules: Rules) -> bool {
        self.left_at_ms.is_some_and(|left| now_ms.saturating_sub(left) > rules.grace_ms)
    }

    fn is_old(&self, now_ms: u64, rules: Rules) -> bool {
        now_ms >= self.started_at_ms.saturating_add(rules.longest_ms)
    }

    fn studied_ms(&self) -> u64 {
        self.stored_ms + self.stretches.iter().map(Stretch::length).sum::<u64>()
    }

    /// Has it stored, if it is long enough by now.
    fn record(&mut self, turn: &mut Turn<'_>, is_finished: bool) {
        let studied_ms = self.studied_ms();
        if !self.is_stored && (studied_ms == 0 || studied_ms < turn.rules.shortest_ms) {
            return;
        }
        (self.is_changed, self.is_stored) = (false, true);
        let stretches = self.stretches.clone();
        turn.records.push(Record {
            session_id: self.id.clone(),
            person: turn.person.to_owned(),
            room_id: self.room_id.clone(),
            started_at_ms: self.started_at_ms,
            ended_at_ms: stretches.last().map_or(self.started_at_ms, |last| last.ended_at_ms),
            studied_ms,
            stretches,
            is_finished,
        });
        // The last one may get longer, or shorter.
        let settled = self.stretches.len().saturating_sub(1);
        self.stored_ms += self.stretches.drain(..settled).map(|stretch| stretch.length()).sum::<u64>();
    }
}

#[cfg(test)]
mod tests;
