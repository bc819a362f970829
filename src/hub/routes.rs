//! The hub over HTTP: one set of routes for each mount.
//!
//! Turns requests into commands and answers into responses; decides nothing of FHIRcast itself.

use axum::Router;
use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use jiff::SignedDuration;
use serde_json::json;
use tracing::info;

use super::access::Access;
use super::asked_at::AskedAt;
use super::endpoint::{EndpointSecret, Named, named, topic_digest};
use super::lookup::Lookup;
use super::mount::Mount;
use super::policy::{AnchorNotOpen, ErrorForm, ForeignEndpoint, Policy, UnsubscribeBy};
use super::problem::Problem;
use super::socket::Manner;
use super::topic::{Context, EndpointId, Publisher, Refusal, Target, Unopened, Wish};
use super::webhook::{Callback, Secret};
use super::{EventRefused, Hub, PublishRefusal, Unsubscribable, current, guard, metadata, socket};
use crate::fhircast::configuration::{Configuration, Offer};
use crate::fhircast::json::Members;
use crate::fhircast::subscription::{Channel, SubscriptionRules};
use crate::fhircast::{Edition, Event, EventName, Mode, SubscriptionRequest};
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
    routes.layer(axum::middleware::from_fn_with_state(hub.clone(), guard::guard))
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
            subscription(&door, grant, parts, &request.map_err(Problem::bad_request)?)
        }
        media_type => {
            check_media_type(media_type)?;
            let body = read(&door, body, door.hub.0.settings.max_event_bytes()).await?;
            if door.policy().json_subscriptions && is_subscription(&body) {
                let request = SubscriptionRequest::parse_json(&body, subscription_rules(&door));
                return subscription(&door, grant, parts, &request.map_err(Problem::bad_request)?);
            }
            event(&door, grant, None, &body)
        }
    })
    .await
}

