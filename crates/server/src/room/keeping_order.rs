//! What hosts and moderators do to somebody, and what anybody can tell them. Each act is logged: who, whom, why.

use std::sync::Arc;

use super::kept_out::{BanFacts, KICKED_FOR_MS, TooMany, Until};
use super::roles::{self, is_staff};
use super::state::{Effect, Seat, To};
use super::{ParticipantId, Room};
use crate::db::Statement;
use crate::error::{Code, Refusal};
use crate::people::{MARKS_LAST_MS, Person, random_id};
use crate::signal::messages::{Action, Kicked, LeaveReason, Moderate, Moderated, Role, RoomEvent, Source, UserUpdated};

/// Nobody is banned for longer than that but for good: a hundred years.
const LONGEST_BAN_MS: u64 = 100 * 365 * 24 * 3_600_000;

/// Somebody who does something, as it is logged.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    /// As the database knows them.
    pub(crate) person: String,
    pub(crate) name: String,
    pub(crate) role: Role,
}

impl From<&Seat> for Actor {
    fn from(seat: &Seat) -> Self {
        Self { person: seat.person.clone(), name: seat.display_name.clone(), role: seat.role }
    }
}

/// A line of the moderation log.
pub(super) struct Act<'a> {
    pub(super) by_person: &'a str,
    pub(super) by_name: &'a str,
    pub(super) action: &'a str,
    /// Person and name.
    pub(super) target: Option<(&'a str, &'a str)>,
    pub(super) reason: &'a str,
}

/// How somebody is kept out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Banning {
    pub(crate) reason: String,
    /// `None`: for good.
    pub(crate) duration_ms: Option<u64>,
    /// Whether also others from the same network are.
    pub(crate) with_address: bool,
}

/// Only for those who keep order.
pub(super) fn require_staff(role: Role) -> Result<(), Refusal> {
    if is_staff(role) {
        return Ok(());
    }
    Err(Refusal::new(Code::Forbidden, "Only the host and moderators of this room can do this."))
}

impl Room {
    /// Does something to somebody, if the one who asks may.
    pub(crate) async fn moderate(self: &Arc<Self>, id: &ParticipantId, request: Moderate) -> Result<(), Refusal> {
        let actor = Actor::from(self.lock().state.seat(id)?);
        require_staff(actor.role)?;
        let reason = request.reason.unwrap_or_default();
        match request.action {
            Action::Unban => return self.unban(&actor, &request.participant_id),
            Action::Admit => return self.decide(&actor, &request.participant_id, true),
            Action::Reject => return self.decide(&actor, &request.participant_id, false),
            _ => {}
        }
        let target = self.begin_moderation(id, &actor, request.action, &request.participant_id, &reason)?;
        match request.action {
            Action::Mute => self.silence(&target.id, &[Source::Mic]).await,
            Action::StopVideo => {
                self.remember_silenced(&target.id, Source::Camera);
                self.close_all(&target, &[Source::Camera]);
            }
            Action::StopScreen => self.close_all(&target, &[Source::Screen, Source::ScreenAudio]),
            Action::Kick => {
                let until = self.studies.now_ms() + KICKED_FOR_MS;
                self.keep_out(&target, &reason, Until::Time(until), None)?;
            }
            Action::Ban => {
                let with_address = request.with_address.unwrap_or(false);
                let banning = Banning { reason, duration_ms: request.duration_ms, with_address };
                self.ban(&actor, &target, banning)?;
            }
            Action::Promote => self.set_role(&target.id, Role::Moderator)?,
            Action::Demote => self.set_role(&target.id, Role::Member)?,
            Action::TransferHost => self.transfer_host(id, &target)?,
            Action::Unban | Action::Admit | Action::Reject => {}
        }
        Ok(())
    }

