//! What a mount of the strict profile decides otherwise (IHE RAD IRA).

use super::*;
use crate::hub::policy::Silence;

fn strict() -> Policy {
    Policy::of(Profile::Strict, Edition::Stu3)
}

/// Subscribers by the strict policy, each connected.
fn session(events: &[&str]) -> Scene {
    let mut scene = Scene::new();
    for (number, events) in (1..).zip(events) {
        let wish = wish(events, None, &format!("viewer {number}"));
        scene.apply(Command::Subscribe { endpoint: endpoint(number), wish, policy: strict() }).unwrap();
        scene.connect(number).unwrap();
    }
    scene
}

#[test]
fn ira_02_a_lost_socket_ends_its_subscription_at_once_and_the_others_are_told() {
    for ended in [Ended::Lost, Ended::Closed(None), Ended::Closed(Some(1011))] {
        let mut scene = session(&["Patient-open", "SyncError"]);
        assert_eq!(scene.disconnect(1, 1, ended), ["2 SyncError viewer 1 - Lost"]);
        assert_eq!(scene.connect(1), Err(Refusal::EndpointUnknown));
    }
    let mut scene = session(&["Patient-open", "SyncError"]);
    assert!(scene.disconnect(1, 1, Ended::Closed(Some(1000))).is_empty());
}

#[test]
fn ira_04_what_is_not_open_is_not_closed() {
    let mut scene = session(&["Patient-open"]);
    let refused = scene.submit(event("Patient-close", "e1", "p1"), strict());
    assert_eq!(refused, Err(Refusal::AnchorNotOpen(Unopened::Close)));
}

#[test]
fn ira_06_a_session_lasts_while_it_has_subscribers() {
    let mut scene = session(&["Patient-open"]);
    scene.submit(event("Patient-open", "e1", "p1"), strict()).unwrap();
    scene.apply(unsubscribing(1)).unwrap();
    assert_eq!(scene.current(), None);
    assert_eq!(scene.submit(event("Patient-open", "e2", "p1"), strict()), Err(Refusal::SessionUnknown));
}

#[test]
fn ira_10_a_session_of_a_user_that_the_gateway_knows_needs_no_subscriber() {
    let mut scene = Scene::new();
    let (event, version) = (event("Patient-open", "e1", "p1"), Version(Uuid::from_u128(77)));
    scene.apply(Command::Publish { event, version, policy: standard(), publisher: Publisher::Gateway }).unwrap();
    assert!(scene.submit(super::event("Patient-open", "e2", "p2"), strict()).is_ok());
}

#[test]
fn ira_11_a_retry_is_answered_and_not_told_again_unless_a_sync_error_was() {
    let mut scene = session(&["Patient-open", "SyncError"]);
    assert_eq!(scene.submit(event("Patient-open", "e1", "p1"), strict()).unwrap().len(), 1);
    assert!(scene.submit(event("Patient-open", "e1", "p1"), strict()).unwrap().is_empty());
    assert_eq!(scene.submit(event("Patient-open", "e1", "p2"), strict()).unwrap().len(), 1, "another event");
    scene.answer(1, "e1", Verdict::Refused(409)).unwrap();
    assert_eq!(scene.submit(event("Patient-open", "e1", "p1"), strict()).unwrap().len(), 1);
}

#[test]
fn ira_15_unknown_selected_resources_are_left_out_and_the_rest_is_told() {
    let mut scene = session(&["DiagnosticReport-select"]);
    scene.submit(event("DiagnosticReport-open", "e1", "r1"), strict()).unwrap();
    let context = json!([
        {"key": "report", "reference": {"reference": "DiagnosticReport/r1"}},
        {"key": "select", "reference": {"reference": "Observation/1"}},
        {"key": "select", "reference": {"reference": "Patient/p1"}},
        {"key": "select", "reference": [{"reference": "Observation/2"}, {"reference": "DiagnosticReport/r1"}]},
    ]);
    scene.versions += 1;
    let (event, version) =
        (event_about("DiagnosticReport-select", "s1", &context), Version(Uuid::from_u128(scene.versions)));
    let command = Command::Publish { event, version, policy: strict(), publisher: Publisher::Application };
    let effects = scene.topic.apply(command, scene.now).unwrap();
    assert!(effects.outcome.partial);
    let [Action::Deliver { event, .. }] = effects.actions.as_slice() else { panic!("{effects:?}") };
    let told: serde_json::Value = serde_json::from_str(event.context.get()).unwrap();
    let expected = json!([
        {"key": "report", "reference": {"reference": "DiagnosticReport/r1"}},
        {"key": "select", "reference": {"reference": "Patient/p1"}},
        {"key": "select", "reference": [{"reference": "DiagnosticReport/r1"}]},
    ]);
    assert_eq!(told, expected);
}

#[test]
fn ira_19_a_refusal_is_told_to_all_subscribers_of_sync_error() {
    let mut scene = session(&["Patient-open,SyncError", "SyncError"]);
    scene.submit(event("Patient-open", "e1", "p1"), strict()).unwrap();
    let told = scene.answer(1, "e1", Verdict::Refused(409)).unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(scene.current(), Some("p1"));
}

#[test]
fn ira_20_whoever_does_not_answer_in_time_is_told_of_and_ended() {
    let mut scene = session(&["Patient-open", "SyncError"]);
    scene.submit(event("Patient-open", "e1", "p1"), strict()).unwrap();
    let told = ["2 SyncError viewer 1 e1 Silent", "1 deny an event was not answered in time", "1 close Ended"];
    assert_eq!(scene.after(10), told);
    assert_eq!(strict().silence, Silence::Everybody);
}
