//! `[hub]`: what the hub grants, and what it bears.

use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::Deserialize;

/// The hub's settings; `config/gateway.toml` holds the defaults, and says what each is for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSettings {
    /// The path of `hub.url`.
    pub path: String,
    /// Scheme, host and port by which applications reach the hub, where it is another than they ask for.
    pub public_url: Option<String>,
    /// Web origins besides this machine's own whose pages may use the hub.
    pub allowed_origins: Vec<String>,
    /// The lease where none is asked for (SUB-08).
    pub default_lease: SignedDuration,
    /// The longest lease that is granted (SUB-08).
    pub max_lease: SignedDuration,
    /// How long a new subscription waits for its socket (SUB-18).
    pub connect_within: SignedDuration,
    /// How long an acknowledgement may take (NOT-06).
    pub response_time: SignedDuration,
    /// How long a lost socket may take to come back before the others are told (NOT-07).
    pub reconnect_grace: SignedDuration,
    /// The time between pings; a socket that leaves two unanswered counts as lost (NOT-14).
    pub ping_every: SignedDuration,
    /// How long one frame may take to be written.
    pub write_timeout: SignedDuration,
    /// Notifications that wait for one subscriber; one more, and it is cut off (NOT-15).
    pub queue: usize,
    /// The largest event (REQ-09).
    pub max_event: ByteSize,
    /// The largest subscription form.
    pub max_subscription: ByteSize,
    /// How long the body of a request may take.
    pub body_timeout: SignedDuration,
    /// Topics at once.
    pub max_topics: usize,
    /// Subscriptions to one topic at once.
    pub max_subscriptions_per_topic: usize,
}

/// A configured time; a negative one is none.
pub(super) fn duration(signed: SignedDuration) -> Duration {
    Duration::try_from(signed).unwrap_or(Duration::ZERO)
}
