//! What paths read, by tables over whole messages; and that nothing panics.

use fhircast_gateway_adapter_api::Grammar;
use proptest::prelude::*;

use super::*;
use crate::path::Hl7v2;

fn message(text: &str) -> Message {
    message_of(text.replace('\n', "\r").as_bytes())
}

fn message_of(bytes: &[u8]) -> Message {
    Message::read(Bytes::copy_from_slice(bytes), Policy::default()).expect("the message is readable")
}

fn path(text: &str) -> Path {
    Hl7v2.path(text).unwrap_or_else(|error| panic!("{text}: {}", error.message))
}

fn owned(value: Value<'_>) -> Option<String> {
    match value {
        Value::Absent => None,
        Value::Deleted => Some("(deleted)".to_owned()),
        Value::Text(text) => Some(text.into_owned()),
    }
}

fn check(fields: &dyn Fields, rows: &[(&str, Option<&str>)]) {
    for (text, expected) in rows {
        assert_eq!(owned(fields.first(&path(text))).as_deref(), *expected, "{text}");
    }
}

fn check_all(fields: &dyn Fields, text: &str, expected: &[&str]) {
    let values: Vec<_> = fields.all(&path(text)).into_iter().filter_map(owned).collect();
    assert_eq!(values, expected, "{text}");
}

/// What `inner` is in each repetition at `outer`.
fn check_each(fields: &dyn Fields, outer: &str, inner: &str, expected: &[Option<&str>]) {
    let values: Vec<_> = fields.each(&path(outer)).iter().map(|part| owned(part.first(&path(inner)))).collect();
    let values: Vec<_> = values.iter().map(Option::as_deref).collect();
    assert_eq!(values, expected, "{inner} in each {outer}");
}

const ADMISSION: &str = "MSH|^~\\&|RIS|MAIN|GW|HUB|20260101||ADT^A04^ADT_A01|42|P|2.5.1\n\
    EVN||20260102\n\
    PID|1||12345^^^HOSP&1.2.3&ISO^MR~999^^^GOV&4.5.6&ISO^SS||SMITH&VAN^JOHN^Q||19700101|M|\"\"||\"\"^X~\"\"\n\
    PV1|1|I|WARD^3&4\n\
    NTE|1||1 & 2 ^ 3~4\n\
    OBX|1|TX|A^B||line ~ a^b & c\n\
    OBX|2|CE|113014^Study||1.2.840^X~7&8\n\
    OBX|3|ST|\"\"||AT\\T\\T\n\
    ZU1|drjones|WS-7";

#[test]
fn section_5_paths_read_fields() {
    check(
        &message(ADMISSION),
        &[
            ("PID-3", Some("12345")),
            ("PID-3.1", Some("12345")),
            ("PID-3.1.1", Some("12345")),
            ("PID-3.1.2", None),
            ("PID-3.4", Some("HOSP")),
            ("PID-3.4.2", Some("1.2.3")),
            ("PID-3[2].1", Some("999")),
            ("PID-3[2].4.2", Some("4.5.6")),
            ("PID-3[3].1", None),
            ("PID-3[*].5", Some("MR")),
            ("PID-3[5=SS].1", Some("999")),
            ("PID-3[4.2=1.2.3].1", Some("12345")),
            ("PID-3[5=AN].1", None),
            ("PID-5", Some("SMITH")),
            ("PID-5.1", Some("SMITH")),
            ("PID-5.1.2", Some("VAN")),
            ("PID-5.2", Some("JOHN")),
            ("PID-8", Some("M")),
            ("PID-8.1", Some("M")),
            ("PID-8.2", None),
            ("PID-40", None),
            ("ZZZ-1", None),
            ("PID", Some("PID")),
            ("ORC", None),
            (".1", None),
        ],
    );
}

#[test]
fn section_4_1_deleted_is_not_absent() {
    check(
        &message(ADMISSION),
        &[
            ("PID-9", Some("(deleted)")),
            ("PID-9.4", Some("(deleted)")),
            ("PID-9[2].1", Some("(deleted)")),
            ("PID-9[5=MR].1", Some("(deleted)")),
            ("PID-10", None),
            ("PID-11", Some("(deleted)")),
            ("PID-11.1", Some("(deleted)")),
            ("PID-11.2", Some("X")),
            ("PID-11[2].3", Some("(deleted)")),
            ("PID-11[3].1", None),
        ],
    );
}

