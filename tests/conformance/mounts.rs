//! One topic behind many doors: each mount reads and answers in its own edition and manner.

use std::time::Duration;

use fhircast_gateway::hub::Profile;
use serde_json::{Value, json};

use super::fixture::{Bench, event, put, report_event, subscription, update_event};

const STANDARD: [&str; 3] = ["/hub", "/hub-ballot", "/hub-stu2"];
const COMPATIBLE: [&str; 3] = ["/fhircast/STU3", "/fhircast/STU2", "/api/hub"];

fn all() -> impl Iterator<Item = &'static str> {
    STANDARD.into_iter().chain(COMPATIBLE).chain(["/hub-ira"])
}

#[tokio::test]
async fn cli_01_06_29_every_mount_subscribes_publishes_and_tells_with_and_without_a_slash() {
    let bench = Bench::start().await;
    for path in all() {
        let topic = format!("topic of {path}");
        let mount = bench.at(path);
        let mut viewer = mount.subscriber(&topic, &["Patient-open"]).await;
        assert!(viewer.0.endpoint().contains(&format!("{path}/ws/")), "CLI-07");
        for url in [path.to_owned(), format!("{path}/"), format!("{path}/{topic}"), format!("{path}/{topic}/")] {
            let (url, id) = (url.replace(' ', "%20"), format!("event at {url}"));
            let sent = event(&topic, "Patient-open", &id, "p1").to_string();
            let answer = bench.post(&url, "Application/JSON; charset=utf-8", sent.as_bytes()).await;
            answer.expect(202, &id);
            assert!(answer.json()["context.versionId"].is_string());
            let told = viewer.expect_event("Patient-open").await;
            assert!(told["event"]["context.versionId"].is_string(), "CLI-34");
        }
        mount.get(&topic.replace(' ', "%20")).await.expect(200, "p1");
        for slash in ["", "/"] {
            let options = format!("OPTIONS {path}{slash} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            assert_eq!(bench.exchange(&options, b"").await.status, 204);
            bench
                .get(&format!("{path}/.well-known/fhircast-configuration{slash}"))
                .await
                .expect(200, "eventsSupported");
        }
    }
}

#[tokio::test]
async fn disc_03_04_05_each_mount_describes_its_own_edition() {
    let bench = Bench::start().await;
    for (path, version, capabilities, heartbeat) in [
        ("/hub", "3.0.0", true, false),
        ("/hub-ballot", "STU3", false, true),
        ("/hub-stu2", "STU2", false, false),
        ("/fhircast/STU3", "3.0.0", true, true),
        ("/fhircast/STU2", "STU2", false, true),
        ("/api/hub", "3.0.0", true, true),
        ("/hub-ira", "3.0.0", true, false),
    ] {
        let document = bench.at(path).get(".well-known/fhircast-configuration").await.json();
        assert_eq!(document["fhircastVersion"], version, "{path}");
        assert_eq!(document["fhirVersion"], "R4");
        assert_eq!(document["webhookSupport"], false);
        assert_eq!(document["capabilities"].is_object(), capabilities, "{path}");
        let events = document["eventsSupported"].as_array().unwrap();
        assert_eq!(events.contains(&json!("Heartbeat")), heartbeat, "{path}");
        assert!(events.contains(&json!("DiagnosticReport-update")));
    }
}

#[tokio::test]
async fn disc_06_cli_16_the_capability_statement_names_the_hub() {
    let bench = Bench::start().await;
    let statement = bench.get("/fhir/metadata").await.json();
    assert_eq!(statement["resourceType"], "CapabilityStatement");
    let extension = &statement["rest"][0]["extension"][0];
    assert!(extension["url"].as_str().unwrap().contains("fhircast-configuration-extension"));
    assert_eq!(extension["extension"][0], json!({"url": "hub.url", "valueUrl": bench.url}));
}

#[tokio::test]
async fn one_topic_is_one_topic_whichever_mount_its_applications_use() {
    let bench = Bench::start().await;
    let mut viewers = Vec::new();
    for path in all() {
        viewers.push(bench.at(path).subscriber("t1", &["DiagnosticReport-open", "DiagnosticReport-update"]).await);
    }
    let opened = bench.at("/fhircast/STU2").publish(&report_event("t1", "DiagnosticReport-open", "e1", "r1")).await;
    let version = opened.json()["context.versionId"].clone();
    bench.at("/hub-ballot").publish(&update_event("t1", "u1", &version, &json!([put("1")]))).await.expect(202, "u1");
    for viewer in &mut viewers {
        assert_eq!(viewer.expect_event("DiagnosticReport-open").await["event"]["context.versionId"], version);
        assert_eq!(viewer.expect_event("DiagnosticReport-update").await["event"]["context.priorVersionId"], version);
    }
    let context = bench.get("/hub/t1").await.json();
    assert_eq!(bench.at("/hub-ira").get("t1").await.json(), context);
    assert_eq!(bench.at("/fhircast/STU2").get("t1").await.json(), context["context"], "POL-16: a bare array");
}

#[tokio::test]
async fn cli_36_without_a_context_each_mount_tells_so_in_its_own_form() {
    let bench = Bench::start().await;
    for (path, empty) in [
        ("/hub", json!({"context.type": "", "context": []})),
        ("/hub-stu2", json!({"context.type": "", "context": []})),
        ("/fhircast/STU2", json!([])),
    ] {
        assert_eq!(bench.at(path).get("t1").await.json(), empty, "{path}");
    }
}

#[tokio::test]
async fn cli_04_a_topic_may_hold_any_character_encoded_or_not() {
    let bench = Bench::start().await;
    for (topic, paths) in [
        ("urn:oid:1.2|3@x", &["urn:oid:1.2|3@x", "urn%3Aoid%3A1.2%7C3%40x"][..]),
        ("a/b", &["a/b", "a%2Fb"]),
        ("100%25", &["100%2525"]),
        ("caf\u{e9}", &["caf%C3%A9"]),
    ] {
        for path in paths {
            let sent = event(topic, "Patient-open", &format!("{topic} {path}"), "p1").to_string();
            bench.post(&format!("/hub/{path}"), "application/json", sent.as_bytes()).await.expect(202, "");
            bench.get(&format!("/hub/{path}")).await.expect(200, "p1");
        }
    }
    bench.get("/hub/*").await.expect(400, "topic");
}

#[tokio::test]
async fn cli_02_03_pol_21_a_subscription_may_be_json_where_clients_send_that() {
    let bench = Bench::start().await;
    let body = json!({
        "hub.channel.type": "websocket", "hub.mode": "subscribe", "hub.topic": "t1", "hub.events": "open-patient-chart,x",
    });
    let body = body.to_string();
    bench.post("/hub", "application/json", body.as_bytes()).await.expect(400, "`timestamp`");
    for path in COMPATIBLE {
        bench.post(path, "application/json", body.as_bytes()).await.expect(202, "hub.channel.endpoint");
    }
    bench.post("/api/hub", "multipart/form-data; boundary=x", b"").await.expect(415, "message");
}

#[tokio::test]
async fn cli_30_pol_05_errors_are_json_at_the_api_mount_and_as_accepted_elsewhere() {
    let bench = Bench::start().await;
    let refused = bench.at("/api/hub").form("hub.mode=subscribe").await;
    refused.expect(400, "");
    assert!(refused.json()["message"].as_str().unwrap().contains("hub.channel.type"));
    assert!(bench.form("hub.mode=subscribe").await.body.starts_with("hub.channel.type"));
}

#[tokio::test]
async fn pol_09_a_wildcard_is_for_clients_that_send_one() {
    let bench = Bench::start().await;
    for path in STANDARD.into_iter().chain(["/hub-ira"]) {
        bench.at(path).form(&subscription("t1", "*")).await.expect(400, "");
    }
    let mut viewer = bench.at("/api/hub").subscriber("t1", &["*"]).await;
    bench.publish(&event("t1", "patient-open", "e1", "p1")).await;
    viewer.expect_event("patient-open").await;
}

#[tokio::test]
async fn cli_09_10_13_14_a_made_up_endpoint_is_its_clients_name_for_the_subscription() {
    let bench = Bench::start().await;
    let mount = bench.at("/api/hub");
    let own = "ws%3A%2F%2Flocalhost%2Fbind%2F7";
    let subscribe = format!("{}&hub.channel.endpoint={own}&hub.lease_seconds=999", subscription("t1", "Patient-open"));
    let first = mount.form(&subscribe).await.json()["hub.channel.endpoint"].as_str().unwrap().to_owned();
    let second = mount.form(&subscribe).await.json()["hub.channel.endpoint"].as_str().unwrap().to_owned();
    assert_eq!(bench.upgrade(&first, "").await.0, 404, "the same again replaces the first");
    bench.after(Duration::from_secs(59)).await;
    assert_eq!(bench.upgrade(&second, "").await.0, 101);
    let unsubscribe = subscribe.replace("=subscribe", "=unsubscribe");
    mount.form(&unsubscribe).await.expect(202, "bind/7");
    mount.form(&unsubscribe).await.expect(400, "");
    assert_eq!(bench.upgrade(&second, "").await.0, 404);
}

#[tokio::test]
async fn cli_13_an_unsubscribe_may_name_topic_and_name_where_they_name_one_subscription() {
    let bench = Bench::start().await;
    let mut viewer = bench.at("/api/hub").subscriber("t1", &["Patient-open"]).await;
    let unsubscribe = "hub.channel.type=websocket&hub.mode=unsubscribe&hub.topic=t1&subscriber.name=Viewer";
    bench.at("/hub-ira").form(unsubscribe).await.expect(400, "hub.channel.endpoint");
    bench.at("/api/hub").form(unsubscribe).await.expect(202, "hub.channel.endpoint");
    viewer.expect_denial("ended by its subscriber").await;
    viewer.expect_close(1000).await;
}

#[tokio::test]
async fn not_11_who_follows_patients_is_told_the_patient_of_a_study() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["patient-open"]).await;
    let mut strict = bench.at("/hub-ira").subscriber("t1", &["Patient-open", "ImagingStudy-open"]).await;
    let mut study = event("t1", "ImagingStudy-open", "e1", "p1");
    study["event"]["context"]
        .as_array_mut()
        .unwrap()
        .push(json!({"key": "study", "resource": {"resourceType": "ImagingStudy", "id": "s1"}}));
    bench.publish(&study).await.expect(202, "e1");
    let told = viewer.expect_event("patient-open").await;
    assert_eq!(told["event"]["context"], json!([study["event"]["context"][0]]));
    assert_eq!(told["timestamp"], study["timestamp"]);
    assert_ne!(told["id"], "e1");
    strict.expect_event("ImagingStudy-open").await;
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "ImagingStudy");
}

