//! Conditions, as compiled: what must hold of a message. Reading them is `parse`.

use std::ops::Range;

use super::expression::{Pipeline, View};
use super::table::LookupTable;
use super::value::Data;

/// What must hold: of the message, or of a repetition in it.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(Box<Test>),
}

/// One comparison, or a bare operand that must have a value.
#[derive(Clone, Debug)]
pub(crate) struct Test {
    pub(crate) operand: Pipeline,
    pub(crate) comparison: Comparison,
    /// `!=`, `not in`, `not matches`: it holds where the comparison does not.
    pub(crate) negated: bool,
    /// As written, for explanations.
    pub(crate) text: Box<str>,
    /// Where it stands in the condition, for diagnostics.
    pub(crate) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(crate) enum Comparison {
    Equals(Pipeline),
    HasValue,
    InList(Vec<Box<str>>),
    /// The codes that the table lists; its `*` does not count.
    InTable(LookupTable),
    /// `*` for any characters, `?` for one.
    Matches(Box<str>),
}

impl Condition {
    /// Whether it holds. Of a path with several values, one that fits is enough.
    pub(crate) fn holds(&self, view: &View<'_>) -> bool {
        match self {
            Self::All(conditions) => conditions.iter().all(|condition| condition.holds(view)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.holds(view)),
            Self::Not(condition) => !condition.holds(view),
            Self::Test(test) => test.holds(view),
        }
    }

    /// The tests that decided that it does not hold, each with whether it was negated.
    pub(crate) fn reasons(&self, view: &View<'_>) -> Vec<(&Test, bool)> {
        let mut reasons = Vec::new();
        self.blame(view, true, &mut reasons);
        reasons
    }

    /// Collects the tests because of which this is not as `wanted`.
    fn blame<'c>(&'c self, view: &View<'_>, wanted: bool, reasons: &mut Vec<(&'c Test, bool)>) {
        if self.holds(view) == wanted {
            return;
        }
        match self {
            Self::All(conditions) | Self::Any(conditions) => {
                conditions.iter().for_each(|condition| condition.blame(view, wanted, reasons));
            }
            Self::Not(condition) => condition.blame(view, !wanted, reasons),
            Self::Test(test) => reasons.push((test, !wanted)),
        }
    }
}

impl Test {
    fn holds(&self, view: &View<'_>) -> bool {
        self.compares(view) != self.negated
    }

    fn compares(&self, view: &View<'_>) -> bool {
        let data = self.operand.value(view);
        match &self.comparison {
            Comparison::HasValue => !data.is_nothing(),
            Comparison::Equals(other) => equal(&data, &other.value(view)),
            Comparison::InList(texts) => data.texts().iter().any(|text| texts.iter().any(|listed| **listed == **text)),
            Comparison::InTable(table) => data.texts().iter().any(|text| table.lists(text)),
            Comparison::Matches(pattern) => data.texts().iter().any(|text| matches(pattern, text)),
        }
    }
}

fn equal(one: &Data<'_>, other: &Data<'_>) -> bool {
    one.texts().iter().any(|text| other.texts().contains(text))
}

/// Whether `text` has the form of `pattern`. After a mismatch only the last star is widened, so the work is at most the
/// product of both lengths.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut in_pattern, mut in_text) = (0, 0);
    let mut last_star = None;
    while in_text < text.len() {
        match pattern.get(in_pattern) {
            Some('*') => {
                last_star = Some((in_pattern, in_text));
                in_pattern += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[in_text] => {
                in_pattern += 1;
                in_text += 1;
            }
            _ => {
                let Some((star, taken)) = last_star else { return false };
                last_star = Some((star, taken + 1));
                (in_pattern, in_text) = (star + 1, taken + 1);
            }
        }
    }
    pattern[in_pattern..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_characters_and_question_marks_for_one() {
        for (pattern, text, expected) in [
            ("ACME*", "ACME_RIS", true),
            ("ACME*", "ACME", true),
            ("*RIS", "ACME_RIS", true),
            ("A*M*S", "ACME_RIS", true),
            ("A?ME*", "ACME_RIS", true),
            ("ACME", "ACME_RIS", false),
            ("?", "", false),
            ("*", "", true),
            ("*a*b", "aXbXa", false),
            ("Ä?", "Äß", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
