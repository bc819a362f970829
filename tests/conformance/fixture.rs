//! A hub on a port of its own with a clock that stands still, and the ways in which tests talk to it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fhircast_gateway::audit::AuditLog;
use fhircast_gateway::client::{Frame, Subscriber, SubscriberOptions};
use fhircast_gateway::clock::{Clock, Manual};
use fhircast_gateway::http::{self, HttpSettings};
use fhircast_gateway::hub::{Hub, HubSettings, Snapshot};
use fhircast_gateway::security::Authenticator;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; a test that waits for this has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Bench {
    pub(crate) hub: Hub,
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    clock: Arc<Manual>,
    shutdown: CancellationToken,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(HubSettings::default()).await
    }

    pub(crate) async fn with(settings: HubSettings) -> Self {
        Self::with_http(settings, HttpSettings::default()).await
    }

    pub(crate) async fn with_authenticator(
        settings: HubSettings,
        authenticator: impl FnOnce(Arc<dyn Clock>) -> Authenticator,
    ) -> Self {
        Self::with_all(settings, HttpSettings::default(), AuditLog::off(), authenticator).await
    }

    pub(crate) async fn with_audit(
        audit: AuditLog,
        authenticator: impl FnOnce(Arc<dyn Clock>) -> Authenticator,
    ) -> Self {
        Self::with_all(HubSettings::default(), HttpSettings::default(), audit, authenticator).await
    }

    pub(crate) async fn with_http(settings: HubSettings, http: HttpSettings) -> Self {
        Self::with_all(settings, http, AuditLog::off(), |_| Authenticator::open()).await
    }

    async fn with_all(
        settings: HubSettings,
        http: HttpSettings,
        audit: AuditLog,
        authenticator: impl FnOnce(Arc<dyn Clock>) -> Authenticator,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let clock = Arc::new(Manual::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_882_530)));
        let authenticator = authenticator(Arc::clone(&clock) as _);
        let hub = Hub::start(settings, Arc::clone(&clock) as _, authenticator, audit);
        let shutdown = CancellationToken::new();
        tokio::spawn(http::serve(listener, None, hub.routes(), http, shutdown.clone()));
        Self { url: format!("http://{address}/hub"), hub, address, clock, shutdown }
    }

    /// Lets time pass, and the hub do what is due.
    pub(crate) async fn after(&self, time: Duration) {
        self.clock.advance(time);
        self.hub.lapse().await;
    }

    /// Waits until what is on its way to the hub has arrived: nothing more comes, however often the runtime looks.
    pub(crate) async fn settled(&self) {
        let mut before = None;
        while before != Some(self.hub.counters()) {
            before = Some(self.hub.counters());
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until what the hub has done so far is enough.
    pub(crate) async fn until(&self, enough: impl Fn(Snapshot) -> bool) {
        let reached = async {
            while !enough(self.hub.counters()) {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, reached).await.expect("the hub did not do it");
    }

    /// A connected subscriber that has had its confirmation.
    pub(crate) async fn subscriber(&self, topic: &str, events: &[&str]) -> Viewer {
        self.named_subscriber("", topic, events).await
    }

    pub(crate) async fn named_subscriber(&self, name: &str, topic: &str, events: &[&str]) -> Viewer {
        let mut viewer = self.unconfirmed(name, topic, events).await;
        viewer.expect_confirmation().await;
        viewer
    }

    pub(crate) async fn unconfirmed(&self, name: &str, topic: &str, events: &[&str]) -> Viewer {
        self.at("/hub").unconfirmed(name, topic, events).await
    }

    /// The hub through the mount at `path`.
    pub(crate) fn at<'b>(&'b self, path: &'b str) -> Mount<'b> {
        Mount { bench: self, path }
    }
}

/// A hub as it is at one mount.
#[derive(Clone, Copy)]
pub(crate) struct Mount<'b> {
    bench: &'b Bench,
    pub(crate) path: &'b str,
}

impl Mount<'_> {
    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.bench.address, self.path)
    }

    pub(crate) async fn form(&self, parameters: &str) -> Answer {
        self.bench.post(self.path, "application/x-www-form-urlencoded", parameters.as_bytes()).await
    }

    pub(crate) async fn publish(&self, event: &Value) -> Answer {
        self.bench.post(self.path, "application/json", event.to_string().as_bytes()).await
    }

    pub(crate) async fn get(&self, topic: &str) -> Answer {
        self.bench.get(&format!("{}/{topic}", self.path)).await
    }

    /// A connected and named subscriber that has had its confirmation.
    pub(crate) async fn subscriber(&self, topic: &str, events: &[&str]) -> Viewer {
        let mut viewer = self.unconfirmed("Viewer", topic, events).await;
        viewer.expect_confirmation().await;
        viewer
    }

    pub(crate) async fn unconfirmed(&self, name: &str, topic: &str, events: &[&str]) -> Viewer {
        let events: Vec<_> = events.iter().map(|&event| event.to_owned()).collect();
        let name = (!name.is_empty()).then(|| name.to_owned());
        let options = SubscriberOptions { name, ..SubscriberOptions::default() };
        Viewer(Subscriber::subscribe(&self.url(), topic, &events, options).await.unwrap())
    }
}

