//! What clients in the field send, at the mounts that bend towards them (clients.md, section 4).

use serde_json::{Value, json};

use super::fixture::{Bench, Viewer, event, put, report_event, update_event};

const COMPATIBLE: &str = "/api/hub";

async fn following(bench: &Bench, events: &[&str]) -> Viewer {
    bench.at(COMPATIBLE).subscriber("t1", events).await
}

fn with_context(name: &str, id: &str, context: Value) -> Value {
    let mut event = event("t1", name, id, "");
    event["event"]["context"] = context;
    event
}

#[tokio::test]
async fn cli_42_43_names_and_contexts_of_their_own_are_relayed_as_they_are() {
    let bench = Bench::start().await;
    let mut viewer = following(&bench, &["dicom-send", "DiagnosticReport-opened", "UserLogout"]).await;
    let sent = with_context("dicom-send", "e1", json!({"any": [1.50]}));
    bench.at(COMPATIBLE).publish(&sent).await.expect(202, "e1");
    assert_eq!(viewer.expect_event("dicom-send").await, sent);
    let mut opened = report_event("t1", "DiagnosticReport-opened", "e2", "r1");
    opened["event"]["context"] = json!(null);
    bench.at(COMPATIBLE).publish(&opened).await.expect(202, "e2");
    assert_eq!(viewer.expect_event("DiagnosticReport-opened").await, opened);
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "");
    let mut logout = event("t1", "UserLogout", "e3", "");
    logout["event"].as_object_mut().unwrap().remove("context");
    bench.at(COMPATIBLE).publish(&logout).await.expect(202, "e3");
    viewer.expect_event("UserLogout").await;
    bench.publish(&sent).await.expect(400, "");
    bench.publish(&event("t1", "UserLogout", "e4", "")).await.expect(202, "e4");
}

#[tokio::test]
async fn what_is_tolerated_is_counted_for_the_operator_and_nothing_else_is() {
    let bench = Bench::start().await;
    let mount = bench.at(COMPATIBLE);
    for (number, sent) in [
        event("t1", "Patient-open", "e1", "p1"),
        report_event("t1", "DiagnosticReport-open", "e2", "r1"),
        with_context("dicom-send", "e3", json!({})),
        with_context("patient-close", "e4", json!([])),
        with_context(
            "imagingstudy-open",
            "e5",
            json!([{"key": "study", "resource": {"resourceType": "ImagingStudy"}}]),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        mount.publish(&sent).await.expect(202, "");
        assert_eq!(bench.hub.counters().events_tolerated as usize, number.saturating_sub(1), "{sent}");
    }
}

#[tokio::test]
async fn cli_44_47_a_study_without_an_id_is_known_by_its_uid_and_closed_by_nothing_at_all() {
    let bench = Bench::start().await;
    let mut viewer = following(&bench, &["imagingstudy-open", "imagingstudy-close"]).await;
    let study = json!([{"key": "study", "resource": {"resourceType": "ImagingStudy", "id": "", "uid": "1.2.3"}}]);
    let open = with_context("imagingstudy-open", "e1", study.clone());
    let mount = bench.at(COMPATIBLE);
    mount.publish(&open).await.expect(202, "e1");
    assert_eq!(viewer.expect_event("imagingstudy-open").await["event"]["context"], study, "relayed unchanged");
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "ImagingStudy");
    let identifier = json!([{"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"}]);
    let named = json!([{"key": "study", "resource": {"resourceType": "ImagingStudy", "identifier": identifier}}]);
    mount.publish(&with_context("imagingstudy-close", "e2", named)).await.expect(202, "e2");
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "");
    mount.publish(&with_context("imagingstudy-open", "e3", study.clone())).await.expect(202, "e3");
    mount.publish(&with_context("patient-close", "e4", json!([]))).await.expect(202, "e4");
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "ImagingStudy", "of another type");
    mount.publish(&with_context("imagingstudy-close", "e5", json!([]))).await.expect(202, "e5");
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "");
    bench.publish(&open).await.expect(400, "`study`");
}

#[tokio::test]
async fn cli_44_what_nothing_could_name_again_is_relayed_and_opens_nothing() {
    let bench = Bench::start().await;
    let mut viewer = following(&bench, &["imagingstudy-open"]).await;
    let study = json!([{"key": "study", "resource": {"resourceType": "ImagingStudy"}}]);
    bench.at(COMPATIBLE).publish(&with_context("imagingstudy-open", "e1", study)).await.expect(202, "e1");
    viewer.expect_event("imagingstudy-open").await;
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "");
}

