//! What a room's policy and clock allow of sound and pictures, enforced where the media are: a client cannot get round it.

use std::sync::{Arc, Weak};

use futures_util::future::join_all;
use sfu::Producer;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::about::Change;
use super::roles::is_staff;
use super::state::{Effect, State, To};
use super::{Inner, ParticipantId, Room};
use crate::error::{Code, Refusal};
use crate::signal::messages::{
    Action, CameraPolicy, Kind, Moderated, Openness, ProducerOf, RoomEvent, RoomInfo, RoomUpdated, Source,
};

/// People whose microphone or camera begins paused; the newest are not remembered when there are more.
const MAX_SILENCED: usize = 1_000;

/// Has the media follow the policy, for as long as it is kept.
pub(super) struct Keeping {
    wake: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keeping {
    pub(super) fn start(room: Weak<Room>) -> Self {
        let wake = Arc::new(Notify::new());
        let task = tokio::spawn(keep(room, Arc::clone(&wake)));
        Self { wake, task }
    }
}

async fn keep(room: Weak<Room>, wake: Arc<Notify>) {
    loop {
        wake.notified().await;
        let Some(room) = room.upgrade() else { return };
        room.enforce().await;
    }
}

impl State {
    /// Whether something is open now, by its policy and the clock.
    pub(super) fn is_open(&self, openness: Openness, now_ms: u64) -> bool {
        match openness {
            Openness::Open => true,
            Openness::BreaksOnly => !self.clock.is_focus(now_ms),
            Openness::Closed => false,
        }
    }

    /// Somebody's microphone or camera begins paused when they come again.
    fn silence(&mut self, id: &ParticipantId, source: Source) {
        let Ok(person) = self.seat(id).map(|seat| seat.person.clone()) else { return };
        if self.silenced.len() < MAX_SILENCED {
            self.silenced.insert((person, source), id.clone());
        }
    }

    /// Whether this may be sent now; sound of any kind is sound.
    fn may_send(&self, source: Source, now_ms: u64) -> Result<(), Refusal> {
        let policy = &self.about.policy;
        let sentence = match (source.kind(), source) {
            (Kind::Audio, _) if self.is_open(policy.mics, now_ms) => return Ok(()),
            (Kind::Audio, _) if policy.mics == Openness::BreaksOnly => {
                "Microphones of this room are open in breaks only."
            }
            (Kind::Audio, _) => "Microphones of this room are closed.",
            (_, Source::Camera) if policy.camera == CameraPolicy::Closed => "Cameras of this room are closed.",
            _ => return Ok(()),
        };
        Err(Refusal::new(Code::Policy, sentence))
    }
}

impl Room {
    /// Held while producers are paused and resumed, so that what is told of them is what the media server does.
    pub(crate) async fn pausing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.pausing.lock().await
    }

    /// Whether somebody may begin to send this; then, whether it has to begin paused.
    pub(crate) fn check_produce(&self, id: &ParticipantId, source: Source) -> Result<bool, Refusal> {
        let mut inner = self.lock();
        let silenced = (inner.state.seat(id)?.person.clone(), source);
        let is_silenced = inner.state.silenced.get(&silenced).is_some_and(|on| on != id);
        if !is_silenced {
            // On the same seat it is they who open it again.
            inner.state.silenced.remove(&silenced);
        }
        match inner.state.may_send(source, self.studies.now_ms()) {
            Ok(()) => Ok(is_silenced),
            // It opens in the break.
            Err(_) if inner.state.about.policy.mics == Openness::BreaksOnly && source.kind() == Kind::Audio => Ok(true),
            Err(refusal) => Err(refusal),
        }
    }

    /// Whether somebody may go on sending this.
    pub(crate) fn check_resume(&self, id: &ParticipantId, producer_id: &str) -> Result<(), Refusal> {
        let mut inner = self.lock();
        let seat = inner.state.seat(id)?;
        let producer = seat.producers.iter().find(|producer| producer.id == producer_id);
        let Some(source) = producer.map(|producer| producer.source) else {
            return Err(Refusal::not_found("producer"));
        };
        let person = seat.person.clone();
        inner.state.may_send(source, self.studies.now_ms())?;
        // They want to be heard again.
        inner.state.silenced.remove(&(person, source));
        Ok(())
    }

