//! What can be set for one listener.
//!
//! Durations are written as `"30s"`, sizes as `"16MiB"`. `check` finds what no single value can show to be wrong.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::charset::{CharsetName, Policy};

pub use crate::network::Network;

/// One listener: where it listens, how much it takes, how it answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address and port.
    pub listen: SocketAddr,
    /// Accept unencrypted connections from other machines. Whoever can listen in then reads patient data.
    pub plaintext: bool,
    /// Encrypts every connection.
    pub tls: Option<Tls>,
    /// The addresses that may connect; empty for all.
    pub allow: Vec<Network>,
    /// Connections at once; further ones are refused.
    pub max_connections: usize,
    /// Connections at once from one address.
    pub max_connections_per_address: usize,
    /// The longest message; a longer one is answered with AR and ERR code 207.
    pub max_message: ByteSize,
    /// Time in which TLS must be agreed on.
    pub handshake_timeout: SignedDuration,
    /// Close a connection that sends nothing for so long. Zero: never, since many senders are silent all night.
    pub idle_timeout: SignedDuration,
    /// Time in which a frame must end once it has started.
    pub mid_frame_timeout: SignedDuration,
    /// Time in which the gateway must say what became of a message; else the connection is closed without an answer.
    pub answer_timeout: SignedDuration,
    /// Time in which a peer must take an answer.
    pub write_timeout: SignedDuration,
    /// Time in which the message in hand is finished when the gateway stops.
    pub drain_timeout: SignedDuration,
    /// Silence after which the operating system asks whether the peer is still there. Zero: never.
    pub keepalive: SignedDuration,
    /// MSH-3 of answers to messages that name no receiver in MSH-5.
    pub application: String,
    /// Taken where MSH-18 names no known character set and the message is not UTF-8.
    pub charset: CharsetName,
    /// Refuse messages that are not in the character set that they name, instead of reading them as well as can be.
    pub strict_charset: bool,
    /// What becomes of several messages in one frame.
    pub batch: Batch,
    /// Whether MSH-15 and MSH-16 are heeded.
    pub ack_mode: AckMode,
    /// Which outcome gives which code.
    pub answer: Answers,
}

/// TLS of one listener. Versions 1.2 and 1.3.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain, PEM, own certificate first.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
    /// Whether peers show a certificate of their own.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// The authorities that peers' certificates come from, PEM.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

/// Whether peers show a certificate of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They are asked, and let in without one; a wrong one is refused.
    Wanted,
    /// They must.
    Required,
}

/// What becomes of several messages in one frame. One answer cannot acknowledge them all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Batch {
    /// AR, ERR code 200.
    #[default]
    Reject,
    /// Each is handled in order, and has an answer in a frame of its own.
    Split,
}

/// Whether MSH-15 and MSH-16 are heeded. Many senders fill them from a template and then expect a plain AA all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckMode {
    /// They are not: AA, AE, AR.
    #[default]
    Original,
    /// They are: by MSH-15 also CA, CE, CR; no answer where both say NE.
    Enhanced,
}

/// Which outcome gives which code, as senders differ: some resend on AE for ever, some hang up on AR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answers {
    /// Recorded, and no mapping speaks for it.
    pub ignored: Code,
    /// Recorded, and wrong: the same bytes would fail again.
    pub rejected: Code,
    /// A kind of message that the gateway is told to refuse.
    pub unsupported: Code,
    /// Not recorded: must be sent again later.
    pub transient: Transient,
}

/// An acknowledgement code of MSA-1, in original mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Code {
    /// Application accept.
    AA,
    /// Application error.
    AE,
    /// Application reject.
    AR,
}

/// How a peer is told that nothing was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Transient {
    /// No answer: the connection is closed, which no sender takes for an acknowledgement.
    #[serde(rename = "close")]
    Close,
    /// AE with ERR code 207.
    AE,
    /// AR with ERR code 207.
    AR,
}

