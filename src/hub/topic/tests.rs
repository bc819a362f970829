use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::fhircast::event::EventRequest;

const RULES: Rules = Rules {
    connect_within: Duration::from_secs(60),
    response_time: Duration::from_secs(10),
    reconnect_grace: Duration::from_secs(15),
    max_subscriptions: 8,
};

const LEASE: u64 = 7200;

/// A topic, its time, and what its subscribers have been sent.
struct Play {
    topic: Topic,
    now: SystemTime,
    versions: u32,
    /// Who got which event, under which spelling.
    sent: Vec<(SubscriptionId, String, String)>,
    /// What else happened, in words.
    told: Vec<String>,
}

impl Play {
    fn new() -> Self {
        Self { topic: Topic::new(RULES), now: SystemTime::UNIX_EPOCH, versions: 0, sent: vec![], told: vec![] }
    }

    /// A connected subscriber of these events.
    fn with(mut self, number: u8, events: &str) -> Self {
        self.apply(Command::Subscribe(id(number), self.terms(events)));
        self.apply(Command::Connect(id(number)));
        self.forget()
    }

    fn terms(&self, events: &str) -> Terms {
        let events = events.split(',').map(|name| EventName::listed(name).unwrap()).collect();
        Terms { events, lease_end: self.now + Duration::from_secs(LEASE), name: None }
    }

    fn forget(mut self) -> Self {
        self.sent.clear();
        self.told.clear();
        self
    }

    fn apply(&mut self, command: Command) -> Option<TopicError> {
        match self.topic.apply(command, self.now) {
            Ok(effects) => {
                effects.into_iter().for_each(|effect| self.note(effect));
                None
            }
            Err(error) => Some(error),
        }
    }

    fn note(&mut self, effect: Effect) {
        match effect {
            Effect::Confirm(id, terms) => {
                let events: Vec<_> = terms.events.iter().map(EventName::as_str).collect();
                self.told.push(format!("confirm {} {}", id.0[0], events.join(",")));
            }
            Effect::Notify(event, _, to) => {
                self.sent.extend(to.into_iter().map(|(id, spelling)| (id, event.id.clone(), spelling.to_string())));
            }
            Effect::Raise(error, to) => {
                let to: Vec<_> = to.iter().map(|(id, _)| id.0[0].to_string()).collect();
                self.told.push(format!("raise to [{}]: {}", to.join(","), error.cause_name()));
            }
            Effect::Deny(id, _, reason) => self.told.push(format!("deny {}: {reason}", id.0[0])),
        }
    }

    fn publish(&mut self, name: &str, resource: &str) {
        self.versions += 1;
        let version = format!("v{}", self.versions);
        self.apply(Command::Publish(event(name, resource, &version), version));
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.apply(Command::Tick);
    }

    fn acknowledge(&mut self, from: u8, event: &str, status: Option<u16>) {
        self.apply(Command::Acknowledge { from: id(from), event: event.to_owned(), status });
    }

    fn current(&self) -> Option<&str> {
        self.topic.current().map(|current| current.anchor.id.as_str())
    }

    /// The ids of the events a subscriber got.
    fn got(&self, number: u8) -> Vec<&str> {
        self.sent.iter().filter(|(to, ..)| *to == id(number)).map(|(_, event, _)| event.as_str()).collect()
    }
}

fn id(number: u8) -> SubscriptionId {
    SubscriptionId([number; 32])
}

