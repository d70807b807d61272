//! Forwarding allocates nothing once everybody is there: received packets, retransmissions and feedback included.

mod full_room;

use std::time::Duration;

use allocation_counter::measure;
use sfu_core::BitrateLimits;
use wire::rtcp::write_nack;
use wire::{SeqNo, Ssrc};

use self::full_room::{Arrivals, FIRST_VIEWER_PORT, FIRST_VIEWER_SSRC, PUBLISHER_PORT, Room, packet, packet_of};

const VIEWERS: usize = 50;

/// Packets that fill every ring to its lasting size: several seconds of video.
const WARM_UP: u64 = 6_000;

/// Packets counted.
const COUNTED: u64 = 3_000;

/// Datagrams of one turn, made beforehand: what peers do is not counted.
struct Turn {
    media: Vec<Vec<u8>>,
    nack: Vec<u8>,
}

#[test]
fn no_allocation_per_forwarded_packet_after_warm_up() {
    let (mut room, mut publisher, mut viewers) = Room::with_viewers(VIEWERS);
    let mut number = 1000;
    let mut last_sent = SeqNo::new(0);
    let mut run = |room: &mut Room, packets: u64| {
        let (mut allocations, mut sent) = (0, 0);
        for _ in 0..packets / 3 {
            let media = (0..3)
                .map(|_| {
                    number += 1;
                    packet(&mut publisher, number)
                })
                .collect();
            // A viewer asks for the last packet it got and for one that lies a little back.
            let mut nack = Vec::new();
            let back = SeqNo::new(last_sent.get().wrapping_sub(20));
            write_nack(&mut nack, Ssrc::new(1), Ssrc::new(FIRST_VIEWER_SSRC), [back, last_sent]);
            viewers[0].protect_rtcp(&mut nack, 0).expect("a whole packet");
            let mut turn = Turn { media, nack };
            room.now += Duration::from_millis(4);
            let counted = measure(|| {
                for bytes in &mut turn.media {
                    room.hand_in(PUBLISHER_PORT, bytes);
                }
                room.hand_in(FIRST_VIEWER_PORT, &mut turn.nack);
                room.worker.handle_timeout(room.now, &mut room.out);
            });
            allocations += counted.count_total;
            sent += room.out.queued().len();
            last_sent = newest_to_first_viewer(room).unwrap_or(last_sent);
            room.out.clear();
        }
        (allocations, sent)
    };
    run(&mut room, WARM_UP);
    let (allocations, sent) = run(&mut room, COUNTED);
    // Every packet to every viewer, and retransmissions, feedback and reports beside them.
    assert!(sent as u64 > COUNTED * VIEWERS as u64 + COUNTED / 6, "only {sent} datagrams were sent");
    assert_eq!(allocations, 0, "for {sent} datagrams");
}

/// The number of the last media packet to the first viewer: RTP headers are not encrypted.
fn newest_to_first_viewer(room: &Room) -> Option<SeqNo> {
    let ours = room.out.datagrams().filter(|(path, _)| path.peer.port() == FIRST_VIEWER_PORT);
    ours.filter_map(|(_, bytes)| wire::rtp::RtpHeader::parse(bytes).ok())
        .filter(|header| header.ssrc == Ssrc::new(FIRST_VIEWER_SSRC))
        .map(|header| header.seq)
        .last()
}

/// A link that is estimated by what its viewer reports, that pictures wait for, and that is probed.
#[test]
fn no_allocation_while_a_link_is_estimated_shared_and_paced() {
    const CAMERAS: u32 = 20;
    let limits = BitrateLimits { start: 35_000_000, max: 35_000_000, ..BitrateLimits::default() };
    let (mut room, mut publishers, mut viewer) = Room::with_cameras(CAMERAS as usize, limits);
    let (start, mut arrivals, mut number) = (room.now, Arrivals::default(), 1000);
    let mut run = |room: &mut Room, packets: u64| {
        let (mut allocations, mut sent, mut waited, mut reports) = (0, 0, 0, 0);
        for turn in 0..packets / (4 * u64::from(CAMERAS)) {
            number += 4;
            let mut media: Vec<_> = (0..4 * CAMERAS)
                .map(|nth| {
                    (nth / 4, packet_of(&mut publishers[nth as usize / 4], nth / 4, number + u64::from(nth % 4)))
                })
                .collect();
            let mut report = if turn % 3 == 0 { arrivals.report(&mut viewer) } else { None };
            reports += u64::from(report.is_some());
            // 24 Mbit/s, in bursts that the pacer spreads.
            for step in 0..32 {
                room.now += Duration::from_millis(1);
                let counted = measure(|| {
                    if step == 0 {
                        for (camera, bytes) in &mut media {
                            room.hand_in(PUBLISHER_PORT + *camera as u16, bytes);
                        }
                        if let Some(report) = &mut report {
                            room.hand_in(FIRST_VIEWER_PORT, report);
                        }
                    }
                    room.worker.handle_timeout(room.now, &mut room.out);
                });
                allocations += counted.count_total;
                sent += room.out.queued().len();
                waited += if step > 0 { room.out.queued().len() } else { 0 };
                arrivals.receive(room, start, Duration::from_millis(20));
                room.out.clear();
            }
        }
        (allocations, sent, waited, reports)
    };
    run(&mut room, 100_000);
    let (allocations, sent, waited, reports) = run(&mut room, 20_000);
    assert!(sent > 15_000 && waited > 5_000 && reports > 80, "{sent} sent, {waited} of them later, {reports} reports");
    assert_eq!(allocations, 0, "for {sent} datagrams");
}
