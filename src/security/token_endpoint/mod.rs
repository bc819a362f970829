//! The gateway as its own authorization server, as far as it is one: tokens for clients that prove themselves by a secret
//! (RFC 6749 section 4.4), bound to one user's topic (SMA-01, CLI-17).
//!
//! Decides, and knows no HTTP: the routes are those of `crate::token_endpoint`.

mod access_token;
mod client;
mod error;
mod request;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

pub(super) use self::client::{SHORTEST_SECRET, is_client_id};
pub use self::error::TokenError;

use self::access_token::AccessToken;
use self::client::{Client, Clients};
use self::request::TokenRequest;
use super::settings::AuthSettings;
use super::{AuthenticationError, AuthenticatorError, Grant, Secrets, Topics, claims};
use crate::allowance::Allowance;
use crate::fhircast::{Scopes, subscription};
use crate::store::SiteKey;

/// Gives tokens, and knows its own again.
pub struct TokenIssuer {
    key: SiteKey,
    clients: Clients,
    /// Of requests by nobody who is known.
    failures: Mutex<Allowance>,
}

/// A token that was given.
pub struct IssuedToken {
    /// The token.
    pub access_token: String,
    /// Seconds until it ends.
    pub expires_in: i64,
    /// What it grants.
    pub scopes: Scopes,
    /// The topic that it is bound to.
    pub topic: String,
    /// The `client_id` of whom it was given to.
    pub client: String,
    /// Who its bearer is: client and user.
    pub principal: Arc<str>,
    /// The mount whose `hub.url` the client is told; the one that is announced where this is `None`.
    pub mount: Option<String>,
}

/// Failures that are answered as such in a second, in the long run.
const FAILURES_PER_SECOND: u32 = 5;
/// Failures that are answered as such at once.
const FAILURES_AT_ONCE: u32 = 50;

/// Whether `text` can be a user's name: 1 to 256 bytes, and not of spaces alone.
pub(super) fn is_user(text: &str) -> bool {
    text.len() <= 256 && !text.trim().is_empty() && !text.chars().any(char::is_control)
}

impl TokenIssuer {
    /// Gives tokens to the clients of `settings`, sealed with `key`; `None` where there are none.
    ///
    /// # Errors
    /// When a secret is missing, easily guessed, or that of two clients.
    pub(super) fn new(
        settings: &AuthSettings,
        secrets: &Secrets,
        key: &SiteKey,
    ) -> Result<Option<Self>, AuthenticatorError> {
        let (mut seen, mut clients) = (Vec::new(), Vec::new());
        for (name, settings) in &settings.client {
            let own = secrets.clients.get(name).filter(|secrets| !secrets.is_empty());
            let own = own.ok_or_else(|| AuthenticatorError::NoSecret(format!("auth.client.{name}")))?;
            if own.iter().any(|secret| seen.contains(&secret.reveal())) {
                return Err(AuthenticatorError::SameClientSecret { name: name.clone() });
            }
            seen.extend(own.iter().map(|secret| secret.reveal()));
            clients.push(Client::new(name, settings, own)?);
        }
        let issuer = |clients| Self { key: key.clone(), clients: Clients::new(clients), failures: Mutex::default() };
        Ok((!clients.is_empty()).then(|| issuer(clients)))
    }

