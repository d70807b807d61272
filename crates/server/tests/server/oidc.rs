//! Signing in by another site's login: with a provider that signs with real keys, and checks what a provider has to check.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::{digest, rsa, signature};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use server::config::{Oidc, Secret};

use crate::accounts::{SignedIn, ask, register, with_cookie};
use crate::data::{Data, on_both};
use crate::harness::{Response, TestServer, request, start_on, start_with};

/// `us` and `hunter2`, as RFC 7617 writes them.
const CREDENTIALS: &str = "Basic dXM6aHVudGVyMg==";

struct Key {
    id: &'static str,
    algorithm: Algorithm,
    encoding: EncodingKey,
}

fn rsa_key() -> Key {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let der = pair.as_der().unwrap();
    // What is before it says that this is an RSA key (RFC 5208 §5).
    Key { id: "one", algorithm: Algorithm::RS256, encoding: EncodingKey::from_rsa_der(&der.as_ref()[26..]) }
}

fn ec_key() -> Key {
    let random = SystemRandom::new();
    let der = signature::EcdsaKeyPair::generate_pkcs8(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    Key { id: "one", algorithm: Algorithm::ES256, encoding: EncodingKey::from_ec_der(der.as_ref()) }
}

impl Key {
    fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.encoding, self.algorithm).unwrap();
        jwk.common.key_id = Some(self.id.to_owned());
        serde_json::to_value(jwk).unwrap()
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.to_owned()), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.encoding).unwrap()
    }
}

/// What makes a token of the claims that are right.
type Writer = Box<dyn Fn(&Key, Value) -> String + Send>;

struct Inner {
    key: Key,
    /// What it calls itself.
    issuer: String,
    /// Logins that were begun, by their codes.
    begun: HashMap<String, HashMap<String, String>>,
    /// What is said of whoever signs in.
    person: Value,
    write: Writer,
    /// How often it was asked for its keys.
    asked_for_keys: usize,
}

/// The other site.
#[derive(Clone)]
struct Provider {
    address: std::net::SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Provider {
    async fn start(key: Key) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Inner {
            key,
            issuer: format!("http://{address}"),
            begun: HashMap::new(),
            person: json!({ "sub": "7", "email": "Zoe@Example.org", "email_verified": true, "name": "Zoë" }),
            write: Box::new(|key, claims| key.sign(&claims)),
            asked_for_keys: 0,
        };
        let this = Self { address, inner: Arc::new(Mutex::new(inner)) };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    fn configure(&self, config: &mut server::config::Config) {
        config.oidc = Some(Oidc {
            issuer: format!("http://{}", self.address),
            client_id: "us".to_owned(),
            client_secret: Some(Secret::new("hunter2".to_owned())),
        });
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.lock().unwrap());
    }
}

async fn describe(State(provider): State<Provider>) -> Json<Value> {
    let here = format!("http://{}", provider.address);
    Json(json!({
        "issuer": provider.inner.lock().unwrap().issuer,
        "authorization_endpoint": format!("{here}/authorize?from=test"),
        "token_endpoint": format!("{here}/token"),
        "jwks_uri": format!("{here}/keys"),
    }))
}

async fn keys(State(provider): State<Provider>) -> Json<Value> {
    let encryption = json!({ "kty": "RSA", "use": "enc", "kid": "one", "n": "AQAB", "e": "AQAB" });
    let unknown = json!({ "kty": "later", "kid": "one" });
    let mut inner = provider.inner.lock().unwrap();
    inner.asked_for_keys += 1;
    Json(json!({ "keys": [encryption, unknown, inner.key.public()] }))
}

async fn authorize(
    State(provider): State<Provider>,
    Query(query): Query<HashMap<String, String>>,
) -> impl IntoResponse {
    assert_eq!((query["response_type"].as_str(), query["client_id"].as_str()), ("code", "us"));
    assert!(query["scope"].split(' ').any(|scope| scope == "openid"));
    assert_eq!(query["code_challenge_method"], "S256");
    let code = format!("{:032x}", rand::random::<u128>());
    let back = format!("{}?code={code}&state={}", query["redirect_uri"], query["state"]);
    provider.change(|inner| drop(inner.begun.insert(code, query)));
    (StatusCode::FOUND, [(header::LOCATION, back)])
}

