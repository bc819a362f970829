//! What can be set for one CCOW context manager.
//!
//! Durations are written as `"8s"`, sizes as `"256KiB"`. `check` finds what no single value can show to be wrong.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::Deserialize;
use url::Url;

use crate::callable::Callable;
use crate::form::Plus;
use crate::manager::{ItemReplies, Policy};
use crate::network::Network;
use crate::transaction::Rules;

/// One registry with its context managers.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address and port. Clients look for port 2116 on their own machine.
    pub listen: SocketAddr,
    /// Accept unencrypted calls from other machines. Whoever can listen in then reads patient data.
    pub plaintext: bool,
    /// Names, beside this machine's own, under which clients call it (`ccow.hospital.example`); others are refused, as a
    /// page elsewhere could point a name of its own here.
    pub hosts: Vec<String>,
    /// Origins of web applications whose pages may call (`https://viewer.example`). Empty: none may.
    pub origins: Vec<String>,
    /// Networks, beside this machine, whose applications are called back. Link-local addresses never are.
    pub callbacks: Vec<Network>,
    /// What tells desktops apart, in order: the first that a call gives decides. Without any, there is one desktop.
    pub desktops: Vec<DesktopBy>,
    /// Applications that may set secure subjects (User), by name.
    pub secure_applications: Vec<String>,
    /// Let everybody read secure subjects. Secrets are never shown, whatever this says.
    pub secure_subjects_readable: bool,
    /// Refuse a second application of a name on a desktop.
    pub unique_names: bool,
    /// Take a coupon only from the address that joined with it.
    pub coupons_have_addresses: bool,
    /// A second address, where connections are encrypted: pages that came by TLS may call no other.
    pub tls: Option<Tls>,
    /// What a plus sign in an argument means.
    pub plus: Plus,
    /// How items are read out.
    pub item_replies: ItemReplies,
    /// The longest request, query and body together.
    pub max_request: ByteSize,
    /// Connections at once; further ones wait.
    pub max_connections: usize,
    /// Desktops at once.
    pub max_desktops: usize,
    /// Applications at once on a desktop.
    pub max_participants: usize,
    /// Items of a context.
    pub max_items: usize,
    /// Bytes of a context's names and values.
    pub max_context: ByteSize,
    /// Time in which TLS must be agreed on.
    pub handshake_timeout: SignedDuration,
    /// Time in which the head of a request must have come, and then its body.
    pub request_timeout: SignedDuration,
    /// Time in which participants vote on a change. Clients wait 12 s for all of it.
    pub survey_timeout: SignedDuration,
    /// Time in which a participant takes any other callback.
    pub callback_timeout: SignedDuration,
    /// Time for which a join or resume that wants to wait is held during a change.
    pub hold_timeout: SignedDuration,
    /// Time in which the gateway must say what became of a change; the change itself is waited for as long as it takes.
    pub answer_timeout: SignedDuration,
    /// Time without a call after which a change is cancelled.
    pub transaction_lease: SignedDuration,
    /// Between two pings of a participant; two misses evict it.
    pub ping_interval: SignedDuration,
    /// Time after which a desktop that nobody has joined is forgotten, with its context.
    pub desktop_expiry: SignedDuration,
    /// Time in which calls in hand are finished when the gateway stops.
    pub drain_timeout: SignedDuration,
}

/// The address where connections are encrypted, and its certificate.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Where pages look: 127.0.0.1:2117.
    #[serde(default = "tls_listen")]
    pub listen: SocketAddr,
    /// The certificate chain, PEM, own certificate first.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

fn tls_listen() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2117)
}

/// What tells desktops apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DesktopBy {
    /// The address that calls.
    Address,
    /// `descriptiveData` of `Locate`: the client's host, its address, its Citrix or terminal session.
    DescriptiveData,
    /// The path that `Locate` was called at: `http://localhost:2116/WS-0001`.
    Path,
}

/// A mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// The key, such as `origins`.
    pub key: String,
    /// What is wrong and what to do, as a fragment.
    pub message: String,
}

