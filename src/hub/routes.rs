//! The hub over HTTP: `hub.url` and what lies below it.

use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::time::timeout;
use tracing::{debug, info};

use super::endpoint::Secret;
use super::settings::duration;
use super::topic::{Command, Terms};
use super::{Hub, HubError, digest, lock, messages, socket};
use crate::fhircast::catalogue::DEFINITIONS;
use crate::fhircast::event::{EventError, EventRequest};
use crate::fhircast::subscription::SubscriptionRequest;
use crate::fhircast::{EventName, subscription};
use crate::http::is_local_host;

/// Events about no resource that the hub distributes; with the catalogue's, they are what it says it supports (DISC-02).
const OTHER_EVENTS: [&str; 4] = ["Home-open", "SyncError", "UserLogout", "UserHibernate"];

/// Subscribers only acknowledge: their frames are small.
const MAX_FRAME: usize = 64 << 10;

/// Small buffers: an idle socket's memory is mostly these.
const READ_BUFFER: usize = 4096;

/// What a socket may hold that is not written yet.
const MAX_WRITE_BUFFER: usize = 2 << 20;

/// A refusal with a reason in plain text, fit for a developer (SUB-13).
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}

impl Refusal {
    fn bad(reason: impl ToString) -> Self {
        Self(StatusCode::BAD_REQUEST, reason.to_string())
    }
}

impl From<HubError> for Refusal {
    fn from(error: HubError) -> Self {
        let status = match error {
            HubError::TopicName(_) => StatusCode::BAD_REQUEST,
            HubError::UnknownSubscription => StatusCode::NOT_FOUND,
            HubError::TopicFull | HubError::TooManyTopics => StatusCode::TOO_MANY_REQUESTS,
        };
        Self(status, error.to_string())
    }
}

impl Hub {
    /// The hub's routes, each with and without a trailing slash (CLI-01).
    pub fn routes(&self) -> Router {
        let path = self.0.settings.path.trim_end_matches('/');
        let mut router = Router::new();
        for slash in ["", "/"] {
            router = router
                .route(&format!("{path}{slash}"), post(posted))
                .route(&format!("{path}/.well-known/fhircast-configuration{slash}"), get(configuration))
                .route(&format!("{path}/ws/{{secret}}{slash}"), get(connect))
                .route(&format!("{path}/{{topic}}{slash}"), get(current_context).post(posted_to_topic));
        }
        router.layer(middleware::from_fn_with_state(self.clone(), guard)).with_state(self.clone())
    }
}

/// T3, T5: a page of another site can reach this hub neither by its own name nor by one that it made point here.
async fn guard(State(hub): State<Hub>, headers: HeaderMap, request: Request, next: Next) -> Response {
    let text = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or_default());
    let settings = &hub.0.settings;
    let public = settings.public_url.as_deref().and_then(|url| url.split("://").nth(1));
    let host = text(header::HOST).unwrap_or_default();
    if !is_local_host(host) && public != Some(host) {
        return Refusal(StatusCode::MISDIRECTED_REQUEST, "this hub does not go by that host name".into())
            .into_response();
    }
    let known = |origin: &str| {
        origin.split_once("://").is_some_and(|(_, host)| is_local_host(host))
            || settings.allowed_origins.iter().any(|allowed| allowed == origin)
    };
    match text(header::ORIGIN) {
        Some(origin) if !known(origin) => {
            let reason = "pages of this origin may not use the hub; the operator can allow it in hub.allowed_origins";
            Refusal(StatusCode::FORBIDDEN, reason.into()).into_response()
        }
        _ => next.run(request).await,
    }
}

async fn posted(State(hub): State<Hub>, request: Request) -> Result<Response, Refusal> {
    dispatch(&hub, None, request).await
}

async fn posted_to_topic(
    State(hub): State<Hub>,
    Path(topic): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    dispatch(&hub, Some(topic), request).await
}

