//! A subscription request: the form that a subscriber posts to `hub.url`.

use std::collections::HashSet;

use super::{EventName, EventNameError};

/// What a subscriber asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionRequest {
    /// A new subscription, or new terms for the one at `endpoint` (SUB-11).
    Subscribe {
        /// `hub.topic`
        topic: String,
        /// `hub.events`, a set (SUB-06).
        events: Vec<EventName>,
        /// `hub.lease_seconds`, if given.
        lease_seconds: Option<u64>,
        /// `subscriber.name`, if given.
        name: Option<String>,
        /// `hub.channel.endpoint`, if given.
        endpoint: Option<String>,
    },
    /// The end of the subscription at `endpoint`.
    Unsubscribe {
        /// `hub.topic`
        topic: String,
        /// `hub.channel.endpoint`
        endpoint: String,
    },
}

/// Why a form is no subscription request. Fit for whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// `hub.channel.type` is missing or another than ours (SUB-02, WH-01).
    #[error("`hub.channel.type` must be websocket")]
    ChannelType,
    /// An unsubscribe names no endpoint (UNS-04).
    #[error("an unsubscribe must name its `hub.channel.endpoint`")]
    Endpoint,
    /// `hub.events` holds what is no event name, or far too many.
    #[error("`hub.events`: {0}")]
    Event(#[from] EventNameError),
    /// `hub.events` is missing or empty (SUB-05).
    #[error("`hub.events` must list at least one event")]
    Events,
    /// `hub.lease_seconds` is no positive whole number (SUB-08).
    #[error("`hub.lease_seconds` must be a positive whole number of seconds")]
    Lease,
    /// `hub.mode` is missing or neither of the two (SUB-04).
    #[error("`hub.mode` must be subscribe or unsubscribe")]
    Mode,
    /// A parameter is there more than once (SUB-03).
    #[error("`{0}` is there more than once")]
    Repeated(String),
    /// The subscriber's name is too long or holds control characters.
    #[error("`subscriber.name` must have at most {MAX_NAME} characters, none of them a control character")]
    SubscriberName,
    /// More events than there are names for.
    #[error("`hub.events` lists more than {MAX_EVENTS} events")]
    TooManyEvents,
    /// `hub.topic` is missing, empty, too long, or holds control characters (SUB-04).
    #[error("`hub.topic` must have 1 to {MAX_TOPIC} characters, none of them a control character")]
    Topic,
}

const MAX_EVENTS: usize = 64;
const MAX_NAME: usize = 128;
const MAX_TOPIC: usize = 512;

/// Parameters that may stand once; unknown ones are nobody's business (CLI-11).
const KNOWN: [&str; 8] = [
    "hub.channel.type",
    "hub.mode",
    "hub.topic",
    "hub.events",
    "hub.lease_seconds",
    "hub.channel.endpoint",
    "subscriber.name",
    "hub.subscriber",
];

impl SubscriptionRequest {
    /// Reads the parameters of the form.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn parse(parameters: &[(String, String)]) -> Result<Self, SubscriptionError> {
        refuse_repeated(parameters)?;
        let value = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let filled = |name: &str| value(name).filter(|value| !value.is_empty());
        if filled("hub.channel.type") != Some("websocket") {
            return Err(SubscriptionError::ChannelType);
        }
        let topic = topic(filled("hub.topic").unwrap_or_default())?;
        let endpoint = filled("hub.channel.endpoint").map(str::to_owned);
        match value("hub.mode") {
            Some("subscribe") => Ok(Self::Subscribe {
                topic,
                events: events(value("hub.events").unwrap_or_default())?,
                lease_seconds: value("hub.lease_seconds").map(lease).transpose()?,
                name: filled("subscriber.name").or_else(|| filled("hub.subscriber")).map(name).transpose()?,
                endpoint,
            }),
            // Events and lease in an unsubscribe are ignored (UNS-03).
            Some("unsubscribe") => {
                endpoint.map(|endpoint| Self::Unsubscribe { topic, endpoint }).ok_or(SubscriptionError::Endpoint)
            }
            _ => Err(SubscriptionError::Mode),
        }
    }
}

/// Whether `text` can be a topic; every topic that comes in by any way is held against this.
///
/// # Errors
/// When it is empty, too long, or holds control characters.
pub fn topic(text: &str) -> Result<String, SubscriptionError> {
    let well_formed = !text.is_empty() && text.chars().count() <= MAX_TOPIC && !text.chars().any(char::is_control);
    well_formed.then(|| text.to_owned()).ok_or(SubscriptionError::Topic)
}

