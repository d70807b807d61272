//! All rooms of this server. They are in memory and there from the start.

use std::collections::HashMap;
use std::sync::Arc;

use sfu::Workers;
use tracing::warn;

use super::state::State;
use super::{Room, RoomOptions, Studies};
use crate::config::Config;
use crate::db::{Database, Later};
use crate::error::{Code, Refusal};
use crate::signal::lobby::Bell;
use crate::signal::messages::RoomInfo;

/// Longest room id: a slug, `[a-z0-9-]{1,64}`.
const MAX_ROOM_ID: usize = 64;

/// Whether a room can be called so.
pub(crate) fn is_room_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= MAX_ROOM_ID
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// All rooms.
pub(crate) struct Registry {
    /// In the order of the list.
    rooms: Vec<Arc<Room>>,
    by_id: HashMap<String, usize>,
}

impl Registry {
    /// "Study Room 1" to as many as there shall be.
    pub(crate) fn seeded(
        config: &Config,
        workers: &Arc<Workers>,
        bell: &Arc<Bell>,
        studies: &Arc<Studies>,
        later: &Later,
    ) -> Self {
        let limits = &config.limits;
        let rooms: Vec<_> = (1..=limits.rooms)
            .map(|number| {
                let id = format!("study-room-{number}");
                let name = format!("Study Room {number}");
                let options = RoomOptions {
                    loudest: limits.loudest.of(&id),
                    is_traced: config.trace_rooms.contains(&id),
                    studies: Arc::clone(studies),
                    grace: config.resume_grace,
                    later: later.clone(),
                };
                let state = State::new(id, name, String::new(), limits.room_capacity);
                Room::new(state, options, Arc::clone(workers), Arc::clone(bell))
            })
            .collect();
        let by_id: HashMap<_, _> =
            rooms.iter().enumerate().map(|(index, room)| (room.id().to_owned(), index)).collect();
        for room in config.trace_rooms.iter().filter(|room| !by_id.contains_key(*room)) {
            warn!(room, "there is no such room to be traced");
        }
        for room in limits.loudest.rooms().filter(|room| !by_id.contains_key(*room)) {
            warn!(room, "there is no such room to set the loudest microphones of");
        }
        Self { rooms, by_id }
    }

    /// Has the database know of all rooms, so that what belongs to them can be stored.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn keep(&self, db: &Database) -> Result<(), sqlx::Error> {
        let sql = "INSERT INTO rooms (id, position, name, capacity, policy, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6) \
                   ON CONFLICT (id) DO NOTHING";
        let mut transaction = db.begin().await?;
        for (index, room) in self.rooms.iter().enumerate() {
            let info = room.info();
            let policy = serde_json::to_string(&info.policy).unwrap_or_default();
            let query =
                sqlx::query(sql).bind(info.id).bind(index as i64 + 1).bind(info.name).bind(i64::from(info.capacity));
            query.bind(policy).bind(crate::clock::now_ms() as i64).execute(&mut *transaction).await?;
        }
        transaction.commit().await
    }

    /// The room with this id.
    ///
    /// # Errors
    /// When it cannot be an id, or there is no such room.
    pub(crate) fn find(&self, id: &str) -> Result<&Arc<Room>, Refusal> {
        if !is_room_id(id) {
            return Err(Refusal::bad_request(
                "roomId: a room id has 1 to 64 characters, each a small letter, a digit or a hyphen.",
            ));
        }
        let index = self.by_id.get(id);
        index.map(|index| &self.rooms[*index]).ok_or_else(|| Refusal::new(Code::RoomNotFound, "There is no such room."))
    }

    /// All rooms, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Room>> {
        self.rooms.iter()
    }

    /// What can be told of each.
    pub(crate) fn list(&self) -> Vec<RoomInfo> {
        self.iter().map(|room| room.info()).collect()
    }

    /// The place of a room in the list.
    pub(crate) fn position(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }
}
