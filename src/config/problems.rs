//! What is wrong with the configuration, and where: shown like a compiler's mistakes, all of them in one run.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use figment::error::Kind;

use super::Layers;
use crate::diagnostic::{Diagnostic, Level as Gravity, Position};

/// Every problem found so far.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

/// One mistake in the configuration.
#[derive(Debug)]
pub struct Problem {
    message: String,
    place: Option<Place>,
    help: Option<String>,
}

/// Where something stands: in a file, or in an environment variable or flag.
#[derive(Clone, Debug)]
pub struct Place {
    name: String,
    text: String,
    span: Option<Range<usize>>,
}

impl Problems {
    /// Adds one.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// All of them, for programs.
    pub fn list(&self) -> Vec<Diagnostic> {
        self.0.iter().map(Problem::diagnostic).collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(formatter, "{problem}\n")?;
        }
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(formatter, "{} problem{plural} in the configuration; nothing was started", self.0.len())
    }
}

impl Problem {
    /// A problem, its message a fragment in lower case.
    pub fn new(message: String) -> Self {
        Self { message, place: None, help: None }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn diagnostic(&self) -> Diagnostic {
        let place = self.place.as_ref();
        let span = place.and_then(|place| Some((place.text.as_str(), place.span.clone()?)));
        Diagnostic {
            file: place.map(|place| place.name.clone()),
            start: span.as_ref().map(|(text, span)| Position::of(text, span.start)),
            end: span.as_ref().map(|(text, span)| Position::of(text, span.end)),
            level: Gravity::Error,
            message: self.message.clone(),
            help: self.help.clone(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = Level::ERROR.primary_title(self.message.as_str());
        let located = self.place.as_ref().and_then(|place| place.span.clone().map(|span| (place, span)));
        let group = match located {
            Some((place, span)) => Group::with_title(title).element(
                Snippet::source(place.text.as_str())
                    .path(place.name.as_str())
                    .annotation(AnnotationKind::Primary.span(span).label(self.help.as_deref())),
            ),
            None => Group::with_title(title),
        };
        formatter.write_str(&Renderer::plain().render(&[group]))?;
        match (&self.place, &self.help) {
            (Some(Place { span: Some(_), .. }), _) => Ok(()),
            (place, help) => {
                place.iter().try_for_each(|place| write!(formatter, "\n  --> {}", place.name))?;
                help.iter().try_for_each(|help| write!(formatter, "\n  = help: {help}"))
            }
        }
    }
}

impl Place {
    /// The bytes `span` of the file `name`.
    pub fn new(name: &str, text: &str, span: Range<usize>) -> Self {
        Self { name: name.to_owned(), text: text.to_owned(), span: Some(span) }
    }

    /// Something without lines: an environment variable, a flag.
    pub(super) fn elsewhere(name: &str) -> Self {
        Self { name: name.to_owned(), text: String::new(), span: None }
    }

    /// The line, from 1.
    pub(super) fn line(&self) -> usize {
        let before = self.span.as_ref().map_or(0, |span| span.start.min(self.text.len()));
        1 + self.text.as_bytes()[..before].iter().filter(|&&byte| byte == b'\n').count()
    }
}

/// A key that is none of `known`.
pub(super) fn unknown_key(layers: &Layers, path: &[&str], parent: &str, known: &[&str]) -> Problem {
    let key = path.last().copied().unwrap_or_default();
    let problem = Problem::new(format!("unknown key `{key}` in {parent}"));
    let problem = match nearest(key, known) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("known here: {}", known.join(", "))),
    };
    problem.at(layers.place_of_key(path))
}

/// The path of the key that `error` is about, below the section that was read.
pub(super) fn inner_path(error: &figment::Error) -> Vec<String> {
    let mut path = error.path.clone();
    if let Kind::UnknownField(name, _) | Kind::MissingField(std::borrow::Cow::Owned(name)) = &error.kind
        && path.last() != Some(name)
    {
        path.push(name.clone());
    }
    path
}

/// What serde found wrong, as a problem at `full`; `section` is the part of it that was being read.
pub(super) fn from_figment(layers: &Layers, full: &[&str], section: &[&str], error: &figment::Error) -> Problem {
    let parent = full.split_last().map_or(section, |(_, parents)| parents).join(".");
    match &error.kind {
        Kind::UnknownField(_, known) => unknown_key(layers, full, &format!("`{parent}`"), known),
        Kind::MissingField(name) => {
            // A table within the section lacks it, where the path is longer than the section's.
            let table = full.strip_suffix(&[&**name]).unwrap_or(full);
            let table = if table.len() > section.len() { table } else { section };
            Problem::new(format!("`{}` needs `{name}`", table.join("."))).at(layers.place_of_key(table))
        }
        Kind::UnknownVariant(found, known) => {
            let problem = Problem::new(format!("`{}` cannot be `{found}`", full.join(".")));
            problem.help(format!("one of: {}", known.join(", "))).at(layers.place_of_value(full))
        }
        Kind::Message(message) if message.contains("duration") => {
            let problem = Problem::new(format!("`{}` is no time", full.join(".")));
            problem.help("write it as \"30s\", \"2h\" or \"1m30s\"").at(layers.place_of_value(full))
        }
        other => Problem::new(format!("`{}`: {other}", full.join("."))).at(layers.place_of_value(full)),
    }
}

/// The known word that `word` was most likely meant to be.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(2))
        .min()
        .map(|(_, candidate)| candidate)
}
