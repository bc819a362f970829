//! What the hub may be told: addresses it is known by, times, and bounds.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::Deserialize;

use super::mount::Mount;
use super::policy::{ContextForm, ErrorForm, MountSettings, Profile};
use super::topic::Limits;
use super::webhook::WebhookSettings;
use crate::fhircast::Edition;
use crate::security::provider_url;

/// The hub's settings. Times of zero or less count as the shortest there is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubSettings {
    /// Where clients reach the hub, mounts left out: `https://hub.example.org`. Without it each client is answered with the
    /// address that it asked at.
    pub public_url: Option<String>,
    /// Names in `Host` by which the hub may be asked, beside loopback and that of `public_url` (T5).
    pub allowed_hosts: Vec<String>,
    /// Addresses of proxies whose `X-Forwarded-Proto` and `X-Forwarded-Host` are believed (CLI-07).
    pub trusted_proxies: Vec<IpAddr>,
    /// Origins of web applications, beside those on loopback: `https://viewer.example.org` (T3).
    pub allowed_origins: Vec<String>,
    /// Events of the site's own that the hub's configuration lists (DISC-07).
    pub events: Vec<String>,
    /// The lease of who asks for none (SUB-08).
    pub default_lease: SignedDuration,
    /// The longest lease (SUB-08).
    pub max_lease: SignedDuration,
    /// How long a new endpoint waits for its first connection (SUB-18).
    pub connect_within: SignedDuration,
    /// How long an answer to a notification may take (NOT-06).
    pub response_time: SignedDuration,
    /// How long the body of a request may take.
    pub request_timeout: SignedDuration,
    /// How often a socket is pinged; two pings without any sign of life, and it counts as lost (NOT-14).
    pub ping_every: SignedDuration,
    /// How long contexts are kept that nobody subscribes to and nothing changes.
    pub forget_after: SignedDuration,
    /// Messages that wait for one subscriber; one more, and it is cut off (NOT-15). Subscribers share the messages.
    pub queue: usize,
    /// The largest event (REQ-09).
    pub max_event: ByteSize,
    /// Topics at once.
    pub max_topics: usize,
    /// Subscriptions of one topic at once.
    pub max_subscriptions: usize,
    /// Open contexts of one topic at once; the one opened longest ago gives way.
    pub max_contexts: usize,
    /// Resources that the content of one context may have (UPD-13).
    pub max_content: usize,
    /// Bytes that the content of one context may have (UPD-13).
    pub max_content_size: ByteSize,
    /// Events that applications may publish on one topic in a second, in the long run (T18).
    pub events_per_second: u32,
    /// Events that applications may publish on one topic at once (T18).
    pub events_burst: u32,
    /// Subscribers that are told by requests to an address of their own.
    pub webhooks: WebhookSettings,
    /// Where dictation systems ask for the hub and their user's topic; without it, nowhere (CLI-38).
    pub connector: Option<ConnectorSettings>,
    /// The mounts, by name.
    pub mount: BTreeMap<String, MountSettings>,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            public_url: None,
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            events: Vec::new(),
            default_lease: SignedDuration::from_hours(2),
            max_lease: SignedDuration::from_hours(24),
            connect_within: SignedDuration::from_secs(60),
            response_time: SignedDuration::from_secs(10),
            request_timeout: SignedDuration::from_secs(10),
            ping_every: SignedDuration::from_secs(15),
            forget_after: SignedDuration::from_hours(24),
            queue: 64,
            max_event: ByteSize::mib(1),
            max_topics: 100_000,
            max_subscriptions: 256,
            max_contexts: 64,
            max_content: 1000,
            max_content_size: ByteSize::mib(4),
            events_per_second: 20,
            events_burst: 50,
            webhooks: WebhookSettings::default(),
            connector: None,
            mount: default_mounts(),
        }
    }
}

