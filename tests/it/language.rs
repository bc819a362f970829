//! The mapping language on HL7 v2: what its paths read, and what it repeats over, in whole messages.

use fhircast_gateway::mapping::{MappingSet, SourceFile};
use fhircast_gateway_mllp::Hl7v2;
use serde_json::{Value, json};

use crate::mappings::hl7;

/// What the mapping `text` makes of `message`.
fn outcome(text: &str, message: &str) -> Value {
    let file = SourceFile::named("test", &format!("protocol = \"hl7v2\"\n{text}"));
    let set = MappingSet::load(&[file], &[&Hl7v2]).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    set.mapping("test").unwrap().outcome(&*hl7(message.replace('\n', "\r").as_bytes()).unwrap())
}

const MESSAGE: &str = r#"MSH|^~\&|ACME|MAIN|||20260504081530||ORU^R01|1|P|2.5.1
EVN|R01|20260504081530
PID|1|old|1^^^A&1.2.3&ISO^MR~2^^^B^PI~3^^^A^SS||Okafor&van^Ngozi^A.||19700412|""
OBR|1|P1|F1|CT^Chest||||||||||||||ACC
OBX|1|UI|113014^Study^DCM||1.2.840.1~1.2.840.2
OBX|2|TX|18782-3^Impression||a ^ b & c
OBX|3|CE|1^Code with blank||X^Y&Z
NK1|1|Doe^Jane||||555-1^PRN~555-2^WPN
NK1|2|Doe^John
ZDS|1.2.3^x"#;

#[test]
fn paths_read_what_the_language_says() {
    for (expression, expected) in [
        ("PID-3", Some("1")),
        ("PID-3.1", Some("1")),
        ("PID.3.1", Some("1")),
        ("PID-3.4.2", Some("1.2.3")),
        ("PID-3[2].1", Some("2")),
        ("PID-3[2].4.2", None),
        ("PID-3[9].1", None),
        ("PID-3[*].1 | join '+'", Some("1+2+3")),
        ("PID-3[*].4.2 | join '+'", Some("1.2.3")),
        ("PID-3[5=MR].1", Some("1")),
        ("PID-3[5=PI].1", Some("2")),
        ("PID-3[4.2=1.2.3].1", Some("1")),
        ("PID-3[5=XX].1", None),
        ("PID-3[5=XX].1 or PID-2", Some("old")),
        ("PID-8 or PID-2", None),
        ("PID-8 | default 'U'", Some("U")),
        ("PID-18 or PID-8 or PID-2", None),
        ("PID-5.1", Some("Okafor")),
        ("PID-5.1.2", Some("van")),
        ("OBX-5", Some("1.2.840.1")),
        ("OBX[2]-5", Some("a ^ b & c")),
        ("OBX[3]-5", Some("X")),
        ("OBX[3]-5.2.2", Some("Z")),
        ("OBX[*]-1 | join ','", Some("1,2,3")),
        ("OBX[*]-5[*].1 | first", Some("1.2.840.1")),
        ("OBX[1]-5[2]", Some("1.2.840.2")),
        ("OBX[3.1=113014]-5 | oid", Some("urn:oid:1.2.840.1")),
        ("OBX[3.2=\"Code with blank\"]-5.2", Some("Y")),
        ("OBX[3.1=113014]-3.3", Some("DCM")),
        ("ORC-1 or OBR-18", Some("ACC")),
        ("OBR-4.2 | lower or 'none'", Some("chest")),
        ("ORC-1 or 'none' | upper", Some("NONE")),
        ("(ORC-1 or 'none') | upper", Some("NONE")),
        ("MSH-1", Some("|")),
        ("MSH-2", Some("^~\\&")),
        ("MSH-9.2", Some("R01")),
        ("ZDS-1.1 | oid", Some("urn:oid:1.2.3")),
        ("ZZZ-1", None),
    ] {
        let text = format!("[session]\nuser = '''${{{expression}}}'''\n");
        assert_eq!(outcome(&text, MESSAGE)["session"]["user"].as_str(), expected, "{expression}");
    }
}

