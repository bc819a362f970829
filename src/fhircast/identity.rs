//! Whether an update would turn a context into one of another patient or study (IRA-14).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::context;
use super::event::Event;
use super::update::ContentChange;

impl Event {
    /// Whether one of `changes` removes the patient or a study of this open, names another patient, or changes a study's UID or
    /// accession number.
    pub fn is_contradicted_by(&self, changes: &[ContentChange]) -> bool {
        let Ok(entries) = context::entries(self.context.get()) else { return false };
        let opened = entries.iter().filter_map(|entry| Some((entry.head()?, entry.resource?)));
        let opened: Vec<_> = opened.filter(|(key, _)| key.is_a("Patient") || key.is_a("ImagingStudy")).collect();
        changes.iter().any(|change| match change {
            ContentChange::Delete(key) => opened.iter().any(|(opened, _)| opened == key),
            ContentChange::Put(key, _) if key.is_a("Patient") => {
                opened.iter().any(|(other, _)| other.is_a("Patient") && other != key)
            }
            ContentChange::Put(key, resource) => {
                opened.iter().any(|(other, opened)| other == key && identifiers(opened) != identifiers(resource))
            }
        })
    }
}

/// A study's UIDs and accession numbers, in a fixed order.
fn identifiers(resource: &RawValue) -> Vec<(bool, String)> {
    let study: Study = serde_json::from_str(resource.get()).unwrap_or_default();
    let known = study.identifier.into_iter().filter_map(|identifier| {
        let is_uid = identifier.system.as_deref() == Some("urn:dicom:uid");
        (is_uid || identifier.is_accession()).then_some((is_uid, identifier.value?))
    });
    let mut known: Vec<_> = known.collect();
    known.sort();
    known
}

#[derive(Default, Deserialize)]
struct Study {
    #[serde(default)]
    identifier: Vec<Identifier>,
}

#[derive(Deserialize)]
struct Identifier {
    system: Option<String>,
    value: Option<String>,
    #[serde(rename = "type")]
    kind: Option<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    coding: Vec<Coding>,
}

#[derive(Deserialize)]
struct Coding {
    code: Option<String>,
}

impl Identifier {
    /// HL7 table 0203.
    fn is_accession(&self) -> bool {
        let codings = self.kind.iter().flat_map(|kind| &kind.coding);
        codings.into_iter().any(|coding| coding.code.as_deref() == Some("ACSN"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhircast::ResourceKey;
    use crate::fhircast::rules::Rules;
    use serde_json::{Value, json};

    fn study(uid: &str, accession: &str, description: &str) -> Value {
        json!({
            "resourceType": "ImagingStudy",
            "id": "s1",
            "description": description,
            "identifier": [
                {"system": "urn:dicom:uid", "value": uid},
                {"type": {"coding": [{"code": "ACSN"}]}, "value": accession},
            ],
        })
    }

    fn put(resource: &Value) -> ContentChange {
        let text = |member: &str| resource[member].as_str().unwrap().to_owned();
        let key = ResourceKey::new(text("resourceType"), text("id"));
        ContentChange::Put(key, RawValue::from_string(resource.to_string()).unwrap().into())
    }

    #[test]
    fn ira_14_patient_study_uid_and_accession_of_a_context_stay() {
        let request = json!({
            "timestamp": "2026-05-04T08:15:30Z",
            "id": "e1",
            "event": {"hub.topic": "t1", "hub.event": "DiagnosticReport-open", "context": [
                {"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": "r1"}},
                {"key": "patient", "resource": {"resourceType": "Patient", "id": "p1"}},
                {"key": "study", "resource": study("urn:oid:1.2", "A1", "")},
            ]},
        });
        let open = Event::parse(request.to_string().as_bytes(), &Rules::STANDARD).unwrap();
        for (change, contradicts) in [
            (put(&study("urn:oid:1.2", "A1", "CHEST XRAY")), false),
            (put(&study("urn:oid:1.3", "A1", "")), true),
            (put(&study("urn:oid:1.2", "A2", "")), true),
            (put(&json!({"resourceType": "Patient", "id": "p1", "gender": "other"})), false),
            (put(&json!({"resourceType": "Patient", "id": "p2"})), true),
            (put(&json!({"resourceType": "Observation", "id": "s1"})), false),
            (put(&json!({"resourceType": "ImagingStudy", "id": "s2"})), false),
            (ContentChange::Delete(ResourceKey::new("Patient", "p1")), true),
            (ContentChange::Delete(ResourceKey::new("ImagingStudy", "s1")), true),
            (ContentChange::Delete(ResourceKey::new("Observation", "o1")), false),
        ] {
            assert_eq!(open.is_contradicted_by(std::slice::from_ref(&change)), contradicts, "{change:?}");
        }
    }
}
