//! A protocol for tests, as small as can be: lines of `NAME: value`, repetitions between `~`, parts between `^`, `""` for
//! deleted. Paths: `NAME`, `NAME.2`, `NAME[2].1`, `NAME[*].1`, and `.1` inside `each`.

use fhircast_gateway_adapter_api::{Fields, Grammar, Path, PathError, Value};

use super::{Diagnostics, MappingSet, SourceFile};

pub(super) struct Notes;

#[derive(Clone, Debug)]
struct NotePath {
    name: String,
    repetition: Repetition,
    part: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
enum Repetition {
    Number(usize),
    Every,
}

impl Grammar for Notes {
    fn protocol(&self) -> &'static str {
        "notes"
    }

    fn looks_like_path(&self, text: &str) -> bool {
        text.starts_with(|first: char| first.is_ascii_uppercase() || first == '.')
    }

    fn path_length(&self, text: &str) -> usize {
        let in_path = |it: char| it.is_ascii_alphanumeric() || "[]*.-".contains(it);
        text.find(|it| !in_path(it)).unwrap_or(text.len())
    }

    fn path(&self, text: &str) -> Result<Path, PathError> {
        let wrong = || PathError {
            message: "a path is a name in capitals, a repetition in brackets, a part after a dot".to_owned(),
            suggestion: Some("NAME[2].1".to_owned()),
            span: 0..text.len(),
        };
        let (name, part) = text.split_once('.').map_or((text, None), |(name, part)| (name, Some(part)));
        let part = part.map(str::parse).transpose().map_err(|_| wrong())?;
        let (name, repetition) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
            None => (name, Repetition::Number(1)),
            Some((name, "*")) => (name, Repetition::Every),
            Some((name, number)) => (name, Repetition::Number(number.parse().map_err(|_| wrong())?)),
        };
        if !name.bytes().all(|byte| byte.is_ascii_uppercase()) || (name.is_empty() && part.is_none()) {
            return Err(wrong());
        }
        Ok(Path::new(text, NotePath { name: name.to_owned(), repetition, part }))
    }
}

/// A message, or one repetition in it.
#[derive(Clone)]
pub(super) struct Note<'t> {
    message: &'t str,
    repetition: Option<&'t str>,
}

impl<'t> Note<'t> {
    pub(super) fn new(message: &'t str) -> Self {
        Self { message, repetition: None }
    }

    fn repetitions(&self, path: &NotePath) -> Vec<&'t str> {
        if path.name.is_empty() {
            return self.repetition.into_iter().collect();
        }
        let value =
            self.message.lines().find_map(|line| line.trim_start().strip_prefix(&*path.name)?.strip_prefix(':'));
        value.map(|value| value.trim().split('~').collect()).unwrap_or_default()
    }
}

fn value<'t>(repetition: &'t str, part: Option<usize>) -> Value<'t> {
    match repetition.split('^').nth(part.unwrap_or(1).wrapping_sub(1)) {
        None | Some("") => Value::Absent,
        Some("\"\"") => Value::Deleted,
        Some(text) => Value::Text(text.into()),
    }
}

impl Fields for Note<'_> {
    fn first<'m>(&'m self, path: &Path) -> Value<'m> {
        self.all(path).into_iter().next().unwrap_or(Value::Absent)
    }

    fn all<'m>(&'m self, path: &Path) -> Vec<Value<'m>> {
        let Some(path) = path.compiled::<NotePath>() else { return Vec::new() };
        let repetitions = self.repetitions(path);
        let wanted = |(index, _): &(usize, &&str)| {
            path.repetition == Repetition::Every || path.repetition == Repetition::Number(index + 1)
        };
        let values = repetitions.iter().enumerate().filter(wanted).map(|(_, repetition)| value(repetition, path.part));
        values.filter(|value| *value != Value::Absent).collect()
    }

    fn each<'m>(&'m self, path: &Path) -> Vec<Box<dyn Fields + 'm>> {
        let Some(path) = path.compiled::<NotePath>() else { return Vec::new() };
        let filled = self.repetitions(path).into_iter().filter(|repetition| !repetition.is_empty());
        filled.map(|it| Box::new(Self { repetition: Some(it), ..self.clone() }) as Box<dyn Fields + 'm>).collect()
    }
}

/// Loads files, given as name and text.
pub(super) fn load(files: &[(&str, &str)]) -> Result<MappingSet, Diagnostics> {
    let files: Vec<SourceFile> = files.iter().map(|(name, text)| SourceFile::named(name, text)).collect();
    MappingSet::load(&files, &[&Notes])
}

/// What the mapping `text` makes of `message`, as JSON.
pub(super) fn outcome(text: &str, message: &str) -> serde_json::Value {
    let set = load(&[("test", text)]).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    set.mapping("test").unwrap().outcome(&Note::new(message))
}
