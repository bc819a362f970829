//! Which messages are meant, as an operator says it.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use super::super::Failure;
use crate::clock::{System, timestamp};
use crate::store::Filter;

/// Which messages are meant; without any of these, all.
#[derive(Args, Default, PartialEq, Eq)]
pub(super) struct FilterArguments {
    /// Received at this time or later: 08:15 (today), 2026-11-22, 2026-11-22T08:15, in local time; or with an offset
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,
    /// Received before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,
    /// Received in the last so long: 30m, 2h, 1d
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with_all = ["since", "until"])]
    last: Option<SignedDuration>,
    /// From this source: an adapter's name
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// With this control id
    #[arg(long, value_name = "CONTROL-ID")]
    control_id: Option<String>,
    /// With this outcome
    #[arg(long, value_name = "OUTCOME", value_parser = PossibleValuesParser::new(OUTCOMES).map(|word| word.replace('-', " ")))]
    outcome: Option<String>,
    /// About the patient with this identifier; of what became no event, with it anywhere in the message. All of those are read: in
    /// a large store say --last or --since as well
    #[arg(long, value_name = "IDENTIFIER")]
    patient: Option<String>,
    /// Dead letters only: refused, and nobody has seen to it yet
    #[arg(long)]
    pub(super) dead_letters: bool,
}

/// What became of messages, in one word each.
const OUTCOMES: [&str; 6] = ["accepted", "too-old", "ignored", "rejected", "unavailable", "duplicate"];

/// A time, as far as it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Exactly(Timestamp),
    Local(DateTime),
    Today(Time),
}

impl FilterArguments {
    /// The filter; times without an offset are of `zone`.
    pub(super) fn filter(&self, zone: &TimeZone) -> Result<Filter, Failure> {
        let now = timestamp(&System);
        let at = |moment: Option<Moment>| moment.map(|moment| moment.at(now, zone)).transpose();
        let last = self.last.map(|last| now.checked_sub(last).unwrap_or(Timestamp::MIN));
        Ok(Filter {
            since: at(self.since)?.or(last),
            until: at(self.until)?,
            source: self.source.clone(),
            control_id: self.control_id.clone(),
            outcome: self.outcome.clone(),
            patient: self.patient.clone(),
            dead_letters: self.dead_letters,
            before: None,
        })
    }
}

impl Moment {
    fn at(self, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, Failure> {
        let local = match self {
            Self::Exactly(time) => return Ok(time),
            Self::Local(local) => local,
            Self::Today(time) => now.to_zoned(zone.clone()).date().to_datetime(time),
        };
        let time = local.to_zoned(zone.clone()).map(|zoned| zoned.timestamp());
        time.map_err(|error| Failure::Failed(format!("error: {local} is no time that can be searched for: {error}")))
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    let exactly = || text.parse().map(Moment::Exactly);
    let local = || text.parse().map(Moment::Local);
    let date = || text.parse::<Date>().map(|date| Moment::Local(date.into()));
    let today = || text.parse().map(Moment::Today);
    // A date and time alone must not be taken for a date, nor what has an offset for what has none.
    let read = match (text.contains('-') || text.contains('/'), text.contains(':')) {
        (true, true) => exactly().or_else(|_: jiff::Error| local()),
        (true, false) => date(),
        _ => today(),
    };
    read.map_err(|_| "write 08:15, 2026-11-22, 2026-11-22T08:15 or 2026-11-22T08:15+01:00".to_owned())
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let span = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    span.ok().filter(SignedDuration::is_positive).ok_or_else(|| "write 30m, 2h or 1d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_local_unless_they_say_otherwise() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let now: Timestamp = "2026-11-22T23:30:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-11-22T08:15:30+01:00", Some("2026-11-22T07:15:30Z")),
            ("2026-11-22T08:15Z", Some("2026-11-22T08:15:00Z")),
            ("2026-11-22T08:15", Some("2026-11-22T07:15:00Z")),
            ("2026-11-22 08:15:30", Some("2026-11-22T07:15:30Z")),
            ("2026-07-01", Some("2026-06-30T22:00:00Z")),
            ("08:15", Some("2026-11-23T07:15:00Z")),
            ("yesterday", None),
            ("2026-13-01", None),
            ("8", None),
            ("", None),
        ] {
            let read = moment(text).ok().and_then(|moment| moment.at(now, &zone).ok());
            assert_eq!(read.map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_duration_is_a_number_with_its_unit() {
        for (text, minutes) in [("30m", Some(30)), ("2h", Some(120)), ("1d", Some(1440)), ("1d2h", Some(1560))] {
            assert_eq!(duration(text).ok().map(|duration| duration.as_mins()), minutes, "{text}");
        }
        for text in ["", "2", "-2h", "0s", "soon", "1y"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