impl Bench {
    /// Posts a form made of these parameters, percent-encoded already.
    pub(crate) async fn form(&self, parameters: &str) -> Answer {
        self.post("/hub", "application/x-www-form-urlencoded", parameters.as_bytes()).await
    }

    /// Subscribes without connecting; the endpoint's URL.
    pub(crate) async fn endpoint(&self, topic: &str, events: &str) -> String {
        let answer = self.form(&subscription(topic, events)).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()["hub.channel.endpoint"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn publish(&self, event: &Value) -> Answer {
        self.post("/hub", "application/json", event.to_string().as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.exchange(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address), b"").await
    }

    pub(crate) async fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Answer {
        self.post_with(path, &format!("Content-Type: {content_type}\r\n"), body).await
    }

    /// Posts with these headers, each ended by CR LF.
    pub(crate) async fn post_with(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        let (address, length) = (self.address, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        self.exchange(&head, body).await
    }

    /// Writes these very bytes, and reads until the hub closes.
    pub(crate) async fn exchange(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        // A hub that refuses early need not read on.
        let _ = stream.write_all(body).await;
        let mut bytes = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the hub did not answer");
        Answer::read(&bytes)
    }

    /// Opens a WebSocket by hand, with these headers beside the usual; the status, and the stream after the head.
    pub(crate) async fn upgrade(&self, endpoint: &str, headers: &str) -> (u16, TcpStream) {
        let (_, rest) = endpoint.split_once("://").unwrap();
        let path = &rest[rest.find('/').unwrap()..];
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n",
            self.address
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(timeout(PATIENCE, stream.read_u8()).await.expect("no answer").unwrap());
        }
        (Answer::read(&read).status, stream)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let hub = self.hub.clone();
        tokio::spawn(async move { hub.shutdown().await });
    }
}

/// A subscription's form.
pub(crate) fn subscription(topic: &str, events: &str) -> String {
    format!("hub.channel.type=websocket&hub.mode=subscribe&hub.topic={topic}&hub.events={events}")
}

/// An event about a patient, or about none where `patient` is empty.
pub(crate) fn event(topic: &str, name: &str, id: &str, patient: &str) -> Value {
    let context = match patient {
        "" => json!([]),
        id => json!([{"key": "patient", "resource": {"resourceType": "Patient", "id": id}}]),
    };
    json!({
        "timestamp": "2026-05-04T08:15:30.120Z",
        "id": id,
        "event": {"hub.topic": topic, "hub.event": name, "context": context},
    })
}

/// An open report `id`, with a patient and a study.
pub(crate) fn report_event(topic: &str, name: &str, event_id: &str, id: &str) -> Value {
    let mut event = event(topic, name, event_id, "p1");
    let entry = |key: &str, kind: &str, id: &str| json!({"key": key, "resource": {"resourceType": kind, "id": id}});
    let context = event["event"]["context"].as_array_mut().unwrap();
    context.insert(0, entry("report", "DiagnosticReport", id));
    context.push(entry("study", "ImagingStudy", "s1"));
    event
}

/// An update of the report `r1` in this version, by these entries of its bundle.
pub(crate) fn update_event(topic: &str, event_id: &str, version: &Value, entries: &Value) -> Value {
    let bundle = json!({"resourceType": "Bundle", "id": "bundle-1", "type": "transaction", "entry": entries});
    let mut event = event(topic, "DiagnosticReport-update", event_id, "");
    event["event"]["context.versionId"] = version.clone();
    event["event"]["context"] = json!([
        {"key": "report", "reference": {"reference": "DiagnosticReport/r1"}},
        {"key": "updates", "resource": bundle},
    ]);
    event
}

/// An entry that adds or replaces an Observation.
pub(crate) fn put(id: &str) -> Value {
    json!({"request": {"method": "PUT", "url": format!("Observation/{id}")}, "resource": {"resourceType": "Observation", "id": id}})
}

/// An HTTP response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16, reason: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.body.contains(reason), "{self:?} does not say: {reason}");
    }
}

/// A subscriber as a person would use it.
pub(crate) struct Viewer(pub(crate) Subscriber);

impl Viewer {
    pub(crate) async fn frame(&mut self) -> Frame {
        timeout(PATIENCE, self.0.next()).await.expect("nothing came").unwrap()
    }

    pub(crate) async fn expect_confirmation(&mut self) -> Value {
        match self.frame().await {
            Frame::Confirmation { text, .. } => serde_json::from_str(&text).unwrap(),
            other => panic!("no confirmation, but {other:?}"),
        }
    }

    pub(crate) async fn expect_event(&mut self, name: &str) -> Value {
        match self.frame().await {
            Frame::Notification { event, text, .. } if event == name => serde_json::from_str(&text).unwrap(),
            other => panic!("not {name}, but {other:?}"),
        }
    }

    pub(crate) async fn expect_denial(&mut self, expected: &str) {
        match self.frame().await {
            Frame::Denied { reason, .. } => assert!(reason.contains(expected), "{reason}"),
            other => panic!("no denial, but {other:?}"),
        }
    }

    pub(crate) async fn expect_close(&mut self, expected: u16) {
        match self.frame().await {
            Frame::Closed { code, .. } => assert_eq!(code, Some(expected)),
            other => panic!("no close, but {other:?}"),
        }
    }
}