#[tokio::test]
async fn not_13_a_ballot_mount_sends_heartbeats_to_whoever_asks_for_them() {
    let bench = Bench::start().await;
    let mut viewer = bench.at("/hub-ballot").subscriber("t1", &["heartbeat"]).await;
    bench.after(Duration::from_secs(8)).await;
    let told = viewer.expect_event("heartbeat").await;
    assert_eq!(told["event"]["context"], json!([{"key": "period", "decimal": "10"}]));
    assert!(told["id"].is_string() && told["timestamp"].as_str().unwrap().ends_with('Z'));
    bench.at("/hub-ballot").publish(&event("t1", "Heartbeat", "e1", "")).await.expect(400, "hubs only");
}

#[tokio::test]
async fn cli_37_the_powercast_dialect_is_an_array_of_contexts_with_versions_in_the_anchor() {
    let settings = super::powercast::settings();
    assert_eq!(settings.mount["powercast"].profile, Profile::Powercast);
    let bench = Bench::with(settings).await;
    let mount = bench.at("/fhircast/powercast");
    assert_eq!(mount.get("t1").await.json(), json!([]));
    let mut viewer = mount.subscriber("t1", &["DiagnosticReport-update"]).await;
    let opened = mount.publish(&report_event("t1", "DiagnosticReport-open", "e1", "r1")).await.json();
    let version = &opened["context.versionId"];
    let updated = bench.publish(&update_event("t1", "u1", version, &json!([put("1")]))).await.json();
    let told = viewer.expect_event("DiagnosticReport-update").await;
    assert_eq!(told["event"]["context"][0]["reference"], "DiagnosticReport/r1");
    let contexts = mount.get("t1").await.json();
    let context = &contexts[0];
    assert_eq!(
        (&context["contextType"], &context["context.versionId"]),
        (&json!("DiagnosticReport"), &updated["context.versionId"])
    );
    assert_eq!(context["context"][0]["resource"]["meta"]["versionId"], updated["context.versionId"]);
    let content = context["context"].as_array().unwrap().last().unwrap();
    assert_eq!(content["resource"]["entry"][0]["fullUrl"], "Observation/1");
    let refused = mount.publish(&update_event("t1", "u2", version, &json!([]))).await;
    refused.expect(409, "");
    assert!(refused.json()["message"].is_string());
}

