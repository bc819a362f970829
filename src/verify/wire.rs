//! What a client puts on the wire: forms, events, resources.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::{System, timestamp};
use crate::fhircast::Edition;

/// An id that nobody has used before.
pub(super) fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", Uuid::new_v4())
}

/// The time of day, with three decimals and in UTC, as the specification's examples have it.
pub(super) fn now() -> String {
    format!("{:.3}", timestamp(&System))
}

/// An event with an id of its own.
pub(super) fn event(topic: &str, name: &str, context: Value) -> Value {
    json!({
        "timestamp": now(),
        "id": Uuid::new_v4().to_string(),
        "event": {"hub.topic": topic, "hub.event": name, "context": context},
    })
}

pub(super) fn id_of(event: &Value) -> &str {
    event["id"].as_str().unwrap_or_default()
}

pub(super) fn patient(id: &str) -> Value {
    let identifier = json!([{"system": "urn:oid:1.2.36.146.595.217.0.1", "value": id}]);
    json!({"key": "patient", "resource": {"resourceType": "Patient", "id": id, "identifier": identifier}})
}

pub(super) fn encounter(id: &str, patient: &str) -> Value {
    json!({"key": "encounter", "resource": {
        "resourceType": "Encounter", "id": id, "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "identifier": [{"system": "urn:oid:1.2.36.146.595.217.0.2", "value": id}],
        "subject": {"reference": format!("Patient/{patient}")},
    }})
}

pub(super) fn study(id: &str, patient: &str) -> Value {
    json!({"key": "study", "resource": {
        "resourceType": "ImagingStudy", "id": id, "status": "available",
        "identifier": [
            {"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.113619.2.55.3.1"},
            {"type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]},
             "value": format!("A-{id}")},
        ],
        "subject": {"reference": format!("Patient/{patient}")},
    }})
}

pub(super) fn report(id: &str, patient: &str) -> Value {
    json!({"key": "report", "resource": {
        "resourceType": "DiagnosticReport", "id": id, "status": "unknown",
        "code": {"text": "verification"},
        "subject": {"reference": format!("Patient/{patient}")},
        "identifier": [{"system": "urn:oid:1.2.36.146.595.217.0.3", "value": id}],
    }})
}

pub(super) fn patient_open(topic: &str, id: &str) -> Value {
    event(topic, "Patient-open", json!([patient(id)]))
}

pub(super) fn patient_close(topic: &str, id: &str) -> Value {
    event(topic, "Patient-close", json!([patient(id)]))
}

pub(super) fn encounter_open(topic: &str, id: &str) -> Value {
    event(topic, "Encounter-open", json!([encounter(id, "p1"), patient("p1")]))
}

/// A report with its patient `p1` and study `s1`.
pub(super) fn report_open(topic: &str, id: &str) -> Value {
    event(topic, "DiagnosticReport-open", json!([report(id, "p1"), patient("p1"), study("s1", "p1")]))
}

pub(super) fn report_close(topic: &str, id: &str) -> Value {
    event(topic, "DiagnosticReport-close", json!([report(id, "p1"), patient("p1"), study("s1", "p1")]))
}

pub(super) fn home_open(topic: &str) -> Value {
    event(topic, "Home-open", json!([]))
}

/// The anchor of an update or select, in the manner of the edition.
pub(super) fn anchor(edition: Edition, report: &str) -> Value {
    match edition {
        Edition::Stu3 => json!({"key": "report", "reference": {"reference": format!("DiagnosticReport/{report}")}}),
        Edition::Stu2 | Edition::Ballot => {
            json!({"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": report}})
        }
    }
}

/// An update of `report`, which is at `version`, by these bundle entries.
pub(super) fn update(edition: Edition, topic: &str, report: &str, version: &str, entries: Value) -> Value {
    let bundle = json!({"resourceType": "Bundle", "id": fresh("bundle"), "type": "transaction", "entry": entries});
    let context = json!([anchor(edition, report), {"key": "updates", "resource": bundle}]);
    let mut update = event(topic, "DiagnosticReport-update", context);
    update["event"]["context.versionId"] = version.into();
    update
}

/// A select of these references, at `report`.
pub(super) fn select(edition: Edition, topic: &str, report: &str, references: &[&str]) -> Value {
    let references: Vec<_> = references.iter().map(|reference| json!({"reference": reference})).collect();
    let context = json!([anchor(edition, report), {"key": "select", "reference": references}]);
    event(topic, "DiagnosticReport-select", context)
}

pub(super) fn observation(id: &str, text: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "preliminary", "code": {"text": text}})
}

/// A bundle entry that adds or replaces an observation.
pub(super) fn put(id: &str, text: &str) -> Value {
    json!({"request": {"method": "PUT", "url": format!("Observation/{id}")}, "resource": observation(id, text)})
}

/// A bundle entry that removes what `reference` names.
pub(super) fn delete(reference: &str) -> Value {
    json!({"fullUrl": reference, "request": {"method": "DELETE", "url": reference}})
}

/// A SyncError as a subscriber posts it.
pub(super) fn sync_error(topic: &str, about: &Value, subscriber: &str) -> Value {
    let coding = |kind: &str, code: &Value| json!({"system": format!("https://fhircast.hl7.org/events/syncerror/{kind}"), "code": code});
    let codings = json!([
        coding("eventid", &about["id"]),
        coding("eventname", &about["event"]["hub.event"]),
        coding("subscribername", &subscriber.into()),
    ]);
    let issue = json!([{"severity": "warning", "code": "processing",
        "diagnostics": "The context was refused on the subscriber's side.", "details": {"coding": codings}}]);
    let outcome = json!({"resourceType": "OperationOutcome", "issue": issue});
    event(topic, "SyncError", json!([{"key": "operationoutcome", "resource": outcome}]))
}
