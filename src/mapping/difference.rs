//! What would change for a message if one mapping took the place of another.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

/// One thing that is not the same. It is added where there is no `from`, and removed where there is no `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is.
    pub kind: ChangeKind,
    /// Where it stands: `ImagingStudy-open.study.status`; an event's name; `session.user`.
    pub path: String,
    /// What there was, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What there would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// What can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Whether the message is refused, and why; whether a mapping speaks for it, and which.
    Message,
    /// Whose screen.
    Session,
    /// An event.
    Event,
    /// What an event that both have holds.
    Member,
}

/// What a message became: values by path, each event's members under its name.
type Flat = BTreeMap<String, (ChangeKind, Value)>;

/// What is not the same in two outcomes of one message, as [`Mapping::outcome`](super::Mapping::outcome) gives them. Events are
/// held against events of the same name, context entries against those of the same key.
pub fn changes(from: &Value, to: &Value) -> Vec<Change> {
    let (from, to) = (flat(from), flat(to));
    let paths: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let lonely = |path: &str| {
        let mut events = from.iter().chain(&to).filter(|(_, (kind, _))| *kind == ChangeKind::Event);
        events.any(|(name, _)| is_within(path, name) && from.contains_key(name) != to.contains_key(name))
    };
    let change = |path: &String| {
        let (old, new) = (from.get(path), to.get(path));
        let kind = old.or(new).map(|(kind, _)| *kind)?;
        // Of an event that only one of both has, its name says all.
        if old == new || kind == ChangeKind::Member && lonely(path) {
            return None;
        }
        let value = |side: Option<&(ChangeKind, Value)>| side.map(|(_, value)| value.clone());
        Some(Change { kind, path: path.clone(), from: value(old), to: value(new) })
    };
    let mut changes: Vec<Change> = paths.into_iter().filter_map(change).collect();
    changes.sort_by_key(|change| change.kind);
    changes
}

fn is_within(path: &str, event: &str) -> bool {
    path.strip_prefix(event).is_some_and(|rest| rest.starts_with('.'))
}

fn flat(outcome: &Value) -> Flat {
    let mut flat = Flat::new();
    for (name, value) in outcome.as_object().into_iter().flatten() {
        match name.as_str() {
            "events" => events(value, &mut flat),
            "session" => add("session", value, ChangeKind::Session, &mut flat),
            _ => add(name, value, ChangeKind::Message, &mut flat),
        }
    }
    flat
}

fn events(events: &Value, flat: &mut Flat) {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events.as_array().into_iter().flatten() {
        let name = event["event"].as_str().unwrap_or_default();
        let count = seen.entry(name).and_modify(|count| *count += 1).or_insert(1);
        let path = if *count == 1 { name.to_owned() } else { format!("{name} {count}") };
        for (member, value) in event.as_object().into_iter().flatten() {
            match member.as_str() {
                "event" => drop(flat.insert(path.clone(), (ChangeKind::Event, value.clone()))),
                "context" => entries(&path, value, flat),
                _ => add(&format!("{path}.{member}"), value, ChangeKind::Member, flat),
            }
        }
    }
}

fn entries(event: &str, context: &Value, flat: &mut Flat) {
    for entry in context.as_array().into_iter().flatten() {
        let key = entry["key"].as_str().unwrap_or_default();
        add(&format!("{event}.{key}"), &entry["resource"], ChangeKind::Member, flat);
    }
}

/// The leaves of `value`.
fn add(path: &str, value: &Value, kind: ChangeKind, flat: &mut Flat) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| add(&format!("{path}.{name}"), value, kind, flat));
        }
        Value::Array(elements) => {
            for (index, value) in elements.iter().enumerate() {
                add(&format!("{path}[{index}]"), value, kind, flat);
            }
        }
        leaf => drop(flat.insert(path.to_owned(), (kind, leaf.clone()))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(from: &Value, to: &Value) -> Vec<String> {
        let word = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
        changes(from, to).into_iter().map(|it| format!("{} {} {}", it.path, word(it.from), word(it.to))).collect()
    }

    fn event(name: &str, gender: &str) -> Value {
        json!({"event": name, "context": [{"key": "patient", "resource": {"gender": gender, "id": "7"}}]})
    }

    #[test]
    fn events_are_held_against_events_of_their_name_and_members_by_path() {
        let from =
            json!({"session": {"user": "a"}, "events": [event("Patient-open", "male"), event("Home-open", "x")]});
        let to =
            json!({"session": {"user": "b"}, "events": [event("Patient-close", "x"), event("Patient-open", "female")]});
        assert_eq!(
            lines(&from, &to),
            [
                "session.user \"a\" \"b\"",
                "Home-open \"Home-open\" -",
                "Patient-close - \"Patient-close\"",
                "Patient-open.patient.gender \"male\" \"female\"",
            ]
        );
        assert!(changes(&from, &from).is_empty());
    }

    #[test]
    fn a_second_event_of_one_name_is_its_own() {
        let once = json!({"events": [event("Patient-open", "male")]});
        let twice = json!({"events": [event("Patient-open", "male"), event("Patient-open", "female")]});
        assert_eq!(lines(&once, &twice), ["Patient-open 2 - \"Patient-open\""]);
    }

    #[test]
    fn a_refusal_is_told_beside_the_events_that_are_gone() {
        let from = json!({"session": {}, "events": [event("Patient-open", "male")]});
        let to = json!({"refused": "why"});
        assert_eq!(lines(&from, &to), ["refused - \"why\"", "Patient-open \"Patient-open\" -"]);
    }
}
