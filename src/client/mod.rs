//! A standard FHIRcast client: subscribes, receives, acknowledges, publishes, at any hub of edition 3.
//!
//! Knows nothing of our hub. What `listen`, the demonstration, the tests and the measurements use.

use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// What a subscriber may ask for beyond topic and events.
#[derive(Clone, Debug, Default)]
pub struct SubscriberOptions {
    /// `subscriber.name`
    pub name: Option<String>,
    /// `hub.lease_seconds`
    pub lease_seconds: Option<u64>,
    /// The access token of a hub that asks for one.
    pub token: Option<String>,
}

/// A subscription with its socket.
#[derive(Debug)]
pub struct Subscriber {
    hub_url: String,
    topic: String,
    endpoint: String,
    options: SubscriberOptions,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Whether the socket's end has been told.
    closed: bool,
}

/// What comes down the socket.
#[derive(Debug)]
pub enum Frame {
    /// The subscription stands (CONF-01).
    Confirmation {
        /// Seconds granted, where the hub says so.
        lease_seconds: Option<u64>,
        /// The frame as it came.
        text: String,
    },
    /// An event; it has been acknowledged.
    Notification {
        /// `hub.event`
        event: String,
        /// The event's `id`.
        id: String,
        /// When it came in.
        received: Instant,
        /// The frame as it came.
        text: String,
    },
    /// The hub refuses or ends the subscription (CONF-04).
    Denied {
        /// Why.
        reason: String,
        /// The frame as it came.
        text: String,
    },
    /// The socket has ended; nothing comes after this.
    Closed {
        /// The close code, where there was one.
        code: Option<u16>,
        /// The reason given.
        reason: String,
    },
}

/// Why the client could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The hub's answer is none.
    #[error("{url} answered what is no FHIRcast: {reason}")]
    NoFhircast {
        /// Who answered.
        url: String,
        /// What was wrong.
        reason: String,
    },
    /// The hub refused.
    #[error("{url} refused with {status}: {reason}")]
    Refused {
        /// Who refused.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// The hub's own words.
        reason: String,
    },
    /// The socket could not be opened.
    #[error("the hub's socket could not be opened: {0}")]
    Socket(String),
    /// Nobody there.
    #[error("no hub answers at {url}: {reason}; is it running, and is the URL right?")]
    Unreachable {
        /// Who was asked.
        url: String,
        /// What happened.
        reason: String,
    },
}

/// Longer than any hub takes.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct SubscriptionAnswer {
    #[serde(rename = "hub.channel.endpoint")]
    endpoint: String,
}

#[derive(Deserialize)]
struct Incoming {
    #[serde(default)]
    id: String,
    event: Option<IncomingEvent>,
    #[serde(rename = "hub.mode")]
    mode: Option<String>,
    #[serde(rename = "hub.reason")]
    reason: Option<String>,
    #[serde(rename = "hub.lease_seconds")]
    lease_seconds: Option<u64>,
}

#[derive(Deserialize)]
struct IncomingEvent {
    #[serde(rename = "hub.event")]
    name: String,
}

impl Subscriber {
    /// Subscribes to `events` of `topic`, and connects.
    ///
    /// # Errors
    /// When the hub cannot be reached, refuses, or answers what is no FHIRcast.
    pub async fn subscribe(
        hub_url: &str,
        topic: &str,
        events: &[String],
        options: SubscriberOptions,
    ) -> Result<Self, ClientError> {
        let events = events.join(",");
        let lease = options.lease_seconds.map(|seconds| seconds.to_string());
        let mut form = vec![("hub.mode", "subscribe"), ("hub.events", &events)];
        form.extend(lease.as_deref().map(|lease| ("hub.lease_seconds", lease)));
        form.extend(options.name.as_deref().map(|name| ("subscriber.name", name)));
        let endpoint = post_subscription(hub_url, topic, &form, options.token.as_deref()).await?;
        let socket = connect(&endpoint, options.token.as_deref()).await?;
        Ok(Self { hub_url: hub_url.to_owned(), topic: topic.to_owned(), endpoint, options, socket, closed: false })
    }

    /// The topic subscribed to.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The endpoint that the hub gave: as good as a credential.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The next frame. A notification is acknowledged before it is handed over.
    ///
    /// # Errors
    /// When the hub sends what is no FHIRcast.
    pub async fn next(&mut self) -> Result<Frame, ClientError> {
        let frame = self.receive().await?;
        if let Frame::Notification { id, .. } = &frame {
            self.acknowledge(id.clone(), 200).await;
        }
        Ok(frame)
    }

    /// The next frame, unanswered: for whoever decides the answer.
    ///
    /// # Errors
    /// When the hub sends what is no FHIRcast.
    pub async fn receive(&mut self) -> Result<Frame, ClientError> {
        while !self.closed {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return self.frame(text.as_str()),
                Some(Ok(Message::Close(frame))) => {
                    self.closed = true;
                    self.finish().await;
                    let (code, reason) = frame.map(|frame| (frame.code.into(), frame.reason.to_string())).unzip();
                    return Ok(Frame::Closed { code, reason: reason.unwrap_or_default() });
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => self.closed = true,
            }
        }
        Ok(Frame::Closed { code: None, reason: "the connection broke off".into() })
    }

    /// Answers a notification with `status`. A socket that has ended meanwhile is told by the next frame.
    pub async fn acknowledge(&mut self, id: String, status: u16) {
        let answer = serde_json::json!({"id": id, "status": status}).to_string();
        let _ = self.socket.send(Message::text(answer)).await;
    }

    /// Sends a frame as it is: for tests of what a hub bears.
    ///
    /// # Errors
    /// When the socket has ended.
    pub async fn send_raw(&mut self, text: String) -> Result<(), ClientError> {
        self.socket.send(Message::text(text)).await.map_err(|error| ClientError::Socket(error.to_string()))
    }

