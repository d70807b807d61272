//! Who of a room is heard and who leads the conversation, told by the levels that senders write beside their audio. Pure:
//! told the time, bounded by the number of microphones, without allocation on the way of a packet.

mod dominant;
mod levels;
mod loudest;
#[cfg(test)]
mod simulation;

pub(crate) use dominant::{DECISION_INTERVAL, Dominant};
pub(crate) use levels::Levels;
pub(crate) use loudest::Loudest;

/// Names a microphone within its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MicId(pub(crate) u32);
