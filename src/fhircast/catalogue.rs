//! The catalogue of events: which context keys each one has, and what must stand under them (REQ-05).
//!
//! Sources: the event definitions of FHIRcast 3.0.0, and the FHIRcast profiles of the resources for what an open must hold.

use super::EventName;
use super::event_name::Action;

/// The definition of one event.
#[derive(Debug, PartialEq, Eq)]
pub struct Definition {
    /// The name, in the specification's spelling.
    pub name: &'static str,
    /// The anchor's context key, first in `keys`; empty for events about no resource.
    pub anchor: &'static str,
    /// Every context key of the definition.
    pub keys: &'static [ContextKey],
}

/// One context key of an event.
#[derive(Debug, PartialEq, Eq)]
pub struct ContextKey {
    /// The key: `patient`, `study`.
    pub key: &'static str,
    /// The FHIR type of the resource under it.
    pub resource: &'static str,
    /// Whether an event without it is refused.
    pub required: bool,
    /// Whether the profile of the resource in this event demands a business identifier.
    pub identified: bool,
    /// Whether the entry may repeat.
    pub repeats: bool,
}

const fn required(key: &'static str, resource: &'static str) -> ContextKey {
    ContextKey { key, resource, required: true, identified: false, repeats: false }
}

const fn identified(key: &'static str, resource: &'static str) -> ContextKey {
    ContextKey { identified: true, ..required(key, resource) }
}

const fn optional(key: &'static str, resource: &'static str) -> ContextKey {
    ContextKey { required: false, ..required(key, resource) }
}

const fn repeating(key: &'static str, resource: &'static str) -> ContextKey {
    ContextKey { repeats: true, ..optional(key, resource) }
}

const PATIENT: ContextKey = required("patient", "Patient");
const ENCOUNTER: ContextKey = optional("encounter", "Encounter");

/// The studies of a report.
pub const STUDIES: ContextKey = repeating("study", "ImagingStudy");

/// Every event of which the context holds resources, as the specification defines it.
pub const DEFINITIONS: [Definition; 8] = [
    Definition { name: "Patient-open", anchor: "patient", keys: &[identified("patient", "Patient")] },
    Definition { name: "Patient-close", anchor: "patient", keys: &[PATIENT] },
    Definition { name: "Encounter-open", anchor: "encounter", keys: &[identified("encounter", "Encounter"), PATIENT] },
    Definition { name: "Encounter-close", anchor: "encounter", keys: &[required("encounter", "Encounter"), PATIENT] },
    Definition {
        name: "ImagingStudy-open",
        anchor: "study",
        keys: &[identified("study", "ImagingStudy"), optional("patient", "Patient"), ENCOUNTER],
    },
    Definition {
        name: "ImagingStudy-close",
        anchor: "study",
        keys: &[required("study", "ImagingStudy"), optional("patient", "Patient"), ENCOUNTER],
    },
    Definition {
        name: "DiagnosticReport-open",
        anchor: "report",
        keys: &[required("report", "DiagnosticReport"), PATIENT, STUDIES, ENCOUNTER],
    },
    Definition {
        name: "DiagnosticReport-close",
        anchor: "report",
        keys: &[required("report", "DiagnosticReport"), PATIENT, STUDIES, ENCOUNTER],
    },
];

/// The definition of `name`, if the specification has one whose context holds resources.
pub fn definition(name: &EventName) -> Option<&'static Definition> {
    DEFINITIONS.iter().find(|definition| name.is(definition.name))
}

/// The context key under which a resource of `resource` type anchors its events: `study` for `ImagingStudy`. Types outside
/// the catalogue anchor under their own name with a small first letter.
pub fn anchor_key(resource: &str) -> String {
    let known = DEFINITIONS.iter().find(|definition| {
        definition.name.split_once('-').is_some_and(|(prefix, _)| prefix.eq_ignore_ascii_case(resource))
    });
    known.map_or_else(|| lower_first(resource), |definition| definition.anchor.to_owned())
}

impl EventName {
    /// Whether the name is about the session, or about a resource of the catalogue: then it is a word of the standard, and says
    /// nothing of anybody.
    pub fn is_catalogued(&self) -> bool {
        let types = || DEFINITIONS.iter().filter_map(|definition| definition.name.split_once('-'));
        match self.resource() {
            Some(resource) => types().any(|(known, _)| known.eq_ignore_ascii_case(resource)),
            None => {
                ["Home-open", "SyncError", "UserLogout", "UserHibernate", "Heartbeat"].iter().any(|name| self.is(name))
            }
        }
    }
}

/// A resource type in the spelling of FHIR, as far as the catalogue knows it: event names are spelt in any case.
pub fn spelt(resource: &str) -> String {
    let types = DEFINITIONS.iter().filter_map(|definition| definition.name.split_once('-')).map(|(prefix, _)| prefix);
    let known = types.into_iter().find(|prefix| prefix.eq_ignore_ascii_case(resource));
    known.unwrap_or(resource).to_owned()
}

/// Whether `name` opens a context: every `*-open` but `Home-open`.
pub fn opens_context(name: &EventName) -> bool {
    name.action() == Some(Action::Open) && name.resource().is_some()
}

fn lower_first(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_lowercase().to_string() + characters.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn req_05_each_definition_leads_with_its_anchor() {
        for definition in &DEFINITIONS {
            assert_eq!(definition.keys[0].key, definition.anchor, "{}", definition.name);
            assert!(definition.keys[0].required, "{}", definition.name);
            let name = EventName::parse(definition.name).unwrap();
            assert_eq!(super::definition(&name), Some(definition));
        }
    }

    #[test]
    fn only_words_of_the_standard_are_catalogued() {
        for name in ["patient-open", "DiagnosticReport-update", "Home-open", "SYNCERROR", "UserLogout"] {
            assert!(EventName::parse(name).unwrap().is_catalogued(), "{name}");
        }
        for name in ["DoeJane-open", "org.example.doe", "DOE-JANE", "Patient-opened", "x"] {
            assert!(!EventName::parse_any(name).unwrap().is_catalogued(), "{name}");
        }
    }

    #[test]
    fn anchor_keys_follow_the_catalogue_and_else_the_type() {
        for (resource, key) in
            [("ImagingStudy", "study"), ("diagnosticreport", "report"), ("ServiceRequest", "serviceRequest")]
        {
            assert_eq!(anchor_key(resource), key);
        }
    }
}
