//! An event's context: its entries, and which of them its definition requires (REQ-05).
//!
//! Looks at keys, types and ids only. Everything else in a resource is the subscribers' business.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ResourceKey;
use super::catalogue::{ContextKey, Definition};
use super::json::{array, json_text, with_member};
use super::update::UpdateError;
use crate::telemetry::Phi;

/// One entry of an event's context, as the gateway itself makes them.
#[derive(Clone, Serialize)]
pub struct ContextEntry {
    /// The context key: `study`.
    pub key: String,
    /// The FHIR resource, as JSON.
    pub resource: Box<RawValue>,
}

/// The key alone: a resource names a patient.
impl fmt::Debug for ContextEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ContextEntry").field("key", &self.key).field("resource", &Phi(())).finish()
    }
}

/// What is wrong with a context. The sender's fault, all of it; names keys and types, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Two entries name two anchors: nobody may guess which is meant (CLI-50).
    #[error("the context names two different {resource} resources under `{key}`")]
    AnchorsDiffer {
        /// The anchor's key.
        key: String,
        /// Its type.
        resource: String,
    },
    /// An update or a select does not say what it is about.
    #[error("the context key `{key}` is missing: it names the {resource}, as {{\"reference\": \"{resource}/<id>\"}}")]
    AnchorMissing {
        /// The anchor's key.
        key: String,
        /// Its type.
        resource: String,
    },
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
    /// A select without what is selected, where that is required (IRA-15).
    #[error("the context key `select` is missing")]
    SelectMissing,
    /// Another type than the definition says, or none.
    #[error("the context key `{key}` needs a resource of type {resource}")]
    Type {
        /// The entry's key.
        key: &'static str,
        /// The type that belongs under it.
        resource: &'static str,
    },
    /// The updates cannot be applied.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// An update that does not say which version it changes (UPD-02).
    #[error("`event.context.versionId` is missing: an update names the version that it changes")]
    VersionMissing,
}

/// One entry of a context, as it came.
pub(super) struct Entry<'a> {
    /// Its key.
    pub(super) key: String,
    /// The value, where it is a resource.
    pub(super) resource: Option<&'a RawValue>,
    /// The value, where it is a reference or an array of references.
    pub(super) reference: Option<&'a RawValue>,
    /// The whole of it.
    pub(super) text: &'a str,
}

impl Entry<'_> {
    /// The resource's type and id, an id that is missing being empty. `None` where there is no resource with a type.
    pub(super) fn head(&self) -> Option<ResourceKey> {
        head(self.resource?)
    }
}

impl Entry<'_> {
    /// The entry with its reference as a text alone (POL-17).
    pub(super) fn with_text_reference(&self) -> String {
        let text = self.reference.and_then(|reference| {
            let texts = references(reference)?;
            Some(match texts.as_slice() {
                [one] if !reference.get().starts_with('[') => json_text(one),
                many => array(many.iter().map(|text| json_text(text)).collect::<Vec<_>>().iter().map(String::as_str)),
            })
        });
        text.and_then(|text| with_member(self.text, "reference", &text)).unwrap_or_else(|| self.text.to_owned())
    }
}

/// The texts of one Reference or several.
fn references(value: &RawValue) -> Option<Vec<String>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum References {
        Many(Vec<Reference>),
        One(Reference),
    }
    #[derive(Deserialize)]
    struct Reference {
        reference: String,
    }
    let references = match serde_json::from_str(value.get()).ok()? {
        References::Many(references) => references,
        References::One(reference) => vec![reference],
    };
    Some(references.into_iter().map(|reference| reference.reference).collect())
}

/// A resource's type and id, an id that is missing being empty. `None` where it has no type.
pub(super) fn head(resource: &RawValue) -> Option<ResourceKey> {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "resourceType")]
        resource_type: String,
        id: Option<String>,
    }
    let head: Head = serde_json::from_str(resource.get()).ok()?;
    Some(ResourceKey::new(head.resource_type, head.id.unwrap_or_default()))
}

/// The entries of `context`.
///
/// # Errors
/// When it is no array of entries.
pub(super) fn entries(context: &str) -> Result<Vec<Entry<'_>>, ContextError> {
    let raw: Vec<&RawValue> = serde_json::from_str(context).map_err(|_| ContextError::NoArray)?;
    raw.into_iter().enumerate().map(|(index, raw)| entry(raw).ok_or(ContextError::Entry { index })).collect()
}

/// The entries of a context that was read before, each as it came.
pub fn entries_text(context: &RawValue) -> impl Iterator<Item = &str> {
    let raw: Vec<&RawValue> = serde_json::from_str(context.get()).unwrap_or_default();
    raw.into_iter().map(RawValue::get)
}

/// A resource's type and id, if it has both.
pub fn resource_key(resource: &RawValue) -> Option<ResourceKey> {
    head(resource).filter(|key| !key.id.is_empty())
}

/// An array would be read as the members of an entry in order, so it is sorted out by its first character.
fn entry(raw: &RawValue) -> Option<Entry<'_>> {
    #[derive(Deserialize)]
    struct Members<'a> {
        key: String,
        #[serde(borrow)]
        resource: Option<&'a RawValue>,
        #[serde(borrow)]
        reference: Option<&'a RawValue>,
    }
    let members: Members<'_> = raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten()?;
    Some(Entry { key: members.key, resource: members.resource, reference: members.reference, text: raw.get() })
}

/// The anchor of an event that the catalogue defines, after a check of every key.
///
/// # Errors
/// What is missing or wrong, naming the key (REQ-05).
pub(super) fn defined_anchor(
    definition: &'static Definition,
    entries: &[Entry<'_>],
) -> Result<ResourceKey, ContextError> {
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

/// The entries under `key`, each with a resource of the key's type.
///
/// # Errors
/// When one is missing, of another type, or too many.
pub(super) fn check_key<'e, 'a>(
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

/// The resource that an event outside the catalogue is about, if its context holds one.
pub(super) fn undefined_anchor(resource_type: &str, entries: &[Entry<'_>]) -> Option<ResourceKey> {
    let mut heads = entries.iter().filter_map(Entry::head);
    heads.find(|head| head.is_a(resource_type) && !head.id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhircast::EventName;
    use crate::fhircast::rules::Rules;
    use crate::fhircast::subject::{self, Head, Subject};

    const PATIENT: &str = r#"{"key":"patient","resource":{"resourceType":"Patient","id":"p1"}}"#;
    const STUDY: &str = r#"{"key":"study","resource":{"resourceType":"ImagingStudy","id":"s1"}}"#;
    const REPORT: &str = r#"{"key":"report","resource":{"resourceType":"DiagnosticReport","id":"r1"}}"#;

    fn anchor(event: &str, context: &str) -> Result<Option<ResourceKey>, ContextError> {
        let (name, context) = (EventName::parse(event).unwrap(), RawValue::from_string(context.to_owned()).unwrap());
        let reading = subject::read(Head { id: "e", name: &name, version: None }, &context, &Rules::STANDARD)?;
        Ok(match reading.subject {
            Subject::Open(opening) => Some(opening.anchor),
            Subject::Close(closing) => closing.anchor,
            _ => None,
        })
    }

    fn check(event: &str, entries: &[&str], expected: Result<Option<(&str, &str)>, ContextError>) {
        let found = anchor(event, &format!("[{}]", entries.join(",")));
        let expected = expected.map(|anchor| anchor.map(|(resource_type, id)| ResourceKey::new(resource_type, id)));
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
            assert_eq!(anchor("UserLogout", context), Err(ContextError::NoArray), "{context}");
        }
    }
}
