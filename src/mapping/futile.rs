//! Finds what can never come true in one expression or condition, whatever the message: a condition that contradicts itself, a
//! comparison with a text that is never given, a lookup that finds none of its codes, an alternative behind one that always has a
//! value.
//!
//! Sound, and not complete: what cannot be seen through counts as possible.

use std::ops::Range;

use fhircast_gateway_adapter_api::{Fields, Path, Value};

use super::condition::{Comparison, Condition, Test};
use super::exclusive::{exclude_each_other, ways};
use super::expression::{Expression, Operand, Pipeline, Template, View};
use super::function::Call;
use super::parse::Mistake;
use super::table::LookupTable;
use super::value::{Data, is_blank};

/// What never comes true in `template`.
pub(crate) fn in_template(template: &Template) -> Vec<Mistake> {
    template.expressions().flat_map(in_expression).collect()
}

/// What never comes true in `expression`.
pub(crate) fn in_expression(expression: &Expression) -> Vec<Mistake> {
    let mut found = Vec::new();
    in_alternatives(expression, &mut found);
    found
}

/// What never comes true in `condition`; its text is `length` bytes long.
pub(crate) fn in_condition(condition: &Condition, length: usize) -> Vec<Mistake> {
    let mut found = Vec::new();
    in_tests(condition, &mut found);
    if found.is_empty() && contradicts_itself(condition) {
        let message = "this never holds: its parts exclude each other";
        found.push(Mistake { span: 0..length, message: message.to_owned(), help: None });
    }
    found
}

/// Whether no message fulfils `condition`.
pub(crate) fn contradicts_itself(condition: &Condition) -> bool {
    !awaits_rows(condition) && exclude_each_other(&ways(condition), &Some(vec![Vec::new()]))
}

/// Whether `condition` looks into a table that is empty: it is there for others to fill.
pub(crate) fn awaits_rows(condition: &Condition) -> bool {
    match condition {
        Condition::All(all) | Condition::Any(all) => all.iter().any(awaits_rows),
        Condition::Not(inner) => awaits_rows(inner),
        Condition::Test(test) => match &test.comparison {
            Comparison::InTable(table) => table.codes().next().is_none(),
            _ => false,
        },
    }
}

fn in_tests(condition: &Condition, found: &mut Vec<Mistake>) {
    match condition {
        Condition::All(all) | Condition::Any(all) => all.iter().for_each(|condition| in_tests(condition, found)),
        Condition::Not(inner) => in_tests(inner, found),
        Condition::Test(test) => in_test(test, found),
    }
}

fn in_test(test: &Test, found: &mut Vec<Mistake>) {
    in_pipeline(&test.operand, found);
    let never = |text: &str| (!can_give(&test.operand, text)).then(|| never_given(test, text));
    match &test.comparison {
        Comparison::Equals(other) => match &other.operand {
            Operand::Text(text) if other.calls.is_empty() => found.extend(never(text)),
            _ => in_pipeline(other, found),
        },
        Comparison::InList(texts) => found.extend(texts.iter().filter_map(|text| never(text))),
        Comparison::InTable(table) => {
            if finds_nothing(&test.operand, table) {
                found.push(none_of(test.span.clone(), "this never holds", table));
            }
        }
        Comparison::HasValue | Comparison::Matches(_) => {}
    }
}

fn never_given(test: &Test, text: &str) -> Mistake {
    let help = match test.operand.calls.last() {
        Some(Call::Lower) => Some(format!("write '{}'", text.to_lowercase())),
        Some(Call::Upper) => Some(format!("write '{}'", text.to_uppercase())),
        _ => None,
    };
    let message = format!("`{}` never gives '{text}'", test.operand.text);
    Mistake { span: test.span.clone(), message, help }
}

/// What looks for a code of `table` finds none.
fn none_of(span: Range<usize>, message: &str, table: &LookupTable) -> Mistake {
    let mut codes: Vec<&str> = table.codes().collect();
    codes.sort_unstable();
    let message = format!("{message}: what it looks for is never one of the table's codes");
    Mistake { span, message, help: Some(format!("they are: {}", codes.join(", "))) }
}

fn in_alternatives(expression: &Expression, found: &mut Vec<Mistake>) {
    let mut before: Option<&Pipeline> = None;
    for alternative in &expression.alternatives {
        if let Some(before) = before {
            let message = format!("this alternative is never reached: `{}` always has a value", before.text);
            found.push(Mistake { span: alternative.span.clone(), message, help: Some("leave it out".to_owned()) });
            return;
        }
        in_pipeline(alternative, found);
        before = Some(alternative).filter(|it| never_absent(it));
    }
}

