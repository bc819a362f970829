//! `mapping schema`.

use fhircast_gateway::mapping::cases::fences;
use fhircast_gateway::mapping::shipped;
use jsonschema::Validator;
use serde_json::Value;

use super::{DESK, Site};

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(&Site::new(&[]).succeed(&["mapping", "schema"])).unwrap();
    jsonschema::draft7::new(&schema).unwrap()
}

/// What is wrong with a mapping, and where; empty where nothing is.
fn faults(validator: &Validator, text: &str) -> String {
    let mapping = as_editors_see_it(toml::from_str(text).unwrap());
    let faults = validator.iter_errors(&mapping).map(|fault| format!("{}: {fault}\n", fault.instance_path()));
    faults.collect()
}

/// Editors take a date of TOML for the text that it is spelt as.
fn as_editors_see_it(value: toml::Value) -> Value {
    match value {
        toml::Value::Array(items) => items.into_iter().map(as_editors_see_it).collect(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Table(table) => table.into_iter().map(|(key, item)| (key, as_editors_see_it(item))).collect(),
        other => serde_json::to_value(other).unwrap(),
    }
}

#[test]
fn every_shipped_mapping_and_every_example_of_the_reference_is_right_by_it() {
    let validator = validator();
    for file in shipped().iter().filter(|file| !file.name.ends_with(".csv")) {
        assert_eq!(faults(&validator, &file.text), "", "{}", file.name);
    }
    for fence in fences(include_str!("../../../mappings/README.md")).iter().filter(|fence| fence.language == "toml") {
        assert_eq!(faults(&validator, fence.content), "", "line {}", fence.line);
    }
}

#[test]
fn whatever_the_language_allows_is_right_by_it() {
    let validator = validator();
    for text in [
        "not_after = \"never\"",
        "not_after = \"5 min\"",
        "[context.patient]\ngender = \"\"\nname = \"\"\nactive = \"\"",
        "[context.patient]\ngender = \"${PID-8 | lookup sex}\"\nbirthDate = 1970-04-12",
        "[context.patient]\nname = [\"${PID-5 | name}\"]",
        "[context.patient]\n_birthDate = { extension = [{ url = \"urn:x\", valueString = \"y\" }] }",
        "[context.patient.maritalStatus]\nwhen = 'PID-16'\ntext = \"x\"",
        "[context.thing]\nresourceType = \"Basic\"",
        "[[event]]\nname = \"patient-OPEN\"\n[event.context]\nencounter = false\nthing = false",
        "[[event]]\nname = \"org.example.case_read\"\ncontext = [\"thing\", \"patient\"]",
        "[[event]]\nname = \"userLogout\"",
    ] {
        assert_eq!(faults(&validator, text), "", "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_where_it_stands() {
    let validator = validator();
    for (text, place) in [
        ("abuot = \"\"", ": "),
        ("protocol = \"hl7v3\"", "/protocol: "),
        ("events = \"append\"", "/events: "),
        ("not_after = \"soon\"", "/not_after: "),
        ("occurred = \"now\"", "/occurred: "),
        ("[accept]\nwhn = \"x\"", "/accept: "),
        ("[session]\nusr = \"x\"", "/session: "),
        ("[expression]\nx = \"literal\"", "/expression/x: "),
        ("[[event]]\nname = \"Patient-opened\"", "/event/0/name: "),
        ("[[event]]\nname = \"Patient-open\"\nwhne = \"x\"", "/event/0: "),
        ("[[merge]]\nidentifer = []", "/merge/0: "),
        ("[[merge]]\nidentifier = [{ vaule = \"x\" }]", "/merge/0/identifier"),
        ("[context.patient]\nbirthdate = \"x\"", "/context/patient: "),
        ("[context.patient]\ngender = \"femal\"", "/context/patient/gender: "),
        ("[context.patient]\nname = { family = \"x\" }", "/context/patient/name: "),
        ("[context.patient]\nresourceType = \"Person\"", "/context/patient/resourceType: "),
        ("[context.patient.maritalStatus]\neach = \"PID-16\"", "/context/patient/maritalStatus: "),
        ("[[event]]\nname = \"Patient-open\"\ncontext = \"patient\"", "/event/0/context: "),
        ("[table.sex]\nM = { system = \"x\", cod = \"y\" }", "/table/sex"),
        ("[table]\nsex = \"sex.xlsx\"", "/table/sex: "),
    ] {
        let faults = faults(&validator, text);
        assert!(faults.starts_with(place), "{text}: {faults}");
    }
}

#[test]
fn an_editors_line_at_the_head_of_a_mapping_disturbs_nobody() {
    let site = Site::new(&[("desk.toml", &format!("#:schema ./mapping.schema.json\n{DESK}"))]);
    site.succeed(&["check"]);
}
