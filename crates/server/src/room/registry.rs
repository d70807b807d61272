//! All rooms of this server: those that come with it, and those that people made. They are in memory from the start on.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use sfu::Workers;
use sqlx::Row as _;
use tracing::warn;

use super::about::{About, new_id};
use super::chat::Chat;
use super::kept_out::{BanFacts, Until};
use super::state::State;
use super::talk::recent_messages;
use super::{Room, RoomOptions, Studies};
use crate::clock::now_ms;
use crate::config::{Config, Limits};
use crate::db::{Database, Later, Statement};
use crate::error::{Code, Refusal};
use crate::people::Person;
use crate::signal::lobby::Bell;
use crate::signal::messages::{LeaveReason, Role, RoomInfo, Visibility};

/// Longest room id: a slug, `[a-z0-9-]{1,64}`.
const MAX_ROOM_ID: usize = 64;
/// Rooms that the lobby shows at once; the others are found by searching.
const MAX_LISTED: usize = 200;

/// Whether a room can be called so.
pub(crate) fn is_room_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= MAX_ROOM_ID
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// What a room is made with.
pub(crate) struct Ground {
    pub(crate) workers: Arc<Workers>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) studies: Arc<Studies>,
    pub(crate) later: Later,
}

/// All rooms.
pub(crate) struct Registry {
    ground: Ground,
    config: Config,
    rooms: RwLock<Rooms>,
    /// Held while a room is made or removed, so that the limits hold.
    making: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Rooms {
    /// In the order of the list: those that came with the server first.
    list: Vec<Arc<Room>>,
    by_id: HashMap<String, Arc<Room>>,
    /// How many of them came with the server.
    seeded: usize,
}

impl Registry {
    /// "Study Room 1" to as many as there shall be, and those that people made, as they were when the server ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn load(config: &Config, ground: Ground, db: &Database) -> Result<Self, sqlx::Error> {
        let this =
            Self { ground, config: config.clone(), rooms: RwLock::default(), making: tokio::sync::Mutex::new(()) };
        let mut transaction = db.begin().await?;
        for number in 1..=config.limits.rooms {
            let about = About::named(format!("Study Room {number}"));
            let statement = about.insert(&format!("study-room-{number}"), i64::from(number), now_ms());
            statement.execute(&mut transaction).await?;
        }
        transaction.commit().await?;
        let sql = "SELECT id, position, name, topic, language, capacity, visibility, password_hash, owner_id, policy, locked \
                   FROM rooms ORDER BY CASE WHEN position = 0 THEN 1 ELSE 0 END, position, created_at_ms, id";
        for row in sqlx::query(sql).fetch_all(db.pool()).await? {
            let (id, position): (String, i64) = (row.try_get("id")?, row.try_get("position")?);
            // Fewer come with the server than did before.
            if position > i64::from(config.limits.rooms) {
                continue;
            }
            let room = this.make(id, About::from_row(&row)?);
            this.add(room, position > 0);
        }
        this.restore_talk(db).await?;
        this.warn_of_unknown();
        Ok(this)
    }

    fn make(&self, id: String, about: About) -> Arc<Room> {
        let limits = &self.config.limits;
        let options = RoomOptions {
            loudest: limits.loudest.of(&id),
            is_traced: self.config.trace_rooms.contains(&id),
            studies: Arc::clone(&self.ground.studies),
            grace: self.config.resume_grace,
            later: self.ground.later.clone(),
        };
        let state = State::new(id, about, limits.room_capacity);
        Room::new(state, options, Arc::clone(&self.ground.workers), Arc::clone(&self.ground.bell))
    }

    fn add(&self, room: Arc<Room>, is_seeded: bool) {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.by_id.insert(room.id().to_owned(), Arc::clone(&room));
        rooms.list.push(room);
        rooms.seeded += usize::from(is_seeded);
    }

    fn warn_of_unknown(&self) {
        let rooms = self.read();
        for room in self.config.trace_rooms.iter().filter(|room| !rooms.by_id.contains_key(*room)) {
            warn!(room, "there is no such room to be traced");
        }
        for room in self.config.limits.loudest.rooms().filter(|room| !rooms.by_id.contains_key(*room)) {
            warn!(room, "there is no such room to set the loudest microphones of");
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Rooms> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The room with this id.
    ///
    /// # Errors
    /// When it cannot be an id, or there is no such room.
    pub(crate) fn find(&self, id: &str) -> Result<Arc<Room>, Refusal> {
        if !is_room_id(id) {
            return Err(Refusal::bad_request(
                "roomId: a room id has 1 to 64 characters, each a small letter, a digit or a hyphen.",
            ));
        }
        let room = self.read().by_id.get(id).cloned();
        room.ok_or_else(|| Refusal::new(Code::RoomNotFound, "There is no such room."))
    }

    /// All rooms, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Arc<Room>> + use<> {
        self.read().list.clone().into_iter()
    }

    /// What can be told of each that anybody finds.
    pub(crate) fn list(&self) -> Vec<RoomInfo> {
        let infos = self.iter().map(|room| room.info());
        infos.filter(|room| room.visibility == Visibility::Public).take(MAX_LISTED).collect()
    }

    /// The place of a room in the list.
    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.read().list.iter().position(|room| room.id() == id)
    }

    /// Whether a room came with the server.
    pub(crate) fn is_seeded(&self, id: &str) -> bool {
        let rooms = self.read();
        rooms.list.iter().take(rooms.seeded).any(|room| room.id() == id)
    }

