//! Tokens that only their provider can read: it is asked about them (RFC 7662).

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::answer_cache::{AnswerCache, TokenHash};
use super::fetch::{Fetch, FetchRequest};
use super::json_object::JsonObject;
use super::settings::IntrospectionSettings;
use super::{AuthenticationError, Grant, PATIENCE, claims};
use crate::clock::{Clock, timestamp};
use crate::store::Secret;

/// The endpoint that is asked, and what it answered lately.
pub(super) struct Introspection {
    settings: IntrospectionSettings,
    endpoint: Url,
    authorization: Secret,
    clock: Arc<dyn Clock>,
    fetch: Arc<dyn Fetch>,
    /// How many questions may be under way at once.
    permits: Semaphore,
    /// Apart from the bad ones, so that a spray of made-up tokens does not push out the good.
    good: Mutex<AnswerCache<Grant>>,
    bad: Mutex<AnswerCache<AuthenticationError>>,
}

/// How long a good answer holds, which is also how long a revoked token may go on.
const GOOD_FOR: SignedDuration = SignedDuration::from_secs(60);
/// How long a bad answer holds: a token may become good right after it was issued.
const BAD_FOR: SignedDuration = SignedDuration::from_secs(10);
const MOST_ANSWERS: usize = 10_000;
const MOST_QUESTIONS: usize = 64;
/// The largest answer, in bytes.
const MAX_BODY: usize = 64 * 1024;

impl Introspection {
    pub(super) fn new(
        settings: IntrospectionSettings,
        endpoint: Url,
        secret: &Secret,
        clock: Arc<dyn Clock>,
        fetch: Arc<dyn Fetch>,
    ) -> Self {
        Self {
            authorization: basic(&settings.client_id, secret),
            settings,
            endpoint,
            clock,
            fetch,
            permits: Semaphore::new(MOST_QUESTIONS),
            good: Mutex::new(AnswerCache::new(MOST_ANSWERS)),
            bad: Mutex::new(AnswerCache::new(MOST_ANSWERS)),
        }
    }

    /// What `token` grants. Where the endpoint fails, nobody is let in on its word of a minute ago.
    pub(super) async fn judge(&self, token: &str, hash: TokenHash) -> Result<Grant, AuthenticationError> {
        if let Some(known) = self.known(&hash) {
            return known;
        }
        let answer = self.ask(token).await?;
        let now = timestamp(&*self.clock);
        let judged = self.grant(&answer, now);
        match &judged {
            Ok(grant) => self.remember(&self.good, hash, grant.clone(), now, grant.expires, GOOD_FOR),
            Err(error @ AuthenticationError::Invalid { .. }) => {
                self.remember(&self.bad, hash, *error, now, None, BAD_FOR);
            }
            Err(_) => {}
        }
        judged
    }

    fn known(&self, hash: &TokenHash) -> Option<Result<Grant, AuthenticationError>> {
        let now = timestamp(&*self.clock);
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner).get(hash, now).map(Ok);
        good.or_else(|| self.bad.lock().unwrap_or_else(PoisonError::into_inner).get(hash, now).map(Err))
    }

    fn remember<T: Clone>(
        &self,
        cache: &Mutex<AnswerCache<T>>,
        hash: TokenHash,
        value: T,
        now: Timestamp,
        end: Option<Timestamp>,
        longest: SignedDuration,
    ) {
        let longest = now.checked_add(longest).unwrap_or(Timestamp::MAX);
        let until = end.map_or(longest, |end| end.min(longest));
        cache.lock().unwrap_or_else(PoisonError::into_inner).put(hash, value, now, until);
    }

    async fn ask(&self, token: &str) -> Result<JsonObject, AuthenticationError> {
        let permit = tokio::time::timeout(PATIENCE, self.permits.acquire()).await;
        let _permit = permit.map_err(|_| self.failed("too many questions are under way"))?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("token", token)
            .append_pair("token_type_hint", "access_token")
            .finish();
        let request = FetchRequest {
            url: self.endpoint.clone(),
            authorization: Some(self.authorization.reveal().to_owned()),
            form: Some(form),
            max_body: MAX_BODY,
        };
        let response = self.fetch.fetch(request).await.map_err(|error| self.failed(&error.to_string()))?;
        if response.status != 200 {
            return Err(self.failed(&format!("it answers with status {}", response.status)));
        }
        JsonObject::parse(&response.body).ok_or_else(|| self.failed("its answer is no JSON object"))
    }

    fn grant(&self, answer: &JsonObject, now: Timestamp) -> Result<Grant, AuthenticationError> {
        match answer.get("active") {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => {
                return Err(AuthenticationError::invalid("its provider says that it is not active"));
            }
            _ => return Err(self.failed("its answer does not say whether the token is active")),
        }
        let expires = claims::time(answer, "exp")?;
        if expires.is_some_and(|expires| expires <= now) {
            return Err(AuthenticationError::invalid("it has expired"));
        }
        if claims::time(answer, "nbf")?.is_some_and(|not_before| not_before > now) {
            return Err(AuthenticationError::invalid("it is not yet valid"));
        }
        self.check_audience(answer)?;
        Ok(Grant {
            principal: claims::principal(answer.text("iss").unwrap_or(self.endpoint.as_str()), answer)?,
            scopes: claims::scopes(answer),
            expires,
            topics: claims::topics(answer, self.settings.topic_claim.as_deref())?,
        })
    }

    fn check_audience(&self, answer: &JsonObject) -> Result<(), AuthenticationError> {
        let ours = &self.settings.audiences;
        let named = answer.texts("aud").unwrap_or_default();
        match ours.is_empty() || named.iter().any(|name| ours.iter().any(|our| our == name)) {
            true => Ok(()),
            false => Err(AuthenticationError::invalid("it is meant for another audience")),
        }
    }

    fn failed(&self, reason: &str) -> AuthenticationError {
        let provider = self.endpoint.host_str().unwrap_or_default();
        tracing::warn!(provider, reason, "the introspection endpoint gives no answer; nobody is let in on its word");
        AuthenticationError::Unavailable
    }
}

/// HTTP Basic, each half form-encoded first (RFC 6749 section 2.3.1), as either may hold a colon.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(client_id), encoded(secret.reveal()));
    Secret::new(format!("Basic {}", STANDARD.encode(pair)))
}

#[cfg(test)]
#[path = "introspection_tests.rs"]
mod tests;
