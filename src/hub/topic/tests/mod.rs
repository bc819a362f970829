//! The rules of a topic, one table or story a clause; and what must hold whatever happens in whatever order.

mod content;
mod deriving;
mod identity;
mod outdated;
mod strict;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::command::Spelling;
use super::*;
use crate::fhircast::rules::Rules;
use crate::fhircast::scope::Scopes;
use crate::fhircast::{Edition, Event, Version};
use crate::hub::policy::{Policy, Profile};

const LIMITS: Limits = Limits {
    default_lease: SignedDuration::from_secs(7200),
    max_lease: SignedDuration::from_secs(86_400),
    connect_within: SignedDuration::from_secs(60),
    response_time: SignedDuration::from_secs(10),
    max_subscriptions: 8,
    max_contexts: 4,
    max_content: 4,
    max_content_bytes: 10_000,
    forget_after: SignedDuration::from_secs(86_400),
};

/// A topic, its clock, and what its subscribers have been sent: each line is one thing, in order.
struct Scene {
    topic: Topic,
    now: Timestamp,
    versions: u128,
    connections: u64,
}

fn unsubscribing(number: u8) -> Command {
    Command::Unsubscribe { target: Target::Endpoint(endpoint(number)), principal: "".into() }
}

fn standard() -> Policy {
    Policy::of(Profile::Standard, Edition::Stu3)
}

fn publishing(event: Arc<Event>, version: Version) -> Command {
    Command::Publish { event, version, policy: standard(), publisher: Publisher::Application }
}

fn endpoint(number: u8) -> EndpointId {
    EndpointId([number; 32])
}

fn event(name: &str, id: &str, resource_id: &str) -> Arc<Event> {
    let resource = |key: &str, kind: &str, id: &str| json!({"key": key, "resource": {"resourceType": kind, "id": id}});
    let context = match name.to_ascii_lowercase().split('-').next() {
        Some("diagnosticreport") => {
            json!([resource("report", "DiagnosticReport", resource_id), resource("patient", "Patient", "p1")])
        }
        Some("patient") => json!([resource("patient", "Patient", resource_id)]),
        Some("imagingstudy") => json!([resource("study", "ImagingStudy", resource_id)]),
        Some("syncerror") => json!([{"key": "operationoutcome", "resource": {"resourceType": "OperationOutcome"}}]),
        _ => json!([]),
    };
    event_about(name, id, &context)
}

fn event_about(name: &str, id: &str, context: &serde_json::Value) -> Arc<Event> {
    versioned_event(name, id, context, None)
}

fn versioned_event(name: &str, id: &str, context: &serde_json::Value, version: Option<u128>) -> Arc<Event> {
    let mut request = json!({
        "timestamp": "2026-05-04T08:15:30Z",
        "id": id,
        "event": {"hub.topic": "t1", "hub.event": name, "context": context},
    });
    if let Some(version) = version {
        request["event"]["context.versionId"] = Uuid::from_u128(version).to_string().into();
    }
    Arc::new(Event::parse(request.to_string().as_bytes(), &Rules::STANDARD).unwrap())
}

impl Scene {
    fn new() -> Self {
        let now = Timestamp::UNIX_EPOCH;
        Self { topic: Topic::new(LIMITS, now), now, versions: 0, connections: 0 }
    }

    fn apply(&mut self, command: Command) -> Result<Vec<String>, Refusal> {
        self.topic.apply(command, self.now).map(|effects| effects.actions.iter().flat_map(lines).collect())
    }

    fn subscribe(&mut self, number: u8, events: &str) -> Result<Vec<String>, Refusal> {
        self.subscribe_for(number, events, None)
    }

    fn subscribe_for(&mut self, number: u8, events: &str, seconds: Option<i64>) -> Result<Vec<String>, Refusal> {
        let wish = wish(events, seconds, &format!("viewer {number}"));
        self.apply(Command::Subscribe { endpoint: endpoint(number), wish, policy: standard() })
    }

