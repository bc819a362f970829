//! An event: read from a request (REQ-03), or made by the gateway; and written as the notification of it (NOT-01).
//!
//! Members that the hub does not know are kept and sent on (REQ-10), resources stay the bytes that they came as.

use std::fmt;

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::context::{self, ContextEntry, ContextError};
use super::json::{self, Members, ObjectWriter, depth_is_bounded};
use super::rules::{Contexts, Names, PostEntries, Rules};
use super::subject::{self, Opening, Subject};
use super::{Edition, EventName, EventNameError, ResourceKey, legacy_names, selection, timestamp};

/// An event of a topic, checked, and ready to be sent to anybody.
#[derive(Clone)]
pub struct Event {
    /// The event's own id, as its publisher gave it.
    pub id: String,
    /// The topic it belongs to.
    pub topic: String,
    /// Its name, as its publisher spelt it.
    pub name: EventName,
    /// What it does to its topic.
    pub subject: Subject,
    /// The context: a JSON array, but for events that the standard does not define.
    pub context: Box<RawValue>,
    /// The same for the same request only: tells a resend from another event that has taken its id (CLI-35).
    pub fingerprint: u64,
    /// Why the standard would refuse it, where a mount's rules have bent: it names keys and types, never a value.
    pub tolerated: Option<String>,
    /// When it happened where the gateway has it from, if that is known: a close older than what stands is told by it.
    pub occurred: Option<Timestamp>,
    timestamp: String,
    other_members: Vec<(String, Box<RawValue>)>,
    other_event_members: Vec<(String, Box<RawValue>)>,
}

/// An event that the gateway itself has to tell.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its id: the same event has the same id when it is told again.
    pub id: String,
    /// When the gateway came to know of it.
    pub timestamp: Timestamp,
    /// Its name.
    pub name: EventName,
    /// Its context, the anchor first.
    pub context: Vec<ContextEntry>,
    /// When it happened where it comes from, by the clock there, if that is known. Told to nobody.
    pub occurred: Option<Timestamp>,
}

/// The version of a context: unique in its topic (UPD-01). The hub makes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Version(pub Uuid);

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The versions that a notification carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The context's version after the event (UPD-01).
    pub current: Version,
    /// The one before it, if the event is an update (UPD-03).
    pub prior: Option<Version>,
}

impl From<Version> for Versions {
    fn from(current: Version) -> Self {
        Self { current, prior: None }
    }
}

