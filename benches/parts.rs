//! The steps of a message, each by itself: `cargo bench --bench parts`.
//!
//! Microseconds a message, the median of many rounds, each against the floor of splitting the same bytes at their
//! separators without allocating.
#![expect(clippy::print_stdout, reason = "a measurement is for reading")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails has nothing to say")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fhircast_gateway::fhircast::{Event, NewEvent};
use fhircast_gateway::loading::load;
use fhircast_gateway::mapping::{MappingSet, SourceFile, shipped};
use fhircast_gateway_adapter_api::{Fields as _, Grammar as _, Path as FieldPath};
use fhircast_gateway_mllp::Hl7v2;
use fhircast_gateway_mllp::frame::{Decoder, encode};
use fhircast_gateway_mllp::message::Message;
use fhircast_gateway_mllp::settings::Settings;

/// Ten fields that an order's mapping asks for.
const FIELDS: [&str; 10] =
    ["MSH-3.1", "MSH-9.1", "MSH-10", "PID-3.1", "PID-5.1", "PID-7", "ORC-1", "ORC-5", "OBR-18", "ZDS-1.1"];

fn main() {
    // `cargo test --benches` runs this too, only to see that it starts.
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 200 } else { 1 };
    let text = include_str!("order.hl7").replace('\n', "\r");
    let payload = Bytes::from(text.replace("CONTROL-ID", "1").replace("READER", "drjones"));
    let frame = encode(&payload);
    let policy = Settings::default().charset_policy();
    let message = Message::read(payload.clone(), policy).unwrap();
    let paths: Vec<FieldPath> = FIELDS.iter().map(|path| Hl7v2.path(path).unwrap()).collect();
    let set = load(Path::new("")).unwrap_or_else(|error| panic!("{error}")).set;
    let mapping = set.mapping("vendors/acme-ris").unwrap();

    let files = many_mappings();
    let begun = Instant::now();
    let many = MappingSet::load(&files, &fhircast_gateway::GRAMMARS).unwrap_or_else(|error| panic!("{error}"));
    println!("load {MAPPINGS} mappings: {:.0} ms", begun.elapsed().as_secs_f64() * 1000.0);

    println!("ORM^O01 of {} bytes; microseconds a message, median of {rounds} rounds of 1,000", payload.len());
    let floor = report("floor: split at the separators, nothing allocated", rounds, None, || split(&payload));
    report("unframe", rounds, Some(floor), || {
        let mut decoder = Decoder::new(1 << 20);
        decoder.extend(&frame);
        decoder.decode().is_some()
    });
    report("index", rounds, Some(floor), || Message::read(payload.clone(), policy).is_ok());
    report("index and read ten fields", rounds, Some(floor), || {
        let message = Message::read(payload.clone(), policy).unwrap();
        paths.iter().filter(|path| message.first(path) != fhircast_gateway_adapter_api::Value::Absent).count()
    });
    report("find the mapping", rounds, Some(floor), || set.select(None, "hl7v2", &message).is_some());
    report("find the mapping among 200", rounds, Some(floor), || many.select(None, "hl7v2", &message).is_some());
    report("map", rounds, Some(floor), || mapping.apply(&message).unwrap().events.len());
    let mapped = mapping.apply(&message).unwrap();
    report("make the event", rounds, Some(floor), || {
        let event = mapped.events[0].clone();
        let timestamp = jiff::Timestamp::UNIX_EPOCH;
        Event::new(
            "t",
            NewEvent { id: "e".into(), timestamp, name: event.name, context: event.context, occurred: event.occurred },
        )
        .is_ok()
    });
}

/// Segments, then fields, counted.
fn split(payload: &[u8]) -> usize {
    payload.split(|&byte| byte == b'\r').map(|segment| segment.split(|&byte| byte == b'|').count()).sum()
}

/// How many mappings a large site has.
const MAPPINGS: usize = 200;

/// The shipped mappings and as many of a site's, each of a sender of its own.
fn many_mappings() -> Vec<SourceFile> {
    let site = |number: usize| {
        let text = format!(
            "extends = \"vendors/acme-ris\"\n[accept]\nwhen = 'MSH-3.1 == \"SITE_{number}\" and MSH-4.1 in [\"MAIN\", \"EAST\"]'\n[constant]\naccession-system = \"urn:site:{number}\"\n[table.authority]\nSITE = \"urn:site\"\n"
        );
        SourceFile::named(&format!("site/{number:03}"), &text)
    };
    shipped().into_iter().chain((0..MAPPINGS).map(site)).collect()
}

fn report<T>(name: &str, rounds: usize, floor: Option<f64>, mut step: impl FnMut() -> T) -> f64 {
    let mut medians: Vec<Duration> = (0..rounds)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..1000 {
                black_box(step());
            }
            begun.elapsed()
        })
        .collect();
    medians.sort_unstable();
    let microseconds = medians[medians.len() / 2].as_secs_f64() * 1e6 / 1000.0;
    let ratio = floor.map(|floor| format!("  {:.1} times the floor", microseconds / floor)).unwrap_or_default();
    println!("{name:<52} {microseconds:>8.2}{ratio}");
    microseconds
}
