//! Hears the microphones of a router: which packets are forwarded, who is audible, who leads.

use std::time::Instant;

use wire::extension::{ExtensionKind, read_audio_level};

use crate::command::{CommandError, EventKind, Reply};
use crate::producer::{Arrived, Producer};
use crate::router::Router;
use crate::speaker::{AudioLevelOptions, DECISION_INTERVAL, Heard};
use crate::table::Key;
use crate::worker::{Due, Worker};

impl Worker {
    /// Whether what arrived of a producer goes to its audience: of a microphone, whether it is among the loudest.
    pub(crate) fn is_heard(&mut self, now: Instant, key: Key<Producer>, stream: u8, arrived: Arrived) -> bool {
        let Some(producer) = self.producers.get_mut(key) else { return false };
        let Some(mic) = producer.microphone else { return true };
        let Some(router) = self.routers.get_mut(producer.router) else { return false };
        let Some(stream) = producer.streams.get_mut(usize::from(stream)) else { return false };
        let Arrived::Packet(seq) = arrived else { return producer.is_heard };
        let Some(packet) = stream.packet(seq) else { return false };
        let level = packet.meta.extensions.get(packet.bytes, ExtensionKind::AudioLevel).and_then(read_audio_level);
        let heard = router.speakers.hear(now, mic, packet.meta.timestamp, level);
        let Heard { is_forwarded, is_speech } = heard;
        if is_forwarded && !producer.is_heard {
            stream.resumed_from = Some(seq);
        }
        producer.is_heard = is_forwarded;
        if is_speech && router.observe_tick.is_none() {
            let router = producer.router;
            self.plan_observation(now, router);
        }
        is_forwarded
    }

    fn plan_observation(&mut self, now: Instant, key: Key<Router>) {
        let Some(router) = self.routers.get_mut(key) else { return };
        let tick = self.timers.tick(now + DECISION_INTERVAL);
        router.observe_tick = Some(tick);
        self.timers.arm(Due::Router(key), tick);
    }

    /// Tells what is to be told of a router's microphones, if `tick` is what it waits for.
    pub(crate) fn observe(&mut self, now: Instant, key: Key<Router>, tick: u64) {
        let Some(router) = self.routers.get_mut(key) else { return };
        if router.observe_tick != Some(tick) {
            return;
        }
        router.observe_tick = None;
        let seen = router.speakers.observe(now);
        let (id, is_quiet) = (router.id, router.speakers.is_quiet());
        if let Some(speaker) = seen.active_speaker {
            let led_from = self.producers.iter().find(|(_, producer)| Some(producer.id) == speaker);
            router.led_from = led_from.map(|(_, producer)| producer.transport);
            self.events.push(id, EventKind::ActiveSpeaker(speaker));
        }
        if let Some(levels) = seen.levels {
            self.events.push(id, EventKind::AudioLevels(levels));
        }
        if !is_quiet {
            self.plan_observation(now, key);
        }
    }

    pub(crate) fn set_loudest(&mut self, now: Instant, key: Key<Router>, count: u8) -> Result<Reply, CommandError> {
        let router = self.routers.get_mut(key).ok_or(CommandError::NoRouter)?;
        router.speakers.set_count(now, count);
        Ok(Reply::Done)
    }

    pub(crate) fn set_audio_levels(
        &mut self,
        key: Key<Router>,
        options: AudioLevelOptions,
    ) -> Result<Reply, CommandError> {
        let router = self.routers.get_mut(key).ok_or(CommandError::NoRouter)?;
        router.speakers.set_options(options);
        Ok(Reply::Done)
    }

    /// Has a microphone take part while it is not paused.
    pub(crate) fn update_microphone(&mut self, key: Key<Producer>) {
        let Some(producer) = self.producers.get_mut(key) else { return };
        let Some(router) = self.routers.get_mut(producer.router) else { return };
        let takes_part = producer.is_microphone && !producer.paused;
        match (producer.microphone, producer.streams.first()) {
            (None, Some(stream)) if takes_part => {
                producer.microphone = Some(router.speakers.add(producer.id, stream.clock_rate));
                producer.is_heard = true;
            }
            (Some(mic), _) if !takes_part => {
                router.speakers.remove(mic);
                producer.microphone = None;
            }
            _ => {}
        }
    }
}
