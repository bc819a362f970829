//! The operator's API, on loopback: which sessions there are, which topic a user has, who follows, what became of the latest
//! messages, and the metrics.
//!
//! Serves only callers that name this machine as host, so that a web page the operator has open cannot read it by a name
//! that it made point here.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::hub::{Hub, Subscriber};
use crate::sessions::{Directory, Seat, Session};
use crate::store::{Journal, Record};
use crate::telemetry::metrics::{MEDIA_TYPE, Metrics};

/// What the API shows.
#[derive(Clone)]
pub struct Admin {
    /// The sessions.
    pub sessions: Arc<Directory>,
    /// The messages.
    pub journal: Arc<Journal>,
    /// Where applications subscribe.
    pub hub_url: Arc<str>,
    /// The hub.
    pub hub: Hub,
    /// The metrics.
    pub metrics: Metrics,
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

/// How many messages one answer holds at the most.
const MOST_MESSAGES: usize = 1000;

impl Admin {
    /// The API's routes, and those that tell its `health`.
    pub(crate) fn routes(self, health: Router) -> Router {
        Router::new()
            .route("/sessions", get(sessions))
            .route("/topic", get(topic))
            .route("/messages", get(messages))
            .route("/subscribers", get(subscribers))
            .route("/metrics", get(metrics))
            .with_state(self)
            .merge(health)
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

async fn metrics(State(admin): State<Admin>) -> Response {
    match admin.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Deserialize)]
struct MessagesQuery {
    count: Option<usize>,
}

async fn messages(State(admin): State<Admin>, Query(query): Query<MessagesQuery>) -> Response {
    match admin.journal.newest(query.count.unwrap_or(100).min(MOST_MESSAGES)) {
        Ok(records) => Json::<Vec<Record>>(records).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("the store cannot be read: {error}\n")).into_response(),
    }
}

/// Refuses whoever asks by a name that is not this machine's: a page elsewhere may have made its own name point here.
pub(crate) async fn only_by_local_name(headers: HeaderMap, request: Request, next: Next) -> Response {
    if headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(is_local_host) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, "ask by 127.0.0.1, [::1] or localhost\n").into_response()
}

fn is_local_host(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::is_local_host;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["127.0.0.1:8081", "localhost:8081", "LOCALHOST", "[::1]:8081", "[::1]", "127.0.0.2"] {
            assert!(is_local_host(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8081", "127.0.0.1.evil.example:8081", "10.0.0.1:8081", "", ":8081"] {
            assert!(!is_local_host(host), "{host}");
        }
    }
}
