//! The secret in an endpoint's URL: 256 bits that nobody guesses (SUB-10), and the hash by which the hub knows it.

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::mount::Mount;
use super::topic::EndpointId;

/// The secret of one endpoint, as it stands in the URL. Never logged, never kept.
pub(super) struct EndpointSecret(String);

/// What an endpoint named in a request is to this hub.
pub(super) enum Named {
    /// An address that the client made up, or another hub's.
    Foreign,
    /// One under a mount of this hub.
    Ours(EndpointSecret),
}

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(super) struct NoRandomness;

/// Bytes of a secret.
const LENGTH: usize = 32;

impl EndpointSecret {
    /// A new one.
    pub(super) fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = [0; LENGTH];
        rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The one that a URL's last segment holds.
    pub(super) fn from_path(segment: &str) -> Self {
        Self(segment.to_owned())
    }

    /// What the hub keeps of it.
    pub(super) fn id(&self) -> EndpointId {
        EndpointId(sha256(self.0.as_bytes()))
    }

    /// Its text, for the URL that goes to the subscriber.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// Recognises an endpoint by its path alone, whatever scheme, host and port a proxy or the client put before it (CLI-08).
pub(super) fn named(url: &str, mounts: &[Mount]) -> Named {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let secret = mounts.iter().find_map(|mount| path.split_once(&format!("{}/ws/", mount.path)));
    secret.map_or(Named::Foreign, |(_, secret)| Named::Ours(EndpointSecret::from_path(secret.trim_end_matches('/'))))
}

/// A topic as logs show it: eight digits of its hash, since a topic lets its holder follow a screen.
pub(crate) fn topic_digest(topic: &str) -> String {
    EndpointId(sha256(topic.as_bytes())).to_string()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_10_secrets_are_256_bits_and_never_the_same() {
        let secrets: std::collections::HashSet<_> = (0..1000).map(|_| EndpointSecret::generate().unwrap().0).collect();
        assert_eq!(secrets.len(), 1000);
        assert!(secrets.iter().all(|secret| URL_SAFE_NO_PAD.decode(secret).unwrap().len() == LENGTH));
    }

    #[test]
    fn cli_08_an_endpoint_is_recognised_by_its_path_alone() {
        let mounts = crate::hub::HubSettings::default().mounts();
        let secret = EndpointSecret::generate().unwrap();
        for prefix in ["ws://127.0.0.1:8080", "wss://proxy.example/gateway", "http://[::1]", ""] {
            let Named::Ours(found) = named(&format!("{prefix}/hub/ws/{}", secret.text()), &mounts) else {
                panic!("{prefix}")
            };
            assert_eq!(found.id(), secret.id());
        }
        for foreign in ["ws://localhost/bind/1", "/ws/fhircast/1", "", "abc", "ws://host/?/hub/ws/x"] {
            assert!(matches!(named(foreign, &mounts), Named::Foreign), "{foreign}");
        }
    }
}
