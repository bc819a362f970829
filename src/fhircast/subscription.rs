//! The request to subscribe or unsubscribe: a form, or at some mounts JSON (SUB-01 to SUB-08, UNS-03, POL-21).
//!
//! Says what is asked, not what is granted. Parameters that the hub does not know are nobody's mistake (CLI-11).

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::percent_decode;
use serde_json::Value;

use super::json;

/// What a subscriber asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionRequest {
    /// Whether it starts or ends.
    pub mode: Mode,
    /// The topic; never empty.
    pub topic: String,
    /// The events, each once, in the subscriber's spelling (SUB-07); empty where none are named.
    pub events: Vec<Arc<str>>,
    /// For how many seconds; at least one.
    pub lease_seconds: Option<u64>,
    /// The endpoint of the subscription that it is about.
    pub endpoint: Option<String>,
    /// What the subscriber calls itself (SUB-17).
    pub name: Option<String>,
    /// How it is to be told.
    pub channel: Channel,
}

/// `hub.channel.type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// By requests to this address of its own (WH-01).
    Webhook {
        /// `hub.callback`, as it came.
        callback: String,
        /// `hub.secret`, by which it knows that the hub asks.
        secret: Option<String>,
    },
    /// Over a WebSocket, at the endpoint that the hub gives it.
    WebSocket,
}

/// What a mount takes of subscriptions.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubscriptionRules {
    /// Whether `*` means every event (POL-09).
    pub wildcard: bool,
    /// Whether webhooks may subscribe (WH-01).
    pub webhooks: bool,
    /// Whether a subscriber must name itself (POL-08).
    pub name_required: bool,
}

/// `hub.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A new subscription, or a new form of one that is there.
    Subscribe,
    /// The end of one.
    Unsubscribe,
}

/// Why a form is no such request. The sender's fault; repeats nothing that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// A webhook without an address.
    #[error("hub.callback is missing: a webhook names the address that the hub is to call")]
    CallbackMissing,
    /// Another channel than this mount has.
    #[error("hub.channel.type must be `websocket`: this hub.url has no other channel")]
    Channel,
    /// No channel.
    #[error("hub.channel.type is missing: it must be `websocket`")]
    ChannelMissing,
    /// An event's name that no event can have.
    #[error("hub.events must be event names separated by commas, at most {MAX_EVENTS}, without wildcards")]
    Events,
    /// Not a form.
    #[error("the body must be a form (application/x-www-form-urlencoded) in UTF-8")]
    Form,
    /// Not JSON that could be a form.
    #[error("the body must be a JSON object of texts, numbers and lists of texts, each member once")]
    Json,
    /// No time in seconds.
    #[error("hub.lease_seconds must be a whole number of seconds, more than 0")]
    Lease,
    /// No mode, or an unknown one.
    #[error("hub.mode must be `subscribe` or `unsubscribe`")]
    Mode,
    /// A name that cannot be shown.
    #[error("subscriber.name must have at most {MAX_NAME} characters, and no control characters")]
    Name,
    /// No name, where there must be one.
    #[error("subscriber.name is missing: at this hub.url a subscriber must name itself")]
    NameMissing,
    /// The same parameter again.
    #[error("each parameter may be given once only")]
    Repeated,
    /// No topic.
    #[error("hub.topic is missing or empty, longer than {MAX_TOPIC} characters, has control characters, or is `*`")]
    Topic,
}

/// Events that one subscription can name.
const MAX_EVENTS: usize = 64;

/// Characters of an event's name.
const MAX_EVENT_NAME: usize = 128;

/// Characters of a subscriber's name.
const MAX_NAME: usize = 128;

/// Characters of a topic.
const MAX_TOPIC: usize = 256;

/// Parameters of a form; no client sends a third of that.
const MAX_PARAMETERS: usize = 64;

