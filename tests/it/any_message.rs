//! Any bytes at all, from the wire to the event: nothing panics, and what comes out is FHIR's JSON without anything empty.

use std::sync::LazyLock;

use bytes::Bytes;
use fhircast_gateway::fhircast::{Event, NewEvent};
use fhircast_gateway::mapping::{MappingSet, SourceFile, shipped};
use fhircast_gateway_adapter_api::Fields;
use fhircast_gateway_mllp::charset::Policy;
use fhircast_gateway_mllp::message::Message;
use proptest::prelude::*;
use serde_json::Value;

/// Takes every message, emits an event of each kind, and reads all that the base does.
const ANY: &str = r#"
extends = "hl7v2/radiology"

[[event]]
name = "Patient-open"

[[event]]
name = "Patient-close"
each = "PID"

[[event]]
name = "ImagingStudy-open"
each = "ORC"
when = "OBR-18.1 or ZDS-1.1"

[[event]]
name = "DiagnosticReport-close"
when = "OBR"

[event.context.report]
conclusion = "${OBX[*]-5 | join ' '}"

[event.context.patient]
text.div = "${NTE-3}"

[[event.context.patient.contact]]
each        = "NK1"
name.family = "${.2.1 | upper | replace 'A' '' | trim}"

[[event.context.patient.contact.telecom]]
each  = ".5"
value = "${.1 | split '-' | nth 2 | prefix 'x'}"
"#;

const SAMPLES: [&str; 5] = [
    include_str!("../../config/examples/messages/01-patient-at-the-desk.hl7"),
    include_str!("../../config/examples/messages/02-reading-begins.hl7"),
    include_str!("../../config/examples/messages/03-report-dictated.hl7"),
    include_str!("../../config/examples/messages/06-study-not-named.hl7"),
    include_str!("../../benches/order.hl7"),
];

/// One change to a message: at a place between its beginning and its end.
#[derive(Clone, Debug)]
enum Change {
    Delete(usize),
    Insert(Vec<u8>),
    Repeat(usize),
    Set(u8),
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let piece = prop_oneof![
        "[|^~&\\\\\"\r\n]{1,4}".prop_map(String::into_bytes),
        "\\\\(F|S|T|R|E|X00|XE4F6|X0B1C|\\.br|\\.sp99|H|Z1|P)\\\\".prop_map(String::into_bytes),
        "\r(PID|ORC|OBR|OBX|ZDS|NTE|NK1|PV1)\\|[0-9a-z|^&~\"]{0,40}".prop_map(String::into_bytes),
        "[ \u{a0}\u{2028}\u{feff}\u{200b}\u{1f600}äß\u{7f}]{1,3}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 1..6),
    ];
    let change = prop_oneof![
        1 => (1..60_usize).prop_map(Change::Delete),
        3 => piece.prop_map(Change::Insert),
        1 => (1..200_usize).prop_map(Change::Repeat),
        1 => any::<u8>().prop_map(Change::Set),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), change), 0..12)
}

fn changed(sample: &str, charset: &str, separators: [u8; 4], changes: &[(prop::sample::Index, Change)]) -> Vec<u8> {
    let text = sample.replace('\n', "\r").replace("UNICODE UTF-8", charset).into_bytes();
    let own = |byte: u8| b"^~\\&".iter().position(|standard| *standard == byte).map_or(byte, |at| separators[at]);
    let mut bytes: Vec<u8> = text.into_iter().map(own).collect();
    // The first bytes are left alone, or hardly any message would be read at all.
    for (at, change) in changes {
        let at = 9 + at.index(bytes.len().saturating_sub(9).max(1));
        let at = at.min(bytes.len());
        let until = |length: &usize| (at + length).min(bytes.len());
        match change {
            Change::Delete(length) => drop(bytes.drain(at..until(length))),
            Change::Insert(piece) => drop(bytes.splice(at..at, piece.iter().copied())),
            Change::Repeat(length) => {
                let piece = bytes[at..until(length)].to_vec();
                bytes.splice(at..at, piece);
            }
            Change::Set(byte) => bytes.get_mut(at).into_iter().for_each(|place| *place = *byte),
        }
    }
    bytes
}

/// Maps a message by every mapping, and looks at all that comes out; how many events that was.
fn check(set: &MappingSet, bytes: Vec<u8>) -> Result<usize, TestCaseError> {
    let Ok(message) = Message::read(Bytes::from(bytes), Policy::default()) else { return Ok(0) };
    let fields: &dyn Fields = &message;
    set.select(None, "hl7v2", fields);
    let mut events = 0;
    for mapping in set.mappings() {
        prop_assert!(!mapping.explain(fields).to_string().is_empty());
        let Ok(mapped) = mapping.apply(fields) else { continue };
        for mapped in mapped.events {
            for entry in &mapped.context {
                let resource: Value = serde_json::from_str(entry.resource.get())?;
                prop_assert!(is_filled(&resource), "{resource}");
                prop_assert!(resource["resourceType"].is_string() && resource["id"].is_string(), "{resource}");
            }
            let timestamp = jiff::Timestamp::UNIX_EPOCH;
            let (name, context, occurred) = (mapped.name, mapped.context, mapped.occurred);
            let event = Event::new("t", NewEvent { id: "e".into(), timestamp, name, context, occurred })?;
            serde_json::from_str::<Value>(&event.notification(event.name.as_str(), None))?;
            events += 1;
        }
    }
    Ok(events)
}

/// Whether nothing in it is blank or empty.
fn is_filled(json: &Value) -> bool {
    match json {
        Value::Array(items) => !items.is_empty() && items.iter().all(is_filled),
        Value::Object(members) => !members.is_empty() && members.values().all(is_filled),
        Value::String(text) => !text.trim().is_empty(),
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
    }
}

static SET: LazyLock<MappingSet> = LazyLock::new(|| {
    let files: Vec<SourceFile> = shipped().into_iter().chain([SourceFile::named("any", ANY)]).collect();
    MappingSet::load(&files, &fhircast_gateway::GRAMMARS).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
});

#[test]
fn no_message_panics_and_every_event_is_json_with_nothing_empty_in_it() {
    let separators = prop_oneof![
        3 => Just(*b"^~\\&"),
        1 => Just(b"!#$%*+,:;=?@_".to_vec()).prop_shuffle().prop_map(|own| [own[0], own[1], own[2], own[3]]),
    ];
    let charsets = "(UNICODE UTF-8||8859/1|ISO IR14|ISO IR87|BIG-5|KS X 1001|UNKNOWN)";
    let inputs = (prop::sample::select(&SAMPLES[..]), charsets, separators, changes());
    let mut runner =
        proptest::test_runner::TestRunner::new(ProptestConfig { cases: 1000, ..ProptestConfig::default() });
    let events = std::cell::Cell::new(0);
    let run = runner.run(&inputs, |(sample, charset, separators, changes)| {
        events.set(events.get() + check(&SET, changed(sample, &charset, separators, &changes))?);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
    assert!(events.get() > 1000, "hardly any message became an event: {}", events.get());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        check(&SET, [b"MSH|^~\\&|A|B|||1||ORM^O01|1|P|2.5\r", &bytes[..]].concat())?;
        check(&SET, bytes)?;
    }
}
