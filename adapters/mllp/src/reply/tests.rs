//! Answers, byte for byte.

use encoding_rs::{SHIFT_JIS, WINDOWS_1252};
use fhircast_gateway_adapter_api::{Fault, Grammar, Rejection};
use proptest::prelude::*;

use super::*;
use crate::path::Hl7v2;
use crate::settings::{Answers, Transient};

const ORDER: &str = "MSH|^~\\&|RIS|MAIN|GW|HUB|20260101||ORM^O01^ORM_O01|42|P|2.5.1\rPID|1\r";

fn stamp() -> Stamp {
    Stamp { now: Timestamp::from_second(1_767_268_800).unwrap(), control_id: "ID1".to_owned() }
}

fn rejected(fault: Fault, reason: &str, field: Option<&str>) -> Outcome {
    let field = field.map(|field| Hl7v2.path(field).unwrap());
    Outcome::Rejected(Rejection { fault, reason: reason.to_owned(), field })
}

fn missing(field: &str) -> Outcome {
    rejected(Fault::RequiredFieldMissing, "no study", Some(field))
}

fn answer(payload: &[u8], outcome: &Outcome, settings: &Settings) -> Vec<u8> {
    match to_outcome(payload, outcome, settings, &stamp()) {
        Reply::Acknowledge { payload, .. } => payload,
        other => panic!("no acknowledgement but {other:?}"),
    }
}

/// The answer, one segment a line, without its first.
fn lines(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).split('\r').skip(1).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn check(payload: &str, outcome: &Outcome, expected: &str) {
    assert_eq!(lines(&answer(payload.as_bytes(), outcome, &Settings::default())), expected, "{payload}");
}

#[test]
fn section_3_1_the_whole_answer() {
    let expected = "MSH|^~\\&|GW|HUB|RIS|MAIN|20260101120000.000+0000||ACK^O01^ACK|ID1|P|2.5.1\rMSA|AA|42\r";
    assert_eq!(answer(ORDER.as_bytes(), &Outcome::Accepted, &Settings::default()), expected.as_bytes());
}

fn check_header(payload: &str, expected: &str) {
    let bytes = answer(payload.as_bytes(), &Outcome::Accepted, &Settings::default());
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert_eq!(text.split('\r').next().unwrap(), expected, "{payload}");
}

#[test]
fn section_3_1_the_header_turns_the_senders_round() {
    let now = "20260101120000.000+0000";
    check_header("MSH|^~\\&|RIS|||||1|ORM|42|T|2.1", &format!("MSH|^~\\&|FHIRCAST-GATEWAY||RIS||{now}||ACK|ID1|T|2.1"));
    check_header(
        "MSH|^~\\&|R^x&y||G|||1|ORM^O01|42||2.3^USA",
        &format!("MSH|^~\\&|G||R^x&y||{now}||ACK^O01|ID1|P|2.3"),
    );
    check_header("MSH|^~\\&|R||G|||1|ORM^O01|42|P|2.3.1", &format!("MSH|^~\\&|G||R||{now}||ACK^O01^ACK|ID1|P|2.3.1"));
    check_header("MSH|^~\\&|R||G|||1|ORM^O01|42|P", &format!("MSH|^~\\&|G||R||{now}||ACK^O01^ACK|ID1|P|2.5.1"));
    check_header("MSH$*#!%$R$$G$$$1$ORM*O01$42$P$2.5", &format!("MSH$*#!%$G$$R$${now}$$ACK*O01*ACK$ID1$P$2.5"));
    check_header(
        "MSH|^~\\&|R||G|||1|ORM^O01|42|P|2.5||||||8859/1",
        &format!("MSH|^~\\&|G||R||{now}||ACK^O01^ACK|ID1|P|2.5||||||8859/1"),
    );
}

#[test]
fn section_3_2_errors_name_the_field_from_2_5_on() {
    check(
        ORDER,
        &missing("OBX[2]-5[3].4.2"),
        "MSA|AE|42|no study\nERR||OBX^2^5^3^4^2|101^Required field missing^HL70357|E|||OBX[2]-5[3].4.2|no study",
    );
    check(
        ORDER,
        &missing("PID-3[5=MR].1"),
        "MSA|AE|42|no study\nERR||PID^1^3^1^1|101^Required field missing^HL70357|E|||PID-3[5=MR].1|no study",
    );
    check(ORDER, &missing("ORC"), "MSA|AE|42|no study\nERR||ORC^1|101^Required field missing^HL70357|E|||ORC|no study");
    check(
        ORDER,
        &rejected(Fault::Internal, "a & b", None),
        "MSA|AE|42|a \\T\\ b\nERR|||207^Application internal error^HL70357|E||||a \\T\\ b",
    );
}

#[test]
fn section_3_2_errors_are_subcomponents_before_2_5() {
    let order = ORDER.replace("2.5.1", "2.3");
    check(&order, &missing("PID-3.1"), "MSA|AE|42|no study\nERR|PID^1^3^101&Required field missing&HL70357");
    check(&order, &rejected(Fault::CodeUnknown, "x", None), "MSA|AE|42|x\nERR|^^^103&Table value not found&HL70357");
}

