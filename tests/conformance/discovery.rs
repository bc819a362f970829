//! DISC: the hub describes itself.

use fhircast_gateway::hub::HubSettings;
use serde_json::json;

use super::fixture::Bench;

#[tokio::test]
async fn disc_01_02_03_04_the_configuration_is_under_hub_url_without_a_token() {
    let bench = Bench::start().await;
    for path in ["/hub/.well-known/fhircast-configuration", "/hub/.well-known/fhircast-configuration/"] {
        let answer = bench.get(path).await;
        answer.expect(200, "");
        assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
        let document = answer.json();
        assert_eq!(document["websocketSupport"], true);
        assert_eq!(document["fhircastVersion"], "3.0.0");
        assert_eq!(document["capabilities"]["supportsGetCurrentContext"], true);
        assert!(document["eventsSupported"].as_array().unwrap().contains(&json!("ImagingStudy-open")));
    }
}

#[tokio::test]
async fn disc_07_the_sites_events_are_listed() {
    let settings = HubSettings { events: vec!["org.example.break_taken".into()], ..HubSettings::default() };
    let bench = Bench::with(settings).await;
    let document = bench.get("/hub/.well-known/fhircast-configuration").await.json();
    assert!(document["eventsSupported"].as_array().unwrap().contains(&json!("org.example.break_taken")));
}

#[tokio::test]
async fn disc_01_the_origin_itself_is_no_hub() {
    assert_eq!(Bench::start().await.get("/.well-known/fhircast-configuration").await.status, 404);
}

#[tokio::test]
async fn cli_40_pages_of_this_machine_may_ask_and_others_may_not() {
    let bench = Bench::start().await;
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /hub HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: authorization,content-type\r\nConnection: close\r\n\r\n",
            bench.address
        )
    };
    let allowed = bench.exchange(&preflight("http://localhost:3000"), b"").await;
    allowed.expect(204, "");
    assert!(allowed.head.contains("access-control-allow-origin: http://localhost:3000"), "{}", allowed.head);
    assert!(allowed.head.contains("access-control-allow-headers: authorization,content-type"), "{}", allowed.head);
    let refused = bench.exchange(&preflight("https://evil.example"), b"").await;
    refused.expect(403, "allowed_origins");
    assert!(!refused.head.contains("access-control-allow-origin"), "{}", refused.head);
}
