//! The floor: receive, decrypt, then for each receiver write a header, copy, encrypt, send. No tables, no state.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket as StdSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use net::{Inbox, Outgoing, Poller, Sender, SocketOptions, UdpSocket};
use wire::rtp::{HeaderFields, RtpHeader, write_header};
use wire::srtp::{MasterKey, SrtpProfile, SrtpReceiver, SrtpSender};
use wire::{ExtSeqNo, Ssrc};

use crate::cpu::{Cost, Thread};
use crate::source::Source;

const PROFILE: SrtpProfile = SrtpProfile::AeadAes256Gcm;

/// A header extension of the size that a receiver gets: MID and a transport-wide number.
const EXTENSION: [u8; 12] = [0xBE, 0xDE, 0, 2, 0x40, b'0', 0x21, 0, 1, 0, 0, 0];

/// As the worker's.
const RECEIVE_BATCH: usize = 64;
const SEND_BATCH: usize = 64;
const RUN: usize = 16;
const BUFFER: usize = 4 * 1024 * 1024;

fn master(seed: u8) -> MasterKey {
    MasterKey::new(&vec![seed; PROFILE.key_len()], &vec![seed; PROFILE.salt_len()])
}

pub(crate) fn measure(
    audience: usize,
    burst: usize,
    out_per_second: usize,
    time: Duration,
) -> Result<Cost, Box<dyn std::error::Error>> {
    let options = SocketOptions { receive_buffer: BUFFER, send_buffer: BUFFER };
    let socket = UdpSocket::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0), &options)?;
    let sinks: Vec<StdSocket> = (0..audience).map(|_| StdSocket::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let peers = sinks.iter().map(StdSocket::local_addr).collect::<Result<Vec<_>, _>>()?;
    let source_socket = StdSocket::bind("127.0.0.1:0")?;
    source_socket.connect(socket.local_addr())?;
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (ready, is_ready) = mpsc::channel();
    let (thread_stop, thread_sent) = (Arc::clone(&stop), Arc::clone(&sent));
    let floor = thread::Builder::new().name("floor".to_owned()).spawn(move || {
        let _ = ready.send(());
        run(&socket, &peers, &thread_stop, &thread_sent)
    })?;
    is_ready.recv()?;
    let thread = Thread::named("floor")?;
    let sender = SrtpSender::new(PROFILE, &master(1))?;
    let mut source = Source::with(source_socket, sender, burst, out_per_second / audience);
    source.run(Duration::from_millis(500), |_| {});
    let (before, sent_before) = (thread.times()?, sent.load(Ordering::Relaxed));
    source.run(time, |_| {});
    let (after, sent_after) = (thread.times()?, sent.load(Ordering::Relaxed));
    stop.store(true, Ordering::Relaxed);
    // One more packet wakes it.
    source.run(Duration::from_millis(1), |_| {});
    floor.join().map_err(|_| "the floor panicked")??;
    Ok(Cost::between(&before, &after, sent_after - sent_before))
}

fn run(socket: &UdpSocket, peers: &[SocketAddr], stop: &AtomicBool, sent: &AtomicU64) -> std::io::Result<()> {
    let mut poller = Poller::new()?;
    poller.add(socket, 0)?;
    let mut inbox = Inbox::new(RECEIVE_BATCH);
    let mut sender = Sender::new(SEND_BATCH);
    let mut receiver = SrtpReceiver::new(PROFILE, &master(1)).map_err(std::io::Error::other)?;
    let mut keys: Vec<SrtpSender> = (0..peers.len())
        .map(|peer| SrtpSender::new(PROFILE, &master(peer as u8)))
        .collect::<Result<_, _>>()
        .map_err(std::io::Error::other)?;
    let mut arena: Vec<u8> = Vec::with_capacity(1 << 21);
    let mut packets: Vec<(RtpHeader, ExtSeqNo, Vec<u8>)> = Vec::with_capacity(RUN);
    let mut spare: Vec<Vec<u8>> = (0..RUN).map(|_| Vec::with_capacity(2048)).collect();
    let mut runs: Vec<(SocketAddr, usize, usize, u16)> = Vec::with_capacity(1024);
    while !stop.load(Ordering::Relaxed) {
        poller.wait(None)?;
        let now = Instant::now();
        inbox.receive(socket, now)?;
        for datagram in inbox.datagrams() {
            let Ok(header) = RtpHeader::parse(datagram.bytes) else { continue };
            let Ok((len, seq)) = receiver.unprotect_rtp(datagram.bytes, &header) else { continue };
            let mut stored = spare.pop().unwrap_or_default();
            stored.clear();
            stored.extend_from_slice(&datagram.bytes[12..len]);
            packets.push((header, seq, stored));
            if packets.len() == RUN {
                write_all(&mut packets, &mut keys, peers, &mut arena, &mut runs);
                spare.extend(packets.drain(..).map(|(_, _, bytes)| bytes));
            }
        }
        write_all(&mut packets, &mut keys, peers, &mut arena, &mut runs);
        spare.extend(packets.drain(..).map(|(_, _, bytes)| bytes));
        let messages = runs.iter().map(|&(peer, start, end, segment)| Outgoing {
            peer,
            local: None,
            bytes: &arena[start..end],
            segment: Some(segment),
        });
        let outcome = sender.send(socket, messages);
        sent.fetch_add(outcome.sent as u64, Ordering::Relaxed);
        arena.clear();
        runs.clear();
    }
    Ok(())
}

fn write_all(
    packets: &mut [(RtpHeader, ExtSeqNo, Vec<u8>)],
    keys: &mut [SrtpSender],
    peers: &[SocketAddr],
    arena: &mut Vec<u8>,
    runs: &mut Vec<(SocketAddr, usize, usize, u16)>,
) {
    if packets.is_empty() {
        return;
    }
    for (index, (key, peer)) in keys.iter_mut().zip(peers).enumerate() {
        let run = arena.len();
        let mut segment = 0;
        for (header, seq, payload) in packets.iter() {
            let start = arena.len();
            let fields = HeaderFields {
                marker: header.marker,
                payload_type: header.payload_type,
                seq: seq.truncate(),
                timestamp: header.timestamp,
                ssrc: Ssrc::new(index as u32 + 1),
            };
            write_header(arena, &fields, true, false);
            arena.extend_from_slice(&EXTENSION);
            arena.extend_from_slice(payload);
            let _ = key.protect_rtp(arena, start, 12 + EXTENSION.len(), *seq);
            segment = (arena.len() - start) as u16;
        }
        runs.push((*peer, run, arena.len(), segment));
    }
}