/// An event whose id is `event_id`, about a resource of its name's type.
fn event(name: &str, resource: &str, event_id: &str) -> Event {
    let kind = name.split('-').next().unwrap();
    let entry =
        |key: &str, kind: &str, id: &str| serde_json::json!({"key": key, "resource": {"resourceType": kind, "id": id}});
    let mut context = match kind.to_ascii_lowercase().as_str() {
        "patient" => vec![entry("patient", "Patient", resource)],
        "imagingstudy" => vec![entry("study", "ImagingStudy", resource)],
        "home" | "syncerror" | "userlogout" | "userhibernate" => vec![],
        _ => vec![entry("encounter", "Encounter", resource)],
    };
    if kind.eq_ignore_ascii_case("encounter") {
        context.push(entry("patient", "Patient", "p"));
    }
    let body = serde_json::json!({
        "timestamp": "2026-05-04T08:15:30Z", "id": event_id,
        "event": {"hub.topic": "t", "hub.event": name, "context": context},
    });
    EventRequest::parse(body.to_string().as_bytes()).unwrap().event
}

#[test]
fn not_02_sub_07_only_what_was_asked_for_is_sent_in_the_subscribers_spelling() {
    let mut play = Play::new().with(1, "patient-OPEN").with(2, "Patient-open,Patient-close");
    play.publish("Patient-open", "a");
    play.publish("Patient-close", "a");
    assert_eq!(
        play.sent,
        [
            (id(1), "v1".to_owned(), "patient-OPEN".to_owned()),
            (id(2), "v1".to_owned(), "Patient-open".to_owned()),
            (id(2), "v2".to_owned(), "Patient-close".to_owned()),
        ]
    );
}

#[test]
fn ctx_03_to_06_ctx_08_the_current_context_after_each_run_of_events() {
    let rows: [(&str, &[(&str, &str)], Option<&str>); 10] = [
        ("an open is current", &[("Patient-open", "a")], Some("a")),
        ("the latest open is current", &[("Patient-open", "a"), ("ImagingStudy-open", "s")], Some("s")),
        (
            "closing the current one leaves none",
            &[("Patient-open", "a"), ("ImagingStudy-open", "s"), ("ImagingStudy-close", "s")],
            None,
        ),
        (
            "closing another leaves it",
            &[("Patient-open", "a"), ("ImagingStudy-open", "s"), ("Patient-close", "a")],
            Some("s"),
        ),
        ("closing what is not open changes nothing", &[("Patient-open", "a"), ("Patient-close", "b")], Some("a")),
        ("a resource is named by type and id", &[("Patient-open", "x"), ("ImagingStudy-close", "x")], Some("x")),
        (
            "opening again makes it current again",
            &[("Patient-open", "a"), ("Patient-open", "b"), ("Patient-open", "a")],
            Some("a"),
        ),
        ("Home-open leaves none", &[("Patient-open", "a"), ("Home-open", "")], None),
        ("UserHibernate changes nothing", &[("Patient-open", "a"), ("UserHibernate", "")], Some("a")),
        ("UserLogout clears all", &[("Patient-open", "a"), ("UserLogout", "")], None),
    ];
    for (claim, events, current) in rows {
        let mut play = Play::new();
        events.iter().for_each(|(name, resource)| play.publish(name, resource));
        assert_eq!(play.current(), current, "{claim}");
    }
}

#[test]
fn conf_01_02_03_a_connection_gets_its_confirmation_and_then_the_latest_open_of_each_type() {
    let mut play = Play::new();
    for (name, resource) in [
        ("Patient-open", "a"),
        ("ImagingStudy-open", "s"),
        ("Patient-open", "b"),
        ("Encounter-open", "e"),
        ("Home-open", ""),
    ] {
        play.publish(name, resource);
    }
    let terms = play.terms("Patient-open,ImagingStudy-open");
    play.apply(Command::Subscribe(id(1), terms));
    play.apply(Command::Connect(id(1)));
    assert_eq!(play.told, ["confirm 1 Patient-open,ImagingStudy-open"]);
    assert_eq!(play.got(1), ["v2", "v3"], "one of each type, oldest first, with the ids they had");
}

#[test]
fn sub_11_new_terms_replace_the_old_and_are_confirmed_on_the_open_socket() {
    let mut play = Play::new().with(1, "Patient-open");
    let terms = play.terms("Patient-close");
    play.apply(Command::Resubscribe(id(1), terms));
    play.publish("Patient-open", "a");
    play.publish("Patient-close", "a");
    assert_eq!(
        (play.told.as_slice(), play.got(1).as_slice()),
        (["confirm 1 Patient-close".to_owned()].as_slice(), ["v2"].as_slice())
    );
}

