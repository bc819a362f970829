//! What names a resource within a topic: its type and its id, never the id alone (CLI-54).

use std::fmt;

use serde_json::value::RawValue;

/// A FHIR resource's type and logical id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ResourceKey {
    /// The FHIR type, as the resource spells it: `ImagingStudy`.
    pub resource_type: String,
    /// The resource's logical id.
    pub id: String,
}

/// The type alone: an id can name a patient.
impl fmt::Debug for ResourceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ResourceKey({}/..)", self.resource_type)
    }
}

impl ResourceKey {
    /// A key of these two.
    pub fn new(resource_type: impl Into<String>, id: impl Into<String>) -> Self {
        Self { resource_type: resource_type.into(), id: id.into() }
    }

    /// The key in a FHIR reference: `Type/id`, with or without a base address before it and a version after it. `None` for
    /// anything else (FHIR R4, References).
    pub fn from_reference(reference: &str) -> Option<Self> {
        let path = reference.split_once("/_history/").map_or(reference, |(path, _)| path);
        let (before, id) = path.rsplit_once('/')?;
        let resource_type = before.rsplit_once('/').map_or(before, |(_, last)| last);
        let typed = resource_type.starts_with(|first: char| first.is_ascii_uppercase())
            && resource_type.bytes().all(|byte| byte.is_ascii_alphabetic());
        (typed && !id.is_empty()).then(|| Self::new(resource_type, id))
    }

    /// The key in a member `reference` of a context entry: a Reference, or the text alone (CLI-50).
    pub(super) fn from_reference_value(value: &RawValue) -> Option<Self> {
        #[derive(serde::Deserialize)]
        struct Reference {
            reference: String,
        }
        let text = match serde_json::from_str::<Reference>(value.get()) {
            Ok(reference) => reference.reference,
            Err(_) => serde_json::from_str(value.get()).ok()?,
        };
        Self::from_reference(&text)
    }

    /// Whether the resource is of this type, in whatever case: event names are compared so.
    pub fn is_a(&self, resource_type: &str) -> bool {
        self.resource_type.eq_ignore_ascii_case(resource_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upd_11_references_name_type_and_id_whatever_stands_around_them() {
        for (reference, expected) in [
            ("DiagnosticReport/r1", Some(("DiagnosticReport", "r1"))),
            ("https://fhir.example/r4/DiagnosticReport/r1", Some(("DiagnosticReport", "r1"))),
            ("DiagnosticReport/r1/_history/7", Some(("DiagnosticReport", "r1"))),
            ("r1", None),
            ("DiagnosticReport/", None),
            ("/r1", None),
            ("urn:uuid:1", None),
            ("", None),
        ] {
            let expected = expected.map(|(resource_type, id)| ResourceKey::new(resource_type, id));
            assert_eq!(ResourceKey::from_reference(reference), expected, "{reference}");
        }
    }
}