#[test]
fn separators_that_the_sender_does_not_use_are_not_used() {
    let order = "MSH|^|RIS|||||1|ORM^O01|42|P|2.3";
    check(order, &missing("PID-3.1"), "MSA|AE|42|no study\nERR|PID^1^3^101");
    check(order, &rejected(Fault::Internal, "a^b|c", None), "MSA|AE|42|a b c\nERR|^^^207");
}

#[test]
fn section_3_2_each_fault_has_its_code() {
    let code = |fault| lines(&answer(ORDER.as_bytes(), &rejected(fault, "x", None), &Settings::default()));
    assert!(code(Fault::RequiredFieldMissing).starts_with("MSA|AE|42|x\nERR|||101^"));
    assert!(code(Fault::ValueUnreadable).starts_with("MSA|AE|42|x\nERR|||102^"));
    assert!(code(Fault::CodeUnknown).starts_with("MSA|AE|42|x\nERR|||103^"));
    assert!(code(Fault::KindUnsupported).starts_with("MSA|AR|42|x\nERR|||200^"));
    assert!(code(Fault::Internal).starts_with("MSA|AE|42|x\nERR|||207^"));
}

#[test]
fn which_outcome_gives_which_code_can_be_set() {
    let unavailable = Outcome::Unavailable { reason: "the store is full".to_owned() };
    assert_eq!(to_outcome(ORDER.as_bytes(), &unavailable, &Settings::default(), &stamp()), Reply::Close);
    check(ORDER, &Outcome::Ignored, "MSA|AA|42");
    let answers = Answers { ignored: Code::AR, rejected: Code::AA, unsupported: Code::AE, transient: Transient::AR };
    let settings = Settings { answer: answers, ..Settings::default() };
    let code = |outcome: &Outcome| lines(&answer(ORDER.as_bytes(), outcome, &settings));
    assert!(code(&Outcome::Ignored).starts_with("MSA|AR|42|no mapping speaks"));
    assert_eq!(code(&missing("PID-3")), "MSA|AA|42");
    assert!(code(&rejected(Fault::KindUnsupported, "x", None)).starts_with("MSA|AE|42|x\nERR|||200^"));
    assert!(code(&unavailable).starts_with("MSA|AR|42|the store is full\nERR|||207^"));
}

fn check_mode(conditions: &str, words: [Option<&str>; 3]) {
    let settings = Settings { ack_mode: AckMode::Enhanced, ..Settings::default() };
    let order = format!("MSH|^~\\&|RIS|||||1|ORM^O01|42|P|2.3|||{conditions}");
    let outcomes = [Outcome::Accepted, missing("PID-3"), rejected(Fault::KindUnsupported, "x", None)];
    for (outcome, word) in outcomes.iter().zip(words) {
        let said = match to_outcome(order.as_bytes(), outcome, &settings, &stamp()) {
            Reply::Acknowledge { payload, .. } => Some(lines(&payload)[4..6].to_owned()),
            Reply::Nothing => None,
            Reply::Close => panic!("{conditions} closes"),
        };
        assert_eq!(said.as_deref(), word, "{conditions} {outcome:?}");
    }
}

#[test]
fn section_3_3_enhanced_mode_answers_by_msh_15() {
    let application = [Some("AA"), Some("AE"), Some("AR")];
    check_mode("|", application);
    check_mode("NE|AL", application);
    check_mode("|AL", application);
    check_mode("AL|NE", [Some("CA"), Some("CE"), Some("CR")]);
    check_mode("AL|AL", [Some("CA"), Some("CE"), Some("CR")]);
    check_mode("ER|NE", [Some("AA"), Some("CE"), Some("CR")]);
    check_mode("SU|NE", [Some("CA"), Some("AE"), Some("AR")]);
    check_mode("XX|NE", application);
    check_mode("NE|NE", [None, None, None]);
}

#[test]
fn section_3_3_original_mode_does_not_heed_msh_15() {
    check("MSH|^~\\&|RIS|||||1|ORM^O01|42|P|2.3|||AL|NE", &Outcome::Accepted, "MSA|AA|42");
    check("MSH|^~\\&|RIS|||||1|ORM^O01|42|P|2.3|||NE|NE", &Outcome::Accepted, "MSA|AA|42");
}

fn check_refusal(payload: &str, reason: Reason, expected: &str) {
    let Reply::Acknowledge { payload: answer, .. } =
        to_refusal(payload.as_bytes(), reason, &Settings::default(), &stamp())
    else {
        panic!("no acknowledgement");
    };
    assert!(lines(&answer).starts_with(expected), "{payload:?}: {}", lines(&answer));
}

