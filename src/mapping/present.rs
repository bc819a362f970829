//! What a message became, as JSON for people: printed by `map`, compared by cases.

use fhircast_gateway_adapter_api::Fields;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::apply::{Mapped, MappedEvent, SessionWords};
use super::set::Mapping;
use crate::fhircast::{ContextEntry, Identifier};

/// What a mapping made of a message. Its members stand in the order in which people read them.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'m> {
    Unaccepted {
        accepted: bool,
    },
    Refused {
        refused: String,
    },
    Mapped {
        session: &'m SessionWords,
        events: Vec<Event<'m>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        retired: Vec<Retired<'m>>,
    },
}

#[derive(Serialize)]
struct Event<'m> {
    event: &'m str,
    /// Where it is another than the first one read.
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'m SessionWords>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred: Option<Timestamp>,
    context: &'m [ContextEntry],
}

#[derive(Serialize)]
struct Retired<'m> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'m str>,
}

impl Mapping {
    /// What a message becomes, as JSON: `{"session": …, "events": […]}`; `{"refused": "why"}`; `{"accepted": false}` if the
    /// mapping does not speak for it.
    pub fn outcome(&self, fields: &dyn Fields) -> Value {
        serde_json::from_str(&self.outcome_text(fields)).unwrap_or_default()
    }

    /// As [`Mapping::outcome`], as text, its members in the order in which people read them.
    pub fn outcome_text(&self, fields: &dyn Fields) -> String {
        if !self.accepts(fields) {
            return text(&Outcome::Unaccepted { accepted: false });
        }
        match self.apply(fields) {
            Ok(mapped) => mapped.to_json(),
            Err(refusal) => text(&Outcome::Refused { refused: refusal.reason }),
        }
    }
}

impl Mapped {
    /// The session and the events, as JSON.
    pub fn to_json(&self) -> String {
        let events = self.events.iter().map(|event| self.event(event)).collect();
        let retired = self.retired.iter().map(retired).collect();
        text(&Outcome::Mapped { session: &self.session, events, retired })
    }

    fn event<'m>(&'m self, event: &'m MappedEvent) -> Event<'m> {
        Event {
            event: event.name.as_str(),
            session: Some(&event.session).filter(|session| **session != self.session),
            occurred: event.occurred,
            context: &event.context,
        }
    }
}

fn retired(Identifier { system, value }: &Identifier) -> Retired<'_> {
    Retired { system: system.as_deref(), value: value.as_deref() }
}

/// Texts, lists and resources that are JSON already: nothing of it fails to be JSON.
fn text(outcome: &Outcome<'_>) -> String {
    serde_json::to_string(outcome).unwrap_or_default()
}
