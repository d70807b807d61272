//! The database: made at the first start, brought up to date by two at once, and never overwritten.

use std::fs;

use server::{Server, StartError};

use crate::data::{Data, Kind, on_both};
use crate::harness::start_on;

on_both! {
    async fn what_was_made_at_the_first_start_is_found_at_the_next(kind: Kind) {
        let data = Data::new(kind);
        for _ in 0..2 {
            let mut server = start_on(&data, |_| {}).await;
            assert_eq!(server.get("/api/rooms").await.status, 200);
            server.begin_stop();
            server.stopped().await;
        }
    }
}

on_both! {
    async fn two_may_start_at_once(kind: Kind) {
        let data = Data::new(kind);
        let (one, other) = tokio::join!(start_on(&data, |_| {}), start_on(&data, |_| {}));
        assert_eq!(one.get("/healthz").await.status, 200);
        assert_eq!(other.get("/healthz").await.status, 200);
    }
}

async fn refusal(data: &Data) -> String {
    let mut config = server::config::Config::default().on_loopback();
    config.port = 0;
    data.configure(&mut config);
    match Server::start(config).await {
        Err(error @ StartError::Database(_)) => error.to_string(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test]
async fn a_damaged_file_stops_the_start_and_is_left_alone() {
    let data = Data::new(Kind::Sqlite);
    let path = data.directory().join("data/studyhall.db");
    fs::create_dir(path.parent().unwrap()).unwrap();
    let nonsense = "no database ".repeat(1_000);
    fs::write(&path, &nonsense).unwrap();
    let sentence = refusal(&data).await;
    assert!(sentence.contains("is damaged") && sentence.contains("backup"), "{sentence}");
    assert_eq!(fs::read_to_string(&path).unwrap(), nonsense);
}

on_both! {
    async fn a_database_of_a_newer_program_stops_the_start(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        server.begin_stop();
        server.stopped().await;
        data.execute("UPDATE schema_version SET version = 1000").await;
        let sentence = refusal(&data).await;
        assert!(sentence.contains("of version 1000") && sentence.contains("newer program"), "{sentence}");
    }
}