#[test]
fn conditions_hold_on_paths_of_every_form() {
    for (condition, expected) in [
        ("PID-3[*].5 == 'SS'", true),
        ("PID-3.5 == 'SS'", false),
        ("PID-3[5=SS]", true),
        ("PID-3[5=XX]", false),
        ("ORC", false),
        ("OBR and not ORC", true),
        ("PID-8", false),
        ("PID-8 != 'F'", true),
        ("OBX[*]-2 in ['CE']", true),
        ("MSH-9.1 matches 'O?U' and MSH-9.2 not matches 'A*'", true),
        ("PID-2 == PID-3.1", false),
        ("PID-2 | upper == 'OLD'", true),
        ("MSH-12 == 2.5.1", true),
    ] {
        let text = format!("[[event]]\nname = 'UserLogout'\nwhen = \"{condition}\"\n");
        assert_eq!(outcome(&text, MESSAGE)["events"].as_array().unwrap().len() == 1, expected, "{condition}");
    }
}

#[test]
fn each_goes_over_segments_and_within_them_over_repetitions() {
    let text = r#"
[[event]]
name = "Patient-close"
[context.patient]
id = "1"
[[context.patient.contact]]
each = "NK1"
name.family = "${.2.1}"
name.given  = ["${.2.2}"]
[[context.patient.contact.telecom]]
each  = ".6"
value = "${.1}"
use   = "${.2}"
"#;
    assert_eq!(
        outcome(text, MESSAGE)["events"][0]["context"][0]["resource"]["contact"],
        json!([
            {
                "name": { "family": "Doe", "given": ["Jane"] },
                "telecom": [{ "value": "555-1", "use": "PRN" }, { "value": "555-2", "use": "WPN" }],
            },
            { "name": { "family": "Doe", "given": ["John"] } },
        ])
    );
}

#[test]
fn an_event_for_each_order_reads_its_own_order_and_none_of_another() {
    let text = r#"
occurred = "${ORC-9 | datetime or MSH-7 | datetime 'UTC'}"
[[event]]
name = "ImagingStudy-close"
each = "ORC"
when = "ORC-5 == 'CM'"
[context.patient]
id = "p"
[context.study]
id = "${first-identifier | uuid}"
status = "unknown"
identifier = [{ value = "${OBR-18.1}" }, { system = "urn:dicom:uid", value = "${ZDS-1.1 | oid}" }]
description = "${.2.1}"
"#;
    let message = r"MSH|^~\&|ACME|MAIN|||20260504081530||ORM^O01|1|P|2.3.1
PID|1||1^^^A^MR
ORC|SC|P1|F1||CM||||20260504080000Z
OBR|1|P1|F1|CT|||||||||||||||A1
ZDS|1.2.1
ORC|SC|P2|F2||IP
OBR|2|P2|F2|CT|||||||||||||||A2
ZDS|1.2.2
ORC|SC|P3|F3||CM
OBR|3|P3|F3|CT|||||||||||||||A3"
        .replace("|||||||||||||||A", "||||||||||||||A");
    let outcome = outcome(text, &message);
    let events: Vec<_> = outcome["events"]
        .as_array()
        .unwrap_or_else(|| panic!("{outcome}"))
        .iter()
        .map(|event| {
            let study = &event["context"][0]["resource"];
            (study["identifier"].clone(), study["description"].clone(), event["occurred"].clone())
        })
        .collect();
    assert_eq!(
        events,
        [
            (
                json!([{ "value": "A1" }, { "system": "urn:dicom:uid", "value": "urn:oid:1.2.1" }]),
                json!("P1"),
                json!("2026-05-04T08:00:00Z")
            ),
            (json!([{ "value": "A3" }]), json!("P3"), json!("2026-05-04T08:15:30Z")),
        ]
    );
}
