//! Looks at the packets of one stream in the order of their numbers: whether they fit together without a seam.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wire::{ExtSeqNo, RtpTimestamp};

use super::{Piece, Quality};
use crate::media::Stamp;

/// A number that is missing for longer is not waited for any more.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Packets held while one before them is missing.
const MAX_HELD: usize = 4096;

/// The frame whose packets go by.
#[derive(Clone, Copy)]
struct Assembly {
    timestamp: RtpTimestamp,
    stamp: Stamp,
    next_packet: u16,
}

/// The last frame that began.
#[derive(Clone, Copy)]
struct LastFrame {
    timestamp: RtpTimestamp,
    stream: u32,
    picture_id: Option<u16>,
    tl0_pic_idx: Option<u8>,
}

/// The state of the inspection.
#[derive(Default)]
pub(super) struct Order {
    held: BTreeMap<ExtSeqNo, Piece>,
    /// The number that goes on where the last one ended.
    next: Option<ExtSeqNo>,
    /// Since when `next` is missing while later ones are there.
    stuck_since: Option<Instant>,
    assembly: Option<Assembly>,
    last: Option<LastFrame>,
    /// Numbers are missing since the last frame, so counters may jump.
    jumped: bool,
}

impl Order {
    pub(super) fn receive(&mut self, now: Instant, seq: ExtSeqNo, piece: Piece, quality: &mut Quality) {
        if self.next.is_some_and(|next| seq < next) {
            // Too late, or overtaken by the packet that was the first to come.
            return;
        }
        self.next.get_or_insert(seq);
        self.held.insert(seq, piece);
        if self.held.len() > MAX_HELD {
            self.skip(quality);
        }
        self.consume(now, quality);
    }

    fn consume(&mut self, now: Instant, quality: &mut Quality) {
        let mut consumed = false;
        while let Some(next) = self.next
            && let Some(piece) = self.held.remove(&next)
        {
            self.next = Some(next.next());
            self.place(&piece, quality);
            consumed = true;
        }
        if self.held.is_empty() {
            self.stuck_since = None;
        } else if consumed || self.stuck_since.is_none() {
            self.stuck_since = Some(now);
        }
    }

    /// Adds one packet, in order, to its frame.
    fn place(&mut self, piece: &Piece, quality: &mut Quality) {
        let stamp = piece.stamp;
        if stamp.packet == 0 {
            if self.assembly.take().is_some() && !self.jumped {
                let counter = if stamp.is_key() { &mut quality.cut } else { &mut quality.torn };
                *counter += 1;
            }
            self.begin_frame(piece, quality);
            self.assembly = Some(Assembly { timestamp: piece.timestamp, stamp, next_packet: 0 });
        }
        // The beginning of this frame was before the first packet, or is missing.
        let Some(assembly) = &mut self.assembly else {
            quality.torn += u64::from(self.last.is_some() && !self.jumped);
            return;
        };
        let same_frame = (stamp.stream, stamp.frame) == (assembly.stamp.stream, assembly.stamp.frame);
        if !same_frame || stamp.packet != assembly.next_packet {
            quality.torn += u64::from(!self.jumped);
            self.assembly = None;
            self.jumped = true;
            return;
        }
        quality.timestamp_errors += u64::from(piece.timestamp != assembly.timestamp);
        assembly.next_packet += 1;
        let is_last = assembly.next_packet == stamp.packets;
        quality.torn += u64::from(is_last != piece.marker);
        if is_last {
            self.assembly = None;
        }
    }

    fn begin_frame(&mut self, piece: &Piece, quality: &mut Quality) {
        let jumped = std::mem::replace(&mut self.jumped, false);
        let mut tl0_pic_idx = piece.tl0_pic_idx;
        if let Some(last) = self.last {
            quality.timestamp_errors += u64::from(piece.timestamp.wrapping_sub(last.timestamp) <= 0);
            if let (Some(before), Some(id), false) = (last.picture_id, piece.picture_id, jumped)
                && id != (before + 1) & 0x7FFF
            {
                let is_key = piece.stamp.is_key();
                let counter = if is_key { &mut quality.picture_id_jumps } else { &mut quality.picture_id_errors };
                *counter += 1;
            }
            if let (Some(before), Some(index), false) = (last.tl0_pic_idx, piece.tl0_pic_idx, jumped)
                && !piece.stamp.is_key()
            {
                let expected = if piece.is_base_layer { before.wrapping_add(1) } else { before };
                quality.tl0_pic_idx_errors += u64::from(index != expected);
            }
            tl0_pic_idx = tl0_pic_idx.or(last.tl0_pic_idx);
            quality.switches += u64::from(last.stream != piece.stamp.stream);
        }
        self.last = Some(LastFrame {
            timestamp: piece.timestamp,
            stream: piece.stamp.stream,
            picture_id: piece.picture_id,
            tl0_pic_idx,
        });
    }

    /// Gives the missing numbers up and goes on at the first packet that is there.
    fn skip(&mut self, quality: &mut Quality) {
        let Some((&target, _)) = self.held.first_key_value() else { return };
        if let Some(next) = self.next {
            quality.skipped += target.distance_from(next).unsigned_abs();
        }
        self.next = Some(target);
        self.assembly = None;
        self.jumped = true;
        self.stuck_since = None;
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, quality: &mut Quality) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.skip(quality);
            self.consume(now, quality);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.stuck_since.map(|at| at + MAX_WAIT)
    }
}
