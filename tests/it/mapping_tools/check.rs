//! `check`.

use serde_json::{Value, json};

use super::{DESK, Site};

#[test]
fn what_is_right_is_listed_one_line_a_mapping() {
    let site = Site::new(&[("desk.toml", DESK)]);
    let said = site.succeed(&["check"]);
    assert!(said.contains("\nok  desk                         1 event    SITE/desk.toml\n"), "{said}");
    assert!(said.contains("\nok  hl7v2/radiology              no events  mappings/hl7v2/radiology.toml\n"), "{said}");
    assert!(said.ends_with("\nConfiguration and mappings are right.\n"), "{said}");
}

#[test]
fn every_mistake_of_configuration_and_mappings_is_shown_at_once() {
    let site = Site::new(&[
        ("one.toml", "extends = \"hl7v2/radiology\"\n[accept]\nwhen = 'MSH-3 = \"X\"'\n"),
        ("two.toml", "extends = \"hl7v2/radiologi\"\n"),
    ]);
    let (code, said, errors) = site.run(&["--set", "http.lissen=x", "check"]);
    assert_eq!((code, said.as_str()), (1, ""));
    insta::assert_snapshot!(errors);
}

#[test]
fn a_warning_is_shown_and_stops_nothing() {
    let site = Site::new(&[("desk.toml", &format!("{DESK}\n[table.wards]\nA = \"1\"\n"))]);
    let (code, said, errors) = site.run(&["check"]);
    assert_eq!(code, 0);
    assert!(errors.starts_with("warning: ") && errors.contains("SITE/desk.toml:14:8"), "{errors}");
    assert!(said.ends_with("\nConfiguration and mappings are right.\n"), "{said}");
    let found: Value = serde_json::from_str(&site.succeed(&["check", "--format", "json"])).unwrap();
    let told = json!({ "file": "SITE/desk.toml", "line": 14, "column": 8, "level": "warning" });
    assert_eq!(found["right"], true);
    told.as_object().unwrap().iter().for_each(|(key, value)| assert_eq!(&found["problems"][0][key], value, "{found}"));
}

#[test]
fn programs_are_told_the_same_as_json() {
    let site = Site::new(&[("desk.toml", DESK)]);
    let right: Value = serde_json::from_str(&site.succeed(&["check", "--format", "json"])).unwrap();
    assert_eq!((&right["right"], &right["problems"]), (&json!(true), &json!([])));
    let desk = json!({
        "name": "desk",
        "file": "SITE/desk.toml",
        "protocol": "hl7v2",
        "about": "The desk",
        "events": ["Patient-open"],
    });
    assert!(right["mappings"].as_array().unwrap().contains(&desk), "{right}");
    site.write("one.toml", "extends = \"hl7v2/radiology\"\n[accept]\nwhen = 'MSH-3 = \"X\"'\n");
    let (code, said, errors) = site.run(&["--set", "http.lissen=x", "check", "--format", "json"]);
    assert_eq!((code, errors.as_str()), (1, ""));
    insta::assert_snapshot!(said);
}
