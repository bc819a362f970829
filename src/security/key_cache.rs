//! An issuer's keys, fetched no more often than needed and kept for as long as the provider is away (T15).

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::DecodingKey;
use reqwest::Url;

use super::algorithm::SignatureAlgorithm;
use super::fetch::{Fetch, FetchRequest};
use super::key_set::KeySet;
use crate::clock::{Clock, timestamp};

/// The keys of one issuer, and when they were fetched.
pub(super) struct KeyCache {
    url: Url,
    /// How long a set is used when no newer one can be had.
    keep: SignedDuration,
    clock: Arc<dyn Clock>,
    fetch: Arc<dyn Fetch>,
    state: Mutex<State>,
    /// Held by whoever is asking the provider: there is one question at a time.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// When the provider was last asked, whatever came of it.
    asked: Option<Timestamp>,
}

struct Held {
    keys: Arc<KeySet>,
    fetched: Timestamp,
    fresh_until: Timestamp,
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none of this id.
    Unknown,
    /// The issuer's keys are not known, and it does not tell them.
    Unavailable,
}

/// The provider is not asked more often, or tokens with made-up key ids would turn the hub against it.
const ASK_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// How long a set counts as new where the provider does not say.
const FRESH: SignedDuration = SignedDuration::from_mins(15);
/// The bounds of what it may say: a key that is withdrawn is used for no longer than this.
const FRESH_BOUNDS: (SignedDuration, SignedDuration) = (ASK_EVERY, SignedDuration::from_hours(24));
/// The largest key set, in bytes.
const MAX_BODY: usize = 256 * 1024;

impl KeyCache {
    pub(super) fn new(url: Url, keep: SignedDuration, clock: Arc<dyn Clock>, fetch: Arc<dyn Fetch>) -> Arc<Self> {
        let (state, asking) = (Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self { url, keep, clock, fetch, state, asking })
    }

    /// The key called `id` that fits `algorithm`. Asks the provider where the keys are overdue, or where this one is
    /// unknown, but never more often than once a minute; a key that is known is given whether or not it answers.
    pub(super) async fn key(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: SignatureAlgorithm,
    ) -> Result<DecodingKey, NoKey> {
        if self.is_overdue() && self.asking.try_lock().is_ok() {
            self.refresh().await;
        }
        match self.find(id, algorithm) {
            Ok(key) => Ok(key),
            Err(_) => {
                self.refresh().await;
                self.find(id, algorithm)
            }
        }
    }

    fn find(&self, id: Option<&str>, algorithm: SignatureAlgorithm) -> Result<DecodingKey, NoKey> {
        let now = timestamp(&*self.clock);
        let keys = self.with_state(|state| {
            let held = state.held.as_ref().filter(|held| now.duration_since(held.fetched) < self.keep);
            held.map(|held| Arc::clone(&held.keys))
        });
        keys.ok_or(NoKey::Unavailable)?.find(id, algorithm).cloned().ok_or(NoKey::Unknown)
    }

    /// A clock that was set back makes a set overdue, and not new for ever.
    fn is_overdue(&self) -> bool {
        let now = timestamp(&*self.clock);
        self.with_state(|state| state.held.as_ref().is_none_or(|held| now >= held.fresh_until || now < held.fetched))
    }

    /// Asks the provider if it may be asked; waits for the answer to a question that is under way.
    async fn refresh(self: &Arc<Self>) {
        if !self.may_ask() {
            drop(self.asking.lock().await);
            return;
        }
        let cache = Arc::clone(self);
        // In a task of its own: a client that gives up must not take along the answer that others wait for.
        let asked = tokio::spawn(async move { cache.ask().await }).await;
        if let Err(error) = asked {
            tracing::error!(%error, "asking an identity provider for its keys ended early");
        }
    }

    async fn ask(&self) {
        let _one_at_a_time = self.asking.lock().await;
        let now = timestamp(&*self.clock);
        if !self.may_ask() {
            return;
        }
        self.with_state(|state| state.asked = Some(now));
        match self.fetch_keys(now).await {
            Ok(held) => self.with_state(|state| state.held = Some(held)),
            Err(reason) => tracing::warn!(
                provider = self.url.host_str().unwrap_or_default(),
                reason,
                "an identity provider gives no keys; those known are used until they are too old"
            ),
        }
    }

    async fn fetch_keys(&self, now: Timestamp) -> Result<Held, String> {
        let request = FetchRequest { url: self.url.clone(), authorization: None, form: None, max_body: MAX_BODY };
        let response = self.fetch.fetch(request).await.map_err(|error| error.to_string())?;
        if response.status != 200 {
            return Err(format!("it answers with status {}", response.status));
        }
        let keys = Arc::new(KeySet::parse(&response.body).map_err(|error| error.to_string())?);
        let fresh = freshness(response.cache_control.as_deref());
        let fresh_until = now.checked_add(fresh).unwrap_or(Timestamp::MAX);
        Ok(Held { keys, fetched: now, fresh_until })
    }

    fn may_ask(&self) -> bool {
        let now = timestamp(&*self.clock);
        self.with_state(|state| state.asked.is_none_or(|asked| now.duration_since(asked) >= ASK_EVERY || now < asked))
    }

    fn with_state<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        action(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How long a set counts as new, by `Cache-Control` (RFC 9111 section 5.2.2), within our bounds.
fn freshness(cache_control: Option<&str>) -> SignedDuration {
    let directives = cache_control.unwrap_or_default().split(',').map(str::trim);
    let seconds = directives.map(str::to_ascii_lowercase).find_map(|directive| match directive.as_str() {
        "no-store" | "no-cache" => Some(0),
        other => other.strip_prefix("max-age=")?.trim_matches('"').parse::<u32>().ok(),
    });
    let fresh = seconds.map_or(FRESH, |seconds| SignedDuration::from_secs(seconds.into()));
    fresh.clamp(FRESH_BOUNDS.0, FRESH_BOUNDS.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_is_honoured_within_bounds() {
        for (header, seconds) in [
            (None, 900),
            (Some("public, max-age=3600, must-revalidate"), 3600),
            (Some("Max-Age=\"120\""), 120),
            (Some("max-age=0"), 60),
            (Some("max-age=9999999"), 86400),
            (Some("max-age=99999999999999"), 900),
            (Some("max-age=-1"), 900),
            (Some("no-store"), 60),
            (Some("no-cache, max-age=600"), 60),
        ] {
            assert_eq!(freshness(header), SignedDuration::from_secs(seconds), "{header:?}");
        }
    }
}
