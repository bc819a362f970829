//! The operator's API, on loopback: which sessions there are, which topic a user has, who follows, which mappings are in force,
//! the metrics, whether the gateway lives and is ready; and what an operator does about messages and mappings, which only the
//! running gateway can do.
//!
//! Serves only callers that name this machine as host, so that a web page the operator has open cannot read it by a name
//! that it made point here; and no page of another origin, so that none can send anything blindly either. What changes something,
//! or tells a topic, is for those who show the operator's token, which is in a file of the gateway's own user.

mod messages;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::gateway::Gateway;
use crate::hub::{Hub, Subscriber};
use crate::loading::{MappingsInForce, MappingsStatus};
use crate::sessions::{Directory, Seat, Session};
use crate::store::OperatorToken;
use crate::telemetry::metrics::{MEDIA_TYPE, Metrics};

/// What the API shows.
#[derive(Clone)]
pub struct Admin {
    /// The sessions.
    pub sessions: Arc<Directory>,
    /// What handles messages.
    pub gateway: Arc<Gateway>,
    /// Where applications subscribe.
    pub hub_url: Arc<str>,
    /// The hub.
    pub hub: Hub,
    /// The mappings.
    pub mappings: Arc<MappingsInForce>,
    /// The metrics.
    pub metrics: Metrics,
}

/// The answer to `POST /mappings/reload`: 200 when all mappings were loaded again, else 422, and those in force stay.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReloadAnswer {
    /// How it stands now.
    pub status: MappingsStatus,
    /// All that is wrong, for programs.
    pub problems: Vec<Diagnostic>,
    /// The same for people, with lines and carets; empty where nothing is wrong.
    pub text: String,
}

/// The answer to `GET /sessions`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SessionList {
    /// Where applications subscribe.
    pub hub_url: String,
    /// The sessions seen, the latest first.
    pub sessions: Vec<Session>,
}

/// The answer to `GET /topic`.
#[derive(Debug, Serialize, Deserialize)]
pub struct TopicOf {
    /// Where applications subscribe.
    pub hub_url: String,
    /// The topic of the user or workstation asked for.
    pub topic: String,
}

/// How many subscribers one answer holds at the most.
const MOST_SUBSCRIBERS: usize = 10_000;

/// The longest request that is read, in bytes.
const MOST_BODY: usize = 16 << 10;

impl Admin {
    /// The API's routes, and those that tell its `health`; what changes something, or tells a topic, is for who shows `token`.
    pub(crate) fn routes(self, token: OperatorToken, health: Router) -> Router {
        let guarded = Router::new()
            .route("/sessions", get(sessions))
            .route("/topic", get(topic))
            .route("/messages/{id}/reprocess", post(messages::reprocess))
            .route("/messages/{id}/handled", post(messages::handled))
            .route("/mappings/reload", post(reload_mappings))
            .route_layer(middleware::from_fn_with_state(token, only_operators));
        let open = Router::new()
            .route("/subscribers", get(subscribers))
            .route("/mappings", get(mappings))
            .route("/metrics", get(metrics));
        guarded
            .merge(open)
            .with_state(self)
            .merge(health)
            .layer(DefaultBodyLimit::max(MOST_BODY))
            .layer(middleware::from_fn(no_foreign_page))
            .layer(middleware::from_fn(only_by_local_name))
    }
}

async fn sessions(State(admin): State<Admin>) -> Json<SessionList> {
    Json(SessionList { hub_url: admin.hub_url.to_string(), sessions: admin.sessions.sessions() })
}

async fn topic(State(admin): State<Admin>, Query(seat): Query<Seat>) -> Response {
    match admin.sessions.topic(&seat) {
        Some(topic) => Json(TopicOf { hub_url: admin.hub_url.to_string(), topic }).into_response(),
        None => (StatusCode::BAD_REQUEST, "say ?user=NAME or ?workstation=NAME\n").into_response(),
    }
}

async fn subscribers(State(admin): State<Admin>) -> Json<Vec<Subscriber>> {
    Json(admin.hub.subscribers(MOST_SUBSCRIBERS).await)
}

async fn mappings(State(admin): State<Admin>) -> Json<MappingsStatus> {
    Json(admin.mappings.status())
}

async fn reload_mappings(State(admin): State<Admin>) -> Response {
    match admin.mappings.reload().await {
        Ok(status) => Json(ReloadAnswer { status, problems: Vec::new(), text: String::new() }).into_response(),
        Err(error) => {
            let (problems, text) = (error.diagnostics(), error.to_string());
            let answer = ReloadAnswer { status: admin.mappings.status(), problems, text };
            (StatusCode::UNPROCESSABLE_ENTITY, Json(answer)).into_response()
        }
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Refuses whoever cannot read the token's file: other users of this machine.
async fn only_operators(State(token): State<OperatorToken>, request: Request, next: Next) -> Response {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if shown.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|shown| token.is(shown)) {
        return next.run(request).await;
    }
    let text = "show the operator's token: it is in operator.token, in store.directory\n";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response()
}

/// Refuses whoever asks by a name that is not this machine's: a page elsewhere may have made its own name point here.
pub(crate) async fn only_by_local_name(headers: HeaderMap, request: Request, next: Next) -> Response {
    if headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(is_local_host) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, "ask by 127.0.0.1, [::1] or localhost\n").into_response()
}

/// Refuses pages of any origin but this very API's: what they send, the browser sends whether they may read the answer or not.
async fn no_foreign_page(headers: HeaderMap, request: Request, next: Next) -> Response {
    match headers.get(header::ORIGIN) {
        Some(origin) if !is_own(origin, headers.get(header::HOST)) => {
            (StatusCode::FORBIDDEN, "pages of other origins may not use the operator's API\n").into_response()
        }
        _ => next.run(request).await,
    }
}

fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
    origin.zip(host.and_then(|host| host.to_str().ok())).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}

fn is_local_host(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["127.0.0.1:8081", "localhost:8081", "LOCALHOST", "[::1]:8081", "[::1]", "127.0.0.2"] {
            assert!(is_local_host(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8081", "127.0.0.1.evil.example:8081", "10.0.0.1:8081", "", ":8081"] {
            assert!(!is_local_host(host), "{host}");
        }
    }

    #[test]
    fn a_page_is_served_only_where_it_came_from_here() {
        for (origin, host, expected) in [
            ("http://127.0.0.1:8081", Some("127.0.0.1:8081"), true),
            ("http://localhost:3000", Some("localhost:8081"), false),
            ("https://127.0.0.1:8081", Some("127.0.0.1:8081"), false),
            ("http://evil.example", Some("127.0.0.1:8081"), false),
            ("null", Some("127.0.0.1:8081"), false),
            ("http://127.0.0.1:8081", None, false),
        ] {
            let host = host.map(HeaderValue::from_static);
            assert_eq!(is_own(&HeaderValue::from_static(origin), host.as_ref()), expected, "{origin}");
        }
    }
}
