//! Bytes and JSON of the protocols that a WebRTC media server speaks: RTP, RTCP, STUN, SRTP, payload
//! descriptors and ORTC.
//!
//! Everything here is a pure function of its input: no clock, no socket, no session. Every parser is total.

// Input is hostile here: every access is checked, so that no packet can end the process.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod codec;
mod demux;
pub mod extension;
mod ids;
pub mod ortc;
pub mod red;
pub mod rtcp;
pub mod rtp;
pub mod rtx;
pub mod srtp;
pub mod stun;

pub use demux::*;
pub use ids::*;
