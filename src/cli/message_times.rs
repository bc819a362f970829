//! The times of a message's header, event and orders, set to another: an example of last year is told as of now.

use jiff::Timestamp;

/// Where a message tells when what it tells happened: MSH-7, EVN-2, EVN-6, ORC-9. MSH counts its separator as a field.
const TIMES: [(&[u8], &[usize]); 3] = [(b"MSH", &[6]), (b"EVN", &[2, 6]), (b"ORC", &[9])];

/// `now` as HL7 writes it, in UTC.
pub(super) fn spelt(now: Timestamp) -> String {
    now.strftime("%Y%m%d%H%M%S+0000").to_string()
}

/// The message, whose segments end with CR, with `time` in place of every such time that it has.
pub(super) fn with_times(message: &[u8], time: &str) -> Vec<u8> {
    let Some(&separator) = message.get(3) else { return message.to_vec() };
    let segment = |segment: &[u8]| {
        let fields: Vec<&[u8]> = segment.split(|&byte| byte == separator).collect();
        let numbers = TIMES.iter().find(|(id, _)| fields.first() == Some(id)).map_or(&[][..], |(_, numbers)| numbers);
        let field = |(number, field): (usize, &&[u8])| match numbers.contains(&number) && !field.is_empty() {
            true => time.as_bytes().to_vec(),
            false => field.to_vec(),
        };
        fields.iter().enumerate().map(field).collect::<Vec<_>>().join(&separator)
    };
    message.split(|&byte| byte == b'\r').map(segment).collect::<Vec<_>>().join(&b'\r')
}

/// Whether the message says itself that it is of another day than `now`, give or take one.
pub(super) fn is_of_another_day(message: &[u8], now: Timestamp) -> bool {
    let Some(&separator) = message.get(3) else { return false };
    let header = message.split(|&byte| byte == b'\r').next().unwrap_or_default();
    let time = header.split(|&byte| byte == separator).nth(6).and_then(|time| time.get(..8));
    let hours = [-24, 0, 24].map(jiff::SignedDuration::from_hours);
    let days = hours.map(|hours| now.checked_add(hours).unwrap_or(now).strftime("%Y%m%d").to_string());
    time.is_some_and(|time| time.iter().all(u8::is_ascii_digit) && !days.iter().any(|day| day.as_bytes() == time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_times_that_say_when_it_happened_are_set() {
        let check = |message: &str, expected: &str| {
            assert_eq!(String::from_utf8(with_times(message.as_bytes(), "NOW")).unwrap(), expected);
        };
        check(
            "MSH|^~\\&|a|b|c|d|1999||ADT\rEVN|A04|1999||||1998\rPID|1||7||||1970\rORC|SC||||||||1999|x\rORC|SC\r",
            "MSH|^~\\&|a|b|c|d|NOW||ADT\rEVN|A04|NOW||||NOW\rPID|1||7||||1970\rORC|SC||||||||NOW|x\rORC|SC\r",
        );
        check("MSH$^~\\&$a$b$c$d$1999$$ADT\r", "MSH$^~\\&$a$b$c$d$NOW$$ADT\r");
        check("MSH|^~\\&|a|b|c|d|||ADT\r", "MSH|^~\\&|a|b|c|d|||ADT\r");
        check("no HL7\r", "no HL7\r");
        check("", "");
    }

    #[test]
    fn a_message_of_another_day_is_known_by_its_header() {
        let now: Timestamp = "2026-11-22T08:15:30Z".parse().unwrap();
        for (time, expected) in [
            ("20260504081530+0100", true),
            ("20261122", false),
            ("20261123004500+1300", false),
            ("", false),
            ("soon, soon", false),
        ] {
            let message = format!("MSH|^~\\&|a|b|c|d|{time}||ADT\r");
            assert_eq!(is_of_another_day(message.as_bytes(), now), expected, "{time}");
        }
        assert_eq!(spelt(now), "20261122081530+0000");
    }
}
