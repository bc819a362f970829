//! A standard FHIRcast client: subscribes, follows, publishes, reads the current context. For our hub and other people's.
//!
//! Knows nothing of this hub's insides. Its errors are for a person at a terminal: what failed, where, and what to try.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{Method, RequestBuilder, StatusCode, Url, header};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// One subscription, connected.
pub struct Subscriber {
    hub: Hub,
    topic: String,
    endpoint: String,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What a subscriber may ask for beside its events.
#[derive(Clone, Debug, Default)]
pub struct SubscriberOptions {
    /// What it calls itself; others see it in a SyncError.
    pub name: Option<String>,
    /// For how long, in seconds; the hub may grant less.
    pub lease_seconds: Option<u64>,
    /// The access token, for a hub that asks for one. Never shown.
    pub token: Option<String>,
}

/// What came over the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The socket is closed; nothing more will come.
    Closed {
        /// The hub's code, where it gave one; without one the connection was simply lost.
        code: Option<u16>,
        /// The hub's reason; empty where it gave none.
        reason: String,
    },
    /// The hub has confirmed the subscription.
    Confirmation {
        /// The events that it is for.
        events: Vec<String>,
        /// How long it lasts, where the hub says so.
        lease_seconds: Option<u64>,
        /// The frame as it came.
        text: String,
    },
    /// The hub has ended or refused the subscription.
    Denied {
        /// Why; empty where the hub does not say.
        reason: String,
        /// The frame as it came.
        text: String,
    },
    /// An event; it has been acknowledged with status 200.
    Notification {
        /// Its name, as the hub spells it.
        event: String,
        /// Its id.
        id: String,
        /// The frame as it came.
        text: String,
        /// When it came.
        received: Instant,
    },
}

