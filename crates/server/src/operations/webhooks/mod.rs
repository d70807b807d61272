//! Tells a receiver of the operator's what happens in rooms: signed, in the order of each room, again and again until it is taken.
//! What is told is queued in memory within a bound; whoever tells never waits.

mod sending;

use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::clock::{now_ms, rfc3339};
use crate::config::Webhook;
use crate::room::Record;
use crate::signal::messages::LeaveReason;
use sending::Receiver;

/// Events that wait for the receiver, in all lanes together.
pub(crate) const MAX_QUEUED: usize = 10_000;
/// Requests under way at a time. All events of one room go the same lane, one after the other, so they keep their order.
const LANES: usize = 4;
/// How long the end of the server waits for what is queued.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// Something that happened.
#[derive(Clone, Debug)]
struct Event {
    id: String,
    /// As it is sent; made once, so that every attempt is the same to the byte.
    body: Arc<str>,
}

#[derive(Default)]
struct Lane {
    queue: Mutex<VecDeque<Event>>,
    news: Notify,
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Event>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an event; whether an older one had to go for it.
    fn push(&self, event: Event) -> bool {
        let mut queue = self.lock();
        let is_full = queue.len() >= MAX_QUEUED / LANES;
        if is_full {
            queue.pop_front();
        }
        queue.push_back(event);
        drop(queue);
        self.news.notify_one();
        is_full
    }

    fn front(&self) -> Option<Event> {
        self.lock().front().cloned()
    }

    /// The event is dealt with. It may have had to go for others meanwhile.
    fn done(&self, event: &Event) {
        let mut queue = self.lock();
        if queue.front().is_some_and(|front| front.id == event.id) {
            queue.pop_front();
        }
    }
}

/// What became of the events. They only ever grow.
#[derive(Default)]
pub(crate) struct Counts {
    /// Taken by the receiver.
    pub(crate) delivered: AtomicU64,
    /// Attempts that failed and are made again.
    pub(crate) failed: AtomicU64,
    /// Lost, because too many waited.
    pub(crate) dropped: AtomicU64,
    /// Lost, because the receiver does not want them.
    pub(crate) refused: AtomicU64,
}

struct Inner {
    lanes: [Lane; LANES],
    counts: Counts,
    hasher: std::hash::RandomState,
}

/// Tells what happens; nobody, where no receiver is configured.
#[derive(Clone, Default)]
pub(crate) struct Webhooks(Option<Arc<Inner>>);

impl Webhooks {
    /// Begins to tell this receiver. Has to be called within a runtime.
    pub(crate) fn start(receiver: Option<&Webhook>) -> Self {
        let Some(receiver) = receiver.and_then(Receiver::new) else { return Self::default() };
        let (lanes, counts) = (std::array::from_fn(|_| Lane::default()), Counts::default());
        let inner = Arc::new(Inner { lanes, counts, hasher: std::hash::RandomState::new() });
        let receiver = Arc::new(receiver);
        for lane in 0..LANES {
            tokio::spawn(deliver(Arc::downgrade(&inner), lane, Arc::clone(&receiver)));
        }
        Self(Some(inner))
    }

    /// Somebody came into a room where nobody was.
    pub(crate) fn room_started(&self, room_id: &str) {
        self.tell("room-started", room_id, &json!({}));
    }

    /// The last one left a room.
    pub(crate) fn room_ended(&self, room_id: &str) {
        self.tell("room-ended", room_id, &json!({}));
    }

    /// Somebody took a seat.
    pub(crate) fn participant_joined(&self, room_id: &str, participant_id: &str, occupancy: u32) {
        self.tell("participant-joined", room_id, &json!({ "participantId": participant_id, "occupancy": occupancy }));
    }

    /// Somebody gave their seat back.
    pub(crate) fn participant_left(&self, room_id: &str, participant_id: &str, occupancy: u32, reason: LeaveReason) {
        let data = json!({ "participantId": participant_id, "occupancy": occupancy, "reason": reason });
        self.tell("participant-left", room_id, &data);
    }

    /// A visit is over and what was studied is counted.
    pub(crate) fn session_finished(&self, session: &Record) {
        let data = json!({
            "sessionId": session.session_id,
            "person": session.person,
            "startedAtMs": session.started_at_ms,
            "endedAtMs": session.ended_at_ms,
            "studiedMs": session.studied_ms,
        });
        self.tell("session-finished", &session.room_id, &data);
    }

