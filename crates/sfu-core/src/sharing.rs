//! What one viewer's link carries, and who gets how much of it: sound first, then pictures by their importance. And what is
//! sent when its time comes: packets that waited for their turn, and probes.

use std::time::Instant;

use crate::command::{EventKind, MediaKind};
use crate::congestion::{Bandwidth, BandwidthState, Budget, Claim, Paced, Rank, Step, allocate};
use crate::consumer::{Consumer, MAX_REPEATED, Share, View};
use crate::outbox::Outbox;
use crate::producer::{Layer, Producer};
use crate::router::send_now;
use crate::table::Key;
use crate::trace::EstimateReason;
use crate::transport::{Part, Plain, WebRtcTransport};
use crate::worker::Worker;

/// What a picture is reckoned to cost before it was measured, in bits a second.
const UNMEASURED: u64 = 150_000;

/// Sound that was not measured yet, in bits a second.
const UNMEASURED_SOUND: u64 = 40_000;

/// Sound and its repetition take no more of the link than this, in percent.
const REPEATED_PERCENT: u64 = 60;

/// Pixels of a tile whose size was never told.
const UNKNOWN_AREA: u64 = 640 * 360;

/// Padding packets at one time: a burst at 100 Mbit/s.
const MAX_PADDING: usize = 128;

impl Worker {
    /// Has the link of a viewer shared out anew within this turn.
    pub(crate) fn share_soon(&mut self, now: Instant, key: Key<WebRtcTransport>) {
        if let Some(downlink) = self.transports.get_mut(key).and_then(|transport| transport.downlink.as_mut()) {
            downlink.review_soon(now);
        }
        self.rearm(key);
    }

    /// Sends what waited for its turn, shares the link out, and probes it.
    pub(crate) fn send_due_media(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let has_consumers = !transport.consumers.is_empty();
        if !transport.is_connected() {
            return;
        }
        let Some(downlink) = &mut transport.downlink else { return };
        let reviews = downlink.take_review(now, has_consumers);
        if reviews {
            let before = downlink.estimator.rate();
            downlink.estimator.handle_timeout(now);
            if downlink.estimator.rate() != before {
                self.trace_estimate(now, key, Some(EstimateReason::Silence));
            }
            self.share_out(now, key);
        }
        self.send_paced(now, key, out);
        self.send_padding(now, key, out);
    }