    fn resubscribe(&mut self, number: u8, events: &str) -> Result<Vec<String>, Refusal> {
        self.apply(Command::Resubscribe { endpoint: endpoint(number), wish: wish(events, None, "") })
    }

    /// Connects by a new connection, of which the number is one more than the last one's.
    fn connect(&mut self, number: u8) -> Result<Vec<String>, Refusal> {
        self.connections += 1;
        self.apply(Command::Connect { endpoint: endpoint(number), connection: ConnectionId(self.connections) })
    }

    fn connected(events: &[&str]) -> Self {
        let mut scene = Self::new();
        for (number, events) in (1..).zip(events) {
            scene.subscribe(number, events).unwrap();
            scene.connect(number).unwrap();
        }
        scene
    }

    fn disconnect(&mut self, number: u8, connection: u64, ended: Ended) -> Vec<String> {
        let connection = ConnectionId(connection);
        self.apply(Command::Disconnect { endpoint: endpoint(number), connection, ended }).unwrap()
    }

    fn publish(&mut self, name: &str, id: &str, resource_id: &str) -> Vec<String> {
        self.versions += 1;
        let version = Version(Uuid::from_u128(self.versions));
        self.apply(publishing(event(name, id, resource_id), version)).unwrap()
    }

    /// Publishes by `policy`; a version is used up whatever becomes of it.
    fn submit(&mut self, event: Arc<Event>, policy: Policy) -> Result<Vec<String>, Refusal> {
        self.versions += 1;
        let version = Version(Uuid::from_u128(self.versions));
        self.apply(Command::Publish { event, version, policy, publisher: Publisher::Application })
    }

    fn answer(&mut self, number: u8, id: &str, verdict: Verdict) -> Result<Vec<String>, Refusal> {
        self.apply(Command::Acknowledge { endpoint: endpoint(number), event: id.to_owned(), verdict })
    }

    fn after(&mut self, seconds: i64) -> Vec<String> {
        self.now = later(self.now, SignedDuration::from_secs(seconds));
        self.apply(Command::Lapse).unwrap()
    }

    fn current(&self) -> Option<&str> {
        self.topic.current().map(|context| context.anchor.id.as_str())
    }
}

fn wish(events: &str, seconds: Option<i64>, name: &str) -> Wish {
    let events = events.split(',').filter(|name| !name.is_empty()).map(Spelling::from).collect();
    let name = (!name.is_empty()).then(|| name.to_owned());
    let lease = seconds.map(SignedDuration::from_secs);
    Wish {
        events,
        lease,
        token_ends: None,
        name,
        alias: None,
        principal: "".into(),
        scopes: Scopes::all(),
        mount: "standard".into(),
        webhook: None,
    }
}

/// What an action does, a line for each connection that it reaches.
fn lines(action: &Action) -> Vec<String> {
    let each = |to: &[Recipient], what: &dyn Fn(&Recipient) -> String| {
        to.iter().map(|recipient| format!("{} {}", recipient.connection.0, what(recipient))).collect()
    };
    match action {
        Action::Close { to, why } => vec![format!("{} close {why:?}", to.0)],
        Action::Confirm { to, events, lease_seconds } => {
            vec![format!("{} confirm {} {lease_seconds}", to.0, events.join(","))]
        }
        Action::Deliver { to, event, versions } => {
            let number = |version: Version| version.0.as_u128();
            let versions = versions.map_or(String::new(), |versions| match versions.prior {
                None => format!(" v{}", number(versions.current)),
                Some(prior) => format!(" v{}>v{}", number(prior), number(versions.current)),
            });
            each(to, &|recipient| format!("{} {}{versions}", recipient.spelling, event.id))
        }
        Action::Heartbeat { to, period } => vec![format!("{} {} {period}", to.connection.0, to.spelling)],
        Action::Deny { to, reason, .. } => vec![format!("{} deny {reason}", to.0)],
        Action::Raise { to, error } => each(to, &|recipient| {
            let about = error.event.as_ref().map_or("-", |(id, _)| id);
            format!("{} {} {about} {:?}", recipient.spelling, error.subscriber, error.cause)
        }),
    }
}

