//! What each fuzz target does with its bytes. The functions are here and not in the targets, so that the kept
//! corpora also run as an ordinary test, without a fuzzer.

mod congestion;
mod media;
mod ortc;
mod payload;
mod protection;

pub use congestion::congestion;
pub use media::{red_rtx, rtcp, rtp};
pub use ortc::ortc;
pub use payload::{av1_opus, dependency_descriptor, h264, vp8, vp9};
pub use protection::{STUN_PASSWORD, srtp, stun};

/// A fuzz target: its name and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 12] = [
    ("rtp", rtp),
    ("rtcp", rtcp),
    ("red_rtx", red_rtx),
    ("stun", stun),
    ("srtp", srtp),
    ("vp8", vp8),
    ("vp9", vp9),
    ("h264", h264),
    ("av1_opus", av1_opus),
    ("dependency_descriptor", dependency_descriptor),
    ("ortc", ortc),
    ("congestion", congestion),
];
