//! Whatever has happened on a hub, one that is opened on its store goes on from the very same state.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::policy::{Policy, Profile};
use super::topic::{Target, Wish};
use super::*;
use crate::clock::Manual;
use crate::fhircast::{Event, Rules, Scopes};
use crate::store::{Retention, SiteKey};

const RETENTION: Retention = Retention {
    messages_for: SignedDuration::from_hours(24),
    bytes: 1 << 30,
    answers_for: SignedDuration::from_hours(24),
    sessions: 9,
};

fn clock() -> Arc<Manual> {
    Arc::new(Manual::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_882_530)))
}

fn store() -> Store {
    Store::temporary(&SiteKey::from_bytes(&[7; 32]), RETENTION, clock()).unwrap()
}

fn hub(store: &Store, clock: &Arc<Manual>) -> Hub {
    let settings = HubSettings { max_contexts: 3, ..HubSettings::default() };
    Hub::open(settings, Arc::clone(clock) as _, Authenticator::open(), AuditLog::off(), store.clone()).unwrap()
}

/// All that must be as it was, of every topic: as text, so that a difference can be read.
async fn state(hub: &Hub) -> Vec<String> {
    let mut state = Vec::new();
    let mut names = hub.0.topics.names();
    names.sort();
    for name in names {
        let Some(turn) = hub.0.topics.known(&name, hub.now()).await else { continue };
        let topic = &turn.topic;
        state.push(format!("{name} {:?} told {}", topic.figures(), turn.told));
        state.push(format!("current {:?}", topic.current().map(|context| context.anchor.id.clone())));
        for context in topic.open_contexts() {
            let content: Vec<&str> = context.content.resources().map(|resource| resource.get()).collect();
            let Context { anchor, event, version, prior, opened_at, since, .. } = context;
            let told = event.notification(event.name.as_str(), None);
            state.push(format!(
                "{anchor:?} {version} {prior:?} {opened_at} {since} {told} {} {content:?}",
                event.fingerprint
            ));
        }
        state.extend(topic.latest_event().map(|past| format!("{past:?}")));
        let mut endpoints: Vec<EndpointId> = Vec::new();
        endpoints
            .extend(hub.endpoints_mut().iter().filter(|(_, topic)| **topic == name).map(|(endpoint, _)| *endpoint));
        endpoints.sort_by_key(|endpoint| endpoint.0);
        state
            .extend(endpoints.into_iter().filter_map(|it| topic.kept_subscription(it)).map(|kept| format!("{kept:?}")));
    }
    state
}

fn wish(name: &str) -> Wish {
    Wish {
        events: vec!["Patient-open".into(), "SyncError".into()],
        lease: Some(SignedDuration::from_secs(3600)),
        token_ends: None,
        name: Some(name.into()),
        alias: (name == "b").then(|| "wss://made.up/1".into()),
        principal: "me".into(),
        scopes: Scopes::parse("fhircast/Patient-open.read fhircast/*.write"),
        mount: "standard".into(),
        webhook: None,
    }
}

fn standard() -> Policy {
    Policy::of(Profile::Standard, Edition::Stu3)
}

#[derive(Clone, Debug)]
enum Step {
    Close(u8, u8),
    Connect(u8),
    Home(u8),
    Logout(u8),
    Open(u8, u8),
    Own(u8, u8),
    Subscribe(u8, u8),
    Unsubscribe(u8),
    Update(u8, u8, bool),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let (topic, number) = (0_u8..2, 0_u8..4);
    prop_oneof![
        2 => (topic.clone(), number.clone()).prop_map(|(topic, report)| Step::Close(topic, report)),
        1 => any::<u8>().prop_map(Step::Connect),
        1 => topic.clone().prop_map(Step::Home),
        1 => topic.clone().prop_map(Step::Logout),
        6 => (topic.clone(), number.clone()).prop_map(|(topic, report)| Step::Open(topic, report)),
        2 => (topic.clone(), number.clone()).prop_map(|(topic, patient)| Step::Own(topic, patient)),
        2 => (topic.clone(), number.clone()).prop_map(|(topic, name)| Step::Subscribe(topic, name)),
        1 => any::<u8>().prop_map(Step::Unsubscribe),
        4 => (topic, number, any::<bool>()).prop_map(|(topic, resource, put)| Step::Update(topic, resource, put)),
        1 => (1_u16..5000).prop_map(Step::Wait),
    ]
}

/// A hub, and what was done to it.
struct Scene {
    hub: Hub,
    clock: Arc<Manual>,
    count: usize,
    endpoints: Vec<(String, EndpointId)>,
}

impl Scene {
    fn event(&mut self, topic: u8, name: &str, context: &Value, version: Option<String>) -> Event {
        self.count += 1;
        let mut event = json!({"hub.topic": format!("t{topic}"), "hub.event": name, "context": context, "more": [1]});
        if let Some(version) = version {
            event["context.versionId"] = version.into();
        }
        let body =
            json!({"timestamp": "2026-05-04T08:15:30Z", "id": format!("e{}", self.count), "event": event, "x": "y"});
        Event::parse(body.to_string().as_bytes(), &Rules::STANDARD).unwrap()
    }

    async fn publish(&mut self, topic: u8, name: &str, context: &Value, version: Option<String>) {
        let event = self.event(topic, name, context, version);
        // Whatever is refused changes nothing, and that is kept as well.
        let _ = self.hub.publish_event(event, standard(), topic::Publisher::Application).await;
    }

