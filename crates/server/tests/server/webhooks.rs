//! A receiver of webhooks that is away at first hears everything, signed, once, in the order in which it happened.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::hmac;
use serde_json::Value;
use server::config::{Secret, Webhook};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::client::Client;
use crate::harness::{soon, start_with};

const SECRET: &str = "a secret that both of them know, and nobody else";

/// One request, as it came.
#[derive(Clone, Debug)]
struct Told {
    head: String,
    body: String,
    was_taken: bool,
}

impl Told {
    fn header(&self, name: &str) -> String {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).unwrap_or_else(|| panic!("{self:?}")).1.to_owned()
    }

    fn assert_signed(&self) {
        let signature = self.header("x-studyhall-signature");
        let (time, tag) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        assert!(time.parse::<u64>().unwrap() > 1_700_000_000);
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let tag: Vec<u8> =
            (0..tag.len()).step_by(2).map(|at| u8::from_str_radix(&tag[at..at + 2], 16).unwrap()).collect();
        hmac::verify(&key, format!("{time}.{}", self.body).as_bytes(), &tag).unwrap();
    }
}

async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length: usize =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok()).unwrap();
    while bytes.len() < end + length {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0);
    }
    Some((head, String::from_utf8(bytes[end..].to_vec()).unwrap()))
}

/// Answers the first requests with these, and all others with 204.
async fn receive(listener: TcpListener, answers: Vec<&'static str>, tell: mpsc::UnboundedSender<Told>) {
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (answers, tell) = (Arc::clone(&answers), tell.clone());
        tokio::spawn(async move {
            while let Some((head, body)) = read(&mut stream).await {
                let answer = answers.lock().unwrap().next();
                let _ = tell.send(Told { head, body, was_taken: answer.is_none() });
                if answer == Some("hang up") {
                    return;
                }
                let status = answer.unwrap_or("204 No Content");
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
    }
}

async fn next(heard: &mut mpsc::UnboundedReceiver<Told>) -> Told {
    soon("an event", heard.recv()).await.unwrap()
}

#[tokio::test]
async fn a_receiver_that_fails_first_hears_all_in_order_and_signed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?key=1", listener.local_addr().unwrap());
    let (tell, mut heard) = mpsc::unbounded_channel();
    tokio::spawn(receive(listener, vec!["500 Internal Server Error", "hang up", "429 Too Many Requests"], tell));
    let webhook = Webhook { url: Secret::new(url), secret: Secret::new(SECRET.to_owned()) };
    let server = start_with(|config| config.operation.webhook = Some(webhook.clone())).await;
    let mut alice = Client::join(&server, "Alice-unmistakable", "study-room-7").await;
    let bob = Client::join(&server, "Bob", "study-room-7").await;
    let bobs = alice.event("user-joined").await["participant"]["id"].clone();
    drop(bob);
    alice.event("user-left").await;
    drop(alice);

    let mut attempts = Vec::new();
    let mut events: Vec<Value> = Vec::new();
    while events.len() < 6 {
        let told = next(&mut heard).await;
        assert!(told.head.starts_with("POST /hook?key=1 HTTP/1.1\r\n"), "{told:?}");
        assert_eq!(told.header("content-type"), "application/json");
        told.assert_signed();
        let event: Value = serde_json::from_str(&told.body).unwrap();
        assert_eq!(told.header("x-studyhall-event"), event["id"].as_str().unwrap());
        assert!(!told.body.contains("unmistakable"), "{told:?}");
        if told.was_taken {
            events.push(event);
        } else {
            attempts.push(event);
        }
    }
    assert_eq!(attempts.len(), 3);
    assert!(attempts.iter().all(|attempt| *attempt == events[0]), "the same until it is taken: {attempts:?}");
    let kinds: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let expected = [
        "room-started",
        "participant-joined",
        "participant-joined",
        "participant-left",
        "participant-left",
        "room-ended",
    ];
    assert_eq!(kinds, expected);
    assert!(events.iter().all(|event| event["roomId"] == "study-room-7" && event["timeMs"].is_u64()));
    assert_eq!((&events[2]["data"]["participantId"], &events[2]["data"]["occupancy"]), (&bobs, &2.into()));
    assert_eq!((&events[3]["data"]["participantId"], &events[3]["data"]["occupancy"]), (&bobs, &1.into()));
    let text = server.get("/metrics").await.body;
    assert!(text.contains("studyhall_webhooks_total{outcome=\"failed\"} 3"), "{text}");
}

#[tokio::test]
async fn what_waits_when_the_server_stops_is_still_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (tell, mut heard) = mpsc::unbounded_channel();
    tokio::spawn(receive(listener, Vec::new(), tell));
    let webhook = Webhook { url: Secret::new(url), secret: Secret::new(SECRET.to_owned()) };
    let mut server = start_with(|config| config.operation.webhook = Some(webhook.clone())).await;
    let _alice = Client::join(&server, "Alice", "study-room-1").await;
    server.begin_stop();
    server.stopped().await;
    let mut last = String::new();
    while let Ok(told) = heard.try_recv() {
        last = told.body;
    }
    assert!(last.contains("\"room-ended\""), "{last}");
}

#[tokio::test]
async fn what_was_studied_is_told_when_the_visit_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (tell, mut heard) = mpsc::unbounded_channel();
    tokio::spawn(receive(listener, Vec::new(), tell));
    let webhook = Webhook { url: Secret::new(url), secret: Secret::new(SECRET.to_owned()) };
    let server = start_with(|config| config.operation.webhook = Some(webhook.clone())).await;
    let alice = Client::join(&server, "Alice", "study-room-7").await;
    server.pass(Duration::from_secs(90));
    alice.request_bare("leave").await;
    // Who comes back soon goes on with the same visit.
    server.pass(Duration::from_secs(60));
    let finished = loop {
        let told = next(&mut heard).await;
        told.assert_signed();
        let event: Value = serde_json::from_str(&told.body).unwrap();
        if event["type"] == "session-finished" {
            break event;
        }
    };
    assert_eq!(finished["roomId"], "study-room-7");
    let data = &finished["data"];
    assert!(data["person"].as_str().unwrap().starts_with("g:"), "{finished}");
    assert!((90_000..150_000).contains(&data["studiedMs"].as_u64().unwrap()), "{finished}");
    assert!(data["endedAtMs"].as_u64() > data["startedAtMs"].as_u64(), "{finished}");
}
