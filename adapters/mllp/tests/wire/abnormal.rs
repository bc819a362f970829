//! HL7 v2 reference, section 2.2: each row of its table is a test here. That the same message twice is published once is
//! the gateway's to prove.

use bytesize::ByteSize;
use fhircast_gateway_adapter_api::{Fault, Outcome, Rejection};
use fhircast_gateway_mllp::Settings;
use fhircast_gateway_mllp::settings::Batch;
use jiff::SignedDuration;
use tokio::io::AsyncWriteExt;

use crate::fixture::{Gateway, frame, order, order_text, soon};

/// Writes `bytes`, then a good message: the answers are `expected`, then the good one's. So silence shows as well.
async fn check(bytes: &[u8], expected: &[&str], counter: Option<&str>) {
    check_with(Settings::default(), bytes, expected, counter).await;
}

async fn check_with(settings: Settings, bytes: &[u8], expected: &[&str], counter: Option<&str>) {
    let gateway = Gateway::with(settings, []).await;
    let mut peer = gateway.peer().await;
    peer.write(bytes).await;
    for start in expected {
        peer.expect(start).await;
    }
    peer.write(&order("good")).await;
    peer.expect("MSA|AA|good").await;
    if let Some(counter) = counter {
        assert!(gateway.count(counter) > 0, "{counter} has counted {}", bytes.escape_ascii());
    }
}

/// What the gateway saw of one message, and the answer.
async fn check_name(payload: &[u8], name: Option<&str>) {
    let gateway = Gateway::start().await;
    let mut peer = gateway.peer().await;
    peer.write(&frame(payload)).await;
    peer.expect("MSA|AA|").await;
    let seen = gateway.seen();
    assert_eq!(seen[0].name.as_deref(), name, "{}", payload.escape_ascii());
    assert_eq!(seen[0].raw, payload, "the journal gets the bytes as received");
}

#[tokio::test]
async fn two_frames_in_one_write_have_two_answers_in_order() {
    check(&[order("1"), order("2"), order("3")].concat(), &["MSA|AA|1", "MSA|AA|2", "MSA|AA|3"], None).await;
}

#[tokio::test]
async fn a_frame_in_many_packets_is_one_message() {
    let gateway = Gateway::start().await;
    let mut peer = gateway.peer().await;
    peer.stream.set_nodelay(true).unwrap();
    for byte in order("1") {
        peer.write(&[byte]).await;
    }
    peer.expect("MSA|AA|1").await;
    let (start, end) = (order("2"), b"\r".as_slice());
    peer.write(&start[..start.len() - 1]).await;
    peer.expect("MSA|AA|2").await;
    peer.write(end).await;
    peer.write(&order("3")).await;
    peer.expect("MSA|AA|3").await;
    assert_eq!(gateway.control_ids(), ["1", "2", "3"]);
    assert_eq!(gateway.count("trailer_missing"), 0);
}

#[tokio::test]
async fn an_end_block_without_a_return_is_taken_at_once() {
    let [a, b] = ["1", "2"].map(|id| order(id)[..order(id).len() - 1].to_vec());
    check(&a, &["MSA|AA|1"], None).await;
    check(&[a, b].concat(), &["MSA|AA|1", "MSA|AA|2"], Some("trailer_missing")).await;
}

#[tokio::test]
async fn a_line_feed_in_the_trailer_is_dropped() {
    let end = order("1").len() - 1;
    check(&[&order("1")[..end], b"\n"].concat(), &["MSA|AA|1"], Some("trailer_line_feed")).await;
    check(&[&order("1")[..], b"\n"].concat(), &["MSA|AA|1"], Some("trailer_line_feed")).await;
}

#[tokio::test]
async fn blanks_between_frames_are_dropped() {
    check(&[&order("1")[..], b"  \r\n\r\n\0"].concat(), &["MSA|AA|1"], Some("blank_between_frames")).await;
}

#[tokio::test]
async fn garbage_before_a_start_block_is_dropped() {
    check(&[b"\xff\xfegarbage\r", &order("1")[..]].concat(), &["MSA|AA|1"], Some("garbage_between_frames")).await;
}

