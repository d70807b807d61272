//! What is wrong with a field that somebody sent, and where it stands.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longest quotation of what was sent, in characters; the rest of the sentence is ours.
const MAX_PROBLEM_CHARS: usize = 200;

/// A field of a request is missing or wrong. Always the sender's fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct FieldError {
    /// Where the field stands, as JavaScript would reach it: `rtpParameters.codecs[0].payloadType`.
    pub path: String,
    /// What is wrong with it, for people.
    pub problem: String,
}

impl FieldError {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        let mut problem = problem.into();
        if let Some((end, _)) = problem.char_indices().nth(MAX_PROBLEM_CHARS) {
            problem.truncate(end);
            problem.push('…');
        }
        Self { path: path.into(), problem }
    }
}

/// Reads a `T` out of JSON; an error names the field by its path below `root`.
///
/// This checks shapes only; follow it with the `validate_*` function of that type.
pub fn parse<T: DeserializeOwned>(root: &str, value: &Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let inner = error.path().to_string();
        let path = match inner.as_str() {
            "." => root.to_owned(),
            _ if inner.starts_with('[') => format!("{root}{inner}"),
            _ => format!("{root}.{inner}"),
        };
        FieldError::new(path, error.inner().to_string())
    })
}
