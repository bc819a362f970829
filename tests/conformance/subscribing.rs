//! SUB, CONF, UNS: how subscriptions begin, go on, and end.

use std::time::Duration;

use fhircast_gateway::hub::HubSettings;

use super::fixture::{Bench, event, subscription};
use super::socket::connect;

#[tokio::test]
async fn sub_01_a_form_subscribes_json_publishes_and_all_else_is_refused() {
    let bench = Bench::start().await;
    let form = subscription("t1", "Patient-open");
    for (content_type, status) in [
        ("application/x-www-form-urlencoded", 202),
        ("Application/X-WWW-Form-Urlencoded; charset=utf-8", 202),
        ("application/json", 400),
        ("text/plain", 415),
        ("multipart/form-data", 415),
        ("", 415),
    ] {
        assert_eq!(bench.post("/hub", content_type, form.as_bytes()).await.status, status, "{content_type}");
    }
    assert_eq!(bench.post("/hub/", "application/x-www-form-urlencoded", form.as_bytes()).await.status, 202);
    bench.post("/hub/t1", "application/x-www-form-urlencoded", form.as_bytes()).await.expect(415, "hub.url");
}

#[tokio::test]
async fn sub_02_03_04_05_08_13_each_mistake_gets_a_reason_in_plain_text() {
    let bench = Bench::start().await;
    let base = subscription("t1", "Patient-open");
    for (form, reason) in [
        (base.replace("hub.channel.type=websocket&", ""), "hub.channel.type"),
        (base.replace("type=websocket", "type=webhook"), "hub.channel.type"),
        (format!("{base}&hub.topic=t2"), "once"),
        (base.replace("=subscribe", "=follow"), "hub.mode"),
        (base.replace("hub.mode=subscribe&", ""), "hub.mode"),
        (base.replace("=t1", "="), "hub.topic"),
        (base.replace("=Patient-open", "="), "hub.events"),
        (base.replace("&hub.events=Patient-open", ""), "hub.events"),
        (base.replace("=Patient-open", "=*"), "hub.events"),
        (format!("{base}&hub.lease_seconds=0"), "hub.lease_seconds"),
        (format!("{base}&hub.lease_seconds=soon"), "hub.lease_seconds"),
    ] {
        let answer = bench.form(&form).await;
        answer.expect(400, reason);
        assert!(answer.head.contains("content-type: text/plain"), "{}", answer.head);
    }
    assert_eq!(bench.hub.topics(), 0, "nothing is left of a refusal");
}

#[tokio::test]
async fn sub_06_07_events_are_a_set_and_keep_their_spelling() {
    let bench = Bench::start().await;
    let mut viewer = bench.unconfirmed("", "t1", &[" patient-OPEN ", "Patient-open", "Patient-close"]).await;
    assert_eq!(viewer.expect_confirmation().await["hub.events"], "patient-OPEN,Patient-close");
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await.expect(202, "e1");
    viewer.expect_event("patient-OPEN").await;
}

#[tokio::test]
async fn sub_08_conf_01_the_confirmation_says_what_is_granted() {
    let bench = Bench::start().await;
    let mut viewer = bench.unconfirmed("", "t1", &["Patient-open"]).await;
    let confirmation = viewer.expect_confirmation().await;
    let expected = serde_json::json!({
        "hub.mode": "subscribe", "hub.topic": "t1", "hub.events": "Patient-open", "hub.lease_seconds": 7200,
    });
    assert_eq!(confirmation, expected);
}

#[tokio::test]
async fn sub_09_10_the_endpoint_is_a_websocket_url_at_the_address_asked_and_never_the_same() {
    let bench = Bench::start().await;
    let answer = bench.form(&subscription("t1", "Patient-open")).await;
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let (one, other) = (bench.endpoint("t1", "Patient-open").await, bench.endpoint("t1", "Patient-open").await);
    let prefix = format!("ws://{}/hub/ws/", bench.address);
    assert!(one.starts_with(&prefix) && other.starts_with(&prefix), "{one}");
    assert_eq!(one.len() - prefix.len(), 43, "256 bits");
    assert_ne!(one, other);
}

#[tokio::test]
async fn sub_10_behind_a_proxy_the_endpoint_is_at_the_public_url() {
    let settings = HubSettings { public_url: Some("https://hub.example/gateway/".into()), ..HubSettings::default() };
    let bench = Bench::with(settings).await;
    let endpoint = bench.endpoint("t1", "Patient-open").await;
    assert!(endpoint.starts_with("wss://hub.example/gateway/hub/ws/"), "{endpoint}");
    assert_eq!(bench.upgrade(&endpoint.replace("/gateway", ""), "").await.0, 101);
    assert_eq!(bench.hub.url(bench.address, false), "https://hub.example/gateway/hub");
}

#[tokio::test]
async fn sub_11_a_resubscription_keeps_socket_and_endpoint() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["Patient-open"]).await;
    let endpoint = viewer.0.endpoint().to_owned();
    viewer.0.resubscribe(&["Patient-close".into()]).await.unwrap();
    assert_eq!(viewer.expect_confirmation().await["hub.events"], "Patient-close");
    assert_eq!(viewer.0.endpoint(), endpoint);
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    bench.publish(&event("t1", "Patient-close", "e2", "p1")).await;
    viewer.expect_event("Patient-close").await;
}

