//! All rooms of this server. They are in memory and there from the start.

use std::collections::HashMap;
use std::sync::Arc;

use sfu::Workers;

use super::Room;
use super::state::State;
use crate::config::Limits;
use crate::error::{Code, Refusal};
use crate::signal::lobby::Bell;
use crate::signal::messages::RoomInfo;

/// Longest room id: a slug, `[a-z0-9-]{1,64}`.
const MAX_ROOM_ID: usize = 64;

/// All rooms.
pub(crate) struct Registry {
    /// In the order of the list.
    rooms: Vec<Arc<Room>>,
    by_id: HashMap<String, usize>,
}

impl Registry {
    /// "Study Room 1" to as many as there shall be.
    pub(crate) fn seeded(limits: &Limits, workers: &Arc<Workers>, bell: &Arc<Bell>) -> Self {
        let rooms: Vec<_> = (1..=limits.rooms)
            .map(|number| {
                let id = format!("study-room-{number}");
                let name = format!("Study Room {number}");
                let state = State::new(id, name, String::new(), limits.room_capacity);
                Room::new(state, limits.loudest, Arc::clone(workers), Arc::clone(bell))
            })
            .collect();
        let by_id = rooms.iter().enumerate().map(|(index, room)| (room.id().to_owned(), index)).collect();
        Self { rooms, by_id }
    }

    /// The room with this id.
    ///
    /// # Errors
    /// When it cannot be an id, or there is no such room.
    pub(crate) fn find(&self, id: &str) -> Result<&Arc<Room>, Refusal> {
        let is_slug = !id.is_empty()
            && id.len() <= MAX_ROOM_ID
            && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_slug {
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
