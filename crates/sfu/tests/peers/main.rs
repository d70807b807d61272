//! Workers over real loopback sockets with str0m, an independent WebRTC implementation, as their peer: one
//! behaviour a file. Time is real; no test measures it.

mod closing;
mod handshake;
mod hostile;
mod limits;
mod loss;
mod media;
mod paths;
mod pausing;
mod peer;
mod reports;
mod simulcast;
mod speaking;
mod stage;
mod tracing;
mod workers;
