//! Marked patients over HTTP and WebSocket: published, refused, shared, told to subscribers that refuse, fail or never answer.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::any;
use reqwest::RequestBuilder;
use reqwest::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::expect_none;
use super::gateway::{Gateway, PATIENCE, TOKEN};
use crate::conformance::socket::{Socket, connect};

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "id": "canary-98765432101",
        "identifier": [{"system": "urn:canary", "value": "98765432101"}],
        "name": [{"family": "Canaryson"}],
        "address": [{"line": ["Canary Street 98765432101"]}],
    })
}

fn event(topic: &str, name: &str, id: &str, context: Value) -> Value {
    json!({
        "timestamp": "2026-11-22T08:15:30Z",
        "id": id,
        "event": {"hub.topic": topic, "hub.event": name, "context": context},
    })
}

fn open(topic: &str, id: &str) -> Value {
    event(topic, "Patient-open", id, json!([{"key": "patient", "resource": patient()}]))
}

/// Sends `request`; what is refused shows no mark, neither in its head nor in its body.
async fn ask(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.send().await.unwrap();
    let (status, head) = (answer.status(), format!("{:?}", answer.headers()));
    let body = answer.text().await.unwrap();
    if !status.is_success() {
        expect_none("a refusal", format!("{head}\n{body}").as_bytes());
    }
    (status, body)
}

async fn refused(request: RequestBuilder) {
    let (status, body) = ask(request).await;
    assert!(status.is_client_error(), "{status} {body}");
}

pub(super) async fn ask_all(gateway: &Gateway, topic: &str) {
    publish_badly(gateway, topic).await;
    subscribe_badly(gateway).await;
    let (mut refusing, mut other) = (socket(gateway, topic, "Refusing").await, socket(gateway, topic, "Other").await);
    let mut calls = webhooks(gateway, topic).await;
    let (status, body) = ask(gateway.post("/hub").json(&open(topic, "e1"))).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    let told = timeout(PATIENCE, calls.recv()).await.expect("no webhook was called").unwrap();
    assert!(told.contains("Canaryson"), "{told}");
    refuse(&mut refusing, &mut other).await;
    share(gateway, topic).await;
    let (status, context) = ask(gateway.get(&format!("/hub/{topic}"))).await;
    assert!(status.is_success() && context.contains("Canaryson"), "whoever may read it does: {context}");
}

async fn publish_badly(gateway: &Gateway, topic: &str) {
    let text = open(topic, "b1").to_string();
    let wrong_type = json!([{"key": "patient", "resource": {"resourceType": "Canary", "id": "canary"}}]);
    let wrong_key = json!([{"key": "canary", "resource": patient()}]);
    let twice = json!([{"key": "patient", "resource": patient()}, {"key": "patient", "resource": patient()}]);
    let select = json!([{"key": "patient", "reference": {"reference": "Patient/canary"}}]);
    let bodies = [
        text.replace("\"id\"", "\"canary\" \"id\""),
        text[..text.len() / 2].to_owned(),
        text.replacen('{', "{\"id\": \"canary\",", 1),
        text.replace("2026-11-22T08:15:30Z", "canary"),
        text.replace("Patient-open", "Canary open 98765432101"),
        text.replace("Patient-open", ""),
        text.replace(topic, "canary\\ntopic"),
        format!("{}\"canary\"{}", "[".repeat(5_000), "]".repeat(5_000)),
        event(topic, "Patient-open", "b2", wrong_type).to_string(),
        event(topic, "Patient-open", "b3", wrong_key).to_string(),
        event(topic, "Patient-open", "b4", twice).to_string(),
        event(topic, "Patient-open", "b5", json!("Canaryson")).to_string(),
        event(topic, "DiagnosticReport-update", "b6", select.clone()).to_string(),
        event(topic, "SyncError", "b7", json!([{"key": "canary"}])).to_string(),
        open(topic, &"canary".repeat(100)).to_string(),
        format!("{text}{}", "canary ".repeat(200_000)),
    ];
    for body in bodies {
        refused(gateway.post("/hub").header(CONTENT_TYPE, "application/json").body(body)).await;
    }
    refused(gateway.post("/hub").header(CONTENT_TYPE, "text/canary").body(text.clone())).await;
    refused(gateway.post("/hub/canary-98765432101").header(CONTENT_TYPE, "application/json").body(text.clone())).await;
    for token in ["canary", "eyJhbGciOiJub25lIn0.Y2FuYXJ5.canary", &TOKEN[1..]] {
        refused(gateway.stranger("/hub").bearer_auth(token).json(&open(topic, "b8"))).await;
    }
    let turned = HeaderValue::from_bytes("viewer \u{202e} canary".as_bytes()).unwrap();
    ask(gateway.get("/hub/canary-98765432101").header(USER_AGENT, turned)).await;
    refused(gateway.get("/canary?name=Canaryson")).await;
    refused(gateway.get("/hub/ws/canary98765432101")).await;
}

async fn subscribe_badly(gateway: &Gateway) {
    let form = "hub.channel.type=websocket&hub.mode=subscribe";
    for parameters in [
        "&hub.topic=canary%00&hub.events=Patient-open",
        "&hub.topic=t&hub.events=",
        "&hub.topic=t&hub.events=Patient-open&hub.lease_seconds=canary",
        "&hub.topic=t&hub.topic=canary&hub.events=Patient-open",
        "&hub.events=canary",
        "&hub.topic=t&hub.events=Patient-open&subscriber.name=canary%0D%0A%1B%5B31m",
    ] {
        ask(posted(gateway, "/hub", &format!("{form}{parameters}"))).await;
    }
    let unsubscribe =
        "hub.channel.type=websocket&hub.mode=unsubscribe&hub.topic=t&hub.channel.endpoint=wss://canary/98765432101";
    refused(posted(gateway, "/hub", unsubscribe)).await;
    let callback = "hub.channel.type=webhook&hub.mode=subscribe&hub.topic=t&hub.events=Patient-open&hub.callback=";
    for url in ["http%3A%2F%2F10.0.0.1%2Fcanary", "canary", "https%3A%2F%2Fcanary%3Acanary%40viewer.example%2F"] {
        ask(posted(gateway, "/hub-stu2", &format!("{callback}{url}"))).await;
    }
}

