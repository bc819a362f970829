//! What a message became, as JSON for people: printed by `map`, compared by cases.

use fhircast_gateway_adapter_api::Fields;
use serde::Serialize;
use serde_json::Value;

use super::apply::{Mapped, MappedEvent, SessionWords};
use super::set::Mapping;
use crate::fhircast::ContextEntry;

/// What a mapping made of a message. Its members stand in the order in which people read them.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome<'m> {
    Unaccepted { accepted: bool },
    Refused { refused: String },
    Mapped { session: Session<'m>, events: Vec<Event<'m>> },
}

#[derive(Serialize)]
struct Session<'m> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workstation: Option<&'m str>,
}

#[derive(Serialize)]
struct Event<'m> {
    event: &'m str,
    context: &'m [ContextEntry],
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
        let SessionWords { user, workstation } = &self.session;
        let session = Session { user: user.as_deref(), workstation: workstation.as_deref() };
        text(&Outcome::Mapped { session, events: self.events.iter().map(event).collect() })
    }
}

fn event(event: &MappedEvent) -> Event<'_> {
    Event { event: event.name.as_str(), context: &event.context }
}

/// Texts, lists and resources that are JSON already: nothing of it fails to be JSON.
fn text(outcome: &Outcome<'_>) -> String {
    serde_json::to_string(outcome).unwrap_or_default()
}
