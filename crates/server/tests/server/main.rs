//! The server as its clients meet it: over real HTTP and Socket.IO, with real media workers, on ports of its own.
//!
//! Nothing here waits for time to pass: every wait is for an event, with a limit after which the test fails.

// Helpers of tests are tests too; clippy knows only functions marked as such.
#![allow(clippy::unwrap_used)]

mod accounts;
mod client;
mod data;
mod harness;
mod http;
mod joining;
mod leaving;
mod lifecycle;
mod limits;
mod media;
mod oidc;
mod openapi;
mod operations;
mod order;
mod own_data;
mod peer;
mod people;
mod policies;
mod resume;
mod rooms;
mod speaking;
mod stats;
mod storage;
mod study;
mod talking;
mod timer;
mod webhooks;
