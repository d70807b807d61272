//! The congestion control of a viewer's link.

use std::time::Instant;

/// Sends, feedback and the time that goes on between them, read from `data`.
pub fn congestion(data: &[u8]) {
    // There is no other way to make an instant; everything else is counted from it.
    sfu_core::drive_congestion(Instant::now(), data);
}
