//! Mapping files as they were handed in, and places in them.
//!
//! Knows no disk: whoever reads the files hands them over as text.

use std::fmt;
use std::sync::Arc;

/// One mapping file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The mapping's name, by which `extends` and a listener call it: `vendors/acme-ris`.
    pub name: String,
    /// What diagnostics call the file: `mappings/vendors/acme-ris.toml`.
    pub path: String,
    /// The TOML in it.
    pub text: String,
}

/// A line of a mapping file, as people are shown it: `mappings/vendors/acme-ris.toml:14`.
#[derive(Clone, Debug, PartialEq, Eq)]
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