    fn send_paced(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let Self { producers, consumers, transports, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        while let Some(paced) = transport.downlink.as_mut().and_then(|downlink| downlink.pacer.pop(now)) {
            let Paced { consumer, stream, source, admitted } = paced;
            let Some(consumer) = consumers.get_mut(consumer).filter(|consumer| !consumer.is_off()) else { continue };
            let producer = producers.get(consumer.spec.producer);
            let Some(of) = producer.and_then(|producer| producer.streams.get(usize::from(stream))) else { continue };
            if let Some(packet) = of.packet(source) {
                send_now(now, consumer, transport, (stream, of, &packet), admitted, out);
            }
        }
    }

    /// Fills a probe up with padding (RTP without payload in the retransmission stream, which receivers pass over).
    fn send_padding(&mut self, now: Instant, key: Key<WebRtcTransport>, out: &mut Outbox) {
        let Self { consumers, transports, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        let with_rtx = transport
            .consumers
            .iter()
            .copied()
            .find(|&key| consumers.get(key).is_some_and(|consumer| consumer.can_pad()));
        let Some(consumer) = with_rtx.and_then(|key| consumers.get_mut(key)) else { return };
        for _ in 0..MAX_PADDING {
            if transport.downlink.as_mut().is_none_or(|downlink| downlink.padding_due(now) == 0) {
                return;
            }
            let stamp = transport.take_stamp(now, true);
            let index = consumer.take_rtx_number();
            let (arena, start) = out.begin();
            let Some(header_len) = consumer.write_padding(arena, index, stamp) else { return };
            let (flow, part) = (key.index(), Part::Probe);
            let plain = Plain { start, header_len, index, stamp, is_transport_wide: true, flow, part };
            if !transport.send_rtp(now, out, plain) {
                return;
            }
        }
    }

    /// Shares a viewer's link out among what it shows.
    fn share_out(&mut self, now: Instant, key: Key<WebRtcTransport>) {
        let mut claims = std::mem::take(&mut self.claims);
        claims.clear();
        let Sound { plain: plain_sound, sent: sound } = self.collect_claims(now, key, &mut claims);
        let (mut repeats, mut available) = (MAX_REPEATED as u8, 0);
        if let Some(downlink) = self.transports.get_mut(key).and_then(|transport| transport.downlink.as_mut()) {
            available = downlink.estimator.rate();
            repeats = repeats_that_fit(available, plain_sound);
            let repairs = downlink.repeat_rate(now);
            let budget = Budget {
                bit_rate: available.saturating_sub(sound + repairs),
                steady: downlink.steady_rate(now).saturating_sub(sound + repairs),
                link: available,
                may_raise: downlink.may_raise(now, !claims.iter().any(Claim::is_sent)),
                is_full: downlink.estimator.is_full(),
                untested: downlink.estimator.is_untested(),
            };
            let shared = allocate(budget, &mut claims);
            let changes = (claims.iter().any(Claim::is_raised), claims.iter().any(Claim::is_lowered));
            downlink.note_shared(now, sound + shared.used, sound + shared.desired, changes);
            let state = if claims.iter().all(Claim::is_satisfied) {
                BandwidthState::Ok
            } else if claims.iter().all(|claim| claim.granted().is_none()) {
                BandwidthState::AudioOnly
            } else {
                BandwidthState::Limited
            };
            let news = Bandwidth { available, desired: sound + shared.desired, state };
            let news = downlink.take_news(now, news);
            self.tell_bandwidth(key, news);
        }
        for claim in &claims {
            let share = match claim.granted() {
                None => Share::Nothing,
                Some(layer) => Share::UpTo(layer),
            };
            let Some(consumer) = self.consumers.get_mut(claim.key) else { continue };
            consumer.raising.note(now, available, claim.is_raised(), claim.is_lowered());
            if consumer.set_share(share) {
                self.trace_share(now, claim.key, share);
                self.aim(now, claim.key);
            }
        }
        self.claims = claims;
        self.allow_repeats(key, repeats);
    }

    /// Says how many packets of sound may go with each that is sent to a viewer.
    fn allow_repeats(&mut self, key: Key<WebRtcTransport>, repeats: u8) {
        let Self { transports, consumers, .. } = self;
        for &key in transports.get(key).map_or(&[][..], |transport| &transport.consumers) {
            if let Some(consumer) = consumers.get_mut(key) {
                consumer.allow_repeats(repeats);
            }
        }
    }

    fn tell_bandwidth(&mut self, key: Key<WebRtcTransport>, news: Option<Bandwidth>) {
        let Some(transport) = self.transports.get(key) else { return };
        if let (Some(news), Some(router)) = (news, self.routers.get(transport.router)) {
            self.events.push(router.id, EventKind::Bandwidth(transport.id, news));
        }
    }

    /// Collects what the pictures of a viewer could be sent in; returns what its sound takes.
    fn collect_claims(&self, now: Instant, key: Key<WebRtcTransport>, claims: &mut Vec<Claim<Key<Consumer>>>) -> Sound {
        let mut sound = Sound::default();
        let rate =
            self.transports.get(key).and_then(|transport| transport.downlink.as_ref()).map(|d| d.estimator.rate());
        let Some(transport) = self.transports.get(key) else { return sound };
        let led_from = self.routers.get(transport.router).and_then(|router| router.led_from);
        for &consumer_key in &transport.consumers {
            let Some(consumer) = self.consumers.get(consumer_key) else { continue };
            let Some(producer) = self.producers.get(consumer.spec.producer) else { continue };
            let Some(desired) = consumer.desired(producer) else { continue };
            if producer.kind() == MediaKind::Audio {
                let is_heard = producer.live != 0 && producer.is_heard;
                let rate = producer.bit_rate(Layer::default()).unwrap_or(UNMEASURED_SOUND);
                if is_heard {
                    let repeats = producer.streams.first().map_or(0, |stream| consumer.repeats(stream));
                    sound.plain += rate;
                    sound.sent += rate * (1 + u64::from(repeats));
                }
            } else if producer.live != 0 {
                let mut claim = claim_of(consumer_key, consumer, producer, (desired, led_from));
                claim.may_raise = consumer.raising.is_allowed(now, rate.unwrap_or(u64::MAX), false);
                claims.push(claim);
            }
        }
        sound
    }
}

/// What the sound of a viewer takes, in bits a second.
#[derive(Clone, Copy, Debug, Default)]
struct Sound {
    /// Without repetition.
    plain: u64,
    /// As it is sent now.
    sent: u64,
}

/// How often sound may be repeated so that it takes no more of the link than [`REPEATED_PERCENT`].
fn repeats_that_fit(available: u64, sound: u64) -> u8 {
    let room =
        (available * REPEATED_PERCENT / 100).checked_div(sound).map_or(u64::MAX, |times| times.saturating_sub(1));
    room.min(MAX_REPEATED as u64) as u8
}

/// What one picture could be sent in.
fn claim_of(
    key: Key<Consumer>,
    consumer: &Consumer,
    producer: &Producer,
    (desired, led_from): (Layer, Option<Key<WebRtcTransport>>),
) -> Claim<Key<Consumer>> {
    let (area, pinned) = match consumer.view() {
        View::Shown { width, height, pinned } => (u64::from(width) * u64::from(height), pinned),
        View::Unknown | View::Hidden => (UNKNOWN_AREA, false),
    };
    let rank = if pinned || producer.is_screen {
        Rank::First
    } else if led_from == Some(producer.transport) {
        Rank::Speaker
    } else {
        Rank::Other
    };
    let mut claim = Claim::new(key, rank, area);
    let highest = producer.temporal_layers() - 1;
    let is_live = |spatial: u8| producer.live & 1 << spatial != 0;
    let live = (0..producer.spatial_layers()).filter(|&spatial| is_live(spatial));
    let lowest = live.clone().next();
    for spatial in live.filter(|&spatial| spatial <= desired.spatial || Some(spatial) == lowest) {
        // Half as many pictures a second are taken before smaller ones, fewer still only where no smaller ones are to be had.
        let most = highest.min(desired.temporal);
        let from = if Some(spatial) == lowest { 0 } else { most.min(highest.saturating_sub(1)) };
        for temporal in from..=most {
            // The last one stands for all that may come.
            let layer = Layer { spatial, temporal: if temporal == highest { u8::MAX } else { temporal } };
            let bit_rate = match producer.bit_rate(Layer { spatial, temporal }) {
                Some(rate) => rate.max(1),
                None => UNMEASURED << (2 * spatial.min(3)),
            };
            claim.push(Step { layer, bit_rate });
        }
    }
    match consumer.share() {
        Share::UpTo(limit) => claim.has(limit),
        // Nobody shared yet: what is sent now may stay if it fits.
        Share::Unlimited => claim.has(consumer.current_layer().map_or(Layer::default(), |_| Layer::HIGHEST)),
        Share::Nothing => {}
    }
    claim
}
