//! `extends`: a child's tree laid over its parent's. Every entry keeps the place it came from.
//!
//! A table from a CSV file is a string in the child that says so, and the rows of the file in the parent.

use super::file::{Entry, Item, Kind, Table};

/// Keys of a file that speak of that file alone, and so are not inherited.
const OWN: [&str; 3] = ["about", "extends", "events"];

/// `child` over `parent`: tables merge by key, all else is replaced. An array of tables is added to where its first table in
/// the child says `append = true`. The child's events come before the parent's, or alone if it says `events = "replace"`.
pub(crate) fn merge(parent: Table, child: Table) -> Table {
    let replaces_events =
        matches!(child.get("events").map(|entry| &entry.item.kind), Some(Kind::Text(text)) if text.text == "replace");
    let mut merged =
        Table { entries: parent.entries.into_iter().filter(|it| !OWN.contains(&it.key.as_str())).collect() };
    for entry in child.entries {
        match (entry.key.as_str(), position(&merged, &entry.key)) {
            ("event", Some(index)) if !replaces_events => add_before(&mut merged.entries[index], entry),
            _ => overlay_entry(&mut merged, entry),
        }
    }
    if replaces_events {
        drop_parents_events(&mut merged);
    }
    merged
}

fn position(table: &Table, key: &str) -> Option<usize> {
    table.entries.iter().position(|entry| entry.key == key)
}

/// The child's tables first, then the parent's.
fn add_before(parent: &mut Entry, child: Entry) {
    match (&mut parent.item.kind, child.item.kind) {
        (Kind::Array(parents), Kind::Array(children)) => drop(parents.splice(0..0, children)),
        (_, kind) => parent.item.kind = kind,
    }
}

/// Where the child has no events of its own, those that are left are the parent's.
fn drop_parents_events(merged: &mut Table) {
    let Some(file) = merged.get("events").map(|entry| entry.place.file) else { return };
    merged.entries.retain(|entry| entry.key != "event" || entry.place.file == file);
}

fn overlay(parent: Table, child: Table) -> Table {
    let mut merged = parent;
    for entry in child.entries {
        overlay_entry(&mut merged, entry);
    }
    merged
}

fn overlay_entry(merged: &mut Table, child: Entry) {
    match position(merged, &child.key) {
        Some(index) => {
            let parent = merged.entries.remove(index);
            merged.entries.insert(index, overlaid(parent, child));
        }
        None => merged.entries.push(child),
    }
}

/// `child` over `parent`, by the same rules: of what one event says, over what the file says for all.
pub(crate) fn over(parent: &Entry, child: &Entry) -> Entry {
    overlaid(parent.clone(), child.clone())
}

fn overlaid(parent: Entry, child: Entry) -> Entry {
    let kind = match (parent.item.kind, child.item.kind) {
        (Kind::Table(parent), Kind::Table(child)) => Kind::Table(overlay(parent, child)),
        (Kind::Array(parents), Kind::Array(children)) if appends(&children) => {
            Kind::Array(parents.into_iter().chain(children).collect())
        }
        (_, kind) => kind,
    };
    Entry { item: Item { kind, ..child.item }, ..child }
}

fn appends(children: &[Item]) -> bool {
    let Some(Item { kind: Kind::Table(first), .. }) = children.first() else { return false };
    matches!(first.get("append").map(|entry| &entry.item.kind), Some(Kind::Scalar(truth)) if truth == "true")
}