/// SUB-01: what is posted is told by its content type.
async fn dispatch(hub: &Hub, topic: Option<String>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if parts.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let reason = "send the body without Content-Encoding".to_owned();
        return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let settings = &hub.0.settings;
    match (kind.as_str(), topic) {
        ("application/x-www-form-urlencoded", None) => {
            let form = read(hub, body, settings.max_subscription.as_u64()).await?;
            subscription(hub, &form, &parts.headers)
        }
        ("application/json" | "application/fhir+json", topic) => {
            let body = read(hub, body, settings.max_event.as_u64()).await?;
            publish(hub, topic.as_deref(), &body).await
        }
        _ => Err(Refusal(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "a subscription is application/x-www-form-urlencoded, posted to hub.url; an event is application/json"
                .into(),
        )),
    }
}

/// Bounded in size and time (REQ-09).
async fn read(hub: &Hub, body: Body, limit: u64) -> Result<Bytes, Refusal> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match timeout(duration(hub.0.settings.body_timeout), axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {limit} bytes, or broke off")))
        }
        Err(_) => Err(Refusal(StatusCode::REQUEST_TIMEOUT, "the body took too long".into())),
    }
}

fn subscription(hub: &Hub, form: &[u8], headers: &HeaderMap) -> Result<Response, Refusal> {
    let parameters: Vec<(String, String)> = form_urlencoded::parse(form).into_owned().collect();
    let url = match SubscriptionRequest::parse(&parameters).map_err(Refusal::bad)? {
        SubscriptionRequest::Subscribe { topic, events, lease_seconds, name, endpoint } => {
            let terms = Terms { events, lease_end: hub.lease_end(lease_seconds), name };
            match endpoint {
                Some(endpoint) => hub.resubscribe(&topic, &endpoint, terms)?,
                None => hub.subscribe(&topic, terms)?,
            }
        }
        SubscriptionRequest::Unsubscribe { topic, endpoint } => hub.unsubscribe(&topic, &endpoint)?,
    };
    let endpoint = hub.endpoint_url(&url, headers);
    let body = json!({"hub.channel.endpoint": endpoint}).to_string();
    Ok((StatusCode::ACCEPTED, [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body)
        .into_response())
}

impl Hub {
    /// SUB-08
    fn lease_end(&self, asked: Option<u64>) -> SystemTime {
        let settings = &self.0.settings;
        let longest = duration(settings.max_lease);
        let asked = asked.map_or(duration(settings.default_lease), std::time::Duration::from_secs);
        self.0.clock.now() + asked.min(longest)
    }

    fn subscribe(&self, topic: &str, terms: Terms) -> Result<Secret, Refusal> {
        let no_randomness = || Refusal(StatusCode::SERVICE_UNAVAILABLE, "the system gives no randomness".into());
        let secret = Secret::new().ok_or_else(no_randomness)?;
        let id = secret.id();
        let events = terms.events.len();
        self.with_topic(topic, |session, hub| session.apply(Command::Subscribe(id, terms), hub.0.clock.now()))?;
        lock(&self.0.endpoints).insert(id, topic.into());
        info!(topic = %digest(topic), subscriber = %id.short(), events, "Subscription accepted.");
        Ok(secret)
    }

    fn resubscribe(&self, topic: &str, endpoint: &str, terms: Terms) -> Result<Secret, Refusal> {
        self.change(topic, endpoint, |id| Command::Resubscribe(id, terms))
    }

    fn unsubscribe(&self, topic: &str, endpoint: &str) -> Result<Secret, Refusal> {
        self.change(topic, endpoint, Command::Unsubscribe)
    }

    /// Changes the subscription that `endpoint` names, if it is one of this topic (SUB-12, UNS-04).
    fn change(
        &self,
        topic: &str,
        endpoint: &str,
        command: impl FnOnce(super::topic::SubscriptionId) -> Command,
    ) -> Result<Secret, Refusal> {
        let secret = Secret::in_url(endpoint).ok_or(HubError::UnknownSubscription)?;
        let session = self.existing(topic).ok_or(HubError::UnknownSubscription)?;
        let mut session = lock(&session);
        let effects = session.apply(command(secret.id()), self.0.clock.now()).map_err(HubError::from)?;
        session.perform(effects, self, topic);
        Ok(secret)
    }

    /// CLI-07: an absolute URL, built from the configured public URL, else from the host that was asked.
    fn endpoint_url(&self, secret: &Secret, headers: &HeaderMap) -> String {
        let path = self.0.settings.path.trim_end_matches('/');
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let base = match &self.0.settings.public_url {
            Some(url) => url.trim_end_matches('/').replacen("http", "ws", 1),
            None => format!("ws://{host}"),
        };
        format!("{base}{path}/ws/{}", secret.as_str())
    }
}

async fn publish(hub: &Hub, topic: Option<&str>, body: &[u8]) -> Result<Response, Refusal> {
    let request = EventRequest::parse(body).map_err(Refusal::bad)?;
    if topic.is_some_and(|topic| topic != request.topic) {
        return Err(Refusal::bad(EventError::Topic));
    }
    refuse_content_sharing(&request.event.name)?;
    let id = request.event.id.clone();
    let published = hub.publish(&request.topic, request.event).await?;
    debug!(topic = %digest(&request.topic), subscribers = published.subscribers, "Event published by an application.");
    let mut answer = json!({"id": id});
    if let Some(version) = published.version {
        answer["context.versionId"] = version.into();
    }
    Ok((StatusCode::ACCEPTED, [(header::CONTENT_TYPE, "application/json")], answer.to_string()).into_response())
}

/// Relaying an update without keeping its content would leave late subscribers with another state than early ones.
fn refuse_content_sharing(name: &EventName) -> Result<(), Refusal> {
    use crate::fhircast::Action;
    match name.action() {
        Some(Action::Update | Action::Select) => Err(Refusal::bad(
            "this hub does not share content: it takes no -update and no -select, as its configuration says",
        )),
        _ if name.is("Heartbeat") => Err(Refusal::bad("a Heartbeat is the hub's own")),
        _ => Ok(()),
    }
}

/// CTX-01; an unknown topic answers as an empty one (CTX-09).
async fn current_context(State(hub): State<Hub>, Path(topic): Path<String>) -> Result<Response, Refusal> {
    let topic = subscription::topic(&topic).map_err(Refusal::bad)?;
    let text = match hub.existing(&topic) {
        Some(session) => messages::current_context(lock(&session).current().as_ref()),
        None => messages::current_context(None),
    };
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], text).into_response())
}