#[tokio::test]
async fn bytes_without_a_start_block_have_no_answer() {
    check(order_text("1").as_bytes(), &[], Some("garbage_between_frames")).await;
    check(b"GET / HTTP/1.1\r\nHost: ris\r\n\r\n", &[], Some("garbage_between_frames")).await;
}

#[tokio::test]
async fn of_two_start_blocks_the_second_counts() {
    check(&[b"\x0b", &order("1")[..]].concat(), &["MSA|AA|1"], Some("frame_restarted")).await;
}

#[tokio::test]
async fn a_start_block_inside_a_payload_drops_what_came_before() {
    check(&[b"\x0bMSH|^~\\&|RIS|half", &order("1")[..]].concat(), &["MSA|AA|1"], Some("frame_restarted")).await;
}

#[tokio::test]
async fn segments_may_end_in_any_way() {
    for end in ["\r", "\n", "\r\n"] {
        let text = order_text("1").replace('\r', end);
        check_name(text.as_bytes(), Some("SMITH")).await;
        check_name(text.trim_end().as_bytes(), Some("SMITH")).await;
    }
}

#[tokio::test]
async fn what_is_not_hl7_is_rejected_with_100() {
    check(&frame(b""), &["MSA|AR||the frame is empty\nERR|||100^"], Some("not_hl7")).await;
    check(&frame(b"hello"), &["MSA|AR||the frame does not start with an MSH segment\nERR|||100^"], Some("not_hl7"))
        .await;
    check(&frame(b"PID|1||7"), &["MSA|AR||"], Some("not_hl7")).await;
    check(&frame(b"\xff\x00\x80"), &["MSA|AR||"], Some("not_hl7")).await;
}

#[tokio::test]
async fn an_msh_without_a_type_is_rejected_with_101() {
    let expected = "MSA|AR||MSH-9, the message type, is missing\nERR||MSH^1^9|101^Required field missing^HL70357|E";
    check(&frame(b"MSH|^~\\&|A|B"), &[expected], Some("header_unusable")).await;
    check(&frame(b"MSH|^~\\&|A|||||1||7|P|2.5"), &["MSA|AR|7|MSH-9"], Some("header_unusable")).await;
}

#[tokio::test]
async fn a_type_without_its_event_goes_on() {
    check(&frame(b"MSH|^~\\&|A|||||1|ORM|7|P|2.5"), &["MSA|AA|7"], None).await;
}

#[tokio::test]
async fn an_msh_without_a_control_id_is_rejected_with_101() {
    let expected = "MSA|AR||MSH-10, the message control id, is missing\nERR||MSH^1^10|101^";
    check(&frame(b"MSH|^~\\&|A|||||1|ORM^O01||P|2.5"), &[expected], Some("header_unusable")).await;
}

#[tokio::test]
async fn an_unknown_version_is_rejected_and_a_missing_one_assumed() {
    check(&frame(b"MSH|^~\\&|A|||||1|ORM^O01|7|P|9.9"), &["MSA|AR|7|the version in MSH-12"], Some("version_unknown"))
        .await;
    check(&frame(b"MSH|^~\\&|A|||||1|ORM^O01|7|P|"), &["MSA|AA|7"], Some("version_missing")).await;
    for version in ["2", "2.1", "2.3.1", "2.7", "2.8.2", "2.9"] {
        let payload = format!("MSH|^~\\&|A|||||1|ORM^O01|7|P|{version}");
        check(&frame(payload.as_bytes()), &["MSA|AA|7"], None).await;
    }
}

#[tokio::test]
async fn own_separators_are_read_and_answered_in() {
    let gateway = Gateway::start().await;
    let mut peer = gateway.peer().await;
    peer.write(&frame(b"MSH$*#!%$RIS$$GW$$1$$ORM*O01$7$P$2.5\rPID$1$$7$$SMITH%VAN*JOHN")).await;
    let answer = String::from_utf8(peer.answer().await).unwrap();
    assert!(answer.starts_with("MSH$*#!%$GW$$RIS$$20260101120000.000+0000$$ACK*O01*ACK$"), "{answer}");
    assert!(answer.ends_with("\rMSA$AA$7\r"), "{answer}");
    assert_eq!(gateway.seen()[0].name.as_deref(), Some("SMITH"));
}

