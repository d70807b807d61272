//! Rates: token buckets, told the time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::config::Limits;

/// How often something may happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    /// At once.
    burst: f64,
    /// In the long run.
    per_second: f64,
}

impl Rate {
    /// `count` in `period`, and `burst` at once.
    pub(crate) fn new(count: u32, period: Duration, burst: u32) -> Self {
        Self { burst: f64::from(burst), per_second: f64::from(count) / period.as_secs_f64() }
    }
}

/// What is left of a rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(now: Instant, rate: Rate) -> Self {
        Self { level: rate.burst, filled_at: now }
    }

    /// Takes one; or says when there will be one again.
    ///
    /// # Errors
    /// When it is empty; nothing is taken then.
    pub(crate) fn take(&mut self, now: Instant, rate: Rate) -> Result<(), Duration> {
        self.fill(now, rate);
        if self.level >= 1.0 {
            self.level -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.level) / rate.per_second))
    }

    fn fill(&mut self, now: Instant, rate: Rate) {
        let elapsed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.level = (self.level + elapsed * rate.per_second).min(rate.burst);
        self.filled_at = self.filled_at.max(now);
    }

    fn is_full(&self, rate: Rate) -> bool {
        self.level >= rate.burst
    }
}

/// What an event is about: each kind has a rate of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EventKind {
    /// Sound and pictures.
    Media,
    /// Messages.
    Chat,
    /// All else.
    Other,
}

/// The rates of one participant: media have one of their own, so that chat cannot stop a picture.
#[derive(Debug)]
pub(crate) struct ParticipantRates {
    media: (Rate, Bucket),
    chat: (Rate, Bucket),
    other: (Rate, Bucket),
}

impl ParticipantRates {
    /// Full ones.
    pub(crate) fn new(now: Instant, limits: &Limits) -> Self {
        let ten_seconds = Duration::from_secs(10);
        let media = Rate::new(limits.media_events_per_10s, ten_seconds, limits.media_events_burst);
        let other = Rate::new(limits.other_events_per_10s, ten_seconds, limits.other_events_per_10s);
        let chat = Rate::new(limits.chat_messages_per_10s, ten_seconds, limits.chat_messages_per_10s);
        let full = |rate| (rate, Bucket::full(now, rate));
        Self { media: full(media), chat: full(chat), other: full(other) }
    }

    /// Takes one event.
    ///
    /// # Errors
    /// When there were too many: how long to wait.
    pub(crate) fn take(&mut self, now: Instant, kind: EventKind) -> Result<(), Duration> {
        let (rate, bucket) = match kind {
            EventKind::Media => &mut self.media,
            EventKind::Chat => &mut self.chat,
            EventKind::Other => &mut self.other,
        };
        bucket.take(now, *rate)
    }
}

/// Addresses that are remembered at the same time.
const MAX_ADDRESSES: usize = 65_536;

/// A rate for each address. Addresses are in memory only, and only until their bucket is full again.
#[derive(Debug)]
pub(crate) struct AddressRates {
    rate: Rate,
    buckets: HashMap<IpAddr, Bucket>,
}

impl AddressRates {
    /// Nobody came yet.
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, buckets: HashMap::new() }
    }

    /// Takes one for this address.
    ///
    /// # Errors
    /// When there were too many, or too many addresses at the same time: how long to wait.
    pub(crate) fn take(&mut self, now: Instant, address: IpAddr) -> Result<(), Duration> {
        let rate = self.rate;
        let key = household(address);
        if !self.buckets.contains_key(&key) && self.buckets.len() >= MAX_ADDRESSES {
            self.buckets.retain(|_, bucket| {
                bucket.fill(now, rate);
                !bucket.is_full(rate)
            });
            if self.buckets.len() >= MAX_ADDRESSES {
                return Err(Duration::from_secs(1));
            }
        }
        self.buckets.entry(key).or_insert_with(|| Bucket::full(now, rate)).take(now, rate)
    }
}

/// One household has one IPv4 address, or 2^64 IPv6 addresses (RFC 6177).
pub(crate) fn household(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let start = Instant::now();
        let rate = Rate::new(200, seconds(10), 400);
        let mut bucket = Bucket::full(start, rate);
        for _ in 0..400 {
            assert_eq!(bucket.take(start, rate), Ok(()));
        }
        let wait = bucket.take(start, rate).unwrap_err();
        assert_eq!(wait, Duration::from_millis(50));
        assert_eq!(bucket.take(start + wait, rate), Ok(()));
        assert!(bucket.take(start + wait, rate).is_err());
        let passed = (0..1000).filter(|_| bucket.take(start + seconds(11), rate).is_ok()).count();
        assert!((218..=220).contains(&passed), "{passed}");
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_burst() {
        let start = Instant::now();
        let rate = Rate::new(10, seconds(1), 5);
        let mut bucket = Bucket::full(start, rate);
        let later = start + seconds(3600);
        assert_eq!((0..100).filter(|_| bucket.take(later, rate).is_ok()).count(), 5);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        let start = Instant::now() + seconds(10);
        let rate = Rate::new(1, seconds(1), 1);
        let mut bucket = Bucket::full(start, rate);
        assert!(bucket.take(start, rate).is_ok());
        assert!(bucket.take(start - seconds(5), rate).is_err());
        assert!(bucket.take(start, rate).is_err());
    }

    #[test]
    fn media_chat_and_other_events_do_not_share_a_rate() {
        let now = Instant::now();
        let mut rates = ParticipantRates::new(now, &Config::default().limits);
        for (kind, count) in [(EventKind::Chat, 10), (EventKind::Other, 50), (EventKind::Media, 400)] {
            assert_eq!((0..1000).filter(|_| rates.take(now, kind).is_ok()).count(), count);
        }
    }

    #[test]
    fn one_address_cannot_use_up_the_rate_of_another() {
        let now = Instant::now();
        let mut rates = AddressRates::new(Rate::new(2, seconds(60), 2));
        let (one, two) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert!(rates.take(now, one).is_ok() && rates.take(now, one).is_ok());
        assert!(rates.take(now, one).is_err());
        assert!(rates.take(now, two).is_ok());
    }

    #[test]
    fn the_addresses_of_one_household_are_one() {
        let now = Instant::now();
        let mut rates = AddressRates::new(Rate::new(1, seconds(60), 1));
        let mut take = |address: &str| rates.take(now, address.parse().unwrap()).is_ok();
        assert!(take("2001:db8:0:1::1"));
        assert!(!take("2001:db8:0:1:ffff::2"));
        assert!(take("2001:db8:0:2::1"));
        assert!(take("::ffff:192.0.2.1"));
        assert!(!take("192.0.2.1"));
    }

    #[test]
    fn no_more_addresses_are_remembered_than_the_limit_and_idle_ones_make_room() {
        let now = Instant::now();
        let mut rates = AddressRates::new(Rate::new(1, seconds(60), 1));
        for number in 0..MAX_ADDRESSES as u32 {
            assert!(rates.take(now, IpAddr::V4((0x0a00_0000 + number).into())).is_ok());
        }
        let newcomer = "192.0.2.1".parse().unwrap();
        assert!(rates.take(now, newcomer).is_err());
        assert_eq!(rates.buckets.len(), MAX_ADDRESSES);
        assert!(rates.take(now + seconds(61), newcomer).is_ok());
        assert_eq!(rates.buckets.len(), 1);
    }
}
