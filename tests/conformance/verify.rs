//! The suite for anybody's hub, run against our own: time is handed in, so that what waits is done at once.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use fhircast_gateway::client::ClientError;
use fhircast_gateway::hub::HubSettings;
use fhircast_gateway::verify::{Edition, Outcome, Passage, Report, Request, text, verify};
use jiff::SignedDuration;
use serde_json::json;
use tokio::net::TcpListener;

use super::fixture::Bench;

/// One of our mounts, and what is asked of it.
struct Mount {
    path: &'static str,
    edition: Edition,
    strict_ira: bool,
    /// Whether it is one for the clients in the field.
    clients: bool,
    /// Whether it bends towards them.
    lenient: bool,
}

impl Mount {
    const fn new(path: &'static str, edition: Edition) -> Self {
        Self { path, edition, strict_ira: false, clients: true, lenient: false }
    }
}

/// Moves a hub's clock. Only one check may wait at a time, as all have the same clock.
struct Turning(Arc<Bench>);

impl Passage for Turning {
    fn let_pass(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.0.settled().await;
            self.0.after(duration).await;
        })
    }

    fn side_by_side(&self) -> usize {
        1
    }
}

async fn report(mount: &Mount) -> Report {
    // Pings go by the machine's time, so they are made frequent.
    let settings = HubSettings { ping_every: SignedDuration::from_secs(1), ..HubSettings::default() };
    let bench = Arc::new(Bench::with(settings).await);
    let request = Request {
        edition: Some(mount.edition),
        strict_ira: mount.strict_ira,
        clients: mount.clients,
        lenient: mount.lenient,
        strict_ours: true,
        ..all(format!("http://{}{}", bench.address, mount.path), Duration::from_secs(5))
    };
    verify(request, Arc::new(Turning(bench))).await.unwrap()
}

/// Everything, of anybody's hub.
fn all(hub: String, patience: Duration) -> Request {
    Request {
        hub,
        token: None,
        limited_token: None,
        edition: None,
        strict_ira: false,
        clients: false,
        lenient: false,
        only: Vec::new(),
        slow: true,
        strict_ours: false,
        patience,
    }
}

/// The suite at one mount: nothing fails.
async fn follows(mount: Mount) {
    let report = report(&mount).await;
    let failed = report.lines.iter().filter(|line| line.outcome == Outcome::Fail).map(|line| line.id);
    let failed: Vec<_> = failed.collect();
    let shown = text(&report, |_, word| word.to_owned());
    assert!(failed.is_empty(), "{failed:?} at {}:\n{shown}", mount.path);
}

#[tokio::test]
async fn the_standard_mount_follows_every_clause_that_can_be_seen() {
    follows(Mount::new("/hub", Edition::Stu3)).await;
}

#[tokio::test]
async fn the_ballot_mount_follows_every_clause_that_can_be_seen() {
    follows(Mount::new("/hub-ballot", Edition::Ballot)).await;
}

#[tokio::test]
async fn the_stu2_mount_follows_every_clause_that_can_be_seen() {
    follows(Mount::new("/hub-stu2", Edition::Stu2)).await;
}

#[tokio::test]
async fn the_compatible_mount_follows_every_clause_that_can_be_seen() {
    follows(Mount { lenient: true, ..Mount::new("/fhircast/STU3", Edition::Stu3) }).await;
}

#[tokio::test]
async fn the_compatible_stu2_mount_follows_every_clause_that_can_be_seen() {
    follows(Mount { lenient: true, ..Mount::new("/fhircast/STU2", Edition::Stu2) }).await;
}

#[tokio::test]
async fn the_api_mount_follows_every_clause_that_can_be_seen() {
    follows(Mount { lenient: true, ..Mount::new("/api/hub", Edition::Stu3) }).await;
}

#[tokio::test]
async fn the_strict_mount_follows_every_requirement_that_can_be_seen() {
    follows(Mount { strict_ira: true, clients: false, ..Mount::new("/hub-ira", Edition::Stu3) }).await;
}

