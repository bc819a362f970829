//! NOT: what subscribers are sent, what they answer, and what happens when they do not.

use std::time::Duration;

use fhircast_gateway::hub::{Acknowledges, ConnectionState, HubSettings};
use jiff::SignedDuration;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::fixture::{Bench, event};
use super::socket::connect;

/// The diagnostics of a SyncError.
fn diagnostics(sync_error: &Value) -> &str {
    sync_error["event"]["context"][0]["resource"]["issue"][0]["diagnostics"].as_str().unwrap()
}

#[tokio::test]
async fn not_02_only_events_of_the_subscription_come() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["Home-open"]).await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    bench.publish(&event("t1", "Home-open", "e2", "")).await;
    assert_eq!(viewer.expect_event("Home-open").await["id"], "e2");
}

#[tokio::test]
async fn not_05_a_refused_event_is_told_to_the_others() {
    let bench = Bench::start().await;
    let mut watcher = bench.subscriber("t1", &["SyncError"]).await;
    let mut viewer = connect(&bench.endpoint("t1", "Patient-open&subscriber.name=Viewer").await).await;
    viewer.text().await;
    for (status, expected) in [
        ("409", "Viewer refused Patient-open: it answered 409."),
        ("\"500\"", "Patient-open could not be delivered to Viewer: it answered 500."),
    ] {
        bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
        viewer.text().await;
        viewer.say(&format!("{{\"id\":\"e1\",\"status\":{status}}}")).await;
        assert_eq!(diagnostics(&watcher.expect_event("SyncError").await), expected);
    }
}

#[tokio::test]
async fn not_06_silence_is_told_to_the_others_and_ends_the_subscription() {
    let bench = Bench::start().await;
    let mut watcher = bench.subscriber("t1", &["SyncError"]).await;
    let mut viewer = connect(&bench.endpoint("t1", "Patient-open&subscriber.name=Viewer").await).await;
    viewer.text().await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    viewer.text().await;
    viewer.say(r#"{"id":"e1","status":500}"#).await;
    watcher.expect_event("SyncError").await;
    bench.publish(&event("t1", "Patient-open", "e2", "p1")).await;
    viewer.text().await;
    bench.after(Duration::from_secs(10)).await;
    assert!(viewer.text().await.contains("denied"));
    assert_eq!(viewer.close().await, Some(1000));
    assert!(diagnostics(&watcher.expect_event("SyncError").await).contains("did not answer"));
}

#[tokio::test]
async fn not_07_one_that_leaves_properly_raises_nothing() {
    let bench = Bench::start().await;
    let mut watcher = bench.subscriber("t1", &["SyncError", "Home-open"]).await;
    for code in [1000, 1001] {
        let viewer = connect(&bench.endpoint("t1", "Patient-open").await).await;
        viewer.leave(code).await;
    }
    bench.after(Duration::from_secs(60)).await;
    bench.publish(&event("t1", "Home-open", "e1", "")).await;
    watcher.expect_event("Home-open").await;
}

#[tokio::test]
async fn not_07_one_that_leaves_improperly_is_told_of_after_its_grace() {
    let bench = Bench::start().await;
    let mut watcher = bench.subscriber("t1", &["SyncError"]).await;
    let viewer = connect(&bench.endpoint("t1", "Patient-open&subscriber.name=Viewer").await).await;
    viewer.leave(1011).await;
    bench.until(|counts| counts.sockets_ended == 1).await;
    bench.after(Duration::from_secs(15)).await;
    assert!(diagnostics(&watcher.expect_event("SyncError").await).contains("Viewer is lost"));
}

#[tokio::test]
async fn not_10_a_subscribers_sync_error_is_distributed() {
    let bench = Bench::start().await;
    let mut watcher = bench.subscriber("t1", &["syncerror"]).await;
    let mut sent = event("t1", "SyncError", "e1", "");
    sent["event"]["context"] =
        serde_json::json!([{"key": "operationoutcome", "resource": {"resourceType": "OperationOutcome", "issue": []}}]);
    bench.publish(&sent).await.expect(202, "e1");
    assert_eq!(watcher.expect_event("syncerror").await["event"]["context"], sent["event"]["context"]);
    assert_eq!(bench.get("/hub/t1").await.json()["context.type"], "");
}

#[tokio::test]
async fn not_14_idle_sockets_are_pinged_and_the_dead_are_noticed() {
    let settings = HubSettings { ping_every: SignedDuration::from_millis(20), ..HubSettings::default() };
    let bench = Bench::with(settings).await;
    let mut alive = connect(&bench.endpoint("t1", "Patient-open").await).await;
    alive.text().await;
    let (status, _dead) = bench.upgrade(&bench.endpoint("t1", "Patient-open").await, "").await;
    assert_eq!(status, 101);
    while bench.hub.counters().sockets_ended == 0 {
        assert!(matches!(alive.message().await, Some(Message::Ping(_))));
    }
    assert_eq!(bench.hub.counters().sockets_ended, 1);
}

#[tokio::test]
async fn not_15_one_that_does_not_read_is_cut_off_and_the_others_keep_up() {
    let bench = Bench::with(HubSettings { queue: 8, ..HubSettings::default() }).await;
    let mut watcher = bench.subscriber("t1", &["SyncError", "Patient-open"]).await;
    let (_, _stuck) = bench.upgrade(&bench.endpoint("t1", "Patient-open&subscriber.name=Stuck").await, "").await;
    let mut large = event("t1", "Patient-open", "e1", "p1");
    large["padding"] = "x".repeat(900_000).into();
    let mut events = 0;
    while bench.hub.counters().sockets_cut_off == 0 {
        bench.publish(&large).await.expect(202, "e1");
        watcher.expect_event("Patient-open").await;
        events += 1;
        assert!(events < 100, "an endless buffer");
    }
    assert!(diagnostics(&watcher.expect_event("SyncError").await).starts_with("Stuck reads too slowly"));
}

#[tokio::test]
async fn cli_23_the_operator_sees_who_follows_and_who_acknowledges() {
    let bench = Bench::start().await;
    let mut eager = bench.named_subscriber("Eager", "t1", &["Patient-open"]).await;
    let mut silent = connect(&bench.endpoint("t1", "Patient-open&subscriber.name=Silent").await).await;
    silent.text().await;
    bench.endpoint("t1", "Patient-open&subscriber.name=Expected").await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    eager.expect_event("Patient-open").await;
    bench.until(|counts| counts.answers_received == 1).await;
    bench.after(Duration::from_secs(11)).await;
    let shown = bench.hub.subscribers(10).await;
    let shown: Vec<_> = shown
        .iter()
        .map(|subscriber| (subscriber.name.as_str(), subscriber.acknowledges, subscriber.connection))
        .collect();
    let expected = [
        ("Eager", Acknowledges::Always, ConnectionState::Connected),
        ("Expected", Acknowledges::NothingYet, ConnectionState::Expected),
        ("Silent", Acknowledges::Never, ConnectionState::Connected),
    ];
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn cli_26_a_shutdown_closes_with_going_away_and_no_denial() {
    let bench = Bench::start().await;
    let mut viewer = bench.subscriber("t1", &["Patient-open"]).await;
    bench.hub.shutdown().await;
    viewer.expect_close(1001).await;
    bench.hub.drained().await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await.expect(503, "shutting down");
}