/// What a client could not do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The hub says something that no FHIRcast hub says: its fault.
    #[error("{url} does not answer like a FHIRcast hub: {what}")]
    Answer {
        /// Where.
        url: String,
        /// What is wrong with the answer.
        what: &'static str,
    },
    /// The hub has refused: the reason is its own.
    #[error("{url} refused with {status}: {reason}")]
    Refused {
        /// Where.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// What the hub said.
        reason: String,
    },
    /// The socket has broken.
    #[error("the socket failed: {0}")]
    Socket(#[source] Box<tungstenite::Error>),
    /// Nobody was reached.
    #[error("cannot reach {url}: {source}; does a hub run there?")]
    Unreachable {
        /// Where.
        url: String,
        /// What the network said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Not a URL, or not of HTTP.
    #[error("`{url}` is no hub.url: it must start with http:// or https://")]
    Url {
        /// What was given.
        url: String,
    },
}

/// How long a hub may take to answer a request, and to take a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest notification that is read.
const MAX_MESSAGE: usize = 16 << 20;

/// How much of a refusal is repeated.
const MAX_REASON: usize = 500;

impl Subscriber {
    /// Subscribes to `events` of `topic` at `hub_url`, and connects. What the hub then sends, [`Self::next`] gives.
    ///
    /// # Errors
    /// When the hub cannot be reached, refuses, or answers with no endpoint.
    pub async fn subscribe(
        hub_url: &str,
        topic: &str,
        events: &[String],
        options: SubscriberOptions,
    ) -> Result<Self, ClientError> {
        let SubscriberOptions { name, lease_seconds, token } = options;
        let hub = Hub::new(hub_url, token)?;
        let lease = lease_seconds.map(|seconds| seconds.to_string());
        let mut form =
            HashMap::from([("hub.channel.type", "websocket"), ("hub.mode", "subscribe"), ("hub.topic", topic)]);
        let events = events.join(",");
        form.insert("hub.events", &events);
        form.extend(lease.as_deref().map(|lease| ("hub.lease_seconds", lease)));
        form.extend(name.as_deref().map(|name| ("subscriber.name", name)));
        let endpoint = hub.endpoint(&form).await?;
        let socket = open(&endpoint).await?;
        Ok(Self { hub, topic: topic.to_owned(), endpoint, socket })
    }

    /// The topic that is followed.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The subscription's endpoint. Whoever has it can take the subscription over.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What comes next. An event is acknowledged before it is given; after [`Frame::Closed`] comes nothing but that again.
    ///
    /// Cancel safe, save that an acknowledgement may go out late.
    ///
    /// # Errors
    /// When the hub breaks the protocol of the socket.
    pub async fn next(&mut self) -> Result<Frame, ClientError> {
        loop {
            let message = match self.socket.next().await {
                Some(Ok(message)) => message,
                Some(Err(error)) => return closed_or(error),
                None => return Ok(Frame::lost()),
            };
            match message {
                Message::Text(text) => {
                    let frame = Frame::read(text.as_str());
                    if let Frame::Notification { id, .. } = &frame {
                        self.acknowledge(id).await?;
                    }
                    return Ok(frame);
                }
                Message::Close(frame) => {
                    // Our half of the closing handshake, so that the hub need not wait for it.
                    let _ = timeout(PATIENCE, self.socket.flush()).await;
                    let (code, reason) = frame.map(|frame| (u16::from(frame.code), frame.reason.to_string())).unzip();
                    return Ok(Frame::Closed { code, reason: reason.unwrap_or_default() });
                }
                _ => {}
            }
        }
    }

    /// Connects again to the same endpoint, as after a lost connection.
    ///
    /// # Errors
    /// When the hub cannot be reached, or the endpoint is dead.
    pub async fn reconnect(&mut self) -> Result<(), ClientError> {
        self.socket = open(&self.endpoint).await?;
        Ok(())
    }

    /// Asks for other events, on the same socket.
    ///
    /// # Errors
    /// When the hub cannot be reached, or refuses.
    pub async fn resubscribe(&mut self, events: &[String]) -> Result<(), ClientError> {
        let events = events.join(",");
        let mut form = self.form("subscribe");
        form.insert("hub.events", &events);
        self.hub.endpoint(&form).await.map(drop)
    }

    /// Ends the subscription. The hub's denial and its close, if it sends them, are still to be read.
    ///
    /// # Errors
    /// When the hub cannot be reached, or refuses.
    pub async fn unsubscribe(&mut self) -> Result<(), ClientError> {
        self.hub.endpoint(&self.form("unsubscribe")).await.map(drop)
    }

    fn form(&self, mode: &'static str) -> HashMap<&str, &str> {
        HashMap::from([
            ("hub.channel.type", "websocket"),
            ("hub.mode", mode),
            ("hub.topic", self.topic.as_str()),
            ("hub.channel.endpoint", self.endpoint.as_str()),
        ])
    }

    async fn acknowledge(&mut self, id: &str) -> Result<(), ClientError> {
        let answer = serde_json::json!({"id": id, "status": 200}).to_string();
        match self.socket.send(Message::text(answer)).await {
            // The close that makes it impossible is what comes next.
            Ok(()) | Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => Ok(()),
            Err(tungstenite::Error::Protocol(_) | tungstenite::Error::Io(_)) => Ok(()),
            Err(error) => Err(ClientError::Socket(Box::new(error))),
        }
    }
}

/// Publishes `event`, a FHIRcast request in JSON, at `hub_url`; gives the hub's answer, which may be empty.
///
/// # Errors
/// When the hub cannot be reached, or refuses.
pub async fn publish(hub_url: &str, event: &Value, token: Option<String>) -> Result<String, ClientError> {
    let hub = Hub::new(hub_url, token)?;
    hub.text(hub.request(Method::POST, hub.url.clone()).json(event)).await
}

/// The current context of `topic` at `hub_url`, as the hub gives it.
///
/// # Errors
/// When the hub cannot be reached, refuses, or answers with no JSON.
pub async fn current_context(hub_url: &str, topic: &str, token: Option<String>) -> Result<Value, ClientError> {
    let hub = Hub::new(hub_url, token)?;
    let mut url = hub.url.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push(topic);
    }
    let text = hub.text(hub.request(Method::GET, url)).await?;
    serde_json::from_str(&text).map_err(|_| hub.strange("the current context is not JSON"))
}

/// A hub, as a client sees it.
struct Hub {
    client: reqwest::Client,
    url: Url,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Accepted {
    #[serde(rename = "hub.channel.endpoint")]
    endpoint: String,
}

impl Hub {
    fn new(hub_url: &str, token: Option<String>) -> Result<Self, ClientError> {
        let bad = || ClientError::Url { url: hub_url.to_owned() };
        let url = Url::parse(hub_url).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(bad)?;
        let mut client = reqwest::Client::builder().timeout(PATIENCE);
        if url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host)) {
            // A proxy would look for the hub on its own machine.
            client = client.no_proxy();
        }
        let unusable =
            |error: reqwest::Error| ClientError::Unreachable { url: hub_url.to_owned(), source: error.into() };
        Ok(Self { client: client.build().map_err(unusable)?, url, token })
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url).header(header::ACCEPT, "application/json, text/plain");
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a subscription request; the endpoint that the hub answers with.
    async fn endpoint(&self, form: &HashMap<&str, &str>) -> Result<String, ClientError> {
        let text = self.text(self.request(Method::POST, self.url.clone()).form(form)).await?;
        let accepted: Accepted = serde_json::from_str(&text)
            .map_err(|_| self.strange("it gives no `hub.channel.endpoint` to connect to"))?;
        Ok(accepted.endpoint)
    }

    async fn text(&self, request: RequestBuilder) -> Result<String, ClientError> {
        let unreachable = |error: reqwest::Error| {
            let source = innermost(error.without_url());
            ClientError::Unreachable { url: self.url.to_string(), source }
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        if status.is_success() {
            return Ok(text);
        }
        Err(ClientError::Refused { url: self.url.to_string(), status, reason: reason(&text) })
    }

    fn strange(&self, what: &'static str) -> ClientError {
        ClientError::Answer { url: self.url.to_string(), what }
    }
}

