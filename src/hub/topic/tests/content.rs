//! Content sharing: versions, atomic bundles, resends; and whatever happens, content is what a naive model says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

fn anchor(id: &str) -> Value {
    json!({"key": "report", "reference": {"reference": format!("DiagnosticReport/{id}")}})
}

/// `+1` puts the Observation 1, `-1` deletes it; anything else is a whole entry.
fn entry(change: &str) -> Value {
    let (method, id) = change.split_at(1);
    match method {
        "+" => {
            json!({"request": {"method": "PUT"}, "resource": {"resourceType": "Observation", "id": id, "note": change}})
        }
        _ => json!({"request": {"method": "DELETE", "url": format!("Observation/{id}")}}),
    }
}

fn update(id: &str, report: &str, version: u128, changes: &[&str]) -> Arc<Event> {
    update_of(id, report, version, &changes.iter().map(|change| entry(change)).collect::<Vec<_>>())
}

fn update_of(id: &str, report: &str, version: u128, entries: &[Value]) -> Arc<Event> {
    let bundle = json!({"resourceType": "Bundle", "id": "b", "type": "transaction", "entry": entries});
    let context = json!([anchor(report), {"key": "updates", "resource": bundle}]);
    versioned_event("DiagnosticReport-update", id, &context, Some(version))
}

fn select(id: &str, report: &str, selected: &[&str]) -> Arc<Event> {
    let references: Vec<_> = selected.iter().map(|reference| json!({"reference": reference})).collect();
    let context = json!([anchor(report), {"key": "select", "reference": references}]);
    event_about("DiagnosticReport-select", id, &context)
}

fn content(scene: &Scene) -> Vec<String> {
    let context = scene.topic.current().expect("a current context");
    let id = |resource: &serde_json::value::RawValue| {
        let resource: Value = serde_json::from_str(resource.get()).unwrap();
        resource["id"].as_str().unwrap().to_owned()
    };
    context.content.resources().map(id).collect()
}

/// A reader of opens and updates, and an open report `r1` of version 1.
fn reading() -> Scene {
    let mut scene =
        Scene::connected(&["DiagnosticReport-open,DiagnosticReport-update,DiagnosticReport-select,SyncError"]);
    scene.publish("DiagnosticReport-open", "e1", "r1");
    scene
}

#[test]
fn upd_03_08_09_an_update_is_told_with_its_version_and_the_one_before_and_changes_content() {
    let mut scene = reading();
    let told = scene.submit(update("u1", "r1", 1, &["+1", "+2"]), standard()).unwrap();
    assert_eq!(told, ["1 DiagnosticReport-update u1 v1>v2"]);
    assert_eq!(
        scene.submit(update("u2", "r1", 2, &["-1", "+3"]), standard()).unwrap(),
        ["1 DiagnosticReport-update u2 v2>v3"]
    );
    assert_eq!(content(&scene), ["2", "3"]);
    assert_eq!(scene.topic.current().unwrap().event.id, "e1", "the context stays as it was opened");
}

#[test]
fn conf_03_upd_03_a_late_subscriber_is_told_the_open_with_the_version_as_it_now_is() {
    let mut scene = reading();
    scene.submit(update("u1", "r1", 1, &["+1"]), standard()).unwrap();
    scene.subscribe(2, "DiagnosticReport-open").unwrap();
    assert_eq!(scene.connect(2).unwrap()[1..], ["2 DiagnosticReport-open e1 v2"]);
}

#[test]
fn upd_02_14_of_two_updates_of_one_version_exactly_one_wins() {
    let mut scene = reading();
    scene.submit(update("u1", "r1", 1, &["+1"]), standard()).unwrap();
    assert_eq!(scene.submit(update("u2", "r1", 1, &["+2"]), standard()), Err(Refusal::StaleVersion));
    assert_eq!(content(&scene), ["1"]);
}