async fn token(State(provider): State<Provider>, headers: HeaderMap, body: String) -> Result<Json<Value>, StatusCode> {
    let parsed: Query<HashMap<String, String>> =
        Query::try_from_uri(&format!("/?{body}").parse().unwrap()).map_err(|_| StatusCode::BAD_REQUEST)?;
    let form = parsed.0;
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != CREDENTIALS) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let mut inner = provider.inner.lock().unwrap();
    // A code is good for once.
    let begun = inner.begun.remove(&form["code"]).ok_or(StatusCode::BAD_REQUEST)?;
    let verifier = form["code_verifier"].as_bytes();
    assert!((43..=128).contains(&verifier.len()));
    if base64url(digest::digest(&digest::SHA256, verifier).as_ref()) != begun["code_challenge"]
        || form["redirect_uri"] != begun["redirect_uri"]
        || form["grant_type"] != "authorization_code"
    {
        return Err(StatusCode::BAD_REQUEST);
    }
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let mut claims = json!({
        "iss": inner.issuer, "aud": "us", "iat": now, "exp": now + 300, "nonce": begun["nonce"],
    });
    for (name, value) in inner.person.as_object().unwrap() {
        claims[name] = value.clone();
    }
    let token = (inner.write)(&inner.key, claims);
    Ok(Json(json!({ "access_token": "not for us", "token_type": "Bearer", "id_token": token })))
}

/// Bit by bit, so not by the way that the server takes.
fn base64url(bytes: &[u8]) -> String {
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let groups = bits.as_bytes().chunks(6).map(|group| {
        let group = format!("{:0<6}", std::str::from_utf8(group).unwrap());
        usize::from_str_radix(&group, 2).unwrap()
    });
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).collect();
    groups.map(|group| alphabet[group]).collect()
}

/// A browser on its way.
struct Browser {
    cookie: String,
    /// Where the provider sends it.
    back: String,
}

impl Browser {
    /// Goes to the provider and signs in there.
    async fn leave(server: &TestServer) -> Self {
        let left = server.get("/api/auth/oidc").await;
        assert_eq!(left.status, 303, "{left:?}");
        let set = left.header("set-cookie");
        assert!(set.contains("; Path=/api/auth/oidc; Max-Age=600; HttpOnly; SameSite=Lax"), "{set}");
        let cookie = set.split(';').next().unwrap().to_owned();
        let url = left.header("location").strip_prefix("http://").unwrap();
        let (host, path) = url.split_once('/').unwrap();
        let sent = request(host.parse().unwrap(), "GET", &format!("/{path}"), &[], "").await;
        assert_eq!(sent.status, 302, "{sent:?}");
        let here = format!("http://{}", server.address);
        let back = sent.header("location").strip_prefix(&here).unwrap().to_owned();
        assert!(back.starts_with("/api/auth/oidc/callback?code="), "{back}");
        Self { cookie, back }
    }

    async fn come_back(&self, server: &TestServer) -> Response {
        server.request("GET", &self.back, &[("cookie", &self.cookie)], "").await
    }
}

/// The refresh cookie of who came back signed in.
fn refresh_cookie(response: &Response) -> String {
    assert_eq!((response.status, response.header("location")), (303, "/"), "{response:?}");
    let cookies: Vec<_> = response.header("set-cookie").split('\n').collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("studyhall_oidc=;") && cookie.contains("Max-Age=0")));
    let refresh = cookies.iter().find(|cookie| cookie.starts_with("studyhall_refresh=")).unwrap();
    assert!(refresh.contains("SameSite=Strict"), "{refresh}");
    refresh.split(';').next().unwrap().to_owned()
}

async fn sign_in(server: &TestServer) -> SignedIn {
    let back = Browser::leave(server).await.come_back(server).await;
    let refreshed = with_cookie(server, "/api/auth/refresh", &refresh_cookie(&back)).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    SignedIn::of(&refreshed)
}

fn assert_refused(response: &Response, code: &str) {
    let expected = format!("/?signInError={code}");
    assert_eq!((response.status, response.header("location")), (303, expected.as_str()), "{response:?}");
    assert!(!response.header("set-cookie").contains("studyhall_refresh"), "{response:?}");
}

on_both! {
    async fn whoever_signs_in_elsewhere_has_one_account_here(kind: Kind) {
        let provider = Provider::start(ec_key()).await;
        let data = Data::new(kind);
        let server = start_on(&data, |config| provider.configure(config)).await;
        assert_eq!(server.get("/api/auth/methods").await.json(), json!({ "oidc": true }));
        let first = sign_in(&server).await;
        assert_eq!((&first.user["displayName"], &first.user["email"]), (&"Zoë".into(), &"zoe@example.org".into()));
        let again = sign_in(&server).await;
        assert_eq!(again.user, first.user);
        // There is no password to it.
        let login = json!({ "email": "zoe@example.org", "password": "correct horse" }).to_string();
        server.post("/api/auth/login", &login).await.assert_problem(401, "WRONG_PASSWORD");
        provider.change(|inner| inner.person["sub"] = "8".into());
        let another = sign_in(&server).await;
        assert_ne!(another.user["id"], first.user["id"]);
        assert_eq!(ask(&server, "GET", "/api/me", &another.token, &Value::Null).await.json(), another.user);
    }
}

