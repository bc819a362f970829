//! Templates and the expressions in them, as compiled: paths are resolved, calls are checked. Reading them is `parse`.

use std::borrow::Cow;
use std::ops::Range;

use fhircast_gateway_adapter_api::{Fields, Path};

use super::function::Call;
use super::value::Data;

/// A string of a mapping file: literal text with `${…}` in it.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) parts: Vec<Part>,
    /// Whether any expression in it reads the message; one that is only a text or a name does not.
    pub(crate) reads_message: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Expression(Expression),
    Literal(Box<str>),
}

/// What stands in `${…}`: alternatives, of which the first with a value counts.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) alternatives: Vec<Pipeline>,
}

/// An operand and what is done to it: `PID-7 | date`.
#[derive(Clone, Debug)]
pub(crate) struct Pipeline {
    pub(crate) operand: Operand,
    pub(crate) calls: Vec<Call>,
    /// As written, for explanations.
    pub(crate) text: Box<str>,
    /// Where it stands in the template or condition, for diagnostics.
    pub(crate) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum Operand {
    FirstIdentifier,
    Group(Box<Expression>),
    /// `many` if the path has a wildcard.
    Path {
        path: Path,
        many: bool,
    },
    /// The id of the event's resource of that number.
    Reference(usize),
    Text(Box<str>),
}

/// What expressions read: a message, or a repetition in it, and what is already known of the event's resources.
#[derive(Clone, Copy)]
pub(crate) struct View<'m> {
    pub(crate) fields: &'m dyn Fields,
    /// The ids of the resources in the event, each with the number by which others name the resource.
    pub(crate) ids: &'m [(usize, &'m str)],
    /// `type|system|value` of the present resource's first identifier.
    pub(crate) first_identifier: Option<&'m str>,
}

impl<'m> View<'m> {
    /// A view of `fields` alone.
    pub(crate) fn new(fields: &'m dyn Fields) -> Self {
        Self { fields, ids: &[], first_identifier: None }
    }

    /// The id of the event's resource of that number: of several the first.
    pub(crate) fn id(&self, number: usize) -> Option<&'m str> {
        self.ids.iter().find(|(of, _)| *of == number).map(|(_, id)| *id)
    }

    /// The ids of the event, once for each resource of that number, with that one alone.
    pub(crate) fn for_each_id(&self, number: usize) -> impl Iterator<Item = Vec<(usize, &'m str)>> {
        let ids = self.ids;
        ids.iter().filter(move |(of, _)| *of == number).map(move |one| {
            let others = ids.iter().filter(|(of, _)| *of != number);
            others.chain([one]).copied().collect()
        })
    }
}

impl Template {
    /// A template of these parts.
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        let reads = |part: &Part| matches!(part, Part::Expression(expression) if expression.reads_message());
        Self { reads_message: parts.iter().any(reads), parts }
    }

    /// The text, if no part of it is empty.
    pub(crate) fn text<'m>(&'m self, view: &View<'m>) -> Option<Cow<'m, str>> {
        self.value(view).into_first()
    }

    /// The value: of a single expression as it is, else the parts joined; nothing if a part is empty.
    pub(crate) fn value<'m>(&'m self, view: &View<'m>) -> Data<'m> {
        match self.parts.as_slice() {
            [Part::Expression(only)] => only.value(view),
            [Part::Literal(only)] => Data::text(&**only),
            parts => joined(parts, view).map_or(Data::Absent, Data::text),
        }
    }

    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.parts.iter().filter_map(|part| match part {
            Part::Expression(expression) => Some(expression),
            Part::Literal(_) => None,
        })
    }
}

fn joined(parts: &[Part], view: &View<'_>) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Literal(literal) => text.push_str(literal),
            Part::Expression(expression) => text.push_str(&expression.value(view).into_first()?),
        }
    }
    Some(text)
}

impl Expression {
    /// The first alternative's value that is there; a deleted one ends the search.
    pub(crate) fn value<'m>(&'m self, view: &View<'m>) -> Data<'m> {
        let mut values = self.alternatives.iter().map(|alternative| alternative.value(view));
        values.find(|value| *value != Data::Absent).unwrap_or(Data::Absent)
    }

    pub(crate) fn reads_message(&self) -> bool {
        self.alternatives.iter().any(|alternative| alternative.operand.reads_message())
    }

    pub(crate) fn gives_object(&self) -> bool {
        self.alternatives.iter().any(Pipeline::gives_object)
    }

    /// Every path in it, with where its pipeline stands.
    pub(crate) fn paths(&self) -> Vec<(&Path, Range<usize>)> {
        self.alternatives.iter().flat_map(Pipeline::paths).collect()
    }
}

impl Pipeline {
    /// The operand's value, after every step.
    pub(crate) fn value<'m>(&'m self, view: &View<'m>) -> Data<'m> {
        self.operand.value_after(&self.calls, view)
    }

    pub(crate) fn gives_object(&self) -> bool {
        self.calls.iter().any(Call::gives_object)
            || matches!(&self.operand, Operand::Group(expression) if expression.gives_object())
    }
}

impl Pipeline {
    /// Every path in it, with where it stands itself.
    pub(crate) fn paths(&self) -> Vec<(&Path, Range<usize>)> {
        match &self.operand {
            Operand::Path { path, .. } => vec![(path, self.span.clone())],
            // What has a name stands elsewhere; the name is in this span.
            Operand::Group(inner) => {
                let inside = |span: &Range<usize>| self.span.start <= span.start && span.end <= self.span.end;
                let paths = inner.paths().into_iter();
                paths.map(|(path, span)| (path, if inside(&span) { span } else { self.span.clone() })).collect()
            }
            Operand::FirstIdentifier | Operand::Reference(_) | Operand::Text(_) => Vec::new(),
        }
    }
}

impl Operand {
    /// Its value, after these steps.
    pub(crate) fn value_after<'m>(&'m self, calls: &'m [Call], view: &View<'m>) -> Data<'m> {
        calls.iter().fold(self.value(view), |data, call| call.apply(data, view))
    }

    pub(crate) fn value<'m>(&'m self, view: &View<'m>) -> Data<'m> {
        match self {
            Self::FirstIdentifier => view.first_identifier.map_or(Data::Absent, Data::text),
            Self::Group(expression) => expression.value(view),
            Self::Path { path, many: true } => view.fields.all(path).into(),
            Self::Path { path, many: false } => view.fields.first(path).into(),
            Self::Reference(number) => view.id(*number).map_or(Data::Absent, Data::text),
            Self::Text(text) => Data::text(&**text),
        }
    }

    pub(crate) fn reads_message(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Group(expression) => expression.reads_message(),
            Self::FirstIdentifier | Self::Path { .. } | Self::Reference(_) => true,
        }
    }
}
