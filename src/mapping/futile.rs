//! Finds what can never come true in one expression or condition, whatever the message: a condition that contradicts itself, a
//! comparison with a text that is never given, a lookup that finds none of its codes, an alternative behind one that always has a
//! value.
//!
//! Sound, and not complete: what cannot be seen through counts as possible.

use std::ops::Range;

use super::condition::{Comparison, Condition, Test};
use super::exclusive::{exclude_each_other, ways};
use super::expression::{Expression, Operand, Pipeline, Template};
use super::function::Call;
use super::parse::Mistake;
use super::table::LookupTable;
use super::value::{Data, is_blank};

/// What never comes true in `template`.
pub(crate) fn in_template(template: &Template) -> Vec<Mistake> {
    let mut found = Vec::new();
    template.expressions().for_each(|expression| in_expression(expression, &mut found));
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
    exclude_each_other(&ways(condition), &Some(vec![Vec::new()]))
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

fn in_expression(expression: &Expression, found: &mut Vec<Mistake>) {
    let mut before: Option<&Pipeline> = None;
    for alternative in &expression.alternatives {
        if let Some(before) = before {
            let message = format!("this alternative is never reached: `{}` always has a value", before.text);
            found.push(Mistake { span: alternative.span.clone(), message, help: Some("leave it out".to_owned()) });
            return;
        }
        in_pipeline(alternative, found);
        before = Some(alternative).filter(|it| always_gives(it));
    }
}

fn in_pipeline(pipeline: &Pipeline, found: &mut Vec<Mistake>) {
    match &pipeline.operand {
        // A text with a name has a place of its own, where it is looked at.
        Operand::Group(inner) if is_within(inner, &pipeline.span) => in_expression(inner, found),
        Operand::Text(text) if !pipeline.calls.is_empty() && never_gives(text, &pipeline.calls) => {
            let message = format!("`{}` never has a value", pipeline.text);
            found.push(Mistake { span: pipeline.span.clone(), message, help: None });
            return;
        }
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

/// Whether `pipeline` has a value in every message.
pub(crate) fn always_gives(pipeline: &Pipeline) -> bool {
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
        Operand::Group(inner) => pipeline.calls.iter().all(keeps) && inner.alternatives.iter().any(always_gives),
        Operand::FirstIdentifier | Operand::Path { .. } | Operand::Reference(_) => false,
    }
}

/// Whether nothing comes of `text` after all `calls`. Tables that are empty are there for others to fill.
fn never_gives(text: &str, calls: &[Call]) -> bool {
    let filled = |call: &Call| match call {
        Call::Lookup(table) | Call::MapToCode(table) => table.has_rest() || table.codes().next().is_some(),
        _ => true,
    };
    !is_blank(text) && calls.iter().all(filled) && constant(text, calls).is_nothing()
}

fn constant<'c>(text: &'c str, calls: &'c [Call]) -> Data<'c> {
    calls.iter().fold(Data::text(text), |data, call| call.apply(data))
}
