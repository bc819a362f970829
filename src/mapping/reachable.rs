//! Finds events that can never be emitted, and those that are emitted twice.

use super::condition::Condition;
use super::diagnostics::Problem;
use super::exclusive::{exclude_each_other, ways};
use super::file::{Item, Kind, Table};
use super::futile::{awaits_rows, contradicts_itself};
use super::source::Sources;

/// Whether `when` never holds of a message that `accept` takes. What contradicts itself is reported for itself.
pub(crate) fn never_accepted(accept: &Condition, when: &Condition) -> bool {
    let judged = [accept, when].into_iter().all(|condition| !awaits_rows(condition));
    let possible = judged && !contradicts_itself(accept) && !contradicts_itself(when);
    possible && exclude_each_other(&ways(accept), &ways(when))
}

/// Reports each event that says just what another one says: both are emitted.
pub(crate) fn report_twins(events: &[Item], sources: &Sources) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let Kind::Table(table) = &event.kind else { continue };
        let twin =
            events[index + 1..].iter().find(|other| matches!(&other.kind, Kind::Table(other) if same(table, other)));
        let Some(twin) = twin else { continue };
        // An extending file's events come first, and there the mistake can be mended.
        let (here, there) = if twin.place.file == event.place.file { (twin, event) } else { (event, twin) };
        let message = format!("the same event stands at {}, and both are emitted", sources.origin(there.place));
        problems.push(Problem::new(here.place, message).help("leave one of them out"));
    }
    problems
}

fn same(one: &Table, other: &Table) -> bool {
    one.entries.len() == other.entries.len()
        && one.entries.iter().all(|entry| other.get(&entry.key).is_some_and(|it| same_kind(&entry.item, &it.item)))
}

fn same_kind(one: &Item, other: &Item) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Array(one), Kind::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same_kind(one, other))
        }
        (Kind::Scalar(one), Kind::Scalar(other)) => one == other,
        (Kind::Table(one), Kind::Table(other)) => same(one, other),
        (Kind::Text(one), Kind::Text(other)) => one.text == other.text,
        _ => false,
    }
}
