//! What webhooks may do: whom they may call, and for how long.

use std::time::Duration;

use jiff::SignedDuration;
use serde::Deserialize;

use super::address::AllowedReceiver;

/// The settings of webhooks. Times of zero or less count as the shortest there is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookSettings {
    /// Receivers that may be called beside those with public addresses: `viewer.example`, `viewer.example:8443`,
    /// `10.1.2.3`, `10.1.2.3:8443`, `10.1.0.0/16` (WH-06).
    pub allowed: Vec<AllowedReceiver>,
    /// Take `http` callbacks on loopback beside `https` ones (WH-01). They are called only where `allowed` lists them,
    /// too.
    pub allow_http_on_loopback: bool,
    /// How long one address may take to connect, TLS included.
    pub connect_timeout: SignedDuration,
    /// How long a call may take altogether, further attempts included (WH-04, NOT-06).
    pub response_time: SignedDuration,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            allow_http_on_loopback: false,
            connect_timeout: SignedDuration::from_secs(2),
            response_time: SignedDuration::from_secs(10),
        }
    }
}

impl WebhookSettings {
    pub(super) fn connect_time(&self) -> Duration {
        wait(self.connect_timeout)
    }

    pub(super) fn response_time(&self) -> Duration {
        wait(self.response_time)
    }
}

fn wait(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default().max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_with_their_units_and_unknown_ones_are_refused() {
        let text = "allowed = ['viewer.example:8443', '10.1.0.0/16']\nresponse_time = '5s'";
        let settings: WebhookSettings = toml::from_str(text).unwrap();
        assert_eq!((settings.allowed.len(), settings.response_time()), (2, Duration::from_secs(5)));
        assert!(!settings.allow_http_on_loopback);
        assert!(toml::from_str::<WebhookSettings>("allow = []").is_err());
        let error = toml::from_str::<WebhookSettings>("allowed = ['10.1.0.0/33']").unwrap_err();
        assert!(error.to_string().contains("10.1.0.0/16"), "{error}");
    }

    #[test]
    fn by_default_nothing_is_allowed_beside_public_addresses() {
        let settings = WebhookSettings::default();
        assert!(settings.allowed.is_empty() && !settings.allow_http_on_loopback);
    }
}
