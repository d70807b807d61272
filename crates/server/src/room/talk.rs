//! What people in a room do besides sending pictures and sound: what they are at, what they say, and who keeps order.

use sqlx::Row as _;

use super::chat::RECENT;
use super::keeping_order::{Act, require_staff};
use super::roles::is_staff;
use super::state::{Effect, Seat, State, To};
use super::{ParticipantId, Room, gone};
use crate::db::{Database, Statement};
use crate::error::{Code, Refusal};
use crate::people::Person;
use crate::signal::messages::{
    ChatCleared, Goal, Message, MessageType, Openness, Reaction, Role, RoomEvent, Status, UserUpdated,
};

impl State {
    pub(super) fn seat(&self, id: &ParticipantId) -> Result<&Seat, Refusal> {
        self.seats().iter().find(|seat| seat.id == *id).ok_or_else(gone)
    }

    /// What a participant may do.
    pub(super) fn role_of(&self, id: &ParticipantId) -> Role {
        self.seat(id).map_or(Role::Guest, |seat| seat.role)
    }

    /// What somebody may do who comes in.
    pub(super) fn role_of_person(&self, person: &Person) -> Role {
        match self.roles.get(&person.id) {
            _ if person.is_admin => Role::Host,
            Some(role) => *role,
            None if self.about.owner.as_ref() == Some(&person.id) => Role::Host,
            None if person.is_account => Role::Member,
            None => Role::Guest,
        }
    }

    /// Changes something about somebody; what everybody else hears of it.
    pub(super) fn update(
        &mut self,
        id: &ParticipantId,
        to: To,
        change: impl FnOnce(&mut Seat, &mut UserUpdated),
    ) -> Result<Vec<Effect>, Refusal> {
        let seat = self.seats_mut().iter_mut().find(|seat| seat.id == *id).ok_or_else(gone)?;
        let mut updated = UserUpdated { participant_id: id.to_string(), ..UserUpdated::default() };
        change(seat, &mut updated);
        Ok(vec![Effect { to, event: RoomEvent::UserUpdated(updated) }])
    }
}

