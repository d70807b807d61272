//! Who is in a room and what they send: plain values and what follows from each change. Told the time; no sockets,
//! no media handles, no lock.

mod away;

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::about::About;
use super::chat::Chat;
use super::clock::Clock;
use super::kept_out::KeptOut;
use super::waiting::WaitingList;
use crate::people::Person;
use crate::signal::messages::{
    ActiveSpeaker, Connection, ConsumerClosed, ErrorEvent, Goal, LeaveReason, NewProducer, Participant,
    ParticipantLevel, Presence, ProducerOf, RecommendAudioOnly, Role, RoomEvent, RoomInfo, RoomState, SelfInfo,
    ServerDraining, Source, Status, UserJoined, UserLeft, UserUpdated,
};

/// Above this many people, cameras are advised against.
const AUDIO_ONLY_ABOVE: u32 = 40;

/// Name of a participant: opaque, random, of one seat only.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ParticipantId(String);

impl ParticipantId {
    /// A name that nobody had before.
    pub(crate) fn random() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What somebody sends.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ProducerFacts {
    /// Its name.
    pub(crate) id: String,
    /// Of what.
    pub(crate) source: Source,
    /// Whether nothing is sent for now.
    pub(crate) paused: bool,
}

/// Who an event is for. Only those who have entered hear anything.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum To {
    /// This one.
    One(ParticipantId),
    /// All but this one.
    Others(ParticipantId),
    /// Everybody.
    All,
}

/// What follows from a change, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Effect {
    /// Who hears it.
    pub(crate) to: To,
    /// What.
    pub(crate) event: RoomEvent,
}

/// All seats are taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Full {
    /// How many there are.
    pub(crate) capacity: u32,
}

/// Somebody who sits in the room.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) id: ParticipantId,
    /// Who, as the database knows them.
    pub(super) person: String,
    pub(super) display_name: String,
    pub(super) role: Role,
    pub(super) status: Status,
    pub(super) goal: Option<Goal>,
    /// Under which the goal is stored.
    pub(super) goal_id: Option<String>,
    pub(super) hand_raised: bool,
    /// When they last said something in the chat.
    pub(super) said_at_ms: Option<u64>,
    joined_at_ms: u64,
    /// Between taking the seat and entering, a participant counts but is not seen.
    entered: bool,
    pub(super) producers: Vec<ProducerFacts>,
    /// How well their media get through.
    connection: Connection,
    /// Whether the connection broke on which they are told things.
    away: bool,
}

impl Seat {
    /// Somebody who sits nowhere.
    pub(super) fn absent(person: Person, role: Role) -> Self {
        Self::new(ParticipantId::random(), person, role, 0)
    }

    fn new(id: ParticipantId, person: Person, role: Role, joined_at_ms: u64) -> Self {
        Self {
            id,
            role,
            person: person.id,
            display_name: person.display_name,
            status: Status::default(),
            goal: None,
            goal_id: None,
            hand_raised: false,
            said_at_ms: None,
            joined_at_ms,
            entered: false,
            producers: Vec::new(),
            connection: Connection::Good,
            away: false,
        }
    }

    /// Microphone, camera, screen.
    fn presences(&self) -> [Presence; 3] {
        [Source::Mic, Source::Camera, Source::Screen].map(|source| {
            let mut found = self.producers.iter().filter(|producer| producer.source == source).peekable();
            if found.peek().is_none() {
                return Presence::Off;
            }
            if found.any(|producer| !producer.paused) { Presence::On } else { Presence::Paused }
        })
    }

    fn participant(&self) -> Participant {
        let [audio, video, screen] = self.presences();
        Participant {
            id: self.id.to_string(),
            display_name: self.display_name.clone(),
            role: self.role,
            status: self.status,
            goal: self.goal.clone(),
            hand_raised: self.hand_raised,
            audio,
            video,
            screen,
            joined_at_ms: self.joined_at_ms,
            connection: self.connection_told(),
        }
    }

