//! What was tried for a value: each alternative until the one that counts, and what became of it on its way.

use super::super::expression::{Expression, Operand, Pipeline, Template, View};
use super::super::value::Data;
use super::shown;

/// What was tried for `template`, in order.
pub(super) fn trials(template: &Template, view: &View<'_>) -> Vec<String> {
    let mut trials = Vec::new();
    template.expressions().for_each(|expression| try_expression(expression, view, &mut trials));
    trials
}

fn try_expression(expression: &Expression, view: &View<'_>, trials: &mut Vec<String>) {
    for pipeline in &expression.alternatives {
        if let Operand::Group(inner) = &pipeline.operand {
            try_expression(inner, view, trials);
        }
        trials.extend(trial(pipeline, view));
        if pipeline.value(view) != Data::Absent {
            return;
        }
    }
}

/// What became of one alternative; nothing where its group has told already.
fn trial(pipeline: &Pipeline, view: &View<'_>) -> Option<String> {
    let in_group = matches!(pipeline.operand, Operand::Group(_));
    let operand = pipeline.operand.value(view);
    let mut data = operand.clone();
    let mut lost_at = None;
    for call in &pipeline.calls {
        let after = call.apply(data.clone(), view);
        if after.is_nothing() && !data.is_nothing() {
            lost_at = Some((call.name(), shown(&data)));
        }
        data = after;
    }
    let text = &pipeline.text;
    match (operand, lost_at, data) {
        (operand, None, Data::Absent | Data::Deleted) if in_group && operand.is_nothing() => None,
        (_, Some((function, before)), data) if data.is_nothing() => {
            let why = match function {
                "lookup" | "map-to-code" => format!("{before} is not in the table"),
                function => format!("`{function}` cannot read {before}"),
            };
            Some(format!("`{text}` gives nothing: {why}"))
        }
        (Data::Deleted, _, Data::Deleted) => Some(format!("`{text}` is deleted, which ends the search")),
        (Data::Deleted, ..) => Some(format!("`{text}` counts, though what it reads is deleted")),
        (Data::Absent, _, Data::Absent) => Some(format!("`{text}` is empty")),
        _ if in_group && pipeline.calls.is_empty() => None,
        (before, _, after) if before == after || before.is_nothing() => Some(format!("`{text}` counts")),
        (before, ..) => Some(format!("`{text}` counts, from {}", shown(&before))),
    }
}
