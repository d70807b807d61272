//! RTP header extensions (RFC 8285): which there are, where they lie in a packet, what they say, and how an
//! extension block is written. Which id means which extension is negotiated in `ortc`.

mod elements;
mod kind;
mod layers;
mod value;
mod writer;

pub use elements::Extensions;
pub use kind::{ExtensionKind, ExtensionMap};
pub use layers::{
    LayerAllocation, LayerResolution, MAX_ALLOCATED_LAYERS, MAX_TEMPORAL_LAYERS, VideoLayersAllocation,
    read_video_layers_allocation, write_video_layers_allocation,
};
pub use value::{
    AbsCaptureTime, AudioLevel, MAX_PLAYOUT_DELAY, PlayoutDelay, VideoOrientation, abs_send_time_bytes,
    audio_level_bytes, playout_delay_bytes, read_abs_capture_time, read_abs_send_time, read_audio_level,
    read_playout_delay, read_toffset, read_u16, read_video_orientation, toffset_bytes, video_orientation_bytes,
    write_abs_capture_time,
};
pub use writer::{ExtensionForm, ExtensionWriter};

/// Profile of a block of one-byte elements (RFC 8285 §4.2).
const ONE_BYTE_PROFILE: u16 = 0xbede;

/// Profile of a block of two-byte elements; the low four bits are the application's (RFC 8285 §4.3).
const TWO_BYTE_PROFILE: u16 = 0x1000;
const TWO_BYTE_PROFILE_MASK: u16 = 0xfff0;

/// In the one-byte form this id ends the scan and is never given out (RFC 8285 §4.2).
const ONE_BYTE_RESERVED_ID: u8 = 15;