#[test]
fn section_2_2_refusals_say_what_is_wrong_and_where() {
    let order = "MSH|^~\\&|A|||||1|ORM^O01|42|P|2.5";
    check_refusal("", Reason::Empty, "MSA|AR||the frame is empty\nERR|||100^Segment sequence error^HL70357|E");
    check_refusal("GET /", Reason::NoHeader, "MSA|AR||the frame does not start with an MSH segment\nERR|||100^");
    check_refusal("<ORM/>", Reason::Xml, "MSA|AR||v2 XML is not accepted here, send ER7\nERR|||200^");
    check_refusal(
        "MSH|^~\\&|A|B",
        Reason::KindMissing,
        "MSA|AR||MSH-9, the message type, is missing\nERR||MSH^1^9|101^",
    );
    check_refusal(
        order,
        Reason::ControlIdMissing,
        "MSA|AR|42|MSH-10, the message control id, is missing\nERR||MSH^1^10|101^",
    );
    check_refusal(order, Reason::VersionUnknown, "MSA|AR|42|the version in MSH-12 is not accepted here");
    check_refusal(order, Reason::Charset(crate::charset::CharsetError::Mismatch), "MSA|AE|42|the message is not in");
    check_refusal(order, Reason::TooLong, "MSA|AR|42|the message is longer than is accepted here\nERR|||207^");
    check_refusal(
        "MSH|^^\\&|A|||||1|ORM^O01|42|P|2.5",
        Reason::Separators(crate::separators::SeparatorsError::Ambiguous),
        "MSA|AR|42|MSH-1 and MSH-2 cannot be used: two separators are the same\nERR||MSH^1^2|102^",
    );
}

#[test]
fn section_3_1_without_a_readable_header_the_answer_has_empty_names() {
    let Reply::Acknowledge { payload, .. } = to_refusal(b"junk", Reason::NoHeader, &Settings::default(), &stamp())
    else {
        panic!("no acknowledgement");
    };
    assert!(payload.starts_with(b"MSH|^~\\&|||||20260101120000.000+0000||ACK|ID1|P|2.5.1\rMSA|AR||"));
}

#[test]
fn the_control_id_is_echoed_byte_for_byte() {
    for id in [&b" A\\T\\B^C "[..], b"\xe9\xff", "ü".as_bytes(), b"\x83\x5c~&"] {
        let order = [b"MSH|^~\\&|RIS|||||1|ORM^O01|", id, b"|P|2.3"].concat();
        let expected = [b"MSA|AA|", id, b"\r"].concat();
        let answer = answer(&order, &Outcome::Accepted, &Settings::default());
        assert!(answer.ends_with(&expected), "{}", answer.escape_ascii());
    }
}

#[test]
fn controls_are_not_echoed_since_they_would_break_the_framing() {
    check("MSH|^~\\&|RIS|||||1|ORM^O01|4\x0b\x1c2\0|P|2.3", &Outcome::Accepted, "MSA|AA|42");
}

#[test]
fn our_own_words_are_in_the_senders_character_set() {
    let text = |charset: &str, reason: &str| {
        let order = format!("MSH|^~\\&|RIS|||||1|ORM^O01|42|P|2.3||||||{charset}");
        let answer = answer(order.as_bytes(), &rejected(Fault::Internal, reason, None), &Settings::default());
        let msa = answer.split(|byte| *byte == b'\r').nth(1).unwrap().to_vec();
        msa[b"MSA|AE|42|".len()..].to_vec()
    };
    assert_eq!(text("8859/1", "Größe"), &*WINDOWS_1252.encode("Größe").0);
    assert_eq!(text("ISO IR14", "山"), &*SHIFT_JIS.encode("山").0);
    assert_eq!(text("UNICODE UTF-8", "Größe"), "Größe".as_bytes());
    assert_eq!(text("8859/1", "山"), b"?");
    assert_eq!(text("", "Größe"), b"Gr??e");
}

#[test]
fn long_texts_are_cut_in_msa_and_whole_in_err() {
    let reason = "ü".repeat(100);
    let order = ORDER.replace("|2.5.1", "|2.5.1||||||UTF-8");
    let answer = lines(&answer(order.as_bytes(), &rejected(Fault::Internal, &reason, None), &Settings::default()));
    let (msa, err) = answer.split_once('\n').unwrap();
    assert_eq!(msa, format!("MSA|AE|42|{}", "ü".repeat(80)));
    assert!(err.ends_with(&format!("|{reason}")));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_no_answer_breaks_the_framing(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        start in "(|MSH[|^A]|MSH\\|\\^~\\\\&\\|A\\|\\|\\|\\|\\|1\\|)",
    ) {
        let payload = [start.as_bytes(), &bytes].concat();
        for outcome in [Outcome::Accepted, missing("PID-3.1")] {
            if let Reply::Acknowledge { payload, .. } = to_outcome(&payload, &outcome, &Settings::default(), &stamp()) {
                prop_assert!(payload.iter().all(|byte| *byte >= b' ' || *byte == b'\r' || *byte == 0x1B));
                prop_assert!(payload.starts_with(b"MSH"));
            }
        }
    }
}
