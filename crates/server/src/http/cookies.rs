//! Cookies: the refresh token, which pages cannot read.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

use super::is_trusted_peer;
use crate::config::Prefix;

/// Of the refresh token.
pub(super) const REFRESH: &str = "studyhall_refresh";

/// A cookie to be set.
pub(super) struct Cookie<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    /// Below which it is sent back.
    pub(super) path: &'a str,
    /// How long it is kept; 0: it is removed.
    pub(super) seconds: u64,
    /// `Strict`, or `Lax` for what has to come back with a visit from another site.
    pub(super) same_site: &'static str,
    /// Whether the browser may send it back by https only.
    pub(super) is_secure: bool,
}

impl Cookie<'_> {
    /// As a header; `None` for a value that no header can carry, which ours never have.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let Self { name, value, path, seconds, same_site, is_secure } = self;
        let secure = if *is_secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}");
        HeaderValue::try_from(text).ok()
    }
}

/// What the browser sent back under this name.
pub(super) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (found, value) = pair.trim().split_once('=')?;
        (found == name).then_some(value)
    })
}

/// Whether the browser came by https, as a trusted proxy says. We ourselves speak only http.
pub(super) fn is_https(request: &axum::extract::Request, trusted: &[Prefix]) -> bool {
    let said = request.headers().get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let first = said.and_then(|value| value.split(',').next()).map(str::trim);
    is_trusted_peer(request, trusted) && first.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; studyhall_refresh=x=y; b=2"));
        headers.append(COOKIE, HeaderValue::from_static("c=3"));
        assert_eq!(find(&headers, REFRESH), Some("x=y"));
        assert_eq!(find(&headers, "c"), Some("3"));
        assert_eq!(find(&headers, "refresh"), None);
    }
}
