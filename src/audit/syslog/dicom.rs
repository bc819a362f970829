//! A FHIR AuditEvent of the log as a DICOM audit message (PS3.15 A.5), in the words of IHE ATNA. Knows only what `audit::event`
//! writes.

use serde_json::Value;

use crate::xml::escaped;

/// The XML document; `host` is the machine that the gateway runs on.
pub(super) fn message(event: &Value, host: &str) -> String {
    let mut xml = String::from(r#"<?xml version="1.0" encoding="UTF-8"?><AuditMessage>"#);
    identification(event, &mut xml);
    for agent in list(&event["agent"]) {
        participant(agent, &mut xml);
    }
    // 4: an application's server process.
    element("AuditSourceIdentification", &[("AuditSourceID", &format!("fhircast-gateway@{host}"))], &mut xml, |xml| {
        coded("AuditSourceTypeCode", ["4", "DCM", "Application Server"], xml);
    });
    for entity in list(&event["entity"]) {
        object(entity, &mut xml);
    }
    xml.push_str("</AuditMessage>");
    xml
}

fn identification(event: &Value, xml: &mut String) {
    let attributes = [
        ("EventActionCode", text(&event["action"])),
        ("EventDateTime", text(&event["recorded"])),
        ("EventOutcomeIndicator", text(&event["outcome"])),
    ];
    element("EventIdentification", &attributes, xml, |xml| {
        coding("EventID", &event["type"], xml);
        for kind in list(&event["subtype"]) {
            coding("EventTypeCode", kind, xml);
        }
        if let Some(reason) = event["outcomeDesc"].as_str() {
            element("EventOutcomeDescription", &[], xml, |xml| xml.push_str(&escaped(reason)));
        }
    });
}

fn participant(agent: &Value, xml: &mut String) {
    let who = &agent["who"];
    let display = text(&who["display"]);
    let identified = text(&who["identifier"]["value"]);
    let user = [identified, display, "unknown"].into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let name = [text(&agent["name"]), display].into_iter().find(|name| !name.is_empty() && *name != user);
    let (network, requestor) = (&agent["network"], agent["requestor"].as_bool().unwrap_or_default());
    let attributes = [
        ("UserID", user),
        ("AlternativeUserID", text(&agent["altId"])),
        ("UserName", name.unwrap_or_default()),
        ("UserIsRequestor", if requestor { "true" } else { "false" }),
        ("NetworkAccessPointTypeCode", text(&network["type"])),
        ("NetworkAccessPointID", text(&network["address"])),
    ];
    element("ActiveParticipant", &attributes, xml, |xml| {
        for role in list(&agent["type"]["coding"]) {
            coding("RoleIDCode", role, xml);
        }
    });
}

/// A patient, or what was asked for, or the session.
fn object(entity: &Value, xml: &mut String) {
    let what = &entity["what"];
    if what["type"] == "Patient" {
        let identifier = patient_id(&what["identifier"]);
        let id = identifier.unwrap_or_else(|| text(&what["reference"]).to_owned());
        return described_object(["1", "1"], ["2", "RFC-3881", "Patient Number"], &id, None, xml);
    }
    match entity["query"].as_str() {
        Some(query) => described_object(["2", "24"], ["10", "RFC-3881", "Search Criteria"], "query", Some(query), xml),
        None => described_object(["2", "20"], ["12", "RFC-3881", "URI"], text(&what["display"]), None, xml),
    }
}

fn described_object([kind, role]: [&str; 2], code: [&str; 3], id: &str, query: Option<&str>, xml: &mut String) {
    let attributes =
        [("ParticipantObjectID", id), ("ParticipantObjectTypeCode", kind), ("ParticipantObjectTypeCodeRole", role)];
    element("ParticipantObjectIdentification", &attributes, xml, |xml| {
        coded("ParticipantObjectIDTypeCode", code, xml);
        match query {
            Some(query) => element("ParticipantObjectQuery", &[], xml, |xml| xml.push_str(&escaped(query))),
            None => element("ParticipantObjectName", &[], xml, |xml| xml.push_str(&escaped(id))),
        }
    });
}

/// The identifier as HL7 v2's CX writes it, its system as a universal id: `4711^^^&1.2.3&ISO`.
fn patient_id(identifier: &Value) -> Option<String> {
    let value = identifier["value"].as_str()?;
    let value = value.replace('\\', r"\E\").replace('^', r"\S\").replace('&', r"\T\");
    Some(match identifier["system"].as_str() {
        None => value,
        Some(system) => match system.strip_prefix("urn:oid:") {
            Some(oid) => format!("{value}^^^&{oid}&ISO"),
            None => format!("{value}^^^&{system}&URI"),
        },
    })
}

/// A FHIR Coding under the name of a code system that DICOM and IHE know.
fn coding(name: &str, coding: &Value, xml: &mut String) {
    let display = text(&coding["display"]);
    let code = coding["code"].as_str().unwrap_or(display);
    let system = match text(&coding["system"]) {
        "" => "FHIRcast",
        "urn:ihe:event-type-code" => "IHE Transactions",
        _ => "DCM",
    };
    coded(name, [code, system, display], xml);
}

fn coded(name: &str, [code, system, display]: [&str; 3], xml: &mut String) {
    element(name, &[("csd-code", code), ("codeSystemName", system), ("originalText", display)], xml, |_| {});
}

fn element(name: &str, attributes: &[(&str, &str)], xml: &mut String, content: impl FnOnce(&mut String)) {
    xml.push_str(&format!("<{name}"));
    for (name, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
        xml.push_str(&format!(" {name}=\"{}\"", escaped(value)));
    }
    xml.push('>');
    content(xml);
    xml.push_str(&format!("</{name}>"));
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_of_the_log_is_an_audit_message_of_dicom() {
        let event = json!({
            "type": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "110112", "display": "Query"},
            "subtype": [{"system": "urn:ihe:event-type-code", "code": "RAD-146", "display": "Subscribe Reporting Session"}],
            "action": "E", "recorded": "2026-11-22T08:15:30Z", "outcome": "4", "outcomeDesc": "it has <expired>",
            "agent": [
                {"type": {"coding": [{"system": "x", "code": "110153", "display": "Source Role ID"}]},
                 "who": {"identifier": {"system": "iss", "value": "jones"}}, "altId": "viewer", "name": "Viewer",
                 "network": {"address": "10.0.0.7", "type": "2"}, "requestor": true},
                {"who": {"display": "fhircast-gateway"}, "requestor": false},
            ],
            "entity": [
                {"what": {"display": "session 1a2b3c4d"}},
                {"query": "UGF0aWVudC1vcGVu"},
                {"what": {"type": "Patient", "identifier": {"system": "urn:oid:1.2.3", "value": "4711&1"}}},
            ],
        });
        insta::assert_snapshot!(message(&event, "gateway").replace("><", ">\n<"));
    }

    #[test]
    fn a_published_event_is_named_and_an_identifier_keeps_its_system() {
        let mut xml = String::new();
        coding("EventTypeCode", &json!({"display": "Patient-open"}), &mut xml);
        let code = r#"<EventTypeCode csd-code="Patient-open" codeSystemName="FHIRcast" originalText="Patient-open"></EventTypeCode>"#;
        assert_eq!(xml, code);
        let id = |identifier| patient_id(&identifier);
        assert_eq!(
            id(json!({"system": "http://a.example", "value": "1"})).as_deref(),
            Some("1^^^&http://a.example&URI")
        );
        assert_eq!((id(json!({"value": "1"})).as_deref(), id(json!({}))), (Some("1"), None));
    }
}