#[test]
fn sub_12_uns_02_what_has_ended_or_never_was_is_unknown() {
    let mut play = Play::new().with(1, "Patient-open");
    assert_eq!(play.apply(Command::Unsubscribe(id(1))), None);
    assert_eq!(play.told, ["deny 1: unsubscribed"]);
    let terms = play.terms("Patient-open");
    for command in [Command::Unsubscribe(id(1)), Command::Connect(id(1)), Command::Resubscribe(id(1), terms)] {
        assert_eq!(play.apply(command), Some(TopicError::Unknown));
    }
    assert!(play.topic.is_idle());
}

#[test]
fn sub_18_a_socket_that_never_connects_ends_its_subscription() {
    let mut play = Play::new();
    let terms = play.terms("Patient-open");
    play.apply(Command::Subscribe(id(1), terms));
    play.pass(59);
    assert!(play.topic.holds(id(1)));
    play.pass(1);
    assert!(!play.topic.holds(id(1)));
}

#[test]
fn sub_19_a_lease_ends_with_a_denial_and_no_sync_error() {
    let mut play = Play::new().with(1, "Patient-open").with(2, "SyncError");
    let terms = play.terms("SyncError");
    play.pass(LEASE - 1);
    play.apply(Command::Resubscribe(id(2), Terms { lease_end: play.now + Duration::from_secs(LEASE), ..terms }));
    play.told.clear();
    play.pass(1);
    assert_eq!(play.told, ["deny 1: the lease has ended"]);
}

#[test]
fn a_topic_takes_as_many_subscriptions_as_it_may_and_no_more() {
    let mut play = Play::new();
    for number in 0..=8 {
        let terms = play.terms("Patient-open");
        let refused = play.apply(Command::Subscribe(id(number), terms));
        assert_eq!(refused, (number == 8).then_some(TopicError::Full));
    }
}

#[test]
fn not_05_a_refusal_is_told_to_the_others_who_asked_for_sync_errors() {
    for (status, told) in [
        (Some(200), None),
        (None, None),
        (Some(409), Some("raise to [2]: refused")),
        (Some(400), Some("raise to [2]: refused")),
        (Some(302), Some("raise to [2]: refused")),
        (Some(503), Some("raise to [2]: not delivered")),
    ] {
        let mut play = Play::new().with(1, "Patient-open,SyncError").with(2, "SyncError").with(3, "Patient-open");
        play.publish("Patient-open", "a");
        play.acknowledge(1, "v1", status);
        assert_eq!(play.told, told.into_iter().collect::<Vec<_>>(), "{status:?}");
        play.acknowledge(1, "v1", status);
        assert!(play.told.len() <= 1, "told twice");
    }
}

#[test]
fn not_06_silence_of_who_is_known_to_answer_is_told_and_ends_its_subscription() {
    let mut play = Play::new().with(1, "Patient-open").with(2, "SyncError");
    play.publish("Patient-open", "a");
    play.acknowledge(1, "v1", Some(200));
    play.publish("Patient-open", "b");
    play.pass(9);
    assert!(play.told.is_empty());
    play.pass(1);
    assert_eq!(play.told, ["raise to [2]: no answer", "deny 1: no answer to an event within the response time"]);
}

#[test]
fn not_06_silence_of_who_never_answers_is_nobodys_business() {
    let mut play = Play::new().with(1, "Patient-open").with(2, "SyncError");
    play.publish("Patient-open", "a");
    play.pass(60);
    assert!(play.told.is_empty() && play.topic.holds(id(1)));
}

