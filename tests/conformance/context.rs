//! CTX: the current context can be asked for.

use fhircast_gateway::client::current_context;
use serde_json::json;

use super::fixture::{Bench, event};

#[tokio::test]
async fn ctx_01_upd_09_the_current_context_is_what_the_open_carried_and_no_content_yet() {
    let bench = Bench::start().await;
    let open = event("t/1", "Patient-open", "e1", "p1");
    let version = bench.publish(&open).await.json()["context.versionId"].clone();
    let mut context = open["event"]["context"].clone();
    let content = json!({"resourceType": "Bundle", "id": version, "type": "collection", "entry": []});
    context.as_array_mut().unwrap().push(json!({"key": "content", "resource": content}));
    let expected = json!({"context.type": "Patient", "context.versionId": version, "context": context});
    assert_eq!(current_context(&bench.url, "t/1", None).await.unwrap(), expected);
    assert_eq!(bench.get("/hub/t%2F1/").await.json(), expected);
}

#[tokio::test]
async fn ctx_02_09_without_a_context_and_without_a_topic_the_answer_is_the_same() {
    let bench = Bench::start().await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    bench.publish(&event("t1", "Patient-close", "e2", "p1")).await;
    let _viewer = bench.subscriber("t1", &["Patient-open"]).await;
    let known = bench.get("/hub/t1").await;
    assert_eq!(known.body, r#"{"context":[],"context.type":""}"#);
    assert_eq!(bench.get("/hub/unknown").await.body, known.body);
    assert_eq!(bench.hub.topics(), 1, "asking makes no topic");
}

#[tokio::test]
async fn ctx_03_04_a_close_ends_the_context_that_it_names() {
    let bench = Bench::start().await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    bench.publish(&event("t1", "Patient-open", "e2", "p2")).await;
    bench.publish(&event("t1", "Patient-close", "e3", "p1")).await;
    assert_eq!(bench.get("/hub/t1").await.json()["context"][0]["resource"]["id"], "p2");
    bench.publish(&event("t1", "Patient-close", "e4", "p2")).await;
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "");
}
