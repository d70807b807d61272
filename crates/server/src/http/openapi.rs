//! The REST interface described by itself: an OpenAPI 3.1 document made from the handlers and their types, and a page of it.
//!
//! A new route gets a `#[utoipa::path(…)]` on its handler, with [`Problems`] among its `responses`, and a line in `paths` below;
//! `every_route_is_described` fails until it has.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, OpenApi};

use super::{Shared, admin, auth, health, me, messages, oidc, room_order, rooms, study, study_export};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Studyhall",
        description = "Shared study rooms: people, rooms, operations. What happens in a room goes over Socket.IO and is not described here.",
    ),
    paths(
        auth::create_guest,
        auth::methods,
        auth::register,
        auth::login,
        auth::refresh,
        auth::logout,
        oidc::depart,
        oidc::arrive,
        me::read,
        me::change,
        me::delete,
        me::claim_guest,
        me::take_administrator,
        me::export,
        study::summary,
        study::sessions,
        study::leaderboard,
        study_export::export,
        rooms::list,
        rooms::one,
        rooms::create,
        rooms::change,
        rooms::remove,
        room_order::invite,
        room_order::messages,
        room_order::bans,
        room_order::ban,
        room_order::unban,
        room_order::unban_by_query,
        room_order::reports,
        room_order::handled,
        health::healthz,
        health::readyz,
        health::figures,
        admin::rooms,
        admin::acts,
        admin::drain,
        admin::remove,
        document,
    ),
    components(schemas(messages::Problem))
)]
struct Described;

/// Every answer that is none of the good ones: a problem document (RFC 9457). To stand among the `responses` of each path.
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let schema = Ref::from_schema_name("Problem");
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new()
            .description("Refused; `code` says why to programs, `detail` to people")
            .content("application/problem+json", content)
            .build();
        BTreeMap::from([("default".to_owned(), RefOr::T(response))])
    }
}

/// How each kind of token is called in the document.
const TOKENS: [(&str, &str); 3] = [
    ("person", "The token of a guest, from POST /api/guests, or of an account, from POST /api/auth/login."),
    ("admin", "STUDYHALL_ADMIN_TOKEN, or the token of an administrator's account."),
    ("metrics", "STUDYHALL_METRICS_TOKEN, where it is set."),
];

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut described = Described::openapi();
    let components = described.components.get_or_insert_default();
    for (name, description) in TOKENS {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description)).build();
        components.add_security_scheme(name, SecurityScheme::Http(scheme));
    }
    described.to_json().expect("a document of plain values becomes JSON")
});

pub(super) fn router() -> Router<Shared> {
    let file = |kind: &'static str, text: &'static str| get(async move || ([(CONTENT_TYPE, kind)], text));
    Router::new()
        .route("/api/openapi.json", get(document))
        .route("/docs", get(async || Html(include_str!("docs/docs.html"))))
        .route("/docs/docs.js", file("text/javascript; charset=utf-8", include_str!("docs/docs.js")))
        .route("/docs/docs.css", file("text/css; charset=utf-8", include_str!("docs/docs.css")))
}

/// This document.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", body = Object), Problems)
)]
pub(super) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.as_str())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

    type Routes = BTreeSet<(String, String)>;

    fn described() -> Routes {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let methods = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        paths.iter().flat_map(|(path, value)| methods(value).into_iter().map(|m| (path.clone(), m))).collect()
    }

    /// What stands between the parenthesis that is open at the start and the one that closes it.
    fn inside(text: &str) -> &str {
        let mut depth = 1;
        let end = text.char_indices().find(|(_, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        &text[..end.map_or(text.len(), |(at, _)| at)]
    }

    fn routes_in(text: &str, found: &mut Routes) {
        for (at, part) in text.match_indices(".route(") {
            let route = inside(&text[at + part.len()..]);
            let Some((path, handlers)) = route.trim().strip_prefix('"').and_then(|rest| rest.split_once('"')) else {
                continue;
            };
            for method in METHODS {
                let is_call = |at: usize| !handlers[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                if handlers.match_indices(&format!("{method}(")).any(|(at, _)| is_call(at)) {
                    found.insert((path.to_owned(), method.to_owned()));
                }
            }
        }
    }

    fn routes_under(directory: &Path, found: &mut Routes) {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                routes_under(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                routes_in(&fs::read_to_string(&path).unwrap(), found);
            }
        }
    }

    #[test]
    fn routes_are_found_in_what_is_written() {
        let mut found = Routes::new();
        routes_in("x.route(\"/a/{id}\", get(one).delete(away)).route(\n  \"/b\",\n  post(forget_all))", &mut found);
        let expected = [("/a/{id}", "delete"), ("/a/{id}", "get"), ("/b", "post")];
        assert_eq!(found, expected.map(|(path, method)| (path.to_owned(), method.to_owned())).into());
    }

    #[test]
    fn every_route_is_described() {
        let mut routes = Routes::new();
        routes_under(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut routes);
        // The page of the document, and what the test above writes down.
        routes.retain(|(path, _)| !path.starts_with("/docs") && path != "/a/{id}" && path != "/b");
        assert!(routes.len() >= 10, "{routes:?}");
        let described = described();
        assert_eq!(routes.difference(&described).collect::<Vec<_>>(), [] as [&(String, String); 0], "not described");
    }

    #[test]
    fn every_path_tells_how_it_refuses() {
        let document: Value = serde_json::from_str(&DOCUMENT).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        for (path, method) in described() {
            let responses = document["paths"][&path][&method]["responses"].as_object().unwrap();
            for (status, response) in responses {
                // Required by OpenAPI 3.1 §4.8.17.
                let is_told = response["description"].as_str().is_some_and(|text| !text.is_empty());
                assert!(is_told, "{method} {path}: {status} has no description");
            }
            let tells = path == "/healthz" || path == "/readyz" || responses.contains_key("default");
            assert!(tells, "{method} {path} lacks `Problems` among its responses");
        }
    }
}
