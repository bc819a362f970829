//! CLI-37: what the dialect of dictation systems has beside the other mounts.

use std::time::Duration;

use fhircast_gateway::hub::HubSettings;
use serde_json::json;

use super::fixture::{Bench, put, report_event, subscription, update_event};

const POWERCAST: &str = "/fhircast/powercast";

/// The default mounts, and the dialect's.
pub(crate) fn settings() -> HubSettings {
    let mut settings = HubSettings::default();
    settings.mount.get_mut("powercast").unwrap().enabled = true;
    settings
}

#[tokio::test]
async fn cli_37_an_updated_context_tells_its_prior_version_until_it_is_opened_again() {
    let bench = Bench::with(settings()).await;
    let mount = bench.at(POWERCAST);
    let open = report_event("t1", "DiagnosticReport-open", "e1", "r1");
    let opened = mount.publish(&open).await.json()["context.versionId"].clone();
    assert!(mount.get("t1").await.json()[0].get("context.priorVersionId").is_none());
    mount.publish(&update_event("t1", "u1", &opened, &json!([put("1")]))).await.expect(202, "u1");
    assert_eq!(mount.get("t1").await.json()[0]["context.priorVersionId"], opened);
    assert!(bench.get("/hub/t1").await.json().get("context.priorVersionId").is_none(), "the standard has none");
    mount.publish(&report_event("t1", "DiagnosticReport-open", "e2", "r1")).await.expect(202, "e2");
    assert!(mount.get("t1").await.json()[0].get("context.priorVersionId").is_none());
}

#[tokio::test]
async fn cli_37_a_resource_of_the_current_context_is_answered_as_it_was_shared_last() {
    let bench = Bench::with(settings()).await;
    let mount = bench.at(POWERCAST);
    mount.get("t1/resource/Patient/p1").await.expect(404, "message");
    let opened = mount.publish(&report_event("t1", "DiagnosticReport-open", "e1", "r1")).await.json();
    let mut shared = put("1");
    shared["resource"]["status"] = json!("final");
    mount.publish(&update_event("t1", "u1", &opened["context.versionId"], &json!([shared]))).await.expect(202, "u1");
    let patient = json!({"resourceType": "Patient", "id": "p1"});
    for path in ["t1/resource/Patient/p1", "t1/resource/Patient%2Fp1", "t1/resource/Patient/p1/"] {
        assert_eq!(mount.get(path).await.json(), patient, "{path}");
    }
    assert_eq!(mount.get("t1/resource/Observation/1").await.json(), shared["resource"]);
    for other in ["t1/resource/Observation/2", "t1/resource/Patient/1", "t2/resource/Patient/p1"] {
        mount.get(other).await.expect(404, "message");
    }
    let elsewhere = bench.get("/hub/t1/resource/Patient/p1").await.json();
    assert_eq!(elsewhere["context.type"], "", "elsewhere the whole path is a topic");
}

#[tokio::test]
async fn cli_37_a_subscriber_may_ask_what_is_left_of_its_subscription() {
    let bench = Bench::with(settings()).await;
    let mount = bench.at(POWERCAST);
    let form = format!("{}&hub.lease_seconds=600&subscriber.name=Dictation", subscription("a/b", "Patient-open"));
    let endpoint = mount.form(&form).await.json()["hub.channel.endpoint"].as_str().unwrap().to_owned();
    bench.upgrade(&endpoint, "").await;
    bench.until(|counts| counts.sockets_opened == 1).await;
    bench.after(Duration::from_secs(10)).await;
    let secret = endpoint.rsplit('/').next().unwrap();
    let encoded = endpoint.replace(':', "%3A").replace('/', "%2F");
    for named in [secret, &endpoint, &encoded] {
        let told = mount.get(&format!("TopicSubscriptions/a%2Fb/{named}")).await.json();
        assert_eq!(told["hub.events"], "Patient-open");
        assert_eq!((&told["hub.lease_seconds"], &told["subscriber.name"]), (&json!(590), &json!("Dictation")));
    }
    for other in [format!("t2/{secret}"), "a/b/unknown".into(), secret.into(), "a/b".into()] {
        mount.get(&format!("TopicSubscriptions/{other}")).await.expect(404, "message");
    }
}

#[tokio::test]
async fn cli_37_a_failing_get_of_the_context_has_no_body_and_there_is_no_log() {
    let bench = Bench::with(settings()).await;
    let refused = bench.at(POWERCAST).get("*").await;
    assert_eq!((refused.status, refused.body.as_str()), (400, ""));
    assert!(!refused.head.contains("content-type"), "{}", refused.head);
    bench.at(POWERCAST).form("hub.mode=subscribe").await.expect(400, "message");
    bench.at(POWERCAST).get("../log/file").await.expect(404, "message");
    assert_eq!(bench.get("/fhircast/log/file").await.status, 404);
}