/// `POST {hub}/{topic}`: an event (REQ-02).
async fn request_on_topic(State(door): State<Door>, Path(topic): Path<String>, request: Request) -> Response {
    answer(&door, request, async |grant, parts, body| {
        check_media_type(&media_type(&parts.headers))?;
        let body = read(&door, body, door.hub.0.settings.max_event_bytes()).await?;
        event(&door, grant, Some(without_slash(&topic)), &body)
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
        match door.hub.authenticate(&parts.headers).await {
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

fn event(door: &Door, grant: Grant, topic: Option<&str>, body: &[u8]) -> Result<Response, Problem> {
    let event = Event::parse(body, &door.mount().rules()).map_err(Problem::bad_request)?;
    if topic.is_some_and(|topic| topic != event.topic) {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "`event.hub.topic` is not the topic of the URL"));
    }
    Access::of(grant, &event.topic)?.check_write(&event.name)?;
    let policy = *door.policy();
    let published = door.hub.publish_event(event, policy, Publisher::Application);
    let published = published.map_err(|refusal| refused(&refusal, &policy))?;
    let mut accepted = json!({"id": published.id});
    if let Some(version) = published.version {
        accepted["context.versionId"] = version.to_string().into();
    }
    let status = if published.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::ACCEPTED };
    Ok((status, axum::Json(accepted)).into_response())
}

fn subscription_rules(door: &Door) -> SubscriptionRules {
    let policy = door.policy();
    SubscriptionRules {
        wildcard: policy.wildcard,
        webhooks: policy.webhooks && door.mount().edition < Edition::Stu3,
        name_required: policy.name_required,
    }
}

fn subscription(door: &Door, grant: Grant, parts: &Parts, request: &SubscriptionRequest) -> Result<Response, Problem> {
    if door.hub.is_shutting_down() {
        return Err(refused(&PublishRefusal::ShuttingDown, door.policy()));
    }
    let access = Access::of(grant, &request.topic)?;
    let endpoint = match request.mode {
        Mode::Subscribe => subscribed(door, parts, request, &access)?,
        Mode::Unsubscribe => unsubscribed(door, parts, request, &access)?,
    };
    Ok((StatusCode::ACCEPTED, axum::Json(json!({"hub.channel.endpoint": endpoint}))).into_response())
}

/// The endpoint of the subscription that there is now.
fn subscribed(door: &Door, parts: &Parts, request: &SubscriptionRequest, access: &Access) -> Result<String, Problem> {
    let policy = door.policy();
    if policy.session_required {
        note_missing(request);
    }
    let mut wish = wish(request, access, policy.legacy_binding)?;
    if let Channel::Webhook { callback: text, secret } = &request.channel {
        let http = door.hub.0.settings.webhooks.allow_http_on_loopback;
        let callback = Callback::parse(text, http).map_err(Unsubscribable::from)?;
        let secret = secret.as_deref().map(Secret::parse).transpose().map_err(Unsubscribable::from)?;
        // The same callback again takes the place of the first; by it an unsubscribe finds it.
        wish.alias = Some(text.clone());
        door.hub.subscribe_webhook(&request.topic, wish, *policy, callback, secret)?;
        return Ok(text.clone());
    }
    let secret = match request.endpoint.as_deref().map(|url| (url, named(url, &door.hub.0.mounts))) {
        Some((_, Named::Ours(secret))) => {
            door.hub.resubscribe(&request.topic, secret.id(), wish)?;
            secret
        }
        Some((_, Named::Foreign)) if policy.foreign_endpoint == ForeignEndpoint::Unknown => {
            return Err(Unsubscribable::Refused(Refusal::EndpointUnknown).into());
        }
        // An address that the client has made up is no mistake: it uses the one in the answer (CLI-09).
        Some((alias, Named::Foreign)) => {
            wish.alias = Some(alias.to_owned());
            let secret = door.hub.subscribe(&request.topic, wish, *policy)?;
            if policy.legacy_binding {
                door.hub.announce(door.index, alias, secret.id(), &access.principal);
            }
            secret
        }
        None => door.hub.subscribe(&request.topic, wish, *policy)?,
    };
    Ok(endpoint_url(door, parts, secret.text()))
}

/// What the profile has every subscriber ask for (IRA-08).
const ASKED_BY_PROFILE: [&str; 5] = [
    "DiagnosticReport-open",
    "DiagnosticReport-close",
    "DiagnosticReport-update",
    "DiagnosticReport-select",
    "SyncError",
];

/// A subscriber that does not ask for them is taken all the same, and the operator can see it (IRA-08).
fn note_missing(request: &SubscriptionRequest) {
    let asked = |name: &&str| request.events.iter().any(|event| event.eq_ignore_ascii_case(name));
    let missing: Vec<&str> = ASKED_BY_PROFILE.into_iter().filter(|name| !asked(name)).collect();
    if !missing.is_empty() && request.endpoint.is_none() {
        info!(topic = %topic_digest(&request.topic), missing = missing.join(","), "Subscriber asks for less than IHE RAD IRA wants.");
    }
}

/// The endpoint of the subscription that has ended, as far as the client has named one.
fn unsubscribed(door: &Door, parts: &Parts, request: &SubscriptionRequest, access: &Access) -> Result<String, Problem> {
    let endpoint_only = door.policy().unsubscribe_by == UnsubscribeBy::Endpoint;
    let end = |target| {
        let ended = door.hub.unsubscribe(&request.topic, target, access.principal.clone());
        // IHE has another word for it (IRA-16).
        ended.map_err(|refusal| if endpoint_only { Problem::bad_request(refusal) } else { refusal.into() })
    };
    if let Channel::Webhook { callback, .. } = &request.channel {
        end(Target::Alias(callback.clone()))?;
        return Ok(callback.clone());
    }
    let named = request.endpoint.as_deref().map(|url| (url, named(url, &door.hub.0.mounts)));
    match (named, &request.name) {
        (Some((_, Named::Ours(secret))), _) => {
            end(Target::Endpoint(secret.id()))?;
            Ok(endpoint_url(door, parts, secret.text()))
        }
        (Some((alias, Named::Foreign)), _) if !endpoint_only => {
            end(Target::Alias(alias.to_owned()))?;
            Ok(alias.to_owned())
        }
        (None, Some(name)) if !endpoint_only => {
            // Its secret is not kept; it is dead by now, and clients of this manner want to see a URL.
            let ended = end(Target::Name(name.clone()))?;
            Ok(endpoint_url(door, parts, &ended.to_string()))
        }
        _ => {
            let reason = "hub.channel.endpoint is missing or not this hub's: an unsubscribe names the endpoint of its \
                          subscription";
            Err(Problem::new(StatusCode::BAD_REQUEST, reason))
        }
    }
}

/// What a request asks for, as far as its sender may have it (SUB-15).
fn wish(request: &SubscriptionRequest, access: &Access, old_names: bool) -> Result<Wish, Problem> {
    let events = access.readable(&request.events, old_names)?;
    let lease = request.lease_seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX));
    Ok(Wish {
        events,
        lease: lease.map(SignedDuration::from_secs),
        token_ends: access.token_ends,
        name: request.name.clone(),
        alias: None,
        principal: access.principal.clone(),
        scopes: access.scopes.clone(),
    })
}

