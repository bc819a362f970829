//! Marked patients over MLLP: shown, refused, ignored, too old, sent again, badly framed, not HL7.

use fhircast_gateway::clock::{Clock as _, System};
use jiff::{SignedDuration, Timestamp};

use super::expect_none;
use super::gateway::Gateway;

/// Fields of a patient, and of a study, all of them marked.
const PATIENT: &str = "CANARYMRN98765432101^^^MAIN&1.2.276.0.76.3.1.999&ISO^MR||Canaryson^Annelise^Maria^^^^L||19580312|F|||\
                       Canary Street 98765432101^^Canaryville||+49-98765432101";
const STUDY: &str = "1.2.276.98765432101.4711^ACME_RIS^Application^DICOM";

fn time(ago: SignedDuration) -> String {
    (Timestamp::try_from(System.now()).unwrap() - ago).strftime("%Y%m%d%H%M%S+0000").to_string()
}

fn header(kind: &str, control_id: &str, time: &str) -> String {
    format!("MSH|^~\\&|ACME_RIS|MAIN|FHIRCAST|GATEWAY|{time}||{kind}|{control_id}|P|2.5.1|||||DEU|UNICODE UTF-8\r")
}

/// An order of a marked patient, whose reading begins for `drjones`; `study` is ZDS-1.
fn order(control_id: &str, ago: SignedDuration, accession: &str, study: &str) -> String {
    let time = time(ago);
    header("ORM^O01^ORM_O01", control_id, &time)
        + &format!(
            "PID|1||{PATIENT}\rPV1|1|I|RAD^R2^1^MAIN|||||||||||||||||CANARYVISIT^^^MAIN&1.2.276.0.76.3.1.999&ISO^VN\r\
             ORC|SC|CANARYPLACER|CANARYFILLER||IP||||{time}|||1001^Halloran^Pia||||||RAD-READ-07|drjones^Jones^Maren\r\
             OBR|1|CANARYPLACER|CANARYFILLER|CTCHEST^Canary finding^L|||{time}|||||||||1001^Halloran^Pia||{accession}||||||CT\r\
             NTE|1||Canary note\rZDS|{study}|RAD-READ-07\r"
        )
}

fn open(control_id: &str) -> String {
    order(control_id, SignedDuration::ZERO, "CANARYACC1", STUDY)
}

fn framed(message: &str) -> Vec<u8> {
    [b"\x0b", message.as_bytes(), b"\x1c\r"].concat()
}

/// Sends `message` to `adapter`; the answer shows no mark, and has `code` (none: the connection may be closed instead).
async fn send(gateway: &Gateway, adapter: &str, message: &[u8], code: &str) {
    let mut peer = gateway.peer(adapter).await;
    peer.write(message).await;
    let answer = peer.answer().await;
    expect_none("an acknowledgement", &answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    assert!(text.contains(&format!("MSA|{code}")), "{code}: {text}");
}

pub(super) async fn send_all(gateway: &Gateway) {
    let merge = header("ADT^A40^ADT_A39", "M1", &time(SignedDuration::ZERO))
        + &format!("EVN|A40|{}\rPID|1||{PATIENT}\rMRG|CANARYOLD^^^MAIN^MR\r", time(SignedDuration::ZERO));
    let admission = header("ADT^A01^ADT_A01", "A1", &time(SignedDuration::ZERO)) + &format!("PID|1||{PATIENT}\r");
    let broken = format!("{}PID|1||{PATIENT}\r", header("ORM^O01", "", "").replace("|^~\\&|", "|^^^^|"));
    let long = open("L1") + &"NTE|1||Canary note\r".repeat(8_000);
    // What turns text and commands terminals, in MSH-3, MSH-9 and MSH-10 (T11).
    let turned =
        admission.replace("ACME_RIS", "RIS\u{202e}\u{1b}[31m\u{9b}").replace("ADT^A01", "AD\u{1b}T^A\u{202e}01");
    let turned = turned.replace("|A1|", "|A3\u{202e}\u{1b}\u{7f}|");
    let batch = format!("FHS|^~\\&|A\rBHS|^~\\&|A\r{}{}BTS|2\rFTS|1\r", open("B1"), open("B2"));
    let reused = open("O1").replace("Canaryson", "Canaryfield");
    let nameless = open("N1").replace("drjones^Jones^Maren", "").replace("RAD-READ-07", "");
    for (adapter, message, code) in [
        ("ris", &*open("O1"), "AA"),
        ("ris", &reused, "AA"),
        ("ris", &order("T1", SignedDuration::from_hours(2), "CANARYACC2", STUDY), "AA"),
        ("ris", &order("R1", SignedDuration::ZERO, "", ""), "AE"),
        ("ris", &order("R2", SignedDuration::ZERO, "", "Canary no uid"), "AE"),
        ("ris", &nameless, "AE"),
        ("ris", &admission, "AA"),
        ("ris", &turned, "A"),
        ("ris", &merge, "AA"),
        ("ris", &broken, "A"),
        ("ris", &long, "AR"),
        ("ris", &batch, "A"),
        ("ris", "Canary, not HL7 at all", "A"),
        ("ris", "PID|1||CANARY", "A"),
        ("strict", &admission.replace("|A1|", "|A2|"), "A"),
        ("strict", &open("S1").replace("UNICODE UTF-8", "X-NONE"), "A"),
        ("split", &batch.replace("|B", "|C"), "AA"),
    ] {
        send(gateway, adapter, &framed(message), code).await;
    }
    let resent = open("O2");
    for _ in 0..2 {
        send(gateway, "ris", &framed(&resent), "AA").await;
    }
    bad_framing(gateway).await;
}

/// Nothing of it is answered, but for the good message at its end.
async fn bad_framing(gateway: &Gateway) {
    let good = framed(&open("F1"));
    for bad in [
        &b"Canary before any frame\r\n"[..],
        b"\x0bMSH|^~\\&|RIS\rPID|1||canary without an end",
        b"\x0bMSH|^~\\&|RIS\rPID|1||canary\x1cwithout a return\x1c\r",
        b"\x1c\r\x1c\rcanary\x0b\x0b",
        b"\x0bMSH|^~\\&|RIS\rPID|1||CANARY\xff\xfe|\x1c\r",
        b"GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n",
        b"\x0bMSA|AA|canary\x1c\r",
    ] {
        let mut peer = gateway.peer("ris").await;
        peer.write(bad).await;
        peer.write(&good).await;
        expect_none("an answer to bad framing", &peer.answer().await);
    }
}
