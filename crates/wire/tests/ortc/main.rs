//! ORTC against what real browsers say: `data/ortc` holds capabilities and parameters as Chromium and Firefox gave
//! them, through two versions of mediasoup-client and, as `native`, read from their session descriptions.

mod browsers;
mod capabilities;
mod mutations;
mod negotiation;
mod records;
mod validation;
