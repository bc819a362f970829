//! Finds what a file declares and nothing uses: tables, constants, resources. Nothing wrong comes out of them, so they are
//! warnings; more often than not a name is misspelt elsewhere.

use std::collections::BTreeSet;

use super::compile::Compiled;
use super::diagnostics::Problem;
use super::file::{Entry, Kind, Table};
use super::names::Definition;
use super::source::Place;

/// What the files of one load declare, and what is used by them and by those that extend them.
#[derive(Default)]
pub(crate) struct Usage {
    declared: Vec<(Declared, Place)>,
    used: BTreeSet<(usize, Declared)>,
    /// Files that were not read to the end, or are extended by such: what they use is not known.
    unread: BTreeSet<usize>,
}

/// Something that a file declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Declared {
    Named(Definition),
    Resource(String),
}

impl Usage {
    /// Takes in a mapping: the files that it is merged of, itself first; what its own file holds; what it became.
    pub(crate) fn note(&mut self, lineage: &[usize], own: &Table, compiled: &Compiled) {
        let Compiled { plan, used } = compiled;
        let slots = plan.rules.iter().flat_map(|rule| &rule.slots);
        let resources = slots.filter_map(|slot| Some(plan.resources.get(slot.resource)?.key.clone()));
        let all = used.iter().cloned().map(Declared::Named).chain(resources.map(Declared::Resource));
        for used in all {
            self.used.extend(lineage.iter().map(|file| (*file, used.clone())));
        }
        self.declare(own, "table", |name| Declared::Named(Definition::Table(name)));
        self.declare(own, "expression", |name| Declared::Named(Definition::Expression(name)));
        self.declare(own, "constant", |name| Declared::Named(Definition::Constant(name)));
        // The resources of a file without events are there for those that extend it.
        if !plan.rules.is_empty() {
            self.declare(own, "context", Declared::Resource);
        }
    }

    /// Takes in a mapping with mistakes, merged of these files.
    pub(crate) fn note_unread(&mut self, lineage: &[usize]) {
        self.unread.extend(lineage);
    }

    /// A warning for all that is declared and never used.
    pub(crate) fn warnings(self) -> impl Iterator<Item = Problem> {
        let Self { declared, used, unread } = self;
        declared.into_iter().filter_map(move |(declared, place)| {
            let told = unread.contains(&place.file) || used.contains(&(place.file, declared.clone()));
            (!told).then(|| warning(&declared, place))
        })
    }

    fn declare(&mut self, own: &Table, section: &str, declared: impl Fn(String) -> Declared) {
        let Some(Entry { item, .. }) = own.get(section) else { return };
        let Kind::Table(table) = &item.kind else { return };
        self.declared.extend(table.entries.iter().map(|entry| (declared(entry.key.clone()), entry.place)));
    }
}

fn warning(declared: &Declared, place: Place) -> Problem {
    match declared {
        Declared::Named(Definition::Constant(name)) => {
            Problem::warning(place, format!("the constant `{name}` is never used"))
        }
        Declared::Named(Definition::Expression(name)) => {
            Problem::warning(place, format!("the expression `{name}` is never used"))
        }
        Declared::Named(Definition::Table(name)) => {
            Problem::warning(place, format!("the table `{name}` is never used"))
                .help("a table is used by `lookup`, `map-to-code` or `in`")
        }
        Declared::Resource(key) => Problem::warning(place, format!("no event holds [context.{key}]"))
            .help("an event holds what FHIRcast defines for it, or what its `context` lists"),
    }
}