fn in_pipeline(pipeline: &Pipeline, found: &mut Vec<Mistake>) {
    match &pipeline.operand {
        // What has a name has a place of its own, where it is looked at.
        Operand::Group(inner) if is_within(inner, &pipeline.span) => in_alternatives(inner, found),
        // Whoever looks up a text of their own sees what comes of it.
        Operand::Text(_) => return,
        _ => {}
    }
    for (index, call) in pipeline.calls.iter().enumerate() {
        let (Call::Lookup(table) | Call::MapToCode(table)) = call else { continue };
        let calls = pipeline.calls[..index].to_vec();
        let giver = Pipeline { calls, ..pipeline.clone() };
        if !table.has_rest() && finds_nothing(&giver, table) {
            found.push(none_of(pipeline.span.clone(), &format!("`{}` finds nothing here", call.name()), table));
            return;
        }
    }
}

fn is_within(inner: &Expression, outer: &Range<usize>) -> bool {
    inner.alternatives.iter().all(|it| outer.start <= it.span.start && it.span.end <= outer.end)
}

/// Whether `giver` gives none of the codes that `table` lists. An empty table is there for others to fill.
fn finds_nothing(giver: &Pipeline, table: &LookupTable) -> bool {
    table.codes().next().is_some() && !table.codes().any(|code| can_give(giver, code))
}

/// Whether `pipeline` may give `text`; true where it cannot be told.
fn can_give(pipeline: &Pipeline, text: &str) -> bool {
    !is_blank(text) && steps_can_give(&pipeline.operand, &pipeline.calls, text)
}

fn steps_can_give(operand: &Operand, calls: &[Call], text: &str) -> bool {
    let Some((last, before)) = calls.split_last() else {
        return match operand {
            Operand::Text(constant) => **constant == *text,
            Operand::Group(inner) => inner.alternatives.iter().any(|it| can_give(it, text)),
            Operand::FirstIdentifier | Operand::Path { .. } | Operand::Reference(_) => true,
        };
    };
    match last {
        Call::Default(constant) => **constant == *text || steps_can_give(operand, before, text),
        Call::Digits => text.bytes().all(|byte| byte.is_ascii_digit()),
        Call::First | Call::Nth(_) => steps_can_give(operand, before, text),
        Call::Lookup(table) => table.texts().any(|row| row == text),
        Call::Lower => text == text.to_lowercase(),
        Call::MapToCode(_) | Call::Name => false,
        Call::Oid => text.starts_with("urn:oid:"),
        Call::Prefix(prefix) => text.starts_with(&**prefix),
        Call::Split(separator) => !text.contains(&**separator),
        Call::Suffix(suffix) => text.ends_with(&**suffix),
        Call::Trim => {
            let cased = matches!(before.last(), Some(Call::Lower | Call::Upper));
            text == text.trim() && (!cased || steps_can_give(operand, before, text))
        }
        Call::Upper => text == text.to_uppercase(),
        _ => true,
    }
}

/// Whether `pipeline` has a value in every message, or is said to be deleted: either ends an `or`.
pub(crate) fn never_absent(pipeline: &Pipeline) -> bool {
    let keeps = |call: &Call| {
        matches!(call, Call::First | Call::Lower | Call::Prefix(_) | Call::Suffix(_) | Call::Trim | Call::Upper)
    };
    let default = |call: &Call| matches!(call, Call::Default(text) if !is_blank(text));
    let after = pipeline.calls.iter().rposition(default).map_or(0, |index| index + 1);
    if after > 0 {
        return pipeline.calls[after..].iter().all(keeps);
    }
    match &pipeline.operand {
        Operand::Text(text) => !constant(text, &pipeline.calls).is_nothing(),
        Operand::Group(inner) => pipeline.calls.iter().all(keeps) && inner.alternatives.iter().any(never_absent),
        Operand::FirstIdentifier | Operand::Path { .. } | Operand::Reference(_) => false,
    }
}

fn constant<'c>(text: &'c str, calls: &'c [Call]) -> Data<'c> {
    let view = View::new(&NoFields);
    calls.iter().fold(Data::text(text), |data, call| call.apply(data, &view))
}

/// No message: what is always the same reads none.
struct NoFields;