#[test]
fn sub_07_not_02_each_subscriber_gets_what_it_asked_for_in_its_own_spelling() {
    let mut scene = Scene::connected(&["Patient-open", "patient-OPEN,Patient-close", "ImagingStudy-open"]);
    assert_eq!(scene.publish("PATIENT-open", "e1", "p1"), ["1 Patient-open e1 v1", "2 patient-OPEN e1 v1"]);
    assert_eq!(scene.publish("Patient-close", "e2", "p1"), ["2 Patient-close e2"]);
}

#[test]
fn sub_05_a_new_subscription_without_events_is_refused() {
    assert_eq!(Scene::new().subscribe(1, ""), Err(Refusal::NoEvents));
}

#[test]
fn sub_08_the_lease_is_what_was_asked_for_up_to_the_longest() {
    for (asked, granted) in [(None, 7200), (Some(1), 1), (Some(300), 300), (Some(i64::MAX), 86_400)] {
        let mut scene = Scene::new();
        scene.subscribe_for(1, "Patient-open", asked).unwrap();
        assert_eq!(scene.connect(1).unwrap(), [format!("1 confirm Patient-open {granted}")]);
    }
}

#[test]
fn sub_11_a_resubscription_replaces_events_and_lease_and_is_confirmed_on_the_open_socket() {
    let mut scene = Scene::connected(&["Patient-open"]);
    scene.publish("Patient-open", "e1", "p1");
    scene.publish("ImagingStudy-open", "e2", "s1");
    scene.after(100);
    let confirmed = scene.resubscribe(1, "Patient-open,ImagingStudy-open").unwrap();
    assert_eq!(confirmed, ["1 confirm Patient-open,ImagingStudy-open 7200", "1 ImagingStudy-open e2 v2"]);
    assert_eq!(scene.resubscribe(1, "Patient-close").unwrap(), ["1 confirm Patient-close 7200"]);
    assert_eq!(scene.resubscribe(1, "").unwrap(), ["1 confirm Patient-close 7200"]);
    assert!(scene.publish("Patient-open", "e3", "p2").is_empty());
}

#[test]
fn sub_12_an_unknown_endpoint_is_refused_and_changes_nothing() {
    let mut scene = Scene::connected(&["Patient-open"]);
    assert_eq!(scene.resubscribe(2, "Patient-close"), Err(Refusal::EndpointUnknown));
    assert_eq!(scene.connect(2), Err(Refusal::EndpointUnknown));
    assert_eq!(scene.answer(2, "e1", Verdict::Followed), Err(Refusal::EndpointUnknown));
    assert_eq!(scene.publish("Patient-open", "e1", "p1"), ["1 Patient-open e1 v1"]);
}

#[test]
fn sub_18_a_subscription_that_never_connects_is_dropped() {
    let mut scene = Scene::new();
    scene.subscribe(1, "Patient-open").unwrap();
    scene.after(59);
    assert!(!scene.topic.is_forgettable(scene.now));
    assert!(scene.after(1).is_empty());
    assert!(scene.topic.is_forgettable(scene.now));
    assert_eq!(scene.connect(1), Err(Refusal::EndpointUnknown));
}

#[test]
fn sub_19_the_end_of_a_lease_is_told_to_its_subscriber_and_to_nobody_else() {
    let mut scene = Scene::connected(&["SyncError"]);
    scene.subscribe_for(2, "Patient-open", Some(60)).unwrap();
    scene.connect(2).unwrap();
    assert!(scene.after(59).is_empty());
    assert_eq!(scene.topic.next_due(), Some(later(scene.now, SignedDuration::from_secs(1))));
    assert_eq!(scene.after(1), ["2 deny the lease has ended", "2 close Ended"]);
    assert!(scene.disconnect(2, 2, Ended::Closed(Some(1000))).is_empty());
}

