//! Simulated rooms: what participants see and hear of each other through one worker, whatever the network does.
//! One behaviour a file.

mod allocation;
mod audio;
mod closing;
mod conditions;
mod congestion;
mod connection;
mod determinism;
mod estimates;
mod keyframes;
mod meeting;
mod observers;
mod pausing;
mod redundancy;
mod repair;
mod scores;
mod silence;
mod sim;
mod simulcast;
mod stats;
mod strangers;
mod trace;
mod viewport;
