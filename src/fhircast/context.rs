//! An event's context: which resources it must hold (REQ-05), and which of them is its anchor.
//!
//! Looks at keys, types and ids only. Everything else in a resource is the subscribers' business.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::EventName;
use super::catalogue::{ContextKey, Definition, definition};
use super::event_name::Action;

/// The resource that a context is about: an open names it, and its close names it again (CTX-06).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Anchor {
    /// The FHIR type, as the resource spells it: `ImagingStudy`.
    pub resource_type: String,
    /// The resource's logical id.
    pub id: String,
}

/// The type alone: an id can name a patient.
impl fmt::Debug for Anchor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Anchor({}/..)", self.resource_type)
    }
}

/// One entry of an event's context, as the gateway itself makes them.
#[derive(Clone, Debug, Serialize)]
pub struct ContextEntry {
    /// The context key: `study`.
    pub key: String,
    /// The FHIR resource, as JSON.
    pub resource: Box<RawValue>,
}

/// What is wrong with a context. The sender's fault, all of it; names keys and types, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// An entry is not what an entry is.
    #[error("event.context[{index}] must be an object with a string member `key`, each member once")]
    Entry {
        /// The entry's place, from 0.
        index: usize,
    },
    /// The resource has no id, so nothing can name it again.
    #[error("the {resource} under the context key `{key}` has no `id`")]
    IdMissing {
        /// The entry's key.
        key: &'static str,
        /// The type that stands there.
        resource: &'static str,
    },
    /// A key that the event's definition requires is not there.
    #[error("{event} needs the context key `{key}`, with a {resource} as its `resource`")]
    KeyMissing {
        /// The event, in the specification's spelling.
        event: &'static str,
        /// The missing key.
        key: &'static str,
        /// The type that belongs under it.
        resource: &'static str,
    },
    /// Two resources where the definition has one: nobody may guess which is meant.
    #[error("the context key `{key}` stands more than once")]
    KeyTwice {
        /// The repeated key.
        key: &'static str,
    },
    /// The context is no array.
    #[error("event.context must be an array")]
    NoArray,
    /// Another type than the definition says, or none.
    #[error("the context key `{key}` needs a resource of type {resource}")]
    Type {
        /// The entry's key.
        key: &'static str,
        /// The type that belongs under it.
        resource: &'static str,
    },
}

/// Checks the context of the event `name` against the catalogue, and finds its anchor; events about no resource have none,
/// and those that the catalogue does not define have one if their context holds a resource of their type with an id.
///
/// # Errors
/// What is missing or wrong, naming the key (REQ-05).
pub fn anchor(name: &EventName, context: &str) -> Result<Option<Anchor>, ContextError> {
    let entries = entries(context)?;
    if name.is("SyncError") {
        check_key("SyncError", &SYNC_ERROR_KEY, &entries)?;
        return Ok(None);
    }
    match (definition(name), name.resource()) {
        (Some(definition), _) => defined_anchor(definition, &entries).map(Some),
        (None, Some(resource)) if matches!(name.action(), Some(Action::Open | Action::Close)) => {
            Ok(undefined_anchor(resource, &entries))
        }
        _ => Ok(None),
    }
}

/// The one key of a SyncError (NOT-09).
const SYNC_ERROR_KEY: ContextKey = ContextKey {
    key: "operationoutcome",
    resource: "OperationOutcome",
    required: true,
    identified: false,
    repeats: false,
};

fn defined_anchor(definition: &'static Definition, entries: &[Entry<'_>]) -> Result<Anchor, ContextError> {
    for key in definition.keys {
        for entry in check_key(definition.name, key, entries)? {
            if entry.head().is_none_or(|head| head.id.is_empty()) {
                return Err(ContextError::IdMissing { key: key.key, resource: key.resource });
            }
        }
    }
    let anchor = entries.iter().find(|entry| entry.key == definition.anchor).and_then(Entry::head);
    anchor.ok_or(ContextError::NoArray)
}

/// The entries under `key`, each with a resource of the key's type; an error when one is missing or too many.
fn check_key<'e, 'a>(
    event: &'static str,
    key: &ContextKey,
    entries: &'e [Entry<'a>],
) -> Result<Vec<&'e Entry<'a>>, ContextError> {
    let found: Vec<_> = entries.iter().filter(|entry| entry.key == key.key).collect();
    match found.len() {
        0 if key.required => return Err(ContextError::KeyMissing { event, key: key.key, resource: key.resource }),
        0 | 1 => {}
        _ if key.repeats => {}
        _ => return Err(ContextError::KeyTwice { key: key.key }),
    }
    let typed = |entry: &&Entry<'_>| entry.head().is_some_and(|head| head.resource_type == key.resource);
    if found.iter().all(typed) { Ok(found) } else { Err(ContextError::Type { key: key.key, resource: key.resource }) }
}

fn undefined_anchor(resource: &str, entries: &[Entry<'_>]) -> Option<Anchor> {
    let mut heads = entries.iter().filter_map(Entry::head);
    heads.find(|head| head.resource_type.eq_ignore_ascii_case(resource) && !head.id.is_empty())
}

#[derive(Deserialize)]
struct Entry<'a> {
    key: String,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

impl Entry<'_> {
    /// The resource's type and id, an id that is missing being empty. `None` where there is no resource with a type.
    fn head(&self) -> Option<Anchor> {
        let head: Head = serde_json::from_str(self.resource?.get()).ok()?;
        Some(Anchor { resource_type: head.resource_type, id: head.id.unwrap_or_default() })
    }
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "resourceType")]
    resource_type: String,
    id: Option<String>,
}

