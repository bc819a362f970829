//! An event as it is requested, and as it is notified.
//!
//! Resources stay as they came; what is read of them is their type and `id`.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::catalogue;
use super::event_name::Action;
use super::json::{self, Members};
use super::{EventName, EventNameError};

/// An event, checked (REQ-03 to REQ-05).
#[derive(Clone, Debug)]
pub struct Event {
    /// The event's `id`, kept for all who are notified (REQ-06).
    pub id: String,
    /// The instant in UTC, ending in `Z` (NOT-01).
    pub timestamp: String,
    /// `hub.event`, as its publisher spelt it.
    pub name: EventName,
    /// What it opens or closes; `None` for events that are about no context.
    pub anchor: Option<Anchor>,
    /// The context array, as it came.
    pub context: Box<RawValue>,
    /// Members that the hub does not know, at the top and in `event`, as they came (REQ-10).
    pub others: Others,
}

/// Members that are passed through.
#[derive(Clone, Debug, Default)]
pub struct Others {
    top: Vec<(String, Box<RawValue>)>,
    event: Vec<(String, Box<RawValue>)>,
}

/// What a context is about: a resource's type and `id`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// The FHIR type, as the resource spells it.
    pub resource: String,
    /// The resource's `id`.
    pub id: String,
}

/// Why a request is no event. Fit for whoever sent it; holds nothing of what was sent but member names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The context lacks what the event's definition requires (REQ-05).
    #[error("{event} needs `{key}` in `event.context`, holding a {resource} with an `id`")]
    Context {
        /// The event.
        event: &'static str,
        /// The missing or wrong context key.
        key: String,
        /// The type that belongs there.
        resource: String,
    },
    /// Nested too deeply (REQ-09).
    #[error("the JSON is nested more than {} levels deep", json::MAX_DEPTH)]
    Depth,
    /// Not JSON, or a member written twice.
    #[error("the body is not the JSON of an event: {0}")]
    Json(String),
    /// A required member is missing or of the wrong type (REQ-03).
    #[error("`{member}` must be {expected}")]
    Member {
        /// The member's path.
        member: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// `hub.event` is no event name (REQ-04).
    #[error("`event.hub.event`: {0}")]
    Name(#[from] EventNameError),
    /// The topic in the body is another than in the path (REQ-02).
    #[error("`event.hub.topic` is another topic than the path names")]
    Topic,
}

/// The longest `id` that is taken (CLI-31).
const MAX_ID: usize = 256;

/// A request to change the context: its topic, and the event.
#[derive(Debug)]
pub struct EventRequest {
    /// `event.hub.topic`
    pub topic: String,
    /// The event.
    pub event: Event,
}

impl EventRequest {
    /// Reads the body of an event request.
    ///
    /// # Errors
    /// What is wrong with it, naming the member.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        if !json::is_shallow(body) {
            return Err(EventError::Depth);
        }
        let top: Members<'_> = read(body)?;
        let event: Members<'_> = top
            .member("event")
            .and_then(|event| serde_json::from_str(event.get()).ok())
            .ok_or(EventError::Member { member: "event", expected: "an object without repeated members" })?;
        let name = EventName::parse(&text(&event, "hub.event", "event.hub.event")?)?;
        let context = context(&name, &event)?;
        let anchor = check_context(&name, context)?;
        let id = text(&top, "id", "id")?;
        if id.len() > MAX_ID {
            return Err(EventError::Member { member: "id", expected: "a string of at most 256 characters" });
        }
        let event_parts = Event {
            id,
            timestamp: utc(&text(&top, "timestamp", "timestamp")?)?,
            anchor,
            context: context.to_owned(),
            others: Others {
                top: others(&top, &["timestamp", "id", "event"]),
                event: others(
                    &event,
                    &["hub.topic", "hub.event", "context", "context.versionId", "context.priorVersionId"],
                ),
            },
            name,
        };
        Ok(Self { topic: text(&event, "hub.topic", "event.hub.topic")?, event: event_parts })
    }
}

impl Event {
    /// An event of the gateway's own making.
    ///
    /// # Errors
    /// When its context lacks what its definition requires.
    pub fn new<'c>(
        id: String,
        time: jiff::Timestamp,
        name: EventName,
        context: impl Iterator<Item = (&'c str, &'c RawValue)>,
    ) -> Result<Self, EventError> {
        let entries = context.map(|(key, resource)| format!("{{\"key\":{},\"resource\":{resource}}}", quoted(key)));
        let text = format!("[{}]", entries.collect::<Vec<_>>().join(","));
        let context = RawValue::from_string(text).map_err(|error| EventError::Json(category(&error).into()))?;
        let anchor = check_context(&name, &context)?;
        Ok(Self { id, timestamp: format!("{time:.3}"), name, anchor, context, others: Others::default() })
    }

    /// Whether it opens a context.
    pub fn opens(&self) -> bool {
        self.anchor.is_some() && self.name.action() == Some(Action::Open)
    }

    /// The notification of this event, but for the spelling of its name.
    pub fn notification(&self, topic: &str, version: Option<&str>) -> Notification {
        let mut head = String::with_capacity(256);
        let mut tail = String::with_capacity(self.context.get().len() + 128);
        let _ = write!(head, "{{\"timestamp\":{},\"id\":{}", quoted(&self.timestamp), quoted(&self.id));
        write_members(&mut head, &self.others.top);
        let _ = write!(head, ",\"event\":{{\"hub.topic\":{},\"hub.event\":", quoted(topic));
        if let Some(version) = version {
            let _ = write!(tail, ",\"context.versionId\":{}", quoted(version));
        }
        write_members(&mut tail, &self.others.event);
        let _ = write!(tail, ",\"context\":{}}}}}", self.context.get());
        Notification { id: self.id.as_str().into(), name: self.name.clone(), head, tail }
    }
}

