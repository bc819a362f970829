//! Resources and their elements as FHIR R4 has them, in the form in which mappings write them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::super::catalogue;
use super::super::compile::keys;
use super::super::fhir::{Element, Json, Type, r4};
use super::{closed, kind_in_words};

/// What is empty leaves its element out.
const EMPTY: &str = "";

/// Types whose values an expression can give whole: with `map-to-code` and `name`.
const GIVEN_WHOLE: [&str; 2] = ["Coding", "HumanName"];

/// How a type is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    /// An object that stands alone may have a condition.
    Alone,
    /// As the element of an array, where every key that steers the language may stand.
    InArray,
    /// A resource, with its type, and `each` where there may be several.
    Resource,
}

/// The types that were referred to so far.
#[derive(Default)]
pub(super) struct Resources {
    wanted: BTreeSet<(String, Form)>,
}

impl Resources {
    /// The resource under `key` of the catalogue.
    pub(super) fn under(&mut self, key: &str) -> Value {
        catalogue::resource_of(key)
            .map_or_else(|| json!({ "type": "object" }), |resource| self.of(resource, Form::Resource))
    }

    /// Every type that was referred to, and those that they refer to.
    pub(super) fn definitions(mut self) -> Map<String, Value> {
        let mut definitions = BTreeMap::new();
        while let Some((name, form)) = self.wanted.pop_first() {
            let known = name_of(&name, form);
            if let Some(described) = r4().named(&name).filter(|_| !definitions.contains_key(&known)) {
                definitions.insert(known, self.definition(described, form));
            }
        }
        definitions.into_iter().collect()
    }

    /// An element under its name.
    pub(super) fn element(&mut self, element: &Element) -> Value {
        let mut schema = match element.many {
            true => {
                json!({ "anyOf": [{ "type": "array", "items": self.single(element, Form::InArray) }, { "const": EMPTY }] })
            }
            false => self.single(element, Form::Alone),
        };
        schema["description"] = kind_in_words(element).into();
        schema
    }

    fn single(&mut self, element: &Element, form: Form) -> Value {
        let mut may_be = match element.json() {
            Some(Json::Boolean) => vec![json!({ "type": "boolean" })],
            Some(Json::Number) => vec![json!({ "type": "number" })],
            Some(Json::Text) => return text(r4().codes(element)),
            None => vec![self.of(&element.kind, form)],
        };
        match GIVEN_WHOLE.contains(&element.kind.as_str()) {
            true => may_be.push(json!({ "type": "string", "pattern": r"^$|\$\{" })),
            false => may_be.push(json!({ "const": EMPTY })),
        }
        json!({ "anyOf": may_be })
    }

    /// A reference to the type called `name`; what is not described may be any object.
    fn of(&mut self, name: &str, form: Form) -> Value {
        if r4().named(name).is_none() || name == "Resource" {
            return json!({ "type": "object" });
        }
        self.wanted.insert((name.to_owned(), form));
        json!({ "$ref": format!("#/definitions/{}", name_of(name, form)) })
    }

    fn definition(&mut self, of: &Type, form: Form) -> Value {
        let elements: Vec<&Element> = r4().elements(of).collect();
        let own = elements.iter().map(|element| (element.name.as_str(), self.element(element)));
        let own: Vec<(&str, Value)> = own.collect();
        let mut schema = closed(own.into_iter().chain(steering(of, form)));
        let primitives = elements.iter().filter(|element| element.json().is_some()).map(|it| it.name.as_str());
        let primitives: Vec<&str> = primitives.collect();
        if !primitives.is_empty() {
            // `_birthDate` holds the id and the extensions of `birthDate`.
            let names = format!("^_({})$", primitives.join("|"));
            schema["patternProperties"] = json!({ names: {} });
        }
        schema
    }
}

/// What may stand beside the elements.
fn steering(of: &Type, form: Form) -> Vec<(&'static str, Value)> {
    let key = |key| {
        let value = if key == "append" { json!({ "type": "boolean" }) } else { json!({ "type": "string" }) };
        (key, value)
    };
    match form {
        Form::Alone => vec![key("when")],
        Form::InArray => keys::STEERING.map(key).to_vec(),
        Form::Resource => vec![("resourceType", json!({ "const": of.name })), key("each")],
    }
}

/// A text; where only some are allowed, one of those, or one with an expression in it.
fn text(codes: Option<&[String]>) -> Value {
    match codes {
        None => json!({ "type": "string" }),
        Some(codes) => {
            let allowed: Vec<&str> = codes.iter().map(String::as_str).chain([EMPTY]).collect();
            json!({ "anyOf": [{ "enum": allowed }, { "type": "string", "pattern": r"\$\{" }] })
        }
    }
}

/// `Patient.contact`; `Patient.contact[]` in an array.
fn name_of(name: &str, form: Form) -> String {
    format!("{name}{}", if form == Form::InArray { "-in-array" } else { "" })
}