    /// Who had to be silent begins so when they come again.
    pub(super) fn remember_silenced(&self, id: &ParticipantId, source: Source) {
        self.lock().state.silence(id, source);
    }

    /// The owner of a producer that had to begin paused is told.
    pub(crate) fn tell_paused(&self, id: &ParticipantId, producer_id: &str) {
        let of = ProducerOf { producer_id: producer_id.to_owned(), participant_id: id.to_string() };
        self.lock().emit(self, vec![Effect { to: To::One(id.clone()), event: RoomEvent::ProducerPaused(of) }]);
    }

    /// The owner of a producer that somebody else closed is told.
    pub(super) fn tell_closed(&self, id: &ParticipantId, producer_id: &str) {
        let of = ProducerOf { producer_id: producer_id.to_owned(), participant_id: id.to_string() };
        self.lock().emit(self, vec![Effect { to: To::One(id.clone()), event: RoomEvent::ProducerClosed(of) }]);
    }

    /// Looks at the media anew: the policy or the clock changed, or somebody began to send.
    pub(crate) fn wake_policy(&self) {
        if let Some(keeping) = self.keeping.get() {
            keeping.wake.notify_one();
        }
    }

    /// Pauses and closes what may not be sent now.
    async fn enforce(&self) {
        let _turn = self.pausing.lock().await;
        let (sounds, cameras) = {
            let inner = self.lock();
            let now_ms = self.studies.now_ms();
            let is_forbidden = |source: Source| inner.state.may_send(source, now_ms).is_err();
            let mut forbidden: Vec<_> = Vec::new();
            for seat in inner.state.seats() {
                let Ok(entry) = inner.entry(&seat.id) else { continue };
                let found = seat.producers.iter().filter(|producer| is_forbidden(producer.source));
                let found = found.filter(|producer| !producer.paused || producer.source == Source::Camera);
                let handles = found.filter_map(|facts| Some((facts.source, entry.media.producer(&facts.id)?.clone())));
                forbidden.extend(handles.map(|(source, handle)| (seat.id.clone(), source, handle)));
            }
            forbidden.into_iter().partition::<Vec<_>, _>(|(_, source, _)| source.kind() == Kind::Audio)
        };
        self.pause_all(&sounds).await;
        for (owner, _, handle) in &cameras {
            // One that closed meanwhile is closed.
            if self.close_producer(owner, handle.id().as_ref()).is_ok() {
                self.tell_closed(owner, handle.id().as_ref());
            }
        }
        let mut inner = self.lock();
        let by = inner.state.about.name.clone();
        let mut told = Vec::new();
        for (action, sentence, whom) in [
            (Action::Mute, "Microphones are closed in this room now.", &sounds),
            (Action::StopVideo, "Cameras are closed in this room now.", &cameras),
        ] {
            for (owner, ..) in whom {
                let event = Moderated { action, by: by.clone(), reason: Some(sentence.to_owned()) };
                told.push(Effect { to: To::One(owner.clone()), event: RoomEvent::Moderated(event) });
            }
        }
        inner.emit(self, told);
    }

    /// Pauses producers, all at once; everybody hears of it, their owners too. The caller holds [`Room::pausing`].
    pub(super) async fn pause_all(&self, producers: &[(ParticipantId, Source, Producer)]) {
        let paused = join_all(producers.iter().map(|(_, _, handle)| handle.pause())).await;
        let mut inner = self.lock();
        for ((owner, _, handle), paused) in producers.iter().zip(paused) {
            if let Err(error) = paused {
                // It is gone, or its worker is.
                debug!(%error, "a producer cannot be paused");
                continue;
            }
            inner.note_paused(self, owner, handle.id().as_ref());
        }
    }