/// Where the subscriber connects: at the mount's public address, else at the one it has asked at (SUB-10, CLI-07).
fn endpoint_url(door: &Door, parts: &Parts, secret: &str) -> String {
    let settings = &door.hub.0.settings;
    let base = AskedAt::of(parts, settings).base(settings).replacen("http", "ws", 1);
    format!("{base}{}/ws/{secret}", door.mount().path)
}

/// `GET {hub}/{topic}` (CTX-01, CTX-02); in one dialect also what lies below (CLI-37).
async fn current_context(State(door): State<Door>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let path = without_slash(&path);
    let is_powercast = door.mount().is_powercast();
    let lookup = Lookup::read(path).filter(|_| is_powercast);
    let bodiless = is_powercast && lookup.is_none();
    let told = match lookup {
        Some(lookup) => lookup.answer(&door, &headers).await,
        None => tell_current_context(&door, path, &headers).await,
    };
    match told {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(problem) if bodiless => problem.response_without_body(&headers, door.policy().errors),
        Err(problem) => door.refuse(problem, &headers),
    }
}

async fn tell_current_context(door: &Door, topic: &str, headers: &HeaderMap) -> Result<String, Problem> {
    let Readable { context, content_may_be_read } = readable(door, topic, headers).await?;
    let mount = door.mount();
    Ok(current::written(context.as_ref(), mount.policy.context_form, mount.edition, content_may_be_read))
}

/// What of a topic's current context somebody may read.
pub(super) struct Readable {
    pub(super) context: Option<Context>,
    /// Whether its content may be told as well (NOT-03).
    pub(super) content_may_be_read: bool,
}

/// The current context of `topic` for the sender of a request with these headers (CTX-07).
pub(super) async fn readable(door: &Door, topic: &str, headers: &HeaderMap) -> Result<Readable, Problem> {
    let grant = door.hub.authenticate(headers).await?;
    if !crate::fhircast::subscription::is_topic(topic) {
        return Err(refused(&PublishRefusal::Topic, door.policy()));
    }
    let access = Access::of(grant, topic)?;
    if door.policy().session_required && !door.hub.is_session(topic) {
        return Err(Problem::new(StatusCode::NOT_FOUND, Refusal::SessionUnknown.to_string()));
    }
    let context = door.hub.current_context(topic);
    let mut content_may_be_read = true;
    if let Some(context) = &context {
        access.check_read(&context.event.name)?;
        let update = EventName::parse(&format!("{}-update", context.anchor.resource_type));
        content_may_be_read = update.is_ok_and(|update| access.scopes.can_read(&update));
    }
    Ok(Readable { context, content_may_be_read })
}

/// What a request for a socket holds, or why it is none.
type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// `GET {hub}/ws/{secret}`: the subscriber's socket (CONF-05).
async fn connect(
    State(door): State<Door>,
    Path(secret): Path<String>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    open_socket(door, EndpointSecret::from_path(&secret).id(), upgrade, &headers, Manner::Standard)
}

/// `GET {hub}/bind/{id}`: the socket of a subscription by the id that its client announced at this mount (CLI-39).
async fn bind(State(door): State<Door>, Path(id): Path<String>, headers: HeaderMap, upgrade: Upgrade) -> Response {
    match door.hub.0.bindings.find(&id, Some(door.index)) {
        Some((mount, endpoint)) => open_socket(door, endpoint, upgrade, &headers, Manner::Bound { mount }),
        None => door.refuse(no_subscription(), &headers),
    }
}