#[tokio::test]
async fn separators_that_cannot_be_told_apart_are_rejected_with_102() {
    check(&frame(b"MSH|^^\\&|A|||||1|ORM^O01|7|P|2.5"), &["MSA|AR|7|MSH-1 and MSH-2"], Some("header_unusable")).await;
}

#[tokio::test]
async fn eight_bit_bytes_are_decoded_by_msh_18() {
    check_name(b"MSH|^~\\&|A|||||1|ORM^O01|7|P|2.5||||||8859/1\rPID|1||7||M\xfcller", Some("Müller")).await;
    check_name(b"MSH|^~\\&|A|||||1|ORM^O01|7|P|2.5||||||ISO IR14\rPID|1||7||\x95\x5c\x83\x7c", Some("表ポ")).await;
}

#[tokio::test]
async fn utf_8_that_is_called_something_else_is_read_all_the_same() {
    let payload = "MSH|^~\\&|A|||||1|ORM^O01|7|P|2.5||||||8859/1\rPID|1||7||Müller".as_bytes();
    check_name(payload, Some("Müller")).await;
    check(&frame(payload), &["MSA|AA|7"], Some("charset_mismatch")).await;
    let strict = Settings { strict_charset: true, ..Settings::default() };
    let expected = "MSA|AE|7|the message is not in the character set that MSH-18 names\nERR||MSH^1^18|102^";
    check_with(strict, &frame(payload), &[expected], Some("charset_mismatch")).await;
}

#[tokio::test]
async fn character_sets_that_cannot_be_read_are_errors() {
    let payload = |name: &str| frame(format!("MSH|^~\\&|A|||||1|ORM^O01|7|P|2.5||||||{name}").as_bytes());
    check(&payload("UNICODE UTF-16"), &["MSA|AE|7|the character set in MSH-18 cannot travel"], Some("charset_unknown"))
        .await;
    check(&payload("KLINGON"), &["MSA|AA|7"], Some("charset_unknown")).await;
    let strict = Settings { strict_charset: true, ..Settings::default() };
    let expected = "MSA|AE|7|the character set in MSH-18 is not known\nERR||MSH^1^18|103^";
    check_with(strict, &payload("KLINGON"), &[expected], Some("charset_unknown")).await;
}

