//! `date` and `datetime`: times as the sources write them, to FHIR's.
//!
//! Knows no clock. A source's time may stop at any precision, from the year to the fraction of a second; what it leaves open is
//! left open. Sources: HL7 v2.5.1, 2.A.22 (DTM); FHIR R4, date and dateTime.

use std::borrow::Cow;

use jiff::civil;
use jiff::fmt::strtime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use super::{Argument, Call, CallError};

/// A moment as far as a source tells it. Later parts are there only if all earlier ones are.
#[derive(Debug, PartialEq, Eq)]
struct Moment {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    time: Option<civil::Time>,
    /// `24:00`: the next day's beginning.
    ends_day: bool,
    offset: Option<Offset>,
}

/// The call of `datetime`: arguments with a `%` are a format, others a time zone.
pub(super) fn call(arguments: &[Argument], default_zone: Option<&TimeZone>) -> Result<Call, CallError> {
    let (mut format_given, mut zone_given) = (None, default_zone.cloned());
    for argument in arguments {
        if argument.text.contains('%') {
            format_given = Some(format(argument)?);
        } else {
            zone_given = Some(zone(&argument.text).map_err(|message| CallError {
                message,
                help: "write it as the time zone database does: 'Europe/Berlin'".to_owned(),
                span: Some(argument.span.clone()),
            })?);
        }
    }
    Ok(Call::DateTime { format: format_given, zone: zone_given })
}

/// The time zone called `name`.
pub(crate) fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("`{name}` is no time zone of this machine's time zone database"))
}

/// A format that can be used: tried out on an arbitrary time.
pub(super) fn format(argument: &Argument) -> Result<Box<str>, CallError> {
    let sample = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    match strtime::format(&*argument.text, &sample) {
        Ok(_) if argument.text.contains('%') => Ok(argument.text.clone()),
        _ => Err(CallError {
            message: "a date's format is written with %Y, %m, %d, %H, %M, %S, %z".to_owned(),
            help: "write, say: '%d.%m.%Y'".to_owned(),
            span: Some(argument.span.clone()),
        }),
    }
}

/// A FHIR date: never shifted by a zone, as precise as the source.
pub(super) fn date(text: &str, format: Option<&str>) -> Option<String> {
    if let Some(format) = format {
        return strtime::parse(format, text.trim()).ok()?.to_date().ok().map(|date| date.to_string());
    }
    Moment::parse(text).map(|moment| moment.date())
}

/// A FHIR dateTime: in UTC where the source tells a time of day, else a date. A time of day of which neither the source nor
/// the mapping tells the zone is nothing.
pub(super) fn datetime(text: &str, format: Option<&str>, zone: Option<&TimeZone>) -> Option<String> {
    let moment = Moment::read(text, format)?;
    match moment.time {
        Some(time) => moment.timestamp(time, zone).map(|timestamp| timestamp.to_string()),
        None => Some(moment.date()),
    }
}

/// The moment that [`datetime`] would tell, if it is one and no day.
pub(crate) fn instant(text: &str, format: Option<&str>, zone: Option<&TimeZone>) -> Option<Timestamp> {
    let moment = Moment::read(text, format)?;
    moment.timestamp(moment.time?, zone)
}

impl Moment {
    fn read(text: &str, format: Option<&str>) -> Option<Self> {
        match format {
            Some(format) => Self::formatted(text, format),
            None => Self::parse(text),
        }
    }

    fn timestamp(&self, time: civil::Time, zone: Option<&TimeZone>) -> Option<Timestamp> {
        let mut local = civil::Date::new(self.year, self.month?, self.day?).ok()?.to_datetime(time);
        if self.ends_day {
            local = local.checked_add(1.day()).ok()?;
        }
        match self.offset {
            Some(offset) => offset.to_timestamp(local).ok(),
            None => zone?.to_ambiguous_timestamp(local).compatible().ok(),
        }
    }