#[test]
fn sub_20_a_lost_subscriber_comes_back_to_its_endpoint_and_is_caught_up_with() {
    let mut scene = Scene::connected(&["Patient-open", "SyncError"]);
    assert!(scene.disconnect(1, 1, Ended::Lost).is_empty());
    assert!(scene.publish("Patient-open", "e1", "p1").is_empty());
    scene.after(9);
    assert_eq!(scene.connect(1).unwrap(), ["3 confirm Patient-open 7191", "3 Patient-open e1 v1"]);
    assert!(scene.after(60).is_empty());
}

#[test]
fn sub_21_a_second_connection_takes_over() {
    let mut scene = Scene::connected(&["Patient-open", "SyncError"]);
    assert_eq!(scene.connect(1).unwrap(), ["1 close TakenOver", "3 confirm Patient-open 7200"]);
    assert!(scene.disconnect(1, 1, Ended::Lost).is_empty());
    assert_eq!(scene.publish("Patient-open", "e1", "p1"), ["3 Patient-open e1 v1"]);
}

#[test]
fn conf_02_03_the_latest_open_of_each_type_is_caught_up_with_oldest_first() {
    let mut scene = Scene::new();
    for (name, id, resource) in [
        ("Patient-open", "e1", "p1"),
        ("ImagingStudy-open", "e2", "s1"),
        ("Patient-open", "e3", "p2"),
        ("ImagingStudy-open", "e4", "s2"),
        ("ImagingStudy-close", "e5", "s2"),
    ] {
        scene.publish(name, id, resource);
    }
    scene.subscribe(1, "patient-open,ImagingStudy-open,ImagingStudy-close").unwrap();
    assert_eq!(scene.connect(1).unwrap()[1..], ["1 ImagingStudy-open e2 v2", "1 patient-open e3 v3"]);
    scene.subscribe(2, "ImagingStudy-close,Patient-close").unwrap();
    assert_eq!(scene.connect(2).unwrap().len(), 1);
}

#[test]
fn uns_01_02_an_unsubscribe_denies_closes_and_leaves_a_dead_endpoint() {
    let mut scene = Scene::connected(&["Patient-open", "Patient-open"]);
    let ended = scene.apply(unsubscribing(1)).unwrap();
    assert_eq!(ended, ["1 deny the subscription was ended by its subscriber", "1 close Ended"]);
    assert_eq!(scene.apply(unsubscribing(1)), Err(Refusal::EndpointUnknown));
    assert_eq!(scene.connect(1), Err(Refusal::EndpointUnknown));
    assert_eq!(scene.publish("Patient-open", "e1", "p1"), ["2 Patient-open e1 v1"]);
}

#[test]
fn ctx_03_04_05_06_08_what_is_current_follows_opens_and_closes() {
    for (story, current) in [
        (&["open p1"][..], Some("p1")),
        (&["open p1", "open p2"], Some("p2")),
        (&["open p1", "open p2", "close p2"], None),
        (&["open p1", "open p2", "close p1"], Some("p2")),
        (&["open p1", "open p2", "open p1"], Some("p1")),
        (&["open p1", "open p2", "open p1", "close p1"], None),
        (&["open p1", "close p2"], Some("p1")),
        (&["open p1", "close p1", "close p1"], None),
        (&["open p1", "Home-open"], None),
        (&["open p1", "Home-open", "open p1"], Some("p1")),
        (&["open p1", "UserLogout"], None),
        (&["open p1", "UserHibernate"], Some("p1")),
        (&["open p1", "org.example.break_taken"], Some("p1")),
    ] {
        let mut scene = Scene::new();
        for (number, step) in story.iter().enumerate() {
            let event = format!("e{number}");
            match step.split_once(' ') {
                Some((action, id)) => scene.publish(&format!("Patient-{action}"), &event, id),
                None => scene.publish(step, &event, ""),
            };
        }
        assert_eq!(scene.current(), current, "{story:?}");
    }
}

#[test]
fn ctx_06_a_close_of_something_not_open_is_distributed() {
    let mut scene = Scene::connected(&["Patient-close"]);
    assert_eq!(scene.publish("Patient-close", "e1", "p1"), ["1 Patient-close e1"]);
}

