//! What an expression can give, as far as that is known before any message: a text of a table, a certain text, an object.

use std::ops::Range;

use super::super::expression::{Expression, Operand, Pipeline};
use super::super::function::Call;
use super::super::futile::never_absent;
use super::super::table::LookupTable;

/// One of the things that an expression can give.
pub(crate) struct Given<'e> {
    pub(crate) source: Source<'e>,
    /// The part of the template that gives it.
    pub(crate) span: Range<usize>,
}

pub(crate) enum Source<'e> {
    /// A day without a time.
    Date,
    /// A day, mostly with a time.
    DateTime,
    /// Just this text.
    Literal(&'e str),
    /// A FHIR object of this type.
    Object(&'static str),
    /// A text of one of the table's rows.
    Rows(&'e LookupTable),
    /// Some text.
    Text,
}

impl<'e> Given<'e> {
    /// Everything that `expression` can give.
    pub(crate) fn all(expression: &'e Expression) -> Vec<Self> {
        expression.alternatives.iter().flat_map(Self::of).collect()
    }

    /// Of an expression with a name the parts stand elsewhere: then the name is their place.
    fn within(self, outer: &Range<usize>) -> Self {
        if inside(outer, &self.span) { self } else { Self { span: outer.clone(), ..self } }
    }

    fn of(pipeline: &'e Pipeline) -> Vec<Self> {
        let given = |source| Self { source, span: pipeline.span.clone() };
        // Steps from the end on: each either passes texts on as they are, or decides what comes out.
        let mut found = Vec::new();
        for call in pipeline.calls.iter().rev() {
            match call {
                Call::Default(text) => found.push(given(Source::Literal(text))),
                Call::First | Call::Trim => {}
                Call::Lookup(table) => {
                    found.push(given(Source::Rows(table)));
                    return found;
                }
                Call::Date { .. } | Call::DateTime { .. } => {
                    let day = matches!(call, Call::Date { .. });
                    found.push(given(if day { Source::Date } else { Source::DateTime }));
                    return found;
                }
                Call::MapToCode(_) => return vec![given(Source::Object("Coding"))],
                Call::Name => return vec![given(Source::Object("HumanName"))],
                _ => {
                    found.push(given(Source::Text));
                    return found;
                }
            }
        }
        match &pipeline.operand {
            Operand::Group(expression) => {
                found.extend(Self::all(expression).into_iter().map(|inner| inner.within(&pipeline.span)))
            }
            Operand::Text(text) => found.push(given(Source::Literal(text))),
            Operand::FirstIdentifier | Operand::Path { .. } | Operand::Reference(_) => found.push(given(Source::Text)),
        }
        found
    }
}

/// Where `expression` ends in a lookup that may find nothing, and nothing stands in for it.
pub(crate) fn gap(expression: &Expression) -> Option<Range<usize>> {
    let last = expression.alternatives.last()?;
    if expression.alternatives.iter().any(never_absent) {
        return None;
    }
    let finds_all = |call: &Call| match call {
        Call::Lookup(table) | Call::MapToCode(table) => table.has_rest(),
        _ => true,
    };
    match &last.operand {
        _ if !last.calls.iter().all(finds_all) => Some(last.span.clone()),
        Operand::Group(inner) => {
            gap(inner).map(|span| if inside(&last.span, &span) { span } else { last.span.clone() })
        }
        _ => None,
    }
}

fn inside(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
