//! CLI-39: pages of FHIRcast's first year, where a mount serves them.

use fhircast_gateway::hub::HubSettings;
use serde_json::{Value, json};

use super::fixture::{Bench, event, subscription};
use super::socket::{Socket, connect};

const MOUNT: &str = "/api/hub";

/// The default mounts, one of which serves such pages.
pub(crate) fn settings() -> HubSettings {
    let mut settings = HubSettings::default();
    settings.mount.get_mut("api").unwrap().legacy_binding = Some(true);
    settings
}

/// Subscribes to `events` of `topic` by the announced endpoint, percent-encoded already.
async fn announce(bench: &Bench, topic: &str, events: &str, endpoint: &str) {
    let form = format!("{}&hub.channel.endpoint={endpoint}", subscription(topic, events));
    bench.at(MOUNT).form(&form).await.expect(202, "hub.channel.endpoint");
}

/// Connects below the origin, and hears that it is bound, after the confirmation.
async fn bound(bench: &Bench, path: &str) -> Socket {
    let mut page = connect(&format!("ws://{}{path}", bench.address)).await;
    assert_eq!(json(&page.text().await)["hub.mode"], "subscribe");
    assert_eq!(page.text().await, "{\"bound\":true}");
    page
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn cli_39_a_page_is_bound_by_the_id_that_it_announced_at_the_mount_and_at_the_origin() {
    let bench = Bench::with(settings()).await;
    announce(&bench, "t1", "open-patient-chart", "ws%3A%2F%2Flocalhost%3A3000%2Fbind%2F7").await;
    announce(&bench, "t2", "open-patient-chart", "8").await;
    for path in ["/bind/7", "/api/hub/bind/7", "/bind/8", "/api/hub/bind/8"] {
        bound(&bench, path).await;
    }
    for path in ["/bind/9", "/api/hub/bind/9"] {
        assert_eq!(bench.upgrade(&format!("ws://{}{path}", bench.address), "").await.0, 404, "{path}");
    }
    bench.get("/bind/7").await.expect(426, "WebSocket");
    let unsubscribe = subscription("t2", "").replace("=subscribe", "=unsubscribe");
    bench.at(MOUNT).form(&format!("{unsubscribe}&hub.channel.endpoint=8")).await.expect(202, "");
    assert_eq!(bench.upgrade("ws://localhost/bind/8", "").await.0, 404);
}

#[tokio::test]
async fn cli_39_old_names_are_spelled_back_and_told_to_others_as_present_ones() {
    let bench = Bench::with(settings()).await;
    let mut viewer = bench.subscriber("t1", &["Patient-open", "ImagingStudy-close"]).await;
    announce(&bench, "t1", "switch-patient-chart,close-imaging-study", "7").await;
    let mut page = bound(&bench, "/bind/7").await;
    bench.publish(&event("t1", "patient-open", "e1", "p1")).await.expect(202, "e1");
    assert_eq!(json(&page.text().await)["event"]["hub.event"], "switch-patient-chart");
    viewer.expect_event("Patient-open").await;
    let mut old = event("t1", "open-patient-chart", "e2", "p2");
    bench.at(MOUNT).publish(&old).await.expect(202, "context.versionId");
    assert_eq!(viewer.expect_event("Patient-open").await["id"], "e2");
    assert_eq!(json(&page.text().await)["event"]["hub.event"], "switch-patient-chart");
    old["id"] = json!("e3");
    bench.publish(&old).await.expect(400, "event");
    old["event"]["hub.event"] = json!("close-imaging-study");
    old["event"]["context"] = json!([]);
    bench.at(MOUNT).publish(&old).await.expect(202, "e3");
    assert_eq!(json(&page.text().await)["event"]["hub.event"], "close-imaging-study");
    viewer.expect_event("ImagingStudy-close").await;
}

#[tokio::test]
async fn cli_39_a_page_publishes_over_its_socket_and_refusals_are_only_counted() {
    let bench = Bench::with(settings()).await;
    let mut viewer = bench.subscriber("t1", &["Patient-open"]).await;
    let mut other = bench.subscriber("t2", &["Patient-open"]).await;
    announce(&bench, "t1", "open-patient-chart", "7").await;
    let mut page = bound(&bench, "/bind/7").await;
    page.say(&event("t2", "open-patient-chart", "e0", "p1").to_string()).await;
    page.say("{\"event\":{\"hub.topic\":\"t1\"}}").await;
    bench.until(|counts| counts.socket_events_refused == 2).await;
    page.say("{\"type\":\"ping\"}").await;
    bench.until(|counts| counts.frames_ignored == 1).await;
    page.say(&event("t1", "open-patient-chart", "e1", "p1").to_string()).await;
    assert_eq!(viewer.expect_event("Patient-open").await["id"], "e1");
    assert_eq!(json(&page.text().await)["event"]["hub.event"], "open-patient-chart", "its own comes back");
    bench.publish(&event("t2", "Patient-open", "e2", "p1")).await.expect(202, "e2");
    assert_eq!(other.expect_event("Patient-open").await["id"], "e2", "nothing came before it");
}

#[tokio::test]
async fn cli_39_sub_10_by_default_no_address_of_a_clients_making_is_served() {
    let bench = Bench::start().await;
    announce(&bench, "t1", "open-patient-chart", "7").await;
    assert_eq!(bench.upgrade("ws://localhost/bind/7", "").await.0, 404);
    assert_ne!(bench.upgrade("ws://localhost/api/hub/bind/7", "").await.0, 101);
    let mut viewer = bench.at(MOUNT).subscriber("t2", &["Patient-open", "open-patient-chart"]).await;
    bench.at(MOUNT).publish(&event("t2", "open-patient-chart", "e1", "p1")).await.expect(202, "e1");
    viewer.expect_event("open-patient-chart").await;
}
