//! Deadlines of many objects: a hashed wheel. Arming costs a push; nothing is ever searched or removed, and the
//! entries of all slots share one pool, so that nothing is allocated once it has its lasting size.
//!
//! An entry names the tick it was armed for, and its object remembers the newest one: an entry that was
//! overtaken is told by that and dropped.

use std::time::{Duration, Instant};

/// Width of one slot; deadlines are kept to this precision, never early.
const TICK: Duration = Duration::from_millis(2);

/// Slots of the wheel, a multiple of 64: 2 s in one turn. A later deadline goes round again.
const SLOTS: usize = 1024;

/// No entry: the end of a slot's list.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Entry<K> {
    tick: u64,
    key: K,
    /// The next entry of the same slot, or of the list of free ones.
    next: u32,
}

/// A wheel of deadlines for objects named by `K`.
pub(crate) struct Timers<K> {
    epoch: Instant,
    /// The next tick that has not fired.
    next_tick: u64,
    /// The first entry of each slot.
    slots: Box<[u32; SLOTS]>,
    occupied: [u64; SLOTS / 64],
    entries: Vec<Entry<K>>,
    free: u32,
    /// Entries taken out of a slot while it fires.
    due: Vec<(u64, K)>,
}

impl<K: Copy> Timers<K> {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            next_tick: 0,
            slots: Box::new([NONE; SLOTS]),
            occupied: [0; SLOTS / 64],
            entries: Vec::new(),
            free: NONE,
            due: Vec::new(),
        }
    }

    fn tick_of(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.epoch);
        (since.as_micros() as u64).div_ceil(TICK.as_micros() as u64)
    }

    /// The tick at which `at` has come.
    pub(crate) fn tick(&self, at: Instant) -> u64 {
        self.tick_of(at).max(self.next_tick)
    }

    /// Has `key` come out of [`Timers::pop_due`] with `tick`, as [`Timers::tick`] made it.
    pub(crate) fn arm(&mut self, key: K, tick: u64) {
        let slot = tick as usize % SLOTS;
        let entry = Entry { tick, key, next: self.slots[slot] };
        let index = if self.free == NONE {
            self.entries.push(entry);
            u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 entries fit in memory")
        } else {
            let index = self.free;
            self.free = self.entries[index as usize].next;
            self.entries[index as usize] = entry;
            index
        };
        self.slots[slot] = index;
        self.occupied[slot / 64] |= 1 << (slot % 64);
    }

    /// When something may be due next.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        let first = self.next_tick as usize % SLOTS;
        let distance = (0..=SLOTS / 64).find_map(|step| {
            let word = (first / 64 + step) % (SLOTS / 64);
            let mut bits = self.occupied[word];
            if step == 0 {
                bits &= u64::MAX << (first % 64);
            } else if step == SLOTS / 64 {
                bits &= !(u64::MAX << (first % 64));
            }
            (bits != 0).then(|| {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                (slot + SLOTS - first) % SLOTS
            })
        })?;
        let micros = (self.next_tick + distance as u64).saturating_mul(TICK.as_micros() as u64);
        self.epoch.checked_add(Duration::from_micros(micros))
    }

    /// How many entries there are, overtaken ones included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let some = |at: u32| (at != NONE).then_some(at);
        let free = std::iter::successors(some(self.free), |&at| some(self.entries[at as usize].next));
        self.entries.len() - free.count()
    }

    /// Takes one key whose time has come, with the tick it was armed for.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(u64, K)> {
        if let Some(key) = self.due.pop() {
            return Some(key);
        }
        let elapsed = now.saturating_duration_since(self.epoch);
        let now_tick = elapsed.as_micros() as u64 / TICK.as_micros() as u64;
        // Slots further than one turn behind hold nothing that the last turn does not visit.
        self.next_tick = self.next_tick.max(now_tick.saturating_sub(SLOTS as u64));
        while self.next_tick <= now_tick {
            let slot = self.next_tick as usize % SLOTS;
            self.next_tick += 1;
            if self.occupied[slot / 64] & 1 << (slot % 64) == 0 {
                continue;
            }
            self.empty_slot(slot, now_tick);
            if let Some(key) = self.due.pop() {
                return Some(key);
            }
        }
        None
    }

    /// Takes what is due out of a slot and leaves what belongs to a later turn.
    fn empty_slot(&mut self, slot: usize, now_tick: u64) {
        let mut at = std::mem::replace(&mut self.slots[slot], NONE);
        while at != NONE {
            let Entry { tick, key, next } = self.entries[at as usize];
            let list = if tick > now_tick { &mut self.slots[slot] } else { &mut self.free };
            self.entries[at as usize].next = *list;
            *list = at;
            if tick <= now_tick {
                self.due.push((tick, key));
            }
            at = next;
        }
        if self.slots[slot] == NONE {
            self.occupied[slot / 64] &= !(1 << (slot % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arm(timers: &mut Timers<u32>, key: u32, at: Instant) {
        let tick = timers.tick(at);
        timers.arm(key, tick);
    }

    fn drain(timers: &mut Timers<u32>, now: Instant) -> Vec<u32> {
        let mut keys: Vec<_> = std::iter::from_fn(|| timers.pop_due(now).map(|(_, key)| key)).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn keys_come_out_at_their_time_and_not_before() {
        let start = crate::some_instant();
        let mut timers = Timers::new(start);
        let at = |ms| start + Duration::from_millis(ms);
        arm(&mut timers, 1, at(10));
        arm(&mut timers, 2, at(30));
        arm(&mut timers, 3, at(30_000));
        assert_eq!(timers.next_at(), Some(at(10)));
        assert!(drain(&mut timers, at(9)).is_empty());
        assert_eq!(drain(&mut timers, at(10)), [1]);
        assert_eq!(timers.next_at(), Some(at(30)));
        assert_eq!(drain(&mut timers, at(29_000)), [2]);
        assert!(drain(&mut timers, at(29_999)).is_empty());
        assert_eq!(drain(&mut timers, at(60_000)), [3]);
        assert_eq!(timers.next_at(), None);
    }

    #[test]
    fn deadlines_that_are_overtaken_all_the_time_do_not_pile_up() {
        let start = crate::some_instant();
        let mut timers = Timers::new(start);
        let (mut armed, mut most) = (None, 0);
        // A report every second, and a feedback 50 ms after each packet that is the first since the last one.
        let (mut report_at, mut feedback_at) = (start, None);
        for step in 0..120_000 {
            let now = start + Duration::from_millis(5) * step;
            if feedback_at.is_none() {
                feedback_at = Some(now + Duration::from_millis(50));
            }
            let fired = std::iter::from_fn(|| timers.pop_due(now)).filter(|(tick, _)| armed == Some(*tick)).count();
            if fired > 0 {
                armed = None;
                feedback_at = feedback_at.filter(|at| *at > now);
                report_at = if report_at <= now { now + Duration::from_secs(1) } else { report_at };
            }
            let tick = timers.tick(feedback_at.map_or(report_at, |at| at.min(report_at)));
            if armed.is_none_or(|armed| tick < armed) {
                armed = Some(tick);
                timers.arm(1, tick);
            }
            most = most.max(timers.len());
        }
        assert!(most < 64, "{most} entries");
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_the_next_look() {
        let start = crate::some_instant();
        let mut timers = Timers::new(start);
        let later = start + Duration::from_secs(5);
        assert!(drain(&mut timers, later).is_empty());
        arm(&mut timers, 7, start);
        assert_eq!(drain(&mut timers, later + TICK), [7]);
    }

    #[test]
    fn the_next_wake_is_never_later_than_an_armed_deadline() {
        let start = crate::some_instant();
        for offset in 0..3 * SLOTS as u64 {
            let mut timers = Timers::new(start);
            let now = start + TICK * offset as u32;
            drain(&mut timers, now);
            arm(&mut timers, 1, now + TICK * 5);
            arm(&mut timers, 2, now + TICK * 900);
            let next = timers.next_at().expect("two deadlines are armed");
            assert!(next <= now + TICK * 5, "offset {offset}");
        }
    }
}
