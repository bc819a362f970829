//! Who may use the hub: the `[auth]` section of the configuration, and what can be wrong with it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::algorithm::SignatureAlgorithm;

/// `[auth]`: who may use the hub.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// Whether a token is needed at all.
    pub mode: AuthMode,
    /// `[auth.token.NAME]`: fixed tokens for trials, by name.
    pub token: BTreeMap<String, StaticTokenSettings>,
    /// `[auth.client.NAME]`: who gets tokens from the gateway itself, by `client_id` (SMA-01).
    pub client: BTreeMap<String, ClientSettings>,
    /// `[auth.issuer.NAME]`: who signs tokens that the hub verifies by itself.
    pub issuer: BTreeMap<String, IssuerSettings>,
    /// `[auth.introspection]`: who is asked about all other tokens.
    pub introspection: Option<IntrospectionSettings>,
}

/// Whether a token is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMode {
    /// Anybody who reaches the hub may do anything; headers are ignored (CLI-05).
    #[default]
    None,
    /// Every request needs a bearer token (RFC 6750) that one of the configured sources vouches for.
    Bearer,
}

/// `[auth.token.NAME]`: a fixed token, for trials and for systems that cannot do better.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StaticTokenSettings {
    /// The file that holds the token, readable by its owner only.
    pub file: PathBuf,
    /// What it grants: FHIRcast scopes, space separated (SCO-01).
    pub scopes: String,
    /// The topics that it is bound to; any where this is left out.
    pub topics: Option<Vec<String>>,
    /// When it ends; never where this is left out.
    pub expires: Option<Timestamp>,
}

/// `[auth.client.NAME]`: a client that gets its tokens at the gateway's own token endpoint (RFC 6749 section 4.4), and with
/// them its `hub.url` and `hub.topic` (SMA-01). The name is its `client_id`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSettings {
    /// The files that hold its secret, each readable by its owner only: one, or two while the secret is being changed.
    pub secret_files: Vec<PathBuf>,
    /// What it may be granted: FHIRcast scopes, space separated (SCO-01).
    pub scopes: String,
    /// Whose session it follows; where this is left out, the client names the user, and may name any.
    pub user: Option<String>,
    /// The mount that its `hub.url` names; the one that is announced where this is left out.
    pub mount: Option<String>,
    /// How long its tokens last.
    pub token_lifetime: SignedDuration,
}

/// `[auth.issuer.NAME]`: an identity provider whose tokens are JWTs (RFC 7519, RFC 9068).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IssuerSettings {
    /// `iss` of its tokens, byte by byte.
    pub issuer: String,
    /// Names of this hub; `aud` of a token must hold one of them.
    pub audiences: Vec<String>,
    /// Where its public keys are (RFC 7517): https, or http on this machine.
    pub jwks: String,
    /// What it may sign with.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// `typ` that its tokens must have, such as `at+jwt` (RFC 9068 section 2.1); not looked at where this is left out.
    pub token_type: Option<String>,
    /// The claim that names the topics a token is bound to (SEC-03); tokens are bound to none where this is left out.
    pub topic_claim: Option<String>,
    /// By how much its clock and ours may differ.
    pub leeway: SignedDuration,
    /// How long its last keys are used while it cannot be reached (T15).
    pub keep_keys: SignedDuration,
}

/// `[auth.introspection]`: the endpoint that is asked about tokens (RFC 7662).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IntrospectionSettings {
    /// Where it is: https, or http on this machine.
    pub endpoint: String,
    /// Who asks.
    pub client_id: String,
    /// The file with the password of who asks, readable by its owner only.
    pub client_secret_file: PathBuf,
    /// Names of this hub; `aud` must hold one of them. Not looked at where this is empty, as answers often have none.
    pub audiences: Vec<String>,
    /// As of an issuer.
    pub topic_claim: Option<String>,
}

impl Default for IssuerSettings {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audiences: Vec::new(),
            jwks: String::new(),
            algorithms: SignatureAlgorithm::DEFAULT.to_vec(),
            token_type: None,
            topic_claim: None,
            leeway: SignedDuration::from_secs(30),
            keep_keys: SignedDuration::from_hours(24),
        }
    }
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            secret_files: Vec::new(),
            scopes: String::new(),
            user: None,
            mount: None,
            token_lifetime: SignedDuration::from_mins(5),
        }
    }
}

impl AuthSettings {
    /// Whether everybody may do everything: then only loopback may be served (SEC-04).
    pub fn is_open(&self) -> bool {
        self.mode == AuthMode::None
    }
}
