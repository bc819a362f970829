//! REQ: how events are asked for.

use bytesize::ByteSize;
use fhircast_gateway::client;
use fhircast_gateway::fhircast::EventName;
use fhircast_gateway::hub::{ContextEntry, HubSettings, NewEvent, PublishRefusal};
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::fixture::{Bench, event};

#[tokio::test]
async fn req_01_02_events_are_taken_at_the_hub_and_at_the_topic() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t 1/a", &["Patient-open"]).await;
    let body = event("t 1/a", "Patient-open", "e1", "p1").to_string();
    for (path, content_type) in [
        ("/hub", "application/json"),
        ("/hub/", "application/fhir+json"),
        ("/hub/t%201%2Fa", "application/json; charset=utf-8"),
        ("/hub/t%201%2Fa/", "APPLICATION/JSON"),
    ] {
        let answer = bench.post(path, content_type, body.as_bytes()).await;
        answer.expect(202, "e1");
        assert!(answer.json()["context.versionId"].is_string(), "CLI-29");
        viewer.expect_event("Patient-open").await;
    }
    bench.post("/hub/t2", "application/json", body.as_bytes()).await.expect(400, "topic");
}

#[tokio::test]
async fn req_03_04_05_a_mistake_is_named() {
    let bench = Bench::start().await;
    for (pointer, value, reason) in [
        ("/timestamp", json!("yesterday"), "timestamp"),
        ("/id", json!(7), "`id`"),
        ("/event/hub.topic", json!(""), "event.hub.topic"),
        ("/event/hub.event", json!("Patient-opened"), "event.hub.event"),
        ("/event/context", json!({}), "event.context"),
        ("/event/context", json!([]), "`patient`"),
        ("/event/context/0/resource/id", json!(""), "`patient`"),
        ("/event/context/0/resource/resourceType", json!("Person"), "Patient"),
        ("/event/hub.event", json!("Patient-update"), "updates"),
        ("/event/hub.topic", json!("*"), "topic"),
    ] {
        let mut event = event("t1", "Patient-open", "e1", "p1");
        *event.pointer_mut(pointer).unwrap() = value;
        bench.publish(&event).await.expect(400, reason);
    }
}

#[tokio::test]
async fn req_06_every_subscriber_gets_the_event_the_requester_included_with_id_and_time() {
    let bench = Bench::start().await;
    let (mut one, mut other) =
        (bench.subscriber("t1", &["Patient-open"]).await, bench.subscriber("t1", &["Patient-open"]).await);
    let mut elsewhere = bench.subscriber("t2", &["Patient-open", "Home-open"]).await;
    let sent = event("t1", "Patient-open", "e1", "p1");
    let version = bench.publish(&sent).await.json()["context.versionId"].clone();
    let mut expected = sent;
    expected["event"]["context.versionId"] = version;
    assert_eq!(one.expect_event("Patient-open").await, expected);
    assert_eq!(other.expect_event("Patient-open").await, expected);
    bench.publish(&event("t2", "Home-open", "e2", "")).await;
    elsewhere.expect_event("Home-open").await;
}

#[tokio::test]
async fn req_08_the_same_event_again_is_distributed_again() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["Patient-open"]).await;
    for _ in 0..2 {
        bench.publish(&event("t1", "Patient-open", "e1", "p1")).await.expect(202, "e1");
        assert_eq!(viewer.expect_event("Patient-open").await["id"], "e1");
    }
}

#[tokio::test]
async fn req_09_bodies_too_large_too_deep_broken_or_coded_are_refused() {
    let bench = Bench::with(HubSettings { max_event: ByteSize::kib(8), ..HubSettings::default() }).await;
    let padded = |length: usize| {
        let mut event = event("t1", "Patient-open", "e1", "p1");
        event["padding"] = "".into();
        let missing = length - event.to_string().len();
        event["padding"] = "x".repeat(missing).into();
        event.to_string()
    };
    let post = async |body: &str| bench.post("/hub", "application/json", body.as_bytes()).await;
    post(&padded(8 << 10)).await.expect(202, "e1");
    post(&padded((8 << 10) + 1)).await.expect(413, "8192");
    post("{\"id\":").await.expect(400, "JSON");
    let deep = event("t1", "Patient-open", "e1", "p1")
        .to_string()
        .replace("\"p1\"", &format!("{}{}", "[".repeat(200), "]".repeat(200)));
    post(&deep).await.expect(400, "deep");
    let coded = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    bench.post_with("/hub", coded, b"\x1f\x8b").await.expect(415, "Content-Encoding");
    bench.form(&"x".repeat(17 << 10)).await.expect(413, "16384");
}

