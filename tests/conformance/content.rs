//! UPD, SEL: content is shared in a context.

use bytesize::ByteSize;
use fhircast_gateway::hub::HubSettings;
use serde_json::{Value, json};

use super::fixture::{Bench, event, put, report_event, update_event};

/// A hub with the report `r1` open on `t1`, and its version.
async fn reading() -> (Bench, Value) {
    let bench = Bench::start().await;
    let version = open(&bench).await;
    (bench, version)
}

async fn open(bench: &Bench) -> Value {
    let opened = bench.publish(&report_event("t1", "DiagnosticReport-open", "e1", "r1")).await;
    opened.expect(202, "e1");
    opened.json()["context.versionId"].clone()
}

async fn content(bench: &Bench) -> Value {
    let context = bench.get("/hub/t1").await.json();
    let entries = context["context"].as_array().unwrap();
    let content = entries.last().unwrap();
    assert_eq!((&content["key"], &content["resource"]["type"]), (&json!("content"), &json!("collection")));
    content["resource"]["entry"].clone()
}

#[tokio::test]
async fn upd_01_02_03_08_an_update_is_versioned_and_told_as_it_was_asked_for() {
    let (bench, first) = reading().await;
    let mut viewer = bench.subscriber("t1", &["DiagnosticReport-update"]).await;
    let sent = update_event("t1", "u1", &first, &json!([put("1")]));
    let answer = bench.publish(&sent).await;
    answer.expect(202, "u1");
    let second = answer.json()["context.versionId"].clone();
    assert_ne!(first, second);
    let told = viewer.expect_event("DiagnosticReport-update").await;
    assert_eq!((&told["event"]["context.versionId"], &told["event"]["context.priorVersionId"]), (&second, &first));
    assert_eq!(told["event"]["context"], sent["event"]["context"], "the Bundle keeps its id and entries");
    bench.publish(&update_event("t1", "u2", &first, &json!([put("2")]))).await.expect(409, "context.versionId");
    let mut older = update_event("t1", "u3", &second, &json!([put("2")]));
    let event = older["event"].as_object_mut().unwrap();
    let version = event.remove("context.versionId").unwrap();
    event.insert("versionId".into(), version);
    bench.publish(&older).await.expect(202, "u3");
}

#[tokio::test]
async fn upd_04_05_06_07_11_what_cannot_be_applied_as_a_whole_is_refused_as_a_whole() {
    let (bench, version) = reading().await;
    let update = |entries: Value| update_event("t1", "u1", &version, &entries);
    let delete = |url: &str| json!({"request": {"method": "DELETE", "url": url}});
    let post = json!({"request": {"method": "POST"}, "resource": {"resourceType": "Observation", "id": "1"}});
    bench.publish(&update(json!([put("1"), post]))).await.expect(400, "updates.entry[1]");
    bench.publish(&update(json!([put("1"), put("1")]))).await.expect(400, "updates.entry[1]");
    bench.publish(&update(json!([put("1"), delete("Patient/p1")]))).await.expect(400, "cannot be deleted");
    let mut no_bundle = update(json!([]));
    no_bundle["event"]["context"].as_array_mut().unwrap().pop();
    bench.publish(&no_bundle).await.expect(400, "updates");
    let mut no_anchor = update(json!([put("1")]));
    no_anchor["event"]["context"].as_array_mut().unwrap().remove(0);
    bench.publish(&no_anchor).await.expect(400, "`report`");
    let mut other = update(json!([put("1")]));
    other["event"]["context"][0]["reference"]["reference"] = json!("DiagnosticReport/r9");
    bench.publish(&other).await.expect(404, "not open");
    assert_eq!(content(&bench).await, json!([]));
}