#[tokio::test]
async fn tokens_are_judged_by_the_same_suite() {
    let bench = Arc::new(super::scopes::guarded().await);
    let request = Request {
        token: Some(super::scopes::token("all")),
        limited_token: Some(super::scopes::token("limited")),
        only: ["SUB-14", "SUB-15", "SUB-16", "REQ-07", "NOT-03", "CTX-07", "SCO-01"].map(str::to_owned).to_vec(),
        strict_ours: true,
        ..all(bench.url.clone(), Duration::from_secs(5))
    };
    let report = verify(request, Arc::new(Turning(bench))).await.unwrap();
    let shown = text(&report, |_, word| word.to_owned());
    assert!(report.lines.iter().all(|line| line.outcome == Outcome::Pass), "{shown}");
}

/// Time that passes at once and changes nothing: what it is for has no clock.
struct Nothing;

impl Passage for Nothing {
    fn let_pass(&self, _duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {})
    }

    fn side_by_side(&self) -> usize {
        64
    }
}

/// Verifies the hub that `routes` make, with little patience.
async fn rude(routes: Router) -> Result<Report, ClientError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hub", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let request = Request { strict_ira: true, clients: true, ..all(url, Duration::from_millis(300)) };
    let report = verify(request, Arc::new(Nothing)).await;
    serving.abort();
    report
}

/// How many clauses failed with something to show for it. Some pass even here: a refusal may be what is asked for.
fn failures(report: &Report) -> usize {
    report.lines.iter().filter(|line| line.outcome == Outcome::Fail && !line.seen.is_empty()).count()
}

#[tokio::test]
async fn a_hub_that_answers_500_or_garbage_fails_with_what_was_seen() {
    let broken = Router::new().fallback(|| async { (StatusCode::INTERNAL_SERVER_ERROR, "<html>oops\u{1b}[2J</html>") });
    let garbage = Router::new().fallback(|| async { "garbage" });
    for routes in [broken, garbage] {
        let report = rude(routes).await.unwrap();
        let shown = text(&report, |_, word| word.to_owned());
        assert!(failures(&report) > 60 && !shown.contains('\u{1b}'), "{shown}");
    }
}

#[tokio::test]
async fn a_hub_that_answers_discovery_and_then_nothing_does_not_hang_the_suite() {
    let document = json!({"eventsSupported": ["Patient-open"], "websocketSupport": true, "fhircastVersion": "3.0.0"});
    let discovery = get(async move || Json(document.clone()));
    let routes = Router::new()
        .route("/hub/.well-known/fhircast-configuration", discovery)
        .fallback(|| async { std::future::pending::<()>().await });
    let report = rude(routes).await.unwrap();
    let silent = report.lines.iter().filter(|line| line.seen.starts_with("no answer within")).count();
    assert!(silent > 60, "{}", text(&report, |_, word| word.to_owned()));
}

#[tokio::test]
async fn a_hub_whose_sockets_talk_garbage_and_hang_up_fails_with_what_was_seen() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = async |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async |mut socket| {
            for message in [Message::Binary(vec![0, 255].into()), Message::Text("{\"event\":17}".into())] {
                let _ = socket.send(message).await;
            }
        })
    };
    let accepted =
        async move || (StatusCode::ACCEPTED, Json(json!({"hub.channel.endpoint": format!("ws://{address}/ws")})));
    let routes = Router::new().route("/ws", get(socket)).fallback(accepted);
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let request = all(format!("http://{address}/hub"), Duration::from_millis(300));
    let report = verify(request, Arc::new(Nothing)).await.unwrap();
    serving.abort();
    let shown = text(&report, |_, word| word.to_owned());
    assert!(failures(&report) > 40 && shown.contains("2 bytes of binary"), "{shown}");
}

#[tokio::test]
async fn where_nobody_answers_the_suite_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hub", listener.local_addr().unwrap());
    let silent = verify(all(url.clone(), Duration::from_millis(300)), Arc::new(Nothing)).await;
    assert!(matches!(silent, Err(ClientError::Unreachable { .. })), "{silent:?}");
    drop(listener);
    let gone = verify(all(url, Duration::from_secs(5)), Arc::new(Nothing)).await;
    assert!(matches!(gone, Err(ClientError::Unreachable { .. })), "{gone:?}");
    let none = verify(all("hub".into(), Duration::from_secs(5)), Arc::new(Nothing)).await;
    assert!(matches!(none, Err(ClientError::Url { .. })), "{none:?}");
}
