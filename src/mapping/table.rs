//! `[table.x]`: the source's codes and what they mean. Compared exactly; `"*"` stands for every code that is not listed.

use std::collections::HashMap;
use std::sync::Arc;

use super::function::{Argument, CallError};

/// A table, shared by all expressions that look into it.
#[derive(Clone, Debug, Default)]
pub(crate) struct LookupTable {
    rows: Arc<HashMap<Box<str>, Meaning>>,
}

/// What a code means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A FHIR Coding, as JSON.
    Code(Box<str>),
    Text(Box<str>),
}

impl FromIterator<(Box<str>, Meaning)> for LookupTable {
    fn from_iter<I: IntoIterator<Item = (Box<str>, Meaning)>>(rows: I) -> Self {
        Self { rows: Arc::new(rows.into_iter().collect()) }
    }
}

impl LookupTable {
    /// The text for `code`.
    pub(crate) fn text(&self, code: &str) -> Option<&str> {
        match self.meaning(code)? {
            Meaning::Text(text) => Some(text),
            Meaning::Code(_) => None,
        }
    }

    /// The Coding for `code`, as JSON.
    pub(crate) fn code(&self, code: &str) -> Option<&str> {
        match self.meaning(code)? {
            Meaning::Code(coding) => Some(coding),
            Meaning::Text(_) => None,
        }
    }

    /// Whether `code` is listed; `"*"` does not count.
    pub(crate) fn lists(&self, code: &str) -> bool {
        code != "*" && self.rows.contains_key(code)
    }

    /// The codes that are listed, in no order; `"*"` does not count.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(|code| &**code).filter(|code| *code != "*")
    }

    /// Whether it has a row for every code that is not listed.
    pub(crate) fn has_rest(&self) -> bool {
        self.rows.contains_key("*")
    }

    /// The texts of all rows, in no order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.rows.values().filter_map(|meaning| match meaning {
            Meaning::Text(text) => Some(&**text),
            Meaning::Code(_) => None,
        })
    }

    /// Whether `other` is this very table.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.rows, &other.rows)
    }

    fn meaning(&self, code: &str) -> Option<&Meaning> {
        self.rows.get(code.trim()).or_else(|| self.rows.get("*"))
    }

    /// The table, as one that `lookup` can use.
    pub(super) fn of_texts(self, name: &Argument) -> Result<Self, CallError> {
        self.only(name, |meaning| matches!(meaning, Meaning::Text(_)), "its rows are codes: write `map-to-code`")
    }

    /// The table, as one that `map-to-code` can use.
    pub(super) fn of_codes(self, name: &Argument) -> Result<Self, CallError> {
        let help = "write its rows as { system = \"…\", code = \"…\" }, or write `lookup`";
        self.only(name, |meaning| matches!(meaning, Meaning::Code(_)), help)
    }

    fn only(self, name: &Argument, fits: impl Fn(&Meaning) -> bool, help: &str) -> Result<Self, CallError> {
        if self.rows.values().all(fits) {
            return Ok(self);
        }
        let message = format!("table `{}` has rows of another kind", name.text);
        Err(CallError { message, help: help.to_owned(), span: Some(name.span.clone()) })
    }
}
