//! What is refused, and whose fault it is: that decides the status, the code and the level of the log.

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use sfu::{ConnectError, ConsumeError, ProduceError, WorkerError};
use tracing::{debug, error, warn};

use crate::signal::messages::{ErrorEvent, RefusalAnswer};

/// How long to wait before the same is tried again, where nothing better is known.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What a program can tell a refusal by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Code {
    /// A field is missing or wrong.
    BadRequest,
    /// No token, or one that is not valid.
    Unauthorized,
    /// This e-mail and this password do not belong together.
    WrongPassword,
    /// Known, but not allowed to.
    Forbidden,
    /// Another account has this e-mail.
    EmailTaken,
    /// Another account has this guest's study time.
    AlreadyClaimed,
    /// The page that asks is not one of ours.
    OriginNotAllowed,
    /// No such thing, or not the asker's.
    NotFound,
    /// No such room.
    RoomNotFound,
    /// No such event.
    UnknownEvent,
    /// Not with this HTTP method.
    MethodNotAllowed,
    /// Sent away, for a time or for good.
    Banned,
    /// The room is private, and neither a password nor an invitation was shown.
    PasswordRequired,
    /// The invitation is unknown, used up or too old.
    InviteInvalid,
    /// Nobody else is let in.
    RoomLocked,
    /// Guests are not let in.
    AccountRequired,
    /// Somebody has to let them in first.
    Waiting,
    /// Nobody let them in.
    Rejected,
    /// What the room's policy does not allow now.
    Policy,
    /// Nobody may write now.
    ChatClosed,
    /// All seats are taken.
    RoomFull,
    /// The receiver understands none of the producer's codecs.
    CannotConsume,
    /// The body is too large.
    TooLarge,
    /// The body did not come in time.
    Timeout,
    /// Above a limit.
    RateLimited,
    /// Not now: stopping, or a media worker is being replaced.
    ServerBusy,
    /// We are wrong.
    Internal,
}

impl Code {
    /// As it is sent.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::WrongPassword => "WRONG_PASSWORD",
            Self::Forbidden => "FORBIDDEN",
            Self::EmailTaken => "EMAIL_TAKEN",
            Self::AlreadyClaimed => "ALREADY_CLAIMED",
            Self::OriginNotAllowed => "ORIGIN_NOT_ALLOWED",
            Self::NotFound => "NOT_FOUND",
            Self::RoomNotFound => "ROOM_NOT_FOUND",
            Self::UnknownEvent => "UNKNOWN_EVENT",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::Banned => "BANNED",
            Self::PasswordRequired => "PASSWORD_REQUIRED",
            Self::InviteInvalid => "INVITE_INVALID",
            Self::RoomLocked => "ROOM_LOCKED",
            Self::AccountRequired => "ACCOUNT_REQUIRED",
            Self::Waiting => "WAITING",
            Self::Rejected => "REJECTED",
            Self::Policy => "POLICY",
            Self::ChatClosed => "CHAT_CLOSED",
            Self::RoomFull => "ROOM_FULL",
            Self::CannotConsume => "CANNOT_CONSUME",
            Self::TooLarge => "TOO_LARGE",
            Self::Timeout => "TIMEOUT",
            Self::RateLimited => "RATE_LIMITED",
            Self::ServerBusy => "SERVER_BUSY",
            Self::Internal => "INTERNAL",
        }
    }

    /// Over HTTP.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::WrongPassword => StatusCode::UNAUTHORIZED,
            Self::OriginNotAllowed | Self::Forbidden | Self::Banned | Self::ChatClosed => StatusCode::FORBIDDEN,
            Self::PasswordRequired | Self::InviteInvalid | Self::RoomLocked => StatusCode::FORBIDDEN,
            Self::AccountRequired | Self::Waiting | Self::Rejected | Self::Policy => StatusCode::FORBIDDEN,
            Self::EmailTaken | Self::AlreadyClaimed => StatusCode::CONFLICT,
            Self::NotFound | Self::RoomNotFound | Self::UnknownEvent => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RoomFull | Self::CannotConsume => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::ServerBusy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whose fault it is.
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::RoomFull | Self::RoomNotFound | Self::RateLimited | Self::Unauthorized => Fault::User,
            Self::Banned | Self::ChatClosed | Self::PasswordRequired | Self::InviteInvalid => Fault::User,
            Self::RoomLocked | Self::AccountRequired | Self::Waiting | Self::Rejected | Self::Policy => Fault::User,
            Self::WrongPassword | Self::Forbidden | Self::EmailTaken | Self::AlreadyClaimed => Fault::User,
            Self::ServerBusy | Self::Internal => Fault::Ours,
            _ => Fault::Client,
        }
    }
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// Somebody asked for what cannot be had.
    User,
    /// A program asked wrongly.
    Client,
    /// We failed.
    Ours,
}

/// Something is not done, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    /// For programs.
    pub(crate) code: Code,
    /// For people: one sentence.
    pub(crate) sentence: String,
    /// When to try again.
    pub(crate) retry_after: Option<Duration>,
}