impl SubscriptionRequest {
    /// The request that a form holds.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(body: &[u8], rules: SubscriptionRules) -> Result<Self, SubscriptionError> {
        Self::read(&Form::parse(body)?, rules)
    }

    /// The request that a JSON object holds, whose members are named like a form's parameters.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse_json(body: &[u8], rules: SubscriptionRules) -> Result<Self, SubscriptionError> {
        Self::read(&Form::parse_json(body)?, rules)
    }

    fn read(form: &Form<'_>, rules: SubscriptionRules) -> Result<Self, SubscriptionError> {
        let channel = channel(form, rules)?;
        let mode = match form.value("hub.mode") {
            Some("subscribe") => Mode::Subscribe,
            Some("unsubscribe") => Mode::Unsubscribe,
            _ => return Err(SubscriptionError::Mode),
        };
        let topic = form.value("hub.topic").filter(|topic| is_topic(topic)).ok_or(SubscriptionError::Topic)?;
        let name = form.value("subscriber.name").or_else(|| form.value("hub.subscriber"));
        if rules.name_required && mode == Mode::Subscribe && name.is_none_or(|name| name.trim().is_empty()) {
            return Err(SubscriptionError::NameMissing);
        }
        let endpoint = form.value("hub.channel.endpoint").or_else(|| match mode {
            // Older clients name it so (CLI-13).
            Mode::Unsubscribe => form.value("endpoint"),
            Mode::Subscribe => None,
        });
        let request = Self {
            mode,
            topic: topic.to_owned(),
            events: Vec::new(),
            lease_seconds: None,
            endpoint: endpoint.map(str::to_owned),
            name: name.map(checked_name).transpose()?,
            channel,
        };
        match mode {
            Mode::Unsubscribe => Ok(request),
            Mode::Subscribe => Ok(Self {
                events: events(form.value("hub.events").unwrap_or_default(), rules.wildcard)?,
                lease_seconds: form.value("hub.lease_seconds").map(lease).transpose()?,
                ..request
            }),
        }
    }
}

/// How the subscriber is to be told; `rest-hook` is what some call a webhook (CLI-11).
fn channel(form: &Form<'_>, rules: SubscriptionRules) -> Result<Channel, SubscriptionError> {
    match form.value("hub.channel.type") {
        Some("websocket") => Ok(Channel::WebSocket),
        Some("webhook" | "rest-hook") if rules.webhooks => {
            let callback = form.value("hub.callback").ok_or(SubscriptionError::CallbackMissing)?.to_owned();
            Ok(Channel::Webhook { callback, secret: form.value("hub.secret").map(str::to_owned) })
        }
        Some(_) => Err(SubscriptionError::Channel),
        None => Err(SubscriptionError::ChannelMissing),
    }
}

/// Whether `text` can be a topic.
pub fn is_topic(text: &str) -> bool {
    !text.is_empty() && text != "*" && text.chars().count() <= MAX_TOPIC && !text.chars().any(char::is_control)
}

fn checked_name(name: &str) -> Result<String, SubscriptionError> {
    let shown = name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control);
    shown.then(|| name.to_owned()).ok_or(SubscriptionError::Name)
}

fn events(text: &str, wildcard: bool) -> Result<Vec<Arc<str>>, SubscriptionError> {
    let mut events: Vec<Arc<str>> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let plain = name.len() <= MAX_EVENT_NAME && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'*');
        let well_formed = plain || (wildcard && name == "*");
        if !well_formed || events.len() == MAX_EVENTS {
            return Err(SubscriptionError::Events);
        }
        if !events.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            events.push(name.into());
        }
    }
    Ok(events)
}

/// Numbers beyond any lease count as the longest: what is granted is bounded anyway.
fn lease(text: &str) -> Result<u64, SubscriptionError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = if digits { text.parse().unwrap_or(u64::MAX) } else { 0 };
    if seconds == 0 { Err(SubscriptionError::Lease) } else { Ok(seconds) }
}

/// A form's parameters, decoded.
struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, SubscriptionError> {
        let mut parameters: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for pair in body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
            let split = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let name = decoded(&pair[..split])?;
            if parameters.len() == MAX_PARAMETERS || parameters.iter().any(|(other, _)| *other == name) {
                return Err(SubscriptionError::Repeated);
            }
            parameters.push((name, decoded(pair.get(split + 1..).unwrap_or_default())?));
        }
        Ok(Self(parameters))
    }

    /// A list of texts is what a form writes with commas; members that are neither text nor number are nobody's parameter.
    fn parse_json(body: &[u8]) -> Result<Self, SubscriptionError> {
        if !json::depth_is_bounded(body) {
            return Err(SubscriptionError::Json);
        }
        let members: json::Members<'_> = serde_json::from_slice(body).map_err(|_| SubscriptionError::Json)?;
        let text = |value: &str| match serde_json::from_str(value).unwrap_or_default() {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Array(values) => {
                let texts: Option<Vec<_>> = values.iter().map(Value::as_str).collect();
                texts.map(|texts| texts.join(","))
            }
            _ => None,
        };
        let parameters = members.iter().filter_map(|(name, value)| Some((name.to_owned().into(), text(value)?.into())));
        Ok(Self(parameters.collect()))
    }

    /// The value of the parameter `name`, unless it is empty.
    fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(parameter, _)| parameter == name)?;
        (!value.is_empty()).then_some(value)
    }
}

fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, SubscriptionError> {
    if bytes.contains(&b'+') {
        let spaced: Vec<u8> = bytes.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        let text = percent_decode(&spaced).decode_utf8().map_err(|_| SubscriptionError::Form)?;
        return Ok(Cow::Owned(text.into_owned()));
    }
    percent_decode(bytes).decode_utf8().map_err(|_| SubscriptionError::Form)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: &str = "hub.channel.type=websocket&hub.mode=subscribe&hub.topic=t1&hub.events=Patient-open";

    fn check(body: &str, expected: Result<&[&str], SubscriptionError>) {
        let events =
            SubscriptionRequest::parse(body.as_bytes(), SubscriptionRules::default()).map(|request| request.events);
        let events = events.as_ref().map(|events| events.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        assert_eq!(events, expected.as_ref().map(|events| events.to_vec()), "{body}");
    }

    #[test]
    fn sub_02_04_what_is_missing_or_unknown_is_refused() {
        for (part, instead, error) in [
            ("hub.channel.type=websocket", "", SubscriptionError::ChannelMissing),
            ("hub.channel.type=websocket", "hub.channel.type=webhook", SubscriptionError::Channel),
            ("hub.mode=subscribe", "", SubscriptionError::Mode),
            ("hub.mode=subscribe", "hub.mode=SUBSCRIBE", SubscriptionError::Mode),
            ("hub.topic=t1", "", SubscriptionError::Topic),
            ("hub.topic=t1", "hub.topic=", SubscriptionError::Topic),
            ("hub.topic=t1", "hub.topic=*", SubscriptionError::Topic),
            ("hub.topic=t1", "hub.topic=%ff", SubscriptionError::Form),
        ] {
            check(&BASE.replace(part, instead), Err(error));
        }
    }

    #[test]
    fn sub_03_a_repeated_parameter_is_refused() {
        check(&format!("{BASE}&hub.events=Patient-close"), Err(SubscriptionError::Repeated));
        check(&format!("{BASE}&hub%2Eevents=Patient-close"), Err(SubscriptionError::Repeated));
        check(&format!("{BASE}&vendor=1&vendor=2"), Err(SubscriptionError::Repeated));
    }

    #[test]
    fn sub_06_events_are_a_set() {
        let events = |text: &str| format!("{BASE}%2C{text}");
        check(&events("patient-OPEN"), Ok(&["Patient-open"]));
        check(&events("+Encounter-open+,%20,%0ASyncError"), Ok(&["Patient-open", "Encounter-open", "SyncError"]));
        check(&events("*"), Err(SubscriptionError::Events));
        check(&events("Patient open"), Err(SubscriptionError::Events));
        check(&events(&"a,".repeat(MAX_EVENTS + 1)), Ok(&["Patient-open", "a"]));
        let many: Vec<_> = (0..=MAX_EVENTS).map(|number| format!("a{number}")).collect();
        check(&events(&many.join(",")), Err(SubscriptionError::Events));
    }

    #[test]
    fn cli_12_events_that_the_hub_does_not_know_are_taken() {
        check(
            &format!("{BASE},DiagnosticReport-opened,DMVAMessage"),
            Ok(&["Patient-open", "DiagnosticReport-opened", "DMVAMessage"]),
        );
    }

    #[test]
    fn sub_08_a_lease_is_a_positive_whole_number() {
        for (text, expected) in [
            ("1", Ok(Some(1))),
            ("7200", Ok(Some(7200))),
            ("99999999999999999999999", Ok(Some(u64::MAX))),
            ("", Ok(None)),
            ("0", Err(SubscriptionError::Lease)),
            ("-1", Err(SubscriptionError::Lease)),
            ("1.5", Err(SubscriptionError::Lease)),
            ("%2B5", Err(SubscriptionError::Lease)),
            ("ten", Err(SubscriptionError::Lease)),
        ] {
            let body = format!("{BASE}&hub.lease_seconds={text}");
            let lease = SubscriptionRequest::parse(body.as_bytes(), SubscriptionRules::default())
                .map(|request| request.lease_seconds);
            assert_eq!(lease, expected, "{text}");
        }
    }

    #[test]
    fn pol_08_09_21_what_a_mount_may_take_beside_it_takes() {
        let rules = SubscriptionRules { wildcard: true, name_required: true, webhooks: true };
        let parse = |body: &str| SubscriptionRequest::parse(body.as_bytes(), rules);
        assert_eq!(parse(BASE), Err(SubscriptionError::NameMissing));
        let named = format!("{BASE},*&subscriber.name=Viewer");
        assert_eq!(parse(&named).unwrap().events, ["Patient-open".into(), "*".into()]);
        let webhook = named.replace("websocket", "rest-hook");
        assert_eq!(parse(&webhook), Err(SubscriptionError::CallbackMissing));
        let callback = "https://a.example/b".to_owned();
        assert_eq!(
            parse(&format!("{webhook}&hub.callback=https%3A%2F%2Fa.example%2Fb&hub.secret=s")).unwrap().channel,
            Channel::Webhook { callback, secret: Some("s".into()) }
        );
        let json = r#"{"hub.channel.type":"websocket","hub.mode":"subscribe","hub.topic":"t1","hub.events":["a","b"],
            "hub.lease_seconds":60,"subscriber.name":"Viewer","extra":{"a":1}}"#;
        let request = SubscriptionRequest::parse_json(json.as_bytes(), rules).unwrap();
        assert_eq!((request.events, request.lease_seconds), (vec!["a".into(), "b".into()], Some(60)));
        for body in ["", "[]", r#"{"hub.topic":"a","hub.topic":"b"}"#] {
            assert_eq!(SubscriptionRequest::parse_json(body.as_bytes(), rules), Err(SubscriptionError::Json), "{body}");
        }
    }

    #[test]
    fn cli_13_older_clients_name_the_endpoint_otherwise() {
        let body = "hub.channel.type=websocket&hub.mode=unsubscribe&hub.topic=t1&endpoint=ws%3A%2F%2Flocalhost%2Fx";
        assert_eq!(
            SubscriptionRequest::parse(body.as_bytes(), SubscriptionRules::default()).unwrap().endpoint.as_deref(),
            Some("ws://localhost/x")
        );
    }

    #[test]
    fn uns_03_an_unsubscribe_ignores_events_and_lease() {
        let body = "hub.channel.type=websocket&hub.mode=unsubscribe&hub.topic=t1&hub.events=*&hub.lease_seconds=0\
                    &hub.channel.endpoint=ws%3A%2F%2Flocalhost%2Fhub%2Fws%2Fx";
        let request = SubscriptionRequest::parse(body.as_bytes(), SubscriptionRules::default()).unwrap();
        assert_eq!(request.mode, Mode::Unsubscribe);
        assert_eq!(request.endpoint.as_deref(), Some("ws://localhost/hub/ws/x"));
        assert!(request.events.is_empty() && request.lease_seconds.is_none());
    }

    #[test]
    fn cli_11_foreign_parameters_cause_no_refusal_and_an_older_name_counts() {
        let body = format!("{BASE}&hub.callback=&hub.secret=x&hub.lease=999&subscriber.actors=%5B%5D&hub.subscriber=P");
        assert_eq!(
            SubscriptionRequest::parse(body.as_bytes(), SubscriptionRules::default()).unwrap().name.as_deref(),
            Some("P")
        );
        let body = format!("{body}&subscriber.name=Reading+Room");
        assert_eq!(
            SubscriptionRequest::parse(body.as_bytes(), SubscriptionRules::default()).unwrap().name.as_deref(),
            Some("Reading Room")
        );
        let body = format!("{BASE}&subscriber.name=a%1Bb");
        assert_eq!(
            SubscriptionRequest::parse(body.as_bytes(), SubscriptionRules::default()),
            Err(SubscriptionError::Name)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = SubscriptionRequest::parse(&body, SubscriptionRules::default());
        }

        #[test]
        fn any_topic_survives_the_form(topic in "\\PC{1,60}") {
            let encoded = percent_encoding::utf8_percent_encode(&topic, percent_encoding::NON_ALPHANUMERIC);
            let body = BASE.replace("t1", &encoded.to_string());
            let request = SubscriptionRequest::parse(body.as_bytes(), SubscriptionRules::default());
            prop_assert_eq!(request.map(|request| request.topic).ok(), is_topic(&topic).then_some(topic));
        }
    }
}
