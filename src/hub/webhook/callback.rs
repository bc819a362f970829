//! The URL at which a subscriber is called, and what is added to it (WH-01, WH-02, WH-05).

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use crate::fhircast::Mode;

/// A subscriber's `hub.callback`: a URL that may be called as far as can be told without resolving its host. Its path
/// and query may hold a secret of the subscriber's, so it is shown as scheme, host and port only.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Callback(Url);

/// Why a text is no callback. Repeats nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallbackError {
    /// It is longer than any callback.
    #[error("hub.callback must have at most {LONGEST} bytes")]
    Length,
    /// It is no URL, or has no host.
    #[error("hub.callback must be a URL such as https://viewer.example/fhircast")]
    Url,
    /// Neither `https`, nor `http` where that is allowed.
    #[error("hub.callback must begin with https://")]
    Scheme,
    /// It holds a user's name or password, which would end up in logs.
    #[error("hub.callback must not hold a user name or password")]
    UserInformation,
}

/// What a subscriber is asked to confirm (WH-02).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Intent<'a> {
    /// What the subscription is to become.
    pub mode: Mode,
    /// The topic.
    pub topic: &'a str,
    /// The events, as the subscriber spells them, separated by commas.
    pub events: &'a str,
    /// The lease that is granted; none where a subscription ends.
    pub lease_seconds: Option<u64>,
}

/// What a subscriber is told when its subscription is refused or ended (WH-05).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Denial<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The events, separated by commas.
    pub events: &'a str,
    /// Why, for a person.
    pub reason: &'a str,
}

/// In bytes.
const LONGEST: usize = 2048;

impl Callback {
    /// The callback that a form's `hub.callback` holds: `https`, or `http` on loopback where `allow_http_on_loopback`.
    ///
    /// # Errors
    /// Why it cannot be called (WH-01).
    pub(crate) fn parse(text: &str, allow_http_on_loopback: bool) -> Result<Self, CallbackError> {
        if text.len() > LONGEST {
            return Err(CallbackError::Length);
        }
        let mut url = Url::parse(text).map_err(|_| CallbackError::Url)?;
        // Never sent in a request.
        url.set_fragment(None);
        let callback = Self(url);
        match callback.0.scheme() {
            "https" => {}
            "http" if allow_http_on_loopback && callback.is_on_loopback() => {}
            _ => return Err(CallbackError::Scheme),
        }
        if !callback.0.has_host() {
            return Err(CallbackError::Url);
        }
        if !callback.0.username().is_empty() || callback.0.password().is_some() {
            return Err(CallbackError::UserInformation);
        }
        Ok(callback)
    }

    /// The URL as it is, for notifications.
    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// The URL that asks the subscriber whether it means it; its answer must be `challenge` (WH-02).
    pub(super) fn verification(&self, intent: Intent<'_>, challenge: &str) -> Url {
        let mut url = self.0.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("hub.mode", word(intent.mode));
        query.append_pair("hub.topic", intent.topic);
        query.append_pair("hub.events", intent.events);
        query.append_pair("hub.challenge", challenge);
        if let Some(seconds) = intent.lease_seconds {
            query.append_pair("hub.lease_seconds", &seconds.to_string());
        }
        drop(query);
        url
    }

    /// The URL that tells the subscriber that it is refused (WH-05).
    pub(super) fn denial(&self, denial: Denial<'_>) -> Url {
        let mut url = self.0.clone();
        url.query_pairs_mut()
            .append_pair("hub.mode", "denied")
            .append_pair("hub.topic", denial.topic)
            .append_pair("hub.events", denial.events)
            .append_pair("hub.reason", denial.reason);
        url
    }

    fn is_on_loopback(&self) -> bool {
        let host = host(&self.0);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.0.port_or_known_default().unwrap_or_default();
        write!(formatter, "{}://{}:{port}", self.0.scheme(), self.0.host_str().unwrap_or_default())
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Callback({self})")
    }
}

/// The host of `url` without the brackets of an IPv6 address, and without the dot that ends a whole name.
pub(super) fn host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    let name = host.strip_suffix('.').unwrap_or(host);
    name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(name)
}

fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Subscribe => "subscribe",
        Mode::Unsubscribe => "unsubscribe",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wh_01_a_callback_is_https_or_http_on_loopback_where_that_is_allowed() {
        use CallbackError::{Length, Scheme, Url, UserInformation};
        let long = format!("https://viewer.example/{}", "x".repeat(LONGEST));
        for (text, by_default, in_development) in [
            ("https://viewer.example/cb", Ok(()), Ok(())),
            ("HTTPS://VIEWER.EXAMPLE", Ok(()), Ok(())),
            ("https://[2001:db8::1]:8443/cb#part", Ok(()), Ok(())),
            ("http://viewer.example/cb", Err(Scheme), Err(Scheme)),
            ("http://localhost:3000/cb", Err(Scheme), Ok(())),
            ("http://127.0.0.1:3000/cb", Err(Scheme), Ok(())),
            ("http://0x7f000001:3000/cb", Err(Scheme), Ok(())),
            ("http://[::1]:3000/cb", Err(Scheme), Ok(())),
            ("http://localhost.viewer.example/cb", Err(Scheme), Err(Scheme)),
            ("http://0.0.0.0/cb", Err(Scheme), Err(Scheme)),
            ("http://[::ffff:127.0.0.1]/cb", Err(Scheme), Err(Scheme)),
            ("ftp://localhost/cb", Err(Scheme), Err(Scheme)),
            ("file:///etc/passwd", Err(Scheme), Err(Scheme)),
            ("https://user@viewer.example/", Err(UserInformation), Err(UserInformation)),
            ("https://:secret@viewer.example/", Err(UserInformation), Err(UserInformation)),
            ("https://", Err(Url), Err(Url)),
            ("viewer.example/cb", Err(Url), Err(Url)),
            ("", Err(Url), Err(Url)),
            (&long, Err(Length), Err(Length)),
        ] {
            assert_eq!(Callback::parse(text, false).map(drop), by_default, "{text}");
            assert_eq!(Callback::parse(text, true).map(drop), in_development, "{text}");
        }
    }

    #[test]
    fn wh_02_our_query_follows_the_subscribers_own() {
        let events = "Patient-open,Patient-close";
        let intent = Intent { mode: Mode::Subscribe, topic: "a/b &c=ü", events, lease_seconds: Some(7200) };
        let ours = "hub.mode=subscribe&hub.topic=a%2Fb+%26c%3D%C3%BC&hub.events=Patient-open%2CPatient-close\
                    &hub.challenge=xyz&hub.lease_seconds=7200";
        for (callback, expected) in [
            ("https://viewer.example/cb", format!("https://viewer.example/cb?{ours}")),
            ("https://viewer.example", format!("https://viewer.example/?{ours}")),
            ("https://viewer.example/cb?token=a%20b&x", format!("https://viewer.example/cb?token=a%20b&x&{ours}")),
            ("https://viewer.example/cb?#part", format!("https://viewer.example/cb?{ours}")),
        ] {
            let callback = Callback::parse(callback, false).unwrap();
            assert_eq!(callback.verification(intent, "xyz").as_str(), expected);
        }
    }

    #[test]
    fn wh_02_an_unsubscription_names_no_lease() {
        let callback = Callback::parse("https://viewer.example/cb", false).unwrap();
        let intent = Intent { mode: Mode::Unsubscribe, topic: "t", events: "e", lease_seconds: None };
        let expected = "https://viewer.example/cb?hub.mode=unsubscribe&hub.topic=t&hub.events=e&hub.challenge=xyz";
        assert_eq!(callback.verification(intent, "xyz").as_str(), expected);
    }

    #[test]
    fn wh_05_a_denial_says_topic_events_and_reason() {
        let callback = Callback::parse("https://viewer.example/cb?token=1", false).unwrap();
        let denial = Denial { topic: "t", events: "a,b", reason: "lease ended" };
        let expected =
            "https://viewer.example/cb?token=1&hub.mode=denied&hub.topic=t&hub.events=a%2Cb&hub.reason=lease+ended";
        assert_eq!(callback.denial(denial).as_str(), expected);
    }

    #[test]
    fn what_is_shown_of_a_callback_holds_no_secret_of_the_subscriber() {
        let callback = Callback::parse("https://viewer.example/hunter2?token=hunter2", false).unwrap();
        assert_eq!(
            format!("{callback} {callback:?}"),
            "https://viewer.example:443 Callback(https://viewer.example:443)"
        );
    }
}
