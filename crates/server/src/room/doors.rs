//! Who comes in: bans, the lock, private rooms, guests, and the waiting room. All but private rooms is decided under the
//! room's lock, in one step with taking the seat.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Row as _;

use super::kept_out::Until;
use super::roles::is_staff;
use super::state::{Effect, State, To};
use super::waiting::Knock;
use super::{Inner, Room};
use crate::clock::rfc3339;
use crate::db::{Database, Statement};
use crate::error::{Code, Refusal};
use crate::people::{Marks, Person, hash_of, random_id};
use crate::signal::messages::{Role, RoomEvent, Visibility, Waiting};

/// Members and guests with a pass that a room remembers; further ones are sent away.
const MAX_MEMBERS: usize = 10_000;
/// When who waits shall ask again.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// How often it is looked whether somebody gave up waiting.
const LOOK_AFTER: Duration = Duration::from_secs(3);

impl State {
    /// Whether this is somebody who needs neither password nor invitation any more.
    fn has_pass(&self, person: &Person) -> bool {
        self.about.visibility != Visibility::Private
            || self.roles.contains_key(&person.id)
            || self.passes.contains(&person.id)
            || is_staff(self.role_of_person(person))
    }

    /// Whether this person may come in now.
    fn check_door(&mut self, now_ms: u64, person: &Person, marks: &Marks) -> Result<(), Refusal> {
        if self.is_closed {
            return Err(Refusal::new(Code::RoomNotFound, "There is no such room."));
        }
        self.check_kept_out(now_ms, &person.id)?;
        let is_staff = is_staff(self.role_of_person(person));
        if is_staff {
            return Ok(());
        }
        self.check_kept_out(now_ms, &marks.present)?;
        self.check_kept_out(now_ms, &marks.before)?;
        if !self.has_pass(person) {
            return Err(pass_needed());
        }
        if !person.is_account && !self.about.policy.guests {
            return Err(Refusal::new(Code::AccountRequired, "This room is for people with an account; sign in first."));
        }
        if self.about.locked {
            return Err(Refusal::new(Code::RoomLocked, "This room is locked; nobody else is let in now."));
        }
        if self.about.policy.waiting_room { self.knock(now_ms, person) } else { Ok(()) }
    }

    /// This person needs neither password nor invitation any more.
    fn add_member(&mut self, person: &Person) -> Result<(), Refusal> {
        if self.roles.len() + self.passes.len() >= MAX_MEMBERS && !self.has_pass(person) {
            return Err(Refusal::busy("This room has as many members as it can have."));
        }
        if person.is_account {
            self.roles.entry(person.id.clone()).or_insert(Role::Member);
        } else {
            self.passes.insert(person.id.clone());
        }
        Ok(())
    }

    fn check_kept_out(&self, now_ms: u64, subject: &str) -> Result<(), Refusal> {
        let sentence = match self.kept_out.until(now_ms, subject) {
            None => return Ok(()),
            Some(Until::Ever) => "You are not allowed into this room any more.".to_owned(),
            Some(Until::Time(end_ms)) => {
                format!("You are not allowed into this room until {}.", rfc3339(end_ms.div_ceil(1_000)))
            }
        };
        Err(Refusal::new(Code::Banned, sentence))
    }

    fn knock(&mut self, now_ms: u64, person: &Person) -> Result<(), Refusal> {
        match self.waiting.knock(now_ms, &person.id, &person.display_name, random_id()) {
            Knock::Admitted => Ok(()),
            Knock::Rejected => Err(Refusal::new(Code::Rejected, "The host did not let you in.")),
            Knock::Full => Err(Refusal::busy("Too many people wait to be let into this room; try again later.")),
            Knock::Waits { .. } => Err(Refusal {
                retry_after: Some(ASK_AGAIN),
                ..Refusal::new(Code::Waiting, "The host was told that you are here; wait to be let in.")
            }),
        }
    }

    /// Everybody who keeps order hears who waits.
    pub(super) fn waiting_told(&self) -> Vec<Effect> {
        let event = RoomEvent::Waiting(Waiting { people: self.waiting.people() });
        let staff = self.seats().iter().filter(|seat| is_staff(seat.role));
        staff.map(|seat| Effect { to: To::One(seat.id.clone()), event: event.clone() }).collect()
    }
}

