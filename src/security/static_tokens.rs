//! Fixed tokens, for trials.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jiff::Timestamp;

use super::settings::StaticTokenSettings;
use super::{AuthenticationError, Grant, Topics, claims};
use crate::fhircast::Scopes;
use crate::store::sha_256;

/// The fixed tokens that there are; of each only its hash is kept.
pub(super) struct StaticTokens(Vec<StaticToken>);

/// One of them.
pub(super) struct StaticToken {
    hash: [u8; 32],
    grant: Grant,
}

impl StaticTokens {
    pub(super) fn new(tokens: Vec<StaticToken>) -> Self {
        Self(tokens)
    }

    /// What `hash`, that of a token, is granted at `now`; `None` where it is that of no fixed token.
    ///
    /// All are compared, each in constant time: how long it takes tells nobody how close a guess was.
    pub(super) fn find(&self, hash: &[u8; 32], now: Timestamp) -> Option<Result<Grant, AuthenticationError>> {
        let mut found = None;
        for token in &self.0 {
            if verify_slices_are_equal(&token.hash, hash).is_ok() {
                found = Some(&token.grant);
            }
        }
        found.map(|grant| match grant.is_over(now) {
            true => Err(AuthenticationError::invalid("it has expired")),
            false => Ok(grant.clone()),
        })
    }
}

impl StaticToken {
    /// The token configured as `name`, spelt `text`. More topics than a token may have count as none at all.
    pub(super) fn new(name: &str, text: &str, settings: &StaticTokenSettings) -> Self {
        let topics = settings
            .topics
            .as_ref()
            .map_or(Some(Topics::Any), |topics| Topics::listed(topics.iter().map(String::as_str)));
        let grant = Grant {
            // No issuer is without a name, so that no token of theirs has the same principal.
            principal: claims::principal_of("", name, ""),
            scopes: Scopes::parse(&settings.scopes),
            expires: settings.expires,
            topics: topics.unwrap_or_else(|| Topics::Listed(Arc::default())),
        };
        Self { hash: sha_256(text.as_bytes()), grant }
    }
}
