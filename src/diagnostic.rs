//! A mistake in a file that a person wrote, as programs read it: editors, build servers, the operator's API.
//!
//! People are shown the same as text, with the line and a caret.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file; a flag or an environment variable where the mistake stands in none; nothing where it has no place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where it begins.
    #[serde(flatten)]
    pub start: Option<Position>,
    /// Where it ends: the first character that is no longer part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Position>,
    /// How grave it is.
    pub level: Level,
    /// What is wrong, as a fragment in lower case.
    pub message: String,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake that stands in no file.
    pub fn without_place(message: String) -> Self {
        Self { file: None, start: None, end: None, level: Level::Error, message, help: None }
    }
}

/// One line: where, and what.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.file, self.start) {
            (Some(file), Some(Position { line, column })) => write!(formatter, "{file}:{line}:{column}: ")?,
            (Some(file), None) => write!(formatter, "{file}: ")?,
            (None, _) => {}
        }
        formatter.write_str(&self.message)
    }
}

/// How grave a mistake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is loaded.
    Error,
    /// It is loaded, and most likely does not do what was meant.
    Warning,
}

/// A place in a text, both counted from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// Where byte `offset` of `text` stands.
    pub fn of(text: &str, offset: usize) -> Self {
        let offset = (0..=offset.min(text.len())).rev().find(|offset| text.is_char_boundary(*offset)).unwrap_or(0);
        let before = &text[..offset];
        let line = before.rsplit('\n').next().unwrap_or_default();
        Self { line: 1 + before.matches('\n').count(), column: 1 + line.chars().count() }
    }
}

#[cfg(test)]
mod tests {
    use super::Position;

    #[test]
    fn columns_count_characters_and_lines_count_line_ends() {
        for (offset, line, column) in [(0, 1, 1), (2, 1, 2), (3, 1, 3), (4, 2, 1), (5, 2, 2), (99, 2, 2), (1, 1, 1)] {
            assert_eq!(Position::of("äx\ny", offset), Position { line, column }, "{offset}");
        }
    }
}