fn refuse_repeated(parameters: &[(String, String)]) -> Result<(), SubscriptionError> {
    let mut seen = HashSet::new();
    match parameters.iter().find(|(name, _)| KNOWN.contains(&name.as_str()) && !seen.insert(name.as_str())) {
        Some((name, _)) => Err(SubscriptionError::Repeated(name.clone())),
        None => Ok(()),
    }
}

fn events(list: &str) -> Result<Vec<EventName>, SubscriptionError> {
    let mut events: Vec<EventName> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let name = EventName::listed(name)?;
        if !events.contains(&name) {
            events.push(name);
        }
        if events.len() > MAX_EVENTS {
            return Err(SubscriptionError::TooManyEvents);
        }
    }
    if events.is_empty() { Err(SubscriptionError::Events) } else { Ok(events) }
}

fn lease(text: &str) -> Result<u64, SubscriptionError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // More digits than a u64 has is a wish for "as long as can be".
    let seconds = digits.then(|| text.parse().unwrap_or(u64::MAX)).ok_or(SubscriptionError::Lease)?;
    if seconds == 0 { Err(SubscriptionError::Lease) } else { Ok(seconds) }
}

fn name(text: &str) -> Result<String, SubscriptionError> {
    let well_formed = text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control);
    well_formed.then(|| text.to_owned()).ok_or(SubscriptionError::SubscriberName)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("hub.channel.type", "websocket"),
        ("hub.mode", "subscribe"),
        ("hub.topic", "t"),
        ("hub.events", "Patient-open"),
    ];

    fn parse(changes: &[(&str, &str)]) -> Result<SubscriptionRequest, SubscriptionError> {
        let kept = GOOD.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        let parameters: Vec<_> =
            kept.chain(changes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        SubscriptionRequest::parse(&parameters)
    }

    #[test]
    fn sub_02_to_08_each_mistake_has_its_own_words() {
        let cases: [(&[(&str, &str)], SubscriptionError); 12] = [
            (&[("hub.channel.type", "")], SubscriptionError::ChannelType),
            (&[("hub.channel.type", "webhook")], SubscriptionError::ChannelType),
            (&[("hub.topic", "a"), ("hub.topic", "a")], SubscriptionError::Repeated("hub.topic".into())),
            (&[("hub.mode", "")], SubscriptionError::Mode),
            (&[("hub.mode", "publish")], SubscriptionError::Mode),
            (&[("hub.topic", "")], SubscriptionError::Topic),
            (&[("hub.topic", "a\nb")], SubscriptionError::Topic),
            (&[("hub.events", " , ")], SubscriptionError::Events),
            (&[("hub.events", "*")], SubscriptionError::Event(EventNameError::Characters)),
            (&[("hub.lease_seconds", "0")], SubscriptionError::Lease),
            (&[("hub.lease_seconds", "-1")], SubscriptionError::Lease),
            (&[("hub.lease_seconds", "1.5")], SubscriptionError::Lease),
        ];
        for (changes, error) in cases {
            assert_eq!(parse(changes), Err(error), "{changes:?}");
        }
    }

    #[test]
    fn cli_12_names_that_the_hub_does_not_know_are_granted() {
        assert!(parse(&[("hub.events", "Patient-open,DiagnosticReport-opened,DMVAMessage")]).is_ok());
    }

    #[test]
    fn sub_06_events_are_a_set_without_regard_to_case_or_blanks() {
        let Ok(SubscriptionRequest::Subscribe { events, .. }) =
            parse(&[("hub.events", " Patient-open, patient-OPEN ,SyncError,")])
        else {
            panic!("refused")
        };
        assert_eq!(events.iter().map(EventName::as_str).collect::<Vec<_>>(), ["Patient-open", "SyncError"]);
    }

    #[test]
    fn uns_03_uns_04_an_unsubscribe_needs_its_endpoint_and_nothing_else() {
        let unsubscribe = ("hub.mode", "unsubscribe");
        assert_eq!(parse(&[unsubscribe]), Err(SubscriptionError::Endpoint));
        let request =
            parse(&[unsubscribe, ("hub.channel.endpoint", "ws://x/1"), ("hub.events", ""), ("hub.lease_seconds", "x")]);
        assert_eq!(request, Ok(SubscriptionRequest::Unsubscribe { topic: "t".into(), endpoint: "ws://x/1".into() }));
    }
}
