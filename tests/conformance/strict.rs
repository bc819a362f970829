//! IHE RAD IRA at the strict mount: what the Hub actor must answer (clients.md, section 5).

use serde_json::{Value, json};

use super::fixture::{Bench, event, put, report_event, subscription, update_event};
use super::socket::connect;

const STRICT: &str = "/hub-ira";

async fn session() -> (Bench, super::fixture::Viewer) {
    let bench = Bench::start().await;
    let events = ["DiagnosticReport-open", "DiagnosticReport-update", "DiagnosticReport-select", "SyncError"];
    let viewer = bench.at(STRICT).subscriber("t1", &events).await;
    (bench, viewer)
}

async fn open(bench: &Bench) -> Value {
    let opened = bench.at(STRICT).publish(&report_event("t1", "DiagnosticReport-open", "e1", "r1")).await;
    opened.expect(202, "e1");
    opened.json()["context.versionId"].clone()
}

#[tokio::test]
async fn ira_07_08_09_16_subscriptions_are_held_to_the_profile() {
    let bench = Bench::start().await;
    let mount = bench.at(STRICT);
    let named = |text: &str| format!("{text}&subscriber.name=Viewer");
    let subscribe = subscription("t1", "diagnosticreport-open,anything");
    mount.form(&subscribe).await.expect(400, "subscriber.name");
    mount.form(&named(&subscribe.replace("websocket", "webhook"))).await.expect(400, "websocket");
    mount.form(&named(&subscription("", "a"))).await.expect(400, "hub.topic");
    mount.form(&named(&subscription("t1", ""))).await.expect(400, "hub.events");
    let endpoint = mount.form(&named(&subscribe)).await.json()["hub.channel.endpoint"].as_str().unwrap().to_owned();
    let replaced = format!("{}&hub.channel.endpoint={endpoint}&hub.lease_seconds=60", named(&subscription("t1", "a")));
    assert_eq!(mount.form(&replaced).await.json()["hub.channel.endpoint"], *endpoint);
    let foreign = format!("{}&hub.channel.endpoint=ws://elsewhere/bind/1", named(&subscribe));
    mount.form(&foreign).await.expect(404, "hub.channel.endpoint");
    let end = |endpoint: &str| {
        format!("hub.channel.type=websocket&hub.mode=unsubscribe&hub.topic=t1&hub.channel.endpoint={endpoint}")
    };
    mount.form(&end("")).await.expect(400, "hub.channel.endpoint");
    mount.form(&end(&endpoint.replace("/ws/", "/ws/x"))).await.expect(400, "hub.channel.endpoint");
    mount.form(&end(&endpoint)).await.expect(202, &endpoint);
    assert_eq!(bench.upgrade(&endpoint, "").await.0, 404, "IRA-09");
}

#[tokio::test]
async fn ira_10_12_13_22_unknown_sessions_and_missing_parts_are_refused() {
    let (bench, _viewer) = session().await;
    let mount = bench.at(STRICT);
    let version = open(&bench).await;
    let mut elsewhere = report_event("t2", "DiagnosticReport-open", "e2", "r1");
    mount.publish(&elsewhere).await.expect(400, "session");
    mount.get("t2").await.expect(404, "session");
    elsewhere["event"]["hub.topic"] = json!("t1");
    for key in ["report", "patient", "study"] {
        let mut lacking = elsewhere.clone();
        lacking["event"]["context"].as_array_mut().unwrap().retain(|entry| entry["key"] != key);
        mount.publish(&lacking).await.expect(400, &format!("`{key}`"));
    }
    mount
        .publish(&update_event("t1", "u1", &json!("stale"), &json!([put("1")])))
        .await
        .expect(400, "context.versionId");
    mount.publish(&event("t1", "SyncError", "e3", "")).await.expect(400, "operationoutcome");
    let mut close = event("t1", "DiagnosticReport-close", "e4", "");
    mount.publish(&close).await.expect(400, "`report`");
    close["event"]["context"] =
        json!([{"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": "r1"}}]);
    mount.publish(&close).await.expect(202, "e4");
    assert_eq!(mount.get("t1").await.json()["context.type"], "", "nothing is current");
    mount.publish(&update_event("t1", "u2", &version, &json!([put("1")]))).await.expect(409, "not open");
    close["id"] = json!("e5");
    mount.publish(&close).await.expect(409, "not open");
}

#[tokio::test]
async fn ira_05_the_hub_opens_and_closes_nothing_by_itself() {
    let bench = Bench::start().await;
    let mut viewer = bench.at(STRICT).subscriber("t1", &["Patient-open", "Patient-close", "Home-open"]).await;
    let report = report_event("t1", "DiagnosticReport-open", "e1", "r1");
    bench.at(STRICT).publish(&report).await.expect(202, "e1");
    let close = report_event("t1", "DiagnosticReport-close", "e2", "r1");
    bench.at(STRICT).publish(&close).await.expect(202, "e2");
    bench.at(STRICT).publish(&event("t1", "Home-open", "e3", "")).await.expect(202, "e3");
    viewer.expect_event("Home-open").await;
}

