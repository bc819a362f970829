//! A message with everything that is known of it.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::terminal::one_line;
use super::list::{events_json, local, row_json, zone_name};
use crate::hub::topic_digest;
use crate::store::{Message, Reprocessed};

/// Numbers of resends that are shown.
const RESENDS: usize = 5;

/// The message for a terminal; nothing in it of what the message itself says of a patient.
pub(super) fn text(message: &Message, zone: &TimeZone) -> String {
    let row = &message.row;
    let record = &row.record;
    let mut lines = vec![("message", row.id.to_string()), ("received", received(message, zone))];
    lines.push(("source", record.source.to_string()));
    lines.push(("sender", row.sender.clone()));
    lines.push(("control id", record.control_id.clone()));
    lines.push(("kind", record.kind.clone()));
    lines.extend(record.mapping.clone().map(|mapping| ("mapping", mapping)));
    lines.push(("outcome", outcome(message)));
    lines.extend(record.reason.clone().map(|reason| ("reason", reason)));
    lines.extend(record.events.iter().map(|named| ("event", event(named))));
    lines.extend(record.topic.as_deref().map(|topic| ("session", topic_digest(topic))));
    lines.extend(resends(&message.resends, zone).map(|resends| ("resent", resends)));
    for again in &message.reprocessed {
        lines.extend(reprocessed(again, zone));
    }
    if let Some((at, by, note)) = &message.handled {
        let note = note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        lines.push(("handled", format!("{} by {by}{note}", local(*at, zone))));
    }
    let shown = |(name, value): (&str, String)| format!("{name:<13}{}\n", one_line(&value, usize::MAX));
    lines.into_iter().map(shown).collect::<String>() + &next(message)
}

fn received(message: &Message, zone: &TimeZone) -> String {
    let record = &message.row.record;
    let took = Duration::from_micros(record.microseconds);
    format!("{}, {}; handled in {took:.1?}", local(record.received, zone), zone_name(zone, record.received))
}

fn outcome(message: &Message) -> String {
    let row = &message.row;
    match (row.resend_of, row.is_dead_letter, &message.handled) {
        (Some(of), ..) => {
            format!("{} of message {of}: answered as that one, and not published again", row.record.outcome)
        }
        (None, true, _) => format!("{}: a dead letter that nobody has seen to yet", row.record.outcome),
        (None, false, Some(_)) => format!("{}: a dead letter, handled", row.record.outcome),
        (None, false, None) => row.record.outcome.to_string(),
    }
}

fn event((name, id): &(String, String)) -> String {
    format!("{name}  {id}")
}

fn resends(resends: &[(i64, Timestamp)], zone: &TimeZone) -> Option<String> {
    let (_, last) = resends.last()?;
    let mut numbers: Vec<String> = resends.iter().take(RESENDS).map(|(id, _)| id.to_string()).collect();
    numbers.extend((resends.len() > RESENDS).then(|| "…".to_owned()));
    let (times, numbers, last) = (resends.len(), numbers.join(", "), local(*last, zone));
    Some(format!("{times} times, last {last} (messages {numbers}): the same answer, and nothing published"))
}

fn reprocessed(again: &Reprocessed, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let mapping = again.mapping.as_deref().map(|mapping| format!(", by {mapping}")).unwrap_or_default();
    let reason = again.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let what = format!("{} by {}: {}{mapping}{reason}", local(again.at, zone), again.operator, again.outcome);
    std::iter::once(("reprocessed", what)).chain(again.events.iter().map(|named| ("  event", event(named)))).collect()
}

/// What an operator is likely to want next.
fn next(message: &Message) -> String {
    let id = message.row.id;
    match (message.row.resend_of, message.row.is_dead_letter) {
        (Some(of), _) => format!("Next: `fhircast-gateway messages show {of}`\n"),
        (None, true) => format!(
            "Next: `fhircast-gateway messages explain {id}` tells why; once that is mended, `messages reprocess {id} --dry-run`, \
             then without; else `messages handled {id} --note WHY`\n"
        ),
        (None, false) => format!(
            "Next: `fhircast-gateway messages explain {id}` tells what gave each field; `messages show {id} --raw` the message itself\n"
        ),
    }
}