/// `[hub.connector]`: what dictation systems are told before they know the hub (CLI-38). It is served where this is
/// there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorSettings {
    /// Always a loopback address: it has no authentication, and tells topics.
    #[serde(default = "connector_address")]
    pub listen: SocketAddr,
    /// Where a user logs in: a URL of the site's authorization server, with nothing secret in it.
    pub authorization_endpoint: String,
    /// Where the client gets its token: as `authorization_endpoint`.
    pub token_endpoint: String,
}

/// Where such clients look, unless they are told otherwise.
fn connector_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 9292).into()
}

/// A door for everybody: the standard's editions, clients that bend them, and IHE RAD IRA (clients.md, 1.1).
fn default_mounts() -> BTreeMap<String, MountSettings> {
    use Edition::{Ballot, Stu2, Stu3};
    use Profile::{Compatible, Powercast, Standard, Strict};
    let mounts = [
        ("standard", MountSettings::new("/hub", Stu3, Standard)),
        ("ballot", MountSettings::new("/hub-ballot", Ballot, Standard)),
        ("stu2", MountSettings::new("/hub-stu2", Stu2, Standard)),
        ("compatible", MountSettings::new("/fhircast/STU3", Stu3, Compatible)),
        (
            "compatible-stu2",
            MountSettings {
                context_form: Some(ContextForm::Array),
                ..MountSettings::new("/fhircast/STU2", Stu2, Compatible)
            },
        ),
        ("api", MountSettings { errors: Some(ErrorForm::Json), ..MountSettings::new("/api/hub", Stu3, Compatible) }),
        ("powercast", MountSettings { enabled: false, ..MountSettings::new("/fhircast/powercast", Stu2, Powercast) }),
        ("strict", MountSettings::new("/hub-ira", Stu3, Strict)),
    ];
    mounts.into_iter().map(|(name, settings)| (name.to_owned(), settings)).collect()
}

impl HubSettings {
    /// The mounts that are served, the standard's current edition first, so that it is the one that is announced.
    pub(super) fn mounts(&self) -> Vec<Mount> {
        let served = self.mount.iter().filter(|(_, settings)| settings.enabled);
        let mut mounts: Vec<Mount> = served.map(|(name, settings)| Mount::new(name, settings)).collect();
        mounts.sort_by_key(|mount| (mount.name != "standard", mount.path.clone()));
        mounts
    }

    /// What is wrong with the mounts: for each, its name, the setting, and a sentence.
    pub(crate) fn mount_mistakes(&self) -> Vec<(&str, &'static str, String)> {
        let mut mistakes = Vec::new();
        let served: Vec<_> = self.mount.iter().filter(|(_, mount)| mount.enabled).collect();
        for (index, (name, mount)) in served.iter().enumerate() {
            let path = mount.path.trim_end_matches('/');
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
            if path.len() < 2 || !path.starts_with('/') || path.contains("//") || !path.bytes().all(plain) {
                let text =
                    format!("mount `{name}` needs a path such as \"/hub\": a slash, then letters, digits and -_.~");
                mistakes.push((name.as_str(), "path", text));
            }
            if let Some((other, _)) = served[..index].iter().find(|(_, other)| other.path.trim_end_matches('/') == path)
            {
                mistakes.push((name.as_str(), "path", format!("mount `{name}` claims the path of mount `{other}`")));
            }
            if path == "/bind" {
                let text =
                    format!("mount `{name}` claims the path of sockets at addresses of their clients' own making");
                mistakes.push((name.as_str(), "path", text));
            }
            if mount.webhooks == Some(true) && mount.edition == Edition::Stu3 {
                let text = format!("mount `{name}` cannot have webhooks: edition 3.0.0 has none");
                mistakes.push((name.as_str(), "webhooks", text));
            }
        }
        mistakes
    }

    /// The names of the mounts that are served.
    pub(crate) fn served_mounts(&self) -> impl Iterator<Item = &str> {
        self.mount.iter().filter(|(_, mount)| mount.enabled).map(|(name, _)| name.as_str())
    }

