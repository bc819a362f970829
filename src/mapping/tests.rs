//! The language as a whole, on a protocol of its own.

mod mistakes;

use proptest::prelude::*;
use serde_json::json;

use super::parse;
use super::testing::{Note, load, outcome};

/// What stands under the `extension` of a resource, of which `members` say it, for `message`; null for nothing. The resource
/// is of a type whose members are not checked.
fn check(members: &str, message: &str, expected: serde_json::Value) {
    let text = format!(
        "protocol = \"notes\"\n[[event]]\nname = \"Basic-open\"\ncontext = [\"thing\"]\n[context.thing]\nresourceType = \"Basic\"\nid = \"1\"\n{members}\n[table.sex]\nM = \"male\"\n\"*\" = \"unknown\"\n"
    );
    let outcome = outcome(&text, message);
    let found = &outcome["events"][0]["context"][0]["resource"]["extension"];
    assert_eq!(*found, expected, "{members}\n{message}");
}

#[test]
fn an_expression_gives_the_first_alternative_that_has_a_value() {
    for (expression, message, expected) in [
        ("${A}", "A: x", json!("x")),
        ("${A or B}", "B: y", json!("y")),
        ("${A or B}", "A: \"\"\nB: y", json!(null)),
        ("${A | default 'none'}", "A: \"\"", json!("none")),
        ("${A or 'none'}", "", json!("none")),
        ("${A | lower or B | upper}", "B: y", json!("Y")),
        ("${(A or B) | upper}", "B: y", json!("Y")),
        ("${A | lookup sex}", "A: M", json!("male")),
        ("${A | lookup sex}", "A: Q", json!("unknown")),
        ("${A | lookup sex}", "", json!(null)),
        ("a ${A} b", "A: x", json!("a x b")),
        ("a ${A} ${B}", "A: x", json!(null)),
        ("$${A} ${A} $", "A: x", json!("${A} x $")),
        ("${A[2].1}", "A: x~y", json!("y")),
        ("${A[*] | join ', '}", "A: x~y", json!("x, y")),
        ("${A[*]}", "A: x~y", json!("x")),
        ("${A | split '-' | nth 3}", "A: a--c", json!("c")),
        ("${A | split '-' | nth 2}", "A: a--c", json!(null)),
        ("${A | date}", "A: 20260231", json!(null)),
        ("${A}", "A:  ", json!(null)),
        ("${A}", "A: \"q\\\u{1}", json!("\"q\\")),
        ("${v2-0203}", "", json!("http://terminology.hl7.org/CodeSystem/v2-0203")),
    ] {
        check(&format!("extension = '''{expression}'''"), message, expected);
    }
}

