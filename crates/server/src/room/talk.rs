//! What people in a room do besides sending pictures and sound: what they are at, what they say, and who keeps order.

use std::sync::Arc;

use sqlx::Row as _;

use super::chat::{Chat, RECENT};
use super::kept_out::{KICKED_FOR_MS, TooMany, Until};
use super::roles::{self, is_staff};
use super::state::{Effect, Seat, State, To};
use super::{ParticipantId, Registry, Room, gone};
use crate::db::{Database, Statement};
use crate::error::{Code, Refusal};
use crate::people::Person;
use crate::signal::messages::{
    Action, ChatCleared, Goal, Kicked, LeaveReason, Message, MessageType, Moderate, Moderated, Openness, Reaction,
    Role, RoomEvent, Source, Status, UserUpdated,
};

/// Nobody is banned for longer than that but for good: a hundred years.
const LONGEST_BAN_MS: u64 = 100 * 365 * 24 * 3_600_000;

impl State {
    fn seat(&self, id: &ParticipantId) -> Result<&Seat, Refusal> {
        self.seats().iter().find(|seat| seat.id == *id).ok_or_else(gone)
    }

    /// What a participant may do.
    pub(super) fn role_of(&self, id: &ParticipantId) -> Role {
        self.seat(id).map_or(Role::Guest, |seat| seat.role)
    }

    /// What somebody may do who comes in.
    pub(super) fn role_of_person(&self, person: &Person) -> Role {
        match self.roles.get(&person.id) {
            Some(role) => *role,
            None if person.is_admin => Role::Host,
            None if person.is_account => Role::Member,
            None => Role::Guest,
        }
    }

