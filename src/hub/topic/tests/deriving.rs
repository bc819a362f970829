//! Derived opens: to whoever knows only a part of what was opened, once, and never beside the event itself.

use super::*;

fn open(name: &str, id: &str, keys: &[(&str, &str, &str)]) -> Arc<Event> {
    let entry =
        |(key, kind, id): &(&str, &str, &str)| json!({"key": key, "resource": {"resourceType": kind, "id": id}});
    event_about(name, id, &keys.iter().map(entry).collect())
}

fn study(id: &str, study: &str, patient: &str) -> Arc<Event> {
    open("ImagingStudy-open", id, &[("study", "ImagingStudy", study), ("patient", "Patient", patient)])
}

fn report(id: &str, report: &str, study: &str, patient: &str) -> Arc<Event> {
    let keys =
        [("report", "DiagnosticReport", report), ("patient", "Patient", patient), ("study", "ImagingStudy", study)];
    open("DiagnosticReport-open", id, &keys)
}

/// The lines without the ids of derived events, which are hashes.
fn names(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn not_11_who_knows_only_the_patient_is_told_the_patient() {
    let mut scene = Scene::connected(&["ImagingStudy-open", "patient-open", "Encounter-open", "Patient-close"]);
    let told = scene.submit(study("e1", "s1", "p1"), standard()).unwrap();
    assert_eq!(names(&told), ["1 ImagingStudy-open", "2 patient-open"]);
    assert_eq!(scene.current(), Some("s1"), "a derived open opens nothing");
}

#[test]
fn not_12_the_most_particular_one_only_and_never_beside_the_event_itself() {
    let all = "DiagnosticReport-open,ImagingStudy-open,Patient-open";
    let mut scene = Scene::connected(&[all, "ImagingStudy-open,Patient-open", "Patient-open"]);
    let told = scene.submit(report("e1", "r1", "s1", "p1"), standard()).unwrap();
    assert_eq!(names(&told), ["1 DiagnosticReport-open", "2 ImagingStudy-open", "3 Patient-open"]);
}

#[test]
fn not_12_nobody_is_told_again_what_is_open_to_them_already() {
    let mut scene = Scene::connected(&["Patient-open,Patient-close"]);
    assert_eq!(scene.submit(study("e1", "s1", "p1"), standard()).unwrap().len(), 1);
    assert!(scene.submit(study("e2", "s2", "p1"), standard()).unwrap().is_empty(), "the same patient");
    assert_eq!(scene.submit(study("e3", "s3", "p2"), standard()).unwrap().len(), 1);
    assert_eq!(scene.publish("Patient-open", "e4", "p2").len(), 1, "the event itself is always told");
    scene.publish("Patient-close", "e5", "p2");
    assert_eq!(scene.submit(study("e6", "s4", "p2"), standard()).unwrap().len(), 1, "it was closed in between");
}

#[test]
fn not_11_conf_02_a_late_subscriber_is_told_what_the_open_contexts_imply() {
    let mut scene = Scene::new();
    scene.submit(study("e1", "s1", "p1"), standard()).unwrap();
    scene.subscribe(1, "Patient-open").unwrap();
    assert_eq!(names(&scene.connect(1).unwrap()[1..]), ["1 Patient-open"]);
    assert_eq!(names(&scene.resubscribe(1, "Patient-open").unwrap()), ["1 confirm"]);
    scene.publish("Patient-open", "e2", "p1");
    scene.subscribe(2, "Patient-open").unwrap();
    assert_eq!(names(&scene.connect(2).unwrap()[1..]), ["2 Patient-open"]);
}

#[test]
fn not_11_a_derived_open_is_answered_like_any_other() {
    let mut scene = Scene::connected(&["Patient-open", "SyncError"]);
    let told = scene.submit(study("e1", "s1", "p1"), standard()).unwrap();
    let id = told[0].split(' ').nth(2).unwrap().to_owned();
    let raised = scene.answer(1, &id, Verdict::Refused(409)).unwrap();
    assert_eq!(raised, [format!("2 SyncError viewer 1 {id} Refused(Refused(409))")]);
}

#[test]
fn pol_20_mounts_without_derived_opens_send_none() {
    let mut scene = Scene::new();
    let policy = Policy { derived_opens: false, ..standard() };
    let subscribe = Command::Subscribe { endpoint: endpoint(1), wish: wish("Patient-open", None, ""), policy };
    scene.apply(subscribe).unwrap();
    scene.connect(1).unwrap();
    assert!(scene.submit(study("e1", "s1", "p1"), standard()).unwrap().is_empty());
}

proptest! {
    #[test]
    fn not_02_12_nothing_unasked_and_no_derived_open_twice(
        asked in proptest::collection::vec(0_u8..16, 3),
        opens in proptest::collection::vec((0_u8..4, 0_u8..3, 0_u8..3), 1..30),
    ) {
        const KNOWN: [&str; 4] = ["Patient-open", "ImagingStudy-open", "DiagnosticReport-open", "Patient-close"];
        let chosen = |bits: u8| (0..KNOWN.len()).filter(move |index| bits & (1 << index) != 0).map(|index| KNOWN[index]);
        let asked: Vec<Vec<&str>> = asked.iter().map(|bits| chosen(*bits).chain(["SyncError"]).collect()).collect();
        let lists: Vec<String> = asked.iter().map(|names| names.join(",")).collect();
        let mut scene = Scene::connected(&lists.iter().map(String::as_str).collect::<Vec<_>>());
        for (number, (kind, thing, patient)) in opens.iter().enumerate() {
            let (id, thing, patient) = (format!("e{number}"), format!("x{thing}"), format!("p{patient}"));
            let event = match kind {
                0 => open("Patient-open", &id, &[("patient", "Patient", &patient)]),
                1 => study(&id, &thing, &patient),
                2 => report(&id, &thing, &thing, &patient),
                _ => open("Patient-close", &id, &[("patient", "Patient", &patient)]),
            };
            let name = event.name.as_str().to_owned();
            let told = names(&scene.submit(event, standard()).unwrap());
            for (index, names) in asked.iter().enumerate() {
                let sent: Vec<&str> = told.iter().filter_map(|line| line.split_once(' '))
                    .filter(|(to, _)| *to == (index + 1).to_string()).map(|(_, name)| name).collect();
                prop_assert!(sent.len() <= 1, "one notification an event");
                prop_assert!(sent.iter().all(|sent| names.contains(sent)), "unasked");
                prop_assert!(!names.contains(&name.as_str()) || sent == [name.as_str()], "the event itself goes first");
            }
        }
    }
}
