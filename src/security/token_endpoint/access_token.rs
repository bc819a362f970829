//! The gateway's own access tokens: what they say, in the clear, and a seal of the site's key on it.
//!
//! No table of them is kept, so they outlive a restart. Nobody but the gateway reads them: they are opaque to clients.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::json;

use super::super::json_object::JsonObject;
use super::super::{AuthenticationError, claims};
use crate::fhircast::Scopes;
use crate::store::SiteKey;

/// What a token says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AccessToken {
    /// The client that it was given to.
    pub(super) client: String,
    /// Whose session it is for.
    pub(super) user: String,
    /// The topic of that session, the only one that it is good for.
    pub(super) topic: String,
    pub(super) scopes: Scopes,
    /// In whole seconds.
    pub(super) expires: Timestamp,
    /// Random, so that no two tokens are alike.
    pub(super) id: String,
}

/// What every such token starts with: it is judged by its seal, and by nobody else.
const PREFIX: &str = "fhircast_gateway_";

/// What the site's key is used for here; for nothing else under this name.
const PURPOSE: &str = "access token";

impl AccessToken {
    /// The token, as the client sends it.
    pub(super) fn sealed(&self, key: &SiteKey) -> String {
        let payload = URL_SAFE_NO_PAD.encode(
            json!({
                "client_id": self.client,
                "sub": self.user,
                "topic": self.topic,
                "scope": self.scopes.to_string(),
                "exp": self.expires.as_second(),
                "jti": self.id,
            })
            .to_string(),
        );
        let seal = seal(key, &payload);
        format!("{PREFIX}{payload}.{seal}")
    }

    /// What `token` says, if it is one of the gateway's own: `None` for any other.
    pub(super) fn opened(key: &SiteKey, token: &str) -> Option<Result<Self, AuthenticationError>> {
        let body = token.strip_prefix(PREFIX)?;
        let payload = body.split_once('.').filter(|(payload, given)| {
            // The texts are compared, not the bytes they stand for, so that each seal has one spelling.
            verify_slices_are_equal(seal(key, payload).as_bytes(), given.as_bytes()).is_ok()
        });
        let payload = payload.ok_or(AuthenticationError::invalid("its seal is wrong"));
        Some(payload.and_then(|(payload, _)| Self::read(payload)))
    }

    fn read(payload: &str) -> Result<Self, AuthenticationError> {
        const STRANGE: AuthenticationError = AuthenticationError::invalid("it is of another version of the gateway");
        let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| STRANGE)?;
        let claims = JsonObject::parse(&bytes).ok_or(STRANGE)?;
        let text = |name| claims.text(name).map(str::to_owned).ok_or(STRANGE);
        Ok(Self {
            client: text("client_id")?,
            user: text("sub")?,
            topic: text("topic")?,
            scopes: Scopes::parse(&text("scope")?),
            expires: claims::time(&claims, "exp")?.ok_or(STRANGE)?,
            id: text("jti")?,
        })
    }
}

fn seal(key: &SiteKey, payload: &str) -> String {
    URL_SAFE_NO_PAD.encode(key.derive(&[PURPOSE, payload]))
}