#[test]
fn ctx_08_a_logout_is_distributed_and_then_nothing_is_open() {
    let mut scene = Scene::connected(&["UserLogout"]);
    scene.publish("Patient-open", "e1", "p1");
    assert_eq!(scene.publish("UserLogout", "e2", ""), ["1 UserLogout e2"]);
    scene.subscribe(2, "Patient-open").unwrap();
    assert_eq!(scene.connect(2).unwrap().len(), 1);
}

#[test]
fn ctx_08_home_closes_nothing() {
    let mut scene = Scene::new();
    scene.publish("Patient-open", "e1", "p1");
    scene.publish("Home-open", "e2", "");
    scene.subscribe(1, "Patient-open,Home-open").unwrap();
    assert_eq!(scene.connect(1).unwrap()[1..], ["1 Patient-open e1 v1"]);
}

#[test]
fn the_context_opened_longest_ago_gives_way() {
    let mut scene = Scene::new();
    for number in 1..=LIMITS.max_contexts + 1 {
        scene.publish("Patient-open", "e", &format!("p{number}"));
    }
    scene.publish("ImagingStudy-open", "e", "s1");
    assert_eq!(scene.current(), Some("s1"));
    assert_eq!(scene.topic.contexts.latest_of_each_type().count(), 2);
}

#[test]
fn req_08_a_resend_is_distributed_again() {
    let mut scene = Scene::connected(&["Patient-open"]);
    assert_eq!(scene.publish("Patient-open", "e1", "p1"), ["1 Patient-open e1 v1"]);
    assert_eq!(scene.publish("Patient-open", "e1", "p1"), ["1 Patient-open e1 v2"]);
}

#[test]
fn not_05_a_refusal_is_told_to_the_other_subscribers_of_sync_error() {
    let mut scene = Scene::connected(&["Patient-open,SyncError", "syncerror", "Patient-open"]);
    scene.publish("Patient-open", "e1", "p1");
    for (verdict, cause) in
        [(Verdict::Refused(409), "Refused(Refused(409))"), (Verdict::NotDelivered(500), "Refused(NotDelivered(500))")]
    {
        scene.publish("Patient-open", "e1", "p1");
        assert_eq!(scene.answer(1, "e1", verdict).unwrap(), [format!("2 syncerror viewer 1 e1 {cause}")]);
    }
    assert_eq!(scene.current(), Some("p1"));
}

#[test]
fn conf_03_not_05_a_refusal_of_what_was_told_at_connect_is_told_to_the_others_too() {
    let mut scene = Scene::connected(&["Patient-open", "SyncError"]);
    scene.publish("Patient-open", "e1", "p1");
    scene.answer(1, "e1", Verdict::Followed).unwrap();
    scene.connect(1).unwrap();
    let told = scene.answer(1, "e1", Verdict::Refused(409)).unwrap();
    assert_eq!(told, ["2 SyncError viewer 1 e1 Refused(Refused(409))"]);
}

#[test]
fn cli_22_answers_to_nothing_are_refused() {
    let mut scene = Scene::connected(&["Patient-open,SyncError", "Patient-open"]);
    scene.publish("Patient-open", "e1", "p1");
    assert_eq!(scene.answer(1, "e2", Verdict::Refused(409)), Err(Refusal::NotOutstanding));
    assert_eq!(scene.answer(1, "e1", Verdict::Followed), Ok(vec![]));
    assert_eq!(scene.answer(1, "e1", Verdict::Refused(409)), Err(Refusal::NotOutstanding));
}

#[test]
fn not_06_silence_of_one_that_used_to_answer_ends_its_subscription() {
    let mut scene = Scene::connected(&["Patient-open", "SyncError"]);
    scene.publish("Patient-open", "e1", "p1");
    scene.answer(1, "e1", Verdict::Followed).unwrap();
    scene.publish("Patient-open", "e2", "p2");
    assert!(scene.after(9).is_empty());
    let told = ["2 SyncError viewer 1 e2 Silent", "1 deny an event was not answered in time", "1 close Ended"];
    assert_eq!(scene.after(1), told);
}

