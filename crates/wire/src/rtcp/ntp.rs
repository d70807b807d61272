//! Wall-clock time as RTCP tells it (RFC 3550 §4). Nothing here reads a clock.

use std::time::Duration;

/// Seconds from 1900-01-01 to 1970-01-01 (RFC 5905 §6).
const UNIX_EPOCH_SECS: u64 = 2_208_988_800;

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// Seconds since 1900-01-01 as 32.32 fixed point; wraps in 2036.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct NtpTime(u64);

impl NtpTime {
    /// The time with this value, as sent.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The value as sent.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// From whole seconds and fractions of 2⁻³² s.
    pub const fn from_parts(secs: u32, frac: u32) -> Self {
        Self((secs as u64) << 32 | frac as u64)
    }

    /// From the time since 1970-01-01. Wraps with the era, so the year 2040 is a small number.
    pub const fn from_system(since_unix_epoch: Duration) -> Self {
        let secs = since_unix_epoch.as_secs().wrapping_add(UNIX_EPOCH_SECS);
        // Below 2³² because the nanoseconds are below one second.
        let frac = ((since_unix_epoch.subsec_nanos() as u64) << 32) / NANOS_PER_SEC;
        Self(secs << 32 | frac)
    }

    /// Time since 1970-01-01. Seconds before 1970 are read as those of the era that starts in 2036
    /// (RFC 4330 §3).
    pub const fn to_unix(self) -> Duration {
        let secs = self.0 >> 32;
        let era = if secs < UNIX_EPOCH_SECS { 1 << 32 } else { 0 };
        // Rounded to the nearest nanosecond, so that a time that came from nanoseconds comes back unchanged.
        let nanos = ((self.0 & 0xffff_ffff) * NANOS_PER_SEC + (1 << 31)) >> 32;
        Duration::from_secs(secs + era - UNIX_EPOCH_SECS).saturating_add(Duration::from_nanos(nanos))
    }

    /// The middle 32 bits, seconds as 16.16 fixed point: what reports refer to (RFC 3550 §6.4.1, LSR).
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_time_comes_back_to_the_nanosecond() {
        for (secs, nanos) in [(0, 0), (1_700_000_000, 1), (1_700_000_000, 999_999_999), (2_085_978_496, 500_000_000)] {
            let time = Duration::new(secs, nanos);
            assert_eq!(NtpTime::from_system(time).to_unix(), time);
        }
    }

    #[test]
    fn the_era_of_2036_starts_again_at_zero() {
        assert_eq!(NtpTime::from_system(Duration::from_secs((1 << 32) - UNIX_EPOCH_SECS)), NtpTime::new(0));
    }

    #[test]
    fn the_example_of_rfc_3550_has_its_middle() {
        // RFC 3550 §6.4.1, figure 2: LSR is 0xb705:2000 of NTP 0xb44db705 20000000.
        assert_eq!(NtpTime::from_parts(0xb44d_b705, 0x2000_0000).middle(), 0xb705_2000);
    }
}
