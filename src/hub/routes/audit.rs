//! What of the requests is audited (IRA-23): subscribing, unsubscribing and reading before they are answered, publishing
//! once it has happened.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use axum::http::StatusCode;
use axum::http::request::Parts;

use super::super::endpoint::topic_digest;
use super::super::problem::Problem;
use super::Door;
use crate::audit::{Action, Agent, Entry, NotAudited, PatientWords};
use crate::http::Transport;
use crate::security::Grant;

/// A request that is to be audited, before it is known how it ended.
pub(super) struct Audited {
    pub(super) action: Action,
    pub(super) principal: Arc<str>,
    pub(super) address: Option<IpAddr>,
    pub(super) session: String,
    /// What it asked for.
    pub(super) asked: String,
    /// What its sender calls itself.
    pub(super) name: Option<String>,
    /// Whom its context is about.
    pub(super) patient: Option<PatientWords>,
}

impl Audited {
    /// What somebody with `grant` does on `topic`.
    pub(super) fn new(action: Action, grant: &Grant, parts: &Parts, topic: &str) -> Self {
        Self {
            action,
            principal: Arc::clone(&grant.principal),
            address: address(parts),
            session: topic_digest(topic),
            asked: String::new(),
            name: None,
            patient: None,
        }
    }
}

impl Door {
    /// Whether `action` is audited.
    pub(super) fn audits(&self, action: Action) -> bool {
        self.hub.0.audit.records(action)
    }

    /// What the sender of a request is granted; a token that is not accepted is audited.
    pub(in super::super) async fn authenticate(&self, parts: &Parts) -> Result<Grant, Problem> {
        let judged = self.hub.authenticate(&parts.headers).await;
        let refused = judged.as_ref().err().filter(|problem| problem.status == StatusCode::UNAUTHORIZED);
        if let Some(problem) =
            refused.filter(|_| self.audits(Action::Authenticate) && self.has_room_for_refused_token())
        {
            let audited = Audited {
                action: Action::Authenticate,
                principal: "".into(),
                address: address(parts),
                session: String::new(),
                asked: String::new(),
                name: None,
                patient: None,
            };
            self.hub.0.audit.note(self.entry(audited, Some(problem.reason.clone()))).await;
        }
        judged
    }

    /// Who tries tokens by the thousand fills no disk with it.
    fn has_room_for_refused_token(&self) -> bool {
        let mut allowance = self.hub.0.refused_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        allowance.take(self.hub.now(), REFUSED_TOKENS_PER_SECOND, REFUSED_TOKENS_AT_ONCE)
    }

    /// Gives `result` once it is in the audit log, durably.
    pub(super) async fn record<T>(&self, audited: Option<Audited>, result: Result<T, Problem>) -> Result<T, Problem> {
        let Some(audited) = audited else { return result };
        let refusal = result.as_ref().err().map(|problem| problem.reason.clone());
        self.hub.0.audit.record(self.entry(audited, refusal)).await?;
        result
    }

    /// Puts what has happened into the audit log.
    pub(super) async fn note<T>(&self, audited: Option<Audited>, result: &Result<T, Problem>) {
        let Some(audited) = audited else { return };
        let refusal = result.as_ref().err().map(|problem| problem.reason.clone());
        self.hub.0.audit.note(self.entry(audited, refusal)).await;
    }

    fn entry(&self, audited: Audited, refusal: Option<String>) -> Entry {
        let Audited { action, principal, address, session, asked, name, patient } = audited;
        let agent = Agent::Application { principal, name, address };
        Entry { action, recorded: self.hub.now(), agent, session, asked, patient, refusal }
    }
}

/// Refused tokens that are audited in the long run; beyond that, they are refused all the same.
const REFUSED_TOKENS_PER_SECOND: u32 = 1;

/// Refused tokens that are audited at once.
const REFUSED_TOKENS_AT_ONCE: u32 = 100;

fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<Transport>().map(|transport| transport.peer.ip())
}

impl From<NotAudited> for Problem {
    fn from(error: NotAudited) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
    }
}
