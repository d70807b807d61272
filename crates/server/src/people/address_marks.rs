//! Marks of networks: what a ban remembers instead of an address. A mark is a keyed hash; each key is used for thirty days and
//! looked for in the thirty after, so marks of different months cannot be compared, and a ban by network ends by itself.

use std::net::IpAddr;

use aws_lc_rs::hmac;

use super::hexadecimal;
use crate::signal::limits::household;

/// How long a key is used.
const PERIOD_MS: u64 = 30 * 24 * 3_600_000;
/// How long a mark is found again at least.
pub(crate) const MARKS_LAST_MS: u64 = PERIOD_MS;

/// What the network of somebody is remembered by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Marks {
    /// By the present key; what is stored.
    pub(crate) present: String,
    /// By the key before.
    pub(crate) before: String,
}

/// Makes marks. The keys follow from the server's own.
pub(crate) struct Marking {
    key: hmac::Key,
}

impl Marking {
    /// With the key that signs tokens.
    pub(crate) fn new(signing_key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, signing_key) }
    }

    /// The marks of the network that this address is in.
    pub(crate) fn marks(&self, now_ms: u64, address: IpAddr) -> Marks {
        let network = household(address).to_string();
        let mark = |period: u64| {
            let key = hmac::sign(&self.key, format!("networks of period {period}").as_bytes());
            let mark = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), network.as_bytes());
            format!("n:{}", hexadecimal(&mark.as_ref()[..16]))
        };
        let period = now_ms / PERIOD_MS;
        Marks { present: mark(period), before: mark(period.saturating_sub(1)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(marking: &Marking, period: u64, address: &str) -> Marks {
        marking.marks(period * PERIOD_MS + 5, address.parse().unwrap())
    }

    #[test]
    fn a_network_is_known_again_in_the_period_after_and_not_later() {
        let marking = Marking::new(b"a key of the server");
        let first = at(&marking, 7, "192.0.2.1");
        assert_eq!(at(&marking, 7, "192.0.2.1"), first);
        assert_eq!(at(&marking, 7, "::ffff:192.0.2.1"), first);
        assert_eq!(at(&marking, 8, "192.0.2.1").before, first.present);
        let later = at(&marking, 9, "192.0.2.1");
        assert!(later.before != first.present && later.present != first.present);
        assert_ne!(at(&marking, 7, "192.0.2.2").present, first.present);
        assert_eq!(at(&marking, 7, "2001:db8::1").present, at(&marking, 7, "2001:db8::2").present);
        assert_ne!(at(&Marking::new(b"another key"), 7, "192.0.2.1").present, first.present);
        assert!(!first.present.contains("192"));
    }
}
