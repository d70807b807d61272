//! A voice that speaks Opus: a packet every 20 ms, and in silence almost none (RFC 7587 §3.1.3).

use std::time::Duration;

use wire::extension::AudioLevel;

use super::stamp::Stamp;

/// Time from one packet to the next.
pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// RTP clock of Opus, whatever the sampling (RFC 7587 §4.1).
pub(crate) const CLOCK_RATE: u32 = 48_000;

/// Table of contents of a 20 ms fullband mono frame (RFC 6716 §3.1, configuration 15).
const TOC: u8 = 15 << 3;

/// A level from which a sender calls it speech, in dB below full scale.
const SPEECH_LEVEL: u8 = 60;

/// Level of digital silence.
const SILENCE: u8 = 127;

/// In silence one comfort noise packet comes this many frames after another; libopus sends one every 400 ms.
const COMFORT_NOISE_EVERY: u32 = 20;

/// How an Opus source sounds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OpusSettings {
    /// Bytes of a packet of speech.
    pub packet_len: usize,
    /// Times of speech and of silence, one after the other; `None` speaks always. In silence nearly nothing is sent
    /// (DTX).
    pub talk_and_pause: Option<(Duration, Duration)>,
    /// Level of what is not silence, in dB below full scale: a quiet room has 80 or more.
    pub dbov_below: u8,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self { packet_len: 80, talk_and_pause: None, dbov_below: 30 }
    }
}

/// One frame's worth of encoding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoded {
    /// A packet of speech; `first` after silence.
    Speech { first: bool },
    /// A packet that says that it is silent.
    ComfortNoise,
    /// Nothing is sent.
    Nothing,
}

/// The encoder's state.
#[derive(Debug)]
pub(crate) struct Voice {
    settings: OpusSettings,
    /// Frames since the beginning, silent ones included.
    frames: u32,
    /// Frames that carried speech.
    spoken: u32,
    silent_for: u32,
}

impl Voice {
    pub(crate) fn new(settings: OpusSettings) -> Self {
        Self { settings, frames: 0, spoken: 0, silent_for: 1 }
    }

    /// Changes how loud it is.
    pub(crate) fn set_level(&mut self, dbov_below: u8) {
        self.settings.dbov_below = dbov_below;
    }

    /// What is written beside a packet (RFC 6464).
    pub(crate) fn level(&self, encoded: Encoded) -> AudioLevel {
        let dbov_below = match encoded {
            Encoded::Speech { .. } => self.settings.dbov_below,
            Encoded::ComfortNoise | Encoded::Nothing => SILENCE,
        };
        AudioLevel { voice: dbov_below <= SPEECH_LEVEL, dbov_below }
    }

    /// Appends the payload of the next 20 ms to `out`.
    pub(crate) fn encode(&mut self, stream: u32, captured_at: u64, out: &mut Vec<u8>) -> Encoded {
        let position = FRAME * self.frames;
        self.frames += 1;
        let is_silent = self.settings.talk_and_pause.is_some_and(|(talk, pause)| {
            let period = (talk + pause).as_micros().max(1);
            position.as_micros() % period >= talk.as_micros()
        });
        if is_silent {
            self.silent_for += 1;
            if self.silent_for % COMFORT_NOISE_EVERY != 1 {
                return Encoded::Nothing;
            }
            out.push(TOC);
            return Encoded::ComfortNoise;
        }
        let first = std::mem::take(&mut self.silent_for) > 0;
        out.push(TOC);
        let frame = self.spoken;
        self.spoken += 1;
        let stamp = Stamp { stream, frame, depends_on: frame, packet: 0, packets: 1, captured_at };
        stamp.write(out, self.settings.packet_len.saturating_sub(1));
        Encoded::Speech { first }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_fifty_packets_a_second_and_silence_five_every_two() {
        let talk_and_pause = Some((Duration::from_secs(1), Duration::from_secs(2)));
        let mut voice = Voice::new(OpusSettings { talk_and_pause, ..OpusSettings::default() });
        let mut payload = Vec::new();
        let encoded: Vec<_> = (0..150).map(|_| voice.encode(1, 0, &mut payload)).collect();
        assert_eq!(encoded[0], Encoded::Speech { first: true });
        assert_eq!(encoded[1..50], [Encoded::Speech { first: false }; 49]);
        assert_eq!(encoded[50..].iter().filter(|&&frame| frame == Encoded::ComfortNoise).count(), 5);
        assert_eq!(voice.encode(1, 0, &mut payload), Encoded::Speech { first: true });
    }

    #[test]
    fn silence_is_known_as_such_and_speech_is_not() {
        let talk_and_pause = Some((Duration::from_millis(20), Duration::from_millis(20)));
        let mut voice = Voice::new(OpusSettings { talk_and_pause, ..OpusSettings::default() });
        let (mut speech, mut silence) = (Vec::new(), Vec::new());
        voice.encode(9, 5, &mut speech);
        assert_eq!(voice.encode(9, 5, &mut silence), Encoded::ComfortNoise);
        assert!(!wire::codec::opus::is_dtx(&speech));
        assert!(wire::codec::opus::is_dtx(&silence));
        assert_eq!(Stamp::read(&speech[1..]).map(|stamp| stamp.stream), Some(9));
    }
}
