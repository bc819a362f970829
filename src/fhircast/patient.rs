//! The patient that a context is about, as far as the hub itself must know: by identifier, where patients are merged.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::context::{self, ContextEntry, resource_key};
use super::event::{Event, EventError};
use super::rules::{Contexts, Rules};
use super::{EventName, ResourceKey};
use crate::telemetry::Phi;

/// A business identifier.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Identifier {
    /// `Identifier.system`
    #[serde(default)]
    pub system: Option<String>,
    /// `Identifier.value`
    #[serde(default)]
    pub value: Option<String>,
}

/// The system alone: the value names a patient.
impl fmt::Debug for Identifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identifier").field("system", &self.system).field("value", &Phi(&self.value)).finish()
    }
}

impl Event {
    /// Whether the context holds a patient that has one of `identifiers`, system and value.
    pub fn names_patient(&self, identifiers: &[Identifier]) -> bool {
        // Most contexts do not even hold the letters: those cost no parsing.
        let text = self.context.get();
        let values = identifiers.iter().filter_map(|identifier| identifier.value.as_deref());
        if !values.into_iter().any(|value| text.contains(&*escaped(value))) {
            return false;
        }
        let Ok(entries) = context::entries(text) else { return false };
        let patients = entries.iter().filter(|entry| entry.head().is_some_and(|key| key.is_a("Patient")));
        patients.filter_map(|entry| entry.resource).any(|patient| has_one_of(patient, identifiers))
    }

    /// The close of the context of `anchor` that this open has opened.
    ///
    /// # Errors
    /// When the context cannot be read again, which its open could.
    pub fn closing(&self, anchor: &ResourceKey, id: String, timestamp: Timestamp) -> Result<Self, EventError> {
        let name = EventName::parse(&format!("{}-close", anchor.resource_type))?;
        // Its open may have come in by a mount that bends.
        let rules = Rules { contexts: Contexts::Lenient, ..Rules::STANDARD };
        self.renamed(name, id, timestamp, &rules)
    }
}

/// A text as it stands in JSON, without the quotes.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The values of the identifiers of the patients among `entries`.
pub fn patient_identifiers(entries: &[ContextEntry]) -> Vec<String> {
    let is_patient = |entry: &&ContextEntry| resource_key(&entry.resource).is_some_and(|key| key.is_a("Patient"));
    let patients = entries.iter().filter(is_patient);
    let identifiers = patients.filter_map(|entry| serde_json::from_str::<Patient>(entry.resource.get()).ok());
    identifiers.flat_map(|patient| patient.identifier).filter_map(|identifier| identifier.value).collect()
}

#[derive(Deserialize)]
struct Patient {
    #[serde(default)]
    identifier: Vec<Identifier>,
}

fn has_one_of(patient: &RawValue, identifiers: &[Identifier]) -> bool {
    let Ok(patient) = serde_json::from_str::<Patient>(patient.get()) else { return false };
    patient.identifier.iter().any(|own| own.value.is_some() && identifiers.contains(own))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn identifier(system: &str, value: &str) -> Identifier {
        Identifier { system: Some(system.into()).filter(|it: &String| !it.is_empty()), value: Some(value.into()) }
    }

    fn open(patient: serde_json::Value) -> Event {
        let context = json!([
            {"key": "study", "resource": {"resourceType": "ImagingStudy", "id": "s1", "identifier": [{"system": "urn:a", "value": "9"}]}},
            {"key": "patient", "resource": patient},
        ]);
        let event = json!({"hub.topic": "t", "hub.event": "ImagingStudy-open", "context": context});
        let body = json!({"timestamp": "2026-05-04T08:15:30Z", "id": "e1", "event": event}).to_string();
        Event::parse(body.as_bytes(), &Rules::STANDARD).unwrap()
    }

    #[test]
    fn a_patient_is_named_by_system_and_value_and_by_nothing_less() {
        let event = open(json!({"resourceType": "Patient", "id": "1", "identifier": [
            {"system": "urn:a", "value": "1"}, {"value": "\"2\""}, {"system": "urn:a"}, {"value": "ä"},
        ]}));
        for (identifiers, named) in [
            (vec![identifier("urn:a", "1")], true),
            (vec![identifier("urn:b", "1")], false),
            (vec![identifier("", "1")], false),
            (vec![identifier("", "\"2\"")], true),
            (vec![identifier("", "ä")], true),
            (vec![identifier("urn:b", "7"), identifier("urn:a", "1")], true),
            // The study's.
            (vec![identifier("urn:a", "9")], false),
            (vec![Identifier { system: Some("urn:a".into()), value: None }], false),
            (vec![], false),
        ] {
            assert_eq!(event.names_patient(&identifiers), named, "{identifiers:?}");
        }
    }

    #[test]
    fn a_close_holds_what_its_open_held() {
        let open = open(json!({"resourceType": "Patient", "id": "1"}));
        let close = open.closing(&ResourceKey::new("ImagingStudy", "s1"), "e2".into(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((close.name.as_str(), close.context.get()), ("ImagingStudy-close", open.context.get()));
        assert_eq!((close.topic.as_str(), close.id.as_str()), ("t", "e2"));
    }
}
