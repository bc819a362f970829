//! WH: subscribers that are told by requests to an address of their own, at mounts of older editions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::get;
use fhircast_gateway::hub::{HubSettings, WebhookSettings};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::fixture::{Bench, event};

const PATIENCE: Duration = Duration::from_secs(20);

/// What a callback was asked or told.
#[derive(Debug)]
enum Call {
    Asked(HashMap<String, String>),
    Told { body: Vec<u8>, signature: Option<String> },
}

/// A callback on a port of its own, which answers as it is told to.
struct Callback {
    url: String,
    calls: mpsc::Receiver<Call>,
    manner: Arc<Mutex<Manner>>,
}

/// How a callback answers.
#[derive(Clone)]
struct Manner {
    challenge: Answer,
    status: StatusCode,
}

#[derive(Clone, Copy)]
enum Answer {
    Echo,
    Wrong,
    Padded,
    Redirect,
    Refuse,
    Endless,
}

#[derive(Clone)]
struct Shared(mpsc::Sender<Call>, Arc<Mutex<Manner>>);

async fn callback(challenge: Answer) -> Callback {
    let (sender, calls) = mpsc::channel(64);
    let manner = Arc::new(Mutex::new(Manner { challenge, status: StatusCode::OK }));
    let routes = Router::new().route("/hook", get(asked).post(told)).with_state(Shared(sender, Arc::clone(&manner)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/hook?own=1", listener.local_addr().unwrap().port());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    Callback { url, calls, manner }
}

async fn asked(
    State(Shared(calls, manner)): State<Shared>,
    Query(query): Query<HashMap<String, String>>,
) -> axum::response::Response {
    let challenge = query.get("hub.challenge").cloned().unwrap_or_default();
    let _ = calls.try_send(Call::Asked(query));
    match manner.lock().await.challenge {
        Answer::Echo => challenge.into_response(),
        Answer::Wrong => "wrong".into_response(),
        Answer::Padded => format!("{challenge}\n").into_response(),
        Answer::Redirect => (StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
        Answer::Refuse => (StatusCode::NOT_FOUND, challenge).into_response(),
        Answer::Endless => "x".repeat(1 << 20).into_response(),
    }
}

async fn told(State(Shared(calls, manner)): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("x-hub-signature").map(|value| value.to_str().unwrap().to_owned());
    let _ = calls.try_send(Call::Told { body: body.to_vec(), signature });
    manner.lock().await.status
}

impl Callback {
    async fn next(&mut self) -> Call {
        timeout(PATIENCE, self.calls.recv()).await.expect("not called").unwrap()
    }

    async fn question(&mut self) -> HashMap<String, String> {
        match self.next().await {
            Call::Asked(query) => query,
            Call::Told { .. } => panic!("told, not asked"),
        }
    }

    async fn notification(&mut self) -> (Value, Vec<u8>, Option<String>) {
        match self.next().await {
            Call::Told { body, signature } => (serde_json::from_slice(&body).unwrap(), body, signature),
            Call::Asked(query) => panic!("asked, not told: {query:?}"),
        }
    }

    fn form(&self, mode: &str, more: &str) -> String {
        let callback = percent_encoding::utf8_percent_encode(&self.url, percent_encoding::NON_ALPHANUMERIC);
        format!(
            "hub.channel.type=webhook&hub.mode={mode}&hub.topic=t1&hub.events=Patient-open,SyncError&hub.callback={callback}{more}"
        )
    }
}

/// A hub whose older mounts take webhooks on this machine.
async fn bench() -> Bench {
    let allowed = vec!["127.0.0.1".parse().unwrap()];
    let webhooks = WebhookSettings { allowed, allow_http_on_loopback: true, ..WebhookSettings::default() };
    let mut settings = HubSettings { webhooks, ..HubSettings::default() };
    for mount in ["ballot", "stu2"] {
        settings.mount.get_mut(mount).unwrap().webhooks = Some(true);
    }
    Bench::with(settings).await
}

#[tokio::test]
async fn wh_01_disc_05_webhooks_may_subscribe_where_they_are_switched_on_and_never_in_edition_3() {
    let bench = bench().await;
    let callback = callback(Answer::Echo).await;
    for (path, status) in
        [("/hub", 400), ("/hub-ira", 400), ("/api/hub", 400), ("/hub-ballot", 202), ("/hub-stu2", 202)]
    {
        let form = callback.form("subscribe", "&subscriber.name=V");
        assert_eq!(bench.at(path).form(&form).await.status, status, "{path}");
        let configuration = bench.at(path).get(".well-known/fhircast-configuration").await.json();
        assert_eq!(configuration["webhookSupport"], status == 202, "{path}");
    }
    let mount = bench.at("/hub-stu2");
    let no_callback = "hub.channel.type=webhook&hub.mode=subscribe&hub.topic=t1&hub.events=Patient-open";
    mount.form(no_callback).await.expect(400, "hub.callback");
    mount.form(&format!("{no_callback}&hub.callback=http%3A%2F%2Fhooks.example%2F")).await.expect(400, "https");
    mount
        .form(&callback.form("subscribe", &format!("&hub.secret={}", "x".repeat(200))))
        .await
        .expect(400, "hub.secret");
}

#[tokio::test]
async fn wh_02_03_a_verified_callback_is_told_the_current_context_and_every_event_signed() {
    let bench = bench().await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    let mut callback = callback(Answer::Echo).await;
    let form = callback.form("subscribe", "&hub.secret=shared&hub.lease_seconds=60");
    bench.at("/hub-stu2").form(&form).await.expect(202, "/hook?own=1");
    let question = callback.question().await;
    for (name, value) in
        [("own", "1"), ("hub.mode", "subscribe"), ("hub.topic", "t1"), ("hub.events", "Patient-open,SyncError")]
    {
        assert_eq!(question[name], value);
    }
    assert!(question["hub.challenge"].len() >= 32);
    let (current, body, signature) = callback.notification().await;
    assert_eq!((&current["id"], &current["event"]["hub.event"]), (&"e1".into(), &"Patient-open".into()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, b"shared");
    let hex: String = aws_lc_rs::hmac::sign(&key, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(signature, Some(format!("sha256={hex}")));
    bench.publish(&event("t1", "Patient-open", "e2", "p2")).await;
    assert_eq!(callback.notification().await.0["id"], "e2");
}

#[tokio::test]
async fn wh_02_06_whoever_does_not_echo_the_challenge_is_not_subscribed() {
    for answer in [Answer::Wrong, Answer::Padded, Answer::Redirect, Answer::Refuse, Answer::Endless] {
        let bench = bench().await;
        let mut callback = callback(answer).await;
        bench.at("/hub-stu2").form(&callback.form("subscribe", "")).await.expect(202, "");
        callback.question().await;
        bench.until(|counts| counts.subscriptions_ended == 1).await;
        bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
        assert!(callback.calls.try_recv().is_err(), "told all the same");
    }
}

#[tokio::test]
async fn wh_04_the_answers_status_is_the_acknowledgement() {
    let bench = bench().await;
    let mut watcher = bench.subscriber("t1", &["SyncError"]).await;
    let mut callback = callback(Answer::Echo).await;
    bench.at("/hub-ballot").form(&callback.form("subscribe", "&subscriber.name=Hook")).await.expect(202, "");
    callback.question().await;
    bench.until(|counts| counts.sockets_opened == 2).await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await;
    callback.notification().await;
    bench.until(|counts| counts.answers_received == 1).await;
    callback.manner.lock().await.status = StatusCode::CONFLICT;
    bench.publish(&event("t1", "Patient-open", "e2", "p1")).await;
    let told = watcher.expect_event("SyncError").await;
    let issue = &told["event"]["context"][0]["resource"]["issue"][0];
    assert_eq!(issue["diagnostics"], "Hook refused Patient-open: it answered 409.");
}

#[tokio::test]
async fn wh_05_uns_01_the_end_is_told_by_a_denial() {
    let bench = bench().await;
    let mut callback = callback(Answer::Echo).await;
    bench.at("/hub-stu2").form(&callback.form("subscribe", "&hub.lease_seconds=60")).await.expect(202, "");
    callback.question().await;
    bench.until(|counts| counts.sockets_opened == 1).await;
    bench.at("/hub-stu2").form(&callback.form("unsubscribe", "")).await.expect(202, "/hook");
    let denial = callback.question().await;
    assert_eq!((denial["hub.mode"].as_str(), denial["hub.topic"].as_str()), ("denied", "t1"));
    assert!(denial["hub.reason"].contains("ended by its subscriber") && denial["own"] == "1");
    bench.at("/hub-stu2").form(&callback.form("unsubscribe", "")).await.expect(400, "");
}

#[tokio::test]
async fn cli_11_a_rest_hook_is_a_webhook_and_one_topic_is_shared_with_it() {
    let bench = bench().await;
    let mut callback = callback(Answer::Echo).await;
    let form = callback.form("subscribe", "").replace("=webhook", "=rest-hook");
    bench.at("/hub-stu2").form(&form).await.expect(202, "");
    callback.question().await;
    let mut ballot = bench.at("/hub-ballot").subscriber("t1", &["Patient-open"]).await;
    bench.until(|counts| counts.sockets_opened == 2).await;
    bench.publish(&event("t1", "Patient-open", "e1", "p1")).await.expect(202, "e1");
    ballot.expect_event("Patient-open").await;
    assert_eq!(callback.notification().await.0["id"], "e1");
}
