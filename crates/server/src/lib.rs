//! Shared study rooms: people, rooms, HTTP and Socket.IO over the media server of the `sfu` crate.

pub mod http;
pub mod signal;