impl Refusal {
    /// A refusal without a time to try again.
    pub(crate) fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self { code, sentence: sentence.into(), retry_after: None }
    }

    /// A field is missing or wrong.
    pub(crate) fn bad_request(sentence: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, sentence)
    }

    /// There is no such thing, or it is not the asker's: both read the same.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// Too often.
    pub(crate) fn rate_limited(retry_after: Duration) -> Self {
        let sentence = "Too many requests; wait a moment.".to_owned();
        Self { code: Code::RateLimited, sentence, retry_after: Some(retry_after) }
    }

    /// Too many of something; another one has to go first.
    pub(crate) fn limit_reached(limit: usize, what: &str) -> Self {
        let sentence = format!("More than {limit} {what} are not allowed; close one first.");
        Self { code: Code::RateLimited, sentence, retry_after: Some(TRY_AGAIN) }
    }

    /// Not now.
    pub(crate) fn busy(sentence: impl Into<String>) -> Self {
        Self { code: Code::ServerBusy, sentence: sentence.into(), retry_after: Some(TRY_AGAIN) }
    }

    /// We are wrong.
    pub(crate) fn internal() -> Self {
        Self::new(Code::Internal, "The server made a mistake; it is in its log.")
    }

    /// Writes it to the log, at the level that its fault deserves.
    pub(crate) fn log(&self, doing: &str) {
        match self.code.fault() {
            Fault::Ours => error!(code = self.code.as_str(), doing, "{}", self.sentence),
            Fault::User | Fault::Client => {
                debug!(code = self.code.as_str(), doing, "{}", self.sentence);
            }
        }
    }

    fn retry_after_ms(&self) -> Option<u64> {
        // Rounded up: who comes back exactly then must not come too early.
        self.retry_after.map(|after| after.as_micros().div_ceil(1000) as u64)
    }

    /// As an acknowledgement.
    pub(crate) fn answer(&self) -> RefusalAnswer {
        RefusalAnswer {
            error: self.sentence.clone(),
            code: self.code.as_str().to_owned(),
            retry_after_ms: self.retry_after_ms(),
        }
    }

    /// As a problem document (RFC 9457).
    pub(crate) fn problem(&self) -> crate::http::messages::Problem {
        let status = self.code.status();
        crate::http::messages::Problem {
            problem_type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: self.sentence.clone(),
            code: self.code.as_str(),
            retry_after_ms: self.retry_after_ms(),
        }
    }
}

/// What a refused connection carries: `CODE: a sentence`.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.sentence)
    }
}

/// An event that is the answer to nothing.
pub(crate) fn error_event(code: &str, message: &str, retry_after: Option<Duration>) -> ErrorEvent {
    ErrorEvent {
        code: code.to_owned(),
        message: message.to_owned(),
        retry_after_ms: retry_after.map(|after| after.as_millis() as u64),
    }
}

/// What the database does not answer, for whatever reason, is logged here: the sentence says nothing of it.
impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        if crate::db::is_away(&error) {
            warn!(%error, "the database does not answer a request");
            return Self::busy("The database does not answer now; try again in a moment.");
        }
        error!(%error, "the database refuses a request");
        Self::internal()
    }
}

impl From<WorkerError> for Refusal {
    fn from(error: WorkerError) -> Self {
        if error.is_gone() {
            return Self::not_found("transport, producer or consumer any more");
        }
        if error.is_their_fault() {
            return Self::bad_request(sentence(&error));
        }
        Self::busy("The media server is restarting; try again.")
    }
}

impl From<ConnectError> for Refusal {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Worker(error) => error.into(),
            error => Self::bad_request(sentence(&error)),
        }
    }
}

impl From<ProduceError> for Refusal {
    fn from(error: ProduceError) -> Self {
        match error {
            ProduceError::Worker(error) => error.into(),
            error => Self::bad_request(sentence(&error)),
        }
    }
}

impl From<ConsumeError> for Refusal {
    fn from(error: ConsumeError) -> Self {
        match error {
            ConsumeError::Worker(error) => error.into(),
            ConsumeError::NoCommonCodec => Self::new(Code::CannotConsume, sentence(&error)),
            error @ ConsumeError::Invalid(_) => Self::bad_request(sentence(&error)),
        }
    }
}

/// An error's text with a capital and a full stop.
fn sentence(error: &dyn fmt::Display) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return text };
    // A path such as rtpParameters.codecs[0] keeps its case.
    let names_a_field = text.split_once(':').is_some_and(|(path, _)| !path.contains(' '));
    let first = if names_a_field { first.to_string() } else { first.to_uppercase().to_string() };
    let end = if text.ends_with(['.', '!', '?', '…']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_connection_reads_code_colon_sentence() {
        let refusal = Refusal::new(Code::RoomFull, "All 50 seats are taken.");
        assert_eq!(refusal.to_string(), "ROOM_FULL: All 50 seats are taken.");
    }

    #[test]
    fn the_time_to_wait_is_rounded_up() {
        let refusal = Refusal::rate_limited(Duration::from_micros(1_001));
        assert_eq!(refusal.answer().retry_after_ms, Some(2));
        assert_eq!(refusal.problem().status, 429);
    }

    #[test]
    fn errors_become_sentences() {
        assert_eq!(sentence(&"the transport is closed"), "The transport is closed.");
        assert_eq!(
            sentence(&"rtpParameters.codecs[0].payloadType: invalid type"),
            "rtpParameters.codecs[0].payloadType: invalid type."
        );
    }

    #[test]
    fn a_stopped_worker_is_not_the_clients_fault() {
        let refusal = Refusal::from(WorkerError::Died);
        assert_eq!(refusal.code, Code::ServerBusy);
        assert!(refusal.retry_after.is_some());
    }
}