#[tokio::test]
async fn sub_12_an_endpoint_unknown_ended_or_of_another_topic_is_not_found() {
    let bench = Bench::start().await;
    let endpoint = bench.endpoint("t1", "Patient-open").await;
    let named = |topic: &str, endpoint: &str| {
        format!("{}&hub.channel.endpoint={endpoint}", subscription(topic, "Patient-close"))
    };
    bench.form(&named("t2", &endpoint)).await.expect(404, "hub.channel.endpoint");
    bench.form(&named("t1", &endpoint.replace("/ws/", "/ws/x"))).await.expect(404, "hub.channel.endpoint");
    assert_eq!(bench.form(&named("t1", &endpoint)).await.json()["hub.channel.endpoint"], endpoint);
    assert_eq!(bench.form(&named("t1", "ws://elsewhere/bind/1")).await.status, 202, "CLI-09");
}

#[tokio::test]
async fn sub_13_refusals_repeat_nothing_that_was_sent() {
    let bench = Bench::start().await;
    let canary = "DOE-JANE-19700101";
    let mut named = event(canary, "Patient-open", canary, canary);
    named["event"]["context"][0]["resource"]["resourceType"] = canary.into();
    for answer in [
        bench.form(&format!("{}&hub.channel.endpoint=ws://x/hub/ws/{canary}", subscription(canary, canary))).await,
        bench.form(&format!("hub.topic={canary}")).await,
        bench.publish(&named).await,
        bench.post(&format!("/hub/{canary}"), "application/json", canary.as_bytes()).await,
        bench.get(&format!("/hub/ws/{canary}")).await,
    ] {
        assert!(answer.status >= 400 && !answer.body.contains(canary), "{answer:?}");
    }
}

#[tokio::test]
async fn sub_18_an_endpoint_that_nobody_connects_to_is_dropped() {
    let bench = Bench::start().await;
    let endpoint = bench.endpoint("t1", "Patient-open").await;
    bench.after(Duration::from_secs(60)).await;
    assert_eq!(bench.upgrade(&endpoint, "").await.0, 404);
    assert_eq!(bench.hub.topics(), 0);
}

#[tokio::test]
async fn sub_19_at_the_end_of_the_lease_comes_a_denial_and_a_normal_close() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["Patient-open"]).await;
    bench.after(Duration::from_secs(7200)).await;
    viewer.expect_denial("lease").await;
    viewer.expect_close(1000).await;
    assert!(viewer.0.reconnect().await.is_err());
}

#[tokio::test]
async fn sub_20_a_subscriber_reconnects_and_gets_confirmation_and_current_context_again() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["Patient-open"]).await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    let first = viewer.expect_event("Patient-open").await;
    viewer.0.reconnect().await.unwrap();
    viewer.expect_confirmation().await;
    assert_eq!(viewer.expect_event("Patient-open").await, first, "CONF-03");
}

#[tokio::test]
async fn sub_21_the_newer_socket_takes_over() {
    let bench = Bench::start().await;
    let endpoint = bench.endpoint("t1", "Patient-open").await;
    let mut older = connect(&endpoint).await;
    assert!(older.text().await.contains("subscribe"));
    let mut newer = connect(&endpoint).await;
    assert!(newer.text().await.contains("subscribe"));
    assert_eq!(older.close().await, Some(1000));
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    assert!(newer.text().await.contains("\"e1\""));
}

#[tokio::test]
async fn conf_02_03_a_late_subscriber_gets_what_is_open_with_its_own_id_and_time() {
    let bench = Bench::start().await;
    let version = bench.publish(&event("t1", "Patient-open", "e1", "p1")).await.json()["context.versionId"].clone();
    let mut viewer = bench.unconfirmed("", "t1", &["Patient-open"]).await;
    viewer.expect_confirmation().await;
    let open = viewer.expect_event("Patient-open").await;
    assert_eq!((&open["id"], &open["timestamp"]), (&"e1".into(), &"2026-05-04T08:15:30.120Z".into()));
    assert_eq!(open["event"]["context.versionId"], version);
}

#[tokio::test]
async fn conf_05_an_unknown_endpoint_is_not_found_and_a_plain_get_must_upgrade() {
    let bench = Bench::start().await;
    let endpoint = bench.endpoint("t1", "Patient-open").await;
    assert_eq!(bench.upgrade(&endpoint.replace("/ws/", "/ws/x"), "").await.0, 404);
    let path = &endpoint[endpoint.find("/hub/").unwrap()..];
    let answer = bench.get(path).await;
    answer.expect(426, "WebSocket");
    assert!(answer.head.contains("upgrade: websocket"), "{}", answer.head);
}

#[tokio::test]
async fn uns_01_02_an_unsubscribe_is_accepted_denied_closed_and_final() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["Patient-open"]).await;
    let endpoint = viewer.0.endpoint().to_owned();
    let form = format!(
        "hub.channel.type=websocket&hub.mode=unsubscribe&hub.topic=t1&hub.channel.endpoint={endpoint}&hub.events=Patient-close"
    );
    let answer = bench.form(&form).await;
    answer.expect(202, "");
    assert_eq!(answer.json()["hub.channel.endpoint"], endpoint);
    viewer.expect_denial("subscriber").await;
    viewer.expect_close(1000).await;
    assert_eq!(bench.upgrade(&endpoint, "").await.0, 404);
    bench.form(&form).await.expect(404, "hub.channel.endpoint");
}

#[tokio::test]
async fn uns_04_an_unsubscribe_that_names_nothing_of_ours_is_refused() {
    let bench = Bench::start().await;
    let base = "hub.channel.type=websocket&hub.mode=unsubscribe&hub.topic=t1";
    bench.form(base).await.expect(400, "hub.channel.endpoint");
    bench.form(&format!("{base}&hub.channel.endpoint=ws://x/bind/1")).await.expect(400, "hub.channel.endpoint");
}
