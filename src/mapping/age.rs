//! `occurred` and `not_after`: when what a message tells happened, and how old it may be before it is not shown any more.

use std::time::Duration;

use jiff::Timestamp;

use super::expression::{Template, View};
use super::function::{Call, instant};
use super::value::Data;
use crate::fhircast::{Action, EventName};

/// Without any `not_after`, what opens or changes something is shown no later than this.
const DEFAULT: Duration = Duration::from_secs(120);

/// How old an event may be. None: as old as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotAfter(pub(crate) Option<Duration>);

impl NotAfter {
    /// `90s`, `5min`, `2h` or `never`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "never" {
            return Some(Self(None));
        }
        let digits = text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let seconds = match unit.trim_start() {
            "s" => 1,
            "min" => 60,
            "h" => 3600,
            _ => return None,
        };
        let number: u64 = number.parse().ok().filter(|number| *number > 0)?;
        Some(Self(Some(Duration::from_secs(number.checked_mul(seconds)?))))
    }

    /// The limit of an event: its own, else the mapping's, else the default. A close has none but its own: what was to be
    /// closed is worse than an old close.
    pub(crate) fn of(event: &EventName, own: Option<Self>, mappings: Option<Self>) -> Self {
        let closes = event.action() == Some(Action::Close);
        own.or(mappings.filter(|_| !closes)).unwrap_or(Self((!closes).then_some(DEFAULT)))
    }
}

/// The first alternative that tells a time of day. A date alone tells no age; what is deleted ends the search.
pub(super) fn occurred(template: &Template, view: &View<'_>) -> Option<Timestamp> {
    for alternative in template.expressions().flat_map(|expression| &expression.alternatives) {
        let time = match alternative.calls.split_last() {
            // Nobody reads the text between.
            Some((Call::DateTime { format, zone }, before)) => match alternative.operand.value_after(before, view) {
                Data::Deleted => return None,
                value => value.into_first().and_then(|text| instant(&text, format.as_deref(), zone.as_ref())),
            },
            _ => match alternative.value(view) {
                Data::Deleted => return None,
                value => value.into_first().and_then(|text| text.parse().ok()),
            },
        };
        if time.is_some() {
            return time;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(number: u64) -> NotAfter {
        NotAfter(Some(Duration::from_secs(number)))
    }

    #[test]
    fn a_limit_is_a_number_with_a_unit_or_never() {
        for (text, expected) in [
            ("90s", Some(seconds(90))),
            ("5min", Some(seconds(300))),
            ("2 h", Some(seconds(7200))),
            ("never", Some(NotAfter(None))),
            ("0s", None),
            ("90", None),
            ("s", None),
            ("-5s", None),
            ("1.5h", None),
            ("5m", None),
            ("99999999999999999999h", None),
            ("9999999999999999999h", None),
            ("", None),
        ] {
            assert_eq!(NotAfter::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn an_events_own_limit_counts_before_the_mappings_and_closes_have_none_but_their_own() {
        let of = |name: &str, own, mappings| NotAfter::of(&EventName::parse(name).unwrap(), own, mappings);
        let (own, mappings) = (Some(seconds(1)), Some(seconds(2)));
        assert_eq!(of("Patient-open", own, mappings), seconds(1));
        assert_eq!(of("Patient-open", None, mappings), seconds(2));
        assert_eq!(of("Patient-open", None, None), seconds(120));
        assert_eq!(of("Patient-open", Some(NotAfter(None)), mappings), NotAfter(None));
        assert_eq!(of("UserLogout", None, None), seconds(120));
        assert_eq!(of("Patient-close", own, mappings), seconds(1));
        assert_eq!(of("Patient-close", None, mappings), NotAfter(None));
        assert_eq!(of("Patient-close", None, None), NotAfter(None));
    }
}