    /// The answer to a request with this `Authorization` header and this form; `topic_of` gives a user's topic.
    ///
    /// # Errors
    /// When the request is not formed as it should be, its sender is not known, or it asks for what is not given.
    pub fn issue(
        &self,
        authorization: Option<&str>,
        form: &[u8],
        topic_of: impl FnOnce(&str) -> Option<String>,
        now: Timestamp,
    ) -> Result<IssuedToken, TokenError> {
        let (client, request) = match self.asking(authorization, form) {
            Ok(asking) => asking,
            Err(_) if !self.may_fail_again(now) => return Err(TokenError::TooOften),
            Err(error) => return Err(error),
        };
        if !client.may_have_another(now) {
            return Err(TokenError::TooOften);
        }
        match request.grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err(TokenError::UnsupportedGrantType),
            None => return Err(TokenError::InvalidRequest("grant_type is missing: it is client_credentials")),
        }
        let scopes = granted(client, request.scope.as_deref())?;
        let user = user(client, request.user)?;
        let topic = topic_of(&user).filter(|topic| subscription::is_topic(topic));
        let topic = topic.ok_or(TokenError::InvalidRequest("no session can be that user's"))?;
        self.token(client, user, topic, scopes, now)
    }

    /// Who asks, and what for.
    fn asking(&self, authorization: Option<&str>, form: &[u8]) -> Result<(&Client, TokenRequest), TokenError> {
        let request = TokenRequest::read(authorization, form)?;
        let client = self.clients.proven(&request.client_id, &request.secret);
        client.map(|client| (client, request)).ok_or(TokenError::InvalidClient)
    }

    /// One allowance for all who fail, as they have no name; who is known never suffers from it.
    fn may_fail_again(&self, now: Timestamp) -> bool {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.take(now, FAILURES_PER_SECOND, FAILURES_AT_ONCE)
    }

    fn token(
        &self,
        client: &Client,
        user: String,
        topic: String,
        scopes: Scopes,
        now: Timestamp,
    ) -> Result<IssuedToken, TokenError> {
        let expires_in = client.token_lifetime.as_secs();
        let principal = claims::principal_of("", &user, &client.id);
        let token = AccessToken {
            client: client.id.clone(),
            user,
            topic: topic.clone(),
            scopes: scopes.clone(),
            expires: Timestamp::from_second(now.as_second().saturating_add(expires_in)).unwrap_or(Timestamp::MAX),
            id: random_id()?,
        };
        let access_token = token.sealed(&self.key);
        let (client, mount) = (token.client, client.mount.clone());
        Ok(IssuedToken { access_token, expires_in, scopes, topic, client, principal, mount })
    }

    /// What `token` grants at `now`, if it is one of the gateway's own: `None` for any other, which others may know.
    ///
    /// What has been taken from its client since it was given, it has lost too.
    pub(super) fn judge(&self, token: &str, now: Timestamp) -> Option<Result<Grant, AuthenticationError>> {
        Some(AccessToken::opened(&self.key, token)?.and_then(|token| self.grant(token, now)))
    }

    fn grant(&self, token: AccessToken, now: Timestamp) -> Result<Grant, AuthenticationError> {
        if token.expires <= now {
            return Err(AuthenticationError::invalid("it has expired"));
        }
        let client = self.clients.find(&token.client);
        let client = client.ok_or(AuthenticationError::invalid("its client gets no tokens any more"))?;
        if client.user.as_ref().is_some_and(|user| *user != token.user) {
            return Err(AuthenticationError::invalid("its client is for another user now"));
        }
        Ok(Grant {
            // No issuer is without a name, and no fixed token has a client.
            principal: claims::principal_of("", &token.user, &token.client),
            scopes: client.scopes.intersection(&token.scopes),
            expires: Some(token.expires),
            topics: Topics::Listed([token.topic.into()].into()),
        })
    }

    /// Everything that any client may be granted.
    pub fn scopes(&self) -> Scopes {
        self.clients.scopes()
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenIssuer")
    }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "IssuedToken(to {})", self.client)
    }
}

/// What `client` has of what it asks for; all of it where it asks for nothing (RFC 6749 section 3.3).
fn granted(client: &Client, asked: Option<&str>) -> Result<Scopes, TokenError> {
    let granted =
        asked.map_or_else(|| client.scopes.clone(), |asked| client.scopes.intersection(&Scopes::parse(asked)));
    if granted.is_empty() { Err(TokenError::InvalidScope) } else { Ok(granted) }
}

/// Whose session the token is for.
fn user(client: &Client, named: Option<String>) -> Result<String, TokenError> {
    match (&client.user, named) {
        (Some(user), Some(named)) if *user != named => {
            Err(TokenError::InvalidRequest("the client is for another user than username names"))
        }
        (Some(user), _) => Ok(user.clone()),
        (None, Some(named)) if is_user(&named) => Ok(named),
        (None, Some(_)) => Err(TokenError::InvalidRequest("username is no user's name")),
        (None, None) => Err(TokenError::InvalidRequest("the client says whose session it wants: username=NAME")),
    }
}

/// 128 bits.
fn random_id() -> Result<String, TokenError> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| TokenError::NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests;
