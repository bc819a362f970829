//! Who extends whom, and what comes of it: each file merged over all that it extends, or over as much of it as is there.

use super::append;
use super::diagnostics::{Problem, did_you_mean, nearest};
use super::file::{Entry, Kind, Table};
use super::merge::merge;
use super::source::Sources;
use super::table_file;

/// The files of one load, each as it was written, and who extends whom.
pub(crate) struct Family<'s> {
    pub(crate) sources: &'s Sources,
    pub(crate) trees: Vec<Table>,
}

/// A file, what it extends, what that extends, and so on.
pub(crate) struct Lineage {
    pub(crate) files: Vec<usize>,
    /// Whether some of it is not there, or extends itself.
    pub(crate) broken: bool,
}

impl Family<'_> {
    /// A file merged over all that it extends.
    pub(crate) fn merged(&self, lineage: &Lineage, problems: &mut Vec<Problem>) -> Table {
        let mut merged: Option<Table> = None;
        for member in lineage.files.iter().rev() {
            let own = self.trees[*member].clone();
            if !lineage.broken {
                append::report(&own, merged.as_ref(), problems);
            }
            let mut both = match merged {
                Some(parent) => merge(parent, own),
                None => own,
            };
            // Before the next one is laid over it: that may replace a table from a file, or add to its rows.
            table_file::read_named(&mut both, self.sources, problems);
            merged = Some(both);
        }
        merged.unwrap_or_default()
    }

    /// File number `file`, and all that it extends as far as that is there; where a name is not, and one is near, that one.
    pub(crate) fn lineage(&self, file: usize, problems: &mut Vec<Problem>) -> Lineage {
        let mut files = vec![file];
        let mut current = file;
        while let Some(entry) = self.trees[current].get("extends") {
            let parent = self.parent(entry, problems).filter(|parent| match files.contains(parent) {
                true => {
                    problems.push(self.circle(entry, &files, *parent));
                    false
                }
                false => true,
            });
            let Some(parent) = parent else { return Lineage { files, broken: true } };
            files.push(parent);
            current = parent;
        }
        Lineage { files, broken: false }
    }

    /// What files of these numbers are called.
    pub(crate) fn names(&self, files: &[usize]) -> Vec<String> {
        files.iter().map(|file| self.sources.files[*file].name.clone()).collect()
    }

    /// The file that `extends` names.
    fn parent(&self, extends: &Entry, problems: &mut Vec<Problem>) -> Option<usize> {
        let Kind::Text(text) = &extends.item.kind else {
            problems.push(Problem::new(extends.item.place, "`extends` must be a string: the name of one mapping"));
            return None;
        };
        let mappings = || self.sources.files.iter().enumerate().filter(|(_, file)| !file.is_table());
        let find = |name: &str| mappings().find(|(_, file)| file.name == name).map(|(index, _)| index);
        find(&text.text).or_else(|| {
            let others = mappings().filter(|(index, _)| *index != text.whole().file);
            let names: Vec<&str> = others.map(|(_, file)| file.name.as_str()).collect();
            let help = did_you_mean(&text.text, names.iter().copied());
            problems.push(Problem::new(text.whole(), format!("there is no mapping `{}`", text.text)).help(help));
            find(nearest(&text.text, names)?)
        })
    }

    fn circle(&self, extends: &Entry, files: &[usize], parent: usize) -> Problem {
        let names = self.names(&[files, &[parent]].concat());
        let message = format!("mappings extend each other in a circle: {}", names.join(" -> "));
        Problem::new(extends.item.place, message)
    }
}
