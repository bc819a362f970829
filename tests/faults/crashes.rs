//! The short run of what `cargo bench --bench crashes` does for as long as it is asked to.

use std::path::PathBuf;

use super::crash::{Plan, Report, recovery, run};

async fn ended(power_cut: bool, rounds: usize) -> Report {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_fhircast-gateway"));
    run(Plan { program, rounds, power_cut, senders: 4, seed: 20_261_123 }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f1_what_was_acknowledged_is_there_once_after_a_kill_at_any_moment() {
    let report = ended(false, 15).await;
    assert!(report.is_clean() && report.acknowledged > 0, "\n{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f2_what_was_acknowledged_is_there_once_after_a_power_cut_at_any_moment() {
    let report = ended(true, 15).await;
    assert!(report.is_clean() && report.acknowledged > 0, "\n{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn topics_with_contexts_and_subscriptions_are_found_again_after_a_kill() {
    // How long many of them take is for the benchmark to say.
    recovery(&PathBuf::from(env!("CARGO_BIN_EXE_fhircast-gateway")), 50).await;
}
