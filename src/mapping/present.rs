//! What a message became, as JSON for people: printed by `map`, compared by cases.

use fhircast_gateway_adapter_api::Fields;
use serde_json::{Map, Value, json};

use super::apply::{Mapped, MappedEvent, SessionWords};
use super::set::Mapping;
use crate::fhircast::Identifier;

impl Mapping {
    /// What a message becomes, as JSON: `{"session": …, "events": […]}`; `{"refused": "why"}`; `{"accepted": false}` if the
    /// mapping does not speak for it.
    pub fn outcome(&self, fields: &dyn Fields) -> Value {
        if !self.accepts(fields) {
            return json!({ "accepted": false });
        }
        match self.apply(fields) {
            Ok(mapped) => mapped.to_json(),
            Err(refusal) => json!({ "refused": refusal.reason }),
        }
    }
}

impl Mapped {
    /// The session and the events.
    pub fn to_json(&self) -> Value {
        let events: Vec<Value> = self.events.iter().map(|event| self.event(event)).collect();
        let mut outcome = json!({ "session": self.session.to_json(), "events": events });
        if !self.retired.is_empty() {
            outcome["retired"] = self.retired.iter().map(identifier).collect();
        }
        outcome
    }

    /// The event, with its session where that is another than the first one read.
    fn event(&self, event: &MappedEvent) -> Value {
        let mut shown = shown(event);
        if event.session != self.session {
            shown["session"] = event.session.to_json();
        }
        shown
    }
}

impl SessionWords {
    fn to_json(&self) -> Value {
        let words = [("user", &self.user), ("workstation", &self.workstation)];
        let known = words.into_iter().filter_map(|(name, word)| Some((name.to_owned(), Value::from(word.clone()?))));
        Value::Object(known.collect::<Map<_, _>>())
    }
}

fn identifier(identifier: &Identifier) -> Value {
    let words = [("system", &identifier.system), ("value", &identifier.value)];
    words
        .into_iter()
        .filter_map(|(name, word)| Some((name.to_owned(), Value::from(word.clone()?))))
        .collect::<Map<_, _>>()
        .into()
}

fn shown(event: &MappedEvent) -> Value {
    let context: Vec<Value> = event
        .context
        .iter()
        .map(|entry| {
            let resource: Value = serde_json::from_str(entry.resource.get()).unwrap_or_default();
            json!({ "key": entry.key, "resource": resource })
        })
        .collect();
    let mut shown = json!({ "event": event.name.as_str(), "context": context });
    if let Some(occurred) = event.occurred {
        shown["occurred"] = occurred.to_string().into();
    }
    shown
}
