//! A JSON Schema of mapping files, for editors that complete and check TOML while it is written (draft 7, which taplo reads).
//!
//! Made of what the compiler itself goes by: its keys, FHIRcast's catalogue, FHIR R4. What the compiler takes is never refused
//! here; paths, expressions and what an event needs are for `check` alone.

mod resource;
#[cfg(test)]
mod tests;

use fhircast_gateway_adapter_api::Grammar;
use serde_json::{Map, Value, json};

use super::catalogue;
use super::compile::keys;
use super::fhir::Element;
use super::fhir::r4;
use super::reference;
use crate::fhircast::catalogue::DEFINITIONS;
use resource::Resources;

/// The schema of files that are written in the paths of `grammars`.
pub fn schema(grammars: &[&dyn Grammar]) -> Value {
    let mut resources = Resources::default();
    let protocols: Vec<&str> = grammars.iter().map(|grammar| grammar.protocol()).collect();
    let properties = keys::FILE.map(|key| (key, described(key, file_key(key, &protocols, &mut resources))));
    let mut schema = closed(properties);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "A mapping of fhircast-gateway".into();
    schema["definitions"] = resources.definitions().into();
    schema
}

/// What may stand under `key` of a file. A key without any more to say takes a text.
fn file_key(key: &str, protocols: &[&str], resources: &mut Resources) -> Value {
    match key {
        "protocol" => json!({ "enum": protocols }),
        "occurred" => json!({ "type": "string", "pattern": EXPRESSION }),
        "not_after" => not_after(),
        "events" => json!({ "enum": ["replace"] }),
        "accept" => closed(keys::ACCEPT.map(|key| (key, text()))),
        "session" => session(),
        "constant" => open(&text()),
        "expression" => open(&json!({ "type": "string", "pattern": EXPRESSION })),
        "event" => list(&event(resources)),
        "merge" => list(&merge(resources)),
        "context" => context(resources),
        "table" => open(&table()),
        _ => text(),
    }
}

/// A text that is one whole expression.
const EXPRESSION: &str = r"^\$\{[\s\S]*\}$";

fn event(resources: &mut Resources) -> Value {
    closed(keys::EVENT.map(|key| {
        let value = match key {
            "name" => event_name(),
            "not_after" => not_after(),
            "session" => session(),
            "context" => event_context(resources),
            _ => text(),
        };
        (key, value)
    }))
}

/// Names of the catalogue are offered; any other that has an event's form is taken.
fn event_name() -> Value {
    let names: Vec<&str> = DEFINITIONS.iter().map(|definition| definition.name).collect();
    let actions = ["open", "close", "update", "select"].map(in_any_case).join("|");
    let form = format!("^[A-Za-z]{{2,}}-({actions})$|^[A-Za-z0-9_]+([.][A-Za-z0-9_]+)+$");
    let infrastructure = ["SyncError", "UserLogout", "UserHibernate", "Heartbeat"].map(in_any_case).join("|");
    json!({ "type": "string", "anyOf": [{ "enum": names }, { "pattern": format!("{form}|^({infrastructure})$") }] })
}

fn in_any_case(word: &str) -> String {
    word.chars().map(|letter| format!("[{}{}]", letter.to_ascii_lowercase(), letter.to_ascii_uppercase())).collect()
}

fn merge(resources: &mut Resources) -> Value {
    let identifier =
        r4().named("Patient").and_then(|patient| r4().elements(patient).find(|it| it.name == "identifier"));
    closed(keys::MERGE.map(|key| {
        let value = match (key, identifier) {
            ("identifier", Some(element)) => resources.element(element),
            ("append", _) => json!({ "type": "boolean" }),
            _ => text(),
        };
        (key, value)
    }))
}

/// The keys of the catalogue's events; any other may hold any resource.
fn context(resources: &mut Resources) -> Value {
    let known = catalogue::KEYS.map(|key| (key, resources.under(key)));
    json!({ "type": "object", "properties": members(known), "additionalProperties": { "type": "object" } })
}

/// A list of keys, or a table of what is different in them for one event.
fn event_context(resources: &mut Resources) -> Value {
    let left_out = json!({ "const": false });
    let known = catalogue::KEYS.map(|key| (key, json!({ "anyOf": [resources.under(key), left_out] })));
    let others = json!({ "anyOf": [{ "type": "object" }, left_out] });
    json!({
        "anyOf": [
            { "type": "array", "items": { "type": "string", "anyOf": [{ "enum": catalogue::KEYS }, {}] } },
            { "type": "object", "properties": members(known), "additionalProperties": others },
        ]
    })
}

fn session() -> Value {
    closed(keys::SESSION.map(|key| (key, text())))
}

fn not_after() -> Value {
    json!({ "type": "string", "pattern": r"^(never|0*[1-9][0-9]*\s*(s|min|h))$" })
}

/// Rows, or the name of the CSV file that holds them.
fn table() -> Value {
    let code = closed(keys::CODE.map(|key| (key, text())));
    let row = json!({ "anyOf": [text(), code] });
    json!({ "anyOf": [{ "type": "string", "pattern": r"\.csv$" }, open(&row)] })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn list(of: &Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// An object with these properties and no others.
fn closed<'k>(properties: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    json!({ "type": "object", "properties": members(properties), "additionalProperties": false })
}

/// An object with any properties that are as `value`.
fn open(value: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

fn members<'k>(properties: impl IntoIterator<Item = (&'k str, Value)>) -> Map<String, Value> {
    properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The schema with what the reference says of the key.
fn described(key: &str, mut schema: Value) -> Value {
    if let Some(description) = reference::of_key(key) {
        schema["description"] = description.into();
    }
    schema
}

/// `HumanName, a list`
fn kind_in_words(element: &Element) -> String {
    format!("{}{}", element.kind, if element.many { ", a list" } else { "" })
}
