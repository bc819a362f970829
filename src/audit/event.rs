//! An entry as a FHIR R4 AuditEvent. Codes: DICOM PS3.15 A.5 (DCM), IHE RAD (transactions), FHIR R4 audit-entity-type and
//! object-role.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::chain::{Digest, PREVIOUS};
use super::entry::{Action, Agent, Entry, PatientWords};

const DCM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const IHE: &str = "urn:ihe:event-type-code";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";

/// The AuditEvent of `entry` as one line of JSON, tied to the line whose digest is `previous`.
pub(super) fn line(entry: &Entry, id: Uuid, previous: &Digest) -> String {
    let (kind, subtype, action) = what(entry);
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": id.to_string(),
        "extension": [{"url": PREVIOUS, "valueString": previous.to_string()}],
        "type": kind,
        "subtype": [subtype],
        "action": action,
        "recorded": entry.recorded.to_string(),
        "outcome": if entry.refusal.is_none() { "0" } else { "4" },
        "agent": agents(&entry.agent),
        "source": {"observer": {"display": "fhircast-gateway"}},
    });
    if let Some(reason) = &entry.refusal {
        event["outcomeDesc"] = reason.as_str().into();
    }
    let entities: Vec<Value> = [session(&entry.session), asked(&entry.asked)].into_iter().flatten().collect();
    let entities: Vec<Value> = entities.into_iter().chain(entry.patient.iter().map(patient)).collect();
    if !entities.is_empty() {
        event["entity"] = entities.into();
    }
    event.to_string()
}

/// Type, subtype and action.
fn what(entry: &Entry) -> (Value, Value, &'static str) {
    let query = || coding(DCM, "110112", "Query");
    match entry.action {
        Action::Authenticate => (coding(DCM, "110114", "User Authentication"), coding(DCM, "110122", "Login"), "E"),
        Action::GetContext => (query(), coding(IHE, "RAD-153", "Get Current Context"), "E"),
        Action::Subscribe => (query(), coding(IHE, "RAD-146", "Subscribe Reporting Session"), "E"),
        Action::Unsubscribe => (query(), coding(IHE, "RAD-152", "Unsubscribe Session"), "E"),
        Action::Reprocess => (coding(DCM, "110110", "Patient Record"), json!({"display": "Reprocess"}), "E"),
        Action::Publish => {
            (coding(DCM, "110110", "Patient Record"), json!({"display": entry.asked}), action_of(&entry.asked))
        }
    }
}

/// What an event does to what it is about: an open shows it, an update changes it.
fn action_of(event: &str) -> &'static str {
    let ends = |suffix: &str| event.to_ascii_lowercase().ends_with(suffix);
    match () {
        () if ends("-open") => "R",
        () if ends("-update") => "U",
        () => "E",
    }
}

fn agents(agent: &Agent) -> Value {
    let hub = json!({
        "type": {"coding": [coding(DCM, "110152", "Destination Role ID")]},
        "who": {"display": "fhircast-gateway"},
        "requestor": false,
    });
    let source = json!({"coding": [coding(DCM, "110153", "Source Role ID")]});
    match agent {
        Agent::Application { principal, name, address } => {
            let mut application = json!({"type": source, "requestor": true});
            match serde_json::from_str::<[&str; 3]>(principal) {
                Err(_) => application["who"] = json!({"display": "no access token accepted"}),
                Ok([issuer, subject, client]) => {
                    let who = if subject.is_empty() { client } else { subject };
                    application["who"] = without_empty(json!({"identifier": {"system": issuer, "value": who}}));
                    if !client.is_empty() && !subject.is_empty() {
                        application["altId"] = client.into();
                    }
                }
            }
            if let Some(name) = name {
                application["name"] = name.as_str().into();
            }
            if let Some(address) = address {
                application["network"] = json!({"address": address.to_string(), "type": "2"});
            }
            json!([application, hub])
        }
        Agent::LegacySystem { source: name, sender, control_id, user } => {
            let system = json!({
                "type": source,
                "who": {"identifier": {"value": **name}, "display": sender},
                "altId": control_id,
                "requestor": user.is_none(),
            });
            let user = user.as_ref().map(|user| json!({"who": {"identifier": {"value": user}}, "requestor": true}));
            Value::from([Some(system), user, Some(hub)].into_iter().flatten().map(without_empty).collect::<Vec<_>>())
        }
        Agent::Operator { name, source: adapter, sender, control_id } => {
            let operator = json!({"who": {"identifier": {"value": name}}, "requestor": true});
            let system = json!({
                "type": source,
                "who": {"identifier": {"value": **adapter}, "display": sender},
                "altId": control_id,
                "requestor": false,
            });
            Value::from([operator, system, hub].map(without_empty).to_vec())
        }
    }
}

/// FHIR has no empty strings.
fn without_empty(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => members.retain(|_, member| {
            *member = without_empty(member.take());
            !matches!(member, Value::String(text) if text.is_empty())
        }),
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_empty(item.take())),
        _ => {}
    }
    value
}

fn session(session: &str) -> Option<Value> {
    let what = json!({"display": format!("session {session}")});
    (!session.is_empty()).then(
        || json!({"what": what, "type": coding(ENTITY_TYPE, "2", "System Object"), "role": coding(ROLE, "20", "Job")}),
    )
}