#[test]
fn not_07_a_lost_socket_is_told_after_its_grace_and_a_normal_end_never() {
    let after = |departure, seconds| {
        let mut play = Play::new().with(1, "Patient-open").with(2, "SyncError");
        play.apply(Command::Disconnect(id(1), departure));
        play.pass(seconds);
        play.pass(1);
        (play.told.clone(), play.topic.holds(id(1)))
    };
    assert_eq!(after(Departure::Lost, 13), (vec![], true));
    assert_eq!(after(Departure::Lost, 15), (vec!["raise to [2]: lost".to_owned()], true));
    assert_eq!(after(Departure::Normal, 60), (vec![], true));
    assert_eq!(after(Departure::TooSlow, 60), (vec!["raise to [2]: too slow".to_owned()], true));
}

#[test]
fn not_07_cli_24_who_is_back_within_the_grace_is_not_missed_but_an_event_it_missed_is_told_in_time() {
    let mut play = Play::new().with(1, "Patient-open").with(2, "SyncError");
    play.apply(Command::Disconnect(id(1), Departure::Lost));
    play.pass(14);
    play.apply(Command::Connect(id(1)));
    play.pass(60);
    assert_eq!(play.told, ["confirm 1 Patient-open"]);
    play.apply(Command::Disconnect(id(1), Departure::Lost));
    play.publish("Patient-open", "a");
    play.pass(10);
    assert_eq!(play.told.last().map(String::as_str), Some("raise to [2]: lost"));
}

#[test]
fn not_08_a_sync_error_needs_no_answer() {
    let mut play = Play::new().with(1, "Patient-open,SyncError").with(2, "SyncError");
    play.publish("Patient-open", "a");
    play.acknowledge(1, "v1", Some(200));
    play.publish("SyncError", "");
    play.pass(60);
    assert!(play.told.is_empty());
}

/// Anything that can be done to a topic with a few subscribers and a few resources.
#[derive(Clone, Debug)]
enum Deed {
    Subscribe(u8, usize),
    Connect(u8),
    Disconnect(u8, bool),
    Unsubscribe(u8),
    Publish(usize, u8),
    Acknowledge(u8, u32, u16),
    Pass(u64),
}

const NAMES: [&str; 7] = [
    "Patient-open",
    "Patient-close",
    "ImagingStudy-open",
    "ImagingStudy-close",
    "Home-open",
    "UserLogout",
    "SyncError",
];

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let deed = prop_oneof![
        (0..4u8, 1..128usize).prop_map(|(who, events)| Deed::Subscribe(who, events)),
        (0..4u8).prop_map(Deed::Connect),
        (0..4u8, any::<bool>()).prop_map(|(who, lost)| Deed::Disconnect(who, lost)),
        (0..4u8).prop_map(Deed::Unsubscribe),
        (0..NAMES.len(), 0..3u8).prop_map(|(name, resource)| Deed::Publish(name, resource)),
        (0..4u8, 0..40u32, 200..600u16).prop_map(|(who, event, status)| Deed::Acknowledge(who, event, status)),
        (0..30u64).prop_map(Deed::Pass),
    ];
    prop::collection::vec(deed, 1..60)
}

/// The names whose bits are set.
fn chosen(bits: usize) -> String {
    let names = NAMES.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0);
    names.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}

impl Play {
    fn does(&mut self, deed: &Deed) {
        match *deed {
            Deed::Subscribe(who, events) => {
                let terms = self.terms(&chosen(events));
                let command = if self.topic.holds(id(who)) { Command::Resubscribe } else { Command::Subscribe };
                self.apply(command(id(who), terms));
            }
            Deed::Connect(who) => drop(self.apply(Command::Connect(id(who)))),
            Deed::Disconnect(who, lost) => {
                let departure = if lost { Departure::Lost } else { Departure::Normal };
                self.apply(Command::Disconnect(id(who), departure));
            }
            Deed::Unsubscribe(who) => drop(self.apply(Command::Unsubscribe(id(who)))),
            Deed::Publish(name, resource) => self.publish(NAMES[name], &format!("r{resource}")),
            Deed::Acknowledge(who, event, status) => self.acknowledge(who, &format!("v{event}"), Some(status)),
            Deed::Pass(seconds) => self.pass(seconds),
        }
    }
}

