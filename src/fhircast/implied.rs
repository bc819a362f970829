//! The opens that an open implies: of the study, the encounter, the patient that its context holds beside its anchor (NOT-11).
//!
//! For subscribers that do not know the event itself. Never a close: what closing a study means for its patient, the standard
//! leaves open.

use std::sync::Arc;

use serde_json::value::RawValue;
use uuid::Uuid;

use super::context::{self, Entry};
use super::event::Event;
use super::json;
use super::subject::{Subject, opened};
use super::{EventName, ResourceKey};

/// What is implied, from the most to the least particular: each one's context holds all that come after it, so that nobody
/// needs two of them (NOT-12).
const IMPLIED: [Implied; 3] = [
    Implied { name: "ImagingStudy-open", key: "study", resource: "ImagingStudy", beside: &["patient", "encounter"] },
    Implied { name: "Encounter-open", key: "encounter", resource: "Encounter", beside: &["patient"] },
    Implied { name: "Patient-open", key: "patient", resource: "Patient", beside: &[] },
];

struct Implied {
    name: &'static str,
    key: &'static str,
    resource: &'static str,
    beside: &'static [&'static str],
}

impl Event {
    /// The opens that this one implies, from the most to the least particular; none for any other event. An event with
    /// several studies implies none of them: nobody may guess which is meant.
    pub fn implied_opens(&self) -> Vec<Arc<Event>> {
        let Subject::Open(opening) = &self.subject else { return Vec::new() };
        let Ok(entries) = context::entries(self.context.get()) else { return Vec::new() };
        let others = IMPLIED.iter().filter(|implied| !opening.anchor.is_a(implied.resource));
        others.filter_map(|implied| self.implied(implied, &entries)).map(Arc::new).collect()
    }

    fn implied(&self, implied: &Implied, entries: &[Entry<'_>]) -> Option<Event> {
        let (anchor, anchor_key) = only(implied.key, implied.resource, entries)?;
        let mut chosen = vec![anchor];
        for key in implied.beside {
            let resource = IMPLIED.iter().find(|other| other.key == *key)?.resource;
            match only(key, resource, entries) {
                Some((entry, _)) => chosen.push(entry),
                // An encounter is always some patient's.
                None if implied.key == "encounter" => return None,
                None => {}
            }
        }
        let context = RawValue::from_string(json::array(chosen.iter().map(|entry| entry.text))).ok()?;
        let source = format!("{} of event {} of topic {}", implied.name, self.id, self.topic);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, source.as_bytes()).to_string();
        let subject = opened(anchor_key, &[]);
        Some(self.retold(id, EventName::parse(implied.name).ok()?, subject, context))
    }
}

/// The only entry under `key`, if its resource has this type and an id.
fn only<'e, 'a>(key: &str, resource: &str, entries: &'e [Entry<'a>]) -> Option<(&'e Entry<'a>, ResourceKey)> {
    let mut found = entries.iter().filter(|entry| entry.key == key);
    let entry = found.next().filter(|_| found.next().is_none())?;
    let head = entry.head().filter(|head| head.resource_type == resource && !head.id.is_empty())?;
    Some((entry, head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhircast::rules::Rules;
    use serde_json::{Value, json};

    fn implied(name: &str, keys: &[(&str, &str)]) -> Vec<Value> {
        let entry = |(index, (key, kind)): (usize, &(&str, &str))| json!({"key": key, "resource": {"resourceType": kind, "id": format!("r{index}")}});
        let context: Vec<_> = keys.iter().enumerate().map(entry).collect();
        let request = json!({
            "timestamp": "2026-05-04T08:15:30Z",
            "id": "e1",
            "event": {"hub.topic": "t1", "hub.event": name, "context": context},
        });
        let event = Event::parse(request.to_string().as_bytes(), &Rules::STANDARD).unwrap();
        let told = |event: &Arc<Event>| serde_json::from_str(&event.notification(event.name.as_str(), None)).unwrap();
        event.implied_opens().iter().map(told).collect()
    }

    const PATIENT: (&str, &str) = ("patient", "Patient");
    const STUDY: (&str, &str) = ("study", "ImagingStudy");
    const ENCOUNTER: (&str, &str) = ("encounter", "Encounter");
    const REPORT: (&str, &str) = ("report", "DiagnosticReport");

    #[test]
    fn not_11_opens_of_the_resources_beside_the_anchor_are_implied_the_most_particular_first() {
        for (name, keys, expected) in [
            ("Patient-open", &[PATIENT][..], &[][..]),
            ("Encounter-open", &[ENCOUNTER, PATIENT], &["Patient-open patient"]),
            ("ImagingStudy-open", &[STUDY], &[]),
            ("ImagingStudy-open", &[PATIENT, STUDY], &["Patient-open patient"]),
            (
                "DiagnosticReport-open",
                &[REPORT, PATIENT, ENCOUNTER, STUDY],
                &[
                    "ImagingStudy-open study patient encounter",
                    "Encounter-open encounter patient",
                    "Patient-open patient",
                ],
            ),
            ("DiagnosticReport-open", &[REPORT, PATIENT, STUDY, STUDY], &["Patient-open patient"]),
            ("ImagingStudy-open", &[STUDY, ENCOUNTER], &[]),
            ("Goal-open", &[("goal", "Goal"), PATIENT], &["Patient-open patient"]),
        ] {
            let told = implied(name, keys);
            let described: Vec<String> = told
                .iter()
                .map(|told| {
                    let context = told["event"]["context"].as_array().unwrap();
                    let keys: Vec<_> = context.iter().filter_map(|entry| entry["key"].as_str()).collect();
                    format!("{} {}", told["event"]["hub.event"].as_str().unwrap(), keys.join(" "))
                })
                .collect();
            assert_eq!(described, expected, "{name} {keys:?}");
        }
    }

    #[test]
    fn not_11_an_implied_open_has_an_id_of_its_own_which_is_the_same_when_it_is_told_again() {
        let (once, again) =
            (implied("ImagingStudy-open", &[STUDY, PATIENT]), implied("ImagingStudy-open", &[STUDY, PATIENT]));
        assert_eq!(once, again);
        assert_ne!(once[0]["id"], "e1");
        assert_eq!(once[0]["timestamp"], "2026-05-04T08:15:30Z");
    }
}
