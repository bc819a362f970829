//! `[audit.syslog]`: where the audit log is passed on to, and how.

use std::net::IpAddr;
use std::path::PathBuf;

use reqwest::Url;
use serde::Deserialize;

/// `[audit.syslog]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogSettings {
    /// `tls://HOST:PORT` (RFC 5425), `tcp://HOST:PORT` (RFC 6587, octet counting), `udp://HOST:PORT` (RFC 5426).
    pub to: String,
    /// What a message holds.
    #[serde(default)]
    pub content: Content,
    /// The authorities that the repository's certificate may come from, PEM; without, those of the system.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// The gateway's own certificate chain, PEM, for repositories that ask for one (ITI-19).
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// Whether patients may be named unencrypted on the network.
    #[serde(default)]
    pub plaintext: bool,
}

/// What a message holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// A DICOM audit message (PS3.15 A.5), as IHE ATNA has it.
    #[default]
    Dicom,
    /// The FHIR AuditEvent as it is in the log.
    Fhir,
}

/// What is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogProblem {
    /// The setting that is to be changed.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

/// How it gets there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Tls,
    Udp,
}

/// Where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    pub(super) transport: Transport,
    pub(super) host: String,
    pub(super) port: u16,
}

impl SyslogSettings {
    /// What serde cannot see.
    pub fn problems(&self) -> Vec<SyslogProblem> {
        let problem = |key, message: &str, help| SyslogProblem { key, message: message.to_owned(), help };
        let Some(destination) = self.destination() else {
            let help =
                "write \"tls://audit.example.org:6514\", or tcp://, or udp://; with a port, and nothing after it";
            return vec![problem("to", "`audit.syslog.to` is no address of a syslog receiver", help)];
        };
        let mut problems = Vec::new();
        let tls = destination.transport == Transport::Tls;
        if !tls && !self.plaintext && !is_loopback(&destination.host) {
            let help = "use tls://; or set audit.syslog.plaintext = true, if that network is safe";
            problems.push(problem(
                "to",
                "audit entries name patients, and would go unencrypted to another machine",
                help,
            ));
        }
        for (key, file) in [("ca", &self.ca), ("certificate", &self.certificate), ("key", &self.key)] {
            if !tls && file.is_some() {
                problems.push(problem(key, "certificates are of use with tls:// only", "take it out, or use tls://"));
            }
        }
        match (&self.certificate, &self.key) {
            (Some(_), None) => {
                problems.push(problem("certificate", "a certificate without its key", "say `key` as well"))
            }
            (None, Some(_)) => {
                problems.push(problem("key", "a key without its certificate", "say `certificate` as well"))
            }
            _ => {}
        }
        problems
    }

    /// `None` where the text is none.
    pub(super) fn destination(&self) -> Option<Destination> {
        let url = Url::parse(&self.to).ok()?;
        let transport = match url.scheme() {
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            "udp" => Transport::Udp,
            _ => return None,
        };
        let bare =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|_| bare && ["", "/"].contains(&url.path()))?;
        let host = host.trim_matches(['[', ']']);
        (!host.is_empty()).then_some(())?;
        Some(Destination { transport, host: host.to_owned(), port: url.port()? })
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(to: &str) -> SyslogSettings {
        let (ca, certificate, key) = (None, None, None);
        SyslogSettings { to: to.to_owned(), content: Content::Dicom, ca, certificate, key, plaintext: false }
    }

    #[test]
    fn receivers_are_named_by_transport_host_and_port_and_nothing_else() {
        for (text, host, port) in [
            ("tls://audit.example.org:6514", "audit.example.org", 6514),
            ("tcp://127.0.0.1:601", "127.0.0.1", 601),
            ("udp://[::1]:514", "::1", 514),
        ] {
            let destination = to(text).destination().unwrap();
            assert_eq!((destination.host.as_str(), destination.port), (host, port));
            assert_eq!(to(text).problems(), []);
        }
        for text in [
            "",
            "audit:6514",
            "tls://audit",
            "https://audit:1",
            "tls://a:1/b",
            "tls://u@a:1",
            "tls://:1",
            "tls://a:1?b",
        ] {
            assert_eq!(to(text).problems()[0].key, "to", "{text}");
        }
    }

    #[test]
    fn patients_are_not_named_unencrypted_unless_the_site_says_so() {
        let plain = to("udp://10.0.0.7:514");
        assert!(plain.problems()[0].message.contains("unencrypted"));
        assert_eq!(SyslogSettings { plaintext: true, ..plain }.problems(), []);
        let half = SyslogSettings { certificate: Some("a.pem".into()), ..to("tls://a:1") };
        assert_eq!(half.problems()[0].key, "certificate");
        let useless = SyslogSettings { ca: Some("a.pem".into()), ..to("tcp://127.0.0.1:1") };
        assert_eq!(useless.problems()[0].key, "ca");
    }
}