    /// Changes something about somebody; what everybody else hears of it.
    fn update(
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

    /// Whether something is open now, by its policy and the clock.
    fn is_open(&self, openness: Openness, now_ms: u64) -> bool {
        match openness {
            Openness::Open => true,
            Openness::BreaksOnly => !self.clock.is_focus(now_ms),
            Openness::Closed => false,
        }
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
        let openness = inner.state.policy.chat;
        if !inner.state.is_open(openness, now_ms) && !is_staff(inner.state.role_of(id)) {
            let sentence = match openness {
                Openness::BreaksOnly => "The chat of this room is open in breaks only.",
                _ => "The chat of this room is closed.",
            };
            return Err(Refusal::new(Code::ChatClosed, sentence));
        }
        // One after the other, so that they are in this order when they are read back.
        let sent_at_ms = now_ms.max(inner.state.chat.last_at_ms() + 1);
        let slow_ms = u64::from(inner.state.policy.slow_mode_seconds) * 1_000;
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

    /// Does something to somebody, if the one who asks may.
    pub(crate) async fn moderate(self: &Arc<Self>, id: &ParticipantId, request: Moderate) -> Result<(), Refusal> {
        let reason = request.reason.unwrap_or_default();
        let Moderation { target, by, sources } =
            self.begin_moderation(id, request.action, &request.participant_id, &reason)?;
        match request.action {
            Action::Mute => self.pause_producers(&target, Source::Mic).await?,
            Action::StopVideo | Action::StopScreen => {
                for producer in sources {
                    // One that closed meanwhile is stopped too.
                    drop(self.close_producer(&target, &producer));
                }
            }
            Action::Kick => self.keep_out(&target, reason, Some(KICKED_FOR_MS), LeaveReason::Kicked)?,
            Action::Ban => {
                let duration_ms = request.duration_ms.map(|ms| ms.clamp(1_000, LONGEST_BAN_MS));
                self.ban(&target, &by, reason, duration_ms)?;
            }
            Action::Promote => self.set_role(&target, Role::Moderator)?,
            Action::Demote => self.set_role(&target, Role::Member)?,
            Action::TransferHost => {
                self.set_role(&target, Role::Host)?;
                self.set_role(id, Role::Moderator)?;
            }
            Action::Unban | Action::Admit | Action::Reject => {}
        }
        Ok(())
    }

    /// Whether it may be done; then it is logged, and who it is done to hears of it.
    fn begin_moderation(
        &self,
        id: &ParticipantId,
        action: Action,
        target: &str,
        reason: &str,
    ) -> Result<Moderation, Refusal> {
        let mut inner = self.lock();
        let actor = inner.state.seat(id)?.clone();
        require_staff(actor.role)?;
        let found = inner.state.seats().iter().find(|seat| seat.id.to_string() == target);
        let target = found.cloned().ok_or_else(|| Refusal::not_found("participant"))?;
        if actor.id == target.id || !roles::may(actor.role, action, target.role) {
            return Err(Refusal::new(Code::Forbidden, "Your role in this room does not allow this."));
        }
        let is_meant = |source: Source| match action {
            Action::StopVideo => source == Source::Camera,
            Action::StopScreen => matches!(source, Source::Screen | Source::ScreenAudio),
            _ => false,
        };
        let sources = target.producers.iter().filter(|p| is_meant(p.source)).map(|p| p.id.clone()).collect();
        let told = Moderated {
            action,
            by: actor.display_name.clone(),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
        };
        inner.emit(self, vec![Effect { to: To::One(target.id.clone()), event: RoomEvent::Moderated(told) }]);
        drop(inner);
        let name =
            serde_json::to_value(action).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        let whom = Some((target.person.as_str(), target.display_name.as_str()));
        self.log(&Act { by_person: &actor.person, by_name: &actor.display_name, action: &name, target: whom, reason });
        Ok(Moderation { target: target.id, by: actor.person, sources })
    }

    /// Pauses what somebody sends of a kind; everybody hears of it, they too.
    async fn pause_producers(&self, target: &ParticipantId, source: Source) -> Result<(), Refusal> {
        let handles: Vec<_> = {
            let inner = self.lock();
            let seat = inner.state.seat(target)?;
            let ids = seat.producers.iter().filter(|p| p.source == source && !p.paused).map(|p| p.id.clone());
            ids.filter_map(|id| inner.entry(target).ok()?.media.producer(&id).cloned()).collect()
        };
        for handle in handles {
            handle.pause().await?;
            let mut inner = self.lock();
            let effects = inner.state.set_producer_paused(target, handle.id().as_ref(), true).unwrap_or_default();
            // The owner did not ask for it, so they are told as well.
            let told = effects.iter().filter(|effect| effect.to == To::Others(target.clone())).cloned();
            let told: Vec<_> = told.map(|effect| Effect { to: To::One(target.clone()), ..effect }).collect();
            inner.emit(self, effects);
            inner.emit(self, told);
        }
        Ok(())
    }

    /// Somebody has to go, and stays out for a time.
    fn keep_out(
        self: &Arc<Self>,
        target: &ParticipantId,
        reason: String,
        for_ms: Option<u64>,
        why: LeaveReason,
    ) -> Result<(), Refusal> {
        let now_ms = self.studies.now_ms();
        let until = for_ms.map(|ms| now_ms + ms);
        let mut inner = self.lock();
        let person = inner.state.seat(target)?.person.clone();
        inner.state.kept_out.add(now_ms, &person, until.map_or(Until::Ever, Until::Time)).map_err(|TooMany| {
            Refusal::new(Code::RateLimited, "This room keeps too many people out already; let somebody in again first.")
        })?;
        // All seats of the person: who sits there twice goes twice.
        let seats: Vec<_> =
            inner.state.seats().iter().filter(|seat| seat.person == person).map(|seat| seat.id.clone()).collect();
        let event = RoomEvent::Kicked(Kicked { reason, until });
        let effects = seats.iter().map(|id| Effect { to: To::One(id.clone()), event: event.clone() }).collect();
        inner.emit(self, effects);
        let outlets: Vec<_> =
            seats.iter().filter_map(|id| inner.seats.get(id).and_then(|entry| entry.outlet.clone())).collect();
        drop(inner);
        for id in &seats {
            self.leave(id, why);
        }
        for outlet in outlets {
            outlet.disconnect();
        }
        Ok(())
    }

    fn ban(
        self: &Arc<Self>,
        target: &ParticipantId,
        by: &str,
        reason: String,
        for_ms: Option<u64>,
    ) -> Result<(), Refusal> {
        let seat = self.lock().state.seat(target)?.clone();
        self.keep_out(target, reason.clone(), for_ms, LeaveReason::Banned)?;
        let now_ms = self.studies.now_ms();
        let sql = "INSERT INTO bans (id, room_id, kind, subject, display_name, by_person, reason, created_at_ms, expires_at_ms) \
                   VALUES ($1, $2, 'person', $3, $4, $5, $6, $7, $8)";
        let statement = Statement::new(sql)
            .text(format!("{:032x}", rand::random::<u128>()))
            .text(&self.id)
            .text(seat.person)
            .text(seat.display_name)
            .text(by)
            .text(reason)
            .number(now_ms)
            .number_or_null(for_ms.map(|ms| now_ms + ms));
        self.later.store(vec![statement]);
        Ok(())
    }

    /// Somebody may do more, or less: here until they leave, and where they have an account from now on.
    fn set_role(&self, target: &ParticipantId, role: Role) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let person = inner.state.seat(target)?.person.clone();
        // Without an account one is a guest when one is nothing else.
        let role = if role == Role::Member && person.starts_with("g:") { Role::Guest } else { role };
        let effects = inner.state.update(target, To::All, |seat, updated| {
            seat.role = role;
            updated.role = Some(role);
        })?;
        inner.emit(self, effects);
        let Some(user) = person.strip_prefix("u:") else { return Ok(()) };
        inner.state.roles.insert(person.clone(), role);
        let name = match role {
            Role::Host => "host",
            Role::Moderator => "moderator",
            Role::Member | Role::Guest => "member",
        };
        let sql = "INSERT INTO memberships (room_id, user_id, role, since_ms) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (room_id, user_id) DO UPDATE SET role = excluded.role";
        let statement = Statement::new(sql).text(&self.id).text(user).text(name).number(self.studies.now_ms());
        self.later.store(vec![statement]);
        Ok(())
    }

    /// Tells those who keep order that somebody does wrong, with the last that was said.
    pub(crate) fn report(&self, id: &ParticipantId, target: &str, reason: &str) -> Result<(), Refusal> {
        let inner = self.lock();
        let by = inner.state.seat(id)?;
        let found = inner.state.seats().iter().find(|seat| seat.id.to_string() == target);
        let target = found.ok_or_else(|| Refusal::not_found("participant"))?;
        let context = serde_json::to_string(&inner.state.chat.recent()).unwrap_or_default();
        let sql = "INSERT INTO reports (id, room_id, by_person, by_name, target_person, target_name, reason, context, at_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let statement = Statement::new(sql)
            .text(format!("{:032x}", rand::random::<u128>()))
            .text(&self.id)
            .text(&by.person)
            .text(&by.display_name)
            .text(&target.person)
            .text(&target.display_name)
            .text(reason)
            .text(context)
            .number(self.studies.now_ms());
        self.later.store(vec![statement]);
        Ok(())
    }

    /// Whether somebody may come in at all.
    pub(super) fn check_kept_out(&self, state: &State, person: &str) -> Result<(), Refusal> {
        let sentence = match state.kept_out.until(self.studies.now_ms(), person) {
            None => return Ok(()),
            Some(Until::Ever) => "You are not allowed into this room any more.".to_owned(),
            Some(Until::Time(end_ms)) => {
                format!("You are not allowed into this room until {}.", crate::clock::rfc3339(end_ms.div_ceil(1_000)))
            }
        };
        Err(Refusal::new(Code::Banned, sentence))
    }

    fn log(&self, act: &Act<'_>) {
        let (target_person, target_name) = act.target.unwrap_or_default();
        let sql = "INSERT INTO moderation_log \
                   (id, room_id, by_person, by_name, action, target_person, target_name, reason, at_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let statement = Statement::new(sql)
            .text(format!("{:032x}", rand::random::<u128>()))
            .text(&self.id)
            .text(act.by_person)
            .text(act.by_name)
            .text(act.action)
            .text(target_person)
            .text(target_name)
            .text(act.reason)
            .number(self.studies.now_ms());
        self.later.store(vec![statement]);
    }
}

/// What a moderation is about, once it is known to be allowed.
struct Moderation {
    target: ParticipantId,
    /// Person who does it.
    by: String,
    /// Producers that are to be stopped.
    sources: Vec<String>,
}

/// A line of the moderation log.
struct Act<'a> {
    by_person: &'a str,
    by_name: &'a str,
    action: &'a str,
    /// Person and name.
    target: Option<(&'a str, &'a str)>,
    reason: &'a str,
}