    /// Whether it may be done; then it is logged, and who it is done to hears of it.
    fn begin_moderation(
        &self,
        id: &ParticipantId,
        actor: &Actor,
        action: Action,
        target: &str,
        reason: &str,
    ) -> Result<Seat, Refusal> {
        let mut inner = self.lock();
        let found = inner.state.seats().iter().find(|seat| seat.id.to_string() == target);
        let target = found.cloned().ok_or_else(|| Refusal::not_found("participant"))?;
        if *id == target.id || !roles::may(actor.role, action, target.role) {
            return Err(Refusal::new(Code::Forbidden, "Your role in this room does not allow this."));
        }
        let reason = (!reason.is_empty()).then(|| reason.to_owned());
        let told = Moderated { action, by: actor.name.clone(), reason: reason.clone() };
        inner.emit(self, vec![Effect { to: To::One(target.id.clone()), event: RoomEvent::Moderated(told) }]);
        drop(inner);
        self.log_act(actor, action, (&target.person, &target.display_name), &reason.unwrap_or_default());
        Ok(target)
    }

    /// Pauses what somebody sends of these kinds; everybody hears of it, they too. It begins paused when they come again.
    async fn silence(&self, target: &ParticipantId, sources: &[Source]) {
        for source in sources {
            self.remember_silenced(target, *source);
        }
        let _turn = self.pausing().await;
        let producers: Vec<_> = {
            let inner = self.lock();
            let (Ok(seat), Ok(entry)) = (inner.state.seat(target), inner.entry(target)) else { return };
            let meant = seat.producers.iter().filter(|p| sources.contains(&p.source) && !p.paused);
            meant.filter_map(|p| Some((target.clone(), p.source, entry.media.producer(&p.id)?.clone()))).collect()
        };
        self.pause_all(&producers).await;
    }

    fn close_all(&self, target: &Seat, sources: &[Source]) {
        for producer in target.producers.iter().filter(|producer| sources.contains(&producer.source)) {
            // One that closed meanwhile is stopped too; the owner has to hear of it.
            if self.close_producer(&target.id, &producer.id).is_ok() {
                self.tell_closed(&target.id, &producer.id);
            }
        }
    }

    /// Somebody has to go, and stays out for a time.
    fn keep_out(
        self: &Arc<Self>,
        target: &Seat,
        reason: &str,
        until: Until,
        ban: Option<BanFacts>,
    ) -> Result<(), Refusal> {
        let why = if ban.is_some() { LeaveReason::Banned } else { LeaveReason::Kicked };
        let mut inner = self.lock();
        inner.state.kept_out.add(self.studies.now_ms(), &target.person, until, ban).map_err(too_many)?;
        inner.state.waiting.forget(&target.person);
        drop(inner);
        self.send_out(&target.person, reason, until.time_ms(), why);
        Ok(())
    }

    /// All seats of a person are given back: who sits there twice goes twice.
    pub(super) fn send_out(self: &Arc<Self>, person: &str, reason: &str, until: Option<u64>, why: LeaveReason) {
        let mut inner = self.lock();
        let seats = inner.state.seats().iter().filter(|seat| seat.person == person);
        let seats: Vec<_> = seats.map(|seat| seat.id.clone()).collect();
        let event = RoomEvent::Kicked(Kicked { reason: reason.to_owned(), until });
        let effects = seats.iter().map(|id| Effect { to: To::One(id.clone()), event: event.clone() }).collect();
        inner.emit(self, effects);
        let outlets = seats.iter().filter_map(|id| inner.seats.get(id).and_then(|entry| entry.outlet.clone()));
        let outlets: Vec<_> = outlets.collect();
        drop(inner);
        for id in &seats {
            self.leave(id, why);
        }
        for outlet in outlets {
            outlet.disconnect();
        }
    }

