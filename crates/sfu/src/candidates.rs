//! Which addresses browsers are told to send media to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tracing::warn;
use wire::ortc::{IceCandidate, IceCandidateType, IceProtocol};

/// How long the machine's own addresses are believed without asking again.
const RECHECK_AFTER: Duration = Duration::from_secs(5);

/// Type preference of host candidates (RFC 8445 §5.1.2.2).
const HOST_PREFERENCE: u32 = 126;

/// Candidates of one transport; more only costs checks.
const MAX_CANDIDATES: usize = 16;

/// Source of candidates for every worker.
pub(crate) struct Candidates {
    announced: Vec<IpAddr>,
    listen: Vec<IpAddr>,
    min_port: u16,
    own: Mutex<Option<(Instant, Vec<IpAddr>)>>,
}

impl Candidates {
    pub(crate) fn new(announced: Vec<IpAddr>, listen: Vec<IpAddr>, min_port: u16) -> Self {
        Self { announced, listen, min_port, own: Mutex::new(None) }
    }

    /// Addresses of worker `index`, best first.
    pub(crate) fn addresses(&self, index: usize) -> Vec<SocketAddr> {
        let port = self.min_port + index as u16;
        let addresses = if self.announced.is_empty() { self.own() } else { self.announced.clone() };
        addresses.into_iter().take(MAX_CANDIDATES).map(|ip| SocketAddr::new(ip, port)).collect()
    }

    /// ICE candidates of worker `index`, best first.
    pub(crate) fn of_worker(&self, index: usize) -> Vec<IceCandidate> {
        self.addresses(index)
            .into_iter()
            .enumerate()
            .map(|(rank, address)| IceCandidate {
                foundation: format!("udp{rank}"),
                priority: HOST_PREFERENCE << 24 | (65_535 - rank as u32) << 8 | 255,
                ip: address.ip().to_string(),
                address: address.ip().to_string(),
                protocol: IceProtocol::Udp,
                port: address.port(),
                candidate_type: IceCandidateType::Host,
                tcp_type: None,
            })
            .collect()
    }

    /// The addresses that are listened on; a wildcard stands for the machine's own of that family.
    fn own(&self) -> Vec<IpAddr> {
        let now = Instant::now();
        let mut cache = self.own.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((at, known)) = &*cache
            && now.saturating_duration_since(*at) < RECHECK_AFTER
        {
            return known.clone();
        }
        let machine = net::local_addresses().unwrap_or_else(|error| {
            warn!(%error, "the machine's addresses cannot be read; set STUDYHALL_ANNOUNCED_IP");
            Vec::new()
        });
        let found = expand(&self.listen, &machine);
        *cache = Some((now, found.clone()));
        found
    }
}

fn expand(listen: &[IpAddr], machine: &[IpAddr]) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for address in listen {
        if address.is_unspecified() {
            let family = machine.iter().filter(|own| own.is_ipv4() == address.is_ipv4());
            found.extend(family.copied());
        } else {
            found.push(*address);
        }
    }
    if found.is_empty() {
        // A machine without a network still serves itself.
        found.extend(listen.iter().map(|address| match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        }));
    }
    let mut seen = Vec::new();
    found.retain(|address| {
        let is_new = !seen.contains(address);
        seen.push(*address);
        is_new
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a test address")
    }

    #[test]
    fn a_wildcard_stands_for_the_machines_own_addresses_of_its_family() {
        let machine = [ip("192.0.2.7"), ip("2001:db8::7")];
        assert_eq!(expand(&[ip("0.0.0.0")], &machine), [ip("192.0.2.7")]);
        assert_eq!(expand(&[ip("0.0.0.0"), ip("::")], &machine), machine);
        assert_eq!(expand(&[ip("0.0.0.0"), ip("::")], &[]), [ip("127.0.0.1"), ip("::1")]);
        assert_eq!(expand(&[ip("198.51.100.1"), ip("0.0.0.0")], &[]), [ip("198.51.100.1")]);
    }

    #[test]
    fn an_announced_address_is_all_that_is_named_and_the_port_is_the_workers() {
        let candidates = Candidates::new(vec![ip("203.0.113.9")], vec![ip("0.0.0.0")], 10_000);
        let of_third = candidates.of_worker(2);
        assert_eq!(of_third.len(), 1);
        assert_eq!((of_third[0].address.as_str(), of_third[0].port), ("203.0.113.9", 10_002));
    }
}
