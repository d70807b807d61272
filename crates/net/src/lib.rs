//! Datagram batches, poll and wake: the sockets of a worker thread, and the only `unsafe` of the project.
//!
//! Speaks `std` types only (`SocketAddr`, `&[u8]`, `Instant`) and knows nothing of what the bytes mean. On Linux a
//! batch is one `recvmmsg` or `sendmmsg` call with segmentation offload; elsewhere [`portable`] does the same one
//! datagram at a time. [`Inbox`] and [`Sender`] are the ones of the platform built for.

#[cfg(target_os = "linux")]
mod batch;
mod datagram;
mod machine;
mod poll;
pub mod portable;
mod udp;

#[cfg(target_os = "linux")]
pub use batch::{Inbox, Sender};
pub use datagram::{MAX_DATAGRAM_BYTES, Outgoing, Received, SendOutcome};
pub use machine::{CpuTimes, local_addresses, process_cpu_times, thread_cpu_time};
pub use poll::{Poller, Waker};
#[cfg(not(target_os = "linux"))]
pub use portable::{Inbox, Sender};
pub use udp::{BindError, SocketOptions, UdpSocket};
