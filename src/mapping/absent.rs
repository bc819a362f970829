//! Finds paths in a condition that no message has of which the condition holds: a segment that its type of message lacks.
//!
//! What messages hold is the protocol's own knowledge: its grammar is asked, with all that the condition makes certain.

use std::ops::Range;

use fhircast_gateway_adapter_api::{Grammar, Path};

use super::condition::{Comparison, Condition, Test};
use super::exclusive::{Way, exclude_each_other, ways};
use super::expression::{Operand, Pipeline};
use super::futile::awaits_rows;

/// A condition that can hold in more ways than this is not looked at.
const MOST_WAYS: usize = 1024;

/// Where such paths stand in `condition`, and why they are never there, given that `also` holds too.
pub(crate) fn in_condition<'c>(
    condition: &'c Condition,
    also: Option<&'c Condition>,
    grammar: &dyn Grammar,
) -> Vec<(Range<usize>, String)> {
    if [Some(condition), also].into_iter().flatten().any(awaits_rows) {
        return Vec::new();
    }
    let Some(own) = ways(condition) else { return Vec::new() };
    let others = also.and_then(ways).unwrap_or_else(|| vec![Vec::new()]);
    if own.len() * others.len() > MOST_WAYS {
        return Vec::new();
    }
    let both = |one: &Way<'c>| others.iter().map(|other| [&one[..], other].concat()).collect::<Vec<_>>();
    // Of a way that contradicts itself nothing is to be learnt.
    let possible: Vec<Way<'c>> = own.iter().flat_map(both).filter(|way| is_possible(way)).collect();
    let mut found = Vec::new();
    tests(condition, &mut |test| {
        let within: Vec<&Way<'c>> =
            possible.iter().filter(|way| way.iter().any(|(other, _)| std::ptr::eq(*other, test))).collect();
        found.extend(paths(test).into_iter().filter_map(|(path, span)| Some((span, absent(path, &within, grammar)?))));
    });
    found
}

fn is_possible(way: &Way<'_>) -> bool {
    !exclude_each_other(&Some(vec![way.clone()]), &Some(vec![Vec::new()]))
}

fn tests<'c>(condition: &'c Condition, look: &mut impl FnMut(&'c Test)) {
    match condition {
        Condition::All(all) | Condition::Any(all) => all.iter().for_each(|condition| tests(condition, look)),
        Condition::Not(inner) => tests(inner, look),
        Condition::Test(test) => look(test),
    }
}

fn paths(test: &Test) -> Vec<(&Path, Range<usize>)> {
    let mut paths = test.operand.paths();
    if let Comparison::Equals(other) = &test.comparison {
        paths.extend(other.paths());
    }
    paths
}

/// Why `path` is in no message of any of these ways.
fn absent(path: &Path, ways: &[&Way<'_>], grammar: &dyn Grammar) -> Option<String> {
    let mut reasons = ways.iter().map(|way| grammar.never_has(path, &known(way)));
    let first = reasons.next()??;
    reasons.all(|reason| reason.is_some()).then_some(first)
}

/// The paths of which a way lists the values.
fn known<'c>(way: &Way<'c>) -> Vec<(&'c Path, Vec<&'c str>)> {
    let listed = |(test, holds): &(&'c Test, bool)| {
        let Pipeline { operand: Operand::Path { path, many: false }, calls, .. } = &test.operand else { return None };
        let values = match &test.comparison {
            Comparison::Equals(Pipeline { operand: Operand::Text(text), calls, .. }) if calls.is_empty() => {
                vec![&**text]
            }
            Comparison::InList(texts) => texts.iter().map(|text| &**text).collect(),
            Comparison::InTable(table) => table.codes().collect(),
            _ => return None,
        };
        (*holds && calls.is_empty()).then_some((path, values))
    };
    way.iter().filter_map(listed).collect()
}
