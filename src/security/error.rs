//! Why a request is not let in, in words that repeat nothing of the token.

use std::borrow::Cow;

/// Why a request is not let in (SUB-14). Says nothing of what the token holds: it may end up in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// There is no bearer token: status 401.
    #[error("the request has no bearer token: send `Authorization: Bearer <token>`")]
    Missing,
    /// The token is not accepted: status 401.
    #[error("the bearer token is not accepted: {reason}")]
    Invalid {
        /// What is wrong with it; printable ASCII without quotes and backslashes, as it goes into a header.
        reason: &'static str,
    },
    /// Nobody can say whether the token is good, as the identity provider does not answer: status 503, and worth another
    /// try.
    #[error("the identity provider that knows this token does not answer; try again in a minute")]
    Unavailable,
}

/// The challenge of a 403: the token is good, and its scopes do not cover what is asked (RFC 6750 section 3.1).
pub const INSUFFICIENT_SCOPE: &str = "Bearer error=\"insufficient_scope\"";

impl AuthenticationError {
    /// A token that is not accepted because of `reason`.
    pub(super) const fn invalid(reason: &'static str) -> Self {
        Self::Invalid { reason }
    }

    /// The value of `WWW-Authenticate` (RFC 6750 section 3): a request without a token is told the scheme and no more.
    /// `None` for [`AuthenticationError::Unavailable`], which is no fault of the client.
    pub fn www_authenticate(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::Missing => Some("Bearer".into()),
            Self::Invalid { reason } => {
                Some(format!("Bearer error=\"invalid_token\", error_description=\"{reason}\"").into())
            }
            Self::Unavailable => None,
        }
    }
}
