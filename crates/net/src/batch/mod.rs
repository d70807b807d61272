//! Batches of datagrams on Linux: one `recvmmsg` or `sendmmsg` for many, everything allocated at the start.

mod control;
mod inbox;
mod name;
mod sender;
mod slab;

pub use inbox::Inbox;
pub use sender::Sender;
