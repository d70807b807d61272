//! RTCP, read in place and written packet by packet (RFC 3550 §6).

mod ntp;

pub use ntp::NtpTime;