    /// The mounts at one of `paths`, which the gateway needs for itself: for each, its name, and a sentence.
    pub(crate) fn mounts_at(
        &self,
        paths: &'static [&str],
        whose: &'static str,
    ) -> impl Iterator<Item = (&str, String)> {
        let served = self.mount.iter().filter(|(_, mount)| mount.enabled);
        let at = served.filter(|(_, mount)| paths.contains(&mount.path.trim_end_matches('/')));
        at.map(move |(name, _)| (name.as_str(), format!("mount `{name}` claims a path {whose}")))
    }

    /// The names of the mounts that serve pages of FHIRcast's first year (CLI-39).
    pub(crate) fn legacy_mounts(&self) -> impl Iterator<Item = &str> {
        let served = self.mount.iter().filter(|(_, mount)| mount.enabled && mount.legacy_binding == Some(true));
        served.map(|(name, _)| name.as_str())
    }

    /// What is wrong with the connector: for each, the setting, a sentence, and what to do.
    pub(crate) fn connector_mistakes(&self) -> Vec<(&'static str, String, &'static str)> {
        let Some(connector) = &self.connector else { return Vec::new() };
        let mut mistakes = Vec::new();
        let address = connector.listen.ip();
        if !address.is_loopback() {
            let text = format!("`hub.connector.listen` must be a loopback address, not {address}");
            mistakes.push(("listen", text, "it has no authentication, and tells topics: run it where its client runs"));
        }
        for (setting, url) in [
            ("authorization_endpoint", &connector.authorization_endpoint),
            ("token_endpoint", &connector.token_endpoint),
        ] {
            if let Err(wrong) = provider_url(url) {
                let help = "give the address that the site's authorization server has for it: https://HOST/PATH";
                mistakes.push((setting, format!("`hub.connector.{setting}` {wrong}"), help));
            }
        }
        if !self.mounts().iter().any(Mount::is_powercast) {
            let text = "the connector has no hub to tell of: no mount of the powercast dialect is served".to_owned();
            mistakes.push(("listen", text, "set hub.mount.powercast.enabled = true, or leave out [hub.connector]"));
        }
        mistakes
    }

    /// What the state machine needs of them.
    pub(super) fn limits(&self) -> Limits {
        Limits {
            default_lease: self.default_lease,
            max_lease: self.max_lease,
            connect_within: self.connect_within,
            response_time: self.response_time,
            max_subscriptions: self.max_subscriptions,
            max_contexts: self.max_contexts,
            max_content: self.max_content,
            max_content_bytes: usize::try_from(self.max_content_size.as_u64()).unwrap_or(usize::MAX),
            forget_after: self.forget_after,
        }
    }

    /// The time for a request's body, never zero.
    pub(super) fn request_time(&self) -> Duration {
        Duration::try_from(self.request_timeout).unwrap_or_default().max(Duration::from_millis(1))
    }

    /// The time between pings, never zero.
    pub(super) fn ping_interval(&self) -> Duration {
        Duration::try_from(self.ping_every).unwrap_or_default().max(Duration::from_millis(1))
    }

    /// The largest event, in bytes.
    pub(super) fn max_event_bytes(&self) -> usize {
        usize::try_from(self.max_event.as_u64()).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_with_their_units_and_unknown_ones_are_refused() {
        let settings: HubSettings = toml::from_str("max_lease = \"12h\"\nmax_event = \"2MiB\"\nqueue = 8").unwrap();
        assert_eq!(settings.max_lease, SignedDuration::from_hours(12));
        assert_eq!((settings.max_event_bytes(), settings.queue), (2 << 20, 8));
        assert_eq!(settings.default_lease, HubSettings::default().default_lease);
        assert!(toml::from_str::<HubSettings>("lease = \"2h\"").is_err());
    }

    #[test]
    fn no_setting_makes_a_timer_that_never_rests() {
        let settings = HubSettings { ping_every: SignedDuration::from_secs(-1), ..HubSettings::default() };
        assert!(settings.ping_interval() > Duration::ZERO);
    }
}
