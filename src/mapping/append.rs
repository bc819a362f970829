//! `append = true`, where there is nothing to append to.

use super::diagnostics::Problem;
use super::file::{Entry, Item, Kind, Table};
use super::merge::merge;

/// Reports each `append` in the file `own` that has no effect, given what the file extends.
pub(crate) fn report(own: &Table, parent: Option<&Table>, problems: &mut Vec<Problem>) {
    let (events, others): (Vec<&Entry>, Vec<&Entry>) = own.entries.iter().partition(|entry| entry.key == "event");
    report_entries(others.into_iter(), parent, problems);
    for context in events.into_iter().flat_map(contexts) {
        // An event's own resources are laid over those of the file and of what it extends.
        let shared = |file: Option<&Table>| file.and_then(|file| table(file.get("context")?)).cloned();
        let shared = match (shared(parent), shared(Some(own))) {
            (Some(parent), Some(own)) => Some(merge(parent, own)),
            (one, other) => one.or(other),
        };
        report_entries(context.entries.iter(), shared.as_ref(), problems);
    }
}

/// `[event.context]` of each event.
fn contexts(events: &Entry) -> impl Iterator<Item = &Table> {
    let items = match &events.item.kind {
        Kind::Array(items) => items.as_slice(),
        _ => &[],
    };
    items.iter().filter_map(|item| match &item.kind {
        Kind::Table(event) => table(event.get("context")?),
        _ => None,
    })
}

fn table(entry: &Entry) -> Option<&Table> {
    match &entry.item.kind {
        Kind::Table(table) => Some(table),
        _ => None,
    }
}

fn report_entries<'e>(own: impl Iterator<Item = &'e Entry>, parent: Option<&Table>, problems: &mut Vec<Problem>) {
    for entry in own {
        let inherited = parent.and_then(|parent| parent.get(&entry.key)).map(|entry| &entry.item.kind);
        match (&entry.item.kind, inherited) {
            (Kind::Table(table), Some(Kind::Table(parent))) => {
                report_entries(table.entries.iter(), Some(parent), problems);
            }
            (Kind::Table(table), _) => report_entries(table.entries.iter(), None, problems),
            (Kind::Array(items), inherited) => {
                report_items(items, matches!(inherited, Some(Kind::Array(_))), &entry.key, problems);
            }
            _ => {}
        }
    }
}

/// Only the first table of an array says whether all of it is appended.
fn report_items(items: &[Item], inherited: bool, key: &str, problems: &mut Vec<Problem>) {
    for (index, item) in items.iter().enumerate() {
        let Kind::Table(table) = &item.kind else { continue };
        if let Some(append) = table.get("append") {
            problems.extend(wrong(append, index == 0, inherited, key));
        }
        // Arrays within an element are never merged: the element is the child's alone.
        report_entries(table.entries.iter(), None, problems);
    }
}

fn wrong(append: &Entry, first: bool, inherited: bool, key: &str) -> Option<Problem> {
    let problem = match &append.item.kind {
        Kind::Scalar(truth) if truth == "true" && !first => {
            Problem::new(append.place, "`append` stands in the first table of an array, and goes for all of them")
        }
        Kind::Scalar(truth) if truth == "true" && !inherited => {
            let message = format!("there is no inherited `{key}` to append to");
            Problem::new(append.place, message).help("leave `append` out")
        }
        Kind::Scalar(truth) if truth == "true" || truth == "false" => return None,
        _ => Problem::new(append.item.place, "`append` is true or false"),
    };
    Some(problem)
}
