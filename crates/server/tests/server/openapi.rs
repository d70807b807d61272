//! The REST interface as it describes itself, and the page of it.

use serde_json::Value;

use crate::harness::{TestServer, start_with};

async fn document(server: &TestServer) -> Value {
    let response = server.get("/api/openapi.json").await;
    assert_eq!((response.status, response.header("content-type")), (200, "application/json"));
    response.json()
}

#[tokio::test]
async fn everything_that_is_described_is_there() {
    let server = start_with(|_| {}).await;
    let document = document(&server).await;
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "x");
        for method in methods.as_object().unwrap().keys() {
            let response = server.request(&method.to_uppercase(), &path, &[], "").await;
            assert_ne!(response.status, 405, "{method} {path}: {response:?}");
            assert!(!response.body.contains("There is no such address."), "{method} {path}: {response:?}");
            count += 1;
        }
    }
    assert!(count >= 11, "{count}");
}

#[tokio::test]
async fn refusals_are_what_is_described() {
    let server = start_with(|config| config.limits.guests_per_minute = 1).await;
    let schema = document(&server).await["components"]["schemas"]["Problem"].clone();
    let required: Vec<_> = schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let known = schema["properties"].as_object().unwrap();
    let responses = [
        server.get("/api/rooms/nowhere").await,
        server.get("/api/rooms?cursor=x").await,
        server.get("/api/admin/rooms").await,
        server.post("/api/guests", "{}").await,
        // One in a minute.
        server.post("/api/guests", r#"{"displayName":"A"}"#).await,
        server.request("PUT", "/api/rooms", &[], "").await,
    ];
    for (response, status) in responses.iter().zip([404, 400, 401, 400, 429, 405]) {
        assert_eq!((response.status, response.header("content-type")), (status, "application/problem+json"));
        let problem = response.json();
        for name in &required {
            assert!(problem.get(name).is_some(), "{name} in {problem}");
        }
        for (name, value) in problem.as_object().unwrap() {
            let kind = &known.get(name).unwrap_or_else(|| panic!("{name} is not described"))["type"];
            let is_it = |kind: &str| match kind {
                "string" => value.is_string(),
                "integer" => value.is_u64(),
                other => panic!("{other}"),
            };
            let kinds = kind.as_array().cloned().unwrap_or_else(|| vec![kind.clone()]);
            assert!(kinds.iter().any(|kind| kind != "null" && is_it(kind.as_str().unwrap())), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere_and_no_script_of_its_own() {
    let server = start_with(|_| {}).await;
    let page = server.get("/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("script-src 'self';") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.body.contains("http://") && !page.body.contains("https://") && !page.body.contains("style="));
    for part in page.body.split("<script").skip(1) {
        assert!(part.starts_with(" src=\"/docs/docs.js\" defer></script>"), "{part}");
    }
    for (path, kind) in [("/docs/docs.js", "text/javascript"), ("/docs/docs.css", "text/css")] {
        let file = server.get(path).await;
        assert_eq!(file.status, 200);
        assert!(file.header("content-type").starts_with(kind), "{file:?}");
    }
}
