//! Who a subscription belongs to, and how clients that subscribe anew or under names of their own are told apart.

use super::*;

fn wish_of(principal: &str, name: &str, alias: &str) -> Wish {
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Wish { principal: principal.into(), name: said(name), alias: said(alias), ..wish("Patient-open", Some(10), "") }
}

impl Scene {
    fn subscribe_as(&mut self, number: u8, wish: Wish) -> Vec<String> {
        self.apply(Command::Subscribe { endpoint: endpoint(number), wish, policy: standard() }).unwrap()
    }

    fn unsubscribe_as(&mut self, principal: &str, target: Target) -> Result<Vec<String>, Refusal> {
        self.apply(Command::Unsubscribe { target, principal: principal.into() })
    }
}

#[test]
fn cli_09_10_the_same_made_up_endpoint_replaces_the_first_and_gets_the_default_lease_at_least() {
    let mut scene = Scene::new();
    scene.subscribe_as(1, wish_of("", "", "ws://host/bind/1"));
    assert_eq!(scene.connect(1).unwrap(), ["1 confirm Patient-open 7200"]);
    assert_eq!(scene.subscribe_as(2, wish_of("", "", "ws://host/bind/1")), ["1 close Replaced"]);
    assert_eq!(scene.connect(1), Err(Refusal::EndpointUnknown));
    assert!(scene.subscribe_as(3, wish_of("other", "", "ws://host/bind/1")).is_empty(), "another principal's");
    assert!(scene.connect(2).is_ok());
}

#[test]
fn cli_13_an_unsubscribe_ends_one_subscription_of_its_own_principal() {
    let mut scene = Scene::new();
    scene.subscribe_as(1, wish_of("a", "Viewer", "ws://x/1"));
    scene.subscribe_as(2, wish_of("a", "Viewer", ""));
    scene.subscribe_as(3, wish_of("b", "Viewer", ""));
    let name = || Target::Name("Viewer".into());
    assert_eq!(scene.unsubscribe_as("a", name()), Err(Refusal::NoTarget), "two of that name");
    assert_eq!(scene.unsubscribe_as("b", Target::Alias("ws://x/1".into())), Err(Refusal::NoTarget));
    assert_eq!(scene.unsubscribe_as("b", Target::Endpoint(endpoint(1))), Err(Refusal::EndpointUnknown));
    assert!(scene.unsubscribe_as("a", Target::Alias("ws://x/1".into())).is_ok());
    assert!(scene.unsubscribe_as("a", name()).is_ok());
    assert!(scene.connect(3).is_ok());
}

#[test]
fn t2_nobody_changes_a_subscription_of_another_principal() {
    let mut scene = Scene::new();
    scene.subscribe_as(1, wish_of("a", "", ""));
    let resubscribe = |principal| Command::Resubscribe { endpoint: endpoint(1), wish: wish_of(principal, "", "") };
    assert_eq!(scene.apply(resubscribe("b")), Err(Refusal::EndpointUnknown));
    assert!(scene.apply(resubscribe("a")).is_ok());
}

#[test]
fn cli_15_a_client_that_subscribes_anew_under_its_name_replaces_what_it_has_lost() {
    let mut scene = Scene::new();
    scene.subscribe_as(1, wish_of("", "Viewer", ""));
    scene.connect(1).unwrap();
    assert!(scene.subscribe_as(2, wish_of("", "Viewer", "")).is_empty());
    scene.connect(2).unwrap();
    assert_eq!(scene.publish("Patient-open", "e1", "p1").len(), 2, "with both sockets live, both stay");
    scene.disconnect(1, 1, Ended::Lost);
    assert!(scene.subscribe_as(3, wish_of("", "Viewer", "")).is_empty());
    assert_eq!(scene.connect(1), Err(Refusal::EndpointUnknown));
    assert!(scene.after(9).is_empty(), "nobody is told of it");
}

#[test]
fn cli_27_an_endpoint_is_not_taken_over_without_end() {
    let mut scene = Scene::connected(&["Patient-open"]);
    for _ in 0..10 {
        assert!(!scene.topic.is_taken_over_too_often(endpoint(1), scene.now));
        scene.connect(1).unwrap();
    }
    assert!(scene.topic.is_taken_over_too_often(endpoint(1), scene.now));
    scene.after(60);
    assert!(!scene.topic.is_taken_over_too_often(endpoint(1), scene.now));
}

#[test]
fn sma_02_sub_08_no_lease_goes_past_the_end_of_the_token() {
    let mut scene = Scene::new();
    let ends = later(scene.now, SignedDuration::from_secs(30));
    scene.subscribe_as(1, Wish { token_ends: Some(ends), ..wish("Patient-open", Some(600), "") });
    assert_eq!(scene.connect(1).unwrap(), ["1 confirm Patient-open 30"]);
    assert_eq!(scene.after(30), ["1 deny the lease has ended", "1 close Ended"]);
}

#[test]
fn pol_09_cli_20_28_a_wildcard_is_every_event_in_its_publishers_spelling_but_the_heartbeat() {
    let mut scene = Scene::connected(&["*"]);
    assert_eq!(scene.publish("patient-OPEN", "e1", "p1"), ["1 patient-OPEN e1 v1"]);
    assert_eq!(scene.publish("org.example.break_taken", "e2", ""), ["1 org.example.break_taken e2"]);
    assert!(scene.after(60).is_empty());
}

#[test]
fn not_13_a_heartbeat_comes_at_least_every_ten_seconds_in_its_subscribers_spelling() {
    let mut scene = Scene::new();
    let policy = Policy::of(Profile::Standard, Edition::Ballot);
    let subscribe =
        |number, events: &str| Command::Subscribe { endpoint: endpoint(number), wish: wish(events, None, ""), policy };
    scene.apply(subscribe(1, "heartbeat")).unwrap();
    scene.apply(subscribe(2, "Patient-open")).unwrap();
    scene.connect(1).unwrap();
    scene.connect(2).unwrap();
    let mut beats = 0;
    for _ in 0..30 {
        beats += scene.after(1).iter().filter(|line| *line == "1 heartbeat 10").count();
    }
    assert!(beats >= 3, "{beats} in 30 s");
    assert_eq!(scene.disconnect(1, 1, Ended::Closed(Some(1000))), Vec::<String>::new());
    assert!(scene.after(60).is_empty());
}

#[test]
fn sub_12_19_an_endpoint_whose_lease_has_just_ended_is_dead() {
    let mut scene = Scene::new();
    scene.subscribe_for(1, "Patient-open", Some(5)).unwrap();
    scene.now = later(scene.now, SignedDuration::from_secs(5));
    assert_eq!(scene.resubscribe(1, "Patient-open"), Err(Refusal::EndpointUnknown));
    assert_eq!(scene.connect(1), Err(Refusal::EndpointUnknown));
}
