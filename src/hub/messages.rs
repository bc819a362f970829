//! What the hub itself writes: confirmations, denials, SyncErrors, the current context.

use fhircast_gateway_adapter_api::Clock;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::topic::{Current, SyncError, Terms};
use crate::fhircast::EventName;
use crate::fhircast::event::{Event, Others};

/// CONF-01
pub(super) fn confirmation(topic: &str, terms: &Terms, clock: &dyn Clock) -> String {
    let lease = terms.lease_end.duration_since(clock.now()).unwrap_or_default();
    // Whole seconds, rounded up: a lease just granted has not shrunk by what it took to connect.
    let seconds = lease.as_millis().div_ceil(1000);
    let (topic, events) = (json!(topic), json!(names(&terms.events)));
    format!(r#"{{"hub.mode":"subscribe","hub.topic":{topic},"hub.events":{events},"hub.lease_seconds":{seconds}}}"#)
}

/// CONF-04
pub(super) fn denial(topic: &str, terms: &Terms, reason: &str) -> String {
    let (topic, events, reason) = (json!(topic), json!(names(&terms.events)), json!(reason));
    format!(r#"{{"hub.mode":"denied","hub.topic":{topic},"hub.events":{events},"hub.reason":{reason}}}"#)
}

/// CTX-01, CTX-02
pub(super) fn current_context(current: Option<&Current<'_>>) -> String {
    let Some(current) = current else {
        return r#"{"context.type":"","context":[]}"#.to_owned();
    };
    let (kind, version) = (json!(current.anchor.resource), json!(current.version.as_ref()));
    format!(r#"{{"context.type":{kind},"context.versionId":{version},"context":{}}}"#, current.event.context.get())
}

/// NOT-09: a SyncError as an event; `None` only if it could not be written.
pub(super) fn sync_error(error: &SyncError, clock: &dyn Clock) -> Option<Event> {
    let id = Uuid::new_v4().to_string();
    let (event_id, event_name) = match error.event() {
        Some((id, name)) => (id.to_owned(), name.to_string()),
        None => (id.clone(), "SyncError".to_owned()),
    };
    let coding = |system: &str, code: &str| json!({"system": format!("{SYSTEM}{system}"), "code": code});
    let outcome = json!([{
        "key": "operationoutcome",
        "resource": {
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "warning",
                "code": "processing",
                "diagnostics": error.sentence(),
                "details": {"coding": [
                    coding("eventid", &event_id),
                    coding("eventname", &event_name),
                    coding("subscribername", &error.subscriber),
                    coding("subscriber", &error.subscriber),
                ]},
            }],
        },
    }]);
    let context: Box<RawValue> = to_raw_value(&outcome).ok()?;
    let now = jiff::Timestamp::try_from(clock.now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let name = EventName::parse("SyncError").ok()?;
    Some(Event { id, timestamp: format!("{now:.3}"), name, anchor: None, context, others: Others::default() })
}

const SYSTEM: &str = "https://fhircast.hl7.org/events/syncerror/";

fn names(events: &[EventName]) -> String {
    events.iter().map(EventName::as_str).collect::<Vec<_>>().join(",")
}