#[test]
fn msh_counts_its_own_separator() {
    check(
        &message(ADMISSION),
        &[
            ("MSH-1", Some("|")),
            ("MSH-2", Some("^~\\&")),
            ("MSH-3", Some("RIS")),
            ("MSH-9.2", Some("A04")),
            ("MSH-10", Some("42")),
            ("MSH-12", Some("2.5.1")),
        ],
    );
}

#[test]
fn section_4_1_text_that_is_named_alone_is_read_whole() {
    check(
        &message(ADMISSION),
        &[
            ("OBX-5", Some("line ~ a^b & c")),
            ("OBX-5.1", Some("line ")),
            ("OBX-5[2]", Some(" a^b & c")),
            ("NTE-3", Some("1 & 2 ^ 3~4")),
            ("OBX[2]-5", Some("1.2.840")),
            ("OBX[3]-5", Some("AT&T")),
        ],
    );
}

#[test]
fn section_5_segments_are_chosen_by_number_and_by_value() {
    let message = message(ADMISSION);
    check(
        &message,
        &[
            ("OBX[2]-3.2", Some("Study")),
            ("OBX[3.1=113014]-5", Some("1.2.840")),
            ("OBX[3.1=113014]-5[2].1.2", Some("8")),
            ("OBX[3.1=nothing]-5", None),
            ("OBX[4]-1", None),
        ],
    );
    check_all(&message, "OBX[*]-1", &["1", "2", "3"]);
    check_all(&message, "OBX[*]-3", &["A", "113014", "(deleted)"]);
    check_all(&message, "PID-3[*].1", &["12345", "999"]);
    check_all(&message, "PID-3.1", &["12345"]);
    check_all(&message, "PID-10[*]", &[]);
}

#[test]
fn each_goes_through_repetitions_and_segments() {
    let message = message(ADMISSION);
    check_each(&message, "PID-3", ".1", &[Some("12345"), Some("999")]);
    check_each(&message, "PID-3", ".4.2", &[Some("1.2.3"), Some("4.5.6")]);
    check_each(&message, "PID-3", ".4.2.1", &[None, None]);
    check_each(&message, "PID-3", ".1[2]", &[None, None]);
    check_each(&message, "PID-3", "MSH-3", &[Some("RIS"), Some("RIS")]);
    check_each(&message, "PID-3[2]", ".1", &[Some("999")]);
    check_each(&message, "PID-3[5=SS]", ".1", &[Some("999")]);
    check_each(&message, "PID-3.4", ".1", &[Some("HOSP"), Some("GOV")]);
    check_each(&message, "PID-3.4.1", ".1", &[None, None]);
    check_each(&message, "OBX", ".3.1", &[Some("A"), Some("113014"), Some("(deleted)")]);
    check_each(&message, "OBX[3.1=113014]", ".5[2].1.2", &[Some("8")]);
    check_each(&message, "OBX[*]-5", ".1", &[Some("line "), Some(" a"), Some("1.2.840"), Some("7"), Some("AT&T")]);
    check_each(&message, "PID-9", ".1", &[]);
    check_each(&message, "PID-10", ".1", &[]);
    check_each(&message, "ORC", ".1", &[]);
    let nested = message.each(&path("OBX[2]"));
    check_each(&*nested[0], ".5", ".1", &[Some("1.2.840"), Some("7")]);
    let repetition = message.each(&path("PID-3"));
    check_each(&*repetition[0], ".4", ".2", &[Some("1.2.3")]);
}

const TWO_ORDERS: &str = "MSH|^~\\&|RIS|||||20260101|ORM^O01|1|P|2.3\n\
    PID|1||P1\nPV1|1|O\nNTE|1||about the patient\nZU1|drjones\n\
    ORC|SC|A\nOBR|1|A1\nNTE|1||first\nOBX|1|ST|113014||1.1\nZDS|1.1\n\
    ORC|CA|B\nOBR|2|B1\nTQ1|1\nOBX|1|ST|113014||2.2\nOBX|2|ST|110180||2.3\nZX1|b\n\
    OBR|3|C1\nZDS|3.3";

