//! `zone`, `[constant]`, `[expression]` and `[table.x]`: what the expressions of a file can name.

use std::cell::RefCell;
use std::collections::BTreeMap;

use fhircast_gateway_adapter_api::Grammar;

use super::super::diagnostics::Problem;
use super::super::expression::{Expression, Part};
use super::super::file::{Entry, Kind, Table};
use super::super::function::zone;
use super::super::futile;
use super::super::names::Names;
use super::super::parse::{self, Mistake};
use super::super::table::{LookupTable, Meaning};
use super::{Compiler, keys, text_of};

impl<'c> Compiler<'c> {
    pub(super) fn names(&mut self, root: &Table, grammar: &'c dyn Grammar, partial: bool) -> Names<'c> {
        let constants = self.constants(root);
        let mut names = Names {
            grammar,
            constants,
            expressions: BTreeMap::new(),
            tables: BTreeMap::new(),
            zone: self.zone(root),
            keys: Vec::new(),
            used: RefCell::default(),
            partial,
        };
        names.tables = self.tables(root, &names);
        names.expressions = self.expressions(root, &names);
        names
    }

    fn zone(&mut self, root: &Table) -> Option<jiff::tz::TimeZone> {
        let text = self.expect_text(root.get("zone")?)?;
        zone(&text.text).map_err(|message| self.problems.push(Problem::new(text.whole(), message))).ok()
    }

    fn constants(&mut self, root: &Table) -> BTreeMap<String, String> {
        let Some(table) = root.get("constant").and_then(|entry| self.expect_table(entry)) else {
            return BTreeMap::new();
        };
        // What is wrong with one is reported here, and not again wherever it is named; so with expressions and tables.
        let texts = table.entries.iter().map(|entry| {
            let text = self.expect_text(entry).map_or(&entry.key, |text| &text.text);
            (entry.key.clone(), text.clone())
        });
        texts.collect()
    }

    /// They can use tables and constants, and not each other: what one means is seen where it stands.
    fn expressions(&mut self, root: &Table, names: &Names<'_>) -> BTreeMap<String, Expression> {
        let Some(table) = root.get("expression").and_then(|entry| self.expect_table(entry)) else {
            return BTreeMap::new();
        };
        let none = || Expression { alternatives: Vec::new() };
        let expressions = table.entries.iter();
        expressions.map(|it| (it.key.clone(), self.expression(it, names).unwrap_or_else(none))).collect()
    }

    fn expression(&mut self, entry: &Entry, names: &Names<'_>) -> Option<Expression> {
        if names.text(&entry.key).is_some() {
            let message = format!("`{}` is the name of a text already", entry.key);
            self.problems.push(Problem::new(entry.place, message).help("give one of the two another name"));
        }
        if names.grammar.looks_like_path(&entry.key) {
            self.problems.push(Problem::new(entry.place, format!("`{}` reads like a path", entry.key)));
        }
        let text = self.expect_text(entry)?;
        match parse::template(&text.text, names) {
            Ok(template) => match <[Part; 1]>::try_from(template.parts) {
                Ok([Part::Expression(expression)]) => {
                    let futile = futile::in_expression(&expression).into_iter();
                    let problem =
                        |it: Mistake| Problem { help: it.help, ..Problem::new(text.place(it.span), it.message) };
                    self.problems.extend(futile.map(problem).filter(|_| !names.partial));
                    return Some(expression);
                }
                _ => {
                    let help = "write \"${…}\"; text before and after it is added with `prefix` and `suffix`";
                    let message = "what has a name here is one expression, and nothing beside it";
                    self.problems.push(Problem::new(text.whole(), message).help(help));
                }
            },
            Err(Mistake { span, message, help }) => {
                self.problems.push(Problem { help, ..Problem::new(text.place(span), message) })
            }
        }
        None
    }

    fn tables(&mut self, root: &Table, names: &Names<'_>) -> BTreeMap<String, LookupTable> {
        let Some(all) = root.get("table").and_then(|entry| self.expect_table(entry)) else { return BTreeMap::new() };
        let mut tables = BTreeMap::new();
        for entry in &all.entries {
            let table = self.expect_table(entry).map(|rows| self.lookup_table(rows, names));
            tables.insert(entry.key.clone(), table.unwrap_or_default());
        }
        tables
    }

    fn lookup_table(&mut self, rows: &Table, names: &Names<'_>) -> LookupTable {
        for row in rows.entries.iter().filter(|row| row.key.trim() != row.key || row.key.is_empty()) {
            let message = "this row is never found: codes are looked up without the blanks around them";
            self.problems.push(Problem::new(row.place, message));
        }
        rows.entries.iter().filter_map(|row| Some((row.key.as_str().into(), self.row(row, names)?))).collect()
    }

    fn row(&mut self, row: &Entry, names: &Names<'_>) -> Option<Meaning> {
        match &row.item.kind {
            Kind::Text(text) => Some(Meaning::Text(text.text.as_str().into())),
            Kind::Table(coding) => self.coding(coding, names).map(|json| Meaning::Code(json.into())),
            _ => {
                self.expected("a text, or a code like { system = \"…\", code = \"…\" }", row);
                None
            }
        }
    }

    /// A FHIR Coding as JSON; its system may be a name.
    fn coding(&mut self, coding: &Table, names: &Names<'_>) -> Option<String> {
        self.only_keys(coding, &keys::CODE, "a code");
        let mut members = serde_json::Map::new();
        for key in keys::CODE {
            let Some(text) = text_of(coding.get(key)) else { continue };
            let value = names.text(&text.text).filter(|_| key == "system").unwrap_or_else(|| text.text.clone());
            members.insert(key.to_owned(), value.into());
        }
        serde_json::to_string(&members).ok()
    }
}
