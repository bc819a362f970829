//! The hub over HTTP: one set of routes for each mount.
//!
//! Turns requests into commands and answers into responses; decides nothing of FHIRcast itself.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::SignedDuration;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::endpoint::{EndpointSecret, Named, named};
use super::mount::{MOUNTS, Mount};
use super::problem::Problem;
use super::topic::{Refusal, Wish};
use super::{Hub, PublishRefusal, Unsubscribable, guard, socket};
use crate::fhircast::configuration::Configuration;
use crate::fhircast::{Event, Mode, SubscriptionRequest};

/// A hub, as seen through one mount.
#[derive(Clone)]
struct Door {
    hub: Hub,
    mount: &'static Mount,
}

/// Forms are small.
const MAX_FORM: usize = 16 << 10;

/// How long the body of a request may take.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Every mount's routes, with and without a trailing slash (CLI-01), behind the guard.
pub(super) fn routes(hub: &Hub) -> Router {
    let mounts = MOUNTS.iter().map(|mount| mounted(Door { hub: hub.clone(), mount }));
    let routes = mounts.fold(Router::new(), Router::merge);
    routes.layer(axum::middleware::from_fn_with_state(hub.clone(), guard::guard))
}

fn mounted(door: Door) -> Router {
    let path = door.mount.path;
    let mut routes = Router::new().route(&format!("{path}/ws/{{secret}}"), get(connect));
    for slash in ["", "/"] {
        routes = routes
            .route(&format!("{path}{slash}"), post(request))
            .route(&format!("{path}/{{topic}}{slash}"), get(current_context).post(request_on_topic))
            .route(&format!("{path}/.well-known/fhircast-configuration{slash}"), get(configuration));
    }
    routes.with_state(door)
}

async fn configuration(State(door): State<Door>) -> Response {
    axum::Json(Configuration::new(&door.hub.0.settings.events)).into_response()
}

/// `POST {hub}`: a subscription or an event, by its content type (SUB-01, REQ-01, CLI-02).
async fn request(State(door): State<Door>, request: Request) -> Response {
    answer(request, async |headers, body| match media_type(headers).as_str() {
        FORM => subscription(&door, headers, &read(body, MAX_FORM).await?),
        media_type => event(&door, media_type, None, body).await,
    })
    .await
}

/// `POST {hub}/{topic}`: an event (REQ-02).
async fn request_on_topic(State(door): State<Door>, Path(topic): Path<String>, request: Request) -> Response {
    answer(request, async |headers, body| event(&door, &media_type(headers), Some(topic), body).await).await
}

/// Runs `work` on a request's head and body; what it refuses becomes the answer.
async fn answer(request: Request, work: impl AsyncFnOnce(&HeaderMap, Body) -> Result<Response, Problem>) -> Response {
    let (parts, body) = request.into_parts();
    let coded = parts.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    let worked = if coded {
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the hub reads no Content-Encoding: send the body as it is",
        ))
    } else {
        work(&parts.headers, body).await
    };
    worked.unwrap_or_else(|problem| problem.response(&parts.headers))
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The content type without its parameters, in small letters (CLI-03).
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(BODY_TIME, Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {limit} bytes")))
        }
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body ended early")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

async fn event(door: &Door, media_type: &str, topic: Option<String>, body: Body) -> Result<Response, Problem> {
    if !matches!(media_type, "application/json" | "application/fhir+json") {
        let reason = "the hub takes subscriptions as application/x-www-form-urlencoded at hub.url, and events as \
                      application/json or application/fhir+json";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let body = read(body, door.hub.0.settings.max_event_bytes()).await?;
    let event = Event::parse(&body).map_err(Problem::bad_request)?;
    if topic.is_some_and(|topic| topic != event.topic) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "`event.hub.topic` is not the topic of the URL"));
    }
    let published = door.hub.publish_event(event)?;
    let mut accepted = json!({"id": published.id});
    if let Some(version) = published.version {
        accepted["context.versionId"] = version.to_string().into();
    }
    Ok((StatusCode::ACCEPTED, axum::Json(accepted)).into_response())
}