    fn ban(self: &Arc<Self>, actor: &Actor, target: &Seat, banning: Banning) -> Result<BanFacts, Refusal> {
        let now_ms = self.studies.now_ms();
        let duration_ms = banning.duration_ms.map(|ms| ms.clamp(1_000, LONGEST_BAN_MS));
        let until = duration_ms.map_or(Until::Ever, |ms| Until::Time(now_ms + ms));
        let facts = |is_address| BanFacts {
            id: random_id(),
            is_address,
            display_name: target.display_name.clone(),
            reason: banning.reason.clone(),
            created_at_ms: now_ms,
        };
        let mark = self.lock().entry(&target.id).ok().map(|entry| entry.mark.clone());
        if let Some(mark) = mark.filter(|mark| banning.with_address && !mark.is_empty()) {
            // Longer than that the mark is not known again.
            let until = until.time_ms().unwrap_or(u64::MAX).min(now_ms + MARKS_LAST_MS);
            let ban = facts(true);
            self.lock().state.kept_out.add(now_ms, &mark, Until::Time(until), Some(ban.clone())).map_err(too_many)?;
            self.store_ban(actor, &mark, &ban, Some(until));
        }
        let ban = facts(false);
        self.keep_out(target, &banning.reason, until, Some(ban.clone()))?;
        self.store_ban(actor, &target.person, &ban, until.time_ms());
        Ok(ban)
    }

    /// Bans somebody who sits here, or wrote something here that is still to be seen.
    pub(crate) fn ban_participant(
        self: &Arc<Self>,
        actor: &Actor,
        target: &str,
        wrote: Option<Person>,
        banning: Banning,
    ) -> Result<String, Refusal> {
        let seat = self.lock().state.seats().iter().find(|seat| seat.id.to_string() == target).cloned();
        let found = match (seat, wrote) {
            (Some(seat), _) => seat,
            (None, Some(person)) => self.absent(person),
            (None, None) => return Err(Refusal::not_found("participant")),
        };
        if actor.person == found.person || !roles::may(actor.role, Action::Ban, found.role) {
            return Err(Refusal::new(Code::Forbidden, "Your role in this room does not allow this."));
        }
        self.log_act(actor, Action::Ban, (&found.person, &found.display_name), &banning.reason);
        Ok(self.ban(actor, &found, banning)?.id)
    }

    /// Somebody who is not here, as if they sat here.
    fn absent(&self, person: Person) -> Seat {
        let role = self.lock().state.role_of_person(&person);
        Seat::absent(person, role)
    }

    /// Ends a ban.
    pub(crate) fn unban(&self, actor: &Actor, ban_id: &str) -> Result<(), Refusal> {
        let ended = self.lock().state.kept_out.end_ban(ban_id);
        let (subject, ban) = ended.ok_or_else(|| Refusal::not_found("ban"))?;
        let statement = Statement::new("DELETE FROM bans WHERE id = $1").text(ban_id);
        self.later.store(vec![statement]);
        self.log_act(actor, Action::Unban, (&subject, &ban.display_name), "");
        Ok(())
    }

    /// The bans that are on, the newest first.
    pub(crate) fn bans(&self) -> Vec<(BanFacts, Option<u64>)> {
        let bans = self.lock().state.kept_out.bans(self.studies.now_ms());
        bans.into_iter().map(|(ban, until)| (ban, until.time_ms())).collect()
    }

