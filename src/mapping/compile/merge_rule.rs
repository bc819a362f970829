//! `[[merge]]` as it is written.

use super::super::diagnostics::Problem;
use super::super::file::{Item, Kind, Table};
use super::super::retire::MergeRule;
use super::{FileCompiler, keys};

impl FileCompiler<'_, '_> {
    pub(super) fn merges(&mut self, root: &Table) -> Vec<MergeRule> {
        let Some(entry) = root.get("merge") else { return Vec::new() };
        let Kind::Array(items) = &entry.item.kind else {
            self.compiler.expected("tables: write [[merge]]", entry);
            return Vec::new();
        };
        items.iter().filter_map(|item| self.merge_rule(item)).collect()
    }

    fn merge_rule(&mut self, item: &Item) -> Option<MergeRule> {
        let Kind::Table(table) = &item.kind else {
            self.problem(Problem::new(item.place, "a merge is a table: write [[merge]]"));
            return None;
        };
        self.compiler.only_keys(table, &keys::MERGE, "[[merge]]");
        let each = table.get("each").and_then(|entry| self.path_entry(entry));
        let when = table.get("when").and_then(|entry| Some((entry, self.condition(entry)?.value)));
        if let Some((entry, when)) = &when {
            self.report_absent(entry, when, None);
        }
        let when = when.map(|(_, when)| when);
        let Some(entry) = table.get("identifier") else {
            let help = "write [[merge.identifier]] with value and system, as of a patient";
            self.problem(Problem::new(item.place, "the merge does not say which identifiers are retired").help(help));
            return None;
        };
        if !matches!(entry.item.kind, Kind::Array(_)) {
            self.compiler.expected("tables: write [[merge.identifier]]", entry);
            return None;
        }
        let identifier = self.node(&entry.key, &entry.item)?;
        self.check(|checker| checker.element_of("Patient", "merge.identifier", entry));
        Some(MergeRule { each, when, identifier, origin: self.compiler.sources.origin(entry.place) })
    }
}
