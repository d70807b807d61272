//! Synthetic sound and pictures: what an encoder would hand to RTP, with a proof of wholeness in every payload.

mod opus;
mod stamp;
mod vp8;

pub use opus::OpusSettings;
pub(crate) use opus::{CLOCK_RATE as AUDIO_CLOCK_RATE, Encoded, FRAME as AUDIO_FRAME, Voice};
pub use stamp::Stamp;
pub use vp8::Vp8Settings;
pub(crate) use vp8::{CLOCK_RATE as VIDEO_CLOCK_RATE, Camera, frame_header_len};
