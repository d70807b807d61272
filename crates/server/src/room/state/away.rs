//! How somebody's connections are, as everybody is told: the media, and the way on which they are told things.

use super::{Effect, ParticipantId, Seat, State, To};
use crate::signal::messages::{Connection, RoomEvent, UserUpdated};

impl Seat {
    /// As well as the worse of both ways.
    pub(super) fn connection_told(&self) -> Connection {
        if self.away { Connection::Lost } else { self.connection }
    }
}

impl State {
    /// Somebody is away for a moment, or back; everybody hears of it.
    pub(crate) fn set_away(&mut self, id: &ParticipantId, away: bool) -> Option<Effect> {
        self.change_connection(id, |seat| seat.away = away)
    }

    pub(super) fn change_connection(&mut self, id: &ParticipantId, change: impl Fn(&mut Seat)) -> Option<Effect> {
        let seat = self.seats.iter_mut().find(|seat| seat.id == *id)?;
        let before = seat.connection_told();
        change(seat);
        let connection = seat.connection_told();
        if connection == before || !seat.entered {
            return None;
        }
        let event = RoomEvent::UserUpdated(UserUpdated {
            participant_id: id.to_string(),
            connection: Some(connection),
            ..UserUpdated::default()
        });
        Some(Effect { to: To::All, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(effect: Option<Effect>) -> Option<Connection> {
        match effect.map(|effect| effect.event) {
            Some(RoomEvent::UserUpdated(updated)) => updated.connection,
            None => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_connection_is_as_good_as_the_worse_of_its_ways() {
        let mut room = State::new("r".into(), crate::room::About::named("R"), 2);
        let id = ParticipantId::random();
        room.take_seat(0, id.clone(), super::super::tests::person("A")).unwrap();
        assert_eq!(told(room.set_away(&id, true)), None);
        assert_eq!(told(room.set_away(&id, false)), None);
        room.enter(0, &id);
        assert_eq!(told(room.set_away(&id, true)), Some(Connection::Lost));
        assert_eq!(told(room.set_away(&id, true)), None);
        assert_eq!(told(room.set_connection(&id, Connection::Poor)), None);
        assert_eq!(told(room.set_away(&id, false)), Some(Connection::Poor));
        assert_eq!(told(room.set_connection(&id, Connection::Good)), Some(Connection::Good));
        assert_eq!(told(room.set_away(&ParticipantId::random(), true)), None);
    }

    #[test]
    fn who_comes_back_is_told_the_room_with_their_own_producers() {
        let mut room = State::new("r".into(), crate::room::About::named("R"), 2);
        let id = ParticipantId::random();
        room.take_seat(0, id.clone(), super::super::tests::person("A")).unwrap();
        room.enter(0, &id);
        let source = crate::signal::messages::Source::Mic;
        room.add_producer(&id, super::super::ProducerFacts { id: "p1".into(), source, paused: false });
        room.set_away(&id, true);
        let greeting = room.greeting(5, &id);
        let names: Vec<_> = greeting.iter().map(|effect| effect.event.name()).collect();
        assert_eq!(names, ["room-state", "new-producer"]);
        assert!(greeting.iter().all(|effect| effect.to == To::One(id.clone())));
        let RoomEvent::RoomState(state) = &greeting[0].event else { panic!("{greeting:?}") };
        assert_eq!(state.participants[0].connection, Connection::Lost);
    }
}
