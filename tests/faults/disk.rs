//! A disk that is full, slow or broken: nothing is promised that is not kept (F3 to F5).

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fhircast_gateway::store::{Filter, Messages};
use fhircast_gateway_mllp::sender::{Acknowledgement, SendError, Sender, Target};
use serde_json::json;
use tempfile::TempDir;

use super::crash::{Gateway, Ports, Shim, data, fault};

/// However slow the machine is, it does not take that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A gateway on a disk of the test's own.
struct Bench {
    gateway: Gateway,
    directory: TempDir,
    ports: Ports,
}

impl Bench {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(settings: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (ports, shim) = (Ports::free(), Shim::build(directory.path()));
        let gateway = Gateway::start_with(&program(), directory.path(), &ports, Some(&shim), settings);
        Self { gateway, directory, ports }
    }

    fn is(&self, what: &str) {
        fs::write(fault(self.directory.path()), what).unwrap();
    }

    fn is_well(&self) {
        fs::remove_file(fault(self.directory.path())).unwrap();
    }

    async fn send(&self, control_id: &str) -> Result<Acknowledgement, SendError> {
        let message = format!(
            "MSH|^~\\&|ACME_RIS|MAIN|FHIRCAST|GATEWAY|||ORM^O01^ORM_O01|{control_id}|P|2.5.1\r\
             PID|1||4711^^^MAIN&1.2.276.0.76.3.1.999&ISO^MR||Berger^Annelise\r\
             ORC|SC|P1|F1||IP|||||||||||||RAD-07|user\rOBR|1|P1|F1|CT^CT^L||||||||||||||A1\r\
             ZDS|1.2.3.{control_id}^ACME_RIS^Application^DICOM\r"
        );
        Sender::connect(Target::plain(&self.gateway.mllp)).await?.send(message.as_bytes()).await
    }

    /// As a sender does that hears nothing.
    async fn send_until_answered(&self, control_id: &str) -> Acknowledgement {
        let answered = async {
            loop {
                if let Ok(answer) = self.send(control_id).await {
                    return answer;
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.unwrap()
    }

    async fn publish(&self) -> u16 {
        let patient = json!([{"key": "patient", "resource": {"resourceType": "Patient", "id": "p1"}}]);
        let event = json!({"hub.topic": "app", "hub.event": "Patient-open", "context": patient});
        let body = json!({"timestamp": "2026-11-22T08:15:30Z", "id": "e1", "event": event});
        reqwest::Client::new().post(&self.gateway.hub_url).json(&body).send().await.unwrap().status().as_u16()
    }

    async fn is_ready(&self) -> bool {
        reqwest::get(format!("{}/readyz", self.gateway.admin_url)).await.unwrap().status().is_success()
    }

    /// Returns once the gateway says so.
    async fn until_ready(&self, ready: bool) {
        let said = async {
            while self.is_ready().await != ready {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, said).await.unwrap();
    }

    /// What became of each message with this control id, newest first.
    fn outcomes(&self, control_id: &str) -> Vec<String> {
        let messages = Messages::open(&data(self.directory.path())).unwrap();
        let rows = messages.list(&Filter { control_id: Some(control_id.into()), ..Filter::default() }, 10).unwrap();
        rows.into_iter().map(|row| row.record.outcome.to_string()).collect()
    }

    async fn context(&self, topic: &str) -> String {
        reqwest::get(format!("{}/{topic}", self.gateway.hub_url)).await.unwrap().text().await.unwrap()
    }
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_fhircast-gateway"))
}

#[tokio::test]
async fn f3_while_the_disk_is_full_nothing_is_taken_and_afterwards_everything_again() {
    let bench = Bench::start();
    assert_eq!(bench.send("1").await.unwrap().code, "AA");
    bench.is("full");
    // Closed without an answer: the sender sends it again.
    assert!(bench.send("2").await.is_err());
    assert_eq!(bench.publish().await, 507);
    bench.until_ready(false).await;
    assert!(bench.context("user").await.contains("1.2.3.1"), "what was there is still told");
    assert!(!bench.context("app").await.contains("p1"), "what was refused is not");
    bench.is_well();
    bench.until_ready(true).await;
    assert_eq!(bench.send("2").await.unwrap().code, "AA");
    assert_eq!(bench.publish().await, 202);
    assert!(bench.context("user").await.contains("1.2.3.2"));
}

#[tokio::test]
async fn f4_after_a_failed_sync_nothing_is_promised_any_more_and_all_that_was_is_kept() {
    let Bench { gateway, directory, ports } = {
        let bench = Bench::start();
        assert_eq!(bench.send("1").await.unwrap().code, "AA");
        bench.is("broken");
        assert!(bench.send("2").await.is_err());
        bench
    };
    let (code, errors) = gateway.ended();
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("store has failed"), "{errors}");
    let gateway = Gateway::start(&program(), directory.path(), &ports, None);
    let bench = Bench { gateway, directory, ports };
    assert!(bench.context("user").await.contains("1.2.3."));
    assert_eq!(bench.send("2").await.unwrap().code, "AA", "sent again, as its sender does");
}

#[tokio::test]
async fn f5_a_slow_disk_makes_answers_late_and_none_fail() {
    let bench = Bench::start();
    bench.is("slow 100");
    let answers = futures_util::future::join_all(["1", "2", "3"].map(|control_id| bench.send(control_id))).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.code, "AA");
        assert!(answer.elapsed >= Duration::from_millis(100), "answered before it was synced");
    }
    assert_eq!(bench.publish().await, 202);
}

#[tokio::test]
async fn f4_what_cannot_be_written_back_ends_the_gateway_though_nobody_sends_anything() {
    let bench = Bench::start();
    bench.is("worn");
    assert_eq!(bench.send("1").await.unwrap().code, "AA", "the log is synced, and the log is what counts");
    let (code, errors) = bench.gateway.ended();
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("store has failed"), "{errors}");
}

#[tokio::test]
async fn f5_a_message_whose_answer_came_too_late_is_known_when_it_is_sent_again() {
    let bench = Bench::start_with(&["adapter.ris.answer_timeout=200ms"]);
    bench.is("slow 1500");
    assert!(bench.send("1").await.is_err(), "the disk is slower than the adapter is patient");
    bench.is_well();
    assert_eq!(bench.send_until_answered("1").await.code, "AA");
    assert_eq!(bench.outcomes("1"), ["duplicate", "accepted"]);
}
