//! Why a client gets no token, in the words of RFC 6749 section 5.2, repeating nothing of the request.

/// Why a client gets no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Who asks is not known, or did not prove it; which of the two is not told.
    #[error("the client is not known by this client_id and client_secret")]
    InvalidClient,
    /// The request is not formed as it should be.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// Nothing of what is asked for may be granted.
    #[error("the client may be granted none of the scopes asked for")]
    InvalidScope,
    /// The gateway has no randomness to make a token with.
    #[error("no token can be made just now; try again in a minute")]
    NoRandomness,
    /// The audit log cannot hold it.
    #[error("no token can be given just now: the audit log cannot be written")]
    NotAudited,
    /// Tokens are asked for more often than they may be (T18).
    #[error("tokens are asked for too often; try again in a second")]
    TooOften,
    /// Another grant type than the one there is.
    #[error("the grant type must be client_credentials")]
    UnsupportedGrantType,
}

impl TokenError {
    /// The `error` code. Section 5.2 has none for what is no fault of the client: they are those of section 4.1.2.1.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::NoRandomness | Self::NotAudited | Self::TooOften => "temporarily_unavailable",
        }
    }
}
