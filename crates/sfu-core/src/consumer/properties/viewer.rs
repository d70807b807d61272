//! What a viewer makes of what it is sent: which frames it has, and whether the numbering leaves it guessing.

use std::collections::{BTreeMap, BTreeSet};

use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use wire::codec::dependency_descriptor::MandatoryFields;
use wire::codec::{CodecKind, vp8, vp9};
use wire::extension::{ExtensionKind, Extensions};
use wire::rtp::RtpHeader;
use wire::{ExtSeqNo, RtpTimestamp};

use super::encoder::{Encoder, Name, PICTURE_TICKS, extensions};

type Checked = Result<(), TestCaseError>;

/// Smallest step of the media clock over a switch.
const MIN_STEP: i64 = 90;

/// A packet as the viewer gets it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Got {
    /// Where it is from.
    pub(super) stream: u8,
    pub(super) source: ExtSeqNo,
    /// `None` of one without payload.
    pub(super) name: Option<Name>,
    marker: bool,
    timestamp: RtpTimestamp,
    picture_id: Option<u16>,
    tl0_pic_idx: Option<u8>,
    frame_number: Option<u16>,
    /// How often nothing at all was wanted before.
    pauses: u32,
}

/// What came, by outgoing number.
#[derive(Default)]
pub(super) struct Viewer {
    pub(super) got: BTreeMap<ExtSeqNo, Got>,
    pub(super) names: BTreeSet<Name>,
    /// Pictures of which something came, in the order of coming.
    pub(super) newest_picture: Option<u32>,
}

impl Viewer {
    /// Takes in a packet that was sent under `seq`.
    pub(super) fn receive(
        &mut self,
        (seq, stream, source, pauses): (ExtSeqNo, u8, ExtSeqNo, u32),
        encoder: &Encoder,
        bytes: &[u8],
    ) -> Checked {
        let header = RtpHeader::parse(bytes).expect("it is a packet");
        prop_assert_eq!(header.seq, seq.truncate());
        let (payload, _) = header.payload(bytes).expect("it is whole");
        let descriptor =
            Extensions::parse(bytes, &header, &extensions()).get(bytes, ExtensionKind::DependencyDescriptor);
        let mut got = Got {
            stream,
            source,
            name: None,
            marker: header.marker,
            timestamp: header.timestamp,
            picture_id: None,
            tl0_pic_idx: None,
            frame_number: descriptor.and_then(MandatoryFields::parse).map(|fields| fields.frame_number),
            pauses,
        };
        if !payload.is_empty() {
            let name = Name::read(payload);
            got.name = Some(name);
            match encoder.mode.codec {
                CodecKind::Vp8 => {
                    let read = vp8::Descriptor::parse(payload).expect("it has one");
                    (got.picture_id, got.tl0_pic_idx) = (read.picture_id.map(|id| id.value), read.tl0_pic_idx);
                }
                CodecKind::Vp9 => {
                    let read = vp9::Descriptor::parse(payload).expect("it has one");
                    (got.picture_id, got.tl0_pic_idx) = (read.picture_id.map(|id| id.value), read.tl0_pic_idx);
                }
                _ => {}
            }
            self.names.insert(name);
            self.newest_picture = self.newest_picture.max(Some(encoder.frames[name.frame].picture));
        }
        if let Some(before) = self.got.insert(seq, got) {
            prop_assert_eq!((before.stream, before.source, before.name), (stream, source, got.name), "{:?} twice", seq);
        }
        Ok(())
    }

    pub(super) fn last(&self) -> Option<ExtSeqNo> {
        self.got.last_key_value().map(|(seq, _)| *seq)
    }

    /// The numbers between the first and the last under which nothing came, from `from` on.
    pub(super) fn missing(&self, from: ExtSeqNo) -> Vec<ExtSeqNo> {
        let Some((first, last)) = self.got.first_key_value().zip(self.got.last_key_value()) else { return Vec::new() };
        let numbers = (first.0.get().max(from.get())..last.0.get()).map(ExtSeqNo::new);
        numbers.filter(|seq| !self.got.contains_key(seq)).collect()
    }

    pub(super) fn has_whole(&self, encoder: &Encoder, frame: usize) -> bool {
        (0..encoder.frames[frame].packets).all(|packet| self.names.contains(&Name { frame, packet }))
    }

