//! Reads the notation of `r4.txt`, which its head explains. A test proves that nothing in the file is left unread.

use super::{Element, Model, Type};

/// A line that starts further to the right than any element goes on with the line before.
const CONTINUED: usize = 20;

/// The model that `text` describes.
pub(super) fn read(text: &str) -> Model {
    let mut model = Model::default();
    let mut way: Vec<String> = Vec::new();
    for line in logical_lines(text) {
        let mut words = line.split_whitespace();
        let Some(name) = words.next() else { continue };
        way.truncate(indent(&line) / 2);
        match way.first().map(String::as_str) {
            None => add_type(&mut model, name.to_owned(), words.nth(1)),
            Some("codes") => drop(model.codes.insert(name.to_owned(), words.map(str::to_owned).collect())),
            Some(_) => add_element(&mut model, &way.join("."), name, words.next().unwrap_or_default()),
        }
        way.push(name.to_owned());
    }
    model
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Lines without remarks, each with those that go on with it: directly behind a `|`, else behind a blank.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        match lines.last_mut().filter(|_| indent(line) > CONTINUED) {
            Some(before) => {
                before.push_str(if before.ends_with('|') { "" } else { " " });
                before.push_str(line.trim());
            }
            None => lines.push(line.to_owned()),
        }
    }
    lines
}

fn add_type(model: &mut Model, name: String, base: Option<&str>) {
    if name != "codes" {
        let described = Type { name: name.clone(), base: base.map(str::to_owned), elements: Vec::new() };
        model.types.insert(name, described);
    }
}

/// Adds the element `name` to the type `owner`: several where it is a choice.
fn add_element(model: &mut Model, owner: &str, name: &str, kinds: &str) {
    let (kinds, required) = strip(kinds, "!");
    let (kinds, many) = strip(kinds, "*");
    let (kinds, binding) = match kinds.split_once('(') {
        Some((kinds, binding)) => (kinds, Some(binding.trim_end_matches(')').to_owned())),
        None => (kinds, None),
    };
    let element = |name: String, kind: String, choice: Option<String>| Element {
        name,
        kind,
        many,
        required,
        choice,
        binding: binding.clone(),
    };
    let elements: Vec<Element> = match name.strip_suffix("[x]") {
        Some(stem) => kinds
            .split('|')
            .map(|kind| element(format!("{stem}{}", capitalised(kind)), kind.to_owned(), Some(name.to_owned())))
            .collect(),
        None if matches!(kinds, "BackboneElement" | "Element") => {
            let part = format!("{owner}.{name}");
            add_type(model, part.clone(), Some(kinds));
            vec![element(name.to_owned(), part, None)]
        }
        None => vec![element(name.to_owned(), kinds.to_owned(), None)],
    };
    if let Some(owner) = model.types.get_mut(owner) {
        owner.elements.extend(elements);
    }
}

fn strip<'t>(text: &'t str, mark: &str) -> (&'t str, bool) {
    text.strip_suffix(mark).map_or((text, false), |rest| (rest, true))
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}