impl Default for Settings {
    fn default() -> Self {
        let rules = Rules::default();
        let seconds = |duration: Duration| SignedDuration::try_from(duration).unwrap_or_default();
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2116),
            plaintext: false,
            hosts: Vec::new(),
            origins: Vec::new(),
            callbacks: Vec::new(),
            desktops: vec![DesktopBy::DescriptiveData],
            secure_applications: Vec::new(),
            secure_subjects_readable: false,
            unique_names: rules.unique_names,
            coupons_have_addresses: rules.coupons_have_addresses,
            tls: None,
            plus: Plus::default(),
            item_replies: ItemReplies::default(),
            max_request: ByteSize::kib(256),
            max_connections: 1024,
            max_desktops: 1024,
            max_participants: rules.max_participants,
            max_items: rules.max_items,
            max_context: ByteSize::b(rules.max_size as u64),
            handshake_timeout: SignedDuration::from_secs(10),
            request_timeout: SignedDuration::from_secs(10),
            survey_timeout: seconds(rules.survey_time),
            callback_timeout: SignedDuration::from_secs(5),
            hold_timeout: SignedDuration::from_secs(9),
            answer_timeout: SignedDuration::from_secs(30),
            transaction_lease: seconds(rules.lease),
            ping_interval: seconds(rules.ping_interval),
            desktop_expiry: SignedDuration::from_hours(12),
            drain_timeout: SignedDuration::from_secs(10),
        }
    }
}

/// Beyond it, clients have given up on `EndContextChanges`. Section 5.
const LONGEST_SURVEY: SignedDuration = SignedDuration::from_secs(10);
/// Longer is a slip of the pen, and beyond what timers take in the end.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);
const SMALLEST_REQUEST: ByteSize = ByteSize::kib(8);
const LARGEST_REQUEST: ByteSize = ByteSize::mib(16);

impl Settings {
    /// What is wrong, all of it; empty if it can be served.
    pub fn check(&self) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: &str| {
            problems.push(SettingProblem { key: key.to_owned(), message: message.to_owned() });
        };
        let is_remote = |address: SocketAddr| !address.ip().to_canonical().is_loopback();
        let remote = is_remote(self.listen);
        let remote_by_tls = self.tls.as_ref().is_some_and(|tls| is_remote(tls.listen));
        if (remote || remote_by_tls) && !self.desktops.contains(&DesktopBy::Address) {
            problem(
                "desktops",
                "other machines can reach this manager, and calls that do not say which desktop they are of would share one context: add 'address' at the end",
            );
        }
        if remote && !self.plaintext {
            problem(
                "plaintext",
                "other machines can reach this manager in plain text; listen on loopback, or set plaintext = true if the network is safe",
            );
        }
        for origin in self.origins.iter().filter(|origin| !is_origin(origin)) {
            problem("origins", &format!("{origin:?} is no origin; write https://viewer.example, without a path"));
        }
        for host in self.hosts.iter().filter(|host| host.is_empty() || host.contains([':', '/', ' '])) {
            problem("hosts", &format!("{host:?} is no host name; write ccow.hospital.example, without a port"));
        }
        if !(SMALLEST_REQUEST..=LARGEST_REQUEST).contains(&self.max_request) {
            problem("max_request", "it must be between 8KiB and 16MiB");
        }
        if !(ByteSize::kib(1)..=self.max_request).contains(&self.max_context) {
            problem("max_context", "it must be between 1KiB and max_request");
        }
        for (key, number) in [
            ("max_connections", self.max_connections),
            ("max_desktops", self.max_desktops),
            ("max_participants", self.max_participants),
            ("max_items", self.max_items),
        ] {
            if !(1..=1 << 20).contains(&number) {
                problem(key, "it must be between 1 and 1048576");
            }
        }
        for (key, duration) in self.durations() {
            if !duration.is_positive() || duration > LONGEST {
                problem(key, "it must be more than 0s and at most 7 days");
            }
        }
        if self.survey_timeout > LONGEST_SURVEY {
            problem("survey_timeout", "it must be at most 10s: clients wait 12s for the whole survey");
        }
        if self.hold_timeout > LONGEST_SURVEY {
            problem("hold_timeout", "it must be at most 10s: clients give up on a held call");
        }
        problems
    }

    fn durations(&self) -> [(&'static str, SignedDuration); 10] {
        [
            ("handshake_timeout", self.handshake_timeout),
            ("request_timeout", self.request_timeout),
            ("survey_timeout", self.survey_timeout),
            ("callback_timeout", self.callback_timeout),
            ("hold_timeout", self.hold_timeout),
            ("answer_timeout", self.answer_timeout),
            ("transaction_lease", self.transaction_lease),
            ("ping_interval", self.ping_interval),
            ("desktop_expiry", self.desktop_expiry),
            ("drain_timeout", self.drain_timeout),
        ]
    }

    /// What managers are told of this.
    pub(crate) fn policy(&self) -> Policy {
        let rules = Rules {
            max_participants: self.max_participants,
            max_items: self.max_items,
            max_size: usize::try_from(self.max_context.as_u64()).unwrap_or(usize::MAX),
            survey_time: timer(self.survey_timeout),
            lease: timer(self.transaction_lease),
            ping_interval: timer(self.ping_interval),
            unique_names: self.unique_names,
            coupons_have_addresses: self.coupons_have_addresses,
            ..Rules::default()
        };
        Policy {
            rules,
            callable: Callable(self.callbacks.clone()),
            item_replies: self.item_replies,
            secure_applications: self.secure_applications.clone(),
            secure_subjects_readable: self.secure_subjects_readable,
        }
    }

    /// `max_request` in bytes; never less than the HTTP library's smallest buffer.
    pub(crate) fn max_request_bytes(&self) -> usize {
        usize::try_from(self.max_request.max(SMALLEST_REQUEST).as_u64()).unwrap_or(usize::MAX)
    }
}