#[test]
fn not_06_silence_of_one_that_never_answers_is_its_manner() {
    let mut scene = Scene::connected(&["Patient-open", "SyncError"]);
    scene.publish("Patient-open", "e1", "p1");
    assert!(scene.after(11).is_empty());
    assert_eq!(scene.publish("Patient-open", "e2", "p2"), ["1 Patient-open e2 v2"]);
}

#[test]
fn not_07_a_loss_is_told_after_the_grace_and_a_proper_close_is_not() {
    for (ended, told) in [
        (Ended::Lost, true),
        (Ended::Closed(Some(1006)), true),
        (Ended::Closed(Some(1011)), true),
        (Ended::Closed(Some(4000)), true),
        (Ended::Closed(Some(1000)), false),
        (Ended::Closed(Some(1001)), false),
        (Ended::Closed(None), false),
    ] {
        let mut scene = Scene::connected(&["Patient-open", "SyncError"]);
        assert!(scene.disconnect(1, 1, ended).is_empty());
        assert!(scene.after(14).is_empty());
        let expected: &[&str] = if told { &["2 SyncError viewer 1 - Lost"] } else { &[] };
        assert_eq!(scene.after(1), expected, "{ended:?}");
        assert!(scene.after(60).is_empty(), "told once");
    }
}

#[test]
fn cli_24_an_event_missed_by_a_lost_subscriber_is_told_within_the_response_time() {
    let mut scene = Scene::connected(&["Patient-open", "SyncError"]);
    scene.disconnect(1, 1, Ended::Lost);
    scene.publish("Patient-open", "e1", "p1");
    assert!(scene.after(9).is_empty());
    assert_eq!(scene.after(1), ["2 SyncError viewer 1 e1 Lost"]);
    assert!(scene.after(60).is_empty());
    assert_eq!(scene.connect(1).unwrap().len(), 2, "the endpoint stays good");
}

#[test]
fn not_08_a_sync_error_needs_no_answer_and_goes_to_its_subscribers_only() {
    let mut scene = Scene::connected(&["SyncError,Patient-open", "Patient-open"]);
    scene.publish("Patient-open", "e1", "p1");
    scene.answer(1, "e1", Verdict::Followed).unwrap();
    scene.answer(2, "e1", Verdict::Followed).unwrap();
    assert_eq!(scene.publish("SyncError", "e2", ""), ["1 SyncError e2"]);
    assert_eq!(scene.answer(1, "e2", Verdict::Refused(409)), Err(Refusal::NotOutstanding));
    assert!(scene.after(30).is_empty());
}

#[test]
fn not_15_one_that_is_behind_is_closed_and_told_of_and_may_come_back() {
    let mut scene = Scene::connected(&["Patient-open", "SyncError"]);
    scene.publish("Patient-open", "e1", "p1");
    assert_eq!(scene.disconnect(1, 1, Ended::Behind), ["1 close Behind", "2 SyncError viewer 1 e1 Behind"]);
    assert!(scene.after(60).is_empty());
    assert_eq!(scene.connect(1).unwrap(), ["3 confirm Patient-open 7140", "3 Patient-open e1 v1"]);
}

#[test]
fn a_full_topic_takes_no_more_subscriptions() {
    let mut scene = Scene::new();
    for number in 0..8 {
        scene.subscribe(number, "Patient-open").unwrap();
    }
    assert_eq!(scene.subscribe(8, "Patient-open"), Err(Refusal::TooManySubscriptions));
}

#[test]
fn contexts_that_nobody_follows_are_forgotten_after_a_while() {
    let mut scene = Scene::new();
    assert!(scene.topic.is_forgettable(scene.now));
    scene.publish("Patient-open", "e1", "p1");
    scene.after(86_399);
    assert!(!scene.topic.is_forgettable(scene.now));
    scene.after(1);
    assert!(scene.topic.is_forgettable(scene.now));
    assert_eq!(scene.current(), None);
}

/// Any of the things that can happen to a topic.
#[derive(Clone, Debug)]
enum Step {
    Answer(u8, u8, u16),
    Connect(u8),
    Disconnect(u8, u8),
    Publish(usize, u8),
    Resubscribe(u8, u8),
    Subscribe(u8, u8),
    Unsubscribe(u8),
    Wait(u16),
}