fn entries(context: &str) -> Result<Vec<Entry<'_>>, ContextError> {
    let raw: Vec<&RawValue> = serde_json::from_str(context).map_err(|_| ContextError::NoArray)?;
    raw.into_iter().enumerate().map(|(index, raw)| entry(raw).ok_or(ContextError::Entry { index })).collect()
}

/// An array would be read as the members of an entry in order, so it is sorted out by its first character.
fn entry(raw: &RawValue) -> Option<Entry<'_>> {
    raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENT: &str = r#"{"key":"patient","resource":{"resourceType":"Patient","id":"p1"}}"#;
    const STUDY: &str = r#"{"key":"study","resource":{"resourceType":"ImagingStudy","id":"s1"}}"#;
    const REPORT: &str = r#"{"key":"report","resource":{"resourceType":"DiagnosticReport","id":"r1"}}"#;

    fn check(event: &str, entries: &[&str], expected: Result<Option<(&str, &str)>, ContextError>) {
        let found = anchor(&EventName::parse(event).unwrap(), &format!("[{}]", entries.join(",")));
        let expected = expected.map(|anchor| {
            anchor.map(|(resource_type, id)| Anchor { resource_type: resource_type.into(), id: id.into() })
        });
        assert_eq!(found, expected, "{event} {entries:?}");
    }

    #[test]
    fn req_05_an_event_holds_what_its_definition_requires() {
        check("Patient-open", &[PATIENT], Ok(Some(("Patient", "p1"))));
        check("patient-open", &[STUDY, PATIENT], Ok(Some(("Patient", "p1"))));
        check("ImagingStudy-open", &[PATIENT, STUDY], Ok(Some(("ImagingStudy", "s1"))));
        check("DiagnosticReport-open", &[REPORT, PATIENT, STUDY, STUDY], Ok(Some(("DiagnosticReport", "r1"))));
        let missing = |event, key, resource| Err(ContextError::KeyMissing { event, key, resource });
        check("Patient-open", &[], missing("Patient-open", "patient", "Patient"));
        check("ImagingStudy-close", &[PATIENT], missing("ImagingStudy-close", "study", "ImagingStudy"));
        check("DiagnosticReport-open", &[REPORT], missing("DiagnosticReport-open", "patient", "Patient"));
        check("Patient-open", &[PATIENT, PATIENT], Err(ContextError::KeyTwice { key: "patient" }));
    }

    #[test]
    fn req_05_a_resource_has_the_right_type_and_an_id() {
        let wrong_type = Err(ContextError::Type { key: "patient", resource: "Patient" });
        let no_id = Err(ContextError::IdMissing { key: "patient", resource: "Patient" });
        for (resource, expected) in [
            (r#"{"resourceType":"Person","id":"p1"}"#, &wrong_type),
            (r#"{"id":"p1"}"#, &wrong_type),
            (r#"{"resourceType":"Patient","id":"p1","id":"p2"}"#, &wrong_type),
            (r#"{"resourceType":"Patient","id":7}"#, &wrong_type),
            ("7", &wrong_type),
            (r#"{"resourceType":"Patient"}"#, &no_id),
            (r#"{"resourceType":"Patient","id":""}"#, &no_id),
        ] {
            check("Patient-open", &[&format!(r#"{{"key":"patient","resource":{resource}}}"#)], expected.clone());
        }
        let reference = r#"{"key":"patient","reference":{"reference":"Patient/p1"}}"#;
        check("Patient-open", &[reference], wrong_type.clone());
        let study_of_wrong_type = r#"{"key":"patient","resource":{"resourceType":"Group","id":"g"}}"#;
        check("ImagingStudy-open", &[STUDY, study_of_wrong_type], wrong_type);
    }

    #[test]
    fn req_10_entries_that_no_definition_names_pass() {
        check("Patient-open", &[PATIENT, r#"{"key":"extension","data":{"any":[1]}}"#], Ok(Some(("Patient", "p1"))));
        for entry in ["7", r#"{"resource":{}}"#, r#"["patient"]"#, r#"{"key":"a","key":"b"}"#] {
            check("Patient-open", &[PATIENT, entry], Err(ContextError::Entry { index: 1 }));
        }
    }

    #[test]
    fn disc_07_events_outside_the_catalogue_need_no_anchor_and_use_one_that_is_there() {
        let goal = r#"{"key":"goal","resource":{"resourceType":"Goal","id":"g1"}}"#;
        check("goal-open", &[PATIENT, goal], Ok(Some(("Goal", "g1"))));
        check("Goal-open", &[PATIENT], Ok(None));
        check("org.example.break_taken", &[], Ok(None));
        for event in ["UserLogout", "UserHibernate", "Home-open"] {
            check(event, &[], Ok(None));
        }
    }

    #[test]
    fn not_10_a_sync_error_holds_an_operation_outcome() {
        let outcome = r#"{"key":"operationoutcome","resource":{"resourceType":"OperationOutcome","issue":[]}}"#;
        check("syncerror", &[outcome], Ok(None));
        let missing =
            ContextError::KeyMissing { event: "SyncError", key: "operationoutcome", resource: "OperationOutcome" };
        check("SyncError", &[PATIENT], Err(missing));
    }

    #[test]
    fn a_context_that_is_no_array_is_refused() {
        for context in ["{}", "null", "7", "\"x\""] {
            let name = EventName::parse("UserLogout").unwrap();
            assert_eq!(anchor(&name, context), Err(ContextError::NoArray), "{context}");
        }
    }
}