#[tokio::test]
async fn a_provider_may_sign_with_rsa() {
    let provider = Provider::start(rsa_key()).await;
    let server = start_with(|config| provider.configure(config)).await;
    assert_eq!(sign_in(&server).await.user["displayName"], "Zoë");
}

on_both! {
    async fn the_other_sites_word_takes_nobodys_account_over(kind: Kind) {
        let provider = Provider::start(ec_key()).await;
        let data = Data::new(kind);
        let server = start_on(&data, |config| provider.configure(config)).await;
        let owner = register(&server, "zoe@example.org").await;
        let other = sign_in(&server).await;
        assert_ne!(other.user["id"], owner.user["id"]);
        assert_eq!(other.user.get("email"), None);
    }
}

#[tokio::test]
async fn what_the_other_site_says_of_names_and_addresses_is_taken_with_care() {
    let provider = Provider::start(ec_key()).await;
    let server = start_with(|config| provider.configure(config)).await;
    let cases = [
        (json!({ "sub": "1" }), "Somebody", Value::Null),
        (json!({ "sub": "2", "preferred_username": "bo", "email": "bo@b.example" }), "bo", Value::Null),
        (
            json!({ "sub": "3", "name": "a\u{202e}b", "email": "bo@b.example", "email_verified": false }),
            "Somebody",
            Value::Null,
        ),
        (
            json!({ "sub": "4", "name": "x".repeat(500), "email": "nonsense", "email_verified": true }),
            &"x".repeat(50),
            Value::Null,
        ),
        (
            json!({ "sub": "5", "name": "Al", "email": "al@b.example", "email_verified": "true" }),
            "Al",
            "al@b.example".into(),
        ),
    ];
    for (person, name, email) in cases {
        provider.change(|inner| inner.person = person.clone());
        let user = sign_in(&server).await.user;
        assert_eq!((&user["displayName"], &user["email"]), (&name.into(), &email), "{person}");
    }
}

/// The claims with something changed in them.
fn with(change: impl Fn(&mut Value) + Send + 'static) -> Writer {
    Box::new(move |key, mut claims| {
        change(&mut claims);
        key.sign(&claims)
    })
}

#[tokio::test]
async fn a_token_that_is_not_the_providers_or_not_for_us_signs_nobody_in() {
    let provider = Provider::start(ec_key()).await;
    let data = Data::new(crate::data::Kind::Sqlite);
    let server = start_on(&data, |config| provider.configure(config)).await;
    let stranger = ec_key();
    let by_rsa = rsa_key();
    let symmetric = |_: &Key, claims: Value, secret: &str| {
        let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    };
    let cases: Vec<(&str, Writer)> = vec![
        ("another audience", with(|claims| claims["aud"] = "them".into())),
        ("several audiences and nobody named", with(|claims| claims["aud"] = json!(["us", "them"]))),
        ("another party", with(|claims| claims["azp"] = "them".into())),
        ("another issuer", with(|claims| claims["iss"] = "https://evil.example".into())),
        ("another login's nonce", with(|claims| claims["nonce"] = "another".into())),
        ("no nonce", with(|claims| drop(claims.as_object_mut().unwrap().remove("nonce")))),
        ("ended", with(|claims| claims["exp"] = 1_000_000_000.into())),
        ("no end", with(|claims| drop(claims.as_object_mut().unwrap().remove("exp")))),
        ("no subject", with(|claims| drop(claims.as_object_mut().unwrap().remove("sub")))),
        ("an empty subject", with(|claims| claims["sub"] = "".into())),
        ("a long subject", with(|claims| claims["sub"] = "x".repeat(256).into())),
        ("a stranger's key", Box::new(move |_, claims| stranger.sign(&claims))),
        ("another algorithm's key", Box::new(move |_, claims| by_rsa.sign(&claims))),
        ("our secret as the key", Box::new(move |key, claims| symmetric(key, claims, "hunter2"))),
        (
            "the public key as a secret",
            Box::new(move |key, claims| symmetric(key, claims, key.public()["x"].as_str().unwrap())),
        ),
        (
            "no signature",
            Box::new(|_, claims| {
                let parts = [json!({ "alg": "none" }), claims].map(|part| base64url(part.to_string().as_bytes()));
                format!("{}.{}.", parts[0], parts[1])
            }),
        ),
        (
            "changed after it was signed",
            Box::new(|key, claims| {
                let signed = key.sign(&claims);
                let mut parts: Vec<_> = signed.split('.').collect();
                let mut other = claims.clone();
                other["sub"] = "1".into();
                let other = base64url(other.to_string().as_bytes());
                parts[1] = &other;
                parts.join(".")
            }),
        ),
        ("no token at all", Box::new(|_, _| "nonsense".to_owned())),
    ];
    for (what, write) in cases {
        provider.change(|inner| inner.write = write);
        let back = Browser::leave(&server).await.come_back(&server).await;
        assert_eq!(back.header("location"), "/?signInError=UNAUTHORIZED", "{what}: {back:?}");
        assert_refused(&back, "UNAUTHORIZED");
    }
    assert_eq!(data.number("SELECT COUNT(*) FROM users").await, 0);
    // With several audiences and ourselves named, it is for us.
    provider.change(|inner| {
        inner.write = with(|claims| {
            claims["aud"] = json!(["us", "them"]);
            claims["azp"] = "us".into();
        });
    });
    sign_in(&server).await;
}

