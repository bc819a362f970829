//! What the site allows of webhooks.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

/// `[hub.webhooks]`: where callbacks may be, and how long they may take. Which mounts take webhooks is a setting of each.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    /// Callbacks beside those at public addresses: `host`, `host:port`, an address, or a network such as `10.1.0.0/16` (WH-06).
    pub allowed: Vec<String>,
    /// How long connecting may take.
    pub connect_timeout: SignedDuration,
    /// How long one request may take; a notification is tried three times at the most.
    pub request_timeout: SignedDuration,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            connect_timeout: SignedDuration::from_secs(2),
            request_timeout: SignedDuration::from_secs(3),
        }
    }
}

impl WebhookSettings {
    pub(super) fn connect_time(&self) -> Duration {
        Duration::try_from(self.connect_timeout).unwrap_or_default().max(Duration::from_millis(1))
    }

    pub(super) fn request_time(&self) -> Duration {
        Duration::try_from(self.request_timeout).unwrap_or_default().max(Duration::from_millis(1))
    }
}
