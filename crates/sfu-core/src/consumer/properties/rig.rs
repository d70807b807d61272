//! A publisher, the two ends of the way through a worker, and a viewer, with a script of what happens.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::test_runner::TestCaseError;
use proptest::{prop_assert, prop_assert_eq};
use wire::extension::Extensions;
use wire::ortc::SpatialDependency;
use wire::rtcp::NtpTime;
use wire::rtp::RtpHeader;
use wire::{ExtSeqNo, Ssrc};

use super::encoder::{Encoder, Frame, Mode, PAYLOAD_TYPE, Sent, extensions};
use super::viewer::Viewer;
use crate::command::{ConsumerSpec, MediaKind, ObjectId, ProducerSpec, StreamSpec};
use crate::consumer::{As, Consumer, Repeated, Share, Stamp};
use crate::producer::{Arrived, Incoming, Layer, Producer};
use crate::table::Key;

type Checked = Result<(), TestCaseError>;

/// Time from one picture to the next.
const PICTURE: Duration = Duration::from_nanos(33_333_333);

/// Pictures between two looks at which layers are live.
const REVIEW_PICTURES: u32 = 30;

/// After so many pictures without a change something has to be seen, and within so many pictures again and again.
const SETTLED: u32 = 45;
const SEEN_WITHIN: u32 = 8;

/// What can happen before pictures go on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Nothing,
    Prefer(Layer),
    Share(Share),
    Paused(bool),
    Key(u8),
    Active(u8, bool),
    Report,
}

/// What becomes of a packet on its way to us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    Arrives,
    Lost,
    /// So many others overtake it.
    Late(u8),
}

/// All that is not the same in every run.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) mode: Mode,
    /// Events, each with the pictures that follow on it.
    pub(super) events: Vec<(Event, u8)>,
    /// Of one packet after the other, again and again.
    pub(super) fates: Vec<Fate>,
    /// The most packets of a frame.
    pub(super) packets: u8,
    /// Pictures until a request for a key frame is answered.
    pub(super) answer: u8,
    /// Whether the publisher reports its clocks from the start.
    pub(super) reports: bool,
}

struct Rig {
    script: Script,
    encoder: Encoder,
    producer: Producer,
    consumer: Consumer,
    viewer: Viewer,
    start: Instant,
    sent: usize,
    late: VecDeque<(usize, Sent)>,
    damaged: BTreeSet<usize>,
    late_numbers: BTreeSet<(u8, ExtSeqNo)>,
    asked_for: Option<(u8, u32)>,
    answers: bool,
    is_clean: bool,
    pauses: u32,
    announced: u8,
    changed_at: u32,
    /// Numbers below were asked for again.
    nacked: ExtSeqNo,
}

/// Does what `script` says, and checks all that has to hold.
pub(super) fn run(script: &Script) -> Checked {
    let mut rig = Rig::new(script);
    for &(event, pictures) in &script.events {
        rig.handle(event);
        for _ in 0..pictures {
            rig.next_picture()?;
        }
    }
    rig.settle()?;
    rig.viewer.check_frames(&rig.encoder, &rig.all_damaged())?;
    rig.viewer.check_order(script.mode.streams)?;
    if rig.is_clean {
        rig.viewer.check_pictures(&rig.encoder)?;
    }
    Ok(())
}

impl Rig {
    fn new(script: &Script) -> Self {
        let mode = script.mode;
        let spec = producer_spec(&mode);
        let start = crate::some_instant();
        let producer = Producer::new(start, Key::any(), Key::any(), &spec);
        let spec = ConsumerSpec {
            id: ObjectId(3),
            producer: Key::any(),
            ssrc: Ssrc::new(7),
            rtx_ssrc: Some(Ssrc::new(8)),
            payload_type: PAYLOAD_TYPE,
            rtx_payload_type: None,
            red_payload_type: None,
            mid: None,
            cname: "cname".to_owned(),
            extensions: extensions(),
            nack: true,
            paused: false,
        };
        let first = (ExtSeqNo::new(65_520), ExtSeqNo::new(0));
        let mut rig = Self {
            script: script.clone(),
            encoder: Encoder::new(mode),
            consumer: Consumer::new(start, Key::any(), &producer, spec, first),
            producer,
            viewer: Viewer::default(),
            start,
            sent: 0,
            late: VecDeque::new(),
            damaged: BTreeSet::new(),
            late_numbers: BTreeSet::new(),
            asked_for: None,
            answers: true,
            is_clean: script.fates.iter().all(|fate| *fate == Fate::Arrives),
            pauses: 0,
            announced: 0,
            changed_at: 0,
            nacked: ExtSeqNo::new(0),
        };
        if script.reports {
            rig.report();
        }
        rig.aim();
        rig
    }

