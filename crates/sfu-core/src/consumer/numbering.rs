//! The outgoing numbering of one consumer: gapless over pauses, switches and packets left out.
//!
//! The way is remembered as a short list of segments, in each of which the outgoing number, timestamp and
//! picture id differ from the incoming ones by a constant. So late packets, NACKs and retransmissions are
//! mapped exactly as their neighbours were, without a record per packet.

use wire::ExtSeqNo;

use crate::producer::Layer;

/// Segments remembered; a packet older than all of them is forgotten. A segment begins at each pause and switch, and after
/// each run of packets left out: with temporal layers left out that is at each frame, so that this reaches back 4 s.
const MAX_SEGMENTS: usize = 128;

/// Segments that there is room for from the start: enough where no layers are left out.
const USUAL_SEGMENTS: usize = 8;

/// What is added, modulo their widths, to the fields of the packets of one segment; and which of them are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shift {
    /// To the RTP timestamp.
    pub(crate) timestamp: u32,
    /// To PictureID of VP8 and VP9.
    pub(crate) picture_id: u16,
    /// To TL0PICIDX of VP8 and VP9.
    pub(crate) tl0_pic_idx: u8,
    /// To the frame number of dependency descriptors.
    pub(crate) frame_number: u16,
    /// The best layer, within its stream, that is sent.
    pub(crate) limit: Layer,
    /// The packet whose marker bit is set, because nothing was sent before it for a while (RFC 3551 §4.1).
    pub(crate) talkspurt: Option<ExtSeqNo>,
}

impl Default for Shift {
    fn default() -> Self {
        Self { timestamp: 0, picture_id: 0, tl0_pic_idx: 0, frame_number: 0, limit: Layer::HIGHEST, talkspurt: None }
    }
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    stream: u8,
    /// First incoming number.
    from: ExtSeqNo,
    /// First outgoing number.
    out_from: ExtSeqNo,
    shift: Shift,
}

/// Maps incoming numbers of several streams to one gapless outgoing numbering, and back.
pub(crate) struct Numbering {
    segments: Vec<Segment>,
    /// The next outgoing number never used.
    next: ExtSeqNo,
    /// Highest incoming number of the newest segment.
    newest: ExtSeqNo,
}

impl Numbering {
    /// `first` is the first outgoing number.
    pub(crate) fn new(first: ExtSeqNo) -> Self {
        Self { segments: Vec::with_capacity(USUAL_SEGMENTS), next: first, newest: ExtSeqNo::new(0) }
    }

    /// Begins a segment: the incoming number `from` of `stream` becomes the next outgoing number.
    pub(crate) fn start(&mut self, stream: u8, from: ExtSeqNo, shift: Shift) {
        self.push(Segment { stream, from, out_from: self.next, shift });
        self.newest = from.offset(-1);
    }

    fn push(&mut self, segment: Segment) {
        // A segment in which nothing was sent needs no memory.
        if self.segments.last().is_some_and(|last| last.out_from == segment.out_from) {
            self.segments.pop();
        } else if self.segments.len() == MAX_SEGMENTS {
            self.segments.remove(0);
        }
        self.segments.push(segment);
    }

    /// The shift of the newest segment.
    pub(crate) fn shift(&self) -> Shift {
        self.segments.last().map(|segment| segment.shift).unwrap_or_default()
    }

    /// The outgoing number of incoming number `seq`, and what to add to the packet's fields.
    pub(crate) fn map(&mut self, stream: u8, seq: ExtSeqNo) -> Option<(ExtSeqNo, Shift)> {
        let mut end = None;
        for segment in self.segments.iter().rev() {
            let step = seq.distance_from(segment.from);
            if segment.stream == stream && step >= 0 {
                let out = segment.out_from.offset(step);
                if end.is_some_and(|end| out >= end) {
                    return None;
                }
                if end.is_none() {
                    self.next = self.next.max(out.next());
                    self.newest = self.newest.max(seq);
                }
                return Some((out, segment.shift));
            }
            end = Some(segment.out_from);
        }
        None
    }

    /// Whether `seq` lies further than `limit` ahead of everything mapped in the newest segment.
    pub(crate) fn is_jump(&self, seq: ExtSeqNo, limit: i64) -> bool {
        seq.distance_from(self.newest) > limit
    }

    /// Whether `seq` is newer than everything mapped or left out in the newest segment.
    pub(crate) fn is_newest(&self, seq: ExtSeqNo) -> bool {
        seq > self.newest
    }

