//! Everything that is wrong with a set of mapping files, shown the way a compiler shows it: file, line, caret, what to write.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::source::{Place, Sources};
use crate::diagnostic::{Diagnostic, Level as Gravity, Position};

/// The mistakes and warnings of one load, all of them, by file and line. `Display` is the whole text for a terminal, without
/// colours; empty where there are none.
pub struct Diagnostics {
    sources: Arc<Sources>,
    problems: Vec<Problem>,
}

/// Whether a file with the problem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// It cannot: nothing is loaded.
    Mistake,
    /// It can, and most likely does not do what was meant.
    Warning,
}

/// One mistake or warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) severity: Severity,
    pub(crate) place: Place,
    /// What is wrong, as a fragment in lower case.
    pub(crate) message: String,
    /// What to write instead, beside the caret.
    pub(crate) help: Option<String>,
}

impl Problem {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Mistake, place, message: message.into(), help: None }
    }

    pub(crate) fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(place, message) }
    }

    pub(crate) fn is_mistake(&self) -> bool {
        self.severity == Severity::Mistake
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl Diagnostics {
    /// The problems of `sources`, in order of file and line, each once: a mistake in a base file shows in all that extend it.
    pub(crate) fn new(sources: Arc<Sources>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|one, other| (one.place, &one.message).cmp(&(other.place, &other.message)));
        problems.dedup();
        Self { sources, problems }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// The mistakes and warnings one by one, for programs.
    pub fn list(&self) -> Vec<Diagnostic> {
        let diagnostic = |problem: &Problem| {
            let source = &self.sources.files[problem.place.file];
            Diagnostic {
                file: Some(source.path.clone()),
                start: Some(Position::of(&source.text, problem.place.start)),
                end: Some(Position::of(&source.text, problem.place.end)),
                level: if problem.is_mistake() { Gravity::Error } else { Gravity::Warning },
                message: problem.message.clone(),
                help: problem.help.clone(),
            }
        };
        self.problems.iter().map(diagnostic).collect()
    }

    fn draw(&self, renderer: &Renderer, problem: &Problem) -> String {
        let Place { file, start, end } = problem.place;
        let source = &self.sources.files[file];
        let mark = AnnotationKind::Primary.span(start..end);
        let mark = match &problem.help {
            Some(help) => mark.label(help.as_str()),
            None => mark,
        };
        let snippet = Snippet::source(source.text.as_str()).path(source.path.as_str()).annotation(mark);
        let level = if problem.is_mistake() { Level::ERROR } else { Level::WARNING };
        renderer.render(&[level.primary_title(problem.message.as_str()).element(snippet)])
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
        let drawn: Vec<String> = self.problems.iter().map(|problem| self.draw(&renderer, problem)).collect();
        formatter.write_str(&drawn.join("\n\n"))
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Error for Diagnostics {}

/// The one of `names` that `word` was most likely meant to be, if any is close enough to say so.
pub(crate) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    let tolerated = 1 + word.chars().count() / 4;
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// `did you mean …?` where there is a near name, else the list of all.
pub(crate) fn did_you_mean<'n>(word: &str, names: impl IntoIterator<Item = &'n str> + Clone) -> String {
    match nearest(word, names.clone()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known here: {}", names.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_only_when_it_is_near() {
        let names = ["lower", "upper", "birthDate"];
        for (word, expected) in
            [("uper", Some("upper")), ("birthdate", Some("birthDate")), ("lowre", Some("lower")), ("zone", None)]
        {
            assert_eq!(nearest(word, names), expected, "{word}");
        }
    }
}