/// A duration for a timer.
pub(crate) fn timer(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}

/// Whether a text is an origin as browsers send it.
fn is_origin(text: &str) -> bool {
    Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, keys: &[&str]) {
        let settings: Settings = toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let found: Vec<_> = settings.check().into_iter().map(|problem| problem.key).collect();
        assert_eq!(found, keys, "{text}");
    }

    #[test]
    fn the_default_can_be_served_and_lets_no_page_in() {
        assert_eq!(Settings::default().check(), []);
        assert!(Settings::default().origins.is_empty());
        check("", &[]);
    }

    #[test]
    fn values_are_written_with_their_units() {
        check(
            "listen = '0.0.0.0:2116'\nplaintext = true\ncallbacks = ['10.1.0.0/16']\norigins = ['https://viewer.example:8443']\n\
             desktops = ['path', 'descriptive-data', 'address']\nplus = 'literal'\nitem_replies = 'separate'\nmax_context = '16KiB'\nsurvey_timeout = '5s'\n\
             hosts = ['ccow.hospital.example']\nsecure_applications = ['Logon']",
            &[],
        );
    }

    #[test]
    fn mistakes_are_all_found() {
        check("listen = '0.0.0.0:2116'", &["desktops", "plaintext"]);
        check("listen = '0.0.0.0:2116'\nplaintext = true\ndesktops = ['path', 'address']", &[]);
        check("listen = '[::1]:2116'", &[]);
        let tls = "tls = { listen = '0.0.0.0:2117', certificate = 'c.pem', key = 'k.pem' }";
        check(tls, &["desktops"]);
        check(&format!("desktops = ['address']\n{tls}"), &[]);
        for origin in [
            "*",
            "viewer.example",
            "https://viewer.example/",
            "https://viewer.example/a",
            "null",
            "https://Viewer.example",
        ] {
            check(&format!("origins = ['{origin}']"), &["origins"]);
        }
        check("hosts = ['ccow.example:2116']", &["hosts"]);
        check("max_request = '1KiB'\nmax_items = 0", &["max_request", "max_context", "max_items"]);
        check(
            "survey_timeout = '11s'\nhold_timeout = '1m'\nping_interval = '0s'",
            &["ping_interval", "survey_timeout", "hold_timeout"],
        );
    }

    #[test]
    fn unknown_keys_and_values_are_errors() {
        for text in ["originz = []", "callbacks = ['10.0.0.0/40']", "desktops = ['colour']", "plus = 'x'"] {
            assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
        }
    }
}
