//! The hub over HTTP: one set of routes for each mount.
//!
//! Turns requests into commands and answers into responses; decides nothing of FHIRcast itself.

mod audit;
mod connect;
mod context;
mod publish;
mod refusal;
mod subscribe;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use self::connect::{bind, bind_at_origin, connect};
use self::context::current_context;
pub(super) use self::context::readable;
use self::publish::event;
use self::subscribe::{subscription, subscription_rules};
use super::mount::Mount;
use super::policy::Policy;
use super::problem::Problem;
use super::{Hub, metadata};
use crate::fhircast::SubscriptionRequest;
use crate::fhircast::configuration::{Configuration, Offer};
use crate::fhircast::json::Members;
use crate::security::Grant;

/// A hub, as seen through one mount.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) hub: Hub,
    /// Which of the hub's mounts.
    index: usize,
}

impl Door {
    pub(super) fn mount(&self) -> &Mount {
        &self.hub.0.mounts[self.index]
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.mount().policy
    }

    fn refuse(&self, problem: Problem, request: &HeaderMap) -> Response {
        problem.response(request, self.policy().errors)
    }
}

/// Forms are small.
const MAX_FORM: usize = 16 << 10;

/// Every mount's routes, with and without a trailing slash (CLI-01), behind the guard.
pub(super) fn routes(hub: &Hub) -> Router {
    let doors = (0..hub.0.mounts.len()).map(|index| Door { hub: hub.clone(), index });
    let mut routes = doors.map(mounted).fold(metadata::routes(hub), Router::merge);
    if hub.0.mounts.iter().any(|mount| mount.policy.legacy_binding) {
        // Pages of the first year connect at the origin, whatever hub.url is (CLI-39).
        routes = routes.route("/bind/{id}", get(bind_at_origin).with_state(hub.clone()));
    }
    hub.guarded(routes)
}

/// A topic may hold any character, a slash too (CLI-04): it is the rest of the path.
fn mounted(door: Door) -> Router {
    let path = door.mount().path.clone();
    let mut routes = Router::new()
        .route(&format!("{path}/ws/{{secret}}"), get(connect))
        .route(&format!("{path}/{{*topic}}"), get(current_context).post(request_on_topic));
    if door.policy().legacy_binding {
        routes = routes.route(&format!("{path}/bind/{{id}}"), get(bind));
    }
    for slash in ["", "/"] {
        routes = routes
            .route(&format!("{path}{slash}"), post(request))
            .route(&format!("{path}/.well-known/fhircast-configuration{slash}"), get(configuration));
    }
    routes.with_state(door)
}

async fn configuration(State(door): State<Door>) -> Response {
    let policy = door.policy();
    let offer = Offer {
        edition: door.mount().edition,
        webhooks: policy.webhooks,
        heartbeat: policy.heartbeat,
        non_current_updates: policy.non_current_updates,
        site_events: &door.hub.0.settings.events,
    };
    axum::Json(Configuration::new(offer)).into_response()
}

/// `POST {hub}`: a subscription or an event, by its content type and members (SUB-01, REQ-01, CLI-02).
async fn request(State(door): State<Door>, request: Request) -> Response {
    answer(&door, request, async |grant, parts, body| match media_type(&parts.headers).as_str() {
        FORM => {
            let body = read(&door, body, MAX_FORM).await?;
            let request = SubscriptionRequest::parse(&body, subscription_rules(&door));
            subscription(&door, grant, parts, &request.map_err(Problem::bad_request)?).await
        }
        media_type => {
            check_media_type(media_type)?;
            let body = read(&door, body, door.hub.0.settings.max_event_bytes()).await?;
            if door.policy().json_subscriptions && is_subscription(&body) {
                let request = SubscriptionRequest::parse_json(&body, subscription_rules(&door));
                return subscription(&door, grant, parts, &request.map_err(Problem::bad_request)?).await;
            }
            event(&door, grant, parts, None, &body).await
        }
    })
    .await
}

/// `POST {hub}/{topic}`: an event (REQ-02).
async fn request_on_topic(State(door): State<Door>, Path(topic): Path<String>, request: Request) -> Response {
    answer(&door, request, async |grant, parts, body| {
        check_media_type(&media_type(&parts.headers))?;
        let body = read(&door, body, door.hub.0.settings.max_event_bytes()).await?;
        event(&door, grant, parts, Some(without_slash(&topic)), &body).await
    })
    .await
}

/// Runs `work` on a request's head and body, for whom it comes from; what it refuses becomes the answer.
async fn answer(
    door: &Door,
    request: Request,
    work: impl AsyncFnOnce(Grant, &Parts, Body) -> Result<Response, Problem>,
) -> Response {
    let (parts, body) = request.into_parts();
    let coded = parts.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    let worked = if coded {
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the hub reads no Content-Encoding: send the body as it is",
        ))
    } else {
        match door.authenticate(&parts).await {
            Ok(grant) => work(grant, &parts, body).await,
            Err(problem) => Err(problem),
        }
    };
    worked.unwrap_or_else(|problem| door.refuse(problem, &parts.headers))
}

const FORM: &str = "application/x-www-form-urlencoded";

/// The content type without its parameters, in small letters (CLI-03).
fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn check_media_type(media_type: &str) -> Result<(), Problem> {
    if matches!(media_type, "application/json" | "application/fhir+json") {
        return Ok(());
    }
    let reason = "the hub takes subscriptions as application/x-www-form-urlencoded at hub.url, and events as \
                  application/json or application/fhir+json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason))
}

async fn read(door: &Door, body: Body, limit: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(door.hub.0.settings.request_time(), Limited::new(body, limit).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {limit} bytes")))
        }
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body ended early")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

/// A topic in a path has been decoded once (CLI-04); the one slash after it is the path's own (CLI-01).
fn without_slash(topic: &str) -> &str {
    topic.strip_suffix('/').unwrap_or(topic)
}

/// JSON with `hub.mode` and without `event` (CLI-02).
fn is_subscription(body: &[u8]) -> bool {
    let members: Option<Members<'_>> = serde_json::from_slice(body).ok();
    members.is_some_and(|members| members.get("hub.mode").is_some() && members.get("event").is_none())
}