    fn now(&self) -> Instant {
        self.start + PICTURE * self.encoder.picture
    }

    fn aim(&mut self) {
        self.consumer.aim(&self.producer);
        if self.consumer.is_off() {
            self.pauses += 1;
        }
    }

    fn handle(&mut self, event: Event) {
        self.changed_at = self.encoder.picture;
        match event {
            Event::Nothing => {}
            Event::Prefer(layer) => self.consumer.set_preferred(layer),
            Event::Share(share) => drop(self.consumer.set_share(share)),
            Event::Paused(paused) => self.consumer.set_paused(paused),
            Event::Key(stream) => self.encoder.want_key(stream % self.script.mode.streams),
            Event::Active(spatial, is_active) => self.encoder.set_active(spatial, is_active),
            Event::Report => self.report(),
        }
        self.aim();
    }

    /// Reports the clock of each stream, each a little later than the one before.
    fn report(&mut self) {
        let (now, picture) = (self.now(), self.encoder.picture);
        for (index, stream) in self.producer.streams.iter_mut().enumerate() {
            let later = index as u32 * 7;
            let at = Duration::from_secs(1_000_000) + PICTURE * (picture + later);
            let rtp = self.encoder.timestamp(index as u8, picture + later);
            stream.receive_sender_report(NtpTime::from_system(at), rtp, now);
        }
    }

    fn next_picture(&mut self) -> Checked {
        let picture = self.encoder.picture;
        match (self.asked_for, self.consumer.awaited_stream().filter(|_| self.answers)) {
            (Some((stream, due)), Some(awaited)) if stream == awaited => {
                if picture >= due {
                    self.encoder.want_key(stream);
                    self.asked_for = None;
                }
            }
            (_, Some(awaited)) => self.asked_for = Some((awaited, picture + u32::from(self.script.answer))),
            (_, None) => self.asked_for = None,
        }
        let now = self.now();
        for sent in self.encoder.next_picture(self.script.packets) {
            let fate = self.script.fates[self.sent % self.script.fates.len()];
            self.sent += 1;
            match fate {
                Fate::Arrives => self.deliver(now, &sent)?,
                Fate::Lost => {
                    self.damaged.insert(sent.name.frame);
                }
                Fate::Late(by) => {
                    self.damaged.insert(sent.name.frame);
                    self.late_numbers.insert((sent.stream, sent.seq));
                    self.late.push_back((self.sent + usize::from(by), sent));
                }
            }
            let due = self.late.iter().position(|(at, _)| *at <= self.sent);
            if let Some((_, sent)) = due.and_then(|index| self.late.remove(index)) {
                self.note_late(&sent);
                self.deliver(now, &sent)?;
            }
        }
        if picture.is_multiple_of(REVIEW_PICTURES) {
            let live = self.producer.live_at(now);
            if live != self.producer.live {
                self.producer.live = live;
                self.aim();
            }
        }
        self.repair()?;
        self.check_seen(picture)
    }

    /// Who waits for a key frame that is late misses what overtook it.
    fn note_late(&mut self, sent: &Sent) {
        let frames = &self.encoder.frames;
        if frames[sent.name.frame].is_key {
            let of_stream = (sent.name.frame..frames.len()).filter(|&id| frames[id].stream == sent.stream);
            self.damaged.extend(of_stream);
        }
    }