#[test]
fn section_6_3_orders_are_never_mixed() {
    let message = message(TWO_ORDERS);
    check(
        &message,
        &[
            ("ORC-2", Some("A")),
            ("OBR-2", Some("A1")),
            ("TQ1-1", None),
            ("ZX1-1", None),
            ("ZU1-1", Some("drjones")),
            ("NTE-3", Some("first")),
            ("OBX[3.1=110180]-5", None),
            ("ORC[2]-2", Some("B")),
            ("OBX[3]-5", Some("2.3")),
        ],
    );
    check_all(&message, "OBX[*]-5", &["1.1", "2.2", "2.3"]);
    check_all(&message, "ZDS[*]-1", &["1.1", "3.3"]);
}

#[test]
fn section_6_3_each_order_sees_its_own_segments_and_the_patient() {
    let message = message(TWO_ORDERS);
    check_each(&message, "ORC", ".1", &[Some("SC"), Some("CA")]);
    check_each(&message, "ORC", "ORC-2", &[Some("A"), Some("B")]);
    check_each(&message, "ORC", "OBR-2", &[Some("A1"), Some("B1")]);
    check_each(&message, "ORC", "ZDS-1", &[Some("1.1"), None]);
    check_each(&message, "ORC", "OBX[3.1=110180]-5", &[None, Some("2.3")]);
    check_each(&message, "ORC", "OBX[2]-5", &[None, Some("2.3")]);
    check_each(&message, "ORC", "NTE-3", &[Some("first"), None]);
    check_each(&message, "ORC", "PID-3", &[Some("P1"), Some("P1")]);
    check_each(&message, "ORC", "PV1-2", &[Some("O"), Some("O")]);
    check_each(&message, "ORC", "ZU1-1", &[Some("drjones"), Some("drjones")]);
    check_each(&message, "ORC", "ZX1-1", &[None, Some("b")]);
    check_each(&message, "OBR", "ZDS-1", &[Some("1.1"), None, Some("3.3")]);
    check_each(&message, "ZDS", "OBR-2", &[Some("A1"), Some("C1")]);
    check_each(&message, "OBX[*]-5", "OBR-2", &[Some("A1"), Some("B1"), Some("B1")]);
    let order = message.each(&path("ORC"));
    check_all(&*order[1], "OBX[*]-5", &["2.2", "2.3"]);
    check_each(&*order[1], "OBX", ".5", &[Some("2.2"), Some("2.3")]);
    check_each(&*order[1], "PID-3", "ORC-2", &[Some("B")]);
}

const TWO_PATIENTS: &str = "MSH|^~\\&|LAB|||||20260101|ORU^R01|1|P|2.3\n\
    PID|1||P1\nORC|RE|A\nOBR|1|A1\nPID|2||P2\nPV1|1|I\nORC|RE|B\nOBR|1|B1\nPID|3||P3\nOBX|1|ST|x||y";

#[test]
fn patients_of_one_message_are_never_mixed() {
    let message = message(TWO_PATIENTS);
    check(&message, &[("PID-3", Some("P1")), ("ORC-2", Some("A")), ("PV1-2", None), ("PID[2]-3", Some("P2"))]);
    check_each(&message, "ORC", "PID-3", &[Some("P1"), Some("P2")]);
    check_each(&message, "ORC", "PV1-2", &[None, Some("I")]);
    check_each(&message, "ORC", "MSH-3", &[Some("LAB"), Some("LAB")]);
    check_each(&message, "PID", "ORC-2", &[Some("A"), Some("B"), None]);
    check_each(&message, "PID", ".3", &[Some("P1"), Some("P2"), Some("P3")]);
}

#[test]
fn merges_keep_each_patient_with_its_own_old_identifier() {
    let merge = message("MSH|^~\\&|ADT|||||20260101|ADT^A40|1|P|2.3\nPID|1||N1\nMRG|O1\nPID|2||N2\nMRG|O2");
    check(&merge, &[("PID-3", Some("N1")), ("MRG-1", Some("O1"))]);
    check_each(&merge, "PID", "MRG-1", &[Some("O1"), Some("O2")]);
}

#[test]
fn segments_out_of_their_place_are_found_where_that_is_safe() {
    check(
        &message("MSH|^~\\&|RIS|||||20260101|ORM^O01|1|P|2.3\nORC|SC|A\nPID|1||P1\nOBR|1|A1\nPV1|1|O"),
        &[("PID-3", Some("P1")), ("ORC-2", Some("A")), ("OBR-2", Some("A1")), ("PV1-2", Some("O"))],
    );
}