    /// Ends the subscription, and waits for the hub to close the socket.
    ///
    /// # Errors
    /// When the hub cannot be reached, or refuses.
    pub async fn unsubscribe(mut self) -> Result<(), ClientError> {
        let form = [("hub.mode", "unsubscribe"), ("hub.channel.endpoint", self.endpoint.as_str())];
        post_subscription(&self.hub_url, &self.topic, &form, self.options.token.as_deref()).await?;
        let ended = async { while !matches!(self.receive().await, Ok(Frame::Closed { .. }) | Err(_)) {} };
        let _ = timeout(PATIENCE, ended).await;
        Ok(())
    }

    /// Gives the socket up without a word, as a crash does; the endpoint stays good.
    pub fn abandon(self) -> String {
        self.endpoint
    }

    /// Ends the closing handshake properly.
    async fn finish(&mut self) {
        let _ = timeout(PATIENCE, async { while let Some(Ok(_)) = self.socket.next().await {} }).await;
    }

    fn frame(&self, text: &str) -> Result<Frame, ClientError> {
        let received = Instant::now();
        let incoming: Incoming = serde_json::from_str(text).map_err(|error| ClientError::NoFhircast {
            url: self.hub_url.clone(),
            reason: format!(
                "a frame is not the JSON of a notification (line {}, column {})",
                error.line(),
                error.column()
            ),
        })?;
        let text = text.to_owned();
        Ok(match (incoming.event, incoming.mode.as_deref()) {
            (Some(event), _) => Frame::Notification { event: event.name, id: incoming.id, received, text },
            (None, Some("denied")) => Frame::Denied { reason: incoming.reason.unwrap_or_default(), text },
            (None, _) => Frame::Confirmation { lease_seconds: incoming.lease_seconds, text },
        })
    }
}

/// Connects to an endpoint that was given before.
///
/// # Errors
/// When it is dead, or nobody is there.
async fn connect(
    endpoint: &str,
    token: Option<&str>,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, ClientError> {
    let failed = |error: &SocketError| ClientError::Socket(socket_reason(error));
    let mut request = endpoint.into_client_request().map_err(|error| failed(&error))?;
    if let Some(Ok(value)) = token.map(|token| HeaderValue::try_from(format!("Bearer {token}"))) {
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    match timeout(PATIENCE, tokio_tungstenite::connect_async(request)).await {
        Ok(Ok((socket, _))) => {
            if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
                // An acknowledgement is small, and goes out at once.
                let _ = stream.set_nodelay(true);
            }
            Ok(socket)
        }
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => Err(ClientError::Socket("no answer in time".into())),
    }
}

impl Subscriber {
    /// Connects again to an endpoint that a hub gave before (SUB-20).
    ///
    /// # Errors
    /// When it is dead, or nobody is there.
    pub async fn reconnect(hub_url: &str, topic: &str, endpoint: &str) -> Result<Self, ClientError> {
        let socket = connect(endpoint, None).await?;
        let (hub_url, topic, endpoint) = (hub_url.to_owned(), topic.to_owned(), endpoint.to_owned());
        Ok(Self { hub_url, topic, endpoint, options: SubscriberOptions::default(), socket, closed: false })
    }
}

/// Posts an event; the hub's answer.
///
/// # Errors
/// When the hub cannot be reached, or refuses.
pub async fn publish(hub_url: &str, event: &serde_json::Value) -> Result<String, ClientError> {
    let request = reqwest::Client::new().post(hub_url).json(event);
    answer(hub_url, request).await
}

/// The current context of a topic, as the hub gives it.
///
/// # Errors
/// When the hub cannot be reached, or refuses.
pub async fn current_context(hub_url: &str, topic: &str) -> Result<String, ClientError> {
    let topic = percent_encoding::utf8_percent_encode(topic, percent_encoding::NON_ALPHANUMERIC);
    let url = format!("{}/{topic}", hub_url.trim_end_matches('/'));
    answer(&url, reqwest::Client::new().get(&url)).await
}

async fn post_subscription(
    hub_url: &str,
    topic: &str,
    form: &[(&str, &str)],
    token: Option<&str>,
) -> Result<String, ClientError> {
    let form: Vec<_> =
        [("hub.channel.type", "websocket"), ("hub.topic", topic)].into_iter().chain(form.iter().copied()).collect();
    let mut request = reqwest::Client::new().post(hub_url).form(&form);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let body = answer(hub_url, request).await?;
    let parsed: Result<SubscriptionAnswer, _> = serde_json::from_str(&body);
    parsed.map(|answer| answer.endpoint).map_err(|_| ClientError::NoFhircast {
        url: hub_url.to_owned(),
        reason: "the answer to a subscription has no `hub.channel.endpoint`".into(),
    })
}

async fn answer(url: &str, request: RequestBuilder) -> Result<String, ClientError> {
    let unreachable = |error: reqwest::Error| ClientError::Unreachable { url: url.to_owned(), reason: causes(&error) };
    let response = request.timeout(PATIENCE).send().await.map_err(unreachable)?;
    let status = response.status();
    let body = response.text().await.map_err(unreachable)?;
    if status.is_success() {
        return Ok(body);
    }
    Err(ClientError::Refused { url: url.to_owned(), status, reason: body.trim().chars().take(500).collect() })
}

fn socket_reason(error: &SocketError) -> String {
    match error {
        SocketError::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            format!("{} {}", response.status(), body.trim())
        }
        other => other.to_string(),
    }
}

/// An error with what caused it: reqwest's own words say only that it failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut words = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        words.push(cause.to_string());
        source = cause.source();
    }
    words.dedup();
    words.join(": ")
}