/// The contexts as a list in which an open goes to the end and a close takes out.
#[derive(Default)]
struct Naive {
    open: Vec<(String, u8)>,
    current: Option<(String, u8)>,
}

impl Naive {
    fn publish(&mut self, name: &str, resource: u8) {
        let (kind, action) = name.split_once('-').unwrap_or((name, ""));
        let anchor = (kind.to_owned(), resource);
        match (kind, action) {
            ("Home", _) => self.current = None,
            ("UserLogout", _) => *self = Self::default(),
            (_, "open") => {
                self.open.retain(|open| *open != anchor);
                self.open.push(anchor.clone());
                self.current = Some(anchor);
            }
            (_, "close") => {
                self.open.retain(|open| *open != anchor);
                self.current = self.current.take().filter(|current| *current != anchor);
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn ctx_03_to_06_the_current_context_equals_that_of_a_naive_model(deeds in deeds()) {
        let (mut play, mut naive) = (Play::new(), Naive::default());
        for deed in &deeds {
            play.does(deed);
            if let Deed::Publish(name, resource) = deed {
                naive.publish(NAMES[*name], *resource);
            }
            let expected = naive.current.as_ref().map(|(_, resource)| format!("r{resource}"));
            prop_assert_eq!(play.current(), expected.as_deref());
        }
    }

    #[test]
    fn req_11_not_02_all_see_one_order_and_nobody_what_it_did_not_ask_for(deeds in deeds()) {
        let mut play = Play::new();
        let mut published: Vec<String> = Vec::new();
        for deed in &deeds {
            let before = play.sent.len();
            play.does(deed);
            if let Deed::Publish(..) = deed {
                published.push(format!("v{}", play.versions));
            }
            for (to, event, spelling) in &play.sent[before..] {
                let asked = play.topic.subscriptions.get(to).expect("sent to nobody");
                prop_assert!(asked.terms.events.iter().any(|name| name.is(spelling)));
                // What is new is told once, in the order of publishing; what is told again is an open context.
                prop_assert!(published.contains(event));
            }
            if let Deed::Publish(..) = deed {
                prop_assert!(play.sent[before..].iter().all(|(_, event, _)| Some(event) == published.last()));
                let mut receivers: Vec<_> = play.sent[before..].iter().map(|(to, ..)| *to).collect();
                receivers.dedup();
                prop_assert_eq!(receivers.len(), play.sent.len() - before, "told twice");
            }
        }
    }

    #[test]
    fn nothing_is_kept_for_who_is_gone(deeds in deeds()) {
        let mut play = Play::new();
        deeds.iter().for_each(|deed| play.does(deed));
        play.publish("UserLogout", "");
        play.pass(10 * LEASE);
        prop_assert!(play.topic.is_idle());
    }
}

#[test]
fn upd_01_a_replayed_open_keeps_its_version() {
    let mut topic = Topic::new(RULES);
    let now = SystemTime::UNIX_EPOCH;
    let version = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Notify(_, version, _) => version.as_deref().map(str::to_owned),
            _ => None,
        })
    };
    let published = topic.apply(Command::Publish(event("Patient-open", "a", "e"), "first".into()), now).unwrap();
    let events = vec![EventName::parse("Patient-open").unwrap()];
    let terms = Terms { events, lease_end: now + Duration::from_secs(LEASE), name: None };
    topic.apply(Command::Subscribe(id(1), terms), now).unwrap();
    let replayed = topic.apply(Command::Connect(id(1)), now).unwrap();
    assert_eq!(version(&published).as_deref(), Some("first"));
    assert_eq!(version(&replayed), version(&published));
    let context: &RawValue = &topic.current().unwrap().event.context;
    assert!(context.get().starts_with('['));
}