const NAMES: [&str; 7] = [
    "Patient-open",
    "Patient-close",
    "ImagingStudy-open",
    "ImagingStudy-close",
    "UserLogout",
    "Home-open",
    "SyncError",
];

fn step() -> impl Strategy<Value = Step> {
    let who = 0_u8..4;
    prop_oneof![
        2 => (who.clone(), any::<u8>(), prop_oneof![Just(200), Just(409), Just(500)])
            .prop_map(|(who, id, status)| Step::Answer(who, id, status)),
        3 => who.clone().prop_map(Step::Connect),
        1 => (who.clone(), 0_u8..3).prop_map(|(who, how)| Step::Disconnect(who, how)),
        6 => (0..NAMES.len(), 0_u8..3).prop_map(|(name, resource)| Step::Publish(name, resource)),
        1 => (who.clone(), any::<u8>()).prop_map(|(who, events)| Step::Resubscribe(who, events)),
        2 => (who.clone(), any::<u8>()).prop_map(|(who, events)| Step::Subscribe(who, events)),
        1 => who.prop_map(Step::Unsubscribe),
        1 => (0_u16..40).prop_map(Step::Wait),
    ]
}

/// Subscribers of one topic come through different mounts.
fn policy_of(who: u8) -> Policy {
    let profile = [Profile::Standard, Profile::Compatible, Profile::Strict, Profile::Powercast][usize::from(who) % 4];
    Policy::of(profile, Edition::Stu3)
}

/// A naive record of who asked for what, beside the topic.
#[derive(Default)]
struct Model {
    asked: HashMap<u8, HashSet<&'static str>>,
    live: HashMap<u8, ConnectionId>,
    published: Vec<String>,
    received: HashMap<u64, Vec<String>>,
    versions: HashSet<Version>,
}

fn chosen(bits: u8) -> HashSet<&'static str> {
    NAMES.iter().enumerate().filter(|(index, _)| bits & (1 << index) != 0).map(|(_, name)| *name).collect()
}

fn wished(bits: u8) -> Wish {
    wish(&chosen(bits).into_iter().collect::<Vec<_>>().join(","), None, "")
}

impl Model {
    fn run(&mut self, scene: &mut Scene, step: &Step) {
        let command = match step {
            Step::Answer(who, id, status) => Command::Acknowledge {
                endpoint: endpoint(*who),
                event: format!("e{}", usize::from(*id) % (self.published.len() + 1)),
                verdict: if *status == 200 { Verdict::Followed } else { Verdict::Refused(*status) },
            },
            Step::Connect(who) => {
                scene.connections += 1;
                Command::Connect { endpoint: endpoint(*who), connection: ConnectionId(scene.connections) }
            }
            Step::Disconnect(who, how) => Command::Disconnect {
                endpoint: endpoint(*who),
                connection: self.live.get(who).copied().unwrap_or(ConnectionId(0)),
                ended: [Ended::Lost, Ended::Behind, Ended::Closed(Some(1000))][usize::from(*how)],
            },
            Step::Publish(name, resource) => {
                let id = format!("e{}", self.published.len());
                self.published.push(id.clone());
                scene.versions += 1;
                let event = event(NAMES[*name], &id, &format!("r{resource}"));
                publishing(event, Version(Uuid::from_u128(scene.versions)))
            }
            Step::Resubscribe(who, events) => Command::Resubscribe { endpoint: endpoint(*who), wish: wished(*events) },
            // An endpoint is never used twice; the model gives each its number back when it has ended.
            Step::Subscribe(who, _) if self.asked.contains_key(who) => Command::Lapse,
            Step::Subscribe(who, events) => {
                Command::Subscribe { endpoint: endpoint(*who), wish: wished(*events), policy: policy_of(*who) }
            }
            Step::Unsubscribe(who) => unsubscribing(*who),
            Step::Wait(seconds) => {
                scene.now = later(scene.now, SignedDuration::from_secs(i64::from(*seconds)));
                Command::Lapse
            }
        };
        if let Ok(effects) = scene.topic.apply(command, scene.now) {
            self.note(step, scene);
            self.check(step, &effects);
            self.forget_ended(&effects);
        }
    }

