//! Congestion control. Here so far: what a publisher is told about the arrival of its packets, from
//! which its own estimator works.

mod arrival;

pub(crate) use arrival::{Arrivals, FEEDBACK_INTERVAL};
