//! No message and no path panics; a value is never empty and holds no control but TAB, LF and CR.
//!
//! The input's first line is read as a path, the rest as a message.

#![no_main]

use bytes::Bytes;
use fhircast_gateway_adapter_api::{Fields, Grammar, Path, Value};
use fhircast_gateway_mllp::Hl7v2;
use fhircast_gateway_mllp::charset::Policy;
use fhircast_gateway_mllp::message::Message;
use libfuzzer_sys::fuzz_target;

const PATHS: [&str; 9] =
    ["MSH-2", "PID-3", "PID-3[2].4.2", "PID-3[5=MR].1", "OBX[2]-5", "OBX[*]-5", "OBX[3.1=A]-5[*].1", "ORC", "ZDS-1.1"];

fuzz_target!(|input: &[u8]| {
    let (path, payload) = input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let fuzzed = std::str::from_utf8(path).ok().and_then(|path| Hl7v2.path(path).ok());
    let Ok(message) = Message::read(Bytes::copy_from_slice(payload), Policy::default()) else { return };
    let paths: Vec<Path> = PATHS.iter().map(|path| Hl7v2.path(path).expect("it is sound")).chain(fuzzed).collect();
    let relative = [".1", ".3[2].1", "ORC-1"].map(|path| Hl7v2.path(path).expect("it is sound"));
    for path in &paths {
        read(&message, path);
        for part in message.each(path) {
            relative.iter().for_each(|path| read(&*part, path));
        }
    }
});

fn read(fields: &dyn Fields, path: &Path) {
    let all = fields.all(path);
    assert_eq!(all.first().cloned().unwrap_or(Value::Absent), fields.first(path));
    for value in all {
        match value {
            Value::Absent => panic!("absent values are left out"),
            Value::Deleted => {}
            Value::Text(text) => assert!(!text.is_empty() && !text.chars().any(is_dropped)),
        }
    }
}

fn is_dropped(character: char) -> bool {
    character < ' ' && !matches!(character, '\t' | '\n' | '\r')
}
