//! Ends the gateway again and again, under load, by kill -9 and by power cuts, and reports what was lost, doubled, and how long
//! recovery took; then recovery with many topics.
//!
//! `cargo bench --bench crashes -- --rounds 1000 --senders 16 --topics 10000 --seed 7`
#![expect(clippy::print_stdout, reason = "a report is for reading")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails has nothing to say")]

use std::path::PathBuf;
use std::process::ExitCode;

#[expect(dead_code, unused_imports, reason = "the tests of a failing disk use more of it")]
#[path = "../tests/faults/crash/mod.rs"]
mod crash;

use crash::{Plan, recovery, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` runs this too, only to see that it starts.
    let is_measured = arguments.iter().any(|argument| argument == "--bench");
    let number = |name: &str, default: usize| {
        let place = arguments.iter().position(|argument| argument == name);
        place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(default)
    };
    let rounds = number("--rounds", if is_measured { 50 } else { 1 });
    let topics = number("--topics", if is_measured { 10_000 } else { 10 });
    let (senders, seed) = (number("--senders", 16), number("--seed", 20_261_123) as u64);
    let program = || PathBuf::from(env!("CARGO_BIN_EXE_fhircast-gateway"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut is_clean = true;
    for power_cut in [false, true] {
        let report = runtime.block_on(run(Plan { program: program(), rounds, power_cut, senders, seed }));
        println!("{report}");
        is_clean &= report.is_clean();
    }
    let took = runtime.block_on(recovery(&program(), topics));
    println!(
        "{topics} topics, each with a context and a subscription: {} ms from start to serving after kill -9",
        took.as_millis()
    );
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