/// The message in JSON, for programs; times are UTC.
pub(super) fn json(message: &Message) -> Value {
    let mut shown = row_json(&message.row);
    shown["resends"] = Value::from_iter(message.resends.iter().map(|(id, at)| json!({"id": id, "received": at})));
    shown["reprocessings"] = Value::from_iter(message.reprocessed.iter().map(|again| {
        json!({
            "at": again.at,
            "operator": again.operator,
            "mapping": again.mapping,
            "outcome": again.outcome,
            "reason": again.reason,
            "events": events_json(&again.events),
        })
    }));
    shown["handled"] = match &message.handled {
        Some((at, by, note)) => json!({"at": at, "by": by, "note": note}),
        None => Value::Null,
    };
    shown
}

/// Prints the message itself: to a file or a program as it came but for the ends of its segments.
pub(super) fn print_raw(message: &Message) -> Result<(), Failure> {
    let Some(raw) = &message.raw else {
        let of = message.row.resend_of.unwrap_or_default();
        return Err(Failure::Failed(format!(
            "error: message {} is a resend: its bytes are those of message {of}\n  = help: `fhircast-gateway messages show {of} --raw`",
            message.row.id
        )));
    };
    let mut output = std::io::stdout();
    let text = match output.is_terminal() {
        true => for_terminal(raw).into_bytes(),
        false => with_line_feeds(raw),
    };
    output.write_all(&text).map_err(|error| Failure::Failed(format!("error: cannot write: {error}")))
}

/// The bytes, each segment on a line of its own.
fn with_line_feeds(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len() + 1);
    for (index, &byte) in raw.iter().enumerate() {
        match byte {
            b'\r' if raw.get(index + 1) == Some(&b'\n') => {}
            b'\r' => text.push(b'\n'),
            byte => text.push(byte),
        }
    }
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text
}

/// The same where a person looks on: what a peer sends does not steer the terminal.
fn for_terminal(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(&with_line_feeds(raw)).into_owned();
    text.lines().map(|line| one_line(line, usize::MAX) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{row, zone};
    use super::*;

    fn message(row: crate::store::MessageRow) -> Message {
        Message {
            row,
            raw: Some(b"MSH|1\rPID|2\r".to_vec()),
            handled: None,
            reprocessed: Vec::new(),
            resends: Vec::new(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_795_331_730 + second).unwrap()
    }

    #[test]
    fn a_message_that_was_shown_tells_where_and_how_often_it_came() {
        let mut accepted = message(row(3, "ACME0003", "accepted"));
        accepted.resends = (1..8).map(|number| (3 + number, at(number))).collect();
        insta::assert_snapshot!(text(&accepted, &zone()));
    }

    #[test]
    fn a_dead_letter_tells_why_what_was_done_about_it_and_by_whom() {
        let mut rejected = row(18, "ACME0006", "rejected");
        rejected.record.reason = Some("ImagingStudy-open needs study.identifier".into());
        rejected.is_dead_letter = true;
        let mut letter = message(rejected);
        insta::assert_snapshot!("dead_letter_that_waits", text(&letter, &zone()));
        let again = |second, outcome: &str, events| Reprocessed {
            at: at(second),
            operator: "anna".into(),
            mapping: Some("vendors/acme-ris".into()),
            outcome: outcome.into(),
            reason: (outcome == "rejected").then(|| "still no identifier".to_owned()),
            events,
        };
        letter.row.is_dead_letter = false;
        letter.handled = Some((at(900), "anna".into(), Some("reprocessed".into())));
        letter.reprocessed = vec![
            again(600, "rejected", Vec::new()),
            again(900, "accepted", vec![("ImagingStudy-open".into(), "5d0e6a0b".into())]),
        ];
        insta::assert_snapshot!("dead_letter_that_is_settled", text(&letter, &zone()));
    }

    #[test]
    fn a_resend_points_to_what_it_is_a_resend_of() {
        let mut resend = row(19, "ACME0003", "duplicate");
        resend.resend_of = Some(3);
        let shown = text(&Message { raw: None, ..message(resend) }, &zone());
        assert!(shown.contains("duplicate of message 3") && shown.ends_with("messages show 3`\n"), "{shown}");
    }

    #[test]
    fn segments_end_with_line_feeds_and_nothing_else_is_changed() {
        for (raw, expected) in [
            (&b"MSH|1\rPID|\xff\r"[..], &b"MSH|1\nPID|\xff\n"[..]),
            (b"MSH|1\r\nPID|2", b"MSH|1\nPID|2\n"),
            (b"MSH|1\nPID|2\n", b"MSH|1\nPID|2\n"),
        ] {
            assert_eq!(with_line_feeds(raw), expected);
        }
        assert_eq!(for_terminal(b"MSH|\x1b[2J\rPID|\xe4\r"), "MSH|·[2J\nPID|\u{fffd}\n");
    }
}
