//! Socket.IO: the namespaces, who may open them, and what their events do.

pub mod messages;
#[cfg(test)]
mod typescript;