/// What a hub says of its refusal, in any of the forms that hubs use.
fn reason(text: &str) -> String {
    let json: Value = serde_json::from_str(text).unwrap_or_default();
    let said = [&json["message"], &json["issue"][0]["details"]["text"], &json["issue"][0]["diagnostics"]];
    let said = said.into_iter().find_map(Value::as_str).unwrap_or(text);
    said.chars().filter(|character| !character.is_control()).take(MAX_REASON).collect()
}

/// The cause at the bottom says it best: "connection refused".
fn innermost(error: reqwest::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string().into()
}

async fn open(endpoint: &str) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, ClientError> {
    let place = place(endpoint);
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    let opened = match timeout(PATIENCE, connect_async_with_config(endpoint, Some(config), true)).await {
        Ok(opened) => opened,
        Err(elapsed) => return Err(ClientError::Unreachable { url: place, source: elapsed.into() }),
    };
    match opened {
        Ok((socket, _)) => Ok(socket),
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            Err(ClientError::Refused { url: place, status: response.status(), reason: reason(&body) })
        }
        Err(error) => Err(ClientError::Unreachable { url: place, source: error.into() }),
    }
}

/// An endpoint without its path, which is a secret.
fn place(endpoint: &str) -> String {
    let (scheme, rest) = endpoint.split_once("://").unwrap_or(("ws", endpoint));
    format!("{scheme}://{}", rest.split('/').next().unwrap_or_default())
}

fn closed_or(error: tungstenite::Error) -> Result<Frame, ClientError> {
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed | tungstenite::Error::Io(_) => {
            Ok(Frame::lost())
        }
        tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            Ok(Frame::lost())
        }
        error => Err(ClientError::Socket(Box::new(error))),
    }
}

impl Frame {
    fn lost() -> Self {
        Self::Closed { code: None, reason: String::new() }
    }

    /// What a text is. Hubs differ: whatever has an event is a notification, whatever has none is about the subscription.
    fn read(text: &str) -> Self {
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if json["event"].is_object() {
            let (event, id) = (word(&json["event"]["hub.event"]), word(&json["id"]));
            return Self::Notification { event, id, text: text.to_owned(), received: Instant::now() };
        }
        if json["hub.mode"] == "denied" {
            return Self::Denied { reason: word(&json["hub.reason"]), text: text.to_owned() };
        }
        let events = word(&json["hub.events"]).split(',').map(|name| name.trim().to_owned()).collect();
        Self::Confirmation { events, lease_seconds: seconds(&json["hub.lease_seconds"]), text: text.to_owned() }
    }
}

/// A lease as a number, or, as some hubs send it, as a text.
fn seconds(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_other_hubs_are_read_too() {
        let confirmation = r#"{"hub.mode":"subscribe","hub.topic":"t","hub.events":"a, b","hub.lease_seconds":"60"}"#;
        assert_eq!(
            Frame::read(confirmation),
            Frame::Confirmation {
                events: vec!["a".into(), "b".into()],
                lease_seconds: Some(60),
                text: confirmation.into()
            }
        );
        let denied = r#"{"hub.mode":"denied","hub.topic":"t","hub.events":"a","hub.reason":"no"}"#;
        assert_eq!(Frame::read(denied), Frame::Denied { reason: "no".into(), text: denied.into() });
        let Frame::Notification { event, id, .. } = Frame::read(r#"{"id":"e","event":{"hub.event":"Home-open"}}"#)
        else {
            panic!("no notification");
        };
        assert_eq!((event.as_str(), id.as_str()), ("Home-open", "e"));
        assert!(matches!(Frame::read("nonsense"), Frame::Confirmation { .. }));
    }

    #[test]
    fn a_refusal_is_told_in_the_hubs_own_words_and_safely() {
        for (text, expected) in [
            ("hub.topic is missing", "hub.topic is missing"),
            (r#"{"message":"no","detail":"Bad Request"}"#, "no"),
            (r#"{"resourceType":"OperationOutcome","issue":[{"details":{"text":"no"}}]}"#, "no"),
            ("a\u{1b}[31mb\n", "a[31mb"),
        ] {
            assert_eq!(reason(text), expected);
        }
        assert_eq!(reason(&"x".repeat(10_000)).len(), MAX_REASON);
    }

    #[test]
    fn an_endpoints_secret_stays_out_of_errors() {
        assert_eq!(place("wss://hub.example:8443/hub/ws/secret"), "wss://hub.example:8443");
    }

    #[tokio::test]
    async fn what_is_no_hub_url_is_said_to_be_none() {
        for url in ["", "hub", "ftp://hub", "localhost:8080/hub"] {
            let refused = publish(url, &Value::Null, None).await;
            assert!(matches!(refused, Err(ClientError::Url { .. })), "{url}");
        }
    }
}