fn require_staff(role: Role) -> Result<(), Refusal> {
    if is_staff(role) {
        return Ok(());
    }
    Err(Refusal::new(Code::Forbidden, "Only the host and moderators of this room can do this."))
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

impl Registry {
    /// What was said, who may do what and who is kept out, as it was when the server ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn restore_talk(&self, db: &Database) -> Result<(), sqlx::Error> {
        for room in self.iter() {
            let chat = Chat::new(recent_messages(db, room.id()).await?);
            let members =
                sqlx::query("SELECT user_id, role FROM memberships WHERE room_id = $1").bind(room.id().to_owned());
            let members = members.fetch_all(db.pool()).await?;
            let bans = sqlx::query("SELECT subject, expires_at_ms FROM bans WHERE room_id = $1 AND kind = 'person'");
            let bans = bans.bind(room.id().to_owned()).fetch_all(db.pool()).await?;
            let mut inner = room.lock();
            let now_ms = room.studies.now_ms();
            inner.state.chat = chat;
            for row in members {
                let role = match row.try_get::<String, _>("role")?.as_str() {
                    "host" => Role::Host,
                    "moderator" => Role::Moderator,
                    _ => Role::Member,
                };
                inner.state.roles.insert(format!("u:{}", row.try_get::<String, _>("user_id")?), role);
            }
            for row in bans {
                let until = row.try_get::<Option<i64>, _>("expires_at_ms")?;
                let until = until.map_or(Until::Ever, |until| Until::Time(until.max(0) as u64));
                // More than there can be were never stored.
                let _ = inner.state.kept_out.add(now_ms, &row.try_get::<String, _>("subject")?, until);
            }
        }
        Ok(())
    }
}

async fn recent_messages(db: &Database, room_id: &str) -> Result<Vec<Message>, sqlx::Error> {
    let sql = "SELECT id, participant_id, display_name, content, kind, sent_at_ms FROM messages \
               WHERE room_id = $1 ORDER BY sent_at_ms DESC, id DESC LIMIT $2";
    let rows = sqlx::query(sql).bind(room_id.to_owned()).bind(RECENT as i64).fetch_all(db.pool()).await?;
    let message = |row: &sqlx::any::AnyRow| -> Result<Message, sqlx::Error> {
        let is_emoji = row.try_get::<String, _>("kind")? == "emoji";
        Ok(Message {
            id: row.try_get("id")?,
            participant_id: row.try_get("participant_id")?,
            display_name: row.try_get("display_name")?,
            content: row.try_get("content")?,
            message_type: if is_emoji { MessageType::Emoji } else { MessageType::Text },
            sent_at_ms: row.try_get::<i64, _>("sent_at_ms")?.max(0) as u64,
        })
    };
    rows.iter().rev().map(message).collect()
}