impl Room {
    /// Somebody is at something else now.
    pub(crate) fn set_status(&self, id: &ParticipantId, status: Status) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let effects = inner.state.update(id, To::All, |seat, updated| {
            seat.status = status;
            updated.status = Some(status);
        })?;
        inner.emit(self, effects);
        self.studies.status_changed(id, status);
        Ok(())
    }

    /// Somebody wants to get something done, or nothing any more; it is stored under `goal_id`.
    pub(crate) fn set_goal(&self, id: &ParticipantId, text: String) -> Result<(), Refusal> {
        let goal = (!text.is_empty()).then_some(Goal { text, done: false });
        let goal_id = format!("{:032x}", rand::random::<u128>());
        let mut inner = self.lock();
        let person = inner.state.seat(id)?.person.clone();
        let effects = inner.state.update(id, To::All, |seat, updated| {
            seat.goal.clone_from(&goal);
            seat.goal_id = goal.as_ref().map(|_| goal_id.clone());
            updated.goal = Some(goal.clone());
        })?;
        inner.emit(self, effects);
        drop(inner);
        if let Some(goal) = goal {
            let sql = "INSERT INTO goals (id, person, room_id, text, set_at_ms) VALUES ($1, $2, $3, $4, $5)";
            let statement = Statement::new(sql).text(goal_id).text(person).text(&self.id).text(goal.text);
            self.later.store(vec![statement.number(self.studies.now_ms())]);
        }
        Ok(())
    }

    /// Somebody's goal is done, or is not after all.
    pub(crate) fn complete_goal(&self, id: &ParticipantId, done: bool, recap: Option<String>) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let Some(goal_id) = inner.state.seat(id)?.goal_id.clone() else {
            return Err(Refusal::bad_request("There is no goal; set one first."));
        };
        let effects = inner.state.update(id, To::All, |seat, updated| {
            if let Some(goal) = &mut seat.goal {
                goal.done = done;
            }
            updated.goal = Some(seat.goal.clone());
        })?;
        inner.emit(self, effects);
        drop(inner);
        let done_at = done.then(|| self.studies.now_ms());
        let sql = "UPDATE goals SET done = $1, done_at_ms = $2, recap = $3 WHERE id = $4";
        let statement = Statement::new(sql).number(i64::from(done)).number_or_null(done_at).text_or_null(recap);
        self.later.store(vec![statement.text(goal_id)]);
        Ok(())
    }

    /// Somebody wants to say something, or does not any more.
    pub(crate) fn raise_hand(&self, id: &ParticipantId, raised: bool) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let effects = inner.state.update(id, To::All, |seat, updated| {
            seat.hand_raised = raised;
            updated.hand_raised = Some(raised);
        })?;
        inner.emit(self, effects);
        Ok(())
    }

    /// Somebody feels something.
    pub(crate) fn react(&self, id: &ParticipantId, emoji: String) -> Result<(), Refusal> {
        let mut inner = self.lock();
        inner.entry(id)?;
        let event = RoomEvent::Reaction(Reaction { participant_id: id.to_string(), emoji });
        inner.emit(self, vec![Effect { to: To::All, event }]);
        Ok(())
    }

    /// Somebody says something in the chat; everybody hears it, they too.
    pub(crate) fn say(
        &self,
        id: &ParticipantId,
        content: String,
        message_type: MessageType,
    ) -> Result<Message, Refusal> {
        let now_ms = self.studies.now_ms();
        let mut inner = self.lock();
        let openness = inner.state.about.policy.chat;
        if !inner.state.is_open(openness, now_ms) && !is_staff(inner.state.role_of(id)) {
            let sentence = match openness {
                Openness::BreaksOnly => "The chat of this room is open in breaks only.",
                _ => "The chat of this room is closed.",
            };
            return Err(Refusal::new(Code::ChatClosed, sentence));
        }
        // One after the other, so that they are in this order when they are read back.
        let sent_at_ms = now_ms.max(inner.state.chat.last_at_ms() + 1);
        let slow_ms = u64::from(inner.state.about.policy.slow_mode_seconds) * 1_000;
        let seat = inner.state.seats_mut().iter_mut().find(|seat| seat.id == *id).ok_or_else(gone)?;
        if !is_staff(seat.role)
            && let Some(said_at_ms) = seat.said_at_ms
            && now_ms < said_at_ms + slow_ms
        {
            return Err(Refusal::rate_limited(std::time::Duration::from_millis(said_at_ms + slow_ms - now_ms)));
        }
        seat.said_at_ms = Some(now_ms);
        let person = seat.person.clone();
        let message = Message {
            id: format!("{:032x}", rand::random::<u128>()),
            participant_id: id.to_string(),
            display_name: seat.display_name.clone(),
            content,
            message_type,
            sent_at_ms,
        };
        inner.state.chat.add(message.clone());
        inner.emit(self, vec![Effect { to: To::All, event: RoomEvent::NewMessage(message.clone()) }]);
        // Under the lock, so that what is cleared afterwards is stored before.
        self.later.store(vec![stored(&self.id, person, &message)]);
        Ok(message)
    }

    /// Takes away all that was said.
    pub(crate) fn clear_chat(&self, id: &ParticipantId) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let seat = inner.state.seat(id)?;
        let (by, person) = (seat.display_name.clone(), seat.person.clone());
        require_staff(seat.role)?;
        inner.state.chat.clear();
        inner.emit(self, vec![Effect { to: To::All, event: RoomEvent::ChatCleared(ChatCleared { by: by.clone() }) }]);
        self.later.store(vec![Statement::new("DELETE FROM messages WHERE room_id = $1").text(&self.id)]);
        self.log(&Act { by_person: &person, by_name: &by, action: "clear-chat", target: None, reason: "" });
        Ok(())
    }
}

fn stored(room_id: &str, person: String, message: &Message) -> Statement {
    let kind = match message.message_type {
        MessageType::Text => "text",
        MessageType::Emoji => "emoji",
    };
    let sql = "INSERT INTO messages (id, room_id, person, participant_id, display_name, content, kind, sent_at_ms) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    Statement::new(sql)
        .text(&message.id)
        .text(room_id)
        .text(person)
        .text(&message.participant_id)
        .text(&message.display_name)
        .text(&message.content)
        .text(kind)
        .number(message.sent_at_ms)
}

/// The last that was said in a room.
pub(super) async fn recent_messages(db: &Database, room_id: &str) -> Result<Vec<Message>, sqlx::Error> {
    let sql = "SELECT id, participant_id, display_name, content, kind, sent_at_ms FROM messages \
               WHERE room_id = $1 ORDER BY sent_at_ms DESC, id DESC LIMIT $2";
    let rows = sqlx::query(sql).bind(room_id.to_owned()).bind(RECENT as i64).fetch_all(db.pool()).await?;
    rows.iter().rev().map(read_message).collect()
}

/// A message as it was stored.
pub(crate) fn read_message(row: &sqlx::any::AnyRow) -> Result<Message, sqlx::Error> {
    let is_emoji = row.try_get::<String, _>("kind")? == "emoji";
    Ok(Message {
        id: row.try_get("id")?,
        participant_id: row.try_get("participant_id")?,
        display_name: row.try_get("display_name")?,
        content: row.try_get("content")?,
        message_type: if is_emoji { MessageType::Emoji } else { MessageType::Text },
        sent_at_ms: row.try_get::<i64, _>("sent_at_ms")?.max(0) as u64,
    })
}
