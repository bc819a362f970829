//! Finds events that can never be emitted, because their conditions want different values of one field at once.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Comparison, Condition, Test};
use super::expression::{Operand, Pipeline};

/// The values that a field may have, by the field's expression as written.
type Allowed<'c> = BTreeMap<&'c str, BTreeSet<&'c str>>;

/// The first field of which all the `conditions` together allow no value at all.
pub(crate) fn contradiction<'c>(conditions: impl Iterator<Item = &'c Condition>) -> Option<&'c str> {
    let mut allowed = Allowed::new();
    conditions.for_each(|condition| narrow(condition, &mut allowed));
    allowed.into_iter().find(|(_, values)| values.is_empty()).map(|(field, _)| field)
}

/// Only what must hold in any case can contradict: what stands beside an `or` or under a `not` is left aside.
fn narrow<'c>(condition: &'c Condition, allowed: &mut Allowed<'c>) {
    match condition {
        Condition::All(conditions) => conditions.iter().for_each(|condition| narrow(condition, allowed)),
        Condition::Test(test) => narrow_by_test(test, allowed),
        Condition::Any(_) | Condition::Not(_) => {}
    }
}

fn narrow_by_test<'c>(test: &'c Test, allowed: &mut Allowed<'c>) {
    let values: BTreeSet<&str> = match &test.comparison {
        Comparison::Equals(other) => constant(other).into_iter().collect(),
        Comparison::InList(texts) => texts.iter().map(|text| &**text).collect(),
        Comparison::HasValue | Comparison::InTable(_) | Comparison::Matches(_) => return,
    };
    // A list of values may hold several at once.
    let single = matches!(test.operand.operand, Operand::Path { many: false, .. });
    if single && !test.negated && !values.is_empty() {
        let narrowed = allowed.entry(&test.operand.text).or_insert_with(|| values.clone());
        narrowed.retain(|value| values.contains(value));
    }
}

/// The text that `pipeline` always gives.
fn constant(pipeline: &Pipeline) -> Option<&str> {
    match &pipeline.operand {
        Operand::Text(text) if pipeline.calls.is_empty() => Some(text),
        _ => None,
    }
}