    fn new_producer(&self, producer: &ProducerFacts) -> RoomEvent {
        RoomEvent::NewProducer(NewProducer {
            producer_id: producer.id.clone(),
            participant_id: self.id.to_string(),
            kind: producer.source.kind(),
            source: producer.source,
            paused: producer.paused,
        })
    }

    fn producer_of(&self, producer_id: &str) -> ProducerOf {
        ProducerOf { producer_id: producer_id.to_owned(), participant_id: self.id.to_string() }
    }

    /// Tells the others what changed since `before`.
    fn updated(&self, before: [Presence; 3]) -> Option<Effect> {
        let now = self.presences();
        let changed = |index: usize| (now[index] != before[index]).then_some(now[index]);
        let (audio, video, screen) = (changed(0), changed(1), changed(2));
        if now == before {
            return None;
        }
        let participant_id = self.id.to_string();
        let event =
            RoomEvent::UserUpdated(UserUpdated { participant_id, audio, video, screen, ..UserUpdated::default() });
        Some(Effect { to: To::Others(self.id.clone()), event })
    }
}

/// A room.
#[derive(Clone, Debug)]
pub(crate) struct State {
    id: String,
    /// Its name and what is allowed.
    pub(super) about: About,
    /// Seats of rooms that say nothing of it.
    usual_capacity: u32,
    /// In the order of their coming; as many as `capacity`, so looking through them is cheap.
    seats: Vec<Seat>,
    /// Who leads the conversation, as everybody was told.
    active_speaker: Option<ParticipantId>,
    pub(super) clock: Clock,
    pub(super) chat: Chat,
    /// What persons with an account may do here, where that is more than any member may.
    pub(super) roles: HashMap<String, Role>,
    pub(super) kept_out: KeptOut,
    /// Guests who may come into a private room.
    pub(super) passes: HashSet<String>,
    pub(super) waiting: WaitingList,
    /// People whose microphone or camera begins paused when they come again, because somebody who keeps order stopped it on this
    /// seat.
    pub(super) silenced: HashMap<(String, Source), ParticipantId>,
    /// Nobody comes in any more: the room is about to be gone.
    pub(super) is_closed: bool,
}

impl State {
    /// An empty room.
    pub(crate) fn new(id: String, about: About, usual_capacity: u32) -> Self {
        Self {
            id,
            about,
            usual_capacity,
            seats: Vec::new(),
            active_speaker: None,
            clock: Clock::default(),
            chat: Chat::default(),
            roles: HashMap::new(),
            kept_out: KeptOut::default(),
            passes: HashSet::new(),
            waiting: WaitingList::default(),
            silenced: HashMap::new(),
            is_closed: false,
        }
    }

    /// What can be told to anybody.
    pub(crate) fn info(&self) -> RoomInfo {
        RoomInfo {
            id: self.id.clone(),
            name: self.about.name.clone(),
            topic: self.about.topic.clone(),
            language: self.about.language.clone(),
            visibility: self.about.visibility,
            capacity: self.capacity(),
            occupancy: self.occupancy(),
            locked: self.about.locked,
            policy: self.about.policy.clone(),
            role: None,
            timer: None,
        }
    }

    /// Seats.
    pub(super) fn capacity(&self) -> u32 {
        self.about.capacity.unwrap_or(self.usual_capacity)
    }

    /// Who sits here, in the order of their coming.
    pub(super) fn seats(&self) -> &[Seat] {
        &self.seats
    }

    pub(super) fn seats_mut(&mut self) -> &mut [Seat] {
        &mut self.seats
    }

    /// Seats taken.
    pub(crate) fn occupancy(&self) -> u32 {
        self.seats.len() as u32
    }

    /// Who owns this producer, and what it is.
    pub(crate) fn producer(&self, producer_id: &str) -> Option<(&ParticipantId, &ProducerFacts)> {
        self.seats.iter().find_map(|seat| {
            let producer = seat.producers.iter().find(|producer| producer.id == producer_id)?;
            Some((&seat.id, producer))
        })
    }

