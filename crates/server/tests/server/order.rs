//! Who keeps order over REST: what was said, bans by person and by network, and what was reported.

use serde_json::{Value, json};

use crate::data::{Data, Kind, on_both};
use crate::harness::start_on;
use crate::people::{administrator, ask, make_room, refused, sign_up, sit};

const ROOM: &str = "study-room-1";

fn auth(token: &str) -> Value {
    json!({ "token": token, "roomId": ROOM })
}

on_both! {
    async fn what_was_said_is_read_page_by_page_by_who_may(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |config| config.limits.chat_messages_per_10s = 100).await;
        let token = server.token("Ada").await;
        let (ada, _) = sit(&server, &token, ROOM).await;
        for number in 0..7 {
            ada.request("send-message", &json!({ "content": format!("<{number}> don't") })).await;
        }
        data.text_where("SELECT content FROM messages", |text| text.starts_with("<6>")).await;
        let mut path = format!("/api/rooms/{ROOM}/messages?limit=3");
        let mut pages = Vec::new();
        loop {
            let page = ask(&server, &token, "GET", &path, &Value::Null).await.json();
            let texts = page["messages"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap().to_owned());
            pages.push(texts.collect::<Vec<_>>());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/api/rooms/{ROOM}/messages?limit=3&before={next}");
        }
        let said = |numbers: &[u8]| numbers.iter().map(|number| format!("<{number}> don't")).collect::<Vec<_>>();
        assert_eq!(pages, [said(&[4, 5, 6]), said(&[1, 2, 3]), said(&[0])]);
        let stranger = server.token("Eve").await;
        ask(&server, &stranger, "GET", &path, &Value::Null).await.assert_problem(403, "FORBIDDEN");
        for wrong in ["limit=0", "limit=101", "limit=x", "before=x", "before=1-2", "before=-1-00000000000000000000000000000000"] {
            let path = format!("/api/rooms/{ROOM}/messages?{wrong}");
            ask(&server, &token, "GET", &path, &Value::Null).await.assert_problem(400, "BAD_REQUEST");
        }
    }
}

on_both! {
    async fn a_ban_is_listed_survives_a_restart_and_ends(kind: Kind) {
        let data = Data::new(kind);
        let mut server = start_on(&data, |_| {}).await;
        let admin = administrator(&server, &data, "Anna").await;
        let guest = server.token("Mallory").await;
        let (mallory, state) = sit(&server, &guest, ROOM).await;
        mallory.request("send-message", &json!({ "content": "noise" })).await;
        let id = state["self"]["participantId"].clone();
        drop(mallory);
        data.text_where("SELECT content FROM messages", |text| text == "noise").await;
        // They have left, but what they wrote tells who they are.
        let bans = format!("/api/rooms/{ROOM}/bans");
        let ban = json!({ "participantId": id, "reason": "noise", "durationMs": 3_600_000 });
        ask(&server, &guest, "POST", &bans, &ban).await.assert_problem(403, "FORBIDDEN");
        let made = ask(&server, &admin, "POST", &bans, &ban).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = made.json();
        assert_eq!((&made["displayName"], &made["reason"], &made["kind"]), (&json!("Mallory"), &json!("noise"), &json!("person")));
        assert!(made["expiresAt"].as_str().is_some_and(|at| at.ends_with('Z')));
        let nobody = json!({ "participantId": "nobody" });
        ask(&server, &admin, "POST", &bans, &nobody).await.assert_problem(404, "NOT_FOUND");
        assert!(refused(&server, &auth(&guest)).await.starts_with("BANNED: You are not allowed into this room until "));
        server.begin_stop();
        server.stopped().await;
        let server = start_on(&data, |_| {}).await;
        assert!(refused(&server, &auth(&guest)).await.starts_with("BANNED: "));
        let listed = ask(&server, &admin, "GET", &bans, &Value::Null).await.json();
        assert_eq!((listed["bans"].as_array().unwrap().len(), &listed["bans"][0]["id"]), (1, &made["id"]));
        let path = format!("{bans}/{}", made["id"].as_str().unwrap());
        assert_eq!(ask(&server, &admin, "DELETE", &path, &Value::Null).await.status, 204);
        ask(&server, &admin, "DELETE", &path, &Value::Null).await.assert_problem(404, "NOT_FOUND");
        let by_query = format!("{bans}?id={}", made["id"].as_str().unwrap());
        ask(&server, &admin, "DELETE", &by_query, &Value::Null).await.assert_problem(404, "NOT_FOUND");
        ask(&server, &admin, "DELETE", &bans, &Value::Null).await.assert_problem(400, "BAD_REQUEST");
        sit(&server, &guest, ROOM).await;
    }
}