    /// Somebody who waits is let in, or is not.
    fn decide(&self, actor: &Actor, waiting_id: &str, admitted: bool) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let decided = inner.state.waiting.decide(self.studies.now_ms(), waiting_id, admitted);
        let (person, name) = decided.ok_or_else(|| Refusal::not_found("person who waits"))?;
        let effects = inner.state.waiting_told();
        inner.emit(self, effects);
        drop(inner);
        self.log_act(actor, if admitted { Action::Admit } else { Action::Reject }, (&person, &name), "");
        Ok(())
    }

    fn store_ban(&self, actor: &Actor, subject: &str, ban: &BanFacts, until: Option<u64>) {
        let sql = "INSERT INTO bans (id, room_id, kind, subject, display_name, by_person, reason, created_at_ms, expires_at_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let statement = Statement::new(sql)
            .text(&ban.id)
            .text(&self.id)
            .text(if ban.is_address { "address" } else { "person" })
            .text(subject)
            .text(&ban.display_name)
            .text(&actor.person)
            .text(&ban.reason)
            .number(ban.created_at_ms)
            .number_or_null(until);
        self.later.store(vec![statement]);
    }

    /// The host becomes moderator; who made the room gives it away.
    fn transfer_host(&self, id: &ParticipantId, target: &Seat) -> Result<(), Refusal> {
        self.set_role(&target.id, Role::Host)?;
        let mut inner = self.lock();
        let owner = inner.state.seat(id)?.person.clone();
        if inner.state.about.owner.as_ref() == Some(&owner) && target.person.starts_with("u:") {
            inner.state.about.owner = Some(target.person.clone());
            self.later.store(vec![inner.state.about.update(&self.id)]);
        }
        drop(inner);
        self.set_role(id, Role::Moderator)
    }

    /// Somebody may do more, or less: here until they leave, and where they have an account from now on.
    fn set_role(&self, target: &ParticipantId, role: Role) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let person = inner.state.seat(target)?.person.clone();
        // Without an account one is a guest when one is nothing else.
        let role = if role == Role::Member && person.starts_with("g:") { Role::Guest } else { role };
        let mut effects = inner.state.update(target, To::All, |seat, updated: &mut UserUpdated| {
            seat.role = role;
            updated.role = Some(role);
        })?;
        if !inner.state.waiting.is_empty() {
            effects.extend(inner.state.waiting_told());
        }
        inner.emit(self, effects);
        let Some(user) = person.strip_prefix("u:") else { return Ok(()) };
        inner.state.roles.insert(person.clone(), role);
        let sql = "INSERT INTO memberships (room_id, user_id, role, since_ms) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (room_id, user_id) DO UPDATE SET role = excluded.role";
        let statement = Statement::new(sql).text(&self.id).text(user).text(role.as_str());
        self.later.store(vec![statement.number(self.studies.now_ms())]);
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
            .text(random_id())
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

    /// Somebody who asks over REST, as who they are in this room: the most that they are by account or by seat.
    pub(crate) fn actor(&self, person: &Person) -> Actor {
        let inner = self.lock();
        let by_account = inner.state.role_of_person(person);
        let by_seat = inner.state.seats().iter().filter(|seat| seat.person == person.id).map(|seat| seat.role);
        let role = by_seat.fold(by_account, Role::most);
        Actor { person: person.id.clone(), name: person.display_name.clone(), role }
    }

    /// Whether this person sits here.
    pub(crate) fn has_seat(&self, person: &str) -> bool {
        self.lock().state.seats().iter().any(|seat| seat.person == person)
    }

    /// A person is no more: their seats are given back, and nothing of them is remembered.
    pub(crate) fn forget_person(self: &Arc<Self>, person: &str) {
        self.send_out(person, "Your account was deleted.", None, LeaveReason::Left);
        let mut inner = self.lock();
        inner.state.roles.remove(person);
        inner.state.passes.remove(person);
        inner.state.waiting.forget(person);
        inner.state.silenced.retain(|(silenced, _), _| silenced != person);
        if inner.state.about.owner.as_deref() == Some(person) {
            inner.state.about.owner = None;
        }
    }

    /// Notes that somebody changed the room over REST.
    pub(crate) fn log_change(&self, actor: &Actor) {
        self.log_update(&actor.person, &actor.name);
    }

    pub(super) fn log_update(&self, person: &str, name: &str) {
        self.log(&Act { by_person: person, by_name: name, action: "update-room", target: None, reason: "" });
    }

    fn log_act(&self, actor: &Actor, action: Action, target: (&str, &str), reason: &str) {
        let name = serde_json::to_value(action).ok().and_then(|name| name.as_str().map(str::to_owned));
        let action = name.unwrap_or_default();
        let (by_person, by_name) = (actor.person.as_str(), actor.name.as_str());
        self.log(&Act { by_person, by_name, action: &action, target: Some(target), reason });
    }

    pub(super) fn log(&self, act: &Act<'_>) {
        let (target_person, target_name) = act.target.unwrap_or_default();
        let sql = "INSERT INTO moderation_log \
                   (id, room_id, by_person, by_name, action, target_person, target_name, reason, at_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
        let statement = Statement::new(sql)
            .text(random_id())
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

fn too_many(_: TooMany) -> Refusal {
    Refusal::busy("This room keeps too many people out already; let somebody in again first.")
}