#[test]
fn nothing_in_nothing_out() {
    for (members, message, expected) in [
        ("extension.a = '${A}'", "", json!(null)),
        ("extension.a = ''", "", json!(null)),
        ("extension = { a = '${A}', b = 'literal' }", "", json!(null)),
        ("extension = { a = '${A}', b = 'literal' }", "A: x", json!({ "a": "x", "b": "literal" })),
        ("extension = { a = '${A}', b = { c = 'literal' } }", "", json!(null)),
        ("extension = { a = { b = '${A}' }, c = { d = 'literal' } }", "", json!(null)),
        ("extension = { a = '${A}', b = '${B}', c = 'literal' }", "B: y", json!({ "b": "y", "c": "literal" })),
        (
            "extension = { a = 'literal', b = '${v2-0203}' }",
            "",
            json!({ "a": "literal", "b": "http://terminology.hl7.org/CodeSystem/v2-0203" }),
        ),
        ("extension = { code = '${A}', system = '${v2-0203}' }", "", json!(null)),
        ("extension = { a = \"${A or 'fallback'}\", b = 'literal' }", "", json!({ "a": "fallback", "b": "literal" })),
        ("extension = ['${A}', 'literal', '${B}']", "B: y", json!(["literal", "y"])),
        ("extension = ['${A}', '${B}']", "", json!(null)),
        ("extension = ['${A[*]}']", "A: x~y", json!(["x", "y"])),
        ("extension = [{ a = '${A}', b = 1 }, { b = 2 }]", "", json!([{ "b": 2 }])),
        ("extension = [{ identifier = { value = '${A}', system = '${B}' }, type = 'T' }]", "B: y", json!(null)),
        ("extension = [true, 1.5, 2026-05-04]", "", json!([true, 1.5, "2026-05-04"])),
        (
            "[[context.thing.extension]]\neach = 'A'\na = '${.1}'\nb = '${.2}'\nc = 'literal'",
            "A: 1^x~^~2",
            json!([{ "a": "1", "b": "x", "c": "literal" }, { "a": "2", "c": "literal" }]),
        ),
        (
            "[[context.thing.extension]]\neach = 'A'\nwhen = '.2 == \"y\"'\na = '${.1}'",
            "A: 1^x~2^y",
            json!([{ "a": "2" }]),
        ),
        (
            "[[context.thing.extension]]\neach = 'A'\nb = [{ each = 'B', c = '${.1}', d = '${A.1}' }]",
            "A: 1\nB: x~y",
            json!([{ "b": [{ "c": "x", "d": "1" }, { "c": "y", "d": "1" }] }]),
        ),
    ] {
        check(members, message, expected);
    }
}

#[test]
fn conditions_hold_as_they_read() {
    let message = "A: x\nB: \"\"\nC: x~y\nD: 5";
    for (condition, expected) in [
        ("A", true),
        ("B", false),
        ("E", false),
        ("not E", true),
        ("A == 'x'", true),
        ("A != 'x'", false),
        ("E != 'x'", true),
        ("A == C", true),
        ("D == 5", true),
        ("C[*] == 'y'", true),
        ("C == 'y'", false),
        ("(E or A) == 'x'", true),
        ("(E or A) | upper in ['X', 'Z']", true),
        ("((E or A) not in ['X'])", true),
        ("not (E or A) matches 'x*'", false),
        ("(E or A) and (A or E)", true),
        ("((E or B)) != 'x'", true),
        ("A in ['x', 'z']", true),
        ("A not in ['x', 'z']", false),
        ("E not in ['x']", true),
        ("A in codes", true),
        ("D in codes", false),
        ("A matches '?'", true),
        ("A not matches 'y*'", true),
        ("A | upper == 'X'", true),
        ("A and E or D", true),
        ("A and (E or D)", true),
        ("E and A or E", false),
        ("not (A and E)", true),
        ("not not A", true),
        ("A=='x'and D", true),
    ] {
        let text = format!(
            "protocol = 'notes'\n[[event]]\nname = 'UserLogout'\nwhen = \"{condition}\"\n[table.codes]\nx = 'X'\n'*' = 'other'\n"
        );
        let events = outcome(&text, message)["events"].as_array().unwrap().len();
        assert_eq!(events == 1, expected, "{condition}");
    }
}

const BASE: &str = r#"
protocol = "notes"
about    = "The base"

[accept]
when = "A"

[session]
user = "${USER}"

[[event]]
name = "Patient-open"
when = "OPEN"

[context.patient]
id     = "${first-identifier | uuid}"
gender = "${SEX | lookup sex}"

[[context.patient.identifier]]
system = "urn:a"
value  = "${MRN}"

[table.sex]
M = "male"
"#;

fn extended(child: &str, message: &str) -> serde_json::Value {
    let child = format!("extends = \"base\"\n{child}");
    let set = load(&[("child", &child), ("base", BASE)]).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    set.mapping("child").unwrap().outcome(&Note::new(message))
}