    /// Makes a room for an account.
    ///
    /// # Errors
    /// When there are too many, or the database does not answer.
    pub(crate) async fn create(&self, db: &Database, owner: &Person, about: About) -> Result<Arc<Room>, Refusal> {
        let _turn = self.making.lock().await;
        self.check_limits(&self.config.limits, owner)?;
        let id = new_id(&about.name, about.visibility);
        let about = About { owner: Some(owner.id.clone()), ..about };
        let mut transaction = db.begin().await?;
        about.insert(&id, 0, now_ms()).execute(&mut transaction).await?;
        transaction.commit().await?;
        let room = self.make(id, about);
        self.add(Arc::clone(&room), false);
        self.ground.bell.ring(room.id());
        Ok(room)
    }

    fn check_limits(&self, limits: &Limits, owner: &Person) -> Result<(), Refusal> {
        let (made, own) = {
            let rooms = self.read();
            let own = rooms.list.iter().filter(|room| room.is_owned_by(&owner.id)).count();
            (rooms.list.len() - rooms.seeded, own)
        };
        if made >= limits.made_rooms {
            return Err(Refusal::busy("This server has as many rooms as it can have; use one that is there."));
        }
        if own >= limits.rooms_per_account && !owner.is_admin {
            let most = limits.rooms_per_account;
            let sentence = format!("You have {own} rooms, and {most} are allowed; delete one first.");
            return Err(Refusal::new(Code::Forbidden, sentence));
        }
        Ok(())
    }

    /// Takes a room away: who sits there has to go, and what belonged to it is deleted. What was studied there stays.
    ///
    /// # Errors
    /// When it came with the server.
    pub(crate) async fn delete(&self, db: &Database, room: &Arc<Room>) -> Result<(), Refusal> {
        let _turn = self.making.lock().await;
        if self.is_seeded(room.id()) {
            let sentence = "This room comes with the server and cannot be deleted; make it unlisted, or lock it.";
            return Err(Refusal::new(Code::Forbidden, sentence));
        }
        self.remove(room.id());
        room.close();
        // Behind all that the room has stored, or that would be there again.
        let statements = ["DELETE FROM rooms WHERE id = $1", "DELETE FROM clocks WHERE room_id = $1"];
        db.later().store(statements.map(|sql| Statement::new(sql).text(room.id())).to_vec());
        db.later().finish().await;
        Ok(())
    }

    fn remove(&self, id: &str) {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.by_id.remove(id);
        rooms.list.retain(|other| other.id() != id);
    }

    /// A person is no more.
    pub(crate) fn forget_person(&self, person: &str) {
        for room in self.iter() {
            room.forget_person(person);
        }
    }

    /// What was said, who may do what and who is kept out, as it was when the server ended.
    async fn restore_talk(&self, db: &Database) -> Result<(), sqlx::Error> {
        for room in self.iter() {
            let chat = Chat::new(recent_messages(db, room.id()).await?);
            room.lock().state.chat = chat;
        }
        let sql = "SELECT room_id, user_id, role FROM memberships";
        for row in sqlx::query(sql).fetch_all(db.pool()).await? {
            let Ok(room) = self.find(&row.try_get::<String, _>("room_id")?) else { continue };
            let role = Role::from_stored(&row.try_get::<String, _>("role")?);
            room.lock().state.roles.insert(format!("u:{}", row.try_get::<String, _>("user_id")?), role);
        }
        for row in sqlx::query("SELECT room_id, person FROM passes").fetch_all(db.pool()).await? {
            let Ok(room) = self.find(&row.try_get::<String, _>("room_id")?) else { continue };
            room.lock().state.passes.insert(row.try_get("person")?);
        }
        let sql = "SELECT id, room_id, kind, subject, display_name, reason, created_at_ms, expires_at_ms FROM bans";
        for row in sqlx::query(sql).fetch_all(db.pool()).await? {
            let Ok(room) = self.find(&row.try_get::<String, _>("room_id")?) else { continue };
            let until = row.try_get::<Option<i64>, _>("expires_at_ms")?;
            let until = until.map_or(Until::Ever, |until| Until::Time(until.max(0) as u64));
            let ban = BanFacts {
                id: row.try_get("id")?,
                is_address: row.try_get::<String, _>("kind")? == "address",
                display_name: row.try_get("display_name")?,
                reason: row.try_get("reason")?,
                created_at_ms: row.try_get::<i64, _>("created_at_ms")?.max(0) as u64,
            };
            // More than there can be were never stored.
            let subject: String = row.try_get("subject")?;
            let _ = room.lock().state.kept_out.add(room.studies.now_ms(), &subject, until, Some(ban));
        }
        Ok(())
    }
}

impl Room {
    /// Whether this account made it, or was given it.
    pub(crate) fn is_owned_by(&self, person: &str) -> bool {
        self.lock().state.about.owner.as_deref() == Some(person)
    }

    /// Whether this account made it, or is more than anybody else there.
    pub(crate) fn belongs_to(&self, person: &str) -> bool {
        let inner = self.lock();
        inner.state.about.owner.as_deref() == Some(person) || inner.state.roles.contains_key(person)
    }

    /// The room is gone: nobody comes in any more, and who is there has to go.
    fn close(self: &Arc<Self>) {
        let mut inner = self.lock();
        inner.state.is_closed = true;
        let people: Vec<_> = inner.state.seats().iter().map(|seat| seat.person.clone()).collect();
        drop(inner);
        for person in people {
            self.send_out(&person, "This room was deleted.", None, LeaveReason::Kicked);
        }
    }
}
