//! `map`.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use super::{DESK, Site};
use crate::command_line::{finished, program};

const MESSAGE: &str = "MSH|^~\\&|DESK|MAIN|||20260504081530||ADT^A04|1|P|2.3.1\nEVN|A04|20260504|||mlindqv\n\
                       PID|1||4455667^^^LAKESIDE^MR||Okafor^Ngozi||19700412|F\n";

fn site() -> Site {
    let other = MESSAGE.replace("|DESK|", "|NOBODY|");
    let nameless = MESSAGE.replace("4455667^^^LAKESIDE^MR", "");
    let batch = format!("FHS|^~\\&|X\nBHS|^~\\&|X\n{MESSAGE}{nameless}{other}BTS|3\nFTS|1\n");
    Site::new(&[("desk.toml", DESK), ("one.hl7", MESSAGE), ("batch.hl7", &batch)])
}

#[test]
fn a_message_is_shown_as_cases_expect_it() {
    let site = site();
    insta::assert_snapshot!(site.succeed(&["map", &site.path("one.hl7")]));
}

#[test]
fn each_message_of_a_batch_is_shown() {
    let site = site();
    let (code, said, errors) = site.run(&["map", &site.path("batch.hl7")]);
    assert_eq!((code, errors.as_str()), (1, ""));
    insta::assert_snapshot!(said);
}

#[test]
fn a_message_can_come_by_standard_input() {
    let site = site();
    let setting = format!("mappings.directory={}", site.directory().display());
    let mut command = program();
    command.args(["--set", &setting, "map", "-", "--format", "json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(MESSAGE.as_bytes()).unwrap();
    let (code, said, errors) = finished(child.wait_with_output().unwrap());
    assert_eq!((code, errors.as_str()), (0, ""));
    let shown: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(shown[0]["message"], "standard input");
    assert_eq!(shown[0]["mapping"], "desk");
    assert_eq!(shown[0]["outcome"]["events"][0]["event"], "Patient-open");
}

#[test]
fn explain_tells_where_each_member_comes_from_and_why_others_did_not_count() {
    let close = "\n[[event]]\nname = \"Patient-close\"\nwhen = 'MSH-9.2 == \"A03\" and EVN-5.1 in [\"a\", \"b\"]'\n\
                 [[context.patient.identifier]]\nappend = true\nsystem = \"urn:x\"\nvalue = \"${PID-18}\"\n";
    let site = site();
    site.write("desk.toml", &format!("{DESK}{close}"));
    let said = site.succeed(&["map", &site.path("one.hl7"), "--explain"]);
    for words in [
        "Patient-open is emitted  (SITE/desk.toml:11)",
        "patient.gender = \"female\"  (`PID-8 | lookup sex` counts, from \"F\"; mappings/hl7v2/patient.toml:",
        "Patient-close is not emitted  (SITE/desk.toml:15)",
        "MSH-9.2 == \"A03\" does not hold: MSH-9.2 is \"A04\"",
        "EVN-5.1 in [\"a\", \"b\"] does not hold: EVN-5.1 is \"mlindqv\"",
        "] is left out: it has no value",
        "`.4.1 | lookup authority` gives nothing: \"LAKESIDE\" is not in the table",
    ] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    let json = site.succeed(&["map", &site.path("one.hl7"), "--explain", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let lines = json[0]["explanations"][0]["lines"].as_array().unwrap();
    let gender = lines.iter().find(|line| line["text"] == "patient.gender = \"female\"").unwrap();
    assert_eq!(gender["file"], "mappings/hl7v2/patient.toml");
    assert_eq!(gender["tried"][0], "`PID-8 | lookup sex` counts, from \"F\"");
}

#[test]
fn where_no_mapping_speaks_explain_tells_why_each_does_not() {
    let site = site();
    site.write("other.hl7", &MESSAGE.replace("|DESK|", "|NOBODY|"));
    let (code, said, _) = site.run(&["map", &site.path("other.hl7"), "--explain"]);
    assert_eq!(code, 1);
    for words in [
        "mapping desk (SITE/desk.toml)\ndoes not accept the message  (SITE/desk.toml:5)",
        "MSH-3.1 == \"DESK\" does not hold: MSH-3.1 is \"NOBODY\"",
        "mapping vendors/acme-ris",
        "error: no mapping speaks for this message",
    ] {
        assert!(said.contains(words), "no {words} in {said}");
    }
}

#[test]
fn show_prints_what_the_mapping_is_once_merged_and_where_each_line_is_from() {
    let base = r#"protocol = "hl7v2"
about = "not inherited"

[session]
user = "${ORC-10}"
workstation = "${ORC-18}"

[[event]]
name = "Patient-close"

[context.patient]
id = "${PID-3.1}"
gender = "${PID-8}"
deceasedBoolean = false

[[context.patient.identifier]]
value = "${PID-3.1}"

[[context.patient.name]]
family = "${PID-5.1}"

[[context.patient.telecom]]
value = "${PID-13}"

[table.sex]
M = "male"
"*" = "unknown"
"#;
    let child = r#"extends = "base"
about = "Everything that merges"

[session]
user = "${ORC-19}"

[[event]]
name = "Patient-open"

[context.patient]
gender = ""
telecom = []

[[context.patient.identifier]]
append = true
value = "${PID-2}"

[[context.patient.name]]
text = "${PID-5.2}"

[table.sex]
F = "female"
M = "m"

[table.empty]
"#;
    let grandchild = "extends = \"child\"\nevents = \"replace\"\n\n[[event]]\nname = \"UserLogout\"\n\n\
                      [context.patient]\nidentifier = [{ append = true, value = \"${PID-4}\" }]\n";
    let site = Site::new(&[("base.toml", base), ("child.toml", child), ("grandchild.toml", grandchild)]);
    insta::assert_snapshot!("show_child", site.succeed(&["map", "--show", "child"]));
    insta::assert_snapshot!("show_grandchild", site.succeed(&["map", "--show", "grandchild"]));
}

#[test]
fn what_cannot_be_shown_says_what_to_do() {
    let site = site();
    for (arguments, words) in [
        (vec!["map", "missing.hl7"], "cannot read missing.hl7"),
        (vec!["map", "missing.hl7", "--mapping", "dusk"], "there is no mapping `dusk`"),
        (vec!["map", "--show", "dusk"], "there are: ccow/base, desk, "),
    ] {
        let (code, _, errors) = site.run(&arguments);
        assert_eq!(code, 1);
        assert!(errors.contains(words), "no {words} in {errors}");
    }
    site.write("empty.hl7", "");
    let (code, _, errors) = site.run(&["map", &site.path("empty.hl7")]);
    assert_eq!(code, 1);
    assert!(errors.contains("there is no message"), "{errors}");
}