    /// Every frame that came is whole, and so are those that it needs; but for what was damaged on its way to us.
    pub(super) fn check_frames(&self, encoder: &Encoder, damaged: &BTreeSet<usize>) -> Checked {
        // Where packets of several streams mingle, a key frame may begin between those of an old frame.
        let all: Vec<(u8, Name)> = self.got.values().filter_map(|got| Some((got.stream, got.name?))).collect();
        let switches = all.windows(2).filter(|pair| pair[0].0 != pair[1].0);
        let cut: BTreeSet<usize> = switches.map(|pair| pair[0].1.frame).collect();
        let frames: BTreeSet<usize> = self.names.iter().map(|name| name.frame).collect();
        for id in frames {
            let frame = &encoder.frames[id];
            for needed in frame.needs.iter().copied().chain([id]) {
                prop_assert!(
                    damaged.contains(&needed) || needed == id && cut.contains(&id) || self.has_whole(encoder, needed),
                    "frame {} {:?} came without all of {} {:?}",
                    id,
                    frame,
                    needed,
                    encoder.frames[needed]
                );
            }
        }
        Ok(())
    }

    /// Numbers keep the order of the packets, and times never go back.
    pub(super) fn check_order(&self, streams: u8) -> Checked {
        for stream in 0..streams {
            let sources: Vec<_> = self.got.values().filter(|got| got.stream == stream).map(|got| got.source).collect();
            prop_assert!(sources.is_sorted(), "{:?}", sources);
        }
        let mut before: Option<&Got> = None;
        // One without payload shows nothing, whatever its time.
        for (seq, got) in self.got.iter().filter(|(_, got)| got.name.is_some()) {
            if let Some(before) = before {
                let step = got.timestamp.wrapping_sub(before.timestamp);
                prop_assert!(step >= 0, "{:?}: {:?} after {:?}", seq, got, before);
            }
            before = Some(got);
        }
        Ok(())
    }

    /// What numbers pictures and tells their ends is as if there were nothing but what is sent. Only where nothing was lost.
    pub(super) fn check_pictures(&self, encoder: &Encoder) -> Checked {
        let all: Vec<(&Got, Name)> = self.got.values().filter_map(|got| Some((got, got.name?))).collect();
        for pair in all.windows(2) {
            let [(before, before_name), (after, after_name)] = pair else { unreachable!("pairs were asked for") };
            let (old, new) = (&encoder.frames[before_name.frame], &encoder.frames[after_name.frame]);
            let is_switch = before.stream != after.stream;
            let same_picture = !is_switch && old.picture == new.picture;
            prop_assert_eq!(before.marker, !same_picture, "{:?} {:?} then {:?} {:?}", before, old, after, new);
            let captured = (i64::from(new.picture) - i64::from(old.picture)) * i64::from(PICTURE_TICKS);
            let step = i64::from(after.timestamp.wrapping_sub(before.timestamp));
            if is_switch {
                prop_assert!((step - captured.max(MIN_STEP)).abs() <= 2, "{} over {}", step, captured);
            } else {
                prop_assert_eq!(step, captured);
            }
            check_ids(encoder, (before, before_name), (after, after_name))?;
        }
        Ok(())
    }
}

fn check_ids(encoder: &Encoder, (before, old): (&Got, &Name), (after, new): (&Got, &Name)) -> Checked {
    let (old_frame, new_frame) = (&encoder.frames[old.frame], &encoder.frames[new.frame]);
    let is_switch = before.stream != after.stream;
    let same_picture = !is_switch && old_frame.picture == new_frame.picture;
    let between = &encoder.frames[old.frame.min(new.frame) + 1..=new.frame.max(old.frame)];
    let of_stream = between.iter().filter(|frame| frame.stream == after.stream && new.frame > old.frame);
    let pictures = of_stream.clone().filter(|frame| frame.layer.spatial == 0);
    let drops_count = encoder.mode.codec == CodecKind::Vp8;
    if let (Some(from), Some(to)) = (before.picture_id, after.picture_id) {
        let mask = if encoder.mode.wide || !drops_count { 0x7FFF } else { 0x7F };
        let step = to.wrapping_sub(from) & mask;
        if is_switch || drops_count && !same_picture && before.pauses == after.pauses {
            prop_assert_eq!(step, 1, "{:?} {:?} then {:?} {:?}", before, old_frame, after, new_frame);
        } else if !drops_count || same_picture {
            prop_assert_eq!(usize::from(step), pictures.clone().count());
        }
    }
    if let (Some(from), Some(to)) = (before.tl0_pic_idx, after.tl0_pic_idx) {
        let lowest = pictures.filter(|frame| frame.layer.temporal == 0).count() as u8;
        let expected = if is_switch { 1 } else { lowest };
        prop_assert_eq!(to.wrapping_sub(from), expected, "{:?} then {:?}", old_frame, new_frame);
    }
    if let (Some(from), Some(to)) = (before.frame_number, after.frame_number) {
        let expected = if is_switch { 1 } else { of_stream.count() as u16 };
        prop_assert_eq!(to.wrapping_sub(from), expected, "{:?} then {:?}", old_frame, new_frame);
    }
    Ok(())
}