    fn tell(&self, kind: &str, room_id: &str, data: &Value) {
        let Some(inner) = &self.0 else { return };
        let id = format!("{:032x}", rand::random::<u128>());
        let at_ms = now_ms();
        let time = rfc3339(at_ms / 1000);
        let body = json!({ "id": id, "type": kind, "time": time, "timeMs": at_ms, "roomId": room_id, "data": data });
        let lane = &inner.lanes[inner.hasher.hash_one(room_id) as usize % LANES];
        if lane.push(Event { id, body: body.to_string().into() })
            && inner.counts.dropped.fetch_add(1, Ordering::Relaxed) == 0
        {
            warn!("the receiver of webhooks is away for so long that events are lost from now on, oldest first");
        }
    }

    /// Events that wait.
    pub(crate) fn queued(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| inner.lanes.iter().map(|lane| lane.lock().len()).sum())
    }

    /// What became of the others.
    pub(crate) fn counts(&self) -> Option<&Counts> {
        self.0.as_ref().map(|inner| &inner.counts)
    }

    /// Everything is told, if that is to be had in a moment.
    pub(crate) async fn finish(&self) {
        let told = async {
            while self.queued() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(LAST_PATIENCE, told).await.is_err() {
            warn!(events = self.queued(), "the receiver of webhooks does not take what is left to tell");
        }
    }
}

/// Tells the events of one lane, one after the other, for as long as anybody is there to make some.
async fn deliver(inner: std::sync::Weak<Inner>, lane: usize, receiver: Arc<Receiver>) {
    let mut failures = 0;
    while let Some(all) = inner.upgrade() {
        let Some(event) = all.lanes[lane].front() else {
            // Woken now and then, to see whether anybody is left.
            let _ = tokio::time::timeout(Duration::from_secs(5), all.lanes[lane].news.notified()).await;
            continue;
        };
        let counts = &all.counts;
        let count = match receiver.tell(&event.id, &event.body).await {
            sending::Outcome::Taken => &counts.delivered,
            sending::Outcome::Refused => &counts.refused,
            sending::Outcome::Failed => {
                if failures == 0 {
                    warn!(
                        waiting = all.lanes[lane].lock().len(),
                        "the receiver of webhooks takes nothing now; events wait"
                    );
                }
                counts.failed.fetch_add(1, Ordering::Relaxed);
                drop(all);
                tokio::time::sleep(sending::wait(failures, rand::random())).await;
                failures = failures.saturating_add(1);
                continue;
            }
        };
        if failures > 0 {
            info!("the receiver of webhooks answers again");
        }
        failures = 0;
        count.fetch_add(1, Ordering::Relaxed);
        all.lanes[lane].done(&event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue_only() -> Webhooks {
        let (lanes, counts) = (std::array::from_fn(|_| Lane::default()), Counts::default());
        Webhooks(Some(Arc::new(Inner { lanes, counts, hasher: std::hash::RandomState::new() })))
    }

    fn waiting(webhooks: &Webhooks) -> Vec<Value> {
        let inner = webhooks.0.as_ref().unwrap();
        let all = inner.lanes.iter().flat_map(|lane| lane.lock().iter().cloned().collect::<Vec<_>>());
        all.map(|event| serde_json::from_str(&event.body).unwrap()).collect()
    }

    #[test]
    fn while_nobody_takes_them_the_oldest_events_go_and_are_counted() {
        let webhooks = queue_only();
        let most = MAX_QUEUED / LANES;
        for number in 0..most as u32 + 10 {
            webhooks.participant_joined("study-room-1", "p", number);
        }
        let events = waiting(&webhooks);
        assert_eq!((events.len(), webhooks.queued()), (most, most));
        assert_eq!(events[0]["data"]["occupancy"], 10, "the first ten are lost");
        assert_eq!(webhooks.counts().unwrap().dropped.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn events_bear_an_id_the_time_and_the_room() {
        let webhooks = queue_only();
        webhooks.session_finished(&Record {
            session_id: "s".into(),
            person: "g:1".into(),
            room_id: "study-room-2".into(),
            started_at_ms: 1,
            ended_at_ms: 5,
            studied_ms: 3,
            stretches: Vec::new(),
            is_finished: true,
        });
        let event = &waiting(&webhooks)[0];
        assert_eq!((&event["type"], &event["roomId"]), (&"session-finished".into(), &"study-room-2".into()));
        assert_eq!(event["id"].as_str().unwrap().len(), 32);
        assert!(
            event["timeMs"].as_u64().unwrap() > 1_700_000_000_000 && event["time"].as_str().unwrap().ends_with('Z')
        );
        assert_eq!(event["data"]["studiedMs"], 3);
    }

    #[test]
    fn an_event_that_had_to_go_takes_no_other_with_it() {
        let lane = Lane::default();
        let event = |id: &str| Event { id: id.to_owned(), body: "{}".into() };
        lane.push(event("a"));
        lane.push(event("b"));
        lane.done(&event("gone before"));
        assert_eq!(lane.front().unwrap().id, "a");
        lane.done(&event("a"));
        assert_eq!(lane.front().unwrap().id, "b");
    }
}
