//! What a subscriber answers to a notification on its socket (NOT-04, NOT-05, CLI-21).

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::json::depth_is_bounded;

/// One subscriber's answer to one notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The id of the event that it answers.
    pub id: String,
    /// What the subscriber made of it.
    pub verdict: Verdict,
}

/// What a subscriber made of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It followed. Also when it gives no status, or one that is no number.
    Followed,
    /// It could not be reached by the event: a status from 500 on.
    NotDelivered(u16),
    /// It will not follow: every other status.
    Refused(u16),
}

#[derive(Deserialize)]
struct Answer {
    id: String,
    status: Option<Value>,
    event: Option<IgnoredAny>,
}

impl Acknowledgement {
    /// The acknowledgement that a frame holds; `None` for anything else, which is ignored (CLI-22).
    pub fn parse(text: &str) -> Option<Self> {
        if !depth_is_bounded(text.as_bytes()) {
            return None;
        }
        let answer: Answer = serde_json::from_str(text).ok()?;
        let verdict = verdict(answer.status.as_ref());
        answer.event.is_none().then_some(Self { id: answer.id, verdict })
    }
}

/// What a status says (NOT-04, NOT-05); that of a webhook's answer too (WH-04).
pub fn verdict_of(status: u16) -> Verdict {
    match status {
        200..=299 => Verdict::Followed,
        500..=599 => Verdict::NotDelivered(status),
        _ => Verdict::Refused(status),
    }
}

fn verdict(status: Option<&Value>) -> Verdict {
    let status = match status {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        _ => return Verdict::Followed,
    };
    let digits = status.bytes().take_while(u8::is_ascii_digit).count();
    status[..digits].parse().map_or(Verdict::Followed, verdict_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn not_04_status_is_a_number_or_a_text_and_two_hundreds_are_success() {
        for (text, verdict) in [
            (r#"{"id":"e","status":200}"#, Verdict::Followed),
            (r#"{"id":"e","status":"200"}"#, Verdict::Followed),
            (r#"{"id":"e","status":"202 Accepted"}"#, Verdict::Followed),
            (r#"{"id":"e","timestamp":"x"}"#, Verdict::Followed),
            (r#"{"id":"e","status":"ok"}"#, Verdict::Followed),
            (r#"{"id":"e","status":null}"#, Verdict::Followed),
            (r#"{"id":"e","status":409}"#, Verdict::Refused(409)),
            (r#"{"id":"e","status":"404 Not Found"}"#, Verdict::Refused(404)),
            (r#"{"id":"e","status":302}"#, Verdict::Refused(302)),
            (r#"{"id":"e","status":500}"#, Verdict::NotDelivered(500)),
            (r#"{"id":"e","status":"503"}"#, Verdict::NotDelivered(503)),
        ] {
            assert_eq!(Acknowledgement::parse(text), Some(Acknowledgement { id: "e".into(), verdict }), "{text}");
        }
    }

    #[test]
    fn cli_22_frames_that_are_no_acknowledgement_are_told_apart() {
        for text in [
            "",
            "hello",
            "7",
            "{}",
            r#"{"type":"pong"}"#,
            r#"{"hub.channel.endpoint":"ws://x/bind/1"}"#,
            r#"{"id":7,"status":200}"#,
            r#"{"id":"e","event":{"hub.event":"Patient-open"}}"#,
        ] {
            assert_eq!(Acknowledgement::parse(text), None, "{text}");
        }
        assert_eq!(Acknowledgement::parse(&"[".repeat(60_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,60}", status in "\\PC{0,12}") {
            let _ = Acknowledgement::parse(&text);
            let frame = serde_json::json!({"id": text, "status": status}).to_string();
            prop_assert!(Acknowledgement::parse(&frame).is_some());
        }
    }
}