#[tokio::test]
async fn upd_09_10_get_context_has_the_content_as_it_now_is_until_the_context_is_closed() {
    let (bench, first) = reading().await;
    let opened = bench.get("/hub/t1").await.json();
    assert_eq!(content(&bench).await, json!([]));
    let second = bench.publish(&update_event("t1", "u1", &first, &json!([put("1"), put("2")]))).await.json();
    let delete = json!({"fullUrl": "Observation/1", "request": {"method": "DELETE"}});
    let update = update_event("t1", "u2", &second["context.versionId"], &json!([delete]));
    let third = bench.publish(&update).await.json();
    assert_eq!(content(&bench).await, json!([{"resource": {"resourceType": "Observation", "id": "2"}}]));
    let now = bench.get("/hub/t1").await.json();
    assert_eq!(now["context.versionId"], third["context.versionId"]);
    assert_eq!(now["context"].as_array().unwrap()[..3], opened["context"].as_array().unwrap()[..3]);
    bench.publish(&report_event("t1", "DiagnosticReport-close", "e2", "r1")).await.expect(202, "e2");
    open(&bench).await;
    assert_eq!(content(&bench).await, json!([]));
}

#[tokio::test]
async fn upd_12_updates_of_other_open_contexts_are_refused_and_the_configuration_says_so() {
    let (bench, version) = reading().await;
    bench.publish(&event("t1", "Patient-open", "e2", "p1")).await;
    bench.publish(&update_event("t1", "u1", &version, &json!([put("1")]))).await.expect(409, "current");
    let mut settings = HubSettings::default();
    settings.mount.get_mut("standard").unwrap().non_current_updates = Some(true);
    let lenient = Bench::with(settings).await;
    let version = open(&lenient).await;
    lenient.publish(&event("t1", "Patient-open", "e2", "p1")).await;
    lenient.publish(&update_event("t1", "u1", &version, &json!([put("1")]))).await.expect(202, "u1");
    for (bench, supported) in [(&bench, false), (&lenient, true)] {
        let configuration = bench.get("/hub/.well-known/fhircast-configuration").await.json();
        assert_eq!(configuration["capabilities"]["supportsNonCurrentContextUpdates"], supported);
    }
}

#[tokio::test]
async fn upd_13_too_much_content_is_too_large() {
    let settings = HubSettings { max_content: 2, max_content_size: ByteSize::kib(1), ..HubSettings::default() };
    let bench = Bench::with(settings).await;
    let version = open(&bench).await;
    let many = json!([put("1"), put("2"), put("3")]);
    bench.publish(&update_event("t1", "u1", &version, &many)).await.expect(413, "content");
    let mut large = put("1");
    large["resource"]["note"] = "x".repeat(2000).into();
    bench.publish(&update_event("t1", "u2", &version, &json!([large]))).await.expect(413, "content");
    bench.publish(&update_event("t1", "u3", &version, &json!([put("1"), put("2")]))).await.expect(202, "u3");
}

#[tokio::test]
async fn upd_14_of_racing_updates_of_one_version_exactly_one_wins() {
    let (bench, version) = reading().await;
    let race = (0..8).map(|number| {
        let update = update_event("t1", &format!("u{number}"), &version, &json!([put(&number.to_string())]));
        let bench = &bench;
        async move { bench.publish(&update).await.status }
    });
    let mut statuses = futures_util::future::join_all(race).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(content(&bench).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn sel_01_a_select_is_distributed_for_the_current_context_alone_and_changes_no_version() {
    let (bench, version) = reading().await;
    let mut viewer = bench.subscriber("t1", &["DiagnosticReport-select"]).await;
    let mut select = event("t1", "DiagnosticReport-select", "s1", "");
    select["event"]["context"] = json!([
        {"key": "report", "reference": {"reference": "DiagnosticReport/r1"}},
        {"key": "select", "reference": {"reference": "Observation/1"}},
        {"key": "select", "reference": {"reference": "Observation/2"}},
    ]);
    bench.publish(&select).await.expect(202, "s1");
    assert_eq!(viewer.expect_event("DiagnosticReport-select").await, select);
    assert_eq!(bench.get("/hub/t1").await.json()["context.versionId"], version);
    select["event"]["context"][0]["reference"]["reference"] = json!("DiagnosticReport/r2");
    bench.publish(&select).await.expect(409, "not open");
}

#[tokio::test]
async fn cli_35_an_update_sent_again_gets_the_answer_it_got_and_is_applied_once() {
    let (bench, version) = reading().await;
    let update = update_event("t1", "u1", &version, &json!([put("1")]));
    let first = bench.publish(&update).await;
    let again = bench.publish(&update).await;
    assert_eq!((again.status, again.body), (202, first.body));
}
