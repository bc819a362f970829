//! How old is what a message tells, and is it still true of anybody's screen? HL7 v2 reference, section 3.5.
//!
//! Knows no clock of its own: times are handed in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::Arrival;
use crate::mapping::MappedEvent;

/// What an event's age means for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// It happened lately, or nobody knows when.
    Fresh,
    /// It is said to happen so many seconds from now: the sender's clock or time zone is wrong.
    Ahead { seconds: u64 },
    /// It happened so many seconds ago, and is shown no longer than `limit` after.
    TooOld { seconds: u64, limit: u64 },
}

/// Clocks in hospitals differ by less than this, in seconds; where they differ by more, something is wrong.
const TOLERATED_SKEW: u64 = 60;

fn age(occurred: Option<Timestamp>, limit: Option<Duration>, received: Timestamp) -> Age {
    let Some(occurred) = occurred else { return Age::Fresh };
    let seconds = received.duration_since(occurred).as_secs();
    match (seconds.unsigned_abs(), limit.map(|limit| limit.as_secs())) {
        (seconds, _) if occurred > received && seconds > TOLERATED_SKEW => Age::Ahead { seconds },
        (seconds, Some(limit)) if occurred < received && seconds > limit => Age::TooOld { seconds, limit },
        _ => Age::Fresh,
    }
}

/// The sources whose times lie ahead of ours, so that each is told of once in a while, and not with every message.
#[derive(Debug, Default)]
pub struct SourceClocks(Mutex<HashMap<Arc<str>, Warned>>);

#[derive(Clone, Copy, Debug)]
struct Warned {
    at: Timestamp,
    /// Messages since, of which nothing was said.
    unsaid: u64,
}

/// How old an event may be that is handled again.
const LIMIT_AGAIN: Duration = Duration::from_secs(60);

/// A source is warned about no more often than this, in seconds.
const WARN_EVERY: i64 = 60;

impl SourceClocks {
    /// Takes the events out that are too old to be shown, and says of each why. The rest keep their numbers.
    pub(super) fn sift(
        &self,
        source: &Arc<str>,
        events: Vec<MappedEvent>,
        arrival: Arrival<'_>,
    ) -> (Vec<(usize, MappedEvent)>, Vec<String>) {
        let (mut fresh, mut too_old) = (Vec::with_capacity(events.len()), Vec::new());
        for (number, mut event) in events.into_iter().enumerate() {
            let (received, now) = (arrival.received, arrival.handled);
            // What is handled again later is as old as its message, and what has no limit of its own has one then.
            let (occurred, limit) = match now > received {
                true => (event.occurred.or(Some(received)), event.not_after.or(Some(LIMIT_AGAIN))),
                false => (event.occurred, event.not_after),
            };
            match age(occurred, limit, now) {
                Age::Fresh => {}
                Age::Ahead { seconds } => {
                    self.warn(source, seconds, now);
                    event.occurred = None;
                }
                Age::TooOld { seconds, limit } => {
                    too_old.push(format!("{} is {seconds} s old, its limit is {limit} s", event.name));
                    continue;
                }
            }
            fresh.push((number, event));
        }
        (fresh, too_old)
    }

    fn warn(&self, source: &Arc<str>, seconds: u64, now: Timestamp) {
        if let Some(unsaid) = self.due(source, now) {
            warn!(%source, ahead_seconds = seconds, unsaid,
                "The source tells times that are still to come; the time of arrival counts instead. Is its clock right, and the mapping's zone?");
        }
    }

    /// How many were passed over since the last warning, if the next one is due.
    fn due(&self, source: &Arc<str>, now: Timestamp) -> Option<u64> {
        let mut sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sources.get_mut(source) {
            Some(warned) if now.duration_since(warned.at).as_secs() < WARN_EVERY => {
                warned.unsaid += 1;
                None
            }
            warned => {
                let unsaid = warned.map_or(0, |warned| warned.unsaid);
                sources.insert(Arc::clone(source), Warned { at: now, unsaid: 0 });
                Some(unsaid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn an_event_is_too_old_only_beyond_its_limit_and_a_time_far_ahead_does_not_count() {
        let limit = Some(Duration::from_secs(120));
        for (occurred, limit, expected) in [
            (Some(0), limit, Age::Fresh),
            (Some(-120), limit, Age::Fresh),
            (Some(-121), limit, Age::TooOld { seconds: 121, limit: 120 }),
            (Some(-86_400), None, Age::Fresh),
            (Some(60), limit, Age::Fresh),
            (Some(61), limit, Age::Ahead { seconds: 61 }),
            (Some(3600), None, Age::Ahead { seconds: 3600 }),
            (None, limit, Age::Fresh),
        ] {
            assert_eq!(age(occurred.map(at), limit, at(0)), expected, "{occurred:?}");
        }
    }

    #[test]
    fn a_source_ahead_of_time_is_told_of_once_a_minute_with_how_many_were_not() {
        let clocks = SourceClocks::default();
        let (east, west): (Arc<str>, Arc<str>) = ("east".into(), "west".into());
        assert_eq!(clocks.due(&east, at(0)), Some(0));
        assert_eq!(clocks.due(&east, at(1)), None);
        assert_eq!(clocks.due(&east, at(59)), None);
        assert_eq!(clocks.due(&west, at(59)), Some(0));
        assert_eq!(clocks.due(&east, at(60)), Some(2));
        assert_eq!(clocks.due(&east, at(121)), Some(0));
    }
}
