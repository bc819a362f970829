//! A subscription's endpoint: an address that cannot be guessed, and of which only the hash is kept (SUB-10).

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::topic::SubscriptionId;

/// The secret part of an endpoint's path: 256 bits.
pub(super) struct Secret(String);

impl Secret {
    /// A new one; `None` when the system has no randomness to give.
    pub(super) fn new() -> Option<Self> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).ok()?;
        Some(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret in an endpoint's URL, which is recognised by its path alone (CLI-08).
    pub(super) fn in_url(url: &str) -> Option<Self> {
        let path = url.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let (before, secret) = path.rsplit_once('/')?;
        before.ends_with("/ws").then(|| Self(secret.to_owned()))
    }

    /// The secret in a request's path.
    pub(super) fn in_path(secret: &str) -> Self {
        Self(secret.to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name under which the hub knows the subscription.
    pub(super) fn id(&self) -> SubscriptionId {
        SubscriptionId(sha_256(self.0.as_bytes()))
    }
}

pub(super) fn sha_256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn sub_10_endpoints_are_long_and_never_alike() {
        let secrets: HashSet<String> = (0..1000).filter_map(|_| Secret::new()).map(|secret| secret.0).collect();
        assert_eq!(secrets.len(), 1000);
        assert!(secrets.iter().all(|secret| secret.len() == 43));
    }

    #[test]
    fn cli_08_an_endpoint_is_recognised_by_its_path_alone() {
        let id = Secret::in_path("abc").id();
        for url in ["ws://127.0.0.1:8080/hub/ws/abc", "wss://proxy.example/x/ws/abc/", "http://other/hub/ws/abc?a=b"] {
            assert_eq!(Secret::in_url(url).map(|secret| secret.id()), Some(id), "{url}");
        }
        for url in ["", "abc", "ws://h/bind/abc"] {
            assert!(Secret::in_url(url).is_none(), "{url}");
        }
    }
}