fn posted(gateway: &Gateway, path: &str, form: &str) -> RequestBuilder {
    gateway.post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.to_owned())
}

/// A subscriber whose name does what no name should (T11).
async fn socket(gateway: &Gateway, topic: &str, name: &str) -> Socket {
    let form = format!(
        "hub.channel.type=websocket&hub.mode=subscribe&hub.topic={topic}&hub.events=Patient-open,SyncError\
         &subscriber.name={name}%E2%80%AE"
    );
    let (status, body) = ask(posted(gateway, "/hub", &form)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let mut socket = connect(answer["hub.channel.endpoint"].as_str().unwrap()).await;
    socket.text().await;
    socket
}

/// One subscriber refuses, in marked words; what the other is told of it shows none. Then both say what means nothing.
async fn refuse(refusing: &mut Socket, other: &mut Socket) {
    refusing.say(r#"{"id": "e1", "status": 500, "reason": "Canaryson 98765432101"}"#).await;
    other.say(r#"{"id": "e1", "status": 200}"#).await;
    let mut told = other.text().await;
    while !told.contains("SyncError") {
        told = other.text().await;
    }
    expect_none("a SyncError", told.as_bytes());
    for text in ["canary", "{\"canary\": 98765432101", "[\"canary\"]"] {
        refusing.say(text).await;
    }
}

/// One webhook that is told, and answers with marks; one whose answer to the challenge is marked, and that is not verified.
async fn webhooks(gateway: &Gateway, topic: &str) -> mpsc::Receiver<String> {
    let (sender, calls) = mpsc::channel(16);
    let hook = any(async move |request: axum::extract::Request| {
        let challenge =
            request.uri().query().unwrap_or_default().split('&').find_map(|it| it.strip_prefix("hub.challenge="));
        if let Some(challenge) = challenge {
            return (StatusCode::OK, challenge.to_owned());
        }
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let _ = sender.send(String::from_utf8_lossy(&body).into_owned()).await;
        (StatusCode::BAD_REQUEST, "Canaryson 98765432101".to_owned())
    });
    let routes = Router::new().route("/canary", hook).route("/no", any(async || "Canaryson"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await });
    for path in ["no", "canary"] {
        let form = format!(
            "hub.channel.type=webhook&hub.mode=subscribe&hub.topic={topic}&hub.events=patient-open&hub.secret=canary\
             &hub.callback=http%3A%2F%2F{address}%2F{path}%3Fname%3DCanaryson&subscriber.name=Hook"
        );
        let (status, body) = ask(posted(gateway, "/hub-stu2", &form)).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    }
    // Verified once the operator sees it connected.
    let verified = async {
        while !gateway.operator("/metrics").await.contains("fhircast_gateway_hub_webhooks_not_verified_total 1")
            || !gateway.operator("/metrics").await.contains("fhircast_gateway_hub_webhooks_verified_total 1")
        {}
    };
    timeout(PATIENCE, verified).await.expect("no webhook was verified");
    calls
}

/// Every message again, as an operator orders it: the first of them are shown, refused, too old and not read at all.
pub(super) async fn handle_again(gateway: &Gateway) {
    for message in 1..=12 {
        for dry_run in [true, false] {
            let order = json!({"operator": "operator", "dry_run": dry_run, "even_if_old": !dry_run});
            let answer = gateway.order(&format!("/messages/{message}/reprocess"), &order).await;
            expect_none("what is told of a message that was handled again", answer.as_bytes());
        }
    }
}

/// Content of a report, and updates that its topic does not take.
async fn share(gateway: &Gateway, topic: &str) {
    let report = json!({"resourceType": "DiagnosticReport", "id": "canary", "status": "unknown"});
    let study = json!({"resourceType": "ImagingStudy", "id": "canary", "status": "unknown"});
    let context = json!([
        {"key": "report", "resource": report}, {"key": "patient", "resource": patient()}, {"key": "study", "resource": study},
    ]);
    let (status, body) = ask(gateway.post("/hub").json(&event(topic, "DiagnosticReport-open", "r1", context))).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    let resource = json!({"resourceType": "Observation", "id": "canary", "valueString": "Canary finding"});
    let entry = json!({"request": {"method": "PUT", "url": "Observation/canary"}, "resource": resource});
    let bundle = json!({"resourceType": "Bundle", "id": "canary", "type": "transaction", "entry": [entry]});
    let reference = |id: &str| json!({"reference": format!("DiagnosticReport/{id}")});
    let update = |id: &str, about: &str, version: &str| {
        let context = json!([{"key": "report", "reference": reference(about)}, {"key": "updates", "resource": bundle}]);
        let mut update = event(topic, "DiagnosticReport-update", id, context);
        update["event"]["context.versionId"] = version.into();
        update
    };
    for (id, about, version) in [("u1", "canary", "canary-98765432101"), ("u2", "canary-unopened", "v")] {
        refused(gateway.post("/hub").json(&update(id, about, version))).await;
    }
}