#[tokio::test]
async fn t18_a_publisher_without_measure_is_slowed_down() {
    let bench = Bench::start().await;
    let mut last = bench.publish(&event("t1", "Home-open", "e0", "")).await;
    for number in 1..60 {
        last = bench.publish(&event("t1", "Home-open", &format!("e{number}"), "")).await;
    }
    last.expect(429, "try again");
    assert!(last.head.contains("retry-after: 1"), "{}", last.head);
    bench.publish(&event("t2", "Home-open", "e1", "")).await.expect(202, "e1");
    bench.after(Duration::from_secs(1)).await;
    bench.publish(&event("t1", "Home-open", "e99", "")).await.expect(202, "e99");
}

#[tokio::test]
async fn cli_27_an_endpoint_is_not_taken_over_without_end() {
    let bench = Bench::start().await;
    let endpoint = bench.endpoint("t1", "Patient-open").await;
    let mut sockets = Vec::new();
    for _ in 0..11 {
        let (status, socket) = bench.upgrade(&endpoint, "").await;
        assert_eq!(status, 101);
        sockets.push(socket);
        bench.until(|counts| counts.sockets_opened == sockets.len() as u64).await;
    }
    assert_eq!(bench.upgrade(&endpoint, "").await.0, 429);
    let _: Value = bench.get("/hub/t1").await.json();
}
