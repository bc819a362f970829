//! Messages as a table that is read at a terminal, and as JSON.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::super::terminal::one_line;
use crate::hub::topic_digest;
use crate::store::MessageRow;

/// Columns of the table.
const WIDTH: usize = 120;

/// Messages that are counted at the most.
pub(super) const COUNTED: usize = 10_000;

/// The widest that each column but the last becomes.
const WIDEST: [usize; 6] = [12, 19, 12, 20, 8, 24];

const HEADER: [&str; 7] = ["ID", "RECEIVED", "SOURCE", "CONTROL ID", "KIND", "OUTCOME", "EVENTS; REASON"];

/// How many of the rows there are of each outcome, the most first.
pub(super) fn counted(rows: &[MessageRow]) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for row in rows {
        match counts.iter_mut().find(|(outcome, _)| *outcome == row.record.outcome) {
            Some((_, count)) => *count += 1,
            None => counts.push((row.record.outcome.to_string(), 1)),
        }
    }
    counts.sort_by(|(one, most), (other, more)| more.cmp(most).then_with(|| one.cmp(other)));
    counts
}

/// The rows as a table, and below it the counts of all messages that were asked for, and what to type next.
pub(super) fn text(rows: &[MessageRow], outcomes: &[(String, u64)], dead_letters: u64, zone: &TimeZone) -> String {
    let Some(first) = rows.first() else {
        return "No message matches. `fhircast-gateway messages` without filters lists the latest.\n".to_owned();
    };
    let mut text = format!("Times are {}.\n", zone_name(zone, first.record.received));
    let table: Vec<[String; 7]> = rows.iter().map(|row| cells(row, zone)).collect();
    let header = HEADER.map(str::to_owned);
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let widest = std::iter::once(&header).chain(&table).map(|cells| cells[column].chars().count()).max();
        widest.unwrap_or_default().min(WIDEST[column])
    });
    for cells in std::iter::once(&header).chain(&table) {
        text.push_str(&line(cells, &widths));
    }
    text.push_str(&footer(rows, outcomes, dead_letters));
    text
}

fn line(cells: &[String; 7], widths: &[usize; 6]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        // Writing to a string cannot fail.
        let _ = write!(line, "{:<width$}  ", fitted(cell, *width));
    }
    let rest = WIDTH.saturating_sub(line.chars().count());
    format!("{}\n", format!("{line}{}", fitted(&cells[6], rest)).trim_end())
}

/// `text` in one line of at most `most` characters, and nothing in it that steers a terminal.
fn fitted(text: &str, most: usize) -> String {
    if text.chars().count() <= most { one_line(text, most) } else { one_line(text, most.saturating_sub(1)) }
}

fn cells(row: &MessageRow, zone: &TimeZone) -> [String; 7] {
    let record = &row.record;
    let control_id = if record.control_id.is_empty() { "-" } else { &record.control_id };
    [
        row.id.to_string(),
        local(record.received, zone),
        record.source.to_string(),
        control_id.to_owned(),
        record.kind.clone(),
        outcome(row),
        became(row),
    ]
}

/// What became of it, and of its last reprocessing; with a mark where somebody must look at it.
fn outcome(row: &MessageRow) -> String {
    let mark = if row.is_dead_letter { " !" } else { "" };
    match &row.again {
        Some(again) if *again == row.record.outcome => format!("{again} again{mark}"),
        Some(again) => format!("{} > {again}{mark}", row.record.outcome),
        None => format!("{}{mark}", row.record.outcome),
    }
}