/// A notification, serialised but for the spelling of its event's name (SUB-07).
#[derive(Debug)]
pub struct Notification {
    /// The event's id, which an acknowledgement names.
    pub id: Arc<str>,
    /// The event's name, as its publisher spelt it.
    pub name: EventName,
    head: String,
    tail: String,
}

impl Notification {
    /// The JSON text, its event's name spelt as `spelling`.
    pub fn text(&self, spelling: &EventName) -> String {
        [&self.head, &quoted(spelling.as_str()), &self.tail].map(|part| part as &str).concat()
    }
}

fn read<'a>(body: &'a [u8]) -> Result<Members<'a>, EventError> {
    serde_json::from_slice(body).map_err(|error| {
        EventError::Json(format!("line {}, column {}: {}", error.line(), error.column(), category(&error)))
    })
}

/// serde_json's own words could repeat what was sent.
fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Syntax => "it is not well formed",
        _ => "it is not an object, or a member is written twice",
    }
}

fn text(members: &Members<'_>, name: &str, path: &'static str) -> Result<String, EventError> {
    members
        .member(name)
        .and_then(|value| serde_json::from_str::<String>(value.get()).ok())
        .filter(|text| !text.is_empty())
        .ok_or(EventError::Member { member: path, expected: "a string that is not empty" })
}

fn others(members: &Members<'_>, known: &[&str]) -> Vec<(String, Box<RawValue>)> {
    let unknown = members.iter().filter(|(name, _)| !known.contains(name));
    unknown.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The context array; one may be missing where the event is about no resource.
fn context<'a>(name: &EventName, event: &Members<'a>) -> Result<&'a RawValue, EventError> {
    let expected = EventError::Member { member: "event.context", expected: "an array" };
    match event.member("context") {
        Some(context) if context.get().starts_with('[') => Ok(context),
        None if name.resource().is_none() && name.action().is_some() => Ok(empty_array()),
        None if ["UserLogout", "UserHibernate"].iter().any(|event| name.is(event)) => Ok(empty_array()),
        _ => Err(expected),
    }
}

fn empty_array<'a>() -> &'a RawValue {
    // A constant that is an array.
    serde_json::from_str("[]").unwrap_or(RawValue::NULL)
}

/// One entry of a context array, as far as it is read.
struct ContextEntry {
    key: String,
    resource: Option<Anchor>,
}

fn check_context(name: &EventName, context: &RawValue) -> Result<Option<Anchor>, EventError> {
    let entries = entries(context)?;
    let find = |key: &str, resource: &str| {
        let mut found = entries.iter().filter(|entry| entry.key == key).filter_map(|entry| entry.resource.as_ref());
        found.find(|anchor| anchor.resource == resource).cloned()
    };
    if let Some(definition) = catalogue::definition(name) {
        for key in definition.keys {
            let entered = entries.iter().any(|entry| entry.key == key.key);
            if find(key.key, key.resource).is_none() && (key.required || entered) {
                let (key, resource) = (key.key.to_owned(), key.resource.to_owned());
                return Err(EventError::Context { event: definition.name, key, resource });
            }
        }
        return Ok(find(definition.anchor, definition.keys[0].resource));
    }
    let Some(resource) = name.resource().filter(|_| matches!(name.action(), Some(Action::Open | Action::Close))) else {
        return Ok(None);
    };
    let anchor = entries
        .iter()
        .filter_map(|entry| entry.resource.as_ref())
        .find(|anchor| anchor.resource.eq_ignore_ascii_case(resource));
    anchor.cloned().map(Some).ok_or_else(|| EventError::Context {
        event: "the event",
        key: catalogue::anchor_key(resource),
        resource: "resource of the event's type".to_owned(),
    })
}

fn entries(context: &RawValue) -> Result<Vec<ContextEntry>, EventError> {
    let expected =
        || EventError::Member { member: "event.context", expected: "an array of objects, each with a `key`" };
    let raw: Vec<&RawValue> = serde_json::from_str(context.get()).map_err(|_| expected())?;
    raw.into_iter().map(|entry| entry_of(entry).ok_or_else(expected)).collect()
}

