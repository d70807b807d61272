//! HTTP: the REST interface, health, and the embedded web client.

pub mod messages;
