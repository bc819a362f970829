//! `occurred` and `not_after`: when what a message tells happened, and how long after that it is shown.

use super::super::age::NotAfter;
use super::super::diagnostics::Problem;
use super::super::expression::{Part, Template};
use super::super::file::Table;
use super::super::plan::Placed;
use super::FileCompiler;

impl FileCompiler<'_, '_> {
    pub(super) fn occurred(&mut self, root: &Table) -> Option<Placed<Template>> {
        let entry = root.get("occurred")?;
        let template = self.template_entry(entry)?;
        if !matches!(template.value.parts.as_slice(), [Part::Expression(_)]) {
            let help = "write it like occurred = \"${ORC-9 | datetime or MSH-7 | datetime}\"";
            self.problem(Problem::new(entry.item.place, "a time is one expression, and nothing beside it").help(help));
            return None;
        }
        Some(template)
    }

    /// The limit that a file or one of its events says, if it says one.
    pub(super) fn not_after(&mut self, table: &Table) -> Option<NotAfter> {
        let text = self.compiler.expect_text(table.get("not_after")?)?;
        let limit = NotAfter::parse(&text.text);
        if limit.is_none() {
            let message = "how old an event may be is a number with `s`, `min` or `h`";
            self.problem(Problem::new(text.whole(), message).help("write \"120s\", \"5min\" or \"never\""));
        }
        limit
    }
}
