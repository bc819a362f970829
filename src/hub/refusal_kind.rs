//! Why a request is refused, as a word of a closed set: what is counted, and never what the request said.

use axum::http::StatusCode;

use super::topic::{Refusal, Unopened};
use super::{EventRefused, PublishRefusal};

/// One word; an extension of the response to a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RefusalKind(&'static str);

impl RefusalKind {
    /// The word.
    pub(crate) fn name(self) -> &'static str {
        self.0
    }
}

/// Where nothing more is known than what HTTP says.
impl From<StatusCode> for RefusalKind {
    fn from(status: StatusCode) -> Self {
        Self(match status {
            StatusCode::BAD_REQUEST => "malformed",
            StatusCode::UNAUTHORIZED => "unauthenticated",
            StatusCode::FORBIDDEN => "forbidden",
            StatusCode::NOT_FOUND => "unknown",
            StatusCode::REQUEST_TIMEOUT => "timed_out",
            StatusCode::CONFLICT => "conflict",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
            StatusCode::MISDIRECTED_REQUEST => "host",
            StatusCode::UPGRADE_REQUIRED => "no_upgrade",
            StatusCode::TOO_MANY_REQUESTS => "too_many",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            StatusCode::INSUFFICIENT_STORAGE => "store_full",
            _ => "other",
        })
    }
}

impl From<&PublishRefusal> for RefusalKind {
    fn from(refusal: &PublishRefusal) -> Self {
        match refusal {
            PublishRefusal::Event(_) => Self("event_malformed"),
            PublishRefusal::Refused(EventRefused(refusal)) => (*refusal).into(),
            PublishRefusal::NotDurable(_) => Self("not_durable"),
            PublishRefusal::ShuttingDown => Self("shutting_down"),
            PublishRefusal::TooManyEvents => Self("too_many_events"),
            PublishRefusal::TooManyTopics => Self("too_many_topics"),
            PublishRefusal::Topic => Self("topic_malformed"),
        }
    }
}

impl From<Refusal> for RefusalKind {
    fn from(refusal: Refusal) -> Self {
        Self(match refusal {
            Refusal::AnchorNotOpen(Unopened::Close) => "close_of_unopened",
            Refusal::AnchorNotOpen(Unopened::Select) => "select_of_unopened",
            Refusal::AnchorNotOpen(Unopened::Update) => "update_of_unopened",
            Refusal::ContentTooLarge => "content_too_large",
            Refusal::EndpointUnknown => "endpoint_unknown",
            Refusal::HeldByOpen => "held_by_open",
            Refusal::IdentityFixed => "identity_fixed",
            Refusal::NoEvents => "no_events",
            Refusal::NoTarget => "no_target",
            Refusal::NotCurrent => "not_current",
            Refusal::NotOutstanding => "not_outstanding",
            Refusal::Outdated => "outdated",
            Refusal::SessionUnknown => "session_unknown",
            Refusal::StaleVersion => "stale_version",
            Refusal::TooManySubscriptions => "too_many_subscriptions",
        })
    }
}
