//! What a decoder and whoever watches make of the packets: frames that are whole are shown as soon as what they refer to
//! was shown, as in browsers; what never can be is asked for anew.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use wire::ExtSeqNo;

use super::Quality;
use crate::media::Stamp;

/// A picture that cannot go on for this long is asked for anew; libwebrtc waits as long for a frame.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Pause between two requests for a key frame while none comes; as libwebrtc.
const KEY_FRAME_RETRY: Duration = Duration::from_millis(200);

/// Frames whose numbers are remembered, to tell whether others that refer to them can be decoded.
const MAX_DECODED: usize = 64;

/// Frames that wait for packets or for other frames.
const MAX_PENDING: usize = 300;

/// Frames whose mean distance tells what a freeze is (W3C webrtc-stats, `freezeCount`).
const FREEZE_WINDOW: usize = 30;

/// A freeze is longer than the mean distance of frames by at least this (same place).
const FREEZE_MARGIN: Duration = Duration::from_millis(150);

/// A frame that is not decoded yet.
struct Pending {
    stamp: Stamp,
    packets: u16,
    since: Instant,
}

/// The state of the decoder.
#[derive(Default)]
pub(super) struct Decoder {
    /// By the number of their first packet.
    pending: BTreeMap<ExtSeqNo, Pending>,
    /// Number of the first packet of the last decoded frame.
    last: Option<ExtSeqNo>,
    decoded_at: Option<Instant>,
    decoded: BTreeSet<(u32, u32)>,
    distances: VecDeque<Duration>,
    /// When to ask for a key frame, while one is needed.
    ask_at: Option<Instant>,
}

impl Decoder {
    /// Takes in one packet. Returns the number of the first packet of the key frame that was decoded by it.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        unix_now: Duration,
        (seq, stamp): (ExtSeqNo, &Stamp),
        quality: &mut Quality,
    ) -> Option<ExtSeqNo> {
        let first = seq.offset(-i64::from(stamp.packet));
        if self.last.is_some_and(|last| first <= last) {
            return None;
        }
        let pending = self.pending.entry(first).or_insert(Pending { stamp: *stamp, packets: 0, since: now });
        if (pending.stamp.stream, pending.stamp.frame) != (stamp.stream, stamp.frame) {
            quality.torn += 1;
            return None;
        }
        pending.packets += 1;
        let is_whole = pending.packets == stamp.packets;
        if self.pending.len() > MAX_PENDING {
            self.pending.pop_first();
            quality.dropped += 1;
        }
        if !is_whole {
            return None;
        }
        quality.frames += 1;
        quality.key_frames += u64::from(stamp.is_key());
        self.decode(now, unix_now, quality)
    }

    /// Shows every frame that can be shown.
    fn decode(&mut self, now: Instant, unix_now: Duration, quality: &mut Quality) -> Option<ExtSeqNo> {
        let mut key = None;
        loop {
            let can_be_shown = |frame: &Pending| {
                let stamp = &frame.stamp;
                frame.packets == stamp.packets
                    && (stamp.is_key() || self.decoded.contains(&(stamp.stream, stamp.depends_on)))
            };
            let Some(first) = self.pending.iter().find(|(_, frame)| can_be_shown(frame)).map(|(&first, _)| first)
            else {
                break;
            };
            let later = self.pending.split_off(&first.next());
            let shown = self.pending.pop_last().map(|(_, frame)| frame.stamp);
            quality.dropped += self.pending.len() as u64;
            self.pending = later;
            self.last = Some(first);
            let Some(stamp) = shown else { break };
            if stamp.is_key() {
                key = Some(first);
                self.decoded.clear();
                self.ask_at = None;
            }
            self.decoded.insert((stamp.stream, stamp.frame));
            if self.decoded.len() > MAX_DECODED {
                self.decoded.pop_first();
            }
            quality.decoded += 1;
            quality.note_delay(&stamp, unix_now);
            if let Some(before) = self.decoded_at.replace(now) {
                self.note_distance(now.saturating_duration_since(before), quality);
            }
        }
        if self.decoded_at.is_none() {
            // Without a key frame nothing begins.
            self.ask_at.get_or_insert(now);
        }
        key
    }

    fn note_distance(&mut self, distance: Duration, quality: &mut Quality) {
        quality.longest_gap = quality.longest_gap.max(distance);
        if let Ok(count @ 5..) = u32::try_from(self.distances.len()) {
            let mean = self.distances.iter().sum::<Duration>() / count;
            if distance > (mean * 3).max(mean + FREEZE_MARGIN) {
                quality.freezes += 1;
                quality.frozen += distance;
            }
        }
        if self.distances.len() == FREEZE_WINDOW {
            self.distances.pop_front();
        }
        self.distances.push_back(distance);
    }

    /// When the picture has not gone on for too long.
    fn stuck_at(&self) -> Option<Instant> {
        let oldest = self.pending.values().map(|frame| frame.since).min()?;
        Some(self.decoded_at.map_or(oldest, |at| at.max(oldest)) + MAX_WAIT)
    }

    /// Whether to ask for a key frame now.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        if self.poll_timeout().is_none_or(|at| now < at) {
            return false;
        }
        self.ask_at = Some(now + KEY_FRAME_RETRY);
        true
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.ask_at.or_else(|| self.stuck_at())
    }
}
