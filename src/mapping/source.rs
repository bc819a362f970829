//! Mapping files as they were handed in, and places in them.
//!
//! Knows no disk: whoever reads the files hands them over as text.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// One mapping file, or a CSV file that mappings take a table from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The mapping's name, by which `extends` and a listener call it: `vendors/acme-ris`. A table's file has its extension too.
    pub name: String,
    /// What diagnostics call the file: `mappings/vendors/acme-ris.toml`. Ends in `.csv` for a table.
    pub path: String,
    /// The TOML or CSV in it.
    pub text: String,
}

impl SourceFile {
    /// Whether it is a table, and no mapping.
    pub fn is_table(&self) -> bool {
        self.path.ends_with(".csv")
    }
}

/// A line of a mapping file, as people are shown it: `mappings/vendors/acme-ris.toml:14`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file's path.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: usize,
}

/// Some bytes of one of the [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: usize,
    /// start <= end <= the file's length
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// All files of one load.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) files: Vec<SourceFile>,
}

impl Sources {
    /// The line that `place` starts on.
    pub(crate) fn origin(&self, place: Place) -> Origin {
        let file = &self.files[place.file];
        let before = file.text.get(..place.start).unwrap_or(&file.text);
        Origin { file: file.path.as_str().into(), line: 1 + before.matches('\n').count() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}
