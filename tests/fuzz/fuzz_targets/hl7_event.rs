//! No message panics on its way through the shipped mappings, and what comes out of them is JSON with nothing empty in it.

#![no_main]

use std::sync::LazyLock;

use bytes::Bytes;
use fhircast_gateway::mapping::{MappingSet, SourceFile, shipped};
use fhircast_gateway_adapter_api::Fields;
use fhircast_gateway_mllp::charset::Policy;
use fhircast_gateway_mllp::message::Message;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Emits an event for whatever a message is.
const ANY: &str = r#"
extends = "hl7v2/radiology"
[[event]]
name = "Patient-open"
[[event]]
name = "ImagingStudy-open"
each = "ORC"
[[event]]
name = "DiagnosticReport-close"
when = "OBR"
[event.context.study]
each = "OBR"
"#;

static SET: LazyLock<MappingSet> = LazyLock::new(|| {
    let files: Vec<SourceFile> = shipped().into_iter().chain([SourceFile::named("any", ANY)]).collect();
    MappingSet::load(&files, &fhircast_gateway::GRAMMARS).expect("the mappings are sound")
});

fuzz_target!(|payload: &[u8]| {
    let Ok(message) = Message::read(Bytes::copy_from_slice(payload), Policy::default()) else { return };
    let fields: &dyn Fields = &message;
    SET.select(None, "hl7v2", fields);
    for mapping in SET.mappings() {
        mapping.explain(fields);
        let Ok(mapped) = mapping.apply(fields) else { continue };
        for entry in mapped.events.iter().flat_map(|event| &event.context) {
            let resource: Value = serde_json::from_str(entry.resource.get()).expect("it is JSON");
            assert!(is_filled(&resource) && resource["id"].is_string());
        }
    }
});

fn is_filled(json: &Value) -> bool {
    match json {
        Value::Array(items) => !items.is_empty() && items.iter().all(is_filled),
        Value::Object(members) => !members.is_empty() && members.values().all(is_filled),
        Value::String(text) => !text.trim().is_empty(),
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
    }
}