    /// Takes a seat. Nobody is told before [`State::enter`].
    ///
    /// # Errors
    /// When there is none left.
    pub(crate) fn take_seat(&mut self, now_ms: u64, id: ParticipantId, person: Person) -> Result<(), Full> {
        let capacity = self.capacity();
        if self.occupancy() >= capacity {
            return Err(Full { capacity });
        }
        let role = self.role_of_person(&person);
        self.seats.push(Seat::new(id, person, role, now_ms));
        Ok(())
    }

    /// The participant can hear now: gets the room as it is, then each producer, and the others hear of them.
    /// Nothing happens when the seat is gone or was entered before.
    pub(crate) fn enter(&mut self, now_ms: u64, id: &ParticipantId) -> Vec<Effect> {
        let Some(seat) = self.seats.iter_mut().find(|seat| seat.id == *id && !seat.entered) else {
            return Vec::new();
        };
        seat.entered = true;
        let participant = seat.participant();
        let occupancy = self.occupancy();
        let mut effects = self.greeting(now_ms, id);
        let joined = RoomEvent::UserJoined(UserJoined { participant, occupancy });
        effects.push(Effect { to: To::Others(id.clone()), event: joined });
        effects.extend(self.audio_only(id));
        effects
    }

    /// The room as it is, then each producer: for who comes, and for who comes back and has missed too much.
    pub(crate) fn greeting(&self, now_ms: u64, id: &ParticipantId) -> Vec<Effect> {
        let to_newcomer = |event| Effect { to: To::One(id.clone()), event };
        let state = RoomState {
            self_info: SelfInfo { participant_id: id.to_string(), role: self.role_of(id), resume_token: String::new() },
            room: self.info(),
            participants: self.seats.iter().filter(|seat| seat.entered).map(Seat::participant).collect(),
            timer: self.timer(now_ms),
            messages: self.chat.recent(),
            ice_servers: Vec::new(),
            server_time_ms: now_ms,
        };
        let mut effects = vec![to_newcomer(RoomEvent::RoomState(Box::new(state)))];
        for seat in &self.seats {
            effects.extend(seat.producers.iter().map(|producer| to_newcomer(seat.new_producer(producer))));
        }
        if let Some(speaker) = &self.active_speaker {
            effects.push(to_newcomer(RoomEvent::ActiveSpeaker(ActiveSpeaker {
                participant_id: Some(speaker.to_string()),
            })));
        }
        effects
    }

    /// Gives the seat back; `None` when it was already. The others hear of each producer that goes, then of the
    /// participant.
    pub(crate) fn leave(&mut self, id: &ParticipantId, reason: LeaveReason) -> Option<Vec<Effect>> {
        let index = self.seats.iter().position(|seat| seat.id == *id)?;
        let seat = self.seats.remove(index);
        if !seat.entered {
            return Some(Vec::new());
        }
        let mut effects: Vec<_> = seat
            .producers
            .iter()
            .map(|producer| RoomEvent::ProducerClosed(seat.producer_of(&producer.id)))
            .map(|event| Effect { to: To::All, event })
            .collect();
        let participant_id = id.to_string();
        let occupancy = self.occupancy();
        let left = RoomEvent::UserLeft(UserLeft { participant_id, occupancy, reason });
        effects.push(Effect { to: To::All, event: left });
        if self.active_speaker.as_ref() == Some(id) {
            effects.extend(self.set_active_speaker(None));
        }
        Some(effects)
    }

