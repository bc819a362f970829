//! What a subscriber writes on its socket: an acknowledgement, or nothing that matters.

use serde::Deserialize;
use serde_json::Value;

use crate::fhircast::json;

/// A subscriber's answer to a notification (NOT-04).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Acknowledgement {
    /// The notification's `id`.
    pub(super) id: String,
    /// Its status; `None` where there is none that is a number, which counts as success (CLI-21).
    pub(super) status: Option<u16>,
}

#[derive(Deserialize)]
struct Frame {
    id: String,
    #[serde(default)]
    status: Value,
}

impl Acknowledgement {
    /// The acknowledgement that a frame holds, if it holds one (CLI-22).
    pub(super) fn parse(frame: &str) -> Option<Self> {
        if !json::is_shallow(frame.as_bytes()) {
            return None;
        }
        let frame: Frame = serde_json::from_str(frame).ok()?;
        Some(Self { id: frame.id, status: status(&frame.status) })
    }
}

fn status(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => {
            Some(number.as_u64().and_then(|number| u16::try_from(number).ok()).unwrap_or(u16::MAX))
        }
        Value::String(text) => {
            let digits = text.trim().split(|character: char| !character.is_ascii_digit()).next().unwrap_or_default();
            (!digits.is_empty()).then(|| digits.parse().unwrap_or(u16::MAX))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_04_cli_21_an_acknowledgement_is_read_in_every_spelling_that_clients_use() {
        for (frame, status) in [
            (r#"{"id":"e","status":200}"#, Some(200)),
            (r#"{"id":"e","status":"200"}"#, Some(200)),
            (r#"{"id":"e","status":"409 Conflict"}"#, Some(409)),
            (r#"{"id":"e","status":"ok"}"#, None),
            (r#"{"id":"e","timestamp":"2026-05-04T08:15:30Z"}"#, None),
            (r#"{"id":"e","status":null}"#, None),
            (r#"{"id":"e","status":-1}"#, Some(u16::MAX)),
        ] {
            assert_eq!(Acknowledgement::parse(frame), Some(Acknowledgement { id: "e".into(), status }), "{frame}");
        }
    }

    #[test]
    fn cli_22_frames_that_are_no_acknowledgement_are_nothing() {
        let deep = format!("{{\"id\":\"e\",\"status\":{}", "[".repeat(100_000));
        for frame in ["", "hello", "[]", "{}", r#"{"type":"pong"}"#, r#"{"id":7}"#, r#"{"bound":true}"#, &deep] {
            assert_eq!(Acknowledgement::parse(frame), None);
        }
    }
}
