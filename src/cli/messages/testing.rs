//! Messages to show in tests.

use jiff::tz::TimeZone;

use crate::store::{MessageRow, Record};

pub(super) fn zone() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

pub(super) fn row(id: i64, control_id: &str, outcome: &'static str) -> MessageRow {
    let events = match outcome {
        "accepted" => vec![("ImagingStudy-open".to_owned(), "0b1e7e0c-1f5b-5a4e-9d55-0c8a4d3f7b11".to_owned())],
        _ => Vec::new(),
    };
    MessageRow {
        id,
        sender: "ACME_RIS|MAIN".into(),
        record: Record {
            received: "2026-11-22T07:15:30.123Z".parse().unwrap(),
            source: "ris".into(),
            control_id: control_id.into(),
            kind: "ORM^O01".into(),
            mapping: Some("vendors/acme-ris".into()),
            outcome: outcome.into(),
            reason: None,
            topic: (!events.is_empty()).then(|| "the-topic".to_owned()),
            events,
            microseconds: 3210,
        },
        resend_of: None,
        is_dead_letter: false,
        again: None,
    }
}
