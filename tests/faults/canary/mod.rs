//! The PHI canary (T12, F19): marked patients go through every path, good and bad, with the log at its loudest. Then no line of the
//! log, no metric, no text for strangers and no file shows any of the marks.
//!
//! The store and the audit log hold patients on purpose, and nothing else does: their files are left out, and nothing more. So
//! are the answers that are to hold a context, as whoever gets them may read it. What is no patient's carries no mark: control
//! ids, kinds of messages, users, names of subscribers and of events that the catalogue has.

mod desktop;
mod gateway;
mod messages;
mod requests;

use fhircast_gateway::store::database_file;
use serde_json::Value;

use self::gateway::Gateway;

/// What must not be seen: in the name, numbers, address and study of every patient, in whatever case.
const MARKS: [&str; 2] = ["canary", "98765432101"];

/// The marks in `bytes`, each with what stands around it.
fn sightings(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).to_lowercase();
    let around = |index: usize| {
        let (from, to) = (text.floor_char_boundary(index.saturating_sub(120)), (index + 60).min(text.len()));
        text[from..text.floor_char_boundary(to)].to_owned()
    };
    MARKS.iter().flat_map(|mark| text.match_indices(mark)).map(|(index, _)| around(index)).collect()
}

/// Fails where `bytes`, which `where_from` names, show a mark.
#[track_caller]
fn expect_none(where_from: &str, bytes: &[u8]) {
    let seen = sightings(bytes);
    assert!(seen.is_empty(), "{where_from} shows {} marks, such as: {}", seen.len(), seen[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_f19_no_patient_is_in_a_log_of_json_a_metric_a_refusal_or_a_file() {
    let log = run("json").await;
    for line in log.lines() {
        let record: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(record["timestamp"].is_string() && record["level"].is_string(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_f19_no_patient_is_in_a_log_of_text_a_metric_a_refusal_or_a_file() {
    run("text").await;
}

/// Sends everything through a gateway of its own, and looks everywhere; gives its log.
async fn run(format: &str) -> String {
    let gateway = Gateway::start(format);
    assert_eq!(gateway.core_limits(), ["0", "0"], "its memory may be written to a file");
    let topic = gateway.topic("drjones").await;
    messages::send_all(&gateway).await;
    requests::ask_all(&gateway, &topic).await;
    desktop::commit_all(&gateway).await;
    requests::handle_again(&gateway).await;
    for path in ["/metrics", "/readyz", "/healthz", "/mappings", "/sessions", "/subscribers"] {
        expect_none(path, gateway.operator(path).await.as_bytes());
    }
    let directory = gateway.stop();
    let (data, log) = (directory.path().join("data"), gateway::log(directory.path()));
    let text = std::fs::read_to_string(&log).unwrap();
    expect_none("the log", text.as_bytes());
    let is_harmful = |character: char| character.is_control() || character == '\u{202e}';
    assert!(!text.replace('\n', "").contains(is_harmful), "T11: the log holds control characters");
    assert!(text.contains("Message refused.") && text.contains("DEBUG"), "the log was not loud");
    for path in gateway::files(directory.path()) {
        let is_theirs = path.starts_with(data.join("audit")) || path.to_string_lossy().contains("gateway.db");
        if !is_theirs {
            expect_none(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
    // What was looked for is where it belongs: the test has sent what it says.
    let kept = std::fs::read(database_file(&data)).unwrap();
    let audited: Vec<u8> =
        gateway::files(&data.join("audit")).iter().flat_map(|it| std::fs::read(it).unwrap()).collect();
    assert!(sightings(&kept).len() > 20 && !sightings(&audited).is_empty(), "nothing was kept");
    text
}
