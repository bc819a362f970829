//! Which subscriber fell out of step, and why (NOT-05 to NOT-09, NOT-15).

use crate::fhircast::EventName;

/// A SyncError that the hub raises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::hub) struct SyncError {
    /// What happened.
    pub(in crate::hub) cause: Cause,
    /// The subscriber's name, or its endpoint's short id.
    pub(in crate::hub) subscriber: String,
}

/// What put a subscriber out of step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Cause {
    /// It refused an event: its id and name (NOT-05).
    Refused(String, EventName),
    /// It answered that it failed over an event (NOT-05).
    NotDelivered(String, EventName),
    /// It did not answer in time (NOT-06).
    NoAnswer(String, EventName),
    /// Its socket was lost (NOT-07).
    Lost,
    /// It read too slowly (NOT-15).
    TooSlow,
}

impl SyncError {
    /// A sentence for whoever looks at the screens.
    pub(in crate::hub) fn sentence(&self) -> String {
        let name = &self.subscriber;
        match &self.cause {
            Cause::Refused(_, event) => format!("{name} refused {event}."),
            Cause::NotDelivered(_, event) => format!("{event} was not delivered: {name} failed over it."),
            Cause::NoAnswer(_, event) => format!("{name} did not answer {event} in time."),
            Cause::Lost => format!("The connection to {name} was lost."),
            Cause::TooSlow => format!("{name} read too slowly, and was cut off."),
        }
    }

    /// The cause in one word, for logs: the events of a session are nobody's business there.
    pub(in crate::hub) fn cause_name(&self) -> &'static str {
        match self.cause {
            Cause::Refused(..) => "refused",
            Cause::NotDelivered(..) => "not delivered",
            Cause::NoAnswer(..) => "no answer",
            Cause::Lost => "lost",
            Cause::TooSlow => "too slow",
        }
    }

    /// The id and name of the event it is about, where it is about one.
    pub(in crate::hub) fn event(&self) -> Option<(&str, &EventName)> {
        match &self.cause {
            Cause::Refused(id, name) | Cause::NotDelivered(id, name) | Cause::NoAnswer(id, name) => Some((id, name)),
            Cause::Lost | Cause::TooSlow => None,
        }
    }
}
