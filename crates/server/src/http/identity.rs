//! Who asks, by `Authorization: Bearer`: arguments of handlers.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Shared;
use crate::error::{Code, Refusal};
use crate::people::{self, Person};

/// Whoever has a valid token, guest or account. Nothing but the token is looked at.
impl FromRequestParts<Shared> for Person {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Refusal> {
        let token = parts.headers.get(AUTHORIZATION).and_then(|value| bearer(value.to_str().ok()?));
        let token = token.ok_or_else(|| {
            Refusal::new(Code::Unauthorized, "This needs a token, in a header Authorization: Bearer.")
        })?;
        app.tokens.verify(token)
    }
}

/// The scheme's case does not matter (RFC 9110 §11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Somebody with an account.
pub(crate) struct Account(pub(crate) Person);

impl FromRequestParts<Shared> for Account {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Refusal> {
        let person = Person::from_request_parts(parts, app).await?;
        if person.is_account {
            return Ok(Self(person));
        }
        Err(Refusal::new(Code::Forbidden, "This needs an account; guests have none."))
    }
}

/// An administrator: the token says so, and the database still does.
pub(crate) struct Administrator(pub(crate) Person);

impl FromRequestParts<Shared> for Administrator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Refusal> {
        let person = Person::from_request_parts(parts, app).await?;
        let is_admin =
            person.is_admin && people::find(&app.db, person.bare_id()).await?.is_some_and(|account| account.is_admin);
        if is_admin { Ok(Self(person)) } else { Err(Refusal::new(Code::Forbidden, "This is for administrators only.")) }
    }
}

#[cfg(test)]
mod tests {
    use super::bearer;

    #[test]
    fn the_token_stands_after_the_scheme() {
        let cases = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
        ];
        for (value, expected) in cases {
            assert_eq!(bearer(value), expected, "{value:?}");
        }
    }
}