#[test]
fn a_named_expression_stands_wherever_its_name_does_and_a_child_replaces_it_for_all() {
    let base = r#"
protocol = "notes"
[constant]
dash = "-"
[expression]
whole = "${A or B | upper}"
part  = "${.1 | prefix dash}"
[session]
user = "${whole}"
workstation = "at ${whole | lower or 'nowhere'}"
[[event]]
name = "Patient-close"
when = "whole == 'x'"
[context.patient]
id = "1"
[[context.patient.name]]
each = "N"
family = "${part}"
"#;
    let set = load(&[("base", base), ("child", "extends = 'base'\n[expression]\npart = '${.2}'")]).unwrap();
    let outcome = |mapping: &str, message: &str| set.mapping(mapping).unwrap().outcome(&Note::new(message));
    assert_eq!(outcome("base", "B: y")["session"], json!({ "user": "Y", "workstation": "at y" }));
    assert_eq!(outcome("base", "A: \"\"\nB: y")["session"], json!({}), "what is deleted is so behind a name too");
    let names =
        |mapping: &str| outcome(mapping, "A: x\nN: a^b~c^d")["events"][0]["context"][0]["resource"]["name"].clone();
    assert_eq!(names("base"), json!([{ "family": "-a" }, { "family": "-c" }]));
    assert_eq!(names("child"), json!([{ "family": "b" }, { "family": "d" }]));
    assert_eq!(outcome("base", "B: x")["events"], json!([]), "upper gives X");
}

#[test]
fn mistakes_in_named_expressions_are_shown_where_they_stand() {
    let wrong = "protocol = 'notes'\n[constant]\none = 'x'\n[expression]\none = '${A}'\nloinc = '${A}'\ntext = 'a ${A}'\nother = '${three | upper}'\nthree = '${A | uper}'\n";
    insta::assert_snapshot!("named", load(&[("wrong", wrong)]).unwrap_err());
}

#[test]
fn extends_merges_tables_and_replaces_arrays_unless_they_append() {
    let message = "A: 1\nOPEN: 1\nMRN: 7\nSSN: 8\nSEX: W\nUSER: joe";
    let gender = extended("[table.sex]\nW = \"female\"", message);
    assert_eq!(gender["events"][0]["context"][0]["resource"]["gender"], "female");
    let identifiers =
        |child: &str| extended(child, message)["events"][0]["context"][0]["resource"]["identifier"].clone();
    let one = "[[context.patient.identifier]]\nvalue = \"${SSN}\"\n";
    assert_eq!(identifiers(one), json!([{ "value": "8" }]));
    assert_eq!(
        identifiers(&format!("{one}append = true")),
        json!([{ "system": "urn:a", "value": "7" }, { "value": "8" }])
    );
    assert_eq!(
        extended("[session]\nworkstation = \"${USER | upper}\"", message)["session"],
        json!({ "user": "joe", "workstation": "JOE" })
    );
}

