//! The gateway's own token endpoint over HTTP, at the hub's listener and behind its guard: `POST /token` (RFC 6749 section
//! 4.4), and the document that names it (SMART App Launch 2.2).
//!
//! Who gets what is decided in `security`; whose topic it is, in `sessions`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::json;
use tracing::{debug, info, warn};

use crate::audit::{Action, Agent, AuditLog, Entry};
use crate::clock::{Clock, timestamp};
use crate::http::Transport;
use crate::hub::{Hub, topic_digest};
use crate::security::{IssuedToken, TokenError, TokenIssuer};
use crate::sessions::{Directory, Seat};

/// What the token endpoint answers from.
#[derive(Clone)]
pub struct TokenEndpoint {
    /// Who decides, and seals.
    pub issuer: Arc<TokenIssuer>,
    /// Which topic a user has.
    pub sessions: Arc<Directory>,
    /// The hub that clients are told of.
    pub hub: Hub,
    /// Who was given a token, and whose request was refused.
    pub audit: AuditLog,
    /// When tokens end.
    pub clock: Arc<dyn Clock>,
}

/// Where tokens are asked for.
pub(crate) const TOKEN_PATH: &str = "/token";

/// Where the document is: below each base that has a capability statement.
const CONFIGURATION_PATHS: [&str; 2] = ["/.well-known/smart-configuration", "/fhir/.well-known/smart-configuration"];

/// The paths that no mount may have.
pub(crate) const PATHS: &[&str] = &[TOKEN_PATH, CONFIGURATION_PATHS[0], CONFIGURATION_PATHS[1]];

/// Forms are small.
const MAX_FORM: usize = 16 << 10;

impl TokenEndpoint {
    /// Its routes, behind the hub's guard.
    pub fn routes(self) -> Router {
        let mut routes = Router::new().route(TOKEN_PATH, post(token)).route(&format!("{TOKEN_PATH}/"), post(token));
        for path in CONFIGURATION_PATHS {
            routes = routes.route(path, get(configuration));
        }
        self.hub.clone().guarded(routes.with_state(self))
    }

    fn issue(&self, headers: &HeaderMap, form: &[u8]) -> Result<IssuedToken, TokenError> {
        // A header that is no text proves nobody.
        let authorization = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap_or("?"));
        let topic_of = |user: &str| self.sessions.topic(&Seat { user: Some(user.to_owned()), workstation: None });
        self.issuer.issue(authorization, form, topic_of, timestamp(&*self.clock))
    }

    fn entry(&self, parts: &Parts, principal: Arc<str>, session: String, refusal: Option<String>) -> Entry {
        let address = parts.extensions.get::<Transport>().map(|transport| transport.peer.ip());
        Entry {
            action: Action::Authenticate,
            recorded: timestamp(&*self.clock),
            agent: Agent::Application { principal, name: None, address },
            session,
            asked: TOKEN_PATH.to_owned(),
            patient: None,
            refusal,
        }
    }
}

/// `POST /token`.
async fn token(State(endpoint): State<TokenEndpoint>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let form = match form(&endpoint, &parts.headers, body).await {
        Ok(form) => form,
        Err((status, error)) => return refused(status, error),
    };
    match endpoint.issue(&parts.headers, &form) {
        Ok(issued) => {
            let entry = endpoint.entry(&parts, Arc::clone(&issued.principal), topic_digest(&issued.topic), None);
            if endpoint.audit.record(entry).await.is_err() {
                return refused(StatusCode::SERVICE_UNAVAILABLE, TokenError::NotAudited);
            }
            info!(client = issued.client, seconds = issued.expires_in, "Access token issued.");
            let hub = &endpoint.hub;
            given(&issued, &format!("{}{}", hub.base_url(&parts), hub.mount_path(issued.mount.as_deref())))
        }
        Err(error) => {
            if error != TokenError::TooOften {
                let entry = endpoint.entry(&parts, "".into(), String::new(), Some(error.to_string()));
                endpoint.audit.note(entry).await;
            }
            match error {
                // More of them would only fill the log.
                TokenError::TooOften => debug!(%error, "Access token refused."),
                _ => warn!(%error, "Access token refused."),
            }
            refused(status(error), error)
        }
    }
}

async fn form(endpoint: &TokenEndpoint, headers: &HeaderMap, body: Body) -> Result<Bytes, (StatusCode, TokenError)> {
    let refused = |status, reason| Err((status, TokenError::InvalidRequest(reason)));
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return refused(StatusCode::BAD_REQUEST, "the body must be application/x-www-form-urlencoded");
    }
    if !matches!(text(header::CONTENT_ENCODING), "" | "identity") {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no Content-Encoding is read: send the body as it is");
    }
    match tokio::time::timeout(endpoint.hub.request_time(), Limited::new(body, MAX_FORM).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            refused(StatusCode::PAYLOAD_TOO_LARGE, "the body has more than 16 KiB")
        }
        Ok(Err(_)) => refused(StatusCode::BAD_REQUEST, "the body ended early"),
        Err(_) => refused(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
    }
}

/// The token, and what its bearer needs to follow its user (SMA-01); the topic also where some clients look (CLI-17).
fn given(issued: &IssuedToken, hub_url: &str) -> Response {
    let answer = Json(json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scopes.to_string(),
        "hub.url": hub_url,
        "hub.topic": issued.topic,
        "topic": issued.topic,
    }));
    uncached(answer.into_response())
}

fn refused(status: StatusCode, error: TokenError) -> Response {
    let answer = Json(json!({"error": error.code(), "error_description": error.to_string()}));
    let mut response = uncached((status, answer).into_response());
    let headers = response.headers_mut();
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"token\""));
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    response
}

/// RFC 6749 section 5.1.
fn uncached(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

fn status(error: TokenError) -> StatusCode {
    match error {
        TokenError::InvalidClient => StatusCode::UNAUTHORIZED,
        TokenError::InvalidRequest(_) | TokenError::InvalidScope | TokenError::UnsupportedGrantType => {
            StatusCode::BAD_REQUEST
        }
        TokenError::NoRandomness | TokenError::NotAudited => StatusCode::SERVICE_UNAVAILABLE,
        TokenError::TooOften => StatusCode::TOO_MANY_REQUESTS,
    }
}

/// `GET /.well-known/smart-configuration`: what there is, and nothing else. No user logs in here, so there is no
/// `authorization_endpoint`, nor any of the capabilities that are registered.
async fn configuration(State(endpoint): State<TokenEndpoint>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let scopes = endpoint.issuer.scopes().to_string();
    let configuration = json!({
        "token_endpoint": format!("{}{TOKEN_PATH}", endpoint.hub.base_url(&parts)),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": scopes.split(' ').collect::<Vec<_>>(),
        "capabilities": [],
    });
    Json(configuration).into_response()
}