/// Why a request is no event. The sender's fault, and the same bytes would fail again; no text of the request is repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The context does not fit the event.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// Only a hub sends it.
    #[error("Heartbeat is sent by hubs only")]
    HubOnly,
    /// The id is empty, or longer than any id.
    #[error("`id` must have 1 to {MAX_ID} characters")]
    Id,
    /// A member is missing.
    #[error("`{member}` is missing")]
    Missing {
        /// Its path.
        member: &'static str,
    },
    /// A member is not of its type.
    #[error("`{member}` must be {expected}")]
    Mistyped {
        /// Its path.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The name is no event's name.
    #[error("`event.hub.event`: {0}")]
    Name(#[from] EventNameError),
    /// Not an object in JSON, or one in which a member stands twice.
    #[error("the body must be a JSON object in UTF-8 that has each member once (line {line}, column {column})")]
    NotAnObject {
        /// Where reading stopped, from 1.
        line: usize,
        /// Where reading stopped, from 1.
        column: usize,
    },
    /// Nested too deeply (REQ-09).
    #[error("the JSON nests deeper than {} levels", json::MAX_DEPTH)]
    TooDeep,
}

/// Ids of events may be any text up to this many characters (CLI-31).
const MAX_ID: usize = 256;

impl Event {
    /// The event that the body of a request holds, read by a mount's rules.
    ///
    /// # Errors
    /// What is missing or wrong, naming the member (REQ-03 to REQ-05, REQ-09).
    pub fn parse(body: &[u8], rules: &Rules) -> Result<Self, EventError> {
        if !depth_is_bounded(body) {
            return Err(EventError::TooDeep);
        }
        let mut members: Members<'_> = serde_json::from_slice(body)
            .map_err(|error| EventError::NotAnObject { line: error.line(), column: error.column() })?;
        let timestamp = timestamp::in_utc(&text(&mut members, "timestamp", "timestamp")?)
            .ok_or(EventError::Mistyped { member: "timestamp", expected: "an ISO 8601 time" })?;
        let id = id(text(&mut members, "id", "id")?)?;
        let event = members.take("event").ok_or(EventError::Missing { member: "event" })?;
        let mut event: Members<'_> = serde_json::from_str(event)
            .map_err(|_| EventError::Mistyped { member: "event", expected: "an object that has each member once" })?;
        let topic = text(&mut event, "hub.topic", "event.hub.topic")?;
        let name = name(&text(&mut event, "hub.event", "event.hub.event")?, rules)?;
        let context = raw(event.take("context").or_else(|| may_lack_context(&name, rules).then_some("[]")))?;
        let version = ["context.versionId", "versionId"].into_iter().find_map(|member| optional_text(&event, member));
        let head = subject::Head { id: &id, name: &name, version: version.as_deref() };
        let reading = subject::read(head, &context, rules)?;
        Ok(Self {
            subject: reading.subject,
            tolerated: tolerated(head, &context, rules),
            context: reading.rewritten.map_or(Ok(context), |text| raw(Some(&text)))?,
            other_members: members.rest(),
            other_event_members: event.rest(),
            fingerprint: fingerprint(body),
            ..Self::bare(id, timestamp, topic, name)
        })
    }

    /// The event `new` on `topic`.
    ///
    /// # Errors
    /// When its context does not fit its name, as for any publisher.
    pub fn new(topic: &str, new: NewEvent) -> Result<Self, EventError> {
        let context = to_raw_value(&new.context).map_err(|_| ContextError::NoArray)?;
        let head = subject::Head { id: &new.id, name: &new.name, version: None };
        let reading = subject::read(head, &context, &Rules::STANDARD)?;
        Ok(Self {
            subject: reading.subject,
            fingerprint: fingerprint(context.get().as_bytes()),
            context,
            occurred: new.occurred,
            ..Self::bare(id(new.id)?, new.timestamp.to_string(), topic.to_owned(), new.name)
        })
    }

    /// An event `name` with this one's context, on its topic.
    pub(super) fn renamed(
        &self,
        name: EventName,
        id: String,
        timestamp: Timestamp,
        rules: &Rules,
    ) -> Result<Self, EventError> {
        let head = subject::Head { id: &id, name: &name, version: None };
        let reading = subject::read(head, &self.context, rules)?;
        Ok(Self {
            subject: reading.subject,
            fingerprint: fingerprint(self.context.get().as_bytes()),
            context: self.context.clone(),
            ..Self::bare(id, timestamp.to_string(), self.topic.clone(), name)
        })
    }

    /// The Heartbeat of a hub: what is sent next comes within `period` seconds (NOT-13).
    ///
    /// # Errors
    /// None in practice: its parts are JSON.
    pub fn heartbeat(id: Uuid, topic: &str, now: Timestamp, period: u32) -> Result<Self, EventError> {
        let context = raw(Some(&format!(r#"[{{"key":"period","decimal":"{period}"}}]"#)))?;
        let name = EventName::parse("Heartbeat")?;
        Ok(Self { context, ..Self::bare(id.to_string(), now.to_string(), topic.to_owned(), name) })
    }

    /// The open that was kept as the text of its [`Self::notification`] in its own spelling, with what was read out of it.
    ///
    /// # Errors
    /// When `text` is no notification.
    pub fn kept(
        text: &str,
        opening: Opening,
        fingerprint: u64,
        occurred: Option<Timestamp>,
    ) -> Result<Self, EventError> {
        let body = |error: serde_json::Error| EventError::NotAnObject { line: error.line(), column: error.column() };
        let mut members: Members<'_> = serde_json::from_str(text).map_err(body)?;
        let timestamp = self::text(&mut members, "timestamp", "timestamp")?;
        let id = self::text(&mut members, "id", "id")?;
        let event = members.take("event").ok_or(EventError::Missing { member: "event" })?;
        let mut event: Members<'_> = serde_json::from_str(event).map_err(body)?;
        let topic = self::text(&mut event, "hub.topic", "event.hub.topic")?;
        let name = EventName::parse_any(&self::text(&mut event, "hub.event", "event.hub.event")?)?;
        let context = raw(event.take("context"))?;
        Ok(Self {
            subject: Subject::Open(opening),
            context,
            fingerprint,
            occurred,
            other_members: members.rest(),
            other_event_members: event.rest(),
            ..Self::bare(id, timestamp, topic, name)
        })
    }

    fn bare(id: String, timestamp: String, topic: String, name: EventName) -> Self {
        Self {
            id,
            topic,
            name,
            subject: Subject::Nothing,
            context: RawValue::NULL.to_owned(),
            fingerprint: 0,
            tolerated: None,
            occurred: None,
            timestamp,
            other_members: Vec::new(),
            other_event_members: Vec::new(),
        }
    }

    /// Another event of the same time and topic (NOT-11).
    pub(super) fn retold(&self, id: String, name: EventName, subject: Subject, context: Box<RawValue>) -> Self {
        Self { subject, context, ..Self::bare(id, self.timestamp.clone(), self.topic.clone(), name) }
    }

    /// Moves the event's time to `time`, if it is earlier: what the gateway tells never steps back in a topic (CLI-32).
    pub fn not_before(&mut self, time: Timestamp) -> Timestamp {
        match self.timestamp.parse::<Timestamp>() {
            Ok(own) if own >= time => own,
            _ => {
                self.timestamp = time.to_string();
                time
            }
        }
    }

    /// This event with the selected resources that `known` knows, and without the others (IRA-15).
    pub fn selecting_only(&self, known: impl Fn(&ResourceKey) -> bool) -> Self {
        let entries = context::entries(self.context.get()).unwrap_or_default();
        let context = raw(Some(&selection::only_known(&entries, known)));
        Self { context: context.unwrap_or_else(|_| self.context.clone()), ..self.clone() }
    }

    /// This event with every reference as a text alone, as some clients need it (POL-17).
    pub fn with_text_references(&self) -> Self {
        let entries = context::entries(self.context.get()).unwrap_or_default();
        let texts: Vec<String> = entries.iter().map(context::Entry::with_text_reference).collect();
        let context = raw(Some(&json::array(texts.iter().map(String::as_str))));
        Self { context: context.unwrap_or_else(|_| self.context.clone()), ..self.clone() }
    }

    /// The notification of this event: with the name in the receiver's spelling (SUB-07), and the context's versions where
    /// there are any (UPD-01, UPD-03).
    pub fn notification(&self, spelling: &str, versions: Option<Versions>) -> String {
        let mut event = ObjectWriter::with_capacity(self.context.get().len() + 512);
        event.text("hub.topic", &self.topic).text("hub.event", spelling);
        if let Some(Versions { current, prior }) = versions {
            event.text("context.versionId", &current.to_string());
            if let Some(prior) = prior {
                event.text("context.priorVersionId", &prior.to_string());
            }
        }
        event.raw("context", self.context.get());
        let ours = |name: &str| versions.is_some() && VERSION_MEMBERS.contains(&name);
        for (name, value) in self.other_event_members.iter().filter(|(name, _)| !ours(name)) {
            event.raw(name, value.get());
        }
        let mut notification = ObjectWriter::with_capacity(event.len() + 128);
        notification.text("timestamp", &self.timestamp).text("id", &self.id).raw("event", &event.end());
        for (name, value) in &self.other_members {
            notification.raw(name, value.get());
        }
        notification.end()
    }
}

/// Members that the hub sets itself wherever a context has a version.
const VERSION_MEMBERS: [&str; 3] = ["context.versionId", "context.priorVersionId", "versionId"];

/// Neither ids nor context: both can name a patient.
impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Event({})", self.name)
    }
}

fn raw(text: Option<&str>) -> Result<Box<RawValue>, EventError> {
    let text = text.ok_or(EventError::Missing { member: "event.context" })?;
    Ok(RawValue::from_string(text.to_owned()).map_err(|_| ContextError::NoArray)?)
}

fn text(members: &mut Members<'_>, name: &str, member: &'static str) -> Result<String, EventError> {
    let value = members.take(name).ok_or(EventError::Missing { member })?;
    let value: String =
        serde_json::from_str(value).map_err(|_| EventError::Mistyped { member, expected: "a string" })?;
    if value.is_empty() {
        Err(EventError::Mistyped { member, expected: "a string that is not empty" })
    } else {
        Ok(value)
    }
}

/// A member that is a text and not empty, left in its place.
fn optional_text(members: &Members<'_>, name: &str) -> Option<String> {
    serde_json::from_str(members.get(name)?).ok().filter(|text: &String| !text.is_empty())
}

fn id(id: String) -> Result<String, EventError> {
    if (1..=MAX_ID).contains(&id.chars().count()) { Ok(id) } else { Err(EventError::Id) }
}

fn name(text: &str, rules: &Rules) -> Result<EventName, EventError> {
    let text = legacy_names::meant(text, rules.legacy_names);
    let name = if rules.names == Names::Any { EventName::parse_any(text)? } else { EventName::parse(text)? };
    let hub_only = name.is("Heartbeat") && rules.names != Names::StandardAndHeartbeat;
    if hub_only { Err(EventError::HubOnly) } else { Ok(name) }
}

/// What a mount of the same edition without leniency would say.
fn tolerated(head: subject::Head<'_>, context: &RawValue, rules: &Rules) -> Option<String> {
    if rules.contexts != Contexts::Lenient {
        return None;
    }
    let own = if rules.edition == Edition::Stu3 { PostEntries::Refuse } else { PostEntries::Upsert };
    let standard = Rules { edition: rules.edition, post_entries: own, ..Rules::STANDARD };
    let name = EventName::parse(head.name.as_str()).err().map(|error| error.to_string());
    name.or_else(|| subject::read(head, context, &standard).err().map(|error| error.to_string()))
}

/// Events about no resource of which some clients send no context (CLI-43).
fn may_lack_context(name: &EventName, rules: &Rules) -> bool {
    rules.contexts == Contexts::Lenient && name.resource().is_none() && !name.is("SyncError")
}

/// The same in every release: it is kept.
fn fingerprint(bytes: &[u8]) -> u64 {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn request() -> Value {
        json!({
            "timestamp": "2026-05-04T08:15:30.123Z",
            "id": "e1",
            "event": {
                "hub.topic": "t1",
                "hub.event": "Patient-open",
                "context": [{"key": "patient", "resource": {"resourceType": "Patient", "id": "p1"}}],
            },
        })
    }

    fn parse(request: &Value) -> Result<Event, EventError> {
        Event::parse(request.to_string().as_bytes(), &Rules::STANDARD)
    }

    #[test]
    fn req_03_each_required_member_is_named_when_it_is_missing() {
        for (pointer, name, member) in [
            ("", "timestamp", "timestamp"),
            ("", "id", "id"),
            ("", "event", "event"),
            ("/event", "hub.topic", "event.hub.topic"),
            ("/event", "hub.event", "event.hub.event"),
            ("/event", "context", "event.context"),
        ] {
            let mut request = request();
            request.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
            assert_eq!(parse(&request).unwrap_err(), EventError::Missing { member });
        }
    }

    #[test]
    fn req_03_each_required_member_is_named_when_it_is_mistyped() {
        for (pointer, value, error) in [
            ("/timestamp", json!(7), "`timestamp` must be a string"),
            ("/timestamp", json!("yesterday"), "`timestamp` must be an ISO 8601 time"),
            ("/id", json!(7), "`id` must be a string"),
            ("/id", json!(""), "`id` must be a string that is not empty"),
            ("/id", json!("x".repeat(257)), "`id` must have 1 to 256 characters"),
            ("/event", json!([]), "`event` must be an object that has each member once"),
            ("/event/hub.topic", json!(null), "`event.hub.topic` must be a string"),
            ("/event/hub.event", json!({}), "`event.hub.event` must be a string"),
            ("/event/hub.event", json!("Heartbeat"), "Heartbeat is sent by hubs only"),
            ("/event/context", json!({}), "event.context must be an array"),
        ] {
            let mut request = request();
            *request.pointer_mut(pointer).unwrap() = value;
            assert_eq!(parse(&request).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn req_04_a_malformed_name_is_refused() {
        let mut request = request();
        request["event"]["hub.event"] = json!("Patient-opened");
        assert_eq!(parse(&request).unwrap_err(), EventError::Name(EventNameError::Action));
    }

    #[test]
    fn req_09_broken_deep_and_doubled_json_is_refused() {
        for body in ["", "{", "[]", "null", r#"{"id":"a","id":"b"}"#, "{\"id\":\"\u{0}\"}"] {
            assert!(
                matches!(Event::parse(body.as_bytes(), &Rules::STANDARD), Err(EventError::NotAnObject { .. })),
                "{body}"
            );
        }
        assert!(matches!(Event::parse(b"{\"id\":\"\xff\"}", &Rules::STANDARD), Err(EventError::NotAnObject { .. })));
        let deep =
            request().to_string().replace("\"p1\"", &format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000)));
        assert_eq!(Event::parse(deep.as_bytes(), &Rules::STANDARD).unwrap_err(), EventError::TooDeep);
    }

    #[test]
    fn errors_repeat_nothing_of_the_request() {
        let canary = "Doe^Jane";
        let body = request().to_string();
        for spoilt in [
            body.replace("Patient\"", canary),
            body.replace("Patient-open", canary),
            body.replace("2026-05-04T08:15:30.123Z", canary),
            body.replace("{\"key\"", &format!("{canary}{{\"key\"")),
            body.replace("[{", &format!("\"{canary}\", [{{")),
        ] {
            let error = Event::parse(spoilt.as_bytes(), &Rules::STANDARD).unwrap_err().to_string();
            assert!(!error.contains(canary), "{error}");
        }
    }

    #[test]
    fn req_06_the_notification_keeps_id_time_and_context_and_is_spelt_as_asked() {
        let body = r#"{"timestamp":"2026-05-04T10:15:30+02:00","id":"e\"1","event":{"hub.topic":"t1","hub.event":"Home-open",
            "context":[{"key":"extension","data":1.50}]}}"#;
        let event = Event::parse(body.as_bytes(), &Rules::STANDARD).unwrap();
        assert_eq!(
            event.notification("home-OPEN", None),
            r#"{"timestamp":"2026-05-04T08:15:30Z","id":"e\"1","event":{"hub.topic":"t1","hub.event":"home-OPEN","context":[{"key":"extension","data":1.50}]}}"#
        );
    }

    #[test]
    fn req_10_members_that_the_hub_does_not_know_arrive() {
        let mut sent = request();
        sent["subscriber.name"] = json!("viewer");
        sent["event"]["vendor"] = json!({"a": [1, 2]});
        sent["event"]["context.versionId"] = json!("");
        let version = Version(Uuid::from_u128(7));
        let received: Value =
            serde_json::from_str(&parse(&sent).unwrap().notification("Patient-open", Some(version.into()))).unwrap();
        sent["event"]["context.versionId"] = json!(version.to_string());
        assert_eq!(received, sent);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for contexts in [Contexts::Enforced, Contexts::Lenient, Contexts::Strict] {
                let _ = Event::parse(&body, &Rules { contexts, names: Names::Any, ..Rules::STANDARD });
            }
        }

        #[test]
        fn any_text_in_any_member_survives_the_way(id in "\\PC{1,40}", topic in "\\PC{1,40}", member in "\\PC{1,20}", value in ".{0,40}") {
            let mut sent = request();
            sent["id"] = json!(id);
            sent["event"]["hub.topic"] = json!(topic);
            if !["timestamp", "id", "event"].contains(&member.as_str()) {
                sent[&member] = json!(value);
            }
            let received: Value = serde_json::from_str(&parse(&sent).unwrap().notification("Patient-open", None)).unwrap();
            prop_assert_eq!(received, sent);
        }
    }
}
