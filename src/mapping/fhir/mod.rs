//! What FHIR R4 allows in the resources that mappings write: elements at every depth, their types, the codes of required
//! bindings. The data is `r4.txt`, in a notation of its own; the check of a mapping against it is `check`.
//!
//! Knows no message and no event.

mod check;
mod given;
mod literal;
mod notation;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::LazyLock;

pub(crate) use check::Checker;

/// FHIR R4 as far as it is described here; read once.
static R4: LazyLock<Model> = LazyLock::new(|| notation::read(include_str!("r4.txt")));

/// FHIR R4, as far as it is described here.
pub(crate) fn r4() -> &'static Model {
    &R4
}

/// The types of FHIR, and the codes that its required bindings allow.
#[derive(Debug, Default)]
pub(crate) struct Model {
    types: BTreeMap<String, Type>,
    codes: BTreeMap<String, Vec<String>>,
}

/// A resource, a datatype, or a part of one: `Patient`, `HumanName`, `Patient.contact`.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) name: String,
    /// The type whose elements it has too.
    base: Option<String>,
    elements: Vec<Element>,
}

/// An element of a type, under its JSON name.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    /// The name of its type.
    pub(crate) kind: String,
    /// Whether it is a list.
    pub(crate) many: bool,
    /// Whether it must be there: 1..1 or 1..*.
    pub(crate) required: bool,
    /// The name of the choice it is of, such as `deceased[x]`: only one of them may be there.
    pub(crate) choice: Option<String>,
    /// The name of the codes that alone are allowed.
    pub(crate) binding: Option<String>,
}

/// How a primitive type is written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Boolean,
    Number,
    Text,
}

impl Model {
    /// The type called `name`, where it is described.
    pub(crate) fn named(&self, name: &str) -> Option<&Type> {
        self.types.get(name)
    }

    /// All elements of `of`, its own first.
    pub(crate) fn elements<'m>(&'m self, of: &'m Type) -> impl Iterator<Item = &'m Element> + Clone {
        let base = |it: &&'m Type| it.base.as_deref().and_then(|base| self.named(base));
        std::iter::successors(Some(of), base).flat_map(|it| &it.elements)
    }

    /// The names of the elements that every resource of the type `resource` has; none where the type is not described.
    pub(crate) fn required(&self, resource: &str) -> Vec<&str> {
        let Some(of) = self.named(resource) else { return Vec::new() };
        self.elements(of).filter(|element| element.required).map(|element| element.name.as_str()).collect()
    }

    /// The codes that `element` must be one of, where it must.
    pub(crate) fn codes(&self, element: &Element) -> Option<&[String]> {
        self.codes.get(element.binding.as_deref()?).map(Vec::as_slice)
    }
}

impl Type {
    /// Its own elements, without those of its base.
    pub(crate) fn own(&self) -> &[Element] {
        &self.elements
    }
}

impl Element {
    /// How it is written, if its type is a primitive.
    pub(crate) fn json(&self) -> Option<Json> {
        match self.kind.as_str() {
            "boolean" => Some(Json::Boolean),
            "decimal" | "integer" | "positiveInt" | "unsignedInt" => Some(Json::Number),
            other => other.starts_with(|first: char| first.is_ascii_lowercase()).then_some(Json::Text),
        }
    }
}