fn subscription(door: &Door, headers: &HeaderMap, body: &[u8]) -> Result<Response, Problem> {
    if door.hub.is_shutting_down() {
        return Err(Problem::from(PublishRefusal::ShuttingDown));
    }
    let request = SubscriptionRequest::parse(body).map_err(Problem::bad_request)?;
    let endpoint = request.endpoint.as_deref().map(named);
    let secret = match (request.mode, endpoint) {
        (Mode::Subscribe, Some(Named::Ours(secret))) => {
            door.hub.resubscribe(&request.topic, secret.id(), wish(&request))?;
            secret
        }
        // An address that the client has made up is no mistake: it uses the one in the answer (CLI-09).
        (Mode::Subscribe, Some(Named::Foreign) | None) => {
            door.hub.subscribe(&request.topic, wish(&request), door.mount.policy)?
        }
        (Mode::Unsubscribe, Some(Named::Ours(secret))) => {
            door.hub.unsubscribe(&request.topic, secret.id())?;
            secret
        }
        (Mode::Unsubscribe, Some(Named::Foreign)) => {
            return Err(Unsubscribable::Refused(Refusal::EndpointUnknown).into());
        }
        (Mode::Unsubscribe, None) => {
            let reason = "hub.channel.endpoint is missing: an unsubscribe names the endpoint of its subscription";
            return Err(Problem::new(StatusCode::BAD_REQUEST, reason));
        }
    };
    let accepted = json!({"hub.channel.endpoint": endpoint_url(door, headers, &secret)});
    Ok((StatusCode::ACCEPTED, axum::Json(accepted)).into_response())
}

fn wish(request: &SubscriptionRequest) -> Wish {
    let lease = request.lease_seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    Wish { events: request.events.clone(), lease: lease.map(SignedDuration::from_secs), name: request.name.clone() }
}

/// Where the subscriber connects: at the mount's public address, else at the one it has asked at (SUB-10, CLI-07).
fn endpoint_url(door: &Door, headers: &HeaderMap, secret: &EndpointSecret) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let base = match door.hub.0.settings.public_url.as_deref() {
        Some(url) => url.trim_end_matches('/').replacen("http", "ws", 1),
        None => format!("ws://{host}"),
    };
    format!("{base}{}/ws/{}", door.mount.path, secret.text())
}

#[derive(Serialize)]
struct CurrentContext<'a> {
    #[serde(rename = "context.type")]
    context_type: &'a str,
    #[serde(rename = "context.versionId")]
    version: String,
    context: &'a RawValue,
}

/// `GET {hub}/{topic}` (CTX-01, CTX-02).
async fn current_context(State(door): State<Door>, Path(topic): Path<String>) -> Response {
    let current = door.hub.current_context(&topic);
    match &current {
        None => axum::Json(json!({"context.type": "", "context": []})).into_response(),
        Some(context) => axum::Json(CurrentContext {
            context_type: &context.anchor.resource_type,
            version: context.version.to_string(),
            context: &context.event.context,
        })
        .into_response(),
    }
}

/// `GET {hub}/ws/{secret}`: the subscriber's socket (CONF-05).
async fn connect(
    State(door): State<Door>,
    Path(secret): Path<String>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let reason = "this is a subscription's endpoint: connect by WebSocket (RFC 6455, version 13)";
        return Problem::new(StatusCode::UPGRADE_REQUIRED, reason).response(&headers);
    };
    let endpoint = EndpointSecret::from_path(&secret).id();
    match door.hub.topic_of(endpoint) {
        Some(_) if door.hub.is_shutting_down() => Problem::from(PublishRefusal::ShuttingDown).response(&headers),
        Some(topic) => socket::accept(upgrade, door.hub, topic, endpoint),
        None => {
            let reason = "no such subscription: it has ended, or never was; subscribe again";
            Problem::new(StatusCode::NOT_FOUND, reason).response(&headers)
        }
    }
}

impl From<PublishRefusal> for Problem {
    fn from(refusal: PublishRefusal) -> Self {
        let status = match refusal {
            PublishRefusal::ContentSharing | PublishRefusal::Event(_) | PublishRefusal::Topic => {
                StatusCode::BAD_REQUEST
            }
            PublishRefusal::ShuttingDown | PublishRefusal::TooManyTopics => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.to_string())
    }
}

impl From<Unsubscribable> for Problem {
    fn from(refusal: Unsubscribable) -> Self {
        match refusal {
            Unsubscribable::NoRandomness => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the hub cannot make an endpoint just now")
            }
            Unsubscribable::Refused(refusal) => {
                let status = match refusal {
                    Refusal::EndpointUnknown => StatusCode::NOT_FOUND,
                    Refusal::TooManySubscriptions => StatusCode::TOO_MANY_REQUESTS,
                    Refusal::ContentSharing | Refusal::NoEvents | Refusal::NotOutstanding => StatusCode::BAD_REQUEST,
                };
                Self::new(status, refusal.to_string())
            }
            Unsubscribable::TooManyTopics => Self::from(PublishRefusal::TooManyTopics),
        }
    }
}
