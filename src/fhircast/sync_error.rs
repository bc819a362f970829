//! The SyncError that a hub raises when a subscriber has fallen out of step (NOT-05 to NOT-09).

use jiff::Timestamp;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use uuid::Uuid;

use super::event_name::EventName;
use super::{ContextEntry, Event, EventError, NewEvent, Verdict};

/// Who has fallen out of step, over which event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncError {
    /// The subscriber's name (SUB-17).
    pub subscriber: String,
    /// The event's id and name, where it was over an event.
    pub event: Option<(String, String)>,
    /// What happened.
    pub cause: Cause,
}

/// How a subscriber can fall out of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It reads more slowly than events come (NOT-15).
    Behind,
    /// Its connection was lost, and it has not come back (NOT-07).
    Lost,
    /// It answered that it does not follow (NOT-05).
    Refused(Verdict),
    /// It did not answer in time (NOT-06).
    Silent,
}

impl SyncError {
    /// The event that tells it to the subscribers of `topic`.
    ///
    /// # Errors
    /// None in practice: the context made here fits the event.
    pub fn event(&self, id: Uuid, topic: &str, timestamp: Timestamp) -> Result<Event, EventError> {
        let id = id.to_string();
        let (event_id, event_name) = match &self.event {
            Some((event_id, event_name)) => (event_id.as_str(), event_name.as_str()),
            None => (id.as_str(), "syncerror"),
        };
        let resource = to_raw_value(&self.outcome(event_id, event_name)).map_err(|_| EventError::TooDeep)?;
        let context = vec![ContextEntry { key: "operationoutcome".into(), resource }];
        Event::new(topic, NewEvent { id, timestamp, name: EventName::parse("SyncError")?, context, occurred: None })
    }

    fn outcome(&self, event_id: &str, event_name: &str) -> Value {
        let coding = |kind: &str, code: &str| json!({"system": format!("{SYSTEM}{kind}"), "code": code});
        json!({
            "resourceType": "OperationOutcome",
            "issue": [{
                "severity": "warning",
                "code": "processing",
                "diagnostics": self.diagnostics(),
                "details": {"coding": [
                    coding("eventid", event_id),
                    coding("eventname", event_name),
                    coding("subscribername", &self.subscriber),
                    coding("subscriber", &self.subscriber),
                ]},
            }],
        })
    }

    fn diagnostics(&self) -> String {
        let (subscriber, event) = (&self.subscriber, self.event.as_ref().map_or("the session", |(_, name)| name));
        match self.cause {
            Cause::Behind => format!("{subscriber} reads too slowly, and has missed {event}."),
            Cause::Lost => format!("The connection to {subscriber} is lost; it does not follow {event}."),
            Cause::Refused(Verdict::NotDelivered(status)) => {
                format!("{event} could not be delivered to {subscriber}: it answered {status}.")
            }
            Cause::Refused(Verdict::Refused(status)) => format!("{subscriber} refused {event}: it answered {status}."),
            Cause::Refused(Verdict::Followed) => format!("{subscriber} follows {event}."),
            Cause::Silent => format!("{subscriber} did not answer {event} in time."),
        }
    }
}

/// The systems of the codes that say what a SyncError is about; the older hubs' `subscriber` goes out as well.
const SYSTEM: &str = "https://fhircast.hl7.org/events/syncerror/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_09_names_event_and_subscriber_in_order() {
        let error = SyncError {
            subscriber: "Viewer".into(),
            event: Some(("e1".into(), "Patient-open".into())),
            cause: Cause::Refused(Verdict::Refused(409)),
        };
        let event = error.event(Uuid::nil(), "t1", Timestamp::UNIX_EPOCH).unwrap();
        let sent: Value = serde_json::from_str(&event.notification("syncerror", None)).unwrap();
        assert_eq!(sent["event"]["hub.event"], "syncerror");
        let entry = &sent["event"]["context"][0];
        assert_eq!(entry["key"], "operationoutcome");
        let issue = &entry["resource"]["issue"][0];
        assert_eq!((&issue["severity"], &issue["code"]), (&json!("warning"), &json!("processing")));
        assert_eq!(issue["diagnostics"], "Viewer refused Patient-open: it answered 409.");
        let codes: Vec<_> =
            issue["details"]["coding"].as_array().unwrap().iter().map(|coding| &coding["code"]).collect();
        assert_eq!(codes, ["e1", "Patient-open", "Viewer", "Viewer"]);
        assert_eq!(issue["details"]["coding"][2]["system"], "https://fhircast.hl7.org/events/syncerror/subscribername");
    }

    #[test]
    fn not_09_a_sync_error_about_no_event_carries_its_own_id() {
        let error = SyncError { subscriber: "Viewer".into(), event: None, cause: Cause::Lost };
        let event = error.event(Uuid::nil(), "t1", Timestamp::UNIX_EPOCH).unwrap();
        let sent: Value = serde_json::from_str(&event.notification("SyncError", None)).unwrap();
        let coding = &sent["event"]["context"][0]["resource"]["issue"][0]["details"]["coding"];
        assert_eq!((&coding[0]["code"], &coding[1]["code"]), (&sent["id"], &json!("syncerror")));
    }
}