/// A mistake in the settings of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingProblem {
    /// The key, such as `tls.client_ca`.
    pub key: String,
    /// What is wrong and what to do, as a fragment.
    pub message: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2575),
            plaintext: false,
            tls: None,
            allow: Vec::new(),
            max_connections: 64,
            max_connections_per_address: 16,
            max_message: ByteSize::mib(16),
            handshake_timeout: SignedDuration::from_secs(10),
            idle_timeout: SignedDuration::ZERO,
            mid_frame_timeout: SignedDuration::from_secs(30),
            answer_timeout: SignedDuration::from_secs(30),
            write_timeout: SignedDuration::from_secs(30),
            drain_timeout: SignedDuration::from_secs(10),
            keepalive: SignedDuration::from_secs(30),
            application: "FHIRCAST-GATEWAY".to_owned(),
            charset: Policy::default().fallback,
            strict_charset: false,
            batch: Batch::default(),
            ack_mode: AckMode::default(),
            answer: Answers::default(),
        }
    }
}

impl Default for Answers {
    fn default() -> Self {
        Self { ignored: Code::AA, rejected: Code::AE, unsupported: Code::AR, transient: Transient::Close }
    }
}

impl Settings {
    /// What is wrong, all of it; empty if the listener can be started.
    pub fn check(&self) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        self.check_encryption(&mut problems);
        self.check_sizes(&mut problems);
        self.check_durations(&mut problems);
        if self.application.chars().any(|character| character.is_control()) {
            problems.push(problem("application", "it holds a control character, which a field cannot carry"));
        }
        problems
    }

    /// How messages are decoded.
    pub fn charset_policy(&self) -> Policy {
        Policy { fallback: self.charset, strict: self.strict_charset }
    }

    /// `max_message` in bytes.
    pub(crate) fn max_message_bytes(&self) -> usize {
        usize::try_from(self.max_message.as_u64()).unwrap_or(usize::MAX)
    }

    fn check_encryption(&self, problems: &mut Vec<SettingProblem>) {
        let remote = !self.listen.ip().to_canonical().is_loopback();
        match &self.tls {
            None if remote && !self.plaintext => problems.push(problem(
                "plaintext",
                "other machines can reach this listener and it has no tls; add it, or set plaintext = true if the network is safe",
            )),
            Some(_) if self.plaintext => {
                problems.push(problem("plaintext", "with tls nothing is plaintext; remove one of the two"));
            }
            Some(tls) => tls.check(problems),
            None => {}
        }
    }

    fn check_sizes(&self, problems: &mut Vec<SettingProblem>) {
        if !(SMALLEST_LIMIT..=LARGEST_LIMIT).contains(&self.max_message) {
            problems.push(problem("max_message", "it must be between 1KiB and 1GiB"));
        }
        if self.max_connections == 0 {
            problems.push(problem("max_connections", "it must be at least 1"));
        }
        if self.max_connections_per_address == 0 || self.max_connections_per_address > self.max_connections {
            problems.push(problem("max_connections_per_address", "it must be between 1 and max_connections"));
        }
    }

    fn check_durations(&self, problems: &mut Vec<SettingProblem>) {
        let zero_is_off = [("idle_timeout", self.idle_timeout), ("keepalive", self.keepalive)];
        let needed = [
            ("handshake_timeout", self.handshake_timeout),
            ("mid_frame_timeout", self.mid_frame_timeout),
            ("answer_timeout", self.answer_timeout),
            ("write_timeout", self.write_timeout),
            ("drain_timeout", self.drain_timeout),
        ];
        for (key, value) in zero_is_off {
            if value.is_negative() || value > LONGEST {
                problems.push(problem(key, "it must be between 0s (off) and 7 days"));
            }
        }
        for (key, value) in needed {
            if !value.is_positive() || value > LONGEST {
                problems.push(problem(key, "it must be more than 0s and at most 7 days"));
            }
        }
        if !self.keepalive.is_zero() && self.keepalive < SignedDuration::from_secs(1) {
            problems.push(problem("keepalive", "it must be at least 1s; the operating system counts seconds"));
        }
    }
}