#[tokio::test]
async fn any_control_id_comes_back_byte_for_byte() {
    let gateway = Gateway::start().await;
    let mut peer = gateway.peer().await;
    for id in [b"\xe9\xff".as_slice(), "ü€".as_bytes(), b" A\\T\\B^C ", b"~1&2"] {
        peer.write(&frame(&[b"MSH|^~\\&|A|||||1|ORM^O01|", id, b"|P|2.5"].concat())).await;
        let answer = peer.answer().await;
        assert!(answer.ends_with(&[b"\rMSA|AA|", id, b"\r"].concat()), "{}", answer.escape_ascii());
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_skipped_and_means_utf_8() {
    let payload = "\u{feff}MSH|^~\\&|A|||||1|ORM^O01|7|P|2.5\rPID|1||7||Müller".as_bytes();
    check_name(payload, Some("Müller")).await;
    check(&frame(payload), &["MSA|AA|7"], Some("byte_order_mark")).await;
}

#[tokio::test]
async fn a_nul_in_a_field_is_taken_out() {
    check_name(b"MSH|^~\\&|A|||||1|ORM^O01|7|P|2.5\rPID|1||7||SM\0ITH\x07", Some("SMITH")).await;
}

#[tokio::test]
async fn several_messages_in_one_frame_are_rejected_or_split() {
    let two = [order_text("1"), order_text("2")].concat();
    let batch = format!("FHS|^~\\&|A\rBHS|^~\\&|A\r{two}BTS|2\rFTS|1\r");
    for payload in [two, batch] {
        let expected = "MSA|AR|1|batches are not accepted here";
        check(&frame(payload.as_bytes()), &[expected], Some("batch")).await;
        let split = Settings { batch: Batch::Split, ..Settings::default() };
        check_with(split, &frame(payload.as_bytes()), &["MSA|AA|1", "MSA|AA|2"], Some("batch")).await;
    }
}

#[tokio::test]
async fn an_acknowledgement_has_no_answer() {
    let counter = Some("acknowledgement_received");
    check(&frame(b"MSH|^~\\&|A|||||1|ACK^O01|7|P|2.5\rMSA|AA|1"), &[], counter).await;
    check(&frame(b"MSH|^~\\&|A|||||1|ACK"), &[], counter).await;
    check(&frame(b"MSH|^~\\&|A|||||1|ORR^O02|7|P|2.5\rMSA|AA|1"), &[], counter).await;
}

#[tokio::test]
async fn commit_bytes_of_release_2_are_dropped() {
    check(b"\x0b\x06\x1c\r\x0b\x15\x1c\r", &[], Some("commit_byte")).await;
}

#[tokio::test]
async fn v2_xml_is_rejected_with_200() {
    let payload = b"<?xml version=\"1.0\"?><ORM_O01 xmlns=\"urn:hl7-org:v2xml\"/>";
    check(&frame(payload), &["MSA|AR||v2 XML is not accepted here, send ER7\nERR|||200^"], Some("not_hl7")).await;
}

#[tokio::test]
async fn a_kind_that_no_mapping_speaks_for_is_accepted_or_rejected_with_200() {
    let unsupported = Outcome::Rejected(Rejection {
        fault: Fault::KindUnsupported,
        reason: "no mapping speaks for ORM^O01".to_owned(),
        field: None,
    });
    let outcomes = [("ignored", Outcome::Ignored), ("refused", unsupported)];
    let gateway = Gateway::with(Settings::default(), outcomes).await;
    let mut peer = gateway.peer().await;
    peer.write(&[order("ignored"), order("refused")].concat()).await;
    assert_eq!(peer.acknowledgement().await, "MSA|AA|ignored");
    peer.expect("MSA|AR|refused|no mapping speaks for ORM\\S\\O01\nERR|||200^").await;
}

#[tokio::test]
async fn a_message_longer_than_the_limit_is_rejected_with_207_and_its_control_id() {
    let limited = || Settings { max_message: ByteSize::kib(8), ..Settings::default() };
    let long = order_text("long") + &"Z".repeat(9 << 10);
    check_with(limited(), &frame(long.as_bytes()), &["MSA|AR|long|the message is longer"], Some("message_too_long"))
        .await;
    let just = order_text("just") + &"Z".repeat((8 << 10) - order_text("just").len());
    check_with(limited(), &frame(just.as_bytes()), &["MSA|AA|just"], None).await;
    let acknowledgement = format!("MSH|^~\\&|A|||||1|ACK|7|P|2.5\rMSA|AA|1|{long}");
    check_with(limited(), &frame(acknowledgement.as_bytes()), &[], Some("acknowledgement_received")).await;
}

#[tokio::test]
async fn half_a_frame_is_dropped_when_the_peer_closes() {
    let gateway = Gateway::start().await;
    let mut peer = gateway.peer().await;
    peer.write(&[order("1"), b"\x0bMSH|^~\\&|half".to_vec()].concat()).await;
    peer.expect("MSA|AA|1").await;
    soon(peer.stream.shutdown()).await.unwrap();
    peer.expect_closed().await;
    assert_eq!(gateway.count("frame_unfinished"), 1);
    assert_eq!(gateway.control_ids(), ["1"]);
}

#[tokio::test]
async fn half_a_frame_and_then_silence_is_closed() {
    let settings = Settings { mid_frame_timeout: SignedDuration::from_millis(50), ..Settings::default() };
    let gateway = Gateway::with(settings, []).await;
    let mut peer = gateway.peer().await;
    peer.write(b"\x0bMSH|^~\\&|half").await;
    peer.expect_closed().await;
    assert_eq!(gateway.count("frame_unfinished"), 1);
    assert_eq!(gateway.count("connection_timed_out"), 1);
}
