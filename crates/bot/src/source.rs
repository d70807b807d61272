//! A microphone or camera of a participant: encoders, their clock, and the streams that carry what they make.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use wire::{RtpTimestamp, Ssrc};

use crate::media::{
    AUDIO_CLOCK_RATE, AUDIO_FRAME, Camera, Encoded, OpusSettings, VIDEO_CLOCK_RATE, Voice, Vp8Settings,
};
use crate::output::Output;
use crate::secure::Secure;
use crate::send::{Negotiated, OutgoingStream, Packet, SendStats, StreamSpec};

/// A source further behind than this starts anew instead of catching up.
const MAX_BACKLOG: Duration = Duration::from_secs(1);

/// What a source sends.
#[derive(Clone, Debug)]
pub enum Media {
    /// A voice.
    Opus(StreamSpec, OpusSettings),
    /// A camera in one or more encodings, lowest quality first. All have the frame rate of the first.
    Vp8(Vec<(StreamSpec, Vp8Settings)>),
}

/// A source to be made.
#[derive(Clone, Debug)]
pub struct SourceSpec {
    /// What its streams have in common.
    pub negotiated: Negotiated,
    /// What it sends.
    pub media: Media,
}

enum Encoder {
    Voice(Voice),
    Cameras(Vec<Camera>),
}

/// The state of one source.
pub(crate) struct Source {
    negotiated: Negotiated,
    encoder: Encoder,
    pub(crate) streams: Vec<OutgoingStream>,
    /// Streams that are not sent, by place.
    stopped: Vec<bool>,
    paused: bool,
    started_at: Instant,
    next_at: Instant,
    payload: Vec<u8>,
}

impl Source {
    pub(crate) fn new(now: Instant, spec: SourceSpec, rng: &mut StdRng) -> Self {
        let (encoder, streams) = match spec.media {
            Media::Opus(stream, settings) => (Encoder::Voice(Voice::new(settings)), vec![stream]),
            Media::Vp8(encodings) => {
                let cameras = encodings.iter().map(|(_, settings)| Camera::new(*settings, rng)).collect();
                (Encoder::Cameras(cameras), encodings.into_iter().map(|(stream, _)| stream).collect())
            }
        };
        Self {
            negotiated: spec.negotiated,
            encoder,
            stopped: vec![false; streams.len()],
            streams: streams.into_iter().map(|stream| OutgoingStream::new(stream, rng)).collect(),
            paused: false,
            started_at: now,
            next_at: now,
            payload: Vec::with_capacity(1500),
        }
    }

    pub(crate) fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    pub(crate) fn next_at(&self) -> Instant {
        self.next_at
    }

    pub(crate) fn set_paused(&mut self, paused: bool) {
        // A camera that starts again starts with a picture that stands alone.
        if self.paused && !paused {
            self.want_key_frames(None);
        }
        self.paused = paused;
    }

    /// Changes how loud a voice is.
    pub(crate) fn set_level(&mut self, dbov_below: u8) {
        if let Encoder::Voice(voice) = &mut self.encoder {
            voice.set_level(dbov_below);
        }
    }

    /// Begins to capture, now that there is somewhere to send to.
    pub(crate) fn start(&mut self, now: Instant) {
        self.next_at = now;
    }

    /// Stops or starts one stream, as a sender without bandwidth for it does.
    pub(crate) fn set_stopped(&mut self, index: usize, stopped: bool) {
        if let Some(slot) = self.stopped.get_mut(index)
            && std::mem::replace(slot, stopped)
            && !stopped
        {
            self.want_key_frames(Some(index));
        }
    }

    pub(crate) fn stats(&self, index: usize) -> Option<SendStats> {
        self.streams.get(index).map(|stream| stream.stats)
    }

    fn want_key_frames(&mut self, only: Option<usize>) {
        if let Encoder::Cameras(cameras) = &mut self.encoder {
            let wanted = cameras.iter_mut().enumerate().filter(|(index, _)| only.is_none_or(|only| only == *index));
            wanted.for_each(|(_, camera)| camera.want_key_frame());
        }
    }