    /// Somebody sends something new; `None` when they are not here any more.
    pub(crate) fn add_producer(&mut self, id: &ParticipantId, producer: ProducerFacts) -> Option<Vec<Effect>> {
        let seat = self.seats.iter_mut().find(|seat| seat.id == *id)?;
        let before = seat.presences();
        let is_picture = producer.source.kind() == crate::signal::messages::Kind::Video;
        let event = seat.new_producer(&producer);
        seat.producers.push(producer);
        let mut effects = vec![Effect { to: To::Others(id.clone()), event }];
        effects.extend(seat.updated(before));
        if is_picture {
            effects.extend(self.audio_only(id));
        }
        Some(effects)
    }

    /// Somebody stops sending something; `None` when it is not theirs, or gone.
    pub(crate) fn remove_producer(&mut self, id: &ParticipantId, producer_id: &str) -> Option<Vec<Effect>> {
        let seat = self.seats.iter_mut().find(|seat| seat.id == *id)?;
        let before = seat.presences();
        let index = seat.producers.iter().position(|producer| producer.id == producer_id)?;
        seat.producers.remove(index);
        let event = RoomEvent::ProducerClosed(seat.producer_of(producer_id));
        let mut effects = vec![Effect { to: To::Others(id.clone()), event }];
        effects.extend(seat.updated(before));
        Some(effects)
    }

    /// Somebody stops or goes on sending; `None` when it is not theirs, or gone.
    pub(crate) fn set_producer_paused(
        &mut self,
        id: &ParticipantId,
        producer_id: &str,
        paused: bool,
    ) -> Option<Vec<Effect>> {
        let seat = self.seats.iter_mut().find(|seat| seat.id == *id)?;
        let before = seat.presences();
        let producer = seat.producers.iter_mut().find(|producer| producer.id == producer_id)?;
        if producer.paused == paused {
            return Some(Vec::new());
        }
        producer.paused = paused;
        let of = seat.producer_of(producer_id);
        let event = if paused { RoomEvent::ProducerPaused(of) } else { RoomEvent::ProducerResumed(of) };
        let mut effects = vec![Effect { to: To::Others(id.clone()), event }];
        effects.extend(seat.updated(before));
        Some(effects)
    }

    /// The media server lost everything: all producers are gone, all seats are kept.
    pub(crate) fn lose_media(&mut self, told: ErrorEvent) -> Vec<Effect> {
        let mut effects: Vec<_> = self.set_active_speaker(None).into_iter().collect();
        for seat in &mut self.seats {
            let before = seat.presences();
            for producer in std::mem::take(&mut seat.producers) {
                let event = RoomEvent::ProducerClosed(seat.producer_of(&producer.id));
                effects.push(Effect { to: To::Others(seat.id.clone()), event });
            }
            effects.extend(seat.updated(before));
        }
        effects.push(Effect { to: To::All, event: RoomEvent::Error(told) });
        effects
    }

    /// Notes how well somebody's media get through; everybody hears of a change, they too.
    pub(crate) fn set_connection(&mut self, id: &ParticipantId, connection: Connection) -> Option<Effect> {
        self.change_connection(id, |seat| seat.connection = connection)
    }

    /// The owner of this microphone leads the conversation now, or nobody does; what everybody is told if that is new.
    pub(crate) fn set_active_speaker(&mut self, producer_id: Option<&str>) -> Option<Effect> {
        let speaker = producer_id.and_then(|id| self.producer(id)).map(|(owner, _)| owner.clone());
        if speaker == self.active_speaker {
            return None;
        }
        let participant_id = speaker.as_ref().map(ToString::to_string);
        self.active_speaker = speaker;
        Some(Effect { to: To::All, event: RoomEvent::ActiveSpeaker(ActiveSpeaker { participant_id }) })
    }

