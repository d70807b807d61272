//! What the machine tells about itself: its addresses, and the processor time that was used.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;
use std::time::Duration;

/// Processor time of the whole process, all threads.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CpuTimes {
    /// Spent in our own code.
    pub user: Duration,
    /// Spent in the kernel for us.
    pub system: Duration,
}

/// Processor time, user and system together, that the calling thread has used.
pub fn thread_cpu_time() -> io::Result<Duration> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: `time` is writable for a whole timespec.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr()) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, and then the kernel has filled `time`.
    let time = unsafe { time.assume_init() };
    Ok(Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0)))
}

/// Processor time that the process has used since its start.
pub fn process_cpu_times() -> io::Result<CpuTimes> {
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: `usage` is writable for a whole rusage.
    let answer = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, and then the kernel has filled `usage`.
    let usage = unsafe { usage.assume_init() };
    let duration = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs())
            + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    Ok(CpuTimes { user: duration(usage.ru_utime), system: duration(usage.ru_stime) })
}

/// The addresses that others may reach this machine at: unicast, of interfaces that are up, in the system's order.
/// Loopback and link-local ones are left out; private and unique-local ones are in, they serve the local network.
pub fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for address in Interfaces::list()?.addresses() {
        if is_reachable(address) && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

fn is_reachable(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !link_local && !address.is_loopback() && !address.is_multicast() && !address.is_unspecified()
}

/// The list of getifaddrs(3), freed on drop.
struct Interfaces(*mut libc::ifaddrs);

impl Interfaces {
    fn list() -> io::Result<Self> {
        let mut first = ptr::null_mut();
        // SAFETY: `first` is writable for one pointer.
        let answer = unsafe { libc::getifaddrs(&raw mut first) };
        if answer == 0 { Ok(Self(first)) } else { Err(io::Error::last_os_error()) }
    }

    fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let mut next = self.0;
        std::iter::from_fn(move || {
            // SAFETY: `next` is null or an entry of the list, which lives as long as `self`.
            let entry = unsafe { next.as_ref() }?;
            next = entry.ifa_next;
            Some(entry)
        })
        .filter(|entry| entry.ifa_flags & (libc::IFF_UP as libc::c_uint) != 0)
        .filter_map(|entry| Self::address(entry.ifa_addr))
    }

    fn address(name: *const libc::sockaddr) -> Option<IpAddr> {
        // SAFETY: `name` is null or points to a socket address of the list, which starts with its family.
        let family = unsafe { name.as_ref() }?.sa_family;
        match libc::c_int::from(family) {
            libc::AF_INET => {
                // SAFETY: the family says that this is a whole sockaddr_in; malloc aligned it.
                let v4 = unsafe { &*name.cast::<libc::sockaddr_in>() };
                Some(Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes()).into())
            }
            libc::AF_INET6 => {
                // SAFETY: the family says that this is a whole sockaddr_in6; malloc aligned it.
                let v6 = unsafe { &*name.cast::<libc::sockaddr_in6>() };
                Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
            }
            _ => None,
        }
    }
}

impl Drop for Interfaces {
    fn drop(&mut self) {
        // SAFETY: the list came from getifaddrs and is freed once, here.
        unsafe { libc::freeifaddrs(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_others_can_reach_are_told() {
        let cases = [
            ("127.0.0.1", false),
            ("::1", false),
            ("169.254.3.4", false),
            ("fe80::1", false),
            ("0.0.0.0", false),
            ("::", false),
            ("224.0.0.1", false),
            ("ff02::1", false),
            ("192.168.1.5", true),
            ("203.0.113.7", true),
            ("fd00::2", true),
            ("2001:db8::1", true),
        ];
        for (address, expected) in cases {
            assert_eq!(is_reachable(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn every_told_address_can_be_bound() {
        for address in local_addresses().unwrap() {
            std::net::UdpSocket::bind((address, 0)).unwrap_or_else(|error| panic!("{address}: {error}"));
        }
    }

    #[test]
    fn the_list_of_interfaces_holds_loopback() {
        let list = Interfaces::list().unwrap();
        assert!(list.addresses().any(|address| address.is_loopback()), "every machine with a network has one");
    }

    #[test]
    fn work_costs_processor_time() {
        let (thread, process) = (thread_cpu_time().unwrap(), process_cpu_times().unwrap());
        let mut sum = 0u64;
        // Until the clock has moved, however coarse it is; a clock that stands still hangs the test.
        while thread_cpu_time().unwrap() == thread || process_cpu_times().unwrap() == process {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(thread_cpu_time().unwrap() > thread);
    }
}