/// `GET /bind/{id}`: as [`bind`], whichever mount it was announced at.
async fn bind_at_origin(
    State(hub): State<Hub>,
    Path(id): Path<String>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    match hub.0.bindings.find(&id, None) {
        Some((mount, endpoint)) => {
            open_socket(Door { hub, index: mount }, endpoint, upgrade, &headers, Manner::Bound { mount })
        }
        None => no_subscription().response(&headers, ErrorForm::AsAccepted),
    }
}

fn no_subscription() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no such subscription: it has ended, or never was; subscribe again")
}

fn open_socket(door: Door, endpoint: EndpointId, upgrade: Upgrade, headers: &HeaderMap, manner: Manner) -> Response {
    let Ok(upgrade) = upgrade else {
        let reason = "this is a subscription's endpoint: connect by WebSocket (RFC 6455, version 13)";
        return door.refuse(Problem::new(StatusCode::UPGRADE_REQUIRED, reason), headers);
    };
    match door.hub.topic_of(endpoint) {
        Some(_) if door.hub.is_shutting_down() => {
            door.refuse(refused(&PublishRefusal::ShuttingDown, door.policy()), headers)
        }
        Some(topic) if door.hub.is_taken_over_too_often(&topic, endpoint) => {
            let reason =
                "this endpoint was connected to too often within a minute, each connection ending the one before";
            door.refuse(Problem::new(StatusCode::TOO_MANY_REQUESTS, reason), headers)
        }
        Some(topic) => socket::accept(upgrade, door.hub, topic, endpoint, manner),
        None => door.refuse(no_subscription(), headers),
    }
}

fn refused(refusal: &PublishRefusal, policy: &Policy) -> Problem {
    let status = match refusal {
        PublishRefusal::Event(_) | PublishRefusal::Topic => StatusCode::BAD_REQUEST,
        PublishRefusal::Refused(EventRefused(refusal)) => status(*refusal, policy),
        PublishRefusal::TooManyEvents => StatusCode::TOO_MANY_REQUESTS,
        PublishRefusal::ShuttingDown | PublishRefusal::TooManyTopics => StatusCode::SERVICE_UNAVAILABLE,
    };
    Problem::new(status, refusal.to_string())
}

/// What a topic's refusal is over HTTP, by the mount's policy (POL-12, POL-13).
fn status(refusal: Refusal, policy: &Policy) -> StatusCode {
    let unopened = |policy: AnchorNotOpen| match policy {
        AnchorNotOpen::NotFound => StatusCode::NOT_FOUND,
        AnchorNotOpen::Accept | AnchorNotOpen::Conflict => StatusCode::CONFLICT,
    };
    match refusal {
        Refusal::AnchorNotOpen(Unopened::Close) => unopened(policy.close_of_unopened),
        Refusal::AnchorNotOpen(Unopened::Select) => unopened(policy.select_of_unopened),
        Refusal::AnchorNotOpen(Unopened::Update) => unopened(policy.update_of_unopened),
        Refusal::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::EndpointUnknown => StatusCode::NOT_FOUND,
        Refusal::NotCurrent | Refusal::Outdated => StatusCode::CONFLICT,
        Refusal::StaleVersion if policy.stale_version_is_bad_request => StatusCode::BAD_REQUEST,
        Refusal::StaleVersion => StatusCode::CONFLICT,
        Refusal::TooManySubscriptions => StatusCode::TOO_MANY_REQUESTS,
        Refusal::HeldByOpen
        | Refusal::IdentityFixed
        | Refusal::NoEvents
        | Refusal::NoTarget
        | Refusal::NotOutstanding
        | Refusal::SessionUnknown => StatusCode::BAD_REQUEST,
    }
}

impl From<Unsubscribable> for Problem {
    fn from(refusal: Unsubscribable) -> Self {
        let status = match refusal {
            Unsubscribable::Callback(_) | Unsubscribable::Secret(_) => StatusCode::BAD_REQUEST,
            Unsubscribable::NoRandomness | Unsubscribable::NoWebhooks => StatusCode::INTERNAL_SERVER_ERROR,
            Unsubscribable::Refused(Refusal::EndpointUnknown) => StatusCode::NOT_FOUND,
            Unsubscribable::Refused(Refusal::TooManySubscriptions) => StatusCode::TOO_MANY_REQUESTS,
            Unsubscribable::Refused(_) => StatusCode::BAD_REQUEST,
            Unsubscribable::TooManyTopics => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.to_string())
    }
}