    async fn run(&mut self, step: &Step) {
        match step {
            Step::Close(topic, report) => {
                self.publish(*topic, "DiagnosticReport-close", &report_context(*report), None).await
            }
            Step::Connect(which) => {
                if let Some((topic, endpoint)) = self.chosen(*which) {
                    // One whose lease has ended is refused.
                    let _ = self.hub.connect(topic.as_str().into(), endpoint).await;
                }
            }
            Step::Home(topic) => self.publish(*topic, "Home-open", &json!([]), None).await,
            Step::Logout(topic) => self.publish(*topic, "UserLogout", &json!([]), None).await,
            Step::Open(topic, report) => {
                self.publish(*topic, "DiagnosticReport-open", &report_context(*report), None).await
            }
            Step::Own(topic, patient) => {
                let resource = json!({"resourceType": "Patient", "id": format!("p{patient}")});
                let resource = serde_json::value::to_raw_value(&resource).unwrap();
                let now = self.hub.now();
                let event = NewEvent {
                    id: format!("own{}", self.count),
                    timestamp: now,
                    name: crate::fhircast::EventName::parse("Patient-open").unwrap(),
                    context: vec![ContextEntry { key: "patient".into(), resource }],
                    occurred: Some(now),
                };
                self.count += 1;
                self.hub.publish(&format!("t{topic}"), event).await.unwrap();
            }
            Step::Subscribe(topic, name) => {
                let topic = format!("t{topic}");
                let wish = wish(&char::from(b'a' + name).to_string());
                if let Ok(secret) = self.hub.subscribe(&topic, wish, standard()).await {
                    self.endpoints.push((topic, secret.id()));
                }
            }
            Step::Unsubscribe(which) => {
                if let Some((topic, endpoint)) = self.chosen(*which) {
                    // It may have ended already.
                    let _ = self.hub.unsubscribe(&topic, Target::Endpoint(endpoint), "me".into()).await;
                }
            }
            Step::Update(topic, resource, put) => {
                let Some(context) = self.hub.current_context(&format!("t{topic}")).await else { return };
                let method = if *put { "PUT" } else { "DELETE" };
                let id = format!("o{resource}");
                let mut entry = json!({"request": {"method": method, "url": format!("Observation/{id}")}});
                if *put {
                    entry["resource"] = json!({"resourceType": "Observation", "id": id, "note": self.count});
                }
                let anchor = json!({"reference": format!("DiagnosticReport/{}", context.anchor.id)});
                let updates = json!({"resourceType": "Bundle", "id": "b", "type": "transaction", "entry": [entry]});
                let update = json!([{"key": "report", "reference": anchor}, {"key": "updates", "resource": updates}]);
                self.publish(*topic, "DiagnosticReport-update", &update, Some(context.version.to_string())).await;
            }
            Step::Wait(seconds) => {
                self.clock.advance(Duration::from_secs(u64::from(*seconds)));
                self.hub.lapse().await;
            }
        }
    }

    fn chosen(&self, which: u8) -> Option<(String, EndpointId)> {
        let count = self.endpoints.len();
        (count > 0).then(|| self.endpoints[usize::from(which) % count].clone())
    }
}

fn report_context(report: u8) -> Value {
    let resource =
        |key: &str, kind: &str, id: String| json!({"key": key, "resource": {"resourceType": kind, "id": id}});
    json!([resource("report", "DiagnosticReport", format!("r{report}")), resource("patient", "Patient", "p1".into())])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_hub_opened_on_the_store_of_another_goes_on_from_the_very_same_state(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, clock) = (store(), clock());
            let mut scene = Scene { hub: hub(&store, &clock), clock, count: 0, endpoints: Vec::new() };
            for step in &steps {
                scene.run(step).await;
            }
            // What is to be forgotten is forgotten soon, and the store learns of it in its turn.
            store.close().await;
            let opened = hub(&store, &scene.clock);
            assert_eq!(state(&opened).await, state(&scene.hub).await, "after {steps:?}");
        });
    }
}

#[tokio::test]
async fn sub_20_after_a_restart_subscribers_come_back_to_their_endpoints_and_who_does_not_is_told_of_later() {
    let (store, clock) = (store(), clock());
    let before = hub(&store, &clock);
    let secret = before.subscribe("t1", wish("viewer"), standard()).await.unwrap();
    let connected = before.connect("t1".into(), secret.id()).await.unwrap();
    let other = before.subscribe("t1", wish("other"), standard()).await.unwrap();
    drop(before.connect("t1".into(), other.id()).await.unwrap());
    drop((connected, before));
    let after = hub(&store, &clock);
    let mut back = after.connect("t1".into(), secret.id()).await.unwrap();
    clock.advance(Duration::from_secs(59));
    after.lapse().await;
    assert_eq!(after.counters().sync_errors_raised, 0, "the other may still come back");
    clock.advance(Duration::from_secs(2));
    after.lapse().await;
    assert_eq!(after.counters().sync_errors_raised, 1);
    let delivery::Outgoing::Confirmation(text) = back.outgoing.recv().await.unwrap() else { panic!("no confirmation") };
    assert!(text.contains("\"hub.lease_seconds\":3600"), "{text}");
}
