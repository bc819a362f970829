//! Good and bad answers of hubs, one table each.

use reqwest::Url;
use serde_json::{Value, json};

use super::*;
use crate::verify::wire;

/// What was seen of each bad variant of `good`, made by setting a member.
fn broken(good: &Value, changes: &[(&str, Value)], judged: impl Fn(&Value) -> bool) {
    assert!(judged(good), "{good}");
    for (pointer, value) in changes {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value.clone();
        assert!(!judged(&bad), "{pointer} = {value}");
    }
}

#[test]
fn a_discovery_document_lists_events_and_websockets() {
    let good = json!({"eventsSupported": ["Patient-open"], "websocketSupport": true});
    let changes = [
        ("/eventsSupported", json!("Patient-open")),
        ("/eventsSupported", json!([])),
        ("/eventsSupported/0", json!(1)),
        ("/websocketSupport", json!("true")),
    ];
    broken(&good, &changes, |document| discovery(document).is_ok());
}

#[test]
fn capabilities_are_said_twice_and_the_same() {
    let good = json!({"getCurrentSupport": true, "capabilities":
        {"supportsGetCurrentContext": true, "supportsNonCurrentContextUpdates": false}});
    let changes = [
        ("/getCurrentSupport", json!(false)),
        ("/capabilities/supportsGetCurrentContext", json!("yes")),
        ("/capabilities", json!(null)),
    ];
    broken(&good, &changes, |document| capabilities(document).is_ok());
}

#[test]
fn a_confirmation_has_four_members() {
    let good =
        json!({"hub.mode": "subscribe", "hub.topic": "t", "hub.events": "A-open, b-open", "hub.lease_seconds": 9});
    let changes = [
        ("/hub.mode", json!("denied")),
        ("/hub.topic", json!("u")),
        ("/hub.events", json!(["A-open"])),
        ("/hub.lease_seconds", json!("9")),
        ("/hub.lease_seconds", json!(0)),
    ];
    broken(&good, &changes, |document| confirmation(document, "t").is_ok());
    assert!(grants(&good, &["B-OPEN", "a-open"]));
    assert!(!grants(&good, &["a-open"]));
}

#[test]
fn a_denial_has_a_reason() {
    let good = json!({"hub.mode": "denied", "hub.topic": "t", "hub.events": "A-open", "hub.reason": "over"});
    let changes = [("/hub.topic", json!("u")), ("/hub.events", json!(null)), ("/hub.reason", json!(""))];
    broken(&good, &changes, |document| denial(document, "t").is_ok());
}

#[test]
fn a_notification_is_complete_and_in_utc() {
    let good = wire::patient_open("t", "p1");
    let changes = [
        ("/timestamp", json!("2026-05-04T08:15:30+02:00")),
        ("/timestamp", json!("today")),
        ("/id", json!(1)),
        ("/event/hub.topic", json!("u")),
        ("/event/hub.event", json!(null)),
        ("/event/context", json!({})),
    ];
    broken(&good, &changes, |event| notification(event, "t").is_ok());
}

#[test]
fn instants_compare_whatever_their_offset() {
    for (one, other, same) in [
        ("2026-05-04T08:15:30Z", "2026-05-04T08:15:30.000Z", true),
        ("2026-05-04T08:15:30Z", "2026-05-04T10:15:30+02:00", true),
        ("2026-05-04T08:15:30Z", "2026-05-04T08:15:31Z", false),
        ("x", "x", false),
    ] {
        assert_eq!(same_instant(&json!(one), &json!(other)), same, "{one} {other}");
    }
}

#[test]
fn a_sync_error_says_who_and_what() {
    let about = wire::patient_open("t", "p1");
    let good = wire::sync_error("t", &about, "Viewer");
    let blame = sync_error(&good).unwrap();
    assert_eq!((blame.event_id.as_str(), blame.event_name.as_str()), (wire::id_of(&about), "Patient-open"));
    assert_eq!(blame.subscriber, "Viewer");
    let issue = |member: &str| format!("/event/context/0/resource/issue/0/{member}");
    let (severity, code, told, coding) =
        (issue("severity"), issue("code"), issue("diagnostics"), issue("details/coding/2/system"));
    let changes = [
        ("/event/context/0/key", json!("OperationOutcome")),
        (severity.as_str(), json!("error")),
        (code.as_str(), json!("exception")),
        (told.as_str(), json!("")),
        (coding.as_str(), json!("elsewhere")),
        ("/event/context", json!([])),
    ];
    broken(&good, &changes, |event| sync_error(event).is_ok());
}

#[test]
fn a_current_context_is_whole_or_empty() {
    let good = json!({"context.type": "Patient", "context.versionId": "1", "context": [wire::patient("p1")]});
    let changes = [("/context.versionId", json!("")), ("/context", json!(null)), ("/context.type", json!(null))];
    broken(&good, &changes, |document| current_context(document).is_ok());
    assert!(is_about(&good, "Patient", "p1") && !is_about(&good, "Patient", "p2") && !is_about(&good, "", ""));
    let empty = json!({"context.type": "", "context": []});
    assert!(current_context(&empty).is_ok() && is_about(&empty, "", ""));
}

#[test]
fn content_is_a_collection_without_requests() {
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"id": "1"}}]});
    let good = json!({"context": [wire::patient("p1"), {"key": "content", "resource": bundle}]});
    assert_eq!(content(&good).unwrap(), [json!({"id": "1"})]);
    let changes = [
        ("/context/1/key", json!("updates")),
        ("/context/0/key", json!("content")),
        ("/context/1/resource/type", json!("transaction")),
        ("/context/1/resource/entry/0", json!({"request": {"method": "PUT"}})),
    ];
    broken(&good, &changes, |document| content(document).is_ok());
    assert_eq!(entries(&good).len(), 1);
}

#[test]
fn an_endpoint_is_absolute_and_as_safe_as_the_hub() {
    for (url, hub, good) in [
        ("ws://h/ws/1", "http://h/hub", true),
        ("wss://h/ws/1", "http://h/hub", true),
        ("wss://h/ws/1", "https://h/hub", true),
        ("ws://h/ws/1", "https://h/hub", false),
        ("/ws/1", "http://h/hub", false),
        ("http://h/ws/1", "http://h/hub", false),
    ] {
        assert_eq!(endpoint(url, &Url::parse(hub).unwrap()).is_ok(), good, "{url}");
    }
}

#[test]
fn an_endpoint_has_room_for_chance() {
    for (one, other, good) in [
        ("ws://h/ws/9f1c5a5e-4a1b-4c49-8f8b-111111111111", "ws://h/ws/9e1c5a5e-4a1b-4c49-8f8b-222222222222", true),
        ("ws://h/ws/Zm9vYmFyYmF6cXV4Zm9vYmE", "ws://h/ws/Xm9vYmFyYmF6cXV4Zm9vYmE", true),
        ("ws://h/ws/1001", "ws://h/ws/1002", false),
        ("ws://h/ws/topic", "ws://h/ws/topic", false),
        ("ws://h/bind/deadbeef", "ws://h/bind/cafebabe", false),
    ] {
        assert_eq!(unguessable(one, other).is_ok(), good, "{one}");
    }
}