    /// Who is audible, the loudest first: each participant once, with their loudest microphone.
    pub(crate) fn audio_levels<'a>(&self, levels: impl Iterator<Item = (&'a str, i8)>) -> Effect {
        let mut audible: Vec<ParticipantLevel> = Vec::new();
        for (producer_id, dbov) in levels {
            let Some((owner, _)) = self.producer(producer_id) else { continue };
            let participant_id = owner.to_string();
            if audible.iter().all(|other| other.participant_id != participant_id) {
                audible.push(ParticipantLevel { participant_id, dbov });
            }
        }
        Effect { to: To::All, event: RoomEvent::AudioLevels(audible) }
    }

    /// Advice for this one, when the room is that full.
    fn audio_only(&self, id: &ParticipantId) -> Option<Effect> {
        let occupancy = self.occupancy();
        if occupancy <= AUDIO_ONLY_ABOVE {
            return None;
        }
        let message = format!(
            "There are {occupancy} people in this room. Sound without pictures will work better for everybody."
        );
        let event = RoomEvent::RecommendAudioOnly(RecommendAudioOnly { message, occupancy });
        Some(Effect { to: To::One(id.clone()), event })
    }
}

/// To the owner of a consumer that went with its producer or transport.
pub(crate) fn consumer_closed(owner: &ParticipantId, consumer_id: &str) -> Effect {
    let event = RoomEvent::ConsumerClosed(ConsumerClosed { consumer_id: consumer_id.to_owned() });
    Effect { to: To::One(owner.clone()), event }
}

