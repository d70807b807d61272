//! Whatever happens in a room, in any order: nobody sits on two seats or on none, and whoever listens knows who is there.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const PEOPLE: usize = 6;
const CAPACITY: u32 = 4;

#[derive(Clone, Debug)]
enum Step {
    Sit(usize),
    Enter(usize),
    Leave(usize),
    Produce(usize, Source),
    Pause(usize, usize, bool),
    Close(usize, usize),
    Away(usize, bool),
    Resize(u32),
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![Just(Source::Mic), Just(Source::Camera), Just(Source::Screen)]
}

fn step() -> impl Strategy<Value = Step> {
    let person = 0..PEOPLE;
    prop_oneof![
        3 => person.clone().prop_map(Step::Sit),
        3 => person.clone().prop_map(Step::Enter),
        2 => person.clone().prop_map(Step::Leave),
        2 => (person.clone(), source()).prop_map(|(who, source)| Step::Produce(who, source)),
        2 => (person.clone(), 0..4_usize, any::<bool>()).prop_map(|(who, which, paused)| Step::Pause(who, which, paused)),
        1 => (person.clone(), 0..4_usize).prop_map(|(who, which)| Step::Close(who, which)),
        1 => (person, any::<bool>()).prop_map(|(who, away)| Step::Away(who, away)),
        1 => (1..=CAPACITY).prop_map(Step::Resize),
    ]
}

/// What a participant knows from what they were told.
#[derive(Default)]
struct Ear {
    people: BTreeSet<String>,
    producers: BTreeMap<String, bool>,
}

impl Ear {
    fn hear(&mut self, event: &RoomEvent) {
        match event {
            RoomEvent::RoomState(state) => {
                self.people = state.participants.iter().map(|one| one.id.clone()).collect();
                self.producers.clear();
            }
            RoomEvent::UserJoined(joined) => {
                assert!(self.people.insert(joined.participant.id.clone()), "{joined:?} came twice");
            }
            RoomEvent::UserLeft(left) => assert!(self.people.remove(&left.participant_id), "{left:?} was not there"),
            RoomEvent::NewProducer(new) => {
                self.producers.insert(new.producer_id.clone(), new.paused);
            }
            RoomEvent::ProducerClosed(of) => {
                assert!(self.producers.remove(&of.producer_id).is_some(), "{of:?} was not there");
            }
            RoomEvent::ProducerPaused(of) => {
                self.producers.insert(of.producer_id.clone(), true);
            }
            RoomEvent::ProducerResumed(of) => {
                self.producers.insert(of.producer_id.clone(), false);
            }
            _ => {}
        }
    }
}

struct World {
    room: State,
    ids: Vec<Option<ParticipantId>>,
    ears: BTreeMap<ParticipantId, Ear>,
    made: u32,
}

impl World {
    fn tell(&mut self, effects: &[Effect]) {
        for Effect { to, event } in effects {
            for (id, ear) in &mut self.ears {
                let hears = match to {
                    To::One(one) => one == id,
                    To::Others(one) => one != id,
                    To::All => true,
                };
                if hears {
                    ear.hear(event);
                }
            }
        }
    }

    fn do_step(&mut self, step: &Step) {
        match step {
            Step::Sit(who) => {
                if self.ids[*who].is_some() {
                    return;
                }
                let id = ParticipantId::random();
                let free = self.room.occupancy() < self.room.capacity();
                let person = Person {
                    id: format!("u:{who}"),
                    display_name: who.to_string(),
                    is_account: true,
                    is_admin: *who == 0,
                };
                let taken = self.room.take_seat(0, id.clone(), person);
                assert_eq!(taken.is_ok(), free);
                self.ids[*who] = taken.is_ok().then_some(id);
            }
            Step::Enter(who) => {
                let Some(id) = self.ids[*who].clone() else { return };
                let is_first = !self.ears.contains_key(&id);
                let effects = self.room.enter(0, &id);
                assert_eq!(effects.is_empty(), !is_first, "entering twice says nothing");
                self.ears.entry(id).or_default();
                self.tell(&effects);
            }
            Step::Leave(who) => {
                let Some(id) = self.ids[*who].take() else { return };
                self.ears.remove(&id);
                let effects = self.room.leave(&id, LeaveReason::Left);
                self.tell(&effects.unwrap());
                assert_eq!(self.room.leave(&id, LeaveReason::Lost), None, "leaving twice is leaving once");
            }
            Step::Produce(who, source) => {
                // Only who has heard the room sends anything.
                let Some(id) = self.ids[*who].clone().filter(|id| self.ears.contains_key(id)) else { return };
                self.made += 1;
                let facts = ProducerFacts { id: format!("p{}", self.made), source: *source, paused: false };
                let effects = self.room.add_producer(&id, facts);
                self.tell(&effects.unwrap());
            }
            Step::Pause(who, which, paused) => {
                let Some((id, producer)) = self.producer(*who, *which) else { return };
                let effects = self.room.set_producer_paused(&id, &producer, *paused);
                self.tell(&effects.unwrap());
            }
            Step::Close(who, which) => {
                let Some((id, producer)) = self.producer(*who, *which) else { return };
                let effects = self.room.remove_producer(&id, &producer);
                self.tell(&effects.unwrap());
                assert_eq!(self.room.remove_producer(&id, &producer), None);
            }
            Step::Away(who, away) => {
                let Some(id) = self.ids[*who].clone() else { return };
                let effects: Vec<_> = self.room.set_away(&id, *away).into_iter().collect();
                self.tell(&effects);
            }
            Step::Resize(capacity) => self.room.about.capacity = Some(*capacity),
        }
    }

    fn producer(&self, who: usize, which: usize) -> Option<(ParticipantId, String)> {
        let id = self.ids[who].clone()?;
        let seat = self.room.seats().iter().find(|seat| seat.id == id)?;
        let producer = seat.producers.get(which)?.id.clone();
        Some((id, producer))
    }

    fn check(&self) {
        let sitting = self.ids.iter().flatten().count();
        assert_eq!(self.room.occupancy() as usize, sitting);
        assert!(sitting <= CAPACITY as usize);
        let entered: BTreeSet<_> = self.ears.keys().map(ToString::to_string).collect();
        for (id, ear) in &self.ears {
            assert_eq!(ear.people, entered, "{id} knows who is there");
            let others = self.room.seats().iter().filter(|seat| seat.id != *id);
            let sent = others.flat_map(|seat| &seat.producers).map(|p| (p.id.clone(), p.paused));
            let known: BTreeMap<_, _> = ear.producers.iter().map(|(id, paused)| (id.clone(), *paused)).collect();
            assert_eq!(known, sent.collect(), "{id} knows what is sent");
        }
        for seat in self.room.seats() {
            let expected = if seat.person == "u:0" { Role::Host } else { Role::Member };
            assert_eq!(seat.role, expected);
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_everybody_knows_who_is_there_and_what_is_sent(steps in prop::collection::vec(step(), 1..120)) {
        let room = State::new("r".into(), About::named("R"), CAPACITY);
        let mut world = World { room, ids: vec![None; PEOPLE], ears: BTreeMap::new(), made: 0 };
        for step in &steps {
            world.do_step(step);
            world.check();
        }
    }
}
