//! Who sends a request, by its `Authorization` header.

use std::fmt;
use std::sync::Arc;

use super::bearer;
use super::checks::AuthProblem;
use super::fetch::{Fetch, provider_url};
use super::http_fetch::{HttpFetch, HttpFetchError};
use super::introspection::Introspection;
use super::jwt::Issuer;
use super::key_cache::KeyCache;
use super::secrets::Secrets;
use super::settings::AuthSettings;
use super::static_tokens::{StaticToken, StaticTokens};
use super::token_endpoint::{SHORTEST_SECRET, TokenIssuer};
use super::{AuthenticationError, Grant};
use crate::clock::{Clock, timestamp};
use crate::store::{SecretFileError, SiteKey, sha_256};

/// Tells who sends a request and what that grants. Cheap to clone; all clones share their caches.
#[derive(Clone)]
pub struct Authenticator(Option<Arc<Sources>>);

/// Who vouches for tokens, in the order in which they are asked.
struct Sources {
    clock: Arc<dyn Clock>,
    fixed: StaticTokens,
    own: Option<Arc<TokenIssuer>>,
    issuers: Vec<Issuer>,
    introspection: Option<Introspection>,
}

/// Why there is no authenticator.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticatorError {
    /// A client's secret is easily guessed, or is spelt differently by different clients.
    #[error(
        "each secret of `auth.client.{name}` must be {SHORTEST_SECRET} or more letters, digits and -._~: make one with \
         `openssl rand -hex 32`"
    )]
    ClientSecret {
        /// The name of its table.
        name: String,
    },
    /// The settings cannot be used.
    #[error("the [auth] settings cannot be used: {}", lines(.0))]
    Settings(Vec<AuthProblem>),
    /// Files with secrets cannot be used.
    #[error("the [auth] settings name files that cannot be used: {}", lines(.0))]
    Files(Vec<SecretFileError>),
    /// A token is easily guessed, or cannot be sent.
    #[error(
        "the token of `auth.token.{name}` must be {SHORTEST_TOKEN} or more letters, digits and -._~+/: make one with \
         `openssl rand -hex 32`"
    )]
    Token {
        /// The name of its table.
        name: String,
    },
    /// Two clients have the same secret, or one has it twice.
    #[error("`auth.client.{name}` has a secret that is there already: give each client its own")]
    SameClientSecret {
        /// The name of its table.
        name: String,
    },
    /// Two tables have the same token.
    #[error("`auth.token.{name}` has the token of another table: give each its own")]
    SameToken {
        /// The name of its table.
        name: String,
    },
    /// A secret was not handed in.
    #[error("there is no secret for `{0}`: hand in what its file holds")]
    NoSecret(String),
    /// There is no way to a provider.
    #[error(transparent)]
    Http(#[from] HttpFetchError),
}

/// 128 random bits in hexadecimal.
const SHORTEST_TOKEN: usize = 32;

impl Authenticator {
    /// Lets in everybody, whatever the request says of itself: clients send `Bearer undefined` and the like (CLI-05).
    pub fn open() -> Self {
        Self(None)
    }

