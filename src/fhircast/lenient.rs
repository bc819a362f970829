//! What real clients leave out of a context, and how it is understood all the same (CLI-44 to CLI-47): never by a guess
//! between two patients.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::catalogue::{self, definition};
use super::context::{self, ContextError, Entry};
use super::subject::{Reading, Subject, opened};
use super::{EventName, ResourceKey, json};

/// What an open is about. A resource without an id is known by its identifier (CLI-44); a report that is not there is made up
/// of its study (CLI-45), and distributed so; a report's patient may be missing (CLI-46).
///
/// # Errors
/// When the anchor is missing or of another type, or stands twice.
pub(super) fn opening(name: &EventName, resource_type: &str, entries: &[Entry<'_>]) -> Result<Reading, ContextError> {
    let Some(definition) = definition(name) else {
        let anchor = context::undefined_anchor(resource_type, entries);
        return Ok(anchor.map_or(Subject::Nothing, |anchor| opened(anchor, entries)).into());
    };
    let is_report = name.is("DiagnosticReport-open");
    if is_report && !entries.iter().any(|entry| entry.key == "report") {
        return stub(entries);
    }
    for key in definition.keys.iter().filter(|key| key.key == definition.anchor || !is_report) {
        context::check_key(definition.name, key, entries)?;
    }
    let anchor = entries.iter().find(|entry| entry.key == definition.anchor).and_then(|entry| entry.resource);
    let anchor = anchor.and_then(|resource| key(resource, &catalogue::spelt(resource_type)));
    // Without an id or any identifier nothing could ever name it again: it is relayed.
    Ok(anchor.map_or(Subject::Nothing, |anchor| opened(anchor, entries)).into())
}

/// What a close is about; `None` for an empty context, which means the current one (CLI-47).
///
/// # Errors
/// When the context holds something, and that is not what is closed.
pub(super) fn closing(resource_type: &str, entries: &[Entry<'_>]) -> Result<Option<ResourceKey>, ContextError> {
    let (anchor_key, known_type) = (catalogue::anchor_key(resource_type), catalogue::spelt(resource_type));
    let mut anchor: Option<ResourceKey> = None;
    for resource in entries.iter().filter(|entry| entry.key == anchor_key).filter_map(|entry| entry.resource) {
        let named = key(resource, &known_type);
        if anchor.is_some() && named != anchor {
            return Err(ContextError::AnchorsDiffer { key: anchor_key, resource: known_type });
        }
        anchor = named;
    }
    match anchor {
        Some(anchor) => Ok(Some(anchor)),
        None if entries.is_empty() => Ok(None),
        None => Err(ContextError::AnchorMissing { key: anchor_key, resource: known_type }),
    }
}

/// What names `resource`, of a type that may be left out: its id, else a UUID of its type and its first identifier that has a
/// value; a study's non-standard `uid` goes before its identifiers (CLI-44). `None` where it has nothing that names it.
pub(super) fn key(resource: &RawValue, expected_type: &str) -> Option<ResourceKey> {
    let parts: Parts = serde_json::from_str(resource.get()).ok()?;
    let resource_type = parts.resource_type.unwrap_or_else(|| expected_type.to_owned());
    if resource_type != expected_type {
        return None;
    }
    if let Some(id) = parts.id.filter(|id| !id.is_empty()) {
        return Some(ResourceKey::new(resource_type, id));
    }
    let uid = parts.uid.filter(|uid| !uid.is_empty()).map(|uid| (DICOM_UID.to_owned(), uid));
    let mut identifiers = uid.into_iter().chain(parts.identifier.into_iter().flat_map(Identifiers::pairs));
    let (system, value) = identifiers.next()?;
    let value = if system == DICOM_UID { value.trim_start_matches("urn:oid:").to_owned() } else { value };
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, json!([resource_type, system, value]).to_string().as_bytes());
    Some(ResourceKey::new(resource_type, id.to_string()))
}

/// The system of a study's UID (FHIR R4, ImagingStudy.identifier).
const DICOM_UID: &str = "urn:dicom:uid";

#[derive(Deserialize)]
struct Parts {
    #[serde(rename = "resourceType")]
    resource_type: Option<String>,
    id: Option<String>,
    uid: Option<String>,
    identifier: Option<Identifiers>,
}

/// Identifiers, or the one that some clients do not put into an array.
#[derive(Deserialize)]
#[serde(untagged)]
enum Identifiers {
    Many(Vec<Identifier>),
    One(Identifier),
}

#[derive(Deserialize)]
struct Identifier {
    system: Option<String>,
    value: Option<String>,
}

impl Identifiers {
    fn pairs(self) -> impl Iterator<Item = (String, String)> {
        let identifiers = match self {
            Self::Many(identifiers) => identifiers,
            Self::One(identifier) => vec![identifier],
        };
        let valued = |identifier: Identifier| Some((identifier.system.unwrap_or_default(), identifier.value?));
        identifiers.into_iter().filter_map(valued).filter(|(_, value)| !value.is_empty())
    }
}

/// A report that stands for its study: the same study has the same one (CLI-45).
fn stub(entries: &[Entry<'_>]) -> Result<Reading, ContextError> {
    let missing =
        ContextError::KeyMissing { event: "DiagnosticReport-open", key: "report", resource: "DiagnosticReport" };
    let resource = |wanted: &str| entries.iter().find(|entry| entry.key == wanted).and_then(|entry| entry.resource);
    let study = resource("study").and_then(|study| key(study, "ImagingStudy")).ok_or(missing)?;
    let named = format!("DiagnosticReport of ImagingStudy/{}", study.id);
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, named.as_bytes()).to_string();
    let mut report = json!({
        "resourceType": "DiagnosticReport",
        "id": id,
        "status": "unknown",
        "imagingStudy": [{"reference": format!("ImagingStudy/{}", study.id)}],
    });
    if let Some(patient) = resource("patient").and_then(|patient| key(patient, "Patient")) {
        report["subject"] = json!({"reference": format!("Patient/{}", patient.id)});
    }
    let appended = json!({"key": "report", "resource": report}).to_string();
    let texts = entries.iter().map(|entry| entry.text).chain([appended.as_str()]);
    let subject = opened(ResourceKey::new("DiagnosticReport", id), entries);
    Ok(Reading { subject, rewritten: Some(json::array(texts)) })
}