#[tokio::test]
async fn cli_45_46_a_report_is_made_up_of_its_study_and_may_lack_its_patient() {
    let bench = Bench::start().await;
    let mount = bench.at(COMPATIBLE);
    let mut viewer = following(&bench, &["DiagnosticReport-open", "DiagnosticReport-update"]).await;
    let study = json!({"key": "study", "resource": {"resourceType": "ImagingStudy", "id": "s1"}});
    let opened = mount.publish(&with_context("DiagnosticReport-open", "e1", json!([study]))).await;
    opened.expect(202, "e1");
    let told = viewer.expect_event("DiagnosticReport-open").await;
    let report = &told["event"]["context"][1];
    assert_eq!((&told["event"]["context"][0], &report["key"]), (&study, &json!("report")));
    assert_eq!(report["resource"]["status"], "unknown");
    assert_eq!(report["resource"]["imagingStudy"][0]["reference"], "ImagingStudy/s1");
    let mut update = update_event("t1", "u1", &opened.json()["context.versionId"], &json!([put("1")]));
    let id = report["resource"]["id"].as_str().unwrap();
    update["event"]["context"][0]["reference"]["reference"] = format!("DiagnosticReport/{id}").into();
    mount.publish(&update).await.expect(202, "u1");
    mount.publish(&with_context("DiagnosticReport-open", "e2", json!([]))).await.expect(400, "`report`");
}

#[tokio::test]
async fn cli_47_a_close_needs_its_anchor_alone() {
    let bench = Bench::start().await;
    let mount = bench.at(COMPATIBLE);
    mount.publish(&report_event("t1", "DiagnosticReport-open", "e1", "r1")).await.expect(202, "e1");
    let close = with_context("DiagnosticReport-close", "e2", json!([{"key": "report", "resource": {"id": "r1"}}]));
    mount.publish(&close).await.expect(202, "e2");
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "");
}

#[tokio::test]
async fn cli_48_a_sync_error_in_another_form_is_relayed_unchanged() {
    let bench = Bench::start().await;
    let mut viewer = following(&bench, &["SyncError"]).await;
    let outcome = json!({"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]});
    let sent = with_context("SyncError", "e1", json!([{"key": "OperationOutcome", "resource": outcome}]));
    bench.at(COMPATIBLE).publish(&sent).await.expect(202, "e1");
    assert_eq!(viewer.expect_event("SyncError").await, sent);
    bench.publish(&sent).await.expect(400, "operationoutcome");
}

#[tokio::test]
async fn cli_49_50_51_52_54_an_update_without_anchor_and_version_and_with_posts_is_understood() {
    let bench = Bench::start().await;
    let mount = bench.at(COMPATIBLE);
    let mut viewer = following(&bench, &["DiagnosticReport-update"]).await;
    mount.publish(&report_event("t1", "DiagnosticReport-open", "e1", "r1")).await.expect(202, "e1");
    let post = |kind: &str| json!({"request": {"method": "POST"}, "resource": {"resourceType": kind, "id": "1"}});
    let entries = json!([post("Observation"), post("ImagingSelection"), post("ImagingStudy")]);
    let mut update = update_event("t1", "u1", &json!(""), &entries);
    let context = update["event"]["context"].as_array_mut().unwrap();
    context.remove(0);
    context[0]["key"] = json!("content");
    mount.publish(&update).await.expect(202, "u1");
    let told = viewer.expect_event("DiagnosticReport-update").await;
    assert_eq!(told["event"]["context"][0]["key"], "updates");
    let now = bench.get("/hub/t1").await.json();
    let content = now["context"].as_array().unwrap().last().unwrap()["resource"]["entry"].clone();
    assert_eq!(content.as_array().unwrap().len(), 3);
    let wrong = update_event("t1", "u2", &json!("wrong"), &json!([put("1")]));
    mount.publish(&wrong).await.expect(409, "context.versionId");
    mount.publish(&event("t1", "Patient-open", "e2", "p1")).await.expect(202, "e2");
    update["id"] = json!("u3");
    mount.publish(&update).await.expect(404, "not open");
}

#[tokio::test]
async fn cli_56_a_select_of_another_shape_is_relayed_as_it_was_sent() {
    let bench = Bench::start().await;
    let mount = bench.at(COMPATIBLE);
    let mut viewer = following(&bench, &["DiagnosticReport-select"]).await;
    mount.publish(&report_event("t1", "DiagnosticReport-open", "e1", "r1")).await.expect(202, "e1");
    let report = json!({"key": "report", "resource": {"resourceType": "DiagnosticReport", "id": "r1"}});
    for (id, context) in [
        ("s1", json!([report, {"key": "select", "resources": [{"resourceType": "Observation", "id": "1"}]}])),
        ("s2", json!([report])),
        ("s3", json!([])),
    ] {
        let sent = with_context("DiagnosticReport-select", id, context);
        mount.publish(&sent).await.expect(202, id);
        assert_eq!(viewer.expect_event("DiagnosticReport-select").await, sent);
    }
}
