//! CLI-41: every open that the shipped mappings make of their sample messages satisfies the schema of the field's
//! public event validator (clients.md, 2.6 V), wherever the source has the data; as a subscriber sees it, through a whole
//! gateway.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use fhircast_gateway::mapping::{Mapping, cases};
use fhircast_gateway::sessions::Seat;
use serde_json::Value;
use uuid::Uuid;

use crate::fixture::{Gateway, Viewer};
use crate::mappings::{hl7, shipped_set};

/// A sample message, and the event that it opens with.
struct Sample {
    message: String,
    seat: Seat,
    event: String,
}

#[tokio::test]
async fn cli_41_opens_made_of_sample_messages_satisfy_the_validators_schema() {
    let set = shipped_set();
    let (mut opens, mut reports) = (0, 0);
    let of_messages = |mapping: &&Mapping| mapping.has_events() && mapping.protocol() == "hl7v2";
    for mapping in set.mappings().filter(of_messages) {
        let samples = samples(mapping);
        assert!(!samples.is_empty(), "no case of {} opens anything", mapping.name());
        opens += samples.len();
        reports += samples.iter().filter(|sample| sample.event == "DiagnosticReport-open").count();
        check(mapping.name(), &samples).await;
    }
    assert!(opens > 5 && reports > 0, "{opens} samples, {reports} of reports");
}

/// Sends the samples of one mapping to a gateway whose listener it is, and looks at what subscribers get.
async fn check(mapping: &str, samples: &[Sample]) {
    let gateway = Gateway::in_the_past(&[&format!("adapter.ris.mapping={mapping}")]).await;
    let mut viewers: HashMap<&Seat, Viewer> = HashMap::new();
    for Sample { seat, .. } in samples {
        if !viewers.contains_key(seat) {
            viewers.insert(seat, gateway.subscriber_at(seat).await);
        }
    }
    let mut ris = gateway.ris().await;
    for Sample { message, seat, event } in samples {
        ris.send(message).await.expect_code("AA");
        let notification = viewers.get_mut(seat).unwrap().expect_event(event).await;
        check_event(&notification, message);
    }
}

/// The messages in all cases of a mapping that open anything on somebody's screen.
fn samples(mapping: &Mapping) -> Vec<Sample> {
    let mut samples = Vec::new();
    for text in case_texts(mapping.name()) {
        for fence in cases::fences(&text).into_iter().filter(|fence| fence.language == "hl7") {
            let outcome = mapping.outcome(&*hl7(fence.content.as_bytes()).unwrap());
            let first = &outcome["events"][0];
            let word = |name: &str| first["session"][name].as_str().or(outcome["session"][name].as_str());
            // Whoever is named is the one whose screen it is, whatever the place.
            let user = word("user").map(str::to_owned);
            let workstation = word("workstation").map(str::to_owned).filter(|_| user.is_none());
            let Some(event) = first["event"].as_str().filter(|event| event.ends_with("-open")) else { continue };
            if user.is_some() || workstation.is_some() {
                let seat = Seat { user, workstation };
                samples.push(Sample { message: fence.content.into(), seat, event: event.into() });
            }
        }
    }
    samples
}

fn case_texts(mapping: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings").join(mapping).join("cases");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

fn check_event(notification: &Value, message: &str) {
    let event = &notification["event"];
    Uuid::parse_str(notification["id"].as_str().unwrap()).expect("the id is a UUID");
    assert!(notification["timestamp"].as_str().unwrap().ends_with('Z'), "{notification}");
    assert!(event["context.versionId"].is_string(), "{notification}");
    let allowed: &[&str] = match event["hub.event"].as_str().unwrap() {
        "DiagnosticReport-open" => &["patient", "report", "study"],
        _ => &["encounter", "patient", "study"],
    };
    for entry in event["context"].as_array().unwrap() {
        let (key, resource) = (entry["key"].as_str().unwrap(), &entry["resource"]);
        assert!(allowed.contains(&key), "{key} in {event}");
        match key {
            "report" => check_report(resource, message),
            "study" => check_study(resource, message),
            _ => {}
        }
        check_identifiers(resource);
    }
}

fn check_study(study: &Value, message: &str) {
    for member in ["status", "subject", "identifier"] {
        assert!(!study[member].is_null(), "no {member} in {study}");
    }
    if !field(message, "OBR", 4).is_empty() {
        assert!(study["description"].is_string(), "{study}");
    }
    // A date alone stays one: what time it was is not in the source.
    if field(message, "OBR", 7).len() > DATE {
        assert!(study["started"].as_str().is_some_and(|started| started.ends_with('Z')), "{study}");
    }
}

fn check_report(report: &Value, message: &str) {
    let said =
        |fields: &[(&str, usize)]| fields.iter().any(|(segment, number)| !field(message, segment, *number).is_empty());
    for member in ["status", "subject"] {
        assert!(!report[member].is_null(), "no {member} in {report}");
    }
    // A document of an old version may name no study at all.
    assert_eq!(report["imagingStudy"].is_array(), said(&[("OBR", 18), ("IPC", 3), ("ZDS", 1)]), "{report}");
    assert_eq!(report["identifier"].is_array(), said(&[("OBR", 3), ("TXA", 12), ("TXA", 15)]), "{report}");
}

/// A system or a type that says what the value is, and the value.
fn check_identifiers(resource: &Value) {
    for identifier in resource["identifier"].as_array().into_iter().flatten() {
        let coding = &identifier["type"]["coding"][0];
        let typed = coding["system"].is_string() && coding["code"].is_string();
        assert!(identifier["value"].is_string(), "{identifier}");
        assert!(identifier["system"].is_string() || typed, "{identifier}");
    }
}

/// `YYYYMMDD`.
const DATE: usize = 8;

/// Field `number` of the first segment called `segment`; empty where there is none.
fn field<'m>(message: &'m str, segment: &str, number: usize) -> &'m str {
    let segment = message.lines().find(|line| line.split('|').next() == Some(segment));
    segment.and_then(|line| line.split('|').nth(number)).unwrap_or_default()
}
