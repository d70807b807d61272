//! The packets of one stream, stored once and read by every consumer and every retransmission.
//!
//! A byte ring and a ring of slots. Storing is the one copy on the way in; the ring grows while it holds
//! less than the wanted time, up to a fixed size, and then never allocates again.

use std::time::{Duration, Instant};

use wire::extension::Extensions;
use wire::{ExtSeqNo, RtpTimestamp};

use super::layers::FrameInfo;

/// Time that a retransmission may reach back: beyond it a player has given the packet up.
const WANTED_SPAN: Duration = Duration::from_millis(1500);

/// Bytes at the start, and the most, by kind of media.
const AUDIO_BYTES: (usize, usize) = (16 * 1024, 64 * 1024);
const VIDEO_BYTES: (usize, usize) = (64 * 1024, 2 * 1024 * 1024);

/// Packets at the start, and the most, by kind of media. Powers of two.
const AUDIO_SLOTS: (usize, usize) = (64, 256);
const VIDEO_SLOTS: (usize, usize) = (128, 2048);

/// What is known of a packet beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketMeta {
    /// Extended sequence number in the producer's own numbering.
    pub(crate) seq: ExtSeqNo,
    /// Timestamp as the producer sent it.
    pub(crate) timestamp: RtpTimestamp,
    /// Marker bit.
    pub(crate) marker: bool,
    /// Whether a decoder can start here: the first packet of a key frame (always true of audio).
    pub(crate) starts_key_frame: bool,
    /// Layer and place of its frame.
    pub(crate) frame: FrameInfo,
    /// Where the payload begins in the packet's bytes; it ends with them.
    pub(crate) payload_start: u16,
    /// Where the header extension elements are in the packet's bytes.
    pub(crate) extensions: Extensions,
    /// When the kernel received it.
    pub(crate) received_at: Instant,
}

/// A stored packet.
#[derive(Clone, Copy)]
pub(crate) struct StoredPacket<'a> {
    pub(crate) meta: &'a PacketMeta,
    /// Header, extensions and payload without padding.
    pub(crate) bytes: &'a [u8],
}

impl<'a> StoredPacket<'a> {
    /// The payload without padding.
    pub(crate) fn payload(&self) -> &'a [u8] {
        self.bytes.get(usize::from(self.meta.payload_start)..).unwrap_or_default()
    }
}

/// Position of a packet whose bytes were overwritten before the ring grew.
const GONE: u64 = u64::MAX;

#[derive(Clone, Copy)]
struct Slot {
    meta: PacketMeta,
    /// Count of all bytes that were ever written before this packet.
    position: u64,
    len: u16,
}

/// Recently received packets of one stream.
pub(crate) struct History {
    slots: Vec<Option<Slot>>,
    bytes: Vec<u8>,
    /// Count of all bytes ever written, skipped ones at a wrap included.
    written: u64,
    newest: Option<ExtSeqNo>,
    /// Numbers below were forgotten when the ring grew; whether they came is not known.
    floor: ExtSeqNo,
    max_slots: usize,
    max_bytes: usize,
}

impl History {
    pub(crate) fn audio() -> Self {
        Self::with_sizes(AUDIO_SLOTS, AUDIO_BYTES)
    }

    pub(crate) fn video() -> Self {
        Self::with_sizes(VIDEO_SLOTS, VIDEO_BYTES)
    }

    fn with_sizes(slots: (usize, usize), bytes: (usize, usize)) -> Self {
        Self {
            slots: vec![None; slots.0],
            bytes: vec![0; bytes.0],
            written: 0,
            newest: None,
            floor: ExtSeqNo::new(0),
            max_slots: slots.1,
            max_bytes: bytes.1,
        }
    }

    fn index(&self, seq: ExtSeqNo) -> usize {
        seq.get() as usize & (self.slots.len() - 1)
    }