#[test]
fn own_and_missing_separators_are_taken_as_declared() {
    check(
        &message("MSH$*#!%$RIS$MAIN$$$1$$ORM*O01$1$P$2.3\nPID$1$$A*B#C*D%E$$x!T!y^z"),
        &[("MSH-1", Some("$")), ("MSH-9.2", Some("O01")), ("PID-3[2].2.2", Some("E")), ("PID-5", Some("x%y^z"))],
    );
    check(
        &message("MSH|^~&|RIS|||||1|ORM^O01|1|P|2.3\nPID|1||A^B\\T\\&C"),
        &[("PID-3.2", Some("B\\T\\")), ("PID-3.2.2", Some("C"))],
    );
    check(
        &message("MSH|^|RIS|||||1|ORM^O01|1|P|2.3\nPID|1||A~B&C^D"),
        &[("PID-3", Some("A~B&C")), ("PID-3.2", Some("D"))],
    );
}

#[test]
fn lines_end_in_any_way_and_stray_ones_are_left_out() {
    for end in ["\r", "\n", "\r\n"] {
        let message = message_of(ADMISSION.replace('\n', end).as_bytes());
        check(&message, &[("PID-8", Some("M")), ("ZU1-2", Some("WS-7"))]);
        assert_eq!(message.oddities().count(), 0);
    }
    let wrapped = message("MSH|^~\\&|RIS|||||1|ORM^O01|1|P|2.3\nNTE|1||one\ntwo|three\n\n   \nPID|1||7\nZ|1\npid|1");
    check(&wrapped, &[("NTE-3", Some("one")), ("PID-3", Some("7"))]);
    assert_eq!(wrapped.oddities().collect::<Vec<_>>(), [Oddity::StrayLine]);
}

fn check_charset(declaration: &str, name: &[u8], expected: &str) {
    let start = format!("MSH|^~\\&|RIS|||||1|ORM^O01|1|P|2.3||||||{declaration}\rPID|1||7||");
    let bytes = [start.as_bytes(), name, b"^AFTER\rPV1|1|O\r"].concat();
    let message = message_of(&bytes);
    check(&message, &[("PID-5", Some(expected)), ("PID-5.2", Some("AFTER")), ("PV1-2", Some("O"))]);
    assert_eq!(message.raw(), &bytes, "the raw bytes stay as received");
}

#[test]
fn section_4_4_values_are_decoded_by_msh_18() {
    check_charset("8859/1", b"M\xfcller", "Müller");
    check_charset("8859/2", b"\xa3\xf3d\xbc", "Łódź");
    check_charset("UNICODE UTF-8", "Müller".as_bytes(), "Müller");
    check_charset("8859/1", "Müller".as_bytes(), "Müller");
    check_charset("", "Müller".as_bytes(), "Müller");
    check_charset("", b"M\xfcller", "Müller");
    check_charset("KS X 1001", b"\xb1\xe8", "김");
}

#[test]
fn section_4_4_second_bytes_that_look_like_separators_do_not_split() {
    // 表, ソ and 能 end in `\` in Shift_JIS, ポ in `|`; 功 ends in `\` in Big5.
    check_charset("ISO IR14", b"\x95\x5c\x83\x7c\x83\x5c", "表ポソ");
    check_charset("BIG-5", b"\xa5\x5c", "功");
    check_charset("GB 18030-2000", b"\x81\x5c", "乗");
    check_charset("~ISO IR87", b"\x1b$B;3ED\x1b(B", "山田");
}

#[test]
fn control_characters_do_not_come_through() {
    check(
        &message("MSH|^~\\&|RIS|||||1|ORM^O01|1|P|2.3\nPID|1||A\0B\\X07\\||\0"),
        &[("PID-3", Some("AB")), ("PID-5", None)],
    );
}

#[test]
fn an_unknown_escape_is_told_of_once_its_value_was_read() {
    let message = message("MSH|^~\\&|RIS|||||1|ORM^O01|1|P|2.3\nPID|1||C:\\temp");
    assert_eq!(message.oddities().count(), 0);
    check(&message, &[("PID-3", Some("C:\\temp"))]);
    assert_eq!(message.oddities().collect::<Vec<_>>(), [Oddity::EscapeUnknown]);
}