on_both! {
    async fn a_ban_by_network_keeps_out_who_comes_from_there_under_another_name(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let owner = sign_up(&server, "Olga").await;
        let room = make_room(&server, &owner, &json!({ "name": "Library" })).await;
        let (host, _) = sit(&server, &owner, &room).await;
        let (mut mallory, state) = sit(&server, &server.token("Mallory").await, &room).await;
        let ban = json!({ "action": "ban", "participantId": state["self"]["participantId"], "withAddress": true });
        assert_eq!(host.request("moderate", &ban).await, json!({ "ok": true }));
        mallory.event("kicked").await;
        let again = json!({ "token": server.token("Somebody else").await, "roomId": room });
        assert!(refused(&server, &again).await.starts_with("BANNED: "));
        // Those who keep order are not kept out by where they are.
        sit(&server, &owner, &room).await;
        let listed = ask(&server, &owner, "GET", &format!("/api/rooms/{room}/bans"), &Value::Null).await.json();
        let mut kinds: Vec<_> = listed["bans"].as_array().unwrap().iter().map(|ban| ban["kind"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, ["address", "person"]);
        let subject = data.text_where("SELECT subject FROM bans WHERE kind = 'address'", |_| true).await;
        assert!(subject.starts_with("n:") && !subject.contains("127"), "{subject}");
        for ban in listed["bans"].as_array().unwrap() {
            let unban = json!({ "action": "unban", "participantId": ban["id"] });
            assert_eq!(host.request("moderate", &unban).await, json!({ "ok": true }));
        }
        sit(&server, again["token"].as_str().unwrap(), &room).await;
        let actions = data.text_where("SELECT action FROM moderation_log WHERE action = 'unban'", |_| true).await;
        assert_eq!(actions, "unban");
    }
}

on_both! {
    async fn a_report_comes_with_what_was_said_and_is_looked_after(kind: Kind) {
        let data = Data::new(kind);
        let server = start_on(&data, |_| {}).await;
        let owner = sign_up(&server, "Olga").await;
        let room = make_room(&server, &owner, &json!({ "name": "Library" })).await;
        let (mallory, state) = sit(&server, &server.token("Mallory").await, &room).await;
        mallory.request("send-message", &json!({ "content": "<b>rude</b>" })).await;
        let token = server.token("Ada").await;
        let (ada, _) = sit(&server, &token, &room).await;
        let report = json!({ "participantId": state["self"]["participantId"], "reason": "They were rude." });
        assert_eq!(ada.request("report", &report).await, json!({ "ok": true }));
        data.text_where("SELECT reason FROM reports", |text| text == "They were rude.").await;
        let path = format!("/api/rooms/{room}/reports");
        ask(&server, &token, "GET", &path, &Value::Null).await.assert_problem(403, "FORBIDDEN");
        let read = async || ask(&server, &owner, "GET", &path, &Value::Null).await.json()["reports"][0].clone();
        let first = read().await;
        assert_eq!((&first["byName"], &first["targetName"]), (&json!("Ada"), &json!("Mallory")));
        assert_eq!((&first["context"][0]["content"], &first["handledAt"]), (&json!("<b>rude</b>"), &Value::Null));
        let handled = format!("{path}/{}/handled", first["id"].as_str().unwrap());
        ask(&server, &token, "POST", &handled, &Value::Null).await.assert_problem(403, "FORBIDDEN");
        assert_eq!(ask(&server, &owner, "POST", &handled, &Value::Null).await.status, 204);
        assert!(read().await["handledAt"].is_string());
        let unknown = format!("{path}/unknown/handled");
        ask(&server, &owner, "POST", &unknown, &Value::Null).await.assert_problem(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn an_account_that_is_deleted_gets_up_and_leaves_nothing_of_what_it_studied() {
    let data = Data::new(Kind::Sqlite);
    let server = start_on(&data, |_| {}).await;
    let token = sign_up(&server, "Ada").await;
    let (mut ada, state) = sit(&server, &token, ROOM).await;
    let mut bob = crate::client::Client::join(&server, "Bob", ROOM).await;
    ada.request("raise-hand", &json!({ "raised": true })).await;
    server.pass(std::time::Duration::from_secs(120));
    assert_eq!(ask(&server, &token, "DELETE", "/api/me", &Value::Null).await.status, 204);
    assert_eq!(ada.event("kicked").await["reason"], "Your account was deleted.");
    assert_eq!(bob.event("user-left").await["participantId"], state["self"]["participantId"]);
    assert!(refused(&server, &auth(&token)).await.starts_with("UNAUTHORIZED: "));
    server.pass(std::time::Duration::from_secs(60));
    bob.request("raise-hand", &json!({ "raised": true })).await;
    assert_eq!(data.number("SELECT COUNT(*) FROM study_sessions WHERE person LIKE 'u:%'").await, 0);
}

#[tokio::test]
async fn administrators_see_live_rooms_by_their_own_token() {
    let data = Data::new(Kind::Sqlite);
    let server = start_on(&data, |_| {}).await;
    let admin = administrator(&server, &data, "Anna").await;
    let (member, guest) = (sign_up(&server, "Mona").await, server.token("Gustav").await);
    let (_sitting, _) = sit(&server, &guest, ROOM).await;
    let seen = ask(&server, &admin, "GET", "/api/admin/rooms", &Value::Null).await;
    assert_eq!((seen.status, &seen.json()["rooms"][0]["id"]), (200, &json!(ROOM)));
    for token in [&member, &guest] {
        ask(&server, token, "GET", "/api/admin/rooms", &Value::Null).await.assert_problem(403, "FORBIDDEN");
    }
    server.get("/api/admin/rooms").await.assert_problem(401, "UNAUTHORIZED");
    // What the token says is not enough when the database says otherwise.
    data.execute("UPDATE users SET is_admin = 0").await;
    ask(&server, &admin, "GET", "/api/admin/rooms", &Value::Null).await.assert_problem(403, "FORBIDDEN");
}