#[tokio::test]
async fn req_10_what_the_hub_does_not_know_arrives_as_it_was_sent() {
    let bench = Bench::start().await;
    let mut viewer = bench.unconfirmed("", "t1", &["Patient-open"]).await;
    viewer.expect_confirmation().await;
    let body = r#"{"timestamp":"2026-05-04T08:15:30Z","id":"e1","vendor":{"dose":1.50},"event":{"hub.topic":"t1",
        "hub.event":"Patient-open","context":[{"key":"patient","resource":{"resourceType":"Patient","id":"p1","weight":70.10}},
        {"key":"extension","data":{"any":[true]}}],"more":null}}"#;
    bench.post("/hub", "application/json", body.as_bytes()).await.expect(202, "e1");
    let fhircast_gateway::client::Frame::Notification { text, .. } = viewer.frame().await else { panic!("no event") };
    for kept in
        ["\"dose\":1.50", "\"weight\":70.10", "{\"key\":\"extension\",\"data\":{\"any\":[true]}}", "\"more\":null"]
    {
        assert!(text.contains(kept), "{kept} in {text}");
    }
}

#[tokio::test]
async fn req_11_racing_publishers_give_one_order_to_every_subscriber() {
    let bench = Bench::start().await;
    let mut viewers = Vec::new();
    for _ in 0..3 {
        viewers.push(bench.subscriber("t1", &["Patient-open"]).await);
    }
    let publish = |publisher: usize| {
        let bench = &bench;
        async move {
            for number in 0..10 {
                let id = format!("{publisher}-{number}");
                bench.publish(&event("t1", "Patient-open", &id, &id)).await.expect(202, &id);
            }
        }
    };
    tokio::join!(publish(0), publish(1), publish(2));
    let mut orders = Vec::new();
    for viewer in &mut viewers {
        let mut order: Vec<Value> = Vec::new();
        for _ in 0..30 {
            order.push(viewer.expect_event("Patient-open").await["id"].clone());
        }
        orders.push(order);
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
}

#[tokio::test]
async fn the_gateways_own_events_are_held_to_the_same_rules() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["Patient-open"]).await;
    let patient = json!({"resourceType": "Patient", "id": "p1"});
    let new = |context| NewEvent {
        id: "e1".into(),
        timestamp: "2026-05-04T08:15:30Z".parse().unwrap(),
        name: EventName::parse("Patient-open").unwrap(),
        context,
        occurred: None,
    };
    let entry = ContextEntry { key: "patient".into(), resource: to_raw_value(&patient).unwrap() };
    let published = bench.hub.publish("t1", new(vec![entry])).await.unwrap();
    assert_eq!((published.id.as_str(), published.delivered), ("e1", 1));
    let received = viewer.expect_event("Patient-open").await;
    assert_eq!(received["event"]["context"][0]["resource"], patient);
    assert_eq!(received["event"]["context.versionId"], published.version.unwrap().to_string());
    assert!(matches!(bench.hub.publish("t1", new(vec![])).await, Err(PublishRefusal::Event(_))));
}

#[tokio::test]
async fn the_client_publishes_and_tells_the_hubs_reason() {
    let bench = Bench::start().await;
    let answer = client::publish(&bench.url, &event("t1", "Patient-open", "e1", "p1"), None).await.unwrap();
    assert!(answer.contains("e1"));
    let refused = client::publish(&bench.url, &event("t1", "Patient-open", "e1", ""), None).await.unwrap_err();
    assert!(refused.to_string().contains("400") && refused.to_string().contains("`patient`"), "{refused}");
    let nobody = client::publish("http://127.0.0.1:1/hub", &json!({}), None).await.unwrap_err();
    assert!(nobody.to_string().contains("http://127.0.0.1:1/hub"), "{nobody}");
}