#[test]
fn what_the_gateway_is_told_comes_from_msh() {
    let message = Arc::new(message("MSH|^~\\&|RIS^x|MAIN|||1||ORM^O01^ORM_O01| A\\T\\B |P|2.3"));
    let inbound = message.inbound(&Arc::from("ris-east"));
    assert_eq!(&*inbound.source, "ris-east");
    assert_eq!(inbound.sender, "RIS^x|MAIN");
    assert_eq!(inbound.control_id, " A\\T\\B ");
    assert_eq!(inbound.kind, "ORM^O01");
}

#[test]
fn section_2_2_what_cannot_be_answered_as_a_message_is_refused() {
    let check = |text: &str, expected: Reason| {
        let refusal = Message::read(Bytes::copy_from_slice(text.as_bytes()), Policy::default()).expect_err(text);
        assert_eq!(refusal.0, expected, "{text}");
    };
    check("", Reason::Empty);
    check(" \r\n", Reason::Empty);
    check("<ORM_O01 xmlns='urn:hl7-org:v2xml'/>", Reason::Xml);
    check("PID|1", Reason::NoHeader);
    check("GET / HTTP/1.1", Reason::NoHeader);
    check("MSH|^~\\&|A|B", Reason::KindMissing);
    check("MSH|^~\\&|||||||ORM^O01||P|2.3", Reason::ControlIdMissing);
    check("MSH|^~\\&|||||||ORM^O01|1|P|9.9", Reason::VersionUnknown);
    check("MSH|^^\\&|||||||ORM^O01|1|P|2.3", Reason::Separators(crate::separators::SeparatorsError::Ambiguous));
    check("MSH|^~\\&|||||||ORM^O01|1|P|2.3||||||UNICODE UTF-16", Reason::Charset(charset::CharsetError::CannotTravel));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), charset in "(|8859/1|ISO IR14|UTF-8)") {
        let start = format!("MSH|^~\\&|A|||||1|ORM^O01|1|P|2.3||||||{charset}\r");
        read_everything(&[start.as_bytes(), &bytes].concat());
        read_everything(&bytes);
    }

    #[test]
    fn no_separators_and_no_segments_panic(
        encoding in "[!-/:-@\\[-`{-~]{1,5}",
        body in "((ORC|OBR|PID|OBX|NTE|ZDS|MSH|pid)([|^~&\\\\\"A1]{0,12})\r){0,8}",
    ) {
        read_everything(format!("MSH|{encoding}|A|||||1|ORM^O01|1|P|2.3\r{body}").as_bytes());
    }

    #[test]
    fn any_separators_split_what_was_joined(
        separators in Just(b"!#$%&'()*+,-./:;<=>?@[\\]^_`{|}~".to_vec()).prop_shuffle(),
        values in proptest::collection::vec("[A-Za-z0-9]{1,8}", 4),
    ) {
        let [field, component, repetition, escape, subcomponent] = [0, 1, 2, 3, 4].map(|at| char::from(separators[at]));
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| values[at].as_str());
        let text = format!(
            "MSH{field}{component}{repetition}{escape}{subcomponent}{field}A{0}ORM{field}1{field}P{field}2.3\r\
             PID{field}{a}{repetition}{b}{component}{c}{subcomponent}{d}{escape}T{escape}{d}\r",
            field.to_string().repeat(6),
        );
        let message = message_of(text.as_bytes());
        let joined = format!("{d}{subcomponent}{d}");
        check(&message, &[("PID-1", Some(a)), ("PID-1[2]", Some(b)), ("PID-1[2].2", Some(c)), ("PID-1[2].2.2", Some(&joined))]);
    }
}

fn read_everything(bytes: &[u8]) {
    let Ok(message) = Message::read(Bytes::copy_from_slice(bytes), Policy::default()) else { return };
    for text in ["PID-3", "MSH-1", "MSH-2", "OBX[2]-5", "OBX[3.1=A]-5[*].1.1", "PID-1[1=A].1", "ORC", "ZDS-1.9.9"] {
        let path = path(text);
        let _ = message.first(&path);
        let _ = message.all(&path);
        for part in message.each(&path) {
            for inner in [".1", ".3[2].1", "ORC-1", "OBX[*]-5"].map(self::path) {
                let _ = part.all(&inner);
                part.each(&inner).iter().for_each(|part| drop(part.first(&inner)));
            }
        }
    }
}
