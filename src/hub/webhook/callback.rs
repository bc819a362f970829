//! A callback: the address that a webhook wants to be told at, and what the hub appends to it (WH-01, WH-02, WH-05).

use reqwest::Url;

use super::address::{AddressRule, is_entry};
use super::settings::WebhookSettings;

/// Where a webhook wants to be told, and the secret that it shares with the hub.
#[derive(Clone)]
pub(crate) struct Callback {
    pub(super) url: Url,
    pub(super) secret: Option<String>,
    pub(super) addresses: AddressRule,
}

/// Why a callback is none. The sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallbackError {
    /// An address of this site that the operator has not allowed (WH-06).
    #[error("hub.callback is at an address that this hub does not call: ask its operator to allow it")]
    Address,
    /// Not a URL, or one with a name and password.
    #[error("hub.callback must be an https URL without user name and password, of at most {LONGEST} characters")]
    Form,
    /// A secret that is too long.
    #[error("hub.secret must be shorter than {SECRET} bytes")]
    Secret,
}

const LONGEST: usize = 2048;

/// WebSub, 5.1.
const SECRET: usize = 200;

impl Callback {
    /// The callback that a subscription names: https, or http on loopback where the site allows that.
    pub(crate) fn new(text: &str, secret: Option<String>, settings: &WebhookSettings) -> Result<Self, CallbackError> {
        if secret.as_ref().is_some_and(|secret| secret.len() >= SECRET) {
            return Err(CallbackError::Secret);
        }
        let url = Url::parse(text).ok().filter(|url| text.len() <= LONGEST && is_plain(url));
        let url = url.ok_or(CallbackError::Form)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let addresses = AddressRule::new(settings, &host, url.port_or_known_default().unwrap_or_default());
        // A name is looked at when it is called; here what can be known by now.
        match host.parse() {
            Ok(address) if !addresses.allows(address) => Err(CallbackError::Address),
            _ => Ok(Self { url, secret, addresses }),
        }
    }

    /// The URL to verify intent at: the callback's own query is kept, the hub's parameters follow (WH-02).
    pub(super) fn verification(&self, topic: &str, events: &str, challenge: &str, lease_seconds: u64) -> Url {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("hub.mode", "subscribe")
            .append_pair("hub.topic", topic)
            .append_pair("hub.events", events)
            .append_pair("hub.challenge", challenge)
            .append_pair("hub.lease_seconds", &lease_seconds.to_string());
        url
    }

    /// The URL to tell that the subscription is over (WH-05).
    pub(super) fn denial(&self, topic: &str, events: &str, reason: &str) -> Url {
        let mut url = self.url.clone();
        url.query_pairs_mut()
            .append_pair("hub.mode", "denied")
            .append_pair("hub.topic", topic)
            .append_pair("hub.events", events)
            .append_pair("hub.reason", reason);
        url
    }
}

/// Plain HTTP never leaves this machine.
fn is_plain(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let scheme = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    scheme && !host.is_empty() && url.username().is_empty() && url.password().is_none()
}

impl WebhookSettings {
    /// The entries of the list that are no host, address or network.
    pub(crate) fn mistakes(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().map(String::as_str).filter(|entry| !is_entry(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(text: &str, allowed: &[&str]) -> Result<Callback, CallbackError> {
        let allowed = allowed.iter().map(|&entry| entry.to_owned()).collect();
        Callback::new(text, None, &WebhookSettings { allowed, ..WebhookSettings::default() })
    }

    #[test]
    fn wh_01_06_a_callback_is_https_and_at_an_allowed_address() {
        for text in [
            "https://hooks.example/a?b=c",
            "https://hooks.example:8443/",
            "https://8.8.8.8/",
            "https://[2606:4700::1]/",
            "http://localhost:3000/",
        ] {
            assert!(callback(text, &[]).is_ok(), "{text}");
        }
        for text in [
            "",
            "hooks.example",
            "http://hooks.example/",
            "ftp://hooks.example/",
            "https://user@hooks.example/",
            "https://:x@hooks.example/",
            "file:///etc/passwd",
        ] {
            assert_eq!(callback(text, &[]).err(), Some(CallbackError::Form), "{text}");
        }
        for text in [
            "http://127.0.0.1/",
            "https://127.0.0.1/",
            "https://0x7f000001/",
            "https://2130706433/",
            "https://0/",
            "https://[::ffff:127.0.0.1]/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://10.0.0.1/",
        ] {
            assert_eq!(callback(text, &[]).err(), Some(CallbackError::Address), "{text}");
        }
        assert!(callback("http://127.0.0.1:3000/", &["127.0.0.1"]).is_ok());
        let long = Some("x".repeat(200));
        let refused = Callback::new("https://hooks.example/", long, &WebhookSettings::default());
        assert_eq!(refused.err(), Some(CallbackError::Secret));
    }

    #[test]
    fn wh_02_05_the_callbacks_own_query_is_kept_and_the_hubs_follows() {
        let callback = callback("https://hooks.example/a?b=c%20d", &[]).unwrap();
        assert_eq!(
            callback.verification("t 1", "a,b", "x", 60).as_str(),
            "https://hooks.example/a?b=c%20d&hub.mode=subscribe&hub.topic=t+1&hub.events=a%2Cb&hub.challenge=x&hub.lease_seconds=60"
        );
        assert_eq!(
            callback.denial("t1", "a", "it is over").as_str(),
            "https://hooks.example/a?b=c%20d&hub.mode=denied&hub.topic=t1&hub.events=a&hub.reason=it+is+over"
        );
    }
}
