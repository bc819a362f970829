//! Who asks, and what that one may do: by its access token, where the hub asks for one (SUB-14 to SUB-16, REQ-07, CTX-07).

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;

use super::Hub;
use super::problem::Problem;
use super::topic::{Spelling, WILDCARD};
use crate::fhircast::{EventName, Scopes, legacy_names};
use crate::security::{AuthenticationError, Grant, INSUFFICIENT_SCOPE};

/// What the sender of a request may do on the topic that it names.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// On whose behalf it asks.
    pub(super) principal: Arc<str>,
    /// What it may read and write.
    pub(super) scopes: Scopes,
    /// The end of its token.
    pub(super) token_ends: Option<Timestamp>,
}

impl Hub {
    /// What the sender of a request with these headers is granted, before anything else of the request is looked at.
    pub(super) async fn authenticate(&self, headers: &HeaderMap) -> Result<Grant, Problem> {
        let authorization = headers.get(header::AUTHORIZATION).map(HeaderValue::to_str);
        // A header that is no text holds no token; where nobody asks for one, it is ignored (CLI-05).
        let authorization = authorization.map(|text| text.unwrap_or("?"));
        self.0.authenticator.authenticate(authorization).await.map_err(Problem::from)
    }
}

impl Access {
    /// What `grant` allows on `topic`: nothing, unless its token may name that topic (SEC-03, T1). Whether there is such a
    /// topic makes no difference.
    pub(super) fn of(grant: Grant, topic: &str) -> Result<Self, Problem> {
        if !grant.permits_topic(topic) {
            return Err(forbidden("the access token is not for this topic"));
        }
        Ok(Self { principal: grant.principal, scopes: grant.scopes, token_ends: grant.expires })
    }

    /// REQ-07.
    pub(super) fn check_write(&self, event: &EventName) -> Result<(), Problem> {
        if self.scopes.can_write(event) {
            return Ok(());
        }
        Err(forbidden("the access token has no `fhircast/<event>.write` scope for this event"))
    }

    /// CTX-07.
    pub(super) fn check_read(&self, event: &EventName) -> Result<(), Problem> {
        if self.scopes.can_read(event) {
            return Ok(());
        }
        Err(forbidden("the access token has no `fhircast/<event>.read` scope for the event that made this context"))
    }

    /// Those of `events` that may be read (SUB-15); where old names are understood, as what they mean (CLI-39).
    pub(super) fn readable(&self, events: &[Spelling], old_names: bool) -> Result<Vec<Spelling>, Problem> {
        let may_read = |name: &&Spelling| match EventName::parse_any(legacy_names::meant(name, old_names)) {
            Ok(name) => self.scopes.can_read(&name),
            // All that may be read; or a name that no event can have, which never fires (CLI-12).
            Err(_) => self.scopes.can_read_anything(),
        };
        let granted: Vec<Spelling> = events.iter().filter(may_read).cloned().collect();
        if granted.is_empty() && !events.is_empty() {
            return Err(forbidden("the access token has no `fhircast/<event>.read` scope for any of these events"));
        }
        debug_assert!(EventName::parse_any(WILDCARD).is_err());
        Ok(granted)
    }
}

fn forbidden(reason: &str) -> Problem {
    let challenge = Some(HeaderValue::from_static(INSUFFICIENT_SCOPE));
    Problem { challenge, ..Problem::new(StatusCode::FORBIDDEN, reason) }
}

impl From<AuthenticationError> for Problem {
    fn from(error: AuthenticationError) -> Self {
        let status = match error {
            AuthenticationError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            AuthenticationError::Missing | AuthenticationError::Invalid { .. } => StatusCode::UNAUTHORIZED,
        };
        let challenge = error.www_authenticate().and_then(|text| HeaderValue::from_str(&text).ok());
        Self { challenge, ..Self::new(status, error.to_string()) }
    }
}
