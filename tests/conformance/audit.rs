//! IRA-23: who subscribed, read and published is in the audit log before the answer, and cannot be changed unseen.

use std::io;
use std::path::Path;

use fhircast_gateway::audit::{Action, AuditLog, AuditSettings, Digest, FIRST, Spool, verify};
use fhircast_gateway::store::{AuditFiles, audit_files};
use serde_json::Value;

use super::fixture::{Bench, event, subscription};
use super::scopes::{authenticator, endpoint, token};

const ALL: [Action; 5] =
    [Action::Authenticate, Action::Subscribe, Action::Unsubscribe, Action::GetContext, Action::Publish];

fn log(spool: impl Spool + 'static, previous: Digest) -> AuditLog {
    AuditLog::start(&AuditSettings { actions: ALL.to_vec(), syslog: None }, spool, previous).unwrap()
}

fn lines(directory: &Path) -> Vec<String> {
    let files = audit_files(directory).unwrap();
    let text = files.iter().map(|(path, _)| std::fs::read_to_string(path).unwrap());
    text.collect::<String>().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn ira_23_each_request_is_in_the_log_when_it_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let (files, previous) = AuditFiles::open(directory.path()).unwrap();
    let bench = Bench::with_audit(log(files, previous), authenticator).await;
    let form = format!("{}&subscriber.name=Viewer", subscription("t1", "Patient-open,SyncError"));
    let answer = bench.form_as("all", &form).await;
    assert_eq!(lines(directory.path()).len(), 1, "before the answer");
    bench.publish_as("all", &event("t1", "Patient-open", "e1", "p1")).await.expect(202, "e1");
    bench.get_as("all", "/hub/t1").await.expect(200, "Patient");
    bench.get_as("report-reader", "/hub/t1").await.expect(403, "scope");
    bench.form_as("unknown", &form).await.expect(401, "not accepted");
    let unsubscribe = format!(
        "hub.channel.type=websocket&hub.mode=unsubscribe&hub.topic=t1&hub.channel.endpoint={}",
        endpoint(&answer)
    );
    bench.form_as("all", &unsubscribe).await.expect(202, "");
    let lines = lines(directory.path());
    assert!(verify(lines.iter().map(String::as_str), FIRST).is_ok());
    let events: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> = events
        .iter()
        .map(|event| {
            let subtype = &event["subtype"][0];
            let code = subtype["code"].as_str().or(subtype["display"].as_str()).unwrap();
            (code, event["outcome"].as_str().unwrap())
        })
        .collect();
    let expected = [
        ("RAD-146", "0"),
        ("Patient-open", "0"),
        ("RAD-153", "0"),
        ("RAD-153", "4"),
        ("110122", "4"),
        ("RAD-152", "0"),
    ];
    assert_eq!(found, expected);
    assert_eq!(events[0]["agent"][0]["name"], "Viewer");
    assert_eq!(events[0]["agent"][0]["who"]["identifier"]["value"], "all");
    assert_eq!(events[0]["agent"][0]["network"]["address"], "127.0.0.1");
    for told in [&events[1], &events[2]] {
        let patient = told["entity"].as_array().unwrap().iter().find(|entity| entity["what"]["type"] == "Patient");
        assert_eq!(patient.unwrap()["what"]["reference"], "Patient/p1");
    }
    let secrets = [token("all"), token("unknown"), endpoint(&answer)];
    assert!(lines.iter().all(|line| secrets.iter().all(|secret| !line.contains(secret))), "a secret in the log");
}

#[tokio::test]
async fn ira_23_what_cannot_be_audited_is_not_answered() {
    struct Full;
    impl Spool for Full {
        fn append(&mut self, _: &str, _: &str) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let bench = Bench::with_audit(log(Full, FIRST), authenticator).await;
    bench.form_as("all", &subscription("t1", "Patient-open")).await.expect(503, "cannot be audited");
    bench.publish_as("all", &event("t1", "Patient-open", "e1", "p1")).await.expect(202, "e1");
    let answer = bench.get_as("all", "/hub/t1").await;
    answer.expect(503, "cannot be audited");
    assert!(!answer.body.contains("p1"));
}