    /// Copies `packet` in. Returns `false` when it is stored already, or too old or too large to store.
    pub(crate) fn store(&mut self, meta: PacketMeta, packet: &[u8]) -> bool {
        let Ok(len) = u16::try_from(packet.len()) else { return false };
        if self.is_behind_window(meta.seq) || self.was_stored(meta.seq) {
            return false;
        }
        self.make_room(&meta, packet.len());
        let capacity = self.bytes.len();
        if packet.len() > capacity {
            return false;
        }
        let mut offset = (self.written % capacity as u64) as usize;
        if offset + packet.len() > capacity {
            self.written += (capacity - offset) as u64;
            offset = 0;
        }
        self.bytes[offset..offset + packet.len()].copy_from_slice(packet);
        let index = self.index(meta.seq);
        self.slots[index] = Some(Slot { meta, position: self.written, len });
        self.written += packet.len() as u64;
        self.newest = self.newest.max(Some(meta.seq));
        true
    }

    /// The packet with exactly this number, unless it never came or was overwritten.
    pub(crate) fn get(&self, seq: ExtSeqNo) -> Option<StoredPacket<'_>> {
        let slot = self.slots[self.index(seq)].as_ref()?;
        if slot.meta.seq != seq || !self.is_intact(slot) {
            return None;
        }
        let offset = (slot.position % self.bytes.len() as u64) as usize;
        let bytes = &self.bytes[offset..offset + usize::from(slot.len)];
        Some(StoredPacket { meta: &slot.meta, bytes })
    }

    /// Whether this number came already, be its bytes still here or not. A number that was forwarded once must
    /// not be forwarded with other bytes: receivers get it under the same SRTP nonce.
    fn was_stored(&self, seq: ExtSeqNo) -> bool {
        self.slots[self.index(seq)].as_ref().is_some_and(|slot| slot.meta.seq == seq)
    }

    fn is_intact(&self, slot: &Slot) -> bool {
        slot.position != GONE && self.written - slot.position <= self.bytes.len() as u64
    }

    fn is_behind_window(&self, seq: ExtSeqNo) -> bool {
        seq < self.floor || self.newest.is_some_and(|newest| newest.distance_from(seq) >= self.slots.len() as i64)
    }

    /// Doubles what is full while it holds less than [`WANTED_SPAN`].
    fn make_room(&mut self, meta: &PacketMeta, len: usize) {
        let young = |slot: &Slot| meta.received_at.saturating_duration_since(slot.meta.received_at) < WANTED_SPAN;
        let displaced = self.slots[self.index(meta.seq)].as_ref();
        if self.slots.len() < self.max_slots && displaced.is_some_and(|slot| self.is_intact(slot) && young(slot)) {
            self.grow(self.slots.len() * 2, self.bytes.len());
        }
        let end = self.written + len as u64;
        if self.bytes.len() < self.max_bytes && end > self.bytes.len() as u64 {
            let lost_before = end - self.bytes.len() as u64;
            let overwrites_young = self
                .slots
                .iter()
                .flatten()
                .any(|slot| self.is_intact(slot) && slot.position < lost_before && young(slot));
            if overwrites_young {
                self.grow(self.slots.len(), (self.bytes.len() * 2).min(self.max_bytes));
            }
        }
    }

    fn grow(&mut self, slots: usize, bytes: usize) {
        let mut grown = Self {
            slots: vec![None; slots],
            bytes: vec![0; bytes],
            written: 0,
            newest: self.newest,
            floor: self.newest.map_or(self.floor, |newest| self.floor.max(newest.offset(1 - self.slots.len() as i64))),
            max_slots: self.max_slots,
            max_bytes: self.max_bytes,
        };
        let mut known: Vec<Slot> = self.slots.iter().flatten().copied().collect();
        known.sort_unstable_by_key(|slot| slot.position);
        for slot in known {
            let index = grown.index(slot.meta.seq);
            if !self.is_intact(&slot) {
                grown.slots[index] = Some(Slot { position: GONE, ..slot });
                continue;
            }
            let offset = (slot.position % self.bytes.len() as u64) as usize;
            let packet = &self.bytes[offset..offset + usize::from(slot.len)];
            let target = (grown.written % bytes as u64) as usize;
            grown.bytes[target..target + packet.len()].copy_from_slice(packet);
            grown.slots[index] = Some(Slot { position: grown.written, ..slot });
            grown.written += packet.len() as u64;
        }
        *self = grown;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(seq: u64, at: Instant) -> PacketMeta {
        PacketMeta {
            seq: ExtSeqNo::new(seq),
            timestamp: RtpTimestamp::new(0),
            marker: false,
            starts_key_frame: false,
            frame: FrameInfo::default(),
            payload_start: 12,
            extensions: Extensions::default(),
            received_at: at,
        }
    }

    fn packet(seq: u64, len: usize) -> Vec<u8> {
        (0..len).map(|i| (seq as usize * 31 + i) as u8).collect()
    }

    #[test]
    fn what_is_returned_is_what_was_stored_or_nothing() {
        let start = crate::some_instant();
        let mut history = History::video();
        for seq in 0..20_000_u64 {
            let at = start + Duration::from_millis(seq);
            // Every 10th number arrives 7 late.
            let seq = if seq % 10 == 0 { seq + 7 } else { seq };
            let bytes = packet(seq, 200 + (seq as usize * 37) % 1000);
            history.store(meta(seq, at), &bytes);
            for back in [0, 1, 5, 50, 300, 1500, 3000] {
                let Some(wanted) = seq.checked_sub(back) else { continue };
                if let Some(found) = history.get(ExtSeqNo::new(wanted)) {
                    assert_eq!(found.bytes, packet(wanted, 200 + (wanted as usize * 37) % 1000));
                }
            }
        }
    }

    #[test]
    fn a_fast_stream_is_kept_for_the_wanted_time() {
        let start = crate::some_instant();
        let mut history = History::video();
        // 600 packets/s of 1,200 bytes: a screen share at nearly 6 Mbit/s.
        for seq in 0..6_000_u64 {
            let at = start + Duration::from_micros(seq * 1667);
            assert!(history.store(meta(seq, at), &packet(seq, 1200)));
        }
        assert!(history.get(ExtSeqNo::new(6_000 - 850)).is_some());
    }

    #[test]
    fn memory_stays_within_its_limit_however_fast_packets_come() {
        let start = crate::some_instant();
        let mut history = History::video();
        for seq in 0..20_000_u64 {
            history.store(meta(seq, start), &packet(seq, 1400));
        }
        assert!(history.bytes.len() <= VIDEO_BYTES.1);
        assert!(history.slots.len() <= VIDEO_SLOTS.1);
    }

    #[test]
    fn a_number_is_taken_once_whatever_became_of_its_bytes() {
        let start = crate::some_instant();
        let mut history = History::video();
        let late = start + Duration::from_secs(60);
        assert!(history.store(meta(1, start), &packet(1, 1400)));
        for seq in 2..100 {
            assert!(history.store(meta(seq, late), &packet(seq, 1400)));
        }
        assert!(history.get(ExtSeqNo::new(1)).is_none(), "its bytes are overwritten");
        assert!(!history.store(meta(1, late), &packet(77, 1400)));
        for seq in 100..4000 {
            history.store(meta(seq, late), &packet(seq, 1400));
            for back in [98, 200, 900, 1900] {
                assert!(
                    seq <= back || !history.store(meta(seq - back, late), &packet(seq, 100)),
                    "{back} before {seq}"
                );
            }
        }
    }

    #[test]
    fn a_packet_is_stored_once() {
        let start = crate::some_instant();
        let mut history = History::audio();
        assert!(history.store(meta(5, start), &packet(5, 80)));
        assert!(!history.store(meta(5, start), &packet(5, 80)));
        assert!(!history.store(meta(5, start), &vec![0; 70_000]));
    }
}