#[tokio::test]
async fn a_new_key_is_asked_for_but_made_up_ones_do_not_have_us_ask_on_and_on() {
    let provider = Provider::start(ec_key()).await;
    let server = start_with(|config| provider.configure(config)).await;
    sign_in(&server).await;
    provider.change(|inner| inner.key = Key { id: "two", ..ec_key() });
    sign_in(&server).await;
    sign_in(&server).await;
    assert_eq!(provider.inner.lock().unwrap().asked_for_keys, 2);
    provider.change(|inner| {
        inner.write = Box::new(|_, claims| Key { id: "made up", ..ec_key() }.sign(&claims));
    });
    for _ in 0..10 {
        assert_refused(&Browser::leave(&server).await.come_back(&server).await, "UNAUTHORIZED");
    }
    assert_eq!(provider.inner.lock().unwrap().asked_for_keys, 3);
}

#[tokio::test]
async fn only_the_browser_that_left_comes_back_and_once() {
    let provider = Provider::start(ec_key()).await;
    let server = start_with(|config| provider.configure(config)).await;
    let (one, other) = (Browser::leave(&server).await, Browser::leave(&server).await);
    let swapped = Browser { cookie: other.cookie.clone(), back: one.back.clone() };
    assert_refused(&swapped.come_back(&server).await, "UNAUTHORIZED");
    for cookie in ["", "studyhall_oidc=", "studyhall_oidc=99999999999.state.signature"] {
        let without = Browser { cookie: cookie.to_owned(), back: one.back.clone() };
        assert_refused(&without.come_back(&server).await, "UNAUTHORIZED");
    }
    refresh_cookie(&one.come_back(&server).await);
    // The provider takes a code once.
    assert_refused(&one.come_back(&server).await, "UNAUTHORIZED");
    for (query, code) in [
        ("?error=access_denied&state=x", "FORBIDDEN"),
        ("?code=x", "BAD_REQUEST"),
        ("", "BAD_REQUEST"),
        ("?code=%ff", "BAD_REQUEST"),
    ] {
        let back = Browser { cookie: other.cookie.clone(), back: format!("/api/auth/oidc/callback{query}") };
        assert_refused(&back.come_back(&server).await, code);
    }
}

#[tokio::test]
async fn a_provider_that_is_none_of_ours_or_away_is_said() {
    let server = start_with(|_| {}).await;
    assert_eq!(server.get("/api/auth/methods").await.json(), json!({ "oidc": false }));
    server.get("/api/auth/oidc").await.assert_problem(404, "NOT_FOUND");
    assert_refused(&server.get("/api/auth/oidc/callback?code=x&state=y").await, "NOT_FOUND");

    let provider = Provider::start(ec_key()).await;
    provider.change(|inner| inner.issuer = "http://localhost:1".to_owned());
    let server = start_with(|config| provider.configure(config)).await;
    server.get("/api/auth/oidc").await.assert_problem(503, "SERVER_BUSY");

    // A port where nobody listens any more.
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let away = Provider { address: closed, inner: Arc::clone(&provider.inner) };
    let server = start_with(|config| away.configure(config)).await;
    server.get("/api/auth/oidc").await.assert_problem(503, "SERVER_BUSY");
}