    fn note(&mut self, step: &Step, scene: &Scene) {
        match step {
            Step::Connect(who) => drop(self.live.insert(*who, ConnectionId(scene.connections))),
            Step::Disconnect(who, _) => drop(self.live.remove(who)),
            Step::Resubscribe(who, events) if *events & 0x7f != 0 => drop(self.asked.insert(*who, chosen(*events))),
            Step::Subscribe(who, events) if !self.asked.contains_key(who) => {
                self.asked.insert(*who, chosen(*events));
            }
            _ => {}
        }
    }

    fn forget_ended(&mut self, effects: &Effects) {
        for change in &effects.changes {
            if let Change::Ended(endpoint) = change {
                self.asked.remove(&endpoint.0[0]);
                self.live.remove(&endpoint.0[0]);
            }
        }
    }

    fn check(&mut self, step: &Step, effects: &Effects) {
        if let Some(version) = effects.outcome.version {
            assert!(self.versions.insert(version), "a version was used again");
        }
        for action in &effects.actions {
            let (to, name) = match action {
                Action::Deliver { to, event, .. } => (to, event.name.as_str()),
                Action::Raise { to, .. } => (to, "SyncError"),
                // From here on nothing may be sent to it; what came before in the same breath was.
                Action::Close { to, .. } => {
                    self.live.retain(|_, connection| connection != to);
                    continue;
                }
                _ => continue,
            };
            for recipient in to {
                let who = self.live.iter().find(|(_, connection)| **connection == recipient.connection);
                let asked = who.and_then(|(who, _)| self.asked.get(who)).expect("sent to a live subscriber");
                assert!(asked.contains(name), "{name} was not asked for");
            }
            if let (Step::Publish(..), Action::Deliver { to, event, .. }) = (step, action) {
                for recipient in to {
                    self.received.entry(recipient.connection.0).or_default().push(event.id.clone());
                }
            }
        }
    }
}

#[test]
fn not_06_not_07_who_is_evicted_in_the_same_breath_is_told_of_the_lost_one_before_and_not_after() {
    let (mut scene, mut model) = (Scene::new(), Model::default());
    let (patient_open, home_open, listener) = (0, 5, 0b110_0000);
    for step in [
        Step::Subscribe(8, 1 << patient_open),
        Step::Subscribe(4, listener),
        Step::Connect(4),
        Step::Connect(8),
        Step::Publish(patient_open, 0),
        Step::Publish(home_open, 0),
        Step::Publish(home_open, 0),
        Step::Answer(4, 1, 200),
        Step::Disconnect(8, 0),
        Step::Wait(10),
    ] {
        model.run(&mut scene, &step);
    }
    assert!(!model.asked.contains_key(&4), "it was not evicted");
}

proptest! {
    #[test]
    fn req_11_not_02_upd_01_whatever_happens_order_choice_and_versions_hold(steps in proptest::collection::vec(step(), 1..80)) {
        let (mut scene, mut model) = (Scene::new(), Model::default());
        for step in &steps {
            model.run(&mut scene, step);
            let due = scene.topic.next_due();
            prop_assert!(due.is_none() || due > Some(scene.now) || !matches!(step, Step::Wait(_)), "left undone");
        }
        for received in model.received.values() {
            let mut order = model.published.iter();
            prop_assert!(received.iter().all(|id| order.any(|published| published == id)), "out of order");
        }
    }

    #[test]
    fn ctx_03_closing_the_current_context_leaves_none(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut scene, mut model) = (Scene::new(), Model::default());
        for step in &steps {
            model.run(&mut scene, step);
        }
        if let Some(current) = scene.topic.current().cloned() {
            let close = format!("{}-close", current.anchor.resource_type);
            scene.publish(&close, "last", &current.anchor.id);
            prop_assert_eq!(scene.current(), None);
        }
    }
}