    /// Leaves incoming number `seq` out, so that the receiver does not miss it. What follows is sent under `shift`.
    pub(crate) fn skip(&mut self, stream: u8, seq: ExtSeqNo, shift: Shift) {
        let Some(last) = self.segments.last().copied() else { return };
        // One that comes late left its hole already.
        if last.stream != stream || seq <= self.newest {
            return;
        }
        let out_from = last.out_from.offset(seq.distance_from(last.from));
        self.next = self.next.max(out_from);
        self.newest = seq;
        self.push(Segment { from: seq.next(), out_from, shift, ..last });
    }

    /// From incoming number `seq` on, which is newer than all before, sends under `shift`.
    pub(crate) fn change(&mut self, seq: ExtSeqNo, shift: Shift) {
        let Some(last) = self.segments.last().copied() else { return };
        let out_from = last.out_from.offset(seq.distance_from(last.from));
        self.push(Segment { from: seq, out_from, shift, ..last });
    }

    /// Which packet was sent under outgoing number `out`.
    pub(crate) fn source(&self, out: ExtSeqNo) -> Option<(u8, ExtSeqNo, Shift)> {
        if out >= self.next {
            return None;
        }
        let segment = self.segments.iter().rev().find(|segment| segment.out_from <= out)?;
        let seq = segment.from.offset(out.distance_from(segment.out_from));
        Some((segment.stream, seq, segment.shift))
    }

    /// The last outgoing number that was used.
    pub(crate) fn last(&self) -> ExtSeqNo {
        self.next.offset(-1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(number: u64) -> ExtSeqNo {
        ExtSeqNo::new(number)
    }

    fn map(numbering: &mut Numbering, stream: u8, seq: u64) -> Option<u64> {
        numbering.map(stream, n(seq)).map(|(out, _)| out.get())
    }

    #[test]
    fn numbers_stay_gapless_over_a_pause_and_late_packets_find_their_place() {
        let mut numbering = Numbering::new(n(100));
        numbering.start(0, n(10), Shift::default());
        assert_eq!(map(&mut numbering, 0, 10), Some(100));
        assert_eq!(map(&mut numbering, 0, 12), Some(102));
        numbering.start(0, n(50), Shift::default());
        assert_eq!(map(&mut numbering, 0, 50), Some(103));
        assert_eq!(map(&mut numbering, 0, 11), Some(101));
        assert_eq!(map(&mut numbering, 0, 13), None, "was never to be sent");
        assert_eq!(map(&mut numbering, 0, 51), Some(104));
    }

    #[test]
    fn a_packet_left_out_leaves_no_hole() {
        let mut numbering = Numbering::new(n(0));
        numbering.start(0, n(10), Shift::default());
        assert_eq!(map(&mut numbering, 0, 10), Some(0));
        numbering.skip(0, n(11), Shift::default());
        numbering.skip(0, n(12), Shift::default());
        assert_eq!(map(&mut numbering, 0, 13), Some(1));
        numbering.skip(0, n(15), Shift::default());
        assert_eq!(map(&mut numbering, 0, 16), Some(3));
        assert_eq!(map(&mut numbering, 0, 14), Some(2), "late, before the one left out");
        assert_eq!(map(&mut numbering, 0, 11), None);
    }

    #[test]
    fn every_sent_number_leads_back_to_its_packet() {
        let mut numbering = Numbering::new(n(1000));
        let mut sent = Vec::new();
        let mut seq = [0_u64, 70_000, 500];
        for turn in 0..40_u64 {
            let stream = (turn % 3) as u8;
            let position = &mut seq[usize::from(stream)];
            *position += 17;
            let shift = Shift { timestamp: turn as u32, ..Shift::default() };
            numbering.start(stream, n(*position), shift);
            for step in 0..20 {
                *position += 1;
                if step % 7 == 3 {
                    numbering.skip(stream, n(*position - 1), shift);
                    continue;
                }
                let (out, shift) = numbering.map(stream, n(*position - 1)).expect("in order");
                sent.push((out, (stream, n(*position - 1), shift)));
            }
        }
        let outs: Vec<_> = sent.iter().map(|(out, _)| out.get()).collect();
        assert!(outs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{outs:?}");
        let (_, recent) = sent.split_at(sent.len() - 200);
        for (out, source) in recent {
            assert_eq!(numbering.source(*out), Some(*source));
        }
        assert!(numbering.segments.len() <= MAX_SEGMENTS);
        assert_eq!(numbering.source(numbering.last().next()), None);
    }
}