/// To everybody when the server stops.
pub(crate) fn draining(reconnect_in_ms: u64) -> Effect {
    Effect { to: To::All, event: RoomEvent::ServerDraining(ServerDraining { reconnect_in_ms }) }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn person(name: &str) -> Person {
        Person { id: "g:1".into(), display_name: name.into(), is_account: false, is_admin: false }
    }

    fn room(capacity: u32) -> State {
        State::new("study-room-1".into(), About::named("Study Room 1"), capacity)
    }

    fn sit(room: &mut State, name: &str) -> ParticipantId {
        let id = ParticipantId::random();
        room.take_seat(1_000, id.clone(), person(name)).unwrap();
        id
    }

    fn join(room: &mut State, name: &str) -> ParticipantId {
        let id = sit(room, name);
        room.enter(1_000, &id);
        id
    }

    fn producer(id: &str, source: Source) -> ProducerFacts {
        ProducerFacts { id: id.into(), source, paused: false }
    }

    fn names(effects: &[Effect], to: &To) -> Vec<&'static str> {
        effects.iter().filter(|effect| effect.to == *to).map(|effect| effect.event.name()).collect()
    }

    #[test]
    fn exactly_as_many_sit_as_there_are_seats() {
        let mut room = room(50);
        let taken = (0..1_000).filter(|_| room.take_seat(0, ParticipantId::random(), person("A")).is_ok()).count();
        assert_eq!(taken, 50);
        assert_eq!(room.take_seat(0, ParticipantId::random(), person("A")), Err(Full { capacity: 50 }));
        assert_eq!(room.occupancy(), 50);
    }

    #[test]
    fn a_seat_given_back_can_be_taken_again() {
        let mut room = room(1);
        let first = join(&mut room, "A");
        assert!(room.take_seat(0, ParticipantId::random(), person("B")).is_err());
        assert!(room.leave(&first, LeaveReason::Left).is_some());
        assert!(room.take_seat(0, ParticipantId::random(), person("B")).is_ok());
    }

    #[test]
    fn leaving_twice_is_leaving_once() {
        let mut room = room(2);
        let id = join(&mut room, "A");
        assert!(room.leave(&id, LeaveReason::Lost).is_some());
        assert_eq!(room.leave(&id, LeaveReason::Lost), None);
        assert_eq!(room.occupancy(), 0);
    }

    #[test]
    fn a_newcomer_gets_the_room_first_and_then_every_producer_once() {
        let mut room = room(9);
        let alice = join(&mut room, "Alice");
        let bob = join(&mut room, "Bob");
        room.add_producer(&alice, producer("p1", Source::Camera)).unwrap();
        room.add_producer(&alice, producer("p2", Source::Mic)).unwrap();
        room.add_producer(&bob, producer("p3", Source::Screen)).unwrap();
        let carol = sit(&mut room, "Carol");
        let effects = room.enter(2_000, &carol);
        assert_eq!(
            names(&effects, &To::One(carol.clone())),
            ["room-state", "new-producer", "new-producer", "new-producer"]
        );
        assert_eq!(names(&effects, &To::Others(carol.clone())), ["user-joined"]);
        let RoomEvent::RoomState(state) = &effects[0].event else { panic!("{effects:?}") };
        assert_eq!(state.participants.len(), 3);
        assert_eq!(state.room.occupancy, 3);
        assert_eq!(state.self_info.participant_id, carol.to_string());
        assert_eq!(state.participants[0].video, Presence::On);
        assert_eq!(state.participants[1].screen, Presence::On);
        assert_eq!(state.server_time_ms, 2_000);
    }

    #[test]
    fn entering_twice_says_nothing_the_second_time() {
        let mut room = room(9);
        let alice = join(&mut room, "Alice");
        assert_eq!(room.enter(0, &alice), []);
        assert_eq!(room.enter(0, &ParticipantId::random()), []);
    }

    #[test]
    fn who_only_sits_counts_but_is_not_seen() {
        let mut room = room(9);
        let ghost = sit(&mut room, "Ghost");
        let alice = sit(&mut room, "Alice");
        let effects = room.enter(0, &alice);
        let RoomEvent::RoomState(state) = &effects[0].event else { panic!("{effects:?}") };
        assert_eq!(state.participants.len(), 1);
        assert_eq!(state.room.occupancy, 2);
        assert_eq!(room.leave(&ghost, LeaveReason::Lost), Some(Vec::new()));
    }

    #[test]
    fn who_leaves_takes_their_producers_along() {
        let mut room = room(9);
        let alice = join(&mut room, "Alice");
        join(&mut room, "Bob");
        room.add_producer(&alice, producer("p1", Source::Camera)).unwrap();
        let effects = room.leave(&alice, LeaveReason::Lost).unwrap();
        assert_eq!(names(&effects, &To::All), ["producer-closed", "user-left"]);
        let RoomEvent::UserLeft(left) = &effects[1].event else { panic!("{effects:?}") };
        assert_eq!((left.occupancy, left.reason), (1, LeaveReason::Lost));
        assert!(room.producer("p1").is_none());
    }

    #[test]
    fn a_producer_can_be_touched_by_its_owner_only() {
        let mut room = room(9);
        let alice = join(&mut room, "Alice");
        let bob = join(&mut room, "Bob");
        room.add_producer(&alice, producer("p1", Source::Camera)).unwrap();
        assert_eq!(room.remove_producer(&bob, "p1"), None);
        assert_eq!(room.set_producer_paused(&bob, "p1", true), None);
        assert_eq!(room.producer("p1").unwrap().0, &alice);
        assert!(room.remove_producer(&alice, "p1").is_some());
        assert_eq!(room.remove_producer(&alice, "p1"), None);
    }

    #[test]
    fn pausing_is_told_once() {
        let mut room = room(9);
        let alice = join(&mut room, "Alice");
        room.add_producer(&alice, producer("p1", Source::Mic)).unwrap();
        let others = To::Others(alice.clone());
        let paused = room.set_producer_paused(&alice, "p1", true).unwrap();
        assert_eq!(names(&paused, &others), ["producer-paused", "user-updated"]);
        assert_eq!(room.set_producer_paused(&alice, "p1", true), Some(Vec::new()));
        let resumed = room.set_producer_paused(&alice, "p1", false).unwrap();
        assert_eq!(names(&resumed, &others), ["producer-resumed", "user-updated"]);
    }

    #[test]
    fn audio_is_recommended_above_forty_to_who_comes_and_who_shows_a_picture() {
        let mut room = room(50);
        let people: Vec<_> = (0..40).map(|_| join(&mut room, "A")).collect();
        let quiet = room.add_producer(&people[0], producer("p0", Source::Camera)).unwrap();
        assert_eq!(names(&quiet, &To::One(people[0].clone())), [] as [&str; 0]);
        let late = sit(&mut room, "Late");
        let entered = room.enter(0, &late);
        assert_eq!(names(&entered, &To::One(late.clone())), ["room-state", "new-producer", "recommend-audio-only"]);
        let picture = room.add_producer(&people[1], producer("p1", Source::Screen)).unwrap();
        assert_eq!(names(&picture, &To::One(people[1].clone())), ["recommend-audio-only"]);
        let sound = room.add_producer(&people[2], producer("p2", Source::Mic)).unwrap();
        assert_eq!(names(&sound, &To::One(people[2].clone())), [] as [&str; 0]);
    }

    #[test]
    fn lost_media_keep_the_seats() {
        let mut room = room(9);
        let alice = join(&mut room, "Alice");
        room.add_producer(&alice, producer("p1", Source::Camera)).unwrap();
        let told = crate::error::error_event("MEDIA_RESTARTED", "…", None);
        let effects = room.lose_media(told);
        assert_eq!(names(&effects, &To::All), ["error"]);
        assert_eq!(names(&effects, &To::Others(alice)), ["producer-closed", "user-updated"]);
        assert_eq!(room.occupancy(), 1);
        assert!(room.producer("p1").is_none());
    }

    fn active_speaker(participant_id: Option<&ParticipantId>) -> Effect {
        let participant_id = participant_id.map(ToString::to_string);
        Effect { to: To::All, event: RoomEvent::ActiveSpeaker(ActiveSpeaker { participant_id }) }
    }

    #[test]
    fn who_leads_is_told_once_and_to_newcomers() {
        let mut room = room(9);
        let alice = join(&mut room, "Alice");
        room.add_producer(&alice, producer("p1", Source::Mic)).unwrap();
        assert_eq!(room.set_active_speaker(None), None);
        assert_eq!(room.set_active_speaker(Some("p1")), Some(active_speaker(Some(&alice))));
        assert_eq!(room.set_active_speaker(Some("p1")), None);
        let bob = sit(&mut room, "Bob");
        let effects = room.enter(2_000, &bob);
        assert_eq!(names(&effects, &To::One(bob)), ["room-state", "new-producer", "active-speaker"]);
        assert_eq!(room.set_active_speaker(Some("closed meanwhile")), Some(active_speaker(None)));
    }

    #[test]
    fn who_is_gone_does_not_lead() {
        let mut room = room(9);
        let (alice, bob) = (join(&mut room, "Alice"), join(&mut room, "Bob"));
        for (id, name) in [(&alice, "p1"), (&bob, "p2")] {
            room.add_producer(id, producer(name, Source::Mic)).unwrap();
        }
        room.set_active_speaker(Some("p1"));
        assert_eq!(room.leave(&alice, LeaveReason::Left).unwrap().pop(), Some(active_speaker(None)));
        room.set_active_speaker(Some("p2"));
        let told = ErrorEvent { code: "X".into(), message: "x".into(), retry_after_ms: None };
        assert_eq!(room.lose_media(told)[0], active_speaker(None));
    }

    #[test]
    fn each_participant_has_one_level_and_strangers_none() {
        let mut room = room(9);
        let (alice, bob) = (join(&mut room, "Alice"), join(&mut room, "Bob"));
        for (id, name) in [(&alice, "p1"), (&alice, "p2"), (&bob, "p3")] {
            room.add_producer(id, producer(name, Source::Mic)).unwrap();
        }
        let level = |id: &ParticipantId, dbov| ParticipantLevel { participant_id: id.to_string(), dbov };
        let effect = room.audio_levels([("p2", -10), ("p3", -20), ("gone", -25), ("p1", -30)].into_iter());
        assert_eq!(effect.event, RoomEvent::AudioLevels(vec![level(&alice, -10), level(&bob, -20)]));
        assert_eq!(effect.to, To::All);
    }
}