    /// HL7's `YYYY[MM[DD[HH[MM[SS[.S…]]]]]][±ZZZZ]`, or ISO 8601 with its separators.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, offset) = split_offset(text)?;
        let compact: Cow<'_, str> = match local.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            true => local.into(),
            false => local.chars().filter(|it| !matches!(it, '-' | '/' | ':' | 'T' | ' ')).collect(),
        };
        let (digits, fraction) = compact.split_once('.').unwrap_or((&compact, ""));
        let well_formed = digits.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        let complete = matches!(digits.len(), 4 | 6 | 8 | 10 | 12 | 14) && (fraction.is_empty() || digits.len() == 14);
        if !well_formed || !complete {
            return None;
        }
        Self::of_digits(digits, fraction, offset)
    }

    fn of_digits(digits: &str, fraction: &str, offset: Option<Offset>) -> Option<Self> {
        let part = |from: usize| digits.get(from..from + 2).and_then(|two| two.parse::<i8>().ok());
        let (year, month, day) = (digits.get(..4)?.parse().ok()?, part(4), part(6));
        // Impossible months and days are no date at all: `00000000`, `20260231`.
        civil::Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok().filter(|_| year > 0)?;
        let ends_day = digits.len() > 8 && digits.get(8..).is_some_and(|time| "240000".starts_with(time));
        let hour = if ends_day { Some(0) } else { part(8) };
        let time = match hour {
            Some(hour) => Some(time(hour, part(10).unwrap_or(0), part(12).unwrap_or(0), fraction)?),
            None => None,
        };
        Some(Self { year, month, day, time, ends_day, offset })
    }

    fn formatted(text: &str, format: &str) -> Option<Self> {
        let parsed = strtime::parse(format, text.trim()).ok()?;
        let date = parsed.to_date().ok()?;
        Some(Self {
            year: date.year(),
            month: Some(date.month()),
            day: Some(date.day()),
            time: parsed.hour().and_then(|_| parsed.to_time().ok()),
            ends_day: false,
            offset: parsed.offset(),
        })
    }

    fn date(&self) -> String {
        match (self.month, self.day) {
            (Some(month), Some(day)) => format!("{:04}-{month:02}-{day:02}", self.year),
            (Some(month), None) => format!("{:04}-{month:02}", self.year),
            (None, _) => format!("{:04}", self.year),
        }
    }
}

/// FHIR's instants are kept to the millisecond.
fn time(hour: i8, minute: i8, second: i8, fraction: &str) -> Option<civil::Time> {
    let milliseconds: i32 = if fraction.is_empty() { 0 } else { format!("{fraction:0<3}").get(..3)?.parse().ok()? };
    civil::Time::new(hour, minute, second, milliseconds * 1_000_000).ok()
}

/// The local time and the offset after it: `+0100`, `-05:00`, `Z`. An ISO date's dashes are no sign of an offset.
fn split_offset(text: &str) -> Option<(&str, Option<Offset>)> {
    if let Some(local) = text.strip_suffix('Z') {
        return Some((local, Some(Offset::UTC)));
    }
    let sign = text.rfind(['+', '-']).filter(|at| is_offset(text, *at));
    let Some(at) = sign else { return Some((text, None)) };
    let digits: String = text.get(at + 1..)?.chars().filter(|it| *it != ':').collect();
    let (hours, minutes): (i32, i32) = (digits.get(..2)?.parse().ok()?, digits.get(2..)?.parse().ok()?);
    let seconds = (hours * 60 + minutes) * 60 * if text.as_bytes()[at] == b'-' { -1 } else { 1 };
    Some((text.get(..at)?, Some(Offset::from_seconds(seconds).ok()?)))
}

/// Whether the sign at `at` begins an offset, and not the month or day of an ISO date.
fn is_offset(text: &str, at: usize) -> bool {
    let after = &text[at + 1..];
    let four = after.len() == 4 || (after.len() == 5 && after.as_bytes().get(2) == Some(&b':'));
    four && after.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_keep_their_precision_and_impossible_ones_are_nothing() {
        for (text, expected) in [
            ("19700412", Some("1970-04-12")),
            ("197004", Some("1970-04")),
            ("1970", Some("1970")),
            ("197004122359", Some("1970-04-12")),
            ("19700412235959.1234+0100", Some("1970-04-12")),
            ("1970-0500", Some("1970")),
            ("1970-04-12", Some("1970-04-12")),
            ("1970/04/12 ", Some("1970-04-12")),
            ("00000000", None),
            ("20260231", None),
            ("1970041", None),
            ("unknown", None),
            ("１９７０", None),
            ("", None),
        ] {
            assert_eq!(date(text, None).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_needs_a_zone_and_is_given_in_utc() {
        let berlin = zone("Europe/Berlin").unwrap();
        for (text, zone, expected) in [
            ("20260504081530+0200", None, Some("2026-05-04T06:15:30Z")),
            ("20260504081530.1239-0500", None, Some("2026-05-04T13:15:30.123Z")),
            ("2026050408", Some(&berlin), Some("2026-05-04T06:00:00Z")),
            ("20260504240000+0000", None, Some("2026-05-05T00:00:00Z")),
            ("2026-05-04T08:15:30Z", None, Some("2026-05-04T08:15:30Z")),
            ("2026-05-04T08:15:30+02:00", None, Some("2026-05-04T06:15:30Z")),
            // In the gap of spring and the fold of autumn the earlier offset counts.
            ("202603290230", Some(&berlin), Some("2026-03-29T01:30:00Z")),
            ("202610250230", Some(&berlin), Some("2026-10-25T00:30:00Z")),
            ("20260504", Some(&berlin), Some("2026-05-04")),
            ("202605040815", None, None),
            ("202605042561", Some(&berlin), None),
        ] {
            assert_eq!(datetime(text, None, zone).as_deref(), expected, "{text}");
        }
    }
}