#[test]
fn extends_puts_the_childs_events_first_or_alone() {
    let names = |child: &str| {
        let outcome = extended(child, "A: 1\nOPEN: 1\nMRN: 7");
        outcome["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["event"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let close = "[[event]]\nname = \"Patient-close\"\n";
    assert_eq!(names(close), ["Patient-close", "Patient-open"]);
    assert_eq!(names(&format!("events = \"replace\"\n{close}")), ["Patient-close"]);
    assert_eq!(names("events = \"replace\""), Vec::<String>::new());
}

#[test]
fn the_merged_mapping_shows_where_each_line_comes_from() {
    let set = load(&[("child", "extends = \"base\"\n[table.sex]\nF = \"female\""), ("base", BASE)]).unwrap();
    let shown = set.mapping("child").unwrap().show();
    for line in [
        ["table.sex.M = \"male\"", "mappings/base.toml:24"],
        ["table.sex.F = \"female\"", "mappings/child.toml:3"],
        ["context.patient.identifier[1].value = \"${MRN}\"", "mappings/base.toml:21"],
    ] {
        let parts = |shown: &str| shown.split("  # ").map(|part| part.trim().to_owned()).collect::<Vec<_>>();
        assert!(shown.lines().any(|shown| parts(shown) == line), "{shown}");
    }
}

#[test]
fn an_event_repeats_over_its_each() {
    let text = r#"
protocol = "notes"
[[event]]
name = "Patient-close"
each = "P"
when = ".2 == 'x'"
[context.patient]
id = "${.1}"
"#;
    let outcome = outcome(text, "P: 1^x~2^y~3^x");
    let ids: Vec<_> =
        outcome["events"].as_array().unwrap().iter().map(|it| &it["context"][0]["resource"]["id"]).collect();
    assert_eq!(ids, ["1", "3"]);
}

#[test]
fn resources_name_each_other_by_id_and_those_without_are_left_out() {
    let text = r#"
protocol = "notes"
[[event]]
name = "ImagingStudy-open"
when = "OPEN"
[[event]]
name = "ImagingStudy-close"
when = "not OPEN"
[context.patient]
id = "${MRN | uuid 'Patient'}"
[context.encounter]
id = "${first-identifier | uuid}"
status = "unknown"
identifier = [{ value = "${VISIT}" }]
[context.study]
id = "${first-identifier | uuid}"
subject.reference = "Patient/${patient.id}"
encounter.reference = "Encounter/${encounter.id}"
identifier = [{ system = "urn:x", value = "${UID}" }]
"#;
    let with_patient = outcome(text, "OPEN: 1\nMRN: 7\nUID: 1.2");
    let context = with_patient["events"][0]["context"].as_array().unwrap();
    assert_eq!(context.iter().map(|entry| &entry["key"]).collect::<Vec<_>>(), ["study", "patient"]);
    let patient = context[1]["resource"]["id"].as_str().unwrap();
    assert_eq!(context[0]["resource"]["subject"], json!({ "reference": format!("Patient/{patient}") }));
    let alone = outcome(text, "UID: 1.2");
    let study = &alone["events"][0]["context"][0]["resource"];
    assert_eq!((study.get("subject"), study.get("encounter")), (None, None));
    assert_eq!(study["id"], context[0]["resource"]["id"], "an id is made of the identifier alone");
}

#[test]
fn a_resource_that_would_lack_what_fhir_requires_is_opened_for_nobody_and_closed_all_the_same() {
    let text = r#"
protocol = "notes"
[[event]]
name = "ImagingStudy-open"
when = "OPEN"
[[event]]
name = "ImagingStudy-close"
when = "not OPEN"
[context.patient]
id = "${first-identifier | uuid}"
identifier = [{ value = "${MRN}" }]
[context.study]
id = "${first-identifier | uuid}"
status = "available"
subject.reference = "Patient/${patient.id}"
identifier = [{ system = "urn:x", value = "${UID}" }]
"#;
    let refused = &outcome(text, "OPEN: 1\nUID: 1.2")["refused"];
    assert_eq!(refused, "ImagingStudy-open needs study.subject: MRN has no value (mappings/test.toml:4)");
    assert_eq!(outcome(text, "UID: 1.2")["events"][0]["event"], "ImagingStudy-close");
}

#[test]
fn what_an_event_needs_and_the_message_lacks_is_refused_in_the_sources_words() {
    let refused = |message: &str| extended("", message)["refused"].as_str().map(str::to_owned);
    assert_eq!(
        refused("A: 1\nOPEN: 1").as_deref(),
        Some("Patient-open needs patient.identifier: MRN has no value (mappings/base.toml:12)")
    );
    assert_eq!(refused("A: 1"), None, "where no event is meant nothing is needed");
    let child = "[[context.patient.identifier]]\nvalue = \"${MRN | oid or OLD[2] | oid}\"";
    assert_eq!(
        extended(child, "A: 1\nOPEN: 1\nMRN: secret")["refused"],
        "Patient-open needs patient.identifier: MRN cannot be read by `oid`; OLD[2] has no value (mappings/base.toml:12)"
    );
    let child = "[[context.patient.identifier]]\neach = \"IDS\"\nvalue = \"${.2}\"";
    assert_eq!(
        extended(child, "A: 1\nOPEN: 1\nIDS: 1")["refused"],
        "Patient-open needs patient.identifier: IDS.2 has no value (mappings/base.toml:12)"
    );
}

#[test]
fn two_mappings_that_could_accept_one_message_are_a_mistake_at_both_places() {
    let accepts = |condition: &str| format!("protocol = 'notes'\n[accept]\nwhen = '{condition}'\n");
    let (one, two) = (accepts("A == \"x\" or B"), accepts("A == \"y\""));
    insta::assert_snapshot!("rivals", load(&[("one", &one), ("two", &two), ("three", &accepts("C"))]).unwrap_err());
    let (one, two) = (accepts("A == \"x\""), accepts("A == \"y\""));
    assert!(load(&[("one", &one), ("two", &two), ("none", "protocol = 'notes'")]).is_ok());
}

#[test]
fn a_message_finds_its_mapping_by_accept_by_listener_or_by_both() {
    let one = "protocol = 'notes'\n[accept]\nwhen = 'A == \"x\"'\n";
    let two = "protocol = 'notes'\n[accept]\nwhen = 'A == \"y\"'\n";
    let set = load(&[("one", one), ("two", two), ("z", "extends = 'two'"), ("none", "protocol = 'notes'")]);
    let set = set.unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    for (configured, protocol, message, expected) in [
        (None, "notes", "A: x", Some("one")),
        (None, "notes", "A: y", Some("z")),
        (None, "notes", "A: z", None),
        (None, "hl7v2", "A: x", None),
        (Some("two"), "notes", "A: y", Some("two")),
        (Some("two"), "notes", "A: x", None),
        (Some("none"), "notes", "", Some("none")),
        (Some("other"), "notes", "A: x", None),
    ] {
        let selected = set.select(configured, protocol, &Note::new(message));
        assert_eq!(selected.map(super::Mapping::name), expected, "{configured:?} {message}");
    }
}

#[test]
fn an_explanation_says_which_line_and_which_field_and_why_not() {
    let set = load(&[("base", BASE)]).unwrap();
    let mapping = set.mapping("base").unwrap();
    insta::assert_snapshot!("explained", mapping.explain(&Note::new("A: 1\nOPEN: 1\nMRN: 7\nSEX: Q")));
    insta::assert_snapshot!("explained_not_emitted", mapping.explain(&Note::new("A: 1")));
}

#[test]
fn every_mistake_of_a_load_is_shown_where_it_stands() {
    let wrong = r#"
protocol = "notes"
abuot    = "misspelt"
zone     = "Europe/Berlyn"

[accept]
when = "A = 'x'"

[session]
user = "${A | uper}"
workstation = "${A | lookup secks} and ${B"

[[event]]
name = "Patient-opne"

[[event]]
name = "ImagingStudy-open"
when = "A == 'x' and B in ['y'] and A == 'z'"

[[event]]
name = "Encounter-close"
context = ["encounter", "visit"]

[[event]]
name = "org.example.case_read"

[context.patient]
id        = "${study.id}"
birthdate = "${A | date 'dd.mm.yyyy'}"
gender    = "${unquoted}"
name      = "x ${A | name}"

[context.visit]
id = "1"

[table.sex]
M = "male"
"#;
    insta::assert_snapshot!("mistakes", load(&[("wrong", wrong)]).unwrap_err());
}

#[test]
fn files_that_do_not_fit_together_are_mistakes_too() {
    let diagnostics = load(&[
        ("a", "extends = \"b\""),
        ("b", "extends = \"a\""),
        ("c", "extends = \"hl7v2/radiologie\""),
        ("d", "protocol = \"hl7\"\nx = [1,"),
        ("hl7v2/radiology", "protocol = \"notes\""),
    ]);
    insta::assert_snapshot!("families", diagnostics.unwrap_err());
}

/// Whether nothing in it is blank or empty.
fn is_filled(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::Array(items) => !items.is_empty() && items.iter().all(is_filled),
        serde_json::Value::Object(members) => !members.is_empty() && members.values().all(is_filled),
        serde_json::Value::String(text) => !text.trim().is_empty(),
        _ => true,
    }
}

/// Texts that are nearly of the language.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("${"),
        Just("}"),
        Just("A"),
        Just("B[2].1"),
        Just("C[*]"),
        Just(".1"),
        Just("("),
        Just(")"),
        Just("|"),
        Just(" "),
        Just("or"),
        Just("and"),
        Just("not"),
        Just("in"),
        Just("=="),
        Just("["),
        Just("]"),
        Just(","),
        Just("'x'"),
        Just("\""),
        Just("lookup"),
        Just("sex"),
        Just("split '-'"),
        Just("nth 2"),
        Just("default 'd'"),
        Just("date"),
        Just("name"),
        Just("é"),
        Just("first-identifier"),
        Just("matches"),
        Just("uuid"),
        Just("oid"),
        Just("7"),
        Just("$"),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// A message in which the fields of the mapping above hold anything.
fn messages() -> impl Strategy<Value = String> {
    let value = prop_oneof!["\\PC{0,12}", "[0-9]{0,14}", "[0-9.~^\"]{0,12}"];
    prop::collection::vec(("[A-C]|MRN|SEX|OPEN|USER", value), 0..6)
        .prop_map(|lines| lines.iter().map(|(name, value)| format!("{name}: {value}\n")).collect())
}

proptest! {
    #[test]
    fn no_text_of_a_template_or_condition_panics(text in prop_oneof!["\\PC*", nearly()]) {
        let names = super::names::Names {
            grammar: &super::testing::Notes,
            constants: [("k".to_owned(), "v".to_owned())].into(),
            expressions: std::collections::BTreeMap::default(),
            tables: [("sex".to_owned(), super::table::LookupTable::default())].into(),
            zone: None,
            keys: vec!["patient".to_owned()],
            used: Default::default(),
            partial: false,
        };
        for mistake in [parse::template(&text, &names).err(), parse::condition(&text, &names).err()].into_iter().flatten() {
            prop_assert!(text.get(mistake.span.clone()).is_some(), "{:?}", mistake);
        }
    }

    #[test]
    fn no_file_panics(text in prop_oneof!["\\PC*", "[a-z\\[\\]\".={}$ |\n]*"]) {
        let _ = load(&[("any", &text)]).map_err(|diagnostics| diagnostics.to_string());
        let _ = load(&[("any", &format!("protocol = 'notes'\n{text}")), ("child", "extends = 'any'")]).map_err(|it| it.to_string());
    }

    #[test]
    fn no_message_panics_and_every_resource_has_type_and_id(template in nearly(), message in messages()) {
        let text = format!(
            "{BASE}\n[[context.patient.name]]\ntext = '''{template}'''\nfamily = '${{C[*] | split \"^\" | nth 2 | date or A | datetime or B | name}}'\n"
        );
        let Ok(set) = load(&[("any", &text)]) else { return Ok(()) };
        let mapping = set.mapping("any").unwrap();
        mapping.explain(&Note::new(&message));
        if let Ok(mapped) = mapping.apply(&Note::new(&message)) {
            for entry in mapped.events.iter().flat_map(|event| &event.context) {
                let resource: serde_json::Value = serde_json::from_str(entry.resource.get()).unwrap();
                prop_assert_eq!(&resource["resourceType"], "Patient");
                prop_assert!(resource["id"].is_string());
                prop_assert!(is_filled(&resource), "{}", resource);
            }
        }
    }
}
