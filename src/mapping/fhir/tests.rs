//! The model against what FHIR R4 says, and that all of it was read.

use super::{Json, r4};

/// `Patient.contact.gender`: the type, and the names below it.
fn element(way: &str) -> Option<&'static super::Element> {
    let mut names = way.split('.');
    let mut owner = r4().named(names.next()?)?;
    let mut found: Option<&super::Element> = None;
    for name in names {
        if let Some(super::Element { kind, .. }) = found {
            owner = r4().named(kind)?;
        }
        found = Some(r4().elements(owner).find(|element| element.name == name)?);
    }
    found
}

#[test]
fn elements_have_the_type_and_number_that_fhir_r4_gives_them() {
    for (way, kind, many, required) in [
        ("Patient.name", "HumanName", true, false),
        ("Patient.name.given", "string", true, false),
        ("Patient.name.period.start", "dateTime", false, false),
        ("Patient.gender", "code", false, false),
        ("Patient.deceasedDateTime", "dateTime", false, false),
        ("Patient.contact", "Patient.contact", true, false),
        ("Patient.contact.relationship.coding.system", "uri", false, false),
        ("Patient.contact.modifierExtension", "Extension", true, false),
        ("Patient.extension.valueCodeableConcept.text", "string", false, false),
        ("Patient.link.other", "Reference", false, true),
        ("Patient.meta.profile", "canonical", true, false),
        ("Patient.text.div", "xhtml", false, true),
        ("Encounter.class", "Coding", false, true),
        ("Encounter.length.value", "decimal", false, false),
        ("Encounter.hospitalization.admitSource", "CodeableConcept", false, false),
        ("ImagingStudy.series.instance.sopClass", "Coding", false, true),
        ("ImagingStudy.numberOfSeries", "unsignedInt", false, false),
        ("DiagnosticReport.effectivePeriod", "Period", false, false),
        ("DiagnosticReport.issued", "instant", false, false),
        ("ServiceRequest.occurrenceTiming.repeat.boundsRange.low.value", "decimal", false, false),
        ("Observation.component.referenceRange", "Observation.referenceRange", true, false),
        ("Observation.component.referenceRange.age.high.unit", "string", false, false),
        ("Observation.valueSampledData.origin", "Quantity", false, true),
    ] {
        let found = element(way).unwrap_or_else(|| panic!("{way}"));
        assert_eq!((found.kind.as_str(), found.many, found.required), (kind, many, required), "{way}");
    }
    for way in ["Patient.birthdate", "Patient.contact.birthDate", "ImagingStudy.accession", "Observation.valueMoney"] {
        assert!(element(way).is_none(), "{way}");
    }
}

#[test]
fn codes_are_those_of_the_required_bindings() {
    for (way, count, one) in [
        ("Patient.gender", 4, "other"),
        ("Patient.contact.gender", 4, "unknown"),
        ("Patient.name.use", 7, "maiden"),
        ("Patient.telecom.system", 7, "url"),
        ("Patient.address.type", 3, "both"),
        ("Patient.text.status", 4, "generated"),
        ("Encounter.status", 9, "in-progress"),
        ("ImagingStudy.status", 5, "available"),
        ("DiagnosticReport.status", 10, "corrected"),
        ("ServiceRequest.intent", 9, "filler-order"),
        ("Observation.status", 8, "amended"),
        ("Observation.valueQuantity.comparator", 4, "<="),
    ] {
        let codes = r4().codes(element(way).unwrap_or_else(|| panic!("{way}"))).unwrap_or_else(|| panic!("{way}"));
        assert_eq!(codes.len(), count, "{way}");
        assert!(codes.iter().any(|code| code == one), "{way}");
    }
    assert!(r4().codes(element("Patient.maritalStatus").unwrap()).is_none());
}

/// The types that `r4.txt` names and leaves undescribed, as its head says.
const OPEN: [&str; 8] = [
    "Contributor",
    "DataRequirement",
    "Dosage",
    "Expression",
    "ParameterDefinition",
    "RelatedArtifact",
    "TriggerDefinition",
    "UsageContext",
];

#[test]
fn every_type_and_every_list_of_codes_that_is_named_is_described() {
    let model = r4();
    let mut bindings = std::collections::BTreeSet::new();
    for described in model.types.values() {
        assert!(described.base.as_deref().is_none_or(|base| model.named(base).is_some()), "{}", described.name);
        for element in &described.elements {
            let way = format!("{}.{}", described.name, element.name);
            let known = element.json().is_some() || model.named(&element.kind).is_some();
            assert!(known || OPEN.contains(&element.kind.as_str()), "{way}: {}", element.kind);
            assert!(element.kind.chars().all(|it| it.is_ascii_alphanumeric() || it == '.'), "{way}: {}", element.kind);
            assert_eq!(element.binding.is_some(), model.codes(element).is_some(), "{way}");
            bindings.extend(element.binding.clone());
        }
    }
    assert_eq!(bindings.into_iter().collect::<Vec<_>>(), model.codes.keys().cloned().collect::<Vec<_>>());
    assert_eq!((model.types.len(), model.codes.len()), (51, 21), "types and lists of codes");
}

#[test]
fn primitives_are_told_by_how_json_writes_them() {
    for (way, json) in [
        ("Patient.active", Some(Json::Boolean)),
        ("Patient.multipleBirthInteger", Some(Json::Number)),
        ("Patient.birthDate", Some(Json::Text)),
        ("Patient.text.div", Some(Json::Text)),
        ("Patient.maritalStatus", None),
        ("Patient.contact", None),
    ] {
        assert_eq!(element(way).unwrap().json(), json, "{way}");
    }
}