#[test]
fn upd_04_07_13_what_is_refused_changes_nothing() {
    let patient = json!({"request": {"method": "DELETE", "url": "Patient/p1"}});
    let too_many: Vec<_> = (0..=LIMITS.max_content).map(|id| entry(&format!("+{id}"))).collect();
    let large = json!({"request": {"method": "PUT"}, "resource": {"resourceType": "Basic", "id": "1", "x": "x".repeat(10_000)}});
    for (entries, refusal) in [
        (vec![entry("+1"), patient], Refusal::HeldByOpen),
        (too_many, Refusal::ContentTooLarge),
        (vec![large], Refusal::ContentTooLarge),
    ] {
        let mut scene = reading();
        assert_eq!(scene.submit(update_of("u1", "r1", 1, &entries), standard()), Err(refusal));
        assert!(content(&scene).is_empty());
        assert!(scene.submit(update("u2", "r1", 1, &["+1"]), standard()).is_ok(), "the version stays");
    }
}

#[test]
fn cli_55_an_update_of_the_opens_own_resources_is_content() {
    let mut scene = reading();
    let report = json!({"request": {"method": "PUT"}, "resource": {"resourceType": "DiagnosticReport", "id": "r1", "status": "final"}});
    scene.submit(update_of("u1", "r1", 1, &[report]), standard()).unwrap();
    assert_eq!(content(&scene), ["r1"]);
}

#[test]
fn upd_10_ctx_05_closing_drops_content_and_opening_again_keeps_it() {
    let mut scene = reading();
    scene.submit(update("u1", "r1", 1, &["+1"]), standard()).unwrap();
    scene.publish("DiagnosticReport-open", "e2", "r2");
    scene.publish("DiagnosticReport-open", "e3", "r1");
    assert_eq!(content(&scene), ["1"]);
    scene.publish("DiagnosticReport-close", "e4", "r1");
    scene.publish("DiagnosticReport-open", "e5", "r1");
    assert!(content(&scene).is_empty());
}

#[test]
fn upd_11_12_an_update_is_for_the_current_context_or_where_allowed_for_an_open_one() {
    let mut scene = reading();
    scene.publish("DiagnosticReport-open", "e2", "r2");
    assert_eq!(scene.submit(update("u1", "r1", 1, &["+1"]), standard()), Err(Refusal::NotCurrent));
    let allowed = Policy { non_current_updates: true, ..standard() };
    assert_eq!(scene.submit(update("u1", "r1", 1, &["+1"]), allowed).unwrap().len(), 1);
    assert_eq!(scene.current(), Some("r2"));
    let refused = scene.submit(update("u2", "r9", 1, &["+1"]), allowed);
    assert_eq!(refused, Err(Refusal::AnchorNotOpen(Unopened::Update)));
}

#[test]
fn sel_01_a_select_is_for_the_current_context_and_changes_no_version() {
    let mut scene = reading();
    assert_eq!(
        scene.submit(select("s1", "r1", &["Observation/1"]), standard()).unwrap(),
        ["1 DiagnosticReport-select s1"]
    );
    assert_eq!(scene.submit(select("s2", "r1", &[]), standard()).unwrap(), ["1 DiagnosticReport-select s2"]);
    assert_eq!(scene.topic.current().unwrap().version, Version(Uuid::from_u128(1)));
    scene.publish("DiagnosticReport-open", "e2", "r2");
    assert_eq!(scene.submit(select("s3", "r1", &[]), standard()), Err(Refusal::NotCurrent));
    assert_eq!(scene.submit(select("s4", "r9", &[]), standard()), Err(Refusal::AnchorNotOpen(Unopened::Select)));
}

#[test]
fn cli_35_an_update_sent_again_is_told_again_and_applied_once() {
    let mut scene = reading();
    let first = scene.submit(update("u1", "r1", 1, &["+1"]), standard()).unwrap();
    assert_eq!(scene.submit(update("u1", "r1", 1, &["+1"]), standard()).unwrap(), first);
    assert_eq!(scene.topic.current().unwrap().version, Version(Uuid::from_u128(2)));
    assert_eq!(scene.submit(update("u1", "r1", 1, &["+2"]), standard()), Err(Refusal::StaleVersion), "another event");
}