/// DISC-01 to DISC-05
async fn configuration() -> Response {
    let events: Vec<&str> = DEFINITIONS.iter().map(|definition| definition.name).chain(OTHER_EVENTS).collect();
    let document = json!({
        "eventsSupported": events,
        "websocketSupport": true,
        "webhookSupport": false,
        "fhircastVersion": "3.0.0",
        "fhirVersion": "R4",
        "getCurrentSupport": true,
        "capabilities": {"supportsGetCurrentContext": true, "supportsNonCurrentContextUpdates": false},
    });
    ([(header::CONTENT_TYPE, "application/json")], document.to_string()).into_response()
}

/// CONF-05: who names no live subscription is refused before the upgrade.
async fn connect(State(hub): State<Hub>, Path(secret): Path<String>, request: Request) -> Response {
    let id = Secret::in_path(&secret).id();
    let Some(topic) =
        hub.topic_of(id).filter(|topic| hub.existing(topic).is_some_and(|session| lock(&session).holds(id)))
    else {
        return Refusal::from(HubError::UnknownSubscription).into_response();
    };
    let upgrade = match upgrade(request).await {
        Ok(upgrade) => upgrade,
        Err(refusal) => return refusal,
    };
    let sockets = hub.0.sockets.clone();
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .on_upgrade(move |socket| sockets.track_future(socket::serve(socket, hub, topic.to_string(), id)))
}

async fn upgrade(request: Request) -> Result<WebSocketUpgrade, Response> {
    use axum::extract::FromRequest;
    let plain = request.headers().get(header::UPGRADE).is_none();
    if plain {
        let reason = "this is a WebSocket endpoint: connect with a WebSocket client".to_owned();
        let refusal = Refusal(StatusCode::UPGRADE_REQUIRED, reason).into_response();
        return Err(([(header::UPGRADE, "websocket")], refusal).into_response());
    }
    WebSocketUpgrade::from_request(request, &()).await.map_err(IntoResponse::into_response)
}