    /// Changes what the room is called and what is allowed; everybody is told.
    pub(crate) fn change(self: &Arc<Self>, change: Change) -> RoomInfo {
        let mut inner = self.lock();
        let loudest_before = inner.state.about.policy.loudest;
        let control_before = inner.state.about.policy.timer_control;
        inner.state.about.apply(change);
        let info = inner.state.info();
        let event = RoomEvent::RoomUpdated(RoomUpdated { room: info.clone() });
        inner.emit(self, vec![Effect { to: To::All, event }]);
        if inner.state.about.policy.timer_control != control_before {
            let event = RoomEvent::Timer(inner.state.timer(self.studies.now_ms()));
            inner.emit(self, vec![Effect { to: To::All, event }]);
        }
        self.later.store(vec![inner.state.about.update(&self.id)]);
        let loudest = inner.state.about.policy.loudest;
        let router = inner.router.as_ref().map(|router| router.handle.clone());
        drop(inner);
        if loudest != loudest_before
            && let Some(router) = router
        {
            let (room, loudest) = (Arc::clone(self), loudest.unwrap_or(self.loudest));
            tokio::spawn(async move {
                if let Err(error) = router.set_loudest(loudest).await {
                    warn!(room = room.id, %error, "how many microphones are heard cannot be changed now");
                }
            });
        }
        self.wake_policy();
        self.bell.ring(&self.id);
        info
    }

    /// Changes the room for somebody who sits in it and keeps order.
    pub(crate) fn update(self: &Arc<Self>, id: &ParticipantId, change: Change) -> Result<RoomInfo, Refusal> {
        let (role, person, name) = {
            let inner = self.lock();
            let seat = inner.state.seat(id)?;
            (seat.role, seat.person.clone(), seat.display_name.clone())
        };
        if !is_staff(role) {
            return Err(Refusal::new(Code::Forbidden, "Only the host and moderators of this room can do this."));
        }
        self.log_update(&person, &name);
        Ok(self.change(change))
    }
}

impl Inner {
    /// A producer was paused by somebody else than its owner: everybody hears of it, the owner too.
    fn note_paused(&mut self, room: &Room, owner: &ParticipantId, producer_id: &str) {
        let effects = self.state.set_producer_paused(owner, producer_id, true).unwrap_or_default();
        let told = effects.iter().filter(|effect| effect.to == To::Others(owner.clone())).cloned();
        let told: Vec<_> = told.map(|effect| Effect { to: To::One(owner.clone()), ..effect }).collect();
        self.emit(room, effects);
        self.emit(room, told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::Person;
    use crate::room::About;

    #[test]
    fn so_many_are_remembered_to_begin_paused_at_most() {
        let mut room = State::new("r".into(), About::named("R"), u32::MAX);
        for number in 0..=MAX_SILENCED {
            let id = ParticipantId::random();
            let id_of_person = format!("g:{number}");
            let person = Person { id: id_of_person, display_name: "A".into(), is_account: false, is_admin: false };
            room.take_seat(0, id.clone(), person).unwrap();
            room.silence(&id, Source::Mic);
        }
        assert_eq!(room.silenced.len(), MAX_SILENCED);
    }

    #[test]
    fn what_is_open_is_told_by_the_policy_and_the_clock() {
        let mut room = State::new("r".into(), About::named("R"), 50);
        for (mics, camera, allowed) in [
            (Openness::Open, CameraPolicy::Optional, [true, true, true, true]),
            (Openness::BreaksOnly, CameraPolicy::Required, [true, true, true, true]),
            (Openness::Closed, CameraPolicy::Closed, [false, false, false, true]),
        ] {
            (room.about.policy.mics, room.about.policy.camera) = (mics, camera);
            let sources = [Source::Mic, Source::ScreenAudio, Source::Camera, Source::Screen];
            assert_eq!(sources.map(|source| room.may_send(source, 0).is_ok()), allowed, "{mics:?} {camera:?}");
        }
    }
}