#[test]
fn cli_35_an_overtaken_open_sent_again_is_told_and_moves_nothing() {
    let mut scene = Scene::connected(&["Patient-open"]);
    scene.publish("Patient-open", "e1", "p1");
    scene.publish("Patient-open", "e2", "p2");
    assert_eq!(scene.publish("Patient-open", "e1", "p1"), ["1 Patient-open e1 v1"]);
    assert_eq!(scene.current(), Some("p2"));
    scene.publish("Patient-close", "e3", "p2");
    scene.publish("Patient-open", "e1", "p1");
    assert_eq!(scene.current(), Some("p1"), "nothing newer stands against it");
}

/// What a run of updates, opens and closes does.
#[derive(Clone, Debug)]
enum Step {
    Close(u8),
    Open(u8),
    Update { report: u8, stale: bool, changes: Vec<(bool, u8)> },
}

fn step() -> impl Strategy<Value = Step> {
    let changes = proptest::collection::vec((any::<bool>(), 0_u8..4), 0..4);
    prop_oneof![
        1 => (0_u8..2).prop_map(Step::Close),
        2 => (0_u8..2).prop_map(Step::Open),
        6 => (0_u8..2, proptest::bool::weighted(0.2), changes)
            .prop_map(|(report, stale, changes)| Step::Update { report, stale, changes }),
    ]
}

proptest! {
    #[test]
    fn upd_02_04_10_14_content_after_any_run_is_what_a_naive_model_says(steps in proptest::collection::vec(step(), 1..60)) {
        let mut scene = Scene::new();
        // By report: its version, and what has been put and not deleted.
        let mut model: BTreeMap<u8, (u128, BTreeMap<u8, String>)> = BTreeMap::new();
        let mut current: Option<u8> = None;
        let mut versions = HashSet::new();
        for (number, step) in steps.iter().enumerate() {
            let id = format!("e{number}");
            match step {
                Step::Open(report) => {
                    scene.publish("DiagnosticReport-open", &id, &format!("r{report}"));
                    prop_assert!(versions.insert(scene.versions));
                    model.entry(*report).or_default().0 = scene.versions;
                    current = Some(*report);
                }
                Step::Close(report) => {
                    scene.publish("DiagnosticReport-close", &id, &format!("r{report}"));
                    model.remove(report);
                    current = current.filter(|current| current != report);
                }
                Step::Update { report, stale, changes } => {
                    let known = model.get(report).map_or(0, |(version, _)| *version);
                    let version = if *stale { known + 1000 } else { known };
                    let texts: Vec<_> = changes.iter().map(|(put, id)| format!("{}{id}", if *put { '+' } else { '-' })).collect();
                    let mut distinct = HashSet::new();
                    if !changes.iter().all(|(_, id)| distinct.insert(*id)) {
                        continue;
                    }
                    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
                    let taken = scene.submit(update(&id, &format!("r{report}"), version, &texts), standard()).is_ok();
                    let fits = model.get(report).is_some_and(|(_, content)| {
                        let after: HashSet<u8> = content.keys().copied().filter(|id| !changes.contains(&(false, *id)))
                            .chain(changes.iter().filter(|(put, _)| *put).map(|(_, id)| *id)).collect();
                        after.len() <= LIMITS.max_content
                    });
                    prop_assert_eq!(taken, current == Some(*report) && !stale && fits);
                    if let Some((version, content)) = model.get_mut(report).filter(|_| taken) {
                        *version = scene.versions;
                        for (put, id) in changes {
                            if *put { content.insert(*id, format!("+{id}")); } else { content.remove(id); }
                        }
                    }
                }
            }
            let now = scene.topic.current();
            prop_assert_eq!(now.map(|context| context.anchor.id.clone()), current.map(|report| format!("r{report}")));
            if let (Some(context), Some(report)) = (now, current) {
                let (version, content) = &model[&report];
                prop_assert_eq!(context.version.0.as_u128(), *version);
                let held: BTreeMap<u8, String> = context.content.resources().map(|resource| {
                    let resource: Value = serde_json::from_str(resource.get()).unwrap();
                    let text = |member: &str| resource[member].as_str().unwrap().to_owned();
                    (text("id").parse().unwrap(), text("note"))
                }).collect();
                prop_assert_eq!(&held, content);
            }
        }
    }
}
