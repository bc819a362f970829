//! What single events have of their own: their context, and how old they may be.

use serde_json::{Value, json};

use super::testing::{load, outcome};

/// A mapping whose study, patient and encounter are always there, with `events`.
fn mapping(events: &str) -> String {
    format!(
        r#"
protocol = "notes"
{events}
[context.patient]
id = "p-${{MRN}}"
identifier = [{{ value = "${{MRN}}" }}]
[context.encounter]
id = "e"
status = "unknown"
identifier = [{{ value = "7" }}]
[context.study]
id = "s-${{patient.id}}"
identifier = [{{ system = "urn:x", value = "${{UID}}" }}]
subject.reference = "Patient/${{patient.id}}"
encounter.reference = "Encounter/${{encounter.id}}"
location.display = "shared"
"#
    )
    .replace("s-${patient.id}", "s-${UID}")
}

/// The contexts of all events, each as key to resource.
fn contexts(events: &str) -> Vec<Value> {
    let outcome = outcome(&mapping(events), "MRN: 7\nUID: 1.2");
    let entry = |entry: &Value| (entry["key"].as_str().unwrap().to_owned(), entry["resource"].clone());
    let context = |event: &Value| event["context"].as_array().unwrap().iter().map(entry).collect();
    outcome["events"].as_array().unwrap_or_else(|| panic!("{outcome}")).iter().map(context).collect()
}

const OPEN: &str = "[[event]]\nname = 'ImagingStudy-open'\n";

#[test]
fn what_an_event_says_of_a_resource_holds_for_that_event_alone() {
    let own = "[event.context.study]\nlocation.display = 'own'\nstatus = 'available'\n";
    let contexts = contexts(&format!("{OPEN}{own}[[event]]\nname = 'ImagingStudy-close'\n"));
    assert_eq!(contexts[0]["study"]["location"]["display"], "own");
    assert_eq!(contexts[0]["study"]["status"], "available");
    assert_eq!(contexts[0]["study"]["subject"], json!({ "reference": "Patient/p-7" }), "the rest is shared");
    assert_eq!(contexts[0]["study"]["encounter"], json!({ "reference": "Encounter/e" }));
    assert_eq!(contexts[1]["study"]["location"]["display"], "shared");
    assert_eq!(contexts[1]["study"].get("status"), None);
    assert_eq!(contexts[0]["patient"], contexts[1]["patient"]);
}

#[test]
fn an_event_adds_to_an_array_with_append_and_replaces_it_without() {
    let identifiers = |append: &str| {
        let own = format!("[[event.context.study.identifier]]\n{append}value = 'A1'\n");
        contexts(&format!("{OPEN}{own}"))[0]["study"]["identifier"].clone()
    };
    assert_eq!(identifiers("append = true\n"), json!([{ "system": "urn:x", "value": "1.2" }, { "value": "A1" }]));
    assert_eq!(identifiers(""), json!([{ "value": "A1" }]));
}

#[test]
fn an_event_leaves_out_what_it_says_is_false_and_takes_only_what_it_lists() {
    let keys = |context: &str| contexts(&format!("{OPEN}{context}"))[0].clone();
    let without = keys("context.encounter = false\n");
    assert_eq!(without.get("encounter"), None);
    assert_eq!(without["study"].get("encounter"), None, "a reference to what is left out is left out too");
    assert!(without["patient"].is_object());
    assert_eq!(keys("context = ['study', 'patient']\n"), without);
    assert!(keys("").get("encounter").is_some());
}

#[test]
fn an_event_can_hold_a_resource_that_others_do_not_and_others_in_it_can_name_it() {
    let text = r#"
protocol = "notes"
[[event]]
name = "Basic-open"
[event.context.patient]
id = "p"
[event.context.case]
resourceType = "Basic"
id = "c"
subject.reference = "Patient/${patient.id}"
[[event]]
name = "Patient-close"
[event.context.patient]
gender = "${case.id}"
[context.patient]
id = "q"
"#;
    let wrong = load(&[("test", text)]).unwrap_err().to_string();
    assert!(wrong.contains("`case.id` is neither a path nor a name"), "another event's resource: {wrong}");
    let outcome = outcome(&text.replace("${case.id}", "male"), "");
    let context = &outcome["events"][0]["context"];
    assert_eq!(context[0], json!({ "key": "patient", "resource": { "resourceType": "Patient", "id": "p" } }));
    assert_eq!(context[1]["resource"]["subject"], json!({ "reference": "Patient/p" }));
    assert_eq!(outcome["events"][1]["context"][0]["resource"]["id"], "q");
}

#[test]
fn mistakes_in_an_events_own_context_are_shown_where_they_stand() {
    let events = r#"
[[event]]
name = "ImagingStudy-open"
[event.context]
study = false
encounter = true
visit = false
[event.context.patient]
birthdate = "1"
gender = "${A | lowr}"
[[event]]
name = "ImagingStudy-close"
context = "study"
[[event]]
name = "Patient-open"
context.report = false
"#;
    insta::assert_snapshot!(load(&[("wrong", &mapping(events))]).unwrap_err());
}

