//! Requests that nobody should send: each is refused in its own protocol, and harms nobody.

use serde_json::json;

use crate::conformance::fixture::{Bench, event, subscription};

const MOUNTS: [&str; 7] =
    ["/hub", "/hub-ballot", "/hub-stu2", "/fhircast/STU3", "/fhircast/STU2", "/api/hub", "/hub-ira"];

#[tokio::test]
async fn t7_json_that_nests_doubles_or_is_none_is_refused_at_every_mount() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["Home-open"]).await;
    let good = event("t1", "Patient-open", "e1", "p1").to_string();
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let deep = good.replace("\"p1\"", &nested(1_000));
    for body in [
        deep.as_str(),
        &nested(1_000),
        &good.replace("\"id\":\"e1\"", "\"id\":\"e1\",\"id\":\"e2\""),
        &good.replace("\"hub.topic\":\"t1\"", "\"hub.topic\":\"t1\",\"hub\\u002etopic\":\"t2\""),
        &good.replace("\"resourceType\":\"Patient\"", "\"resourceType\":\"Patient\",\"resourceType\":\"Person\""),
        "",
        "null",
        "{\"hub.mode\":[",
        "\u{feff}{}",
    ] {
        for mount in MOUNTS {
            let answer = bench.post(mount, "application/json", body.as_bytes()).await;
            assert_eq!(answer.status, 400, "{mount}: {body:.80}\n{answer:?}");
        }
    }
    bench.publish(&event("t1", "Home-open", "e2", "")).await;
    viewer.expect_event("Home-open").await;
}

#[tokio::test]
async fn req_04_names_and_topics_that_nobody_can_show_are_refused() {
    let bench = Bench::start().await;
    let long = "x".repeat(1_000_000);
    for mount in MOUNTS {
        let mount = bench.at(mount);
        mount.publish(&event("t1", &long, "e1", "")).await.expect(400, "event.hub.event");
        mount.publish(&event("t1", "Home-open", &long, "")).await.expect(400, "`id`");
        for topic in ["\u{0}\u{1}", "a\nb", &"x".repeat(257)] {
            mount.publish(&event(topic, "Home-open", "e1", "")).await.expect(400, "topic");
        }
        mount
            .form(&format!("{}&subscriber.name=V", subscription("%00%01", "Home-open")))
            .await
            .expect(400, "hub.topic");
        mount.form(&subscription("t1", &long)).await.expect(413, "16384");
    }
    assert_eq!(bench.hub.topics(), 0);
}

#[tokio::test]
async fn what_the_hub_does_not_serve_is_refused_and_lists_nothing() {
    let bench = Bench::start().await;
    bench.publish(&event("secret-topic", "Patient-open", "e1", "p1")).await;
    for (head, status) in [
        ("GET /hub HTTP/1.1", 405),
        ("DELETE /hub HTTP/1.1", 405),
        ("PUT /hub/secret-topic HTTP/1.1", 405),
        ("DELETE /hub/secret-topic HTTP/1.1", 405),
        ("GET / HTTP/1.1", 404),
        ("GET /admin HTTP/1.1", 404),
    ] {
        let answer = bench.exchange(&format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n"), b"").await;
        assert_eq!(answer.status, status, "{head}");
        assert!(!answer.body.contains("secret"), "{answer:?}");
    }
    assert_ne!(bench.get("/hub/secret-topic").await.json(), json!(null));
}