    /// What `settings` say, with their files read, their providers asked over the network, and the gateway's own tokens
    /// sealed with `site_key`.
    ///
    /// # Errors
    /// When settings or files cannot be used; no provider is asked yet.
    pub fn from_settings(
        settings: &AuthSettings,
        site_key: &SiteKey,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthenticatorError> {
        if settings.is_open() {
            let problems = settings.problems();
            return if problems.is_empty() { Ok(Self::open()) } else { Err(AuthenticatorError::Settings(problems)) };
        }
        let secrets = Secrets::read(settings).map_err(AuthenticatorError::Files)?;
        Self::new(settings, &secrets, site_key, clock, Arc::new(HttpFetch::new()?))
    }

    /// What `settings` say, with `secrets` from their files and providers asked by `fetch`.
    ///
    /// # Errors
    /// When the settings or a token cannot be used, or a secret is missing.
    pub fn new(
        settings: &AuthSettings,
        secrets: &Secrets,
        site_key: &SiteKey,
        clock: Arc<dyn Clock>,
        fetch: Arc<dyn Fetch>,
    ) -> Result<Self, AuthenticatorError> {
        let problems = settings.problems();
        if !problems.is_empty() {
            return Err(AuthenticatorError::Settings(problems));
        }
        if settings.is_open() {
            return Ok(Self::open());
        }
        let fixed = fixed_tokens(settings, secrets)?;
        let own = TokenIssuer::new(settings, secrets, site_key)?.map(Arc::new);
        let issuers = issuers(settings, &clock, &fetch)?;
        let introspection = introspection(settings, secrets, &clock, &fetch)?;
        Ok(Self(Some(Arc::new(Sources { clock, fixed, own, issuers, introspection }))))
    }

    /// Whether everybody is let in.
    pub fn is_open(&self) -> bool {
        self.0.is_none()
    }

    /// Who gives the gateway's own tokens; nobody where no client is configured.
    pub fn token_issuer(&self) -> Option<Arc<TokenIssuer>> {
        self.0.as_ref()?.own.clone()
    }

    /// What the sender of a request with this `Authorization` header is granted (SUB-14). A grant may hold no scope for
    /// what is asked: that is the caller's to check, and a 403.
    ///
    /// # Errors
    /// When there is no token, it is not accepted, or its provider does not answer.
    pub async fn authenticate(&self, authorization: Option<&str>) -> Result<Grant, AuthenticationError> {
        match &self.0 {
            None => Ok(Grant::anonymous()),
            Some(sources) => sources.judge(bearer::token(authorization)?).await,
        }
    }
}

impl Sources {
    async fn judge(&self, token: &str) -> Result<Grant, AuthenticationError> {
        let (hash, now) = (sha_256(token.as_bytes()), timestamp(&*self.clock));
        if let Some(judged) = self.fixed.find(&hash, now) {
            return judged;
        }
        if let Some(judged) = self.own.as_ref().and_then(|own| own.judge(token, now)) {
            return judged;
        }
        if let Some(judged) = Issuer::judge(&self.issuers, token, now).await {
            return judged;
        }
        match &self.introspection {
            Some(introspection) => introspection.judge(token, hash).await,
            None => Err(AuthenticationError::invalid("nobody that the hub trusts has issued it")),
        }
    }
}

fn fixed_tokens(settings: &AuthSettings, secrets: &Secrets) -> Result<StaticTokens, AuthenticatorError> {
    let mut seen = Vec::new();
    let mut tokens = Vec::new();
    for (name, settings) in &settings.token {
        let missing = || AuthenticatorError::NoSecret(format!("auth.token.{name}"));
        let text = secrets.tokens.get(name).ok_or_else(missing)?.reveal();
        if text.len() < SHORTEST_TOKEN || !bearer::is_token(text) {
            return Err(AuthenticatorError::Token { name: name.clone() });
        }
        if seen.contains(&text) {
            return Err(AuthenticatorError::SameToken { name: name.clone() });
        }
        seen.push(text);
        tokens.push(StaticToken::new(name, text, settings));
    }
    Ok(StaticTokens::new(tokens))
}

fn issuers(
    settings: &AuthSettings,
    clock: &Arc<dyn Clock>,
    fetch: &Arc<dyn Fetch>,
) -> Result<Vec<Issuer>, AuthenticatorError> {
    let issuer = |(name, settings): (&String, &super::IssuerSettings)| {
        let url = provider_url(&settings.jwks).map_err(|wrong| bad_url(&["issuer", name, "jwks"], wrong))?;
        let keys = KeyCache::new(url, settings.keep_keys, Arc::clone(clock), Arc::clone(fetch));
        Ok(Issuer::new(settings.clone(), keys))
    };
    settings.issuer.iter().map(issuer).collect()
}

fn introspection(
    settings: &AuthSettings,
    secrets: &Secrets,
    clock: &Arc<dyn Clock>,
    fetch: &Arc<dyn Fetch>,
) -> Result<Option<Introspection>, AuthenticatorError> {
    let Some(settings) = &settings.introspection else { return Ok(None) };
    let missing = || AuthenticatorError::NoSecret("auth.introspection".to_owned());
    let secret = secrets.introspection.as_ref().ok_or_else(missing)?;
    let endpoint = provider_url(&settings.endpoint).map_err(|wrong| bad_url(&["introspection", "endpoint"], wrong))?;
    Ok(Some(Introspection::new(settings.clone(), endpoint, secret, Arc::clone(clock), Arc::clone(fetch))))
}

/// Checked before, and said again rather than taken for granted.
fn bad_url(path: &[&str], wrong: &str) -> AuthenticatorError {
    let path: Vec<String> = ["auth"].iter().chain(path).map(|&key| key.to_owned()).collect();
    let message = format!("`{}` {wrong}", path.join("."));
    AuthenticatorError::Settings(vec![AuthProblem { path, message, help: "write https://HOST/PATH".to_owned() }])
}

fn lines<T: fmt::Display>(problems: &[T]) -> String {
    problems.iter().map(T::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.is_open() { "Authenticator(open)" } else { "Authenticator(bearer)" })
    }
}