#[test]
fn an_event_happened_at_the_first_time_of_day_that_is_there() {
    let occurred = |message: &str| {
        let text = "protocol = 'notes'\noccurred = '${A | datetime or B | datetime}'\n[[event]]\nname = 'UserLogout'\n";
        outcome(text, message)["events"][0]["occurred"].as_str().map(str::to_owned)
    };
    let time = "2026-05-04T06:15:30Z".to_owned();
    for (message, expected) in [
        ("A: 20260504081530+0200", Some(&time)),
        ("B: 20260504081530+0200", Some(&time)),
        ("A: 20260504\nB: 20260504081530+0200", Some(&time)),
        ("A: 20260504081530\nB: 20260504081530+0200", Some(&time)),
        ("A: \"\"\nB: 20260504081530+0200", None),
        ("A: 20260504081530", None),
        ("", None),
    ] {
        assert_eq!(occurred(message).as_ref(), expected, "{message}");
    }
}

#[test]
fn each_order_of_a_message_has_its_own_time() {
    let text = "protocol = 'notes'\noccurred = '${.2 | datetime}'\n[[event]]\nname = 'UserLogout'\neach = 'P'\n";
    let outcome = outcome(text, "P: 1^20260504081530Z~2^20260504091530Z");
    let times: Vec<_> = outcome["events"].as_array().unwrap().iter().map(|event| event["occurred"].clone()).collect();
    assert_eq!(times, ["2026-05-04T08:15:30Z", "2026-05-04T09:15:30Z"]);
}

#[test]
fn how_old_an_event_may_be_is_said_by_itself_by_its_mapping_or_by_the_parent() {
    let limit = |child: &str| {
        let base = "protocol = 'notes'\nnot_after = '5min'\n";
        let child = format!("extends = 'base'\n{child}");
        let set = load(&[("base", base), ("child", &child)]).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        let mapped = set.mapping("child").unwrap().apply(&super::testing::Note::new("")).unwrap();
        mapped.events[0].not_after.map(|limit| limit.as_secs())
    };
    assert_eq!(limit("[[event]]\nname = 'UserLogout'"), Some(300));
    assert_eq!(limit("not_after = '1min'\n[[event]]\nname = 'UserLogout'"), Some(60));
    assert_eq!(limit("[[event]]\nname = 'UserLogout'\nnot_after = '10s'"), Some(10));
    assert_eq!(limit("not_after = 'never'\n[[event]]\nname = 'UserLogout'"), None);
}

#[test]
fn mistakes_in_times_and_limits_are_shown_where_they_stand() {
    let wrong = "protocol = 'notes'\noccurred = 'at ${A | datetime}'\nnot_after = '90'\n[[event]]\nname = 'UserLogout'\nnot_after = '5 minutes'\n";
    insta::assert_snapshot!(load(&[("wrong", wrong)]).unwrap_err());
}

#[test]
fn a_report_has_a_study_for_each_repetition_and_those_that_name_the_same_are_one() {
    let text = r#"
protocol = "notes"
[expression]
issuer = "${ISSUER or 'none'}"
[[event]]
name = "DiagnosticReport-open"
[event.context.study]
each = "STUDY"
[context.patient]
id = "p"
[context.report]
id = "${REPORT | uuid 'report' issuer}"
status = "final"
subject.reference = "Patient/${patient.id}"
code.text = "x"
imagingStudy = [{ each = "study", reference = "ImagingStudy/${study.id}" }, { display = "first: ${study.id}" }]
[context.study]
id = "${.1}"
status = "unknown"
identifier = [{ value = "${.2}" }]
subject.reference = "Patient/${patient.id}"
"#;
    let resources = |message: &str| {
        let outcome = outcome(text, message);
        let context = outcome["events"][0]["context"].as_array().unwrap_or_else(|| panic!("{outcome}")).clone();
        let ids: Vec<_> = context.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect();
        (ids, context[0]["resource"]["imagingStudy"].clone())
    };
    let reference = |id: &str| json!({ "reference": format!("ImagingStudy/{id}") });
    let (ids, studies) = resources("REPORT: r\nSTUDY: a^1~b^2~a^3~c^2~^4");
    assert_eq!(ids[1..], ["p", "a", "b"], "`a` is there twice, `c` has the identifier of `b`, the last has no id");
    assert_eq!(studies, json!([reference("a"), reference("b"), { "display": "first: a" }]));
    let (none, studies) = resources("REPORT: r\nSTUDY: ^1\nISSUER: x");
    assert_eq!((&none[1..], studies), (&["p".to_owned()][..], Value::Null));
    assert_ne!(resources("REPORT: r\nSTUDY: a\nISSUER: x").0[0], ids[0], "the issuer is part of the report's id");
}