    /// The server asks for a key frame of one stream; `false` when it is none of ours.
    pub(crate) fn receive_key_frame_request(&mut self, now: Instant, ssrc: Ssrc) -> bool {
        let Some(index) = self.streams.iter().position(|stream| stream.spec.ssrc == ssrc) else { return false };
        self.streams[index].note_key_frame_request(now);
        self.want_key_frames(Some(index));
        true
    }

    fn interval(&self) -> Duration {
        match &self.encoder {
            Encoder::Voice(_) => AUDIO_FRAME,
            Encoder::Cameras(cameras) => {
                let rate = cameras.first().map_or(25, |camera| camera.settings().frame_rate);
                Duration::from_micros(1_000_000 / u64::from(rate.max(1)))
            }
        }
    }

    fn clock_rate(&self) -> u64 {
        u64::from(match &self.encoder {
            Encoder::Voice(_) => AUDIO_CLOCK_RATE,
            Encoder::Cameras(_) => VIDEO_CLOCK_RATE,
        })
    }

    /// RTP time of a stream at `at`.
    pub(crate) fn rtp_time(&self, stream: &OutgoingStream, at: Instant) -> RtpTimestamp {
        let micros = at.saturating_duration_since(self.started_at).as_micros() as u64;
        RtpTimestamp::new(stream.timestamp_base).wrapping_add((micros * self.clock_rate() / 1_000_000) as u32)
    }

    /// Sends what has been captured up to `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant, secure: &mut Secure, out: &mut Output, rng: &mut StdRng) {
        if now.saturating_duration_since(self.next_at) > MAX_BACKLOG {
            self.next_at = now;
        }
        while self.next_at <= now {
            let captured_at = self.next_at;
            self.next_at += self.interval();
            if !self.paused {
                self.capture(now, captured_at, secure, out, rng);
            }
        }
    }

    fn capture(&mut self, now: Instant, at: Instant, secure: &mut Secure, out: &mut Output, rng: &mut StdRng) {
        let captured_at = secure.clock.unix_at(at).as_micros() as u64;
        for index in 0..self.streams.len() {
            if self.stopped.get(index) == Some(&true) {
                continue;
            }
            let timestamp = self.rtp_time(&self.streams[index], at);
            let ssrc = self.streams[index].spec.ssrc.get();
            let (stream, negotiated, payload) = (&mut self.streams[index], &self.negotiated, &mut self.payload);
            payload.clear();
            match &mut self.encoder {
                Encoder::Voice(voice) => {
                    let encoded = voice.encode(ssrc, captured_at, payload);
                    let marker = match encoded {
                        Encoded::Speech { first } => first,
                        Encoded::ComfortNoise => false,
                        Encoded::Nothing => continue,
                    };
                    let level = Some(voice.level(encoded));
                    let packet = Packet { timestamp, marker, payload, level };
                    stream.send(now, negotiated, packet, secure, out);
                }
                Encoder::Cameras(cameras) => {
                    let Some(camera) = cameras.get_mut(index) else { continue };
                    let frame = camera.encode(ssrc, captured_at, rng);
                    stream.stats.key_frames += u64::from(frame.is_key());
                    for number in 0..frame.packets() {
                        payload.clear();
                        camera.write(&frame, number, payload);
                        let marker = number + 1 == frame.packets();
                        let packet = Packet { timestamp, marker, payload, level: None };
                        stream.send(now, negotiated, packet, secure, out);
                    }
                }
            }
        }
    }

    /// Sends padding on one stream.
    pub(crate) fn send_padding(&mut self, now: Instant, index: usize, secure: &mut Secure, out: &mut Output) {
        let Some(timestamp) = self.streams.get(index).map(|stream| self.rtp_time(stream, now)) else { return };
        self.streams[index].send_padding(now, &self.negotiated, timestamp, secure, out);
    }

    /// Sends packets of one stream again; `false` when it is none of ours.
    pub(crate) fn receive_nack(
        &mut self,
        now: Instant,
        (ssrc, seqs): (Ssrc, impl Iterator<Item = wire::SeqNo>),
        round_trip: Duration,
        secure: &mut Secure,
        out: &mut Output,
    ) -> bool {
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.spec.ssrc == ssrc) else { return false };
        stream.receive_nack(now, &self.negotiated, seqs, round_trip, secure, out);
        true
    }
}