impl Room {
    /// Whether this person may come in now; who waits is told of.
    pub(super) fn check_door(
        self: &Arc<Self>,
        inner: &mut Inner,
        person: &Person,
        marks: &Marks,
    ) -> Result<(), Refusal> {
        let before = inner.state.waiting.people().len();
        let checked = inner.state.check_door(self.studies.now_ms(), person, marks);
        let now = inner.state.waiting.people().len();
        if now > before {
            let effects = inner.state.waiting_told();
            inner.emit(self, effects);
            if before == 0 {
                self.look_after_waiting();
            }
        }
        checked
    }

    /// Takes those off the list who gave up, for as long as there are any.
    fn look_after_waiting(self: &Arc<Self>) {
        let room = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_AFTER).await;
                let Some(room) = room.upgrade() else { return };
                let mut inner = room.lock();
                if inner.state.waiting.prune(room.studies.now_ms()) {
                    let effects = inner.state.waiting_told();
                    inner.emit(&room, effects);
                }
                if inner.state.waiting.is_empty() {
                    return;
                }
            }
        });
    }

    /// Whether this person has to show a password or an invitation.
    pub(crate) fn needs_pass(&self, person: &Person) -> bool {
        !self.lock().state.has_pass(person)
    }

    /// The hash of the password, where there is one.
    pub(crate) fn password_hash(&self) -> Option<String> {
        self.lock().state.about.password_hash.clone()
    }

    /// This person needs neither password nor invitation from now on.
    pub(crate) fn give_pass(&self, person: &Person) -> Result<(), Refusal> {
        let mut inner = self.lock();
        inner.state.add_member(person)?;
        let now_ms = self.studies.now_ms();
        let statement = if person.is_account {
            let sql = "INSERT INTO memberships (room_id, user_id, role, since_ms) VALUES ($1, $2, 'member', $3) \
                       ON CONFLICT (room_id, user_id) DO NOTHING";
            Statement::new(sql).text(&self.id).text(person.bare_id()).number(now_ms)
        } else {
            let sql = "INSERT INTO passes (room_id, person, since_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            Statement::new(sql).text(&self.id).text(&person.id).number(now_ms)
        };
        self.later.store(vec![statement]);
        Ok(())
    }
}

/// What somebody without a pass is told.
pub(crate) fn pass_needed() -> Refusal {
    Refusal::new(Code::PasswordRequired, "This room is private: enter its password, or open an invitation to it.")
}

/// Uses an invitation once; whether it was good.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn use_invite(db: &Database, room_id: &str, invite: &str, now_ms: u64) -> Result<bool, sqlx::Error> {
    let sql = "UPDATE invites SET uses_left = uses_left - 1 \
               WHERE token_hash = $1 AND room_id = $2 AND uses_left > 0 AND expires_at_ms > $3 RETURNING uses_left";
    let query = sqlx::query(sql).bind(hash_of(invite)).bind(room_id.to_owned()).bind(now_ms as i64);
    let row = query.fetch_optional(db.pool()).await?;
    row.map(|row| row.try_get::<i64, _>("uses_left")).transpose().map(|left| left.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::About;

    fn person(id: String) -> Person {
        Person { display_name: "Ada".into(), is_account: id.starts_with("u:"), is_admin: false, id }
    }

    #[test]
    fn a_private_room_has_so_many_members_at_most_and_those_it_has_come_again() {
        let about = About { visibility: Visibility::Private, ..About::named("Secret") };
        let mut room = State::new("secret".into(), about, 50);
        for number in 0..MAX_MEMBERS {
            let kind = if number % 2 == 0 { "u" } else { "g" };
            room.add_member(&person(format!("{kind}:{number}"))).unwrap();
        }
        let refused = room.add_member(&person("g:one more".into())).unwrap_err();
        assert_eq!(refused.code, Code::ServerBusy);
        assert_eq!(room.add_member(&person("u:0".into())), Ok(()));
        let marks = Marks::default();
        assert_eq!(room.check_door(0, &person("g:1".into()), &marks), Ok(()));
        let stranger = room.check_door(0, &person("g:stranger".into()), &marks).unwrap_err();
        assert_eq!(stranger.code, Code::PasswordRequired);
    }
}
