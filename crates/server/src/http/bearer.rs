//! Secrets that are shown as `Authorization: Bearer …`.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use crate::config::Secret;

/// The token that a request shows.
pub(crate) fn token_of(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a request shows this secret. How long that takes tells nothing of it.
pub(crate) fn shows(headers: &HeaderMap, secret: &Secret) -> bool {
    let shown = token_of(headers).unwrap_or_default();
    verify_slices_are_equal(shown.as_bytes(), secret.reveal().as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_whole_secret_as_a_bearer_is_it() {
        let secret = Secret::new("0123456789abcdef".into());
        let cases = [
            ("Bearer 0123456789abcdef", true),
            ("bearer  0123456789abcdef", true),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Bearer", false),
            ("Basic 0123456789abcdef", false),
            ("0123456789abcdef", false),
        ];
        for (value, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(shows(&headers, &secret), expected, "{value}");
        }
        assert!(!shows(&HeaderMap::new(), &secret));
    }
}