impl Fields for NoFields {
    fn first<'m>(&'m self, _: &Path) -> Value<'m> {
        Value::Absent
    }

    fn all<'m>(&'m self, _: &Path) -> Vec<Value<'m>> {
        Vec::new()
    }

    fn each<'m>(&'m self, _: &Path) -> Vec<Box<dyn Fields + 'm>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::expression::Part;
    use super::super::names::Names;
    use super::super::parse;
    use super::super::table::Meaning;
    use super::super::testing::{Note, Notes};
    use super::*;

    fn table(rows: &[(&str, &str)]) -> LookupTable {
        rows.iter().map(|(code, text)| ((*code).into(), Meaning::Text((*text).into()))).collect()
    }

    fn names() -> Names<'static> {
        let tables = [
            ("t".to_owned(), table(&[("X", "one"), ("y", "TWO")])),
            ("rest".to_owned(), table(&[("X", "one"), ("*", "other")])),
            ("empty".to_owned(), table(&[])),
        ];
        Names {
            grammar: &Notes,
            constants: [("k".to_owned(), "v".to_owned())].into(),
            expressions: Default::default(),
            tables: tables.into(),
            zone: None,
            keys: Vec::new(),
            used: Default::default(),
            partial: false,
        }
    }

    fn pipeline(text: &str) -> Pipeline {
        let template = parse::template(&format!("${{{text}}}"), &names()).unwrap_or_else(|it| panic!("{text}: {it:?}"));
        match template.parts.into_iter().next() {
            Some(Part::Expression(mut expression)) => expression.alternatives.remove(0),
            _ => panic!("{text}"),
        }
    }

    #[test]
    fn what_never_comes_true_is_told_and_nothing_else() {
        for (text, expected) in [
            ("A | lower == 'X'", 1),
            ("A | lower == 'x'", 0),
            ("A | lower != 'X'", 1),
            ("A | lower in ['x', 'X', 'Y']", 2),
            ("A | trim == ' x'", 1),
            ("A | lower | trim == 'X'", 1),
            ("A | digits == '1a'", 1),
            ("A | prefix 'p-' == 'x'", 1),
            ("A | lookup t == 'two'", 1),
            ("A | lookup t == 'TWO'", 0),
            ("A | lookup rest == 'other'", 0),
            ("A | lookup empty == 'x'", 1),
            ("A | lower in rest", 1),
            ("A | lower in t", 0),
            ("A in empty", 0),
            ("A | default 'x' == 'x'", 0),
            ("k == 'v'", 0),
            ("k == 'w'", 1),
            ("A == B", 0),
            ("A == 'x' and A == 'y'", 1),
            ("not A and A == 'x'", 1),
            ("A == 'x' or A == 'y'", 0),
        ] {
            let condition = parse::condition(text, &names()).unwrap();
            assert_eq!(in_condition(&condition, text.len()).len(), expected, "{text}");
        }
        for (text, expected) in [
            ("A or B", 0),
            ("A or 'x'", 0),
            ("A or 'x' or B", 1),
            ("A | default 'x' | upper or B", 1),
            ("A | default 'x' | digits or B", 0),
            ("(A or 'x') or B", 1),
            ("'X' | lookup t or B", 1),
            ("'Q' | lookup t or B", 0),
            ("'Q' | lookup rest or B", 1),
            ("'Q' | lookup empty or B", 0),
            ("A | digits | lookup t", 1),
            ("A | digits | lookup rest", 0),
            ("A | lookup t | lookup t", 1),
            ("A | lookup t | lookup rest", 0),
        ] {
            let template = parse::template(&format!("${{{text}}}"), &names()).unwrap();
            assert_eq!(in_template(&template).len(), expected, "{text}");
        }
    }

    fn pipelines() -> impl Strategy<Value = String> {
        let operand =
            prop_oneof![Just("A"), Just("A[*]"), Just("'X'"), Just("k"), Just("(A or 'y')"), Just("(A or B)")];
        let call = prop_oneof![
            Just("lower"),
            Just("upper"),
            Just("trim"),
            Just("digits"),
            Just("first"),
            Just("oid"),
            Just("prefix 'p'"),
            Just("suffix '1'"),
            Just("replace 'x' 'yx'"),
            Just("split '-'"),
            Just("nth 2"),
            Just("join '-'"),
            Just("default 'd'"),
            Just("lookup t"),
            Just("lookup rest"),
            Just("date"),
        ];
        (operand, prop::collection::vec(call, 0..4))
            .prop_map(|(operand, calls)| calls.iter().fold(operand.to_owned(), |text, call| format!("{text} | {call}")))
    }

    proptest! {
        #[test]
        fn what_an_expression_gives_it_can_give(text in pipelines(), a in "[xXyY1. -]{0,6}(~[xY1-]{0,3})?|\"\"", b in "[xY1]?") {
            let (pipeline, message) = (pipeline(&text), format!("A: {a}\nB: {b}"));
            let note = Note::new(&message);
            let value = pipeline.value(&View::new(&note));
            for given in value.texts().iter().filter(|text| !is_blank(text)) {
                prop_assert!(can_give(&pipeline, given), "{text} gives {given:?} for {message:?}");
            }
            if never_absent(&pipeline) {
                prop_assert!(value != Data::Absent, "{text} for {message:?}");
            }
        }
    }
}
