//! The times of a message's header, event and orders, set to another: an example of last year is told as of now.

use jiff::fmt::strtime;
use jiff::{SignedDuration, Timestamp};

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

/// Whether the message says itself that it was sent so long ago that a receiver may not show what it tells.
pub(super) fn is_old(message: &[u8], now: Timestamp) -> bool {
    sent(message).is_some_and(|(sent, tolerated)| now.duration_since(sent) > tolerated)
}

/// MSH-7, and by how much it may be off: a time without an offset may be of any time zone, and a date of any hour.
fn sent(message: &[u8]) -> Option<(Timestamp, SignedDuration)> {
    let separator = *message.get(3)?;
    let header = message.split(|&byte| byte == b'\r').next()?;
    let text = std::str::from_utf8(header.split(|&byte| byte == separator).nth(6)?).ok()?;
    let (local, offset) = text.split_at(text.find(['+', '-']).unwrap_or(text.len()));
    let digits = local.split('.').next().filter(|digits| matches!(digits.len(), 8 | 10 | 12 | 14))?;
    let (offset, hours) = if offset.is_empty() { ("+0000", 38) } else { (offset, 0) };
    let sent = strtime::parse("%Y%m%d%H%M%S%z", format!("{digits:0<14}{offset}")).ok()?.to_timestamp().ok()?;
    Some((sent, SignedDuration::from_secs(120 + hours * 3600)))
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
    fn an_old_message_is_known_by_its_header() {
        let now: Timestamp = "2026-11-22T08:15:30Z".parse().unwrap();
        for (time, expected) in [
            ("20261122091530+0100", false),
            ("202611220915+0100", false),
            ("20261122081330+0000", false),
            ("20261122081329+0000", true),
            ("20261121091530.1234+0100", true),
            ("20260504081530", true),
            ("20261122", false),
            ("20261121", false),
            ("20261119", true),
            ("20261123004500+1300", false),
            ("", false),
            ("soon, soon", false),
            ("2026", false),
        ] {
            let message = format!("MSH|^~\\&|a|b|c|d|{time}||ADT\r");
            assert_eq!(is_old(message.as_bytes(), now), expected, "{time}");
        }
        assert!(!is_old(b"MSH", now));
        assert_eq!(spelt(now), "20261122081530+0000");
    }
}