fn became(row: &MessageRow) -> String {
    let names: Vec<&str> = row.record.events.iter().map(|(name, _)| name.as_str()).collect();
    let resend = row.resend_of.map(|of| format!("of {of}"));
    let events = (!names.is_empty()).then(|| names.join(", "));
    [events, resend, row.record.reason.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn footer(rows: &[MessageRow], outcomes: &[(String, u64)], dead_letters: u64) -> String {
    let total: u64 = outcomes.iter().map(|(_, count)| count).sum();
    let counts: Vec<String> = outcomes.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    let mut text = match total {
        1 => "1 message: ".to_owned(),
        COUNTED.. => format!("The latest {total} messages: "),
        _ => format!("{total} messages: "),
    } + &counts.join(", ")
        + ".";
    if rows.len() < total {
        let _ = write!(text, " These are the latest {}: --limit shows more.", rows.len());
    }
    // What somebody must look at comes first; else the latest.
    let next = rows.iter().find(|row| row.is_dead_letter).or(rows.first()).map_or(0, |row| row.id);
    let waiting = match dead_letters {
        0 => String::new(),
        1 => "1 dead letter (!) waits for somebody. ".to_owned(),
        count if count >= COUNTED as u64 => format!("{count} dead letters (!) or more wait for somebody. "),
        count => format!("{count} dead letters (!) wait for somebody. "),
    };
    format!("{text}\n{waiting}Next: `fhircast-gateway messages show {next}`\n")
}

/// A time to the second, in `zone`.
pub(super) fn local(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The zone by its name, with what it is off from UTC at `time`.
pub(super) fn zone_name(zone: &TimeZone, time: Timestamp) -> String {
    let offset = zone.to_offset(time);
    match zone.iana_name().filter(|name| !name.ends_with("UTC") && !zone.is_unknown()) {
        Some(name) => format!("{name} (UTC{offset})"),
        None if offset.is_zero() => "UTC".to_owned(),
        None => format!("UTC{offset}"),
    }
}

/// The rows in JSON, for programs; times are UTC.
pub(super) fn json(rows: &[MessageRow]) -> Value {
    Value::from_iter(rows.iter().map(row_json))
}

pub(super) fn row_json(row: &MessageRow) -> Value {
    let record = &row.record;
    json!({
        "id": row.id,
        "received": record.received,
        "source": record.source,
        "sender": row.sender,
        "control_id": record.control_id,
        "kind": record.kind,
        "mapping": record.mapping,
        "outcome": record.outcome,
        "reason": record.reason,
        "session": record.topic.as_deref().map(topic_digest),
        "events": events_json(&record.events),
        "microseconds": record.microseconds,
        "resend_of": row.resend_of,
        "is_dead_letter": row.is_dead_letter,
        "reprocessed_as": row.again,
    })
}

pub(super) fn events_json(events: &[(String, String)]) -> Value {
    Value::from_iter(events.iter().map(|(name, id)| json!({"name": name, "id": id})))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{row, zone};
    use super::*;

    fn rows() -> Vec<MessageRow> {
        let reason = "ImagingStudy-open needs study.identifier: neither OBR-18 nor ZDS-1 has a value, and so does everything else";
        let plain = row(3, "ACME0003", "accepted");
        let mut dead = row(18, "ACME0006", "rejected");
        dead.record.reason = Some(reason.into());
        dead.is_dead_letter = true;
        let mut mended = row(17, "ACME0005", "rejected");
        mended.again = Some("accepted".into());
        let mut still = row(15, "ACME0004", "rejected");
        (still.again, still.is_dead_letter) = (Some("rejected".into()), true);
        let mut resend = row(16, "ACME0003", "duplicate");
        (resend.resend_of, resend.record.events) = (Some(3), Vec::new());
        let mut odd = row(4, "a\u{1b}[2Jb-control-id-longer-than-any-sender-has", "ignored");
        odd.record.kind = "a kind\nof its own".into();
        vec![dead, mended, resend, still, odd, plain]
    }

    #[test]
    fn a_table_fits_120_columns_marks_dead_letters_and_says_what_to_type_next() {
        let outcomes = [("accepted".to_owned(), 40), ("rejected".to_owned(), 3), ("duplicate".to_owned(), 1)];
        let text = text(&rows(), &outcomes, 2, &zone());
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn rows_are_counted_by_outcome_the_most_first() {
        let counts = counted(&rows()).into_iter().map(|(outcome, count)| format!("{count} {outcome}"));
        assert_eq!(counts.collect::<Vec<_>>(), ["3 rejected", "1 accepted", "1 duplicate", "1 ignored"]);
    }

    #[test]
    fn nothing_found_says_so() {
        insta::assert_snapshot!(text(&[], &[], 0, &zone()), @"No message matches. `fhircast-gateway messages` without filters lists the latest.");
    }

    #[test]
    fn json_holds_no_topic_as_that_lets_its_holder_follow_a_screen() {
        let json = json(&rows());
        assert_eq!(json[0]["id"], 18);
        assert_eq!(json[5]["events"][0]["name"], "ImagingStudy-open");
        assert!(json[5]["session"].is_string() && !json.to_string().contains("the-topic"), "{json}");
    }
}