#[tokio::test]
async fn ira_03_events_outside_the_catalogue_are_distributed_and_move_the_context() {
    let bench = Bench::start().await;
    let mut viewer = bench.at(STRICT).subscriber("t1", &["HeartBeat", "Goal-open"]).await;
    bench.at(STRICT).publish(&event("t1", "HeartBeat", "e1", "")).await.expect(202, "e1");
    viewer.expect_event("HeartBeat").await;
    let mut goal = event("t1", "Goal-open", "e2", "");
    goal["event"]["context"] = json!([{"key": "goal", "resource": {"resourceType": "Goal", "id": "g1"}}]);
    bench.at(STRICT).publish(&goal).await.expect(202, "e2");
    viewer.expect_event("Goal-open").await;
    assert_eq!(bench.at(STRICT).get("t1").await.json()["context.type"], "Goal");
}

#[tokio::test]
async fn ira_11_the_same_event_is_answered_as_before_and_told_once() {
    let (bench, mut viewer) = session().await;
    let version = open(&bench).await;
    assert_eq!(open(&bench).await, version);
    viewer.expect_event("DiagnosticReport-open").await;
    bench.at(STRICT).publish(&update_event("t1", "u1", &version, &json!([put("1")]))).await.expect(202, "u1");
    viewer.expect_event("DiagnosticReport-update").await;
}

#[tokio::test]
async fn ira_14_patient_and_study_of_a_context_stay() {
    let (bench, _viewer) = session().await;
    let version = open(&bench).await;
    let patient = json!({"request": {"method": "PUT"}, "resource": {"resourceType": "Patient", "id": "p2"}});
    let study = json!({"request": {"method": "DELETE", "url": "ImagingStudy/s1"}});
    for entry in [patient, study] {
        bench.at(STRICT).publish(&update_event("t1", "u1", &version, &json!([entry]))).await.expect(400, "patient");
    }
}

#[tokio::test]
async fn ira_15_a_select_of_something_unknown_is_processed_in_part() {
    let (bench, mut viewer) = session().await;
    open(&bench).await;
    viewer.expect_event("DiagnosticReport-open").await;
    let mut select = event("t1", "DiagnosticReport-select", "s1", "");
    let report = json!({"key": "report", "reference": {"reference": "DiagnosticReport/r1"}});
    select["event"]["context"] = json!([report]);
    bench.at(STRICT).publish(&select).await.expect(400, "`select`");
    select["event"]["context"] = json!([
        report,
        {"key": "select", "reference": {"reference": "Observation/9"}},
        {"key": "select", "reference": {"reference": "ImagingStudy/s1"}},
    ]);
    bench.at(STRICT).publish(&select).await.expect(206, "s1");
    let told = viewer.expect_event("DiagnosticReport-select").await;
    assert_eq!(told["event"]["context"].as_array().unwrap().len(), 2);
    assert_eq!(told["event"]["context"][1]["reference"]["reference"], "ImagingStudy/s1");
}

#[tokio::test]
async fn ira_17_18_21_context_content_versions_and_sync_errors_are_as_the_profile_has_them() {
    let (bench, mut viewer) = session().await;
    let subscribe = format!("{}&subscriber.name=Other", subscription("t1", "Patient-open,SyncError"));
    let other = bench.at(STRICT).form(&subscribe).await.json()["hub.channel.endpoint"].as_str().unwrap().to_owned();
    let mut other = connect(&other).await;
    other.text().await;
    let version = open(&bench).await;
    viewer.expect_event("DiagnosticReport-open").await;
    bench.at(STRICT).publish(&update_event("t1", "u1", &version, &json!([put("1")]))).await.expect(202, "u1");
    let told = viewer.expect_event("DiagnosticReport-update").await;
    assert_eq!(told["event"]["context.priorVersionId"], version);
    let context = bench.at(STRICT).get("t1").await.json();
    assert_eq!(context["context"].as_array().unwrap().last().unwrap()["key"], "content");
    bench.at(STRICT).publish(&event("t1", "Patient-open", "e2", "p1")).await.expect(202, "e2");
    other.text().await;
    other.say(r#"{"id":"e2","status":409}"#).await;
    let refused = viewer.expect_event("SyncError").await;
    let coding = &refused["event"]["context"][0]["resource"]["issue"][0]["details"]["coding"];
    let codes: Vec<_> = (0..3).map(|index| &coding[index]["code"]).collect();
    assert_eq!(codes, ["e2", "Patient-open", "Other"]);
    assert!(other.text().await.contains("SyncError"), "IRA-19: the refuser too");
}