impl Tls {
    fn check(&self, problems: &mut Vec<SettingProblem>) {
        match (self.client_auth, &self.client_ca) {
            (ClientAuth::None, Some(_)) => {
                problems.push(problem(
                    "tls.client_auth",
                    "client_ca is given, but no certificate is asked for; set wanted or required",
                ));
            }
            (ClientAuth::Wanted | ClientAuth::Required, None) => {
                problems.push(problem(
                    "tls.client_ca",
                    "peers' certificates cannot be judged without the authorities they come from",
                ));
            }
            _ => {}
        }
    }
}

const SMALLEST_LIMIT: ByteSize = ByteSize::kib(1);
const LARGEST_LIMIT: ByteSize = ByteSize::gib(1);
/// Longer is a slip of the pen, and beyond what timers take in the end.
const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

fn problem(key: &str, message: &str) -> SettingProblem {
    SettingProblem { key: key.to_owned(), message: message.to_owned() }
}

/// A duration that is none where it is zero; negative ones, which `check` refuses, count as zero.
pub(crate) fn unless_zero(duration: SignedDuration) -> Option<Duration> {
    Duration::try_from(duration).ok().filter(|duration| !duration.is_zero())
}

/// A duration for a timer.
pub(crate) fn timer(duration: SignedDuration) -> Duration {
    unless_zero(duration).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn check(text: &str, keys: &[&str]) {
        let problems = settings(text).check();
        let found: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(found, keys, "{text}");
    }

    #[test]
    fn values_are_written_with_their_units() {
        let settings = settings(
            "listen = '0.0.0.0:6661'\nplaintext = true\nmax_message = '1MiB'\nidle_timeout = '5m'\nallow = ['10.0.0.0/8']\n\
             charset = '8859/15'\nbatch = 'split'\nack_mode = 'enhanced'\nanswer.transient = 'AR'\nanswer.ignored = 'AE'",
        );
        assert_eq!(settings.max_message_bytes(), 1 << 20);
        assert_eq!(timer(settings.idle_timeout), Duration::from_secs(300));
        assert_eq!(settings.answer.transient, Transient::AR);
        assert_eq!(settings.answer.rejected, Code::AE);
        assert_eq!(settings.batch, Batch::Split);
        assert_eq!(settings.check(), []);
    }

    #[test]
    fn unknown_keys_and_values_are_errors() {
        for text in ["max_mesage = '1MiB'", "charset = 'KLINGON'", "allow = ['10.0.0.0/40']", "answer.ignored = 'CA'"] {
            assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_default_can_be_started() {
        assert_eq!(Settings::default().check(), []);
    }

    #[test]
    fn mistakes_that_span_values_are_all_found() {
        let tls = "tls.certificate = 'c.pem'\ntls.key = 'k.pem'\n";
        check("listen = '0.0.0.0:2575'", &["plaintext"]);
        check("listen = '[::1]:2575'", &[]);
        check(&format!("listen = '0.0.0.0:2575'\n{tls}"), &[]);
        check(&format!("plaintext = true\n{tls}"), &["plaintext"]);
        check(&format!("{tls}tls.client_auth = 'required'"), &["tls.client_ca"]);
        check(&format!("{tls}tls.client_ca = 'ca.pem'"), &["tls.client_auth"]);
        check("max_message = '10B'\nmax_connections = 4", &["max_message", "max_connections_per_address"]);
        check(
            "write_timeout = '0s'\nidle_timeout = '-1s'\nkeepalive = '1ms'",
            &["idle_timeout", "write_timeout", "keepalive"],
        );
        check("application = \"A\\u000b\"", &["application"]);
    }
}
