//! Texts that stand in a mapping as they are: whether FHIR R4 reads them as the primitive type of their element.

use jiff::civil::Date;

/// What to write where `text` is no value of the primitive `kind`. None where it is one.
pub(super) fn expected(kind: &str, text: &str) -> Option<&'static str> {
    let (right, expected) = match kind {
        "date" => (is_date(text), "write it so: 1970-04-12, 1970-04 or 1970"),
        "dateTime" => {
            (is_date(text) || is_instant(text), "write it so: 1970-04-12T08:15:00+02:00, 1970-04-12, 1970-04 or 1970")
        }
        "instant" => (is_instant(text), "write it so: 1970-04-12T08:15:00+02:00"),
        "time" => (is_time(text), "write it so: 08:15:00"),
        "id" => (is_id(text), "write letters, digits, `-` and `.`, at most 64"),
        "uri" | "url" | "canonical" => (!text.contains(char::is_whitespace), "write it without blanks"),
        "oid" => (text.starts_with("urn:oid:"), "write it so: urn:oid:1.2.3"),
        "uuid" => (text.starts_with("urn:uuid:"), "write it so: urn:uuid:c757873d-ec9a-4326-a141-556f43239520"),
        _ => (true, ""),
    };
    (!right).then_some(expected)
}

/// What to write where the JSON `number` is no value of the primitive `kind`. None where it is one.
pub(super) fn expected_number(kind: &str, number: &str) -> Option<&'static str> {
    let whole = number.parse::<i64>().ok();
    let (right, expected) = match kind {
        "integer" => (whole.is_some(), "write a whole number"),
        "positiveInt" => (whole.is_some_and(|number| number > 0), "write a whole number from 1"),
        "unsignedInt" => (whole.is_some_and(|number| number >= 0), "write a whole number from 0"),
        _ => (true, ""),
    };
    (!right).then_some(expected)
}

/// A year, a year and month, or a day that the calendar has.
fn is_date(text: &str) -> bool {
    let whole = format!("{text}{}", "0000-01-01".get(text.len()..).unwrap_or_default());
    matches!(text.len(), 4 | 7 | 10) && has_form(&whole, "0000-00-00") && whole.parse::<Date>().is_ok()
}

/// A day and a time with its offset.
fn is_instant(text: &str) -> bool {
    let Some((date, rest)) = text.split_once('T') else { return false };
    let Some(sign) = rest.find(['Z', '+', '-']) else { return false };
    let (time, offset) = rest.split_at(sign);
    let offset_is_right = offset == "Z" || has_form(&offset[1..], "00:00") && &offset[1..] <= "14:00";
    date.len() == 10 && is_date(date) && is_time(time) && offset_is_right
}

/// Hours, minutes and seconds; the seconds may have a fraction.
fn is_time(text: &str) -> bool {
    let (time, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction_is_right = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let in_range = time <= "23:59:60" && time.get(3..).is_some_and(|minutes| minutes <= "59:60");
    has_form(time, "00:00:00") && in_range && fraction_is_right
}

fn is_id(text: &str) -> bool {
    let in_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    (1..=64).contains(&text.len()) && text.bytes().all(in_id)
}

/// Whether `text` has digits where `form` has zeroes, and else the same characters.
fn has_form(text: &str, form: &str) -> bool {
    let fits = |(one, wanted): (u8, u8)| if wanted == b'0' { one.is_ascii_digit() } else { one == wanted };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_fhir_reads_them() {
        for (kind, right, wrong) in [
            ("date", &["1970", "1970-04", "2024-02-29"][..], &["70", "1970-4-12", "2023-02-29", "12.04.1970"][..]),
            (
                "dateTime",
                &["1970", "2026-05-04T08:15:00Z", "2026-05-04T08:15:00.5-05:00"],
                &[
                    "2026-05-04T08:15",
                    "2026-05-04T08:15:00",
                    "20260504",
                    "2026-05-04T25:00:00Z",
                    "2026-05-04 08:15:00Z",
                ],
            ),
            (
                "instant",
                &["2026-05-04T08:15:00+02:00"],
                &["2026-05-04", "2026-05-04T08:61:00Z", "2026-05-04T08:15:00+2"],
            ),
            ("time", &["08:15:00", "23:59:59.999"], &["8:15:00", "08:15", "08:15:00.", "24:00:00"]),
            ("id", &["a.B-9"], &["", "a_b", "a b"]),
            ("uri", &["urn:oid:1.2", "http://a.example/b"], &["a b"]),
            ("oid", &["urn:oid:1.2"], &["1.2"]),
            ("string", &["anything at all"], &[]),
        ] {
            right.iter().for_each(|text| assert_eq!(expected(kind, text), None, "{kind} {text}"));
            wrong.iter().for_each(|text| assert!(expected(kind, text).is_some(), "{kind} {text}"));
        }
        for (kind, number, right) in [
            ("integer", "-1", true),
            ("integer", "1.5", false),
            ("positiveInt", "0", false),
            ("unsignedInt", "0", true),
            ("unsignedInt", "-1", false),
            ("decimal", "1.5", true),
        ] {
            assert_eq!(expected_number(kind, number).is_none(), right, "{kind} {number}");
        }
    }
}
