//! What a hub says on a socket beside notifications: the confirmation of a subscription, and its denial (CONF-01, CONF-04).

use std::sync::Arc;

use serde::Serialize;

/// The confirmation of a subscription: first on every socket, and again when the subscription is replaced.
pub fn confirmation(topic: &str, events: &[Arc<str>], lease_seconds: u64) -> String {
    text(&Confirmation { mode: "subscribe", topic, events: events.join(","), lease_seconds })
}

/// The end of a subscription, and why: for the subscriber's developer.
pub fn denial(topic: &str, events: &[Arc<str>], reason: &str) -> String {
    text(&Denial { mode: "denied", topic, events: events.join(","), reason })
}

#[derive(Serialize)]
struct Confirmation<'a> {
    #[serde(rename = "hub.mode")]
    mode: &'static str,
    #[serde(rename = "hub.topic")]
    topic: &'a str,
    #[serde(rename = "hub.events")]
    events: String,
    #[serde(rename = "hub.lease_seconds")]
    lease_seconds: u64,
}

#[derive(Serialize)]
struct Denial<'a> {
    #[serde(rename = "hub.mode")]
    mode: &'static str,
    #[serde(rename = "hub.topic")]
    topic: &'a str,
    #[serde(rename = "hub.events")]
    events: String,
    #[serde(rename = "hub.reason")]
    reason: &'a str,
}

fn text<T: Serialize>(message: &T) -> String {
    serde_json::to_string(message).expect("texts and a number are always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conf_01_the_confirmation_has_its_four_members() {
        assert_eq!(
            confirmation("t\"1", &["patient-open".into(), "SyncError".into()], 7200),
            r#"{"hub.mode":"subscribe","hub.topic":"t\"1","hub.events":"patient-open,SyncError","hub.lease_seconds":7200}"#
        );
    }

    #[test]
    fn conf_04_the_denial_gives_a_reason() {
        assert_eq!(
            denial("t1", &["patient-open".into()], "the lease has ended"),
            r#"{"hub.mode":"denied","hub.topic":"t1","hub.events":"patient-open","hub.reason":"the lease has ended"}"#
        );
    }
}
