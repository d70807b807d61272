//! How long people wait: for a seat, and for what others say, with a thousand of them in twenty rooms. Server and clients share the
//! process and its cores, so the figures are upper bounds.

// Helpers of tests are tests too; clippy knows only functions marked as such.
#![allow(clippy::unwrap_used, dead_code, unused_imports, unused_macros)]

#[path = "../../tests/server/client.rs"]
mod client;
#[path = "../../tests/server/data.rs"]
mod data;
#[path = "../../tests/server/harness.rs"]
mod harness;

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use client::{Client, Heard, Transport};
use harness::{TestServer, start_with};

const ROOMS: usize = 20;
const SEATS: usize = 50;
const MESSAGES_PER_SECOND: u32 = 100;
const MEASURED: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() {
    let server = Arc::new(start_with(|config| config.limits.rooms = ROOMS as u32).await);
    let mut seats = Vec::new();
    let (mut guests, mut joins) = (Vec::new(), Vec::new());
    for number in 0..ROOMS * SEATS {
        let began = Instant::now();
        let token = server.token(&format!("Guest {number}")).await;
        guests.push(began.elapsed());
        let room = format!("study-room-{}", number % ROOMS + 1);
        let auth = json!({ "token": token, "roomId": room });
        let began = Instant::now();
        let mut client = Client::connect(&server, Transport::WebSocket, "/room", &auth).await;
        assert_eq!(client.next().await, Heard::Connected);
        client.event("room-state").await;
        joins.push(began.elapsed());
        seats.push(client);
    }
    print("POST /api/guests", guests);
    print("a seat over WebSocket", joins);
    print("a message to everybody in the room", broadcast(seats).await);
}

/// How long each message took to each receiver.
async fn broadcast(seats: Vec<Client>) -> Vec<Duration> {
    let epoch = Instant::now();
    let (told, mut delays) = mpsc::unbounded_channel();
    let mut senders = Vec::new();
    for mut seat in seats {
        let (say, mut says) = mpsc::unbounded_channel::<()>();
        senders.push(say);
        let told = told.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    asked = says.recv() => {
                        if asked.is_none() {
                            return;
                        }
                        let content = epoch.elapsed().as_micros().to_string();
                        drop(seat.request("send-message", &json!({ "content": content })));
                    }
                    heard = seat.next() => match heard {
                        Heard::Event(name, message) if name == "new-message" => {
                            let sent = message["content"].as_str().unwrap().parse().unwrap();
                            let _ = told.send(epoch.elapsed() - Duration::from_micros(sent));
                        }
                        // Whose messages do not come is missed below.
                        Heard::Gone => return,
                        _ => {}
                    },
                }
            }
        });
    }
    drop(told);
    let mut ticks = interval(Duration::from_secs(1) / MESSAGES_PER_SECOND);
    let mut sent = 0;
    while epoch.elapsed() < MEASURED {
        ticks.tick().await;
        // One from each room in turn, and everybody once before anybody twice.
        senders[sent % senders.len()].send(()).unwrap();
        sent += 1;
    }
    let mut all = Vec::new();
    while all.len() < sent * SEATS {
        match timeout(Duration::from_secs(10), delays.recv()).await {
            Ok(Some(delay)) => all.push(delay),
            _ => panic!("{} of {} deliveries came", all.len(), sent * SEATS),
        }
    }
    all
}

fn print(what: &str, mut all: Vec<Duration>) {
    all.sort_unstable();
    let ms = |percent: usize| all[(all.len() - 1) * percent / 100].as_secs_f64() * 1000.0;
    println!(
        "{what:<36} {:>7} times   p50 {:6.1} ms   p95 {:6.1} ms   p99 {:6.1} ms",
        all.len(),
        ms(50),
        ms(95),
        ms(99)
    );
}
