//! The connector of dictation systems, on loopback: where the hub is, which topic a user has, and where tokens come
//! from (CLI-38, clients.md 2.5). Tells addresses and a topic, and neither a token nor a secret.
//!
//! Serves only callers that name this machine as host, like the operator's API.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::admin::only_by_local_name;
use crate::hub::ConnectorSettings;
use crate::sessions::{Directory, Seat};

/// What the connector answers from.
#[derive(Clone)]
pub struct Connector {
    authorization_endpoint: Arc<str>,
    token_endpoint: Arc<str>,
    hub_endpoint: Arc<str>,
    sessions: Arc<Directory>,
}

/// The answer: four members, none of them empty.
#[derive(Serialize)]
struct Configuration<'c> {
    authorization_endpoint: &'c str,
    token_endpoint: &'c str,
    hub_endpoint: &'c str,
    topic: &'c str,
}

#[derive(Deserialize)]
struct Asked {
    username: Option<String>,
}

impl Connector {
    /// The connector of a hub whose `hub.url` in this dialect is `hub_endpoint`.
    pub fn new(settings: &ConnectorSettings, hub_endpoint: String, sessions: Arc<Directory>) -> Self {
        Self {
            authorization_endpoint: settings.authorization_endpoint.as_str().into(),
            token_endpoint: settings.token_endpoint.as_str().into(),
            hub_endpoint: hub_endpoint.into(),
            sessions,
        }
    }

    /// Its routes.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/configuration", get(configuration))
            .route("/login", get(login))
            .with_state(self)
            .layer(middleware::from_fn(only_by_local_name))
    }

    fn topic_of(&self, asked: Asked) -> Option<String> {
        let user = asked.username.filter(|name| !name.trim().is_empty())?;
        self.sessions.topic(&Seat { user: Some(user), workstation: None })
    }

    /// The topic of the only session that the gateway has seen.
    fn only_topic(&self) -> Result<String, &'static str> {
        let mut sessions = self.sessions.sessions().into_iter();
        match (sessions.next(), sessions.next()) {
            (Some(session), None) => Ok(session.topic),
            (None, _) => Err("there is no session yet: say /configuration?username=NAME"),
            (Some(_), Some(_)) => Err("there are several sessions: say /configuration?username=NAME"),
        }
    }

    fn answer(&self, topic: &str) -> Response {
        let answer = Json(Configuration {
            authorization_endpoint: &self.authorization_endpoint,
            token_endpoint: &self.token_endpoint,
            hub_endpoint: &self.hub_endpoint,
            topic,
        });
        // A topic lets its holder follow a screen.
        ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
    }
}

async fn configuration(State(connector): State<Connector>, Query(asked): Query<Asked>) -> Response {
    match connector.topic_of(asked).map_or_else(|| connector.only_topic(), Ok) {
        Ok(topic) => connector.answer(&topic),
        Err(reason) => refused(StatusCode::NOT_FOUND, reason),
    }
}

async fn login(State(connector): State<Connector>, Query(asked): Query<Asked>) -> Response {
    match connector.topic_of(asked) {
        Some(topic) => connector.answer(&topic),
        None => refused(StatusCode::BAD_REQUEST, "say /login?username=NAME"),
    }
}

/// As JSON: its clients parse every body.
fn refused(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({"message": reason}))).into_response()
}