    /// The way of a packet through the worker.
    fn deliver(&mut self, now: Instant, sent: &Sent) -> Checked {
        let header = RtpHeader::parse(&sent.bytes).expect("it is a packet");
        let extensions = Extensions::parse(&sent.bytes, &header, &extensions());
        let packet = Incoming { received_at: now, header, extensions, bytes: &sent.bytes };
        let index = usize::from(sent.stream);
        let arrived = self.producer.streams[index].receive(now, sent.seq, packet);
        prop_assert_eq!(arrived, Arrived::Packet(sent.seq));
        let spatial = match self.producer.streams.as_slice() {
            [only] => only.packet(sent.seq).map_or(0, |packet| packet.meta.frame.layer.spatial),
            _ => sent.stream,
        };
        let is_new = self.producer.note_live(now, spatial);
        // The link is shared out anew when layers are announced that were not there, or not any more.
        let announced = std::mem::replace(&mut self.announced, self.producer.spatial_layers());
        if is_new || announced != self.announced {
            self.aim();
        }
        let (before, before_stream) = (self.consumer.selection.current(), self.consumer.current_stream());
        let streams = &self.producer.streams;
        let packet = streams[index].packet(sent.seq).expect("it was stored right now");
        let is_newest = !self.late_numbers.contains(&(sent.stream, sent.seq));
        let admitted = self.consumer.admit(sent.stream, &packet, streams);
        let after = self.consumer.selection.current();
        self.check_change(sent, (before, after))?;
        let Some(admitted) = admitted else {
            let frame = &self.encoder.frames[sent.name.frame];
            let is_sent = before_stream == Some(sent.stream)
                && (self.script.mode.streams > 1 || after.is_some_and(|after| after.spatial == frame.layer.spatial));
            prop_assert!(
                !is_sent || !is_newest || frame.layer.temporal > 0,
                "{:?} of what is sent is left out: {:?}",
                frame,
                after
            );
            return Ok(());
        };
        if self.is_clean
            && let Some(last) = self.viewer.last()
        {
            prop_assert_eq!(admitted.seq, last.next(), "no number is left out where none was lost");
        }
        prop_assert!(!admitted.is_empty || !is_newest, "only a late packet goes without its payload");
        let numbers = As {
            seq: admitted.seq,
            shift: admitted.shift,
            is_empty: admitted.is_empty,
            stamp: Stamp { transport_wide: 0, abs_send_time: 0 },
            rtx: None,
            repeated: Repeated::default(),
        };
        let mut out = Vec::new();
        self.consumer.write(&mut out, (&streams[index], &packet), &numbers);
        self.viewer.receive((admitted.seq, sent.stream, sent.seq, self.pauses), &self.encoder, &out)
    }

    /// A better picture begins with a key frame, and so does another stream.
    fn check_change(&self, sent: &Sent, (before, after): (Option<Layer>, Option<Layer>)) -> Checked {
        let frame = &self.encoder.frames[sent.name.frame];
        let spatial = |layer: Option<Layer>| layer.map(|layer| layer.spatial);
        let is_better = spatial(after) > spatial(before);
        let is_other = self.script.mode.streams > 1 && spatial(after) != spatial(before);
        prop_assert!(
            !(is_better || is_other) || frame.is_key && sent.name.packet == 0,
            "{:?} to {:?} at {:?}",
            before,
            after,
            frame
        );
        Ok(())
    }

    /// The frames that did not come whole or in order. A key picture of which that is true of one layer may not be begun with.
    fn all_damaged(&self) -> BTreeSet<usize> {
        let frames = &self.encoder.frames;
        let is_like = |frame: &Frame, other: &Frame| {
            frame.is_key && frame.stream == other.stream && frame.picture == other.picture
        };
        let siblings = |id: usize| {
            let near = id.saturating_sub(9)..frames.len().min(id + 9);
            near.filter(move |&other| other == id || is_like(&frames[id], &frames[other]))
        };
        self.damaged.iter().flat_map(|&id| siblings(id)).collect()
    }

