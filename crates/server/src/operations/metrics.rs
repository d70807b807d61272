//! Figures for Prometheus. Labels are numbers of workers and words of ours: nothing that a user chose.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use sfu::{ESTIMATE_CLASSES, WorkerFigures};

use crate::App;
use crate::clock::now_ms;
use crate::error::Code;

/// How long a worker may take to tell its figures.
const WORKER_PATIENCE: Duration = Duration::from_millis(500);

/// As Prometheus and OpenMetrics want to be told.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Why a seat may be refused; each is told from the start, with 0.
const JOIN_REFUSALS: [Code; 14] = [
    Code::BadRequest,
    Code::Unauthorized,
    Code::RoomNotFound,
    Code::RoomFull,
    Code::RateLimited,
    Code::ServerBusy,
    Code::Banned,
    Code::PasswordRequired,
    Code::WrongPassword,
    Code::InviteInvalid,
    Code::RoomLocked,
    Code::AccountRequired,
    Code::Waiting,
    Code::Rejected,
];

type Labels<const N: usize> = [(&'static str, String); N];
pub(crate) type Whole = Gauge<i64, AtomicI64>;
type Broken = Gauge<f64, AtomicU64>;

/// What is counted where it happens.
pub(crate) struct Metrics {
    pub(crate) joins: Counter,
    join_refusals: Family<[(&'static str, &'static str); 1], Counter>,
    http_requests: Family<[(&'static str, &'static str); 1], Counter>,
    pub(crate) lobby_sockets: Whole,
    pub(crate) room_sockets: Whole,
    /// Seconds.
    pub(crate) event_loop_delay: Histogram,
    /// Seconds.
    pub(crate) database_latency: Histogram,
    started_at_ms: u64,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let this = Self {
            joins: Counter::default(),
            join_refusals: Family::default(),
            http_requests: Family::default(),
            lobby_sockets: Gauge::default(),
            room_sockets: Gauge::default(),
            event_loop_delay: Histogram::new(exponential_buckets(0.001, 2.0, 12)),
            database_latency: Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            started_at_ms: now_ms(),
        };
        for code in JOIN_REFUSALS {
            let _ = this.join_refusals.get_or_create_owned(&[("code", code.as_str())]);
        }
        for class in ["1xx", "2xx", "3xx", "4xx", "5xx"] {
            let _ = this.http_requests.get_or_create_owned(&[("status", class)]);
        }
        this
    }

    /// Somebody did not get a seat.
    pub(crate) fn join_refused(&self, code: Code) {
        self.join_refusals.get_or_create_owned(&[("code", code.as_str())]).inc();
    }

    /// A request over HTTP was answered.
    pub(crate) fn http_answered(&self, status: u16) {
        let class = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.http_requests.get_or_create_owned(&[("status", class)]).inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("joins", "Seats taken", self.joins.clone());
        registry.register("join_refusals", "Seats refused, by the code of the refusal", self.join_refusals.clone());
        registry.register("http_requests", "HTTP requests, by the class of the status", self.http_requests.clone());
        let sockets = Family::<[(&'static str, &'static str); 1], Whole>::default();
        sockets.get_or_create(&[("namespace", "lobby")]).set(self.lobby_sockets.get());
        sockets.get_or_create(&[("namespace", "room")]).set(self.room_sockets.get());
        registry.register("sockets", "Open Socket.IO namespaces", sockets);
        let help = "How late the runtime wakes a task, in seconds";
        registry.register("event_loop_delay_seconds", help, self.event_loop_delay.clone());
        let help = "How long the database takes to answer the smallest question, in seconds";
        registry.register("database_latency_seconds", help, self.database_latency.clone());
        let started = self.started_at_ms as f64 / 1000.0;
        whole(registry, "start_time_seconds", "When this process began, in seconds since the Unix epoch", started);
    }
}

/// Counts in a gauge for as long as it, or a copy of it, lives.
#[derive(Clone)]
pub(crate) struct Counted {
    _one: Arc<One>,
}

struct One(Whole);

impl Counted {
    pub(crate) fn one(of: &Whole) -> Self {
        of.inc();
        Self { _one: Arc::new(One(of.clone())) }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A figure as it is now.
fn whole(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Broken::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

/// A sum that only grows, as it is now.
fn sum(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let counter = Counter::<u64>::default();
    counter.inner().store(value, Ordering::Relaxed);
    registry.register(name, help, counter);
}

/// Everything, as text.
pub(crate) async fn render(app: &App) -> Result<String, std::fmt::Error> {
    let asked = (0..app.workers.count()).map(|worker| app.workers.figures(worker, WORKER_PATIENCE));
    let workers: Vec<_> = futures_util::future::join_all(asked).await.into_iter().flatten().collect();
    let mut registry = Registry::with_prefix("studyhall");
    app.operations.metrics.register(&mut registry);
    describe_rooms(app, &mut registry);
    describe_process(app, &mut registry);
    describe_webhooks(app, &mut registry);
    describe_workers(app, &workers, &mut registry);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn describe_rooms(app: &App, registry: &mut Registry) {
    let (mut rooms, mut occupied, mut seats, mut taken) = (0.0, 0.0, 0.0, 0.0);
    for room in app.rooms.iter() {
        let info = room.info();
        rooms += 1.0;
        occupied += if info.occupancy > 0 { 1.0 } else { 0.0 };
        seats += f64::from(info.capacity);
        taken += f64::from(info.occupancy);
    }
    whole(registry, "rooms", "Rooms that are known here", rooms);
    whole(registry, "rooms_occupied", "Rooms where somebody is", occupied);
    whole(registry, "seats", "Seats of all rooms", seats);
    whole(registry, "seats_taken", "Seats that are taken", taken);
}

fn describe_process(app: &App, registry: &mut Registry) {
    let open = app.operations.connections.open() as f64;
    whole(registry, "connections", "TCP connections", open);
    whole(
        registry,
        "connections_limit",
        "TCP connections that there may be",
        f64::from(app.operations.connections.limit),
    );
    if let Some(memory) = app.operations.load(0).memory {
        whole(registry, "memory_bytes", "Memory of this process", memory as f64);
    }
    whole(registry, "draining", "1 while nobody is let in any more", f64::from(u8::from(app.is_draining())));
    let later = app.db.later();
    whole(registry, "database_waiting", "Changes that wait to be stored", later.waiting() as f64);
    whole(registry, "database_away", "1 while the database takes nothing", f64::from(u8::from(later.is_away())));
    sum(registry, "database_lost", "Changes that were never stored", later.lost());
}

fn describe_webhooks(app: &App, registry: &mut Registry) {
    let webhooks = &app.operations.webhooks;
    whole(registry, "webhooks_queued", "Events that wait for the receiver", webhooks.queued() as f64);
    let outcomes = Family::<[(&'static str, &'static str); 1], Counter>::default();
    let counts = webhooks.counts();
    for (outcome, count) in [
        ("delivered", counts.map(|counts| &counts.delivered)),
        ("failed", counts.map(|counts| &counts.failed)),
        ("dropped", counts.map(|counts| &counts.dropped)),
        ("refused", counts.map(|counts| &counts.refused)),
    ] {
        let value = count.map_or(0, |count| count.load(Ordering::Relaxed));
        outcomes.get_or_create(&[("outcome", outcome)]).inner().store(value, Ordering::Relaxed);
    }
    registry.register("webhooks", "Attempts to tell the receiver, by what became of them", outcomes);
}

/// A figure of each worker.
struct OfWorkers<'a> {
    registry: &'a mut Registry,
    workers: &'a [WorkerFigures],
}

impl OfWorkers<'_> {
    /// One that only grows while the worker lives; nothing for a worker that does not tell.
    fn sum(&mut self, name: &str, help: &str, value: impl Fn(&sfu::Totals) -> u64) {
        let family = Family::<Labels<1>, Counter>::default();
        for (worker, totals) in self.totals() {
            family.get_or_create(&[("worker", worker.to_string())]).inner().store(value(totals), Ordering::Relaxed);
        }
        self.registry.register(format!("worker_{name}"), help, family);
    }

    /// One that comes and goes.
    fn now(&mut self, name: &str, help: &str, value: impl Fn(&sfu::Totals) -> f64) {
        let family = Family::<Labels<1>, Broken>::default();
        for (worker, totals) in self.totals() {
            family.get_or_create(&[("worker", worker.to_string())]).set(value(totals));
        }
        self.registry.register(format!("worker_{name}"), help, family);
    }

    fn totals(&self) -> impl Iterator<Item = (usize, &sfu::Totals)> {
        self.workers.iter().enumerate().filter_map(|(worker, figures)| Some((worker, figures.totals.as_ref()?)))
    }
}

fn describe_workers(app: &App, workers: &[WorkerFigures], registry: &mut Registry) {
    let [answers, waiting] = [(); 2].map(|()| Family::<Labels<1>, Whole>::default());
    let (cpu, share) =
        (Family::<Labels<1>, Counter<f64, AtomicU64>>::default(), Family::<Labels<1>, Broken>::default());
    for (worker, figures) in workers.iter().enumerate() {
        let label = [("worker", worker.to_string())];
        answers.get_or_create(&label).set(i64::from(figures.totals.is_some()));
        waiting.get_or_create(&label).set(figures.waiting as i64);
        if let Some(time) = figures.cpu_time {
            cpu.get_or_create(&label).inner().store(time.as_secs_f64().to_bits(), Ordering::Relaxed);
        }
        if let Some(value) = app.operations.load(worker).worker {
            share.get_or_create(&label).set(value);
        }
    }
    registry.register("worker_answers", "1 while the media worker tells its figures", answers);
    registry.register("worker_commands_waiting", "Commands that wait for the media worker", waiting);
    registry.register("worker_cpu_seconds", "How long the media worker's thread was on a core", cpu);
    registry.register("worker_cpu_share", "Share of a core over the last seconds, 0 to 1", share);

    let mut of = OfWorkers { registry, workers };
    for (name, help, index) in [
        ("routers", "Rooms on the media worker", 0_usize),
        ("transports", "Connections to browsers", 1),
        ("producers", "Streams that come in", 2),
        ("consumers", "Streams that go out", 3),
    ] {
        of.now(name, help, |totals| totals.objects[index] as f64);
    }
    of.sum("packets_received", "Datagrams from browsers", |totals| totals.counts.packets_received);
    of.sum("received_bits", "Bits of the datagrams from browsers", |totals| totals.counts.bytes_received * 8);
    of.sum("packets_sent", "Datagrams to browsers", |totals| totals.counts.packets_sent);
    of.sum("sent_bits", "Bits of the datagrams to browsers", |totals| totals.counts.bytes_sent * 8);
    let help = "Packets that senders sent again";
    of.sum("retransmissions_received", help, |totals| totals.counts.retransmissions_received);
    let help = "Packets that viewers were sent again";
    of.sum("retransmissions_sent", help, |totals| totals.counts.retransmissions_sent);
    of.sum("nacks_sent", "Packets that senders were asked for again", |totals| totals.counts.nacks_sent);
    of.sum("nacks_received", "Packets that viewers asked for again", |totals| totals.counts.nacks_received);
    let help = "Packets that viewers asked for again and that were gone";
    of.sum("nacks_unanswered", help, |totals| totals.counts.nacks_unanswered);
    let help = "Key frames that senders were asked for (PLI and FIR)";
    of.sum("key_frame_requests_sent", help, |totals| totals.counts.key_frame_requests_sent);
    let help = "Key frames that viewers asked for (PLI and FIR)";
    of.sum("key_frame_requests_received", help, |totals| totals.counts.key_frame_requests_received);
    let help = "Packets that never came from the senders that are there";
    of.now("packets_missing", help, |totals| totals.packets_missing as f64);
    let help = "Packets to viewers that were lost, by their feedback";
    of.sum("feedback_lost_packets", help, |totals| totals.counts.feedback_lost);
    let help = "Packets to viewers that arrived, by their feedback";
    of.sum("feedback_received_packets", help, |totals| totals.counts.feedback_received);
    let help = "What all links to viewers together are believed to carry, in bits a second";
    of.now("estimated_bits", help, |totals| totals.estimated_bits as f64);
    describe_estimates(&mut of);
    describe_drops(&mut of);
}

/// Links to viewers by what they are believed to carry; as a gauge, because they come and go.
fn describe_estimates(of: &mut OfWorkers<'_>) {
    let family = Family::<Labels<2>, Whole>::default();
    for (worker, totals) in of.totals() {
        for (class, count) in totals.estimates.iter().enumerate() {
            let up_to = ESTIMATE_CLASSES.get(class).map_or_else(|| "more".to_owned(), u64::to_string);
            family.get_or_create(&[("worker", worker.to_string()), ("up_to", up_to)]).set(*count as i64);
        }
    }
    let help = "Links to viewers, by how many bits a second they are believed to carry at most";
    of.registry.register("worker_links", help, family);
}

fn describe_drops(of: &mut OfWorkers<'_>) {
    let family = Family::<Labels<2>, Counter>::default();
    for (worker, totals) in of.totals() {
        let drops = totals.drops;
        for (reason, count) in [
            ("unknown_protocol", drops.unknown_protocol),
            ("bad_stun", drops.bad_stun),
            ("unvalidated_path", drops.unvalidated_path),
            ("refused_dtls", drops.refused_dtls),
            ("no_keys", drops.no_keys),
            ("malformed", drops.malformed),
            ("unauthentic", drops.unauthentic),
            ("replayed", drops.replayed),
            ("unknown_ssrc", drops.unknown_ssrc),
        ] {
            let label = [("worker", worker.to_string()), ("reason", reason.to_owned())];
            family.get_or_create(&label).inner().store(count, Ordering::Relaxed);
        }
    }
    of.registry.register("worker_dropped_packets", "Datagrams that were dropped, by reason", family);
}