/// What was asked for, as audits hold queries: in base64.
fn asked(asked: &str) -> Option<Value> {
    (!asked.is_empty()).then(|| {
        json!({
            "type": coding(ENTITY_TYPE, "2", "System Object"),
            "role": coding(ROLE, "24", "Query"),
            "query": STANDARD.encode(asked),
        })
    })
}

fn patient(patient: &PatientWords) -> Value {
    let mut what = json!({"type": "Patient"});
    if let Some(id) = &patient.id {
        what["reference"] = format!("Patient/{id}").into();
    }
    if let Some(identifier) = patient.identifier.first() {
        let words = json!({"system": identifier.system.as_deref().unwrap_or_default(), "value": identifier.value.as_deref().unwrap_or_default()});
        what["identifier"] = without_empty(words);
    }
    json!({"what": what, "type": coding(ENTITY_TYPE, "1", "Person"), "role": coding(ROLE, "1", "Patient")})
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({"system": system, "code": code, "display": display})
}

#[cfg(test)]
mod tests {
    use super::super::chain::FIRST;
    use super::*;
    use crate::fhircast::Identifier;

    fn entry(action: Action) -> Entry {
        Entry {
            action,
            recorded: "2026-05-04T08:15:30Z".parse().unwrap(),
            agent: Agent::Application {
                principal: "[\"iss\",\"jones\",\"viewer\"]".into(),
                name: Some("Viewer".into()),
                address: Some([10, 0, 0, 7].into()),
            },
            session: "1a2b3c4d".into(),
            asked: "Patient-open,SyncError".into(),
            patient: None,
            refusal: None,
        }
    }

    fn written(entry: &Entry) -> Value {
        serde_json::from_str(&line(entry, Uuid::nil(), &FIRST)).unwrap()
    }

    #[test]
    fn ira_23_subscribe_unsubscribe_and_get_context_are_query_events() {
        for (action, code) in
            [(Action::Subscribe, "RAD-146"), (Action::Unsubscribe, "RAD-152"), (Action::GetContext, "RAD-153")]
        {
            let event = written(&entry(action));
            assert_eq!(event["type"]["code"], "110112");
            assert_eq!(event["subtype"][0], coding(IHE, code, event["subtype"][0]["display"].as_str().unwrap()));
            assert_eq!((&event["outcome"], &event["action"]), (&json!("0"), &json!("E")));
            assert_eq!(event["agent"][0]["who"]["identifier"], json!({"system": "iss", "value": "jones"}));
            assert_eq!(event["agent"][0]["altId"], "viewer");
            assert_eq!(event["agent"][0]["network"]["address"], "10.0.0.7");
            assert_eq!(event["entity"][0]["what"]["display"], "session 1a2b3c4d");
            assert_eq!(event["entity"][1]["query"], STANDARD.encode("Patient-open,SyncError"));
        }
    }

    #[test]
    fn ira_23_a_message_names_system_user_and_patient_and_has_no_empty_strings() {
        let agent = Agent::LegacySystem {
            source: "ris".into(),
            sender: "ACME_RIS".into(),
            control_id: String::new(),
            user: Some("mlindqv".into()),
        };
        let identifier = vec![Identifier { system: None, value: Some("4455667".into()) }];
        let patient = Some(PatientWords { id: Some("p1".into()), identifier });
        let publish = Entry { agent, patient, asked: "Patient-open".into(), ..entry(Action::Publish) };
        let event = written(&publish);
        assert_eq!((&event["action"], &event["subtype"][0]["display"]), (&json!("R"), &json!("Patient-open")));
        assert_eq!(event["agent"][1], json!({"who": {"identifier": {"value": "mlindqv"}}, "requestor": true}));
        let what = json!({"type": "Patient", "reference": "Patient/p1", "identifier": {"value": "4455667"}});
        assert_eq!(event["entity"][2]["what"], what);
        assert!(!event.to_string().contains("\"\""), "{event}");
    }

    #[test]
    fn a_reprocessing_names_the_operator_who_asked_for_it_and_the_message() {
        let agent = Agent::Operator {
            name: "anna".into(),
            source: "ris".into(),
            sender: "ACME_RIS".into(),
            control_id: "ACME0006".into(),
        };
        let event = written(&Entry { agent, asked: "message 7: Patient-open".into(), ..entry(Action::Reprocess) });
        assert_eq!(event["agent"][0], json!({"who": {"identifier": {"value": "anna"}}, "requestor": true}));
        assert_eq!((&event["agent"][1]["altId"], &event["agent"][1]["requestor"]), (&json!("ACME0006"), &json!(false)));
        assert_eq!((&event["subtype"][0]["display"], &event["action"]), (&json!("Reprocess"), &json!("E")));
    }

    #[test]
    fn ira_23_a_refusal_says_why() {
        let event = written(&Entry { refusal: Some("it has expired".into()), ..entry(Action::Authenticate) });
        assert_eq!((&event["outcome"], &event["outcomeDesc"]), (&json!("4"), &json!("it has expired")));
        assert_eq!(event["type"]["code"], "110114");
    }
}
