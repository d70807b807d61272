//! People with accounts, and requests in their name.

use serde_json::{Value, json};

use super::client::{Client, Heard, Transport};
use super::data::Data;
use super::harness::{Response, TestServer};

const PASSWORD: &str = "a long password";

/// A new account's token.
pub(crate) async fn sign_up(server: &TestServer, name: &str) -> String {
    let email = format!("{}@example.org", name.to_lowercase());
    let body = json!({ "email": email, "password": PASSWORD, "displayName": name });
    let answer = server.post("/api/auth/register", &body.to_string()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// A new administrator's token.
pub(crate) async fn administrator(server: &TestServer, data: &Data, name: &str) -> String {
    sign_up(server, name).await;
    let email = format!("{}@example.org", name.to_lowercase());
    data.execute(&format!("UPDATE users SET is_admin = 1 WHERE email = '{email}'")).await;
    let body = json!({ "email": email, "password": PASSWORD });
    let answer = server.post("/api/auth/login", &body.to_string()).await;
    answer.json()["token"].as_str().unwrap().to_owned()
}

/// A request in somebody's name.
pub(crate) async fn ask(server: &TestServer, token: &str, method: &str, path: &str, body: &Value) -> Response {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    server.request(method, path, &headers, &body).await
}

/// Makes a room; its id.
pub(crate) async fn make_room(server: &TestServer, token: &str, body: &Value) -> String {
    let made = ask(server, token, "POST", "/api/rooms", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["id"].as_str().unwrap().to_owned()
}

/// Opens a room; the room as it is, or why not.
pub(crate) async fn enter(server: &TestServer, auth: &Value) -> Result<(Client, Value), String> {
    let mut client = Client::connect(server, Transport::WebSocket, "/room", auth).await;
    match client.next().await {
        Heard::Connected => {
            let state = client.event("room-state").await;
            Ok((client, state))
        }
        Heard::Refused(why) => Err(why),
        heard => panic!("{heard:?}"),
    }
}

/// The same with nothing but a token.
pub(crate) async fn sit(server: &TestServer, token: &str, room: &str) -> (Client, Value) {
    enter(server, &json!({ "token": token, "roomId": room })).await.unwrap_or_else(|why| panic!("{why}"))
}

/// Why somebody is not let in.
pub(crate) async fn refused(server: &TestServer, auth: &Value) -> String {
    match enter(server, auth).await {
        Ok((_, state)) => panic!("{state}"),
        Err(why) => why,
    }
}
