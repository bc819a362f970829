//! The time of an event: read in every form of ISO 8601 that clients write, sent on in UTC (NOT-01, CLI-32).

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The same instant in UTC: `text` itself where it ends in `Z`, else rewritten. `None` when it is no time.
///
/// Any number of decimals is read (nine count); a time without an offset is UTC.
pub fn in_utc(text: &str) -> Option<String> {
    if text.len() > MAX_LENGTH || !text.is_ascii() || text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let readable = with_nine_decimals(text);
    let instant = readable.parse::<Timestamp>().ok().or_else(|| without_offset(&readable))?;
    Some(if text.ends_with('Z') { text.to_owned() } else { instant.to_string() })
}

/// Longer texts are no times.
const MAX_LENGTH: usize = 64;

fn without_offset(text: &str) -> Option<Timestamp> {
    let local: DateTime = text.parse().ok()?;
    local.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// `text` without the decimals of a second that no clock has.
fn with_nine_decimals(text: &str) -> String {
    let Some(point) = text.find('.') else { return text.to_owned() };
    let (seconds, decimals) = text.split_at(point + 1);
    let end = decimals.find(|character: char| !character.is_ascii_digit()).unwrap_or(decimals.len());
    format!("{seconds}{}{}", &decimals[..end.min(9)], &decimals[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cli_32_times_are_sent_on_in_utc() {
        for (text, expected) in [
            ("2026-05-04T08:15:30Z", Some("2026-05-04T08:15:30Z")),
            ("2026-05-04T08:15:30.120Z", Some("2026-05-04T08:15:30.120Z")),
            ("2026-05-04T08:15:30.123456789012Z", Some("2026-05-04T08:15:30.123456789012Z")),
            ("2026-05-04T08:15:30.1234567+02:00", Some("2026-05-04T06:15:30.1234567Z")),
            ("2026-05-04T08:15:30.123456789012-05:30", Some("2026-05-04T13:45:30.123456789Z")),
            ("2026-05-04T08:15:30", Some("2026-05-04T08:15:30Z")),
            ("2026-05-04", None),
            ("2026-05-04T25:15:30Z", None),
            ("now", None),
            ("", None),
            ("2026-05-04T08:15:30\u{e9}", None),
        ] {
            assert_eq!(in_utc(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in "\\PC{0,80}") {
            let _ = in_utc(&text);
        }

        #[test]
        fn what_is_sent_on_is_read_as_itself(text in "20[0-9]{2}-0[1-9]-1[0-9]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,12})?(Z|[+-]0[0-9]:[0-5]0)?") {
            let sent = in_utc(&text).expect("a time");
            prop_assert_eq!(in_utc(&sent), Some(sent));
        }
    }
}