    /// Asks once for each number that is missed, as a viewer's NACK does.
    fn repair(&mut self) -> Checked {
        for seq in self.viewer.missing(self.nacked) {
            let Some((stream, source, out, shift)) = self.consumer.source_of(seq.truncate()) else {
                return Err(TestCaseError::fail(format!("nothing is known of {seq:?}")));
            };
            prop_assert_eq!(out, seq);
            let source_stream = &self.producer.streams[usize::from(stream)];
            let Some(packet) = source_stream.packet(source) else { continue };
            let is_empty = self.consumer.is_left_out(&packet, shift);
            let stamp = Stamp { transport_wide: 0, abs_send_time: 0 };
            let mut bytes = Vec::new();
            let numbers = As { seq, shift, is_empty, stamp, rtx: None, repeated: Repeated::default() };
            self.consumer.write(&mut bytes, (source_stream, &packet), &numbers);
            self.viewer.receive((seq, stream, source, self.pauses), &self.encoder, &bytes)?;
        }
        self.nacked = self.viewer.last().unwrap_or(self.nacked);
        Ok(())
    }

    /// Whatever lives is shown.
    fn check_seen(&self, picture: u32) -> Checked {
        let is_due = self.is_clean && self.answers && picture >= self.changed_at + SETTLED;
        if is_due && !self.consumer.is_off() && self.encoder.active() != 0 {
            let seen = self.viewer.newest_picture;
            prop_assert!(seen.is_some_and(|seen| seen + SEEN_WITHIN > picture), "{:?} of {}", seen, picture);
        }
        Ok(())
    }

    /// In the end everyone gets the layer that is asked for, by no more than one key frame.
    fn settle(&mut self) -> Checked {
        self.script.fates = vec![Fate::Arrives];
        self.answers = false;
        for _ in 0..70 {
            self.next_picture()?;
        }
        if let Some(awaited) = self.consumer.awaited_stream().filter(|_| self.encoder.active() != 0) {
            let live = self.producer.live;
            self.encoder.want_key(awaited);
            self.next_picture()?;
            if self.producer.live != live {
                // Layers that were never met before are wanted from the next key frame on.
                self.encoder.want_key(awaited);
                self.next_picture()?;
            }
            prop_assert_eq!(self.consumer.awaited_stream(), None, "after the key frame of {}", awaited);
        }
        for _ in 0..24 {
            self.next_picture()?;
        }
        self.check_settled()
    }

    /// What is sent is what is asked for, as far as it is there.
    fn check_settled(&self) -> Checked {
        let (mode, active) = (&self.script.mode, self.encoder.active());
        let wish = self.consumer.wish.target(&self.producer).filter(|_| !self.consumer.paused);
        let expected = wish.and_then(|wish| {
            let live = |spatial: &u8| active & 1 << spatial != 0;
            let spatial = (0..=wish.spatial.min(7)).rev().find(live).or_else(|| (0..8).find(live))?;
            // Another stream than the one asked for is sent whole.
            let temporal = if mode.streams > 1 && spatial != wish.spatial { u8::MAX } else { wish.temporal };
            Some(Layer { spatial, temporal })
        });
        if active == 0 {
            return Ok(());
        }
        let recent = self.encoder.picture - SEEN_WITHIN;
        for (id, frame) in self.encoder.frames.iter().enumerate().filter(|(_, frame)| frame.picture >= recent) {
            let spatial = if mode.streams > 1 { frame.stream } else { frame.layer.spatial };
            let is_wanted = expected.is_some_and(|expected| {
                let is_part = match mode.dependency {
                    SpatialDependency::Full if mode.streams == 1 => spatial <= expected.spatial,
                    _ => spatial == expected.spatial,
                };
                is_part && frame.layer.temporal <= expected.temporal
            });
            let is_sent = self.viewer.has_whole(&self.encoder, id);
            prop_assert_eq!(is_sent, is_wanted, "{:?}, wanted is {:?}", frame, expected);
        }
        Ok(())
    }
}

fn producer_spec(mode: &Mode) -> ProducerSpec {
    let stream = |index: u8| StreamSpec { ssrc: Some(Ssrc::new(100 + u32::from(index))), rid: None, rtx_ssrc: None };
    ProducerSpec {
        id: ObjectId(2),
        kind: MediaKind::Video,
        mid: None,
        codec: mode.codec,
        payload_type: PAYLOAD_TYPE,
        rtx_payload_type: None,
        red_payload_type: None,
        clock_rate: 90_000,
        extensions: extensions(),
        nack: true,
        pli: true,
        fir: false,
        streams: (0..mode.streams).map(stream).collect(),
        dependency: mode.dependency,
        is_screen: false,
        paused: false,
        is_microphone: false,
    }
}
