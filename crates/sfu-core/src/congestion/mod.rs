//! Congestion control: what a publisher is told about the arrival of its packets, from which its own estimator works; and
//! what a viewer's link carries, and who gets how much of it.

mod acknowledged;
mod aimd;
mod allocate;
mod alr;
mod arrival;
mod downlink;
mod estimator;
#[cfg(feature = "fuzzing")]
mod fuzzing;
mod loss;
mod pacer;
mod probe;
mod raising;
mod sent;
mod standing;
mod trendline;

pub(crate) use allocate::{Budget, Claim, Rank, Step, allocate};
pub(crate) use arrival::{Arrivals, FEEDBACK_INTERVAL};
pub use downlink::{Bandwidth, BandwidthState};
pub(crate) use downlink::{Downlink, Paced};
pub use estimator::{BitrateLimits, EstimateStats};
#[cfg(feature = "fuzzing")]
pub use fuzzing::drive;
pub(crate) use raising::Raising;