fn entry_of(entry: &RawValue) -> Option<ContextEntry> {
    let members: Members<'_> = serde_json::from_str(entry.get()).ok()?;
    let string = |value: Option<&RawValue>| serde_json::from_str::<String>(value?.get()).ok();
    let key = string(members.member("key"))?;
    let resource = members.member("resource").and_then(|resource| {
        let members: Members<'_> = serde_json::from_str(resource.get()).ok()?;
        let id = string(members.member("id")).filter(|id| !id.is_empty())?;
        Some(Anchor { resource: string(members.member("resourceType"))?, id })
    });
    Some(ContextEntry { key, resource })
}

/// The same instant in UTC: verbatim where it ends in `Z`; without an offset it counts as UTC (CLI-32).
fn utc(text: &str) -> Result<String, EventError> {
    let wrong = || EventError::Member { member: "timestamp", expected: "an ISO 8601 date and time" };
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(if text.ends_with('Z') { text.to_owned() } else { instant.to_string() });
    }
    let local: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
    Ok(format!("{local}Z"))
}

fn write_members(text: &mut String, members: &[(String, Box<RawValue>)]) {
    for (name, value) in members {
        let _ = write!(text, ",{}:{}", quoted(name), value.get());
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patient_open() -> String {
        r#"{"timestamp":"2026-05-04T10:15:30.1234567+02:00","id":"e1","vendor":{"a":1.50},"event":{"hub.topic":"t","hub.event":"patient-open","x":[1],
            "context":[{"key":"patient","resource":{"resourceType":"Patient","id":"p1","weight":1.50}},{"key":"extension","data":7}]}}"#
            .to_owned()
    }

    #[test]
    fn req_06_not_01_a_notification_keeps_id_and_instant_in_utc() {
        let request = EventRequest::parse(patient_open().as_bytes()).unwrap();
        let text = request.event.notification("t", Some("v1")).text(&request.event.name);
        let notification: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(notification["timestamp"], "2026-05-04T08:15:30.1234567Z");
        assert_eq!(notification["id"], "e1");
        assert_eq!(notification["event"]["hub.topic"], "t");
        assert_eq!(notification["event"]["context.versionId"], "v1");
    }

    #[test]
    fn req_10_unknown_members_and_every_digit_pass_through() {
        let request = EventRequest::parse(patient_open().as_bytes()).unwrap();
        let text = request.event.notification("t", None).text(&EventName::parse("PATIENT-open").unwrap());
        for part in [
            r#""vendor":{"a":1.50}"#,
            r#""x":[1]"#,
            r#""weight":1.50"#,
            r#"{"key":"extension","data":7}"#,
            "\"PATIENT-open\"",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn req_03_a_missing_or_mistyped_member_is_named() {
        let cases = [
            (r#""timestamp":"2026-05-04T10:15:30.1234567+02:00","#, "", "timestamp"),
            (r#""timestamp":"2026-05-04T10:15:30.1234567+02:00","#, r#""timestamp":"yesterday","#, "timestamp"),
            (r#""id":"e1","#, "", "id"),
            (r#""id":"e1","#, r#""id":7,"#, "id"),
            (r#""hub.topic":"t","#, "", "event.hub.topic"),
            (r#""hub.event":"patient-open","#, "", "event.hub.event"),
            (r#""context":["#, r#""kontext":["#, "event.context"),
        ];
        for (from, to, member) in cases {
            match EventRequest::parse(patient_open().replacen(from, to, 1).as_bytes()) {
                Err(EventError::Member { member: named, .. }) => assert_eq!(named, member),
                other => panic!("{member}: {other:?}"),
            }
        }
    }

    #[test]
    fn req_05_a_context_must_hold_what_the_event_is_defined_by() {
        for (from, to) in [
            (r#""key":"patient""#, r#""key":"subject""#),
            (r#""resourceType":"Patient""#, r#""resourceType":"Person""#),
            (r#""id":"p1","#, ""),
            (r#""id":"p1","#, r#""id":"","#),
        ] {
            let error = EventRequest::parse(patient_open().replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(error.to_string().contains("`patient`"), "{error}");
        }
    }

    #[test]
    fn req_09_what_is_no_json_is_refused_without_repeating_it() {
        for body in ["", "{", "[]", "secret", r#"{"id":"secret","id":"secret"}"#, "\u{0}"] {
            let error = EventRequest::parse(body.as_bytes()).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert_eq!(EventRequest::parse(&vec![b'['; 1 << 20]).unwrap_err(), EventError::Depth);
    }

    #[test]
    fn req_10_events_about_no_resource_need_no_context() {
        for event in ["Home-open", "UserLogout", "UserHibernate"] {
            let body = format!(
                r#"{{"timestamp":"2026-05-04T08:15:30Z","id":"e","event":{{"hub.topic":"t","hub.event":"{event}"}}}}"#
            );
            assert_eq!(EventRequest::parse(body.as_bytes()).unwrap().event.anchor, None);
        }
    }
}
