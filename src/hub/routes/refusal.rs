//! What the hub refuses, as HTTP says it (SUB-13, POL-12, POL-13).

use axum::http::StatusCode;

use super::super::policy::{AnchorNotOpen, Policy};
use super::super::problem::Problem;
use super::super::topic::{Refusal, Unopened};
use super::super::{EventRefused, PublishRefusal, Unsubscribable};
use crate::store::CommitError;

/// Why an event is not published, as an answer.
pub(super) fn refused(refusal: &PublishRefusal, policy: &Policy) -> Problem {
    let status = match refusal {
        PublishRefusal::Event(_) | PublishRefusal::Topic => StatusCode::BAD_REQUEST,
        PublishRefusal::Refused(EventRefused(refusal)) => status(*refusal, policy),
        PublishRefusal::TooManyEvents => StatusCode::TOO_MANY_REQUESTS,
        PublishRefusal::NotDurable(CommitError::Full) => StatusCode::INSUFFICIENT_STORAGE,
        PublishRefusal::NotDurable(_) | PublishRefusal::ShuttingDown | PublishRefusal::TooManyTopics => {
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    Problem { kind: refusal.into(), ..Problem::new(status, refusal.to_string()) }
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
            Unsubscribable::NotDurable(CommitError::Full) => StatusCode::INSUFFICIENT_STORAGE,
            Unsubscribable::NotDurable(_) | Unsubscribable::TooManyTopics => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, refusal.to_string())
    }
}
